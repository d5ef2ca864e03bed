//! Where files land: blocks are staged unseen, one publish makes them a visible file, and no file is ever overwritten.
//!
//! [`local`] is a directory, the Azure back-end lives in `landfall-adls`; [`conformance`] is what every back-end must do.

pub mod conformance;
pub mod local;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

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

/// How a publish ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The file is visible and it is this one, also if an earlier, unanswered try made it so.
    Created,
    /// Another file has the name. Nothing was changed.
    Exists,
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
}

/// A place for files.
#[async_trait]
pub trait Storage: Send + Sync + Debug {
    /// The place as users name it, for messages: a URL without secrets.
    fn url(&self) -> String;

    /// Asks the store once, with as little as it takes to see that files can be put there.
    async fn check(&self) -> Result<(), StorageError>;

    /// Begins a file that will be visible at `path` once it is published.
    async fn stage(&self, path: &str) -> Result<Box<dyn Staged>, StorageError>;

    /// The visible file at `path`, if there is one.
    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError>;

    /// The bytes `range` of the visible file at `path`; fewer where it ends before.
    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError>;

    /// The visible files whose paths begin with `prefix`, in the order of their paths. Metadata may be left out.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError>;
}

/// A file that is not visible yet. Dropped without a publish, it never will be.
#[async_trait]
pub trait Staged: Send + Debug {
    /// Adds `block` to its end. After a [`StorageError::Retriable`] the same block may be given again and is there once.
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError>;

    /// Makes it visible, whole, unless its name is taken. May be called again after an error and says the truth then too.
    async fn publish(&mut self, metadata: &Metadata) -> Result<Published, StorageError>;

    /// Frees what was staged, as far as the store needs to be told. Never touches a visible file, and never a file that another
    /// worker may be staging under the same name.
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
}
