//! `com.microsoft.azure.schemaregistry.kafka.connect.json.JsonConverter`: JSON with its JSON Schema in the registry of Event Hubs, as
//! `com.microsoft.azure.schemaregistry.kafka.json.KafkaJsonSerializer` (1.1.1) writes it.
//!
//! Microsoft has a converter of Avro only; this one has the name that one of JSON would have beside it. The header `schemaId` names the
//! schema; else `content-type: application/json+<id>`, as Azure's other SDKs write it (`application/json;serialization=Json+<id>`); else 4
//! zero bytes and the id before the JSON. The Connect schema is that of Confluent's converter, where a property is optional that its object
//! does not require (`use.optional.for.nonrequired`), as Microsoft's deserializer has it. Values must be of their
//! schema's types; other rules of the schema, which Microsoft's deserializer checks, are not checked.

use std::borrow::Cow;

use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Role};

use super::super::registry::{
    Decode, EVENT_HUBS_KEYS, EventHubsConfig, Format, Framed, RegisteredSchema, SchemaId, content_type, illegal, named_id,
    preamble,
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
        EVENT_HUBS_KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let schemas = EventHubsConfig::schemas(properties, "JSON schema", "JSON", &mut faults);
        let name = super::super::column_name(role);
        let inner = super::format(name, None, &options());
        let converter = inner.zip(schemas).map(|(inner, schemas)| {
            let format = EventHubsJson { inner, key: role == Role::Key };
            Box::new(Framed::new(name, format, schemas)) as Box<dyn Converter>
        });
        faults.or(converter)
    }
}

/// What is not as by default in Confluent's converter.
fn options() -> Properties {
    Properties::from([("use.optional.for.nonrequired".to_owned(), "true".to_owned())])
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, ListArray, StringArray, StructArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{DataType, Field, Fields};
    use landfall_api::Records;

    use super::super::super::registry::{NoSchema, Schemas, id_of};
    use super::*;

    const ONE: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    const TWO: &str = "ffeeddccbbaa99887766554433221100";

    /// Each schema is an object with a field called by the first character of its id.
    #[derive(Debug)]
    struct All;

    impl Schemas for All {
        fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
            let text = format!(r#"{{"type":"object","properties":{{"x{}":{{"type":"integer"}}}}}}"#, &id_of(id)[..1]);
            Ok(RegisteredSchema { kind: "JSON".into(), text, references: Vec::new(), version: None })
        }
    }

    /// The fields of the runs of rows that all have these headers, as a value or as a key.
    fn runs(key: bool, rows: &[(&[(&str, &str)], &str)]) -> Vec<(usize, String)> {
        let inner = super::super::format("value", None, &options()).expect("valid");
        let mut converter = Framed::new("value", EventHubsJson { inner, key }, Box::new(All));
        let all: Vec<_> = rows.iter().flat_map(|(headers, _)| headers.iter()).collect();
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values(all.iter().map(|(name, _)| name)));
        let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(all.iter().map(|(_, value)| value.as_bytes())));
        let fields: Fields =
            [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)].into_iter().collect();
        let entry = Arc::new(Field::new("item", DataType::Struct(fields.clone()), false));
        let offsets = OffsetBuffer::from_lengths(rows.iter().map(|(headers, _)| headers.len()));
        let headers = ListArray::new(entry, offsets, Arc::new(StructArray::new(fields, vec![keys, values], None)), None);
        let bytes = BinaryArray::from_iter_values(rows.iter().map(|(_, value)| value.as_bytes()));
        let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: Some(&headers) }).expect("available");
        let shown = |run: landfall_api::Run| match run.column {
            Ok(column) => match column.field.data_type() {
                DataType::Struct(fields) => (run.rows.len(), fields[0].name().clone()),
                other => (run.rows.len(), other.to_string()),
            },
            Err(error) => (run.rows.len(), error.message),
        };
        runs.into_iter().map(shown).collect()
    }

    #[test]
    fn headers_name_the_schema_of_each_row() {
        let (plain, spaced) = (format!("application/json+{TWO}"), format!("application/json; serialization=Json+{TWO}"));
        let (one, two) = (r#"{"x0":1}"#, r#"{"xf":1}"#);
        let before = format!("\0\0\0\0{ONE}{one}");
        let rows: [(&[(&str, &str)], &str); 8] = [
            (&[("schemaId", ONE)], one),
            (&[("other", TWO), ("schemaId", TWO), ("schemaId", ONE)], one),
            (&[("content-type", &plain)], two),
            (&[("content-type", &spaced)], two),
            (&[("content-type", &plain), ("schemaId", ONE)], one),
            (&[], &before),
            (&[], "{}"),
            (&[("content-type", "application/json")], "{}"),
        ];
        let expected = [
            (2, "x0"),
            (2, "xf"),
            (2, "x0"),
            (1, "Schema Id was not found in record headers"),
            (1, "Schema Id was not found in record headers, there is application/json"),
        ];
        assert_eq!(runs(false, &rows), expected.map(|(rows, shown)| (rows, shown.to_owned())));
    }

    #[test]
    fn a_key_has_the_first_of_two_headers() {
        let row = |value| [(&[("schemaId", ONE), ("schemaId", TWO)][..], value)];
        let (of_key, of_value) = (runs(true, &row(r#"{"x0":1}"#)), runs(false, &row(r#"{"xf":1}"#)));
        assert_eq!((of_key, of_value), (vec![(1, "x0".to_owned())], vec![(1, "xf".to_owned())]));
    }
}
