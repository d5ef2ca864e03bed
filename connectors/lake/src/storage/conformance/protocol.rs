//! What exactly-once rests on: a sealed file is published by anybody, once, and over nothing.

use std::time::{Duration, SystemTime};

use futures::future::join_all;

use super::{Others, area, block, content, paths, publish, sealed, stage};
use crate::storage::{Metadata, Published, Sealed, Storage, StorageError};

pub(super) async fn all(a: &dyn Storage, b: &dyn Storage, others: &dyn Others) {
    staged_files_are_nowhere(a, b, others).await;
    sealed_files_outlive_their_worker(a, b).await;
    publishing_again_says_the_same(a, b).await;
    files_become_visible_once(a, b, others).await;
    foreign_files_are_left_alone(a, b, others).await;
    the_first_of_two_wins(a, b).await;
    one_of_many_wins(a, b).await;
    taken_names_are_told(a, b, others).await;
    sweeping_frees_what_is_older(a, b).await;
}

async fn staged_files_are_nowhere(a: &dyn Storage, b: &dyn Storage, others: &dyn Others) {
    let (before, path) = (others.walk(), "nowhere/x/a.parquet");
    let mut staged = stage(a, path).await;
    block(&mut *staged, b"x").await;
    assert_eq!(others.walk(), before, "other programs do not see a staged file");
    staged.seal().await.expect("sealed");
    drop(staged);
    assert_eq!(others.walk(), before, "nor one that is sealed");
    assert_eq!((b.head(path).await.expect("asked"), paths(b, "nowhere").await), (None, Vec::new()));
}

async fn sealed_files_outlive_their_worker(a: &dyn Storage, b: &dyn Storage) {
    let file = sealed(a, "sealed/a.parquet", &[b"all ", b"of ", b"it"]).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_millis() as i64;
    assert!((now - file.staged_at).abs() < 60_000, "staged at {} by the store's clock, which is {now}", file.staged_at);
    let text = serde_json::to_string(&file).expect("JSON");
    let read: Sealed = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read, file);
    assert_eq!(publish(b, &read).await, Published::Landed, "another worker publishes it, from what the pointer says of it");
    assert_eq!(content(a, &file.path).await, b"all of it");
}

async fn publishing_again_says_the_same(a: &dyn Storage, b: &dyn Storage) {
    let file = sealed(a, "again/a.parquet", &[b"x"]).await;
    for n in 0..3 {
        for storage in [a, b] {
            assert_eq!(publish(storage, &file).await, Published::Landed, "try {n}");
        }
    }
    for round in 0..3 {
        let file = sealed(a, &format!("again/{round}.parquet"), &[b"many ", b"at once"]).await;
        let tries = (0..8).map(|n| publish(if n % 2 == 0 { a } else { b }, &file));
        assert_eq!(join_all(tries).await, [Published::Landed; 8], "also when many publish at once");
        assert_eq!(content(b, &file.path).await, b"many at once");
    }
}

async fn files_become_visible_once(a: &dyn Storage, b: &dyn Storage, others: &dyn Others) {
    let file = sealed(a, "once/a.parquet", &[b"one", b"two"]).await;
    assert_eq!(publish(a, &file).await, Published::Landed);
    others.delete(&file.path);
    for storage in [a, b, a] {
        let Published::Gone { age, .. } = publish(storage, &file).await else { panic!("what was removed is gone") };
        assert!(age < Duration::from_secs(60), "it was staged just now, not {} seconds ago", age.as_secs());
        assert_eq!(a.head(&file.path).await.expect("asked"), None, "and does not come back");
    }
    assert_eq!(paths(a, "once/").await, [""; 0]);
    // Its name is free for another file, which is not taken for it.
    let next = sealed(b, &file.path, &[b"three"]).await;
    assert_eq!(publish(a, &next).await, Published::Landed);
    assert!(matches!(publish(b, &file).await, Published::Gone { .. }), "another file of that name is not it");
    assert_eq!(content(b, &file.path).await, b"three");
}

async fn foreign_files_are_left_alone(a: &dyn Storage, b: &dyn Storage, others: &dyn Others) {
    let path = "foreign/a.parquet";
    others.write("foreign/b.parquet", b"theirs too");
    let file = sealed(a, path, &[b"ours"]).await;
    // On Azure a whole new blob of that name would take away what is staged; here only its name is taken.
    let theirs = sealed(b, path, &[b"theirs"]).await;
    assert_eq!(publish(b, &theirs).await, Published::Landed);
    for storage in [a, b] {
        let ended = publish(storage, &file).await;
        assert!(matches!(ended, Published::Conflict | Published::Gone { .. }), "a name is given once: {ended:?}");
    }
    assert_eq!(content(a, path).await, b"theirs", "and nothing is changed by it");
    assert_eq!(content(a, "foreign/b.parquet").await, b"theirs too", "files of others can be read");
    assert_eq!(a.head("foreign/b.parquet").await.expect("asked").expect("visible").metadata, Metadata::new());
}

async fn the_first_of_two_wins(a: &dyn Storage, b: &dyn Storage) {
    for (round, second_is_published_first) in [(0, false), (1, true)] {
        let path = format!("two/{round}.parquet");
        let (one, two) = (sealed(a, &path, &[b"1", b"1", b"1"]).await, sealed(b, &path, &[b"2", b"2"]).await);
        assert_ne!(one.token, two.token);
        let (first, last, expected) =
            if second_is_published_first { (&two, &one, &b"22"[..]) } else { (&one, &two, &b"111"[..]) };
        assert_eq!(publish(a, first).await, Published::Landed);
        for storage in [a, b] {
            let ended = publish(storage, last).await;
            assert!(matches!(ended, Published::Conflict | Published::Gone { .. }), "the name is taken: {ended:?}");
            assert_eq!(publish(storage, first).await, Published::Landed, "who won stays so");
            assert_eq!(content(storage, &path).await, expected, "whole and unmixed");
        }
    }
}

async fn one_of_many_wins(a: &dyn Storage, b: &dyn Storage) {
    for round in 0..5 {
        let path = format!("race/{round}.parquet");
        let mut racers = Vec::new();
        for racer in 0..8_u8 {
            racers.push((racer, sealed(a, &path, &[&[racer], &[racer]]).await));
        }
        let race = racers.iter().map(async |(racer, file)| (*racer, publish(if racer % 2 == 0 { a } else { b }, file).await));
        let winners: Vec<u8> =
            join_all(race).await.into_iter().filter(|(_, ended)| *ended == Published::Landed).map(|(racer, _)| racer).collect();
        assert_eq!(winners.len(), 1, "one of those who publish at once wins, not {winners:?}");
        assert_eq!(content(a, &path).await, [winners[0]; 2], "and its file is the one that is visible");
    }
}

async fn taken_names_are_told(a: &dyn Storage, b: &dyn Storage, others: &dyn Others) {
    others.write("taken/theirs.parquet", b"theirs");
    publish(a, &sealed(a, "taken/ours.parquet", &[b"ours"]).await).await;
    for path in ["taken/theirs.parquet", "taken/ours.parquet"] {
        assert!(matches!(b.stage(path, &area(1)).await, Err(StorageError::Taken(_))), "{path} is there");
    }
}

async fn sweeping_frees_what_is_older(a: &dyn Storage, b: &dyn Storage) {
    let mut files = Vec::new();
    for (partition, epoch) in
        [("topics/s/0", 3), ("topics/s/0", 4), ("topics/s/0", 5), ("topics/s/1", 3), ("topics/s/0/deeper", 3)]
    {
        let area = super::Area { partition: partition.into(), epoch };
        let mut staged = a.stage(&format!("swept/{}.parquet", files.len()), &area).await.expect("staged");
        block(&mut *staged, b"x").await;
        files.push((staged.seal().await.expect("sealed"), partition == "topics/s/0" && epoch < 5));
    }
    for _ in 0..2 {
        b.sweep(&super::Area { partition: "topics/s/0".into(), epoch: 5 }).await.expect("swept");
    }
    for (file, is_older) in files {
        match publish(a, &file).await {
            Published::Landed => assert_eq!(content(b, &file.path).await, b"x"),
            Published::Gone { .. } if is_older => assert_eq!(b.head(&file.path).await.expect("asked"), None),
            ended => panic!("{}: {ended:?}", file.path),
        }
    }
    b.sweep(&super::Area { partition: "topics/never".into(), epoch: 5 }).await.expect("nothing to do");
}
