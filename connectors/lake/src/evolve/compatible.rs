//! The rules of `io.confluent.connect.storage.schema.StorageSchemaCompatibility` (kafka-connect-storage-common 12.0).

use std::collections::BTreeMap;

use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use landfall_api::RecordError;
use landfall_api::schema::{DEFAULT, NAME, PARAMETER, VERSION};

use super::project::{is_number, is_shorter};
use super::{Next, Rule};

/// The parameters that say that a schema is an enum: of `AvroData` and `ProtobufData`.
const ENUMS: &[&str] =
    &["org.apache.kafka.connect.data.Enum", "io.confluent.connect.avro.Enum", "io.confluent.connect.protobuf.Enum"];
/// The parameters that only document.
const DOCUMENTS: &[&str] = &["connect.record.doc", "connect.record.aliases", "connect.record.namespace"];
const FIELD_DOCUMENT: &str = "io.confluent.connect.avro.field.doc.";

/// Connect's `Schema.Type`, the numbers in the order in which they are promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array,
    Map,
    Struct,
}

impl Type {
    /// None for a type that Connect does not have.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 | DataType::Date32 | DataType::Time32(TimeUnit::Millisecond) => Self::Int32,
            DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, _) => Self::Int64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Boolean => Self::Boolean,
            DataType::Utf8 => Self::String,
            DataType::Binary | DataType::Decimal128(..) | DataType::Decimal256(..) => Self::Bytes,
            DataType::List(_) => Self::Array,
            DataType::Map(..) => Self::Map,
            DataType::Struct(_) => Self::Struct,
            _ => return None,
        })
    }

    /// Whether its values become those of `to`.
    fn is_promotable(self, to: Self) -> bool {
        self <= to && to <= Self::Float64
    }

    /// Java's name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }
}

/// Java's `SchemaProjectorException`.
pub(super) fn projector(message: impl Into<String>) -> RecordError {
    RecordError { class: "org.apache.kafka.connect.errors.SchemaProjectorException", message: message.into() }
}

/// What becomes of a file of `file` when rows of `rows` come, which differ and both have a schema.
pub(super) fn next(rule: Rule, file: &FieldRef, rows: &FieldRef) -> Result<Next, RecordError> {
    let rule_name = match rule {
        Rule::None | Rule::Widen => return Ok(Next::Rotate),
        Rule::Backward => "BACKWARD",
        Rule::Forward => "FORWARD",
        Rule::Full => "FULL",
    };
    let version = |field: &Field| field.metadata().get(VERSION).and_then(|version| version.parse::<i64>().ok());
    let (Some(own), Some(new)) = (version(file), version(rows)) else {
        return Err(projector(format!("Schema version required for {rule_name} compatibility")));
    };
    let ends = differs(rows, file) || if rule == Rule::Forward { new < own } else { new > own };
    Ok(if ends { Next::Rotate } else { Next::Project(file.clone()) })
}

/// Whether values of `rows` cannot be projected to `file`, by what is checked at every depth.
fn differs(rows: &Field, file: &Field) -> bool {
    if !becomes(rows.data_type(), file.data_type())
        || rows.metadata().get(NAME) != file.metadata().get(NAME)
        || parameters_differ(rows, file)
        || rows.is_nullable() && !file.is_nullable() && !has_default(file)
    {
        return true;
    }
    match (rows.data_type(), file.data_type()) {
        (DataType::Struct(rows), DataType::Struct(file)) => {
            rows.iter().any(|field| file.find(field.name()).is_some_and(|(_, own)| differs(field, own)))
                || file.iter().any(|own| rows.find(own.name()).is_none() && !own.is_nullable() && !has_default(own))
        }
        (DataType::List(rows), DataType::List(file)) => differs(rows, file),
        (DataType::Map(rows, _), DataType::Map(file, _)) => match (rows.data_type(), file.data_type()) {
            (DataType::Struct(rows), DataType::Struct(file)) => rows.iter().zip(file).any(|(rows, file)| differs(rows, file)),
            _ => true,
        },
        _ => false,
    }
}

/// Whether values of `rows` become those of `file`, but for what is within them. Java's types are fewer, but schemas of one name and
/// equal parameters have one of ours.
fn becomes(rows: &DataType, file: &DataType) -> bool {
    let Some((from, to)) = Type::of(rows).zip(Type::of(file)) else { return false };
    match from == to {
        true => rows == file || rows.is_nested() || is_shorter(rows, file),
        false => from.is_promotable(to) && is_number(rows) && is_number(file),
    }
}

fn has_default(field: &Field) -> bool {
    field.metadata().contains_key(DEFAULT)
}

fn parameters_differ(rows: &Field, file: &Field) -> bool {
    let (rows, file) = (parameters(rows), parameters(file));
    let is_enum = |parameters: &BTreeMap<&str, &str>| ENUMS.iter().any(|name| parameters.contains_key(name));
    if is_enum(&rows) && is_enum(&file) { rows.iter().any(|(key, value)| file.get(key) != Some(value)) } else { rows != file }
}

/// The parameters of a schema that count.
fn parameters(field: &Field) -> BTreeMap<&str, &str> {
    let all = field.metadata().iter().filter_map(|(key, value)| Some((key.strip_prefix(PARAMETER)?, value.as_str())));
    all.filter(|(key, _)| !DOCUMENTS.contains(key) && !key.starts_with(FIELD_DOCUMENT)).collect()
}
