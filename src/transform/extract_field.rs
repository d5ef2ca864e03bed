//! `org.apache.kafka.connect.transforms.ExtractField` (4.3.1): one field in place of the struct that has it.

use std::sync::Arc;

use arrow_array::{Array as _, NullArray};
use arrow_schema::{DataType, Field};
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::Part;
use super::field_path::{FieldPath, Found, mark};
use super::require::{illegal_argument, root, structs};

config! {
    /// What `ExtractField.CONFIG_DEF` declares.
    struct ExtractFieldConfig {
        /// The name of the field, or the path to it.
        field: String = "field" { required: true, width: Width::None, display: "field" };
        /// Whether a null in a field that has a default value becomes that value.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
        /// How `field` is read: V1 is the name of a field of the value itself, V2 a path with dots between names. There a name that has
        /// dots stands in backticks, as in `` `foo.bar`.baz ``.
        field_syntax_version: String = "field.syntax.version" { default: Some("V1"), importance: High, width: Width::None, display: "field.syntax.version", valid: OneOfIgnoreCase(&["V1", "V2"]) };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct ExtractFieldClass(pub(super) Part);

impl TransformClass for ExtractFieldClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.ExtractField$Key",
            Part::Value => "org.apache.kafka.connect.transforms.ExtractField$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        ExtractFieldConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = ExtractFieldConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let path = FieldPath::of(&config.field, &config.field_syntax_version).map_err(|why| fault("field", why))?;
        Ok(Box::new(ExtractField { part: self.0, path, field: config.field, with_default: config.replace_null_with_default }))
    }
}

fn fault(key: &str, message: String) -> Faults {
    let mut faults = Faults::default();
    faults.push(key, message);
    faults
}

/// An instance of the class.
#[derive(Debug)]
struct ExtractField {
    part: Part,
    path: FieldPath,
    field: String,
    with_default: bool,
}

impl Transform for ExtractField {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, "field extraction", true, out);
        let column = self.part.of(&batch);
        let name = column.field.name().clone();
        let found = match column.field.data_type() {
            // Only nulls are left.
            DataType::Struct(_) => self.path.find(column, self.with_default),
            _ => {
                let field = Field::new(&name, DataType::Null, true).with_metadata(mark());
                let nothing = root(&name, &field, Arc::new(NullArray::new(batch.len())));
                return out.emit(self.part.replaced(batch, nothing));
            }
        };
        match found {
            Ok(Found { column: Some((field, array)), errors }) => {
                let batch = self.part.replaced(batch, root(&name, &field, array));
                let batch = out.reject_rows(batch, errors);
                out.emit(batch);
            }
            Ok(Found { column: None, .. }) => {
                self.refuse(batch, &illegal_argument(format!("Unknown field: {}", self.field)), out);
            }
            Err(error) => self.refuse(batch, &error, out),
        }
    }
}

impl ExtractField {
    /// Refuses what has a schema: nothing stays nothing.
    fn refuse(&self, batch: Batch, error: &RecordError, out: &mut Output) {
        let column = self.part.of(&batch);
        let name = column.field.name().clone();
        let nulls = column.array.logical_nulls();
        let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let errors = (0..batch.len()).filter(|&row| valid(row)).map(|row| (row, error.clone())).collect();
        let rest = out.reject_rows(batch, errors);
        let field = Field::new(&name, DataType::Null, true);
        let nothing = root(&name, &field, Arc::new(NullArray::new(rest.len())));
        out.emit(self.part.replaced(rest, nothing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless};
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Int64Type;

    fn apply(part: Part, properties: &[(&str, &str)], batch: Batch) -> Output {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut out = Output::default();
        ExtractFieldClass(part).build(&properties).expect("valid").apply(batch, &mut out);
        out
    }

    #[test]
    fn a_field_takes_the_place_of_its_struct() {
        let batch = schemaless(&[Some(r#"{"a":1,"b":{"c":5}}"#), None, Some(r#"{"b":{"c":6}}"#)]);
        let out = apply(Part::Value, &[("field", "a")], batch.clone());
        let value = &out.batches[0].value;
        assert_eq!(value.array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, None]);
        assert_eq!(value.field.name(), "value");
        let out = apply(Part::Value, &[("field", "b.c"), ("field.syntax.version", "v2")], batch.clone());
        let value = &out.batches[0].value;
        assert_eq!(value.array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(5), None, Some(6)]);
        let out = apply(Part::Key, &[("field", "a")], batch.clone());
        assert_eq!((out.batches[0].key.array.null_count(), out.rejected.len()), (0, 0), "keys of no type");
        let out = apply(Part::Value, &[("field", "nope")], batch);
        assert_eq!((out.batches[0].value.field.data_type(), out.rejected.len()), (&DataType::Null, 0));
    }

    #[test]
    fn an_unknown_field_of_a_schema_is_refused_and_a_tombstone_passes() {
        let record = r#"{"schema":{"type":"struct","fields":[{"field":"a","type":"int64"}]},"payload":{"a":1}}"#;
        let batch = records(&[(None, Some(record)), (None, None)], true).swap_remove(0);
        let out = apply(Part::Value, &[("field", "x")], batch.clone());
        assert_eq!(out.rejected, [(0, illegal_argument("Unknown field: x"))]);
        assert_eq!((out.batches[0].len(), out.batches[0].value.array.logical_null_count()), (1, 1));
        let out = apply(Part::Value, &[("field", "a.b"), ("field.syntax.version", "V2")], batch);
        assert_eq!(out.rejected[0].1.message, "Cannot look up fields on non-struct type");
    }
}
