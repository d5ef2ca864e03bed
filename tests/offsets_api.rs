//! Offsets of a connector's group over REST: shown, altered and reset, and what lands then.

use std::ops::Range;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::once::{Numbered, landed_of, ours};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const ALTERED: &str = "The offsets for this connector have been altered successfully";
const RESET: &str = "The offsets for this connector have been reset successfully";

/// What a request for an offset asks for.
fn asked(topic: &str, partition: impl Into<Value>, offset: Option<i64>) -> Value {
    let offset = offset.map(|offset| json!({"kafka_offset": offset}));
    json!({"partition": {"kafka_topic": topic, "kafka_partition": partition.into()}, "offset": offset})
}

fn shown(topic: &str, offsets: &[(i32, i64)]) -> Value {
    let offsets: Vec<_> = offsets.iter().map(|(partition, offset)| asked(topic, *partition, Some(*offset))).collect();
    json!({ "offsets": offsets })
}

impl Worker {
    fn alter(&self, connector: &str, offsets: &[Value]) -> (u16, String) {
        let (status, body) = self.patch(&format!("/connectors/{connector}/offsets"), &json!({ "offsets": offsets }));
        (status, body["message"].as_str().unwrap_or_default().to_owned())
    }

    fn await_offsets(&self, connector: &str, expected: &Value) {
        let path = format!("/connectors/{connector}/offsets");
        let mut last = Value::Null;
        wait_until("the offsets", secs(60), || {
            last = self.get(&path).1;
            (last == *expected).then_some(())
        });
    }

    fn stop(&self, connector: &str) {
        assert_eq!(self.put(&format!("/connectors/{connector}/stop"), &Value::Null).0, 204);
    }

    fn resume(&self, connector: &str) {
        assert_eq!(self.put(&format!("/connectors/{connector}/resume"), &Value::Null).0, 202);
    }
}

/// A connector of Kafka's file sink, as Java's worker answers for it.
#[test]
fn offsets_are_shown_altered_and_reset() {
    let (broker, topic) = (Broker::shared(), "offsets-api");
    broker.create_topic(topic, 2);
    for partition in 0..2 {
        broker.produce(topic, partition, (0..5).map(|n| Record::value(format!("\"{partition} {n}\""))));
    }
    let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
    let file = tempfile::tempdir().expect("a folder");
    let file = file.path().join("lines");
    let config = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": file, "consumer.override.group.id": "of-my-own",
        "admin.override.client.id": "who-asks"
    });
    worker.create("c", &config);
    worker.await_offsets("c", &shown(topic, &[(0, 5), (1, 5)]));
    assert_eq!(worker.get("/connectors/c/topics").1, json!({"c": {"topics": [topic]}}));
    assert_eq!(worker.alter("c", &[asked(topic, 0, Some(1))]).0, 400);

    worker.stop("c");
    assert_eq!(worker.get("/connectors/c/offsets").1, shown(topic, &[(0, 5), (1, 5)]));
    assert_eq!(worker.alter("c", &[asked(topic, 0, Some(4)), asked(topic, "1", Some(2))]), (200, ALTERED.into()));
    assert_eq!(worker.get("/connectors/c/offsets").1, shown(topic, &[(0, 4), (1, 2)]));
    assert_eq!(worker.alter("c", &[asked(topic, 0, Some(3)), asked(topic, 1, None)]), (200, ALTERED.into()));
    assert_eq!(worker.get("/connectors/c/offsets").1, shown(topic, &[(0, 3)]));
    let failed = "Failed to alter consumer group offsets for connector c";
    for (of, partition) in [("no-such-topic", 0), (topic, 9), (topic, -1)] {
        let (status, message) = worker.alter("c", &[asked(of, partition, Some(1))]);
        assert!(status == 500 && message.starts_with(failed), "{status} {message}");
    }
    let (status, message) = worker.alter("c", &[asked(topic, 0, Some(-1))]);
    assert!(status == 500 && message.starts_with("Failed to modify offsets for sink connector c"), "{status} {message}");
    assert_eq!(worker.get("/connectors/c/offsets").1, shown(topic, &[(0, 3)]));

    // Somebody else's member in the group: nothing is changed, and it is said why.
    let member = broker.join("of-my-own", topic);
    let (status, message) = worker.alter("c", &[asked(topic, 0, Some(1))]);
    assert!(status == 500 && message.starts_with(&format!("{failed} either because its tasks haven't stopped")), "{message}");
    let (status, message) = worker.alter("c", &[asked(topic, 0, None)]);
    assert!(status == 500 && message.starts_with(&format!("{failed} either because its tasks haven't stopped")), "{message}");
    let (status, body) = worker.delete("/connectors/c/offsets");
    let message = body["message"].as_str().unwrap_or_default();
    assert!(status == 500 && message.starts_with("Failed to reset consumer group offsets for connector c either"), "{message}");
    drop(member);
    wait_until("the member to be gone", secs(30), || (worker.alter("c", &[asked(topic, 0, Some(3))]).0 == 200).then_some(()));

    worker.resume("c");
    worker.await_offsets("c", &shown(topic, &[(0, 5), (1, 5)]));
    let lines = std::fs::read_to_string(&file).expect("lines");
    let count = |of: &str| lines.lines().filter(|line| line.starts_with(of)).count();
    assert_eq!((count("0 "), count("1 ")), (5 + 2, 5 + 5), "{lines}");

    worker.stop("c");
    for _ in 0..2 {
        assert_eq!(worker.delete("/connectors/c/offsets"), (200, json!({"message": RESET})));
        assert_eq!(worker.get("/connectors/c/offsets"), (200, json!({"offsets": []})));
    }
}

/// What lands when the offsets of a lake connector are altered: from there on again. Without offsets it goes on where it was.
#[test]
fn altered_offsets_of_a_lake_connector_are_obeyed() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "offsets-api-lake");
    let mut records = Numbered::create(broker, topic, 1, 1);
    records.produce(200);
    let mut config = ours(&store, topic, 100);
    with(&mut config, &json!({"landfall.rotate.idle.ms": "300"}));
    let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
    worker.create(topic, &config);
    let lands = |records: &mut Numbered, more| {
        records.produce(more);
        worker.await_landed(broker, topic, topic);
    };
    let found = |files: &str, range: Range<i64>| {
        landed_of(&[store.landed()], files, &[(topic, [(0, range)].into())].into()).remove(topic).expect("an answer")
    };
    lands(&mut records, 0);

    // The same offset twice: each time it is a new wish.
    for (incarnation, end) in [(1, 300), (2, 400)] {
        worker.stop(topic);
        assert_eq!(worker.alter(topic, &[asked(topic, 0, Some(50))]), (200, ALTERED.into()));
        worker.resume(topic);
        lands(&mut records, 100);
        let found = found(&format!(r"\.r{incarnation}\.\w+\.parquet$"), 50..end);
        assert!(found.is_once(), "{incarnation}: {found:#?}\n{}", worker.log_text());
    }

    worker.stop(topic);
    let (status, body) = worker.delete(&format!("/connectors/{topic}/offsets"));
    let message = body["message"].as_str().unwrap_or_default();
    assert!(
        status == 200 && message.starts_with("The Connect framework-managed offsets for this connector have been reset"),
        "{message}"
    );
    assert!(message.contains("alter the offset of a partition to that of the first"), "{message}");
    worker.resume(topic);
    lands(&mut records, 100);
    let rest = found(r"\.r2\.\w+\.parquet$", 50..500);
    assert!(rest.is_once(), "{rest:#?}\n{}", worker.log_text());
    assert_eq!(found(r"\.r3\.", 0..500).files, 0);
    assert!(found(r"\+\d+\.\w+\.parquet$", 0..200).is_once());
}
