//! Files: their content, their metadata, their paths.

use super::{area, block, content, land, paths, publish, sealed, stage, staged};
use crate::storage::{Metadata, Published, Storage, StorageError};

/// Names that are allowed and that a URL or a shell would trip over.
const UNUSUAL: &[&str] = &[
    "unusual/with space/a b.parquet",
    "unusual/percent/100%/%20.parquet",
    "unusual/plus/t+0+0000000000.parquet",
    "unusual/day=2024-01-01/hour=07/x.parquet",
    "unusual/ünïcödé/日本/é.parquet",
    "unusual/marks/a?b&c#d:e;f,g@h$i!j~k(l)[m]{n}'o\"p^q`r|s<t>u*v.parquet",
    "unusual/dots/...parquet",
    "unusual/_landfall/x.parquet",
];

pub(super) async fn all(storage: &dyn Storage) {
    unseen_until_published(storage).await;
    metadata_comes_back(storage).await;
    ranges(storage).await;
    blocks_keep_their_order(storage).await;
    empty_files(storage).await;
    stages_do_not_meet(storage).await;
    dropped_files_leave_nothing(storage).await;
    unusual_paths(storage).await;
    listing(storage).await;
    bad_paths(storage).await;
}

async fn unseen_until_published(storage: &dyn Storage) {
    let path = "unseen/a.parquet";
    assert_eq!(storage.head(path).await.expect("asked"), None, "what is not there has no head");
    let mut file = stage(storage, path).await;
    block(&mut *file, b"one").await;
    assert_eq!(storage.head(path).await.expect("asked"), None, "a staged file has no head");
    assert_eq!(paths(storage, "unseen/").await, [""; 0], "a staged file is not listed");
    assert!(storage.read(path, 0..3).await.is_err(), "a staged file cannot be read");
    block(&mut *file, b"two").await;
    let whole = file.seal().await.expect("sealed");
    assert_eq!((whole.path.as_str(), whole.size), (path, 6));
    assert_eq!(file.seal().await.expect("sealed"), whole, "sealing again says the same");
    assert!(file.block("more".into()).await.is_err(), "a sealed file takes no more");
    assert_eq!(storage.head(path).await.expect("asked"), None, "a sealed file has no head");
    assert_eq!(publish(storage, &whole).await, Published::Landed);
    assert_eq!(storage.head(path).await.expect("asked").expect("visible").size, 6);
    assert_eq!(content(storage, path).await, b"onetwo");
    file.discard().await;
    drop(file);
    assert_eq!(content(storage, path).await, b"onetwo", "discarding what is published leaves it");
}

async fn metadata_comes_back(storage: &dyn Storage) {
    let path = "metadata/a.parquet";
    let given = Metadata::from([
        ("landfall_offsets".to_owned(), "0-41".to_owned()),
        ("landfall_schema".to_owned(), "a=b; c+d/e==".to_owned()),
    ]);
    let file = sealed(storage, path, &[b"x"]).await;
    assert_eq!(storage.publish(&file, &given).await.expect("published"), Published::Landed);
    let kept = storage.head(path).await.expect("asked").expect("visible").metadata;
    assert_eq!(kept, given, "metadata comes back as it was given");
    assert_eq!(storage.publish(&file, &Metadata::new()).await.expect("published"), Published::Landed);
    assert_eq!(storage.head(path).await.expect("asked").expect("visible").metadata, given, "and stays as it was first given");
    for object in storage.list("metadata/").await.expect("listed") {
        assert!(object.metadata.is_empty() || object.metadata == given, "a list leaves it out, or says the same");
    }
}

async fn ranges(storage: &dyn Storage) {
    let path = "ranges/a.parquet";
    land(storage, path, &[b"0123456789"]).await;
    for (range, expected) in
        [(0..10, "0123456789"), (0..1, "0"), (3..7, "3456"), (9..10, "9"), (8..100, "89"), (10..20, ""), (50..60, ""), (4..4, "")]
    {
        let bytes = storage.read(path, range.clone()).await.unwrap_or_else(|e| panic!("{range:?}: {e}"));
        assert_eq!(bytes, expected, "{range:?}");
    }
    assert!(storage.read("ranges/none.parquet", 0..1).await.is_err(), "what is not there cannot be read");
}

async fn blocks_keep_their_order(storage: &dyn Storage) {
    let path = "blocks/a.parquet";
    let mut file = stage(storage, path).await;
    let mut expected = Vec::new();
    for n in 0..120_u32 {
        let bytes: Vec<u8> = n.to_le_bytes().repeat(if n % 40 == 7 { 300_000 } else { 11 + n as usize });
        expected.extend_from_slice(&bytes);
        file.block(bytes.into()).await.expect("staged");
    }
    let whole = file.seal().await.expect("sealed");
    assert_eq!(whole.size, expected.len() as u64);
    assert_eq!(publish(storage, &whole).await, Published::Landed);
    assert!(content(storage, path).await == expected, "blocks are in the order in which they were given");
}

async fn empty_files(storage: &dyn Storage) {
    let path = "empty/a.parquet";
    let (file, other) = (sealed(storage, path, &[]).await, sealed(storage, path, &[b""]).await);
    assert_eq!(publish(storage, &file).await, Published::Landed);
    assert_eq!(publish(storage, &file).await, Published::Landed);
    assert_eq!(storage.head(path).await.expect("asked").expect("visible").size, 0);
    assert_eq!(content(storage, path).await, b"");
    assert_eq!(publish(storage, &other).await, Published::Conflict, "an empty file has its name too");
}

async fn stages_do_not_meet(storage: &dyn Storage) {
    let path = "meet/a.parquet";
    let (mut a, mut b) = (stage(storage, path).await, stage(storage, path).await);
    for _ in 0..3 {
        block(&mut *a, b"a").await;
        block(&mut *b, b"b").await;
    }
    b.discard().await;
    drop(b);
    block(&mut *a, b"A").await;
    let whole = a.seal().await.expect("sealed");
    assert_eq!(publish(storage, &whole).await, Published::Landed);
    assert_eq!(content(storage, path).await, b"aaaA");
}

async fn dropped_files_leave_nothing(storage: &dyn Storage) {
    drop(staged(storage, "dropped/a.parquet", &[b"x"]).await);
    staged(storage, "dropped/b.parquet", &[b"x"]).await.discard().await;
    assert_eq!(paths(storage, "dropped").await, [""; 0]);
    assert_eq!(storage.head("dropped/a.parquet").await.expect("asked"), None);
    land(storage, "dropped/a.parquet", &[b"again"]).await;
    assert_eq!(content(storage, "dropped/a.parquet").await, b"again");
}

async fn unusual_paths(storage: &dyn Storage) {
    for path in UNUSUAL {
        land(storage, path, &[path.as_bytes()]).await;
    }
    for path in UNUSUAL {
        assert_eq!(storage.head(path).await.expect("asked").expect("visible").path, *path);
        assert_eq!(content(storage, path).await, path.as_bytes(), "{path}");
        assert_eq!(paths(storage, path).await, [*path], "its own path is a prefix of it");
    }
    let mut expected = UNUSUAL.to_vec();
    expected.sort_unstable();
    assert_eq!(paths(storage, "unusual/").await, expected);
}

async fn listing(storage: &dyn Storage) {
    // `-` and `.` sort before `/`: the order is that of whole paths, not of folders.
    let mut expected = ["list/a/1", "list/a-b", "list/a.b", "list/a/2/x", "list/b", "list/aa/1", "list/B"];
    for path in expected {
        land(storage, path, &[path.as_bytes()]).await;
    }
    expected.sort_unstable();
    assert_eq!(paths(storage, "list/").await, expected);
    assert_eq!(paths(storage, "list/a").await, ["list/a-b", "list/a.b", "list/a/1", "list/a/2/x", "list/aa/1"]);
    assert_eq!(paths(storage, "list/a/").await, ["list/a/1", "list/a/2/x"]);
    assert_eq!(paths(storage, "nothing/there").await, [""; 0]);
    for object in storage.list("list/").await.expect("listed") {
        assert_eq!(object.size, object.path.len() as u64);
    }
}

async fn bad_paths(storage: &dyn Storage) {
    for path in ["", "/a", "a//b", "../a", "a/../../b", "a/.", "a\\b", "a\nb", "_landfall/a"] {
        assert!(matches!(storage.stage(path, &area(1)).await, Err(StorageError::Fatal(_))), "{path:?} is refused");
        assert!(storage.head(path).await.is_err(), "{path:?} is refused");
        assert!(storage.read(path, 0..1).await.is_err(), "{path:?} is refused");
    }
}
