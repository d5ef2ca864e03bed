//! Letters of refused records: nothing is made final beyond the first one that is not known to be stored.

use super::*;

/// Waits until `landed` files have landed and `sealed` ones wait to be committed.
fn files(task: &mut LakeTask, landed: u64, sealed: usize) {
    let metrics = task.shared.metrics.clone();
    let so = |task: &LakeTask| metrics.files_landed.get() == landed && task.partitions[&tp()].sealed.len() == sealed;
    assert!(task.wait(Instant::now() + WAIT, so).expect("no failure"), "{landed} landed and {sealed} sealed");
}

#[test]
fn nothing_is_committed_beyond_a_letter_that_is_not_stored() {
    let bench = Bench::new();
    let mut task = bench.flushing(5);
    open(&mut task, &begin(0));
    task.told(&tp(), 7);
    put(&mut task, [range(0..15)]);
    files(&mut task, 1, 2);
    assert_eq!(task.pre_commit().expect("no failure")[&tp()].offset, 5);
    assert_eq!((bench.pointer().landed.low(), bench.files()), (5, vec![file(0)]), "the next file's last row is behind it");

    task.told(&tp(), 9);
    task.settle(Instant::now()).expect("no failure");
    files(&mut task, 1, 2);
    task.told(&tp(), 10);
    files(&mut task, 2, 1);
    assert_eq!((task.pre_commit().expect("no failure")[&tp()].offset, bench.pointer().landed.low()), (10, 10));
    task.told(&tp(), 15);
    assert_eq!(offset(&mut task), Some(15));
    assert_eq!(bench.ids(), (0..15).collect::<Vec<_>>());
}

#[test]
fn what_is_saved_ends_at_a_letter_that_is_not_stored() {
    let bench = Bench::new();
    let mut task = bench.flushing(5);
    open(&mut task, &begin(0));
    task.told(&tp(), 7);
    put(&mut task, [filtered(0..20)]);
    task.commit_due(Instant::now() + SAVE * 2);
    rest(&mut task);
    assert_eq!(bench.pointer().landed.low(), 7);
    task.told(&tp(), 12);
    let given = task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!((given[&tp()].offset, bench.pointer().landed.low()), (12, 12));
}

#[test]
fn a_file_may_be_committed_though_a_letter_of_the_same_offsets_is_owed_after_it() {
    let bench = Bench::new();
    let mut task = bench.task(|layout| {
        by_shop(layout);
        layout.rotation = Rotation { apart: true, flush_size: Some(2), ..Rotation::default() };
    });
    open(&mut task, &begin(0));
    // offset 3 is refused, its letter is on its way
    put(&mut task, [shops(&[0, 1, 2], |offset| offset % 2), shops(&[4, 5, 6, 7], |offset| offset % 2)]);
    task.told(&tp(), 3);
    files(&mut task, 1, 2);
    let landed = bench.pointer().landed;
    assert_eq!((landed.low(), landed.runs()), (1, &run(2..3)[..]), "shop 0's first two, and nothing of what comes after 3");
    assert_eq!(bench.landed(), BTreeMap::from([("t/shop=0/t+0+0000000000.snappy.parquet".into(), vec![0, 2])]));
    drop(task);
    let mut task = bench.task(by_shop);
    let opened = open(&mut task, &begin(0));
    assert_eq!((opened.resume, opened.landed), (1, run(2..3)), "the letter is sent once more");
}

#[test]
fn files_that_waited_too_long_are_made_again() {
    let bench = Bench::new();
    let mut task = bench.flushing(5);
    open(&mut task, &begin(0));
    task.told(&tp(), 5);
    put(&mut task, [range(0..15)]);
    files(&mut task, 1, 2);
    task.commit_due(Instant::now() + MOST_WAITING - Duration::from_secs(60));
    assert_eq!(task.rewinds(), BTreeMap::new());
    let saved = |task: &LakeTask| task.partitions[&tp()].owner.is_some();
    assert!(task.wait(Instant::now() + WAIT, saved).expect("no failure"), "what was saved meanwhile is not written");
    task.commit_due(Instant::now() + MOST_WAITING + Duration::from_secs(60));
    assert_eq!(task.rewinds(), BTreeMap::from([(tp(), 5)]), "the store drops what is staged after some days");
    assert_eq!(open(&mut task, &begin(5)).resume, 5);
    put(&mut task, [range(5..15)]);
    assert_eq!((offset(&mut task), bench.ids()), (Some(15), (0..15).collect()));
}
