//! The types that are known by a name: of the Connect schema, or of Avro's logical type on one.

use arrow_schema::{DataType, Field, TimeUnit};
use landfall_api::schema::{self, LOGICAL};

use super::{Iso, Types, Variable};

/// A type known by its name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The schema's name, or the logical type.
    pub name: &'static str,
    /// What its values are; those of another type are left as they are.
    pub from: From,
    /// What its columns are in `landfall.types=native`.
    pub to: To,
}

/// What values are, as a converter makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// An int32.
    Int32,
    /// An int64.
    Int64,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A struct of `scale`, an int32, and `value`, bytes.
    Scaled,
    /// Any struct or list.
    Nested,
}

/// What columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// What the values are.
    Same,
    /// The same text, annotated as JSON.
    Json,
    /// Days.
    Date,
    /// A time of day.
    Time(TimeUnit),
    /// A timestamp without a zone.
    Local(TimeUnit),
    /// A timestamp in UTC.
    Utc(TimeUnit),
    /// The day that text says, unless it stays text (`landfall.types.iso`).
    IsoDate,
    /// The time of day that text says.
    IsoTime,
    /// The timestamp without a zone that text says.
    IsoLocal,
    /// The timestamp that text with an offset says, in UTC.
    IsoUtc,
    /// What `landfall.types.variable.decimal` says.
    Decimal,
}

const MS: TimeUnit = TimeUnit::Millisecond;
const US: TimeUnit = TimeUnit::Microsecond;
const NS: TimeUnit = TimeUnit::Nanosecond;

const fn named(name: &'static str, from: From, to: To) -> Named {
    Named { name, from, to }
}

/// Debezium's types (3.7). What has no type in Parquet that readers agree on stays what it is: durations, times of day with an
/// offset, bits, enums (annotated ones are bytes to pyarrow), UUIDs (annotated ones are nothing to Spark).
pub const DEBEZIUM: &[Named] = &[
    named("io.debezium.time.Date", From::Int32, To::Date),
    named("io.debezium.time.Time", From::Int32, To::Time(MS)),
    named("io.debezium.time.MicroTime", From::Int64, To::Time(US)),
    named("io.debezium.time.NanoTime", From::Int64, To::Time(NS)),
    named("io.debezium.time.Timestamp", From::Int64, To::Local(MS)),
    named("io.debezium.time.MicroTimestamp", From::Int64, To::Local(US)),
    named("io.debezium.time.NanoTimestamp", From::Int64, To::Local(NS)),
    named("io.debezium.time.ZonedTime", From::Text, To::Same),
    named("io.debezium.time.ZonedTimestamp", From::Text, To::IsoUtc),
    named("io.debezium.time.Interval", From::Text, To::Same),
    named("io.debezium.time.MicroDuration", From::Int64, To::Same),
    named("io.debezium.time.NanoDuration", From::Int64, To::Same),
    named("io.debezium.time.Year", From::Int32, To::Same),
    named("io.debezium.time.IsoDate", From::Text, To::IsoDate),
    named("io.debezium.time.IsoTime", From::Text, To::IsoTime),
    named("io.debezium.time.IsoTimestamp", From::Text, To::IsoLocal),
    named("io.debezium.time.StructuredDate", From::Nested, To::Same),
    named("io.debezium.time.StructuredTime", From::Nested, To::Same),
    named("io.debezium.time.StructuredTimestamp", From::Nested, To::Same),
    named("io.debezium.time.StructuredZonedTime", From::Nested, To::Same),
    named("io.debezium.time.StructuredZonedTimestamp", From::Nested, To::Same),
    named("io.debezium.time.StructuredDuration", From::Nested, To::Same),
    named("io.debezium.data.Bits", From::Bytes, To::Same),
    named("io.debezium.data.Enum", From::Text, To::Same),
    named("io.debezium.data.EnumSet", From::Text, To::Same),
    named("io.debezium.data.Json", From::Text, To::Json),
    named("io.debezium.data.Uuid", From::Text, To::Same),
    named("io.debezium.data.Xml", From::Text, To::Same),
    named("io.debezium.data.Ltree", From::Text, To::Same),
    named("io.debezium.data.Tsvector", From::Text, To::Same),
    named("io.debezium.data.VariableScaleDecimal", From::Scaled, To::Decimal),
    named("io.debezium.data.geometry.Point", From::Nested, To::Same),
    named("io.debezium.data.geometry.Line", From::Nested, To::Same),
    named("io.debezium.data.geometry.Circle", From::Nested, To::Same),
    named("io.debezium.data.geometry.Geometry", From::Nested, To::Same),
    named("io.debezium.data.geometry.Geography", From::Nested, To::Same),
    named("io.debezium.data.FloatVector", From::Nested, To::Same),
    named("io.debezium.data.DoubleVector", From::Nested, To::Same),
    named("io.debezium.data.SparseDoubleVector", From::Nested, To::Same),
];

/// Avro's logical types that Connect has none for. The Avro converter leaves their values as they are, with the name beside them.
pub const AVRO: &[Named] = &[
    named("time-micros", From::Int64, To::Time(US)),
    named("timestamp-micros", From::Int64, To::Utc(US)),
    named("timestamp-nanos", From::Int64, To::Utc(NS)),
    named("local-timestamp-millis", From::Int64, To::Local(MS)),
    named("local-timestamp-micros", From::Int64, To::Local(US)),
    named("local-timestamp-nanos", From::Int64, To::Local(NS)),
    named("uuid", From::Text, To::Same),
    named("duration", From::Bytes, To::Same),
];

impl From {
    /// Whether values of `data_type` are such.
    fn is(self, data_type: &DataType) -> bool {
        match self {
            Self::Int32 => *data_type == DataType::Int32,
            Self::Int64 => *data_type == DataType::Int64,
            Self::Text => *data_type == DataType::Utf8,
            Self::Bytes => *data_type == DataType::Binary,
            Self::Scaled => super::scaled::is(data_type),
            Self::Nested => data_type.is_nested(),
        }
    }
}

impl To {
    /// The type of the columns; None if it is that of the values.
    fn data_type(self, types: &Types) -> Option<DataType> {
        let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
        Some(match self {
            Self::Same | Self::Json => return None,
            Self::Date => DataType::Date32,
            Self::Time(MS) => DataType::Time32(MS),
            Self::Time(unit) => DataType::Time64(unit),
            Self::Local(unit) => DataType::Timestamp(unit, None),
            Self::Utc(unit) => utc(unit),
            Self::IsoDate if types.iso == Iso::Text => return None,
            Self::IsoDate => DataType::Date32,
            Self::IsoTime => DataType::Time64(types.iso.unit()?),
            Self::IsoLocal => DataType::Timestamp(types.iso.unit()?, None),
            Self::IsoUtc => utc(types.iso.unit()?),
            Self::Decimal => match types.variable {
                Variable::Text => DataType::Utf8,
                Variable::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            },
        })
    }
}

/// What the table says of the values of `field`.
pub(crate) fn find(field: &Field) -> Option<&'static Named> {
    let logical = field.metadata().get(LOGICAL).map(|name| (AVRO, name.as_str()));
    let connect = schema::name(field).map(|name| (DEBEZIUM, name));
    let mut known = logical.into_iter().chain(connect);
    known.find_map(|(table, name)| table.iter().find(|named| named.name == name && named.from.is(field.data_type())))
}

/// The type of the column of `field` in `landfall.types=native`; None if it has no name that is known, or stays what it is.
pub(super) fn native(field: &Field, types: &Types) -> Option<DataType> {
    find(field)?.to.data_type(types)
}

/// Whether it is text that a database knows as JSON.
pub(super) fn is_json(field: &Field) -> bool {
    find(field).is_some_and(|named| named.to == To::Json)
}
