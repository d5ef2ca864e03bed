//! Levels of the log, changed over REST while a worker runs.

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

#[test]
fn levels_that_are_set_count_at_once() {
    let (broker, topic) = (Broker::shared(), "loggers");
    broker.create_topic(topic, 1);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = json!({"connector.class": "FileStreamSink", "topics": topic, "file": folder.path().join("lines")});
    worker.create("c", &config);
    let logged = |what: &str| worker.log_text().matches(what).count();
    // The herder says it when a task has been paused, and when it goes on.
    let turn = |verb: &str, state: &str| {
        assert_eq!(worker.put(&format!("/connectors/c/{verb}"), &Value::Null).0, 202);
        worker.await_state("c", state);
    };
    turn("pause", "PAUSED");
    wait_until("the log", secs(30), || (logged("task is PAUSED") == 1).then_some(()));

    let runtime = "/admin/loggers/org.apache.kafka.connect.runtime";
    let (status, changed) = worker.put(runtime, &json!({"level": "warn"}));
    assert!(status == 200 && changed[0] == "org.apache.kafka.connect.runtime", "{status} {changed}");
    assert_eq!(worker.get(runtime).1["level"], "WARN");
    assert_eq!(worker.get("/admin/loggers/org.apache.kafka.connect").1["level"], "INFO");
    let before = logged("task is RUNNING");
    turn("resume", "RUNNING");
    assert_eq!(worker.put(&format!("{runtime}?scope=cluster"), &json!({"level": "INFO"})).0, 204);
    turn("pause", "PAUSED");
    wait_until("the log", secs(30), || (logged("task is PAUSED") == 2).then_some(()));
    assert_eq!(logged("task is RUNNING"), before, "{}", worker.log_text());
}
