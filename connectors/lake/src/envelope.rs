//! Rows that hold a record with what Kafka says of it, each part in a column of its own: the envelopes of Aiven's sinks
//! (`format.output.fields`, commons 3.4) and of Lenses' (`store.envelope`, stream-reactor 11).

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use landfall_api::Batch;

use crate::columns::Shape;
use crate::encode::{Format, json};
use crate::system::SystemColumn;

/// The schema metadata of files of envelopes: `record`, or `bare` where the one part stands alone.
const ENVELOPE: &str = "landfall.envelope";

/// The schema metadata with the full name of the Avro record of an envelope.
pub(crate) const RECORD: &str = "landfall.record";

/// A part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `key`, as the key converter made it.
    Key,
    /// `value`, whole: a struct is one column.
    Value,
    /// `offset`.
    Offset,
    /// `timestamp`, in milliseconds since the epoch; in JSON, Aiven's is text in ISO 8601.
    Timestamp,
    /// `headers`: a map of bytes. In JSON and CSV, Aiven's are a list of keys and values. JSON has them as text where they are UTF-8.
    Headers,
    /// Lenses' `metadata`: a struct of timestamp, topic, partition and offset.
    Metadata,
}

impl Part {
    /// The name of its column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Offset => "offset",
            Self::Timestamp => "timestamp",
            Self::Headers => "headers",
            Self::Metadata => "metadata",
        }
    }

    /// The parts that `format.output.fields` names.
    ///
    /// # Errors
    /// A name that is none, or none at all.
    pub fn aiven<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, String> {
        const ALL: [Part; 5] = [Part::Key, Part::Value, Part::Offset, Part::Timestamp, Part::Headers];
        let supported = "supported values are: 'key', 'value', 'offset', 'timestamp', 'headers'";
        let mut parts = Vec::new();
        for name in names {
            let part = ALL.into_iter().find(|part| part.name().eq_ignore_ascii_case(name)).ok_or(supported)?;
            if parts.contains(&part) {
                return Err(format!("{} is there twice", part.name()));
            }
            parts.push(part);
        }
        if parts.is_empty() { Err("cannot be empty".into()) } else { Ok(parts) }
    }
}

/// Whose envelope it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Aiven's.
    Aiven,
    /// Lenses'.
    Lenses,
}

/// What a row is made of, instead of the value's own fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Whose it is.
    pub style: Style,
    /// Its columns, in this order. In JSON, Aiven's have the order that Java's `HashMap` gives them.
    pub parts: Vec<Part>,
    /// Whether the first part stands alone (`format.output.envelope=false`): a struct gives its fields, as without an envelope; in
    /// JSON, any other value is a line by itself.
    pub bare: bool,
}

impl Envelope {
    /// The columns of rows of `shape`; None if they are those of the value alone.
    pub(crate) fn parts(&self, format: &Format, shape: &Shape) -> Option<Vec<Part>> {
        if matches!(format, Format::Csv(_)) {
            return Some(self.parts.clone());
        }
        let is_struct = matches!(shape.value().data_type(), DataType::Struct(_));
        match &self.parts[..] {
            [Part::Value] if self.bare && is_struct => None,
            [first, ..] if self.bare => Some(vec![*first]),
            parts => {
                let mut parts = parts.to_vec();
                if self.style == Style::Aiven && matches!(format, Format::Json(_)) {
                    parts.sort_by_key(|part| java_order(*part));
                }
                Some(parts)
            }
        }
    }

    /// The schema metadata of its files.
    pub(crate) fn metadata(&self, format: &Format) -> Vec<(String, String)> {
        let form = if self.bare { "bare" } else { "record" };
        let name = match (self.style, format) {
            (Style::Aiven, Format::Avro(_)) => Some("io.aiven.avro.output.schema.connector_records"),
            (Style::Aiven, Format::Parquet(_)) => Some("io.aiven.parquet.output.schema.connector_records"),
            _ => None,
        };
        let form = (ENVELOPE.to_owned(), form.to_owned());
        [form].into_iter().chain(name.map(|name| (RECORD.to_owned(), name.to_owned()))).collect()
    }

    /// The column of `part`, where keys have the field `key`. The value's own is not its business.
    pub(crate) fn field(&self, part: Part, format: &Format, key: Option<&FieldRef>) -> Field {
        let field = |column: SystemColumn| column.field(key).with_name(part.name());
        let of_type = |column, data_type| field(column).with_data_type(data_type).with_nullable(false);
        match (part, form(self.style, format)) {
            (Part::Timestamp, Form::Json) => field(SystemColumn::Timestamp).with_data_type(DataType::Utf8),
            (Part::Timestamp, Form::Csv) => field(SystemColumn::Timestamp).with_data_type(DataType::Int64),
            (Part::Timestamp, Form::Plain) => of_type(SystemColumn::Timestamp, DataType::Int64),
            (Part::Headers, Form::Plain) => of_type(SystemColumn::Headers, map(format)),
            (Part::Headers, Form::Json) => of_type(SystemColumn::Headers, texts(field(SystemColumn::Headers).data_type())),
            (Part::Metadata, _) => of_type(SystemColumn::Offset, DataType::Struct(metadata())),
            (Part::Key, _) => field(SystemColumn::Key),
            (Part::Headers, Form::Csv) => field(SystemColumn::Headers),
            (Part::Offset | Part::Value, _) => field(SystemColumn::Offset),
        }
    }

    /// The values of `part` under the field that [`field`](Self::field) gives it.
    pub(crate) fn array(&self, part: Part, field: &Field, batch: &Batch) -> Result<ArrayRef, ArrowError> {
        match part {
            Part::Value => Ok(batch.value.array.clone()),
            Part::Key => Ok(SystemColumn::Key.array(batch)),
            Part::Offset => Ok(SystemColumn::Offset.array(batch)),
            Part::Timestamp if *field.data_type() == DataType::Utf8 => {
                cast(&batch.timestamp.clone().with_timezone("+00:00"), &DataType::Utf8)
            }
            Part::Timestamp => Ok(Arc::new(batch.timestamp.reinterpret_cast::<Int64Type>())),
            Part::Headers => headers(field, batch),
            Part::Metadata => {
                let columns = [SystemColumn::Topic, SystemColumn::Partition, SystemColumn::Offset].map(|c| c.array(batch));
                let timestamp: ArrayRef = Arc::new(batch.timestamp.reinterpret_cast::<Int64Type>());
                let columns = [timestamp].into_iter().chain(columns).collect();
                Ok(Arc::new(StructArray::try_new(metadata(), columns, None)?))
            }
        }
    }
}

/// How a format holds timestamps and headers.
enum Form {
    Plain,
    Json,
    Csv,
}

fn form(style: Style, format: &Format) -> Form {
    match (style, format) {
        (_, Format::Csv(_)) => Form::Csv,
        (Style::Aiven, Format::Json(_)) => Form::Json,
        _ => Form::Plain,
    }
}

/// The place of a part in a `HashMap` of sixteen buckets, by the hash of its name.
fn java_order(part: Part) -> u8 {
    match part {
        Part::Headers => 1,
        Part::Metadata => 2,
        Part::Offset => 4,
        Part::Value => 13,
        Part::Key => 14,
        Part::Timestamp => 15,
    }
}

fn metadata() -> Fields {
    let field = |name: &str, data_type, nullable| Field::new(name, data_type, nullable);
    Fields::from(vec![
        field("timestamp", DataType::Int64, true),
        field("topic", DataType::Utf8, false),
        field("partition", DataType::Int32, false),
        field("offset", DataType::Int64, false),
    ])
}

fn map(format: &Format) -> DataType {
    let mut value = Field::new("value", DataType::Binary, true);
    if matches!(format, Format::Json(_)) {
        value = json::as_text(value);
    }
    let fields = Fields::from(vec![Field::new("key", DataType::Utf8, false), value]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(fields), false)), false)
}

/// `headers` with values that are text in JSON.
fn texts(headers: &DataType) -> DataType {
    let DataType::List(item) = headers else { return headers.clone() };
    let DataType::Struct(fields) = item.data_type() else { return headers.clone() };
    let text = |field: &FieldRef| match field.data_type() {
        DataType::Binary => Arc::new(json::as_text(field.as_ref().clone())),
        _ => field.clone(),
    };
    let fields = DataType::Struct(fields.iter().map(text).collect());
    DataType::List(Arc::new(item.as_ref().clone().with_data_type(fields)))
}

fn headers(field: &Field, batch: &Batch) -> Result<ArrayRef, ArrowError> {
    let (_, offsets, entries, _) = SystemColumn::Headers.array(batch).as_list::<i32>().clone().into_parts();
    let (_, columns, _) = entries.as_struct().clone().into_parts();
    let entries_of = |item: &FieldRef| match item.data_type() {
        DataType::Struct(fields) => StructArray::try_new(fields.clone(), columns, None),
        other => Err(ArrowError::SchemaError(format!("headers are no structs but {other}"))),
    };
    match field.data_type() {
        DataType::Map(item, _) => {
            let entries = entries_of(item)?;
            Ok(Arc::new(MapArray::try_new(item.clone(), offsets, entries, None, false)?))
        }
        DataType::List(item) => {
            let entries: ArrayRef = Arc::new(entries_of(item)?);
            Ok(Arc::new(arrow_array::ListArray::try_new(item.clone(), offsets, entries, None)?))
        }
        other => Err(ArrowError::SchemaError(format!("headers are {other}"))),
    }
}

/// Whether a file of `schema` holds envelopes of several parts, or of one that stands alone.
pub(crate) fn is_record(schema: &arrow_schema::Schema) -> bool {
    schema.metadata().get(ENVELOPE).is_some_and(|form| form == "record")
}

/// Whether a file of `schema` holds envelopes at all.
pub(crate) fn is_envelope(schema: &arrow_schema::Schema) -> bool {
    schema.metadata().contains_key(ENVELOPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
    use arrow_array::{BinaryArray, Int64Array, StringArray, TimestampMillisecondArray};
    use landfall_api::{Column, RawBatch, TopicPartition};

    use crate::columns::{Columns, value_field};
    use crate::encode::{Compression, Facts, avro, csv, parquet};
    use crate::types::Types;

    /// Two records from offset 7 on, the second one without a key, a timestamp's fraction and headers.
    fn batch(value: Column) -> Batch {
        let bytes = BinaryArray::from_iter_values([b"x", b"y"]);
        let offset = Int64Array::from(vec![7, 8]);
        let timestamp = TimestampMillisecondArray::from(vec![1_700_000_000_001, 1_700_000_000_000]);
        let fields = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)];
        let builders: Vec<Box<dyn arrow_array::builder::ArrayBuilder>> =
            vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())];
        let mut lists = ListBuilder::new(StructBuilder::new(fields, builders));
        lists.values().field_builder::<StringBuilder>(0).expect("keys").append_value("h");
        lists.values().field_builder::<BinaryBuilder>(1).expect("values").append_value("v");
        lists.values().append(true);
        lists.append(true);
        lists.append(true);
        let origin = TopicPartition::new("t", 3);
        let headers = Some(lists.finish());
        let raw = RawBatch {
            origin: origin.clone(),
            key: bytes.clone(),
            value: bytes,
            offset: offset.clone(),
            timestamp: timestamp.clone(),
            headers: headers.clone(),
        };
        Batch {
            origin,
            topic: "t".into(),
            key: Column {
                field: Arc::new(Field::new("key", DataType::Utf8, true)),
                array: Arc::new(StringArray::from(vec![Some("k"), None])),
            },
            value,
            offset,
            timestamp,
            headers,
            raw: Arc::new(raw),
            covers: 7..9,
        }
    }

    fn structs() -> Column {
        let fields = Fields::from(vec![Field::new("a", DataType::Utf8, true)]);
        let array = StructArray::new(fields.clone(), vec![Arc::new(StringArray::from(vec!["1", "2"]))], None);
        let metadata = HashMap::from([("connect.name".to_owned(), "s.Value".to_owned())]);
        let field = Field::new("v", DataType::Struct(fields), true).with_metadata(metadata);
        Column { field: Arc::new(field), array: Arc::new(array) }
    }

    fn bytes() -> Column {
        let field = Arc::new(Field::new("v", DataType::Binary, true));
        Column { field, array: Arc::new(BinaryArray::from_iter_values([b"1", b"2"])) }
    }

    fn file(format: Format, envelope: Envelope, value: Column) -> Vec<u8> {
        let columns = Columns { format, envelope: Some(envelope), system: Vec::new(), types: Types::default() };
        let batch = batch(value);
        let schema = columns.schema(&columns.shape(&batch)).expect("a schema");
        let rows = columns.rows(&batch, &schema).expect("rows");
        let mut encoder = columns.format.encoder(&schema, &Facts::new(batch.origin, 7));
        encoder.write(&rows, 0, 1 << 20).expect("write");
        let mut file = encoder.take();
        file.extend(encoder.finish(8).expect("finish"));
        file.concat()
    }

    fn aiven(fields: &str, bare: bool) -> Envelope {
        Envelope { style: Style::Aiven, parts: Part::aiven(fields.split(',')).expect("parts"), bare }
    }

    fn text(format: Format, envelope: Envelope, value: Column) -> String {
        String::from_utf8(file(format, envelope, value)).expect("UTF-8")
    }

    const ALL: &str = "key,value,offset,timestamp,headers";

    #[test]
    fn aivens_json_has_its_parts_in_javas_order() {
        let json = |framing| Format::Json(json::Options { framing, ..json::Options::default() });
        let first = r#"{"headers":[{"key":"h","value":"v"}],"offset":7,"value":{"a":"1"},"key":"k","timestamp":"2023-11-14T22:13:20.001Z"}"#;
        let second = r#"{"headers":[],"offset":8,"value":{"a":"2"},"key":null,"timestamp":"2023-11-14T22:13:20Z"}"#;
        let between = text(json(json::Framing::Between), aiven(ALL, false), structs());
        assert_eq!(between, format!("{first}\n{second}"));
        let array = text(json(json::Framing::Array), aiven(ALL, false), structs());
        assert_eq!(array, format!("[\n{first},\n{second}\n]"));
        let bare = |fields, value| text(json(json::Framing::Between), aiven(fields, true), value);
        assert_eq!(bare("value", structs()), "{\"a\":\"1\"}\n{\"a\":\"2\"}");
        assert_eq!(bare("value", bytes()), "\"MQ==\"\n\"Mg==\"");
        assert_eq!(bare("key", structs()), "\"k\"\nnull");
        let one = text(json(json::Framing::Between), aiven("value", false), bytes());
        assert_eq!(one, "{\"value\":\"MQ==\"}\n{\"value\":\"Mg==\"}");
    }

    #[test]
    fn aivens_csv_has_its_parts_in_the_order_given() {
        let csv = |base64| Format::Csv(csv::Options { lines: csv::Lines::Parts { base64 }, compression: Compression::None });
        let found = text(csv(true), aiven(ALL, false), bytes());
        assert_eq!(found, "aw==,MQ==,7,1700000000001,aA==:dg==;\n,Mg==,8,1700000000000,");
        assert_eq!(text(csv(false), aiven("offset,value", true), bytes()), "7,1\n8,2");
    }

    #[test]
    fn aivens_avro_is_a_record_of_its_parts() {
        let avro = || Format::Avro(avro::Options::default());
        let written = file(avro(), aiven(ALL, false), structs());
        let reader = apache_avro::Reader::new(&written[..]).expect("a header");
        let schema = serde_json::to_value(reader.writer_schema()).expect("JSON");
        assert_eq!((&schema["name"], &schema["namespace"]), (&"connector_records".into(), &"io.aiven.avro.output.schema".into()));
        let types: Vec<_> = ["offset", "timestamp", "headers"]
            .iter()
            .map(|name| {
                schema["fields"].as_array().and_then(|all| all.iter().find(|f| f["name"] == *name)).map(|f| f["type"].clone())
            })
            .collect();
        let map = serde_json::json!({"type": "map", "values": ["null", "bytes"]});
        assert_eq!(types, [Some("long".into()), Some("long".into()), Some(map)]);
        let rows: Vec<_> = reader.map(|row| format!("{:?}", row.expect("a record"))).collect();
        assert!(rows[0].contains("Long(1700000000001)") && rows[0].contains("Bytes([118])"), "{rows:?}");

        let written = file(avro(), aiven("value", true), structs());
        let reader = apache_avro::Reader::new(&written[..]).expect("a header");
        assert_eq!(serde_json::to_value(reader.writer_schema()).expect("JSON")["name"], "Value");
    }

    #[test]
    fn parquet_keeps_the_value_whole_and_it_can_be_learned_again() {
        let format = Format::Parquet(parquet::Options::default());
        let columns = Columns { format, envelope: Some(aiven(ALL, false)), system: Vec::new(), types: Types::default() };
        for value in [structs(), bytes()] {
            let batch = batch(value);
            let schema = columns.schema(&columns.shape(&batch)).expect("a schema");
            let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            assert_eq!(names.join(","), ALL);
            assert_eq!(value_field(&schema).data_type(), batch.value.field.data_type());
            assert_eq!(columns.rows(&batch, &schema).expect("rows").num_rows(), 2);
        }
        let free = HashMap::from([("connect.schemaless".to_owned(), "true".to_owned())]);
        let field = Field::new("v", DataType::Struct(Fields::empty()), true).with_metadata(free);
        let empty = Column { field: Arc::new(field), array: Arc::new(StructArray::new_empty_fields(2, None)) };
        let batch = batch(empty);
        let schema = columns.schema(&columns.shape(&batch)).expect("a schema");
        assert_eq!(value_field(&schema).data_type(), &DataType::Struct(Fields::empty()));
        assert_eq!(columns.rows(&batch, &schema).expect("rows").column(1).null_count(), 2);
    }

    #[test]
    fn lenses_envelope_has_metadata() {
        let parts = vec![Part::Key, Part::Value, Part::Headers, Part::Metadata];
        let envelope = Envelope { style: Style::Lenses, parts, bare: false };
        let found = text(Format::Json(json::Options::default()), envelope, structs());
        let first = found.lines().next().expect("a line");
        assert_eq!(
            first,
            r#"{"key":"k","value":{"a":"1"},"headers":{"h":"v"},"metadata":{"timestamp":1700000000001,"topic":"t","partition":3,"offset":7}}"#
        );
    }

    #[test]
    fn parts_are_found_by_name() {
        assert_eq!(Part::aiven(["Value", "key"]), Ok(vec![Part::Value, Part::Key]));
        assert_eq!(Part::aiven(["value", "value"]), Err("value is there twice".into()));
        assert!(Part::aiven(["metadata"]).expect_err("refused").starts_with("supported values are: 'key'"));
        assert_eq!(Part::aiven(std::iter::empty()), Err("cannot be empty".into()));
    }
}
