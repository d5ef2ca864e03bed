//! `org.apache.kafka.connect.transforms.predicates.TopicNameMatches` (4.3.1): true for records of topics by a regular expression.

use arrow_array::BooleanArray;
use arrow_buffer::BooleanBuffer;
use landfall_api::{Batch, Faults, Key, Predicate, PredicateClass, Properties, Width, config};

use crate::kafka::pattern::Pattern;

config! {
    /// What `TopicNameMatches.CONFIG_DEF` declares.
    struct TopicNameMatchesConfig {
        /// The regular expression that the whole name of a record's topic is to match, in the syntax of Java's `Pattern`.
        pattern: String = "pattern" { required: true, width: Width::None, display: "pattern", valid: By(|text| {
            if text.is_empty() { Err("String must be non-empty".to_owned()) } else { Pattern::compile(text).map(drop).map_err(|why| format!("Invalid regex: {why}")) }
        }) };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct TopicNameMatchesClass;

impl PredicateClass for TopicNameMatchesClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"
    }

    fn keys(&self) -> &'static [Key] {
        TopicNameMatchesConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Predicate>, Faults> {
        let mut faults = Faults::default();
        let config = TopicNameMatchesConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let mut faults = Faults::default();
        let pattern = Pattern::compile(&config.pattern).map_err(|why| faults.push("pattern", why)).ok();
        faults.or(pattern).map(|pattern| Box::new(TopicNameMatches { pattern }) as Box<dyn Predicate>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct TopicNameMatches {
    pattern: Pattern,
}

impl Predicate for TopicNameMatches {
    fn mask(&self, batch: &Batch) -> BooleanArray {
        // A name that takes too long to say does not match: a predicate cannot refuse.
        let matches = self.pattern.matches(&batch.topic).unwrap_or(false);
        let rows = if matches { BooleanBuffer::new_set(batch.len()) } else { BooleanBuffer::new_unset(batch.len()) };
        BooleanArray::new(rows, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    fn build(pattern: &str) -> Result<Box<dyn Predicate>, Faults> {
        TopicNameMatchesClass.build(&Properties::from([("pattern".into(), pattern.into())]))
    }

    #[test]
    fn all_of_a_topics_name_is_to_match() {
        let batch = schemaless(&[Some("1"), None]);
        for (pattern, rows) in [("t", 2), ("[s-u]+", 2), ("tt?", 2), ("x|t.", 0)] {
            assert_eq!(build(pattern).expect("valid").mask(&batch).true_count(), rows, "{pattern}");
        }
        let routed = Batch { topic: "elsewhere".into(), ..batch };
        assert_eq!(build("t").expect("valid").mask(&routed).true_count(), 0);
        let fault = |pattern| build(pattern).expect_err("refused").to_string();
        assert_eq!(fault(""), "Invalid value  for configuration pattern: String must be non-empty");
        let unclosed = "Invalid value [( for configuration pattern: Invalid regex: Unclosed character class near index 1\n[(\n ^";
        assert_eq!(fault("[("), unclosed);
    }
}
