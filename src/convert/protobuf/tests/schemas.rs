//! What schemas become, and which are refused. The expected Connect schemas come from reading `ProtobufData`; it cannot be run here.

use super::*;

/// The field with its type and everything that Connect knows of it, as text.
fn shown(field: &Field) -> Value {
    let key = |key: &str| key.replacen("connect.", "", 1).replace("parameter.io.confluent.connect.protobuf.", "");
    let mut metadata: Vec<_> = field.metadata().iter().map(|(k, v)| format!("{}={v}", key(k))).collect();
    metadata.sort();
    let inner = match field.data_type() {
        DataType::Struct(fields) => fields.iter().map(|field| shown(field)).collect(),
        DataType::List(item) => shown(item),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.iter().map(|field| shown(field)).collect(),
            other => panic!("{other}"),
        },
        simple => json!(simple.to_string()),
    };
    let optional = if field.is_nullable() { "?" } else { "" };
    json!([format!("{}{optional} {}", field.name(), metadata.join(" ")).trim(), inner])
}

fn schema(text: &str, properties: &[(&str, &str)]) -> Value {
    shown(&column(text, properties, &[&[]]).field)
}

fn refused(text: &str) -> String {
    match decoder_of(text, &Properties::new()) {
        Err(error) => error.to_string(),
        Ok(mut decoder) => decode(&mut *decoder, &[Some(&[])]).remove(0).column.expect_err("refused").to_string(),
    }
}

const ALL: &str = "syntax = \"proto3\"; package p.q; import \"confluent/meta.proto\";
    message M { oneof kind { int32 a = 1; N b = 2; } uint32 c = 3; repeated E d = 4; map<string, N> e_f = 5;
      sint32 g = 6 [(confluent.field_meta) = { params: { key: \"connect.type\", value: \"int8\" } }]; optional bool h = 7; }
    message N { string x = 1; } enum E { Z = 0; Y = 5; }";

#[test]
fn a_schema_is_connects() {
    let n = |tag: u32, name: &str| json!([format!("{name}? name=N Tag={tag}"), [["x? Tag=1", "Utf8"]]]);
    let expected = json!([
        "value? name=M",
        [
            ["kind_0? name=io.confluent.connect.protobuf.Union.kind", [["a? Tag=1", "Int32"], n(2, "b")]],
            ["c? Tag=3 Type=uint32", "Int64"],
            ["d? Tag=4", ["item? name=E Enum.Y=5 Enum.Z=0 Enum=E", "Utf8"]],
            ["e_f? name=e_f Tag=5", [["key Tag=1", "Utf8"], n(2, "value")]],
            ["g? Tag=6", "Int8"],
            ["h? Tag=7", "Boolean"],
        ]
    ]);
    assert_eq!(schema(ALL, &[]), expected);
}

#[test]
fn options_change_names_and_nullability() {
    let names = schema(ALL, &[("enhanced.protobuf.schema.support", "true"), ("generate.index.for.unions", "false")]);
    assert_eq!(names[0], "value? name=p.q.M");
    assert_eq!(names[1][0][0], "kind? name=io.confluent.connect.protobuf.Union.p.q.M.kind");
    assert_eq!(names[1][2][1][0], "item? name=p.q.E Enum.Y=5 Enum.Z=0 Enum=E");
    assert_eq!(names[1][3][0], "e_f? name=p.q.M.e_f Tag=5");

    let sums = schema(ALL, &[("generalized.sum.type.support", "true"), ("int.for.enums", "true")]);
    assert_eq!(sums[1][0][0], "kind_0? name=kind parameter.org.apache.kafka.connect.data.Union=kind");
    let enums = "item? name=E parameter.org.apache.kafka.connect.data.Enum.Y=5 parameter.org.apache.kafka.connect.data.Enum.Z=0 \
                 parameter.org.apache.kafka.connect.data.Enum=E";
    assert_eq!(sums[1][2][1], json!([enums, "Int32"]));

    let optional = |properties: &[(&str, &str)]| {
        let fields = schema(ALL, properties)[1].clone();
        let names = fields.as_array().expect("fields").iter().map(|field| field[0].as_str().unwrap_or_default().contains('?'));
        (names.collect::<Vec<_>>(), fields[0][1][0][0].as_str().unwrap_or_default().contains('?'))
    };
    assert_eq!(optional(&[("optional.for.nullables", "true")]), (vec![true, false, true, true, false, true], true));
    let wrapped = schema(&ALL.replace("optional bool h = 7;", ""), &[("wrapper.for.nullables", "true")]);
    assert_eq!((&wrapped[1][1][0], &wrapped[1][0][1][0][0]), (&json!("c Tag=3 Type=uint32"), &json!("a? Tag=1")));

    let flat = schema(ALL, &[("flatten.unions", "true")]);
    assert_eq!((&flat[1][0][0], &flat[1][1][0]), (&json!("a? Tag=1"), &json!("b? name=N Tag=2")));
}

#[test]
fn logical_types_are_arrows() {
    let text = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; import \"google/type/date.proto\";
        import \"google/type/timeofday.proto\"; import \"confluent/type/decimal.proto\"; import \"confluent/type/variant.proto\";
        message M { google.protobuf.Timestamp a = 1; google.type.Date b = 2; google.type.TimeOfDay c = 3; confluent.type.Decimal d = 4;
          confluent.type.Decimal e = 5 [(confluent.field_meta).params = { key: \"scale\" value: \"3\" }]; confluent.type.Variant f = 6; }";
    let expected = json!([
        "value? name=M",
        [
            ["a? name=org.apache.kafka.connect.data.Timestamp Tag=1", "Timestamp(ms, \"UTC\")"],
            ["b? name=org.apache.kafka.connect.data.Date Tag=2", "Date32"],
            ["c? name=org.apache.kafka.connect.data.Time Tag=3", "Time32(ms)"],
            ["d? name=org.apache.kafka.connect.data.Decimal Tag=4 parameter.scale=0", "Decimal128(38, 0)"],
            ["e? name=org.apache.kafka.connect.data.Decimal Tag=5 parameter.scale=3", "Decimal128(38, 3)"],
            ["f? name=org.apache.kafka.connect.data.Variant Tag=6", [["metadata", "Binary"], ["value", "Binary"]]],
        ]
    ]);
    assert_eq!(schema(text, &[]), expected);
}

#[test]
fn references_and_what_everybody_knows_are_imported() {
    let references = vec![
        ("deep/er.proto".to_owned(), "syntax = \"proto3\"; package d; message D { int32 x = 1; }".to_owned()),
        (
            "other.proto".to_owned(),
            "syntax = \"proto2\"; package o; import public \"deep/er.proto\"; message O { optional d.D d = 1; }".to_owned(),
        ),
    ];
    let text = "syntax = \"proto3\"; import \"other.proto\"; import \"google/type/color.proto\"; import \"google/protobuf/duration.proto\";
        import \"nowhere/at/all.proto\"; message M { o.O o = 1; d.D d = 2; google.type.Color c = 3; google.protobuf.Duration e = 4 [(nobody.knows) = 1]; }";
    let options = Options::parse(&Properties::new(), &mut Faults::default()).expect("options");
    let format = Protobuf { name: "value", header: None, options };
    let schema = RegisteredSchema { kind: "PROTOBUF".into(), text: text.into(), references, version: Some(3) };
    let mut decoder = format.decoder(&schema).unwrap_or_else(|error| panic!("{error}"));
    let runs = decode(&mut *decoder, &[Some(&sub(1, sub(1, int(1, 7))))]);
    let column = runs[0].column.as_ref().expect("a column");
    assert_eq!(column.field.metadata()["connect.version"], "3");
    assert_eq!(values(&column.array), [json!({"o": {"d": {"x": 7}}, "d": null, "c": null, "e": null})]);
    assert!(format.decoder(&RegisteredSchema { kind: "AVRO".into(), ..schema }).is_err());
    let imports: String = known::paths().map(|path| format!("import \"{path}\";")).collect();
    assert_eq!(value(&format!("syntax = \"proto3\"; {imports} message M {{ int32 x = 1; }}"), &[], &[]), json!({"x": 0}));
}

#[test]
fn a_descriptor_in_base64_is_a_schema_too() {
    // message M { int32 x = 1; } of proto3, as protoc writes it.
    let text = "CgdtLnByb3RvIg4KAU0SCQoBeBgBIAEoBWIGcHJvdG8z";
    assert_eq!(value(text, &[], &int(1, 4)), json!({"x": 4}));
}

#[test]
fn what_cannot_be_a_column_is_refused_with_the_reason() {
    let data = "org.apache.kafka.connect.errors.DataException: ";
    let cases = [
        (
            proto3("message M { A a = 1; } message A { repeated B b = 1; } message B { map<string, A> c = 1; }"),
            format!("{data}p.A is recursive at a.b.c: no column can hold it"),
        ),
        (
            "syntax = \"proto2\"; message M { optional group G = 1 { optional int32 a = 1; } }".to_owned(),
            format!("{data}Unknown Connect schema type: GROUP"),
        ),
        (
            proto3("message M { oneof o { int32 a = 1; } int32 o_0 = 2; }"),
            "org.apache.kafka.connect.errors.SchemaBuilderException: Cannot create field because of field name duplication o_0"
                .to_owned(),
        ),
    ];
    for (text, error) in cases {
        assert_eq!(refused(&text), error);
    }
    for text in ["edition = \"2023\"; message M {}", "not a schema", "syntax = \"proto3\"; message M { Unknown a = 1; }", ""] {
        let error = refused(text);
        assert!(
            error.starts_with("org.apache.kafka.common.errors.SerializationException: Error deserializing Protobuf message: "),
            "{error}"
        );
    }
}

#[test]
fn a_path_says_which_message_it_is() {
    let text = proto3(
        "enum E { Z = 0; } message A { map<string, int32> m = 1; message B { int32 b = 1; } message C { int32 c = 1; } } message D { int32 d = 1; }",
    );
    let mut decoder = decoder(&text, &[]);
    let records: [(&[u8], &str); 8] = [
        (&[0], "A"),
        (&[2, 0], "A"),
        (&[2, 2, 8, 1], "D"),
        (&[4, 0, 0, 8, 1], "B"),
        (&[4, 0, 2, 8, 1], "C"),
        (&[2, 8], "Invalid message indexes: [4]"),
        (&[1], "Illegal Capacity: -1"),
        (&[8, 2], "the bytes end within the message indexes"),
    ];
    let payloads: Vec<_> = records.iter().map(|(bytes, _)| Some(*bytes)).chain([None]).collect();
    let runs = decode_framed(&mut *decoder, &payloads);
    let shown: Vec<_> = runs
        .iter()
        .flat_map(|run| {
            let name = match &run.column {
                Ok(column) => column.field.metadata().get("connect.name").cloned().unwrap_or_default(),
                Err(error) => error.message.clone(),
            };
            std::iter::repeat_n(name, run.rows.len())
        })
        .collect();
    let expected: Vec<_> = records.iter().map(|(_, name)| (*name).to_owned()).chain([String::new()]).collect();
    assert_eq!(shown, expected);
    assert_eq!(runs[0].rows, 0..2, "the long way to write the path to the first message is the same message");
}

#[test]
fn keys_are_checked_by_name() {
    let properties =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Properties>();
    let url = ("schema.registry.url", "http://localhost:1");
    assert!(ProtobufConverterClass.build(&properties(&[url]), Role::Value).is_ok());
    let faults = ProtobufConverterClass
        .build(&properties(&[url, ("derive.type", "true"), ("int.for.enums", "x")]), Role::Key)
        .expect_err("refused");
    assert_eq!(faults.0.iter().map(|fault| &*fault.key).collect::<Vec<_>>(), ["int.for.enums", "derive.type"]);
    let faults = ProtobufConverterClass.build(&Properties::new(), Role::Value).expect_err("refused");
    assert_eq!(faults.0[0].key, "schema.registry.url");
}

#[test]
fn an_id_in_a_header_leaves_the_value_bare() {
    let options = Options::parse(&Properties::new(), &mut Faults::default()).expect("options");
    let format = Protobuf { name: "value", header: Some("__value_schema_id"), options };
    let guid = [&[1][..], &[7; 16], &[2, 2]].concat();
    let (id, payload) = format.frame(&[8, 1], Some(&guid)).expect("framed");
    assert_eq!((id, &*payload), (SchemaId::Guid(u128::from_be_bytes([7; 16])), &[2, 2, 8, 1][..]));
    let (id, payload) = format.frame(&[0, 0, 0, 0, 5, 0, 8, 1], None).expect("framed");
    assert_eq!((id, &*payload), (SchemaId::Number(5), &[0, 8, 1][..]));
}
