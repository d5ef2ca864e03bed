//! Rows as Avro's object container files: as Confluent's `AvroFormat` writes them (`AvroRecordWriterProvider` of
//! kafka-connect-storage-cloud 12.1), and Aiven's and Lenses' sinks.
//!
//! A file's schema is what `AvroData` makes of the Connect schema of its rows; values without one have the schema that was learned of
//! them. Which records a file holds is in its header, under the keys that Parquet files have in their footers, but for the last offset;
//! and so is the Arrow schema of its rows.

mod schema;
mod value;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;

use arrow_array::{Array, RecordBatch, StructArray};
use arrow_ipc::convert::try_schema_from_ipc_buffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::write::DeflateEncoder;
use landfall_api::RecordError;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};

use super::compress::Stream;
use super::{Compression, EncodeError, Encoder, Facts, Holds};
use schema::Type;
use value::Column;

/// How files are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What compresses the blocks of records (`avro.codec`).
    pub codec: Codec,
    /// `enhanced.avro.schema.support`.
    pub enhanced: bool,
    /// `connect.meta.data`.
    pub meta_data: bool,
    /// How files are compressed as a whole, as Aiven's sinks do.
    pub compression: Compression,
}

impl Default for Options {
    fn default() -> Self {
        Self { codec: Codec::Null, enhanced: true, meta_data: true, compression: Compression::None }
    }
}

/// What compresses the blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Nothing.
    Null,
    /// Deflate, at this level.
    Deflate(u32),
    /// Snappy.
    Snappy,
    /// bzip2.
    Bzip2,
    /// Zstandard, at this level.
    Zstandard(i32),
}

impl Codec {
    /// The codec that `avro.codec=<name>` means, at the level that Java's library takes for it.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "null" => Ok(Self::Null),
            "deflate" => Ok(Self::Deflate(6)),
            "snappy" => Ok(Self::Snappy),
            "bzip2" => Ok(Self::Bzip2),
            "zstandard" => Ok(Self::Zstandard(3)),
            _ => Err("String must be one of: null, deflate, snappy, bzip2, zstandard".into()),
        }
    }
}

/// The bytes of records before they are compressed that make a block: as many as in Java's `DataFileWriter`.
const BLOCK: usize = 64_000;

/// A file being written.
#[derive(Debug)]
pub struct Avro {
    /// The type of rows; or why there is none.
    data_type: Result<Type, String>,
    codec: Codec,
    sync: [u8; 16],
    /// The records that are in no block yet.
    records: Vec<u8>,
    count: i64,
    stream: Stream,
}

impl Avro {
    /// A file of `schema` with the records that `facts` say.
    #[must_use]
    pub fn new(schema: &SchemaRef, options: &Options, facts: &Facts) -> Self {
        let data_type = schema::of_file(schema, options).map_err(|error| error.to_string());
        let sync = marker(facts);
        let mut stream = Stream::new(options.compression);
        if let Ok(data_type) = &data_type {
            let text = schema::text(data_type);
            let mut says = vec![("avro.schema", text), ("avro.codec", options.codec.name().to_owned())];
            says.extend(facts.known());
            says.push((ARROW_SCHEMA_META_KEY, encode_arrow_schema(schema)));
            let out = &mut stream.pending;
            out.extend_from_slice(b"Obj\x01");
            value::long(says.len() as i64, out);
            for (key, said) in says {
                value::bytes(key.as_bytes(), out);
                value::bytes(said.as_bytes(), out);
            }
            out.push(0);
            out.extend_from_slice(&sync);
        }
        Self { data_type, codec: options.codec, sync, records: Vec::new(), count: 0, stream }
    }

    /// Makes a block of the records.
    fn end_block(&mut self) -> Result<(), EncodeError> {
        if self.count == 0 {
            return Ok(());
        }
        let out = &mut self.stream.pending;
        value::long(self.count, out);
        match self.codec.compress(&self.records)? {
            Some(compressed) => value::bytes(&compressed, out),
            None => value::bytes(&self.records, out),
        }
        out.extend_from_slice(&self.sync);
        self.records.clear();
        // A long record need not keep its memory.
        self.records.shrink_to(2 * BLOCK);
        self.count = 0;
        self.stream.flush_much()
    }

    fn add(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        let data_type = std::mem::replace(&mut self.data_type, Err(String::new()));
        let added = data_type.as_ref().map_err(|why| failed(why.clone())).and_then(|data_type| {
            let whole = StructArray::from(rows.clone());
            let schema = rows.schema_ref();
            let root = Field::new("", DataType::Struct(schema.fields().clone()), false);
            let (array, field): (&dyn Array, &Field) = match &data_type.node.kind {
                schema::Kind::Record(..) if !schema::is_alone(schema) => (&whole, &root),
                _ => (rows.column(0), schema.field(0)),
            };
            let column = Column::of(data_type, array, field).map_err(failed)?;
            for row in 0..rows.num_rows() {
                column.write(row, &mut self.records).map_err(failed)?;
                self.count += 1;
                if self.records.len() >= BLOCK {
                    self.end_block()?;
                }
            }
            Ok(())
        });
        self.data_type = data_type;
        added
    }
}

/// The schema of the rows of the file that begins with `head`.
///
/// # Errors
/// None inside: more of the file is needed. Else why there is none.
pub(crate) fn rows_of(head: &[u8]) -> Result<Schema, Option<String>> {
    let mut rest = head;
    if take(&mut rest, 4)? != b"Obj\x01" {
        return Err(Some("it is no Avro file".into()));
    }
    loop {
        let entries = value::read_long(&mut rest).ok_or(None)?;
        if entries == 0 {
            return Err(Some("its header has no Arrow schema".into()));
        }
        if entries < 0 {
            value::read_long(&mut rest).ok_or(None)?;
        }
        for _ in 0..entries.unsigned_abs() {
            let [key, said] = [read_bytes(&mut rest)?, read_bytes(&mut rest)?];
            if key == ARROW_SCHEMA_META_KEY.as_bytes() {
                let bytes = STANDARD.decode(said).map_err(|e| Some(e.to_string()))?;
                return try_schema_from_ipc_buffer(&bytes).map_err(|e| Some(e.to_string()));
            }
        }
    }
}

fn read_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Option<String>> {
    let length = value::read_long(rest).ok_or(None)?;
    take(rest, usize::try_from(length).map_err(|e| Some(e.to_string()))?)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Option<String>> {
    let (taken, behind) = rest.split_at_checked(length).ok_or(None)?;
    *rest = behind;
    Ok(taken)
}

/// What stands behind each block: for each file another one.
fn marker(facts: &Facts) -> [u8; 16] {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &facts.origin, facts.topic, facts.first, &facts.id).hash(&mut hasher);
        hasher.finish().to_le_bytes()
    };
    let mut marker = [0; 16];
    marker[..8].copy_from_slice(&half(0));
    marker[8..].copy_from_slice(&half(1));
    marker
}

/// Whether files can hold values of `value`, and keys of `key` where they have a place for them.
pub(super) fn check(options: &Options, value: &Field, key: Option<&Field>) -> Result<(), RecordError> {
    [Some(value), key].into_iter().flatten().try_for_each(|field| schema::check(field, options))
}

impl Encoder for Avro {
    fn write(&mut self, rows: &RecordBatch, _: usize, limit: usize) -> Result<(), EncodeError> {
        self.add(rows)?;
        self.stream.cut(limit);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.stream.size() + self.records.len() as u64
    }

    fn has_block(&self) -> bool {
        self.stream.has_block()
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.stream.take()
    }

    fn holds(&self) -> Holds {
        let holds = self.stream.holds();
        Holds { gives: holds.gives + self.records.capacity(), ..holds }
    }

    fn hand_over(&mut self) -> Result<(), EncodeError> {
        self.end_block()?;
        self.records = Vec::new();
        self.stream.hand_over()
    }

    fn finish(mut self: Box<Self>, _: i64) -> Result<Vec<Bytes>, EncodeError> {
        self.end_block()?;
        self.stream.finish()
    }
}

impl Codec {
    /// Its name in files.
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate(_) => "deflate",
            Self::Snappy => "snappy",
            Self::Bzip2 => "bzip2",
            Self::Zstandard(_) => "zstandard",
        }
    }

    /// The bytes compressed; None if they are to stay as they are.
    fn compress(self, bytes: &[u8]) -> Result<Option<Vec<u8>>, EncodeError> {
        Ok(match self {
            Self::Null => None,
            Self::Deflate(level) => {
                let mut deflate = DeflateEncoder::new(Vec::new(), flate2::Compression::new(level));
                deflate.write_all(bytes)?;
                Some(deflate.finish()?)
            }
            Self::Snappy => {
                let mut compressed = snap::raw::Encoder::new().compress_vec(bytes).map_err(|e| failed(e.to_string()))?;
                let mut sum = flate2::Crc::new();
                sum.update(bytes);
                compressed.extend_from_slice(&sum.sum().to_be_bytes());
                Some(compressed)
            }
            Self::Bzip2 => {
                let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
                bzip2.write_all(bytes)?;
                Some(bzip2.finish()?)
            }
            Self::Zstandard(level) => Some(zstd::encode_all(bytes, level)?),
        })
    }
}

fn failed(why: impl Into<String>) -> EncodeError {
    EncodeError { format: "avro", why: why.into() }
}

#[cfg(test)]
mod tests;
