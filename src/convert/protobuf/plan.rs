//! How the messages of one type are read: for each field what it is on the wire and which [`Node`](super::super::node::Node) takes it.

use std::collections::HashMap;
use std::ops::Range;

use super::logical::Logical;
use super::wire::{BYTES, FIXED32, FIXED64, VARINT};

/// Field numbers below this are looked up by index.
const DENSE: usize = 256;

/// A message, whose node is a struct. What a row has left behind is kept here until the row is closed.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) fields: Vec<Field>,
    /// What each member of the struct is.
    pub(super) members: Vec<Slot>,
    /// Of each oneof the place of the field that is set.
    pub(super) oneofs: Vec<Option<usize>>,
    /// The place of a field by its number, plus one.
    dense: Vec<u16>,
    sparse: HashMap<u32, usize>,
}

/// What a member of a struct is.
#[derive(Debug)]
pub(super) enum Slot {
    /// The field at a place.
    Field(usize),
    /// A oneof: a struct of its fields.
    Union {
        /// Which of the message's.
        oneof: usize,
        /// The places of its fields.
        fields: Vec<usize>,
    },
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// The member that takes it, and the member of that if it is in a union.
    pub(super) place: (usize, Option<usize>),
    pub(super) oneof: Option<usize>,
    pub(super) absent: Absent,
}

impl Field {
    /// Whether several values may stand in one.
    #[inline]
    pub(super) fn packable(&self) -> bool {
        matches!(&self.kind, Kind::List(item) if matches!(&**item, Kind::Scalar(coding) if coding.wire() != BYTES))
    }
}

/// What a field is.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Coding),
    Message(Nested<Message>),
    /// A message around one scalar, which stands for it.
    Wrapper(Nested<Wrapped>),
    /// A message that is one of Connect's logical types.
    Logical(Nested<Logical>),
    List(Box<Kind>),
    Map(Box<Map>),
}

/// A message in a message.
#[derive(Debug)]
pub(super) struct Nested<T> {
    pub(super) inner: Box<T>,
    /// Whether the row that is open has one.
    pub(super) present: bool,
}

impl<T> Nested<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner: Box::new(inner), present: false }
    }
}

/// The only field of a wrapper.
#[derive(Debug)]
pub(super) struct Wrapped {
    pub(super) number: u32,
    pub(super) coding: Coding,
    /// What it is if it is not there.
    pub(super) missing: Default,
    /// Whether the open row has it.
    pub(super) taken: bool,
}

/// Entries, whose nodes are the map's.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) key: Coding,
    pub(super) value: Kind,
    /// What a key that is not there is.
    pub(super) missing_key: Default,
    /// What a value that is not there is.
    pub(super) missing_value: Absent,
    /// Where the entries of the open row are.
    pub(super) entries: Vec<Range<usize>>,
    /// Room for the order of keys.
    pub(super) order: Vec<u32>,
}

/// How a scalar is written.
#[derive(Debug)]
pub(super) enum Coding {
    /// `int32`.
    Int32,
    /// `int64` and `uint64`, which Java reads as a signed long.
    Int64,
    /// `uint32`.
    Uint32,
    Sint32,
    Sint64,
    Fixed32,
    Sfixed32,
    /// `fixed64` and `sfixed64`.
    Fixed64,
    Float,
    Double,
    Bool,
    String {
        /// Whether it has to be UTF-8. What is not becomes U+FFFD else.
        strict: bool,
    },
    Bytes,
    Enum(Symbols),
}

impl Coding {
    /// The wire type of one value.
    pub(super) fn wire(&self) -> u32 {
        match self {
            Self::Int32 | Self::Int64 | Self::Uint32 | Self::Sint32 | Self::Sint64 | Self::Bool | Self::Enum(_) => VARINT,
            Self::Fixed64 | Self::Double => FIXED64,
            Self::Fixed32 | Self::Sfixed32 | Self::Float => FIXED32,
            Self::String { .. } | Self::Bytes => BYTES,
        }
    }
}

/// The symbols of an enum by their numbers.
#[derive(Debug)]
pub(super) struct Symbols {
    pub(super) name: Box<str>,
    /// In the order of numbers.
    pub(super) list: Vec<(i32, Box<str>)>,
    /// Whether a number without a symbol is as good as no value. Else it is called `UNKNOWN_ENUM_VALUE_<enum>_<number>`.
    pub(super) closed: bool,
}

impl Symbols {
    /// Several symbols may have one number: the first counts.
    pub(super) fn new(name: &str, all: impl Iterator<Item = (i32, String)>, closed: bool) -> Self {
        let mut list: Vec<_> = all.map(|(number, symbol)| (number, symbol.into_boxed_str())).collect();
        list.sort_by_key(|(number, _)| *number);
        list.dedup_by_key(|(number, _)| *number);
        Self { name: name.into(), list, closed }
    }

    #[inline]
    pub(super) fn get(&self, number: i32) -> Option<&str> {
        // Most enums count from 0.
        let near = usize::try_from(number).ok().and_then(|at| self.list.get(at)).filter(|(n, _)| *n == number);
        let found = near.or_else(|| self.list.binary_search_by_key(&number, |(n, _)| *n).ok().map(|at| &self.list[at]));
        found.map(|(_, symbol)| &**symbol)
    }
}

/// What a field is that a message does not have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Absent {
    Null,
    /// A value of a scalar.
    Default(Default),
    /// The message without any field.
    Empty,
    /// An error with this message, because the Connect schema requires a value.
    Refused(Box<str>),
    /// An error, because the message requires it; in a message that is not there itself what the other says.
    Required(Box<Absent>),
}

/// The default value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Default {
    Integer(i64),
    Float(f32),
    Double(f64),
    Bool(bool),
    Bytes(Box<[u8]>),
}

impl Kind {
    /// The wire type of one value.
    pub(super) fn wire(&self) -> u32 {
        match self {
            Self::Scalar(coding) => coding.wire(),
            Self::List(item) => item.wire(),
            Self::Message(_) | Self::Wrapper(_) | Self::Logical(_) | Self::Map(_) => BYTES,
        }
    }

    /// Forgets the open row.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Scalar(_) => {}
            Self::Message(nested) => {
                nested.present = false;
                nested.inner.reset();
            }
            Self::Wrapper(nested) => (nested.present, nested.inner.taken) = (false, false),
            Self::Logical(nested) => {
                nested.present = false;
                nested.inner.reset();
            }
            Self::List(item) => item.reset(),
            Self::Map(map) => {
                map.value.reset();
                map.entries.clear();
            }
        }
    }
}

impl Message {
    /// Forgets the open row.
    pub(super) fn reset(&mut self) {
        self.oneofs.fill(None);
        self.fields.iter_mut().for_each(|field| field.kind.reset());
    }

    /// Brings what depends on the fields up to date.
    pub(super) fn arrange(&mut self) {
        for (at, field) in self.fields.iter().enumerate() {
            let number = field.number as usize;
            match u16::try_from(at + 1) {
                Ok(place) if number < DENSE => {
                    if self.dense.len() <= number {
                        self.dense.resize(number + 1, 0);
                    }
                    self.dense[number] = place;
                }
                _ => {
                    self.sparse.insert(field.number, at);
                }
            }
        }
    }

    /// The place of the field with this number, which may be the one at `expected`.
    #[inline]
    pub(super) fn find(&self, number: u32, expected: usize) -> Option<usize> {
        if self.fields.get(expected).is_some_and(|field| field.number == number) {
            return Some(expected);
        }
        match self.dense.get(number as usize) {
            Some(0) | None => self.sparse.get(&number).copied(),
            Some(&place) => Some(usize::from(place) - 1),
        }
    }
}
