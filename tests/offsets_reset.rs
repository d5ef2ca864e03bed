//! The group's offset is not what was left, the log is not, the topic is not, or somebody else lands here: nothing is lost or landed
//! again unless the operator wants it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::once::{Landed, Numbered, Produced, landed_of, ours, through};
use crate::support::proxy::{Call, Fault, Proxy, Rule};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const PARTITIONS: usize = 4;
/// The files of the first incarnation.
const FIRST: &str = r"\+\d+\.\w+\.parquet$";
/// Those of the second.
const SECOND: &str = r"\.r1\.\w+\.parquet$";

/// A connector whose records have landed and whose worker has stopped.
struct Stopped {
    topic: &'static str,
    group: String,
    store: Store,
    records: Numbered,
    worker: Worker,
    config: Value,
    /// What had landed when it stopped.
    before: Produced,
}

impl Stopped {
    fn new(topic: &'static str, more: &Value) -> Self {
        let (broker, store) = (Broker::shared(), Store::directory());
        let mut records = Numbered::create(broker, topic, PARTITIONS, 1);
        records.produce(1600);
        let mut config = ours(&store, topic, 100);
        with(&mut config, &json!({"landfall.rotate.idle.ms": "300"}));
        with(&mut config, more);
        let mut worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
        worker.create(topic, &config);
        worker.await_landed(broker, topic, topic);
        assert!(worker.terminate().success(), "{}", worker.log_text());
        let before = records.produced();
        Self { topic, group: format!("connect-{topic}"), store, records, worker, config, before }
    }

    /// Sets the group's offsets, each with its metadata, from partition 0 on.
    fn commit<const N: usize>(&self, offsets: [(i64, &str); N]) {
        let offsets: Vec<_> = (0..).zip(offsets).map(|(partition, (offset, metadata))| (partition, offset, metadata)).collect();
        Broker::shared().commit(&self.group, self.topic, &offsets);
    }

    fn end(&self, partition: i32) -> i64 {
        self.before[&partition].end
    }

    fn start(&mut self) {
        self.worker.start_again();
        self.configure();
    }

    fn configure(&self) {
        let (status, body) = self.worker.put(&format!("/connectors/{}/config", self.topic), &self.config);
        assert!(status == 200 || status == 201, "{status} {body:#}");
    }

    fn lands(&self) {
        self.worker.await_landed(Broker::shared(), self.topic, self.topic);
        self.worker.await_state(self.topic, "RUNNING");
    }

    /// What of these offsets has landed in the files of one incarnation.
    fn found(&self, files: &str, offsets: impl Into<Produced>) -> Landed {
        let asked = BTreeMap::from([(self.topic, offsets.into())]);
        landed_of(&[self.store.landed()], files, &asked).remove(self.topic).expect("an answer for the topic")
    }

    /// Panics unless just these offsets have landed, once, in the files of one incarnation.
    fn assert_holds(&self, files: &str, offsets: impl Into<Produced>) {
        let found = self.found(files, offsets);
        assert!(found.is_once(), "{files}: {found:#?}\n{}", self.worker.log_text());
    }
}

/// Everything that the partitions have, from an offset of each on.
fn from<const N: usize>(records: &Numbered, begins: [i64; N]) -> BTreeMap<i32, Range<i64>> {
    records.produced().into_iter().zip(begins).map(|((partition, all), begin)| (partition, begin..all.end)).collect()
}

#[test]
fn offsets_that_others_have_set_are_obeyed() {
    let mut stopped = Stopped::new("reset-obeyed", &json!({}));
    stopped.records.produce(800);
    let ends = [0, 1, 2, 3].map(|partition| stopped.end(partition));
    // Kafka's tools set the first one back, and another worker has landed more of the second. The others are commits of ours that are
    // late: one of this incarnation, and one that was never overtaken.
    stopped.commit([(100, ""), (ends[1] + 20, "of another"), (ends[2] - 10, "lf1:0:1:1"), (ends[3], "")]);
    stopped.start();
    stopped.lands();
    stopped.assert_holds(SECOND, [(0, 100..stopped.records.ends()[&0])]);
    // What was set forward keeps its names, and what lies between has landed elsewhere.
    let mut first = from(&stopped.records, [0; PARTITIONS]);
    first.insert(0, 0..ends[0]);
    let found = stopped.found(FIRST, first);
    assert_eq!((found.duplicated, found.lost, found.wrong), (0, 20, 0), "{found:#?}");

    // A commit of before the reset is too old to be believed.
    assert!(stopped.worker.terminate().success(), "{}", stopped.worker.log_text());
    stopped.commit([(7, "lf1:0:1:1")]);
    stopped.records.produce(400);
    stopped.start();
    stopped.lands();
    stopped.assert_holds(SECOND, [(0, 100..stopped.records.ends()[&0])]);
}

/// A worker is stopped between the group's offset, which was set back, and the pointer. Another one goes back there and lands all; the
/// first one then finds its offset far behind the pointer, and must not go back once more.
#[test]
fn an_offset_that_was_set_back_is_obeyed_once() {
    let (broker, store, topic) = (Broker::shared(), Store::azurite(), "obeyed-once");
    let Store::Azurite(azurite, _) = &store else { unreachable!("made in Azurite") };
    let mut records = Numbered::create(broker, topic, 1, 1);
    records.produce(600);
    let mut config = ours(&store, topic, 100);
    with(&mut config, &json!({"landfall.rotate.idle.ms": "300"}));
    let worker = || Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "200")]);
    let mut second = worker();
    second.create(topic, &config);
    second.await_landed(broker, topic, topic);
    assert!(second.terminate().success(), "{}", second.log_text());
    broker.commit(&format!("connect-{topic}"), topic, &[(0, 100, "")]);

    let proxy = Proxy::before(&azurite.blob_endpoint(), 1);
    let mut slow = config.clone();
    through(&mut slow, azurite, &proxy);
    let first = worker();
    proxy.set([Rule::new(&[Call::GetBlob], Fault::Kept, 1000)]);
    first.create(topic, &slow);
    wait_until("the pointer to be read", secs(30), || proxy.counts().calls.contains_key(&Call::GetBlob).then_some(()));
    proxy.set([]);
    first.sigstop();
    second.start_again();
    second.create(topic, &config);
    records.produce(100);
    second.await_landed(broker, topic, topic);
    // What it is told now is what stands there now.
    proxy.release();
    wait_until("the pointer to be read", secs(30), || proxy.is_quiet().then_some(()));
    first.sigcont();
    records.produce(100);
    second.await_landed(broker, topic, topic);
    first.await_landed(broker, topic, topic);

    let asked = |files, range: Range<i64>| landed_of(&[store.landed()], files, &[(topic, [(0, range)].into())].into());
    assert!(asked(FIRST, 0..600)[topic].is_once(), "{:#?}", asked(FIRST, 0..600));
    assert!(asked(SECOND, 100..800)[topic].is_once(), "{:#?}\n{}", asked(SECOND, 100..800), first.log_text());
    assert_eq!(asked(r"\.r2\.", 0..800)[topic].files, 0, "{}", first.log_text());
}

#[test]
fn offsets_that_others_have_set_are_ignored_on_demand() {
    let mut stopped = Stopped::new("reset-ignored", &json!({"landfall.external.reset": "ignore"}));
    stopped.records.produce(800);
    stopped.commit([(100, ""), (stopped.end(1) + 20, ""), (0, "")]);
    stopped.start();
    stopped.lands();
    stopped.assert_holds("", stopped.records.produced());
}

#[test]
fn offsets_that_others_have_set_fail_the_task_on_demand() {
    let mut stopped = Stopped::new("reset-fails", &json!({"landfall.external.reset": "fail"}));
    stopped.commit([(100, "")]);
    stopped.records.produce(800);
    stopped.start();
    let trace = stopped.worker.await_failure(stopped.topic);
    assert!(trace.contains("reset-fails-0") && trace.contains("100") && trace.contains("landfall.external.reset"), "{trace}");
    stopped.config["landfall.external.reset"] = "ignore".into();
    stopped.configure();
    stopped.lands();
    stopped.assert_holds("", stopped.records.produced());
}

#[test]
fn a_group_that_is_forgotten_goes_on_where_it_was() {
    let mut stopped = Stopped::new("group-forgotten", &json!({}));
    Broker::shared().delete_group(&stopped.group);
    stopped.records.produce(800);
    stopped.start();
    stopped.lands();
    stopped.assert_holds("", stopped.records.produced());
}

#[test]
fn records_that_were_deleted_before_they_landed_fail_the_task_or_are_left_out() {
    let mut stopped = Stopped::new("gap", &json!({}));
    stopped.records.produce(800);
    let begin = stopped.end(0) + 50;
    Broker::shared().delete_records(stopped.topic, 0, begin);
    stopped.start();
    let trace = stopped.worker.await_failure(stopped.topic);
    let last = (begin - 1).to_string();
    let said = [stopped.end(0).to_string(), last, "landfall.offset.gap=skip".into()];
    assert!(said.iter().all(|part| trace.contains(part)), "{said:?} in {trace}");

    stopped.config["landfall.offset.gap"] = "skip".into();
    stopped.configure();
    stopped.lands();
    let found = stopped.found("", stopped.records.produced());
    assert_eq!((found.duplicated, found.lost, found.wrong), (0, 50, 0), "{found:#?}");
}

#[test]
fn a_topic_that_was_created_again_begins_anew_beside_its_old_files() {
    let (broker, mut stopped) = (Broker::shared(), Stopped::new("created-again", &json!({})));
    broker.delete_topic(stopped.topic);
    stopped.records = Numbered::create(broker, stopped.topic, PARTITIONS, 2);
    stopped.records.produce(2000);
    stopped.start();
    stopped.lands();
    stopped.assert_holds(FIRST, stopped.before.clone());
    stopped.assert_holds(SECOND, stopped.records.produced());
}

#[test]
fn a_second_connector_on_one_place_fails_and_names_both() {
    let (broker, mut stopped) = (Broker::shared(), Stopped::new("one-place", &json!({})));
    stopped.records.produce(400);
    stopped.start();
    stopped.lands();
    let other = "intruder";
    let (status, body) = stopped.worker.post("/connectors", &json!({"name": other, "config": stopped.config}));
    assert_eq!(status, 201, "{body:#}");
    let trace = stopped.worker.await_failure(other);
    for name in [other, stopped.topic, "connect-intruder", &stopped.group] {
        assert!(trace.contains(name), "{name} in {trace}");
    }
    stopped.records.produce(400);
    stopped.lands();
    stopped.assert_holds("", stopped.records.produced());
    assert_eq!(broker.committed("connect-intruder", stopped.topic), [].into());
}
