//! The values themselves, one behind the other: as Confluent's `ByteArrayFormat` writes them (`ByteArrayRecordWriterProvider` of
//! kafka-connect-storage-cloud 12.1), and as the TEXT and BYTES of Lenses' sinks do (stream-reactor 11).

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field};
use bytes::Bytes as Block;
use landfall_api::RecordError;
use landfall_api::schema::is_schemaless;

use super::compress::{Compression, Stream};
use super::{EncodeError, Encoder, Holds, connect_type};

/// How files are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How names end before the compression (`format.bytearray.extension`).
    pub extension: String,
    /// What stands behind each value (`format.bytearray.separator`).
    pub separator: Vec<u8>,
    /// How files are compressed.
    pub compression: Compression,
    /// Whether values are any scalars, written as text, and not bytes: Lenses' TEXT.
    pub text: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { extension: ".bin".into(), separator: b"\n".to_vec(), compression: Compression::None, text: false }
    }
}

impl Options {
    /// The words are those of `ByteArrayConverter` (4.3.1).
    pub(super) fn check(&self, value: &Field) -> Result<(), RecordError> {
        let data_type = value.data_type();
        match data_type {
            DataType::Null => Ok(()),
            DataType::Binary if !self.text => Ok(()),
            DataType::List(_) | DataType::Map(..) | DataType::Struct(_) if self.text => Err(RecordError::data(
                "Unable to retrieve text field value.  Text format is only for output of kafka string values.",
            )),
            _ if self.text => Ok(()),
            _ => match connect_type(data_type) {
                "BYTES" => {
                    Err(RecordError::data("ByteArrayConverter is not compatible with objects of type class java.math.BigDecimal"))
                }
                _ if is_schemaless(value) => {
                    let class = java_class(data_type);
                    Err(RecordError::data(format!("ByteArrayConverter is not compatible with objects of type class {class}")))
                }
                name => Err(RecordError::data(format!("Invalid schema type for ByteArrayConverter: {name}"))),
            },
        }
    }
}

/// The class of a schemaless value.
fn java_class(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "java.lang.Boolean",
        DataType::Float32 | DataType::Float64 => "java.lang.Double",
        DataType::List(_) => "java.util.ArrayList",
        DataType::Map(..) | DataType::Struct(_) => "java.util.HashMap",
        DataType::Utf8 => "java.lang.String",
        _ => "java.lang.Long",
    }
}

/// A file of values being written.
#[derive(Debug)]
pub struct Bytes {
    separator: Vec<u8>,
    stream: Stream,
}

impl Bytes {
    /// A file of any values.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self { separator: options.separator.clone(), stream: Stream::new(options.compression) }
    }

    fn add(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        self.stream.pending.extend_from_slice(value);
        self.stream.pending.extend_from_slice(&self.separator);
        self.stream.flush_much()
    }
}

impl Encoder for Bytes {
    fn write(&mut self, rows: &RecordBatch, _: usize, limit: usize) -> Result<(), EncodeError> {
        let [column] = rows.columns() else { return Err(failed("there is another column than the value")) };
        let valid = (0..rows.num_rows()).filter(|row| column.is_valid(*row));
        match column.data_type() {
            DataType::Null => {}
            DataType::Binary => {
                let values = column.as_binary::<i32>();
                valid.map(|row| values.value(row)).try_for_each(|value| self.add(value))?;
            }
            DataType::Utf8 => {
                let values = column.as_string::<i32>();
                valid.map(|row| values.value(row).as_bytes()).try_for_each(|value| self.add(value))?;
            }
            _ => {
                let options = FormatOptions::default();
                let values = ArrayFormatter::try_new(column, &options).map_err(|e| failed(e.to_string()))?;
                for row in valid {
                    self.add(values.value(row).to_string().as_bytes())?;
                }
            }
        }
        self.stream.cut(limit);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.stream.size()
    }

    fn has_block(&self) -> bool {
        self.stream.has_block()
    }

    fn take(&mut self) -> Vec<Block> {
        self.stream.take()
    }

    fn holds(&self) -> Holds {
        self.stream.holds()
    }

    fn hand_over(&mut self) -> Result<(), EncodeError> {
        self.stream.hand_over()
    }

    fn finish(self: Box<Self>, _: i64) -> Result<Vec<Block>, EncodeError> {
        self.stream.finish()
    }
}

fn failed(why: impl Into<String>) -> EncodeError {
    EncodeError { format: "bytes", why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, Int64Array, StringArray};

    fn file(options: &Options, column: ArrayRef) -> Vec<u8> {
        let mut encoder = Box::new(Bytes::new(options));
        let rows = RecordBatch::try_from_iter_with_nullable([("value", column, true)]).expect("a column");
        encoder.write(&rows, 0, 1 << 20).expect("write");
        encoder.finish(0).expect("finish").concat()
    }

    fn values() -> ArrayRef {
        Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a\x00"), None, Some(b""), Some(b"\xff")]))
    }

    #[test]
    fn values_stand_as_they_are_with_a_separator_behind_each() {
        assert_eq!(file(&Options::default(), values()), b"a\x00\n\n\xff\n");
        let none = Options { separator: Vec::new(), ..Options::default() };
        assert_eq!(file(&none, values()), b"a\x00\xff");
        let gzip = Options { compression: Compression::Gzip, separator: b"--".to_vec(), ..Options::default() };
        let mut found = Vec::new();
        flate2::read::GzDecoder::new(&file(&gzip, values())[..]).read_to_end(&mut found).expect("gzip");
        assert_eq!(found, b"a\x00----\xff--");
    }

    #[test]
    fn scalars_are_text_where_text_is_asked_for() {
        let text = Options { text: true, ..Options::default() };
        assert_eq!(file(&text, Arc::new(StringArray::from(vec!["x", "y z"]))), b"x\ny z\n");
        assert_eq!(file(&text, Arc::new(Int64Array::from(vec![1, -2]))), b"1\n-2\n");
    }

    #[test]
    fn what_is_no_bytes_is_refused_in_javas_words() {
        let check = |options: &Options, data_type: DataType| {
            options.check(&Field::new("value", data_type, true)).map_err(|error| error.message)
        };
        let (bytes, text) = (Options::default(), Options { text: true, ..Options::default() });
        assert_eq!(check(&bytes, DataType::Binary), Ok(()));
        assert_eq!(check(&bytes, DataType::Utf8), Err("Invalid schema type for ByteArrayConverter: STRING".into()));
        assert_eq!(check(&text, DataType::Utf8), Ok(()));
        let structs = DataType::Struct(arrow_schema::Fields::empty());
        assert_eq!(check(&bytes, structs.clone()), Err("Invalid schema type for ByteArrayConverter: STRUCT".into()));
        assert!(check(&text, structs).expect_err("refused").starts_with("Unable to retrieve text field value."));
        let free = Field::new("value", DataType::Int64, true)
            .with_metadata(std::collections::HashMap::from([("connect.schemaless".to_owned(), "true".to_owned())]));
        let why = "ByteArrayConverter is not compatible with objects of type class java.lang.Long";
        assert_eq!(bytes.check(&free).expect_err("refused").message, why);
    }
}
