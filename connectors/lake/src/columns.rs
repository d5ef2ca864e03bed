//! The columns of a file, from the value column of a batch.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use landfall_api::{Column, RecordError};

/// The name of the one column of values that are not structs.
pub const VALUE: &str = "value";

/// The schema metadata that tells a plain value's column from a struct with one field.
const PLAIN: &str = "landfall.plain";

/// The schema metadata of a file whose values had no field with a value yet: its one column is there to count the rows.
const HOLLOW: &str = "landfall.hollow";

/// The schema of files with values of type `value`: a struct's fields, or one column [`VALUE`]. Connect's int8 and int16 become
/// INT32, as Avro has nothing smaller and Confluent's Parquet format goes through Avro (`AvroData`, schema-registry 8.0).
///
/// Schemaless values of which nothing is known yet (`{}`, or nothing but nulls) land as rows of a [`VALUE`] that is null.
///
/// # Errors
/// A struct without fields, at any depth, that a schema asks for: Parquet has no such thing.
pub fn file_schema(value: &FieldRef) -> Result<SchemaRef, RecordError> {
    let mut metadata = value.metadata().clone();
    let fields = match value.data_type() {
        DataType::Struct(fields) if fields.is_empty() && metadata.contains_key("connect.schemaless") => {
            metadata.insert(HOLLOW, "true");
            Fields::from(vec![Field::new(VALUE, DataType::Utf8, true)])
        }
        DataType::Struct(fields) => file_fields(value.name(), fields)?,
        _ => {
            metadata.insert(PLAIN, "true");
            Fields::from(vec![file_field(&Arc::new(value.as_ref().clone().with_name(VALUE)))?])
        }
    };
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// The value field that a file's schema was made from, for a converter to take up what was learned before. Types that
/// [`file_schema`] widened stay wide.
#[must_use]
pub fn value_field(schema: &Schema) -> FieldRef {
    let is = |what| schema.metadata().contains_key(what);
    let field = match schema.fields().as_ref() {
        [only] if is(PLAIN) => return only.clone(),
        [_] if is(HOLLOW) => Field::new(VALUE, DataType::Struct(Fields::empty()), true),
        _ => Field::new(VALUE, DataType::Struct(schema.fields().clone()), true),
    };
    Arc::new(field.with_metadata(schema.metadata().clone()))
}

/// The rows of a file with `schema`, from values that [`file_schema`] made it for; no value may be null.
///
/// # Errors
/// A value that the widened type cannot take; no type that a converter gives has one.
pub fn rows(value: &Column, schema: &SchemaRef) -> Result<RecordBatch, RecordError> {
    let arrays: Vec<ArrayRef> = match value.field.data_type() {
        DataType::Struct(fields) if fields.is_empty() => vec![new_null_array(&DataType::Utf8, value.array.len())],
        DataType::Struct(_) => value.array.as_struct().columns().to_vec(),
        _ => vec![value.array.clone()],
    };
    let fit = |(array, field): (ArrayRef, &FieldRef)| {
        if array.data_type() == field.data_type() { Ok(array) } else { cast(&array, field.data_type()) }
    };
    let columns = arrays.into_iter().zip(schema.fields()).map(fit).collect::<Result<Vec<_>, _>>();
    columns.and_then(|columns| RecordBatch::try_new(schema.clone(), columns)).map_err(|e| RecordError::data(e.to_string()))
}

/// The bytes that `rows` take, without what else their buffers hold: with many columns and few values in each, far more than the
/// records that they come from.
#[must_use]
pub fn bytes(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

fn file_field(field: &FieldRef) -> Result<FieldRef, RecordError> {
    let wide = match field.data_type() {
        DataType::Int8 | DataType::Int16 => DataType::Int32,
        DataType::Struct(fields) => DataType::Struct(file_fields(field.name(), fields)?),
        DataType::List(item) => DataType::List(file_field(item)?),
        DataType::Map(entries, sorted) => DataType::Map(file_field(entries)?, *sorted),
        _ => return Ok(field.clone()),
    };
    Ok(if &wide == field.data_type() { field.clone() } else { Arc::new(field.as_ref().clone().with_data_type(wide)) })
}

fn file_fields(name: &str, fields: &Fields) -> Result<Fields, RecordError> {
    if fields.is_empty() {
        return Err(RecordError::data(format!("{name} is a struct without fields, which Parquet cannot hold")));
    }
    fields.iter().map(file_field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use arrow_array::builder::{Int8Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
    use arrow_array::{Int8Array, Int32Array, StringArray, StructArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

    #[test]
    fn a_struct_gives_its_fields_and_small_integers_become_int32() {
        let fields = Fields::from(vec![Field::new("a", DataType::Int8, false), Field::new("b", DataType::Utf8, true)]);
        let array = StructArray::new(
            fields.clone(),
            vec![Arc::new(Int8Array::from(vec![1, -2])), Arc::new(StringArray::from(vec![Some("x"), None]))],
            None,
        );
        let field = Field::new("v", DataType::Struct(fields), false)
            .with_metadata(HashMap::from([("connect.name".to_owned(), "s".to_owned())]));
        let value = Column { field: Arc::new(field), array: Arc::new(array) };
        let schema = file_schema(&value.field).expect("schema");
        let rows = rows(&value, &schema).expect("rows");
        assert_eq!(rows.column(0).as_ref(), &Int32Array::from(vec![1, -2]));
        assert_eq!(value_field(&schema).metadata()["connect.name"], "s");
    }

    #[test]
    fn a_plain_value_is_one_column() {
        let value = Column {
            field: Arc::new(Field::new("", DataType::Utf8, true)),
            array: Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
        };
        let schema = file_schema(&value.field).expect("schema");
        assert_eq!(schema.field(0).name(), VALUE);
        assert_eq!(rows(&value, &schema).expect("rows").num_rows(), 1);
        assert_eq!(value_field(&schema).data_type(), &DataType::Utf8);
    }

    #[test]
    fn a_struct_without_fields_is_refused() {
        let empty = |name: &str| Field::new(name, DataType::Struct(Fields::empty()), true);
        let within =
            |data_type| Arc::new(Field::new("v", DataType::Struct(Fields::from(vec![Field::new("f", data_type, true)])), true));
        let list = DataType::List(Arc::new(empty("item")));
        for value in [Arc::new(empty("v")), within(empty("").data_type().clone()), within(list)] {
            let error = file_schema(&value).expect_err("refused").message;
            assert!(error.contains("a struct without fields, which Parquet cannot hold"), "{error}");
        }
    }

    #[test]
    fn schemaless_values_without_a_field_land_as_rows() {
        let metadata = HashMap::from([("connect.schemaless".to_owned(), "true".to_owned())]);
        let field = Arc::new(Field::new("v", DataType::Struct(Fields::empty()), true).with_metadata(metadata));
        let value = Column { field: field.clone(), array: Arc::new(StructArray::new_empty_fields(3, None)) };
        let schema = file_schema(&field).expect("schema");
        let rows = rows(&value, &schema).expect("rows");
        assert_eq!((rows.num_rows(), rows.column(0).null_count()), (3, 3));
        assert_eq!(value_field(&schema).data_type(), field.data_type());
    }

    #[test]
    fn absent_values_take_room_too() {
        let column = || Arc::new(Int32Array::from(vec![None; 1000])) as ArrayRef;
        let rows = RecordBatch::try_from_iter(["a", "b"].map(|name| (name, column()))).expect("columns");
        assert!((8000..9000).contains(&bytes(&rows)), "{}", bytes(&rows));
        assert!((80..90).contains(&bytes(&rows.slice(500, 10))), "{}", bytes(&rows.slice(500, 10)));
    }

    #[test]
    fn small_integers_are_widened_at_every_depth() {
        let small = |name: &str| Field::new(name, DataType::Int8, false);
        let mut list = ListBuilder::new(Int8Builder::new()).with_field(small("item"));
        list.append_value([Some(1), Some(-1)]);
        let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let mut map = MapBuilder::new(Some(names), StringBuilder::new(), Int8Builder::new());
        map.keys().append_value("k");
        map.values().append_value(7);
        map.append(true).expect("a map");
        let inner = StructArray::from(vec![(Arc::new(small("x")), Arc::new(Int8Array::from(vec![3])) as ArrayRef)]);
        let arrays: Vec<ArrayRef> = vec![Arc::new(list.finish()), Arc::new(map.finish()), Arc::new(inner)];
        let fields: Fields =
            arrays.iter().zip(["l", "m", "s"]).map(|(a, n)| Field::new(n, a.data_type().clone(), true)).collect();
        let array = StructArray::new(fields.clone(), arrays, None);
        let value = Column { field: Arc::new(Field::new("v", DataType::Struct(fields), true)), array: Arc::new(array) };
        let schema = file_schema(&value.field).expect("schema");
        assert!(!format!("{schema:?}").contains("Int8"), "{schema:?}");
        let rows = rows(&value, &schema).expect("rows");
        let codec = crate::encode::Codec::named("none").expect("a codec");
        let mut encoder = crate::encode::Encoder::new(schema, codec, "t", 0, 0);
        encoder.write(&rows, 1, 1).expect("parquet");
        let file: Vec<u8> = encoder.finish(0).expect("parquet").concat();
        let mut reader = ParquetRecordBatchReader::try_new(bytes::Bytes::from(file), 10).expect("a reader");
        assert_eq!(reader.next().expect("a batch").expect("rows"), rows);
    }
}
