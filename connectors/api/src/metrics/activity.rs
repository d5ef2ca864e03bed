//! What a task does with its time (`StateTracker` of Kafka 4.3.1).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It starts, or has ended.
    #[default]
    Other,
    /// It consumes.
    Running,
    /// It keeps its partitions and consumes nothing.
    Paused,
}

/// How long a task has been doing what.
#[derive(Debug, Default)]
pub struct Activities(Mutex<Option<Spent>>);

#[derive(Clone, Copy, Debug)]
struct Spent {
    begun: Instant,
    now: Activity,
    since: Instant,
    running: Duration,
    paused: Duration,
}

impl Activities {
    /// Takes what the task does from now on.
    pub fn set(&self, activity: Activity) {
        self.set_at(activity, Instant::now());
    }

    /// The fractions of its time that the task has been running and paused; None before it did either.
    pub fn ratios(&self) -> Option<(f64, f64)> {
        self.ratios_at(Instant::now())
    }

    fn set_at(&self, activity: Activity, now: Instant) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Spent { begun: now, now: Activity::Other, since: now, running: Duration::ZERO, paused: Duration::ZERO };
        let before = spent.unwrap_or(first).at(now);
        *spent = Some(Spent { now: activity, ..before });
    }

    fn ratios_at(&self, now: Instant) -> Option<(f64, f64)> {
        let spent = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?.at(now);
        let all = now.saturating_duration_since(spent.begun).as_secs_f64();
        (all > 0.0).then(|| (spent.running.as_secs_f64() / all, spent.paused.as_secs_f64() / all))
    }
}

impl Spent {
    /// The same, with what has passed until `now`.
    fn at(self, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.since);
        let add = |to: Duration, of: Activity| if self.now == of { to + passed } else { to };
        let (running, paused) = (add(self.running, Activity::Running), add(self.paused, Activity::Paused));
        Self { since: now, running, paused, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_all_the_time() {
        let activities = Activities::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        assert_eq!(activities.ratios_at(at(1)), None);
        activities.set_at(Activity::Running, at(0));
        activities.set_at(Activity::Paused, at(6));
        activities.set_at(Activity::Other, at(8));
        assert_eq!(activities.ratios_at(at(10)), Some((0.6, 0.2)));
    }
}
