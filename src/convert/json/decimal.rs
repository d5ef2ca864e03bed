//! Reads the values of Connect's `Decimal` (`org.apache.kafka.connect.data.Decimal`, 4.3.1) as 128-bit decimals.

use super::super::node::Precision;
use super::scan::Stop;

/// The value of a JSON number.
pub(super) fn from_text(text: &str, precision: Precision) -> Result<i128, Stop> {
    let parsed = parse(text).and_then(|(digits, exponent)| precision.fit(digits, exponent));
    parsed.ok_or_else(|| Stop::data(format!("{} cannot hold the value {text}", precision.name())))
}

/// The value of an unscaled two's complement number, highest byte first.
pub(super) fn from_bytes(bytes: &[u8], precision: Precision) -> Result<i128, Stop> {
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut unscaled = [sign; 16];
    unscaled[16 - low.len()..].copy_from_slice(low);
    let unscaled = i128::from_be_bytes(unscaled);
    let fits = high.iter().all(|&b| b == sign) && (unscaled < 0) == (sign != 0);
    let value = if fits { precision.fit(unscaled, -precision.scale) } else { None };
    value.ok_or_else(|| Stop::data(format!("{} cannot hold a value of {} bytes", precision.name(), bytes.len())))
}

/// Digits and the power of ten that they are multiplied with. None for more digits than 128 bits hold.
fn parse(text: &str) -> Option<(i128, i32)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (text, 0i32),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?))
}

impl Precision {
    /// The scale of the Arrow type.
    pub(in crate::convert) fn column_scale(self) -> i32 {
        self.scale.max(0)
    }

    fn name(self) -> String {
        format!("a decimal of {} digits, {} of them fractional,", self.precision, self.scale)
    }

    /// `digits` times ten to the power of `exponent` in units of the column, if nothing is lost.
    pub(in crate::convert) fn fit(self, digits: i128, exponent: i32) -> Option<i128> {
        if digits == 0 {
            return Some(0);
        }
        let shift = exponent.checked_add(self.column_scale())?;
        let power = 10i128.checked_pow(shift.unsigned_abs())?;
        let value = if shift >= 0 {
            digits.checked_mul(power)?
        } else if digits % power == 0 {
            digits / power
        } else {
            return None;
        };
        let limit = 10i128.checked_pow(u32::from(self.precision))?;
        (-limit < value && value < limit).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_exactly_or_not_at_all() {
        let precision = Precision { precision: 5, scale: 2 };
        let cases = [
            ("1.5", Some(150)),
            ("-001.250", Some(-125)),
            ("1e1", Some(1000)),
            ("12.345", None),
            ("1000", None),
            ("999.99", Some(99999)),
            ("0e99999", Some(0)),
            ("1e-2", Some(1)),
            ("1e-99999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(from_text(text, precision).ok(), expected, "{text}");
        }
        assert_eq!(from_text("1200", Precision { precision: 5, scale: -2 }).ok(), Some(1200));
    }

    #[test]
    fn bytes_are_big_endian_and_signed() {
        let precision = Precision { precision: 38, scale: 2 };
        for (bytes, expected) in [(&[1, 0][..], 256), (&[0xff], -1), (&[0xff; 20], -1), (&[0, 0x80], 128)] {
            assert_eq!(from_bytes(bytes, precision).ok(), Some(expected));
        }
        assert!(from_bytes(&[0x7f; 17], precision).is_err());
        assert!(from_bytes(&[0x7f; 16], precision).is_err());
        assert_eq!(from_bytes(&[12], Precision { precision: 38, scale: -2 }).ok(), Some(1200));
    }
}
