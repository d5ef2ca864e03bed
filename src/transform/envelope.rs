//! What transforms that unwrap change records share: rows by kind, members of structs, the row of an envelope with columns added.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, BooleanArray, StructArray, make_array, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use landfall_api::{Batch, Column, RecordError};

use super::default::or_default;
use super::require::{self, java_class};

/// The class of the errors of a schema that cannot be built.
const SCHEMA_BUILDER: &str = "org.apache.kafka.connect.errors.SchemaBuilderException";

/// Which values are not null.
pub(super) fn present(array: &dyn Array) -> BooleanBuffer {
    array.logical_nulls().map_or_else(|| BooleanBuffer::new_set(array.len()), |nulls| nulls.inner().clone())
}

/// The rows of `batch` for which `mask` is set; itself if that is each.
pub(super) fn rows(batch: &Batch, mask: &BooleanBuffer) -> Result<Batch, RecordError> {
    if mask.count_set_bits() == mask.len() {
        return Ok(batch.clone());
    }
    batch.filter(&BooleanArray::new(mask.clone(), None)).map_err(internal)
}

/// `batch`, which has no values, with the type of the rows `beside` it, if there are some: a tombstone joins them.
pub(super) fn tombstones(batch: Batch, beside: Option<&Batch>) -> Batch {
    let nothing = || Arc::new(Field::new("value", DataType::Null, true));
    let field = beside.map_or_else(nothing, |beside| beside.value.field.clone());
    let array = new_null_array(field.data_type(), batch.len());
    Batch { value: Column { field, array }, ..batch }
}

/// An Arrow kernel did not take its input.
#[expect(clippy::needless_pass_by_value, reason = "it is used where errors are mapped")]
pub(super) fn internal(error: ArrowError) -> RecordError {
    RecordError::data(error.to_string())
}

/// The member of `column` called `name`, null where the struct is; None if it has none or is no struct.
pub(super) fn member(column: &Column, name: &str) -> Option<Column> {
    let DataType::Struct(fields) = column.field.data_type() else { return None };
    let (at, field) = fields.find(name)?;
    let array = column.array.as_struct();
    Some(Column { field: field.clone(), array: masked(array.column(at), array.nulls()) })
}

/// `array` with nulls where `nulls` has some, too.
pub(super) fn masked(array: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    if nulls.is_none_or(|nulls| nulls.null_count() == 0) || array.data_type() == &DataType::Null {
        return array.clone();
    }
    let data = array.to_data();
    let nulls = NullBuffer::union(data.nulls(), nulls);
    // The layout is the array's own; only more of its values are null.
    data.into_builder().nulls(nulls).build().map_or_else(|_| array.clone(), make_array)
}

/// The struct `row` with `added` members at its end, null where the row is.
///
/// # Errors
/// A name is there twice, or `row` is no struct; `purpose` is what Java calls what needs one.
pub(super) fn with_members(
    row: &Column,
    added: impl IntoIterator<Item = (FieldRef, ArrayRef)>,
    purpose: &str,
) -> Result<Column, RecordError> {
    let DataType::Struct(fields) = row.field.data_type() else { return Err(no_struct(row, purpose)) };
    let array = row.array.as_struct();
    let (mut fields, mut arrays) = (fields.iter().cloned().collect::<Vec<_>>(), array.columns().to_vec());
    for (field, values) in added {
        if fields.iter().any(|other| other.name() == field.name()) {
            return Err(duplicate(field.name()));
        }
        arrays.push(values);
        fields.push(field);
    }
    Ok(of_members(&row.field, fields, arrays, array.nulls().cloned(), array.len()))
}

/// A struct column with the name and the schema's metadata of `like`.
pub(super) fn of_members(
    like: &Field,
    fields: Vec<FieldRef>,
    arrays: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
    len: usize,
) -> Column {
    let field = like.clone().with_data_type(DataType::Struct(fields.clone().into()));
    let array = if fields.is_empty() {
        StructArray::new_empty_fields(len, nulls)
    } else {
        StructArray::new(fields.into(), arrays, nulls)
    };
    Column { field: Arc::new(field), array: Arc::new(array) }
}

/// The struct `row` with the default of a member in place of its nulls, as Java's `Struct.get` gives it.
pub(super) fn defaulted(row: &Column) -> Column {
    let DataType::Struct(fields) = row.field.data_type() else { return row.clone() };
    let array = row.array.as_struct();
    let arrays = fields.iter().zip(array.columns()).map(|(field, values)| or_default(field, values)).collect();
    of_members(&row.field, fields.iter().cloned().collect(), arrays, array.nulls().cloned(), array.len())
}

/// A second field called `name`.
pub(super) fn duplicate(name: &str) -> RecordError {
    require::error(SCHEMA_BUILDER, format!("Cannot create field because of field name duplication {name}"))
}

/// Java's `Requirements.requireStruct` of values of another type, of which one is there.
pub(super) fn no_struct(found: &Column, purpose: &str) -> RecordError {
    let row = present(&found.array).set_indices().next().unwrap_or_default();
    let class = if found.array.is_empty() { "null" } else { java_class(&found.field, &found.array, row) };
    RecordError::data(format!("Only Struct objects supported for [{purpose}], found: {class}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn members_are_null_where_their_struct_is() {
        let batch = schemaless(&[Some(r#"{"a":{"b":1}}"#), Some(r#"{"a":null}"#), None]);
        let a = member(&batch.value, "a").expect("a struct");
        let b = member(&a, "b").expect("a number");
        assert_eq!(present(&b.array).iter().collect::<Vec<_>>(), [true, false, false]);
        assert!(member(&b, "c").is_none());
        let twice = with_members(&batch.value, [(a.field, a.array)], "test").expect_err("refused");
        assert_eq!(twice.message, "Cannot create field because of field name duplication a");
        let none = with_members(&b, [], "test").expect_err("refused");
        assert_eq!(none.message, "Only Struct objects supported for [test], found: java.lang.Long");
    }
}
