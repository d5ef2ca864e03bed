//! Values as Java prints them: columns in, text out. There are two texts of a value: `String.valueOf`, which is a line of a file, and
//! `Values.convertToString` (4.3.1), which is what a header holds.
//!
//! A value with a schema is what Connect makes of it: a `Struct` prints the fields that are not null, a map is a
//! `java.util.HashMap` and comes in its order, decimals and dates are `BigDecimal` and `java.util.Date`. An object without a schema is
//! a `HashMap` too. Where Java's text depends on the machine, one is chosen:
//! - numbers with a fraction as a JVM of version 19 or later prints them: the fewest digits that say which number it is (an older one
//!   prints a digit too many, or a last digit that is not the nearest, for about one in a thousand);
//! - dates in UTC.
//!
//! And where it would be of no use, another is made: bytes, which Java shows as the address of an array, are a line as they are, and in
//! Base64 within another value.
//!
//! Some things a column does not know: whether a field that is null was there at all (it is left out), whether 1 among numbers with a
//! fraction was 1 or 1.0 (it is 1.0), in which order the names of a record came (those that Java's table has in one place come in the
//! order of the columns), how many zeros a decimal of JSON had at its end (it has those of its schema's scale).

pub mod date;
mod hash_map;
mod json;
pub mod number;

use std::io::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, i256};
use arrow_schema::{DataType, Field, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::Column;
use landfall_api::schema::SCHEMALESS;

use date::{DAY, date, iso};
use hash_map::{Entries, Order, hash_of};
use json::json;
use number::{decimal, decimal256, double, float};

/// Where a decimal's schema says how many of its digits are behind the point.
const SCALE: &str = "connect.parameter.scale";

/// Prints the values of a column.
#[derive(Debug)]
pub struct Printer<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
    form: Form,
}

#[derive(Debug)]
enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float(&'a [f32]),
    Double(&'a [f64]),
    String(&'a StringArray),
    Json(&'a StringArray),
    Bytes(&'a BinaryArray),
    /// Unscaled values, the column's scale and the schema's, which may be below zero.
    Decimal(&'a [i128], i32, i32),
    /// Unscaled values of more digits, and their scale.
    Decimal256(&'a [i256], i32),
    Date(&'a [i32]),
    Time(&'a [i32]),
    Timestamp(&'a [i64]),
    List(&'a [i32], Box<Printer<'a>>),
    /// Where the entries of each map end, keys and values.
    Map(&'a [i32], Box<(Self, Printer<'a>)>),
    Struct(Vec<(&'a str, Printer<'a>)>),
    Object(Vec<(&'a str, Printer<'a>)>, Order),
}

/// Which of Java's texts, and where in it a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `String.valueOf` of a record's value.
    Line,
    /// The same of what is in such a value.
    InLine,
    /// `Values.convertToString` of a header's value.
    Header,
    /// The same of what is in such a value.
    InHeader,
}

impl Form {
    /// That of what is in a value of this form.
    const fn inner(self) -> Self {
        match self {
            Self::Line | Self::InLine => Self::InLine,
            Self::Header | Self::InHeader => Self::InHeader,
        }
    }

    const fn is_header(self) -> bool {
        matches!(self, Self::Header | Self::InHeader)
    }

    /// What stands between two items.
    const fn comma(self) -> &'static [u8] {
        if self.is_header() { b"," } else { b", " }
    }

    /// What stands between a key and its value.
    const fn colon(self) -> u8 {
        if self.is_header() { b':' } else { b'=' }
    }

    /// Appends text: in quotes within a header.
    fn text(self, text: &[u8], out: &mut Vec<u8>) {
        if self != Self::InHeader {
            return out.extend_from_slice(text);
        }
        out.push(b'"');
        for &byte in text {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
}

impl<'a> Printer<'a> {
    /// The printer of a column of records' values, as lines of a file.
    ///
    /// # Errors
    /// An Arrow type that no Connect value has.
    pub fn of(column: &'a Column) -> Result<Self, String> {
        Self::new(&column.field, &column.array, Form::Line)
    }

    /// The printer of a column of headers' values, as `SimpleHeaderConverter` writes them. A null of a field with a default stays one.
    ///
    /// # Errors
    /// An Arrow type that no Connect value has.
    pub fn of_headers(column: &'a Column) -> Result<Self, String> {
        Self::new(&column.field, &column.array, Form::Header)
    }

    /// Appends the value of `row` to `out`.
    pub fn print(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) { out.extend_from_slice(b"null") } else { self.values.print(row, self.form, out) }
    }

    /// Whether the value of `row` is null.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    fn new(field: &'a Field, array: &'a ArrayRef, form: Form) -> Result<Self, String> {
        Ok(Self { values: Values::of(field, array, form)?, nulls: array.nulls(), form })
    }
}

impl<'a> Values<'a> {
    fn of(field: &'a Field, array: &'a ArrayRef, form: Form) -> Result<Self, String> {
        let schemaless = field.metadata().get(SCHEMALESS).map(String::as_str);
        Ok(match field.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int8 => Self::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Self::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Self::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::Float32 => Self::Float(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>().values()),
            DataType::Utf8 if schemaless == Some("json") => Self::Json(array.as_string()),
            DataType::Utf8 => Self::String(array.as_string()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::Decimal128(_, scale) => {
                let column = i32::from(*scale);
                let schema = field.metadata().get(SCALE).and_then(|scale| scale.parse().ok()).unwrap_or(column);
                Self::Decimal(array.as_primitive::<Decimal128Type>().values(), column, schema)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(array.as_primitive::<Decimal256Type>().values(), i32::from(*scale))
            }
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(TimeUnit::Millisecond) => Self::Time(array.as_primitive::<Time32MillisecondType>().values()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Timestamp(array.as_primitive::<TimestampMillisecondType>().values())
            }
            DataType::List(item) => {
                let list = array.as_list::<i32>();
                Self::List(list.value_offsets(), Box::new(Printer::new(item, list.values(), form.inner())?))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (keys, values) = map.entries_fields();
                let keys = Self::of(keys, map.keys(), form.inner())?;
                Self::Map(map.value_offsets(), Box::new((keys, Printer::new(values, map.values(), form.inner())?)))
            }
            DataType::Struct(_) if schemaless.is_some() => {
                let fields = fields(array.as_struct(), form)?;
                let order = Order::of(&fields.iter().map(|(name, _)| hash_of(name)).collect::<Vec<_>>());
                Self::Object(fields, order)
            }
            DataType::Struct(_) => Self::Struct(fields(array.as_struct(), form)?),
            other => return Err(format!("a value of Arrow's type {other} has no text in Java")),
        })
    }

    fn print(&self, row: usize, form: Form, out: &mut Vec<u8>) {
        let time = |millis: i64, out: &mut Vec<u8>| if form.is_header() { iso(millis, out) } else { date(millis, out) };
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(array) => show(array.value(row), out),
            Self::Int8(values) => show(values[row], out),
            Self::Int16(values) => show(values[row], out),
            Self::Int32(values) => show(values[row], out),
            Self::Int64(values) => show(values[row], out),
            Self::Float(values) => float(values[row], out),
            Self::Double(values) => double(values[row], out),
            Self::String(array) => form.text(array.value(row).as_bytes(), out),
            Self::Json(array) => json(array.value(row), form, out),
            Self::Bytes(array) if form == Form::Line => out.extend_from_slice(array.value(row)),
            Self::Bytes(array) => form.text(STANDARD.encode(array.value(row)).as_bytes(), out),
            Self::Decimal(values, column, schema) => decimal(values[row], *column, *schema, out),
            Self::Decimal256(values, scale) => decimal256(values[row], *scale, out),
            Self::Date(values) => time(i64::from(values[row]) * DAY, out),
            Self::Time(values) => time(i64::from(values[row]), out),
            Self::Timestamp(values) => time(values[row], out),
            Self::List(ends, items) => {
                out.push(b'[');
                for (n, at) in span(ends, row).enumerate() {
                    separate(n, form.comma(), out);
                    items.print(at, out);
                }
                out.push(b']');
            }
            Self::Map(ends, parts) => {
                let (keys, values) = &**parts;
                let mut entries = Entries::new(out);
                for at in span(ends, row) {
                    let begin = out.len();
                    keys.print(at, form.inner(), out);
                    let hash = keys.hash(at);
                    entries.key(hash, begin, out);
                    values.print(at, out);
                }
                entries.finish(form, out);
            }
            Self::Struct(fields) => {
                out.extend_from_slice(if form.is_header() { b"{" } else { b"Struct{" });
                let shown = fields.iter().filter(|(_, values)| form.is_header() || !values.is_null(row));
                for (n, (name, values)) in shown.enumerate() {
                    separate(n, b",", out);
                    member(name, values, row, form, out);
                }
                out.push(b'}');
            }
            Self::Object(fields, order) => {
                out.push(b'{');
                let present = fields.iter().filter(|(_, values)| !values.is_null(row)).count();
                let present = order.of_size(present).iter().map(|&at| &fields[at]).filter(|(_, values)| !values.is_null(row));
                for (n, (name, values)) in present.enumerate() {
                    separate(n, form.comma(), out);
                    member(name, values, row, form, out);
                }
                out.push(b'}');
            }
        }
    }

    /// Java's `hashCode` of the value, for keys of maps; nought for types whose hash Java takes from elsewhere, or that are too rare:
    /// they stay in the order of the record.
    fn hash(&self, row: usize) -> u32 {
        let long = |bits: u64| (bits ^ (bits >> 32)) as u32;
        match self {
            Self::Boolean(array) => {
                if array.value(row) {
                    1231
                } else {
                    1237
                }
            }
            Self::Int8(values) => i32::from(values[row]).cast_unsigned(),
            Self::Int16(values) => i32::from(values[row]).cast_unsigned(),
            Self::Int32(values) => values[row].cast_unsigned(),
            Self::Int64(values) | Self::Timestamp(values) => long(values[row].cast_unsigned()),
            Self::Float(values) => values[row].to_bits(),
            Self::Double(values) => long(values[row].to_bits()),
            Self::String(array) => hash_of(array.value(row)),
            Self::Date(values) => long((i64::from(values[row]) * DAY).cast_unsigned()),
            Self::Time(values) => long(i64::from(values[row]).cast_unsigned()),
            _ => 0,
        }
    }
}

fn fields(array: &StructArray, form: Form) -> Result<Vec<(&str, Printer<'_>)>, String> {
    let all = array.fields().iter().zip(array.columns());
    all.map(|(field, array)| Ok((field.name().as_str(), Printer::new(field, array, form.inner())?))).collect()
}

/// The places of what a list or map has at `row`.
fn span(ends: &[i32], row: usize) -> std::ops::Range<usize> {
    ends[row] as usize..ends[row + 1] as usize
}

fn separate(n: usize, separator: &[u8], out: &mut Vec<u8>) {
    if n > 0 {
        out.extend_from_slice(separator);
    }
}

fn member(name: &str, values: &Printer<'_>, row: usize, form: Form, out: &mut Vec<u8>) {
    form.inner().text(name.as_bytes(), out);
    out.push(form.colon());
    values.print(row, out);
}

/// Appends what Rust and Java print alike.
fn show(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    // A vector takes everything.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests;
