//! Walks over JSON bytes token by token, accepting what Jackson accepts as Kafka configures it (leading zeros included).

use super::super::node::Overflow;
use std::borrow::Cow;

use landfall_api::RecordError;

/// How deep objects and lists may nest (`StreamReadConstraints.DEFAULT_MAX_DEPTH` of Jackson).
pub(super) const MAX_DEPTH: u32 = 1000;

/// Why a value could not be read.
#[derive(Debug)]
pub(in crate::convert) enum Stop {
    /// The bytes are not JSON.
    Invalid(Box<Reason>),
    /// The value is JSON, and what was learned so far has no place for it.
    Misfit,
    /// The value is JSON, and the schema refuses it.
    Refused(Box<RecordError>),
}

impl From<Overflow> for Stop {
    #[cold]
    fn from(overflow: Overflow) -> Self {
        Self::Refused(Box::new(overflow.into()))
    }
}

/// What was found where it could not be. In a box of its own, so that a [`Stop`] goes by register.
#[derive(Debug)]
pub(in crate::convert) struct Reason(pub(in crate::convert) String);

impl Stop {
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(Box::new(Reason(reason.into())))
    }

    pub(super) fn data(message: impl Into<String>) -> Self {
        Self::Refused(Box::new(RecordError::data(message)))
    }
}

/// A number as far as a scan can tell.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number<'a> {
    /// An integer of 64 bits.
    Long(i64),
    /// An integer that 64 bits do not hold.
    Huge(&'a [u8]),
    /// A number with a fraction or an exponent.
    Decimal(&'a [u8]),
}

/// A position in a text. Cheap to copy: a copy is a look ahead.
#[derive(Clone, Debug)]
pub(in crate::convert) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(in crate::convert) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, depth: 0 }
    }

    /// The next byte that is not blank, which stays; 0 at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&b) => return b,
                None => return 0,
            }
        }
    }

    #[inline]
    fn starts_with(&self, text: &[u8]) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text))
    }

    /// Steps over `token` if it comes next, to the letter.
    #[inline]
    pub(super) fn take(&mut self, token: &[u8]) -> bool {
        let taken = self.starts_with(token);
        if taken {
            self.at += token.len();
        }
        taken
    }

    #[cold]
    pub(super) fn unexpected(&self, expected: &str) -> Stop {
        let at = self.at;
        Stop::invalid(match self.bytes.get(at) {
            None => format!("unexpected end of input at byte {at}, expected {expected}"),
            Some(&b) if b.is_ascii_graphic() => {
                format!("unexpected '{}' at byte {at}, expected {expected}", char::from(b))
            }
            Some(b) => format!("unexpected byte 0x{b:02x} at byte {at}, expected {expected}"),
        })
    }

    /// Steps over `null`, `true` or `false`.
    #[inline]
    pub(super) fn literal(&mut self, text: &'static str) -> Result<(), Stop> {
        let word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..));
        if self.starts_with(text.as_bytes()) && !word(self.bytes.get(self.at + text.len())) {
            self.at += text.len();
            return Ok(());
        }
        Err(self.unexpected(text))
    }

    /// Goes into the object or list that begins here.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), Stop> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Stop::invalid(format!("nested deeper than the limit of {MAX_DEPTH} at byte {}", self.at)));
        }
        Ok(())
    }

    /// Whether there is another item before `close`, which is stepped over like the comma before the item.
    #[inline]
    pub(super) fn more(&mut self, first: bool, close: u8) -> Result<bool, Stop> {
        let next = self.peek();
        if next == close {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if first {
            return Ok(true);
        }
        if next != b',' {
            return Err(self.unexpected(if close == b'}' { "',' or '}'" } else { "',' or ']'" }));
        }
        self.at += 1;
        Ok(true)
    }

    /// The key that comes next and the colon after it: the bytes between the quotes.
    pub(super) fn key(&mut self) -> Result<Str<'a>, Stop> {
        if self.peek() != b'"' {
            return Err(self.unexpected("a field name"));
        }
        let key = self.string()?;
        if self.peek() != b':' {
            return Err(self.unexpected("':'"));
        }
        self.at += 1;
        Ok(key)
    }

    /// The string that begins here, if it is one without an escape; else nothing is stepped over.
    #[inline]
    pub(super) fn plain_string(&mut self) -> Option<&'a [u8]> {
        let start = self.at + 1;
        let end = text_end(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(&self.bytes[start..end])
    }

    /// The integer of at most 18 digits that begins here; if it is another number, nothing is stepped over.
    #[inline]
    pub(super) fn short_integer(&mut self) -> Option<i64> {
        let negative = self.bytes.get(self.at) == Some(&b'-');
        let first = self.at + usize::from(negative);
        let (mut at, mut value) = (first, 0i64);
        let next = loop {
            match self.bytes.get(at) {
                Some(d @ b'0'..=b'9') => value = value.wrapping_mul(10).wrapping_add(i64::from(d - b'0')),
                next => break next,
            }
            at += 1;
        };
        if at - first > 18 || at == first || matches!(next, Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at = at;
        Some(if negative { -value } else { value })
    }

    /// The string that begins here.
    pub(super) fn string(&mut self) -> Result<Str<'a>, Stop> {
        let start = self.at + 1;
        let mut at = text_end(self.bytes, start);
        if self.bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            return Ok(Str { raw: &self.bytes[start..at], escaped: false });
        }
        loop {
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at = self.escape(at)?,
                _ => {
                    self.at = at;
                    return Err(self.unexpected("the end of a string"));
                }
            }
            at = text_end(self.bytes, at);
        }
        self.at = at + 1;
        Ok(Str { raw: &self.bytes[start..at], escaped: true })
    }

    /// Where the escape at `at` ends.
    fn escape(&mut self, at: usize) -> Result<usize, Stop> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') if self.bytes.get(at + 2..at + 6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => Ok(at + 6),
            _ => {
                self.at = at;
                Err(self.unexpected("a valid escape"))
            }
        }
    }

    /// The number that begins here with a digit or a minus.
    pub(super) fn number(&mut self) -> Result<Number<'a>, Stop> {
        if let Some(short) = self.short_integer() {
            return Ok(Number::Long(short));
        }
        let start = self.at;
        let first = start + usize::from(self.bytes[start] == b'-');
        let digits = self.bytes[first..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.long_number(start, first, first + digits)
    }

    /// A number that is not just up to 18 digits; `at` is behind its integer part, whose digits begin at `first`.
    fn long_number(&mut self, start: usize, first: usize, at: usize) -> Result<Number<'a>, Stop> {
        self.at = at;
        if at == first {
            return Err(self.unexpected("a digit"));
        }
        let integral = !matches!(self.bytes.get(at), Some(b'.' | b'e' | b'E'));
        if self.take(b".") {
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.bytes[start..self.at];
        if !integral {
            return Ok(Number::Decimal(text));
        }
        Ok(ascii(text).parse().map_or(Number::Huge(text), Number::Long))
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected("a digit")) } else { Ok(()) }
    }

    /// Steps over a value of any kind and gives its text.
    pub(super) fn skip(&mut self) -> Result<&'a [u8], Stop> {
        let next = self.peek();
        let start = self.at;
        match next {
            b'"' => drop(self.string()?),
            b'-' | b'0'..=b'9' => drop(self.number()?),
            b'n' => self.literal("null")?,
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'{' => {
                self.enter()?;
                let mut first = true;
                while self.more(first, b'}')? {
                    self.key()?;
                    self.skip()?;
                    first = false;
                }
            }
            b'[' => {
                self.enter()?;
                let mut first = true;
                while self.more(first, b']')? {
                    self.skip()?;
                    first = false;
                }
            }
            _ => return Err(self.unexpected("a value")),
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Makes sure that only blanks follow.
    #[inline]
    pub(in crate::convert) fn end(&mut self) -> Result<(), Stop> {
        self.peek();
        if self.at < self.bytes.len() { Err(self.unexpected("the end of the record")) } else { Ok(()) }
    }

    /// How Java's `JsonNodeType` calls the value that comes next.
    pub(super) fn node_type(&mut self) -> &'static str {
        match self.peek() {
            b'"' => "STRING",
            b'{' => "OBJECT",
            b'[' => "ARRAY",
            b't' | b'f' => "BOOLEAN",
            b'n' => "NULL",
            0 => "MISSING",
            _ => "NUMBER",
        }
    }
}

/// The bytes between the quotes of a JSON string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Str<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> Str<'a> {
    /// The text itself. The bytes must have been found to be UTF-8, else what is not becomes U+FFFD.
    pub(super) fn text(self) -> Cow<'a, str> {
        if !self.escaped {
            return String::from_utf8_lossy(self.raw);
        }
        let mut text = Vec::with_capacity(self.raw.len());
        self.append(&mut text);
        String::from_utf8_lossy(&text).into_owned().into()
    }

    /// Appends the text to `out`. Half of a surrogate pair becomes U+FFFD: UTF-8 has no place for it.
    pub(super) fn append(self, out: &mut Vec<u8>) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..at]);
            let (c, len) = match rest[at + 1] {
                b'b' => ('\u{8}', 2),
                b'f' => ('\u{c}', 2),
                b'n' => ('\n', 2),
                b'r' => ('\r', 2),
                b't' => ('\t', 2),
                b'u' => unicode(&rest[at..]),
                c => (char::from(c), 2),
            };
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[at + len..];
        }
        out.extend_from_slice(rest);
    }
}

/// The character of the escapes at the begin of `text`, and their length.
fn unicode(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6).filter(|t| t.starts_with(b"\\u"))?;
        hex[2..].iter().try_fold(0, |unit, &h| Some(unit << 4 | char::from(h).to_digit(16)?))
    };
    let first = unit(0).unwrap_or(0xfffd);
    if let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, unit(6)) {
        let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

/// The text of a number, which is ASCII because the scanner went over it.
pub(super) fn ascii(number: &[u8]) -> &str {
    std::str::from_utf8(number).unwrap_or("")
}

/// Where the plain text from `at` on ends: at a quote, a backslash, a control character or the end. Looks at eight bytes at a time.
#[inline]
fn text_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let w = u64::from_le_bytes(*eight);
        // The highest bit of a byte is set where that byte is below `n`; above the first such byte a borrow may set more.
        let below = |w: u64, n: u64| w.wrapping_sub(ONES * n) & !w & HIGH;
        let stops = below(w ^ (ONES * u64::from(b'"')), 1) | below(w ^ (ONES * u64::from(b'\\')), 1) | below(w, 0x20);
        if stops != 0 {
            return at + stops.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..0x20)) {
        at += 1;
    }
    at
}
