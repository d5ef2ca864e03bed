//! Storage calls that go wrong in every way cost time: each record lands once all the same.

use std::time::Duration;

use crate::support::broker::Broker;
use crate::support::once::{Numbered, assert_once, confluent, ours, through};
use crate::support::proxy::Call::{GetBlob, GetBlobProperties, GetBlockList, PutBlob, PutBlock, PutBlockList};
use crate::support::proxy::{Call, Fault, Proxy, Rule};
use crate::support::store::Store;
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const RECORDS: usize = 20_000;
const PARTITIONS: usize = 3;
const READS: &[Call] = &[GetBlob, GetBlockList, GetBlobProperties];
const A_WHILE: Duration = Duration::from_millis(1500);

/// Lands records while `faults` hit, each for itself with a topic of its own, all at the same time.
fn lands_once_despite(name: &str, faults: &[(&str, Vec<Rule>)]) {
    let (broker, store) = (Broker::shared(), Store::azurite());
    let Store::Azurite(azurite, _) = &store else { unreachable!("made in Azurite") };
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut all = Vec::new();
    for (seed, (fault, rules)) in (1..).zip(faults) {
        let topic = format!("{name}-{fault}");
        let mut records = Numbered::create(broker, &topic, PARTITIONS, seed);
        records.produce(RECORDS / 2);
        let proxy = Proxy::before(&azurite.blob_endpoint(), seed);
        proxy.set(&rules[..]);
        let class = if seed % 2 == 0 { confluent } else { ours };
        let mut config = class(&store, &topic, 400);
        through(&mut config, azurite, &proxy);
        worker.create(&topic, &config);
        all.push((topic, records, proxy));
    }
    for (_, records, _) in &mut all {
        records.produce(RECORDS - RECORDS / 2);
    }
    for (topic, records, proxy) in &all {
        worker.await_landed(broker, topic, topic);
        wait_until("late calls", secs(30), || proxy.is_quiet().then_some(()));
        let files = assert_once(&store, topic, records.produced());
        let counts = proxy.counts();
        assert!(!counts.faults.is_empty(), "no call of {topic} went wrong: {counts}");
        println!("{topic}: {files} files by {counts}; {:?}", counts.faults);
    }
}

/// A rule for the calls that a fault can do most harm to, and one for all.
fn rules(fault: Fault) -> Vec<Rule> {
    vec![Rule::new(&[PutBlob, PutBlockList], fault, 80), Rule::new(&[], fault, 30)]
}

#[test]
fn calls_that_are_not_done_are_made_again() {
    lands_once_despite("faults", &[("busy", rules(Fault::Busy)), ("lost", rules(Fault::Lost))]);
}

#[test]
fn calls_that_are_done_without_an_answer_are_done_once() {
    let torn = vec![Rule::new(READS, Fault::Torn, 200), Rule::new(&[PutBlob, PutBlockList], Fault::Torn, 80)];
    lands_once_despite("faults", &[("unanswered", rules(Fault::Unanswered)), ("torn", torn)]);
}

#[test]
fn calls_that_are_done_late_change_nothing_more() {
    let late = |after| [Rule::new(&[PutBlob, PutBlockList, PutBlock], Fault::Late(after), 60)];
    let soon = late(Duration::from_millis(50)).into_iter().chain(late(A_WHILE)).collect();
    let held = vec![
        Rule::new(&[PutBlob, PutBlockList], Fault::HeldRequest(A_WHILE), 40),
        Rule::new(&[], Fault::HeldAnswer(A_WHILE), 20),
    ];
    lands_once_despite("faults", &[("late", soon), ("held", held)]);
}
