//! Numbers as Java prints them: `Double`, `Float` and `BigDecimal`.

use std::fmt::LowerExp;
use std::str::FromStr;

use arrow_buffer::i256;

use super::show;

/// Appends `Double.toString`.
pub fn double(value: f64, out: &mut Vec<u8>) {
    if value == 0.0 || !value.is_finite() {
        return special(value, out);
    }
    floating(value.abs(), value < 0.0, out);
}

/// Appends `Float.toString`.
pub fn float(value: f32, out: &mut Vec<u8>) {
    if value == 0.0 || !value.is_finite() {
        return special(f64::from(value), out);
    }
    floating(value.abs(), value < 0.0, out);
}

fn special(value: f64, out: &mut Vec<u8>) {
    let sign = if value.is_sign_negative() && !value.is_nan() { "-" } else { "" };
    let text = if value.is_nan() {
        "NaN"
    } else if value.is_infinite() {
        "Infinity"
    } else {
        "0.0"
    };
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number above zero with the fewest digits that name it: two if they are nearer than one, and of two numbers that are
/// equally near the one whose last digit is even.
fn floating<T: Copy + LowerExp + FromStr + PartialEq>(value: T, negative: bool, out: &mut Vec<u8>) {
    let mut text = format!("{value:e}");
    let behind_point = text.find('e').map_or(1, |end| end.saturating_sub(2).max(1));
    let nearest = format!("{value:.behind_point$e}");
    if nearest.parse::<T>().is_ok_and(|parsed| parsed == value) {
        text = nearest;
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    if negative {
        out.push(b'-');
    }
    match exponent {
        -3..0 => {
            out.extend_from_slice(b"0.");
            zeros(-exponent - 1, out);
            out.extend_from_slice(trimmed(&digits));
        }
        0..7 => {
            let point = exponent as usize + 1;
            let whole = digits.len().min(point);
            out.extend_from_slice(&digits[..whole]);
            zeros(point as i32 - whole as i32, out);
            out.push(b'.');
            out.extend_from_slice(trimmed(&digits[whole..]));
        }
        _ => {
            out.push(digits[0]);
            out.push(b'.');
            out.extend_from_slice(trimmed(&digits[1..]));
            out.push(b'E');
            show(exponent, out);
        }
    }
}

/// The digits without the zeros at their end, but one at least.
fn trimmed(digits: &[u8]) -> &[u8] {
    match digits.iter().rposition(|&digit| digit != b'0') {
        Some(last) => &digits[..=last],
        None => b"0",
    }
}

fn zeros(count: i32, out: &mut Vec<u8>) {
    out.extend((0..count).map(|_| b'0'));
}

/// Appends `BigDecimal.toString` of a value whose column has `column` digits behind the point. A schema whose scale is below zero has
/// a column of the scale nought.
pub fn decimal(value: i128, column: i32, schema: i32, out: &mut Vec<u8>) {
    let (mut unscaled, mut scale) = (value, column);
    if let (0, ..0) = (column, schema)
        && let Some(power) = 10i128.checked_pow(schema.unsigned_abs())
        && value % power == 0
    {
        (unscaled, scale) = (value / power, schema);
    }
    scaled(&unscaled.to_string(), scale, out);
}

/// Appends `BigDecimal.toString` of a value with `scale` digits behind the point.
pub fn decimal256(value: i256, scale: i32, out: &mut Vec<u8>) {
    scaled(&value.to_string(), scale, out);
}

/// Appends `BigDecimal.toString` of the whole number `unscaled` with `scale` of its digits behind the point.
pub fn scaled(unscaled: &str, scale: i32, out: &mut Vec<u8>) {
    let digits = unscaled.trim_start_matches('-').as_bytes();
    let adjusted = digits.len() as i32 - 1 - scale;
    if unscaled.starts_with('-') {
        out.push(b'-');
    }
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if scale > 0 && adjusted >= -6 {
        let point = digits.len() as i32 - scale;
        if point <= 0 {
            out.extend_from_slice(b"0.");
            zeros(-point, out);
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        if adjusted != 0 {
            out.push(b'E');
            if adjusted > 0 {
                out.push(b'+');
            }
            show(adjusted, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(print: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_have_the_fewest_digits() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (0.012_5, "0.0125"),
            (1e6, "1000000.0"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e23, "1.0E23"),
            (2e23, "2.0E23"),
            (7_642_857_912_128_469.0 / 4.0, "1.9107144780321172E15"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::from_bits(1), "4.9E-324"),
            (f64::from_bits(2), "9.9E-324"),
            (f64::from_bits(3), "1.5E-323"),
            (f64::from_bits(4), "2.0E-323"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|out| double(value, out)), expected);
        }
    }

    #[test]
    fn floats_have_the_fewest_digits() {
        let cases = [
            (0.1f32, "0.1"),
            (16_777_216.0, "1.6777216E7"),
            (3.402_823_5e38, "3.4028235E38"),
            (f32::from_bits(1), "1.4E-45"),
            (f32::from_bits(2), "2.8E-45"),
            (100.25, "100.25"),
            (-0.0, "-0.0"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|out| float(value, out)), expected);
        }
    }

    #[test]
    fn decimals_keep_their_scale() {
        let cases = [
            (12345, 2, 2, "123.45"),
            (-5, 2, 2, "-0.05"),
            (0, 2, 2, "0.00"),
            (0, 7, 7, "0E-7"),
            (1, 6, 6, "0.000001"),
            (1, 7, 7, "1E-7"),
            (-123, 9, 9, "-1.23E-7"),
            (1200, 0, -2, "1.2E+3"),
            (100, 0, -2, "1E+2"),
            (0, 0, -2, "0E+2"),
            (50, 0, -2, "50"),
            (7, 0, 0, "7"),
            (i128::MIN, 0, 0, "-170141183460469231731687303715884105728"),
        ];
        for (value, column, schema, expected) in cases {
            assert_eq!(text(|out| decimal(value, column, schema, out)), expected);
        }
    }
}
