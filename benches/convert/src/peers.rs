//! What others need for the same rows: arrow-avro, and sonic-rs into Arrow builders.

use arrow_array::builder::{BooleanBuilder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::{Array as _, BinaryArray};
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use serde::Deserialize;

/// arrow-avro's decoder of framed rows; a schema's id is its place, counted from 1.
pub(crate) fn arrow_avro(batch: usize, schemas: &[String]) -> Decoder {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    for (id, schema) in (1..).zip(schemas) {
        store.set(Fingerprint::Id(id), AvroSchema::new(schema.clone())).expect("a schema");
    }
    ReaderBuilder::new().with_batch_size(batch).with_writer_schema_store(store).build_decoder().expect("a decoder")
}

/// Decodes `rows` with arrow-avro, which ends a batch where the schema changes.
pub(crate) fn decode_avro(decoder: &mut Decoder, rows: &BinaryArray) {
    let flush = |decoder: &mut Decoder| decoder.flush().expect("columns").map_or(0, |batch| batch.num_rows());
    let mut decoded = 0;
    for row in rows.iter().flatten() {
        let mut at = 0;
        while at < row.len() {
            match decoder.decode(&row[at..]).expect("a row") {
                0 => decoded += flush(decoder),
                taken => at += taken,
            }
        }
    }
    assert_eq!(decoded + flush(decoder), rows.len());
}

/// A row as serde reads it, with its texts borrowed.
#[derive(Deserialize)]
struct Row<'a> {
    id: i64,
    customer_id: i32,
    #[serde(borrow)]
    order_no: &'a str,
    status: &'a str,
    amount: Option<&'a str>,
    currency: Option<&'a str>,
    qty: i32,
    email: Option<&'a str>,
    note: Option<&'a str>,
    created_at: Option<i64>,
    updated_at: Option<&'a str>,
    __op: Option<&'a str>,
    __deleted: Option<bool>,
    __source_ts_ms: Option<i64>,
}

/// The columns of the rows.
#[derive(Default)]
struct Columns {
    id: Int64Builder,
    customer_id: Int32Builder,
    order_no: StringBuilder,
    status: StringBuilder,
    amount: StringBuilder,
    currency: StringBuilder,
    qty: Int32Builder,
    email: StringBuilder,
    note: StringBuilder,
    created_at: Int64Builder,
    updated_at: StringBuilder,
    op: StringBuilder,
    deleted: BooleanBuilder,
    source_ts_ms: Int64Builder,
}

/// Reads `rows` of plain JSON with sonic-rs into builders.
pub(crate) fn sonic_builders(rows: &BinaryArray) {
    let mut columns = Columns::default();
    for row in rows.iter().flatten() {
        let row: Row<'_> = sonic_rs::from_slice(row).expect("a row");
        columns.id.append_value(row.id);
        columns.customer_id.append_value(row.customer_id);
        columns.order_no.append_value(row.order_no);
        columns.status.append_value(row.status);
        columns.amount.append_option(row.amount);
        columns.currency.append_option(row.currency);
        columns.qty.append_value(row.qty);
        columns.email.append_option(row.email);
        columns.note.append_option(row.note);
        columns.created_at.append_option(row.created_at);
        columns.updated_at.append_option(row.updated_at);
        columns.op.append_option(row.__op);
        columns.deleted.append_option(row.__deleted);
        columns.source_ts_ms.append_option(row.__source_ts_ms);
    }
    let Columns { mut id, mut note, .. } = columns;
    assert_eq!((id.finish().len(), note.finish().len()), (rows.len(), rows.len()));
}
