//! A store that asks before and after each of its calls whether it is to fail.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::storage::{Area, Metadata, Object, Published, Sealed, Staged, Version, Written};

/// A directory whose calls ask a function before and after they are done: `publish <path>`, and `published <path>`, where an error
/// means that the answer is lost.
#[derive(Clone)]
pub(super) struct Asking {
    storage: LocalStorage,
    ask: Arc<Ask>,
}

type Ask = dyn Fn(&str) -> Result<(), StorageError> + Send + Sync;

impl Asking {
    pub(super) fn new(bench: &Bench, ask: impl Fn(&str) -> Result<(), StorageError> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { storage: bench.store(), ask: Arc::new(ask) })
    }
}

/// An answer that another try may change.
pub(super) fn away() -> Result<(), StorageError> {
    Err(StorageError::Retriable("the server is away".into()))
}

/// Bits that look random, of the number of a call or a turn.
pub(super) fn mixed(number: u64) -> u64 {
    let x = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Calls in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    pub(super) fn add(&self, call: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call.to_owned());
    }

    /// Those that begin with `prefix`.
    pub(super) fn of(&self, prefix: &str) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|call| call.starts_with(prefix)).cloned().collect()
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct AskingStaged(Box<dyn Staged>, String, Asking);

#[async_trait]
impl Storage for Asking {
    fn url(&self) -> String {
        self.storage.url()
    }
    async fn check(&self) -> Result<(), StorageError> {
        (self.ask)("check")?;
        self.storage.check().await
    }
    async fn stage(&self, path: &str, area: &Area) -> Result<Box<dyn Staged>, StorageError> {
        (self.ask)(&format!("stage {path}"))?;
        Ok(Box::new(AskingStaged(self.storage.stage(path, area).await?, path.into(), self.clone())))
    }
    async fn publish(&self, file: &Sealed, metadata: &Metadata) -> Result<Published, StorageError> {
        (self.ask)(&format!("publish {}", file.path))?;
        let published = self.storage.publish(file, metadata).await?;
        (self.ask)(&format!("published {}", file.path))?;
        Ok(published)
    }
    async fn sweep(&self, area: &Area) -> Result<(), StorageError> {
        (self.ask)(&format!("sweep {}", area.partition))?;
        self.storage.sweep(area).await
    }
    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError> {
        self.storage.head(path).await
    }
    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        (self.ask)(&format!("read {path}"))?;
        self.storage.read(path, range).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError> {
        self.storage.list(prefix).await
    }
    async fn get(&self, path: &str) -> Result<Option<(Bytes, Version)>, StorageError> {
        (self.ask)(&format!("get {path}"))?;
        self.storage.get(path).await
    }
    async fn put(&self, path: &str, content: Bytes, expected: Option<&Version>) -> Result<Written, StorageError> {
        (self.ask)(&format!("put {path}"))?;
        let written = self.storage.put(path, content, expected).await?;
        (self.ask)(&format!("was put {path}"))?;
        Ok(written)
    }
    async fn remove(&self, path: &str, expected: &Version) -> Result<bool, StorageError> {
        self.storage.remove(path, expected).await
    }
    async fn names(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.storage.names(prefix).await
    }
}

#[async_trait]
impl Staged for AskingStaged {
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError> {
        (self.2.ask)(&format!("block {}", self.1))?;
        self.0.block(block).await
    }
    async fn seal(&mut self) -> Result<Sealed, StorageError> {
        (self.2.ask)(&format!("seal {}", self.1))?;
        self.0.seal().await
    }
    async fn discard(&mut self) {
        self.0.discard().await;
    }
}
