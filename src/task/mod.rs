//! Runs a sink task: fetches, converts, puts, commits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landfall_api::{Properties, SinkConnector, TaskMetrics};
use tokio::runtime::Handle;

/// A task's name: its connector and its number. Prints as Java's `ConnectorTaskId`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The connector's name.
    pub connector: String,
    /// The number, from 0.
    pub task: usize,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// What a task reports of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// It consumes.
    Running,
    /// It keeps its place in the group and consumes nothing.
    Paused,
    /// It ended by an error; the text is the trace that its status shows.
    Failed(String),
    /// It ended because it was asked to.
    Stopped,
}

/// All that it takes to start a task.
#[derive(Clone)]
pub struct TaskSpec {
    /// Its name.
    pub id: TaskId,
    /// Its connector's class.
    pub sink: &'static dyn SinkConnector,
    /// The worker's properties, as the user wrote them.
    pub worker: Arc<Properties>,
    /// The task's properties: the connector's, as `task_configs` gave them.
    pub properties: Properties,
    /// Whether it starts paused.
    pub paused: bool,
    /// For all that waits.
    pub runtime: Handle,
    /// The bytes that its open files may hold.
    pub memory: usize,
    /// Its counters.
    pub metrics: Arc<TaskMetrics>,
    /// Called from the task's thread at each change.
    pub report: Report,
}

/// Takes what tasks report.
pub type Report = Arc<dyn Fn(&TaskId, TaskEvent) + Send + Sync>;

/// A running task. Dropped, it is asked to stop.
#[derive(Debug)]
pub struct TaskHandle {}

impl TaskHandle {
    /// Starts a task on a thread of its own. Problems are reported as [`TaskEvent::Failed`].
    #[must_use]
    pub fn start(spec: TaskSpec) -> Self {
        let _ = spec;
        Self {}
    }

    /// Consumes nothing from now on, keeping the partitions.
    pub fn pause(&self) {}

    /// Consumes again.
    pub fn resume(&self) {}

    /// Asks it to publish or drop its open files, commit and end. Returns at once.
    pub fn stop(&self) {}

    /// Waits until it has ended, at most `timeout`; whether it has. Blocks: call it where blocking is allowed.
    #[must_use]
    pub fn join(&mut self, timeout: Duration) -> bool {
        let _ = timeout;
        true
    }
}
