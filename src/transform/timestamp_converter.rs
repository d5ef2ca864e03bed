//! `org.apache.kafka.connect.transforms.TimestampConverter` (4.3.1): points in time from one form to another: text, a number since the
//! epoch, Connect's `Date`, `Time` and `Timestamp`. Text is of the time zone UTC and in English.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType};
use arrow_array::{
    Array as _, ArrayRef, Date32Array, Int64Array, StringArray, Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};
use landfall_api::schema::{DATE, DEFAULT, NAME, TIME, TIMESTAMP, VERSION, is_json, is_schemaless, name};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::cast::{connect_type, json, within};
use super::default::default;
use super::field_path::mark;
use super::require::{java_class, structs};
use super::simple_date_format::SimpleDateFormat;
use super::{Members, Part};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

config! {
    /// What `TimestampConverter.CONFIG_DEF` declares.
    struct TimestampConverterConfig {
        /// The field containing the timestamp, or empty if the entire value is a timestamp.
        field: String = "field" { default: Some(""), importance: High, width: Width::None, display: "field" };
        /// The desired timestamp representation: string, unix, Date, Time, or Timestamp.
        target_type: String = "target.type" { required: true, importance: High, width: Width::None, display: "target.type", valid: OneOf(&["string", "unix", "Date", "Time", "Timestamp"]) };
        /// A SimpleDateFormat-compatible format for the timestamp. Used to generate the output when type=string or used to parse the input if
        /// the input is a string. By the letters of weeks (Y, w, W and F) a timestamp can be written and not parsed.
        format: String = "format" { default: Some(""), width: Width::None, display: "format" };
        /// The desired Unix precision for the timestamp: seconds, milliseconds, microseconds, or nanoseconds. Used to generate the output
        /// when type=unix or used to parse the input if the input is a Long. Note: This SMT will cause precision loss during conversions
        /// from, and to, values with sub-millisecond components.
        unix_precision: String = "unix.precision" { default: Some("milliseconds"), importance: Low, width: Width::None, display: "unix.precision", valid: OneOf(&["nanoseconds", "microseconds", "milliseconds", "seconds"]) };
        /// Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value
        /// is used, otherwise null is used.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct TimestampConverterClass(pub(super) Part);

impl TransformClass for TimestampConverterClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.TimestampConverter$Key",
            Part::Value => "org.apache.kafka.connect.transforms.TimestampConverter$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        TimestampConverterConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = TimestampConverterConfig::parse(properties, &mut faults);
        let converter = config.and_then(|config| match TimestampConverter::new(self.0, config) {
            Ok(converter) => Some(converter),
            Err(message) => {
                faults.push("format", message);
                None
            }
        });
        faults.or(converter).map(|converter| Box::new(converter) as Box<dyn Transform>)
    }
}

/// A form that points in time have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

/// A unit of `unix` times.
#[derive(Clone, Copy, Debug)]
enum Precision {
    Seconds,
    /// So many of it are a millisecond.
    Within(i64),
}

/// An instance of the class.
#[derive(Debug)]
struct TimestampConverter {
    part: Part,
    field: String,
    target: Form,
    format: Option<SimpleDateFormat>,
    precision: Precision,
    with_defaults: bool,
}

impl TimestampConverter {
    fn new(part: Part, config: TimestampConverterConfig) -> Result<Self, String> {
        let target = match &*config.target_type {
            "string" => Form::Text,
            "unix" => Form::Unix,
            "Date" => Form::Date,
            "Time" => Form::Time,
            _ => Form::Timestamp,
        };
        let blank = config.format.trim().is_empty();
        if target == Form::Text && blank {
            return Err("TimestampConverter requires format option to be specified when using string timestamps".to_owned());
        }
        Ok(Self {
            part,
            field: config.field,
            target,
            format: if blank { None } else { Some(pattern(&config.format, target)?) },
            precision: match &*config.unix_precision {
                "seconds" => Precision::Seconds,
                "microseconds" => Precision::Within(1000),
                "nanoseconds" => Precision::Within(1_000_000),
                _ => Precision::Within(1),
            },
            with_defaults: config.replace_null_with_default,
        })
    }
}

/// The format of a pattern that is to make `target`; that of text is written, all others are only read.
fn pattern(pattern: &str, target: Form) -> Result<SimpleDateFormat, String> {
    let format = SimpleDateFormat::new(pattern).map_err(|why| {
        format!(
            "Invalid value java.lang.IllegalArgumentException: {why} for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
        )
    })?;
    let readable = if target == Form::Text { Ok(()) } else { format.readable() };
    readable.map_err(|why| format!("Invalid value {pattern} for configuration format: {why}"))?;
    Ok(format)
}

impl Transform for TimestampConverter {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        if self.field.is_empty() { self.whole(batch, out) } else { self.one_field(batch, out) }
    }
}

impl TimestampConverter {
    fn whole(&self, batch: Batch, out: &mut Output) {
        let Column { field, array } = self.part.of(&batch);
        match self.converted(field, array) {
            Ok((array, errors)) => {
                let field = self.target_field(field).with_nullable(true);
                let batch = out.reject_rows(self.part.replaced(batch, Column { field: Arc::new(field), array }), errors);
                out.emit(batch);
            }
            Err(error) => self.part.reject_values(batch, &error, out),
        }
    }

    fn one_field(&self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, "converting timestamp formats", true, out);
        let column = self.part.of(&batch).clone();
        let Some(mut members) = Members::of(&column) else { return out.emit(batch) };
        if self.with_defaults && !is_schemaless(&column.field) {
            members = members.with_defaults();
        }
        let mut root = column.field.clone();
        let mut errors = Vec::new();
        if let Some(at) = members.position(&self.field) {
            let (field, array) = (&members.fields[at], within(&members.arrays[at], members.nulls()));
            let converted = self.converted(field, &array).and_then(|converted| {
                root = Arc::new(self.with_default(&column.field)?);
                Ok(converted)
            });
            match converted {
                Ok((array, refused)) => {
                    errors = refused;
                    let field = self.target_field(field);
                    (members.fields[at], members.arrays[at]) = (Arc::new(field), array);
                }
                Err(error) => return self.part.reject_values(batch, &error, out),
            }
        }
        let batch = out.reject_rows(self.part.replaced(batch, members.into_column(&root)), errors);
        out.emit(batch);
    }

    /// The field of a whole value with the field converted in its default.
    fn with_default(&self, root: &Field) -> Result<Field, RecordError> {
        let Some(one) = default(root) else { return Ok(root.clone()) };
        let (Some(members), Some(text)) =
            (Members::of(&Column { field: Arc::new(root.clone()), array: one }), root.metadata().get(DEFAULT))
        else {
            return Ok(root.clone());
        };
        let mut default: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let Some(at) = members.position(&self.field) else { return Ok(root.clone()) };
        let (array, errors) = self.converted(&members.fields[at], &members.arrays[at])?;
        if let Some((_, error)) = errors.into_iter().next() {
            return Err(error);
        }
        let converted = if array.is_null(0) { None } else { json(&array).and_then(|json| serde_json::from_str(&json).ok()) };
        default[&self.field] = converted.unwrap_or_default();
        let mut metadata = root.metadata().clone();
        metadata.insert(DEFAULT.to_owned(), default.to_string());
        Ok(root.clone().with_metadata(metadata))
    }

    /// The field of converted values: a schema of its own, with nothing of the one before.
    fn target_field(&self, before: &Field) -> Field {
        let (data_type, name) = match self.target {
            Form::Text => (DataType::Utf8, None),
            Form::Unix => (DataType::Int64, None),
            Form::Date => (DataType::Date32, Some(DATE)),
            Form::Time => (DataType::Time32(TimeUnit::Millisecond), Some(TIME)),
            Form::Timestamp => (DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), Some(TIMESTAMP)),
        };
        let logical = |name: &str| HashMap::from([(NAME.to_owned(), name.to_owned()), (VERSION.to_owned(), "1".to_owned())]);
        let metadata = if is_schemaless(before) { mark() } else { name.map(logical).unwrap_or_default() };
        Field::new(before.name(), data_type, before.is_nullable()).with_metadata(metadata)
    }

    /// The values of a field in the target form. Rows that cannot be converted have an error and some value.
    fn converted(&self, field: &Field, array: &ArrayRef) -> Result<(ArrayRef, Errors), RecordError> {
        let (millis, mut errors) = self.millis(field, array)?;
        let array = self.of_millis(&millis, &mut errors);
        errors.sort_by_key(|(row, _)| *row);
        errors.dedup_by_key(|(row, _)| *row);
        Ok((array, errors))
    }

    /// The values in milliseconds since the epoch.
    fn millis(&self, field: &Field, array: &ArrayRef) -> Result<(Int64Array, Errors), RecordError> {
        let mut errors = Vec::new();
        let millis = match field.data_type() {
            DataType::Null => Int64Array::new_null(array.len()),
            DataType::Timestamp(..) => array.as_primitive::<TimestampMillisecondType>().reinterpret_cast::<Int64Type>(),
            DataType::Date32 => array.as_primitive::<Date32Type>().unary(|days| i64::from(days) * DAY),
            DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().unary(i64::from),
            DataType::Int64 => array.as_primitive::<Int64Type>().unary(|value| self.precision.to_millis(value)),
            DataType::Utf8 => self.of_texts(field, array.as_string(), &mut errors),
            _ if is_schemaless(field) => {
                let nulls = array.logical_nulls();
                let rows = (0..array.len()).filter(|&row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
                errors.extend(rows.map(|row| (row, not_supported(java_class(field, array, row)))));
                Int64Array::new(vec![0; array.len()].into(), nulls)
            }
            other => {
                let name = name(field).map(|name| format!("{name}:")).unwrap_or_default();
                let message = format!(
                    "Schema Schema{{{name}{}}} does not correspond to a known timestamp type format",
                    connect_type(other)
                );
                return Err(RecordError { class: "org.apache.kafka.connect.errors.ConnectException", message });
            }
        };
        Ok((millis, errors))
    }

    fn of_texts(&self, field: &Field, texts: &StringArray, errors: &mut Errors) -> Int64Array {
        let mixed = is_json(field);
        let mut of = |row| {
            if texts.is_null(row) {
                return 0;
            }
            let text = texts.value(row);
            let millis = if mixed { self.of_json(text) } else { self.parse(text) };
            millis.unwrap_or_else(|error| {
                errors.push((row, error));
                0
            })
        };
        let values: Vec<i64> = (0..texts.len()).map(&mut of).collect();
        Int64Array::new(values.into(), texts.nulls().cloned())
    }

    fn parse(&self, text: &str) -> Result<i64, RecordError> {
        let Some(format) = &self.format else {
            return Err(RecordError {
                class: "java.lang.NullPointerException",
                message: "Cannot invoke \"java.text.SimpleDateFormat.parse(String)\" because \"config.format\" is null"
                    .to_owned(),
            });
        };
        format.parse(text).ok_or_else(|| {
            RecordError::data(format!("Could not parse timestamp: value ({text}) does not match pattern ({})", format.pattern()))
        })
    }

    /// A value in JSON, of a column of several types.
    fn of_json(&self, json: &str) -> Result<i64, RecordError> {
        if let Ok(value) = json.parse::<i64>() {
            return Ok(self.precision.to_millis(value));
        }
        match json.as_bytes().first() {
            Some(b'"') => self.parse(&serde_json::from_str::<String>(json).unwrap_or_default()),
            Some(b'{') => Err(not_supported("java.util.HashMap")),
            Some(b'[') => Err(not_supported("java.util.ArrayList")),
            Some(b't' | b'f') => Err(not_supported("java.lang.Boolean")),
            _ => Err(not_supported("java.lang.Double")),
        }
    }

    fn of_millis(&self, millis: &Int64Array, errors: &mut Errors) -> ArrayRef {
        match self.target {
            Form::Unix => Arc::new(millis.unary::<_, Int64Type>(|millis| self.precision.of_millis(millis))),
            Form::Timestamp => {
                Arc::new(TimestampMillisecondArray::new(millis.values().clone(), millis.nulls().cloned()).with_timezone("UTC"))
            }
            Form::Time => {
                let of = |millis: &i64| millis.rem_euclid(DAY) as i32;
                let values: Vec<_> = millis.values().iter().map(of).collect();
                Arc::new(Time32MillisecondArray::new(values.into(), millis.nulls().cloned()))
            }
            Form::Date => {
                let of = |(row, millis): (usize, &i64)| {
                    i32::try_from(millis.div_euclid(DAY)).unwrap_or_else(|_| {
                        errors.push((row, RecordError::data(format!("{millis} milliseconds are beyond the days of a Date"))));
                        0
                    })
                };
                let values: Vec<_> = millis.values().iter().enumerate().map(of).collect();
                errors.retain(|(row, _)| millis.is_valid(*row));
                Arc::new(Date32Array::new(values.into(), millis.nulls().cloned()))
            }
            Form::Text => {
                let Some(format) = &self.format else { return Arc::new(StringArray::new_null(millis.len())) };
                let mut texts = arrow_array::builder::StringBuilder::with_capacity(millis.len(), 24 * millis.len());
                let mut text = String::new();
                for value in millis {
                    text.clear();
                    if let Some(value) = value {
                        format.write(value, &mut text);
                    }
                    texts.append_option(value.map(|_| &*text));
                }
                Arc::new(texts.finish())
            }
        }
    }
}

type Errors = Vec<(usize, RecordError)>;

fn not_supported(class: &str) -> RecordError {
    RecordError::data(format!("TimestampConverter does not support class {class} objects as timestamps"))
}

impl Precision {
    /// As `TimeUnit.toMillis`: towards nought, and no further than a long goes.
    const fn to_millis(self, value: i64) -> i64 {
        match self {
            Self::Seconds => value.saturating_mul(1000),
            Self::Within(parts) => value / parts,
        }
    }

    const fn of_millis(self, millis: i64) -> i64 {
        match self {
            Self::Seconds => millis / 1000,
            Self::Within(parts) => millis.saturating_mul(parts),
        }
    }
}
