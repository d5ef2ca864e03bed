//! `com.microsoft.azure.schemaregistry.kafka.connect.avro.AvroConverter` (1.0.0-beta.1 of `azure-schema-registry-for-kafka`): Avro with its
//! schema in the registry of Event Hubs, named by the header `content-type: avro/binary+<id>`, or by 4 zero bytes and the id before it.
//!
//! The Connect schema is that of Confluent's converter, of whose `AvroData` Microsoft's class has an older copy. So it differs from Java's:
//! - a field that may be null is optional; Java's is required, and refuses a null;
//! - documentation, defaults and the version in the registry are kept, of which Java takes nothing;
//! - structs of unions and the parameters of enums are called `io.confluent.connect.avro.…`, as the sinks' formats know them; Java's are
//!   `com.microsoft.azure.…`;
//! - a record that names its schema before its bytes only is read; Java decodes it, and then misses the header;
//! - the key of a record with several headers of that name has the schema of the first, as Microsoft's serializers add them; Java takes
//!   the last for both.

use std::borrow::Cow;

use landfall_adls::entra;
use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Role};

use super::super::registry::{
    Decode, EventHubsConfig, Format, Framed, RegisteredSchema, SchemaId, content_type, id_of, illegal, joined, named_id, preamble,
};
use super::{AvroDecoder, CONFLUENTS};

const MIME_TYPE: &str = "avro/binary";

/// The class.
#[derive(Debug)]
pub(in crate::convert) struct EventHubsAvroConverterClass;

impl ConverterClass for EventHubsAvroConverterClass {
    fn class(&self) -> &'static str {
        "com.microsoft.azure.schemaregistry.kafka.connect.avro.AvroConverter"
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
        let schemas = EventHubsConfig::schemas(properties, "Avro schema", "AVRO", &mut faults);
        let name = super::super::column_name(role);
        let format = EventHubsAvro { name, key: role == Role::Key };
        faults.or(schemas.map(|schemas| Box::new(Framed::new(name, format, schemas)) as Box<dyn Converter>))
    }
}

/// Avro with the ids of Event Hubs' registry.
#[derive(Debug)]
struct EventHubsAvro {
    name: &'static str,
    /// Whether it is that of keys.
    key: bool,
}

impl Format for EventHubsAvro {
    fn failed(&self, _: &str) -> String {
        "Failed to deserialize Avro data:".to_owned()
    }

    fn undecodable(&self, id: SchemaId) -> String {
        format!("Error deserializing Avro message for id {}: ", id_of(id))
    }

    fn header(&self) -> Option<&str> {
        Some("content-type")
    }

    fn first_header(&self) -> bool {
        self.key
    }

    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
        let named = header.and_then(content_type);
        if let (Some((mime, id)), Some(header)) = (named, header)
            && mime.eq_ignore_ascii_case(MIME_TYPE)
        {
            let wrong = || illegal("Content type was not in the expected format of MIME type + schema ID. Actual: ", header);
            return named_id(id.as_bytes()).map(|id| (id, value.into())).ok_or_else(wrong);
        }
        match (preamble(value), header) {
            (Some((id, payload)), _) => Ok((id, payload.into())),
            (None, None) => Err(illegal("Cannot deserialize message with no content-type.", b"")),
            (None, Some(header)) if named.is_none() => {
                Err(illegal("Content type was not in the expected format of MIME type + schema ID. Actual: ", header))
            }
            (None, Some(header)) => {
                Err(illegal("An avro encoder may only be used on content that is of 'avro/binary' type. Actual: ", header))
            }
        }
    }

    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
        let mut decoder = AvroDecoder::new(schema, self.name, CONFLUENTS, false)?;
        decoder.bare = false;
        Ok(Box::new(decoder))
    }
}
