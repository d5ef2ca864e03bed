//! A broker or a store that goes away and comes back costs time, no records.

use std::thread::sleep;
use std::time::Instant;

use serde_json::json;

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::records::Orders;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

#[test]
fn landing_goes_on_after_the_broker_was_away() {
    let (mut broker, store, topic) = (Broker::private(), Store::directory(), "outage");
    broker.create_topic(topic, 2);
    let mut events = Orders::schemaless(9).enumerate().map(|(n, event)| (i32::try_from(n % 2).unwrap(), Record::value(event)));
    // Half of the last file of each partition: these records are in the worker's hands when the broker goes.
    broker.produce_all(topic, events.by_ref().take(9000));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create("outage", &store.connector(topic, 1000));
    sleep(secs(3));
    broker.stop();
    sleep(secs(3));
    assert_eq!(worker.get("/").0, 200, "REST answers without a broker");
    broker.start();
    broker.produce_all(topic, events.by_ref().take(3000));
    worker.await_landed(&broker, "outage", topic);
    worker.await_state("outage", "RUNNING");

    assert_eq!(store.tiled(topic), [(0, 6000), (1, 6000)].into());
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct), (12_000, 12_000));
}

#[test]
fn landing_goes_on_after_the_store_was_away() {
    let (broker, mut store, topic) = (Broker::shared(), Store::azurite(), "store-outage");
    broker.create_topic(topic, 2);
    let mut events = Orders::schemaless(9).enumerate().map(|(n, event)| (i32::try_from(n % 2).unwrap(), Record::value(event)));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, 1000);
    with(&mut config, &json!({"retry.backoff.ms": "500"}));
    store.emulator().stop();
    broker.produce_all(topic, events.by_ref().take(4000));
    worker.create(topic, &config);
    // Before a partition is open, and with files on their way.
    for say in ["does not know where to begin", "staging"] {
        let url = store.emulator().blob_endpoint();
        let said = || worker.log_text().lines().any(|line| line.contains(say) && line.contains(&url)).then_some(());
        wait_until(&format!("a warning that names {url}; log: {}", worker.log().display()), secs(60), said);
        worker.await_state(topic, "RUNNING");
        store.emulator().start_again();
        worker.await_landed(broker, topic, topic);
        store.emulator().stop();
        broker.produce_all(topic, events.by_ref().take(4000));
    }
    store.emulator().start_again();
    worker.await_landed(broker, topic, topic);
    assert_eq!(store.tiled(topic), [(0, 6000), (1, 6000)].into());
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct), (12_000, 12_000));
}

/// Ends a worker after `away` has taken its broker, while it has an open file to publish and offsets that nobody takes.
fn ends_without(topic: &str, away: impl Fn(&mut Broker)) {
    const GRACE: u64 = 8;
    let (mut broker, store) = (Broker::private(), Store::directory());
    broker.create_topic(topic, 2);
    let mut events = Orders::schemaless(9).enumerate().map(|(n, event)| (i32::try_from(n % 2).unwrap(), Record::value(event)));
    broker.produce_all(topic, events.by_ref().take(2000));
    let grace = (GRACE * 1000).to_string();
    let mut worker = Worker::start(&broker.bootstrap(), &[("task.shutdown.graceful.timeout.ms", &grace)]);
    let mut config = store.connector(topic, 10);
    // The group is not lost before the worker ends.
    with(&mut config, &json!({"landfall.flush.on.stop": "true", "consumer.override.session.timeout.ms": "45000"}));
    worker.create(topic, &config);
    worker.await_landed(&broker, topic, topic);
    broker.produce_all(topic, events.take(1011));
    wait_until("the last full file", secs(30), || (store.files(topic).len() == 300).then_some(()));
    away(&mut broker);
    sleep(secs(2));

    let asked = Instant::now();
    assert!(worker.terminate().success(), "{}", worker.log_text());
    let took = asked.elapsed();
    let log = worker.log_text();
    assert!(took < secs(GRACE + 1), "{took:?}: {log}");
    assert!(!log.contains("left to itself"), "{log}");
    assert_eq!(store.tiled(topic).values().sum::<i64>(), 3011, "{log}");
}

#[test]
fn a_worker_ends_in_time_without_its_broker() {
    ends_without("ends-down", Broker::stop);
}

#[test]
fn a_worker_ends_in_time_while_its_broker_is_silent() {
    ends_without("ends-silent", |broker| broker.sigstop());
}
