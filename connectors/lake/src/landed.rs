//! What a visible file says of itself: which records it holds, and their schema.

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema};
use bytes::Bytes;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::columns;
use crate::encode::avro;
use crate::storage::{Object, Storage, StorageError};

/// The keys of the metadata that a store keeps with a file.
pub mod facts {
    /// The commit that the file is of: `<incarnation>.<epoch>.<seq>`.
    pub const COMMIT: &str = "landfall_commit";
    /// The offset of the first row.
    pub const FIRST: &str = "landfall_first";
    /// The offset of the last row.
    pub const LAST: &str = "landfall_last";
    /// The number of rows.
    pub const ROWS: &str = "landfall_rows";
    /// The source topic's id, if it was known.
    pub const TOPIC_ID: &str = "landfall_topic_id";
}

/// The value field that the file at `path` was made from; None if there is no such file or it is not to be read.
///
/// # Errors
/// The store's.
pub async fn learned(storage: &dyn Storage, path: &str) -> Result<Option<FieldRef>, StorageError> {
    let Some(object) = storage.head(path).await? else { return Ok(None) };
    match value_of(storage, &object).await {
        // Downstream may have moved it away since.
        Err(_) if storage.head(path).await?.is_none() => Ok(None),
        value => value,
    }
}

/// The value field that a file says it was made from.
async fn value_of(storage: &dyn Storage, file: &Object) -> Result<Option<FieldRef>, StorageError> {
    if file.path.ends_with(".avro") {
        return Ok(avro_schema(storage, file).await?.map(|schema| columns::value_field(&schema)));
    }
    let Ok(footer) = footer_of(storage, file).await? else { return Ok(None) };
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata());
    Ok(schema.ok().map(|schema| columns::value_field(&Arc::new(schema))))
}

/// The schema of the rows of a file of Avro, read from its beginning: usually in one call.
async fn avro_schema(storage: &dyn Storage, object: &Object) -> Result<Option<Schema>, StorageError> {
    let mut head = 64 << 10;
    loop {
        let end = object.size.min(head);
        match avro::rows_of(&storage.read(&object.path, 0..end).await?) {
            Ok(schema) => return Ok(Some(schema)),
            Err(None) if end < object.size => head *= 4,
            Err(_) => return Ok(None),
        }
    }
}

/// The footer, read from the file's end: usually in one call.
///
/// # Errors
/// The store's; inside, what is wrong with a file that is not Parquet.
pub async fn footer_of(storage: &dyn Storage, object: &Object) -> Result<Result<ParquetMetaData, ParquetError>, StorageError> {
    let mut tail = 64 << 10;
    loop {
        let from = object.size.saturating_sub(tail);
        let bytes: Bytes = storage.read(&object.path, from..object.size).await?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&bytes, object.size) {
            Ok(()) => return Ok(reader.finish()),
            Err(ParquetError::NeedMoreData(more)) if from > 0 => tail = (more as u64).max(tail * 2),
            Err(error) => return Ok(Err(error)),
        }
    }
}
