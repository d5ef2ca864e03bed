//! Workers that share a consumer group: members come, go, and come back late.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::records::Orders;
use crate::support::store::Store;
use crate::support::worker::Worker;
use crate::support::{Stop, secs};

const PARTITIONS: usize = 8;
/// Records of one file and, for all partitions together, of one slice of load.
const PER_FILE: usize = 250;
const SLICE: usize = PER_FILE * PARTITIONS;

#[test]
fn members_come_and_go_and_every_record_lands_once() {
    let (broker, topic, connector) = (Broker::shared(), "shared-work", "shared-work");
    broker.create_topic(topic, i32::try_from(PARTITIONS).unwrap());
    let store = Store::directory();
    let config = store.connector(topic, PER_FILE);
    let worker = || {
        let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")]);
        worker.create(connector, &config);
        worker
    };
    let group = format!("connect-{connector}");
    let (stop, produced) = (AtomicBool::new(false), AtomicUsize::new(0));

    scope(|threads| {
        // Load, until told to stop.
        let load = threads.spawn(|| {
            let event = |(n, event)| (i32::try_from(n % PARTITIONS).unwrap(), Record::value(event));
            let mut events = Orders::schemaless(3).enumerate().map(event);
            while !stop.load(Ordering::Relaxed) {
                broker.produce_all(topic, events.by_ref().take(SLICE));
                produced.fetch_add(SLICE, Ordering::Relaxed);
                sleep(Duration::from_millis(200));
            }
        });
        // Nobody takes a committed offset back.
        threads.spawn(|| {
            let mut before = broker.committed(&group, topic);
            while !stop.load(Ordering::Relaxed) {
                let now = broker.committed(&group, topic);
                for (partition, offset) in before {
                    assert!(now.get(&partition).is_some_and(|n| *n >= offset), "partition {partition} fell behind {offset}");
                }
                before = now;
                sleep(Duration::from_millis(300));
            }
        });
        let stop_at_end = Stop(&[&stop]);

        let mut first = worker();
        sleep(secs(2));
        let second = worker();
        sleep(secs(3));
        let third = worker();
        sleep(secs(3));
        assert!(first.terminate().success(), "{}", first.log_text());
        sleep(secs(2));

        // Longer than its session, so that the others have its partitions when it wakes up in the middle of its work.
        third.sigstop();
        sleep(secs(7));
        third.sigcont();
        sleep(secs(4));
        second.await_state(connector, "RUNNING");
        third.await_state(connector, "RUNNING");
        drop(stop_at_end);
        load.join().unwrap();
        second.await_landed(broker, connector, topic);
    });

    let all = i64::try_from(produced.load(Ordering::Relaxed)).unwrap();
    assert_eq!(store.tiled(topic), broker.end_offsets(topic));
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (all, all, 0, all - 1));
}
