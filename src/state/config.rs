//! What the config topic says: connectors, what they are to be doing, their tasks, and the key that workers sign with.
//!
//! Keys, values, their order and what is made of records that nobody expects are those of `KafkaConfigBackingStore` of Kafka 4.3.1.
//! The topic has one partition, so that all workers read the same history.

pub mod records;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::Properties;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{json, task_of};
use crate::herder::TargetState;
use crate::herder::connector_config::{Submitted, text_of};

// Java tries them in this order.
const TARGET_STATE: &str = "target-state-";
const CONNECTOR: &str = "connector-";
const TASK: &str = "task-";
const COMMIT: &str = "commit-";
const RESTART: &str = "restart-connector-";
const FENCING: &str = "tasks-fencing-";
const SESSION_KEY: &str = "session-key";
const LOGGER: &str = "logger-cluster-";

/// What the records of the topic, up to some offset, say. A clone is a snapshot: it shares everything until one of both changes.
#[derive(Clone)]
pub struct ConfigState {
    offset: i64,
    connectors: Arc<BTreeMap<String, Arc<Connector>>>,
    /// Also of connectors that are not there: the first target state precedes the configuration.
    targets: Arc<BTreeMap<String, TargetState>>,
    /// Configurations of tasks that no commit record has followed yet.
    uncommitted: BTreeMap<String, BTreeMap<usize, Arc<Properties>>>,
    session_key: Option<Arc<SessionKey>>,
}
landfall_api::opaque!(ConfigState);

impl Default for ConfigState {
    fn default() -> Self {
        Self { offset: -1, connectors: Arc::default(), targets: Arc::default(), uncommitted: BTreeMap::new(), session_key: None }
    }
}

#[derive(Clone, Default)]
struct Connector {
    config: Arc<Submitted>,
    /// As many as the last commit record says, or none if the connector is inconsistent.
    tasks: Vec<Arc<Properties>>,
    inconsistent: bool,
}
landfall_api::opaque!(Connector);

/// What a record changed, so that somebody has something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The connector of this name has a configuration, new or again.
    Connector(String),
    /// The connector of this name is gone, if it was there at all.
    Removed(String),
    /// The tasks of this connector were committed, even if they are the same or inconsistent.
    Tasks(String),
    /// This connector is to be doing something else.
    Target(String),
    /// Requests are signed with another key.
    SessionKey,
    /// Somebody asks for a restart. It is for those who are running: at the start, what is old is ignored.
    Restart(RestartRequest),
    /// Somebody sets a level of the log on all workers; as for restarts, what is old is ignored.
    Logger {
        /// The logger's name.
        namespace: String,
        /// The level, as it was written.
        level: String,
    },
}

/// That a connector and maybe its tasks restart (`RestartRequest`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRequest {
    /// The connector's name.
    pub connector: String,
    /// Whether its tasks are meant too.
    pub include_tasks: bool,
    /// Whether only what has failed is meant.
    pub only_failed: bool,
}

impl RestartRequest {
    /// How much it restarts: of two requests for the same connector the greater stands for both.
    #[must_use]
    pub const fn impact(&self) -> u8 {
        match (self.only_failed, self.include_tasks) {
            (true, false) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (false, true) => 3,
        }
    }
}

/// What workers sign their requests to each other with (`SessionKey`).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The secret.
    pub key: Zeroizing<Vec<u8>>,
    /// The name of the algorithm that it was made for, as `HmacSHA256`.
    pub algorithm: String,
    /// When it was made, in milliseconds since the epoch.
    pub creation_timestamp: i64,
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: _, algorithm, creation_timestamp } = self;
        f.debug_struct("SessionKey")
            .field("algorithm", algorithm)
            .field("creation_timestamp", creation_timestamp)
            .finish_non_exhaustive()
    }
}

impl ConfigState {
    /// The offset after the last record that was applied; -1 before any.
    #[must_use]
    pub const fn offset(&self) -> i64 {
        self.offset
    }

    /// The names of all connectors, in order.
    pub fn connectors(&self) -> impl Iterator<Item = &str> {
        self.connectors.keys().map(String::as_str)
    }

    /// Whether there is such a connector.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.connectors.contains_key(name)
    }

    /// A connector's configuration, as it was submitted.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<&Submitted> {
        self.connectors.get(name).map(|connector| &*connector.config)
    }

    /// What a connector is to be doing; None if there is no such connector.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<TargetState> {
        self.contains(name).then(|| self.targets.get(name).copied().unwrap_or_default())
    }

    /// How many tasks a connector has; none before the first commit record or if it [is inconsistent](Self::is_inconsistent).
    #[must_use]
    pub fn task_count(&self, name: &str) -> usize {
        self.connectors.get(name).map_or(0, |connector| connector.tasks.len())
    }

    /// The tasks of a connector, as many as [`task_count`](Self::task_count), in order.
    pub fn tasks(&self, name: &str) -> impl Iterator<Item = (usize, &Properties)> {
        let tasks = self.connectors.get(name).into_iter().flat_map(|connector| &connector.tasks);
        tasks.map(|task| &**task).enumerate()
    }

    /// The configuration of a task.
    #[must_use]
    pub fn task(&self, name: &str, number: usize) -> Option<&Properties> {
        self.connectors.get(name)?.tasks.get(number).map(|task| &**task)
    }

    /// Whether tasks of the connector were committed whose configurations are not all in the topic, as compaction leaves it when a
    /// writer died before its own commit record. It has no tasks until somebody writes them again.
    #[must_use]
    pub fn is_inconsistent(&self, name: &str) -> bool {
        self.connectors.get(name).is_some_and(|connector| connector.inconsistent)
    }

    /// What requests are signed with, if a leader has made a key.
    #[must_use]
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.session_key.as_deref()
    }

    /// Takes the record at `offset`. What cannot be understood is logged, without values, and ignored, as Java does; a value that is no
    /// JSON does not even move the offset, which all workers of a group have to agree on.
    pub fn apply(&mut self, offset: i64, key: &str, value: Option<&[u8]>) -> Option<Change> {
        let value = match value.map(json::parse) {
            None | Some(Some(Value::Null)) => None,
            Some(Some(value)) => Some(value),
            Some(None) => {
                tracing::error!("the value of {key} in the config topic, at offset {offset}, is no JSON");
                return None;
            }
        };
        self.offset = offset.saturating_add(1);
        let change = self.record(key, value);
        change.unwrap_or_else(|why| {
            tracing::error!("the record {key} of the config topic, at offset {offset}, is ignored: {why}");
            None
        })
    }

    fn record(&mut self, key: &str, value: Option<Value>) -> Result<Option<Change>, String> {
        if let Some(name) = key.strip_prefix(TARGET_STATE) {
            self.target_record(name, value)
        } else if let Some(name) = key.strip_prefix(CONNECTOR) {
            self.connector_record(name, value).map(Some)
        } else if let Some(rest) = key.strip_prefix(TASK) {
            let (name, number) = task_of(rest).ok_or("it does not name a task")?;
            let config = properties(value)?.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
            self.uncommitted.entry(name.to_owned()).or_default().insert(number, Arc::new(config));
            Ok(None)
        } else if let Some(name) = key.strip_prefix(COMMIT) {
            self.commit_record(name, value)
        } else if let Some(connector) = key.strip_prefix(RESTART) {
            let fields = object(value)?;
            // Java's defaults are false
            let is = |field| fields.get(field).and_then(Value::as_bool).unwrap_or_default();
            let (include_tasks, only_failed) = (is("include-tasks"), is("only-failed"));
            Ok(Some(Change::Restart(RestartRequest { connector: connector.to_owned(), include_tasks, only_failed })))
        } else if key.starts_with(FENCING) {
            // of source connectors that deliver exactly once
            Ok(None)
        } else if key == SESSION_KEY {
            self.session_key = Some(Arc::new(session_key(value)?));
            Ok(Some(Change::SessionKey))
        } else if let Some(namespace) = key.strip_prefix(LOGGER) {
            let level = text(&object(value)?, "level")?;
            Ok(Some(Change::Logger { namespace: namespace.to_owned(), level }))
        } else {
            Err("nothing has such a key".to_owned())
        }
    }

    fn target_record(&mut self, name: &str, value: Option<Value>) -> Result<Option<Change>, String> {
        let Some(value) = value else {
            // The removal of the connector itself is what somebody has to do something about.
            Arc::make_mut(&mut self.targets).remove(name);
            return Ok(None);
        };
        let fields = object(Some(value))?;
        // Workers before 3.5 do not know STOPPED: for them there is `state`.
        let state = text(&fields, "state.v2").or_else(|_| text(&fields, "state"))?;
        let state = match &*state {
            "STARTED" => TargetState::Started,
            "PAUSED" => TargetState::Paused,
            "STOPPED" => TargetState::Stopped,
            other => return Err(format!("there is no target state {other}")),
        };
        let before = self.target(name);
        Arc::make_mut(&mut self.targets).insert(name.to_owned(), state);
        Ok(before.filter(|before| *before != state).map(|_| Change::Target(name.to_owned())))
    }

    fn connector_record(&mut self, name: &str, value: Option<Value>) -> Result<Change, String> {
        let Some(value) = value else {
            self.remove(name);
            return Ok(Change::Removed(name.to_owned()));
        };
        let config = Arc::new(properties(Some(value))?);
        let connector = Arc::make_mut(&mut self.connectors).entry(name.to_owned()).or_default();
        Arc::make_mut(connector).config = config;
        // A record that says STARTED is then no change.
        Arc::make_mut(&mut self.targets).entry(name.to_owned()).or_default();
        Ok(Change::Connector(name.to_owned()))
    }

    fn commit_record(&mut self, name: &str, value: Option<Value>) -> Result<Option<Change>, String> {
        if !self.contains(name) {
            // Its tombstone may be compacted away, but the records of its tasks have none.
            self.remove(name);
            return Ok(None);
        }
        let count = object(value)?.get("tasks").and_then(Value::as_i64).ok_or("tasks is not a number")?;
        let count = usize::try_from(count).unwrap_or_default();
        // There may be more: after compaction, those that a later commit has cut off.
        let mut written = self.uncommitted.remove(name).unwrap_or_default();
        let complete = written.len() >= count && (0..count).all(|number| written.contains_key(&number));
        if let Some(connector) = Arc::make_mut(&mut self.connectors).get_mut(name) {
            let connector = Arc::make_mut(connector);
            connector.inconsistent = !complete;
            let tasks = (0..if complete { count } else { 0 }).filter_map(|number| written.remove(&number));
            connector.tasks = tasks.collect();
        }
        Ok(Some(Change::Tasks(name.to_owned())))
    }

    fn remove(&mut self, name: &str) {
        if self.contains(name) {
            Arc::make_mut(&mut self.connectors).remove(name);
        }
        self.uncommitted.remove(name);
    }
}

fn object(value: Option<Value>) -> Result<Map<String, Value>, String> {
    match value {
        Some(Value::Object(fields)) => Ok(fields),
        other => Err(format!("the value is {}, not an object", json::kind(Some(&other.unwrap_or_default())))),
    }
}

fn text(fields: &Map<String, Value>, field: &str) -> Result<String, String> {
    match fields.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(format!("{field} is {}, not a string", json::kind(other))),
    }
}

fn properties(value: Option<Value>) -> Result<Submitted, String> {
    let properties = match object(value)?.remove("properties") {
        Some(Value::Object(properties)) => properties,
        other => return Err(format!("properties is {}, not an object", json::kind(other.as_ref()))),
    };
    let property = |(key, value)| match text_of(value) {
        Ok(value) => Ok((key, value)),
        Err(nested) => Err(format!("{key} is {}, not a string", json::kind(Some(&nested)))),
    };
    properties.into_iter().map(property).collect()
}

fn session_key(value: Option<Value>) -> Result<SessionKey, String> {
    let fields = object(value)?;
    let key = STANDARD.decode(text(&fields, "key")?).map_err(|_| "key is not base 64")?;
    let created = fields.get("creation-timestamp").and_then(Value::as_i64);
    let creation_timestamp = created.ok_or("creation-timestamp is not a number")?;
    Ok(SessionKey { key: key.into(), algorithm: text(&fields, "algorithm")?, creation_timestamp })
}

#[cfg(test)]
mod tests;
