//! The beginnings of landed files, for people to look at: the first rows of Parquet, the first lines of text.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use bytes::{Buf as _, Bytes};
use landfall_api::{Preview, PreviewColumn, Previews};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use crate::landed::footer_of;
use crate::storage::{Object, Storage, StorageError};

/// The rows that are shown.
const ROWS: usize = 50;
/// The columns of which values are shown.
const COLUMNS: usize = 100;
/// The longest value that is shown, in characters.
const LONGEST: usize = 200;
/// The bytes that values take together.
const SHOWN: usize = 96 << 10;
/// The bytes of a text that are shown.
const TEXT: u64 = 16 << 10;
/// The bytes that are read of a file, at most, besides its footer.
const READ: u64 = 8 << 20;
/// What is asked for at a time: the first time, and at most.
const BLOCK: (usize, usize) = (16 << 10, 1 << 20);

/// Reads the files of a task for as long as the task has its store.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) storage: Weak<dyn Storage>,
    pub(crate) runtime: Handle,
}

impl Previews for Files {
    fn preview(&self, path: &str) -> Result<Preview, String> {
        let storage = self.storage.upgrade().ok_or("the task has ended, and its store is closed")?;
        let object = self.runtime.block_on(storage.head(path)).map_err(|e| e.to_string())?;
        let object = object.ok_or("the file is no longer there: something has moved it away")?;
        let file = Remote { storage, object, runtime: self.runtime.clone(), left: AtomicU64::new(READ).into() };
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.ends_with(".parquet") {
            parquet(file)
        } else if [".json", ".jsonl", ".csv", ".txt", ".xml", ".text"].iter().any(|end| name.ends_with(end)) {
            text(&file)
        } else {
            Err("only Parquet and text that is not compressed are shown".to_owned())
        }
    }
}

fn text(file: &Remote) -> Result<Preview, String> {
    let bytes = file.get(0, file.object.size.min(TEXT)).map_err(|e| e.to_string())?;
    let whole = bytes.len() as u64 == file.object.size;
    let note = (!whole).then(|| format!("the first {} of {} bytes", bytes.len(), file.object.size));
    Ok(Preview { text: Some(String::from_utf8_lossy(&bytes).into_owned()), note, ..Preview::default() })
}

fn parquet(file: Remote) -> Result<Preview, String> {
    let wrong = |e: ParquetError| e.to_string();
    let footer = file.runtime.block_on(footer_of(&*file.storage, &file.object)).map_err(|e| e.to_string())?.map_err(wrong)?;
    let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), ArrowReaderOptions::new()).map_err(wrong)?;
    let total = metadata.metadata().file_metadata().num_rows();
    let columns = columns(metadata.schema());
    let mut notes = Vec::new();
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(ROWS).with_limit(ROWS);
    let read = || -> Result<Vec<Vec<Option<String>>>, String> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for batch in builder.build().map_err(wrong)? {
            let batch = batch.map_err(|e| e.to_string())?;
            let cells: Vec<_> = batch.columns().iter().take(COLUMNS).map(Cells::of).collect();
            for row in 0..batch.num_rows() {
                let values: Vec<_> = cells.iter().map(|cells| cells.get(row)).collect();
                bytes += values.iter().flatten().map(String::len).sum::<usize>();
                if bytes > SHOWN {
                    return Ok(rows);
                }
                rows.push(values);
            }
        }
        Ok(rows)
    };
    let rows = read().unwrap_or_else(|why| {
        notes.push(format!("rows cannot be shown: {why}"));
        Vec::new()
    });
    if columns.len() > COLUMNS {
        notes.push(format!("values of the first {COLUMNS} of {} columns", columns.len()));
    }
    if !rows.is_empty() && i64::try_from(rows.len()).is_ok_and(|shown| shown < total) {
        notes.push(format!("the first {} of {total} rows", rows.len()));
    }
    Ok(Preview { columns, rows, note: (!notes.is_empty()).then(|| notes.join("; ")), text: None })
}

fn columns(schema: &Schema) -> Vec<PreviewColumn> {
    let column = |field: &FieldRef| PreviewColumn {
        name: field.name().clone(),
        kind: field.data_type().to_string(),
        nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}

/// The values of a column as text.
struct Cells(ArrayRef, Option<String>);

impl Cells {
    fn of(column: &ArrayRef) -> Self {
        // Names of zones are only known to what has a table of them; instants are the same in each.
        let column = arrow_cast::cast(column, &by_offset(column.data_type())).unwrap_or_else(|_| column.clone());
        let wrong = ArrayFormatter::try_new(&column, &FormatOptions::default()).err().map(|e| e.to_string());
        Self(column, wrong)
    }

    fn get(&self, row: usize) -> Option<String> {
        let Self(column, wrong) = self;
        if column.is_null(row) {
            return None;
        }
        if let Some(why) = wrong {
            return Some(format!("({why})"));
        }
        let formatter = ArrayFormatter::try_new(column, &FormatOptions::default()).ok()?;
        let text = formatter.value(row).to_string();
        Some(match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        })
    }
}

/// `kind` with instants at an offset instead of in a zone.
fn by_offset(kind: &DataType) -> DataType {
    let of = |field: &FieldRef| -> FieldRef { Arc::new(Field::clone(field).with_data_type(by_offset(field.data_type()))) };
    match kind {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(of).collect::<Fields>()),
        DataType::List(field) => DataType::List(of(field)),
        DataType::LargeList(field) => DataType::LargeList(of(field)),
        DataType::Map(field, sorted) => DataType::Map(of(field), *sorted),
        other => other.clone(),
    }
}

/// A file of a store that is read block by block, as little of it as is needed.
struct Remote {
    storage: Arc<dyn Storage>,
    object: Object,
    runtime: Handle,
    /// The bytes that may still be read.
    left: Arc<AtomicU64>,
}

impl Remote {
    fn get(&self, start: u64, length: u64) -> io::Result<Bytes> {
        let end = start.saturating_add(length).min(self.object.size);
        let take = |left: u64| left.checked_sub(end.saturating_sub(start));
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(io::Error::other(format!("more than {} MiB would have to be read", READ >> 20)));
        }
        let read = self.runtime.block_on(self.storage.read(&self.object.path, start..end));
        read.map_err(|e: StorageError| io::Error::other(e.to_string()))
    }
}

impl Length for Remote {
    fn len(&self) -> u64 {
        self.object.size
    }
}

impl ChunkReader for Remote {
    type T = Blocks;

    fn get_read(&self, start: u64) -> Result<Blocks, ParquetError> {
        let file = Self {
            storage: self.storage.clone(),
            object: self.object.clone(),
            runtime: self.runtime.clone(),
            left: self.left.clone(),
        };
        Ok(Blocks { file, at: start, block: Bytes::new(), next: BLOCK.0 })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.get(start, length as u64)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{} ends before {} bytes from {start} on", self.object.path, length)));
        }
        Ok(bytes)
    }
}

/// A file from one place on.
struct Blocks {
    file: Remote,
    at: u64,
    block: Bytes,
    /// How much is asked for next: more each time, as whoever goes on reading wants more.
    next: usize,
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() && self.at < self.file.object.size {
            self.block = self.file.get(self.at, self.next.max(out.len()) as u64)?;
            self.at += self.block.len() as u64;
            self.next = (self.next * 2).min(BLOCK.1);
        }
        let n = out.len().min(self.block.len());
        self.block.copy_to_slice(&mut out[..n]);
        Ok(n)
    }
}
