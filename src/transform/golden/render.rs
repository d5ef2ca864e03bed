//! Columns as the JSON that Java's `JsonConverter` writes of them, schema and payload, to compare with.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::Column;
use landfall_api::schema::{DEFAULT, DOC, NAME, PARAMETER, VERSION, is_json, is_schemaless};
use serde_json::{Map, Value, json};

/// The value of a record: null, or `{"schema": …, "payload": …}`.
pub(super) fn value(column: &Column, row: usize) -> Value {
    match payload(&column.field, &column.array, row, is_schemaless(&column.field)) {
        Value::Null => Value::Null,
        payload => json!({ "schema": schema(&column.field), "payload": payload }),
    }
}

/// A value of Java's in the same form: where the two worlds are one, one of the ways to say it.
///
/// That is: a null with or without a schema, were it one that requires a value; whether the schema of a whole value, or of the keys of a map, is optional; fields of
/// schemaless values that are absent or null.
pub(super) fn canonical(java: &Value) -> Value {
    if java["unwritable"] == "Conversion error: null value for field that is required and has no default value" {
        return Value::Null;
    }
    let (Some(payload), Some(schema)) = (java.get("payload"), java.get("schema")) else { return java.clone() };
    if payload.is_null() {
        return Value::Null;
    }
    if schema.is_null() {
        return json!({ "schema": null, "payload": without_nulls(payload) });
    }
    let mut schema = canonical_schema(schema);
    schema["optional"] = json!(true);
    let payload = canonical_payload(&schema, payload);
    json!({ "schema": schema, "payload": payload })
}

fn canonical_schema(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let member = |(key, member): (&String, &Value)| {
        let member = match &**key {
            "fields" => member.as_array().into_iter().flatten().map(canonical_schema).collect(),
            "items" | "values" => canonical_schema(member),
            "keys" => {
                let mut keys = canonical_schema(member);
                keys["optional"] = json!(false);
                keys
            }
            _ => member.clone(),
        };
        (key.clone(), member)
    };
    let mut canonical: Map<_, _> = members.iter().map(member).collect();
    canonical.entry("optional").or_insert(json!(false));
    if let Some(default) = members.get("default") {
        canonical.insert("default".into(), canonical_payload(schema, default));
    }
    Value::Object(canonical)
}

/// A payload whose numbers with a fraction are those of their type, however many digits Java wrote.
fn canonical_payload(schema: &Value, payload: &Value) -> Value {
    let of = |part: &str, payload: &Value| canonical_payload(&schema[part], payload);
    match (schema["type"].as_str(), payload) {
        (Some("float"), Value::Number(number)) => number.as_f64().map_or(Value::Null, |value| number_of_float(value as f32)),
        (Some("double" | "bytes"), Value::Number(number)) => number.as_f64().map_or(Value::Null, number_of_double),
        (Some("array"), Value::Array(items)) => items.iter().map(|item| of("items", item)).collect(),
        (Some("map"), Value::Object(members)) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), of("values", value))).collect())
        }
        (Some("map"), Value::Array(pairs)) => {
            pairs.iter().map(|pair| json!([of("keys", &pair[0]), of("values", &pair[1])])).collect()
        }
        (Some("struct"), Value::Object(members)) => {
            let fields = schema["fields"].as_array().into_iter().flatten();
            let member = |field: &Value| {
                let name = field["field"].as_str()?;
                Some((name.to_owned(), canonical_payload(field, members.get(name)?)))
            };
            Value::Object(fields.filter_map(member).collect())
        }
        _ => payload.clone(),
    }
}

/// To fifteen digits: the parser of JSON may be off in the last one.
fn number_of_double(value: f64) -> Value {
    format!("{value:.14e}").parse::<f64>().ok().into()
}

fn number_of_float(value: f32) -> Value {
    number(&value.to_string()).as_f64().into()
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(members.map(|(name, member)| (name.clone(), without_nulls(member))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Number(number) if number.is_f64() => number.as_f64().map_or(Value::Null, number_of_double),
        other => other.clone(),
    }
}

fn schema(field: &Field) -> Value {
    if is_schemaless(field) {
        return Value::Null;
    }
    let metadata = field.metadata();
    let mut schema = Map::new();
    let kind = match field.data_type() {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 | DataType::Date32 | DataType::Time32(TimeUnit::Millisecond) => "int32",
        DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, _) => "int64",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Binary | DataType::Decimal128(..) => "bytes",
        DataType::List(item) => {
            schema.insert("items".into(), self::schema(item));
            "array"
        }
        DataType::Map(entry, _) => {
            let DataType::Struct(fields) = entry.data_type() else { panic!("entries of a map: {entry}") };
            schema.insert("keys".into(), self::schema(&fields[0]));
            schema.insert("values".into(), self::schema(&fields[1]));
            "map"
        }
        DataType::Struct(fields) => {
            let named = |field: &Field| {
                let mut schema = self::schema(field);
                assert!(schema.is_object(), "a field without a schema in a value with one: {field}");
                schema["field"] = json!(field.name());
                schema
            };
            schema.insert("fields".into(), fields.iter().map(|field| named(field)).collect());
            "struct"
        }
        other => panic!("no Connect type is {other}"),
    };
    schema.insert("type".into(), json!(kind));
    schema.insert("optional".into(), json!(field.is_nullable()));
    schema.extend(metadata.get(NAME).map(|name| ("name".into(), json!(name))));
    schema.extend(metadata.get(VERSION).map(|version| ("version".into(), number(version))));
    schema.extend(metadata.get(DOC).map(|doc| ("doc".into(), json!(doc))));
    let parameters = metadata.iter().filter_map(|(key, value)| Some((key.strip_prefix(PARAMETER)?.to_owned(), json!(value))));
    let parameters: Map<_, _> = parameters.collect();
    if !parameters.is_empty() {
        schema.insert("parameters".into(), Value::Object(parameters));
    }
    let mut schema = Value::Object(schema);
    if let Some(text) = metadata.get(DEFAULT) {
        schema["default"] = canonical_payload(&schema, &number(text));
    }
    schema
}

fn payload(field: &Field, array: &ArrayRef, row: usize, schemaless: bool) -> Value {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Value::Null;
    }
    let dated = |millis: i64, value: Value| if schemaless { json!({ "$date": millis }) } else { value };
    let of = |field: &Field, array: &ArrayRef, row| payload(field, array, row, schemaless);
    match array.data_type() {
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => json!(array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => json!(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => json!(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            special(f64::from(value))
                .unwrap_or_else(|| if schemaless { number_of_double(value.into()) } else { number_of_float(value) })
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            special(value).unwrap_or_else(|| number_of_double(value))
        }
        DataType::Utf8 if is_json(field) => number(array.as_string::<i32>().value(row)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Binary if schemaless => json!({ "$bytes": STANDARD.encode(array.as_binary::<i32>().value(row)) }),
        DataType::Binary => json!(STANDARD.encode(array.as_binary::<i32>().value(row))),
        DataType::Decimal128(..) => {
            let text = array.as_primitive::<Decimal128Type>().value_as_string(row);
            if schemaless { json!({ "$decimal": text }) } else { number(&text).as_f64().map_or(Value::Null, number_of_double) }
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            dated(i64::from(days) * 86_400_000, json!(days))
        }
        DataType::Time32(_) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            dated(millis.into(), json!(millis))
        }
        DataType::Timestamp(..) => {
            let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
            dated(millis, json!(millis))
        }
        DataType::List(item) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|row| of(item, &items, row)).collect()
        }
        DataType::Map(entry, _) => {
            let DataType::Struct(fields) = entry.data_type() else { panic!("entries of a map: {entry}") };
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pair = |row| (of(&fields[0], keys, row), of(&fields[1], values, row));
            let pairs = (0..entries.len()).map(pair);
            if *keys.data_type() == DataType::Utf8 {
                Value::Object(pairs.map(|(key, value)| (key.as_str().expect("text").to_owned(), value)).collect())
            } else {
                pairs.map(|(key, value)| json!([key, value])).collect()
            }
        }
        DataType::Struct(fields) => {
            let member = |(field, array): (&arrow_schema::FieldRef, &ArrayRef)| (field.name().clone(), of(field, array, row));
            let members = fields.iter().zip(array.as_struct().columns()).map(member);
            Value::Object(members.filter(|(_, member)| !schemaless || !member.is_null()).collect())
        }
        other => panic!("no Connect value is {other}"),
    }
}

/// The text that JSON has for what is no number.
fn special(value: f64) -> Option<Value> {
    (!value.is_finite()).then(|| {
        json!(if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    })
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
