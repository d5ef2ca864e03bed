//! What is wrong is said by name, and does no harm.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{free_port, secs, wait_until};

#[test]
fn a_wrong_property_is_named_with_its_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("worker.properties");
    fs::write(&path, "# a comment\nbootstrap.servers=127.0.0.1:9092\noffset.flush.interval.ms=soon\n").unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_landfall")).arg("standalone").arg(&path).output().unwrap();
    assert!(!out.status.success());
    let said = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert!(said.contains("worker.properties:3: offset.flush.interval.ms: "), "{said}");
}

#[test]
fn a_record_that_is_no_json_fails_the_task_by_its_offset() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "no-json");
    broker.create_topic(topic, 2);
    let record = |id: i32| Record::value(format!(r#"{{"id":{id}}}"#));
    let records = (0..15).map(|id| if id == 12 { Record::value("{\"id\":") } else { record(id) });
    broker.produce(topic, 1, records);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let (status, body) = worker.post("/connectors", &json!({"name": topic, "config": store.connector(topic, 5)}));
    assert_eq!(status, 201, "{body}");
    let trace = worker.await_failure(topic);
    for part in [topic, "partition 1", "offset 12"] {
        assert!(trace.contains(part), "no {part} in: {trace}");
    }
    // What came before it is not lost, nor what comes after it skipped.
    let landed = store.tiled(topic).get(&1).copied().unwrap_or(0);
    assert!([0, 5, 10].contains(&landed), "{landed} records landed");
    if landed > 0 {
        assert_eq!(seen_by("pyarrow", &store.folder(topic), "id").max, landed - 1);
    }
}

#[test]
fn a_connector_cannot_leave_its_store() {
    let (store, outside) = (Store::directory(), "../outside");
    let worker = Worker::start(&Broker::shared().bootstrap(), &[]);
    let mut config = store.connector("any", 5);
    with(&mut config, &json!({"topics.dir": outside}));
    let (status, body) = worker.post("/connectors", &json!({"name": "leaves", "config": config}));
    assert_eq!(status, 400, "{body}");
    assert!(body["message"].as_str().is_some_and(|m| m.contains("topics.dir")), "{body}");
    assert_eq!(worker.get("/connectors/leaves").0, 404);
}

#[test]
fn a_broker_that_cannot_be_reached_is_named() {
    let bootstrap = format!("127.0.0.1:{}", free_port());
    let mut worker = Worker::start(&bootstrap, &[]);
    assert_eq!(worker.get("/").1["kafka_cluster_id"], Value::Null);
    let said = format!("no broker of bootstrap.servers={bootstrap} answers: ");
    let line = wait_until("a warning", secs(30), || Some(worker.log_text().split_once(&said)?.1.lines().next()?.to_owned()));
    assert!(line.contains("Connection refused"), "{line}");
    assert!(worker.terminate().success());
}
