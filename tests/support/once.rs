//! Records that say themselves where they stand in their topic, and what has become of each of them once they have landed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::azurite::Azurite;
use super::broker::Broker;
use super::process::Process;
use super::proxy::Proxy;
use super::records::Random;
use super::store::{Store, with};
use super::{cache, read, secs};

/// What the records of a partition are spread over by chance.
const FOLDERS: u64 = 3;

/// A topic that is filled with numbered records, and the one producer that does it.
pub(crate) struct Numbered {
    topic: String,
    ends: Vec<i64>,
    random: Random,
    producer: BaseProducer,
}

impl Numbered {
    /// Creates `topic`.
    pub(crate) fn create(broker: &Broker, topic: &str, partitions: usize, seed: u64) -> Self {
        broker.create_topic(topic, i32::try_from(partitions).unwrap());
        let producer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            // Each record once and in its place, also while the broker comes and goes.
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .create()
            .expect("a producer");
        Self { topic: topic.to_owned(), ends: vec![0; partitions], random: Random::new(seed), producer }
    }

    /// Appends `records` to partitions by chance and returns when the broker has them.
    pub(crate) fn produce(&mut self, records: usize) {
        for _ in 0..records {
            let partition = self.random.below(self.ends.len() as u64);
            let folder = self.random.below(FOLDERS);
            let number = &mut self.ends[usize::try_from(partition).unwrap()];
            let value = envelope(&format!(r#"{{"partition":{partition},"number":{number},"folder":"f{folder}"}}"#));
            let mut next = BaseRecord::<(), [u8]>::to(&self.topic).partition(i32::try_from(partition).unwrap());
            next.payload = Some(value.as_bytes());
            while let Err((error, refused)) = self.producer.send(next) {
                let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                assert!(full, "produce to {}: {error}", self.topic);
                self.producer.poll(Duration::from_millis(10));
                next = refused;
            }
            *number += 1;
        }
        self.producer.flush(secs(120)).expect("flush");
    }

    /// The offsets that were produced, by partition.
    pub(crate) fn produced(&self) -> BTreeMap<i32, Range<i64>> {
        (0..).zip(&self.ends).map(|(partition, end)| (partition, 0..*end)).collect()
    }

    /// The offset after the last record, by partition.
    pub(crate) fn ends(&self) -> BTreeMap<i32, i64> {
        (0..).zip(self.ends.iter().copied()).collect()
    }
}

/// A value with its schema.
fn envelope(payload: &str) -> String {
    let field = |name: &str, kind: &str| format!(r#"{{"field":"{name}","type":"{kind}","optional":false}}"#);
    let fields = [field("partition", "int32"), field("number", "int64"), field("folder", "string")].join(",");
    format!(r#"{{"schema":{{"type":"struct","name":"numbered","optional":false,"fields":[{fields}]}},"payload":{payload}}}"#)
}

/// A connector of Confluent's class that lands numbered records, a folder for each name of theirs, `flush_size` of a partition at most
/// between two commits.
pub(crate) fn confluent(store: &Store, topic: &str, flush_size: usize) -> Value {
    let mut config = store.connector(topic, flush_size);
    with(&mut config, &numbered());
    config
}

/// The same of our own class: each folder's file ends by itself, after `flush_size` records of its own.
pub(crate) fn ours(store: &Store, topic: &str, flush_size: usize) -> Value {
    let mut config = json!({
        "connector.class": "io.landfall.azure.AzureDataLakeSink",
        "tasks.max": "1",
        "topics": topic,
        "flush.size": flush_size.to_string(),
        "consumer.override.session.timeout.ms": "3000",
        "consumer.override.heartbeat.interval.ms": "500",
    });
    with(
        &mut config,
        &match store {
            Store::Directory(folder) => json!({"store.url": format!("file://{}", folder.path().display())}),
            Store::Azurite(azurite, _) => json!({
                "store.url": format!("{}/{}", azurite.blob_endpoint(), azurite.container()),
                "landfall.azure.account.key": azurite.account_key(),
            }),
        },
    );
    with(&mut config, &numbered());
    config
}

fn numbered() -> Value {
    json!({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "landfall.columns": "__topic,__partition,__offset",
        "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
        "partition.field.name": "folder",
        // What is left at the end lands too, and so do small files in between.
        "landfall.rotate.idle.ms": "1000",
        "retry.backoff.ms": "100",
    })
}

/// Sends what a connector asks of a store through `proxy`.
pub(crate) fn through(config: &mut Value, azurite: &Azurite, proxy: &Proxy) {
    let url = config["store.url"].as_str().expect("a URL").replace(&azurite.blob_endpoint(), &proxy.endpoint());
    config["store.url"] = Value::String(url);
}

/// What has become of the records of a topic.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Landed {
    pub(crate) produced: u64,
    /// Rows in all files.
    pub(crate) landed: u64,
    /// Rows beyond the first of an offset.
    pub(crate) duplicated: u64,
    /// Offsets without a row.
    pub(crate) lost: u64,
    /// Rows that are not the record of their offset.
    pub(crate) wrong: u64,
    pub(crate) files: u64,
    /// Of what is not as it should be.
    pub(crate) examples: Vec<String>,
}

impl Landed {
    /// Whether every record has landed, and once.
    pub(crate) fn is_once(&self) -> bool {
        (self.duplicated, self.lost, self.wrong) == (0, 0, 0) && self.landed == self.produced
    }
}

/// The offsets of a topic that have to land, by partition.
pub(crate) type Produced = BTreeMap<i32, Range<i64>>;

/// What has become of the records of `topics` in all data files below `folders` whose paths match the regular expression `matching`.
pub(crate) fn landed_of(folders: &[&Path], matching: &str, topics: &BTreeMap<&str, Produced>) -> BTreeMap<String, Landed> {
    let ranges = |partitions: &Produced| -> BTreeMap<i32, [i64; 2]> {
        partitions.iter().map(|(partition, range)| (*partition, [range.start, range.end])).collect()
    };
    let topics: BTreeMap<_, _> = topics.iter().map(|(topic, partitions)| (topic, ranges(partitions))).collect();
    let question = json!({"folders": folders, "matching": matching, "topics": topics});
    serde_json::from_value(read::python("landed.py", &[&question.to_string()])).expect("an answer of landed.py")
}

/// What has become of the records of one topic in all data files below `folders`.
pub(crate) fn landed(folders: &[&Path], topic: &str, produced: Produced) -> Landed {
    landed_of(folders, "", &[(topic, produced)].into()).remove(topic).expect("an answer for the topic")
}

/// Panics unless every record of `topic` has landed once in `store`.
pub(crate) fn assert_once(store: &Store, topic: &str, produced: Produced) {
    let landed = landed(&[store.landed()], topic, produced);
    assert!(landed.is_once(), "{topic}: {landed:#?}");
}

/// A job that copies landed files by chance and removes them, all along. What it has taken is in [`Self::copies`].
#[derive(Debug)]
pub(crate) struct Downstream {
    // Before its folder: the process ends first.
    process: Option<Process>,
    folder: TempDir,
}

impl Downstream {
    pub(crate) fn start(store: &Store, seed: u64) -> Self {
        let folder = TempDir::with_prefix("landfall-downstream-").expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/downstream.py");
        let mut command = Command::new(cache("venv").join("bin/python"));
        command.arg(script).arg(seed.to_string()).arg(folder.path());
        match store {
            Store::Directory(root) => command.arg(root.path()),
            Store::Azurite(azurite, _) => command.arg(azurite.connection_string()).arg(azurite.container()),
        };
        let process = Process::spawn(&mut command, &folder.path().join("downstream.log"), folder.path()).expect("python");
        Self { process: Some(process), folder }
    }

    /// Ends it: each file is now either where it landed or in the copies.
    pub(crate) fn stop(&mut self) {
        let status = self.process.take().expect("a running job").terminate(secs(60));
        assert!(status.success(), "{}", std::fs::read_to_string(self.folder.path().join("downstream.log")).unwrap_or_default());
    }

    /// The folder of the files that were taken.
    pub(crate) fn copies(&self) -> &Path {
        self.folder.path()
    }

    /// How many files were taken so far.
    pub(crate) fn taken(&self) -> usize {
        let taken = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "parquet");
        read::files(self.copies()).iter().filter(|file| taken(file)).count()
    }
}
