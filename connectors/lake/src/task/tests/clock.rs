//! Files that end by the clock, and by their bytes as they are encoded: without a row.

use std::sync::atomic::AtomicBool;

use jiff::tz::TimeZone;

use super::store::away;
use super::*;
use crate::roll::Schedule;

const MINUTE: Duration = Duration::from_secs(60);

impl Bench {
    fn rotating(&self, rotation: Rotation) -> LakeTask {
        self.task(|layout| layout.rotation = rotation)
    }
}

#[test]
fn a_file_ends_by_its_age_without_a_record() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { open: Some(MINUTE), ..Rotation::default() });
    let ended = |task: &LakeTask| task.shared.metrics.files_ended.open.get();
    open(&mut task, &begin(0));
    let begun = Instant::now();
    task.settle(begun + MINUTE * 2).expect("nothing is open");
    task.put_batch(&range(0..3), begun, &mut strict).expect("put");
    task.put_batch(&range(3..5), begun + MINUTE / 2, &mut strict).expect("put");
    task.settle(begun + MINUTE - Duration::from_millis(1)).expect("no failure");
    assert_eq!(ended(&task), 0, "not yet");
    task.settle(begun + MINUTE).expect("no failure");
    assert_eq!((ended(&task), offset(&mut task)), (1, Some(5)));
    task.settle(begun + MINUTE * 9).expect("no failure");
    assert_eq!(ended(&task), 1, "once");
    task.put_batch(&range(5..6), begun + MINUTE * 10, &mut strict).expect("put");
    task.settle(begun + MINUTE * 11).expect("no failure");
    assert_eq!((ended(&task), offset(&mut task)), (2, Some(6)));
    assert_eq!(bench.lists(), [vec![0, 1, 2, 3, 4], vec![5]]);
}

#[test]
fn it_wants_its_next_turn_when_a_file_ends() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { open: Some(MINUTE), ..Rotation::default() });
    open(&mut task, &begin(0));
    let begun = Instant::now();
    task.settle(begun).expect("no failure");
    assert_eq!(task.next_turn(), None, "nothing is open");
    task.put_batch(&range(0..3), begun, &mut strict).expect("put");
    assert_eq!(task.next_turn(), Some(begun + MINUTE));
    task.settle(begun + MINUTE).expect("no failure");
    assert_eq!(offset(&mut task), Some(3));
    assert_eq!(task.next_turn(), None, "it has ended");

    let schedule = Some(Schedule::new(3_600_000, TimeZone::UTC));
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { schedule, ..Rotation::default() });
    open(&mut task, &begin(0));
    assert_eq!(task.next_turn(), None);
    task.put_batch(&range(0..3), begun, &mut strict).expect("put");
    assert!(task.next_turn().is_some_and(|at| at <= Instant::now() + TURN), "a schedule is looked at");
}

#[test]
fn a_file_ends_when_no_record_came_for_long_enough() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { idle: Some(MINUTE), flush_size: Some(100), ..Rotation::default() });
    open(&mut task, &begin(0));
    let begun = Instant::now();
    for n in 0..5 {
        let now = begun + MINUTE * 3 / 4 * n;
        task.settle(now).expect("no failure");
        task.put_batch(&range(i64::from(n)..i64::from(n) + 1), now, &mut strict).expect("put");
    }
    assert_eq!(task.shared.metrics.files_ended.idle.get(), 0);
    task.settle(begun + MINUTE * 4).expect("no failure");
    assert_eq!((offset(&mut task), task.shared.metrics.files_ended.idle.get()), (Some(5), 1));
    assert_eq!(bench.lists(), [vec![0, 1, 2, 3, 4]]);
}

#[test]
fn the_idle_file_of_a_folder_ends_by_itself_or_with_the_others() {
    for (apart, landed) in [(true, vec![vec![0]]), (false, vec![vec![0], vec![1, 2]])] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            by_shop(layout);
            layout.rotation = Rotation { apart, idle: Some(MINUTE), ..Rotation::default() };
        });
        open(&mut task, &begin(0));
        let begun = Instant::now();
        task.put_batch(&shops(&[0, 1], |offset| offset), begun, &mut strict).expect("put");
        task.put_batch(&shops(&[2], |_| 1), begun + MINUTE / 2, &mut strict).expect("put");
        task.settle(begun + MINUTE).expect("no failure");
        rest(&mut task);
        assert_eq!(bench.lists(), landed);
        let ended = &task.shared.metrics.files_ended;
        assert_eq!((ended.idle.get(), ended.commit.get()), (1, landed.len() as u64 - 1));
    }
}

#[test]
fn the_age_of_a_file_begins_anew_when_its_partition_comes_back() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { open: Some(MINUTE), ..Rotation::default() });
    open(&mut task, &begin(0));
    let begun = Instant::now();
    task.put_batch(&range(0..3), begun, &mut strict).expect("put");
    task.close(&[tp()], false, WAIT).expect("close");
    open(&mut task, &begin(0));
    task.put_batch(&range(0..4), begun + MINUTE / 2, &mut strict).expect("put");
    task.settle(begun + MINUTE * 5 / 4).expect("no failure");
    assert_eq!(task.shared.metrics.files_ended.open.get(), 0, "that was the time of the dropped file");
    task.settle(begun + MINUTE * 3 / 2).expect("no failure");
    assert_eq!((offset(&mut task), task.shared.metrics.files_ended.open.get()), (Some(4), 1));
    assert_eq!(bench.lists(), [vec![0, 1, 2, 3]]);
}

#[test]
fn files_end_on_schedule_without_a_record() {
    for apart in [true, false] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            by_shop(layout);
            layout.rotation = Rotation { apart, schedule: Some(Schedule::new(20, TimeZone::UTC)), ..Rotation::default() };
        });
        open(&mut task, &begin(0));
        put(&mut task, [shops(&[0, 1], |offset| offset)]);
        let metrics = task.shared.metrics.clone();
        assert!(task.wait(Instant::now() + WAIT, |_| metrics.files_landed.get() == 2).expect("no failure"));
        assert_eq!((metrics.files_ended.schedule.get(), offset(&mut task)), (2, Some(2)));
        let later = Instant::now() + Duration::from_millis(50);
        task.wait(later, |_| false).expect("no failure");
        assert_eq!(metrics.files_ended.schedule.get(), 2, "there is nothing to end");
        put(&mut task, [shops(&[2], |_| 0)]);
        assert!(task.wait(Instant::now() + WAIT, |_| metrics.files_landed.get() == 3).expect("no failure"));
        assert_eq!(bench.lists(), [[0], [2], [1]]);
    }
}

#[test]
fn a_file_ends_by_its_bytes_as_they_are_encoded() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { size: Some(50_000), ..Rotation::default() });
    open(&mut task, &begin(0));
    let metrics = task.shared.metrics.clone();
    let mut next = 0;
    while metrics.files_ended.size.get() < 3 && next < 1_000_000 {
        put(&mut task, [range(next..next + 500)]);
        next += 500;
        assert!(task.shared.clone().backlog.wait(0, WAIT), "nothing is to wait for the encoder");
    }
    rest(&mut task);
    let sizes: Vec<usize> = bench.lists().iter().map(Vec::len).collect();
    // 8 bytes an id, and less where the encoder knows better
    assert!(sizes.len() == 3 && sizes.iter().all(|rows| (6000..20_000).contains(rows)), "{sizes:?}");
}

#[test]
fn a_full_file_ends_without_another_record() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { size: Some(1), ..Rotation::default() });
    open(&mut task, &begin(0));
    put(&mut task, [range(0..3)]);
    let metrics = task.shared.metrics.clone();
    let until = Instant::now() + WAIT;
    while metrics.files_landed.get() == 0 && Instant::now() < until {
        assert!(task.ready(Duration::from_millis(1)).expect("no failure"));
        std::thread::yield_now();
    }
    assert_eq!((offset(&mut task), metrics.files_ended.size.get(), bench.files().len()), (Some(3), 1, 1));
}

#[test]
fn files_that_are_due_together_go_to_the_store_a_portion_at_a_time() {
    const FILES: i64 = 100;
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let asked = down.clone();
    let storage =
        Asking::new(&bench, move |call| if call.starts_with("stage") && asked.load(Ordering::Relaxed) { away() } else { Ok(()) });
    let mut task = bench.task_of(bench.context("c", 8 << 20), storage, |layout| {
        by_shop(layout);
        layout.rotation = Rotation { apart: true, open: Some(MINUTE), ..Rotation::default() };
        layout.retry_backoff = Duration::from_millis(20);
    });
    open(&mut task, &begin(0));
    let begun = Instant::now();
    task.put_batch(&shops(&(0..FILES).collect::<Vec<_>>(), |offset| offset), begun, &mut strict).expect("put");
    let metrics = task.shared.metrics.clone();
    task.settle(begun + MINUTE).expect("no failure");
    task.settle(begun + MINUTE).expect("no failure");
    let ended = metrics.files_ended.open.get();
    assert!((60..70).contains(&ended), "{ended}");
    down.store(false, Ordering::Relaxed);
    let until = Instant::now() + WAIT;
    while metrics.files_landed.get() < FILES as u64 && Instant::now() < until {
        task.ready(Duration::from_millis(1)).expect("no failure");
        task.settle(begun + MINUTE).expect("no failure");
        std::thread::yield_now();
    }
    assert_eq!((metrics.files_ended.open.get(), metrics.files_landed.get()), (FILES as u64, FILES as u64));
}
