//! What the tests of the task share: tasks on a directory, batches for them, and what has landed of those.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, BinaryArray, Int64Array, RecordBatch, StructArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use bytes::Bytes;
use landfall_api::{Column, RawBatch, RecordError};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::runtime::Runtime;

use super::*;
use crate::commit::pointer::Pointer;
use crate::encode::Format;
use crate::encode::parquet::Codec;
use crate::partition::{ByField, ByPartition};
use crate::storage::local::LocalStorage;
use crate::storage::{StorageError, Version};
use crate::types::Types;
use store::{Asking, mixed};

mod clock;
mod commits;
mod exactly_once;
mod failing;
mod folders;
mod letters;
mod memory;
mod nulls;
mod opening;
mod owners;
mod rewinds;
mod rows;
mod schemas;
mod store;

/// How long a test waits for what has to come.
const WAIT: Duration = Duration::from_secs(20);

/// A directory and what runs tasks on it.
struct Bench {
    runtime: Runtime,
    root: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        Self { runtime, root: tempfile::tempdir().expect("a directory") }
    }

    fn store(&self) -> LocalStorage {
        LocalStorage::new(self.root.path())
    }

    /// A task as it is configured without a word, in Parquet, but for what `change` does.
    fn task(&self, change: impl FnOnce(&mut Layout)) -> LakeTask {
        self.task_on(Arc::new(self.store()), change)
    }

    /// A task whose files all end after `rows` rows.
    fn flushing(&self, rows: u64) -> LakeTask {
        self.task(|layout| layout.rotation.flush_size = Some(rows))
    }

    fn task_on(&self, storage: Arc<dyn Storage>, change: impl FnOnce(&mut Layout)) -> LakeTask {
        self.task_of(self.context("c", 64 << 20), storage, change)
    }

    fn context(&self, connector: &str, memory: usize) -> TaskContext {
        TaskContext::new(connector, 0, self.runtime.handle().clone(), memory)
    }

    fn task_of(&self, context: TaskContext, storage: Arc<dyn Storage>, change: impl FnOnce(&mut Layout)) -> LakeTask {
        let format = Format::Parquet(Codec::named("snappy").expect("a codec").into());
        let mut layout = Layout {
            names: Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 },
            partitioner: Arc::new(ByPartition),
            columns: Columns { format, envelope: None, system: Vec::new(), types: Types::default() },
            rotation: Rotation::default(),
            rule: Rule::None,
            nulls: NullValues::Fail,
            retry_backoff: Duration::from_millis(2),
            flush_on_stop: false,
            rules: Rules::default(),
            commit_log: false,
            pointers: "topics".into(),
        };
        change(&mut layout);
        LakeTask::new(layout, storage.clone(), storage, context)
    }

    /// What is at `path` below the directory.
    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// The visible files by their paths below the folder of all topics.
    fn files(&self) -> Vec<String> {
        let top = self.at("topics");
        let (mut files, mut folders) = (Vec::new(), vec![top.clone()]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.map(|entry| entry.expect("an entry").path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(&top).expect("below").to_string_lossy().into_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// The ids in each visible file.
    fn landed(&self) -> BTreeMap<String, Vec<i64>> {
        self.files().into_iter().map(|file| (file.clone(), self.column(&file, "id").into_iter().flatten().collect())).collect()
    }

    /// The ids in all visible files, ascending.
    fn ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.landed().into_values().flatten().collect();
        ids.sort_unstable();
        ids
    }

    /// The ids in visible files, file by file in the order of paths.
    fn lists(&self) -> Vec<Vec<i64>> {
        self.landed().into_values().collect()
    }

    /// The rows of a visible file.
    fn read(&self, file: &str) -> Vec<RecordBatch> {
        let file = std::fs::File::open(self.at("topics").join(file)).expect("a file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").build().expect("a reader");
        reader.map(|rows| rows.expect("rows")).collect()
    }

    /// A column of numbers of a visible file.
    fn column(&self, file: &str, name: &str) -> Vec<Option<i64>> {
        let numbers = |rows: RecordBatch| rows.column_by_name(name).expect("a column").as_primitive::<Int64Type>().clone();
        self.read(file).into_iter().flat_map(|rows| numbers(rows).iter().collect::<Vec<_>>()).collect()
    }

    /// The names of a visible file's columns.
    fn columns(&self, file: &str) -> Vec<String> {
        let names = |rows: &RecordBatch| rows.schema().fields().iter().map(|field| field.name().clone()).collect();
        self.read(file).first().map(names).unwrap_or_default()
    }

    /// The small object at `path`.
    fn object(&self, path: &str) -> (Bytes, Version) {
        self.runtime.block_on(self.store().get(path)).expect("read").expect("an object")
    }

    /// The pointer of partition `number` of topic `t`.
    fn pointer_of(&self, number: i32) -> Pointer {
        let path = Pointer::path(&format!("topics/t/{number}"));
        Pointer::decode(&self.object(&path).0).expect("a pointer")
    }

    fn pointer(&self) -> Pointer {
        self.pointer_of(0)
    }
}

fn tp() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// The path of a file of [`tp`], below the folder of all topics.
fn file(first: i64) -> String {
    format!("t/partition=0/t+0+{first:010}.snappy.parquet")
}

/// The opening of a partition of which the group knows nothing.
fn begin(first: i64) -> Opening {
    Opening { first, ..Opening::default() }
}

/// The opening of a partition whose offset in the group is `offset`, with `metadata`.
fn committed(offset: i64, metadata: &str) -> Opening {
    Opening { committed: Some(Offset { offset, metadata: metadata.into() }), first: offset, ..Opening::default() }
}

/// One run of offsets.
fn run(offsets: Range<i64>) -> Vec<Range<i64>> {
    std::iter::once(offsets).collect()
}

/// Asks for a partition until it is known what has been found.
fn ask(task: &mut LakeTask, origin: &TopicPartition, opening: &Opening) -> Result<Option<Opened>, TaskError> {
    if let Some(opened) = task.open(origin, opening)? {
        return Ok(Some(opened));
    }
    let found = |task: &LakeTask| task.asked.get(origin).is_some_and(|asked| asked.found.is_some());
    assert!(task.wait(Instant::now() + WAIT, found)?, "{origin} is not found");
    task.open(origin, opening)
}

/// Opens [`tp`].
fn open(task: &mut LakeTask, opening: &Opening) -> Opened {
    ask(task, &tp(), opening).expect("no failure").expect("not another's offset")
}

/// Waits until nothing is under way but files that take rows.
fn rest(task: &mut LakeTask) {
    let at_rest = |task: &LakeTask| task.partitions.values().all(Partition::is_at_rest);
    assert!(task.wait(Instant::now() + WAIT, at_rest).expect("no failure"), "it does not come to rest");
}

/// What may be committed of [`tp`] to the group once nothing is under way, if it was not given before.
fn settled(task: &mut LakeTask) -> Option<Offset> {
    rest(task);
    task.pre_commit().expect("no failure").remove(&tp())
}

/// The same, only where the offset is.
fn offset(task: &mut LakeTask) -> Option<i64> {
    settled(task).map(|offset| offset.offset)
}

/// Waits for a failure.
fn failure(task: &mut LakeTask) -> String {
    let never = |_: &LakeTask| false;
    task.wait(Instant::now() + WAIT, never).expect_err("no failure").to_string()
}

/// Tolerates nothing.
#[expect(clippy::needless_pass_by_value, reason = "it is what a sink gives")]
fn strict(offset: i64, error: RecordError) -> Result<(), TaskError> {
    Err(TaskError::Fatal(format!("offset {offset}: {error}")))
}

fn put(task: &mut LakeTask, batches: impl Into<Vec<Batch>>) {
    task.put(batches.into(), &mut strict).expect("put");
}

/// The offsets that `task` refuses of `batches` where everything is tolerated, with the reasons.
fn refused(task: &mut LakeTask, batches: impl Into<Vec<Batch>>) -> Vec<(i64, String)> {
    let mut refused = Vec::new();
    let mut tolerate = |offset, error: RecordError| {
        refused.push((offset, error.message));
        Ok(())
    };
    task.put(batches.into(), &mut tolerate).expect("tolerated");
    refused
}

/// A batch of structs with these columns; its keys are the offsets in bytes, its timestamps the offsets.
fn structs(offsets: &[i64], columns: Vec<(&str, ArrayRef)>, metadata: &[(&str, &str)]) -> Batch {
    let fields: Fields =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), array.null_count() > 0)).collect();
    let value = StructArray::new(fields.clone(), columns.into_iter().map(|(_, array)| array).collect(), None);
    let metadata: HashMap<String, String> = metadata.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let field = Arc::new(Field::new("v", DataType::Struct(fields), true).with_metadata(metadata));
    let bytes = BinaryArray::from_iter_values(offsets.iter().map(|o| o.to_le_bytes()));
    let (offset, timestamp) = (Int64Array::from(offsets.to_vec()), TimestampMillisecondArray::from(offsets.to_vec()));
    let raw = RawBatch {
        origin: tp(),
        key: bytes.clone(),
        value: bytes.clone(),
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    let key = Column { field: Arc::new(Field::new("k", DataType::Binary, true)), array: Arc::new(bytes) };
    let covers = offsets[0]..offsets[offsets.len() - 1] + 1;
    let value = Column { field, array: Arc::new(value) };
    Batch { origin: tp(), topic: "t".into(), key, value, offset, timestamp, headers: None, raw: Arc::new(raw), covers }
}

fn numbers(numbers: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(numbers))
}

/// A batch whose ids are its offsets; `doc` makes schemas differ.
fn batch(offsets: &[i64], doc: &str) -> Batch {
    structs(offsets, vec![("id", numbers(offsets.to_vec()))], &[("connect.doc", doc)])
}

fn range(offsets: Range<i64>) -> Batch {
    batch(&offsets.collect::<Vec<_>>(), "")
}

/// A batch whose rows have a shop too.
fn shops(offsets: &[i64], shop: impl Fn(i64) -> i64) -> Batch {
    let shops = numbers(offsets.iter().map(|offset| shop(*offset)));
    structs(offsets, vec![("id", numbers(offsets.to_vec())), ("shop", shops)], &[])
}

/// Has each shop's rows in a folder.
fn by_shop(layout: &mut Layout) {
    layout.partitioner = Arc::new(ByField::new(&["shop".into()], "/", false));
}

/// A batch of no row that covers offsets: all were left out.
fn filtered(offsets: Range<i64>) -> Batch {
    Batch { covers: offsets.clone(), ..range(offsets).slice(&(0..0)) }
}

/// `batch` with nulls for the values whose id is in `nulls`.
fn nulled(batch: Batch, nulls: &[i64]) -> Batch {
    let (fields, columns, _) = batch.value.array.as_struct().clone().into_parts();
    let present: Vec<bool> = batch.offset.values().iter().map(|offset| !nulls.contains(offset)).collect();
    let array = Arc::new(StructArray::new(fields, columns, Some(present.into())));
    Batch { value: Column { field: batch.value.field.clone(), array }, ..batch }
}
