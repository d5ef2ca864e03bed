use std::sync::{Arc, Mutex};

use landfall_api::Properties;

use super::*;
use crate::kafka::MockCluster;
use crate::kafka::client::{internal_consumer_properties, internal_producer_properties};

const SOON: Duration = Duration::from_secs(20);

type Seen = Arc<Mutex<Vec<(i32, i64, String, Option<String>)>>>;

fn settings(bootstrap: &str, topic: &str) -> LogSettings {
    let worker = Properties::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    LogSettings {
        topic: topic.to_owned(),
        key: "config.storage.topic",
        purpose: "connector configurations",
        partitions: 1,
        replication: 1,
        topic_settings: BTreeMap::new(),
        single: false,
        consumer: internal_consumer_properties(&worker, "t"),
        producer: internal_producer_properties(&worker, "t"),
    }
}

async fn start(settings: LogSettings) -> (Log, Seen) {
    let seen = Seen::default();
    let all = seen.clone();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let log = Log::start(settings, move |partition, offset, key, value| {
        let record = (partition, offset, text(key.unwrap_or_default()), value.map(text));
        all.lock().expect("not poisoned").push(record);
    });
    (tokio::time::timeout(SOON, log).await.expect("in time").expect("a log"), seen)
}

fn record(key: &str, value: &str) -> (String, Option<Vec<u8>>) {
    (key.to_owned(), Some(value.into()))
}

fn values(seen: &Seen) -> Vec<(String, Option<String>)> {
    seen.lock().expect("not poisoned").iter().map(|(_, _, key, value)| (key.clone(), value.clone())).collect()
}

/// The mock cluster's brokers neither make topics nor describe them: that is tolerated.
#[tokio::test]
async fn what_is_appended_is_read_by_all() {
    let cluster = MockCluster::start().expect("a mock cluster");
    cluster.create_topic("configs", 1).expect("a topic");
    let bootstrap = cluster.bootstrap_servers();
    let (one, seen_by_one) = start(settings(&bootstrap, "configs")).await;
    assert!(values(&seen_by_one).is_empty());
    one.append([record("a", "1"), ("b".to_owned(), None), record("c", "")], SOON).await.expect("appended");
    one.read_to_end(SOON).await.expect("read");
    let all = [("a", Some("1")), ("b", None), ("c", Some(""))].map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
    assert_eq!(values(&seen_by_one), all);

    let (two, seen_by_two) = start(settings(&bootstrap, "configs")).await;
    assert_eq!(values(&seen_by_two), all, "everything is there when it has started");
    two.append([record("d", "2")], SOON).await.expect("appended");
    one.read_to_end(SOON).await.expect("read");
    assert_eq!(values(&seen_by_one).last(), Some(&("d".to_owned(), Some("2".to_owned()))));
    two.append([], SOON).await.expect("nothing to do");

    // Stopped, it applies nothing more.
    one.stop().await;
    two.append([record("e", "3")], SOON).await.expect("appended");
    two.read_to_end(SOON).await.expect("read");
    assert_eq!((values(&seen_by_one).len(), values(&seen_by_two).len()), (4, 5));
}

#[tokio::test]
async fn all_partitions_are_read_and_many_may_append_at_once() {
    let cluster = MockCluster::start().expect("a mock cluster");
    cluster.create_topic("statuses", 5).expect("a topic");
    let (log, seen) = start(settings(&cluster.bootstrap_servers(), "statuses")).await;
    let log = &log;
    let append = |number: usize| async move {
        let records = (0..20).map(|at| record(&format!("{number}-{at}"), "v"));
        log.append(records, SOON).await.expect("appended");
    };
    futures::future::join_all((0..20).map(append)).await;
    log.read_to_end(SOON).await.expect("read");
    let seen = seen.lock().expect("not poisoned");
    assert_eq!(seen.len(), 400);
    let partitions: std::collections::BTreeSet<_> = seen.iter().map(|(partition, ..)| *partition).collect();
    assert_eq!(partitions.len(), 5);
    assert!(log.appending().fates.is_empty(), "nobody waits any more");
}

#[tokio::test]
async fn a_topic_of_configurations_has_one_partition() {
    let cluster = MockCluster::start().expect("a mock cluster");
    cluster.create_topic("two", 2).expect("a topic");
    let settings = LogSettings { single: true, ..settings(&cluster.bootstrap_servers(), "two") };
    let error = Log::start(settings, |_, _, _, _| {}).await.expect_err("two partitions");
    assert_eq!(
        error.to_string(),
        "Topic 'two' supplied via the 'config.storage.topic' property is required to have a single partition in order to guarantee \
         consistency of connector configurations, but found 2 partitions."
    );
}

#[tokio::test]
async fn who_does_not_wait_is_not_waited_for() {
    let cluster = MockCluster::start().expect("a mock cluster");
    cluster.create_topic("configs", 1).expect("a topic");
    let (log, _) = start(settings(&cluster.bootstrap_servers(), "configs")).await;
    drop(cluster);
    let limit = Duration::from_millis(50);
    let error = log.append([record("a", "1")], limit).await.expect_err("no broker");
    assert_eq!(error.to_string(), "topic configs: records were not written within 50 ms");
    assert!(log.appending().fates.is_empty());
    let error = log.read_to_end(limit).await.expect_err("no broker");
    assert_eq!(error.to_string(), "topic configs: its end was not reached within 50 ms");
}

#[tokio::test]
async fn brokers_that_were_away_are_followed_again() {
    let cluster = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic("configs", 1, 1).expect("a topic");
    let (log, seen) = start(settings(&cluster.bootstrap_servers(), "configs")).await;
    cluster.broker_down(1).expect("down");
    let limit = Duration::from_millis(50);
    log.append([record("a", "1")], limit).await.expect_err("nobody has it");
    log.read_to_end(limit).await.expect_err("nobody knows the end");
    cluster.broker_up(1).expect("up");
    log.append([record("b", "2")], SOON).await.expect("appended");
    log.read_to_end(SOON).await.expect("read");
    // What nobody waited for any more is there too, before what came later.
    let all = [("a", "1"), ("b", "2")].map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    assert_eq!(values(&seen), all);
    assert!(log.appending().fates.is_empty());
}

#[tokio::test]
async fn a_bad_setting_is_named() {
    let bad = |pairs: &[(&str, &str)]| {
        let worker: Properties = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let producer = internal_producer_properties(&worker, "t");
        LogSettings { producer, ..settings("localhost:1", "t") }
    };
    let error = Log::ensure(bad(&[("linger.ms", "soon")])).await.expect_err("no number");
    assert!(error.to_string().contains("Invalid value soon for configuration linger.ms"), "{error}");
}
