//! What fuzzers call, and the test that replays their corpus: each decoder on bytes that anybody may send.
//!
//! An input is cut at its zero bytes where it is text. Where it is binary, it is a schema, a zero byte, and then records, each after a
//! byte with its length.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BinaryArray, ListArray, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields};
use landfall_api::{Converter, Properties, RecordError, Records, Role, Run, Unavailable};

use super::registry::{Decode, Format as _, Framed, NoSchema, RegisteredSchema, SchemaId, Schemas};
use crate::kafka::pattern::Pattern;

/// The targets by name. Each panics if something is wrong with what the decoder gives.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("avro", avro),
    ("framed", framed),
    ("java_regex", java_regex),
    ("json_envelope", json_envelope),
    ("json_schema", json_schema),
    ("json_schemaless", json_schemaless),
    ("protobuf", protobuf),
];

/// An Avro schema, and records of it.
///
/// # Panics
/// The runs do not cover the records, or an array is not valid.
pub fn avro(data: &[u8]) {
    with_schema(data, |schema| super::avro::format("value", None, &Properties::new())?.decoder(schema).ok(), "AVRO");
}

/// Records of the stand-in registry's Protobuf schema 1 or 2, or of one that is not there; before each the header that may name its
/// schema, empty for none.
///
/// # Panics
/// The runs do not cover the records, or an array is not valid.
pub fn framed(data: &[u8]) {
    let parts: Vec<_> = sized(data).collect();
    let pairs: Vec<_> = parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let named: Vec<_> = pairs.iter().map(|(header, _)| *header).filter(|header| !header.is_empty()).collect();
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(named.iter().map(|_| "__value_schema_id")));
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(&named));
    let fields: Fields =
        [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)].into_iter().collect();
    let entry = Arc::new(Field::new("item", DataType::Struct(fields.clone()), false));
    let offsets = OffsetBuffer::from_lengths(pairs.iter().map(|(header, _)| usize::from(!header.is_empty())));
    let headers = ListArray::new(entry, offsets, Arc::new(StructArray::new(fields, vec![keys, values], None)), None);
    let bytes = BinaryArray::from_iter_values(pairs.iter().map(|(_, value)| value));
    let Some(format) = super::protobuf::format("value", Some("__value_schema_id"), &Properties::new()) else { return };
    let mut converter = Framed::new("value", format, Box::new(Two));
    for _ in 0..2 {
        match converter.convert(&Records { topic: "t", bytes: &bytes, headers: Some(&headers) }) {
            Ok(runs) => check(&runs, bytes.len()),
            Err(Unavailable(_)) => {}
        }
    }
}

/// A pattern in Java's syntax, and a name that it is tried on.
pub fn java_regex(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0).map(String::from_utf8_lossy);
    let (Some(pattern), name) = (parts.next(), parts.next().unwrap_or_default()) else { return };
    if let Ok(pattern) = Pattern::compile(&pattern) {
        // Whether it matches, or that it takes too long, is all the same here.
        let _ = pattern.matches(&name);
    }
}

/// JSON records that carry their schema.
///
/// # Panics
/// The runs do not cover the records, or an array is not valid.
pub fn json_envelope(data: &[u8]) {
    json(data, "true");
}

/// A JSON Schema, and records of it.
///
/// # Panics
/// The runs do not cover the records, or an array is not valid.
pub fn json_schema(data: &[u8]) {
    with_schema(data, |schema| super::json_schema::format("value", None, &Properties::new())?.decoder(schema).ok(), "JSON");
}

/// JSON records without a schema.
///
/// # Panics
/// The runs do not cover the records, or an array is not valid.
pub fn json_schemaless(data: &[u8]) {
    json(data, "false");
}

/// A Protobuf schema, and records of its messages.
///
/// # Panics
/// The runs do not cover the records, or an array is not valid.
pub fn protobuf(data: &[u8]) {
    with_schema(data, |schema| super::protobuf::format("value", None, &Properties::new())?.decoder(schema).ok(), "PROTOBUF");
}

fn json(data: &[u8], schemas_enable: &str) {
    let properties = Properties::from([("schemas.enable".to_owned(), schemas_enable.to_owned())]);
    let Ok(mut converter) = super::build("JsonConverter", &properties, Role::Value) else { return };
    let bytes = BinaryArray::from_iter_values(data.split(|byte| *byte == 0));
    // What the first time taught the converter, it knows the second time.
    for _ in 0..2 {
        match converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }) {
            Ok(runs) => check(&runs, bytes.len()),
            Err(Unavailable(_)) => {}
        }
    }
}

fn with_schema(data: &[u8], decoder: impl FnOnce(&RegisteredSchema) -> Option<Box<dyn Decode>>, kind: &str) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(text), records) = (parts.next(), parts.next().unwrap_or_default()) else { return };
    let text = String::from_utf8_lossy(text).into_owned();
    let schema = RegisteredSchema { kind: kind.to_owned(), text, references: Vec::new(), version: Some(1) };
    let Some(mut decoder) = decoder(&schema) else { return };
    let records: Vec<_> = sized(records).map(Some).chain([None]).collect();
    check(&decoder.decode(&records), records.len());
}

/// The parts of `data`, each after a byte with its length. The last may be shorter than that says.
fn sized(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first()?;
        let (part, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        Some(part)
    })
}

/// What holds of all runs: they cover the rows in order, and their arrays are as Arrow wants them.
fn check(runs: &[Run], rows: usize) {
    let mut next = 0;
    for run in runs {
        assert_eq!(run.rows.start, next, "runs are in order and without gaps");
        next = run.rows.end;
        match &run.column {
            Ok(column) => {
                assert_eq!(column.array.len(), run.rows.len(), "a run has a value for each row");
                assert_eq!(column.array.data_type(), column.field.data_type(), "an array is of its field's type");
                let valid = column.array.to_data().validate_full();
                assert!(valid.is_ok(), "{valid:?}");
            }
            Err(_) => assert_eq!(run.rows.len(), 1, "each row is refused alone"),
        }
    }
    assert_eq!(next, rows, "runs cover all rows");
}

/// A registry with two schemas.
#[derive(Debug)]
struct Two;

impl Schemas for Two {
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
        let text = match id {
            SchemaId::Number(1) => {
                "syntax = \"proto3\"; message A { int32 a = 1; message B { string b = 1; } } message C { A a = 1; }"
            }
            SchemaId::Number(2) | SchemaId::Guid(_) => {
                "syntax = \"proto2\"; message A { required int64 a = 1; repeated string b = 2; }"
            }
            SchemaId::Number(3) => return Err(NoSchema::Unavailable(Unavailable("away".into()))),
            SchemaId::Number(_) | SchemaId::Content(_) => return Err(NoSchema::Refused(RecordError::data("no schema"))),
        };
        Ok(RegisteredSchema { kind: "PROTOBUF".into(), text: text.into(), references: Vec::new(), version: None })
    }
}
