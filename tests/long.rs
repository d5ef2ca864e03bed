//! Tests that take too long for every change: `make test-long`.

#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod cluster;
#[expect(dead_code, reason = "shared with the tests of every change, which replay a file")]
mod converters;
mod event_hubs_soak;
mod idle;
mod many;
#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod memory;
mod readers;
#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod support;
#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod types;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tempfile::TempDir;

use converters::{UNKNOWN, by_java, by_landfall, difference, generate, shown};

/// `MINUTES` says for how long, `SEED` repeats the choices of another run.
#[test]
fn soak() {
    let minutes = std::env::var("MINUTES").map_or(30, |minutes| minutes.parse().expect("MINUTES is a number"));
    let report = support::soak::soak(support::secs(minutes * 60), support::soak::seed());
    assert!(report.is_once(), "{report}");
}

/// As the soak: `MINUTES` for how long, `SEED` for the choices of another run.
#[test]
fn a_worker_lands_event_hubs_once_for_minutes() {
    let minutes = std::env::var("MINUTES").map_or(5, |minutes| minutes.parse().expect("MINUTES is a number"));
    let (landed, seen, kills) = event_hubs_soak::soak(support::secs(minutes * 60), support::soak::seed());
    println!("{landed:#?}\n{seen:#?}\n{kills} kills");
    assert!(landed.iter().all(support::once::Landed::is_once), "{landed:#?}");
    assert!(seen.violations.is_empty(), "{seen:#?}");
}

#[test]
fn a_file_of_2_gb_is_written_within_300_mb_of_memory() {
    memory::one_file_of(2000);
}

#[test]
fn ten_thousand_open_files_are_written_within_1_gib_of_memory() {
    println!("{}", memory::many_files(1000, 2_000_000, 512, 1024.0));
}

#[test]
fn an_idle_worker_answers_within_half_a_second_and_has_40_mb() {
    println!("{}", idle::workers());
}

#[test]
fn two_hundred_connectors_with_a_thousand_tasks_run_in_one_worker() {
    println!("{}", many::connectors(200, 5));
}

#[test]
fn a_cluster_is_replaced_worker_by_worker_in_other_protocols() {
    cluster::roll("roll-compatible", &[("connect.protocol", "compatible"), ("scheduled.rebalance.max.delay.ms", "2000")]);
    cluster::roll("roll-eager", &[("connect.protocol", "eager")]);
}

#[test]
fn a_cluster_survives_its_workers() {
    cluster::failures("failures", &[]);
    cluster::failures("failures-delayed", &[("scheduled.rebalance.max.delay.ms", "2000")]);
}

#[test]
fn a_cluster_survives_a_silent_broker() {
    cluster::silence("silence");
}

#[test]
fn a_leader_gives_work_to_those_who_can() {
    cluster::unequal("unequal");
}

#[test]
fn converters_make_what_kafkas_make_of_10000_new_records() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let groups = generate::groups(seed, 10_000);
    let mut unknown = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (group, results) in groups.iter().zip(by_java(&groups)) {
        for ((record, result), ours) in group.records.iter().zip(&results).zip(by_landfall(group)) {
            let reason = difference(group, record.as_deref(), result, &ours);
            if reason == Some(UNKNOWN) {
                unknown.push(shown(group, record.as_deref(), result, &ours));
            }
            *counts.entry(reason.unwrap_or("none")).or_default() += 1;
        }
    }
    assert!(unknown.is_empty(), "with seed {seed}: {}", unknown.join("\n"));
    assert!(counts["none"] > 8_000, "differences for known reasons, with seed {seed}: {counts:?}");
}

#[test]
fn readers_see_the_rows_of_thousands_of_random_schemas() {
    types::readers_see_random_rows(17, 3000);
}

#[test]
fn readers_see_the_rows_of_thousands_of_random_schemas_in_wire_formats() {
    types::readers_see_random_rows_of_wire_formats(19, 1000);
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

/// Spark runs what it can of the documents, and parquet-java reads every value.
#[test]
fn spark_and_parquet_java_read_what_has_landed() {
    let store = readers::landed();
    let folder = store.landed().to_str().expect("a path of text");
    let jars = support::cache("spark-jars");
    let ran =
        support::read::python_with("spark", &[("LANDFALL_SPARK_JARS", jars.as_os_str())], "statements.py", &["spark", folder]);
    for block in ["databricks autoloader", "databricks stream", "databricks merge", "fabric stream"] {
        assert!(ran[block].as_u64().is_some_and(|times| times >= 2), "{block}: {ran}");
    }
    assert_eq!(ran["rows"], readers::SOURCES.len() * readers::CHANGES);

    std::fs::remove_file(store.landed().join("_landfall/hidden.parquet")).expect("the copy");
    let lib = std::fs::read_dir(support::cache("spark/lib")).expect("a folder").next().expect("Python").expect("a folder").path();
    let spark = lib.join("site-packages/pyspark/jars");
    let mut java = std::process::Command::new("java");
    java.arg("-cp").arg(format!("{}/*:{}/*", jars.display(), spark.display()));
    let read = java
        .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/spark/ReadParquet.java"))
        .arg(folder)
        .output();
    let read = read.expect("java");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: serde_json::Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let rows = readers::SOURCES.len() * readers::CHANGES;
    assert_eq!((&read["rows"], &read["values"]["__offset"]), (&json!(rows), &json!(rows)), "{read}");
}
