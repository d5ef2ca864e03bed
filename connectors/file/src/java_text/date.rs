//! Dates as Java prints them (`java.util.Date.toString`, and `Values.dateFormatFor` for headers), in UTC.

use std::io::Write as _;

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;
/// The day of 15 October 1582, before which Java counts by the Julian calendar.
const GREGORIAN: i64 = -141_427;

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends the date and time of `millis` since the epoch.
pub(super) fn date(millis: i64, out: &mut Vec<u8>) {
    let (day, second) = (millis.div_euclid(DAY), millis.rem_euclid(DAY) / 1000);
    let (year, month, of_month) = civil(day);
    // The year before 1 is the first one before Christ; the era is not shown.
    let year = if year > 0 { year } else { 1 - year };
    // A vector takes everything.
    let _ = write!(
        out,
        "{} {} {of_month:02} {:02}:{:02}:{:02} UTC {year}",
        WEEKDAYS[day.rem_euclid(7) as usize],
        MONTHS[month],
        second / 3600,
        second / 60 % 60,
        second % 60,
    );
}

/// Appends `millis` since the epoch as a header has it: what is before the second day is a time, what is at midnight a date.
pub fn iso(millis: i64, out: &mut Vec<u8>) {
    let (day, of_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let timed = millis < DAY || of_day != 0;
    // A vector takes everything.
    if millis >= DAY {
        let (year, month, of_month) = civil(day);
        let _ = write!(out, "{year:04}-{:02}-{of_month:02}", month + 1);
        out.extend_from_slice(if timed { b"T" } else { b"" });
    }
    if timed {
        let second = of_day / 1000;
        let _ = write!(out, "{:02}:{:02}:{:02}.{:03}Z", second / 3600, second / 60 % 60, second % 60, of_day % 1000);
    }
}

/// Year, month from 0 and day of the month of a day since the epoch. The year before 1 is 0.
pub fn civil(day: i64) -> (i64, usize, i64) {
    // Years begin in March here, so that a leap day is the last.
    const CENTURIES: i64 = 146_097; // days of four
    const YEARS: i64 = 1461; // days of four
    let (year, of_year) = if day >= GREGORIAN {
        let day = day + 719_468; // since 1 March 0
        let (cycle, day) = (day.div_euclid(CENTURIES), day.rem_euclid(CENTURIES));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        (cycle * 400 + year, day - (365 * year + year / 4 - year / 100))
    } else {
        let day = day + 719_470; // since 1 March 0 of the Julian calendar
        let (cycle, day) = (day.div_euclid(YEARS), day.rem_euclid(YEARS));
        let year = (day - day / 1460) / 365;
        (cycle * 4 + year, day - 365 * year)
    };
    let month = (5 * of_year + 2) / 153; // from March
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    (year + i64::from(january), (month as usize + 2) % 12, of_month)
}

/// The day since the epoch of a year, a month from 0 and a day of the month; the Julian calendar's before 15 October 1582.
pub fn day_of(year: i64, month: usize, of_month: i64) -> i64 {
    let (year, month) = if month < 2 { (year - 1, month as i64 + 10) } else { (year, month as i64 - 2) };
    let days = 365 * year + year.div_euclid(4) + (153 * month + 2) / 5 + of_month - 1;
    let gregorian = days - year.div_euclid(100) + year.div_euclid(400) - 719_468;
    if gregorian >= GREGORIAN { gregorian } else { days - 719_470 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_round() {
        for day in (-800_000..800_000).step_by(97).chain(GREGORIAN - 3..GREGORIAN + 3).chain(-1..800) {
            let (year, month, of_month) = civil(day);
            assert_eq!(day_of(year, month, of_month), day);
        }
    }

    #[test]
    fn headers_have_iso_dates() {
        let cases = [
            (0, "00:00:00.000Z"),
            (86_399_999, "23:59:59.999Z"),
            (86_400_000, "1970-01-02"),
            (-1, "23:59:59.999Z"),
            (1_582_934_400_000, "2020-02-29"),
            (1_760_000_000_123, "2025-10-09T08:53:20.123Z"),
            (253_402_300_800_001, "10000-01-01T00:00:00.001Z"),
        ];
        for (millis, expected) in cases {
            let mut out = Vec::new();
            iso(millis, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{millis}");
        }
    }

    #[test]
    fn dates_are_javas() {
        let cases = [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (1_582_934_399_999, "Fri Feb 28 23:59:59 UTC 2020"),
            (1_582_934_400_000, "Sat Feb 29 00:00:00 UTC 2020"),
            (1_760_000_000_123, "Thu Oct 09 08:53:20 UTC 2025"),
            (GREGORIAN * DAY, "Fri Oct 15 00:00:00 UTC 1582"),
            (GREGORIAN * DAY - 1, "Thu Oct 04 23:59:59 UTC 1582"),
            (253_402_300_800_000, "Sat Jan 01 00:00:00 UTC 10000"),
            (-62_135_769_600_000, "Sat Jan 01 00:00:00 UTC 1"),
            (-62_135_769_600_001, "Fri Dec 31 23:59:59 UTC 1"),
            (-11_644_473_600_000, "Mon Jan 01 00:00:00 UTC 1601"),
        ];
        for (millis, expected) in cases {
            let mut out = Vec::new();
            date(millis, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{millis}");
        }
    }
}
