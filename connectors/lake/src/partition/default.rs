//! `io.confluent.connect.storage.partitioner.DefaultPartitioner` (storage-common 12.0): a folder for each Kafka partition.

use std::sync::Arc;

use landfall_api::{Batch, Faults};

use super::groups::Groups;
use super::{Folders, Partitioner, PartitionerClass, PartitionerKeys, named};
use crate::columns::Refusals;

/// The class.
pub(super) struct DefaultPartitioner;

impl PartitionerClass for DefaultPartitioner {
    fn class(&self) -> &'static str {
        "io.confluent.connect.storage.partitioner.DefaultPartitioner"
    }

    fn keys(&self) -> &'static [&'static str] {
        &[]
    }

    fn build(&self, _: &PartitionerKeys, _: &str, _: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        Some(Arc::new(ByPartition))
    }
}

/// `partition=<n>`.
#[derive(Debug)]
pub struct ByPartition;

impl Partitioner for ByPartition {
    fn folders(&self, batch: &Batch, _now_ms: i64) -> Result<Folders, Refusals> {
        named(Groups::one(batch.len()), None, |_, name| {
            *name = format!("partition={}", batch.origin.partition);
            Ok(())
        })
    }
}
