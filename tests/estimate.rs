//! `landfall estimate` beside what a worker does, and the sizing table that it makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::records::{Orders, Random};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

/// What the command says of `plan`, and the warnings as people read them.
fn estimate(plan: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .arg("estimate")
        .args(plan.split_whitespace())
        .arg("--json")
        .output()
        .expect("the program");
    assert!(output.status.success(), "{plan}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Calls by their operation.
type Calls = BTreeMap<String, f64>;

/// What the worker has asked of the store, whatever came of it.
fn asked(worker: &Worker) -> Calls {
    let (_, text) = worker.get("/metrics");
    let mut calls = Calls::new();
    for line in text.as_str().expect("metrics").lines().filter(|line| line.starts_with("landfall_task_storage_calls_total{")) {
        let (_, rest) = line.split_once("operation=\"").expect("an operation");
        let (operation, _) = rest.split_once('"').expect("an operation");
        let number: f64 = line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        assert!(number == 0.0 || !line.contains("outcome=\"failed\""), "{line}");
        *calls.entry(operation.to_owned()).or_default() += number;
    }
    calls
}

/// What `estimate` says of `seconds` after a start: `first_start` or `restart`.
fn foreseen(estimate: &Value, start: &str, seconds: f64) -> Calls {
    let opening = estimate[start].as_object().expect("calls");
    let mut calls: Calls =
        opening.iter().map(|(operation, number)| (operation.clone(), number.as_f64().expect("a number"))).collect();
    for of_files in estimate["calls"].as_array().expect("calls") {
        let operation = of_files["operation"].as_str().expect("a name");
        *calls.entry(operation.to_owned()).or_default() += seconds * of_files["per_second"].as_f64().expect("a number");
    }
    calls
}

/// Lands rounds of one file of each partition, and compares what was asked with what was foreseen for as many seconds in each of which
/// as many records come; the worker starts again in between.
fn calls_are_foreseen(topic: &str, partitions: i32, rows: usize, config: &Value, mut value: impl FnMut() -> String) -> Value {
    let (broker, store) = (Broker::shared(), Store::azurite());
    broker.create_topic(topic, partitions);
    let mut bytes = 0;
    let mut round = || {
        let values: Vec<_> = (0..rows).flat_map(|_| 0..partitions).map(|partition| (partition, value())).collect();
        bytes += values.iter().map(|(_, value)| value.len()).sum::<usize>();
        broker.produce_all(topic, values.into_iter().map(|(partition, value)| (partition, Record::value(value))));
        bytes
    };
    let mut worker = Worker::start(&broker.bootstrap(), &[]);
    let mut given = store.connector(topic, rows);
    with(&mut given, config);
    worker.create(topic, &given);
    for _ in 0..3 {
        round();
        worker.await_landed(broker, topic, topic);
    }
    let first = asked(&worker);
    assert!(worker.terminate().success());
    worker.start_again();
    worker.create(topic, &given);
    let consumed = round();
    worker.await_landed(broker, topic, topic);
    let second = asked(&worker);

    let (files, folder) = (store.files(topic), store.folder(topic));
    let landed: u64 = files.iter().map(|file| fs::metadata(folder.join(file)).expect("a file").len()).sum();
    let records = 4 * rows * usize::try_from(partitions).expect("a few");
    let plan = format!(
        "--rate {} --partitions {partitions} --flush-size {rows} --rotate 259200 --size 1000000000 --tasks 1 --record-bytes {} --landed-ratio {}",
        records / 4,
        consumed as f64 / records as f64,
        landed as f64 / consumed as f64
    );
    let said = estimate(&plan)["estimate"].take();
    assert_eq!((said["files"]["per_second"].as_f64(), files.len()), (Some(partitions.into()), 4 * partitions as usize), "{plan}");
    assert_eq!(first, foreseen(&said, "first_start", 3.0), "{plan}");
    assert_eq!(second, foreseen(&said, "restart", 1.0), "{plan}");
    said
}

#[test]
fn calls_of_small_files_are_those_of_the_estimate() {
    let mut events = Orders::schemaless(11);
    let said = calls_are_foreseen("estimate-small", 5, 400, &json!({}), || events.next().expect("an event"));
    assert_eq!(said["files"]["blocks"], 1.0);
}

#[test]
fn calls_of_files_of_many_blocks_are_those_of_the_estimate() {
    let mut random = Random::new(12);
    let value = || {
        let text: String = (0..6_000).map(|_| format!("{:016x}", random.next())).collect();
        json!({"text": text}).to_string()
    };
    let said = calls_are_foreseen("estimate-blocks", 1, 60, &json!({"parquet.codec": "none"}), value);
    assert_eq!(said["files"]["blocks"], 2.0);
}

const SIZING: &str = "docs/tuning.md";

/// The row of the sizing table for a plan.
fn sized(plan: &str) -> String {
    let said = estimate(plan)["estimate"].take();
    let number = |of: &Value, unit: f64| {
        let number = of.as_f64().expect("a number") / unit;
        let decimals = match number {
            whole if whole >= 10.0 || whole.fract() == 0.0 => 0,
            small if small < 0.1 => 3,
            _ => 2,
        };
        format!("{number:.decimals$}")
    };
    let (files, workers) = (&said["files"], &said["workers"]);
    let calls: f64 = said["calls"].as_array().expect("calls").iter().filter_map(|calls| calls["per_second"].as_f64()).sum();
    let cells = [
        number(&said["bytes"]["consumed_per_second"], 1e6),
        number(&workers["cores"], 1.0),
        ["pods", "pod_vcpus", "pod_gib"].map(|what| number(&workers[what], 1.0)).join(" × "),
        number(&workers["tasks"], 1.0),
        number(&files["bytes"], f64::from(1 << 20)),
        number(&calls.into(), 1.0),
    ];
    format!("| `{plan}` | {} |", cells.join(" | "))
}

#[test]
fn the_sizing_table_is_what_the_command_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SIZING);
    let text = fs::read_to_string(&path).expect(SIZING);
    let plan =
        |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()).filter(|plan| plan.starts_with("--rate"));
    let rows = text.lines().filter_map(plan).count();
    assert!(rows > 5, "{SIZING} has a table of {rows} plans");
    let page: String = text.lines().map(|line| plan(line).map_or_else(|| line.to_owned(), |plan| sized(&plan)) + "\n").collect();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page).expect("the page");
    } else {
        assert!(page == text, "{SIZING} is not what the command says: make reference");
    }
}
