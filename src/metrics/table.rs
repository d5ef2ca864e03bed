//! Every metric: its name, its kind, its unit, its labels, what it says, and where it is read. `docs/metrics.md` is made of this.
//!
//! [`task`] and [`worker`] have what Java's worker has, by the names of Kafka 4.3.1, [`own`] what only this one has.

mod own;
mod task;
mod worker;

use landfall_api::TaskMetrics;
use landfall_api::metrics::Sampled;

use super::view::World;
use super::{Emit, Group, Kind, Metric, Read};
use crate::plugins::Plugins;

const OF_TASK: &[&str] = &["connector", "task"];

/// All of them, in the order in which they are shown.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    [task::METRICS, worker::METRICS, own::METRICS].into_iter().flatten()
}

/// What Java's worker or its dashboards have and this one has not, and why. A `*` at the end stands for all that begins so.
pub const ABSENT: &[(&str, &str)] = &[
    ("jvm_*", "there is no Java virtual machine"),
    ("container_*", "the container runtime measures it"),
    ("kafka_connect_source_task_*", "there are no source connectors"),
    (
        "kafka_connect_connect_metrics_*",
        "of the network client of Java's membership: this one has one connection, to the coordinator",
    ),
    (
        "kafka_connect_connector_transform_metrics_*",
        "the classes of transforms are in the connector's configuration, and have one version",
    ),
    ("kafka_connect_connector_predicate_metrics_*", "as those of transforms"),
    ("kafka_connect_connector_task_metrics_task_*", "of Java's task classes: tasks here are the connector's own, of its version"),
    ("kafka_connect_connector_task_metrics_key_converter_version", "converters have the worker's version: landfall_build_info"),
    ("kafka_connect_connector_task_metrics_value_converter_version", "as above"),
    ("kafka_connect_connector_task_metrics_header_converter_version", "as above"),
    ("kafka_connect_app", "of Java's build: the version is in landfall_build_info"),
    ("kafka_connect_cluster_id", "a label that Confluent's deployments add"),
    (
        "kafka_consumer_*",
        "of Java's consumer: what tasks read is in the metrics of sink tasks and in landfall_task_read_bytes_total",
    ),
    ("kafka_producer_*", "of Java's producer: dead letters are in the metrics of task errors"),
    ("kafka_admin_client_*", "of Java's admin client"),
    (
        "kafka_connect_connect_worker_metrics_connector_destroyed_task_count",
        "a task that is deleted has no status from then on, so that this would be 0 for ever, as it is in Java",
    ),
    ("kafka_connect_worker_connector_destroyed_task_count", "as above"),
    (
        "kafka_connect_sink_task_metrics_offset_commit_skip_*",
        "a commit of offsets is waited for, so that none is completed too late; those that fail are in landfall_task_offset_commit_failures_total",
    ),
    ("kafka_connect_sink_task_offset_commit_skip_*", "as above"),
];

const fn task(
    group: Group,
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    read: fn(&TaskMetrics) -> Option<f64>,
) -> Metric {
    Metric { group, name, kind, unit, labels: OF_TASK, help, read: Read::Task(read) }
}

const fn worker(
    group: Group,
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    read: fn(&World<'_>) -> Option<f64>,
) -> Metric {
    Metric { group, name, kind, unit, labels: &[], help, read: Read::Worker(read) }
}

const fn each(
    group: Group,
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&World<'_>, &mut Emit<'_>),
) -> Metric {
    Metric { group, name, kind, unit, labels, help, read: Read::Each(read) }
}

fn some(count: u64) -> Option<f64> {
    Some(count as f64)
}

fn rate(sampled: &Sampled) -> Option<f64> {
    Some(sampled.read().rate)
}

fn avg(sampled: &Sampled) -> Option<f64> {
    sampled.read().avg
}

fn max(sampled: &Sampled) -> Option<f64> {
    sampled.read().max
}

/// A connector's class by its full name.
fn full_class(class: &str) -> &str {
    Plugins::BUILT_IN.sink(class).map_or(class, |sink| sink.class())
}
