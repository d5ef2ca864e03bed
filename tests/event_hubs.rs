//! A worker through a stand-in for Event Hubs' Kafka endpoint, and the state of a worker that is alone in a store, so that it needs no event
//! hub of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::azurite::Azurite;
use crate::support::broker::{Broker, Record};
use crate::support::event_hubs::EventHubs;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{read, secs, wait_until};

/// Connections are cut after this time, which is shorter than heartbeats are apart.
const IDLE: Duration = secs(2);

fn worker(hubs: &EventHubs, program: fn(&Path) -> Command, more: &[(&str, &str)]) -> Worker {
    let properties = hubs.properties();
    let properties: Vec<_> =
        properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(more.iter().copied()).collect();
    Worker::of(program, &hubs.bootstrap(), &properties)
}

fn standalone(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("standalone").arg(properties);
    command
}

fn distributed(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("distributed").arg(properties);
    command
}

/// A connector that lands `topic`, 50 records a file, with the settings that Event Hubs has it have.
fn connector(store: &Store, topic: &str) -> Value {
    let mut config = store.connector(topic, 50);
    let keys = config.as_object_mut().expect("an object");
    keys.retain(|key, _| !key.starts_with("consumer.override."));
    config
}

/// The ids that have landed, in order.
fn ids(store: &Store, topic: &str) -> Vec<i64> {
    let folder = store.folder(topic);
    let mut ids: Vec<_> = read::files(&folder).iter().flat_map(|file| read::integers(&folder.join(file), "id")).collect();
    ids.sort_unstable();
    ids
}

/// `count` good records for each of three partitions, from the id `first` on, and as many bad ones before the last of each as `bad` says.
fn records(first: i64, count: i64, bad: usize) -> impl Iterator<Item = (i32, Record)> {
    let good = move |n: i64| Record::value(format!(r#"{{"id":{}}}"#, first + n));
    let last = move |n: i64| n / 3 == count - 1;
    let letters = move |n: i64| if last(n) { bad } else { 0 };
    (0..count * 3).flat_map(move |n| {
        let partition = i32::try_from(n % 3).expect("a partition");
        let bad = std::iter::repeat_n((partition, Record::value("{")), letters(n));
        bad.chain([(partition, good(n))])
    })
}

#[test]
fn everything_lands_once_and_nothing_is_asked_that_event_hubs_refuse() {
    let (broker, store, topic, letters) = (Broker::shared(), Store::directory(), "hub", "hub-letters");
    broker.create_topic(topic, 3);
    broker.create_topic(letters, 1);
    let hubs = EventHubs::before(broker, IDLE);
    let mut worker = worker(&hubs, standalone, &[]);
    worker.start_again();
    let mut config = connector(&store, topic);
    with(
        &mut config,
        &json!({"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.context.headers.enable": "true"}),
    );
    // What it would refuse is refused before it is asked.
    for (key, value, why) in [
        ("consumer.override.session.timeout.ms", "3000", "Event Hubs takes 6000 to 300000 milliseconds"),
        ("producer.override.compression.type", "lz4", "Event Hubs takes none, and gzip on its Premium and Dedicated tiers"),
    ] {
        let mut bad = config.clone();
        with(&mut bad, &json!({(key): value}));
        let (status, body) = worker.post("/connectors", &json!({"name": "hub", "config": bad}));
        assert!(status == 400 && body.to_string().contains(why), "{status} {body:#}");
    }
    worker.create("hub", &config);
    for round in 0..3 {
        broker.produce_all(topic, records(round * 600, 200, 4));
        worker.await_landed(broker, "hub", topic);
        let cut = hubs.seen().cut;
        wait_until("a connection to be cut", secs(20), || (hubs.seen().cut > cut).then_some(()));
    }
    assert_eq!(ids(&store, topic), (0..1800).collect::<Vec<_>>());
    assert_eq!(broker.records(letters).len(), 3 * 3 * 4, "each letter is there once");

    // An event hub for letters has to be made by whoever may.
    with(&mut config, &json!({"errors.deadletterqueue.topic.name": "hub-missing", "topics.dir": "missing"}));
    let (status, body) = worker.post("/connectors", &json!({"name": "hub-missing", "config": config}));
    assert_eq!(status, 201, "{body:#}");
    let trace = worker.await_failure("hub-missing");
    let command = "az eventhubs eventhub create --resource-group <resource group> --namespace-name <namespace> --name hub-missing \
                   --partition-count 1";
    assert!(trace.contains(command), "{trace}");
    assert!(worker.terminate().success());
    let seen = hubs.seen();
    assert_eq!(seen.violations, [""; 0], "{seen:?}");
    assert_eq!(seen.not_made, ["hub-missing"]);
    assert!(seen.throttled > 10 && seen.commits > 3, "{seen:?}");
    let told = format!("{} is Event Hubs: unless they are given, clients have metadata.max.age.ms=180000", hubs.bootstrap());
    assert!(worker.log_text().contains(&told), "{}", worker.log_text());
}

#[test]
fn a_cluster_keeps_its_state_in_compacted_event_hubs() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "hub-cluster");
    broker.create_topic(topic, 1);
    let hubs = EventHubs::before(broker, secs(4));
    let topics = ["config", "offset", "status"].map(|store| (format!("{store}.storage.topic"), format!("hubs-{store}")));
    let mut properties = vec![("group.id", "hubs"), ("offset.storage.partitions", "1"), ("status.storage.partitions", "1")];
    properties.extend(topics.iter().map(|(key, topic)| (key.as_str(), topic.as_str())));
    let mut member = worker(&hubs, distributed, &properties);
    member.start_again();
    assert_eq!(member.await_end().code(), Some(1), "{}", member.log_text());
    let command = "--name hubs-status --partition-count 1 --cleanup-policy Compact";
    assert!(member.log_text().contains(command), "{}", member.log_text());

    topics.iter().for_each(|(_, topic)| broker.create_topic(topic, 1));
    member.start_again();
    wait_until("the worker to be healthy", secs(60), || (member.get("/health").0 == 200).then_some(()));
    broker.produce(topic, 0, (0..100).map(|n| Record::value(format!(r#"{{"id":{n}}}"#))));
    let config = connector(&store, topic);
    wait_until("the connector to be made", secs(60), || {
        let (status, body) = member.post("/connectors", &json!({"name": "hub-cluster", "config": config}));
        assert!([201, 409].contains(&status), "{status} {body:#}");
        (status == 201).then_some(())
    });
    member.await_landed(broker, "hub-cluster", topic);
    assert_eq!(ids(&store, topic), (0..100).collect::<Vec<_>>());
    assert!(member.terminate().success());
    let said = "Event Hubs do not say whether event hub hubs-config is compacted";
    assert!(member.log_text().contains(said), "{}", member.log_text());
    assert_eq!(hubs.seen().violations, [""; 0], "{:?}", hubs.seen());
}

/// A connector that is there and does little.
fn idle(topic: &str, file: &str) -> Value {
    json!({"connector.class": "FileStreamSink", "topics": topic, "file": file})
}

fn names(worker: &Worker) -> Vec<String> {
    let (status, names) = worker.get("/connectors");
    assert_eq!(status, 200, "{names:#}");
    let mut names: Vec<String> = serde_json::from_value(names).expect("names");
    names.sort();
    names
}

#[test]
fn connectors_survive_in_a_container() {
    let (broker, mut azurite, topic) = (Broker::shared(), Azurite::start(), "hub-state");
    broker.create_topic(topic, 1);
    let place = format!("{}/{}/prod", azurite.blob_endpoint(), azurite.container());
    let secret = azurite.connection_string();
    let properties = [("landfall.state", place.as_str()), ("landfall.azure.connection.string", &secret)];
    let mut first = Worker::start(&broker.bootstrap(), &properties);
    wait_until("the state to be known", secs(30), || (first.get("/connectors").0 == 200).then_some(()));
    first.create("kept", &idle(topic, "kept.txt"));
    first.create("gone", &idle(topic, "gone.txt"));
    assert_eq!(first.put("/connectors/kept/pause", &Value::Null).0, 202);
    assert_eq!(first.delete("/connectors/gone").0, 204);
    // It comes back where it was, at once.
    first.kill9();
    first.start_again();
    first.await_state("kept", "PAUSED");
    assert_eq!(names(&first), ["kept"]);

    // Another one is not let in while this one lives.
    let mut second = Worker::start(&broker.bootstrap(), &properties);
    let (status, body) = second.post("/connectors", &json!({"name": "other", "config": idle(topic, "other.txt")}));
    let waits = format!("landfall.state={place} could not be read yet: the worker waits for it");
    assert_eq!((status, body["message"].as_str()), (503, Some(waits.as_str())), "{body:#}");
    assert_eq!(second.await_end().code(), Some(1));
    let by = first.url("").trim_start_matches("http://").to_owned();
    let refused =
        format!("landfall.state={place} is held by the worker {by}, which lives: stop it, or give this worker another folder");
    assert!(second.log_text().contains(&refused), "{}", second.log_text());

    // While the store is away what runs goes on, and nothing is changed.
    azurite.stop();
    let changed = idle(topic, "changed.txt");
    let (status, body) = first.put("/connectors/kept/config", &changed);
    let text = body["message"].as_str().unwrap_or_default();
    assert!(status == 503 && text.starts_with(&format!("nothing is changed: landfall.state={place} ")), "{status} {body:#}");
    assert_eq!(first.get("/connectors/kept").1["config"]["file"], "kept.txt");
    first.kill9();
    first.start_again();
    assert_eq!((first.get("/connectors").0, first.get("/health").0), (503, 503));
    wait_until("the worker to say so", secs(20), || {
        first.log_text().contains(&format!("landfall.state={place} is away: ")).then_some(())
    });
    azurite.start_again();
    wait_until("the state to be known", secs(30), || (first.get("/connectors").0 == 200).then_some(()));
    assert_eq!(first.get("/connectors/kept").1["config"]["file"], "kept.txt");
    assert_eq!(first.put("/connectors/kept/config", &changed).0, 200);

    // One that ends in order leaves it to the next one, wherever that is.
    assert!(first.terminate().success());
    second.start_again();
    wait_until("the state to be known", secs(10), || (second.get("/connectors").0 == 200).then_some(()));
    assert_eq!(second.get("/connectors/kept").1["config"]["file"], "changed.txt");
    let logs = first.log_text() + &second.log_text();
    assert!(!logs.contains(azurite.account_key()), "{logs}");
}

#[test]
fn connectors_survive_in_a_directory_that_workers_share() {
    let (broker, topic, shared) = (Broker::shared(), "hub-directory", tempfile::tempdir().expect("a folder"));
    broker.create_topic(topic, 1);
    let place = format!("file://{}", shared.path().display());
    let mut first = Worker::start(&broker.bootstrap(), &[("landfall.state", &place)]);
    wait_until("the state to be known", secs(30), || (first.get("/connectors").0 == 200).then_some(()));
    for n in 0..5 {
        first.create(&format!("c{n}"), &idle(topic, &format!("{n}.txt")));
        first.kill9();
        first.start_again();
        wait_until("the state to be known", secs(30), || (first.get("/connectors").0 == 200).then_some(()));
        assert_eq!(names(&first), (0..=n).map(|n| format!("c{n}")).collect::<Vec<_>>());
    }
    assert!(first.terminate().success());
    let kept: Vec<PathBuf> = read::files(shared.path());
    assert!(kept.iter().all(|file| file.starts_with("_landfall/standalone")), "{kept:?}");
}

#[test]
fn what_is_missing_is_said_at_start_and_by_validate() {
    let broker = "ns.servicebus.windows.net:9093";
    let ends = |properties: &[(&str, &str)], why: &str| {
        let worker = Worker::stopped(broker, properties);
        let output = standalone(&worker.log().with_file_name("worker.properties")).output().expect("landfall");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(why), "{told}");
    };
    ends(&[], "ns.servicebus.windows.net:9093 is Event Hubs, which needs security.protocol=SASL_SSL: it is not given");
    ends(&[("landfall.event.hubs", "no")], "landfall.event.hubs");
    let both = [("landfall.event.hubs", "false"), ("landfall.state", "file:///x"), ("landfall.state.file", "y")];
    ends(&both, "landfall.state.file is given too");
    ends(&[("landfall.event.hubs", "false"), ("landfall.state", "blob://acct")], "it has no container");
    ends(&[("landfall.event.hubs", "false"), ("landfall.state", "blob://acct/state")], "landfall.azure.");
}

/// The worker of `examples/<name>`, whose listeners are those of `properties`.
fn example(name: &str, properties: &Path) -> Command {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let given = fs::read_to_string(properties).expect("worker.properties");
    let listeners = given.lines().find(|line| line.starts_with("listeners=")).expect("listeners");
    let text = fs::read_to_string(examples.join(name)).expect("an example");
    let copy = properties.with_file_name(name);
    fs::write(&copy, format!("{text}\n{listeners}\n")).expect("a copy of it");
    let mut command = standalone(&copy);
    command.env(
        "EVENT_HUBS_CONNECTION_STRING",
        "Endpoint=sb://my-namespace.servicebus.windows.net/;SharedAccessKeyName=landfall;SharedAccessKey=cHNzc3Q=",
    );
    command.env("STATE_ACCOUNT_KEY", "cHNzc3Q=").env("LAKE_ACCOUNT_KEY", "cHNzc3Q=");
    command
}

#[test]
fn the_examples_are_taken() {
    let sink = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/event-hubs-sink.json");
    let sink: Value = serde_json::from_str(&fs::read_to_string(sink).expect("an example")).expect("JSON");
    let programs: [fn(&Path) -> Command; 2] = [
        |properties| example("event-hubs-worker.properties", properties),
        |properties| example("event-hubs-entra.properties", properties),
    ];
    for program in programs {
        // There is no such namespace, and no such account.
        let mut worker = Worker::of(program, "localhost:1", &[]);
        worker.start_again();
        let mut config = sink["config"].clone();
        with(&mut config, &json!({"name": sink["name"]}));
        let (status, checked) = worker.put("/connector-plugins/AzureDataLakeSink/config/validate", &config);
        assert_eq!((status, checked["error_count"].as_u64()), (200, Some(0)), "{checked:#}");
        let (log, told) = (worker.log_text(), "my-namespace.servicebus.windows.net:9093 is Event Hubs: unless they are given");
        assert!(log.contains(told) && !log.contains("WARN") && !log.contains("cHNzc3Q="), "{log}");
    }
}
