//! Files end by their age, their idleness and their size, also when no record comes, and each record lands once all the same.

use std::fs;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::read::{integers, row_count, seen_by};
use crate::support::records::Orders;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

/// A connector whose files end as `rotation` says, and otherwise only after a million rows.
fn rotating(store: &Store, topic: &str, rotation: &Value) -> Value {
    let mut config = store.connector(topic, 1_000_000);
    with(&mut config, rotation);
    config
}

/// The files that have ended for `reason`.
fn ended(worker: &Worker, connector: &str, reason: &str) -> f64 {
    let labels = format!("{{connector=\"{connector}\",task=\"0\",reason=\"{reason}\"}}");
    worker.metric(&format!("landfall_task_ended_files_total{labels}"))
}

fn ids(range: std::ops::Range<i64>) -> impl Iterator<Item = Record> {
    range.map(|id| Record::value(format!(r#"{{"id":{id}}}"#)))
}

#[test]
fn files_end_by_the_clock_also_while_the_connector_is_paused() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "aged");
    broker.create_topic(topic, 2);
    broker.produce(topic, 0, ids(0..10));
    broker.produce(topic, 1, ids(10..15));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create(topic, &rotating(&store, topic, &json!({"landfall.rotate.open.ms": "2000"})));
    worker.await_landed(broker, topic, topic);
    assert_eq!((store.tiled(topic), ended(&worker, topic, "open")), ([(0, 10), (1, 5)].into(), 2.0));

    broker.produce(topic, 0, ids(15..20));
    let sent = || worker.metric("kafka_connect_sink_task_metrics_sink_record_send_total") as i64;
    wait_until("the records to be put", secs(30), || (sent() == 20).then_some(()));
    assert_eq!(worker.put(&format!("/connectors/{topic}/pause"), &Value::Null).0, 202);
    worker.await_state(topic, "PAUSED");
    worker.await_landed(broker, topic, topic);
    worker.await_state(topic, "PAUSED");
    assert_eq!((store.tiled(topic), ended(&worker, topic, "open")), ([(0, 15), (1, 5)].into(), 3.0));
}

#[test]
fn files_end_when_no_record_comes() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "idle");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, ids(0..10));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create(topic, &rotating(&store, topic, &json!({"landfall.rotate.idle.ms": "500"})));
    worker.await_landed(broker, topic, topic);
    assert_eq!((store.tiled(topic), ended(&worker, topic, "idle")), ([(0, 10)].into(), 1.0));
    assert_eq!(worker.metric("landfall_task_open_files"), 0.0);
}

#[test]
fn files_of_our_own_class_end_by_their_size() {
    const RECORDS: i64 = 60_000;
    const SIZE: u64 = 1_000_000;
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "sized");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, Orders::schemaless(3).take(RECORDS as usize).map(Record::value));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let config = json!({
        "connector.class": "io.landfall.azure.AzureDataLakeSink",
        "tasks.max": "1",
        "topics": topic,
        "store.url": format!("file://{}", store.landed().display()),
        "landfall.rotate.size.bytes": SIZE.to_string(),
        "landfall.rotate.idle.ms": "1000",
        "consumer.override.max.poll.records": "1000",
    });
    worker.create(topic, &config);
    worker.await_landed(broker, topic, topic);
    let seen = seen_by("pyarrow", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (RECORDS, RECORDS, 0, RECORDS - 1));

    let files = store.files(topic);
    let by_size = ended(&worker, topic, "size") as usize;
    assert!(by_size >= 2 && files.len() - by_size <= 1, "{by_size} of {} files ended by their size", files.len());
    let sizes = files.iter().map(|file| fs::metadata(store.folder(topic).join(file)).unwrap().len());
    let sizes: Vec<u64> = sizes.take(by_size).collect();
    // What is not compressed yet has counted as it is.
    assert!(sizes.iter().all(|size| (SIZE / 10..2 * SIZE).contains(size)), "{sizes:?}");
    assert!(files[0].to_str().unwrap().ends_with(".zstd.parquet"), "{}", files[0].display());
}

#[test]
fn tombstones_that_are_ignored_are_committed_and_leave_no_row() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "tombstones");
    broker.create_topic(topic, 2);
    let tombstone = || Record::default().key("k");
    broker.produce(
        topic,
        0,
        ids(0..12).map(|record| if record.value.as_deref() == Some(br#"{"id":5}"#) { tombstone() } else { record }),
    );
    broker.produce(topic, 1, std::iter::repeat_with(tombstone).take(7));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, 11);
    with(&mut config, &json!({"behavior.on.null.values": "Ignore"}));
    worker.create(topic, &config);
    worker.await_landed(broker, topic, topic);
    let files = store.files(topic);
    assert_eq!(files.len(), 1, "{files:?}");
    let file = store.folder(topic).join(&files[0]);
    assert_eq!((row_count(&file), integers(&file, "id")), (11, (0..12).filter(|id| *id != 5).collect()));
}

#[test]
fn a_worker_killed_between_two_ends_lands_every_record_once() {
    const KILLS: i64 = 4;
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "aged-and-killed");
    broker.create_topic(topic, 2);
    let mut worker = Worker::stopped(&broker.bootstrap(), &[]);
    // A static member has its partitions back as soon as it comes back.
    let config = json!({"landfall.rotate.open.ms": "100", "consumer.override.group.instance.id": topic});
    let config = rotating(&store, topic, &config);
    let mut given = 0;
    for kill in 0..=KILLS {
        worker.start_again();
        worker.put(&format!("/connectors/{topic}/config"), &config);
        wait_until("files to land", secs(60), || {
            broker.produce(topic, i32::try_from(given / 20 % 2).unwrap(), ids(given..given + 20));
            given += 20;
            (worker.metric("landfall_task_landed_files_total") as i64 > kill % 3).then_some(())
        });
        if kill < KILLS {
            worker.kill9();
        }
    }
    worker.await_state(topic, "RUNNING");
    worker.await_landed(broker, topic, topic);
    assert_eq!(store.tiled(topic), broker.end_offsets(topic));
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (given, given, 0, given - 1));
}
