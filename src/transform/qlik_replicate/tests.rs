//! Messages as the tool writes them to Kafka in JSON, and with a schema as its Avro has it.

use serde_json::{Value, json};

use super::*;
use crate::transform::fixtures::{headers_of, records, schemaless, values_of, without_nulls};

/// Headers of a change as the tool writes them.
fn headers(operation: &str, sequence: u8, change_mask: &Value, column_mask: &str) -> Value {
    json!({
        "operation": operation,
        "changeSequence": format!("2023032121341900000000000000000{sequence:04}"),
        "timestamp": "2023-03-21T21:34:19.511",
        "streamPosition": "00000ab0:0000e5d8:0002",
        "transactionId": "0000000000000000000000000006A1B2",
        "changeMask": change_mask,
        "columnMask": column_mask,
        "transactionEventCounter": 1,
        "transactionLastEvent": true
    })
}

fn enveloped(kind: &str, message: &Value) -> String {
    json!({"magic": "atMSG", "type": kind, "headers": null, "messageSchemaId": null, "messageSchema": null, "message": message})
        .to_string()
}

/// An insert, an update, a refresh, both forms of a delete, a message about the table, a tombstone.
fn messages() -> Vec<Value> {
    let refresh = json!({"operation": "REFRESH", "changeSequence": "", "timestamp": null, "streamPosition": null, "transactionId": null, "changeMask": null, "columnMask": "07"});
    vec![
        json!({"data": {"ID": "1", "NAME": "Ada", "BALANCE": "12.50"}, "beforeData": null, "headers": headers("INSERT", 1, &json!("07"), "07")}),
        json!({"data": {"ID": "1", "NAME": "Ada", "BALANCE": "13.00"}, "beforeData": {"ID": "1", "NAME": "Ada", "BALANCE": "12.50"}, "headers": headers("UPDATE", 2, &json!("04"), "07")}),
        json!({"data": {"ID": "2", "NAME": null, "BALANCE": "1"}, "beforeData": null, "headers": refresh}),
        json!({"data": {"ID": "1", "NAME": "Ada", "BALANCE": "13.00"}, "beforeData": null, "headers": headers("DELETE", 3, &json!("00"), "07")}),
        json!({"data": null, "beforeData": {"ID": "2", "NAME": null, "BALANCE": "1"}, "headers": headers("DELETE", 4, &json!("00"), "07")}),
        json!({"schemaId": "ABC", "lineage": {"server": "s", "task": "t", "schema": "dbo", "table": "T", "tableVersion": 0, "timestamp": "2023-03-21T21:34:00.000"}, "tableStructure": {"tableColumns": {"ID": {"ordinal": 1, "type": "NUMERIC", "length": 0, "precision": 10, "scale": 0, "primaryKeyPosition": 1}}}}),
    ]
}

fn run(batch: Batch, config: &[(&str, &str)]) -> Output {
    let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut transform = QlikReplicateClass.build(&config).expect("valid");
    let mut out = Output::default();
    transform.apply(batch, &mut out);
    out
}

fn batch(envelope: bool) -> Batch {
    let texts: Vec<_> = messages()
        .iter()
        .map(|message| match message.get("lineage") {
            _ if !envelope => message.to_string(),
            Some(_) => enveloped("MD", message),
            None => enveloped("DT", message),
        })
        .collect();
    let mut values: Vec<_> = texts.iter().map(|text| Some(&**text)).collect();
    values.push(None);
    schemaless(&values)
}

#[test]
fn rows_come_out_of_messages_with_and_without_an_envelope() {
    for envelope in [true, false] {
        let out = run(batch(envelope), &[("add.fields", "operation,transactionId:tx"), ("key.fields", "ID")]);
        assert!(out.rejected.is_empty(), "{:?}", out.rejected);
        let tx = "0000000000000000000000000006A1B2";
        let row = |id: &str, name: Value, balance: &str, operation: &str, tx: Value| json!({"ID": id, "NAME": name, "BALANCE": balance, "__operation": operation, "__tx": tx});
        let expected = [
            (0, row("1", json!("Ada"), "12.50", "INSERT", json!(tx))),
            (1, row("1", json!("Ada"), "13.00", "UPDATE", json!(tx))),
            (2, row("2", Value::Null, "1", "REFRESH", Value::Null)),
            (3, row("1", json!("Ada"), "13.00", "DELETE", json!(tx))),
            (4, row("2", Value::Null, "1", "DELETE", json!(tx))),
            (6, Value::Null),
        ];
        let expected = without_nulls(expected.into());
        assert_eq!(without_nulls(values_of(&out)), expected, "{envelope}");
        let key = member(&out.batches[0].key, "ID").expect("a key");
        assert_eq!(text(Some(&key), 5).iter().flatten().collect::<String>(), "11212");
        // The tombstone joins the rows.
        assert_eq!(out.batches[0].value.field, out.batches[1].value.field);
    }
}

#[test]
fn deletes_and_messages_about_tables_go_as_configured() {
    let offsets = |config: &[(&str, &str)]| {
        let out = run(batch(true), config);
        values_of(&out).into_iter().map(|(offset, value)| (offset, value.is_null())).collect::<Vec<_>>()
    };
    let of = |nulls: &[i64], rows: &[i64]| {
        let mut all: Vec<_> = nulls.iter().map(|&o| (o, true)).chain(rows.iter().map(|&o| (o, false))).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(offsets(&[]), of(&[6], &[0, 1, 2, 3, 4]));
    assert_eq!(offsets(&[("delete.mode", "apply")]), of(&[3, 4, 6], &[0, 1, 2]));
    assert_eq!(offsets(&[("delete.mode", "skip")]), of(&[6], &[0, 1, 2]));
    assert_eq!(offsets(&[("metadata.messages", "pass")]), of(&[6], &[0, 1, 2, 3, 4, 5]));
}

#[test]
fn headers_say_what_happened() {
    let out = run(batch(true), &[("add.headers", "operation,changedOrdinals"), ("add.fields", "")]);
    let headers: Vec<_> = headers_of(&out.batches[0]).into_iter().take(2).collect();
    assert_eq!(
        headers,
        [
            [("__operation", "INSERT"), ("__changedOrdinals", "[1,2,3]")],
            [("__operation", "UPDATE"), ("__changedOrdinals", "[3]")]
        ]
    );
}

/// Messages with a schema: `rows` of data, data before, operation, changed columns and columns that are there.
fn typed(rows: &[(Value, Value, &str, Value, Value)]) -> Batch {
    let columns: Vec<_> = (1..=16).map(|n| json!({"field": format!("C{n}"), "type": "int32", "optional": n != 1})).collect();
    let struct_of = |field: &str| json!({"field": field, "type": "struct", "optional": true, "name": "Data", "fields": columns});
    let of_headers: Vec<_> =
        [("operation", "string"), ("changeSequence", "string"), ("changeMask", "bytes"), ("columnMask", "bytes")]
            .iter()
            .map(|(field, kind)| json!({"field": field, "type": kind, "optional": true}))
            .collect();
    let schema = json!({"type": "struct", "name": "DataRecord", "fields": [struct_of("data"), struct_of("beforeData"), {"field": "headers", "type": "struct", "fields": of_headers}]});
    let row = |n: &Value| {
        (1..=16).map(|c| (format!("C{c}"), json!(n.as_i64().unwrap_or(0) * 100 + c))).collect::<serde_json::Map<_, _>>()
    };
    let texts: Vec<_> = rows
        .iter()
        .map(|(data, before, operation, change, columns)| {
            let side = |side: &Value| if side.is_null() { Value::Null } else { Value::Object(row(side)) };
            json!({"schema": schema, "payload": {"data": side(data), "beforeData": side(before),
                "headers": {"operation": operation, "changeSequence": "1", "changeMask": change, "columnMask": columns}}})
            .to_string()
        })
        .collect();
    let values: Vec<_> = texts.iter().map(|text| (None, Some(&**text))).collect();
    records(&values, true).swap_remove(0)
}

#[test]
fn masks_are_one_number_with_the_first_column_lowest() {
    // 00 80 80 and 00 ff ff in Base64: of a real update of 16 columns, of which the 8th and the 16th changed.
    let batch = typed(&[
        (json!(1), json!(2), "UPDATE", json!("AICA"), json!("AP//")),
        (json!(3), Value::Null, "UPDATE", json!("AQ=="), json!("AAM=")),
        (Value::Null, json!(4), "DELETE", Value::Null, Value::Null),
    ]);
    let out = run(batch, &[("add.fields", "operation,changedColumns,changedOrdinals")]);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let values = values_of(&out);
    let (update, partial, deleted) = (&values[&0], &values[&1], &values[&2]);
    assert_eq!((&update["__changedColumns"], &update["__changedOrdinals"]), (&json!(["C8", "C16"]), &json!([8, 16])));
    assert_eq!((&update["C1"], &update["C16"]), (&json!(101), &json!(116)));
    assert_eq!((&partial["C1"], &partial["C2"], &partial["C3"]), (&json!(301), &json!(302), &Value::Null));
    assert_eq!(partial["__changedColumns"], json!(["C1"]));
    assert_eq!(
        (&deleted["C16"], &deleted["__operation"], &deleted["__changedColumns"]),
        (&json!(416), &json!("DELETE"), &Value::Null)
    );
}

#[test]
fn what_is_no_message_is_refused_alone() {
    let good = enveloped("DT", &messages()[0]);
    let bad = [
        (json!({"x": 1}).to_string(), "a value that is no message of Qlik Replicate: it has neither data nor beforeData"),
        (
            enveloped("DT", &json!({"data": null, "beforeData": null, "headers": headers("INSERT", 1, &Value::Null, "07")})),
            "neither data nor beforeData",
        ),
        (
            enveloped("DT", &json!({"data": {"ID": "1"}, "headers": headers("UPSERT", 1, &Value::Null, "07")})),
            "the operation UPSERT",
        ),
        (enveloped("DT", &json!({"data": {"ID": "1"}, "headers": {"changeSequence": "1"}})), "the operation null"),
        (enveloped("DT", &json!({"data": {"ID": "1"}, "headers": headers("INSERT", 1, &json!("xyz"), "07")})), "the mask xyz"),
    ];
    for (text, says) in bad {
        let out = run(schemaless(&[Some(&good), Some(&text)]), &[]);
        assert_eq!(values_of(&out).len(), 1, "{says}");
        assert!(out.rejected[0].1.message.contains(says), "{:?}", out.rejected);
    }
    let number = run(schemaless(&[Some("1")]), &[]);
    assert_eq!(number.rejected.len(), 1);
    let row = run(schemaless(&[Some(r#"{"data":1,"headers":{"operation":"INSERT"}}"#)]), &[]);
    assert!(row.rejected[0].1.message.contains("not a row"), "{:?}", row.rejected);
    let names = run(schemaless(&[Some(&good)]), &[("add.fields", "changedColumns")]);
    assert!(names.rejected[0].1.message.contains("needs values with a schema"), "{:?}", names.rejected);
    let twice = run(schemaless(&[Some(&good)]), &[("add.fields", "operation:ID"), ("add.fields.prefix", "")]);
    assert!(twice.rejected[0].1.message.contains("duplication ID"), "{:?}", twice.rejected);
    let key = run(schemaless(&[Some(&good)]), &[("key.fields", "NOPE")]);
    assert!(key.rejected[0].1.message.contains("no column NOPE"), "{:?}", key.rejected);
}

#[test]
fn avro_in_an_envelope_is_refused_with_what_to_do() {
    let schema = json!({"type": "struct", "name": "MessageEnvelope", "fields": [{"field": "magic", "type": "bytes"}, {"field": "type", "type": "string"}, {"field": "message", "type": "bytes"}]});
    let text = json!({"schema": schema, "payload": {"magic": "YXRNU0c=", "type": "DT", "message": "AAE="}}).to_string();
    let out = run(records(&[(None, Some(&text))], true).swap_remove(0), &[]);
    assert!(out.rejected[0].1.message.ends_with("let the task use a schema registry"), "{:?}", out.rejected);
}
