//! `io.confluent.connect.transforms.Drop` (1.6, by its documentation): null in place of a key or a value.

use std::sync::Arc;

use arrow_array::{NullArray, new_null_array};
use arrow_schema::{DataType, Field};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, Transform, TransformClass, config};

use crate::transform::Part;
use crate::transform::field_path::mark;

config! {
    /// What the documentation lists.
    struct DropConfig {
        /// What becomes of the schema: `nullify` takes it away too; `retain` and `force_optional` keep it, where it takes null. There is no
        /// `validate`: whether the schema of a whole key or value is optional is not known here.
        schema_behavior: String = "schema.behavior" { default: Some("nullify"), valid: By(|behavior| match behavior.to_ascii_lowercase().as_str() {
            "nullify" | "retain" | "force_optional" => Ok(()),
            "validate" => Err("whether the schema of a key or value is optional is not known here: use nullify, retain or force_optional".to_owned()),
            _ => Err("String must be one of: nullify, retain, validate, force_optional".to_owned()),
        }) };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(in crate::transform) struct DropClass(pub(in crate::transform) Part);

impl TransformClass for DropClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "io.confluent.connect.transforms.Drop$Key",
            Part::Value => "io.confluent.connect.transforms.Drop$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        DropConfig::KEYS
    }

    fn version(&self) -> &'static str {
        super::VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = DropConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        Ok(Box::new(Drop { part: self.0, nullify: config.schema_behavior.eq_ignore_ascii_case("nullify") }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct Drop {
    part: Part,
    nullify: bool,
}

impl Transform for Drop {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let field = &self.part.of(&batch).field;
        let rows = batch.len();
        let column = if self.nullify {
            let field = Field::new(field.name(), DataType::Null, true).with_metadata(mark());
            Column { field: Arc::new(field), array: Arc::new(NullArray::new(rows)) }
        } else {
            Column { field: field.clone(), array: new_null_array(field.data_type(), rows) }
        };
        out.emit(self.part.replaced(batch, column));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;
    use arrow_array::Array as _;

    // Expected values are the documentation's.
    #[test]
    fn a_value_goes_with_its_schema_or_without() {
        for (behavior, data_type) in
            [("nullify", DataType::Null), ("retain", DataType::Int64), ("FORCE_OPTIONAL", DataType::Int64)]
        {
            let properties = Properties::from([("schema.behavior".into(), behavior.into())]);
            let mut out = Output::default();
            let batch = schemaless(&[Some("1"), None]);
            DropClass(Part::Value).build(&properties).expect("valid").apply(batch, &mut out);
            let value = &out.batches[0].value;
            assert_eq!((value.array.logical_null_count(), value.field.data_type()), (2, &data_type), "{behavior}");
        }
        let properties = Properties::from([("schema.behavior".into(), "validate".into())]);
        let fault = DropClass(Part::Key).build(&properties).expect_err("refused").to_string();
        assert!(fault.starts_with("Invalid value validate for configuration schema.behavior: whether"), "{fault}");
    }
}
