//! Rows into the bytes of a Parquet file, given out while the file grows.

use std::collections::HashSet;
use std::hash::Hash;
use std::io;
use std::mem;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use bytes::Bytes;
use landfall_api::TopicId;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// The footer keys that say which records a file holds.
pub mod footer {
    /// The offset of the first row.
    pub const FIRST: &str = "landfall.first.offset";
    /// The offset of the last row.
    pub const LAST: &str = "landfall.last.offset";
    /// The source topic.
    pub const TOPIC: &str = "landfall.topic";
    /// The source partition.
    pub const PARTITION: &str = "landfall.partition";
    /// The source topic's id, if it was known.
    pub const TOPIC_ID: &str = "landfall.topic.id";
}

/// A page compression, by its name in `parquet.codec`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codec {
    compression: Compression,
    extension: &'static str,
}

impl Codec {
    /// The codec that `parquet.codec=<name>` means. File extensions are those of parquet-java's `CompressionCodecName`.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let (compression, extension) = match name.to_ascii_lowercase().as_str() {
            "none" | "uncompressed" => (Compression::UNCOMPRESSED, ".parquet"),
            "snappy" => (Compression::SNAPPY, ".snappy.parquet"),
            "gzip" => (Compression::GZIP(GzipLevel::default()), ".gz.parquet"),
            "zstd" => (Compression::ZSTD(ZstdLevel::default()), ".zstd.parquet"),
            "brotli" => (Compression::BROTLI(BrotliLevel::default()), ".br.parquet"),
            "lz4" => (Compression::LZ4, ".lz4hadoop.parquet"),
            "lz4_raw" => (Compression::LZ4_RAW, ".lz4raw.parquet"),
            _ => return Err("String must be one of: none, uncompressed, snappy, gzip, zstd, lz4, lz4_raw, brotli".into()),
        };
        Ok(Self { compression, extension })
    }

    /// How files of this codec end.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        self.extension
    }
}

/// A Parquet file being written. Row groups are closed by bytes, so that what is held does not grow with the file.
#[derive(Debug)]
pub struct Encoder {
    schema: SchemaRef,
    codec: Codec,
    writer: Option<ArrowWriter<Blocks>>,
    /// The bytes of the rows in the row group.
    held: usize,
    facts: Vec<KeyValue>,
}

impl Encoder {
    /// A file of `schema` with the records of one partition from offset `first` on.
    #[must_use]
    pub fn new(schema: SchemaRef, codec: Codec, topic: &str, partition: i32, first: i64) -> Self {
        let fact = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
        let facts = vec![
            fact(footer::FIRST, first.to_string()),
            fact(footer::TOPIC, topic.to_owned()),
            fact(footer::PARTITION, partition.to_string()),
        ];
        Self { schema, codec, writer: None, held: 0, facts }
    }

    /// Says in the file which topic its records are of, where the name could stand for several.
    #[must_use]
    pub fn of_topic(mut self, id: Option<TopicId>) -> Self {
        self.facts.extend(id.map(|id| KeyValue::new(footer::TOPIC_ID.to_owned(), id.to_string())));
        self
    }

    /// Adds rows of `bytes` bytes; closes the row group when it holds about `row_group` encoded bytes. What the writer says of
    /// itself leaves out much of what it holds, so that a row group also ends at four times as many bytes of rows.
    ///
    /// # Errors
    /// A type that Parquet cannot hold.
    pub fn write(&mut self, rows: &RecordBatch, bytes: usize, row_group: usize) -> Result<(), EncodeError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let properties = properties(self.codec, rows);
                none.insert(ArrowWriter::try_new(Blocks::default(), self.schema.clone(), Some(properties))?)
            }
        };
        writer.write(rows)?;
        self.held += bytes;
        if writer.in_progress_size() >= row_group || self.held >= 4 * row_group {
            writer.flush()?;
            self.held = 0;
        }
        Ok(())
    }

    /// The encoded bytes so far: those that were taken, and about what is held.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.writer.as_ref().map_or(0, |w| (w.bytes_written() + w.in_progress_size()) as u64)
    }

    /// Whether a block is ready to be staged.
    #[must_use]
    pub fn has_block(&self) -> bool {
        self.writer.as_ref().is_some_and(|w| !w.inner().full.is_empty())
    }

    /// Takes the blocks that are ready, each of [`BLOCK`] bytes.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.writer.as_mut().map(|w| mem::take(&mut w.inner_mut().full)).unwrap_or_default()
    }

    /// Ends the file, whose last row has offset `last`; the rest of its blocks.
    ///
    /// # Errors
    /// None that a written row has not given before.
    pub fn finish(mut self, last: i64) -> Result<Vec<Bytes>, EncodeError> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => ArrowWriter::try_new(Blocks::default(), self.schema.clone(), None)?,
        };
        for fact in self.facts {
            writer.append_key_value_metadata(fact);
        }
        writer.append_key_value_metadata(KeyValue::new(footer::LAST.to_owned(), last.to_string()));
        let Blocks { mut full, last } = writer.into_inner()?;
        full.push(last.into());
        Ok(full)
    }
}

/// The bytes of a block that is staged; the last one of a file is smaller.
pub const BLOCK: usize = 4 << 20;

/// What the writer has written, cut into blocks: a growing buffer would be copied, and be twice as large as what it holds.
#[derive(Debug, Default)]
struct Blocks {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl io::Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.capacity() == 0 && !self.full.is_empty() {
            self.last.reserve_exact(BLOCK);
        }
        let taken = bytes.len().min(BLOCK - self.last.len());
        self.last.extend_from_slice(&bytes[..taken]);
        if self.last.len() == BLOCK {
            self.full.push(mem::take(&mut self.last).into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<ParquetError> for EncodeError {
    fn from(error: ParquetError) -> Self {
        Self(error.to_string())
    }
}

/// Rows could not be written as Parquet.
#[derive(Debug, thiserror::Error)]
#[error("the rows cannot be written as parquet: {0}")]
pub struct EncodeError(String);

/// The rows that are looked at to decide on dictionaries, at most.
const SAMPLE: usize = 4096;

fn properties(codec: Codec, first: &RecordBatch) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("landfall version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(codec.compression)
        .set_max_row_group_row_count(None);
    for (column, field) in first.columns().iter().zip(first.schema_ref().fields()) {
        if mostly_distinct(&column.slice(0, column.len().min(SAMPLE))) {
            let path = ColumnPath::from(field.name().as_str());
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    properties.build()
}

/// Whether more than half of the values differ, so that a dictionary would cost more than it saves. Too few values say nothing.
fn mostly_distinct(column: &dyn Array) -> bool {
    let valid = column.len() - column.null_count();
    let distinct = match column.data_type() {
        _ if valid < 64 => 0,
        DataType::Utf8 => distinct(column.as_string::<i32>().iter()),
        DataType::Binary => distinct(column.as_binary::<i32>().iter()),
        DataType::Int32 => primitives::<Int32Type>(column),
        DataType::Int64 => primitives::<Int64Type>(column),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitives::<TimestampMillisecondType>(column),
        DataType::Float64 => distinct(column.as_primitive::<Float64Type>().iter().map(|v| v.map(f64::to_bits))),
        _ => 0,
    };
    distinct * 2 > valid
}

fn primitives<T: ArrowPrimitiveType<Native: Hash + Eq>>(column: &dyn Array) -> usize {
    distinct(column.as_primitive::<T>().iter())
}

fn distinct<V: Hash + Eq>(values: impl Iterator<Item = Option<V>>) -> usize {
    values.flatten().collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    fn rows(from: i64, n: i64) -> RecordBatch {
        let id: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + n));
        let name: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + n).map(|i| format!("name {}", i % 3))));
        RecordBatch::try_from_iter([("id", id), ("name", name)]).expect("columns")
    }

    fn whole(codec: &str, row_group: usize) -> Bytes {
        let codec = Codec::named(codec).expect("codec");
        let mut encoder = Encoder::new(rows(0, 1).schema(), codec, "t", 3, 0);
        let mut file: Vec<Bytes> = Vec::new();
        for batch in 0..10 {
            encoder.write(&rows(batch * 1000, 1000), 1000, row_group).expect("write");
            file.extend(encoder.take());
        }
        file.extend(encoder.finish(9999).expect("finish"));
        file.concat().into()
    }

    #[test]
    fn a_file_taken_in_pieces_is_whole_in_every_codec() {
        for codec in ["none", "snappy", "gzip", "zstd", "lz4", "lz4_raw", "brotli"] {
            let reader = ParquetRecordBatchReaderBuilder::try_new(whole(codec, 1)).expect("a footer");
            assert_eq!(reader.metadata().num_row_groups(), 10, "{codec}");
            let facts = reader.metadata().file_metadata().key_value_metadata().expect("facts");
            let fact = |key: &str| facts.iter().find(|f| f.key == key).and_then(|f| f.value.clone());
            assert_eq!((fact(footer::FIRST).as_deref(), fact(footer::LAST).as_deref()), (Some("0"), Some("9999")));
            let read: Vec<_> = reader.build().expect("reader").map(|b| b.expect("rows")).collect();
            assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 10_000);
            assert_eq!(read[0].slice(0, 5), rows(0, 5));
        }
        assert!(Codec::named("lzo").is_err());
    }

    #[test]
    fn blocks_are_of_one_size_but_for_the_last() {
        let mut blocks = Blocks::default();
        let bytes: Vec<u8> = (0..BLOCK * 5 / 2).map(|i| (i % 251) as u8).collect();
        for part in bytes.chunks(1_000_003) {
            io::Write::write_all(&mut blocks, part).expect("it takes all");
        }
        assert_eq!(blocks.full.iter().map(Bytes::len).collect::<Vec<_>>(), [BLOCK, BLOCK]);
        assert_eq!([blocks.full.concat(), blocks.last].concat(), bytes);
    }

    #[test]
    fn distinct_values_get_no_dictionary() {
        let reader = ParquetRecordBatchReaderBuilder::try_new(whole("snappy", 1 << 20)).expect("a footer");
        let group = reader.metadata().row_group(0);
        assert_eq!(group.column(0).dictionary_page_offset(), None);
        assert!(group.column(1).dictionary_page_offset().is_some());
    }
}
