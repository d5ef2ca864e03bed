//! Looks again and again which topics a consumer is to have, as Java's does with each update of its metadata
//! (`ConsumerCoordinator` of Kafka 4.3.1), without holding up who asks.
//!
//! librdkafka has regular expressions of its own, which are C's and not Java's, so topics are matched here and subscribed by name.
//! Members of a group look at different times, and each subscribes to what it has seen. That is fine with the assignors that
//! there are: a topic is only given to members that subscribe to it, and each new subscription lets the group share out again,
//! so that after the last member has seen a topic all share it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant};

use landfall_api::{Properties, TopicId};
use tokio::runtime::Handle;

use super::client::ConsumerSettings;
use super::error::KafkaError;
use super::fetch::Consumer;
use super::pattern::Pattern;
use super::raw::{Directory, Waker};

/// Kafka's own topics (`org.apache.kafka.common.internals.Topic`), which the brokers mark as internal.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
/// How long brokers may take to answer. It holds nothing up.
const ANSWER: Duration = Duration::from_secs(30);
/// The wait between two looks at least, also after one that failed.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// The wait after a look that failed, and before one that is asked for.
const SOON: Duration = Duration::from_secs(1);

/// Which topics are wanted.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// These (`topics`).
    Named(Vec<String>),
    /// Those whose whole names match (`topics.regex`).
    Matching(Pattern),
}

impl Wanted {
    /// What a sink's `topics`, or else its `topics.regex`, asks for.
    ///
    /// # Errors
    /// The regular expression is none.
    pub fn of(properties: &Properties) -> Result<Self, String> {
        let topics = properties.get("topics").map_or("", |topics| topics.trim());
        if !topics.is_empty() {
            return Ok(Self::Named(topics.split(',').map(|topic| topic.trim().to_owned()).collect()));
        }
        let regex = properties.get("topics.regex").map_or("", String::as_str);
        Pattern::compile(regex).map(Self::Matching).map_err(|why| format!("topics.regex: Invalid regex: {why}"))
    }

    /// Makes settings fit. Topics that match are subscribed by name here and not in Java: to ask for one that was just deleted must
    /// not create it again.
    pub fn adapt(&self, settings: &mut ConsumerSettings) {
        if matches!(self, Self::Matching(_)) {
            settings.set("allow.auto.create.topics", "false");
        }
    }
}

/// What a look has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The topics to subscribe to.
    pub topics: BTreeSet<String>,
    /// The ids of those that exist, as far as the broker gives ids.
    pub ids: BTreeMap<String, TopicId>,
}

/// Looks at the topics that a consumer is to have.
pub struct Topics {
    wanted: Wanted,
    exclude_internal: bool,
    every: Duration,
    directory: Option<Directory>,
    waker: Waker,
    runtime: Handle,
    /// What was subscribed to last.
    known: BTreeSet<String>,
    next: Instant,
    under_way: Option<mpsc::Receiver<Result<Looked, KafkaError>>>,
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics").field("wanted", &self.wanted).field("known", &self.known).finish_non_exhaustive()
    }
}

impl Topics {
    /// Looks at what `consumer` is to have, for the first time when first [taken](Self::take). Its poll ends early for a result.
    #[must_use]
    pub fn new(wanted: Wanted, consumer: &Consumer, settings: &ConsumerSettings, runtime: Handle) -> Self {
        Self {
            wanted,
            exclude_internal: settings.exclude_internal_topics,
            every: settings.metadata_max_age.max(LEAST_WAIT),
            directory: consumer.directory(),
            waker: consumer.waker(),
            runtime,
            known: BTreeSet::new(),
            next: Instant::now(),
            under_way: None,
        }
    }

    /// Looks again soon: something is the matter with a topic.
    pub fn hurry(&mut self) {
        self.next = self.next.min(Instant::now() + SOON);
    }

    /// What a look has found that has ended since the last call. Does not wait; begins a look when it is time for one.
    ///
    /// # Errors
    /// The brokers did not answer, which is retriable, or the pattern takes too long, which is fatal.
    pub fn take(&mut self) -> Result<Option<Looked>, KafkaError> {
        if let Some(under_way) = &self.under_way {
            let looked = match under_way.try_recv() {
                Ok(looked) => looked,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => {
                    Err(KafkaError::configuration("the look at topics ended by a fault of the worker"))
                }
            };
            self.under_way = None;
            match &looked {
                Ok(looked) => self.known.clone_from(&looked.topics),
                Err(_) => self.hurry(),
            }
            return looked.map(Some);
        }
        if self.next <= Instant::now()
            && let Some(directory) = self.directory.clone()
        {
            let (done, under_way) = mpsc::sync_channel(1);
            let (wanted, exclude_internal, known) = (self.wanted.clone(), self.exclude_internal, self.known.clone());
            let waker = self.waker.clone();
            self.under_way = Some(under_way);
            // Who is in a hurry from now on may mean what this look is too early for.
            self.next = Instant::now() + self.every;
            self.runtime.spawn_blocking(move || {
                let _ = done.send(look(&directory, &wanted, exclude_internal, &known));
                waker.wake();
            });
        }
        Ok(None)
    }
}

fn look(directory: &Directory, wanted: &Wanted, exclude_internal: bool, known: &BTreeSet<String>) -> Result<Looked, KafkaError> {
    let topics = match wanted {
        Wanted::Named(topics) => topics.iter().cloned().collect(),
        Wanted::Matching(pattern) => {
            matching(pattern, exclude_internal, known, directory.topics(ANSWER)?).map_err(KafkaError::configuration)?
        }
    };
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let ids = match directory.ids(&names, ANSWER) {
        Ok(ids) => ids.into_iter().collect(),
        // without ids it goes on as with a broker that has none
        Err(error) => {
            tracing::debug!("topic ids cannot be read: {error}");
            BTreeMap::new()
        }
    };
    Ok(Looked { topics, ids })
}

/// Those of `topics` that match. One with an error is kept if it was there before, for brokers that start say so of topics.
fn matching(
    pattern: &Pattern,
    exclude_internal: bool,
    known: &BTreeSet<String>,
    topics: Vec<(String, i32)>,
) -> Result<BTreeSet<String>, String> {
    let mut matching = BTreeSet::new();
    for (topic, code) in topics {
        let there = code == 0 || known.contains(&topic) && code != UNKNOWN_TOPIC;
        if there && !(exclude_internal && INTERNAL.contains(&topic.as_str())) && pattern.matches(&topic)? {
            matching.insert(topic);
        }
    }
    Ok(matching)
}

/// Kafka's code for a topic that is not there.
pub const UNKNOWN_TOPIC: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, exclude_internal: bool, known: &[&str], topics: &[(&str, i32)]) -> Vec<String> {
        let pattern = Pattern::compile(pattern).expect("a pattern");
        let known = known.iter().map(|t| (*t).to_owned()).collect();
        let topics = topics.iter().map(|(t, code)| ((*t).to_owned(), *code)).collect();
        matching(&pattern, exclude_internal, &known, topics).expect("in time").into_iter().collect()
    }

    #[test]
    fn internal_topics_are_left_out_unless_asked_for() {
        let topics = [("__consumer_offsets", 0), ("__transaction_state", 0), ("__mine", 0), ("a", 0)];
        assert_eq!(matched(".*", true, &[], &topics), ["__mine", "a"]);
        assert_eq!(matched("__.*", false, &[], &topics), ["__consumer_offsets", "__mine", "__transaction_state"]);
    }

    #[test]
    fn a_topic_with_an_error_stays_and_does_not_come() {
        let topics = [("a", 5), ("b", 5), ("c", 3)];
        assert_eq!(matched("[abc]", true, &["b", "c"], &topics), ["b"]);
    }

    #[test]
    fn ten_thousand_topics_are_matched_in_no_time() {
        let topics: Vec<_> = (0..10_000).map(|n| (format!("dbserver1.inventory.table_{n}"), 0)).collect();
        let pattern = Pattern::compile(r"dbserver\d\.(\w+\.)*(?!table_1\d*$)[a-z]+_\d+").expect("a pattern");
        let begun = Instant::now();
        let found = matching(&pattern, true, &BTreeSet::new(), topics).expect("in time");
        assert_eq!(found.len(), 10_000 - 1111);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
