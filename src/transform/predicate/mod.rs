//! Predicates, which say for which records a transform is meant: one file a class, one line in the table here.

mod has_header_key;
mod record_is_tombstone;
mod topic_name_matches;

use landfall_api::PredicateClass;

/// Every predicate class; adding one is one file and one line here.
pub const PREDICATES: &[&dyn PredicateClass] = &[
    &has_header_key::HasHeaderKeyClass,
    &record_is_tombstone::RecordIsTombstoneClass,
    &topic_name_matches::TopicNameMatchesClass,
];
