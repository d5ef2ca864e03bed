//! Reads scalars into the buffers of their nodes.

use std::cmp::Ordering;
use std::io::Write as _;

use super::super::node::{Node, Overflow, Text, Values};
use super::super::string::append_utf8;
use super::plan::{Coding, Default, Symbols};
use super::wire::{Malformed, Reader, VARINT};

impl Coding {
    /// Appends the value that comes next. It appends nothing for a number that a closed enum has no symbol for.
    #[inline]
    pub(super) fn read(&self, node: &mut Node, r: &mut Reader<'_>) -> Result<(), Malformed> {
        let values = &mut node.values;
        match self {
            Self::Int32 => integer(values, i64::from(r.varint()? as i32)),
            Self::Int64 => integer(values, r.varint()? as i64),
            Self::Uint32 => integer(values, i64::from(r.varint()? as u32)),
            Self::Sint32 => {
                let zigzag = r.varint()? as u32;
                integer(values, i64::from((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32)));
            }
            Self::Sint64 => {
                let zigzag = r.varint()?;
                integer(values, (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
            }
            Self::Fixed32 => integer(values, i64::from(r.fixed32()?)),
            Self::Sfixed32 => integer(values, i64::from(r.fixed32()? as i32)),
            Self::Fixed64 => integer(values, r.fixed64()? as i64),
            Self::Float => {
                let value = f32::from_bits(r.fixed32()?);
                if let Values::Float32(v) = values {
                    v.push(value);
                }
            }
            Self::Double => {
                let value = f64::from_bits(r.fixed64()?);
                if let Values::Float64(v) = values {
                    v.push(value);
                }
            }
            Self::Bool => {
                let value = r.varint()? != 0;
                if let Values::Boolean(v) = values {
                    v.append(value);
                }
            }
            Self::String { strict } => {
                let bytes = r.delimited()?;
                let Values::String(text) = values else { return Ok(()) };
                match simdutf8::basic::from_utf8(bytes) {
                    Ok(_) => append(text, bytes)?,
                    Err(_) if *strict => return Err(Malformed::Utf8),
                    Err(_) => {
                        let mut replaced = String::new();
                        append_utf8(bytes, &mut replaced);
                        append(text, replaced.as_bytes())?;
                    }
                }
            }
            Self::Bytes => {
                let bytes = r.delimited()?;
                if let Values::Bytes(text) = values {
                    append(text, bytes)?;
                }
            }
            Self::Enum(symbols) => {
                let number = r.varint()? as i32;
                if !symbols.append(number, values)? {
                    return Ok(());
                }
            }
        }
        node.nulls.append_non_null();
        Ok(())
    }

    /// Whether a number comes next that a closed enum has no symbol for: as good as a field that nobody knows.
    #[inline]
    pub(super) fn unknown(&self, wire: u32, r: &Reader<'_>) -> bool {
        match self {
            Self::Enum(symbols) if symbols.closed && wire == VARINT => {
                r.clone().varint().is_ok_and(|number| symbols.get(number as i32).is_none())
            }
            _ => false,
        }
    }
}

impl Symbols {
    /// Appends the symbol of `number`, or the number itself to a column of them; false if the enum is closed and has none.
    fn append(&self, number: i32, values: &mut Values) -> Result<bool, Overflow> {
        let symbol = self.get(number);
        if symbol.is_none() && self.closed {
            return Ok(false);
        }
        match values {
            Values::Int32(v) => v.push(number),
            Values::String(text) => {
                match symbol {
                    Some(symbol) => text.bytes.extend_from_slice(symbol.as_bytes()),
                    None => drop(write!(text.bytes, "UNKNOWN_ENUM_VALUE_{}_{number}", self.name)), // a vector takes all
                }
                text.end()?;
            }
            _ => {}
        }
        Ok(true)
    }
}

/// Appends a default value.
pub(super) fn push_default(node: &mut Node, value: &Default) -> Result<(), Overflow> {
    match (&mut node.values, value) {
        (values, Default::Integer(x)) => integer(values, *x),
        (Values::Float32(v), Default::Float(x)) => v.push(*x),
        (Values::Float64(v), Default::Double(x)) => v.push(*x),
        (Values::Boolean(v), Default::Bool(x)) => v.append(*x),
        (Values::String(text) | Values::Bytes(text), Default::Bytes(x)) => append(text, x)?,
        _ => {}
    }
    node.nulls.append_non_null();
    Ok(())
}

/// How the keys of two entries are to each other.
pub(super) fn compare(keys: &Node, a: usize, b: usize) -> Ordering {
    match &keys.values {
        Values::Int64(v) => v[a].cmp(&v[b]),
        Values::Int32(v) => v[a].cmp(&v[b]),
        Values::Boolean(v) => v.get_bit(a).cmp(&v.get_bit(b)),
        Values::String(text) => text.get(a).cmp(text.get(b)),
        _ => Ordering::Less,
    }
}

/// Java narrows to the type by dropping the highest bits.
#[inline]
fn integer(values: &mut Values, value: i64) {
    match values {
        Values::Int64(v) => v.push(value),
        Values::Int32(v) => v.push(value as i32),
        Values::Int16(v) => v.push(value as i16),
        Values::Int8(v) => v.push(value as i8),
        _ => {}
    }
}

#[inline]
fn append(text: &mut Text, bytes: &[u8]) -> Result<(), Overflow> {
    text.bytes.extend_from_slice(bytes);
    text.end()
}
