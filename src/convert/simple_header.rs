//! `org.apache.kafka.connect.storage.SimpleHeaderConverter` (4.3.1): header values as their text.
//!
//! Java infers a type from each text. Here the text is kept: a column has one type, and what reads a header knows which it needs.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, Records, Role, Run, Unavailable};

/// The class.
#[derive(Debug)]
pub(super) struct SimpleHeaderConverterClass;

impl ConverterClass for SimpleHeaderConverterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Header]
    }

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn build(&self, _: &Properties, _: Role) -> Result<Box<dyn Converter>, Faults> {
        Ok(Box::new(SimpleHeaderConverter))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct SimpleHeaderConverter;

impl Converter for SimpleHeaderConverter {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        let field = Arc::new(Field::new(super::column_name(Role::Header), DataType::Utf8, true));
        Ok(super::one_run(Column { field, array: Arc::new(super::string::utf8(records.bytes)) }))
    }
}
