//! A backlog of many partitions, caught up with by one task and by more: how fast, within what memory, and in files of what size.

use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::cases::USUAL;
use crate::compare::PATIENCE;
use crate::shape::Shape;
use crate::support::broker::{Broker, Record};
use crate::support::read;
use crate::support::store::{Store, with};
use crate::support::wait_until;
use crate::support::worker::Worker;

const TOPIC: &str = "backlog";
/// Files end by this clock and by nothing else.
const ROTATE_MS: &str = "10000";
const SEED: u64 = 42;

/// What is caught up with.
#[derive(Debug, Args)]
pub(crate) struct Backlog {
    #[arg(long, default_value_t = 10_000_000)]
    records: usize,
    #[arg(long, default_value_t = 200)]
    partitions: usize,
    /// `tasks.max`, each in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    tasks: Vec<usize>,
    /// `landfall.memory.bytes`.
    #[arg(long, default_value_t = 256 << 20)]
    memory: usize,
}

impl Backlog {
    /// Measures and prints.
    pub(crate) fn run(self) {
        let broker = Broker::private();
        broker.create_topic(TOPIC, i32::try_from(self.partitions).expect("some"));
        let record = |(n, order): (usize, String)| {
            (i32::try_from(n % self.partitions).expect("some"), Record::value(order).key(n.to_string()))
        };
        broker.produce_all(TOPIC, Shape::Orders.records(SEED).take(self.records).enumerate().map(record));
        println!("| tasks | records/s | CPU-s/M | cores | peak RSS MB | files | rows/file, least | ended for memory |");
        println!("|---|---|---|---|---|---|---|---|");
        for tasks in &self.tasks {
            self.catch_up(&broker, *tasks);
        }
    }

    fn catch_up(&self, broker: &Broker, tasks: usize) {
        let (store, connector) = (Store::directory(), format!("backlog-{tasks}"));
        let worker = Worker::start(&broker.bootstrap(), &[("landfall.memory.bytes", &self.memory.to_string())]);
        let mut config = store.connector(TOPIC, self.records);
        with(&mut config, &USUAL[0].settings(""));
        with(&mut config, &json!({"tasks.max": tasks.to_string(), "landfall.rotate.open.ms": ROTATE_MS}));
        let (cpu, start) = (worker.process().cpu_seconds(), Instant::now());
        worker.create(&connector, &config);
        let group = format!("connect-{connector}");
        let wanted = i64::try_from(self.records).expect("a count");
        wait_until("all of the backlog to be visible", PATIENCE, || {
            (broker.committed(&group, TOPIC).values().sum::<i64>() >= wanted).then_some(())
        });
        let (cpu, wall) = (worker.process().cpu_seconds() - cpu, start.elapsed().as_secs_f64());
        let rows: Vec<i64> = store.files(TOPIC).iter().map(|file| read::row_count(&store.folder(TOPIC).join(file))).collect();
        assert_eq!(rows.iter().sum::<i64>(), wanted, "each record is in one file");
        println!(
            "| {tasks} | {:.0} | {:.2} | {:.2} | {:.0} | {} | {:.0}, {} | {} |",
            self.records as f64 / wall,
            cpu * 1e6 / self.records as f64,
            cpu / wall,
            worker.process().peak_rss_mb(),
            rows.len(),
            wanted as f64 / rows.len() as f64,
            rows.iter().min().expect("files"),
            ended_for_memory(&worker),
        );
    }
}

fn ended_for_memory(worker: &Worker) -> u64 {
    let (_, text) = worker.get("/metrics");
    let lines = text.as_str().unwrap_or_default().lines();
    let of_memory = |line: &&str| line.starts_with("landfall_task_ended_files_total{") && line.contains("reason=\"memory\"");
    lines.filter(of_memory).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
