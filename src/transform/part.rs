//! The part of a record that a transform works on, and the members of a struct to work with.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, FieldRef, Fields};
use landfall_api::schema::{DEFAULT, is_schemaless};
use landfall_api::{Batch, Column, Output, RecordError};

use super::default::or_default;

/// Which part of a record a transform works on: `$Key` or `$Value` in its class name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Part {
    /// The part's column.
    #[must_use]
    pub const fn of(self, batch: &Batch) -> &Column {
        match self {
            Self::Key => &batch.key,
            Self::Value => &batch.value,
        }
    }

    /// `batch` with another column for the part.
    #[must_use]
    pub fn replaced(self, mut batch: Batch, column: Column) -> Batch {
        match self {
            Self::Key => batch.key = column,
            Self::Value => batch.value = column,
        }
        batch
    }

    /// Refuses the rows of `batch` whose part is not null. The others go on.
    pub fn reject_values(self, batch: Batch, error: &RecordError, out: &mut Output) {
        let nulls = self.of(&batch).array.logical_nulls();
        let rows = (0..batch.len()).filter(|&row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
        let errors = rows.map(|row| (row, error.clone())).collect();
        let others = out.reject_rows(batch, errors);
        out.emit(others);
    }
}

/// The members of a struct column, to add to, change and take away.
#[derive(Clone, Debug)]
pub struct Members {
    /// Their fields.
    pub fields: Vec<FieldRef>,
    /// Their values, in the same order.
    pub arrays: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
    len: usize,
}

impl Members {
    /// Those of `column`; None if it is no struct.
    #[must_use]
    pub fn of(column: &Column) -> Option<Self> {
        let DataType::Struct(fields) = column.field.data_type() else { return None };
        let array = column.array.as_struct();
        let (fields, nulls) = (fields.iter().cloned().collect(), array.nulls().cloned());
        Some(Self { fields, arrays: array.columns().to_vec(), nulls, len: array.len() })
    }

    /// The place of the member called `name`.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name() == name)
    }

    /// The members with their schemas' defaults in place of nulls (`replace.null.with.default`).
    #[must_use]
    pub fn with_defaults(mut self) -> Self {
        self.arrays = self.fields.iter().zip(&self.arrays).map(|(field, array)| or_default(field, array)).collect();
        self
    }

    /// A member at the end of a struct with a schema (`SchemaBuilder.field`).
    ///
    /// # Errors
    /// Its name is empty or there already, in Java's words.
    pub fn add(&mut self, field: impl Into<FieldRef>, array: ArrayRef) -> Result<(), RecordError> {
        let field = field.into();
        let refused = |message| RecordError { class: "org.apache.kafka.connect.errors.SchemaBuilderException", message };
        if field.name().is_empty() {
            return Err(refused("fieldName cannot be null.".to_owned()));
        }
        if self.position(field.name()).is_some() {
            return Err(refused(format!("Cannot create field because of field name duplication {}", field.name())));
        }
        self.push(field, array);
        Ok(())
    }

    /// None of the members, of structs that are null in the same rows.
    #[must_use]
    pub fn none(&self) -> Self {
        Self { fields: Vec::new(), arrays: Vec::new(), nulls: self.nulls.clone(), len: self.len }
    }

    /// Where the structs are null.
    #[must_use]
    pub const fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    /// A member at the end.
    pub fn push(&mut self, field: impl Into<FieldRef>, array: ArrayRef) {
        self.fields.push(field.into());
        self.arrays.push(array);
    }

    /// They as a struct column with the name and the schema's metadata of `field`, null where the struct was.
    #[must_use]
    pub fn into_column(self, field: &FieldRef) -> Column {
        let fields = Fields::from(self.fields);
        let array = if fields.is_empty() {
            StructArray::new_empty_fields(self.len, self.nulls)
        } else {
            StructArray::new(fields.clone(), self.arrays, self.nulls)
        };
        let field = field.as_ref().clone().with_data_type(DataType::Struct(fields));
        Column { field: Arc::new(field), array: Arc::new(array) }
    }
}

/// The field of a value whose schema is built anew with the name, version, documentation and parameters of another
/// (`SchemaUtil.copySchemaBasics`): without its default.
#[must_use]
pub(crate) fn basics(field: &FieldRef) -> FieldRef {
    if is_schemaless(field) || !field.metadata().contains_key(DEFAULT) {
        return field.clone();
    }
    let mut metadata = field.metadata().clone();
    metadata.remove(DEFAULT);
    Arc::new(field.as_ref().clone().with_metadata(metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn members_go_round() {
        let batch = schemaless(&[Some(r#"{"a":1,"b":"x"}"#), None]);
        let mut members = Members::of(&batch.value).expect("a struct");
        assert_eq!(members.position("b"), Some(1));
        assert_eq!(members.clone().into_column(&batch.value.field).array.as_ref(), batch.value.array.as_ref());
        members.fields.clear();
        members.arrays.clear();
        let empty = members.into_column(&batch.value.field);
        assert_eq!((empty.array.len(), empty.array.null_count()), (2, 1));
        assert!(Members::of(&batch.key).is_none());
    }
}
