use arrow_array::Array as _;
use arrow_schema::{DataType, Field};
use landfall_api::{Column, Run};
use serde_json::{Value, json};

use super::super::json::tests::values;
use super::*;

mod properties;
mod schemas;
mod wire;

/// The decoder of messages of `text`, each of which says which by its first bytes.
fn decoder_of(text: &str, properties: &Properties) -> Result<Box<dyn Decode>, RecordError> {
    let schema = RegisteredSchema { kind: "PROTOBUF".into(), text: text.into(), references: Vec::new(), version: None };
    format("value", None, properties).expect("options").decoder(&schema)
}

/// A decoder of messages of `text` with these properties.
fn decoder(text: &str, properties: &[(&str, &str)]) -> Box<dyn Decode> {
    let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    decoder_of(text, &properties).unwrap_or_else(|error| panic!("{error}"))
}

/// Decodes records of the first message; the runs are in order and cover all rows with valid arrays.
fn decode(decoder: &mut dyn Decode, records: &[Option<&[u8]>]) -> Vec<Run> {
    let records: Vec<_> = records.iter().map(|record| record.map(|record| [&[0], record].concat())).collect();
    decode_framed(decoder, &records.iter().map(Option::as_deref).collect::<Vec<_>>())
}

fn decode_framed(decoder: &mut dyn Decode, records: &[Option<&[u8]>]) -> Vec<Run> {
    let runs = decoder.decode(records);
    let mut next = 0;
    for run in &runs {
        assert_eq!(run.rows.start, next, "runs are in order and without gaps");
        next = run.rows.end;
        match &run.column {
            Ok(column) => {
                assert_eq!(column.array.len(), run.rows.len());
                assert_eq!(column.array.data_type(), column.field.data_type());
                column.array.to_data().validate_full().expect("valid Arrow data");
            }
            Err(_) => assert_eq!(run.rows.len(), 1),
        }
    }
    assert_eq!(next, records.len(), "runs cover all rows");
    runs
}

/// The single column that records of the first message of `text` became.
fn column(text: &str, properties: &[(&str, &str)], records: &[&[u8]]) -> Column {
    let mut decoder = decoder(text, properties);
    let mut runs = decode(&mut *decoder, &records.iter().copied().map(Some).collect::<Vec<_>>());
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0).column.unwrap_or_else(|error| panic!("{error}"))
}

/// The value of one record.
fn value(text: &str, properties: &[(&str, &str)], record: &[u8]) -> Value {
    values(&column(text, properties, &[record]).array).remove(0)
}

/// The error with which one record is refused.
fn refusal(text: &str, properties: &[(&str, &str)], record: &[u8]) -> String {
    let mut decoder = decoder(text, properties);
    let good = decode(&mut *decoder, &[None]);
    assert!(good[0].column.is_ok());
    let mut runs = decode(&mut *decoder, &[Some(record)]);
    assert_eq!(runs.len(), 1);
    runs.remove(0).column.expect_err("refused").to_string()
}

/// `proto3` with its first line.
fn proto3(body: &str) -> String {
    format!("syntax = \"proto3\"; package p; {body}")
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field with a varint.
fn int(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// A field with a length.
fn sub(number: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}
