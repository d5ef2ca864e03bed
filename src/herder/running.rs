//! What runs on this worker of one connector: the connector itself and tasks. Operations on it are serial: who calls one that blocks
//! holds its turn.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_api::metrics::Activity;
use landfall_api::{Properties, TaskMetrics};

use super::connector_config::Submitted;
use super::handle::{Shared, given};
use super::plan::{Plan, Runs, Wanted};
use super::topics;
use super::{CLASSES, Running, State, TargetState, TaskCounts};
use crate::state::StatusRecord;
use crate::state::status::records;
use crate::task::{TaskEvent, TaskId, TaskSpec};

/// What runs here of a connector.
pub(super) struct Local {
    pub(super) name: String,
    /// Held by the operation that is under way.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Never held while a task is called: tasks report from within calls.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    connector: Option<Instance>,
    tasks: BTreeMap<usize, Slot>,
    /// Counts starts of tasks, so that the report of a task that was replaced is told from its successor's.
    starts: u64,
}

/// The connector itself. What it runs is what makes the configurations of its tasks.
struct Instance {
    config: Submitted,
    target: TargetState,
    /// That of its class; none if it could not start.
    version: Option<String>,
}

struct Slot {
    start: u64,
    properties: Properties,
    /// That of its class; none if this worker has none such.
    version: Option<String>,
    state: State,
    paused: bool,
    handle: Option<Box<dyn Running>>,
    metrics: Arc<TaskMetrics>,
}

impl Local {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), turn: Arc::default(), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connector itself is here, and the configuration and the target state with which it started.
    pub(super) fn connector(&self) -> Option<(Submitted, TargetState)> {
        self.inner().connector.as_ref().map(|instance| (instance.config.clone(), instance.target))
    }

    /// Makes what runs here `wanted`. Blocks.
    pub(super) fn reconcile(self: &Arc<Self>, shared: &Arc<Shared>, wanted: &Wanted) {
        let plan = Plan::new(wanted, &self.runs());
        self.stop_tasks(shared, &plan.stop);
        if plan.stop_connector {
            self.stop_connector(shared);
        }
        if let (true, Some(config)) = (plan.start_connector || plan.retarget, &wanted.connector) {
            self.start_connector(shared, config, wanted.target);
        }
        self.tell(&plan.pause, true);
        self.tell(&plan.resume, false);
        for number in plan.start {
            let paused = wanted.target == TargetState::Paused;
            self.start_task(shared, number, wanted.tasks[&number].clone(), paused);
        }
    }

    fn runs(&self) -> Runs {
        let inner = self.inner();
        let tasks = inner.tasks.iter().map(|(number, slot)| (*number, (slot.properties.clone(), slot.paused)));
        let connector = inner.connector.as_ref().map(|instance| (instance.config.clone(), instance.target));
        Runs { connector, tasks: tasks.collect() }
    }

    /// Starts the connector itself, again if it runs, and says how it is.
    pub(super) fn start_connector(&self, shared: &Shared, config: &Submitted, target: TargetState) {
        shared.starts.connectors.add(1);
        let properties = given(config);
        let class = shared.provision.connector(&properties).and_then(|_| shared.sink_of(&properties));
        let failed = class.as_ref().err().cloned();
        shared.starts.connector_success.record(if failed.is_some() { 0.0 } else { 1.0 });
        if let Some(why) = &failed {
            shared.starts.connector_failures.add(1);
            tracing::error!(connector = %self.name, "cannot start: {why}");
        }
        let state = match target {
            _ if failed.is_some() => State::Failed,
            TargetState::Started => State::Running,
            TargetState::Paused => State::Paused,
            TargetState::Stopped => State::Stopped,
        };
        let version = class.ok().map(|sink| sink.version().to_owned());
        self.inner().connector = Some(Instance { config: config.clone(), target, version: version.clone() });
        self.say(shared, None, state, failed, version);
    }

    /// Ends the connector itself. Its tasks go on.
    pub(super) fn stop_connector(&self, shared: &Shared) {
        let Some(instance) = self.inner().connector.take() else { return };
        if instance.version.is_some() {
            self.say(shared, None, State::Unassigned, None, instance.version);
        }
    }

    /// Stops the tasks numbered in `which` and starts them again with their configurations. Blocks.
    pub(super) fn restart_tasks(self: &Arc<Self>, shared: &Arc<Shared>, which: &[usize]) {
        let here = |number: &usize| Some((*number, self.inner().tasks.get(number)?.properties.clone()));
        let again: Vec<_> = which.iter().filter_map(here).collect();
        again.iter().for_each(|(number, _)| self.say(shared, Some(*number), State::Restarting, None, None));
        self.stop_tasks(shared, which);
        for (number, properties) in again {
            let paused = shared.configs.look(|configs| configs.target(&self.name)) == Some(TargetState::Paused);
            self.start_task(shared, number, properties, paused);
        }
    }

    /// Stops tasks and forgets them; those that do not end in time are left to themselves. Blocks.
    pub(super) fn stop_tasks(&self, shared: &Shared, which: &[usize]) {
        let handles: Vec<_> = which.iter().filter_map(|number| self.inner().tasks.get_mut(number)?.handle.take()).collect();
        end(&self.name, handles, shared.worker.grace());
        self.inner().tasks.retain(|number, _| !which.contains(number));
    }

    /// Pauses or resumes tasks.
    fn tell(&self, which: &[usize], paused: bool) {
        for number in which {
            let handle = self.inner().tasks.get_mut(number).and_then(|slot| {
                slot.paused = paused;
                slot.handle.take()
            });
            let Some(handle) = handle else { continue };
            if paused {
                handle.pause();
            } else {
                handle.resume();
            }
            if let Some(slot) = self.inner().tasks.get_mut(number) {
                slot.handle = Some(handle);
            }
        }
    }

    fn start_task(self: &Arc<Self>, shared: &Arc<Shared>, task: usize, properties: Properties, paused: bool) {
        let id = TaskId { connector: self.name.clone(), task };
        shared.starts.tasks.add(1);
        let sink = shared.sink_of(&properties);
        let start = {
            let mut inner = self.inner();
            inner.starts += 1;
            let start = inner.starts;
            let slot = Slot {
                start,
                properties: properties.clone(),
                version: sink.as_ref().ok().map(|sink| sink.version().to_owned()),
                state: State::Unassigned,
                paused,
                handle: None,
                metrics: Arc::new(TaskMetrics::new(shared.worker.sampling())),
            };
            inner.tasks.insert(task, slot);
            start
        };
        let sink = match sink {
            Ok(sink) => sink,
            Err(why) => return self.report(shared, &id, start, TaskEvent::Failed(why)),
        };
        let Some(metrics) = self.inner().tasks.get(&task).map(|slot| slot.metrics.clone()) else { return };
        let (local, reported) = (Arc::downgrade(self), Arc::downgrade(shared));
        let spec = TaskSpec {
            id,
            sink,
            worker: shared.worker.given.clone(),
            worker_id: shared.worker_id.clone(),
            properties,
            provision: shared.provision.clone(),
            paused,
            runtime: shared.runtime.clone(),
            memory: shared.memory.clone(),
            queue: shared.queue_of_a_task(),
            metrics,
            used: shared.worker.keys.topic_tracking_enable.then(|| topics::listener(shared)),
            report: Arc::new(move |id, event| {
                if let (Some(local), Some(shared)) = (local.upgrade(), reported.upgrade()) {
                    local.report(&shared, id, start, event);
                }
            }),
        };
        let handle = (shared.starter)(spec);
        if let Some(slot) = self.inner().tasks.get_mut(&task).filter(|slot| slot.start == start) {
            slot.handle = Some(handle);
        }
    }

    fn report(&self, shared: &Shared, id: &TaskId, start: u64, event: TaskEvent) {
        let (state, trace) = match event {
            TaskEvent::Running => (State::Running, None),
            TaskEvent::Paused => (State::Paused, None),
            TaskEvent::Stopped => (State::Unassigned, None),
            TaskEvent::Failed(trace) => (State::Failed, Some(trace)),
        };
        let version = {
            let mut inner = self.inner();
            let Some(slot) = inner.tasks.get_mut(&id.task).filter(|slot| slot.start == start) else { return };
            // A task that failed stays so until it is started again, whatever it says while it ends.
            if slot.state == State::Failed {
                return;
            }
            let started = slot.state == State::Unassigned;
            slot.state = state;
            slot.metrics.activities.set(match state {
                State::Running => Activity::Running,
                State::Paused => Activity::Paused,
                _ => Activity::Other,
            });
            if started && state != State::Unassigned {
                shared.starts.task_success.record(if state == State::Failed { 0.0 } else { 1.0 });
                let ended = if state == State::Failed { &shared.starts.task_failures } else { &shared.starts.task_successes };
                ended.add(1);
            }
            slot.version.clone()
        };
        match &trace {
            Some(trace) => tracing::error!(connector = id.connector, task = id.task, "task failed: {trace}"),
            None if state == State::Unassigned => tracing::info!(connector = id.connector, task = id.task, "task ended"),
            None => tracing::info!(connector = id.connector, task = id.task, "task is {state}"),
        }
        self.say(shared, Some(id.task), state, trace, version);
    }

    /// Says what the connector itself, or a task, is doing.
    fn say(&self, shared: &Shared, task: Option<usize>, state: State, trace: Option<String>, version: Option<String>) {
        let status = StatusRecord { state, trace, worker_id: shared.worker_id.clone(), generation: shared.generation(), version };
        let is_configured = shared.configs.look(|configs| match task {
            None => configs.contains(&self.name),
            Some(task) => task < configs.task_count(&self.name),
        });
        // The status of what is no longer configured is forgotten, or will be.
        if !is_configured && state == State::Unassigned {
            return;
        }
        // What ended here may run somewhere else by now.
        let may = |there: Option<&StatusRecord>| !matches!(state, State::Unassigned | State::Failed) || status.may_follow(there);
        let records = shared.statuses.look(|statuses| match task {
            None => may(statuses.connector(&self.name)).then(|| records::connector(&self.name, Some(&status))),
            Some(task) => may(statuses.task(&self.name, task)).then(|| records::task(&self.name, task, Some(&status))),
        });
        if let Some(records) = records {
            shared.statuses.put(records);
        }
    }

    pub(super) fn counts(&self) -> Vec<TaskCounts> {
        let inner = self.inner();
        let count = |(task, slot): (&usize, &Slot)| TaskCounts {
            id: TaskId { connector: self.name.clone(), task: *task },
            state: slot.state,
            metrics: slot.metrics.clone(),
            classes: CLASSES.map(|key| slot.properties.get(key).cloned()),
            version: slot.version.clone(),
        };
        inner.tasks.iter().map(count).collect()
    }

    pub(super) fn task_count(&self) -> usize {
        self.inner().tasks.len()
    }
}

fn end(name: &str, mut handles: Vec<Box<dyn Running>>, grace: Duration) {
    handles.iter().for_each(|handle| handle.stop());
    let deadline = Instant::now() + grace;
    for handle in &mut handles {
        if !handle.join(deadline.saturating_duration_since(Instant::now())) {
            tracing::warn!(connector = name, "a task did not end within {} ms and is left to itself", grace.as_millis());
        }
    }
}
