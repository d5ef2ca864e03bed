//! The loop against librdkafka's mock cluster, with converters that have to wait.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use arrow_array::BinaryArray;
use landfall_api::{Batch, Converter, Opened, Opening, Records, Refuse, Run};
use tokio::runtime::Runtime;

use super::*;
use crate::kafka::{MockCluster, Producer, Record};
use crate::plugins::tests::FakeSink;

const LONG: Duration = Duration::from_secs(20);

/// Keeps what it was given: partition and offset, with when it came; and up to where it was told that letters are stored.
#[derive(Clone, Debug, Default)]
struct Keeper(Arc<Mutex<Vec<(i32, i64, Instant)>>>, Arc<Mutex<Option<i64>>>);

impl Keeper {
    fn kept(&self) -> Vec<(i32, i64, Instant)> {
        self.0.lock().expect("a lock").clone()
    }
}

impl SinkTask for Keeper {
    fn open(&mut self, _: &TopicPartition, opening: &Opening) -> Result<Option<Opened>, TaskError> {
        Ok(Some(Opened { resume: opening.first, ..Opened::default() }))
    }
    fn put(&mut self, batches: Vec<Batch>, _: &mut Refuse<'_>) -> Result<(), TaskError> {
        let rows = batches.iter().flat_map(|b| b.offset.values().iter().map(|o| (b.origin.partition, *o, Instant::now())));
        self.0.lock().expect("a lock").extend(rows);
        Ok(())
    }
    fn told(&mut self, _: &TopicPartition, before: i64) {
        *self.1.lock().expect("a lock") = Some(before);
    }
    fn ready(&mut self, _: Duration) -> Result<bool, TaskError> {
        Ok(true)
    }
    fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        Ok(BTreeMap::new())
    }
    fn close(&mut self, _: &[TopicPartition], _: bool, _: Duration) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        Ok(BTreeMap::new())
    }
}

/// Has to wait for what the value `wait` needs, so many times.
#[derive(Debug)]
struct Waiting {
    times: usize,
    bytes: Box<dyn Converter>,
}

impl Converter for Waiting {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        if records.bytes.iter().flatten().any(|value| value == b"wait") && self.times > 0 {
            self.times -= 1;
            return Err(Unavailable("the registry does not answer".into()));
        }
        self.bytes.convert(records)
    }
}

/// A task of connector `c` with these properties.
fn spec(runtime: &Runtime, bootstrap: &str, properties: &[(&str, &str)]) -> TaskSpec {
    let of = |given: &[(&str, &str)]| given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    TaskSpec {
        id: super::super::TaskId { connector: "c".into(), task: 0 },
        sink: &FakeSink,
        worker: Arc::new(of(&[("bootstrap.servers", bootstrap)])),
        worker_id: "localhost:8083".into(),
        properties: of(properties),
        provision: Arc::default(),
        paused: false,
        runtime: runtime.handle().clone(),
        memory: landfall_api::Memory::new(64 << 20),
        queue: 16 << 20,
        metrics: Arc::default(),
        used: None,
        report: Arc::new(|_, _| ()),
    }
}

/// Runs a task over partition 0 of `t`, whose second record has to be waited for `times` times, and partition 1, which has to wait
/// for nothing, until all five records were put or it fails.
fn run_waiting(times: usize, more: &[(&str, &str)]) -> (Result<(), TaskError>, Keeper, Arc<TaskMetrics>) {
    let runtime = Runtime::new().expect("a runtime");
    let cluster = MockCluster::start().expect("a mock cluster");
    cluster.create_topic("t", 2).expect("a topic");
    let bootstrap = cluster.bootstrap_servers();
    let mut producer = Producer::new([("bootstrap.servers", bootstrap.as_str())]).expect("a producer");
    let values: [(i32, &[u8]); 5] = [(0, b"a"), (0, b"wait"), (0, b"b"), (1, b"c"), (1, b"d")];
    let record = |(partition, value)| Record { topic: "t", partition: Some(partition), value: Some(value), ..Record::default() };
    assert_eq!(producer.send(values.map(record).into_iter().enumerate()), 5);
    runtime.block_on(producer.flush(LONG)).expect("delivered");

    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let own =
        [("topics", "t"), ("key.converter", bytes), ("value.converter", bytes), ("consumer.override.max.poll.records", "1")];
    let spec = spec(&runtime, &bootstrap, &[&own[..], more].concat());
    let metrics = spec.metrics.clone();
    let (control, keeper) = (Control::new(false), Keeper::default());
    let mut runner = Runner::new(spec, Provided::default(), &control).expect("a task");
    runner.sink = Box::new(keeper.clone());
    let value = &mut runner.converters.value;
    let inner = std::mem::replace(&mut value.converter, Box::new(Waiting { times, bytes: Box::new(Nothing) }));
    value.converter = Box::new(Waiting { times, bytes: inner });
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            let begun = Instant::now();
            while keeper.kept().len() < 5 && !control.stopped() && begun.elapsed() < LONG {
                thread::sleep(Duration::from_millis(5));
            }
            control.stop();
        });
        let ended = runner.run(&control);
        control.stop();
        ended
    });
    (ended, keeper, metrics)
}

/// Stands in for a converter while it is wrapped.
#[derive(Debug)]
struct Nothing;

impl Converter for Nothing {
    fn convert(&mut self, _: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        Ok(Vec::new())
    }
}

#[test]
fn what_a_converter_waits_for_is_tried_again_while_others_go_on() {
    let (ended, keeper, metrics) = run_waiting(2, &[("errors.retry.timeout", "-1"), ("errors.retry.delay.max.ms", "400")]);
    ended.expect("converted in the end");
    let kept = keeper.kept();
    let of = |partition: i32| kept.iter().filter(|(of, ..)| *of == partition).map(|(_, offset, _)| *offset).collect::<Vec<_>>();
    assert_eq!((of(0), of(1)), (vec![0, 1, 2], vec![0, 1]));
    let at = |partition, offset| kept.iter().find(|(p, o, _)| (*p, *o) == (partition, offset)).map(|(.., at)| *at).expect("kept");
    assert!(at(0, 1) - at(0, 0) >= Duration::from_millis(300), "it waits as long as Java does");
    assert!(at(1, 1) < at(0, 1), "the other partition does not");
    assert_eq!((metrics.retries.get(), metrics.record_failures.get(), metrics.record_errors.get()), (2, 2, 0));
}

#[test]
fn what_is_waited_for_too_long_fails_the_task_though_errors_are_tolerated() {
    for (timeout, once) in [("0", true), ("350", false)] {
        let (ended, keeper, _) = run_waiting(1000, &[("errors.retry.timeout", timeout), ("errors.tolerance", "all")]);
        let error = ended.expect_err("nothing answers").to_string();
        let java = "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\nCaused by: \
                    org.apache.kafka.connect.errors.RetriableException: the registry does not answer";
        assert!(error.starts_with(java) && error.contains("at try 1 within ") == once, "{error}");
        assert!(keeper.kept().iter().all(|(partition, offset, _)| *partition == 1 || *offset == 0), "nothing is skipped");
    }
}

#[test]
fn a_commit_is_held_back_at_the_first_letter_that_is_not_acknowledged() {
    let runtime = Runtime::new().expect("a runtime");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let letters = [
        ("topics", "t"),
        ("key.converter", string),
        ("value.converter", string),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dlq"),
    ];
    let spec = spec(&runtime, "127.0.0.1:1", &letters);
    let control = Control::new(false);
    let mut runner = Runner::new(spec, Provided::default(), &control).expect("a task");
    let (tp, other) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
    let raw = Arc::new(RawBatch {
        origin: tp.clone(),
        key: BinaryArray::from_iter(vec![None::<&[u8]>; 30]),
        value: BinaryArray::from_iter(vec![Some(b"x"); 30]),
        offset: arrow_array::Int64Array::from_iter_values(0..30),
        timestamp: arrow_array::TimestampMillisecondArray::from(vec![None; 30]),
        headers: None,
    });
    let refused = |offset| Refused { offset, stage: Stage::ValueConverter, class: "c".into(), error: RecordError::data("bad") };
    runner.tolerance.report(&raw, &[refused(12), refused(20)]).expect("taken");
    let offer = |offset| Offset { offset, metadata: String::new() };
    for (given, released) in [(5, Some(5)), (12, Some(12)), (15, Some(12)), (25, Some(12))] {
        runner.offer(BTreeMap::from([(tp.clone(), offer(given)), (other.clone(), offer(given))]));
        runner.release();
        assert_eq!(runner.uncommitted.get(&tp), released.map(offer).as_ref(), "{given} is offered");
        assert_eq!(runner.uncommitted.get(&other), Some(&offer(given)), "other partitions are free");
    }
    let letters = runner.tolerance.letters.as_mut().expect("a queue");
    assert!(!letters.flush(Duration::from_millis(20)).expect("no failure"), "nobody acknowledges");
    assert_eq!(letters.first(&tp), Some(12));
    runner.forget(std::slice::from_ref(&tp));
    runner.release();
    assert_eq!((runner.uncommitted.get(&tp), runner.tolerance.letters.as_ref().and_then(|l| l.first(&tp))), (None, None));
    // What waits for the brokers in the background gives up.
    drop(runner);
    runtime.shutdown_background();
}

#[test]
fn the_sink_makes_nothing_final_beyond_a_letter_that_is_not_acknowledged() {
    let runtime = Runtime::new().expect("a runtime");
    let letters = [
        ("topics", "t"),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("value.converter", "org.apache.kafka.connect.converters.IntegerConverter"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dlq"),
    ];
    let spec = spec(&runtime, "127.0.0.1:1", &letters);
    let mut runner = Runner::new(spec, Provided::default(), &Control::new(false)).expect("a task");
    let keeper = Keeper::default();
    runner.sink = Box::new(keeper.clone());
    let tp = TopicPartition::new("t", 0);
    let fetched = |offsets: Range<i64>| Fetched {
        end: offsets.end,
        epoch: None,
        batch: RawBatch {
            origin: tp.clone(),
            key: BinaryArray::from_iter(offsets.clone().map(|_| None::<&[u8]>)),
            // No integer has three bytes.
            value: BinaryArray::from_iter_values(offsets.clone().map(|o| if o == 12 { &b"bad"[..] } else { b"good" })),
            timestamp: arrow_array::TimestampMillisecondArray::from_iter(offsets.clone().map(|_| None::<i64>)),
            offset: arrow_array::Int64Array::from_iter_values(offsets),
            headers: None,
        },
    };
    runner.partitions.insert(tp.clone(), Partition { next: Some(0), ..Partition::default() });
    for (given, told) in [(0..10, 10), (10..18, 12), (18..25, 12)] {
        assert!(runner.put(fetched(given.clone())).expect("put").is_none());
        runner.tell();
        assert_eq!(*keeper.1.lock().expect("a lock"), Some(told), "after {given:?}");
    }
    assert_eq!(keeper.kept().len(), 24, "all but the one that is refused");
    runner.tolerance.letters.as_mut().expect("a queue").forget(std::slice::from_ref(&tp));
    runner.tell();
    assert_eq!(*keeper.1.lock().expect("a lock"), Some(25));
    drop(runner);
    runtime.shutdown_background();
}

/// Counts its turns, and wants the next one after so long.
#[derive(Debug)]
struct Turns(Arc<AtomicUsize>, Option<Duration>);

impl SinkTask for Turns {
    fn open(&mut self, _: &TopicPartition, _: &Opening) -> Result<Option<Opened>, TaskError> {
        Ok(None)
    }
    fn put(&mut self, _: Vec<Batch>, _: &mut Refuse<'_>) -> Result<(), TaskError> {
        Ok(())
    }
    fn ready(&mut self, _: Duration) -> Result<bool, TaskError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }
    fn next_turn(&self) -> Option<Instant> {
        self.1.map(|after| Instant::now() + after)
    }
    fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        Ok(BTreeMap::new())
    }
    fn close(&mut self, _: &[TopicPartition], _: bool, _: Duration) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        Ok(BTreeMap::new())
    }
}

/// The turns within three seconds of a task that has a partition without records.
fn turns(after: Option<Duration>) -> usize {
    let runtime = Runtime::new().expect("a runtime");
    let cluster = MockCluster::start().expect("a mock cluster");
    cluster.create_topic("t", 1).expect("a topic");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let own = [("topics", "t"), ("key.converter", string), ("value.converter", string)];
    let spec = spec(&runtime, &cluster.bootstrap_servers(), &own);
    let metrics = spec.metrics.clone();
    let (control, count) = (Control::new(false), Arc::new(AtomicUsize::new(0)));
    let mut runner = Runner::new(spec, Provided::default(), &control).expect("a task");
    runner.sink = Box::new(Turns(count.clone(), after));
    thread::scope(|scope| {
        let counted = scope.spawn(|| {
            let begun = Instant::now();
            while metrics.partitions.get() == 0 && begun.elapsed() < LONG {
                thread::sleep(Duration::from_millis(5));
            }
            // The first look at the topics wakes it.
            thread::sleep(Duration::from_secs(1));
            let before = count.load(Ordering::Relaxed);
            thread::sleep(Duration::from_secs(3));
            let turns = count.load(Ordering::Relaxed) - before;
            control.stop();
            turns
        });
        runner.run(&control).expect("no failure");
        assert_eq!(metrics.partitions.get(), 1);
        counted.join().expect("a count")
    })
}

#[test]
fn a_task_without_records_rests_as_long_as_its_sink_says() {
    let (idle, busy) = (turns(None), turns(Some(Duration::from_millis(100))));
    assert!((2..=5).contains(&idle), "{idle} turns in three seconds");
    assert!(busy > 8, "{busy} turns in three seconds");
}
