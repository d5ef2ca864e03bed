//! `org.apache.kafka.connect.json.JsonConverter`: JSON with its Connect schema around it, or without one.
//!
//! It takes what Kafka's class (4.3.1) takes and refuses what that refuses, in its words where it has some, except that
//! - a value of another JSON type than its schema's, or out of its range, is refused; Java takes `0`, `false`, null or the lowest bits.
//!   So is a decimal with more fractional digits than its schema, which Java leaves to the sink. `"NaN"` and `"Infinity"` are doubles;
//! - bytes after the JSON are refused; Java drops them;
//! - of two entries of a map with one key only the last is read; Java converts both and keeps the last;
//! - a schema may have a default for a struct, which Java always refuses. What a schema says is read strictly: no leading zeros;
//! - half a surrogate pair becomes U+FFFD;
//! - without a schema, absent and null are one, what is empty throughout has no type to show and is null, numbers beyond 64 bits keep
//!   their digits as JSON text, and a column has one type: see [`learn`] for how it widens.
//!
//! Both forms read with a [`scan::Scanner`] into a tree of [`Node`](super::node::Node)s.

mod decimal;
mod envelope;
mod learn;
mod read;
mod scan;
mod schema;
mod schemaless;
#[cfg(test)]
pub(super) mod tests;

use arrow_array::BinaryArray;
use arrow_schema::FieldRef;
use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Records, Role, Run, Unavailable, config};

use envelope::Envelope;
pub(super) use scan::{Scanner, Stop};
pub(super) use schema::Reading;
pub(super) use schemaless::start;
use schemaless::{Converted, Schemaless};

config! {
    /// What `JsonConverterConfig` declares.
    pub struct JsonConverterConfig {
        /// Whether each record carries its schema: `{"schema": …, "payload": …}`. If false, a record is JSON without a schema, and its
        /// columns are learned from what comes.
        schemas_enable: bool = "schemas.enable" { default: Some("true"), importance: High, group: "Schemas", display: "Enable Schemas", order: Some(0) };
        /// The number of schemas that an instance keeps in memory.
        schemas_cache_size: i32 = "schemas.cache.size" { default: Some("1000"), importance: High, group: "Schemas", display: "Schema Cache Size", order: Some(1) };
        /// A schema, as JSON, that all records have; then they carry none of their own. It counts if `schemas.enable` is true.
        schema_content: Option<String> = "schema.content" { importance: High, group: "Schemas", display: "Schema Content", order: Some(2) };
        /// How decimals are written: BASE64 or NUMERIC, in any case.
        decimal_format: String = "decimal.format" { default: Some("BASE64"), importance: Low, valid: OneOfIgnoreCase(&["NUMERIC", "BASE64"]), group: "Serialization", display: "Decimal Format", order: Some(0), effect: Nothing("both forms are read, whatever it says") };
        /// Whether a null in a field that has a default value becomes that value.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), importance: Low, group: "Serialization", display: "Replace null with default", order: Some(1) };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct JsonConverterClass;

impl ConverterClass for JsonConverterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.json.JsonConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value, Role::Header]
    }

    fn keys(&self) -> &'static [Key] {
        JsonConverterConfig::KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let config = JsonConverterConfig::parse(properties, &mut faults);
        let converter = config.and_then(|config| {
            JsonConverter::new(&config, role).map_err(|error| faults.push("schema.content", error.message)).ok()
        });
        faults.or(converter).map(|converter| Box::new(converter) as Box<dyn Converter>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct JsonConverter {
    name: &'static str,
    /// None if `schemas.enable` is false.
    envelope: Option<Envelope>,
    schemaless: Schemaless,
}

impl JsonConverter {
    fn new(config: &JsonConverterConfig, role: Role) -> Result<Self, RecordError> {
        let name = super::column_name(role);
        let envelope = Envelope::new(
            name,
            Reading { replace_null: config.replace_null_with_default, json_schema: false },
            usize::try_from(config.schemas_cache_size).unwrap_or(0),
        );
        let envelope = match config.schema_content.as_deref().filter(|content| !content.is_empty()) {
            _ if !config.schemas_enable => None,
            Some(content) => Some(envelope.with_content(content)?),
            None => Some(envelope),
        };
        Ok(Self { name, envelope, schemaless: Schemaless::default() })
    }
}

impl Converter for JsonConverter {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        let rows: Vec<_> = records.bytes.iter().collect();
        Ok(match &mut self.envelope {
            // Most of an envelope is known text: each payload is looked at alone.
            Some(envelope) => envelope.convert(records.topic, &rows, Utf8 { throughout: false }, &mut self.schemaless),
            None => runs(0, self.schemaless.convert(records.topic, self.name, &rows, Utf8::of(records.bytes))),
        })
    }

    fn recall(&mut self, topic: &str, learned: &FieldRef) {
        if landfall_api::schema::is_schemaless(learned) {
            self.schemaless.recall(topic, learned);
        }
    }
}

/// Whether the bytes of a batch are UTF-8. If they are throughout, so is each text between two quotes of a record: a character
/// that was cut by a record's end leaves a string without its closing quote, and a record that begins with the rest of one is no JSON.
#[derive(Clone, Copy, Debug)]
struct Utf8 {
    throughout: bool,
}

impl Utf8 {
    fn of(bytes: &BinaryArray) -> Self {
        let offsets = bytes.value_offsets();
        let span = offsets[0] as usize..offsets[offsets.len() - 1] as usize;
        Self { throughout: simdutf8::basic::from_utf8(&bytes.value_data()[span]).is_ok() }
    }

    fn valid(self, record: &[u8]) -> bool {
        self.throughout || simdutf8::basic::from_utf8(record).is_ok()
    }
}

#[cold]
pub(super) fn not_utf8() -> Stop {
    Stop::invalid("invalid UTF-8")
}

/// The error of a record that could not be read.
#[cold]
fn invalid(stop: Stop) -> RecordError {
    const CONVERTING: &str = "Converting byte[] to Kafka Connect data failed due to serialization error: ";
    match stop {
        Stop::Invalid(reason) => RecordError::data(format!("{CONVERTING}{}", reason.0)),
        Stop::Misfit => RecordError::data("a value that the learned columns have no place for"),
        Stop::Refused(error) => *error,
    }
}

/// What was converted as runs from row `begin` on.
fn runs(begin: usize, converted: Converted) -> Vec<Run> {
    let Converted { field, array, refused } = converted;
    super::runs(begin, &landfall_api::Column { field, array }, refused)
}
