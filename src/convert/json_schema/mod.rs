//! `io.confluent.connect.json.JsonSchemaConverter` (8.5.0): JSON whose schema is a JSON Schema in a registry.
//!
//! The schema becomes a Connect schema as Confluent's class makes it, and values are read under that by the reader of Kafka's
//! `JsonConverter`. What differs from Confluent's class:
//! - a property without `connect.index` stands where the schema has it; Java's order is that of a hash table. Of two with one index
//!   Java loses one;
//! - a required property that is missing is refused here; Java's sinks fail on it;
//! - a value of another JSON type than its schema's is refused; Java takes `0`, `false`, null or an empty list;
//! - a schema that allows anything (`{}`) is a string column with the JSON; Java writes a `Variant` struct of two byte arrays;
//! - an enumeration without a string has the JSON of its values; Java takes null;
//! - a singleton union that is flattened stays optional where its property is;
//! - a recursive schema is refused with its path: a column has no place for it;
//! - bytes after the JSON, and the words `NaN` and `Infinity` without quotes, are refused; Java drops the former and takes the latter.
//!   Texts that say them are taken as floats;
//! - the parameter `io.confluent.connect.json.Id`, by which Java marks a struct that comes twice, is not set.

mod azure;
mod connect;
mod document;
#[cfg(test)]
mod tests;

pub(super) use azure::EventHubsJsonConverterClass;

use std::borrow::Cow;
use std::sync::Arc;

use arrow_schema::FieldRef;
use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, RecordError, Role, Run, config};

use super::json::{Reading, Scanner, Stop, not_utf8, start};
use super::node::Node;
use super::registry::{
    Decode, Format, Framed, RegisteredSchema, Registry, RegistryConfig, SchemaId, joined, serialization, split_id,
};
use connect::Options;
use document::Documents;

config! {
    /// What `JsonSchemaDataConfig` declares, and the keys of Confluent's deserializer.
    pub struct JsonSchemaConverterConfig {
        /// Whether a property that its object does not require is optional.
        optional_if_not_required: bool = "use.optional.for.nonrequired" { default: Some("false") };
        /// Whether unions and enumerations have the names that they have in Avro and Protobuf too: a union is called
        /// `connect_union_0` with fields `connect_union_field_0`, an enumeration numbers its symbols.
        general_sums: bool = "generalized.sum.type.support" { default: Some("false") };
        /// Whether a oneOf, anyOf or allOf of a single schema is that schema.
        flatten_single: bool = "flatten.singleton.unions" { default: Some("true"), importance: Low };
        /// Whether schemas of the drafts 2019-09 and 2020-12 are read as draft 7.
        ignore_modern: bool = "ignore.modern.dialects" { default: Some("false"), importance: Low };
        /// Whether the properties that the schema does not name are kept, in a map.
        preserve_additional: bool = "preserve.additional.properties" { default: Some("false"), valid: By(only_false), effect: Refused };
        /// Whether a record that its schema finds invalid is refused.
        fail_invalid: bool = "json.fail.invalid.schema" { default: Some("false"), valid: By(only_false), effect: Refused };
        /// Whether objects may have properties that the schema does not name, in schemas that a source writes.
        additional_properties: bool = "object.additional.properties" { default: Some("true"), effect: Nothing("a sink writes no schemas") };
        /// How decimals are written: BASE64 or NUMERIC, in any case. Both are read whatever it says.
        decimal_format: String = "decimal.format" { default: Some("BASE64"), importance: Low, valid: OneOfIgnoreCase(&["BASE64", "NUMERIC"]), effect: Nothing("both formats are read") };
        /// Whether a null stays one where the schema has a default, when a source writes it.
        ignore_default: bool = "ignore.default.for.nullables" { default: Some("false"), effect: Nothing("Java heeds it only when it writes") };
        /// The number of schemas that are kept in memory.
        schemas_cache: i32 = "schemas.cache.config" { default: Some("1000"), importance: Low, effect: Nothing("all schemas are kept") };
        /// Whether properties that a Java class lacks are an error.
        fail_unknown: bool = "json.fail.unknown.properties" { default: Some("true"), importance: Low, effect: Nothing("values become no Java classes") };
        /// Whether a record is validated before rules run.
        validate_before_rules: bool = "json.validate.before.domain.rules" { default: Some("false"), importance: Low, effect: Nothing("records are not validated") };
        /// The Java class that keys become.
        key_type: String = "json.key.type" { default: Some("java.lang.Object"), effect: Nothing("values become no Java classes") };
        /// The Java class that values become.
        value_type: String = "json.value.type" { default: Some("java.lang.Object"), effect: Nothing("values become no Java classes") };
        /// The keyword of a schema that names a Java class.
        type_property: String = "type.property" { default: Some("javaType"), effect: Nothing("values become no Java classes") };
        /// The packages of Java classes that a schema may name.
        type_packages: Vec<String> = "json.type.allowed.packages" { default: Some("*"), effect: Nothing("values become no Java classes") };
    }
}

fn only_false(value: &str) -> Result<(), String> {
    if value.eq_ignore_ascii_case("false") { Ok(()) } else { Err("not supported, only false is".into()) }
}

/// The class.
#[derive(Debug)]
pub(super) struct JsonSchemaConverterClass;

static KEYS: [Key; RegistryConfig::KEYS.len() + JsonSchemaConverterConfig::KEYS.len()] =
    joined(RegistryConfig::KEYS, JsonSchemaConverterConfig::KEYS);

impl ConverterClass for JsonSchemaConverterClass {
    fn class(&self) -> &'static str {
        "io.confluent.connect.json.JsonSchemaConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value]
    }

    fn keys(&self) -> &'static [Key] {
        &KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let config = JsonSchemaConverterConfig::parse(properties, &mut faults);
        let registry = RegistryConfig::of(properties, &mut faults);
        let client = registry.as_ref().and_then(|registry| Registry::new(registry, properties, "JSON schema", &mut faults));
        let name = super::column_name(role);
        let format = config.zip(registry).map(|(config, registry)| JsonSchema::new(&config, name, registry.id_header(role)));
        let (format, client) = faults.or(format.zip(client))?;
        Ok(Box::new(Framed::new(name, format, Box::new(client))))
    }
}

/// The format with the options that `properties` say, for a decoder without a registry; none if one of them is wrong.
pub(super) fn format(name: &'static str, header: Option<&'static str>, properties: &Properties) -> Option<JsonSchema> {
    JsonSchemaConverterConfig::parse(properties, &mut Faults::default()).map(|config| JsonSchema::new(&config, name, header))
}

/// What all schemas are read by.
#[derive(Debug)]
pub(super) struct JsonSchema {
    name: &'static str,
    /// The header that may name the schema.
    header: Option<&'static str>,
    options: Options,
    ignore_modern: bool,
}

impl JsonSchema {
    fn new(config: &JsonSchemaConverterConfig, name: &'static str, header: Option<&'static str>) -> Self {
        let options = Options {
            optional_if_not_required: config.optional_if_not_required,
            general_sums: config.general_sums,
            flatten_single: config.flatten_single,
        };
        Self { name, header, options, ignore_modern: config.ignore_modern }
    }
}

impl Format for JsonSchema {
    fn failed(&self, topic: &str) -> String {
        format!("Converting byte[] to Kafka Connect data failed due to serialization error of topic {topic}:")
    }

    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
        let (id, payload) = match header {
            Some(header) => (split_id(header)?.0, value),
            None => split_id(value)?,
        };
        Ok((id, Cow::Borrowed(payload)))
    }

    fn header(&self) -> Option<&str> {
        self.header
    }

    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
        if schema.kind != "JSON" {
            return Err(serialization(format!("{DESERIALIZING}: its schema is of the type {}", schema.kind)));
        }
        let documents = Documents::parse(&schema.text, &schema.references, self.ignore_modern).map_err(connect::invalid)?;
        let connect = connect::connect_schema(&documents, self.options, schema.version)?;
        let (field, node) = Reading { replace_null: true, json_schema: true }.root(&connect, self.name)?;
        Ok(Box::new(Decoder { field: Arc::new(field), node }))
    }
}

/// What Java says of a payload that is no JSON.
const DESERIALIZING: &str = "Error deserializing JSON message";

/// Reads values of one schema.
#[derive(Debug)]
struct Decoder {
    field: FieldRef,
    node: Node,
}

impl Decode for Decoder {
    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Vec<Run> {
        let Self { field, node } = self;
        let mut refused = Vec::new();
        node.reserve(payloads.len());
        for (row, payload) in payloads.iter().enumerate() {
            match payload.map(|payload| read(node, payload)) {
                None => node.null(),
                Some(Ok(())) => {}
                Some(Err(stop)) => {
                    node.truncate(row);
                    node.null();
                    refused.push((row, error(stop)));
                }
            }
        }
        let array = node.finish(field.data_type());
        super::runs(0, &Column { field: field.clone(), array }, refused)
    }
}

/// The error of a payload that could not be read.
#[cold]
fn error(stop: Stop) -> RecordError {
    match stop {
        Stop::Invalid(reason) => serialization(format!("{DESERIALIZING}: {}", reason.0)),
        Stop::Refused(error) => *error,
        Stop::Misfit => RecordError::data("a value that the schema has no place for"),
    }
}

fn read(node: &mut Node, payload: &[u8]) -> Result<(), Stop> {
    if simdutf8::basic::from_utf8(payload).is_err() {
        return Err(not_utf8());
    }
    let mut s = Scanner::new(payload, start(payload));
    node.read(&mut s)?;
    s.end()
}
