//! `io.debezium.transforms.ExtractNewRecordState` (3.7.0.Final): the row that a change event is about, in place of the event.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BinaryArray, BooleanArray, StringArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::{DataType, Field, FieldRef};
use arrow_select::filter::filter;
use arrow_select::zip::zip;
use landfall_api::{
    Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config, schema,
};

use super::reference::Reference;
use super::{VERSION, is_envelope};
use crate::transform::envelope::{defaulted, internal, member, no_struct, of_members, present, rows, tombstones, with_members};
use crate::transform::header_text::{header_values, with_header};
use crate::transform::require;
use crate::transform::route::Routes;

config! {
    /// What `ExtractNewRecordState.config()` declares, and `replace.null.with.default`, which it reads all the same.
    struct ExtractNewRecordStateConfig {
        /// What becomes of a delete event and of the tombstone after it: drop (neither goes on), tombstone and delete-to-tombstone (the
        /// event becomes a tombstone, the tombstone after it is dropped), rewrite (the event becomes the row before the delete with
        /// `__deleted` "true", other rows get `__deleted` "false", tombstones are dropped), rewrite-with-tombstone (the same, and
        /// tombstones go on).
        mode: String = "delete.tombstone.handling.mode" { default: Some("tombstone"), order: Some(1), display: "Handle delete and tombstone records", valid: By(|mode| {
            Mode::named(mode).map(drop).ok_or_else(|| "Value must be one of drop, tombstone, rewrite-with-tombstone, rewrite, delete-to-tombstone".to_owned())
        }) };
        /// The field of the row whose value becomes the topic; none if empty.
        route_by_field: String = "route.by.field" { default: Some(""), importance: Low, order: Some(1), width: Width::Long, display: "Route by field name" };
        /// What the names of added fields begin with.
        add_fields_prefix: String = "add.fields.prefix" { default: Some("__"), importance: Low, order: Some(1), width: Width::Short, display: "Field prefix to be added to each field." };
        /// Fields of the event to add to the row, those that there are: `op`, `ts_ms`, a field of `source` or of the transaction, or
        /// `struct.field`, which becomes `struct_field`; with `:name` after it for another name.
        add_fields: Vec<String> = "add.fields" { default: Some(""), importance: Low, order: Some(1), width: Width::Long, display: "Adds the specified field(s) to the message if they exist.", valid: By(references) };
        /// What the names of added headers begin with.
        add_headers_prefix: String = "add.headers.prefix" { default: Some("__"), importance: Low, order: Some(1), width: Width::Short, display: "Header prefix to be added to each header." };
        /// Fields of the event to add to the headers, written as in `add.fields`. A tombstone gets the operation `d`.
        add_headers: Vec<String> = "add.headers" { default: Some(""), importance: Low, order: Some(1), width: Width::Long, display: "Adds the specified fields to the header if they exist.", valid: By(references) };
        /// The header with the list of the fields to drop from the row.
        drop_fields_header: Option<String> = "drop.fields.header.name" { importance: Low, order: Some(1), width: Width::Short, display: "Specifies a header that contains a list of field names to be removed" };
        /// Whether they are dropped from the key as well.
        drop_fields_from_key: bool = "drop.fields.from.key" { default: Some("false"), importance: Low, order: Some(1), width: Width::Short, display: "Specifies whether the fields to be dropped should also be omitted from the key" };
        /// Whether only optional fields are dropped, so that readers with the old schema can read the new.
        drop_fields_keep_schema_compatible: bool = "drop.fields.keep.schema.compatible" { default: Some("true"), importance: Low, order: Some(1), width: Width::Short, display: "Specifies if fields are dropped, will the event's schemas be compatible" };
        /// Whether a null of the row is replaced by the default of its field where the mode rewrites the row.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), importance: Low, order: Some(1), width: Width::Short, display: "replace null field value with default" };
    }
}

/// Keys of older releases, and what has taken their place.
const REMOVED: [&str; 2] = ["drop.tombstones", "delete.handling.mode"];

fn references(list: &str) -> Result<(), String> {
    let list: Vec<_> = list.split(',').map(|entry| entry.trim().to_owned()).collect();
    Reference::all("", &list).map(drop)
}

/// What becomes of deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Drop,
    Tombstone,
    Rewrite,
    RewriteWithTombstone,
    DeleteToTombstone,
}

impl Mode {
    fn named(name: &str) -> Option<Self> {
        Some(match &*name.trim().to_ascii_lowercase() {
            "drop" => Self::Drop,
            "tombstone" => Self::Tombstone,
            "rewrite" => Self::Rewrite,
            "rewrite-with-tombstone" => Self::RewriteWithTombstone,
            "delete-to-tombstone" => Self::DeleteToTombstone,
            _ => return None,
        })
    }

    const fn rewrites(self) -> bool {
        matches!(self, Self::Rewrite | Self::RewriteWithTombstone)
    }
}

/// The class.
#[derive(Debug)]
pub(in crate::transform) struct ExtractNewRecordStateClass;

impl TransformClass for ExtractNewRecordStateClass {
    fn class(&self) -> &'static str {
        "io.debezium.transforms.ExtractNewRecordState"
    }

    fn keys(&self) -> &'static [Key] {
        ExtractNewRecordStateConfig::KEYS
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        for key in REMOVED.iter().filter(|key| properties.contains_key(**key)) {
            faults.push(*key, format!("{key} is no longer there: use delete.tombstone.handling.mode in its place"));
        }
        let config = ExtractNewRecordStateConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let referred = |prefix: &str, list: &[String]| Reference::all(prefix, list).unwrap_or_default();
        Ok(Box::new(ExtractNewRecordState {
            mode: Mode::named(&config.mode).unwrap_or(Mode::Tombstone),
            route_by_field: Some(config.route_by_field).filter(|field| !field.is_empty()),
            fields: referred(&config.add_fields_prefix, &config.add_fields),
            headers: referred(&config.add_headers_prefix, &config.add_headers),
            dropping: config.drop_fields_header.filter(|name| !name.is_empty()).map(|header| Dropping {
                header,
                from_key: config.drop_fields_from_key,
                compatible: config.drop_fields_keep_schema_compatible,
            }),
            replace_null: config.replace_null_with_default,
        }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct ExtractNewRecordState {
    mode: Mode,
    route_by_field: Option<String>,
    fields: Vec<Reference>,
    headers: Vec<Reference>,
    dropping: Option<Dropping>,
    replace_null: bool,
}

/// Which fields to drop.
#[derive(Debug)]
struct Dropping {
    header: String,
    from_key: bool,
    compatible: bool,
}

impl Transform for ExtractNewRecordState {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let there = present(&batch.value.array);
        let done = out.batches.len();
        let parts = rows(&batch, &there).and_then(|events| Ok((events, rows(&batch, &!&there)?)));
        let (events, gone) = match parts {
            Ok(parts) => parts,
            Err(error) => return out.reject_all(&batch, &error),
        };
        if is_envelope(&events.value.field) {
            self.extract(&events, out);
        } else {
            out.emit(events);
        }
        if self.mode == Mode::RewriteWithTombstone && !gone.is_empty() {
            let joined = tombstones(gone, out.batches.get(done));
            out.emit(self.marked(joined));
        }
    }
}

/// Events of which the same becomes.
struct Part<'a> {
    events: Batch,
    /// Their rows after the change and before it.
    after: Column,
    before: Option<Column>,
    /// The fields to drop from them.
    dropped: Option<&'a [String]>,
}

impl ExtractNewRecordState {
    /// Tombstones with the header that says that they are deletes.
    fn marked(&self, mut batch: Batch) -> Batch {
        for header in self.headers.iter().filter(|header| header.is_operation()) {
            let operation = BinaryArray::from_iter_values(std::iter::repeat_n("d", batch.len()));
            batch = with_header(batch, &header.name, operation);
        }
        batch
    }

    /// Emits what becomes of events, none of which is null. Where that fails, each half is tried alone, down to the event to reject.
    fn extract(&self, events: &Batch, out: &mut Output) {
        match self.extracted(events.clone()) {
            Ok(batches) => batches.into_iter().for_each(|batch| out.emit(batch)),
            Err(error) if events.len() <= 1 => out.reject_all(events, &error),
            Err(_) => {
                let half = events.len() / 2;
                self.extract(&events.slice(&(0..half)), out);
                self.extract(&events.slice(&(half..events.len())), out);
            }
        }
    }

    fn extracted(&self, mut events: Batch) -> Result<Vec<Batch>, RecordError> {
        for header in &self.headers {
            if let Some((field, array)) = header.of(&events.value)? {
                events = with_header(events, &header.name, header_values(&Column { field, array }));
            }
        }
        let Some(dropping) = &self.dropping else { return self.extracted_alike(&events, None) };
        let mut batches = Vec::new();
        for (mask, fields) in dropping.groups(&events)? {
            let dropped = Some(&*fields).filter(|fields| !fields.is_empty());
            batches.extend(self.extracted_alike(&rows(&events, &mask)?, dropped)?);
        }
        Ok(batches)
    }

    /// The same for events of which the same fields are dropped.
    fn extracted_alike(&self, events: &Batch, dropped: Option<&[String]>) -> Result<Vec<Batch>, RecordError> {
        let Some(after) = member(&events.value, "after") else { return Err(unknown_field(&events.value, "after")) };
        let written = present(&after.array);
        if written.count_set_bits() == events.len() {
            return self.finished(Part { events: events.clone(), after, before: None, dropped });
        }
        let Some(before) = member(&events.value, "before") else { return Err(unknown_field(&events.value, "before")) };
        // An event without either truncates its table, and is dropped.
        let deleted = &present(&before.array) & &!&written;
        let alike = before.field.data_type() == after.field.data_type();
        let parts = match self.mode {
            Mode::Drop => vec![written],
            _ if alike && dropped.is_none() => vec![&written | &deleted],
            _ => vec![written, deleted],
        };
        let mut batches = Vec::new();
        for mask in parts.into_iter().filter(|mask| mask.count_set_bits() > 0) {
            let keep = BooleanArray::new(mask.clone(), None);
            let kept = |state: &Column| {
                let array = filter(&state.array, &keep).map_err(internal)?;
                Ok::<_, RecordError>(Column { field: state.field.clone(), array })
            };
            let part = Part { events: rows(events, &mask)?, after: kept(&after)?, before: Some(kept(&before)?), dropped };
            batches.extend(self.finished(part)?);
        }
        Ok(batches)
    }

    /// The rows of a part with all that is added to them, by topic.
    fn finished(&self, part: Part<'_>) -> Result<Vec<Batch>, RecordError> {
        let Part { events, after, before, dropped } = part;
        let written = BooleanArray::new(present(&after.array), None);
        let deletes = written.false_count();
        let mut row = match &before {
            Some(before) if self.mode.rewrites() && deletes == events.len() => before.clone(),
            Some(before) if self.mode.rewrites() && deletes > 0 => {
                Column { field: after.field.clone(), array: zip(&written, &after.array, &before.array).map_err(internal)? }
            }
            _ => after.clone(),
        };
        if self.mode.rewrites() && matches!(row.field.data_type(), DataType::Struct(_)) {
            if self.replace_null {
                row = defaulted(&row);
            }
            let values: StringArray =
                written.values().iter().map(|written| Some(if written { "false" } else { "true" })).collect();
            let field = Arc::new(Field::new("__deleted", DataType::Utf8, true));
            row = with_members(&row, [(field, Arc::new(values) as ArrayRef)], "field insertion")?;
        }
        let topics = self.topics(&row, before.as_ref(), &written)?;
        let gone = present(&row.array).count_set_bits() == 0;
        // Java drops fields from a row that was deleted before it adds others, and from one that was written after that.
        let mut batch = Batch { value: row, ..events.clone() };
        if deletes > 0
            && let Some(fields) = dropped
        {
            batch = self.without(batch, fields)?;
        }
        match self.with_fields(&batch.value, &events.value) {
            Ok(row) => batch.value = row,
            // Nothing is added to a tombstone, but its column is like that of the rows around it if it can be.
            Err(_) if gone => {}
            Err(error) => return Err(error),
        }
        if deletes == 0
            && let Some(fields) = dropped
        {
            batch = self.without(batch, fields)?;
        }
        batch.value = require::root("value", &batch.value.field, batch.value.array);
        Ok(match topics {
            Some(topics) => routed(batch, &topics),
            None => vec![batch],
        })
    }

    /// `row` with the fields of its event that are to be added.
    fn with_fields(&self, row: &Column, events: &Column) -> Result<Column, RecordError> {
        let mut added = Vec::with_capacity(self.fields.len());
        for reference in &self.fields {
            added.extend(reference.of(events)?);
        }
        with_members(row, added, "source field insertion")
    }

    /// The topic that each row is routed to by its own value, or that of the row before it was deleted.
    fn topics(&self, row: &Column, before: Option<&Column>, written: &BooleanArray) -> Result<Option<ArrayRef>, RecordError> {
        let Some(name) = &self.route_by_field else { return Ok(None) };
        let of = |row: &Column| {
            if !matches!(row.field.data_type(), DataType::Struct(_)) {
                return Err(no_struct(row, "Read record to set topic routing for CREATE / UPDATE"));
            }
            match member(row, name) {
                None => Err(RecordError::data(format!("{name} is not a valid field name"))),
                Some(field) if field.field.data_type() == &DataType::Utf8 => Ok(field.array),
                Some(_) => Err(RecordError::data(format!("Field '{name}' is not of type STRING"))),
            }
        };
        Ok(Some(match before {
            Some(before) if written.true_count() == 0 => of(before)?,
            Some(before) if written.false_count() > 0 => zip(written, &of(row)?, &of(before)?).map_err(internal)?,
            _ => of(row)?,
        }))
    }

    /// `batch` without `fields` in its rows and, if so configured, in its keys.
    fn without(&self, mut batch: Batch, fields: &[String]) -> Result<Batch, RecordError> {
        let Some(dropping) = &self.dropping else { return Ok(batch) };
        if dropping.from_key {
            let there = present(&batch.key.array).count_set_bits() > 0;
            batch.key = if there { dropping.without(&batch.key, fields)? } else { batch.key };
        }
        if present(&batch.value.array).count_set_bits() > 0 {
            batch.value = dropping.without(&batch.value, fields)?;
        } else if self.mode == Mode::DeleteToTombstone && dropping.compatible {
            let message = "Cannot invoke \"org.apache.kafka.connect.data.Schema.fields()\" because \"schema\" is null";
            return Err(require::error("java.lang.NullPointerException", message));
        }
        Ok(batch)
    }
}

impl Dropping {
    /// The rows whose header lists the same fields, with the list; a row without the header drops none.
    fn groups(&self, batch: &Batch) -> Result<Vec<(BooleanBuffer, Vec<String>)>, RecordError> {
        let mut lists: Vec<(Option<&[u8]>, BooleanBufferBuilder)> = Vec::new();
        for row in 0..batch.len() {
            let list = self.list(batch, row);
            let at = lists.iter().position(|(other, _)| *other == list).unwrap_or_else(|| {
                lists.push((list, BooleanBufferBuilder::new(batch.len())));
                lists.len() - 1
            });
            let rows = &mut lists[at].1;
            rows.append_n(row - rows.len(), false);
            rows.append(true);
        }
        let group = |(list, mut rows): (Option<&[u8]>, BooleanBufferBuilder)| {
            rows.append_n(batch.len() - rows.len(), false);
            Ok((rows.finish(), list.map_or_else(|| Ok(Vec::new()), names)?))
        };
        lists.into_iter().map(group).collect()
    }

    /// The first header of the name that `row` has.
    fn list<'a>(&self, batch: &'a Batch, row: usize) -> Option<&'a [u8]> {
        let headers = batch.headers.as_ref()?;
        let entries = headers.values().as_struct();
        let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
        let of_row = headers.value_offsets()[row] as usize..headers.value_offsets()[row + 1] as usize;
        let entry = of_row.into_iter().find(|&entry| keys.value(entry) == self.header)?;
        values.is_valid(entry).then(|| values.value(entry))
    }

    /// `column` without `fields`, as Java's `ReplaceField` leaves them out: nulls of the others become their defaults.
    fn without(&self, column: &Column, fields: &[String]) -> Result<Column, RecordError> {
        let DataType::Struct(all) = column.field.data_type() else {
            return Err(if schema::is_schemaless(&column.field) {
                let message = "Cannot invoke \"org.apache.kafka.connect.data.Schema.fields()\" because \"schema\" is null";
                require::error("java.lang.NullPointerException", message)
            } else {
                RecordError::data("Cannot list fields on non-struct type")
            });
        };
        let goes = |field: &FieldRef| fields.contains(field.name()) && (!self.compatible || field.is_nullable());
        if self.compatible && !all.iter().any(goes) {
            return Ok(column.clone());
        }
        let array = column.array.as_struct();
        let kept = all.iter().zip(array.columns()).filter(|(field, _)| !goes(field));
        let (kept, arrays) = kept.map(|(field, array)| (field.clone(), array.clone())).unzip();
        Ok(defaulted(&of_members(&column.field, kept, arrays, array.nulls().cloned(), array.len())))
    }
}

/// The fields that a header lists: `["a","b"]`.
fn names(list: &[u8]) -> Result<Vec<String>, RecordError> {
    serde_json::from_slice(list).map_err(|_| RecordError {
        class: "java.lang.ClassCastException",
        message: concat!(
            "class java.lang.String cannot be cast to class java.util.List (java.lang.String and java.util.List are in module ",
            "java.base of loader 'bootstrap')"
        )
        .into(),
    })
}

/// The rows by topic; one without a topic goes where its batch goes.
fn routed(batch: Batch, topics: &ArrayRef) -> Vec<Batch> {
    let (mut routes, mut out, usual) = (Routes::default(), Output::default(), batch.topic.clone());
    for topic in topics.as_string::<i32>() {
        routes.push(topic.filter(|topic| !topic.trim().is_empty()).unwrap_or(&usual));
    }
    routes.emit(batch, &mut out);
    out.batches
}

/// Java's error for a member that the schema of `events` does not have.
fn unknown_field(events: &Column, name: &str) -> RecordError {
    match events.field.data_type() {
        DataType::Struct(_) => require::illegal_argument(format!("Unknown field: {name}")),
        _ => no_struct(events, "field extraction"),
    }
}

#[cfg(test)]
mod tests;
