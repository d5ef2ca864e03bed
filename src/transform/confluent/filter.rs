//! `io.confluent.connect.transforms.Filter` (1.6, by its documentation): keeps or drops the records that a condition matches.

use arrow_array::{Array as _, BooleanArray};
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config};

use super::json_path::Condition;
use crate::transform::Part;
use crate::transform::require::structs;

config! {
    /// What the documentation lists.
    struct FilterConfig {
        /// The condition, a JSON path: of names, as `$.after.id`, which is to be there; or with a predicate at its end, as
        /// `$.key[?(@.a == 'x' || @.n > 5)]`. A predicate compares with texts, numbers, `true` and `false`, and knows `in`, `nin`, `&&`, `||`, `!`
        /// and parentheses.
        filter_condition: String = "filter.condition" { required: true, importance: High, valid: By(|text| Condition::parse(text).map(drop)) };
        /// What becomes of records that match: with `include` only they go on, with `exclude` only the others. A key or value that
        /// is null as a whole goes on.
        filter_type: String = "filter.type" { required: true, importance: High, valid: OneOfIgnoreCase(&["include", "exclude"]) };
        /// What becomes of a record where the path, without the predicate, leads to nothing: it is refused (`fail`), goes on (`include`) or is
        /// dropped (`exclude`). A field that a predicate asks for and that is not there matches nothing.
        missing_or_null_behavior: String = "missing.or.null.behavior" { default: Some("fail"), valid: OneOfIgnoreCase(&["fail", "include", "exclude"]) };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(in crate::transform) struct FilterClass(pub(in crate::transform) Part);

impl TransformClass for FilterClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "io.confluent.connect.transforms.Filter$Key",
            Part::Value => "io.confluent.connect.transforms.Filter$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        FilterConfig::KEYS
    }

    fn version(&self) -> &'static str {
        super::VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = FilterConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let mut faults = Faults::default();
        let condition = Condition::parse(&config.filter_condition).map_err(|why| faults.push("filter.condition", why)).ok();
        let missing = match config.missing_or_null_behavior.to_ascii_lowercase().as_str() {
            "include" => Missing::Include,
            "exclude" => Missing::Exclude,
            _ => Missing::Fail,
        };
        let include = config.filter_type.eq_ignore_ascii_case("include");
        let filter =
            condition.map(|condition| Filter { part: self.0, text: config.filter_condition, condition, include, missing });
        faults.or(filter).map(|filter| Box::new(filter) as Box<dyn Transform>)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Fail,
    Include,
    Exclude,
}

/// An instance of the class.
#[derive(Debug)]
struct Filter {
    part: Part,
    /// The condition as it was written.
    text: String,
    condition: Condition,
    include: bool,
    missing: Missing,
}

impl Transform for Filter {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, "filtering by a condition", true, out);
        let column = self.part.of(&batch);
        let (matches, there) = match self.condition.matches(column) {
            Ok(found) => found,
            Err(error) => return out.reject_all(&batch, &error),
        };
        // What is nothing as a whole is no record that the condition could be asked of: it goes on.
        let nothing = column.array.logical_nulls();
        let is_nothing = |row| nothing.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let (mut keep, mut errors) = (Vec::with_capacity(batch.len()), Vec::new());
        for row in 0..batch.len() {
            keep.push(if is_nothing(row) {
                true
            } else if there.value(row) {
                matches.value(row) == self.include
            } else {
                if self.missing == Missing::Fail {
                    let message =
                        format!("filter.condition {} leads to nothing, and missing.or.null.behavior is fail", self.text);
                    errors.push((batch.offset.value(row), RecordError::data(message)));
                }
                self.missing == Missing::Include
            });
        }
        errors.into_iter().for_each(|(offset, error)| out.reject(offset, error));
        match batch.filter(&BooleanArray::from(keep)) {
            Ok(kept) => out.emit(kept),
            Err(error) => out.reject_all(&batch, &RecordError::data(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    /// The offsets that go on, and those that are refused.
    fn apply(condition: &str, of_type: &str, missing: &str) -> (Vec<i64>, Vec<i64>) {
        let properties = [("filter.condition", condition), ("filter.type", of_type), ("missing.or.null.behavior", missing)];
        let properties = properties.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let batch = schemaless(&[
            Some(r#"{"key":{"nestedKey":"value1"}}"#),
            Some(r#"{"key":{"nestedKey":"value3"}}"#),
            Some(r#"{"key":{}}"#),
            Some("{}"),
            None,
        ]);
        let mut out = Output::default();
        FilterClass(Part::Value).build(&properties).expect("valid").apply(batch, &mut out);
        let kept = out.batches.iter().flat_map(|batch| batch.offset.values().to_vec()).collect();
        (kept, out.rejected.iter().map(|(offset, _)| *offset).collect())
    }

    // Expected values are the documentation's.
    #[test]
    fn records_that_match_are_kept_or_dropped() {
        let condition = r#"$.key[?(@.nestedKey == "value1" || @.nestedKey == "value2")]"#;
        assert_eq!(apply(condition, "include", "fail"), (vec![0, 4], vec![3]));
        assert_eq!(apply(condition, "exclude", "fail"), (vec![1, 2, 4], vec![3]));
        assert_eq!(apply(condition, "include", "include"), (vec![0, 3, 4], vec![]));
        assert_eq!(apply(condition, "exclude", "exclude"), (vec![1, 2, 4], vec![]));
        assert_eq!(apply("$.key.nestedKey", "include", "exclude"), (vec![0, 1, 4], vec![]));
    }

    #[test]
    fn what_it_cannot_do_is_refused() {
        let properties = [("filter.condition", "$..a"), ("filter.type", "include")];
        let properties = properties.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let faults = FilterClass(Part::Key).build(&properties).expect_err("refused");
        assert_eq!(faults.0[0].key, "filter.condition");
        assert_eq!(FilterClass(Part::Key).build(&Properties::new()).expect_err("refused").0.len(), 2);
    }
}
