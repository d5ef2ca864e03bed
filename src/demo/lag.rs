//! What the connectors have not landed yet: the records behind the offsets that their groups have committed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_api::{Properties, TopicPartition};

use super::event::{TOPICS, Topic};
use super::settings::{CONNECTORS, Connector};
use crate::kafka::{Consumer, KafkaError, consumer_properties};

/// How long a group may take to say what it has stored.
const PATIENCE: Duration = Duration::from_secs(5);

/// The records of all partitions that have not landed.
pub(super) struct Lag {
    /// By topic and partition.
    topics: Vec<Vec<Waiting>>,
    /// One client of each connector's group; it joins nothing.
    groups: Vec<(Consumer, Vec<TopicPartition>)>,
    /// The number of records, for others to see.
    records: Arc<AtomicU64>,
}

/// The records of a partition that have not landed.
#[derive(Default)]
struct Waiting {
    /// The bytes of each, oldest first.
    records: VecDeque<u32>,
    bytes: usize,
    /// The offset of the oldest.
    committed: i64,
}

impl Lag {
    /// Nothing is behind yet. `worker` are the properties of the worker; `records` is kept up to date.
    pub(super) fn new(worker: &Properties, records: Arc<AtomicU64>) -> Result<Self, KafkaError> {
        let topics = TOPICS.iter().map(|topic| (0..topic.partitions).map(|_| Waiting::default()).collect()).collect();
        let group = |connector: &Connector| {
            let settings = consumer_properties(worker, &Properties::new(), connector.name, 0, 1 << 20);
            let partitions = |topic: &Topic| {
                let name: Arc<str> = topic.name.into();
                (0..topic.partitions).map(move |partition| TopicPartition { topic: name.clone(), partition })
            };
            let partitions = connector.topics.iter().flat_map(|topic| partitions(topic)).collect();
            Ok((Consumer::new(&settings)?, partitions))
        };
        Ok(Self { topics, groups: CONNECTORS.iter().map(group).collect::<Result<_, KafkaError>>()?, records })
    }

    /// The bytes of a partition that have not landed.
    pub(super) fn bytes(&self, topic: usize, partition: i32) -> usize {
        self.topics[topic][partition as usize].bytes
    }

    /// A record was sent to a partition.
    pub(super) fn sent(&mut self, topic: usize, partition: i32, bytes: usize) {
        let waiting = &mut self.topics[topic][partition as usize];
        waiting.records.push_back(bytes as u32);
        waiting.bytes += bytes;
        self.records.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of records that have not landed.
    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Asks the groups. Blocks.
    pub(super) fn look(&mut self) -> Result<(), KafkaError> {
        for (group, partitions) in &self.groups {
            for (tp, committed) in group.committed(partitions, PATIENCE)? {
                let topic = TOPICS.iter().position(|topic| *topic.name == *tp.topic);
                let waiting = topic.and_then(|topic| self.topics[topic].get_mut(tp.partition as usize));
                if let (Some(waiting), Some(committed)) = (waiting, committed) {
                    let landed = waiting.landed(committed.offset);
                    self.records.fetch_sub(landed, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}

impl Waiting {
    /// The offsets before `offset` have landed; how many that are more than before.
    fn landed(&mut self, offset: i64) -> u64 {
        let landed = usize::try_from(offset - self.committed).unwrap_or(0).min(self.records.len());
        self.bytes -= self.records.drain(..landed).map(|bytes| bytes as usize).sum::<usize>();
        self.committed += landed as i64;
        landed as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_landed_waits_no_more() {
        let mut waiting = Waiting::default();
        for bytes in [10, 20, 30] {
            waiting.records.push_back(bytes);
            waiting.bytes += bytes as usize;
        }
        assert_eq!((waiting.landed(2), waiting.bytes, waiting.committed), (2, 30, 2));
        // a commit that is read again, or a wrong one, changes nothing
        assert_eq!((waiting.landed(1), waiting.landed(2), waiting.bytes), (0, 0, 30));
        assert_eq!((waiting.landed(9), waiting.bytes, waiting.committed), (1, 0, 3));
    }
}
