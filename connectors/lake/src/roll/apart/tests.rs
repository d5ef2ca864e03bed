use Step::{Close, Rows};
use proptest::prelude::*;

use super::*;

fn times(times: &[i64]) -> Int64Array {
    Int64Array::from(times.to_vec())
}

#[test]
fn late_rows_end_no_file_and_rows_that_are_too_late_do() {
    let rotation = Rotation { interval: Some(10), flush_size: Some(4), ..Rotation::default() };
    let mut filled = Filled::default();
    let mut steps = |times: &[Option<i64>]| {
        let array: Int64Array = times.iter().copied().collect();
        steps(&rotation, &mut filled, true, times.len(), Some(&array))
    };
    assert_eq!(steps(&[None, Some(100), Some(-50)]), [Rows(0..3)]);
    assert_eq!(steps(&[Some(110), Some(109)]), [Close(Reason::Interval), Rows(0..2)]);
    assert_eq!(steps(&[Some(0), Some(119), Some(130), None]), [Rows(0..2), Close(Reason::FlushSize), Rows(2..4)]);
    assert_eq!(steps(&[Some(i64::MIN), Some(i64::MAX)]), [Rows(0..1), Close(Reason::Interval), Rows(1..2)]);
    assert_eq!((filled.rows, filled.base), (1, Some(i64::MAX)));
}

#[test]
fn the_file_that_was_idle_longest_makes_room() {
    let mut open = Recency::default();
    assert_eq!(["a", "b", "a", "c"].map(|key| open.touch(&key, Some(2))), [None, None, None, Some("b")]);
    open.forget(&"a");
    assert_eq!((open.touch(&"d", Some(2)), open.touch(&"e", Some(2)), open.len()), (None, Some("c"), 2));
    assert_eq!((open.touch(&"x", None), open.len()), (None, 3));
    assert_eq!((open.touch(&"y", Some(0)), open.len()), (Some("d"), 3));
}

proptest! {
    /// A row at a time, as the rules read.
    #[test]
    fn every_row_goes_to_one_file_by_the_rules(
        interval in proptest::option::of(1i64..20),
        flush_size in proptest::option::of(1u64..8),
        batches in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0i64..60, 0..12)), 1..6),
    ) {
        let rotation = Rotation { interval, flush_size, ..Rotation::default() };
        let (mut filled, mut rows, mut base) = (Filled::default(), 0, 0);
        for (fits, at) in batches {
            let mut expected = Vec::new();
            for (row, time) in at.iter().enumerate() {
                let schema = rows > 0 && row == 0 && !fits;
                let late = rows > 0 && !schema && interval.is_some_and(|interval| time - base >= interval);
                if schema || late {
                    expected.push((row, Some(if schema { Reason::Schema } else { Reason::Interval })));
                    rows = 0;
                }
                base = if rows == 0 { *time } else { base };
                rows += 1;
                expected.push((row, None));
                if Some(rows) == flush_size {
                    expected.push((row + 1, Some(Reason::FlushSize)));
                    rows = 0;
                }
            }
            let (mut found, mut end) = (Vec::new(), 0);
            for step in steps(&rotation, &mut filled, fits, at.len(), Some(&times(&at))) {
                match step {
                    Rows(range) => {
                        prop_assert!(range.start == end && !range.is_empty());
                        end = range.end;
                        found.extend(range.map(|row| (row, None)));
                    }
                    Close(reason) => found.push((end, Some(reason))),
                }
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(filled.rows, rows);
        }
    }
}
