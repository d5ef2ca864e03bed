//! Reads Connect schemas in JSON (`org.apache.kafka.connect.json.JsonSchema`, 4.3.1) as Arrow fields, with the [`Node`]s that take
//! their values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{DataType, Field, TimeUnit};
use landfall_api::RecordError;
use landfall_api::schema::{JSON, SCHEMALESS};
use serde_json::{Map, Value};

use super::super::node::{Absent, ITEM, Member, Members, Node, Offsets, Precision, Text, Values, map_type};
use super::invalid;
use super::scan::Scanner;

/// The digits of a decimal column whose schema does not say how many: all that 128 bits have.
const MAX_PRECISION: u8 = 38;
/// The parameter by which a `Decimal` says how many digits it has.
const PRECISION: &str = "connect.decimal.precision";

/// How a schema is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::convert) struct Reading {
    /// Whether a null is replaced by the default (`replace.null.with.default`).
    pub(in crate::convert) replace_null: bool,
    /// Whether the values are written as Confluent's JSON Schema converter does: one of a union as such, maps whose keys are not
    /// strings as lists of objects with `key` and `value`. Then there are types for any JSON too.
    pub(in crate::convert) json_schema: bool,
}

/// The name and the parameters of structs that are unions (`JsonSchemaData.JSON_TYPE_ONE_OF`, `ConnectUnion.LOGICAL_PARAMETER`).
const UNION_NAME: &str = "io.confluent.connect.json.OneOf";
const UNION_PARAMETER: &str = "org.apache.kafka.connect.data.Union";

impl Reading {
    /// The column called `name` of the records whose schema is `json`. It is nullable whatever the schema says, for tombstones.
    pub(in crate::convert) fn root(self, json: &Value, name: &str) -> Result<(Field, Node), RecordError> {
        let (field, node) = self.field(json, name)?;
        Ok((field.with_nullable(true), node))
    }

    fn field(self, json: &Value, name: &str) -> Result<(Field, Node), RecordError> {
        let kind =
            json.get("type").and_then(Value::as_str).ok_or_else(|| RecordError::data("Schema must contain 'type' field"))?;
        let schema = match json {
            Value::Object(schema) => schema,
            _ => return Err(RecordError::data("Schema must contain 'type' field")),
        };
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let (data_type, values) = self.of_type(kind, schema)?;
        let optional = schema.get("optional").and_then(Value::as_bool).unwrap_or(false);

        let mut metadata = HashMap::new();
        metadata.extend(text("name").map(|name| ("connect.name".to_owned(), name.to_owned())));
        let version = schema.get("version").and_then(Value::as_i64);
        metadata.extend(version.map(|version| ("connect.version".to_owned(), version.to_string())));
        metadata.extend(text("doc").map(|doc| ("connect.doc".to_owned(), doc.to_owned())));
        for (key, value) in schema.get("parameters").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().ok_or_else(|| RecordError::data("Schema parameters must have string values."))?;
            metadata.insert(format!("connect.parameter.{key}"), value.to_owned());
        }
        if kind == "json" {
            metadata.insert(SCHEMALESS.into(), JSON.into());
        }

        let mut node = Node::new(values, if optional { Absent::Null } else { Absent::Refused }, false);
        if let Some(default) = schema.get("default") {
            let json = default.to_string();
            node.read(&mut Scanner::new(json.as_bytes(), 0)).map_err(invalid)?;
            node.truncate(0);
            if !default.is_null() {
                if self.replace_null {
                    node.absent = Absent::Default(json.as_bytes().into());
                }
                metadata.insert("connect.default".into(), json);
            }
        }
        Ok((Field::new(name, data_type, optional).with_metadata(metadata), node))
    }

    fn of_type(self, kind: &str, schema: &Map<String, Value>) -> Result<(DataType, Values), RecordError> {
        let logical =
            schema.get("name").and_then(Value::as_str).and_then(|name| name.strip_prefix("org.apache.kafka.connect.data."));
        Ok(match (kind, logical) {
            ("int32", Some("Date")) => (DataType::Date32, Values::Date(Vec::new())),
            ("int32", Some("Time")) => (DataType::Time32(TimeUnit::Millisecond), Values::Time(Vec::new())),
            ("int64", Some("Timestamp")) => {
                (DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), Values::Timestamp(Vec::new()))
            }
            ("bytes", Some("Decimal")) => {
                let precision = precision(schema)?;
                let scale = precision.column_scale() as i8; // at most 38
                (DataType::Decimal128(precision.precision, scale), Values::Decimal(Vec::new(), precision))
            }
            ("boolean", _) => (DataType::Boolean, Values::Boolean(BooleanBufferBuilder::new(0))),
            ("int8", _) => (DataType::Int8, Values::Int8(Vec::new())),
            ("int16", _) => (DataType::Int16, Values::Int16(Vec::new())),
            ("int32", _) => (DataType::Int32, Values::Int32(Vec::new())),
            ("int64", _) => (DataType::Int64, Values::Int64(Vec::new())),
            ("float", _) => (DataType::Float32, Values::Float32(Vec::new())),
            ("double", _) => (DataType::Float64, Values::Float64(Vec::new())),
            ("string", _) => (DataType::Utf8, Values::String(Text::new())),
            ("bytes", _) => (DataType::Binary, Values::Bytes(Text::new())),
            ("json" | "symbol", _) if self.json_schema => (DataType::Utf8, Values::Json(Text::new())),
            ("array", _) => {
                let items = schema.get("items").filter(|items| !items.is_null());
                let items = items.ok_or_else(|| RecordError::data("Array schema did not specify the element type"))?;
                let (field, node) = self.field(items, ITEM)?;
                (DataType::List(Arc::new(field)), Values::List(Offsets::new(), Box::new(node)))
            }
            ("map", _) => {
                let part = |key: &str, what: &str| {
                    let part = schema.get(key).filter(|part| !part.is_null());
                    part.ok_or_else(|| RecordError::data(format!("Map schema did not specify the {what} type")))
                };
                let (key, mut keys) = self.field(part("keys", "key")?, "key")?;
                let (value, values) = self.field(part("values", "value")?, "value")?;
                // Arrow has no null keys.
                if let Absent::Null = keys.absent {
                    keys.absent = Absent::Refused;
                }
                let by_name = matches!(keys.values, Values::String(_)) && !key.is_nullable();
                let data_type = map_type(key.with_nullable(false), value);
                if self.json_schema && !by_name {
                    let entry = members(vec![Member::new("key", keys), Member::new("value", values)]);
                    let entry = Node::new(Values::Struct(entry), Absent::Refused, false);
                    return Ok((data_type, Values::List(Offsets::new(), Box::new(entry))));
                }
                (data_type, Values::Map(Offsets::new(), Box::new((keys, values))))
            }
            ("struct", _) => self.of_fields(schema)?,
            _ => return Err(RecordError::data(format!("Unknown schema type: {kind}"))),
        })
    }

    fn of_fields(self, schema: &Map<String, Value>) -> Result<(DataType, Values), RecordError> {
        let list = schema.get("fields").and_then(Value::as_array);
        let list = list.ok_or_else(|| RecordError::data("Struct schema's \"fields\" argument is not an array."))?;
        let (mut fields, mut list_of, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for json in list {
            let name = json.get("field").and_then(Value::as_str);
            let name = name.ok_or_else(|| RecordError::data("Struct schema's field name not specified properly"))?;
            let (field, node) = self.field(json, name)?;
            let builder = |message| RecordError { class: "org.apache.kafka.connect.errors.SchemaBuilderException", message };
            if name.is_empty() {
                return Err(builder("fieldName cannot be null.".into()));
            }
            if !names.insert(name) {
                return Err(builder(format!("Cannot create field because of field name duplication {name}")));
            }
            fields.push(field);
            list_of.push(Member::new(name, node));
        }
        let mut members = members(list_of);
        members.one_of = self.json_schema
            && (schema.get("name").is_some_and(|name| name == UNION_NAME)
                || schema.get("parameters").is_some_and(|parameters| parameters.get(UNION_PARAMETER).is_some()));
        Ok((DataType::Struct(fields.into()), Values::Struct(members)))
    }
}

fn members(list: Vec<Member>) -> Members {
    let mut members = Members::default();
    members.list.extend(list);
    members.arrange((0..members.list.len()).collect());
    members
}

/// What a `Decimal` schema says of its digits.
fn precision(schema: &Map<String, Value>) -> Result<Precision, RecordError> {
    let parameter = |key| schema.get("parameters").and_then(|parameters| parameters.get(key)).and_then(Value::as_str);
    let scale = parameter("scale").ok_or_else(|| RecordError::data("Invalid Decimal schema: scale parameter not found."))?;
    let parsed = scale.parse().ok().filter(|scale| (-i32::from(MAX_PRECISION)..=i32::from(MAX_PRECISION)).contains(scale));
    let scale = parsed.ok_or_else(|| RecordError::data(format!("Invalid scale parameter found in Decimal schema: {scale}")))?;
    let digits = parameter(PRECISION).and_then(|p| p.parse().ok()).filter(|p| (1..=MAX_PRECISION).contains(p));
    let digits = digits.unwrap_or(MAX_PRECISION).max(scale.unsigned_abs() as u8);
    Ok(Precision { precision: digits, scale })
}
