//! The clients of Kafka.
//!
//! - [`client`] turns Java's client configuration into librdkafka's,
//! - [`java`] has what Java declares of it,
//! - [`security`] is how clients log in and encrypt,
//! - [`cluster`] asks which cluster it is,
//! - [`event_hubs`] knows what is different where the brokers are Event Hubs,
//! - [`fetch`] consumes in a group and gives columns,
//! - [`groups`] changes the offsets of a group from outside,
//! - [`produce`] sends records,
//! - [`log`] follows a compacted topic and appends to it,
//! - [`group`] is a member of a group of Connect workers,
//! - [`topics`] looks again and again which topics a consumer is to have, by name or by a [`pattern`],
//! - [`error`] names what can go wrong by what the caller does about it.

pub mod client;
pub mod cluster;
pub mod error;
pub mod event_hubs;
pub mod fetch;
pub mod group;
pub mod groups;
pub mod java;
pub mod log;
pub mod pattern;
pub mod produce;
mod raw;
mod security;
pub mod topics;
mod wire;

pub use client::{
    ConsumerSettings, becomes, becomes_of_member, consumer_faults, consumer_properties, dead_letter_admin_properties,
    offsets_admin_properties, producer_properties,
};
pub use cluster::cluster_id;
pub use error::{Class, KafkaError};
pub use event_hubs::EventHubs;
pub use fetch::{Consumer, Event, Fetched, Polled, Start, Waker};
pub use group::{Group, GroupEvent, GroupSettings};
pub use groups::GroupOffsets;
pub use log::{Log, LogError, LogSettings};
pub use produce::{Delivery, Producer, Record, create_topic};
pub(crate) use raw::MockCluster;
pub use topics::{Looked, Topics, Wanted};
