//! What metrics are read from: the worker, and all that runs on it.

use std::time::SystemTime;

use crate::herder::{ClusterCounts, Herder, State, Status, TaskCounts};

/// A worker at a moment.
pub(super) struct World<'a> {
    pub(super) herder: &'a Herder,
    /// The connectors that are on this worker themselves.
    pub(super) connectors: Vec<Status>,
    pub(super) tasks: Vec<Task>,
    /// None alone.
    pub(super) cluster: Option<ClusterCounts<'a>>,
    pub(super) now: SystemTime,
}

/// A task.
pub(super) struct Task {
    pub(super) number: String,
    pub(super) counts: TaskCounts,
}

impl Task {
    /// What tells its series from those of others.
    pub(super) fn labels(&self) -> [&str; 2] {
        [&self.counts.id.connector, &self.number]
    }
}

impl<'a> World<'a> {
    pub(super) fn of(herder: &'a Herder) -> Self {
        let task = |counts: TaskCounts| Task { number: counts.id.task.to_string(), counts };
        Self {
            herder,
            connectors: herder.local_names().iter().filter_map(|name| herder.status(name).ok()).collect(),
            tasks: herder.counts().into_iter().map(task).collect(),
            cluster: herder.cluster_counts(),
            now: SystemTime::now(),
        }
    }

    /// How many tasks of a connector are here, in a state if one is given.
    pub(super) fn tasks_of(&self, connector: &str, state: Option<State>) -> f64 {
        let mine = self.tasks.iter().filter(|task| task.counts.id.connector == connector);
        mine.filter(|task| state.is_none_or(|state| task.counts.state == state)).count() as f64
    }

    /// The names of the connectors of which something is here, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        let connectors = self.connectors.iter().map(|status| status.name.as_str());
        let mut names: Vec<_> = connectors.chain(self.tasks.iter().map(|task| task.counts.id.connector.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
