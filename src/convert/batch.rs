//! Converts a fetch: key, value and headers of each record in Connect's order, cut where a schema changes.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, ListArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use landfall_api::{Batch, Column, Converter, RawBatch, RecordError, Records, Run, Stage, TaskError};

/// What a fetch became.
#[derive(Debug)]
pub struct Converted {
    /// The records before the first that was refused, in offset order: one batch for each stretch with one key schema and one value
    /// schema. Together they cover the offsets asked for, or those before the refused record. None if there is no record.
    pub batches: Vec<Batch>,
    /// The first record that was refused, if one was.
    pub refused: Option<TaskError>,
}

/// Converts the records of `raw`, a fetch that answers for the offsets `covers`.
#[must_use]
pub fn convert_batch(
    raw: &Arc<RawBatch>,
    covers: Range<i64>,
    key: &mut dyn Converter,
    value: &mut dyn Converter,
    header: &mut dyn Converter,
) -> Converted {
    let topic = &*raw.origin.topic;
    let list: Option<ArrayRef> = raw.headers.as_ref().map(|h| Arc::new(h.clone()) as ArrayRef);
    let of = |bytes| Records { topic, bytes, headers: list.as_ref() };
    let keys = key.convert(&of(&raw.key));
    let values = value.convert(&of(&raw.value));
    let headers = raw.headers.as_ref().map(|headers| convert_headers(headers, topic, header));

    let key_error = first_error(&keys).map(|(row, error)| (row, Stage::KeyConverter, error));
    let value_error = first_error(&values).map(|(row, error)| (row, Stage::ValueConverter, error));
    let header_error = headers.as_ref().and_then(|h| h.error.as_ref()).map(|(row, error)| (*row, Stage::HeaderConverter, error));
    // Of several with one row, the first counts: what comes first fails first.
    let refused = [key_error, value_error, header_error].into_iter().flatten().min_by_key(|(row, ..)| *row);

    let rows = refused.map_or(raw.len(), |(row, ..)| row);
    let end = refused.map_or(covers.end, |(row, ..)| raw.offset.value(row));
    let headers = headers.as_ref().map(|h| &h.column);
    let cuts = stretches(&keys, &values, rows);
    let batches = cuts.iter().enumerate().map(|(n, (rows, key, value))| Batch {
        origin: raw.origin.clone(),
        topic: raw.origin.topic.clone(),
        key: key.clone(),
        value: value.clone(),
        offset: raw.offset.slice(rows.start, rows.len()),
        timestamp: raw.timestamp.slice(rows.start, rows.len()),
        headers: headers.as_ref().map(|h| h.slice(rows.start, rows.len())),
        raw: raw.clone(),
        covers: if n == 0 { covers.start } else { raw.offset.value(rows.start) }
            ..cuts.get(n + 1).map_or(end, |next| raw.offset.value(next.0.start)),
    });
    let batches = batches.collect();
    let refused = refused.map(|(row, stage, error)| TaskError::Record {
        origin: raw.origin.clone(),
        offset: raw.offset.value(row),
        stage,
        error: error.clone(),
    });
    Converted { batches, refused }
}

fn first_error(runs: &[Run]) -> Option<(usize, &RecordError)> {
    runs.iter().find_map(|run| Some((run.rows.start, run.column.as_ref().err()?)))
}

/// The first `rows` rows, cut where the run of the keys or of the values changes.
fn stretches(keys: &[Run], values: &[Run], rows: usize) -> Vec<(Range<usize>, Column, Column)> {
    let mut cuts = Vec::new();
    let (mut keys, mut values) = (keys.iter().peekable(), values.iter().peekable());
    let mut at = 0;
    while at < rows {
        let (Some(key), Some(value)) = (keys.peek(), values.peek()) else { break };
        let end = key.rows.end.min(value.rows.end).min(rows);
        let part = |run: &Run| run.column.as_ref().ok().map(|c| c.slice(&(at - run.rows.start..end - run.rows.start)));
        if let (Some(key), Some(value)) = (part(key), part(value)) {
            cuts.push((at..end, key, value));
        }
        at = end;
        keys.next_if(|run| run.rows.end == end);
        values.next_if(|run| run.rows.end == end);
    }
    cuts
}

/// The headers of all rows.
struct Headers {
    /// `list<struct<key, value>>`. If the values do not have one schema, they stay binary.
    column: ArrayRef,
    /// The first row that has a header that was refused.
    error: Option<(usize, RecordError)>,
}

fn convert_headers(headers: &ListArray, topic: &str, converter: &mut dyn Converter) -> Headers {
    let offsets = headers.value_offsets();
    let (begin, end) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let entries = headers.values().as_struct().slice(begin, end - begin);
    let runs = converter.convert(&Records { topic, bytes: entries.column(1).as_binary(), headers: None });

    let row_of = |entry: usize| offsets.partition_point(|&o| o as usize - begin <= entry) - 1;
    let error = first_error(&runs).map(|(entry, error)| (row_of(entry), error.clone()));
    // The headers of rows that go on have to be of one schema.
    let needed = error.as_ref().map_or(entries.len(), |(row, _)| offsets[*row] as usize - begin);
    let column = match runs.first() {
        Some(Run { rows, column: Ok(column) }) if rows.end >= needed => rebuilt(headers, &entries, column),
        _ => Arc::new(headers.clone()),
    };
    Headers { column, error }
}

/// `headers` with `column` for the values. What the column lacks at the end belongs to rows that do not go on: they get no headers.
fn rebuilt(headers: &ListArray, entries: &StructArray, column: &Column) -> ArrayRef {
    let begin = headers.value_offsets()[0];
    let len = column.array.len();
    let offsets: Vec<i32> = headers.value_offsets().iter().map(|o| (o - begin).min(len as i32)).collect();
    let key = entries.fields()[0].clone();
    let value = Field::new("value", column.field.data_type().clone(), true).with_metadata(column.field.metadata().clone());
    let columns = vec![entries.column(0).slice(0, len), column.array.clone()];
    let structs = StructArray::new([key, Arc::new(value)].into_iter().collect(), columns, None);
    let item = match headers.data_type() {
        DataType::List(item) => Field::new(item.name(), structs.data_type().clone(), item.is_nullable()),
        _ => Field::new("item", structs.data_type().clone(), true),
    };
    Arc::new(ListArray::new(Arc::new(item), OffsetBuffer::new(offsets.into()), Arc::new(structs), headers.nulls().cloned()))
}

#[cfg(test)]
mod tests;
