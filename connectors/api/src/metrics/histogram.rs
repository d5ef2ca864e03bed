//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Durations, counted by the shortest of some bounds that they do not exceed.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; Histogram::BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    /// The bounds, in seconds: from a local disk to a store that hardly answers.
    pub const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

    /// Takes a duration.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = Self::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Self::BOUNDS.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many durations have each of [`Self::BOUNDS`] as their shortest, and last how many exceed all.
    pub fn counts(&self) -> [u64; Self::BOUNDS.len() + 1] {
        std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed))
    }

    /// The sum of all durations, in seconds.
    pub fn sum(&self) -> f64 {
        self.nanos.load(Ordering::Relaxed) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_the_shortest_bound() {
        let histogram = Histogram::default();
        [5, 6, 100_000].into_iter().for_each(|ms| histogram.observe(Duration::from_millis(ms)));
        let counts = histogram.counts();
        assert_eq!((counts[0], counts[1], counts[12], counts.iter().sum::<u64>()), (1, 1, 1, 3));
        assert!((histogram.sum() - 100.011).abs() < 1e-9);
    }
}
