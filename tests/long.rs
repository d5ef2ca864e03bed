//! Tests that take too long for every change: `make test-long`.

mod memory;
#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod support;
mod types;

use serde_json::json;
use tempfile::TempDir;

#[test]
fn a_file_of_2_gb_is_written_within_300_mb_of_memory() {
    memory::one_file_of(2000);
}

#[test]
fn readers_see_the_rows_of_thousands_of_random_schemas() {
    types::readers_see_random_rows(17, 3000);
}

/// Spark writes what it has read of each file; what is in the files that it wrote is compared.
#[test]
fn spark_sees_the_rows_of_random_schemas() {
    let folder = TempDir::with_prefix("landfall-types-").expect("a folder");
    let (rows, _) = types::random_files(folder.path(), 29, 60, true);
    let path = folder.path().to_str().expect("a path of text");
    assert_eq!(support::read::python_of("spark", "spark.py", &[path]), json!({"files": 120}));
    let found = support::read::python("values.py", &[&format!("{path}/spark")]);
    assert_eq!(found, json!({"seen": {"pyarrow": rows, "duckdb": 0}, "otherwise": []}));
}
