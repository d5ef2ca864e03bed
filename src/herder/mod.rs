//! Keeps the connectors and their tasks, alone or with the other workers of a cluster.
//!
//! What is to run is one state ([`crate::state::ConfigState`]), what is running another ([`crate::state::Statuses`]); the `store` keeps
//! both, in the topics of a cluster or on a worker that is alone. `operations` are what users change. For each connector `plan` compares
//! what is to run here with what does, and `running` makes it so. What is to run here is everything when alone; in a `cluster` it is
//! what [`assign`] has decided and [`protocol`] has told. [`connector_config`] says what configurations are taken, [`connector_file`]
//! reads those that the command line names, [`state_file`] and [`state_store`] let connectors survive a worker that is alone.

pub mod assign;
mod cluster;
pub mod connector_config;
pub mod connector_file;
mod handle;
mod loggers;
pub mod offsets;
mod operations;
mod plan;
pub mod protocol;
mod running;
pub mod state_file;
pub mod state_store;
mod store;
pub mod topics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landfall_api::{Fault, Faults, Properties, TaskMetrics};
use serde::{Deserialize, Serialize};

pub use cluster::{ClusterCounts, Joining, Places, Rebalances, peers, signature};
pub use handle::{Herder, Starts};
pub use operations::Restart;

use crate::state::StatusRecord;
use crate::task::{TaskHandle, TaskId, TaskSpec};

/// Java's words where a request has to wait for a rebalance.
const STALE: &str =
    "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)";
/// The same before the worker has joined.
const STARTING: &str = "Cannot complete request momentarily: the worker is still joining the cluster";
/// Java's words where nobody is known who could do what is asked.
const NO_LEADER: &str =
    "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";

/// Why the herder does not do what it is asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// The configuration has faults.
    #[error(
        "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`",
        .0.0.len(), named(.0)
    )]
    Invalid(Faults),
    /// There is no such connector or task.
    #[error("{0}")]
    NotFound(String),
    /// The connector is there already.
    #[error("Connector {0} already exists")]
    Exists(String),
    /// Who runs what is not known just now: later it will be.
    #[error("{0}")]
    Rebalance(String),
    /// Another worker has to do it: the one at this URL, if one is known.
    #[error("{}", super::herder::NO_LEADER)]
    Forward(Option<String>),
    /// The worker cannot just now: what it needs is away.
    #[error("{0}")]
    Unavailable(String),
    /// The worker cannot, through no fault of the request.
    #[error("{0}")]
    Internal(String),
}

/// The messages, a line each, and the key behind one that does not say which it is about, as some of Java's do not.
fn named(faults: &Faults) -> String {
    let named = |Fault { key, message }: &Fault| {
        let said = message.contains(key.as_str()) || key == connector_config::CONSUMER_GROUP;
        if said { message.clone() } else { format!("{message} ({key})") }
    };
    faults.0.iter().map(named).collect::<Vec<_>>().join("\n")
}

/// What a user wants a connector to be doing (`TargetState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetState {
    /// Its tasks consume.
    #[default]
    Started,
    /// Its tasks keep their partitions and consume nothing.
    Paused,
    /// It has no tasks.
    Stopped,
}

/// What a connector or a task is doing (`AbstractStatus.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum State {
    Unassigned,
    Running,
    Paused,
    Failed,
    Restarting,
    Stopped,
}

impl State {
    /// Every state that a task can be in.
    pub const OF_TASKS: [Self; 5] = [Self::Unassigned, Self::Running, Self::Paused, Self::Failed, Self::Restarting];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
        })
    }
}

/// A connector as users see it; its secrets are hidden.
#[derive(Clone, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub config: Properties,
    /// How many tasks it has.
    pub tasks: usize,
}
landfall_api::opaque!(Info);

/// What a connector and its tasks are doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The connector's name.
    pub name: String,
    /// What the connector is doing.
    pub connector: StatusRecord,
    /// What its tasks are doing, by number.
    pub tasks: Vec<(usize, StatusRecord)>,
}

/// The keys by which a task's configuration names classes.
pub const CLASSES: [&str; 4] = ["connector.class", "key.converter", "value.converter", "header.converter"];

/// A task as metrics see it.
#[derive(Clone, Debug)]
pub struct TaskCounts {
    /// Its name.
    pub id: TaskId,
    /// What it is doing.
    pub state: State,
    /// What it counted since it was started.
    pub metrics: Arc<TaskMetrics>,
    /// What its configuration says of [`CLASSES`].
    pub classes: [Option<String>; CLASSES.len()],
    /// That of its class; none if this worker has none such.
    pub version: Option<String>,
}

/// A running task, as the herder handles it.
pub trait Running: Send {
    /// Consumes nothing from now on.
    fn pause(&self);
    /// Consumes again.
    fn resume(&self);
    /// Asks it to end; returns at once.
    fn stop(&self);
    /// Waits until it has ended; whether it has. Blocks.
    fn join(&mut self, timeout: Duration) -> bool;
}

impl Running for TaskHandle {
    fn pause(&self) {
        Self::pause(self);
    }
    fn resume(&self) {
        Self::resume(self);
    }
    fn stop(&self) {
        Self::stop(self);
    }
    fn join(&mut self, timeout: Duration) -> bool {
        Self::join(self, timeout)
    }
}

/// Starts tasks: [`TaskHandle::start`], or something else in tests.
pub type Starter = Arc<dyn Fn(TaskSpec) -> Box<dyn Running> + Send + Sync>;

#[cfg(test)]
pub(crate) mod fake;
