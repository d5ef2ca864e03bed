//! Brings values into the type of their column, at every depth.
//!
//! The two types say which way it is: none loses anything. What does not fit is named by its row, its path and its value.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal256Type, Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, ListArray, MapArray, PrimitiveArray, StringArray, StructArray, make_array, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::cast as arrow_cast;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};
use landfall_api::RecordError;

use super::iso;
use super::scaled::Scaled;

/// A value that its column cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) row: usize,
    /// Where in the row it is, from the column's own name on: empty for the column itself.
    pub(crate) path: String,
    /// What it is and why it does not fit.
    pub(crate) why: String,
}

impl Unfit {
    pub(crate) fn new(row: usize, why: impl Into<String>) -> Self {
        Self { row, path: String::new(), why: why.into() }
    }

    /// It was found in the field or the item `name`.
    pub(crate) fn is_below(&mut self, name: &str) {
        let point = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{point}{}", self.path);
    }

    /// The row, and why it is refused.
    pub(crate) fn refusal(self) -> (usize, RecordError) {
        (self.row, RecordError::data(format!("{}: {}", self.path, self.why)))
    }
}

/// `array` in the type of `column`. What does not fit is added to `unfit`, in no order; it is of no use in what is returned.
///
/// # Errors
/// There is no way from the one type to the other.
pub(crate) fn cast(array: &ArrayRef, column: &Field, unfit: &mut Vec<Unfit>) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    let to = column.data_type();
    if array.data_type() == to {
        return Ok(array.clone());
    }
    Ok(match (array.data_type(), to) {
        (T::Struct(fields), T::Struct(columns)) => {
            let array = array.as_struct();
            let mut arrays = Vec::with_capacity(columns.len());
            for ((field, column), values) in fields.iter().zip(columns).zip(array.columns()) {
                arrays.push(below(unfit, array.nulls(), field.name(), |unfit| cast(values, column, unfit))?);
            }
            Arc::new(StructArray::try_new(columns.clone(), arrays, array.nulls().cloned())?)
        }
        (T::List(_), T::List(item)) => {
            let array = array.as_list::<i32>();
            let (offsets, values) = part(array.offsets(), array.values());
            let values = within(unfit, array.nulls(), &offsets, |unfit| cast(&values, item, unfit))?;
            Arc::new(ListArray::try_new(item.clone(), offsets, values, array.nulls().cloned())?)
        }
        (T::Map(..), T::Map(entries, sorted)) => {
            let array = array.as_map();
            let pairs: ArrayRef = Arc::new(array.entries().clone());
            let (offsets, pairs) = part(array.offsets(), &pairs);
            let pairs = within(unfit, array.nulls(), &offsets, |unfit| cast(&pairs, entries, unfit))?;
            let pairs = pairs.as_struct().clone();
            Arc::new(MapArray::try_new(entries.clone(), offsets, pairs, array.nulls().cloned(), *sorted)?)
        }
        (T::Int8 | T::Int16, T::Int32) => arrow_cast(array, to)?,
        (T::Int32, T::Date32) => Arc::new(array.as_primitive::<Int32Type>().reinterpret_cast::<Date32Type>()),
        (T::Int32, T::Time32(TimeUnit::Millisecond)) => {
            time_of_day::<Int32Type, Time32MillisecondType>(array, 86_400_000, "milliseconds", unfit)
        }
        (T::Int64, T::Time64(TimeUnit::Microsecond)) => {
            time_of_day::<Int64Type, Time64MicrosecondType>(array, 86_400_000_000, "microseconds", unfit)
        }
        (T::Int64, T::Time64(TimeUnit::Nanosecond)) => {
            time_of_day::<Int64Type, Time64NanosecondType>(array, 86_400_000_000_000, "nanoseconds", unfit)
        }
        (T::Int64, T::Timestamp(unit, zone)) => {
            let array = array.as_primitive::<Int64Type>();
            let zone = zone.clone();
            match unit {
                TimeUnit::Millisecond => {
                    Arc::new(array.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone)) as ArrayRef
                }
                TimeUnit::Nanosecond => Arc::new(array.reinterpret_cast::<TimestampNanosecondType>().with_timezone_opt(zone)),
                _ => Arc::new(array.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone)),
            }
        }
        (T::Utf8, T::Date32) => Arc::new(read::<Date32Type>(array, "date", unfit, iso::days)),
        (T::Utf8, T::Time64(TimeUnit::Microsecond)) => {
            Arc::new(read::<Time64MicrosecondType>(array, "time in microseconds", unfit, |text| iso::time(text, 1_000_000)))
        }
        (T::Utf8, T::Time64(TimeUnit::Nanosecond)) => {
            Arc::new(read::<Time64NanosecondType>(array, "time in nanoseconds", unfit, |text| iso::time(text, 1_000_000_000)))
        }
        (T::Utf8, T::Timestamp(unit, zone)) => {
            let parse = if zone.is_some() { iso::zoned } else { iso::local };
            if *unit == TimeUnit::Nanosecond {
                let what = "timestamp in 64-bit nanoseconds";
                let read = read::<TimestampNanosecondType>(array, what, unfit, |text| parse(text, 1_000_000_000));
                Arc::new(read.with_timezone_opt(zone.clone()))
            } else {
                let what = "timestamp in 64-bit microseconds";
                let read = read::<TimestampMicrosecondType>(array, what, unfit, |text| parse(text, 1_000_000));
                Arc::new(read.with_timezone_opt(zone.clone()))
            }
        }
        (T::Decimal256(..), T::Decimal128(precision, scale)) => narrow(array, *precision, *scale, unfit)?,
        (T::Struct(fields), T::Utf8) if !fields.is_empty() => scaled_text(array, unfit)?,
        (T::Struct(fields), T::Decimal128(precision, scale)) if !fields.is_empty() => {
            scaled_decimal(array, *precision, *scale, unfit)?
        }
        // Schemaless values of which nothing is known.
        (T::Null | T::Struct(_) | T::List(_), T::Utf8) => new_null_array(to, array.len()),
        _ => checked(array, to, unfit)?,
    })
}

/// Casts the children called `name`: what is unfit below a null is not there.
fn below<T>(unfit: &mut Vec<Unfit>, nulls: Option<&NullBuffer>, name: &str, cast: impl FnOnce(&mut Vec<Unfit>) -> T) -> T {
    let begin = unfit.len();
    let done = cast(unfit);
    for mut found in unfit.split_off(begin) {
        if nulls.is_none_or(|nulls| nulls.is_valid(found.row)) {
            found.is_below(name);
            unfit.push(found);
        }
    }
    done
}

/// Casts the items that begin at `offsets`: those of a null are not there.
fn within<T>(
    unfit: &mut Vec<Unfit>,
    nulls: Option<&NullBuffer>,
    offsets: &OffsetBuffer<i32>,
    cast: impl FnOnce(&mut Vec<Unfit>) -> T,
) -> T {
    let begin = unfit.len();
    let done = cast(unfit);
    for mut found in unfit.split_off(begin) {
        let row = offsets.partition_point(|&offset| offset as usize <= found.row) - 1;
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            found.is_below(&format!("[{}]", found.row - offsets[row] as usize));
            unfit.push(Unfit { row, ..found });
        }
    }
    done
}

/// The items that belong to a part of lists, and where they begin among themselves.
fn part(offsets: &OffsetBuffer<i32>, items: &ArrayRef) -> (OffsetBuffer<i32>, ArrayRef) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    if first == 0 && last as usize == items.len() {
        return (offsets.clone(), items.clone());
    }
    let moved: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
    (OffsetBuffer::new(moved.into()), items.slice(first as usize, (last - first) as usize))
}

/// Numbers as times of day, of which there are `day`.
fn time_of_day<F, T>(array: &ArrayRef, day: i64, unit: &str, unfit: &mut Vec<Unfit>) -> ArrayRef
where
    F: ArrowPrimitiveType<Native: Into<i64>>,
    T: ArrowPrimitiveType<Native = F::Native>,
{
    let array = array.as_primitive::<F>();
    let fits = |value: &F::Native| (0..day).contains(&(*value).into());
    if !array.values().iter().all(fits) {
        let out = |row: &usize| array.is_valid(*row) && !fits(&array.value(*row));
        let why = |row| format!("{} {unit} are no time of day", array.value(row).into());
        unfit.extend((0..array.len()).filter(out).map(|row| Unfit::new(row, why(row))));
    }
    Arc::new(array.reinterpret_cast::<T>())
}

/// Text as what it says.
fn read<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    what: &str,
    unfit: &mut Vec<Unfit>,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let array: &StringArray = array.as_string();
    let values = (0..array.len()).map(|row| {
        if array.is_null(row) {
            return T::Native::default();
        }
        parse(array.value(row)).unwrap_or_else(|| {
            let why = format!("{:?} is no {what} (landfall.types.iso)", shown(array.value(row)));
            unfit.push(Unfit::new(row, why));
            T::Native::default()
        })
    });
    let values: Vec<T::Native> = values.collect();
    PrimitiveArray::new(values.into(), array.nulls().cloned())
}

/// As much of a value as an error shows.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(100).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

/// Decimals of more digits, if theirs are not more.
fn narrow(array: &ArrayRef, precision: u8, scale: i8, unfit: &mut Vec<Unfit>) -> Result<ArrayRef, ArrowError> {
    if !matches!(array.data_type(), DataType::Decimal256(_, own) if *own == scale) {
        return checked(array, &DataType::Decimal128(precision, scale), unfit);
    }
    let wide = array.as_primitive::<Decimal256Type>();
    let limit = 10_u128.saturating_pow(precision.into());
    let values = (0..wide.len()).map(|row| {
        if wide.is_null(row) {
            return 0;
        }
        wide.value(row).to_i128().filter(|value| value.unsigned_abs() < limit).unwrap_or_else(|| {
            unfit.push(too_long(row, &wide.value_as_string(row), precision, scale));
            0
        })
    });
    let values: Vec<i128> = values.collect();
    let narrow = Decimal128Array::new(values.into(), wide.nulls().cloned());
    Ok(Arc::new(narrow.with_precision_and_scale(precision, scale)?))
}

fn too_long(row: usize, text: &str, precision: u8, scale: i8) -> Unfit {
    let why = format!("{} does not fit a decimal of {precision} digits, {scale} of them fractional", shown(text));
    Unfit::new(row, why)
}

/// Numbers with a scale each as their text.
fn scaled_text(array: &ArrayRef, unfit: &mut Vec<Unfit>) -> Result<ArrayRef, ArrowError> {
    let array = array.as_struct();
    let scaled = Scaled::of(array).ok_or_else(|| no_way(array.data_type()))?;
    let (mut texts, mut text) = (StringBuilder::new(), String::new());
    for row in 0..array.len() {
        text.clear();
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        if scaled.write(row, &mut text).is_none() {
            unfit.push(Unfit::new(row, "no number, or one too long to write"));
        }
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// Numbers with a scale each in one scale.
fn scaled_decimal(array: &ArrayRef, precision: u8, scale: i8, unfit: &mut Vec<Unfit>) -> Result<ArrayRef, ArrowError> {
    let array = array.as_struct();
    let scaled = Scaled::of(array).ok_or_else(|| no_way(array.data_type()))?;
    let values = (0..array.len()).map(|row| {
        if array.is_null(row) {
            return 0;
        }
        scaled.decimal(row, precision, scale).unwrap_or_else(|| {
            let mut text = String::new();
            let text = scaled.write(row, &mut text).map_or("a number", |()| &*text);
            unfit.push(too_long(row, text, precision, scale));
            0
        })
    });
    let values: Vec<i128> = values.collect();
    let decimals = Decimal128Array::new(values.into(), array.nulls().cloned());
    Ok(Arc::new(decimals.with_precision_and_scale(precision, scale)?))
}

fn no_way(from: &DataType) -> ArrowError {
    ArrowError::CastError(format!("{from} is no number with a scale"))
}

/// What Arrow makes of it, where it makes something of every value.
fn checked(array: &ArrayRef, to: &DataType, unfit: &mut Vec<Unfit>) -> Result<ArrayRef, ArrowError> {
    let cast = arrow_cast(array, to)?;
    if cast.null_count() != array.null_count() {
        let lost = (0..array.len()).filter(|row| cast.is_null(*row) && array.is_valid(*row));
        unfit.extend(lost.map(|row| Unfit::new(row, format!("the value does not fit {to}"))));
        // A null where a value is required would cost all rows.
        let values = cast.to_data().into_builder().nulls(array.logical_nulls());
        return Ok(make_array(values.build()?));
    }
    Ok(cast)
}
