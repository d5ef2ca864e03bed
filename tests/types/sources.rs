//! Every type that a record can have, as a converter hands it on: the rows of `docs/types.md`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use landfall_api::schema::{DATE, DECIMAL, JSON, LOGICAL, NAME, SCHEMALESS, TIME, TIMESTAMP};
use landfall_lake::types::table::{AVRO, DEBEZIUM, From};

/// A type.
#[derive(Debug)]
pub(super) struct Source {
    /// As its format writes it.
    pub(super) written: &'static str,
    /// How Connect calls it.
    pub(super) connect: &'static str,
    /// The field of a column of it.
    pub(super) field: FieldRef,
}

fn field(data_type: DataType, metadata: &[(&str, &str)]) -> FieldRef {
    let metadata: HashMap<_, _> = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Arc::new(Field::new("f", data_type, true).with_metadata(metadata))
}

fn source(written: &'static str, connect: &'static str, data_type: DataType, metadata: &[(&str, &str)]) -> Source {
    Source { written, connect, field: field(data_type, metadata) }
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn map(value: DataType) -> DataType {
    let fields = vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
}

/// The name of fields that stand for any.
pub(super) const ANY: &str = "…";

fn group(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect())
}

const MILLIS: DataType = DataType::Time32(TimeUnit::Millisecond);

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Connect's own types: what `JsonConverter` makes of a schema, `org.apache.kafka.connect.data` being the package of the logical ones.
pub(super) fn connect() -> Vec<Source> {
    use DataType::{Binary, Boolean, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Utf8};
    vec![
        source("int8", "int8", Int8, &[]),
        source("int16", "int16", Int16, &[]),
        source("int32", "int32", Int32, &[]),
        source("int64", "int64", Int64, &[]),
        source("float32", "float32", Float32, &[]),
        source("float64", "float64", Float64, &[]),
        source("boolean", "boolean", Boolean, &[]),
        source("string", "string", Utf8, &[]),
        source("bytes", "bytes", Binary, &[]),
        source("Decimal, scale 2", "bytes", Decimal128(38, 2), &[(NAME, DECIMAL)]),
        source(
            "Decimal, scale 2, connect.decimal.precision 9",
            "bytes",
            Decimal128(9, 2),
            &[(NAME, DECIMAL), ("connect.parameter.connect.decimal.precision", "9")],
        ),
        source("Date", "int32", DataType::Date32, &[(NAME, DATE)]),
        source("Time", "int32", MILLIS, &[(NAME, TIME)]),
        source("Timestamp", "int64", utc(), &[(NAME, TIMESTAMP)]),
        source("array of int64", "array", list(Int64), &[]),
        source("map of string and int64", "map", map(Int64), &[]),
        source("struct", "struct", group(&[(ANY, Int64)]), &[]),
    ]
}

/// Values without a schema.
pub(super) fn schemaless() -> Vec<Source> {
    let free: &[(&str, &str)] = &[(SCHEMALESS, "true")];
    vec![
        source("true, false", "", DataType::Boolean, free),
        source("integers of 64 bits", "", DataType::Int64, free),
        source("other numbers, and integers among them", "", DataType::Float64, free),
        source("strings", "", DataType::Utf8, free),
        source("lists", "", list(DataType::Int64), free),
        source("objects", "", group(&[(ANY, DataType::Int64)]), free),
        source("values of several types, each as its JSON", "", DataType::Utf8, &[(SCHEMALESS, JSON)]),
    ]
}

/// What the Avro converter makes of Avro's types (`AvroData`, schema-registry 8.x).
pub(super) fn avro() -> Vec<Source> {
    use DataType::{Binary, Boolean, Decimal128, Decimal256, Float32, Float64, Int32, Int64, Utf8};
    let mut all = vec![
        source("boolean", "boolean", Boolean, &[]),
        source("int", "int32", Int32, &[]),
        source("long", "int64", Int64, &[]),
        source("float", "float32", Float32, &[]),
        source("double", "float64", Float64, &[]),
        source("bytes", "bytes", Binary, &[]),
        source("string", "string", Utf8, &[]),
        source("fixed(16)", "bytes", Binary, &[]),
        source("enum", "string", Utf8, &[]),
        source("array of long", "array", list(Int64), &[]),
        source("map of long", "map", map(Int64), &[]),
        source("record", "struct", group(&[(ANY, Int64)]), &[]),
        source("union of null and one type", "that type, optional", Int64, &[]),
        source("union of several types", "struct, a field a type", group(&[("int", Int32), ("string", Utf8)]), &[]),
        source("bytes or fixed, decimal(9, 2)", "bytes, Decimal", Decimal128(9, 2), &[(NAME, DECIMAL)]),
        source("bytes or fixed, decimal(50, 2)", "bytes, Decimal", Decimal256(50, 2), &[(NAME, DECIMAL)]),
        source("int, date", "int32, Date", DataType::Date32, &[(NAME, DATE)]),
        source("int, time-millis", "int32, Time", MILLIS, &[(NAME, TIME)]),
        source("long, timestamp-millis", "int64, Timestamp", utc(), &[(NAME, TIMESTAMP)]),
    ];
    all.extend(AVRO.iter().map(|named| {
        let (base, connect, data_type) = match named.from {
            From::Text => ("string", "string", Utf8),
            From::Bytes => ("fixed(12)", "bytes", Binary),
            _ => ("long", "int64", Int64),
        };
        let written: &'static str = Box::leak(format!("{base}, {}", named.name).into_boxed_str());
        source(written, connect, data_type, &[(LOGICAL, named.name)])
    }));
    all
}

/// What the Protobuf converter makes of Protobuf's types (`ProtobufData`, schema-registry 8.x).
pub(super) fn protobuf() -> Vec<Source> {
    use DataType::{Binary, Boolean, Decimal128, Float32, Float64, Int32, Int64, Utf8};
    vec![
        source("bool", "boolean", Boolean, &[]),
        source("int32, sint32, sfixed32", "int32", Int32, &[]),
        source("uint32, fixed32", "int64", Int64, &[]),
        source("int64, sint64, sfixed64, uint64, fixed64", "int64", Int64, &[]),
        source("float", "float32", Float32, &[]),
        source("double", "float64", Float64, &[]),
        source("string", "string", Utf8, &[]),
        source("bytes", "bytes", Binary, &[]),
        source("enum", "string", Utf8, &[]),
        source("enum, int.for.enums=true", "int32", Int32, &[]),
        source("message", "struct", group(&[(ANY, Int64)]), &[]),
        source("oneof", "struct, a field an alternative", group(&[("a", Int64), ("b", Utf8)]), &[]),
        source("repeated int64", "array", list(Int64), &[]),
        source("map<string, int64>", "map", map(Int64), &[]),
        source("google.protobuf.Timestamp", "int64, Timestamp", utc(), &[(NAME, TIMESTAMP)]),
        source("google.type.Date", "int32, Date", DataType::Date32, &[(NAME, DATE)]),
        source("google.type.TimeOfDay", "int32, Time", MILLIS, &[(NAME, TIME)]),
        source("confluent.type.Decimal, scale 2", "bytes, Decimal", Decimal128(38, 2), &[(NAME, DECIMAL)]),
    ]
}

/// What the JSON Schema converter makes of JSON Schema's types (`JsonSchemaData`, schema-registry 8.x).
pub(super) fn json_schema() -> Vec<Source> {
    use DataType::{Binary, Boolean, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Utf8};
    vec![
        source("boolean", "boolean", Boolean, &[]),
        source("integer", "int64", Int64, &[]),
        source("integer, connect.type int8", "int8", Int8, &[]),
        source("integer, connect.type int16", "int16", Int16, &[]),
        source("integer, connect.type int32", "int32", Int32, &[]),
        source("number", "float64", Float64, &[]),
        source("number, connect.type float32", "float32", Float32, &[]),
        source("string", "string", Utf8, &[]),
        source("string, connect.type bytes", "bytes", Binary, &[]),
        source("enum of strings", "string", Utf8, &[]),
        source("array of integers", "array", list(Int64), &[]),
        source("object", "struct", group(&[(ANY, Int64)]), &[]),
        source("object, connect.type map", "map", map(Int64), &[]),
        source("oneOf null and one type", "that type, optional", Int64, &[]),
        source("oneOf several types", "struct, a field a type", group(&[("a", Int64), ("b", Utf8)]), &[]),
        source("number or bytes titled Decimal, scale 2", "bytes, Decimal", Decimal128(38, 2), &[(NAME, DECIMAL)]),
        source("integer titled Date", "int32, Date", DataType::Date32, &[(NAME, DATE)]),
        source("integer titled Time", "int32, Time", MILLIS, &[(NAME, TIME)]),
        source("integer titled Timestamp", "int64, Timestamp", utc(), &[(NAME, TIMESTAMP)]),
    ]
}

/// Debezium's types, by the names of their schemas.
pub(super) fn debezium() -> Vec<Source> {
    let of = |from, name: &str| match from {
        From::Int32 => ("int32", DataType::Int32),
        From::Int64 => ("int64", DataType::Int64),
        From::Text => ("string", DataType::Utf8),
        From::Bytes => ("bytes", DataType::Binary),
        From::Scaled => ("struct", group(&[("scale", DataType::Int32), ("value", DataType::Binary)])),
        From::Nested if name.ends_with("data.FloatVector") => ("array", list(DataType::Float32)),
        From::Nested if name.ends_with("data.DoubleVector") => ("array", list(DataType::Float64)),
        From::Nested => ("struct", group(&[(ANY, DataType::Int64)])),
    };
    let known = DEBEZIUM.iter().map(|named| {
        let (connect, data_type) = of(named.from, named.name);
        source(named.name, connect, data_type, &[(NAME, named.name)])
    });
    known.collect()
}
