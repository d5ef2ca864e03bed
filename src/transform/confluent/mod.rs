//! Confluent's own transforms (`io.confluent.connect.transforms`), by their public documentation (1.6): the classes themselves are
//! not published where a build could run them.

pub(super) mod drop;
pub(super) mod extract_topic;
pub(super) mod filter;
mod json_path;
pub(super) mod message_timestamp_router;
pub(super) mod tombstone_handler;

/// The version whose documentation the classes follow.
const VERSION: &str = "1.6.0";
