//! Rows that no file can take: each costs only itself.

use super::*;
use crate::system::SystemColumn;

/// A batch with the column `id`, which is required, and null where `nulls` says.
fn lacking(offsets: Range<i64>, nulls: &[i64]) -> Batch {
    let batch = range(offsets);
    let ids: Int64Array = batch.offset.values().iter().map(|offset| (!nulls.contains(offset)).then_some(*offset)).collect();
    let optional = Fields::from(vec![Field::new("id", DataType::Int64, true)]);
    let array = StructArray::new(optional, vec![Arc::new(ids)], None);
    Batch { value: Column { field: batch.value.field.clone(), array: Arc::new(array) }, ..batch }
}

fn offsets(refused: &[(i64, String)]) -> Vec<i64> {
    refused.iter().map(|(offset, _)| *offset).collect()
}

#[test]
fn one_bad_row_of_a_batch_costs_only_itself() {
    let bench = Bench::new();
    let mut task = bench.flushing(4);
    open(&mut task, &begin(0));
    let bad = refused(&mut task, [range(0..2), lacking(2..9, &[4, 8])]);
    assert_eq!(offsets(&bad), [4, 8]);
    assert!(bad[0].1.contains("id: it is null, and its schema requires a value"), "{bad:?}");
    assert_eq!(offset(&mut task), Some(5), "4 is done with");
    assert_eq!(bench.lists(), [[0, 1, 2, 3]]);
    assert_eq!(refused(&mut task, [lacking(9..12, &[9, 10, 11]), range(12..13)]).len(), 3);
    rest(&mut task);
    assert_eq!(bench.lists(), [[0, 1, 2, 3], [5, 6, 7, 12]]);
}

#[test]
fn what_is_before_a_row_that_is_not_tolerated_lands() {
    let bench = Bench::new();
    let mut task = bench.flushing(2);
    open(&mut task, &begin(13));
    task.put(vec![lacking(13..20, &[16, 18])], &mut strict).expect_err("not tolerated");
    assert_eq!(offset(&mut task), Some(15));
    assert_eq!(task.partitions[&tp()].tracker.position(), 16, "nothing from it on is done with");
}

#[test]
fn a_row_that_has_no_folder_is_refused() {
    let bench = Bench::new();
    let mut task = bench.task(|layout| {
        by_shop(layout);
        layout.rotation.flush_size = Some(2);
    });
    open(&mut task, &begin(0));
    let bad = refused(&mut task, [shops(&[0], |_| 1), range(1..3), shops(&[3], |_| 1)]);
    assert_eq!(offsets(&bad), [1, 2]);
    assert!(bad[0].1.contains("Field 'shop' is not present in the schema."), "{bad:?}");
    assert_eq!(offset(&mut task), Some(4));
    assert_eq!(bench.lists(), [[0, 3]]);
}

#[test]
fn a_value_that_has_a_system_column_is_refused() {
    let bench = Bench::new();
    let mut task = bench.task(|layout| {
        (layout.rotation.flush_size, layout.columns.system) = (Some(2), vec![SystemColumn::Offset]);
    });
    open(&mut task, &begin(0));
    let clashing = structs(&[1, 2, 3], vec![("__offset", numbers(1..4))], &[]);
    let bad = refused(&mut task, [range(0..1), clashing, range(4..5)]);
    assert_eq!(offsets(&bad), [1, 2, 3]);
    assert!(bad[0].1.contains("the value has a field __offset"), "{bad:?}");
    rest(&mut task);
    assert_eq!(bench.lists(), [[0, 4]]);
}

#[test]
fn keys_of_another_schema_end_a_file_only_where_they_have_a_column() {
    for (system, files) in [(vec![], 1), (vec![SystemColumn::Key], 2)] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            layout.columns.system = system.clone();
            layout.flush_on_stop = true;
        });
        open(&mut task, &begin(0));
        let mut other = range(3..6);
        other.key.field = Arc::new(other.key.field.as_ref().clone().with_name("other"));
        put(&mut task, [range(0..3), other]);
        task.close(&[tp()], false, WAIT).expect("close");
        assert_eq!((bench.files().len(), bench.ids()), (files, (0..6).collect()));
    }
}
