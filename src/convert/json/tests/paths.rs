//! The fast paths and the general ones in one batch: each record becomes what it does alone.

use super::properties::{any_object, disguised, hollow, normal, restored};
use super::*;
use arrow_schema::FieldRef;
use proptest::collection::vec;

/// How a record is written.
#[derive(Clone, Debug)]
enum Writing {
    Plain,
    /// Fields turned round, blanks, escapes, fields twice.
    Odd(usize),
    /// With this behind it.
    Followed(&'static str),
    /// Without its last bytes.
    Cut(usize),
}

impl Writing {
    fn of(&self, value: &Value) -> String {
        let mut text = value.to_string();
        match self {
            Self::Plain => {}
            Self::Odd(turn) => text = disguised(value, *turn),
            Self::Followed(bytes) => text.push_str(bytes),
            Self::Cut(bytes) => {
                let mut at = text.len().saturating_sub(*bytes);
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                text.truncate(at);
            }
        }
        text
    }
}

fn any_writing() -> impl Strategy<Value = Writing> {
    prop_oneof![
        6 => Just(Writing::Plain),
        2 => (0usize..8).prop_map(Writing::Odd),
        1 => prop::sample::select(vec![" ", "\n", "}", "x", ",{}", "\0"]).prop_map(Writing::Followed),
        1 => (1usize..5).prop_map(Writing::Cut),
    ]
}

/// Records with the same fields in the same order, so that keys are predicted, and some with others.
fn any_record() -> impl Strategy<Value = Value> {
    let long = prop_oneof![
        any::<i64>(),
        prop::sample::select(vec![
            i64::MIN,
            i64::MAX,
            999_999_999_999_999_999,
            -999_999_999_999_999_999,
            1_000_000_000_000_000_000,
            0
        ]),
    ];
    let usual = (long, prop::option::of("[a-z\"\\\\\u{7f}é😀]{0,20}"), prop::option::of(any::<bool>()), -5i64..5);
    prop_oneof![
        6 => usual.prop_map(|(a, b, c, d)| json!({"a": a, "b": b, "c": c, "d": {"e": d, "f": [d, a]}})),
        1 => any_object(),
    ]
}

/// What becomes of a row: the value, with its field if it has a schema of its own, or the message that it is refused with.
type Row = Result<(Option<FieldRef>, Value), String>;

fn rows(runs: &[Run]) -> Vec<Row> {
    let of_run = |run: &Run| -> Vec<Row> {
        let column = match &run.column {
            Ok(column) => column,
            Err(error) => return vec![Err(error.message.clone())],
        };
        let schemaless = column.field.metadata().contains_key("connect.schemaless");
        let value = |row| match schemaless {
            true => normal(&restored(&column.field, &column.array, row)),
            false => value(&column.array, row),
        };
        // What is hollow may be absent, and a null has the schema of those beside it.
        let row = |value: Value| {
            let field = (!schemaless && !value.is_null()).then(|| column.field.clone());
            Ok((field, if schemaless && hollow(&value) { Value::Null } else { value }))
        };
        (0..column.array.len()).map(|at| row(value(at))).collect()
    };
    runs.iter().flat_map(of_run).collect()
}

/// Each record converted by a converter that knows nothing, which has no fast path yet.
fn alone(make: impl Fn() -> Box<dyn Converter>, records: &[Option<String>]) -> Vec<Row> {
    records.iter().flat_map(|record| rows(&convert(&mut *make(), [record.as_deref()]))).collect()
}

/// All of them in one batch, by a converter that has seen them once.
fn together(mut converter: Box<dyn Converter>, records: &[Option<String>]) -> Vec<Row> {
    convert(&mut *converter, records.iter().map(|record| record.as_deref()));
    rows(&convert(&mut *converter, records.iter().map(|record| record.as_deref())))
}

/// Schemas that take and refuse different payloads; two texts of one of them, and none.
const SCHEMAS: [&str; 5] = [
    r#"{"type":"struct","fields":[{"type":"int64","field":"a"},{"type":"string","field":"b","optional":true},{"type":"boolean","field":"c","optional":true}]}"#,
    r#"{"type":"struct", "fields":[{"type":"int64","field":"a"},{"type":"string","field":"b","optional":true},{"type":"boolean","field":"c","optional":true}]}"#,
    r#"{"type":"struct","fields":[{"type":"string","field":"b","optional":true},{"type":"struct","field":"d","optional":true,"fields":[{"type":"int8","field":"e","optional":true,"default":7}]}]}"#,
    r#"{"type":"struct","optional":true,"fields":[{"type":"double","field":"a"}]}"#,
    "null",
];

/// A record with its schema: in the usual order, the other way round, or with a field too many.
fn any_envelope() -> impl Strategy<Value = Option<String>> {
    let schema = prop_oneof![4 => Just(0), 4 => 1..SCHEMAS.len()];
    let payload = prop_oneof![8 => any_record(), 1 => Just(Value::Null)];
    let parts =
        (schema, payload, any_writing(), any_writing(), prop_oneof![6 => Just(0), 2 => Just(1), 1 => Just(2), 1 => Just(3)]);
    parts.prop_map(|(schema, payload, inner, outer, form)| {
        let (schema, payload) = (SCHEMAS[schema], inner.of(&payload));
        let mut record = match form {
            0 => format!(r#"{{"schema":{schema},"payload":{payload}}}"#),
            1 => format!(r#"{{"payload":{payload},"schema":{schema}}}"#),
            2 => format!(r#"{{"schema":{schema},"payload":{payload},"x":1}}"#),
            _ => return None,
        };
        match outer {
            Writing::Followed(bytes) => record.push_str(bytes),
            Writing::Cut(bytes) => record.truncate(record.len() - bytes.min(2)),
            _ => {}
        }
        Some(record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Without a schema: also what is refused is the same, and it is what serde_json refuses.
    #[test]
    fn a_record_is_the_same_among_others(records in vec((any_record(), any_writing()), 1..24)) {
        let texts: Vec<_> = records.iter().map(|(value, writing)| Some(writing.of(value))).collect();
        let found = together(schemaless(), &texts);
        prop_assert_eq!(&found, &alone(schemaless, &texts));
        for (row, text) in found.iter().zip(texts.iter().flatten()) {
            let expected = serde_json::from_str::<Value>(text).ok();
            match row {
                Ok((_, value)) => {
                    // a record of nothing but blanks is none to Java
                    let expected = normal(&expected.unwrap_or_default());
                    let expected = if hollow(&expected) { Value::Null } else { expected };
                    prop_assert_eq!(value, &expected, "{}", text);
                }
                Err(_) => prop_assert!(expected.is_none(), "{}", text),
            }
        }
    }

    /// With a schema, which may be another one in the middle of a batch.
    #[test]
    fn an_envelope_is_the_same_among_others(records in vec(any_envelope(), 1..24)) {
        prop_assert_eq!(together(converter(&[]), &records), alone(|| converter(&[]), &records));
    }
}
