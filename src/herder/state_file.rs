//! The file in which connectors survive a restart of a standalone worker (`landfall.state.file`). It holds their secrets:
//! only its owner may read it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use landfall_api::Properties;
use serde::{Deserialize, Serialize};

use super::TargetState;

/// What is kept of a connector.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its configuration, secrets included.
    pub config: Properties,
    /// What it should be doing.
    pub target_state: TargetState,
}
landfall_api::opaque!(Stored);

#[derive(Serialize, Deserialize)]
struct Content {
    /// Of this format.
    version: u32,
    connectors: BTreeMap<String, Stored>,
}

/// The file, written as a whole at each change.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    writing: Mutex<()>,
}

impl StateFile {
    /// The file at `path`, made if it does not exist, and what it holds.
    ///
    /// # Errors
    /// It cannot be read or made.
    pub fn open(path: PathBuf) -> Result<(Self, BTreeMap<String, Stored>), String> {
        let file = Self { path, writing: Mutex::new(()) };
        let path = &file.path;
        let stored = match std::fs::read(path) {
            Ok(bytes) => {
                let content: Content = serde_json::from_slice(&bytes)
                    // serde's message may quote a value, its place says enough.
                    .map_err(|e| format!("{}:{}:{}: not a state file of this worker", path.display(), e.line(), e.column()))?;
                if content.version != 1 {
                    return Err(format!("{}: version {} is not known to this worker", path.display(), content.version));
                }
                content.connectors
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // Better now than with the first connector.
                file.write(BTreeMap::new)?;
                BTreeMap::new()
            }
            Err(e) => return Err(format!("{}: cannot be read: {e}", path.display())),
        };
        Ok((file, stored))
    }

    /// Replaces what the file holds by what `connectors` gives; after a crash it holds the one or the other. Blocks.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, connectors: impl FnOnce() -> BTreeMap<String, Stored>) -> Result<(), String> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let content = Content { version: 1, connectors: connectors() };
        replace(&self.path, &content).map_err(|e| format!("{}: cannot be written: {e}", self.path.display()))
    }
}

fn replace(path: &Path, content: &Content) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    // A leftover may have other permissions.
    let _ = std::fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let mut json = serde_json::to_vec_pretty(content)?;
    json.push(b'\n');
    file.write_all(&json)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_by_its_owner_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("state.json");
        let (file, stored) = StateFile::open(path.clone()).expect("new");
        assert!(stored.is_empty());
        let config = Properties::from([("secret".into(), "pssst".into())]);
        let connectors = BTreeMap::from([("c".to_owned(), Stored { config, target_state: TargetState::Paused })]);
        file.write(|| connectors.clone()).expect("written");
        file.write(|| connectors.clone()).expect("written again");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(StateFile::open(path).expect("readable").1, connectors);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_said_at_once() {
        let error = StateFile::open("/no/such/directory/state.json".into()).expect_err("no directory");
        assert!(error.starts_with("/no/such/directory/state.json: cannot be written: "), "{error}");
    }

    #[test]
    fn a_broken_file_is_named_with_the_place_and_without_its_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("state.json");
        std::fs::write(&path, "{\"version\":1,\n\"connectors\":\"pssst\"}").expect("written");
        let error = StateFile::open(path).expect_err("broken");
        assert!(error.contains("state.json:2:") && !error.contains("pssst"), "{error}");
    }
}
