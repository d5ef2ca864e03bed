//! What is done where the memory is small: rows wait, files end, and a record that is too large is refused.

use super::*;

/// A task with `memory` bytes, whose files are those of shops.
fn small(bench: &Bench, memory: usize, apart: bool) -> LakeTask {
    bench.task_of(bench.context("c", memory), Arc::new(bench.store()), |layout| {
        by_shop(layout);
        (layout.rotation.apart, layout.flush_on_stop) = (apart, true);
    })
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

#[test]
fn files_that_fill_the_memory_end() {
    const SHOPS: i64 = 60;
    for apart in [true, false] {
        let bench = Bench::new();
        let mut task = small(&bench, 1 << 19, apart);
        open(&mut task, &begin(0));
        put(&mut task, [shops(&(0..SHOPS).collect::<Vec<_>>(), |offset| offset)]);
        assert!(task.context.memory.used() > 1 << 19);
        assert!(task.ready(WAIT).expect("no failure"), "there is room again");
        let ended = &task.shared.metrics.files_ended;
        let (memory, others) = (ended.memory.get(), ended.commit.get());
        assert!(memory > 0, "{memory} and {others}");
        assert!(apart && others == 0 || !apart && memory + others == SHOPS as u64, "{memory} and {others}");
        task.close(&[tp()], false, WAIT).expect("close");
        assert_eq!(bench.ids(), (0..SHOPS).collect::<Vec<_>>());
    }
}

#[test]
fn a_record_that_takes_too_much_is_refused() {
    let bench = Bench::new();
    let mut task = small(&bench, 1 << 20, false);
    open(&mut task, &begin(0));
    let (little, much) = (vec![0; 8], vec![0; 300 << 10]);
    let value = BinaryArray::from_iter_values([&little, &much, &little]);
    let columns = vec![("id", numbers(0..3)), ("shop", numbers([0; 3])), ("blob", Arc::new(value.clone()) as ArrayRef)];
    let batch = structs(&[0, 1, 2], columns, &[]);
    let raw = Arc::new(RawBatch { value, ..batch.raw.as_ref().clone() });
    let bad = refused(&mut task, [Batch { raw, ..batch }]);
    let [(1, why)] = &bad[..] else { panic!("{bad:?}") };
    assert!(why.starts_with("the record takes 307") && why.contains("landfall.memory.bytes=1048576"), "{why}");
    task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!((bench.lists(), bench.pointer().landed.low()), (vec![vec![0, 2]], 3));
}
