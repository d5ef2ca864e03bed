//! Fetches records in a consumer group, as one batch of columns for each partition and poll.
//!
//! Every change of the group comes out of [`Consumer::poll`] as an [`Event`] and waits for its answer:
//! [`Event::Assigned`] for [`Consumer::assign`], [`Event::Revoked`] for [`Consumer::unassign`]. Until then the group stands
//! still, and a member that does not answer within `max.poll.interval.ms` is out of it. A revocation is no fence: another member
//! may own the partitions already, so ask [`Consumer::lost`] before committing, and never commit after `unassign`.

mod columns;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use landfall_api::{Committed, RawBatch, TopicId, TopicPartition};

use self::columns::{Columns, Size};
use super::raw::{self, Client, Mail, Message};
use crate::kafka::client::ConsumerSettings;
use crate::kafka::error::{KafkaError, class_of};

pub use self::columns::headers_type;

pub use super::raw::Waker;

/// The bytes after which a poll takes no more records: about what a core keeps near itself until they are converted.
const POLL_BYTES: usize = 4 << 20;

/// Where a partition is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From this offset.
    At(i64),
    /// From where `auto.offset.reset` says, because the group has no offset.
    Reset,
    /// From the first record that is there.
    Beginning,
}

impl Start {
    /// From the committed offset, or where `auto.offset.reset` says if there is none.
    #[must_use]
    pub fn from(committed: Option<&Committed>) -> Self {
        committed.map_or(Self::Reset, |c| Self::At(c.offset))
    }

    const fn offset(self) -> i64 {
        match self {
            Self::At(offset) => offset,
            Self::Reset => RD_KAFKA_OFFSET_STORED,
            Self::Beginning => RD_KAFKA_OFFSET_BEGINNING,
        }
    }
}

/// The first offset that a partition has.
const RD_KAFKA_OFFSET_BEGINNING: i64 = -2;

/// librdkafka asks the group for the offset, and falls back to `auto.offset.reset`.
const RD_KAFKA_OFFSET_STORED: i64 = -1000;

/// What one poll took of one partition.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The records; at least one.
    pub batch: RawBatch,
    /// The next offset of the partition. Higher than the last record's + 1 when control records or the records of an aborted
    /// transaction follow it, so that a batch answers for them too. A control record that comes alone, after the poll that gave
    /// the transaction's last record, is answered for by the next batch: like Java's Connect, the commit stays before it until then.
    pub end: i64,
    /// The epoch of the leader that took the last record, where brokers tell. It never falls in a log, and a log that was cut off goes on
    /// with a higher one.
    pub epoch: Option<i32>,
}

/// What one poll saw, records first: they precede the events.
#[derive(Clone, Debug, Default)]
pub struct Polled {
    /// The records, a batch for each partition. Two batches of one partition are in offset order, but for records that come again: as
    /// librdkafka may give some twice, after a rebalance.
    pub batches: Vec<Fetched>,
    /// What else happened, in order.
    pub events: Vec<Event>,
}

/// What happens to a consumer besides records.
#[derive(Clone, Debug)]
pub enum Event {
    /// The group gave these partitions. Answer with [`Consumer::assign`], also if there are none.
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions away. Answer with [`Consumer::unassign`] after what is done with them is committed.
    Revoked {
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Whether they are lost: another member may have them already, and a commit would be refused. It is what was known when
        /// the event arose; [`Consumer::lost`] is what is known now.
        lost: bool,
    },
    /// Something is wrong. Unless it [is fatal](KafkaError::is_fatal), the consumer goes on by itself.
    Error(KafkaError),
}

/// A member of a consumer group.
pub struct Consumer {
    client: Client,
    max_poll_records: usize,
    api_timeout: Duration,
    /// What was assigned, with the next offset of each.
    assignment: BTreeMap<TopicPartition, Start>,
    paused: BTreeSet<TopicPartition>,
    topics: BTreeSet<Arc<str>>,
    expected: HashMap<TopicPartition, Size>,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("assignment", &self.assignment).field("paused", &self.paused).finish_non_exhaustive()
    }
}

impl Consumer {
    /// A consumer that has joined nothing yet. Connects in the background.
    ///
    /// # Errors
    /// The settings' faults, or what librdkafka does not take.
    pub fn new(settings: &ConsumerSettings) -> Result<Self, KafkaError> {
        if !settings.faults.is_empty() {
            return Err(KafkaError::configuration(settings.faults.to_string()));
        }
        Ok(Self {
            client: Client::new(settings)?,
            max_poll_records: settings.max_poll_records.max(1),
            api_timeout: settings.api_timeout,
            assignment: BTreeMap::new(),
            paused: BTreeSet::new(),
            topics: BTreeSet::new(),
            expected: HashMap::new(),
        })
    }

    /// Joins the group for `topics`, which replace those of an earlier call; leaves it if there are none. Topics need not exist yet.
    ///
    /// # Errors
    /// If a name is empty.
    pub fn subscribe(&self, topics: &[String]) -> Result<(), KafkaError> {
        self.client.subscribe(topics)
    }

    /// Waits up to `wait` for a first record or event, then takes what has been fetched already.
    ///
    /// Errors come as events. Every call is a sign of life for `max.poll.interval.ms`: call it also while all partitions are paused.
    pub fn poll(&mut self, wait: Duration) -> Polled {
        let Self { client, max_poll_records, topics, expected, .. } = self;
        let mut taken = Taken { topics, expected, columns: Vec::new(), index: HashMap::new(), errors: Vec::new(), last: None };
        let mut bytes = 0;
        client.drain(wait, *max_poll_records, |message| {
            bytes += taken.take(message);
            bytes < POLL_BYTES
        });
        let Taken { columns, errors, .. } = taken;
        let batches = self.finish(columns, &errors);
        self.repeat(&batches);
        let mut events: Vec<Event> = self.client.mail().into_iter().filter_map(event).collect();
        events.extend(errors.into_iter().map(Event::Error));
        Polled { batches, events }
    }

    /// Has a poll's records come again, as librdkafka may, if a test asks for it.
    fn repeat(&self, batches: &[Fetched]) {
        #[cfg(feature = "failpoints")]
        fail::fail_point!("fetch::repeat", !batches.is_empty(), |_| {
            let first = batches.iter().map(|fetched| (&fetched.batch.origin, fetched.batch.offset.value(0)));
            self.client.seek(first, SEEK_TIMEOUT).expect("a seek");
        });
        let _ = batches;
    }

    /// The batches of a poll, each with the partition's next offset.
    fn finish(&mut self, columns: Vec<Columns>, errors: &[KafkaError]) -> Vec<Fetched> {
        let next = self.client.positions(columns.iter().map(|c| &c.origin));
        let mut batches: Vec<Fetched> = Vec::with_capacity(columns.len());
        for (columns, next) in columns.into_iter().zip(next) {
            let expected = self.expected.entry(columns.origin.clone()).or_default();
            *expected = columns.size().after(*expected);
            let end = columns.end();
            // an error may stand for records that could not be read: the position is after them
            let whole = !columns.continued && !errors.iter().any(|e| e.partition.as_ref() == Some(&columns.origin));
            let end = if whole { end.max(next) } else { end };
            if let Some(start) = self.assignment.get_mut(&columns.origin) {
                *start = Start::At(end);
            }
            batches.push(Fetched { epoch: columns.epoch, end, batch: columns.finish() });
        }
        batches
    }

    /// Takes what the group gave: the answer to [`Event::Assigned`]. Fetching begins at the offsets given here.
    ///
    /// # Errors
    /// If the group does not expect it.
    pub fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<(), KafkaError> {
        let list = partitions.iter().map(|(tp, start)| (tp, start.offset()));
        if self.client.is_cooperative() {
            self.client.incremental_assign(list)?;
        } else {
            self.client.assign(list)?;
            self.assignment.clear();
        }
        self.assignment.extend(partitions.iter().cloned());
        Ok(())
    }

    /// Lets go of what the group took: the answer to [`Event::Revoked`].
    ///
    /// # Errors
    /// If the group does not expect it.
    pub fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        // librdkafka remembers a pause beyond the assignment, Java does not
        let paused: Vec<TopicPartition> = partitions.iter().filter(|tp| self.paused.remove(*tp)).cloned().collect();
        if !paused.is_empty() {
            let _ = self.client.pause(&paused, false);
        }
        if self.client.is_cooperative() {
            self.client.incremental_unassign(partitions)?;
        } else {
            self.client.unassign()?;
        }
        for tp in partitions {
            self.assignment.remove(tp);
            self.expected.remove(tp);
        }
        Ok(())
    }

    /// Reads partitions from the first record that they have now; nothing of before comes out of a later poll.
    ///
    /// # Errors
    /// As [`rewind`](Self::rewind).
    pub fn begin_anew(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        self.rewind(&partitions.iter().map(|tp| (tp.clone(), RD_KAFKA_OFFSET_BEGINNING)).collect())
    }

    /// Reads partitions again from other offsets; the others go on where they are. Nothing of before comes out of a later poll.
    ///
    /// # Errors
    /// If a partition is not assigned, or the broker does not answer.
    pub fn rewind(&mut self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), KafkaError> {
        if let Some(tp) = offsets.keys().find(|tp| !self.assignment.contains_key(*tp)) {
            return Err(KafkaError::configuration(format!("cannot rewind {tp}: it is not assigned")));
        }
        for (tp, offset) in offsets {
            self.assignment.insert(tp.clone(), Start::At(*offset));
        }
        if self.client.is_cooperative() {
            self.client.seek(offsets.iter().map(|(tp, offset)| (tp, *offset)), SEEK_TIMEOUT)
        } else {
            self.client.assign(self.assignment.iter().map(|(tp, start)| (tp, start.offset())))
        }
    }

    /// Takes nothing more of `partitions` until they are [resumed](Self::resume) or revoked. The member stays in the group as long as it polls.
    ///
    /// # Errors
    /// If a partition is not assigned.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        self.client.pause(partitions, true)?;
        self.paused.extend(partitions.iter().cloned());
        Ok(())
    }

    /// Takes records of `partitions` again.
    ///
    /// # Errors
    /// If a partition is not assigned.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        self.client.pause(partitions, false)?;
        for tp in partitions {
            self.paused.remove(tp);
        }
        Ok(())
    }

    /// What is assigned, with the next offset of each partition.
    #[must_use]
    pub const fn assignment(&self) -> &BTreeMap<TopicPartition, Start> {
        &self.assignment
    }

    /// Stores offsets and metadata in the group and waits for the answer, at most `default.api.timeout.ms`.
    ///
    /// # Errors
    /// [`Class::Fenced`](crate::kafka::Class::Fenced) if the member is no longer one or the group is rebalancing: nothing is stored.
    /// After a time-out, which is retriable, it may be stored or not.
    pub fn commit(&self, offsets: &BTreeMap<TopicPartition, Committed>) -> Result<(), KafkaError> {
        self.commit_within(offsets, self.api_timeout)
    }

    /// As [`commit`](Self::commit), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_within(&self, offsets: &BTreeMap<TopicPartition, Committed>, timeout: Duration) -> Result<(), KafkaError> {
        self.commit_unless(offsets, timeout, &|| false)
    }

    /// As [`commit_within`](Self::commit_within), and does not wait any longer once `given_up` says so.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_unless(
        &self,
        offsets: &BTreeMap<TopicPartition, Committed>,
        timeout: Duration,
        given_up: &dyn Fn() -> bool,
    ) -> Result<(), KafkaError> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.client.commit(offsets.iter().map(|(tp, c)| (tp, c.offset, c.metadata.as_str())), timeout, given_up)
    }

    /// What the group has stored for each of `partitions`, in their order.
    ///
    /// # Errors
    /// If the group's coordinator does not answer within `timeout`, or refuses.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, Option<Committed>)>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self.client.committed(partitions, timeout)?;
        let stored = |e: raw::Entry| {
            let metadata = String::from_utf8_lossy(&e.metadata).into_owned();
            (e.partition, (e.offset >= 0).then_some(Committed { offset: e.offset, metadata }))
        };
        Ok(entries.into_iter().map(stored).collect())
    }

    /// Whether the assignment is lost now: another member may have it, and a commit would be refused and would delay the group.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.client.lost()
    }

    /// The generation of the group (the member's epoch with `group.protocol=consumer`); -1 outside of one.
    #[must_use]
    pub fn generation(&self) -> i32 {
        self.client.generation()
    }

    /// The member's id in the group; empty before it has joined.
    #[must_use]
    pub fn member_id(&self) -> String {
        self.client.member_id()
    }

    /// The ids of those of `topics` that exist, as far as the broker gives ids; waits for the answer up to `timeout`.
    ///
    /// # Errors
    /// If the brokers do not answer.
    pub fn topic_ids(&self, topics: &[&str], timeout: Duration) -> Result<BTreeMap<String, TopicId>, KafkaError> {
        let Some(directory) = self.client.directory() else { return Ok(BTreeMap::new()) };
        directory.ids(topics, timeout).map(|ids| ids.into_iter().collect())
    }

    /// The first offset of a partition's log, asked of its leader.
    ///
    /// # Errors
    /// If it does not answer within `timeout`.
    pub fn log_start(&self, partition: &TopicPartition, timeout: Duration) -> Result<i64, KafkaError> {
        self.log(partition, timeout).map(|log| log.start)
    }

    /// A partition's log, from its first offset to the one after its last, asked of its leader.
    ///
    /// # Errors
    /// If it does not answer within `timeout`.
    pub fn log(&self, partition: &TopicPartition, timeout: Duration) -> Result<Range<i64>, KafkaError> {
        self.client.log(partition, timeout)
    }

    /// The offset after the last one of a partition's log, as the last fetch saw it.
    #[must_use]
    pub fn log_end(&self, partition: &TopicPartition) -> Option<i64> {
        self.client.log_end(partition)
    }

    /// The id of the brokers' cluster, if one of them has told it.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        self.client.cluster_id()
    }

    pub(super) fn directory(&self) -> Option<raw::Directory> {
        self.client.directory()
    }

    /// Ends a waiting [`poll`](Self::poll) from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.client.waker()
    }

    /// Leaves the group, whatever event is unanswered. Commits nothing.
    ///
    /// # Errors
    /// If the group has not been told within `timeout`: it then finds out by `session.timeout.ms`.
    pub fn close(mut self, timeout: Duration) -> Result<(), KafkaError> {
        self.client.close(timeout)
    }
}

/// How long a seek waits for librdkafka's own threads; no broker is asked.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// What the mail means to the caller; log lines go to the log.
fn event(mail: Mail) -> Option<Event> {
    match mail {
        Mail::Assigned(partitions) => Some(Event::Assigned(partitions)),
        Mail::Revoked { partitions, lost } => Some(Event::Revoked { partitions, lost }),
        Mail::Error { code, message } => {
            let (name, _) = raw::described(code);
            Some(Event::Error(KafkaError { class: class_of(code), code, name, message, partition: None }))
        }
        Mail::Log { level, facility, message } => {
            match level {
                ..=3 => tracing::error!(target: "librdkafka", "{facility}: {message}"),
                4 => tracing::warn!(target: "librdkafka", "{facility}: {message}"),
                5 | 6 => tracing::info!(target: "librdkafka", "{facility}: {message}"),
                _ => tracing::debug!(target: "librdkafka", "{facility}: {message}"),
            }
            None
        }
    }
}

/// The records of one poll while they are sorted by partition.
struct Taken<'c> {
    topics: &'c mut BTreeSet<Arc<str>>,
    expected: &'c HashMap<TopicPartition, Size>,
    columns: Vec<Columns>,
    /// Where in `columns` a topic (by its id within this poll) and partition is filled.
    index: HashMap<(usize, i32), usize>,
    /// The partition of the message before: runs of one partition are the rule.
    last: Option<((usize, i32), usize)>,
    errors: Vec<KafkaError>,
}

impl Taken<'_> {
    /// Copies the message and gives its bytes.
    fn take(&mut self, message: Message<'_>) -> usize {
        if let Some(error) = message.error() {
            self.errors.push(error);
            return 0;
        }
        let id = (message.topic_id(), message.partition());
        let at = match self.last {
            Some((last, at)) if last == id => at,
            _ => self.index.get(&id).copied().unwrap_or_else(|| self.open(id, message)),
        };
        let full = !self.columns[at].has_room(message);
        self.columns[at].continued = full;
        let at = if full { self.open(id, message) } else { at };
        self.last = Some((id, at));
        self.columns[at].push(message)
    }

    /// Starts a batch for the message's partition.
    fn open(&mut self, id: (usize, i32), message: Message<'_>) -> usize {
        let name = String::from_utf8_lossy(message.topic());
        let topic = self.topics.get(&*name).cloned().unwrap_or_else(|| {
            let topic: Arc<str> = name.into();
            self.topics.insert(topic.clone());
            topic
        });
        let origin = TopicPartition { topic, partition: id.1 };
        let expected = self.expected.get(&origin).copied().unwrap_or_default();
        self.columns.push(Columns::new(origin, expected));
        self.index.insert(id, self.columns.len() - 1);
        self.columns.len() - 1
    }
}

#[cfg(test)]
mod tests;
