//! Which records of a partition are in which file that has not landed: pure bookkeeping, in offset order.

use std::collections::{BTreeSet, VecDeque};

use super::offsets::Offsets;

/// So many offsets may lie between the first record that has not landed and the position: they are read again after a crash.
pub const MOST_SPAN: i64 = 1 << 21;
/// So many runs of landed records may lie between others: a pointer names them all.
const MOST_GAPS: usize = 1 << 15;

/// The bytes of a run.
pub const RUN: usize = size_of::<(i64, Option<u64>)>();

/// The records of a partition since the first one that has not landed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracker {
    /// The offset before which all records are in a file or were left out.
    position: i64,
    /// Where runs of records begin that are in one file, or, by None, in no file that has not landed. Offsets in between without a
    /// record belong to the run before them.
    runs: VecDeque<(i64, Option<u64>)>,
    /// The runs of no file.
    gaps: usize,
    /// What had landed when the partition was opened.
    landed: Offsets,
}

impl Tracker {
    /// A partition of which `landed` has landed.
    #[must_use]
    pub fn new(landed: Offsets) -> Self {
        Self { position: landed.low(), runs: VecDeque::new(), gaps: 0, landed }
    }

    /// The offset before which all records are in a file or were left out.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The record at `offset`, and those after it until the next call, are in file `file`.
    ///
    /// # Panics
    /// If the record was put before, or has landed: it would land twice.
    pub fn put(&mut self, offset: i64, file: u64) {
        assert!(offset >= self.position, "offset {offset} is put again, after {}", self.position);
        assert!(!self.landed.contains(offset), "offset {offset} is put again, it has landed");
        if self.runs.back().is_none_or(|(_, last)| *last != Some(file)) {
            self.runs.push_back((offset, Some(file)));
        }
        self.position = offset + 1;
    }

    /// Every record before `end` is in a file or left out.
    pub fn advance(&mut self, end: i64) {
        self.position = self.position.max(end);
    }

    /// The offsets that are done with once `files` have landed, and before `told`: all but those of other files.
    #[must_use]
    pub fn covers(&self, files: &[u64], told: i64) -> Offsets {
        let end = self.position.min(told);
        let mut covered = Offsets::before(self.runs.front().map_or(end, |(start, _)| (*start).min(end)));
        let ends = self.runs.iter().skip(1).map(|(start, _)| *start).chain([self.position]);
        for ((start, file), run_end) in self.runs.iter().zip(ends) {
            if file.is_none_or(|file| files.contains(&file)) {
                let start = (*start).max(covered.end());
                covered.push(start..run_end.min(end).max(start));
            }
        }
        covered.union(&self.landed)
    }

    /// `files` have landed.
    pub fn landed(&mut self, files: &[u64]) {
        let mut last = None;
        let mut gaps = 0;
        self.runs.retain_mut(|(_, file)| {
            if file.is_some_and(|file| files.contains(&file)) {
                *file = None;
            }
            let merged = last == Some(*file) || (last.is_none() && file.is_none());
            last = Some(*file);
            gaps += usize::from(!merged && file.is_none());
            !merged
        });
        self.gaps = gaps;
        if self.runs.len() < self.runs.capacity() / 4 {
            self.runs.shrink_to(self.runs.len() * 2);
        }
    }

    /// The files that have to end for what lies behind them to be few offsets, few gaps and at most `most` runs.
    #[must_use]
    pub fn overdue(&self, most: usize) -> BTreeSet<u64> {
        let far = self.position.saturating_sub(MOST_SPAN);
        let crowded = (self.gaps > MOST_GAPS || self.runs.len() > most).then(|| self.runs[self.runs.len() / 2].0);
        let until = crowded.unwrap_or(far).max(far);
        self.runs.iter().take_while(|(start, _)| *start < until).filter_map(|(_, file)| *file).collect()
    }

    /// The runs of records.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The bytes that this takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.runs.capacity() * RUN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_in_no_file_that_waits_is_covered() {
        let mut tracker = Tracker::new(Offsets::before(10));
        assert_eq!(tracker.covers(&[], i64::MAX), Offsets::before(10));
        tracker.advance(12);
        tracker.put(12, 1);
        tracker.put(13, 2);
        tracker.put(15, 1);
        tracker.advance(20);
        tracker.advance(18);
        assert_eq!(tracker.position(), 20, "batches of other folders come later");
        assert_eq!(tracker.covers(&[], i64::MAX), Offsets::before(12), "what is before the first row need not be read again");
        assert_eq!(tracker.covers(&[1], i64::MAX), Offsets::of_lengths(13, &[2, 5]).expect("lengths"));
        assert_eq!(tracker.covers(&[2], i64::MAX), Offsets::of_lengths(12, &[1, 2]).expect("lengths"));
        assert_eq!(tracker.covers(&[1, 2], 17), Offsets::before(17), "no letter is owed before 17");
        tracker.landed(&[2]);
        assert_eq!(tracker.covers(&[], i64::MAX), Offsets::of_lengths(12, &[1, 2]).expect("lengths"));
        tracker.landed(&[1]);
        assert_eq!((tracker.covers(&[], i64::MAX), tracker.runs.len()), (Offsets::before(20), 0));
    }

    #[test]
    #[should_panic(expected = "it has landed")]
    fn a_landed_record_is_not_put_again() {
        Tracker::new(Offsets::of_lengths(10, &[5, 5]).expect("lengths")).put(16, 1);
    }

    #[test]
    #[should_panic(expected = "is put again, after")]
    fn a_record_is_not_put_twice() {
        let mut tracker = Tracker::new(Offsets::before(10));
        tracker.put(11, 1);
        tracker.put(11, 2);
    }

    #[test]
    fn files_far_behind_are_overdue() {
        let mut tracker = Tracker::new(Offsets::before(0));
        tracker.put(0, 1);
        tracker.put(1, 2);
        tracker.advance(MOST_SPAN);
        assert_eq!(tracker.overdue(usize::MAX), BTreeSet::new());
        tracker.advance(MOST_SPAN + 1);
        assert_eq!(tracker.overdue(usize::MAX), BTreeSet::from([1]));
        let mut tracker = Tracker::new(Offsets::before(0));
        for turn in 0..=(MOST_GAPS as i64 + 1) {
            tracker.put(2 * turn, if turn < 10 { 1 } else { 2 });
            tracker.put(2 * turn + 1, 3);
        }
        assert_eq!(tracker.overdue(usize::MAX), BTreeSet::new());
        tracker.landed(&[3]);
        assert_eq!(tracker.overdue(usize::MAX), BTreeSet::from([1, 2]));
        let mut tracker = Tracker::new(Offsets::before(0));
        (0..10).for_each(|offset| tracker.put(offset, offset as u64));
        assert_eq!((tracker.overdue(10), tracker.overdue(9)), (BTreeSet::new(), (0..5).collect()));
        tracker.landed(&(0..10).collect::<Vec<_>>());
        assert_eq!(tracker.bytes(), 0);
    }

    proptest! {
        #[test]
        fn files_land_in_any_order(rows in proptest::collection::vec((0i64..3, 0u64..4), 1..40), order in proptest::sample::subsequence(vec![0u64, 1, 2, 3], 0..4)) {
            let landed = Offsets::of_lengths(3, &[4, 2, 5, 3]).expect("lengths");
            let mut tracker = Tracker::new(landed.clone());
            let (mut at, mut put) = (3, Vec::new());
            for (gap, file) in rows {
                at += gap;
                while landed.contains(at) {
                    at += 1;
                }
                tracker.put(at, file);
                put.push((at, file));
                at += 1;
            }
            let mut gone = Vec::new();
            for file in order {
                let both = tracker.covers(&[file], i64::MAX);
                prop_assert!(both.includes(&tracker.covers(&[], i64::MAX)) && both.includes(&landed));
                gone.push(file);
                tracker.landed(&[file]);
                prop_assert_eq!(&tracker.covers(&[], i64::MAX), &both);
                for (offset, file) in &put {
                    prop_assert_eq!(both.contains(*offset), gone.contains(file), "{}", offset);
                }
            }
        }
    }
}
