//! Rows as a Parquet file.

mod dictionary;
mod schema;

use std::mem;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use bytes::Bytes;

use super::{Blocks, EncodeError, Encoder, Facts};

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

/// The first rows are held until there are this many, for their columns to show which of them are worth a dictionary. A file that
/// waits for rows is then also small: a writer takes some hundred kilobytes.
const HELD_ROWS: usize = 4096;
/// The first rows are held up to this many bytes.
const HELD_BYTES: usize = 512 << 10;
/// As many batches are held; then they are made one, as each has buffers of its own for every column.
const HELD_BATCHES: usize = 64;

/// A Parquet file being written. Row groups are closed by bytes, so that what is held does not grow with the file: a bloom filter is
/// written with its row group; of the page index some hundred bytes a page of each column stay, which is little beside the pages.
#[derive(Debug)]
pub struct Parquet {
    schema: SchemaRef,
    options: Options,
    writer: Option<ArrowWriter<Blocks>>,
    /// The rows before there is a writer.
    held: Vec<RecordBatch>,
    held_rows: usize,
    /// The bytes of the rows in the row group, and of those that are held.
    bytes: usize,
    facts: Vec<KeyValue>,
}

impl Parquet {
    /// A file of `schema` with the records that `facts` say.
    #[must_use]
    pub fn new(schema: SchemaRef, options: &Options, facts: &Facts) -> Self {
        let facts = facts.known().into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
        Self { schema, options: options.clone(), writer: None, held: Vec::new(), held_rows: 0, bytes: 0, facts }
    }

    /// Holds rows until there is a writer: by themselves if they would keep more than `most` bytes, as the rest of a large fetch does.
    fn hold(&mut self, rows: &RecordBatch, most: usize) -> Result<(), EncodeError> {
        let copied = |rows: &[RecordBatch]| concat_batches(&self.schema, rows).map_err(|e| failed(e.to_string()));
        let kept: usize = rows.columns().iter().map(|column| column.get_buffer_memory_size()).sum();
        // one batch alone would not be copied
        self.held.push(if kept > most { copied(&[rows.clone(), rows.slice(0, 0)])? } else { rows.clone() });
        self.held_rows += rows.num_rows();
        if self.held.len() >= HELD_BATCHES {
            self.held = vec![copied(&self.held)?];
        }
        Ok(())
    }

    /// The writer, with the rows that were held for it: all that there are, or the beginning of more.
    fn writer(&mut self, all: bool) -> Result<&mut ArrowWriter<Blocks>, EncodeError> {
        Ok(match &mut self.writer {
            Some(writer) => writer,
            none => {
                let columns = schema::of(&self.schema)?;
                let properties = properties(&self.options, &columns, &self.held, all);
                let options = ArrowWriterOptions::new().with_properties(properties).with_parquet_schema(columns);
                let writer = ArrowWriter::try_new_with_options(Blocks::default(), self.schema.clone(), options)?;
                let writer = none.insert(writer);
                for rows in mem::take(&mut self.held) {
                    writer.write(&rows)?;
                }
                writer
            }
        })
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
            Some(writer) => writer.write(rows)?,
            None => {
                let most = HELD_BYTES.min(limit);
                if self.held_rows + rows.num_rows() < HELD_ROWS && self.bytes < most {
                    return self.hold(rows, most);
                }
                self.hold(rows, usize::MAX)?;
            }
        }
        let too_many = self.bytes >= limit.saturating_mul(4);
        let writer = self.writer(false)?;
        if too_many || writer.in_progress_size() >= limit {
            writer.flush()?;
            writer.inner_mut().cut(limit);
            self.bytes = 0;
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.writer.as_ref().map_or(self.bytes, |writer| writer.inner().size + writer.in_progress_size()) as u64
    }

    fn has_block(&self) -> bool {
        self.writer.as_ref().is_some_and(|w| !w.inner().full.is_empty())
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.writer.as_mut().map(|w| w.inner_mut().take()).unwrap_or_default()
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
