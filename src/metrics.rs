//! What the worker counts, in the text format of Prometheus.
//!
//! Names are those that the usual JMX exporters make of Java's metrics, so that dashboards find them
//! (`kafka_connect_<group>_<attribute>`); what Java does not count begins with `landfall_`.

use std::fmt::{Display, Write as _};

use landfall_api::{Calls, FilesEnded, TaskMetrics};

use crate::herder::{Herder, State, TaskCounts};

/// A number of a task: its name, its kind, what it says, how it is read.
type TaskMetric = (&'static str, &'static str, &'static str, fn(&TaskMetrics) -> u64);

const TASK_METRICS: &[TaskMetric] = &[
    ("kafka_connect_sink_task_metrics_sink_record_read_total", "counter", "Records fetched.", |m| m.records_read.get()),
    ("kafka_connect_sink_task_metrics_sink_record_send_total", "counter", "Records handed to the sink.", |m| {
        m.records_sent.get()
    }),
    ("kafka_connect_sink_task_metrics_partition_count", "gauge", "Partitions assigned.", |m| m.partitions.get()),
    (
        "kafka_connect_sink_task_metrics_offset_commit_completion_total",
        "counter",
        "Offset commits that the broker accepted.",
        |m| m.commits.get(),
    ),
    ("kafka_connect_task_error_metrics_total_record_failures", "counter", "Operations on records that failed.", |m| {
        m.record_failures.get()
    }),
    ("kafka_connect_task_error_metrics_total_record_errors", "counter", "Records that could not be processed.", |m| {
        m.record_errors.get()
    }),
    ("kafka_connect_task_error_metrics_total_records_skipped", "counter", "Records skipped, as errors are tolerated.", |m| {
        m.records_skipped.get()
    }),
    ("kafka_connect_task_error_metrics_total_retries", "counter", "Calls tried again after a failure.", |m| m.retries.get()),
    ("kafka_connect_task_error_metrics_total_errors_logged", "counter", "Errors written to the log.", |m| m.errors_logged.get()),
    (
        "kafka_connect_task_error_metrics_deadletterqueue_produce_requests",
        "counter",
        "Records sent to the dead letter queue.",
        |m| m.dead_letters.get(),
    ),
    (
        "kafka_connect_task_error_metrics_deadletterqueue_produce_failures",
        "counter",
        "Records that the dead letter queue did not take.",
        |m| m.dead_letter_failures.get(),
    ),
    (
        "kafka_connect_task_error_metrics_last_error_timestamp",
        "gauge",
        "When an operation on a record failed last, in milliseconds since the epoch.",
        |m| m.last_error.get(),
    ),
    ("landfall_task_read_bytes_total", "counter", "Bytes of keys and values fetched.", |m| m.bytes_read.get()),
    ("landfall_task_offset_commit_failures_total", "counter", "Offset commits that failed.", |m| m.commit_failures.get()),
    ("landfall_task_rebalances_total", "counter", "Rebalances of the consumer group seen.", |m| m.rebalances.get()),
    ("landfall_task_landed_files_total", "counter", "Files made visible.", |m| m.files_landed.get()),
    ("landfall_task_landed_rows_total", "counter", "Rows in files made visible.", |m| m.rows_landed.get()),
    ("landfall_task_landed_bytes_total", "counter", "Bytes in files made visible.", |m| m.bytes_landed.get()),
    ("landfall_task_commits_total", "counter", "Commits of files: pointers written with new ones.", |m| m.pointer_commits.get()),
    ("landfall_task_fenced_total", "counter", "Times that a partition was found to have another owner.", |m| m.fenced.get()),
    (
        "landfall_task_publish_assumed_total",
        "counter",
        "Files taken for published because what was staged of them is gone.",
        |m| m.publish_assumed.get(),
    ),
    (
        "landfall_task_gap_offsets_total",
        "counter",
        "Offsets left out because their records were deleted before they landed.",
        |m| m.gap_offsets.get(),
    ),
    ("landfall_task_open_files", "gauge", "Files that receive rows now.", |m| m.open_files.get()),
    ("landfall_task_buffered_bytes", "gauge", "Bytes handed to the sink that are not yet staged.", |m| m.buffered_bytes.get()),
];

/// The times of a task, in nanoseconds as it counts them and in seconds as Prometheus wants them.
const TASK_TIMES: &[TaskMetric] = &[
    ("landfall_task_convert_cpu_seconds_total", "counter", "CPU time spent in converters.", |m| m.convert_cpu.get()),
    ("landfall_task_put_cpu_seconds_total", "counter", "CPU time spent in handing rows to files.", |m| m.put_cpu.get()),
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

/// All metrics of a worker.
#[must_use]
pub fn render(herder: &Herder) -> String {
    let mut text = Text::default();
    let (connectors, tasks) = (herder.local_names(), herder.counts());

    text.family("landfall_build_info", "gauge", "The worker's version.");
    text.sample("landfall_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let worker = "kafka_connect_connect_worker_metrics";
    let starts = herder.starts();
    for (name, kind, help, value) in [
        ("connector_count", "gauge", "Connectors on this worker.", connectors.len() as u64),
        ("task_count", "gauge", "Tasks on this worker.", tasks.len() as u64),
        ("connector_startup_attempts_total", "counter", "Connectors that were to be started.", starts.connectors.get()),
        ("connector_startup_failure_total", "counter", "Configurations that were refused.", starts.connector_failures.get()),
        ("task_startup_attempts_total", "counter", "Tasks that were to be started.", starts.tasks.get()),
    ] {
        let name = format!("{worker}_{name}");
        text.family(&name, kind, help);
        text.sample(&name, &[], value);
    }
    let memory = herder.memory();
    for (name, help, value) in [
        ("landfall_worker_memory_bytes", "Bytes that fetch queues and open files hold.", memory.used()),
        ("landfall_worker_memory_limit_bytes", "Bytes that they may hold (landfall.memory.bytes).", memory.limit()),
    ] {
        text.family(name, "gauge", help);
        text.sample(name, &[], value);
    }
    let of = |connector: &str, state: Option<State>| {
        let mine = tasks.iter().filter(|task| task.id.connector == connector);
        mine.filter(|task| state.is_none_or(|state| task.state == state)).count() as u64
    };
    let states = State::OF_TASKS.map(|state| (state.to_string().to_lowercase(), Some(state)));
    for (state, wanted) in [("total".to_owned(), None)].into_iter().chain(states) {
        let name = format!("{worker}_connector_{state}_task_count");
        text.family(&name, "gauge", &format!("Tasks of the connector: {state}."));
        for connector in &connectors {
            text.sample(&name, &[("connector", connector)], of(connector, wanted));
        }
    }

    let status = "kafka_connect_connector_metrics_status_info";
    text.family(status, "gauge", "What the connector is doing.");
    for connector in connectors.iter().filter_map(|name| herder.status(name).ok()) {
        let state = connector.connector.state.to_string().to_lowercase();
        text.sample(status, &[("connector", &connector.name), ("status", &state)], 1);
    }
    let status = "kafka_connect_connector_task_metrics_status_info";
    text.family(status, "gauge", "What the task is doing.");
    for TaskCounts { id, state, .. } in &tasks {
        let (task, state) = (id.task.to_string(), state.to_string().to_lowercase());
        text.sample(status, &[("connector", &id.connector), ("task", &task), ("status", &state)], 1);
    }
    let mut of_tasks = |(name, kind, help, read): &TaskMetric, unit: f64| {
        text.family(name, kind, help);
        for TaskCounts { id, metrics, .. } in &tasks {
            text.sample(name, &[("connector", &id.connector), ("task", &id.task.to_string())], read(metrics) as f64 / unit);
        }
    };
    TASK_METRICS.iter().for_each(|metric| of_tasks(metric, 1.0));
    TASK_TIMES.iter().for_each(|metric| of_tasks(metric, 1e9));
    let ended = "landfall_task_ended_files_total";
    text.family(ended, "counter", "Files that ended to be published, by why they did.");
    for TaskCounts { id, metrics, .. } in &tasks {
        for (reason, read) in ENDED {
            let labels = [("connector", &*id.connector), ("task", &id.task.to_string()), ("reason", reason)];
            text.sample(ended, &labels, read(&metrics.files_ended));
        }
    }
    let called = "landfall_task_storage_calls_total";
    text.family(called, "counter", "Requests sent to the store, by operation and by what came of them.");
    for TaskCounts { id, metrics, .. } in &tasks {
        for Calls { operation, sent, refused, failed } in metrics.calls() {
            for (outcome, calls) in [("done", sent - refused - failed), ("refused", refused), ("failed", failed)] {
                let task = id.task.to_string();
                let labels = [("connector", &*id.connector), ("task", &task), ("operation", operation), ("outcome", outcome)];
                text.sample(called, &labels, calls);
            }
        }
    }
    text.0
}

/// The text format, version 0.0.4.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (i, (label, of)) in labels.iter().enumerate() {
            let escaped = of.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{escaped}\"", if i == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::default();
        text.sample("n", &[("a", "x\"y\\z\n"), ("b", "é")], 7);
        text.sample("m", &[], 8);
        assert_eq!(text.0, "n{a=\"x\\\"y\\\\z\\n\",b=\"é\"} 7\nm 8\n");
    }
}
