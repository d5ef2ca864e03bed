//! Rows as lines of fields: as Aiven's sinks write CSV (`PlainOutputWriter` of its commons 3.4), or as Lenses' do (`CsvFormatWriter` of
//! stream-reactor 11, by opencsv).
//!
//! Aiven's lines have the parts of an [`Envelope`](crate::envelope::Envelope): keys, headers and, if told so, values in base64, so
//! that nothing needs quotes. Lenses' have the fields of a struct, each in quotes, and nothing for a null.

use std::fmt::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ListArray, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use landfall_api::RecordError;
use landfall_api::schema::is_schemaless;

use super::compress::{Compression, Stream};
use super::{EncodeError, Encoder, Holds, connect_type};

/// How files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What a line is.
    pub lines: Lines,
    /// How files are compressed.
    pub compression: Compression,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Aiven's: the parts of a record, with a comma between them and a line end between records.
    Parts {
        /// Whether values are in base64 (`format.output.fields.value.encoding`). If not, they stand as they are, whatever is in them.
        base64: bool,
    },
    /// Lenses': the fields of a value, in quotes, each line with its end.
    Fields {
        /// Whether the first line has their names (`CSV_WITHHEADERS`).
        names: bool,
    },
}

impl Options {
    /// Whether a line has the fields of a value: they are the same in all of a file.
    pub(super) fn has_columns(self) -> bool {
        matches!(self.lines, Lines::Fields { .. })
    }

    /// The words are those of `AbstractValuePlainWriter` and `KeyPlainWriter`.
    pub(super) fn check(self, value: &Field, key: Option<&Field>) -> Result<(), RecordError> {
        match (self.lines, value.data_type()) {
            (_, DataType::Null) => {}
            (Lines::Fields { .. }, DataType::Struct(fields)) => {
                let nested =
                    |field: &&Field| matches!(field.data_type(), DataType::List(_) | DataType::Map(..) | DataType::Struct(_));
                if let Some(field) = fields.iter().map(AsRef::as_ref).find(nested) {
                    let (name, kind) = (field.name(), connect_type(field.data_type()));
                    return Err(RecordError::data(format!("{name} is of the type {kind}, which CSV cannot hold")));
                }
            }
            (Lines::Fields { .. }, other) => {
                let kind = connect_type(other);
                return Err(RecordError::data(format!("CSV has the fields of structs, and the value is of the type {kind}")));
            }
            (Lines::Parts { .. }, DataType::Binary) => {}
            (Lines::Parts { .. }, _) if is_schemaless(value) => return Err(RecordError::data("value schema cannot be null")),
            (Lines::Parts { .. }, other) => match connect_type(other) {
                "BYTES" => return Err(RecordError::data("Value is not a byte array")),
                kind => {
                    return Err(RecordError::data(format!("Record value schema type must be BYTES, {kind} given")));
                }
            },
        }
        match key {
            Some(key) if !self.has_columns() => match key.data_type() {
                DataType::Binary | DataType::Utf8 | DataType::Null => Ok(()),
                _ if is_schemaless(key) => Err(RecordError::data("key schema cannot be null")),
                other => match connect_type(other) {
                    "BYTES" => Err(RecordError::data("Key is not byte[] or String")),
                    kind => Err(RecordError::data(format!("Record key schema type must be BYTES or STRING, {kind} given"))),
                },
            },
            _ => Ok(()),
        }
    }
}

/// A file of lines being written.
#[derive(Debug)]
pub struct Csv {
    lines: Lines,
    stream: Stream,
    /// Whether a line stands before the next one.
    begun: bool,
}

impl Csv {
    /// A file of rows of `schema`.
    #[must_use]
    pub fn new(schema: &SchemaRef, options: Options) -> Self {
        let mut stream = Stream::new(options.compression);
        if options.lines == (Lines::Fields { names: true }) {
            for (at, field) in schema.fields().iter().enumerate() {
                separate(at, &mut stream.pending);
                quoted(field.name(), &mut stream.pending);
            }
            stream.pending.push(b'\n');
        }
        Self { lines: options.lines, stream, begun: false }
    }

    /// Adds the parts of a row.
    fn write_parts(&mut self, parts: &[Part<'_>], row: usize) {
        let out = &mut self.stream.pending;
        if self.begun {
            out.push(b'\n');
        }
        self.begun = true;
        for (at, part) in parts.iter().enumerate() {
            separate(at, out);
            part.write(row, out);
        }
    }
}

impl Encoder for Csv {
    fn write(&mut self, rows: &RecordBatch, _: usize, limit: usize) -> Result<(), EncodeError> {
        match self.lines {
            Lines::Parts { base64 } => {
                let fields = rows.schema_ref().fields();
                let parts: Vec<Part<'_>> =
                    rows.columns().iter().zip(fields).map(|(c, f)| Part::of(c, f, base64)).collect::<Result<_, _>>()?;
                for row in 0..rows.num_rows() {
                    self.write_parts(&parts, row);
                    self.stream.flush_much()?;
                }
            }
            Lines::Fields { .. } => {
                let options = FormatOptions::default().with_null("");
                let formatter = |column| ArrayFormatter::try_new(column, &options).map_err(|e| failed(e.to_string()));
                let columns: Vec<_> =
                    rows.columns().iter().map(|c| Ok((c, formatter(c.as_ref())?))).collect::<Result<_, EncodeError>>()?;
                let mut text = String::new();
                for row in 0..rows.num_rows() {
                    for (at, (column, formatter)) in columns.iter().enumerate() {
                        separate(at, &mut self.stream.pending);
                        if column.is_valid(row) && *column.data_type() != DataType::Null {
                            text.clear();
                            match column.as_binary_opt::<i32>() {
                                Some(bytes) => STANDARD.encode_string(bytes.value(row), &mut text),
                                None => write!(text, "{}", formatter.value(row)).map_err(|e| failed(e.to_string()))?,
                            }
                            quoted(&text, &mut self.stream.pending);
                        }
                    }
                    self.stream.pending.push(b'\n');
                    self.stream.flush_much()?;
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

    fn take(&mut self) -> Vec<Bytes> {
        self.stream.take()
    }

    fn holds(&self) -> Holds {
        self.stream.holds()
    }

    fn hand_over(&mut self) -> Result<(), EncodeError> {
        self.stream.hand_over()
    }

    fn finish(self: Box<Self>, _: i64) -> Result<Vec<Bytes>, EncodeError> {
        self.stream.finish()
    }
}

/// A column of Aiven's lines.
enum Part<'a> {
    Nothing,
    Bytes(&'a arrow_array::BinaryArray),
    Base64(&'a dyn Array, fn(&dyn Array, usize) -> &[u8]),
    Int(&'a arrow_array::Int32Array),
    Long(&'a arrow_array::Int64Array),
    Headers(&'a ListArray, Box<[Part<'a>; 2]>),
}

impl<'a> Part<'a> {
    fn of(column: &'a dyn Array, field: &Field, base64: bool) -> Result<Self, EncodeError> {
        let as_is = !base64 && field.name() == crate::columns::VALUE;
        Ok(match column.data_type() {
            DataType::Null => Self::Nothing,
            DataType::Binary if as_is => Self::Bytes(column.as_binary()),
            DataType::Binary => Self::Base64(column, |column, row| column.as_binary::<i32>().value(row)),
            DataType::Utf8 => Self::Base64(column, |column, row| column.as_string::<i32>().value(row).as_bytes()),
            DataType::Int32 => Self::Int(column.as_primitive::<Int32Type>()),
            DataType::Int64 => Self::Long(column.as_primitive::<Int64Type>()),
            DataType::List(item) => {
                let list = column.as_list::<i32>();
                let (DataType::Struct(fields), Some(entries)) = (item.data_type(), list.values().as_struct_opt()) else {
                    return Err(failed(format!("{} is a list", field.name())));
                };
                let part = |at: usize| Part::of(entries.column(at), &fields[at], true);
                Self::Headers(list, Box::new([part(0)?, part(1)?]))
            }
            other => return Err(failed(format!("{} is of the type {other}", field.name()))),
        })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => {}
            Self::Bytes(values) if values.is_valid(row) => out.extend_from_slice(values.value(row)),
            Self::Base64(values, value) if values.is_valid(row) => base64(value(*values, row), out),
            Self::Int(values) if values.is_valid(row) => {
                out.extend_from_slice(itoa::Buffer::new().format(values.value(row)).as_bytes());
            }
            Self::Long(values) if values.is_valid(row) => {
                out.extend_from_slice(itoa::Buffer::new().format(values.value(row)).as_bytes());
            }
            Self::Headers(list, entry) => {
                let offsets = list.value_offsets();
                for at in offsets[row] as usize..offsets[row + 1] as usize {
                    entry[0].write(at, out);
                    out.push(b':');
                    entry[1].write(at, out);
                    out.push(b';');
                }
            }
            _ => {}
        }
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[begin..]).unwrap_or_default();
    out.truncate(begin + written);
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

/// A text in quotes, in which a quote stands twice.
fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for part in text.split_inclusive('"') {
        out.extend_from_slice(part.as_bytes());
        if part.ends_with('"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

fn failed(why: impl Into<String>) -> EncodeError {
    EncodeError { format: "csv", why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, StringArray};

    fn file(lines: Lines, columns: &[(&str, ArrayRef)], times: usize) -> String {
        let rows = RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(n, c)| (*n, c.clone(), true))).expect("columns");
        let mut encoder = Box::new(Csv::new(rows.schema_ref(), Options { lines, compression: Compression::None }));
        (0..times).for_each(|_| encoder.write(&rows, 0, 1 << 20).expect("write"));
        String::from_utf8(encoder.finish(0).expect("finish").concat()).expect("UTF-8")
    }

    #[test]
    fn parts_stand_with_commas_between_them_and_line_ends_between_records() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("key", Arc::new(StringArray::from(vec![Some("k"), None]))),
            ("value", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a,\"b\""), None]))),
            ("offset", Arc::new(Int64Array::from(vec![7, 8]))),
            ("timestamp", Arc::new(Int64Array::from(vec![Some(-1), None]))),
        ];
        assert_eq!(file(Lines::Parts { base64: true }, &columns, 1), "aw==,YSwiYiI=,7,-1\n,,8,");
        assert_eq!(file(Lines::Parts { base64: false }, &columns, 2), "aw==,a,\"b\",7,-1\n,,8,\naw==,a,\"b\",7,-1\n,,8,");
    }

    #[test]
    fn fields_stand_in_quotes_and_nulls_are_nothing() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a", Arc::new(StringArray::from(vec![Some("x \"y\", z\n"), None, Some("")]))),
            ("b\"", Arc::new(Float64Array::from(vec![Some(1.5), Some(-2.0), None]))),
            ("c", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"k"), None, None]))),
        ];
        let lines = "\"x \"\"y\"\", z\n\",\"1.5\",\"aw==\"\n,\"-2.0\",\n\"\",,\n";
        assert_eq!(file(Lines::Fields { names: false }, &columns, 1), lines);
        assert_eq!(file(Lines::Fields { names: true }, &columns, 2), format!("\"a\",\"b\"\"\",\"c\"\n{lines}{lines}"));
    }

    #[test]
    fn what_a_line_cannot_hold_is_refused() {
        let parts = Options { lines: Lines::Parts { base64: true }, compression: Compression::None };
        let fields = Options { lines: Lines::Fields { names: false }, ..parts };
        let field = |data_type: DataType| Field::new("f", data_type, true);
        let of = |data_type| field(DataType::Struct(vec![field(data_type)].into()));
        let check = |options: Options, value: &Field, key: &Field| {
            options.check(value, Some(key)).map_err(|error| error.message).err().unwrap_or_default()
        };
        let (bytes, text) = (field(DataType::Binary), field(DataType::Utf8));
        assert_eq!(check(parts, &bytes, &text), "");
        assert_eq!(check(parts, &text, &text), "Record value schema type must be BYTES, STRING given");
        let long = field(DataType::Int64);
        assert_eq!(check(parts, &bytes, &long), "Record key schema type must be BYTES or STRING, INT64 given");
        assert_eq!(check(fields, &of(DataType::Int64), &long), "");
        let list = DataType::List(Arc::new(field(DataType::Int64)));
        assert_eq!(check(fields, &of(list), &long), "f is of the type ARRAY, which CSV cannot hold");
        assert_eq!(check(fields, &text, &long), "CSV has the fields of structs, and the value is of the type STRING");
    }
}
