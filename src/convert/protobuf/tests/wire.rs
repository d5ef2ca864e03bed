//! What records become, and which are refused.

use super::*;

const SCALARS: &str = "syntax = \"proto3\"; message M {
    int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; sint32 e = 5; sint64 f = 6; fixed32 g = 7; fixed64 h = 8; sfixed32 i = 9;
    sfixed64 j = 10; float k = 11; double l = 12; bool m = 13; string n = 14; bytes o = 15; }";

#[test]
fn scalars_of_every_type() {
    let record = [
        int(1, -5i64 as u64),
        int(2, i64::MIN as u64),
        int(3, u32::MAX.into()),
        int(4, u64::MAX),
        int(5, 3),
        int(6, 5),
        [&[7 << 3 | 5][..], &u32::MAX.to_le_bytes()].concat(),
        [&[8 << 3 | 1][..], &u64::MAX.to_le_bytes()].concat(),
        [&[9 << 3 | 5][..], &(-7i32).to_le_bytes()].concat(),
        [&[10 << 3 | 1][..], &(-8i64).to_le_bytes()].concat(),
        [&[11 << 3 | 5][..], &1.5f32.to_le_bytes()].concat(),
        [&[12 << 3 | 1][..], &2.5f64.to_le_bytes()].concat(),
        int(13, 2),
        sub(14, "né"),
        sub(15, [0, 255]),
    ]
    .concat();
    let expected = json!({"a": -5, "b": i64::MIN, "c": 4_294_967_295i64, "d": -1, "e": -2, "f": -3, "g": 4_294_967_295i64, "h": -1,
        "i": -7, "j": -8, "k": 1.5, "l": 2.5, "m": true, "n": "né", "o": [0, 255]});
    assert_eq!(value(SCALARS, &[], &record), expected);
    let zero = json!({"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0, "g": 0, "h": 0, "i": 0, "j": 0, "k": 0.0, "l": 0.0, "m": false,
        "n": "", "o": []});
    assert_eq!(value(SCALARS, &[], &[]), zero);
}

#[test]
fn what_comes_again_counts_and_what_nobody_knows_does_not() {
    let text = proto3("message M { int32 a = 1; string b = 2; }");
    // A group in a group, a field of another wire type, and one of a high number.
    let unknown = [vec![9 << 3 | 3, 10 << 3 | 3, 10 << 3 | 4, 9 << 3 | 4], sub(1, "x"), int(99_999, 1)].concat();
    let record = [int(1, 7), sub(2, "first"), unknown, sub(2, "last"), int(1, 8)].concat();
    assert_eq!(value(&text, &[], &record), json!({"a": 8, "b": "last"}));
    // A tag and a number of more bits than they have.
    let long =
        [&[0x88, 0x80, 0x80, 0x80, 0x80, 0x01][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]].concat();
    assert_eq!(value(&text, &[], &long), json!({"a": -1, "b": ""}));
}

#[test]
fn parts_of_a_message_are_one() {
    let text = proto3(
        "message M { N n = 1; repeated N l = 2; } message N { int32 a = 1; repeated int32 b = 2; N2 c = 3; map<string, int32> d = 4; }
         message N2 { int32 x = 1; int32 y = 2; }",
    );
    let entry = |key: &str, value| sub(4, [sub(1, key), int(2, value)].concat());
    let first = [int(1, 1), int(2, 5), sub(3, int(1, 9)), entry("k", 1), entry("l", 2)].concat();
    let second = [int(2, 6), sub(3, int(2, 8)), int(1, 2), entry("k", 3)].concat();
    let merged = json!({"a": 2, "b": [5, 6], "c": {"x": 9, "y": 8}, "d": [["k", 3], ["l", 2]]});
    let whole = json!({"a": 1, "b": [5], "c": {"x": 9, "y": 0}, "d": [["k", 1], ["l", 2]]});
    let empty = json!({"a": 0, "b": [], "c": null, "d": []});
    let record = [sub(1, &first), sub(2, &first), sub(1, &second), sub(2, [])].concat();
    assert_eq!(value(&text, &[], &record), json!({"n": merged, "l": [whole, empty]}));
    let two = column(&text, &[], &[&record, &[], &record]);
    assert_eq!(values(&two.array)[1], json!({"n": null, "l": []}));
    assert_eq!(values(&two.array)[2], json!({"n": merged, "l": [whole, empty]}));
}

#[test]
fn lists_are_packed_or_not_and_both() {
    let text = proto3("message M { repeated sint32 a = 1; repeated double b = 2; repeated string c = 3; repeated bool d = 4; }");
    let packed =
        [sub(1, [1, 2, 3]), int(1, 4), sub(1, []), sub(2, 1.5f64.to_le_bytes()), sub(3, "x"), sub(3, ""), sub(4, [1, 0])]
            .concat();
    assert_eq!(value(&text, &[], &packed), json!({"a": [-1, 1, -2, 2], "b": [1.5], "c": ["x", ""], "d": [true, false]}));
}

#[test]
fn maps_keep_the_last_value_in_the_place_of_the_first() {
    let text = proto3("message M { map<int32, N> a = 1; } message N { string s = 1; }");
    let entry = |key, value: &str| sub(1, [int(1, key), sub(2, sub(1, value))].concat());
    let many: Vec<u8> = (0..20).rev().flat_map(|key| entry(key, "old")).chain(entry(7, "new")).chain(sub(1, [])).collect();
    let got = value(&text, &[], &many);
    let entries = got["a"].as_array().expect("entries");
    assert_eq!((entries.len(), &entries[12], &entries[19]), (20, &json!([7, {"s": "new"}]), &json!([0, {"s": ""}])));
    let few = [entry(1, "a"), entry(1, "b"), entry(2, "c")].concat();
    assert_eq!(value(&text, &[], &few), json!({"a": [[1, {"s": "b"}], [2, {"s": "c"}]]}));
}

#[test]
fn the_last_field_of_a_oneof_counts() {
    let text = proto3(
        "message M { oneof o { int32 a = 1; N b = 2; string c = 3; } int32 d = 4; } message N { int32 x = 1; repeated int32 y = 2; }",
    );
    let n = [int(1, 1), int(2, 2)].concat();
    let cases = [
        (vec![], json!({"o_0": null, "d": 0})),
        (int(1, 0), json!({"o_0": {"a": 0, "b": null, "c": null}, "d": 0})),
        ([sub(2, &n), int(1, 5)].concat(), json!({"o_0": {"a": 5, "b": null, "c": null}, "d": 0})),
        (
            [int(1, 5), sub(2, &n), sub(2, int(2, 3))].concat(),
            json!({"o_0": {"a": null, "b": {"x": 1, "y": [2, 3]}, "c": null}, "d": 0}),
        ),
        ([sub(2, &n), sub(3, "x"), sub(2, [])].concat(), json!({"o_0": {"a": null, "b": {"x": 0, "y": []}, "c": null}, "d": 0})),
    ];
    let records: Vec<&[u8]> = cases.iter().map(|(record, _)| record.as_slice()).collect();
    let column = column(&text, &[], &records);
    assert_eq!(values(&column.array), cases.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>());
    let flat = value(&text, &[("flatten.unions", "true")], &[int(1, 5), sub(2, &n)].concat());
    assert_eq!(flat, json!({"a": null, "b": {"x": 1, "y": [2]}, "c": null, "d": 0}));
}

#[test]
fn enums_are_symbols_or_numbers() {
    let three = proto3("message M { E a = 1; repeated E b = 2; } enum E { ZERO = 0; NEG = -1; TEN = 10; }");
    let record = [int(1, 10), sub(2, [varint(u64::MAX), vec![7]].concat())].concat();
    assert_eq!(value(&three, &[], &record), json!({"a": "TEN", "b": ["NEG", "UNKNOWN_ENUM_VALUE_E_7"]}));
    assert_eq!(value(&three, &[("int.for.enums", "true")], &record), json!({"a": 10, "b": [-1, 7]}));
    // A closed enum: what it does not know is as if it were not there.
    let two = "syntax = \"proto2\"; message M { optional E a = 1; repeated E b = 2; oneof o { E c = 3; int32 d = 4; } }
               enum E { ONE = 1; TWO = 2; }";
    let record = [int(1, 2), int(1, 9), int(2, 9), int(2, 1), int(4, 5), int(3, 9)].concat();
    assert_eq!(value(two, &[], &record), json!({"o_0": {"c": null, "d": 5}, "a": "TWO", "b": ["ONE"]}));
    assert_eq!(value(two, &[("optional.for.proto2", "false")], &[]), json!({"o_0": null, "a": "ONE", "b": []}));
}

#[test]
fn presence_is_told_where_java_tells_it() {
    let text = proto3("message M { optional int32 a = 1; int32 b = 2; N c = 3; } message N { int32 x = 1; }");
    assert_eq!(value(&text, &[], &[]), json!({"a": null, "b": 0, "c": null}));
    assert_eq!(value(&text, &[], &[int(1, 0), sub(3, [])].concat()), json!({"a": 0, "b": 0, "c": {"x": 0}}));
    assert_eq!(value(&text, &[("generate.struct.for.nulls", "true")], &[]), json!({"a": 0, "b": 0, "c": {"x": 0}}));
    let missing = refusal(&text, &[("wrapper.for.nullables", "true")], &[]);
    assert_eq!(
        missing,
        "org.apache.kafka.connect.errors.DataException: Invalid value: null used for required field: \"a\", schema type: INT32"
    );
    let two = "syntax = \"proto2\"; message M { optional int32 a = 1 [default = 7]; optional string b = 2 [default = \"x\"]; }";
    assert_eq!(value(two, &[], &[]), json!({"a": null, "b": null}));
    assert_eq!(value(two, &[("optional.for.proto2", "false")], &[]), json!({"a": 7, "b": "x"}));
}

#[test]
fn required_fields_that_are_missing_are_named() {
    let text = "syntax = \"proto2\"; message M { required int32 a = 1; optional N n = 2; repeated N l = 3; }
                message N { required string x = 1; }";
    let prefix = "org.apache.kafka.common.errors.SerializationException: Message missing required fields: ";
    for (record, path) in [
        (vec![], "a"),
        ([int(1, 1), sub(2, [])].concat(), "n.x"),
        ([int(1, 1), sub(3, sub(1, "y")), sub(3, [])].concat(), "l[1].x"),
    ] {
        assert_eq!(refusal(text, &[], &record), format!("{prefix}{path}"));
    }
    // The part that comes later may bring it.
    let parts = [sub(2, []), int(1, 1), sub(2, sub(1, "y"))].concat();
    assert_eq!(value(text, &[], &parts), json!({"a": 1, "n": {"x": "y"}, "l": []}));
    // In a message that is only thought to be there, nothing is missing.
    let made = value(text, &[("generate.struct.for.nulls", "true")], &int(1, 1));
    assert_eq!(made, json!({"a": 1, "n": {"x": ""}, "l": []}));
}

#[test]
fn logical_types_and_wrappers() {
    let text = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; import \"google/type/date.proto\";
        import \"google/type/timeofday.proto\"; import \"google/protobuf/wrappers.proto\"; import \"confluent/type/decimal.proto\";
        import \"confluent/meta.proto\";
        message M { google.protobuf.Timestamp a = 1; google.type.Date b = 2; google.type.TimeOfDay c = 3;
          confluent.type.Decimal d = 4 [(confluent.field_meta) = { params: [{ key: \"precision\", value: \"10\" }, { key: \"scale\", value: \"2\" }] }];
          google.protobuf.UInt32Value e = 5; repeated google.protobuf.Timestamp f = 6; google.protobuf.StringValue g = 7; }";
    let decimal = [sub(1, [0x04, 0xd2]), int(2, 4), int(3, 2)].concat();
    let record = [
        sub(1, int(1, 5)),
        sub(1, int(2, 7_000_000)),
        sub(2, [int(1, 2024), int(2, 2), int(3, 29)].concat()),
        sub(3, [int(1, 1), int(4, 2_000_000)].concat()),
        sub(4, decimal),
        sub(5, int(1, u32::MAX.into())),
        sub(5, int(1, 3)),
        sub(6, []),
        sub(6, int(1, 1)),
        sub(7, []),
    ]
    .concat();
    let expected = json!({"a": 5007, "b": 19782, "c": 3_600_002, "d": "12.34", "e": 3, "f": [0, 1000], "g": ""});
    assert_eq!(value(text, &[], &record), expected);
    let nulls = json!({"a": null, "b": null, "c": null, "d": null, "e": null, "f": [], "g": null});
    assert_eq!(value(text, &[], &[]), nulls);
    let structs = [("wrapper.for.raw.primitives", "false")];
    assert_eq!(value(text, &structs, &record)["e"], json!({"value": 3}));
    let both = [("wrapper.for.raw.primitives", "false"), ("wrapper.for.nullables", "true")];
    assert_eq!(value(text, &both, &record)["e"], json!(3));
    assert_eq!(refusal(text, &[], &sub(2, int(1, 2023))), "java.lang.IllegalArgumentException: MONTH");
    assert_eq!(refusal(text, &[], &sub(4, [])), "java.lang.NumberFormatException: Zero length BigInteger");
}

#[test]
fn a_wrapper_alone_is_a_scalar() {
    let text = "syntax = \"proto3\"; package google.protobuf; message Int64Value { int64 value = 1; }";
    let found = column(text, &[], &[&int(1, 5), &[], &[int(1, 5), int(1, 6)].concat()]);
    assert_eq!(values(&found.array), [json!(5), json!(0), json!(6)]);
    assert_eq!(value(text, &[("wrapper.for.raw.primitives", "false")], &int(1, 5)), json!({"value": 5}));
}

#[test]
fn malformed_bytes_are_refused_in_javas_words_and_cost_only_themselves() {
    let text = proto3("message M { int32 a = 1; string b = 2; M2 c = 3; repeated fixed32 d = 4; } message M2 { int32 x = 1; }");
    let truncated = "While parsing a protocol message, the input ended unexpectedly in the middle of a field.  This could mean either that \
                     the input has been truncated or that an embedded message misreported its own length.";
    let end_group = "Protocol message end-group tag did not match expected tag.";
    let deep: Vec<u8> = std::iter::repeat_n(9 << 3 | 3, 101).chain(std::iter::repeat_n(9 << 3 | 4, 101)).collect();
    let cases: &[(&[u8], &str)] = &[
        (&[8], truncated),
        (&[8, 0x80], truncated),
        (&[8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], "CodedInputStream encountered a malformed varint."),
        (&[0x12, 5, b'a'], truncated),
        (
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
            "CodedInputStream encountered an embedded string or message which claimed to have negative size.",
        ),
        (&[0x12, 1, 0xff], "Protocol message had invalid UTF-8."),
        (&[0], "Protocol message contained an invalid tag (zero)."),
        (&[0x0c], end_group),
        (&[0x1a, 1, 0x0c], end_group),
        (&[0x4b, 0x54], end_group),
        (&[0x4b], end_group),
        (&[0x0e], "Protocol message tag had invalid wire type."),
        (&[0x22, 3, 0, 0, 0], truncated),
        (&[0x1a, 2, 8], truncated),
        (
            &deep,
            "Protocol message had too many levels of nesting.  May be malicious.  Use setRecursionLimit() to increase the recursion depth limit.",
        ),
    ];
    let mut decoder = decoder(&text, &[]);
    for (bytes, message) in cases {
        // The record before and the one after come through, whatever the bad one has left behind.
        let good = [int(1, 3), sub(2, "x"), sub(3, int(1, 4)), sub(4, 5u32.to_le_bytes())].concat();
        let bad = [&good, *bytes].concat();
        let runs = decode(&mut *decoder, &[Some(&good), Some(&bad), Some(&good)]);
        assert_eq!(runs.len(), 3);
        let error = runs[1].column.as_ref().expect_err("refused");
        assert_eq!(error.message, *message, "{bytes:?}");
        let expected = json!({"a": 3, "b": "x", "c": {"x": 4}, "d": [5]});
        for run in [&runs[0], &runs[2]] {
            assert_eq!(values(&run.column.as_ref().expect("good").array), [expected.clone()]);
        }
    }
    let two = "syntax = \"proto2\"; message M { optional string a = 1; }";
    assert_eq!(value(two, &[], &sub(1, [b'a', 0xff])), json!({"a": "a\u{fffd}"}));
}
