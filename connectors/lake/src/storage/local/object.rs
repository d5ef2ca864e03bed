//! Small objects that are replaced by compare-and-set, without locks: an object is a folder, and each version a file in it whose name is a
//! number. The highest counts; where that is a folder, the object is gone.
//!
//! Who replaces version n renames a new file to n + 1, which succeeds for one. No version is ever taken away but below a higher one, so a
//! worker that is stopped anywhere keeps nobody from going on; when it wakes up, what it makes is below what counts, or in a folder that
//! was put aside when the object was removed.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, mkdirat, openat, renameat_with, unlinkat};

use super::{failed, gone, make_folders, nonce, rename_new, sync_folder, unrenamed};
use crate::storage::{StorageError, Version, Written};

/// The digits of a number: the names of versions sort as their numbers do.
const DIGITS: usize = 20;

/// The object of which `file` is a version; None for another file.
pub(super) fn object_of(file: &str) -> Option<&str> {
    let (object, name) = file.rsplit_once('/')?;
    let aside = object.rsplit('/').next()?.starts_with('.');
    (!aside && number(name)?.1).then_some(object)
}

/// The object and what it is now.
pub(super) fn get(object: &Path) -> Result<Option<(Bytes, Version)>, StorageError> {
    let Some(folder) = Folder::open(object)? else { return Ok(None) };
    Ok(match folder.newest()? {
        Newest::Version { number, content } => Some((Bytes::from(content.clone()), version(number, &content))),
        Newest::Nothing | Newest::Gone => None,
    })
}

/// Replaces the object if it has the version `expected`, or makes it if there is none and none is expected.
pub(super) fn put(root: &Path, object: &Path, content: &[u8], expected: Option<&Version>) -> Result<Written, StorageError> {
    loop {
        let Some(folder) = Folder::open(object)? else {
            if expected.is_some() {
                return Ok(Written::Refused);
            }
            make_folders(root, object).map_err(|e| failed("cannot make", object, &e))?;
            continue;
        };
        let number = match folder.newest()? {
            Newest::Gone => {
                folder.put_aside()?;
                continue;
            }
            Newest::Nothing if expected.is_none() => 0,
            Newest::Version { number, content } if expected == Some(&version(number, &content)) => number,
            Newest::Nothing | Newest::Version { .. } => return Ok(Written::Refused),
        };
        let added = folder.add(number + 1, Some(content))?;
        return Ok(if added { Written::Done(version(number + 1, content)) } else { Written::Refused });
    }
}

/// Removes the object if it has the version `expected`.
pub(super) fn remove(object: &Path, expected: &Version) -> Result<bool, StorageError> {
    let Some(folder) = Folder::open(object)? else { return Ok(false) };
    match folder.newest()? {
        Newest::Version { number, content } if *expected == version(number, &content) => {
            let removed = folder.add(number + 1, None)?;
            if removed {
                folder.put_aside()?;
            }
            Ok(removed)
        }
        _ => Ok(false),
    }
}

/// What counts of an object.
enum Newest {
    /// No version yet.
    Nothing,
    Version {
        number: u64,
        content: Vec<u8>,
    },
    /// It is gone, and its folder is to be put aside.
    Gone,
}

/// The folder of an object. What is done in it is done in this one, also if another has its path by now.
struct Folder<'a> {
    path: &'a Path,
    open: File,
}

impl<'a> Folder<'a> {
    fn open(path: &'a Path) -> Result<Option<Self>, StorageError> {
        match File::open(path) {
            Ok(open) => Ok(Some(Self { path, open })),
            Err(e) if gone(&e) => Ok(None),
            Err(e) => Err(failed("cannot read", path, &e)),
        }
    }

    fn newest(&self) -> Result<Newest, StorageError> {
        let read = || loop {
            let Some(number) = self.highest()? else { return Ok(Newest::Nothing) };
            match openat(&self.open, name(number), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(File::from) {
                Ok(file) if file.metadata()?.is_dir() => return Ok(Newest::Gone),
                Ok(file) => {
                    let mut content = Vec::new();
                    (&file).read_to_end(&mut content)?;
                    return Ok(Newest::Version { number, content });
                }
                // There is a higher one by now.
                Err(rustix::io::Errno::NOENT) => {}
                Err(e) => return Err(e.into()),
            }
        };
        read().map_err(|e: io::Error| failed("cannot read", self.path, &e))
    }

    fn highest(&self) -> io::Result<Option<u64>> {
        Ok(self.names()?.iter().filter_map(|name| number(name)).filter(|(_, whole)| *whole).map(|(number, _)| number).max())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = Dir::read_from(&self.open)?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_str().unwrap_or_default().to_owned()));
        names.collect()
    }

    /// Makes the version `next`, without content the one that says that the object is gone; false if there is one already.
    fn add(&self, next: u64, content: Option<&[u8]>) -> Result<bool, StorageError> {
        let (new, to) = (format!("{}.{}", name(next), nonce()), name(next));
        let write = || match content {
            Some(content) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mut file = File::from(openat(&self.open, &new, flags, Mode::from_raw_mode(0o666))?);
                file.write_all(content)?;
                file.sync_all()
            }
            None => Ok(mkdirat(&self.open, &new, Mode::from_raw_mode(0o777))?),
        };
        let renamed = write().map_err(|e| (e.kind(), failed("cannot write to", self.path, &e))).and_then(|()| {
            let renamed = renameat_with(&self.open, &new, &self.open, &to, RenameFlags::NOREPLACE).map_err(io::Error::from);
            renamed.map_err(|e| (e.kind(), unrenamed(self.path, &e)))
        });
        if let Err((kind, error)) = renamed {
            let _ = self.unlink(&new);
            // Where the unfinished file or its folder is gone, a higher version or a removal has taken it away.
            let refused = [ErrorKind::AlreadyExists, ErrorKind::NotFound].contains(&kind);
            return if refused { Ok(false) } else { Err(error) };
        }
        let counts = self.open.sync_all().and_then(|()| Ok(self.highest()? == Some(next) && self.is_at(self.path)));
        if !counts.map_err(|e| failed("cannot write to", self.path, &e))? {
            let why = "another version came before or after this one, and whether it counted is not known";
            return Err(StorageError::Retriable(format!("{}: {why}", self.path.display())));
        }
        self.clear(next);
        Ok(true)
    }

    fn is_at(&self, path: &Path) -> bool {
        let id = |found: std::fs::Metadata| (found.dev(), found.ino());
        let [is, there] = [self.open.metadata(), std::fs::metadata(path)].map(|found| found.map(id).ok());
        is.is_some() && is == there
    }

    /// Takes away what is below `next`. What stays is tried again with the version after it.
    fn clear(&self, next: u64) {
        let names = self.names().unwrap_or_default();
        for name in names.iter().filter(|name| number(name).is_some_and(|(number, _)| number < next)) {
            let _ = self.unlink(name);
        }
    }

    fn unlink(&self, name: &str) -> rustix::io::Result<()> {
        unlinkat(&self.open, name, AtFlags::empty()).or_else(|_| unlinkat(&self.open, name, AtFlags::REMOVEDIR))
    }

    /// Frees the path of an object that is gone. Whoever finds such a folder may do it.
    fn put_aside(&self) -> Result<(), StorageError> {
        let mut name = OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{}", nonce()));
        let aside = self.path.with_file_name(name);
        if !self.is_at(self.path) {
            return Ok(());
        }
        match rename_new(self.path, &aside) {
            Ok(()) if self.is_at(&aside) => {}
            // Made again between the look and the rename.
            Ok(()) => return rename_new(&aside, self.path).map_err(|e| unrenamed(self.path, &e)),
            Err(e) if gone(&e) => return Ok(()),
            Err(e) => return Err(unrenamed(self.path, &e)),
        }
        let parent = self.path.parent().map_or(Ok(()), sync_folder);
        let removed = parent.and_then(|()| std::fs::remove_dir_all(&aside));
        removed.map_err(|e| failed("cannot remove", &aside, &e))
    }
}

/// The number of a version's file, and whether it is whole and not the unfinished one that becomes it.
fn number(name: &str) -> Option<(u64, bool)> {
    let (digits, rest) = name.split_at_checked(DIGITS)?;
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    (rest.is_empty() || rest.starts_with('.')).then_some((number, rest.is_empty()))
}

fn name(number: u64) -> String {
    format!("{number:0DIGITS$}")
}

/// The number, and a hash of the content: an object that is removed and made again begins at 1 again, and has never the same content twice.
fn version(number: u64, content: &[u8]) -> Version {
    let mut hash = DefaultHasher::new();
    hash.write(content);
    Version(Arc::from(format!("{number}-{:016x}", hash.finish())))
}
