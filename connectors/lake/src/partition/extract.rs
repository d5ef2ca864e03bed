//! Where the time of a row comes from: the extractors of `TimeBasedPartitioner` (storage-common 12.0).
//!
//! Differs from Java in text without an offset, which is in UTC here and in the zone of its process there. Numbers are milliseconds,
//! whatever they are meant to be, unless `landfall.timestamp.unit` says otherwise.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, Int64Array};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use landfall_api::schema::is_json;
use landfall_api::{Batch, Column, RecordError};

use super::column::{self, Leaf};
use super::joda::DAY;
use super::{all, iso, partition_error};
use crate::columns::Refusals;
use crate::types::{Mode, Types};

/// Gives each row a time, in milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Extractor {
    source: Source,
    unit: Unit,
}

/// Where times come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The clock, when the row is put (`Wallclock`).
    Wallclock,
    /// The record's timestamp (`Record`).
    Record,
    /// A field of the value, by its dotted name (`RecordField`).
    Field(String),
}

/// What a number in a field counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// What the schema of the field says, if it does; else milliseconds.
    Auto,
    /// Milliseconds.
    #[default]
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
    /// Seconds.
    Seconds,
}

const CLASS: &str = "io.confluent.connect.storage.partitioner.TimeBasedPartitioner$";

impl Source {
    /// What `timestamp.extractor=<name>` means, with `timestamp.field=<field>`.
    ///
    /// # Errors
    /// There is no such extractor, in Java's words.
    pub fn named(name: &str, field: &str) -> Result<Self, String> {
        let simple = name.strip_prefix(CLASS).and_then(|name| name.strip_suffix("TimestampExtractor")).unwrap_or(name);
        match simple {
            "Wallclock" => Ok(Self::Wallclock),
            "Record" => Ok(Self::Record),
            "RecordField" => Ok(Self::Field(field.to_owned())),
            _ => Err(format!("Invalid timestamp extractor: {name}")),
        }
    }
}

impl Unit {
    /// What `landfall.timestamp.unit=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "ms" => Ok(Self::Millis),
            "us" => Ok(Self::Micros),
            "ns" => Ok(Self::Nanos),
            "s" => Ok(Self::Seconds),
            _ => Err("String must be one of: auto, ms, us, ns, s".into()),
        }
    }

    fn millis(self, number: i64) -> i64 {
        match self {
            Self::Auto | Self::Millis => number,
            Self::Micros => number.div_euclid(1000),
            Self::Nanos => number.div_euclid(1_000_000),
            Self::Seconds => number.saturating_mul(1000),
        }
    }
}

impl Extractor {
    /// Times from `source`, whose numbers count `unit`.
    #[must_use]
    pub fn new(source: Source, unit: Unit) -> Self {
        Self { source, unit }
    }

    /// Whether all rows of a batch have the same time.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.source == Source::Wallclock
    }

    /// The times of the rows of `batch`, which is put at `now_ms`; none is null.
    ///
    /// # Errors
    /// The rows without a time.
    pub fn times(&self, batch: &Batch, now_ms: i64) -> Result<Int64Array, Refusals> {
        match &self.source {
            Source::Wallclock => Ok(Int64Array::from_value(now_ms, batch.len())),
            Source::Record => {
                let times = &batch.timestamp;
                let none = |row: &usize| times.is_null(*row);
                let refused: Refusals = (0..times.len()).filter(none).map(|row| (row, no_timestamp(batch, row))).collect();
                if refused.is_empty() { Ok(Int64Array::new(times.values().clone(), None)) } else { Err(refused) }
            }
            Source::Field(name) => self.of_field(&batch.value, name, batch),
        }
    }

    fn of_field(&self, value: &Column, name: &str, batch: &Batch) -> Result<Int64Array, Refusals> {
        let unsupported = || partition_error(format!("Error extracting timestamp from record field: {name}"));
        let missing = || RecordError::data(format!("The field '{name}' does not exist."));
        let map = column::is_map(value);
        if !map && !column::is_struct(value) && *value.field.data_type() != DataType::Null {
            return Err(all(batch, &partition_error("Error encoding partition.")));
        }
        let Some(leaf) = Leaf::find(value, &column::path(name)) else { return Err(all(batch, &missing())) };
        let unit = self.unit_of(&leaf);
        let array = &leaf.array;
        let number = |n: i64| Ok(unit.millis(n));
        let text = |text: &str| match digits(text) {
            Some(n) => Ok(unit.millis(n)),
            None => iso::millis(text).ok_or_else(|| RecordError {
                class: "java.lang.IllegalArgumentException",
                message: format!("Invalid format: \"{}\"", text.chars().take(32).collect::<String>()),
            }),
        };
        let of_rows = |of: &dyn Fn(usize) -> Result<i64, RecordError>| {
            let mut refused = Vec::new();
            let times = (0..array.len()).map(|row| {
                let time = if leaf.is_null(row) { Err(missing()) } else { of(row) };
                time.unwrap_or_else(|error| {
                    refused.push((row, error));
                    0
                })
            });
            let times = times.collect::<Vec<_>>();
            if refused.is_empty() { Ok(times.into()) } else { Err(refused) }
        };
        // Numbers of any width where there is no schema, else those that Java's class takes.
        let numbers = match array.data_type() {
            DataType::Int32 | DataType::Int64 => !column::is_logical(&leaf.field),
            data_type => map && (data_type.is_signed_integer() || data_type.is_floating()),
        };
        match array.data_type() {
            data_type if numbers && data_type.is_integer() => {
                let days = self.unit == Unit::Auto && native(&leaf) == Some(DataType::Date32);
                let values = cast(array, &DataType::Int64).map_err(|_| all(batch, &unsupported()))?;
                let values = values.as_primitive::<Int64Type>();
                match unit {
                    Unit::Auto | Unit::Millis if !days && leaf.is_full() => Ok(values.clone()),
                    _ if days => of_rows(&|row| Ok(values.value(row) * DAY)),
                    _ => of_rows(&|row| number(values.value(row))),
                }
            }
            _ if numbers => {
                // as Java's Number.longValue
                let values = cast(array, &DataType::Float64).map_err(|_| all(batch, &unsupported()))?;
                let values = values.as_primitive::<Float64Type>();
                of_rows(&|row| number(values.value(row) as i64))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                let values = array.as_primitive::<TimestampMillisecondType>();
                if leaf.is_full() {
                    return Ok(Int64Array::new(values.values().clone(), None));
                }
                of_rows(&|row| Ok(values.value(row)))
            }
            DataType::Date32 if self.unit == Unit::Auto => {
                let values = array.as_primitive::<Date32Type>();
                of_rows(&|row| Ok(i64::from(values.value(row)) * DAY))
            }
            DataType::Utf8 if is_json(&leaf.field) => {
                let values = array.as_string::<i32>();
                of_rows(&|row| match values.value(row) {
                    json if json.starts_with('"') => text(json.trim_matches('"')),
                    json => {
                        let n = json.parse().or_else(|_| json.parse().map(|n: f64| n as i64));
                        n.map(|n| unit.millis(n)).map_err(|_| unsupported())
                    }
                })
            }
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                of_rows(&|row| text(values.value(row)))
            }
            _ => of_rows(&|_| Err(unsupported())),
        }
    }

    /// The unit of a field's numbers.
    fn unit_of(&self, leaf: &Leaf) -> Unit {
        match (self.unit, native(leaf)) {
            (Unit::Auto, Some(DataType::Timestamp(unit, _))) => match unit {
                TimeUnit::Second => Unit::Seconds,
                TimeUnit::Millisecond => Unit::Millis,
                TimeUnit::Microsecond => Unit::Micros,
                TimeUnit::Nanosecond => Unit::Nanos,
            },
            (unit, _) => unit,
        }
    }
}

/// The type that a field's values are of by the name of their schema.
fn native(leaf: &Leaf) -> Option<DataType> {
    let types = Types { mode: Mode::Native, ..Types::default() };
    // text is read as text, whatever its name
    let number = matches!(leaf.field.data_type(), DataType::Int32 | DataType::Int64);
    number.then(|| types.field(&leaf.field).ok().map(|field| field.data_type().clone())).flatten()
}

/// The number that a text of up to 19 digits is, with or without a minus.
fn digits(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    ((1..=19).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn no_timestamp(batch: &Batch, row: usize) -> RecordError {
    partition_error(format!(
        "Unable to determine timestamp using timestamp.extractor {CLASS}RecordTimestampExtractor for record: \
         SinkRecord{{kafkaOffset={}}}",
        batch.offset.value(row)
    ))
}
