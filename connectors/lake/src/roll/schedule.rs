//! The times of `rotate.schedule.interval.ms`: every so often from midnight on in a time zone (`DateTimeUtils`, kafka-connect-storage-common
//! 12.0).

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Times of the clock at which files end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    every: i64,
    zone: TimeZone,
}

impl Schedule {
    /// Every `every` milliseconds, at least 1, from the beginning of each day in `zone` on; and at its end.
    #[must_use]
    pub fn new(every: i64, zone: TimeZone) -> Self {
        Self { every: every.max(1), zone }
    }

    /// The first time after `now`, both in milliseconds since the epoch. Days are as long as they are where clocks are changed: time
    /// goes on in even steps from the beginning of the day, and the next day begins in time.
    #[must_use]
    pub fn next(&self, now: i64) -> i64 {
        let day = || {
            let begin = Timestamp::from_millisecond(now).ok()?.to_zoned(self.zone.clone()).start_of_day().ok()?;
            // As Joda's `plusDays`: the same time of the next day, also where that one begins later than at midnight.
            let end = begin.checked_add(Span::new().days(1)).ok()?;
            Some((begin.timestamp().as_millisecond(), end.timestamp().as_millisecond()))
        };
        let Some((begin, end)) = day() else { return now.saturating_add(self.every) };
        let steps = (now - begin) / self.every + 1;
        end.min(begin.saturating_add(steps.saturating_mul(self.every)))
    }
}

/// The next time of a schedule that is waited for; never, where there is no schedule.
#[derive(Clone, Debug, Default)]
pub struct Alarm {
    schedule: Option<Schedule>,
    next: i64,
}

impl Alarm {
    /// Set for the first time of `schedule` after `now`.
    #[must_use]
    pub fn new(schedule: Option<Schedule>, now: i64) -> Self {
        let mut alarm = Self { schedule, next: 0 };
        alarm.set(now);
        alarm
    }

    /// Sets it for the first time after `now`.
    pub fn set(&mut self, now: i64) {
        if let Some(schedule) = &self.schedule {
            self.next = schedule.next(now);
        }
    }

    /// Whether its time has come. It stays so until it is set again.
    #[must_use]
    pub fn rings(&self, now: i64) -> bool {
        self.schedule.is_some() && now >= self.next
    }

    /// Whether its time has come; it is then set again. For files that end apart: all of a task's end then.
    pub fn due(&mut self, now: i64) -> bool {
        let due = self.rings(now);
        if due {
            self.set(now);
        }
        due
    }

    /// The time that it waits for, in milliseconds since the epoch.
    #[must_use]
    pub fn at(&self) -> Option<i64> {
        self.schedule.as_ref().map(|_| self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    const HOUR: i64 = 3_600_000;

    /// The cases of `DateTimeUtilsTest` and their like, worked out by hand from `DateTimeUtils.getNextTimeAdjustedByDay`.
    #[test]
    fn the_next_time_is_a_step_from_the_beginning_of_the_day_or_its_end() {
        for (zone, every, now, next) in [
            ("UTC", HOUR, "2024-05-05T00:00:00Z", "2024-05-05T01:00:00Z"),
            ("UTC", HOUR, "2024-05-04T23:59:59Z", "2024-05-05T00:00:00Z"),
            ("UTC", HOUR, "2024-05-05T00:59:59.999Z", "2024-05-05T01:00:00Z"),
            ("UTC", 7 * HOUR, "2024-05-05T00:00:01Z", "2024-05-05T07:00:00Z"),
            ("UTC", 7 * HOUR, "2024-05-05T20:59:59Z", "2024-05-05T21:00:00Z"),
            ("UTC", 7 * HOUR, "2024-05-05T21:00:00Z", "2024-05-06T00:00:00Z"),
            ("UTC", 1000 * HOUR, "2024-05-05T12:00:00Z", "2024-05-06T00:00:00Z"),
            ("UTC", i64::MAX, "2024-05-05T12:00:00Z", "2024-05-06T00:00:00Z"),
            ("UTC", 1, "1969-12-31T23:59:59.998Z", "1969-12-31T23:59:59.999Z"),
            ("Asia/Kolkata", 6 * HOUR, "2024-05-05T18:00:00Z", "2024-05-05T18:30:00Z"),
            // A day of 25 hours: its last hour is one of its own.
            ("America/Los_Angeles", HOUR, "2019-11-04T06:00:00Z", "2019-11-04T07:00:00Z"),
            ("America/Los_Angeles", HOUR, "2019-11-04T07:00:00Z", "2019-11-04T08:00:00Z"),
            ("America/Los_Angeles", 24 * HOUR, "2019-11-03T07:00:00Z", "2019-11-04T07:00:00Z"),
            ("America/Los_Angeles", 24 * HOUR, "2019-11-04T07:00:00Z", "2019-11-04T08:00:00Z"),
            // One of 23: steps of 12 hours are at noon by the old clock, and the day ends in the second one.
            ("Europe/Berlin", 12 * HOUR, "2024-03-31T05:00:00Z", "2024-03-31T11:00:00Z"),
            ("Europe/Berlin", 12 * HOUR, "2024-03-31T11:00:00Z", "2024-03-31T22:00:00Z"),
            // One that begins at one o'clock, as midnight is left out.
            ("America/Sao_Paulo", 24 * HOUR, "2018-11-04T12:00:00Z", "2018-11-05T03:00:00Z"),
            ("America/Sao_Paulo", 6 * HOUR, "2018-11-04T12:00:00Z", "2018-11-04T15:00:00Z"),
        ] {
            let schedule = Schedule::new(every, TimeZone::get(zone).expect("a zone"));
            let found = Timestamp::from_millisecond(schedule.next(at(now))).expect("a time");
            assert_eq!(found, next.parse().expect("a time"), "{zone} every {every} after {now}");
        }
    }

    #[test]
    fn an_alarm_rings_until_it_is_set() {
        let mut alarm = Alarm::new(Some(Schedule::new(1000, TimeZone::UTC)), 500);
        assert_eq!((alarm.at(), alarm.rings(999), alarm.rings(1000), alarm.rings(5000)), (Some(1000), false, true, true));
        assert!(alarm.due(5500) && !alarm.due(5999) && alarm.due(6000));
        let mut never = Alarm::new(None, 0);
        assert!(!never.rings(i64::MAX) && !never.due(i64::MAX) && never.at().is_none());
    }

    #[test]
    fn times_out_of_the_calendar_are_taken() {
        let schedule = Schedule::new(1000, TimeZone::UTC);
        assert_eq!((schedule.next(i64::MAX), schedule.next(i64::MIN)), (i64::MAX, i64::MIN + 1000));
    }
}
