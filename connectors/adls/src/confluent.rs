//! Keys of Confluent's sinks that both self-managed Azure classes refuse: those that ask for Java classes, and those that only the S3
//! sink has (`io.confluent.connect.s3.S3SinkConnectorConfig`, 12.1), which are in configurations that come from there.

use landfall_api::{Faults, Key, Properties, Width, config};
use landfall_lake::config::refused;

use crate::landing::refuse_given;

config! {
    /// Keys that would change what lands.
    struct NotHere {
        /// A Java class that gives credentials.
        credentials_provider_class: String = "credentials.provider.class" { default: Some(""), importance: Low, group: "Azure", width: Width::Long, display: "Credentials Provider Class" };
        /// Of the S3 sink: whether keys land in files of their own.
        store_kafka_keys: bool = "store.kafka.keys" { default: Some("false"), importance: Low, group: "Connector", width: Width::Short, display: "Store kafka keys" };
        /// Of the S3 sink: whether headers land in files of their own.
        store_kafka_headers: bool = "store.kafka.headers" { default: Some("false"), importance: Low, group: "Connector", width: Width::Short, display: "Store kafka headers" };
        /// Of the S3 sink: the format of the files of keys.
        keys_format_class: Option<String> = "keys.format.class" { importance: Low, group: "Connector", width: Width::Long, display: "Keys format class" };
        /// Of the S3 sink: the format of the files of headers.
        headers_format_class: Option<String> = "headers.format.class" { importance: Low, group: "Connector", width: Width::Long, display: "Headers format class" };
        /// Of the S3 sink: the folder of records without a value.
        tombstone_encoded_partition: String = "tombstone.encoded.partition" { default: Some("tombstone"), importance: Low, group: "Connector", width: Width::Short, display: "Tombstone Encoded Partition" };
        /// Of the S3 sink: how decimals are in JSON, BASE64 or NUMERIC.
        json_decimal_format: String = "json.decimal.format" { default: Some("BASE64"), group: "Connector", width: Width::Short, display: "Decimal format in JSON" };
        /// Of the S3 sink: whether records without a value go to the dead letter queue.
        report_null_values_to_dlq: bool = "report.null.values.to.dlq" { default: Some("false"), importance: Low, group: "Connector", width: Width::Short, display: "Report null values to DLQ" };
        /// Of the S3 sink: the milliseconds that one put may take.
        max_write_duration_ms: i64 = "max.write.duration.ms" { default: Some("9223372036854775807"), importance: Low, group: "Connector", width: Width::Long, display: "Max write duration (ms)" };
    }
}

/// The keys, each refused when it has another value than its default.
pub(crate) fn keys() -> impl Iterator<Item = Key> {
    refused(NotHere::KEYS)
}

/// Refuses what is given of them, each with the reason.
pub(crate) fn check(properties: &Properties, faults: &mut Faults) {
    NotHere::parse(properties, faults);
    refuse_given(NotHere::KEYS, why, properties, faults);
}

fn why(key: &str) -> &'static str {
    match key {
        "credentials.provider.class" => "Java classes cannot be loaded",
        "store.kafka.keys" | "keys.format.class" => "keys have no files of their own: give __key in landfall.columns",
        "store.kafka.headers" | "headers.format.class" => {
            "headers have no files of their own: give __headers in landfall.columns"
        }
        "tombstone.encoded.partition" => {
            "records without a value have no folder of their own: behavior.on.null.values says what becomes of them"
        }
        "report.null.values.to.dlq" => "give behavior.on.null.values=report",
        "json.decimal.format" => "decimals in JSON are in base64, as Azure's sinks write them",
        _ => "a put is held back while the store is slow, and never given up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_s3_sink_has_is_refused_with_the_reason() {
        for key in NotHere::KEYS {
            let (value, default) = (if key.default == Some("false") { "true" } else { "7" }, key.default.unwrap_or_default());
            let given = |value: &str| Properties::from([(key.name.to_owned(), value.to_owned())]);
            let mut faults = Faults::default();
            check(&given(default), &mut faults);
            assert!(faults.is_empty(), "{faults}");
            check(&given(value), &mut faults);
            assert_eq!(faults.to_string(), format!("{}={value} is not supported: {}", key.name, why(key.name)));
        }
    }
}
