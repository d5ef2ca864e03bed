//! What Kafka says of partitions: where their logs begin and end, what the group has stored, which cluster and topics they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use landfall_api::{Committed, Properties, TopicId, TopicPartition};
use tokio::task::spawn_blocking;

use super::Brokers;
use super::root::{Partition, Root};
use crate::config::PropertiesFile;
use crate::kafka::{Consumer, consumer_properties};

/// How long brokers may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The cluster's id.
    pub(super) cluster: Option<String>,
    /// The ids of topics, where brokers give ids.
    pub(super) topics: BTreeMap<String, TopicId>,
    /// The logs, from their first offset to the one after the last; those that are there.
    pub(super) logs: BTreeMap<Partition, Range<i64>>,
    /// What the connector's group has stored.
    pub(super) committed: BTreeMap<Partition, Committed>,
}

impl Brokers {
    /// Asks Kafka about `partitions` if it is to be asked.
    pub(super) async fn ask(&self, root: &Root, partitions: Vec<Partition>) -> Result<Option<Said>, String> {
        let worker: Properties = match (&self.worker, &self.bootstrap) {
            (Some(path), _) => PropertiesFile::read(path).map_err(|e| e.to_string())?.properties,
            (None, Some(brokers)) => [("bootstrap.servers".to_owned(), brokers.clone())].into(),
            (None, None) => return Ok(None),
        };
        let (connector, name) = (root.properties.clone(), root.identity.connector.clone());
        let asking = spawn_blocking(move || ask(&worker, &connector, &name, &partitions));
        asking.await.map_err(|e| format!("the question to Kafka ended by a fault: {e}"))?.map(Some)
    }
}

fn ask(worker: &Properties, connector: &Properties, name: &str, partitions: &[Partition]) -> Result<Said, String> {
    // It joins no group: what it asks for needs no member.
    let settings = consumer_properties(worker, connector, name, 0, 1 << 20);
    let said = |error: crate::kafka::KafkaError| format!("Kafka: {error}");
    let consumer = Consumer::new(&settings).map_err(said)?;
    let topics: BTreeSet<_> = partitions.iter().map(|partition| partition.topic.as_str()).collect();
    let topics: Vec<_> = topics.into_iter().collect();
    let topics = consumer.topic_ids(&topics, ANSWER).map_err(said)?;
    let origins: Vec<_> = partitions.iter().map(|p| TopicPartition::new(p.topic.as_str(), p.number)).collect();
    let committed = consumer.committed(&origins, ANSWER).map_err(said)?;
    let partition = |origin: TopicPartition| Partition { topic: origin.topic.to_string(), number: origin.partition };
    let committed = committed.into_iter().filter_map(|(origin, committed)| Some((partition(origin), committed?))).collect();
    let mut logs = BTreeMap::new();
    for (partition, origin) in partitions.iter().zip(&origins) {
        match consumer.log(origin, ANSWER) {
            Ok(log) => drop(logs.insert(partition.clone(), log)),
            // UNKNOWN_TOPIC_OR_PARTITION, and librdkafka's words for the same
            Err(error) if matches!(error.code, 3 | -188 | -190) => {}
            Err(error) => return Err(format!("Kafka: {partition}: {error}")),
        }
    }
    let (cluster, begin) = (|| consumer.cluster_id(), Instant::now());
    while cluster().is_none() && begin.elapsed() < ANSWER {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Said { cluster: cluster(), topics, logs, committed })
}
