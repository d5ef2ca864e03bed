//! When a file ends: pure cuts of a batch's rows, in offset order.

use std::ops::Range;

/// Why a file was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has `flush.size` rows.
    FlushSize,
    /// The next row has another schema.
    Schema,
}

/// One step with the rows of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These rows go to the open file, or to a new one where none is open.
    Rows(Range<usize>),
    /// The open file ends.
    Close(Reason),
}

/// What to do with a batch of `rows` rows: `open` is the number of rows in the open file, if there is one, and `fits` says
/// whether the batch has that file's schema.
#[must_use]
pub fn steps(open: Option<u64>, fits: bool, rows: usize, flush_size: u64) -> Vec<Step> {
    let mut steps = Vec::with_capacity(2);
    let (mut at, mut in_file) = (0, open.unwrap_or(0));
    if in_file > 0 && !fits && rows > 0 {
        steps.push(Step::Close(Reason::Schema));
        in_file = 0;
    }
    while at < rows {
        let room = usize::try_from(flush_size.saturating_sub(in_file)).unwrap_or(usize::MAX);
        let end = rows.min(at.saturating_add(room));
        steps.push(Step::Rows(at..end));
        in_file += (end - at) as u64;
        at = end;
        if in_file >= flush_size {
            steps.push(Step::Close(Reason::FlushSize));
            in_file = 0;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Close, Rows};
    use proptest::prelude::*;

    #[test]
    fn a_batch_is_cut_at_the_flush_size_and_at_a_new_schema() {
        assert_eq!(steps(None, true, 5, 10), [Rows(0..5)]);
        assert_eq!(steps(Some(8), true, 5, 10), [Rows(0..2), Close(Reason::FlushSize), Rows(2..5)]);
        assert_eq!(steps(Some(5), true, 5, 10), [Rows(0..5), Close(Reason::FlushSize)]);
        assert_eq!(steps(Some(8), false, 5, 10), [Close(Reason::Schema), Rows(0..5)]);
        assert_eq!(steps(None, true, 0, 10), []);
    }

    proptest! {
        #[test]
        fn every_row_goes_to_one_file_and_no_file_is_too_long(open in 0u64..50, fits: bool, rows in 0usize..200, extra in 1u64..60) {
            let flush = open + extra;
            let (mut next, mut in_file) = (0, open);
            for step in steps((open > 0).then_some(open), fits, rows, flush) {
                match step {
                    Rows(r) => {
                        prop_assert_eq!(r.start, next);
                        prop_assert!(!r.is_empty());
                        next = r.end;
                        in_file += r.len() as u64;
                        prop_assert!(in_file <= flush);
                    }
                    Close(_) => in_file = 0,
                }
            }
            prop_assert_eq!(next, rows);
            prop_assert!(in_file < flush);
        }
    }
}
