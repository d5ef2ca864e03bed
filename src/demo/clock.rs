//! The time of day as people and file names write it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in milliseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A moment in UTC. Prints as `2026-03-01T12:30:05.123Z`; the alternate form is that of a folder, `20260301-123005`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utc(pub(super) i64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = date(days);
        let (hour, minute, second, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        if f.alternate() {
            write!(f, "{year}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
        } else {
            write!(f, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
        }
    }
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // In years that begin in March the leap day is the last one, and months have 30.6 days on average.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        for (ms, text, folder) in [
            (0, "1970-01-01T00:00:00.000Z", "19700101-000000"),
            (1_709_208_000_123, "2024-02-29T12:00:00.123Z", "20240229-120000"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z", "20240229-235959"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "21000301-000000"),
            (-1, "1969-12-31T23:59:59.999Z", "19691231-235959"),
        ] {
            assert_eq!((Utc(ms).to_string(), format!("{:#}", Utc(ms))), (text.into(), folder.into()));
        }
    }
}
