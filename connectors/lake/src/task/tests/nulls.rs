//! Records without a value: they fail the task, are left out, are refused, or become rows.

use arrow_array::NullArray;

use super::*;
use crate::system::SystemColumn;

/// `batch` as a fetch of nothing but tombstones is converted while no schema is known.
fn tombstones(batch: Batch) -> Batch {
    let array = Arc::new(NullArray::new(batch.len()));
    Batch { value: Column { field: Arc::new(Field::new("value", DataType::Null, true)), array }, ..batch }
}

/// A task whose files end after four rows.
fn with(bench: &Bench, nulls: NullValues) -> LakeTask {
    bench.task(|layout| (layout.rotation.flush_size, layout.nulls) = (Some(4), nulls))
}

#[test]
fn a_null_value_fails_with_its_offset() {
    let bench = Bench::new();
    for (batch, offset) in [(nulled(range(5..8), &[6]), 6), (tombstones(range(5..8)), 5)] {
        let mut task = bench.flushing(10);
        open(&mut task, &begin(0));
        let error = task.put(vec![batch], &mut strict).expect_err("refused");
        let text = error.to_string();
        let java = "Null valued records are not writeable with current behavior.on.null.values 'settings.";
        assert!(text.contains(java) && text.contains(&format!("topic t, partition 0, offset {offset}")), "{text}");
    }
}

#[test]
fn a_null_value_fails_though_errors_are_tolerated_and_what_is_before_it_lands() {
    let bench = Bench::new();
    let mut task = bench.flushing(3);
    open(&mut task, &begin(0));
    let error = task.put(vec![nulled(range(0..8), &[5])], &mut |_, _| Ok(())).expect_err("not tolerated").to_string();
    assert!(error.contains("unrecoverable exception") && error.ends_with("topic t, partition 0, offset 5"), "{error}");
    assert_eq!(offset(&mut task), Some(3));
    assert_eq!(bench.lists(), [[0, 1, 2]]);
}

#[test]
fn null_values_that_are_reported_are_refused_one_by_one() {
    let bench = Bench::new();
    let mut task = with(&bench, NullValues::Report);
    open(&mut task, &begin(0));
    let said = |offset: i64| (offset, "Skipping null value record.".to_owned());
    assert_eq!(refused(&mut task, [nulled(range(0..6), &[0, 3]), tombstones(range(6..8))]), [0, 3, 6, 7].map(said));
    assert_eq!(offset(&mut task), Some(8), "with what is refused after it");
    assert_eq!(bench.lists(), [[1, 2, 4, 5]]);
    let mut task = with(&bench, NullValues::Report);
    open(&mut task, &begin(8));
    let error = task.put(vec![nulled(range(8..20), &[13, 14])], &mut strict).expect_err("not tolerated").to_string();
    assert!(error.contains("offset 13: "), "{error}");
    assert_eq!(offset(&mut task), Some(12), "what is before it lands");
}

#[test]
fn null_values_that_are_ignored_are_left_out_and_covered() {
    let bench = Bench::new();
    let mut task = with(&bench, NullValues::Ignore);
    open(&mut task, &begin(0));
    put(&mut task, [tombstones(range(0..3))]);
    task.commit_due(Instant::now() + SAVE * 2);
    assert_eq!(offset(&mut task), Some(3), "committed without a file");
    let all = nulled(range(3..12), &[3, 5, 6, 11]);
    put(&mut task, [all, tombstones(range(12..14)), range(14..16)]);
    rest(&mut task);
    assert_eq!(bench.lists(), [[4, 7, 8, 9]], "tombstones do not end a file");
    put(&mut task, [nulled(range(16..20), &[16, 19])]);
    assert_eq!(offset(&mut task), Some(18));
    assert_eq!(bench.lists(), [[4, 7, 8, 9], [10, 14, 15, 17]]);
    assert_eq!(task.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new(), "18 is dropped with its file");
    assert_eq!(open(&mut task, &begin(4)).resume, 18);
    put(&mut task, [nulled(range(18..30), &[19, 20])]);
    rest(&mut task);
    assert_eq!(bench.lists().last().expect("a file"), &[24, 25, 26, 27]);
}

#[test]
fn null_values_that_are_written_are_rows_of_their_keys() {
    let bench = Bench::new();
    let writing = || {
        bench.task(|layout| {
            (layout.rotation.flush_size, layout.nulls) = (Some(4), NullValues::Write);
            layout.columns.system = vec![SystemColumn::Offset, SystemColumn::Key];
        })
    };
    let mut task = writing();
    open(&mut task, &begin(0));
    put(&mut task, [tombstones(range(0..2)), nulled(range(2..5), &[3]), tombstones(range(5..7))]);
    put(&mut task, [tombstones(range(7..8)), range(8..10)]);
    assert_eq!(offset(&mut task), Some(10), "nothing is known of the values of the first file");
    put(&mut task, [nulled(range(10..14), &[11])]);
    assert_eq!(offset(&mut task), Some(14));
    drop(task);
    let mut task = writing();
    assert_eq!(open(&mut task, &begin(14)).resume, 14);
    put(&mut task, [tombstones(range(14..16)), range(16..20)]);
    assert_eq!(offset(&mut task), Some(20), "what the last file shows of their values is known");

    let rows = |first: i64| -> Vec<(Option<i64>, i64, i64)> {
        let rows = |batch: RecordBatch| -> Vec<_> {
            let id = batch.column_by_name("id").map(|ids| ids.as_primitive::<Int64Type>().clone());
            let offsets = batch.column_by_name("__offset").expect("offsets").as_primitive::<Int64Type>().clone();
            let keys = batch.column_by_name("__key").expect("keys").as_binary::<i32>().clone();
            let key = |row: usize| i64::from_le_bytes(keys.value(row).try_into().expect("8 bytes"));
            let id = |row: usize| id.as_ref().filter(|ids| ids.is_valid(row)).map(|ids| ids.value(row));
            (0..batch.num_rows()).map(|row| (id(row), offsets.value(row), key(row))).collect()
        };
        bench.read(&file(first)).into_iter().flat_map(rows).collect()
    };
    let expected = |offsets: Range<i64>, null: &[i64]| -> Vec<(Option<i64>, i64, i64)> {
        offsets.map(|o| ((!null.contains(&o)).then_some(o), o, o)).collect()
    };
    for (offsets, null) in [(0..2, &[0, 1][..]), (2..6, &[3, 5]), (6..10, &[6, 7]), (10..14, &[11]), (14..16, &[14, 15]), (16..20, &[])] {
        assert_eq!(rows(offsets.start), expected(offsets, null));
    }
    assert_eq!(bench.files().len(), 6);
    assert_eq!(bench.columns(&file(14)), ["id", "__offset", "__key"]);
}

#[test]
fn null_values_that_are_written_join_the_rows_before_them_whatever_was_dropped_between() {
    let bench = Bench::new();
    let mut task = with(&bench, NullValues::Write);
    open(&mut task, &begin(0));
    // What transforms have dropped has the schema of before them.
    let dropped = Batch { covers: 2..5, ..batch(&[2, 3, 4], "an envelope").slice(&(0..0)) };
    put(&mut task, [range(0..2), dropped, tombstones(range(5..7))]);
    assert_eq!(offset(&mut task), Some(7));
    assert_eq!(bench.files(), [file(0)]);
}

#[test]
fn null_values_that_are_written_may_have_fields_with_fields_that_are_required() {
    let bench = Bench::new();
    let mut task = with(&bench, NullValues::Write);
    open(&mut task, &begin(0));
    let nest = |batch: Batch| {
        let fields = Fields::from(vec![Field::new("inner", batch.value.field.data_type().clone(), false)]);
        let array = Arc::new(StructArray::new(fields.clone(), vec![batch.value.array.clone()], None));
        Batch { value: Column { field: Arc::new(Field::new("v", DataType::Struct(fields), false)), array }, ..batch }
    };
    put(&mut task, [nest(range(0..2)), tombstones(range(2..4))]);
    assert_eq!(offset(&mut task), Some(4));
    assert_eq!(bench.files(), [file(0)]);
}
