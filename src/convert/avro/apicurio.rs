//! `io.apicurio.registry.utils.converter.AvroConverter` (2.x and 3.x): what [`AvroConverterClass`](super::AvroConverterClass) reads, with
//! Apicurio's ids: 8 bytes of a global id or 4 of a content id after the magic byte, or either in a header.

use std::borrow::Cow;
use std::time::Duration;

use landfall_api::config::Password;
use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Role, Width, config};

use super::super::registry::{Apicurio, ApicurioSettings, Decode, Format, Framed, RegisteredSchema, SchemaId, Stores, joined};
use super::connect::Options;
use super::{AvroDecoder, only_false};

const SERIALIZER: &str = "only a serializer has use for it, and a sink has none";
const BY_ID: &str = "a schema is asked for by its id";
const FOUR: &str = "io.apicurio.registry.serde.Default4ByteIdHandler";
const DEFAULT: &str = "io.apicurio.registry.serde.DefaultIdHandler";
const EIGHT: &str = "io.apicurio.registry.serde.Legacy8ByteIdHandler";
const EITHER: &str = "io.apicurio.registry.serde.OptimisticFallbackIdHandler";
const OLD_FOUR: &str = "io.apicurio.registry.serde.Legacy4ByteIdHandler";

config! {
    /// What `SchemaResolverConfig`, `SerdeConfig`, `KafkaSerdeConfig`, `AvroSerdeConfig` and `AvroDataConfig` declare.
    pub struct ApicurioConfig {
        /// The URL of the registry, to the version of its API: `http://…/apis/registry/v3`, `…/v2`, or `…/apis/ccompat/v7`. It may hold
        /// `user:password@`.
        urls: Vec<String> = "apicurio.registry.url" { required: true, importance: High, width: Width::None, reaches: Hosts };
        /// What the id is: `contentId` or `globalId`. If it is not given, it is what the version of the API has for a default: the global
        /// id in version 2, else the content id.
        use_id: Option<String> = "apicurio.registry.use-id" { width: Width::None, valid: OneOf(&["contentId", "globalId"]) };
        /// How the id is written: a class of Apicurio's for 4 or for 8 bytes. If it is not given, it is what the version of the API has
        /// for a default: 8 bytes in version 2, else 4.
        id_handler: Option<String> = "apicurio.registry.id-handler" { width: Width::None, valid: OneOf(&[FOUR, DEFAULT, EIGHT, EITHER, OLD_FOUR]) };
        /// Whether a header may name the schema, before the bytes do.
        headers: bool = "apicurio.registry.headers.enabled" { default: Some("false"), width: Width::None };
        /// The header with the global id of a key's schema.
        key_global: String = "apicurio.registry.headers.key.globalId.name" { default: Some("apicurio.key.globalId"), importance: Low, width: Width::None };
        /// The header with the global id of a value's schema.
        value_global: String = "apicurio.registry.headers.value.globalId.name" { default: Some("apicurio.value.globalId"), importance: Low, width: Width::None };
        /// The header with the content id of a key's schema.
        key_content: String = "apicurio.registry.headers.key.contentId.name" { default: Some("apicurio.key.contentId"), importance: Low, width: Width::None };
        /// The header with the content id of a value's schema.
        value_content: String = "apicurio.registry.headers.value.contentId.name" { default: Some("apicurio.value.contentId"), importance: Low, width: Width::None };
        /// The user of the registry.
        username: Option<String> = "apicurio.registry.auth.username" { width: Width::None };
        /// The user's password.
        password: Option<Password> = "apicurio.registry.auth.password" { width: Width::None };
        /// Where an OAuth token is issued. Not supported.
        oauth: Option<String> = "apicurio.registry.auth.service.token.endpoint" { width: Width::None, valid: By(not_supported), reaches: Hosts };
        /// How often a request is sent again.
        retry_count: i32 = "apicurio.registry.retry-count" { default: Some("3"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// The milliseconds to wait before that.
        retry_backoff_ms: i32 = "apicurio.registry.retry-backoff-ms" { default: Some("300"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// For how long a schema is kept.
        check_period_ms: i64 = "apicurio.registry.check-period-ms" { default: Some("30000"), importance: Low, width: Width::None, effect: Nothing("what has an id does not change") };
        /// Whether the registry puts the schemas that one refers to into it.
        dereference: bool = "apicurio.registry.dereference-schema" { default: Some("false"), importance: Low, width: Width::None, effect: Nothing("what a schema refers to is asked for, which gives the same") };
        /// Whether schemas are registered.
        auto_register: bool = "apicurio.registry.auto-register" { default: Some("false"), width: Width::None, effect: Nothing(SERIALIZER) };
        /// What becomes of a schema that is registered twice.
        if_exists: Option<String> = "apicurio.registry.auto-register.if-exists" { importance: Low, width: Width::None, effect: Nothing(SERIALIZER) };
        /// Whether values are written with the latest schema.
        find_latest: bool = "apicurio.registry.find-latest" { default: Some("false"), width: Width::None, effect: Nothing(SERIALIZER) };
        /// How the artifact of a schema is named.
        resolver_strategy: Option<String> = "apicurio.registry.artifact-resolver-strategy" { width: Width::None, effect: Nothing(BY_ID) };
        /// The group of the artifact.
        group_id: Option<String> = "apicurio.registry.artifact.group-id" { importance: Low, width: Width::None, effect: Nothing(BY_ID) };
        /// The artifact.
        artifact_id: Option<String> = "apicurio.registry.artifact.artifact-id" { importance: Low, width: Width::None, effect: Nothing(BY_ID) };
        /// The version of the artifact.
        artifact_version: Option<String> = "apicurio.registry.artifact.version" { importance: Low, width: Width::None, effect: Nothing(BY_ID) };
        /// How Avro is written: only BINARY.
        encoding: String = "apicurio.registry.avro.encoding" { default: Some("BINARY"), width: Width::None, valid: OneOf(&["BINARY"]) };
        /// The Java class that makes readers of Avro.
        datum_provider: Option<String> = "apicurio.registry.avro-datum-provider" { width: Width::None, effect: Nothing("no Java object is made") };
        /// Whether records are read as classes that Avro generated. Only false.
        specific: bool = "apicurio.registry.use-specific-avro-reader" { default: Some("false"), width: Width::None, valid: By(only_false) };
        /// Whether the certificate of the registry is not looked at. Only false.
        trust_all: bool = "apicurio.registry.tls.trust-all" { default: Some("false"), width: Width::None, valid: By(only_false) };
        /// The format of the trust store: PEM, JKS or PKCS12.
        truststore_type: String = "apicurio.registry.tls.truststore.type" { default: Some("JKS"), width: Width::None };
        /// The file with the certificates to trust; without it, those that the system trusts.
        truststore_location: Option<String> = "apicurio.registry.tls.truststore.location" { width: Width::None, reaches: Files };
        /// The file with the client's key and certificate chain in a key store. Not supported.
        keystore_location: Option<String> = "apicurio.registry.tls.keystore.location" { width: Width::None, valid: By(not_supported), reaches: Files };
        /// Whether the fields of a union are called by the full names of its types, with their namespace.
        enhanced: bool = "enhanced.avro.schema.support" { default: Some("false"), width: Width::None };
        /// Whether documentation, defaults and `connect.parameters` of the Avro schema become parameters of the Connect schema.
        meta_data: bool = "connect.meta.data" { default: Some("true"), importance: Low, width: Width::None };
        /// The number of schemas whose Connect schema Java keeps.
        cache_size: i32 = "schemas.cache.config" { default: Some("1000"), importance: Low, width: Width::None, effect: Nothing("each schema is read once, and kept for as long as the task runs") };
    }
}

fn not_supported(value: &str) -> Result<(), String> {
    if value.is_empty() { Ok(()) } else { Err("it is not supported".into()) }
}

/// The class.
#[derive(Debug)]
pub(in crate::convert) struct ApicurioAvroConverterClass;

impl ConverterClass for ApicurioAvroConverterClass {
    fn class(&self) -> &'static str {
        "io.apicurio.registry.utils.converter.AvroConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value]
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &joined::<{ ApicurioConfig::KEYS.len() }>(ApicurioConfig::KEYS, &[]);
        KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let config = ApicurioConfig::parse(properties, &mut faults);
        let converter = config.and_then(|config| {
            let name = super::super::column_name(role);
            let settings = ApicurioSettings {
                urls: &config.urls,
                username: config.username.as_deref(),
                password: config.password.as_ref(),
                retries: config.retry_count.unsigned_abs(),
                backoff: Duration::from_millis(u64::from(config.retry_backoff_ms.unsigned_abs())),
                stores: Stores {
                    prefix: "apicurio.registry.tls",
                    truststore: (None, config.truststore_location.as_deref(), &config.truststore_type, None),
                    keystore: (None, None, "PEM", None),
                    keystore_chain: None,
                    key_password: None,
                },
            };
            let schemas = Apicurio::schemas(settings, &mut faults)?;
            Some(Box::new(Framed::new(name, ApicurioAvro::new(&config, role), schemas)) as Box<dyn Converter>)
        });
        faults.or(converter)
    }
}

/// How an id is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdWidth {
    Four,
    Eight,
    /// 8 if the first 4 are zero.
    Either,
}

/// Avro with Apicurio's ids.
#[derive(Debug)]
struct ApicurioAvro {
    name: &'static str,
    width: IdWidth,
    /// Whether an id is a global one.
    global: bool,
    /// The header that may hold the id.
    header: Option<String>,
    options: Options,
}

impl ApicurioAvro {
    fn new(config: &ApicurioConfig, role: Role) -> Self {
        let second = config.urls.iter().any(|url| url.contains("/apis/registry/v2"));
        let width = match config.id_handler.as_deref() {
            Some(FOUR | OLD_FOUR) => IdWidth::Four,
            Some(EITHER) => IdWidth::Either,
            Some(_) => IdWidth::Eight,
            None if second => IdWidth::Eight,
            None => IdWidth::Four,
        };
        let global = config.use_id.as_deref().map_or(second, |id| id == "globalId");
        let header = match (role, global) {
            (Role::Key, true) => &config.key_global,
            (Role::Key, false) => &config.key_content,
            (_, true) => &config.value_global,
            (_, false) => &config.value_content,
        };
        Self {
            name: super::super::column_name(role),
            width,
            global,
            header: config.headers.then(|| header.clone()),
            options: Options {
                meta_data: config.meta_data,
                enhanced: config.enhanced,
                generalized: false,
                flatten: false,
                discard: false,
                scrub: false,
                ignore_default: false,
            },
        }
    }

    fn id(&self, number: i64) -> SchemaId {
        if self.global { SchemaId::Number(number) } else { SchemaId::Content(number) }
    }
}

fn illegal(message: &str) -> RecordError {
    RecordError { class: "java.lang.IllegalStateException", message: message.to_owned() }
}

impl Format for ApicurioAvro {
    /// Nothing: Apicurio's class throws what went wrong as it is.
    fn failed(&self, _: &str) -> String {
        String::new()
    }

    fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
        let short = || RecordError { class: "java.nio.BufferUnderflowException", message: "an id of too few bytes".into() };
        if let Some(header) = header {
            let id = header.first_chunk().ok_or_else(short)?;
            return Ok((self.id(i64::from_be_bytes(*id)), value.into()));
        }
        let Some((0, rest)) = value.split_first() else { return Err(illegal("Unknown magic byte!")) };
        let wide = match self.width {
            IdWidth::Four => false,
            IdWidth::Eight => true,
            IdWidth::Either => rest.len() >= 8 && rest.starts_with(&[0; 4]),
        };
        let found = if wide {
            rest.split_first_chunk().map(|(id, rest)| (i64::from_be_bytes(*id), rest))
        } else {
            rest.split_first_chunk().map(|(id, rest)| (i32::from_be_bytes(*id).into(), rest))
        };
        let (id, payload) = found.ok_or_else(short)?;
        Ok((self.id(id), payload.into()))
    }

    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
        let mut decoder = AvroDecoder::new(schema, self.name, self.options, false)?;
        decoder.bare = false;
        Ok(Box::new(decoder))
    }
}
