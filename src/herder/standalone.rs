//! The herder of a worker that is alone (`StandaloneHerder` of Kafka 4.3.1).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use futures::future::join_all;
use landfall_api::Memory;
use landfall_api::metrics::Counter;
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;

use super::connector_config::{Checked, Secrets, Submitted, check};
use super::state_file::{StateFile, Stored};
use super::topics::ActiveTopics;
use super::{Connector, Error, Info, Starter, State, Status, TargetState, TaskCounts, TaskStatus};
use crate::config::{WorkerConfig, WorkerKeys};
use crate::log_levels::Loggers;
use crate::plugins::Plugins;

/// The bytes that librdkafka fetches ahead, at least, however many tasks there are.
const LEAST_QUEUE: usize = 1 << 20;
/// The same at most: enough to never wait for a broker that is near.
const MOST_QUEUE: usize = 32 << 20;

/// What a restart takes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// The tasks too.
    pub include_tasks: bool,
    /// Only what failed.
    pub only_failed: bool,
}

/// The herder. Clones are the same herder.
#[derive(Clone)]
pub struct Herder {
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for Herder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herder").field("connectors", &self.names()).finish_non_exhaustive()
    }
}

/// How often something was started, and how often that failed.
#[derive(Debug, Default)]
pub struct Starts {
    /// Connectors that were to be started.
    pub connectors: Counter,
    /// Connectors that could not be.
    pub connector_failures: Counter,
    /// Tasks that were to be started.
    pub tasks: Counter,
}

impl Starts {
    pub(super) fn attempt_task(&self) {
        self.tasks.add(1);
    }
}

/// What all connectors share.
pub(super) struct Shared {
    pub(super) plugins: Plugins,
    pub(super) worker: WorkerConfig,
    pub(super) worker_id: String,
    pub(super) runtime: Handle,
    pub(super) starter: Starter,
    pub(super) starts: Starts,
    /// What all tasks share.
    pub(super) memory: Arc<Memory>,
    pub(super) topics: Arc<ActiveTopics>,
    pub(super) loggers: Loggers,
    connectors: RwLock<BTreeMap<String, Arc<Connector>>>,
    state_file: Option<StateFile>,
    /// Connectors of the state file that this worker does not take: they stay in the file.
    refused: Mutex<BTreeMap<String, Stored>>,
    cluster_id: OnceLock<String>,
    ready: AtomicBool,
}

impl Shared {
    /// How long tasks may take to end.
    pub(super) fn grace(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.worker.keys.task_shutdown_graceful_timeout_ms).unwrap_or(0))
    }

    /// The fetch queues of all tasks get a quarter of the worker's memory, each an equal share among the tasks that there are when it
    /// starts.
    pub(super) fn queue_of_a_task(&self) -> usize {
        let tasks: usize = self.all().iter().map(|connector| connector.inner().task_count()).sum();
        (self.memory.limit() / 4 / tasks.max(1)).clamp(LEAST_QUEUE, MOST_QUEUE)
    }

    fn all(&self) -> Vec<Arc<Connector>> {
        self.connectors.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Connector>> {
        self.connectors.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Writes what is to survive a restart.
    fn remember(&self) -> Result<(), Error> {
        let Some(file) = &self.state_file else { return Ok(()) };
        let stored = || {
            let mut all = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for connector in self.all() {
                let inner = connector.inner();
                if inner.kept {
                    let stored = Stored { config: inner.config.clone(), target_state: inner.target };
                    all.insert(connector.name.clone(), stored);
                }
            }
            all
        };
        file.write(stored).map_err(|e| Error::Internal(format!("the change is made and not remembered: {e}")))
    }
}

impl Herder {
    /// The herder of the worker known as `worker_id`. Connectors that the state file holds are started.
    ///
    /// # Errors
    /// The state file cannot be read.
    pub fn start(plugins: Plugins, worker: WorkerConfig, worker_id: String, starter: Starter) -> Result<Self, String> {
        let (state_file, stored) = match worker.state_file() {
            Some(path) => {
                let (file, stored) = StateFile::open(path).map_err(|e| format!("landfall.state.file: {e}"))?;
                (Some(file), stored)
            }
            None => (None, BTreeMap::new()),
        };
        let memory = Memory::new(worker.memory());
        let shared = Arc::new(Shared {
            plugins,
            worker,
            worker_id,
            runtime: Handle::current(),
            starter,
            starts: Starts::default(),
            memory,
            topics: Arc::default(),
            loggers: Loggers::default(),
            connectors: RwLock::default(),
            state_file,
            refused: Mutex::default(),
            cluster_id: OnceLock::new(),
            ready: AtomicBool::new(false),
        });
        let herder = Self { shared };
        for (name, stored) in stored {
            herder.restore(&name, stored);
        }
        Ok(herder)
    }

    /// Takes up a connector of the state file.
    fn restore(&self, name: &str, stored: Stored) {
        let submitted = stored.config.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect();
        let checked = match self.checked(&submitted) {
            Ok(checked) => checked,
            // It was valid once; that this worker takes it no more must not keep the others from running.
            Err(error) => {
                tracing::error!(connector = name, "not restored from the state file: {error}");
                self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), stored);
                return;
            }
        };
        tracing::info!(connector = name, "restored from the state file");
        let connector = Arc::new(Connector::new(name, checked.sink, checked.properties, stored.target_state));
        connector.inner().kept = true;
        self.shared.connectors.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), connector.clone());
        self.shared.starts.connectors.add(1);
        connector.reconcile(&self.shared);
    }

    /// Says that the worker has started up.
    pub fn set_ready(&self) {
        self.shared.ready.store(true, Ordering::Release);
    }

    /// Whether the worker has started up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Acquire)
    }

    /// Resolves once the herder can do what it is asked to.
    pub async fn health_check(&self) {
        let herder = self.clone();
        // Answers when threads that block are to be had, and no lock is held for good.
        let _ = tokio::task::spawn_blocking(move || herder.names().len()).await;
    }

    /// Takes up the id of the Kafka cluster, once it is known.
    pub fn set_cluster_id(&self, id: String) {
        let _ = self.shared.cluster_id.set(id);
    }

    /// The id of the Kafka cluster, if it is known yet.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.shared.cluster_id.get().map(String::as_str)
    }

    /// `host:port` by which statuses name the worker.
    #[must_use]
    pub fn worker_id(&self) -> &str {
        &self.shared.worker_id
    }

    /// The plugins that it works with.
    #[must_use]
    pub fn plugins(&self) -> Plugins {
        self.shared.plugins
    }

    /// The worker's properties, as its user wrote them.
    #[must_use]
    pub fn worker(&self) -> &landfall_api::Properties {
        &self.shared.worker.given
    }

    /// What they mean.
    #[must_use]
    pub fn keys(&self) -> &WorkerKeys {
        &self.shared.worker.keys
    }

    /// How often connectors and tasks were started.
    #[must_use]
    pub fn starts(&self) -> &Starts {
        &self.shared.starts
    }

    /// The memory that all tasks share.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// The names of all connectors, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.all().iter().map(|connector| connector.name.clone()).collect()
    }

    /// A connector, with its secrets hidden.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn info(&self, name: &str) -> Result<Info, Error> {
        let connector = self.shared.get(name).ok_or_else(|| Error::NotFound(format!("Connector {name} not found")))?;
        Ok(self.info_of(&connector))
    }

    fn info_of(&self, connector: &Connector) -> Info {
        let inner = connector.inner();
        let secrets = Secrets::of(&self.shared.plugins, &inner.config);
        let tasks = inner.tasks().iter().map(|task| secrets.hide(task)).collect();
        Info { name: connector.name.clone(), config: secrets.hide(&inner.config), tasks }
    }

    /// What a connector and its tasks are doing.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        let connector = self.shared.get(name);
        connector.map(|c| c.status()).ok_or_else(|| Error::NotFound(format!("No status found for connector {name}")))
    }

    /// What a task is doing.
    ///
    /// # Errors
    /// There is no such task.
    pub fn task_status(&self, name: &str, task: i32) -> Result<TaskStatus, Error> {
        let tasks = self.shared.get(name).map(|connector| connector.status().tasks).unwrap_or_default();
        let status = usize::try_from(task).ok().and_then(|task| tasks.get(task).cloned());
        status.ok_or_else(|| Error::NotFound(format!("No status found for task {name}-{task}")))
    }

    /// All tasks, for metrics.
    #[must_use]
    pub fn counts(&self) -> Vec<TaskCounts> {
        self.shared.all().iter().flat_map(|connector| connector.counts()).collect()
    }

    /// Looks at a configuration without doing anything with it.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(&self, submitted: &Submitted) -> Result<Checked, Error> {
        check(&self.shared.plugins, &self.shared.worker, submitted)
    }

    /// Creates a connector.
    ///
    /// # Errors
    /// It is there already, or its configuration is invalid.
    pub async fn create(&self, name: &str, config: Submitted, target: TargetState, keep: bool) -> Result<Info, Error> {
        let checked = self.checked(&config)?;
        let connector = Arc::new(Connector::new(name, checked.sink, checked.properties, target));
        connector.inner().kept = keep;
        let turn = connector.turn.clone().lock_owned().await;
        {
            let mut all = self.shared.connectors.write().unwrap_or_else(PoisonError::into_inner);
            if all.contains_key(name) {
                return Err(Error::Exists(name.to_owned()));
            }
            all.insert(name.to_owned(), connector.clone());
        }
        self.shared.starts.connectors.add(1);
        self.run(turn, connector, move |herder, connector| {
            connector.reconcile(&herder.shared);
            if keep {
                herder.shared.remember()?;
            }
            Ok(herder.info_of(connector))
        })
        .await
    }

    /// Creates a connector or changes its configuration; whether it is new.
    ///
    /// # Errors
    /// Its configuration is invalid.
    pub async fn put(&self, name: &str, config: Submitted) -> Result<(bool, Info), Error> {
        loop {
            let Some(connector) = self.shared.get(name) else {
                match self.create(name, config.clone(), TargetState::Started, true).await {
                    Err(Error::Exists(_)) => continue,
                    created => return created.map(|info| (true, info)),
                }
            };
            let config = config.clone();
            let turn = connector.turn.clone().lock_owned().await;
            if connector.inner().deleted {
                continue;
            }
            let replaced = self.run(turn, connector, move |herder, connector| herder.replace(connector, config)).await;
            return replaced.map(|info| (false, info));
        }
    }

    /// Changes single keys of a connector's configuration; null takes one away.
    ///
    /// # Errors
    /// There is none of this name, or the configuration becomes invalid.
    pub async fn patch(&self, name: &str, patch: Submitted) -> Result<Info, Error> {
        self.on(name, format!("Connector {name} not found"), |herder, connector| {
            let stored = connector.inner().config.clone();
            let mut config: Submitted = stored.into_iter().map(|(k, v)| (k, Some(v))).collect();
            let (changed, removed): (Submitted, Submitted) = patch.into_iter().partition(|(_, value)| value.is_some());
            config.extend(changed);
            config.retain(|key, _| !removed.contains_key(key));
            herder.replace(connector, config)
        })
        .await
    }

    /// Gives a connector a new configuration. Blocks.
    fn replace(&self, connector: &Arc<Connector>, mut config: Submitted) -> Result<Info, Error> {
        let stored = connector.inner().config.clone();
        Secrets::of(&self.shared.plugins, &stored).restore(&stored, &mut config);
        let checked = self.checked(&config)?;
        {
            let mut inner = connector.inner();
            (inner.sink, inner.config, inner.kept) = (checked.sink, checked.properties, true);
        }
        let remembered = self.shared.remember();
        connector.reconcile(&self.shared);
        remembered?;
        Ok(self.info_of(connector))
    }

    /// Sets what a connector should be doing and makes it so.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), Error> {
        self.on(name, format!("Unknown connector {name}"), move |herder, connector| {
            {
                let mut inner = connector.inner();
                (inner.target, inner.kept) = (target, true);
            }
            let remembered = herder.shared.remember();
            connector.reconcile(&herder.shared);
            remembered
        })
        .await
    }

    /// Ends a connector and forgets it.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.on(name, format!("Connector {name} not found"), |herder, connector| {
            connector.stop_tasks(herder.shared.grace());
            connector.inner().deleted = true;
            herder.shared.connectors.write().unwrap_or_else(PoisonError::into_inner).remove(&connector.name);
            herder.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(&connector.name);
            herder.shared.topics.reset(&connector.name);
            tracing::info!(connector = %connector.name, "deleted");
            herder.shared.remember()
        })
        .await
    }

    /// Starts a connector and its tasks again, as far as `restart` takes them in; gives the plan as Java shows it.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn restart(&self, name: &str, restart: Restart) -> Result<Status, Error> {
        self.on(name, format!("Unknown connector: {name}"), move |herder, connector| {
            let mut plan = connector.status();
            // A connector has no state of its own that could fail, so it is never among the failed.
            if !restart.only_failed {
                plan.state = State::Restarting;
            }
            let mut which = Vec::new();
            for (number, task) in plan.tasks.iter_mut().enumerate() {
                if restart.include_tasks && (!restart.only_failed || task.state == State::Failed) {
                    task.state = State::Restarting;
                    which.push(number);
                }
            }
            connector.restart_tasks(&herder.shared, &which);
            Ok(plan)
        })
        .await
    }

    /// Starts a task again.
    ///
    /// # Errors
    /// There is no such task.
    pub async fn restart_task(&self, name: &str, task: i32) -> Result<(), Error> {
        self.on(name, format!("Unknown connector: {name}"), move |herder, connector| {
            let count = connector.inner().task_count();
            let number = usize::try_from(task).ok().filter(|number| *number < count);
            let number = number.ok_or_else(|| Error::NotFound(format!("Unknown task: {}-{task}", connector.name)))?;
            connector.restart_tasks(&herder.shared, &[number]);
            Ok(())
        })
        .await
    }

    /// Ends all tasks, within `task.shutdown.graceful.timeout.ms` for all together. Connectors keep their target state.
    pub async fn stop(&self) {
        let grace = self.shared.grace();
        let stops = self.shared.all().into_iter().map(|connector| async move {
            // An operation under way has the same time to end.
            let _turn = tokio::time::timeout(grace, connector.turn.clone().lock_owned()).await;
            let _ = tokio::task::spawn_blocking(move || connector.stop_tasks(grace)).await;
        });
        join_all(stops).await;
    }

    fn checked(&self, config: &Submitted) -> Result<Checked, Error> {
        let checked = self.check(config).inspect_err(|_| self.shared.starts.connector_failures.add(1))?;
        if !checked.faults.is_empty() {
            return Err(Error::Invalid(checked.faults));
        }
        let name = checked.properties.get("name").map_or("", String::as_str);
        checked.warnings.iter().for_each(|warning| tracing::warn!(connector = name, "{warning}"));
        Ok(checked)
    }

    /// Runs `operation` on the connector `name` when it is its turn.
    pub(super) async fn on<T: Send + 'static>(
        &self,
        name: &str,
        unknown: String,
        operation: impl FnOnce(&Self, &Arc<Connector>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(connector) = self.shared.get(name) else { return Err(Error::NotFound(unknown)) };
        let turn = connector.turn.clone().lock_owned().await;
        if connector.inner().deleted {
            return Err(Error::NotFound(unknown));
        }
        self.run(turn, connector, operation).await
    }

    /// Runs `operation` to its end where blocking is allowed, even if the client who asked for it goes away.
    async fn run<T: Send + 'static>(
        &self,
        turn: OwnedMutexGuard<()>,
        connector: Arc<Connector>,
        operation: impl FnOnce(&Self, &Arc<Connector>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let herder = self.clone();
        let ended = tokio::task::spawn_blocking(move || {
            let result = operation(&herder, &connector);
            drop(turn);
            result
        });
        ended.await.unwrap_or_else(|_| Err(Error::Internal("the operation ended unexpectedly".into())))
    }
}
