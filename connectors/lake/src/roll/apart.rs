//! Each folder's file ends by itself, so that late rows never end the file that rows go to now.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Range;

use arrow_array::{Array as _, Int64Array};

use super::{Reason, Rotation};

/// One step with the rows of a batch that go to one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These rows go to the open file, or to a new one where none is open.
    Rows(Range<usize>),
    /// The open file ends.
    Close(Reason),
}

/// What a folder's open file has got, as far as that ends it. No rows: none is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Its rows.
    pub rows: u64,
    /// The time of its first row that has one, in milliseconds since the epoch.
    pub base: Option<i64>,
}

/// What to do with `rows` rows of one schema that go to one folder, whose open file has got `filled`, and has those that it then
/// has. `fits` says whether they have that file's schema; `times` are theirs, as a time-based partitioner takes them.
pub fn steps(rotation: &Rotation, filled: &mut Filled, fits: bool, rows: usize, times: Option<&Int64Array>) -> Vec<Step> {
    let flush_size = rotation.flush_size.unwrap_or(u64::MAX);
    let times = rotation.interval.zip(times);
    let mut steps = Vec::with_capacity(2);
    if filled.rows > 0 && !fits && rows > 0 {
        steps.push(Step::Close(Reason::Schema));
        *filled = Filled::default();
    }
    let mut at = 0;
    while at < rows {
        let room = usize::try_from(flush_size.saturating_sub(filled.rows).max(1)).unwrap_or(usize::MAX);
        let most = rows.min(at.saturating_add(room));
        let end = times.map_or(most, |(interval, times)| in_time(interval, times, filled, at..most));
        if end > at {
            steps.push(Step::Rows(at..end));
            filled.rows += (end - at) as u64;
            at = end;
        }
        let ends = if filled.rows >= flush_size { Some(Reason::FlushSize) } else { (end < most).then_some(Reason::Interval) };
        if let Some(reason) = ends {
            steps.push(Step::Close(reason));
            *filled = Filled::default();
        }
    }
    steps
}

/// The end of those of `rows` that come before one that is `interval` later than the file's first one.
fn in_time(interval: i64, times: &Int64Array, filled: &mut Filled, rows: Range<usize>) -> usize {
    let (begin, end) = (rows.start, rows.end);
    for row in rows.filter(|row| times.is_valid(*row)) {
        let time = times.value(row);
        let base = *filled.base.get_or_insert(time);
        let is_first = filled.rows == 0 && row == begin;
        if !is_first && time.saturating_sub(base) >= interval {
            return row;
        }
    }
    end
}

/// The open files of a partition by when they last got rows.
#[derive(Debug)]
pub struct Recency<K> {
    turns: HashMap<K, u64>,
    files: BTreeMap<u64, K>,
    next: u64,
}

impl<K> Default for Recency<K> {
    fn default() -> Self {
        Self { turns: HashMap::new(), files: BTreeMap::new(), next: 0 }
    }
}

impl<K: Clone + Eq + Hash> Recency<K> {
    /// The file of `key` gets rows. If it is one more than the `most`, at least 1, that may be open, the file that was idle longest
    /// has to end for it; it is then forgotten.
    pub fn touch(&mut self, key: &K, most: Option<usize>) -> Option<K> {
        let turn = self.next;
        self.next += 1;
        if let Some(before) = self.turns.insert(key.clone(), turn) {
            self.files.remove(&before);
        }
        self.files.insert(turn, key.clone());
        if most.is_none_or(|most| self.files.len() <= most.max(1)) {
            return None;
        }
        let (_, idle) = self.files.pop_first()?;
        self.turns.remove(&idle);
        Some(idle)
    }

    /// The file of `key` has ended.
    pub fn forget(&mut self, key: &K) {
        if let Some(turn) = self.turns.remove(key) {
            self.files.remove(&turn);
        }
    }

    /// How many files are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests;
