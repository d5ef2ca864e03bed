//! A worker is ended at every step of the commit protocol and started again: each record lands once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use landfall_lake::commit::CRASH_POINTS;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::Broker;
use crate::support::once::{Numbered, Produced, assert_once, confluent, landed_of, ours};
use crate::support::process::Process;
use crate::support::store::{Store, with};
use crate::support::worker::allowed;
use crate::support::{free_port, secs, wait_until};

/// How many points are tried at a time.
const AT_A_TIME: usize = 4;
const RECORDS: usize = 1200;
/// So many come at a time, so that there are several commits.
const SLICE: usize = 100;
const PER_FILE: usize = 60;
/// What `abort` ends a process by.
const SIGABRT: i32 = 6;

/// A point of the code, and how often it is passed before the worker ends there.
#[derive(Clone, Debug)]
struct Crash {
    point: &'static str,
    passes: u32,
    topic: String,
    config: Value,
}

/// Every point, with the class that commits several files at once and with the one that lets others stay open.
fn crashes(store: &Store, name: &str) -> Vec<Crash> {
    let mut crashes = Vec::new();
    for (n, point) in CRASH_POINTS.into_iter().enumerate() {
        // A partition is opened once: this is the second one.
        let mut tries = vec![(1, confluent as fn(&Store, &str, usize) -> Value)];
        if !["commit::before-read", "commit::before-fence", "commit::after-fence", "commit::between-publishes"].contains(&point) {
            tries.push((3, ours));
        }
        for (passes, class) in tries {
            let topic = format!("crash-{name}-{n}-{passes}");
            let mut config = class(store, &topic, PER_FILE);
            // A static member has its partitions back as soon as it comes back.
            with(&mut config, &json!({"consumer.override.group.instance.id": topic, "landfall.rotate.idle.ms": "500"}));
            crashes.push(Crash { point, passes, topic, config });
        }
    }
    crashes
}

fn start(folder: &Path, failpoints: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("standalone").arg(folder.join("worker.properties")).arg(folder.join("connector.json"));
    command.current_dir(folder).env("FAILPOINTS", failpoints);
    Process::spawn(&mut command, &folder.join("worker.log"), folder).expect("the worker's program")
}

impl Crash {
    /// Lands `count` records by a worker that ends at the point, and by another one after it; what was produced.
    fn run(&self, broker: &Broker, partitions: usize, count: usize) -> Produced {
        let Self { point, passes, topic, config } = self;
        let folder = TempDir::with_prefix("landfall-crash-").expect("a folder for the worker");
        let (bootstrap, port) = (broker.bootstrap(), free_port());
        let properties = format!(
            "bootstrap.servers={bootstrap}\nlisteners=http://127.0.0.1:{port}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             offset.storage.file.filename=connect.offsets\noffset.flush.interval.ms=200\n"
        );
        let allowed = allowed().map(|(key, value)| format!("{key}={value}\n")).concat();
        fs::write(folder.path().join("worker.properties"), properties + &allowed).expect("worker.properties");
        let connector = json!({"name": topic, "config": config}).to_string();
        fs::write(folder.path().join("connector.json"), connector).expect("connector.json");
        let log = || fs::read_to_string(folder.path().join("worker.log")).unwrap_or_default();
        let mut records = Numbered::create(broker, topic, partitions, u64::from(*passes));
        let mut left = count;
        let all_landed = |records: &Numbered| broker.committed(&format!("connect-{topic}"), topic) == records.ends();

        let mut worker = start(folder.path(), &format!("{point}={passes}*off->return"));
        let status = wait_until(&format!("a worker to end at {point}"), secs(60), || {
            if left > 0 {
                records.produce(left.min(SLICE));
                left -= left.min(SLICE);
            }
            sleep(Duration::from_millis(100));
            let goes_on = left > 0 || !all_landed(&records);
            assert!(goes_on, "all of {topic} has landed without passing {point} {passes} times and once more: {}", log());
            worker.ended()
        });
        assert_eq!(status.signal(), Some(SIGABRT), "{topic}, which should have ended at {point}: {}", log());

        records.produce(left);
        let mut worker = start(folder.path(), "");
        let begun = Instant::now();
        while !all_landed(&records) {
            let ended = worker.ended();
            let goes_on = ended.is_none() && begun.elapsed() < secs(60);
            assert!(goes_on, "{topic} does not land after a crash at {point}, {ended:?}: {}", log());
            sleep(Duration::from_millis(100));
        }
        records.produced()
    }
}

fn every_record_lands_once(store: &Store, name: &str) {
    let broker = Broker::shared();
    let (left, done) = (Mutex::new(crashes(store, name)), Mutex::new(BTreeMap::new()));
    scope(|threads| {
        for _ in 0..AT_A_TIME {
            threads.spawn(|| {
                loop {
                    let Some(crash) = left.lock().expect("what is left").pop() else { break };
                    let produced = crash.run(broker, 2, RECORDS);
                    done.lock().expect("what is done").insert(crash.topic, (crash.point, produced));
                }
            });
        }
    });
    let done = done.into_inner().expect("what is done");
    let points: BTreeSet<_> = done.values().map(|(point, _)| *point).collect();
    assert_eq!(points, CRASH_POINTS.into(), "a thread has failed");
    let topics = done.iter().map(|(topic, (_, produced))| (topic.as_str(), produced.clone())).collect();
    for (topic, landed) in landed_of(&[store.landed()], "", &topics) {
        assert!(landed.is_once(), "{topic}, with a crash at {}: {landed:#?}", done[&topic].0);
    }
}

#[test]
fn a_crash_at_any_step_lands_nothing_twice_in_a_directory() {
    every_record_lands_once(&Store::directory(), "directory");
}

/// The last files of a partition are committed, and no record comes any more after which it would be looked at.
#[test]
fn what_was_committed_before_a_crash_becomes_visible_without_another_record() {
    let (broker, store) = (Broker::shared(), Store::directory());
    for (n, point) in ["commit::after-write", "commit::before-group"].into_iter().enumerate() {
        let topic = format!("crash-last-{n}");
        let mut config = confluent(&store, &topic, 1_000_000);
        with(&mut config, &json!({"consumer.override.group.instance.id": topic, "landfall.rotate.idle.ms": "500"}));
        let crash = Crash { point, passes: 0, topic, config };
        let produced = crash.run(broker, 1, SLICE);
        assert_once(&store, &crash.topic, produced);
    }
}

#[test]
fn a_crash_at_any_step_lands_nothing_twice_in_azure() {
    every_record_lands_once(&Store::azurite(), "azure");
}
