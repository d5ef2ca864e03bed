//! The settings of the clients of a worker's internal topics.
//!
//! They are the worker's own keys, at the top of its properties, as in `KafkaConfigBackingStore`, `KafkaStatusBackingStore` and
//! `KafkaBasedLog` of Kafka 4.3.1; keys under `consumer.`, `producer.` and `admin.` are those of connectors. What would break the order
//! of records, or lose them, is not up to the user.

use std::collections::BTreeMap;

use landfall_api::Properties;

use super::{ConsumerSettings, Given, KEYS as CONSUMER, Key, To, event_hubs, producer, reconcile, security};

/// Keys that mean something else at the top of a worker's properties, or nothing to these clients.
const NOT_OURS: &[&str] = &[
    // of the worker's own group
    "client.id",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
    // of the REST listeners
    "ssl.client.auth",
    // set here
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "exclude.internal.topics",
    "isolation.level",
    "max.in.flight.requests.per.connection",
    "max.poll.records",
    "retries",
    "transactional.id",
];

/// Whether `key`, at the top of a worker's properties, is one of these clients'.
#[must_use]
pub fn is_internal(key: &str) -> bool {
    ours(CONSUMER.iter().chain(producer::all_keys())).any(|known| known.java == key)
}

fn ours(keys: impl Iterator<Item = &'static Key>) -> impl Iterator<Item = &'static Key> {
    keys.filter(|key| !NOT_OURS.contains(&key.java) && !matches!(key.to, To::Unused(_)))
}

/// The settings of the consumer of an internal topic, which is in no group and reads what is not much.
#[must_use]
pub fn internal_consumer_properties(worker: &Properties, client_id: &str) -> ConsumerSettings {
    let base = [
        ("auto.offset.reset", "earliest"),
        ("enable.partition.eof", "true"),
        // of a leader that writes in transactions too, which are for the exclusion of another
        ("isolation.level", "read_uncommitted"),
        ("queued.max.messages.kbytes", "1024"),
        ("queued.min.messages", "1000"),
    ];
    let mut to = settings(worker, client_id, base, CONSUMER.iter());
    // a response does not overshoot the queue by much
    to.librdkafka.entry("fetch.max.bytes".into()).or_insert_with(|| "1048576".into());
    to
}

/// The settings of the producer of an internal topic, which also makes it.
#[must_use]
pub fn internal_producer_properties(worker: &Properties, client_id: &str) -> ConsumerSettings {
    let base = [
        ("acks", "all"),
        // as Java, so that old brokers do and no permission is needed; one request at a time keeps the order
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "1"),
        ("message.timeout.ms", "2147483647"),
        // Java's, so that a key is in the same partition whoever writes it
        ("partitioner", "murmur2_random"),
    ];
    let mut to = settings(worker, client_id, base, producer::all_keys());
    if !worker.contains_key("linger.ms") {
        // somebody waits for each of these
        to.set("linger.ms", "0");
    }
    to
}

fn settings<const N: usize>(
    worker: &Properties,
    client_id: &str,
    base: [(&str, &str); N],
    keys: impl Iterator<Item = &'static Key>,
) -> ConsumerSettings {
    let keys: Vec<_> = ours(keys).collect();
    let known = |key: &str| keys.iter().any(|known| known.java == key) || security::is_known(key) && !NOT_OURS.contains(&key);
    let given = worker.iter().filter(|(key, _)| known(key)).map(|(key, value)| (key.clone(), (key.clone(), value.clone())));
    let given = Given(given.collect::<BTreeMap<_, _>>());
    let mut to = ConsumerSettings::default();
    to.set("client.id", client_id);
    for (key, value) in base {
        to.set(key, value);
    }
    for key in keys {
        key.apply_given(&given, &mut to);
    }
    security::apply(&given, &mut to);
    event_hubs::apply(worker, &given, "", &mut to);
    reconcile(&mut to);
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_workers_own_keys_are_theirs_but_not_what_is_at_stake() {
        let worker = worker(&[
            ("bootstrap.servers", "k:1"),
            ("group.id", "connect"),
            ("client.id", "w"),
            ("session.timeout.ms", "1"),
            ("isolation.level", "read_committed"),
            ("acks", "0"),
            ("enable.idempotence", "true"),
            ("max.in.flight.requests.per.connection", "5"),
            ("request.timeout.ms", "7000"),
            ("compression.type", "gzip"),
            ("consumer.request.timeout.ms", "1"),
            ("producer.compression.type", "zstd"),
            ("security.protocol", "SSL"),
            ("ssl.client.auth", "required"),
            ("metrics.num.samples", "3"),
        ]);
        let consumer = internal_consumer_properties(&worker, "connect-configs");
        let producer = internal_producer_properties(&worker, "connect-configs");
        for (settings, wanted) in [
            (
                &consumer,
                [("isolation.level", "read_uncommitted"), ("enable.partition.eof", "true"), ("fetch.max.bytes", "1048576")],
            ),
            (&producer, [("acks", "all"), ("max.in.flight.requests.per.connection", "1"), ("compression.type", "gzip")]),
        ] {
            assert!(settings.faults.is_empty() && settings.warnings.is_empty(), "{settings:?}");
            let common = [
                ("bootstrap.servers", "k:1"),
                ("client.id", "connect-configs"),
                ("security.protocol", "ssl"),
                ("socket.timeout.ms", "7000"),
            ];
            for (key, value) in wanted.into_iter().chain(common) {
                assert_eq!(settings.librdkafka.get(key).map(String::as_str), Some(value), "{key}");
            }
            assert!(!settings.librdkafka.contains_key("group.id"));
        }
        assert_eq!((&*producer.librdkafka["enable.idempotence"], &*producer.librdkafka["linger.ms"]), ("false", "0"));
    }

    #[test]
    fn a_fault_names_its_key() {
        let faults = internal_producer_properties(&worker(&[("linger.ms", "soon")]), "c").faults;
        assert!(faults.to_string().contains("Invalid value soon for configuration linger.ms"), "{faults}");
    }
}
