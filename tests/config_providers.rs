//! Config providers: what connectors get of them, and where it is never seen.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

fn text(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn values_are_resolved_where_tasks_start_and_never_shown() {
    let (broker, folder) = (Broker::shared(), TempDir::new().expect("a folder"));
    let root = folder.path().to_str().expect("UTF-8");
    let (first, second) = (format!("{root}/out-secret-1"), format!("{root}/out-secret-2"));
    fs::write(format!("{root}/a.properties"), "topic=provided\nwrong=not-a-number\n").expect("written");
    fs::write(format!("{root}/path"), &first).expect("written");
    broker.create_topic("provided", 1);
    broker.produce("provided", 0, [Record::value("one")]);
    let package = "org.apache.kafka.common.config.provider";
    let (file, directory) = (format!("{package}.FileConfigProvider"), format!("{package}.DirectoryConfigProvider"));
    let converter = format!("${{dir:{root}:converter}}");
    fs::write(format!("{root}/converter"), STRING).expect("written");
    let state = format!("{root}/state.json");
    let worker = Worker::start(
        &broker.bootstrap(),
        &[
            ("config.providers", "file, dir"),
            ("config.providers.file.class", &file),
            ("config.providers.dir.class", &directory),
            ("config.providers.dir.param.allowed.paths", root),
            ("config.providers.dir.param.ttl.ms", "200"),
            // The worker's own values are resolved too.
            ("header.converter", &converter),
            ("landfall.state.file", &state),
        ],
    );
    let (topic, path) = (format!("${{file:{root}/a.properties:topic}}"), format!("${{dir:{root}:path}}"));
    let config = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": path, "key.converter": STRING, "value.converter": STRING,
    });
    worker.create("provided", &config);
    wait_until("the first record", secs(60), || (text(&first) == "one\n").then_some(()));

    // What was written is shown and kept.
    let of_task = worker.get("/connectors/provided/tasks").1;
    for shown in [&worker.get("/connectors/provided").1["config"], &of_task[0]["config"]] {
        assert_eq!((&shown["topics"], &shown["file"]), (&json!(topic), &json!(path)), "{shown}");
    }
    let mut validated = config.clone();
    validated["name"] = json!("v");
    validated["tasks.max"] = json!(format!("${{file:{root}/a.properties:wrong}}"));
    let (status, answer) = worker.put("/connector-plugins/FileStreamSink/config/validate", &validated);
    assert_eq!((status, &answer["error_count"]), (200, &json!(2)), "{answer:#}");
    let value = |name: &str| -> Value {
        let configs = answer["configs"].as_array().into_iter().flatten();
        configs.map(|config| &config["value"]).find(|value| value["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(value("file")["value"], json!(path));
    assert_eq!(value("tasks.max")["value"], validated["tasks.max"]);
    assert!(value("tasks.max")["errors"][0].as_str().is_some_and(|e| e.contains("Invalid value [hidden] for")), "{answer:#}");

    // Another value starts the task again, where it was.
    fs::write(format!("{root}/path.new"), &second).expect("written");
    fs::rename(format!("{root}/path.new"), format!("{root}/path")).expect("renamed");
    wait_until("the other file", secs(60), || fs::exists(&second).is_ok_and(|there| there).then_some(()));
    worker.await_state("provided", "RUNNING");
    broker.produce("provided", 0, [Record::value("two")]);
    wait_until("the second record", secs(60), || (text(&second) == "two\n").then_some(()));
    assert_eq!(text(&first), "one\n");

    // A task without its values fails, and says which.
    fs::remove_file(format!("{root}/a.properties")).expect("removed");
    let (status, answer) = worker.post("/connectors/provided/tasks/0/restart", &Value::Null);
    assert_eq!(status, 204, "{answer}");
    let trace = worker.await_failure("provided");
    let expected =
        format!("Could not resolve {topic} for configuration topics: Could not read properties from file {root}/a.properties");
    assert!(trace.contains(&expected), "{trace}");
    let (status, answer) = worker.post("/connectors", &json!({"name": "other", "config": config}));
    assert!(status == 400 && answer.to_string().contains(&expected), "{status} {answer}");

    for secret in ["out-secret", "not-a-number"] {
        assert!(!worker.log_text().contains(secret) && !text(&state).contains(secret), "{}", worker.log_text());
        assert!(!worker.get("/metrics").1.to_string().contains(secret));
    }
    assert!(text(&state).contains(&topic));
}
