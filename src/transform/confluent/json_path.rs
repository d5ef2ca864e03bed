//! The part of JsonPath that conditions on records need: a path of names, and a predicate `[?(…)]` at its end.
//!
//! A predicate compares what `@` leads to with literals (`==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `nin`), asks whether it is there
//! (`@.a.b`), and joins conditions by `&&`, `||`, `!` and parentheses. Of a list it is asked for each item. What is missing or null matches no
//! comparison. All else of JsonPath is refused: wildcards, indexes, `..`, functions, regular expressions, paths on both sides.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, FieldRef};
use landfall_api::schema::is_json;
use landfall_api::{Column, RecordError};

use crate::transform::field_path::FieldPath;

/// A path, and maybe a predicate on what it leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    path: Vec<String>,
    predicate: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    There(Vec<String>),
    Compare(Vec<String>, Comparison, Literal),
    /// One of a list, or none.
    In(Vec<String>, Vec<Literal>, bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    Number(f64, String),
    Boolean(bool),
}

/// The names that a path without a predicate is made of.
///
/// # Errors
/// What in it is not supported.
pub(super) fn names(text: &str) -> Result<Vec<String>, String> {
    match Condition::parse(text)? {
        Condition { path, predicate: None } if !path.is_empty() => Ok(path),
        Condition { predicate: None, .. } => Err("the path names no field".to_owned()),
        Condition { .. } => Err("a path with a predicate names no field".to_owned()),
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What in it is wrong or not supported.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, rest: text.trim() };
        // The `$` may be left out.
        if !parser.take("$") && !parser.rest.starts_with('[') {
            let path = vec![parser.name()?];
            return parser.after(path);
        }
        parser.after(Vec::new())
    }

    /// For each row of `column`, structs or maps, whether it matches; and where what the path leads to is there at all.
    ///
    /// # Errors
    /// A comparison with values that have no order.
    pub(super) fn matches(&self, column: &Column) -> Result<(BooleanBuffer, BooleanBuffer), RecordError> {
        let rows = column.array.len();
        let Some((field, array)) = lookup(&column.field, &column.array, &self.path) else {
            return Ok((BooleanBuffer::new_unset(rows), BooleanBuffer::new_unset(rows)));
        };
        let there = there(&array);
        let matches = match &self.predicate {
            None => there.clone(),
            Some(predicate) => match field.data_type() {
                DataType::List(item) => {
                    let list = array.as_list::<i32>();
                    let items = predicate.matches(item, list.values())?;
                    let any = |row: &[i32]| (row[0]..row[1]).any(|at| items.value(at as usize));
                    list.value_offsets().windows(2).map(any).collect()
                }
                _ => predicate.matches(&field, &array)?,
            },
        };
        Ok((&matches & &there, there))
    }
}

/// What `path` leads to; None if nothing can be there.
fn lookup(field: &FieldRef, array: &ArrayRef, path: &[String]) -> Option<(FieldRef, ArrayRef)> {
    if path.is_empty() {
        return Some((field.clone(), array.clone()));
    }
    let column = Column { field: field.clone(), array: array.clone() };
    FieldPath::steps(path.to_vec()).find(&column, true).ok()?.column
}

fn there(array: &ArrayRef) -> BooleanBuffer {
    array.logical_nulls().map_or_else(|| BooleanBuffer::new_set(array.len()), NullBuffer::into_inner)
}

impl Expression {
    fn matches(&self, field: &FieldRef, array: &ArrayRef) -> Result<BooleanBuffer, RecordError> {
        let nowhere = || BooleanBuffer::new_unset(array.len());
        Ok(match self {
            Self::Or(all) => {
                let mut any = nowhere();
                for one in all {
                    any = &any | &one.matches(field, array)?;
                }
                any
            }
            Self::And(all) => {
                let mut every = BooleanBuffer::new_set(array.len());
                for one in all {
                    every = &every & &one.matches(field, array)?;
                }
                every
            }
            Self::Not(one) => !&one.matches(field, array)?,
            Self::There(path) => lookup(field, array, path).map_or_else(nowhere, |(_, array)| there(&array)),
            Self::Compare(path, comparison, literal) => match lookup(field, array, path) {
                Some((field, array)) => &comparison.matches(&field, &array, literal)? & &there(&array),
                None => nowhere(),
            },
            Self::In(path, literals, wanted) => match lookup(field, array, path) {
                Some((field, array)) => {
                    let mut any = nowhere();
                    for literal in literals {
                        any = &any | &Comparison::Equal.matches(&field, &array, literal)?;
                    }
                    let found = if *wanted { any } else { !&any };
                    &found & &there(&array)
                }
                None => nowhere(),
            },
        })
    }
}

impl Comparison {
    fn holds<T: PartialOrd>(self, value: &T, literal: &T) -> bool {
        match self {
            Self::Equal => value == literal,
            Self::NotEqual => value != literal,
            Self::Less => value < literal,
            Self::LessOrEqual => value <= literal,
            Self::Greater => value > literal,
            Self::GreaterOrEqual => value >= literal,
        }
    }

    /// Of values of two kinds none is equal, or less.
    const fn of_two_kinds(self) -> bool {
        matches!(self, Self::NotEqual)
    }

    fn matches(self, field: &FieldRef, array: &ArrayRef, literal: &Literal) -> Result<BooleanBuffer, RecordError> {
        let rows = array.len();
        let numbers = |value: &dyn Fn(usize) -> f64| match literal.number() {
            Some(number) => (0..rows).map(|row| self.holds(&value(row), &number)).collect(),
            None => (0..rows).map(|_| self.of_two_kinds()).collect(),
        };
        macro_rules! numbers {
            ($ty:ty) => {{
                let values = array.as_primitive::<$ty>().values();
                numbers(&|row| values[row] as f64)
            }};
        }
        Ok(match field.data_type() {
            DataType::Null => BooleanBuffer::new_unset(rows),
            DataType::Boolean => {
                let values = array.as_boolean().values();
                match literal {
                    Literal::Boolean(literal) => values.iter().map(|value| self.holds(&value, literal)).collect(),
                    _ => values.iter().map(|_| self.of_two_kinds()).collect(),
                }
            }
            DataType::Int8 => numbers!(Int8Type),
            DataType::Int16 => numbers!(Int16Type),
            DataType::Int32 => numbers!(Int32Type),
            DataType::Int64 => numbers!(Int64Type),
            DataType::Float32 => numbers!(Float32Type),
            DataType::Float64 => numbers!(Float64Type),
            DataType::Date32 => numbers!(Date32Type),
            DataType::Timestamp(..) => numbers!(TimestampMillisecondType),
            DataType::Decimal128(_, scale) => {
                let (values, unit) = (array.as_primitive::<Decimal128Type>().values(), 10f64.powi(i32::from(*scale)));
                numbers(&|row| values[row] as f64 / unit)
            }
            DataType::Utf8 if is_json(field) => {
                let values = array.as_string::<i32>();
                (0..rows).map(|row| self.holds_of_json(values.value(row).trim(), literal)).collect()
            }
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                match literal.text() {
                    Some(text) => (0..rows).map(|row| self.holds(&values.value(row), &text)).collect(),
                    None => (0..rows).map(|_| self.of_two_kinds()).collect(),
                }
            }
            other => return Err(RecordError::data(format!("the field {} of type {other} cannot be compared", field.name()))),
        })
    }

    /// The same for a value that is JSON.
    fn holds_of_json(self, json: &str, literal: &Literal) -> bool {
        let two_kinds = self.of_two_kinds();
        match json.bytes().next() {
            Some(b'"') => literal.text().map_or(two_kinds, |text| match json.trim_matches('"') {
                plain if !plain.contains('\\') => self.holds(&plain, &text),
                _ => serde_json::from_str::<String>(json).is_ok_and(|value| self.holds(&value.as_str(), &text)),
            }),
            Some(b't' | b'f') => match literal {
                Literal::Boolean(literal) => self.holds(&(json == "true"), literal),
                _ => two_kinds,
            },
            Some(b'-' | b'0'..=b'9') => json
                .parse()
                .ok()
                .zip(literal.number())
                .map_or(two_kinds, |(value, number): (f64, f64)| self.holds(&value, &number)),
            _ => two_kinds,
        }
    }
}

impl Literal {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number, _) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Boolean(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Number(_, text) | Self::Text(text) => Some(text),
            Self::Boolean(_) => None,
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Parser<'_> {
    fn take(&mut self, expected: &str) -> bool {
        self.rest = self.rest.trim_start();
        let Some(rest) = self.rest.strip_prefix(expected) else { return false };
        self.rest = rest;
        true
    }

    fn need(&mut self, expected: &str) -> Result<(), String> {
        if self.take(expected) { Ok(()) } else { Err(self.unexpected(&format!("'{expected}'"))) }
    }

    fn unexpected(&self, expected: &str) -> String {
        format!("in the JSON path {}, {expected} is expected before '{}'", self.text, self.rest)
    }

    fn unsupported(&self, what: &str) -> String {
        format!("in the JSON path {}, {what} is not supported here", self.text)
    }

    /// The steps after `path`, and a predicate.
    fn after(mut self, mut path: Vec<String>) -> Result<Condition, String> {
        loop {
            if self.rest.trim().is_empty() {
                return Ok(Condition { path, predicate: None });
            }
            if self.take("[?") || self.take(".[?") {
                self.need("(")?;
                let predicate = self.either()?;
                self.need(")")?;
                self.need("]")?;
                return match self.rest.trim() {
                    "" => Ok(Condition { path, predicate: Some(predicate) }),
                    _ => Err(self.unsupported("a step after a predicate")),
                };
            }
            path.push(self.step()?);
        }
    }

    /// `.name` or `['name']`.
    fn step(&mut self) -> Result<String, String> {
        if self.take("..") {
            return Err(self.unsupported("'..'"));
        }
        if self.take(".") {
            return self.name();
        }
        self.need("[")?;
        let name = match self.rest.trim_start().chars().next() {
            Some('\'' | '"') => self.quoted()?,
            Some('*') => return Err(self.unsupported("'*'")),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | ':' | '(') => return Err(self.unsupported("an index")),
            _ => return Err(self.unexpected("a name in quotes")),
        };
        if self.take(",") {
            return Err(self.unsupported("a list of names"));
        }
        self.need("]")?;
        Ok(name)
    }

    fn name(&mut self) -> Result<String, String> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '$')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if rest.starts_with('*') {
            return Err(self.unsupported("'*'"));
        }
        if rest.starts_with('(') {
            return Err(self.unsupported("a function"));
        }
        if name.is_empty() {
            return Err(self.unexpected("a name"));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut all = self.rest.trim_start().char_indices();
        let quote = all.next().map(|(_, c)| c);
        let mut text = String::new();
        while let Some((at, c)) = all.next() {
            match c {
                '\\' => text.extend(all.next().map(|(_, c)| c)),
                c if Some(c) == quote => {
                    self.rest = &self.rest.trim_start()[at + 1..];
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(self.unexpected("the end of a quote"))
    }

    fn either(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.both()?];
        while self.take("||") {
            all.push(self.both()?);
        }
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Expression::Or(all) })
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.one()?];
        while self.take("&&") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Expression::And(all) })
    }

    fn one(&mut self) -> Result<Expression, String> {
        if self.take("!") {
            return self.one().map(|one| Expression::Not(Box::new(one)));
        }
        if self.take("(") {
            let inner = self.either()?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.rest.starts_with('$') {
            return Err(self.unsupported("'$' within a predicate"));
        }
        if !self.take("@") {
            return Err(self.unexpected("'@'"));
        }
        let mut path = Vec::new();
        while self.rest.starts_with(['.', '[']) {
            path.push(self.step()?);
        }
        const COMPARISONS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        for (sign, comparison) in COMPARISONS {
            if self.take(sign) {
                return self.compared(path, comparison);
            }
        }
        for (word, wanted) in [("in ", true), ("in[", true), ("nin ", false), ("nin[", false)] {
            if self.rest.trim_start().starts_with(word) {
                self.take(word.trim_end_matches([' ', '[']));
                self.need("[")?;
                let mut literals = vec![self.literal()?];
                while self.take(",") {
                    literals.push(self.literal()?);
                }
                self.need("]")?;
                return Ok(Expression::In(path, literals, wanted));
            }
        }
        match self.rest.trim_start() {
            rest if rest.starts_with([')', '&', '|']) => Ok(Expression::There(path)),
            rest if rest.starts_with("=~") => Err(self.unsupported("a regular expression")),
            rest if rest.starts_with(|c: char| c.is_alphabetic()) => {
                let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
                Err(self.unsupported(&format!("the operator '{word}'")))
            }
            _ => Err(self.unexpected("a comparison")),
        }
    }

    fn compared(&mut self, path: Vec<String>, comparison: Comparison) -> Result<Expression, String> {
        if self.take("null") {
            return match comparison {
                Comparison::NotEqual => Ok(Expression::There(path)),
                _ => Err(self.unsupported(
                    "a comparison with null, which nothing matches: [?(!@.field)] asks for what is missing or null,",
                )),
            };
        }
        Ok(Expression::Compare(path, comparison, self.literal()?))
    }

    fn literal(&mut self) -> Result<Literal, String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with(['\'', '"']) {
            return self.quoted().map(Literal::Text);
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.take(word) {
                return Ok(Literal::Boolean(value));
            }
        }
        let end =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.')).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        let value = number.parse().map_err(|_| self.unexpected("a text in quotes, a number, true or false"))?;
        self.rest = rest;
        Ok(Literal::Number(value, number.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless};

    fn matching(condition: &str, column: &Column) -> Vec<usize> {
        let (matches, _) = Condition::parse(condition).expect(condition).matches(column).expect(condition);
        matches.set_indices().collect()
    }

    #[test]
    fn conditions_hold_for_rows() {
        let values = [
            Some(r#"{"key":{"nestedKey":"value1","n":1},"tags":["a","b"],"ok":true,"items":[{"p":5},{"p":50}]}"#),
            Some(r#"{"key":{"nestedKey":"value2","n":2.5},"tags":[],"ok":false,"items":[{"p":7}]}"#),
            Some(r#"{"key":{"nestedKey":"value3","n":-1,"a b":"x"}}"#),
            Some(r#"{"other":1}"#),
            None,
        ];
        let column = schemaless(&values).value;
        for (condition, rows) in [
            (r#"$.key[?(@.nestedKey == "value1" || @.nestedKey == "value2")]"#, &[0, 1][..]),
            ("$.key[?(@.nestedKey in ['value1', 'value3'])]", &[0, 2]),
            ("$.key[?(@.nestedKey nin ['value1', 'value3'])]", &[1]),
            ("$[?(@.key.nestedKey != 'value1')]", &[1, 2]),
            ("$.[?(@.key)]", &[0, 1, 2]),
            ("$[?(!@.key)]", &[3]),
            ("$[?(@.ok)]", &[0, 1]),
            ("$[?(@.ok == true)]", &[0]),
            ("$[?(@.key.n > 0 && @.key.n < 2.5)]", &[0]),
            ("$[?(@.key.n >= 2.5 || (@.ok == true && !(@.key.n == 7)))]", &[0, 1]),
            ("$[?(@.key.n == '1')]", &[0]),
            ("$['key']['a b']", &[2]),
            ("$.key.nestedKey", &[0, 1, 2]),
            ("key.nestedKey", &[0, 1, 2]),
            ("$.items[?(@.p > 10)]", &[0]),
            ("$.tags[?(@ == 'b')]", &[0]),
            ("$[?(@.other != null)]", &[3]),
            ("$.nope.deeper", &[]),
            ("$.ok.deeper", &[]),
            ("$[?(@.key.nestedKey > 'value1')]", &[1, 2]),
            ("$[?(@.ok != 1)]", &[0, 1]),
        ] {
            assert_eq!(matching(condition, &column), rows, "{condition}");
        }
        let mixed = schemaless(&[Some(r#"{"a":1}"#), Some(r#"{"a":"1"}"#), Some(r#"{"a":"x\"y"}"#), Some(r#"{"a":true}"#)]).value;
        for (condition, rows) in [
            ("$[?(@.a == 1)]", &[0, 1][..]),
            ("$[?(@.a == 'x\"y')]", &[2]),
            ("$[?(@.a == true)]", &[3]),
            ("$[?(@.a != 1)]", &[2, 3]),
        ] {
            assert_eq!(matching(condition, &mixed), rows, "{condition}");
        }
        let record = r#"{"schema":{"type":"struct","fields":[{"field":"d","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},{"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"string"}}]},"payload":{"d":"AN4=","m":{}}}"#;
        let typed = records(&[(None, Some(record))], true).swap_remove(0).value;
        assert_eq!(matching("$[?(@.d == 2.22)]", &typed), [0]);
        assert!(Condition::parse("$[?(@.m == 1)]").expect("valid").matches(&typed).is_err());
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (condition, what) in [
            ("$..a", "'..'"),
            ("$.*", "'*'"),
            ("$[*]", "'*'"),
            ("$[0]", "an index"),
            ("$['a','b']", "a list of names"),
            ("$.length()", "a function"),
            ("$[?(@.a)].b", "a step after a predicate"),
            ("$[?(@.a =~ /x/)]", "a regular expression"),
            ("$[?(@.a contains 'x')]", "the operator 'contains'"),
            ("$[?(@.a == null)]", "a comparison with null"),
            ("$[?($.a == 1)]", "'$' within a predicate"),
        ] {
            let error = Condition::parse(condition).expect_err(condition);
            assert!(error.contains(what) && error.contains("is not supported here"), "{error}");
        }
        for condition in ["", "$[", "$[?(", "$[?(@.a == )]", "$[?(@.a == 'x)]", "$[?(1 == @.a)]", "$.a b"] {
            assert!(Condition::parse(condition).is_err(), "{condition}");
        }
        assert_eq!(names(r#"$["f1"].f3"#), Ok(vec!["f1".to_owned(), "f3".to_owned()]));
        assert!(names("$").is_err() && names("$[?(@.a)]").is_err());
    }
}
