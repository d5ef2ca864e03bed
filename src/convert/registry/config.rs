//! The configuration that the converters of Confluent's wire format share (`AbstractKafkaSchemaSerDeConfig`, 8.x).

use landfall_api::config::Password;
use landfall_api::{Faults, Properties, Role, Width, config};

use super::tls::Stores;

/// Why a key of a serializer does nothing.
const SERIALIZER: &str = "only a serializer has use for it, and a sink has none";
/// Why a key of Java's class loading does nothing.
const RULES: &str = "no rule is executed, and a schema whose rules change what is read is refused";
/// The namespace that a key may have and then counts before the one without.
const NAMESPACE: &str = "schema.registry.";

config! {
    /// What `AbstractKafkaSchemaSerDeConfig` declares.
    pub struct RegistryConfig {
        /// The URLs of the schema registry, which may hold a path and `user:password@`. The next is asked when one does not answer.
        urls: Vec<String> = "schema.registry.url" { required: true, importance: High, width: Width::None, reaches: Hosts };
        /// Whether to begin with any of the URLs and not with the first.
        randomize: bool = "schema.registry.url.randomize" { default: Some("false"), importance: Low, width: Width::None };
        /// The number of schemas that Java's client keeps.
        max_schemas: i32 = "max.schemas.per.subject" { default: Some("1000"), importance: Low, width: Width::None, effect: Nothing("schemas are kept by id, for as long as the task runs") };
        /// Whether schemas are normalized before they are registered.
        normalize: bool = "normalize.schemas" { default: Some("false"), width: Width::None, effect: Nothing(SERIALIZER) };
        /// Whether schemas are registered.
        auto_register: bool = "auto.register.schemas" { default: Some("true"), width: Width::None, effect: Nothing(SERIALIZER) };
        /// Whether the tags of the version before are registered too.
        propagate_tags: bool = "propagate.schema.tags" { default: Some("false"), importance: Low, width: Width::None, effect: Nothing(SERIALIZER) };
        /// The id to serialize with.
        use_schema_id: i32 = "use.schema.id" { default: Some("-1"), importance: Low, width: Width::None, effect: Nothing(SERIALIZER) };
        /// The GUID to serialize with.
        use_schema_guid: Option<String> = "use.schema.guid" { importance: Low, width: Width::None, effect: Nothing(SERIALIZER) };
        /// Whether the schema of an id must be compatible with that of the value.
        id_strict: bool = "id.compatibility.strict" { default: Some("true"), importance: Low, width: Width::None, effect: Nothing(SERIALIZER) };
        /// Whether values are read as the subject's latest version of the schema and not as the one they were written with. Only false.
        use_latest: bool = "use.latest.version" { default: Some("false"), importance: Low, width: Width::None, valid: By(only_false) };
        /// Whether the latest version must be compatible with the schema of the value.
        latest_strict: bool = "latest.compatibility.strict" { default: Some("true"), importance: Low, width: Width::None, effect: Nothing(SERIALIZER) };
        /// The number of latest versions that are kept.
        latest_cache_size: i32 = "latest.cache.size" { default: Some("1000"), importance: Low, width: Width::None, effect: Nothing("no latest version is asked for") };
        /// For how many seconds a latest version is kept.
        latest_cache_ttl: i32 = "latest.cache.ttl.sec" { default: Some("-1"), importance: Low, width: Width::None, effect: Nothing("no latest version is asked for") };
        /// For how many seconds it is remembered that there is no schema of an id. With 0, it is asked for again in each fetch.
        missing_id_ttl: i64 = "missing.id.cache.ttl.sec" { default: Some("0"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// Reads values as the latest version with this metadata. Not supported.
        latest_with_metadata: Option<String> = "use.latest.with.metadata" { importance: Low, width: Width::None, valid: By(only_empty) };
        /// The format in which a registry is asked for schemas. Not supported: they are needed as they are.
        schema_format: Option<String> = "schema.format" { importance: Low, width: Width::None, valid: By(only_empty) };
        /// Where the rules of a schema are executed.
        execution_environment: Option<String> = "execution.environment" { width: Width::None, effect: Nothing(RULES) };
        /// The executors of rules, Java classes. Not supported.
        rule_executors: Vec<String> = "rule.executors" { default: Some(""), importance: Low, width: Width::None, valid: By(only_empty) };
        /// The actions of rules, Java classes. Not supported.
        rule_actions: Vec<String> = "rule.actions" { default: Some(""), importance: Low, width: Width::None, valid: By(only_empty) };
        /// Whether executors of rules are looked for on the class path.
        rule_service_loader: bool = "rule.service.loader.enable" { default: Some("true"), importance: Low, width: Width::None, effect: Nothing(RULES) };
        /// Whether the execution of rules is measured.
        rule_metrics: bool = "rule.metrics.enable" { default: Some("true"), importance: Low, width: Width::None, effect: Nothing(RULES) };
        /// The class that evaluates validation rules.
        validation_executor: String = "validation.rules.executor.class" { default: Some("io.confluent.kafka.schemaregistry.rules.cel.CelValidator"), importance: Low, width: Width::None, effect: Nothing(RULES) };
        /// Whether the first validation rule that fails ends the validation.
        validation_fail_fast: bool = "validation.rules.fail.fast" { default: Some("false"), importance: Low, width: Width::None, effect: Nothing(RULES) };
        /// Where the name and password for the registry are: in the URL, or in `basic.auth.user.info` (USER_INFO). SASL_INHERIT is not
        /// supported.
        basic_source: String = "basic.auth.credentials.source" { default: Some("URL"), width: Width::None, valid: By(|source| match source {
            "" | "URL" | "USER_INFO" => Ok(()),
            "SASL_INHERIT" => Err("SASL_INHERIT is not supported, use USER_INFO".into()),
            _ => Err("String must be one of: URL, USER_INFO".into()),
        }) };
        /// Where the bearer token for the registry is: STATIC_TOKEN, in `bearer.auth.token`. It counts only if it is given.
        bearer_source: String = "bearer.auth.credentials.source" { default: Some("STATIC_TOKEN"), width: Width::None, valid: By(|source| match source {
            "" | "STATIC_TOKEN" => Ok(()),
            _ => Err("String must be one of: STATIC_TOKEN".into()),
        }) };
        /// The name and password for the registry as `name:password`, if `basic.auth.credentials.source` is USER_INFO. An older name of
        /// `basic.auth.user.info`, before which it counts.
        old_user_info: Option<Password> = "schema.registry.basic.auth.user.info" { default: Some(""), width: Width::None };
        /// The name and password for the registry as `name:password`, if `basic.auth.credentials.source` is USER_INFO.
        user_info: Option<Password> = "basic.auth.user.info" { default: Some(""), width: Width::None };
        /// The token, if `bearer.auth.credentials.source` is STATIC_TOKEN.
        bearer_token: Option<Password> = "bearer.auth.token" { default: Some(""), width: Width::None };
        /// Where an OAuth token is issued. Not supported.
        oauth_issuer: Option<String> = "bearer.auth.issuer.endpoint.url" { width: Width::None, valid: By(only_empty), reaches: Hosts };
        /// The client that an OAuth token is issued to. Not supported.
        oauth_client: Option<String> = "bearer.auth.client.id" { width: Width::None, valid: By(only_empty) };
        /// The secret of the client that an OAuth token is issued to. Not supported.
        oauth_secret: Option<Password> = "bearer.auth.client.secret" { width: Width::None, valid: By(only_empty) };
        /// The scope of an OAuth token. Not supported.
        oauth_scope: Option<String> = "bearer.auth.scope" { width: Width::None, valid: By(only_empty) };
        /// The name of the claim that holds the scope.
        oauth_scope_claim: String = "bearer.auth.scope.claim.name" { default: Some("scope"), importance: Low, width: Width::None, effect: Nothing(NO_OAUTH) };
        /// The name of the claim that holds the subject.
        oauth_sub_claim: String = "bearer.auth.sub.claim.name" { default: Some("sub"), importance: Low, width: Width::None, effect: Nothing(NO_OAUTH) };
        /// The identity pool that a bearer token is used with (`Confluent-Identity-Pool-Id`).
        identity_pool: Option<String> = "bearer.auth.identity.pool.id" { width: Width::None };
        /// The cluster of registries that a bearer token is used with (`target-sr-cluster`).
        logical_cluster: Option<String> = "bearer.auth.logical.cluster" { width: Width::None };
        /// How long before its end an OAuth token is renewed, in seconds.
        oauth_buffer: i16 = "bearer.auth.cache.expiry.buffer.seconds" { default: Some("300"), importance: Low, width: Width::None, valid: Between(0, 3600), effect: Nothing(NO_OAUTH) };
        /// A Java class that gives bearer tokens. Not supported.
        bearer_class: Option<String> = "bearer.auth.custom.provider.class" { width: Width::None, valid: By(only_empty) };
        /// A Java class that says in which context of the registry the subjects of a topic are. Only the default: in none.
        context_strategy: String = "context.name.strategy" { default: Some(NO_CONTEXT), width: Width::None, valid: By(|class| match class {
            NO_CONTEXT => Ok(()),
            _ => Err(format!("String must be one of: {NO_CONTEXT}")),
        }) };
        /// How the subject of a key's schema is named.
        key_subject: String = "key.subject.name.strategy" { default: Some(SUBJECT), width: Width::None, effect: Nothing(SUBJECTS) };
        /// How the id of a key's schema is written.
        key_id_serializer: String = "key.schema.id.serializer" { default: Some("io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer"), width: Width::None, effect: Nothing(SERIALIZER) };
        /// How the id of a key's schema is read: from the header `__key_schema_id` if there is one, else from before the key (the
        /// default), or only from there.
        key_id_deserializer: String = "key.schema.id.deserializer" { default: Some(DUAL), width: Width::None, valid: By(id_deserializer) };
        /// How the subject of a value's schema is named.
        value_subject: String = "value.subject.name.strategy" { default: Some(SUBJECT), width: Width::None, effect: Nothing(SUBJECTS) };
        /// How the id of a value's schema is written.
        value_id_serializer: String = "value.schema.id.serializer" { default: Some("io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer"), width: Width::None, effect: Nothing(SERIALIZER) };
        /// How the id of a value's schema is read: from the header `__value_schema_id` if there is one, else from before the value (the
        /// default), or only from there.
        value_id_deserializer: String = "value.schema.id.deserializer" { default: Some(DUAL), width: Width::None, valid: By(id_deserializer) };
        /// Whether Java objects are read by reflection.
        reflection: bool = "schema.reflection" { default: Some("false"), importance: Low, width: Width::None, effect: Nothing("no Java object is made") };
        /// The host of the HTTP proxy before the registry.
        proxy_host: String = "proxy.host" { default: Some(""), importance: Low, width: Width::None, reaches: Hosts };
        /// The port of the HTTP proxy before the registry.
        proxy_port: i32 = "proxy.port" { default: Some("-1"), importance: Low, width: Width::None, valid: Between(-1, 65535) };
        /// The milliseconds that connecting to the registry may take. Java's default is 60000; the task waits meanwhile, so it is less here.
        connect_timeout_ms: i32 = "http.connect.timeout.ms" { default: Some("5000"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// The milliseconds that an answer of the registry may take. Java's default is 60000; the task waits meanwhile, so it is less here.
        read_timeout_ms: i32 = "http.read.timeout.ms" { default: Some("10000"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// How often a request is sent again.
        max_retries: i32 = "max.retries" { default: Some("3"), importance: Low, width: Width::None };
        /// The milliseconds to wait, at most, before a request is sent again for the first time; then twice as long each time.
        retries_wait_ms: i32 = "retries.wait.ms" { default: Some("1000"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// The milliseconds to wait, at most, before a request is sent again.
        retries_max_wait_ms: i32 = "retries.max.wait.ms" { default: Some("20000"), importance: Low, width: Width::None, valid: AtLeast(0) };
        /// The version of TLS to use.
        ssl_protocol: Option<String> = "schema.registry.ssl.protocol" { default: Some("TLSv1.3"), width: Width::None, effect: Nothing(NEGOTIATED) };
        /// The Java security provider. Not supported.
        ssl_provider: Option<String> = "schema.registry.ssl.provider" { width: Width::None, valid: By(only_empty) };
        /// The cipher suites that may be used. Not supported.
        ssl_cipher_suites: Option<Vec<String>> = "schema.registry.ssl.cipher.suites" { importance: Low, width: Width::None, valid: By(only_empty) };
        /// The versions of TLS that may be used.
        ssl_enabled_protocols: Option<Vec<String>> = "schema.registry.ssl.enabled.protocols" { default: Some("TLSv1.2,TLSv1.3"), width: Width::None, effect: Nothing(NEGOTIATED) };
        /// The format of the key store: PEM, JKS or PKCS12.
        keystore_type: String = "schema.registry.ssl.keystore.type" { default: Some("JKS"), width: Width::None };
        /// The file with the client's key and certificate chain.
        keystore_location: Option<String> = "schema.registry.ssl.keystore.location" { importance: High, width: Width::None, reaches: Files };
        /// The password of the key store. A PEM file has none.
        keystore_password: Option<Password> = "schema.registry.ssl.keystore.password" { importance: High, width: Width::None };
        /// The password of the key, where it is encrypted with another one than the store.
        key_password: Option<Password> = "schema.registry.ssl.key.password" { importance: High, width: Width::None };
        /// The client's key in PEM.
        keystore_key: Option<Password> = "schema.registry.ssl.keystore.key" { importance: High, width: Width::None };
        /// The client's certificate chain in PEM.
        keystore_chain: Option<Password> = "schema.registry.ssl.keystore.certificate.chain" { importance: High, width: Width::None };
        /// The certificates to trust in PEM.
        truststore_certificates: Option<Password> = "schema.registry.ssl.truststore.certificates" { importance: High, width: Width::None };
        /// The format of the trust store: PEM, JKS or PKCS12.
        truststore_type: String = "schema.registry.ssl.truststore.type" { default: Some("JKS"), width: Width::None };
        /// The file with the certificates to trust; without it, those that the system trusts.
        truststore_location: Option<String> = "schema.registry.ssl.truststore.location" { importance: High, width: Width::None, reaches: Files };
        /// The password of the trust store. A PEM file has none.
        truststore_password: Option<Password> = "schema.registry.ssl.truststore.password" { importance: High, width: Width::None };
        /// The algorithm of Java's key manager.
        keymanager_algorithm: Option<String> = "schema.registry.ssl.keymanager.algorithm" { default: Some("SunX509"), importance: Low, width: Width::None, effect: Nothing(JAVA_ONLY) };
        /// The algorithm of Java's trust manager.
        trustmanager_algorithm: Option<String> = "schema.registry.ssl.trustmanager.algorithm" { default: Some("PKIX"), importance: Low, width: Width::None, effect: Nothing(JAVA_ONLY) };
        /// How the registry's name is compared with its certificate. Only https: a certificate for another host is always refused.
        endpoint_identification: String = "schema.registry.ssl.endpoint.identification.algorithm" { default: Some("https"), importance: Low, width: Width::None, valid: OneOfIgnoreCase(&["https"]) };
        /// Java's source of random numbers.
        secure_random: Option<String> = "schema.registry.ssl.secure.random.implementation" { importance: Low, width: Width::None, effect: Nothing(JAVA_ONLY) };
        /// A Java class that makes TLS engines. Not supported.
        engine_factory: Option<String> = "schema.registry.ssl.engine.factory.class" { importance: Low, width: Width::None, valid: By(only_empty) };
    }
}

const NO_OAUTH: &str = "no OAuth token is asked for";
const NEGOTIATED: &str = "the highest version that both sides have is negotiated";
const JAVA_ONLY: &str = "it is Java's own";
const NO_CONTEXT: &str = "io.confluent.kafka.serializers.context.NullContextNameStrategy";
const SUBJECT: &str = "io.confluent.kafka.serializers.subject.AssociatedNameStrategy";
const SUBJECTS: &str = "a schema is asked for by its id, and an id does not depend on the subject";
const DUAL: &str = "io.confluent.kafka.serializers.schema.id.DualSchemaIdDeserializer";
const PREFIX: &str = "io.confluent.kafka.serializers.schema.id.PrefixSchemaIdDeserializer";

fn only_false(value: &str) -> Result<(), String> {
    if value.eq_ignore_ascii_case("false") { Ok(()) } else { Err("only false is supported".into()) }
}

fn only_empty(value: &str) -> Result<(), String> {
    if value.is_empty() { Ok(()) } else { Err("it is not supported".into()) }
}

fn id_deserializer(class: &str) -> Result<(), String> {
    match class {
        DUAL | PREFIX => Ok(()),
        _ => Err(format!("String must be one of: {DUAL}, {PREFIX}")),
    }
}

impl RegistryConfig {
    /// What `properties` say, namespaced keys before the plain ones.
    pub(in crate::convert) fn of(properties: &Properties, faults: &mut Faults) -> Option<Self> {
        Self::parse(&namespaced(properties), faults)
    }

    /// What is trusted, and what the client shows.
    pub(super) fn stores(&self) -> Stores<'_> {
        Stores {
            prefix: "schema.registry.ssl",
            truststore: (
                self.truststore_certificates.as_ref(),
                self.truststore_location.as_deref(),
                &self.truststore_type,
                self.truststore_password.as_ref(),
            ),
            keystore: (
                self.keystore_key.as_ref(),
                self.keystore_location.as_deref(),
                &self.keystore_type,
                self.keystore_password.as_ref(),
            ),
            keystore_chain: self.keystore_chain.as_ref(),
            key_password: self.key_password.as_ref(),
        }
    }

    /// The header by which a record may name the schema of its key or value, if that is looked at.
    pub(in crate::convert) fn id_header(&self, role: Role) -> Option<&'static str> {
        let (class, header) = match role {
            Role::Key => (&self.key_id_deserializer, "__key_schema_id"),
            Role::Value | Role::Header => (&self.value_id_deserializer, "__value_schema_id"),
        };
        (class == DUAL).then_some(header)
    }
}

/// `properties` with the namespaced keys in the place of the plain ones: `schema.registry.max.retries` counts before `max.retries`.
pub(super) fn namespaced(properties: &Properties) -> Properties {
    let declared = |name: &str| RegistryConfig::KEYS.iter().any(|key| key.name == name);
    let mut all = properties.clone();
    for (key, value) in properties.iter().filter(|(key, _)| !declared(key)) {
        if let Some(plain) = key.strip_prefix(NAMESPACE).filter(|plain| declared(plain)) {
            all.insert(plain.to_owned(), value.clone());
        }
    }
    all
}
