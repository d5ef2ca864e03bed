//! How soon after a record was produced its row is visible, where files end after a second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use serde_json::{Value, json};

use crate::percentile;
use crate::support::broker::{Broker, Record};
use crate::support::read::{batches, files, python};
use crate::support::records::Orders;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{Stop, secs, wait_until};

const TOPIC: &str = "latency";
const PARTITIONS: usize = 4;
/// How often a directory is looked at.
const LOOK: Duration = Duration::from_millis(3);
/// Records are produced in bursts of so long.
const BURST: Duration = Duration::from_millis(2);
/// The producer's first records wait for its connections: those of the first time are not counted, in milliseconds.
const WARMING_MS: i64 = 2000;
const SEED: u64 = 42;
const PATIENCE: Duration = secs(60);

/// Measures both rates, in a directory and in Azurite, and prints a table.
pub(crate) fn table(lasting: Duration) {
    println!("| store | records/s | produced/s | p50 ms | p99 ms | max ms | files/s | storage calls/s | CPU % of a core |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, store) in [("directory", Store::directory as fn() -> Store), ("Azurite", Store::azurite)] {
        for rate in [1_000, 100_000] {
            run(name, &store(), rate, lasting);
        }
    }
}

fn run(name: &str, store: &Store, rate: usize, lasting: Duration) {
    let broker = Broker::private();
    broker.create_topic(TOPIC, PARTITIONS as i32);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(TOPIC, i32::MAX as usize);
    with(&mut config, &json!({"landfall.rotate.open.ms": "1000", "landfall.columns": "__timestamp"}));
    worker.create(TOPIC, &config);
    let used = || (worker.process().cpu_seconds(), worker.metric("landfall_task_storage_calls_total"));
    // Partitions are opened with their first records, which are no figure of the rate.
    let record = |(n, order)| ((n % PARTITIONS) as i32, Record::value(order));
    broker.produce_all(TOPIC, Orders::schemaless(SEED).take(PARTITIONS).enumerate().map(record));
    wait_until("the first files", PATIENCE, || (store.files(TOPIC).len() == PARTITIONS).then_some(()));
    let first = store.files(TOPIC);

    let records = rate * usize::try_from(lasting.as_secs()).expect("seconds");
    let (before, begun, done) = (used(), Instant::now(), AtomicBool::new(false));
    let (mut seen, after, took) = thread::scope(|scope| {
        let stop = Stop(&[&done]);
        let watcher = scope.spawn(|| watch(store, &done));
        let orders = Orders::schemaless(SEED).take(records).enumerate();
        broker.produce_all(TOPIC, Paced { begun, rate, produced: 0, of: orders.map(record) });
        let (after, took) = (used(), begun.elapsed().as_secs_f64());
        wait_until("all rows", PATIENCE, || {
            (worker.metric("landfall_task_landed_rows_total") as usize == records + PARTITIONS).then_some(())
        });
        thread::sleep(10 * LOOK);
        drop(stop);
        (watcher.join().expect("a watcher"), after, took)
    });
    seen.retain(|file, _| !first.contains(file));
    let (folder, mut waited) = (store.folder(TOPIC), Vec::<(i64, f64)>::with_capacity(records));
    for (file, at) in &seen {
        for batch in batches(&folder.join(file)) {
            let times = batch.column_by_name("__timestamp").expect("a column").as_primitive::<TimestampMillisecondType>();
            waited.extend(times.iter().flatten().map(|time| (time, at - time as f64)));
        }
    }
    assert_eq!(waited.len(), records, "rows whose record's time is known");
    let began = waited.iter().map(|(time, _)| *time).min().expect("rows");
    let mut waited: Vec<f64> = waited.iter().filter(|(time, _)| time - began >= WARMING_MS).map(|(_, waited)| *waited).collect();
    waited.sort_by(f64::total_cmp);
    println!(
        "| {name} | {rate} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} |",
        records as f64 / took,
        percentile(&waited, 50),
        percentile(&waited, 99),
        percentile(&waited, 100),
        seen.len() as f64 / took,
        (after.1 - before.1) / took,
        (after.0 - before.0) / took * 100.0
    );
}

/// Looks at the files of the topic until it is done; when each was first there, in milliseconds since the epoch.
fn watch(store: &Store, done: &AtomicBool) -> BTreeMap<PathBuf, f64> {
    match store {
        Store::Directory(_) => watch_folder(&store.folder(TOPIC), done),
        Store::Azurite(azurite, _) => {
            let until = tempfile::NamedTempFile::new().expect("a file");
            let prefix = format!("topics/{TOPIC}/");
            let path = until.path().to_str().expect("a path of text").to_owned();
            thread::scope(|scope| {
                let seen =
                    scope.spawn(|| python("blobs.py", &["watch", &azurite.connection_string(), azurite.container(), &path]));
                while !done.load(Ordering::Relaxed) {
                    thread::sleep(LOOK);
                }
                drop(until);
                let seen = seen.join().expect("names and times");
                let of_topic = |(name, at): (&String, &Value)| Some((name.strip_prefix(&prefix)?.into(), at.as_f64()?));
                seen.as_object().expect("an object").iter().filter_map(of_topic).collect()
            })
        }
    }
}

fn watch_folder(folder: &Path, done: &AtomicBool) -> BTreeMap<PathBuf, f64> {
    let mut seen = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        let all = files(folder);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64() * 1e3;
        for file in all {
            seen.entry(file).or_insert(now);
        }
        thread::sleep(LOOK);
    }
    seen
}

/// Gives so many items a second.
struct Paced<I> {
    begun: Instant,
    rate: usize,
    produced: usize,
    of: I,
}

impl<I: Iterator> Iterator for Paced<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        while self.begun.elapsed().as_secs_f64() * (self.rate as f64) < self.produced as f64 {
            thread::sleep(BURST);
        }
        self.produced += 1;
        self.of.next()
    }
}
