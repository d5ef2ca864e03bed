//! The Avro schema of a file: what `io.confluent.connect.avro.AvroData` (8.x) makes of the Connect schema of its rows, and its JSON.
//!
//! It differs from Java where
//! - a file's own record is never a union with null: a record without a value has its fields null;
//! - a second type of a name that is taken, which Java cannot write, gets a number behind its name;
//! - parameters, and with them the symbols of an enum, are in alphabetical order.

use std::collections::HashMap;

use arrow_schema::{DataType, Field, FieldRef, Metadata, Schema as ArrowSchema, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::RecordError;
use landfall_api::schema::{DECIMAL, DEFAULT, DOC, NAME, PARAMETER, VERSION};
use serde_json::{Map, Value as Json, json};

use super::Options;
use crate::{columns, envelope};

/// The namespace of what the class adds to a schema.
const OWN: &str = "io.confluent.connect.avro";
/// The digits of a decimal of which no number is known.
const NO_PRECISION: i64 = 64;

/// A type, which may be one of a union with null.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Type {
    pub(super) node: Node,
    pub(super) optional: Option<Null>,
}

/// Which branch of a union is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Null {
    First,
    Last,
}

/// A type without its null.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// What is said of it besides.
    properties: Map<String, Json>,
}

/// Two types are one if they hold the same.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(Name, usize),
    Enum(Name, Vec<String>),
    Array(Box<Type>),
    Map(Box<Type>),
    /// An array of records of a key and a value.
    Entries(Box<Node>),
    Record(Name, Vec<Member>),
    /// One of several, each a field of a struct; the first is null if there may be none.
    Union(Vec<Node>, bool),
}

/// A full name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    space: Option<String>,
    simple: String,
}

impl Name {
    fn of(full: &str) -> Self {
        match full.rsplit_once('.') {
            Some((space, simple)) => Self { space: Some(space.to_owned()), simple: simple.to_owned() },
            None => Self { space: None, simple: full.to_owned() },
        }
    }

    fn own(simple: impl Into<String>) -> Self {
        Self { space: Some(OWN.to_owned()), simple: simple.into() }
    }

    fn full(&self) -> String {
        self.space.as_ref().map_or_else(|| self.simple.clone(), |space| format!("{space}.{}", self.simple))
    }
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(super) struct Member {
    name: String,
    pub(super) data_type: Type,
    doc: Option<String>,
    default: Option<Json>,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.data_type) == (&other.name, &other.data_type)
    }
}

/// The type of the rows of a file of `schema`.
///
/// # Errors
/// A name or a type that Avro does not have.
pub(super) fn of_file(schema: &ArrowSchema, options: &Options) -> Result<Type, RecordError> {
    let mut making = Making::new(options);
    let metadata = schema.metadata();
    let enveloped = envelope::is_envelope(schema);
    if is_alone(schema) {
        return making.of(schema.field(0));
    }
    let metadata = if enveloped || columns::is_plain(schema) {
        let name = metadata.get(envelope::RECORD);
        Metadata::from_iter(name.map(|name| (envelope::RECORD, name)))
    } else {
        metadata.clone()
    };
    let record = Field::new("", DataType::Struct(schema.fields().clone()), false).with_metadata(metadata);
    Ok(Type { node: making.record(&record, schema.fields())?, optional: None })
}

/// Whether the rows of a file are values by themselves, and no records of columns.
pub(super) fn is_alone(schema: &ArrowSchema) -> bool {
    schema.fields().len() == 1 && columns::is_plain(schema) && !envelope::is_envelope(schema)
}

/// Whether a file can have rows of values of `value`.
///
/// # Errors
/// As those of [`of_file`].
pub(super) fn check(value: &Field, options: &Options) -> Result<(), RecordError> {
    Making::new(options).of(value).map(drop)
}

struct Making<'a> {
    options: &'a Options,
    /// The records without a name so far.
    unnamed: usize,
    /// The records so far: the same schema is the same type.
    records: HashMap<(DataType, Metadata), Node>,
}

impl<'o> Making<'o> {
    fn new(options: &'o Options) -> Self {
        Self { options, unnamed: 0, records: HashMap::new() }
    }

    fn of(&mut self, field: &Field) -> Result<Type, RecordError> {
        let metadata = field.metadata();
        let null = if metadata.contains_key(DEFAULT) && !matches!(field.data_type(), DataType::Struct(_)) {
            Null::Last
        } else {
            Null::First
        };
        let node = match field.data_type() {
            DataType::Struct(fields) if is_union(field) => {
                let branch = |field: &FieldRef| Ok(self.of(field)?.node);
                let branches = fields.iter().map(branch).collect::<Result<_, RecordError>>()?;
                let node = Node { kind: Kind::Union(branches, field.is_nullable()), properties: Map::new() };
                return Ok(Type { node, optional: None });
            }
            DataType::Struct(fields) => self.record(field, fields)?,
            DataType::Null => return Ok(Type { node: Node { kind: Kind::Null, properties: Map::new() }, optional: None }),
            _ => self.other(field)?,
        };
        Ok(Type { node, optional: field.is_nullable().then_some(null) })
    }

    fn other(&mut self, field: &Field) -> Result<Node, RecordError> {
        let mut properties = Map::new();
        let mut connect_type = None;
        let kind = match field.data_type() {
            DataType::Boolean => Kind::Boolean,
            DataType::Int8 | DataType::Int16 => {
                connect_type = Some(if *field.data_type() == DataType::Int8 { "int8" } else { "int16" });
                Kind::Int
            }
            DataType::Int32 | DataType::Date32 | DataType::Time32(TimeUnit::Millisecond) => Kind::Int,
            DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, _) => Kind::Long,
            DataType::Float32 => Kind::Float,
            DataType::Float64 => Kind::Double,
            DataType::Utf8 => self.text(field)?,
            DataType::Binary | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                let scale = scale(field);
                let kind = match fixed_size(field) {
                    Some(size) => Kind::Fixed(self.name(field)?, size),
                    None => Kind::Bytes,
                };
                if let Some(scale) = scale {
                    properties.insert("scale".into(), scale.into());
                    properties.insert("precision".into(), precision(field).into());
                }
                kind
            }
            DataType::List(item) => Kind::Array(Box::new(self.of(item)?)),
            DataType::Map(entries, _) => {
                let DataType::Struct(parts) = entries.data_type() else { return Err(unknown(field)) };
                match parts[0].data_type() {
                    DataType::Utf8 => Kind::Map(Box::new(self.of(&parts[1])?)),
                    _ => Kind::Entries(Box::new(self.entry(field, &parts[0], &parts[1])?)),
                }
            }
            _ => return Err(unknown(field)),
        };
        if matches!(kind, Kind::Enum(..)) {
            let simple = field.metadata().get(NAME).map_or("ConnectDefault", |name| name.rsplit('.').next().unwrap_or(name));
            for key in ["doc", "default"] {
                let said = parameter(field, &format!("{OWN}.enum.{key}.{simple}"));
                properties.extend(said.map(|said| (key.to_owned(), said.into())));
            }
        }
        self.describe(field, connect_type, &mut properties);
        let logical = match field.data_type() {
            DataType::Date32 => Some("date"),
            DataType::Time32(_) => Some("time-millis"),
            DataType::Timestamp(..) => Some("timestamp-millis"),
            DataType::Decimal128(..) | DataType::Decimal256(..) => Some("decimal"),
            _ => None,
        };
        properties.extend(logical.map(|logical| ("logicalType".to_owned(), logical.into())));
        let avro = parameters(field).filter(|(key, _)| key.starts_with("avro"));
        properties.extend(avro.map(|(key, value)| (key.to_owned(), value.into())));
        Ok(Node { kind, properties })
    }

    /// Text, or an enum.
    fn text(&mut self, field: &Field) -> Result<Kind, RecordError> {
        const ENUM: &str = "connect.parameter.io.confluent.connect.avro.Enum";
        let metadata = field.metadata();
        let Some(name) = metadata.get(ENUM).filter(|_| self.options.enhanced) else { return Ok(Kind::String) };
        if metadata.get(NAME).is_none() {
            self.unnamed += 1;
        }
        let symbols = metadata.keys().filter_map(|key| key.strip_prefix(ENUM)?.strip_prefix('.').map(str::to_owned));
        let symbols: Vec<String> = symbols.collect();
        symbols.iter().try_for_each(|symbol| valid(symbol))?;
        Ok(Kind::Enum(checked(Name::of(name))?, symbols))
    }

    fn name(&mut self, field: &Field) -> Result<Name, RecordError> {
        match field.metadata().get(NAME).or_else(|| field.metadata().get(envelope::RECORD)) {
            Some(name) => checked(Name::of(name)),
            None => {
                self.unnamed += 1;
                let number = if self.unnamed > 1 { self.unnamed.to_string() } else { String::new() };
                Ok(Name::own(format!("ConnectDefault{number}")))
            }
        }
    }

    fn record(&mut self, field: &Field, fields: &[FieldRef]) -> Result<Node, RecordError> {
        let key = (field.data_type().clone(), field.metadata().clone());
        if let Some(made) = self.records.get(&key) {
            return Ok(made.clone());
        }
        let name = self.name(field)?;
        let doc = |of: &Field| parameter(field, &format!("{OWN}.field.doc.{}", of.name()));
        let members = fields.iter().map(|field| self.member(field, doc(field))).collect::<Result<Vec<_>, _>>()?;
        let mut properties = Map::new();
        properties.extend(parameter(field, &format!("{OWN}.record.doc")).map(|doc| ("doc".to_owned(), doc.into())));
        self.describe(field, None, &mut properties);
        let node = Node { kind: Kind::Record(name, members), properties };
        self.records.insert(key, node.clone());
        Ok(node)
    }

    fn entry(&mut self, map: &Field, key: &Field, value: &Field) -> Result<Node, RecordError> {
        let named = map.metadata().get(NAME);
        let name = named.map_or_else(|| Ok(Name::own("MapEntry")), |name| checked(Name::of(name)))?;
        let mut properties = Map::new();
        if named.is_some() {
            properties.insert("connect.internal.type".into(), "MapEntry".into());
        }
        let member = |making: &mut Self, name: &str, field: &Field| making.member(&field.clone().with_name(name), None);
        let members = vec![member(self, "key", key)?, member(self, "value", value)?];
        Ok(Node { kind: Kind::Record(name, members), properties })
    }

    fn member(&mut self, field: &Field, doc: Option<&str>) -> Result<Member, RecordError> {
        valid(field.name())?;
        let data_type = self.of(field)?;
        let default = default_of(field);
        let null_first = data_type.optional == Some(Null::First) || matches!(data_type.node.kind, Kind::Union(_, true));
        let default = match default {
            // a default is of the first branch
            Some(_) if null_first => None,
            Some(default) => Some(default),
            None if null_first => Some(Json::Null),
            None => None,
        };
        Ok(Member { name: field.name().clone(), data_type, doc: doc.map(str::to_owned), default })
    }

    /// What the Connect schema says, as far as that is asked for.
    fn describe(&self, field: &Field, connect_type: Option<&str>, properties: &mut Map<String, Json>) {
        if !self.options.meta_data {
            return;
        }
        const FLAG: &str = "io.confluent.connect.avro.field.default";
        let metadata = field.metadata();
        let mut say = |key: &str, value: Json| drop(properties.insert(key.to_owned(), value));
        if let Some(doc) = metadata.get(DOC) {
            say("connect.doc", doc.as_str().into());
        }
        if let Some(version) = metadata.get(VERSION).and_then(|version| version.parse::<i64>().ok()) {
            say("connect.version", version.into());
        }
        let said: Map<String, Json> =
            parameters(field).filter(|(key, _)| *key != FLAG).map(|(key, value)| (key.to_owned(), value.into())).collect();
        if !said.is_empty() {
            say("connect.parameters", said.into());
        }
        if let Some(default) = default_of(field).filter(|_| parameter(field, FLAG).is_none()) {
            say("connect.default", default);
        }
        if let Some(name) = metadata.get(NAME) {
            say("connect.name", name.as_str().into());
        }
        if let Some(connect_type) = connect_type {
            say("connect.type", connect_type.into());
        }
    }
}

fn is_union(field: &Field) -> bool {
    field.metadata().get(NAME).is_some_and(|name| name == "io.confluent.connect.avro.Union")
        || parameter(field, "org.apache.kafka.connect.data.Union").is_some()
}

fn parameters(field: &Field) -> impl Iterator<Item = (&str, &str)> {
    field.metadata().iter().filter_map(|(key, value)| Some((key.strip_prefix(PARAMETER)?, value.as_str())))
}

fn parameter<'a>(field: &'a Field, key: &str) -> Option<&'a str> {
    field.metadata().get(&format!("{PARAMETER}{key}")).map(String::as_str)
}

/// The size that bytes of a schema with a name always have.
pub(super) fn fixed_size(field: &Field) -> Option<usize> {
    field.metadata().get(NAME)?;
    parameter(field, "connect.fixed.size")?.parse().ok()
}

/// The scale that the Connect schema of a decimal has: below zero too, which a column's never is.
pub(super) fn scale(field: &Field) -> Option<i64> {
    let of_type = match field.data_type() {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => i64::from(*scale),
        _ => return None,
    };
    Some(parameter(field, "scale").and_then(|scale| scale.parse().ok()).unwrap_or(of_type))
}

fn precision(field: &Field) -> i64 {
    let named = field.metadata().get(NAME).is_some_and(|name| name == DECIMAL);
    let known = parameter(field, "connect.decimal.precision").and_then(|precision| precision.parse().ok());
    match field.data_type() {
        DataType::Decimal128(digits, _) | DataType::Decimal256(digits, _) if !named => (*digits).into(),
        _ => known.unwrap_or(NO_PRECISION),
    }
}

/// The default of a field as Avro has it.
fn default_of(field: &Field) -> Option<Json> {
    let default = serde_json::from_str(field.metadata().get(DEFAULT)?).ok()?;
    in_avro(field, &default).filter(|default| !default.is_null())
}

/// A value in the form of `JsonConverter` in that of Avro's defaults: bytes are text of their numbers.
fn in_avro(field: &Field, value: &Json) -> Option<Json> {
    Some(match (field.data_type(), value) {
        (_, Json::Null) => Json::Null,
        (DataType::Binary | DataType::Decimal128(..) | DataType::Decimal256(..), Json::String(text)) => {
            STANDARD.decode(text).ok()?.into_iter().map(char::from).collect::<String>().into()
        }
        (DataType::List(item), Json::Array(items)) => {
            items.iter().map(|value| in_avro(item, value)).collect::<Option<Vec<_>>>()?.into()
        }
        (DataType::Map(entries, _), Json::Object(values)) => {
            let DataType::Struct(parts) = entries.data_type() else { return None };
            let value = |(key, value): (&String, &Json)| Some((key.clone(), in_avro(&parts[1], value)?));
            Json::Object(values.iter().map(value).collect::<Option<_>>()?)
        }
        (DataType::Struct(fields), Json::Object(values)) => {
            let value = |field: &FieldRef| {
                let value = values.get(field.name()).map_or(Some(Json::Null), |value| in_avro(field, value))?;
                Some((field.name().clone(), value))
            };
            Json::Object(fields.iter().map(value).collect::<Option<_>>()?)
        }
        (_, value) => value.clone(),
    })
}

fn unknown(field: &Field) -> RecordError {
    RecordError::data(format!("{} is of the type {}, which Avro does not have", field.name(), field.data_type()))
}

fn checked(name: Name) -> Result<Name, RecordError> {
    name.space.iter().flat_map(|space| space.split('.')).chain([name.simple.as_str()]).try_for_each(valid)?;
    Ok(name)
}

/// Checks a name in the words of Avro's `Schema`.
fn valid(name: &str) -> Result<(), RecordError> {
    let refused = |message: String| Err(RecordError { class: "org.apache.avro.SchemaParseException", message });
    match name.chars().next() {
        None => refused("Empty name".into()),
        Some(first) if !first.is_alphabetic() && first != '_' => refused(format!("Illegal initial character: {name}")),
        Some(_) if name.chars().any(|c| !c.is_alphanumeric() && c != '_') => refused(format!("Illegal character in: {name}")),
        Some(_) => Ok(()),
    }
}

/// The JSON of a file's schema.
pub(super) fn text(data_type: &Type) -> String {
    Writing::default().of(data_type, None).to_string()
}

/// The types that have been written by their names, each under the name that it got.
#[derive(Default)]
struct Writing<'a> {
    types: HashMap<String, &'a Node>,
}

impl<'a> Writing<'a> {
    /// The type, within the namespace `around`.
    fn of(&mut self, data_type: &'a Type, around: Option<&str>) -> Json {
        let node = self.node(&data_type.node, around);
        match data_type.optional {
            None => node,
            Some(Null::First) => json!(["null", node]),
            Some(Null::Last) => json!([node, "null"]),
        }
    }

    fn node(&mut self, node: &'a Node, around: Option<&str>) -> Json {
        let simple = match &node.kind {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Array(items) => {
                let items = self.of(items, around);
                return with(json!({"type": "array", "items": items}), &node.properties);
            }
            Kind::Map(values) => {
                let values = self.of(values, around);
                return with(json!({"type": "map", "values": values}), &node.properties);
            }
            Kind::Entries(entry) => {
                let items = self.node(entry, around);
                return with(json!({"type": "array", "items": items}), &node.properties);
            }
            Kind::Union(branches, nullable) => {
                let null = nullable.then(|| Json::from("null"));
                return null.into_iter().chain(branches.iter().map(|branch| self.node(branch, around))).collect();
            }
            Kind::Fixed(name, size) => {
                return self.named(node, name, around, |_, _| json!({"type": "fixed", "size": size}));
            }
            Kind::Enum(name, symbols) => {
                return self.named(node, name, around, |_, _| json!({"type": "enum", "symbols": symbols}));
            }
            Kind::Record(name, members) => {
                return self.named(node, name, around, |writing, space| {
                    let fields = members.iter().map(|member| writing.member(member, space));
                    let fields: Vec<Json> = fields.collect();
                    json!({"type": "record", "fields": fields})
                });
            }
        };
        if node.properties.is_empty() { simple.into() } else { with(json!({"type": simple}), &node.properties) }
    }

    /// A type with a name: the name alone where it has been written.
    fn named(
        &mut self,
        node: &'a Node,
        name: &Name,
        around: Option<&str>,
        definition: impl FnOnce(&mut Self, Option<&str>) -> Json,
    ) -> Json {
        let mut taken = name.clone();
        let mut number = 1;
        while let Some(there) = self.types.get(&taken.full()) {
            // a name without a namespace means another one within a namespace
            let reachable = taken.space.is_some() || around.is_none();
            if *there == node && reachable {
                return taken.full().into();
            }
            number += 1;
            taken.simple = format!("{}_{number}", name.simple);
        }
        self.types.insert(taken.full(), node);
        let space = taken.space.as_deref();
        let Json::Object(definition) = definition(self, space) else { return Json::Null };
        let mut json = Map::from_iter([("type".to_owned(), definition["type"].clone())]);
        json.insert("name".into(), taken.simple.as_str().into());
        if space != around {
            json.insert("namespace".into(), space.unwrap_or_default().into());
        }
        json.extend(definition.into_iter().filter(|(key, _)| key != "type"));
        with(json.into(), &node.properties)
    }

    fn member(&mut self, member: &'a Member, space: Option<&str>) -> Json {
        let mut json = json!({"name": member.name, "type": self.of(&member.data_type, space)});
        if let Json::Object(json) = &mut json {
            json.extend(member.doc.iter().map(|doc| ("doc".to_owned(), doc.as_str().into())));
            json.extend(member.default.iter().map(|default| ("default".to_owned(), default.clone())));
        }
        json
    }
}

fn with(mut json: Json, properties: &Map<String, Json>) -> Json {
    if let Json::Object(json) = &mut json {
        json.extend(properties.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    json
}
