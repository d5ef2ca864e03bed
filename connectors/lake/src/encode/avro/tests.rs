use super::*;
use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::types::Value;
use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, NullArray, StringArray, Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow_buffer::i256;
use arrow_schema::{Fields, Schema};
use landfall_api::{TopicId, TopicPartition};
use serde_json::{Value as Json, json};

fn facts() -> Facts {
    let origin = TopicPartition::new("t", 3);
    Facts { topic: TopicId::new(7), id: "0.1.abc".into(), ..Facts::new(origin, 42) }
}

fn file(rows: &[RecordBatch], options: &Options) -> Vec<u8> {
    let mut encoder = Box::new(Avro::new(rows[0].schema_ref(), options, &facts()));
    let mut file = Vec::new();
    for rows in rows {
        encoder.write(rows, 0, 1 << 20).expect("write");
        file.extend(encoder.take());
    }
    file.extend(encoder.finish(0).expect("finish"));
    assert!(file.iter().all(|block| block.len() <= super::super::BLOCK));
    file.concat()
}

/// The schema of a file of a struct's fields.
fn schema_of(fields: Vec<Field>, metadata: &[(&str, &str)], options: &Options) -> Json {
    let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let data_type = schema::of_file(&Schema::new_with_metadata(fields, metadata), options).expect("a schema");
    let text = schema::text(&data_type);
    apache_avro::Schema::parse_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    serde_json::from_str(&text).expect("JSON")
}

fn said(field: Field, says: &[(&str, &str)]) -> Field {
    let metadata: HashMap<_, _> = says.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    field.with_metadata(metadata)
}

fn of(data_type: DataType) -> Field {
    Field::new("f", data_type, false)
}

/// The type of one field.
fn one(field: Field) -> Json {
    schema_of(vec![field], &[], &Options::default())["fields"][0].clone()
}

/// The records of a file.
fn read(file: &[u8]) -> Vec<Value> {
    apache_avro::Reader::new(file).expect("a header").map(|value| value.expect("a record")).collect()
}

fn batch(columns: Vec<(Field, ArrayRef)>) -> RecordBatch {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns")
}

#[test]
fn a_record_is_what_avro_data_makes_of_a_struct() {
    let fields = vec![
        Field::new("a", DataType::Int8, false),
        said(Field::new("b", DataType::Utf8, true), &[("connect.doc", "d"), ("connect.default", "\"x\"")]),
        Field::new("c", DataType::Int64, true),
    ];
    let metadata = [
        ("connect.name", "com.acme.Order"),
        ("connect.version", "2"),
        ("connect.parameter.io.confluent.connect.avro.record.doc", "an order"),
        ("connect.parameter.io.confluent.connect.avro.field.doc.a", "the a"),
    ];
    let parameters = json!({
        "io.confluent.connect.avro.field.doc.a": "the a", "io.confluent.connect.avro.record.doc": "an order",
    });
    let text = json!({"type": "string", "connect.doc": "d", "connect.default": "x"});
    let expected = json!({
        "type": "record", "name": "Order", "namespace": "com.acme", "doc": "an order",
        "fields": [
            {"name": "a", "type": {"type": "int", "connect.type": "int8"}, "doc": "the a"},
            {"name": "b", "type": [text, "null"], "default": "x"},
            {"name": "c", "type": ["null", "long"], "default": null},
        ],
        "connect.version": 2, "connect.parameters": parameters, "connect.name": "com.acme.Order",
    });
    assert_eq!(schema_of(fields.clone(), &metadata, &Options::default()), expected);
    let bare = json!({
        "type": "record", "name": "Order", "namespace": "com.acme", "doc": "an order",
        "fields": [
            {"name": "a", "type": "int", "doc": "the a"},
            {"name": "b", "type": ["string", "null"], "default": "x"},
            {"name": "c", "type": ["null", "long"], "default": null},
        ],
    });
    assert_eq!(schema_of(fields, &metadata, &Options { meta_data: false, ..Options::default() }), bare);
}

#[test]
fn logical_types_are_connects() {
    let named = |name: &str, data_type, more: &[(&str, &str)]| {
        let full = format!("org.apache.kafka.connect.data.{name}");
        let says: Vec<_> = [("connect.name", &*full), ("connect.version", "1")].into_iter().chain(more.iter().copied()).collect();
        one(said(of(data_type), &says))["type"].clone()
    };
    let expected = |name: &str, avro: &str, logical: &str| {
        let name = format!("org.apache.kafka.connect.data.{name}");
        json!({"type": avro, "connect.version": 1, "connect.name": name, "logicalType": logical})
    };
    let timestamp = DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(named("Date", DataType::Date32, &[]), expected("Date", "int", "date"));
    let time = DataType::Time32(arrow_schema::TimeUnit::Millisecond);
    assert_eq!(named("Time", time, &[]), expected("Time", "int", "time-millis"));
    assert_eq!(named("Timestamp", timestamp, &[]), expected("Timestamp", "long", "timestamp-millis"));
    let decimal = named("Decimal", DataType::Decimal128(38, 2), &[("connect.parameter.scale", "2")]);
    let found = (&decimal["type"], &decimal["logicalType"], &decimal["scale"], &decimal["precision"]);
    assert_eq!(found, (&json!("bytes"), &json!("decimal"), &json!(2), &json!(64)));
    let precise = [("connect.parameter.scale", "2"), ("connect.parameter.connect.decimal.precision", "10")];
    assert_eq!(named("Decimal", DataType::Decimal128(10, 2), &precise)["precision"], 10);
    let micros = one(said(of(DataType::Int64), &[("connect.name", "io.debezium.time.MicroTimestamp")]))["type"].clone();
    assert_eq!(micros, json!({"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}));
}

#[test]
fn names_are_written_once() {
    let inner: Fields = vec![Field::new("x", DataType::Int32, false)].into();
    let value = |name: &str, nullable| {
        said(Field::new(name, DataType::Struct(inner.clone()), nullable), &[("connect.name", "s.t.Value")])
    };
    let other: Fields = vec![Field::new("y", DataType::Utf8, false)].into();
    let taken = said(Field::new("op", DataType::Struct(other), false), &[("connect.name", "s.t.Value")]);
    let schema = schema_of(
        vec![value("before", true), value("after", true), taken],
        &[("connect.name", "s.t.Envelope")],
        &Options::default(),
    );
    let fields = &schema["fields"];
    assert_eq!((&fields[0]["type"][1]["name"], &fields[0]["type"][1]["namespace"]), (&json!("Value"), &Json::Null));
    assert_eq!(fields[1]["type"], json!(["null", "s.t.Value"]));
    assert_eq!(fields[2]["type"]["name"], "Value_2");

    let unnamed =
        |name: &str, data_type| Field::new(name, DataType::Struct(vec![Field::new("x", data_type, true)].into()), false);
    let schema = schema_of(
        vec![unnamed("a", DataType::Int32), unnamed("b", DataType::Int64), unnamed("c", DataType::Int32)],
        &[],
        &Options::default(),
    );
    let fields = &schema["fields"];
    assert_eq!((&schema["name"], &schema["namespace"]), (&json!("ConnectDefault"), &json!("io.confluent.connect.avro")));
    assert_eq!((&fields[0]["type"]["name"], &fields[1]["type"]["name"]), (&json!("ConnectDefault2"), &json!("ConnectDefault3")));
    assert_eq!(fields[2]["type"], "io.confluent.connect.avro.ConnectDefault2");

    // a name without a namespace cannot be meant within one
    let short = |name: &str| said(Field::new(name, DataType::Struct(inner.clone()), false), &[("connect.name", "Short")]);
    let schema = schema_of(vec![short("a"), short("b")], &[], &Options::default());
    assert_eq!(
        (&schema["fields"][0]["type"]["namespace"], &schema["fields"][1]["type"]["name"]),
        (&json!(""), &json!("Short_2"))
    );
}

#[test]
fn enums_fixed_bytes_and_unions_come_back() {
    let says = [
        ("connect.name", "a.Color"),
        ("connect.parameter.io.confluent.connect.avro.Enum", "a.Color"),
        ("connect.parameter.io.confluent.connect.avro.Enum.RED", "RED"),
        ("connect.parameter.io.confluent.connect.avro.Enum.BLUE", "BLUE"),
        ("connect.parameter.io.confluent.connect.avro.enum.default.Color", "RED"),
    ];
    let color = said(Field::new("c", DataType::Utf8, false), &says);
    let mut avro = one(color.clone())["type"].clone();
    avro.as_object_mut().expect("an object").retain(|key, _| !key.starts_with("connect."));
    let expected = json!({"type": "enum", "name": "Color", "namespace": "a", "symbols": ["BLUE", "RED"], "default": "RED"});
    assert_eq!(avro, expected);
    let plain = schema_of(vec![color.clone()], &[], &Options { enhanced: false, meta_data: false, ..Options::default() });
    assert_eq!(plain["fields"][0]["type"], "string");

    let fixed = said(
        Field::new("x", DataType::Binary, true),
        &[("connect.name", "a.Two"), ("connect.parameter.connect.fixed.size", "2")],
    );
    let decimal = said(
        Field::new("d", DataType::Decimal128(9, 2), false),
        &[
            ("connect.name", "org.apache.kafka.connect.data.Decimal"),
            ("connect.parameter.scale", "2"),
            ("connect.parameter.connect.fixed.size", "4"),
        ],
    );
    let parts: Fields = vec![Field::new("int", DataType::Int32, true), Field::new("string", DataType::Utf8, true)].into();
    let union =
        said(Field::new("u", DataType::Struct(parts.clone()), true), &[("connect.name", "io.confluent.connect.avro.Union")]);
    let branches: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(vec![Some(5), None, None])), Arc::new(StringArray::from(vec![None, Some("t"), None]))];
    let rows = batch(vec![
        (color, Arc::new(StringArray::from(vec!["RED", "BLUE", "RED"]))),
        (fixed, Arc::new(BinaryArray::from_opt_vec(vec![Some(b"ab"), None, Some(b"cd")]))),
        (decimal, Arc::new(Decimal128Array::from(vec![-1, 255, 0]).with_precision_and_scale(9, 2).expect("a decimal"))),
        (union, Arc::new(StructArray::new(parts, branches, Some(vec![true, true, false].into())))),
    ]);
    let found = read(&file(&[rows], &Options::default()));
    let Value::Record(first) = &found[0] else { panic!("{found:?}") };
    assert_eq!(first[0].1, Value::Enum(1, "RED".into()));
    assert_eq!(first[1].1, Value::Union(1, Box::new(Value::Fixed(2, b"ab".to_vec()))));
    assert_eq!(first[3].1, Value::Union(1, Box::new(Value::Int(5))));
    let Value::Record(second) = &found[1] else { panic!("{found:?}") };
    assert_eq!(second[1].1, Value::Union(0, Box::new(Value::Null)));
    assert_eq!(second[3].1, Value::Union(2, Box::new(Value::String("t".into()))));
    let Value::Record(third) = &found[2] else { panic!("{found:?}") };
    assert_eq!(third[3].1, Value::Union(0, Box::new(Value::Null)));
}

#[test]
fn values_come_back_as_they_were() {
    let mut list = ListBuilder::new(Int32Builder::new());
    list.append_value([Some(1), None, Some(-3)]);
    list.append_value([]);
    let names = || MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut texts = MapBuilder::new(Some(names()), StringBuilder::new(), Int32Builder::new());
    texts.keys().append_value("k");
    texts.values().append_value(9);
    texts.append(true).expect("a map");
    texts.append(true).expect("a map");
    let mut numbers = MapBuilder::new(Some(names()), Int32Builder::new(), StringBuilder::new());
    numbers.keys().append_value(4);
    numbers.values().append_value("v");
    numbers.append(true).expect("a map");
    numbers.append(true).expect("a map");
    let negative = said(
        Field::new("negative", DataType::Decimal128(38, 0), false),
        &[("connect.name", "org.apache.kafka.connect.data.Decimal"), ("connect.parameter.scale", "-2")],
    );
    let column = |name: &str, array: ArrayRef| (Field::new(name, array.data_type().clone(), array.null_count() > 0), array);
    let rows = batch(vec![
        column("boolean", Arc::new(BooleanArray::from(vec![true, false]))),
        column("int8", Arc::new(Int8Array::from(vec![-128, 127]))),
        column("int16", Arc::new(Int16Array::from(vec![-300, 300]))),
        column("long", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
        column("float", Arc::new(Float32Array::from(vec![0.5, -1.0]))),
        column("double", Arc::new(Float64Array::from(vec![0.1, f64::MAX]))),
        column("bytes", Arc::new(BinaryArray::from_vec(vec![b"\x00\xff", b""]))),
        column("string", Arc::new(StringArray::from(vec![Some("é"), None]))),
        column("date", Arc::new(Date32Array::from(vec![-1, 20_000]))),
        column("time", Arc::new(Time32MillisecondArray::from(vec![0, 86_399_999]))),
        column("timestamp", Arc::new(TimestampMillisecondArray::from(vec![-1, 1]))),
        column("decimal", Arc::new(Decimal128Array::from(vec![-129, 128]).with_precision_and_scale(9, 2).expect("digits"))),
        column(
            "wide",
            Arc::new(Decimal256Array::from(vec![i256::MINUS_ONE, i256::ONE]).with_precision_and_scale(50, 2).expect("digits")),
        ),
        (negative, Arc::new(Decimal128Array::from(vec![100, -700]).with_precision_and_scale(38, 0).expect("digits"))),
        column("list", Arc::new(list.finish())),
        column("texts", Arc::new(texts.finish())),
        column("numbers", Arc::new(numbers.finish())),
        (Field::new("nothing", DataType::Null, true), Arc::new(NullArray::new(2))),
    ]);
    let written = file(std::slice::from_ref(&rows), &Options::default());
    assert_eq!(rows_of(&written).as_ref(), Ok(&*rows.schema()));
    assert_eq!(rows_of(&written[..500]), Err(None));
    assert!(matches!(rows_of(b"PAR1PAR1"), Err(Some(_))));
    let reader = apache_avro::Reader::new(&written[..]).expect("a header");
    let metadata = reader.user_metadata();
    let fact = |key: &str| metadata.get(key).map(|value| String::from_utf8_lossy(value).into_owned());
    let facts = ["landfall.first.offset", "landfall.topic", "landfall.partition", "landfall.file"].map(fact);
    assert_eq!(facts.map(Option::unwrap_or_default), ["42", "t", "3", "0.1.abc"]);
    assert!(fact("landfall.topic.id").is_some());
    let found: Vec<Vec<Value>> = reader
        .map(|value| match value.expect("a record") {
            Value::Record(fields) => fields.into_iter().map(|(_, value)| value).collect(),
            other => panic!("{other:?}"),
        })
        .collect();
    let null = || Value::Union(0, Box::new(Value::Null));
    let some = |value| Value::Union(1, Box::new(value));
    assert_eq!(
        found[0][..8],
        [
            Value::Boolean(true),
            Value::Int(-128),
            Value::Int(-300),
            some(Value::Long(i64::MIN)),
            Value::Float(0.5),
            Value::Double(0.1),
            Value::Bytes(b"\x00\xff".to_vec()),
            some(Value::String("é".into())),
        ]
    );
    assert_eq!((&found[1][3], &found[1][7]), (&null(), &null()));
    assert_eq!(found[1][8..11], [Value::Date(20_000), Value::TimeMillis(86_399_999), Value::TimestampMillis(1)]);
    let digits = |row: usize, column: usize| match &found[row][column] {
        Value::Decimal(decimal) => Vec::<u8>::try_from(decimal.clone()).expect("bytes"),
        Value::Bytes(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((digits(0, 11), digits(1, 11)), (vec![0xff, 0x7f], vec![0, 0x80]));
    assert_eq!((digits(0, 12), digits(1, 12)), (vec![0xff], vec![1]));
    assert_eq!((digits(0, 13), digits(1, 13)), (vec![1], vec![0xf9]));
    assert_eq!(found[0][14], Value::Array(vec![some(Value::Int(1)), null(), some(Value::Int(-3))]));
    assert_eq!(found[1][14], Value::Array(vec![]));
    assert_eq!(found[0][15], Value::Map([("k".to_owned(), some(Value::Int(9)))].into()));
    let entry = vec![("key".to_owned(), Value::Int(4)), ("value".to_owned(), some(Value::String("v".into())))];
    assert_eq!(found[0][16], Value::Array(vec![Value::Record(entry)]));
    assert_eq!(found[0][17], Value::Null);
}

#[test]
fn values_that_are_no_structs_stand_alone() {
    let plain = HashMap::from([("landfall.plain".to_owned(), "true".to_owned())]);
    let schema = Schema::new_with_metadata(vec![Field::new("value", DataType::Utf8, false)], plain.clone());
    let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(vec!["a", "b"]))]).expect("a column");
    let found = read(&file(&[rows], &Options::default()));
    assert_eq!(found, [Value::String("a".into()), Value::String("b".into())]);

    let two = vec![Field::new("value", DataType::Utf8, false), Field::new("__offset", DataType::Int64, false)];
    let schema = Schema::new_with_metadata(two, plain);
    let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["a"])), Arc::new(Int64Array::from(vec![7]))];
    let found = read(&file(&[RecordBatch::try_new(Arc::new(schema), columns).expect("columns")], &Options::default()));
    assert!(matches!(&found[0], Value::Record(fields) if fields[1] == ("__offset".to_owned(), Value::Long(7))), "{found:?}");
}

#[test]
fn a_large_file_comes_in_blocks_and_holds_little() {
    let rows = |from: i64| {
        let id: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1000));
        let name: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + 1000).map(|i| format!("{i:0>100}"))));
        RecordBatch::try_from_iter([("id", id), ("name", name)]).expect("columns")
    };
    for codec in [Codec::Null, Codec::Snappy, Codec::Deflate(6), Codec::Bzip2, Codec::Zstandard(3)] {
        let mut encoder = Box::new(Avro::new(rows(0).schema_ref(), &Options { codec, ..Options::default() }, &facts()));
        let (mut blocks, mut sizes) = (Vec::new(), Vec::new());
        let batches = if codec == Codec::Null { 100 } else { 10 };
        for n in 0..batches {
            encoder.write(&rows(n * 1000), 0, 4 << 20).expect("write");
            blocks.extend(encoder.take());
            sizes.push(encoder.size());
            assert!(encoder.records.capacity() <= 2 * BLOCK + 1024 && encoder.stream.pending.capacity() <= 512 << 10);
        }
        // records count as they are until their block ends
        assert!(sizes.windows(2).all(|pair| pair[1] + 2 * BLOCK as u64 > pair[0]), "{codec:?}: {sizes:?}");
        let size = encoder.size();
        blocks.extend(encoder.finish(0).expect("finish"));
        let file = blocks.concat();
        assert!(file.len() as u64 <= size + 100_000, "{codec:?}");
        if codec == Codec::Null {
            assert_eq!((read(&file).len(), blocks.len()), (100_000, 3));
        }
    }
}

#[test]
fn what_avro_has_no_name_or_type_for_is_refused() {
    let check = |field: Field| {
        let error = check(&Options::default(), &Field::new("v", DataType::Struct(vec![field].into()), true), None);
        error.map_err(|error| error.to_string()).expect_err("refused")
    };
    let refused = "org.apache.avro.SchemaParseException: Illegal character in: a-b";
    assert_eq!(check(Field::new("a-b", DataType::Utf8, true)), refused);
    let refused = "org.apache.avro.SchemaParseException: Illegal initial character: 1a";
    assert_eq!(check(Field::new("1a", DataType::Utf8, true)), refused);
    assert_eq!(check(Field::new("", DataType::Utf8, true)), "org.apache.avro.SchemaParseException: Empty name");
    assert!(check(Field::new("n", DataType::UInt8, true)).ends_with("n is of the type UInt8, which Avro does not have"));
}
