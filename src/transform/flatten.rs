//! `org.apache.kafka.connect.transforms.Flatten` (4.3.1): the fields of nested structs as fields of the record, with the names on the way
//! joined.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BooleanArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, FieldRef};
use arrow_select::nullif::nullif;
use landfall_api::schema::{DEFAULT, is_schemaless};
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};
use serde_json::Value;

use super::default::or_default;
use super::part::basics;
use super::replace_field::overlaid;
use super::require::{java_class, structs};
use super::{Members, Part};

config! {
    /// What `Flatten.CONFIG_DEF` declares.
    struct FlattenConfig {
        /// Delimiter to insert between field names from the input record when generating field names for the output record.
        delimiter: String = "delimiter" { default: Some("."), width: Width::None, display: "delimiter" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct FlattenClass(pub(super) Part);

impl TransformClass for FlattenClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.Flatten$Key",
            Part::Value => "org.apache.kafka.connect.transforms.Flatten$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        FlattenConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = FlattenConfig::parse(properties, &mut faults);
        let delimiter = faults.or(config)?.delimiter;
        Ok(Box::new(Flatten { part: self.0, delimiter, plan: None }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct Flatten {
    part: Part,
    delimiter: String,
    /// The last schema with what it became.
    plan: Option<(FieldRef, Result<Plan, RecordError>)>,
}

/// The fields of a flat struct, and for each the places on the way to it.
#[derive(Clone, Debug, Default)]
struct Plan {
    leaves: Vec<(FieldRef, Vec<usize>)>,
}

impl Transform for Flatten {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, "flattening", true, out);
        let column = self.part.of(&batch);
        let Some(members) = Members::of(column) else { return out.emit(batch) };
        let schemaless = is_schemaless(&column.field);
        let plan = match &self.plan {
            Some((field, plan)) if Arc::ptr_eq(field, &column.field) || *field == column.field => plan.clone(),
            _ => {
                let mut plan = Plan::default();
                let root = Place { name: String::new(), optional: false, default: parsed(&column.field), schemaless };
                let plan = self.plan(&mut plan, &column.field, &root, &mut Vec::new()).map(|()| plan);
                self.plan = Some((column.field.clone(), plan.clone()));
                plan
            }
        };
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => return self.part.reject_values(batch, &error, out),
        };
        let (mut flat, mut errors) = (members.none(), Vec::new());
        for (field, way) in &plan.leaves {
            let leaf = leaf(&column.array, way);
            if schemaless {
                unsupported(field, &leaf, &mut errors);
            }
            match flat.position(field.name()).filter(|_| schemaless) {
                Some(at) => {
                    let there = (flat.fields[at].clone(), flat.arrays[at].clone());
                    (flat.fields[at], flat.arrays[at]) = overlaid((field.clone(), leaf), &there, &mut errors);
                }
                None if schemaless => flat.push(field.clone(), leaf),
                None => {
                    if let Err(error) = flat.add(field.clone(), leaf) {
                        return self.part.reject_values(batch, &error, out);
                    }
                }
            }
        }
        errors.sort_by_key(|(row, _)| *row);
        errors.dedup_by_key(|(row, _)| *row);
        let column = flat.into_column(&basics(&column.field));
        let batch = out.reject_rows(self.part.replaced(batch, column), errors);
        out.emit(batch);
    }
}

/// A struct on the way.
struct Place {
    name: String,
    /// Whether it or one above it is optional.
    optional: bool,
    /// Its default.
    default: Option<Value>,
    schemaless: bool,
}

impl Flatten {
    fn plan(&self, plan: &mut Plan, field: &Field, place: &Place, way: &mut Vec<usize>) -> Result<(), RecordError> {
        let DataType::Struct(fields) = field.data_type() else { return Ok(()) };
        for (at, field) in fields.iter().enumerate() {
            way.push(at);
            let name = if place.name.is_empty() {
                field.name().clone()
            } else {
                format!("{}{}{}", place.name, self.delimiter, field.name())
            };
            let inherited =
                || place.default.as_ref().and_then(|default| default.get(field.name())).filter(|json| !json.is_null()).cloned();
            let below = Place {
                optional: place.optional || field.is_nullable(),
                default: parsed(field).or_else(inherited),
                schemaless: place.schemaless,
                name,
            };
            match field.data_type() {
                DataType::Struct(_) => self.plan(plan, field, &below, way)?,
                DataType::Map(..) if !place.schemaless => {
                    let message = format!(
                        "Flatten transformation does not support MAP for record with schemas (for field {}).",
                        below.name
                    );
                    return Err(RecordError::data(message));
                }
                _ => {
                    let mut metadata = field.metadata().clone();
                    metadata.extend(below.default.map(|default| (DEFAULT.to_owned(), default.to_string())));
                    let field =
                        field.as_ref().clone().with_name(below.name).with_nullable(below.optional).with_metadata(metadata);
                    plan.leaves.push((Arc::new(field), way.clone()));
                }
            }
            way.pop();
        }
        Ok(())
    }
}

fn parsed(field: &Field) -> Option<Value> {
    serde_json::from_str(field.metadata().get(DEFAULT)?).ok()
}

/// The values at the end of the way, null where a struct on the way is; with the field's own default where only they are null.
fn leaf(array: &ArrayRef, way: &[usize]) -> ArrayRef {
    let (mut array, mut nulls) = (array.clone(), None);
    for (n, &at) in way.iter().enumerate() {
        // The record's own nulls stay with it.
        if n > 0 {
            nulls = NullBuffer::union(nulls.as_ref(), array.nulls());
        }
        let DataType::Struct(fields) = array.data_type() else { break };
        let below = array.as_struct().column(at).clone();
        array = if n + 1 == way.len() { or_default(&fields[at], &below) } else { below };
    }
    match nulls.filter(|nulls| nulls.null_count() > 0 && *array.data_type() != DataType::Null) {
        Some(nulls) => nullif(&array, &BooleanArray::new(!nulls.inner(), None)).unwrap_or(array),
        None => array,
    }
}

/// The values without a schema that Connect has no type for.
fn unsupported(field: &Field, array: &ArrayRef, errors: &mut Vec<(usize, RecordError)>) {
    if !matches!(
        field.data_type(),
        DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    ) {
        return;
    }
    let rows = (0..array.len()).filter(|&row| array.is_valid(row));
    errors.extend(rows.map(|row| {
        let class = java_class(field, array, row);
        let message = format!(
            "Flatten transformation was passed a value of type class {class} which is not supported by Connect's data API"
        );
        (row, RecordError::data(message))
    }));
}
