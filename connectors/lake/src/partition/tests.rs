//! Whole partitioners.

mod java;
mod keys;

use super::*;
use std::collections::{BTreeSet, HashMap};

use arrow_array::builder::{Int64Builder, MapBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float64Array, Int8Array, Int32Array, NullArray, StringArray,
    StructArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use landfall_api::schema::{LOGICAL, NAME, SCHEMALESS};
use landfall_api::{Column, Properties, RawBatch, TopicPartition};
use proptest::prelude::*;

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
}

#[test]
fn stretches_of_time_are_local() {
    let times = Int64Array::from(vec![1_763_757_000_000, 1_763_757_599_999, 1_763_757_600_000]); // 20:30, a moment before 20:40, 20:40
    let batch = put(fields(vec![column("at", times)]));
    let by = |duration: &str, format: &str, zone: &str| {
        let keys = [
            ("timestamp.extractor", "RecordField"),
            ("timestamp.field", "at"),
            ("partition.duration.ms", duration),
            ("path.format", format),
            ("timezone", zone),
        ];
        folders(&*partitioner("TimeBasedPartitioner", &keys), &batch).expect("folders")
    };
    assert_eq!(by("600000", "HH-mm", "UTC"), ["20-30", "20-30", "20-40"]);
    assert_eq!(by("600000", "HH-mm", "Asia/Kolkata"), ["02-00", "02-00", "02-10"]);
    assert_eq!(by("86400000", "'d'=YYYY-MM-dd/", "Asia/Kolkata"), ["d=2025-11-22"; 3], "a delimiter at the end is left out");
    // several stretches may have one folder
    let found = partitioner("TimeBasedPartitioner", &[("partition.duration.ms", "1"), ("path.format", "HH")]).folders(&batch, 0);
    assert_eq!(found.expect("folders").names.len(), 1);
}

#[test]
fn texts_are_of_the_locale() {
    let batch = put(fields(vec![column("a", Int64Array::from(vec![1]))]));
    let by = |locale: &str| {
        let keys = [("locale", locale), ("partition.duration.ms", "3600000"), ("path.format", "MMMM/EEEE")];
        folders(&*partitioner("TimeBasedPartitioner", &keys), &batch).expect("folders").swap_remove(0)
    };
    assert_eq!([by("en"), by("en-US")], ["November/Friday", "Nov/Fri"]);
}

/// What the extractor of a field gives each row, and why not.
fn times(value: &Column, name: &str, unit: Unit) -> Vec<Result<i64, String>> {
    let batch = put(value.clone());
    match Extractor::new(Source::Field(name.to_owned()), unit).times(&batch, 0) {
        Ok(times) => times.values().iter().copied().map(Ok).collect(),
        Err(refused) => refused.into_iter().map(|(_, error)| Err(error.message)).collect(),
    }
}

#[test]
fn numbers_count_what_they_are_said_to() {
    let n = 1_700_000_000_123_456_i64;
    let long = |name: &str| marked(column("t", Int64Array::from(vec![n])), NAME, name);
    let of = |field: (Field, ArrayRef), unit| times(&fields(vec![field]), "t", unit).swap_remove(0);
    let plain = || column("t", Int64Array::from(vec![n]));
    assert_eq!(of(plain(), Unit::Millis), Ok(n));
    assert_eq!(of(plain(), Unit::Auto), Ok(n));
    assert_eq!(of(plain(), Unit::Micros), Ok(n / 1000));
    assert_eq!(of(plain(), Unit::Nanos), Ok(n / 1_000_000));
    assert_eq!(of(column("t", StringArray::from(vec!["1700000000"])), Unit::Seconds), Ok(1_700_000_000_000));
    assert_eq!(of(column("t", Int64Array::from(vec![-1])), Unit::Micros), Ok(-1));
    assert_eq!(of(long("io.debezium.time.MicroTimestamp"), Unit::Auto), Ok(n / 1000));
    assert_eq!(of(long("io.debezium.time.NanoTimestamp"), Unit::Auto), Ok(n / 1_000_000));
    assert_eq!(of(long("io.debezium.time.MicroTimestamp"), Unit::Millis), Ok(n));
    assert_eq!(of(marked(plain(), LOGICAL, "timestamp-micros"), Unit::Auto), Ok(n / 1000));
    let days = || column("t", Int32Array::from(vec![2]));
    assert_eq!(of(marked(days(), NAME, "io.debezium.time.Date"), Unit::Auto), Ok(172_800_000));
    assert_eq!(of(marked(days(), NAME, "io.debezium.time.Date"), Unit::Millis), Ok(2));
    let date = || marked(column("t", Date32Array::from(vec![2])), NAME, "org.apache.kafka.connect.data.Date");
    assert_eq!(of(date(), Unit::Auto), Ok(172_800_000));
    assert_eq!(of(date(), Unit::Millis), Err("Error extracting timestamp from record field: t".to_owned()));
}

#[test]
fn times_of_values_without_a_schema_are_numbers_or_text() {
    let json =
        marked(column("mixed", StringArray::from(vec![Some("\"2024\""), Some("17.9"), Some("true"), None])), SCHEMALESS, "json");
    let value = fields(vec![
        column("double", Float64Array::from(vec![1e12, -1.9, f64::NAN, 1e300])),
        column("text", StringArray::from(vec!["1970-01-01T00:00:01Z", "5", "soon", "-1"])),
        json,
        column("flag", BooleanArray::from(vec![true; 4])),
    ]);
    let free = schemaless(value.clone());
    assert_eq!(times(&free, "double", Unit::Millis), [Ok(1_000_000_000_000), Ok(-1), Ok(0), Ok(i64::MAX)]);
    assert_eq!(times(&free, "text", Unit::Millis), [Err("Invalid format: \"soon\"".to_owned())]);
    let unsupported = |name: &str| Err(format!("Error extracting timestamp from record field: {name}"));
    let missing = |name: &str| Err(format!("The field '{name}' does not exist."));
    assert_eq!(times(&free, "mixed", Unit::Millis), [unsupported("mixed"), missing("mixed")]);
    assert_eq!(times(&free, "flag", Unit::Millis), vec![unsupported("flag"); 4]);
    assert_eq!(times(&value, "double", Unit::Millis), vec![unsupported("double"); 4]);
    for value in [&free, &value] {
        assert_eq!(times(value, "none", Unit::Millis), vec![missing("none"); 4]);
        assert_eq!(times(value, "text.a", Unit::Millis), vec![missing("text.a"); 4]);
    }
    let plain =
        Column { field: Arc::new(Field::new("v", DataType::Utf8, true)), array: Arc::new(StringArray::from(vec!["2024"])) };
    assert_eq!(times(&plain, "t", Unit::Millis), [Err("Error encoding partition.".to_owned())]);
}

#[test]
fn entries_of_maps_are_fields() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for (key, value) in [("t", 7), ("u", 8)] {
        map.keys().append_value(key);
        map.values().append_value(value);
        map.append(true).expect("as many values as keys");
    }
    map.append(false).expect("a null");
    let (field, array) = column("v", map.finish());
    let value = Column { field: Arc::new(field), array };
    let missing = Err("The field 't' does not exist.".to_owned());
    assert_eq!(times(&value, "t", Unit::Millis), [missing.clone(), missing]);
    assert_eq!(times(&Column { array: value.array.slice(0, 1), ..value }, "t", Unit::Millis), [Ok(7)]);
}

#[test]
fn a_record_without_a_timestamp_is_refused() {
    let mut batch = put(fields(vec![column("a", Int64Array::from(vec![1, 2]))]));
    batch.timestamp = TimestampMillisecondArray::from(vec![Some(0), None]);
    let why = "1 io.confluent.connect.storage.errors.PartitionException: Unable to determine timestamp using timestamp.extractor \
               io.confluent.connect.storage.partitioner.TimeBasedPartitioner$RecordTimestampExtractor for record: \
               SinkRecord{kafkaOffset=11}";
    assert_eq!(folders(&*partitioner("DailyPartitioner", &[("timestamp.extractor", "Record")]), &batch), Err(why.to_owned()));
}

#[test]
fn a_record_without_a_value_is_null_in_every_field() {
    let nothing = Column { field: Arc::new(Field::new("v", DataType::Null, true)), array: Arc::new(NullArray::new(2)) };
    let by = partitioner("FieldPartitioner", &[("partition.field.name", "a.b,c")]);
    assert_eq!(folders(&*by, &put(nothing)), Ok(vec!["a.b=null/c=null".into(); 2]));
}

#[test]
fn a_folder_that_is_too_long_is_refused() {
    let long = "x".repeat(254);
    let batch = put(fields(vec![column("a", StringArray::from(vec!["ok", &long, "ok"]))]));
    let by = partitioner("FieldPartitioner", &[("partition.field.name", "a")]);
    let error = folders(&*by, &batch).expect_err("too long");
    assert!(error.starts_with("1 org.apache.kafka.connect.errors.DataException: the folder \"a=xxx"), "{error}");
    assert_eq!(error.lines().count(), 1);
}

proptest! {
    /// Whatever the values, each folder is right below the topic.
    #[test]
    fn no_value_leaves_its_folder(rows in prop::collection::vec(("[a./\\\\%25F=\u{0}]{0,6}|.{0,8}", -3..3_i64), 1..20)) {
        let batch = put(fields(vec![
            column("a", StringArray::from_iter_values(rows.iter().map(|(a, _)| a))),
            column("b", Int64Array::from_iter_values(rows.iter().map(|(_, b)| *b))),
        ]));
        let found = folders(&*partitioner("FieldPartitioner", &[("partition.field.name", "a,b")]), &batch).expect("folders");
        for (row, folder) in rows.iter().zip(&found) {
            let names: Vec<_> = folder.split('/').collect();
            prop_assert!(crate::storage::checked_path(folder).is_ok(), "{}", folder);
            prop_assert!(names.len() == 2 && names[0].starts_with("a=") && names[1] == format!("b={}", row.1), "{}", folder);
        }
    }

    /// Rows that are looked up together go where each goes alone, whatever is beside them.
    #[test]
    fn a_row_has_the_folder_that_it_has_alone(rows in prop::collection::vec(any_row(), 1..40)) {
        let mut batch = put(fields(vec![
            column("text", rows.iter().map(|row| row.0).collect::<StringArray>()),
            column("number", rows.iter().map(|row| row.1).collect::<Int64Array>()),
            column("flag", rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            column("time", rows.iter().map(|row| row.3).collect::<Int64Array>()),
        ]));
        batch.timestamp = rows.iter().map(|row| row.4).collect();
        let by_time = |pairs: &[(&str, &str)]| partitioner("HourlyPartitioner", pairs);
        for partitioner in [
            read(&[]).expect("the default"),
            partitioner("FieldPartitioner", &[("partition.field.name", "text")]),
            partitioner("FieldPartitioner", &[("partition.field.name", "text,number,flag")]),
            by_time(&[("timestamp.extractor", "Record")]),
            by_time(&[("timestamp.extractor", "Record"), ("timezone", "Europe/Berlin")]),
            by_time(&[("timestamp.extractor", "RecordField"), ("timestamp.field", "time"), ("timezone", "America/New_York")]),
            by_time(&[]),
            read(&[("landfall.path.template", "{topic}/{value.text}/{timestamp:%H}/"), ("timestamp.extractor", "Record")]).expect("good"),
        ] {
            let whole = partitioner.folders(&batch, 1_763_757_000_000);
            let mut refused = whole.as_ref().err().cloned().unwrap_or_default().into_iter().peekable();
            for row in 0..rows.len() {
                let alone = partitioner.folders(&batch.slice(&(row..row + 1)), 1_763_757_000_000);
                let here = refused.next_if(|(at, _)| *at == row).map(|(_, error)| error);
                match (alone, &whole) {
                    (Err(alone), _) => prop_assert_eq!(Some(&alone[0].1), here.as_ref()),
                    (Ok(_), _) if here.is_some() => prop_assert!(false, "row {} is refused among others: {:?}", row, here),
                    (Ok(alone), Ok(whole)) => {
                        prop_assert_eq!(&alone.names[0], &whole.names[whole.rows.as_ref().map_or(0, |rows| rows[row] as usize)]);
                        let time = |folders: &Folders, at| folders.times.as_ref().map(|times| times.value(at));
                        prop_assert_eq!(time(&alone, 0), time(whole, row));
                    }
                    (Ok(_), Err(_)) => {}
                }
            }
            prop_assert_eq!(refused.next(), None, "only rows are refused");
        }
    }
}

type AnyRow = (Option<&'static str>, Option<i64>, Option<bool>, Option<i64>, Option<i64>);

/// A text, a number, a flag, a time in a field, and the record's: few different ones, so that rows share folders; around the hours
/// that clocks are put forward and back, and now and then none.
fn any_row() -> impl Strategy<Value = AnyRow> {
    const AROUND: [i64; 5] = [0, -1, 1_743_296_400_000, 1_761_440_400_000, 1_762_063_200_000];
    let time = || (0..AROUND.len(), -6..6_i64).prop_map(|(at, steps)| AROUND[at] + steps * 1_799_999);
    let text = prop::option::weighted(0.9, prop::sample::select(vec!["", "a", "A", "a/b", "%2F", "é", ".."]));
    let rare = |time| prop::option::weighted(0.98, time);
    (text, prop::option::weighted(0.9, -2..2_i64), any::<Option<bool>>(), rare(time()), rare(time()))
}

#[test]
fn other_values_have_other_folders() {
    let tokens = ["", "a", "/", "%", "2F", "\\", "5", "C", ".", "2E"];
    let pairs = || tokens.iter().flat_map(|a| tokens.iter().map(move |b| format!("{a}{b}")));
    let texts: BTreeSet<String> = pairs().flat_map(|a| tokens.iter().map(move |b| format!("{a}{b}"))).collect();
    let batch = put(fields(vec![column("a", StringArray::from_iter_values(&texts))]));
    let folders = partitioner("FieldPartitioner", &[("partition.field.name", "a")]).folders(&batch, 0).expect("folders");
    assert_eq!(folders.names.len(), texts.len());
}
