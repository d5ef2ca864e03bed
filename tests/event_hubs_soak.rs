//! Minutes of load through the stand-in for Event Hubs, while the worker is killed and its store goes away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::azurite::Azurite;
use crate::support::broker::Broker;
use crate::support::event_hubs::{EventHubs, Seen};
use crate::support::once::{Landed, Numbered, confluent, landed, ours};
use crate::support::records::Random;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{Stop, secs, wait_until};

const TOPIC: &str = "hub-soaked";
const PARTITIONS: usize = 4;
/// The connectors and their topics directories are of one worker, which keeps them in a container.
const CONNECTORS: [&str; 2] = ["hub-azure", "hub-directory"];

/// Soaks for `time`, then lets everything land: what has landed, what the stand-in has seen, and how often the worker was killed.
pub(crate) fn soak(time: Duration, seed: u64) -> ([Landed; 2], Seen, usize) {
    let broker = Broker::private();
    let mut records = Numbered::create(&broker, TOPIC, PARTITIONS, seed);
    let hubs = EventHubs::before(&broker, secs(2));
    let (azure, directory, mut state) = (Store::azurite(), Store::directory(), Azurite::start());
    let place = format!("{}/{}/soak", state.blob_endpoint(), state.container());
    let own = [("landfall.state", place), ("landfall.azure.connection.string", state.connection_string())];
    let properties = hubs.properties();
    let of = |(key, value): &'_ (String, String)| (key.clone(), value.clone());
    let all: Vec<_> = properties.iter().map(of).chain(own.map(|(key, value)| (key.to_owned(), value))).collect();
    let all: Vec<_> = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut worker = Worker::start(&hubs.bootstrap(), &all);
    known(&worker);
    for (name, mut config) in CONNECTORS.into_iter().zip([confluent(&azure, TOPIC, 100), ours(&directory, TOPIC, 100)]) {
        // The shortest that Event Hubs takes: whoever was killed is missed for as long.
        with(&mut config, &json!({"tasks.max": "2", "consumer.override.session.timeout.ms": "6000"}));
        worker.create(name, &config);
    }
    let (stop, mut random, mut kills) = (AtomicBool::new(false), Random::new(seed), 0);
    scope(|threads| {
        let load = threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                records.produce(200);
                sleep(Duration::from_millis(250));
            }
        });
        let at_end = Stop(&[&stop]);
        let begun = Instant::now();
        while begun.elapsed() < time {
            sleep(Duration::from_millis(2000 + random.next() % 8000));
            match random.next() % 4 {
                0 => {
                    worker.kill9();
                    worker.start_again();
                    kills += 1;
                    known(&worker);
                }
                1 => {
                    assert!(worker.terminate().success(), "{}", worker.log_text());
                    worker.start_again();
                    known(&worker);
                }
                2 => {
                    state.stop();
                    sleep(Duration::from_millis(random.next() % 3000));
                    state.start_again();
                }
                _ => {
                    for verb in ["pause", "resume"] {
                        let path = format!("/connectors/{}/{verb}", CONNECTORS[random.next() as usize % 2]);
                        wait_until("a change to be taken", secs(60), || {
                            let status = worker.put(&path, &Value::Null).0;
                            assert!([202, 503].contains(&status), "{status}");
                            (status == 202).then_some(())
                        });
                    }
                    for connector in CONNECTORS {
                        let (status, body) = worker.put(&format!("/connectors/{connector}/resume"), &Value::Null);
                        assert_eq!(status, 202, "{body:#}");
                    }
                }
            }
        }
        drop(at_end);
        load.join().expect("all records are produced");
    });
    for connector in CONNECTORS {
        worker.await_landed(&broker, connector, TOPIC);
    }
    let landed = [&azure, &directory].map(|store| landed(&[store.landed()], TOPIC, records.produced()));
    (landed, hubs.seen(), kills)
}

fn known(worker: &Worker) {
    wait_until("the state to be known", secs(60), || (worker.get("/connectors").0 == 200).then_some(()));
}
