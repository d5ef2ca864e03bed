//! What becomes of an open file when rows of another schema come for it (`schema.compatibility`, `landfall.schema`).
//!
//! [`next`] is the rule: that of Confluent's sinks ([`compatible`]), or ours, by which files only ever [`widen`]. [`project()`] makes
//! rows fit a file, and [`Evolution`] keeps for a partition what its files have learned.

mod compatible;
mod keys;
mod project;
mod widen;

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use landfall_api::RecordError;
use landfall_api::schema::is_schemaless;

pub use keys::SchemaKeys;
pub use project::{project, regrown};

use crate::roll::Fits;

/// What a schema that differs from the file's does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Any difference ends the file (`schema.compatibility=NONE`).
    #[default]
    None,
    /// A newer version ends the file; older ones are projected to it.
    Backward,
    /// An older version ends the file; newer ones are projected to it.
    Forward,
    /// What [`Backward`](Self::Backward) does, as in Confluent's code.
    Full,
    /// The file's schema grows to hold both (`landfall.schema=widen`).
    Widen,
}

/// What becomes of a file and the next rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The rows have its schema.
    Same,
    /// The rows are projected to this, which is its schema.
    Project(FieldRef),
    /// Its schema grows to this, and the rows are projected to it.
    Widen(FieldRef),
    /// It ends, and the rows go to the next one.
    Rotate,
}

/// What becomes of a file of values of `file` when values of `rows` come. Where neither has a schema, any rule widens: Java has nothing
/// to compare then. Where one has, and the other none, only [`Rule::Widen`] goes on in the file, and Java's sinks begin another one.
///
/// # Errors
/// Java's `SchemaProjectorException`: a schema has no version, and the rule compares versions.
pub fn next(rule: Rule, file: &FieldRef, rows: &FieldRef) -> Result<Next, RecordError> {
    if Arc::ptr_eq(file, rows) || equal(file, rows) {
        return Ok(Next::Same);
    }
    match (has_schema(file), has_schema(rows)) {
        (true, true) if rule != Rule::Widen => compatible::next(rule, file, rows),
        (true, false) | (false, true) if rule != Rule::Widen => Ok(Next::Rotate),
        _ => Ok(widen::next(file, rows)),
    }
}

/// Whether values of the two fields have equal schemas; their own names do not count.
fn equal(a: &Field, b: &Field) -> bool {
    a.data_type() == b.data_type() && a.is_nullable() == b.is_nullable() && a.metadata() == b.metadata()
}

/// Whether Java's `valueSchema` is there.
fn has_schema(field: &Field) -> bool {
    !is_schemaless(field) && *field.data_type() != DataType::Null
}

/// What becomes of the next rows of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// They go in, projected to this. It is the open file's schema, or that of a new one.
    In(FieldRef),
    /// The open file's schema becomes this, and rows of it that no encoder has are projected too; where one has some, the file ends
    /// ([`Reason::Schema`](crate::roll::Reason::Schema)) and the next one has this.
    Grow(FieldRef),
    /// The open file ends, and the next one has this. How it does is never [`Fits::Yes`].
    End(FieldRef, Fits),
}

impl Take {
    /// The schema that the rows are projected to.
    #[must_use]
    pub fn field(&self) -> &FieldRef {
        match self {
            Self::In(field) | Self::Grow(field) | Self::End(field, _) => field,
        }
    }

    /// Whether the rows go to the open file, which `grows` if nothing of it is encoded.
    #[must_use]
    pub fn fits(&self, grows: bool) -> Fits {
        match self {
            Self::In(_) => Fits::Yes,
            Self::Grow(_) if grows => Fits::Yes,
            Self::Grow(_) => Fits::No,
            Self::End(_, fits) => *fits,
        }
    }
}

/// What the files of a partition have learned of the schemas of its values. With [`Rule::Widen`] it only grows, over the ends of files
/// and for all folders, so that any number of schemas in any order ends a folder's files at most once for each but the first.
#[derive(Clone, Debug, Default)]
pub struct Evolution {
    rule: Rule,
    known: Option<FieldRef>,
    /// Schemas of files and of rows that go into them, as found last: a comparison of wide schemas costs more than a small batch.
    fitting: Vec<(FieldRef, FieldRef)>,
}

/// How many pairs of schemas a partition remembers.
const REMEMBERED: usize = 16;

impl Evolution {
    /// `learned` is what files before knew, if that is known.
    #[must_use]
    pub fn new(rule: Rule, learned: Option<FieldRef>) -> Self {
        let known = learned.filter(|_| rule == Rule::Widen).map(|learned| widen::bare(&learned));
        Self { rule, known, fitting: Vec::new() }
    }

    /// What all values so far fit, where schemas grow.
    #[must_use]
    pub fn known(&self) -> Option<&FieldRef> {
        self.known.as_ref()
    }

    /// What becomes of values of `rows` where the open file of their folder, if there is one, has those of `file`: what
    /// [`Take::field`] gave for it last.
    ///
    /// # Errors
    /// As [`next`].
    pub fn take(&mut self, file: Option<&FieldRef>, rows: &FieldRef) -> Result<Take, RecordError> {
        if let Some(file) = file.filter(|file| self.fit(file, rows)) {
            return Ok(Take::In(file.clone()));
        }
        let grows = self.rule == Rule::Widen || !has_schema(rows);
        let known = if grows { self.learn(rows) } else { rows.clone() };
        let Some(file) = file else { return Ok(Take::In(known)) };
        Ok(match next(self.rule, file, rows)? {
            Next::Same | Next::Project(_) => {
                self.remember(file, rows);
                Take::In(file.clone())
            }
            // Other folders may have taught more.
            Next::Widen(field) => match widen::next(&known, &field) {
                Next::Same | Next::Project(_) => Take::Grow(known),
                _ => Take::Grow(field),
            },
            Next::Rotate if has_schema(file) != has_schema(rows) => Take::End(known, Fits::Never),
            Next::Rotate => Take::End(known, Fits::No),
        })
    }

    fn learn(&mut self, rows: &FieldRef) -> FieldRef {
        let known = match &self.known {
            Some(known) if self.fit(known, rows) => return known.clone(),
            Some(known) => match next(Rule::Widen, known, rows) {
                Ok(Next::Same | Next::Project(_)) => known.clone(),
                Ok(Next::Widen(field)) => field,
                _ => widen::renewed(known, rows),
            },
            None => widen::bare(rows),
        };
        self.remember(&known, rows);
        self.known.insert(known).clone()
    }

    fn fit(&self, file: &FieldRef, rows: &FieldRef) -> bool {
        Arc::ptr_eq(file, rows) || self.fitting.iter().any(|(own, other)| Arc::ptr_eq(own, file) && Arc::ptr_eq(other, rows))
    }

    fn remember(&mut self, file: &FieldRef, rows: &FieldRef) {
        if self.fitting.len() == REMEMBERED {
            self.fitting.remove(0);
        }
        self.fitting.push((file.clone(), rows.clone()));
    }
}

#[cfg(test)]
mod tests;
