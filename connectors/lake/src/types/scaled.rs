//! Numbers with a scale each: structs of `scale` and of `value`, the unscaled number in two's complement, highest byte first
//! (`io.debezium.data.VariableScaleDecimal`, as `java.math.BigDecimal` has it).

use std::fmt::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array as _, BinaryArray, Int32Array, StructArray};
use arrow_schema::DataType;

/// Numbers of more bytes, or with more zeros to write, are taken for a mistake: databases have none.
const MOST: usize = 1 << 16;

/// Whether it is the type of such numbers.
pub(super) fn is(data_type: &DataType) -> bool {
    let DataType::Struct(fields) = data_type else { return false };
    let has = |name: &str, wanted: &DataType| fields.iter().any(|field| field.name() == name && field.data_type() == wanted);
    has("scale", &DataType::Int32) && has("value", &DataType::Binary)
}

/// A column of such numbers.
pub(super) struct Scaled<'a> {
    scale: &'a Int32Array,
    value: &'a BinaryArray,
}

impl<'a> Scaled<'a> {
    /// None if `array` is another struct.
    pub(super) fn of(array: &'a StructArray) -> Option<Self> {
        let scale = array.column_by_name("scale")?.as_primitive_opt::<Int32Type>()?;
        Some(Self { scale, value: array.column_by_name("value")?.as_binary_opt()? })
    }

    fn at(&self, row: usize) -> Option<(&'a [u8], i32)> {
        let there = self.scale.is_valid(row) && self.value.is_valid(row);
        there.then(|| (self.value.value(row), self.scale.value(row))).filter(|(value, _)| !value.is_empty())
    }

    /// Writes the number at `row` behind `text`, without an exponent.
    pub(super) fn write(&self, row: usize, text: &mut String) -> Option<()> {
        let (bytes, scale) = self.at(row)?;
        if bytes.len() > MOST || scale.unsigned_abs() as usize > MOST {
            return None;
        }
        let begin = text.len();
        match whole(bytes) {
            // A string takes all.
            Some(number) => write!(text, "{number}").ok()?,
            None => text.push_str(&long(bytes)),
        }
        if scale < 0 {
            if &text[begin..] != "0" {
                text.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
            }
        } else if scale > 0 {
            let digits = begin + usize::from(text[begin..].starts_with('-'));
            let lacking = (scale as usize + 1).saturating_sub(text.len() - digits);
            text.insert_str(digits, &"0".repeat(lacking));
            text.insert(text.len() - scale as usize, '.');
        }
        Some(())
    }

    /// The number at `row` in units of `10^-scale`, if it is a whole number of them with at most `precision` digits.
    pub(super) fn decimal(&self, row: usize, precision: u8, scale: i8) -> Option<i128> {
        let (bytes, own) = self.at(row)?;
        let number = whole(bytes)?;
        if number == 0 {
            return Some(0);
        }
        let shift = i32::from(scale).checked_sub(own)?;
        let power = 10_i128.checked_pow(shift.unsigned_abs())?;
        let number = if shift >= 0 {
            number.checked_mul(power)?
        } else if number % power == 0 {
            number / power
        } else {
            return None;
        };
        let limit = 10_u128.checked_pow(precision.into())?;
        (number.unsigned_abs() < limit).then_some(number)
    }
}

/// The number, if it fits.
fn whole(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut number = [sign; 16];
    number[16 - low.len()..].copy_from_slice(low);
    let number = i128::from_be_bytes(number);
    (high.iter().all(|&b| b == sign) && (number < 0) == (sign != 0)).then_some(number)
}

/// The digits of a number of any length.
fn long(bytes: &[u8]) -> String {
    const BASE: u64 = 1_000_000_000;
    let negative = bytes[0] & 0x80 != 0;
    // Its absolute value in words of 32 bits, highest first.
    let padding = if negative { 0xff } else { 0 };
    let lead = (4 - bytes.len() % 4) % 4;
    let padded: Vec<u8> = std::iter::repeat_n(padding, lead).chain(bytes.iter().copied()).collect();
    let mut words: Vec<u32> = padded.chunks_exact(4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]])).collect();
    if negative {
        let mut carry = true;
        for word in words.iter_mut().rev() {
            let (next, over) = (!*word).overflowing_add(carry.into());
            (*word, carry) = (next, over);
        }
        if carry {
            words.insert(0, 1);
        }
    }
    let mut parts = Vec::new();
    let mut first = 0;
    while first < words.len() {
        let mut rest = 0_u64;
        for word in &mut words[first..] {
            let all = rest << 32 | u64::from(*word);
            (*word, rest) = ((all / BASE) as u32, all % BASE);
        }
        parts.push(rest);
        first += words[first..].iter().take_while(|word| **word == 0).count();
    }
    let mut text = String::with_capacity(parts.len() * 9 + 1);
    text.push_str(if negative { "-" } else { "" });
    for (n, part) in parts.iter().rev().enumerate() {
        let width = if n == 0 { 0 } else { 9 };
        // A string takes all.
        let _ = write!(text, "{part:0width$}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::ArrayRef;

    fn numbers(all: &[(i32, &[u8])]) -> StructArray {
        let scale: ArrayRef = Arc::new(Int32Array::from_iter_values(all.iter().map(|(scale, _)| *scale)));
        let value: ArrayRef = Arc::new(BinaryArray::from_iter_values(all.iter().map(|(_, value)| *value)));
        StructArray::try_from(vec![("value", value), ("scale", scale)]).expect("columns")
    }

    #[test]
    fn the_text_is_exact() {
        let wide = [&[0x01][..], &[0; 20]].concat(); // 2^160
        let least = [&[0x80][..], &[0; 15]].concat(); // -2^127
        let below = [&[0xff, 0x7f][..], &[0xff; 15]].concat(); // -2^127 - 1
        let cases: [(i32, &[u8], Option<&str>); 15] = [
            (0, &[0], Some("0")),
            (2, &[0], Some("0.00")),
            (-3, &[0], Some("0")),
            (0, &[5], Some("5")),
            (2, &[5], Some("0.05")),
            (2, &[0xfb], Some("-0.05")),
            (1, &[0x7b], Some("12.3")),
            (-2, &[0xff, 0x85], Some("-12300")),
            (0, &wide, Some("1461501637330902918203684832716283019655932542976")),
            (40, &wide, Some("146150163.7330902918203684832716283019655932542976")),
            (0, &least, Some("-170141183460469231731687303715884105728")),
            (3, &below, Some("-170141183460469231731687303715884105.729")),
            (1 << 20, &[1], None),
            (i32::MIN, &[1], None),
            (0, &[], None),
        ];
        let array = numbers(&cases.map(|(scale, value, _)| (scale, value)));
        let scaled = Scaled::of(&array).expect("such numbers");
        for (row, (scale, value, expected)) in cases.iter().enumerate() {
            let mut text = "before ".to_owned();
            let found = scaled.write(row, &mut text).map(|()| &text["before ".len()..]);
            assert_eq!(found, *expected, "{value:?} {scale}");
        }
    }

    #[test]
    fn a_decimal_loses_nothing() {
        let cases: [(i32, &[u8], Option<i128>); 7] = [
            (0, &[5], Some(500)),
            (2, &[0x85], Some(-123)),
            (3, &[0x78], Some(12)),
            (3, &[0x79], None),
            (-1, &[0x63], Some(99_000)),
            (-2, &[0x63], None),
            (9999, &[0], Some(0)),
        ];
        let array = numbers(&cases.map(|(scale, value, _)| (scale, value)));
        let scaled = Scaled::of(&array).expect("such numbers");
        for (row, (scale, value, expected)) in cases.iter().enumerate() {
            assert_eq!(scaled.decimal(row, 5, 2), *expected, "{value:?} {scale}");
        }
    }
}
