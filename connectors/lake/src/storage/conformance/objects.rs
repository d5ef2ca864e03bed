//! Small objects: replaced by compare-and-set, so that of many who write one at once exactly one does.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::join_all;

use super::{area, paths};
use crate::storage::{Storage, StorageError, Version, Written};

const POINTER: &str = "_landfall/v1/topics/t/0.json";

pub(super) async fn all(a: &dyn Storage, b: &dyn Storage) {
    objects_are_replaced_as_they_were_read(a, b).await;
    one_of_many_writers_wins(a, b).await;
    large_objects(a, b).await;
    removal(a, b).await;
    names(a, b).await;
    bad_paths(a).await;
}

async fn done(storage: &dyn Storage, path: &str, content: &'static str, expected: Option<&Version>) -> Version {
    match storage.put(path, content.into(), expected).await.unwrap_or_else(|e| panic!("{path}: {e}")) {
        Written::Done(version) => version,
        Written::Refused => panic!("{path} is what was expected and can be written"),
    }
}

async fn refused(storage: &dyn Storage, path: &str, expected: Option<&Version>) {
    let (before, content) = (storage.get(path).await.expect("asked"), Bytes::from_static(b"must not be"));
    assert_eq!(storage.put(path, content, expected).await.expect("answered"), Written::Refused, "{path} is not {expected:?}");
    assert_eq!(storage.get(path).await.expect("asked"), before, "a put that is refused changes nothing");
}

async fn objects_are_replaced_as_they_were_read(a: &dyn Storage, b: &dyn Storage) {
    assert_eq!(a.get(POINTER).await.expect("asked"), None, "what is not there cannot be got");
    assert_eq!(a.get("_landfall/none").await.expect("asked"), None, "what is not there cannot be got");
    let stranger = done(a, "_landfall/v1/stranger.json", "{}", None).await;
    refused(a, POINTER, Some(&stranger)).await;
    let mut versions = vec![done(a, POINTER, "one", None).await];
    refused(b, POINTER, None).await;
    refused(a, POINTER, None).await;
    for content in ["two", "three", "", "a longer one than those before"] {
        let last = versions.last().expect("one");
        assert_eq!(b.get(POINTER).await.expect("asked").expect("there").1, *last, "what is read is what was written");
        let (writer, reader) = if content.len() % 2 == 0 { (b, a) } else { (a, b) };
        let next = done(writer, POINTER, content, Some(last)).await;
        assert_eq!(reader.get(POINTER).await.expect("asked").expect("there"), (Bytes::from(content), next.clone()));
        versions.push(next);
        for stale in &versions[..versions.len() - 1] {
            refused(reader, POINTER, Some(stale)).await;
        }
    }
    assert_eq!(versions.iter().map(|version| &version.0).collect::<BTreeSet<_>>().len(), versions.len(), "versions never recur");
    assert_eq!(paths(a, "").await.iter().filter(|path| path.starts_with("_landfall")).count(), 0, "no list has them");
}

async fn one_of_many_writers_wins(a: &dyn Storage, b: &dyn Storage) {
    let path = "_landfall/v1/race.json";
    let mut expected = None;
    for round in 0..8 {
        let puts = (0..8).map(async |writer| {
            let storage = if writer % 2 == 0 { a } else { b };
            let content = format!("{round}: {writer}");
            (content.clone(), storage.put(path, content.into(), expected.as_ref()).await.expect("answered"))
        });
        let winners: Vec<_> = join_all(puts).await.into_iter().filter(|(_, written)| *written != Written::Refused).collect();
        let [(content, Written::Done(version))] = &winners[..] else {
            panic!("one of those who write at once does: {winners:?}")
        };
        assert_eq!(b.get(path).await.expect("asked").expect("there"), (Bytes::from(content.clone()), version.clone()));
        expected = Some(version.clone());
    }
}

async fn large_objects(a: &dyn Storage, b: &dyn Storage) {
    let path = "_landfall/v1/large.json";
    let large: Bytes = (0..256 << 10).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let Written::Done(version) = a.put(path, large.clone(), None).await.expect("written") else { panic!("it is new") };
    let (content, found) = b.get(path).await.expect("asked").expect("there");
    assert!(content == large && found == version, "256 KiB come back as they were");
}

async fn removal(a: &dyn Storage, b: &dyn Storage) {
    let path = "_landfall/v1/removed.json";
    let first = done(a, path, "first", None).await;
    let second = done(a, path, "second", Some(&first)).await;
    assert!(!b.remove(path, &first).await.expect("answered"), "it is another by now");
    assert_eq!(b.get(path).await.expect("asked").expect("there").0, "second");
    assert!(b.remove(path, &second).await.expect("answered"), "it is what was expected");
    assert_eq!(a.get(path).await.expect("asked"), None);
    assert!(!a.remove(path, &second).await.expect("answered"), "it is gone");
    assert!(!a.remove("_landfall/v1/never/was.json", &second).await.expect("answered"), "it never was");
    refused(a, path, Some(&second)).await;
    done(b, path, "third", None).await;
}

async fn names(a: &dyn Storage, b: &dyn Storage) {
    let mut expected =
        ["_landfall/v1/n/t/0.json", "_landfall/v1/n/t/10.json", "_landfall/v1/n/t-1/0.json", "_landfall/v1/n/ä b/%20.json"];
    for path in expected {
        done(a, path, "{}", None).await;
    }
    expected.sort_unstable();
    assert_eq!(b.names("_landfall/v1/n/").await.expect("listed"), expected);
    assert_eq!(b.names("_landfall/v1/n/t/").await.expect("listed"), ["_landfall/v1/n/t/0.json", "_landfall/v1/n/t/10.json"]);
    assert_eq!(b.names("_landfall/v1/n/t/1").await.expect("listed"), ["_landfall/v1/n/t/10.json"]);
    assert_eq!(b.names("_landfall/v1/none/").await.expect("listed"), [""; 0]);
}

async fn bad_paths(storage: &dyn Storage) {
    let version = Version("x".into());
    for path in ["", "_landfall", "topics/t/0.json", "_landfall/../a", "_landfall//a", "_landfall/a\\b"] {
        assert!(matches!(storage.get(path).await, Err(StorageError::Fatal(_))), "{path:?} is refused");
        assert!(storage.put(path, "x".into(), None).await.is_err(), "{path:?} is refused");
        assert!(storage.remove(path, &version).await.is_err(), "{path:?} is refused");
    }
    assert!(storage.names("topics/").await.is_err(), "visible files are not small objects");
    assert!(
        storage.stage("a", &super::Area { partition: "../x".into(), ..area(1) }).await.is_err(),
        "an area stays below the root"
    );
}
