//! The web page in a real browser. `UI_SHOTS=<folder>` keeps pictures of every view.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::cache;
use crate::support::once::ours;
use crate::support::secrets::secret;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

/// A text that does something if it is taken for HTML.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";
const SCHEMA: &str = r#"{"type":"struct","optional":false,"fields":[{"field":"id","type":"int64","optional":false},{"field":"note","type":"string","optional":true}]}"#;

/// Runs a script of `tests/support/ui` with these settings.
fn run(script: &str, mut settings: Value) {
    settings["shots"] = std::env::var("UI_SHOTS").map_or(Value::Null, Value::String);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/ui").join(script);
    let mut command = Command::new(cache("ui").join("bin/python"));
    let out = command.arg("-B").arg(&script).arg(settings.to_string()).output().expect("python");
    assert!(out.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&out.stderr));
}

/// Rows with a note that does something if it is taken for HTML, in two partitions.
fn fill(topic: &str) {
    let broker = Broker::shared();
    broker.create_topic(topic, 2);
    let row = |id: i32| {
        let value = format!(r#"{{"schema":{SCHEMA},"payload":{{"id":{id},"note":"{HOSTILE} {id}"}}}}"#);
        (id % 2, Record::value(value).key(id.to_string()))
    };
    broker.produce_all(topic, (0..200).map(row));
}

fn config(store: &Store, topic: &str) -> Value {
    let mut config = ours(store, topic, 50);
    let names = config.as_object_mut().expect("an object");
    names.remove("partitioner.class");
    names.remove("partition.field.name");
    config
}

#[test]
fn a_connector_lives_on_the_page() {
    let (topic, broker, store) = ("ui-life", Broker::shared(), Store::directory());
    fill(topic);
    let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
    // Where its folder should be there is a file.
    let folder = tempfile::tempdir().expect("a folder");
    let blocked = folder.path().join("taken");
    fs::write(&blocked, "").expect("a file");
    let mut failing = config(&store, topic);
    with(&mut failing, &json!({"store.url": format!("file://{}", blocked.display()), "planted.password": secret("failing")}));
    let (status, body) = worker.post("/connectors", &json!({"name": HOSTILE, "config": failing}));
    assert_eq!(status, 201, "{body}");
    worker.await_failure("%3Cimg%20src=x%20onerror=alert(1)%3E");

    let mut config = config(&store, topic);
    let hidden = secret("typed");
    with(&mut config, &json!({"planted.password": hidden, "planted.placeholder": "${nobody:orders:user}"}));
    let store = config["store.url"].clone();
    for known in ["connector.class", "topics", "store.url"] {
        config.as_object_mut().expect("an object").remove(known);
    }
    run(
        "mouse.py",
        json!({
            "url": worker.url(""), "topic": topic, "name": "orders & <b>more</b>", "store": store, "config": config, "partitions": 2,
            "cell": HOSTILE, "secret": hidden, "failed": HOSTILE, "trace": "taken", "blocked": blocked,
        }),
    );
    let (_, names) = worker.get("/connectors");
    assert_eq!(names, json!(["orders & <b>more</b>"]), "the other one was deleted on the page");
}

#[test]
fn the_page_is_for_every_hand_and_every_eye() {
    let (topic, broker, store) = ("ui-keys", Broker::shared(), Store::directory());
    fill(topic);
    let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
    worker.create("shown", &config(&store, topic));
    worker.await_landed(broker, "shown", topic);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("typed.txt");
    run("keyboard.py", json!({"url": worker.url(""), "topic": topic, "name": "by-keys", "file": file, "shown": "shown"}));
}
