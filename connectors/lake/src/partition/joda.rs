//! Times by the patterns of Joda-Time 2.13 (`org.joda.time.format.DateTimeFormat`), in the calendar of ISO 8601.
//!
//! Texts (months, days, halves of a day, eras) are English; the names of time zones, which come from the Java runtime, are there for
//! UTC and offsets only, whose names are their ids.

use super::zone::Zone;

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A pattern, ready to be used.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
    texts: Texts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

/// Which words months, days and eras have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Texts {
    /// Those of English.
    English,
    /// Those that Java has for a language that it does not know: short English ones, and other names of the eras.
    Root,
    /// Those of another language.
    Other,
}

impl Texts {
    /// The words of Java's `new Locale(language)`. That takes a language, and `en-US` is none that Java knows.
    fn of(language: &str) -> Self {
        let letters = language.bytes().all(|b| b.is_ascii_alphabetic());
        match language.to_ascii_lowercase().as_str() {
            "en" | "eng" => Self::English,
            "und" => Self::Root,
            language if letters && (2..=3).contains(&language.len()) => Self::Other,
            _ => Self::Root,
        }
    }
}

impl Pattern {
    /// Reads a pattern, for times in `zone` and texts of `locale`.
    ///
    /// # Errors
    /// What is wrong with it, in Joda's words; or it asks for the words of another language than English, or for the name of a zone.
    pub(super) fn new(pattern: &str, zone: &Zone, locale: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("Invalid pattern specification: Pattern is null or empty".to_owned());
        }
        let texts = Texts::of(locale);
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(first) = chars.peek().copied() {
            if first.is_ascii_alphabetic() {
                let mut count = 0;
                while chars.next_if_eq(&first).is_some() {
                    count += 1;
                }
                if !"GCxwyYMdahHkKmsSeEDzZ".contains(first) {
                    return Err(format!("Illegal pattern component: {}", String::from(first).repeat(count)));
                }
                tokens.push(Token::Field(first, count));
                continue;
            }
            let (mut literal, mut quoted) = (String::new(), false);
            while let Some(c) = chars.next_if(|c| quoted || !c.is_ascii_alphabetic()) {
                match c {
                    '\'' if chars.next_if_eq(&'\'').is_some() => literal.push('\''),
                    '\'' => quoted = !quoted,
                    c => literal.push(c),
                }
            }
            tokens.push(Token::Literal(literal));
        }
        for token in &tokens {
            let Token::Field(letter, count) = token else { continue };
            let letters = String::from(*letter).repeat(*count);
            if texts == Texts::Other && (matches!(letter, 'G' | 'E' | 'a') || *letter == 'M' && *count >= 3) {
                return Err(format!("'{letters}' is a text in the language {locale}, and only those of en are known"));
            }
            if *letter == 'z' && !zone.is_fixed() {
                return Err(format!("'{letters}' is the name of a time zone, which Java's runtime has: take Z, ZZ or ZZZ"));
            }
        }
        Ok(Self { tokens, texts })
    }

    /// The longest time in milliseconds, counted from the epoch, in which the text stays the same.
    pub(super) fn period(&self) -> i64 {
        let of = |token: &Token| match token {
            Token::Field('S', _) => 1,
            Token::Field('s', _) => 1000,
            Token::Field('m' | 'z' | 'Z', _) => 60_000,
            Token::Field('a' | 'h' | 'H' | 'k' | 'K', _) => HOUR,
            _ => DAY,
        };
        self.tokens.iter().map(of).min().unwrap_or(DAY)
    }

    /// Appends the text of `millis` since the epoch in `zone`.
    pub(super) fn write(&self, millis: i64, zone: &Zone, out: &mut String) {
        let offset = zone.offset(millis);
        let local = i128::from(millis) + i128::from(offset);
        let (day, of_day) = (local.div_euclid(i128::from(DAY)) as i64, local.rem_euclid(i128::from(DAY)) as i64);
        let (year, month, of_month) = civil(day);
        let hour = of_day / HOUR;
        // The epoch was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        for token in &self.tokens {
            let (letter, count) = match token {
                Token::Literal(text) => {
                    out.push_str(text);
                    continue;
                }
                Token::Field(letter, count) => (*letter, *count),
            };
            match letter {
                'G' => out.push_str(match (self.texts, year > 0) {
                    (Texts::Root, true) => "CE",
                    (Texts::Root, false) => "BCE",
                    (_, true) => "AD",
                    (_, false) => "BC",
                }),
                'C' => number(year.abs() / 100, count, out),
                'x' if count == 2 => number(week_of(day).0.abs() % 100, 2, out),
                'x' => number(week_of(day).0, count, out),
                'w' => number(week_of(day).1, count, out),
                'y' | 'Y' if count == 2 => number(year.abs() % 100, 2, out),
                'y' => number(year, count, out),
                'Y' => number(if year > 0 { year } else { 1 - year }, count, out),
                'M' if count >= 3 => self.word(MONTHS[month as usize - 1], count, out),
                'M' => number(month, count, out),
                'd' => number(of_month, count, out),
                'D' => number(day - day_of(year, 1, 1) + 1, count, out),
                'e' => number(weekday + 1, count, out),
                'E' => self.word(WEEKDAYS[weekday as usize], count, out),
                'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
                'h' => number((hour + 11) % 12 + 1, count, out),
                'H' => number(hour, count, out),
                'k' => number((hour + 23) % 24 + 1, count, out),
                'K' => number(hour % 12, count, out),
                'm' => number(of_day / 60_000 % 60, count, out),
                's' => number(of_day / 1000 % 60, count, out),
                'S' => fraction(of_day % 1000, count, out),
                'z' => out.push_str(zone.id()),
                'Z' if count >= 3 => out.push_str(zone.id()),
                _ => {
                    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60_000);
                    out.push(sign);
                    number(minutes / 60, 2, out);
                    out.push_str(if count == 1 { "" } else { ":" });
                    number(minutes % 60, 2, out);
                }
            }
        }
    }

    fn word(&self, word: &str, count: usize, out: &mut String) {
        out.push_str(if count >= 4 && self.texts != Texts::Root { word } else { &word[..3] });
    }
}

/// Appends a number with at least so many digits.
pub(super) fn number(n: i64, digits: usize, out: &mut String) {
    if n < 0 {
        out.push('-');
    }
    let mut text = itoa::Buffer::new();
    let text = text.format(n.unsigned_abs());
    out.extend(std::iter::repeat_n('0', digits.saturating_sub(text.len())));
    out.push_str(text);
}

/// Appends the first digits of a fraction of a second; Joda knows no more than 15.
fn fraction(millis: i64, digits: usize, out: &mut String) {
    let text = format!("{millis:03}{:0<12}", "");
    match millis {
        0 => out.extend(std::iter::repeat_n('0', digits)),
        _ => out.push_str(&text[..digits.min(15)]),
    }
}

/// Year, month and day of the month of a day since the epoch. The year before 1 is 0.
pub(super) fn civil(day: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that a leap day is the last.
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, of_month)
}

/// The day since the epoch of a date.
pub(super) fn day_of(year: i64, month: i64, of_month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + of_month - 1 - 719_468
}

/// The year and the week of ISO 8601 that a day is in: the one that its Thursday is in.
pub(super) fn week_of(day: i64) -> (i64, i64) {
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let (year, ..) = civil(thursday);
    (year, (thursday - day_of(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A pattern is refused or it can be used, whatever it is.
        #[test]
        fn no_pattern_panics(pattern in "[GCxwyYMdahHkKmsSeEDzZ'/ .-]{0,16}|\\PC{0,12}", locale in "[a-zA-Z_-]{0,6}") {
            let _ = Pattern::new(&pattern, &Zone::utc(), &locale);
        }
    }
}
