//! `org.apache.kafka.connect.transforms.Cast` (4.3.1): values as another primitive type, by Java's rules for each pair of types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array as _, ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field};
use arrow_select::nullif::nullif;
use landfall_api::schema::{DEFAULT, is_json, is_schemaless};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::default::default;
use super::field_path::mark;
use super::mask_field::long_value;
use super::require::{java_class, structs};
use super::{Members, Part, header_values};

config! {
    /// What `Cast.CONFIG_DEF` declares.
    struct CastConfig {
        /// List of fields and the type to cast them to of the form field1:type,field2:type to cast fields of Maps or Structs. A single type
        /// to cast the entire value. Valid types are int8, int16, int32, int64, float32, float64, boolean, and string. Note that binary fields
        /// can only be cast to string.
        spec: Vec<String> = "spec" { required: true, importance: High, width: Width::None, display: "spec" };
        /// Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value
        /// is used, otherwise null is used.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct CastClass(pub(super) Part);

impl TransformClass for CastClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.Cast$Key",
            Part::Value => "org.apache.kafka.connect.transforms.Cast$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        CastConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = CastConfig::parse(properties, &mut faults);
        let cast = config.and_then(|config| match parse_spec(&config.spec) {
            Ok(spec) => Some(Cast { part: self.0, spec, with_defaults: config.replace_null_with_default }),
            Err(message) => {
                faults.push("spec", message);
                None
            }
        });
        faults.or(cast).map(|cast| Box::new(cast) as Box<dyn Transform>)
    }
}

/// A type to cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
}

/// What is cast to what.
#[derive(Debug)]
enum Spec {
    Whole(Target),
    Fields(HashMap<String, Target>),
}

fn parse_spec(mappings: &[String]) -> Result<Spec, String> {
    if mappings.is_empty() {
        return Err("Must specify at least one field to cast.".to_owned());
    }
    let (mut whole, mut fields) = (None, HashMap::new());
    for mapping in mappings {
        // As Java's split: empty parts at the end do not count.
        let parts: Vec<_> = mapping.trim_end_matches(':').split(':').collect();
        match parts[..] {
            [target] => whole = Some(Target::named(target)?),
            [field, target] => drop(fields.insert(field.trim().to_owned(), Target::named(target)?)),
            _ => {
                let all = mappings.join(", ");
                return Err(format!("Invalid value [{all}] for configuration renames: Invalid rename mapping: {mapping}"));
            }
        }
    }
    match whole {
        Some(_) if mappings.len() > 1 => Err(
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec"
                .to_owned(),
        ),
        Some(target) => Ok(Spec::Whole(target)),
        None => Ok(Spec::Fields(fields)),
    }
}

impl Target {
    fn named(name: &str) -> Result<Self, String> {
        let name = name.trim();
        Ok(match &*name.to_uppercase() {
            "INT8" => Self::Int8,
            "INT16" => Self::Int16,
            "INT32" => Self::Int32,
            "INT64" => Self::Int64,
            "FLOAT32" => Self::Float32,
            "FLOAT64" => Self::Float64,
            "BOOLEAN" => Self::Boolean,
            "STRING" => Self::String,
            upper @ ("BYTES" | "ARRAY" | "MAP" | "STRUCT") => {
                return Err(format!(
                    "Cast transformation does not support casting to {upper}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
                ));
            }
            upper => {
                return Err(format!(
                    "Invalid value java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.{upper} for configuration Invalid type found in casting spec: {name}"
                ));
            }
        })
    }

    const fn data_type(self) -> DataType {
        match self {
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::String => DataType::Utf8,
        }
    }
}

/// An instance of the class.
#[derive(Debug)]
struct Cast {
    part: Part,
    spec: Spec,
    with_defaults: bool,
}

impl Transform for Cast {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        match &self.spec {
            Spec::Whole(target) => whole(self.part, *target, batch, out),
            Spec::Fields(fields) => self.fields(fields, batch, out),
        }
    }
}

fn whole(part: Part, target: Target, batch: Batch, out: &mut Output) {
    let Column { field, array } = part.of(&batch);
    let mut errors = Vec::new();
    let array = cast(field, array, target, &mut errors);
    match cast_default(field, target) {
        Ok(default) => {
            let mut metadata = field.metadata().clone();
            if is_schemaless(field) {
                metadata = mark().into();
            }
            metadata.remove(DEFAULT);
            metadata.extend(default.map(|default| (DEFAULT.to_owned(), default)));
            let field = Field::new(field.name(), target.data_type(), true).with_metadata(metadata);
            let batch = out.reject_rows(part.replaced(batch, Column { field: Arc::new(field), array }), errors);
            out.emit(batch);
        }
        Err(error) => part.reject_values(batch, &error, out),
    }
}

impl Cast {
    fn fields(&self, casts: &HashMap<String, Target>, batch: Batch, out: &mut Output) {
        let field = &self.part.of(&batch).field;
        if !is_schemaless(field) && !matches!(field.data_type(), DataType::Struct(_)) {
            return self.part.reject_values(batch, &RecordError::data("Cannot list fields on non-struct type"), out);
        }
        let batch = structs(batch, self.part, "cast types", true, out);
        let column = self.part.of(&batch).clone();
        let Some(mut members) = Members::of(&column) else { return out.emit(batch) };
        let schemaless = is_schemaless(&column.field);
        if column.field.metadata().contains_key(DEFAULT) && !schemaless {
            // Java casts the default of the whole value too.
            return self.part.reject_values(batch, &not_from("STRUCT"), out);
        }
        if self.with_defaults && !schemaless {
            members = members.with_defaults();
        }
        let nulls = members.nulls().cloned();
        let mut errors = Vec::new();
        for (field, array) in members.fields.iter_mut().zip(&mut members.arrays) {
            let Some(&target) = casts.get(field.name()) else { continue };
            *array = cast(field, &within(array, nulls.as_ref()), target, &mut errors);
            let default = match cast_default(field, target) {
                Ok(default) => default,
                Err(error) => return self.part.reject_values(batch, &error, out),
            };
            let metadata = if schemaless { mark() } else { default.map(|json| (DEFAULT.to_owned(), json)).into_iter().collect() };
            let new = Field::new(field.name(), target.data_type(), field.is_nullable() || schemaless).with_metadata(metadata);
            *field = Arc::new(new);
        }
        // Of several errors of a row the first counts.
        errors.sort_by_key(|(row, _)| *row);
        errors.dedup_by_key(|(row, _)| *row);
        let batch = out.reject_rows(self.part.replaced(batch, members.into_column(&column.field)), errors);
        out.emit(batch);
    }
}

/// `array`, null where the struct that it is in is.
pub(super) fn within(array: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    match nulls.filter(|nulls| nulls.null_count() > 0 && *array.data_type() != DataType::Null) {
        Some(nulls) => nullif(array, &BooleanArray::new(!nulls.inner(), None)).unwrap_or_else(|_| array.clone()),
        None => array.clone(),
    }
}

/// The name of the Connect type that values of an Arrow type have.
pub(super) const fn connect_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "INT8",
        DataType::Int16 => "INT16",
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => "INT32",
        DataType::Int64 | DataType::Timestamp(..) => "INT64",
        DataType::Float32 => "FLOAT32",
        DataType::Float64 => "FLOAT64",
        DataType::Utf8 => "STRING",
        DataType::List(_) => "ARRAY",
        DataType::Map(..) => "MAP",
        DataType::Struct(_) => "STRUCT",
        _ => "BYTES",
    }
}

fn not_from(kind: &str) -> RecordError {
    RecordError::data(format!(
        "Cast transformation does not support casting from {kind}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
    ))
}

type Errors = Vec<(usize, RecordError)>;

/// The default of `field` as one of the target type.
fn cast_default(field: &Field, target: Target) -> Result<Option<String>, RecordError> {
    let Some(one) = default(field) else { return Ok(None) };
    let mut errors = Vec::new();
    let cast = cast(field, &one, target, &mut errors);
    match errors.pop() {
        Some((_, error)) => Err(error),
        None => Ok(json(&cast)),
    }
}

/// The first value of a primitive array, as a default; None for a type that is not primitive.
pub(super) fn json(array: &ArrayRef) -> Option<String> {
    fn shown<T: ArrowPrimitiveType<Native: std::fmt::Display>>(array: &ArrayRef) -> String {
        array.as_primitive::<T>().value(0).to_string()
    }
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(0).to_string(),
        DataType::Int8 => shown::<Int8Type>(array),
        DataType::Int16 => shown::<Int16Type>(array),
        DataType::Int32 => shown::<Int32Type>(array),
        DataType::Int64 => shown::<Int64Type>(array),
        DataType::Date32 => shown::<Date32Type>(array),
        DataType::Time32(_) => shown::<Time32MillisecondType>(array),
        DataType::Timestamp(..) => shown::<TimestampMillisecondType>(array),
        DataType::Float32 => serde_json::to_string(&array.as_primitive::<Float32Type>().value(0)).ok()?,
        DataType::Float64 => serde_json::to_string(&array.as_primitive::<Float64Type>().value(0)).ok()?,
        DataType::Utf8 => serde_json::to_string(array.as_string::<i32>().value(0)).ok()?,
        _ => return None,
    })
}

/// The values of `field` in another type. A row that cannot be cast has an error and some value.
fn cast(field: &Field, array: &ArrayRef, target: Target, errors: &mut Errors) -> ArrayRef {
    let refused = match field.data_type() {
        _ if is_schemaless(field) => unsupported(field, array),
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => {
            refuse(array, |_| not_from(connect_type(field.data_type())))
        }
        _ => Vec::new(),
    };
    let blank = !matches!(field.data_type(), DataType::Utf8) && !refused.is_empty();
    errors.extend(refused);
    let array = if blank || *array.data_type() == DataType::Null {
        let nulls = array.logical_nulls();
        &(Arc::new(PrimitiveArray::<Int64Type>::new(vec![0; array.len()].into(), nulls)) as ArrayRef)
    } else {
        array
    };
    let field = &field.clone().with_data_type(array.data_type().clone());
    match target {
        Target::Int8 => number::<Int8Type>(field, array, errors),
        Target::Int16 => number::<Int16Type>(field, array, errors),
        Target::Int32 => number::<Int32Type>(field, array, errors),
        Target::Int64 => number::<Int64Type>(field, array, errors),
        Target::Float32 => number::<Float32Type>(field, array, errors),
        Target::Float64 => number::<Float64Type>(field, array, errors),
        Target::Boolean => boolean(field, array, errors),
        Target::String => text(field, array),
    }
}

/// The rows without a schema whose values have a type that cannot be cast.
fn unsupported(field: &Field, array: &ArrayRef) -> Errors {
    match field.data_type() {
        DataType::List(_) => refuse(array, |_| not_from("ARRAY")),
        DataType::Struct(_) | DataType::Map(..) => refuse(array, |_| not_from("MAP")),
        DataType::Date32
        | DataType::Time32(_)
        | DataType::Timestamp(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => refuse(array, |row| {
            let class = java_class(field, array, row);
            RecordError::data(format!(
                "Cast transformation was passed a value of type class {class} which is not supported by Connect's data API"
            ))
        }),
        DataType::Utf8 if is_json(field) => {
            let texts = array.as_string::<i32>();
            let first = |row| texts.value(row).as_bytes().first().copied();
            let bad = (0..texts.len()).filter(|&row| texts.is_valid(row) && matches!(first(row), Some(b'{' | b'[')));
            bad.map(|row| (row, not_from(if first(row) == Some(b'{') { "MAP" } else { "ARRAY" }))).collect()
        }
        _ => Vec::new(),
    }
}

fn refuse(array: &ArrayRef, error: impl Fn(usize) -> RecordError) -> Errors {
    let nulls = array.logical_nulls();
    let rows = (0..array.len()).filter(|&row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
    rows.map(|row| (row, error(row))).collect()
}

/// The error of a text that is no number, or of one that is too large.
fn out_of_range(value: &str) -> RecordError {
    RecordError::data(format!("Value ({value}) was out of range for requested data type"))
}

/// A type of numbers, with Java's conversions to it.
trait Number: ArrowPrimitiveType {
    fn of_long(value: i64) -> Self::Native;
    fn of_double(value: f64) -> Self::Native;
    fn of_text(text: &str) -> Option<Self::Native>;
    /// Of a decimal, which `text` shows.
    fn of_decimal(unscaled: i128, scale: i32, text: impl FnOnce() -> String) -> Option<Self::Native>;
}

macro_rules! whole_number {
    ($($ty:ty: $native:ty, $double:ident;)*) => {$(
        impl Number for $ty {
            fn of_long(value: i64) -> $native {
                value as $native
            }
            fn of_double(value: f64) -> $native {
                // Java narrows to an int first, whose bits are cut.
                value as $double as $native
            }
            fn of_text(text: &str) -> Option<$native> {
                text.parse().ok()
            }
            fn of_decimal(unscaled: i128, scale: i32, _: impl FnOnce() -> String) -> Option<$native> {
                Some(long_value(unscaled, scale) as $native)
            }
        }
    )*};
}
whole_number! { Int8Type: i8, i32; Int16Type: i16, i32; Int32Type: i32, i32; Int64Type: i64, i64; }

macro_rules! fraction {
    ($($ty:ty: $native:ty;)*) => {$(
        impl Number for $ty {
            fn of_long(value: i64) -> $native {
                value as $native
            }
            fn of_double(value: f64) -> $native {
                value as $native
            }
            fn of_text(text: &str) -> Option<$native> {
                java_double(text)?.parse().ok()
            }
            fn of_decimal(_: i128, _: i32, text: impl FnOnce() -> String) -> Option<$native> {
                text().parse().ok()
            }
        }
    )*};
}
fraction! { Float32Type: f32; Float64Type: f64; }

/// The text of a number that Java's `Double.parseDouble` takes, as Rust takes it; hexadecimal ones are not taken.
fn java_double(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    text.chars().all(digits).then_some(text)
}

/// A value of a column of several types.
enum Scalar {
    Long(i64),
    Double(f64),
    Text(String),
}

/// A value in JSON that is neither an object nor a list.
fn scalar(json: &str) -> Scalar {
    let json = json.trim();
    match json.as_bytes().first() {
        Some(b'"') => Scalar::Text(serde_json::from_str(json).unwrap_or_default()),
        Some(b't') => Scalar::Long(1),
        Some(b'f') => Scalar::Long(0),
        _ => match json.parse::<i128>() {
            Ok(whole) => Scalar::Long(whole as i64),
            Err(_) => Scalar::Double(json.parse().unwrap_or(f64::NAN)),
        },
    }
}

fn number<T: Number>(field: &Field, array: &ArrayRef, errors: &mut Errors) -> ArrayRef {
    macro_rules! of {
        ($ty:ty, $v:ident => $value:expr) => {
            Arc::new(array.as_primitive::<$ty>().unary::<_, T>(|$v| $value))
        };
    }
    match field.data_type() {
        DataType::Int8 => of!(Int8Type, v => T::of_long(v.into())),
        DataType::Int16 => of!(Int16Type, v => T::of_long(v.into())),
        DataType::Int32 => of!(Int32Type, v => T::of_long(v.into())),
        DataType::Int64 => of!(Int64Type, v => T::of_long(v)),
        DataType::Date32 => of!(Date32Type, v => T::of_long(v.into())),
        DataType::Time32(_) => of!(Time32MillisecondType, v => T::of_long(v.into())),
        DataType::Timestamp(..) => of!(TimestampMillisecondType, v => T::of_long(v)),
        DataType::Float32 => of!(Float32Type, v => T::of_double(v.into())),
        DataType::Float64 => of!(Float64Type, v => T::of_double(v)),
        DataType::Boolean => rows::<T>(array, errors, |row| Ok(T::of_long(array.as_boolean().value(row).into()))),
        DataType::Decimal128(_, scale) => {
            let decimals = array.as_primitive::<Decimal128Type>();
            rows::<T>(array, errors, |row| {
                let of = T::of_decimal(decimals.value(row), i32::from(*scale), || decimals.value_as_string(row));
                of.ok_or_else(|| out_of_range(&decimals.value_as_string(row)))
            })
        }
        DataType::Utf8 if is_json(field) => {
            let texts = array.as_string::<i32>();
            rows::<T>(array, errors, |row| match scalar(texts.value(row)) {
                Scalar::Long(value) => Ok(T::of_long(value)),
                Scalar::Double(value) => Ok(T::of_double(value)),
                Scalar::Text(text) => T::of_text(&text).ok_or_else(|| out_of_range(&text)),
            })
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            rows::<T>(array, errors, |row| T::of_text(texts.value(row)).ok_or_else(|| out_of_range(texts.value(row))))
        }
        _ => rows::<T>(array, errors, |row| Err(unexpected(field, array, row))),
    }
}

/// One value after the other. Rows that were refused before keep their error.
fn rows<T: Number>(array: &ArrayRef, errors: &mut Errors, of: impl Fn(usize) -> Result<T::Native, RecordError>) -> ArrayRef {
    let known = errors.len();
    let value = |row| {
        if array.is_null(row) {
            return T::of_long(0);
        }
        of(row).unwrap_or_else(|error| {
            errors.push((row, error));
            T::of_long(0)
        })
    };
    let values: Vec<_> = (0..array.len()).map(value).collect();
    forget_repeated(errors, known);
    Arc::new(PrimitiveArray::<T>::new(values.into(), array.nulls().cloned()))
}

/// Drops the errors from `known` on of rows that had one before.
fn forget_repeated(errors: &mut Errors, known: usize) {
    if errors.len() > known && known > 0 {
        errors.sort_by_key(|(row, _)| *row);
        errors.dedup_by_key(|(row, _)| *row);
    }
}

/// Java's error for bytes that are to be a number.
fn unexpected(field: &Field, array: &ArrayRef, row: usize) -> RecordError {
    RecordError::data(format!("Unexpected type in Cast transformation: class {}", java_class(field, array, row)))
}

fn boolean(field: &Field, array: &ArrayRef, errors: &mut Errors) -> ArrayRef {
    let is_true = |text: &str| text.eq_ignore_ascii_case("true");
    let texts = || array.as_string::<i32>();
    let values = match field.data_type() {
        DataType::Boolean => return array.clone(),
        DataType::Utf8 if is_json(field) => {
            BooleanBuffer::from_iter((0..array.len()).map(|row| match scalar(texts().value(row)) {
                Scalar::Long(value) => value != 0,
                Scalar::Double(value) => value as i64 != 0,
                Scalar::Text(text) => is_true(&text),
            }))
        }
        DataType::Utf8 => BooleanBuffer::from_iter((0..array.len()).map(|row| is_true(texts().value(row)))),
        _ => {
            let longs = number::<Int64Type>(field, array, errors);
            let longs = longs.as_primitive::<Int64Type>();
            BooleanBuffer::from_iter(longs.values().iter().map(|&value| value != 0))
        }
    };
    Arc::new(BooleanArray::new(values, array.nulls().cloned()))
}

/// Java's text of dates, bytes and decimals is the one that headers have.
fn text(field: &Field, array: &ArrayRef) -> ArrayRef {
    let texts = header_values(&Column { field: Arc::new(field.clone()), array: array.clone() });
    match StringArray::try_from_binary(texts) {
        Ok(texts) => Arc::new(texts),
        Err(_) => Arc::new(StringArray::new_null(array.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_narrowed_as_java_narrows_them() {
        assert_eq!((Int8Type::of_long(300), Int8Type::of_double(300.9), Int8Type::of_double(1e20)), (44, 44, -1));
        assert_eq!((Int64Type::of_double(f64::NAN), Int32Type::of_double(-1e20)), (0, i32::MIN));
        assert_eq!(Float64Type::of_text(" 1.5f "), Some(1.5));
        for bad in ["", "inf", "nan", "0x1p3", "1 2", "--1", "f"] {
            assert_eq!(Float64Type::of_text(bad), None, "{bad}");
        }
        assert_eq!(Int32Type::of_text("+7"), Some(7));
    }
}
