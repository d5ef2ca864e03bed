//! What an administrator does with the offsets of a consumer group that nobody is a member of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use landfall_api::{NewOffsets, TopicPartition};

use super::client::ConsumerSettings;
use super::error::KafkaError;
use super::raw;

/// GROUP_ID_NOT_FOUND.
const NO_GROUP: i32 = 69;
/// UNKNOWN_MEMBER_ID, NON_EMPTY_GROUP and GROUP_SUBSCRIBED_TO_TOPIC: what brokers say of a group that has members.
const IN_USE: [i32; 3] = [25, 68, 86];

impl KafkaError {
    /// Whether a group was not changed because it has members.
    #[must_use]
    pub fn group_is_in_use(&self) -> bool {
        IN_USE.contains(&self.code)
    }
}

/// The offsets of one consumer group. Its calls wait for the brokers: they are for threads that may.
#[expect(missing_debug_implementations, reason = "a client of librdkafka")]
pub struct GroupOffsets {
    client: raw::Groups,
    group: String,
    deadline: Instant,
}

impl GroupOffsets {
    /// Those of `group`, as a client with `settings` may see and change them. All calls together take `timeout` at most.
    ///
    /// # Errors
    /// A setting that the client does not take.
    pub fn of(group: &str, settings: &ConsumerSettings, timeout: Duration) -> Result<Self, KafkaError> {
        if !settings.faults.is_empty() {
            return Err(KafkaError::configuration(settings.faults.to_string()));
        }
        let client = raw::Groups::new(settings)?;
        Ok(Self { client, group: group.to_owned(), deadline: Instant::now() + timeout })
    }

    fn left(&self) -> Duration {
        // librdkafka takes nought for "as long as it takes"
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// Every offset that is stored, by partition; none for a group that is not there.
    ///
    /// # Errors
    /// The brokers do not answer, or refuse to.
    pub fn list(&self) -> Result<BTreeMap<TopicPartition, i64>, KafkaError> {
        let entries = self.client.offsets(&self.group, self.left())?;
        Ok(entries.into_iter().filter(|entry| entry.offset >= 0).map(|entry| (entry.partition, entry.offset)).collect())
    }

    /// Stores the offsets that are given, and forgets those of partitions that have none.
    ///
    /// # Errors
    /// The brokers do not answer, or refuse to. Some of the offsets may be stored.
    pub fn alter(&self, offsets: &NewOffsets) -> Result<(), KafkaError> {
        let given: Vec<_> = offsets.iter().filter_map(|(tp, offset)| Some((tp, (*offset)?))).collect();
        let none: BTreeSet<_> = offsets.iter().filter(|(_, offset)| offset.is_none()).map(|(tp, _)| tp).collect();
        if !given.is_empty() {
            self.client.alter(&self.group, given, self.left())?;
        }
        if none.is_empty() { Ok(()) } else { self.client.forget(&self.group, none, self.left()) }
    }

    /// Deletes the group with all of its offsets; no harm if it is not there.
    ///
    /// # Errors
    /// The brokers do not answer, or refuse to.
    pub fn delete(&self) -> Result<(), KafkaError> {
        match self.client.delete(&self.group, self.left()) {
            Err(error) if error.code == NO_GROUP => Ok(()),
            answer => answer,
        }
    }
}
