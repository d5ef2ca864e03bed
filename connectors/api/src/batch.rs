//! What flows through the worker: records as columns.

use std::fmt;
use std::num::NonZeroU128;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, Int64Array, ListArray, TimestampMillisecondArray};
use arrow_schema::{ArrowError, FieldRef};
use arrow_select::concat::concat;
use arrow_select::filter::FilterBuilder;

/// A partition of a Kafka topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    /// As Java prints it: `topic-partition`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Which of the topics that have had a name one after the other it is: Kafka gives each topic that is created an id of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(NonZeroU128);

impl TopicId {
    /// The id with these bits; None for zero, by which Kafka says that it is not known.
    #[must_use]
    pub fn new(bits: u128) -> Option<Self> {
        NonZeroU128::new(bits).map(Self)
    }
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for TopicId {
    /// As Kafka prints it: 22 characters of base64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.get();
        let sixes = (0..21).map(|i| bits >> (122 - 6 * i) & 63).chain([(bits & 3) << 4]);
        sixes.map(|six| char::from(BASE64URL[six as usize])).try_for_each(|c| write!(f, "{c}"))
    }
}

impl FromStr for TopicId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let six = |c: u8| BASE64URL.iter().position(|b| *b == c).map(|six| six as u128);
        let bits = match text.as_bytes() {
            [most @ .., last] if most.len() == 21 => {
                let high = most.iter().try_fold(0_u128, |bits, c| Some(bits << 6 | six(*c)?));
                high.zip(six(*last)).map(|(high, last)| high << 2 | last >> 4)
            }
            _ => None,
        };
        bits.and_then(Self::new).ok_or_else(|| format!("{text} is no topic id"))
    }
}

/// A typed column with the Connect schema of its values.
///
/// The field carries the schema's name, nullability and metadata under the keys `connect.name`, `connect.version`,
/// `connect.doc`, `connect.default` (JSON), `connect.parameter.<k>`, and `connect.schemaless` for values without a schema.
#[derive(Clone, Debug)]
pub struct Column {
    /// Type, nullability and Connect metadata.
    pub field: FieldRef,
    /// The values, one a record.
    pub array: ArrayRef,
}

impl Column {
    /// The values of `rows`, without a copy.
    #[must_use]
    pub fn slice(&self, rows: &Range<usize>) -> Self {
        if *rows == (0..self.array.len()) {
            return self.clone(); // a slice of a struct is one of each field, whose nulls are counted
        }
        Self { field: self.field.clone(), array: self.array.slice(rows.start, rows.len()) }
    }
}

/// One fetch of one partition as it came from Kafka: bytes, not yet converted. All arrays have the same length.
#[derive(Clone, Debug)]
pub struct RawBatch {
    /// Where the records come from.
    pub origin: TopicPartition,
    /// The records' keys.
    pub key: BinaryArray,
    /// The records' values; null is a tombstone.
    pub value: BinaryArray,
    /// The records' offsets, ascending; compaction and transactions leave gaps.
    pub offset: Int64Array,
    /// The records' timestamps in milliseconds since the epoch; null where Kafka has none.
    pub timestamp: TimestampMillisecondArray,
    /// The records' headers as `list<struct<key: utf8, value: binary>>`, if any record has one.
    pub headers: Option<ListArray>,
}

impl RawBatch {
    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records of `rows`, without a copy.
    #[must_use]
    pub fn slice(&self, rows: &Range<usize>) -> Self {
        let (at, len) = (rows.start, rows.len());
        Self {
            origin: self.origin.clone(),
            key: self.key.slice(at, len),
            value: self.value.slice(at, len),
            offset: self.offset.slice(at, len),
            timestamp: self.timestamp.slice(at, len),
            headers: self.headers.as_ref().map(|h| h.slice(at, len)),
        }
    }

    /// The records whose offsets are in none of `runs`, which are ascending.
    #[must_use]
    pub fn without(&self, runs: &[Range<i64>]) -> Self {
        let is_in =
            |offset: i64| runs[..runs.partition_point(|run| run.start <= offset)].last().is_some_and(|run| offset < run.end);
        let keep = BooleanArray::from_unary(&self.offset, |offset| !is_in(offset));
        let rows = FilterBuilder::new(&keep).optimize().build();
        let kept = |array: &dyn Array| rows.filter(array).unwrap_or_else(|_| array.slice(0, array.len()));
        Self {
            origin: self.origin.clone(),
            key: kept(&self.key).as_binary().clone(),
            value: kept(&self.value).as_binary().clone(),
            offset: kept(&self.offset).as_primitive().clone(),
            timestamp: kept(&self.timestamp).as_primitive().clone(),
            headers: self.headers.as_ref().map(|headers| kept(headers).as_list().clone()),
        }
    }

    /// The row of the first record whose offset is `offset` or higher; [`len`](Self::len) if there is none.
    #[must_use]
    pub fn row_of(&self, offset: i64) -> usize {
        self.offset.values().partition_point(|&o| o < offset)
    }

    /// The bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |a: &BinaryArray| a.value_offsets().last().map_or(0, |e| e - a.value_offsets()[0]) as usize;
        of(&self.key) + of(&self.value)
    }
}

/// Records of one partition with one schema: what sinks receive. All columns have the same length.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The source partition; no transform changes it.
    pub origin: TopicPartition,
    /// Where the rows go; routing transforms change it.
    pub topic: Arc<str>,
    /// The converted keys.
    pub key: Column,
    /// The converted values.
    pub value: Column,
    /// The records' offsets, ascending.
    pub offset: Int64Array,
    /// The records' timestamps in milliseconds since the epoch.
    pub timestamp: TimestampMillisecondArray,
    /// The headers as `list<struct<key: utf8, value: binary>>`, if any record has one. A value is what Java's `SimpleHeaderConverter`
    /// writes for it: its text, the JSON of lists, maps and structs, bytes as they are.
    pub headers: Option<ListArray>,
    /// The fetch that the rows come from: the original bytes, found by offset.
    pub raw: Arc<RawBatch>,
    /// The offsets that the batch answers for, dropped and refused records included.
    pub covers: Range<i64>,
}

impl Batch {
    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows for which `keep` is true; a null there counts as false. It covers the same offsets.
    ///
    /// # Errors
    /// `keep` has another length.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        let rows = FilterBuilder::new(keep).optimize().build();
        let column = |column: &Column| rows.filter(&column.array).map(|array| Column { field: column.field.clone(), array });
        Ok(Self {
            key: column(&self.key)?,
            value: column(&self.value)?,
            offset: rows.filter(&self.offset)?.as_primitive().clone(),
            timestamp: rows.filter(&self.timestamp)?.as_primitive().clone(),
            headers: self.headers.as_ref().map(|headers| rows.filter(headers).map(|h| h.as_list().clone())).transpose()?,
            ..self.clone()
        })
    }

    /// The rows before `offset`, without a copy. It covers the offsets before it.
    #[must_use]
    pub fn before(&self, offset: i64) -> Self {
        let rows = self.offset.values().partition_point(|&other| other < offset);
        Self { covers: self.covers.start..self.covers.end.min(offset), ..self.slice(&(0..rows)) }
    }

    /// The rows of batches that follow one another, of one fetch and with one schema. It covers the offsets of all.
    ///
    /// # Errors
    /// There is no batch, they differ in their types, or a column of all would be longer than one can be.
    pub fn joined(batches: &[Self]) -> Result<Self, ArrowError> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Err(ArrowError::InvalidArgumentError("no batch to join".into()));
        };
        let all = |of: fn(&Self) -> &dyn Array| concat(&batches.iter().map(of).collect::<Vec<_>>());
        let headers: Option<Vec<_>> = batches.iter().map(|batch| Some(batch.headers.as_ref()? as &dyn Array)).collect();
        Ok(Self {
            key: Column { field: first.key.field.clone(), array: all(|batch| &batch.key.array)? },
            value: Column { field: first.value.field.clone(), array: all(|batch| &batch.value.array)? },
            offset: all(|batch| &batch.offset)?.as_primitive().clone(),
            timestamp: all(|batch| &batch.timestamp)?.as_primitive().clone(),
            headers: headers.map(|headers| concat(&headers).map(|h| h.as_list().clone())).transpose()?,
            covers: first.covers.start..last.covers.end,
            ..first.clone()
        })
    }

    /// The rows of `rows`, without a copy. It covers the same offsets.
    #[must_use]
    pub fn slice(&self, rows: &Range<usize>) -> Self {
        let (at, len) = (rows.start, rows.len());
        Self {
            key: self.key.slice(rows),
            value: self.value.slice(rows),
            offset: self.offset.slice(at, len),
            timestamp: self.timestamp.slice(at, len),
            headers: self.headers.as_ref().map(|headers| headers.slice(at, len)),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_id_is_written_as_kafka_writes_it() {
        let id = TopicId::new(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978).expect("an id");
        assert_eq!(id.to_string(), "ASNFZ4mrze8PHi08S1ppeA");
        assert_eq!("ASNFZ4mrze8PHi08S1ppeA".parse(), Ok(id));
        for none in ["", "AAAAAAAAAAAAAAAAAAAAAA", "ASNFZ4mrze8PHi08S1ppe", "ASNFZ4mrze8PHi08S1pp+A"] {
            assert!(none.parse::<TopicId>().is_err(), "{none}");
        }
    }
}
