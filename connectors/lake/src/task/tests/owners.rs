//! Several owners of one partition, and writes of a pointer of which no answer comes.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::store::{Calls, away};
use super::*;

#[test]
fn of_two_owners_of_a_partition_the_first_is_fenced_and_each_record_lands_once() {
    let bench = Bench::new();
    let (mut late, mut new) = (bench.flushing(10), bench.flushing(8));
    open(&mut late, &begin(0));
    put(&mut late, [range(0..15)]);
    rest(&mut late);
    open(&mut new, &begin(0));
    assert_eq!((bench.pointer().epoch, bench.pointer().landed.low()), (2, 10));
    put(&mut new, [range(10..26)]);
    assert_eq!(offset(&mut new), Some(26));

    put(&mut late, [range(15..40)]);
    rest(&mut late);
    assert_eq!(late.shared.metrics.fenced.get(), 1);
    assert_eq!(late.pre_commit().expect("no failure"), BTreeMap::new(), "it has nothing to say");
    put(&mut late, [range(40..50)]);
    assert_eq!(late.rewinds(), BTreeMap::from([(tp(), 10)]), "what of it has not landed is read again");
    late.put(vec![range(40..50)], &mut strict).expect_err("it has to be opened again");
    let opened = open(&mut late, &begin(10));
    assert_eq!((opened.resume, bench.pointer().epoch), (26, 3));
    put(&mut late, [range(26..36)]);
    assert_eq!(offset(&mut late), Some(36));
    assert_eq!(bench.ids(), (0..36).collect::<Vec<_>>());

    // now the other one is
    put(&mut new, [range(26..34)]);
    rest(&mut new);
    assert_eq!((new.rewinds(), new.shared.metrics.fenced.get()), (BTreeMap::from([(tp(), 26)]), 1));
    assert_eq!(bench.ids(), (0..36).collect::<Vec<_>>());
}

#[test]
fn a_partition_that_is_let_go_after_it_was_fenced_says_nothing_to_the_group() {
    let bench = Bench::new();
    let mut late = bench.task(|layout| layout.flush_on_stop = true);
    open(&mut late, &begin(0));
    let given = late.pre_commit().expect("no failure");
    assert_eq!(given.len(), 1);
    let mut new = bench.flushing(4);
    open(&mut new, &begin(0));
    put(&mut new, [range(0..4)]);
    assert_eq!(offset(&mut new), Some(4));
    put(&mut late, [range(0..6)]);
    assert_eq!(late.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new());
    assert_eq!(late.rewinds(), BTreeMap::new(), "it is nobody's to read");
    assert_eq!(bench.ids(), (0..4).collect::<Vec<_>>());
}

/// A store that answers the `n`th write of a pointer, counted from 0, with a failure: before it is done, or after.
fn losing(bench: &Bench, n: usize, call: &'static str, calls: &Calls) -> Arc<Asking> {
    let (seen, calls) = (AtomicUsize::new(0), calls.clone());
    Asking::new(bench, move |asked| {
        calls.add(asked);
        let of_pointer = asked.strip_prefix(call).is_some_and(|path| path.starts_with("_landfall/v1"));
        if of_pointer && seen.fetch_add(1, Ordering::Relaxed) == n { away() } else { Ok(()) }
    })
}

#[test]
fn a_write_of_which_no_answer_comes_is_read_back_or_kept_away() {
    for (call, epoch) in [("put ", 2), ("was put ", 1)] {
        let bench = Bench::new();
        let calls = Calls::default();
        let mut task = bench.task_on(losing(&bench, 1, call, &calls), |layout| layout.rotation.flush_size = Some(5));
        open(&mut task, &begin(0));
        put(&mut task, [range(0..5)]);
        assert_eq!(offset(&mut task), Some(5), "{call}");
        let pointer = bench.pointer();
        assert_eq!(
            (pointer.epoch, pointer.seq, pointer.landed.low()),
            (epoch, 1, 5),
            "what was not applied never will be: {call}"
        );
        assert_eq!(calls.of("get ").len(), 2, "it is looked what became of it");
        assert_eq!(task.shared.metrics.fenced.get(), 0);
        put(&mut task, [range(5..10)]);
        assert_eq!(offset(&mut task), Some(10));
        assert_eq!(bench.lists(), [(0..5).collect::<Vec<_>>(), (5..10).collect()]);
    }
}

#[test]
fn an_opening_of_which_no_answer_comes_is_made_again() {
    for call in ["put ", "was put "] {
        let bench = Bench::new();
        let storage = losing(&bench, 0, call, &Calls::default());
        let mut task = bench.task_on(storage, |layout| layout.rotation.flush_size = Some(5));
        assert_eq!(open(&mut task, &begin(3)).resume, 3);
        put(&mut task, [range(3..8)]);
        assert_eq!(offset(&mut task), Some(8), "{call}");
    }
}

#[test]
fn an_answer_that_is_lost_while_another_takes_over_lands_nothing_twice() {
    let bench = Bench::new();
    let taken = Arc::new(AtomicBool::new(false));
    let taking = taken.clone();
    let commits = AtomicUsize::new(0);
    // the commit is not applied, and before it is looked for there is another owner
    let storage = Asking::new(&bench, move |call| match call {
        _ if call.starts_with("put _landfall/v1") && commits.fetch_add(1, Ordering::Relaxed) == 1 => away(),
        _ if call.starts_with("get ") && commits.load(Ordering::Relaxed) > 1 && !taking.load(Ordering::Relaxed) => away(),
        _ => Ok(()),
    });
    let mut late = bench.task_on(storage, |layout| layout.rotation.flush_size = Some(5));
    open(&mut late, &begin(0));
    put(&mut late, [range(0..5)]);
    let metrics = late.shared.metrics.clone();
    assert!(late.wait(Instant::now() + WAIT, |_| metrics.retries.get() > 2).expect("no failure"));
    let mut new = bench.flushing(3);
    assert_eq!(open(&mut new, &begin(0)).resume, 0);
    put(&mut new, [range(0..6)]);
    assert_eq!(offset(&mut new), Some(6));
    taken.store(true, Ordering::Relaxed);
    rest(&mut late);
    assert_eq!((late.rewinds(), metrics.fenced.get()), (BTreeMap::from([(tp(), 0)]), 1));
    assert_eq!(bench.lists(), [vec![0, 1, 2], vec![3, 4, 5]]);
}

#[test]
fn a_pointer_that_was_removed_is_not_made_again() {
    let bench = Bench::new();
    let mut task = bench.flushing(5);
    open(&mut task, &begin(0));
    let path = Pointer::path("topics/t/0");
    let is = bench.object(&path).1;
    assert!(bench.runtime.block_on(bench.store().remove(&path, &is)).expect("asked"));
    put(&mut task, [range(0..5)]);
    let why = failure(&mut task);
    assert!(why.contains("the pointer of t-0 was removed while its records were landing"), "{why}");
    assert_eq!(bench.files().len(), 0);
}
