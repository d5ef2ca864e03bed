//! Converts a fetch: key, value and headers of each record in Connect's order, cut where a schema changes.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, BinaryArray, ListArray, NullArray};
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat;
use landfall_api::{Batch, Column, Converter, RawBatch, RecordError, Records, Refused, Run, Stage, Unavailable};

use crate::transform::{header_values, with_values};

/// The header converters whose values stay the bytes that they were, as far as that goes what `SimpleHeaderConverter` would write for
/// them: see [`super::simple_header`] for what it changes.
const KEEP_BYTES: [&str; 3] = [
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "org.apache.kafka.connect.storage.StringConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
];

/// Stretches of fewer rows than this are copied into one where nothing but refused records is between them: a batch costs its sink
/// more than that.
const SHORT: usize = 256;

/// The converter of one role.
#[derive(Debug)]
pub struct Configured {
    /// The Java name of its class.
    pub class: &'static str,
    /// The instance.
    pub converter: Box<dyn Converter>,
}

/// The converters of a task.
#[derive(Debug)]
pub struct Converters {
    /// `key.converter`.
    pub key: Configured,
    /// `value.converter`.
    pub value: Configured,
    /// `header.converter`.
    pub header: Configured,
}

/// What a fetch became.
#[derive(Debug)]
pub struct Converted {
    /// The records that were not refused, in offset order: one batch for each stretch with one key schema and one value schema, or
    /// several. Together they cover the offsets asked for: if every record was refused, by a batch without a row. None if there is no record.
    pub batches: Vec<Batch>,
    /// The others, in offset order.
    pub refused: Vec<Refused>,
}

impl Converters {
    /// Converts the records of `raw`, a fetch that answers for the offsets `covers`.
    ///
    /// # Errors
    /// What one of the converters needs does not answer now.
    pub fn convert(&mut self, raw: &Arc<RawBatch>, covers: Range<i64>) -> Result<Converted, Unavailable> {
        let topic = &*raw.origin.topic;
        let of = |bytes| Records { topic, bytes, headers: raw.headers.as_ref() };
        let keys = self.key.converter.convert(&of(&raw.key))?;
        let values = self.value.converter.convert(&of(&raw.value))?;
        let (headers, refused_headers) = match &raw.headers {
            Some(headers) => {
                let keep = KEEP_BYTES.contains(&self.header.class);
                let (converted, refused) = converted_headers(headers, topic, &mut *self.header.converter, keep)?;
                (Some(converted), refused)
            }
            None => (None, Vec::new()),
        };

        // Of several with one row, the first counts: what comes first fails first.
        let stages = [
            (Stage::KeyConverter, &self.key, errors(&keys)),
            (Stage::ValueConverter, &self.value, errors(&values)),
            (Stage::HeaderConverter, &self.header, refused_headers),
        ];
        let stages =
            stages.into_iter().flat_map(|(stage, of, errors)| errors.into_iter().map(move |(row, e)| (row, stage, of.class, e)));
        let mut refused: Vec<_> = stages.collect();
        refused.sort_by_key(|(row, ..)| *row);
        refused.dedup_by_key(|(row, ..)| *row);

        let cuts = stretches(&keys, &values, raw.len(), refused.iter().map(|(row, ..)| *row));
        let starts: Vec<_> = cuts.iter().skip(1).map(|(rows, ..)| raw.offset.value(rows.start)).collect();
        let ends = starts.iter().copied().chain([covers.end]);
        let starts = [covers.start].into_iter().chain(starts.iter().copied());
        let batch = |((rows, key, value), covers): ((Range<usize>, Column, Column), Range<i64>)| Batch {
            origin: raw.origin.clone(),
            topic: raw.origin.topic.clone(),
            key,
            value,
            offset: raw.offset.slice(rows.start, rows.len()),
            timestamp: raw.timestamp.slice(rows.start, rows.len()),
            headers: headers.as_ref().map(|h| h.slice(rows.start, rows.len())),
            raw: raw.clone(),
            covers,
        };
        let batches: Vec<_> = cuts.into_iter().zip(starts.zip(ends).map(|(start, end)| start..end)).map(batch).collect();
        let batches = if refused.is_empty() { batches } else { joined(&batches) };
        let refused = refused.into_iter().map(|(row, stage, class, error)| Refused {
            offset: raw.offset.value(row),
            stage,
            class: class.to_owned(),
            error,
        });
        Ok(Converted { batches, refused: refused.collect() })
    }
}

/// The batches, with those that are short and alike as one.
fn joined(batches: &[Batch]) -> Vec<Batch> {
    let is_short = |batch: &Batch| (1..SHORT).contains(&batch.len());
    let alike = |one: &Column, other: &Column| Arc::ptr_eq(&one.field, &other.field) || one.field == other.field;
    let joins = |one: &Batch, other: &Batch| {
        is_short(one) && is_short(other) && alike(&one.key, &other.key) && alike(&one.value, &other.value)
    };
    let mut all = Vec::new();
    for chunk in batches.chunk_by(joins) {
        match chunk {
            [_, _, ..] if let Ok(one) = Batch::joined(chunk) => all.push(one),
            _ => all.extend_from_slice(chunk),
        }
    }
    all
}

fn errors(runs: &[Run]) -> Vec<(usize, RecordError)> {
    runs.iter().filter_map(|run| Some((run.rows.start, run.column.as_ref().err()?.clone()))).collect()
}

/// All rows but the refused, cut where the run of the keys or of the values changes; if all were refused, one stretch without a row.
fn stretches(
    keys: &[Run],
    values: &[Run],
    rows: usize,
    refused: impl Iterator<Item = usize>,
) -> Vec<(Range<usize>, Column, Column)> {
    let mut cuts = Vec::new();
    let (mut keys, mut values) = (keys.iter().peekable(), values.iter().peekable());
    let mut refused = refused.peekable();
    let mut at = 0;
    while at < rows {
        let (Some(key), Some(value)) = (keys.peek(), values.peek()) else { break };
        let end = key.rows.end.min(value.rows.end);
        // A header may be refused in the middle of a run.
        let bad = refused.next_if(|row| *row < end);
        let good = at..bad.unwrap_or(end);
        let part =
            |run: &Run| run.column.as_ref().ok().map(|c| c.slice(&(good.start - run.rows.start..good.end - run.rows.start)));
        if !good.is_empty()
            && let (Some(key), Some(value)) = (part(key), part(value))
        {
            cuts.push((good, key, value));
        }
        at = bad.map_or(end, |row| row + 1);
        keys.next_if(|run| run.rows.end <= at);
        values.next_if(|run| run.rows.end <= at);
    }
    if cuts.is_empty() && rows > 0 {
        let nothing =
            |name| Column { field: Arc::new(Field::new(name, DataType::Null, true)), array: Arc::new(NullArray::new(0)) };
        cuts.push((0..0, nothing("key"), nothing("value")));
    }
    cuts
}

/// The headers with the text of what the converter makes of their values, or as they are if it is to `keep` them; and the rows with a
/// header that is refused, each once.
fn converted_headers(
    headers: &ListArray,
    topic: &str,
    converter: &mut dyn Converter,
    keep: bool,
) -> Result<(ListArray, Vec<(usize, RecordError)>), Unavailable> {
    let offsets = headers.value_offsets();
    let (begin, end) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let entries = headers.values().as_struct().slice(begin, end - begin);
    let runs = converter.convert(&Records { topic, bytes: entries.column(1).as_binary(), headers: None })?;
    let row_of = |entry: usize| offsets.partition_point(|&o| o as usize - begin <= entry) - 1;
    let mut errors: Vec<_> = errors(&runs).into_iter().map(|(entry, error)| (row_of(entry), error)).collect();
    errors.dedup_by_key(|(row, _)| *row);
    if keep || runs.is_empty() {
        return Ok((headers.clone(), errors));
    }
    let text = |run: &Run| run.column.as_ref().map_or_else(|_| BinaryArray::new_null(run.rows.len()), header_values);
    let texts: Vec<_> = runs.iter().map(text).collect();
    // Fails only for more bytes than a column can have.
    let joined = concat(&texts.iter().map(|text| text as &dyn Array).collect::<Vec<_>>());
    Ok((joined.map_or_else(|_| headers.clone(), |texts| with_values(headers, texts.as_binary().clone())), errors))
}

#[cfg(test)]
mod tests;
