//! A real Kafka broker (KRaft, one node) on the loopback address, and the few things that tests do with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Headers, Message as _, OwnedHeaders};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use tempfile::TempDir;

use super::process::Process;
use super::{cache, free_port, secs, wait_until};

/// The most memory of a broker's heap.
const HEAP: &str = "320m";
const PATIENCE: Duration = secs(60);

/// A record to produce.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Milliseconds since the epoch; the time of producing if none.
    pub(crate) timestamp: Option<i64>,
}

impl Record {
    /// A record with this value and nothing else.
    pub(crate) fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    pub(crate) fn key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

/// A broker with its own data folder; stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    // Before its folder: the process ends first.
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    /// Listeners beyond the one for clients, by name.
    others: BTreeMap<&'static str, u16>,
    /// The most memory of its virtual machine's heap.
    heap: &'static str,
}

/// A listener beyond the one for clients.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    /// In capital letters.
    pub(crate) name: &'static str,
    /// As `SASL_PLAINTEXT`.
    pub(crate) protocol: &'static str,
    /// Its properties, without `listener.name.<name>.`.
    pub(crate) properties: Vec<(&'static str, String)>,
}

/// A broker's place in its cluster.
#[derive(Debug, Clone, Copy)]
struct Node {
    id: usize,
    /// How many brokers there are; the first one is the controller too.
    of: usize,
    /// The controller's port.
    controller: u16,
}

impl Broker {
    /// The one broker that all tests of a binary share: use topic names of your own. It ends with the process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(Self::private)
    }

    /// A broker for one test alone, which may stop it.
    pub(crate) fn private() -> Self {
        Self::with_heap(HEAP)
    }

    /// The same, with so much memory: tens of thousands of partitions take 2 GB.
    pub(crate) fn with_heap(heap: &'static str) -> Self {
        let mut broker = Self::configured(Node { id: 1, of: 1, controller: free_port() }, &[]);
        broker.heap = heap;
        broker.format(&[]);
        broker.start();
        broker
    }

    /// A broker for one test alone, with more listeners, and with users that are known to SCRAM, as
    /// `SCRAM-SHA-256=[name=…,password=…]`.
    pub(crate) fn secured(listeners: &[Listener], scram: &[&str]) -> Self {
        let mut broker = Self::configured(Node { id: 1, of: 1, controller: free_port() }, listeners);
        broker.format(scram);
        broker.start();
        broker
    }

    /// Several brokers of one cluster, for one test alone. The first one must not be stopped: it is the controller too.
    pub(crate) fn cluster(of: usize) -> Vec<Self> {
        let controller = free_port();
        let mut brokers: Vec<_> = (1..=of).map(|id| Self::configured(Node { id, of, controller }, &[])).collect();
        brokers[0].format(&[]);
        // What a format makes is small, and takes as long to make as a broker to start.
        let made = fs::read_to_string(brokers[0].folder.path().join("data/meta.properties")).expect("what format makes");
        for (other, broker) in brokers.iter().enumerate().skip(1) {
            let of_other = made.lines().map(|line| match line.split_once('=') {
                Some(("node.id", _)) => format!("node.id={}\n", other + 1),
                // 22 letters of base64: those that are replaced are not by chance those of the first one
                Some(("directory.id", id)) => format!("directory.id=Broker{other}{}\n", &id[7..]),
                _ => format!("{line}\n"),
            });
            fs::create_dir(broker.folder.path().join("data")).expect("a folder");
            fs::write(broker.folder.path().join("data/meta.properties"), of_other.collect::<String>()).expect("written");
        }
        thread::scope(|threads| {
            for broker in &mut brokers {
                threads.spawn(|| broker.start());
            }
        });
        brokers
    }

    fn configured(node: Node, listeners: &[Listener]) -> Self {
        let folder = TempDir::with_prefix("landfall-broker-").expect("a folder for the broker");
        let port = free_port();
        let others = listeners.iter().map(|listener| (listener.name, free_port())).collect();
        let properties = properties(folder.path(), node, port, listeners, &others);
        fs::write(folder.path().join("server.properties"), properties).expect("server.properties");
        Self { process: None, folder, port, others, heap: HEAP }
    }

    fn format(&self, scram: &[&str]) {
        let format = java("jars", "320m", "kafka.tools.StorageTool")
            .args(["format", "--cluster-id", "bGFuZGZhbGwtdGVzdC1pdA", "--config"])
            .arg(self.folder.path().join("server.properties"))
            .args(scram.iter().flat_map(|user| ["--add-scram", *user]))
            .output()
            .expect("java");
        assert!(format.status.success(), "format: {format:?}");
    }

    /// `host:port` of another listener.
    pub(crate) fn bootstrap_of(&self, listener: &str) -> String {
        format!("127.0.0.1:{}", self.others[listener])
    }

    /// Kills the broker at once.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("a running broker").kill();
    }

    /// `host:port` for `bootstrap.servers`.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts a broker that was stopped, on the same port with the same data.
    pub(crate) fn start(&mut self) {
        let (folder, log) = (self.folder.path(), self.log());
        let started = || fs::read_to_string(&log).unwrap_or_default().matches("Kafka Server started").count();
        let before = started();
        let properties = folder.join("server.properties");
        let mut server = java("jars", self.heap, "kafka.Kafka");
        // Where the keys of tokens are is to be said twice.
        let text = fs::read_to_string(&properties).expect("server.properties");
        if let Some((_, keys)) = text.lines().filter_map(|line| line.split_once("jwks.endpoint.url=")).next() {
            server.env("JDK_JAVA_OPTIONS", format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"));
        }
        let mut process = Process::spawn(server.arg(properties), &log, folder).expect("java");
        wait_until("the broker to start", PATIENCE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "the broker ended with {ended:?}: {}", fs::read_to_string(&log).unwrap_or_default());
            (started() > before).then_some(())
        });
        self.process = Some(process);
    }

    /// Stops the broker as an operator would; what it holds stays for [`Self::start`].
    pub(crate) fn stop(&mut self) {
        self.process.take().expect("a running broker").terminate(PATIENCE);
    }

    /// Makes the broker silent: its connections stay, and nobody answers.
    pub(crate) fn sigstop(&self) {
        self.process.as_ref().expect("a running broker").signal("STOP");
    }

    /// Lets a silent broker answer again.
    pub(crate) fn sigcont(&self) {
        self.process.as_ref().expect("a running broker").signal("CONT");
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client")
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topics(&[name.to_owned()], partitions);
    }

    /// Creates many topics with so many partitions each.
    pub(crate) fn create_topics(&self, names: &[String], partitions: i32) {
        let admin = self.admin();
        for names in names.chunks(50) {
            let topics: Vec<_> = names.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1))).collect();
            let made = block_on(admin.create_topics(&topics, &AdminOptions::new())).expect("create topics");
            assert!(made.iter().all(Result::is_ok), "create topics {names:?}: {made:?}");
        }
    }

    /// Deletes a topic and returns when nobody sees it any more.
    pub(crate) fn delete_topic(&self, name: &str) {
        let delete = || block_on(self.admin().delete_topics(&[name], &AdminOptions::new())).expect("delete topics");
        let gone = delete();
        assert!(gone.iter().all(Result::is_ok), "delete topic {name}: {gone:?}");
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let mut deleted = Instant::now();
        wait_until("the topic to be gone", PATIENCE, || {
            let all = consumer.fetch_metadata(None, PATIENCE).expect("metadata");
            let is_gone = all.topics().iter().all(|topic| topic.name() != name);
            // A client that had it may just have asked for it, by which the broker makes it again.
            if !is_gone && deleted.elapsed() > secs(3) {
                let _ = delete();
                deleted = Instant::now();
            }
            is_gone.then_some(())
        });
    }

    /// Raises the number of partitions of a topic to `partitions`.
    pub(crate) fn grow_topic(&self, name: &str, partitions: usize) {
        let grown = block_on(self.admin().create_partitions([&NewPartitions::new(name, partitions)], &AdminOptions::new()));
        assert!(grown.as_ref().is_ok_and(|all| all.iter().all(Result::is_ok)), "grow topic {name}: {grown:?}");
    }

    /// Appends `records` to one partition in their order and returns when the broker has them all.
    pub(crate) fn produce(&self, topic: &str, partition: i32, records: impl IntoIterator<Item = Record>) {
        self.produce_all(topic, records.into_iter().map(|record| (partition, record)));
    }

    /// Appends each record to the partition beside it and returns when the broker has them all.
    pub(crate) fn produce_all(&self, topic: &str, records: impl IntoIterator<Item = (i32, Record)>) {
        self.produce_with(topic, &[], records);
    }

    /// The same, with more `settings` of the producer.
    pub(crate) fn produce_with(&self, topic: &str, settings: &[(&str, &str)], records: impl IntoIterator<Item = (i32, Record)>) {
        let mut config = self.client();
        config.set("compression.type", "lz4").set("linger.ms", "5").set("queue.buffering.max.kbytes", "65536");
        config.set("enable.idempotence", "true").set("message.max.bytes", "16000000");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default()).expect("a producer");
        for (n, (partition, record)) in records.into_iter().enumerate() {
            let mut next = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
            next.key = record.key.as_deref();
            next.payload = record.value.as_deref();
            next.timestamp = record.timestamp;
            next.headers = (!record.headers.is_empty()).then(|| {
                let header = |(key, value): &(String, Vec<u8>)| (key.clone(), value.clone());
                record
                    .headers
                    .iter()
                    .map(header)
                    .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key: &key, value: Some(&value) }))
            });
            while let Err((error, refused)) = producer.send(next) {
                let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                assert!(full, "produce to {topic}: {error}");
                producer.poll(Duration::from_millis(10));
                next = refused;
            }
            if n % 1000 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(PATIENCE).expect("flush");
        let failed = producer.context().failed.load(Ordering::Relaxed);
        assert_eq!(failed, 0, "records that could not be produced to {topic}");
    }

    /// The committed offsets of a consumer group in a topic; partitions without one are left out.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut wanted = TopicPartitionList::new();
        for partition in self.partitions(&consumer, topic) {
            wanted.add_partition(topic, partition);
        }
        // A new broker first has to make the topic that holds them.
        let committed = || consumer.committed_offsets(wanted.clone(), PATIENCE).ok();
        let committed = wait_until("committed offsets", PATIENCE, committed);
        let offset = |offset| if let Offset::Offset(n) = offset { Some(n) } else { None };
        committed.elements().iter().filter_map(|e| Some((e.partition(), offset(e.offset())?))).collect()
    }

    /// Commits offsets, each with its partition and metadata, for a group that has no members just now: as Kafka's tools do, and
    /// consumers without a subscription.
    pub(crate) fn commit(&self, group: &str, topic: &str, offsets: &[(i32, i64, &str)]) {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut given = TopicPartitionList::new();
        for (partition, offset, metadata) in offsets {
            let mut element = given.add_partition(topic, *partition);
            element.set_offset(Offset::Offset(*offset)).expect("an offset");
            element.set_metadata(*metadata);
        }
        // Whoever was a member a moment ago may still be leaving.
        wait_until("a commit", PATIENCE, || consumer.commit(&given, CommitMode::Sync).ok());
    }

    /// A member of `group` that has partitions of `topic`, until it is dropped.
    pub(crate) fn join(&self, group: &str, topic: &str) -> BaseConsumer {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        wait_until("partitions", PATIENCE, || {
            consumer.poll(Duration::from_millis(50));
            consumer.assignment().is_ok_and(|assigned| assigned.count() > 0).then_some(())
        });
        consumer
    }

    /// Forgets a group that has no members just now, and with it what it has committed.
    pub(crate) fn delete_group(&self, group: &str) {
        wait_until("a group to be deleted", PATIENCE, || {
            let gone = block_on(self.admin().delete_groups(&[group], &AdminOptions::new())).expect("delete groups");
            gone.iter().all(Result::is_ok).then_some(())
        });
    }

    /// Deletes the records of a partition before the offset `first`, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, first: i64) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, Offset::Offset(first)).expect("a partition");
        let gone = block_on(self.admin().delete_records(&before, &AdminOptions::new())).expect("delete records");
        assert!(gone.elements().iter().all(|e| e.error().is_ok()), "delete records of {topic}: {gone:?}");
    }

    /// The offset after the last record, by partition.
    pub(crate) fn end_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let end = |partition| consumer.fetch_watermarks(topic, partition, PATIENCE).expect("watermarks").1;
        self.partitions(&consumer, topic).into_iter().map(|partition| (partition, end(partition))).collect()
    }

    /// Whether there is a topic of that name.
    pub(crate) fn has_topic(&self, name: &str) -> bool {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let all = consumer.fetch_metadata(None, PATIENCE).expect("metadata");
        all.topics().iter().any(|topic| topic.name() == name)
    }

    /// All records of a topic, partition by partition in their order; a header without a value is left out.
    pub(crate) fn records(&self, topic: &str) -> Vec<Record> {
        let consumer: BaseConsumer = self.client().set("group.id", "reader").create().expect("a consumer");
        let (mut from, mut left) = (TopicPartitionList::new(), 0);
        for (partition, end) in self.end_offsets(topic) {
            from.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
            left += end;
        }
        consumer.assign(&from).expect("assigned");
        let mut found = BTreeMap::new();
        wait_until(&format!("{left} records of {topic}"), PATIENCE, || {
            while let Some(message) = consumer.poll(Duration::from_millis(100)) {
                let message = message.expect("a record");
                let headers = message.headers().into_iter().flat_map(Headers::iter);
                let header = |header: Header<'_, &[u8]>| Some((header.key.to_owned(), header.value?.to_vec()));
                let record = Record {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: headers.filter_map(header).collect(),
                    timestamp: message.timestamp().to_millis(),
                };
                found.insert((message.partition(), message.offset()), record);
            }
            (found.len() as i64 >= left).then_some(())
        });
        found.into_values().collect()
    }

    /// The values of a topic's records as one text, as far as they come within `patience`.
    pub(crate) fn text_of(&self, topic: &str, patience: Duration) -> String {
        let consumer: BaseConsumer = self.client().set("group.id", "reader").create().expect("a consumer");
        let (mut text, mut from, mut ends) = (String::new(), TopicPartitionList::new(), BTreeMap::new());
        let Ok(metadata) = consumer.fetch_metadata(Some(topic), patience) else { return text };
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id) {
            let Ok((low, end)) = consumer.fetch_watermarks(topic, partition, patience) else { continue };
            if low < end {
                from.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
                ends.insert(partition, end);
            }
        }
        consumer.assign(&from).expect("assigned");
        let started = Instant::now();
        while !ends.is_empty() && started.elapsed() < patience {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            text.push_str(&String::from_utf8_lossy(message.payload().unwrap_or_default()));
            text.push('\n');
            if ends.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
                ends.remove(&message.partition());
            }
        }
        text
    }

    fn partitions(&self, consumer: &BaseConsumer, topic: &str) -> Vec<i32> {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("metadata");
        metadata.topics().iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id).collect()
    }
}

/// Counts the records that the broker did not take.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicUsize,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A virtual machine for a main class among the `jars` of the cache: small and quick to start, since it shares the machine with the
/// tests. Its clock is in UTC.
pub(crate) fn java(jars: &str, heap: &str, class: &str) -> Command {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/broker");
    let mut java = Command::new("java");
    java.args(["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Duser.timezone=UTC"])
        .arg(format!("-Xmx{heap}"))
        .arg(format!("-Dlog4j2.configurationFile={}", home.join("log4j2.properties").display()))
        .arg("-cp")
        .arg(cache(jars).join("*"))
        .arg(class);
    java
}

fn properties(folder: &Path, node: Node, port: u16, listeners: &[Listener], ports: &BTreeMap<&'static str, u16>) -> String {
    let data = folder.join("data");
    let data = data.display();
    let Node { id, of, controller } = node;
    let (roles, own) = match id {
        1 => ("broker,controller", format!(",CONTROLLER://127.0.0.1:{controller}")),
        _ => ("broker", String::new()),
    };
    let join = |item: &dyn Fn(&Listener) -> String| listeners.iter().map(item).collect::<String>();
    let others = join(&|l| format!(",{}://127.0.0.1:{}", l.name, ports[l.name]));
    let protocols = join(&|l| format!(",{}:{}", l.name, l.protocol));
    let settings = join(&|l| {
        let prefix = format!("listener.name.{}", l.name.to_ascii_lowercase());
        l.properties.iter().map(|(key, value)| format!("{prefix}.{key}={value}\n")).collect()
    });
    format!(
        "process.roles={roles}
node.id={id}
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{port}{own}{others}
advertised.listeners=CLIENT://127.0.0.1:{port}{others}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
log.retention.ms=-1
log.index.size.max.bytes=1048576
message.max.bytes=16777216
offsets.topic.num.partitions=5
offsets.topic.replication.factor={of}
transaction.state.log.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=10485760
num.network.threads=2
num.io.threads=4
{settings}"
    )
}
