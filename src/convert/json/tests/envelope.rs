use super::*;
use arrow_schema::TimeUnit;

const NO_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.";

fn envelope(schema: &Value, payload: &str) -> String {
    format!("{{\"schema\":{schema},\"payload\":{payload}}}")
}

fn row() -> Value {
    json!({"type":"struct","optional":false,"name":"Row","version":2,"fields":[
        {"field":"id","type":"int64","optional":false,"doc":"the id"},
        {"field":"s","type":"string","optional":true},
        {"field":"n","type":"int32","optional":false,"default":7},
    ]})
}

#[test]
fn a_schema_that_requires_a_value_is_not_one_that_does_not() {
    let int = |optional: bool, payload: &str| envelope(&json!({"type":"int32","optional":optional}), payload);
    let (required, optional, null) = (int(false, "1"), int(true, "2"), int(true, "null"));
    let mut json = converter(&[]);
    let runs = convert(&mut *json, [&required, &optional, &null, &required].map(|r| Some(&**r)));
    let found: Vec<Value> = runs.iter().flat_map(|run| values(&run.column.as_ref().expect("taken").array)).collect();
    assert_eq!(found, [json!(1), json!(2), json!(null), json!(1)]);
    let refused = refusal(&mut *json, int(false, "null").as_bytes());
    assert_eq!(refused, "Invalid null value for required INT32 field");
    assert_eq!(values(&column(&mut *json, &[&null]).array), [json!(null)]);
}

#[test]
fn every_type_has_its_arrow_type() {
    let schema = json!({"type":"struct","fields":[
        {"field":"i8","type":"int8"},
        {"field":"i16","type":"int16"},
        {"field":"i32","type":"int32","parameters":{"unit":"m"}},
        {"field":"i64","type":"int64"},
        {"field":"f32","type":"float"},
        {"field":"f64","type":"double"},
        {"field":"b","type":"boolean"},
        {"field":"s","type":"string"},
        {"field":"y","type":"bytes"},
        {"field":"a","type":"array","items":{"type":"string","optional":true}},
        {"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"int32","optional":true}},
        {"field":"p","type":"map","keys":{"type":"int32"},"values":{"type":"string"}},
        {"field":"st","type":"struct","optional":true,"fields":[{"field":"x","type":"int32"}]},
        {"field":"d","type":"int32","name":"org.apache.kafka.connect.data.Date","version":1},
        {"field":"t","type":"int32","name":"org.apache.kafka.connect.data.Time","version":1},
        {"field":"ts","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1},
        {"field":"dec","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2","connect.decimal.precision":"10"}},
        {"field":"dec2","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"0"}},
        {"field":"micro","type":"int64","name":"io.debezium.time.MicroTimestamp"},
    ]});
    let payload = r#"{"i8":-128,"i16":300,"i32":3.0,"i64":9007199254740993,"f32":0.1,"f64":1e-3,"b":true,"s":"x","y":"AQI=","a":["p",null],
        "m":{"k":1,"l":null,"k":2},"p":[[1,"one"],[2,"two"]],"st":null,"d":19000,"t":86399999,"ts":1700000000000,"dec":"AN4=","dec2":12,
        "micro":5,"unknown":[{}]}"#;
    let column = column(&mut *converter(&[]), &[&envelope(&schema, payload)]);
    let DataType::Struct(fields) = column.field.data_type() else { panic!() };
    let plain: Vec<_> = fields.iter().map(|f| f.data_type()).filter(|t| !t.is_nested()).cloned().collect();
    use arrow_schema::DataType as T;
    let millis = TimeUnit::Millisecond;
    let numbers = [T::Int8, T::Int16, T::Int32, T::Int64, T::Float32, T::Float64];
    let others = [T::Boolean, T::Utf8, T::Binary, T::Date32, T::Time32(millis), T::Timestamp(millis, Some("UTC".into()))];
    let last = [T::Decimal128(10, 2), T::Decimal128(38, 0), T::Int64];
    assert_eq!(plain, [&numbers[..], &others, &last].concat());
    let expected = json!({"i8":-128,"i16":300,"i32":3,"i64":9007199254740993i64,"f32":0.1f32,"f64":0.001,"b":true,"s":"x","y":[1,2],
        "a":["p",null],"m":[["k",2],["l",null]],"p":[[1,"one"],[2,"two"]],"st":null,"d":19000,"t":86399999,"ts":1700000000000i64,
        "dec":"2.22","dec2":"12","micro":5});
    assert_eq!(values(&column.array), [expected]);
    assert_eq!(fields[2].metadata()["connect.parameter.unit"], "m");
    assert_eq!(fields[18].metadata()["connect.name"], "io.debezium.time.MicroTimestamp");
    assert!(fields[12].is_nullable() && !fields[0].is_nullable());
}

#[test]
fn the_schema_is_in_the_metadata_and_defaults_replace_nulls() {
    let records = [envelope(&row(), r#"{"id":1,"s":"a","n":null}"#), envelope(&row(), r#"{"id":2}"#)];
    let records = records.each_ref().map(String::as_str);
    let column = column(&mut *converter(&[]), &records);
    assert_eq!(values(&column.array), [json!({"id":1,"s":"a","n":7}), json!({"id":2,"s":null,"n":7})]);
    let DataType::Struct(fields) = column.field.data_type() else { panic!() };
    assert_eq!((column.field.name().as_str(), column.field.is_nullable()), ("value", true));
    assert_eq!((&*column.field.metadata()["connect.name"], &*column.field.metadata()["connect.version"]), ("Row", "2"));
    assert_eq!((&*fields[0].metadata()["connect.doc"], &*fields[2].metadata()["connect.default"]), ("the id", "7"));
    let strict = refusal(&mut *converter(&[("replace.null.with.default", "false")]), records[1].as_bytes());
    assert_eq!(strict, "Invalid null value for required INT32 field");
}

#[test]
fn the_shortcut_misses_nothing() {
    let mut converter = converter(&[]);
    let good = envelope(&row(), r#"{"id":1,"s":"a","n":2}"#);
    assert_eq!(values(&column(&mut *converter, &[&good, &good]).array).len(), 2);
    let prefix = &good[..good.len() - 1];
    let mut refused = |record: &str| {
        let runs = convert(&mut *converter, [Some(good.as_str()), Some(record), Some(&good)]);
        assert_eq!(runs.len(), 3, "{record}");
        runs[1].column.as_ref().expect_err("refused").message.clone()
    };
    assert_eq!(refused(&format!("{prefix},\"more\":1}}")), NO_ENVELOPE);
    assert!(refused(&format!("{good}x")).ends_with("expected the end of the record"));
    assert!(refused(prefix).ends_with("expected ',' or '}'"));
    assert!(refused(&format!("{prefix}]")).ends_with("expected ',' or '}'"));
    // The last of two payloads counts; blanks, another order and escaped names change nothing.
    let two = format!("{prefix},\"payload\":{{\"id\":9}}}}");
    let schema = row();
    let other = format!(" {{ \"payload\" : {{\"id\":10}} , \"sch\\u0065ma\" : {schema} }} ");
    let blanks = format!("{good}\n ");
    let column = column(&mut *converter, &[&good, &two, &other, &blanks, &good]);
    let ids: Vec<_> = values(&column.array).iter().map(|v| v["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(9), json!(10), json!(1), json!(1)]);
}

#[test]
fn what_java_refuses_is_refused_in_its_words() {
    let schema = |json: Value| envelope(&json, "{}");
    let value = |data_type: &str, payload: &str| envelope(&json!({"type": data_type}), payload);
    let logical = |data_type: &str, name: &str, payload: &str| {
        let name = format!("org.apache.kafka.connect.data.{name}");
        envelope(&json!({"type":data_type,"name":name,"parameters":{"scale":"0"}}), payload)
    };
    let map = |payload: &str| envelope(&json!({"type":"map","keys":{"type":"int32"},"values":{"type":"int32"}}), payload);
    let cases = [
        ("{}".into(), NO_ENVELOPE),
        ("[]".into(), NO_ENVELOPE),
        ("".into(), NO_ENVELOPE),
        ("null".into(), NO_ENVELOPE),
        (r#"{"schema":null}"#.into(), NO_ENVELOPE),
        (schema(json!({})), "Schema must contain 'type' field"),
        (schema(json!(5)), "Schema must contain 'type' field"),
        (schema(json!({"type":"int128"})), "Unknown schema type: int128"),
        (schema(json!({"type":"array"})), "Array schema did not specify the element type"),
        (schema(json!({"type":"map","values":{"type":"int8"}})), "Map schema did not specify the key type"),
        (schema(json!({"type":"map","keys":{"type":"int8"}})), "Map schema did not specify the value type"),
        (schema(json!({"type":"struct"})), "Struct schema's \"fields\" argument is not an array."),
        (schema(json!({"type":"struct","fields":[{"type":"int8"}]})), "Struct schema's field name not specified properly"),
        (
            schema(json!({"type":"struct","fields":[{"type":"int8","field":"a"},{"type":"int8","field":"a"}]})),
            "Cannot create field because of field name duplication a",
        ),
        (schema(json!({"type":"int8","parameters":{"a":1}})), "Schema parameters must have string values."),
        (schema(json!({"type":"int8","default":null})), "Invalid null value for required INT8 field"),
        (envelope(&row(), "null"), "Invalid null value for required STRUCT field"),
        (envelope(&row(), "{}"), "Invalid null value for required INT64 field"),
        (envelope(&row(), "[]"), "Structs should be encoded as JSON objects, but found ARRAY"),
        (envelope(&row(), r#"{"id":"1"}"#), "invalid value for INT64 field: \"1\""),
        (value("int8", "128"), "invalid value for INT8 field: 128"),
        (value("int32", "1.5"), "invalid value for INT32 field: 1.5"),
        (value("bytes", "\"?\""), "Invalid bytes field"),
        (map("{}"), "Maps with non-string fields should be encoded as JSON array of tuples, but found OBJECT"),
        (map("[1]"), "Found invalid map entry instead of array tuple: NUMBER"),
        (map("[[1]]"), "Found invalid map entry, expected length 2 but found :1"),
        (logical("int32", "Date", "1.0"), "Invalid type for Date, underlying representation should be integer but was NUMBER"),
        (logical("int32", "Time", "-1"), "Time values must use number of milliseconds greater than 0 and less than 86400000"),
        (
            logical("int64", "Timestamp", "\"x\""),
            "Invalid type for Timestamp, underlying representation should be integral but was STRING",
        ),
        (logical("bytes", "Decimal", "\"\""), "Invalid bytes for Decimal field"),
        (
            logical("bytes", "Decimal", "true"),
            "Invalid type for Decimal, underlying representation should be numeric or bytes but was BOOLEAN",
        ),
        (logical("bytes", "Decimal", "1.5"), "a decimal of 38 digits, 0 of them fractional, cannot hold the value 1.5"),
    ];
    for (record, message) in cases {
        assert_eq!(refusal(&mut *converter(&[]), record.as_bytes()), message, "{record}");
    }
    // What is no JSON is refused for that first, whatever else is wrong.
    let late = refusal(&mut *converter(&[]), br#"{"schema":{"type":"int8"},"payload":"x"#);
    assert!(late.starts_with("Converting byte[] to Kafka Connect data failed"), "{late}");
}

#[test]
fn runs_follow_the_schema_and_nulls_join_them() {
    let (a, b) = (envelope(&json!({"type":"int32"}), "1"), envelope(&json!({"type":"string"}), "\"x\""));
    let plain = r#"{"schema":null,"payload":{"f":1}}"#;
    let records = [None, Some(&*a), None, Some("{"), Some(&b), Some(&b), Some(plain), None, Some(plain), Some(&a)];
    let mut converter = converter(&[]);
    let runs = convert(&mut *converter, records);
    let shape: Vec<_> = runs.iter().map(|r| (r.rows.clone(), r.column.as_ref().ok().map(|c| values(&c.array)))).collect();
    let f = json!({"f":1});
    assert_eq!(
        shape,
        [
            (0..3, Some(vec![json!(null), json!(1), json!(null)])),
            (3..4, None),
            (4..6, Some(vec![json!("x"), json!("x")])),
            (6..9, Some(vec![f.clone(), json!(null), f])),
            (9..10, Some(vec![json!(1)])),
        ]
    );
    // A batch of nothing but nulls has the last schema.
    let nulls = convert::<str>(&mut *converter, [None, None]);
    assert_eq!(nulls[0].column.as_ref().unwrap().field.data_type(), &DataType::Int32);
    let unknown = convert::<str>(&mut *super::converter(&[]), [None, None]);
    assert_eq!(unknown[0].column.as_ref().unwrap().field.data_type(), &DataType::Null);
}

#[test]
fn many_schemas_do_not_pile_up() {
    let mut converter = converter(&[("schemas.cache.size", "2")]);
    for i in 0..20 {
        let record =
            envelope(&json!({"type":"struct","fields":[{"field":format!("f{i}"),"type":"int32"}]}), &format!("{{\"f{i}\":{i}}}"));
        let column = column(&mut *converter, &[&record, &record]);
        assert_eq!(value(&column.array, 1), json!({format!("f{i}"): i}));
    }
}

#[test]
fn a_configured_schema_is_that_of_all_records() {
    let schema = row().to_string();
    let mut converter = converter(&[("schema.content", &schema)]);
    let column = column(&mut *converter, &[r#"{"id":1}"#, " {\"n\":1,\"id\":2} "]);
    assert_eq!(values(&column.array), [json!({"id":1,"s":null,"n":7}), json!({"id":2,"s":null,"n":1})]);
    assert!(refusal(&mut *converter, b"{\"id\":1}}").ends_with("expected the end of the record"));
    assert_eq!(refusal(&mut *converter, b"[]"), "Structs should be encoded as JSON objects, but found ARRAY");
    let wrong = Properties::from([("schema.content".into(), "{}".into())]);
    assert_eq!(
        JsonConverterClass.build(&wrong, Role::Value).expect_err("refused").to_string(),
        "Schema must contain 'type' field"
    );
}

#[test]
fn a_null_struct_hides_required_fields() {
    let schema = json!({"type":"struct","fields":[{"field":"o","type":"struct","optional":true,"fields":[
        {"field":"l","type":"array","items":{"type":"int32"}},
        {"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"int32"}},
        {"field":"b","type":"boolean"},
    ]}]});
    let records = [envelope(&schema, r#"{"o":null}"#), envelope(&schema, r#"{"o":{"l":[1],"m":{"k":1},"b":true}}"#)];
    let column = column(&mut *converter(&[]), &records.each_ref().map(String::as_str));
    assert_eq!(values(&column.array), [json!({"o":null}), json!({"o":{"l":[1],"m":[["k",1]],"b":true}})]);
}
