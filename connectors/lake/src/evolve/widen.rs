//! The union of two schemas: what holds the values of both (`landfall.schema=widen`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};
use landfall_api::schema::{DEFAULT, is_json};

use super::Next;
use crate::types::table;

/// What becomes of a file of `file` when rows of `rows` come, where schemas grow.
pub(super) fn next(file: &FieldRef, rows: &FieldRef) -> Next {
    match union(file, rows, Clash::Ends) {
        Some(union) if is_alike(&union, file) => Next::Project(union),
        Some(union) => Next::Widen(union),
        None => Next::Rotate,
    }
}

/// `field` without defaults, at every depth: in a file that holds rows of several schemas, what a row does not have is null.
pub(super) fn bare(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(bare).collect()),
        DataType::List(item) => DataType::List(bare(item)),
        DataType::Map(entries, sorted) => DataType::Map(bare(entries), *sorted),
        other => other.clone(),
    };
    if data_type == *field.data_type() && !field.metadata().contains_key(DEFAULT) {
        return field.clone();
    }
    let mut bare = field.as_ref().clone().with_data_type(data_type);
    bare.metadata_mut().remove(DEFAULT);
    Arc::new(bare)
}

/// The union of what files before hold and of rows that do not fit them: what clashes, at any depth, is as in the rows.
pub(super) fn renewed(known: &FieldRef, rows: &FieldRef) -> FieldRef {
    union(known, rows, Clash::Renews).unwrap_or_else(|| bare(rows))
}

/// What two types of which none holds the values of both do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clash {
    /// There is no union.
    Ends,
    /// The second one is the union.
    Renews,
}

/// The union of two fields under the name of the first; None if no type holds the values of both, which does not end.
fn union(file: &FieldRef, rows: &FieldRef, clash: Clash) -> Option<FieldRef> {
    let clashing = || (clash == Clash::Renews).then(|| Arc::new(bare(rows).as_ref().clone().with_name(file.name())));
    match (file.data_type(), rows.data_type()) {
        (_, DataType::Null) => Some(nullable(file, file.name())),
        (DataType::Null, _) => Some(nullable(rows, file.name())),
        _ if meaning(file) != meaning(rows) => clashing(),
        (own, other) => {
            let Some(data_type) = data_type(own, other, clash) else { return clashing() };
            let mut metadata = file.metadata().clone();
            metadata.remove(DEFAULT);
            let nullable = file.is_nullable() || rows.is_nullable();
            Some(Arc::new(Field::new(file.name(), data_type, nullable).with_metadata(metadata)))
        }
    }
}

/// A field that only some values have.
fn nullable(field: &FieldRef, name: &str) -> FieldRef {
    Arc::new(bare(field).as_ref().clone().with_name(name).with_nullable(true))
}

/// What values mean besides their type: dates and times that are numbers or text, and values of several types as JSON. What has
/// another meaning would be read as something else. The names of other schemas change nothing.
fn meaning(field: &Field) -> (Option<&str>, bool) {
    (table::find(field).map(|named| named.name), is_json(field))
}

fn data_type(own: &DataType, other: &DataType, clash: Clash) -> Option<DataType> {
    use DataType as T;
    Some(match (own, other) {
        (T::Struct(own), T::Struct(other)) => T::Struct(fields(own, other, clash)?),
        (T::List(own), T::List(other)) => T::List(union(own, other, clash)?),
        (T::Map(own, sorted), T::Map(other, _)) => {
            let (T::Struct(parts), T::Struct(others)) = (own.data_type(), other.data_type()) else { return None };
            let ([key, value], [other_key, other_value]) = (&parts[..], &others[..]) else { return None };
            let key = union(key, other_key, clash).filter(|union| is_alike(union, key))?;
            let parts = T::Struct([key, union(value, other_value, clash)?].into_iter().collect());
            T::Map(Arc::new(own.as_ref().clone().with_data_type(parts)), *sorted)
        }
        (T::Decimal128(own, scale), T::Decimal128(other, same)) if scale == same => T::Decimal128(*own.max(other), *scale),
        (T::Decimal256(own, scale), T::Decimal256(other, same)) if scale == same => T::Decimal256(*own.max(other), *scale),
        _ if own == other => own.clone(),
        _ => number(integer(own), integer(other), own, other)?,
    })
}

/// The bytes of an integer.
fn integer(data_type: &DataType) -> Option<u8> {
    Some(match data_type {
        DataType::Int8 => 1,
        DataType::Int16 => 2,
        DataType::Int32 => 4,
        DataType::Int64 => 8,
        _ => return None,
    })
}

/// The number that holds both exactly.
fn number(own_bytes: Option<u8>, other_bytes: Option<u8>, own: &DataType, other: &DataType) -> Option<DataType> {
    let is_float = |data_type: &DataType| matches!(data_type, DataType::Float32 | DataType::Float64);
    match (own_bytes, other_bytes) {
        (Some(a), Some(b)) => Some(if a < b { other.clone() } else { own.clone() }),
        (Some(1..=4), None) if is_float(other) => Some(DataType::Float64),
        (None, Some(1..=4)) if is_float(own) => Some(DataType::Float64),
        (None, None) if is_float(own) && is_float(other) => Some(DataType::Float64),
        _ => None,
    }
}

/// The fields of the first in their order, then those that only the second has. What one of them lacks may be null.
fn fields(own: &Fields, other: &Fields, clash: Clash) -> Option<Fields> {
    let others: HashMap<&str, &FieldRef> = other.iter().map(|field| (field.name().as_str(), field)).collect();
    let owns: HashSet<&str> = own.iter().map(|field| field.name().as_str()).collect();
    let kept = own.iter().map(|field| match others.get(field.name().as_str()) {
        Some(other) => union(field, other, clash),
        None => Some(nullable(field, field.name())),
    });
    let added = other.iter().filter(|field| !owns.contains(field.name().as_str()));
    kept.chain(added.map(|field| Some(nullable(field, field.name())))).collect()
}

/// Whether columns of the two are the same, whatever their metadata and their own names.
fn is_alike(a: &Field, b: &Field) -> bool {
    let data_types = match (a.data_type(), b.data_type()) {
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name() == b.name() && is_alike(a, b))
        }
        (DataType::List(a), DataType::List(b)) | (DataType::Map(a, _), DataType::Map(b, _)) => is_alike(a, b),
        (a, b) => a == b,
    };
    data_types && a.is_nullable() == b.is_nullable()
}
