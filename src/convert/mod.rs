//! Typed columns from bytes: one file a converter, one line in the table here.

use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, Records, Role, Run};

/// Every converter class.
pub const CONVERTERS: &[&dyn ConverterClass] = &[
    &Shim("org.apache.kafka.connect.json.JsonConverter"),
    &Shim("org.apache.kafka.connect.storage.StringConverter"),
    &Shim("org.apache.kafka.connect.converters.ByteArrayConverter"),
    &Shim("org.apache.kafka.connect.storage.SimpleHeaderConverter"),
];

/// Stands in until the converters are merged.
#[derive(Debug)]
struct Shim(&'static str);

impl ConverterClass for Shim {
    fn class(&self) -> &'static str {
        self.0
    }
    fn roles(&self) -> &'static [Role] {
        if self.0.ends_with("SimpleHeaderConverter") { &[Role::Header] } else { &[Role::Key, Role::Value, Role::Header] }
    }
    fn keys(&self) -> &'static [Key] {
        &[]
    }
    fn build(&self, _: &Properties, _: Role) -> Result<Box<dyn Converter>, Faults> {
        Ok(Box::new(Self(self.0)))
    }
}

impl Converter for Shim {
    fn convert(&mut self, _: &Records<'_>) -> Vec<Run> {
        let _: Option<Column> = None;
        Vec::new()
    }
}
