//! Every rotation ends all files of a partition, in the order of checks of `TopicPartitionWriter` (kafka-connect-storage-cloud 12.1).

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array as _, Int64Array};

use super::{Alarm, Reason, Rotation};

/// Rows of a partition with one schema, in offset order.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// How many.
    pub len: usize,
    /// The folders that they go to.
    pub folders: &'a [Arc<str>],
    /// Which of them each row goes to; None for the first one.
    pub folder: Option<&'a [u32]>,
    /// The time of each in milliseconds since the epoch, as a time-based partitioner takes it.
    pub times: Option<&'a Int64Array>,
    /// For each folder, whether the rows fit its open file as files are before these rows; where it is empty, they do.
    pub fits: &'a [Fits],
}

/// Whether rows can go to the file that is open for their folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fits {
    /// They do, or there is none.
    #[default]
    Yes,
    /// They have a schema and the file's rows have none, or the other way round. This ends files before their time does.
    Never,
    /// Their schema asks for another file.
    No,
}

/// Where all files of the partition end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Before this row of those given; after the last one if it is their number.
    pub row: usize,
    /// Why.
    pub reason: Reason,
}

/// A row before it goes to its file.
#[derive(Clone, Copy, Debug)]
struct Next {
    fits: Fits,
    /// Whether it goes to another folder than the row before it, and that matters.
    leaves: bool,
    /// Whether its folder has no open file.
    opens: bool,
    time: Option<i64>,
}

/// What all files of a partition have got since they began together.
#[derive(Clone, Debug)]
pub struct Together {
    rotation: Rotation,
    alarm: Alarm,
    /// The rows in all files.
    rows: u64,
    /// The time of the first row.
    base: Option<i64>,
    /// The folder of the last row.
    last: Option<Arc<str>>,
    open: BTreeSet<Arc<str>>,
}

impl Together {
    /// No file is open at `now`, in milliseconds since the epoch.
    #[must_use]
    pub fn new(rotation: Rotation, now: i64) -> Self {
        let alarm = Alarm::new(rotation.schedule.clone(), now);
        Self { rotation, alarm, rows: 0, base: None, last: None, open: BTreeSet::new() }
    }

    /// Where files end among `rows`, ascending, at most once before each row. After that, the rows are in files. `now` is the clock in
    /// milliseconds since the epoch when they were put.
    pub fn cuts(&mut self, rows: &Rows<'_>, now: i64) -> Vec<Cut> {
        if self.rows == 0 {
            self.alarm.due(now);
        }
        let times = rows.times.filter(|_| self.rotation.interval.is_some());
        let counted = self.rotation.max_open_files.filter(|_| rows.folder.is_some());
        let mut cuts = Vec::new();
        let mut fits = Some(rows.fits).filter(|fits| fits.iter().any(|fits| *fits != Fits::Yes));
        let mut is_open: Vec<bool> = rows.folders.iter().map(|name| self.open.contains(name)).collect();
        let mut last = self.last.as_ref().and_then(|last| rows.folders.iter().position(|name| name == last));
        let mut row = 0;
        while row < rows.len {
            let folder = rows.folder.map_or(0, |folder| folder[row] as usize);
            let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
            self.base = self.base.or(time);
            let next = Next {
                fits: fits.and_then(|fits| fits.get(folder)).copied().unwrap_or_default(),
                leaves: times.is_some() && self.rotation.folder_change && last != Some(folder),
                opens: !is_open[folder],
                time,
            };
            if let Some(reason) = self.before(next, now) {
                cuts.push(Cut { row, reason });
                self.ended();
                (self.base, fits) = (time, None);
                is_open.fill(false);
            }
            if !is_open[folder] {
                is_open[folder] = true;
                self.open.insert(rows.folders[folder].clone());
            }
            last = Some(folder);
            // Where nothing can end files before a row, only their number counts.
            let alike = times.is_none() && counted.is_none() && fits.is_none() && !self.alarm.rings(now);
            let room = self.rotation.flush_size.map_or(u64::MAX, |most| most.saturating_sub(self.rows).max(1));
            let n = if alike { usize::try_from(room).unwrap_or(usize::MAX).min(rows.len - row) } else { 1 };
            self.rows += n as u64;
            row += n;
            if n as u64 == room {
                cuts.push(Cut { row, reason: Reason::FlushSize });
                self.ended();
                fits = None;
                is_open.fill(false);
            }
        }
        self.last = last.map(|folder| rows.folders[folder].clone()).or(self.last.take());
        cuts
    }

    /// Why all files end before a row, if they do.
    fn before(&mut self, next: Next, now: i64) -> Option<Reason> {
        if next.fits == Fits::Never {
            return Some(Reason::Schema);
        }
        if self.rows > 0 {
            let on_time = self.on_time(next, now);
            if on_time.is_some() {
                self.alarm.set(now);
                return on_time;
            }
            if next.fits == Fits::No {
                return Some(Reason::Schema);
            }
        }
        let full = self.rotation.max_open_files.is_some_and(|most| self.open.len() >= most);
        (full && next.opens).then_some(Reason::MaxOpenFiles)
    }

    fn on_time(&self, next: Next, now: i64) -> Option<Reason> {
        let passed = |interval| Some(next.time?.saturating_sub(self.base?) >= interval);
        if next.leaves {
            Some(Reason::Partition)
        } else if self.rotation.interval.and_then(passed) == Some(true) {
            Some(Reason::Interval)
        } else {
            self.alarm.rings(now).then_some(Reason::Schedule)
        }
    }

    /// All files have ended for another reason than a cut or a [`tick`](Self::tick).
    pub fn ended(&mut self) {
        (self.rows, self.base) = (0, None);
        self.open.clear();
    }

    /// Whether all files end by the clock, also without a row: to be asked whenever the task has a turn.
    pub fn tick(&mut self, now: i64) -> Option<Reason> {
        if !self.alarm.due(now) || self.rows == 0 {
            return None;
        }
        self.ended();
        Some(Reason::Schedule)
    }
}

#[cfg(test)]
mod tests;
