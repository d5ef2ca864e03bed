//! `org.apache.kafka.connect.transforms.InsertField` (4.3.1): adds where a record comes from, when, or a constant as fields.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, Int32Array, StringArray};
use arrow_schema::{DataType, Field, TimeUnit};
use landfall_api::schema::{NAME, TIMESTAMP, VERSION, is_schemaless};
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::field_path::mark;
use super::part::basics;
use super::replace_field::overlaid;
use super::require::structs;
use super::{Members, Part};

config! {
    /// What `InsertField.CONFIG_DEF` declares.
    struct InsertFieldConfig {
        /// Field name for Kafka topic. Suffix with `!` to make this a required field, or `?` to keep it optional (the default).
        topic_field: Option<String> = "topic.field" { width: Width::None, display: "topic.field" };
        /// Field name for Kafka partition. Suffix with `!` to make this a required field, or `?` to keep it optional (the default).
        partition_field: Option<String> = "partition.field" { width: Width::None, display: "partition.field" };
        /// Field name for Kafka offset. Suffix with `!` to make this a required field, or `?` to keep it optional (the default).
        offset_field: Option<String> = "offset.field" { width: Width::None, display: "offset.field" };
        /// Field name for record timestamp. Suffix with `!` to make this a required field, or `?` to keep it optional (the default).
        timestamp_field: Option<String> = "timestamp.field" { width: Width::None, display: "timestamp.field" };
        /// Field name for static data field. Suffix with `!` to make this a required field, or `?` to keep it optional (the default).
        static_field: Option<String> = "static.field" { width: Width::None, display: "static.field" };
        /// Static field value, if field name configured.
        static_value: Option<String> = "static.value" { width: Width::None, display: "static.value" };
        /// Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value
        /// is used, otherwise null is used.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct InsertFieldClass(pub(super) Part);

impl TransformClass for InsertFieldClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.InsertField$Key",
            Part::Value => "org.apache.kafka.connect.transforms.InsertField$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        InsertFieldConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = InsertFieldConfig::parse(properties, &mut faults);
        let config = config.and_then(|config| {
            let field = |what, spec: &Option<String>| spec.as_deref().map(|spec| Insertion::new(what, spec));
            if let (Some(field), None) = (&config.static_field, &config.static_value) {
                faults.push(
                    "static.value",
                    format!("Invalid value null for configuration static.value: No value specified for static field: {field}"),
                );
                return None;
            }
            let insertions = [
                field(What::Topic, &config.topic_field),
                field(What::Partition, &config.partition_field),
                field(What::Offset, &config.offset_field),
                field(What::Timestamp, &config.timestamp_field),
                field(What::Static(config.static_value.unwrap_or_default()), &config.static_field),
            ];
            let insertions: Vec<_> = insertions.into_iter().flatten().collect();
            if insertions.is_empty() {
                faults.push("topic.field", "No field insertion configured");
            }
            Some(InsertField { part: self.0, insertions, with_defaults: config.replace_null_with_default })
        });
        faults.or(config).map(|transform| Box::new(transform) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct InsertField {
    part: Part,
    insertions: Vec<Insertion>,
    with_defaults: bool,
}

#[derive(Debug)]
struct Insertion {
    what: What,
    name: String,
    optional: bool,
}

#[derive(Debug)]
enum What {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static(String),
}

impl Insertion {
    fn new(what: What, spec: &str) -> Self {
        let name = spec.strip_suffix(['?', '!']).unwrap_or(spec).to_owned();
        Self { what, name, optional: !spec.ends_with('!') }
    }

    fn values(&self, batch: &Batch, schemaless: bool) -> ArrayRef {
        match &self.what {
            What::Topic => Arc::new(StringArray::new_repeated(&batch.topic, batch.len())),
            What::Partition => Arc::new(Int32Array::from(vec![batch.origin.partition; batch.len()])),
            What::Offset => Arc::new(batch.offset.clone()),
            What::Timestamp if schemaless => Arc::new(batch.timestamp.reinterpret_cast::<Int64Type>()),
            What::Timestamp => Arc::new(batch.timestamp.clone().with_timezone("UTC")),
            What::Static(value) => Arc::new(StringArray::new_repeated(value, batch.len())),
        }
    }

    fn field(&self, schemaless: bool) -> Field {
        let data_type = match &self.what {
            What::Topic | What::Static(_) => DataType::Utf8,
            What::Partition => DataType::Int32,
            What::Timestamp if !schemaless => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            What::Offset | What::Timestamp => DataType::Int64,
        };
        let field = Field::new(&self.name, data_type, self.optional || schemaless);
        match &self.what {
            _ if schemaless => field.with_metadata(mark()),
            What::Timestamp => field
                .with_metadata(HashMap::from([(NAME.to_owned(), TIMESTAMP.to_owned()), (VERSION.to_owned(), "1".to_owned())])),
            _ => field,
        }
    }
}

impl Transform for InsertField {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, "field insertion", true, out);
        let batch = self.timed(batch, out);
        let column = self.part.of(&batch);
        let Some(mut members) = Members::of(column) else { return out.emit(batch) };
        let schemaless = is_schemaless(&column.field);
        if self.with_defaults && !schemaless {
            members = members.with_defaults();
        }
        let mut errors = Vec::new();
        for insertion in &self.insertions {
            let (field, values) = (insertion.field(schemaless), insertion.values(&batch, schemaless));
            match members.position(&insertion.name).filter(|_| schemaless) {
                Some(at) => {
                    let there = (members.fields[at].clone(), members.arrays[at].clone());
                    (members.fields[at], members.arrays[at]) = overlaid((Arc::new(field), values), &there, &mut errors);
                }
                None if schemaless => members.push(field, values),
                None => {
                    if let Err(error) = members.add(field, values) {
                        return self.part.reject_values(batch, &error, out);
                    }
                }
            }
        }
        let column = members.into_column(&basics(&column.field));
        let batch = out.reject_rows(self.part.replaced(batch, column), errors);
        out.emit(batch);
    }
}

impl InsertField {
    /// The rows whose timestamp can be inserted: none that is null into a required field.
    fn timed(&self, batch: Batch, out: &mut Output) -> Batch {
        let required = self.insertions.iter().find(|insertion| matches!(insertion.what, What::Timestamp) && !insertion.optional);
        let column = self.part.of(&batch);
        let (Some(field), false) = (required, is_schemaless(&column.field)) else { return batch };
        let values = column.array.logical_nulls();
        let fails = |row: &usize| batch.timestamp.is_null(*row) && values.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
        let message = format!("Invalid value: null used for required field: \"{}\", schema type: INT64", field.name);
        let errors = (0..batch.len()).filter(fails).map(|row| (row, RecordError::data(&message))).collect();
        out.reject_rows(batch, errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_field_needs_a_value() {
        let given = Properties::from([("static.field".to_owned(), "a!".to_owned())]);
        let faults = InsertFieldClass(Part::Value).build(&given).expect_err("refused");
        assert_eq!(
            faults.to_string(),
            "Invalid value null for configuration static.value: No value specified for static field: a!"
        );
        assert_eq!(faults.0[0].key, "static.value");
    }
}
