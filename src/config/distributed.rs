//! The keys of a worker in distributed mode (`DistributedConfig` of Kafka 4.3.1).

use std::collections::BTreeMap;

use landfall_api::{Faults, Properties, Width, config};

config! {
    /// What a worker in distributed mode reads from its properties file, besides what every worker does.
    pub struct DistributedKeys {
        /// The name of the group of workers, which is a consumer group of Kafka's. Workers that have the same are a cluster. No connector may
        /// consume in a group of this name.
        group_id: String = "group.id" { required: true, importance: High, group: "Group", width: Width::Long, display: "Group ID", valid: NonEmpty };
        /// Milliseconds after which the brokers give up a worker that they hear nothing of. They allow values from
        /// `group.min.session.timeout.ms` to `group.max.session.timeout.ms`.
        session_timeout_ms: i32 = "session.timeout.ms" { default: Some("10000"), importance: High, group: "Group", width: Width::Medium, display: "Session Timeout (ms)", valid: AtLeast(1) };
        /// Milliseconds that workers have to join the group again when it changes, and to end what they are to give away.
        rebalance_timeout_ms: i32 = "rebalance.timeout.ms" { default: Some("60000"), importance: High, group: "Group", width: Width::Medium, display: "Rebalance Timeout (ms)", valid: AtLeast(1) };
        /// Milliseconds between two signs of life to the brokers. Less than `session.timeout.ms`, better a third of it.
        heartbeat_interval_ms: i32 = "heartbeat.interval.ms" { default: Some("3000"), importance: High, group: "Group", width: Width::Medium, display: "Heartbeat Interval (ms)", valid: AtLeast(1) };
        /// Whether source connectors may deliver exactly once, for which leaders write in transactions: disabled.
        exactly_once_source_support: String = "exactly.once.source.support" { default: Some("disabled"), importance: High, group: "Group", width: Width::Short, display: "Exactly Once Source Support", valid: By(no_transactions), effect: Refused };
        /// Milliseconds that a worker that is behind the others has to read what they have read. Then it leaves the group for a while.
        worker_sync_timeout_ms: i32 = "worker.sync.timeout.ms" { default: Some("3000"), group: "Group", width: Width::Medium, display: "Worker Sync Timeout (ms)", valid: AtLeast(0) };
        /// Milliseconds for which it leaves the group then, if the group's protocol is eager. With the others it is a part of
        /// `scheduled.rebalance.max.delay.ms`.
        worker_unsync_backoff_ms: i32 = "worker.unsync.backoff.ms" { default: Some("300000"), group: "Group", width: Width::Medium, display: "Worker Unsync Backoff (ms)", valid: AtLeast(0) };
        /// The topic that keeps the offsets of source connectors. Sinks keep theirs in consumer groups; but the topic is there for the other
        /// workers of the cluster.
        offset_storage_topic: String = "offset.storage.topic" { required: true, importance: High, group: "Storage", width: Width::Long, display: "Offset Topic", valid: NonEmpty };
        /// The partitions that it is made with; -1 for the brokers' own number.
        offset_storage_partitions: i32 = "offset.storage.partitions" { default: Some("25"), importance: Low, group: "Storage", width: Width::Short, display: "Partitions of the Offset Topic", valid: By(partitions) };
        /// The copies that it is made with; -1 for the brokers' own number.
        offset_storage_replication_factor: i16 = "offset.storage.replication.factor" { default: Some("3"), importance: Low, group: "Storage", width: Width::Short, display: "Replication of the Offset Topic", valid: By(replication) };
        /// The topic that keeps the configurations of connectors, secrets included. It has one partition. If it is not there, it is made, with
        /// the settings that begin with `config.storage.`.
        config_storage_topic: String = "config.storage.topic" { required: true, importance: High, group: "Storage", width: Width::Long, display: "Config Topic", valid: NonEmpty };
        /// The copies that it is made with; -1 for the brokers' own number.
        config_storage_replication_factor: i16 = "config.storage.replication.factor" { default: Some("3"), importance: Low, group: "Storage", width: Width::Short, display: "Replication of the Config Topic", valid: By(replication) };
        /// The topic that keeps what connectors and tasks are doing. If it is not there, it is made, with the settings that begin with
        /// `status.storage.`.
        status_storage_topic: String = "status.storage.topic" { required: true, importance: High, group: "Storage", width: Width::Long, display: "Status Topic", valid: NonEmpty };
        /// The partitions that it is made with; -1 for the brokers' own number.
        status_storage_partitions: i32 = "status.storage.partitions" { default: Some("5"), importance: Low, group: "Storage", width: Width::Short, display: "Partitions of the Status Topic", valid: By(partitions) };
        /// The copies that it is made with; -1 for the brokers' own number.
        status_storage_replication_factor: i16 = "status.storage.replication.factor" { default: Some("3"), importance: Low, group: "Storage", width: Width::Short, display: "Replication of the Status Topic", valid: By(replication) };
        /// What workers say to each other: eager, compatible or sessioned. The group speaks what all of them can; sessioned workers sign their
        /// requests to each other.
        connect_protocol: String = "connect.protocol" { default: Some("sessioned"), importance: Low, group: "Group", width: Width::Short, display: "Connect Protocol", valid: By(protocol) };
        /// Milliseconds for which the connectors and tasks of a worker that has left wait for it to come back, before others get them.
        scheduled_rebalance_max_delay_ms: i32 = "scheduled.rebalance.max.delay.ms" { default: Some("300000"), importance: Low, group: "Group", width: Width::Medium, display: "Scheduled Rebalance Max Delay (ms)", valid: Between(0, i32::MAX as i64) };
        /// Milliseconds after which the leader makes another key for signatures.
        inter_worker_key_ttl_ms: i32 = "inter.worker.key.ttl.ms" { default: Some("3600000"), importance: Low, group: "Signatures", width: Width::Medium, display: "Key TTL (ms)", valid: Between(0, i32::MAX as i64) };
        /// The algorithm that keys are made for: HmacSHA1, HmacSHA256, HmacSHA384 or HmacSHA512, in any case.
        inter_worker_key_generation_algorithm: String = "inter.worker.key.generation.algorithm" { default: Some("HmacSHA256"), importance: Low, group: "Signatures", width: Width::Medium, display: "Key Generation Algorithm", valid: By(algorithm) };
        /// The size of keys, in bits, at least 40. Default: that of the algorithm.
        inter_worker_key_size: Option<i32> = "inter.worker.key.size" { importance: Low, group: "Signatures", width: Width::Short, display: "Key Size", valid: By(key_size) };
        /// The algorithm of signatures, as above.
        inter_worker_signature_algorithm: String = "inter.worker.signature.algorithm" { default: Some("HmacSHA256"), importance: Low, group: "Signatures", width: Width::Medium, display: "Signature Algorithm", valid: By(algorithm) };
        /// The algorithms, separated by commas, of signatures that are believed. `inter.worker.signature.algorithm` must be one.
        inter_worker_verification_algorithms: Vec<String> = "inter.worker.verification.algorithms" { default: Some("HmacSHA256"), importance: Low, group: "Signatures", width: Width::Long, display: "Verification Algorithms", valid: By(algorithms) };
        /// Whether a worker that is told to end first has its connectors and tasks given to others, which then wait for nothing. This needs
        /// leaders of this kind; Java's take it as any worker that ends. Off by default, so that a worker that is started again at once has
        /// its work back.
        leave_hands_over: bool = "landfall.leave.hands.over" { default: Some("false"), group: "Group", width: Width::Short, display: "Leaving Hands Over" };
    }
}

/// The algorithms of signatures, as Java names them, and the bits of their keys unless `inter.worker.key.size` says it.
pub const ALGORITHMS: [(&str, u16); 4] = [("HmacSHA1", 512), ("HmacSHA256", 256), ("HmacSHA384", 384), ("HmacSHA512", 512)];

/// What is no setting of a topic although its key begins as if it were: what is said by keys of the worker's own.
const NO_TOPIC_SETTINGS: [&str; 5] = ["topic", "partitions", "replication.factor", "cleanup.policy", "file.filename"];

impl DistributedKeys {
    /// Reads the keys, and looks whether they fit together.
    pub fn read(given: &Properties, faults: &mut Faults) -> Option<Self> {
        let keys = Self::parse(given, faults)?;
        let (session, heartbeat) = (keys.session_timeout_ms, keys.heartbeat_interval_ms);
        if heartbeat >= session {
            faults.push(
                "heartbeat.interval.ms",
                format!(
                    "Invalid value {heartbeat} for configuration heartbeat.interval.ms: Heartbeat must be set lower than the session \
                     timeout ({session})"
                ),
            );
        }
        let (signature, verified) = (&keys.inter_worker_signature_algorithm, &keys.inter_worker_verification_algorithms);
        if !verified.contains(signature) {
            faults.push(
                "inter.worker.signature.algorithm",
                format!(
                    "Invalid value {signature} for configuration inter.worker.signature.algorithm: Signature algorithm must be present in \
                     inter.worker.verification.algorithms list"
                ),
            );
        }
        let topics = [
            ("config.storage.topic", &keys.config_storage_topic),
            ("offset.storage.topic", &keys.offset_storage_topic),
            ("status.storage.topic", &keys.status_storage_topic),
        ];
        for (at, (key, topic)) in topics.iter().enumerate() {
            // In Java two of them may be the same topic, whose records then are errors to each other.
            if let Some((other, _)) = topics[..at].iter().find(|(_, other)| other == topic) {
                faults.push(*key, format!("Invalid value {topic} for configuration {key}: it is the {other} already"));
            }
        }
        Some(keys)
    }

    /// The bytes of a key for signatures.
    #[must_use]
    pub fn key_bytes(&self) -> usize {
        let algorithm = &self.inter_worker_key_generation_algorithm;
        let usual = ALGORITHMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(algorithm)).map_or(256, |(_, bits)| *bits);
        let bits = self.inter_worker_key_size.and_then(|bits| usize::try_from(bits).ok()).unwrap_or(usual.into());
        bits.div_ceil(8)
    }

    /// What the ids of clients of the worker's internal topics begin with.
    #[must_use]
    pub fn client_id_base(&self, given: &Properties) -> String {
        match given.get("client.id").map(|id| id.trim()).filter(|id| !id.is_empty()) {
            Some(id) => format!("{}-{id}-", self.group_id),
            None => format!("{}-", self.group_id),
        }
    }
}

/// The settings of a topic that `given` has under `prefix`, which is `config.storage.`, `offset.storage.` or `status.storage.`.
#[must_use]
pub fn topic_settings(given: &Properties, prefix: &str) -> BTreeMap<String, String> {
    let mut settings = config::with_prefix(given, prefix);
    settings.retain(|key, _| !NO_TOPIC_SETTINGS.contains(&key.as_str()));
    settings
}

/// What the user should know of settings of topics that have no effect.
#[must_use]
pub fn topic_warnings(given: &Properties) -> Vec<String> {
    let policies = ["config.storage.", "offset.storage.", "status.storage."].map(|prefix| {
        let key = format!("{prefix}cleanup.policy");
        let policy = given.get(&key)?;
        Some(format!("Ignoring '{key}={policy}' setting, since compaction is always used"))
    });
    let partitions = given.get("config.storage.partitions");
    let partitions = partitions.map(|partitions| {
        format!("Ignoring 'config.storage.partitions={partitions}' setting, since config topic partitions is always 1")
    });
    policies.into_iter().flatten().chain(partitions).collect()
}

fn no_transactions(raw: &str) -> Result<(), String> {
    match raw.trim() {
        "disabled" => Ok(()),
        "preparing" | "enabled" => Err("source connectors do not run here, and no records are written in transactions".into()),
        _ => Err("String must be one of: disabled, preparing, enabled".into()),
    }
}

fn partitions(raw: &str) -> Result<(), String> {
    match raw.trim().parse() {
        Ok(0 | i32::MIN..=-2) => Err("Number of partitions must be positive, or -1 to use the broker's default".into()),
        // another check says what is no number
        _ => Ok(()),
    }
}

fn replication(raw: &str) -> Result<(), String> {
    match raw.trim().parse() {
        Ok(0 | i16::MIN..=-2) => Err(
            "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's \
             default"
                .into(),
        ),
        _ => Ok(()),
    }
}

fn protocol(raw: &str) -> Result<(), String> {
    let known = ["eager", "compatible", "sessioned"].iter().any(|protocol| protocol.eq_ignore_ascii_case(raw.trim()));
    if known { Ok(()) } else { Err("Invalid Connect protocol compatibility".into()) }
}

fn algorithm(raw: &str) -> Result<(), String> {
    if ALGORITHMS.iter().any(|(name, _)| name.eq_ignore_ascii_case(raw.trim())) {
        return Ok(());
    }
    let names: Vec<_> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    Err(format!("the algorithm is not supported by this worker; the supported algorithms are: [{}]", names.join(", ")))
}

fn algorithms(raw: &str) -> Result<(), String> {
    if raw.trim().is_empty() {
        return Err("At least one signature verification algorithm must be provided".into());
    }
    raw.split(',').try_for_each(algorithm)
}

fn key_size(raw: &str) -> Result<(), String> {
    match raw.trim().parse::<i32>() {
        Ok(..40) => Err("Key length must be at least 40 bits".into()),
        // A mebibyte, which nobody means.
        Ok(8_388_609..) => Err("Key length must be at most 8388608 bits".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(more: &[(&str, &str)]) -> Properties {
        let minimal = [
            ("group.id", "connect"),
            ("config.storage.topic", "configs"),
            ("offset.storage.topic", "offsets"),
            ("status.storage.topic", "statuses"),
        ];
        minimal.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn faults(more: &[(&str, &str)]) -> Vec<String> {
        let mut faults = Faults::default();
        DistributedKeys::read(&given(more), &mut faults);
        faults.0.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn a_minimal_file_has_javas_defaults() {
        let mut faults = Faults::default();
        let keys = DistributedKeys::read(&given(&[]), &mut faults).expect("valid");
        assert!(faults.is_empty());
        assert_eq!((keys.session_timeout_ms, keys.rebalance_timeout_ms, keys.heartbeat_interval_ms), (10_000, 60_000, 3_000));
        assert_eq!((keys.worker_sync_timeout_ms, keys.worker_unsync_backoff_ms), (3_000, 300_000));
        assert_eq!((keys.offset_storage_partitions, keys.status_storage_partitions), (25, 5));
        assert_eq!((keys.config_storage_replication_factor, keys.connect_protocol.as_str()), (3, "sessioned"));
        assert_eq!((keys.scheduled_rebalance_max_delay_ms, keys.inter_worker_key_ttl_ms), (300_000, 3_600_000));
        assert_eq!(keys.inter_worker_verification_algorithms, ["HmacSHA256"]);
        assert_eq!(keys.client_id_base(&given(&[])), "connect-");
        assert_eq!(keys.client_id_base(&given(&[("client.id", "pod-1")])), "connect-pod-1-");
    }

    #[test]
    fn what_is_missing_is_said_at_once() {
        let mut faults = Faults::default();
        assert!(DistributedKeys::read(&Properties::new(), &mut faults).is_none());
        let keys: Vec<_> = faults.0.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["group.id", "offset.storage.topic", "config.storage.topic", "status.storage.topic"]);
    }

    #[test]
    fn values_are_refused_in_javas_words() {
        for (key, value, why) in [
            ("heartbeat.interval.ms", "10000", "Heartbeat must be set lower than the session timeout (10000)"),
            ("session.timeout.ms", "3000", "Heartbeat must be set lower than the session timeout (3000)"),
            ("offset.storage.partitions", "0", "Number of partitions must be positive, or -1 to use the broker's default"),
            ("status.storage.partitions", "-2", "Number of partitions must be positive, or -1 to use the broker's default"),
            ("config.storage.replication.factor", "0", "Replication factor must be positive and not larger than"),
            ("connect.protocol", "default", "Invalid Connect protocol compatibility"),
            ("exactly.once.source.support", "enabled", "source connectors do not run here"),
            ("inter.worker.key.size", "39", "Key length must be at least 40 bits"),
            ("inter.worker.key.generation.algorithm", "AES", "the supported algorithms are: [HmacSHA1, HmacSHA256,"),
            ("inter.worker.signature.algorithm", "HmacSHA512", "must be present in inter.worker.verification.algorithms list"),
            ("inter.worker.verification.algorithms", "", "At least one signature verification algorithm must be provided"),
            ("inter.worker.verification.algorithms", "HmacSHA256,MD5", "the algorithm is not supported by this worker"),
            ("status.storage.topic", "configs", "it is the config.storage.topic already"),
            ("scheduled.rebalance.max.delay.ms", "-1", "Value must be at least 0"),
        ] {
            let faults = faults(&[(key, value)]);
            assert!(faults.len() == 1 && faults[0].contains(why), "{key}={value}: {faults:?}");
        }
        for (key, value) in [
            ("offset.storage.partitions", "-1"),
            ("offset.storage.replication.factor", "-1"),
            ("connect.protocol", "EAGER"),
            ("inter.worker.key.generation.algorithm", "hmacsha1"),
            ("inter.worker.verification.algorithms", "HmacSHA512, HmacSHA256"),
            ("exactly.once.source.support", "disabled"),
        ] {
            assert_eq!(faults(&[(key, value)]), Vec::<String>::new(), "{key}={value}");
        }
    }

    #[test]
    fn keys_have_the_size_of_their_algorithm() {
        for (more, bytes) in [
            (&[][..], 32),
            (&[("inter.worker.key.generation.algorithm", "HmacSHA512")], 64),
            (&[("inter.worker.key.size", "41")], 6),
        ] {
            let keys = DistributedKeys::read(&given(more), &mut Faults::default()).expect("valid");
            assert_eq!(keys.key_bytes(), bytes, "{more:?}");
        }
    }

    #[test]
    fn other_keys_of_a_storage_are_settings_of_its_topic() {
        let given = given(&[
            ("config.storage.min.insync.replicas", "2"),
            ("config.storage.replication.factor", "1"),
            ("config.storage.partitions", "9"),
            ("config.storage.cleanup.policy", "delete"),
            ("status.storage.segment.bytes", "1048576"),
        ]);
        let settings = |prefix| topic_settings(&given, prefix).into_iter().collect::<Vec<_>>();
        assert_eq!(settings("config.storage."), [("min.insync.replicas".to_owned(), "2".to_owned())]);
        assert_eq!(settings("status.storage."), [("segment.bytes".to_owned(), "1048576".to_owned())]);
        assert_eq!(settings("offset.storage."), []);
        assert_eq!(
            topic_warnings(&given),
            [
                "Ignoring 'config.storage.cleanup.policy=delete' setting, since compaction is always used",
                "Ignoring 'config.storage.partitions=9' setting, since config topic partitions is always 1",
            ]
        );
    }
}
