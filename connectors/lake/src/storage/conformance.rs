//! What every back-end must do: one suite, run over each of them.

mod files;
mod objects;
mod protocol;

use bytes::Bytes;

use super::{Area, Metadata, Published, Sealed, Staged, Storage};

/// What other programs do to the files of a store. They may block.
pub trait Others: Sync {
    /// Writes a file at `path`, which Landfall did not.
    fn write(&self, path: &str, content: &'static [u8]);

    /// Deletes the visible file at `path`.
    fn delete(&self, path: &str);

    /// All that can be seen, except what is in folders whose names begin with `_`, which readers skip.
    fn walk(&self) -> Vec<String>;
}

/// Checks all that a [`Storage`] promises over an empty store, which `a` and `b` both are, as two workers have it.
///
/// # Panics
/// With the promise that is not kept.
pub async fn suite(a: &dyn Storage, b: &dyn Storage, others: &dyn Others) {
    a.check().await.expect("the store can be used");
    assert_eq!(others.walk(), [""; 0], "a check leaves nothing visible");
    assert_eq!(paths(a, "").await, [""; 0], "a check leaves nothing visible");
    files::all(a).await;
    protocol::all(a, b, others).await;
    objects::all(a, b).await;
    let mut walked = others.walk();
    walked.sort_unstable();
    let listed: Vec<_> = paths(b, "").await.into_iter().filter(|path| !path.contains("/_")).collect();
    assert_eq!(listed, walked, "a list has what other programs see");
}

/// The owner of a partition whose epoch is `epoch`.
fn area(epoch: u64) -> Area {
    Area { partition: "topics/t/0".into(), epoch }
}

async fn stage(storage: &dyn Storage, path: &str) -> Box<dyn Staged> {
    storage.stage(path, &area(1)).await.unwrap_or_else(|e| panic!("{path}: {e}"))
}

async fn staged(storage: &dyn Storage, path: &str, blocks: &[&[u8]]) -> Box<dyn Staged> {
    let mut staged = stage(storage, path).await;
    for bytes in blocks {
        block(&mut *staged, bytes).await;
    }
    staged
}

async fn block(staged: &mut dyn Staged, bytes: &[u8]) {
    staged.block(Bytes::copy_from_slice(bytes)).await.expect("a block is taken");
}

async fn sealed(storage: &dyn Storage, path: &str, blocks: &[&[u8]]) -> Sealed {
    staged(storage, path, blocks).await.seal().await.unwrap_or_else(|e| panic!("{path}: {e}"))
}

async fn publish(storage: &dyn Storage, file: &Sealed) -> Published {
    storage.publish(file, &Metadata::new()).await.unwrap_or_else(|e| panic!("{}: {e}", file.path))
}

/// Publishes a new file.
async fn land(storage: &dyn Storage, path: &str, blocks: &[&[u8]]) {
    let file = sealed(storage, path, blocks).await;
    assert_eq!(publish(storage, &file).await, Published::Landed, "{path}");
}

async fn content(storage: &dyn Storage, path: &str) -> Vec<u8> {
    storage.read(path, 0..u64::MAX).await.unwrap_or_else(|e| panic!("{path}: {e}")).to_vec()
}

async fn paths(storage: &dyn Storage, prefix: &str) -> Vec<String> {
    storage.list(prefix).await.expect("listed").into_iter().map(|object| object.path).collect()
}
