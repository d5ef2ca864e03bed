//! Rows with equal values.

use std::collections::HashMap;
use std::hash::Hash;

/// The rows of a batch, grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    /// How many rows there are.
    pub(super) len: usize,
    /// The group of each row; None if all are in the first one.
    pub(super) rows: Option<Vec<u32>>,
    /// The first row of each group, ascending.
    pub(super) first: Vec<usize>,
}

impl Groups {
    /// All rows in one group.
    pub(super) fn one(len: usize) -> Self {
        Self { len, rows: None, first: (0..len.min(1)).collect() }
    }

    /// The rows whose values are equal are in one group.
    pub(super) fn of<T: Copy + Eq + Hash>(values: impl ExactSizeIterator<Item = T>) -> Self {
        let len = values.len();
        let mut rows = Vec::new();
        let mut first = Vec::new();
        let mut known = HashMap::new();
        let mut before = None;
        for (row, value) in values.enumerate() {
            // neighbours are often equal, and a look at the table costs more than all the rest
            let group = match before {
                Some((same, group)) if same == value => group,
                _ => *known.entry(value).or_insert_with(|| {
                    first.push(row);
                    // as long as there is one group only, no row needs a number
                    if first.len() == 2 {
                        rows.reserve(len);
                        rows.resize(row, 0);
                    }
                    first.len() as u32 - 1
                }),
            };
            before = Some((value, group));
            if first.len() > 1 {
                rows.push(group);
            }
        }
        Self { len, rows: (first.len() > 1).then_some(rows), first }
    }

    /// The rows that are in one group here and there.
    pub(super) fn and(self, other: Self) -> Self {
        match (&self.rows, &other.rows) {
            (None, _) => other,
            (_, None) => self,
            (Some(a), Some(b)) => Self::of(a.iter().zip(b).map(|(a, b)| u64::from(*a) << 32 | u64::from(*b))),
        }
    }

    /// The group of a row.
    pub(super) fn of_row(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(0, |rows| rows[row] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_group() {
        let groups = Groups::of(["a", "a", "b", "a", "c", "b"].into_iter());
        assert_eq!(groups, Groups { len: 6, rows: Some(vec![0, 0, 1, 0, 2, 1]), first: vec![0, 2, 4] });
        assert_eq!(Groups::of([7, 7].into_iter()), Groups { len: 2, rows: None, first: vec![0] });
        assert_eq!(Groups::of([0_i32; 0].into_iter()), Groups::one(0));
        assert_eq!(Groups::one(3), Groups { len: 3, rows: None, first: vec![0] });
    }

    #[test]
    fn groups_are_crossed() {
        let a = Groups::of([1, 1, 2, 2].into_iter());
        let b = Groups::of([1, 2, 1, 2].into_iter());
        assert_eq!(a.clone().and(b), Groups { len: 4, rows: Some(vec![0, 1, 2, 3]), first: vec![0, 1, 2, 3] });
        assert_eq!(Groups::one(4).and(a.clone()), a);
        assert_eq!(a.clone().and(Groups::one(4)), a);
    }
}
