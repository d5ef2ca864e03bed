//! A worker from its start to its end: the REST API, the herder, and the id of the Kafka cluster.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use landfall_api::Properties;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{ModeKeys, WorkerConfig};
use crate::herder::{Herder, Places};
use crate::kafka;
use crate::plugins::Plugins;
use crate::rest::{Guard, Sockets};
use crate::task::{TaskHandle, TaskId};

/// A running worker. [`stop`](Self::stop) it; dropped, it is left to itself.
#[derive(Debug)]
pub struct Worker {
    herder: Herder,
    end: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    identified: JoinHandle<()>,
    /// Its membership in a cluster.
    member: Option<JoinHandle<Result<(), String>>>,
    reloading: JoinHandle<()>,
    /// How long what is under way may take to end.
    grace: Duration,
}

impl Worker {
    /// Starts a worker that serves its API at `sockets`: one of a cluster if the configuration has the keys of one. Alone, it is not ready
    /// yet: see [`Herder::set_ready`].
    ///
    /// # Errors
    /// The state file cannot be read or written, the file of users cannot be read, or the configuration does not say how to reach the
    /// cluster.
    pub async fn start(plugins: Plugins, config: WorkerConfig, sockets: Sockets) -> Result<Self, String> {
        let worker_id = config.advertised(sockets.port());
        let given = config.given.clone();
        let guard = Guard::of(&config.keys)?;
        if let Some(hubs) = kafka::EventHubs::of(&given) {
            tracing::info!("{}", hubs.told());
        }
        let grace = config.grace();
        let starter = Arc::new(|spec| Box::new(TaskHandle::start(spec)) as _);
        let (herder, member) = match config.mode.clone() {
            ModeKeys::Standalone(_) => {
                let herder = Herder::standalone(plugins, config, worker_id, starter)?;
                herder.restore().await;
                (herder, None)
            }
            ModeKeys::Distributed(keys) => {
                let places = Places::of(&keys, &given, &worker_id).map_err(|faults| faults.to_string())?;
                let url = format!("http://{worker_id}/");
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
        let server = tokio::spawn(sockets.serve(herder.clone(), guard, ended.clone()));
        let identified = tokio::spawn(identify(herder.clone(), given, ended));
        let reloading = tokio::spawn(reload(herder.clone()));
        Ok(Self { herder, end, server, identified, member, reloading, grace })
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
                other => format!("the membership of the cluster ended: {other:?}"),
            },
        }
    }

    /// Ends all tasks and answers the requests under way, within `task.shutdown.graceful.timeout.ms`.
    pub async fn stop(self) {
        tracing::info!("stopping");
        let _ = self.end.send(true);
        self.reloading.abort();
        self.herder.stop().await;
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
