//! `io.confluent.connect.avro.AvroConverter` (8.x): Avro's binary encoding, with the writer's schema in a schema registry.
//!
//! A schema becomes the Connect schema that Confluent's `AvroData` makes of it, and a plan by which records are read into columns:
//! nothing is made per record. It differs from Java where
//! - a string that is not UTF-8, and an int that an annotated int8 or int16 does not hold, are refused; Java replaces or cuts them;
//! - a recursive type is refused, with its path: it has no columns; so is the type of Connect's schemaless values, which is one;
//! - the connect_union_N of `generalized.sum.type.support` are counted per schema; Java counts all that an instance has met;
//! - the Connect schema has the version that the registry names with the schema, if it does; Java asks for it.
//!
//! Where Connect has no type for a logical type of Avro's, the column stays what it is for Connect, and
//! [`LOGICAL`](landfall_api::schema::LOGICAL) names it.

mod apicurio;
mod azure;
mod connect;
mod default;
mod read;
mod schema;
#[cfg(test)]
mod tests;

pub(super) use apicurio::ApicurioAvroConverterClass;
pub(super) use azure::EventHubsAvroConverterClass;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::FieldRef;
use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, RecordError, Role, Run, Width, config};

use super::node::Node;
use super::registry::{
    Decode, Format, Framed, RegisteredSchema, Registry, RegistryConfig, SchemaId, joined, serialization, split_id,
};
use connect::{Made, Options};
use read::{Bad, Plan, Reader};
use schema::Types;

config! {
    /// What `AvroDataConfig` and `KafkaAvroDeserializerConfig` declare beyond what all converters share.
    pub struct AvroConverterConfig {
        /// Whether enums and unions are named as in other formats: the struct of a union is called `connect_union_0`, its fields
        /// `connect_union_field_0`, and an enum has the numbers of its symbols as parameters.
        generalized: bool = "generalized.sum.type.support" { default: Some("false"), width: Width::None };
        /// Whether a null in a field that has a default (`connect.default`) stays null. If not, it is read as the default, as readers of
        /// what the Java sinks write see it.
        ignore_default: bool = "ignore.default.for.nullables" { default: Some("false"), width: Width::None };
        /// The number of schemas whose Connect schema Java keeps.
        cache_size: i32 = "schemas.cache.config" { default: Some("1000"), importance: Low, width: Width::None, effect: Nothing("each schema is read once, and kept for as long as the task runs") };
        /// Whether the fields of a union are called by the full names of its types, with their namespace.
        enhanced: bool = "enhanced.avro.schema.support" { default: Some("false"), width: Width::None };
        /// Whether characters that Avro does not allow in names are replaced in the names of a union's fields.
        scrub: bool = "scrub.invalid.names" { default: Some("false"), width: Width::None };
        /// Whether documentation, defaults and `connect.parameters` of the Avro schema become parameters of the Connect schema.
        meta_data: bool = "connect.meta.data" { default: Some("true"), importance: Low, width: Width::None };
        /// Whether only the documentation of fields and their defaults are kept.
        discard: bool = "discard.type.doc.default" { default: Some("false"), importance: Low, width: Width::None };
        /// Whether keys of maps may be optional when Avro is written.
        optional_keys: bool = "allow.optional.map.keys" { default: Some("false"), importance: Low, width: Width::None, effect: Nothing("a sink writes no Avro") };
        /// Whether a union of one type is that type, not a struct of one field.
        flatten: bool = "flatten.singleton.unions" { default: Some("true"), importance: Low, width: Width::None };
        /// Whether records are read as classes that Avro generated. Only false.
        specific: bool = "specific.avro.reader" { default: Some("false"), importance: Low, width: Width::None, valid: By(only_false) };
        /// The generated class of keys.
        specific_key: Option<String> = "specific.avro.key.type" { width: Width::None, effect: Nothing("no Java object is made") };
        /// The generated class of values.
        specific_value: Option<String> = "specific.avro.value.type" { width: Width::None, effect: Nothing("no Java object is made") };
        /// Whether fields that are read by reflection may be null.
        reflection_null: bool = "avro.reflection.allow.null" { default: Some("false"), width: Width::None, effect: Nothing("no Java object is made") };
        /// Whether Avro's library converts logical types before Connect sees them. Only false.
        logical_converters: bool = "avro.use.logical.type.converters" { default: Some("false"), width: Width::None, valid: By(only_false) };
        /// Whether a record with bytes after its value is refused. If not, they are dropped.
        trailing: bool = "avro.fail.on.trailing.data" { default: Some("false"), importance: Low, width: Width::None };
    }
}

fn only_false(value: &str) -> Result<(), String> {
    if value.eq_ignore_ascii_case("false") { Ok(()) } else { Err("only false is supported".into()) }
}

/// The class.
#[derive(Debug)]
pub(super) struct AvroConverterClass;

impl ConverterClass for AvroConverterClass {
    fn class(&self) -> &'static str {
        "io.confluent.connect.avro.AvroConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value]
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &joined::<{ RegistryConfig::KEYS.len() + AvroConverterConfig::KEYS.len() }>(
            RegistryConfig::KEYS,
            AvroConverterConfig::KEYS,
        );
        KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let (config, registry) =
            (AvroConverterConfig::parse(properties, &mut faults), RegistryConfig::of(properties, &mut faults));
        let what = if role == Role::Key { "Avro key schema" } else { "Avro value schema" };
        let schemas = registry.as_ref().and_then(|registry| Registry::new(registry, properties, what, &mut faults));
        let converter = config.zip(registry).zip(schemas).map(|((config, registry), schemas)| {
            let name = super::column_name(role);
            let format = Avro { name, header: registry.id_header(role), options: options(&config), trailing: config.trailing };
            Box::new(Framed::new(name, format, Box::new(schemas))) as Box<dyn Converter>
        });
        faults.or(converter)
    }
}

/// The defaults of Confluent's converter.
const CONFLUENTS: Options = Options {
    meta_data: true,
    enhanced: false,
    generalized: false,
    flatten: true,
    discard: false,
    scrub: false,
    ignore_default: false,
};

fn options(config: &AvroConverterConfig) -> Options {
    Options {
        meta_data: config.meta_data,
        enhanced: config.enhanced,
        generalized: config.generalized,
        flatten: config.flatten,
        discard: config.discard,
        scrub: config.scrub,
        ignore_default: config.ignore_default,
    }
}

/// The format with the options that `properties` say, for a decoder without a registry; none if one of them is wrong.
pub(super) fn format(name: &'static str, header: Option<&'static str>, properties: &Properties) -> Option<Avro> {
    let config = AvroConverterConfig::parse(properties, &mut Faults::default())?;
    Some(Avro { name, header, options: options(&config), trailing: config.trailing })
}

/// Avro in Confluent's wire format.
#[derive(Debug)]
pub(super) struct Avro {
    name: &'static str,
    header: Option<&'static str>,
    options: Options,
    trailing: bool,
}

impl Format for Avro {
    fn failed(&self, topic: &str) -> String {
        format!("Failed to deserialize data for topic {topic} to Avro:")
    }

    fn undecodable(&self, id: SchemaId) -> String {
        format!("Error deserializing Avro message for id {id}: ")
    }

    fn header(&self) -> Option<&str> {
        self.header
    }

    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
        match header {
            Some(header) => split_id(header).map(|(id, _)| (id, value.into())),
            None => split_id(value).map(|(id, payload)| (id, payload.into())),
        }
    }

    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
        let decoder = AvroDecoder::new(schema, self.name, self.options, self.trailing)?;
        Ok(Box::new(decoder))
    }
}

/// Decodes the records of one schema.
#[derive(Debug)]
struct AvroDecoder {
    field: FieldRef,
    node: Node,
    plan: Plan,
    /// Whether a record is nothing but bytes, without their length.
    bare: bool,
    /// Whether bytes after a value are an error.
    trailing: bool,
}

impl AvroDecoder {
    fn new(schema: &RegisteredSchema, name: &str, options: Options, trailing: bool) -> Result<Self, RecordError> {
        if schema.kind != "AVRO" {
            return Err(serialization(format!("Incompatible schema of type '{}', expected AVRO", schema.kind)));
        }
        let mut types = Types::default();
        for (name, text) in &schema.references {
            types.parse(text).map_err(|why| serialization(format!("the schema {name} is no Avro schema: {why}")))?;
        }
        let parsed = types.parse(&schema.text).map_err(|why| serialization(format!("the schema is no Avro schema: {why}")))?;
        let Made { field, node, plan } = connect::root(&parsed, &types, options, name, schema.version)?;
        Ok(Self { field: Arc::new(field), node, plan, bare: parsed.kind == schema::Kind::Bytes, trailing })
    }

    fn read(&mut self, payload: &[u8]) -> Result<(), Bad> {
        if self.bare {
            return self.plan.op.read_bare(&mut self.node, payload);
        }
        let mut r = Reader::new(payload);
        self.plan.read(&mut self.node, &mut r)?;
        if self.trailing && r.left() > 0 { Err(Bad::Trailing(r.left())) } else { Ok(()) }
    }
}

impl Decode for AvroDecoder {
    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Vec<Run> {
        self.node.reserve(payloads.len());
        let mut refused = Vec::new();
        for (row, payload) in payloads.iter().enumerate() {
            let Some(payload) = payload else {
                self.node.null();
                continue;
            };
            if let Err(bad) = self.read(payload) {
                self.node.truncate(row);
                self.node.null();
                refused.push((row, error(&bad)));
            }
        }
        let array = self.node.finish(self.field.data_type());
        let column = |rows: Range<usize>| Column { field: self.field.clone(), array: array.slice(rows.start, rows.len()) };
        between(payloads.len(), refused, column)
    }
}

/// The error of a record that cannot be read.
#[cold]
fn error(bad: &Bad) -> RecordError {
    match bad {
        Bad::Data(message) => RecordError::data(*message),
        bad => serialization(bad.to_string()),
    }
}

/// The rows that were refused, each a run, and those between them.
fn between(rows: usize, refused: Vec<(usize, RecordError)>, column: impl Fn(Range<usize>) -> Column) -> Vec<Run> {
    let mut runs = Vec::with_capacity(2 * refused.len() + 1);
    let good = |rows: Range<usize>| (!rows.is_empty()).then(|| Run { column: Ok(column(rows.clone())), rows });
    let mut at = 0;
    for (row, error) in refused {
        runs.extend(good(at..row));
        runs.push(Run { rows: row..row + 1, column: Err(error) });
        at = row + 1;
    }
    runs.extend(good(at..rows));
    runs
}
