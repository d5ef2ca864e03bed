//! A broker that goes away and comes back costs time, no records.

use std::thread::sleep;

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::records::Orders;
use crate::support::secs;
use crate::support::store::Store;
use crate::support::worker::Worker;

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
