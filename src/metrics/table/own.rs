//! What only this worker measures: files, lag by partition, memory, storage.

use landfall_api::{Answers, Calls, FilesEnded, Lag};

use super::{OF_TASK, each, some, task, worker};
use crate::metrics::Group::Own;
use crate::metrics::Kind::{Counter, Gauge, Histogram, Info};
use crate::metrics::view::World;
use crate::metrics::{Emit, Metric, Read};

const OF_PARTITION: &[&str] = &["connector", "task", "topic", "partition"];

pub(super) static METRICS: &[Metric] = &[
    each(Own, "build_info", Info, "", &["version"], "The worker's version.", |_, emit| emit(&[env!("CARGO_PKG_VERSION")], 1.0)),
    worker(Own, "worker_memory_bytes", Gauge, "bytes", "Memory that fetch queues and open files hold.", |w| {
        some(w.herder.memory().used() as u64)
    }),
    worker(Own, "worker_memory_limit_bytes", Gauge, "bytes", "Memory that they may hold (`landfall.memory.bytes`).", |w| {
        some(w.herder.memory().limit() as u64)
    }),
    each(
        Own,
        "sink_lag_records",
        Gauge,
        "records",
        OF_PARTITION,
        "Offsets between what was put to the sink and the end of the partition.",
        |w, emit| {
            lags(w, |_, lag| Some(lag.records as f64), emit);
        },
    ),
    each(
        Own,
        "sink_lag_seconds",
        Gauge,
        "s",
        OF_PARTITION,
        "The age of the record that was put to the sink last, while there are others behind it; 0 at the end of the partition.",
        |w, emit| lags(w, |w, lag| lag.seconds(w.now), emit),
    ),
    each(
        Own,
        "sink_uncommitted_records",
        Gauge,
        "records",
        OF_PARTITION,
        "Offsets between what the group has committed, all of it in visible files, and the end of the partition.",
        |w, emit| lags(w, |_, lag| lag.uncommitted.map(|records| records as f64), emit),
    ),
    task(Own, "task_read_bytes_total", Counter, "bytes", "Bytes of keys and values fetched.", |m| some(m.bytes_read.get())),
    task(Own, "task_offset_commit_failures_total", Counter, "commits", "Commits of offsets that failed.", |m| {
        some(m.commit_failures.get())
    }),
    task(
        Own,
        "task_rebalances_total",
        Counter,
        "rebalances",
        "Rebalances of the connector's consumer group that took partitions.",
        |m| some(m.rebalances.get()),
    ),
    task(Own, "task_landed_files_total", Counter, "files", "Files made visible.", |m| some(m.files_landed.get())),
    task(Own, "task_landed_rows_total", Counter, "rows", "Rows in files made visible.", |m| some(m.rows_landed.get())),
    task(Own, "task_landed_bytes_total", Counter, "bytes", "Bytes in files made visible.", |m| some(m.bytes_landed.get())),
    task(
        Own,
        "task_last_landed_timestamp_seconds",
        Gauge,
        "s since 1970",
        "When files were made visible last; not there before the first.",
        |m| Some(m.last_landed.get()).filter(|ms| *ms > 0).map(|ms| ms as f64 / 1e3),
    ),
    task(Own, "task_commits_total", Counter, "commits", "Commits of files: pointers written with new ones.", |m| {
        some(m.pointer_commits.get())
    }),
    Metric {
        group: Own,
        name: "commit_duration_seconds",
        kind: Histogram,
        unit: "s",
        labels: OF_TASK,
        help: "The time of a commit of files, until all of them are visible.",
        read: Read::Histogram(|m| &m.commit_seconds),
    },
    task(Own, "task_fenced_total", Counter, "times", "Times that a partition was found to have another owner.", |m| {
        some(m.fenced.get())
    }),
    task(
        Own,
        "publish_assumed_total",
        Counter,
        "files",
        "Files taken for published because what was staged of them is gone.",
        |m| some(m.publish_assumed.get()),
    ),
    task(
        Own,
        "task_gap_offsets_total",
        Counter,
        "offsets",
        "Offsets left out because their records were deleted before they landed.",
        |m| some(m.gap_offsets.get()),
    ),
    task(Own, "task_open_files", Gauge, "files", "Files that receive rows now.", |m| some(m.open_files.get())),
    task(Own, "task_buffered_bytes", Gauge, "bytes", "Bytes put to the sink that are not yet staged.", |m| {
        some(m.buffered_bytes.get())
    }),
    task(Own, "task_convert_cpu_seconds_total", Counter, "s", "CPU time of the task in converters and transforms.", |m| {
        Some(m.convert_cpu.get() as f64 / 1e9)
    }),
    task(Own, "task_put_cpu_seconds_total", Counter, "s", "CPU time of the task in handing rows to files.", |m| {
        Some(m.put_cpu.get() as f64 / 1e9)
    }),
    each(
        Own,
        "task_ended_files_total",
        Counter,
        "files",
        &["connector", "task", "reason"],
        "Files that ended to be published, by why they did.",
        |w, emit| {
            for task in &w.tasks {
                let [connector, number] = task.labels();
                ENDED.iter().for_each(|(reason, read)| {
                    emit(&[connector, number, reason], read(&task.counts.metrics.files_ended) as f64);
                });
            }
        },
    ),
    each(
        Own,
        "task_storage_calls_total",
        Counter,
        "requests",
        &["connector", "task", "operation", "outcome"],
        "Requests sent to the store, by operation and what came of them: done, refused or failed.",
        |w, emit| {
            for task in &w.tasks {
                let [connector, number] = task.labels();
                for Calls { operation, sent, refused, failed } in summed(task.counts.metrics.calls()) {
                    for (outcome, calls) in
                        [("done", sent.saturating_sub(refused + failed)), ("refused", refused), ("failed", failed)]
                    {
                        emit(&[connector, number, operation, outcome], calls as f64);
                    }
                }
            }
        },
    ),
    each(
        Own,
        "task_storage_answers_total",
        Counter,
        "answers",
        &["connector", "task", "operation", "status"],
        "Answers of the store, by operation and status of HTTP; `none` where none came, `other` for those that are not told apart.",
        |w, emit| {
            for task in &w.tasks {
                let [connector, number] = task.labels();
                let mut all = task.counts.metrics.answers();
                all.sort_by_key(|of| (of.operation, of.status));
                for same in all.chunk_by(|a, b| (a.operation, a.status) == (b.operation, b.status)) {
                    let Answers { operation, status, .. } = same[0];
                    let status = match status {
                        0 => "none".to_owned(),
                        1 => "other".to_owned(),
                        status => status.to_string(),
                    };
                    emit(&[connector, number, operation, &status], same.iter().map(|of| of.answers).sum::<u64>() as f64);
                }
            }
        },
    ),
];

/// Why a file ended, and how often one did.
type Ended = (&'static str, fn(&FilesEnded) -> u64);

const ENDED: &[Ended] = &[
    ("flush_size", |ended| ended.flush_size.get()),
    ("size", |ended| ended.size.get()),
    ("open", |ended| ended.open.get()),
    ("idle", |ended| ended.idle.get()),
    ("interval", |ended| ended.interval.get()),
    ("schedule", |ended| ended.schedule.get()),
    ("partition", |ended| ended.partition.get()),
    ("schema", |ended| ended.schema.get()),
    ("max_open_files", |ended| ended.max_open_files.get()),
    ("stop", |ended| ended.stop.get()),
    ("memory", |ended| ended.memory.get()),
    ("span", |ended| ended.span.get()),
    ("commit", |ended| ended.commit.get()),
];

fn lags(world: &World<'_>, of: fn(&World<'_>, &Lag) -> Option<f64>, emit: &mut Emit<'_>) {
    for task in &world.tasks {
        let [connector, number] = task.labels();
        for lag in task.counts.metrics.lags() {
            if let Some(value) = of(world, &lag) {
                emit(&[connector, number, &lag.origin.topic, &lag.origin.partition.to_string()], value);
            }
        }
    }
}

/// The calls of a store and of another one that pointers are in, by operation.
fn summed(mut calls: Vec<Calls>) -> Vec<Calls> {
    calls.sort_by_key(|of| of.operation);
    let sum = |same: &[Calls]| {
        let of = |read: fn(&Calls) -> u64| same.iter().map(read).sum();
        Calls { operation: same[0].operation, sent: of(|c| c.sent), refused: of(|c| c.refused), failed: of(|c| c.failed) }
    };
    calls.chunk_by(|a, b| a.operation == b.operation).map(sum).collect()
}
