//! What Java makes of the same schemas and records: Avro's own library with Apicurio's copy of `AvroData` (2.6.13), written by
//! `make avro-golden` to tests/data/avro.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use arrow_array::BinaryArray;
use landfall_api::schema::LOGICAL;
use landfall_api::{Properties, Records, Role};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::super::super::build;
use super::super::Decode as _;
use super::super::connect::Options;
use super::values::{self, Random, hex, shapes};
use super::{PLAIN, decoder, told};

/// How many random schemas there are.
const RANDOM: usize = 150;

/// Schemas with what random ones do not have, each with a record.
const OWN: &[(&str, &str)] = &[
    (r#""string""#, "0261"),
    (r#"["null","long"]"#, "020a"),
    (r#"{"type":"record","name":"R","doc":"r","fields":[{"name":"a","type":"int","default":7,"doc":"d"}]}"#, "0e"),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int","connect.type":"int8"}}]}"#, "0e"),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int","connect.type":"int16"}}]}"#, "0e"),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null",{"type":"string","connect.default":"x"}]}]}"#,
        "0202 61",
    ),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null",{"type":"string","connect.default":"x"}]}]}"#, "00"),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"bytes","connect.default":"\u0001\u00ff"}}]}"#, "0261"),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"},"default":[1,2]}]}"#, "00"),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"map","values":"int"},"default":{"k":1}}]}"#, "00"),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"long","connect.name":"io.debezium.time.MicroTimestamp","connect.version":1,"connect.doc":"c","connect.parameters":{"p":"v"}}}]}"#,
        "0e",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"long","connect.name":"org.apache.kafka.connect.data.Timestamp"}}]}"#,
        "0e",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}}]}"#,
        "020e",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"enum","name":"n.E","symbols":["X","Y"],"default":"X","doc":"d"},"default":"Y"}]}"#,
        "02",
    ),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":["int","string"],"default":3}]}"#, "0202 61"),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null",{"type":"enum","name":"n.E","symbols":["X","Y"]},{"type":"fixed","name":"n.F","size":2}]}]}"#,
        "04 6162",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":[{"type":"enum","name":"a.E","symbols":["X"]},{"type":"enum","name":"b.E","symbols":["X"]}]}]}"#,
        "0000",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":["null","string"]}]}}}]}"#,
        "0202 0202 61 00",
    ),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"string","avro.java.string":"String"}}]}"#, "0261"),
    (
        r#"{"type":"record","name":"DataRecord","namespace":"com.attunity.my-task.T$1","fields":[{"name":"a-b","type":["null","int"],"default":null}]}"#,
        "0202",
    ),
    (
        r#"{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"a","type":"int"}]}"#,
        "02",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int","logicalType":"date","connect.version":2}}]}"#,
        "02",
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int","logicalType":"date","connect.name":"D"}}]}"#,
        "02",
    ),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int","logicalType":"time-millis"}}]}"#, "01"),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"null"}]}"#, ""),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"b","type":{"type":"string","logicalType":"uuid"}}]}"#,
        "02 0261",
    ),
    (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"r","type":["null","R"]}]}"#, "02 00"),
];

/// Why Java's result differs that has this in it.
const KNOWN: &[(&str, &str)] = &[
    (
        "already added to SchemaBuilder (org.apache.kafka.connect.data.Decimal) differs",
        "Apicurio's copy refuses decimals of type fixed",
    ),
    ("Mismatching schema.", "Apicurio's copy refuses defaults of unions"),
    ("StackOverflowError", "Java's JSON has no end for recursive types"),
];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/avro").join(name)
}

/// New cases: the same schemas each time, and the same values but for the order of maps.
fn cases() -> Vec<String> {
    let case = |schema: &str, enhanced: bool, payload: &str| {
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        json!({"schema": schema, "enhanced": enhanced, "payload": payload.replace(' ', "")}).to_string()
    };
    let mut all: Vec<_> = OWN.iter().flat_map(|(schema, payload)| [false, true].map(|on| case(schema, on, payload))).collect();
    let (mut runner, mut random) = (TestRunner::deterministic(), Random(7));
    for _ in 0..RANDOM {
        let fields = proptest::collection::vec(shapes(), 1..4).new_tree(&mut runner).expect("a shape").current();
        let (text, value) = values::record(&fields, &mut random);
        let schema = Schema::parse_str(&text).expect("a schema");
        let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
        all.push(case(&text, false, &hex(&writer.write_value_to_vec(value).expect("encoded"))));
    }
    all
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("digits")).collect()
}

/// The column as it is here, or the class of the error: its schema and the value.
fn ours(case: &Value) -> String {
    let options = Options { enhanced: case["enhanced"] == true, flatten: false, ..PLAIN };
    let mut made = match decoder(&case["schema"].to_string(), options) {
        Ok(made) => made,
        Err(error) => return error.class.to_owned(),
    };
    let payload = bytes(case["payload"].as_str().expect("a text"));
    match made.decode(&[Some(&payload)]).remove(0).column {
        Ok(column) => {
            // What Java wrote is read by a converter that has 38 digits.
            let shown = narrowed(&told(&column.field));
            let shown = ["timestamp-micros", "uuid"].iter().fold(shown, |all, of| all.replace(&format!(" {LOGICAL}={of}"), ""));
            format!("{shown} {}", values::json(&column.array, 0))
        }
        Err(error) => error.class.to_owned(),
    }
}

/// `told` with `Decimal128(38` for each `Decimal256(…`.
fn narrowed(told: &str) -> String {
    let mut parts = told.split("Decimal256(");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "Decimal128(38" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// The same of what Java wrote, read by the converter of that.
fn javas(result: &str) -> String {
    let json: Value = serde_json::from_str(result).expect("JSON");
    if let Some(class) = json["error"].as_str() {
        return class.to_owned();
    }
    let mut converter = build("JsonConverter", &Properties::new(), Role::Value).expect("a converter");
    let bytes: BinaryArray = [Some(result.as_bytes())].into_iter().collect();
    let run = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("available").remove(0);
    let column = run.column.expect("read");
    format!("{} {}", told(&column.field), values::json(&column.array, 0))
}

#[test]
fn columns_are_what_java_makes() {
    if env::var_os("UPDATE").is_some() {
        fs::write(file("cases.jsonl"), cases().join("\n") + "\n").expect("written");
    }
    let cases = fs::read_to_string(file("cases.jsonl")).expect("cases");
    let cases: Vec<_> = cases.lines().collect();
    let results = fs::read_to_string(file("java.jsonl")).expect("what Java made");
    assert_eq!(results.lines().count(), cases.len(), "tests/data/avro is stale: run `make avro-golden`");
    let (mut different, mut known) = (Vec::new(), BTreeMap::<_, usize>::new());
    for (at, (case, result)) in cases.iter().zip(results.lines()).enumerate() {
        let (ours, javas) = (ours(&serde_json::from_str(case).expect("JSON")), javas(result));
        if ours != javas {
            match KNOWN.iter().find(|(part, _)| result.contains(part)) {
                Some((_, why)) => *known.entry(*why).or_default() += 1,
                None => different.push(format!("{at}: {case}\n  here: {ours}\n  Java: {javas}")),
            }
        }
    }
    assert!(different.is_empty(), "{} of {} differ\n{}", different.len(), cases.len(), different.join("\n"));
    assert!(known.len() == KNOWN.len() && known.values().sum::<usize>() < cases.len() / 5, "{known:?}");
}
