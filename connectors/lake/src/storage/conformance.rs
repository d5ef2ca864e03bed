//! What every back-end must do: one suite, run over each of them.

use bytes::Bytes;
use futures::future::join_all;

use super::{Metadata, Published, Staged, Storage, StorageError};

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

/// Checks all that a [`Storage`] promises over an empty store.
///
/// # Panics
/// With the promise that is not kept.
pub async fn suite(storage: &dyn Storage) {
    storage.check().await.expect("the store can be used");
    assert_eq!(paths(storage, "").await, [""; 0], "a check leaves nothing visible");
    unseen_until_published(storage).await;
    never_overwritten(storage).await;
    published_once_among_many(storage).await;
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
    let mut staged = storage.stage(path).await.expect("staged");
    block(&mut *staged, b"one").await;
    assert_eq!(storage.head(path).await.expect("asked"), None, "a staged file has no head");
    assert_eq!(paths(storage, "unseen/").await, [""; 0], "a staged file is not listed");
    assert!(storage.read(path, 0..3).await.is_err(), "a staged file cannot be read");
    block(&mut *staged, b"two").await;
    assert_eq!(publish(&mut *staged).await, Published::Created);
    assert_eq!(storage.head(path).await.expect("asked").expect("visible").size, 6);
    assert_eq!(content(storage, path).await, b"onetwo");
    assert_eq!(publish(&mut *staged).await, Published::Created, "publishing again says the same");
    staged.discard().await;
    drop(staged);
    assert_eq!(content(storage, path).await, b"onetwo", "discarding what is published leaves it");
}

async fn never_overwritten(storage: &dyn Storage) {
    let path = "taken/a.parquet";
    let mut first = staged(storage, path, &[b"first"]).await;
    let mut second = staged(storage, path, &[b"se", b"cond"]).await;
    assert_eq!(publish(&mut *first).await, Published::Created);
    assert_eq!(publish(&mut *second).await, Published::Exists, "a name is given once");
    assert_eq!(publish(&mut *second).await, Published::Exists, "and asking again does not change that");
    assert_eq!(publish(&mut *first).await, Published::Created, "who won stays so");
    second.discard().await;
    let mut third = staged(storage, path, &[b"third"]).await;
    assert_eq!(publish(&mut *third).await, Published::Exists, "also for a file staged when the name was taken");
    assert_eq!(content(storage, path).await, b"first");
}

async fn published_once_among_many(storage: &dyn Storage) {
    for round in 0..5 {
        let path = format!("race/{round}.parquet");
        let mut racers = Vec::new();
        for racer in 0..8_u8 {
            racers.push((racer, staged(storage, &path, &[&[racer]]).await));
        }
        let race = racers.iter_mut().map(|(racer, staged)| async move { (*racer, publish(&mut **staged).await) });
        let winners: Vec<u8> =
            join_all(race).await.into_iter().filter(|(_, ended)| *ended == Published::Created).map(|(racer, _)| racer).collect();
        assert_eq!(winners.len(), 1, "one of those who publish at once wins, not {winners:?}");
        assert_eq!(content(storage, &path).await, winners, "and its file is the one that is visible");
    }
}

async fn metadata_comes_back(storage: &dyn Storage) {
    let path = "metadata/a.parquet";
    let given = Metadata::from([
        ("landfall_offsets".to_owned(), "0-41".to_owned()),
        ("landfall_schema".to_owned(), "a=b; c+d/e==".to_owned()),
    ]);
    let mut file = staged(storage, path, &[b"x"]).await;
    assert_eq!(file.publish(&given).await.expect("published"), Published::Created);
    let kept = storage.head(path).await.expect("asked").expect("visible").metadata;
    assert_eq!(kept, given, "metadata comes back as it was given");
    let mut other = staged(storage, path, &[b"y"]).await;
    let mine = Metadata::from([("landfall_offsets".to_owned(), "7-7".to_owned())]);
    assert_eq!(other.publish(&mine).await.expect("answered"), Published::Exists);
    assert_eq!(storage.head(path).await.expect("asked").expect("visible").metadata, given, "also where another tried");
    for object in storage.list("metadata/").await.expect("listed") {
        assert!(object.metadata.is_empty() || object.metadata == given, "a list leaves it out, or says the same");
    }
}

async fn ranges(storage: &dyn Storage) {
    let path = "ranges/a.parquet";
    publish(&mut *staged(storage, path, &[b"0123456789"]).await).await;
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
    let mut file = storage.stage(path).await.expect("staged");
    let mut expected = Vec::new();
    for n in 0..120_u32 {
        let bytes: Vec<u8> = n.to_le_bytes().repeat(if n % 40 == 7 { 300_000 } else { 11 + n as usize });
        expected.extend_from_slice(&bytes);
        file.block(bytes.into()).await.expect("staged");
    }
    assert_eq!(publish(&mut *file).await, Published::Created);
    assert!(content(storage, path).await == expected, "blocks are in the order in which they were given");
}

async fn empty_files(storage: &dyn Storage) {
    let path = "empty/a.parquet";
    let mut file = staged(storage, path, &[]).await;
    assert_eq!(publish(&mut *file).await, Published::Created);
    assert_eq!(publish(&mut *file).await, Published::Created);
    assert_eq!(storage.head(path).await.expect("asked").expect("visible").size, 0);
    assert_eq!(content(storage, path).await, b"");
    let mut other = staged(storage, path, &[]).await;
    assert_eq!(publish(&mut *other).await, Published::Exists, "an empty file has its name too");
}

async fn stages_do_not_meet(storage: &dyn Storage) {
    let path = "meet/a.parquet";
    let (mut a, mut b) = (storage.stage(path).await.expect("staged"), storage.stage(path).await.expect("staged"));
    for _ in 0..3 {
        block(&mut *a, b"a").await;
        block(&mut *b, b"b").await;
    }
    b.discard().await;
    drop(b);
    block(&mut *a, b"A").await;
    assert_eq!(publish(&mut *a).await, Published::Created);
    assert_eq!(content(storage, path).await, b"aaaA");
}

async fn dropped_files_leave_nothing(storage: &dyn Storage) {
    drop(staged(storage, "dropped/a.parquet", &[b"x"]).await);
    staged(storage, "dropped/b.parquet", &[b"x"]).await.discard().await;
    assert_eq!(paths(storage, "dropped").await, [""; 0]);
    assert_eq!(storage.head("dropped/a.parquet").await.expect("asked"), None);
    let mut again = staged(storage, "dropped/a.parquet", &[b"again"]).await;
    assert_eq!(publish(&mut *again).await, Published::Created, "its name is free");
    assert_eq!(content(storage, "dropped/a.parquet").await, b"again");
}

async fn unusual_paths(storage: &dyn Storage) {
    for path in UNUSUAL {
        let mut file = staged(storage, path, &[path.as_bytes()]).await;
        assert_eq!(publish(&mut *file).await, Published::Created, "{path}");
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
        publish(&mut *staged(storage, path, &[path.as_bytes()]).await).await;
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
    for path in ["", "/a", "a//b", "../a", "a/../../b", "a/.", "a\\b", "a\nb"] {
        assert!(matches!(storage.stage(path).await, Err(StorageError::Fatal(_))), "{path:?} is refused");
        assert!(storage.head(path).await.is_err(), "{path:?} is refused");
        assert!(storage.read(path, 0..1).await.is_err(), "{path:?} is refused");
    }
}

async fn staged(storage: &dyn Storage, path: &str, blocks: &[&[u8]]) -> Box<dyn Staged> {
    let mut staged = storage.stage(path).await.unwrap_or_else(|e| panic!("{path}: {e}"));
    for bytes in blocks {
        block(&mut *staged, bytes).await;
    }
    staged
}

async fn block(staged: &mut dyn Staged, bytes: &[u8]) {
    staged.block(Bytes::copy_from_slice(bytes)).await.expect("a block is taken");
}

async fn publish(staged: &mut dyn Staged) -> Published {
    staged.publish(&Metadata::new()).await.expect("publishing ends")
}

async fn content(storage: &dyn Storage, path: &str) -> Vec<u8> {
    storage.read(path, 0..u64::MAX).await.unwrap_or_else(|e| panic!("{path}: {e}")).to_vec()
}

async fn paths(storage: &dyn Storage, prefix: &str) -> Vec<String> {
    storage.list(prefix).await.expect("listed").into_iter().map(|object| object.path).collect()
}
