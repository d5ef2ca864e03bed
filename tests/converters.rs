//! What Kafka's own converters make of records, and what Landfall's make of the same.
//!
//! `tests/data/converters/records.jsonl` holds what the Java classes made. A difference has its reason there.

pub(crate) mod generate;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use arrow_array::{Array, BinaryArray};
use arrow_schema::{DataType, Field};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall::convert;
use landfall_api::{Properties, Records, Role, Run, schema};
use serde_json::{Map, Value, json};

use crate::support::broker::java;

/// Records for one converter.
#[derive(Debug)]
pub(crate) struct Group {
    class: String,
    role: String,
    config: Value,
    pub(crate) records: Vec<Option<Vec<u8>>>,
}

impl Group {
    fn new(class: &str, role: &str, config: Value, records: impl IntoIterator<Item = Option<Vec<u8>>>) -> Self {
        Self { class: class.into(), role: role.into(), config, records: records.into_iter().collect() }
    }
}

/// What a record became.
pub(crate) type Made = Result<(String, Value), landfall_api::RecordError>;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/converters/records.jsonl")
}

/// The records of the file, or new ones in their place with `UPDATE=1`.
pub(crate) fn checked_in() {
    if std::env::var_os("UPDATE").is_some() {
        let groups = generate::groups(1, 2000);
        let results = by_java(&groups);
        let mut text = String::new();
        for (group, results) in groups.iter().zip(&results) {
            text += &format!("{}\n", json!({"class": group.class, "role": group.role, "config": group.config}));
            for ((record, result), ours) in group.records.iter().zip(results).zip(by_landfall(group)) {
                let reason = difference(group, record.as_deref(), result, &ours);
                let line = [input(record.as_deref()), result.clone()].into_iter().chain(reason.map(Value::from));
                text += &format!("{}\n", Value::from_iter(line));
            }
        }
        fs::write(path(), text).expect("the file of records");
    }
    let text = fs::read_to_string(path()).expect("the file of records: make converters-golden");
    let mut expected: Vec<(Group, Vec<Expected>)> = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        if let (Some(class), Some(role)) = (line["class"].as_str(), line["role"].as_str()) {
            expected.push((Group::new(class, role, line["config"].clone(), []), Vec::new()));
        } else {
            let (group, results) = expected.last_mut().expect("a group");
            group.records.push(bytes(&line[0]));
            results.push((line[1].clone(), line[2].as_str().map(str::to_owned)));
        }
    }
    assert!(expected.iter().map(|(_, results)| results.len()).sum::<usize>() > 1900);
    for (group, results) in &expected {
        for ((record, (result, reason)), ours) in group.records.iter().zip(results).zip(by_landfall(group)) {
            let found = difference(group, record.as_deref(), result, &ours);
            assert!(found == reason.as_deref() && found != Some(UNKNOWN), "{}", shown(group, record.as_deref(), result, &ours));
        }
    }
}

pub(crate) fn shown(group: &Group, record: Option<&[u8]>, java: &Value, ours: &Made) -> String {
    let record = record.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("{} {} {record:?}\n java: {java}\n ours: {ours:?}", group.class, group.config)
}

/// Bytes as text, if they are such, else as `{"base64": …}`.
fn input(record: Option<&[u8]>) -> Value {
    match record.map(|bytes| (bytes, str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

fn bytes(input: &Value) -> Option<Vec<u8>> {
    match input {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        other => Some(STANDARD.decode(other["base64"].as_str().expect("base64")).expect("base64")),
    }
}

/// What the Java classes make of all records.
pub(crate) fn by_java(groups: &[Group]) -> Vec<Vec<Value>> {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/converters/ConverterHarness.java");
    let mut harness = java("java-worker", "512m", &harness.display().to_string());
    let mut harness = harness.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("java");
    let mut stdin = harness.stdin.take().expect("a pipe");
    let mut cases = String::new();
    for group in groups {
        let records: Vec<_> = group.records.iter().map(|record| record.as_ref().map(|bytes| STANDARD.encode(bytes))).collect();
        let group = json!({"class": group.class, "role": group.role, "config": group.config, "records": records});
        cases += &format!("{group}\n");
    }
    let writer = std::thread::spawn(move || stdin.write_all(cases.as_bytes()));
    let output = harness.wait_with_output().expect("java ends");
    writer.join().expect("no panic").expect("java reads all");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let results: Vec<Vec<Value>> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(results.len(), groups.len());
    results
}

/// What Landfall makes of each record alone. Where a record has its own schema, all at once must come out the same.
pub(crate) fn by_landfall(group: &Group) -> Vec<Made> {
    let alone: Vec<_> = group.records.iter().flat_map(|record| convert_all(group, std::slice::from_ref(record))).collect();
    if group.role != "header" && group.config["schemas.enable"] != "false" {
        for ((alone, together), record) in alone.iter().zip(convert_all(group, &group.records)).zip(&group.records) {
            let (Ok((schema, one)), Ok((_, other))) = (alone, &together) else {
                assert_eq!(alone.is_ok(), together.is_ok(), "{}", shown(group, record.as_deref(), &json!(null), alone));
                continue;
            };
            // What has no schema has that of all such records.
            assert!(one == other || schema.is_empty(), "{one} {other}");
        }
    }
    alone
}

fn convert_all(group: &Group, records: &[Option<Vec<u8>>]) -> Vec<Made> {
    let config = group.config.as_object().expect("an object").iter();
    let properties: Properties = config.map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())).collect();
    let role = match &*group.role {
        "key" => Role::Key,
        "header" => Role::Header,
        _ => Role::Value,
    };
    let mut converter = convert::build(&group.class, &properties, role).expect("a converter");
    let bytes: BinaryArray = records.iter().map(Option::as_deref).collect();
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available");
    let rows = |run: Run| {
        let rows = run.rows.len();
        (0..rows).map(move |row| {
            let column = run.column.as_ref().map_err(Clone::clone)?;
            Ok((text(&column.field), value(&column.field, &column.array, row)))
        })
    };
    runs.into_iter().flat_map(rows).collect()
}

/// The reason of a difference that nobody knows.
pub(crate) const UNKNOWN: &str = "unknown";

/// Why what Landfall made is not what Java made; None if it is. The reasons are the differences that the converters' documentation lists.
pub(crate) fn difference(group: &Group, record: Option<&[u8]>, java: &Value, ours: &Made) -> Option<&'static str> {
    if group.role == "header" {
        return header_difference(java, ours);
    }
    let record = String::from_utf8_lossy(record.unwrap_or_default());
    let struct_default = record.contains("\"default\":{");
    let (schema, value) = match (ours, java["error"].as_str()) {
        (Err(ours), Some(java)) if ours.class == java => return None,
        (_, Some(_)) if struct_default => return Some("Java takes no default of a struct"),
        (Err(_), Some(_)) if record.contains("\"default\":") => {
            return Some("Java makes something of a default of another type first");
        }
        (Err(_), Some(_)) if record.matches("\"field\":\"a\"").count() > 1 => return Some("of two faults another counts"),
        (Ok(_), Some(_)) if record.contains("\\ud8") => return Some(SURROGATE),
        (Ok((schema, _)), Some(_)) if schema.contains("map<") => {
            return Some("of two entries with one key only the last is read");
        }
        (Ok((schema, _)), Some(_)) if schema.is_empty() && huge_exponent(&record) => return Some(DIGITS),
        (_, Some(_)) => return Some(UNKNOWN),
        (Err(ours), None) => return Some(refused(&ours.message)),
        (Ok(ours), None) => ours,
    };
    let java_value = &java["value"];
    if value.is_null() && java_value.is_null() {
        return None;
    }
    let same = match java["schema"].as_str() {
        Some(java_schema) => schema == java_schema && value == java_value,
        None => schema.is_empty() && loosely_equal(value, java_value),
    };
    if same {
        return None;
    }
    let digits = record.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    Some(match java["schema"].as_str() {
        _ if record.contains("\\ud8") => SURROGATE,
        Some(_) if record.contains("\"Infinity\"") || record.contains("\"NaN\"") => "Infinity and NaN are read from texts",
        None if loosely_equal(&without_empty(value), &without_empty(java_value)) => "what is empty throughout has no type",
        None if digits > Some(18) || record.contains("e4") => DIGITS,
        None if record.contains("007") => "text of JSON keeps leading zeros",
        _ => UNKNOWN,
    })
}

/// What Java makes of a record, and why that is not what is made here, if it is not.
type Expected = (Value, Option<String>);

const SURROGATE: &str = "half a surrogate pair becomes U+FFFD";

const DIGITS: &str = "numbers beyond 64 bits keep their digits";

/// Whether there is a number with so large an exponent that Jackson takes it for an attack.
fn huge_exponent(record: &str) -> bool {
    record
        .split(['e', 'E'])
        .skip(1)
        .any(|after| after.bytes().skip_while(|b| matches!(b, b'+' | b'-')).take_while(u8::is_ascii_digit).count() > 4)
}

/// The reason by what Landfall says of a record that Java takes.
fn refused(message: &str) -> &'static str {
    match message {
        after if after.ends_with("expected the end of the record") => "Java drops what stands after the JSON",
        null if null.starts_with("Invalid null value for required ") => "Java reads only the last of two fields with one name",
        value if value.starts_with("invalid value for ") => "Java makes something of a value of another type",
        scale if scale.contains("Decimal schema: ") => "Java looks at the scale of a decimal when there is a value",
        fraction if fraction.contains(" cannot hold ") => "Java leaves it to the sink to refuse a decimal of another scale",
        number if number.contains("invalid number at line ") || number.contains("number out of range at line ") => {
            "Java takes leading zeros and endless numbers in a schema"
        }
        half if half.contains("hex escape at line ") => "Java takes half a surrogate pair in a schema",
        _ => UNKNOWN,
    }
}

/// Java reads a type out of a header's text and writes it back; Landfall keeps the text.
fn header_difference(java: &Value, ours: &Made) -> Option<&'static str> {
    let Ok((_, ours)) = ours else { return Some(UNKNOWN) };
    if ours == java {
        return None;
    }
    let text = ours.as_str().unwrap_or_default();
    Some(match text.trim_start_matches(|c| c <= ' ').chars().next() {
        _ if text == "null" && java.is_null() => "Java reads null",
        Some('[' | '{') => "Java writes lists and maps anew",
        Some('+' | '-') => NUMBERS,
        Some(digit) if digit.is_numeric() => NUMBERS,
        _ => UNKNOWN,
    })
}

const NUMBERS: &str = "Java writes numbers and dates anew, and rounds them";

/// Whether numbers are the same, whatever their type; a column has one, and text of JSON is what it says.
fn loosely_equal(ours: &Value, java: &Value) -> bool {
    match (ours, java) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        (Value::Number(number), Value::String(_)) | (Value::String(_), Value::Number(number)) => {
            let double = ours.as_str().or(java.as_str()).and_then(|text| u64::from_str_radix(text.strip_prefix("d:")?, 16).ok());
            let double = double.map(f64::from_bits);
            // What was text of JSON was read with serde_json, whose doubles may be off by the last bit.
            double.zip(number.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= a.abs() * f64::EPSILON)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| loosely_equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| loosely_equal(a, b)))
        }
        _ => ours == java,
    }
}

/// The schema as `struct<a:int32?,b:array<string>>`; empty if there is none.
fn text(field: &Field) -> String {
    if schema::is_schemaless(field) {
        return String::new();
    }
    let nested = |field: &Field| text(field) + if field.is_nullable() { "?" } else { "" };
    let of = match field.data_type() {
        DataType::Null => return String::new(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "int8".to_owned(),
        DataType::Int16 => "int16".to_owned(),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => "int32".to_owned(),
        DataType::Int64 | DataType::Timestamp(..) => "int64".to_owned(),
        DataType::Float32 => "float32".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::Binary | DataType::Decimal128(..) => "bytes".to_owned(),
        DataType::List(item) => format!("array<{}>", nested(item)),
        DataType::Map(entries, _) => {
            let DataType::Struct(parts) = entries.data_type() else { panic!("a map has entries") };
            format!("map<{},{}>", text(&parts[0]), nested(&parts[1]))
        }
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|field| format!("{}:{}", field.name(), nested(field))).collect();
            format!("struct<{}>", fields.join(","))
        }
        other => panic!("no column has the type {other}"),
    };
    schema::name(field).map_or(of.clone(), |name| format!("{of}@{name}"))
}

/// A value as the Java harness writes it.
fn value(field: &Field, array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Value::Null;
    }
    let schemaless = schema::is_schemaless(field);
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Date32 => (i64::from(array.as_primitive::<Date32Type>().value(row)) * 86_400_000).into(),
        DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMillisecondType>().value(row).into(),
        DataType::Float32 => format!("f:{:x}", canonical_bits(array.as_primitive::<Float32Type>().value(row))).into(),
        DataType::Float64 => match array.as_primitive::<Float64Type>().value(row) {
            number if number.is_nan() => "d:7ff8000000000000".into(),
            number => format!("d:{:x}", number.to_bits()).into(),
        },
        DataType::Decimal128(..) => decimal(&array.as_primitive::<Decimal128Type>().value_as_string(row)).into(),
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row);
            let json = field.metadata().get(schema::SCHEMALESS).is_some_and(|mark| mark == schema::JSON);
            if json { without_nulls(serde_json::from_str(text).unwrap_or_else(|_| text.into())) } else { text.into() }
        }
        DataType::Binary => format!("b:{}", STANDARD.encode(array.as_binary::<i32>().value(row))).into(),
        DataType::List(item) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|at| value(item, &items, at)).collect()
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(parts) = entries.data_type() else { panic!("a map has entries") };
            let entries = array.as_map().value(row);
            let part = |part: usize, at| value(&parts[part], entries.column(part), at);
            let mut pairs: Vec<_> = (0..entries.len()).map(|at| (part(0, at), part(1, at))).collect();
            let order =
                |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned).encode_utf16().collect::<Vec<_>>();
            pairs.sort_by_key(|(key, _)| order(key));
            pairs.into_iter().map(|(key, value)| json!([key, value])).collect()
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let values = columns.map(|(field, column)| (field.name().clone(), value(field, column, row)));
            Value::Object(values.filter(|(_, value)| !schemaless || !value.is_null()).collect())
        }
        other => panic!("no column has the type {other}"),
    }
}

fn canonical_bits(number: f32) -> u32 {
    if number.is_nan() { 0x7fc0_0000 } else { number.to_bits() }
}

fn decimal(text: &str) -> String {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    text.to_owned()
}

/// Objects without the entries that are null: absent and null are one.
fn without_nulls(json: Value) -> Value {
    match json {
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Object(entries) => {
            let kept: Map<_, _> = entries.into_iter().filter(|(_, value)| !value.is_null()).collect();
            Value::Object(kept.into_iter().map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}

/// Without what has no value in it anywhere.
fn without_empty(json: &Value) -> Value {
    match json {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(without_empty).collect();
            if items.iter().all(Value::is_null) { Value::Null } else { items.into() }
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), without_empty(value)));
            let entries: Map<_, _> = entries.filter(|(_, value)| !value.is_null()).collect();
            if entries.is_empty() { Value::Null } else { entries.into() }
        }
        other => other.clone(),
    }
}
