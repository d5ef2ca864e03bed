//! Records as the audit formats of InfoSphere Data Replication's Kafka target write them.

use serde_json::{Value, json};

use super::*;
use crate::transform::fixtures::{schemaless, values_of, with_headers, without_nulls};

fn run(batch: Batch, config: &[(&str, &str)]) -> Output {
    let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut transform = IbmIidrClass.build(&config).expect("valid");
    let mut out = Output::default();
    transform.apply(batch, &mut out);
    out
}

fn audit(entry: &str, id: &Value, name: &Value, before_id: &Value, before_name: &Value) -> String {
    json!({"ID": id, "NAME": name, "B_ID": before_id, "B_NAME": before_name, "A_ENTTYP": entry, "A_CCID": "4711", "A_TIMSTAMP": "2024-05-06 07:08:09.123456000000", "A_USER": "CICS1"}).to_string()
}

fn records() -> Batch {
    let null = Value::Null;
    let texts = [
        audit("PT", &json!(1), &json!("a"), &null, &null),
        audit("UP", &json!(1), &null, &json!(1), &json!("a")),
        audit("UB", &json!(1), &json!("a"), &null, &null),
        audit("DL", &null, &null, &json!(1), &json!("a")),
    ];
    let mut values: Vec<_> = texts.iter().map(|text| Some(&**text)).collect();
    values.push(None);
    schemaless(&values)
}

#[test]
fn rows_come_without_the_journal_and_deletes_as_they_were() {
    let out = run(records(), &[("add.fields", "A_ENTTYP:op,A_USER"), ("key.fields", "ID")]);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let row = |name: Option<&str>, operation: &str| match name {
        Some(name) => json!({"ID": 1, "NAME": name, "__op": operation, "__A_USER": "CICS1"}),
        None => json!({"ID": 1, "__op": operation, "__A_USER": "CICS1"}),
    };
    let expected = [(0, row(Some("a"), "PT")), (1, row(None, "UP")), (3, row(Some("a"), "DL")), (4, Value::Null)];
    assert_eq!(without_nulls(values_of(&out)), expected.into());

    let all =
        run(records(), &[("before.images", "keep"), ("before.columns", "keep"), ("delete.mode", "skip"), ("add.fields", "")]);
    let values = without_nulls(values_of(&all));
    assert_eq!(values.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 4]);
    assert_eq!(values[&1], json!({"ID": 1, "B_ID": 1, "B_NAME": "a"}));
    let plain = run(records(), &[("before.prefix", ""), ("add.fields", "")]);
    assert_eq!(without_nulls(values_of(&plain))[&3], json!({"B_ID": 1, "B_NAME": "a"}));
    assert!(values_of(&run(records(), &[("delete.mode", "apply")]))[&3].is_null());
}

#[test]
fn avros_json_is_unwrapped() {
    let text = r#"{"ID":{"int":5},"NAME":{"string":"x"},"A_ENTTYP":{"string":"DL"},"A_TIMSTAMP":{"string":"2024-05-06 07:08:09.123456"}}"#;
    let out = run(schemaless(&[Some(text)]), &[("add.fields", "A_ENTTYP,A_TIMSTAMP,A_CCID")]);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let expected = json!({"ID": 5, "NAME": "x", "__A_ENTTYP": "DL", "__A_TIMSTAMP": "2024-05-06 07:08:09.123456"});
    assert_eq!(without_nulls(values_of(&out))[&0], expected);
}

#[test]
fn the_journal_may_be_in_the_headers() {
    let headers: [&[(&str, &str)]; 4] = [
        &[("TableName", "T"), ("A_ENTTYP", "PT"), ("A_TIMSTAMP", "2024-05-06 07:08:09.123456")],
        &[("A_ENTTYP", "DL")],
        &[("A_ENTTYP", "DR")],
        &[("A_ENTTYP", "UB")],
    ];
    // Each second record of the fixture has no value.
    let out = run(with_headers(&headers), &[("add.fields", "A_ENTTYP,TableName")]);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let values = without_nulls(values_of(&out));
    assert_eq!(values[&0], json!({"a": 1, "__A_ENTTYP": "PT", "__TableName": "T"}));
    assert_eq!(values[&2], json!({"a": 1, "__A_ENTTYP": "DR"}));
    assert!(values[&1].is_null() && values[&3].is_null());
}

#[test]
fn bad_records_are_refused_alone() {
    let good = audit("PT", &json!(1), &json!("a"), &Value::Null, &Value::Null);
    for (bad, says) in
        [(r#"{"ID":1,"A_ENTTYP":"ZZ"}"#, "the entry type ZZ"), (r#"{"ID":1}"#, "neither in its value nor in its headers")]
    {
        let out = run(schemaless(&[Some(&good), Some(bad)]), &[]);
        assert_eq!((values_of(&out).len(), out.rejected[0].0), (1, 1));
        assert!(out.rejected[0].1.message.contains(says), "{:?}", out.rejected);
    }
    let clash = r#"{"A_ENTTYP":"DL","ID":null,"B_ID":"x"}"#;
    let out = run(schemaless(&[Some(&good), Some(clash)]), &[]);
    assert!(!out.rejected.is_empty(), "an integer and a string");
    assert_eq!(run(schemaless(&[Some("5")]), &[]).rejected.len(), 1);
}
