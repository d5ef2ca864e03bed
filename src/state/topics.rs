//! Which topics a worker keeps its state in, by its keys.
//!
//! The topic of offsets is that of source connectors. A worker that has none makes it, so that the others find it, and neither reads nor
//! writes it: the offsets of sinks are in consumer groups.

use landfall_api::Properties;

use crate::config::{DistributedKeys, topic_settings};
use crate::kafka::LogSettings;
use crate::kafka::client::{internal_consumer_properties, internal_producer_properties};

/// The topic that [`ConfigState`](super::ConfigState) is in.
#[must_use]
pub fn configs(keys: &DistributedKeys, given: &Properties) -> LogSettings {
    let topic = Topic {
        name: &keys.config_storage_topic,
        key: "config.storage.topic",
        purpose: "connector configurations",
        client: "configs",
        partitions: 1,
        replication: keys.config_storage_replication_factor,
    };
    LogSettings { single: true, ..settings(&topic, keys, given) }
}

/// The topic that [`Statuses`](super::Statuses) are in.
#[must_use]
pub fn statuses(keys: &DistributedKeys, given: &Properties) -> LogSettings {
    let topic = Topic {
        name: &keys.status_storage_topic,
        key: "status.storage.topic",
        purpose: "connector and task statuses",
        client: "statuses",
        partitions: keys.status_storage_partitions,
        replication: keys.status_storage_replication_factor,
    };
    settings(&topic, keys, given)
}

/// The topic of the offsets of source connectors.
#[must_use]
pub fn offsets(keys: &DistributedKeys, given: &Properties) -> LogSettings {
    let topic = Topic {
        name: &keys.offset_storage_topic,
        key: "offset.storage.topic",
        purpose: "source connector offsets",
        client: "offsets",
        partitions: keys.offset_storage_partitions,
        replication: keys.offset_storage_replication_factor,
    };
    settings(&topic, keys, given)
}

struct Topic<'a> {
    name: &'a str,
    key: &'static str,
    purpose: &'static str,
    /// What the ids of its clients end with.
    client: &'static str,
    partitions: i32,
    replication: i16,
}

fn settings(topic: &Topic<'_>, keys: &DistributedKeys, given: &Properties) -> LogSettings {
    let Topic { name, key, purpose, client, partitions, replication } = *topic;
    let client_id = format!("{}{client}", keys.client_id_base(given));
    LogSettings {
        topic: name.to_owned(),
        key,
        purpose,
        partitions,
        replication,
        topic_settings: topic_settings(given, key.trim_end_matches("topic")),
        single: false,
        consumer: internal_consumer_properties(given, &client_id),
        producer: internal_producer_properties(given, &client_id),
    }
}

#[cfg(test)]
mod tests {
    use landfall_api::Faults;

    use super::*;

    #[test]
    fn each_topic_is_as_its_keys_say() {
        let given = [
            ("bootstrap.servers", "k:1"),
            ("group.id", "connect"),
            ("client.id", "pod"),
            ("config.storage.topic", "c"),
            ("config.storage.replication.factor", "2"),
            ("config.storage.retention.ms", "9"),
            ("offset.storage.topic", "o"),
            ("offset.storage.partitions", "7"),
            ("status.storage.topic", "s"),
            ("status.storage.replication.factor", "-1"),
        ];
        let given: Properties = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let keys = DistributedKeys::read(&given, &mut Faults::default()).expect("valid");
        for (settings, wanted, client) in [
            (configs(&keys, &given), ("c", 1, 2, true, 1), "connect-pod-configs"),
            (offsets(&keys, &given), ("o", 7, 3, false, 0), "connect-pod-offsets"),
            (statuses(&keys, &given), ("s", 5, -1, false, 0), "connect-pod-statuses"),
        ] {
            let LogSettings { topic, partitions, replication, single, topic_settings, consumer, producer, .. } = &settings;
            assert_eq!((topic.as_str(), *partitions, *replication, *single, topic_settings.len()), wanted);
            for settings in [consumer, producer] {
                assert_eq!((&*settings.librdkafka["client.id"], &*settings.librdkafka["bootstrap.servers"]), (client, "k:1"));
            }
        }
    }
}
