//! What becomes of records that cannot be converted, transformed or landed: dead letters as the Java worker writes them, and
//! offsets that wait for them.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{java_worker, read, secs, wait_until};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
/// Ours are not Java's.
const TRACE: &str = "__connect.errors.exception.stacktrace";

/// Errors are tolerated, and their records go to `dlq`.
fn dead_letters(dlq: &str) -> Value {
    json!({
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": dlq,
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
    })
}

/// A good record.
fn good(id: i64) -> Record {
    Record::value(format!(r#"{{"id":{id}}}"#)).key(format!("\"{id}\""))
}

fn header(record: &Record, name: &str) -> String {
    let value = record.headers.iter().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no {name} in {record:?}"));
    String::from_utf8_lossy(&value.1).into_owned()
}

/// The offsets that letters are about.
fn offsets(letters: &[Record]) -> Vec<i64> {
    letters.iter().map(|letter| header(letter, "__connect.errors.offset").parse().expect("an offset")).collect()
}

/// Java's records that it cannot convert, and what it says of them.
#[test]
fn dead_letters_are_those_of_the_java_worker() {
    let (broker, store) = (Broker::shared(), Store::directory());
    let (topic, connector, ours, javas) = ("letters", "letters", "letters-ours", "letters-java");
    broker.create_topic(topic, 1);
    let bad = [
        // a value that is no JSON, with headers of all kinds
        Record {
            headers: vec![("a".into(), b"1".to_vec()), ("a".into(), vec![0xff, 0x00]), ("empty".into(), vec![])],
            timestamp: Some(1_600_000_000_123),
            ..Record::value(&b"{\"id\":"[..]).key("\"k\"")
        },
        // a key that is none; the value is none either, and the key comes first
        Record { timestamp: Some(1), ..Record::value(vec![0xfe, 0xff]).key("{") },
        // no value and a bad key
        Record { key: Some(b"nope".to_vec()), value: None, ..Record::default() },
        Record::value("\"open").key(""),
        Record::value("[1,]"),
        Record::value("trueish"),
    ];
    let mut records: Vec<_> = (0..2).map(good).collect();
    records.extend(bad.iter().cloned());
    records.extend((8..12).map(good));
    broker.produce(topic, 0, records);

    let converters = json!({"key.converter": JSON, "key.converter.schemas.enable": "false",
        "value.converter": JSON, "value.converter.schemas.enable": "false"});
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, 2);
    with(&mut config, &converters);
    with(&mut config, &dead_letters(ours));
    with(&mut config, &json!({"errors.log.enable": "true", "errors.log.include.messages": "true"}));
    worker.create(connector, &config);
    let mut java = json!({"connector.class": "FileStreamSink", "topics": topic, "file": store.landed().join("java.txt")});
    with(&mut java, &converters);
    with(&mut java, &dead_letters(javas));
    // The same names, for the headers that have them.
    java_worker::shared().create(connector, &with_group(java, "letters-of-java"));

    let of = |dlq: &str| {
        wait_until(&format!("letters in {dlq}"), secs(60), || {
            let there = broker.has_topic(dlq) && broker.end_offsets(dlq).get(&0) == Some(&(bad.len() as i64));
            there.then(|| broker.records(dlq))
        })
    };
    let (mut ours, mut javas) = (of(ours), of(javas));
    java_worker::shared().delete(&format!("/connectors/{connector}"));
    for (letter, record) in ours.iter().zip(&bad) {
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "byte for byte");
        assert_eq!(letter.headers[..record.headers.len()], record.headers[..]);
        assert!(record.timestamp.is_none_or(|time| letter.timestamp == Some(time)), "{letter:?}");
        let trace = header(letter, TRACE);
        let (class, message) =
            (header(letter, "__connect.errors.exception.class.name"), header(letter, "__connect.errors.exception.message"));
        assert!(trace.starts_with(&format!("{class}: {message}\n\tat ")), "{trace}");
    }
    // The words of Java's JSON parser are its own; ours begin as Java's do.
    for (ours, java) in ours.iter_mut().zip(&mut javas) {
        let begins = "Converting byte[] to Kafka Connect data failed due to serialization error: ";
        for letter in [&mut *ours, java] {
            letter.headers.retain(|(name, _)| name != TRACE);
            for (name, value) in &mut letter.headers {
                if name == "__connect.errors.exception.message" {
                    assert!(value.starts_with(begins.as_bytes()), "{}", String::from_utf8_lossy(value));
                    value.truncate(begins.len());
                }
            }
        }
    }
    assert_eq!(ours, javas);
    assert_eq!(offsets(&ours), [2, 3, 4, 5, 6, 7]);

    // The others have landed, and the commit goes past the letters.
    worker.await_landed(broker, connector, topic);
    let ids = read::files(&store.folder(topic))
        .iter()
        .flat_map(|file| read::integers(&store.folder(topic).join(file), "id"))
        .collect::<Vec<_>>();
    assert_eq!(ids, [0, 1, 8, 9, 10, 11]);
    let log = worker.log_text();
    let said = format!(
        "Error encountered in task {connector}-0. Executing stage 'KEY_CONVERTER' with class '{JSON}', where consumed record is \
         {{topic='{topic}', partition=0, offset=3, timestamp=1}}."
    );
    assert!(log.contains(&said), "{said}\n{log}");
    for (metric, count) in [
        ("total_record_failures", 6.0),
        ("total_record_errors", 6.0),
        ("total_records_skipped", 6.0),
        ("total_errors_logged", 6.0),
        ("deadletterqueue_produce_requests", 6.0),
        ("deadletterqueue_produce_failures", 0.0),
    ] {
        assert_eq!(worker.metric(&format!("kafka_connect_task_error_metrics_{metric}")), count, "{metric}");
    }
}

fn with_group(mut config: Value, group: &str) -> Value {
    with(&mut config, &json!({"consumer.override.group.id": group}));
    config
}

#[test]
fn what_the_sink_refuses_is_a_dead_letter_too() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "sink-letters");
    broker.create_topic(topic, 1);
    let records = (0..20).map(|id| match id {
        5 => Record { value: None, ..good(5) },
        9 => Record::value(r#"{"id":9,"__offset":1}"#),
        _ => good(id),
    });
    broker.produce(topic, 0, records);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, 6);
    with(&mut config, &dead_letters("sink-letters-dlq"));
    // The schemaless columns of a fetch are one: a value with a column more is a batch of its own only with its own schema.
    with(
        &mut config,
        &json!({"behavior.on.null.values": "report", "consumer.override.max.poll.records": "1",
        "landfall.columns": "__offset"}),
    );
    worker.create(topic, &config);
    let letters = wait_until("letters", secs(60), || {
        let there = broker.has_topic("sink-letters-dlq").then(|| broker.records("sink-letters-dlq"))?;
        (!there.is_empty()).then_some(there)
    });
    assert_eq!(offsets(&letters[..1]), [5]);
    assert_eq!(header(&letters[0], "__connect.errors.stage"), "TASK_PUT");
    assert_eq!(header(&letters[0], "__connect.errors.class.name"), "org.apache.kafka.connect.sink.SinkTask");
    assert_eq!(header(&letters[0], "__connect.errors.exception.message"), "Skipping null value record.");
    assert_eq!((&letters[0].key, &letters[0].value), (&Some(b"\"5\"".to_vec()), &None));
    // A schemaless column stays: what comes after the clash clashes too, and nothing of it is lost.
    wait_until("all records", secs(60), || {
        let letters = broker.end_offsets("sink-letters-dlq")[&0];
        let landed =
            read::files(&store.folder(topic)).iter().map(|file| read::row_count(&store.folder(topic).join(file))).sum::<i64>();
        (letters + landed >= 18).then_some(())
    });
    worker.await_state(topic, "RUNNING");
}

#[test]
fn a_record_that_is_not_tolerated_is_told_of_and_fails_the_task_after_those_before_it() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "not-tolerated");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, (0..30).map(|id| if id == 21 { Record::value("{\"id\":") } else { good(id) }));
    let mut worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, 10);
    with(&mut config, &dead_letters("not-tolerated-dlq"));
    with(&mut config, &json!({"errors.tolerance": "none"}));
    worker.post("/connectors", &json!({"name": topic, "config": config}));
    let trace = worker.await_failure(topic);
    let java = "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\nCaused by: \
                org.apache.kafka.connect.errors.DataException: Converting byte[] to Kafka Connect data failed due to serialization error: ";
    assert!(
        trace.starts_with(java) && trace.contains("VALUE_CONVERTER of topic not-tolerated, partition 0, offset 21"),
        "{trace}"
    );
    // As in Java it is a letter all the same; and the task comes upon it again when it is restarted.
    assert_eq!(offsets(&broker.records("not-tolerated-dlq")), [21]);
    let committed = broker.committed(&format!("connect-{topic}"), topic);
    assert!(committed.get(&0).is_none_or(|offset| *offset <= 20), "{committed:?}");
    assert!(worker.terminate().success());
}

#[test]
fn a_dead_letter_queue_that_takes_nothing_fails_the_task_and_nothing_is_lost() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "no-queue");
    broker.create_topic(topic, 1);
    broker.create_topic("small-queue", 1);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    broker.produce(topic, 0, (0..30).map(|id| if id == 12 { Record::value("x".repeat(5000)) } else { good(id) }));
    let mut config = store.connector(topic, 10);
    with(&mut config, &dead_letters("small-queue"));
    with(&mut config, &json!({"producer.override.max.request.size": "3000"}));
    worker.post("/connectors", &json!({"name": "small", "config": config}));
    let trace = worker.await_failure("small");
    let java =
        "org.apache.kafka.connect.errors.ConnectException: Could not produce message to dead letter queue. topic=small-queue";
    assert!(trace.starts_with(java) && trace.contains("MSG_SIZE_TOO_LARGE"), "{trace}");
    assert!(trace.contains("topic no-queue, partition 0, offset 12"), "{trace}");
    assert!(committed(broker, "small", topic) <= 12);
    assert_eq!(worker.metric("kafka_connect_task_error_metrics_deadletterqueue_produce_failures"), 1.0);

    // In the first one's store its files would be what is refused, if they are looked at before the queue is.
    let other = Store::directory();
    let mut config = other.connector(topic, 10);
    with(&mut config, &dead_letters("no-queue-dlq"));
    with(&mut config, &json!({"errors.deadletterqueue.topic.replication.factor": "3"}));
    worker.post("/connectors", &json!({"name": topic, "config": config}));
    let trace = worker.await_failure(topic);
    let java = "org.apache.kafka.connect.errors.ConnectException: Could not initialize dead letter queue with topic=no-queue-dlq";
    assert!(trace.starts_with(java) && trace.contains("INVALID_REPLICATION_FACTOR"), "{trace}");
}

/// The offset that a group has for a topic of one partition; nought if there is none.
fn committed(broker: &Broker, connector: &str, topic: &str) -> i64 {
    broker.committed(&format!("connect-{connector}"), topic).get(&0).copied().unwrap_or(0)
}

#[test]
fn no_offset_is_committed_before_its_letter_is_acknowledged() {
    // Letters go to a broker of their own, which falls silent.
    let (broker, letters, store, topic, dlq) = (Broker::shared(), Broker::private(), Store::directory(), "held", "held-dlq");
    broker.create_topic(topic, 1);
    letters.create_topic(dlq, 1);
    let good_then_bad = |from: i64| (from..from + 30).map(move |id| if id == from + 20 { Record::value("{") } else { good(id) });
    let mut worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, 10);
    with(&mut config, &dead_letters(dlq));
    let elsewhere = letters.bootstrap();
    with(&mut config, &json!({"producer.override.bootstrap.servers": elsewhere, "admin.override.bootstrap.servers": elsewhere}));
    broker.produce(topic, 0, good_then_bad(0));
    worker.create(topic, &config);
    // 29 rows: two files, and 9 rows that wait for the next.
    wait_until("the first letter", secs(60), || (letters.end_offsets(dlq)[&0] == 1).then_some(()));
    wait_until("two files", secs(60), || (store.files(topic).len() == 2).then_some(()));
    wait_until("a commit before and after the letter", secs(30), || (committed(broker, topic, topic) == 21).then_some(()));

    letters.sigstop();
    broker.produce(topic, 0, good_then_bad(30));
    broker.produce(topic, 0, (60..92).map(good));
    // The letter is of offset 50: what holds records behind it is not visible. Commits come every second.
    wait_until("files before the letter", secs(60), || (store.files(topic).len() == 4).then_some(()));
    sleep(Duration::from_millis(2500));
    let held = committed(broker, topic, topic);
    assert!((21..=50).contains(&held), "{held} is committed");
    assert_eq!(store.files(topic).len(), 4);
    letters.sigcont();
    wait_until("the letter and the commit", secs(60), || (committed(broker, topic, topic) == 92).then_some(()));
    assert_eq!(offsets(&letters.records(dlq)), [20, 50]);
    worker.await_state(topic, "RUNNING");

    // A task that ends while it waits has landed nothing past the letter; the next one sends it.
    let next = "held-dlq-next";
    letters.create_topic(next, 1);
    letters.sigstop();
    broker.produce(topic, 0, (92..122).map(|id| if id == 105 { Record::value("{") } else { good(id) }));
    wait_until("the file before the letter", secs(60), || (store.files(topic).len() == 10).then_some(()));
    with(&mut config, &dead_letters(next));
    worker.put(&format!("/connectors/{topic}/config"), &config);
    letters.sigcont();
    wait_until("the letter and the commit", secs(60), || (committed(broker, topic, topic) >= 113).then_some(()));
    assert_eq!(offsets(&letters.records(next)), [105]);

    // A worker that ends while it waits does so in time, and commits nothing past the letter.
    letters.sigstop();
    broker.produce(topic, 0, good_then_bad(122));
    wait_until("files before the letter", secs(60), || (store.files(topic).len() == 13).then_some(()));
    let asked = Instant::now();
    assert!(worker.terminate().success(), "{}", worker.log_text());
    assert!(asked.elapsed() < secs(6), "{:?}", asked.elapsed());
    let held = committed(broker, topic, topic);
    assert!((113..=142).contains(&held), "{held} is committed");
}

#[test]
fn a_worker_that_is_killed_between_letters_loses_none() {
    const KILLS: i64 = 3;
    const SLICE: i64 = 4000;
    let (broker, store, topic, dlq) = (Broker::shared(), Store::directory(), "killed-letters", "killed-letters-dlq");
    broker.create_topic(topic, 1);
    let is_bad = |id: i64| id % 7 == 3 || (2500..4200).contains(&id);
    let mut config = store.connector(topic, 97);
    with(&mut config, &dead_letters(dlq));
    with(&mut config, &json!({"landfall.flush.on.stop": "true"}));
    let mut worker = Worker::stopped(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")]);
    for n in 0..KILLS {
        broker.produce(topic, 0, (n * SLICE..(n + 1) * SLICE).map(|id| if is_bad(id) { Record::value("{") } else { good(id) }));
        worker.start_again();
        worker.put(&format!("/connectors/{topic}/config"), &config);
        if n == KILLS - 1 {
            break;
        }
        // In the middle of it, at another moment each time.
        let begun = Instant::now();
        while begun.elapsed() < secs(20) && !(broker.has_topic(dlq) && broker.end_offsets(dlq)[&0] > n * 700) {
            sleep(Duration::from_millis(10));
        }
        worker.kill9();
    }
    let all = KILLS * SLICE;
    // All but the last file, which is open.
    wait_until("nearly all records", secs(60), || (committed(broker, topic, topic) > all - 300).then_some(()));
    assert!(worker.terminate().success(), "{}", worker.log_text());
    assert_eq!(committed(broker, topic, topic), all);

    let mut letters: BTreeMap<i64, usize> = BTreeMap::new();
    for offset in offsets(&broker.records(dlq)) {
        *letters.entry(offset).or_default() += 1;
    }
    assert_eq!(letters.keys().copied().collect::<Vec<_>>(), (0..all).filter(|id| is_bad(*id)).collect::<Vec<_>>());
    let folder = store.folder(topic);
    let ids: Vec<i64> = read::files(&folder).iter().flat_map(|file| read::integers(&folder.join(file), "id")).collect();
    assert_eq!(ids, (0..all).filter(|id| !is_bad(*id)).collect::<Vec<_>>(), "each once, in order");
    // Each kill may repeat what was not committed, once.
    let twice: usize = letters.values().map(|n| n - 1).sum();
    assert!(twice < 4000, "{twice} letters are there more than once");
}

/// The ids of rows that land in the folders of other topics than theirs, in files that name where they come from.
fn routed(store: &Store, topics: &[&str], origin: &str) -> Vec<i64> {
    let mut ids = Vec::new();
    for topic in topics {
        let folder = store.folder(topic);
        for file in read::files(&folder) {
            let name = file.to_str().expect("a name of text");
            assert!(name.starts_with(&format!("partition=0/{origin}+0+")), "{topic}/{name} does not name its source");
            ids.extend(read::integers(&folder.join(&file), "id"));
        }
    }
    ids.sort_unstable();
    ids
}

#[test]
fn routed_rows_land_once_however_often_the_worker_is_killed() {
    const KILLS: i64 = 3;
    const SLICE: i64 = 3000;
    // One topic goes to another one, and the rows of one change between two.
    let (broker, store) = (Broker::shared(), Store::directory());
    let routes = [
        json!({"transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.r.regex": "routed-(.*)", "transforms.r.replacement": "$1-lake"}),
        json!({"transforms.r.type": "org.apache.kafka.connect.transforms.TimestampRouter",
            "transforms.r.topic.format": "at-${timestamp}", "transforms.r.timestamp.format": "mm"}),
    ];
    let connectors = ["routed-one", "routed-two"].iter().zip(routes).map(|(topic, route)| {
        broker.create_topic(topic, 1);
        let mut config = store.connector(topic, 40);
        with(&mut config, &route);
        with(&mut config, &json!({"transforms": "r", "landfall.flush.on.stop": "true"}));
        (*topic, config)
    });
    let connectors: Vec<_> = connectors.collect();
    let minute = |id: i64| id / 77 % 2;
    let record =
        |id: i64| Record { timestamp: Some(1_700_000_000_000 - 1_700_000_000_000 % 3_600_000 + minute(id) * 60_000), ..good(id) };
    let mut worker = Worker::stopped(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")]);
    for n in 1..=KILLS {
        for (topic, _) in &connectors {
            broker.produce(topic, 0, ((n - 1) * SLICE..n * SLICE).map(record));
        }
        worker.start_again();
        connectors.iter().for_each(|(topic, config)| assert!(worker.put(&format!("/connectors/{topic}/config"), config).0 < 300));
        if n == KILLS {
            break;
        }
        let landed = || read::files(&store.landed().join("topics")).len() as i64;
        let (before, begun) = (landed(), Instant::now());
        while begun.elapsed() < secs(20) && landed() < before + 30 * n {
            sleep(Duration::from_millis(5));
        }
        worker.kill9();
    }
    let all = KILLS * SLICE;
    for (topic, _) in &connectors {
        wait_until("nearly all records", secs(60), || (committed(broker, topic, topic) > all - 40).then_some(()));
    }
    assert!(worker.terminate().success(), "{}", worker.log_text());
    for ((topic, _), folders) in connectors.iter().zip([&["one-lake"][..], &["at-00", "at-01"]]) {
        assert_eq!(committed(broker, topic, topic), all, "{topic}");
        let ids = routed(&store, folders, topic);
        assert_eq!(ids, (0..all).collect::<Vec<_>>(), "{topic}: each once");
        assert!(folders.iter().all(|folder| !store.files(folder).is_empty()), "{topic}");
        assert!(store.files(topic).is_empty(), "{topic}");
    }
}
