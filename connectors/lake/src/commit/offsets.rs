//! Sets of a partition's offsets: all before some offset, and runs after it.

use std::ops::Range;

/// All offsets before [`low`](Self::low), and some after it: those whose records are done with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offsets {
    low: i64,
    /// Ascending, none empty, none touching the one before it or `low`.
    runs: Vec<Range<i64>>,
}

impl Offsets {
    /// All offsets before `low`.
    #[must_use]
    pub const fn before(low: i64) -> Self {
        Self { low, runs: Vec::new() }
    }

    /// The first offset that is not in the set.
    #[must_use]
    pub fn low(&self) -> i64 {
        self.low
    }

    /// The runs of offsets after [`low`](Self::low), ascending and apart.
    #[must_use]
    pub fn runs(&self) -> &[Range<i64>] {
        &self.runs
    }

    /// The end of the last run, or `low`.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.runs.last().map_or(self.low, |run| run.end)
    }

    /// Whether `offset` is in the set.
    #[must_use]
    pub fn contains(&self, offset: i64) -> bool {
        offset < self.low
            || self.runs[..self.runs.partition_point(|run| run.start <= offset)].last().is_some_and(|run| offset < run.end)
    }

    /// Whether any offset of `range` is in the set.
    #[must_use]
    pub fn meets(&self, range: &Range<i64>) -> bool {
        let next = self.runs.partition_point(|run| run.end <= range.start);
        !range.is_empty() && (range.start < self.low || self.runs.get(next).is_some_and(|run| run.start < range.end))
    }

    /// Whether all offsets of `other` are in the set.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let holds = |run: &Range<i64>| {
            let before = self.runs.partition_point(|own| own.start <= run.start);
            run.end <= self.low || self.runs[..before].last().is_some_and(|own| run.end <= own.end)
        };
        // a run of the other may begin below our low
        other.low <= self.low && other.runs.iter().all(|run| holds(&(run.start.max(self.low)..run.end)))
    }

    /// Adds the offsets of `range`, which begins at or after the last one of the set.
    ///
    /// # Panics
    /// If it begins before.
    pub fn push(&mut self, range: Range<i64>) {
        assert!(range.start >= self.end(), "{range:?} is added to offsets up to {}", self.end());
        if range.is_empty() {
            return;
        }
        match self.runs.last_mut() {
            None if range.start == self.low => self.low = range.end,
            Some(last) if range.start == last.end => last.end = range.end,
            _ => self.runs.push(range),
        }
    }

    /// The offsets of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = Self::before(self.low.max(other.low));
        let (mut own, mut others) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        loop {
            let run = match (own.peek(), others.peek()) {
                (Some(a), Some(b)) if b.start < a.start => others.next(),
                (Some(_), _) => own.next(),
                (None, _) => others.next(),
            };
            let Some(run) = run else { return all };
            let start = run.start.max(all.end());
            all.push(start..run.end.max(start));
        }
    }

    /// The set and all offsets before `low`.
    #[must_use]
    pub fn raised_to(&self, low: i64) -> Self {
        self.union(&Self::before(low))
    }

    /// The lengths of the gaps and runs after `low`, in turn: few digits, whatever the offsets.
    pub(super) fn lengths(&self) -> Vec<i64> {
        let mut at = self.low;
        let mut lengths = Vec::with_capacity(self.runs.len() * 2);
        for run in &self.runs {
            lengths.extend([run.start - at, run.end - run.start]);
            at = run.end;
        }
        lengths
    }

    /// The inverse of [`lengths`](Self::lengths); None for lengths that are none.
    pub(super) fn of_lengths(low: i64, lengths: &[i64]) -> Option<Self> {
        let (mut offsets, mut at) = (Self::before(low), low);
        let (pairs, []) = lengths.as_chunks::<2>() else { return None };
        for [gap, run] in pairs {
            let start = at.checked_add(*gap).filter(|start| *start > at)?;
            at = start.checked_add(*run).filter(|end| *end > start)?;
            offsets.push(start..at);
        }
        Some(offsets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn some() -> impl Strategy<Value = (Offsets, BTreeSet<i64>)> {
        (0i64..20, proptest::collection::vec((0i64..5, 0i64..5), 0..8)).prop_map(|(low, pairs)| {
            let (mut offsets, mut all) = (Offsets::before(low), (0..low).collect::<BTreeSet<_>>());
            for (gap, run) in pairs {
                let start = offsets.end() + gap;
                offsets.push(start..start + run);
                all.extend(start..start + run);
            }
            (offsets, all)
        })
    }

    proptest! {
        #[test]
        fn offsets_are_a_set((offsets, all) in some(), (other, others) in some(), from in 0i64..60, len in 0i64..20) {
            for offset in 0..80 {
                prop_assert_eq!(offsets.contains(offset), all.contains(&offset));
            }
            prop_assert_eq!(offsets.meets(&(from..from + len)), (from..from + len).any(|offset| all.contains(&offset)));
            prop_assert_eq!(offsets.includes(&other), all.is_superset(&others));
            prop_assert_eq!(all.contains(&offsets.low()), false);
            prop_assert!(offsets.low() == 0 || all.contains(&(offsets.low() - 1)));
            let raised = offsets.raised_to(from);
            let both = offsets.union(&other);
            prop_assert!(both.includes(&offsets) && both.includes(&other));
            prop_assert!((0..80).all(|offset| both.contains(offset) == (all.contains(&offset) || others.contains(&offset))));
            for offset in 0..80 {
                prop_assert_eq!(raised.contains(offset), all.contains(&offset) || offset < from);
            }
            prop_assert_eq!(Offsets::of_lengths(offsets.low(), &offsets.lengths()), Some(offsets));
        }
    }

    #[test]
    #[should_panic(expected = "3..5 is added to offsets up to 4")]
    fn offsets_are_added_in_order() {
        Offsets::before(4).push(3..5);
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for bad in [&[1][..], &[0, 1], &[1, 0], &[-1, 1], &[1, 1, 0, 1], &[i64::MAX, 1], &[1, i64::MAX]] {
            assert_eq!(Offsets::of_lengths(1, bad), None, "{bad:?}");
        }
    }
}
