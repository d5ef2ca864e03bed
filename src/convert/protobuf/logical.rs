//! The messages that are Connect's logical types: `google.protobuf.Timestamp`, `google.type.Date`, `google.type.TimeOfDay` and
//! `confluent.type.Decimal`, with Java's checks.

use std::ops::Range;

use landfall_api::RecordError;

use super::super::node::{Precision, Values};
use super::wire::{BYTES, Malformed, Reader, VARINT};

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Timestamp,
    Date,
    Time,
    Decimal,
}

/// The message and what the open row has of it.
#[derive(Debug)]
pub(super) struct Logical {
    which: Which,
    /// The integers by their field number, less one.
    parts: [i64; 4],
    /// Where a decimal's unscaled value is.
    unscaled: Range<usize>,
}

impl Which {
    /// The message called `name`, if it is one of these.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "google.protobuf.Timestamp" => Self::Timestamp,
            "google.type.Date" => Self::Date,
            "google.type.TimeOfDay" => Self::Time,
            "confluent.type.Decimal" => Self::Decimal,
            _ => return None,
        })
    }

    /// Its fields by their numbers, with the names of their types.
    pub(super) fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Timestamp => &[("seconds", "int64"), ("nanos", "int32")],
            Self::Date => &[("year", "int32"), ("month", "int32"), ("day", "int32")],
            Self::Time => &[("hours", "int32"), ("minutes", "int32"), ("seconds", "int32"), ("nanos", "int32")],
            Self::Decimal => &[("value", "bytes"), ("precision", "uint32"), ("scale", "int32")],
        }
    }
}

fn illegal(message: impl Into<String>) -> RecordError {
    RecordError { class: "java.lang.IllegalArgumentException", message: message.into() }
}

impl Logical {
    pub(super) fn new(which: Which) -> Self {
        Self { which, parts: [0; 4], unscaled: 0..0 }
    }

    /// Forgets the open row.
    pub(super) fn reset(&mut self) {
        (self.parts, self.unscaled) = ([0; 4], 0..0);
    }

    /// Reads the fields that come up to the end of the message. Those of an earlier occurrence stay unless they come again.
    pub(super) fn read(&mut self, r: &mut Reader<'_>) -> Result<(), Malformed> {
        while !r.done() {
            let tag = r.tag()?;
            let at = (tag >> 3) as usize - 1;
            match self.which.fields().get(at) {
                Some((_, "bytes")) if tag & 7 == BYTES => {
                    let bytes = r.delimited()?;
                    self.unscaled = r.at - bytes.len()..r.at;
                }
                Some((_, "int64")) if tag & 7 == VARINT => self.parts[at] = r.varint()? as i64,
                Some((_, "int32" | "uint32")) if tag & 7 == VARINT => self.parts[at] = i64::from(r.varint()? as i32),
                _ => r.skip(tag)?,
            }
        }
        Ok(())
    }

    /// Appends the value to the buffers of its type, without a look at nulls. `record` is what was read from.
    pub(super) fn append(&self, values: &mut Values, record: &[u8]) -> Result<(), RecordError> {
        let [a, b, c, d] = self.parts;
        match values {
            Values::Timestamp(v) => v.push(timestamp(a, b)?),
            Values::Date(v) => v.push(date(a, b, c)?),
            Values::Time(v) => v.push(time([a, b, c, d])?),
            Values::Decimal(v, precision) => v.push(decimal(&record[self.unscaled.clone()], b, c, *precision)?),
            _ => {}
        }
        Ok(())
    }
}

/// Milliseconds since the epoch.
fn timestamp(seconds: i64, nanos: i64) -> Result<i64, RecordError> {
    if !(-62_135_596_800..=253_402_300_799).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(illegal(format!(
            "Timestamp is not valid. See proto definition for valid values. Seconds ({seconds}) must be in range [-62,135,596,800, \
             +253,402,300,799]. Nanos ({nanos}) must be in range [0, +999,999,999]."
        )));
    }
    Ok(seconds * 1000 + nanos / 1_000_000)
}

/// Days since the epoch in the Gregorian calendar.
fn date(year: i64, month: i64, day: i64) -> Result<i32, RecordError> {
    if year < 1 || year > 292_278_994 {
        return Err(illegal("YEAR"));
    }
    if !(1..=12).contains(&month) {
        return Err(illegal("MONTH"));
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return Err(illegal("DAY_OF_MONTH"));
    }
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    i32::try_from(days).map_err(|_| illegal("YEAR"))
}

/// Milliseconds since midnight.
fn time([hours, minutes, seconds, nanos]: [i64; 4]) -> Result<i32, RecordError> {
    let parts = [
        ("HourOfDay", hours, 23),
        ("MinuteOfHour", minutes, 59),
        ("SecondOfMinute", seconds, 59),
        ("NanoOfSecond", nanos, 999_999_999),
    ];
    for (name, value, last) in parts {
        if !(0..=last).contains(&value) {
            let message = format!("Invalid value for {name} (valid values 0 - {last}): {value}");
            return Err(RecordError { class: "java.time.DateTimeException", message });
        }
    }
    Ok((((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos / 1_000_000) as i32) // less than a day
}

/// The value of a two's complement number, rounded to `digits` digits if that is not 0, in units of the column.
fn decimal(unscaled: &[u8], digits: i64, scale: i64, column: Precision) -> Result<i128, RecordError> {
    let Some(first) = unscaled.first() else {
        return Err(RecordError { class: "java.lang.NumberFormatException", message: "Zero length BigInteger".into() });
    };
    if digits < 0 {
        return Err(illegal("Digits < 0"));
    }
    let sign = if first & 0x80 == 0 { 0 } else { 0xff };
    let (high, low) = unscaled.split_at(unscaled.len().saturating_sub(16));
    let mut number = [sign; 16];
    number[16 - low.len()..].copy_from_slice(low);
    let number = i128::from_be_bytes(number);
    let held = high.iter().all(|&byte| byte == sign) && (number < 0) == (sign != 0);
    let fitted = if held { rounded(number, digits, scale).and_then(|(number, scale)| column.fit(number, -scale)) } else { None };
    fitted.ok_or_else(|| {
        RecordError::data(format!(
            "a decimal of {} digits, {} of them fractional, cannot hold a value of {} bytes with scale {scale}",
            column.precision,
            column.scale,
            unscaled.len()
        ))
    })
}

/// `number` with its scale, rounded half up to `digits` digits as by Java's `MathContext`. None if the scale leaves 32 bits.
fn rounded(mut number: i128, digits: i64, scale: i64) -> Option<(i128, i32)> {
    let mut scale = scale;
    let mut length = i64::from(number.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1));
    while digits > 0 && length > digits {
        let power = 10i128.pow((length - digits) as u32); // at most 38
        let (quotient, rest) = (number / power, number % power);
        number = quotient + if rest.unsigned_abs() >= power.unsigned_abs() - rest.unsigned_abs() { rest.signum() } else { 0 };
        scale -= length - digits;
        length = i64::from(number.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1));
    }
    i32::try_from(scale).ok().filter(|scale| *scale != i32::MIN).map(|scale| (number, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_checked_and_counted_from_the_epoch() {
        assert_eq!(date(1970, 1, 1), Ok(0));
        assert_eq!(date(2024, 2, 29), Ok(19782));
        assert_eq!(date(1969, 12, 31), Ok(-1));
        assert_eq!(date(1, 1, 1), Ok(-719_162));
        for (y, m, d, message) in
            [(0, 1, 1, "YEAR"), (2023, 13, 1, "MONTH"), (2023, 2, 29, "DAY_OF_MONTH"), (2023, 2, 0, "DAY_OF_MONTH")]
        {
            assert_eq!(date(y, m, d).map_err(|e| e.message), Err(message.to_owned()));
        }
        assert_eq!(date(292_278_994, 1, 1).map_err(|e| e.message), Err("YEAR".to_owned()));
    }

    #[test]
    fn times_and_timestamps_are_checked() {
        assert_eq!(time([23, 59, 59, 999_999_999]), Ok(86_399_999));
        assert_eq!(
            time([24, 0, 0, 0]).map_err(|e| e.to_string()),
            Err("java.time.DateTimeException: Invalid value for HourOfDay (valid values 0 - 23): 24".to_owned())
        );
        assert_eq!(timestamp(-1, 999_999_999), Ok(-1));
        assert_eq!(timestamp(253_402_300_800, 0).map_err(|e| e.class), Err("java.lang.IllegalArgumentException"));
        assert_eq!(timestamp(0, -1).map_err(|e| e.class), Err("java.lang.IllegalArgumentException"));
    }

    #[test]
    fn decimals_are_rounded_as_java_does_and_fit_or_not() {
        let two = Precision { precision: 5, scale: 2 };
        for (unscaled, digits, scale, expected) in [
            (&[0x04, 0xd2][..], 0, 2, Some(1234)),
            (&[0x04, 0xd2], 4, 2, Some(1234)),
            (&[0x04, 0xd2], 3, 2, Some(1230)),
            (&[0xfb, 0x2e], 0, 1, Some(-12340)),
            (&[0xfb, 0x2e], 0, 3, None),
            (&[0xfb, 0x2d], 3, 3, Some(-124)),
            (&[99], 1, 0, Some(10000)),
            (&[0], 0, i64::from(i32::MIN), None),
            (&[0; 20], 0, 2, Some(0)),
            (&[0x7f; 17], 0, 2, None),
        ] {
            assert_eq!(decimal(unscaled, digits, scale, two).ok(), expected, "{unscaled:?} {digits} {scale}");
        }
        assert_eq!(decimal(&[], 0, 0, two).map_err(|e| e.message), Err("Zero length BigInteger".to_owned()));
        assert_eq!(decimal(&[1], -1, 0, two).map_err(|e| e.message), Err("Digits < 0".to_owned()));
    }
}
