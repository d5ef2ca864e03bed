//! Columns in Avro's binary encoding, a row at a time.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, StringArray};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, FieldRef};

use super::schema::{Kind, Member, Node, Null, Type, scale};

/// Why a row cannot be written.
pub(super) type Bad = &'static str;

/// A column, with the type that it has in Avro.
pub(super) struct Column<'a> {
    array: &'a dyn Array,
    optional: Option<Null>,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Bytes(&'a BinaryArray),
    String(&'a StringArray),
    Symbol(&'a StringArray, &'a [String]),
    /// Bytes that are always as many.
    Fixed(&'a BinaryArray, usize),
    /// The number is larger by the factor; the bytes are always as many, or no more than it takes.
    Decimal128(&'a [i128], i128, Option<usize>),
    Decimal256(&'a [i256], i256, Option<usize>),
    List(&'a [i32], Box<Column<'a>>),
    /// A key and its value each.
    Pairs(&'a [i32], Box<[Column<'a>; 2]>),
    Struct(Vec<Column<'a>>),
    /// The branches, behind null if there may be no value.
    Union(Vec<Column<'a>>, bool),
}

impl<'a> Column<'a> {
    /// The values of `array`, which `field` describes.
    ///
    /// # Errors
    /// It is not what `data_type` was made of.
    pub(super) fn of(data_type: &'a Type, array: &'a dyn Array, field: &Field) -> Result<Self, String> {
        let values = Self::values(&data_type.node, array, field)?;
        Ok(Self { array, optional: data_type.optional, values })
    }

    fn values(node: &'a Node, array: &'a dyn Array, field: &Field) -> Result<Values<'a>, String> {
        Ok(match (&node.kind, array.data_type()) {
            (Kind::Null, _) => Values::Null,
            (Kind::Boolean, DataType::Boolean) => Values::Boolean(array.as_boolean()),
            (Kind::Int, DataType::Int8) => Values::Int8(array.as_primitive::<Int8Type>().values()),
            (Kind::Int, DataType::Int16) => Values::Int16(array.as_primitive::<Int16Type>().values()),
            (Kind::Int, DataType::Int32) => Values::Int32(array.as_primitive::<Int32Type>().values()),
            (Kind::Int, DataType::Date32) => Values::Int32(array.as_primitive::<Date32Type>().values()),
            (Kind::Int, DataType::Time32(_)) => Values::Int32(array.as_primitive::<Time32MillisecondType>().values()),
            (Kind::Long, DataType::Int64) => Values::Int64(array.as_primitive::<Int64Type>().values()),
            (Kind::Long, DataType::Timestamp(..)) => Values::Int64(array.as_primitive::<TimestampMillisecondType>().values()),
            (Kind::Float, DataType::Float32) => Values::Float32(array.as_primitive::<Float32Type>().values()),
            (Kind::Double, DataType::Float64) => Values::Float64(array.as_primitive::<Float64Type>().values()),
            (Kind::String, DataType::Utf8) => Values::String(array.as_string()),
            (Kind::Enum(_, symbols), DataType::Utf8) => Values::Symbol(array.as_string(), symbols),
            (Kind::Bytes, DataType::Binary) => Values::Bytes(array.as_binary()),
            (Kind::Fixed(_, size), DataType::Binary) => Values::Fixed(array.as_binary(), *size),
            (kind @ (Kind::Bytes | Kind::Fixed(..)), DataType::Decimal128(..)) => {
                let factor = 10_i128.checked_pow(below_zero(field)).unwrap_or(1);
                Values::Decimal128(array.as_primitive::<Decimal128Type>().values(), factor, size(kind))
            }
            (kind @ (Kind::Bytes | Kind::Fixed(..)), DataType::Decimal256(..)) => {
                let factor = i256::from_i128(10).checked_pow(below_zero(field)).unwrap_or(i256::ONE);
                Values::Decimal256(array.as_primitive::<Decimal256Type>().values(), factor, size(kind))
            }
            (Kind::Array(items), DataType::List(item)) => {
                let list = array.as_list::<i32>();
                Values::List(list.value_offsets(), Box::new(Self::of(items, list.values(), item)?))
            }
            (Kind::Map(values), DataType::Map(entries, _)) => {
                let (map, parts) = (array.as_map(), parts(entries)?);
                let key = Self { array: map.keys(), optional: None, values: Values::String(map.keys().as_string()) };
                let value = Self::of(values, map.values(), &parts[1])?;
                Values::Pairs(map.value_offsets(), Box::new([key, value]))
            }
            (Kind::Entries(entry), DataType::Map(entries, _)) => {
                let (map, parts, Kind::Record(_, members)) = (array.as_map(), parts(entries)?, &entry.kind) else {
                    return Err(format!("the entries of {} are no records", field.name()));
                };
                let key = Self::of(&members[0].data_type, map.keys(), &parts[0])?;
                let value = Self::of(&members[1].data_type, map.values(), &parts[1])?;
                Values::Pairs(map.value_offsets(), Box::new([key, value]))
            }
            (Kind::Record(_, members), DataType::Struct(fields)) => {
                let columns = array.as_struct().columns().iter().zip(fields).zip(members);
                let column = |((array, field), member): ((&'a ArrayRef, &FieldRef), &'a Member)| {
                    Self::of(&member.data_type, array.as_ref(), field)
                };
                Values::Struct(columns.map(column).collect::<Result<_, _>>()?)
            }
            (Kind::Union(branches, nullable), DataType::Struct(fields)) => {
                let columns = array.as_struct().columns().iter().zip(fields).zip(branches);
                let column = |((array, field), node): ((&'a ArrayRef, &FieldRef), &'a Node)| {
                    let values = Self::values(node, array.as_ref(), field)?;
                    Ok::<_, String>(Self { array: array.as_ref(), optional: None, values })
                };
                Values::Union(columns.map(column).collect::<Result<_, _>>()?, *nullable)
            }
            (_, other) => return Err(format!("{} is of the type {other}", field.name())),
        })
    }

    /// Adds the value of `row`.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Bad> {
        let null = self.array.is_null(row);
        match self.optional {
            Some(branch) => {
                out.push(if null == (branch == Null::First) { 0 } else { 2 });
                if null {
                    return Ok(());
                }
            }
            None if null => match &self.values {
                Values::Null => return Ok(()),
                Values::Union(_, true) => {
                    out.push(0);
                    return Ok(());
                }
                _ => return Err("a null where the schema has none"),
            },
            None => {}
        }
        self.write_value(row, out)
    }

    fn write_value(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Bad> {
        match &self.values {
            Values::Null => {}
            Values::Boolean(values) => out.push(values.value(row).into()),
            Values::Int8(values) => long(values[row].into(), out),
            Values::Int16(values) => long(values[row].into(), out),
            Values::Int32(values) => long(values[row].into(), out),
            Values::Int64(values) => long(values[row], out),
            Values::Float32(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Float64(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Bytes(values) => bytes(values.value(row), out),
            Values::String(values) => bytes(values.value(row).as_bytes(), out),
            Values::Symbol(values, symbols) => {
                let symbol = values.value(row);
                let at = symbols.iter().position(|found| found == symbol).ok_or("a text that is no symbol of its enum")?;
                long(at as i64, out);
            }
            Values::Fixed(values, size) => {
                let value = values.value(row);
                if value.len() != *size {
                    return Err("bytes of another length than the schema says");
                }
                out.extend_from_slice(value);
            }
            Values::Decimal128(values, factor, size) => number(&(values[row] / factor).to_be_bytes(), *size, out)?,
            Values::Decimal256(values, factor, size) => {
                number(&values[row].wrapping_div(*factor).to_be_bytes(), *size, out)?;
            }
            Values::List(offsets, items) => {
                let (first, last) = block(offsets, row, out);
                for at in first..last {
                    items.write(at, out)?;
                }
                out.push(0);
            }
            Values::Pairs(offsets, pair) => {
                let (first, last) = block(offsets, row, out);
                for at in first..last {
                    pair[0].write(at, out)?;
                    pair[1].write(at, out)?;
                }
                out.push(0);
            }
            Values::Struct(columns) => {
                for column in columns {
                    column.write(row, out)?;
                }
            }
            Values::Union(branches, nullable) => match branches.iter().position(|branch| branch.array.is_valid(row)) {
                Some(at) => {
                    long((at + usize::from(*nullable)) as i64, out);
                    branches[at].write_value(row, out)?;
                }
                None if *nullable => out.push(0),
                None => return Err("a union without a value"),
            },
        }
        Ok(())
    }
}

/// How many digits before the point a decimal does not have.
fn below_zero(field: &Field) -> u32 {
    scale(field).filter(|scale| *scale < 0).map_or(0, |scale| scale.unsigned_abs() as u32)
}

fn size(kind: &Kind) -> Option<usize> {
    if let Kind::Fixed(_, size) = kind { Some(*size) } else { None }
}

fn parts(entries: &FieldRef) -> Result<&[FieldRef], String> {
    match entries.data_type() {
        DataType::Struct(parts) => Ok(parts),
        other => Err(format!("the entries of a map are {other}")),
    }
}

/// Begins the one block of the items of `row`, if there is one.
fn block(offsets: &[i32], row: usize, out: &mut Vec<u8>) -> (usize, usize) {
    let (first, last) = (offsets[row] as usize, offsets[row + 1] as usize);
    if first < last {
        long((last - first) as i64, out);
    }
    (first, last)
}

/// A big-endian number, in as many bytes as it takes or as many as it always has.
fn number(mut digits: &[u8], size: Option<usize>, out: &mut Vec<u8>) -> Result<(), Bad> {
    while let [sign @ (0 | 0xff), next, ..] = digits
        && sign >> 7 == next >> 7
    {
        digits = &digits[1..];
    }
    match size {
        None => bytes(digits, out),
        Some(size) => {
            let more = size.checked_sub(digits.len()).ok_or("a decimal of more bytes than the schema says")?;
            let sign = if digits[0] >> 7 == 1 { 0xff } else { 0 };
            out.resize(out.len() + more, sign);
            out.extend_from_slice(digits);
        }
    }
    Ok(())
}

/// A number in as few bytes as it takes.
pub(super) fn long(value: i64, out: &mut Vec<u8>) {
    let mut bits = (value << 1 ^ value >> 63) as u64;
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// Bytes behind their length.
pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// Takes a number; None if there is no end of it.
pub(super) fn read_long(rest: &mut &[u8]) -> Option<i64> {
    let mut bits = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        bits |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some((bits >> 1) as i64 ^ -((bits & 1) as i64))
}
