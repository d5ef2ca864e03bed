//! Expected schemas and values come from reading Confluent's source (8.5.0): its class is in no public package.

use std::collections::BTreeMap;

use arrow_array::Array as _;
use landfall_api::{Faults, Properties, RecordError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::json::tests::values;
use super::*;

const DRAFTS: [&str; 4] = [
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
];

fn format(properties: &[(&str, &str)]) -> JsonSchema {
    let properties: Properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut faults = Faults::default();
    let config = JsonSchemaConverterConfig::parse(&properties, &mut faults).expect("valid");
    JsonSchema::new(&config, "value", None)
}

fn registered(schema: &Value, references: &[(&str, Value)]) -> RegisteredSchema {
    let references = references.iter().map(|(name, schema)| ((*name).to_owned(), schema.to_string())).collect();
    RegisteredSchema { kind: "JSON".into(), text: schema.to_string(), references, version: None }
}

fn connect_of(schema: &Value, properties: &[(&str, &str)]) -> Result<Value, RecordError> {
    let format = format(properties);
    let documents = Documents::parse(&schema.to_string(), &[], format.ignore_modern).map_err(connect::invalid)?;
    let made = connect::connect_schema(&documents, format.options, None)?;
    Reading { replace_null: true, json_schema: true }.root(&made, "value")?;
    Ok(made)
}

/// The runs of `payloads`, each as its values or the error.
fn decode(decoder: &mut dyn Decode, payloads: &[&str]) -> Vec<Result<Value, String>> {
    let payloads: Vec<_> = payloads.iter().map(|payload| Some(payload.as_bytes())).collect();
    let mut decoded = Vec::new();
    for run in decoder.decode(&payloads) {
        match run.column {
            Ok(column) => {
                column.array.to_data().validate_full().expect("valid Arrow data");
                assert_eq!(column.array.data_type(), column.field.data_type());
                decoded.extend(values(&column.array).into_iter().map(Ok));
            }
            Err(error) => decoded.push(Err(error.message)),
        }
    }
    decoded
}

fn decoded(schema: &Value, properties: &[(&str, &str)], payloads: &[&str]) -> Vec<Result<Value, String>> {
    let mut decoder = format(properties).decoder(&registered(schema, &[])).expect("a schema");
    decode(&mut *decoder, payloads)
}

#[test]
fn schemas_become_what_they_become_in_java() {
    let optional: &[(&str, &str)] = &[("use.optional.for.nonrequired", "true")];
    let general: &[(&str, &str)] = &[("generalized.sum.type.support", "true")];
    let unflat: &[(&str, &str)] = &[("flatten.singleton.unions", "false")];
    let cases: [(&[_], Value, Value); 36] = [
        (&[], json!({"type": "boolean"}), json!({"type": "boolean"})),
        (&[], json!({"type": "integer"}), json!({"type": "int64"})),
        (&[], json!({"type": "integer", "connect.type": "int8"}), json!({"type": "int8"})),
        (&[], json!({"type": "number"}), json!({"type": "double"})),
        (&[], json!({"type": "number", "connect.type": "float32"}), json!({"type": "float"})),
        (&[], json!({"minimum": 0}), json!({"type": "double"})),
        (&[], json!({"type": "string", "maxLength": 3}), json!({"type": "string"})),
        (&[], json!({"type": "string", "connect.type": "bytes"}), json!({"type": "bytes"})),
        (
            &[],
            json!({"type": "string", "title": "N", "description": "d", "default": "x", "connect.version": 2, "connect.parameters": {"p": "1"}}),
            json!({"type": "string", "version": 2, "doc": "d", "default": "x", "name": "N", "parameters": {"p": "1"}}),
        ),
        (
            &[],
            json!({"type": "number", "title": "org.apache.kafka.connect.data.Decimal", "connect.type": "bytes", "connect.parameters": {"scale": "2"}}),
            json!({"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}),
        ),
        (
            &[],
            json!({"type": "integer", "title": "org.apache.kafka.connect.data.Date", "connect.type": "int32"}),
            json!({"type": "int32", "name": "org.apache.kafka.connect.data.Date"}),
        ),
        // Nullable.
        (&[], json!({"oneOf": [{"type": "null"}, {"type": "integer"}]}), json!({"type": "int64", "optional": true})),
        (&[], json!({"type": ["string", "null"], "default": null}), json!({"type": "string", "optional": true})),
        (&[], json!({"anyOf": [{"type": "string"}]}), json!({"type": "string"})),
        // Enumerations.
        (
            &[],
            json!({"enum": ["a", "b"]}),
            json!({"type": "string", "parameters": {"io.confluent.connect.json.Enum": "", "io.confluent.connect.json.Enum.a": "a", "io.confluent.connect.json.Enum.b": "b"}}),
        ),
        (
            &[],
            json!({"type": "string", "enum": ["a"], "title": "T", "default": "a"}),
            json!({"type": "string", "parameters": {"io.confluent.connect.json.Enum": "", "io.confluent.connect.json.Enum.a": "a"}}),
        ),
        (
            general,
            json!({"enum": ["a", null]}),
            json!({"type": "string", "parameters": {"org.apache.kafka.connect.data.Enum": "", "org.apache.kafka.connect.data.Enum.a": "0", "org.apache.kafka.connect.data.Enum.<NULL>": "1"}}),
        ),
        (&[], json!({"type": "integer", "enum": [1, 2]}), json!({"type": "int64"})),
        (&[], json!({"type": "string", "const": "x"}), json!({"type": "string"})),
        (
            &[],
            json!({"const": 1}),
            json!({"type": "symbol", "parameters": {"io.confluent.connect.json.Enum": "", "io.confluent.connect.json.Enum.1": "1"}}),
        ),
        // Unions.
        (
            &[],
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}], "title": "T"}),
            json!({"optional": true, "type": "struct", "name": "io.confluent.connect.json.OneOf", "fields": [
                {"type": "string", "optional": true, "field": "io.confluent.connect.json.OneOf.field.0"},
                {"type": "int64", "optional": true, "field": "io.confluent.connect.json.OneOf.field.1"}]}),
        ),
        (
            general,
            json!({"type": ["string", "integer"]}),
            json!({"type": "struct", "parameters": {"org.apache.kafka.connect.data.Union": "connect_union_0"}, "name": "connect_union_0", "fields": [
                {"type": "string", "optional": true, "field": "connect_union_field_0"},
                {"type": "int64", "optional": true, "field": "connect_union_field_1"}]}),
        ),
        (
            unflat,
            json!({"oneOf": [{"type": "string"}]}),
            json!({"type": "struct", "name": "io.confluent.connect.json.OneOf", "fields": [
                {"type": "string", "optional": true, "field": "io.confluent.connect.json.OneOf.field.0"}]}),
        ),
        // Lists and maps.
        (&[], json!({"type": "array", "items": {"type": "string"}}), json!({"type": "array", "items": {"type": "string"}})),
        (
            &[],
            json!({"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}}),
            json!({"type": "map", "keys": {"type": "string", "optional": false}, "values": {"type": "int64"}}),
        ),
        (
            &[],
            json!({"type": "array", "connect.type": "map", "items": {"type": "object", "properties": {
                "key": {"type": "integer", "connect.type": "int32"}, "value": {"type": "boolean"}}}}),
            json!({"type": "map", "keys": {"type": "int32"}, "values": {"type": "boolean"}}),
        ),
        (&[], json!({}), json!({"type": "json", "optional": true})),
        // Structs.
        (
            &[],
            json!({"type": "object", "title": "S", "properties": {"b": {"type": "string", "connect.index": 1}, "a": {"type": "string", "connect.index": 0}}}),
            json!({"type": "struct", "fields": [{"type": "string", "field": "a"}, {"type": "string", "field": "b"}], "name": "S"}),
        ),
        (
            optional,
            json!({"properties": {"b": {"type": "string"}, "a": {"type": "string"}}, "required": ["a"]}),
            json!({"type": "struct", "fields": [{"type": "string", "optional": true, "field": "b"}, {"type": "string", "field": "a"}]}),
        ),
        (
            optional,
            json!({"properties": {"r": {"$ref": "#/definitions/D"}, "n": {"allOf": [{"$ref": "#/$defs/D"}]}}, "required": ["n"], "definitions": {"D": {"type": "object", "properties": {}}}}),
            json!({"type": "struct", "fields": [
                {"type": "struct", "fields": [], "optional": true, "field": "r"},
                {"type": "struct", "fields": [], "field": "n"}]}),
        ),
        // allOf.
        (
            optional,
            json!({"title": "T", "type": "object", "properties": {"c": {"type": "string"}}, "allOf": [
                {"$ref": "#/definitions/A"}, {"properties": {"b": {"type": "integer"}}, "required": ["b"]}],
                "definitions": {"A": {"properties": {"a": {"type": "boolean"}}}}}),
            json!({"type": "struct", "fields": [
                {"type": "boolean", "optional": true, "field": "a"},
                {"type": "int64", "field": "b"},
                {"type": "string", "optional": true, "field": "c"}]}),
        ),
        (&[], json!({"allOf": [{"type": "string"}, {"maxLength": 3}]}), json!({"type": "string"})),
        (&[], json!({"type": "integer", "format": "int32"}), json!({"type": "int64"})),
        (&[], json!({"type": ["null", "number"], "format": "double"}), json!({"type": "double", "optional": true})),
        (
            &[],
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({"type": "struct", "fields": [{"type": "string", "field": "a"}]}),
        ),
        (
            &[],
            json!({"allOf": [{"type": "string"}, {"oneOf": [{"type": "integer"}, {"type": "null"}]}]}),
            json!({"type": "int64", "optional": true}),
        ),
    ];
    for (properties, schema, expected) in cases {
        for draft in DRAFTS {
            let mut dated = schema.clone();
            dated["$schema"] = draft.into();
            assert_eq!(connect_of(&dated, properties), Ok(expected.clone()), "{dated} {properties:?}");
        }
    }
}

#[test]
fn drafts_differ_in_what_stands_beside_a_reference() {
    let schema = |draft: &str| {
        json!({"$schema": draft, "$ref": "#/definitions/A", "properties": {"b": {"type": "string"}},
            "definitions": {"A": {"properties": {"a": {"type": "string"}}}}})
    };
    let names = |schema: Value, properties: &[_]| -> Vec<String> {
        let made = connect_of(&schema, properties).expect("a schema");
        made["fields"]
            .as_array()
            .expect("a struct")
            .iter()
            .map(|field| field["field"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(schema(DRAFTS[1]), &[]), ["a"]);
    assert_eq!(names(schema(DRAFTS[3]), &[]), ["a", "b"]);
    assert_eq!(names(schema(DRAFTS[3]), &[("ignore.modern.dialects", "true")]), ["a"]);
    let constant = |draft| json!({"$schema": draft, "const": "x"});
    assert_eq!(connect_of(&constant("http://json-schema.org/draft-04/schema#"), &[]).expect("a schema")["type"], "json");
    assert_eq!(connect_of(&constant(DRAFTS[0]), &[]).expect("a schema")["type"], "string");
}

#[test]
fn what_has_no_connect_schema_is_refused_with_its_path() {
    let illegal = "java.lang.IllegalArgumentException";
    let data = "org.apache.kafka.connect.errors.DataException";
    for (schema, class, message) in [
        (
            json!({"properties": {"a": {"properties": {"next": {"$ref": "#"}}}}}),
            data,
            "unsupported JSON Schema at a.next: recursion by $ref #",
        ),
        (
            json!({"$ref": "#/definitions/N", "definitions": {"N": {"properties": {"left": {"$ref": "#/definitions/N"}}}}}),
            data,
            "unsupported JSON Schema at left: recursion by $ref #/definitions/N",
        ),
        (json!({"allOf": [{"$ref": "#"}]}), data, "unsupported JSON Schema at the root: recursion by $ref #"),
        (json!({"$ref": "#/definitions/N"}), illegal, "Invalid JSON: could not resolve $ref #/definitions/N"),
        (json!({"type": "array"}), data, "Array schema did not specify the items type"),
        (json!({"type": "integer", "connect.type": "int128"}), illegal, "Unsupported type int128"),
        (json!({"type": "null"}), data, "unsupported JSON Schema at the root: a schema of nothing but null"),
        (json!({"properties": {"x": {"not": {}}}}), data, "unsupported JSON Schema at x: the keyword not"),
        (json!({"type": "tuple"}), illegal, "Invalid JSON: unknown type: [tuple]"),
        (json!({"type": "string", "default": null}), data, "Invalid null value for required STRING field"),
        (json!({"type": "boolean", "connect.parameters": {"p": 1}}), data, "Schema parameters must have string values."),
        (json!([]), illegal, "Invalid JSON: expected an object or boolean as a schema, found []"),
        (
            json!({"type": "boolean", "minimum": 1}),
            illegal,
            "unsupported JSON Schema at the root: allOf of what has no type in common",
        ),
    ] {
        let error = connect_of(&schema, &[]).expect_err("refused");
        assert_eq!((error.class, &*error.message), (class, message), "{schema}");
    }
    // References that double at each step are many schemas in the end.
    let mut schema = json!({"definitions": {"0": {"type": "string"}}, "$ref": "#/definitions/40"});
    for at in 1..=40 {
        let below = format!("#/definitions/{}", at - 1);
        schema["definitions"][at.to_string()] = json!({"properties": {"a": {"$ref": below}, "b": {"$ref": below}}});
    }
    let error = connect_of(&schema, &[]).expect_err("refused");
    assert!(error.message.ends_with("a schema that nests too deep or is too large"), "{error}");
}

#[test]
fn references_come_from_the_registry() {
    let schema =
        json!({"type": "object", "properties": {"o": {"$ref": "order.json#/definitions/Order"}, "w": {"$ref": "who.json"}}});
    let order = json!({"definitions": {"Order": {"type": "object", "properties": {"by": {"$ref": "who.json"}}}}});
    let who = json!({"type": "string", "title": "Who"});
    let mut decoder = format(&[]).decoder(&registered(&schema, &[("who.json", who), ("order.json", order)])).expect("a schema");
    let decoded = decode(&mut *decoder, &[r#"{"o":{"by":"x"},"w":"y"}"#]);
    assert_eq!(decoded, [Ok(json!({"o": {"by": "x"}, "w": "y"}))]);
}

#[test]
fn values_are_read_by_the_schema() {
    let schema = json!({"type": "object", "required": ["i"], "properties": {
        "i": {"type": "integer"},
        "s": {"type": "string", "default": "none"},
        "d": {"type": "number", "title": "org.apache.kafka.connect.data.Decimal", "connect.type": "bytes", "connect.parameters": {"scale": "2"}},
        "e": {"enum": [1, true]},
        "any": {},
        "m": {"type": "array", "connect.type": "map", "items": {"type": "object", "properties": {"key": {"type": "integer"}, "value": {"type": "string"}}}},
    }});
    let optional = [("use.optional.for.nonrequired", "true")];
    let decoded = decoded(
        &schema,
        &optional,
        &[
            r#"{"i":1,"s":"x","d":1.5,"e":1,"any":[1, {}],"m":[{"key":1,"value":"a"},{"value":"b","key":2}],"more":0}"#,
            r#"{"s":null,"d":"AJY=","i":2}"#,
            r#"{"s":"no i"}"#,
            r#"{"i":"3"}"#,
            r#"{"i":4,"m":{"a":1}}"#,
            "null",
            "[1]",
            "{",
            r#"{"i":5} x"#,
        ],
    );
    let invalid = "Error deserializing JSON message: ";
    let refused = |reason: &str| Err(reason.to_owned());
    assert_eq!(
        decoded,
        [
            Ok(json!({"i": 1, "s": "x", "d": "1.50", "e": "1", "any": "[1, {}]", "m": [[1, "a"], [2, "b"]]})),
            Ok(json!({"i": 2, "s": "none", "d": "1.50", "e": null, "any": null, "m": null})),
            refused("Invalid null value for required INT64 field"),
            refused("invalid value for INT64 field: \"3\""),
            refused("invalid value for ARRAY field: {\"a\":1}"),
            refused("Invalid null value for required STRUCT field"),
            refused("Structs should be encoded as JSON objects, but found ARRAY"),
            refused(&format!("{invalid}unexpected end of input at byte 1, expected a field name")),
            refused(&format!("{invalid}unexpected 'x' at byte 8, expected the end of the record")),
        ]
    );
}

#[test]
fn a_value_of_a_union_goes_to_the_branch_that_it_matches() {
    let a = json!({"type": "object", "properties": {"x": {"type": "integer"}, "in": {"type": "object", "properties": {"p": {"type": "string"}}}}});
    let b = json!({"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}});
    let schema = json!({"oneOf": [{"type": "number"}, {"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"type": "boolean"}}, a, b]});
    let optional = [("use.optional.for.nonrequired", "true"), ("generalized.sum.type.support", "true")];
    let decoded = decoded(
        &schema,
        &optional,
        &[
            "1",
            "1.5",
            r#""s""#,
            "[true]",
            r#"{"x":1}"#,
            r#"{"x":1,"y":2}"#,
            r#"{"y":2,"x":1,"in":{"p":"q"}}"#,
            r#"{"z":1}"#,
            "true",
        ],
    );
    let branch = |at: usize, value: Value| {
        let mut union: BTreeMap<_, _> = (0..6).map(|at| (format!("connect_union_field_{at}"), Value::Null)).collect();
        union.insert(format!("connect_union_field_{at}"), value);
        Ok(json!(union))
    };
    assert_eq!(
        decoded,
        [
            branch(0, json!(1.0)),
            branch(0, json!(1.5)),
            branch(2, json!("s")),
            branch(3, json!([true])),
            branch(4, json!({"x": 1, "in": null})),
            branch(5, json!({"x": 1, "y": 2})),
            branch(4, json!({"x": 1, "in": {"p": "q"}})),
            Err("Did not find matching oneof field for data".to_owned()),
            Err("Did not find matching oneof field for data".to_owned()),
        ]
    );
}

#[test]
fn keys_that_would_change_what_lands_are_refused() {
    let properties = Properties::from([
        ("preserve.additional.properties".to_owned(), "true".to_owned()),
        ("json.fail.invalid.schema".to_owned(), "true".to_owned()),
    ]);
    let mut faults = Faults::default();
    assert!(JsonSchemaConverterConfig::parse(&properties, &mut faults).is_none());
    let message = "Invalid value true for configuration preserve.additional.properties: not supported, only false is";
    assert_eq!((faults.0.len(), &*faults.0[0].message), (2, message));
}

/// A schema with most kinds of values.
fn wide() -> Value {
    json!({"type": "object", "properties": {
        "i": {"type": "integer"}, "s": {"type": "string"}, "b": {"type": "boolean"}, "n": {"type": "number"},
        "l": {"type": "array", "items": {"type": ["integer", "null"]}},
        "m": {"type": "object", "connect.type": "map", "additionalProperties": {"type": "string"}},
        "p": {"type": "array", "connect.type": "map", "items": {"type": "object", "properties": {"key": {"type": "integer"}, "value": {"type": "string"}}}},
        "u": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"type": "integer"}}}, {}]},
        "o": {"type": "object", "properties": {"x": {"type": "integer"}}},
    }})
}

fn record() -> impl Strategy<Value = BTreeMap<&'static str, Value>> {
    let text = || "[a-z\"\\\\é]{0,4}".prop_map(Value::from);
    let object = || any::<i64>().prop_map(|x| json!({"x": x}));
    let values = (
        any::<i64>().prop_map(Value::from),
        text(),
        any::<bool>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|n: f64| Value::from(n)),
        prop::collection::vec(prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from)], 0..4).prop_map(Value::from),
        prop::collection::btree_map("[a-c]", text(), 0..3).prop_map(|m| json!(m)),
        prop_oneof![text(), object(), Just(json!([1, "any"]))],
        object(),
    );
    let fields = values.prop_map(|(i, s, b, n, l, m, u, o)| {
        BTreeMap::from([("i", i), ("s", s), ("b", b), ("n", n), ("l", l), ("m", m), ("u", u), ("o", o)])
    });
    (fields, prop::sample::subsequence(vec!["i", "s", "b", "n", "l", "m", "u", "o"], 0..4)).prop_map(|(mut fields, without)| {
        fields.retain(|name, _| !without.contains(name));
        fields
    })
}

proptest! {
    #[test]
    fn the_order_of_keys_makes_no_difference(records in prop::collection::vec((record(), any::<bool>()), 1..20)) {
        let optional = [("use.optional.for.nonrequired", "true")];
        let in_order = |record: &BTreeMap<&str, Value>| {
            let mut text = serde_json::Map::new();
            for name in ["i", "s", "b", "n", "l", "m", "p", "u", "o"] {
                text.extend(record.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            Value::from(text).to_string()
        };
        let shuffled = |record: &BTreeMap<&str, Value>, twice: bool| {
            let mut text = String::from("{ ");
            for (name, value) in record.iter().rev() {
                text += &format!("{}\"{name}\" : {value} ,", if twice { format!("\"{name}\":null,") } else { String::new() });
            }
            text + "\"none\": {} }"
        };
        let fast: Vec<_> = records.iter().map(|(record, _)| in_order(record)).collect();
        let general: Vec<_> = records.iter().map(|(record, twice)| shuffled(record, *twice)).collect();
        let texts = |list: &[String]| decoded(&wide(), &optional, &list.iter().map(String::as_str).collect::<Vec<_>>());
        let (fast, general) = (texts(&fast), texts(&general));
        prop_assert!(fast.iter().all(Result::is_ok), "{fast:?}");
        prop_assert_eq!(fast, general);
    }

    #[test]
    fn no_payload_panics(payloads in prop::collection::vec(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[\\[\\]{}:,\"a-z0-9 ]{0,40}".prop_map(String::into_bytes),
        (record(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(record, at, byte)| {
            let mut text = json!(record).to_string().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            text
        }),
    ], 0..10)) {
        let mut decoder = format(&[("use.optional.for.nonrequired", "true")]).decoder(&registered(&wide(), &[])).expect("a schema");
        let payloads: Vec<_> = payloads.iter().map(|payload| Some(&payload[..])).collect();
        let mut rows = 0;
        for run in decoder.decode(&payloads) {
            assert_eq!(run.rows.start, rows);
            rows = run.rows.end;
            if let Ok(column) = run.column {
                column.array.to_data().validate_full().expect("valid Arrow data");
            }
        }
        assert_eq!(rows, payloads.len());
    }

    #[test]
    fn no_schema_panics(text in "(\\{\"(type|\\$ref|oneOf|properties|items|enum)\":(\"[a-z#/]*\"|\\[[{}\"a-z,]*\\]|\\{.*\\})\\}|.{0,40})") {
        let _ = format(&[]).decoder(&RegisteredSchema { kind: "JSON".into(), text, references: Vec::new(), version: None });
    }
}

/// A registry of one schema.
#[derive(Debug)]
struct One(Value);

impl super::super::registry::Schemas for One {
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, super::super::registry::NoSchema> {
        assert_eq!(id, SchemaId::Number(7));
        Ok(RegisteredSchema { version: Some(3), ..registered(&self.0, &[]) })
    }
}

#[test]
fn a_value_names_its_schema_before_it_or_in_a_header() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let mut converter = Framed::new("value", format(&[]), Box::new(One(schema)));
    let bytes =
        arrow_array::BinaryArray::from(vec![Some(&b"\0\0\0\0\x07{\"a\":1}"[..]), None, Some(b"\0\0\0\0\x07{"), Some(b"{}")]);
    let records = landfall_api::Records { topic: "t", bytes: &bytes, headers: None };
    let runs = converter.convert(&records).expect("available");
    let column = runs[0].column.as_ref().expect("converted");
    assert_eq!(
        (values(&column.array), column.field.metadata()["connect.version"].as_str()),
        (vec![json!({"a": 1}), Value::Null], "3")
    );
    let errors = runs[1..].iter().map(|run| run.column.as_ref().expect_err("refused").to_string());
    let failed = "org.apache.kafka.connect.errors.DataException: Converting byte[] to Kafka Connect data failed due to serialization error of topic t: org.apache.kafka.common.errors.SerializationException: ";
    assert_eq!(
        errors.collect::<Vec<_>>(),
        [
            format!("{failed}Error deserializing JSON message: unexpected end of input at byte 1, expected a field name"),
            format!("{failed}Error deserializing schema ID: Unknown magic byte!"),
        ]
    );
    let format = JsonSchema { header: Some("__value_schema_id"), ..format(&[]) };
    let framed = format.frame(b"{}", Some(&[0, 0, 0, 0, 9])).expect("an id");
    assert_eq!(framed, (SchemaId::Number(9), Cow::Borrowed(&b"{}"[..])));
}

#[test]
fn the_class_needs_a_registry() {
    let none = JsonSchemaConverterClass.build(&Properties::new(), Role::Value).expect_err("refused");
    assert_eq!(none.0[0].key, "schema.registry.url");
    let url = Properties::from([("schema.registry.url".to_owned(), "http://localhost:8081".to_owned())]);
    JsonSchemaConverterClass.build(&url, Role::Key).expect("valid");
}
