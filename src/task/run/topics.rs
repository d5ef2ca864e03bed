//! What a task does about topics that come, go and come again.
//!
//! A topic that is deleted and created again has the same name and the same offsets, and other records. Only its id tells; so the
//! id goes into each commit, and a partition whose log begins anew is not taken for one whose records have landed before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfall_api::{Committed, Offset, TaskError, TopicId, TopicPartition};

use super::{ACKNOWLEDGING, COMMITTED, PUBLISHING, Partition, Runner, kafka, part};
use crate::kafka::topics::UNKNOWN_TOPIC;
use crate::kafka::{Class, Fetched, KafkaError, Start};
use crate::task::TaskSpec;

/// What stands before the topic's id in the metadata of a commit.
const STAMP: &str = " topic=";
/// The names of topics that a line of the log has, at most.
const MOST_NAMES: usize = 20;
/// Codes that say that a topic is not what it was: OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID, _UNKNOWN_TOPIC,
/// _UNKNOWN_PARTITION, _AUTO_OFFSET_RESET.
const CHANGED: [i32; 6] = [1, 100, 103, -188, -190, -140];

/// How long brokers may take to tell the ids of topics that were assigned; the group's offsets have just been read from them.
const IDENTIFIED: Duration = Duration::from_secs(5);
/// How often they are asked again when they have not answered in time.
const TRIES: u32 = 5;

type Assigned = Vec<(TopicPartition, Start, Partition)>;

impl Partition {
    /// The offset before which nothing is to come any more.
    pub(super) fn reached(&self) -> Option<i64> {
        self.end.or_else(|| self.began())
    }

    /// The offset that it was asked to be read from, if that is known.
    pub(super) fn began(&self) -> Option<i64> {
        self.from.or_else(|| self.committed.as_ref().map(|c| c.offset))
    }

    /// `offset` with the topic's id.
    pub(super) fn stamped(&self, offset: &Offset) -> Offset {
        self.id.map_or_else(|| offset.clone(), |id| stamped(offset, id))
    }
}

impl Runner {
    /// Takes up what has become of the topics since the last look.
    pub(super) fn look(&mut self) -> Result<(), TaskError> {
        if self.unanswered.is_some() {
            return Ok(()); // a subscription would cross the answer
        }
        let looked = match self.topics.take() {
            Ok(Some(looked)) => looked,
            Ok(None) => return Ok(()),
            Err(error) if error.class == Class::Retriable => {
                self.say_once(&format!("cannot look at its topics: {error}; trying again"));
                return Ok(());
            }
            Err(error) => return Err(TaskError::Fatal(error.message)),
        };
        if self.subscribed.as_ref() != Some(&looked.topics) {
            self.subscribe(looked.topics)?;
        }
        self.look_for_missing(&looked.ids)?;
        let changed: BTreeMap<Arc<str>, TopicId> = self
            .partitions
            .iter()
            .filter_map(|(tp, p)| {
                let now = looked.ids.get(&*tp.topic).copied()?;
                p.id.is_some_and(|id| id != now).then(|| (tp.topic.clone(), now))
            })
            .collect();
        changed.iter().try_for_each(|(topic, id)| self.begin_anew(topic, *id))
    }

    /// Subscribes again when a topic that was missing is there: by itself librdkafka would see it with its next look only, after
    /// `metadata.max.age.ms`. Java's consumer asks for such a topic again and again.
    fn look_for_missing(&mut self, ids: &BTreeMap<String, TopicId>) -> Result<(), TaskError> {
        let Some(subscribed) = &self.subscribed else { return Ok(()) };
        self.missing.retain(|topic| subscribed.contains(topic));
        if self.missing.iter().any(|topic| ids.contains_key(topic)) {
            let list: Vec<String> = subscribed.iter().cloned().collect();
            self.consumer.subscribe(&list).map_err(kafka)?;
        }
        self.missing.retain(|topic| !ids.contains_key(topic));
        if !self.missing.is_empty() {
            self.topics.hurry();
        }
        Ok(())
    }

    fn subscribe(&mut self, topics: BTreeSet<String>) -> Result<(), TaskError> {
        let before = self.subscribed.take().unwrap_or_default();
        let names = |some: &mut dyn Iterator<Item = &String>| {
            let some: Vec<&str> = some.map(String::as_str).collect();
            let more = if some.len() > MOST_NAMES { ", …" } else { "" };
            format!("{}{more}", some[..some.len().min(MOST_NAMES)].join(", "))
        };
        let id = &self.spec.id;
        if topics.is_empty() {
            tracing::info!("task {id} finds no topic that matches topics.regex; it waits for one");
        } else {
            let (new, gone) = (names(&mut topics.difference(&before)), names(&mut before.difference(&topics)));
            tracing::info!("task {id} subscribes to {} topics; new: {new}; gone: {gone}", topics.len());
        }
        let list: Vec<String> = topics.iter().cloned().collect();
        self.consumer.subscribe(&list).map_err(kafka)?;
        self.subscribed = Some(topics);
        Ok(())
    }

    /// What was assigned, each partition with its topic's id, if brokers tell, and where it starts; nothing if they have to be asked again.
    pub(super) fn identified(&mut self, committed: Vec<(TopicPartition, Option<Committed>)>) -> Option<Assigned> {
        let topics: BTreeSet<&str> = committed.iter().map(|(tp, _)| &*tp.topic).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let ids = match self.consumer.topic_ids(&topics, IDENTIFIED) {
            Ok(ids) => ids,
            Err(error) if error.class == Class::Retriable && self.unidentified < TRIES => {
                self.unidentified += 1;
                tracing::warn!("task {} does not know the ids of its topics: {error}; trying again", self.spec.id);
                return None;
            }
            Err(error) => {
                tracing::warn!("task {} goes on without the ids of its topics: {error}", self.spec.id);
                BTreeMap::new()
            }
        };
        let mut assigned = Vec::new();
        for (tp, committed) in committed {
            let id = ids.get(&*tp.topic).copied();
            let (mut committed, of) = committed.map_or((None, None), |c| {
                let (committed, of) = unstamped(c);
                (Some(committed), of)
            });
            let mut start = Start::from(committed.as_ref());
            if let (Some(id), Some(of)) = (id, of)
                && id != of
            {
                tracing::warn!(
                    "the group's offset of {tp} is of topic {of}, and the topic is now {id}; it is read from its beginning"
                );
                (committed, start) = (None, Start::Beginning);
            }
            // where brokers do not tell, the next look does
            let id = id.or(of);
            if let Some(id) = id {
                self.sink.identify(&tp.topic, id);
            }
            assigned.push((tp, start, Partition { id, committed, ..Partition::default() }));
        }
        Some(assigned)
    }

    /// Where partitions are read from that the group has no offset of, as far as the sink knows.
    pub(super) fn started(&mut self, assigned: &mut Assigned) -> Result<(), TaskError> {
        let open = |(tp, start, _): &(TopicPartition, Start, Partition)| (*start == Start::Reset).then(|| tp.clone());
        let unknown: Vec<_> = assigned.iter().filter_map(open).collect();
        let starts = if unknown.is_empty() { BTreeMap::new() } else { self.sink.starts(&unknown)? };
        for (tp, start, partition) in assigned {
            if let Some(from) = starts.get(tp) {
                (*start, partition.from) = (Start::At(*from), Some(*from));
            }
        }
        Ok(())
    }

    /// Looks at the topics soon, if `error` says that one has changed.
    pub(super) fn hurry_for(&mut self, error: &KafkaError) {
        if let (UNKNOWN_TOPIC, Some(tp)) = (error.code, &error.partition)
            && !self.partitions.keys().any(|known| known.topic == tp.topic)
        {
            self.missing.insert(tp.topic.to_string());
        }
        if error.code == UNKNOWN_TOPIC || CHANGED.contains(&error.code) {
            self.topics.hurry();
        }
    }

    /// A record came from before what was read: either the topic is another one, or its log was cut off, or librdkafka gives the same
    /// records twice, as it may after a rebalance; whether it is that.
    pub(super) fn went_back(&mut self, origin: &TopicPartition, reached: i64, fetched: &Fetched) -> Result<bool, TaskError> {
        let (before, epoch) = self.partitions.get(origin).map_or((None, None), |p| (p.id, p.epoch));
        let first = fetched.batch.offset.value(0);
        let now = self.consumer.topic_ids(&[&origin.topic], COMMITTED).map_err(kafka)?.get(&*origin.topic).copied();
        match now {
            Some(now) if before.is_some_and(|before| before != now) => self.begin_anew(&origin.topic, now).map(|()| false),
            // A log is cut off by a new leader, and what is written behind the cut has its epoch: none of these were.
            Some(_) if before.is_some() && fetched.epoch.is_some() && fetched.epoch <= epoch => {
                tracing::warn!("{origin} comes again from offset {first} on, up to {reached}; what was read before is left out");
                Ok(true)
            }
            _ => Err(TaskError::Fatal(format!(
                "{origin} goes on with offset {first} after it was read up to {reached}: its log was cut off, or the topic was \
                 deleted and created again where no topic id tells; to read it from its beginning, move its files away and reset \
                 the offsets of group {}",
                self.group()
            ))),
        }
    }

    fn group(&self) -> String {
        group(&self.spec)
    }

    /// Goes over to the topic that has taken the place of one that was deleted.
    fn begin_anew(&mut self, topic: &Arc<str>, id: TopicId) -> Result<(), TaskError> {
        tracing::warn!("topic {topic} was deleted and created again, its id is now {id}; it is read from its beginning");
        let partitions: Vec<_> = self.partitions.keys().filter(|tp| tp.topic == *topic).cloned().collect();
        // Nor can what letters are owed of be read again, nor what is not visible yet.
        if let Some(letters) = &mut self.tolerance.letters
            && !letters.flush(part(self.graceful, ACKNOWLEDGING))?
        {
            tracing::warn!("task {}: not all dead letters of {topic} were acknowledged", self.spec.id);
        }
        self.tell();
        // The offsets are the old topic's: committed, they would hide new records.
        if let Err(error) = self.sink.close(&partitions, false, part(self.graceful, PUBLISHING - ACKNOWLEDGING)) {
            tracing::warn!("task {}: {error}", self.spec.id);
        }
        self.forget(&partitions);
        for tp in &partitions {
            self.partitions.insert(tp.clone(), Partition { id: Some(id), ..Partition::default() });
        }
        self.sink.identify(topic, id);
        self.consumer.begin_anew(&partitions).map_err(kafka)?;
        if self.held { Ok(()) } else { self.pause(&partitions, false) }
    }

    /// What waits to be committed, with the topics' ids.
    pub(super) fn stamped(&self) -> BTreeMap<TopicPartition, Offset> {
        let stamp = |tp, offset: &Offset| self.partitions.get(tp).map_or_else(|| offset.clone(), |p| p.stamped(offset));
        self.uncommitted.iter().map(|(tp, offset)| (tp.clone(), stamp(tp, offset))).collect()
    }

    fn say_once(&mut self, text: &str) {
        if self.last_error.as_deref() != Some(text) {
            tracing::warn!("task {} {text}", self.spec.id);
            self.last_error = Some(text.to_owned());
        }
    }
}

/// The consumer group of a task.
pub(super) fn group(spec: &TaskSpec) -> String {
    let given = spec.properties.get("consumer.override.group.id");
    given.cloned().unwrap_or_else(|| format!("connect-{}", spec.id.connector))
}

fn stamped(offset: &Offset, id: TopicId) -> Offset {
    Offset { metadata: format!("{}{STAMP}{id}", offset.metadata), ..offset.clone() }
}

/// What the sink gave, and the id of the topic that it was given for.
fn unstamped(committed: Committed) -> (Committed, Option<TopicId>) {
    let stamp = committed.metadata.rsplit_once(STAMP).and_then(|(metadata, id)| Some((metadata.to_owned(), id.parse().ok()?)));
    match stamp {
        Some((metadata, id)) => (Committed { metadata, ..committed }, Some(id)),
        None => (committed, None),
    }
}

#[cfg(test)]
mod tests {
    use landfall_lake::commit::offsets::Offsets;
    use landfall_lake::commit::pointer::{Identity, Pointer, Writer};
    use landfall_lake::commit::start::token;

    use super::*;

    #[test]
    fn the_metadata_of_a_commit_are_short() {
        let pointer = Pointer {
            identity: Identity { connector: "c".repeat(250), group: "g".repeat(256), kafka_cluster_id: "k".repeat(22) },
            topic_id: None,
            incarnation: u32::MAX,
            epoch: u64::MAX,
            seq: u64::MAX,
            owner: Writer::default(),
            landed: Offsets::default(),
            pending: Vec::new(),
            published: true,
            obeyed: None,
        };
        let longest = Offset { offset: i64::MAX, metadata: token(&pointer) };
        let id = TopicId::new(u128::MAX).expect("an id");
        // Event Hubs keeps 1024 bytes, Kafka 4096 unless it is told otherwise.
        assert_eq!(stamped(&longest, id).metadata.len(), 85);
    }

    #[test]
    fn a_commit_says_which_topic_it_is_of() {
        let id = TopicId::new(77).expect("an id");
        for metadata in ["", "lf0:12", "lf0:12 in=a topic=b"] {
            let offset = Offset { offset: 20, metadata: metadata.into() };
            assert_eq!(unstamped(stamped(&offset, id)), (offset.clone(), Some(id)));
            assert_eq!(unstamped(offset.clone()), (offset, None));
        }
    }
}
