//! What becomes of Avro schemas and records; expected Connect schemas come from reading Confluent's `AvroData` (8.x), whose class cannot
//! be had from a public repository of artifacts.

mod java;
mod registry;
mod values;

use std::fmt::Write as _;

use arrow_array::BinaryArray;
use arrow_array::cast::AsArray as _;
use arrow_schema::{DataType, Field};
use landfall_api::Records;
use landfall_api::schema::DEFAULT;

use super::super::registry::{NoSchema, Schemas};
use super::*;

const PLAIN: Options = Options {
    meta_data: true,
    enhanced: false,
    generalized: false,
    flatten: true,
    discard: false,
    scrub: false,
    ignore_default: false,
};

fn registered(text: &str) -> RegisteredSchema {
    RegisteredSchema { kind: "AVRO".into(), text: text.into(), references: Vec::new(), version: None }
}

fn decoder(text: &str, options: Options) -> Result<AvroDecoder, RecordError> {
    AvroDecoder::new(&registered(text), "value", options, true)
}

/// `name type`, a `?` where it may be null, and the metadata, shortened; what is inside in braces.
fn told(field: &Field) -> String {
    let mut text = format!("{} ", field.name());
    let nested = |fields: &mut dyn Iterator<Item = &Field>| format!("{{{}}}", fields.map(told).collect::<Vec<_>>().join(", "));
    text += &match field.data_type() {
        DataType::Struct(fields) => nested(&mut fields.iter().map(|field| &**field)),
        DataType::List(item) => format!("list{}", nested(&mut [&**item].into_iter())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => format!("map{}", nested(&mut fields.iter().map(|field| &**field))),
            other => panic!("{other}"),
        },
        other => other.to_string(),
    };
    if field.is_nullable() {
        text.push('?');
    }
    let mut metadata: Vec<_> = field.metadata().iter().collect();
    metadata.sort();
    for (key, value) in metadata {
        let key = key.replace("connect.parameter.", "+").replace("io.confluent.connect.avro.", "~").replace("connect.", "");
        write!(text, " {key}={}", value.replace("org.apache.kafka.connect.data.", "")).expect("a string takes it");
    }
    text
}

#[test]
fn schemas_become_what_confluent_makes_of_them() {
    let record = |fields: &str| format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{fields}]}}"#);
    let field = |schema: &str| record(&format!(r#"{{"name":"a","type":{schema}}}"#));
    for (schema, expected) in [
        ("\"string\"".to_owned(), "value Utf8?"),
        (r#"["null","long"]"#.into(), "value Int64?"),
        (r#"["long"]"#.into(), "value Int64?"),
        (field("\"int\""), "value {a Int32}? name=n.R"),
        (field(r#"{"type":"int","connect.type":"int8"}"#), "value {a Int8}? name=n.R"),
        (field(r#"{"type":"int","logicalType":"date"}"#), "value {a Date32 name=Date version=1}? name=n.R"),
        (field(r#"{"type":"int","logicalType":"time-millis"}"#), "value {a Time32(ms) name=Time version=1}? name=n.R"),
        (
            field(r#"["null",{"type":"long","logicalType":"timestamp-millis","connect.version":1}]"#),
            "value {a Timestamp(ms, \"UTC\")? name=Timestamp version=1}? name=n.R",
        ),
        // What older versions wrote: the name alone says it.
        (
            field(r#"{"type":"long","connect.name":"org.apache.kafka.connect.data.Timestamp"}"#),
            "value {a Timestamp(ms, \"UTC\") name=Timestamp}? name=n.R",
        ),
        (
            field(r#"{"type":"long","logicalType":"timestamp-micros"}"#),
            "value {a Int64 landfall.logical=timestamp-micros}? name=n.R",
        ),
        (
            field(r#"{"type":"long","connect.name":"io.debezium.time.MicroTimestamp","connect.version":1}"#),
            "value {a Int64 name=io.debezium.time.MicroTimestamp version=1}? name=n.R",
        ),
        (field(r#"{"type":"string","logicalType":"uuid"}"#), "value {a Utf8 landfall.logical=uuid}? name=n.R"),
        (
            field(r#"{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}"#),
            "value {a Decimal128(10, 2) name=Decimal +decimal.precision=10 +scale=2 version=1}? name=n.R",
        ),
        (
            field(r#"{"type":"bytes","logicalType":"decimal","precision":64,"scale":-2}"#),
            "value {a Decimal128(38, 0) name=Decimal +scale=-2 version=1}? name=n.R",
        ),
        (
            field(r#"{"type":"fixed","name":"F","size":20,"logicalType":"decimal","precision":45}"#),
            "value {a Decimal256(45, 0) name=Decimal +decimal.precision=45 +fixed.size=20 +scale=0 version=1}? name=n.R",
        ),
        (field(r#"{"type":"fixed","name":"F","size":3}"#), "value {a Binary name=n.F +fixed.size=3}? name=n.R"),
        (
            field(r#"{"type":"enum","name":"E","symbols":["X","Y"],"default":"X","doc":"d"}"#),
            "value {a Utf8 name=n.E +~Enum=n.E +~Enum.X=X +~Enum.Y=Y +~enum.default.E=X +~enum.doc.E=d}? name=n.R",
        ),
        (field(r#"{"type":"array","items":["null","int"]}"#), "value {a list{item Int32?}}? name=n.R"),
        (field(r#"{"type":"map","values":"int"}"#), "value {a map{key Utf8, value Int32}}? name=n.R"),
        (
            field(
                r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[
                {"name":"value","type":["null","string"]},{"name":"key","type":"int"}]}}"#,
            ),
            "value {a map{key Int32, value Utf8?}}? name=n.R",
        ),
        (
            field(r#"["null","long",{"type":"record","name":"x.S","fields":[{"name":"b","type":"boolean"}]}]"#),
            "value {a {long Int64?, S {b Boolean}? name=x.S}? name=~Union}? name=n.R".replace("~", "io.confluent.connect.avro.").as_str(),
        ),
        (
            record(r#"{"name":"a","type":"int","default":7,"doc":"d"},{"name":"b","type":["null",{"type":"int","connect.default":0}]}"#),
            "value {a Int32 default=7 +~field.default=true, b Int32? default=0}? name=n.R +~field.doc.a=d",
        ),
        (
            field(r#"{"type":"string","connect.parameters":{"__debezium.source.column.type":"VARCHAR"},"avro.java.string":"String"}"#),
            "value {a Utf8 +__debezium.source.column.type=VARCHAR +avro.java.string=String}? name=n.R",
        ),
        (record(""), "value {}? name=n.R"),
        // Qlik writes names that Avro does not allow.
        (
            r#"{"type":"record","name":"DataRecord","namespace":"com.attunity.queue.msg.my-task.T$1","fields":[{"name":"a-b","type":"int"}]}"#.into(),
            "value {a-b Int32}? name=com.attunity.queue.msg.my-task.T$1.DataRecord",
        ),
        (
            r#"{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","doc":"d","fields":[]}"#.into(),
            "value {}? +~record.doc=d",
        ),
    ] {
        let made = decoder(&schema, PLAIN).unwrap_or_else(|error| panic!("{schema}: {error}"));
        assert_eq!(told(&made.field), expected, "{schema}");
    }
}

#[test]
fn options_change_names_and_parameters() {
    let union = r#"[{"type":"enum","name":"x.E-1","symbols":["A","B"]},"null","long"]"#;
    let cases = [
        (
            Options { enhanced: true, ..PLAIN },
            "value {x.E-1 Utf8? name=x.E-1 +~Enum=x.E-1 +~Enum.A=A +~Enum.B=B, long Int64?}? name=~Union",
        ),
        (
            Options { scrub: true, ..PLAIN },
            "value {E_1 Utf8? name=x.E-1 +~Enum=x.E-1 +~Enum.A=A +~Enum.B=B, long Int64?}? name=~Union",
        ),
        (
            Options { generalized: true, ..PLAIN },
            "value {connect_union_field_0 Utf8? name=x.E-1 +org.apache.kafka.data.Enum=x.E-1 +org.apache.kafka.data.Enum.A=0 +org.apache.kafka.data.Enum.B=1, connect_union_field_2 Int64?}? name=connect_union_0 +org.apache.kafka.data.Union=connect_union_0",
        ),
    ];
    for (options, expected) in cases {
        let made = decoder(union, options).expect("a decoder");
        let told = told(&made.field).replace("io.confluent.connect.avro.", "~");
        assert_eq!(told, expected);
    }
    let documented = r#"{"type":"record","name":"R","doc":"r","fields":[{"name":"a","type":{"type":"int","connect.doc":"c"},"default":1,"doc":"f"}]}"#;
    let shown = |text, options| told(&decoder(text, options).expect("a decoder").field);
    assert_eq!(
        shown(documented, PLAIN),
        "value {a Int32 default=1 doc=c +~field.default=true}? name=R +~field.doc.a=f +~record.doc=r"
    );
    assert_eq!(
        shown(documented, Options { discard: true, ..PLAIN }),
        "value {a Int32 default=1 doc=f}? doc=r name=R +record.doc=r"
    );
    assert_eq!(shown(documented, Options { meta_data: false, ..PLAIN }), "value {a Int32 default=1}? name=R");
    assert_eq!(
        shown(r#"["int"]"#, Options { flatten: false, ..PLAIN }),
        "value {int Int32?}? name=io.confluent.connect.avro.Union"
    );
}

#[test]
fn schemas_that_no_columns_can_have_are_refused() {
    let recursive = r#"{"type":"record","name":"n.Node","fields":[{"name":"v","type":"int"},{"name":"next","type":["null",{"type":"array","items":"n.Node"}]}]}"#;
    let mut many = r#"{"type":"record","name":"T0","fields":[{"name":"a","type":"int"}]}"#.to_owned();
    for level in 1..40 {
        many = format!(
            r#"{{"type":"record","name":"T{level}","fields":[{{"name":"a","type":{many}}},{{"name":"b","type":"T{}"}}]}}"#,
            level - 1
        );
    }
    let field = |level: usize| {
        format!(
            r#"{{"name":"f{level}","type":{{"type":"record","name":"D{level}","fields":[{{"name":"a","type":"D{}"}}]}}}}"#,
            level - 1
        )
    };
    let deep: Vec<_> = (1..150).map(field).collect();
    let first = r#"{"name":"f0","type":{"type":"record","name":"D0","fields":[]}}"#;
    let deep = format!(r#"{{"type":"record","name":"R","fields":[{first},{}]}}"#, deep.join(","));
    for (schema, error) in [
        (&*deep, "DataException: a schema of more than 50000 columns, or more than 50 deep"),
        (recursive, "DataException: the schema is recursive: value.next.item is a n.Node in itself, which no column can be"),
        (&many, "DataException: a schema of more than 50000 columns, or more than 50 deep"),
        ("\"null\"", "DataException: Herder null schemas are not supported by this converter"),
        (r#"{"type":"int","connect.type":"int9"}"#, "DataException: Connect type annotation for Avro int field is null"),
        (
            r#"{"type":"long","logicalType":"timestamp-millis","connect.version":2}"#,
            "DataException: Mismatched versions: version already added to SchemaBuilder (1) differs from version in source schema (2)",
        ),
        (
            r#"{"type":"int","logicalType":"date","connect.name":"D"}"#,
            "DataException: Mismatched names: name already added to SchemaBuilder (org.apache.kafka.connect.data.Date) differs from name in source schema (D)",
        ),
        (
            r#"[{"type":"enum","name":"a.E","symbols":["A"]},"int",{"type":"enum","name":"b.E","symbols":["A"]}]"#,
            "DataException: Multiple union schemas map to the Connect union field name",
        ),
        ("{\"type\":", "SerializationException: the schema is no Avro schema: EOF while parsing a value at line 1 column 8"),
    ] {
        let found = decoder(schema, PLAIN).expect_err(schema).to_string();
        assert!(found.ends_with(error), "{found}");
    }
    let proto = RegisteredSchema { kind: "PROTOBUF".into(), ..registered("") };
    let error = AvroDecoder::new(&proto, "value", PLAIN, false).expect_err("refused");
    assert_eq!(error, serialization("Incompatible schema of type 'PROTOBUF', expected AVRO"));
}

/// What the rows of `payloads` are, `!` and the error for those that were refused.
fn decoded(text: &str, options: Options, payloads: &[Option<&[u8]>]) -> Vec<String> {
    let mut decoder = decoder(text, options).expect("a decoder");
    let mut rows = Vec::new();
    for run in decoder.decode(payloads) {
        match run.column {
            Ok(column) => rows.extend((0..column.array.len()).map(|row| values::json(&column.array, row).to_string())),
            Err(error) => rows.push(format!("!{error}")),
        }
    }
    rows
}

#[test]
fn bad_records_are_refused_alone() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"s","type":"string"},{"name":"l","type":{"type":"array","items":{"type":"record","name":"Z","fields":[]}}},{"name":"t","type":["null",{"type":"int","logicalType":"time-millis"}]}]}"#;
    let payloads: [Option<&[u8]>; 13] = [
        Some(b"\x02a\x00\x00"),
        None,
        Some(b"\x02\xff\x00\x00"),
        Some(b"\x03a\x00\x00"),
        Some(b"\x80"),
        Some(b""),
        Some(b"\x02a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"),
        Some(b"\x02a\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Some(b"\x02a\x00\x04"),
        Some(b"\x02a\x00\x02\x01"),
        Some(b"\x02a\x00\x00z"),
        Some(b"\x02a\x04\x00\x02\x02"),
        Some(b"\x02a\x03\x02\x00\x00"),
    ];
    let error = |why: &str| format!("!org.apache.kafka.common.errors.SerializationException: {why}");
    let expected = [
        r#"{"s":"a","l":[],"t":null}"#.to_owned(),
        "null".into(),
        error("a string is not UTF-8"),
        error("-2 is no valid length"),
        error("the value ends too early"),
        error("the value ends too early"),
        error("-9223372036854775808 is no valid count of items"),
        error("9223372036854775807 is no valid count of items"),
        error("2 is no valid branch of a union"),
        "!org.apache.kafka.connect.errors.DataException: Time values must use number of milliseconds greater than 0 and less than 86400000".into(),
        error("1 bytes after the value"),
        r#"{"s":"a","l":[{},{}],"t":1}"#.into(),
        r#"{"s":"a","l":[{},{}],"t":null}"#.into(),
    ];
    assert_eq!(decoded(schema, PLAIN, &payloads), expected);
}

#[test]
fn a_null_in_a_field_with_a_default_is_the_default_unless_that_is_to_be_ignored() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":[{"type":"string","connect.default":"x"},"null"]},
        {"name":"b","type":["null",{"type":"bytes","logicalType":"decimal","scale":1,"connect.default":"\u0001\u0000"}]},
        {"name":"c","type":{"type":"array","items":["null",{"type":"int","connect.default":1}]}}]}"#;
    let payload: &[_] = &[Some(&b"\x02\x00\x02\x00\x00"[..])];
    assert_eq!(decoded(schema, PLAIN, payload), [r#"{"a":"x","b":"256","c":[null]}"#]);
    assert_eq!(decoded(schema, Options { ignore_default: true, ..PLAIN }, payload), [r#"{"a":null,"b":null,"c":[null]}"#]);
    let field = decoder(schema, PLAIN).expect("a decoder").field;
    let DataType::Struct(fields) = field.data_type() else { panic!() };
    assert_eq!(fields[1].metadata()[DEFAULT], "\"AQA=\"");
}

#[test]
fn bytes_alone_have_no_length_before_them() {
    assert_eq!(decoded("\"bytes\"", PLAIN, &[Some(b"\x01\x02"), Some(b""), None]), ["\"0102\"", "\"\"", "null"]);
    assert_eq!(decoded(r#"{"type":"string"}"#, PLAIN, &[Some(b"\x02a")]), ["\"a\""]);
}

/// The schemas 1 and 2, and none else.
#[derive(Debug)]
struct Two;

impl Schemas for Two {
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
        match id {
            SchemaId::Number(1) => Ok(registered("\"string\"")),
            SchemaId::Number(2) | SchemaId::Guid(2) => Ok(registered("\"long\"")),
            _ => Err(NoSchema::Refused(serialization(format!("Error retrieving Avro value schema for id {id}: none")))),
        }
    }
}

#[test]
fn records_name_their_schema_before_them_or_in_a_header() {
    let format = Avro { name: "value", header: Some("__value_schema_id"), options: PLAIN, trailing: false };
    let mut converter = Framed::new("value", format, Box::new(Two));
    let values: [&[u8]; 5] = [b"\0\0\0\0\x01\x02a", b"\0\0\0\0\x02\x0azz", b"\x07", b"\0\0\0\0\x09", b"\0\0\0\0\x02\x80"];
    let bytes: BinaryArray = values.into_iter().map(Some).collect();
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available");
    let found: Vec<_> = runs
        .iter()
        .map(|run| run.column.as_ref().map(|c| values::json(&c.array, 0).to_string()).map_err(ToString::to_string))
        .collect();
    let failed = |why: &str| {
        Err(format!(
            "org.apache.kafka.connect.errors.DataException: Failed to deserialize data for topic t to Avro: org.apache.kafka.common.errors.SerializationException: {why}"
        ))
    };
    assert_eq!(
        found,
        [
            Ok("\"a\"".to_owned()),
            Ok("5".to_owned()),
            failed("Error deserializing schema ID: Unknown magic byte!"),
            failed("Error retrieving Avro value schema for id 9: none"),
            failed("Error deserializing Avro message for id 2: the value ends too early"),
        ]
    );
    let guid = [&[1][..], &2_u128.to_be_bytes()].concat();
    let header: &[(&str, &[u8])] = &[("__key_schema_id", b"x"), ("__value_schema_id", &guid)];
    let headers = values::headers(&[header]);
    let bytes: BinaryArray = [Some(&b"\x0a"[..])].into_iter().collect();
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: Some(&headers) }).expect("available");
    assert_eq!(runs[0].column.as_ref().expect("converted").array.as_primitive::<arrow_array::types::Int64Type>().value(0), 5);
}
