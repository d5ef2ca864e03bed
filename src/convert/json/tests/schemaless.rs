use super::*;
use arrow_schema::Field;

/// Fields of the only struct column: name and type.
fn types(column: &landfall_api::Column) -> Vec<(String, DataType)> {
    let DataType::Struct(fields) = column.field.data_type() else { panic!("{:?} is no struct", column.field) };
    fields.iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
}

#[test]
fn columns_are_learned_from_the_stream() {
    let records = [
        r#"{"id":1,"name":"a","ok":true,"x":1.5,"tags":["p",null,"q"],"at":{"lat":1.0,"lon":2}}"#,
        r#"  { "id" : 2 , "name" : "b\nc\u0041\ud83d\ude00\ud800" , "ok":false, "x": -2e3, "tags": [ ], "at": {"lon": 3}, "new": null }  "#,
        r#"{"new":"n","id":3,"x":null}"#,
    ];
    let column = column(&mut *schemaless(), &records);
    let names: Vec<_> = types(&column).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "name", "ok", "x", "tags", "at", "new"]);
    let expected = vec![
        json!({"id":1,"name":"a","ok":true,"x":1.5,"tags":["p",null,"q"],"at":{"lat":1.0,"lon":2},"new":null}),
        json!({"id":2,"name":"b\ncA😀\u{fffd}","ok":false,"x":-2000.0,"tags":[],"at":{"lat":null,"lon":3},"new":null}),
        json!({"id":3,"name":null,"ok":null,"x":null,"tags":null,"at":null,"new":"n"}),
    ];
    assert_eq!(values(&column.array), expected);
    assert!(column.field.is_nullable());
    assert_eq!(column.field.metadata()["connect.schemaless"], "true");
}

#[test]
fn a_clash_widens_without_a_loss() {
    let cases: &[(&[&str], DataType, Vec<Value>)] = &[
        (&["1", "2.5"], DataType::Float64, vec![json!(1.0), json!(2.5)]),
        (&["2.5", "1"], DataType::Float64, vec![json!(2.5), json!(1.0)]),
        (&["1", "null", "true"], DataType::Utf8, vec![json!("1"), json!(null), json!("true")]),
        (&["\"5\"", "5"], DataType::Utf8, vec![json!("\"5\""), json!("5")]),
        (&["[1]", "{ \"a\" : 1 }"], DataType::Utf8, vec![json!("[1]"), json!("{ \"a\" : 1 }")]),
        (&["9007199254740993", "1.5"], DataType::Utf8, vec![json!("9007199254740993"), json!("1.5")]),
        (&["1.5", "9007199254740993"], DataType::Utf8, vec![json!("1.5"), json!("9007199254740993")]),
        (
            &["9223372036854775807", "9223372036854775808"],
            DataType::Utf8,
            vec![json!("9223372036854775807"), json!("9223372036854775808")],
        ),
        (&["1e400"], DataType::Utf8, vec![json!("1e400")]),
        (&["-9223372036854775808", "007", "-0"], DataType::Int64, vec![json!(i64::MIN), json!(7), json!(0)]),
        (&["", " ", "null"], DataType::Null, vec![json!(null), json!(null), json!(null)]),
    ];
    for (records, data_type, expected) in cases {
        let column = column(&mut *schemaless(), records);
        assert_eq!((column.field.data_type(), &values(&column.array)), (data_type, expected), "{records:?}");
    }
}

#[test]
fn a_column_only_widens_and_new_fields_are_appended() {
    let mut converter = schemaless();
    let first = column(&mut *converter, &[r#"{"b":1,"a":"x"}"#]);
    let same = column(&mut *converter, &[r#"{"b":2,"a":null}"#, r#"{}"#]);
    assert!(std::sync::Arc::ptr_eq(&first.field, &same.field), "the schema is the same object while nothing changes");
    let wider = column(&mut *converter, &[r#"{"b":2,"n":0,"a":1}"#]);
    let names: Vec<_> = types(&wider);
    assert_eq!(names, [("b".into(), DataType::Int64), ("a".into(), DataType::Utf8), ("n".into(), DataType::Int64)]);
    let again = column(&mut *converter, &[r#"{"a":"x"}"#]);
    assert_eq!(values(&again.array), [json!({"b":null,"a":"\"x\"","n":null})]);
    assert_eq!(types(&again), names);
}

#[test]
fn what_was_learned_is_recalled() {
    let mut before = schemaless();
    let records = [r#"{"a":1,"b":{"c":[true]},"d":"x","e":1.5,"f":1}"#, r#"{"f":"clash"}"#];
    let learned = column(&mut *before, &records);
    let mut after = schemaless();
    after.recall("t", &learned.field);
    let column = column(&mut *after, &[r#"{"f":2,"g":1}"#]);
    assert_eq!(types(&column)[..5], types(&learned)[..]);
    assert_eq!(values(&column.array), [json!({"a":null,"b":null,"d":null,"e":null,"f":"2","g":1})]);
    // A field that is not ours is not taken up.
    after.recall("t", &std::sync::Arc::new(Field::new("value", DataType::Date32, true)));
}

#[test]
fn what_was_only_ever_null_is_not_shown() {
    let column = column(&mut *schemaless(), &[r#"{"a":null,"b":{},"c":[],"d":{"x":[null]},"e":1}"#]);
    assert_eq!(types(&column), [("e".into(), DataType::Int64)]);
    let nothing = super::column(&mut *schemaless(), &["{}", r#"{"a":null}"#]);
    assert_eq!(types(&nothing), []);
    assert_eq!(nothing.array.len(), 2);
}

#[test]
fn the_last_of_two_fields_with_one_name_counts() {
    let mut converter = schemaless();
    column(&mut *converter, &[r#"{"a":1,"b":[2],"c":"x"}"#]);
    let column = column(&mut *converter, &[r#"{"a":1,"a":2,"b":[3,4],"c":"y","b":[5],"c":null}"#]);
    assert_eq!(values(&column.array), [json!({"a":2,"b":[5],"c":null})]);
}

#[test]
fn invalid_records_are_refused_one_by_one() {
    let mut converter = schemaless();
    let records =
        [Some(&br#"{"a":1}"#[..]), Some(b"{\"a\":"), None, Some(b"{\"a\":2}x"), Some(b"{\"a\":\"\xff\"}"), Some(b"{\"a\":3}")];
    let runs = convert(&mut *converter, records);
    let shape: Vec<_> = runs.iter().map(|r| (r.rows.clone(), r.column.is_ok())).collect();
    assert_eq!(shape, [(0..1, true), (1..2, false), (2..3, true), (3..4, false), (4..5, false), (5..6, true)]);
    assert_eq!(values(&runs[5].column.as_ref().unwrap().array), [json!({"a":3})]);
    let message = "Converting byte[] to Kafka Connect data failed due to serialization error: ";
    let cases: &[(&[u8], &str)] = &[
        (b"{\"a\":", "unexpected end of input at byte 5, expected a value"),
        (b"{\"a\":2}x", "unexpected 'x' at byte 7, expected the end of the record"),
        (b"{\"a\":NaN}", "unexpected 'N' at byte 5, expected a value"),
        (b"{\"a\":nul}", "unexpected 'n' at byte 5, expected null"),
        (b"{\"a\":truex}", "unexpected 't' at byte 5, expected true"),
        (b"{\"a\":1.}", "unexpected '}' at byte 7, expected a digit"),
        (b"{\"a\":-}", "unexpected '}' at byte 6, expected a digit"),
        (b"{\"a\":\"\n\"}", "unexpected byte 0x0a at byte 6, expected the end of a string"),
        (b"{\"a\":\"\\x\"}", "unexpected '\\' at byte 6, expected a valid escape"),
        (b"{\"a\" 1}", "unexpected '1' at byte 5, expected ':'"),
        (b"{\"a\":1,}", "unexpected '}' at byte 7, expected a field name"),
        (b"[1 2]", "unexpected '2' at byte 3, expected ',' or ']'"),
        (b"\xff", "invalid UTF-8"),
    ];
    for (record, reason) in cases {
        assert_eq!(refusal(&mut *converter, record), format!("{message}{reason}"));
    }
}

#[test]
fn deep_nesting_is_refused_and_less_deep_nesting_is_text() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let text = refusal(&mut *schemaless(), nested(1000).as_bytes());
    assert!(text.contains("nested deeper than the limit of 1000"), "{text}");
    let bottomless = "[".repeat(3_000_000);
    assert!(refusal(&mut *schemaless(), bottomless.as_bytes()).contains("nested deeper"));
    let deep = nested(999);
    let mut array = column(&mut *schemaless(), &[&deep]).array.as_struct().column(0).clone();
    let mut text = String::new();
    while let DataType::List(_) = array.data_type() {
        text.push('[');
        array = array.as_list::<i32>().values().clone();
    }
    assert!(text.len() < 40);
    let inner = array.as_string::<i32>().value(0).to_owned();
    assert_eq!(format!("{{\"a\":{text}{inner}{}}}", "]".repeat(text.len())), deep);
}

#[test]
fn an_object_that_is_a_map_becomes_text() {
    let many: Vec<String> = (0..1100).map(|i| format!(r#"{{"m":{{"k{i}":{i}}}}}"#)).collect();
    let column = column(&mut *schemaless(), &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(types(&column), [("m".into(), DataType::Utf8)]);
    assert_eq!(value(&column.array, 7), json!({"m": "{\"k7\":7}"}));
}

#[test]
fn wide_records_in_any_order_find_their_fields() {
    let record = |order: &mut dyn Iterator<Item = usize>| {
        let fields: Vec<_> = order.map(|i| format!("\"f{i}\":{i}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let (up, down) = (record(&mut (0..40)), record(&mut (0..40).rev()));
    let column = column(&mut *schemaless(), &[&up, &down]);
    assert_eq!(value(&column.array, 0), value(&column.array, 1));
    assert_eq!(value(&column.array, 0), serde_json::from_str::<Value>(&up).unwrap());
}

#[test]
fn topics_are_learned_apart() {
    let mut converter = schemaless();
    let bytes = BinaryArray::from(vec![&b"{\"a\":1}"[..]]);
    converter.convert(&Records { topic: "other", bytes: &bytes, headers: None }).expect("available");
    assert_eq!(types(&column(&mut *converter, &[r#"{"b":1}"#])), [("b".into(), DataType::Int64)]);
}

#[test]
fn a_list_without_an_item_is_not_null() {
    for records in [&["[]", "[null]", "[[]]", "[{}]"][..], &["null", "[]"], &["[]", "[1]"]] {
        let column = column(&mut *schemaless(), records);
        let nulls: Vec<bool> = (0..records.len()).map(|row| column.array.is_null(row)).collect();
        assert_eq!(nulls, records.iter().map(|r| *r == "null").collect::<Vec<_>>(), "{records:?}");
        assert!(matches!(column.array.data_type(), DataType::List(_)));
    }
    let learned = column(&mut *schemaless(), &["[]"]).field;
    let mut again = schemaless();
    again.recall("t", &learned);
    assert_eq!(column(&mut *again, &["null"]).field, learned);
    assert_eq!(values(&column(&mut *again, &["[7]", "[]"]).array), [json!([7]), json!([])]);
}
