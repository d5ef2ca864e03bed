//! Averages, maxima and rates over the last moments (`SampledStat`, `Avg`, `Max` and `Rate` of Kafka 4.3.1).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Over which time something is sampled (`metrics.sample.window.ms`, `metrics.num.samples`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The time of one sample.
    pub length: Duration,
    /// How many are kept, at least 1.
    pub samples: usize,
}

impl Default for Window {
    /// Kafka's: 2 samples of 30 seconds.
    fn default() -> Self {
        Self { length: Duration::from_secs(30), samples: 2 }
    }
}

/// Values that were recorded of late. One lock for each: record once a batch, not once a record.
#[derive(Debug)]
pub struct Sampled(Mutex<Samples>);

#[derive(Debug)]
struct Samples {
    window: Window,
    /// Oldest first, at most as many as the window has.
    all: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    begun: Instant,
    events: u64,
    sum: f64,
    max: f64,
}

/// What the samples say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The sum of the values, per second.
    pub rate: f64,
    /// Their average; None without a value.
    pub avg: Option<f64>,
    /// The largest; None without a value.
    pub max: Option<f64>,
}

impl Default for Sampled {
    fn default() -> Self {
        Self::new(Window::default())
    }
}

impl Sampled {
    /// Nothing yet.
    #[must_use]
    pub fn new(window: Window) -> Self {
        let window = Window { samples: window.samples.max(1), ..window };
        let first = Sample::begun(Instant::now());
        Self(Mutex::new(Samples { window, all: vec![first] }))
    }

    /// Takes a value.
    pub fn record(&self, value: f64) {
        self.record_at(value, Instant::now());
    }

    /// What the samples say now.
    pub fn read(&self) -> Reading {
        self.read_at(Instant::now())
    }

    fn record_at(&self, value: f64, now: Instant) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.turn(now);
        if let Some(sample) = samples.all.last_mut() {
            sample.events += 1;
            sample.sum += value;
            sample.max = sample.max.max(value);
        }
    }

    fn read_at(&self, now: Instant) -> Reading {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.turn(now);
        let sum: f64 = samples.all.iter().map(|sample| sample.sum).sum();
        let events: u64 = samples.all.iter().map(|sample| sample.events).sum();
        let max = samples.all.iter().map(|sample| sample.max).fold(f64::NEG_INFINITY, f64::max);
        let some = |value: f64| (events > 0).then_some(value);
        Reading { rate: sum / samples.seconds(now), avg: some(sum / events as f64), max: some(max) }
    }
}

impl Sample {
    const fn begun(at: Instant) -> Self {
        Self { begun: at, events: 0, sum: 0.0, max: f64::NEG_INFINITY }
    }
}

impl Samples {
    /// Begins another sample when the time of the last one is over, and forgets those that are too old.
    fn turn(&mut self, now: Instant) {
        let Window { length, samples } = self.window;
        if self.all.last().is_none_or(|last| now.saturating_duration_since(last.begun) >= length) {
            if self.all.len() == samples {
                self.all.remove(0);
            }
            self.all.push(Sample::begun(now));
        }
        let oldest = length.saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX));
        self.all.retain(|sample| now.saturating_duration_since(sample.begun) < oldest || oldest.is_zero());
    }

    /// The time that the samples are of. Java's: what is missing of all but the last sample counts as well, so that the first records
    /// of a task make no rate that is far too high.
    fn seconds(&self, now: Instant) -> f64 {
        let Window { length, samples } = self.window;
        let elapsed = self.all.first().map_or(Duration::ZERO, |first| now.saturating_duration_since(first.begun));
        let least = length.saturating_mul(u32::try_from(samples.saturating_sub(1)).unwrap_or(u32::MAX));
        let elapsed = if elapsed < least {
            // full windows count as such, the one that is under way to what has passed of it
            let full = elapsed.as_secs_f64() / length.as_secs_f64();
            elapsed.as_secs_f64() + (samples as f64 - 1.0 - full.floor()) * length.as_secs_f64()
        } else {
            elapsed.as_secs_f64()
        };
        if elapsed > 0.0 { elapsed } else { length.as_secs_f64().max(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_for_two_windows() {
        let sampled = Sampled::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        assert_eq!((sampled.read_at(at(0)).avg, sampled.read_at(at(0)).max), (None, None));
        sampled.record_at(300.0, at(1));
        sampled.record_at(100.0, at(2));
        // as in Java: 400 in the 10 seconds so far and in the 30 of the window that is missing
        let read = sampled.read_at(at(10));
        assert!((read.rate - 10.0).abs() < 0.01, "{read:?}");
        assert_eq!((read.avg, read.max), (Some(200.0), Some(300.0)));
        sampled.record_at(50.0, at(40));
        let read = sampled.read_at(at(50));
        assert!((read.rate - 9.0).abs() < 0.01 && read.max == Some(300.0), "{read:?}");
        // the first sample is too old
        assert_eq!(sampled.read_at(at(65)).max, Some(50.0));
        let late = sampled.read_at(at(200));
        assert_eq!((late.rate, late.avg), (0.0, None));
    }

    #[test]
    fn another_window_counts() {
        let sampled = Sampled::new(Window { length: Duration::from_secs(1), samples: 1 });
        let begun = Instant::now();
        sampled.record_at(8.0, begun);
        assert_eq!(sampled.read_at(begun + Duration::from_millis(500)).max, Some(8.0));
        assert_eq!(sampled.read_at(begun + Duration::from_secs(2)).max, None);
        let none = Sampled::new(Window { length: Duration::ZERO, samples: 0 });
        none.record_at(1.0, begun);
        assert!(none.read_at(begun).rate.is_finite());
    }
}
