//! What readers see of every type in files of `landfall.types=confluent` and `native`: random schemas and rows through a converter
//! and the lake's encoder, and the table of all types, `docs/types.md`.

mod random;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{BinaryArray, Int64Array, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field};
use landfall::convert;
use landfall_api::{Batch, Column, Properties, RawBatch, Records, Role, TopicPartition};
use landfall_lake::columns::Columns;
use landfall_lake::encode::Format;
use landfall_lake::encode::parquet::Codec;
use landfall_lake::types::{Mode, Types};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::read::python;
use crate::support::records::Random;
use random::{Range, Spec};

const CONFLUENT: Types = types(Mode::Confluent);
const NATIVE: Types = types(Mode::Native);

const fn types(mode: Mode) -> Types {
    use landfall_lake::types::{Iso, Variable, Wide, names::Naming};
    Types { mode, iso: Iso::Micros, variable: Variable::Text, wide: Wide::Refuse, names: Naming::Keep }
}

/// What `JsonConverter` makes of `records` with schemas: one column.
fn converted(records: &[String]) -> Column {
    let bytes = BinaryArray::from_iter_values(records);
    let mut converter = convert::build("JsonConverter", &Properties::new(), Role::Value).expect("a converter");
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("no registry");
    let [run] = <[_; 1]>::try_from(runs).expect("one schema");
    run.column.expect("values of their schema")
}

fn batch(value: Column) -> Batch {
    let rows = i64::try_from(value.array.len()).expect("a length");
    let bytes = BinaryArray::from_iter_values((0..rows).map(i64::to_le_bytes));
    let (offset, timestamp) = (Int64Array::from_iter_values(0..rows), TimestampMillisecondArray::from_iter_values(0..rows));
    let origin = TopicPartition::new("t", 0);
    let raw = RawBatch {
        origin: origin.clone(),
        key: bytes.clone(),
        value: bytes,
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    let key: Arc<StringArray> = Arc::new(StringArray::new_null(raw.len()));
    Batch {
        origin,
        topic: "t".into(),
        key: Column { field: Arc::new(Field::new("key", DataType::Utf8, true)), array: key },
        value,
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers: 0..rows,
    }
}

/// Writes the values as the lake does.
fn land(file: &Path, types: Types, value: Column) {
    let format = Format::Parquet(Codec::named("snappy").expect("a codec"));
    let columns = Columns { format, system: Vec::new(), types };
    let batch = batch(value);
    let schema = columns.schema(&columns.shape(&batch)).expect("a schema");
    let rows = columns.rows(&batch, &schema).expect("rows");
    let mut encoder = format.encoder(&schema, &batch.origin, None, 0);
    encoder.write(&rows, 1000, 1 << 20).expect("Parquet");
    let mut bytes = encoder.take();
    bytes.extend(encoder.finish(batch.covers.end - 1).expect("Parquet"));
    fs::write(file, bytes.concat()).expect("a file");
}

/// Writes `schemas` files of random rows for each mode, and what readers are to see; the number of rows, and of those for DuckDB.
fn random_files(folder: &Path, seed: u64, schemas: usize) -> (usize, usize) {
    let mut r = Random::new(seed);
    let mut expected = Map::new();
    let (mut rows, mut duckdb) = (0, 0);
    for n in 0..schemas {
        let range = if n % 2 == 0 { Range::Usual } else { Range::Full };
        let spec = if n == 0 { Spec::deep(14) } else { Spec::random(&mut r, 3) };
        let schema = spec.schema();
        let values: Vec<_> = (0..=r.below(12)).map(|_| spec.value(&mut r, range)).collect();
        let records: Vec<_> = values.iter().map(|v| json!({"schema": schema, "payload": v.json}).to_string()).collect();
        let column = converted(&records);
        for (mode, types) in [("confluent", CONFLUENT), ("native", NATIVE)] {
            let name = format!("{n}-{mode}.parquet");
            land(&folder.join(&name), types, column.clone());
            let shown: Vec<_> = values.iter().map(|v| if types == NATIVE { &v.native } else { &v.confluent }).collect();
            expected.insert(name, json!({"rows": shown, "duckdb": range == Range::Usual}));
            rows += values.len();
            duckdb += if range == Range::Usual { values.len() } else { 0 };
        }
    }
    fs::write(folder.join("expected.json"), Value::Object(expected).to_string()).expect("a file");
    (rows, duckdb)
}

fn readers_see_random_rows(seed: u64, schemas: usize) {
    let folder = TempDir::with_prefix("landfall-types-").expect("a folder");
    let (rows, duckdb) = random_files(folder.path(), seed, schemas);
    let found = python("values.py", &[folder.path().to_str().expect("a path of text")]);
    assert_eq!(found, json!({"seen": {"pyarrow": rows, "duckdb": duckdb}, "otherwise": []}), "seed {seed}");
}

#[test]
fn readers_see_the_rows_of_random_schemas() {
    readers_see_random_rows(5, 200);
}
