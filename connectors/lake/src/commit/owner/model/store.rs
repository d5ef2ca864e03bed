//! A store in which what the model's owners stage, publish and replace by compare-and-set is kept.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::super::super::pointer::Pointer;
use crate::storage::{Published, Sealed, Version};

/// The version that the pointer has now. All that matters of versions is which one that is: an old one never comes back.
pub(super) static CURRENT: LazyLock<Version> = LazyLock::new(|| Version(Arc::from("current")));
/// Any other version.
pub(super) static STALE: LazyLock<Version> = LazyLock::new(|| Version(Arc::from("stale")));

/// How a store keeps what is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// As blocks of the later file: publishing one discards what else is staged under the name.
    Blocks,
    /// As a file elsewhere, which is renamed.
    Rename,
}

/// A file that is staged or visible.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) token: String,
    pub(super) incarnation: u32,
    /// A bit an offset.
    pub(super) offsets: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) pointer: Option<Pointer>,
    pub(super) staged: Vec<File>,
    pub(super) visible: Vec<File>,
}

impl Store {
    /// Whether a write that expects `version` would be done.
    pub(super) fn expects(&self, version: Option<&Version>) -> bool {
        match version {
            Some(version) => *version == *CURRENT,
            None => self.pointer.is_none(),
        }
    }

    pub(super) fn stage(&mut self, file: File) {
        self.staged.push(file);
        self.staged.sort();
    }

    /// Publishes `sealed` and says how that ended; gives the file too if this made it visible.
    pub(super) fn publish(&mut self, kind: Kind, sealed: &Sealed) -> (Published, Option<File>) {
        let own = self.staged.iter().position(|file| file.token == sealed.token);
        if let Some(visible) = self.visible.iter().find(|file| file.path == sealed.path) {
            let published = match own {
                _ if visible.token == sealed.token => Published::Landed,
                Some(_) => Published::Conflict,
                None => Published::Gone { age: Duration::ZERO, conclusive: true },
            };
            return (published, None);
        }
        let Some(own) = own else { return (Published::Gone { age: Duration::ZERO, conclusive: true }, None) };
        let file = self.staged.remove(own);
        if kind == Kind::Blocks {
            self.staged.retain(|other| other.path != file.path);
        }
        self.visible.push(file.clone());
        self.visible.sort();
        (Published::Landed, Some(file))
    }
}
