//! What the commit protocol costs: commits beside the least that makes a file durable, calls to the store for each file, and a
//! thousand folders beside one.
//!
//! All of it lands in a directory, so that only the worker's own work and the disk's are seen.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{BinaryArray, Int64Array, RecordBatch, StringArray, StructArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use landfall_adls::AzureDataLakeSink;
use landfall_api::{
    Batch, Column, Faults, Opening, Properties, RawBatch, SinkConnector as _, SinkTask, TaskContext, TaskMetrics, TopicPartition,
};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;
use tokio::runtime::Runtime;

// The worker's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTITIONS: i32 = 32;
const FILES: i64 = 100;
const ROWS: i64 = 10;
const RUNS: usize = 5;
const FOLDERS: i64 = 1000;
const SPREAD: i64 = 1_000_000;
const BATCH: i64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    println!("{PARTITIONS} partitions, {FILES} files of {ROWS} rows each, median of {RUNS} runs\n");
    println!("| what | files/s | CPU ms/file | × limit |\n|---|---|---|---|");
    let mut runs: Vec<(Cost, Cost, u64)> = (0..RUNS)
        .map(|_| {
            let limit = measured(durable);
            let mut commits = 0;
            let landed = measured(|| commits = committed(&runtime));
            (limit, landed, commits)
        })
        .collect();
    runs.sort_by(|a, b| (a.1.cpu / a.0.cpu).total_cmp(&(b.1.cpu / b.0.cpu)));
    let (limit, landed, commits) = runs[RUNS / 2];
    let files = f64::from(PARTITIONS) * FILES as f64;
    for (what, cost) in [("write, sync, rename, sync", limit), ("landfall", landed)] {
        let (rate, cpu) = (files / cost.wall, 1000.0 * cost.cpu / files);
        println!("| {what} | {rate:.0} | {cpu:.2} | {:.2} |", cost.cpu / limit.cpu);
    }
    println!("\n{commits} commits: {:.1} files in one, {:.0} commits/s\n", files / commits as f64, commits as f64 / landed.wall);

    println!("{SPREAD} rows of one partition in batches of {BATCH}\n\n| folders | CPU-s/M | × one |\n|---|---|---|");
    let one = measured(|| spread(&runtime, 1));
    for folders in [1, 100, FOLDERS] {
        let cost = if folders == 1 { one } else { measured(|| spread(&runtime, folders)) };
        println!("| {folders} | {:.2} | {:.2} |", cost.cpu * 1e6 / SPREAD as f64, cost.cpu / one.cpu);
    }
}

/// What something took, in seconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: f64,
    cpu: f64,
}

fn measured(work: impl FnOnce()) -> Cost {
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let (begun, before) = (Instant::now(), cpu());
    work();
    Cost { wall: begun.elapsed().as_secs_f64(), cpu: cpu() - before }
}

/// The least that makes as many files durable, each partition's one after the other: no other program sees half of one.
fn durable() {
    let folder = TempDir::new().expect("a folder");
    let bytes = vec![7; 1500];
    std::thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let (root, bytes) = (folder.path(), &bytes);
            scope.spawn(move || {
                let target = root.join(partition.to_string());
                fs::create_dir(&target).expect("a folder");
                for file in 0..FILES {
                    let staged = root.join(format!("{partition}-{file}"));
                    let mut open = File::create(&staged).expect("a file");
                    open.write_all(bytes).and_then(|()| open.sync_all()).expect("written");
                    fs::rename(&staged, target.join(file.to_string())).expect("renamed");
                    File::open(&target).and_then(|folder| folder.sync_all()).expect("synced");
                }
            });
        }
    });
}

fn task(runtime: &Runtime, folder: &Path, more: &[(&str, &str)], metrics: &Arc<TaskMetrics>) -> Box<dyn SinkTask> {
    let url = format!("file://{}", folder.display());
    let format = "io.confluent.connect.azure.storage.format.parquet.ParquetFormat";
    let given = [("store.url", &*url), ("format.class", format), ("topics.dir", "t"), ("landfall.rotate.open.ms", "3600000")];
    let properties: Properties = given.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let faults: Faults = AzureDataLakeSink.validate(&properties);
    assert!(faults.is_empty(), "{faults}");
    let context = TaskContext::new("bench", 0, runtime.handle().clone(), 512 << 20);
    AzureDataLakeSink.task(&properties, TaskContext { metrics: metrics.clone(), ..context }).expect("a task")
}

fn opened(task: &mut dyn SinkTask, partition: &TopicPartition) {
    while task.open(partition, &Opening::default()).expect("asked").is_none() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Lands files of a few rows and waits until all are visible; the commits that it took.
fn committed(runtime: &Runtime) -> u64 {
    let (folder, metrics) = (TempDir::new().expect("a folder"), Arc::new(TaskMetrics::default()));
    let flush = ROWS.to_string();
    let mut task = task(runtime, folder.path(), &[("flush.size", &flush)], &metrics);
    let partitions: Vec<_> = (0..PARTITIONS).map(|partition| TopicPartition::new("t", partition)).collect();
    partitions.iter().for_each(|partition| opened(&mut *task, partition));
    for file in 0..FILES {
        for partition in &partitions {
            put(&mut *task, partition, file * ROWS..(file + 1) * ROWS, 1);
        }
    }
    let begun = Instant::now();
    while metrics.files_landed.get() < PARTITIONS as u64 * FILES as u64 {
        task.ready(Duration::from_millis(1)).expect("ready");
        task.pre_commit().expect("offsets");
        assert!(begun.elapsed() < PATIENCE, "{} files", metrics.files_landed.get());
    }
    metrics.pointer_commits.get()
}

/// Lands rows in so many folders.
fn spread(runtime: &Runtime, folders: i64) {
    let (folder, metrics) = (TempDir::new().expect("a folder"), Arc::new(TaskMetrics::default()));
    let field = "io.confluent.connect.storage.partitioner.FieldPartitioner";
    let mut task = task(runtime, folder.path(), &[("partitioner.class", field), ("partition.field.name", "folder")], &metrics);
    let partition = TopicPartition::new("t", 0);
    opened(&mut *task, &partition);
    for first in (0..SPREAD).step_by(BATCH as usize) {
        put(&mut *task, &partition, first..first + BATCH, folders);
        while !task.ready(Duration::from_secs(1)).expect("ready") {}
    }
    task.close(&[partition], false, PATIENCE).expect("closed");
    assert_eq!(metrics.rows_landed.get(), SPREAD as u64);
}

/// Puts rows whose folders come in no order.
fn put(task: &mut dyn SinkTask, origin: &TopicPartition, offsets: Range<i64>, folders: i64) {
    let offset = Int64Array::from_iter_values(offsets.clone());
    let timestamp = TimestampMillisecondArray::from_iter_values(offsets.clone());
    let none = BinaryArray::from(vec![None; offset.len()]);
    let raw = RawBatch {
        origin: origin.clone(),
        key: none.clone(),
        value: none.clone(),
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    let places = offsets.clone().map(|offset| (offset.wrapping_mul(0x9e37_79b9) >> 7).rem_euclid(folders));
    let fields = Fields::from(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("folder", DataType::Int64, false),
        Field::new("text", DataType::Utf8, false),
    ]);
    let columns = RecordBatch::try_from_iter([
        ("id", Arc::new(offset.clone()) as _),
        ("folder", Arc::new(Int64Array::from_iter_values(places)) as _),
        ("text", Arc::new(StringArray::from_iter_values(offsets.clone().map(|offset| format!("row {offset}")))) as _),
    ]);
    let value = StructArray::new(fields.clone(), columns.expect("columns").columns().to_vec(), None);
    let batch = Batch {
        origin: origin.clone(),
        topic: origin.topic.clone(),
        key: Column { field: Arc::new(Field::new("", DataType::Binary, true)), array: Arc::new(none) },
        value: Column { field: Arc::new(Field::new("", DataType::Struct(fields), false)), array: Arc::new(value) },
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers: offsets,
    };
    task.put(vec![batch], &mut |_, error| panic!("{error}")).expect("taken");
}
