//! `org.apache.kafka.connect.converters.ByteArrayConverter` (4.3.1): bytes as they are, without a copy.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, Records, Role, Run, Unavailable};

/// The class.
#[derive(Debug)]
pub(super) struct ByteArrayConverterClass;

impl ConverterClass for ByteArrayConverterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.converters.ByteArrayConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value, Role::Header]
    }

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn build(&self, _: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        Ok(Box::new(ByteArrayConverter(role)))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct ByteArrayConverter(Role);

impl Converter for ByteArrayConverter {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        let field = Arc::new(Field::new(super::column_name(self.0), DataType::Binary, true));
        Ok(super::one_run(Column { field, array: Arc::new(records.bytes.clone()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray as _;
    use arrow_array::{Array as _, BinaryArray};

    #[test]
    fn nothing_is_copied() {
        let bytes = BinaryArray::from(vec![Some(&b"\xff\0"[..]), None]);
        let mut converter = ByteArrayConverterClass.build(&Properties::new(), Role::Key).expect("valid");
        let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available");
        let column = runs[0].column.as_ref().expect("converted");
        assert_eq!((runs[0].rows.clone(), column.field.name().as_str(), column.array.null_count()), (0..2, "key", 1));
        assert_eq!(column.array.as_binary::<i32>().value_data().as_ptr(), bytes.value_data().as_ptr());
    }
}
