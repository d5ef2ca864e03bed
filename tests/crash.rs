//! A worker that is killed at any moment loses nothing and lands nothing twice.

use std::thread::sleep;
use std::time::Duration;

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::records::{Orders, Random};
use crate::support::store::Store;
use crate::support::worker::Worker;

const KILLS: u64 = 6;
const PARTITIONS: usize = 4;
const SLICE: usize = 16_000;
const PER_FILE: usize = 500;

fn survives(store: &Store, connector: &str, seed: u64) {
    let (broker, topic) = (Broker::shared(), connector);
    broker.create_topic(topic, i32::try_from(PARTITIONS).unwrap());
    let mut events =
        Orders::schemaless(seed).enumerate().map(|(n, event)| (i32::try_from(n % PARTITIONS).unwrap(), Record::value(event)));
    let mut random = Random::new(seed);
    let mut worker = Worker::stopped(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")]);
    for _ in 0..KILLS {
        broker.produce_all(topic, events.by_ref().take(SLICE));
        worker.start_again();
        // A standalone worker forgets its connectors.
        worker.put(&format!("/connectors/{connector}/config"), &store.connector(topic, PER_FILE));
        // Records flow again when the member killed before has left the group: about 3 s.
        sleep(Duration::from_millis(random.below(5000)));
        worker.kill9();
    }
    broker.produce_all(topic, events.by_ref().take(SLICE));
    worker.start_again();
    worker.put(&format!("/connectors/{connector}/config"), &store.connector(topic, PER_FILE));
    worker.await_state(connector, "RUNNING");
    worker.await_landed(broker, connector, topic);
    assert!(worker.terminate().success(), "{}", worker.log_text());

    let all = i64::try_from(SLICE).unwrap() * i64::try_from(KILLS + 1).unwrap();
    assert_eq!(store.tiled(topic), broker.end_offsets(topic));
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (all, all, 0, all - 1));
}

#[test]
fn a_killed_worker_lands_every_record_once_in_a_directory() {
    survives(&Store::directory(), "crash-directory", 11);
}

#[test]
fn a_killed_worker_lands_every_record_once_in_azure() {
    survives(&Store::azurite(), "crash-azure", 12);
}
