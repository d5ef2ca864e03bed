//! Values of known shape to columns, with no more work than that takes: the fields are expected by name, in order, without a blank.
//!
//! This is no JSON parser: anything else than the generator of these records writes is a panic.

use std::mem;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use memchr::{memchr, memmem};

use crate::shape::{self, Kind, Shape};

/// Rows of one batch at most.
const ROWS: usize = 8192;
/// Bytes of one batch's records, roughly.
const BYTES: usize = 8 << 20;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wire {
    Json,
    /// JSON with Connect's schema around it.
    Envelope,
    /// Confluent's wire format.
    Avro,
}

#[derive(Debug)]
enum Column {
    Long(Int64Builder),
    Int(Int32Builder),
    Boolean(BooleanBuilder),
    Text(StringBuilder),
}

impl Column {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Long => Self::Long(Int64Builder::with_capacity(ROWS)),
            Kind::Int => Self::Int(Int32Builder::with_capacity(ROWS)),
            Kind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(ROWS)),
            Kind::Text => Self::Text(StringBuilder::with_capacity(ROWS, ROWS * 24)),
        }
    }

    fn null(&mut self) {
        match self {
            Self::Long(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::Boolean(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
        }
    }

    /// Takes the JSON value at the beginning of `rest` and gives what comes after it.
    #[inline]
    fn json<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(rest) = rest.strip_prefix("null") {
            self.null();
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

    /// Takes the Avro value at the beginning of `rest` and gives what comes after it.
    #[inline]
    fn avro<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Long(column) => {
                let (number, rest) = variable(rest);
                column.append_value(number);
                rest
            }
            Self::Int(column) => {
                let (number, rest) = variable(rest);
                column.append_value(i32::try_from(number).expect("an int32"));
                rest
            }
            Self::Boolean(column) => {
                column.append_value(rest[0] != 0);
                &rest[1..]
            }
            Self::Text(column) => {
                let (length, rest) = variable(rest);
                let (text, rest) = rest.split_at(length as usize);
                column.append_value(simdutf8::basic::from_utf8(text).expect("UTF-8"));
                rest
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

/// A number of Avro: zigzag, seven bits a byte.
#[inline]
fn variable(bytes: &[u8]) -> (i64, &[u8]) {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return ((number >> 1) as i64 ^ -((number & 1) as i64), &bytes[at + 1..]);
        }
    }
    panic!("the end of a record inside a number");
}

/// Collects records until they make a batch.
#[derive(Debug)]
pub(crate) struct Decoder {
    wire: Wire,
    schema: SchemaRef,
    /// What stands before each value in JSON.
    keys: Vec<String>,
    optional: Vec<bool>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    /// What stands before each record's payload, learned from the first one.
    envelope: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new(shape: Shape, wire: Wire) -> Self {
        let fields = shape.fields();
        let data_type = |kind| match kind {
            Kind::Long => DataType::Int64,
            Kind::Int => DataType::Int32,
            Kind::Boolean => DataType::Boolean,
            Kind::Text => DataType::Utf8,
        };
        let keys = fields.iter().enumerate().map(|(n, field)| format!("{}\"{}\":", if n == 0 { '{' } else { ',' }, field.name));
        Self {
            wire,
            keys: keys.collect(),
            optional: fields.iter().map(|field| field.optional).collect(),
            columns: fields.iter().map(|field| Column::new(field.kind)).collect(),
            rows: 0,
            bytes: 0,
            envelope: Vec::new(),
            schema: Arc::new(Schema::new(
                fields.into_iter().map(|field| Field::new(field.name, data_type(field.kind), field.optional)).collect::<Vec<_>>(),
            )),
        }
    }

    /// The columns of the records, as a program that knows them would declare them.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Takes one record; a batch when that completes one.
    #[inline]
    pub(crate) fn push(&mut self, record: &[u8]) -> Option<RecordBatch> {
        match self.wire {
            Wire::Json => self.json(record),
            Wire::Envelope => {
                if self.envelope.is_empty() {
                    let payload = memmem::find(record, b"\"payload\":").expect("a payload") + b"\"payload\":".len();
                    self.envelope.extend_from_slice(&record[..payload]);
                }
                let payload = record.strip_prefix(self.envelope.as_slice()).expect("the same envelope in each record");
                self.json(payload.strip_suffix(b"}").expect("the end of an envelope"));
            }
            Wire::Avro => self.avro(record.strip_prefix(&[0, 0, 0, 0, shape::avro::ID]).expect("the one schema")),
        }
        self.rows += 1;
        self.bytes += record.len();
        (self.rows == ROWS || self.bytes >= BYTES).then(|| self.flush().expect("rows"))
    }

    #[inline]
    fn json(&mut self, record: &[u8]) {
        let mut rest = simdutf8::basic::from_utf8(record).expect("UTF-8");
        for ((column, key), optional) in self.columns.iter_mut().zip(&self.keys).zip(&self.optional) {
            match rest.strip_prefix(key.as_str()) {
                Some(value) => rest = column.json(value),
                None if *optional => column.null(),
                None => panic!("{key} is missing"),
            }
        }
        assert_eq!(rest, "}", "the end of a record");
    }

    #[inline]
    fn avro(&mut self, mut rest: &[u8]) {
        for (column, optional) in self.columns.iter_mut().zip(&self.optional) {
            if *optional {
                let is_null = rest[0] == 0;
                rest = &rest[1..];
                if is_null {
                    column.null();
                    continue;
                }
            }
            rest = column.avro(rest);
        }
        assert!(rest.is_empty(), "the end of a record");
    }

    /// The rows that do not make a whole batch.
    pub(crate) fn flush(&mut self) -> Option<RecordBatch> {
        self.bytes = 0;
        if mem::take(&mut self.rows) == 0 {
            return None;
        }
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        Some(RecordBatch::try_new(self.schema.clone(), columns).expect("columns of the schema"))
    }
}
