//! What other programs see in landed files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::cache;

/// All files below a folder, as paths relative to it, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
        // A folder may not be there yet.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).expect("a path below its root").to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// The batches of one Parquet file.
pub(crate) fn batches(file: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).expect("a landed file")).expect("a Parquet file");
    reader.build().expect("a reader").map(|batch| batch.expect("a batch")).collect()
}

/// The number of rows of one Parquet file, by its footer.
pub(crate) fn row_count(file: &Path) -> i64 {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).expect("a landed file")).expect("a Parquet file");
    reader.metadata().file_metadata().num_rows()
}

/// A column of integers of one Parquet file; nulls are left out.
pub(crate) fn integers(file: &Path, column: &str) -> Vec<i64> {
    let of = |batch: RecordBatch| -> Vec<i64> {
        let values = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
        match values.data_type() {
            DataType::Int32 => values.as_primitive::<Int32Type>().iter().flatten().map(i64::from).collect(),
            _ => values.as_primitive::<Int64Type>().iter().flatten().collect(),
        }
    };
    batches(file).into_iter().flat_map(of).collect()
}

/// A column of strings of one Parquet file; nulls are left out.
pub(crate) fn strings(file: &Path, column: &str) -> Vec<String> {
    let of = |batch: RecordBatch| -> Vec<String> {
        let values = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
        values.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    };
    batches(file).into_iter().flat_map(of).collect()
}

/// Where the landed rows of each partition end, after a check that every file of `topic` below `<root>/<topics_dir>` is named as
/// Confluent's sinks name it and that the files of a partition, by the start offsets in their names, follow each other from 0 on
/// without a gap or an overlap. Holds for topics without gaps in their own offsets.
pub(crate) fn tiled(root: &Path, topics_dir: &str, topic: &str) -> BTreeMap<i32, i64> {
    let mut ends = BTreeMap::new();
    for path in files(&root.join(topics_dir).join(topic)) {
        let name = path.to_str().expect("a name of text");
        let parsed = || -> Option<(i32, i64)> {
            let (folder, file) = name.split_once('/')?;
            let partition: i32 = folder.strip_prefix("partition=")?.parse().ok()?;
            let file = file.strip_prefix(&format!("{topic}+{partition}+"))?;
            let start = file.strip_suffix(".snappy.parquet").or_else(|| file.strip_suffix(".zstd.parquet"))?;
            (start.len() == 10).then(|| Some((partition, start.parse().ok()?))).flatten()
        };
        let (partition, start) = parsed().unwrap_or_else(|| panic!("a name that Confluent's sinks would not give: {name}"));
        let end = ends.entry(partition).or_insert(0);
        assert_eq!(start, *end, "{name} does not start where the file before it ends");
        *end += row_count(&root.join(topics_dir).join(topic).join(&path));
    }
    ends
}

/// What a reader of Python sees in all files below a folder taken together, Parquet or JSON lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) count: i64,
    /// Different values of the column asked for, their smallest and largest.
    pub(crate) distinct: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
    /// The reader's own name of each column's type, in the order of the columns.
    pub(crate) types: Vec<(String, String)>,
}

/// Reads with `reader`, `duckdb` or `pyarrow`; `column` holds integers.
pub(crate) fn seen_by(reader: &str, folder: &Path, column: &str) -> Seen {
    let seen = python("read.py", &[reader, folder.to_str().expect("a path of text"), column]);
    let int = |key: &str| seen[key].as_i64().unwrap_or_else(|| panic!("{key} in {seen}"));
    let types = seen["types"].as_object().into_iter().flatten();
    let types = types.map(|(name, kind)| (name.clone(), kind.as_str().unwrap_or_default().to_owned())).collect();
    Seen { count: int("count"), distinct: int("distinct"), min: int("min"), max: int("max"), types }
}

/// Runs a script of `tests/data` in the Python environment of the tests; what it prints has to be JSON.
pub(crate) fn python(script: &str, arguments: &[&str]) -> Value {
    python_of("venv", script, arguments)
}

/// The same in another one.
pub(crate) fn python_of(environment: &str, script: &str, arguments: &[&str]) -> Value {
    python_with(environment, &[], script, arguments)
}

/// The same with variables.
pub(crate) fn python_with(environment: &str, variables: &[(&str, &OsStr)], script: &str, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(script);
    let mut command = Command::new(cache(environment).join("bin/python"));
    let out = command.arg(&script).args(arguments).envs(variables.iter().copied()).output().expect("python");
    assert!(out.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON from a script")
}
