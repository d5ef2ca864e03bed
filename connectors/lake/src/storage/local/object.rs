//! Small objects that are replaced by compare-and-set: under a lock the content is compared, and a new file renamed over the old one.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{failed, gone, make_folders, sync_folder};
use crate::storage::{StorageError, Version, Written};

/// What is beside an object: its lock, and the content that is about to replace it.
const LOCK: &str = ".lock";
const NEW: &str = ".new";

/// How long another process may hold a lock, which is milliseconds unless it was stopped in the middle.
const LOCKED: Duration = Duration::from_secs(10);

/// Whether a file is not an object but beside one.
pub(super) fn is_beside(path: &str) -> bool {
    path.ends_with(LOCK) || path.ends_with(NEW)
}

/// The object and what it is now.
pub(super) fn get(file: &Path) -> Result<Option<(Bytes, Version)>, StorageError> {
    match std::fs::read(file) {
        Ok(content) => Ok(Some((content.clone().into(), version(&content)))),
        Err(e) if gone(&e) => Ok(None),
        Err(e) => Err(failed("cannot read", file, &e)),
    }
}

/// Replaces the object if it has the version `expected`, or makes it if there is none and none is expected.
pub(super) fn put(root: &Path, file: &Path, content: &[u8], expected: Option<&Version>) -> Result<Written, StorageError> {
    let folder = file.parent().unwrap_or(root);
    make_folders(root, folder).map_err(|e| failed("cannot make", folder, &e))?;
    let _lock = lock(file)?;
    if get(file)?.map(|(_, version)| version).as_ref() != expected {
        return Ok(Written::Refused);
    }
    let new = beside(file, NEW);
    let write = || {
        let mut open = File::create(&new)?;
        open.write_all(content)?;
        open.sync_all()?;
        std::fs::rename(&new, file)?;
        sync_folder(folder)
    };
    write().map_err(|e| failed("cannot write", file, &e))?;
    Ok(Written::Done(version(content)))
}

/// Removes the object if it has the version `expected`. Its lock stays: another may be waiting for it.
pub(super) fn remove(file: &Path, expected: &Version) -> Result<bool, StorageError> {
    if get(file)?.is_none() {
        return Ok(false);
    }
    let _lock = lock(file)?;
    if get(file)?.is_none_or(|(_, version)| version != *expected) {
        return Ok(false);
    }
    let remove = || std::fs::remove_file(file).and_then(|()| file.parent().map_or(Ok(()), sync_folder));
    remove().map_err(|e| failed("cannot remove", file, &e))?;
    Ok(true)
}

/// The object's lock, which is let go when it is dropped or its process ends.
pub(super) fn lock(file: &Path) -> Result<File, StorageError> {
    let path = beside(file, LOCK);
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let open = open.map_err(|e| failed("cannot lock", &path, &e))?;
    let begun = Instant::now();
    loop {
        match open.try_lock() {
            Ok(()) => return Ok(open),
            Err(TryLockError::Error(e)) => return Err(failed("cannot lock", &path, &e)),
            Err(TryLockError::WouldBlock) if begun.elapsed() > LOCKED => {
                let why = io::Error::from(io::ErrorKind::TimedOut);
                return Err(failed("another process holds", &path, &why));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// A hash of the content: no object ever has the same content twice. It is compared within one run of the worker only.
fn version(content: &[u8]) -> Version {
    let half = |seed: u8| {
        let mut hash = DefaultHasher::new();
        hash.write_u8(seed);
        hash.write(content);
        hash.finish()
    };
    Version(Arc::from(format!("{:016x}{:016x}", half(0), half(1))))
}
