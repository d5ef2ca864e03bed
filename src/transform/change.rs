//! What the messages of replication tools become: the row that changed, with columns that say what happened to it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, BooleanArray, StringArray, StructArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field, FieldRef};
use arrow_select::filter::filter;
use arrow_select::zip::zip;
use landfall_api::{Batch, Column, Output, RecordError, schema};

use super::envelope::{internal, masked, member, of_members, present, rows, with_members};
use super::header_text::{header_values, with_header};
use super::require;

/// What becomes of a deleted row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletes {
    /// It stays, and its columns say that it was deleted.
    Soft,
    /// The record becomes a tombstone.
    Apply,
    /// The record is dropped.
    Skip,
}

impl Deletes {
    /// The values of `delete.mode`.
    pub(super) const NAMES: &[&str] = &["soft", "apply", "skip"];

    /// The one called `name`, in any case.
    pub(super) fn named(name: &str) -> Self {
        match &*name.to_ascii_lowercase() {
            "apply" => Self::Apply,
            "skip" => Self::Skip,
            _ => Self::Soft,
        }
    }
}

/// A member of a message to add to the row or the headers.
#[derive(Debug)]
pub(super) struct Added {
    /// Its path: names with dots between them.
    pub(super) path: String,
    /// The name that it gets.
    name: String,
}

impl Added {
    /// Those that a list names: `member`, `struct.member` (then `struct_member` is its name), with `:name` after it for another name.
    pub(super) fn all(prefix: &str, list: &[String]) -> Vec<Self> {
        let of = |entry: &String| {
            let (path, name) = match entry.split_once(':') {
                Some((path, name)) => (path, name.to_owned()),
                None => (&**entry, entry.replace('.', "_")),
            };
            Self { path: path.trim().to_owned(), name: format!("{prefix}{}", name.trim()) }
        };
        list.iter().filter(|entry| !entry.is_empty()).map(of).collect()
    }
}

/// What is made of each change, whatever tool tells of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) deletes: Deletes,
    pub(super) fields: Vec<Added>,
    pub(super) headers: Vec<Added>,
    /// The columns of the row that make the key; the record's own stays if there are none.
    pub(super) key: Vec<String>,
}

impl Outcome {
    /// The records of `batch` with `row` in place of their messages. `deleted` says which were deleted; `part` finds a member of the
    /// messages by its path.
    ///
    /// # Errors
    /// A name is there twice, or a column of the key is not there.
    pub(super) fn of(
        &self,
        mut batch: Batch,
        row: &Column,
        deleted: &BooleanBuffer,
        part: impl Fn(&str) -> Option<Column>,
    ) -> Result<Batch, RecordError> {
        let schemaless = schema::is_schemaless(&row.field);
        let found = |added: &Added| {
            // What no message had yet is text for all that is known.
            let absent = || Column {
                field: field("absent", DataType::Utf8, schemaless),
                array: Arc::new(StringArray::new_null(row.array.len())),
            };
            let column = part(&added.path).unwrap_or_else(absent);
            let field = column.field.as_ref().clone().with_name(&added.name).with_nullable(true);
            Column { field: Arc::new(field), array: column.array }
        };
        if !self.key.is_empty() {
            batch.key = key(row, &self.key)?;
        }
        let added: Vec<_> = self.fields.iter().map(&found).map(|column| (column.field, column.array)).collect();
        let row = with_members(row, added, "a change")?;
        for header in &self.headers {
            batch = with_header(batch, &header.name, header_values(&found(header)));
        }
        let array = match self.deletes {
            Deletes::Apply => masked(&row.array, Some(&NullBuffer::new(!deleted))),
            _ => row.array,
        };
        batch.value = require::root("value", &row.field, array);
        if self.deletes == Deletes::Skip { rows(&batch, &!deleted) } else { Ok(batch) }
    }
}

/// The key that `columns` of `row` make.
pub(super) fn key(row: &Column, columns: &[String]) -> Result<Column, RecordError> {
    let of = |name: &String| {
        let column = member(row, name).ok_or_else(|| RecordError::data(format!("the row has no column {name} for the key")))?;
        Ok::<_, RecordError>((column.field, column.array))
    };
    let (fields, arrays) = columns.iter().map(of).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let like = field("key", DataType::Null, schema::is_schemaless(&row.field));
    Ok(of_members(&like, fields, arrays, None, row.array.len()))
}

/// A field that may be null, of a value with or without a schema.
pub(super) fn field(name: &str, data_type: DataType, schemaless: bool) -> FieldRef {
    let field = Field::new(name, data_type, true);
    let mark: HashMap<_, _> = schemaless.then(|| (schema::SCHEMALESS.to_owned(), "true".to_owned())).into_iter().collect();
    Arc::new(field.with_metadata(mark))
}

/// The member of `column` at `path`, names with dots between them.
pub(super) fn at(column: &Column, path: &str) -> Option<Column> {
    path.split('.').try_fold(column.clone(), |column, name| member(&column, name))
}

/// The text of a member that the messages may lack.
pub(super) fn text(column: Option<&Column>, len: usize) -> StringArray {
    let text = column.and_then(|column| column.array.as_string_opt::<i32>());
    text.cloned().unwrap_or_else(|| StringArray::new_null(len))
}

/// For each row `a` if `first` says so, else `b`. Their structs may have members that the other lacks, which are null then, and integers
/// become doubles beside doubles. None if some of their types do not go together.
pub(super) fn either(first: &BooleanArray, a: &Column, b: &Column) -> Result<Option<Column>, RecordError> {
    let both = |array: &ArrayRef, other: &ArrayRef| zip(first, array, other).map_err(internal);
    let array = match (a.field.data_type(), b.field.data_type()) {
        (one, other) if one == other => both(&a.array, &b.array)?,
        (DataType::Null, other) => {
            let array = both(&new_null_array(other, b.array.len()), &b.array)?;
            return Ok(Some(Column { field: nullable(&b.field), array }));
        }
        (one, DataType::Null) => both(&a.array, &new_null_array(one, a.array.len()))?,
        (DataType::Float64, DataType::Int64) => both(&a.array, &doubles(&b.array))?,
        (DataType::Int64, DataType::Float64) => {
            let array = both(&doubles(&a.array), &b.array)?;
            return Ok(Some(Column { field: nullable(&b.field), array }));
        }
        (DataType::Struct(of_a), DataType::Struct(of_b)) => {
            let mut members = Vec::new();
            let names = of_a.iter().chain(of_b.iter().filter(|field| of_a.find(field.name()).is_none()));
            for name in names.map(|field| field.name()) {
                let absent =
                    || Column { field: field(name, DataType::Null, false), array: new_null_array(&DataType::Null, first.len()) };
                let part = |of: &Column| member(of, name).unwrap_or_else(absent);
                let Some(member) = either(first, &part(a), &part(b))? else { return Ok(None) };
                members.push(member);
            }
            let there = |column: &Column| BooleanArray::new(present(&column.array), None);
            let there = both(&(Arc::new(there(a)) as ArrayRef), &(Arc::new(there(b)) as ArrayRef))?;
            let nulls = NullBuffer::new(there.as_boolean().values().clone());
            let (fields, arrays): (Vec<_>, Vec<_>) = members.into_iter().map(|column| (column.field, column.array)).unzip();
            let like = nullable(&a.field);
            return Ok(Some(of_members(&like, fields, arrays, Some(nulls), first.len())));
        }
        _ => return Ok(None),
    };
    Ok(Some(Column { field: nullable(&a.field), array }))
}

fn nullable(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_nullable(true))
}

fn doubles(integers: &ArrayRef) -> ArrayRef {
    Arc::new(integers.as_primitive::<Int64Type>().unary::<_, Float64Type>(|integer| integer as f64))
}

/// The rows of `batch`: `after` where there is one, else `before`. Rows of types that do not go together stay apart.
pub(super) fn images(batch: Batch, after: Option<Column>, before: Option<Column>) -> Result<Vec<(Batch, Column)>, RecordError> {
    let nothing = || Column { field: field("image", DataType::Null, false), array: new_null_array(&DataType::Null, batch.len()) };
    let (after, before) = (after.unwrap_or_else(nothing), before.unwrap_or_else(nothing));
    let first = BooleanArray::new(present(&after.array), None);
    if let Some(row) = either(&first, &after, &before)? {
        return Ok(vec![(batch, row)]);
    }
    let apart = [(after, first.values().clone()), (before, !first.values())];
    let part = |(image, mask): (Column, BooleanBuffer)| Ok((rows(&batch, &mask)?, only(&image, &mask)?));
    apart.into_iter().map(part).filter(|part| part.as_ref().is_ok_and(|(batch, _)| !batch.is_empty())).collect()
}

/// The values of `column` for which `mask` is set.
pub(super) fn only(column: &Column, mask: &BooleanBuffer) -> Result<Column, RecordError> {
    let array = filter(&column.array, &BooleanArray::new(mask.clone(), None)).map_err(internal)?;
    Ok(Column { field: column.field.clone(), array })
}

/// Makes something of all of `batch`, or rejects it.
pub(super) fn whole(batch: &Batch, out: &mut Output, make: impl FnOnce(&mut Output) -> Result<(), RecordError>) {
    let mut own = Output::default();
    match make(&mut own) {
        Ok(()) => {
            out.batches.append(&mut own.batches);
            out.rejected.append(&mut own.rejected);
        }
        Err(error) => out.reject_all(batch, &error),
    }
}

/// `row` with all its columns optional: a change may come without some of them.
pub(super) fn optional(row: &Column) -> Column {
    let DataType::Struct(fields) = row.field.data_type() else { return row.clone() };
    let array: &StructArray = row.array.as_struct();
    let fields = fields.iter().map(nullable).collect();
    of_members(&row.field, fields, array.columns().to_vec(), array.nulls().cloned(), array.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn one_of_two_structs_has_the_members_of_both() {
        let batch = schemaless(&[
            Some(r#"{"a":{"x":1,"y":"s","in":{"p":1}}}"#),
            Some(r#"{"b":{"x":1.5,"z":true,"in":{"q":2}}}"#),
            Some(r#"{"a":{"x":3},"b":{"x":4.5}}"#),
        ]);
        let (a, b) = (at(&batch.value, "a").expect("a"), at(&batch.value, "b").expect("b"));
        let first = BooleanArray::new(present(&a.array), None);
        let row = either(&first, &a, &b).expect("zipped").expect("they go together");
        let x = at(&row, "x").expect("x");
        assert_eq!(x.array.as_primitive::<Float64Type>().values(), &[1.0, 1.5, 3.0]);
        assert_eq!(text(at(&row, "y").as_ref(), 3).iter().collect::<Vec<_>>(), [Some("s"), None, None]);
        assert_eq!(at(&row, "z").expect("z").array.as_boolean().iter().collect::<Vec<_>>(), [None, Some(true), None]);
        let q = at(&row, "in.q").expect("q");
        assert_eq!(q.array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, Some(2), None]);
        let y = at(&a, "y").expect("y");
        assert!(either(&first, &y, &x).expect("no kernel fails").is_none());
    }

    #[test]
    fn entries_name_paths() {
        let added = Added::all("__", &["op".into(), "a.b".into(), "a.b: c".into()]);
        let shown: Vec<_> = added.iter().map(|added| (&*added.path, &*added.name)).collect();
        assert_eq!(shown, [("op", "__op"), ("a.b", "__a_b"), ("a.b", "__c")]);
    }
}
