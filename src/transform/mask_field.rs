//! `org.apache.kafka.connect.transforms.MaskField` (4.3.1): puts one and the same value in place of all that a field has.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, BooleanArray, PrimitiveArray, Scalar, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field};
use arrow_select::zip::zip;
use landfall_api::schema::{DEFAULT, PARAMETER, is_json, is_schemaless};
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::default::default;
use super::require::{java_class, not_empty, structs};
use super::{Members, Part};

config! {
    /// What `MaskField.CONFIG_DEF` declares.
    struct MaskFieldConfig {
        /// Names of fields to mask.
        fields: Vec<String> = "fields" { required: true, importance: High, width: Width::None, display: "fields" };
        /// Custom value replacement, that will be applied to all `fields` values (numeric or non-empty string values only).
        replacement: Option<String> = "replacement" { importance: Low, valid: NonEmpty, width: Width::None, display: "replacement" };
        /// Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value
        /// is used, otherwise null is used.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct MaskFieldClass(pub(super) Part);

impl TransformClass for MaskFieldClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.MaskField$Key",
            Part::Value => "org.apache.kafka.connect.transforms.MaskField$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        MaskFieldConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = MaskFieldConfig::parse(properties, &mut faults);
        not_empty("fields", properties, &mut faults);
        let config = faults.or(config)?;
        Ok(Box::new(MaskField {
            part: self.0,
            fields: config.fields.into_iter().collect(),
            replacement: config.replacement.map(Replacement::new),
            with_defaults: config.replace_null_with_default,
        }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct MaskField {
    part: Part,
    fields: HashSet<String>,
    replacement: Option<Replacement>,
    with_defaults: bool,
}

impl Transform for MaskField {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, "mask fields", false, out);
        let column = self.part.of(&batch);
        let Some(mut members) = Members::of(column) else { return out.emit(batch) };
        if self.with_defaults && !is_schemaless(&column.field) {
            members = members.with_defaults();
        }
        let mut errors = Vec::new();
        for (field, array) in
            members.fields.iter().zip(&mut members.arrays).filter(|(field, _)| self.fields.contains(field.name()))
        {
            match self.masked(field, array) {
                Ok(masked) => *array = masked,
                Err(error) => {
                    let nulls = array.logical_nulls();
                    let rows = (0..array.len()).filter(|&row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
                    errors.extend(rows.map(|row| (row, error(java_class(field, array, row)))));
                }
            }
        }
        errors.sort_by_key(|(row, _)| *row);
        errors.dedup_by_key(|(row, _)| *row);
        let column = members.into_column(&column.field);
        let batch = out.reject_rows(self.part.replaced(batch, column), errors);
        out.emit(batch);
    }
}

/// The error of a value that cannot be masked, by its Java class.
type Refusal = Box<dyn Fn(&'static str) -> RecordError>;

impl MaskField {
    /// The mask where the field is not null.
    fn masked(&self, field: &Field, array: &ArrayRef) -> Result<ArrayRef, Refusal> {
        if *array.data_type() == DataType::Null || array.null_count() == array.len() {
            return Ok(array.clone());
        }
        if is_json(field) {
            return self.masked_json(array);
        }
        let one = match &self.replacement {
            None => nothing(field).ok_or_else(|| {
                Box::new(|class: &str| RecordError::data(format!("Cannot mask value of type: class {class}"))) as Refusal
            })?,
            Some(replacement) => replacement.of(field)?,
        };
        spread(one, array).map_err(|error| Box::new(move |_: &str| RecordError::data(error.to_string())) as Refusal)
    }

    /// Values of several types, each as JSON: the mask of each type.
    fn masked_json(&self, array: &ArrayRef) -> Result<ArrayRef, Refusal> {
        let texts = array.as_string::<i32>();
        if self.replacement.is_some() {
            return Err(Box::new(|class| {
                RecordError::data(format!("Cannot mask value of type class {class} in a column of several types"))
            }));
        }
        let mask = |text: &str| match text.trim_start().as_bytes().first() {
            Some(b'{') => "{}",
            Some(b'[') => "[]",
            Some(b'"') => "\"\"",
            Some(b't' | b'f') => "false",
            _ if text.contains(['.', 'e', 'E']) => "0.0",
            _ => "0",
        };
        Ok(Arc::new(texts.iter().map(|text| text.map(mask)).collect::<StringArray>()))
    }
}

/// `one` where `array` is not null.
fn spread(one: ArrayRef, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let there = BooleanArray::new(
        array
            .logical_nulls()
            .map_or_else(|| !&arrow_buffer::BooleanBuffer::new_unset(array.len()), |nulls| nulls.inner().clone()),
        None,
    );
    let null = new_null_array(array.data_type(), 1);
    zip(&there, &Scalar::new(one), &Scalar::new(null))
}

/// What is nothing for a type: zero, the empty text, the epoch, an empty list.
fn nothing(field: &Field) -> Option<ArrayRef> {
    constant(
        field,
        match field.data_type() {
            DataType::Boolean => "false",
            DataType::Float32 | DataType::Float64 => "0.0",
            DataType::Utf8 => "\"\"",
            DataType::List(_) => "[]",
            DataType::Map(..) => "{}",
            DataType::Struct(_) if is_schemaless(field) => "{}",
            DataType::Struct(_) | DataType::Binary | DataType::Null => return None,
            _ => "0",
        },
    )
}

/// A value of the field's type in the form of a default.
fn constant(field: &Field, json: &str) -> Option<ArrayRef> {
    let mut metadata = field.metadata().clone();
    metadata.insert(DEFAULT.to_owned(), json.to_owned());
    default(&field.clone().with_metadata(metadata))
}

/// `replacement`.
#[derive(Debug)]
struct Replacement {
    text: String,
    /// As a number: its digits, and how many of them are behind the point.
    number: Option<(i128, i32)>,
}

impl Replacement {
    fn new(text: String) -> Self {
        Self { number: big_decimal(&text), text }
    }

    /// The replacement in the type of `field`.
    fn of(&self, field: &Field) -> Result<ArrayRef, Refusal> {
        let no_number = || {
            let message = format!("Unable to convert {} (class java.lang.String) to a number", self.text);
            Box::new(move |_: &str| RecordError::data(&message)) as Refusal
        };
        let long = || self.number.map(|(unscaled, scale)| long_value(unscaled, scale)).ok_or_else(no_number);
        let double = || self.number.and_then(|_| self.text.parse::<f64>().ok()).ok_or_else(no_number);
        Ok(match field.data_type() {
            DataType::Int8 => Arc::new(PrimitiveArray::<Int8Type>::from_iter_values([long()? as i8])),
            DataType::Int16 => Arc::new(PrimitiveArray::<Int16Type>::from_iter_values([long()? as i16])),
            DataType::Int32 => Arc::new(PrimitiveArray::<Int32Type>::from_iter_values([long()? as i32])),
            DataType::Int64 => Arc::new(PrimitiveArray::<Int64Type>::from_iter_values([long()?])),
            DataType::Float32 => Arc::new(PrimitiveArray::<Float32Type>::from_iter_values([double()? as f32])),
            DataType::Float64 => Arc::new(PrimitiveArray::<Float64Type>::from_iter_values([double()?])),
            DataType::Utf8 => Arc::new(StringArray::from(vec![&*self.text])),
            DataType::Decimal128(..) | DataType::Decimal256(..) => self.decimal(field)?,
            _ => {
                return Err(Box::new(|class| {
                    RecordError::data(format!("Cannot mask value of type class {class} with custom replacement."))
                }));
            }
        })
    }

    fn decimal(&self, field: &Field) -> Result<ArrayRef, Refusal> {
        let Some((unscaled, scale)) = self.number else {
            let message = format!("Unable to convert {} (class java.lang.String) to number", self.text);
            return Err(Box::new(move |_| RecordError::data(&message)));
        };
        let column = match field.data_type() {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => i32::from(*scale),
            _ => 0,
        };
        let mut plain = field.clone().with_metadata(field.metadata().clone());
        plain.metadata_mut().insert(format!("{PARAMETER}scale"), column.to_string());
        // A default's number has a point and no exponent.
        let digits = u32::try_from(column - scale).ok().and_then(|more| unscaled.checked_mul(10_i128.checked_pow(more)?));
        let text = digits.map(|digits| {
            let width = column.unsigned_abs() as usize + 1;
            let all = format!("{:0>width$}", digits.unsigned_abs());
            let (whole, fraction) = all.split_at(all.len() + 1 - width);
            let sign = if digits < 0 { "-" } else { "" };
            if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
        });
        text.and_then(|text| constant(&plain, &text)).ok_or_else(|| {
            Box::new(|_: &str| RecordError::data("BigDecimal has mismatching scale value for given Decimal schema")) as Refusal
        })
    }
}

/// What Java's `BigDecimal` reads: digits, a point, an exponent; no blanks.
fn big_decimal(text: &str) -> Option<(i128, i32)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unsigned = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if unsigned.len() + fraction.len() == 0 || !unsigned.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: i128 = format!("{unsigned}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    Some((if whole.starts_with('-') { -digits } else { digits }, scale))
}

/// `BigDecimal.longValue`: the lowest 64 bits of the whole part.
pub(super) fn long_value(unscaled: i128, scale: i32) -> i64 {
    let power = 10_i128.checked_pow(scale.unsigned_abs());
    match (scale, power) {
        (0.., Some(power)) => (unscaled / power) as i64,
        (..0, Some(power)) => unscaled.wrapping_mul(power) as i64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_big_decimals() {
        for (text, expected) in [
            ("12", Some((12, 0))),
            ("-1.50", Some((-150, 2))),
            ("+.5", Some((5, 1))),
            ("5.", Some((5, 0))),
            ("1e3", Some((1, -3))),
            ("1.5E-2", Some((15, 3))),
            ("", None),
            (".", None),
            (" 1", None),
            ("1e", None),
            ("0x1", None),
        ] {
            assert_eq!(big_decimal(text), expected, "{text}");
        }
        assert_eq!((long_value(399, 2), long_value(-399, 2), long_value(1, -3)), (3, -3, 1000));
        assert_eq!(long_value(i128::from(u64::MAX) + 6, 0), 5);
    }
}
