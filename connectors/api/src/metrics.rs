//! Counters that a task and its plugins add to; the worker's `/metrics` shows them.

mod activity;
mod histogram;
mod sampled;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

pub use activity::{Activities, Activity};
pub use histogram::Histogram;
pub use sampled::{Reading, Sampled, Window};

use crate::{Landed, TopicPartition};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Takes the value `n`.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one task counts.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Records fetched (`sink-record-read-total`).
    pub records_read: Counter,
    /// Bytes of keys and values fetched.
    pub bytes_read: Counter,
    /// Records handed to the sink (`sink-record-send-total`).
    pub records_sent: Counter,
    /// Partitions assigned (`partition-count`).
    pub partitions: Gauge,
    /// Offset commits that the broker accepted (`offset-commit-completion-total`).
    pub commits: Counter,
    /// Offset commits that failed.
    pub commit_failures: Counter,
    /// Records of each fetch (`sink-record-read-rate`).
    pub read: Sampled,
    /// Records of each batch handed to the sink (`sink-record-send-rate`, `batch-size-avg`, `batch-size-max`).
    pub sent: Sampled,
    /// Milliseconds that the sink took for a batch (`put-batch-avg-time-ms`, `put-batch-max-time-ms`).
    pub put_time: Sampled,
    /// Milliseconds that offset commits took (`offset-commit-avg-time-ms`, `offset-commit-max-time-ms`).
    pub commit_time: Sampled,
    /// 1 for each offset commit that the broker accepted, 0 for others (`offset-commit-completion-rate`,
    /// `offset-commit-success-percentage`).
    pub commit_success: Sampled,
    /// Offsets that were put and are not committed, each time that it was looked (`sink-record-active-count-avg`, `-max`).
    pub active: Sampled,
    /// What the task does with its time (`running-ratio`, `pause-ratio`).
    pub activities: Activities,
    lags: Mutex<Vec<Lag>>,
    /// Rebalances seen.
    pub rebalances: Counter,
    /// Operations on records that failed, those that are tried again too (`total-record-failures`).
    pub record_failures: Counter,
    /// Records that could not be processed; as in Java, without those that only the sink refused (`total-record-errors`).
    pub record_errors: Counter,
    /// Of these the ones that were tolerated (`total-records-skipped`).
    pub records_skipped: Counter,
    /// Calls tried again after a retriable failure (`total-retries`).
    pub retries: Counter,
    /// Errors written to the log (`total-errors-logged`).
    pub errors_logged: Counter,
    /// Records sent to the dead letter queue (`deadletterqueue-produce-requests`).
    pub dead_letters: Counter,
    /// Of these the ones that it did not take (`deadletterqueue-produce-failures`).
    pub dead_letter_failures: Counter,
    /// When an operation on a record failed last, in milliseconds since the epoch (`last-error-timestamp`).
    pub last_error: Gauge,
    /// Files made visible.
    pub files_landed: Counter,
    /// Rows in them.
    pub rows_landed: Counter,
    /// Bytes in them.
    pub bytes_landed: Counter,
    /// The last ones of them.
    pub landed: Landed,
    /// Files that ended and are or will be published, by why they did.
    pub files_ended: FilesEnded,
    /// Files that were taken for published because what was staged of them is gone (downstream had moved them away).
    pub publish_assumed: Counter,
    /// Offsets that were left out because their records were deleted before they landed (`landfall.offset.gap=skip`).
    pub gap_offsets: Counter,
    /// Commits: pointers that were written with new files.
    pub pointer_commits: Counter,
    /// Seconds from the moment that a commit was asked for until its files were visible.
    pub commit_seconds: Histogram,
    /// When files were made visible last, in milliseconds since the epoch; 0 before the first.
    pub last_landed: Gauge,
    /// Times that a partition was found to have another owner.
    pub fenced: Counter,
    /// Files that receive rows now.
    pub open_files: Gauge,
    /// Bytes handed to the sink that are not yet staged.
    pub buffered_bytes: Gauge,
    calls: Mutex<Vec<Calls>>,
    answers: Mutex<Vec<Answers>>,
    /// CPU time of the task's thread in converters, in nanoseconds.
    pub convert_cpu: Counter,
    /// CPU time of the task's thread in the sink's `put`, in nanoseconds.
    pub put_cpu: Counter,
}

/// Files that ended, by why they did.
#[derive(Debug, Default)]
pub struct FilesEnded {
    /// They had `flush.size` rows.
    pub flush_size: Counter,
    /// They had `landfall.rotate.size.bytes` bytes.
    pub size: Counter,
    /// They had been open for `landfall.rotate.open.ms`.
    pub open: Counter,
    /// They had no row for `landfall.rotate.idle.ms`.
    pub idle: Counter,
    /// The next row was `rotate.interval.ms` later in record time.
    pub interval: Counter,
    /// A time of `rotate.schedule.interval.ms` had come.
    pub schedule: Counter,
    /// The next row went to another folder (`rotate.file.on.partition.change`).
    pub partition: Counter,
    /// The next row had another schema.
    pub schema: Counter,
    /// The next row would have opened one file more than `partitioner.max.open.files`.
    pub max_open_files: Counter,
    /// Their partition was let go.
    pub stop: Counter,
    /// The memory for open files was spent.
    pub memory: Counter,
    /// What had landed after their first record was as much as a pointer holds.
    pub span: Counter,
    /// Another file of their partition ended, and all did.
    pub commit: Counter,
}

/// How far a task is behind the end of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The partition.
    pub origin: TopicPartition,
    /// Offsets between what was put and the end of the log.
    pub records: u64,
    /// Offsets between what the group has committed and the end of the log; None before the group has committed any.
    pub uncommitted: Option<u64>,
    /// Offsets that were put and are not committed.
    pub active: u64,
    /// The time of the record that was put last, in milliseconds since the epoch, if it has one.
    pub last: Option<i64>,
}

impl Lag {
    /// How old the record is that was put last, in seconds, while there are others behind it; 0 at the end of the log. None before a
    /// record with a time was put.
    #[must_use]
    pub fn seconds(&self, now: SystemTime) -> Option<f64> {
        if self.records == 0 {
            return Some(0.0);
        }
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        Some(now.saturating_sub(self.last?).max(0) as f64 / 1e3)
    }
}

/// How often one operation of a store was asked for since the worker has it, each try counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// The store's name for it, such as `Put Block`.
    pub operation: &'static str,
    /// Requests that were sent.
    pub sent: u64,
    /// Of these the ones that were answered with a refusal: a condition that does not hold, something that is not there.
    pub refused: u64,
    /// Of these the ones that had no answer, or one that asks for another try.
    pub failed: u64,
}

/// How often a store was asked for an operation and answered with a status, each try counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The store's name for the operation, such as `Put Block`.
    pub operation: &'static str,
    /// The status of HTTP; 0 for none within time, and 1 for one that is not told apart.
    pub status: u16,
    /// The answers.
    pub answers: u64,
}

impl TaskMetrics {
    /// What averages and rates are made of.
    #[must_use]
    pub fn new(window: Window) -> Self {
        let sampled = || Sampled::new(window);
        Self {
            read: sampled(),
            sent: sampled(),
            put_time: sampled(),
            commit_time: sampled(),
            commit_success: sampled(),
            active: sampled(),
            ..Self::default()
        }
    }

    /// Takes how far the task is behind on each of its partitions.
    pub fn set_lags(&self, lags: Vec<Lag>) {
        *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
    }

    /// How far the task is behind on each of its partitions, as it was seen last.
    pub fn lags(&self) -> Vec<Lag> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes how the stores have answered so far.
    pub fn set_answers(&self, answers: Vec<Answers>) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// How the stores have answered so far.
    pub fn answers(&self) -> Vec<Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what was asked of the stores so far.
    pub fn set_calls(&self, calls: Vec<Calls>) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = calls;
    }

    /// What was asked of the stores so far.
    pub fn calls(&self) -> Vec<Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
