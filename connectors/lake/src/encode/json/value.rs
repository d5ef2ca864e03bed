//! Arrow arrays as JSON, a row at a time.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, BinaryArray, BooleanArray, RecordBatch, StringArray};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use landfall_api::schema::{is_json, is_schemaless};

use super::{TEXT, failed};
use crate::encode::EncodeError;
use crate::system::SystemColumn;
use crate::{columns, envelope};

const DAY_MS: i64 = 86_400_000;

/// The rows of a batch as lines.
pub(super) enum Lines<'a> {
    /// Each an object of the columns.
    Objects(Vec<Member<'a>>),
    /// Each the value of the one column there is.
    Values(Value<'a>),
}

impl<'a> Lines<'a> {
    pub(super) fn of(rows: &'a RecordBatch, numeric: bool) -> Result<Self, EncodeError> {
        let schema = rows.schema_ref();
        let by_converter = Style { bare: false, numeric };
        match rows.columns() {
            [only] if columns::is_plain(schema) && !envelope::is_record(schema) => {
                let style = Style { bare: !envelope::is_envelope(schema), numeric };
                Value::of(only, schema.field(0), style).map(Self::Values)
            }
            columns => members(columns, schema.fields(), by_converter).map(Self::Objects),
        }
    }

    /// Adds the line of `row`, without its end.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Objects(members) => object(members, row, out),
            Self::Values(value) => value.write_or_null(row, out),
        }
    }
}

/// How values are written.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// As Jackson writes Java's objects; else as `JsonConverter` does.
    bare: bool,
    /// Decimals as numbers.
    numeric: bool,
}

/// A field of an object.
pub(super) struct Member<'a> {
    /// Its name as it is written: after a comma, and with a colon.
    token: Vec<u8>,
    /// Whether it is left out when it is null.
    optional: bool,
    value: Value<'a>,
}

fn members<'a>(
    columns: &'a [arrow_array::ArrayRef],
    fields: &arrow_schema::Fields,
    style: Style,
) -> Result<Vec<Member<'a>>, EncodeError> {
    let member = |(column, field): (&'a arrow_array::ArrayRef, &arrow_schema::FieldRef)| {
        let mut token = vec![b','];
        string(field.name(), &mut token);
        token.push(b':');
        let optional = is_schemaless(field) && !SystemColumn::is(field);
        Ok(Member { token, optional, value: Value::of(column, field, style)? })
    };
    columns.iter().zip(fields).map(member).collect()
}

fn object(members: &[Member<'_>], row: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    for Member { token, optional, value } in members {
        if value.is_null(row) && *optional {
            continue;
        }
        out.extend_from_slice(token);
        value.write_or_null(row, out);
    }
    match out.get_mut(begin) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// A column of values.
pub(super) struct Value<'a> {
    array: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    /// Days as milliseconds.
    Days(&'a [i32]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    /// The unscaled value in bytes; the column's is larger by the factor.
    Decimal(&'a [i128], i128),
    /// The same of more than 38 digits.
    Wide(&'a [i256], i256),
    /// The number, with so many digits behind the point.
    Digits(&'a [i128], usize),
    WideDigits(&'a [i256], usize),
    String(&'a StringArray),
    /// Strings that hold JSON.
    Json(&'a StringArray),
    Bytes(&'a BinaryArray),
    /// Bytes that are text where they are UTF-8.
    Text(&'a BinaryArray),
    List(&'a [i32], Box<Value<'a>>),
    /// An object.
    Map(&'a [i32], Box<(Value<'a>, Value<'a>)>),
    /// A list of pairs.
    Pairs(&'a [i32], Box<(Value<'a>, Value<'a>)>),
    Struct(Vec<Member<'a>>),
}

impl<'a> Value<'a> {
    /// The values of `array`.
    fn of(array: &'a dyn Array, field: &Field, style: Style) -> Result<Self, EncodeError> {
        let Style { bare, numeric } = style;
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Boolean(array.as_boolean()),
            DataType::Int8 => Kind::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Kind::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Kind::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Kind::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::Float32 => Kind::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Kind::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Date32 if bare => Kind::Days(array.as_primitive::<Date32Type>().values()),
            DataType::Date32 => Kind::Int32(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(TimeUnit::Millisecond) => Kind::Int32(array.as_primitive::<Time32MillisecondType>().values()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Kind::Int64(array.as_primitive::<TimestampMillisecondType>().values())
            }
            DataType::Decimal128(_, scale) if (bare || numeric) && *scale >= 0 => {
                Kind::Digits(array.as_primitive::<Decimal128Type>().values(), scale.unsigned_abs().into())
            }
            DataType::Decimal256(_, scale) if (bare || numeric) && *scale >= 0 => {
                Kind::WideDigits(array.as_primitive::<Decimal256Type>().values(), scale.unsigned_abs().into())
            }
            DataType::Decimal128(..) => {
                let factor = 10_i128.checked_pow(below_zero(field)).unwrap_or(1);
                Kind::Decimal(array.as_primitive::<Decimal128Type>().values(), factor)
            }
            DataType::Decimal256(..) => {
                let factor = i256::from_i128(10).checked_pow(below_zero(field)).unwrap_or(i256::ONE);
                Kind::Wide(array.as_primitive::<Decimal256Type>().values(), factor)
            }
            DataType::Utf8 if is_json(field) => Kind::Json(array.as_string()),
            DataType::Utf8 => Kind::String(array.as_string()),
            DataType::Binary if field.metadata().contains_key(TEXT) => Kind::Text(array.as_binary()),
            DataType::Binary => Kind::Bytes(array.as_binary()),
            DataType::List(item) => {
                let list = array.as_list::<i32>();
                Kind::List(list.value_offsets(), Box::new(Self::of(list.values(), item, style)?))
            }
            DataType::Map(entries, _) => {
                let (map, DataType::Struct(fields)) = (array.as_map(), entries.data_type()) else {
                    return Err(failed(format!("the entries of {} are no structs", field.name())));
                };
                let [key, value] = [(map.keys(), &fields[0]), (map.values(), &fields[1])].map(|(a, f)| Self::of(a, f, style));
                let (offsets, entries) = (map.value_offsets(), Box::new((key?, value?)));
                match fields[0].data_type() {
                    DataType::Utf8 => Kind::Map(offsets, entries),
                    _ if bare => Kind::Map(offsets, entries),
                    _ => Kind::Pairs(offsets, entries),
                }
            }
            DataType::Struct(fields) => Kind::Struct(members(array.as_struct().columns(), fields, style)?),
            other => return Err(failed(format!("{} is of the type {other}", field.name()))),
        };
        Ok(Self { array, kind })
    }

    fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    fn write_or_null(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            self.write(row, out);
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let entries = |offsets: &[i32]| offsets[row] as usize..offsets[row + 1] as usize;
        match &self.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Boolean(values) => out.extend_from_slice(if values.value(row) { b"true" } else { b"false" }),
            Kind::Int8(values) => integer(values[row], out),
            Kind::Int16(values) => integer(values[row], out),
            Kind::Int32(values) => integer(values[row], out),
            Kind::Int64(values) => integer(values[row], out),
            Kind::Days(values) => integer(i64::from(values[row]) * DAY_MS, out),
            Kind::Float32(values) => float(values[row], values[row].is_finite(), values[row].into(), out),
            Kind::Float64(values) => float(values[row], values[row].is_finite(), values[row], out),
            Kind::Decimal(values, factor) => base64(shortest(&(values[row] / factor).to_be_bytes()), out),
            Kind::Wide(values, factor) => base64(shortest(&values[row].wrapping_div(*factor).to_be_bytes()), out),
            Kind::Digits(values, scale) => digits(itoa::Buffer::new().format(values[row]), *scale, out),
            Kind::WideDigits(values, scale) => digits(&values[row].to_string(), *scale, out),
            Kind::String(values) => string(values.value(row), out),
            Kind::Json(values) => json(values.value(row), out),
            Kind::Bytes(values) => base64(values.value(row), out),
            Kind::Text(values) => match str::from_utf8(values.value(row)) {
                Ok(text) => string(text, out),
                Err(_) => base64(values.value(row), out),
            },
            Kind::List(offsets, items) => sequence(b"[]", entries(offsets), out, |at, out| items.write_or_null(at, out)),
            Kind::Map(offsets, pair) => sequence(b"{}", entries(offsets), out, |at, out| {
                pair.0.write_name(at, out);
                out.push(b':');
                pair.1.write_or_null(at, out);
            }),
            Kind::Pairs(offsets, pair) => sequence(b"[]", entries(offsets), out, |at, out| {
                out.push(b'[');
                pair.0.write_or_null(at, out);
                out.push(b',');
                pair.1.write_or_null(at, out);
                out.push(b']');
            }),
            Kind::Struct(members) => object(members, row, out),
        }
    }

    /// The value as a name: what is not a string is written as one.
    fn write_name(&self, row: usize, out: &mut Vec<u8>) {
        if let Kind::String(_) | Kind::Bytes(_) = self.kind {
            return self.write(row, out);
        }
        let mut text = Vec::new();
        self.write_or_null(row, &mut text);
        string(&String::from_utf8_lossy(&text), out);
    }
}

fn sequence(ends: &[u8; 2], entries: std::ops::Range<usize>, out: &mut Vec<u8>, each: impl Fn(usize, &mut Vec<u8>)) {
    out.push(ends[0]);
    let first = entries.start;
    for at in entries {
        if at > first {
            out.push(b',');
        }
        each(at, out);
    }
    out.push(ends[1]);
}

fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest number that is read back as the same; Jackson's strings for what is no number in JSON.
fn float(value: impl zmij::Float, finite: bool, as_double: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(match as_double {
        _ if finite => return out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes()),
        f64::INFINITY => b"\"Infinity\"",
        f64::NEG_INFINITY => b"\"-Infinity\"",
        _ => b"\"NaN\"",
    });
}

/// How many digits before the point a decimal does not have: a scale below zero is one of zero in the column.
fn below_zero(field: &Field) -> u32 {
    let scale = field.metadata().get("connect.parameter.scale").and_then(|scale| scale.parse::<i32>().ok());
    scale.filter(|scale| *scale < 0).map_or(0, i32::unsigned_abs)
}

/// A decimal's number, of its digits without the point.
fn digits(unscaled: &str, scale: usize, out: &mut Vec<u8>) {
    let magnitude = unscaled.trim_start_matches('-');
    if magnitude.len() < unscaled.len() {
        out.push(b'-');
    }
    let digits = format!("{magnitude:0>width$}", width = scale + 1);
    let (whole, rest) = digits.split_at(digits.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest.as_bytes());
    }
}

/// A number in as few bytes as it takes (`BigInteger.toByteArray`).
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [sign @ (0 | 0xff), next, ..] = bytes
        && sign >> 7 == next >> 7
    {
        bytes = &bytes[1..];
    }
    bytes
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let begin = out.len();
    out.resize(begin + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[begin..]).unwrap_or_default();
    out.truncate(begin + written);
    out.push(b'"');
}

/// A string with its quotes. What must be escaped is escaped as Jackson does.
fn string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let special = |b: u8| (b < 0x20) | (b == b'"') | (b == b'\\');
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Without an early end, so that it is done for many bytes at once.
    if rest.iter().fold(false, |any, &b| any | special(b)) {
        while let Some(at) = rest.iter().position(|&b| special(b)) {
            out.extend_from_slice(&rest[..at]);
            let b = rest[at];
            out.push(b'\\');
            match b {
                b'"' | b'\\' => out.push(b),
                b'\n' => out.push(b'n'),
                b'\r' => out.push(b'r'),
                b'\t' => out.push(b't'),
                0x08 => out.push(b'b'),
                0x0c => out.push(b'f'),
                _ => out.extend_from_slice(&[b'u', b'0', b'0', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
            }
            rest = &rest[at + 1..];
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// JSON as it came, on one line: its line ends stand between values only.
fn json(text: &str, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(text.as_bytes());
    out[begin..].iter_mut().filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
}
