//! The levels of the worker's loggers (`AbstractHerder` and `StandaloneHerder` of Kafka 4.3.1).

use super::{Error, Herder};
use crate::log_levels::{Level, Loggers};
use crate::state::config::records;

impl Herder {
    /// The loggers of this worker.
    #[must_use]
    pub fn loggers(&self) -> &Loggers {
        &self.shared.loggers
    }

    /// Gives a logger of every worker of the cluster a level. A worker that is alone is the cluster.
    ///
    /// # Errors
    /// The level cannot be set.
    pub async fn set_cluster_logger(&self, namespace: &str, level: Level) -> Result<(), Error> {
        if self.shared.cluster.is_some() {
            return self.shared.configs.append(records::logger(namespace, level.name()), None).await;
        }
        self.loggers().set(namespace, level).map(|_| ()).map_err(Error::Internal)
    }

    /// Gives a logger of this worker a level because another worker asked all to.
    pub(super) fn set_logger(&self, namespace: &str, level: &str) {
        let Some(level) = Level::named(level) else { return tracing::warn!("no level is {level}, as {namespace} should have") };
        if let Err(why) = self.loggers().set(namespace, level) {
            tracing::warn!("{namespace} does not get the level {}: {why}", level.name());
        }
    }
}
