//! Templates of our own: `{topic}/{value.region}/year={timestamp:%Y}/{partition}-{offset:020}`.

use super::{Absent, Part, Parts, Template};
use crate::partition::column::path;
use crate::partition::extract::Extractor;
use crate::partition::zone::Zone;

/// What Hive, and Spark and DuckDB after it, read as null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

impl Template {
    /// The template that `text` is. What can be put in: `{topic}`, where the rows go; `{source.topic}`, where they come from;
    /// `{partition}`; `{offset}`, of the first row; both with so many digits at least: `{offset:020}`; `{value}` or `{value.a.b}`;
    /// `{key}` or `{key.a}`; `{header.name}`; `{timestamp:%Y-%m-%d}`, of the row's time by `extractor` in `zone`. A template that ends
    /// with `/` gets the file name of Confluent's sinks. `several` says whether rows may come from more than one topic.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn ours(text: &str, zone: Zone, extractor: Extractor, several: bool) -> Result<Self, String> {
        let mut parts = Parts::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            parts.text(before);
            let (inside, after) = after.split_once('}').ok_or_else(|| format!("the brace before {after:?} is not closed"))?;
            placeholder(inside, &mut parts)?;
            rest = after;
        }
        parts.text(rest);
        Self::new(parts, Absent::Null(NULL), zone, extractor, several)
    }
}

fn placeholder(text: &str, parts: &mut Parts) -> Result<(), String> {
    let (name, format) = text.split_once(':').map_or((text, None), |(name, format)| (name, Some(format)));
    let field = |field: &str| match path(field) {
        path if path.iter().any(String::is_empty) => Err(format!("{{{text}}} has an empty name")),
        path => Ok(path),
    };
    parts.push(match (name, format) {
        ("topic", None) => Part::Topic,
        ("source.topic", None) => Part::SourceTopic,
        ("partition", width) => Part::Partition(digits(text, width)?),
        ("offset", width) => Part::Offset(digits(text, width)?),
        ("timestamp", Some(format)) => return time(format, parts),
        ("timestamp", None) => return Err("{timestamp} needs a format: {timestamp:%Y-%m-%d}".into()),
        _ => match text.split_once('.') {
            None if text == "value" => Part::Value(Vec::new()),
            None if text == "key" => Part::Key(Vec::new()),
            Some(("value", name)) => Part::Value(field(name)?),
            Some(("key", name)) => Part::Key(field(name)?),
            Some(("header", name)) if !name.is_empty() => Part::Header(name.to_owned()),
            _ => {
                let known = "{topic}, {source.topic}, {partition}, {offset}, {value.<field>}, {key}, {key.<field>}, {header.<name>} \
                             and {timestamp:<format>}";
                return Err(format!("{{{text}}} is none of {known}"));
            }
        },
    });
    Ok(())
}

/// `020`: so many digits.
fn digits(text: &str, width: Option<&str>) -> Result<usize, String> {
    let Some(width) = width else { return Ok(0) };
    let digits = width.strip_prefix('0').and_then(|width| width.parse().ok()).filter(|n| (1..=20).contains(n));
    digits.ok_or_else(|| format!("{{{text}}} has no number of digits from 01 to 020"))
}

/// Adds a time by a format of `strftime`.
fn time(format: &str, parts: &mut Parts) -> Result<(), String> {
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let pattern = match first {
            '%' => {
                let letter = rest.chars().nth(1).ok_or("a time ends with %")?;
                rest = &rest[1 + letter.len_utf8()..];
                let unknown = || format!("%{letter} is none of the letters that a time has here: YmdHMSLyjFBbAaIpGVuz%");
                joda(letter).ok_or_else(unknown)?.to_owned()
            }
            '/' => {
                rest = &rest[1..];
                parts.text("/");
                continue;
            }
            _ => {
                let (text, after) = rest.split_at(rest.find(['%', '/']).unwrap_or(rest.len()));
                rest = after;
                if text.contains(|c: char| c.is_control() || c == '{' || c == '\\') {
                    return Err(format!("a time has {text:?}, which no path can have"));
                }
                format!("'{}'", text.replace('\'', "''"))
            }
        };
        parts.push(Part::Time(vec![pattern]));
    }
    Ok(())
}

/// The Joda pattern of a letter of `strftime`.
fn joda(letter: char) -> Option<&'static str> {
    Some(match letter {
        'Y' => "yyyy",
        'm' => "MM",
        'd' => "dd",
        'H' => "HH",
        'M' => "mm",
        'S' => "ss",
        'L' => "SSS",
        'y' => "yy",
        'j' => "DDD",
        'F' => "yyyy-MM-dd",
        'B' => "MMMM",
        'b' => "MMM",
        'A' => "EEEE",
        'a' => "EEE",
        'I' => "hh",
        'p' => "a",
        'G' => "xxxx",
        'V' => "ww",
        'u' => "e",
        'z' => "Z",
        '%' => "%",
        _ => return None,
    })
}
