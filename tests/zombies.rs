//! Workers that sleep through their session, jobs that take landed files away, brokers and members that come and go while files are
//! open: each record lands once.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::once::{Downstream, Numbered, assert_once, confluent, landed, ours, through};
use crate::support::proxy::Call::{PutBlob, PutBlock, PutBlockList};
use crate::support::proxy::{Fault, Proxy, Rule};
use crate::support::records::Random;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const PARTITIONS: usize = 4;
const SLICE: usize = 3000;

fn worker(broker: &Broker) -> Worker {
    Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")])
}

/// Puts the workers to sleep by turns while they have work in their hands, until another one has landed it all.
fn sleepers_land_nothing_twice(store: &Store, topic: &str, configs: &[Value; 2]) {
    let broker = Broker::shared();
    let (mut records, mut random) = (Numbered::create(broker, topic, PARTITIONS, 1), Random::new(2));
    let workers = configs.each_ref().map(|config| {
        let worker = worker(broker);
        worker.create(topic, config);
        worker
    });
    for round in 0..4 {
        let (sleeper, other) = (&workers[round % 2], &workers[(round + 1) % 2]);
        records.produce(SLICE);
        sleep(Duration::from_millis(random.below(600)));
        sleeper.sigstop();
        records.produce(SLICE / 3);
        other.await_landed(broker, topic, topic);
        // It wakes up with its files open and its calls on their way.
        sleeper.sigcont();
    }
    records.produce(SLICE);
    for worker in &workers {
        worker.await_landed(broker, topic, topic);
        worker.await_state(topic, "RUNNING");
    }
    assert_once(store, topic, records.produced());
}

#[test]
fn a_worker_that_slept_lands_nothing_twice_in_a_directory() {
    let (store, topic) = (Store::directory(), "sleepers-directory");
    sleepers_land_nothing_twice(&store, topic, &[ours(&store, topic, 150), ours(&store, topic, 150)]);
}

/// Each has a way to the store of its own, on which calls stay for longer than the session lasts: they arrive when their worker sleeps
/// or another one has taken over.
#[test]
fn a_worker_that_slept_lands_nothing_twice_in_azure() {
    let (store, topic) = (Store::azurite(), "sleepers-azure");
    let Store::Azurite(azurite, _) = &store else { unreachable!("made in Azurite") };
    let proxies = [1, 2].map(|seed| Proxy::before(&azurite.blob_endpoint(), seed));
    let configs = proxies.each_ref().map(|proxy| {
        let slow = |call, after| Rule::new(call, Fault::HeldRequest(after), 30);
        proxy.set([slow(&[PutBlob], secs(5)), slow(&[PutBlockList], secs(5)), slow(&[PutBlock], secs(4))]);
        let mut config = confluent(&store, topic, 300);
        through(&mut config, azurite, proxy);
        config
    });
    sleepers_land_nothing_twice(&store, topic, &configs);
}

/// Kills a worker again and again while a job takes away what has landed: what is gone is not landed again.
fn what_is_taken_does_not_come_again(store: &Store, topic: &str, config: &Value) {
    let broker = Broker::shared();
    let (mut records, mut random) = (Numbered::create(broker, topic, PARTITIONS, 3), Random::new(4));
    let mut worker = Worker::stopped(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")]);
    let mut config = config.clone();
    // A static member has its partitions back as soon as it comes back.
    with(&mut config, &json!({"consumer.override.group.instance.id": topic}));
    let mut downstream = Downstream::start(store, 5);
    for _ in 0..5 {
        records.produce(SLICE);
        worker.start_again();
        worker.put(&format!("/connectors/{topic}/config"), &config);
        sleep(Duration::from_millis(800 + random.below(1200)));
        worker.kill9();
    }
    worker.start_again();
    worker.put(&format!("/connectors/{topic}/config"), &config);
    worker.await_state(topic, "RUNNING");
    worker.await_landed(broker, topic, topic);
    wait_until("files to be taken", secs(30), || (downstream.taken() > 0).then_some(()));
    downstream.stop();
    let seen = landed(&[store.landed(), downstream.copies()], topic, records.produced());
    assert!(seen.is_once(), "{seen:#?}; {} files were taken", downstream.taken());
}

#[test]
fn files_that_are_taken_from_a_directory_do_not_come_again() {
    let (store, topic) = (Store::directory(), "taken-directory");
    what_is_taken_does_not_come_again(&store, topic, &ours(&store, topic, 200));
}

#[test]
fn files_that_are_taken_from_azure_do_not_come_again() {
    let (store, topic) = (Store::azurite(), "taken-azure");
    what_is_taken_does_not_come_again(&store, topic, &ours(&store, topic, 200));
}

#[test]
fn a_broker_that_restarts_while_files_are_open_costs_no_record() {
    let (mut broker, store, topic) = (Broker::private(), Store::directory(), "broker-restarts");
    let mut records = Numbered::create(&broker, topic, PARTITIONS, 6);
    let worker = worker(&broker);
    let mut config = ours(&store, topic, 10_000);
    with(&mut config, &json!({"landfall.rotate.idle.ms": "2000"}));
    worker.create(topic, &config);
    records.produce(SLICE);
    wait_until("open files", secs(30), || (worker.metric("landfall_task_open_files") > 0.0).then_some(()));
    broker.stop();
    broker.start();
    records.produce(SLICE);
    worker.await_landed(&broker, topic, topic);
    assert_once(&store, topic, records.produced());
}

#[test]
fn members_that_join_and_leave_while_files_are_open_cost_no_record() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "joins-and-leaves");
    let (mut records, mut random) = (Numbered::create(broker, topic, PARTITIONS, 7), Random::new(8));
    let config = confluent(&store, topic, 500);
    let first = worker(broker);
    first.create(topic, &config);
    let mut second = worker(broker);
    for round in 0..4 {
        records.produce(SLICE);
        if round > 0 {
            second.start_again();
        }
        second.create(topic, &config);
        sleep(Duration::from_millis(random.below(1500)));
        records.produce(SLICE);
        if round % 2 == 0 {
            assert!(second.terminate().success(), "{}", second.log_text());
        } else {
            second.kill9();
        }
    }
    first.await_landed(broker, topic, topic);
    assert_once(&store, topic, records.produced());
}
