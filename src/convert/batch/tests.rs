use super::super::build;
use super::*;
use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{BinaryArray, Int64Array, TimestampMillisecondArray};
use landfall_api::{Faults, Opening, Properties, Role, SinkTask as _, TaskContext, TopicPartition};
use landfall_lake::LakeTask;
use landfall_lake::config::LakeConfig;
use landfall_lake::encode::Format;
use landfall_lake::encode::parquet::Codec;
use landfall_lake::storage::local::LocalStorage;
use std::time::Duration;

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

type Row<'a> = (i64, Option<&'a str>, Option<&'a str>, &'a [(&'a str, &'a str)]);

fn raw(rows: &[Row<'_>]) -> Arc<RawBatch> {
    let key: BinaryArray = rows.iter().map(|r| r.1).collect();
    let value: BinaryArray = rows.iter().map(|r| r.2).collect();
    let fields = [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)];
    let builders: Vec<Box<dyn arrow_array::builder::ArrayBuilder>> =
        vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())];
    let mut headers = ListBuilder::new(StructBuilder::new(fields.to_vec(), builders));
    for (.., list) in rows {
        for (key, value) in *list {
            headers.values().field_builder::<StringBuilder>(0).unwrap().append_value(key);
            headers.values().field_builder::<BinaryBuilder>(1).unwrap().append_value(value);
            headers.values().append(true);
        }
        headers.append(true);
    }
    Arc::new(RawBatch {
        origin: TopicPartition::new("t", 3),
        key,
        value,
        offset: rows.iter().map(|r| r.0).collect::<Int64Array>(),
        timestamp: TimestampMillisecondArray::from(vec![None; rows.len()]),
        headers: rows.iter().any(|r| !r.3.is_empty()).then(|| headers.finish()),
    })
}

fn convert(raw: &Arc<RawBatch>, covers: Range<i64>, header: &str, schemaless_header: bool) -> Converted {
    let make = |class: &str, properties: &[(&str, &str)], role| {
        let properties: Properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        build(class, &properties, role).expect("valid")
    };
    let plain: &[_] = if schemaless_header { &[("schemas.enable", "false")] } else { &[] };
    let of = |class, converter| Configured { class, converter };
    let mut converters = Converters {
        key: of("key class", make(JSON, &[("schemas.enable", "false")], Role::Key)),
        value: of("value class", make(JSON, &[], Role::Value)),
        header: of("header class", make(header, plain, Role::Header)),
    };
    converters.convert(raw, covers).expect("available")
}

const INT: Option<&str> = Some(r#"{"schema":{"type":"int32"},"payload":1}"#);
const TEXT: Option<&str> = Some(r#"{"schema":{"type":"string"},"payload":"x"}"#);

#[test]
fn batches_are_cut_at_schemas_and_cover_all_offsets() {
    let raw = raw(&[(10, Some("1"), INT, &[]), (12, None, None, &[]), (13, Some("2"), TEXT, &[]), (20, Some("3"), INT, &[])]);
    let Converted { batches, refused } = convert(&raw, 8..25, "SimpleHeaderConverter", false);
    assert!(refused.is_empty());
    let shape: Vec<_> = batches.iter().map(|b| (b.len(), b.covers.clone(), b.value.field.data_type().clone())).collect();
    let (int, text) = (DataType::Int32, DataType::Utf8);
    assert_eq!(shape, [(2, 8..13, int.clone()), (1, 13..20, text), (1, 20..25, int)]);
    assert!(batches.iter().all(|b| b.key.array.len() == b.len() && b.value.array.len() == b.len() && b.headers.is_none()));
    assert!(batches.iter().all(|b| *b.key.field.data_type() == DataType::Int64));
}

/// The batches' lengths and what they cover.
fn shape(batches: &[Batch]) -> Vec<(usize, Range<i64>)> {
    batches.iter().map(|b| (b.len(), b.covers.clone())).collect()
}

#[test]
fn a_refused_record_costs_only_itself() {
    let rows = [
        (10, Some("1"), INT, &[][..]),
        (12, Some("2"), Some("{}"), &[("h", "1")]),
        (13, Some("["), None, &[]),
        (15, Some("3"), INT, &[]),
    ];
    let Converted { batches, refused } = convert(&raw(&rows), 9..17, "SimpleHeaderConverter", false);
    assert_eq!(shape(&batches), [(2, 9..17)]);
    assert_eq!(batches[0].offset.values(), &[10, 15]);
    assert_eq!(batches[0].value.array.as_primitive::<Int32Type>().values(), &[1, 1]);
    let refused: Vec<_> = refused.iter().map(|r| (r.offset, r.stage, &*r.class)).collect();
    assert_eq!(refused, [(12, Stage::ValueConverter, "value class"), (13, Stage::KeyConverter, "key class")]);
}

#[test]
fn what_is_between_refused_records_is_one_batch_unless_it_is_long_or_differs() {
    let bad = (Some("1"), Some("{}"));
    let of = |runs: &[(usize, Option<&'static str>)]| {
        let rows = runs.iter().flat_map(|&(rows, value)| std::iter::repeat_n((Some("1"), value), rows).chain([bad]));
        let rows: Vec<Row<'_>> = rows.zip(0..).map(|((key, value), offset)| (offset, key, value, &[][..])).collect();
        let Converted { batches, refused } = convert(&raw(&rows), 0..rows.len() as i64, "SimpleHeaderConverter", false);
        assert_eq!(refused.len(), runs.len());
        for batch in &batches {
            let is_good = |offset: &i64| rows[*offset as usize].2 != bad.1;
            assert!(batch.offset.values().iter().all(is_good) && batch.value.array.len() == batch.len(), "{batch:?}");
        }
        shape(&batches)
    };
    let short = SHORT as i64 - 1;
    assert_eq!(of(&[(SHORT - 1, INT), (2, INT), (3, TEXT), (1, TEXT)]), [(SHORT + 1, 0..short + 4), (4, short + 4..short + 10)]);
    assert_eq!(of(&[(1, INT), (SHORT, INT), (1, INT)]), [(1, 0..2), (SHORT, 2..short + 4), (1, short + 4..short + 6)]);
    assert_eq!(of(&[(0, INT), (0, INT)]), [(0, 0..2)]);
}

#[test]
fn of_one_record_the_key_fails_first_and_its_offset_is_covered() {
    let Converted { batches, refused } = convert(&raw(&[(5, Some("["), Some("{}"), &[])]), 3..6, "SimpleHeaderConverter", false);
    assert_eq!(shape(&batches), [(0, 3..6)]);
    assert_eq!((refused.len(), refused[0].stage), (1, Stage::KeyConverter));
}

#[test]
fn a_refused_header_names_its_record() {
    let rows = [
        (1, None, INT, &[("a", "1")][..]),
        (2, None, INT, &[]),
        (3, None, INT, &[("b", "["), ("c", "{")]),
        (4, None, INT, &[("d", "4")]),
    ];
    let raw = raw(&rows);
    // A slice begins in the middle of the headers.
    for (raw, first) in [(raw.clone(), 0), (Arc::new(raw.slice(&(1..4))), 1)] {
        let Converted { batches, refused } = convert(&raw, 1..5, JSON, true);
        let refused: Vec<_> = refused.iter().map(|r| (r.offset, r.stage)).collect();
        assert_eq!(refused, [(3, Stage::HeaderConverter)]);
        assert_eq!(shape(&batches), [(3 - first, 1..5)]);
        let headers = batches[0].headers.as_ref().expect("headers").value(2 - first);
        assert_eq!(headers.as_struct().column(0).as_string::<i32>().value(0), "d");
    }
}

#[test]
fn a_fetch_without_a_record_is_no_batch() {
    let Converted { batches, refused } = convert(&raw(&[]), 5..9, "SimpleHeaderConverter", false);
    assert!(batches.is_empty() && refused.is_empty());
}

/// Lands each of `records` (one JSON text an offset) in a file of its own, as a worker that begins at `first` does; the schema of the
/// last batch.
fn land(root: &std::path::Path, first: i64, records: &[&str]) -> DataType {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let given = Properties::from([("flush.size".to_owned(), "1".to_owned())]);
    let lake = LakeConfig::read(std::convert::identity, &given, &mut Faults::default()).expect("valid");
    let format = Format::Parquet(Codec::named("snappy").expect("a codec").into());
    let layout = lake.layout(format, "topics".into()).expect("valid");
    let context = TaskContext::new("c", 0, runtime.handle().clone(), 64 << 20);
    let store = Arc::new(LocalStorage::new(root));
    let mut task = LakeTask::new(layout, store.clone(), store, context);
    let schemaless = Properties::from([("schemas.enable".to_owned(), "false".to_owned())]);
    let make = |role| Configured { class: JSON, converter: build(JSON, &schemaless, role).expect("valid") };
    let mut converters = Converters { key: make(Role::Key), value: make(Role::Value), header: make(Role::Header) };
    let rows: Vec<Row<'_>> = records.iter().zip(first..).map(|(text, offset)| (offset, None, Some(*text), &[][..])).collect();
    let raw = raw(&rows);
    let opened = loop {
        if let Some(opened) = task.open(&raw.origin, &Opening::default()).expect("asked") {
            break opened;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(opened.resume, first);
    if let Some(learned) = opened.learned {
        converters.value.converter.recall(&raw.origin.topic, &learned);
    }
    let converted = converters.convert(&raw, first..first + records.len() as i64).expect("available");
    let data_type = converted.batches.last().expect("one").value.field.data_type().clone();
    task.put(converted.batches, &mut |_, error| panic!("{error}")).expect("put");
    task.close(std::slice::from_ref(&raw.origin), false, Duration::from_secs(20)).expect("close");
    data_type
}

#[test]
fn what_was_learned_survives_a_restart_by_the_last_file() {
    let root = tempfile::tempdir().expect("a directory");
    let before = land(root.path(), 0, &[r#"{"a":1,"s":{"x":[true],"m":1},"m":1}"#, r#"{"s":{"m":"two"},"m":[]}"#]);
    let after = land(root.path(), 2, &[r#"{"b":"new","m":5,"s":{"m":6}}"#]);
    let (DataType::Struct(before), DataType::Struct(after)) = (before, after) else { panic!("structs") };
    assert_eq!(after.iter().map(|f| &**f.name()).collect::<Vec<_>>(), ["a", "s", "m", "b"]);
    assert_eq!(after[..3], before[..], "types and marks, at every depth");
    // A value of several types goes on as the JSON that it is.
    assert_eq!((after[2].data_type(), &*after[2].metadata()["connect.schemaless"]), (&DataType::Utf8, "json"));
    // Nothing to learn from, and still all columns.
    let DataType::Struct(again) = land(root.path(), 3, &["{}"]) else { panic!("a struct") };
    assert_eq!(again, after);
}

#[test]
fn plain_values_of_several_types_survive_a_restart_too() {
    let root = tempfile::tempdir().expect("a directory");
    land(root.path(), 0, &["1", "\"two\""]);
    assert_eq!(land(root.path(), 2, &["3"]), DataType::Utf8);
}

#[test]
fn typed_headers_become_their_text() {
    let rows: &[Row<'_>] = &[
        (0, None, INT, &[("n", "1.50"), ("o", r#"{"b":"x","a":[1]}"#)]),
        (1, None, INT, &[]),
        (2, None, INT, &[("s", "\"x\""), ("z", "null")]),
    ];
    let converted = convert(&raw(rows), 0..3, JSON, true);
    let headers = converted.batches[0].headers.as_ref().expect("headers");
    let text: Vec<_> = headers.values().as_struct().column(1).as_binary::<i32>().iter().collect();
    assert_eq!(text, [Some(&b"1.5"[..]), Some(br#"{"a":[1],"b":"x"}"#), Some(b"x"), None]);
    assert_eq!(headers.value_offsets(), [0, 2, 2, 4]);
}
