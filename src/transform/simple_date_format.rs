//! Timestamps as `java.text.SimpleDateFormat` (JDK 17) writes them in UTC, in English and with weeks from Sunday to Saturday.

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
    fn faults_are_javas() {
        let fault = |pattern| SimpleDateFormat::new(pattern).expect_err("refused");
        assert_eq!(fault("yyyy-bb"), "Illegal pattern character 'b'");
        assert_eq!(fault("'x"), "Unterminated quote");
        assert_eq!(fault("XXXX"), "invalid ISO 8601 format: length=4");
    }
}
