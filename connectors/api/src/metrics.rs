//! Counters that a task and its plugins add to; the worker's `/metrics` shows them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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
    /// Files that ended and are or will be published, by why they did.
    pub files_ended: FilesEnded,
    /// Files that were taken for published because what was staged of them is gone (downstream had moved them away).
    pub publish_assumed: Counter,
    /// Offsets that were left out because their records were deleted before they landed (`landfall.offset.gap=skip`).
    pub gap_offsets: Counter,
    /// Commits: pointers that were written with new files.
    pub pointer_commits: Counter,
    /// Times that a partition was found to have another owner.
    pub fenced: Counter,
    /// Files that receive rows now.
    pub open_files: Gauge,
    /// Bytes handed to the sink that are not yet staged.
    pub buffered_bytes: Gauge,
    calls: Mutex<Vec<Calls>>,
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

impl TaskMetrics {
    /// Takes what was asked of the stores so far.
    pub fn set_calls(&self, calls: Vec<Calls>) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = calls;
    }

    /// What was asked of the stores so far.
    pub fn calls(&self) -> Vec<Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
