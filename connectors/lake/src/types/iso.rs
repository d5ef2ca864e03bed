//! Dates and times in ISO 8601 as Debezium writes them (`java.time.format.DateTimeFormatter.ISO_OFFSET_DATE_TIME`, `ISO_OFFSET_DATE`
//! and `ISO_OFFSET_TIME`).

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A point in time, or a time of day where the day is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instant {
    seconds: i64,
    nanos: u32,
}

/// Text that is read from the front.
struct Text<'a>(&'a [u8]);

/// The days since 1970 of `2024-02-03` or `2024-02-03Z`.
pub(super) fn days(text: &str) -> Option<i32> {
    let mut text = Text(text.as_bytes());
    let days = text.date()?;
    text.no_offset()?;
    days.try_into().ok()
}

/// The part of the day, in units of which a second has `units`, of `04:05:06.7` or `04:05:06.7Z`.
pub(super) fn time(text: &str, units: i64) -> Option<i64> {
    let mut text = Text(text.as_bytes());
    let time = text.time()?;
    text.no_offset()?;
    time.in_units(units)
}

/// The time since 1970, in units of which a second has `units`, of `2024-02-03T04:05:06.7` or `2024-02-03T04:05:06.7Z`.
pub(super) fn local(text: &str, units: i64) -> Option<i64> {
    let mut text = Text(text.as_bytes());
    let at = text.date_time()?;
    text.no_offset()?;
    at.in_units(units)
}

/// The time since 1970 in UTC, in units of which a second has `units`, of `2024-02-03T04:05:06.7+01:00`.
pub(super) fn zoned(text: &str, units: i64) -> Option<i64> {
    let mut text = Text(text.as_bytes());
    let at = text.date_time()?;
    let offset = text.offset()?;
    Instant { seconds: at.seconds - offset, ..at }.in_units(units)
}

impl Instant {
    /// None if it is beyond 64 bits, or finer than the units.
    fn in_units(self, units: i64) -> Option<i64> {
        let (nanos, unit) = (i64::from(self.nanos), 1_000_000_000 / units);
        // The seconds before the first whole one of the range may be out of it while the time is not.
        let all = i128::from(self.seconds) * i128::from(units) + i128::from(nanos / unit);
        if nanos % unit == 0 { all.try_into().ok() } else { None }
    }
}

impl Text<'_> {
    fn take(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    fn at(&self, byte: u8) -> bool {
        self.0.first() == Some(&byte)
    }

    /// The number that the next digits are, of which there must be as many.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let many = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        if many < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(many);
        self.0 = rest;
        Some(digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
    }

    /// Two digits up to `most`.
    fn part(&mut self, most: i64) -> Option<i64> {
        self.digits(2, 2).filter(|n| *n <= most)
    }

    /// The days since 1970 of a date; years beyond four digits have a sign.
    fn date(&mut self) -> Option<i64> {
        let (minus, plus) = (self.at(b'-'), self.at(b'+'));
        if minus || plus {
            self.0 = &self.0[1..];
        }
        let year = self.digits(4, if minus || plus { 9 } else { 4 })?;
        let year = if minus { -year } else { year };
        self.take(b'-')?;
        let month = self.part(12).filter(|month| *month > 0)?;
        self.take(b'-')?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let most = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let day = self.part(most).filter(|day| *day > 0)?;
        // Years begin in March here, so that the day that some of them lack is the last.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let days_before = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
        Some(era * 146_097 + days_before - 719_468)
    }

    fn time(&mut self) -> Option<Instant> {
        let hour = self.part(23)?;
        self.take(b':')?;
        let minute = self.part(59)?;
        let (mut second, mut nanos) = (0, 0);
        if self.at(b':') {
            self.0 = &self.0[1..];
            second = self.part(59)?;
            if self.at(b'.') {
                self.0 = &self.0[1..];
                let before = self.0.len();
                let fraction = self.digits(1, 9)?;
                nanos = fraction * 10_i64.pow(9 - (before - self.0.len()) as u32);
            }
        }
        Some(Instant { seconds: hour * 3600 + minute * 60 + second, nanos: nanos as u32 })
    }

    fn date_time(&mut self) -> Option<Instant> {
        let days = self.date()?;
        if !self.at(b'T') && !self.at(b't') {
            return None;
        }
        self.0 = &self.0[1..];
        let time = self.time()?;
        Some(Instant { seconds: days * DAY + time.seconds, ..time })
    }

    /// The seconds that the zone is ahead of UTC; nothing may follow.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0 {
            b"Z" | b"z" => return Some(0),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let mut seconds = self.part(18)? * 3600;
        if self.at(b':') {
            self.take(b':')?;
            seconds += self.part(59)? * 60;
            if self.at(b':') {
                self.take(b':')?;
                seconds += self.part(59)?;
            }
        }
        (self.0.is_empty() && seconds <= 18 * 3600).then_some(sign * seconds)
    }

    /// Nothing may follow but the sign of UTC.
    fn no_offset(&self) -> Option<()> {
        matches!(self.0, b"" | b"Z" | b"z").then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T23:59:59.999999Z", Some(1_709_251_199_999_999)),
            ("2024-02-29T23:59:59.999999000Z", Some(1_709_251_199_999_999)),
            ("2024-02-29T23:59:59.9999991Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2100-02-29T00:00:00Z", None),
            ("2000-02-29T00:00Z", Some(951_782_400_000_000)),
            ("2011-12-03T10:15:30+01:00", Some(1_322_903_730_000_000)),
            ("2011-12-03T10:15:30.030431-02:30:10", Some(1_322_916_340_030_431)),
            ("2011-12-03T10:15:30", None),
            ("2011-12-03T10:15:30+01:00x", None),
            ("2011-12-03T10:15:60Z", None),
            ("2011-12-03T24:00:00Z", None),
            ("2011-12-03T10:15:30.Z", None),
            ("2011-12-03 10:15:30Z", None),
            ("12011-12-03T10:15:30Z", None),
            ("9999-12-31T23:59:59.999999Z", Some(253_402_300_799_999_999)),
            ("-4712-01-01T00:00:00Z", Some(-210_863_520_000_000_000)),
            ("0000-03-01T00:00:00Z", Some(-62_162_035_200_000_000)),
            ("+294247-01-10T04:00:54.775807Z", Some(i64::MAX)),
            ("+294247-01-10T04:00:54.775808Z", None),
            ("-290308-12-21T19:59:05.224192Z", Some(i64::MIN)),
            ("-290308-12-21T19:59:05.224191Z", None),
            ("+999999999-12-31T23:59:59Z", None),
            ("infinity", None),
            ("", None),
            ("2011-12-03Té", None),
        ] {
            assert_eq!(zoned(text, 1_000_000), expected, "{text}");
        }
        assert_eq!(zoned("2262-04-11T23:47:16.854775807Z", 1_000_000_000), Some(i64::MAX));
        assert_eq!(zoned("1677-09-21T00:12:43.145224192Z", 1_000_000_000), Some(i64::MIN));
        assert_eq!(zoned("2262-04-11T23:47:16.854775808Z", 1_000_000_000), None);
    }

    #[test]
    fn what_has_no_zone_takes_none_but_utc() {
        assert_eq!((days("2024-02-03Z"), days("2024-02-03"), days("1969-12-31")), (Some(19756), Some(19756), Some(-1)));
        assert_eq!((days("2024-02-03+01:00"), days("2024-2-3"), days("+999999999-01-01")), (None, None, None));
        assert_eq!(days("-4712-02-03Z"), Some(-2_440_517));
        assert_eq!((time("04:05:06.7Z", 1000), time("23:59", 1), time("24:00", 1)), (Some(14_706_700), Some(86_340), None));
        assert_eq!(local("2024-02-03T04:05:06.0000007Z", 1_000_000_000), Some(1_706_933_106_000_000_700));
        assert_eq!((local("2024-02-03T04:05:06", 1), local("2024-02-03T04:05:06+00:00", 1)), (Some(1_706_933_106), None));
    }
}
