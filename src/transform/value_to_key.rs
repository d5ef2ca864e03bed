//! `org.apache.kafka.connect.transforms.ValueToKey` (4.3.1): fields of the value as the key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{NullArray, StructArray};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use landfall_api::schema::is_schemaless;
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::default::or_default;
use super::field_path::mark;
use super::require::{not_empty, structs};
use super::{Members, Part};

config! {
    /// What `ValueToKey.CONFIG_DEF` declares.
    struct ValueToKeyConfig {
        /// The names of the value's fields that make the key.
        fields: Vec<String> = "fields" { required: true, importance: High, width: Width::None, display: "fields" };
        /// Whether a null in a field that has a default value becomes that value.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct ValueToKeyClass;

impl TransformClass for ValueToKeyClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.ValueToKey"
    }

    fn keys(&self) -> &'static [Key] {
        ValueToKeyConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = ValueToKeyConfig::parse(properties, &mut faults);
        not_empty("fields", properties, &mut faults);
        let mut config = faults.or(config)?;
        // Java's lists of names have each once.
        let mut known = HashSet::new();
        config.fields.retain(|field| known.insert(field.clone()));
        Ok(Box::new(ValueToKey { config }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct ValueToKey {
    config: ValueToKeyConfig,
}

impl Transform for ValueToKey {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, Part::Value, "copying fields from value to key", false, out);
        let Some(members) = Members::of(&batch.value) else { return };
        let schemaless = is_schemaless(&batch.value.field);
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for name in &self.config.fields {
            let (field, array): (FieldRef, _) = match members.position(name) {
                Some(at) if self.config.replace_null_with_default => {
                    (members.fields[at].clone(), or_default(&members.fields[at], &members.arrays[at]))
                }
                Some(at) => (members.fields[at].clone(), members.arrays[at].clone()),
                None if schemaless => {
                    let field = Field::new(name, DataType::Null, true).with_metadata(mark());
                    (Arc::new(field), Arc::new(NullArray::new(batch.len())))
                }
                None => return out.reject_all(&batch, &RecordError::data(format!("Field does not exist: {name}"))),
            };
            fields.push(field);
            arrays.push(array);
        }
        let fields = Fields::from(fields);
        let array = Arc::new(StructArray::new(fields.clone(), arrays, None));
        let metadata = if schemaless { mark() } else { HashMap::new() };
        let field = Field::new(batch.key.field.name(), DataType::Struct(fields), true).with_metadata(metadata);
        out.emit(Part::Key.replaced(batch, Column { field: Arc::new(field), array }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless};
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Int64Type;

    fn apply(fields: &str, batch: Batch) -> Output {
        let mut out = Output::default();
        ValueToKeyClass.build(&Properties::from([("fields".into(), fields.into())])).expect("valid").apply(batch, &mut out);
        out
    }

    #[test]
    fn fields_make_the_key() {
        let out = apply("b,a,none", schemaless(&[Some(r#"{"a":1,"b":2,"c":3}"#), None, Some(r#"{"b":4}"#)]));
        let key = out.batches[0].key.array.as_struct();
        assert_eq!(key.column_names(), ["b", "a", "none"]);
        assert_eq!(key.column(0).as_primitive::<Int64Type>().values().to_vec(), [2, 4]);
        assert_eq!((key.null_count(), key.column(1).null_count()), (0, 1));
        let message = "Only Map objects supported in absence of schema for [copying fields from value to key], found: null";
        assert_eq!(out.rejected, [(1, RecordError::data(message))]);
    }

    #[test]
    fn what_a_schema_does_not_have_is_refused() {
        let record = r#"{"schema":{"type":"struct","fields":[{"field":"a","type":"int64"}]},"payload":{"a":1}}"#;
        let batch = records(&[(None, Some(record))], true).swap_remove(0);
        assert_eq!(apply("a,x", batch).rejected, [(0, RecordError::data("Field does not exist: x"))]);
        let faults = ValueToKeyClass.build(&Properties::from([("fields".into(), String::new())])).expect_err("refused");
        assert_eq!(faults.to_string(), "Configuration 'fields' must not be empty. Valid values include: any non-empty value");
    }
}
