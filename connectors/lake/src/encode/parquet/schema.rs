//! The Parquet schema of a file: what the writer makes of the Arrow one, and the annotations that Arrow has no types for.

use std::sync::Arc;

use ::parquet::arrow::ArrowSchemaConverter;
use ::parquet::basic::{LogicalType, Type as Physical};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use arrow_schema::{DataType, FieldRef, Schema};

use crate::types::ANNOTATION;

/// The Parquet schema of files of `schema`.
pub(super) fn of(schema: &Schema) -> Result<SchemaDescriptor, ParquetError> {
    let plain = ArrowSchemaConverter::new().convert(schema)?;
    let mut json = Vec::new();
    schema.fields().iter().for_each(|field| add_leaves(field, &mut json));
    if !json.contains(&true) {
        return Ok(plain);
    }
    Ok(SchemaDescriptor::new(annotated(plain.root_schema(), &mut json.into_iter())?))
}

/// For each leaf column of `field`, in Parquet's order, whether it is JSON.
fn add_leaves(field: &FieldRef, json: &mut Vec<bool>) {
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().for_each(|field| add_leaves(field, json)),
        DataType::List(inner) | DataType::Map(inner, _) => add_leaves(inner, json),
        _ => json.push(field.metadata().contains_key(ANNOTATION)),
    }
}

/// `plain` with its leaves annotated that `json` says.
fn annotated(plain: &Type, json: &mut impl Iterator<Item = bool>) -> Result<TypePtr, ParquetError> {
    let info = plain.get_basic_info();
    let id = info.has_id().then(|| info.id());
    Ok(Arc::new(match plain {
        Type::PrimitiveType { .. } if json.next() == Some(true) => {
            Type::primitive_type_builder(plain.name(), Physical::BYTE_ARRAY)
                .with_repetition(info.repetition())
                .with_id(id)
                .with_logical_type(Some(LogicalType::Json))
                .build()?
        }
        Type::PrimitiveType { .. } => plain.clone(),
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(|field| annotated(field, json)).collect::<Result<Vec<_>, _>>()?;
            let mut group = Type::group_type_builder(plain.name())
                .with_id(id)
                .with_logical_type(info.logical_type_ref().cloned())
                .with_converted_type(info.converted_type())
                .with_fields(fields);
            if info.has_repetition() {
                group = group.with_repetition(info.repetition());
            }
            group.build()?
        }
    }))
}
