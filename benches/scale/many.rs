//! What a worker costs that has nothing to do, by how much it has of what.

use std::collections::BTreeMap;
use std::fs;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::cluster::{Cluster, Kind};
use crate::support::process::memory_mb;
use crate::support::store::{Store, lands_apart, with};
use crate::support::worker::Worker;
use crate::support::{free_port, secs, wait_until};
use crate::{percentile, sink};

const PATIENCE: Duration = secs(900);
/// Partitions of each topic.
const PARTITIONS: usize = 10;
/// Between the last change and the first look, for what only happens at the beginning.
const SETTLING: Duration = secs(15);
/// Requests for the lists of all connectors, and of one connector's status.
const REQUESTS: usize = 200;

/// What there is more and more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    /// Topics of ten partitions, of four tasks.
    Topics,
    /// Files with a row each, of one task.
    Files,
    /// Connectors of one task.
    Connectors,
}

/// A worker while it has nothing to do.
#[derive(Debug)]
struct Idle {
    rss_mb: f64,
    threads: usize,
    /// Percent of a core.
    cpu: f64,
    /// Times a second that a thread was woken.
    wakeups: f64,
    /// Milliseconds of `GET /connectors?expand=status`: the median and the 99th percentile.
    list_ms: [f64; 2],
    /// Milliseconds of `GET /connectors/…/status`, and without a connector of `GET /`.
    status_ms: [f64; 2],
}

/// Measures all tables, or one alone, and prints them.
pub(crate) fn tables(largest: usize, idle: Duration, only: Option<Table>) {
    println!(
        "| | size | RSS MB | threads | CPU idle % of a core | wakeups/s | list ms p50 / p99 | status ms p50 / p99 | rebalance s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let sizes = |largest: usize| [largest / 8, largest / 4, largest / 2, largest];
    let wanted = |table| only.is_none_or(|only| only == table);
    if only.is_none() {
        let (broker, store) = (Broker::private(), Store::directory());
        let lonely = Worker::start(&format!("127.0.0.1:{}", free_port()), &[]);
        row("no connector, no broker", 0, &look(&lonely, "", idle), None);
        let worker = Worker::start(&broker.bootstrap(), &[]);
        row("no connector", 0, &look(&worker, "", idle), None);
        broker.create_topic("one", 1);
        worker.create("one", &sink(&store, "one"));
        row("one connector", 1, &look(&worker, "/connectors/one/status", idle), None);
    }
    if wanted(Table::Topics) {
        topics(&sizes(largest), idle);
    }
    if wanted(Table::Files) {
        files(&sizes(largest * 10), idle);
    }
    if wanted(Table::Connectors) {
        connectors(&sizes(largest), idle);
    }
}

fn row(table: &str, size: usize, idle: &Idle, rebalance: Option<Duration>) {
    let Idle { rss_mb, threads, cpu, wakeups, list_ms, status_ms } = idle;
    let rebalance = rebalance.map_or("–".to_owned(), |rebalance| format!("{:.1}", rebalance.as_secs_f64()));
    println!(
        "| {table} | {size} | {rss_mb:.0} | {threads} | {cpu:.1} | {wakeups:.0} | {:.1} / {:.1} | {:.1} / {:.1} | {rebalance} |",
        list_ms[0], list_ms[1], status_ms[0], status_ms[1]
    );
}

/// Topics with a record each that has landed; a fifth task comes, and reads another one of each topic with the others.
fn topics(sizes: &[usize], idle: Duration) {
    let broker = Broker::with_heap("2g");
    let all: Vec<String> = (0..*sizes.last().expect("sizes")).map(|n| format!("topic-{n:04}")).collect();
    let mut made = 0;
    for &size in sizes {
        broker.create_topics(&all[made..size], i32::try_from(PARTITIONS).expect("a few"));
        made = size;
        let (store, name) = (Store::directory(), format!("topics-{size}"));
        let worker = Worker::start(&broker.bootstrap(), &[]);
        let mut config = sink(&store, &all[..size].join(","));
        with(&mut config, &json!({"tasks.max": "4", "landfall.rotate.open.ms": "1000"}));
        worker.create(&name, &config);
        let consumes = || {
            let before = worker.metric(READ) as usize;
            produce_to_each(&broker, &all[..size]);
            wait_until("a record of each topic", PATIENCE, || (worker.metric(READ) as usize >= before + size).then_some(()));
        };
        assigned(&worker, 4, size * PARTITIONS);
        consumes();
        let seen = look(&worker, &status(&name), idle);
        let begun = Instant::now();
        change(&worker, &name, &mut config, 5, size * PARTITIONS);
        let rebalance = begun.elapsed();
        consumes();
        row("topics × 10 partitions, 4 tasks", size, &seen, Some(rebalance));
    }
}

/// Sends a record to each topic. A producer waits for its first connection, so some wait at once.
fn produce_to_each(broker: &Broker, topics: &[String]) {
    thread::scope(|scope| {
        for some in topics.chunks(topics.len().div_ceil(16)) {
            scope.spawn(|| some.iter().for_each(|topic| broker.produce(topic, 0, [Record::value(r#"{"id":1}"#)])));
        }
    });
}

/// Files with a row each; a second task comes, and both have as many open as the one had.
fn files(sizes: &[usize], idle: Duration) {
    let broker = Broker::with_heap("2g");
    for &size in sizes {
        let (store, name) = (Store::directory(), format!("files-{size}"));
        broker.create_topic(&name, PARTITIONS as i32);
        let record = |n: usize| (n % PARTITIONS, Record::value(format!(r#"{{"folder":{},"id":{n}}}"#, n / PARTITIONS)));
        broker.produce_all(&name, (0..size).map(record).map(|(partition, record)| (partition as i32, record)));
        let worker = Worker::start(&broker.bootstrap(), &[]);
        let mut config = sink(&store, &name);
        with(
            &mut config,
            &json!({
                "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
                "partition.field.name": "folder",
                "landfall.partition.schemaless": "true",
                // What the task has open when it stops is opened again by the two.
                "landfall.flush.on.stop": "false",
            }),
        );
        worker.create(&name, &config);
        let open = || {
            wait_until("all files to be open", PATIENCE, || (worker.metric(OPEN) as usize == size).then_some(()));
        };
        open();
        let seen = look(&worker, &status(&name), idle);
        let begun = Instant::now();
        change(&worker, &name, &mut config, 2, PARTITIONS);
        open();
        row("open files", size, &seen, Some(begun.elapsed()));
    }
}

/// Connectors that have a topic without records in common, on a worker of a cluster; a second worker comes, takes half of them, and all
/// read a record.
fn connectors(sizes: &[usize], idle: Duration) {
    let broker = Broker::with_heap("2g");
    for &size in sizes {
        let (store, id) = (Store::directory(), format!("connectors-{size}"));
        broker.create_topic(&id, 1);
        let usual = [
            ("session.timeout.ms", "45000"),
            ("heartbeat.interval.ms", "3000"),
            ("rebalance.timeout.ms", "60000"),
            ("consumer.session.timeout.ms", "45000"),
            ("consumer.heartbeat.interval.ms", "3000"),
            ("task.shutdown.graceful.timeout.ms", "30000"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ];
        let mut cluster = Cluster::new(&broker, &id, &usual);
        cluster.start(&[Kind::Landfall]);
        for n in 0..size {
            let name = format!("{id}-{n}");
            let mut config = sink(&store, &id);
            lands_apart(&mut config, &name);
            let created = json!({"name": name, "config": config});
            let (status, answer) = cluster.members[0].ask("create", |worker| worker.post("/connectors", &created));
            assert_eq!(status, 201, "{answer}");
        }
        running(&cluster, size);
        let first = &cluster.members[0].worker;
        assigned(first, size, size);
        let seen = look(first, &status(&format!("{id}-0")), idle);
        let begun = Instant::now();
        cluster.start(&[Kind::Landfall]);
        running(&cluster, size);
        broker.produce(&id, 0, [Record::value("{}")]);
        wait_until("all connectors to consume", PATIENCE, || {
            let read: f64 = cluster.members.iter().map(|member| member.worker.metric(READ)).sum();
            (read as usize >= size).then_some(())
        });
        row("idle connectors", size, &seen, Some(begun.elapsed()));
    }
}

const READ: &str = "kafka_connect_sink_task_metrics_sink_record_read_total";
const OPEN: &str = "landfall_task_open_files";

fn status(connector: &str) -> String {
    format!("/connectors/{connector}/status")
}

/// Waits until each of so many tasks has partitions, and all of them together that many.
fn assigned(worker: &Worker, tasks: usize, partitions: usize) {
    wait_until("all partitions to be assigned", PATIENCE, || {
        let of_tasks = worker.metrics("kafka_connect_sink_task_metrics_partition_count");
        let all = of_tasks.len() == tasks && of_tasks.iter().all(|count| *count > 0.0);
        (all && of_tasks.iter().sum::<f64>() as usize == partitions).then_some(())
    });
}

/// Gives a connector another number of tasks, and waits until they have all its partitions.
fn change(worker: &Worker, name: &str, config: &mut Value, tasks: usize, partitions: usize) {
    config["tasks.max"] = tasks.to_string().into();
    let (status, answer) = worker.put(&format!("/connectors/{name}/config"), config);
    assert_eq!(status, 200, "{answer}");
    assigned(worker, tasks, partitions);
}

/// Waits until all connectors and their tasks run, on all members alike.
fn running(cluster: &Cluster<'_>, connectors: usize) {
    let share = (2 * connectors).div_ceil(cluster.members.len()) + 1;
    for member in &cluster.members {
        wait_until("all connectors and tasks to run", PATIENCE, || {
            let all = member.worker.get("/connectors?expand=status").1;
            let all = all.as_object()?;
            let mut on: BTreeMap<String, usize> = BTreeMap::new();
            for status in all.values().map(|connector| &connector["status"]) {
                for part in std::iter::once(&status["connector"]).chain(status["tasks"].as_array()?) {
                    let worker = part["worker_id"].as_str().filter(|_| part["state"] == "RUNNING")?;
                    *on.entry(worker.to_owned()).or_default() += 1;
                }
            }
            (on.values().sum::<usize>() == 2 * connectors && on.values().all(|parts| *parts <= share)).then_some(())
        });
    }
}

/// Looks at a worker while nothing happens, and asks it for the list of all connectors and for `path`.
fn look(worker: &Worker, path: &str, idle: Duration) -> Idle {
    sleep(SETTLING);
    let process = worker.process();
    let (begun, cpu, before) = (Instant::now(), process.cpu_seconds(), wakeups(process.pid()));
    sleep(idle);
    let (seconds, cpu, after) = (begun.elapsed().as_secs_f64(), process.cpu_seconds() - cpu, wakeups(process.pid()));
    let woken = after.iter().map(|(thread, woken)| woken - before.get(thread).unwrap_or(&0)).sum::<u64>();
    Idle {
        rss_mb: memory_mb(&process.pid().to_string(), "VmRSS"),
        threads: after.len(),
        cpu: cpu / seconds * 100.0,
        wakeups: woken as f64 / seconds,
        list_ms: timed(worker, "/connectors?expand=status"),
        status_ms: timed(worker, path),
    }
}

/// How often each thread of a process has gone to sleep, which it does as often as it is woken.
fn wakeups(pid: u32) -> BTreeMap<String, u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("threads of a live process");
    let of = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let woken = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok())?;
        Some((thread.file_name().into_string().ok()?, woken))
    };
    threads.flatten().filter_map(of).collect()
}

/// The median and the 99th percentile of the milliseconds that a request takes.
fn timed(worker: &Worker, path: &str) -> [f64; 2] {
    let agent = ureq::Agent::new_with_defaults();
    let mut times: Vec<f64> = (0..REQUESTS)
        .map(|_| {
            let begun = Instant::now();
            let mut answer = agent.get(worker.url(path)).call().expect("an answer");
            answer.body_mut().read_to_vec().expect("a body");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [percentile(&times, 50), percentile(&times, 99)]
}
