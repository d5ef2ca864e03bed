//! Rows as JSON: lines as Confluent's `JsonFormat` writes them (`JsonRecordWriterProvider` of kafka-connect-storage-cloud 12.1) and
//! Lenses' sinks do, or what Aiven's do (`JsonLinesOutputWriter` and `JsonOutputWriter` of its commons 3.4).
//!
//! A line is what `JsonConverter` (4.3.1) with `schemas.enable=false` makes of a struct: every field that the schema has, null or not.
//! Of schemaless values the fields without a value are left out: whether a record had the field with a null or not at all is not
//! known in columns, and of records of many kinds in one topic each would get the fields of all others. Values that are not structs
//! are a line each by themselves: in Confluent's files as Jackson writes Java's objects, in the others as the converter does.

mod value;

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_schema::Field;
use bytes::Bytes;

use super::compress::{Compression, Stream};
use super::{EncodeError, Encoder, Holds};
use value::Lines;

/// How files are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How files are compressed.
    pub compression: Compression,
    /// What stands around and between the values.
    pub framing: Framing,
    /// Whether decimals are numbers. If not, they are the base64 of their digits, as `JsonConverter` has it if not told otherwise.
    pub numeric: bool,
}

impl From<Compression> for Options {
    fn from(compression: Compression) -> Self {
        Self { compression, ..Self::default() }
    }
}

/// What stands around and between the values of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Each value has a line end behind it: Confluent's and Lenses' files.
    #[default]
    Lines,
    /// There is a line end between two values: Aiven's jsonl.
    Between,
    /// The values are an array, one a line: Aiven's json.
    Array,
}

/// The field metadata of bytes that are written as text where they are UTF-8.
const TEXT: &str = "landfall.text";

/// `field` with bytes that are written as text where they are UTF-8, and else in base64.
pub(crate) fn as_text(field: Field) -> Field {
    let metadata: HashMap<_, _> = [(TEXT.to_owned(), "true".to_owned())].into();
    field.with_metadata(metadata)
}

/// A file of JSON being written.
#[derive(Debug)]
pub struct Json {
    options: Options,
    stream: Stream,
    begun: bool,
}

impl Json {
    /// A file of any rows.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, stream: Stream::new(options.compression), begun: false }
    }

    /// What stands before the next value.
    fn before(&mut self) -> &'static [u8] {
        let begun = std::mem::replace(&mut self.begun, true);
        match (self.options.framing, begun) {
            (Framing::Lines, _) | (Framing::Between, false) => b"",
            (Framing::Between, true) => b"\n",
            (Framing::Array, false) => b"[\n",
            (Framing::Array, true) => b",\n",
        }
    }
}

impl Encoder for Json {
    fn write(&mut self, rows: &RecordBatch, _: usize, limit: usize) -> Result<(), EncodeError> {
        let lines = Lines::of(rows, self.options.numeric)?;
        for row in 0..rows.num_rows() {
            let before = self.before();
            self.stream.pending.extend_from_slice(before);
            lines.write(row, &mut self.stream.pending);
            if self.options.framing == Framing::Lines {
                self.stream.pending.push(b'\n');
            }
            self.stream.flush_much()?;
        }
        self.stream.cut(limit);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.stream.size()
    }

    fn has_block(&self) -> bool {
        self.stream.has_block()
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.stream.take()
    }

    fn holds(&self) -> Holds {
        self.stream.holds()
    }

    fn hand_over(&mut self) -> Result<(), EncodeError> {
        self.stream.hand_over()
    }

    fn finish(mut self: Box<Self>, _: i64) -> Result<Vec<Bytes>, EncodeError> {
        if self.options.framing == Framing::Array {
            let begin = if self.begun { "" } else { "[\n" };
            self.stream.pending.extend_from_slice(begin.as_bytes());
            self.stream.pending.extend_from_slice(b"\n]");
        }
        self.stream.finish()
    }
}

fn failed(why: impl Into<String>) -> EncodeError {
    EncodeError { format: "json", why: why.into() }
}

#[cfg(test)]
mod tests;
