//! Runs a sink task: fetches, converts, puts, commits.

mod dead_letter;
mod provision;
mod run;
mod tolerance;

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use landfall_api::{Memory, Properties, SinkConnector, TaskMetrics};
pub use provision::Provision;
use provision::Watched;
use tokio::runtime::Handle;

use crate::kafka::Waker;

/// What Java calls a provider's failure.
const CONFIG_EXCEPTION: &str = "org.apache.kafka.common.config.ConfigException";

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
#[expect(missing_debug_implementations, reason = "its properties hold secrets")]
pub struct TaskSpec {
    /// Its name.
    pub id: TaskId,
    /// Its connector's class.
    pub sink: &'static dyn SinkConnector,
    /// The worker's properties.
    pub worker: Arc<Properties>,
    /// The worker's id.
    pub worker_id: String,
    /// The task's properties: the connector's, as `task_configs` gave them. Their variables are resolved when the task starts.
    pub properties: Properties,
    /// Resolves them.
    pub provision: Arc<Provision>,
    /// Whether it starts paused.
    pub paused: bool,
    /// For all that waits.
    pub runtime: Handle,
    /// The memory that it shares with all tasks of the worker.
    pub memory: Arc<Memory>,
    /// The bytes of it that are its fetch queue.
    pub queue: usize,
    /// Its counters.
    pub metrics: Arc<TaskMetrics>,
    /// Called from the task's thread at each change.
    pub report: Report,
    /// Called from the task's thread with the topic of each batch of records that could be converted; None if nobody wants to know.
    pub used: Option<Used>,
}

/// Takes what tasks report.
pub type Report = Arc<dyn Fn(&TaskId, TaskEvent) + Send + Sync>;

/// Takes the topics that tasks have records of.
pub type Used = Arc<dyn Fn(&TaskId, &str) + Send + Sync>;

/// A running task. Dropped, it is asked to stop.
#[derive(Debug)]
pub struct TaskHandle {
    control: Arc<Control>,
    _watched: Option<Arc<Watched>>,
    ended: mpsc::Receiver<()>,
}

impl TaskHandle {
    /// Starts a task on a thread of its own. Problems are reported as [`TaskEvent::Failed`].
    #[must_use]
    pub fn start(spec: TaskSpec) -> Self {
        let control = Arc::new(Control::new(spec.paused));
        let (running, ended) = mpsc::sync_channel(1);
        let of_thread = control.clone();
        let name = format!("task-{}", spec.id);
        let (id, report) = (spec.id.clone(), spec.report.clone());
        let watched = spec.provision.watch(&spec.id, &spec.properties);
        let seen = watched.clone();
        let thread = thread::Builder::new().name(name).spawn(move || {
            // All that the thread logs, and what it has others do, is of this task.
            let _span = tracing::error_span!("task", connector = spec.id.connector, task = spec.id.task).entered();
            let (id, report) = (spec.id.clone(), spec.report.clone());
            let ended = match spec.provision.resolve(&id, &spec.properties, seen.as_deref()) {
                Ok((properties, provided)) => {
                    drop(seen);
                    let hidden = provided.clone();
                    let spec = TaskSpec { properties, ..spec };
                    let ended = panic::catch_unwind(AssertUnwindSafe(|| run::run(spec, provided, &of_thread)));
                    match ended.unwrap_or_else(|panic| TaskEvent::Failed(panicked(&*panic))) {
                        TaskEvent::Failed(trace) => TaskEvent::Failed(hidden.hide(&trace)),
                        other => other,
                    }
                }
                Err(why) => TaskEvent::Failed(format!("{CONFIG_EXCEPTION}: {why}")),
            };
            report(&id, ended);
            drop(running);
        });
        if let Err(error) = thread {
            report(&id, TaskEvent::Failed(format!("no thread for the task: {error}")));
        }
        Self { control, _watched: watched, ended }
    }

    /// Consumes nothing from now on, keeping the partitions.
    pub fn pause(&self) {
        self.control.set_paused(true);
    }

    /// Consumes again.
    pub fn resume(&self) {
        self.control.set_paused(false);
    }

    /// Asks it to publish or drop its open files, commit and end. Returns at once.
    pub fn stop(&self) {
        self.control.stop();
    }

    /// Waits until it has ended, at most `timeout`; whether it has. Blocks: call it where blocking is allowed.
    #[must_use]
    pub fn join(&mut self, timeout: Duration) -> bool {
        matches!(self.ended.recv_timeout(timeout), Err(mpsc::RecvTimeoutError::Disconnected))
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the task ended by a fault of the worker: {}", text.unwrap_or("no message"))
}

/// What others want of a running task.
#[derive(Debug)]
struct Control {
    paused: AtomicBool,
    /// Since when it is to end.
    stopped: OnceLock<Instant>,
    waker: OnceLock<Waker>,
}

impl Control {
    fn new(paused: bool) -> Self {
        Self { paused: AtomicBool::new(paused), stopped: OnceLock::new(), waker: OnceLock::new() }
    }

    fn paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    fn stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
        self.wake();
    }

    fn stop(&self) {
        let _ = self.stopped.set(Instant::now());
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }
}
