//! Rows of another schema: by each rule, over files, folders and restarts.

use super::*;
use crate::encode::json;

/// A batch of version `version` of a schema, which has the fields up to it.
fn version(offsets: Range<i64>, version: i64) -> Batch {
    let offsets: Vec<i64> = offsets.collect();
    let all = ["id", "b", "c"].into_iter().take(version as usize);
    let columns = all.map(|name| (name, numbers(offsets.iter().map(|o| if name == "id" { *o } else { *o * 10 })))).collect();
    let batch = structs(&offsets, columns, &[("connect.name", "order"), ("connect.version", &version.to_string())]);
    // later fields may be left out
    let (fields, arrays, _) = batch.value.array.as_struct().clone().into_parts();
    let fields: Fields = fields.iter().map(|f| f.as_ref().clone().with_nullable(f.name() != "id")).collect();
    let field = Arc::new(batch.value.field.as_ref().clone().with_data_type(DataType::Struct(fields.clone())));
    Batch { value: Column { field, array: Arc::new(StructArray::new(fields, arrays, None)) }, ..batch }
}

fn ruled(bench: &Bench, rule: Rule) -> LakeTask {
    bench.task(|layout| (layout.rule, layout.flush_on_stop) = (rule, true))
}

/// The ids and the columns of the files that versions 1, 2 and 1 of a schema land in.
fn landed(rule: Rule) -> (u64, Vec<(Vec<i64>, Vec<String>)>) {
    let bench = Bench::new();
    let mut task = ruled(&bench, rule);
    open(&mut task, &begin(0));
    put(&mut task, [version(0..2, 1), version(2..4, 2), version(4..6, 1), version(6..7, 2)]);
    let ended = task.shared.metrics.files_ended.schema.get();
    task.close(&[tp()], false, WAIT).expect("close");
    (ended, bench.landed().into_iter().map(|(file, ids)| (ids, bench.columns(&file))).collect())
}

#[test]
fn a_schema_change_ends_the_file_by_its_rule() {
    let files = |files: &[(Range<i64>, usize)]| -> Vec<(Vec<i64>, Vec<String>)> {
        let columns = |n: usize| ["id", "b", "c"].iter().take(n).map(ToString::to_string).collect();
        files.iter().map(|(ids, n)| (ids.clone().collect(), columns(*n))).collect()
    };
    assert_eq!(landed(Rule::None), (3, files(&[(0..2, 1), (2..4, 2), (4..6, 1), (6..7, 2)])));
    assert_eq!(landed(Rule::Backward), (1, files(&[(0..2, 1), (2..7, 2)])), "older ones are projected");
    assert_eq!(landed(Rule::Full), landed(Rule::Backward));
    assert_eq!(landed(Rule::Forward), (0, files(&[(0..7, 1)])), "newer ones are projected");
    assert_eq!(landed(Rule::Widen), (1, files(&[(0..2, 1), (2..7, 2)])));
}

#[test]
fn projected_rows_have_null_where_they_have_no_value() {
    for rule in [Rule::Backward, Rule::Widen] {
        let bench = Bench::new();
        let mut task = ruled(&bench, rule);
        open(&mut task, &begin(0));
        put(&mut task, [version(0..2, 2), version(2..4, 1), version(4..5, 2)]);
        task.close(&[tp()], false, WAIT).expect("close");
        assert_eq!(bench.files(), [file(0)]);
        assert_eq!(bench.column(&file(0), "b"), [Some(0), Some(10), None, None, Some(40)]);
    }
}

#[test]
fn a_schema_without_a_version_is_refused_where_versions_count() {
    let bench = Bench::new();
    let mut task = ruled(&bench, Rule::Backward);
    open(&mut task, &begin(0));
    let bad = refused(&mut task, [version(0..2, 1), shops(&[2, 3], |_| 0), version(4..5, 1)]);
    assert_eq!(bad.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [2, 3]);
    task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!(bench.lists(), [[0, 1, 4]]);
}

#[test]
fn a_schema_change_of_one_folder_ends_all_files_or_its_own() {
    let wide = |offsets: &[i64], shop: i64| {
        let columns = vec![("id", numbers(offsets.to_vec())), ("shop", numbers(offsets.iter().map(|_| shop)))];
        structs(offsets, columns, &[("connect.doc", "new")])
    };
    for (apart, files) in [(true, vec![vec![0, 4], vec![1], vec![3]]), (false, vec![vec![0], vec![4], vec![1], vec![3]])] {
        let bench = Bench::new();
        let mut task = bench.task(|layout| {
            by_shop(layout);
            (layout.rotation.apart, layout.flush_on_stop) = (apart, true);
        });
        open(&mut task, &begin(0));
        put(&mut task, [shops(&[0, 1], |offset| offset), wide(&[3], 1), shops(&[4], |_| 0)]);
        task.close(&[tp()], false, WAIT).expect("close");
        assert_eq!(bench.lists(), files, "apart: {apart}");
    }
}

#[test]
fn what_was_learned_is_found_again_in_the_last_file() {
    let bench = Bench::new();
    let widening = || bench.task(|layout| (layout.rule, layout.rotation.flush_size) = (Rule::Widen, Some(2)));
    let mut task = widening();
    open(&mut task, &begin(0));
    put(&mut task, [version(0..2, 3)]);
    rest(&mut task);
    drop(task);
    let mut task = widening();
    let learned = open(&mut task, &begin(0)).learned.expect("a schema");
    let DataType::Struct(fields) = learned.data_type() else { panic!("{learned:?}") };
    assert_eq!(fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["id", "b", "c"]);
    put(&mut task, [version(2..4, 1), version(4..6, 2)]);
    rest(&mut task);
    assert_eq!(bench.files().len(), 3);
    assert!([2, 4].iter().all(|first| bench.columns(&file(*first)) == ["id", "b", "c"]), "a column that was there stays");
    assert_eq!(bench.column(&file(2), "b"), [None, None]);
}

#[test]
fn what_a_folder_has_taught_the_others_know() {
    let bench = Bench::new();
    let mut task = bench.task(|layout| {
        by_shop(layout);
        (layout.rule, layout.rotation.apart, layout.flush_on_stop) = (Rule::Widen, true, true);
    });
    let more = |offset: i64, shop: i64| {
        structs(&[offset], vec![("id", numbers([offset])), ("shop", numbers([shop])), ("more", numbers([7]))], &[])
    };
    open(&mut task, &begin(0));
    put(&mut task, [shops(&[0, 1], |offset| offset), more(2, 0), shops(&[3], |_| 1), shops(&[4], |_| 2)]);
    task.close(&[tp()], false, WAIT).expect("close");
    let with = |file: &str| bench.columns(file).contains(&"more".to_owned());
    let found: BTreeMap<_, _> = bench.landed().into_iter().map(|(file, ids)| (ids, with(&file))).collect();
    assert_eq!(found, BTreeMap::from([(vec![0], false), (vec![2], true), (vec![1, 3], false), (vec![4], true)]));
}

/// A batch of values without a schema; `doc` makes their fields differ.
fn schemaless(offsets: Range<i64>, doc: &str) -> Batch {
    let mut batch = batch(&offsets.collect::<Vec<_>>(), doc);
    let mut metadata = batch.value.field.metadata().clone();
    metadata.insert("connect.schemaless", "true");
    batch.value.field = Arc::new(batch.value.field.as_ref().clone().with_metadata(metadata));
    batch
}

#[test]
fn json_goes_on_where_schemaless_values_change() {
    let bench = Bench::new();
    let json = || {
        bench.task_on(Arc::new(bench.store().needing_metadata()), |layout| {
            layout.columns.format = Format::Json(json::Options::default());
            layout.rotation.flush_size = Some(4);
        })
    };
    let mut task = json();
    open(&mut task, &begin(0));
    put(&mut task, [schemaless(0..1, "a"), schemaless(1..2, "b"), schemaless(2..4, "c")]);
    put(&mut task, [schemaless(4..6, "c"), batch(&[6, 7], "d"), batch(&[8, 9], "e")]);
    assert_eq!(offset(&mut task), Some(8), "values with a schema do end a file");
    drop(task);
    let mut task = json();
    let opened = open(&mut task, &begin(0));
    assert_eq!((opened.resume, opened.learned), (8, None), "nothing is to be learned again");
    put(&mut task, [schemaless(8..12, "a")]);
    rest(&mut task);
    for (first, last) in [(0, 3), (4, 5), (6, 7), (8, 11)] {
        let path = bench.at(&format!("topics/t/partition=0/t+0+{first:010}.json"));
        let text = std::fs::read_to_string(path).expect("a file");
        assert_eq!(text, (first..=last).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>());
    }
}
