//! One connector and its tasks. Operations on it are serial: who calls one that blocks holds its turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_api::{Properties, SinkConnector, TaskMetrics};

use super::standalone::Shared;
use super::{Running, State, Status, TargetState, TaskCounts, TaskStatus};
use crate::task::{TaskEvent, TaskId, TaskSpec};

/// A connector.
pub(super) struct Connector {
    pub(super) name: String,
    /// Held by the operation that is under way.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Never held while a task is called: tasks report from within calls.
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub(super) sink: &'static dyn SinkConnector,
    pub(super) config: Properties,
    pub(super) target: TargetState,
    /// Whether the state file keeps it.
    pub(super) kept: bool,
    pub(super) deleted: bool,
    tasks: Vec<Slot>,
    /// Counts starts of tasks, so that the report of a task that was replaced is told from its successor's.
    starts: u64,
}

struct Slot {
    start: u64,
    properties: Properties,
    status: TaskStatus,
    handle: Option<Box<dyn Running>>,
    metrics: Arc<TaskMetrics>,
}

impl Connector {
    pub(super) fn new(name: &str, sink: &'static dyn SinkConnector, config: Properties, target: TargetState) -> Self {
        let inner = Inner { sink, config, target, kept: false, deleted: false, tasks: Vec::new(), starts: 0 };
        Self { name: name.to_owned(), turn: Arc::default(), inner: Mutex::new(inner) }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the tasks what the configuration and the target state ask for. Blocks.
    pub(super) fn reconcile(self: &Arc<Self>, shared: &Shared) {
        let target = self.inner().target;
        match target {
            TargetState::Stopped => self.stop_tasks(shared.grace()),
            TargetState::Paused => self.tell(|task| task.pause()),
            TargetState::Started => {
                let (wanted, unchanged) = {
                    let inner = self.inner();
                    let wanted = inner.task_configs();
                    let unchanged = inner.tasks.iter().map(|slot| &slot.properties).eq(&wanted);
                    (wanted, unchanged)
                };
                if unchanged {
                    self.tell(|task| task.resume());
                    return;
                }
                self.stop_tasks(shared.grace());
                let count = wanted.len();
                self.inner().tasks = wanted.into_iter().map(Slot::new).collect();
                (0..count).for_each(|task| self.start_task(shared, task));
            }
        }
    }

    /// Stops the tasks numbered in `which` and starts them again with their configuration. Blocks.
    pub(super) fn restart_tasks(self: &Arc<Self>, shared: &Shared, which: &[usize]) {
        let handles = {
            let mut inner = self.inner();
            let slots = inner.tasks.iter_mut().enumerate().filter(|(task, _)| which.contains(task));
            let restart = |(_, slot): (usize, &mut Slot)| {
                slot.status.state = State::Restarting;
                slot.start = 0;
                slot.handle.take()
            };
            slots.filter_map(restart).collect()
        };
        self.end(handles, shared.grace());
        which.iter().for_each(|&task| self.start_task(shared, task));
    }

    /// Stops all tasks and forgets them; those that do not end within `grace` are left to themselves. Blocks.
    pub(super) fn stop_tasks(&self, grace: Duration) {
        let handles = self.inner().tasks.iter_mut().filter_map(|slot| slot.handle.take()).collect();
        self.end(handles, grace);
        self.inner().tasks.clear();
    }

    fn end(&self, mut handles: Vec<Box<dyn Running>>, grace: Duration) {
        handles.iter().for_each(|handle| handle.stop());
        let deadline = Instant::now() + grace;
        for handle in &mut handles {
            if !handle.join(deadline.saturating_duration_since(Instant::now())) {
                tracing::warn!(connector = %self.name, "a task did not end within {} ms and is left to itself", grace.as_millis());
            }
        }
    }

    /// Calls every running task.
    fn tell(&self, call: impl Fn(&dyn Running)) {
        let handles: Vec<_> = self.inner().tasks.iter_mut().map(|slot| slot.handle.take()).collect();
        handles.iter().flatten().for_each(|handle| call(handle.as_ref()));
        for (slot, handle) in self.inner().tasks.iter_mut().zip(handles) {
            slot.handle = handle;
        }
    }

    fn start_task(self: &Arc<Self>, shared: &Shared, task: usize) {
        let id = TaskId { connector: self.name.clone(), task };
        let (spec, start) = {
            let mut inner = self.inner();
            let (sink, paused) = (inner.sink, inner.target == TargetState::Paused);
            inner.starts += 1;
            let start = inner.starts;
            let Some(slot) = inner.tasks.get_mut(task) else { return };
            *slot = Slot { start, ..Slot::new(std::mem::take(&mut slot.properties)) };
            let connector = Arc::downgrade(self);
            let spec = TaskSpec {
                id,
                sink,
                worker: shared.worker.given.clone(),
                worker_id: shared.worker_id.clone(),
                properties: slot.properties.clone(),
                paused,
                runtime: shared.runtime.clone(),
                memory: shared.memory.clone(),
                queue: 0,
                metrics: slot.metrics.clone(),
                used: shared.worker.keys.topic_tracking_enable.then(|| shared.topics.listener()),
                report: Arc::new(move |id, event| {
                    if let Some(connector) = connector.upgrade() {
                        connector.report(id, start, event);
                    }
                }),
            };
            (spec, start)
        };
        let spec = TaskSpec { queue: shared.queue_of_a_task(), ..spec };
        shared.starts.attempt_task();
        let handle = (shared.starter)(spec);
        if let Some(slot) = self.inner().tasks.get_mut(task).filter(|slot| slot.start == start) {
            slot.handle = Some(handle);
        }
    }

    fn report(&self, id: &TaskId, start: u64, event: TaskEvent) {
        let mut inner = self.inner();
        let Some(slot) = inner.tasks.get_mut(id.task).filter(|slot| slot.start == start) else { return };
        let (state, trace) = match event {
            TaskEvent::Running => (State::Running, None),
            TaskEvent::Paused => (State::Paused, None),
            TaskEvent::Stopped => (State::Unassigned, None),
            TaskEvent::Failed(trace) => (State::Failed, Some(trace)),
        };
        match &trace {
            Some(trace) => tracing::error!(task = %id, "task failed: {trace}"),
            None if state == State::Unassigned => tracing::info!(task = %id, "task ended"),
            None => tracing::info!(task = %id, "task is {state}"),
        }
        // A task that failed stays so until it is started again, whatever it says while it ends.
        if slot.status.state != State::Failed {
            slot.status = TaskStatus { state, trace };
        }
    }

    pub(super) fn status(&self) -> Status {
        let inner = self.inner();
        let state = match inner.target {
            TargetState::Started => State::Running,
            TargetState::Paused => State::Paused,
            TargetState::Stopped => State::Stopped,
        };
        let tasks = inner.tasks.iter().map(|slot| slot.status.clone()).collect();
        Status { name: self.name.clone(), state, version: inner.sink.version(), tasks }
    }

    pub(super) fn counts(&self) -> Vec<TaskCounts> {
        let inner = self.inner();
        let count = |(task, slot): (usize, &Slot)| TaskCounts {
            id: TaskId { connector: self.name.clone(), task },
            state: slot.status.state,
            metrics: slot.metrics.clone(),
        };
        inner.tasks.iter().enumerate().map(count).collect()
    }
}

impl Inner {
    pub(super) fn tasks(&self) -> Vec<Properties> {
        self.tasks.iter().map(|slot| slot.properties.clone()).collect()
    }

    pub(super) fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Every task of a sink gets the connector's configuration, and the name of Java's task class.
    fn task_configs(&self) -> Vec<Properties> {
        let count = self.config.get("tasks.max").and_then(|n| n.trim().parse().ok()).unwrap_or(1);
        let mut config = self.config.clone();
        let class = self.sink.class();
        config.insert("task.class".into(), format!("{}Task", class.strip_suffix("Connector").unwrap_or(class)));
        vec![config; count]
    }
}

impl Slot {
    fn new(properties: Properties) -> Self {
        let status = TaskStatus { state: State::Unassigned, trace: None };
        Self { start: 0, properties, status, handle: None, metrics: Arc::default() }
    }
}
