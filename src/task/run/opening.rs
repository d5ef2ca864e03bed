//! How a task opens partitions, and what waits for one to open.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landfall_api::{Opening, TaskError, TopicPartition};

use super::{COMMITTED, Door, Partition, Runner, kafka};
use crate::kafka::Fetched;

/// The wait before a partition that could not be opened is tried again.
const REOPEN: Duration = Duration::from_secs(5);
/// The wait before a partition is looked at again that the sink is opening; the sink wakes the loop when it is done.
const OPENING: Duration = Duration::from_millis(1);

impl Runner {
    /// Opens the partition for records from offset `first` on, if it is not open.
    pub(super) fn open(&mut self, origin: &TopicPartition, first: i64) -> Result<Door, TaskError> {
        let Some(partition) = self.partitions.get(origin).filter(|p| p.next.is_none()) else { return Ok(Door::Open) };
        if self.unanswering.is_some_and(|until| until > Instant::now()) {
            return Ok(Door::Closed);
        }
        if partition.unsure && !self.is_member_for(origin) {
            return Ok(self.try_again(origin, REOPEN));
        }
        let opening = self.opening(origin, first);
        match self.sink.open(origin, &opening) {
            Ok(None) => Ok(self.try_again(origin, OPENING)),
            Ok(Some(opened)) => {
                self.unanswering = None;
                // What the last file shows has gone through the transforms.
                if let Some(learned) = opened.learned.filter(|_| self.chain.keeps_values()) {
                    self.converters.value.converter.recall(&origin.topic, &learned);
                }
                let Some(partition) = self.partitions.get_mut(origin) else { return Ok(Door::Closed) };
                (partition.next, partition.told, partition.landed) = (Some(opened.resume), opened.resume, opened.landed);
                if self.tolerance.letters.is_some() {
                    self.sink.told(origin, opened.resume);
                }
                if partition.began().is_some_and(|began| began <= opened.resume) || opened.resume >= first {
                    return Ok(Door::Open);
                }
                tracing::info!("{origin} is read again from offset {} on", opened.resume);
                (partition.end, partition.from, partition.retry) = (Some(opened.resume), Some(opened.resume), None);
                self.consumer.rewind(&BTreeMap::from([(origin.clone(), opened.resume)])).map_err(kafka)?;
                Ok(Door::Elsewhere)
            }
            Err(TaskError::Retriable(error)) => {
                self.metrics.retries.add(1);
                self.unanswering = Some(Instant::now() + REOPEN);
                let error = self.tolerance.provided.hide(&error.to_string());
                tracing::warn!("{origin} cannot be opened: {error}; trying again in {} s", REOPEN.as_secs());
                Ok(self.try_again(origin, REOPEN))
            }
            Err(error) => Err(error),
        }
    }

    fn try_again(&mut self, origin: &TopicPartition, after: Duration) -> Door {
        if let Some(partition) = self.partitions.get_mut(origin) {
            partition.retry = Some(Instant::now() + after);
        }
        Door::Closed
    }

    /// Whether the group says that this is still a member, where another owner of the partition was met: commits its offset once more,
    /// which does no harm.
    fn is_member_for(&mut self, origin: &TopicPartition) -> bool {
        let Some(partition) = self.partitions.get_mut(origin) else { return false };
        if let Some(committed) = &partition.committed {
            let own = BTreeMap::from([(origin.clone(), partition.stamped(committed))]);
            if let Err(error) = self.consumer.commit_within(&own, self.commit_timeout) {
                tracing::warn!("task {} may have lost {origin}: {error}", self.spec.id);
                return false;
            }
        }
        partition.unsure = false;
        true
    }

    /// What Kafka says of a partition whose first record is at `first`. Where its log begins is asked only if something is missing.
    fn opening(&self, origin: &TopicPartition, first: i64) -> Opening {
        let partition = self.partitions.get(origin);
        let missing = partition.and_then(Partition::began).is_some_and(|began| began < first);
        let log_start = missing.then(|| self.consumer.log_start(origin, COMMITTED));
        let log_start = log_start.and_then(|asked| {
            asked.inspect_err(|error| tracing::warn!("{origin}: the beginning of its log is not known: {error}")).ok()
        });
        let committed = partition.and_then(|partition| partition.committed.clone());
        Opening { committed, first, log_start, log_end: self.consumer.log_end(origin), cluster: self.consumer.cluster_id() }
    }

    pub(super) fn park(&mut self, origin: &TopicPartition, fetched: Fetched) -> Result<(), TaskError> {
        if let Some(partition) = self.partitions.get_mut(origin) {
            partition.parked.push(fetched);
            partition.retry.get_or_insert_with(Instant::now);
        }
        self.pause(std::slice::from_ref(origin), true)
    }

    /// Tries again what could not be opened or converted.
    pub(super) fn reopen(&mut self) -> Result<(), TaskError> {
        let due = |p: &Partition| p.retry.is_some_and(|at| at <= Instant::now());
        let mut due: Vec<_> = self.partitions.iter().filter(|(_, p)| due(p)).map(|(tp, p)| (p.retry, tp.clone())).collect();
        due.sort(); // who waits longest comes first, so that one that never opens does not keep the others waiting
        for (_, origin) in due {
            if self.waits {
                break;
            }
            let first = self.partitions.get(&origin).and_then(|p| p.parked.first()).map_or(0, |f| f.batch.offset.value(0));
            let door = self.open(&origin, first)?;
            let Some(partition) = self.partitions.get_mut(&origin) else { continue };
            match door {
                Door::Open => partition.retry = None,
                Door::Closed => continue,
                Door::Elsewhere => partition.parked.clear(),
            }
            let mut parked = std::mem::take(&mut partition.parked).into_iter();
            let mut left = None;
            while let (None, Some(fetched)) = (&left, parked.next()) {
                left = self.put(fetched)?;
            }
            if let Some(fetched) = left {
                if let Some(partition) = self.partitions.get_mut(&origin) {
                    partition.parked = std::iter::once(fetched).chain(parked).collect();
                }
            } else if !self.held {
                self.pause(&[origin], false)?;
            }
        }
        Ok(())
    }
}
