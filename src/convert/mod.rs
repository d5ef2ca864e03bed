//! Typed columns from bytes: one file a converter, one line in the table here.

mod batch;
mod bytes;
mod json;
mod simple_header;
mod string;

pub use batch::{Converted, convert_batch};

use landfall_api::{Column, Converter, ConverterClass, Faults, Properties, Role, Run};

/// Every converter class; adding one is one file and one line here.
pub const CONVERTERS: &[&dyn ConverterClass] = &[
    &json::JsonConverterClass,
    &string::StringConverterClass,
    &bytes::ByteArrayConverterClass,
    &simple_header::SimpleHeaderConverterClass,
];

/// The class that `name` means: the full Java name, or the simple name with or without `Converter` as Java's plugin aliases allow.
#[must_use]
pub fn converter(name: &str) -> Option<&'static dyn ConverterClass> {
    let simple = |class: &'static str| class.rsplit('.').next().unwrap_or(class);
    let named = |c: &&&dyn ConverterClass| {
        let class = c.class();
        name == class || name == simple(class) || Some(name) == simple(class).strip_suffix("Converter")
    };
    CONVERTERS.iter().find(named).copied()
}

/// A converter of the class that `class` names, from `properties` with the prefix (`value.converter.`) taken off.
///
/// # Errors
/// All faults in the properties; or one for the key of the role (`value.converter`) if there is no such class or it does not take
/// the role.
pub fn build(class: &str, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
    let key = key(role);
    let mut faults = Faults::default();
    match converter(class) {
        None => faults.push(key, format!("Invalid value {class} for configuration {key}: Class {class} could not be found.")),
        Some(found) if !found.roles().contains(&role) => {
            faults.push(key, format!("Invalid value {class} for configuration {key}: {} is not for it", found.class()));
        }
        Some(found) => return found.build(properties, role),
    }
    Err(faults)
}

/// The property that names the converter of a role.
const fn key(role: Role) -> &'static str {
    match role {
        Role::Key => "key.converter",
        Role::Value => "value.converter",
        Role::Header => "header.converter",
    }
}

/// What the column is called that a converter makes in a role.
const fn column_name(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Value | Role::Header => "value",
    }
}

/// All rows as one run; none if there is no row.
fn one_run(column: Column) -> Vec<Run> {
    let rows = 0..column.array.len();
    if rows.is_empty() { Vec::new() } else { vec![Run { rows, column: Ok(column) }] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_full_and_simple_name() {
        for class in CONVERTERS {
            let simple = class.class().rsplit('.').next().unwrap();
            assert_eq!(converter(class.class()).unwrap().class(), class.class());
            assert_eq!(converter(simple).unwrap().class(), class.class());
        }
        assert!(converter("AvroConverter").is_none());
    }

    #[test]
    fn an_unknown_class_and_a_wrong_role_are_named() {
        let faults = build("com.example.MyConverter", &Properties::new(), Role::Value).expect_err("refused");
        assert_eq!(
            faults.to_string(),
            "Invalid value com.example.MyConverter for configuration value.converter: Class com.example.MyConverter could not be found."
        );
        let faults = build("SimpleHeaderConverter", &Properties::new(), Role::Key).expect_err("refused");
        assert_eq!(faults.0[0].key, "key.converter");
        let bad = Properties::from([("schemas.enable".into(), "maybe".into()), ("decimal.format".into(), "x".into())]);
        assert_eq!(build("JsonConverter", &bad, Role::Value).expect_err("refused").0.len(), 2);
    }
}
