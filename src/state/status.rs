//! What the status topic says: what connectors and tasks are doing, where, and which topics they have read.
//!
//! Keys, values and what is made of records that nobody expects are those of `KafkaStatusBackingStore` of Kafka 4.3.1. The topic has
//! several partitions, of which each keeps its order.

pub mod records;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{json, task_of};
use crate::herder::State;

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
/// Between the names of a topic and of a connector. No topic's name has a colon.
const OF_CONNECTOR: &str = ":connector-";

/// What a worker says of a connector or of a task (`ConnectorStatus`, `TaskStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRecord {
    /// What it is doing.
    pub state: State,
    /// Why it failed.
    pub trace: Option<String>,
    /// The worker, as `host:port` of its REST API.
    pub worker_id: String,
    /// The generation of the group in which it says so.
    pub generation: i32,
    /// The version of the class; older workers, and a worker that is not running it any more, do not say.
    pub version: Option<String>,
}

impl StatusRecord {
    /// Whether it may take the place of `there`, what is known so far, when it is written for safety only, as UNASSIGNED and FAILED
    /// are: not if another worker has spoken in a later generation.
    #[must_use]
    pub fn may_follow(&self, there: Option<&Self>) -> bool {
        there.is_none_or(|there| there.worker_id == self.worker_id || there.generation <= self.generation)
    }

    /// Whether it is older news than `there`, although it was written after it: a worker that gives a task away may be slower to say
    /// so than the next one to say that it runs it.
    fn is_stale(&self, there: &Self) -> bool {
        (self.state, there.state) == (State::Unassigned, State::Running) && there.generation >= self.generation
    }
}

/// That a connector has read a topic (`TopicStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicStatus {
    /// The task that was first.
    pub task: i32,
    /// When it was, in milliseconds since the epoch.
    pub discover_timestamp: i64,
}

/// What the records of the topic say.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    connectors: BTreeMap<String, StatusRecord>,
    tasks: BTreeMap<String, BTreeMap<usize, StatusRecord>>,
    topics: BTreeMap<String, BTreeMap<String, TopicStatus>>,
}

impl Statuses {
    /// Takes a record. What cannot be understood is logged and ignored.
    pub fn apply(&mut self, key: &str, value: Option<&[u8]>) {
        if let Err(why) = self.record(key, value) {
            tracing::warn!("the record {key} of the status topic is ignored: {why}");
        }
    }

    /// The names of the connectors that somebody says something of, in order.
    pub fn connectors(&self) -> impl Iterator<Item = &str> {
        self.connectors.keys().map(String::as_str)
    }

    /// What a connector is doing.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<&StatusRecord> {
        self.connectors.get(name)
    }

    /// What the tasks of a connector are doing, by number.
    pub fn tasks(&self, name: &str) -> impl Iterator<Item = (usize, &StatusRecord)> {
        self.tasks.get(name).into_iter().flatten().map(|(number, status)| (*number, status))
    }

    /// What a task is doing.
    #[must_use]
    pub fn task(&self, name: &str, number: usize) -> Option<&StatusRecord> {
        self.tasks.get(name)?.get(&number)
    }

    /// The topics that a connector has read since they were last reset, in order.
    pub fn topics(&self, name: &str) -> impl Iterator<Item = (&str, &TopicStatus)> {
        self.topics.get(name).into_iter().flatten().map(|(topic, status)| (topic.as_str(), status))
    }

    /// Whether and when a connector has read a topic.
    #[must_use]
    pub fn topic(&self, name: &str, topic: &str) -> Option<&TopicStatus> {
        self.topics.get(name)?.get(topic)
    }

    fn record(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        if let Some(name) = key.strip_prefix(CONNECTOR) {
            match value {
                _ if name.is_empty() => return Err("it names no connector".to_owned()),
                Some(value) => _ = self.connectors.insert(name.to_owned(), status(value)?),
                None => {
                    self.connectors.remove(name);
                    self.tasks.remove(name);
                }
            }
        } else if let Some(rest) = key.strip_prefix(TASK) {
            let (name, number) = task_of(rest).ok_or("it does not name a task")?;
            self.task_record(name, number, value.map(status).transpose()?);
        } else if let Some(rest) = key.strip_prefix(TOPIC) {
            let named = rest.split_once(OF_CONNECTOR).filter(|(topic, name)| !topic.is_empty() && !name.is_empty());
            let (topic, name) = named.ok_or("it does not name a topic and a connector")?;
            match value.map(topic_status).transpose()? {
                Some(status) => _ = self.topics.entry(name.to_owned()).or_default().insert(topic.to_owned(), status),
                None => remove(&mut self.topics, name, topic),
            }
        } else {
            return Err("nothing has such a key".to_owned());
        }
        Ok(())
    }

    fn task_record(&mut self, name: &str, number: usize, status: Option<StatusRecord>) {
        let Some(status) = status else { return remove(&mut self.tasks, name, &number) };
        let there = self.task(name, number);
        if !there.is_some_and(|there| status.is_stale(there)) {
            self.tasks.entry(name.to_owned()).or_default().insert(number, status);
        }
    }
}

/// Takes `key` out of what `all` has under `name`.
fn remove<Q: Ord + ?Sized, K: Ord + std::borrow::Borrow<Q>, V>(all: &mut BTreeMap<String, BTreeMap<K, V>>, name: &str, key: &Q) {
    if let Some(of_name) = all.get_mut(name) {
        of_name.remove(key);
        if of_name.is_empty() {
            all.remove(name);
        }
    }
}

fn object(value: Option<Value>) -> Result<Map<String, Value>, String> {
    match value {
        Some(Value::Object(fields)) => Ok(fields),
        Some(other) => Err(format!("{} where an object should be", json::kind(Some(&other)))),
        None => Err("its value is no JSON object".to_owned()),
    }
}

fn status(value: &[u8]) -> Result<StatusRecord, String> {
    let mut fields = object(json::parse(value))?;
    let mut text = |field| match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        other => Err(format!("{field} is {}, not a string", json::kind(other.as_ref()))),
    };
    let state = match text("state")?.as_deref() {
        Some("UNASSIGNED") => State::Unassigned,
        Some("RUNNING") => State::Running,
        Some("PAUSED") => State::Paused,
        Some("FAILED") => State::Failed,
        Some("RESTARTING") => State::Restarting,
        Some("STOPPED") => State::Stopped,
        other => return Err(format!("there is no state {}", other.unwrap_or("null"))),
    };
    let (trace, worker_id, version) = (text("trace")?, text("worker_id")?.unwrap_or_default(), text("version")?);
    let generation = fields.get("generation").and_then(Value::as_i64).ok_or("generation is not a number")?;
    Ok(StatusRecord { state, trace, worker_id, generation: generation as i32, version })
}

fn topic_status(value: &[u8]) -> Result<TopicStatus, String> {
    let fields = object(object(json::parse(value))?.remove("topic"))?;
    let number = |field: &str| fields.get(field).and_then(Value::as_i64).ok_or_else(|| format!("{field} is not a number"));
    Ok(TopicStatus { task: number("task")? as i32, discover_timestamp: number("discoverTimestamp")? })
}

#[cfg(test)]
mod tests;
