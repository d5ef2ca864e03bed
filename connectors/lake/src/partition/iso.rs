//! Dates and times in ISO 8601 as Joda-Time 2.13 reads them (`ISODateTimeFormat.dateTimeParser`), in UTC where they say no offset.

use super::joda::{DAY, civil, day_of, week_of};
use super::zone::offset_of;

const HOUR: i64 = 3_600_000;

/// The milliseconds since the epoch that `text` says; None if it says none.
pub(super) fn millis(text: &str) -> Option<i64> {
    let mut text = Text(text.as_bytes());
    let dated = !text.at_letter(b'T');
    let day = if dated { text.date()? } else { 0 };
    let mut time = 0;
    if text.take_letter(b'T') {
        if !dated || text.first().is_some_and(|b| b.is_ascii_digit()) {
            time = text.time()?;
        }
        time -= text.offset()?;
    }
    if !text.0.is_empty() {
        return None;
    }
    day.checked_mul(DAY)?.checked_add(time)
}

/// Text that is read from the front.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn first(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn at(&self, byte: u8) -> bool {
        self.first() == Some(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.at(byte);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }

    fn at_letter(&self, upper: u8) -> bool {
        self.first().is_some_and(|first| first.to_ascii_uppercase() == upper)
    }

    fn take_letter(&mut self, upper: u8) -> bool {
        let there = self.at_letter(upper);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }

    /// The number that the next digits are, at most so many.
    fn digits(&mut self, most: usize) -> Option<(i64, usize)> {
        let many = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(many);
        self.0 = rest;
        (many > 0).then(|| (digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')), many))
    }

    /// A number of up to two digits within these.
    fn part(&mut self, least: i64, most: i64) -> Option<i64> {
        self.digits(2).map(|(n, _)| n).filter(|n| (least..=most).contains(n))
    }

    /// The day since the epoch of a year, with a month and a day, with a week and a day of it, or with a day.
    fn date(&mut self) -> Option<i64> {
        let minus = self.at(b'-');
        let signed = (minus || self.at(b'+')) && self.0.get(1).is_some_and(u8::is_ascii_digit);
        if signed {
            self.0 = &self.0[1..];
        }
        let (year, _) = self.digits(9)?;
        let year = if minus { -year } else { year };
        if !self.at(b'-') {
            return Some(day_of(year, 1, 1));
        }
        if self.0.get(1) == Some(&b'W') {
            self.0 = &self.0[2..];
            let monday = day_of(year, 1, 4) - (day_of(year, 1, 4) + 3).rem_euclid(7);
            let weeks = week_of(day_of(year, 12, 28)).1;
            let week = self.part(1, weeks)?;
            let weekday = if self.take(b'-') { self.digits(1).map(|(n, _)| n).filter(|n| (1..=7).contains(n))? } else { 1 };
            return Some(monday + (week - 1) * 7 + weekday - 1);
        }
        self.take(b'-');
        let (n, digits) = self.digits(3)?;
        let first = day_of(year, 1, 1);
        if digits == 3 {
            return (1..=day_of(year + 1, 1, 1) - first).contains(&n).then(|| first + n - 1);
        }
        let month = Some(n).filter(|n| (1..=12).contains(n))?;
        if !self.take(b'-') {
            return Some(day_of(year, month, 1));
        }
        let (of_month, _) = self.digits(2)?;
        let day = day_of(year, month, of_month);
        (civil(day) == (year, month, of_month)).then_some(day)
    }

    /// The milliseconds of a time of day: hours, with minutes and seconds, the last of them with a fraction.
    fn time(&mut self) -> Option<i64> {
        let mut unit = HOUR;
        let mut time = self.part(0, 23)? * unit;
        for most in [59, 59] {
            if !self.take(b':') {
                break;
            }
            unit /= 60;
            time += self.part(0, most)? * unit;
        }
        if self.at(b'.') || self.at(b',') {
            self.0 = &self.0[1..];
            let many = self.0.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
            let (digits, rest) = self.0.split_at(many);
            if many == 0 {
                return None;
            }
            self.0 = rest;
            // nine digits of an hour are finer than a millisecond
            let nanos = digits.iter().chain([b'0'; 9].iter()).take(9).fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
            time += nanos * unit / 1_000_000_000;
        }
        Some(time)
    }

    /// The milliseconds of an offset, 0 if there is none.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.take_letter(b'Z') {
            return Some(0);
        }
        offset_of(str::from_utf8(std::mem::take(&mut self.0)).ok()?)
    }
}
