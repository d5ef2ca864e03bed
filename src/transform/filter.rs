//! `org.apache.kafka.connect.transforms.Filter` (4.3.1): drops every record that its predicate lets through to it.

use landfall_api::{Batch, Faults, Key, Output, Properties, Transform, TransformClass};

/// The class.
#[derive(Debug)]
pub(super) struct FilterClass;

impl TransformClass for FilterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.Filter"
    }

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn build(&self, _: &Properties) -> Result<Box<dyn Transform>, Faults> {
        Ok(Box::new(Filter))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct Filter;

impl Transform for Filter {
    fn apply(&mut self, _: Batch, _: &mut Output) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn nothing_passes() {
        let mut out = Output::default();
        FilterClass.build(&Properties::new()).expect("valid").apply(schemaless(&[Some("1"), None]), &mut out);
        assert!(out.batches.is_empty() && out.rejected.is_empty());
    }
}
