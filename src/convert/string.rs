//! `org.apache.kafka.connect.storage.StringConverter` (4.3.1): bytes as text.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BinaryArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::{DataType, Field};
use landfall_api::{Column, Converter, ConverterClass, Faults, Key, Properties, Records, Role, Run, Unavailable, config};

config! {
    /// What `StringConverterConfig` declares.
    pub struct StringConverterConfig {
        /// The character set of the bytes: UTF-8, US-ASCII or ISO-8859-1, by any of Java's names for them. What it has no character for
        /// becomes U+FFFD.
        encoding: String = "converter.encoding" { default: Some("UTF-8"), importance: High, display: "Encoding", valid: By(|name| {
            Encoding::named(name).map(drop).ok_or_else(|| "Encoding must be one of: UTF-8, US-ASCII, ISO-8859-1".to_owned())
        }) };
    }
}

/// A character set that the converter knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

impl Encoding {
    /// The set that Java knows by `name`, in any case.
    fn named(name: &str) -> Option<Self> {
        Some(match &*name.trim().to_ascii_uppercase() {
            "UTF-8" | "UTF8" => Self::Utf8,
            "US-ASCII" | "ASCII" => Self::Ascii,
            "ISO-8859-1" | "ISO8859_1" | "LATIN1" => Self::Latin1,
            _ => return None,
        })
    }

    fn append(self, bytes: &[u8], text: &mut String) {
        match self {
            Self::Utf8 => append_utf8(bytes, text),
            Self::Ascii => {
                text.extend(bytes.iter().map(|&b| if b.is_ascii() { char::from(b) } else { char::REPLACEMENT_CHARACTER }));
            }
            Self::Latin1 => text.extend(bytes.iter().map(|&b| char::from(b))),
        }
    }
}

/// Appends UTF-8 with U+FFFD for each part that is none. Parts are as in Java, which takes the bytes of half a surrogate pair for one.
pub(super) fn append_utf8(bytes: &[u8], text: &mut String) {
    // How many bytes of such a half were seen.
    let mut half = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        half = match (chunk.valid(), chunk.invalid(), half) {
            ("", [0xa0..=0xbf], 1) => 2,
            ("", [0x80..=0xbf], 2) => 3,
            (_, [0xed], _) => 1,
            _ => 0,
        };
        if half < 2 && !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct StringConverterClass;

impl ConverterClass for StringConverterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.storage.StringConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value, Role::Header]
    }

    fn keys(&self) -> &'static [Key] {
        StringConverterConfig::KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let config = StringConverterConfig::parse(properties, &mut faults);
        let encoding = config.and_then(|config| Encoding::named(&config.encoding));
        faults.or(encoding).map(|encoding| Box::new(StringConverter { role, encoding }) as Box<dyn Converter>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct StringConverter {
    role: Role,
    encoding: Encoding,
}

impl Converter for StringConverter {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        let array: ArrayRef = match self.encoding {
            Encoding::Utf8 => Arc::new(utf8(records.bytes)),
            encoding => Arc::new(decoded(records.bytes, encoding)),
        };
        let field = Arc::new(Field::new(super::column_name(self.role), DataType::Utf8, true));
        Ok(super::one_run(Column { field, array }))
    }
}

/// The bytes as text, without a copy if they are UTF-8; what is not becomes U+FFFD as in Java.
pub(super) fn utf8(bytes: &BinaryArray) -> StringArray {
    StringArray::try_from_binary(bytes.clone()).unwrap_or_else(|_| decoded(bytes, Encoding::Utf8))
}

fn decoded(bytes: &BinaryArray, encoding: Encoding) -> StringArray {
    let mut text = String::with_capacity(bytes.value_data().len());
    let mut ends = vec![0];
    for value in bytes {
        encoding.append(value.unwrap_or_default(), &mut text);
        ends.push(text.len());
    }
    let offsets = OffsetBuffer::from_lengths(ends.windows(2).map(|pair| pair[1] - pair[0]));
    StringArray::new(offsets, Buffer::from_vec(text.into_bytes()), bytes.nulls().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray as _;

    fn convert(encoding: Option<&str>, values: Vec<Option<&[u8]>>) -> Vec<Option<String>> {
        let properties = encoding.map(|e| ("converter.encoding".to_owned(), e.to_owned())).into_iter().collect();
        let mut converter = StringConverterClass.build(&properties, Role::Value).expect("valid");
        let bytes = BinaryArray::from(values);
        let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available");
        assert_eq!(runs.len(), 1);
        let column = runs[0].column.as_ref().expect("converted");
        column.array.as_string::<i32>().iter().map(|s| s.map(str::to_owned)).collect()
    }

    #[test]
    fn malformed_input_is_replaced() {
        let values = || vec![Some(&b"a"[..]), None, Some(b"s\xc3\xa3o"), Some(b"\xff"), Some(b"")];
        let expected = |list: [Option<&str>; 5]| list.map(|s| s.map(str::to_owned)).to_vec();
        assert_eq!(convert(None, values()), expected([Some("a"), None, Some("são"), Some("\u{fffd}"), Some("")]));
        assert_eq!(
            convert(Some("us-ascii"), values()),
            expected([Some("a"), None, Some("s\u{fffd}\u{fffd}o"), Some("\u{fffd}"), Some("")])
        );
        assert_eq!(convert(Some("ISO-8859-1"), values()), expected([Some("a"), None, Some("sÃ£o"), Some("ÿ"), Some("")]));
    }

    #[test]
    fn an_unknown_encoding_is_refused_by_key() {
        let properties = Properties::from([("converter.encoding".into(), "UTF-16".into())]);
        let faults = StringConverterClass.build(&properties, Role::Key).expect_err("refused");
        assert_eq!(faults.0[0].key, "converter.encoding");
        assert!(faults.to_string().starts_with("Invalid value UTF-16 for configuration converter.encoding"), "{faults}");
    }
}
