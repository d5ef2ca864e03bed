//! Timestamps as `java.text.SimpleDateFormat` (JDK 17) writes and reads them in UTC, in English and with weeks from Sunday to Saturday.
//!
//! It reads leniently, as Java does: a month or an hour too many counts on, and what follows the text is let be. Of zones it knows
//! offsets, UTC, and the abbreviations that are met in North America and central Europe.

use std::io::Write as _;

use landfall_file::java_text::date::{civil, day_of};

const DAY: i64 = 86_400_000;
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A format.
#[derive(Clone, Debug)]
pub(crate) struct SimpleDateFormat {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

impl SimpleDateFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in Java's words.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let text = |pieces: &mut Vec<Piece>, c: char| match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            _ => pieces.push(Piece::Text(c.to_string())),
        };
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' if rest.next_if_eq(&'\'').is_some() => text(&mut pieces, '\''),
                '\'' => loop {
                    match rest.next().ok_or("Unterminated quote")? {
                        '\'' if rest.next_if_eq(&'\'').is_some() => text(&mut pieces, '\''),
                        '\'' => break,
                        c => text(&mut pieces, c),
                    }
                },
                c if c.is_ascii_alphabetic() => {
                    if !"GyMdkHmsSEDFwWahKzZYuXL".contains(c) {
                        return Err(format!("Illegal pattern character '{c}'"));
                    }
                    let mut count = 1;
                    while rest.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if c == 'X' && count > 3 {
                        return Err(format!("invalid ISO 8601 format: length={count}"));
                    }
                    pieces.push(Piece::Field(c, count));
                }
                c => text(&mut pieces, c),
            }
        }
        Ok(Self { pieces })
    }

    /// The longest time in milliseconds, counted from the epoch, in which the text stays the same.
    pub(crate) fn period(&self) -> i64 {
        let of = |piece: &Piece| match piece {
            Piece::Field('S', _) => 1,
            Piece::Field('s', _) => 1000,
            Piece::Field('m', _) => 60_000,
            Piece::Field('k' | 'H' | 'a' | 'h' | 'K', _) => 3_600_000,
            _ => DAY,
        };
        self.pieces.iter().map(of).min().unwrap_or(DAY)
    }

    /// The text of `millis` since the epoch.
    pub(crate) fn format(&self, millis: i64) -> String {
        let (day, of_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        let (year, month, of_month) = civil(day);
        let era_year = if year > 0 { year } else { 1 - year };
        let weekday = (day + 4).rem_euclid(7); // from Sunday
        let first = day_of(year, 0, 1);
        let hour = of_day / 3_600_000;
        let mut out = Vec::new();
        for piece in &self.pieces {
            let (letter, count) = match piece {
                Piece::Text(text) => {
                    out.extend_from_slice(text.as_bytes());
                    continue;
                }
                Piece::Field(letter, count) => (*letter, *count),
            };
            let text = |long: &str| if count >= 4 { long.to_owned() } else { long.chars().take(3).collect() };
            let number = match letter {
                'G' => Err(if year > 0 { "AD" } else { "BC" }.to_owned()),
                'y' if count == 2 => Ok(era_year % 100),
                'y' => Ok(era_year),
                'Y' => {
                    let year = week_of(day, year).0;
                    Ok(if count == 2 { year.rem_euclid(100) } else { year })
                }
                'M' | 'L' if count > 2 => Err(text(MONTHS[month])),
                'M' | 'L' => Ok(month as i64 + 1),
                'd' => Ok(of_month),
                'k' => Ok(if hour == 0 { 24 } else { hour }),
                'H' => Ok(hour),
                'm' => Ok(of_day / 60_000 % 60),
                's' => Ok(of_day / 1000 % 60),
                'S' => Ok(of_day % 1000),
                'E' => Err(text(WEEKDAYS[weekday as usize])),
                'u' => Ok(if weekday == 0 { 7 } else { weekday }),
                'D' => Ok(day - first + 1),
                'F' => Ok((of_month - 1) / 7 + 1),
                'w' => Ok(week_of(day, year).1),
                'W' => Ok((of_month - 1 + (weekday - of_month + 1).rem_euclid(7)) / 7 + 1),
                'a' => Err(if hour < 12 { "AM" } else { "PM" }.to_owned()),
                'h' => Ok(if hour % 12 == 0 { 12 } else { hour % 12 }),
                'K' => Ok(hour % 12),
                'z' if count >= 4 => Err("Coordinated Universal Time".to_owned()),
                'z' => Err("UTC".to_owned()),
                'Z' => Err("+0000".to_owned()),
                _ => Err("Z".to_owned()),
            };
            match number {
                // A vector takes everything.
                Ok(number) => drop(write!(out, "{number:0count$}")),
                Err(text) => out.extend_from_slice(text.as_bytes()),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// What was read so far.
#[derive(Debug)]
struct Read {
    before_christ: bool,
    year: i64,
    month: i64,
    of_month: i64,
    of_year: Option<i64>,
    hour: i64,
    /// An hour of half a day, and whether it is after noon.
    half: (Option<i64>, bool),
    minute: i64,
    second: i64,
    milli: i64,
    /// Minutes that the zone is before UTC.
    zone: i64,
}

impl SimpleDateFormat {
    /// Whether texts of the format can be read.
    ///
    /// # Errors
    /// A letter that can only be written here: those of weeks.
    pub(crate) fn readable(&self) -> Result<(), String> {
        let week = |piece: &Piece| match piece {
            Piece::Field(letter @ ('Y' | 'w' | 'W' | 'F'), _) => Some(*letter),
            _ => None,
        };
        match self.pieces.iter().find_map(week) {
            Some(letter) => Err(format!("a timestamp cannot be read by the pattern character '{letter}'")),
            None => Ok(()),
        }
    }

    /// The milliseconds since the epoch of the timestamp that `text` begins with; None if it begins with none.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let mut read = Read {
            before_christ: false,
            year: 1970,
            month: 0,
            of_month: 1,
            of_year: None,
            hour: 0,
            half: (None, false),
            minute: 0,
            second: 0,
            milli: 0,
            zone: 0,
        };
        let mut rest = text;
        for (n, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Field(letter, count) => {
                    // A number right before another has as many digits as letters.
                    let abuts = self.pieces.get(n + 1).is_some_and(Piece::is_number);
                    rest = read.field(*letter, *count, abuts, rest.trim_start_matches([' ', '\t']))?;
                }
            }
        }
        read.millis()
    }
}

impl Piece {
    const fn is_number(&self) -> bool {
        match self {
            Self::Field('M' | 'L', count) => *count < 3,
            Self::Field(letter, _) => !matches!(letter, 'G' | 'E' | 'a' | 'z' | 'Z' | 'X'),
            Self::Text(_) => false,
        }
    }
}

impl Read {
    /// Reads one field; what follows it.
    fn field<'t>(&mut self, letter: char, count: usize, abuts: bool, text: &'t str) -> Option<&'t str> {
        match letter {
            'G' => {
                let (era, rest) = named(text, &["BC", "AD"], 2)?;
                self.before_christ = era == 0;
                return Some(rest);
            }
            'M' | 'L' if count >= 3 => {
                let (month, rest) = named(text, &MONTHS, 3)?;
                self.month = month as i64;
                return Some(rest);
            }
            'E' => return named(text, &WEEKDAYS, 3).map(|(_, rest)| rest),
            'a' => {
                let (half, rest) = named(text, &["AM", "PM"], 2)?;
                self.half.1 = half == 1;
                return Some(rest);
            }
            'z' | 'Z' | 'X' => {
                let (zone, rest) = if letter == 'X' { iso_zone(text, count)? } else { zone(text)? };
                self.zone = zone;
                return Some(rest);
            }
            _ => {}
        }
        let (number, digits, rest) = number(text, if abuts { count } else { usize::MAX })?;
        match letter {
            'y' if count <= 2 && digits == 2 => self.year = of_century(number),
            'y' => self.year = number,
            'M' | 'L' => self.month = number - 1,
            'd' => self.of_month = number,
            'D' => self.of_year = Some(number),
            'H' => self.hour = number,
            'k' => self.hour = if number == 24 { 0 } else { number },
            'K' => self.half.0 = Some(number),
            'h' => self.half.0 = Some(if number == 12 { 0 } else { number }),
            'm' => self.minute = number,
            's' => self.second = number,
            'S' => self.milli = number,
            'u' => {}
            _ => return None,
        }
        Some(rest)
    }

    fn millis(&self) -> Option<i64> {
        let year = if self.before_christ { 1 - self.year } else { self.year };
        let day = match self.of_year {
            Some(of_year) => day_of(year, 0, 1) + of_year - 1,
            None => {
                let months = year.checked_mul(12)?.checked_add(self.month)?;
                day_of(months.div_euclid(12), months.rem_euclid(12) as usize, 1).checked_add(self.of_month - 1)?
            }
        };
        let hour = match self.half {
            (Some(hour), after_noon) => hour + if after_noon { 12 } else { 0 },
            (None, _) => self.hour,
        };
        let minutes = day.checked_mul(1440)?.checked_add(hour.checked_mul(60)?)?.checked_add(self.minute)? - self.zone;
        minutes.checked_mul(60)?.checked_add(self.second)?.checked_mul(1000)?.checked_add(self.milli)
    }
}

/// A number of at most `most` digits, how many it has, and what follows it.
fn number(text: &str, most: usize) -> Option<(i64, usize, &str)> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let count = digits.bytes().take_while(u8::is_ascii_digit).count().min(most);
    let number: i64 = digits[..count].parse().ok().filter(|number| *number < 1 << 40)?;
    Some((sign * number, count, &digits[count..]))
}

/// The one of `names` that the text begins with, in full or by its first `short` letters, in any case.
fn named<'t>(text: &'t str, names: &[&str], short: usize) -> Option<(usize, &'t str)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    let full = names.iter().position(|name| begins(name)).map(|at| (at, names[at].len()));
    let (at, len) = full.or_else(|| names.iter().position(|name| begins(&name[..short])).map(|at| (at, short)))?;
    Some((at, &text[len..]))
}

/// The year of two digits that is nearest: at most 80 years ago, or 20 ahead.
fn of_century(two: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let first = civil((now / 86_400) as i64).0 - 80;
    first + (two - first).rem_euclid(100)
}

/// The minutes that a zone is before UTC, and what follows it.
fn zone(text: &str) -> Option<(i64, &str)> {
    const KNOWN: &[(&str, i64)] = &[
        ("UTC", 0),
        ("UT", 0),
        ("CEST", 120),
        ("CET", 60),
        ("EST", -300),
        ("EDT", -240),
        ("CST", -360),
        ("CDT", -300),
        ("MST", -420),
        ("MDT", -360),
        ("PST", -480),
        ("PDT", -420),
    ];
    let offset = |text| offset(text, true, ":").or_else(|| offset(text, true, "")).or_else(|| offset(text, false, ""));
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(offset(rest).unwrap_or((0, rest)));
    }
    let named = || KNOWN.iter().find_map(|(name, minutes)| Some((*minutes, text.strip_prefix(name)?)));
    offset(text).or_else(named)
}

/// The same in ISO 8601: `Z`, or an offset as long as `count` letters say.
fn iso_zone(text: &str, count: usize) -> Option<(i64, &str)> {
    let offset = || offset(text, count > 1, if count == 3 { ":" } else { "" });
    text.strip_prefix('Z').map(|rest| (0, rest)).or_else(offset)
}

/// The minutes of a sign, an hour, and maybe `colon` and a minute; and what follows them.
fn offset<'t>(text: &'t str, minutes: bool, colon: &str) -> Option<(i64, &'t str)> {
    let sign = if text.starts_with('+') { 1 } else { -1 };
    let (hours, _, rest) = number(text.strip_prefix(['+', '-'])?, 2).filter(|(hours, ..)| *hours >= 0)?;
    if !minutes {
        return Some((sign * hours * 60, rest));
    }
    let (minutes, _, rest) = number(rest.strip_prefix(colon)?, 2).filter(|(minutes, digits, _)| *minutes >= 0 && *digits == 2)?;
    Some((sign * (hours * 60 + minutes), rest))
}

/// The year that the week of a day belongs to, and the week's number in it: the first is the one with 1 January.
fn week_of(day: i64, year: i64) -> (i64, i64) {
    let sunday = |day: i64| day - (day + 4).rem_euclid(7);
    let next = sunday(day_of(year + 1, 0, 1));
    if day >= next {
        return (year + 1, 1);
    }
    (year, (sunday(day) - sunday(day_of(year, 0, 1))) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_as_java_writes_them() {
        let cases = [
            ("yyyyMMdd", 1_760_000_000_123, "20251009"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", 1_760_000_000_123, "2025-10-09T08:53:20.123Z"),
            ("yy/M/d", 0, "70/1/1"),
            ("y yyy yyyyy", 0, "1970 1970 01970"),
            ("MMM MMMM LLL EEE EEEE", 1_582_934_400_000, "Feb February Feb Sat Saturday"),
            ("h:mm a, K k H hh", 0, "12:00 AM, 0 24 0 12"),
            ("h:mm a, K k H", 46_800_000, "1:00 PM, 1 13 13"),
            ("S SSSSSS", 5, "5 000005"),
            ("D DDD u F", 1_582_934_400_000, "60 060 6 5"),
            ("w W Y", 1_609_372_800_000, "1 5 2021"),
            ("w W Y", 1_609_459_200_000, "1 1 2021"),
            ("w W YY", 1_582_934_400_000, "9 5 20"),
            ("z Z X XX XXX zzzz", 0, "UTC +0000 Z Z Z Coordinated Universal Time"),
            ("G", 0, "AD"),
            ("''yyyy'' 'o''clock'", 0, "'1970' o'clock"),
            ("yyyy-MM-dd", -1, "1969-12-31"),
        ];
        for (pattern, millis, expected) in cases {
            assert_eq!(SimpleDateFormat::new(pattern).expect("valid").format(millis), expected, "{pattern}");
        }
    }

    #[test]
    fn timestamps_are_read_as_java_reads_them() {
        let day = 86_400_000;
        let cases = [
            ("yyyyMMdd", "19700103", Some(2 * day)),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2025-10-09T08:53:20.123Z", Some(1_760_000_000_123)),
            ("yyyy-MM-dd", "1970-1-2 and more", Some(day)),
            ("yyyy-MM-dd", "1970-13-01", Some(365 * day)),
            ("yyyy-MM-dd", "1970/01/01", None),
            ("yyyy-MM-dd", "", None),
            ("EEE MMM dd HH:mm:ss zzz yyyy", "Thu Oct 09 08:53:20 UTC 2025", Some(1_760_000_000_000)),
            ("d MMMM yyyy", "1 january 1970", Some(0)),
            ("yyyy-MM-dd HH:mm Z", "1970-01-01 02:00 +0200", Some(0)),
            ("yyyy-MM-dd HH:mm XXX", "1970-01-01 00:00 -01:30", Some(5_400_000)),
            ("h:mm a", "1:30 PM", Some(48_600_000)),
            ("hh a", "12 AM", Some(0)),
            ("kk", "24", Some(0)),
            ("yyyy D", "1970 32", Some(31 * day)),
            ("HHmmss", "010203", Some(3_723_000)),
            ("s.S", "1.5", Some(1005)),
            ("yyyy-MM-dd HH:mm", "1970-01-01   25:61", Some(25 * 3_600_000 + 61 * 60_000)),
            ("yy-MM-dd", "70-01-02", Some(day)),
            ("yy-MM-dd", "1970-01-02", Some(day)),
            ("yyyy MMM", "1970 Febr", Some(31 * day)),
            ("yyyyMMdd", "1970010", Some(-day)),
            ("X", "-0130", Some(3_600_000)),
            ("XXX", "+0130", None),
            ("z", "PST", Some(28_800_000)),
            ("z", "GMT+1:00", Some(-3_600_000)),
            ("Z", "Z", None),
            ("a h", "pm 3", Some(54_000_000)),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(SimpleDateFormat::new(pattern).expect("valid").parse(text), expected, "{pattern} {text}");
        }
        assert!(SimpleDateFormat::new("YYYY ww").expect("valid").readable().is_err());
    }

    #[test]
    fn faults_are_javas() {
        let fault = |pattern| SimpleDateFormat::new(pattern).expect_err("refused");
        assert_eq!(fault("yyyy-bb"), "Illegal pattern character 'b'");
        assert_eq!(fault("'x"), "Unterminated quote");
        assert_eq!(fault("XXXX"), "invalid ISO 8601 format: length=4");
    }
}
