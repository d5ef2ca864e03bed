//! The embedded broker: librdkafka's mock cluster in this process, for whoever has no Kafka at hand.
//!
//! It speaks Kafka on a free port of the loopback address, so other clients may look in, and keeps everything in memory. It is no
//! Kafka: of each partition it keeps the last [`RETENTION`] bytes whether they were read or not, it knows no CreateTopics request, and a
//! group whose last member left makes the next one wait for nearly its `session.timeout.ms`.

use crate::kafka::{KafkaError, MockCluster};

/// The bytes of record batches that it keeps of each partition; what is older is gone.
pub const RETENTION: usize = 5 << 20;

/// A running broker. Dropped, it is gone with all that it holds.
pub struct Broker(MockCluster);

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Broker").field(&self.bootstrap_servers()).finish()
    }
}

impl Broker {
    /// Starts a broker without topics.
    ///
    /// # Errors
    /// No socket or no thread could be had.
    pub fn start() -> Result<Self, KafkaError> {
        MockCluster::start().map(Self)
    }

    /// Its address, for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// It is there already, or cannot be.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        self.0.create_topic(name, partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_created_once() {
        let broker = Broker::start().expect("a broker");
        assert!(broker.bootstrap_servers().starts_with("127.0.0.1:"), "{broker:?}");
        assert_eq!(broker.create_topic("t", 2), Ok(()));
        assert_eq!(broker.create_topic("t", 2).expect_err("twice").name, "TOPIC_ALREADY_EXISTS");
        assert!(broker.create_topic("a\0b", 1).is_err());
    }
}
