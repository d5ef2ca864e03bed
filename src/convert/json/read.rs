//! Reads JSON values into a [`Node`]: the fields of a struct are expected in the order of the records before, so that each key is
//! one comparison and each value one scan, straight into the Arrow buffers.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::node::{Absent, Members, Node, Offsets, Values};
use super::decimal;
use super::scan::{Number, Scanner, Stop, ascii};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

impl Node {
    /// Appends the value that comes next. After an error the node is to be truncated to the rows it had.
    pub(in crate::convert) fn read(&mut self, s: &mut Scanner<'_>) -> Result<(), Stop> {
        let next = s.peek();
        if next == b'n' {
            s.literal("null")?;
            return self.absent();
        }
        let start = s.at;
        let taken = match (&mut self.values, next) {
            (Values::String(text), b'"') => {
                match s.plain_string() {
                    Some(plain) => text.bytes.extend_from_slice(plain),
                    None => s.string()?.append(&mut text.bytes),
                }
                text.end()?;
                true
            }
            (Values::Int64(v), b'-' | b'0'..=b'9') => push(v, integer(s, self.learned)?),
            (Values::Int32(v), b'-' | b'0'..=b'9') => push(v, integer(s, false)?.and_then(|x| x.try_into().ok())),
            (Values::Boolean(v), b't') => {
                s.literal("true")?;
                v.append(true);
                true
            }
            (Values::Boolean(v), b'f') => {
                s.literal("false")?;
                v.append(false);
                true
            }
            (Values::Float64(v), b'-' | b'0'..=b'9') => push(v, double(s.number()?, self.learned)),
            (Values::Struct(members), _) if members.one_of => {
                members.read_one(s)?;
                true
            }
            (Values::Struct(members), b'{') => {
                let rows = self.nulls.len();
                members.read(s, rows, self.learned)?;
                true
            }
            (Values::List(offsets, items), b'[') => {
                s.enter()?;
                let mut first = true;
                while s.more(first, b']')? {
                    items.read(s)?;
                    first = false;
                }
                offsets.push(items.len())?;
                true
            }
            (Values::Json(text), _) => {
                text.bytes.extend_from_slice(s.skip()?);
                text.end()?;
                true
            }
            (Values::Int8(v), b'-' | b'0'..=b'9') => push(v, integer(s, false)?.and_then(|x| x.try_into().ok())),
            (Values::Int16(v), b'-' | b'0'..=b'9') => push(v, integer(s, false)?.and_then(|x| x.try_into().ok())),
            (Values::Float32(v), b'-' | b'0'..=b'9') => push(
                v,
                match s.number()? {
                    Number::Long(x) => Some(x as f32),
                    Number::Huge(text) | Number::Decimal(text) => ascii(text).parse().ok(),
                },
            ),
            (Values::Float32(v), b'"') => push(v, not_a_number(&s.string()?.text()).map(|x| x as f32)),
            (Values::Float64(v), b'"') if !self.learned => push(v, not_a_number(&s.string()?.text())),
            (Values::Bytes(text), b'"') => {
                text.bytes.extend(base64(&s.string()?.text()).ok_or_else(|| Stop::data("Invalid bytes field"))?);
                text.end()?;
                true
            }
            (Values::Decimal(v, precision), b'"') => {
                let bytes = base64(&s.string()?.text()).filter(|bytes| !bytes.is_empty());
                let bytes = bytes.ok_or_else(|| Stop::data("Invalid bytes for Decimal field"))?;
                v.push(decimal::from_bytes(&bytes, *precision)?);
                true
            }
            (Values::Decimal(v, precision), b'-' | b'0'..=b'9') => {
                s.number()?;
                v.push(decimal::from_text(ascii(&s.bytes[start..s.at]), *precision)?);
                true
            }
            (Values::Date(v), b'-' | b'0'..=b'9') => push(v, whole(s)?.and_then(|x| x.try_into().ok())),
            (Values::Time(v), b'-' | b'0'..=b'9') => {
                let millis = whole(s)?.and_then(|x| i32::try_from(x).ok());
                if millis.is_some_and(|m| !(0..=DAY).contains(&i64::from(m))) {
                    let text = "Time values must use number of milliseconds greater than 0 and less than 86400000";
                    return Err(Stop::data(text));
                }
                push(v, millis)
            }
            (Values::Timestamp(v), b'-' | b'0'..=b'9') => push(v, whole(s)?),
            (Values::Map(offsets, entries), b'{') if matches!(entries.0.values, Values::String(_)) => {
                let (key, value) = &mut **entries;
                read_object(offsets, key, value, s)?;
                true
            }
            (Values::Map(offsets, entries), b'[') if !matches!(entries.0.values, Values::String(_)) => {
                let (key, value) = &mut **entries;
                read_pairs(offsets, key, value, s)?;
                true
            }
            _ => false,
        };
        if taken {
            self.nulls.append_non_null();
            return Ok(());
        }
        s.at = start;
        Err(self.misfit(s))
    }

    /// Appends what a null or a missing field is.
    pub(super) fn absent(&mut self) -> Result<(), Stop> {
        match &self.absent {
            Absent::Null => {
                self.null();
                Ok(())
            }
            Absent::Refused => Err(Stop::data(format!("Invalid null value for required {} field", self.type_name()))),
            Absent::Default(json) => {
                let json = json.clone();
                self.read(&mut Scanner::new(&json, 0))
            }
        }
    }

    /// What to do about the value at `s`, which the node does not take.
    #[cold]
    fn misfit(&self, s: &Scanner<'_>) -> Stop {
        let mut value = s.clone();
        let found = value.node_type();
        if let Err(stop) = value.skip() {
            return stop;
        }
        if self.learned {
            return Stop::Misfit;
        }
        Stop::data(match &self.values {
            Values::Struct(_) => format!("Structs should be encoded as JSON objects, but found {found}"),
            Values::Map(_, entries) if matches!(entries.0.values, Values::String(_)) => {
                format!("Maps with string fields should be encoded as JSON objects, but found {found}")
            }
            Values::Map(..) => {
                format!("Maps with non-string fields should be encoded as JSON array of tuples, but found {found}")
            }
            Values::Decimal(..) => {
                format!("Invalid type for Decimal, underlying representation should be numeric or bytes but was {found}")
            }
            Values::Date(_) => format!("Invalid type for Date, underlying representation should be integer but was {found}"),
            Values::Time(_) => format!("Invalid type for Time, underlying representation should be integer but was {found}"),
            Values::Timestamp(_) => {
                format!("Invalid type for Timestamp, underlying representation should be integral but was {found}")
            }
            _ => {
                let text: String = String::from_utf8_lossy(&s.bytes[s.at..value.at]).chars().take(100).collect();
                format!("invalid value for {} field: {text}", self.type_name())
            }
        })
    }

    /// How Connect calls the type (`Schema.Type`).
    fn type_name(&self) -> &'static str {
        match self.values {
            Values::Unknown | Values::String(_) | Values::Json(_) => "STRING",
            Values::Boolean(_) => "BOOLEAN",
            Values::Int8(_) => "INT8",
            Values::Int16(_) => "INT16",
            Values::Int32(_) | Values::Date(_) | Values::Time(_) => "INT32",
            Values::Int64(_) | Values::Timestamp(_) => "INT64",
            Values::Float32(_) => "FLOAT32",
            Values::Float64(_) => "FLOAT64",
            Values::Bytes(_) | Values::Decimal(..) | Values::Decimal256(_) => "BYTES",
            Values::List(..) => "ARRAY",
            Values::Map(..) => "MAP",
            Values::Struct(_) => "STRUCT",
        }
    }
}

impl Members {
    /// Reads the object that begins here as row `rows`.
    fn read(&mut self, s: &mut Scanner<'_>, rows: usize, learned: bool) -> Result<(), Stop> {
        s.enter()?;
        // `next` is the field to come if the record is like those before. As long as no field came out of turn, none came twice.
        let (mut first, mut next, mut in_turn, mut complete) = (true, 0, true, true);
        while s.more(first, b'}')? {
            first = false;
            s.peek();
            let at = match self.list.get(next) {
                Some(member) if s.take(&member.token) => next,
                _ => {
                    let key = s.key()?.text();
                    let Some(at) = self.find(&key, next) else {
                        if learned {
                            return Err(Stop::Misfit);
                        }
                        s.skip()?;
                        continue;
                    };
                    complete &= at == next;
                    in_turn &= at >= next;
                    at
                }
            };
            let node = &mut self.list[at].node;
            if !in_turn && node.len() > rows {
                node.truncate(rows); // the last of two fields with one name counts
            }
            node.read(s)?;
            next = at + 1;
        }
        if !complete || next < self.list.len() {
            for member in &mut self.list {
                if member.node.len() == rows {
                    member.node.absent()?;
                }
            }
        }
        Ok(())
    }
}

impl Members {
    /// Reads a value of the union as that of the branch that it matches: the first whose type is that of the value, else the struct
    /// that has most of its keys, else one for any JSON.
    fn read_one(&mut self, s: &mut Scanner<'_>) -> Result<(), Stop> {
        let (next, ahead) = (s.peek(), s.clone());
        let integral = matches!(next, b'-' | b'0'..=b'9') && !matches!(ahead.clone().number()?, Number::Decimal(_));
        let fits = |node: &Node| match node.values {
            Values::Int8(_)
            | Values::Int16(_)
            | Values::Int32(_)
            | Values::Int64(_)
            | Values::Date(_)
            | Values::Time(_)
            | Values::Timestamp(_) => integral,
            Values::Float32(_) | Values::Float64(_) => matches!(next, b'-' | b'0'..=b'9'),
            Values::Boolean(_) => matches!(next, b't' | b'f'),
            Values::String(_) => next == b'"',
            Values::List(..) => next == b'[',
            Values::Map(..) => matches!(next, b'{' | b'['),
            _ => false,
        };
        let mut chosen = self.list.iter().position(|member| fits(&member.node));
        if chosen.is_none() && next == b'{' {
            let mut most = 0;
            for (at, member) in self.list.iter().enumerate() {
                let matching = member.node.matching(&mut ahead.clone())?;
                if matching > most {
                    (most, chosen) = (matching, Some(at));
                }
            }
        }
        let any = || self.list.iter().position(|member| matches!(member.node.values, Values::Json(_)));
        let Some(chosen) = chosen.or_else(any) else {
            ahead.clone().skip()?;
            return Err(Stop::data("Did not find matching oneof field for data"));
        };
        for (at, member) in self.list.iter_mut().enumerate() {
            if at == chosen { member.node.read(s)? } else { member.node.null() }
        }
        Ok(())
    }
}

impl Node {
    /// How many of the keys of the value that comes next are fields of the struct, those of structs in it included.
    fn matching(&self, s: &mut Scanner<'_>) -> Result<usize, Stop> {
        let Values::Struct(members) = &self.values else {
            s.skip()?;
            return Ok(0);
        };
        if s.peek() != b'{' {
            s.skip()?;
            return Ok(0);
        }
        let mut of_member = vec![0; members.list.len()];
        let (mut first, mut next) = (true, 0);
        s.enter()?;
        while s.more(first, b'}')? {
            first = false;
            let key = s.key()?.text();
            match members.find(&key, next) {
                Some(at) => {
                    of_member[at] = 1 + members.list[at].node.matching(s)?;
                    next = at + 1;
                }
                None => drop(s.skip()?),
            }
        }
        Ok(of_member.iter().sum())
    }
}

/// A map with string keys: an object. The last of two entries with one key counts.
fn read_object(offsets: &mut Offsets, key: &mut Node, value: &mut Node, s: &mut Scanner<'_>) -> Result<(), Stop> {
    let mut ahead = s.clone();
    let mut last = Entries::default();
    s.enter()?;
    ahead.enter()?;
    while ahead.more(last.none(), b'}')? {
        let name = ahead.key()?.text().into_owned().into_bytes();
        ahead.peek();
        last.put(name, ahead.at);
        ahead.skip()?;
    }
    for (name, at) in last.list {
        let Values::String(text) = &mut key.values else { continue };
        text.bytes.extend_from_slice(&name);
        text.end()?;
        key.nulls.append_non_null();
        s.at = at;
        value.read(s)?;
    }
    *s = ahead;
    Ok(offsets.push(key.len())?)
}

/// A map with keys of another type: a list of pairs.
fn read_pairs(offsets: &mut Offsets, key: &mut Node, value: &mut Node, s: &mut Scanner<'_>) -> Result<(), Stop> {
    let mut ahead = s.clone();
    let mut last = Entries::default();
    s.enter()?;
    s.enter()?;
    ahead.enter()?;
    while ahead.more(last.none(), b']')? {
        if ahead.peek() != b'[' {
            let found = ahead.node_type();
            ahead.skip()?;
            return Err(Stop::data(format!("Found invalid map entry instead of array tuple: {found}")));
        }
        ahead.enter()?;
        let mut places = Vec::with_capacity(2);
        while ahead.more(places.is_empty(), b']')? {
            ahead.peek();
            places.push((ahead.at, ahead.skip()?));
        }
        let &[(_, name), (at, _)] = &places[..] else {
            return Err(Stop::data(format!("Found invalid map entry, expected length 2 but found :{}", places.len())));
        };
        last.put(name.to_vec(), at);
    }
    for (name, at) in last.list {
        key.read(&mut Scanner::new(&name, 0))?;
        s.at = at;
        value.read(s)?;
    }
    *s = ahead;
    Ok(offsets.push(key.len())?)
}

/// The entries of one map: key, and where the value is.
#[derive(Default)]
struct Entries {
    list: Vec<(Vec<u8>, usize)>,
    index: HashMap<Vec<u8>, usize>,
    seen: bool,
}

impl Entries {
    fn none(&self) -> bool {
        !self.seen
    }

    fn put(&mut self, key: Vec<u8>, at: usize) {
        self.seen = true;
        if let Some(&place) = self.index.get(&key) {
            self.list[place].1 = at;
            return;
        }
        self.index.insert(key.clone(), self.list.len());
        self.list.push((key, at));
    }
}

#[inline]
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    values.push(value);
    true
}

/// An integer; unless `strict`, one that is written with a fraction or an exponent too (`3.0`).
#[inline]
fn integer(s: &mut Scanner<'_>, strict: bool) -> Result<Option<i64>, Stop> {
    if let short @ Some(_) = s.short_integer() {
        return Ok(short);
    }
    Ok(match s.number()? {
        Number::Long(x) => Some(x),
        Number::Decimal(text) if !strict => {
            let exact = |x: &f64| x.fract() == 0.0 && x.abs() <= 9e15;
            ascii(text).parse().ok().filter(exact).map(|x| x as i64)
        }
        _ => None,
    })
}

/// An integer that is written as one.
fn whole(s: &mut Scanner<'_>) -> Result<Option<i64>, Stop> {
    integer(s, true)
}

/// A double; of what is `learned` only if the number keeps its integral digits and its magnitude.
pub(super) fn double(number: Number<'_>, learned: bool) -> Option<f64> {
    match number {
        Number::Long(x) => Some(x as f64).filter(|&f| !learned || f as i128 == i128::from(x)),
        Number::Huge(text) => ascii(text).parse().ok().filter(|_| !learned),
        Number::Decimal(text) => ascii(text).parse().ok().filter(|f: &f64| !learned || f.is_finite()),
    }
}

/// The doubles that JSON has no numbers for, as Jackson writes them.
fn not_a_number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Jackson's `MIME_NO_LINEFEEDS`: blanks between groups of four are stepped over, padding is required.
fn base64(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().any(|b| b <= b' ') {
        return STANDARD.decode(text).ok();
    }
    let mut digits = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0..=b' ' if digits.len() % 4 == 0 => {}
            0..=b' ' => return None,
            digit => digits.push(digit),
        }
    }
    STANDARD.decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn blanks_stand_between_groups_of_four() {
        for (text, expected) in [
            ("AQID", Some(&[1, 2, 3][..])),
            (" AQID AQI= ", Some(&[1, 2, 3, 1, 2])),
            ("A QID", None),
            ("AQI", None),
            ("", Some(&[])),
        ] {
            assert_eq!(base64(text).as_deref(), expected, "{text}");
        }
    }
}
