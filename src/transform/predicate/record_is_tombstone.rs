//! `org.apache.kafka.connect.transforms.predicates.RecordIsTombstone` (4.3.1): true for records without a value.

use arrow_array::{Array as _, BooleanArray};
use arrow_buffer::BooleanBuffer;
use landfall_api::{Batch, Faults, Key, Predicate, PredicateClass, Properties};

/// The class.
#[derive(Debug)]
pub(super) struct RecordIsTombstoneClass;

impl PredicateClass for RecordIsTombstoneClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"
    }

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn build(&self, _: &Properties) -> Result<Box<dyn Predicate>, Faults> {
        Ok(Box::new(RecordIsTombstone))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn mask(&self, batch: &Batch) -> BooleanArray {
        let null = match batch.value.array.logical_nulls() {
            Some(nulls) => !nulls.inner(),
            None => BooleanBuffer::new_unset(batch.len()),
        };
        BooleanArray::new(null, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn nulls_of_any_type_are_tombstones() {
        let mask = |values: &[Option<&str>]| {
            let batch = schemaless(values);
            RecordIsTombstone.mask(&batch).values().iter().collect::<Vec<_>>()
        };
        assert_eq!(mask(&[Some(r#"{"a":1}"#), None, Some("{}")]), [false, true, false]);
        assert_eq!(mask(&[None, None]), [true, true], "a column of no type");
        assert_eq!(mask(&[Some("1")]), [false]);
    }
}
