//! What configurations make the worker reach for outside of Kafka, and the folders in which it may be files.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::Properties;

/// What the value of a key makes the worker reach for; what a connector may not is refused.
#[derive(Clone, Copy, Debug)]
pub enum Reaches {
    /// Nothing.
    Nothing,
    /// Files that are read: paths, with commas between them.
    Files,
    /// A file or a folder that is written.
    Written,
    /// Hosts: URLs, or names with or without a port, with commas between them. A `file:` URL is a file that is read.
    Hosts,
    /// A store: the URL of a host, or the `file:` URL of a folder that is written.
    Store,
    /// What the function finds in it, beside the other properties.
    By(fn(&str, &Properties) -> Vec<Reached>),
}

/// Something that a value makes the worker reach for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// A file that is read.
    Read(String),
    /// A file or a folder that is written.
    Written(String),
    /// A host: a URL, or a name with or without a port.
    Host(String),
}

impl Reaches {
    /// What `value` makes the worker reach for, among `properties` that may say more of it.
    #[must_use]
    pub fn of(&self, value: &str, properties: &Properties) -> Vec<Reached> {
        let items = || value.split(',').map(str::trim).filter(|item| !item.is_empty());
        let url = |item: &str, file: fn(String) -> Reached| match file_of_url(item) {
            Some(path) => file(path),
            None => Reached::Host(item.to_owned()),
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::Files => items().map(|item| Reached::Read(item.to_owned())).collect(),
            Self::Written if value.trim().is_empty() => Vec::new(),
            Self::Written => vec![Reached::Written(value.trim().to_owned())],
            Self::Hosts => items().map(|item| url(item, Reached::Read)).collect(),
            // A folder's name may have a comma.
            Self::Store if value.trim().is_empty() => Vec::new(),
            Self::Store => vec![url(value.trim(), Reached::Written)],
            Self::By(found) => found(value, properties),
        }
    }
}

/// The path of a `file:` URL.
fn file_of_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    // What is a host before the path is refused by those who read it.
    let path = rest.strip_prefix("//").unwrap_or(rest);
    Some(percent_decode_str(path).decode_utf8_lossy().into_owned())
}

/// The file systems in which files are no data but the system's own.
const OF_SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The folders in which connectors may have the worker read and write, wherever symbolic links lead to. What is below `/proc`, `/sys`
/// and `/dev` is in none but those that are there themselves.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    /// Whether everything may be read and written.
    pub all: bool,
    /// Those that may be read.
    pub read: Vec<PathBuf>,
    /// Those that may be written.
    pub written: Vec<PathBuf>,
    /// Files that must not be written wherever they are: the worker's own.
    pub kept: Vec<PathBuf>,
}

impl Folders {
    /// Every folder.
    #[must_use]
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Where `path` leads, if it may be read.
    ///
    /// # Errors
    /// It may not; the path that it leads to.
    pub fn readable(&self, path: &Path) -> Result<PathBuf, PathBuf> {
        self.within(&self.read, path)
    }

    /// Where `path` leads, if it may be written.
    ///
    /// # Errors
    /// It may not; the path that it leads to.
    pub fn writable(&self, path: &Path) -> Result<PathBuf, PathBuf> {
        let real = self.within(&self.written, path)?;
        if self.keep(&real) { Err(real) } else { Ok(real) }
    }

    /// Whether `real`, where a path leads, is one of the files that are never written.
    #[must_use]
    pub fn keep(&self, real: &Path) -> bool {
        self.kept.iter().any(|kept| real_path(kept).is_ok_and(|kept| kept == real))
    }

    /// Whether an open file is one that may be written: what a path leads to may have changed since it was looked at.
    ///
    /// # Errors
    /// It is not; the path that it has.
    pub fn opened(&self, file: &File) -> Result<(), PathBuf> {
        // Where there is no such folder, what was said of the path has to do.
        match std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            Ok(real) if real.is_absolute() => self.writable(&real).map(drop),
            _ => Ok(()),
        }
    }

    fn within(&self, folders: &[PathBuf], path: &Path) -> Result<PathBuf, PathBuf> {
        let real = real_path(path).map_err(|_| path.to_path_buf())?;
        let in_folder = |folder: &PathBuf| real_path(folder).is_ok_and(|folder| real.starts_with(&folder));
        let of_system = OF_SYSTEM.iter().find(|system| real.starts_with(system));
        let listed = folders.iter().filter(|folder| of_system.is_none_or(|system| folder.starts_with(system)));
        let allowed = (self.all && of_system.is_none()) || listed.into_iter().any(in_folder);
        if allowed { Ok(real) } else { Err(real) }
    }
}

/// Where `path` leads through all symbolic links, whether it is there or not.
///
/// # Errors
/// It leads nowhere that could be said: a link is broken, a folder cannot be looked into, or a `..` is below what is not there.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let unclear = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
    let path = std::path::absolute(path)?;
    let mut there = path.as_path();
    let mut after = Vec::new();
    let mut real = loop {
        match std::fs::canonicalize(there) {
            Ok(real) => break real,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // A link that leads to nothing would be followed by who makes the file.
            Err(_) if std::fs::symlink_metadata(there).is_ok() => return unclear("a broken link"),
            Err(_) => {}
        }
        match (there.components().next_back(), there.parent()) {
            (Some(Component::Normal(name)), Some(parent)) => {
                after.push(name);
                there = parent;
            }
            _ => return unclear("a .. below what is not there"),
        }
    };
    real.extend(after.into_iter().rev());
    Ok(real)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn values_name_files_and_hosts() {
        let none = Properties::new();
        let read = |path: &str| Reached::Read(path.into());
        let written = |path: &str| Reached::Written(path.into());
        let host = |host: &str| Reached::Host(host.into());
        assert_eq!(Reaches::Files.of(" a.pem, /b ,", &none), [read("a.pem"), read("/b")]);
        assert_eq!(Reaches::Written.of("a, b", &none), [written("a, b")]);
        assert_eq!(
            Reaches::Hosts.of("http://a:1/x,b:2, FILE:/t%6Fken", &none),
            [host("http://a:1/x"), host("b:2"), read("/token")]
        );
        assert_eq!(Reaches::Store.of("file:///lake/a%2Cb,%", &none), [written("/lake/a,b,%")]);
        assert_eq!(Reaches::Store.of("https://a.b/c", &none), [host("https://a.b/c")]);
        for nothing in [Reaches::Nothing, Reaches::Files, Reaches::Written, Reaches::Hosts, Reaches::Store] {
            assert_eq!(nothing.of(" ", &none), []);
        }
    }

    #[test]
    fn neither_links_nor_dots_lead_out_of_a_folder() {
        let temp = tempfile::tempdir().expect("a folder");
        let root = temp.path().canonicalize().expect("it is there");
        let (own, other) = (root.join("own"), root.join("other"));
        for folder in [&own, &other, &own.join("sub")] {
            fs::create_dir(folder).expect("made");
        }
        for file in [own.join("users"), other.join("secret")] {
            fs::write(file, "x").expect("written");
        }
        symlink(&other, own.join("out")).expect("a link");
        symlink(other.join("secret"), own.join("secret")).expect("a link");
        symlink(other.join("none"), own.join("broken")).expect("a link");
        symlink("sub", own.join("within")).expect("a link");
        symlink(&own, root.join("in")).expect("a link");
        let folders = Folders {
            all: false,
            read: vec![own.clone()],
            written: vec![root.join("in/sub")],
            kept: vec![own.join("sub/state")],
        };
        for (path, real) in [
            ("own/users", Some("own/users")),
            ("own", Some("own")),
            ("own/none/at/all", Some("own/none/at/all")),
            ("own/within/x", Some("own/sub/x")),
            ("in/users", Some("own/users")),
            ("own/sub/../users", Some("own/users")),
            ("other/../own/users", Some("own/users")),
            ("own/out/secret", None),
            ("own/out/none", None),
            ("own/secret", None),
            ("own/broken", None),
            ("own/../other/secret", None),
            ("own/none/../../other/secret", None),
            ("own/none/../users", None),
            ("owned", None),
            ("own\0", None),
        ] {
            let found = folders.readable(&root.join(path));
            assert_eq!(found.clone().ok(), real.map(|real| root.join(real)), "{path}: {found:?}");
        }
        assert!(folders.writable(&root.join("own/sub/x")).is_ok() && folders.writable(&own.join("users")).is_err());
        assert!(folders.writable(&own.join("within/state")).is_err(), "a file of the worker's own");
        let outside = File::create(other.join("opened")).expect("made");
        assert_eq!(folders.opened(&outside), Err(other.join("opened")));
        assert_eq!(folders.opened(&File::create(own.join("sub/y")).expect("made")), Ok(()));
    }

    #[test]
    fn what_is_the_systems_own_is_only_there_if_it_is_named() {
        let all = Folders::all();
        assert!(all.readable(Path::new("/etc/hostname")).is_ok());
        for path in ["/proc/self/environ", "/dev/null", "/sys/kernel", "/etc/../proc/1"] {
            assert!(all.readable(Path::new(path)).is_err(), "{path}");
        }
        let root = Folders { read: vec!["/".into()], ..Folders::default() };
        assert!(root.readable(Path::new("/etc/hostname")).is_ok() && root.readable(Path::new("/dev/null")).is_err());
        let named = Folders { read: vec!["/dev/null".into()], ..Folders::default() };
        assert!(named.readable(Path::new("/dev/null")).is_ok() && named.readable(Path::new("/dev/zero")).is_err());
    }
}
