//! The key sets of Confluent Cloud's `AzureDataLakeGen2Sink` and `AzureBlobSink`, read as those of the self-managed classes.
//!
//! Names and defaults are those that the cloud service's connectors declare (August 2026). What the service does around a connector
//! (its Kafka credentials, secret managers, restarts) is the worker's here.

use std::borrow::Cow;

use landfall_api::{Faults, Key, Password, Properties, Width, config};
use landfall_lake::config::{no_effect, refused};

use crate::landing::{self, refuse_given};

const INPUT: &str = "input.data.format";
const OUTPUT: &str = "output.data.format";
const INTERVAL: &str = "time.interval";
const CONVERTER: &str = "value.converter";
const SCHEMAS: &str = "value.converter.schemas.enable";
const PATH: &str = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH";

config! {
    /// Keys of the service that say what lands.
    struct CloudKeys {
        /// How records' values were written: AVRO, JSON_SR, PROTOBUF, JSON or BYTES. Confluent Cloud chooses the converter by it; here
        /// `value.converter` must be given, and be the one for it.
        input_data_format: Option<String> = "input.data.format" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Input Kafka record value format", valid: OneOf(&["AVRO", "JSON_SR", "PROTOBUF", "JSON", "BYTES"]) };
        /// The format of files: AVRO, JSON, PARQUET or BYTES. A configuration that has this key has the keys and the defaults of
        /// Confluent Cloud's connector of the same name: `partitioner.class` is TimeBasedPartitioner by the record's time or by
        /// `timestamp.field`, `path.format` has year, month, day and hour, `flush.size` is 1000, `rotate.interval.ms` is that of
        /// `time.interval`, `timezone` UTC, `locale` en, and it has no `format.class`. `errors.tolerance` stays none, and there is no
        /// dead letter queue, unless they are given.
        output_data_format: Option<String> = "output.data.format" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Output message format", valid: OneOf(&["AVRO", "JSON", "PARQUET", "BYTES"]) };
        /// The time that a folder of TimeBasedPartitioner holds: HOURLY or DAILY. It must be given for that partitioner beside
        /// `output.data.format`.
        time_interval: Option<String> = "time.interval" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Time interval", valid: OneOf(&["HOURLY", "DAILY"]) };
    }
}

config! {
    /// Keys by which the service would find what Landfall has no place for.
    struct NotHere {
        /// An integration of the service that gives tokens of Entra ID.
        provider_integration_id: Option<String> = "provider.integration.id" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Provider Integration" };
        /// Whether values of keys come from a secret manager.
        secret_manager_enabled: bool = "secret.manager.enabled" { default: Some("false"), importance: High, group: "Confluent Cloud", width: Width::Short, display: "Enable secret manager" };
        /// The secret manager.
        secret_manager: Option<String> = "secret.manager" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Secret manager" };
        /// The keys whose values come from it.
        secret_manager_managed_configs: Vec<String> = "secret.manager.managed.configs" { default: Some(""), importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Configs managed by the secret manager" };
        /// The integration that reaches it.
        secret_manager_provider_integration_id: Option<String> = "secret.manager.provider.integration.id" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Secret manager provider integration" };
        /// The context of all subjects in the schema registry.
        schema_context_name: String = "schema.context.name" { default: Some("default"), group: "Confluent Cloud", width: Width::Medium, display: "Schema context name" };
        /// Whether fields are decrypted by keys of the client's own.
        csfle_enabled: bool = "csfle.enabled" { default: Some("false"), group: "Confluent Cloud", width: Width::Short, display: "Enable client-side field level encryption" };
        /// What happens to records that cannot be decrypted.
        csfle_on_failure: String = "csfle.onFailure" { default: Some("FAIL"), group: "Confluent Cloud", width: Width::Short, display: "CSFLE failure action" };
    }
}

/// What to do instead of giving a key of [`NotHere`].
fn instead(key: &str) -> &'static str {
    match key {
        "provider.integration.id" => "there are no provider integrations here: give the account's key or landfall.azure.credential",
        "schema.context.name" => {
            "a schema registry is asked by its URL: give value.converter.schema.registry.url with /contexts/… after it"
        }
        key if key.starts_with("csfle.") => "fields are not decrypted here",
        _ => "there are no secret managers here: give secrets by a config provider of the worker, as ${file:…}",
    }
}

config! {
    /// Keys that say how the service runs a connector.
    struct NoEffect {
        /// How the service is let into the account.
        authentication_method: Option<String> = "authentication.method" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Authentication method", effect: Nothing("what lets one in goes by the credentials that are given") };
        /// How the service is let into Kafka.
        kafka_auth_mode: String = "kafka.auth.mode" { default: Some("KAFKA_API_KEY"), importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Kafka Cluster Authentication mode", effect: Nothing("the worker's own connection to Kafka counts") };
        /// The key of an API key.
        kafka_api_key: Option<Password> = "kafka.api.key" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Kafka API Key", effect: Nothing("the worker's own connection to Kafka counts") };
        /// The secret of an API key.
        kafka_api_secret: Option<Password> = "kafka.api.secret" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Kafka API Secret", effect: Nothing("the worker's own connection to Kafka counts") };
        /// The account whose API keys the service makes.
        kafka_service_account_id: Option<String> = "kafka.service.account.id" { importance: High, group: "Confluent Cloud", width: Width::Medium, display: "Service account", effect: Nothing("the worker's own connection to Kafka counts") };
        /// Milliseconds within which the service's consumer polls again.
        max_poll_interval_ms: i64 = "max.poll.interval.ms" { default: Some("300000"), importance: Low, group: "Confluent Cloud", width: Width::Medium, display: "Max poll interval (ms)", effect: Nothing("consumer.override.max.poll.interval.ms counts") };
        /// The records of one poll of the service's consumer.
        max_poll_records: i64 = "max.poll.records" { default: Some("500"), importance: Low, group: "Confluent Cloud", width: Width::Medium, display: "Max poll records", effect: Nothing("consumer.override.max.poll.records counts") };
        /// Whether the service starts a connector again that failed by what a user can change.
        auto_restart_on_user_error: bool = "auto.restart.on.user.error" { default: Some("true"), group: "Confluent Cloud", width: Width::Short, display: "Enable connector auto-restart", effect: Nothing("a failed task is restarted through the REST API") };
    }
}

/// One of the service's connectors.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// Its name in `connector.class`.
    name: &'static str,
    /// Where the self-managed class has its formats.
    formats: &'static str,
    /// Defaults that it has of its own.
    defaults: &'static [(&'static str, &'static str)],
}

/// `AzureDataLakeGen2Sink`.
pub(crate) const GEN2: Cloud =
    Cloud { name: "AzureDataLakeGen2Sink", formats: "io.confluent.connect.azure.storage.format", defaults: &[] };

/// `AzureBlobSink`.
pub(crate) const BLOB: Cloud = Cloud {
    name: "AzureBlobSink",
    formats: "io.confluent.connect.azure.blob.format",
    defaults: &[("behavior.on.null.values", "ignore")],
};

/// The keys of the service that are not the self-managed classes'.
pub(crate) fn keys() -> impl Iterator<Item = Key> {
    CloudKeys::KEYS.iter().copied().chain(refused(NotHere::KEYS)).chain(NoEffect::KEYS.iter().copied())
}

/// Warnings about keys of the service that are given and have no effect.
pub(crate) fn warnings(properties: &Properties) -> impl Iterator<Item = String> + '_ {
    let is_cloud = properties.contains_key(OUTPUT) && !properties.contains_key("errors.tolerance");
    let tolerance = "errors.tolerance is none, as it is not given: Confluent Cloud's default is all".to_owned();
    let partitioner = properties.get("partitioner.class").map_or("TimeBasedPartitioner", |class| class.trim());
    let timeless = properties.contains_key(OUTPUT) && !partitioner.ends_with("TimeBasedPartitioner");
    let idle = [(INTERVAL, timeless, "the partitioner is not TimeBasedPartitioner")];
    no_effect(NoEffect::KEYS, properties).chain(landing::idle(idle, properties)).chain(is_cloud.then_some(tolerance))
}

/// The self-managed class that a configuration of the service means, where its name alone means another one: `AzureBlobSink` is also
/// what Aiven's class is called without its package.
#[must_use]
pub fn class_of(properties: &Properties) -> Option<&'static str> {
    let name = properties.get("connector.class")?.trim();
    let is_cloud = name == BLOB.name && (properties.contains_key(OUTPUT) || properties.contains_key(INPUT));
    is_cloud.then_some("io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector")
}

impl Cloud {
    /// What a configuration says in the keys of the self-managed class; it is left as it is if it is not of the service.
    pub(crate) fn self_managed<'a>(&self, properties: &'a Properties, faults: &mut Faults) -> Cow<'a, Properties> {
        let keys = CloudKeys::parse(properties, faults);
        NotHere::parse(properties, faults);
        NoEffect::parse(properties, faults);
        refuse_given(NotHere::KEYS, instead, properties, faults);
        if !self.is_meant(properties) {
            for key in CloudKeys::KEYS.iter().filter(|key| properties.contains_key(key.name)) {
                let (name, class) = (key.name, self.name);
                let why = format!("is of the key set of Confluent's cloud service, whose class is {class}: ");
                let instead = if name == OUTPUT { "give format.class instead" } else { "it needs output.data.format" };
                faults.push(name, format!("{name} {why}{instead}"));
            }
            return Cow::Borrowed(properties);
        }
        let Some(keys) = keys else { return Cow::Borrowed(properties) };
        let mut given = properties.clone();
        given.retain(|name, _| !self::keys().any(|key| key.name == name));
        if given.contains_key("format.class") {
            faults.push("format.class", "format.class and output.data.format are of two key sets: give one of them");
        }
        if let Some(format) = self.format(&keys, faults) {
            given.insert("format.class".into(), format);
        }
        self.check_converter(&keys, properties, faults);
        let simple = given.get("partitioner.class").map_or("TimeBasedPartitioner", |class| class.trim()).to_owned();
        if !simple.contains('.') {
            given.insert("partitioner.class".into(), format!("io.confluent.connect.storage.partitioner.{simple}"));
        }
        let time_based = simple.ends_with("TimeBasedPartitioner");
        let mut default = |key: &str, value: &str| {
            given.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        };
        if time_based {
            let interval = match keys.time_interval.as_deref() {
                Some("HOURLY") => "3600000",
                Some(_) => "86400000",
                None => {
                    faults.push(INTERVAL, format!("Missing required configuration \"{INTERVAL}\" which has no default value."));
                    "86400000"
                }
            };
            default("partition.duration.ms", interval);
            default("rotate.interval.ms", interval);
            default("path.format", PATH);
            let by_field = properties.contains_key("timestamp.field");
            default("timestamp.extractor", if by_field { "RecordField" } else { "Record" });
        }
        default("locale", "en");
        default("timezone", "UTC");
        default("flush.size", "1000");
        self.defaults.iter().for_each(|(key, value)| default(key, value));
        Cow::Owned(given)
    }

    /// Whether the configuration is of the service: by its key set, and not by the Java class's name.
    fn is_meant(&self, properties: &Properties) -> bool {
        let class = properties.get("connector.class").map_or(self.name, |class| class.trim());
        let by_input = properties.contains_key(INPUT) && !properties.contains_key("format.class");
        class == self.name && (properties.contains_key(OUTPUT) || by_input)
    }

    /// The class of the format.
    fn format(&self, keys: &CloudKeys, faults: &mut Faults) -> Option<String> {
        let format = keys.output_data_format.as_deref().or(keys.input_data_format.as_deref())?;
        let class = match format {
            "AVRO" => "avro.AvroFormat",
            "JSON" => "json.JsonFormat",
            "PARQUET" => "parquet.ParquetFormat",
            "BYTES" => "bytearray.ByteArrayFormat",
            input => {
                faults.push(OUTPUT, format!("{OUTPUT} must be given: files are never {input}, as {INPUT} is"));
                return None;
            }
        };
        Some(format!("{}.{class}", self.formats))
    }

    /// Refuses an input format that another converter than the given one reads.
    fn check_converter(&self, keys: &CloudKeys, properties: &Properties, faults: &mut Faults) {
        let Some(format) = keys.input_data_format.as_deref() else {
            faults.push(INPUT, format!("Missing required configuration \"{INPUT}\" which has no default value."));
            return;
        };
        let wanted = match format {
            "AVRO" => "io.confluent.connect.avro.AvroConverter",
            "JSON_SR" => "io.confluent.connect.json.JsonSchemaConverter",
            "PROTOBUF" => "io.confluent.connect.protobuf.ProtobufConverter",
            "JSON" => "org.apache.kafka.connect.json.JsonConverter",
            _ => "org.apache.kafka.connect.converters.ByteArrayConverter",
        };
        let simple = wanted.rsplit('.').next().unwrap_or(wanted);
        let fits = |class: &str| [Some(wanted), Some(simple), simple.strip_suffix("Converter")].contains(&Some(class));
        let given = properties.get(CONVERTER).map(|class| class.trim());
        if !given.is_some_and(fits) {
            let found = given.map_or_else(|| "it is not given".to_owned(), |class| format!("it is {class}"));
            faults.push(
                INPUT,
                format!("{INPUT}={format} needs {CONVERTER}={wanted}, which the cloud service chooses by it: {found}"),
            );
        } else if format == "JSON" && !properties.contains_key(SCHEMAS) {
            let why = "it is false in Confluent Cloud unless it is given, and true here";
            faults.push(INPUT, format!("{INPUT}=JSON needs {SCHEMAS}: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::tests::given;

    const GOOD: &[(&str, &str)] = &[
        ("connector.class", "AzureDataLakeGen2Sink"),
        ("input.data.format", "AVRO"),
        ("output.data.format", "PARQUET"),
        ("time.interval", "HOURLY"),
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        ("topics.dir", "lake/raw"),
    ];
    const PARTITIONERS: &str = "io.confluent.connect.storage.partitioner";

    /// What `changes` to [`GOOD`] say in the keys of the self-managed class, and what is wrong.
    fn read(cloud: &Cloud, changes: &[(&str, &str)]) -> (Properties, Vec<String>) {
        let mut faults = Faults::default();
        let given = cloud.self_managed(&given(GOOD, changes), &mut faults).into_owned();
        (given, faults.0.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn the_services_defaults_are_those_of_the_interval() {
        let (found, faults) = read(&GEN2, &[]);
        assert_eq!(faults, [""; 0]);
        let expected = given(
            &[
                ("connector.class", "AzureDataLakeGen2Sink"),
                ("value.converter", "io.confluent.connect.avro.AvroConverter"),
                ("topics.dir", "lake/raw"),
                ("format.class", "io.confluent.connect.azure.storage.format.parquet.ParquetFormat"),
                ("partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"),
                ("partition.duration.ms", "3600000"),
                ("rotate.interval.ms", "3600000"),
                ("path.format", PATH),
                ("timestamp.extractor", "Record"),
                ("locale", "en"),
                ("timezone", "UTC"),
                ("flush.size", "1000"),
            ],
            &[],
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_given_counts() {
        let field = format!("{PARTITIONERS}.FieldPartitioner");
        let blob = ("connector.class", "AzureBlobSink");
        for (cloud, changes, key, value) in [
            (&GEN2, &[("time.interval", "DAILY")][..], "rotate.interval.ms", Some("86400000")),
            (&GEN2, &[("time.interval", "DAILY")], "partition.duration.ms", Some("86400000")),
            (&GEN2, &[("rotate.interval.ms", "60000")], "rotate.interval.ms", Some("60000")),
            (&GEN2, &[("flush.size", "5")], "flush.size", Some("5")),
            (&GEN2, &[("path.format", "'y'=YYYY")], "path.format", Some("'y'=YYYY")),
            (&GEN2, &[("timezone", "Europe/Berlin")], "timezone", Some("Europe/Berlin")),
            (&GEN2, &[("locale", "de")], "locale", Some("de")),
            (&GEN2, &[("timestamp.field", "at")], "timestamp.extractor", Some("RecordField")),
            (
                &GEN2,
                &[("output.data.format", "JSON")],
                "format.class",
                Some("io.confluent.connect.azure.storage.format.json.JsonFormat"),
            ),
            (
                &GEN2,
                &[("output.data.format", "-")],
                "format.class",
                Some("io.confluent.connect.azure.storage.format.avro.AvroFormat"),
            ),
            (&GEN2, &[], "behavior.on.null.values", None),
            (&BLOB, &[blob], "behavior.on.null.values", Some("ignore")),
            (&BLOB, &[blob, ("behavior.on.null.values", "fail")], "behavior.on.null.values", Some("fail")),
            (
                &BLOB,
                &[blob, ("output.data.format", "BYTES")],
                "format.class",
                Some("io.confluent.connect.azure.blob.format.bytearray.ByteArrayFormat"),
            ),
            (
                &BLOB,
                &[blob, ("partitioner.class", "FieldPartitioner"), ("time.interval", "-")],
                "partitioner.class",
                Some(&field),
            ),
            (&BLOB, &[blob, ("partitioner.class", &field), ("time.interval", "-")], "partitioner.class", Some(&field)),
            (&BLOB, &[blob, ("partitioner.class", "FieldPartitioner")], "rotate.interval.ms", None),
        ] {
            let (found, faults) = read(cloud, changes);
            assert_eq!((found.get(key).map(String::as_str), &faults[..]), (value, &[][..]), "{changes:?}");
        }
    }

    #[test]
    fn a_self_managed_configuration_stays_as_it_is() {
        let own = [
            ("connector.class", "io.confluent.connect.azure.datalake.gen2.AzureDataLakeGen2SinkConnector"),
            ("input.data.format", "-"),
            ("output.data.format", "-"),
            ("time.interval", "-"),
        ];
        let (found, faults) = read(&GEN2, &own);
        assert_eq!((found, faults), (given(GOOD, &own), vec![]));
    }

    #[test]
    fn what_the_service_would_do_is_refused_with_the_reason() {
        let needs_schemas = "input.data.format=JSON needs value.converter.schemas.enable: it is false in Confluent Cloud unless it is given, and true here";
        let of_cloud = "is of the key set of Confluent's cloud service, whose class is AzureDataLakeGen2Sink";
        for (changes, why) in [
            (&[("time.interval", "-")][..], "Missing required configuration \"time.interval\" which has no default value.".to_owned()),
            (
                &[("time.interval", "WEEKLY")],
                "Invalid value WEEKLY for configuration time.interval: String must be one of: HOURLY, DAILY".to_owned(),
            ),
            (&[("input.data.format", "-")], "Missing required configuration \"input.data.format\" which has no default value.".to_owned()),
            (
                &[("value.converter", "-")],
                "input.data.format=AVRO needs value.converter=io.confluent.connect.avro.AvroConverter, which the cloud service chooses by it: it is not given".to_owned(),
            ),
            (
                &[("input.data.format", "BYTES")],
                "input.data.format=BYTES needs value.converter=org.apache.kafka.connect.converters.ByteArrayConverter, which the cloud service chooses by it: it is io.confluent.connect.avro.AvroConverter".to_owned(),
            ),
            (&[("input.data.format", "JSON"), ("value.converter", "JsonConverter")], needs_schemas.to_owned()),
            (
                &[("input.data.format", "PROTOBUF"), ("value.converter", "Protobuf"), ("output.data.format", "-")],
                "output.data.format must be given: files are never PROTOBUF, as input.data.format is".to_owned(),
            ),
            (&[("format.class", "x")], "format.class and output.data.format are of two key sets: give one of them".to_owned()),
            (
                &[("provider.integration.id", "cspi-1")],
                "provider.integration.id=cspi-1 is not supported: there are no provider integrations here: give the account's key or landfall.azure.credential".to_owned(),
            ),
            (&[("csfle.enabled", "true")], "csfle.enabled=true is not supported: fields are not decrypted here".to_owned()),
            (
                &[("secret.manager.enabled", "true")],
                "secret.manager.enabled=true is not supported: there are no secret managers here: give secrets by a config provider of the worker, as ${file:…}".to_owned(),
            ),
            (
                &[("schema.context.name", "blue")],
                "schema.context.name=blue is not supported: a schema registry is asked by its URL: give value.converter.schema.registry.url with /contexts/… after it".to_owned(),
            ),
            (
                &[("connector.class", "AzureDataLakeGen2SinkConnector"), ("input.data.format", "-"), ("time.interval", "-")],
                format!("output.data.format {of_cloud}: give format.class instead"),
            ),
            (
                &[("output.data.format", "-"), ("input.data.format", "-")],
                format!("time.interval {of_cloud}: it needs output.data.format"),
            ),
        ] {
            assert_eq!(read(&GEN2, changes).1, [why], "{changes:?}");
        }
    }

    #[test]
    fn what_the_worker_does_is_warned_about() {
        let set = given(GOOD, &[("kafka.api.secret", "pssst"), ("max.poll.records", "7"), ("kafka.auth.mode", "KAFKA_API_KEY")]);
        let warned: Vec<_> = warnings(&set).collect();
        let expected = [
            "kafka.api.secret has no effect in Landfall: the worker's own connection to Kafka counts",
            "max.poll.records has no effect in Landfall: consumer.override.max.poll.records counts",
            "errors.tolerance is none, as it is not given: Confluent Cloud's default is all",
        ];
        assert_eq!(warned, expected);
        let set = given(GOOD, &[("partitioner.class", "FieldPartitioner"), ("errors.tolerance", "all")]);
        let warned: Vec<_> = warnings(&set).collect();
        assert_eq!(warned, ["time.interval has no effect in Landfall: the partitioner is not TimeBasedPartitioner"]);
    }

    #[test]
    fn the_services_name_for_blobs_is_told_by_its_keys() {
        let class = |changes: &[(&str, &str)]| class_of(&given(GOOD, changes));
        let blob = ("connector.class", "AzureBlobSink");
        assert_eq!(class(&[blob]), Some("io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector"));
        assert_eq!(class(&[blob, ("output.data.format", "-"), ("input.data.format", "-")]), None, "Aiven's");
        assert_eq!(class(&[]), None);
    }
}
