//! Paths of Lenses' sinks (`io.lenses.streamreactor.connect.cloud.common.sink.naming.CloudKeyNamer`, 9.0): `PARTITIONBY` in KCQL.
//!
//! Differs from Lenses where a path would have what is only known when the file is finished: without a `PARTITIONBY` its file names
//! end with the timestamps of the earliest and the latest record, `<offset>_<earliest>_<latest>`, ours are `<offset>`. A file has its
//! name before its rows are known. A slash in a value, which Lenses makes a folder of, is encoded; a null, which fails Lenses' task
//! where it is a whole key, value or header, is `[missing]` as all else that is not there.

use super::{Absent, Part, Parts, Template};
use crate::partition::extract::{Extractor, Source, Unit};
use crate::partition::zone::Zone;

/// What a statement says of folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionBy<'a> {
    /// Nothing: folders are the topic and the partition.
    Nothing,
    /// `NOPARTITION`: there are none.
    None,
    /// `PARTITIONBY` these: `_key`, `_key.a`, `_value.a`, `a`, `_header.h`, `_topic`, `_partition`, `_date.<format>`.
    Fields(&'a [String]),
}

/// How numbers are filled up with zeros (`padding.length`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// The digits of partitions; Lenses' default is 0.
    pub partition: usize,
    /// The digits of offsets; Lenses' default is 12.
    pub offset: usize,
}

impl Template {
    /// The paths of a statement. Folders are `<name>=<value>` with `keys` (`partition.include.keys`), which is true by default for
    /// `PARTITIONBY` and else false, or `<value>`. File names end with `suffix` (`key.suffix`). Dates are in `zone` (Lenses takes that
    /// of its process). `several` says whether rows may come from more than one topic.
    ///
    /// # Errors
    /// What is wrong with it, as far as possible in Lenses' words.
    pub fn lenses(
        by: PartitionBy<'_>,
        keys: Option<bool>,
        padding: Padding,
        suffix: &str,
        zone: Zone,
        several: bool,
    ) -> Result<Self, String> {
        let mut parts = Parts::default();
        let keys = keys.unwrap_or(matches!(by, PartitionBy::Fields(_)));
        let mut folder = |label: &str, part: Part| {
            if keys {
                parts.text(&format!("{label}="));
            }
            parts.push(part);
            parts.text("/");
        };
        let partition = Part::Partition(padding.partition);
        match by {
            PartitionBy::Nothing => {
                folder("topic", Part::Topic);
                folder("partition", partition.clone());
            }
            PartitionBy::None => {}
            PartitionBy::Fields(fields) => {
                for spec in fields {
                    let (label, part) = specifier(spec, padding)?;
                    folder(&label, part);
                }
            }
        }
        match by {
            PartitionBy::Nothing => parts.push(Part::Offset(padding.offset)),
            _ => {
                parts.push(Part::Topic);
                parts.text("(");
                parts.push(partition);
                parts.text("_");
                parts.push(Part::Offset(padding.offset));
                parts.text(")");
            }
        }
        parts.text(suffix);
        Self::new(parts, Absent::Word("[missing]"), zone, Extractor::new(Source::Record, Unit::Millis), several)
    }
}

/// The label and the value of a folder.
fn specifier(spec: &str, padding: Padding) -> Result<(String, Part), String> {
    let mut names = split(spec);
    let kind = if names.first().is_some_and(|name| name.starts_with('_')) { names.remove(0) } else { "_value".to_owned() };
    if names.iter().any(|name| name.trim().is_empty() || name.contains(['/', '\\'])) {
        return Err("Name must not be empty and must not contain a slash character".into());
    }
    let label = names.join(".");
    let without = |what: &str| format!("cannot partition by {what} partition field without path");
    Ok(match (kind.as_str(), names.is_empty()) {
        ("_key", true) => ("key".to_owned(), Part::Key(names)),
        ("_key", false) => (label, Part::Key(names)),
        ("_topic", true) => ("topic".to_owned(), Part::Topic),
        ("_topic", false) => return Err("partitioning by topic requires no path".into()),
        ("_partition", true) => ("partition".to_owned(), Part::Partition(padding.partition)),
        ("_partition", false) => return Err("partitioning by partition requires no path".into()),
        ("_header", true) => return Err(without("Header")),
        ("_header", false) if names.len() == 1 => (label, Part::Header(names.remove(0))),
        ("_header", false) => return Err(format!("{spec}: a header's value is text, which has no fields")),
        ("_value", true) => return Err(without("Value")),
        ("_value", false) => (label, Part::Value(names)),
        ("_date", true) => return Err("cannot partition by Date partition field without format".into()),
        ("_date", false) if names.len() == 1 => ("date".to_owned(), Part::Time(vec![date(&names[0])?])),
        ("_date", false) => return Err("only one format should be provided for date".into()),
        // a field whose name begins so
        (field, _) => {
            let mut path = vec![field.to_owned()];
            path.append(&mut names);
            (path.join("."), Part::Value(path))
        }
    })
}

/// The names of a path; what is in backquotes is one.
fn split(spec: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    for c in spec.chars() {
        match c {
            '`' if quoted || name.is_empty() => {
                quoted = !quoted;
                if !quoted {
                    names.push(std::mem::take(&mut name));
                }
            }
            '.' if !quoted => {
                if !name.is_empty() {
                    names.push(std::mem::take(&mut name));
                }
            }
            c => name.push(c),
        }
    }
    if !name.is_empty() {
        names.push(name);
    }
    names
}

/// The Joda pattern of one of `java.time.format.DateTimeFormatter`, of the letters that mean the same.
fn date(format: &str) -> Result<String, String> {
    let mut quoted = false;
    let mut pattern = String::new();
    for c in format.chars() {
        quoted ^= c == '\'';
        match c {
            'u' | 'y' if !quoted => pattern.push('y'),
            c if quoted || !c.is_ascii_alphabetic() || "MdDHhkKmsSaE".contains(c) => pattern.push(c),
            c => return Err(format!("the date format {format:?} has a letter, {c}, that is none of uyMdDHhkKmsSaE")),
        }
    }
    if pattern.contains(['/', '\\', '{', '}']) {
        Err(format!("the date format {format:?} has a slash or a brace"))
    } else {
        Ok(pattern)
    }
}
