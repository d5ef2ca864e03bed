use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::DataType;
use landfall_api::{Converter, ConverterClass as _, Properties, Records, Role, Run};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::JsonConverterClass;

mod envelope;
mod paths;
mod properties;
mod schemaless;

/// A value converter with these properties.
fn converter(properties: &[(&str, &str)]) -> Box<dyn Converter> {
    let properties: Properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    JsonConverterClass.build(&properties, Role::Value).expect("valid properties")
}

fn schemaless() -> Box<dyn Converter> {
    converter(&[("schemas.enable", "false")])
}

fn convert<'a, B: AsRef<[u8]> + ?Sized + 'a>(
    converter: &mut dyn Converter,
    records: impl IntoIterator<Item = Option<&'a B>>,
) -> Vec<Run> {
    let bytes: BinaryArray = records.into_iter().map(|r| r.map(AsRef::as_ref)).collect();
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available");
    let mut next = 0;
    for run in &runs {
        assert_eq!(run.rows.start, next, "runs are in order and without gaps");
        next = run.rows.end;
        match &run.column {
            Ok(column) => {
                assert_eq!(column.array.len(), run.rows.len());
                assert_eq!(column.array.data_type(), column.field.data_type());
                column.array.to_data().validate_full().expect("valid Arrow data");
            }
            Err(_) => assert_eq!(run.rows.len(), 1),
        }
    }
    assert_eq!(next, bytes.len(), "runs cover all rows");
    runs
}

/// The single column that all records became.
fn column(converter: &mut dyn Converter, records: &[&str]) -> landfall_api::Column {
    let mut runs = convert(converter, records.iter().map(|r| Some(*r)));
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0).column.expect("no record is refused")
}

/// The message with which the only record is refused.
fn refusal(converter: &mut dyn Converter, record: &[u8]) -> String {
    let runs = convert(converter, [Some(record)]);
    let error = runs[0].column.as_ref().expect_err("refused");
    assert!(error.class.starts_with("org.apache.kafka.connect.errors."));
    error.message.clone()
}

/// All values as JSON.
pub(in crate::convert) fn values(array: &ArrayRef) -> Vec<Value> {
    (0..array.len()).map(|row| value(array, row)).collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMillisecondType>().value(row).into(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => array.as_binary::<i32>().value(row).into(),
        DataType::List(_) => values(&array.as_list::<i32>().value(row)).into(),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            (0..entries.len()).map(|i| json!([value(entries.column(0), i), value(entries.column(1), i)])).collect()
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            Value::Object(fields.iter().zip(columns).map(|(f, c)| (f.name().clone(), value(c, row))).collect())
        }
        other => panic!("no column has the type {other}"),
    }
}
