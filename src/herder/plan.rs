//! What has to be done so that what runs on a worker is what is to run there.

use std::collections::BTreeMap;

use landfall_api::Properties;

use super::TargetState;
use super::connector_config::Submitted;

/// What is to run here of a connector.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The connector itself with its configuration, if it is assigned to this worker.
    pub(super) connector: Option<Submitted>,
    /// What it is to be doing.
    pub(super) target: TargetState,
    /// The tasks that are assigned to this worker, by number.
    pub(super) tasks: BTreeMap<usize, Properties>,
}
landfall_api::opaque!(Wanted);

/// What runs here of a connector.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// The configuration and the target with which the connector itself was started.
    pub(super) connector: Option<(Submitted, TargetState)>,
    /// The configurations of tasks, and whether they are paused.
    pub(super) tasks: BTreeMap<usize, (Properties, bool)>,
}
landfall_api::opaque!(Runs);

/// What is to be done, in this order: tasks that end do so together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Tasks to end.
    pub(super) stop: Vec<usize>,
    /// The connector itself is to end.
    pub(super) stop_connector: bool,
    /// The connector itself is to start, or to start again.
    pub(super) start_connector: bool,
    /// The connector itself goes on with another target.
    pub(super) retarget: bool,
    /// Tasks to pause.
    pub(super) pause: Vec<usize>,
    /// Tasks to resume.
    pub(super) resume: Vec<usize>,
    /// Tasks to start; those that are also to stop start again.
    pub(super) start: Vec<usize>,
}

impl Plan {
    pub(super) fn new(wanted: &Wanted, runs: &Runs) -> Self {
        let mut plan = Self::default();
        match (&wanted.connector, &runs.connector) {
            (None, Some(_)) => plan.stop_connector = true,
            (Some(config), Some((running, target))) if config == running => plan.retarget = *target != wanted.target,
            (Some(_), Some(_)) => (plan.stop_connector, plan.start_connector) = (true, true),
            (Some(_), None) => plan.start_connector = true,
            (None, None) => {}
        }
        let paused = wanted.target == TargetState::Paused;
        for (number, (properties, is_paused)) in &runs.tasks {
            if wanted.tasks.get(number) != Some(properties) {
                plan.stop.push(*number);
            } else if paused && !is_paused {
                plan.pause.push(*number);
            } else if !paused && *is_paused {
                plan.resume.push(*number);
            }
        }
        let start = wanted.tasks.keys().filter(|number| !runs.tasks.contains_key(number) || plan.stop.contains(number));
        plan.start = start.copied().collect();
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(text: &str) -> Properties {
        Properties::from([("k".to_owned(), text.to_owned())])
    }

    fn submitted(text: &str) -> Submitted {
        Submitted::from([("k".to_owned(), Some(text.to_owned()))])
    }

    fn wanted(connector: Option<&str>, target: TargetState, tasks: &[(usize, &str)]) -> Wanted {
        let tasks = tasks.iter().map(|(number, text)| (*number, properties(text))).collect();
        Wanted { connector: connector.map(submitted), target, tasks }
    }

    fn runs(connector: Option<(&str, TargetState)>, tasks: &[(usize, &str, bool)]) -> Runs {
        let tasks = tasks.iter().map(|(number, text, paused)| (*number, (properties(text), *paused))).collect();
        Runs { connector: connector.map(|(text, target)| (submitted(text), target)), tasks }
    }

    #[test]
    fn what_is_as_wanted_is_left_alone() {
        use TargetState::{Paused, Started};
        for (target, paused) in [(Started, false), (Paused, true)] {
            let wanted = wanted(Some("a"), target, &[(0, "x"), (3, "y")]);
            let runs = runs(Some(("a", target)), &[(0, "x", paused), (3, "y", paused)]);
            assert_eq!(Plan::new(&wanted, &runs), Plan::default());
        }
    }

    #[test]
    fn what_is_assigned_starts_and_what_is_taken_away_ends() {
        use TargetState::Started;
        let plan = Plan::new(&wanted(Some("a"), Started, &[(1, "x")]), &runs(None, &[(0, "x", false)]));
        assert_eq!(plan, Plan { stop: vec![0], start_connector: true, start: vec![1], ..Plan::default() });
        let plan = Plan::new(&wanted(None, Started, &[]), &runs(Some(("a", Started)), &[(1, "x", false)]));
        assert_eq!(plan, Plan { stop: vec![1], stop_connector: true, ..Plan::default() });
    }

    #[test]
    fn only_what_changed_starts_again() {
        use TargetState::Started;
        let runs = runs(Some(("a", Started)), &[(0, "x", false), (1, "y", false)]);
        let plan = Plan::new(&wanted(Some("b"), Started, &[(0, "x"), (1, "z")]), &runs);
        let expected = Plan { stop: vec![1], stop_connector: true, start_connector: true, start: vec![1], ..Plan::default() };
        assert_eq!(plan, expected);
    }

    #[test]
    fn a_target_reaches_the_connector_and_its_tasks() {
        use TargetState::{Paused, Started, Stopped};
        let running = runs(Some(("a", Started)), &[(0, "x", false), (1, "y", true)]);
        let plan = Plan::new(&wanted(Some("a"), Paused, &[(0, "x"), (1, "y")]), &running);
        assert_eq!(plan, Plan { retarget: true, pause: vec![0], ..Plan::default() });
        let plan = Plan::new(&wanted(Some("a"), Stopped, &[]), &running);
        assert_eq!(plan, Plan { retarget: true, stop: vec![0, 1], ..Plan::default() });
        let plan = Plan::new(&wanted(Some("a"), Started, &[(0, "x"), (1, "y")]), &running);
        assert_eq!(plan, Plan { resume: vec![1], ..Plan::default() });
    }
}
