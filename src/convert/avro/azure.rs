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

use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Role};

use super::super::registry::{
    Decode, EVENT_HUBS_KEYS, EventHubsConfig, Format, Framed, RegisteredSchema, SchemaId, content_type, id_of, illegal, named_id,
    preamble,
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
        EVENT_HUBS_KEYS
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use arrow_array::cast::AsArray as _;
    use serde_json::Value;

    use super::*;

    const ID: &[u8] = b"0a1b2c3d4e5f60718293a4b5c6d7e8f9";

    fn frame(value: &[u8], header: Option<&[u8]>) -> Result<(String, Vec<u8>), String> {
        let format = EventHubsAvro { name: "value", key: false };
        let framed = format.frame(value, header).map_err(|error| error.to_string())?;
        Ok((id_of(framed.0), framed.1.into_owned()))
    }

    #[test]
    fn a_header_or_a_preamble_names_the_schema() {
        let id = String::from_utf8(ID.to_vec()).expect("text");
        let old = [&[0; 4][..], ID, b"xy"].concat();
        let header = [b"avro/binary+", ID].concat();
        assert_eq!(frame(b"xy", Some(&header)), Ok((id.clone(), b"xy".to_vec())));
        assert_eq!(frame(b"xy", Some(&header.to_ascii_uppercase())), Ok((id.clone(), b"xy".to_vec())));
        assert_eq!(frame(&old, None), Ok((id.clone(), b"xy".to_vec())));
        assert_eq!(frame(&old, Some(b"application/octet-stream")), Ok((id.clone(), b"xy".to_vec())));
        // The header says what the bytes are, whatever they begin with.
        assert_eq!(frame(&old, Some(&header)), Ok((id, old.clone())));
        let class = "java.lang.IllegalArgumentException: ";
        for (header, why) in [
            (None, "Cannot deserialize message with no content-type."),
            (
                Some(&b"text/plain"[..]),
                "Content type was not in the expected format of MIME type + schema ID. Actual: text/plain",
            ),
            (
                Some(b"avro/binary+12"),
                "Content type was not in the expected format of MIME type + schema ID. Actual: avro/binary+12",
            ),
            (
                Some(b"application/json+0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
                "An avro encoder may only be used on content that is of 'avro/binary' type. Actual: \
                 application/json+0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            ),
        ] {
            assert_eq!(frame(b"xy", header), Err(format!("{class}{why}")));
        }
    }

    /// What `azure-data-schemaregistry-apacheavro` 1.1.5 makes of records, written by tests/support/event_hubs/EventHubsHarness.java.
    #[test]
    fn what_javas_serializer_writes_is_read() {
        let lines = |file: &str| -> Vec<Value> {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/avro").join(file);
            let text = fs::read_to_string(path).expect("a file of cases");
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        };
        let format = EventHubsAvro { name: "value", key: false };
        let (cases, java) = (lines("event_hubs_cases.jsonl"), lines("event_hubs.jsonl"));
        let mut read = Vec::new();
        for (case, java) in cases.iter().zip(&java) {
            let body = java["body"].as_str().map_or_else(
                || vec![2],
                |hex| (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect(),
            );
            let header = java["contentType"].as_str().or(case["contentType"].as_str()).expect("a header");
            let framed = format.frame(&body, (!header.is_empty()).then_some(header.as_bytes()));
            let Ok((id, payload)) = framed else {
                let error = framed.expect_err("refused");
                assert_eq!((Some(error.class), Some(&*error.message)), (java["error"].as_str(), java["message"].as_str()));
                continue;
            };
            assert_eq!((id_of(id).as_bytes(), &*payload), (ID, &*body));
            let text = case["schema"].to_string();
            let schema = RegisteredSchema { kind: "AVRO".into(), text, references: Vec::new(), version: None };
            let mut runs = format.decoder(&schema).expect("a decoder").decode(&[Some(&*payload)]);
            let column = runs.remove(0).column.expect("a record");
            let fields: Vec<_> = column.array.as_struct().columns().iter().map(|column| format!("{column:?}")).collect();
            read.push(fields.join(" ").split_whitespace().collect::<String>());
        }
        assert_eq!(read.len(), 3);
        for (read, parts) in read.iter().zip([&["[7,]", "são"][..], &["[0,]", "null"], &["[0,]", "1.5,-0.25"]]) {
            assert!(parts.iter().all(|part| read.contains(part)), "{read}");
        }
        let asked = &java.last().expect("what was asked for")["asked"];
        let path = format!("GET /$schemaGroups/$schemas/{}", str::from_utf8(ID).expect("text"));
        assert!(asked.to_string().contains(&path) && asked.to_string().contains("token https://eventhubs.azure.net/.default"));
    }

    #[test]
    fn bytes_have_their_length_before_them() {
        let schema = RegisteredSchema { kind: "AVRO".into(), text: "\"bytes\"".into(), references: Vec::new(), version: Some(3) };
        let mut decoder = EventHubsAvro { name: "value", key: false }.decoder(&schema).expect("a decoder");
        let runs = decoder.decode(&[Some(&[4, b'a', b'b']), Some(b"x")]);
        assert_eq!(runs.iter().map(|run| run.column.is_ok()).collect::<Vec<_>>(), [true, false]);
        let json = RegisteredSchema { kind: "JSON".into(), ..schema };
        assert!(EventHubsAvro { name: "value", key: false }.decoder(&json).is_err());
    }
}
