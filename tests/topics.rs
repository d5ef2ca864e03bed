//! Topics by regular expression, and topics that come, grow, go and come again while a connector runs.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::read::seen_by;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
#[cfg(feature = "failpoints")]
use crate::support::worker::landfall;
use crate::support::{secs, wait_until};

/// How often topics are looked at in these tests.
const LOOK: &str = "200";

fn worker() -> Worker {
    Worker::start(&Broker::shared().bootstrap(), &[("offset.flush.interval.ms", "200")])
}

/// A connector of `store` whose topics are looked at often; `topics` is the key by which they are given.
fn connector(store: &Store, topics: (&str, &str), more: &Value) -> Value {
    let mut config = store.connector("", 2);
    config.as_object_mut().unwrap().remove("topics");
    with(&mut config, &json!({ topics.0: topics.1, "consumer.override.metadata.max.age.ms": LOOK }));
    with(&mut config, more);
    config
}

/// Appends records with these numbers as `id`.
fn produce(topic: &str, partition: i32, ids: std::ops::Range<i64>) {
    Broker::shared().produce(topic, partition, ids.map(|id| Record::value(json!({ "id": id }).to_string())));
}

fn rows(store: &Store, topic: &str) -> i64 {
    if store.files(topic).is_empty() { 0 } else { seen_by("duckdb", &store.folder(topic), "id").count }
}

fn wait_for_log(worker: &Worker, text: &str) {
    wait_until(&format!("{text:?} in {}", worker.log().display()), secs(30), || worker.log_text().contains(text).then_some(()));
}

#[test]
fn a_topic_that_is_named_and_missing_is_taken_when_it_is_created() {
    let (broker, store, worker) = (Broker::shared(), Store::directory(), worker());
    // librdkafka by itself looks at topics every five minutes
    let rarely = json!({ "consumer.override.metadata.max.age.ms": "300000" });
    worker.create("named-late", &connector(&store, ("topics", "named-late"), &rarely));
    wait_for_log(&worker, "Subscribed topic not available: named-late: Broker: Unknown topic or partition; is its name right?");
    broker.create_topic("named-late", 1);
    produce("named-late", 0, 0..4);
    worker.await_landed(broker, "named-late", "named-late");
    assert_eq!(rows(&store, "named-late"), 4);
}

#[test]
fn topics_that_match_are_taken_when_they_appear_and_others_are_not() {
    let (broker, store, worker) = (Broker::shared(), Store::directory(), worker());
    // Kafka's own topics are there and match
    broker.committed("anyone", {
        broker.create_topic("regex-other", 1);
        "regex-other"
    });
    produce("regex-other", 0, 0..4);
    let regex = r"(?i)REGEX-(?!other)\p{Alpha}++\d?|__.*|\Qa.b\E";
    worker.create("regex-late", &connector(&store, ("topics.regex", regex), &json!({ "tasks.max": "2" })));
    wait_for_log(&worker, "task regex-late-0 finds no topic that matches topics.regex; it waits for one");
    wait_for_log(&worker, "task regex-late-1 finds no topic");

    // the records of before the topic was seen are taken too
    broker.create_topic("regex-first", 2);
    produce("regex-first", 0, 0..4);
    produce("regex-first", 1, 4..8);
    worker.await_landed(broker, "regex-late", "regex-first");
    broker.create_topic("regex-second", 2);
    produce("regex-second", 0, 0..2);
    produce("regex-second", 1, 2..4);
    produce("regex-first", 0, 8..10);
    worker.await_landed(broker, "regex-late", "regex-second");
    worker.await_landed(broker, "regex-late", "regex-first");
    worker.await_state("regex-late", "RUNNING");
    assert_eq!((rows(&store, "regex-first"), rows(&store, "regex-second")), (10, 4));
    assert_eq!(store.tiled("regex-first"), [(0, 6), (1, 4)].into());
    let folders = std::fs::read_dir(store.landed().join("topics")).unwrap().count();
    assert_eq!(folders, 2, "only what matches, and nothing of Kafka's own: {:?}", store.files(""));
    // both tasks have their share
    for task in 0..2 {
        wait_for_log(&worker, &format!("task regex-late-{task} subscribes to 2 topics"));
        let took = |line: &str| line.contains(&format!("task regex-late-{task} takes 2 partitions"));
        assert!(worker.log_text().lines().any(took), "{}", worker.log_text());
    }
}

#[test]
fn a_topic_that_is_missing_is_waited_for_and_one_that_grows_is_taken_whole() {
    let (broker, store, worker) = (Broker::shared(), Store::directory(), worker());
    broker.create_topic("grows", 1);
    let more = json!({ "consumer.override.allow.auto.create.topics": "false" });
    worker.create("grows", &connector(&store, ("topics", "grows,appears"), &more));
    produce("grows", 0, 0..2);
    worker.await_landed(broker, "grows", "grows");
    broker.grow_topic("grows", 3);
    for partition in 0..3 {
        produce("grows", partition, 0..4);
    }
    worker.await_landed(broker, "grows", "grows");
    assert_eq!(store.tiled("grows"), [(0, 6), (1, 4), (2, 4)].into());
    broker.create_topic("appears", 1);
    produce("appears", 0, 0..4);
    worker.await_landed(broker, "grows", "appears");
    worker.await_state("grows", "RUNNING");
    assert_eq!(store.tiled("appears"), [(0, 4)].into());
}

#[test]
fn a_topic_that_is_deleted_is_let_go_and_the_others_go_on() {
    let (broker, store, worker) = (Broker::shared(), Store::directory(), worker());
    for topic in ["goes-a", "goes-b"] {
        broker.create_topic(topic, 1);
        produce(topic, 0, 0..3);
    }
    // three records: the third waits in an open file
    worker.create("goes", &connector(&store, ("topics.regex", "goes-.*"), &json!({})));
    wait_until("two files", secs(30), || (store.files("goes-a").len() + store.files("goes-b").len() == 2).then_some(()));
    broker.delete_topic("goes-a");
    wait_for_log(&worker, "gone: goes-a");
    produce("goes-b", 0, 3..8);
    worker.await_landed(broker, "goes", "goes-b");
    worker.await_state("goes", "RUNNING");
    assert_eq!((rows(&store, "goes-a"), store.tiled("goes-b")), (2, [(0, 8)].into()));
}

/// A topic is deleted and created again: its old files stay as they are, and the new ones have other names.
fn comes_again(topic: &str, records: i64, more: &Value) {
    let (broker, store, worker) = (Broker::shared(), Store::directory(), worker());
    broker.create_topic(topic, 1);
    produce(topic, 0, 0..6);
    worker.create(topic, &connector(&store, ("topics.regex", topic), more));
    worker.await_landed(broker, topic, topic);
    broker.delete_topic(topic);
    broker.create_topic(topic, 1);
    // Fewer than were read of the old one: a consumer that goes on behind them would take what is new for what it has read.
    produce(topic, 0, 100..104);
    let again = || store.files(topic).iter().any(|file| file.to_string_lossy().contains("+0000000000.r1."));
    wait_until("files of the new topic", secs(60), || again().then_some(()));
    produce(topic, 0, 104..100 + records);
    worker.await_landed(broker, topic, topic);
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (6 + records, 6 + records, 0, 99 + records));
}

fn move_away(folder: &Path) {
    std::fs::rename(folder, folder.with_extension("old")).unwrap();
}

#[test]
fn a_topic_that_comes_again_is_not_taken_for_the_old_one() {
    comes_again("again-short", 4, &json!({}));
}

#[test]
fn a_topic_that_comes_again_longer_between_two_looks_is_noticed() {
    comes_again("again-unseen-long", 12, &json!({ "consumer.override.metadata.max.age.ms": "300000" }));
}

#[test]
fn a_topic_that_comes_again_is_read_from_its_beginning() {
    let (broker, store, worker, topic) = (Broker::shared(), Store::directory(), worker(), "again-moved");
    broker.create_topic(topic, 1);
    produce(topic, 0, 0..7);
    let more = json!({ "consumer.override.metadata.max.age.ms": "300000" });
    worker.create(topic, &connector(&store, ("topics.regex", topic), &more));
    wait_until("three files", secs(30), || (store.files(topic).len() == 3).then_some(()));
    broker.delete_topic(topic);
    move_away(&store.folder(topic));
    broker.create_topic(topic, 1);
    produce(topic, 0, 100..104);
    wait_for_log(&worker, "was deleted and created again");
    produce(topic, 0, 104..112);
    worker.await_landed(broker, topic, topic);
    worker.await_state(topic, "RUNNING");
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (12, 12, 100, 111));
}

/// librdkafka gives records twice now and then, after a rebalance among thousands of partitions: they land once, and the task goes on.
#[cfg(feature = "failpoints")]
#[test]
fn records_that_the_client_gives_twice_land_once() {
    let program = |properties: &Path| {
        let mut command = landfall(properties);
        command.env("FAILPOINTS", "fetch::repeat=4*return");
        command
    };
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "given-twice");
    let mut worker = Worker::of(program, &broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
    worker.start_again();
    broker.create_topic(topic, 2);
    for ids in [0..5, 10..15] {
        produce(topic, 0, ids.clone());
        produce(topic, 1, ids.start + 5..ids.end + 5);
        if ids.start == 0 {
            worker.create(topic, &connector(&store, ("topics", topic), &json!({})));
            wait_for_log(&worker, "given-twice-0 comes again from offset 0 on, up to 5; what was read before is left out");
        }
    }
    worker.await_landed(broker, topic, topic);
    worker.await_state(topic, "RUNNING");
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (20, 20, 0, 19));
}

#[test]
fn a_bad_pattern_is_refused_by_name() {
    let (store, worker) = (Store::directory(), worker());
    for (regex, why) in [
        ("[(", "Invalid value [( for configuration topics.regex: Invalid regex: Unclosed character class near index 1\n[(\n ^"),
        (r"\p{InGreek}", r"Invalid regex: \p{InGreek} is not supported here"),
        ("", "Must configure one of topics or topics.regex"),
    ] {
        let config = connector(&store, ("topics.regex", regex), &json!({}));
        let (status, body) = worker.post("/connectors", &json!({ "name": "bad", "config": config }));
        assert!(status == 400 && body["message"].as_str().is_some_and(|m| m.contains(why)), "{status} {body:#}");
    }
    let config = connector(&store, ("topics.regex", "t.*"), &json!({ "topics": "t1" }));
    let (status, body) = worker.post("/connectors", &json!({ "name": "bad", "config": config }));
    let both = "topics and topics.regex are mutually exclusive options, but both are set.";
    assert!(status == 400 && body.to_string().contains(both), "{status} {body:#}");
}

#[test]
fn a_pattern_that_would_try_for_ever_fails_the_task() {
    let topic = format!("trap-{}", "a".repeat(200));
    Broker::shared().create_topic(&topic, 1);
    let (store, worker) = (Store::directory(), worker());
    let config = connector(&store, ("topics.regex", r"trap-(a+)+\1b"), &json!({}));
    assert_eq!(worker.post("/connectors", &json!({ "name": "trap", "config": config })).0, 201);
    let trace = worker.await_failure("trap");
    assert!(trace.contains(r"the regular expression trap-(a+)+\1b takes more than") && trace.contains(&topic), "{trace}");
}
