//! The levels of the worker's loggers (`AbstractHerder` and `StandaloneHerder` of Kafka 4.3.1).

use super::{Error, Herder};
use crate::log_levels::{Level, Loggers};

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
        self.loggers().set(namespace, level).map(|_| ()).map_err(Error::Internal)
    }
}
