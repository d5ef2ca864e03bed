//! `landfall.transforms.IbmIidr`: the row that a record of IBM's InfoSphere Data Replication (CDC) is about, without the fields of its
//! journal.
//!
//! The audit formats of its Kafka target put journal fields (`A_ENTTYP` and others) into the value or into the record's headers. A single
//! record may have the columns before the change beside those after it, with `B_` before their names; or the images come as records of
//! their own, of which `UB` is that before an update. JSON that was written by an Avro encoder wraps a value in its type
//! (`{"string": "UP"}`); it is unwrapped.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BooleanArray, StringArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config, schema};

use super::change::{Added, Deletes, Outcome, either, field, optional, text, whole};
use super::envelope::{masked, member, no_struct, of_members, present, rows, tombstones};

config! {
    /// What the class reads.
    struct IbmIidrConfig {
        /// The fields of the journal: they are no columns of the row.
        journal_fields: Vec<String> = "journal.fields" { default: Some("A_ENTTYP,A_CCID,A_TIMSTAMP,A_USER,A_JOBUSER,A_JOBNO,A_OBJECT,A_LIBRARY,A_MEMBER,A_PROGRAM,A_SEQNO,A_SYSTEM,A_CODE,A_RRN,A_CNTRRN,TableName") };
        /// Fields of the journal to add to the row, from the value or, if it has none of the name, from the record's headers. With `:name`
        /// after it for another name. What a record does not have is null.
        add_fields: Vec<String> = "add.fields" { default: Some("A_ENTTYP,A_CCID,A_TIMSTAMP,A_USER") };
        /// What the names of added columns begin with.
        add_fields_prefix: String = "add.fields.prefix" { default: Some("__"), importance: Low };
        /// Fields of the journal to add to the record's headers.
        add_headers: Vec<String> = "add.headers" { default: Some("") };
        /// What the names of added headers begin with.
        add_headers_prefix: String = "add.headers.prefix" { default: Some("__"), importance: Low };
        /// What becomes of a delete (of entry type DL or DR): the row as it was (soft), a tombstone (apply), or nothing (skip).
        delete_mode: String = "delete.mode" { default: Some("soft"), valid: OneOfIgnoreCase(Deletes::NAMES) };
        /// What the names of columns before the change begin with (`before.image.prefix` of the tool); empty if there are none.
        before_prefix: String = "before.prefix" { default: Some("B_"), importance: Low };
        /// What becomes of these columns: drop or keep. A delete takes what its own columns lack from them first.
        before_columns: String = "before.columns" { default: Some("drop"), valid: OneOfIgnoreCase(&["drop", "keep"]) };
        /// What becomes of records that are the image before an update (of entry type UB): drop or keep.
        before_images: String = "before.images" { default: Some("drop"), valid: OneOfIgnoreCase(&["drop", "keep"]) };
        /// Columns of the row that make the record's key; if there are none, the key stays as it is.
        key_fields: Vec<String> = "key.fields" { default: Some("") };
    }
}

/// The field that says what happened.
const ENTRY_TYPE: &str = "A_ENTTYP";
/// Inserts, rows of a refresh, and updates.
const WRITTEN: [&str; 7] = ["PT", "RR", "PX", "UR", "UP", "FI", "FP"];
const DELETED: [&str; 2] = ["DL", "DR"];
/// The image before an update.
const BEFORE: &str = "UB";
/// The types that Avro's JSON wraps a value in.
const AVRO: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// The class.
#[derive(Debug)]
pub(super) struct IbmIidrClass;

impl TransformClass for IbmIidrClass {
    fn class(&self) -> &'static str {
        "landfall.transforms.IbmIidr"
    }

    fn keys(&self) -> &'static [Key] {
        IbmIidrConfig::KEYS
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = IbmIidrConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let outcome = Outcome {
            deletes: Deletes::named(&config.delete_mode),
            fields: Added::all(&config.add_fields_prefix, &config.add_fields),
            headers: Added::all(&config.add_headers_prefix, &config.add_headers),
            key: config.key_fields,
        };
        Ok(Box::new(IbmIidr {
            outcome,
            journal: config.journal_fields,
            prefix: Some(config.before_prefix).filter(|prefix| !prefix.is_empty()),
            keep_columns: config.before_columns.eq_ignore_ascii_case("keep"),
            keep_images: config.before_images.eq_ignore_ascii_case("keep"),
        }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct IbmIidr {
    outcome: Outcome,
    journal: Vec<String>,
    prefix: Option<String>,
    keep_columns: bool,
    keep_images: bool,
}

impl Transform for IbmIidr {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        whole(&batch, out, |out| self.unwrap(&batch, out));
    }
}

impl IbmIidr {
    fn unwrap(&self, batch: &Batch, out: &mut Output) -> Result<(), RecordError> {
        let there = present(&batch.value.array);
        let changes = rows(batch, &there)?;
        let types = self.entry_types(&changes);
        let refused = |row: usize| {
            let entry = types.is_valid(row).then(|| types.value(row));
            match entry {
                Some(entry) if WRITTEN.contains(&entry) || DELETED.contains(&entry) || entry == BEFORE => None,
                Some(entry) => Some(format!("the entry type {entry} of a record is none of the journal's")),
                None => Some(format!("a record with {ENTRY_TYPE} neither in its value nor in its headers")),
            }
        };
        let errors = (0..changes.len()).filter_map(|row| Some((row, RecordError::data(refused(row)?)))).collect();
        let changes = out.reject_rows(changes, errors);
        let types = self.entry_types(&changes);
        let wanted: BooleanBuffer = types.iter().map(|entry| self.keep_images || entry != Some(BEFORE)).collect();
        let changes = rows(&changes, &wanted)?;
        let mut landed = None;
        if !changes.is_empty() {
            let batch = self.landed(changes)?;
            landed = Some(batch.clone());
            out.emit(batch);
        }
        out.emit(tombstones(rows(batch, &!&there)?, landed.as_ref()));
        Ok(())
    }

    /// What the journal says of each record.
    fn entry_types(&self, batch: &Batch) -> StringArray {
        self.journal(batch, ENTRY_TYPE)
            .map_or_else(|| StringArray::new_null(batch.len()), |types| text(Some(&types), batch.len()))
    }

    /// A field of the journal, from the value or the headers.
    fn journal(&self, batch: &Batch, name: &str) -> Option<Column> {
        member(&batch.value, name).map(|found| unwrapped(&found)).or_else(|| {
            let field = field(name, DataType::Utf8, schema::is_schemaless(&batch.value.field));
            header(batch, name).map(|text| Column { field, array: Arc::new(text) })
        })
    }

    /// The records with their rows.
    fn landed(&self, batch: Batch) -> Result<Batch, RecordError> {
        let value = &batch.value;
        let DataType::Struct(fields) = value.field.data_type() else { return Err(no_struct(value, "a change")) };
        let types = self.entry_types(&batch);
        let deleted: BooleanBuffer = types.iter().map(|entry| entry.is_some_and(|entry| DELETED.contains(&entry))).collect();
        let mut row: Vec<Column> = Vec::new();
        let mut before: Vec<(String, Column)> = Vec::new();
        for name in fields.iter().map(|field| field.name()).filter(|name| !self.journal.contains(*name)) {
            let Some(column) = member(value, name).map(|found| unwrapped(&found)) else { continue };
            let column = Column { field: Arc::new(column.field.as_ref().clone().with_name(name)), array: column.array };
            match self.prefix.as_ref().and_then(|prefix| name.strip_prefix(prefix.as_str())).filter(|name| !name.is_empty()) {
                Some(name) => before.push((name.to_owned(), column)),
                None => row.push(column),
            }
        }
        for (name, was) in &before {
            let at = row.iter().position(|column| column.field.name() == name).unwrap_or_else(|| {
                let field = field(name, DataType::Null, schema::is_schemaless(&was.field));
                row.push(Column { field, array: new_null_array(&DataType::Null, batch.len()) });
                row.len() - 1
            });
            let lacks = &deleted & &!&present(&row[at].array);
            // Of a record that is not deleted the column stays as it is.
            let was_there = masked(&was.array, Some(&NullBuffer::new(lacks.clone())));
            let was_there = Column { field: was.field.clone(), array: was_there };
            let clash = || RecordError::data(format!("the column {name} has another type before the change"));
            let column = either(&BooleanArray::new(!&lacks, None), &row[at], &was_there)?.ok_or_else(clash)?;
            row[at] = Column { field: Arc::new(column.field.as_ref().clone().with_name(name)), array: column.array };
        }
        if self.keep_columns {
            row.extend(before.into_iter().map(|(_, column)| column));
        }
        let (fields, arrays) = row.into_iter().map(|column| (column.field, column.array)).unzip();
        let row = optional(&of_members(&value.field, fields, arrays, None, batch.len()));
        let given = batch.clone();
        self.outcome.of(batch, &row, &deleted, |name| self.journal(&given, name))
    }
}

/// A value that Avro's JSON has wrapped in its type.
fn unwrapped(column: &Column) -> Column {
    match column.field.data_type() {
        DataType::Struct(fields) if schema::is_schemaless(&column.field) && fields.len() == 1 => {
            let name = fields[0].name();
            let inner = if AVRO.contains(&&**name) { member(column, name) } else { None };
            inner.unwrap_or_else(|| column.clone())
        }
        _ => column.clone(),
    }
}

/// The text of each record's first header called `name`; None if none has one.
fn header(batch: &Batch, name: &str) -> Option<StringArray> {
    let headers = batch.headers.as_ref()?;
    let entries = headers.values().as_struct();
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
    let mut text = StringBuilder::new();
    let mut found = false;
    for of_row in headers.value_offsets().windows(2) {
        let entry = (of_row[0] as usize..of_row[1] as usize).find(|&entry| keys.value(entry) == name && values.is_valid(entry));
        found |= entry.is_some();
        text.append_option(entry.map(|entry| String::from_utf8_lossy(values.value(entry))));
    }
    found.then(|| text.finish())
}

#[cfg(test)]
mod tests;
