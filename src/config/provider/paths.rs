//! Which paths a provider may read (`AllowedPaths` of Kafka 4.3.1).
//!
//! Two things are stricter than there: a path is taken for what links make of it, and what is below `/proc`, `/sys` and `/dev` is only
//! there where it is allowed by itself.

use std::path::{Path, PathBuf};

use landfall_api::Folders;

/// The paths below which a provider may read; all if there are none.
#[derive(Clone, Debug)]
pub(super) struct AllowedPaths(Folders);

impl AllowedPaths {
    /// The paths of a list with commas.
    pub(super) fn new(list: Option<&str>) -> Self {
        Self(match list.map(str::trim).filter(|list| !list.is_empty()) {
            None => Folders::all(),
            Some(list) => Folders { read: list.split(',').map(|path| path.trim().into()).collect(), ..Folders::default() },
        })
    }

    /// Whether every path of the list is there.
    ///
    /// # Errors
    /// Java's words for the first that is not.
    pub(super) fn check(list: &str) -> Result<(), String> {
        let wrong = |path: &PathBuf| match path {
            path if !path.is_absolute() => Some(format!("Path {} is not absolute", path.display())),
            path if !path.exists() => Some(format!("Path {} does not exist", path.display())),
            _ => None,
        };
        Self::new(Some(list)).0.read.iter().find_map(wrong).map_or(Ok(()), Err)
    }

    /// Whether everything may be read.
    pub(super) fn all(&self) -> bool {
        self.0.all
    }

    /// What to read for `path`, which anybody may have written; None if it may not be read.
    pub(super) fn allowed(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let path = path.as_ref();
        match self.0.readable(path) {
            Ok(real) => Some(real),
            Err(real) if real == path => {
                tracing::warn!("The path {} is not allowed to be accessed", path.display());
                None
            }
            Err(real) => {
                tracing::warn!("The path {}, which is {}, is not allowed to be accessed", path.display(), real.display());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_of_the_allowed_paths_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        let at = |path: &str| format!("{}/{path}", root.display());
        for made in ["a", "secrets/sub", "run", "others"] {
            fs::create_dir_all(root.join(made)).expect("made");
        }
        fs::write(root.join("others/x"), "x").expect("written");
        symlink(root.join("others"), root.join("secrets/link")).expect("a link");
        // As Kubernetes mounts secrets.
        symlink("sub", root.join("secrets/..data")).expect("a link");
        let paths = AllowedPaths::new(Some(&format!("{}, {}", at("a/../secrets"), at("run"))));
        for (path, read) in [
            ("secrets/x", Some("secrets/x")),
            ("secrets", Some("secrets")),
            ("secrets/..data/x", Some("secrets/sub/x")),
            ("run/./../secrets/b", Some("secrets/b")),
            ("secrets/../others/x", None),
            ("secrets/link/x", None),
            ("run/none/../../others/x", None),
            ("secrets-of-others", None),
        ] {
            assert_eq!(paths.allowed(at(path)), read.map(|path| root.join(path)), "{path}");
        }
        assert_eq!((paths.allowed("run/x"), paths.allowed("../run/x")), (None, None));
        assert!(AllowedPaths::new(None).allowed(at("others/x")).is_some());
    }

    #[test]
    fn what_is_the_systems_own_is_not_read_unless_it_is_allowed() {
        assert_eq!(AllowedPaths::new(None).allowed("/proc/self/environ"), None);
        assert_eq!(AllowedPaths::new(Some("/")).allowed("/proc/self/environ"), None);
        assert!(AllowedPaths::new(Some("/proc/self")).allowed("/proc/self/environ").is_some());
    }

    #[test]
    fn what_is_allowed_is_there() {
        assert_eq!(AllowedPaths::check("/, /tmp/../tmp"), Ok(()));
        assert_eq!(AllowedPaths::check("/,tmp"), Err("Path tmp is not absolute".into()));
        assert_eq!(AllowedPaths::check("/no/./such"), Err("Path /no/./such does not exist".into()));
    }
}
