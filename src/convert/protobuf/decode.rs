//! Decodes messages by their plan: each field is appended where it belongs as it comes, and closing the row fills what did not come.
//!
//! A field that comes again takes back what it left; the parts of a message that comes in several go to one row, because a row is
//! closed only with the record, or with the item or entry that it is. Nothing is allocated for a record.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::FieldRef;
use landfall_api::{Column, RecordError, Run};

use super::super::node::{Member, Members, Node, Values};
use super::super::registry::Decode;
use super::plan::{Absent, Field, Kind, Map, Message, Nested, Slot, Wrapped};
use super::scalar::{compare, push_default};
use super::wire::{BYTES, Malformed, Reader};

/// Up to so many entries, the keys of a map are compared each with each.
const FEW: usize = 8;
/// The numbers of the fields of a map's entry.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Decodes the records of one message type.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) field: FieldRef,
    pub(super) node: Node,
    pub(super) kind: Kind,
}

impl Decode for Decoder {
    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Vec<Run> {
        let (node, kind) = (&mut self.node, &mut self.kind);
        let mut refused = Vec::new();
        node.reserve(payloads.len());
        for (row, payload) in payloads.iter().enumerate() {
            let Some(bytes) = payload else {
                node.null();
                continue;
            };
            if let Err(malformed) = record(kind, node, bytes) {
                node.truncate(row);
                kind.reset();
                node.null();
                refused.push((row, refusal(malformed)));
            }
        }
        let column = Column { field: Arc::clone(&self.field), array: node.finish(self.field.data_type()) };
        super::super::runs(0, &column, refused)
    }
}

/// Reads one record.
fn record(kind: &mut Kind, node: &mut Node, bytes: &[u8]) -> Result<(), Malformed> {
    let mut r = Reader::new(bytes);
    match kind {
        Kind::Message(nested) => {
            nested.present = true;
            nested.inner.read(node, &mut r)?;
        }
        Kind::Wrapper(nested) => {
            nested.present = true;
            nested.inner.read(node, &mut r)?;
        }
        _ => {}
    }
    close(kind, &Absent::Null, node, bytes, false)
}

/// The error of a record: Java's exception for bytes that are no such message, or for a value that Connect does not have.
#[cold]
fn refusal(malformed: Malformed) -> RecordError {
    match malformed {
        Malformed::Value(error) => *error,
        malformed => super::unreadable(malformed.text()),
    }
}

impl Message {
    /// Reads the fields up to the end of the message into the open row of `node`.
    fn read(&mut self, node: &mut Node, r: &mut Reader<'_>) -> Result<(), Malformed> {
        let rows = node.len();
        let Values::Struct(members) = &mut node.values else { return Ok(()) };
        let mut expected = 0;
        while !r.done() {
            let tag = r.tag()?;
            let Some(at) = self.find(tag >> 3, expected) else {
                r.skip(tag)?;
                continue;
            };
            expected = at + 1;
            let field = &self.fields[at];
            let single = field.kind.wire();
            let taken = match &field.kind {
                Kind::Scalar(coding) => tag & 7 == single && !coding.unknown(single, r),
                _ => tag & 7 == single || tag & 7 == BYTES && field.packable(),
            };
            if !taken {
                r.skip(tag)?;
                continue;
            }
            if let Some(oneof) = field.oneof
                && let Some(before) = self.oneofs[oneof].replace(at)
                && before != at
            {
                let cleared = &mut self.fields[before];
                cleared.kind.reset();
                if let Some(node) = member(members, cleared.place) {
                    node.truncate(rows);
                }
            }
            let Field { name, kind, place, .. } = &mut self.fields[at];
            let Some(node) = member(members, *place) else { continue };
            match (kind, &mut node.values) {
                (Kind::Scalar(coding), _) => {
                    if node.len() > rows {
                        node.truncate(rows);
                    }
                    coding.read(node, r)?;
                }
                (Kind::List(item), Values::List(offsets, items)) => {
                    expected = at;
                    match &mut **item {
                        Kind::Scalar(coding) if tag & 7 != single => r.packed(|r| {
                            while !r.done() {
                                coding.read(items, r)?;
                            }
                            Ok(())
                        })?,
                        Kind::Scalar(coding) => coding.read(items, r)?,
                        item => {
                            occurrence(item, items, r)?;
                            let closed = close(item, &Absent::Null, items, r.bytes, false);
                            closed.map_err(|e| e.within(&format!("{name}[{}]", items.len() - offsets.last())))?;
                        }
                    }
                }
                (Kind::Map(map), Values::Map(offsets, entries)) => {
                    expected = at;
                    let (keys, values) = &mut **entries;
                    let read = r.message(|r| {
                        map.entries.push(r.at..r.end);
                        map.entry(keys, values, r)
                    });
                    read.map_err(|e| e.within(&format!("{name}[{}].value", values.len() - offsets.last())))?;
                }
                (kind, _) => occurrence(kind, node, r)?,
            }
        }
        Ok(())
    }

    /// Ends the row of a message that is there; `default` if it is only thought to be.
    fn close(&mut self, node: &mut Node, record: &[u8], default: bool) -> Result<(), Malformed> {
        let rows = node.len();
        let Values::Struct(members) = &mut node.values else { return Ok(()) };
        for (Member { node, .. }, slot) in members.list.iter_mut().zip(&self.members) {
            match slot {
                Slot::Field(at) => {
                    let field = &mut self.fields[*at];
                    // What is there is the most frequent, and a scalar then is complete.
                    if node.len() == rows || !matches!(field.kind, Kind::Scalar(_)) {
                        field.close(node, record, default)?;
                    }
                }
                Slot::Union { oneof, fields } => {
                    let Some(set) = self.oneofs[*oneof] else {
                        node.null();
                        continue;
                    };
                    let Values::Struct(union) = &mut node.values else { continue };
                    for (Member { node, .. }, at) in union.list.iter_mut().zip(fields) {
                        if *at != set {
                            node.null();
                        } else if node.len() == rows || !matches!(self.fields[*at].kind, Kind::Scalar(_)) {
                            self.fields[*at].close(node, record, default)?;
                        }
                    }
                    node.nulls.append_non_null();
                }
            }
        }
        self.oneofs.fill(None);
        node.nulls.append_non_null();
        Ok(())
    }
}

impl Field {
    fn close(&mut self, node: &mut Node, record: &[u8], default: bool) -> Result<(), Malformed> {
        close(&mut self.kind, &self.absent, node, record, default).map_err(|e| e.within(&self.name))
    }
}

impl Malformed {
    /// The same of a field in the field `name`.
    #[cold]
    fn within(self, name: &str) -> Self {
        match self {
            Self::Required(inner) if inner.is_empty() => Self::Required(name.to_owned()),
            Self::Required(inner) => Self::Required(format!("{name}.{inner}")),
            other => other,
        }
    }
}

impl Wrapped {
    /// Reads the fields up to the end of the message.
    fn read(&mut self, node: &mut Node, r: &mut Reader<'_>) -> Result<(), Malformed> {
        while !r.done() {
            let tag = r.tag()?;
            if tag != self.number << 3 | self.coding.wire() {
                r.skip(tag)?;
                continue;
            }
            if self.taken {
                node.truncate(node.len() - 1);
            }
            self.coding.read(node, r)?;
            self.taken = true;
        }
        Ok(())
    }
}

impl Map {
    /// Reads the entry that ends with `r`, and appends it.
    fn entry(&mut self, keys: &mut Node, values: &mut Node, r: &mut Reader<'_>) -> Result<(), Malformed> {
        let (key_rows, rows) = (keys.len(), values.len());
        let wire = self.value.wire();
        while !r.done() {
            let tag = r.tag()?;
            match tag >> 3 {
                KEY if tag & 7 == self.key.wire() => {
                    keys.truncate(key_rows);
                    self.key.read(keys, r)?;
                }
                VALUE if tag & 7 == wire => match &mut self.value {
                    Kind::Scalar(coding) if coding.unknown(wire, r) => r.skip(tag)?,
                    Kind::Scalar(coding) => {
                        values.truncate(rows);
                        coding.read(values, r)?;
                    }
                    value => occurrence(value, values, r)?,
                },
                _ => r.skip(tag)?,
            }
        }
        if keys.len() == key_rows {
            push_default(keys, &self.missing_key)?;
        }
        if values.len() == rows {
            close(&mut self.value, &self.missing_value, values, r.bytes, false)?;
        }
        Ok(())
    }

    /// Of the entries with one key since `begin`, keeps the last in the place of the first.
    fn merge(&mut self, keys: &mut Node, values: &mut Node, begin: usize, record: &[u8]) -> Result<(), Malformed> {
        let rows = begin..keys.len();
        let twice = if rows.len() <= FEW {
            rows.clone().any(|a| (a + 1..rows.end).any(|b| compare(keys, a, b).is_eq()))
        } else {
            self.order.clear();
            self.order.extend(0..rows.len() as u32);
            self.order.sort_unstable_by(|&a, &b| compare(keys, begin + a as usize, begin + b as usize));
            self.order.windows(2).any(|pair| compare(keys, begin + pair[0] as usize, begin + pair[1] as usize).is_eq())
        };
        if twice { self.rewrite(keys, values, rows, record) } else { Ok(()) }
    }

    #[cold]
    fn rewrite(&mut self, keys: &mut Node, values: &mut Node, rows: Range<usize>, record: &[u8]) -> Result<(), Malformed> {
        let mut order: Vec<_> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| compare(keys, rows.start + a, rows.start + b));
        let same = |a: &usize, b: &usize| compare(keys, rows.start + a, rows.start + b).is_eq();
        let mut kept: Vec<_> =
            order.chunk_by(same).filter_map(|same| Some((*same.first()?, self.entries[*same.last()?].clone()))).collect();
        kept.sort_unstable_by_key(|(first, _)| *first);
        keys.truncate(rows.start);
        values.truncate(rows.start);
        for (_, entry) in kept {
            let mut r = Reader::new(record);
            (r.at, r.end) = (entry.start, entry.end);
            self.entry(keys, values, &mut r)?;
        }
        Ok(())
    }
}

/// Reads a message that comes into the open row of `node`.
fn occurrence(kind: &mut Kind, node: &mut Node, r: &mut Reader<'_>) -> Result<(), Malformed> {
    match kind {
        Kind::Message(nested) => {
            nested.present = true;
            r.message(|r| nested.inner.read(node, r))
        }
        Kind::Wrapper(nested) => {
            nested.present = true;
            r.message(|r| nested.inner.read(node, r))
        }
        Kind::Logical(nested) => {
            nested.present = true;
            r.message(|r| nested.inner.read(r))
        }
        // Read where they are.
        Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => Ok(()),
    }
}

/// Ends the row of `node`, to which a scalar was not appended yet; `default` if it belongs to a message that is not there.
fn close(kind: &mut Kind, absent: &Absent, node: &mut Node, record: &[u8], default: bool) -> Result<(), Malformed> {
    match kind {
        Kind::List(_) => {
            let Values::List(offsets, items) = &mut node.values else { return Ok(()) };
            offsets.push(items.len())?;
            node.nulls.append_non_null();
            return Ok(());
        }
        Kind::Map(map) => {
            let Values::Map(offsets, entries) = &mut node.values else { return Ok(()) };
            let (keys, values) = &mut **entries;
            map.merge(keys, values, offsets.last(), record)?;
            map.entries.clear();
            offsets.push(keys.len())?;
            node.nulls.append_non_null();
            return Ok(());
        }
        Kind::Message(Nested { inner, present }) if *present => {
            *present = false;
            return inner.close(node, record, default);
        }
        Kind::Wrapper(Nested { inner, present }) if *present => {
            *present = false;
            if !std::mem::take(&mut inner.taken) {
                push_default(node, &inner.missing)?;
            }
            return Ok(());
        }
        Kind::Logical(Nested { inner, present }) if *present => {
            *present = false;
            inner.append(&mut node.values, record)?;
            inner.reset();
            node.nulls.append_non_null();
            return Ok(());
        }
        Kind::Scalar(_) | Kind::Message(_) | Kind::Wrapper(_) | Kind::Logical(_) => {}
    }
    let absent = match absent {
        Absent::Required(_) if !default => return Err(Malformed::Required(String::new())),
        Absent::Required(otherwise) => &**otherwise,
        absent => absent,
    };
    match absent {
        Absent::Null | Absent::Required(_) => node.null(),
        Absent::Default(value) => push_default(node, value)?,
        Absent::Empty => {
            match kind {
                Kind::Message(nested) => nested.present = true,
                Kind::Wrapper(nested) => nested.present = true,
                Kind::Logical(nested) => nested.present = true,
                _ => {
                    node.null();
                    return Ok(());
                }
            }
            close(kind, &Absent::Null, node, record, true)?;
        }
        Absent::Refused(message) => return Err(RecordError::data(&**message).into()),
    }
    Ok(())
}

/// The node of a field.
#[inline]
fn member(members: &mut Members, (at, within): (usize, Option<usize>)) -> Option<&mut Node> {
    let node = &mut members.list.get_mut(at)?.node;
    let Some(within) = within else { return Some(node) };
    match &mut node.values {
        Values::Struct(union) => Some(&mut union.list.get_mut(within)?.node),
        _ => None,
    }
}
