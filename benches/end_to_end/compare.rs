//! The comparison: each case by each program in turn, the same rows from all, and tables of what it took.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::Value;
use tempfile::TempDir;

use crate::cases::{Case, PARTITIONS, Topic, USUAL, WORST};
use crate::cost::{Cost, Costs, STAGES};
use crate::decode::Wire;
use crate::java::Java;
use crate::limit::refused;
use crate::shape::{Shape, avro};
use crate::support::broker::{Broker, Record};
use crate::support::records::Orders;
use crate::support::registry::Registry;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{process, read, secs, wait_until};

const SEED: u64 = 42;
pub(crate) const PATIENCE: Duration = secs(900);

/// What is compared.
#[derive(Debug, Args)]
pub(crate) struct Comparison {
    /// Records of the `json` topic; other topics have as many or a share of them.
    #[arg(long, default_value_t = 2_000_000)]
    records: usize,
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The worst cases in place of the usual ones.
    #[arg(long)]
    worst: bool,
    /// Only cases whose name is one of these.
    #[arg(long, value_delimiter = ';')]
    only: Vec<String>,
    /// Java's worker with Apache Iceberg's sink too, where it reads the topic.
    #[arg(long)]
    java: bool,
    /// More settings of the connector, as `key=value`.
    #[arg(long = "set", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// Leaves the worker out.
    #[arg(long)]
    limit_only: bool,
}

/// A case, and what it took each program.
#[derive(Debug)]
struct Measured {
    case: Case,
    records: usize,
    /// Bytes of keys and values, in thousand millions.
    gigabytes: f64,
    limit: Costs,
    landfall: Costs,
    /// Java's worker, and the same one once more.
    java: [Costs; 2],
}

/// The landed rows, as far as programs have to agree on them.
#[derive(Debug, PartialEq, Default)]
struct Rows {
    count: usize,
    sum_of_ids: i64,
    characters_of_notes: usize,
}

impl Comparison {
    /// Measures and prints.
    pub(crate) fn run(self) {
        let broker = Broker::private();
        let registry = Registry::start();
        registry.avro(avro::ID.into(), &avro::schema().to_string());
        let cases = if self.worst { WORST } else { USUAL };
        let wanted = |case: &&Case| self.only.is_empty() || self.only.iter().any(|name| name == case.name);
        let mut topics: Vec<(Topic, f64)> = Vec::new();
        let mut all = Vec::new();
        for &case in cases.iter().filter(wanted) {
            let records = case.topic.records(self.records);
            let filled = topics.iter().find(|(topic, _)| *topic == case.topic).map(|(_, gigabytes)| *gigabytes);
            let gigabytes = filled.unwrap_or_else(|| {
                let gigabytes = fill(&broker, &case.topic, records);
                topics.push((case.topic, gigabytes));
                gigabytes
            });
            let nothing = Costs::default;
            all.push(Measured { case, records, gigabytes, limit: nothing(), landfall: nothing(), java: [nothing(), nothing()] });
        }
        for run in 0..self.runs {
            for (n, measured) in all.iter_mut().enumerate() {
                self.measure(&broker, &registry, measured, &format!("bench-{n}-{run}"));
            }
        }
        print(&all);
    }

    fn measure(&self, broker: &Broker, registry: &Registry, measured: &mut Measured, connector: &str) {
        let Measured { case, records, .. } = measured;
        let out = TempDir::with_prefix("landfall-bench-").expect("a folder");
        measured.limit.push(run_limit(broker, &case.topic, *records, out.path()));
        let expected = rows(out.path(), case.topic.shape);
        assert_eq!(expected.count, case.landed(*records), "{}: the limit's rows", case.name);
        if !self.limit_only {
            let store = Store::directory();
            let mut config = store.connector(case.topic.name, case.flush_size(*records));
            with(&mut config, &case.settings(&registry.url()));
            for (key, value) in &self.settings {
                config[key] = value.as_str().into();
            }
            measured.landfall.push(run_worker(broker, case, &store, connector, &config));
            assert_eq!(rows(&store.folder(case.topic.name), case.topic.shape), expected, "{}: the worker's rows", case.name);
        }
        if self.java && Java::takes(case) {
            let java = Java::start(broker);
            for (pass, costs) in measured.java.iter_mut().enumerate() {
                let out = TempDir::with_prefix("landfall-bench-").expect("a folder");
                costs.push(java.land(broker, case, *records, out.path(), &format!("{connector}-{pass}")));
                assert_eq!(rows(out.path(), case.topic.shape), expected, "{}: the rows of Java's worker", case.name);
            }
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| "is not key=value".to_owned())
}

fn print(all: &[Measured]) {
    println!(
        "| records | what | CPU-s/M median (min–max) | × limit | CPU-s/GB | peak RSS MB | records/s | bytes/record in files |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let million = |measured: &Measured| measured.records as f64 / 1e6;
    for measured in all {
        let limit = measured.limit.median(|cost| cost.cpu_seconds);
        let [java, warm] = &measured.java;
        for (what, costs) in [("limit", &measured.limit), ("landfall", &measured.landfall), ("java", java), ("java, warm", warm)]
        {
            if costs.is_empty() {
                continue;
            }
            let [least, cpu, most] = costs.spread(|cost| cost.cpu_seconds / million(measured));
            println!(
                "| {} | {what} | {cpu:.2} ({least:.2}–{most:.2}) | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} |",
                measured.case.name,
                cpu * million(measured) / limit,
                cpu * million(measured) / measured.gigabytes,
                costs.median(|cost| cost.peak_rss_mb),
                costs.median(|cost| measured.records as f64 / cost.wall_seconds),
                costs.median(|cost| cost.bytes as f64 / measured.records as f64),
            );
        }
    }
    let landfall: Vec<_> = all.iter().filter(|measured| !measured.landfall.is_empty()).collect();
    if landfall.is_empty() {
        return;
    }
    println!("\n| CPU-s/M of landfall | {} | × of |\n|---|{}---|", STAGES.join(" | "), "---|".repeat(STAGES.len()));
    for measured in &landfall {
        let stages: [f64; STAGES.len()] =
            std::array::from_fn(|stage| measured.landfall.median(|cost| cost.stages[stage] / million(measured)));
        let per_million = |measured: &Measured| measured.landfall.median(|cost| cost.cpu_seconds / million(measured));
        let other = measured.case.than.and_then(|name| landfall.iter().find(|other| other.case.name == name));
        let ratio = other.map(|other| format!("{:.2} × {}", per_million(measured) / per_million(other), other.case.name));
        println!(
            "| {} | {} | {} |",
            measured.case.name,
            stages.map(|stage| format!("{stage:.2}")).join(" | "),
            ratio.unwrap_or_default()
        );
    }
}

/// Makes the topic; the bytes of its records, in thousand millions.
fn fill(broker: &Broker, topic: &Topic, records: usize) -> f64 {
    broker.create_topic(topic.name, i32::try_from(PARTITIONS).expect("a few"));
    if topic.shape == Shape::Faulty {
        broker.create_topic(&refused(topic.name), 1);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as i64;
    let values: Box<dyn Iterator<Item = Vec<u8>>> = match topic.wire {
        Wire::Json => Box::new(topic.shape.records(SEED).map(String::into_bytes)),
        Wire::Envelope => Box::new(Orders::with_schema(SEED).map(String::into_bytes)),
        Wire::Avro => Box::new(topic.shape.records(SEED).map(|order| avro::record(&order))),
    };
    let mut bytes = 0;
    let records = values.take(records).enumerate().map(|(n, value)| {
        let record = Record { timestamp: topic.timestamp(n, now), ..Record::value(value).key(n.to_string()) };
        bytes += record.value.as_ref().map_or(0, Vec::len) + record.key.as_ref().map_or(0, Vec::len);
        (i32::try_from(topic.partition(n)).expect("a few"), record)
    });
    broker.produce_with(topic.name, &[("compression.type", topic.codec)], records);
    bytes as f64 / 1e9
}

fn run_limit(broker: &Broker, topic: &Topic, records: usize, out: &Path) -> Cost {
    let (program, start) = (env::current_exe().expect("this program"), Instant::now());
    let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let (shape, wire) = (name(&topic.shape), name(&topic.wire));
    let records = records.to_string();
    let arguments = ["limit", &broker.bootstrap(), topic.name, &records, &shape, &wire, out.to_str().expect("a path of text")];
    let done = Command::new(program).args(arguments).output().expect("this program");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let took: Value = serde_json::from_slice(&done.stdout).expect("what it took");
    let figure = |key: &str| took[key].as_f64().expect("a figure");
    Cost {
        cpu_seconds: figure("cpu"),
        peak_rss_mb: figure("peak"),
        wall_seconds: start.elapsed().as_secs_f64(),
        bytes: size(out),
        stages: [0.0; STAGES.len()],
    }
}

/// Every run needs a connector name of its own, and with it a group that reads the topic from its beginning.
fn run_worker(broker: &Broker, case: &Case, store: &Store, connector: &str, config: &Value) -> Cost {
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let start = Instant::now();
    worker.create(connector, config);
    wait_until("all files of the worker", PATIENCE, || (store.files(case.topic.name).len() == case.files()).then_some(()));
    let wall_seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = worker.process().cpu_seconds();
    Cost {
        cpu_seconds,
        peak_rss_mb: worker.process().peak_rss_mb(),
        wall_seconds,
        bytes: size(&store.folder(case.topic.name)),
        stages: stages(&worker, cpu_seconds),
    }
}

/// The CPU seconds of each of [`STAGES`], by the names of the worker's threads and by what a task counts of its own.
fn stages(worker: &Worker, cpu_seconds: f64) -> [f64; STAGES.len()] {
    let threads = fs::read_dir(format!("/proc/{}/task", worker.process().pid())).expect("threads of a live process");
    let cpu = |thread: fs::DirEntry| {
        let read = |file| fs::read_to_string(thread.path().join(file)).ok();
        Some((read("comm")?, process::ticks(&read("stat")?)))
    };
    let threads: Vec<_> = threads.flatten().filter_map(cpu).collect();
    let of = |prefix: &str| threads.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, cpu)| cpu).sum::<f64>();
    let (fetch, encode, stage) = (of("rdk:"), of("encode-"), of("tokio-"));
    let (decode, put) =
        (worker.metric("landfall_task_convert_cpu_seconds_total"), worker.metric("landfall_task_put_cpu_seconds_total"));
    let poll = of("task-") - decode - put;
    [fetch, poll, decode, put, encode, stage, cpu_seconds - fetch - poll - decode - put - encode - stage]
}

/// The bytes of the Parquet files below a folder.
pub(crate) fn size(folder: &Path) -> u64 {
    let files = read::files(folder).into_iter().filter(|file| file.extension().is_some_and(|of| of == "parquet"));
    files.map(|file| fs::metadata(folder.join(file)).expect("a file").len()).sum()
}

fn rows(folder: &Path, shape: Shape) -> Rows {
    let files = read::files(folder).into_iter().filter(|file| file.extension().is_some_and(|of| of == "parquet"));
    files.map(|file| folder.join(file)).fold(Rows::default(), |all, file| {
        let ids = read::integers(&file, "id");
        let notes = if matches!(shape, Shape::Orders | Shape::Faulty) { read::strings(&file, "note") } else { Vec::new() };
        Rows {
            count: all.count + ids.len(),
            sum_of_ids: all.sum_of_ids + ids.iter().sum::<i64>(),
            characters_of_notes: all.characters_of_notes + notes.iter().map(String::len).sum::<usize>(),
        }
    })
}
