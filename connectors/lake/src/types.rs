//! What type a column of a file has (`landfall.types`), by the type and the Connect schema of its values.
//!
//! [`table`] says it for every type that is known by a name, [`cast`] brings values into the type of their column and names the rows
//! that do not fit, with [`iso`] and [`scaled`] for values that are text or numbers with a scale of their own; [`names`] is the rule
//! for what columns are called.

pub(crate) mod cast;
mod iso;
pub mod names;
mod scaled;
pub mod table;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use landfall_api::RecordError;
use landfall_api::schema;

use names::Naming;

/// The field metadata that makes a string column of a Parquet file one of JSON.
pub const ANNOTATION: &str = "landfall.annotation";

/// The field metadata by which the Parquet writer says of a time of day that it is one in UTC.
const UTC_TIME: &str = "adjusted_to_utc";

/// The most digits of a decimal that readers agree on, Spark's among them.
const MAX_DIGITS: u8 = 38;

/// How the types of values become those of columns in Parquet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Types {
    /// `landfall.types`.
    pub mode: Mode,
    /// `landfall.types.iso`.
    pub iso: Iso,
    /// `landfall.types.variable.decimal`.
    pub variable: Variable,
    /// `landfall.types.wide.decimal`.
    pub wide: Wide,
    /// `landfall.names`.
    pub names: Naming,
}

/// Whose types columns have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// What a reader of the Java sinks' files sees: Connect's four logical types are annotated, everything else is a plain number,
    /// text or group.
    #[default]
    Confluent,
    /// The types that the values are of: also Debezium's and Avro's own become dates, times and timestamps.
    Native,
}

/// What text becomes that is a date or a time by the name of its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Iso {
    /// A date or a time in microseconds.
    #[default]
    Micros,
    /// A date or a time in nanoseconds.
    Nanos,
    /// Text.
    Text,
}

/// What numbers become that have a scale each (`io.debezium.data.VariableScaleDecimal`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variable {
    /// Their exact text.
    #[default]
    Text,
    /// Decimals of so many digits, of which so many are fractional.
    Decimal(u8, i8),
}

/// What decimals of more than 38 digits become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wide {
    /// Decimals of 38 digits; a value that has more is refused.
    #[default]
    Refuse,
    /// Their exact text.
    Text,
}

impl Mode {
    /// What `landfall.types=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "confluent" => Ok(Self::Confluent),
            "native" => Ok(Self::Native),
            _ => Err("String must be one of: confluent, native".into()),
        }
    }
}

impl Iso {
    /// What `landfall.types.iso=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "micros" => Ok(Self::Micros),
            "nanos" => Ok(Self::Nanos),
            "text" => Ok(Self::Text),
            _ => Err("String must be one of: micros, nanos, text".into()),
        }
    }

    /// The unit of times; None for text.
    fn unit(self) -> Option<TimeUnit> {
        match self {
            Self::Micros => Some(TimeUnit::Microsecond),
            Self::Nanos => Some(TimeUnit::Nanosecond),
            Self::Text => None,
        }
    }
}

impl Variable {
    /// What `landfall.types.variable.decimal=<text>` means.
    ///
    /// # Errors
    /// What it may be.
    pub fn named(text: &str) -> Result<Self, String> {
        if text == "text" {
            return Ok(Self::Text);
        }
        let numbers = text.split_once(',').and_then(|(p, s)| Some((p.trim().parse().ok()?, s.trim().parse().ok()?)));
        match numbers {
            Some((precision @ 1..=MAX_DIGITS, scale)) if (0..=precision as i8).contains(&scale) => {
                Ok(Self::Decimal(precision, scale))
            }
            _ => Err("it must be text, or the digits of a decimal (1 to 38) and how many of them are fractional: 38,9".into()),
        }
    }
}

impl Wide {
    /// What `landfall.types.wide.decimal=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "refuse" => Ok(Self::Refuse),
            "text" => Ok(Self::Text),
            _ => Err("String must be one of: refuse, text".into()),
        }
    }
}

impl Types {
    /// The column of values that `field` describes.
    ///
    /// # Errors
    /// A type that Parquet cannot hold, at any depth.
    pub fn field(&self, field: &FieldRef) -> Result<FieldRef, RecordError> {
        let named = if self.mode == Mode::Native { table::native(field, self) } else { None };
        let data_type = match (field.data_type(), named) {
            (_, Some(named)) => named,
            (DataType::Int8 | DataType::Int16, _) if self.mode == Mode::Confluent => DataType::Int32,
            (DataType::Decimal256(..), _) if self.wide == Wide::Text => DataType::Utf8,
            (DataType::Decimal256(precision, scale), _) => {
                let digits = scale.unsigned_abs().max((*precision).min(MAX_DIGITS));
                if digits > MAX_DIGITS {
                    let why = format!(
                        "{} is a decimal with {scale} fractional digits, and a file's decimals have 38 digits (landfall.types.wide.decimal=text keeps it)",
                        field.name()
                    );
                    return Err(RecordError::data(why));
                }
                DataType::Decimal128(if *scale < 0 { MAX_DIGITS } else { digits }, (*scale).max(0))
            }
            (DataType::Decimal128(_, scale), _) if *scale < 0 => DataType::Decimal128(MAX_DIGITS, 0),
            (DataType::Struct(fields), _) => DataType::Struct(self.fields(field.name(), fields)?),
            (DataType::List(item), _) => DataType::List(self.field(item)?),
            (DataType::Map(entries, sorted), _) => match entries.data_type() {
                DataType::Struct(parts) => {
                    let parts = parts.iter().map(|part| self.field(part)).collect::<Result<Fields, _>>()?;
                    DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(DataType::Struct(parts))), *sorted)
                }
                _ => field.data_type().clone(),
            },
            (other, _) => other.clone(),
        };
        let annotation = match data_type {
            DataType::Time32(_) if self.mode == Mode::Confluent => Some((UTC_TIME, "true")),
            DataType::Utf8 if self.mode == Mode::Native && is_json(field) => Some((ANNOTATION, "JSON")),
            _ => None,
        };
        if &data_type == field.data_type() && annotation.is_none() {
            return Ok(field.clone());
        }
        let mut metadata = field.metadata().clone();
        metadata.extend(annotation.map(|(key, value)| (key.to_owned(), value.to_owned())));
        Ok(Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata)))
    }

    /// The columns of the fields of the struct `name`.
    ///
    /// # Errors
    /// There is none, one that Parquet cannot hold, or two whose names become one.
    pub fn fields(&self, name: &str, fields: &Fields) -> Result<Fields, RecordError> {
        if fields.is_empty() {
            return Err(RecordError::data(format!("{name} is a struct without fields, which Parquet cannot hold")));
        }
        let mut taken: HashMap<String, &str> = HashMap::new();
        let column = |field| {
            let column = self.names.rename(self.field(field)?);
            if self.names == Naming::Spark
                && let Some(other) = taken.insert(column.name().to_lowercase(), field.name())
            {
                return Err(RecordError::data(format!(
                    "the fields {other:?} and {:?} of {name} would both be {}, in Spark's eyes (landfall.names)",
                    field.name(),
                    column.name()
                )));
            }
            Ok(column)
        };
        fields.iter().map(column).collect()
    }
}

/// Whether `field` holds JSON as text: a database's JSON, or schemaless values of several types.
fn is_json(field: &Field) -> bool {
    table::is_json(field) || schema::is_json(field)
}

#[cfg(test)]
mod tests;
