use super::super::client::{
    consumer_faults, consumer_properties, dead_letter_admin_properties, internal_consumer_properties,
    internal_producer_properties, producer_properties,
};
use super::super::group::GroupSettings;
use super::*;

const PLAIN: [(&str, &str); 4] = [
    ("bootstrap.servers", "ns.servicebus.windows.net:9093"),
    ("security.protocol", "SASL_SSL"),
    ("sasl.mechanism", "PLAIN"),
    (
        "sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"$ConnectionString\" \
         password=\"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=pssst\";",
    ),
];

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A worker's properties whose clients may all speak to Event Hubs, with `more`; a value of `-` takes a key away.
fn worker(more: &[(&str, &str)]) -> Properties {
    let mut worker = Properties::new();
    for (key, value) in PLAIN {
        for prefix in ["", "consumer.", "producer."] {
            worker.insert(format!("{prefix}{key}"), value.to_owned());
        }
    }
    for (key, value) in more {
        match *value {
            "-" => drop(worker.remove(*key)),
            value => drop(worker.insert((*key).to_owned(), value.to_owned())),
        }
    }
    worker
}

fn consumer(more: &[(&str, &str)]) -> ConsumerSettings {
    consumer_properties(&worker(more), &Properties::new(), "c", 0, 1 << 20)
}

#[test]
fn namespaces_are_known_by_their_names() {
    let at =
        |servers: &str, said: &str| EventHubs::at(servers, &properties(&[(KEY, said)])).map(|hubs| hubs.namespace().to_owned());
    for servers in [
        "ns.servicebus.windows.net:9093",
        "SASL_SSL://NS.ServiceBus.Windows.Net:9093",
        "ns.privatelink.servicebus.windows.net:9093",
        "k:1, ns.servicebus.usgovcloudapi.net:9093",
        "ns.servicebus.chinacloudapi.cn:9093",
        "ns.servicebus.cloudapi.de.:9093",
    ] {
        assert_eq!(at(servers, "auto").map(|name| name.to_lowercase()), Some("ns".into()), "{servers}");
        assert_eq!(at(servers, "false"), None, "{servers}");
    }
    for servers in [
        "localhost:9092",
        "servicebus.windows.net.acme.com:9093",
        "myservicebus.windows.net:9093",
        "",
        ".servicebus.windows.net:1",
    ] {
        assert_eq!(at(servers, "auto"), None, "{servers}");
        assert_eq!(at(servers, "TRUE"), Some("<namespace>".into()), "{servers}");
    }
}

#[test]
fn each_client_has_what_is_recommended_unless_it_is_given() {
    let worker = worker(&[]);
    let none = Properties::new();
    let all = [
        consumer_properties(&worker, &none, "c", 0, 1 << 20),
        producer_properties(&worker, &none, "c", 0),
        dead_letter_admin_properties(&worker, &none, "c", 0),
        admin_properties(&worker),
        internal_consumer_properties(&worker, "i"),
        internal_producer_properties(&worker, "i"),
    ];
    for client in &all {
        assert!(client.faults.is_empty() && client.warnings.is_empty(), "{client:?}");
        for (key, value) in [
            ("topic.metadata.refresh.interval.ms", "180000"),
            ("connections.max.idle.ms", "180000"),
            ("socket.timeout.ms", "60000"),
            ("socket.keepalive.enable", "true"),
            ("security.protocol", "sasl_ssl"),
        ] {
            assert_eq!(client.librdkafka.get(key).map(String::as_str), Some(value), "{key} of {client:?}");
        }
    }
    let has = |key: &str| all.iter().map(|client| client.librdkafka.get(key).map(String::as_str)).collect::<Vec<_>>();
    assert_eq!(has("session.timeout.ms"), [Some("30000"), None, None, None, None, None]);
    assert_eq!(has("message.max.bytes"), [None, Some("1000000"), None, None, None, Some("1000000")]);
    assert_eq!(has("compression.type"), [None, Some("none"), None, None, None, Some("none")]);
    assert_eq!(has("enable.idempotence"), [None, Some("true"), None, None, None, Some("false")]);
    let given = consumer(&[("consumer.request.timeout.ms", "45000"), ("consumer.session.timeout.ms", "20000")]);
    assert_eq!((&*given.librdkafka["socket.timeout.ms"], &*given.librdkafka["session.timeout.ms"]), ("45000", "20000"));
    let elsewhere = consumer(&[(KEY, "false")]);
    assert_eq!((&*elsewhere.librdkafka["session.timeout.ms"], elsewhere.event_hubs), ("45000", None));
}

#[test]
fn a_connector_may_be_alone_with_event_hubs() {
    let worker = properties(&[("bootstrap.servers", "kafka:9092")]);
    let connector: Properties =
        PLAIN.iter().map(|(key, value)| (format!("consumer.override.{key}"), (*value).to_owned())).collect();
    let settings = consumer_properties(&worker, &connector, "c", 0, 1 << 20);
    assert!(settings.event_hubs.is_some() && settings.faults.is_empty(), "{settings:?}");
    assert_eq!(producer_properties(&worker, &connector, "c", 0).event_hubs, None);
    assert_eq!(worker_faults(&worker), Faults::default());
}

#[test]
fn the_member_of_a_group_has_it_too() {
    let worker = worker(&[("group.id", "connect")]);
    let settings = format!("{:?}", GroupSettings::read(&worker, "w:1").expect("settings"));
    assert!(settings.contains("session_timeout: 30s") && settings.contains("request_timeout: 60s"), "{settings}");
    assert!(settings.contains("max_idle: Some(180s)") && !settings.contains("pssst"), "{settings}");
    assert!(matches!(recommended(&properties(&[("bootstrap.servers", "k:1")])), Cow::Borrowed(_)));
}

#[test]
fn what_is_missing_of_security_is_said_with_its_key() {
    for (more, key, why) in [
        (
            &[("consumer.security.protocol", "-")][..],
            "consumer.override.security.protocol",
            "ns.servicebus.windows.net:9093 is Event Hubs, which needs consumer.override.security.protocol=SASL_SSL: it is not given; a \
             connector's clients do not take it from the worker's own keys: give consumer.security.protocol in the worker's properties",
        ),
        (
            &[("consumer.security.protocol", "SASL_PLAINTEXT")],
            "consumer.security.protocol",
            "which needs consumer.security.protocol=SASL_SSL: SASL_PLAINTEXT",
        ),
        (
            &[("consumer.sasl.mechanism", "-")],
            "consumer.override.sasl.mechanism",
            "=PLAIN with a connection string, or OAUTHBEARER with an identity of Entra: it is not given",
        ),
        (&[("consumer.sasl.mechanism", "SCRAM-SHA-256")], "consumer.sasl.mechanism", "Entra: SCRAM-SHA-256"),
        (&[("consumer.sasl.jaas.config", "-")], "consumer.override.sasl.jaas.config", "username=\"$ConnectionString\""),
        (
            &[("consumer.sasl.jaas.config", "a.PlainLoginModule required username=\"me\" password=\"Endpoint=sb://pssst\";")],
            "consumer.sasl.jaas.config",
            "the user of Event Hubs is $ConnectionString",
        ),
        (
            &[("consumer.sasl.jaas.config", "a.PlainLoginModule required username=\"$ConnectionString\" password=\"pssst\";")],
            "consumer.sasl.jaas.config",
            "the namespace's whole connection string, Endpoint=sb://…",
        ),
        (
            &[("consumer.bootstrap.servers", "ns.servicebus.windows.net:5671")],
            "consumer.bootstrap.servers",
            "the port of Event Hubs' Kafka endpoint is 9093",
        ),
    ] {
        let faults = consumer(more).faults;
        assert_eq!((faults.0.len(), faults.0.first().map(|fault| fault.key.as_str())), (1, Some(key)), "{more:?}: {faults}");
        assert!(faults.to_string().contains(why) && !faults.to_string().contains("pssst"), "{faults}");
        // Nobody knows what a gateway wants.
        if !more[0].1.contains("Login") && more[0].1 != "SCRAM-SHA-256" {
            let gateway =
                [more, &[(KEY, "true"), ("consumer.bootstrap.servers", "gate:1"), ("consumer.security.protocol", "-")]].concat();
            assert!(consumer(&gateway).faults.is_empty() && consumer(&gateway).event_hubs.is_some(), "{more:?}");
        }
    }
    assert_eq!(consumer_faults(&worker(&[])), Faults::default());
    let worker = |more: &[(&str, &str)]| worker_faults(&worker(more)).to_string();
    assert_eq!(worker(&[]), "");
    assert!(worker(&[("security.protocol", "-")]).contains("needs security.protocol=SASL_SSL: it is not given"));
    assert!(worker(&[("sasl.mechanism", "-")]).contains("needs sasl.mechanism=PLAIN"));
    assert!(worker(&[("group.id", &"g".repeat(257))]).contains("group.id has 257 characters, Event Hubs takes 256"));
    assert!(worker(&[("session.timeout.ms", "5999")]).contains("Invalid value 5999 for configuration session.timeout.ms"));
}

#[test]
fn what_event_hubs_refuse_is_refused_here() {
    for (more, key, why) in [
        (("consumer.session.timeout.ms", "5000"), "consumer.session.timeout.ms", "Event Hubs takes 6000 to 300000 milliseconds"),
        (("consumer.group.protocol", "consumer"), "consumer.group.protocol", "Event Hubs knows the classic protocol only"),
    ] {
        let faults = consumer(&[more]).faults;
        assert!(faults.0.iter().any(|fault| fault.key == key && fault.message.contains(why)), "{faults}");
    }
    let long = "c".repeat(249);
    let faults = consumer_properties(&worker(&[]), &Properties::new(), &long, 0, 1 << 20).faults;
    assert!(faults.0[0].key == "name" && faults.to_string().ends_with("has 257 characters, Event Hubs takes 256"), "{faults}");
    for (codec, taken) in [("none", true), ("gzip", true), ("lz4", false), ("zstd", false), ("snappy", false)] {
        let settings = producer_properties(&worker(&[("producer.compression.type", codec)]), &Properties::new(), "c", 0);
        assert_eq!((settings.faults.is_empty(), settings.warnings.len()), (taken, usize::from(codec == "gzip")), "{settings:?}");
    }
    let warned = consumer(&[("consumer.metadata.max.age.ms", "300000"), ("consumer.connections.max.idle.ms", "-1")]).warnings;
    assert!(warned.len() == 2 && warned.iter().all(|text| text.contains("silent for 240000 ms")), "{warned:?}");
    let warned = consumer(&[("consumer.request.timeout.ms", "20000")]).warnings;
    assert!(warned[0].starts_with("consumer.request.timeout.ms=20000: Event Hubs takes up to 20000 ms"), "{warned:?}");
    let warned = producer_properties(&worker(&[("producer.max.request.size", "1046528")]), &Properties::new(), "c", 0).warnings;
    assert!(warned[0].contains("give less than 1046528"), "{warned:?}");
}

#[test]
fn what_is_to_be_made_is_said_as_a_command() {
    let hubs = EventHubs::of(&worker(&[])).expect("Event Hubs");
    let command = "az eventhubs eventhub create --resource-group <resource group> --namespace-name ns --name configs";
    assert_eq!(hubs.create_command("configs", 1, true), format!("{command} --partition-count 1 --cleanup-policy Compact"));
    assert_eq!(hubs.create_command("configs", -1, false), command);
    let error = hubs.not_made(KafkaError::configuration("no"), "configs", 1, false);
    assert_eq!(
        error.message,
        format!("no; Event Hubs need not make an event hub for a Kafka client, make it with: {command} --partition-count 1")
    );
    assert!(hubs.told().starts_with(
        "ns.servicebus.windows.net:9093 is Event Hubs: unless they are given, clients have metadata.max.age.ms=180000"
    ));
}
