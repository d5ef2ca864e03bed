//! `org.apache.kafka.connect.transforms.HeaderFrom` (4.3.1): copies or moves fields into headers.

use arrow_array::BinaryArray;
use landfall_api::schema::{DEFAULT, is_schemaless};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, Transform, TransformClass, Width, config};

use super::default::or_default;
use super::header_text::{header_values, with_headers};
use super::require::{error, structs};
use super::{Members, Part};

config! {
    /// What `HeaderFrom.CONFIG_DEF` declares.
    struct HeaderFromConfig {
        /// The names of the fields that go into headers.
        fields: Vec<String> = "fields" { required: true, importance: High, width: Width::None, display: "fields" };
        /// The names of the headers, in the order of `fields`.
        headers: Vec<String> = "headers" { required: true, importance: High, width: Width::None, display: "headers" };
        /// Whether the fields stay where they are (`copy`) or are taken away (`move`).
        operation: String = "operation" { required: true, importance: High, width: Width::None, display: "operation", valid: OneOf(&["move", "copy"]) };
        /// Whether a null in a field that has a default value becomes that value.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct HeaderFromClass(pub(super) Part);

impl TransformClass for HeaderFromClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.HeaderFrom$Key",
            Part::Value => "org.apache.kafka.connect.transforms.HeaderFrom$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        HeaderFromConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = HeaderFromConfig::parse(properties, &mut faults);
        for key in ["fields", "headers"] {
            if properties.get(key).is_some_and(|list| list.trim().is_empty()) {
                faults.push(key, format!("Invalid value [] for configuration {key}: Empty list"));
            }
        }
        if faults.is_empty() && config.as_ref().is_some_and(|config| config.fields.len() != config.headers.len()) {
            faults.push("fields", "'fields' config must have the same number of elements as 'headers' config.");
        }
        let HeaderFromConfig { fields, headers, operation, replace_null_with_default } = faults.or(config)?;
        let fields = fields.into_iter().zip(headers).collect();
        Ok(Box::new(HeaderFrom { part: self.0, fields, moves: operation == "move", with_default: replace_null_with_default }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct HeaderFrom {
    part: Part,
    /// Names of fields with those of their headers.
    fields: Vec<(String, String)>,
    moves: bool,
    with_default: bool,
}

impl Transform for HeaderFrom {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let purpose = if self.moves { "header move" } else { "header copy" };
        let batch = structs(batch, self.part, purpose, false, out);
        let column = self.part.of(&batch).clone();
        let Some(mut members) = Members::of(&column) else { return };
        let schemaless = is_schemaless(&column.field);
        let mut headers = Vec::with_capacity(self.fields.len());
        for (field, header) in &self.fields {
            let values = match members.position(field) {
                Some(at) => {
                    let field = members.fields[at].clone();
                    let array =
                        if self.with_default { or_default(&field, &members.arrays[at]) } else { members.arrays[at].clone() };
                    header_values(&Column { field, array })
                }
                None if schemaless => BinaryArray::new_null(batch.len()),
                None => {
                    // What Java says, by accident.
                    let message = "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \
                                   \"org.apache.kafka.connect.data.Schema.field(String)\" is null";
                    return out.reject_all(&batch, &error("java.lang.NullPointerException", message));
                }
            };
            headers.push((header.as_str(), values));
        }
        let mut batch = with_headers(batch, &headers);
        if self.moves {
            let moved: Vec<bool> = members.fields.iter().map(|f| self.fields.iter().any(|(name, _)| name == f.name())).collect();
            let (mut at, mut next) = (moved.iter(), moved.iter());
            members.fields.retain(|_| !at.next().is_some_and(|moved| *moved));
            members.arrays.retain(|_| !next.next().is_some_and(|moved| *moved));
            if self.with_default {
                for (field, array) in members.fields.iter().zip(&mut members.arrays) {
                    *array = or_default(field, array);
                }
            }
            let mut metadata = column.field.metadata().clone();
            metadata.remove(DEFAULT);
            let field = column.field.as_ref().clone().with_metadata(metadata);
            batch = self.part.replaced(batch, members.into_column(&field.into()));
        }
        out.emit(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{headers_of, records, schemaless};
    use arrow_schema::DataType;

    fn apply(properties: &[(&str, &str)], batch: Batch) -> Output {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut out = Output::default();
        HeaderFromClass(Part::Value).build(&properties).expect("valid").apply(batch, &mut out);
        out
    }

    #[test]
    fn fields_become_headers_and_stay_or_go() {
        let batch = schemaless(&[Some(r#"{"a":1,"b":[true],"c":"x"}"#), None, Some(r#"{"a":2,"b":[],"c":"y"}"#)]);
        for (operation, left) in [("copy", 3), ("move", 1)] {
            let out = apply(&[("fields", "b,a"), ("headers", "hb,ha"), ("operation", operation)], batch.clone());
            assert_eq!(headers_of(&out.batches[0]), [[("hb", "[true]"), ("ha", "1")], [("hb", "[]"), ("ha", "2")]]);
            let DataType::Struct(fields) = out.batches[0].value.field.data_type() else { panic!("a struct") };
            assert_eq!(fields.len(), left);
            let message = format!("Only Map objects supported in absence of schema for [header {operation}], found: null");
            assert_eq!((out.rejected[0].0, &out.rejected[0].1.message), (1, &message));
        }
    }

    #[test]
    fn a_field_that_no_schema_has_is_javas_accident() {
        let record = r#"{"schema":{"type":"struct","fields":[{"field":"a","type":"int64"}]},"payload":{"a":1}}"#;
        let batch = records(&[(None, Some(record))], true).swap_remove(0);
        let out = apply(&[("fields", "x"), ("headers", "x"), ("operation", "copy")], batch);
        assert_eq!(out.rejected[0].1.class, "java.lang.NullPointerException");
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let build = |properties: &[(&str, &str)]| {
            let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            HeaderFromClass(Part::Value).build(&properties).expect_err("refused").to_string()
        };
        let unequal = build(&[("fields", "a,b"), ("headers", "x"), ("operation", "copy")]);
        assert_eq!(unequal, "'fields' config must have the same number of elements as 'headers' config.");
        let none = build(&[("fields", ""), ("headers", "x"), ("operation", "copy")]);
        assert_eq!(none, "Invalid value [] for configuration fields: Empty list");
        let zap = build(&[("fields", "a"), ("headers", "x"), ("operation", "zap")]);
        assert_eq!(zap, "Invalid value zap for configuration operation: String must be one of: move, copy");
    }
}
