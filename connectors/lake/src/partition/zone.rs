//! Time zones by the ids that Joda-Time (2.13) has for them (`org.joda.time.DateTimeZone.forID`).

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// The time zones of the IANA, as they come with the program: the machine's own are not asked.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Joda's names of zones that are called otherwise: the id, a tab, and what it prints.
const ALIASES: &str = include_str!("zone_aliases.tsv");

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// Milliseconds of 400 years, after which the calendar and the rules of zones begin anew.
const CYCLE: i64 = 146_097 * 24 * HOUR;

/// A time zone.
#[derive(Clone)]
pub struct Zone {
    id: String,
    rule: Rule,
}

#[derive(Clone)]
enum Rule {
    /// Always so many milliseconds from UTC.
    Fixed(i64),
    Iana(TimeZone),
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.id)
    }
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { id: "UTC".to_owned(), rule: Rule::Fixed(0) }
    }

    /// The zone, for schedules.
    #[must_use]
    pub fn time_zone(&self) -> TimeZone {
        match &self.rule {
            Rule::Fixed(millis) => Offset::from_seconds((millis / 1000) as i32).map_or(TimeZone::UTC, TimeZone::fixed),
            Rule::Iana(zone) => zone.clone(),
        }
    }

    /// The zone that Joda knows by `id`: an IANA name in its own case, `UTC`, `UT`, `GMT`, `Z`, or an offset from UTC such as
    /// `+02:00`, also behind the first three of these.
    ///
    /// # Errors
    /// There is none, in Joda's words.
    pub fn joda(id: &str) -> Result<Self, String> {
        if id == "UTC" {
            return Ok(Self::utc());
        }
        if let Ok(zone) = DATABASE.get(id)
            && zone.iana_name() == Some(id)
        {
            let alias = ALIASES.lines().find_map(|line| line.strip_prefix(id)?.strip_prefix('\t'));
            return Ok(Self { id: alias.unwrap_or(id).to_owned(), rule: Rule::Iana(zone) });
        }
        let unknown = || format!("The datetime zone id '{id}' is not recognised");
        if ["UT", "GMT", "Z"].contains(&id) {
            return Ok(Self::utc());
        }
        let after = |name| id.strip_prefix(name).filter(|rest| rest.starts_with(['+', '-']));
        let offset = after("UTC").or_else(|| after("GMT")).or_else(|| after("UT")).or_else(|| after(""));
        match offset.and_then(offset_of).ok_or_else(unknown)? {
            0 => Ok(Self::utc()),
            offset => Ok(Self { id: id_of(offset), rule: Rule::Fixed(offset) }),
        }
    }

    /// Its id, as Joda prints it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is UTC or an offset from it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        matches!(self.rule, Rule::Fixed(_))
    }

    /// How far local time is ahead of UTC at `millis` since the epoch, in milliseconds.
    #[must_use]
    pub fn offset(&self, millis: i64) -> i64 {
        match &self.rule {
            Rule::Fixed(offset) => *offset,
            Rule::Iana(zone) => i64::from(zone.to_offset(known(millis).0).seconds()) * 1000,
        }
    }

    /// The offsets of many times, which is fast where neighbours are close.
    #[must_use]
    pub fn offsets(&self) -> Offsets<'_> {
        Offsets { zone: self, offset: 0, from: 0, until: 0 }
    }

    /// The time since the epoch at which it is `local` here, both in milliseconds: the earlier one where there are two, and where
    /// clocks skip it, as much later as they are put forward (`DateTimeZone.convertLocalToUTC`, not strict).
    #[must_use]
    pub fn to_utc(&self, local: i64) -> i64 {
        let before = self.offset(local);
        let mut offset = self.offset(local.saturating_sub(before));
        if offset != before && before < 0 {
            let next = self.next_transition(local.saturating_sub(before));
            if next != self.next_transition(local.saturating_sub(offset)) {
                offset = before;
            }
        }
        local.saturating_sub(offset)
    }

    /// The time after `millis` when the offset changes next; None if it never does.
    fn next_transition(&self, millis: i64) -> Option<i64> {
        let Rule::Iana(zone) = &self.rule else { return None };
        let (at, shift) = known(millis);
        zone.following(at).next().map(|next| next.timestamp().as_millisecond().saturating_add(shift))
    }
}

/// The same time, or one at which zones have the same rules, and how far it is from it in milliseconds: jiff knows the years from
/// -9999 to 9999.
fn known(millis: i64) -> (Timestamp, i64) {
    const FIRST: i64 = -CYCLE * 25;
    const LAST: i64 = CYCLE * 19;
    let within = match millis {
        ..FIRST => FIRST,
        LAST.. => LAST - CYCLE + (millis - LAST).rem_euclid(CYCLE),
        _ => millis,
    };
    (Timestamp::from_millisecond(within).unwrap_or_default(), millis.saturating_sub(within))
}

/// The offsets of a zone, with the time between two transitions that the last one was in.
#[derive(Debug)]
pub struct Offsets<'a> {
    zone: &'a Zone,
    offset: i64,
    from: i64,
    until: i64,
}

impl Offsets<'_> {
    /// What [`Zone::offset`] says.
    pub fn at(&mut self, millis: i64) -> i64 {
        let Rule::Iana(zone) = &self.zone.rule else { return self.zone.offset(millis) };
        if !(self.from..self.until).contains(&millis) {
            let (at, shift) = known(millis);
            let millis = |at: Timestamp| at.as_millisecond().saturating_add(shift);
            let after = Timestamp::from_millisecond(at.as_millisecond() + 1).unwrap_or(at);
            self.from = zone.preceding(after).next().map_or(i64::MIN, |before| millis(before.timestamp()));
            self.until = zone.following(at).next().map_or(i64::MAX, |next| millis(next.timestamp()));
            self.offset = i64::from(zone.to_offset(at).seconds()) * 1000;
            if shift != 0 {
                // not beyond the cycle that stands for the others
                (self.from, self.until) = (0, 0);
            }
        }
        self.offset
    }
}

/// The milliseconds of `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss` or `+hh:mm:ss.SSS`, each with either sign.
pub(super) fn offset_of(text: &str) -> Option<i64> {
    let (sign, text) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let colons = text.contains(':');
    let mut rest = text;
    let mut part = |separator: &str, most: i64| -> Option<i64> {
        if rest.is_empty() {
            return Some(0);
        }
        let (digits, after) = rest.strip_prefix(separator)?.split_at_checked(2)?;
        rest = after;
        two_digits(digits).filter(|n| *n <= most)
    };
    let separator = if colons { ":" } else { "" };
    let hours = (!text.is_empty()).then(|| part("", 23))??;
    let (minutes, seconds) = (part(separator, 59)?, part(separator, 59)?);
    let fraction = match rest.strip_prefix(['.', ',']).or(if colons { None } else { Some(rest) }) {
        _ if rest.is_empty() => 0,
        Some(digits) if (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}").parse().ok()?
        }
        _ => return None,
    };
    Some(sign * (hours * HOUR + minutes * MINUTE + seconds * 1000 + fraction))
}

fn two_digits(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The id of an offset: `+hh:mm`, with seconds and milliseconds where it has some.
fn id_of(offset: i64) -> String {
    let (sign, ms) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let mut id = format!("{sign}{:02}:{:02}", ms / HOUR, ms / MINUTE % 60);
    if ms % MINUTE != 0 {
        id += &format!(":{:02}", ms / 1000 % 60);
        if ms % 1000 != 0 {
            id += &format!(".{:03}", ms % 1000);
        }
    }
    id
}
