//! When files end: cuts of a partition's rows in offset order, and of files by their size and age. Nothing here looks at a clock.
//!
//! What ends files is a [`Rotation`]. The Confluent sinks end all files of a partition [`together`]; our own class ends each folder's
//! file by itself, [`apart`]. Both end them by the [`schedule`], and by [`timers`] that need no row.

pub mod apart;
mod keys;
pub mod schedule;
pub mod timers;
pub mod together;

use std::time::{Duration, Instant};

use landfall_api::{Counter, FilesEnded};

pub use apart::{Filled, Recency, Step, steps};
pub use keys::RotationKeys;
pub use schedule::{Alarm, Schedule};
pub use timers::Timers;
pub use together::{Cut, Fits, Rows, Together};

/// The longest that a file stays open. Staged blocks that nobody publishes live for seven days, and those of a file have to be
/// published by whoever takes over.
pub const LONGEST_OPEN: Duration = Duration::from_secs(72 * 60 * 60);

/// Why a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It, or all files of its partition, have `flush.size` rows.
    FlushSize,
    /// It has `landfall.rotate.size.bytes` bytes.
    Size,
    /// It has been open for `landfall.rotate.open.ms`.
    Open,
    /// It had no row for `landfall.rotate.idle.ms`.
    Idle,
    /// The next row is `rotate.interval.ms` later in record time.
    Interval,
    /// A time of `rotate.schedule.interval.ms` has come.
    Schedule,
    /// The next row goes to another folder (`rotate.file.on.partition.change`).
    Partition,
    /// The next row has another schema.
    Schema,
    /// The next row would open one file more than `partitioner.max.open.files`.
    MaxOpenFiles,
    /// Its partition is let go.
    Stop,
    /// The memory for open files is spent.
    Memory,
    /// What landed of the records after its first one is as much as a pointer holds.
    Span,
    /// Another file of its partition ended, and all do then.
    Commit,
}

impl Reason {
    /// The counter of files that ended for it.
    #[must_use]
    pub fn counter(self, ended: &FilesEnded) -> &Counter {
        match self {
            Self::FlushSize => &ended.flush_size,
            Self::Size => &ended.size,
            Self::Open => &ended.open,
            Self::Idle => &ended.idle,
            Self::Interval => &ended.interval,
            Self::Schedule => &ended.schedule,
            Self::Partition => &ended.partition,
            Self::Schema => &ended.schema,
            Self::MaxOpenFiles => &ended.max_open_files,
            Self::Stop => &ended.stop,
            Self::Memory => &ended.memory,
            Self::Span => &ended.span,
            Self::Commit => &ended.commit,
        }
    }
}

/// What ends a file, besides another schema. Whichever comes first does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Whether each folder's file ends by itself, not all files of a partition at once (`landfall.rotate.apart`).
    pub apart: bool,
    /// Rows (`flush.size`): of a file if files end apart, else of all files of a partition.
    pub flush_size: Option<u64>,
    /// A file's encoded bytes (`landfall.rotate.size.bytes`).
    pub size: Option<u64>,
    /// The time since a file's first row (`landfall.rotate.open.ms`), at most [`LONGEST_OPEN`].
    pub open: Option<Duration>,
    /// The time since a file's last row (`landfall.rotate.idle.ms`).
    pub idle: Option<Duration>,
    /// Milliseconds of record time (`rotate.interval.ms`): only with a partitioner that gives times.
    pub interval: Option<i64>,
    /// Whether, with an interval, a row of another folder than the one before ends all files (`rotate.file.on.partition.change`). Files
    /// that end apart do not.
    pub folder_change: bool,
    /// The times of the clock at which all files end (`rotate.schedule.interval.ms`).
    pub schedule: Option<Schedule>,
    /// The files that a partition may have open (`partitioner.max.open.files`), at least 1.
    pub max_open_files: Option<usize>,
}

/// When a file's first row and its last one so far were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The first row's.
    pub first: Instant,
    /// The last row's.
    pub last: Instant,
}

impl Rotation {
    /// When a file with these times ends if no row comes any more, and why; None if it then never does.
    #[must_use]
    pub fn deadline(&self, times: Times) -> Option<(Instant, Reason)> {
        let open = self.open.and_then(|open| Some((times.first.checked_add(open)?, Reason::Open)));
        let idle = self.idle.and_then(|idle| Some((times.last.checked_add(idle)?, Reason::Idle)));
        [open, idle].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests;
