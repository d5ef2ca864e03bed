//! Storage calls that go wrong in every way cost time: each record lands once all the same.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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
        let mut config = class(&store, &topic, 200);
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
        assert_once(&store, topic, records.produced());
        let counts = proxy.counts();
        assert!(!counts.faults.is_empty(), "no call of {topic} went wrong: {counts}");
    }
}

/// A rule for the calls that a fault can do most harm to, and one for all.
fn rules(fault: Fault) -> Vec<Rule> {
    vec![Rule::new(&[PutBlob, PutBlockList], fault, 100), Rule::new(&[], fault, 50)]
}

/// A service that answers every request alike; its endpoint and how many it has seen.
fn service() -> (String, Arc<AtomicUsize>) {
    let (listener, seen) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(AtomicUsize::new(0)));
    let endpoint = format!("http://{}/account", listener.local_addr().unwrap());
    let count = seen.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut lines = BufReader::new(client.unwrap());
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            count.fetch_add(1, Ordering::Relaxed);
            lines
                .get_mut()
                .write_all(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n")
                .unwrap();
        }
    });
    (endpoint, seen)
}

#[test]
fn the_proxy_breaks_the_calls_that_it_is_told_to_break() {
    let (endpoint, seen) = service();
    let proxy = Proxy::before(&endpoint, 1);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = |path: &str| {
        let mut answer = agent.get(format!("{}/{path}", proxy.endpoint())).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
    };
    let done = || Some((201, "done".to_owned()));
    assert_eq!((ask("lake/a"), seen.swap(0, Ordering::Relaxed)), (done(), 1));
    let long = Duration::from_millis(300);
    for (fault, answer, seen_at_once, seen_later, time) in [
        (Fault::Lost, None, 0, 0, Duration::ZERO),
        (Fault::Unanswered, None, 1, 1, Duration::ZERO),
        (Fault::Torn, None, 1, 1, Duration::ZERO),
        (Fault::HeldRequest(long), done(), 1, 1, long),
        (Fault::HeldAnswer(long), done(), 1, 1, long),
        (Fault::Late(long), None, 0, 1, Duration::ZERO),
    ] {
        proxy.set([Rule::new(&[GetBlob], fault, 1000)]);
        let start = Instant::now();
        assert_eq!((ask("lake/a"), seen.load(Ordering::Relaxed)), (answer, seen_at_once), "{fault:?}");
        assert!(start.elapsed() >= time, "{fault:?}");
        wait_until("late calls", secs(30), || proxy.is_quiet().then_some(()));
        assert_eq!(seen.swap(0, Ordering::Relaxed), seen_later, "{fault:?}");
        assert_eq!((ask("lake/a?comp=blocklist"), seen.swap(0, Ordering::Relaxed)), (done(), 1), "only what the rule is for");
    }
    proxy.set([Rule::new(&[], Fault::Busy, 1000)]);
    let (status, text) = ask("lake?comp=list").expect("an answer");
    assert!(status == 503 && text.contains("<Code>ServerBusy</Code>") && seen.load(Ordering::Relaxed) == 0, "{status} {text}");
    let counts = proxy.counts();
    assert_eq!((counts.calls[&GetBlob], counts.calls[&GetBlockList], counts.calls[&Call::ListBlobs]), (7, 6, 1));
    assert_eq!((counts.faults[&(GetBlob, "late")], counts.faults[&(Call::ListBlobs, "busy")]), (1, 1));
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
