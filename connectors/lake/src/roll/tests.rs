use super::*;
use Step::{Close, Rows};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The steps with rows of no time where the open file has `open` rows.
fn sized(open: Option<u64>, fits: bool, rows: usize, flush_size: Option<u64>) -> Vec<Step> {
    let mut filled = Filled { rows: open.unwrap_or(0), base: None };
    steps(&Rotation { flush_size, ..Rotation::default() }, &mut filled, fits, rows, None)
}

#[test]
fn a_batch_is_cut_at_the_flush_size_and_at_a_new_schema() {
    assert_eq!(sized(None, true, 5, Some(10)), [Rows(0..5)]);
    assert_eq!(sized(Some(8), true, 5, Some(10)), [Rows(0..2), Close(Reason::FlushSize), Rows(2..5)]);
    assert_eq!(sized(Some(5), true, 5, Some(10)), [Rows(0..5), Close(Reason::FlushSize)]);
    assert_eq!(sized(Some(8), false, 5, Some(10)), [Close(Reason::Schema), Rows(0..5)]);
    assert_eq!(sized(None, true, 0, Some(10)), []);
    assert_eq!(sized(Some(8), true, 5, None), [Rows(0..5)]);
    assert_eq!(sized(Some(8), false, 5, None), [Close(Reason::Schema), Rows(0..5)]);
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_deadline_is_that_of_the_age_or_of_the_last_row() {
    let zero = Instant::now();
    let rotation = |open: Option<u64>, idle: Option<u64>| Rotation {
        open: open.map(ms),
        idle: idle.map(ms),
        flush_size: Some(1),
        size: Some(1),
        ..Rotation::default()
    };
    for (open, idle, first, last, deadline) in [
        (None, None, 0, 5, None),
        (Some(10), None, 0, 5, Some((10, Reason::Open))),
        (None, Some(10), 0, 5, Some((15, Reason::Idle))),
        (Some(10), Some(10), 0, 5, Some((10, Reason::Open))),
        (Some(100), Some(10), 20, 85, Some((95, Reason::Idle))),
        (Some(100), Some(10), 20, 115, Some((120, Reason::Open))),
        (Some(10), Some(10), 3, 3, Some((13, Reason::Open))),
        (Some(u64::MAX), Some(7), 0, 0, Some((7, Reason::Idle))),
    ] {
        let times = Times { first: zero + ms(first), last: zero + ms(last) };
        let expected = deadline.map(|(at, why)| (zero + ms(at), why));
        assert_eq!(rotation(open, idle).deadline(times), expected, "{open:?} {idle:?} {first} {last}");
    }
}

#[test]
fn a_key_has_one_time() {
    let zero = Instant::now();
    let mut timers = Timers::default();
    timers.set(&"b", zero + ms(20));
    timers.set(&"a", zero + ms(10));
    timers.set(&"a", zero + ms(15));
    assert_eq!(timers.due(zero + ms(9)), None);
    assert_eq!((timers.due(zero + ms(30)), timers.due(zero + ms(30)), timers.due(zero + ms(30))), (Some("a"), Some("b"), None));
    timers.set(&"a", zero + ms(40));
    assert_eq!((timers.due(zero + ms(39)), timers.due(zero + ms(40))), (None, Some("a")));
}

/// What the engine does with timers, in milliseconds: rows come, and files end when they are due.
fn ends(
    rotation: &Rotation,
    flush_size: u64,
    rows: &[(u64, usize)],
    until: u64,
) -> BTreeMap<usize, Vec<(u64, u64, u64, Reason)>> {
    let zero = Instant::now();
    let since = |at: Instant| (at - zero).as_millis() as u64;
    let mut timers = Timers::default();
    let mut open: BTreeMap<usize, (Times, u64)> = BTreeMap::new();
    let mut ended: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    let mut rows = rows.iter().peekable();
    for tick in 0..=until {
        let now = zero + ms(tick);
        while let Some(key) = timers.due(now) {
            let Some((times, n)) = open.get(&key).copied() else { continue };
            match rotation.deadline(times) {
                Some((at, reason)) if at <= now => {
                    open.remove(&key);
                    ended.entry(key).or_default().push((since(times.first), since(now), n, reason));
                }
                Some((at, _)) => timers.set(&key, at),
                None => {}
            }
        }
        while let Some((_, key)) = rows.next_if(|(at, _)| *at <= tick) {
            let (times, n) = open.entry(*key).or_insert_with(|| {
                let times = Times { first: now, last: now };
                if let Some((at, _)) = rotation.deadline(times) {
                    timers.set(key, at);
                }
                (times, 0)
            });
            (times.last, *n) = (now, *n + 1);
            if *n == flush_size {
                let (times, n) = open.remove(key).expect("open");
                ended.entry(*key).or_default().push((since(times.first), tick, n, Reason::FlushSize));
            }
        }
        assert!(timers.len() <= 3, "one time a key");
    }
    assert!(open.is_empty(), "{open:?}");
    ended
}

proptest! {
    #[test]
    fn every_row_goes_to_one_file_and_no_file_is_too_long(
        open in 0u64..50,
        fits: bool,
        rows in 0usize..200,
        extra in proptest::option::of(1u64..60),
    ) {
        let flush = extra.map(|extra| open + extra);
        let (mut next, mut in_file) = (0, open);
        for step in sized((open > 0).then_some(open), fits, rows, flush) {
            match step {
                Rows(r) => {
                    prop_assert_eq!(r.start, next);
                    prop_assert!(!r.is_empty());
                    next = r.end;
                    in_file += r.len() as u64;
                    prop_assert!(flush.is_none_or(|flush| in_file <= flush));
                }
                Close(_) => in_file = 0,
            }
        }
        prop_assert_eq!(next, rows);
        prop_assert!(flush.is_none_or(|flush| in_file < flush));
    }

    #[test]
    fn a_file_ends_once_and_in_time(
        open in 1u64..60,
        idle in proptest::option::of(1u64..60),
        flush_size in 2u64..8,
        mut rows in proptest::collection::vec((0u64..300, 0usize..3), 0..60),
    ) {
        rows.sort_unstable();
        let rotation = Rotation { open: Some(ms(open)), idle: idle.map(ms), ..Rotation::default() };
        for (key, files) in ends(&rotation, flush_size, &rows, 400) {
            let mut mine = rows.iter().filter(|(_, k)| *k == key).map(|(at, _)| *at).peekable();
            for (first, end, n, reason) in files {
                let in_file: Vec<u64> = mine.by_ref().take(n as usize).collect();
                prop_assert_eq!(in_file[0], first);
                let last = in_file[in_file.len() - 1];
                let gap = in_file.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
                prop_assert!(end - first <= open && idle.is_none_or(|idle| gap < idle && end - last <= idle));
                match reason {
                    Reason::Open => prop_assert_eq!(end - first, open),
                    Reason::Idle => prop_assert_eq!(Some(end - last), idle),
                    _ => prop_assert_eq!((end, n), (last, flush_size)),
                }
            }
            prop_assert_eq!(mine.next(), None);
        }
    }
}
