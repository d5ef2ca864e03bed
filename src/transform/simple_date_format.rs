//! Timestamps as `java.text.SimpleDateFormat` (JDK 17) writes and reads them in UTC, in English and with weeks from Sunday to Saturday.
//!
//! It reads leniently, as Java does: a month or an hour too many counts on, and what follows the text is let be. Of zones it knows
//! offsets, UTC, and the abbreviations that are met in North America and central Europe.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_file::java_text::date::{civil, day_of};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HALVES: [&str; 2] = ["AM", "PM"];
const ERAS: [&str; 2] = ["BC", "AD"];
/// What is understood of the names of time zones, with minutes from UTC.
const ZONES: [(&str, i64); 14] = [
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
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
/// The letters that have a meaning.
const LETTERS: &str = "GyYMLwWDdFEuaHkKhmsSzZX";
/// Those that are written but not read: weeks, and years of weeks.
const WEEKS: &str = "YwWF";

/// A pattern, ready to be used.
#[derive(Clone, Debug)]
pub(crate) struct SimpleDateFormat {
    pattern: String,
    tokens: Vec<Token>,
    /// Where the hundred years begin that years of two digits are in: eighty years ago.
    century: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

impl SimpleDateFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in Java's words.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let (year, month, of_month) = civil(now.div_euclid(DAY));
        let century = day_of(year - 80, month, of_month) * DAY + now.rem_euclid(DAY);
        let mut tokens = Vec::new();
        let (mut quoted, mut chars) = (false, pattern.chars().peekable());
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.next_if_eq(&'\'').is_some() {
                    tokens.push(Token::Literal('\''));
                } else {
                    quoted = !quoted;
                }
            } else if quoted || !c.is_ascii_alphabetic() {
                tokens.push(Token::Literal(c));
            } else if !LETTERS.contains(c) {
                return Err(format!("Illegal pattern character '{c}'"));
            } else {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if c == 'X' && count > 3 {
                    return Err(format!("invalid ISO 8601 format: length={count}"));
                }
                tokens.push(Token::Field(c, count));
            }
        }
        if quoted {
            return Err("Unterminated quote".to_owned());
        }
        Ok(Self { pattern: pattern.to_owned(), tokens, century })
    }

    /// Whether texts of the format can be read.
    ///
    /// # Errors
    /// A letter that can only be written here: those of weeks.
    pub(crate) fn readable(&self) -> Result<(), String> {
        let week = |token: &Token| match token {
            Token::Field(letter, _) if WEEKS.contains(*letter) => Some(*letter),
            _ => None,
        };
        match self.tokens.iter().find_map(week) {
            Some(letter) => Err(format!("a timestamp cannot be read by the pattern character '{letter}'")),
            None => Ok(()),
        }
    }

    /// The longest time in milliseconds, counted from the epoch, in which the text stays the same.
    pub(crate) fn period(&self) -> i64 {
        let of = |token: &Token| match token {
            Token::Field('S', _) => 1,
            Token::Field('s', _) => 1000,
            Token::Field('m', _) => MINUTE,
            Token::Field('k' | 'H' | 'a' | 'h' | 'K', _) => HOUR,
            _ => DAY,
        };
        self.tokens.iter().map(of).min().unwrap_or(DAY)
    }

    /// As it was given.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The text of `millis` since the epoch.
    pub(crate) fn format(&self, millis: i64) -> String {
        let mut out = String::new();
        self.write(millis, &mut out);
        out
    }

    /// Appends the text of `millis` since the epoch.
    pub(crate) fn write(&self, millis: i64, out: &mut String) {
        let (day, of_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        let (year, month, of_month) = civil(day);
        let of_era = if year > 0 { year } else { 1 - year };
        // The epoch was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        let hour = of_day / HOUR;
        for token in &self.tokens {
            let (letter, count) = match *token {
                Token::Literal(c) => {
                    out.push(c);
                    continue;
                }
                Token::Field(letter, count) => (letter, count),
            };
            let number = match letter {
                'G' => {
                    out.push_str(ERAS[usize::from(year > 0)]);
                    continue;
                }
                'y' if count == 2 => of_era % 100,
                'y' => of_era,
                'Y' => {
                    let year = week_of(day, year).0;
                    if count == 2 { year.rem_euclid(100) } else { year }
                }
                'w' => week_of(day, year).1,
                'W' => (of_month - 1 + (weekday + 2 - of_month).rem_euclid(7)) / 7 + 1,
                'F' => (of_month - 1) / 7 + 1,
                'M' | 'L' if count >= 3 => {
                    out.push_str(named(MONTHS[month], count));
                    continue;
                }
                'M' | 'L' => month as i64 + 1,
                'd' => of_month,
                'D' => day - day_of(year, 0, 1) + 1,
                'E' => {
                    out.push_str(named(WEEKDAYS[weekday as usize], count));
                    continue;
                }
                'u' => weekday + 1,
                'a' => {
                    out.push_str(HALVES[usize::from(hour >= 12)]);
                    continue;
                }
                'H' => hour,
                'k' => (hour + 23) % 24 + 1,
                'K' => hour % 12,
                'h' => (hour + 11) % 12 + 1,
                'm' => of_day / MINUTE % 60,
                's' => of_day / 1000 % 60,
                'S' => of_day % 1000,
                'z' => {
                    out.push_str(if count >= 4 { "Coordinated Universal Time" } else { "UTC" });
                    continue;
                }
                'Z' => {
                    out.push_str("+0000");
                    continue;
                }
                _ => {
                    out.push('Z');
                    continue;
                }
            };
            // A string takes everything.
            let _ = write!(out, "{number:0count$}");
        }
    }

    /// The milliseconds since the epoch of the timestamp that `text` begins with; None if it begins with none.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let mut reader = Reader { text, at: 0, fields: Fields::default() };
        for (n, token) in self.tokens.iter().enumerate() {
            match *token {
                Token::Literal(c) => {
                    reader.rest().starts_with(c).then_some(())?;
                    reader.at += c.len_utf8();
                }
                Token::Field(letter, count) => {
                    if WEEKS.contains(letter) {
                        return None;
                    }
                    // Digits that another number follows directly end where the pattern says.
                    let exact = match self.tokens.get(n + 1) {
                        Some(Token::Field('M' | 'L', count)) => *count <= 2,
                        Some(Token::Field(next, _)) => "ydDuHkKhmsS".contains(*next),
                        _ => false,
                    };
                    reader.field(letter, count, exact, self.century)?;
                }
            }
        }
        if reader.at == 0 {
            return None;
        }
        let millis = reader.fields.millis()?;
        // A year of two digits that is that of the century's first day may be the one at its end.
        if reader.fields.ambiguous && millis < self.century {
            reader.fields.year = reader.fields.year.map(|(year, stamp)| (year + 100, stamp));
            return reader.fields.millis();
        }
        Some(millis)
    }
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

/// A name as a pattern of `count` letters has it.
fn named(name: &str, count: usize) -> &str {
    if count >= 4 { name } else { &name[..3] }
}

/// What was read, each with its place in the order of reading: of fields that contradict each other the later counts.
#[derive(Debug, Default)]
struct Fields {
    read: usize,
    before_christ: bool,
    year: Option<(i64, usize)>,
    ambiguous: bool,
    month: Option<(i64, usize)>,
    of_month: Option<(i64, usize)>,
    of_year: Option<(i64, usize)>,
    weekday: Option<(i64, usize)>,
    hour_of_day: Option<(i64, usize)>,
    hour: Option<(i64, usize)>,
    half: Option<(i64, usize)>,
    minute: i64,
    second: i64,
    milli: i64,
    /// Milliseconds from UTC.
    zone: i64,
}

impl Fields {
    fn millis(&self) -> Option<i64> {
        let of = |field: Option<(i64, usize)>| field.map(|(value, _)| value);
        let stamp = |field: Option<(i64, usize)>| field.map_or(0, |(_, stamp)| stamp);
        let year = of(self.year).unwrap_or(1970);
        let year = if self.before_christ { 1 - year } else { year };
        let day = if stamp(self.of_year) > stamp(self.of_month) {
            day_of(year, 0, 1) + of(self.of_year)? - 1
        } else if self.of_month.is_none() && self.weekday.is_some() {
            return None; // Java looks for such a day in the first week
        } else {
            let month = of(self.month).unwrap_or(0);
            day_of(year + month.div_euclid(12), month.rem_euclid(12) as usize, of(self.of_month).unwrap_or(1))
        };
        let half_hour = if self.hour.is_some() && self.half.is_some() { stamp(self.hour).max(stamp(self.half)) } else { 0 };
        let hour = match self.hour_of_day {
            Some((hour, stamp)) if stamp > half_hour => hour,
            _ => of(self.hour).unwrap_or(0) + 12 * of(self.half).unwrap_or(0),
        };
        let of_day = hour * HOUR + self.minute * MINUTE + self.second * 1000 + self.milli;
        Some(day.wrapping_mul(DAY).wrapping_add(of_day - self.zone))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    fields: Fields,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn field(&mut self, letter: char, count: usize, exact: bool, century: i64) -> Option<()> {
        let begin = self.at;
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.at += blanks;
        if self.rest().is_empty() {
            return None;
        }
        self.fields.read += 1;
        let stamp = self.fields.read;
        match letter {
            'G' => self.fields.before_christ = self.name(begin, &ERAS, false)? == 0,
            'M' | 'L' if count >= 3 => self.fields.month = Some((self.name(begin, &MONTHS, true)?, stamp)),
            'E' => self.fields.weekday = Some((self.name(begin, &WEEKDAYS, true)?, stamp)),
            'a' => self.fields.half = Some((self.name(begin, &HALVES, false)?, stamp)),
            'z' | 'Z' => self.fields.zone = self.zone(begin)?,
            'X' => self.fields.zone = self.iso_zone(count)?,
            _ => {
                let digits = self.at;
                let value = self.number(if exact { Some(begin + count) } else { None })?;
                match letter {
                    'y' => {
                        let two = self.text[digits..self.at].bytes().all(|b| b.is_ascii_digit()) && self.at - digits == 2;
                        let value = if count <= 2 && two { self.in_century(value, century) } else { value };
                        self.fields.year = Some((value, stamp));
                    }
                    'M' | 'L' => self.fields.month = Some((value - 1, stamp)),
                    'd' => self.fields.of_month = Some((value, stamp)),
                    'D' => self.fields.of_year = Some((value, stamp)),
                    'u' => self.fields.weekday = Some((value, stamp)),
                    'H' => self.fields.hour_of_day = Some((value, stamp)),
                    'k' => self.fields.hour_of_day = Some((if value == 24 { 0 } else { value }, stamp)),
                    'K' => self.fields.hour = Some((value, stamp)),
                    'h' => self.fields.hour = Some((if value == 12 { 0 } else { value }, stamp)),
                    'm' => self.fields.minute = value,
                    's' => self.fields.second = value,
                    _ => self.fields.milli = value,
                }
            }
        }
        Some(())
    }

    fn in_century(&mut self, value: i64, century: i64) -> i64 {
        let (first, ..) = civil(century.div_euclid(DAY));
        self.fields.ambiguous = value == first % 100;
        value + first / 100 * 100 + if value < first % 100 { 100 } else { 0 }
    }

    /// A whole number, which ends before `end` if that is given.
    fn number(&mut self, end: Option<usize>) -> Option<i64> {
        let text = match end {
            Some(end) => self.text.get(self.at..end)?,
            None => self.rest(),
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return None;
        }
        self.at += text.len() - digits.len() + count;
        let value = digits[..count].parse::<i64>().unwrap_or(i64::MAX);
        // Java cuts a long to an int.
        Some(i64::from(if digits.len() < text.len() { -value } else { value } as i32))
    }

    /// The place of the longest name that the text has here; with their first three letters as names too if `short`. Java does not
    /// look behind blanks.
    fn name(&mut self, begin: usize, names: &[&str], short: bool) -> Option<i64> {
        let text = &self.text[begin..];
        let begins = |name: &str| text.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name));
        let full = names.iter().position(|name| begins(name)).map(|at| (at, names[at].len()));
        let (at, length) = full.or_else(|| names.iter().position(|name| short && begins(&name[..3])).map(|at| (at, 3)))?;
        self.at = begin + length;
        Some(at as i64)
    }

    /// A zone as `z` and `Z` read it.
    fn zone(&mut self, begin: usize) -> Option<i64> {
        if let Some(sign) = self.sign() {
            return self.offset(sign, 2, false);
        }
        let text = &self.text[begin..];
        if text.get(..3).is_some_and(|text| text.eq_ignore_ascii_case("GMT")) {
            self.at = begin + 3;
            return match self.sign() {
                Some(sign) => self.offset(sign, 0, true),
                None => Some(0),
            };
        }
        let text = self.rest();
        let begins = |name: &str| text.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name));
        let (name, minutes) = ZONES.iter().find(|(name, _)| begins(name))?;
        self.at += name.len();
        Some(minutes * MINUTE)
    }

    fn iso_zone(&mut self, count: usize) -> Option<i64> {
        if self.rest().starts_with('Z') {
            self.at += 1;
            return Some(0);
        }
        let sign = self.sign()?;
        self.offset(sign, count, count == 3)
    }

    fn sign(&mut self) -> Option<i64> {
        let sign = match self.rest().bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return None,
        };
        self.at += 1;
        Some(sign)
    }

    /// Hours of two digits, or of one before a colon if `count` is nought; and minutes unless it is one.
    fn offset(&mut self, sign: i64, count: usize, colon: bool) -> Option<i64> {
        let mut digit = || {
            let digit = self.text.as_bytes().get(self.at).filter(|b| b.is_ascii_digit())?;
            self.at += 1;
            Some(i64::from(digit - b'0'))
        };
        let mut hours = digit()?;
        match digit() {
            Some(second) => hours = hours * 10 + second,
            None if count > 0 || !colon => return None,
            None => {}
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                self.rest().starts_with(':').then_some(())?;
                self.at += 1;
            }
            let mut digit = || {
                let digit = self.text.as_bytes().get(self.at).filter(|b| b.is_ascii_digit())?;
                self.at += 1;
                Some(i64::from(digit - b'0'))
            };
            minutes = digit()? * 10 + digit()?;
        }
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(pattern: &str, millis: i64) -> String {
        SimpleDateFormat::new(pattern).expect("valid").format(millis)
    }

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
    fn what_is_written_is_read_again() {
        let patterns = [
            "yyyy-MM-dd'T'HH:mm:ss.SSSX",
            "yyyyMMddHHmmssSSS",
            "EEE, d MMM yyyy hh:mm:ss.SSS a Z",
            "G yyyy D k:m:s.S zzzz",
            "EEEE dd. MMMM yyyy 'um' KK''mm''ss''SSS a z",
        ];
        for pattern in patterns {
            let parse = SimpleDateFormat::new(pattern).expect("a pattern");
            for millis in [0, -1, 1_760_000_000_123, -62_135_769_600_001 + 400 * DAY, 951_827_696_789, -12_219_292_800_001] {
                let text = format(pattern, millis);
                assert_eq!(parse.parse(&text), Some(millis), "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn faults_are_javas() {
        let fault = |pattern| SimpleDateFormat::new(pattern).expect_err("refused");
        assert_eq!(fault("yyyy-bb"), "Illegal pattern character 'b'");
        assert_eq!(fault("'x"), "Unterminated quote");
        assert_eq!(fault("XXXX"), "invalid ISO 8601 format: length=4");
    }

    #[test]
    fn reading_is_lenient() {
        let parse = |pattern: &str, text: &str| SimpleDateFormat::new(pattern).expect("a pattern").parse(text);
        assert_eq!(parse("yyyy-MM-dd", "1970-13-01"), Some(365 * DAY));
        assert_eq!(parse("yyyy-MM-dd", "1970-01-02 and more"), Some(DAY));
        assert_eq!(parse("yyyy-MM-dd", "1970-01"), None);
        assert_eq!(parse("HH:mm", " 1: 1"), Some(HOUR + MINUTE));
        assert_eq!(parse("yyyy", ""), None);
        assert_eq!(parse("ss.SSS", "1.123456"), Some(1000 + 123_456));
        assert_eq!(parse("EEE yyyy", "Mon 1970"), None);
    }
}
