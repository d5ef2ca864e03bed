//! The topics that a cluster of workers keeps its state in: made, followed, appended to, and shared with a Java worker.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall::config::DistributedKeys;
use landfall::herder::{State, TargetState};
use landfall::kafka::{Log, LogSettings};
use landfall::state::{ConfigState, Statuses, config, status, topics};
use landfall_api::{Faults, Properties};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::support::broker::{Broker, java};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const SOON: Duration = secs(30);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What a worker says of a cluster `name`, on the broker at `bootstrap`.
fn given(bootstrap: &str, name: &str, more: &[(&str, &str)]) -> Properties {
    let mut given: Properties =
        [("bootstrap.servers".to_owned(), bootstrap.to_owned()), ("group.id".to_owned(), name.to_owned())].into();
    for kind in ["config", "offset", "status"] {
        given.insert(format!("{kind}.storage.topic"), format!("{name}-{kind}"));
        given.insert(format!("{kind}.storage.replication.factor"), "1".to_owned());
    }
    given.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    given
}

fn keys(given: &Properties) -> DistributedKeys {
    let mut faults = Faults::default();
    DistributedKeys::read(given, &mut faults).unwrap_or_else(|| panic!("{faults}"))
}

fn configs(given: &Properties) -> LogSettings {
    topics::configs(&keys(given), given)
}

fn admin(broker: &Broker) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", broker.bootstrap()).create().expect("an admin client")
}

/// A setting of a topic.
async fn setting(broker: &Broker, topic: &str, key: &str) -> Option<String> {
    let admin = admin(broker);
    let told = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await.expect("settings");
    told[0].as_ref().expect("settings").get(key).and_then(|entry| entry.value.clone())
}

/// A log with the state that it makes.
struct Followed<S> {
    log: Log,
    state: Arc<Mutex<S>>,
}

impl Followed<ConfigState> {
    async fn configs(given: &Properties) -> Self {
        let state = Arc::<Mutex<ConfigState>>::default();
        let applied = state.clone();
        let log = Log::start(configs(given), move |_, offset, key, value| {
            let key = String::from_utf8_lossy(key.unwrap_or_default());
            applied.lock().expect("not poisoned").apply(offset, &key, value);
        });
        let log = tokio::time::timeout(SOON, log).await.expect("in time").expect("a log");
        Self { log, state }
    }

    fn snapshot(&self) -> ConfigState {
        self.state.lock().expect("not poisoned").clone()
    }
}

impl Followed<Statuses> {
    async fn statuses(given: &Properties) -> Self {
        let state = Arc::<Mutex<Statuses>>::default();
        let applied = state.clone();
        let log = Log::start(topics::statuses(&keys(given), given), move |_, _, key, value| {
            applied.lock().expect("not poisoned").apply(&String::from_utf8_lossy(key.unwrap_or_default()), value);
        });
        let log = tokio::time::timeout(SOON, log).await.expect("in time").expect("a log");
        Self { log, state }
    }
}

fn submitted(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect()
}

#[test]
fn topics_are_made_compacted_and_as_their_keys_say() {
    let broker = Broker::shared();
    let given = given(
        &broker.bootstrap(),
        "made",
        &[
            ("config.storage.min.insync.replicas", "1"),
            ("config.storage.segment.bytes", "1048576"),
            ("config.storage.cleanup.policy", "delete"),
            ("config.storage.partitions", "7"),
            ("offset.storage.partitions", "3"),
        ],
    );
    runtime().block_on(async {
        let keys = keys(&given);
        Log::ensure(topics::offsets(&keys, &given)).await.expect("made");
        Log::ensure(topics::offsets(&keys, &given)).await.expect("there already");
        let configs = Followed::configs(&given).await;
        let statuses = Followed::statuses(&given).await;
        for (topic, partitions) in [("made-config", 1), ("made-offset", 3), ("made-status", 5)] {
            assert_eq!(broker.end_offsets(topic).len(), partitions, "{topic}");
            assert_eq!(setting(broker, topic, "cleanup.policy").await.as_deref(), Some("compact"), "{topic}");
        }
        assert_eq!(setting(broker, "made-config", "segment.bytes").await.as_deref(), Some("1048576"));
        configs.log.stop().await;
        statuses.log.stop().await;

        let unknown = self::given(&broker.bootstrap(), "unmade", &[("config.storage.segment.bites", "1")]);
        let error = Log::ensure(self::configs(&unknown)).await.expect_err("no such setting");
        assert!(error.to_string().contains("segment.bites"), "{error}");
    });
}

/// What is logged meanwhile.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_topic_that_loses_records_is_loudly_said_to() {
    let broker = Broker::shared();
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    runtime().block_on(async {
        let given = given(&broker.bootstrap(), "lossy", &[]);
        let both = NewTopic::new("lossy-config", 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact,delete");
        let made = admin(broker).create_topics([&both], &AdminOptions::new()).await.expect("topics");
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        Followed::configs(&given).await.log.stop().await;
    });
    let said = String::from_utf8_lossy(&said.0.lock().expect("not poisoned")).into_owned();
    let line = said.lines().find(|line| line.contains("ERROR")).unwrap_or_else(|| panic!("no error in {said}"));
    assert!(line.contains("Topic 'lossy-config' supplied via the 'config.storage.topic' property is required to have"), "{line}");
    assert!(line.contains("but found the topic currently has 'cleanup.policy=compact,delete'"), "{line}");
}

#[test]
fn two_workers_append_and_both_know() {
    let broker = Broker::shared();
    let given = given(&broker.bootstrap(), "writers", &[]);
    runtime().block_on(async {
        let (one, two) = (Followed::configs(&given).await, Followed::configs(&given).await);
        let write = |by: &'static Followed<ConfigState>, who: &'static str| async move {
            for number in 0..20 {
                let name = format!("{who}-{number}");
                by.log.append(config::records::connector(&name, &submitted(&[("name", &name)])), SOON).await.expect("written");
            }
        };
        // Leaked, so that both may write at once.
        let (one, two): (&_, &_) = (Box::leak(Box::new(one)), Box::leak(Box::new(two)));
        tokio::join!(write(one, "a"), write(two, "b"));
        let tasks: Vec<Properties> = (0..1000).map(|n| Properties::from([("n".to_owned(), n.to_string())])).collect();
        one.log.append(config::records::tasks("a-0", &tasks), SOON).await.expect("written");
        two.log.append(config::records::remove("b-0"), SOON).await.expect("written");
        one.log.read_to_end(SOON).await.expect("read");
        two.log.read_to_end(SOON).await.expect("read");
        let (one, two, late) = (one.snapshot(), two.snapshot(), Followed::configs(&given).await.snapshot());
        for state in [&one, &two, &late] {
            assert_eq!((state.offset(), state.connectors().count(), state.task_count("a-0")), (40 + 1001 + 2, 39, 1000));
            assert_eq!(state.task("a-0", 999), Some(&tasks[999]));
        }
    });
}

/// A Java leader may write in transactions, whose ends are records that nobody sees; and a topic may begin anywhere.
#[test]
fn the_end_is_reached_where_there_are_no_records() {
    let broker = Broker::shared();
    let given = given(&broker.bootstrap(), "gaps", &[]);
    runtime().block_on(async {
        let early = Followed::configs(&given).await;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            .set("transactional.id", "connect-cluster-gaps")
            .create()
            .expect("a producer");
        producer.init_transactions(SOON).expect("transactions");
        let key = config::records::connector("c", &submitted(&[])).remove(0);
        let value = key.1.unwrap_or_default();
        producer.begin_transaction().expect("begun");
        producer.send(BaseRecord::to("gaps-config").key(&key.0).payload(&value)).expect("sent");
        producer.commit_transaction(SOON).expect("committed");
        let end = || broker.end_offsets("gaps-config")[&0];
        wait_until("a record and the end of the transaction", SOON, || (end() == 2).then_some(()));
        let late = Followed::configs(&given).await;
        for state in [&early, &late] {
            state.log.read_to_end(SOON).await.expect("read");
            assert!(state.snapshot().contains("c"));
        }
        let given = self::given(&broker.bootstrap(), "gone", &[]);
        broker.create_topic("gone-config", 1);
        Followed::configs(&given).await.log.append(config::records::remove("c"), SOON).await.expect("written");
        broker.delete_records("gone-config", 0, 2);
        let empty = Followed::configs(&given).await;
        empty.log.read_to_end(SOON).await.expect("nothing to read");
        assert_eq!(empty.snapshot().offset(), -1);
    });
}

fn distributed(properties: &Path) -> Command {
    let mut java = java("java-worker", "256m", "org.apache.kafka.connect.cli.ConnectDistributed");
    java.arg(properties);
    java
}

/// What is written here is what a Java worker starts from, and what it writes is understood here, in the same partitions.
#[test]
fn a_java_worker_reads_what_is_written_and_the_other_way_round() {
    let broker = Broker::shared();
    let given = given(&broker.bootstrap(), "both", &[]);
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("out").display().to_string();
        Log::ensure(topics::offsets(&keys(&given), &given)).await.expect("made");
        let (configs, statuses) = (Followed::configs(&given).await, Followed::statuses(&given).await);
        let class = "org.apache.kafka.connect.file.FileStreamSinkConnector";
        let connector =
            [("name", "ours"), ("connector.class", class), ("topics", "both-topic"), ("file", &file), ("tasks.max", "2")];
        let initial = config::records::target("ours", TargetState::Paused);
        let made = config::records::connector("ours", &submitted(&connector));
        configs.log.append(initial.into_iter().chain(made), SOON).await.expect("written");
        let task: Properties = submitted(&connector).into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let task = task.into_iter().chain([("task.class".to_owned(), class.replace("Connector", "Task"))]).collect();
        configs.log.append(config::records::tasks("ours", &[task]), SOON).await.expect("written");
        let gone = status::StatusRecord {
            state: State::Running,
            trace: None,
            worker_id: "elsewhere:1".into(),
            generation: 0,
            version: Some("4.3.1".into()),
        };
        statuses.log.append(status::records::connector("gone", Some(&gone)), SOON).await.expect("written");
        statuses.log.append(status::records::task("ours", 0, Some(&gone)), SOON).await.expect("written");

        let more: Vec<_> = given.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let more = [&more[1..], &[("plugin.discovery", "service_load")]].concat();
        let mut worker = Worker::of(distributed, &broker.bootstrap(), &more);
        worker.start_again();
        wait_until("the Java worker to be healthy", SOON, || (worker.get("/health").0 == 200).then_some(()));
        let (_, config) = worker.get("/connectors/ours/config");
        assert_eq!(config["file"], json!(file));
        // It knows the target state, in which it leaves the tasks as they are.
        wait_until("a paused task", SOON, || {
            let (_, status) = worker.get("/connectors/ours/status");
            let tasks = status["tasks"].as_array().filter(|tasks| tasks.len() == 1)?;
            tasks.iter().chain([&status["connector"]]).all(|of| of["state"] == "PAUSED").then_some(())
        });
        assert_eq!(worker.put("/connectors/ours/stop", &json!({})).0, 204);
        let theirs = json!({"name": "theirs", "config": {"connector.class": class, "topics": "both-topic", "file": file}});
        let (code, answer) = worker.post("/connectors", &theirs);
        assert_eq!(code, 201, "{answer}");
        wait_until("a running task", SOON, || {
            (worker.get("/connectors/theirs/status").1["tasks"][0]["state"] == "RUNNING").then_some(())
        });
        assert_eq!(worker.delete("/connectors/ours").0, 204);
        wait_until("the status to be gone", SOON, || (worker.get("/connectors/ours/status").0 == 404).then_some(()));

        configs.log.read_to_end(SOON).await.expect("read");
        let state = configs.snapshot();
        assert_eq!(state.connectors().collect::<Vec<_>>(), ["theirs"]);
        assert_eq!((state.target("theirs"), state.task_count("theirs")), (Some(TargetState::Started), 1));
        assert_eq!(state.config("theirs").expect("there")["name"].as_deref(), Some("theirs"));
        assert_eq!(state.session_key().map(|key| key.key.len()), Some(32));
        wait_until("all statuses", SOON, || {
            let known = statuses.state.lock().expect("not poisoned");
            let names: Vec<_> = known.connectors().collect();
            let task = known.task("theirs", 0).map(|status| status.state);
            (names == ["theirs"] && task == Some(State::Running) && known.tasks("ours").count() == 0).then_some(())
        });
        drop(worker);

        // A key is in one partition, whoever has written it.
        let written = Arc::<Mutex<BTreeMap<String, BTreeSet<i32>>>>::default();
        let seen = written.clone();
        let log = Log::start(topics::statuses(&keys(&given), &given), move |partition, _, key, _| {
            let key = String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
            seen.lock().expect("not poisoned").entry(key).or_default().insert(partition);
        });
        log.await.expect("a log").stop().await;
        let written = written.lock().expect("not poisoned");
        assert!(written.contains_key("status-connector-gone") && written.len() >= 5, "{written:?}");
        assert!(written.values().all(|partitions| partitions.len() == 1), "{written:?}");
    });
}
