use super::*;
use crate::plugins::Plugins;
use crate::transform::Chain;
use crate::transform::fixtures::records;
use arrow_array::types::Int64Type;

/// An event of the table `t` in the envelope of `JsonConverter`.
fn event(op: &str, before: &str, after: &str, at: i64) -> String {
    let row = r#""type":"struct","optional":true,"name":"s.t.Value","fields":[{"field":"id","type":"int64","optional":false},{"field":"region","type":"string","optional":true,"default":"eu"}]"#;
    format!(
        r#"{{"schema":{{"type":"struct","name":"s.t.Envelope","optional":false,"fields":[{{"field":"before",{row}}},{{"field":"after",{row}}},{{"field":"source","type":"struct","name":"io.debezium.connector.postgresql.Source","optional":false,"fields":[{{"field":"ts_ms","type":"int64","optional":false}},{{"field":"snapshot","type":"string","optional":true,"default":"false"}}]}},{{"field":"transaction","type":"struct","optional":true,"fields":[{{"field":"id","type":"string","optional":false}}]}},{{"field":"op","type":"string","optional":false}},{{"field":"ts_ms","type":"int64","optional":true}}]}},"payload":{{"before":{before},"after":{after},"source":{{"ts_ms":{at},"snapshot":null}},"transaction":{},"op":"{op}","ts_ms":{at}}}}}"#,
        if op == "r" { "null" } else { r#"{"id":"tx"}"# },
    )
}

/// Rows of every kind: read, updated, deleted with its tombstone, truncated, created.
fn events() -> Vec<Option<String>> {
    let row = |id: i64, region: &str| format!(r#"{{"id":{id},"region":{region}}}"#);
    vec![
        Some(event("r", "null", &row(1, "\"us\""), 10)),
        Some(event("u", &row(1, "\"us\""), &row(1, "\"asia\""), 11)),
        Some(event("d", &row(1, "\"asia\""), "null", 12)),
        None,
        Some(event("t", "null", "null", 13)),
        Some(event("c", "null", &row(2, "\"us\""), 14)),
    ]
}

fn run(values: &[Option<String>], config: &[(&str, &str)]) -> (Vec<Batch>, Vec<String>) {
    let mut properties = Properties::from([
        ("transforms".to_owned(), "unwrap".to_owned()),
        ("transforms.unwrap.type".to_owned(), "io.debezium.transforms.ExtractNewRecordState".to_owned()),
    ]);
    properties.extend(config.iter().map(|(k, v)| (format!("transforms.unwrap.{k}"), (*v).to_owned())));
    let mut chain = Chain::new(&Plugins::BUILT_IN, &properties).expect("valid");
    let rows: Vec<_> = values.iter().map(|value| (None, value.as_deref())).collect();
    let mut refused = Vec::new();
    let batches = records(&rows, true).into_iter().flat_map(|batch| chain.apply(batch, &mut refused)).collect();
    (batches, refused.into_iter().map(|r| format!("{} {}", r.offset, r.error)).collect())
}

/// Each row as `topic@offset: member=value …`; null rows as `-`.
fn shown(batches: &[Batch]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        let DataType::Struct(fields) = batch.value.field.data_type() else {
            lines.extend(batch.offset.values().iter().map(|offset| format!("{}@{offset}: -", batch.topic)));
            continue;
        };
        for row in 0..batch.len() {
            let mut line = format!("{}@{}:", batch.topic, batch.offset.value(row));
            if batch.value.array.is_null(row) {
                line.push_str(" -");
                lines.push(line);
                continue;
            }
            for field in fields {
                let values = member(&batch.value, field.name()).expect("a member").array;
                let value = if values.is_null(row) {
                    "null".to_owned()
                } else if let Some(text) = values.as_string_opt::<i32>() {
                    text.value(row).to_owned()
                } else {
                    values.as_primitive::<Int64Type>().value(row).to_string()
                };
                line.push_str(&format!(" {}={value}", field.name()));
            }
            lines.push(line);
        }
    }
    lines
}

#[test]
fn each_mode_says_what_becomes_of_deletes() {
    let of = |mode| {
        let (batches, refused) = run(&events(), &[("delete.tombstone.handling.mode", mode)]);
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(batches.len(), 1, "rows of one schema stay together");
        assert_eq!(batches[0].covers, 0..6);
        assert_eq!(schema::name(&batches[0].value.field), Some("s.t.Value"));
        shown(&batches)
    };
    let written = ["t@0: id=1 region=us", "t@1: id=1 region=asia", "t@5: id=2 region=us"];
    assert_eq!(of("drop"), written);
    let tombstones = [written[0], written[1], "t@2: -", written[2]];
    assert_eq!(of("tombstone"), tombstones);
    assert_eq!(of("delete-to-tombstone"), tombstones);
    let rewritten = [
        "t@0: id=1 region=us __deleted=false",
        "t@1: id=1 region=asia __deleted=false",
        "t@2: id=1 region=asia __deleted=true",
        "t@5: id=2 region=us __deleted=false",
    ];
    assert_eq!(of("rewrite"), rewritten);
    let kept = [rewritten[0], rewritten[1], rewritten[2], "t@3: -", rewritten[3]];
    assert_eq!(of("Rewrite-With-Tombstone"), kept);
}

#[test]
fn fields_of_the_event_are_added_if_there() {
    let (batches, _) = run(&events()[..2], &[("add.fields", "op,source.ts_ms:AT,snapshot,id,nope"), ("add.fields.prefix", "_")]);
    // A member keeps its null: a converter may have put the default in its place.
    assert_eq!(
        shown(&batches),
        [
            "t@0: id=1 region=us _op=r _AT=10 _snapshot=false _id=null",
            "t@1: id=1 region=asia _op=u _AT=11 _snapshot=false _id=tx"
        ]
    );
    let (_, refused) = run(&events()[..1], &[("add.fields", "op:region"), ("add.fields.prefix", "")]);
    assert_eq!(
        refused,
        [
            "0 org.apache.kafka.connect.errors.SchemaBuilderException: Cannot create field because of field name duplication region"
        ]
    );
    let (_, refused) = run(&events()[..1], &[("add.fields", "updateDescription")]);
    assert!(refused[0].starts_with("0 java.lang.NullPointerException: "), "{refused:?}");
}

#[test]
fn a_row_goes_to_the_topic_that_its_field_names() {
    let topics = |mode| {
        let config = [("route.by.field", "region"), ("delete.tombstone.handling.mode", mode)];
        shown(&run(&events(), &config).0).into_iter().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(topics("tombstone"), ["us@0", "asia@1", "asia@2", "us@5"]);
    assert_eq!(topics("rewrite"), ["us@0", "asia@1", "asia@2", "us@5"]);
    let (_, refused) = run(&events()[..1], &[("route.by.field", "id")]);
    assert_eq!(refused, ["0 org.apache.kafka.connect.errors.DataException: Field 'id' is not of type STRING"]);
    let (_, refused) = run(&events()[..1], &[("route.by.field", "no")]);
    assert_eq!(refused, ["0 org.apache.kafka.connect.errors.DataException: no is not a valid field name"]);
}

#[test]
fn what_is_no_event_passes() {
    let heartbeat = r#"{"schema":{"type":"struct","name":"io.debezium.connector.common.Heartbeat","optional":false,"fields":[{"field":"ts_ms","type":"int64","optional":false}]},"payload":{"ts_ms":5}}"#;
    let (batches, refused) = run(&[Some(heartbeat.to_owned()), None], &[]);
    assert!(refused.is_empty());
    assert_eq!(shown(&batches), ["t@0: ts_ms=5"], "a tombstone is dropped all the same");
    let odd = r#"{"schema":{"type":"struct","name":"a.Envelope","optional":false,"fields":[{"field":"op","type":"string","optional":false}]},"payload":{"op":"c"}}"#;
    let (_, refused) = run(&[Some(odd.to_owned())], &[]);
    assert_eq!(refused, ["0 java.lang.IllegalArgumentException: Unknown field: after"]);
}

#[test]
fn keys_of_older_releases_name_their_successor() {
    for key in REMOVED {
        let properties = Properties::from([(key.to_owned(), "drop".to_owned())]);
        let faults = ExtractNewRecordStateClass.build(&properties).expect_err("refused");
        assert_eq!(faults.0[0].key, key);
        assert!(faults.to_string().ends_with("use delete.tombstone.handling.mode in its place"), "{faults}");
    }
    for (key, value, says) in [
        ("delete.tombstone.handling.mode", "none", "Value must be one of drop, tombstone,"),
        ("add.fields", "op, a:b:c", "Unexpected field name: a:b:c"),
    ] {
        let properties = Properties::from([(key.to_owned(), value.to_owned())]);
        let faults = ExtractNewRecordStateClass.build(&properties).expect_err("refused");
        assert!(faults.to_string().contains(says), "{faults}");
    }
}
