//! The contract of converters: a column of bytes in, runs of typed columns out.

use std::fmt;
use std::ops::Range;

use arrow_array::{BinaryArray, ListArray};
use arrow_schema::FieldRef;

use crate::{Column, Faults, Key, Properties, RecordError};

/// What a converter is used for: Connect configures the same class apart for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `key.converter`.
    Key,
    /// `value.converter`.
    Value,
    /// `header.converter`.
    Header,
}

/// The bytes of one batch that a converter is to type.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// The topic that the records come from.
    pub topic: &'a str,
    /// The bytes, one value a record; null where the record has none.
    pub bytes: &'a BinaryArray,
    /// The records' headers, `list<struct<key: utf8, value: binary>>`: some formats name their schema there.
    pub headers: Option<&'a ListArray>,
}

/// Adjacent records with one schema, or one record that was refused.
#[derive(Clone, Debug)]
pub struct Run {
    /// The rows of the input.
    pub rows: Range<usize>,
    /// Their values, of the length of `rows`; or why the one row was refused.
    pub column: Result<Column, RecordError>,
}

/// What a converter needs does not answer now: the same records are to be converted again later (Connect's `RetriableException`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Turns bytes into typed columns. One instance serves one task and one role, and may learn from what it sees.
pub trait Converter: Send + fmt::Debug {
    /// Converts all records. The runs are in order and together cover every row once; a null without a schema joins the run
    /// next to it.
    ///
    /// # Errors
    /// [`Unavailable`] if a schema that the records need cannot be asked for now.
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable>;

    /// Takes up what an earlier run learned of the topic's schemaless values: the field of the last file. Columns only widen.
    fn recall(&mut self, topic: &str, learned: &FieldRef) {
        let _ = (topic, learned);
    }
}

/// A converter class, listed in the table of `convert`.
pub trait ConverterClass: Sync {
    /// The Java class name.
    fn class(&self) -> &'static str;

    /// The roles that it can take.
    fn roles(&self) -> &'static [Role];

    /// The configuration keys, without the `key.converter.` prefix.
    fn keys(&self) -> &'static [Key];

    /// An instance for `role`, from the properties with the prefix taken off.
    ///
    /// # Errors
    /// All faults in the properties.
    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults>;
}
