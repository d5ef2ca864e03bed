//! `org.apache.kafka.connect.transforms.SetSchemaMetadata` (4.3.1): another name or version of a struct's schema. As in Java, what has
//! a schema of another type is refused.

use std::sync::Arc;

use arrow_schema::DataType;
use landfall_api::schema::{NAME, VERSION, is_schemaless};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::default::or_default;
use super::{Members, Part};

config! {
    /// What `SetSchemaMetadata.CONFIG_DEF` declares.
    struct SetSchemaMetadataConfig {
        /// The name that the schema gets.
        schema_name: Option<String> = "schema.name" { importance: High, width: Width::None, display: "schema.name" };
        /// The version that the schema gets.
        schema_version: Option<i32> = "schema.version" { importance: High, width: Width::None, display: "schema.version" };
        /// Whether a null in a field that has a default value becomes that value.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct SetSchemaMetadataClass(pub(super) Part);

impl TransformClass for SetSchemaMetadataClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.SetSchemaMetadata$Key",
            Part::Value => "org.apache.kafka.connect.transforms.SetSchemaMetadata$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        SetSchemaMetadataConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = SetSchemaMetadataConfig::parse(properties, &mut faults);
        if config.as_ref().is_some_and(|config| config.schema_name.is_none() && config.schema_version.is_none()) {
            faults.push("schema.name", "Neither schema name nor version configured");
        }
        faults.or(config).map(|config| Box::new(SetSchemaMetadata { part: self.0, config }) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct SetSchemaMetadata {
    part: Part,
    config: SetSchemaMetadataConfig,
}

impl Transform for SetSchemaMetadata {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let field = self.part.of(&batch).field.clone();
        let refused = match field.data_type() {
            _ if is_schemaless(&field) => Some("Schema required for [updating schema metadata]"),
            DataType::Struct(_) => None,
            _ => Some("Cannot list fields on non-struct type"),
        };
        if let Some(message) = refused {
            // What has neither a schema nor a value passes.
            let nulls = self.part.of(&batch).array.logical_nulls();
            let valid = (0..batch.len()).filter(|&row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
            let errors = valid.map(|row| (row, RecordError::data(message))).collect();
            let batch = out.reject_rows(batch, errors);
            return out.emit(batch);
        }
        let mut metadata = field.metadata().clone();
        metadata.extend(self.config.schema_name.iter().map(|name| (NAME.to_owned(), name.clone())));
        metadata.extend(self.config.schema_version.map(|version| (VERSION.to_owned(), version.to_string())));
        let renamed = Arc::new(field.as_ref().clone().with_metadata(metadata));
        let column = match Members::of(self.part.of(&batch)) {
            Some(mut members) if self.config.replace_null_with_default => {
                for (field, array) in members.fields.iter().zip(&mut members.arrays) {
                    *array = or_default(field, array);
                }
                members.into_column(&renamed)
            }
            _ => Column { field: renamed, array: self.part.of(&batch).array.clone() },
        };
        out.emit(self.part.replaced(batch, column));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless};

    fn apply(properties: &[(&str, &str)], batch: Batch) -> Output {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut out = Output::default();
        SetSchemaMetadataClass(Part::Value).build(&properties).expect("valid").apply(batch, &mut out);
        out
    }

    #[test]
    fn a_schema_gets_another_name_and_version() {
        let record =
            r#"{"schema":{"type":"struct","name":"old","doc":"d","fields":[{"field":"a","type":"int64"}]},"payload":{"a":1}}"#;
        let batch = records(&[(None, Some(record)), (None, None)], true).swap_remove(0);
        let of = |properties: &[(&str, &str)]| {
            let out = apply(properties, batch.clone());
            let get = |key: &str| out.batches[0].value.field.metadata().get(key).cloned();
            assert_eq!(out.batches[0].len(), 2);
            [get(NAME), get(VERSION), get("connect.doc")].map(Option::unwrap_or_default)
        };
        assert_eq!(of(&[("schema.name", "new")]), ["new", "", "d"]);
        assert_eq!(of(&[("schema.version", "7")]), ["old", "7", "d"]);
    }

    #[test]
    fn without_a_schema_it_is_an_error() {
        let out = apply(&[("schema.name", "new")], schemaless(&[None, Some("{}")]));
        assert_eq!(out.rejected, [(1, RecordError::data("Schema required for [updating schema metadata]"))]);
        assert_eq!(out.batches[0].len(), 1);
        let faults = SetSchemaMetadataClass(Part::Key).build(&Properties::new()).expect_err("refused");
        assert_eq!(faults.to_string(), "Neither schema name nor version configured");
    }
}
