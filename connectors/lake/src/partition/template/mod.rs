//! Paths by a template, file name included: ours (`landfall.path.template`), Aiven's and Lenses'.
//!
//! A folder is the whole path, with a place for the offset of the file's first row. Values are [`escape`]d; where a name has several
//! of them, what stands behind one does not come up in it, so that the parts of a path can always be told from each other: two
//! partitions, offsets or values never have one path. A name that begins with the `_` or `.` of a value has it encoded: readers pass
//! over files that are called so.

mod aiven;
mod lenses;
mod ours;

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, Int32Array};
use arrow_schema::Field;
use arrow_select::take::take;
use landfall_api::{Batch, Column, RecordError};

use super::column::{self, Leaf};
use super::extract::Extractor;
use super::groups::Groups;
use super::joda::{DAY, Pattern, civil, number};
use super::zone::Zone;
use super::{Folders, Partitioner, all, escape, named, partition_error};
use crate::columns::Refusals;
use crate::name::{File, Names};
use crate::storage::checked_path;

pub use lenses::{Padding, PartitionBy};

/// What stands for the offset in a folder. No value has a brace.
const OFFSET: &str = "{offset}";

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A text, without a slash.
    Literal(String),
    /// The topic that the row goes to.
    Topic,
    /// The topic that it comes from.
    SourceTopic,
    /// The partition that it comes from, with at least so many digits.
    Partition(usize),
    /// The offset of the first row of the file, with at least so many digits.
    Offset(usize),
    /// A field of the value; all of it without names.
    Value(Vec<String>),
    /// A field of the key; all of it without names.
    Key(Vec<String>),
    /// The last header with this key.
    Header(String),
    /// The row's time, by Joda patterns one after the other.
    Time(Vec<String>),
}

impl Part {
    fn is_number(&self) -> bool {
        matches!(self, Self::Partition(_) | Self::Offset(_))
    }

    /// Whether it is a text that can be anything.
    fn is_text(&self) -> bool {
        matches!(self, Self::Topic | Self::SourceTopic | Self::Value(_) | Self::Key(_) | Self::Header(_))
    }
}

/// The names of a path, from the top; the last one is the file's, or has no part where that is Confluent's.
#[derive(Clone, Debug)]
pub(super) struct Parts(Vec<Vec<Part>>);

impl Default for Parts {
    fn default() -> Self {
        Self(vec![Vec::new()])
    }
}

impl Parts {
    /// Adds text; a slash in it ends a name.
    pub(super) fn text(&mut self, text: &str) {
        for (n, text) in text.split('/').enumerate() {
            if n > 0 {
                self.0.push(Vec::new());
            }
            match self.0.last_mut() {
                Some(name) if !text.is_empty() => match name.last_mut() {
                    Some(Part::Literal(before)) => before.push_str(text),
                    _ => name.push(Part::Literal(text.to_owned())),
                },
                _ => {}
            }
        }
    }

    /// Adds a part; times that follow each other are one.
    pub(super) fn push(&mut self, part: Part) {
        let Some(name) = self.0.last_mut() else { return };
        match (name.last_mut(), part) {
            (Some(Part::Time(before)), Part::Time(patterns)) => before.extend(patterns),
            (_, part) => name.push(part),
        }
    }
}

/// What becomes of a value that is null or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// This; a text that is the same shares its folder.
    Word(&'static str),
    /// This, which readers take for null; a text that is the same is encoded.
    Null(&'static str),
}

/// A partitioner that makes whole paths.
#[derive(Debug)]
pub struct Template {
    names: Vec<Vec<Part>>,
    /// The patterns of the times, in the order in which they come up.
    patterns: Vec<Pattern>,
    absent: Absent,
    zone: Zone,
    extractor: Extractor,
}

impl Template {
    /// A template; `several` says whether rows may come from more than one topic.
    fn new(parts: Parts, absent: Absent, zone: Zone, extractor: Extractor, several: bool) -> Result<Self, String> {
        let names = parts.0;
        check(&names, several)?;
        let times = names.iter().flatten().filter_map(|part| if let Part::Time(patterns) = part { Some(patterns) } else { None });
        let patterns = times.flatten().map(|pattern| Pattern::new(pattern, &zone, "en")).collect::<Result<_, _>>()?;
        Ok(Self { names, patterns, absent, zone, extractor })
    }

    /// The file's name if the template has it.
    fn file(&self) -> Option<&[Part]> {
        self.names.last().map(Vec::as_slice).filter(|name| !name.is_empty())
    }

    fn has(&self, wanted: impl Fn(&Part) -> bool) -> bool {
        self.names.iter().flatten().any(wanted)
    }

    /// The values of the parts that have some, in the order in which they come up.
    fn leaves(&self, batch: &Batch) -> Result<Vec<Option<Leaf>>, RecordError> {
        let leaf = |part: &Part| match part {
            Part::Value(path) => Some(field(&batch.value, path)),
            Part::Key(path) => Some(field(&batch.key, path)),
            Part::Header(key) => Some(Ok(header(batch, key))),
            _ => None,
        };
        self.names.iter().flatten().filter_map(leaf).collect()
    }

    /// Writes the path of a row.
    fn write(
        &self,
        batch: &Batch,
        row: usize,
        leaves: &[Option<Leaf>],
        time: Option<i64>,
        out: &mut String,
    ) -> Result<(), RecordError> {
        let (mut leaves, mut patterns) = (leaves.iter(), self.patterns.iter());
        for (n, name) in self.names.iter().enumerate() {
            if n > 0 {
                out.push('/');
            }
            let begin = out.len();
            let last_text = name.iter().rposition(Part::is_text);
            for (at, part) in name.iter().enumerate() {
                // Up to the last text of a name, what ends a text is not in it.
                let stop = match name.get(at + 1) {
                    Some(Part::Literal(next)) if last_text.is_some_and(|last| at < last) => next.chars().next(),
                    _ => None,
                };
                let more = |c| c == '{' || Some(c) == stop;
                match part {
                    Part::Literal(text) => out.push_str(text),
                    Part::Topic => escape::value(&batch.topic, more, out),
                    Part::SourceTopic => escape::value(&batch.origin.topic, more, out),
                    Part::Partition(width) => number(batch.origin.partition.into(), *width, out),
                    Part::Offset(_) => out.push_str(OFFSET),
                    Part::Time(all) => {
                        for pattern in patterns.by_ref().take(all.len()) {
                            pattern.write(time.unwrap_or_default(), &self.zone, out);
                        }
                    }
                    Part::Value(_) | Part::Key(_) | Part::Header(_) => {
                        let text = leaves.next().and_then(Option::as_ref).map_or(Ok(None), |leaf| leaf.text(row))?;
                        match (text.as_deref(), self.absent) {
                            (None, Absent::Word(word) | Absent::Null(word)) => out.push_str(word),
                            (Some(text), Absent::Null(word)) if text == word => escape::all(text, out),
                            // a percent sign alone is otherwise one of the text
                            (Some(""), _) => out.push('%'),
                            (Some("%"), _) => escape::all("%", out),
                            (Some(text), _) => escape::value(text, more, out),
                        }
                    }
                }
            }
            if name.first().is_some_and(Part::is_text) && !self.absent.is(&out[begin..]) {
                escape::begin(begin, out);
            }
            escape::end(out);
        }
        Ok(())
    }

    /// A row's time if its year has four digits, as the parts of paths must have their places.
    fn time(&self, time: i64) -> Result<i64, RecordError> {
        let (year, ..) = civil(time.saturating_add(self.zone.offset(time)).div_euclid(DAY));
        if (0..=9999).contains(&year) {
            return Ok(time);
        }
        Err(partition_error(format!("the timestamp {time} is in the year {year}, and a path has four digits for it")))
    }
}

impl Absent {
    fn is(self, text: &str) -> bool {
        let (Self::Word(word) | Self::Null(word)) = self;
        text == word
    }
}

impl Partitioner for Template {
    fn folders(&self, batch: &Batch, now_ms: i64) -> Result<Folders, Refusals> {
        let leaves = self.leaves(batch).map_err(|error| all(batch, &error))?;
        let mut groups = leaves.iter().flatten().map(Leaf::groups).fold(Groups::one(batch.len()), Groups::and);
        let times = if self.patterns.is_empty() { None } else { Some(self.extractor.times(batch, now_ms)?) };
        if let Some(times) = times.as_ref().filter(|_| !self.extractor.is_constant()) {
            let period = self.patterns.iter().map(Pattern::period).min().unwrap_or(DAY);
            let mut offsets = self.zone.offsets();
            let bucket = |time: &i64| time.saturating_add(offsets.at(*time)).div_euclid(period);
            groups = groups.and(Groups::of(times.values().iter().map(bucket)));
        }
        let time_of = times.clone();
        named(groups, times, |row, folder| {
            let time = time_of.as_ref().map(|times| self.time(times.value(row))).transpose()?;
            self.write(batch, row, &leaves, time, folder)
        })
    }

    fn time_based(&self) -> bool {
        !self.patterns.is_empty()
    }

    fn path(&self, names: &Names, file: &File<'_>) -> String {
        let mut path = file.folder.to_owned();
        for part in self.names.iter().flatten() {
            if let Part::Offset(width) = part {
                path = path.replacen(OFFSET, &format!("{:01$}", file.first, *width), 1);
            }
        }
        if self.file().is_none() {
            path += &names.file(file);
            return names.below(&path);
        }
        // Two topics may be sent to one: the file then says where its rows come from, as Confluent's does.
        if file.topic != &*file.origin.topic && !self.has(|part| *part == Part::SourceTopic) {
            path.push('+');
            escape::value(&file.origin.topic, |_| false, &mut path);
        }
        path += file.suffix;
        path += file.extension;
        names.below(&path)
    }
}

/// The field of a column with these names; None if it is absent where there is no schema.
fn field(of: &Column, path: &[String]) -> Result<Option<Leaf>, RecordError> {
    let name = || if path.is_empty() { of.field.name().clone() } else { path.join(".") };
    match Leaf::find(of, path) {
        Some(leaf) if leaf.kind().is_some() => Ok(Some(leaf)),
        Some(leaf) => {
            Err(partition_error(format!("the field '{}' is of the type {}, which is no name", name(), leaf.field.data_type())))
        }
        None if column::is_struct(of) => Err(RecordError::data(format!("Field '{}' is not present in the schema.", name()))),
        None => Ok(None),
    }
}

/// The values of the last header with a key.
fn header(batch: &Batch, key: &str) -> Option<Leaf> {
    let headers = batch.headers.as_ref()?;
    let entries = headers.values().as_struct();
    let keys = entries.column(0).as_string_opt::<i32>()?;
    let last = |row: usize| {
        let range = headers.value_offsets()[row]..headers.value_offsets()[row + 1];
        range.rev().find(|at| keys.value(*at as usize) == key)
    };
    let at = Int32Array::from_iter((0..headers.len()).map(last));
    let array = take(entries.column(1), &at, None).ok()?;
    let field = Arc::new(Field::new(key, array.data_type().clone(), true));
    Some(Leaf::root(&Column { field, array }))
}

/// Checks that a path is one, and that no two partitions, offsets or values can have the same.
fn check(names: &[Vec<Part>], several: bool) -> Result<(), String> {
    let example =
        names.iter().map(|name| name.iter().map(|part| if let Part::Literal(text) = part { text } else { "x" }).collect());
    let mut example: Vec<String> = example.collect();
    if example.last().is_some_and(String::is_empty) {
        example.pop();
    }
    let path = example.join("/");
    checked_path(&path).map_err(|error| error.to_string())?;
    if path.contains(['{', '}']) {
        return Err("a brace is for what is put in: {topic}, {value.field}, …".into());
    }
    if example.first().is_some_and(|name| name == "_landfall") {
        return Err("_landfall is where unfinished files are".into());
    }
    let has = |wanted: fn(&Part) -> bool| names.iter().flatten().any(wanted);
    if names.last().is_some_and(|name| !name.is_empty()) {
        if !has(|part| matches!(part, Part::Partition(_))) {
            return Err("it has no {partition}: files of two partitions would have one name".into());
        }
        if !has(|part| matches!(part, Part::Offset(_))) {
            return Err("it has no {offset}: two files of a partition would have one name".into());
        }
        if several && !has(|part| matches!(part, Part::Topic | Part::SourceTopic)) {
            return Err("it has no {topic}, and the connector may have several: their files would have one name".into());
        }
    }
    names.iter().try_for_each(|name| separate(name))
}

/// Checks that the parts of a name can be told from each other.
fn separate(name: &[Part]) -> Result<(), String> {
    let last_text = name.iter().rposition(Part::is_text);
    for (at, pair) in name.windows(2).enumerate() {
        match pair {
            [Part::Literal(text), number] if number.is_number() && text.ends_with(|c: char| c.is_ascii_digit()) => {
                return Err(format!("a number comes right after {text:?}, and could not be told from it"));
            }
            [number, Part::Literal(text)] if number.is_number() && text.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(format!("a number comes right before {text:?}, and could not be told from it"));
            }
            [part, Part::Literal(text)]
                if part.is_text()
                    && last_text.is_some_and(|last| at < last)
                    && text.starts_with(|c: char| c.is_alphanumeric() || c == '%') =>
            {
                return Err(format!(
                    "{text:?} comes between two values, and could not be told from them: it must begin with a sign"
                ));
            }
            [Part::Literal(_), _] | [_, Part::Literal(_)] => {}
            _ => return Err("two values stand beside each other, and could not be told apart: put a text between them".into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
