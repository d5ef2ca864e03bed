//! `io.confluent.connect.transforms.ExtractTopic` (1.6, by its documentation): a topic by a key, a value, a field or a header.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, StringArray, new_null_array};
use arrow_schema::{DataType, Field};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config};

use super::json_path::names;
use crate::transform::Part;
use crate::transform::field_path::FieldPath;
use crate::transform::header_text::header_values;
use crate::transform::require::{java_class, structs};
use crate::transform::route::Routes;

config! {
    /// What the documentation lists.
    struct ExtractTopicConfig {
        /// The field that has the name of the topic, or the header. Without it the whole key or value is the name.
        field: String = "field" { default: Some("") };
        /// How `field` is read: PLAIN is a name, JSON_PATH a path such as `$["f1"]["f3"]` or `$.f1.f3`, in which there are names only.
        field_format: String = "field.format" { default: Some("PLAIN"), valid: OneOfIgnoreCase(&["PLAIN", "JSON_PATH"]) };
        /// Whether a record goes on with the topic that it has if the name is missing or null, and is not refused.
        skip_missing_or_null: bool = "skip.missing.or.null" { default: Some("false") };
    }
}

/// Where the name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transform) enum Source {
    Part(Part),
    Header,
}

/// The class, for keys, values or headers.
#[derive(Debug)]
pub(in crate::transform) struct ExtractTopicClass(pub(in crate::transform) Source);

impl TransformClass for ExtractTopicClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Source::Part(Part::Key) => "io.confluent.connect.transforms.ExtractTopic$Key",
            Source::Part(Part::Value) => "io.confluent.connect.transforms.ExtractTopic$Value",
            Source::Header => "io.confluent.connect.transforms.ExtractTopic$Header",
        }
    }

    fn keys(&self) -> &'static [Key] {
        ExtractTopicConfig::KEYS
    }

    fn version(&self) -> &'static str {
        super::VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = ExtractTopicConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let mut faults = Faults::default();
        let is_path = config.field_format.eq_ignore_ascii_case("JSON_PATH");
        let path = match self.0 {
            Source::Header if config.field.is_empty() => {
                faults.push("field", "Invalid value  for configuration field: it is to name the header");
                None
            }
            Source::Header if is_path => {
                let message = format!(
                    "Invalid value {} for configuration field.format: a header is read by PLAIN only",
                    config.field_format
                );
                faults.push("field.format", message);
                None
            }
            _ if config.field.is_empty() => None,
            _ if is_path => names(&config.field)
                .map_err(|why| faults.push("field", format!("Invalid value {} for configuration field: {why}", config.field)))
                .ok()
                .map(FieldPath::steps),
            _ => Some(FieldPath::one(&config.field)),
        };
        let skip = config.skip_missing_or_null;
        faults
            .or(Some(ExtractTopic { source: self.0, field: config.field, path, skip }))
            .map(|topic| Box::new(topic) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct ExtractTopic {
    source: Source,
    field: String,
    path: Option<FieldPath>,
    skip: bool,
}

impl Transform for ExtractTopic {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let (batch, column) = match self.source {
            Source::Header => {
                let column = last_header(&batch, &self.field);
                (batch, Some(column))
            }
            Source::Part(part) => match &self.path {
                None => {
                    let column = part.of(&batch).clone();
                    (batch, Some(column))
                }
                Some(path) => {
                    let batch = structs(batch, part, "extracting the topic", true, out);
                    // What a path goes astray in has no such field.
                    let found = path.find(part.of(&batch), true).ok().and_then(|found| found.column);
                    (batch, found.map(|(field, array)| Column { field, array }))
                }
            },
        };
        let texts = column.as_ref().map(header_values);
        let (mut routes, mut errors) = (Routes::default(), Vec::new());
        for row in 0..batch.len() {
            match column.as_ref().zip(texts.as_ref()).filter(|(_, texts)| texts.is_valid(row)) {
                Some((column, texts)) => match java_class(&column.field, &column.array, row) {
                    "java.lang.String" => routes.push(&String::from_utf8_lossy(texts.value(row))),
                    found => errors.push((row, RecordError::data(format!("{} is to be a string, found: {found}", self.name())))),
                },
                None if self.skip => routes.push(&batch.topic),
                None => errors.push((row, RecordError::data(format!("{} is missing or null", self.name())))),
            }
        }
        let batch = out.reject_rows(batch, errors);
        routes.emit(batch, out);
    }
}

impl ExtractTopic {
    /// What the topic is to come from.
    fn name(&self) -> String {
        match self.source {
            Source::Header => format!("the header {}", self.field),
            Source::Part(part) => {
                let part = if part == Part::Key { "key" } else { "value" };
                if self.path.is_none() { format!("the {part}") } else { format!("the {part}'s field {}", self.field) }
            }
        }
    }
}

/// The values of the last header called `name` of each row.
fn last_header(batch: &Batch, name: &str) -> Column {
    let field = Arc::new(Field::new(name, DataType::Utf8, true));
    let Some(headers) = &batch.headers else {
        return Column { field, array: new_null_array(&DataType::Utf8, batch.len()) };
    };
    let entries = headers.values().as_struct();
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
    let text = |row: &[i32]| {
        let at = (row[0]..row[1]).rev().find(|&at| keys.value(at as usize) == name)? as usize;
        values.is_valid(at).then(|| String::from_utf8_lossy(values.value(at)))
    };
    let texts: StringArray = headers.value_offsets().windows(2).map(text).collect();
    Column { field, array: Arc::new(texts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless, with_headers};

    fn apply(source: Source, properties: &[(&str, &str)], batch: Batch) -> Output {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut out = Output::default();
        ExtractTopicClass(source).build(&properties).expect("valid").apply(batch, &mut out);
        out
    }

    fn topics(out: &Output) -> Vec<(&str, Vec<i64>)> {
        out.batches.iter().map(|b| (&*b.topic, b.offset.values().to_vec())).collect()
    }

    const VALUE: Source = Source::Part(Part::Value);

    // Expected values are the documentation's.
    #[test]
    fn a_field_names_the_topic() {
        let values = [Some(r#"{"f2":"a","f1":{"f3":"x"}}"#), Some(r#"{"f2":"b"}"#), None, Some(r#"{"f1":{"f3":"y"},"f2":"a"}"#)];
        let out = apply(VALUE, &[("field", "f2")], schemaless(&values));
        assert_eq!(topics(&out), [("a", vec![0, 3]), ("b", vec![1])]);
        assert_eq!(out.rejected, [(2, RecordError::data("the value's field f2 is missing or null"))]);
        let path = [("field", r#"["f1"]["f3"]"#), ("field.format", "JSON_PATH"), ("skip.missing.or.null", "true")];
        let out = apply(VALUE, &path, schemaless(&values));
        assert_eq!((topics(&out), out.rejected.len()), (vec![("x", vec![0]), ("t", vec![1, 2]), ("y", vec![3])], 0));
        let out = apply(VALUE, &[("field", "n")], schemaless(&[Some(r#"{"n":1}"#)]));
        assert_eq!(out.rejected[0].1.message, "the value's field n is to be a string, found: java.lang.Long");
    }

    #[test]
    fn a_whole_key_or_value_names_the_topic() {
        let out = apply(VALUE, &[], schemaless(&[Some("\"a\""), None, Some("1")]));
        assert_eq!((topics(&out), out.rejected.len()), (vec![("a", vec![0])], 2));
        let record = r#"{"schema":{"type":"string"},"payload":"k"}"#;
        let out = apply(Source::Part(Part::Key), &[], records(&[(Some(record), None)], true).swap_remove(0));
        assert_eq!(topics(&out), [("k", vec![0])]);
    }

    #[test]
    fn a_header_names_the_topic() {
        let batch = with_headers(&[&[("h", "a"), ("h", "b")], &[("g", "c")], &[("h", "b")]]);
        let out = apply(Source::Header, &[("field", "h")], batch.clone());
        assert_eq!((topics(&out), out.rejected[0].0), (vec![("b", vec![0, 2])], 1));
        let skipping = apply(Source::Header, &[("field", "h"), ("skip.missing.or.null", "true")], batch);
        assert_eq!(topics(&skipping), [("b", vec![0, 2]), ("t", vec![1])]);
    }

    #[test]
    fn what_it_cannot_do_is_refused() {
        let fault = |source, properties: &[(&str, &str)]| {
            let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            ExtractTopicClass(source).build(&properties).expect_err("refused").0[0].key.clone()
        };
        assert_eq!(fault(Source::Header, &[]), "field");
        assert_eq!(fault(Source::Header, &[("field", "h"), ("field.format", "JSON_PATH")]), "field.format");
        assert_eq!(fault(VALUE, &[("field", "$..x"), ("field.format", "JSON_PATH")]), "field");
        assert_eq!(fault(VALUE, &[("field", "x"), ("field.format", "XML")]), "field.format");
    }
}
