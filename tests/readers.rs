//! What the pages for Databricks, Synapse and Fabric say: their statements are run over landed files, and readers see these whole and
//! unchanged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::records::Random;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{read, secs, wait_until};

/// What writes the topics of changes: blocks of the documents have their names.
pub(crate) const SOURCES: [&str; 3] = ["debezium", "qlik", "upserts"];
/// How often each of them writes.
pub(crate) const CHANGES: usize = 800;

/// A change of a row: its key, and what it is from then on; none if it is deleted.
struct Change {
    id: u64,
    before: Option<Value>,
    after: Option<Value>,
}

/// Inserts, updates and deletes of a few rows, and the rows that there are at the end.
fn changes() -> (Vec<Change>, Vec<Value>) {
    let mut random = Random::new(6);
    let mut rows: BTreeMap<u64, Value> = BTreeMap::new();
    let mut next = |n| {
        let id = random.below(60);
        let before = rows.remove(&id);
        let city = ["Oslo", "Graz", "Lyon"][random.below(3) as usize];
        let deleted = before.is_some() && random.below(4) == 0;
        let after = (!deleted)
            .then(|| json!({"customer_id": id, "name": format!("name {n}"), "city": city, "credit_limit": random.below(5000)}));
        rows.extend(after.clone().map(|row| (id, row)));
        Change { id, before, after }
    };
    let all = (0..CHANGES).map(&mut next).collect();
    (all, rows.into_values().collect())
}

/// The record that `source` writes of the `n`th change, and its partition. Qlik Replicate cares for keys in none of its partitions.
fn record(source: &str, n: usize, Change { id, before, after }: &Change) -> (i32, Record) {
    let by_key = (id % 2) as i32;
    let operation = |names: [&'static str; 3]| match (before, after) {
        (None, _) => names[0],
        (_, Some(_)) => names[1],
        (_, None) => names[2],
    };
    match source {
        "debezium" => {
            let event = json!({"before": before, "after": after, "op": operation(["c", "u", "d"])});
            let event = json!({"schema": envelope(), "payload": event});
            (by_key, Record::value(event.to_string()).key(json!({"customer_id": id}).to_string()))
        }
        "qlik" => {
            // The first changes are of the full load.
            let full = n < 20 && before.is_none();
            let sequence = if full { String::new() } else { format!("2026112112000000{n:019}") };
            let headers = json!({
                "operation": if full { "REFRESH" } else { operation(["INSERT", "UPDATE", "DELETE"]) },
                "changeSequence": sequence,
                "timestamp": "2026-11-21T12:00:00.000",
                "streamPosition": null,
                "transactionId": null,
                "changeMask": null,
                "columnMask": null
            });
            let message = json!({"data": after, "beforeData": before, "headers": headers});
            let value = json!({"magic": "atMSG", "type": "DT", "headers": null, "messageSchemaId": null, "messageSchema": null, "message": message});
            ((n % 2) as i32, Record::value(value.to_string()))
        }
        _ => {
            let value = after.as_ref().map(|row| row.to_string().into_bytes());
            (by_key, Record { value, ..Record::default() }.key(id.to_string()))
        }
    }
}

/// The schema of Debezium's events: what the transform knows them by.
fn envelope() -> Value {
    let field = |name: &str, kind: &str| json!({"field": name, "type": kind, "optional": true});
    let columns =
        [field("customer_id", "int64"), field("name", "string"), field("city", "string"), field("credit_limit", "int64")];
    let image = |name: &str| json!({"field": name, "type": "struct", "fields": columns, "optional": true});
    let fields = [image("before"), image("after"), field("op", "string")];
    json!({"type": "struct", "name": "bank.customers.Envelope", "fields": fields})
}

/// The configuration that a block of docs/databricks.md has.
fn documented(block: &str) -> Value {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/databricks.md")).expect("the page");
    let (_, from) = page.split_once(&format!("```json {block}\n")).expect(block);
    let (text, _) = from.split_once("```").expect("its end");
    serde_json::from_str(text).expect("JSON")
}

/// Lands the changes of every source as the documents have it, each in a folder of its name beside `_expected.json`, and puts a file where readers must not look.
pub(crate) fn landed() -> Store {
    let (broker, store) = (Broker::shared(), Store::directory());
    let (changes, rows) = changes();
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let topic = |source: &str| format!("readers.{source}");
    for source in SOURCES {
        broker.create_topic(&topic(source), 2);
        broker.produce_all(&topic(source), changes.iter().enumerate().map(|(n, change)| record(source, n, change)));
        let mut config = documented("connector")["config"].take();
        config.as_object_mut().expect("a configuration").remove("landfall.azure.account.key");
        with(&mut config, &documented(source));
        with(
            &mut config,
            &json!({
                "topics": topic(source),
                "store.url": format!("file://{}", store.landed().display()),
                "topics.dir": source,
                "flush.size": "40",
                "landfall.rotate.idle.ms": "300",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": (source == "debezium").to_string(),
            }),
        );
        worker.create(source, &config);
    }
    for source in SOURCES {
        worker.await_landed(broker, source, &topic(source));
    }
    let of = |row: &Value| ["customer_id", "name", "city", "credit_limit"].map(|name| row[name].clone());
    let expected: Vec<_> = rows.iter().map(of).collect();
    fs::write(store.landed().join("_expected.json"), json!(expected).to_string()).expect("a file");
    let some = &read::files(&store.landed().join(SOURCES[0]))[0];
    fs::copy(store.landed().join(SOURCES[0]).join(some), store.landed().join("_landfall/hidden.parquet")).expect("a copy");
    store
}

#[test]
fn the_statements_of_the_documents_make_tables_of_changes() {
    let store = landed();
    let ran = read::python("statements.py", &["duckdb", store.landed().to_str().expect("a path of text")]);
    for block in ["databricks merge", "synapse merge", "synapse now", "fabric merge", "fabric apply"] {
        assert!(ran[block].as_u64().is_some_and(|times| times >= 3), "{block}: {ran}");
    }
}

/// A file that a reader has seen once is the same for ever, and is whole from the first moment on.
#[test]
fn files_are_whole_when_they_appear_and_never_change() {
    const TOPIC: &str = "readers-whole";
    let (broker, store) = (Broker::shared(), Store::directory());
    broker.create_topic(TOPIC, 2);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create("whole", &store.connector(TOPIC, 500));
    let row = |n: i32| (n % 2, Record::value(json!({"n": n, "text": "x".repeat(100)}).to_string()));
    let producer = std::thread::spawn(move || (0..10).for_each(|_| broker.produce_all(TOPIC, (0..2_000).map(row))));
    let mut seen = BTreeMap::new();
    wait_until("40 files", secs(60), || {
        for path in store.files(TOPIC) {
            let file = store.folder(TOPIC).join(&path);
            seen.entry(path).or_insert_with(|| {
                assert_eq!(read::row_count(&file), 500, "{}", file.display());
                (fs::read(&file).expect("a file"), fs::metadata(&file).expect("a file").modified().expect("a time"))
            });
        }
        (seen.len() == 40).then_some(())
    });
    producer.join().expect("records");
    worker.await_landed(broker, "whole", TOPIC);
    drop(worker);
    assert_eq!(store.files(TOPIC), seen.keys().cloned().collect::<Vec<_>>());
    for (path, (bytes, time)) in seen {
        let file = store.folder(TOPIC).join(path);
        assert!(fs::read(&file).expect("a file") == bytes, "{} has changed", file.display());
        assert_eq!(fs::metadata(&file).expect("a file").modified().expect("a time"), time, "{}", file.display());
    }
}
