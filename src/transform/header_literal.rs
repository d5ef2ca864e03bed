//! A text as Java reads it for a header and writes it again (`Values.parseString` and `Values.convertToString`, 4.3.1).
//!
//! It is a number, `true`, `false`, `null`, a date, a time, a timestamp, a list or a map of such, or else the text that it is. Dates
//! are in UTC. Fractions are printed with the fewest digits, as a JVM of version 19 or later does. Where dates and numbers stand in one
//! list, each stays what it is: Java takes the numbers for days.

use std::mem::discriminant;
use std::ops::Range;

use landfall_file::java_text::{date, number};

const DAY: i64 = 86_400_000;

/// What a header holds for `literal`; None for nothing.
pub(super) fn text_of(literal: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match parse(literal) {
        Literal::Null => return None,
        value => value.print(false, &mut out),
    }
    Some(out)
}

/// A value, and what is merged to one type within a list or a map.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Null,
    Boolean(bool),
    /// A whole number of 64 bits.
    Long(i64),
    Float(f32),
    Double(f64),
    /// A number that no other type takes: its digits and how many of them are behind the point.
    Decimal(String, i32),
    Text(String),
    /// Milliseconds since the epoch of a `java.util.Date`.
    Date(i64),
    List(Vec<Literal>),
    Map(Vec<(Literal, Literal)>),
}

fn parse(literal: &str) -> Literal {
    if literal.is_empty() {
        return Literal::Text(String::new());
    }
    // What is not embedded is never refused.
    Parser::new(literal).value(false).unwrap_or_else(|Unreadable| Literal::Text(literal.to_owned()))
}

impl Literal {
    fn print(&self, embedded: bool, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Long(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Float(value) => number::float(*value, out),
            Self::Double(value) => number::double(*value, out),
            Self::Decimal(unscaled, scale) => number::scaled(unscaled, *scale, out),
            Self::Text(text) if embedded => {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                out.extend_from_slice(format!("\"{escaped}\"").as_bytes());
            }
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Date(millis) => date::iso(*millis, out),
            Self::List(items) => {
                out.push(b'[');
                for (n, item) in items.iter().enumerate() {
                    out.extend_from_slice(if n > 0 { b"," } else { b"" });
                    item.print(true, out);
                }
                out.push(b']');
            }
            Self::Map(entries) => {
                out.push(b'{');
                for (n, (key, value)) in entries.iter().enumerate() {
                    out.extend_from_slice(if n > 0 { b"," } else { b"" });
                    key.print(true, out);
                    out.push(b':');
                    value.print(true, out);
                }
                out.push(b'}');
            }
        }
    }

    /// How wide a number is; None for what is none.
    fn width(&self) -> Option<u8> {
        Some(match self {
            Self::Long(_) => 0,
            Self::Float(_) => 1,
            Self::Double(_) => 2,
            _ => return None,
        })
    }

    fn widened(self, width: u8) -> Self {
        match (self, width) {
            (Self::Long(value), 1) => Self::Float(value as f32),
            (Self::Long(value), 2) => Self::Double(value as f64),
            (Self::Float(value), 2) => Self::Double(f64::from(value)),
            (other, _) => other,
        }
    }
}

/// The values with one type, if they have one.
///
/// # Errors
/// They have, and there is a null among them: Java has no list or map of such.
fn aligned(values: Vec<Literal>) -> Result<Vec<Literal>, Unreadable> {
    let there = || values.iter().filter(|value| **value != Literal::Null);
    let Some(first) = there().next() else { return Ok(values) };
    let width = there().map(Literal::width).collect::<Option<Vec<u8>>>().and_then(|widths| widths.into_iter().max());
    if width.is_none() && !there().all(|value| discriminant(value) == discriminant(first)) {
        return Ok(values);
    }
    if values.contains(&Literal::Null) {
        return Err(Unreadable);
    }
    Ok(values.into_iter().map(|value| value.widened(width.unwrap_or(0))).collect())
}

/// Whether values have one type.
fn have_type(values: &[Literal]) -> bool {
    let numbers = values.iter().all(|value| value.width().is_some());
    !values.is_empty() && (numbers || values.iter().all(|value| discriminant(value) == discriminant(&values[0])))
}

/// What is embedded is no value.
struct Unreadable;

/// Reads tokens: the delimiters, and what stands between them.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    /// The token before `at`, if it was looked at and not taken.
    seen: Option<Range<usize>>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, at: 0, seen: None }
    }

    fn mark(&self) -> usize {
        self.at - self.seen.as_ref().map_or(0, Range::len)
    }

    fn rewind(&mut self, mark: usize) {
        (self.at, self.seen) = (mark, None);
    }

    fn has_next(&self) -> bool {
        self.seen.is_some() || self.at < self.text.len()
    }

    fn next(&mut self) -> &'t str {
        let token = self.seen.take().unwrap_or_else(|| self.consume());
        &self.text[token]
    }

    fn consume(&mut self) -> Range<usize> {
        let (start, mut escaped) = (self.at, false);
        for (n, c) in self.text[start..].char_indices() {
            match c {
                '\\' => escaped = !escaped,
                ':' | ',' | '{' | '}' | '[' | ']' | '"' if !escaped => {
                    self.at = start + n.max(1);
                    return start..self.at;
                }
                _ => escaped = false,
            }
        }
        self.at = self.text.len();
        start..self.at
    }

    /// Takes the next token if it is `expected`, blanks around it aside; blank tokens before it go.
    fn take(&mut self, expected: &str) -> bool {
        if !self.has_next() {
            return false;
        }
        let mut token = self.seen.take().unwrap_or_else(|| self.consume());
        while self.text[token.clone()].trim().is_empty() && self.at < self.text.len() {
            token = self.consume();
        }
        let found = self.text[token.clone()].trim() == expected;
        self.seen = (!found).then_some(token);
        found
    }

    /// Takes `word` if it is all there is, or embedded.
    fn takes_word(&mut self, word: &str, embedded: bool) -> bool {
        let mark = self.mark();
        if self.take(word) && (embedded || !self.has_next()) {
            return true;
        }
        self.rewind(mark);
        false
    }

    fn value(&mut self, embedded: bool) -> Result<Literal, Unreadable> {
        if !self.has_next() {
            return Ok(Literal::Null);
        }
        if embedded && self.take("\"") {
            return Ok(self.quoted());
        }
        for (word, value) in [("null", Literal::Null), ("true", Literal::Boolean(true)), ("false", Literal::Boolean(false))] {
            if self.takes_word(word, embedded) {
                return Ok(value);
            }
        }
        let mark = self.mark();
        let nested = if self.take("[") {
            Some(self.list())
        } else if self.take("{") {
            Some(self.map())
        } else {
            None
        };
        match nested {
            Some(Ok(value)) => return Ok(value),
            Some(Err(Unreadable)) => self.rewind(mark),
            None => {}
        }
        let token = self.next();
        match token.trim() {
            "" => Ok(Literal::Text(token.to_owned())),
            token => self.scalar(token, embedded),
        }
    }

    fn scalar(&mut self, token: &str, embedded: bool) -> Result<Literal, Unreadable> {
        let digit = token.starts_with(|c: char| c.is_ascii_digit());
        if digit && let Some(date) = self.temporal(token) {
            return Ok(date);
        }
        if (digit || token.starts_with(['+', '-']))
            && let Some(number) = number_of(token)
        {
            return Ok(number);
        }
        if embedded { Err(Unreadable) } else { Ok(Literal::Text(self.text.to_owned())) }
    }

    /// A date or time. The colons of a time are tokens, unless they are escaped.
    fn temporal(&mut self, token: &str) -> Option<Literal> {
        let mark = self.mark();
        let mut tokens = 0;
        while tokens < 4 && self.has_next() {
            self.next();
            tokens += 1;
        }
        if tokens == 4
            && let Some(date) = date_of(&format!("{token}{}", &self.text[mark..self.at]))
        {
            return Some(date);
        }
        self.rewind(mark);
        date_of(token)
    }

    fn quoted(&mut self) -> Literal {
        let mut text = String::new();
        while self.has_next() && !self.take("\"") {
            text.push_str(self.next());
        }
        date_of(&text).unwrap_or(Literal::Text(text))
    }

    fn list(&mut self) -> Result<Literal, Unreadable> {
        let mut items = Vec::new();
        while self.has_next() {
            if self.take("]") {
                return aligned(items).map(Literal::List);
            }
            if self.take(",") {
                return Err(Unreadable);
            }
            items.push(self.value(true)?);
            let mark = self.mark();
            if self.take("]") {
                self.rewind(mark);
            } else if !self.take(",") {
                return Err(Unreadable);
            }
        }
        Err(Unreadable)
    }

    fn map(&mut self) -> Result<Literal, Unreadable> {
        let mut entries: Vec<(Literal, Literal)> = Vec::new();
        while self.has_next() {
            if self.take("}") {
                let (keys, values): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
                // Without one type of keys Java leaves the values alone too.
                let values = if have_type(&keys) { aligned(values)? } else { values };
                return Ok(Literal::Map(aligned(keys)?.into_iter().zip(values).collect()));
            }
            if self.take(",") {
                return Err(Unreadable);
            }
            let key = self.value(true)?;
            if key == Literal::Null || !self.take(":") {
                return Err(Unreadable);
            }
            let value = self.value(true)?;
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
            self.take(",");
        }
        Err(Unreadable)
    }
}

/// The number that a `BigDecimal` of the token is: whole and of 64 bits, or a float, or a double, or itself.
fn number_of(token: &str) -> Option<Literal> {
    let (mantissa, exponent) = match token.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (token, 0),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let significant = digits.trim_start_matches('0');
    let stripped = significant.trim_end_matches('0');
    let zeros = (significant.len() - stripped.len()) as i32; // of the digits of one token
    if stripped.is_empty() {
        return Some(Literal::Long(0));
    }
    // A whole number has as many zeros at its end as digits behind the point; a longer one has too many for a long.
    if scale <= zeros && stripped.len() as i64 + i64::from(zeros) - i64::from(scale) <= 20 {
        let text = format!("{stripped}{}", "0".repeat((zeros - scale) as usize));
        let sign = if negative { "-" } else { "" };
        if let Ok(value) = format!("{sign}{text}").parse() {
            return Some(Literal::Long(value));
        }
    }
    let (float, double) = (token.parse::<f32>().ok()?, token.parse::<f64>().ok()?);
    Some(if float.is_finite() && scale != 0 {
        Literal::Float(float)
    } else if double.is_finite() && scale != 0 {
        Literal::Double(double)
    } else {
        Literal::Decimal(format!("{}{significant}", if negative { "-" } else { "" }), scale)
    })
}

/// The date, time or timestamp that a text of the length of one begins with.
fn date_of(text: &str) -> Option<Literal> {
    let text = text.replace("\\:", ":");
    let millis = match text.chars().count() {
        10 => day(&text)?.0 * DAY,
        13 => time(&text)?,
        24 => {
            let (day, rest) = day(&text)?;
            day * DAY + time(rest.strip_prefix('T')?)?
        }
        _ => return None,
    };
    Some(Literal::Date(millis))
}

/// A number at the beginning of a text, and what follows `after` it.
fn leading<'t>(text: &'t str, after: &str) -> Option<(i64, &'t str)> {
    let end = text.bytes().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].strip_prefix(after)?))
}

/// The days since the epoch of `yyyy-MM-dd`, where a month or a day too many counts on.
fn day(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = leading(text, "-")?;
    let (month, rest) = leading(rest, "-")?;
    let (day, rest) = leading(rest, "")?;
    let months = year * 12 + month - 1;
    Some((date::day_of(months.div_euclid(12), months.rem_euclid(12) as usize, 1) + day - 1, rest))
}

/// The milliseconds of `HH:mm:ss.SSSZ`.
fn time(text: &str) -> Option<i64> {
    let (hour, rest) = leading(text, ":")?;
    let (minute, rest) = leading(rest, ":")?;
    let (second, rest) = leading(rest, ".")?;
    let (milli, _) = leading(rest, "Z")?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + milli)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's `Values` (4.3.1, on a JVM that prints the fewest digits) makes of each literal.
    const JAVA: &[(&str, &str)] = &[
        ("1", "1"),
        ("007", "7"),
        ("1.0", "1"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("0x1", "0x1"),
        ("true", "true"),
        ("TRUE", "TRUE"),
        ("abc", "abc"),
        ("\"abc\"", "\"abc\""),
        ("\"a b\" c", "\"a b\" c"),
        ("[1, 2]", "[1,2]"),
        ("[1, 2.5]", "[1.0,2.5]"),
        ("[a]", "[a]"),
        ("[\"a\",\"b\"]", "[\"a\",\"b\"]"),
        ("[]", "[]"),
        ("{}", "{}"),
        ("{\"a\":1, \"b\" : 2}", "{\"a\":1,\"b\":2}"),
        ("{a:b}", "{a:b}"),
        ("{\"a\":[1,\"x\"]}", "{\"a\":[1,\"x\"]}"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:00.000Z", "12:30:00.000Z"),
        ("2020-01-01T12:30:00.000Z", "2020-01-01T12:30:00.000Z"),
        ("2020-01-01T12\\:30\\:00.000Z", "2020-01-01T12:30:00.000Z"),
        ("", ""),
        (" ", " "),
        ("  x  ", "  x  "),
        ("NaN", "NaN"),
        ("-5", "-5"),
        ("+5", "5"),
        ("99999999999999999999", "99999999999999999999"),
        ("1.7976931348623157E309", "1.7976931348623157E+309"),
        ("[1,", "[1,"),
        ("{", "{"),
        ("{\"a\":null}", "{\"a\":null}"),
        ("[null]", "[null]"),
        ("[true,false]", "[true,false]"),
        ("[1,\"a\"]", "[1,\"a\"]"),
        ("a,b", "a,b"),
        ("5 ", "5"),
        ("[2020-01-01]", "[2020-01-01]"),
        ("1970-01-01", "00:00:00.000Z"),
        ("-0", "0"),
        ("0.1f", "0.1f"),
        ("1.", "1"),
        ("3.4028236E38", "3.4028236E38"),
        ("[ ]", "[]"),
        ("[,]", "[,]"),
        ("{\"a\":1,}", "{\"a\":1}"),
        ("\"\"", "\"\""),
        ("\\x", "\\x"),
        ("{\"k\":{\"z\":1}}", "{\"k\":{\"z\":1}}"),
        ("[1.0,2]", "[1,2]"),
        ("2020-13-45", "2021-02-14"),
        ("0.1", "0.1"),
        ("123456.789", "123456.79"),
        ("1E-10", "1.0E-10"),
        ("nullx", "nullx"),
        ("[\"a\" , 1]", "[\"a\",1]"),
        ("{1:2}", "{1:2}"),
        ("{true:1}", "{true:1}"),
        ("[1 2]", "[1 2]"),
        ("[[1],[\"a\"]]", "[[1],[\"a\"]]"),
        ("true false", "true false"),
        ("1970-01-01T00:00:00.000Z", "00:00:00.000Z"),
    ];

    #[test]
    fn a_literal_is_read_and_written_as_java_does() {
        for (literal, expected) in JAVA {
            let text = text_of(literal).map(|text| String::from_utf8(text).expect("text"));
            assert_eq!(text.as_deref(), Some(*expected), "{literal}");
        }
        assert_eq!(text_of("null"), None);
    }
}
