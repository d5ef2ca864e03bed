//! Files of several folders of a partition: ended all together, or each by itself.

use super::*;
use crate::columns::Refusals;
use crate::partition::{Folders, Partitioner};

/// Folders of ten milliseconds of time, which is that of each offset.
#[derive(Debug)]
struct Tens(fn(i64) -> i64);

impl Partitioner for Tens {
    fn folders(&self, batch: &Batch, _now_ms: i64) -> Result<Folders, Refusals> {
        let times: Vec<i64> = batch.offset.values().iter().map(|offset| (self.0)(*offset)).collect();
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut place = |name: Arc<str>| {
            let known = names.iter().position(|other| *other == name);
            known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }) as u32
        };
        let rows = times.iter().map(|time| place(format!("ten={}", time / 10).into())).collect();
        Ok(Folders { names, rows: Some(rows), times: Some(Int64Array::from(times)) })
    }

    fn time_based(&self) -> bool {
        true
    }
}

/// 0, 1, 12, 3, 13, 5, 26: some are late.
fn late(offset: i64) -> i64 {
    [0, 1, 12, 3, 13, 5, 26][offset as usize]
}

fn shop(offset: i64) -> i64 {
    offset % 3
}

/// The path of a file of a shop.
fn of(shop: i64, first: i64) -> String {
    format!("t/shop={shop}/t+0+{first:010}.snappy.parquet")
}

#[test]
fn each_folder_has_its_file_and_all_are_one_commit() {
    let bench = Bench::new();
    let mut task = bench.task(|layout| {
        by_shop(layout);
        layout.rotation.flush_size = Some(6);
    });
    open(&mut task, &begin(0));
    put(&mut task, [shops(&[0, 1, 2, 3, 4], shop)]);
    assert_eq!(task.shared.open.load(Ordering::Relaxed), 3);
    put(&mut task, [shops(&[5, 6, 7], shop)]);
    assert_eq!(offset(&mut task), Some(6), "flush.size counts the rows of all folders");
    let first: BTreeMap<_, _> = (0..3).map(|s| (of(s, s), vec![s, s + 3])).collect();
    assert_eq!(bench.landed(), first);
    let ended = &task.shared.metrics.files_ended;
    assert_eq!((ended.flush_size.get(), task.partitions[&tp()].open.len()), (3, 2));
    put(&mut task, [shops(&[8, 9, 10, 11], shop)]);
    assert_eq!(offset(&mut task), Some(12));
    assert_eq!(bench.landed().len(), 6);
    assert_eq!(bench.landed()[&of(2, 8)], [8, 11]);
}

#[test]
fn a_row_of_another_folder_ends_all_files_if_it_shall() {
    let run = |folder_change: bool| {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            layout.partitioner = Arc::new(Tens(late));
            layout.rotation = Rotation { interval: Some(1000), folder_change, ..Rotation::default() };
            layout.flush_on_stop = true;
        });
        open(&mut task, &begin(0));
        put(&mut task, [range(0..4), range(4..6)]);
        let left = task.shared.metrics.files_ended.partition.get();
        task.close(&[tp()], false, WAIT).expect("close");
        (left, bench.lists())
    };
    assert_eq!(run(true), (4, vec![vec![0, 1], vec![3], vec![5], vec![2], vec![4]]));
    assert_eq!(run(false), (0, vec![vec![0, 1, 3, 5], vec![2, 4]]));
}

#[test]
fn a_row_that_is_an_interval_later_ends_all_files_or_its_own() {
    for (apart, files) in
        [(false, vec![vec![0, 1], vec![3, 5], vec![2, 4], vec![6]]), (true, vec![vec![0, 1, 3, 5], vec![2, 4], vec![6]])]
    {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            layout.partitioner = Arc::new(Tens(late));
            layout.rotation = Rotation { apart, interval: Some(10), folder_change: apart, ..Rotation::default() };
            layout.flush_on_stop = true;
        });
        open(&mut task, &begin(0));
        put(&mut task, [range(0..7)]);
        let by_interval = task.shared.metrics.files_ended.interval.get();
        assert_eq!(by_interval, if apart { 0 } else { 3 }, "late rows close nothing where files end apart: {apart}");
        task.close(&[tp()], false, WAIT).expect("close");
        assert_eq!(bench.lists(), files);
    }
}

#[test]
fn files_that_end_apart_land_apart_and_what_has_landed_is_skipped_by_offset() {
    let bench = Bench::new();
    let apart = |layout: &mut Layout| {
        by_shop(layout);
        layout.rotation = Rotation { apart: true, flush_size: Some(3), ..Rotation::default() };
    };
    // shop 0 has every second row
    let mixed = |offset: i64| if offset % 2 == 0 { 0 } else { offset % 4 };
    let mut task = bench.task(apart);
    open(&mut task, &begin(0));
    assert_eq!(offset(&mut task), Some(0));
    put(&mut task, [shops(&(0..8).collect::<Vec<_>>(), mixed)]);
    assert_eq!(offset(&mut task), Some(1), "1 is in an open file");
    assert_eq!(bench.landed(), BTreeMap::from([(of(0, 0), vec![0, 2, 4])]));
    let landed = bench.pointer().landed;
    assert_eq!((landed.low(), landed.runs()), (1, &[2..3, 4..5][..]));
    assert_eq!(task.partitions[&tp()].open.len(), 3);
    drop(task);

    let mut task = bench.task(apart);
    let opened = open(&mut task, &begin(0));
    assert_eq!((opened.resume, &opened.landed), (1, &vec![2..3, 4..5]));
    // whatever folders they go to now
    put(&mut task, [shops(&[1, 3, 5], |_| 7), shops(&[6, 7, 8, 9, 10], |_| 8)]);
    assert_eq!(offset(&mut task), Some(9));
    assert_eq!(bench.ids(), (0..9).collect::<Vec<_>>());
    assert_eq!(bench.pointer().landed.runs(), []);
}

#[test]
#[should_panic(expected = "offset 2 is put again, it has landed")]
fn a_record_that_has_landed_is_not_taken_again() {
    let bench = Bench::new();
    let apart = |layout: &mut Layout| {
        by_shop(layout);
        layout.rotation = Rotation { apart: true, flush_size: Some(2), ..Rotation::default() };
    };
    let mut task = bench.task(apart);
    open(&mut task, &begin(0));
    put(&mut task, [shops(&[0, 1, 2], |offset| offset % 2)]);
    rest(&mut task);
    drop(task);
    let mut task = bench.task(apart);
    assert_eq!(open(&mut task, &begin(0)).landed, [2..3]);
    put(&mut task, [shops(&[1, 2, 3], |offset| offset % 2)]);
}

#[test]
fn so_many_files_may_be_open() {
    for (apart, landed) in [(true, vec![vec![0, 3], vec![1]]), (false, vec![vec![0], vec![1]])] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            by_shop(layout);
            layout.rotation = Rotation { apart, max_open_files: Some(2), ..Rotation::default() };
        });
        open(&mut task, &begin(0));
        // shops 0, 1, and 0 once more; then 2, for which apart the file of 1 ends, and one of 0
        put(&mut task, [shops(&[0], |_| 0), shops(&[1], |_| 1), shops(&[3], |_| 0)]);
        put(&mut task, [shops(&[5], |_| 2)]);
        rest(&mut task);
        let ended = task.shared.metrics.files_ended.max_open_files.get();
        if apart {
            assert_eq!((ended, bench.landed()), (1, BTreeMap::from([(of(1, 1), vec![1])])), "the one that was idle longest");
            put(&mut task, [shops(&[6, 7], |offset| offset - 4)]);
            rest(&mut task);
            assert_eq!((bench.lists(), task.partitions[&tp()].open.len()), (landed, 2));
        } else {
            assert_eq!((ended, bench.lists()), (2, vec![vec![0, 3], vec![1]]), "all");
            assert_eq!(task.partitions[&tp()].open.len(), 1);
        }
    }
}

#[test]
fn a_file_with_all_its_bytes_ends_the_others_where_files_end_together() {
    for apart in [false, true] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            by_shop(layout);
            layout.rotation = Rotation { apart, size: Some(20_000), ..Rotation::default() };
        });
        open(&mut task, &begin(0));
        put(&mut task, [shops(&[0], |_| 0)]);
        put(&mut task, [shops(&(1..20_000).collect::<Vec<_>>(), |_| 1)]);
        let metrics = task.shared.metrics.clone();
        let files = if apart { 1 } else { 2 };
        assert!(task.wait(Instant::now() + WAIT, |_| metrics.files_landed.get() == files).expect("no failure"));
        assert_eq!((metrics.files_ended.size.get(), metrics.files_ended.commit.get()), (1, files - 1));
        assert_eq!(task.partitions[&tp()].open.len(), usize::from(apart));
        assert_eq!(offset(&mut task), Some(if apart { 0 } else { 20_000 }));
    }
}

#[test]
fn files_of_routed_topics_are_folders_too() {
    let bench = Bench::new();
    let to = |topic: &str, offsets: Range<i64>| Batch { topic: topic.into(), ..range(offsets) };
    let mut task = bench.flushing(6);
    open(&mut task, &begin(0));
    put(&mut task, [to("other", 0..2), to("t", 2..4), to("other", 4..8)]);
    assert_eq!(offset(&mut task), Some(6), "of all folders");
    let other = |first: i64| format!("other/partition=0/t+0+{first:010}.snappy.parquet");
    assert_eq!(bench.landed(), BTreeMap::from([(other(0), vec![0, 1, 4, 5]), (file(2), vec![2, 3])]));
    let refused = refused(&mut task, [to("../out", 8..9), to("a//b", 9..10), to("t", 10..14)]);
    assert_eq!(refused.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [8, 9]);
    assert!(refused[0].1.contains("\"../out\"") && refused[0].1.contains("it leaves its folder"), "{refused:?}");
    assert_eq!(offset(&mut task), Some(14));
    assert_eq!(bench.landed()[&other(6)], [6, 7]);
    assert_eq!(bench.landed()[&file(10)], [10, 11, 12, 13]);
}
