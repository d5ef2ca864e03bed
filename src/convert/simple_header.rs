//! `org.apache.kafka.connect.storage.SimpleHeaderConverter` (4.3.1): header values as their text.
//!
//! Java infers a type from each text, and writes a text of that. Here the text is kept, as a column has one type, and what reads a header
//! knows which it needs. So what Java changes on the way stays as it came:
//! - numbers and dates, of which Java takes the blanks, the leading zeros, the plus, the exponent and the digits that a float has no room
//!   for: ` 007` → `7`, `1e3` → `1000`, `1.50` → `1.5`, `493855.609375` → `493855.62`, `2020-13-45` → `2021-02-14`, `1]x` → `1`;
//! - lists and maps, which Java writes without blanks, with values of one type, and with the last of two entries: `[1, 2.5]` →
//!   `[1.0,2.5]`;
//! - `null`, which Java takes for no value. A header that has none is null here too.

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
