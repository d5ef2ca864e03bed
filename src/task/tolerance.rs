//! What becomes of records that are refused: they fail the task or are skipped, and are told of in the log and in the dead letter
//! queue (`org.apache.kafka.connect.runtime.errors.RetryWithToleranceOperator` and `LogReporter`, 4.3.1).
//!
//! Two things are not as in Java. An operation that waits for something, as for a schema registry, fails the task when
//! `errors.retry.timeout` is over, whatever is tolerated: an outage would empty a topic into the dead letter queue. And a record
//! that the dead letter queue does not take fails the task, where Java logs it and loses the record.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use landfall_api::{Faults, Offset, Properties, RawBatch, Refused, Stage, TaskError, TaskMetrics, TopicPartition, Value};

use super::dead_letter::DeadLetters;
use super::{TaskId, TaskSpec};
use crate::config::millis;
use crate::config::provider::Provided;
use crate::herder::connector_config::ConnectorKeys;

/// The wait before the first try after one that failed (`RETRIES_DELAY_MIN_MS`); it doubles with each.
const FIRST_DELAY: Duration = Duration::from_millis(300);

/// The `errors.` keys of a task, and what works by them.
pub(super) struct Tolerance {
    id: TaskId,
    metrics: Arc<TaskMetrics>,
    /// What config providers gave.
    pub(super) provided: Provided,
    /// Whether errors are tolerated (`errors.tolerance=all`).
    pub(super) all: bool,
    retry: Retry,
    log: bool,
    log_records: bool,
    /// The dead letter queue, if there is one.
    pub(super) letters: Option<DeadLetters>,
    /// The records that were reported and are not committed yet: after a rewind they come again.
    reported: BTreeMap<TopicPartition, Offsets>,
}

/// A set of offsets, as ranges: a partition may have nothing but records that are refused, for as long as a file is open.
#[derive(Default)]
struct Offsets(BTreeMap<i64, i64>);

impl Offsets {
    /// Adds one; whether it is new.
    fn insert(&mut self, offset: i64) -> bool {
        match self.0.range_mut(..=offset).next_back() {
            Some((_, end)) if offset < *end => return false,
            Some((_, end)) if offset == *end => *end += 1,
            _ => drop(self.0.insert(offset, offset + 1)),
        }
        true
    }

    fn forget_before(&mut self, offset: i64) {
        let from = self.0.split_off(&offset);
        let within = self.0.last_key_value().map(|(_, end)| *end).filter(|end| *end > offset);
        self.0 = from;
        self.0.extend(within.map(|end| (offset, end)));
    }
}

/// How long and how often something is tried again.
#[derive(Clone, Copy, Debug)]
struct Retry {
    /// For ever if there is none.
    timeout: Option<Duration>,
    most_delay: Duration,
}

/// An operation that is being tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    since: Instant,
    failed: u32,
}

impl Tolerance {
    pub(super) fn new(spec: &TaskSpec, provided: Provided) -> Result<Self, TaskError> {
        let of = &spec.properties;
        let timeout: i64 = value("errors.retry.timeout", of)?;
        let most_delay: i64 = value("errors.retry.delay.max.ms", of)?;
        let tolerance: String = value("errors.tolerance", of)?;
        let topic: String = value("errors.deadletterqueue.topic.name", of)?;
        let letters = match topic.as_str() {
            "" => None,
            topic => {
                let replication = value("errors.deadletterqueue.topic.replication.factor", of)?;
                let headers = value("errors.deadletterqueue.context.headers.enable", of)?;
                Some(DeadLetters::new(spec, topic, replication, headers)?)
            }
        };
        Ok(Self {
            id: spec.id.clone(),
            provided,
            metrics: spec.metrics.clone(),
            all: tolerance == "all",
            retry: Retry { timeout: u64::try_from(timeout).ok().map(Duration::from_millis), most_delay: millis(most_delay) },
            log: value("errors.log.enable", of)?,
            log_records: value("errors.log.include.messages", of)?,
            letters,
            reported: BTreeMap::new(),
        })
    }

    /// Counts records of `raw` that were refused and tells of them, of each once.
    pub(super) fn report(&mut self, raw: &Arc<RawBatch>, refused: &[Refused]) -> Result<(), TaskError> {
        if refused.is_empty() {
            return Ok(());
        }
        self.failed_now();
        let reported = self.reported.entry(raw.origin.clone()).or_default();
        let new: Vec<_> = refused.iter().filter(|refused| reported.insert(refused.offset)).collect();
        for refused in new {
            self.metrics.record_failures.add(1);
            if refused.stage != Stage::TaskPut || !self.all {
                self.metrics.record_errors.add(1);
            }
            if refused.stage != Stage::TaskPut && self.all {
                self.metrics.records_skipped.add(1);
            }
            let mut refused = refused.clone();
            refused.error.message = self.provided.hide(&refused.error.message);
            if self.log {
                let text = told(&self.id, &refused, self.log_records.then_some(raw));
                tracing::error!("{text}\n{}", refused.error);
                self.metrics.errors_logged.add(1);
            }
            if let Some(letters) = &mut self.letters {
                letters.add(raw, refused);
            }
        }
        self.letters.as_mut().map_or(Ok(()), DeadLetters::turn)
    }

    /// The wait before something that failed again because of `why` is tried again.
    ///
    /// # Errors
    /// It has been tried for as long as it may be.
    pub(super) fn put_off(&self, attempts: &mut Option<Attempts>, why: &str) -> Result<Duration, TaskError> {
        self.failed_now();
        self.metrics.record_failures.add(1);
        let attempts = attempts.get_or_insert_with(|| Attempts { since: Instant::now(), failed: 0 });
        attempts.failed += 1;
        match self.retry.delay(attempts.failed, attempts.since.elapsed(), RandomState::new().hash_one(0)) {
            Some(delay) => {
                self.metrics.retries.add(1);
                Ok(delay)
            }
            None => {
                let ms = attempts.since.elapsed().as_millis();
                self.metrics.record_errors.add(1);
                Err(TaskError::Fatal(format!(
                    "Tolerance exceeded in error handler\nCaused by: org.apache.kafka.connect.errors.RetriableException: {why}\n\
                     \tat try {} within {ms} ms, errors.retry.timeout is over",
                    attempts.failed
                )))
            }
        }
    }

    /// The records of `offsets` before these do not come again.
    pub(super) fn committed(&mut self, offsets: &BTreeMap<TopicPartition, Offset>) {
        for (origin, offset) in offsets {
            if let Some(reported) = self.reported.get_mut(origin) {
                reported.forget_before(offset.offset);
            }
        }
    }

    /// Forgets what was reported of `partitions`, and their letters.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        self.reported.retain(|origin, _| !partitions.contains(origin));
        if let Some(letters) = &mut self.letters {
            letters.forget(partitions);
        }
    }

    fn failed_now(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.metrics.last_error.set(now.as_millis() as u64);
    }
}

impl Retry {
    /// The wait before the next try after `failed` ones in the time `tried`; None if there is none. Java's: it doubles up to the
    /// most, from then on it is any below that, by `random`; and the last try is at the end of the time.
    fn delay(self, failed: u32, tried: Duration, random: u64) -> Option<Duration> {
        let left = self.timeout.map(|timeout| timeout.checked_sub(tried).filter(|left| !left.is_zero()));
        let delay = FIRST_DELAY.saturating_mul(1 << failed.saturating_sub(1).min(20));
        let most = u64::try_from(self.most_delay.as_millis()).unwrap_or(u64::MAX).max(1);
        let delay = if delay > self.most_delay { Duration::from_millis(random % most) } else { delay };
        match left {
            None => Some(delay),
            Some(left) => left.map(|left| delay.min(left)),
        }
    }
}

/// The value of a key that every connector has, or its default.
fn value<T: Value>(name: &str, properties: &Properties) -> Result<T, TaskError> {
    let mut faults = Faults::default();
    let value = ConnectorKeys::KEYS.iter().find(|key| key.name == name).and_then(|key| key.read(properties, &mut faults));
    faults.or(value).map_err(|faults| TaskError::Fatal(faults.to_string()))
}

/// Java's words for a record that was refused; which record it is if `raw` is given. Which kind of time a record has, Java's say and
/// these do not.
fn told(id: &TaskId, Refused { offset, stage, class, .. }: &Refused, raw: Option<&Arc<RawBatch>>) -> String {
    let record = raw.map(|raw| {
        let row = raw.row_of(*offset);
        let timestamp = raw.timestamp.iter().nth(row).flatten().map(|ms| format!(", timestamp={ms}")).unwrap_or_default();
        let (topic, partition) = (&raw.origin.topic, raw.origin.partition);
        format!(", where consumed record is {{topic='{topic}', partition={partition}, offset={offset}{timestamp}}}")
    });
    let record = record.unwrap_or_default();
    format!("Error encountered in task {id}. Executing stage '{stage}' with class '{class}'{record}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn offsets_one_after_the_other_are_one_range() {
        let mut offsets = Offsets::default();
        let new = [5, 6, 7, 9, 8, 6, 9, 5, 20, 4].map(|offset| offsets.insert(offset));
        assert_eq!(new, [true, true, true, true, true, false, false, false, true, true]);
        assert!((10..1000).filter(|offset| *offset != 20).all(|offset| offsets.insert(offset)) && offsets.0.len() < 6);
        offsets.forget_before(7);
        assert!(offsets.insert(6) && !offsets.insert(7) && !offsets.insert(999) && offsets.insert(1000));
        offsets.forget_before(20);
        assert!(!offsets.insert(20) && offsets.insert(19));
        offsets.forget_before(2000);
        assert!(offsets.0.is_empty());
    }

    #[test]
    fn tries_are_as_far_apart_as_in_java() {
        let retry = |timeout: Option<u64>| Retry { timeout: timeout.map(ms), most_delay: ms(1000) };
        for (timeout, failed, tried, random, delay) in [
            (None, 1, 0, 0, Some(300)),
            (None, 2, 300, 0, Some(600)),
            (None, 3, 900, 4711, Some(711)),
            (None, 77, 1 << 40, 999, Some(999)),
            (Some(0), 1, 0, 0, None),
            (Some(2000), 1, 0, 0, Some(300)),
            (Some(2000), 2, 1900, 0, Some(100)),
            (Some(2000), 3, 2000, 0, None),
            (Some(2000), 3, 2500, 0, None),
        ] {
            assert_eq!(retry(timeout).delay(failed, ms(tried), random), delay.map(ms), "{timeout:?} {failed} {tried}");
        }
        let none = Retry { timeout: None, most_delay: ms(0) };
        assert_eq!(none.delay(5, ms(9), 77), Some(ms(0)));
    }
}
