//! What Java's metrics are called (`ConnectMetricsRegistry` of Kafka 4.3.1), in the two ways that dashboards know.

use super::{Kind, Metric};
use crate::config::WorkerKeys;

/// How names are made (`landfall.metrics.names`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Domain, type and attribute: `kafka_connect_sink_task_metrics_sink_record_send_total`.
    #[default]
    Connect,
    /// As Strimzi's rules for the JMX exporter make them: `kafka_connect_sink_task_sink_record_send_total`.
    Strimzi,
}

impl Names {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Connect, Self::Strimzi];

    pub(super) fn of(keys: &WorkerKeys) -> Self {
        if keys.metrics_names == "strimzi" { Self::Strimzi } else { Self::Connect }
    }
}

/// Where Java has a metric: the type of its MBean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `sink-task-metrics`.
    SinkTask,
    /// `task-error-metrics`.
    TaskError,
    /// `connector-task-metrics`.
    ConnectorTask,
    /// `connector-metrics`.
    Connector,
    /// `connect-worker-metrics`.
    Worker,
    /// `connect-worker-rebalance-metrics`.
    Rebalance,
    /// `connect-coordinator-metrics`.
    Coordinator,
    /// Java has none such.
    Own,
}

impl Group {
    /// The type of Java's MBean; None for ours.
    #[must_use]
    pub const fn java(self) -> Option<&'static str> {
        Some(match self {
            Self::SinkTask => "sink-task-metrics",
            Self::TaskError => "task-error-metrics",
            Self::ConnectorTask => "connector-task-metrics",
            Self::Connector => "connector-metrics",
            Self::Worker => "connect-worker-metrics",
            Self::Rebalance => "connect-worker-rebalance-metrics",
            Self::Coordinator => "connect-coordinator-metrics",
            Self::Own => return None,
        })
    }
}

impl Metric {
    /// What it is called; None if there is no such metric by these names.
    #[must_use]
    pub fn name_in(&self, names: Names) -> Option<String> {
        let name = self.name.replace('-', "_");
        let Some(group) = self.group.java() else { return Some(format!("landfall_{name}")) };
        match names {
            // The status of connectors alone, as Confluent's dashboard has it.
            Names::Connect if name.is_empty() => Some(format!("kafka_connect_{}", group.replace('-', "_"))),
            Names::Strimzi if name.is_empty() => None,
            Names::Connect => {
                let info = if self.kind == Kind::Info { "_info" } else { "" };
                Some(format!("kafka_connect_{}_{name}{info}", group.replace('-', "_")))
            }
            Names::Strimzi => {
                let group = group.strip_prefix("connect-").unwrap_or(group).trim_end_matches("-metrics");
                Some(format!("kafka_connect_{}_{name}", group.replace('-', "_")))
            }
        }
    }
}
