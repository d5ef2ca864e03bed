//! Debezium's transforms: change events are known by the name of their schema.

mod extract_new_record_state;
mod logical_topic;
mod reference;

pub(super) use extract_new_record_state::ExtractNewRecordStateClass;
pub(super) use logical_topic::{BY_LOGICAL_TABLE_ROUTER, TO_LOGICAL_TOPIC_ROUTER};

use arrow_schema::Field;
use landfall_api::schema;

/// The version of Debezium whose classes these are like.
const VERSION: &str = "3.7.0.Final";

/// Whether values of `field` are change events; others, such as those of heartbeat and transaction topics, pass unchanged.
fn is_envelope(field: &Field) -> bool {
    schema::name(field).is_some_and(|name| name.ends_with(".Envelope"))
}
