//! Values of known shape to columns, with no more work than that takes: the fields are expected by name, in order, without a blank.
//!
//! This is no JSON parser: anything else than the generator of these records writes is a panic.

use std::mem;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use memchr::{memchr, memmem};

use crate::support::records::FIELDS;

/// Rows of one batch.
const ROWS: usize = 8192;

/// The columns of the records, as a program that knows them would declare them.
pub(crate) fn schema() -> SchemaRef {
    let data_type = |kind| match kind {
        "int64" => DataType::Int64,
        "int32" => DataType::Int32,
        "boolean" => DataType::Boolean,
        _ => DataType::Utf8,
    };
    let fields = FIELDS.map(|(name, kind, _, optional)| Field::new(name, data_type(kind), optional));
    Arc::new(Schema::new(fields.to_vec()))
}

#[derive(Debug)]
enum Column {
    Long(Int64Builder),
    Int(Int32Builder),
    Boolean(BooleanBuilder),
    Text(StringBuilder),
}

impl Column {
    fn new(kind: &str) -> Self {
        match kind {
            "int64" => Self::Long(Int64Builder::with_capacity(ROWS)),
            "int32" => Self::Int(Int32Builder::with_capacity(ROWS)),
            "boolean" => Self::Boolean(BooleanBuilder::with_capacity(ROWS)),
            _ => Self::Text(StringBuilder::with_capacity(ROWS, ROWS * 24)),
        }
    }

    /// Takes the value at the beginning of `rest` and gives what comes after it.
    #[inline]
    fn take<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(rest) = rest.strip_prefix("null") {
            match self {
                Self::Long(column) => column.append_null(),
                Self::Int(column) => column.append_null(),
                Self::Boolean(column) => column.append_null(),
                Self::Text(column) => column.append_null(),
            }
            return rest;
        }
        match self {
            Self::Long(column) => {
                let (number, rest) = digits(rest);
                column.append_value(number);
                rest
            }
            Self::Int(column) => {
                let (number, rest) = digits(rest);
                column.append_value(i32::try_from(number).expect("an int32"));
                rest
            }
            Self::Boolean(column) => {
                let yes = rest.strip_prefix("true");
                column.append_value(yes.is_some());
                yes.or_else(|| rest.strip_prefix("false")).expect("a boolean")
            }
            Self::Text(column) => {
                let text = rest.strip_prefix('"').expect("a text");
                let end = memchr(b'"', text.as_bytes()).expect("the end of a text");
                assert!(memchr(b'\\', &text.as_bytes()[..end]).is_none(), "an escape");
                column.append_value(&text[..end]);
                &text[end + 1..]
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Long(column) => Arc::new(column.finish()),
            Self::Int(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
        }
    }
}

#[inline]
fn digits(text: &str) -> (i64, &str) {
    let mut number = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            assert!(at > 0, "a number");
            return (number, &text[at..]);
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    panic!("the end of a record inside a number");
}

/// Collects records until they make a batch.
#[derive(Debug)]
pub(crate) struct Decoder {
    schema: SchemaRef,
    keys: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
    /// What stands before each record's payload, learned from the first one; nothing when there is no envelope.
    envelope: Option<Vec<u8>>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        let keys = FIELDS.iter().enumerate().map(|(n, field)| format!("{}\"{}\":", if n == 0 { '{' } else { ',' }, field.0));
        let columns = FIELDS.iter().map(|field| Column::new(field.1));
        Self { schema: schema(), keys: keys.collect(), columns: columns.collect(), rows: 0, envelope: None }
    }

    /// Takes one record; a batch when that completes one.
    #[inline]
    pub(crate) fn push(&mut self, record: &[u8]) -> Option<RecordBatch> {
        let envelope = self.envelope.get_or_insert_with(|| {
            let payload = memmem::find(record, b"\"payload\":").map_or(0, |at| at + b"\"payload\":".len());
            record[..payload].to_vec()
        });
        let mut payload = record.strip_prefix(envelope.as_slice()).expect("the same envelope in each record");
        if !envelope.is_empty() {
            payload = payload.strip_suffix(b"}").expect("the end of an envelope");
        }
        let mut rest = simdutf8::basic::from_utf8(payload).expect("UTF-8");
        for (column, key) in self.columns.iter_mut().zip(&self.keys) {
            rest = column.take(rest.strip_prefix(key.as_str()).expect("the fields in their order"));
        }
        assert_eq!(rest, "}", "the end of a record");
        self.rows += 1;
        (self.rows == ROWS).then(|| self.flush().expect("rows"))
    }

    /// The rows that do not make a whole batch.
    pub(crate) fn flush(&mut self) -> Option<RecordBatch> {
        if mem::take(&mut self.rows) == 0 {
            return None;
        }
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        Some(RecordBatch::try_new(self.schema.clone(), columns).expect("columns of the schema"))
    }
}
