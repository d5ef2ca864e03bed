//! What transforms require of values, in the words of Java's `Requirements` (4.3.1).

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field};
use landfall_api::config::Value as _;
use landfall_api::{Batch, Column, Faults, Output, Properties, RecordError, schema};

use super::Part;

/// The rows of `batch` whose part is a struct or a map, or, if `null` may be, nothing. The others are refused.
pub(crate) fn structs(batch: Batch, part: Part, purpose: &str, null: bool, out: &mut Output) -> Batch {
    let column = part.of(&batch);
    let errors = not_structs(&column.field, &column.array, purpose, null);
    out.reject_rows(batch, errors)
}

/// The rows of `array` that are neither a struct nor a map nor, if `null` may be, nothing, with Java's errors for `purpose`.
pub(crate) fn not_structs(field: &Field, array: &ArrayRef, purpose: &str, null: bool) -> Vec<(usize, RecordError)> {
    let nulls = array.logical_nulls();
    let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let fails = |row| if is_null(row) { !null } else { true };
    let error = |row| {
        let found = java_class(field, array, row);
        // A null row is one without a schema.
        let message = if found == "java.util.HashMap" && schema::is_schemaless(field) {
            // Java works on it; here its column is text.
            format!(
                "Only Map objects supported in absence of schema for [{purpose}], and values of several types are JSON text here"
            )
        } else if is_null(row) || schema::is_schemaless(field) {
            format!("Only Map objects supported in absence of schema for [{purpose}], found: {found}")
        } else {
            format!("Only Struct objects supported for [{purpose}], found: {found}")
        };
        (row, RecordError::data(message))
    };
    match (field.data_type(), &nulls) {
        (DataType::Struct(_), None) => Vec::new(),
        (DataType::Struct(_), Some(_)) if null => Vec::new(),
        (DataType::Struct(_), Some(nulls)) => (0..array.len()).filter(|&row| nulls.is_null(row)).map(error).collect(),
        _ => (0..array.len()).filter(|&row| fails(row)).map(error).collect(),
    }
}

/// The Java class of a value as its converter makes it; `null` for nothing.
pub(crate) fn java_class(field: &Field, array: &ArrayRef, row: usize) -> &'static str {
    if array.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) {
        return "null";
    }
    let schemaless = schema::is_schemaless(field);
    match field.data_type() {
        DataType::Boolean => "java.lang.Boolean",
        DataType::Int8 => "java.lang.Byte",
        DataType::Int16 => "java.lang.Short",
        DataType::Int32 => "java.lang.Integer",
        DataType::Int64 => "java.lang.Long",
        DataType::Float32 => "java.lang.Float",
        DataType::Float64 => "java.lang.Double",
        DataType::Utf8 if schema::is_json(field) => {
            let text = array.as_string::<i32>().value(row).trim_start();
            match text.as_bytes().first() {
                Some(b'{') => "java.util.HashMap",
                Some(b'[') => "java.util.ArrayList",
                Some(b't' | b'f') => "java.lang.Boolean",
                Some(b'"') => "java.lang.String",
                _ if text.contains(['.', 'e', 'E']) => "java.lang.Double",
                _ => "java.lang.Long",
            }
        }
        DataType::Utf8 => "java.lang.String",
        DataType::Binary => "[B",
        DataType::Decimal128(..) | DataType::Decimal256(..) => "java.math.BigDecimal",
        DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(..) => "java.util.Date",
        DataType::List(_) => "java.util.ArrayList",
        DataType::Map(..) => "java.util.HashMap",
        DataType::Struct(_) if schemaless => "java.util.HashMap",
        DataType::Struct(_) => "org.apache.kafka.connect.data.Struct",
        _ => "java.lang.Object",
    }
}

/// What `ConfigDef.ValidList` says of a list that was given and may not be empty, whatever else is wrong.
pub(crate) fn not_empty(key: &str, properties: &Properties, faults: &mut Faults) {
    let Some(list) = properties.get(key).and_then(|raw| Vec::<String>::parse(raw).ok()) else { return };
    if list.is_empty() {
        faults.push(key, format!("Configuration '{key}' must not be empty. Valid values include: any non-empty value"));
    } else if list.iter().any(String::is_empty) {
        faults.push(key, format!("Configuration '{key}' values must not be empty."));
    }
}

/// The error of a Java class that has no constructor of its own here.
pub(crate) fn error(class: &'static str, message: impl Into<String>) -> RecordError {
    RecordError { class, message: message.into() }
}

/// Java's `IllegalArgumentException`.
pub(crate) fn illegal_argument(message: impl Into<String>) -> RecordError {
    error("java.lang.IllegalArgumentException", message)
}

/// `column` under another field of the record, where every value may be null: a root has no nullability of its own.
pub(crate) fn root(name: &str, field: &Field, array: ArrayRef) -> Column {
    Column { field: Arc::new(field.clone().with_name(name).with_nullable(true)), array }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless};

    #[test]
    fn what_is_no_struct_is_named_by_its_class() {
        let found = |batch: &Batch, null: bool| -> Vec<(usize, String)> {
            let errors = not_structs(&batch.value.field, &batch.value.array, "p", null);
            errors
                .into_iter()
                .map(|(row, error)| (row, error.message.rsplit(": ").next().unwrap_or_default().to_owned()))
                .collect()
        };
        let of = |row, class: &str| (row, class.to_owned());
        assert_eq!(found(&schemaless(&[Some("{}"), None]), true), []);
        assert_eq!(found(&schemaless(&[Some("{}"), None]), false), [of(1, "null")]);
        assert_eq!(found(&schemaless(&[Some("1"), None]), true), [of(0, "java.lang.Long")]);
        let mixed = schemaless(&[Some("1"), Some("{}"), Some("1.5"), Some("true"), Some("\"\""), Some("[]")]);
        let classes = ["lang.Long", "", "lang.Double", "lang.Boolean", "lang.String", "util.ArrayList"];
        let mut expected: Vec<_> = classes.iter().enumerate().map(|(row, class)| of(row, &format!("java.{class}"))).collect();
        let text = "Only Map objects supported in absence of schema for [p], and values of several types are JSON text here";
        expected[1] = of(1, text);
        assert_eq!(found(&mixed, true), expected);
        let typed = &records(&[(None, Some(r#"{"schema":{"type":"bytes"},"payload":"AA=="}"#))], true)[0];
        let errors = not_structs(&typed.value.field, &typed.value.array, "p", false);
        assert_eq!(errors[0].1.message, "Only Struct objects supported for [p], found: [B");
    }
}
