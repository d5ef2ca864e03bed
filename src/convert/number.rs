//! `org.apache.kafka.connect.converters.{Boolean,Short,Integer,Long,Float,Double}Converter` (4.3.1): values of a fixed size, highest
//! byte first.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::Field;
use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, RecordError, Records, Role, Run, Unavailable};

/// A class that reads values of the kind `F`.
#[derive(Debug)]
pub(super) struct FixedConverterClass<F>(PhantomData<F>);

pub(super) const BOOLEAN: FixedConverterClass<bool> = FixedConverterClass(PhantomData);
pub(super) const SHORT: FixedConverterClass<i16> = FixedConverterClass(PhantomData);
pub(super) const INTEGER: FixedConverterClass<i32> = FixedConverterClass(PhantomData);
pub(super) const LONG: FixedConverterClass<i64> = FixedConverterClass(PhantomData);
pub(super) const FLOAT: FixedConverterClass<f32> = FixedConverterClass(PhantomData);
pub(super) const DOUBLE: FixedConverterClass<f64> = FixedConverterClass(PhantomData);

/// What tells one class from another.
pub(super) trait Fixed: Send + Sync + std::fmt::Debug + 'static {
    /// The Java name of the class.
    const CLASS: &'static str;
    /// How its errors call the type.
    const TYPE: &'static str;
    /// The class of Kafka that reads it there.
    const DESERIALIZER: &'static str;
    /// The bytes of a value.
    const SIZE: usize;

    /// Why `value`, which has the right size, is none.
    fn fault(_value: &[u8]) -> Option<String> {
        None
    }

    /// All values. Those that have another size are of rows that were refused.
    fn array(bytes: &BinaryArray) -> ArrayRef;
}

impl Fixed for bool {
    const CLASS: &'static str = "org.apache.kafka.connect.converters.BooleanConverter";
    const TYPE: &'static str = "boolean";
    const DESERIALIZER: &'static str = "BooleanDeserializer";
    const SIZE: usize = 1;

    fn fault(value: &[u8]) -> Option<String> {
        let byte = value.first().filter(|&&byte| byte > 1)?;
        Some(format!("Unexpected byte received by BooleanDeserializer: {}", byte.cast_signed()))
    }

    fn array(bytes: &BinaryArray) -> ArrayRef {
        let values = BooleanBuffer::collect_bool(bytes.len(), |row| bytes.value(row) == [1]);
        Arc::new(BooleanArray::new(values, bytes.nulls().cloned()))
    }
}

macro_rules! number {
    ($($native:ty, $arrow:ty, $class:literal, $name:literal, $deserializer:literal;)*) => {$(
        impl Fixed for $native {
            const CLASS: &'static str = concat!("org.apache.kafka.connect.converters.", $class);
            const TYPE: &'static str = $name;
            const DESERIALIZER: &'static str = $deserializer;
            const SIZE: usize = size_of::<$native>();

            fn array(bytes: &BinaryArray) -> ArrayRef {
                number::<$arrow, { size_of::<$native>() }>(bytes, <$native>::from_be_bytes)
            }
        }
    )*};
}
number! {
    i16, Int16Type, "ShortConverter", "short", "ShortDeserializer";
    i32, Int32Type, "IntegerConverter", "integer", "IntegerDeserializer";
    i64, Int64Type, "LongConverter", "long", "LongDeserializer";
    f32, Float32Type, "FloatConverter", "float", "FloatDeserializer";
    f64, Float64Type, "DoubleConverter", "double", "DoubleDeserializer";
}

fn number<T: ArrowPrimitiveType, const SIZE: usize>(bytes: &BinaryArray, read: fn([u8; SIZE]) -> T::Native) -> ArrayRef {
    let data = bytes.value_data();
    let value = |pair: &[i32]| data[pair[0] as usize..pair[1] as usize].try_into().map(read).unwrap_or_default();
    let values: Vec<T::Native> = bytes.value_offsets().windows(2).map(value).collect();
    Arc::new(PrimitiveArray::<T>::new(values.into(), bytes.nulls().cloned()))
}

impl<F: Fixed> ConverterClass for FixedConverterClass<F> {
    fn class(&self) -> &'static str {
        F::CLASS
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value, Role::Header]
    }

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn build(&self, _: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        Ok(Box::new(FixedConverter::<F>(role, PhantomData)))
    }
}

/// An instance of a class.
#[derive(Debug)]
struct FixedConverter<F>(Role, PhantomData<F>);

impl<F: Fixed> Converter for FixedConverter<F> {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        let array = F::array(records.bytes);
        let field = Arc::new(Field::new(super::column_name(self.0), array.data_type().clone(), true));
        let refused = records.bytes.iter().enumerate().filter_map(|(row, value)| Some((row, fault::<F>(value?)?))).collect();
        Ok(super::runs(0, &Column { field, array }, refused))
    }
}

fn fault<F: Fixed>(value: &[u8]) -> Option<RecordError> {
    let reason = if value.len() == F::SIZE {
        F::fault(value)?
    } else {
        format!("Size of data received by {} is not {}", F::DESERIALIZER, F::SIZE)
    };
    Some(RecordError::data(format!("Failed to deserialize {}: {reason}", F::TYPE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray as _;
    use arrow_schema::DataType;

    fn convert(class: &dyn ConverterClass, values: Vec<Option<&[u8]>>) -> Vec<Run> {
        let mut converter = class.build(&Properties::new(), Role::Value).expect("no keys");
        let bytes = BinaryArray::from(values);
        converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available")
    }

    #[test]
    fn big_endian_numbers_and_what_has_another_size() {
        let runs = convert(&INTEGER, vec![Some(&[0, 0, 1, 2]), None, Some(&[1]), Some(&[0xff; 4]), Some(&[])]);
        let rows: Vec<_> = runs.iter().map(|run| run.rows.clone()).collect();
        assert_eq!(rows, [0..2, 2..3, 3..4, 4..5]);
        let column = runs[0].column.as_ref().expect("converted");
        assert_eq!(column.array.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(258), None]);
        let column = runs[2].column.as_ref().expect("converted");
        assert_eq!(column.array.as_primitive::<Int32Type>().values(), &[-1]);
        let error = runs[1].column.as_ref().expect_err("refused");
        assert_eq!(error.message, "Failed to deserialize integer: Size of data received by IntegerDeserializer is not 4");
        assert_eq!(error.class, "org.apache.kafka.connect.errors.DataException");
    }

    #[test]
    fn a_slice_of_a_column_is_read_where_it_begins() {
        let bytes = BinaryArray::from(vec![Some(&[9_u8; 8][..]), Some(&1.5_f64.to_be_bytes()), None]).slice(1, 2);
        let mut converter = DOUBLE.build(&Properties::new(), Role::Key).expect("no keys");
        let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available");
        let column = runs[0].column.as_ref().expect("converted");
        assert_eq!(column.array.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(1.5), None]);
        assert_eq!(column.field.name(), "key");
    }

    #[test]
    fn a_boolean_is_0_or_1() {
        let runs = convert(&BOOLEAN, vec![Some(&[1]), Some(&[0]), Some(&[0x80]), None]);
        let column = runs[0].column.as_ref().expect("converted");
        assert_eq!(column.array.data_type(), &DataType::Boolean);
        assert_eq!(column.array.as_boolean().iter().collect::<Vec<_>>(), [Some(true), Some(false)]);
        let error = runs[1].column.as_ref().expect_err("refused");
        assert_eq!(error.message, "Failed to deserialize boolean: Unexpected byte received by BooleanDeserializer: -128");
    }
}
