//! What is written down of a partition, when it is, and what the group is told.

use std::sync::atomic::AtomicBool;

use super::store::{Calls, away};
use super::*;

/// A store that does not publish while `down`.
fn unpublishing(bench: &Bench, down: &Arc<AtomicBool>) -> Arc<Asking> {
    let down = down.clone();
    Asking::new(bench, move |call| if call.starts_with("publish ") && down.load(Ordering::Relaxed) { away() } else { Ok(()) })
}

#[test]
fn files_are_cut_at_the_flush_size_and_the_offset_follows_what_is_visible() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    for from in [0, 7, 14, 21] {
        put(&mut task, [range(from..from + 7)]);
    }
    assert_eq!(offset(&mut task), Some(20));
    assert_eq!(settled(&mut task), None, "it was given");
    assert_eq!(bench.landed(), BTreeMap::from([(file(0), (0..10).collect()), (file(10), (10..20).collect())]));
    let metrics = task.shared.metrics.clone();
    assert_eq!((metrics.rows_landed.get(), metrics.files_landed.get(), metrics.files_ended.flush_size.get()), (20, 2, 2));
    assert_eq!((task.shared.open.load(Ordering::Relaxed), metrics.open_files.get()), (1, 1));
    assert_eq!(task.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new(), "open rows are dropped");
    drop(task);
    assert_eq!(bench.files().len(), 2);
}

#[test]
fn the_pointer_says_each_step() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(3));
    let first = bench.pointer();
    assert_eq!((first.epoch, first.seq, first.incarnation, first.landed.low()), (1, 0, 0, 3));
    assert_eq!((first.identity.connector.as_str(), first.identity.group.as_str()), ("c", "connect-c"));
    assert!(first.pending.is_empty() && first.published && first.topic_id.is_none());
    assert_eq!(settled(&mut task), Some(Offset { offset: 3, metadata: "lf1:0:1:0".into() }), "to see that it is a member");

    put(&mut task, [range(3..13)]);
    assert_eq!(settled(&mut task), Some(Offset { offset: 13, metadata: "lf1:0:1:1".into() }));
    let second = bench.pointer();
    assert_eq!((second.epoch, second.seq, second.landed.low(), second.published), (1, 1, 13, false));
    let [pending] = &second.pending[..] else { panic!("{second:?}") };
    assert_eq!(
        (pending.file.path.clone(), pending.first, pending.last, pending.rows),
        (format!("topics/{}", file(3)), 3, 12, 10)
    );
    assert_eq!(pending.file.size, bench.at(&pending.file.path).metadata().expect("a file").len());

    put(&mut task, [range(13..33)]);
    assert_eq!(offset(&mut task), Some(33));
    assert!(bench.pointer().seq <= 3 && bench.pointer().pending.iter().all(|pending| pending.first >= 13));

    task.close(&[tp()], false, WAIT).expect("close");
    let last = bench.pointer();
    assert_eq!((last.epoch, last.landed.low(), last.published), (1, 33, true), "what is known is said at the end");
    open(&mut task, &begin(33));
    assert_eq!(bench.pointer().epoch, 2);
}

#[test]
fn nothing_is_told_to_the_group_before_it_is_visible() {
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let mut task = bench.task_on(unpublishing(&bench, &down), |layout| layout.rotation.flush_size = Some(5));
    open(&mut task, &begin(0));
    assert_eq!(offset(&mut task), Some(0));
    put(&mut task, [range(0..5)]);
    let metrics = task.shared.metrics.clone();
    assert!(task.wait(Instant::now() + WAIT, |_| metrics.retries.get() > 2).expect("no failure"), "it is tried to publish");
    assert_eq!((bench.pointer().landed.low(), bench.files().len()), (5, 0), "it is committed, and not visible");
    put(&mut task, [range(5..10)]);
    let retries = metrics.retries.get();
    assert!(task.wait(Instant::now() + WAIT, |_| metrics.retries.get() > retries + 2).expect("no failure"));
    assert_eq!((task.pre_commit().expect("no failure"), bench.pointer().seq), (BTreeMap::new(), 1), "one commit at a time");
    down.store(false, Ordering::Relaxed);
    assert_eq!(offset(&mut task), Some(10));
    assert_eq!(bench.lists(), [(0..5).collect::<Vec<_>>(), (5..10).collect()]);
}

#[test]
fn what_was_committed_is_published_by_who_comes_next() {
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let mut task = bench.task_on(unpublishing(&bench, &down), |layout| layout.rotation.flush_size = Some(5));
    open(&mut task, &begin(0));
    put(&mut task, [range(0..8)]);
    let metrics = task.shared.metrics.clone();
    assert!(task.wait(Instant::now() + WAIT, |_| metrics.retries.get() > 0).expect("no failure"));
    drop(task);
    assert_eq!((bench.pointer().landed.low(), bench.files().len()), (5, 0));
    let stage = bench.at("_landfall/stage/topics/t/0");
    std::fs::write(stage.join("1-left"), b"as after a crash").expect("a file");
    let mut task = bench.flushing(5);
    let opened = open(&mut task, &begin(0));
    assert_eq!((opened.resume, bench.files()), (5, vec![file(0)]));
    assert!(opened.learned.is_some(), "from the file that is visible now");
    assert!(!stage.join("1-left").exists(), "what was left staged is swept");
    put(&mut task, [range(5..10)]);
    assert_eq!(offset(&mut task), Some(10));
    assert_eq!(bench.ids(), (0..10).collect::<Vec<_>>());
}

#[test]
fn how_far_records_are_that_are_in_no_file_is_saved_now_and_then() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    assert_eq!(offset(&mut task), Some(0));
    put(&mut task, [filtered(0..50)]);
    assert_eq!((offset(&mut task), bench.pointer().seq), (None, 0), "not for each");
    task.commit_due(Instant::now() + SAVE * 2);
    assert_eq!(offset(&mut task), Some(50));
    let pointer = bench.pointer();
    assert_eq!((pointer.landed.low(), pointer.seq, pointer.published, pointer.pending.len()), (50, 1, true, 0));
    task.commit_due(Instant::now() + SAVE * 4);
    rest(&mut task);
    assert_eq!(bench.pointer().seq, 1, "there is nothing new");

    put(&mut task, [range(50..52), filtered(52..60)]);
    task.commit_due(Instant::now() + SAVE * 6);
    rest(&mut task);
    assert_eq!(bench.pointer().landed.low(), 50, "there are rows of an open file");
    task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!(open(&mut task, &begin(0)).resume, 50);
    put(&mut task, [filtered(50..60)]);
    task.close(&[tp()], true, WAIT).expect("close");
    assert_eq!(bench.pointer().landed.low(), 50, "who has lost a partition leaves it alone");
    assert_eq!(open(&mut task, &begin(0)).resume, 50);
    put(&mut task, [filtered(50..60)]);
    let given = task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!((given[&tp()].offset, bench.pointer().landed.low()), (60, 60), "saved at the end");
}

#[test]
fn that_files_are_visible_is_written_down_when_nothing_comes() {
    let bench = Bench::new();
    let mut task = bench.flushing(10);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    rest(&mut task);
    let minute = Duration::from_secs(60);
    task.commit_due(Instant::now() + minute / 2);
    rest(&mut task);
    assert!(!bench.pointer().published);
    task.commit_due(Instant::now() + minute * 2);
    assert_eq!(offset(&mut task), Some(10));
    let pointer = bench.pointer();
    assert_eq!((pointer.published, pointer.seq, pointer.pending.len()), (true, 2, 1), "the files are still named");
}

#[test]
fn the_commit_log_has_a_commit_before_the_next_one_is_made() {
    let bench = Bench::new();
    let calls = Calls::default();
    let asked = calls.clone();
    let lost = AtomicBool::new(true);
    let storage = Asking::new(&bench, move |call| {
        asked.add(call);
        let first = call.starts_with("was put _landfall/commits") && lost.swap(false, Ordering::Relaxed);
        if first { away() } else { Ok(()) }
    });
    let mut task = bench.task_on(storage, |layout| (layout.rotation.flush_size, layout.commit_log) = (Some(5), true));
    open(&mut task, &begin(0));
    for from in [0, 5, 10] {
        put(&mut task, [range(from..from + 5)]);
        rest(&mut task);
    }
    let [pointer, entry] =
        ["put _landfall/v1/topics/t/0.json".to_owned(), "put _landfall/commits/topics/t/0/0-000000000".to_owned()];
    let order: Vec<String> = calls.of("put ").into_iter().map(|call| call.replace(&entry, "").replace(&pointer, "p")).collect();
    let log = "_landfall/commits/topics/t/0/0-0000000002.json";
    assert_eq!(order, ["p", "p", "1.json", "1.json", "p", "2.json", "p", "3.json"], "the first is tried twice");
    let logged: serde_json::Value = serde_json::from_slice(&bench.object(log).0).expect("json");
    let size = bench.at("topics").join(file(5)).metadata().expect("a file").len();
    let file = serde_json::json!({"path": format!("topics/{}", file(5)), "size": size, "rows": 5, "first": 5, "last": 9});
    assert_eq!(
        logged,
        serde_json::json!({"topic": "t", "partition": "0", "incarnation": 0, "seq": 2, "low": 10, "files": [file]})
    );
}

#[test]
fn a_name_that_is_taken_is_left_to_its_file() {
    let bench = Bench::new();
    let foreign = bench.at("topics").join(file(0));
    std::fs::create_dir_all(foreign.parent().expect("a folder")).expect("a folder");
    std::fs::write(&foreign, b"foreign").expect("a file");
    let mut task = bench.flushing(5);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..10)]);
    assert_eq!(offset(&mut task), Some(10));
    assert_eq!(std::fs::read(&foreign).expect("a file"), b"foreign");
    std::fs::remove_file(foreign).expect("a file");
    let files = bench.files();
    let [ours, next] = &files[..] else { panic!("{files:?}") };
    let hex = ours.strip_prefix("t/partition=0/t+0+0000000000.x").and_then(|rest| rest.strip_suffix(".snappy.parquet"));
    assert!(hex.is_some_and(|hex| hex.len() == 4 && hex.chars().all(|c| c.is_ascii_hexdigit())), "{ours}");
    assert_eq!(*next, file(5));
    assert_eq!(bench.ids(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_file_that_comes_between_is_moved_away_by_people_and_nothing_is_lost() {
    let bench = Bench::new();
    let foreign = bench.at("topics").join(file(0));
    let path = foreign.clone();
    let storage = Asking::new(&bench, move |call| {
        if call.starts_with("put") && path.parent().is_some_and(Path::is_dir) {
            std::fs::write(&path, b"foreign").expect("a file");
        }
        Ok(())
    });
    let mut task = bench.task_on(storage, |layout| layout.rotation.flush_size = Some(5));
    open(&mut task, &begin(0));
    std::fs::create_dir_all(foreign.parent().expect("a folder")).expect("a folder");
    put(&mut task, [range(0..5)]);
    let why = failure(&mut task);
    assert!(why.contains(&file(0)) && why.contains("(5 rows, offsets 0 to 4)") && why.contains("move that one away"), "{why}");
    drop(task);
    let error = ask(&mut bench.flushing(5), &tp(), &begin(0)).expect_err("it is still there").to_string();
    assert!(error.contains("move that one away"), "{error}");
    std::fs::remove_file(foreign).expect("a file");
    assert_eq!(open(&mut bench.flushing(5), &begin(0)).resume, 5);
    assert_eq!(bench.landed(), BTreeMap::from([(file(0), (0..5).collect())]));
}

#[test]
fn a_partition_that_is_let_go_publishes_what_it_is_told_to() {
    for (flush_on_stop, lost, landed) in [(true, false, 6), (true, true, 0), (false, false, 0)] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| layout.flush_on_stop = flush_on_stop);
        open(&mut task, &begin(0));
        put(&mut task, [range(0..6)]);
        let given = task.close(&[tp()], lost, WAIT).expect("close");
        assert_eq!(given.get(&tp()).map(|given| given.offset).unwrap_or_default(), landed);
        assert_eq!((bench.pointer().landed.low(), bench.ids().len() as i64), (landed, landed));
        assert_eq!(task.shared.metrics.files_ended.stop.get(), u64::from(landed > 0));
        assert_eq!(task.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new(), "it is gone");
        drop(task);
        let staged = bench.at("_landfall/stage/topics/t/0");
        let until = Instant::now() + WAIT;
        while staged.read_dir().is_ok_and(|mut files| files.next().is_some()) && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(staged.read_dir().map_or(0, Iterator::count), 0, "what was staged is freed");
    }
}

#[test]
fn a_file_that_was_moved_away_is_not_made_again() {
    let bench = Bench::new();
    let mut task = bench.flushing(5);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..5)]);
    rest(&mut task);
    drop(task);
    assert!(!bench.pointer().published, "nobody knows that it was visible");
    std::fs::remove_file(bench.at("topics").join(file(0))).expect("a file");
    let mut task = bench.flushing(5);
    assert_eq!(open(&mut task, &begin(0)).resume, 5);
    assert_eq!((bench.files().len(), task.shared.metrics.publish_assumed.get()), (0, 1));
    put(&mut task, [range(5..10)]);
    assert_eq!((offset(&mut task), bench.lists()), (Some(10), vec![vec![5, 6, 7, 8, 9]]));
}

#[test]
fn files_that_have_landed_are_remembered_and_can_be_looked_at() {
    let bench = Bench::new();
    let mut task = bench.flushing(60);
    open(&mut task, &begin(0));
    put(&mut task, [range(0..60)]);
    assert_eq!(offset(&mut task), Some(60));
    let metrics = task.shared.metrics.clone();
    let landed = metrics.landed.last().expect("a file");
    assert_eq!((landed.number, landed.path.clone(), landed.rows), (0, format!("topics/{}", file(0)), 60));
    assert_eq!(landed.bytes, bench.at(&landed.path).metadata().expect("a file").len());
    assert!(landed.at_ms <= now_ms() && landed.at_ms > now_ms() - 60_000);

    let previews = metrics.landed.previews().expect("somebody who reads");
    let shown = previews.preview(&landed.path).expect("a file");
    assert_eq!(
        (shown.columns[0].name.as_str(), shown.columns[0].kind.as_str(), shown.columns[0].nullable),
        ("id", "Int64", false)
    );
    assert_eq!((shown.rows.len(), shown.rows[49][0].as_deref()), (50, Some("49")));
    assert_eq!(shown.note.as_deref(), Some("the first 50 of 60 rows"));
    std::fs::write(bench.at("topics/lines.json"), "{}\n".repeat(10_000)).expect("written");
    let shown = previews.preview("topics/lines.json").expect("a file");
    assert_eq!(
        (shown.text.as_ref().map(String::len), shown.note.as_deref()),
        (Some(16384), Some("the first 16384 of 30000 bytes"))
    );
    std::fs::write(bench.at("topics/none.parquet"), "PAR1").expect("written");
    for (path, why) in [
        ("topics/none.parquet", "Parquet"),
        ("topics/lines.json.gz", "no longer there"),
        ("topics/../../x.json", "leaves its folder"),
    ] {
        let error = previews.preview(path).expect_err(path);
        assert!(error.contains(why), "{path}: {error}");
    }
    drop(task);
    // What runs in the background lets go of the store when it next looks.
    let begun = Instant::now();
    let why = loop {
        match previews.preview(&landed.path) {
            Err(why) => break why,
            Ok(_) => assert!(begun.elapsed() < WAIT, "the store outlives its task"),
        }
    };
    assert!(why.contains("the task has ended"), "{why}");
}
