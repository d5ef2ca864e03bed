use landfall_api::{Committed, TopicId};
use landfall_lake::commit::offsets::Offsets;
use landfall_lake::commit::pointer::{Pending, Writer};
use landfall_lake::storage::{Sealed, Version};

use super::*;

fn partition() -> Partition {
    Partition { topic: "t".into(), number: 0 }
}

fn me() -> Identity {
    Identity { connector: "c".into(), group: "connect-c".into(), kafka_cluster_id: "k".into() }
}

/// A file of this name in a folder, with the records from `first` to `last`.
fn file(path: &str, first: i64, last: i64) -> File {
    with_rows(path, first, last, last.abs_diff(first) + 1)
}

fn with_rows(path: &str, first: i64, last: i64, rows: u64) -> File {
    let incarnation = u32::from(path.contains(".r1"));
    File { path: path.into(), holds: Some(Holds { partition: partition(), topic: None, incarnation, first, last, rows }) }
}

/// A pointer up to `low`, with the files of its last commit.
fn pointer(low: i64, published: bool, pending: &[(&str, i64, i64)]) -> Pointer {
    let pending = pending.iter().map(|(path, first, last)| Pending {
        file: Sealed { path: (*path).into(), token: "x".into(), size: 9, staged_at: 0 },
        first: *first,
        last: *last,
        rows: last.abs_diff(*first) + 1,
    });
    Pointer {
        identity: me(),
        topic_id: TopicId::new(7),
        incarnation: 0,
        epoch: 1,
        seq: 1,
        owner: Writer::default(),
        landed: Offsets::before(low),
        pending: pending.collect(),
        published,
        obeyed: None,
    }
}

fn found(files: &[File], pointer: Option<Pointer>, said: Option<&Said>) -> Vec<(&'static str, String)> {
    let kept = pointer.map(|pointer| Kept { partition: partition(), version: Version("1".into()), pointer: Ok(pointer) });
    let (_, findings) = compare(&me(), files, kept.as_slice(), said);
    findings.into_iter().map(|finding| (finding.kind.name(), finding.what)).collect()
}

#[test]
fn files_that_follow_each_other_are_well() {
    let files = [file("d/1", 0, 9), file("d/2", 10, 19), file("e/1", 3, 12), file("d/3.r1", 5, 9)];
    let files = files.map(|mut file| {
        file.holds.iter_mut().for_each(|holds| holds.rows = holds.rows.div_ceil(2));
        file
    });
    assert_eq!(found(&files, Some(pointer(20, true, &[])), None), []);
}

#[test]
fn records_in_two_files_are_found() {
    let twice = [file("d/1", 0, 9), file("d/2", 5, 14)];
    let found_twice = found(&twice, Some(pointer(20, true, &[])), None);
    assert_eq!(found_twice[0], ("overlap", "d/1 and d/2 both hold offsets 5 to 9 of t-0".into()));
    // a long file, then a short one within it, then one that begins before the end of the first
    let within = [file("d/1", 0, 9), file("d/2", 2, 3), file("d/3", 8, 11)];
    let within = found(&within, Some(pointer(20, true, &[])), None);
    assert_eq!(within.iter().filter(|(kind, what)| *kind == "overlap" && what.contains("both hold")).count(), 2, "{within:?}");
    // each folder by itself is well, and together they have more rows than there are records
    let apart = [with_rows("d/1", 0, 9, 8), with_rows("e/1", 2, 11, 5), file("d/2", 12, 14)];
    let expected = "2 files of t-0 from d/1 on have 13 rows of 12 offsets, 0 to 11";
    assert_eq!(found(&apart, Some(pointer(20, true, &[])), None), [("overlap", expected.into())]);
}

#[test]
fn files_that_were_never_committed_are_found() {
    let files = [file("d/1", 0, 9), file("d/2", 10, 19)];
    let expected = "d/2 holds offsets 10 to 19, and the pointer does not say that they have landed";
    assert_eq!(found(&files, Some(pointer(15, true, &[])), None), [("uncommitted", expected.into())]);
    assert_eq!(found(&files, None, None), [("uncommitted", "t-0: 2 files and no pointer".into())]);
}

#[test]
fn what_is_no_fault_is_said_too() {
    let foreign = [File { path: "d/x.parquet".into(), holds: None }, file("d/1", 0, 9)];
    let of_another = Pointer { identity: Identity { connector: "b".into(), ..me() }, ..pointer(20, false, &[("d/2", 10, 19)]) };
    let expected = [
        ("gone", "d/2 (10 rows, offsets 10 to 19) is committed and not visible yet"),
        ("foreign", "d/x.parquet was not written by Landfall"),
        ("other", "t-0 is landed by connector b of group connect-c at Kafka cluster k"),
    ];
    assert_eq!(found(&foreign, Some(of_another), None), expected.map(|(kind, what)| (kind, what.to_owned())));
    let moved = found(&[], Some(pointer(20, true, &[("d/2", 10, 19)])), None);
    assert_eq!(moved, [("gone", "d/2 (10 rows, offsets 10 to 19) was moved away or deleted".into())]);
}

#[test]
fn offsets_in_no_file_are_counted() {
    let mut with_runs = pointer(20, true, &[]);
    with_runs.landed.push(30..40);
    let files = [file("d/1", 5, 9), file("e/1", 8, 14), file("d/2", 32, 35)];
    let held: Vec<_> = files.iter().filter_map(|file| Some((&*file.path, file.holds.as_ref()?))).collect();
    assert_eq!(missing(&held, &with_runs, 0), 5 + 5 + 2 + 4);
    // what Kafka no longer has is not looked for
    assert_eq!(missing(&held, &with_runs, 16), 4 + 2 + 4);
    assert_eq!(missing(&[], &with_runs, 0), 30);
}

#[test]
fn kafka_has_its_say() {
    let said = |log: std::ops::Range<i64>| Said {
        cluster: Some("k".into()),
        topics: BTreeMap::new(),
        logs: [(partition(), log)].into(),
        committed: BTreeMap::new(),
    };
    let asked = |said: &Said| found(&[], Some(pointer(20, true, &[])), Some(said)).pop().map(|(_, what)| what);
    assert_eq!(asked(&said(10..30)), None);
    assert_eq!(asked(&said(0..19)).as_deref(), Some("t-0 ends at offset 19, and has landed up to 20: its log was cut off"));
    let gap = "the records of t-0 from offset 20 to 24 were deleted before they landed";
    assert_eq!(asked(&said(25..30)).as_deref(), Some(gap));
    let ahead = Said { committed: [(partition(), Committed { offset: 21, metadata: String::new() })].into(), ..said(0..30) };
    assert_eq!(asked(&ahead).as_deref(), Some("the group's offset of t-0 is 21, and it has landed up to 20"));
    let other = Said { cluster: Some("z".into()), ..said(0..30) };
    assert_eq!(asked(&other).as_deref(), Some("t-0 is of the cluster k, and these brokers are of z"));
    let anew = Said { topics: [("t".to_owned(), TopicId::new(8).expect("an id"))].into(), ..said(0..30) };
    assert!(asked(&anew).is_some_and(|what| what.starts_with("t-0: the topic was deleted and created again")));
    assert_eq!(asked(&Said { logs: BTreeMap::new(), ..said(0..30) }).as_deref(), Some("t-0 is not there"));
}
