//! Predicates, which say for which records a transform is meant: one file a class, one line in the table here.

mod record_is_tombstone;

use landfall_api::PredicateClass;

/// Every predicate class; adding one is one file and one line here.
pub const PREDICATES: &[&dyn PredicateClass] = &[&record_is_tombstone::RecordIsTombstoneClass];
