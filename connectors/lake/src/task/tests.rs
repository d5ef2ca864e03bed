use super::*;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, Int64Array, NullArray, RecordBatch, StructArray, TimestampMillisecondArray,
};
use arrow_schema::{Field, Fields};
use async_trait::async_trait;
use bytes::Bytes;
use landfall_api::{Column, RawBatch, TaskMetrics};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::runtime::Runtime;

use crate::encode::Format;
use crate::encode::json;
use crate::encode::parquet::Codec;
use crate::storage::local::LocalStorage;
use crate::storage::{Metadata, Object, Published, Staged};
use crate::system::SystemColumn;
use crate::types::Types;

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
        self.task_of(storage, |layout| {
            (layout.rotation.flush_size, layout.flush_on_stop) = (Some(flush_size), flush_on_stop);
        })
    }

    /// A task whose files end as `rotation` says, in the directory.
    fn rotating(&self, rotation: Rotation) -> LakeTask {
        self.task_of(Arc::new(LocalStorage::new(self.root.path())), |layout| layout.rotation = rotation)
    }

    fn task_of(&self, storage: Arc<dyn Storage>, change: impl FnOnce(&mut Layout)) -> LakeTask {
        let format = Format::Parquet(Codec::named("snappy").expect("a codec").into());
        let mut layout = Layout {
            names: Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 },
            columns: Columns { format, envelope: None, system: Vec::new(), types: Types::default() },
            rotation: Rotation::default(),
            nulls: NullValues::Fail,
            retry_backoff: Duration::from_millis(5),
            flush_on_stop: false,
        };
        change(&mut layout);
        let context = TaskContext {
            connector: "c".into(),
            task: 0,
            runtime: self.runtime.handle().clone(),
            memory: 64 << 20,
            metrics: Arc::new(TaskMetrics::default()),
        };
        LakeTask::new(layout, storage, context)
    }

    fn landed_names(&self) -> Vec<String> {
        let folder = self.root.path().join("topics/t/partition=0");
        std::fs::read_dir(folder).expect("a folder").map(|f| name(&f.expect("a file").path())).collect()
    }

    /// File name → the ids in it.
    fn landed(&self) -> BTreeMap<String, Vec<i64>> {
        self.landed_in("t")
    }

    /// The same for the folder of one topic.
    fn landed_in(&self, topic: &str) -> BTreeMap<String, Vec<i64>> {
        let folder = self.root.path().join("topics").join(topic).join("partition=0");
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

fn range(offsets: Range<i64>) -> Batch {
    batch(&offsets.collect::<Vec<_>>(), "")
}

/// Tolerates nothing.
#[expect(clippy::needless_pass_by_value, reason = "it is what a sink gives")]
fn strict(offset: i64, error: RecordError) -> Result<(), TaskError> {
    Err(TaskError::Fatal(format!("offset {offset}: {error}")))
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
        task.put(vec![range(from..from + 7)], &mut strict).expect("put");
    }
    let offset = settled(&mut task).expect("moved");
    assert_eq!((offset.offset, commit::last_file(&offset.metadata).map(|last| last.first)), (20, Some(10)));
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
    task.put(vec![range(0..35)], &mut strict).expect("put");
    settled(&mut task);
    drop(task);
    let mut task = bench.task(10, false);
    let opened = task.open(&tp(), None, 0).expect("open");
    assert_eq!(opened.resume, 30);
    assert_eq!(opened.learned.expect("from the last file").metadata()["connect.doc"], "");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(30));
    task.put(vec![range(30..40)], &mut strict).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(40));
    assert_eq!(bench.landed().into_values().flatten().collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_file_that_begins_with_a_record_that_is_gone_is_found_by_the_commit() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 5).expect("open");
    task.put(vec![range(5..25)], &mut strict).expect("put");
    settled(&mut task);
    let committed = |offset| Offset { offset, metadata: String::new() };
    // compaction or retention took the records up to `first` since
    for (offset, first, resume) in [(5, 7, 25), (5, 18, 25), (5, 30, 30), (2, 5, 25), (2, 3, 3), (25, 28, 28)] {
        let opened = bench.task(10, false).open(&tp(), Some(&committed(offset)), first).expect("open");
        assert_eq!(opened.resume, resume, "committed {offset}, first {first}");
    }
}

#[test]
fn a_file_after_tombstones_that_are_left_out_lands_once_though_it_was_not_committed() {
    let rotations = [
        Rotation { flush_size: Some(2), ..Rotation::default() },
        Rotation { flush_size: Some(100), idle: Some(Duration::from_millis(1)), ..Rotation::default() },
    ];
    for rotation in rotations {
        let bench = Bench::new();
        let ignoring = |rotation| {
            bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
                (layout.rotation, layout.nulls) = (rotation, NullValues::Ignore);
            })
        };
        let gone = [0, 1, 5, 6, 10];
        let records = |from: i64| nulled(range(from..14), &gone);
        let mut task = ignoring(Rotation { flush_size: Some(3), ..Rotation::default() });
        task.open(&tp(), None, 0).expect("open");
        task.put(vec![records(0)], &mut strict).expect("put");
        settled(&mut task);
        drop(task);
        assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [[2, 3, 4], [7, 8, 9], [11, 12, 13]]);

        let mut task = ignoring(rotation);
        let mut from = 0;
        for (resume, after) in [(0, 5), (5, 10), (10, 14)] {
            from = task.open(&tp(), None, from).expect("open").resume;
            assert_eq!(from, resume, "no file begins with a tombstone");
            task.put(vec![records(from)], &mut strict).expect("put");
            let until = Instant::now() + WAIT;
            let mut passed = None;
            while passed != Some(after) && Instant::now() < until {
                task.ready(Duration::ZERO).expect("no failure");
                let given = task.pre_commit().expect("no failure").remove(&tp()).map(|offset| offset.offset);
                passed = task.rewinds().remove(&tp()).or(given);
            }
            assert_eq!(passed, Some(after), "its first row's name is taken, perhaps by the same rows");
            drop(task.close(&[tp()], true, WAIT).expect("close"));
            from = after;
        }
        let mut landed: Vec<i64> = bench.landed().into_values().flatten().collect();
        landed.sort_unstable();
        assert_eq!(landed, (0..14).filter(|id| !gone.contains(id)).collect::<Vec<_>>());
    }
}

#[test]
fn files_that_have_landed_with_the_same_rows_are_not_read_again() {
    let bench = Bench::new();
    let gone = [0, 1, 5, 6, 10];
    let run = |from: i64, end: i64| {
        let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
            (layout.rotation.flush_size, layout.nulls) = (Some(3), NullValues::Ignore);
        });
        assert_eq!(task.open(&tp(), None, from).expect("open").resume, from, "no file begins with a tombstone");
        task.put(vec![nulled(range(from..end), &gone)], &mut strict).expect("put");
        let offset = settled(&mut task).map(|offset| offset.offset);
        (offset, task.rewinds(), task.shared.metrics.files_landed.get())
    };
    assert_eq!(run(0, 14), (Some(14), BTreeMap::new(), 3));
    assert_eq!(run(0, 17), (Some(17), BTreeMap::new(), 1), "one is new, and nothing is to be read again");
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [[2, 3, 4], [7, 8, 9], [11, 12, 13], [14, 15, 16]]);
}

#[test]
fn a_partition_that_is_let_go_after_another_owners_file_is_committed_behind_it() {
    let bench = Bench::new();
    let (mut late, mut new) = (bench.task(10, true), bench.task(4, false));
    late.open(&tp(), None, 0).expect("open");
    new.open(&tp(), None, 0).expect("open");
    new.put(vec![range(0..4)], &mut strict).expect("put");
    settled(&mut new);
    late.put(vec![range(0..6)], &mut strict).expect("put");
    let offsets = late.close(&[tp()], false, WAIT).expect("close");
    assert_eq!(
        offsets,
        BTreeMap::from([(tp(), Offset { offset: 4, metadata: "lf0:0".into() })]),
        "or each owner begins there again"
    );
    assert_eq!(late.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new());
}

#[test]
fn the_schema_is_found_again_by_the_commit() {
    let bench = Bench::new();
    let mut task = bench.task(10, false);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![batch(&(0..10).collect::<Vec<_>>(), "learned")], &mut strict).expect("put");
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
    task.put(vec![batch(&[0, 1, 2], "a"), batch(&[3, 4], "b"), batch(&[5], "b")], &mut strict).expect("put");
    let offsets = task.close(&[tp()], false, WAIT).expect("close");
    assert_eq!(offsets[&tp()].offset, 6, "flush.on.stop publishes what is open");
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [vec![0, 1, 2], vec![3, 4, 5]]);
    let ended = &task.shared.metrics.files_ended;
    assert_eq!((ended.schema.get(), ended.stop.get(), ended.flush_size.get()), (1, 1, 0));
}

#[test]
fn of_two_owners_of_a_partition_each_record_lands_once() {
    let bench = Bench::new();
    let (mut late, mut new) = (bench.task(10, false), bench.task(8, false));
    late.open(&tp(), None, 0).expect("open");
    new.open(&tp(), None, 0).expect("open");
    new.put(vec![range(0..16)], &mut strict).expect("put");
    assert_eq!(settled(&mut new).map(|o| o.offset), Some(16));
    late.put(vec![range(0..40)], &mut strict).expect("put");
    settled(&mut late);
    assert_eq!(late.rewinds(), BTreeMap::from([(tp(), 8)]));
    late.put(vec![range(40..50)], &mut strict).expect_err("it has to be opened again");
    assert_eq!(late.open(&tp(), None, 8).expect("open").resume, 16);
    late.put(vec![range(16..26)], &mut strict).expect("put");
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
    new.put(vec![batch(&(0..10).collect::<Vec<_>>(), "learned")], &mut strict).expect("put");
    settled(&mut new);
    late.put(vec![range(0..10)], &mut strict).expect("put");
    settled(&mut late);
    assert_eq!(late.rewinds(), BTreeMap::from([(tp(), 10)]));
    let opened = late.open(&tp(), None, 10).expect("open");
    assert_eq!((opened.resume, &*opened.learned.expect("a schema").metadata()["connect.doc"]), (10, "learned"));
    let offset = settled(&mut late).expect("moved");
    assert_eq!((offset.offset, commit::last_file(&offset.metadata).map(|last| last.first)), (10, Some(0)));
}

/// A batch of values without a schema; `doc` makes their fields differ.
fn schemaless(offsets: Range<i64>, doc: &str) -> Batch {
    let mut batch = batch(&offsets.collect::<Vec<_>>(), doc);
    let mut metadata = batch.value.field.metadata().clone();
    metadata.insert("connect.schemaless", "true");
    batch.value.field = Arc::new(batch.value.field.as_ref().clone().with_metadata(metadata));
    batch
}

#[test]
fn json_goes_on_where_schemaless_values_change_and_is_found_again() {
    let bench = Bench::new();
    let json = || {
        bench.task_of(Arc::new(LocalStorage::new(bench.root.path()).needing_metadata()), |layout| {
            layout.columns.format = Format::Json(json::Options::default());
            layout.rotation.flush_size = Some(4);
        })
    };
    let mut task = json();
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![schemaless(0..1, "a"), schemaless(1..2, "b"), schemaless(2..4, "c")], &mut strict).expect("put");
    task.put(vec![schemaless(4..6, "c"), batch(&[6, 7], "d"), batch(&[8, 9], "e")], &mut strict).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(8), "values with a schema do end a file");
    drop(task);
    let mut task = json();
    let opened = task.open(&tp(), None, 0).expect("open");
    assert_eq!((opened.resume, opened.learned), (8, None), "nothing is to be learned again");
    task.put(vec![schemaless(8..12, "a")], &mut strict).expect("put");
    settled(&mut task);
    let folder = bench.root.path().join("topics/t/partition=0");
    for (first, last) in [(0, 3), (4, 5), (6, 7), (8, 11)] {
        let text = std::fs::read_to_string(folder.join(format!("t+0+{first:010}.json"))).expect("a file");
        assert_eq!(text, (first..=last).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>());
    }
    std::fs::write(folder.join("t+0+0000000012.json"), b"{}\n").expect("a file");
    let error = json().open(&tp(), None, 8).expect_err("refused").to_string();
    assert!(error.contains("t+0+0000000012.json is there and was not written by Landfall"), "{error}");
}

#[test]
fn keys_of_another_schema_end_a_file_only_where_they_have_a_column() {
    for (system, files) in [(vec![], 1), (vec![SystemColumn::Key], 2)] {
        let bench = Bench::new();
        let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
            layout.columns.system = system.clone();
            layout.flush_on_stop = true;
        });
        task.open(&tp(), None, 0).expect("open");
        let mut other = range(3..6);
        other.key.field = Arc::new(other.key.field.as_ref().clone().with_name("other"));
        task.put(vec![range(0..3), other], &mut strict).expect("put");
        task.close(&[tp()], false, WAIT).expect("close");
        assert_eq!(bench.landed().len(), files);
    }
}

#[test]
fn a_file_of_a_topic_that_was_deleted_is_not_taken_for_one_of_its_successor() {
    let bench = Bench::new();
    let topic = |id: u128| TopicId::new(id).expect("an id");
    let run = |id: Option<u128>, end: i64| -> Result<(), TaskError> {
        let mut task = bench.task(3, false);
        if let Some(id) = id {
            task.identify(&tp().topic, topic(id));
        }
        let opened = task.open(&tp(), None, 0)?;
        task.put(vec![range(opened.resume..end)], &mut strict)?;
        settled(&mut task);
        Ok(())
    };
    run(Some(1), 3).expect("nothing there");
    run(Some(1), 6).expect("the same topic");
    run(None, 9).expect("nobody knows");
    let error = run(Some(2), 6).expect_err("another topic").to_string();
    let ids = format!("its id was {} and is now {}", topic(1), topic(2));
    assert!(
        error.contains("t+0+0000000000.snappy.parquet holds records of a topic that was deleted") && error.contains(&ids),
        "{error}"
    );

    // and neither when the name is met at the end only
    let mut task = bench.task(3, false);
    task.identify(&tp().topic, topic(2));
    task.open(&tp(), None, 1).expect("no file begins here");
    task.put(vec![range(3..6)], &mut strict).expect("rows");
    let error = failure(&mut task).expect("the name is taken");
    assert!(error.contains("t+0+0000000003.snappy.parquet holds records of a topic that was deleted"), "{error}");
    assert_eq!(bench.landed().len(), 3);
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

/// `batch` with nulls for the values whose id is in `nulls`.
fn nulled(batch: Batch, nulls: &[i64]) -> Batch {
    let (fields, columns, _) = batch.value.array.as_struct().clone().into_parts();
    let present: Vec<bool> = batch.offset.values().iter().map(|offset| !nulls.contains(offset)).collect();
    let array = Arc::new(StructArray::new(fields, columns, Some(present.into())));
    Batch { value: Column { field: batch.value.field.clone(), array }, ..batch }
}

/// `batch` as a fetch of nothing but tombstones is converted while no schema is known.
fn tombstones(batch: Batch) -> Batch {
    let array = Arc::new(NullArray::new(batch.len()));
    Batch { value: Column { field: Arc::new(Field::new("value", DataType::Null, true)), array }, ..batch }
}

#[test]
fn a_null_value_fails_with_its_offset() {
    let bench = Bench::new();
    for (batch, offset) in [(nulled(range(5..8), &[6]), 6), (tombstones(range(5..8)), 5)] {
        let mut task = bench.task(10, false);
        task.open(&tp(), None, 0).expect("open");
        let error = task.put(vec![batch], &mut strict).expect_err("refused");
        let text = error.to_string();
        let java = "Null valued records are not writeable with current behavior.on.null.values 'settings.";
        assert!(text.contains(java) && text.contains(&format!("topic t, partition 0, offset {offset}")), "{text}");
    }
}

/// The offsets that `task` refuses of `batches` where everything is tolerated, with the reasons.
fn refused_of(task: &mut LakeTask, batches: Vec<Batch>) -> Vec<(i64, String)> {
    let mut refused = Vec::new();
    let mut tolerate = |offset, error: RecordError| {
        refused.push((offset, error.message));
        Ok(())
    };
    task.put(batches, &mut tolerate).expect("tolerated");
    refused
}

#[test]
fn a_null_value_fails_though_errors_are_tolerated_and_what_is_before_it_lands() {
    let bench = Bench::new();
    let mut task = bench.task(3, false);
    task.open(&tp(), None, 0).expect("open");
    let error = task.put(vec![nulled(range(0..8), &[5])], &mut |_, _| Ok(())).expect_err("not tolerated").to_string();
    assert!(error.contains("unrecoverable exception") && error.ends_with("topic t, partition 0, offset 5"), "{error}");
    assert_eq!(settled(&mut task).map(|offset| offset.offset), Some(3));
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [[0, 1, 2]]);
}

#[test]
fn null_values_that_are_reported_are_refused_one_by_one() {
    let bench = Bench::new();
    let reporting = || {
        bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
            (layout.rotation.flush_size, layout.nulls) = (Some(4), NullValues::Report);
        })
    };
    let mut task = reporting();
    task.open(&tp(), None, 0).expect("open");
    let said = |offset: i64| (offset, "Skipping null value record.".to_owned());
    assert_eq!(refused_of(&mut task, vec![nulled(range(0..6), &[0, 3]), tombstones(range(6..8))]), [0, 3, 6, 7].map(said));
    assert_eq!(files(&mut task, &bench), [[1, 2, 4, 5]]);
    assert_eq!(settled(&mut task).map(|offset| offset.offset), None, "given before");
    let mut task = reporting();
    task.open(&tp(), None, 8).expect("open");
    let error = task.put(vec![nulled(range(8..20), &[13, 14])], &mut strict).expect_err("not tolerated").to_string();
    assert!(error.contains("offset 13: "), "{error}");
    assert_eq!(settled(&mut task).map(|offset| offset.offset), Some(12), "what is before it lands");
}

/// A batch with the column `id`, which is required, and null where `nulls` says.
fn lacking(offsets: Range<i64>, nulls: &[i64]) -> Batch {
    let batch = range(offsets);
    let ids: Int64Array = batch.offset.values().iter().map(|offset| (!nulls.contains(offset)).then_some(*offset)).collect();
    let optional = Fields::from(vec![Field::new("id", DataType::Int64, true)]);
    let array = StructArray::new(optional, vec![Arc::new(ids)], None);
    Batch { value: Column { field: batch.value.field.clone(), array: Arc::new(array) }, ..batch }
}

#[test]
fn one_bad_row_of_a_batch_costs_only_itself() {
    let bench = Bench::new();
    let mut task = bench.task(4, false);
    task.open(&tp(), None, 0).expect("open");
    let refused = refused_of(&mut task, vec![range(0..2), lacking(2..9, &[4, 8])]);
    assert_eq!(refused.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [4, 8]);
    assert!(refused[0].1.contains("id: it is null, and its schema requires a value"), "{refused:?}");
    assert_eq!(files(&mut task, &bench), [[0, 1, 2, 3]]);
    assert_eq!(refused_of(&mut task, vec![lacking(9..12, &[9, 10, 11]), range(12..13)]).len(), 3);
    assert_eq!(files(&mut task, &bench), [[0, 1, 2, 3], [5, 6, 7, 12]]);
    let mut strict_task = bench.task(2, false);
    strict_task.open(&tp(), None, 13).expect("open");
    strict_task.put(vec![lacking(13..20, &[16, 18])], &mut strict).expect_err("not tolerated");
    assert_eq!(settled(&mut strict_task).map(|offset| offset.offset), Some(15), "what is before it lands");
}

#[test]
fn a_value_that_has_a_system_column_is_refused() {
    let bench = Bench::new();
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
        (layout.rotation.flush_size, layout.columns.system) = (Some(2), vec![SystemColumn::Offset]);
    });
    task.open(&tp(), None, 0).expect("open");
    let mut clashing = range(1..4);
    let fields = Fields::from(vec![Field::new("__offset", DataType::Int64, false)]);
    let array = StructArray::new(fields.clone(), clashing.value.array.as_struct().columns().to_vec(), None);
    let field = Arc::new(Field::new("v", DataType::Struct(fields), true));
    clashing.value = Column { field, array: Arc::new(array) };
    let refused = refused_of(&mut task, vec![range(0..1), clashing, range(4..5)]);
    assert_eq!(refused.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(refused[0].1.contains("the value has a field __offset"), "{refused:?}");
    assert_eq!(files(&mut task, &bench), [[0, 4]]);
}

#[test]
fn rows_land_in_the_folder_of_the_topic_that_they_are_routed_to() {
    let bench = Bench::new();
    let to = |topic: &str, offsets: Range<i64>| Batch { topic: topic.into(), ..range(offsets) };
    let mut task = bench.task(3, false);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![to("other", 0..4), to("t", 4..6), to("other", 6..12)], &mut strict).expect("put");
    let committed = settled(&mut task).expect("moved");
    assert_eq!(committed, Offset { offset: 12, metadata: "lf0:9 in=other".into() });
    let other = bench.landed_in("other");
    assert_eq!(
        other.keys().map(|name| &name[..14]).collect::<Vec<_>>(),
        ["t+0+0000000000", "t+0+0000000003", "t+0+0000000006", "t+0+0000000009"]
    );
    assert_eq!(other.into_values().flatten().chain(bench.landed().into_values().flatten()).sum::<i64>(), (0..12).sum::<i64>());
    assert_eq!(task.shared.metrics.files_ended.topic.get(), 2);
    drop(task);

    // One that starts before all that finds the files of the folder that its last commit names, and its own.
    let mut again = bench.task(3, false);
    let early = Offset { offset: 6, metadata: "lf0:0 in=other".into() };
    let opened = again.open(&tp(), Some(&early), 6).expect("open");
    assert_eq!((opened.resume, opened.learned.is_some()), (12, true));
    // One that knows of no folder comes upon what has landed when it publishes.
    let mut unknowing = bench.task(2, false);
    assert_eq!(unknowing.open(&tp(), None, 9).expect("open").resume, 9);
    unknowing.put(vec![to("other", 9..14)], &mut strict).expect("put");
    settled(&mut unknowing);
    assert_eq!(unknowing.rewinds(), BTreeMap::from([(tp(), 12)]));
    assert!(unknowing.open(&tp(), None, 12).expect("open").learned.is_some(), "of the file that was there");

    let refused = refused_of(&mut again, vec![to("../out", 12..13), to("a//b", 13..14), to("t", 14..17)]);
    assert_eq!(refused.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [12, 13]);
    assert!(refused[0].1.contains("\"../out\"") && refused[0].1.contains("it leaves its folder"), "{refused:?}");
    settled(&mut again);
    assert_eq!(bench.landed()["t+0+0000000014.snappy.parquet"], [14, 15, 16]);
}

#[test]
fn null_values_that_are_ignored_are_left_out_and_covered() {
    let bench = Bench::new();
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
        (layout.rotation.flush_size, layout.nulls) = (Some(4), NullValues::Ignore);
    });
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![tombstones(range(0..3))], &mut strict).expect("put");
    assert_eq!(settled(&mut task), Some(Offset { offset: 3, metadata: String::new() }), "committed without a file");
    let all = nulled(range(3..12), &[3, 5, 6, 11]);
    task.put(vec![all, tombstones(range(12..14)), range(14..16)], &mut strict).expect("put");
    assert_eq!(files(&mut task, &bench), [vec![4, 7, 8, 9]], "tombstones do not end a file");
    task.put(vec![nulled(range(16..20), &[16, 19])], &mut strict).expect("put");
    assert_eq!(files(&mut task, &bench), [vec![4, 7, 8, 9], vec![10, 14, 15, 17]]);
    assert_eq!(task.close(&[tp()], false, WAIT).expect("close"), BTreeMap::new(), "18 is dropped with its file");
    let mut again = bench.rotating(Rotation { flush_size: Some(1), ..Rotation::default() });
    assert_eq!(again.open(&tp(), None, 4).expect("open").resume, 18, "the second file begins where the first one ended");
}

#[test]
fn null_values_that_are_written_are_rows_of_their_keys() {
    let bench = Bench::new();
    let write = |layout: &mut Layout| {
        (layout.rotation.flush_size, layout.nulls) = (Some(4), NullValues::Write);
        layout.columns.system = vec![SystemColumn::Offset, SystemColumn::Key];
    };
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), write);
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![tombstones(range(0..2)), nulled(range(2..5), &[3]), tombstones(range(5..7))], &mut strict).expect("put");
    task.put(vec![tombstones(range(7..8)), range(8..10)], &mut strict).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(10), "nothing is known of the values of the first file");
    task.put(vec![nulled(range(10..14), &[11])], &mut strict).expect("put");
    let committed = settled(&mut task).expect("moved");
    assert_eq!(committed.offset, 14);
    drop(task);
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), write);
    assert_eq!(task.open(&tp(), Some(&committed), 14).expect("open").resume, 14);
    task.put(vec![tombstones(range(14..16)), range(16..20)], &mut strict).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(20));

    let folder = bench.root.path().join("topics/t/partition=0");
    let rows = |first: i64| -> Vec<(Option<i64>, i64, i64)> {
        let file = std::fs::File::open(folder.join(format!("t+0+{first:010}.snappy.parquet"))).expect("a file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").build().expect("a reader");
        let rows = |batch: RecordBatch| -> Vec<_> {
            let id = batch.column_by_name("id").map(|ids| ids.as_primitive::<Int64Type>().clone());
            let offsets = batch.column_by_name("__offset").expect("offsets").as_primitive::<Int64Type>().clone();
            let keys = batch.column_by_name("__key").expect("keys").as_binary::<i32>().clone();
            let key = |row: usize| i64::from_le_bytes(keys.value(row).try_into().expect("8 bytes"));
            let id = |row: usize| id.as_ref().filter(|ids| ids.is_valid(row)).map(|ids| ids.value(row));
            (0..batch.num_rows()).map(|row| (id(row), offsets.value(row), key(row))).collect()
        };
        reader.flat_map(|batch| rows(batch.expect("rows"))).collect()
    };
    let expected = |offsets: Range<i64>, null: &[i64]| -> Vec<(Option<i64>, i64, i64)> {
        offsets.map(|o| ((!null.contains(&o)).then_some(o), o, o)).collect()
    };
    for (offsets, null) in
        [(0..2, &[0, 1][..]), (2..6, &[3, 5]), (6..10, &[6, 7]), (10..14, &[11]), (14..16, &[14, 15]), (16..20, &[])]
    {
        assert_eq!(rows(offsets.start), expected(offsets, null));
    }
    assert_eq!(bench.landed_names().len(), 6);
}

#[test]
fn null_values_that_are_written_join_the_rows_before_them_whatever_was_dropped_between() {
    let bench = Bench::new();
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
        (layout.rotation.flush_size, layout.nulls) = (Some(4), NullValues::Write);
    });
    task.open(&tp(), None, 0).expect("open");
    // What transforms have dropped has the schema of before them.
    let dropped = Batch { covers: 2..5, ..batch(&[2, 3, 4], "an envelope").slice(&(0..0)) };
    task.put(vec![range(0..2), dropped, tombstones(range(5..7))], &mut strict).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(7));
    assert_eq!(bench.landed_names(), ["t+0+0000000000.snappy.parquet"]);
}

#[test]
fn null_values_that_are_written_may_have_fields_with_fields_that_are_required() {
    let bench = Bench::new();
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| {
        (layout.rotation.flush_size, layout.nulls) = (Some(4), NullValues::Write);
    });
    task.open(&tp(), None, 0).expect("open");
    let nest = |batch: Batch| {
        let fields = Fields::from(vec![Field::new("inner", batch.value.field.data_type().clone(), false)]);
        let array = Arc::new(StructArray::new(fields.clone(), vec![batch.value.array.clone()], None));
        Batch { value: Column { field: Arc::new(Field::new("v", DataType::Struct(fields), false)), array }, ..batch }
    };
    task.put(vec![nest(range(0..2)), tombstones(range(2..4))], &mut strict).expect("put");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(4));
    assert_eq!(bench.landed_names(), ["t+0+0000000000.snappy.parquet"]);
}

/// The files that have landed once none is on its way, in offset order.
fn files(task: &mut LakeTask, bench: &Bench) -> Vec<Vec<i64>> {
    settled(task);
    bench.landed().into_values().collect()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_file_ends_by_its_age_without_a_record() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { open: Some(MINUTE), ..Rotation::default() });
    let begun = Instant::now();
    let ended = |task: &LakeTask| task.shared.metrics.files_ended.open.get();
    task.open(&tp(), None, 0).expect("open");
    task.settle(begun + MINUTE * 2).expect("nothing is open");
    task.put_batch(&range(0..3), begun, &mut strict).expect("put");
    task.put_batch(&range(3..5), begun + MINUTE / 2, &mut strict).expect("put");
    task.settle(begun + MINUTE - Duration::from_millis(1)).expect("no failure");
    assert_eq!(ended(&task), 0, "not yet");
    task.settle(begun + MINUTE).expect("no failure");
    assert_eq!((ended(&task), settled(&mut task).map(|o| o.offset)), (1, Some(5)));
    task.settle(begun + MINUTE * 9).expect("no failure");
    assert_eq!(ended(&task), 1, "once");
    task.put_batch(&range(5..6), begun + MINUTE * 10, &mut strict).expect("put");
    task.settle(begun + MINUTE * 11).expect("no failure");
    assert_eq!((ended(&task), settled(&mut task).map(|o| o.offset)), (2, Some(6)));
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [vec![0, 1, 2, 3, 4], vec![5]]);
}

#[test]
fn a_file_ends_when_no_record_came_for_long_enough() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { idle: Some(MINUTE), flush_size: Some(100), ..Rotation::default() });
    let begun = Instant::now();
    task.open(&tp(), None, 0).expect("open");
    for n in 0..5 {
        let now = begun + MINUTE * 3 / 4 * n;
        task.settle(now).expect("no failure");
        task.put_batch(&range(i64::from(n)..i64::from(n) + 1), now, &mut strict).expect("put");
    }
    assert_eq!(task.shared.metrics.files_ended.idle.get(), 0);
    task.settle(begun + MINUTE * 4).expect("no failure");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(5));
    assert_eq!(task.shared.metrics.files_ended.idle.get(), 1);
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [vec![0, 1, 2, 3, 4]]);
}

#[test]
fn the_age_of_a_file_begins_anew_when_its_partition_comes_back() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { open: Some(MINUTE), ..Rotation::default() });
    let begun = Instant::now();
    task.open(&tp(), None, 0).expect("open");
    task.put_batch(&range(0..3), begun, &mut strict).expect("put");
    task.close(&[tp()], false, WAIT).expect("close");
    task.open(&tp(), None, 0).expect("open");
    task.put_batch(&range(0..4), begun + MINUTE / 2, &mut strict).expect("put");
    task.settle(begun + MINUTE * 5 / 4).expect("no failure");
    assert_eq!(task.shared.metrics.files_ended.open.get(), 0, "that was the time of the dropped file");
    task.settle(begun + MINUTE * 3 / 2).expect("no failure");
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(4));
    assert_eq!(task.shared.metrics.files_ended.open.get(), 1);
    assert_eq!(bench.landed().into_values().collect::<Vec<_>>(), [vec![0, 1, 2, 3]]);
}

#[test]
fn a_file_ends_by_its_bytes_as_they_are_encoded() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { size: Some(50_000), ..Rotation::default() });
    task.open(&tp(), None, 0).expect("open");
    let until = Instant::now() + WAIT;
    let mut put = 0;
    while task.shared.metrics.files_ended.size.get() < 3 && Instant::now() < until {
        task.put(vec![range(put..put + 500)], &mut strict).expect("put");
        put += 500;
        while task.shared.backlog.bytes() > 0 {
            std::thread::sleep(Duration::from_millis(1)); // so that nothing waits for the encoder
        }
    }
    task.ready(Duration::ZERO).expect("no failure");
    let sizes: Vec<usize> = files(&mut task, &bench).iter().map(Vec::len).collect();
    // 8 bytes an id, and less where the encoder knows better
    assert!(sizes.len() == 3 && sizes.iter().all(|rows| (6000..20_000).contains(rows)), "{sizes:?}");
}

#[test]
fn a_full_file_ends_without_another_record() {
    let bench = Bench::new();
    let mut task = bench.rotating(Rotation { size: Some(1), ..Rotation::default() });
    task.open(&tp(), None, 0).expect("open");
    task.put(vec![range(0..3)], &mut strict).expect("put");
    let until = Instant::now() + WAIT;
    while task.shared.metrics.files_landed.get() == 0 && Instant::now() < until {
        assert!(task.ready(Duration::ZERO).expect("no failure"));
    }
    assert_eq!(settled(&mut task).map(|o| o.offset), Some(3));
    assert_eq!((task.shared.metrics.files_ended.size.get(), bench.landed().len()), (1, 1));
}

#[test]
fn files_that_are_due_together_go_to_the_store_a_portion_at_a_time() {
    const FILES: i32 = 700;
    let bench = Bench::new();
    let down = Arc::new(AtomicBool::new(true));
    let asked = down.clone();
    let refuse = move |call: &str| match call {
        call if call.starts_with("stage") && asked.load(Ordering::Relaxed) => Err(StorageError::Retriable("away".into())),
        _ => Ok(()),
    };
    let rotation = Rotation { open: Some(MINUTE), ..Rotation::default() };
    let mut task = bench.task_of(Asking::new(bench.root.path(), refuse), |layout| layout.rotation = rotation);
    let begun = Instant::now();
    for partition in 0..FILES {
        let origin = TopicPartition::new("t", partition);
        task.open(&origin, None, 0).expect("open");
        task.put_batch(&Batch { origin, ..range(0..1) }, begun, &mut strict).expect("put");
    }
    task.settle(begun + MINUTE).expect("no failure");
    task.settle(begun + MINUTE).expect("no failure");
    let ended = task.shared.metrics.files_ended.open.get();
    assert!((500..520).contains(&ended), "{ended}");
    down.store(false, Ordering::Relaxed);
    let until = Instant::now() + WAIT;
    while task.shared.metrics.files_landed.get() < FILES as u64 && Instant::now() < until {
        task.ready(Duration::from_millis(50)).expect("no failure");
        task.settle(begun + MINUTE).expect("no failure");
    }
    assert_eq!((task.shared.metrics.files_ended.open.get(), task.shared.metrics.files_landed.get()), (700, 700));
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
    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
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
    task.put(vec![range(0..20)], &mut strict).expect("put");
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
    task.put(vec![Batch { origin: other, ..range(0..10) }], &mut strict).expect("put");
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
    task.put(vec![range(0..10)], &mut strict).expect("put");
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
        task.put(vec![range(put..put + 100)], &mut strict).expect("put");
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
    /// The records that are tombstones, which are left out.
    tombstones: fn(i64) -> bool,
    /// The topic that a record is routed to.
    route: fn(i64) -> &'static str,
}

const ROUTES: [&str; 3] = ["t", "other", "other/nested"];

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
        for part in left.chunk_by(|a, b| a / 40 == b / 40 && (self.route)(*a) == (self.route)(*b)) {
            let null: Vec<i64> = part.iter().copied().filter(|o| (self.tombstones)(*o)).collect();
            let batch = nulled(batch(part, &(part[0] / 40).to_string()), &null);
            if let Some(before) = batches.last_mut() {
                before.covers.end = part[0];
                begin = part[0];
            }
            let covers = begin..batch.covers.end;
            batches.push(Batch { covers, topic: (self.route)(part[0]).into(), ..batch });
        }
        if let Some(last) = batches.last_mut() {
            last.covers.end = last.covers.end.max(end);
        }
        self.task.put(batches, &mut strict).expect("put");
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
    let visible =
        |bench: &Bench| ROUTES.iter().flat_map(|topic| bench.landed_in(topic).into_values().flatten()).collect::<Vec<i64>>();
    for seed in 0..6u64 {
        let route: fn(i64) -> &'static str = match seed {
            4 => |_| ROUTES[1],
            5 => |offset| ROUTES[(offset / 9 % 3) as usize],
            _ => |_| ROUTES[0],
        };
        let tombstones: fn(i64) -> bool = if seed == 3 { |offset| offset % 13 < 4 } else { |_| false };
        let lands = move |offset: &i64| Owner::exists(*offset) && !tombstones(*offset);
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
        let new = |flush: u64| {
            let task = bench.task_of(storage.clone(), |layout| {
                let (open, idle) = (Duration::from_millis(flush), Duration::from_millis(2));
                layout.rotation = match seed {
                    0 => Rotation { flush_size: Some(flush), ..Rotation::default() },
                    1 => Rotation { flush_size: Some(2 * flush), open: Some(open), idle: Some(idle), ..Rotation::default() },
                    _ => {
                        Rotation { flush_size: Some(3 * flush), open: Some(open), size: Some(100 * flush), ..Rotation::default() }
                    }
                };
                layout.flush_on_stop = flush.is_multiple_of(2);
                layout.nulls = NullValues::Ignore;
            });
            Owner { task, at: 0, open: false, tombstones, route }
        };
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
                        let missing = (0..given.offset).find(|o| lands(o) && !landed.contains(o));
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
        let expected: Vec<i64> = (0..END).filter(lands).collect();
        assert_eq!(landed, expected, "seed {seed}");
    }
}

#[test]
fn what_was_refused_of_landed_records_is_refused_again_and_nothing_lands() {
    let bench = Bench::new();
    let mut task = bench.task_of(Arc::new(LocalStorage::new(bench.root.path())), |layout| layout.nulls = NullValues::Report);
    task.open(&tp(), None, 10).expect("open");
    let mut refused = Vec::new();
    task.refused(&[nulled(range(0..5), &[1, 3])], &mut |offset, _| refused.push(offset)).expect("no failure");
    assert_eq!(refused, [1, 3]);
    assert!(task.partitions[&tp()].open.is_none());
    assert_eq!(task.partitions[&tp()].ledger.position(), 10);
}
