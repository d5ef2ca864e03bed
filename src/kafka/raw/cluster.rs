//! A client that only asks the brokers who they are.

use rdkafka_sys as rd;

use super::events::Events;
use super::{Settings, owned, text};
use crate::kafka::error::KafkaError;

/// A client that connects in the background, again and again, until a broker has answered.
pub(in crate::kafka) struct Inquiry(Events);

impl Inquiry {
    /// A client with `settings`, which are named in errors without their values.
    pub(in crate::kafka) fn new<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        Events::new(settings, 0).map(Self)
    }

    /// The id of the brokers' cluster, once one of them has told it. Does not wait.
    pub(in crate::kafka) fn cluster_id(&self) -> Option<String> {
        cluster_id(self.0.rk.as_ptr())
    }

    /// What went wrong since the last call, the latest last. Does not wait.
    pub(in crate::kafka) fn faults(&self) -> Vec<KafkaError> {
        self.0.take(|_| {})
    }
}

/// The id of the cluster of a client's brokers, once one of them has told it.
pub(super) fn cluster_id(rk: *mut rd::rd_kafka_t) -> Option<String> {
    // SAFETY: the client lives, and the text is ours, or null.
    unsafe {
        let id = rd::rd_kafka_clusterid(rk, 0);
        let found = (!id.is_null()).then(|| owned(text(id)));
        rd::rd_kafka_mem_free(rk, id.cast());
        found
    }
}
