//! A worker from its start to its end: the REST API, the herder, and the id of the Kafka cluster.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use landfall_api::Properties;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{ModeKeys, WorkerConfig};
use crate::herder::state_store::StateStore;
use crate::herder::{Herder, Places};
use crate::kafka;
use crate::plugins::Plugins;
use crate::rest::{Access, Audit, Sockets};
use crate::task::{TaskHandle, TaskId};

/// A running worker. [`stop`](Self::stop) it; dropped, it is left to itself.
#[derive(Debug)]
pub struct Worker {
    herder: Herder,
    end: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    identified: JoinHandle<()>,
    /// Its membership in a cluster, or its hold of a store.
    member: Option<JoinHandle<Result<(), String>>>,
    reloading: JoinHandle<()>,
    reopening: JoinHandle<()>,
    /// How long what is under way may take to end.
    grace: Duration,
}

impl Worker {
    /// Starts a worker that serves its API at `sockets`: one of a cluster if the configuration has the keys of one. Alone, it is not ready
    /// yet: see [`Herder::set_ready`].
    ///
    /// # Errors
    /// The state file cannot be read or written, key stores or the file of users cannot be read, the audit log cannot be written, or the
    /// configuration does not say how to reach the cluster.
    pub async fn start(plugins: Plugins, config: WorkerConfig, sockets: Sockets) -> Result<Self, String> {
        let ports = sockets.ports();
        let (scheme, worker_id) = config.advertised(&ports);
        let given = config.given.clone();
        let access = Access::of(&config)?;
        if let Some(hubs) = kafka::EventHubs::of(&given) {
            tracing::info!("{}", hubs.told());
        }
        let grace = config.grace();
        let starter = Arc::new(|spec| Box::new(TaskHandle::start(spec)) as _);
        let (herder, member) = match config.mode.clone() {
            ModeKeys::Standalone(_) => {
                let listener = config.keys.listeners.first().cloned().unwrap_or_default();
                let store = StateStore::of(&given, &worker_id, &listener, ports.first().copied().unwrap_or(0))
                    .map_err(|faults| faults.to_string())?;
                let herder = Herder::standalone(plugins, config, worker_id, starter)?;
                match store {
                    Some(store) => {
                        let holder = herder.clone();
                        (herder, Some(tokio::spawn(async move { holder.hold(store).await })))
                    }
                    None => {
                        herder.restore().await;
                        (herder, None)
                    }
                }
            }
            ModeKeys::Distributed(keys) => {
                let places = Places::of(&keys, &given, &worker_id).map_err(|faults| faults.to_string())?;
                let url = format!("{}://{worker_id}/", scheme.name());
                let (herder, joining) = Herder::distributed(plugins, config, worker_id, url, starter);
                let member = async move {
                    let joined = joining.join(*keys, places).await;
                    joined.map_err(|e| e.to_string())
                };
                (herder, Some(tokio::spawn(member)))
            }
        };
        let (end, ended) = watch::channel(false);
        let ended = async move {
            let mut ended = ended;
            let _ = ended.wait_for(|ended| *ended).await;
        };
        let ended = ended.boxed().shared();
        let server = tokio::spawn(sockets.serve(herder.clone(), access.clone(), ended.clone()));
        let identified = tokio::spawn(identify(herder.clone(), given, ended));
        let reloading = tokio::spawn(reload(herder.clone()));
        let reopening = tokio::spawn(reopen(access.audit().clone()));
        Ok(Self { herder, end, server, identified, member, reloading, reopening, grace })
    }

    /// Keeps its connectors.
    #[must_use]
    pub const fn herder(&self) -> &Herder {
        &self.herder
    }

    /// Waits until the worker can do its work no longer, and says why.
    pub async fn failed(&mut self) -> String {
        let member = async {
            match &mut self.member {
                Some(member) => member.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut self.server => format!("the REST server ended: {ended:?}"),
            ended = member => match ended {
                Ok(Err(why)) => why,
                other => format!("the membership of the cluster, or the hold of the state, ended: {other:?}"),
            },
        }
    }

    /// Ends all tasks and answers the requests under way, within `task.shutdown.graceful.timeout.ms`.
    pub async fn stop(self) {
        tracing::info!("stopping");
        let _ = self.end.send(true);
        self.reloading.abort();
        self.reopening.abort();
        self.herder.stop().await;
        if let Some(member) = &self.member {
            member.abort();
        }
        self.herder.release().await;
        if !self.server.is_finished() && tokio::time::timeout(self.grace, self.server).await.is_err() {
            tracing::warn!("requests under way are left without an answer");
        }
        let _ = tokio::time::timeout(self.grace, self.identified).await;
        tracing::info!("stopped");
    }
}

/// Tells the herder the id of the Kafka cluster once it is known. Ends with `ended`.
async fn identify(herder: Herder, worker: Arc<Properties>, ended: impl Future<Output = ()>) {
    tokio::select! {
        id = kafka::cluster_id(&worker) => match id {
            Ok(id) => {
                tracing::info!("Kafka cluster ID: {id}");
                herder.set_cluster_id(id);
            }
            Err(e) => tracing::error!("the brokers cannot be asked for the id of their cluster: {e}"),
        },
        () = ended => {}
    }
}

/// Opens the audit log again when a SIGHUP says that it was moved away.
async fn reopen(audit: Audit) {
    if !audit.is_file() {
        // The signal ends the program then, as it always did.
        return;
    }
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        tracing::info!("SIGHUP: the audit log is opened again");
        audit.reopen();
    }
}

/// Starts tasks again whose config providers give other values than they have started with.
async fn reload(herder: Herder) {
    let Some(period) = herder.provision().period() else { return };
    loop {
        tokio::time::sleep(period).await;
        let provision = herder.provision().clone();
        let outdated = tokio::task::spawn_blocking(move || provision.outdated()).await;
        for TaskId { connector, task } in outdated.unwrap_or_default() {
            let number = i32::try_from(task).unwrap_or(i32::MAX);
            if let Err(error) = herder.restart_task(&connector, number).await {
                tracing::warn!("task {connector}-{task} does not start again: {error}");
            }
        }
    }
}
