//! What readers see of every type in files of `landfall.types=confluent` and `native`: random schemas and rows through a converter
//! and the lake's encoder, and the table of all types, `docs/types.md`.

mod page;
mod random;
mod sources;
mod wire;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{BinaryArray, Int64Array, StringArray, TimestampMillisecondArray, new_null_array};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use landfall::convert;
use landfall_adls::{AzureDataLakeGen2Sink, AzureDataLakeSink};
use landfall_api::schema::{self, DECIMAL, LOGICAL, NAME};
use landfall_api::{
    Batch, Column, Properties, RawBatch, RecordError, Records, Role, SinkConnector, SinkTask, TaskContext, TopicPartition,
};
use landfall_lake::columns::Columns;
use landfall_lake::encode::parquet::Codec;
use landfall_lake::encode::{Facts, Format};
use landfall_lake::types::{Mode, Types};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::SchemaDescPtr;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::read::{self, python};
use crate::support::records::Random;
use crate::support::registry::Registry;
use crate::support::secs;
use random::{Range, SCALARS, SPARKS, Scalar, Shown, Spec};
use sources::Source;

const CONFLUENT: Types = types(Mode::Confluent);
const NATIVE: Types = types(Mode::Native);

const fn types(mode: Mode) -> Types {
    use landfall_lake::types::{Iso, Variable, Wide, names::Naming};
    Types { mode, iso: Iso::Micros, variable: Variable::Text, wide: Wide::Refuse, names: Naming::Keep }
}

/// What `JsonConverter` makes of `records` with schemas: one column.
fn converted(records: &[String]) -> Column {
    let bytes = BinaryArray::from_iter_values(records);
    let mut converter = convert::build("JsonConverter", &Properties::new(), Role::Value).expect("a converter");
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("no registry");
    let [run] = <[_; 1]>::try_from(runs).expect("one schema");
    run.column.expect("values of their schema")
}

/// One record with the JSON `text` as its value, without a schema.
pub(crate) fn schemaless(text: &str) -> Batch {
    let bytes = BinaryArray::from_iter_values([text]);
    let properties = Properties::from([("schemas.enable".to_owned(), "false".to_owned())]);
    let mut converter = convert::build("JsonConverter", &properties, Role::Value).expect("a converter");
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("no registry");
    batch(runs.into_iter().next().expect("a run").column.expect("JSON"))
}

fn batch(value: Column) -> Batch {
    let rows = i64::try_from(value.array.len()).expect("a length");
    let bytes = BinaryArray::from_iter_values((0..rows).map(i64::to_le_bytes));
    let (offset, timestamp) = (Int64Array::from_iter_values(0..rows), TimestampMillisecondArray::from_iter_values(0..rows));
    let origin = TopicPartition::new("t", 0);
    let raw = RawBatch {
        origin: origin.clone(),
        key: bytes.clone(),
        value: bytes,
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    let key: Arc<StringArray> = Arc::new(StringArray::new_null(raw.len()));
    Batch {
        origin,
        topic: "t".into(),
        key: Column { field: Arc::new(Field::new("key", DataType::Utf8, true)), array: key },
        value,
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers: 0..rows,
    }
}

/// Writes the values as the lake does.
fn land(file: &Path, types: Types, value: Column) {
    let format = Format::Parquet(Codec::named("snappy").expect("a codec").into());
    let columns = Columns { format: format.clone(), envelope: None, system: Vec::new(), types };
    let batch = batch(value);
    let schema = columns.schema(&columns.shape(&batch)).expect("a schema");
    let rows = columns.rows(&batch, &schema).expect("rows");
    let mut encoder = columns.format.encoder(&schema, &Facts::new(batch.origin.clone(), 0));
    encoder.write(&rows, 1000, 1 << 20).expect("Parquet");
    let mut bytes = encoder.take();
    bytes.extend(encoder.finish(batch.covers.end - 1).expect("Parquet"));
    fs::write(file, bytes.concat()).expect("a file");
}

/// The Parquet schema of files of one column, that of `field`.
fn schema_of(types: Types, field: FieldRef) -> SchemaDescPtr {
    let folder = TempDir::with_prefix("landfall-types-").expect("a folder");
    let file = folder.path().join("f.parquet");
    let fields = Fields::from(vec![field]);
    let array = new_null_array(&DataType::Struct(fields.clone()), 1);
    land(&file, types, Column { field: Arc::new(Field::new("v", DataType::Struct(fields), true)), array });
    parquet_schema(&file)
}

fn parquet_schema(file: &Path) -> SchemaDescPtr {
    let reader = SerializedFileReader::new(fs::File::open(file).expect("a file")).expect("Parquet");
    reader.metadata().file_metadata().schema_descr_ptr()
}

/// Files with what readers are to see in them.
struct Files<'a> {
    folder: &'a Path,
    expected: Map<String, Value>,
    rows: usize,
    duckdb: usize,
}

impl<'a> Files<'a> {
    fn new(folder: &'a Path) -> Self {
        Self { folder, expected: Map::new(), rows: 0, duckdb: 0 }
    }

    /// Lands `column`, whose rows are `values`, once in each mode.
    fn add(&mut self, name: &str, column: &Column, values: &[Shown], range: Range) {
        for (mode, types) in [("confluent", CONFLUENT), ("native", NATIVE)] {
            let name = format!("{name}-{mode}.parquet");
            land(&self.folder.join(&name), types, column.clone());
            let shown: Vec<_> = values.iter().map(|v| if types == NATIVE { &v.native } else { &v.confluent }).collect();
            self.expected.insert(name, json!({"rows": shown, "duckdb": range == Range::Usual}));
            self.rows += values.len();
            self.duckdb += if range == Range::Usual { values.len() } else { 0 };
        }
    }

    /// Writes what is expected; the number of rows, and of those for DuckDB.
    fn finish(self) -> (usize, usize) {
        fs::write(self.folder.join("expected.json"), Value::Object(self.expected).to_string()).expect("a file");
        (self.rows, self.duckdb)
    }
}

/// Writes `schemas` files of random rows for each mode, if `spark` only such as Spark reads, and what readers are to see; the number of
/// rows, and of those for DuckDB.
pub(crate) fn random_files(folder: &Path, seed: u64, schemas: usize, spark: bool) -> (usize, usize) {
    let scalars = if spark { SPARKS } else { &SCALARS };
    let mut r = Random::new(seed);
    let mut files = Files::new(folder);
    for n in 0..schemas {
        let range = if spark || n.is_multiple_of(2) { Range::Usual } else { Range::Full };
        let spec = match n {
            0 => Spec::deep(14, Scalar::MicroTimestamp),
            1 => Spec::huge(3 << 20),
            _ => Spec::random(&mut r, 3, scalars),
        };
        let schema = spec.schema();
        let values: Vec<_> = (0..=r.below(12)).map(|_| spec.value(&mut r, range)).collect();
        let records: Vec<_> = values.iter().map(|v| json!({"schema": schema, "payload": v.json}).to_string()).collect();
        files.add(&n.to_string(), &converted(&records), &values, range);
    }
    files.finish()
}

/// The same through the wire formats whose schemas are in a registry, so many schemas each.
fn random_wire_files(folder: &Path, seed: u64, schemas: usize) -> (usize, usize) {
    let mut r = Random::new(seed);
    let (mut files, registry) = (Files::new(folder), Registry::start());
    let url = registry.url();
    for (number, format) in wire::Format::ALL.into_iter().enumerate() {
        let (kind, class, more) = format.converter();
        let properties: Properties =
            [("schema.registry.url", &*url)].iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut converter = convert::build(class, &properties, Role::Value).expect("a converter");
        for n in 0..schemas {
            let range = format.range(if n.is_multiple_of(2) { Range::Usual } else { Range::Full });
            let spec = match n {
                0 => Spec::deep(14, Scalar::ConnectTimestamp),
                1 => Spec::huge(3 << 20),
                _ => Spec::random(&mut r, 3, format.scalars()),
            };
            let spec = format.fitted(spec);
            let values: Vec<_> = (0..=r.below(12)).map(|_| spec.value(&mut r, range)).collect();
            let payloads: Vec<_> = values.iter().map(|v| &v.json).collect();
            let (schema, payloads) = format.written(&spec.schema(), &payloads);
            let id = (number * schemas + n) as i32;
            registry.answer(&format!("/schemas/ids/{id}"), json!({"schema": schema, "schemaType": kind}));
            let records = payloads.iter().map(|payload| [&[0][..], &id.to_be_bytes(), payload].concat());
            let bytes = BinaryArray::from_iter_values(records);
            let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("the registry answers");
            let failed = |error: &RecordError| panic!("seed {seed}: {error}: {schema}");
            runs.iter().filter_map(|run| run.column.as_ref().err()).for_each(failed);
            let [run] = <[_; 1]>::try_from(runs).expect("one schema");
            files.add(&format!("{n}-{format:?}"), &run.column.expect("values of their schema"), &values, range);
        }
    }
    files.finish()
}

/// Compares what pyarrow and DuckDB see with the rows of so many random schemas in each wire format.
pub(crate) fn readers_see_random_rows_of_wire_formats(seed: u64, schemas: usize) {
    let folder = TempDir::with_prefix("landfall-types-").expect("a folder");
    readers_see(folder.path(), random_wire_files(folder.path(), seed, schemas), seed);
}

/// Compares what pyarrow and DuckDB see with the rows of so many random schemas.
pub(crate) fn readers_see_random_rows(seed: u64, schemas: usize) {
    let folder = TempDir::with_prefix("landfall-types-").expect("a folder");
    readers_see(folder.path(), random_files(folder.path(), seed, schemas, false), seed);
}

/// Compares what pyarrow and DuckDB see in `folder` with what is expected there.
fn readers_see(folder: &Path, (rows, duckdb): (usize, usize), seed: u64) {
    let found = python("values.py", &[folder.to_str().expect("a path of text")]);
    assert_eq!(found, json!({"seen": {"pyarrow": rows, "duckdb": duckdb}, "otherwise": []}), "seed {seed}");
}

#[test]
fn readers_see_the_rows_of_random_schemas() {
    readers_see_random_rows(5, 200);
}

#[test]
fn readers_see_the_rows_of_random_schemas_in_each_wire_format() {
    readers_see_random_rows_of_wire_formats(7, 60);
}

#[test]
fn the_reference_of_types_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/types.md");
    let page = page::page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("the page");
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|found| found == page),
        "docs/types.md is not what the code does: make reference"
    );
}

#[test]
fn the_page_of_types_says_what_json_converter_makes() {
    for source in sources::connect().into_iter().chain(sources::debezium()) {
        let schema = json!({"type": "struct", "fields": [schema_json(&source.field, source.written)]});
        let record = json!({"schema": schema, "payload": {"f": null}}).to_string();
        let column = converted(&[record]);
        let DataType::Struct(fields) = column.field.data_type() else { panic!("{column:?}") };
        assert_eq!(
            (fields[0].data_type(), fields[0].metadata().get(NAME)),
            (source.field.data_type(), source.field.metadata().get(NAME)),
            "{source:?}"
        );
    }
}

/// The schema of `field` as `JsonConverter` reads it.
fn schema_json(field: &Field, written: &str) -> Value {
    let name = schema::name(field);
    let mut json = match field.data_type() {
        DataType::Int8 => json!({"type": "int8"}),
        DataType::Int16 => json!({"type": "int16"}),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => json!({"type": "int32"}),
        DataType::Int64 | DataType::Timestamp(..) => json!({"type": "int64"}),
        DataType::Float32 => json!({"type": "float"}),
        DataType::Float64 => json!({"type": "double"}),
        DataType::Boolean => json!({"type": "boolean"}),
        DataType::Utf8 => json!({"type": "string"}),
        DataType::Decimal128(_, scale) => {
            let mut parameters = json!({"scale": scale.to_string()});
            if let Some((_, digits)) = written.split_once("precision ") {
                parameters["connect.decimal.precision"] = digits.into();
            }
            json!({"type": "bytes", "parameters": parameters})
        }
        DataType::List(item) => json!({"type": "array", "items": schema_json(item, "")}),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) => {
                json!({"type": "map", "keys": schema_json(&parts[0], ""), "values": schema_json(&parts[1], "")})
            }
            other => panic!("{other}"),
        },
        DataType::Struct(fields) => {
            json!({"type": "struct", "fields": fields.iter().map(|field| schema_json(field, "")).collect::<Vec<_>>()})
        }
        _ => json!({"type": "bytes"}),
    };
    json["optional"] = field.is_nullable().into();
    json["field"] = field.name().as_str().into();
    if let Some(name) = name {
        json["name"] = name.into();
    }
    json
}

/// A sink of `class` that lands in `folder`, with more keys.
fn sink(class: &dyn SinkConnector, runtime: &Runtime, folder: &Path, more: &[(&str, &str)]) -> Box<dyn SinkTask> {
    let url = format!("file://{}", folder.display());
    let given = [
        ("store.url", &*url),
        ("format.class", "io.confluent.connect.azure.storage.format.parquet.ParquetFormat"),
        ("azure.datalake.gen2.account.name", "any"),
        ("flush.size", "100"),
        ("topics.dir", "topics"),
        ("landfall.flush.on.stop", "true"),
    ];
    let properties: Properties = given.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert!(class.validate(&properties).is_empty(), "{}", class.validate(&properties));
    class.task(&properties, TaskContext::new("c", 0, runtime.handle().clone(), 64 << 20)).expect("a task")
}

#[test]
fn a_connector_lands_the_types_that_it_is_told() {
    let field = |name: &str, kind: &str, schema: &str| json!({"field": name, "type": kind, "name": schema, "optional": true});
    let amount = json!([{"field": "scale", "type": "int32"}, {"field": "value", "type": "bytes"}]);
    let mut number = field("amount due", "struct", "io.debezium.data.VariableScaleDecimal");
    number["fields"] = amount;
    let fields = [
        field("id", "int16", "x"),
        field("at", "string", "io.debezium.time.ZonedTimestamp"),
        field("time", "int64", "io.debezium.time.MicroTime"),
        number,
    ];
    let record = |at: &str, time: i64| {
        let payload = json!({"id": 1, "at": at, "time": time, "amount due": {"scale": 2, "value": "MDk="}});
        json!({"schema": {"type": "struct", "fields": fields}, "payload": payload}).to_string()
    };
    let records =
        [record("2024-02-03T04:05:06.123456Z", 5), record("2024-02-30T04:05:06Z", 6), record("2024-02-03T04:05:06Z", -1)];
    let value = converted(&records);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let bad_text = "at: \"2024-02-30T04:05:06Z\" is no timestamp in 64-bit microseconds (landfall.types.iso)";
    let bad_nanos = bad_text.replace("micro", "nano");
    let bad_time = "time: -1 microseconds are no time of day";
    let confluent = "id INT32, at BYTE_ARRAY STRING, time INT64, amount due group of INT32, BYTE_ARRAY";
    type Case<'a> = (&'a dyn SinkConnector, &'a [(&'a str, &'a str)], &'a str, &'a [(i64, &'a str)]);
    let cases: [Case<'_>; 5] = [
        (&AzureDataLakeGen2Sink, &[], confluent, &[]),
        (&AzureDataLakeSink, &[("landfall.types", "confluent")], confluent, &[]),
        (
            &AzureDataLakeSink,
            &[],
            "id INT32 INTEGER(16,true), at INT64 TIMESTAMP(MICROS,true), time INT64 TIME(MICROS,false), amount due BYTE_ARRAY STRING",
            &[(1, bad_text), (2, bad_time)],
        ),
        (
            &AzureDataLakeGen2Sink,
            &[("landfall.types", "native"), ("landfall.types.iso", "nanos"), ("landfall.names", "spark")],
            "id INT32 INTEGER(16,true), at INT64 TIMESTAMP(NANOS,true), time INT64 TIME(MICROS,false), amount_due BYTE_ARRAY STRING",
            &[(1, &bad_nanos), (2, bad_time)],
        ),
        (
            &AzureDataLakeSink,
            &[("landfall.types.iso", "text"), ("landfall.types.variable.decimal", "9,2")],
            "id INT32 INTEGER(16,true), at BYTE_ARRAY STRING, time INT64 TIME(MICROS,false), amount due INT32 DECIMAL(9,2)",
            &[(2, bad_time)],
        ),
    ];
    for (class, keys, columns, refused) in cases {
        let folder = TempDir::with_prefix("landfall-types-").expect("a folder");
        let mut task = sink(class, &runtime, folder.path(), keys);
        let batch = batch(value.clone());
        let origin = batch.origin.clone();
        crate::support::opened(&mut *task, &origin);
        let mut found = Vec::new();
        let mut refuse = |offset, error: RecordError| {
            found.push((offset, error.message));
            Ok(())
        };
        task.put(vec![batch], &mut refuse).expect("taken");
        let committed = task.close(std::slice::from_ref(&origin), false, secs(20)).expect("closed");
        assert_eq!(committed.get(&origin).map(|committed| committed.offset), Some(3), "{keys:?}");
        assert_eq!(found, refused.iter().map(|(offset, why)| (*offset, (*why).to_owned())).collect::<Vec<_>>(), "{keys:?}");
        let files = read::files(folder.path());
        let file = files.iter().find(|file| file.extension().is_some_and(|e| e == "parquet")).expect("a file");
        let schema = parquet_schema(&folder.path().join(file));
        let shown: Vec<_> =
            schema.root_schema().get_fields().iter().map(|c| format!("{} {}", c.name(), page::shown(c))).collect();
        assert_eq!(shown.join(", "), columns, "{keys:?}");
        assert_eq!(read::row_count(&folder.path().join(file)), 3 - refused.len() as i64);
    }
}

/// The field `f` of what `class` makes of `payload` under `schema`, which stands in a registry as `kind`.
fn registered(class: &str, kind: &str, schema: &str, payload: &[u8], more: &[(&str, &str)]) -> FieldRef {
    let registry = Registry::start();
    registry.answer("/schemas/ids/1", json!({"schema": schema, "schemaType": kind}));
    let url = registry.url();
    let given = [("schema.registry.url", &*url), ("max.retries", "0")];
    let properties: Properties = given.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut converter = convert::build(class, &properties, Role::Value).expect("a converter");
    let record = [&[0, 0, 0, 0, 1][..], payload].concat();
    let bytes = BinaryArray::from_iter_values([record]);
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("the registry answers");
    let column = runs.into_iter().next().expect("a run").column.unwrap_or_else(|error| panic!("{schema}: {error}"));
    let DataType::Struct(fields) = column.field.data_type() else { panic!("{column:?}") };
    fields.iter().find(|field| field.name() == "f").unwrap_or_else(|| panic!("{schema}: {fields:?}")).clone()
}

/// Compares a field with what the page says of its source.
fn assert_is(source: &Source, found: &Field, schema: &str) {
    assert_eq!(page::arrow(found.data_type()), page::arrow(source.field.data_type()), "{} {schema}", source.written);
    for key in [NAME, LOGICAL] {
        let wanted = source.field.metadata().get(key);
        assert!(wanted.is_none() || found.metadata().get(key) == wanted, "{key} of {} {schema}: {found:?}", source.written);
    }
}

#[test]
fn the_page_of_types_says_what_avro_becomes() {
    let mut checked = 0;
    for source in sources::avro() {
        let logical = |base: &str, name: &str| json!({"type": base, "logicalType": name});
        let schema = match source.written.split_once(", ") {
            _ if source.written.starts_with("bytes or fixed, decimal(") => {
                let digits = if source.written.contains("50") { 50 } else { 9 };
                json!({"type": "bytes", "logicalType": "decimal", "precision": digits, "scale": 2})
            }
            Some(("fixed(12)", name)) => json!({"type": "fixed", "name": "F", "size": 12, "logicalType": name}),
            Some((base, name)) => logical(base, name),
            None => match source.written {
                "fixed(16)" => json!({"type": "fixed", "name": "F", "size": 16}),
                "enum" => json!({"type": "enum", "name": "E", "symbols": ["A"]}),
                "array of long" => json!({"type": "array", "items": "long"}),
                "map of long" => json!({"type": "map", "values": "long"}),
                "union of null and one type" => json!("long"),
                "record" | "union of several types" => continue,
                base => json!(base),
            },
        };
        let schema = json!({"type": "record", "name": "R", "fields": [{"name": "f", "type": ["null", schema]}]}).to_string();
        assert_is(&source, &registered("AvroConverter", "AVRO", &schema, &[0], &[]), &schema);
        checked += 1;
    }
    assert_eq!(checked, sources::avro().len() - 2);
}

#[test]
fn the_page_of_types_says_what_protobuf_becomes() {
    let mut checked = 0;
    for source in sources::protobuf() {
        let (kinds, more): (Vec<&str>, &[(&str, &str)]) = match source.written {
            "enum" => (vec!["E"], &[]),
            "enum, int.for.enums=true" => (vec!["E"], &[("int.for.enums", "true")]),
            "message" | "oneof" | "confluent.type.Decimal, scale 2" => continue,
            scalars => (if scalars.starts_with("map<") { vec![scalars] } else { scalars.split(", ").collect() }, &[]),
        };
        for kind in kinds {
            let import = match kind {
                "google.protobuf.Timestamp" => "import \"google/protobuf/timestamp.proto\";",
                "google.type.Date" => "import \"google/type/date.proto\";",
                "google.type.TimeOfDay" => "import \"google/type/timeofday.proto\";",
                _ => "",
            };
            let schema = format!("syntax = \"proto3\"; {import} message M {{ enum E {{ A = 0; }} {kind} f = 1; }}");
            assert_is(&source, &registered("ProtobufConverter", "PROTOBUF", &schema, &[0], more), &schema);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn the_page_of_types_says_what_json_schema_becomes() {
    let mut checked = 0;
    for source in sources::json_schema() {
        let schema = match source.written {
            "enum of strings" => json!({"type": "string", "enum": ["a", "b"]}),
            "array of integers" => json!({"type": "array", "items": {"type": "integer"}}),
            "object, connect.type map" => {
                json!({"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}})
            }
            "oneOf null and one type" => json!({"oneOf": [{"type": "null"}, {"type": "integer"}]}),
            "object" | "oneOf several types" => continue,
            written => match written.split_once(" titled ") {
                Some((_, "Decimal, scale 2")) => {
                    json!({"type": "number", "title": DECIMAL, "connect.type": "bytes", "connect.parameters": {"scale": "2"}})
                }
                Some((_, name)) => {
                    let connect = if name == "Timestamp" { "int64" } else { "int32" };
                    json!({"type": "integer", "title": format!("org.apache.kafka.connect.data.{name}"), "connect.type": connect})
                }
                None => match written.split_once(", connect.type ") {
                    Some((base, connect)) => json!({"type": base, "connect.type": connect}),
                    None => json!({"type": written}),
                },
            },
        };
        let schema = json!({"type": "object", "title": "R", "properties": {"f": schema}}).to_string();
        let more = [("use.optional.for.nonrequired", "true")];
        assert_is(&source, &registered("JsonSchemaConverter", "JSON", &schema, b"{}", &more), &schema);
        checked += 1;
    }
    assert_eq!(checked, sources::json_schema().len() - 2);
}
