//! `org.apache.kafka.connect.transforms.HoistField` (4.3.1): a struct with one field, the value, in place of the value.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::StructArray;
use arrow_schema::{DataType, Field, Fields};
use landfall_api::schema::is_schemaless;
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, Transform, TransformClass, Width, config};

use super::Part;
use super::field_path::mark;

config! {
    /// What `HoistField.CONFIG_DEF` declares.
    struct HoistFieldConfig {
        /// The name of the field.
        field: String = "field" { required: true, width: Width::None, display: "field" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct HoistFieldClass(pub(super) Part);

impl TransformClass for HoistFieldClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.HoistField$Key",
            Part::Value => "org.apache.kafka.connect.transforms.HoistField$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        HoistFieldConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = HoistFieldConfig::parse(properties, &mut faults);
        faults.or(config).map(|config| Box::new(HoistField { part: self.0, field: config.field }) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct HoistField {
    part: Part,
    field: String,
}

impl Transform for HoistField {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let Column { field, array } = self.part.of(&batch).clone();
        // Java takes a tombstone for a value without a schema: its struct too has a field, which is null.
        let metadata = if is_schemaless(&field) { mark() } else { HashMap::new() };
        let within = Arc::new(field.as_ref().clone().with_name(&self.field));
        let fields: Fields = [within].into_iter().collect();
        let array = StructArray::new(fields.clone(), vec![array], None);
        let field = Field::new(field.name(), DataType::Struct(fields), true).with_metadata(metadata);
        out.emit(self.part.replaced(batch, Column { field: Arc::new(field), array: Arc::new(array) }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;

    #[test]
    fn a_value_becomes_a_field_and_nothing_a_field_that_is_null() {
        let mut transform = HoistFieldClass(Part::Value).build(&Properties::from([("field".into(), "f".into())])).expect("valid");
        let mut out = Output::default();
        transform.apply(schemaless(&[Some("1"), None]), &mut out);
        let value = &out.batches[0].value;
        assert_eq!((value.field.name().as_str(), value.array.null_count()), ("value", 0));
        let DataType::Struct(fields) = value.field.data_type() else { panic!("a struct") };
        assert_eq!((fields[0].name().as_str(), is_schemaless(&value.field)), ("f", true));
        assert_eq!(value.array.as_struct().column(0).null_count(), 1);
    }
}
