//! From a topic to files that other programs read: every record once, under the right name and type.

use std::sync::OnceLock;
use std::thread::sleep;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::records::{FIELDS, Orders};
use crate::support::secs;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

const RECORDS: usize = 200_000;
const PARTITIONS: usize = 4;

/// The topic of change events without schema, or with; it is filled by the first test that asks.
fn orders(schemas: bool) -> &'static str {
    static PLAIN: OnceLock<&str> = OnceLock::new();
    static WITH_SCHEMA: OnceLock<&str> = OnceLock::new();
    let (topic, name, events) = if schemas {
        (&WITH_SCHEMA, "orders-with-schema", Orders::with_schema(42))
    } else {
        (&PLAIN, "orders", Orders::schemaless(42))
    };
    topic.get_or_init(|| {
        let broker = Broker::shared();
        broker.create_topic(name, i32::try_from(PARTITIONS).unwrap());
        broker.produce_all(name, spread(events.take(RECORDS)));
        name
    })
}

/// The events as records, one partition after the other.
fn spread(events: impl Iterator<Item = String>) -> impl Iterator<Item = (i32, Record)> {
    let partition = |n: usize| i32::try_from(n % PARTITIONS).unwrap();
    events.enumerate().map(move |(n, event)| (partition(n), Record::value(event).key(n.to_string())))
}

/// What a reader calls the type of each column, given its names for the types of Connect.
fn types(schemas: bool, names: [(&str, &str); 4]) -> Vec<(String, String)> {
    // Without a schema every whole number is a long.
    let kind = |kind: &'static str| if kind == "int32" && !schemas { "int64" } else { kind };
    let name = |wanted| names.iter().find(|(kind, _)| *kind == wanted).unwrap().1;
    FIELDS.map(|(field, of, ..)| (field.into(), name(kind(of)).into())).to_vec()
}

fn lands(store: &Store, connector: &str, schemas: bool) {
    let (broker, topic) = (Broker::shared(), orders(schemas));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let per_file = RECORDS / PARTITIONS / 4;
    let mut config = store.connector(topic, per_file);
    with(
        &mut config,
        &json!({
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": schemas.to_string(),
        }),
    );
    worker.create(connector, &config);
    worker.await_landed(broker, connector, topic);

    assert_eq!(store.tiled(topic), broker.end_offsets(topic));
    assert_eq!(store.files(topic).len(), PARTITIONS * 4);
    assert_eq!(worker.metric("landfall_rows_landed_total"), RECORDS as f64);
    let last = i64::try_from(RECORDS).unwrap() - 1;
    let duckdb = [("int64", "BIGINT"), ("int32", "INTEGER"), ("string", "VARCHAR"), ("boolean", "BOOLEAN")];
    let pyarrow = [("int64", "int64"), ("int32", "int32"), ("string", "string"), ("boolean", "bool")];
    for (reader, names) in [("duckdb", duckdb), ("pyarrow", pyarrow)] {
        let seen = seen_by(reader, &store.folder(topic), "id");
        assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (last + 1, last + 1, 0, last), "{reader}");
        assert_eq!(seen.types, types(schemas, names), "{reader}");
    }
}

#[test]
fn json_lands_in_a_directory() {
    lands(&Store::directory(), "directory", false);
}

#[test]
fn json_with_schema_lands_in_a_directory() {
    lands(&Store::directory(), "directory-with-schema", true);
}

#[test]
fn json_lands_in_azure() {
    lands(&Store::azurite(), "azure", false);
}

#[test]
fn json_with_schema_lands_in_azure() {
    lands(&Store::azurite(), "azure-with-schema", true);
}

/// The life of a connector by REST, with a look at the files after each step.
fn obeys(store: &Store, connector: &str) {
    const SLICE: usize = 4000;
    let (broker, topic) = (Broker::shared(), connector);
    broker.create_topic(topic, i32::try_from(PARTITIONS).unwrap());
    let mut events = Orders::schemaless(7);
    let mut produce = || broker.produce_all(topic, spread(events.by_ref().take(SLICE)));
    let files = || store.files(topic).len();
    let ids = || {
        let seen = seen_by("duckdb", &store.folder(topic), "id");
        (seen.count, seen.distinct)
    };
    produce();

    let worker = Worker::start(&broker.bootstrap(), &[]);
    let path = |rest: &str| format!("/connectors/{connector}{rest}");
    worker.create(connector, &store.connector(topic, 500));
    worker.await_landed(broker, connector, topic);
    assert_eq!((files(), ids()), (8, (4000, 4000)));

    assert_eq!(worker.put(&path("/pause"), &Value::Null).0, 202);
    worker.await_state(connector, "PAUSED");
    let committed = broker.committed(&format!("connect-{connector}"), topic);
    produce();
    sleep(secs(3));
    assert_eq!(files(), 8, "a paused connector lands nothing");
    assert_eq!(broker.committed(&format!("connect-{connector}"), topic), committed);

    assert_eq!(worker.put(&path("/resume"), &Value::Null).0, 202);
    worker.await_state(connector, "RUNNING");
    worker.await_landed(broker, connector, topic);
    assert_eq!((files(), ids()), (16, (8000, 8000)));

    assert_eq!(worker.post(&path("/restart"), &Value::Null).0, 204);
    assert_eq!(worker.post(&path("/tasks/0/restart"), &Value::Null).0, 204);
    produce();
    worker.await_state(connector, "RUNNING");
    worker.await_landed(broker, connector, topic);
    assert_eq!((files(), ids()), (24, (12_000, 12_000)));

    assert_eq!(worker.patch(&path("/config"), &json!({"flush.size": "1000"})).0, 200);
    produce();
    worker.await_state(connector, "RUNNING");
    worker.await_landed(broker, connector, topic);
    assert_eq!((files(), ids()), (28, (16_000, 16_000)));

    assert_eq!(worker.delete(&path("")).0, 204);
    assert_eq!(worker.get(&path("")).0, 404);
    produce();
    sleep(secs(2));
    assert_eq!(files(), 28, "a deleted connector lands nothing and takes nothing away");
    assert_eq!(store.tiled(topic), [(0, 4000), (1, 4000), (2, 4000), (3, 4000)].into());
}

#[test]
fn a_connector_is_paused_resumed_restarted_and_deleted() {
    obeys(&Store::directory(), "obeys-directory");
}

#[test]
fn a_connector_to_azure_is_paused_resumed_restarted_and_deleted() {
    obeys(&Store::azurite(), "obeys-azure");
}
