use std::fs;
use std::path::Path;

use arrow_array::{BinaryArray, Int64Array, NullArray, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field};
use landfall_api::{Column, RawBatch};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;

fn task(runtime: &Runtime, file: &Path) -> Result<Box<dyn SinkTask>, TaskError> {
    let folders = Folders { written: vec!["/dev".into()], ..Folders::all() }.into();
    let context = TaskContext { folders, ..TaskContext::new("c", 0, runtime.handle().clone(), 1 << 20) };
    FileStreamSink.task(&Properties::from([("file".into(), file.display().to_string())]), context)
}

/// A fetch of one partition from offset `first` on, with an offset behind it that holds no record.
fn batch(partition: i32, first: i64, values: &[&str]) -> Batch {
    let (origin, rows) = (TopicPartition::new("t", partition), values.len());
    let offset = Int64Array::from_iter_values(first..first + rows as i64);
    let timestamp = TimestampMillisecondArray::from(vec![0; rows]);
    let none = BinaryArray::from(vec![None; rows]);
    let raw = RawBatch {
        origin: origin.clone(),
        key: none.clone(),
        value: none,
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    let column = |data_type, array| Column { field: Arc::new(Field::new("value", data_type, true)), array };
    Batch {
        origin,
        topic: "t".into(),
        key: column(DataType::Null, Arc::new(NullArray::new(rows))),
        value: column(DataType::Utf8, Arc::new(StringArray::from(values.to_vec()))),
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers: first..first + rows as i64 + 1,
    }
}

/// Tolerates nothing.
#[expect(clippy::needless_pass_by_value, reason = "it is what a sink gives")]
fn strict(_: i64, error: RecordError) -> Result<(), TaskError> {
    Err(TaskError::Fatal(error.to_string()))
}

fn committable(offsets: BTreeMap<TopicPartition, Offset>) -> Vec<(i32, i64)> {
    offsets.into_iter().map(|(tp, committed)| (tp.partition, committed.offset)).collect()
}

#[test]
fn values_are_appended_and_offsets_follow_the_disk() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let path = folder.path().join("lines");
    fs::write(&path, "before\n").unwrap();
    let mut task = task(&runtime, &path).unwrap();
    let opening = Opening { first: 5, ..Opening::default() };
    assert_eq!(task.open(&TopicPartition::new("t", 0), &opening).unwrap().expect("opened").resume, 5);
    task.put(vec![batch(0, 5, &["a", "b"]), batch(0, 8, &["c"])], &mut strict).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "before\na\nb\nc\n");
    let began = Instant::now();
    let offsets = loop {
        let offsets = task.pre_commit().unwrap();
        if !offsets.is_empty() {
            break offsets;
        }
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::yield_now();
    };
    assert_eq!(committable(offsets), [(0, 10)]);
    assert_eq!(committable(task.pre_commit().unwrap()), []);
}

#[test]
fn a_close_waits_for_the_disk() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let path = folder.path().join("lines");
    let mut task = task(&runtime, &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "made at the start");
    task.put(vec![batch(0, 0, &["a"])], &mut strict).unwrap();
    task.put(vec![batch(1, 0, &["b"])], &mut strict).unwrap();
    let _ = task.pre_commit().unwrap();
    task.put(vec![batch(1, 2, &["c"])], &mut strict).unwrap();
    let partitions = [0, 1].map(|partition| TopicPartition::new("t", partition));
    let given = committable(task.close(&partitions, false, Duration::from_secs(30)).unwrap());
    assert_eq!(given, [(0, 2), (1, 4)]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
}

#[test]
fn two_tasks_keep_their_lines_whole() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let path = folder.path().join("lines");
    let long = ["x".repeat(3000), "y".repeat(5000)];
    std::thread::scope(|scope| {
        for (partition, line) in (0..).zip(&long) {
            let mut task = task(&runtime, &path).unwrap();
            scope.spawn(move || {
                for n in 0..20 {
                    task.put(vec![batch(partition, n * 101, &vec![line.as_str(); 100])], &mut strict).unwrap();
                }
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    let whole = |line: &String| text.lines().filter(|l| l == line).count();
    assert_eq!((text.lines().count(), whole(&long[0]), whole(&long[1])), (4000, 2000, 2000));
}

#[test]
fn a_file_that_cannot_be_made_is_named_as_java_names_it() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let path = folder.path().join("no/such/folder");
    let error = task(&runtime, &path).unwrap_err().to_string();
    let first = format!(
        "org.apache.kafka.connect.errors.ConnectException: Couldn't find or create file '{}' for FileStreamSinkTask",
        path.display()
    );
    assert_eq!(error.lines().next(), Some(&*first));
    assert!(error.contains("No such file or directory"), "{error}");
}

#[test]
fn a_full_disk_fails_the_task() {
    let runtime = Runtime::new().unwrap();
    let mut task = task(&runtime, Path::new("/dev/full")).unwrap();
    let error = task.put(vec![batch(0, 0, &["a"])], &mut strict).unwrap_err();
    assert!(error.to_string().contains("cannot write to /dev/full: No space left on device"), "{error}");
    assert_eq!(committable(task.close(&[TopicPartition::new("t", 0)], true, Duration::ZERO).unwrap()), []);
}

#[test]
fn what_has_no_disk_is_written_to_as_well() {
    let runtime = Runtime::new().unwrap();
    let mut task = task(&runtime, Path::new("/dev/null")).unwrap();
    task.put(vec![batch(0, 0, &["a"])], &mut strict).unwrap();
    let partitions = [TopicPartition::new("t", 0)];
    assert_eq!(committable(task.close(&partitions, false, Duration::from_secs(30)).unwrap()), [(0, 2)]);
}

#[test]
fn values_of_a_type_that_has_no_text_are_refused_and_others_written() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let path = folder.path().join("lines");
    let mut task = task(&runtime, &path).unwrap();
    let mut odd = batch(0, 1, &["x", "y"]);
    odd.value = Column {
        field: Arc::new(Field::new("value", DataType::UInt8, true)),
        array: Arc::new(arrow_array::UInt8Array::from(vec![1, 2])),
    };
    let mut refused = Vec::new();
    let mut tolerate = |offset, error: RecordError| {
        refused.push((offset, error.class));
        Ok(())
    };
    task.put(vec![batch(0, 0, &["a"]), odd.clone(), batch(0, 3, &["b"])], &mut tolerate).unwrap();
    let class = "org.apache.kafka.connect.errors.DataException";
    assert_eq!(refused, [(1, class), (2, class)]);
    task.put(vec![batch(0, 4, &["c"]), odd, batch(0, 7, &["d"])], &mut strict).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n", "what is before a record that is not tolerated");
}
