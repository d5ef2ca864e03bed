//! Patterns of dates as Java's `SimpleDateFormat` (JDK 17) writes and leniently reads them, in UTC and English.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_file::java_text::date::{civil, day_of};

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HALVES: [&str; 2] = ["AM", "PM"];
const ERAS: [&str; 2] = ["BC", "AD"];
/// What is understood of the names of time zones, with minutes from UTC.
const ZONES: [(&str, i64); 12] = [
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];
/// Letters that have a meaning in Java and none here: weeks and years of weeks.
const WEEKS: &str = "YwWF";
const LETTERS: &str = "GyMLdDEuaHkKhmsSzZX";

/// A pattern, ready to be used.
#[derive(Clone, Debug)]
pub(super) struct DateFormat {
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

impl DateFormat {
    /// # Errors
    /// The pattern is none of Java's, in its words, or has a letter that is not supported here.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let (year, month, of_month) = civil(now.div_euclid(DAY));
        let century = day_of(year - 80, month, of_month) * DAY + now.rem_euclid(DAY);
        let illegal = |why: String| {
            format!(
                "Invalid value java.lang.IllegalArgumentException: {why} for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
            )
        };
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
            } else if WEEKS.contains(c) {
                return Err(format!("Invalid value {pattern} for configuration format: the pattern letter {c} is not supported"));
            } else if !LETTERS.contains(c) {
                return Err(illegal(format!("Illegal pattern character '{c}'")));
            } else {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if c == 'X' && count > 3 {
                    return Err(illegal(format!("invalid ISO 8601 format: length={count}")));
                }
                tokens.push(Token::Field(c, count));
            }
        }
        if quoted {
            return Err(illegal("Unterminated quote".to_owned()));
        }
        Ok(Self { pattern: pattern.to_owned(), tokens, century })
    }

    /// As it was given.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Appends the text of a point in time.
    pub(super) fn format(&self, millis: i64, out: &mut String) {
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

    /// The point in time that `text` begins with; None if it does not match. What comes behind is not looked at, and fields may be
    /// beyond their ranges: Java's formats are lenient.
    pub(super) fn parse(&self, text: &str) -> Option<i64> {
        let mut reader = Reader { text, at: 0, fields: Fields::default() };
        for (n, token) in self.tokens.iter().enumerate() {
            match *token {
                Token::Literal(c) => {
                    reader.rest().starts_with(c).then_some(())?;
                    reader.at += c.len_utf8();
                }
                Token::Field(letter, count) => {
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
        let mut out = String::new();
        DateFormat::new(pattern).expect("a pattern").format(millis, &mut out);
        out
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
            let parse = DateFormat::new(pattern).expect("a pattern");
            for millis in [0, -1, 1_760_000_000_123, -62_135_769_600_001 + 400 * DAY, 951_827_696_789, -12_219_292_800_001] {
                let text = format(pattern, millis);
                assert_eq!(parse.parse(&text), Some(millis), "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn patterns_that_are_none_are_refused() {
        let refused = |pattern: &str| DateFormat::new(pattern).expect_err(pattern);
        assert!(refused("foo").contains("Illegal pattern character 'f'"));
        assert!(refused("yyyy'").contains("Unterminated quote"));
        assert!(refused("XXXX").contains("invalid ISO 8601 format: length=4"));
        assert_eq!(refused("YYYY-ww"), "Invalid value YYYY-ww for configuration format: the pattern letter Y is not supported");
    }

    #[test]
    fn reading_is_lenient() {
        let parse = |pattern: &str, text: &str| DateFormat::new(pattern).expect("a pattern").parse(text);
        assert_eq!(parse("yyyy-MM-dd", "1970-13-01"), Some(365 * DAY));
        assert_eq!(parse("yyyy-MM-dd", "1970-01-02 and more"), Some(DAY));
        assert_eq!(parse("yyyy-MM-dd", "1970-01"), None);
        assert_eq!(parse("HH:mm", " 1: 1"), Some(HOUR + MINUTE));
        assert_eq!(parse("yyyy", ""), None);
        assert_eq!(parse("ss.SSS", "1.123456"), Some(1000 + 123_456));
        assert_eq!(parse("EEE yyyy", "Mon 1970"), None);
    }
}
