//! librdkafka's mock cluster: brokers on threads of this process that speak Kafka on the loopback address.

use std::ffi::{CString, c_char, c_int};
use std::ptr::NonNull;

use rdkafka_sys as rd;

use super::{Conf, check, owned, text};
use crate::kafka::error::KafkaError;

/// A cluster of one broker. Dropped, it is gone with all that it holds.
pub(crate) struct MockCluster {
    /// The client in whose name the cluster's threads run.
    rk: NonNull<rd::rd_kafka_t>,
    cluster: NonNull<rd::rd_kafka_mock_cluster_t>,
}

// SAFETY: the pointers are to objects that librdkafka locks inside; the cluster is changed by messages to its own thread.
unsafe impl Send for MockCluster {}
// SAFETY: as above.
unsafe impl Sync for MockCluster {}

impl MockCluster {
    /// Starts a cluster on a free port. A group's first member is given partitions at once.
    pub(crate) fn start() -> Result<Self, KafkaError> {
        // Nobody serves this client's queues, so it must not fill them.
        let conf = Conf::new([("client.id", "mock-cluster"), ("log_level", "0")])?;
        let mut reason = [0 as c_char; 512];
        // SAFETY: rd_kafka_new takes conf over only when it succeeds; the cluster is made and destroyed while its client lives.
        unsafe {
            let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            let rk = rd::rd_kafka_new(kind, conf.0.as_ptr(), reason.as_mut_ptr(), reason.len());
            let Some(rk) = NonNull::new(rk) else {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            };
            std::mem::forget(conf);
            let Some(cluster) = NonNull::new(rd::rd_kafka_mock_cluster_new(rk.as_ptr(), 1)) else {
                rd::rd_kafka_destroy(rk.as_ptr());
                return Err(KafkaError::configuration("the mock cluster cannot listen on the loopback address"));
            };
            rd::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster.as_ptr(), 0);
            Ok(Self { rk, cluster })
        }
    }

    /// `host:port` of its broker.
    pub(crate) fn bootstrap_servers(&self) -> String {
        // SAFETY: the text lives as long as the cluster.
        unsafe { owned(text(rd::rd_kafka_mock_cluster_bootstraps(self.cluster.as_ptr()))) }
    }

    /// Creates a topic, without copies of its partitions.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let name = CString::new(name).map_err(|_| KafkaError::configuration(format!("{name:?} cannot be a topic")))?;
        // SAFETY: the name is copied.
        check(unsafe { rd::rd_kafka_mock_topic_create(self.cluster.as_ptr(), name.as_ptr(), partitions as c_int, 1) })
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        // SAFETY: nobody else has the pointers; librdkafka wants the cluster destroyed before its client.
        unsafe {
            rd::rd_kafka_mock_cluster_destroy(self.cluster.as_ptr());
            rd::rd_kafka_destroy(self.rk.as_ptr());
        }
    }
}
