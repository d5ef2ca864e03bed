//! Fields with their schema's defaults in place of nulls, as Java's `Struct.get` reads them (4.3.1).

use std::sync::Arc;

use crate::schema::{DEFAULT, PARAMETER};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray, Scalar, StringArray, StructArray,
    new_empty_array, new_null_array,
};
use arrow_buffer::{OffsetBuffer, i256};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use arrow_select::concat::concat;
use arrow_select::zip::zip;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The values of `field` with its default in place of nulls; the same where it has none.
pub fn or_default(field: &Field, array: &ArrayRef) -> ArrayRef {
    let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else { return array.clone() };
    let Some(default) = default(field) else { return array.clone() };
    let there = BooleanArray::new(nulls.inner().clone(), None);
    zip(&there, array, &Scalar::new(default)).unwrap_or_else(|_| array.clone())
}

/// The values of `field` with defaults in place of nulls in all structs within them.
pub fn filled(field: &Field, array: &ArrayRef) -> ArrayRef {
    if !has_default_within(field) {
        return array.clone();
    }
    match field.data_type() {
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let columns = fields.iter().zip(array.columns()).map(|(field, array)| filled(field, &or_default(field, array)));
            StructArray::try_new(fields.clone(), columns.collect(), array.nulls().cloned())
                .map(|array| Arc::new(array) as ArrayRef)
        }
        DataType::List(item) => {
            let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
            ListArray::try_new(item.clone(), offsets, filled(item, &values), nulls).map(|array| Arc::new(array) as ArrayRef)
        }
        DataType::Map(entry, sorted) => {
            let (_, offsets, entries, nulls, _) = array.as_map().clone().into_parts();
            let entries = match entry.data_type() {
                DataType::Struct(parts) => {
                    let columns = parts.iter().zip(entries.columns()).map(|(field, array)| filled(field, array)).collect();
                    StructArray::try_new(parts.clone(), columns, None).unwrap_or(entries)
                }
                _ => entries,
            };
            MapArray::try_new(entry.clone(), offsets, entries, nulls, *sorted).map(|array| Arc::new(array) as ArrayRef)
        }
        _ => Ok(array.clone()),
    }
    .unwrap_or_else(|_| array.clone())
}

/// Whether a field within `field` has a default.
fn has_default_within(field: &Field) -> bool {
    let of = |fields: &Fields| fields.iter().any(|field| field.metadata().contains_key(DEFAULT) || has_default_within(field));
    match field.data_type() {
        DataType::Struct(fields) => of(fields),
        DataType::List(field) | DataType::Map(field, _) => has_default_within(field),
        _ => false,
    }
}

/// The default of a field as an array of one row; None where it has none that its type can hold.
pub fn default(field: &Field) -> Option<ArrayRef> {
    let json = serde_json::from_str(field.metadata().get(DEFAULT)?).ok()?;
    one(field, &json)
}

/// A value in the form of Java's `JsonConverter` as an array of one row.
fn one(field: &Field, json: &Value) -> Option<ArrayRef> {
    fn number<T: ArrowPrimitiveType<Native: TryFrom<i64>>>(json: &Value) -> Option<ArrayRef> {
        let value = T::Native::try_from(json.as_i64()?).ok()?;
        Some(Arc::new(PrimitiveArray::<T>::from_iter_values([value])))
    }
    if json.is_null() {
        return Some(new_null_array(field.data_type(), 1));
    }
    Some(match field.data_type() {
        DataType::Boolean => Arc::new(BooleanArray::from(vec![json.as_bool()?])),
        DataType::Int8 => number::<Int8Type>(json)?,
        DataType::Int16 => number::<Int16Type>(json)?,
        DataType::Int32 => number::<Int32Type>(json)?,
        DataType::Int64 => number::<Int64Type>(json)?,
        DataType::Date32 => number::<Date32Type>(json)?,
        DataType::Time32(TimeUnit::Millisecond) => number::<Time32MillisecondType>(json)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let array = number::<TimestampMillisecondType>(json)?;
            let array = array.as_primitive::<TimestampMillisecondType>().clone();
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        DataType::Float32 => Arc::new(PrimitiveArray::<Float32Type>::from_iter_values([json.as_f64()? as f32])),
        DataType::Float64 => Arc::new(PrimitiveArray::<Float64Type>::from_iter_values([json.as_f64()?])),
        DataType::Utf8 => Arc::new(StringArray::from(vec![json.as_str()?])),
        DataType::Binary => Arc::new(BinaryArray::from(vec![&*STANDARD.decode(json.as_str()?).ok()?])),
        DataType::Decimal128(_, column) => {
            let unscaled = unscaled(field, json, *column)?.to_i128()?;
            let array = PrimitiveArray::<Decimal128Type>::from_iter_values([unscaled]);
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        DataType::Decimal256(_, column) => {
            let array = PrimitiveArray::<Decimal256Type>::from_iter_values([unscaled(field, json, *column)?]);
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        DataType::List(item) => {
            let items = json.as_array()?.iter().map(|json| one(item, json)).collect::<Option<Vec<_>>>()?;
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            Arc::new(ListArray::try_new(item.clone(), offsets, rows(item, &items)?, None).ok()?)
        }
        DataType::Map(entry, sorted) => {
            let DataType::Struct(parts) = entry.data_type() else { return None };
            // Strings as keys make an object, others a list of pairs.
            let pairs: Vec<(Value, &Value)> = match json {
                Value::Object(members) => members.iter().map(|(key, value)| (Value::from(key.as_str()), value)).collect(),
                _ => json.as_array()?.iter().map(|pair| Some((pair.get(0)?.clone(), pair.get(1)?))).collect::<Option<_>>()?,
            };
            let keys = pairs.iter().map(|(key, _)| one(&parts[0], key)).collect::<Option<Vec<_>>>()?;
            let values = pairs.iter().map(|(_, value)| one(&parts[1], value)).collect::<Option<Vec<_>>>()?;
            let columns = vec![rows(&parts[0], &keys)?, rows(&parts[1], &values)?];
            let entries = StructArray::try_new(parts.clone(), columns, None).ok()?;
            Arc::new(MapArray::try_new(entry.clone(), OffsetBuffer::from_lengths([pairs.len()]), entries, None, *sorted).ok()?)
        }
        DataType::Struct(fields) if fields.is_empty() => Arc::new(StructArray::new_empty_fields(1, None)),
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| match json.get(field.name()).filter(|json| !json.is_null()) {
                Some(json) => one(field, json),
                None => default(field).or_else(|| Some(new_null_array(field.data_type(), 1))),
            });
            Arc::new(StructArray::try_new(fields.clone(), columns.collect::<Option<_>>()?, None).ok()?)
        }
        _ => return None,
    })
}

fn rows(field: &Field, ones: &[ArrayRef]) -> Option<ArrayRef> {
    if ones.is_empty() {
        return Some(new_empty_array(field.data_type()));
    }
    concat(&ones.iter().map(|one| &**one).collect::<Vec<_>>()).ok()
}

/// A decimal in units of its column: Base64 of the unscaled number, or a number.
fn unscaled(field: &Field, json: &Value, column: i8) -> Option<i256> {
    match json {
        Value::String(base64) => {
            let bytes = STANDARD.decode(base64).ok()?;
            let mut all = [if bytes.first()? & 0x80 == 0 { 0 } else { 0xff }; 32];
            all[32_usize.checked_sub(bytes.len())?..].copy_from_slice(&bytes);
            let scale = field.metadata().get(&format!("{PARAMETER}scale")).and_then(|scale| scale.parse::<i32>().ok());
            let shift = u32::try_from(i32::from(column) - scale.unwrap_or(i32::from(column))).ok()?;
            i256::from_be_bytes(all).checked_mul(i256::from_i128(10).checked_pow(shift)?)
        }
        Value::Number(number) => {
            let text = number.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let column = usize::try_from(column).ok()?;
            let fits = fraction.len() <= column && !text.contains(['e', 'E']);
            fits.then(|| i256::from_string(&format!("{whole}{fraction:0<column$}")))?
        }
        _ => None,
    }
}
