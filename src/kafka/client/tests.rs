use std::collections::BTreeMap;

use landfall_api::Properties;

use super::{ConsumerSettings, KEYS, consumer_properties};

fn settings(worker: &[(&str, &str)], connector: &[(&str, &str)]) -> ConsumerSettings {
    let of = |pairs: &[(&str, &str)]| -> Properties { pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect() };
    consumer_properties(&of(worker), &of(connector), "lake", 3, 16 << 20)
}

fn overridden(connector: &[(&str, &str)]) -> ConsumerSettings {
    settings(&[], connector)
}

#[test]
fn without_a_word_the_consumer_is_javas() {
    let s = settings(&[("bootstrap.servers", "a:1,b:2"), ("client.id", "ours alone"), ("security.protocol", "SSL")], &[]);
    assert!(s.faults.is_empty() && s.warnings.is_empty(), "{s:?}");
    assert_eq!((s.max_poll_records, s.api_timeout.as_secs()), (20_000, 60));
    let expected = BTreeMap::from(
        [
            ("allow.auto.create.topics", "true"),
            ("auto.offset.reset", "earliest"),
            ("bootstrap.servers", "a:1,b:2"),
            ("check.crcs", "true"),
            ("client.id", "connector-consumer-lake-3"),
            ("connections.max.idle.ms", "540000"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.metrics.push", "true"),
            ("fetch.max.bytes", "1048576"),
            ("fetch.min.bytes", "1"),
            ("fetch.queue.backoff.ms", "10"),
            ("fetch.wait.max.ms", "500"),
            ("group.id", "connect-lake"),
            ("group.protocol", "classic"),
            ("heartbeat.interval.ms", "3000"),
            ("isolation.level", "read_uncommitted"),
            ("max.partition.fetch.bytes", "1048576"),
            ("max.poll.interval.ms", "300000"),
            ("metadata.max.age.ms", "900000"),
            ("metadata.recovery.rebootstrap.trigger.ms", "300000"),
            ("metadata.recovery.strategy", "rebootstrap"),
            ("partition.assignment.strategy", "range"),
            ("queued.max.messages.kbytes", "16384"),
            ("queued.min.messages", "20000"),
            ("reconnect.backoff.max.ms", "1000"),
            ("reconnect.backoff.ms", "50"),
            ("retry.backoff.max.ms", "1000"),
            ("retry.backoff.ms", "100"),
            ("security.protocol", "plaintext"),
            ("session.timeout.ms", "45000"),
            ("socket.connection.setup.timeout.ms", "10000"),
            ("socket.timeout.ms", "30000"),
            ("topic.metadata.refresh.interval.ms", "300000"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    assert_eq!(s.librdkafka, expected);
}

#[test]
fn the_connectors_word_counts_before_the_workers() {
    let worker = [("bootstrap.servers", "a:1"), ("consumer.bootstrap.servers", "b:2"), ("consumer.fetch.max.wait.ms", "7")];
    let s = settings(&worker, &[("consumer.override.bootstrap.servers", "c:3"), ("consumer.override.group.id", "mine")]);
    assert_eq!(s.librdkafka["bootstrap.servers"], "c:3");
    assert_eq!(s.librdkafka["fetch.wait.max.ms"], "7");
    assert_eq!(s.librdkafka["group.id"], "mine");
    assert_eq!(settings(&[], &[]).librdkafka["bootstrap.servers"], "localhost:9092");
}

/// Key, value, librdkafka's key, librdkafka's value.
const MAPPED: &[(&str, &str, &str, &str)] = &[
    ("allow.auto.create.topics", "FALSE", "allow.auto.create.topics", "false"),
    ("auto.offset.reset", "Latest", "auto.offset.reset", "latest"),
    ("check.crcs", "false", "check.crcs", "false"),
    (
        "client.dns.lookup",
        "resolve_canonical_bootstrap_servers_only",
        "client.dns.lookup",
        "resolve_canonical_bootstrap_servers_only",
    ),
    ("client.id", "me", "client.id", "me"),
    ("client.rack", "r1", "client.rack", "r1"),
    ("connections.max.idle.ms", "-1", "connections.max.idle.ms", "0"),
    ("enable.metrics.push", "false", "enable.metrics.push", "false"),
    ("fetch.max.bytes", "2000000", "fetch.max.bytes", "2000000"),
    ("fetch.max.wait.ms", " 100 ", "fetch.wait.max.ms", "100"),
    ("fetch.min.bytes", "500", "fetch.min.bytes", "500"),
    ("group.instance.id", "one", "group.instance.id", "one"),
    ("group.protocol", "CONSUMER", "group.protocol", "consumer"),
    ("heartbeat.interval.ms", "1000", "heartbeat.interval.ms", "1000"),
    ("isolation.level", "read_committed", "isolation.level", "read_committed"),
    ("max.partition.fetch.bytes", "2097152", "max.partition.fetch.bytes", "2097152"),
    ("max.poll.interval.ms", "600000", "max.poll.interval.ms", "600000"),
    ("metadata.max.age.ms", "1000", "topic.metadata.refresh.interval.ms", "1000"),
    ("metadata.recovery.rebootstrap.trigger.ms", "1", "metadata.recovery.rebootstrap.trigger.ms", "1"),
    ("metadata.recovery.strategy", "NONE", "metadata.recovery.strategy", "none"),
    (
        "partition.assignment.strategy",
        "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "partition.assignment.strategy",
        "roundrobin",
    ),
    (
        "partition.assignment.strategy",
        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        "partition.assignment.strategy",
        "cooperative-sticky",
    ),
    (
        "partition.assignment.strategy",
        "org.apache.kafka.clients.consumer.RangeAssignor, org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "partition.assignment.strategy",
        "range,roundrobin",
    ),
    ("receive.buffer.bytes", "-1", "socket.receive.buffer.bytes", "0"),
    ("reconnect.backoff.max.ms", "5000", "reconnect.backoff.max.ms", "5000"),
    ("reconnect.backoff.ms", "2000", "reconnect.backoff.max.ms", "2000"),
    ("request.timeout.ms", "40000", "socket.timeout.ms", "40000"),
    ("retry.backoff.max.ms", "3000", "retry.backoff.max.ms", "3000"),
    ("retry.backoff.ms", "200", "retry.backoff.ms", "200"),
    ("send.buffer.bytes", "131072", "socket.send.buffer.bytes", "131072"),
    ("session.timeout.ms", "10000", "session.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.ms", "20000", "socket.connection.setup.timeout.ms", "20000"),
];

#[test]
fn topics_are_looked_at_as_in_java() {
    let of = |more: &[(&str, &str)]| {
        let s = overridden(more);
        (s.exclude_internal_topics, s.metadata_max_age.as_millis(), s.faults.0.len())
    };
    assert_eq!(of(&[]), (true, 300_000, 0));
    let own = [("consumer.override.exclude.internal.topics", "False"), ("consumer.override.metadata.max.age.ms", "700")];
    assert_eq!(of(&own), (false, 700, 0));
    assert_eq!(of(&[("consumer.override.exclude.internal.topics", "no")]).2, 1);
}

#[test]
fn every_key_of_javas_is_mapped_or_warned_about() {
    for (java, value, name, expected) in MAPPED {
        let s = overridden(&[(&format!("consumer.override.{java}"), value)]);
        assert!(s.faults.is_empty() && s.warnings.is_empty(), "{java}: {s:?}");
        assert_eq!(s.librdkafka[*name], *expected, "{java}");
    }
    let elsewhere = [
        "bootstrap.servers",
        "group.id",
        "group.remote.assignor",
        "enable.auto.commit",
        "exclude.internal.topics",
        "max.poll.records",
        "default.api.timeout.ms",
    ];
    for key in KEYS.iter().filter(|key| !MAPPED.iter().any(|m| m.0 == key.java) && !elsewhere.contains(&key.java)) {
        let written = format!("consumer.override.{}", key.java);
        let s = overridden(&[(&written, "1")]);
        assert!(s.faults.is_empty(), "{written}: {s:?}");
        assert!(matches!(&s.warnings[..], [w] if w.starts_with(&written)), "{written}: {:?}", s.warnings);
    }
}

#[test]
fn what_has_no_effect_is_warned_about_by_name() {
    let s = settings(&[("consumer.frobnicate", "1")], &[("consumer.override.enable.auto.commit", "true")]);
    assert_eq!(s.warnings.len(), 2);
    assert!(s.warnings[0].starts_with("consumer.override.enable.auto.commit "), "{:?}", s.warnings);
    assert!(s.warnings[1].starts_with("consumer.frobnicate "), "{:?}", s.warnings);
    assert_eq!(s.librdkafka["enable.auto.commit"], "false");
    assert_eq!(overridden(&[("consumer.override.max.poll.records", "500")]).max_poll_records, 500);
}

/// Key as written, value, what is said.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "consumer.override.max.poll.records",
        "many",
        "Invalid value many for configuration consumer.override.max.poll.records: Not a number of type INT",
    ),
    (
        "consumer.override.max.poll.records",
        "0",
        "Invalid value 0 for configuration consumer.override.max.poll.records: Value must be at least 1",
    ),
    (
        "consumer.override.fetch.min.bytes",
        "3000000000",
        "Invalid value 3000000000 for configuration consumer.override.fetch.min.bytes: Not a number of type INT",
    ),
    (
        "consumer.override.bootstrap.servers",
        "k:9092,k",
        "Invalid value k:9092,k for configuration consumer.override.bootstrap.servers: Invalid url in bootstrap.servers: k. It must be \
         host:port",
    ),
    (
        "consumer.override.check.crcs",
        "yes",
        "Invalid value yes for configuration consumer.override.check.crcs: Expected value to be either true or false",
    ),
    (
        "consumer.override.isolation.level",
        "dirty",
        "Invalid value dirty for configuration consumer.override.isolation.level: String must be one of: read_uncommitted, read_committed",
    ),
    (
        "consumer.override.auto.offset.reset",
        "none",
        "Invalid value none for configuration consumer.override.auto.offset.reset: a sink starts at earliest or latest; none and by_duration \
         are not supported",
    ),
    (
        "consumer.override.auto.offset.reset",
        "by_duration:PT1H",
        "Invalid value by_duration:PT1H for configuration consumer.override.auto.offset.reset: a sink starts at earliest or latest; none and \
         by_duration are not supported",
    ),
    (
        "consumer.override.partition.assignment.strategy",
        "com.example.Mine",
        "Invalid value com.example.Mine for configuration consumer.override.partition.assignment.strategy: none of RangeAssignor, \
         RoundRobinAssignor and CooperativeStickyAssignor is in it",
    ),
    (
        "consumer.override.heartbeat.interval.ms",
        "60000",
        "Invalid value 60000 for configuration consumer.override.heartbeat.interval.ms: it must be below the session timeout, 45000",
    ),
    (
        "consumer.override.security.protocol",
        "TLS",
        "Invalid value TLS for configuration consumer.override.security.protocol: String must be one of (case insensitive): PLAINTEXT, \
         SASL_PLAINTEXT, SASL_SSL, SSL",
    ),
];

#[test]
fn what_is_wrong_names_the_key_as_it_was_written() {
    for (written, value, said) in REFUSED {
        let s = overridden(&[(written, value)]);
        assert_eq!(s.faults.to_string(), *said);
        assert_eq!(s.faults.0[0].key, *written);
    }
    let s = settings(&[("consumer.max.poll.interval.ms", "x")], &[]);
    assert_eq!(s.faults.0[0].key, "consumer.max.poll.interval.ms");
}

#[test]
fn numbers_that_librdkafka_wants_to_fit_fit() {
    let s = overridden(&[("consumer.override.max.poll.interval.ms", "2000")]);
    assert!(s.faults.is_empty() && s.warnings.is_empty());
    assert_eq!((&*s.librdkafka["session.timeout.ms"], &*s.librdkafka["heartbeat.interval.ms"]), ("2000", "666"));
    let s = overridden(&[("consumer.override.metadata.max.age.ms", "9223372036854775807")]);
    assert_eq!(s.librdkafka["topic.metadata.refresh.interval.ms"], "3600000");
    assert!(s.warnings[0].starts_with("consumer.override.metadata.max.age.ms=9223372036854775807 is taken as 3600000"));
    let s = overridden(&[("consumer.override.fetch.max.wait.ms", "60000")]);
    assert_eq!(s.librdkafka["socket.timeout.ms"], "62000");
}

#[test]
fn javas_default_assignors_written_out_leave_range() {
    let both = "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    let s = overridden(&[("consumer.override.partition.assignment.strategy", both)]);
    assert_eq!(s.librdkafka["partition.assignment.strategy"], "range");
    assert_eq!(s.warnings.len(), 1);
}

#[test]
fn the_new_group_protocol_takes_no_settings_of_the_old_one() {
    let s =
        overridden(&[("consumer.override.group.protocol", "consumer"), ("consumer.override.group.remote.assignor", "uniform")]);
    assert!(!s.librdkafka.contains_key("session.timeout.ms") && !s.librdkafka.contains_key("partition.assignment.strategy"));
    assert_eq!(s.librdkafka["group.remote.assignor"], "uniform");
    let s = overridden(&[("consumer.override.group.protocol", "consumer"), ("consumer.override.session.timeout.ms", "9000")]);
    assert_eq!(s.faults.0[0].key, "consumer.override.session.timeout.ms");
}

const PLAIN: &str =
    r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="al ice" password="hun\"ter22;";"#;

#[test]
fn a_login_module_gives_name_and_password() {
    let s = settings(
        &[("consumer.security.protocol", "SASL_SSL"), ("consumer.sasl.mechanism", "PLAIN"), ("consumer.sasl.jaas.config", PLAIN)],
        &[],
    );
    assert!(s.faults.is_empty(), "{s:?}");
    assert_eq!((&*s.librdkafka["sasl.username"], &*s.librdkafka["sasl.password"]), ("al ice", "hun\"ter22;"));
    assert_eq!(s.librdkafka["security.protocol"], "sasl_ssl");
    assert!(!format!("{s:?}").contains("hun"));
}

#[test]
fn what_security_cannot_do_is_refused_without_the_secret() {
    let base = [("consumer.security.protocol", "SASL_PLAINTEXT")];
    let with = |more: &[(&'static str, &'static str)]| settings(&[&base[..], more].concat(), &[]).faults.0;
    assert_eq!(with(&[])[0].key, "sasl.mechanism");
    assert_eq!(with(&[("consumer.sasl.mechanism", "PLAIN")])[0].key, "sasl.jaas.config");
    let wrong = with(&[("consumer.sasl.mechanism", "SCRAM-SHA-512"), ("consumer.sasl.jaas.config", PLAIN)]);
    assert_eq!(wrong[0].key, "consumer.sasl.jaas.config");
    assert!(!wrong[0].message.contains("hun"), "{}", wrong[0].message);
}

#[test]
fn without_tls_its_keys_are_ignored() {
    let place = ("consumer.override.ssl.truststore.location", "/ca.pem");
    assert!(overridden(&[place]).faults.is_empty());
    let tls = ("consumer.override.security.protocol", "ssl");
    assert_eq!(overridden(&[tls, place]).faults.0[0].key, "consumer.override.ssl.truststore.location");
    assert_eq!(overridden(&[tls]).librdkafka["ssl.endpoint.identification.algorithm"], "https");
    let s = overridden(&[tls, ("consumer.override.ssl.endpoint.identification.algorithm", "")]);
    assert_eq!(s.librdkafka["ssl.endpoint.identification.algorithm"], "none");
}

#[test]
fn the_admin_clients_word_counts_before_the_workers() {
    let worker = [
        ("bootstrap.servers", "a:1"),
        ("client.id", "ours"),
        ("security.protocol", "SSL"),
        ("ssl.client.auth", "required"),
        ("request.timeout.ms", "7000"),
        ("admin.request.timeout.ms", "9000"),
        ("consumer.request.timeout.ms", "11000"),
        ("admin.fetch.min.bytes", "5"),
    ];
    let s = super::admin_properties(&worker.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert!(s.faults.is_empty() && s.warnings.is_empty(), "{s:?}");
    let of = |key: &str| s.librdkafka.get(key).map(String::as_str);
    assert_eq!((of("bootstrap.servers"), of("client.id")), (Some("a:1"), Some("ours")));
    assert_eq!((of("security.protocol"), of("socket.timeout.ms")), (Some("ssl"), Some("9000")));
    assert_eq!((of("group.id"), of("fetch.min.bytes"), of("session.timeout.ms")), (None, None, None));
}
