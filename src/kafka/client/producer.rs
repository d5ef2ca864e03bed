//! Turns Java's producer configuration into librdkafka's: the producer of a connector's dead letters, and the client that makes
//! their topic.
//!
//! [`KEYS`] has every key of `org.apache.kafka.clients.producer.ProducerConfig` (4.3.1) but those of TLS and SASL. Precedence is
//! that of `org.apache.kafka.connect.runtime.Worker.baseProducerConfigs` and `adminConfigs`. Two defaults are not Connect's: the
//! producer is idempotent, so that a retry makes no second letter, and records of every size that brokers take are sent.

use std::collections::BTreeMap;

use landfall_api::Properties;

use super::{
    ConsumerSettings, Given, KEYS as CONSUMER_KEYS, Key, MAX, Number, To, admin_given, admin_keys, azure, bootstrap_servers,
    event_hubs, int, key, long, number, part, reconcile, security,
};
use crate::config::nearest;

/// The letters that may wait for the brokers at a time; what comes then waits outside of the client.
const UNACKNOWLEDGED: usize = 1000;

/// The settings of the producer of dead letters of task `task` of connector `connector_name`, from the properties of its worker
/// (`producer.`) and its own (`producer.override.`).
#[must_use]
pub fn producer_properties(worker: &Properties, connector: &Properties, connector_name: &str, task: usize) -> ConsumerSettings {
    let given = azure(worker).chain(part(worker, "producer.")).chain(part(connector, "producer.override."));
    let given = Given(given.collect());
    let mut to = ConsumerSettings::default();
    let base = [
        ("bootstrap.servers", worker.get("bootstrap.servers").map_or("localhost:9092", |s| s.trim()).to_owned()),
        ("client.id", format!("connector-dlq-producer-{connector_name}-{task}")),
        // Java's: a key's hash, and any for records without one
        ("partitioner", "murmur2_random".to_owned()),
        ("queue.buffering.max.messages", UNACKNOWLEDGED.to_string()),
    ];
    to.librdkafka.extend(base.map(|(k, v)| (k.to_owned(), v)));
    apply(KEYS, &given, &mut to);
    event_hubs::apply(worker, &given, "producer.override.", &mut to);
    reconcile_acks(&given, &mut to);
    reconcile(&mut to);
    to
}

/// The settings of the client that makes the topic of dead letters: the worker's as for its own admin client, and the connector's
/// (`admin.override.`).
#[must_use]
pub fn dead_letter_admin_properties(
    worker: &Properties,
    connector: &Properties,
    connector_name: &str,
    task: usize,
) -> ConsumerSettings {
    connector_admin_properties(worker, connector, &format!("connector-dlq-adminclient-{connector_name}-{task}"))
}

/// The settings of the client that reads and changes the offsets of a connector's group for the REST API, as above.
#[must_use]
pub fn offsets_admin_properties(worker: &Properties, connector: &Properties, connector_name: &str) -> ConsumerSettings {
    connector_admin_properties(worker, connector, &format!("connector-worker-adminclient-{connector_name}"))
}

fn connector_admin_properties(worker: &Properties, connector: &Properties, client_id: &str) -> ConsumerSettings {
    let overrides = part(connector, "admin.override.");
    let unknown: Vec<_> = overrides.iter().map(|(java, (written, _))| (java.clone(), written.clone())).collect();
    let given = Given(admin_given(worker).0.into_iter().chain(overrides).collect::<BTreeMap<_, _>>());
    let mut to = ConsumerSettings::default();
    to.set("client.id", client_id);
    for key in admin_keys() {
        key.apply_given(&given, &mut to);
    }
    security::apply(&given, &mut to);
    for (java, written) in unknown {
        if !security::is_known(&java) && !admin_keys().any(|key| key.java == java) {
            to.warnings.push(format!("{written} is not a configuration of an admin client here and is not used"));
        }
    }
    event_hubs::apply(worker, &given, "", &mut to);
    reconcile(&mut to);
    to
}

fn apply(keys: &'static [Key], given: &Given, to: &mut ConsumerSettings) {
    for key in keys.iter().chain(common()) {
        key.apply_given(given, to);
    }
    security::apply(given, to);
    let names = || keys.iter().chain(common()).map(|key| key.java);
    for (java, written) in given.keys() {
        if !security::is_known(java) && !names().any(|name| name == java) {
            let hint = nearest(java, names()).map(|meant| format!(". Did you mean {meant}?")).unwrap_or_default();
            to.warnings.push(format!("{written} is not a configuration of a producer and is not used{hint}"));
        }
    }
}

/// The keys that mean the same to every client.
const COMMON: &[&str] = &[
    "client.dns.lookup",
    "client.id",
    "config.providers",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "interceptor.classes",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms",
    "socket.connection.setup.timeout.ms",
];

fn common() -> impl Iterator<Item = &'static Key> {
    CONSUMER_KEYS.iter().filter(|key| COMMON.contains(&key.java))
}

/// Every key of a producer.
pub(super) fn all_keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().chain(common())
}

const BYTES: &str = "records are sent as they came";
const LEVEL: &str = "each codec has the level that the client gives it";
const PARTITIONS: &str = "a letter's partition is that of its key's hash, or any if it has none";

#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("acks", Some("all"), To::By(acks, "`acks`: all, -1 or 1")),
    key("batch.size", None, int("batch.size", 0, 1, MAX)),
    key("bootstrap.servers", None, To::By(bootstrap_servers, "`bootstrap.servers`")),
    key("buffer.memory", Some("33554432"), To::By(buffer_memory, "`queue.buffering.max.kbytes`, in KiB")),
    key("compression.gzip.level", None, To::Unused(LEVEL)),
    key("compression.lz4.level", None, To::Unused(LEVEL)),
    key("compression.type", Some("none"), To::Choice("compression.type", &["none", "gzip", "snappy", "lz4", "zstd"])),
    key("compression.zstd.level", None, To::Unused(LEVEL)),
    key("delivery.timeout.ms", Some("2147483647"), int("message.timeout.ms", 0, 1, MAX)),
    key("enable.idempotence", Some("true"), To::Switch("enable.idempotence")),
    key("key.serializer", None, To::Unused(BYTES)),
    key("linger.ms", Some("5"), long("linger.ms", 0, 0, 900_000)),
    key("max.block.ms", None, To::Unused("what finds no room waits until there is some")),
    key("max.in.flight.requests.per.connection", Some("1"), int("max.in.flight.requests.per.connection", 1, 1, 1_000_000)),
    // a record that Kafka took once is not too long to be sent: brokers say what they take
    key("max.request.size", Some("1000000000"), int("message.max.bytes", 0, 1000, 1_000_000_000)),
    key("metadata.max.idle.ms", None, To::Unused("there is one topic")),
    key("partitioner.adaptive.partitioning.enable", None, To::Unused(PARTITIONS)),
    key("partitioner.availability.timeout.ms", None, To::Unused(PARTITIONS)),
    key("partitioner.class", None, To::Unused(PARTITIONS)),
    key("partitioner.ignore.keys", None, To::Unused(PARTITIONS)),
    key("retries", Some("2147483647"), int("retries", 0, 0, MAX)),
    key("transaction.timeout.ms", None, To::Unused("nothing is sent in transactions")),
    key("transaction.two.phase.commit.enable", None, To::Unused("nothing is sent in transactions")),
    key("transactional.id", None, To::By(transactional_id, "refused: nothing is sent in transactions")),
    key("value.serializer", None, To::Unused(BYTES)),
];

/// An offset is committed when its letter was acknowledged, so there is no producer that asks for none.
fn acks(written: &str, value: &str, to: &mut ConsumerSettings) {
    match value.to_ascii_lowercase().as_str() {
        "all" | "-1" => to.set("acks", "all"),
        "1" => to.set("acks", "1"),
        _ => to.refuse(written, value, "String must be one of: all, -1, 1; the offset of a record waits for it"),
    }
}

fn buffer_memory(written: &str, value: &str, to: &mut ConsumerSettings) {
    if let Some(bytes) = number(written, value, Number::Long, 0, to) {
        to.set("queue.buffering.max.kbytes", &(bytes / 1024).clamp(1, MAX).to_string());
    }
}

fn transactional_id(written: &str, value: &str, to: &mut ConsumerSettings) {
    to.refuse(written, value, "nothing is sent in transactions");
}

/// What Java's producer wants of an idempotent one. Where it is only the default that is, it gives way.
fn reconcile_acks(given: &Given, to: &mut ConsumerSettings) {
    let weak = [
        (
            to.librdkafka.get("acks").is_some_and(|acks| acks == "1"),
            "acks",
            "Must set acks to all in order to use the idempotent producer.",
        ),
        (to.number("retries") == 0, "retries", "Must set retries to non-zero when using the idempotent producer."),
        (
            to.number("max.in.flight.requests.per.connection") > 5,
            "max.in.flight.requests.per.connection",
            "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.",
        ),
    ];
    if to.librdkafka.get("enable.idempotence").is_none_or(|on| on != "true") {
        return;
    }
    for (_, java, why) in weak.into_iter().filter(|(weak, ..)| *weak) {
        match (given.get("enable.idempotence"), given.get(java)) {
            (Some(_), Some((written, _))) => to.faults.push(written, why),
            _ => to.set("enable.idempotence", "false"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(worker: &[(&str, &str)], connector: &[(&str, &str)]) -> ConsumerSettings {
        let of = |pairs: &[(&str, &str)]| -> Properties { pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect() };
        producer_properties(&of(worker), &of(connector), "lake", 3)
    }

    #[test]
    fn letters_are_acknowledged_by_all_and_sent_once() {
        let s = settings(&[("bootstrap.servers", "a:1"), ("consumer.client.id", "theirs"), ("acks", "0")], &[]);
        assert!(s.faults.is_empty() && s.warnings.is_empty(), "{s:?}");
        for (name, value) in [
            ("acks", "all"),
            ("bootstrap.servers", "a:1"),
            ("client.id", "connector-dlq-producer-lake-3"),
            ("enable.idempotence", "true"),
            ("max.in.flight.requests.per.connection", "1"),
            ("message.timeout.ms", "2147483647"),
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "32768"),
            ("queue.buffering.max.messages", "1000"),
            ("retries", "2147483647"),
            ("security.protocol", "plaintext"),
        ] {
            assert_eq!(s.librdkafka.get(name).map(String::as_str), Some(value), "{name}");
        }
        crate::kafka::Producer::new(&s).expect("librdkafka takes them");
    }

    #[test]
    fn the_connectors_word_counts_before_the_workers() {
        let worker = [("producer.linger.ms", "7"), ("producer.compression.type", "LZ4"), ("producer.acks", "1")];
        let s = settings(&worker, &[("producer.override.linger.ms", "9"), ("producer.override.max.request.size", "2000")]);
        let of = |name: &str| s.librdkafka[name].as_str();
        assert_eq!((of("linger.ms"), of("compression.type"), of("message.max.bytes")), ("9", "lz4", "2000"));
        assert_eq!((of("acks"), of("enable.idempotence")), ("1", "false"));
        assert!(s.faults.is_empty(), "{s:?}");
    }

    #[test]
    fn what_would_lose_letters_is_refused_by_its_key() {
        for (connector, key, why) in [
            (
                &[("producer.override.acks", "0")][..],
                "producer.override.acks",
                "Invalid value 0 for configuration producer.override.acks",
            ),
            (
                &[("producer.override.transactional.id", "x")],
                "producer.override.transactional.id",
                "nothing is sent in transactions",
            ),
            (&[("producer.override.linger.ms", "soon")], "producer.override.linger.ms", "Not a number of type LONG"),
            (
                &[("producer.override.enable.idempotence", "true"), ("producer.override.acks", "1")],
                "producer.override.acks",
                "Must set acks to all in order to use the idempotent producer.",
            ),
        ] {
            let faults = settings(&[], connector).faults;
            assert_eq!((faults.0.len(), faults.0[0].key.as_str()), (1, key));
            assert!(faults.0[0].message.contains(why), "{faults}");
        }
        let s = settings(&[], &[("producer.override.lingr.ms", "1"), ("producer.override.partitioner.class", "a.B")]);
        assert_eq!(s.warnings.len(), 2, "{s:?}");
        assert!(s.warnings[1].ends_with("Did you mean linger.ms?"), "{s:?}");
    }

    #[test]
    fn the_topic_is_made_with_the_settings_of_an_admin_client() {
        let worker = Properties::from([
            ("bootstrap.servers".to_owned(), "a:1".to_owned()),
            ("security.protocol".to_owned(), "SSL".to_owned()),
            ("admin.request.timeout.ms".to_owned(), "5000".to_owned()),
        ]);
        let connector = Properties::from([
            ("admin.override.security.protocol".to_owned(), "PLAINTEXT".to_owned()),
            ("admin.override.linger.ms".to_owned(), "1".to_owned()),
        ]);
        let s = dead_letter_admin_properties(&worker, &connector, "lake", 0);
        let of = |name: &str| s.librdkafka[name].as_str();
        assert_eq!((of("bootstrap.servers"), of("security.protocol"), of("socket.timeout.ms")), ("a:1", "plaintext", "5000"));
        assert_eq!(of("client.id"), "connector-dlq-adminclient-lake-0");
        assert_eq!((s.faults.is_empty(), s.warnings.len()), (true, 1), "{s:?}");
    }
}
