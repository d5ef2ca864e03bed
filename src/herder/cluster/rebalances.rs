//! How rebalances go (`RebalanceMetrics` of `DistributedHerder`, Kafka 4.3.1).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_api::metrics::{Counter, Sampled, Window};

/// The rebalances of a worker.
#[derive(Debug)]
pub struct Rebalances {
    /// Those that this worker has got through.
    pub completed: Counter,
    /// Milliseconds that they took.
    pub took: Sampled,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when one is under way.
    begun: Option<Instant>,
    ended: Option<Instant>,
}

impl Rebalances {
    pub(super) fn new(window: Window) -> Self {
        Self { completed: Counter::default(), took: Sampled::new(window), state: Mutex::default() }
    }

    /// One begins, unless one is under way.
    pub(super) fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).begun.get_or_insert_with(Instant::now);
    }

    /// What was assigned is known and taken up.
    pub(super) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = state.begun.take() {
            self.took.record(begun.elapsed().as_secs_f64() * 1e3);
            self.completed.add(1);
        }
        state.ended = Some(Instant::now());
    }

    /// Whether one is under way.
    pub fn is_rebalancing(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).begun.is_some()
    }

    /// The time since the last one ended; None before the first.
    pub fn since_last(&self) -> Option<Duration> {
        Some(self.state.lock().unwrap_or_else(PoisonError::into_inner).ended?.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_is_counted_once_it_has_ended() {
        let rebalances = Rebalances::new(Window::default());
        assert!(!rebalances.is_rebalancing() && rebalances.since_last().is_none());
        rebalances.begin();
        rebalances.begin();
        assert!(rebalances.is_rebalancing() && rebalances.completed.get() == 0);
        rebalances.end();
        rebalances.end();
        assert!(!rebalances.is_rebalancing() && rebalances.since_last().is_some() && rebalances.took.read().max.is_some());
        assert_eq!(rebalances.completed.get(), 1);
    }
}
