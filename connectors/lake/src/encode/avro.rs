//! Rows as Avro's object container files.

use arrow_array::RecordBatch;
use arrow_schema::{Field, SchemaRef};
use bytes::Bytes;
use landfall_api::RecordError;

use super::{Compression, EncodeError, Encoder, Facts};

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

/// A file being written.
#[derive(Debug)]
pub struct Avro;

impl Avro {
    /// A file of `schema` with the records that `facts` say.
    #[must_use]
    pub fn new(_: SchemaRef, _: &Options, _: &Facts) -> Self {
        Self
    }
}

pub(super) fn check(_: &Options, _: &Field) -> Result<(), RecordError> {
    Ok(())
}

impl Encoder for Avro {
    fn write(&mut self, _: &RecordBatch, _: usize, _: usize) -> Result<(), EncodeError> {
        Err(EncodeError { format: "avro", why: "not yet".into() })
    }
    fn size(&self) -> u64 {
        0
    }
    fn has_block(&self) -> bool {
        false
    }
    fn take(&mut self) -> Vec<Bytes> {
        Vec::new()
    }
    fn finish(self: Box<Self>, _: i64) -> Result<Vec<Bytes>, EncodeError> {
        Ok(Vec::new())
    }
}
