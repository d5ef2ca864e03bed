//! The columns of a file that say where a row comes from (`landfall.columns`).

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, Int32Array, ListArray, StringArray, StructArray, new_empty_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use landfall_api::Batch;

/// The field metadata that tells a system column from one of the value's.
const MARK: &str = "landfall.system";

/// A column that is not the value's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemColumn {
    /// The topic that the record was read from, also where a transform has sent it elsewhere: `utf8`.
    Topic,
    /// The partition that it was read from: `int32`.
    Partition,
    /// Its offset there: `int64`.
    Offset,
    /// Its timestamp: `timestamp(ms, UTC)`, null where Kafka has none.
    Timestamp,
    /// Its key as the key converter made it, null where it has none.
    Key,
    /// Its headers as transforms have left them: `list<struct<key: utf8, value: binary>>`, empty where it has none.
    Headers,
}

impl SystemColumn {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Topic, Self::Partition, Self::Offset, Self::Timestamp, Self::Key, Self::Headers];

    /// Its name, in `landfall.columns` and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Topic => "__topic",
            Self::Partition => "__partition",
            Self::Offset => "__offset",
            Self::Timestamp => "__timestamp",
            Self::Key => "__key",
            Self::Headers => "__headers",
        }
    }

    /// The columns that a list of names means.
    ///
    /// # Errors
    /// A name that is none, or is there twice.
    pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, String> {
        let mut columns = Vec::new();
        for name in names {
            let Some(column) = Self::ALL.into_iter().find(|column| column.name() == name) else {
                return Err(format!("{name:?} is none of {}", Self::ALL.map(Self::name).join(", ")));
            };
            if columns.contains(&column) {
                return Err(format!("{name} is there twice"));
            }
            columns.push(column);
        }
        Ok(columns)
    }

    /// Whether a file's column is one of these.
    #[must_use]
    pub fn is(field: &Field) -> bool {
        field.metadata().contains_key(MARK)
    }

    /// Its field, where keys have the field `key`.
    pub(crate) fn field(self, key: Option<&FieldRef>) -> Field {
        let field = |data_type, nullable| Field::new(self.name(), data_type, nullable);
        let field = match (self, key) {
            (Self::Topic, _) => field(DataType::Utf8, false),
            (Self::Partition, _) => field(DataType::Int32, false),
            (Self::Offset, _) => field(DataType::Int64, false),
            (Self::Timestamp, _) => field(DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
            (Self::Key, Some(key)) => key.as_ref().clone().with_name(self.name()).with_nullable(true),
            (Self::Key, None) => field(DataType::Null, true),
            (Self::Headers, _) => field(DataType::List(HEADER.clone()), false),
        };
        let mut metadata = field.metadata().clone();
        metadata.insert(MARK.to_owned(), "true".to_owned());
        field.with_metadata(metadata)
    }

    /// Its values for the rows of `batch`.
    pub(crate) fn array(self, batch: &Batch) -> ArrayRef {
        let rows = batch.len();
        match self {
            Self::Topic => Arc::new(StringArray::new_repeated(&*batch.origin.topic, rows)),
            Self::Partition => Arc::new(Int32Array::from_value(batch.origin.partition, rows)),
            Self::Offset => Arc::new(batch.offset.clone()),
            Self::Timestamp => Arc::new(batch.timestamp.clone().with_timezone("UTC")),
            Self::Key => batch.key.array.clone(),
            Self::Headers => Arc::new(headers(batch)),
        }
    }
}

static HEADER: LazyLock<FieldRef> = LazyLock::new(|| {
    let fields = [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)];
    Arc::new(Field::new("item", DataType::Struct(Fields::from_iter(fields)), false))
});

/// The headers of the batch's rows, under the field that files have.
fn headers(batch: &Batch) -> ListArray {
    let Some(headers) = &batch.headers else {
        let offsets = OffsetBuffer::new_zeroed(batch.len());
        return ListArray::new(HEADER.clone(), offsets, new_empty_array(HEADER.data_type()), None);
    };
    let (_, offsets, entries, _) = headers.clone().into_parts();
    let entries: ArrayRef = match (HEADER.data_type(), entries.as_struct().clone().into_parts()) {
        (DataType::Struct(fields), (_, columns, _)) => Arc::new(StructArray::new(fields.clone(), columns, None)),
        _ => entries,
    };
    ListArray::new(HEADER.clone(), offsets, entries, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
    use arrow_array::{Array as _, BinaryArray, Int64Array, TimestampMillisecondArray, UInt32Array};
    use arrow_select::take::take;
    use landfall_api::{Column, RawBatch, TopicPartition};

    #[test]
    fn names_are_found_in_the_order_given() {
        assert_eq!(SystemColumn::list(["__key", "__topic"]), Ok(vec![SystemColumn::Key, SystemColumn::Topic]));
        let all = "__topic, __partition, __offset, __timestamp, __key, __headers";
        assert_eq!(SystemColumn::list(["__Key"]), Err(format!("\"__Key\" is none of {all}")));
        assert_eq!(SystemColumn::list(["__key", "__topic", "__key"]), Err("__key is there twice".into()));
    }

    /// A batch of the rows of a fetch that have these offsets; each record has as many headers as its offset says.
    fn batch(offsets: &[i64], headers: bool) -> Batch {
        let builders: Vec<Box<dyn arrow_array::builder::ArrayBuilder>> =
            vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())];
        let DataType::Struct(fields) = HEADER.data_type() else { panic!("headers are structs") };
        let mut lists = ListBuilder::new(StructBuilder::new(fields.clone(), builders)).with_field(HEADER.clone());
        for offset in 0..5_u8 {
            for _ in 0..offset {
                let entry = lists.values();
                entry.field_builder::<StringBuilder>(0).expect("keys").append_value(format!("h{offset}"));
                entry.field_builder::<BinaryBuilder>(1).expect("values").append_option((offset != 2).then_some([offset]));
                entry.append(true);
            }
            lists.append(true);
        }
        let bytes = BinaryArray::from_iter_values((0..5_u8).map(|n| [n]));
        let origin = TopicPartition::new("t", 0);
        let headers = headers.then(|| lists.finish());
        let rows = UInt32Array::from_iter_values(offsets.iter().map(|&offset| offset as u32));
        let raw = RawBatch {
            origin: origin.clone(),
            key: bytes.clone(),
            value: bytes.clone(),
            offset: Int64Array::from_iter_values(0..5),
            timestamp: TimestampMillisecondArray::from_iter_values(0..5),
            headers: None,
        };
        let column =
            Column { field: Arc::new(Field::new("", DataType::Binary, true)), array: Arc::new(bytes.slice(0, offsets.len())) };
        Batch {
            origin,
            topic: "t".into(),
            key: column.clone(),
            value: column,
            offset: Int64Array::from(offsets.to_vec()),
            timestamp: TimestampMillisecondArray::from(offsets.to_vec()),
            headers: headers.map(|lists| take(&lists, &rows, None).expect("rows").as_list().clone()),
            raw: Arc::new(raw),
            covers: 0..5,
        }
    }

    #[test]
    fn headers_are_those_of_the_batch() {
        for offsets in [&[0, 1, 2, 3, 4][..], &[2, 3], &[1, 4], &[0, 2, 3], &[4], &[]] {
            let batch = batch(offsets, true);
            assert_headers(&headers(&batch), offsets);
            let later = offsets.len().min(1)..offsets.len();
            assert_headers(&headers(&batch.slice(&later)), &offsets[later]);
        }
        let none = headers(&batch(&[1, 2], false));
        assert_eq!((none.len(), none.values().len()), (2, 0));
    }

    fn assert_headers(found: &ListArray, offsets: &[i64]) {
        assert_eq!(found.data_type(), SystemColumn::Headers.field(None).data_type());
        let lengths: Vec<i64> = (0..found.len()).map(|row| found.value_length(row).into()).collect();
        assert_eq!(lengths, offsets);
        for (row, offset) in offsets.iter().enumerate().filter(|(_, offset)| **offset > 0) {
            let entries = found.value(row);
            let entries = entries.as_struct();
            assert_eq!(entries.column(0).as_string::<i32>().value(0), format!("h{offset}"));
            let value = entries.column(1).as_binary::<i32>().iter().next().flatten();
            assert_eq!(value.map(<[u8]>::to_vec), (*offset != 2).then(|| vec![*offset as u8]), "as it came");
        }
    }
}
