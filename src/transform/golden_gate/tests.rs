//! Messages as GoldenGate's JSON formatter writes them.

use serde_json::{Value, json};

use super::*;
use crate::transform::fixtures::{schemaless, values_of};

fn message(operation: &str, position: u32, before: &Value, after: &Value, keys: &str) -> String {
    json!({
        "table": "SHOP.ORDERS", "op_type": operation, "op_ts": "2020-05-13 15:40:06.000000", "current_ts": "2020-05-13T13:39:35.766000",
        "pos": format!("{position:020}"), keys: ["ID"], "tokens": {"TK-CSN": "77"}, "before": before, "after": after
    })
    .to_string()
}

fn run(values: &[&str], config: &[(&str, &str)]) -> Output {
    let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut transform = GoldenGateClass.build(&config).expect("valid");
    let mut out = Output::default();
    let values: Vec<_> = values.iter().map(|value| (!value.is_empty()).then_some(*value)).collect();
    transform.apply(schemaless(&values), &mut out);
    out
}

fn messages() -> Vec<String> {
    vec![
        message("I", 1, &Value::Null, &json!({"ID": 1, "NAME": "a"}), "primary_keys"),
        message("U", 2, &json!({"ID": 1, "NAME": "a"}), &json!({"ID": 1, "NAME": "b"}), "primary_keys"),
        message("D", 3, &json!({"ID": 1, "NAME": "b", "GONE": true}), &Value::Null, "priamry_keys"),
        message("T", 4, &Value::Null, &Value::Null, "primary_keys"),
        String::new(),
    ]
}

fn texts(messages: &[String]) -> Vec<&str> {
    messages.iter().map(String::as_str).collect()
}

#[test]
fn rows_come_out_of_messages() {
    let all = messages();
    let out = run(&texts(&all), &[("add.fields", "op_type,pos,tokens.TK-CSN:csn")]);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let row = |name: &str, operation: &str, position: u32| json!({"ID": 1, "NAME": name, "__op_type": operation, "__pos": format!("{position:020}"), "__csn": "77"});
    let mut deleted = row("b", "D", 3);
    deleted["GONE"] = json!(true);
    let expected = [(0, row("a", "I", 1)), (1, row("b", "U", 2)), (2, deleted), (4, Value::Null)];
    assert_eq!(crate::transform::fixtures::without_nulls(values_of(&out)), expected.into());

    let kept = |mode| {
        values_of(&run(&texts(&all), &[("delete.mode", mode)])).into_iter().map(|(o, v)| (o, v.is_null())).collect::<Vec<_>>()
    };
    assert_eq!(kept("apply"), [(0, false), (1, false), (2, true), (4, true)]);
    assert_eq!(kept("skip"), [(0, false), (1, false), (4, true)]);
}

#[test]
fn the_listed_columns_make_the_key() {
    let mut all = messages();
    all.truncate(3);
    all.push(
        message("I", 5, &Value::Null, &json!({"ID": 2, "NAME": "c"}), "primary_keys").replace(r#"["ID"]"#, r#"["NAME","ID"]"#),
    );
    let out = run(&texts(&all), &[("key.from.primary.keys", "true")]);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let keys: Vec<_> = out.batches.iter().map(|batch| (batch.len(), batch.key.field.data_type().clone())).collect();
    let names = |data_type: &DataType| match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    assert_eq!(
        keys.iter().map(|(len, of)| (*len, names(of))).collect::<Vec<_>>(),
        [(3, "ID".to_owned()), (1, "NAME,ID".to_owned())]
    );
    let faults = GoldenGateClass.build(&Properties::from([
        ("key.from.primary.keys".to_owned(), "true".to_owned()),
        ("key.fields".to_owned(), "ID".to_owned()),
    ]));
    assert_eq!(faults.expect_err("refused").0[0].key, "key.fields");
    let none = r#"{"op_type":"I","after":{"ID":1}}"#;
    assert!(run(&[none], &[("key.from.primary.keys", "true")]).rejected[0].1.message.contains("no primary_keys"));
}

#[test]
fn columns_may_stand_beside_what_the_message_says() {
    let out = run(
        &[r#"{"table":"T","op_type":"D","op_ts":"x","current_ts":"y","pos":"1","ID":7,"NAME":"n"}"#],
        &[("add.fields", "op_type")],
    );
    assert_eq!(values_of(&out)[&0], json!({"ID": 7, "NAME": "n", "__op_type": "D"}));
}

#[test]
fn bad_messages_are_refused_alone() {
    let good = &messages()[0];
    for (bad, says) in [
        (r#"{"op_type":"X","after":{"ID":1}}"#, "the op_type X"),
        (r#"{"after":{"ID":1}}"#, "the op_type null"),
        (r#"{"op_type":"I","table":"T"}"#, "neither before nor after"),
    ] {
        let out = run(&[good, bad], &[]);
        assert_eq!((values_of(&out).len(), out.rejected[0].0), (1, 1));
        assert!(out.rejected[0].1.message.contains(says), "{:?}", out.rejected);
    }
    assert_eq!(run(&["5"], &[]).rejected.len(), 1);
}
