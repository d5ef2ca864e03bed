//! `org.apache.kafka.connect.transforms.predicates.HasHeaderKey` (4.3.1): true for records with a header of a name.

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray as _;
use landfall_api::{Batch, Faults, Key, Predicate, PredicateClass, Properties, Width, config};

config! {
    /// What `HasHeaderKey.CONFIG_DEF` declares.
    struct HasHeaderKeyConfig {
        /// The name of the header.
        name: String = "name" { required: true, width: Width::None, display: "name", valid: NonEmpty };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct HasHeaderKeyClass;

impl PredicateClass for HasHeaderKeyClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.predicates.HasHeaderKey"
    }

    fn keys(&self) -> &'static [Key] {
        HasHeaderKeyConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Predicate>, Faults> {
        let mut faults = Faults::default();
        let config = HasHeaderKeyConfig::parse(properties, &mut faults);
        faults.or(config).map(|config| Box::new(HasHeaderKey { name: config.name }) as Box<dyn Predicate>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct HasHeaderKey {
    name: String,
}

impl Predicate for HasHeaderKey {
    fn mask(&self, batch: &Batch) -> BooleanArray {
        let Some(headers) = &batch.headers else { return BooleanArray::from(vec![false; batch.len()]) };
        let names = headers.values().as_struct().column(0).as_string::<i32>();
        let has = |row: &[i32]| (row[0]..row[1]).any(|at| names.value(at as usize) == self.name);
        BooleanArray::from(headers.value_offsets().windows(2).map(has).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{schemaless, with_headers};

    #[test]
    fn a_header_is_found_by_its_name() {
        let predicate = HasHeaderKeyClass.build(&Properties::from([("name".into(), "b".into())])).expect("valid");
        let batch = with_headers(&[&[("a", "1"), ("b", "2")], &[], &[("ab", "3")], &[("b", "")]]);
        assert_eq!(predicate.mask(&batch).values().iter().collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!(predicate.mask(&batch.slice(&(1..4))).values().iter().collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(predicate.mask(&schemaless(&[None])).true_count(), 0);
        let faults = HasHeaderKeyClass.build(&Properties::from([("name".into(), String::new())])).expect_err("refused");
        assert_eq!(faults.to_string(), "Invalid value  for configuration name: String must be non-empty");
    }
}
