//! What Java's worker measures of tasks: `sink-task-metrics`, `task-error-metrics`, `connector-task-metrics`.

use super::{avg, each, full_class, max, rate, some, task};
use crate::herder::CLASSES;
use crate::metrics::Group::{ConnectorTask, SinkTask, TaskError};
use crate::metrics::Kind::{Counter, Gauge, Info};
use crate::metrics::view::World;
use crate::metrics::{Emit, Metric};

pub(super) static METRICS: &[Metric] = &[
    // sink-task-metrics
    task(SinkTask, "sink-record-read-rate", Gauge, "records/s", "Records fetched from Kafka per second, of late.", |m| {
        rate(&m.read)
    }),
    task(SinkTask, "sink-record-read-total", Counter, "records", "Records fetched from Kafka.", |m| some(m.records_read.get())),
    task(SinkTask, "sink-record-send-rate", Gauge, "records/s", "Records put to the sink per second, of late.", |m| {
        rate(&m.sent)
    }),
    task(SinkTask, "sink-record-send-total", Counter, "records", "Records put to the sink, after transforms.", |m| {
        some(m.records_sent.get())
    }),
    task(
        SinkTask,
        "sink-record-lag-max",
        Gauge,
        "records",
        "The most that the task is behind the end of one of its partitions.",
        |m| m.lags().iter().map(|lag| lag.records as f64).reduce(f64::max),
    ),
    task(SinkTask, "partition-count", Gauge, "partitions", "Partitions assigned to the task.", |m| some(m.partitions.get())),
    task(SinkTask, "offset-commit-seq-no", Counter, "commits", "Commits of offsets so far, failed ones included.", |m| {
        some(m.commits.get() + m.commit_failures.get())
    }),
    task(
        SinkTask,
        "offset-commit-completion-rate",
        Gauge,
        "commits/s",
        "Commits of offsets that the brokers took per second, of late.",
        |m| rate(&m.commit_success),
    ),
    task(SinkTask, "offset-commit-completion-total", Counter, "commits", "Commits of offsets that the brokers took.", |m| {
        some(m.commits.get())
    }),
    task(SinkTask, "put-batch-avg-time-ms", Gauge, "ms", "The average time that the sink took for a batch, of late.", |m| {
        avg(&m.put_time)
    }),
    task(SinkTask, "put-batch-max-time-ms", Gauge, "ms", "The longest time that the sink took for a batch, of late.", |m| {
        max(&m.put_time)
    }),
    task(
        SinkTask,
        "sink-record-active-count",
        Gauge,
        "records",
        "Offsets that were put to the sink and are not committed.",
        |m| {
            let lags = m.lags();
            (!lags.is_empty()).then(|| lags.iter().map(|lag| lag.active as f64).sum())
        },
    ),
    task(SinkTask, "sink-record-active-count-avg", Gauge, "records", "The average of sink-record-active-count, of late.", |m| {
        avg(&m.active)
    }),
    task(SinkTask, "sink-record-active-count-max", Gauge, "records", "The largest sink-record-active-count of late.", |m| {
        max(&m.active)
    }),
    // task-error-metrics
    task(
        TaskError,
        "total-record-failures",
        Counter,
        "failures",
        "Operations on records that failed, those tried again included.",
        |m| some(m.record_failures.get()),
    ),
    task(TaskError, "total-record-errors", Counter, "records", "Records that could not be processed.", |m| {
        some(m.record_errors.get())
    }),
    task(TaskError, "total-records-skipped", Counter, "records", "Records skipped, as errors are tolerated.", |m| {
        some(m.records_skipped.get())
    }),
    task(TaskError, "total-retries", Counter, "retries", "Calls tried again after a failure.", |m| some(m.retries.get())),
    task(TaskError, "total-errors-logged", Counter, "errors", "Errors written to the log.", |m| some(m.errors_logged.get())),
    task(TaskError, "deadletterqueue-produce-requests", Counter, "records", "Records sent to the dead letter queue.", |m| {
        some(m.dead_letters.get())
    }),
    task(
        TaskError,
        "deadletterqueue-produce-failures",
        Counter,
        "records",
        "Records that the dead letter queue did not take.",
        |m| some(m.dead_letter_failures.get()),
    ),
    task(
        TaskError,
        "last-error-timestamp",
        Gauge,
        "ms since 1970",
        "When an operation on a record failed last; 0 before the first.",
        |m| some(m.last_error.get()),
    ),
    // connector-task-metrics
    each(ConnectorTask, "status", Info, "", &["connector", "task", "status"], "What the task is doing.", |world, emit| {
        for task in &world.tasks {
            let [connector, number] = task.labels();
            emit(&[connector, number, &task.counts.state.to_string().to_lowercase()], 1.0);
        }
    }),
    each(
        ConnectorTask,
        "connector-class",
        Info,
        "",
        &["connector", "task", "connector_class"],
        "The class of the task's connector.",
        |w, emit| {
            class(w, 0, emit);
        },
    ),
    each(
        ConnectorTask,
        "connector-version",
        Info,
        "",
        &["connector", "task", "connector_version"],
        "The version of that class.",
        |w, emit| {
            version(w, emit);
        },
    ),
    each(
        ConnectorTask,
        "connector-type",
        Info,
        "",
        &["connector", "task", "connector_type"],
        "What kind of connector it is.",
        |w, emit| {
            w.tasks.iter().for_each(|task| {
                let [connector, number] = task.labels();
                emit(&[connector, number, "sink"], 1.0);
            });
        },
    ),
    each(
        ConnectorTask,
        "key-converter-class",
        Info,
        "",
        &["connector", "task", "key_converter_class"],
        "The class that converts keys.",
        |w, emit| {
            class(w, 1, emit);
        },
    ),
    each(
        ConnectorTask,
        "value-converter-class",
        Info,
        "",
        &["connector", "task", "value_converter_class"],
        "The class that converts values.",
        |w, emit| class(w, 2, emit),
    ),
    each(
        ConnectorTask,
        "header-converter-class",
        Info,
        "",
        &["connector", "task", "header_converter_class"],
        "The class that converts headers.",
        |w, emit| class(w, 3, emit),
    ),
    task(ConnectorTask, "running-ratio", Gauge, "ratio", "The part of its time that the task has been running.", |m| {
        m.activities.ratios().map(|(running, _)| running)
    }),
    task(ConnectorTask, "pause-ratio", Gauge, "ratio", "The part of its time that the task has been paused.", |m| {
        m.activities.ratios().map(|(_, paused)| paused)
    }),
    task(ConnectorTask, "offset-commit-avg-time-ms", Gauge, "ms", "The average time of a commit of offsets, of late.", |m| {
        avg(&m.commit_time)
    }),
    task(ConnectorTask, "offset-commit-max-time-ms", Gauge, "ms", "The longest time of a commit of offsets, of late.", |m| {
        max(&m.commit_time)
    }),
    task(
        ConnectorTask,
        "offset-commit-success-percentage",
        Gauge,
        "ratio",
        "The part of the commits of offsets of late that the brokers took.",
        |m| avg(&m.commit_success),
    ),
    task(
        ConnectorTask,
        "offset-commit-failure-percentage",
        Gauge,
        "ratio",
        "The part of the commits of offsets of late that failed.",
        |m| avg(&m.commit_success).map(|success| 1.0 - success),
    ),
    task(
        ConnectorTask,
        "batch-size-avg",
        Gauge,
        "records",
        "The average number of records in a batch put to the sink, of late.",
        |m| avg(&m.sent),
    ),
    task(ConnectorTask, "batch-size-max", Gauge, "records", "The most records in a batch put to the sink, of late.", |m| {
        max(&m.sent)
    }),
];

/// The class that tasks have by the key at a place of [`CLASSES`], their own or the worker's.
fn class(world: &World<'_>, key: usize, emit: &mut Emit<'_>) {
    let of_worker = world.herder.config().given.get(CLASSES[key]).map(String::as_str);
    for task in &world.tasks {
        let [connector, number] = task.labels();
        if let Some(class) = task.counts.classes[key].as_deref().or(of_worker) {
            let class = if key == 0 { full_class(class) } else { class };
            emit(&[connector, number, class], 1.0);
        }
    }
}

fn version(world: &World<'_>, emit: &mut Emit<'_>) {
    for task in &world.tasks {
        let [connector, number] = task.labels();
        if let Some(version) = &task.counts.version {
            emit(&[connector, number, version], 1.0);
        }
    }
}
