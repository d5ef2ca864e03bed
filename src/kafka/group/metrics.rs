//! What a member of a group counts of its coordinator (`AbstractCoordinator` of Kafka 4.3.1).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_api::metrics::{Counter, Sampled, Window};

/// Requests of one kind that were answered, and how long the answers took, in milliseconds.
#[derive(Debug, Default)]
pub struct Timed {
    /// How many.
    pub total: Counter,
    /// How long each took.
    pub took: Sampled,
    /// 1 for each.
    pub each: Sampled,
    last: Mutex<Option<Instant>>,
}

impl Timed {
    fn new(window: Window) -> Self {
        Self { took: Sampled::new(window), each: Sampled::new(window), ..Self::default() }
    }

    pub(super) fn record(&self, took: Duration) {
        self.total.add(1);
        self.took.record(took.as_secs_f64() * 1e3);
        self.each.record(1.0);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The time since the last one; None before the first.
    pub fn since_last(&self) -> Option<Duration> {
        Some(self.last.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.elapsed())
    }
}

/// What a member counts.
#[derive(Debug, Default)]
pub struct GroupMetrics {
    /// JoinGroup.
    pub joins: Timed,
    /// SyncGroup.
    pub syncs: Timed,
    /// Heartbeat.
    pub heartbeats: Timed,
    /// Rebalances: from the first try to join until the assignment is there.
    pub rebalances: Timed,
    /// Milliseconds that all of them took together.
    pub rebalance_time: Counter,
    /// Tries at a rebalance that came to nothing.
    pub failed: Timed,
}

impl GroupMetrics {
    /// What averages and rates are made of.
    #[must_use]
    pub fn new(window: Window) -> Self {
        let timed = || Timed::new(window);
        Self {
            joins: timed(),
            syncs: timed(),
            heartbeats: timed(),
            rebalances: timed(),
            rebalance_time: Counter::default(),
            failed: timed(),
        }
    }
}
