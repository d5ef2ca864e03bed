//! The clients of Kafka.
