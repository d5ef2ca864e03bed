//! JSON byte for byte as Java's `JsonConverter` (Kafka 4.3.1) writes it without schemas.

use std::io;

use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// `value` as bytes. What has no JSON, of which there is nothing here, would give none.
pub(super) fn bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    // Writing to memory does not fail, and no key is anything but a string.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, Jackson));
    bytes
}

/// The first value in `bytes`, as Java reads it: what follows it is not looked at.
pub(super) fn parse(bytes: &[u8]) -> Option<Value> {
    Value::deserialize(&mut serde_json::Deserializer::from_slice(bytes)).ok()
}

/// What a value is, to be logged instead of it.
pub(super) const fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "missing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    }
}

/// As serde_json, but control characters have capital digits.
struct Jackson;

impl Formatter for Jackson {
    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04X}"),
            other => serde_json::ser::CompactFormatter.write_char_escape(writer, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_java_does() {
        let text = "a\"\\/\u{8}\t\n\u{c}\r\u{0}\u{1b}\u{7f}é😀";
        let java = "\"a\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001B\u{7f}é😀\"";
        assert_eq!(String::from_utf8(bytes(&text)).expect("text"), java);
    }

    #[test]
    fn what_follows_a_value_is_not_looked_at() {
        assert_eq!(parse(b"{\"a\":1} }"), Some(serde_json::json!({"a": 1})));
        for none in [&b""[..], b"{", b"\xff", b"nul"] {
            assert_eq!(parse(none), None);
        }
    }
}
