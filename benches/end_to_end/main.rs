//! How much work Landfall takes to turn a topic into Parquet, beside the raw limit on the same machine in the same run.
//!
//! What counts is the ratio of CPU seconds per million records: a machine that does other work besides makes both numbers worse.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod decode;
mod fetch;
mod limit;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests, which use the rest")]
mod support;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::broker::{Broker, Record};
use support::process::{self, Process};
use support::read;
use support::records::Orders;
use support::store::Store;
use support::worker::Worker;
use support::{secs, wait_until};

// The worker's own allocator, for the limit as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTITIONS: usize = 4;
/// Files of each partition.
const FILES: usize = 2;
const SEED: u64 = 42;
const PATIENCE: Duration = secs(600);

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Action>,
    /// What cargo adds.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Measures the limit and the worker in turn and prints a table.
    Compare {
        /// Records without schema; a quarter of them with schema.
        #[arg(long, default_value_t = 2_000_000)]
        records: usize,
        #[arg(long, default_value_t = 3)]
        runs: usize,
        /// Leaves the worker out.
        #[arg(long)]
        limit_only: bool,
    },
    /// The limit alone, as the process that is measured: prints what it took.
    Limit { bootstrap: String, topic: String, records: usize, folder: String },
}

fn main() {
    let default = Action::Compare { records: 2_000_000, runs: 3, limit_only: false };
    match Arguments::parse().command.unwrap_or(default) {
        Action::Compare { records, runs, limit_only } => compare(records, runs, !limit_only),
        Action::Limit { bootstrap, topic, records, folder } => {
            limit::land(&bootstrap, &topic, partitions(), records, Path::new(&folder));
            println!("{}", json!({"cpu": process::cpu_seconds("self"), "peak": process::memory_mb("self", "VmHWM")}));
        }
    }
}

fn partitions() -> i32 {
    i32::try_from(PARTITIONS).expect("a few")
}

/// What one landing took.
#[derive(Debug, Clone)]
struct Cost {
    /// Of the process from its start on.
    cpu_seconds: f64,
    peak_rss_mb: f64,
    wall_seconds: f64,
    /// CPU seconds of each of [`STAGES`]; nothing is known of the limit's.
    stages: [f64; STAGES.len()],
}

/// What the worker's CPU time goes to: librdkafka's threads, taking records from them into columns, converters, handing rows to
/// files, the encoders' threads, staging and publishing, and all else (its start, REST, commits).
const STAGES: [&str; 7] = ["fetch", "poll", "decode", "put", "encode", "stage", "other"];

/// One comparison: what lands, from which topic.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    topic: &'static str,
    /// `landfall.columns`.
    columns: &'static str,
}

const CASES: [Case; 3] = [
    Case { name: "json", topic: "json", columns: "" },
    Case { name: "json, system columns", topic: "json", columns: "__topic,__partition,__offset,__timestamp,__key" },
    Case { name: "env", topic: "env", columns: "" },
];

/// The landed rows, as far as two programs have to agree on them.
#[derive(Debug, PartialEq, Default)]
struct Rows {
    count: usize,
    sum_of_ids: i64,
    characters_of_notes: usize,
}

fn compare(records: usize, runs: usize, with_worker: bool) {
    // All partitions get the same number of records, and every file is full.
    let whole = PARTITIONS * FILES * 4;
    let records = (records / whole).max(1) * whole;
    let broker = Broker::private();
    for (topic, records, events) in [("json", records, Orders::schemaless(SEED)), ("env", records / 4, Orders::with_schema(SEED))]
    {
        fill(&broker, topic, records, events);
    }
    let mut breakdown = Vec::new();
    println!("| records | what | CPU-s/M median (min–max) | × limit | peak RSS MB | records/s |");
    println!("|---|---|---|---|---|---|");
    for (n, case) in CASES.iter().enumerate() {
        let records = if case.topic == "env" { records / 4 } else { records };
        let (mut limits, mut workers) = (Vec::new(), Vec::new());
        for run in 0..runs {
            let out = TempDir::with_prefix("landfall-bench-").expect("a folder");
            limits.push(run_limit(&broker, case.topic, records, out.path()));
            if with_worker {
                let store = Store::directory();
                workers.push(run_worker(&broker, case, records, &store, &format!("bench-{n}-{run}")));
                assert_eq!(rows(out.path()), rows(&store.folder(case.topic)), "{}: the limit's rows and the worker's", case.name);
            } else {
                assert_eq!(rows(out.path()).count, records);
            }
        }
        let limit = per_million(&limits, records);
        for (what, costs) in [("limit", &limits), ("landfall", &workers)] {
            if costs.is_empty() {
                continue;
            }
            let cpu = per_million(costs, records);
            let peak = median(costs.iter().map(|c| c.peak_rss_mb));
            let speed = records as f64 / median(costs.iter().map(|c| c.wall_seconds));
            println!(
                "| {} | {what} | {:.2} ({:.2}–{:.2}) | {:.2} | {peak:.0} | {speed:.0} |",
                case.name,
                cpu[1],
                cpu[0],
                cpu[2],
                cpu[1] / limit[1]
            );
        }
        if with_worker {
            let of = |stage: usize| median(workers.iter().map(|c| c.stages[stage] * 1e6 / records as f64));
            breakdown.push((case.name, std::array::from_fn::<f64, { STAGES.len() }, _>(of)));
        }
    }
    if with_worker {
        println!("\n| CPU-s/M of landfall | {} |\n|---|{}", STAGES.join(" | "), "---|".repeat(STAGES.len()));
        for (name, stages) in breakdown {
            println!("| {name} | {} |", stages.map(|s| format!("{s:.2}")).join(" | "));
        }
    }
}

/// Smallest, median and largest of the CPU seconds per million records.
fn per_million(costs: &[Cost], records: usize) -> [f64; 3] {
    let each = || costs.iter().map(|c| c.cpu_seconds * 1e6 / records as f64);
    [each().fold(f64::MAX, f64::min), median(each()), each().fold(0.0, f64::max)]
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn fill(broker: &Broker, topic: &str, records: usize, events: Orders) {
    broker.create_topic(topic, partitions());
    let partition = |n: usize| i32::try_from(n % PARTITIONS).expect("a few");
    broker.produce_all(
        topic,
        events.take(records).enumerate().map(|(n, event)| (partition(n), Record::value(event).key(n.to_string()))),
    );
}

fn run_limit(broker: &Broker, topic: &str, records: usize, out: &Path) -> Cost {
    let (program, start) = (env::current_exe().expect("this program"), Instant::now());
    let arguments = ["limit", &broker.bootstrap(), topic, &records.to_string(), out.to_str().expect("a path of text")];
    let done = Command::new(program).args(arguments).output().expect("this program");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let took: Value = serde_json::from_slice(&done.stdout).expect("what it took");
    let figure = |key: &str| took[key].as_f64().expect("a figure");
    Cost {
        cpu_seconds: figure("cpu"),
        peak_rss_mb: figure("peak"),
        wall_seconds: start.elapsed().as_secs_f64(),
        stages: [0.0; STAGES.len()],
    }
}

/// Every run needs a connector name of its own, and with it a group that reads the topic from its beginning.
fn run_worker(broker: &Broker, case: &Case, records: usize, store: &Store, connector: &str) -> Cost {
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let start = Instant::now();
    let mut config = store.connector(case.topic, records / PARTITIONS / FILES);
    config["value.converter"] = "org.apache.kafka.connect.json.JsonConverter".into();
    config["value.converter.schemas.enable"] = (case.topic == "env").to_string().into();
    config["landfall.columns"] = case.columns.into();
    worker.create(connector, &config);
    wait_until("all files of the worker", PATIENCE, || {
        let landed = store.files(case.topic).len();
        (landed == PARTITIONS * FILES).then_some(())
    });
    let process: &Process = worker.process();
    let cpu_seconds = process.cpu_seconds();
    Cost {
        cpu_seconds,
        peak_rss_mb: process.peak_rss_mb(),
        wall_seconds: start.elapsed().as_secs_f64(),
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

fn rows(folder: &Path) -> Rows {
    let files = read::files(folder).into_iter().map(|file| folder.join(file));
    files.fold(Rows::default(), |all, file| {
        let ids = read::integers(&file, "id");
        Rows {
            count: all.count + ids.len(),
            sum_of_ids: all.sum_of_ids + ids.iter().sum::<i64>(),
            characters_of_notes: all.characters_of_notes + read::strings(&file, "note").iter().map(String::len).sum::<usize>(),
        }
    })
}
