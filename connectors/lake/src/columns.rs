//! The columns of a file: those of the value, and those that say where a row comes from.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_select::nullif::nullif;
use landfall_api::schema::is_schemaless;
use landfall_api::{Batch, RecordError};

use crate::encode::Format;
use crate::envelope::{self, Envelope, Part};
use crate::evolve::Rule;
use crate::system::SystemColumn;
use crate::types::cast::{Unfit, cast};
use crate::types::{Types, names};

/// The name of the one column of values that are not structs.
pub const VALUE: &str = "value";

/// The schema metadata that tells a plain value's column from a struct with a field of that name.
const PLAIN: &str = "landfall.plain";

/// The schema metadata of a file whose values had no field with a value yet, `struct`, or no value, `null`: its one column is there to
/// count the rows.
const HOLLOW: &str = "landfall.hollow";

/// What the columns of files are made of.
#[derive(Clone, Debug)]
pub struct Columns {
    /// What holds them.
    pub format: Format,
    /// What a row is made of, if not of the value's own fields.
    pub envelope: Option<Envelope>,
    /// What stands behind the columns of the value, in this order (`landfall.columns`).
    pub system: Vec<SystemColumn>,
    /// How types become those of columns, where files have one schema.
    pub types: Types,
}

/// Rows that a file cannot take, ascending, each with its reason. The others fit.
pub type Refusals = Vec<(usize, RecordError)>;

/// The schemas that a file's columns come from: what decides on whether rows go on in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    value: FieldRef,
    /// Only where keys have a column.
    key: Option<FieldRef>,
}

impl Shape {
    /// The values' schema.
    pub(crate) fn value(&self) -> &FieldRef {
        &self.value
    }
}

impl Columns {
    /// The shape of the rows of `batch`.
    #[must_use]
    pub fn shape(&self, batch: &Batch) -> Shape {
        let enveloped = self.envelope.as_ref().is_some_and(|envelope| envelope.parts.contains(&Part::Key));
        let key = (enveloped || self.system.contains(&SystemColumn::Key)).then(|| batch.key.field.clone());
        Shape { value: batch.value.field.clone(), key }
    }

    /// Whether values of `field` go to any file as they are: files do not have one schema, and the values have none or may have any.
    #[must_use]
    pub fn is_free(&self, field: &FieldRef, rule: Rule) -> bool {
        !self.format.has_schema() && (rule == Rule::Widen || is_schemaless(field))
    }

    /// Whether keys of the shape `next` go on in a file whose last rows have the shape `open`. Where files do not have one schema, keys
    /// without one do, whatever their fields.
    #[must_use]
    pub fn takes_key(&self, open: &Shape, next: &Shape) -> bool {
        let free = |a: &FieldRef| !self.format.has_schema() && is_schemaless(a);
        match (&open.key, &next.key) {
            (Some(a), Some(b)) => a == b || free(a) && free(b),
            (a, b) => a == b,
        }
    }

    /// The schema of files of `shape`: the fields of a struct, or one column [`VALUE`], or the parts of an [`Envelope`], and the
    /// system columns. In Parquet, [`Types`] say what becomes of each, and schemaless values of which nothing is known yet (`{}`,
    /// `[]`, or nothing but nulls) land as rows of a [`VALUE`] that is null.
    ///
    /// # Errors
    /// A field that has the name of a system column, or a value that the format does not hold. In Parquet, a struct without fields, at
    /// any depth, that a schema asks for: Parquet has no such thing; or what else [`Types`] do not take.
    pub fn schema(&self, shape: &Shape) -> Result<SchemaRef, RecordError> {
        self.format.check(&shape.value, shape.key.as_deref())?;
        let parquet = self.format.has_types();
        let value = &shape.value;
        let mut metadata = value.metadata().clone();
        let envelope = self.envelope.as_ref().and_then(|envelope| Some((envelope, envelope.parts(&self.format, shape)?)));
        let mut fields: Vec<FieldRef> = match value.data_type() {
            data_type if let Some((envelope, parts)) = &envelope => {
                metadata.insert(PLAIN, "true");
                metadata.extend(envelope.metadata(&self.format));
                let known = !(is_hollow(data_type) || is_empty(data_type) && is_schemaless(value));
                if !known && parquet {
                    metadata.insert(HOLLOW, if is_empty(data_type) { "struct" } else { "null" });
                }
                let column = |part: &Part| match part {
                    Part::Value if parquet && !known => Ok(Arc::new(Field::new(VALUE, DataType::Utf8, true))),
                    Part::Value => {
                        let value = Arc::new(value.as_ref().clone().with_name(VALUE));
                        if parquet { self.types.field(&value) } else { Ok(value) }
                    }
                    part => {
                        let field = Arc::new(envelope.field(*part, &self.format, shape.key.as_ref()));
                        if parquet { self.key_field(&field) } else { Ok(field) }
                    }
                };
                parts.iter().map(column).collect::<Result<_, _>>()?
            }
            DataType::Struct(fields) if fields.is_empty() && parquet && is_schemaless(value) => {
                metadata.insert(HOLLOW, "struct");
                vec![Arc::new(Field::new(VALUE, DataType::Utf8, true))]
            }
            data_type if parquet && is_hollow(data_type) => {
                metadata.insert(HOLLOW, "null");
                vec![Arc::new(Field::new(VALUE, DataType::Utf8, true))]
            }
            DataType::Struct(fields) if parquet => self.types.fields(value.name(), fields)?.to_vec(),
            DataType::Struct(fields) => fields.to_vec(),
            _ => {
                metadata.insert(PLAIN, "true");
                let plain = Arc::new(value.as_ref().clone().with_name(VALUE));
                vec![if parquet { self.types.field(&plain)? } else { plain }]
            }
        };
        for column in &self.system {
            if fields.iter().any(|field| field.name() == column.name()) {
                let name = column.name();
                return Err(RecordError::data(format!(
                    "the value has a field {name}, and landfall.columns asks for a column {name}"
                )));
            }
            let field = Arc::new(column.field(shape.key.as_ref()));
            fields.push(if parquet { self.key_field(&field)? } else { field });
        }
        Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
    }

    /// The rows of a file with `schema`, from a batch of the shape that [`schema`](Self::schema) made it for. Where the value is null,
    /// the columns of its fields are.
    ///
    /// # Errors
    /// The rows with a value that its column cannot hold, or with none in a column that may not be null.
    pub fn rows(&self, batch: &Batch, schema: &SchemaRef) -> Result<RecordBatch, Refusals> {
        let all = |error: &ArrowError| -> Refusals {
            (0..batch.len()).map(|row| (row, RecordError::data(error.to_string()))).collect()
        };
        let value = &batch.value;
        let envelope = self.envelope.as_ref().filter(|_| envelope::is_envelope(schema));
        let (mut arrays, mut paths): (Vec<ArrayRef>, Vec<&str>) = match value.field.data_type() {
            _ if let Some(envelope) = envelope => {
                let parts = envelope.parts(&self.format, &self.shape(batch)).unwrap_or_default();
                let array = |(part, field): (&Part, &FieldRef)| envelope.array(*part, field, batch);
                let arrays = parts.iter().zip(schema.fields()).map(array).collect::<Result<_, _>>();
                (arrays.map_err(|error| all(&error))?, parts.iter().map(|part| part.name()).collect())
            }
            DataType::Struct(fields) if !schema.metadata().contains_key(HOLLOW) => {
                let members = members(value.array.as_struct()).map_err(|error| all(&error))?;
                (members, fields.iter().map(|field| field.name().as_str()).collect())
            }
            _ => (vec![value.array.clone()], vec![VALUE]),
        };
        for column in &self.system {
            arrays.push(column.array(batch));
            paths.push(column.name());
        }
        let mut unfit = Vec::new();
        let mut columns = Vec::with_capacity(arrays.len());
        for ((array, field), path) in arrays.iter().zip(schema.fields()).zip(paths) {
            let begin = unfit.len();
            let column = cast(array, field, &mut unfit).map_err(|error| all(&error))?;
            if let Some(nulls) = column.nulls().filter(|nulls| !field.is_nullable() && nulls.null_count() > 0) {
                let null = (0..nulls.len()).filter(|row| nulls.is_null(*row));
                unfit.extend(null.map(|row| Unfit::new(row, "it is null, and its schema requires a value")));
            }
            unfit[begin..].iter_mut().for_each(|unfit| unfit.is_below(path));
            columns.push(column);
        }
        if !unfit.is_empty() {
            unfit.sort_by_key(|unfit| unfit.row);
            unfit.dedup_by_key(|unfit| unfit.row);
            return Err(unfit.into_iter().map(Unfit::refusal).collect());
        }
        // A struct may have no field at all.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(|error| all(&error))
    }

    /// The file's field of keys: one without any value has no type of its own.
    fn key_field(&self, key: &FieldRef) -> Result<FieldRef, RecordError> {
        match key.data_type() {
            hollow if is_hollow(hollow) => Ok(Arc::new(key.as_ref().clone().with_data_type(DataType::Utf8))),
            DataType::Struct(fields) if fields.is_empty() && is_schemaless(key) => {
                Ok(Arc::new(key.as_ref().clone().with_data_type(DataType::Utf8)))
            }
            _ => self.types.field(key),
        }
    }
}

/// The value field that a file's schema was made from, for a converter to take up what was learned before. Fields have their own
/// names again; types that [`Columns::schema`] changed stay so.
#[must_use]
pub fn value_field(schema: &Schema) -> FieldRef {
    let fields: Vec<FieldRef> = schema.fields().iter().filter(|field| !SystemColumn::is(field)).map(names::original).collect();
    let data_type = match schema.metadata().get(HOLLOW).map(String::as_str) {
        Some("null") => DataType::Null,
        Some(_) => DataType::Struct(Fields::empty()),
        None => match &fields[..] {
            [only] if is_plain(schema) => return only.clone(),
            _ => DataType::Struct(fields.into()),
        },
    };
    Arc::new(Field::new(VALUE, data_type, true).with_metadata(schema.metadata().clone()))
}

/// Whether a file of `schema` holds values that are not structs.
pub(crate) fn is_plain(schema: &Schema) -> bool {
    schema.metadata().contains_key(PLAIN)
}

/// Whether it is the type of structs without fields.
fn is_empty(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(fields) if fields.is_empty())
}

/// Whether it is the type of values of which nothing is known: nulls, or lists without an item.
fn is_hollow(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => true,
        DataType::List(item) => *item.data_type() == DataType::Null,
        _ => false,
    }
}

/// The columns of the fields, null where the struct is.
fn members(value: &StructArray) -> Result<Vec<ArrayRef>, ArrowError> {
    let Some(nulls) = value.nulls().filter(|nulls| nulls.null_count() > 0) else { return Ok(value.columns().to_vec()) };
    let absent = BooleanArray::new(!nulls.inner(), None);
    value.columns().iter().map(|column| nullif(column, &absent)).collect()
}

/// The bytes that `rows` take, without what else their buffers hold: with many columns and few values in each, far more than the
/// records that they come from.
#[must_use]
pub fn bytes(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(|column| bytes_of(column)).sum()
}

/// The same of one column. Arrow itself counts for a part of lists the values of all of them.
pub(crate) fn bytes_of(array: &dyn Array) -> usize {
    let nulls = array.nulls().map_or(0, |nulls| nulls.len().div_ceil(8));
    let values = |values: &dyn Array, offsets: &[i32]| {
        let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
        size_of_val(offsets) + bytes_of(&values.slice(first, last - first))
    };
    match array.data_type() {
        DataType::Struct(_) => nulls + array.as_struct().columns().iter().map(|column| bytes_of(column)).sum::<usize>(),
        DataType::List(_) => nulls + values(array.as_list::<i32>().values(), array.as_list::<i32>().value_offsets()),
        DataType::Map(..) => nulls + values(array.as_map().entries(), array.as_map().value_offsets()),
        _ => array.to_data().get_slice_memory_size().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    use arrow_array::builder::{Int8Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
    use arrow_array::{
        BinaryArray, Int8Array, Int32Array, Int64Array, ListArray, NullArray, StringArray, TimestampMillisecondArray,
    };
    use arrow_buffer::OffsetBuffer;
    use landfall_api::schema::SCHEMALESS;
    use landfall_api::{Column, RawBatch, TopicPartition};

    use crate::encode::{Facts, json, parquet};

    fn of(format: Format, system: &[SystemColumn]) -> Columns {
        Columns { format, envelope: None, system: system.to_vec(), types: Types::default() }
    }

    fn parquet(system: &[SystemColumn]) -> Columns {
        of(Format::Parquet(parquet::Options::default()), system)
    }

    fn json(system: &[SystemColumn]) -> Columns {
        of(Format::Json(json::Options::default()), system)
    }

    fn schemaless(field: Field) -> FieldRef {
        Arc::new(field.with_metadata(HashMap::from([(SCHEMALESS.to_owned(), "true".to_owned())])))
    }

    /// Rows of partition 3 of `t` from offset 10 on, with the keys `k0`, `k1`, ….
    fn batch(field: impl Into<FieldRef>, array: impl Array + 'static) -> Batch {
        let rows = array.len() as i64;
        let key = StringArray::from_iter_values((0..rows).map(|row| format!("k{row}")));
        let bytes = BinaryArray::from_iter_values((0..rows).map(i64::to_le_bytes));
        let offset = Int64Array::from_iter_values(10..10 + rows);
        let timestamp = TimestampMillisecondArray::from_iter((0..rows).map(|row| (row > 0).then_some(row)));
        let origin = TopicPartition::new("t", 3);
        let raw = RawBatch {
            origin: origin.clone(),
            key: bytes.clone(),
            value: bytes,
            offset: offset.clone(),
            timestamp: timestamp.clone(),
            headers: None,
        };
        Batch {
            origin,
            topic: "routed".into(),
            key: Column { field: Arc::new(Field::new("k", DataType::Utf8, true)), array: Arc::new(key) },
            value: Column { field: field.into(), array: Arc::new(array) },
            offset,
            timestamp,
            headers: None,
            raw: Arc::new(raw),
            covers: 10..10 + rows,
        }
    }

    fn rows(columns: &Columns, batch: &Batch) -> Result<RecordBatch, RecordError> {
        let schema = columns.schema(&columns.shape(batch))?;
        columns.rows(batch, &schema).map_err(|refused| refused[0].1.clone())
    }

    fn a_and_b(nulls: Option<Vec<bool>>) -> Batch {
        let fields = Fields::from(vec![Field::new("a", DataType::Int8, false), Field::new("b", DataType::Utf8, true)]);
        let arrays: Vec<ArrayRef> =
            vec![Arc::new(Int8Array::from(vec![1, -2])), Arc::new(StringArray::from(vec![Some("x"), None]))];
        let field = Field::new("v", DataType::Struct(fields.clone()), true)
            .with_metadata(HashMap::from([("connect.name".to_owned(), "s".to_owned())]));
        batch(field, StructArray::new(fields, arrays, nulls.map(Into::into)))
    }

    #[test]
    fn a_struct_gives_its_fields_and_small_integers_become_int32() {
        let found = rows(&parquet(&[]), &a_and_b(None)).expect("rows");
        assert_eq!(found.column(0).as_ref(), &Int32Array::from(vec![1, -2]));
        assert_eq!(value_field(found.schema_ref()).metadata()["connect.name"], "s");
        assert_eq!(rows(&json(&[]), &a_and_b(None)).expect("rows").column(0).as_ref(), &Int8Array::from(vec![1, -2]));
    }

    #[test]
    fn where_the_value_is_null_its_fields_are() {
        let columns = parquet(&[]);
        let batch_ = a_and_b(Some(vec![true, false]));
        let refused =
            columns.rows(&batch_, &columns.schema(&columns.shape(&batch_)).expect("a schema")).expect_err("a is required");
        assert_eq!(refused, [(1, RecordError::data("a: it is null, and its schema requires a value"))]);
        let fields = Fields::from(vec![Field::new("a", DataType::Int64, true)]);
        let array =
            StructArray::new(fields.clone(), vec![Arc::new(Int64Array::from(vec![1, 2]))], Some(vec![false, true].into()));
        let found = rows(&parquet(&[SystemColumn::Offset]), &batch(Field::new("v", DataType::Struct(fields), true), array))
            .expect("rows");
        assert_eq!(found.column(0).as_ref(), &Int64Array::from(vec![None, Some(2)]));
        assert_eq!(found.column(1).as_ref(), &Int64Array::from(vec![10, 11]));
    }

    #[test]
    fn a_plain_value_is_one_column() {
        let plain = batch(Field::new("", DataType::Utf8, true), StringArray::from(vec!["x"]));
        for columns in [parquet(&[]), json(&[])] {
            let found = rows(&columns, &plain).expect("rows");
            assert_eq!((found.schema_ref().field(0).name().as_str(), found.num_rows()), (VALUE, 1));
            assert_eq!(value_field(found.schema_ref()).data_type(), &DataType::Utf8);
        }
        let found = rows(&parquet(&[SystemColumn::Topic]), &plain).expect("rows");
        assert_eq!(value_field(found.schema_ref()).data_type(), &DataType::Utf8);
    }

    #[test]
    fn a_struct_without_fields_is_refused_by_parquet() {
        let empty = |name: &str| Field::new(name, DataType::Struct(Fields::empty()), true);
        let within = |data_type| Field::new("v", DataType::Struct(Fields::from(vec![Field::new("f", data_type, true)])), true);
        let list = DataType::List(Arc::new(empty("item")));
        for value in [empty("v"), within(empty("").data_type().clone()), within(list)] {
            let shape = Shape { value: Arc::new(value), key: None };
            let error = parquet(&[]).schema(&shape).expect_err("refused").message;
            assert!(error.contains("a struct without fields, which Parquet cannot hold"), "{error}");
            json(&[]).schema(&shape).expect("taken");
        }
    }

    #[test]
    fn schemaless_values_without_a_field_land_as_rows() {
        let empty = schemaless(Field::new("v", DataType::Struct(Fields::empty()), true));
        let nothing = schemaless(Field::new("v", DataType::Null, true));
        let empties = batch(empty, StructArray::new_empty_fields(3, None));
        for values in [empties.clone(), batch(nothing, NullArray::new(3))] {
            for system in [&[][..], &[SystemColumn::Offset]] {
                let found = rows(&parquet(system), &values).expect("rows");
                assert_eq!((found.num_rows(), found.column(0).null_count(), found.num_columns()), (3, 3, 1 + system.len()));
                assert_eq!(value_field(found.schema_ref()).data_type(), values.value.field.data_type());
            }
        }
        let found = rows(&json(&[]), &empties).expect("rows");
        assert_eq!((found.num_rows(), found.num_columns()), (3, 0));

        let item = Arc::new(Field::new("item", DataType::Null, true));
        let list = schemaless(Field::new("v", DataType::List(item.clone()), true));
        let lists = ListArray::new(item, OffsetBuffer::from_lengths([0, 2, 0]), Arc::new(NullArray::new(2)), None);
        let mut lists = batch(list.clone(), lists);
        lists.key = Column { field: list, array: lists.value.array.clone() };
        let found = rows(&parquet(&[SystemColumn::Key]), &lists).expect("rows");
        assert_eq!((found.num_rows(), found.column(0).null_count(), found.column(1).null_count()), (3, 3, 3));
        assert_eq!(value_field(found.schema_ref()).data_type(), &DataType::Null);
        assert_eq!(rows(&json(&[]), &lists).expect("rows").column(0), &lists.value.array);
    }

    #[test]
    fn system_columns_stand_behind_the_value_in_the_order_given() {
        let mut all = SystemColumn::ALL;
        all.reverse();
        let found = rows(&parquet(&all), &a_and_b(None)).expect("rows");
        let names: Vec<_> = found.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "b", "__headers", "__key", "__timestamp", "__offset", "__partition", "__topic"]);
        assert_eq!(found.column(3).as_ref(), &StringArray::from(vec!["k0", "k1"]));
        assert_eq!(found.column(4).as_ref(), &TimestampMillisecondArray::from(vec![None, Some(1)]).with_timezone("UTC"));
        assert_eq!(found.column(6).as_ref(), &Int32Array::from(vec![3, 3]));
        assert_eq!(found.column(7).as_ref(), &StringArray::from(vec!["t", "t"]), "the source, not where the rows go");
        let learned = value_field(found.schema_ref());
        assert!(matches!(learned.data_type(), DataType::Struct(fields) if fields.len() == 2), "{learned:?}");
    }

    #[test]
    fn a_field_with_the_name_of_a_system_column_is_refused() {
        let fields = Fields::from(vec![Field::new("__offset", DataType::Int64, true)]);
        let array = StructArray::new(fields.clone(), vec![Arc::new(Int64Array::from(vec![1]))], None);
        let batch = batch(Field::new("v", DataType::Struct(fields), true), array);
        rows(&parquet(&[SystemColumn::Topic]), &batch).expect("another name");
        let error = rows(&parquet(&[SystemColumn::Offset]), &batch).expect_err("refused").message;
        assert_eq!(error, "the value has a field __offset, and landfall.columns asks for a column __offset");
    }

    #[test]
    fn keys_of_nothing_but_nulls_are_a_column_too() {
        let empty = schemaless(Field::new("k", DataType::Struct(Fields::empty()), true));
        let nothing = schemaless(Field::new("k", DataType::Null, true));
        let arrays: [ArrayRef; 2] = [Arc::new(StructArray::new_empty_fields(2, None)), Arc::new(NullArray::new(2))];
        for (field, array) in [empty, nothing].into_iter().zip(arrays) {
            let batch = Batch { key: Column { field, array }, ..a_and_b(None) };
            let found = rows(&parquet(&[SystemColumn::Key]), &batch).expect("rows");
            assert_eq!(found.column(2).as_ref(), &StringArray::new_null(2));
        }
    }

    #[test]
    fn json_takes_all_values_and_keys_without_a_schema() {
        let field = |name: &str| Field::new(name, DataType::Utf8, true);
        for columns in [parquet(&[]), json(&[])] {
            let free = !columns.format.has_schema();
            let (a, free_a) = (Arc::new(field("a")), schemaless(field("a")));
            let is_free = |field: &FieldRef| [Rule::None, Rule::Widen].map(|rule| columns.is_free(field, rule));
            assert_eq!((is_free(&a), is_free(&free_a)), ([false, free], [free, free]));
            let shape = |key: &FieldRef| Shape { value: a.clone(), key: Some(key.clone()) };
            let takes = |open: &FieldRef, next: &FieldRef| columns.takes_key(&shape(open), &shape(next));
            let (b, free_b) = (Arc::new(field("b")), schemaless(field("b")));
            assert_eq!((takes(&a, &a), takes(&a, &b), takes(&a, &free_a), takes(&free_a, &free_b)), (true, false, false, free));
        }
        let keyed = a_and_b(None);
        assert_eq!((json(&[]).shape(&keyed).key, parquet(&[SystemColumn::Key]).shape(&keyed).key.is_some()), (None, true));
    }

    #[test]
    fn absent_values_take_room_too() {
        let column = || Arc::new(Int32Array::from(vec![None; 1000])) as ArrayRef;
        let rows = RecordBatch::try_from_iter(["a", "b"].map(|name| (name, column()))).expect("columns");
        assert!((8000..9000).contains(&bytes(&rows)), "{}", bytes(&rows));
        assert!((80..90).contains(&bytes(&rows.slice(500, 10))), "{}", bytes(&rows.slice(500, 10)));
    }

    #[test]
    fn a_part_of_lists_and_maps_takes_a_part_of_the_room() {
        let mut list = ListBuilder::new(StringBuilder::new());
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int8Builder::new());
        for row in 0..1000 {
            list.append_value([Some(format!("{row:010}")), None]);
            map.keys().append_value(format!("{row:010}"));
            map.values().append_value(1);
            map.append(true).expect("as many values as keys");
        }
        let list: ArrayRef = Arc::new(list.finish());
        let within = StructArray::try_from(vec![("l", list.clone())]).expect("columns");
        for column in [list, Arc::new(within), Arc::new(map.finish())] {
            let rows = RecordBatch::try_from_iter([("c", column)]).expect("columns");
            let (all, tenth) = (bytes(&rows), bytes(&rows.slice(300, 100)));
            assert!((15_000..30_000).contains(&all) && tenth < all / 9, "{tenth} of {all}");
        }
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
        let batch = batch(Field::new("v", DataType::Struct(fields.clone()), true), StructArray::new(fields, arrays, None));
        let columns = parquet(&[]);
        let rows = rows(&columns, &batch).expect("rows");
        assert!(!format!("{:?}", rows.schema_ref()).contains("Int8"), "{:?}", rows.schema_ref());
        let mut encoder = columns.format.encoder(rows.schema_ref(), &Facts::new(batch.origin.clone(), 0));
        encoder.write(&rows, 1, 1).expect("parquet");
        let mut file = encoder.take();
        file.extend(encoder.finish(0).expect("parquet"));
        let mut reader = ParquetRecordBatchReader::try_new(bytes::Bytes::from(file.concat()), 10).expect("a reader");
        assert_eq!(reader.next().expect("a batch").expect("rows"), rows);
    }
}
