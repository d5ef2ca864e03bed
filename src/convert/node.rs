//! The tree that records are decoded into: at each place of the type the Arrow buffers that grow there. Every format that decodes
//! record by record fills it.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, NullArray, PrimitiveArray, StringArray, StructArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{DataType, Field};

use landfall_api::RecordError;

/// Structs of more fields than this look a key up by hash when it is not the predicted one.
const SEARCHED: usize = 16;

/// One place of the type.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) values: Values,
    pub(super) nulls: NullBufferBuilder,
    pub(super) absent: Absent,
    /// Whether the type was learned from the data and may widen, or comes from a schema and may not.
    pub(super) learned: bool,
}

/// What a null is, and a field that is not there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Absent {
    /// A null.
    Null,
    /// An error: the schema requires a value.
    Refused,
    /// The schema's default, as JSON.
    Default(Arc<[u8]>),
}

/// The buffers, by type.
#[derive(Debug)]
pub(super) enum Values {
    /// Nothing but null was seen yet.
    Unknown,
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    String(Text),
    /// Values of several types, each as the JSON that it was.
    Json(Text),
    Bytes(Text),
    Decimal(Vec<i128>, Precision),
    /// Decimals of more than 38 digits.
    Decimal256(Vec<i256>),
    Date(Vec<i32>),
    Time(Vec<i32>),
    Timestamp(Vec<i64>),
    List(Offsets, Box<Node>),
    Map(Offsets, Box<(Node, Node)>),
    Struct(Members),
}

/// How many digits a decimal has; its values have `scale` of them behind the point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Precision {
    pub(super) precision: u8,
    /// The schema's scale. Below zero, the column has the scale 0.
    pub(super) scale: i32,
}

impl Node {
    /// A place of which nothing is known yet.
    pub(super) fn unknown() -> Self {
        Self::new(Values::Unknown, Absent::Null, true)
    }

    pub(super) fn new(values: Values, absent: Absent, learned: bool) -> Self {
        Self { values, nulls: NullBufferBuilder::new(0), absent, learned }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Makes room for `rows` more, by what the last batch needed.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Values::Int8(v) => v.reserve(rows),
            Values::Int16(v) => v.reserve(rows),
            Values::Int32(v) | Values::Date(v) | Values::Time(v) => v.reserve(rows),
            Values::Int64(v) | Values::Timestamp(v) => v.reserve(rows),
            Values::Float32(v) => v.reserve(rows),
            Values::Float64(v) => v.reserve(rows),
            Values::Decimal(v, _) => v.reserve(rows),
            Values::Decimal256(v) => v.reserve(rows),
            Values::String(t) | Values::Json(t) | Values::Bytes(t) => t.reserve(rows),
            Values::Struct(members) => members.list.iter_mut().for_each(|m| m.node.reserve(rows)),
            Values::Unknown | Values::Boolean(_) | Values::List(..) | Values::Map(..) => {}
        }
    }

    /// Appends a null, whatever the schema says: of a row that was refused, or under a parent that is null.
    pub(super) fn null(&mut self) {
        match &mut self.values {
            Values::Unknown => {}
            Values::Boolean(v) => v.append(false),
            Values::Int8(v) => v.push(0),
            Values::Int16(v) => v.push(0),
            Values::Int32(v) | Values::Date(v) | Values::Time(v) => v.push(0),
            Values::Int64(v) | Values::Timestamp(v) => v.push(0),
            Values::Float32(v) => v.push(0.0),
            Values::Float64(v) => v.push(0.0),
            Values::Decimal(v, _) => v.push(0),
            Values::Decimal256(v) => v.push(i256::ZERO),
            Values::String(t) | Values::Json(t) | Values::Bytes(t) => t.offsets.repeat(),
            Values::List(offsets, _) | Values::Map(offsets, _) => offsets.repeat(),
            Values::Struct(members) => members.list.iter_mut().for_each(|m| m.node.null()),
        }
        self.nulls.append_null();
    }

    /// Forgets all rows but the first `rows`. What a row that failed has left behind goes too.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Unknown => {}
            Values::Boolean(v) => v.truncate(rows),
            Values::Int8(v) => v.truncate(rows),
            Values::Int16(v) => v.truncate(rows),
            Values::Int32(v) | Values::Date(v) | Values::Time(v) => v.truncate(rows),
            Values::Int64(v) | Values::Timestamp(v) => v.truncate(rows),
            Values::Float32(v) => v.truncate(rows),
            Values::Float64(v) => v.truncate(rows),
            Values::Decimal(v, _) => v.truncate(rows),
            Values::Decimal256(v) => v.truncate(rows),
            Values::String(t) | Values::Json(t) | Values::Bytes(t) => {
                let end = t.offsets.truncate(rows);
                t.bytes.truncate(end);
            }
            Values::List(offsets, items) => items.truncate(offsets.truncate(rows)),
            Values::Map(offsets, entries) => {
                let end = offsets.truncate(rows);
                entries.0.truncate(end);
                entries.1.truncate(end);
            }
            Values::Struct(members) => members.list.iter_mut().for_each(|m| m.node.truncate(rows)),
        }
        self.nulls.truncate(rows);
    }

    /// The rows as an array of `data_type`, which is the node's own. The node is empty after it.
    pub(super) fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        let len = self.nulls.len();
        let nulls = self.nulls.finish();
        match &mut self.values {
            Values::Unknown => Arc::new(NullArray::new(len)),
            Values::Boolean(v) => Arc::new(BooleanArray::new(v.finish(), nulls)),
            Values::Int8(v) => primitive::<Int8Type>(v, nulls),
            Values::Int16(v) => primitive::<Int16Type>(v, nulls),
            Values::Int32(v) => primitive::<Int32Type>(v, nulls),
            Values::Int64(v) => primitive::<Int64Type>(v, nulls),
            Values::Float32(v) => primitive::<Float32Type>(v, nulls),
            Values::Float64(v) => primitive::<Float64Type>(v, nulls),
            Values::Date(v) => primitive::<Date32Type>(v, nulls),
            Values::Time(v) => primitive::<Time32MillisecondType>(v, nulls),
            Values::Timestamp(v) => {
                let array = PrimitiveArray::<TimestampMillisecondType>::new(mem::take(v).into(), nulls);
                Arc::new(array.with_data_type(data_type.clone()))
            }
            Values::Decimal(v, _) => {
                let array = PrimitiveArray::<Decimal128Type>::new(mem::take(v).into(), nulls);
                Arc::new(array.with_data_type(data_type.clone()))
            }
            Values::Decimal256(v) => {
                let array = PrimitiveArray::<Decimal256Type>::new(mem::take(v).into(), nulls);
                Arc::new(array.with_data_type(data_type.clone()))
            }
            Values::String(t) | Values::Json(t) => {
                let (offsets, bytes) = t.finish(len);
                utf8(offsets, bytes, nulls)
            }
            Values::Bytes(t) => {
                let (offsets, bytes) = t.finish(len);
                Arc::new(BinaryArray::new(offsets, bytes, nulls))
            }
            Values::List(offsets, items) => match data_type {
                DataType::List(item) => {
                    let values = items.finish(item.data_type());
                    Arc::new(ListArray::new(item.clone(), offsets.finish(), values, nulls))
                }
                // A map that is written as the list of its entries.
                DataType::Map(entry, _) => {
                    let entries = items.finish(entry.data_type());
                    Arc::new(MapArray::new(entry.clone(), offsets.finish(), entries.as_struct().clone(), nulls, false))
                }
                _ => hollow(len, items),
            },
            Values::Map(offsets, entries) => {
                let (DataType::Map(entry, _), (key, value)) = (data_type, &mut **entries) else {
                    return hollow(len, &mut entries.0);
                };
                let DataType::Struct(fields) = entry.data_type() else { return hollow(len, key) };
                let columns = vec![key.finish(fields[0].data_type()), value.finish(fields[1].data_type())];
                let entries = StructArray::new(fields.clone(), columns, None);
                Arc::new(MapArray::new(entry.clone(), offsets.finish(), entries, nulls, false))
            }
            Values::Struct(members) => {
                let DataType::Struct(fields) = data_type else {
                    members.list.iter_mut().for_each(|m| m.node.truncate(0));
                    return Arc::new(NullArray::new(len));
                };
                let mut columns = Vec::with_capacity(fields.len());
                for (&at, field) in members.shown.iter().zip(fields) {
                    columns.push(members.list[at].node.finish(field.data_type()));
                }
                // What is not shown has only nulls.
                members.list.iter_mut().for_each(|m| m.node.truncate(0));
                if columns.is_empty() {
                    return Arc::new(StructArray::new_empty_fields(len, nulls));
                }
                Arc::new(StructArray::new(fields.clone(), columns, nulls))
            }
        }
    }
}

/// What stands for a field that is a list of nothing but nulls, which has no type to show.
fn hollow(len: usize, items: &mut Node) -> ArrayRef {
    items.truncate(0);
    Arc::new(NullArray::new(len))
}

fn primitive<T: ArrowPrimitiveType>(values: &mut Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(mem::take(values)), nulls))
}

/// Text whose values were found to be UTF-8 as they were appended.
#[expect(unsafe_code, reason = "looking at all text once more takes a fiftieth of the time of a record")]
fn utf8(offsets: OffsetBuffer<i32>, bytes: Buffer, nulls: Option<NullBuffer>) -> ArrayRef {
    if cfg!(debug_assertions) {
        return Arc::new(StringArray::new(offsets, bytes, nulls));
    }
    // SAFETY: an offset is the length of the bytes after a value, and each decoder appends whole values that it knows to be UTF-8:
    // what it was given as text, or what is between two ASCII characters of a record that is UTF-8. Tests look at it, as above.
    Arc::new(unsafe { StringArray::new_unchecked(offsets, bytes, nulls) })
}

/// More bytes or items than a column can have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overflow;

impl From<Overflow> for RecordError {
    fn from(_: Overflow) -> Self {
        Self::data("a batch of records with more than 2 GiB in one column")
    }
}

/// Where the values of each row end.
#[derive(Debug)]
pub(super) struct Offsets(Vec<i32>);

impl Offsets {
    pub(super) fn new() -> Self {
        Self(vec![0])
    }

    #[inline]
    pub(super) fn push(&mut self, end: usize) -> Result<(), Overflow> {
        let end = i32::try_from(end).map_err(|_| Overflow)?;
        self.0.push(end);
        Ok(())
    }

    pub(super) fn last(&self) -> usize {
        self.0.last().map_or(0, |&end| end as usize)
    }

    fn repeat(&mut self) {
        let last = self.0.last().copied().unwrap_or(0);
        self.0.push(last);
    }

    /// Keeps `rows`; where their values end.
    fn truncate(&mut self, rows: usize) -> usize {
        self.0.truncate(rows + 1);
        self.last()
    }

    fn finish(&mut self) -> OffsetBuffer<i32> {
        OffsetBuffer::new(mem::replace(&mut self.0, vec![0]).into())
    }
}

/// Byte sequences of any length.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) offsets: Offsets,
    /// The bytes of a row in the last batch, rounded up.
    usual: usize,
}

impl Text {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), offsets: Offsets::new(), usual: 8 }
    }

    /// Ends the row that was appended to `bytes`.
    #[inline]
    pub(super) fn end(&mut self) -> Result<(), Overflow> {
        self.offsets.push(self.bytes.len())
    }

    /// The bytes of a row.
    pub(super) fn get(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets.0[row] as usize..self.offsets.0[row + 1] as usize]
    }

    fn reserve(&mut self, rows: usize) {
        self.offsets.0.reserve(rows);
        self.bytes.reserve(rows.saturating_mul(self.usual));
    }

    fn finish(&mut self, rows: usize) -> (OffsetBuffer<i32>, Buffer) {
        self.usual = self.bytes.len() / rows.max(1) + 1;
        (self.offsets.finish(), mem::take(&mut self.bytes).into())
    }
}

/// The fields of a struct, in the order in which a record is expected to have them.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) list: Vec<Member>,
    /// The places in `list` of the fields that the Arrow type has, in its order.
    pub(super) shown: Vec<usize>,
    /// Whether the struct is a union: a value is that of one of the fields, without its name.
    pub(super) one_of: bool,
    index: HashMap<Box<str>, usize>,
}

/// One field of a struct.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Box<str>,
    /// The name as a record has it: with quotes and a colon.
    pub(super) token: Box<[u8]>,
    /// The place among the learned fields that have a type, in the order in which they got one.
    pub(super) rank: Option<usize>,
    pub(super) node: Node,
}

impl Member {
    pub(super) fn new(name: &str, node: Node) -> Self {
        let mut token = serde_json::Value::from(name).to_string().into_bytes();
        token.push(b':');
        Self { name: name.into(), token: token.into(), rank: None, node }
    }
}

impl Members {
    /// Brings what depends on the list up to date after it changed.
    pub(super) fn arrange(&mut self, shown: Vec<usize>) {
        self.shown = shown;
        self.index.clear();
        if self.list.len() > SEARCHED {
            self.index.extend(self.list.iter().enumerate().map(|(at, m)| (m.name.clone(), at)));
        }
    }

    /// The place of the field `name`, looked for first at `expected` and after it.
    pub(super) fn find(&self, name: &str, expected: usize) -> Option<usize> {
        if self.index.is_empty() {
            let (before, after) = self.list.split_at(expected.min(self.list.len()));
            let at = |part: &[Member]| part.iter().position(|m| *m.name == *name);
            return at(after).map(|at| at + before.len()).or_else(|| at(before));
        }
        let near = self.list.iter().enumerate().skip(expected).take(4).find(|(_, m)| *m.name == *name).map(|(at, _)| at);
        near.or_else(|| self.index.get(name).copied())
    }
}

/// Names that the Arrow types of lists and maps have inside.
pub(super) const ITEM: &str = "item";
const ENTRIES: &str = "entries";

/// The type of a map whose keys and values have these fields.
pub(super) fn map_type(key: Field, value: Field) -> DataType {
    DataType::Map(Arc::new(Field::new(ENTRIES, DataType::Struct([key, value].into_iter().collect()), false)), false)
}
