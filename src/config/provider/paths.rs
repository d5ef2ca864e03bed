//! Which paths a provider may read (`AllowedPaths` of Kafka 4.3.1).

use std::path::{Component, Path, PathBuf};

/// The paths below which a provider may read; all if there are none.
#[derive(Clone, Debug, Default)]
pub(super) struct AllowedPaths(Option<Vec<PathBuf>>);

impl AllowedPaths {
    /// The paths of a list with commas.
    pub(super) fn new(list: Option<&str>) -> Self {
        let list = list.map(str::trim).filter(|list| !list.is_empty());
        Self(list.map(|list| list.split(',').map(|path| normalized(Path::new(path.trim()))).collect()))
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
        Self::new(Some(list)).0.iter().flatten().find_map(wrong).map_or(Ok(()), Err)
    }

    /// What to read for `path`, which anybody may have written; None if it may not be read.
    pub(super) fn allowed(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let Some(allowed) = &self.0 else { return Some(path.into()) };
        let path = normalized(path);
        if allowed.iter().any(|allowed| path.starts_with(allowed)) {
            return Some(path);
        }
        tracing::warn!("The path {} is not allowed to be accessed", path.display());
        None
    }
}

/// `path` without `.` and `..`, by its letters alone.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            Component::ParentDir if normal.has_root() => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_the_allowed_paths_is_read() {
        let paths = AllowedPaths::new(Some("/etc/a/../secrets, /run"));
        for (path, read) in [
            ("/etc/secrets/x", Some("/etc/secrets/x")),
            ("/etc/secrets", Some("/etc/secrets")),
            ("/run/./a/../b", Some("/run/b")),
            ("/../run/x", Some("/run/x")),
            ("/etc/secrets/../passwd", None),
            ("/run/../../etc/passwd", None),
            ("/etc/secrets-of-others", None),
            ("run/x", None),
            ("../run/x", None),
        ] {
            assert_eq!(paths.allowed(path).as_deref(), read.map(Path::new), "{path}");
        }
        assert_eq!(AllowedPaths::new(None).allowed("a/../b").as_deref(), Some(Path::new("a/../b")));
    }

    #[test]
    fn what_is_allowed_is_there() {
        assert_eq!(AllowedPaths::check("/, /tmp/../tmp"), Ok(()));
        assert_eq!(AllowedPaths::check("/,tmp"), Err("Path tmp is not absolute".into()));
        assert_eq!(AllowedPaths::check("/no/./such"), Err("Path /no/such does not exist".into()));
    }
}
