//! The herder as the rest of the worker sees it, and what all that runs on the worker shares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use futures::future::join_all;
use landfall_api::metrics::{Counter, Sampled, Window};
use landfall_api::{Memory, Properties, SinkConnector};
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, watch};

use super::cluster::peers::Peers;
use super::cluster::signature::{self, Refused, verify};
use super::cluster::{Cluster, ClusterCounts};
use super::connector_config::{Checked, Secrets, Submitted, check};
use super::plan::Wanted;
use super::running::Local;
use super::state_file::StateFile;
use super::state_store::{RENEWED, StateStore, Unwritten};
use super::store::{Configs, StatusBoard};
use super::topics::Written;
use super::{Error, Info, Starter, Status, TargetState, TaskCounts};
use crate::config::{ModeKeys, StandaloneKeys, WorkerConfig, WorkerKeys, millis};
use crate::log_levels::Loggers;
use crate::plugins::Plugins;
use crate::state::StatusRecord;
use crate::state::status::records;
use crate::task::Provision;

/// The bytes that librdkafka fetches ahead, at least, however many tasks there are.
const LEAST_QUEUE: usize = 1 << 20;
/// The same at most: enough to never wait for a broker that is near.
const MOST_QUEUE: usize = 32 << 20;

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
    /// 1 for each connector that was started, 0 for each that could not be.
    pub connector_success: Sampled,
    /// Tasks that were to be started.
    pub tasks: Counter,
    /// Tasks that began to consume, or to wait paused.
    pub task_successes: Counter,
    /// Tasks that failed before they did.
    pub task_failures: Counter,
    /// 1 for each task of the one kind, 0 for each of the other.
    pub task_success: Sampled,
}

impl Starts {
    fn new(window: Window) -> Self {
        Self { connector_success: Sampled::new(window), task_success: Sampled::new(window), ..Self::default() }
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
    pub(super) provision: Arc<Provision>,
    /// What all tasks share.
    pub(super) memory: Arc<Memory>,
    pub(super) topics: Written,
    pub(super) loggers: Loggers,
    pub(super) configs: Configs,
    pub(super) statuses: StatusBoard,
    /// The other workers, unless this one is alone.
    pub(super) cluster: Option<Cluster>,
    /// What runs here. A name stays for as long as the worker runs, so that there is one turn of it.
    locals: RwLock<BTreeMap<String, Arc<Local>>>,
    cluster_id: OnceLock<String>,
    ready: AtomicBool,
    /// Whether what is to run is known.
    started: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(
        plugins: Plugins,
        worker: WorkerConfig,
        worker_id: String,
        starter: Starter,
        (configs, statuses): (Configs, StatusBoard),
        cluster: Option<Cluster>,
    ) -> Arc<Self> {
        let (memory, sampling) = (Memory::new(worker.memory()), worker.sampling());
        let provision = Arc::new(Provision::of(&worker));
        let started = watch::Sender::new(cluster.is_none() && configs.unknown().is_none());
        Arc::new(Self {
            provision,
            started,
            plugins,
            worker,
            worker_id,
            runtime: Handle::current(),
            starter,
            starts: Starts::new(sampling),
            memory,
            topics: Written::default(),
            loggers: Loggers::default(),
            configs,
            statuses,
            cluster,
            locals: RwLock::default(),
            cluster_id: OnceLock::new(),
            ready: AtomicBool::new(false),
        })
    }

    /// Waits until all that other workers have written to the config topic counts here; whether it does within `worker.sync.timeout.ms`.
    pub(super) async fn read_configs(&self) -> bool {
        let timeout = self.worker.distributed().map_or(0, |keys| keys.worker_sync_timeout_ms);
        self.configs.read_to_end(millis(timeout.into())).await
    }

    /// The fetch queues of all tasks get a quarter of the worker's memory, each an equal share among the tasks that there are when it
    /// starts.
    pub(super) fn queue_of_a_task(&self) -> usize {
        let tasks: usize = self.locals().iter().map(|local| local.task_count()).sum();
        (self.memory.limit() / 4 / tasks.max(1)).clamp(LEAST_QUEUE, MOST_QUEUE)
    }

    /// What runs here, by name.
    pub(super) fn locals(&self) -> Vec<Arc<Local>> {
        self.locals.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What runs here of the connector `name`.
    pub(super) fn local(&self, name: &str) -> Arc<Local> {
        if let Some(local) = self.locals.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return local.clone();
        }
        let mut locals = self.locals.write().unwrap_or_else(PoisonError::into_inner);
        locals.entry(name.to_owned()).or_insert_with(|| Arc::new(Local::new(name))).clone()
    }

    /// The class of a connector.
    pub(super) fn sink_of(&self, config: &Properties) -> Result<&'static dyn SinkConnector, String> {
        let mut properties = config.clone();
        if let Some(class) = self.provision.value(config, "connector.class") {
            properties.insert("connector.class".into(), class);
        }
        let class = properties.get("connector.class").map_or("", String::as_str);
        let none = || {
            format!(
                "Failed to find any class that implements Connector and which name matches {class}: this worker runs sinks only, see /connector-plugins"
            )
        };
        self.plugins.sink_of(&properties).ok_or_else(none)
    }

    /// The generation of the group in which this worker acts; 0 alone.
    pub(super) fn generation(&self) -> i32 {
        self.cluster.as_ref().map_or(0, |cluster| cluster.membership().generation)
    }

    /// What is to run here of the connector `name`.
    pub(super) fn wanted(&self, name: &str) -> Wanted {
        let membership = self.cluster.as_ref().map(Cluster::membership);
        let here = |task: usize| membership.as_ref().is_none_or(|membership| membership.has_task(name, task));
        self.configs.look(|configs| {
            let is_here = membership.as_ref().is_none_or(|membership| membership.has_connector(name));
            let tasks = configs.tasks(name).filter(|(number, _)| here(*number));
            Wanted {
                connector: configs.config(name).filter(|_| is_here).cloned(),
                target: configs.target(name).unwrap_or_default(),
                tasks: tasks.map(|(number, task)| (number, task.clone())).collect(),
            }
        })
    }
}

/// What a configuration says, without its nulls.
pub(super) fn given(config: &Submitted) -> Properties {
    config.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
}

/// Properties as a configuration that has no nulls.
pub(super) fn submitted(properties: Properties) -> Submitted {
    properties.into_iter().map(|(key, value)| (key, Some(value))).collect()
}

impl Herder {
    /// The herder of a worker that is alone, known as `worker_id` (`StandaloneHerder` of Kafka 4.3.1). What the state file holds is there,
    /// and runs after [`Self::restore`]; what a store holds comes with [`Self::hold`].
    ///
    /// # Errors
    /// The state file cannot be read.
    pub fn standalone(plugins: Plugins, worker: WorkerConfig, worker_id: String, starter: Starter) -> Result<Self, String> {
        if let ModeKeys::Standalone(StandaloneKeys { state: Some(place), .. }) = &worker.mode {
            let stores = (Configs::in_store(place), StatusBoard::alone());
            return Ok(Self { shared: Shared::new(plugins, worker, worker_id, starter, stores, None) });
        }
        let (file, stored) = match worker.state_file() {
            Some(path) => {
                let (file, stored) = StateFile::open(path).map_err(|e| format!("landfall.state.file: {e}"))?;
                (Some(file), stored)
            }
            None => (None, BTreeMap::new()),
        };
        let stores = (Configs::alone(file, stored), StatusBoard::alone());
        Ok(Self { shared: Shared::new(plugins, worker, worker_id, starter, stores, None) })
    }

    /// Takes the state store, starts what it holds, and holds it until the worker ends or cannot any longer.
    ///
    /// # Errors
    /// Another worker holds it or takes it over, or the store refuses this one.
    pub async fn hold(&self, store: StateStore) -> Result<(), String> {
        self.shared.configs.hold(store.take().await?);
        tracing::info!("connectors are kept in {}", store.shown());
        let herder = self.clone();
        tokio::spawn(async move {
            herder.restore().await;
            herder.set_started();
        });
        let mut failing = false;
        loop {
            tokio::time::sleep(RENEWED).await;
            match self.shared.configs.renew().await {
                Ok(()) if failing => {
                    tracing::info!("{} is there again", store.shown());
                    failing = false;
                }
                Ok(()) => {}
                Err(Unwritten::Away(why)) if failing => tracing::debug!("{why}"),
                Err(Unwritten::Away(why)) => {
                    tracing::warn!("{why}; what runs goes on, and nothing can be changed until it is there again");
                    failing = true;
                }
                Err(Unwritten::Lost(why)) => return Err(format!("{why}; this worker ends")),
            }
        }
    }

    /// Why nothing can be said or changed of connectors just now: what is to run is not known yet.
    #[must_use]
    pub fn unavailable(&self) -> Option<String> {
        self.shared.configs.unknown()
    }

    /// Leaves the state store to the next worker.
    pub async fn release(&self) {
        self.shared.configs.release().await;
    }

    /// Starts what was kept of connectors.
    pub async fn restore(&self) {
        let restore = async |name: String| {
            tracing::info!(connector = name, "restored from the worker's state");
            let _turn = self.turn(&name).await;
            if let Err(why) = self.settle(&name).await {
                tracing::error!(connector = name, "not as the worker's state has it: {why}");
            }
        };
        join_all(self.names().into_iter().map(restore)).await;
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

    /// Says that what is to run is known.
    pub(super) fn set_started(&self) {
        self.shared.started.send_replace(true);
    }

    /// Waits until what is to run is known: a worker of a cluster reads it first.
    pub async fn started(&self) {
        let _ = self.shared.started.subscribe().wait_for(|started| *started).await;
    }

    /// Resolves once the herder can do what it is asked to.
    pub async fn health_check(&self) {
        let herder = self.clone();
        // Answers when threads that block are to be had, and no lock is held for good.
        let _ = tokio::task::spawn_blocking(move || herder.names().len()).await;
        if let Some(cluster) = &self.shared.cluster {
            cluster.answers().await;
        }
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
    pub fn worker(&self) -> &Properties {
        &self.shared.worker.given
    }

    /// Asks the other workers of the cluster; None alone.
    #[must_use]
    pub fn peers(&self) -> Option<&Peers> {
        self.shared.cluster.as_ref().map(|cluster| &cluster.peers)
    }

    /// Looks at the signature of a request of another worker. Before the group has agreed on signatures none is needed, as in Java.
    ///
    /// # Errors
    /// It is none.
    pub fn verify(&self, signature: Option<&str>, algorithm: Option<&str>, body: &[u8]) -> Result<(), Refused> {
        if !self.shared.cluster.as_ref().is_some_and(Cluster::signs) {
            return Ok(());
        }
        let ModeKeys::Distributed(keys) = &self.shared.worker.mode else { return Ok(()) };
        let accepted = &keys.inter_worker_verification_algorithms;
        let key = self.shared.configs.look(|configs| configs.session_key().cloned());
        verify(signature, algorithm, accepted, key.as_ref(), body)
    }

    /// Whether requests between workers are signed: not before the group has agreed on it, and not alone.
    #[must_use]
    pub fn signs(&self) -> bool {
        self.shared.cluster.as_ref().is_some_and(Cluster::signs)
    }

    /// The code that signs `body` for another worker, and the name of its algorithm; None where nothing is signed.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> Option<(String, String)> {
        let keys = self.shared.worker.distributed().filter(|_| self.signs())?;
        let key = self.shared.configs.look(|configs| configs.session_key().cloned())?;
        let headers = signature::headers(&key, &keys.inter_worker_signature_algorithm, body);
        let mut values = headers.into_iter().map(|(_, value)| value);
        values.next().zip(values.next())
    }

    /// What they mean.
    #[must_use]
    pub fn keys(&self) -> &WorkerKeys {
        &self.shared.worker.keys
    }

    /// All that they mean.
    #[must_use]
    pub fn config(&self) -> &WorkerConfig {
        &self.shared.worker
    }

    /// What tasks get from config providers.
    #[must_use]
    pub fn provision(&self) -> &Arc<Provision> {
        &self.shared.provision
    }

    /// How often connectors and tasks were started.
    #[must_use]
    pub fn starts(&self) -> &Starts {
        &self.shared.starts
    }

    /// What this worker counts of its cluster; None alone.
    #[must_use]
    pub fn cluster_counts(&self) -> Option<ClusterCounts<'_>> {
        self.shared.cluster.as_ref().map(Cluster::counts)
    }

    /// The memory that all tasks share.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// The names of all connectors, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.configs.look(|configs| configs.connectors().map(str::to_owned).collect())
    }

    /// The names of the connectors that run on this worker, in order.
    #[must_use]
    pub fn local_names(&self) -> Vec<String> {
        let locals = self.shared.locals().into_iter();
        locals.filter(|local| local.connector().is_some()).map(|local| local.name.clone()).collect()
    }

    /// A connector, with its secrets hidden.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn info(&self, name: &str) -> Result<Info, Error> {
        let info = self.shared.configs.look(|configs| {
            let config = given(configs.config(name)?);
            let secrets = Secrets::of(&self.shared.plugins, &config);
            Some(Info { name: name.to_owned(), config: secrets.hide(&config), tasks: configs.task_count(name) })
        });
        info.ok_or_else(|| Error::NotFound(format!("Connector {name} not found")))
    }

    /// The configurations of a connector's tasks, by number, with its secrets hidden.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn task_configs(&self, name: &str) -> Result<Vec<Properties>, Error> {
        let tasks = self.shared.configs.look(|configs| {
            let secrets = Secrets::of(&self.shared.plugins, &given(configs.config(name)?));
            Some(configs.tasks(name).map(|(_, task)| secrets.hide(task)).collect())
        });
        tasks.ok_or_else(|| Error::NotFound(format!("Connector {name} not found")))
    }

    /// What a connector and its tasks are doing.
    ///
    /// # Errors
    /// Nothing is known of one of this name.
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        let status = self.shared.statuses.look(|statuses| {
            let connector = statuses.connector(name)?.clone();
            let tasks = statuses.tasks(name).map(|(number, status)| (number, status.clone())).collect();
            Some(Status { name: name.to_owned(), connector, tasks })
        });
        status.ok_or_else(|| Error::NotFound(format!("No status found for connector {name}")))
    }

    /// What a task is doing.
    ///
    /// # Errors
    /// Nothing is known of such a task.
    pub fn task_status(&self, name: &str, task: i32) -> Result<StatusRecord, Error> {
        let status = self.shared.statuses.look(|statuses| statuses.task(name, usize::try_from(task).ok()?).cloned());
        status.ok_or_else(|| Error::NotFound(format!("No status found for task {name}-{task}")))
    }

    /// The tasks that are on this worker, for metrics.
    #[must_use]
    pub fn counts(&self) -> Vec<TaskCounts> {
        self.shared.locals().iter().flat_map(|local| local.counts()).collect()
    }

    /// Looks at a configuration without doing anything with it.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(&self, submitted: &Submitted) -> Result<Checked, Error> {
        check(&self.shared.plugins, &self.shared.worker, submitted)
    }

    /// Ends all that runs here, within `task.shutdown.graceful.timeout.ms` for all together, and the membership in a cluster. What is to
    /// run stays as it is.
    pub async fn stop(&self) {
        if let Some(cluster) = &self.shared.cluster {
            return cluster.stop().await;
        }
        self.end_all().await;
    }

    /// Ends all that runs here.
    pub(super) async fn end_all(&self) {
        let grace = self.shared.worker.grace();
        let stops = self.shared.locals().into_iter().map(|local| async move {
            // An operation under way has the same time to end.
            let _turn = tokio::time::timeout(grace, local.turn.clone().lock_owned()).await;
            let shared = self.shared.clone();
            let stop = move || local.reconcile(&shared, &Wanted::default());
            let _ = tokio::task::spawn_blocking(stop).await;
        });
        join_all(stops).await;
    }

    /// The turn of the connector `name`: who has it is alone in changing what runs here of it.
    pub(super) async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        self.shared.local(name).turn.clone().lock_owned().await
    }

    /// Makes what runs here of `name` what is to run here; its caller has the turn. The connector itself, where it starts, makes the
    /// configurations of tasks.
    pub(super) async fn settle(&self, name: &str) -> Result<(), Error> {
        let local = self.shared.local(name);
        let wanted = self.shared.wanted(name);
        // As in Java, one that is paused keeps the tasks that it has.
        let makes_tasks = wanted.connector.is_some() && wanted.target == TargetState::Started;
        self.reconcile(&local, wanted).await;
        if makes_tasks {
            self.make_tasks(name).await?;
        }
        if self.shared.cluster.is_none() {
            self.reconcile(&local, self.shared.wanted(name)).await;
        }
        Ok(())
    }

    async fn reconcile(&self, local: &Arc<Local>, wanted: Wanted) {
        let (local, shared) = (local.clone(), self.shared.clone());
        let _ = tokio::task::spawn_blocking(move || local.reconcile(&shared, &wanted)).await;
    }

    /// Forgets what is known of connectors and tasks that are not configured (`AbstractHerder.onDeletion`).
    pub(super) fn forget_statuses(&self) {
        let configs = self.shared.configs.now();
        let gone = self.shared.statuses.look(|statuses| {
            let mut gone = Vec::new();
            for name in statuses.connectors().filter(|name| !configs.contains(name)) {
                gone.extend(records::connector(name, None));
                gone.extend(statuses.topics(name).flat_map(|(topic, _)| records::topic(name, topic, None)));
            }
            for name in statuses.connectors() {
                let count = configs.task_count(name);
                let tasks = statuses.tasks(name).filter(|(number, _)| *number >= count);
                gone.extend(tasks.flat_map(|(number, _)| records::task(name, number, None)));
            }
            gone
        });
        if !gone.is_empty() {
            self.shared.statuses.put(gone);
        }
    }
}
