//! Collects the records of one partition into Arrow columns, one contiguous buffer for all keys and one for all values.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BinaryArray, Int64Array, ListArray, StringArray, StructArray, TimestampMillisecondArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use landfall_api::{RawBatch, TopicPartition};

use crate::kafka::raw::Message;

static HEADER: LazyLock<Fields> =
    LazyLock::new(|| Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)]));
static HEADERS: LazyLock<FieldRef> = LazyLock::new(|| Arc::new(Field::new("item", DataType::Struct(HEADER.clone()), false)));

/// The type of [`RawBatch::headers`]: `list<struct<key: utf8, value: binary>>`.
#[must_use]
pub fn headers_type() -> DataType {
    DataType::List(HEADERS.clone())
}

/// How much one fetch of a partition held, or is expected to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    records: usize,
    keys: usize,
    values: usize,
}

impl Size {
    /// What is expected after a fetch of this size, which was `expected` to be of another: as much again, and not much less than what
    /// the largest before it held. Room that stays empty costs nothing, and what outgrows its room is copied.
    pub(super) fn after(self, expected: Self) -> Self {
        let most = |held: usize, expected: usize| held.max(expected - expected / 8);
        Self {
            records: most(self.records, expected.records),
            keys: most(self.keys, expected.keys),
            values: most(self.values, expected.values),
        }
    }
}

/// Byte strings, some of them null.
#[derive(Debug)]
struct Bytes {
    data: Vec<u8>,
    /// Where each ends; the first is 0.
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Bytes {
    fn with_capacity(records: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(records + 1);
        ends.push(0);
        Self { data: Vec::with_capacity(bytes), ends, nulls: NullBufferBuilder::new(records) }
    }

    fn push(&mut self, value: Option<&[u8]>) {
        self.data.extend_from_slice(value.unwrap_or_default());
        self.ends.push(self.data.len() as i32);
        self.nulls.append(value.is_some());
    }

    fn finish(mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        (OffsetBuffer::new(ScalarBuffer::from(self.ends)), fitting(self.data), self.nulls.finish())
    }

    fn binary(self) -> BinaryArray {
        let (ends, data, nulls) = self.finish();
        BinaryArray::new(ends, data, nulls)
    }
}

/// The bytes without the room that an estimate was too high by: batches live much longer than they take to fill.
fn fitting(mut data: Vec<u8>) -> Buffer {
    if data.capacity() > 2 * data.len() {
        data.shrink_to_fit();
    }
    Buffer::from_vec(data)
}

/// The headers of the records, from the first record on that has one.
#[derive(Debug)]
struct Headers {
    keys: String,
    key_ends: Vec<i32>,
    values: Bytes,
    /// Where each record's end; the first is 0.
    ends: Vec<i32>,
}

impl Headers {
    /// `before` records had none.
    fn after(before: usize) -> Self {
        Self { keys: String::new(), key_ends: vec![0], values: Bytes::with_capacity(0, 0), ends: vec![0; before + 1] }
    }

    fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.keys.push_str(&String::from_utf8_lossy(key));
        self.key_ends.push(self.keys.len() as i32);
        self.values.push(value);
    }

    fn end_record(&mut self) {
        self.ends.push(self.key_ends.len() as i32 - 1);
    }

    fn finish(self) -> ListArray {
        let keys = StringArray::new(OffsetBuffer::new(ScalarBuffer::from(self.key_ends)), fitting(self.keys.into_bytes()), None);
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(self.values.binary())];
        let entries = StructArray::new(HEADER.clone(), columns, None);
        ListArray::new(HEADERS.clone(), OffsetBuffer::new(ScalarBuffer::from(self.ends)), Arc::new(entries), None)
    }
}

/// The columns of one partition while they are filled.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) origin: TopicPartition,
    /// Whether more records of the poll are in the partition's next columns.
    pub(super) continued: bool,
    keys: Bytes,
    values: Bytes,
    offsets: Vec<i64>,
    /// The leader's epoch of the last record.
    pub(super) epoch: Option<i32>,
    timestamps: Vec<i64>,
    timed: NullBufferBuilder,
    headers: Option<Headers>,
    header_bytes: usize,
}

impl Columns {
    pub(super) fn new(origin: TopicPartition, expected: Size) -> Self {
        let Size { records, keys, values } = expected;
        Self {
            origin,
            continued: false,
            keys: Bytes::with_capacity(records, keys),
            values: Bytes::with_capacity(records, values),
            offsets: Vec::with_capacity(records),
            epoch: None,
            timestamps: Vec::with_capacity(records),
            timed: NullBufferBuilder::new(records),
            headers: None,
            header_bytes: 0,
        }
    }

    /// Whether the message fits: it is after the others, and Arrow counts the bytes of a column in 31 bits. librdkafka takes no message
    /// of 1 GB or more.
    pub(super) fn has_room(&self, message: Message<'_>) -> bool {
        if message.offset() < self.end() {
            return false;
        }
        const LIMIT: usize = i32::MAX as usize;
        let held = self.keys.data.len() + self.values.data.len() + self.header_bytes;
        held <= LIMIT / 4 || held + message.bytes() <= LIMIT
    }

    /// Appends a record and gives its bytes.
    pub(super) fn push(&mut self, message: Message<'_>) -> usize {
        let (key, value, time) = (message.key(), message.value(), message.timestamp());
        self.keys.push(key);
        self.values.push(value);
        self.timestamps.push(time.unwrap_or_default());
        self.timed.append(time.is_some());
        let (headers, records, mut bytes) = (&mut self.headers, self.offsets.len(), 0);
        message.headers(|key, value| {
            headers.get_or_insert_with(|| Headers::after(records)).push(key, value);
            bytes += key.len() + value.unwrap_or_default().len();
        });
        self.epoch = message.leader_epoch();
        self.offsets.push(message.offset());
        if let Some(headers) = headers {
            headers.end_record();
        }
        self.header_bytes += bytes;
        bytes + key.unwrap_or_default().len() + value.unwrap_or_default().len()
    }

    /// The offset after the last record.
    pub(super) fn end(&self) -> i64 {
        self.offsets.last().map_or(0, |last| last + 1)
    }

    pub(super) fn size(&self) -> Size {
        Size { records: self.offsets.len(), keys: self.keys.data.len(), values: self.values.data.len() }
    }

    pub(super) fn finish(mut self) -> RawBatch {
        RawBatch {
            origin: self.origin,
            key: self.keys.binary(),
            value: self.values.binary(),
            offset: Int64Array::new(ScalarBuffer::from(self.offsets), None),
            timestamp: TimestampMillisecondArray::new(ScalarBuffer::from(self.timestamps), self.timed.finish()),
            headers: self.headers.map(Headers::finish),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_for_the_largest_fetch_of_late() {
        let of = |records| Size { records, keys: 2 * records, values: 100 * records };
        assert_eq!(of(80).after(Size::default()), of(80));
        assert_eq!((of(8).after(of(80)), of(80).after(of(8))), (of(70), of(80)));
        let settled = (0..100).fold(of(1000), |expected, _| of(8).after(expected));
        assert!(settled.records < 16, "{settled:?}");
    }
}
