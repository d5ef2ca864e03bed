use super::*;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, NullArray, StructArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use async_trait::async_trait;
use bytes::Bytes;
use landfall_api::{Column, RawBatch, TaskMetrics};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::runtime::Runtime;

use crate::encode::Format;
use crate::encode::parquet::Codec;
use crate::storage::local::LocalStorage;
use crate::storage::{Metadata, Object, Published, Staged};

struct Bench {
    runtime: Runtime,
    root: tempfile::TempDir,
}

const WAIT: Duration = Duration::from_secs(20);

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        Self { runtime, root: tempfile::tempdir().expect("a directory") }
    }

    fn task(&self, flush_size: u64, flush_on_stop: bool) -> LakeTask {
        self.task_on(Arc::new(LocalStorage::new(self.root.path())), flush_size, flush_on_stop)
    }

    fn task_on(&self, storage: Arc<dyn Storage>, flush_size: u64, flush_on_stop: bool) -> LakeTask {
        let names = Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 };
        let format = Format::Parquet(Codec::named("snappy").expect("a codec"));
        let layout = Layout {
            names,
            columns: Columns { format, system: Vec::new() },
            flush_size,
            retry_backoff: Duration::from_millis(5),
            flush_on_stop,
        };
        let context = TaskContext {
            connector: "c".into(),
            task: 0,
            runtime: self.runtime.handle().clone(),
            memory: 64 << 20,
            metrics: Arc::new(TaskMetrics::default()),
        };
        LakeTask::new(layout, storage, context)
    }

    /// File name → the ids in it.
    fn landed(&self) -> BTreeMap<String, Vec<i64>> {
        let folder = self.root.path().join("topics/t/partition=0");
        let Ok(files) = std::fs::read_dir(folder) else { return BTreeMap::new() };
        files.map(|f| f.expect("a file").path()).map(|p| (name(&p), ids(&p))).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn ids(path: &Path) -> Vec<i64> {
    let file = std::fs::File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").build().expect("a reader");
    reader.flat_map(|b| b.expect("rows").column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

fn tp() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A batch whose ids are its offsets; `doc` makes schemas differ.
fn batch(offsets: &[i64], doc: &str) -> Batch {
    let fields = Fields::from(vec![Field::new("id", DataType::Int64, false)]);
    let ids: ArrayRef = Arc::new(Int64Array::from(offsets.to_vec()));
    let value = StructArray::new(fields.clone(), vec![ids], None);
    let metadata = HashMap::from([("connect.doc".to_owned(), doc.to_owned())]);
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
    Batch {
        origin: tp(),
        topic: "t".into(),
        key,
        value: Column { field, array: Arc::new(value) },
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers,
    }
}

fn range(offsets: std::ops::Range<i64>) -> Batch {
    batch(&offsets.collect::<Vec<_>>(), "")
}

/// What may be committed once no file is on its way any more.
fn settled(task: &mut LakeTask) -> Option<Offset> {
    let until = Instant::now() + WAIT;
    let mut offset = None;
    loop {
        let given = task.pre_commit().expect("no failure").remove(&tp());
        offset = given.or(offset);
        let busy = task.partitions.get(&tp()).map_or(0, |p| p.running.len() - usize::from(p.open.is_some()));
        if busy == 0 || Instant::now() > until {
            return offset;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn files_are_cut_at_the_flush_size_and_the_offset_follows_what_is_visible() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 0).expect("open");
    for from in [0, 7, 14, 21] {
        task.put(vec![range(from..from + 7)]).expect("put");
    }
    let offset = settled(&mut task).expect("moved");
    assert_eq!((offset.offset, commit::last_file(&offset.metadata)), (20, Some(10)));
    let landed = bench.landed();
    assert_eq!(landed.keys().collect::<Vec<_>>(), ["t+0+0000000000.snappy.parquet", "t+0+0000000010.snappy.parquet"]);
    assert_eq!(landed["t+0+0000000010.snappy.parquet"], (10..20).collect::<Vec<_>>());
    assert_eq!(task.shared.metrics.rows_landed.get(), 20);
    assert_eq!(task.shared.open.load(Ordering::Relaxed), 1);
    assert_eq!(task.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new(), "open rows are dropped");
    drop(task);
    assert_eq!(bench.landed().len(), 2);
}

#[test]
fn a_restart_goes_on_after_what_has_landed_though_nothing_was_committed() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![range(0..35)]).expect("put");
    settled(&mut task);
    drop(task);
    let mut task = bench.task(10, false);
    let opened = task.open(&tp(), None, 0).expect("open");
    assert_eq!(opened.resume, 30);
    assert_eq!(opened.learned.expect("from the last file").metadata()["connect.doc"], "");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(30));
    task.put(vec![range(30..40)]).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(40));
    assert_eq!(bench.landed().into_values().flatten().collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
}

#[test]
fn the_schema_is_found_again_by_the_commit() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![batch(&(0..10).collect::<Vec<_>>(), "learned")]).expect("put");
    let committed = settled(&mut task).expect("moved");
    drop(task);
    let opened = bench.task(10, false).open(&tp(), Some(&committed), 10).expect("open");
    assert_eq!((opened.resume, &*opened.learned.expect("a schema").metadata()["connect.doc"]), (10, "learned"));
}

#[test]
fn a_schema_change_closes_the_file() {
    let bench = Bench::new();
    let mut task = bench.task(10, true);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![batch(&[0, 1, 2], "a"), batch(&[3, 4], "b"), batch(&[5], "b")]).expect("put");
    let offsets = task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!(offsets[&tp()].offset, 6, "flush.on.stop publishes what is open");
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [vec![0, 1, 2], vec![3, 4, 5]]);
}

#[test]
fn of_two_owners_of_a_partition_each_record_lands_once() {
    let bench = Bench::new();
    let (mut late, mut new) = (bench.task(10, false), bench.task(8, false));
    late.open(&tp(), None, 0).expect("open");
    new.open(&tp(), None, 0).expect("open");
    new.put(vec![range(0..16)]).expect("put");
    assert_eq!(settled(&mut new).map(|o| o.offset), Some(16));
    late.put(vec![range(0..40)]).expect("put");
    settled(&mut late);
    assert_eq!(late.rewinds(), BTreeMap::from([(tp(), 8)]));
    late.put(vec![range(40..50)]).expect_err("it has to be opened again");
    assert_eq!(late.open(&tp(), None, 8).expect("open").resume, 16);
    late.put(vec![range(16..26)]).expect("put");
    settled(&mut late);
    let mut all: Vec<_> = bench.landed().into_values().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..26).collect::<Vec<_>>());
}

#[test]
fn the_schema_of_another_owners_file_is_taken_up() {
    let bench = Bench::new();
    let (mut late, mut new) = (bench.task(10, false), bench.task(10, false));
    late.open(&tp(), None, 0).expect("open");
    new.open(&tp(), None, 0).expect("open");
    new.put(vec![batch(&(0..10).collect::<Vec<_>>(), "learned")]).expect("put");
    settled(&mut new);
    late.put(vec![range(0..10)]).expect("put");
    settled(&mut late);
    assert_eq!(late.rewinds(), BTreeMap::from([(tp(), 10)]));
    let opened = late.open(&tp(), None, 10).expect("open");
    assert_eq!((opened.resume, &*opened.learned.expect("a schema").metadata()["connect.doc"]), (10, "learned"));
    let offset = settled(&mut late).expect("moved");
    assert_eq!((offset.offset, commit::last_file(&offset.metadata)), (10, Some(0)));
}

#[test]
fn a_foreign_file_is_not_taken_for_ours() {
    let bench = Bench::new();
    let folder = bench.root.path().join("topics/t/partition=0");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("t+0+0000000000.snappy.parquet"), b"not parquet").expect("a file");
    let error = bench.task(10, false).open(&tp(), None, 0).expect_err("refused").to_string();
    assert!(error.contains("t+0+0000000000.snappy.parquet is there and was not written by Landfall"), "{error}");
}

#[test]
fn a_null_value_fails_with_its_offset() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 0).expect("open");
    let mut with_null = range(5..8);
    let value = with_null.value.array.as_struct().clone();
    let (fields, columns, _) = value.into_parts();
    with_null.value.array = Arc::new(StructArray::new(fields, columns, Some(vec![true, false, true].into())));
    let error = task.put(vec![with_null]).expect_err("refused");
    assert!(matches!(&error, TaskError::Record { offset: 6, .. }), "{error}");
    assert!(error.to_string().contains("topic t, partition 0, offset 6"), "{error}");
}

#[test]
fn nothing_but_nulls_is_refused_as_one_null_is() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 0).expect("open");
    let mut tombstones = range(5..8);
    tombstones.value = Column { field: Arc::new(Field::new("value", DataType::Null, true)), array: Arc::new(NullArray::new(3)) };
    let error = task.put(vec![tombstones]).expect_err("refused");
    assert!(matches!(&error, TaskError::Record { offset: 5, .. }), "{error}");
    assert!(error.to_string().contains("the record's value is null"), "{error}");
}

/// A directory whose calls first ask a function, by their name and path.
#[derive(Clone)]
struct Asking(LocalStorage, Arc<Ask>);

type Ask = dyn Fn(&str) -> Result<(), StorageError> + Send + Sync;

impl Asking {
    fn new(root: &Path, ask: impl Fn(&str) -> Result<(), StorageError> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self(LocalStorage::new(root), Arc::new(ask)))
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct AskingStaged(Box<dyn Staged>, String, Asking);

#[async_trait]
impl Storage for Asking {
    fn url(&self) -> String {
        self.0.url()
    }
    async fn check(&self) -> Result<(), StorageError> {
        (self.1)("check")?;
        self.0.check().await
    }
    async fn stage(&self, path: &str) -> Result<Box<dyn Staged>, StorageError> {
        (self.1)(&format!("stage {path}"))?;
        Ok(Box::new(AskingStaged(self.0.stage(path).await?, path.into(), self.clone())))
    }
    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError> {
        self.0.head(path).await
    }
    async fn read(&self, path: &str, range: std::ops::Range<u64>) -> Result<Bytes, StorageError> {
        self.0.read(path, range).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError> {
        self.0.list(prefix).await
    }
}

#[async_trait]
impl Staged for AskingStaged {
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError> {
        (self.2.1)(&format!("block {}", self.1))?;
        self.0.block(block).await
    }
    async fn publish(&mut self, metadata: &Metadata) -> Result<Published, StorageError> {
        (self.2.1)(&format!("publish {}", self.1))?;
        self.0.publish(metadata).await
    }
    async fn discard(&mut self) {
        self.0.discard().await;
    }
}

#[test]
fn what_the_storage_refuses_for_now_is_tried_again() {
    let bench = Bench::new();
    let calls = AtomicUsize::new(0);
    let every_second = move |_: &str| match calls.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Err(StorageError::Retriable("the server is busy".into())),
        _ => Ok(()),
    };
    let mut task = bench.task_on(Asking::new(bench.root.path(), every_second), 5, false);
    assert!(matches!(task.open(&tp(), None, 0), Err(TaskError::Retriable(_))));
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![range(0..20)]).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(20));
    assert!(task.shared.metrics.retries.get() >= 4);
    assert_eq!(bench.landed().into_values().flatten().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
}

/// Waits for the first failure.
fn failure(task: &mut LakeTask) -> Option<String> {
    let until = Instant::now() + WAIT;
    while Instant::now() < until {
        if let Err(error) = task.pre_commit() {
            return Some(error.to_string());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

#[test]
fn a_failure_that_shows_while_other_partitions_are_let_go_is_not_lost() {
    let bench = Bench::new();
    let refuse = |call: &str| match call {
        call if call.contains("partition=1") && call.starts_with("publish") => Err(StorageError::Fatal("forbidden".into())),
        _ => Ok(()),
    };
    let mut task = bench.task_on(Asking::new(bench.root.path(), refuse), 10, false);
    let other = TopicPartition::new("t", 1);
    task.open(&tp(), None, 0).expect("open");
    task.open(&other, None, 0).expect("open");
    task.put(vec![Batch { origin: other, ..range(0..10) }]).expect("put");
    while task.shared.open.load(Ordering::Relaxed) > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    task.close(&[tp()], false, WAIT).expect("close");
    assert!(failure(&mut task).expect("the task fails").contains("forbidden"));
}

#[test]
fn a_file_whose_work_panics_fails_the_task() {
    let bench = Bench::new();
    let panic = |call: &str| if call.starts_with("stage") { panic!("a fault") } else { Ok(()) };
    let mut task = bench.task_on(Asking::new(bench.root.path(), panic), 10, false);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![range(0..10)]).expect("put");
    assert!(failure(&mut task).expect("the task fails").contains("t-0"));
}

#[test]
fn files_that_have_ended_hold_the_loop_back_while_the_storage_is_down() {
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let asked = down.clone();
    let refuse = move |call: &str| match call {
        "check" => Ok(()),
        _ if asked.load(Ordering::Relaxed) => Err(StorageError::Retriable("the server is away".into())),
        _ => Ok(()),
    };
    let mut task = bench.task_on(Asking::new(bench.root.path(), refuse), 1, false);
    task.open(&tp(), None, 0).expect("open");
    let mut put = 0;
    while put < 20_000 && task.ready(Duration::from_millis(200)).expect("no failure") {
        task.put(vec![range(put..put + 100)]).expect("put");
        put += 100;
    }
    assert!(put < 5000, "{put} files are under way");
    down.store(false, Ordering::Relaxed);
    assert!(task.ready(WAIT).expect("no failure"));
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(put));
}

/// A worker that consumes a partition with gaps, whose schema changes now and then.
struct Owner {
    task: LakeTask,
    at: i64,
    open: bool,
}

const END: i64 = 1500;

impl Owner {
    fn exists(offset: i64) -> bool {
        offset % 7 != 3 && offset % 50 < 45
    }

    /// Fetches the records of `n` offsets and puts those that have not landed.
    fn fetch(&mut self, n: i64, committed: Option<&Offset>) {
        let end = (self.at + n).min(END);
        let offsets: Vec<i64> = (self.at..end).filter(|o| Self::exists(*o)).collect();
        let Some(first) = offsets.first() else { return };
        if !self.open {
            let Ok(opened) = self.task.open(&tp(), committed, *first) else { return };
            (self.open, self.at) = (true, opened.resume.max(self.at));
        }
        let left: Vec<i64> = offsets.into_iter().filter(|o| *o >= self.at).collect();
        let mut begin = self.at;
        let mut batches: Vec<Batch> = Vec::new();
        for part in left.chunk_by(|a, b| a / 40 == b / 40) {
            let batch = batch(part, &(part[0] / 40).to_string());
            if let Some(before) = batches.last_mut() {
                before.covers.end = part[0];
                begin = part[0];
            }
            let covers = begin..batch.covers.end;
            batches.push(Batch { covers, ..batch });
        }
        if let Some(last) = batches.last_mut() {
            last.covers.end = last.covers.end.max(end);
        }
        self.task.put(batches).expect("put");
        self.at = self.at.max(end);
        self.rewind();
    }

    fn rewind(&mut self) {
        if let Some(offset) = self.task.rewinds().remove(&tp()) {
            (self.at, self.open) = (offset, false);
        }
    }
}

#[test]
fn whatever_two_owners_do_each_record_lands_once_and_no_commit_is_ahead() {
    let visible = |bench: &Bench| bench.landed().into_values().flatten().collect::<Vec<i64>>();
    for seed in 0..3u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let bench = Bench::new();
        let calls = AtomicUsize::new(0);
        let busy = move |_: &str| match calls.fetch_add(1, Ordering::Relaxed) % 5 {
            0 => Err(StorageError::Retriable("the server is busy".into())),
            _ => Ok(()),
        };
        let storage = Asking::new(bench.root.path(), busy);
        let new = |flush| Owner { task: bench.task_on(storage.clone(), flush, flush % 2 == 0), at: 0, open: false };
        let mut owners = [new(10), new(7)];
        let (mut member, mut committed) = (0, None::<Offset>);
        for _ in 0..300 {
            let who = random(2) as usize;
            match random(10) {
                0 => {
                    // the partition goes to the other, who begins at the commit; this one does not know
                    member = 1 - member;
                    let owner = &mut owners[member];
                    owner.task.close(&[tp()], true, WAIT).expect("close");
                    (owner.at, owner.open) = (committed.as_ref().map_or(0, |c| c.offset), false);
                }
                1 => {
                    let owner = &mut owners[member];
                    let given = owner.task.close(&[tp()], false, WAIT).expect("close").remove(&tp());
                    committed = given.or(committed);
                    (owner.at, owner.open) = (committed.as_ref().map_or(0, |c| c.offset), false);
                }
                2 => std::thread::sleep(Duration::from_millis(random(8))),
                3 => {
                    assert!(owners[who].task.ready(WAIT).expect("no failure"));
                    owners[who].rewind();
                }
                4 => {
                    let given = owners[who].task.pre_commit().expect("no failure").remove(&tp());
                    if let Some(given) = given.filter(|_| who == member) {
                        let landed = visible(&bench);
                        let missing = (0..given.offset).find(|o| Owner::exists(*o) && !landed.contains(o));
                        assert_eq!(missing, None, "seed {seed}: {} is committed", given.offset);
                        committed = Some(given);
                    }
                    owners[who].rewind();
                }
                _ => owners[who].fetch(1 + random(25) as i64, committed.as_ref().filter(|_| who == member)),
            }
        }
        let [mut last, _zombie] = owners;
        last.task.close(&[tp()], true, WAIT).expect("close");
        (last.at, last.open) = (committed.as_ref().map_or(0, |c| c.offset), false);
        let until = Instant::now() + WAIT;
        loop {
            last.fetch(100, committed.as_ref());
            settled(&mut last.task);
            last.rewind();
            if last.open && last.at >= END || Instant::now() > until {
                break;
            }
        }
        last.task.close(&[tp()], false, WAIT).expect("close");
        let mut landed = visible(&bench);
        landed.sort_unstable();
        let expected: Vec<i64> = (0..END).filter(|o| Owner::exists(*o)).collect();
        assert_eq!(landed, expected, "seed {seed}");
    }
}
