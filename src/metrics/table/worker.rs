//! What Java's worker measures of itself: `connector-metrics`, `connect-worker-metrics`, `connect-worker-rebalance-metrics`,
//! `connect-coordinator-metrics`.

use super::{avg, each, full_class, max, rate, some, worker};
use crate::herder::{CLASSES, State};
use crate::metrics::Group::{Connector, Coordinator, Rebalance, Worker};
use crate::metrics::Kind::{Counter, Gauge, Info};
use crate::metrics::view::World;
use crate::metrics::{Emit, Metric};

pub(super) static METRICS: &[Metric] = &[
    // connector-metrics
    each(Connector, "status", Info, "", &["connector", "status"], "What the connector is doing.", status),
    each(Connector, "", Info, "", &["connector", "status"], "The same, as Confluent's dashboard asks for it.", status),
    each(
        Connector,
        "connector-type",
        Info,
        "",
        &["connector", "connector_type"],
        "What kind of connector it is.",
        |world, emit| {
            world.connectors.iter().for_each(|status| emit(&[&status.name, "sink"], 1.0));
        },
    ),
    each(Connector, "connector-class", Info, "", &["connector", "connector_class"], "The connector's class.", |world, emit| {
        for status in &world.connectors {
            let config = world.herder.info(&status.name).map(|info| info.config).unwrap_or_default();
            if let Some(class) = config.get(CLASSES[0]) {
                emit(&[&status.name, full_class(class)], 1.0);
            }
        }
    }),
    each(
        Connector,
        "connector-version",
        Info,
        "",
        &["connector", "connector_version"],
        "The version of its class.",
        |world, emit| {
            for status in &world.connectors {
                if let Some(version) = &status.connector.version {
                    emit(&[&status.name, version], 1.0);
                }
            }
        },
    ),
    // connect-worker-metrics
    worker(Worker, "connector-count", Gauge, "connectors", "Connectors on this worker.", |w| some(w.connectors.len() as u64)),
    worker(Worker, "connector-startup-attempts-total", Counter, "starts", "Connectors that were to be started.", |w| {
        some(w.herder.starts().connectors.get())
    }),
    worker(Worker, "connector-startup-success-total", Counter, "starts", "Connectors that were started.", |w| {
        let starts = w.herder.starts();
        some(starts.connectors.get().saturating_sub(starts.connector_failures.get()))
    }),
    worker(
        Worker,
        "connector-startup-success-percentage",
        Gauge,
        "ratio",
        "The part of the starts of connectors of late that worked.",
        |w| avg(&w.herder.starts().connector_success),
    ),
    worker(Worker, "connector-startup-failure-total", Counter, "starts", "Connectors that could not be started.", |w| {
        some(w.herder.starts().connector_failures.get())
    }),
    worker(
        Worker,
        "connector-startup-failure-percentage",
        Gauge,
        "ratio",
        "The part of the starts of connectors of late that failed.",
        |w| avg(&w.herder.starts().connector_success).map(|success| 1.0 - success),
    ),
    worker(Worker, "task-count", Gauge, "tasks", "Tasks on this worker.", |w| some(w.tasks.len() as u64)),
    worker(Worker, "task-startup-attempts-total", Counter, "starts", "Tasks that were to be started.", |w| {
        some(w.herder.starts().tasks.get())
    }),
    worker(Worker, "task-startup-success-total", Counter, "starts", "Tasks that began to consume, or to wait paused.", |w| {
        some(w.herder.starts().task_successes.get())
    }),
    worker(
        Worker,
        "task-startup-success-percentage",
        Gauge,
        "ratio",
        "The part of the starts of tasks of late that worked.",
        |w| avg(&w.herder.starts().task_success),
    ),
    worker(Worker, "task-startup-failure-total", Counter, "starts", "Tasks that failed before they consumed.", |w| {
        some(w.herder.starts().task_failures.get())
    }),
    worker(
        Worker,
        "task-startup-failure-percentage",
        Gauge,
        "ratio",
        "The part of the starts of tasks of late that failed.",
        |w| avg(&w.herder.starts().task_success).map(|success| 1.0 - success),
    ),
    each(
        Worker,
        "connector-total-task-count",
        Gauge,
        "tasks",
        &["connector"],
        "Tasks of the connector on this worker.",
        |w, emit| {
            counts(w, None, emit);
        },
    ),
    each(Worker, "connector-running-task-count", Gauge, "tasks", &["connector"], "Those of them that are running.", |w, emit| {
        counts(w, Some(State::Running), emit);
    }),
    each(Worker, "connector-paused-task-count", Gauge, "tasks", &["connector"], "Those of them that are paused.", |w, emit| {
        counts(w, Some(State::Paused), emit);
    }),
    each(Worker, "connector-failed-task-count", Gauge, "tasks", &["connector"], "Those of them that have failed.", |w, emit| {
        counts(w, Some(State::Failed), emit);
    }),
    each(
        Worker,
        "connector-unassigned-task-count",
        Gauge,
        "tasks",
        &["connector"],
        "Those of them that have not begun, or ended.",
        |w, emit| {
            counts(w, Some(State::Unassigned), emit);
        },
    ),
    each(
        Worker,
        "connector-restarting-task-count",
        Gauge,
        "tasks",
        &["connector"],
        "Those of them that are restarting.",
        |w, emit| {
            counts(w, Some(State::Restarting), emit);
        },
    ),
    // connect-worker-rebalance-metrics
    each(
        Rebalance,
        "connect-protocol",
        Info,
        "",
        &["connect_protocol"],
        "The protocol that the group has agreed on.",
        |w, emit| {
            if let Some(protocol) = w.cluster.as_ref().and_then(|cluster| cluster.protocol) {
                emit(&[protocol], 1.0);
            }
        },
    ),
    each(Rebalance, "leader-name", Info, "", &["leader_name"], "The URL of the worker that leads.", |w, emit| {
        if let Some(leader) = w.cluster.as_ref().and_then(|cluster| cluster.leader.as_ref()) {
            emit(&[leader], 1.0);
        }
    }),
    worker(Rebalance, "epoch", Gauge, "", "The generation of the group.", |w| Some(f64::from(w.cluster.as_ref()?.generation))),
    worker(Rebalance, "completed-rebalances-total", Counter, "rebalances", "Rebalances that this worker got through.", |w| {
        some(w.cluster.as_ref()?.rebalances.completed.get())
    }),
    worker(Rebalance, "completed-rebalances", Gauge, "rebalances", "The same, as Confluent's dashboard asks for it.", |w| {
        some(w.cluster.as_ref()?.rebalances.completed.get())
    }),
    worker(Rebalance, "rebalancing", Gauge, "", "1 while this worker is in a rebalance, else 0.", |w| {
        some(w.cluster.as_ref()?.rebalances.is_rebalancing().into())
    }),
    worker(Rebalance, "rebalance-max-time-ms", Gauge, "ms", "The longest time of a rebalance, of late.", |w| {
        max(&w.cluster.as_ref()?.rebalances.took)
    }),
    worker(Rebalance, "rebalance-avg-time-ms", Gauge, "ms", "The average time of a rebalance, of late.", |w| {
        avg(&w.cluster.as_ref()?.rebalances.took)
    }),
    worker(Rebalance, "time-since-last-rebalance-ms", Gauge, "ms", "The time since the last rebalance ended.", |w| {
        Some(w.cluster.as_ref()?.rebalances.since_last()?.as_millis() as f64)
    }),
    // connect-coordinator-metrics
    worker(
        Coordinator,
        "assigned-connectors",
        Gauge,
        "connectors",
        "Connectors that the group has assigned to this worker.",
        |w| some(w.cluster.as_ref()?.assigned.0 as u64),
    ),
    worker(Coordinator, "assigned-tasks", Gauge, "tasks", "Tasks that the group has assigned to this worker.", |w| {
        some(w.cluster.as_ref()?.assigned.1 as u64)
    }),
    worker(Coordinator, "heartbeat-rate", Gauge, "heartbeats/s", "Heartbeats answered per second, of late.", |w| {
        rate(&w.cluster.as_ref()?.group.heartbeats.each)
    }),
    worker(Coordinator, "heartbeat-total", Counter, "heartbeats", "Heartbeats answered.", |w| {
        some(w.cluster.as_ref()?.group.heartbeats.total.get())
    }),
    worker(
        Coordinator,
        "heartbeat-response-time-max",
        Gauge,
        "ms",
        "The longest time of an answer to a heartbeat, of late.",
        |w| max(&w.cluster.as_ref()?.group.heartbeats.took),
    ),
    worker(Coordinator, "last-heartbeat-seconds-ago", Gauge, "s", "The time since the last heartbeat that was answered.", |w| {
        Some(w.cluster.as_ref()?.group.heartbeats.since_last()?.as_secs_f64())
    }),
    worker(Coordinator, "join-rate", Gauge, "joins/s", "Joins per second, of late.", |w| {
        rate(&w.cluster.as_ref()?.group.joins.each)
    }),
    worker(Coordinator, "join-total", Counter, "joins", "Joins.", |w| some(w.cluster.as_ref()?.group.joins.total.get())),
    worker(Coordinator, "join-time-avg", Gauge, "ms", "The average time of a join, of late.", |w| {
        avg(&w.cluster.as_ref()?.group.joins.took)
    }),
    worker(Coordinator, "join-time-max", Gauge, "ms", "The longest time of a join, of late.", |w| {
        max(&w.cluster.as_ref()?.group.joins.took)
    }),
    worker(Coordinator, "sync-rate", Gauge, "syncs/s", "Assignments asked for per second, of late.", |w| {
        rate(&w.cluster.as_ref()?.group.syncs.each)
    }),
    worker(Coordinator, "sync-total", Counter, "syncs", "Assignments asked for.", |w| {
        some(w.cluster.as_ref()?.group.syncs.total.get())
    }),
    worker(Coordinator, "sync-time-avg", Gauge, "ms", "The average time of an assignment, of late.", |w| {
        avg(&w.cluster.as_ref()?.group.syncs.took)
    }),
    worker(Coordinator, "sync-time-max", Gauge, "ms", "The longest time of an assignment, of late.", |w| {
        max(&w.cluster.as_ref()?.group.syncs.took)
    }),
    worker(
        Coordinator,
        "rebalance-latency-avg",
        Gauge,
        "ms",
        "The average time from the first try to join to the assignment, of late.",
        |w| avg(&w.cluster.as_ref()?.group.rebalances.took),
    ),
    worker(Coordinator, "rebalance-latency-max", Gauge, "ms", "The longest of these times, of late.", |w| {
        max(&w.cluster.as_ref()?.group.rebalances.took)
    }),
    worker(Coordinator, "rebalance-latency-total", Counter, "ms", "The sum of these times.", |w| {
        some(w.cluster.as_ref()?.group.rebalance_time.get())
    }),
    worker(Coordinator, "rebalance-total", Counter, "rebalances", "Rebalances that brought an assignment.", |w| {
        some(w.cluster.as_ref()?.group.rebalances.total.get())
    }),
    worker(Coordinator, "rebalance-rate-per-hour", Gauge, "rebalances/h", "The same per hour, of late.", |w| {
        rate(&w.cluster.as_ref()?.group.rebalances.each).map(|rate| rate * 3600.0)
    }),
    worker(
        Coordinator,
        "failed-rebalance-total",
        Counter,
        "rebalances",
        "Rebalances that came to nothing and were begun anew.",
        |w| some(w.cluster.as_ref()?.group.failed.total.get()),
    ),
    worker(Coordinator, "failed-rebalance-rate-per-hour", Gauge, "rebalances/h", "The same per hour, of late.", |w| {
        rate(&w.cluster.as_ref()?.group.failed.each).map(|rate| rate * 3600.0)
    }),
    worker(Coordinator, "last-rebalance-seconds-ago", Gauge, "s", "The time since the last assignment.", |w| {
        Some(w.cluster.as_ref()?.group.rebalances.since_last()?.as_secs_f64())
    }),
];

fn status(world: &World<'_>, emit: &mut Emit<'_>) {
    for status in &world.connectors {
        emit(&[&status.name, &status.connector.state.to_string().to_lowercase()], 1.0);
    }
}

fn counts(world: &World<'_>, state: Option<State>, emit: &mut Emit<'_>) {
    for name in world.names() {
        emit(&[name], world.tasks_of(name, state));
    }
}
