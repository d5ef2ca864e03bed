//! Whole partitioners.

use super::*;
use std::collections::HashMap;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int32Array, StringArray, StructArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use landfall_api::schema::{NAME, SCHEMALESS, TIMESTAMP};
use landfall_api::{Column, Properties, RawBatch, TopicPartition};

/// Rows of partition 3 of `orders` from offset 10 on.
pub(super) fn put(value: Column) -> Batch {
    let rows = value.array.len() as i64;
    let origin = TopicPartition::new("orders", 3);
    let bytes = BinaryArray::from_iter_values((0..rows).map(i64::to_le_bytes));
    let offset = Int64Array::from_iter_values(10..10 + rows);
    let timestamp = TimestampMillisecondArray::from_iter_values((0..rows).map(|row| 1_700_000_000_000 + row * 60_000));
    let raw = RawBatch {
        origin: origin.clone(),
        key: bytes.clone(),
        value: bytes.clone(),
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    Batch {
        origin,
        topic: "orders".into(),
        key: Column { field: Arc::new(Field::new("k", DataType::Binary, true)), array: Arc::new(bytes) },
        value,
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers: 10..10 + rows,
    }
}

pub(super) fn fields(columns: Vec<(Field, ArrayRef)>) -> Column {
    let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().map(|(f, a)| (Arc::new(f), a)).unzip();
    let fields = Fields::from(fields);
    let array = StructArray::new(fields.clone(), arrays, None);
    Column { field: Arc::new(Field::new("v", DataType::Struct(fields), true)), array: Arc::new(array) }
}

pub(super) fn column(name: &str, array: impl Array + 'static) -> (Field, ArrayRef) {
    (Field::new(name, array.data_type().clone(), true), Arc::new(array))
}

pub(super) fn schemaless(column: Column) -> Column {
    let mark = HashMap::from([(SCHEMALESS.to_owned(), "true".to_owned())]);
    Column { field: Arc::new(column.field.as_ref().clone().with_metadata(mark)), ..column }
}

pub(super) fn marked((field, array): (Field, ArrayRef), key: &str, value: &str) -> (Field, ArrayRef) {
    (field.with_metadata(HashMap::from([(key.to_owned(), value.to_owned())])), array)
}

/// The folder of each row.
pub(super) fn of_rows(folders: &Folders, rows: usize) -> Vec<&str> {
    (0..rows).map(|row| &*folders.names[folders.rows.as_ref().map_or(0, |rows| rows[row] as usize)]).collect()
}

fn given(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
}

fn read(pairs: &[(&str, &str)]) -> Result<Arc<dyn Partitioner>, String> {
    let mut faults = Faults::default();
    let read = PartitionerKeys::read(std::convert::identity, &given(pairs), &mut faults);
    faults.or(read).map_err(|faults| faults.to_string())
}

const PACKAGE: &str = "io.confluent.connect.storage.partitioner.";

fn partitioner(simple: &str, pairs: &[(&str, &str)]) -> Arc<dyn Partitioner> {
    let class = format!("{PACKAGE}{simple}");
    let time = [("locale", "en"), ("timezone", "UTC")];
    read(&[&[("partitioner.class", class.as_str())][..], &time, pairs].concat()).expect("good")
}

/// What the partitioner gives the rows, and what it refuses.
fn folders(partitioner: &dyn Partitioner, batch: &Batch) -> Result<Vec<String>, String> {
    let folders = partitioner.folders(batch, 1_763_757_000_000).map_err(|refused| {
        let texts: Vec<String> = refused.iter().map(|(row, error)| format!("{row} {error}")).collect();
        texts.join("\n")
    })?;
    assert_eq!(folders.times.is_some(), partitioner.time_based());
    Ok(of_rows(&folders, batch.len()).into_iter().map(str::to_owned).collect())
}

#[test]
fn a_kafka_partition_is_a_folder() {
    let batch = put(fields(vec![column("a", Int64Array::from(vec![1, 2]))]));
    assert_eq!(folders(&*read(&[]).expect("the default"), &batch), Ok(vec!["partition=3".into(); 2]));
    let none = batch.slice(&(0..0));
    assert_eq!(folders(&*partitioner("DefaultPartitioner", &[]), &none), Ok(vec![]));
}

#[test]
fn fields_are_folders() {
    let inner = fields(vec![column("code", StringArray::from(vec![Some("eu"), None, Some("a/b"), Some("eu")]))]);
    let nulls = Some(vec![true, true, true, false].into());
    let inner = StructArray::new(
        inner.array.as_any().downcast_ref::<StructArray>().expect("a struct").fields().clone(),
        vec![inner.array.as_any().downcast_ref::<StructArray>().expect("a struct").column(0).clone()],
        nulls,
    );
    let value = fields(vec![
        column("country", inner),
        column("n", Int8Array::from(vec![Some(1), Some(1), None, Some(-1)])),
        column("ok", BooleanArray::from(vec![true, false, true, false])),
        column("x", Float64Array::from(vec![1.0; 4])),
    ]);
    let batch = put(value.clone());
    let by = |names: &str| partitioner("FieldPartitioner", &[("partition.field.name", names)]);
    let found = folders(&*by("country.code, n,ok"), &batch).expect("folders");
    assert_eq!(
        found,
        [
            "country.code=eu/n=1/ok=true",
            "country.code=null/n=1/ok=false",
            "country.code=a%2Fb/n=null/ok=true",
            "country.code=null/n=-1/ok=false",
        ]
    );
    let error = "io.confluent.connect.storage.errors.PartitionException: Error encoding partition.";
    let data = "org.apache.kafka.connect.errors.DataException";
    for (names, why) in [
        ("x", error.to_owned()),
        ("country", error.to_owned()),
        ("n,missing", format!("{data}: Field 'missing' is not present in the schema.")),
        ("n.a", format!("{data}: Field 'n.a' is not present in the schema.")),
    ] {
        let refused = (0..4).map(|row| format!("{row} {why}")).collect::<Vec<_>>().join("\n");
        assert_eq!(folders(&*by(names), &batch), Err(refused), "{names}");
    }
    let free = put(schemaless(value));
    assert!(folders(&*by("n"), &free).is_err());
    let ours =
        partitioner("FieldPartitioner", &[("partition.field.name", "n,missing"), ("landfall.partition.schemaless", "true")]);
    assert_eq!(folders(&*ours, &free).expect("folders")[2], "n=null/missing=null");
}

#[test]
fn time_is_folders() {
    let value = fields(vec![
        marked(column("at", Int64Array::from(vec![0, 1_763_757_000_000])), NAME, "io.debezium.time.Timestamp"),
        column("text", StringArray::from(vec!["2025-11-21T21:30:00+01:00", "1763757000000"])),
        column("none", Int32Array::from(vec![Some(1), None])),
    ]);
    let batch = put(value);
    let by = |simple: &str, extractor: &str, field: &str| {
        let keys = [("timestamp.extractor", extractor), ("timestamp.field", field), ("timezone", "Europe/Berlin")];
        folders(&*partitioner(simple, &keys), &batch)
    };
    assert_eq!(by("DailyPartitioner", "Wallclock", ""), Ok(vec!["year=2025/month=11/day=21".into(); 2]));
    assert_eq!(by("HourlyPartitioner", "Record", ""), Ok(vec!["year=2023/month=11/day=14/hour=23".into(); 2]));
    let found = by("HourlyPartitioner", "RecordField", "at").expect("folders");
    assert_eq!(found, ["year=1970/month=01/day=01/hour=01", "year=2025/month=11/day=21/hour=21"]);
    assert_eq!(by("HourlyPartitioner", "RecordField", "text"), Ok(vec!["year=2025/month=11/day=21/hour=21".into(); 2]));
    let missing = "org.apache.kafka.connect.errors.DataException: The field 'none' does not exist.";
    assert_eq!(by("DailyPartitioner", "RecordField", "none"), Err(format!("1 {missing}")));
    let _ = (TIMESTAMP, TimeUnit::Millisecond);
}
