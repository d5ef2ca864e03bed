//! Batches for the tests of transforms.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::{BinaryArray, Int64Array, ListArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use landfall_api::{Batch, Output, Properties, RawBatch, Role, TopicPartition};

use serde_json::Value;

use crate::convert::{Configured, Converters, build};
use crate::transform::header_values;

/// Records of partition 0 of `t` from offset 0 on, each a millisecond after the one before, converted by `JsonConverter` with `schemas.enable` as said.
pub(crate) fn records(rows: &[(Option<&str>, Option<&str>)], schemas: bool) -> Vec<Batch> {
    batches(rows, None, schemas)
}

/// Values without a schema, as JSON; they have no keys.
pub(crate) fn schemaless(values: &[Option<&str>]) -> Batch {
    let rows: Vec<_> = values.iter().map(|value| (None, *value)).collect();
    batches(&rows, None, false).swap_remove(0)
}

/// Records with these headers. Every second one has no value.
pub(crate) fn with_headers(headers: &[&[(&str, &str)]]) -> Batch {
    let fields = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)]);
    let mut lists =
        ListBuilder::new(StructBuilder::new(fields, vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())]));
    for row in headers {
        for (key, value) in *row {
            let entry = lists.values();
            entry.field_builder::<StringBuilder>(0).expect("keys").append_value(key);
            entry.field_builder::<BinaryBuilder>(1).expect("values").append_value(value);
            entry.append(true);
        }
        lists.append(true);
    }
    let rows: Vec<_> = (0..headers.len()).map(|row| (None, (row % 2 == 0).then_some(r#"{"a":1}"#))).collect();
    batches(&rows, Some(lists.finish()), false).swap_remove(0)
}

/// The values that a transform made, by offset, as JSON; null for a tombstone.
pub(crate) fn values_of(out: &Output) -> BTreeMap<i64, Value> {
    let of = |batch: &Batch| {
        let texts = header_values(&batch.value);
        let json = |text: Option<&[u8]>| text.map_or(Value::Null, |text| serde_json::from_slice(text).expect("JSON"));
        batch.offset.values().iter().copied().zip(texts.iter().map(json)).collect::<Vec<_>>()
    };
    out.batches.iter().flat_map(of).collect()
}

/// The same without the members that are null: a schemaless value does not tell them from absent ones.
pub(crate) fn without_nulls(mut values: BTreeMap<i64, Value>) -> BTreeMap<i64, Value> {
    values.values_mut().filter_map(Value::as_object_mut).for_each(|members| members.retain(|_, member| !member.is_null()));
    values
}

/// The headers of each row, with their values as text.
pub(crate) fn headers_of(batch: &Batch) -> Vec<Vec<(&str, &str)>> {
    let Some(headers) = &batch.headers else { return vec![Vec::new(); batch.len()] };
    let entries = headers.values().as_struct();
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
    let entry = |at: usize| (keys.value(at), std::str::from_utf8(values.value(at)).expect("text"));
    headers.value_offsets().windows(2).map(|row| (row[0] as usize..row[1] as usize).map(entry).collect()).collect()
}

fn batches(rows: &[(Option<&str>, Option<&str>)], headers: Option<ListArray>, schemas: bool) -> Vec<Batch> {
    let properties = Properties::from([("schemas.enable".to_owned(), schemas.to_string())]);
    let make = |class, role| Configured { class, converter: build(class, &properties, role).expect("valid") };
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let mut converters = Converters {
        key: make(json, Role::Key),
        value: make(json, Role::Value),
        header: make("org.apache.kafka.connect.storage.SimpleHeaderConverter", Role::Header),
    };
    let raw = RawBatch {
        origin: TopicPartition::new("t", 0),
        key: rows.iter().map(|row| row.0).collect::<BinaryArray>(),
        value: rows.iter().map(|row| row.1).collect::<BinaryArray>(),
        offset: Int64Array::from_iter_values(0..rows.len() as i64),
        timestamp: TimestampMillisecondArray::from_iter_values(0..rows.len() as i64),
        headers,
    };
    let converted = converters.convert(&Arc::new(raw), 0..rows.len() as i64).expect("available");
    assert!(converted.refused.is_empty(), "{:?}", converted.refused);
    converted.batches
}
