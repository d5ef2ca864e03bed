//! Header values as the text that Java's `SimpleHeaderConverter` (4.3.1) writes, and headers joined to records.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BinaryArray, ListArray, StringArray, StructArray, UInt32Array, new_empty_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use arrow_select::concat::concat;
use arrow_select::take::take;
use landfall_api::{Batch, Column, schema};
use landfall_file::java_text::Printer;

use super::default::filled;

/// The field of one header: `struct<key: utf8, value: binary>`.
static HEADER: LazyLock<FieldRef> = LazyLock::new(|| {
    let fields = [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)];
    Arc::new(Field::new("item", DataType::Struct(Fields::from_iter(fields)), false))
});

/// The values as headers hold them (`Values.convertToString`): text as it is, bytes in Base64, dates and times in UTC, the JSON of
/// lists, maps and structs. Nulls stay; so they do, all, of an Arrow type that no Connect value has.
pub(crate) fn header_values(column: &Column) -> BinaryArray {
    if let (DataType::Utf8, false) = (column.field.data_type(), schema::is_json(&column.field)) {
        let (offsets, bytes, nulls) = column.array.as_string::<i32>().clone().into_parts();
        return BinaryArray::new(offsets, bytes, nulls);
    }
    // Java reads a struct's fields with their defaults. The value itself it takes as it is.
    let column = Column { field: column.field.clone(), array: filled(&column.field, &column.array) };
    let rows = column.array.len();
    let Ok(printer) = Printer::of_headers(&column) else { return BinaryArray::new_null(rows) };
    let (mut values, mut text) = (BinaryBuilder::with_capacity(rows, 16 * rows), Vec::new());
    for row in 0..rows {
        if printer.is_null(row) {
            values.append_null();
        } else {
            text.clear();
            printer.print(row, &mut text);
            values.append_value(&text);
        }
    }
    values.finish()
}

/// `batch` with one more header at the end of each row: its name, and its values by row.
pub(crate) fn with_header(batch: Batch, name: &str, values: BinaryArray) -> Batch {
    with_headers(batch, &[(name, values)])
}

/// `batch` with more headers at the end of each row, in this order.
pub(crate) fn with_headers(mut batch: Batch, more: &[(&str, BinaryArray)]) -> Batch {
    // Fails only for more headers than a column can have.
    if let Ok(headers) = joined(batch.headers.as_ref(), batch.len(), more) {
        batch.headers = Some(headers);
    }
    batch
}

fn joined(headers: Option<&ListArray>, rows: usize, more: &[(&str, BinaryArray)]) -> Result<ListArray, ArrowError> {
    let (offsets, begun): (Vec<usize>, ArrayRef) = match headers {
        Some(headers) => {
            let offsets: Vec<_> = headers.value_offsets().iter().map(|&offset| offset as usize).collect();
            let (begin, end) = (offsets[0], offsets[rows]);
            (offsets.iter().map(|offset| offset - begin).collect(), headers.values().slice(begin, end - begin))
        }
        None => (vec![0; rows + 1], new_empty_array(HEADER.data_type())),
    };
    let begun = begun.as_struct();
    // All entries of all rows, column by column, and then in the order of rows.
    let before = begun.len() as u32;
    let names: Vec<ArrayRef> = more.iter().map(|(name, _)| Arc::new(StringArray::new_repeated(name, rows)) as ArrayRef).collect();
    let names: Vec<_> = [begun.column(0).as_ref()].into_iter().chain(names.iter().map(|names| &**names)).collect();
    let values: Vec<&dyn arrow_array::Array> =
        [begun.column(1).as_ref()].into_iter().chain(more.iter().map(|(_, values)| values as _)).collect();
    let order = offsets.windows(2).enumerate().flat_map(|(row, of_row)| {
        let added = (0..more.len()).map(move |n| before + (n * rows + row) as u32);
        (of_row[0] as u32..of_row[1] as u32).chain(added)
    });
    let order = UInt32Array::from_iter_values(order);
    let columns = vec![take(&concat(&names)?, &order, None)?, take(&concat(&values)?, &order, None)?];
    let lengths = OffsetBuffer::from_lengths(offsets.windows(2).map(|of_row| of_row[1] - of_row[0] + more.len()));
    let DataType::Struct(fields) = HEADER.data_type() else { return Err(ArrowError::SchemaError("headers are structs".into())) };
    ListArray::try_new(HEADER.clone(), lengths, Arc::new(StructArray::try_new(fields.clone(), columns, None)?), None)
}

/// `headers` with other values, one for each of the entries that its rows have.
pub(crate) fn with_values(headers: &ListArray, values: BinaryArray) -> ListArray {
    let offsets = headers.value_offsets();
    let (begin, end) = (offsets[0] as usize, offsets[headers.len()] as usize);
    let keys = headers.values().as_struct().column(0).slice(begin, end - begin);
    let DataType::Struct(fields) = HEADER.data_type() else { return headers.clone() };
    let lengths = OffsetBuffer::from_lengths(offsets.windows(2).map(|row| (row[1] - row[0]) as usize));
    match StructArray::try_new(fields.clone(), vec![keys, Arc::new(values)], None) {
        Ok(entries) => ListArray::new(HEADER.clone(), lengths, Arc::new(entries), headers.nulls().cloned()),
        Err(_) => headers.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{headers_of, records, schemaless, with_headers as fixture};

    #[test]
    fn a_header_is_added_at_the_end_of_each_row() {
        let batch = fixture(&[&[("a", "1"), ("b", "2")], &[], &[("c", "3")]]);
        let values = BinaryArray::from(vec![&b"x"[..], b"y", b"z"]);
        for begin in 0..3 {
            let more = with_header(batch.slice(&(begin..3)), "n", values.slice(begin, 3 - begin));
            let all = [vec![("a", "1"), ("b", "2"), ("n", "x")], vec![("n", "y")], vec![("c", "3"), ("n", "z")]];
            assert_eq!(headers_of(&more), all[begin..]);
        }
        let none = schemaless(&[Some("1"), None]);
        let two = with_headers(none, &[("p", values.slice(0, 2)), ("q", values.slice(1, 2))]);
        assert_eq!(headers_of(&two), [[("p", "x"), ("q", "y")], [("p", "y"), ("q", "z")]]);
    }

    #[test]
    fn values_are_javas_text_and_nulls_stay() {
        let text = |batch: &Batch| -> Vec<Option<String>> {
            let values = header_values(&batch.value);
            values.iter().map(|value| value.map(|v| String::from_utf8_lossy(v).into_owned())).collect()
        };
        assert_eq!(text(&schemaless(&[Some("\"x\""), None])), [Some("x".to_owned()), None]);
        assert_eq!(text(&schemaless(&[Some(r#"{"b":[1,null],"a":"x"}"#)])), [Some(r#"{"a":"x","b":[1,null]}"#.to_owned())]);
        assert_eq!(
            text(&schemaless(&[Some("1"), Some("\"x\""), Some("[true]")])),
            ["1", "x", "[true]"].map(|v| Some(v.to_owned()))
        );
        let schema = r#"{"type":"struct","fields":[{"field":"n","type":"int32","optional":true,"default":7},{"field":"s","type":"string","optional":true}]}"#;
        let record = format!(r#"{{"schema":{schema},"payload":{{"n":null}}}}"#);
        assert_eq!(text(&records(&[(None, Some(&record))], true)[0]), [Some(r#"{"n":7,"s":null}"#.to_owned())]);
    }
}
