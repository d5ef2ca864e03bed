//! A worker from its start to its end: the REST API, the herder, and the id of the Kafka cluster.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use landfall_api::Properties;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::WorkerConfig;
use crate::herder::Herder;
use crate::kafka;
use crate::plugins::Plugins;
use crate::rest::{Guard, Sockets};
use crate::task::TaskHandle;

/// A running worker. [`stop`](Self::stop) it; dropped, it is left to itself.
#[derive(Debug)]
pub struct Worker {
    herder: Herder,
    end: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    identified: JoinHandle<()>,
    /// How long what is under way may take to end.
    grace: Duration,
}

impl Worker {
    /// Starts a worker that serves its API at `sockets`. It is not ready yet: see [`Herder::set_ready`].
    ///
    /// # Errors
    /// The state file cannot be read or written, or the file of users cannot be read.
    pub fn start(plugins: Plugins, config: WorkerConfig, sockets: Sockets) -> Result<Self, String> {
        let worker_id = config.advertised(sockets.port());
        let given = config.given.clone();
        let guard = Guard::of(&config.keys)?;
        let grace = Duration::from_millis(u64::try_from(config.keys.task_shutdown_graceful_timeout_ms).unwrap_or(0));
        let starter = Arc::new(|spec| Box::new(TaskHandle::start(spec)) as _);
        let herder = Herder::start(plugins, config, worker_id, starter)?;
        let (end, ended) = watch::channel(false);
        let ended = async move {
            let mut ended = ended;
            let _ = ended.wait_for(|ended| *ended).await;
        };
        let ended = ended.boxed().shared();
        let server = tokio::spawn(sockets.serve(herder.clone(), guard, ended.clone()));
        let identified = tokio::spawn(identify(herder.clone(), given, ended));
        Ok(Self { herder, end, server, identified, grace })
    }

    /// Keeps its connectors.
    #[must_use]
    pub const fn herder(&self) -> &Herder {
        &self.herder
    }

    /// Waits until the worker can do its work no longer, and says why.
    pub async fn failed(&mut self) -> String {
        let ended = (&mut self.server).await;
        format!("the REST server ended: {ended:?}")
    }

    /// Ends all tasks and answers the requests under way, within `task.shutdown.graceful.timeout.ms`.
    pub async fn stop(self) {
        tracing::info!("stopping");
        let _ = self.end.send(true);
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
