//! Rows into the bytes of a file, given out in blocks while the file grows.
//!
//! A [`Format`] is what `format.class` and the keys of that class mean, and makes the [`Encoder`] of each file.

pub mod json;
pub mod parquet;

use std::fmt::Debug;
use std::{io, mem};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use landfall_api::{TopicId, TopicPartition};

/// What files are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Apache Parquet.
    Parquet(parquet::Codec),
    /// One JSON value a line.
    Json(json::Compression),
}

impl Format {
    /// How files end.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Parquet(codec) => codec.extension(),
            Self::Json(compression) => compression.extension(),
        }
    }

    /// Whether a file has one schema for all of its rows, and says it. If not, files need no cut where schemaless values get a new
    /// field, and nothing of what was learned of them has to be found again in the last file.
    #[must_use]
    pub fn has_schema(&self) -> bool {
        matches!(self, Self::Parquet(_))
    }

    /// Whether a file says by itself which records it holds. If not, the store's metadata has to.
    #[must_use]
    pub fn has_footer(&self) -> bool {
        matches!(self, Self::Parquet(_))
    }

    /// A file of `schema` with the records of `origin` from offset `first` on; `topic` is its topic's id, if that is known.
    #[must_use]
    pub fn encoder(&self, schema: &SchemaRef, origin: &TopicPartition, topic: Option<TopicId>, first: i64) -> Box<dyn Encoder> {
        match self {
            Self::Parquet(codec) => Box::new(parquet::Parquet::new(schema.clone(), *codec, origin, topic, first)),
            Self::Json(compression) => Box::new(json::JsonLines::new(*compression)),
        }
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
    fn take(&mut self) -> Vec<Bytes>;

    /// Ends the file, whose last row has offset `last`; the rest of its blocks.
    ///
    /// # Errors
    /// A type that the format cannot hold.
    fn finish(self: Box<Self>, last: i64) -> Result<Vec<Bytes>, EncodeError>;
}

/// The bytes of a block that is staged, at most.
pub const BLOCK: usize = 4 << 20;

/// What was encoded, cut into blocks: a growing buffer would be copied, and be twice as large as what it holds.
#[derive(Debug, Default)]
struct Blocks {
    full: Vec<Bytes>,
    last: Vec<u8>,
    /// The length of the block before: so long will the next one be.
    usual: usize,
    /// The bytes of all blocks so far.
    size: usize,
}

impl Blocks {
    fn take(&mut self) -> Vec<Bytes> {
        mem::take(&mut self.full)
    }

    /// Makes a block of what is there, if that is `limit` bytes or more.
    fn cut(&mut self, limit: usize) {
        if self.last.len() >= limit.max(1) {
            self.usual = self.last.len();
            self.full.push(mem::take(&mut self.last).into());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
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
