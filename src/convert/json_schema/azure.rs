//! `com.microsoft.azure.schemaregistry.kafka.connect.json.JsonConverter`: JSON with its JSON Schema in the registry of Event Hubs, as
//! `com.microsoft.azure.schemaregistry.kafka.json.KafkaJsonSerializer` (1.1.1) writes it.
//!
//! Microsoft has a converter of Avro only; this one has the name that one of JSON would have beside it. The header `schemaId` names the
//! schema; else `content-type: application/json+<id>`, as Azure's other SDKs write it (`application/json;serialization=Json+<id>`); else 4
//! zero bytes and the id before the JSON. The Connect schema is that of Confluent's converter with its defaults. Values must be of their
//! schema's types; other rules of the schema, which Microsoft's deserializer checks, are not checked.

use std::borrow::Cow;

use landfall_adls::entra;
use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Role};

use super::super::registry::{
    Decode, EventHubsConfig, Format, Framed, RegisteredSchema, SchemaId, content_type, illegal, joined, named_id, preamble,
};
use super::JsonSchema;

/// The class.
#[derive(Debug)]
pub(in crate::convert) struct EventHubsJsonConverterClass;

impl ConverterClass for EventHubsJsonConverterClass {
    fn class(&self) -> &'static str {
        "com.microsoft.azure.schemaregistry.kafka.connect.json.JsonConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value]
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &joined::<{ EventHubsConfig::KEYS.len() + entra::KEYS.len() }>(EventHubsConfig::KEYS, entra::KEYS);
        KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let schemas = EventHubsConfig::schemas(properties, "JSON schema", "JSON", &mut faults);
        let name = super::super::column_name(role);
        let inner = super::format(name, None, &Properties::new());
        let converter = inner.zip(schemas).map(|(inner, schemas)| {
            let format = EventHubsJson { inner, key: role == Role::Key };
            Box::new(Framed::new(name, format, schemas)) as Box<dyn Converter>
        });
        faults.or(converter)
    }
}

/// JSON with the ids of Event Hubs' registry.
#[derive(Debug)]
struct EventHubsJson {
    inner: JsonSchema,
    /// Whether it is that of keys.
    key: bool,
}

/// The id in a `schemaId` or in a `content-type` of JSON.
fn named(header: &[u8]) -> Option<SchemaId> {
    let Some((mime, id)) = content_type(header) else { return named_id(header) };
    let mime: String = mime.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    matches!(&*mime, "application/json" | "application/json;serialization=json").then(|| named_id(id.as_bytes())).flatten()
}

impl Format for EventHubsJson {
    fn failed(&self, _: &str) -> String {
        "Failed to deserialize Json data:".to_owned()
    }

    fn header(&self) -> Option<&str> {
        Some("schemaId")
    }

    fn other_header(&self) -> Option<&str> {
        Some("content-type")
    }

    fn first_header(&self) -> bool {
        self.key
    }

    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
        if let Some(id) = header.and_then(named) {
            return Ok((id, value.into()));
        }
        match (preamble(value), header) {
            (Some((id, payload)), _) => Ok((id, payload.into())),
            (None, None) => Err(illegal("Schema Id was not found in record headers", b"")),
            (None, Some(header)) => Err(illegal("Schema Id was not found in record headers, there is ", header)),
        }
    }

    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
        self.inner.decoder(schema)
    }
}
