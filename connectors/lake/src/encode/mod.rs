//! Rows into the bytes of a file, given out in blocks while the file grows.
//!
//! A [`Format`] is what `format.class` and the [`keys`] of that class mean, and makes the [`Encoder`] of each file.

pub mod avro;
pub mod bytes;
mod compress;
pub mod csv;
pub mod json;
pub mod keys;
pub mod parquet;
mod snappy;

use std::fmt::Debug;
use std::{io, mem};

use ::bytes::Bytes as Block;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use landfall_api::{RecordError, TopicId, TopicPartition};

pub use compress::Compression;

/// What files are made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Apache Parquet.
    Parquet(parquet::Options),
    /// JSON values: one a line, or an array of all.
    Json(json::Options),
    /// Avro's object container files.
    Avro(avro::Options),
    /// Lines of fields.
    Csv(csv::Options),
    /// The values as they are.
    Bytes(bytes::Options),
}

/// What a file says of itself where the format has a place for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The source of its records.
    pub origin: TopicPartition,
    /// The id of their topic, if it is known.
    pub topic: Option<TopicId>,
    /// The offset of its first record.
    pub first: i64,
    /// What tells it from every other file, `<incarnation>.<epoch>.<nonce>`; empty if it has none.
    pub id: String,
}

impl Facts {
    /// The facts of a file without an id, of a topic whose id is not known.
    #[must_use]
    pub fn new(origin: TopicPartition, first: i64) -> Self {
        Self { origin, topic: None, first, id: String::new() }
    }

    /// The [`footer`](parquet::footer) keys that are known when a file begins, with what they say.
    fn known(&self) -> Vec<(&'static str, String)> {
        let mut known = vec![
            (parquet::footer::FIRST, self.first.to_string()),
            (parquet::footer::TOPIC, self.origin.topic.to_string()),
            (parquet::footer::PARTITION, self.origin.partition.to_string()),
        ];
        known.extend(self.topic.map(|id| (parquet::footer::TOPIC_ID, id.to_string())));
        known.extend((!self.id.is_empty()).then(|| (parquet::footer::FILE, self.id.clone())));
        known
    }
}

/// The encoded bytes that a part of a file is given out at, if neither memory nor a key asks for fewer.
const PART: usize = 32 << 20;

impl Format {
    /// How files end.
    #[must_use]
    pub fn extension(&self) -> String {
        match self {
            Self::Parquet(options) => options.codec.extension().to_owned(),
            Self::Json(options) => format!(".json{}", options.compression.extension()),
            Self::Avro(options) => format!(".avro{}", options.compression.extension()),
            Self::Csv(options) => format!(".csv{}", options.compression.extension()),
            Self::Bytes(options) => format!("{}{}", options.extension, options.compression.extension()),
        }
    }

    /// Whether a file has one schema for all of its rows, and says it. If not, files need no cut where schemaless values get a new
    /// field, and nothing of what was learned of them has to be found again in the last file.
    #[must_use]
    pub fn has_schema(&self) -> bool {
        match self {
            Self::Parquet(_) | Self::Avro(_) => true,
            Self::Csv(options) => options.has_columns(),
            Self::Json(_) | Self::Bytes(_) => false,
        }
    }

    /// Whether columns have the types that [`Types`](crate::types::Types) say.
    pub(crate) fn has_types(&self) -> bool {
        matches!(self, Self::Parquet(_))
    }

    /// Whether files have a place for columns besides those of the value (`landfall.columns`).
    #[must_use]
    pub fn has_columns(&self) -> bool {
        match self {
            Self::Parquet(_) | Self::Json(_) | Self::Avro(_) => true,
            Self::Csv(options) => options.has_columns(),
            Self::Bytes(_) => false,
        }
    }

    /// The encoded bytes after which a file gives out what it holds, where memory allows so many: a row group of Parquet.
    #[must_use]
    pub fn row_group(&self) -> usize {
        match self {
            Self::Parquet(options) => options.row_group_bytes,
            _ => PART,
        }
    }

    /// Whether files can hold records whose values are of `value`, with keys of `key` where a file has a place for them.
    pub(crate) fn check(&self, value: &Field, key: Option<&Field>) -> Result<(), RecordError> {
        match self {
            Self::Parquet(_) | Self::Json(_) => Ok(()),
            Self::Avro(options) => avro::check(options, value, key),
            Self::Csv(options) => options.check(value, key),
            Self::Bytes(options) => options.check(value),
        }
    }

    /// A file of `schema` with the records that `facts` say.
    #[must_use]
    pub fn encoder(&self, schema: &SchemaRef, facts: &Facts) -> Box<dyn Encoder> {
        match self {
            Self::Parquet(options) => Box::new(parquet::Parquet::new(schema.clone(), options, facts)),
            Self::Json(options) => Box::new(json::Json::new(*options)),
            Self::Avro(options) => Box::new(avro::Avro::new(schema, options, facts)),
            Self::Csv(options) => Box::new(csv::Csv::new(schema, *options)),
            Self::Bytes(options) => Box::new(bytes::Bytes::new(options)),
        }
    }
}

/// How Connect calls the type of a column (`Schema.Type`).
fn connect_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int8 => "INT8",
        DataType::Int16 => "INT16",
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => "INT32",
        DataType::Int64 | DataType::Timestamp(..) => "INT64",
        DataType::Float32 => "FLOAT32",
        DataType::Float64 => "FLOAT64",
        DataType::Boolean => "BOOLEAN",
        DataType::Binary | DataType::Decimal128(..) | DataType::Decimal256(..) => "BYTES",
        DataType::List(_) => "ARRAY",
        DataType::Map(..) => "MAP",
        DataType::Struct(_) => "STRUCT",
        _ => "STRING",
    }
}

/// A file being written. What it holds does not grow with the file.
pub trait Encoder: Debug + Send {
    /// Adds rows of `bytes` bytes; lets go of what it holds when that is about `limit` encoded bytes.
    ///
    /// # Errors
    /// A type that the format cannot hold.
    fn write(&mut self, rows: &RecordBatch, bytes: usize, limit: usize) -> Result<(), EncodeError>;

    /// About how large the file would be if it ended now, in bytes.
    fn size(&self) -> u64;

    /// Whether a block is ready to be staged.
    fn has_block(&self) -> bool;

    /// Takes the blocks that are ready, each of at most [`BLOCK`] bytes.
    fn take(&mut self) -> Vec<Block>;

    /// What it holds in memory, besides the blocks that are ready.
    fn holds(&self) -> Holds;

    /// Makes blocks of all that it can let go of before the file ends. That costs the file: what is compressed or indexed as a whole
    /// is so in smaller parts.
    ///
    /// # Errors
    /// A type that the format cannot hold.
    fn hand_over(&mut self) -> Result<(), EncodeError>;

    /// Ends the file, whose last row has offset `last`; the rest of its blocks.
    ///
    /// # Errors
    /// A type that the format cannot hold.
    fn finish(self: Box<Self>, last: i64) -> Result<Vec<Block>, EncodeError>;
}

/// What an encoder holds in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// What [`Encoder::hand_over`] lets go of.
    pub gives: usize,
    /// What it holds until the file ends.
    pub keeps: usize,
}

/// The bytes of a block that is staged, at most.
pub const BLOCK: usize = 4 << 20;

/// What was encoded, cut into blocks: a growing buffer would be copied, and be twice as large as what it holds.
#[derive(Debug, Default)]
struct Blocks {
    full: Vec<Block>,
    last: Vec<u8>,
    /// The length of the block before: so long will the next one be.
    usual: usize,
    /// The bytes of all blocks so far.
    size: usize,
}

impl Blocks {
    fn take(&mut self) -> Vec<Block> {
        mem::take(&mut self.full)
    }

    /// Makes a block of what is there, if that is `limit` bytes or more.
    fn cut(&mut self, limit: usize) {
        if self.last.len() >= limit.max(1) {
            self.usual = self.last.len();
            self.full.push(mem::take(&mut self.last).into());
        }
    }

    /// The bytes that this takes, besides the blocks that are ready.
    fn held(&self) -> usize {
        self.last.capacity()
    }

    fn finish(mut self) -> Vec<Block> {
        self.cut(1);
        self.full
    }
}

impl io::Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.capacity() == 0 {
            self.last.reserve_exact(self.usual);
        }
        let taken = bytes.len().min(BLOCK - self.last.len());
        self.last.extend_from_slice(&bytes[..taken]);
        self.size += taken;
        self.cut(BLOCK);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Rows could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the rows cannot be written as {format}: {why}")]
pub struct EncodeError {
    format: &'static str,
    why: String,
}

impl From<ArrowError> for EncodeError {
    fn from(error: ArrowError) -> Self {
        Self { format: "columns", why: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn blocks_are_of_one_size_but_for_the_last() {
        let mut blocks = Blocks::default();
        let bytes: Vec<u8> = (0..BLOCK * 5 / 2).map(|i| (i % 251) as u8).collect();
        for part in bytes.chunks(1_000_003) {
            blocks.write_all(part).expect("it takes all");
        }
        assert_eq!((blocks.size, blocks.take().concat()), (bytes.len(), bytes[..2 * BLOCK].to_vec()));
        blocks.cut(BLOCK);
        assert!(blocks.take().is_empty());
        blocks.cut(BLOCK / 2);
        assert_eq!(blocks.take().concat(), bytes[2 * BLOCK..]);
        assert!(blocks.finish().is_empty());
    }
}
