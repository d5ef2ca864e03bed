//! Makes rows of one schema rows of another, by columns (`SchemaProjector` of kafka-connect-storage-common 12.0).

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{
    Array, ArrayRef, BooleanArray, ListArray, MapArray, RecordBatch, RecordBatchOptions, Scalar, StructArray, UInt32Array,
    new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::display::FormatOptions;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, SchemaRef};
use arrow_select::take::take;
use arrow_select::zip::zip;
use landfall_api::default::default;
use landfall_api::{Column, RecordError};

use super::compatible::{Type, projector};
use crate::columns::Refusals;

/// A number that does not fit is an error, not a null.
const EXACT: CastOptions<'_> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// `column` with the schema `to`, which [`next`](super::next) gave for its own. Fields that it lacks have their default, or are null;
/// fields that `to` lacks are left out; numbers are promoted.
///
/// # Errors
/// All rows with Java's `SchemaProjectorException`, if there is no way.
pub fn project(column: &Column, to: &FieldRef) -> Result<Column, Refusals> {
    match filled(&column.array, to, None) {
        Ok(array) => Ok(Column { field: to.clone(), array }),
        Err(error) => Err((0..column.array.len()).map(|row| (row, error.clone())).collect()),
    }
}

/// Rows of a file whose schema has grown to `schema`, which is that of the file for what [`Take::Grow`](super::Take::Grow) gave.
///
/// # Errors
/// There is no way from the one to the other; the file ends then.
pub fn regrown(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = members(rows.schema_ref().fields(), rows.columns(), schema.fields(), rows.num_rows(), None);
    let columns = columns.map_err(|error| ArrowError::SchemaError(error.to_string()))?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

/// `array` in the type of `to`, with its default in place of nulls where there may be none. Below a null of `parent` there is nothing.
fn filled(array: &ArrayRef, to: &Field, parent: Option<&NullBuffer>) -> Result<ArrayRef, RecordError> {
    let array = typed(array, to)?;
    if to.is_nullable() {
        return Ok(array);
    }
    let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else { return Ok(array) };
    match default(to) {
        Some(default) => {
            zip(&BooleanArray::new(nulls.into_inner(), None), &array, &Scalar::new(default)).map_err(|error| arrow(&error))
        }
        None if parent.is_some_and(|parent| parent.contains(&nulls)) => Ok(array),
        None => Err(projector("Writer schema is optional, however, target schema does not provide a default value.")),
    }
}

fn typed(array: &ArrayRef, to: &Field) -> Result<ArrayRef, RecordError> {
    use DataType as T;
    let made = match (array.data_type(), to.data_type()) {
        (from, to) if from == to => return Ok(array.clone()),
        (T::Struct(from), T::Struct(fields)) => {
            let array = array.as_struct();
            let columns = members(from, array.columns(), fields, array.len(), array.nulls())?;
            StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len())
                .map(|a| Arc::new(a) as _)
        }
        (T::List(_), T::List(item)) => {
            let array = array.as_list::<i32>();
            let (offsets, items) = part(array.offsets(), array.values());
            let items = filled(&items, item, None)?;
            ListArray::try_new(item.clone(), offsets, items, array.nulls().cloned()).map(|a| Arc::new(a) as _)
        }
        (T::Map(..), T::Map(entries, sorted)) => {
            let array = array.as_map();
            let pairs: ArrayRef = Arc::new(array.entries().clone());
            let (offsets, pairs) = part(array.offsets(), &pairs);
            let T::Struct(fields) = entries.data_type() else { return Err(mismatch(array.data_type(), to.data_type())) };
            // By their place: what keys and values are called differs between converters.
            let columns = pairs.as_struct().columns().iter().zip(fields).map(|(column, field)| filled(column, field, None));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let pairs = StructArray::try_new(fields.clone(), columns, None).map_err(|error| arrow(&error))?;
            MapArray::try_new(entries.clone(), offsets, pairs, array.nulls().cloned(), *sorted).map(|a| Arc::new(a) as _)
        }
        (from, to) if is_number(from) && is_number(to) || is_shorter(from, to) => cast_with_options(array, to, &EXACT),
        (_, to) if array.logical_null_count() == array.len() => return Ok(new_null_array(to, array.len())),
        (from, to) => return Err(mismatch(from, to)),
    };
    made.map_err(|error| arrow(&error))
}

/// The columns of `to` from those of `from`, which may lack some.
fn members(
    from: &Fields,
    columns: &[ArrayRef],
    to: &Fields,
    rows: usize,
    parent: Option<&NullBuffer>,
) -> Result<Vec<ArrayRef>, RecordError> {
    let column = |(at, field): (usize, &FieldRef)| {
        // Fields mostly keep their places.
        let same = from.get(at).filter(|own| own.name() == field.name()).map(|_| at);
        match same.or_else(|| from.find(field.name()).map(|(at, _)| at)) {
            Some(at) => filled(&columns[at], field, parent),
            None => absent(field, rows),
        }
        .map_err(|error| projector(format!("Error projecting {}: {}", field.name(), error.message)))
    };
    to.iter().enumerate().map(column).collect()
}

/// The values of a field that rows do not have.
fn absent(field: &Field, rows: usize) -> Result<ArrayRef, RecordError> {
    match default(field) {
        Some(default) => take(&default, &UInt32Array::from(vec![0; rows]), None).map_err(|error| arrow(&error)),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), rows)),
        None => Err(projector(format!("Required field `{}` is missing from source schema", field.name()))),
    }
}

/// The items that belong to a part of lists, and where they begin among themselves.
fn part(offsets: &OffsetBuffer<i32>, items: &ArrayRef) -> (OffsetBuffer<i32>, ArrayRef) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let moved: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
    (OffsetBuffer::new(moved.into()), items.slice(first as usize, (last - first) as usize))
}

pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// Whether both are decimals of one scale, and the second has the digits of the first.
pub(super) fn is_shorter(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Decimal128(digits, scale), T::Decimal128(most, same)) | (T::Decimal256(digits, scale), T::Decimal256(most, same)) => {
            digits <= most && scale == same
        }
        _ => false,
    }
}

/// Java's text.
fn mismatch(from: &DataType, to: &DataType) -> RecordError {
    let name = |data_type: &DataType| Type::of(data_type).map_or_else(|| data_type.to_string(), |found| found.name().to_owned());
    projector(format!("Schema type mismatch. source type: {} and target type: {}", name(from), name(to)))
}

fn arrow(error: &ArrowError) -> RecordError {
    projector(error.to_string())
}
