//! The schema registry of Azure Event Hubs: its REST API, version 2022-10, with tokens of Entra ID, and how records name the schemas
//! that it keeps (`azure-data-schemaregistry` 1.3.5).

use std::collections::HashMap;

use landfall_adls::entra;
use landfall_adls::rest::{Answer, Failure, Patience, Rest};
use landfall_api::config::Password;
use landfall_api::{Faults, Key, Properties, RecordError, Unavailable, Width, config};
use ureq::http::Uri;

use super::wire::serialization;
use super::{NoSchema, RegisteredSchema, SchemaId, Schemas, joined};
use crate::config::application;

/// What tokens are for, in every cloud.
const SCOPE: &str = "https://eventhubs.azure.net/.default";
const VERSION: &str = "2022-10";
const ACCEPT: &str = "application/json; serialization=Avro, application/json; serialization=Json, text/plain; charset=utf-8";
const URL: &str = "schema.registry.url";
/// The characters of an id.
const ID: usize = 32;

const TOGETHER: &str = "tenant.id, client.id and client.secret belong together";
const GROUP: &str = "Schema Registry";
const SERIALIZER: &str = "only a serializer has use for it, and a sink has none";

config! {
    /// What the converters and deserializers of `azure-schema-registry-for-kafka` declare.
    pub struct EventHubsConfig {
        /// The namespace of Event Hubs whose schema registry it is: `https://<namespace>.servicebus.windows.net`, with or without the
        /// `https://`.
        url: String = "schema.registry.url" { required: true, importance: High, group: GROUP, width: Width::Long, valid: By(|url| origin(url).map(drop)), reaches: Hosts };
        /// The schema group.
        group: Option<String> = "schema.group" { group: GROUP, width: Width::Medium, effect: Nothing("a schema is asked for by its id, which is one in the whole namespace") };
        /// Whether schemas are registered.
        auto_register: bool = "auto.register.schemas" { default: Some("false"), group: GROUP, width: Width::Short, effect: Nothing(SERIALIZER) };
        /// A Java object that gives tokens. Not supported: give `landfall.azure.credential`.
        credential: Option<String> = "schema.registry.credential" { group: GROUP, width: Width::Medium, valid: By(|value| match value.trim() {
            "" => Ok(()),
            _ => Err("a Java object cannot be given here, use landfall.azure.credential".into()),
        }) };
        /// Whether Java's default chain of credentials is used.
        use_azure_credential: bool = "use.azure.credential" { default: Some("false"), group: GROUP, width: Width::Short, effect: Nothing("the default chain counts wherever no credential is given") };
        /// The number of schemas that Java's client keeps.
        max_schemas: i32 = "max.schema.map.size" { default: Some("1000"), importance: Low, group: GROUP, width: Width::Short, effect: Nothing("schemas are kept by id, for as long as the task runs") };
        /// Whether records are read as classes that Avro generated. Only false.
        specific: bool = "specific.avro.reader" { default: Some("false"), importance: Low, group: GROUP, width: Width::Short, valid: By(|value| match value.trim() {
            value if value.eq_ignore_ascii_case("false") => Ok(()),
            _ => Err("only false is supported".into()),
        }) };
        /// The generated class of values.
        specific_type: Option<String> = "specific.avro.value.type" { importance: Low, group: GROUP, width: Width::Medium, effect: Nothing("no Java object is made") };
        /// The tenant (directory) of the application that reads schemas, with `client.id` and `client.secret`. Microsoft's converter has
        /// only these; they count before `landfall.azure.credential`.
        tenant_id: Option<String> = "tenant.id" { group: GROUP, width: Width::Medium };
        /// The id of the application.
        client_id: Option<String> = "client.id" { group: GROUP, width: Width::Medium };
        /// The value of a secret of the application.
        client_secret: Option<Password> = "client.secret" { group: GROUP, width: Width::Medium };
    }
}

/// The keys of a converter with this registry.
pub(in crate::convert) static EVENT_HUBS_KEYS: &[Key] =
    &joined::<{ EventHubsConfig::KEYS.len() + entra::KEYS.len() }>(EventHubsConfig::KEYS, entra::KEYS);

impl EventHubsConfig {
    /// The registry that `properties` say, with the converter's own keys `landfall.azure.*` among them. `what` is how Java's messages call
    /// its schemas, and `kind` what they are where it does not say. All that is wrong is added to `faults`.
    pub(in crate::convert) fn schemas(
        properties: &Properties,
        what: &'static str,
        kind: &'static str,
        faults: &mut Faults,
    ) -> Option<Box<dyn Schemas>> {
        let config = Self::parse(properties, faults)?;
        let base = origin(&config.url).map_err(|why| faults.push(URL, why)).ok()?;
        let secret = config.client_secret.map(|secret| secret.reveal().to_owned());
        let own = [("tenant.id", config.tenant_id), ("client.id", config.client_id), ("client.secret", secret)];
        let given = match &own {
            [(_, None), (_, None), (_, None)] => properties.clone(),
            [(_, Some(tenant)), (_, Some(client)), (_, Some(secret))] => application(properties, tenant, client, secret),
            _ => {
                let missing = own.iter().filter(|(_, value)| value.is_none());
                missing.for_each(|(key, _)| faults.push(*key, format!("{key} is missing: {TOGETHER}")));
                return None;
            }
        };
        let rest = Rest::read(&given, Patience::default(), faults)?;
        Some(Box::new(Registry { rest, base, what, kind, known: HashMap::new() }))
    }
}

/// `https://<host>[:<port>]` of a URL or a host; its path counts for nothing, as in Java.
fn origin(url: &str) -> Result<String, String> {
    let full = if url.contains("://") { url.trim().to_owned() } else { format!("https://{}", url.trim()) };
    let wrong = || "it is no namespace of Event Hubs: https://<namespace>.servicebus.windows.net".to_owned();
    let uri: Uri = full.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    match uri.scheme_str() {
        Some("https") if !authority.host().is_empty() => Ok(format!("https://{authority}")),
        Some("http") => Err("a token goes over https only".into()),
        _ => Err(wrong()),
    }
}

/// The registry of a namespace.
#[derive(Debug)]
struct Registry {
    rest: Rest,
    /// `https://<host>`.
    base: String,
    what: &'static str,
    kind: &'static str,
    known: HashMap<SchemaId, RegisteredSchema>,
}

impl Registry {
    fn registered(&self, answer: Answer) -> Result<RegisteredSchema, String> {
        let kind = kind(answer.header("content-type").unwrap_or_default()).unwrap_or(self.kind).to_owned();
        let version = answer.header("schema-version").and_then(|version| version.trim().parse().ok());
        let text = String::from_utf8(answer.body).map_err(|_| "it is not UTF-8".to_owned())?;
        Ok(RegisteredSchema { kind, text, references: Vec::new(), version })
    }

    fn refused(&self, id: &str, why: &str) -> NoSchema {
        NoSchema::Refused(serialization(format!("Error retrieving {} for id {id}: {why}", self.what)))
    }
}

impl Schemas for Registry {
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
        if let Some(schema) = self.known.get(&id) {
            return Ok(schema.clone());
        }
        let hex = id_of(id);
        let url = format!("{}/$schemaGroups/$schemas/{hex}?api-version={VERSION}", self.base);
        let url = url.parse().map_err(|e| self.refused(&hex, &format!("{url} is no URL: {e}")))?;
        let answer = self.rest.get(SCOPE, ACCEPT, vec![url]).pop();
        let away = |why: String| Err(NoSchema::Unavailable(Unavailable(why)));
        match answer {
            Some(Ok(answer)) => {
                let schema = self.registered(answer).map_err(|why| self.refused(&hex, &why))?;
                self.known.insert(id, schema.clone());
                Ok(schema)
            }
            // It is not the records that are wrong.
            Some(Err(ref failure @ Failure::Refused { status: 401 | 403, .. })) => away(format!(
                "the schema registry at {} refuses {}: {failure}; the identity needs the role Schema Registry Reader",
                self.base,
                self.rest.describe()
            )),
            Some(Err(Failure::Away(why))) => away(format!("the schema registry at {} cannot be asked: {why}", self.base)),
            Some(Err(failure)) => Err(self.refused(&hex, &failure.to_string())),
            None => away(format!("the schema registry at {} was not asked", self.base)),
        }
    }
}

/// What a schema is of by the type of an answer: `application/json; serialization=Avro`. None if it does not say.
fn kind(content_type: &str) -> Option<&'static str> {
    let mut parts = content_type.split(';').map(str::trim);
    let of = parts.next().unwrap_or_default();
    let serialization =
        parts.find_map(|part| part.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("serialization")));
    match serialization {
        Some((_, name)) if name.eq_ignore_ascii_case("avro") => Some("AVRO"),
        Some((_, name)) if name.eq_ignore_ascii_case("json") => Some("JSON"),
        Some(_) => Some("CUSTOM"),
        None if of.eq_ignore_ascii_case("text/vnd.ms.protobuf") => Some("PROTOBUF"),
        None if of.eq_ignore_ascii_case("text/plain") => Some("CUSTOM"),
        None => None,
    }
}

/// The 32 characters of an id, as the registry writes them.
pub(in crate::convert) fn id_of(id: SchemaId) -> String {
    match id {
        SchemaId::Guid(bits) => format!("{bits:032x}"),
        other => other.to_string(),
    }
}

/// The id that `text` is: 32 hexadecimal digits.
pub(in crate::convert) fn named_id(text: &[u8]) -> Option<SchemaId> {
    let text = text.trim_ascii();
    let hex = str::from_utf8(text).ok().filter(|_| text.len() == ID && text.iter().all(u8::is_ascii_hexdigit))?;
    u128::from_str_radix(hex, 16).ok().map(SchemaId::Guid)
}

/// What a `content-type` is made of: a MIME type and, after the last plus, what should be an id.
pub(in crate::convert) fn content_type(header: &[u8]) -> Option<(&str, &str)> {
    str::from_utf8(header).ok()?.trim().rsplit_once('+')
}

/// The id that older serializers write before a payload, after 4 zero bytes, and the payload.
pub(in crate::convert) fn preamble(value: &[u8]) -> Option<(SchemaId, &[u8])> {
    let (id, payload) = value.strip_prefix(&[0; 4])?.split_at_checked(ID)?;
    Some((named_id(id)?, payload))
}

/// The error of a record that names no schema, with the header that it has instead.
pub(in crate::convert) fn illegal(message: &str, header: &[u8]) -> RecordError {
    let header: String = String::from_utf8_lossy(header).chars().take(100).collect();
    RecordError { class: "java.lang.IllegalArgumentException", message: format!("{message}{header}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_url_or_a_host() {
        for (url, expected) in [
            ("https://ns.servicebus.windows.net", Some("https://ns.servicebus.windows.net")),
            ("ns.servicebus.windows.net", Some("https://ns.servicebus.windows.net")),
            (" https://ns.servicebus.windows.net/x ", Some("https://ns.servicebus.windows.net")),
            ("https://localhost:8443", Some("https://localhost:8443")),
            ("http://ns.servicebus.windows.net", None),
            ("https://user:pw@host", None),
            ("https://", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(origin(url).ok().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = named_id(b"0a1b2c3d4e5f60718293a4b5c6d7e8f9").expect("an id");
        assert_eq!(id_of(id), "0a1b2c3d4e5f60718293a4b5c6d7e8f9");
        assert_eq!(named_id(b" 0A1B2C3D4E5F60718293A4B5C6D7E8F9 "), Some(id));
        for wrong in [&b"0a1b2c3d4e5f60718293a4b5c6d7e8f"[..], b"+a1b2c3d4e5f60718293a4b5c6d7e8f9", b"", b"\xff"] {
            assert_eq!(named_id(wrong), None);
        }
        let old = [&[0; 4][..], b"0a1b2c3d4e5f60718293a4b5c6d7e8f9", b"xy"].concat();
        assert_eq!(preamble(&old), Some((id, &b"xy"[..])));
        assert_eq!(preamble(&old[..36]), Some((id, &b""[..])));
        assert_eq!((preamble(&old[..35]), preamble(&old[1..]), preamble(b"")), (None, None, None));
        let json = content_type(b"application/json;serialization=Json+00");
        assert_eq!((json, content_type(b"avro/binary")), (Some(("application/json;serialization=Json", "00")), None));
    }

    #[test]
    fn an_answer_says_what_its_schema_is_of() {
        for (content_type, expected) in [
            ("application/json; serialization=Avro", Some("AVRO")),
            ("application/json;serialization=json", Some("JSON")),
            ("application/json; charset=utf-8; serialization=Avro", Some("AVRO")),
            ("text/plain; charset=utf-8", Some("CUSTOM")),
            ("text/vnd.ms.protobuf", Some("PROTOBUF")),
            ("application/json", None),
        ] {
            assert_eq!(kind(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn the_keys_of_microsofts_converter_belong_together_and_count_first() {
        let given = |more: &[(&str, &str)]| {
            let base = [("schema.registry.url", "ns.servicebus.windows.net"), ("landfall.azure.credential", "azure-cli")];
            base.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Properties>()
        };
        let read = |more: &[(&str, &str)]| {
            let mut faults = Faults::default();
            let schemas = EventHubsConfig::schemas(&given(more), "Avro schema", "AVRO", &mut faults);
            (schemas.map(|schemas| format!("{schemas:?}")).unwrap_or_default(), faults.to_string())
        };
        assert!(read(&[]).0.contains("Azure CLI"), "{:?}", read(&[]));
        let (shown, faults) = read(&[("tenant.id", "t1"), ("client.id", "c1"), ("client.secret", "pssst")]);
        assert!(shown.contains("client secret") && shown.contains("c1") && !shown.contains("pssst"), "{shown} {faults}");
        let (_, faults) = read(&[("tenant.id", "t1")]);
        assert!(faults.contains("client.secret is missing: tenant.id, client.id and client.secret belong together"), "{faults}");
        let (_, faults) = read(&[("schema.registry.credential", "x")]);
        assert!(faults.contains("use landfall.azure.credential"), "{faults}");
    }
}
