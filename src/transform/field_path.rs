//! Paths to fields (`org.apache.kafka.connect.transforms.field.SingleFieldPath`, 4.3.1): of one step, or with dots between steps.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BooleanArray, NullArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, FieldRef};
use arrow_select::nullif::nullif;
use landfall_api::{Column, RecordError, schema};

use super::default::or_default;
use super::require::not_structs;

/// The steps to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldPath {
    steps: Vec<String>,
}

/// What is found at the end of a path.
#[derive(Debug)]
pub(crate) struct Found {
    /// The field; None if no schema has it.
    pub(crate) column: Option<(FieldRef, ArrayRef)>,
    /// The rows where a step is no struct, ascending.
    pub(crate) errors: Vec<(usize, RecordError)>,
}

impl FieldPath {
    /// The field called `name`, whatever its name has in it: version V1 of the syntax.
    pub(crate) fn one(name: &str) -> Self {
        Self { steps: vec![name.to_owned()] }
    }

    /// The path of these steps.
    pub(crate) const fn steps(steps: Vec<String>) -> Self {
        Self { steps }
    }

    /// A path in version V2 of the syntax: dots part its steps, a step with dots stands in backticks.
    ///
    /// # Errors
    /// A backtick that is not closed, in Java's words.
    pub(crate) fn nested(path: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = Some(path);
        while let Some(text) = rest {
            let Some(quoted) = text.strip_prefix('`') else {
                let (step, after) = text.split_once('.').map_or((text, None), |(step, after)| (step, Some(after)));
                steps.push(step.to_owned());
                rest = after;
                continue;
            };
            let at = path.len() - text.len();
            let incomplete = || {
                format!(
                    "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {at} to escape it"
                )
            };
            let (mut step, mut begin, mut from) = (String::new(), 0, 0);
            loop {
                let close = quoted[from..].find('`').map(|close| from + close).ok_or_else(incomplete)?;
                let escaped = quoted[..close].ends_with('\\');
                let after = &quoted[close + 1..];
                from = close + 1;
                if after.is_empty() {
                    if escaped {
                        return Err(incomplete());
                    }
                    step.push_str(&quoted[begin..close]);
                    rest = None;
                    break;
                }
                // One that no dot follows is a part of the name.
                let Some(next) = after.strip_prefix('.') else { continue };
                if escaped {
                    step.push_str(&quoted[begin..close - 1]);
                    step.push('`');
                    begin = from;
                    continue;
                }
                step.push_str(&quoted[begin..close]);
                rest = Some(next);
                break;
            }
            steps.push(step);
        }
        Ok(Self { steps })
    }

    /// The path that a configuration means by its `field` and `field.syntax.version`.
    ///
    /// # Errors
    /// As [`nested`](Self::nested).
    pub(crate) fn of(field: &str, version: &str) -> Result<Self, String> {
        if version.eq_ignore_ascii_case("V2") { Self::nested(field) } else { Ok(Self::one(field)) }
    }

    /// The field that the path leads to from `column`, null where a struct on the way is; with its default in place of its own nulls if
    /// `with_default`.
    ///
    /// # Errors
    /// A step of a schema that is no struct.
    pub(crate) fn find(&self, column: &Column, with_default: bool) -> Result<Found, RecordError> {
        let (mut field, mut array) = (column.field.clone(), column.array.clone());
        let mut nulls: Option<NullBuffer> = None;
        let schemaless = schema::is_schemaless(&column.field);
        for (n, step) in self.steps.iter().enumerate() {
            let at = match field.data_type() {
                DataType::Struct(fields) => {
                    fields.iter().position(|field| field.name() == step).map(|at| (fields[at].clone(), at))
                }
                _ if !schemaless => return Err(RecordError::data("Cannot look up fields on non-struct type")),
                _ => {
                    let mut errors = not_structs(&field, &array, "nested field access", true);
                    // Under a struct that is null is nothing.
                    errors.retain(|(row, _)| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)));
                    return Ok(Found { column: Some(nothing(step, array.len())), errors });
                }
            };
            let Some((next, at)) = at else {
                return Ok(Found { column: schemaless.then(|| nothing(step, array.len())), errors: Vec::new() });
            };
            nulls = NullBuffer::union(nulls.as_ref(), array.nulls());
            let last = n + 1 == self.steps.len();
            let values = array.as_struct().column(at).clone();
            array = if with_default || !last { or_default(&next, &values) } else { values };
            field = next;
        }
        if let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) {
            let hidden = BooleanArray::new(!nulls.inner(), None);
            array = nullif(&array, &hidden).map_err(|e| RecordError::data(e.to_string()))?;
            field = Arc::new(field.as_ref().clone().with_nullable(true));
        }
        Ok(Found { column: Some((field, array)), errors: Vec::new() })
    }
}

/// What a map has under a name that it does not know.
fn nothing(name: &str, rows: usize) -> (FieldRef, ArrayRef) {
    (Arc::new(Field::new(name, DataType::Null, true).with_metadata(mark())), Arc::new(NullArray::new(rows)))
}

/// The metadata of a field without a schema.
pub(crate) fn mark() -> std::collections::HashMap<String, String> {
    [(schema::SCHEMALESS.to_owned(), "true".to_owned())].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn dots_part_steps_unless_they_are_in_backticks() {
        for (path, steps) in [
            ("a", &["a"][..]),
            ("a.b.c", &["a", "b", "c"]),
            ("`a.b`.c", &["a.b", "c"]),
            ("a.`b.c`", &["a", "b.c"]),
            ("`a\\`.b`.c", &["a`.b", "c"]),
            ("`a`b`.c", &["a`b", "c"]),
            ("a`b.c", &["a`b", "c"]),
            ("a.", &["a", ""]),
            (".a", &["", "a"]),
        ] {
            assert_eq!(
                FieldPath::nested(path).map(|path| path.steps),
                Ok(steps.iter().map(|s| (*s).to_owned()).collect()),
                "{path}"
            );
        }
        for path in ["`a", "a.`b", "`a\\`", "`a`b"] {
            let at = path.find('`').expect("a backtick");
            let error = FieldPath::nested(path).expect_err(path);
            assert!(error.starts_with(&format!("Incomplete backtick pair in path: [{path}]")), "{error}");
            assert!(error.contains(&format!("position {at} ")), "{error}");
        }
        assert_eq!(FieldPath::of("a.b", "v1").map(|path| path.steps), Ok(vec!["a.b".to_owned()]));
    }

    #[test]
    fn what_is_under_nothing_is_nothing() {
        let batch = schemaless(&[Some(r#"{"a":{"b":1}}"#), Some(r#"{"a":null}"#), None, Some(r#"{"a":{"b":null}}"#)]);
        let found = FieldPath::nested("a.b").expect("a path").find(&batch.value, true).expect("found");
        let (field, array) = found.column.expect("a column");
        assert_eq!((field.data_type(), array.null_count(), array.is_valid(0)), (&DataType::Int64, 3, true));
        let scalar = schemaless(&[Some(r#"{"a":1}"#), None, Some("{}")]);
        let found = FieldPath::nested("a.b.c").expect("a path").find(&scalar.value, true).expect("found");
        let message = "Only Map objects supported in absence of schema for [nested field access], found: java.lang.Long";
        assert_eq!(found.errors, [(0, RecordError::data(message))]);
    }
}
