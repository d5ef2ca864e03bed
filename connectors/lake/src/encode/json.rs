//! Rows as lines of JSON, as Confluent's `JsonFormat` writes them (`JsonRecordWriterProvider` of kafka-connect-storage-cloud 10.5).
//!
//! A line is what `JsonConverter` (4.3.1) with `schemas.enable=false` makes of a struct: every field that the schema has, null or not.
//! Of schemaless values the fields without a value are left out: whether a record had the field with a null or not at all is not
//! known in columns, and of records of many kinds in one topic each would get the fields of all others. Values that are not structs
//! are a line each by themselves, as Jackson writes them.

mod value;

use std::fmt;
use std::io::Write as _;

use arrow_array::RecordBatch;
use bytes::Bytes;
use flate2::write::GzEncoder;

use super::{Blocks, EncodeError, Encoder};
use value::Lines;

/// How files are compressed, by its name in `az.compression.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip at its usual level, as Java's `GZIPOutputStream`.
    Gzip,
}

impl Compression {
    /// The compression that `az.compression.type=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            name if name.eq_ignore_ascii_case("none") => Ok(Self::None),
            name if name.eq_ignore_ascii_case("gzip") => Ok(Self::Gzip),
            _ => Err("String must be one of: none, gzip".into()),
        }
    }

    /// How files of it end.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        match self {
            Self::None => ".json",
            Self::Gzip => ".json.gz",
        }
    }
}

/// The lines that are collected before they are compressed. A file that waits for rows has not begun to be.
const CHUNK: usize = 64 << 10;

/// A file of JSON lines being written.
#[derive(Debug)]
pub struct JsonLines {
    compression: Compression,
    lines: Vec<u8>,
    out: Option<Out>,
}

enum Out {
    Plain(Blocks),
    Gzip(Box<GzEncoder<Blocks>>),
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Out").field(&self.blocks().size).finish()
    }
}

impl Out {
    fn blocks(&self) -> &Blocks {
        match self {
            Self::Plain(blocks) => blocks,
            Self::Gzip(gzip) => gzip.get_ref(),
        }
    }

    fn blocks_mut(&mut self) -> &mut Blocks {
        match self {
            Self::Plain(blocks) => blocks,
            Self::Gzip(gzip) => gzip.get_mut(),
        }
    }
}

impl JsonLines {
    /// A file of any rows.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self { compression, lines: Vec::new(), out: None }
    }

    fn hand_over(&mut self) -> Result<&mut Out, EncodeError> {
        let out = self.out.get_or_insert_with(|| match self.compression {
            Compression::None => Out::Plain(Blocks::default()),
            Compression::Gzip => Out::Gzip(Box::new(GzEncoder::new(Blocks::default(), flate2::Compression::default()))),
        });
        match out {
            Out::Plain(blocks) => blocks.write_all(&self.lines),
            Out::Gzip(gzip) => gzip.write_all(&self.lines),
        }
        .map_err(|e| failed(e.to_string()))?;
        self.lines.clear();
        // A long line need not keep its memory.
        self.lines.shrink_to(2 * CHUNK);
        Ok(out)
    }
}

impl Encoder for JsonLines {
    fn write(&mut self, rows: &RecordBatch, _: usize, limit: usize) -> Result<(), EncodeError> {
        let lines = Lines::of(rows)?;
        for row in 0..rows.num_rows() {
            lines.write(row, &mut self.lines);
            if self.lines.len() >= CHUNK {
                self.hand_over()?;
            }
        }
        if let Some(out) = &mut self.out {
            out.blocks_mut().cut(limit);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        (self.lines.len() + self.out.as_ref().map_or(0, |out| out.blocks().size)) as u64
    }

    fn has_block(&self) -> bool {
        self.out.as_ref().is_some_and(|out| !out.blocks().full.is_empty())
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.out.as_mut().map(|out| out.blocks_mut().take()).unwrap_or_default()
    }

    fn finish(mut self: Box<Self>, _: i64) -> Result<Vec<Bytes>, EncodeError> {
        self.hand_over()?;
        Ok(match self.out {
            None => Vec::new(),
            Some(Out::Plain(blocks)) => blocks.finish(),
            Some(Out::Gzip(gzip)) => gzip.finish().map_err(|e| failed(e.to_string()))?.finish(),
        })
    }
}

fn failed(why: impl Into<String>) -> EncodeError {
    EncodeError { format: "json", why: why.into() }
}

#[cfg(test)]
mod tests;
