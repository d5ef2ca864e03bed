//! `landfall.transforms.QlikReplicate`: the row that a message of Qlik Replicate is about, in place of the message.
//!
//! A message is `{data, beforeData, headers}`, alone or as `message` of an envelope (`magic`, `type`, `headers`, …), with a schema or
//! without one. The row is `data`, of a delete that has none `beforeData`. What the tool's documentation says of masks is not what its
//! messages hold: a mask is one number, most significant digits first, whose lowest bit is the first column's.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BinaryArray, StringArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config, schema};

use super::change::{Added, Deletes, Outcome, at, field, images, optional, text, whole};
use super::envelope::{masked, member, of_members, present, rows, tombstones};

config! {
    /// What the class reads.
    struct QlikReplicateConfig {
        /// Members of the message's headers to add to the row: operation, changeSequence, timestamp, streamPosition, transactionId,
        /// transactionEventCounter, transactionLastEvent, externalSchemaId, columnMask, changeMask, as they come; or what the masks say:
        /// changedOrdinals (the numbers of the changed columns, from 1 on) and, of values with a schema, changedColumns (their names). With
        /// `:name` after it for another name. What a message does not have is null.
        add_fields: Vec<String> = "add.fields" { default: Some("operation,changeSequence,timestamp,transactionId") };
        /// What the names of added columns begin with.
        add_fields_prefix: String = "add.fields.prefix" { default: Some("__"), importance: Low };
        /// The same members to add to the record's headers.
        add_headers: Vec<String> = "add.headers" { default: Some("") };
        /// What the names of added headers begin with.
        add_headers_prefix: String = "add.headers.prefix" { default: Some("__"), importance: Low };
        /// What becomes of a delete: the row as it was, whose operation says DELETE (soft), a tombstone (apply), or nothing (skip).
        delete_mode: String = "delete.mode" { default: Some("soft"), valid: OneOfIgnoreCase(Deletes::NAMES) };
        /// Columns of the row that make the record's key; if there are none, the key stays as it is.
        key_fields: Vec<String> = "key.fields" { default: Some("") };
        /// What becomes of messages about tables (of type MD): drop or pass, which leaves them as they are.
        metadata_messages: String = "metadata.messages" { default: Some("drop"), importance: Low, valid: OneOfIgnoreCase(&["drop", "pass"]) };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct QlikReplicateClass;

impl TransformClass for QlikReplicateClass {
    fn class(&self) -> &'static str {
        "landfall.transforms.QlikReplicate"
    }

    fn keys(&self) -> &'static [Key] {
        QlikReplicateConfig::KEYS
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = QlikReplicateConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let outcome = Outcome {
            deletes: Deletes::named(&config.delete_mode),
            fields: Added::all(&config.add_fields_prefix, &config.add_fields),
            headers: Added::all(&config.add_headers_prefix, &config.add_headers),
            key: config.key_fields,
        };
        Ok(Box::new(QlikReplicate { outcome, metadata: config.metadata_messages.eq_ignore_ascii_case("pass") }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct QlikReplicate {
    outcome: Outcome,
    /// Whether messages about tables go on.
    metadata: bool,
}

impl Transform for QlikReplicate {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        whole(&batch, out, |out| self.unwrap(&batch, out));
    }
}

impl QlikReplicate {
    fn unwrap(&self, batch: &Batch, out: &mut Output) -> Result<(), RecordError> {
        let there = present(&batch.value.array);
        let kind = text(member(&batch.value, "type").as_ref(), batch.len());
        let message = message(batch);
        let has =
            |name: &str| member(&message, name).map_or_else(|| BooleanBuffer::new_unset(batch.len()), |m| present(&m.array));
        let rowed = &has("data") | &has("beforeData");
        // Without an envelope they are known by what they have.
        let about = &has("lineage") | &has("tableStructure");
        let metadata: BooleanBuffer =
            kind.iter().zip(&about).map(|(kind, about)| kind.map_or(about, |kind| kind == "MD")).collect();
        let metadata = &metadata & &there;

        let data = rows(batch, &(&(&there & &!&metadata) & &rowed))?;
        let other = rows(batch, &(&(&there & &!&metadata) & &!&rowed))?;
        out.reject_all(&other, &no_message(&other.value));
        if self.metadata {
            out.emit(rows(batch, &metadata)?);
        }
        let begin = out.batches.len();
        if !data.is_empty() {
            self.changed(data, out)?;
        }
        let beside = out.batches.get(begin).cloned();
        out.emit(tombstones(rows(batch, &!&there)?, beside.as_ref()));
        Ok(())
    }

    /// Emits the rows of messages that have one.
    fn changed(&self, batch: Batch, out: &mut Output) -> Result<(), RecordError> {
        let header = |name: &str| at(&message(&batch), &format!("headers.{name}"));
        let operations = text(header("operation").as_ref(), batch.len());
        let masks = ["columnMask", "changeMask"].map(header);
        let refused = |row: usize| -> Option<RecordError> {
            let operation = operations.is_valid(row).then(|| operations.value(row));
            if !matches!(operation, Some("INSERT" | "UPDATE" | "DELETE" | "REFRESH")) {
                let operation = operation.unwrap_or("null");
                return Some(RecordError::data(format!("the operation {operation} of a message is none of Qlik Replicate's")));
            }
            let bad = |mask: &Option<Column>| Mask::of(mask.as_ref()).and_then(|mask| mask.fault(row));
            masks.iter().find_map(bad)
        };
        let errors: Vec<_> = (0..batch.len()).filter_map(|row| Some((row, refused(row)?))).collect();
        let batch = out.reject_rows(batch, errors);

        let [after, before] = ["data", "beforeData"].map(|name| member(&message(&batch), name));
        for (part, row) in images(batch, after, before)? {
            out.emit(self.landed(part, &row)?);
        }
        Ok(())
    }

    /// The records with their rows.
    fn landed(&self, batch: Batch, row: &Column) -> Result<Batch, RecordError> {
        if !matches!(row.field.data_type(), DataType::Struct(_)) {
            return Err(RecordError::data(format!("the data of a message is a {}, not a row", row.field.data_type())));
        }
        let message = message(&batch);
        let headers = member(&message, "headers").ok_or_else(|| no_message(&message))?;
        let schemaless = schema::is_schemaless(&row.field);
        let mut row = optional(row);
        let column_mask = member(&headers, "columnMask");
        if let (Some(mask), false) = (Mask::of(column_mask.as_ref()), schemaless) {
            row = without_absent(&row, &mask);
        }
        let names: Vec<_> = match row.field.data_type() {
            DataType::Struct(fields) => fields.iter().map(|field| field.name().clone()).collect(),
            _ => Vec::new(),
        };
        if schemaless && self.outcome.fields.iter().chain(&self.outcome.headers).any(|added| added.path == "changedColumns") {
            return Err(RecordError::data(
                "changedColumns needs values with a schema: without one nobody knows all columns of the table",
            ));
        }
        let change_mask = member(&headers, "changeMask");
        let operations = text(member(&headers, "operation").as_ref(), batch.len());
        let deleted: BooleanBuffer = operations.iter().map(|operation| operation == Some("DELETE")).collect();
        let len = batch.len();
        self.outcome.of(batch, &row, &deleted, |path| {
            let mask = Mask::of(change_mask.as_ref());
            Some(match path {
                "changedColumns" => Column { field: list(DataType::Utf8), array: changed_columns(mask.as_ref(), &names, len) },
                "changedOrdinals" => {
                    let field = field("changed", list(DataType::Int32).data_type().clone(), schemaless);
                    Column { field, array: changed_ordinals(mask.as_ref(), len) }
                }
                "transactionEventCounter" => typed(&headers, path, &DataType::Int64, schemaless),
                "transactionLastEvent" => typed(&headers, path, &DataType::Boolean, schemaless),
                _ => return at(&headers, path),
            })
        })
    }
}

/// The messages, without the envelope that they may have.
fn message(batch: &Batch) -> Column {
    member(&batch.value, "message").unwrap_or_else(|| batch.value.clone())
}

/// A member, or nulls of its type while no message had one.
fn typed(headers: &Column, name: &str, data_type: &DataType, schemaless: bool) -> Column {
    member(headers, name).unwrap_or_else(|| Column {
        field: field(name, data_type.clone(), schemaless),
        array: new_null_array(data_type, headers.array.len()),
    })
}

fn list(of: DataType) -> arrow_schema::FieldRef {
    Arc::new(Field::new("changed", DataType::List(Arc::new(Field::new("item", of, true))), true))
}

fn no_message(value: &Column) -> RecordError {
    let avro = member(value, "message").is_some_and(|message| message.field.data_type() == &DataType::Binary);
    RecordError::data(if avro {
        "the message in an envelope of Qlik Replicate is Avro whose schema is not in it: let the task use a schema registry"
    } else {
        "a value that is no message of Qlik Replicate: it has neither data nor beforeData"
    })
}

/// A column of masks: hexadecimal text or bytes.
enum Mask<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Mask<'a> {
    fn of(column: Option<&'a Column>) -> Option<Self> {
        let array = &column?.array;
        array.as_string_opt().map(Self::Text).or_else(|| array.as_binary_opt().map(Self::Bytes))
    }

    /// What is wrong with a row's mask.
    fn fault(&self, row: usize) -> Option<RecordError> {
        let Self::Text(masks) = self else { return None };
        let bad = masks.is_valid(row) && !masks.value(row).bytes().all(|digit| digit.is_ascii_hexdigit());
        bad.then(|| RecordError::data(format!("the mask {} of a message is no hexadecimal number", masks.value(row))))
    }

    /// The number of bits of a row's mask; None if it has none. An empty one says nothing either.
    fn bits(&self, row: usize) -> Option<usize> {
        let bits = match self {
            Self::Text(masks) => masks.is_valid(row).then(|| masks.value(row).len() * 4),
            Self::Bytes(masks) => masks.is_valid(row).then(|| masks.value(row).len() * 8),
        };
        bits.filter(|bits| *bits > 0)
    }

    /// Whether a row's mask has the bit of a column.
    fn has(&self, row: usize, column: usize) -> bool {
        match self {
            Self::Text(masks) => {
                let digit = masks.value(row).bytes().rev().nth(column / 4).and_then(|digit| char::from(digit).to_digit(16));
                digit.is_some_and(|digit| digit >> (column % 4) & 1 == 1)
            }
            Self::Bytes(masks) => masks.value(row).iter().rev().nth(column / 8).is_some_and(|byte| byte >> (column % 8) & 1 == 1),
        }
    }
}

/// The row with nulls in the columns that a message says it does not have.
fn without_absent(row: &Column, mask: &Mask<'_>) -> Column {
    let DataType::Struct(fields) = row.field.data_type() else { return row.clone() };
    let array = row.array.as_struct();
    let there = |column: usize| -> BooleanBuffer {
        (0..array.len()).map(|row| mask.bits(row).is_none() || mask.has(row, column)).collect()
    };
    let kept = |(column, values): (usize, &ArrayRef)| masked(values, Some(&NullBuffer::new(there(column))));
    let arrays = array.columns().iter().enumerate().map(kept).collect();
    of_members(&row.field, fields.iter().cloned().collect(), arrays, array.nulls().cloned(), array.len())
}

/// The names of the columns that a change mask has.
fn changed_columns(mask: Option<&Mask<'_>>, names: &[String], len: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..len {
        let mask = mask.filter(|mask| mask.bits(row).is_some());
        if let Some(mask) = mask {
            names
                .iter()
                .enumerate()
                .filter(|(column, _)| mask.has(row, *column))
                .for_each(|(_, name)| lists.values().append_value(name));
        }
        lists.append(mask.is_some());
    }
    Arc::new(lists.finish())
}

/// The numbers of the columns that a change mask has, from 1 on.
fn changed_ordinals(mask: Option<&Mask<'_>>, len: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for row in 0..len {
        let bits = mask.and_then(|mask| Some((mask, mask.bits(row)?)));
        if let Some((mask, bits)) = bits {
            (0..bits).filter(|column| mask.has(row, *column)).for_each(|column| lists.values().append_value(column as i32 + 1));
        }
        lists.append(bits.is_some());
    }
    Arc::new(lists.finish())
}

#[cfg(test)]
mod tests;
