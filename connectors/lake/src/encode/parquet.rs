//! Rows as a Parquet file.

mod dictionary;
mod schema;

use std::mem;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, Type, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;

use super::{Blocks, EncodeError, Encoder, Facts, Holds};

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
    /// What tells the file from every other: `<incarnation>.<epoch>.<nonce>`.
    pub const FILE: &str = "landfall.file";
}

/// How files are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What compresses pages.
    pub codec: Codec,
    /// The encoded bytes that end a row group, where memory allows so many.
    pub row_group_bytes: usize,
    /// The rows that end a row group; None for any number.
    pub row_group_rows: Option<usize>,
    /// The encoded bytes of a page, about.
    pub page_bytes: usize,
    /// What is known of the values of a column.
    pub statistics: Statistics,
    /// Whether integers without a dictionary are written as differences.
    pub delta_integers: bool,
    /// The columns with a bloom filter, by their path: names with points between them.
    pub bloom_columns: Vec<String>,
    /// How often a bloom filter may say that there is a value that is not there: more than 0, less than 1.
    pub bloom_fpp: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            codec: Codec { compression: Compression::UNCOMPRESSED, extension: ".parquet" },
            row_group_bytes: super::PART,
            row_group_rows: None,
            page_bytes: 1 << 20,
            statistics: Statistics::Page,
            delta_integers: false,
            bloom_columns: Vec::new(),
            bloom_fpp: 0.05,
        }
    }
}

impl From<Codec> for Options {
    fn from(codec: Codec) -> Self {
        Self { codec, ..Self::default() }
    }
}

/// For what the least, the greatest and the number of nulls are known (`landfall.parquet.statistics`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Nothing.
    None,
    /// A column of a row group.
    Chunk,
    /// Also each page of it: the page index, by which readers skip pages.
    Page,
}

impl Statistics {
    /// What `landfall.parquet.statistics=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "none" => Ok(Self::None),
            "chunk" => Ok(Self::Chunk),
            "page" => Ok(Self::Page),
            _ => Err("String must be one of: none, chunk, page".into()),
        }
    }
}

/// A page compression, by its name in `parquet.codec`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codec {
    compression: Compression,
    extension: &'static str,
}

impl Codec {
    /// The codec that `parquet.codec=<name>` means, with the library's own level. File extensions are those of parquet-java's
    /// `CompressionCodecName`.
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
            "lzo" => return Err("lzo is not supported, and few readers have it: take snappy, zstd or lz4_raw".into()),
            _ => return Err("String must be one of: none, uncompressed, snappy, gzip, zstd, lz4, lz4_raw, brotli".into()),
        };
        Ok(Self { compression, extension })
    }

    /// The codec at `level`.
    ///
    /// # Errors
    /// It has no levels, or not this one.
    pub fn at(self, level: i32) -> Result<Self, String> {
        let unsigned = || u32::try_from(level).unwrap_or(u32::MAX);
        let (compression, levels) = match self.compression {
            Compression::GZIP(_) => (GzipLevel::try_new(unsigned()).map(Compression::GZIP), "gzip has levels from 0 to 9"),
            Compression::ZSTD(_) => (ZstdLevel::try_new(level).map(Compression::ZSTD), "zstd has levels from 1 to 22"),
            Compression::BROTLI(_) => {
                (BrotliLevel::try_new(unsigned()).map(Compression::BROTLI), "brotli has levels from 0 to 11")
            }
            _ => return Err("only gzip, zstd and brotli have levels".into()),
        };
        compression.map(|compression| Self { compression, ..self }).map_err(|_| levels.into())
    }

    /// How files of this codec end.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        self.extension
    }
}

/// The rows of a row group are held until there are this many. The first ones show which columns are worth a dictionary; and a file
/// that waits for rows is small: a row group that is begun takes some hundred kilobytes.
const HELD_ROWS: usize = 4096;
/// The rows of a row group are held up to this many bytes.
const HELD_BYTES: usize = 512 << 10;
/// As many batches of a size are held; then they are made one, as each has buffers of its own for every column.
const HELD_BATCHES: usize = 8;
/// What a batch takes for each column besides its values, in bytes.
pub(crate) const BATCH_COLUMN: usize = 192;
/// What the writer keeps for each column until the file ends, in bytes, and for each column of each row group.
const KEPT_COLUMN: usize = 512;
const KEPT_CHUNK: usize = 1 << 10;

/// `rows` of `bytes` bytes, to be kept for a while: copied if they would keep far more than that, as the rest of a large fetch does.
pub(crate) fn of_their_own(rows: &RecordBatch, bytes: usize) -> Result<RecordBatch, ArrowError> {
    let kept: usize = rows.columns().iter().map(|column| column.get_buffer_memory_size()).sum();
    if kept <= 2 * bytes + rows.num_columns() * BATCH_COLUMN {
        return Ok(rows.clone());
    }
    // one batch alone would not be copied
    concat_batches(rows.schema_ref(), [rows, &rows.slice(0, 0)])
}

/// A Parquet file being written. Row groups are closed by bytes, so that what is held does not grow with the file: a bloom filter is
/// written with its row group; of the page index some hundred bytes a page of each column stay, which is little beside the pages.
#[derive(Debug)]
pub struct Parquet {
    schema: SchemaRef,
    options: Options,
    writer: Option<ArrowWriter<Blocks>>,
    /// Whether the writer has begun a row group.
    begun: bool,
    /// The rows of a row group that is not begun.
    held: Vec<Held>,
    held_rows: usize,
    /// The bytes of the rows in the row group, and of those that are held.
    bytes: usize,
    /// The bytes of the rows in row groups that have ended.
    ended: usize,
    facts: Vec<KeyValue>,
}

/// Rows that are held.
#[derive(Debug)]
struct Held {
    rows: RecordBatch,
    /// How often rows were made one for it.
    level: u8,
}

impl Parquet {
    /// A file of `schema` with the records that `facts` say.
    #[must_use]
    pub fn new(schema: SchemaRef, options: &Options, facts: &Facts) -> Self {
        let facts = facts.known().into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
        let options = options.clone();
        Self { schema, options, writer: None, begun: false, held: Vec::new(), held_rows: 0, bytes: 0, ended: 0, facts }
    }

    fn copied<'a>(&self, rows: impl IntoIterator<Item = &'a RecordBatch>) -> Result<RecordBatch, EncodeError> {
        concat_batches(&self.schema, rows).map_err(|e| failed(e.to_string()))
    }

    /// Holds rows of `bytes` bytes until a row group begins.
    fn hold(&mut self, rows: &RecordBatch, bytes: usize) -> Result<(), EncodeError> {
        let own = of_their_own(rows, bytes)?;
        self.held.push(Held { rows: own, level: 0 });
        self.held_rows += rows.num_rows();
        while let Some(last) = self.held.last()
            && let level = last.level
            && let begin = self.held.len().saturating_sub(HELD_BATCHES)
            && self.held.len() >= HELD_BATCHES
            && self.held[begin..].iter().all(|held| held.level == level)
        {
            let rows = self.copied(self.held[begin..].iter().map(|held| &held.rows))?;
            self.held.truncate(begin);
            self.held.push(Held { rows, level: level + 1 });
        }
        Ok(())
    }

    /// The writer; where it has not begun a row group, with the rows that were held for one: all that the file has, or more are to come.
    fn writer(&mut self, all: bool) -> Result<&mut ArrowWriter<Blocks>, EncodeError> {
        let held: Vec<_> = mem::take(&mut self.held).into_iter().map(|held| held.rows).collect();
        self.held_rows = 0;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let columns = schema::of(&self.schema)?;
                let properties = properties(&self.options, &columns, &held, all);
                let options = ArrowWriterOptions::new().with_properties(properties).with_parquet_schema(columns);
                none.insert(ArrowWriter::try_new_with_options(Blocks::default(), self.schema.clone(), options)?)
            }
        };
        self.begun |= !held.is_empty();
        for rows in held {
            writer.write(&rows)?;
        }
        Ok(writer)
    }

    /// Ends the row group, and makes a block of what there is if that is `limit` bytes.
    fn end_row_group(&mut self, limit: usize) -> Result<(), EncodeError> {
        let writer = self.writer(false)?;
        writer.flush()?;
        writer.inner_mut().cut(limit);
        self.ended += mem::take(&mut self.bytes);
        self.begun = false;
        Ok(())
    }
}

fn properties(options: &Options, schema: &SchemaDescriptor, rows: &[RecordBatch], all: bool) -> WriterProperties {
    let (statistics, index) = match options.statistics {
        Statistics::None => (EnabledStatistics::None, false),
        Statistics::Chunk => (EnabledStatistics::Chunk, false),
        Statistics::Page => (EnabledStatistics::Page, true),
    };
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("landfall version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(options.codec.compression)
        .set_max_row_group_row_count(options.row_group_rows)
        .set_data_page_size_limit(options.page_bytes)
        .set_statistics_enabled(statistics)
        .set_offset_index_disabled(!index);
    for (leaf, worth) in schema.columns().iter().zip(dictionary::worth(rows, all)) {
        let path = leaf.path();
        properties = properties.set_column_dictionary_enabled(path.clone(), worth);
        if options.delta_integers && matches!(leaf.physical_type(), Type::INT32 | Type::INT64) {
            // also what comes after a dictionary that was given up
            properties = properties.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        if options.bloom_columns.contains(&path.string()) {
            properties = properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), options.bloom_fpp);
            if let Some(rows) = options.row_group_rows {
                properties = properties.set_column_bloom_filter_max_ndv(path.clone(), rows as u64);
            }
        }
    }
    properties.build()
}

impl Encoder for Parquet {
    /// What the writer says of itself leaves out much of what it holds, so that a row group ends at `limit` encoded bytes or at four
    /// times as many bytes of rows.
    fn write(&mut self, rows: &RecordBatch, bytes: usize, limit: usize) -> Result<(), EncodeError> {
        let limit = limit.min(self.options.row_group_bytes);
        self.bytes += bytes;
        match &mut self.writer {
            Some(writer) if self.begun => writer.write(rows)?,
            _ if self.held_rows + rows.num_rows() < HELD_ROWS && self.bytes < HELD_BYTES.min(limit) => {
                return self.hold(rows, bytes);
            }
            _ => {
                self.held.push(Held { rows: rows.clone(), level: 0 });
                self.writer(false)?;
            }
        }
        let encoded = self.writer.as_ref().map_or(0, ArrowWriter::in_progress_size);
        if encoded >= limit || self.bytes >= limit.saturating_mul(4) { self.end_row_group(limit) } else { Ok(()) }
    }

    /// Rows that are held count as they are, or as those did that are written.
    fn size(&self) -> u64 {
        let Some(writer) = &self.writer else { return self.bytes as u64 };
        let written = writer.inner().size;
        let rest = match self.begun {
            true => writer.in_progress_size(),
            false => (self.bytes as u128 * written as u128 / self.ended.max(1) as u128) as usize,
        };
        (written + rest) as u64
    }

    fn has_block(&self) -> bool {
        self.writer.as_ref().is_some_and(|w| !w.inner().full.is_empty())
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.writer.as_mut().map(|w| w.inner_mut().take()).unwrap_or_default()
    }

    /// The writer says a third of what it holds of a row group: with few rows its buffers are more than they, with many the bytes of
    /// the rows are nearer.
    fn holds(&self) -> Holds {
        let columns = self.schema.fields().len();
        let held = self.held.len() * columns * BATCH_COLUMN;
        let Some(writer) = &self.writer else { return Holds { gives: self.bytes + held, keeps: 0 } };
        let rows = if self.begun { self.bytes.max(3 * writer.memory_size()) } else { self.bytes + held };
        let kept = KEPT_COLUMN + writer.flushed_row_groups().len() * KEPT_CHUNK;
        Holds { gives: rows + writer.inner().held(), keeps: columns * kept }
    }

    fn hand_over(&mut self) -> Result<(), EncodeError> {
        let has_rows = self.begun || !self.held.is_empty();
        if has_rows {
            self.end_row_group(1)?;
        } else if let Some(writer) = &mut self.writer {
            writer.inner_mut().cut(1);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, last: i64) -> Result<Vec<Bytes>, EncodeError> {
        self.writer(true)?;
        let Some(mut writer) = self.writer else { return Ok(Vec::new()) };
        for fact in self.facts {
            writer.append_key_value_metadata(fact);
        }
        writer.append_key_value_metadata(KeyValue::new(footer::LAST.to_owned(), last.to_string()));
        Ok(writer.into_inner()?.finish())
    }
}

fn failed(why: String) -> EncodeError {
    EncodeError { format: "parquet", why }
}

impl From<ParquetError> for EncodeError {
    fn from(error: ParquetError) -> Self {
        failed(error.to_string())
    }
}

#[cfg(test)]
mod tests;
