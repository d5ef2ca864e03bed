//! The group's offset was set by something else: nothing goes on before the group has taken an offset of ours.

use super::*;
use crate::commit::start::ExternalReset;

/// A directory with the records of `0..10` in a file.
fn landed() -> Bench {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    rest(&mut task);
    task.close(&[tp()], false, WAIT).expect("close");
    bench
}

/// Has the group accept what it is given, which is `offset`.
fn accept(task: &mut LakeTask, offset: i64, metadata: &str) {
    let given = task.pre_commit().expect("no failure");
    assert_eq!(given, BTreeMap::from([(tp(), Offset { offset, metadata: metadata.into() })]));
    task.accepted(&given);
}

#[test]
fn records_before_the_groups_offset_land_again_once_the_group_has_confirmed_it() {
    let bench = landed();
    let mut task = bench.flushing(3);
    let operators = committed(4, "");
    assert!(ask(&mut task, &tp(), &operators).expect("no failure").is_none());
    assert!(task.open(&tp(), &operators).expect("no failure").is_none(), "it waits");
    assert_eq!((bench.pointer().incarnation, bench.pointer().landed.low()), (0, 10), "who knows whether this is old news");
    accept(&mut task, 4, "");
    assert_eq!(open(&mut task, &operators).resume, 4);
    let pointer = bench.pointer();
    assert_eq!((pointer.incarnation, pointer.landed.low(), pointer.obeyed), (1, 4, Some(4)));

    put(&mut task, [range(4..7)]);
    let sealed = |task: &LakeTask| task.partitions[&tp()].sealed.len() == 1;
    assert!(task.wait(Instant::now() + WAIT, sealed).expect("no failure"));
    task.settle(Instant::now()).expect("no failure");
    assert_eq!(bench.pointer(), pointer, "nothing is committed while the group's offset is another's");
    let token = format!("lf1:1:{}:{}", pointer.epoch, pointer.seq);
    accept(&mut task, 4, &token);
    assert_eq!(offset(&mut task), Some(7));
    let again = "t/partition=0/t+0+0000000004.r1.snappy.parquet";
    assert_eq!(bench.landed(), BTreeMap::from([(file(0), (0..10).collect()), (again.to_owned(), vec![4, 5, 6])]));
    assert_eq!(bench.pointer().obeyed, None);
    drop(task);

    // Before the group has heard of it, the same offset is not obeyed twice; afterwards the token counts.
    assert_eq!(open(&mut bench.flushing(3), &committed(7, "lf1:1:2:2")).resume, 7);
}

#[test]
fn the_offset_that_a_pointer_follows_is_not_obeyed_twice() {
    let bench = landed();
    let operators = committed(4, "");
    let mut task = bench.flushing(3);
    ask(&mut task, &tp(), &operators).expect("no failure");
    accept(&mut task, 4, "");
    assert_eq!(open(&mut task, &operators).resume, 4);
    drop(task);
    let mut task = bench.flushing(3);
    assert_eq!((open(&mut task, &operators).resume, bench.pointer().incarnation), (4, 1));
    put(&mut task, [range(4..10)]);
    let both = |task: &LakeTask| task.partitions[&tp()].sealed.len() == 2;
    assert!(task.wait(Instant::now() + WAIT, both).expect("no failure"));
    assert_eq!(bench.files(), [file(0)]);
    let offsets = task.pre_commit().expect("no failure");
    assert_eq!(offsets, task.pre_commit().expect("no failure"), "it is given until it is accepted");
    task.accepted(&offsets);
    assert_eq!(offset(&mut task), Some(10));
    assert_eq!(bench.lists(), [(0..10).collect(), vec![4, 5, 6], vec![7, 8, 9]]);
}

#[test]
fn an_offset_ahead_is_another_workers_and_files_keep_their_names() {
    let bench = landed();
    let mut task = bench.flushing(10);
    let theirs = committed(20, "");
    assert!(ask(&mut task, &tp(), &theirs).expect("no failure").is_none());
    accept(&mut task, 20, "");
    assert_eq!(open(&mut task, &theirs).resume, 20);
    let pointer = bench.pointer();
    assert_eq!((pointer.incarnation, pointer.landed.low()), (0, 20));
    accept(&mut task, 20, &format!("lf1:0:{}:{}", pointer.epoch, pointer.seq));
    put(&mut task, [range(20..30)]);
    assert_eq!(offset(&mut task), Some(30));
    assert_eq!(bench.files(), [file(0), file(20)]);
}

#[test]
fn an_offset_of_the_same_records_is_a_first_one() {
    let bench = Bench::new();
    let mut task = bench.flushing(5);
    // Another sink had the group before: its offset is where we begin, and ours follows before anything is committed.
    assert_eq!(open(&mut task, &committed(40, "theirs")).resume, 40);
    put(&mut task, [range(40..45)]);
    let sealed = |task: &LakeTask| task.partitions[&tp()].sealed.len() == 1;
    assert!(task.wait(Instant::now() + WAIT, sealed).expect("no failure"));
    assert_eq!((bench.pointer().landed.low(), bench.pointer().obeyed), (40, Some(40)));
    accept(&mut task, 40, "lf1:0:1:0");
    assert_eq!(offset(&mut task), Some(45));
}

#[test]
fn an_offset_that_was_set_is_obeyed_only_where_it_shall_be() {
    let bench = landed();
    let ruled = |reset| bench.task(|layout| (layout.rotation.flush_size, layout.rules.reset) = (Some(10), reset));
    let error = ask(&mut ruled(ExternalReset::Fail), &tp(), &committed(4, "")).expect_err("it was set").to_string();
    assert!(error.contains("was set to 4 by something else") && error.contains("landfall.external.reset=fail"), "{error}");
    let opened = open(&mut ruled(ExternalReset::Ignore), &committed(4, ""));
    assert_eq!((opened.resume, bench.pointer().incarnation), (10, 0));
    // one of ours, but of before
    assert_eq!(open(&mut ruled(ExternalReset::Obey), &committed(4, "lf1:0:1:1")).resume, 10);
    let error = ask(&mut ruled(ExternalReset::Obey), &tp(), &committed(4, "lf1:3:1:1")).expect_err("restored").to_string();
    assert!(error.contains("the pointer is older than it was, as after a restore"), "{error}");
}
