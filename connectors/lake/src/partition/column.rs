//! Values of a field, wherever it is.

use std::borrow::Cow;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, Int32Array, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, FieldRef};
use arrow_select::take::take;
use landfall_api::schema::{self, is_json, is_schemaless};
use landfall_api::{Column, RecordError};

use super::groups::Groups;
use super::joda::civil;
use super::partition_error;

/// The values of a field; null where it is, or something that it is in.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) field: FieldRef,
    pub(super) array: ArrayRef,
    nulls: Option<NullBuffer>,
}

/// What can be written into a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Text,
    /// The JSON of values of several types.
    Json,
    Bytes,
    Date,
    /// Nothing but nulls.
    Null,
}

impl Leaf {
    /// A column as it is.
    pub(super) fn root(column: &Column) -> Self {
        Self { field: column.field.clone(), nulls: column.array.logical_nulls(), array: column.array.clone() }
    }

    /// The field below a column whose names are `path`; None if there is no such field. Entries of maps are fields too.
    pub(super) fn find(column: &Column, path: &[String]) -> Option<Self> {
        path.iter().try_fold(Self::root(column), |leaf, name| leaf.below(name))
    }

    fn below(&self, name: &str) -> Option<Self> {
        let (field, array) = match self.field.data_type() {
            DataType::Struct(fields) => {
                let (at, field) = fields.find(name)?;
                (field.clone(), self.array.as_struct().column(at).clone())
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else { return None };
                let map = self.array.as_map();
                let keys = map.keys().as_string_opt::<i32>()?;
                let entry = |row: usize| {
                    let range = map.value_offsets()[row]..map.value_offsets()[row + 1];
                    range.rev().find(|at| keys.is_valid(*at as usize) && keys.value(*at as usize) == name)
                };
                let at = Int32Array::from_iter((0..map.len()).map(entry));
                (fields.get(1)?.clone(), take(map.values(), &at, None).ok()?)
            }
            _ => return None,
        };
        let nulls = NullBuffer::union(self.nulls.as_ref(), array.logical_nulls().as_ref());
        Some(Self { field, array, nulls })
    }

    /// Whether no value is null.
    pub(super) fn is_full(&self) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.null_count() == 0)
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// What its values are; None if they can be in no name. Of numbers with a meaning of their own, such as times, only dates can.
    pub(super) fn kind(&self) -> Option<Kind> {
        Some(match self.field.data_type() {
            DataType::Boolean => Kind::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Kind::Integer,
            DataType::Utf8 if is_json(&self.field) => Kind::Json,
            DataType::Utf8 => Kind::Text,
            DataType::Binary => Kind::Bytes,
            DataType::Date32 => Kind::Date,
            DataType::Null => Kind::Null,
            _ => return None,
        })
    }

    /// Its rows by their values; by whether they are null for one that has no [`kind`](Self::kind).
    pub(super) fn groups(&self) -> Groups {
        let rows = 0..self.array.len();
        match self.field.data_type() {
            DataType::Boolean => {
                let values = self.array.as_boolean();
                Groups::of(rows.map(|row| (!self.is_null(row)).then(|| values.value(row))))
            }
            DataType::Int8 => self.numbers::<Int8Type>(),
            DataType::Int16 => self.numbers::<Int16Type>(),
            DataType::Int32 => self.numbers::<Int32Type>(),
            DataType::Int64 => self.numbers::<Int64Type>(),
            DataType::Date32 => self.numbers::<Date32Type>(),
            DataType::Utf8 => {
                let values = self.array.as_string::<i32>();
                Groups::of(rows.map(|row| (!self.is_null(row)).then(|| values.value(row))))
            }
            DataType::Binary => {
                let values = self.array.as_binary::<i32>();
                Groups::of(rows.map(|row| (!self.is_null(row)).then(|| values.value(row))))
            }
            _ => Groups::of(rows.map(|row| self.is_null(row))),
        }
    }

    fn numbers<T: ArrowPrimitiveType<Native: std::hash::Hash + Eq>>(&self) -> Groups {
        let values: &PrimitiveArray<T> = self.array.as_primitive();
        Groups::of((0..values.len()).map(|row| (!self.is_null(row)).then(|| values.value(row))))
    }

    /// The text of a row's value as Java prints it; None for null.
    ///
    /// # Errors
    /// Bytes that are no text, and JSON that is neither text, a number nor a boolean.
    pub(super) fn text(&self, row: usize) -> Result<Option<Cow<'_, str>>, RecordError> {
        if self.is_null(row) {
            return Ok(None);
        }
        let array = &self.array;
        Ok(Some(match self.field.data_type() {
            DataType::Boolean => Cow::Borrowed(if array.as_boolean().value(row) { "true" } else { "false" }),
            DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string().into(),
            DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string().into(),
            DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string().into(),
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string().into(),
            DataType::Date32 => {
                let (year, month, day) = civil(array.as_primitive::<Date32Type>().value(row).into());
                format!("{year:04}-{month:02}-{day:02}").into()
            }
            DataType::Utf8 if is_json(&self.field) => {
                let json = array.as_string::<i32>().value(row);
                match json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) {
                    Some(text) if !text.contains('\\') => Cow::Borrowed(text),
                    None if json == "null" => return Ok(None),
                    None if !json.starts_with(['{', '[']) => Cow::Borrowed(json),
                    _ => return Err(self.no_name()),
                }
            }
            DataType::Utf8 => Cow::Borrowed(array.as_string::<i32>().value(row)),
            DataType::Binary => Cow::Borrowed(str::from_utf8(array.as_binary::<i32>().value(row)).map_err(|_| self.no_name())?),
            _ => return Ok(None),
        }))
    }

    fn no_name(&self) -> RecordError {
        partition_error(format!("a value of '{}' is no text, number or boolean that a path can have", self.field.name()))
    }
}

/// The names of a field within fields: `a.b.c`.
pub(super) fn path(name: &str) -> Vec<String> {
    // as Java's split, which drops empty names at the end
    let mut path: Vec<String> = name.split('.').map(str::to_owned).collect();
    while path.len() > 1 && path.last().is_some_and(String::is_empty) {
        path.pop();
    }
    path
}

/// Whether a value is one of fields, with a schema.
pub(super) fn is_struct(column: &Column) -> bool {
    matches!(column.field.data_type(), DataType::Struct(_)) && !is_schemaless(&column.field)
}

/// Whether a value is one of fields, without a schema or as a map.
pub(super) fn is_map(column: &Column) -> bool {
    match column.field.data_type() {
        DataType::Struct(_) => is_schemaless(&column.field),
        data_type => matches!(data_type, DataType::Map(..)),
    }
}

/// Whether a field is of one of Connect's logical types, whose values are no numbers to Java.
pub(super) fn is_logical(field: &FieldRef) -> bool {
    schema::name(field).is_some_and(|name| [schema::DATE, schema::TIME, schema::TIMESTAMP, schema::DECIMAL].contains(&name))
}
