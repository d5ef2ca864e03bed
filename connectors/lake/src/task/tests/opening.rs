//! Partitions are opened: in the background, where their pointers say, by those whose they are.

use std::sync::atomic::AtomicBool;

use landfall_api::Wake;

use super::store::away;
use super::*;
use crate::commit::start::OffsetGap;
use crate::storage::Written;

#[test]
fn a_partition_is_opened_in_the_background() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    assert!(task.open(&tp(), &begin(5)).expect("no failure").is_none());
    let error = task.put(vec![range(5..6)], &mut strict).expect_err("it is not open").to_string();
    assert!(error.contains("t-0 was put and is not open"), "{error}");
    let opened = open(&mut task, &begin(5));
    assert_eq!((opened.resume, opened.landed, opened.learned), (5, vec![], None));
    assert_eq!(bench.pointer().landed.low(), 5);
    assert_eq!(offset(&mut task), Some(5), "what is before it is done with");
}

#[test]
fn who_waits_for_records_is_woken() {
    let bench = Bench::new();
    let (sender, woken) = mpsc::channel();
    let wake = Wake(Arc::new(move || sender.send(()).unwrap_or_default()));
    let context = TaskContext { wake, ..bench.context("c", 64 << 20) };
    let mut task = bench.task_of(context, Arc::new(bench.store()), |layout| layout.rotation.flush_size = Some(5));
    assert!(task.open(&tp(), &begin(0)).expect("no failure").is_none());
    woken.recv_timeout(WAIT).expect("the partition is found");
    assert!(task.open(&tp(), &begin(0)).expect("no failure").is_some(), "what came while nobody waited is seen");
    put(&mut task, [range(0..5)]);
    woken.recv_timeout(WAIT).expect("the file is sealed");
    task.settle(Instant::now()).expect("no failure");
    woken.recv_timeout(WAIT).expect("it is committed");
    assert_eq!(task.pre_commit().expect("no failure")[&tp()].offset, 5);
}

#[test]
fn many_partitions_are_opened_side_by_side() {
    let bench = Bench::new();
    let mut task = bench.flushing(1);
    let partitions: Vec<_> = (0..40).map(|number| TopicPartition::new("t", number)).collect();
    for tp in &partitions {
        assert!(task.open(tp, &begin(0)).expect("no failure").is_none());
    }
    for tp in &partitions {
        let opened = ask(&mut task, tp, &begin(0)).expect("no failure").expect("found");
        assert_eq!(opened.resume, 0);
        put(&mut task, [Batch { origin: tp.clone(), ..range(0..1) }]);
    }
    rest(&mut task);
    let offsets = task.pre_commit().expect("no failure");
    assert!(offsets.len() == 40 && offsets.values().all(|offset| offset.offset == 1), "{offsets:?}");
    assert_eq!((bench.files().len(), bench.pointer_of(39).landed.low()), (40, 1));
    task.close(&partitions, false, WAIT).expect("close");
    let starts = bench.flushing(1).starts(&partitions).expect("starts");
    assert!(starts.len() == 40 && starts.values().all(|start| *start == 1), "{starts:?}");
}

#[test]
fn where_a_partition_starts_is_what_its_own_pointer_says() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    let id = |id| TopicId::new(id).expect("an id");
    task.identify(&tp().topic, id(1));
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    rest(&mut task);
    let all = [tp(), TopicPartition::new("t", 1)];
    let starts = || bench.flushing(10).starts(&all).expect("starts");
    assert_eq!(starts(), BTreeMap::from([(tp(), 0)]), "files that may wait to be published do not wait for another record");
    task.close(&all, false, WAIT).expect("close");
    assert_eq!(starts(), BTreeMap::from([(tp(), 10)]));
    let mut anew = bench.flushing(10);
    anew.identify(&tp().topic, id(2));
    assert_eq!(anew.starts(&all).expect("starts"), BTreeMap::new(), "its offsets are other records");
    let other = bench.task_of(bench.context("other", 64 << 20), Arc::new(bench.store()), |_| {}).starts(&all);
    assert_eq!(other.expect("starts"), BTreeMap::new());
    let broken = Asking::new(&bench, |call| if call.starts_with("get") { away() } else { Ok(()) });
    assert!(matches!(bench.task_on(broken, |_| {}).starts(&all), Err(TaskError::Retriable(_))));
}

#[test]
fn a_restart_goes_on_after_what_has_landed_whatever_the_group_has() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..35)]);
    rest(&mut task);
    drop(task);
    let groups = [
        begin(0),
        begin(33),
        committed(10, "lf1:0:1:1"),
        committed(30, "lf1:0:1:3"),
        Opening { first: 12, ..committed(10, "lf1:0:1:1") },
    ];
    for opening in groups {
        let opened = open(&mut bench.flushing(10), &opening);
        assert_eq!((opened.resume, opened.landed), (30, vec![]), "{opening:?}");
        assert_eq!(opened.learned.expect("from the last file").metadata()["connect.doc"], "");
    }
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    assert_eq!(offset(&mut task), Some(30), "the group gets to know it");
    put(&mut task, [range(30..40)]);
    assert_eq!(offset(&mut task), Some(40));
    assert_eq!(bench.ids(), (0..40).collect::<Vec<_>>());
}

#[test]
fn the_last_file_may_be_moved_away_while_it_is_looked_at() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    rest(&mut task);
    drop(task);
    let last = bench.at("topics").join(file(0));
    let storage = Asking::new(&bench, move |call| match call.starts_with("read ") {
        true => std::fs::remove_file(&last).map_err(|e| StorageError::Fatal(format!("{call}: {e}"))),
        false => Ok(()),
    });
    let opened = open(&mut bench.task_on(storage, |_| {}), &begin(0));
    assert_eq!((opened.resume, opened.learned, bench.files().len()), (10, None, 0));
}

#[test]
fn a_pointer_of_another_connector_or_cluster_is_left_alone() {
    let bench = Bench::new();
    let at = |cluster: &str| Opening { cluster: Some(cluster.into()), ..begin(0) };
    open(&mut bench.flushing(10), &at("east"));
    let before = bench.pointer();
    let mut other = bench.task_of(bench.context("other", 64 << 20), Arc::new(bench.store()), |_| {});
    for (task, opening, whose) in [
        (&mut other, at("east"), "connector other of group connect-other at Kafka cluster east"),
        (&mut bench.flushing(10), at("west"), "connector c of group connect-c at Kafka cluster west"),
    ] {
        let error = ask(task, &tp(), &opening).expect_err("it is another's");
        let text = error.to_string();
        assert!(matches!(error, TaskError::Fatal(_)) && text.contains(whose), "{text}");
        assert!(text.contains("those of connector c of group connect-c at Kafka cluster east"), "{text}");
        assert_eq!(bench.pointer(), before);
    }
    assert_eq!(open(&mut bench.flushing(10), &begin(0)).resume, 0, "nobody knows the cluster");
}

#[test]
fn what_is_no_pointer_is_named() {
    let bench = Bench::new();
    open(&mut bench.flushing(10), &begin(0));
    let path = Pointer::path("topics/t/0");
    for (content, why) in [("{\"v\":9}", "it has format 9, and this worker knows 1"), ("nonsense", "expected")] {
        let is = bench.object(&path).1;
        let put = bench.runtime.block_on(bench.store().put(&path, content.into(), Some(&is))).expect("written");
        assert!(matches!(put, Written::Done(_)));
        let error = ask(&mut bench.flushing(10), &tp(), &begin(0)).expect_err("refused").to_string();
        assert!(error.contains("_landfall/v1/topics/t/0.json is no pointer of this worker") && error.contains(why), "{error}");
    }
}

#[test]
fn a_store_that_is_away_is_asked_again() {
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let asked = down.clone();
    let storage = Asking::new(&bench, move |call| if call == "check" && asked.load(Ordering::Relaxed) { away() } else { Ok(()) });
    let mut task = bench.task_on(storage, |_| {});
    for _ in 0..2 {
        assert!(matches!(ask(&mut task, &tp(), &begin(0)), Err(TaskError::Retriable(_))));
    }
    down.store(false, Ordering::Relaxed);
    assert_eq!(open(&mut task, &begin(7)).resume, 7);
}

#[test]
fn a_partition_may_be_let_go_while_it_is_asked_for() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    assert!(task.open(&tp(), &begin(0)).expect("no failure").is_none());
    assert_eq!(task.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new());
    // what was asked for before does not count any more
    let opened = open(&mut task, &begin(0));
    put(&mut task, [range(opened.resume..10)]);
    assert_eq!(offset(&mut task), Some(10));
    assert_eq!(bench.ids(), (0..10).collect::<Vec<_>>());
}

#[test]
fn records_that_are_gone_fail_the_task_or_are_counted() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    rest(&mut task);
    drop(task);
    let gone = Opening { log_start: Some(15), first: 15, ..committed(10, "lf1:0:1:1") };
    let error = ask(&mut bench.flushing(10), &tp(), &gone).expect_err("they are lost").to_string();
    assert!(error.contains("the records of t-0 from offset 10 to 14 were deleted before they landed"), "{error}");
    let mut task = bench.task(|layout| (layout.rotation.flush_size, layout.rules.gap) = (Some(10), OffsetGap::Skip));
    assert_eq!((open(&mut task, &gone).resume, task.shared.metrics.gap_offsets.get()), (15, 5));
    put(&mut task, [range(15..25)]);
    assert_eq!(offset(&mut task), Some(25));
    let cut = Opening { log_end: Some(20), ..begin(0) };
    let error = ask(&mut bench.flushing(10), &tp(), &cut).expect_err("the log was cut off").to_string();
    assert!(error.contains("t-0 ends at offset 20, and is to be read from offset 25 on"), "{error}");
}

#[test]
fn a_topic_that_was_made_again_lands_again() {
    let bench = Bench::new();
    let run = |id: Option<u128>, opening: &Opening, end: i64| {
        let mut task = bench.flushing(3);
        if let Some(id) = id {
            task.identify(&tp().topic, TopicId::new(id).expect("an id"));
        }
        let opened = ask(&mut task, &tp(), opening).expect("no failure").unwrap_or_else(|| {
            let offsets = task.pre_commit().expect("no failure");
            task.accepted(&offsets);
            open(&mut task, opening)
        });
        put(&mut task, [range(opened.resume..end)]);
        (opened.resume, settled(&mut task).expect("moved").metadata)
    };
    assert_eq!(run(Some(1), &begin(0), 3), (0, "lf1:0:1:1".into()));
    assert_eq!(run(Some(1), &begin(0), 6), (3, "lf1:0:2:2".into()), "the same topic");
    assert_eq!(run(None, &begin(0), 9), (6, "lf1:0:3:3".into()), "nobody knows");
    assert_eq!(run(Some(2), &committed(9, "lf1:0:3:3"), 6).0, 0, "another one");
    let again = |first: i64| format!("t/partition=0/t+0+{first:010}.r1.snappy.parquet");
    let mut expected = vec![file(0), file(3), file(6), again(0), again(3)];
    expected.sort();
    assert_eq!((bench.files(), bench.pointer().incarnation), (expected, 1));
    assert_eq!(bench.pointer().topic_id, TopicId::new(2));
    assert_eq!(run(Some(2), &committed(9, "lf1:0:3:3"), 9).0, 6, "once");
}
