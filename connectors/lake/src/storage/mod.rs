//! Where files land and where pointers are kept: blocks are staged unseen, one publish makes them a visible file, a small object is
//! replaced by compare-and-set, and no file is ever overwritten.
//!
//! [`local`] is a directory, the Azure back-end lives in `landfall-adls`; [`conformance`] is what every back-end must do,
//! [`examine`] what a user's own store is asked for.

pub mod conformance;
pub mod examine;
pub mod local;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use landfall_api::{Answers, Calls};
use serde::{Deserialize, Serialize};

/// Where what readers must not see lives, below a store's root.
pub const HIDDEN: &str = "_landfall";

/// Small facts stored with a file: keys of lower-case ASCII letters, digits and `_`, values of printable ASCII.
pub type Metadata = BTreeMap<String, String>;

/// What a store says of a visible file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its path below the store's root, with `/` between names.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// What was published with it; empty where the store can keep none (a directory on some file systems).
    pub metadata: Metadata,
}

/// Whose files are being staged: an owner of a partition, who is told from those before it by its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// The partition's folder: `<topics.dir>/<topic>/<partition>`.
    pub partition: String,
    /// Rises with each owner that the partition gets.
    pub epoch: u64,
}

/// A file that is staged whole. Whoever has this can publish it, at any time, as often as they like; it is published once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sealed {
    /// Where it will be visible.
    pub path: String,
    /// How the store finds what was staged; no other file ever has the same.
    pub token: String,
    /// Its size in bytes.
    pub size: u64,
    /// When its last block was staged, in milliseconds since the epoch by the store's clock.
    pub staged_at: i64,
}

/// How a publish ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The file is visible, or was before: this try made it so or an earlier one that is known of.
    Landed,
    /// Another file has the name, and this one is still staged. Nothing was changed.
    Conflict,
    /// Nothing is staged under the token any more and no file of it is visible: it was published before and then moved away, or what
    /// was staged is lost.
    Gone {
        /// The time since the last block was staged, by the store's clock.
        age: Duration,
        /// Whether on this store it cannot have been lost, short of the time after which the store drops what is staged.
        conclusive: bool,
    },
}

/// What an object was when it was read or written. Objects never have the same version twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub Arc<str>);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a conditional write ended, where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The object is what was written.
    Done(Version),
    /// The object was not what the condition says. Nothing was changed, and this write never will.
    Refused,
}

/// A call to a store failed, named by what the caller does. Messages say what was tried where, and Azure's error code.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Trying again may help: no connection, a timeout, an overload.
    #[error("{0}")]
    Retriable(String),
    /// It will not: refused credentials, a container that is not there, a path that is not allowed.
    #[error("{0}")]
    Fatal(String),
    /// Something else is staged or visible at the path of a file that was to be staged: it needs another name.
    #[error("{0}")]
    Taken(String),
}

/// A place for files and pointers. A failed call may have been applied, or be applied later, unless its answer says otherwise.
#[async_trait]
pub trait Storage: Send + Sync + Debug {
    /// The place as users name it, for messages: a URL without secrets.
    fn url(&self) -> String;

    /// What was asked of the store, by operation; nothing for a store whose calls cost nothing.
    fn calls(&self) -> Vec<Calls> {
        Vec::new()
    }

    /// How the store has answered, by operation and status; nothing for a store that is not asked by HTTP.
    fn answers(&self) -> Vec<Answers> {
        Vec::new()
    }

    /// Asks the store once, with as little as it takes to see that files can be put there.
    async fn check(&self) -> Result<(), StorageError>;

    /// Begins a file of `area` that will be visible at `path` once it is published.
    async fn stage(&self, path: &str, area: &Area) -> Result<Box<dyn Staged>, StorageError>;

    /// Makes a sealed file visible with `metadata`, whole, unless its name is taken.
    async fn publish(&self, file: &Sealed, metadata: &Metadata) -> Result<Published, StorageError>;

    /// Frees what owners of the partition before `area.epoch` have staged and left. None of it may be pending.
    async fn sweep(&self, area: &Area) -> Result<(), StorageError>;

    /// The visible file at `path`, if there is one.
    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError>;

    /// The bytes `range` of the visible file at `path`; fewer where it ends before.
    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError>;

    /// The visible files whose paths begin with `prefix`, in the order of their paths. Metadata may be left out.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError>;

    /// The small object at `path`, below [`HIDDEN`].
    async fn get(&self, path: &str) -> Result<Option<(Bytes, Version)>, StorageError>;

    /// Replaces the small object at `path`, below [`HIDDEN`], if it still has the version `expected`; None makes it, if there is none.
    /// Sent once: after an error it is not known whether it was or will be applied. Content never comes back to what it was before.
    async fn put(&self, path: &str, content: Bytes, expected: Option<&Version>) -> Result<Written, StorageError>;

    /// Removes the small object at `path`, below [`HIDDEN`], if it still has the version `expected`; false if it has another one.
    async fn remove(&self, path: &str, expected: &Version) -> Result<bool, StorageError>;

    /// The paths of the small objects whose paths begin with `prefix`, which is below [`HIDDEN`].
    async fn names(&self, prefix: &str) -> Result<Vec<String>, StorageError>;

    /// Finds out what the store does of what the commit protocol assumes, in a folder of its own below [`HIDDEN`].
    async fn examine(&self) -> Result<examine::Examination, StorageError> {
        Ok(examine::Examination::default())
    }
}

/// A file that is not visible yet. Dropped before it is sealed, it never will be.
#[async_trait]
pub trait Staged: Send + Debug {
    /// Adds `block` to its end. After a [`StorageError::Retriable`] the same block may be given again and is there once.
    ///
    /// # Errors
    /// [`StorageError::Taken`] only for the first block.
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError>;

    /// Ends it: from now on it survives the worker, and a publish needs nothing but what this gives. May be called again.
    async fn seal(&mut self) -> Result<Sealed, StorageError>;

    /// Frees what was staged, as far as the store needs to be told. Never touches a visible file, and never a file that another
    /// worker may be staging under the same name. Not for a file that may be pending.
    async fn discard(&mut self);
}

/// `path` if it stays below a store's root: relative, no empty name, no `.` or `..`, no control character, no backslash.
///
/// # Errors
/// Which part is wrong.
pub fn checked_path(path: &str) -> Result<&str, StorageError> {
    let bad = |why: &str| Err(StorageError::Fatal(format!("the path {path:?} cannot be used: {why}")));
    if path.len() > 1024 {
        return bad("it is longer than 1024 bytes");
    }
    for name in path.split('/') {
        match name {
            "" => return bad("a name in it is empty"),
            "." | ".." => return bad("it leaves its folder"),
            _ if name.chars().any(|c| c.is_control() || c == '\\') => return bad("it has a control character or a backslash"),
            _ => {}
        }
    }
    Ok(path)
}

/// `path` if it is one that readers may see: a [`checked_path`] outside of [`HIDDEN`].
///
/// # Errors
/// Which part is wrong.
pub fn visible_path(path: &str) -> Result<&str, StorageError> {
    if path.split('/').next() == Some(HIDDEN) {
        return Err(StorageError::Fatal(format!("the path {path:?} cannot be used: {HIDDEN} is where unfinished files are")));
    }
    checked_path(path)
}

/// `path` if it is one of a small object: a [`checked_path`] below [`HIDDEN`].
///
/// # Errors
/// Which part is wrong.
pub fn hidden_path(path: &str) -> Result<&str, StorageError> {
    match path.split_once('/') {
        Some((HIDDEN, _)) => checked_path(path),
        _ => Err(StorageError::Fatal(format!("the path {path:?} cannot be used: small objects are below {HIDDEN}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_root() {
        for good in ["a", "topics/t/partition=0/t+0+0000000000.parquet", "ä/ö"] {
            assert_eq!(checked_path(good).expect("good"), good);
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a\nb"] {
            assert!(checked_path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_and_small_objects_do_not_meet() {
        for (path, visible, hidden) in [
            ("topics/t/0/x.parquet", true, false),
            ("topics/_landfall/x", true, false),
            ("_landfalls/x", true, false),
            ("_landfall/v1/t/0.json", false, true),
            ("_landfall", false, false),
            ("_landfall/../x", false, false),
        ] {
            assert_eq!((visible_path(path).is_ok(), hidden_path(path).is_ok()), (visible, hidden), "{path}");
        }
    }
}
