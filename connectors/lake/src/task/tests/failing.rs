//! Stores that fail for now or for good, and what holds a task back meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::store::away;
use super::*;

#[test]
fn what_the_storage_refuses_for_now_is_tried_again() {
    let bench = Bench::new();
    let calls = AtomicU64::new(0);
    let storage = Asking::new(&bench, move |_| {
        if mixed(calls.fetch_add(1, Ordering::Relaxed)).is_multiple_of(3) { away() } else { Ok(()) }
    });
    let mut task = bench.task_on(storage, |layout| (layout.rotation.flush_size, layout.commit_log) = (Some(5), true));
    let opened = (0..10).find_map(|_| ask(&mut task, &tp(), &begin(0)).ok().flatten());
    assert_eq!(opened.expect("opened").resume, 0);
    put(&mut task, [range(0..20)]);
    assert_eq!(offset(&mut task), Some(20));
    assert!(task.shared.metrics.retries.get() >= 4);
    assert_eq!(bench.lists().concat(), (0..20).collect::<Vec<_>>());
}

#[test]
fn what_it_refuses_for_good_fails_the_task() {
    for (call, opens) in [
        ("check", false),
        ("stage ", true),
        ("block ", true),
        ("seal ", true),
        ("publish ", true),
        ("put _landfall/commits", true),
    ] {
        let bench = Bench::new();
        let refuse = move |asked: &str| {
            if asked.starts_with(call) { Err(StorageError::Fatal(format!("{asked}: forbidden"))) } else { Ok(()) }
        };
        let mut task = bench
            .task_on(Asking::new(&bench, refuse), |layout| (layout.rotation.flush_size, layout.commit_log) = (Some(5), true));
        let opened = ask(&mut task, &tp(), &begin(0));
        assert_eq!(opened.is_ok(), opens, "{call}");
        if opens {
            put(&mut task, [range(0..5)]);
            let why = failure(&mut task);
            assert!(why.contains("forbidden"), "{why}");
        }
    }
}

#[test]
fn a_failure_that_shows_while_other_partitions_are_let_go_is_not_lost() {
    let bench = Bench::new();
    let refuse = |call: &str| match call {
        call if call.contains("partition=1") && call.starts_with("publish") => Err(StorageError::Fatal("forbidden".into())),
        _ => Ok(()),
    };
    let mut task = bench.task_on(Asking::new(&bench, refuse), |layout| layout.rotation.flush_size = Some(10));
    let other = TopicPartition::new("t", 1);
    open(&mut task, &begin(0));
    ask(&mut task, &other, &begin(0)).expect("no failure").expect("found");
    put(&mut task, [Batch { origin: other, ..range(0..10) }]);
    // nobody looks, until the partition beside it is let go for which there is something to wait for
    put(&mut task, [filtered(0..5)]);
    while task.failed.is_none() {
        task.close(&[tp()], false, WAIT).expect("close");
    }
    assert!(failure(&mut task).contains("forbidden"));
}

#[test]
fn a_file_whose_work_panics_fails_the_task() {
    let bench = Bench::new();
    let panic = |call: &str| if call.starts_with("stage") { panic!("a fault") } else { Ok(()) };
    let mut task = bench.task_on(Asking::new(&bench, panic), |layout| layout.rotation.flush_size = Some(10));
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    assert!(failure(&mut task).contains("a file of t-0 ended by a fault of the worker"));
}

#[test]
fn files_that_have_ended_hold_the_loop_back_while_the_storage_is_down() {
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let asked = down.clone();
    let storage = Asking::new(&bench, move |call| {
        let working = call == "check" || call.starts_with("get") || call.starts_with("put") || call.starts_with("was put");
        if !working && asked.load(Ordering::Relaxed) { away() } else { Ok(()) }
    });
    let mut task = bench.task_on(storage, |layout| {
        (layout.rotation.flush_size, layout.retry_backoff) = (Some(1), Duration::from_millis(100));
    });
    open(&mut task, &begin(0));
    let mut next = 0;
    while next < 20_000 && task.ready(Duration::from_millis(20)).expect("no failure") {
        put(&mut task, [range(next..next + 100)]);
        next += 100;
    }
    assert!((100..2000).contains(&next), "{next} files are under way");
    down.store(false, Ordering::Relaxed);
    assert!(task.ready(WAIT).expect("no failure"));
    assert_eq!(offset(&mut task), Some(next));
}

#[test]
fn rows_that_wait_for_an_encoder_hold_the_loop_back() {
    let bench = Bench::new();
    let mut task = bench.flushing(1_000_000);
    open(&mut task, &begin(0));
    task.shared.backlog.add(MOST_BACKLOG);
    put(&mut task, [range(0..100)]);
    assert!(task.shared.metrics.buffered_bytes.get() >= MOST_BACKLOG as u64);
    task.shared.backlog.add(1);
    assert!(!task.ready(Duration::from_millis(10)).expect("no failure"));
}
