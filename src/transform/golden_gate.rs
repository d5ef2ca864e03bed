//! `landfall.transforms.GoldenGate`: the row that a message of Oracle GoldenGate is about, in place of the message.
//!
//! A message is `{table, op_type, op_ts, current_ts, pos, primary_keys, tokens, before, after}` (its "op" mode), or has the columns beside
//! the first of these (its "row" mode). The row is `after`, of a delete `before`; a truncation has none and is dropped.

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, StringArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::DataType;
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config};

use super::change::{Added, Deletes, Outcome, at, images, key, only, optional, text, whole};
use super::envelope::{member, of_members, present, rows, tombstones};

config! {
    /// What the class reads.
    struct GoldenGateConfig {
        /// Members of the message to add to the row: table, op_type, op_ts, current_ts, pos, or `tokens.NAME`, which becomes `tokens_NAME`.
        /// With `:name` after it for another name. What a message does not have is null.
        add_fields: Vec<String> = "add.fields" { default: Some("op_type,op_ts,current_ts,pos") };
        /// What the names of added columns begin with.
        add_fields_prefix: String = "add.fields.prefix" { default: Some("__"), importance: Low };
        /// The same members to add to the record's headers.
        add_headers: Vec<String> = "add.headers" { default: Some("") };
        /// What the names of added headers begin with.
        add_headers_prefix: String = "add.headers.prefix" { default: Some("__"), importance: Low };
        /// What becomes of a delete: the row as it was, whose op_type says D (soft), a tombstone (apply), or nothing (skip).
        delete_mode: String = "delete.mode" { default: Some("soft"), valid: OneOfIgnoreCase(Deletes::NAMES) };
        /// Columns of the row that make the record's key; if there are none, the key stays as it is.
        key_fields: Vec<String> = "key.fields" { default: Some("") };
        /// Whether the columns that the message lists as `primary_keys` (or, as some releases write it, `priamry_keys`) make the key.
        /// `key.fields` is empty then.
        key_from_primary_keys: bool = "key.from.primary.keys" { default: Some("false") };
    }
}

/// What a message says beside its row.
const ABOUT: [&str; 8] = ["table", "op_type", "op_ts", "current_ts", "pos", "primary_keys", "priamry_keys", "tokens"];

/// The class.
#[derive(Debug)]
pub(super) struct GoldenGateClass;

impl TransformClass for GoldenGateClass {
    fn class(&self) -> &'static str {
        "landfall.transforms.GoldenGate"
    }

    fn keys(&self) -> &'static [Key] {
        GoldenGateConfig::KEYS
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = GoldenGateConfig::parse(properties, &mut faults);
        if config.as_ref().is_some_and(|config| config.key_from_primary_keys && !config.key_fields.is_empty()) {
            faults
                .push("key.fields", "Invalid value for configuration key.fields: key.from.primary.keys says what makes the key");
        }
        let config = faults.or(config)?;
        let outcome = Outcome {
            deletes: Deletes::named(&config.delete_mode),
            fields: Added::all(&config.add_fields_prefix, &config.add_fields),
            headers: Added::all(&config.add_headers_prefix, &config.add_headers),
            key: config.key_fields,
        };
        Ok(Box::new(GoldenGate { outcome, primary_keys: config.key_from_primary_keys }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct GoldenGate {
    outcome: Outcome,
    /// Whether each message says what makes its key.
    primary_keys: bool,
}

impl Transform for GoldenGate {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        whole(&batch, out, |out| self.unwrap(&batch, out));
    }
}

impl GoldenGate {
    fn unwrap(&self, batch: &Batch, out: &mut Output) -> Result<(), RecordError> {
        let there = present(&batch.value.array);
        let changes = rows(batch, &there)?;
        let operations = text(member(&changes.value, "op_type").as_ref(), changes.len());
        let states = ["after", "before"].map(|name| member(&changes.value, name));
        let rowed = states.iter().flatten().map(|image| present(&image.array)).reduce(|a, b| &a | &b);
        let refused = |row: usize| {
            let operation = operations.is_valid(row).then(|| operations.value(row));
            match operation {
                Some("T") => None,
                Some("I" | "U" | "D") if rowed.as_ref().is_none_or(|rowed| rowed.value(row)) => None,
                Some("I" | "U" | "D") => Some("a message of GoldenGate with neither before nor after".to_owned()),
                _ => Some(format!("the op_type {} of a message is none of GoldenGate's", operation.unwrap_or("null"))),
            }
        };
        let errors = (0..changes.len()).filter_map(|row| Some((row, RecordError::data(refused(row)?)))).collect();
        let changes = out.reject_rows(changes, errors);
        let operations = text(member(&changes.value, "op_type").as_ref(), changes.len());
        let truncated: BooleanBuffer = operations.iter().map(|operation| operation == Some("T")).collect();
        let changes = rows(&changes, &!&truncated)?;
        let begin = out.batches.len();
        if !changes.is_empty() {
            self.changed(changes, out)?;
        }
        let beside = out.batches.get(begin).cloned();
        out.emit(tombstones(rows(batch, &!&there)?, beside.as_ref()));
        Ok(())
    }

    /// Emits the rows of messages, each of which has one.
    fn changed(&self, batch: Batch, out: &mut Output) -> Result<(), RecordError> {
        let [after, before] = ["after", "before"].map(|name| member(&batch.value, name));
        if after.is_none() && before.is_none() {
            let row = beside(&batch.value);
            return self.landed(batch, &row, out);
        }
        images(batch, after, before)?.into_iter().try_for_each(|(part, row)| self.landed(part, &row, out))
    }

    /// Emits the records with their rows.
    fn landed(&self, batch: Batch, row: &Column, out: &mut Output) -> Result<(), RecordError> {
        let row = optional(row);
        let operations = text(member(&batch.value, "op_type").as_ref(), batch.len());
        let deleted: BooleanBuffer = operations.iter().map(|operation| operation == Some("D")).collect();
        let message = batch.value.clone();
        if !self.primary_keys {
            out.emit(self.outcome.of(batch, &row, &deleted, |path| at(&message, path))?);
            return Ok(());
        }
        for (mask, names) in primary_keys(&message)? {
            let (row, message) = (only(&row, &mask)?, only(&message, &mask)?);
            let deleted: BooleanBuffer = mask.set_indices().map(|at| deleted.value(at)).collect();
            let part = Batch { key: key(&row, &names)?, ..rows(&batch, &mask)? };
            out.emit(self.outcome.of(part, &row, &deleted, |path| at(&message, path))?);
        }
        Ok(())
    }
}

/// The columns that stand beside what a message says.
fn beside(message: &Column) -> Column {
    let DataType::Struct(fields) = message.field.data_type() else { return message.clone() };
    let array = message.array.as_struct();
    let columns = fields.iter().zip(array.columns()).filter(|(field, _)| !ABOUT.contains(&&**field.name()));
    let (fields, arrays): (Vec<_>, Vec<ArrayRef>) = columns.map(|(field, array)| (field.clone(), array.clone())).unzip();
    of_members(&message.field, fields, arrays, array.nulls().cloned(), array.len())
}

/// The messages that list the same columns of the key, with the list.
fn primary_keys(message: &Column) -> Result<Vec<(BooleanBuffer, Vec<String>)>, RecordError> {
    let lists = ["primary_keys", "priamry_keys"].map(|name| member(message, name));
    let lists: Vec<_> = lists.iter().flatten().filter_map(|list| list.array.as_list_opt::<i32>()).collect();
    let mut groups: Vec<(StringArray, BooleanBufferBuilder)> = Vec::new();
    let len = message.array.len();
    for row in 0..len {
        let list = lists.iter().find(|list| list.is_valid(row)).map(|list| list.value(row));
        let names = list.as_ref().and_then(|list| list.as_string_opt::<i32>()).filter(|names| !names.is_empty());
        let names = names.ok_or_else(|| RecordError::data("a message of GoldenGate that lists no primary_keys"))?;
        let at = groups.iter().position(|(other, _)| other == names).unwrap_or_else(|| {
            groups.push((names.clone(), BooleanBufferBuilder::new(len)));
            groups.len() - 1
        });
        let mask = &mut groups[at].1;
        mask.append_n(row - mask.len(), false);
        mask.append(true);
    }
    let group = |(names, mut mask): (StringArray, BooleanBufferBuilder)| {
        mask.append_n(len - mask.len(), false);
        (mask.finish(), names.iter().flatten().map(str::to_owned).collect())
    };
    Ok(groups.into_iter().map(group).collect())
}

#[cfg(test)]
mod tests;
