//! Reads Avro's binary encoding into a tree of [`Node`]s, by a [`Plan`] that is made once a schema.

use std::fmt;

use arrow_buffer::i256;

use super::super::node::{Node, Overflow, Values};

/// Milliseconds of a day.
const DAY: i32 = 86_400_000;
/// How many items without a byte of their own a record may have: it could say that it has any number of them.
const EMPTY_ITEMS: u64 = 1 << 16;

/// How a value is read: what stands before it, and the value itself.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tag: Tag,
    pub(super) op: Op,
    /// What a null becomes, as Avro encodes it. Else it is a null.
    pub(super) default: Option<Box<[u8]>>,
    /// The bytes that a value has at least.
    pub(super) least: usize,
}

/// The number of a branch before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// None: the value is of no union, or of one whose branches are columns.
    Absent,
    /// That of the only branch.
    Only,
    /// That of null, which is this, or of the value.
    Nullable(i64),
    /// The same, and null is refused.
    NoNull(i64),
}

/// One kind of value.
#[derive(Debug)]
pub(super) enum Op {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float,
    Double,
    Bytes,
    String,
    /// So many bytes.
    Fixed(usize),
    /// The number of one of the symbols.
    Enum(Vec<Box<str>>),
    Date,
    Time,
    Timestamp,
    Decimal(Unscaled, Digits<i128>),
    Decimal256(Unscaled, Digits<i256>),
    List(Box<Plan>),
    Map(Box<Plan>),
    /// A list of records of a key and a value, the key first or second.
    Entries {
        key_first: bool,
        key: Box<Plan>,
        value: Box<Plan>,
    },
    Struct(Vec<Plan>),
    /// A struct with a field for each branch but null.
    Union(Vec<Branch>),
}

/// A branch of a union.
#[derive(Debug)]
pub(super) enum Branch {
    Null,
    /// Of the field at this place.
    Field(usize, Plan),
}

/// Where the bytes of a decimal are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unscaled {
    Bytes,
    Fixed(usize),
}

/// What a decimal column can hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits<T> {
    /// Ten to the power of the precision.
    pub(super) limit: T,
    /// What values are multiplied with: other than 1 if the scale is below zero, which Arrow's is not.
    pub(super) times: T,
}

/// Why a value cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The bytes end before the value does.
    End,
    /// A number of more than 64 bits, or of more than 32 where it is an int.
    Number,
    /// A length, a count, or the number of a branch or a symbol that cannot be.
    Place(&'static str, i64),
    Utf8,
    /// A value that the type does not hold.
    Range(String),
    /// Connect's own `DataException`.
    Data(&'static str),
    Trailing(usize),
    Overflow,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("the value ends too early"),
            Self::Number => f.write_str("a number has too many bits"),
            Self::Place(what, found) => write!(f, "{found} is no valid {what}"),
            Self::Utf8 => f.write_str("a string is not UTF-8"),
            Self::Range(why) => f.write_str(why),
            Self::Data(why) => f.write_str(why),
            Self::Trailing(bytes) => write!(f, "{bytes} bytes after the value"),
            Self::Overflow => f.write_str("a batch of records with more than 2 GiB in one column"),
        }
    }
}

impl From<Overflow> for Bad {
    fn from(_: Overflow) -> Self {
        Self::Overflow
    }
}

/// The bytes of a record that are not read yet.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    empty_items: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, empty_items: 0 }
    }

    /// The bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn long(&mut self) -> Result<i64, Bad> {
        let zigzag = match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                u64::from(*first)
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.rest = rest;
                u64::from(*first & 0x7f) | u64::from(*second) << 7
            }
            _ => self.long_number()?,
        };
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn long_number(&mut self) -> Result<u64, Bad> {
        let mut bits = 0;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            if at == 9 && *byte > 1 {
                return Err(Bad::Number);
            }
            bits |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(bits);
            }
        }
        Err(if self.rest.len() < 10 { Bad::End } else { Bad::Number })
    }

    #[inline]
    fn int(&mut self) -> Result<i32, Bad> {
        i32::try_from(self.long()?).map_err(|_| Bad::Number)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Bad::End)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Bad::End)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Bytes with their number before them.
    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.long()?;
        match usize::try_from(len) {
            Ok(len) => self.take(len),
            Err(_) => Err(Bad::Place("length", len)),
        }
    }

    fn unscaled(&mut self, unscaled: Unscaled) -> Result<&'a [u8], Bad> {
        let bytes = match unscaled {
            Unscaled::Bytes => self.bytes()?,
            Unscaled::Fixed(len) => self.take(len)?,
        };
        if bytes.is_empty() { Err(Bad::Range("a decimal of 0 bytes".into())) } else { Ok(bytes) }
    }

    /// How many items the next block has, each of at least `least` bytes; 0 after the last block.
    fn block(&mut self, least: usize) -> Result<u64, Bad> {
        let mut count = self.long()?;
        if count < 0 {
            self.long()?; // the bytes of the block
            count = count.checked_neg().ok_or(Bad::Place("count of items", count))?;
        }
        let count = count.unsigned_abs();
        if least == 0 {
            self.empty_items = self.empty_items.saturating_add(count);
            if self.empty_items > EMPTY_ITEMS {
                return Err(Bad::Place("count of items", count as i64));
            }
        } else if count > (self.rest.len() / least) as u64 {
            return Err(Bad::End);
        }
        Ok(count)
    }
}

impl Plan {
    /// Appends the next value to `node`. After an error the node is to be truncated to the rows it had.
    #[inline]
    pub(super) fn read(&self, node: &mut Node, r: &mut Reader<'_>) -> Result<(), Bad> {
        if self.tag != Tag::Absent && !self.branch(r)? {
            return self.null(node);
        }
        self.op.read(node, r)
    }

    /// Whether the branch is that of the value.
    #[inline]
    fn branch(&self, r: &mut Reader<'_>) -> Result<bool, Bad> {
        let branch = r.long()?;
        match self.tag {
            Tag::Nullable(null) if branch == 1 - null => Ok(true),
            Tag::Nullable(null) if branch == null => Ok(false),
            Tag::NoNull(null) if branch == 1 - null => Ok(true),
            Tag::NoNull(null) if branch == null => Err(Bad::Data("null keys of maps are not supported")),
            Tag::Only if branch == 0 => Ok(true),
            _ => Err(Bad::Place("branch of a union", branch)),
        }
    }

    fn null(&self, node: &mut Node) -> Result<(), Bad> {
        match &self.default {
            None => {
                node.null();
                Ok(())
            }
            Some(default) => self.op.read(node, &mut Reader::new(default)),
        }
    }

    /// Appends the items of all blocks; how many `rows` there are then.
    fn items(&self, node: &mut Node, r: &mut Reader<'_>) -> Result<usize, Bad> {
        loop {
            match r.block(self.least)? {
                0 => return Ok(node.len()),
                count => (0..count).try_for_each(|_| self.read(node, r))?,
            }
        }
    }
}

impl Op {
    /// Appends the next value to `node`.
    pub(super) fn read(&self, node: &mut Node, r: &mut Reader<'_>) -> Result<(), Bad> {
        match (self, &mut node.values) {
            (Self::String, Values::String(text)) => {
                let bytes = r.bytes()?;
                if !bytes.is_ascii() && simdutf8::basic::from_utf8(bytes).is_err() {
                    return Err(Bad::Utf8);
                }
                text.bytes.extend_from_slice(bytes);
                text.end()?;
            }
            (Self::Int64, Values::Int64(v)) | (Self::Timestamp, Values::Timestamp(v)) => v.push(r.long()?),
            (Self::Int32, Values::Int32(v)) | (Self::Date, Values::Date(v)) => v.push(r.int()?),
            (Self::Boolean, Values::Boolean(v)) => match r.array()? {
                [0] => v.append(false),
                [1] => v.append(true),
                [other] => return Err(Bad::Place("boolean", other.into())),
            },
            (Self::Double, Values::Float64(v)) => v.push(f64::from_le_bytes(r.array()?)),
            (Self::Float, Values::Float32(v)) => v.push(f32::from_le_bytes(r.array()?)),
            (Self::Struct(plans), Values::Struct(members)) => {
                for (plan, member) in plans.iter().zip(&mut members.list) {
                    plan.read(&mut member.node, r)?;
                }
            }
            (Self::Enum(symbols), Values::String(text)) => {
                let at = r.long()?;
                let symbol = usize::try_from(at).ok().and_then(|at| symbols.get(at));
                text.bytes.extend_from_slice(symbol.ok_or(Bad::Place("symbol of an enum", at))?.as_bytes());
                text.end()?;
            }
            (Self::Bytes, Values::Bytes(text)) => {
                text.bytes.extend_from_slice(r.bytes()?);
                text.end()?;
            }
            (Self::Fixed(len), Values::Bytes(text)) => {
                text.bytes.extend_from_slice(r.take(*len)?);
                text.end()?;
            }
            (Self::Decimal(unscaled, digits), Values::Decimal(v, _)) => v.push(digits.value(r.unscaled(*unscaled)?)?),
            (Self::Decimal256(unscaled, digits), Values::Decimal256(v)) => v.push(digits.value(r.unscaled(*unscaled)?)?),
            (Self::Time, Values::Time(v)) => match r.int()? {
                millis @ 0..=DAY => v.push(millis),
                _ => {
                    let text = "Time values must use number of milliseconds greater than 0 and less than 86400000";
                    return Err(Bad::Data(text));
                }
            },
            (Self::Int8, Values::Int8(v)) => v.push(narrow(r.int()?, "int8")?),
            (Self::Int16, Values::Int16(v)) => v.push(narrow(r.int()?, "int16")?),
            (Self::List(plan), Values::List(offsets, items)) => {
                let end = plan.items(items, r)?;
                offsets.push(end)?;
            }
            (Self::Map(plan), Values::Map(offsets, entries)) => {
                let (key, value) = &mut **entries;
                loop {
                    let count = r.block(1 + plan.least)?;
                    if count == 0 {
                        break;
                    }
                    for _ in 0..count {
                        Self::String.read(key, r)?;
                        plan.read(value, r)?;
                    }
                }
                offsets.push(key.len())?;
            }
            (Self::Entries { key_first, key: key_plan, value: value_plan }, Values::Map(offsets, entries)) => {
                let (key, value) = &mut **entries;
                loop {
                    let count = r.block(key_plan.least + value_plan.least)?;
                    if count == 0 {
                        break;
                    }
                    for _ in 0..count {
                        if *key_first {
                            key_plan.read(key, r)?;
                            value_plan.read(value, r)?;
                        } else {
                            value_plan.read(value, r)?;
                            key_plan.read(key, r)?;
                        }
                    }
                }
                offsets.push(key.len())?;
            }
            (Self::Union(branches), Values::Struct(members)) => {
                let at = r.long()?;
                match usize::try_from(at).ok().and_then(|at| branches.get(at)) {
                    None => return Err(Bad::Place("branch of a union", at)),
                    Some(Branch::Null) => {
                        node.null();
                        return Ok(());
                    }
                    Some(Branch::Field(chosen, plan)) => {
                        for (at, member) in members.list.iter_mut().enumerate() {
                            if at == *chosen {
                                plan.read(&mut member.node, r)?;
                            } else {
                                member.node.null();
                            }
                        }
                    }
                }
            }
            // The plan and the node are made together.
            _ => return Err(Bad::Data("the plan and the columns differ")),
        }
        node.nulls.append_non_null();
        Ok(())
    }

    /// Appends the bytes that are left, which have no length before them: so Confluent writes what is nothing but bytes.
    pub(super) fn read_bare(&self, node: &mut Node, bytes: &[u8]) -> Result<(), Bad> {
        match (self, &mut node.values) {
            (Self::Bytes, Values::Bytes(text)) => {
                text.bytes.extend_from_slice(bytes);
                text.end()?;
            }
            (Self::Decimal(_, digits), Values::Decimal(v, _)) if !bytes.is_empty() => v.push(digits.value(bytes)?),
            (Self::Decimal256(_, digits), Values::Decimal256(v)) if !bytes.is_empty() => v.push(digits.value(bytes)?),
            _ => return Err(Bad::Range("a decimal of 0 bytes".into())),
        }
        node.nulls.append_non_null();
        Ok(())
    }
}

fn narrow<T: TryFrom<i32>>(value: i32, what: &'static str) -> Result<T, Bad> {
    T::try_from(value).map_err(|_| Bad::Range(format!("{value} is no {what}")))
}

/// The two's complement number in `bytes`, highest first, as one of `N` bytes; None if it has more bits.
fn extended<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(N));
    let mut all = [sign; N];
    all[N - low.len()..].copy_from_slice(low);
    (high.iter().all(|&b| b == sign) && (all[0] ^ sign) & 0x80 == 0).then_some(all)
}

#[cold]
fn too_long(bytes: &[u8]) -> Bad {
    Bad::Range(format!("the decimal column has too few digits for a value of {} bytes", bytes.len()))
}

impl Digits<i128> {
    #[inline]
    fn value(&self, bytes: &[u8]) -> Result<i128, Bad> {
        let value = extended(bytes).map(i128::from_be_bytes).and_then(|value| value.checked_mul(self.times));
        value.filter(|value| -self.limit < *value && *value < self.limit).ok_or_else(|| too_long(bytes))
    }
}

impl Digits<i256> {
    fn value(&self, bytes: &[u8]) -> Result<i256, Bad> {
        let value = extended(bytes).map(i256::from_be_bytes).and_then(|value| value.checked_mul(self.times));
        value.filter(|value| self.limit.wrapping_neg() < *value && *value < self.limit).ok_or_else(|| too_long(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_zigzag_and_of_64_bits() {
        let long = |bytes: &[u8]| Reader::new(bytes).long();
        for (bytes, expected) in [
            (&[0][..], Ok(0)),
            (&[1], Ok(-1)),
            (&[0x80, 1], Ok(64)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Ok(i64::MIN)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], Err(Bad::Number)),
            (&[0x80; 12], Err(Bad::Number)),
            (&[0x80, 0x80], Err(Bad::End)),
            (&[], Err(Bad::End)),
        ] {
            assert_eq!(long(bytes), expected, "{bytes:?}");
        }
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).int(), Err(Bad::Number));
    }

    #[test]
    fn decimals_fit_or_are_refused() {
        let digits = Digits { limit: 1000, times: 1 };
        assert_eq!(digits.value(&[0xfc, 0x19]), Ok(-999));
        assert!(digits.value(&[0xfc, 0x18]).is_err());
        assert_eq!(digits.value(&[0; 40]), Ok(0));
        assert_eq!(digits.value(&[0xff; 40]), Ok(-1));
        assert!(digits.value(&[&[0x7f][..], &[0xff; 16]].concat()).is_err());
        assert!(digits.value(&[&[0, 0xff][..], &[0xff; 15]].concat()).is_err());
        let wide = Digits { limit: i256::from_i128(10).checked_pow(76).expect("77 digits"), times: i256::ONE };
        assert_eq!(wide.value(&[0xff; 32]), Ok(i256::MINUS_ONE));
        assert!(wide.value(&[&[0x7f][..], &[0; 31]].concat()).is_err());
    }

    #[test]
    fn blocks_cannot_promise_more_than_there_is() {
        assert_eq!(Reader::new(&[4, 1, 1]).block(1), Ok(2));
        assert_eq!(Reader::new(&[4, 1]).block(1), Err(Bad::End));
        assert_eq!(Reader::new(&[3, 4, 1, 1]).block(1), Ok(2));
        let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
        assert_eq!(Reader::new(&least).block(1), Err(Bad::Place("count of items", i64::MIN)));
        assert!(matches!(Reader::new(&[0xfe, 0xff, 0xff, 0xff, 0x0f]).block(0), Err(Bad::Place(..))));
    }
}
