//! What comes out of a consumer, against librdkafka's mock cluster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::{Array, StructArray};
use landfall_api::{Committed, TopicPartition};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use super::{Consumer, Event, Fetched, Polled, Start};
use crate::kafka::client::{ConsumerSettings, consumer_properties};
use crate::kafka::error::Class;

const LONG: Duration = Duration::from_secs(20);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(topic: &str, partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(topic, partitions, 1).expect("topic");
    cluster
}

fn settings(bootstrap: &str, group: &str, more: &[(&str, &str)]) -> ConsumerSettings {
    let worker = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    let connector = more.iter().map(|(k, v)| (format!("consumer.override.{k}"), (*v).to_owned())).collect();
    consumer_properties(&worker, &connector, group, 0, 16 << 20)
}

fn consumer(cluster: &Cluster, topic: &str, more: &[(&str, &str)]) -> Consumer {
    let consumer = Consumer::new(&settings(&cluster.bootstrap_servers(), "mock", more)).expect("consumer");
    consumer.subscribe(&[topic.to_owned()]).expect("subscribe");
    consumer
}

fn producer(cluster: &Cluster) -> BaseProducer {
    ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().expect("producer")
}

fn produce(cluster: &Cluster, topic: &str, partition: i32, values: impl IntoIterator<Item = String>) {
    let producer = producer(cluster);
    for value in values {
        producer.send(BaseRecord::<(), _>::to(topic).partition(partition).payload(&value)).expect("send");
        producer.poll(Duration::ZERO);
    }
    producer.flush(LONG).expect("flush");
}

/// Polls until `done`, answering events: assigned partitions start where the group has them.
fn run(consumer: &mut Consumer, mut done: impl FnMut(&Consumer, &Polled) -> bool) -> Vec<Fetched> {
    let deadline = Instant::now() + LONG;
    let mut all = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "waited too long: {all:?}");
        let polled = consumer.poll(Duration::from_millis(100));
        for event in &polled.events {
            match event {
                Event::Assigned(partitions) => {
                    let committed = consumer.committed(partitions, LONG).expect("committed");
                    let list: Vec<_> = committed.iter().map(|(tp, c)| (tp.clone(), Start::from(c.as_ref()))).collect();
                    consumer.assign(&list).expect("assign");
                }
                Event::Revoked { partitions, .. } => consumer.unassign(partitions).expect("unassign"),
                Event::Error(e) => assert!(!e.is_fatal(), "{e}"),
            }
        }
        let end = done(consumer, &polled);
        all.extend(polled.batches);
        if end {
            return all;
        }
    }
}

/// Polls until `count` records have come.
fn records(consumer: &mut Consumer, count: usize) -> Vec<Fetched> {
    let mut seen = 0;
    run(consumer, |_, polled| {
        seen += polled.batches.iter().map(|f| f.batch.len()).sum::<usize>();
        seen >= count
    })
}

fn texts(batches: &[Fetched], tp: &TopicPartition) -> Vec<String> {
    let of = |f: &Fetched| {
        f.batch.value.iter().map(|v| String::from_utf8_lossy(v.unwrap_or(b"null")).into_owned()).collect::<Vec<_>>()
    };
    batches.iter().filter(|f| f.batch.origin == *tp).flat_map(of).collect()
}

#[test]
fn a_record_comes_whole() {
    let cluster = cluster("whole", 1);
    let producer = producer(&cluster);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("abc") })
        .insert(Header { key: "trace", value: None::<&str> })
        .insert(Header { key: "", value: Some("") });
    producer.send(BaseRecord::to("whole").key("k0").payload("v0").timestamp(1_700_000_000_123)).expect("send");
    producer.send(BaseRecord::<(), _>::to("whole").payload("v1").timestamp(5).headers(headers)).expect("send");
    producer.send(BaseRecord::<_, ()>::to("whole").key("k2")).expect("send");
    producer.send(BaseRecord::to("whole").key("").payload("")).expect("send");
    producer.flush(LONG).expect("flush");

    let mut consumer = consumer(&cluster, "whole", &[]);
    let fetched = records(&mut consumer, 4);
    let [Fetched { batch, end: 4, .. }] = &fetched[..] else { panic!("{fetched:?}") };
    assert_eq!(batch.origin, TopicPartition::new("whole", 0));
    assert_eq!(batch.offset.values(), &[0, 1, 2, 3]);
    assert_eq!(batch.key.iter().collect::<Vec<_>>(), [Some(&b"k0"[..]), None, Some(b"k2"), Some(b"")]);
    assert_eq!(batch.value.iter().collect::<Vec<_>>(), [Some(&b"v0"[..]), Some(b"v1"), None, Some(b"")]);
    assert_eq!((batch.timestamp.value(0), batch.timestamp.value(1), batch.timestamp.null_count()), (1_700_000_000_123, 5, 0));
    let headers = batch.headers.as_ref().expect("headers");
    assert_eq!(headers.data_type(), &super::headers_type());
    assert_eq!((0..4).map(|i| headers.value_length(i)).collect::<Vec<_>>(), [0, 3, 0, 0]);
    let entries = headers.value(1);
    let entries: &StructArray = entries.as_struct();
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
    assert_eq!(keys.iter().flatten().collect::<Vec<_>>(), ["trace", "trace", ""]);
    assert_eq!(values.iter().collect::<Vec<_>>(), [Some(&b"abc"[..]), None, Some(b"")]);
}

#[test]
fn records_have_their_own_headers() {
    let cluster = cluster("headers", 1);
    let producer = producer(&cluster);
    let (counts, values) = ([0, 1, 63, 64, 128, 0], ["value", "", "\0"]);
    for (count, value) in
        counts.into_iter().flat_map(|count| values.map(|value| (count, Some(value)))).chain([(0, None), (1, None)])
    {
        let headers = (0..count).fold(OwnedHeaders::new(), |all, n| all.insert(Header { key: "n", value: Some(&n.to_string()) }));
        let record = BaseRecord::to("headers").key("\0").headers(headers);
        producer.send(if let Some(value) = value { record.payload(value) } else { record }).expect("send");
    }
    producer.flush(LONG).expect("flush");
    let fetched = records(&mut consumer(&cluster, "headers", &[]), 20);
    let of = |f: &Fetched| {
        let headers = f.batch.headers.as_ref();
        (0..f.batch.len()).map(|n| headers.map_or(0, |headers| headers.value_length(n))).collect::<Vec<_>>()
    };
    assert_eq!(
        fetched.iter().flat_map(of).collect::<Vec<_>>(),
        [0, 0, 0, 1, 1, 1, 63, 63, 63, 64, 64, 64, 128, 128, 128, 0, 0, 0, 0, 1]
    );
}

#[test]
fn records_that_come_again_have_the_epoch_of_before() {
    let cluster = cluster("again", 1);
    produce(&cluster, "again", 0, (0..5).map(|i| i.to_string()));
    let mut consumer = consumer(&cluster, "again", &[]);
    let before = records(&mut consumer, 5);
    let tp = TopicPartition::new("again", 0);
    consumer.client.seek([(&tp, 2)], LONG).expect("a seek");
    let again = records(&mut consumer, 3);
    assert_eq!((again[0].batch.offset.value(0), texts(&again, &tp)), (2, ["2", "3", "4"].map(str::to_owned).into()));
    assert!(again[0].epoch.is_some(), "{again:?}");
    assert_eq!(again[0].epoch, before[0].epoch);
}

#[test]
fn partitions_come_apart_and_in_order() {
    let cluster = cluster("order", 4);
    for partition in 0..4 {
        produce(&cluster, "order", partition, (0..3000).map(|i| format!("{partition}:{i}")));
    }
    let mut consumer = consumer(&cluster, "order", &[("max.poll.records", "700")]);
    let fetched = records(&mut consumer, 12_000);
    for partition in 0..4 {
        let tp = TopicPartition::new("order", partition);
        assert_eq!(texts(&fetched, &tp), (0..3000).map(|i| format!("{partition}:{i}")).collect::<Vec<_>>());
        assert_eq!(fetched.iter().rfind(|f| f.batch.origin == tp).map(|f| f.end), Some(3000));
    }
    assert!(fetched.iter().all(|f| f.batch.len() <= 700 && f.batch.headers.is_none()));
    assert!(consumer.assignment().values().all(|start| *start == Start::At(3000)));
}

#[test]
fn a_poll_gives_no_more_records_than_asked_for() {
    let cluster = cluster("few", 2);
    produce(&cluster, "few", 0, (0..500).map(|i| i.to_string()));
    produce(&cluster, "few", 1, (0..500).map(|i| i.to_string()));
    let mut consumer = consumer(&cluster, "few", &[("max.poll.records", "7")]);
    let (mut seen, mut most) = (0, 0);
    run(&mut consumer, |_, polled| {
        let count = polled.batches.iter().map(|f| f.batch.len()).sum::<usize>();
        (seen, most) = (seen + count, most.max(count));
        seen == 1000
    });
    assert_eq!(most, 7);
}

#[test]
fn a_paused_partition_gives_nothing_until_it_is_resumed() {
    let cluster = cluster("pause", 2);
    produce(&cluster, "pause", 0, (0..10).map(|i| i.to_string()));
    let mut consumer = consumer(&cluster, "pause", &[]);
    records(&mut consumer, 10);
    let (paused, other) = (TopicPartition::new("pause", 0), TopicPartition::new("pause", 1));
    consumer.pause(std::slice::from_ref(&paused)).expect("pause");
    produce(&cluster, "pause", 0, (10..20).map(|i| i.to_string()));
    produce(&cluster, "pause", 1, (0..10).map(|i| i.to_string()));
    assert_eq!(texts(&records(&mut consumer, 10), &other).len(), 10);
    // also a rewind of the other leaves it paused
    consumer.rewind(&BTreeMap::from([(other.clone(), 5)])).expect("rewind");
    let again = records(&mut consumer, 5);
    assert_eq!(texts(&again, &other), ["5", "6", "7", "8", "9"]);
    let until = Instant::now() + Duration::from_millis(500);
    assert!(run(&mut consumer, |_, _| Instant::now() > until).is_empty());
    consumer.resume(std::slice::from_ref(&paused)).expect("resume");
    assert_eq!(texts(&records(&mut consumer, 10), &paused).first().map(String::as_str), Some("10"));
}

#[test]
fn a_rewind_reads_again_from_there_and_from_there_only() {
    rewind_reads_again(&[("max.poll.records", "300")]);
}

#[test]
fn a_rewind_in_a_cooperative_group_does_too() {
    let assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    rewind_reads_again(&[("max.poll.records", "300"), ("partition.assignment.strategy", assignor)]);
}

fn rewind_reads_again(settings: &[(&str, &str)]) {
    let cluster = cluster("back", 2);
    for partition in 0..2 {
        produce(&cluster, "back", partition, (0..2000).map(|i| i.to_string()));
    }
    let (first, second) = (TopicPartition::new("back", 0), TopicPartition::new("back", 1));
    let mut consumer = consumer(&cluster, "back", settings);
    let mut before = records(&mut consumer, 900);
    // in the midst of fetching: what was queued must not come any more
    let at = before.iter().rfind(|f| f.batch.origin == second).map_or(0, |f| f.end);
    consumer.rewind(&BTreeMap::from([(first.clone(), 17)])).expect("rewind");
    let after = records(&mut consumer, (2000 - 17) + (2000 - at as usize));
    assert_eq!(texts(&after, &first), (17..2000).map(|i| i.to_string()).collect::<Vec<_>>());
    before.extend(after);
    assert_eq!(texts(&before, &second), (0..2000).map(|i| i.to_string()).collect::<Vec<_>>());
    let nobody = TopicPartition::new("back", 7);
    assert!(consumer.rewind(&BTreeMap::from([(nobody, 0)])).expect_err("not assigned").is_fatal());
}

#[test]
fn offsets_are_committed_with_their_metadata_and_taken_up() {
    let cluster = cluster("commit", 3);
    produce(&cluster, "commit", 0, (0..10).map(|i| i.to_string()));
    let tps: Vec<_> = (0..3).map(|p| TopicPartition::new("commit", p)).collect();
    let mut first = consumer(&cluster, "commit", &[]);
    records(&mut first, 10);
    let token = "{\"token\":\"ü\"}";
    let offsets = BTreeMap::from([
        (tps[0].clone(), Committed { offset: 4, metadata: token.into() }),
        (tps[1].clone(), Committed { offset: 0, metadata: String::new() }),
    ]);
    first.commit(&offsets).expect("commit");
    let stored = first.committed(&tps, LONG).expect("committed");
    assert_eq!(stored[0], (tps[0].clone(), Some(Committed { offset: 4, metadata: token.into() })));
    assert_eq!(stored[1], (tps[1].clone(), Some(Committed { offset: 0, metadata: String::new() })));
    assert_eq!(stored[2], (tps[2].clone(), None));
    assert!(first.generation() > 0 && !first.member_id().is_empty() && !first.lost());
    first.close(LONG).expect("close");

    // by hand: the mock cluster does not let anyone into a group that its last member has left
    let mut second = Consumer::new(&settings(&cluster.bootstrap_servers(), "mock", &[])).expect("consumer");
    let starts: Vec<_> = second.committed(&tps[..1], LONG).expect("committed");
    let starts: Vec<_> = starts.iter().map(|(tp, c)| (tp.clone(), Start::from(c.as_ref()))).collect();
    second.assign(&starts).expect("assign");
    assert_eq!(texts(&records(&mut second, 6), &tps[0]), ["4", "5", "6", "7", "8", "9"]);
}

#[test]
fn another_thread_ends_a_waiting_poll() {
    let cluster = cluster("wake", 1);
    let mut consumer = consumer(&cluster, "wake", &[]);
    run(&mut consumer, |c, _| !c.assignment().is_empty());
    let waker = consumer.waker();
    let begun = Instant::now();
    let other = std::thread::spawn({
        let waker = waker.clone();
        move || {
            std::thread::sleep(Duration::from_millis(200));
            waker.wake();
        }
    });
    consumer.poll(LONG);
    assert!(begun.elapsed() < LONG / 2);
    other.join().expect("waker");
    drop(consumer);
    waker.wake();
}

#[test]
fn dropping_a_consumer_with_an_unanswered_event_is_quick() {
    let cluster = cluster("drop", 1);
    let mut consumer = consumer(&cluster, "drop", &[]);
    while !consumer.poll(Duration::from_millis(100)).events.iter().any(|e| matches!(e, Event::Assigned(_))) {}
    let begun = Instant::now();
    consumer.close(LONG).expect("close");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_close_without_time_ends_and_says_so() {
    let cluster = cluster("hasty", 1);
    let mut consumer = consumer(&cluster, "hasty", &[]);
    run(&mut consumer, |c, _| !c.assignment().is_empty());
    cluster.broker_round_trip_time(1, LONG).expect("slow");
    let begun = Instant::now();
    let error = consumer.close(Duration::from_millis(10)).expect_err("no time");
    assert!(error.class == Class::Retriable && error.message.contains("10 ms"), "{error}");
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
}

#[test]
fn a_consumer_may_move_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<Consumer>();
    fn shared<T: Send + Sync>() {}
    shared::<super::Waker>();
}

#[test]
fn an_unreachable_broker_is_an_error_that_says_what_was_tried() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let nobody = listener.local_addr().expect("address");
    drop(listener);
    let mut consumer = Consumer::new(&settings(&nobody.to_string(), "nobody", &[])).expect("consumer");
    consumer.subscribe(&["t".to_owned()]).expect("subscribe");
    let mut errors = Vec::new();
    let deadline = Instant::now() + LONG;
    while errors.is_empty() && Instant::now() < deadline {
        errors.extend(consumer.poll(Duration::from_millis(100)).events);
    }
    let Some(Event::Error(e)) = errors.first() else { panic!("{errors:?}") };
    assert!(e.class == Class::Retriable && e.to_string().contains(&nobody.to_string()), "{e}");
    let none = consumer.committed(&[TopicPartition::new("t", 0)], Duration::from_millis(200)).expect_err("nobody there");
    assert_eq!(none.class, Class::Retriable, "{none}");
    consumer.close(Duration::from_secs(5)).expect("close");
}

#[test]
fn what_librdkafka_does_not_take_is_said_without_the_value() {
    let mut wrong = settings("localhost:1", "wrong", &[]);
    wrong.librdkafka.insert("sasl.mechanism".into(), "PLAIN".into());
    wrong.librdkafka.insert("sasl.password".into(), "hunter22\0".into());
    let error = Consumer::new(&wrong).expect_err("refused");
    assert!(error.is_fatal() && error.message.contains("sasl.password") && !error.message.contains("hunter22"), "{error}");
    let faulty = settings("localhost:1", "wrong", &[("fetch.min.bytes", "x")]);
    assert!(Consumer::new(&faulty).expect_err("refused").message.contains("consumer.override.fetch.min.bytes"));
}
