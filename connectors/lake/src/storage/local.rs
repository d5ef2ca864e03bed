//! A directory as a store: a file is written below `_landfall/stage`, synced, and renamed to its path without ever replacing anything.
//!
//! Any power loss between two steps is harmless:
//! - Folders are made before what is in them, and the folder above is synced. What is lost by then is an empty folder.
//! - A staged file is synced, and so is its folder, before `seal` answers. What is lost by then is named by no pointer.
//! - Attributes are set and synced before the rename. Lost by then, the file is still staged: whoever publishes it again sets them again.
//! - The rename moves a file in one step of the file system's journal: afterwards it has its old name or its new one, and whoever
//!   publishes it again finds which. Both folders are synced before `publish` answers. (Should a file system keep both names of a
//!   rename that it lost half of, they are one file, and the next publish takes the old name away.)
//! - A small object is written beside its place, synced and renamed over it: it is what it was or what was written. What is left of
//!   a write that did not come that far is overwritten by the next one.

mod attributes;
mod examine;
mod object;
mod staged;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::examine::Examination;
use super::{
    Area, HIDDEN, Metadata, Object, Published, Sealed, Staged, Storage, StorageError, Version, Written, checked_path,
    hidden_path, visible_path,
};
use attributes::{TOKEN, keep, kept};
use staged::{LocalStaged, publish, sweep};

/// A directory as a [`Storage`].
#[derive(Clone, Debug)]
pub struct LocalStorage {
    root: Arc<Path>,
    metadata_needed: bool,
}

impl LocalStorage {
    /// The store in the directory `root`, which is made when it is first needed. Does no I/O.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into(), metadata_needed: false }
    }

    /// The same for files that nothing but their metadata describes: a file system that keeps none is refused. Without, metadata are
    /// left out there.
    #[must_use]
    pub fn needing_metadata(self) -> Self {
        Self { metadata_needed: true, ..self }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn stage_folder(&self) -> PathBuf {
        self.root.join(HIDDEN).join("stage")
    }
}

#[async_trait]
impl Storage for LocalStorage {
    fn url(&self) -> String {
        format!("file://{}", self.root.display())
    }

    async fn check(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || {
            let (root, folder) = (&*storage.root, storage.stage_folder());
            make_folders(root, &folder).map_err(|e| failed("cannot make", &folder, &e))?;
            let [from, to] = ["check", "checked"].map(|name| folder.join(format!("{name}-{}", nonce())));
            let tried = (|| {
                let file = File::create_new(&from).map_err(|e| failed("cannot write to", &folder, &e))?;
                file.write_all_at(b"landfall", 0).map_err(|e| failed("cannot write to", &folder, &e))?;
                keep(&file, &Metadata::from([("landfall_check".into(), "1".into())]), storage.metadata_needed, root)?;
                rename_new(&from, &to).map_err(|e| unrenamed(&folder, &e))
            })();
            let removed = std::fs::remove_file(if tried.is_ok() { &to } else { &from });
            tried.and(removed.map_err(|e| failed("cannot write to", &folder, &e)))
        })
        .await
    }

    async fn stage(&self, path: &str, area: &Area) -> Result<Box<dyn Staged>, StorageError> {
        let (storage, path, area) = (self.clone(), visible_path(path)?.to_owned(), area.clone());
        checked_path(&area.partition)?;
        blocking(move || {
            let target = storage.root.join(&path);
            if std::fs::symlink_metadata(&target).is_ok() {
                return Err(StorageError::Taken(format!("{} is there", target.display())));
            }
            Ok(Box::new(LocalStaged::new(&storage.root, &storage.stage_folder(), path, &area)?) as Box<dyn Staged>)
        })
        .await
    }

    async fn publish(&self, file: &Sealed, metadata: &Metadata) -> Result<Published, StorageError> {
        let (storage, file, mut metadata) = (self.clone(), file.clone(), metadata.clone());
        visible_path(&file.path)?;
        checked_path(&file.token)?;
        metadata.insert(TOKEN.into(), file.token.clone());
        blocking(move || publish(&storage.root, &storage.stage_folder(), &file, &metadata, storage.metadata_needed)).await
    }

    async fn sweep(&self, area: &Area) -> Result<(), StorageError> {
        let (folder, epoch) = (self.stage_folder().join(checked_path(&area.partition)?), area.epoch);
        blocking(move || sweep(&folder, epoch).map_err(|e| failed("cannot clean", &folder, &e))).await
    }

    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError> {
        let (path, file) = (path.to_owned(), self.root.join(visible_path(path)?));
        blocking(move || match std::fs::metadata(&file) {
            Ok(found) if found.is_file() => {
                let mut metadata = kept(&file).map_err(|e| failed("cannot look at", &file, &e))?;
                metadata.remove(TOKEN);
                Ok(Some(Object { path, size: found.len(), metadata }))
            }
            Ok(_) => Ok(None),
            Err(e) if gone(&e) => Ok(None),
            Err(e) => Err(failed("cannot look at", &file, &e)),
        })
        .await
    }

    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let file = self.root.join(visible_path(path)?);
        blocking(move || {
            let read = || {
                let open = File::open(&file)?;
                let end = range.end.min(open.metadata()?.len());
                let mut bytes = vec![0; end.saturating_sub(range.start) as usize];
                open.read_exact_at(&mut bytes, range.start)?;
                Ok(Bytes::from(bytes))
            };
            read().map_err(|e| failed("cannot read", &file, &e))
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError> {
        let objects = self.walked(prefix, HIDDEN).await?;
        let visible = |path: &str, size| Object { path: path.to_owned(), size, metadata: Metadata::new() };
        Ok(objects.into_iter().map(|(path, size)| visible(&path, size)).collect())
    }

    async fn get(&self, path: &str) -> Result<Option<(Bytes, Version)>, StorageError> {
        let file = self.root.join(hidden_path(path)?);
        blocking(move || object::get(&file)).await
    }

    async fn put(&self, path: &str, content: Bytes, expected: Option<&Version>) -> Result<Written, StorageError> {
        let (root, file, expected) = (Arc::clone(&self.root), self.root.join(hidden_path(path)?), expected.cloned());
        blocking(move || object::put(&root, &file, &content, expected.as_ref())).await
    }

    async fn remove(&self, path: &str, expected: &Version) -> Result<bool, StorageError> {
        let (file, expected) = (self.root.join(hidden_path(path)?), expected.clone());
        blocking(move || object::remove(&file, &expected)).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        if !prefix.starts_with(&format!("{HIDDEN}/")) {
            hidden_path(prefix)?;
        }
        let objects = self.walked(prefix, "").await?;
        let mut names: Vec<_> = objects.iter().filter_map(|(file, _)| object::object_of(file)).collect();
        names.dedup();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    async fn examine(&self) -> Result<Examination, StorageError> {
        examine::examine(self).await
    }
}

impl LocalStorage {
    /// The files whose paths begin with `prefix`, without what is below the folder `without`, and their sizes.
    async fn walked(&self, prefix: &str, without: &'static str) -> Result<Vec<(String, u64)>, StorageError> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.to_owned());
        blocking(move || {
            let mut files = Vec::new();
            // What has the prefix lies below its last whole folder, if that is a folder of ours at all.
            let folder = prefix.rfind('/').map_or("", |end| &prefix[..end]);
            if !folder.is_empty() {
                checked_path(folder)?;
            }
            if without.is_empty() || folder.split('/').next() != Some(without) {
                walk(&root.join(folder), folder, &prefix, without, &mut files)?;
            }
            files.sort();
            Ok(files)
        })
        .await
    }
}

/// Adds the files of `folder`, whose path below the root is `path`, that begin with `prefix`.
fn walk(folder: &Path, path: &str, prefix: &str, without: &str, files: &mut Vec<(String, u64)>) -> Result<(), StorageError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if gone(&e) => return Ok(()),
        Err(e) => return Err(failed("cannot list", folder, &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| failed("cannot list", folder, &e))?;
        let name = entry.file_name();
        // A name that is not UTF-8 is none that this worker wrote.
        let Some(name) = name.to_str() else { continue };
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        if below == without || !(below.starts_with(prefix) || prefix.starts_with(&format!("{below}/"))) {
            continue;
        }
        match entry.metadata() {
            Ok(found) if found.is_dir() => walk(&entry.path(), &below, prefix, without, files)?,
            Ok(found) if found.is_file() && below.starts_with(prefix) => files.push((below, found.len())),
            Ok(_) => {}
            Err(e) if gone(&e) => {}
            Err(e) => return Err(failed("cannot look at", &entry.path(), &e)),
        }
    }
    Ok(())
}

/// 128 bits that nothing else has: the hash keys are the system's random bytes.
fn nonce() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}

/// Renames without replacing. Not by a second name that the first is then taken from: between the two steps a file would be visible
/// and still staged, and could become visible again after a reader has removed it.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Why a rename into `folder` failed; a file system that cannot do it is named as such.
fn unrenamed(folder: &Path, error: &io::Error) -> StorageError {
    let unknown = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP].iter().any(|e| error.raw_os_error() == Some(e.raw_os_error()));
    if unknown {
        let folder = folder.display();
        return StorageError::Fatal(format!(
            "{folder} is on a file system that cannot rename without replacing ({error}), which exactly-once needs: use a local one"
        ));
    }
    failed("cannot rename a file in", folder, error)
}

/// Makes `folder`, below `root` or `root` itself, and syncs every folder that got a new one. Links must not lead out of `root`.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        if let Some(parent) = folder.parent().filter(|parent| parent.starts_with(root)) {
            make_folders(root, parent)?;
            match std::fs::create_dir(folder) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                other => other?,
            }
            sync_folder(parent)?;
        } else {
            std::fs::create_dir_all(folder)?;
        }
    }
    match (folder.canonicalize(), root.canonicalize()) {
        (Ok(folder), Ok(root)) if !folder.starts_with(&root) => {
            Err(io::Error::other(format!("it is {} by a link that leads out of the store", folder.display())))
        }
        // Should it be gone again, who uses it says so.
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, StorageError> + Send + 'static) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(e) => Err(StorageError::Fatal(format!("a file operation did not end: {e}"))),
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StorageError {
    let message = format!("{what} {}: {error}", path.display());
    let out_of_files = [Errno::MFILE, Errno::NFILE].iter().any(|e| error.raw_os_error() == Some(e.raw_os_error()));
    match error.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::Interrupted
        | ErrorKind::WouldBlock
        | ErrorKind::TimedOut
        | ErrorKind::ResourceBusy
        | ErrorKind::OutOfMemory
        | ErrorKind::StaleNetworkFileHandle => StorageError::Retriable(message),
        _ if out_of_files => StorageError::Retriable(message),
        _ => StorageError::Fatal(message),
    }
}
