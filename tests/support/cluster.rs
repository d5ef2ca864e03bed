//! A Connect cluster of Java and Landfall workers, and what its members say.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::broker::{Broker, java};
use super::secrets;
use super::worker::Worker;
use super::{secs, wait_until};

/// How long a cluster may take to come to rest after something happened to it.
const PATIENCE: Duration = secs(60);

/// Whose worker a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Java,
    Landfall,
}

/// A worker of a cluster.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) worker: Worker,
}

impl Member {
    /// As statuses name it.
    pub(crate) fn id(&self) -> String {
        self.worker.url("").trim_start_matches("http://").to_owned()
    }

    /// Sends a request until the member does not answer that a rebalance is in its way.
    pub(crate) fn ask(&self, what: &str, request: impl Fn(&Worker) -> (u16, Value)) -> (u16, Value) {
        wait_until(&format!("{} ({:?}) to {what}; log: {}", self.id(), self.kind, self.worker.log().display()), PATIENCE, || {
            let answer = request(&self.worker);
            (answer.0 != 409).then_some(answer)
        })
    }
}

/// Workers with the same group and topics, on a broker.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    broker: &'a Broker,
    properties: Vec<(String, String)>,
    pub(crate) members: Vec<Member>,
}

impl<'a> Cluster<'a> {
    /// A cluster without members. Sessions are short; `properties` come on top.
    pub(crate) fn new(broker: &'a Broker, id: &str, properties: &[(&str, &str)]) -> Self {
        let mut all = vec![("group.id".to_owned(), id.to_owned())];
        for (store, partitions) in [("config", None), ("offset", Some("1")), ("status", Some("1"))] {
            all.push((format!("{store}.storage.topic"), format!("{id}-{store}")));
            all.push((format!("{store}.storage.replication.factor"), "1".to_owned()));
            all.extend(partitions.map(|partitions| (format!("{store}.storage.partitions"), partitions.to_owned())));
        }
        let short = [
            ("session.timeout.ms", "4000"),
            ("heartbeat.interval.ms", "500"),
            ("rebalance.timeout.ms", "15000"),
            ("scheduled.rebalance.max.delay.ms", "0"),
            ("consumer.session.timeout.ms", "4000"),
            ("consumer.heartbeat.interval.ms", "500"),
            ("task.shutdown.graceful.timeout.ms", "4000"),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter.schemas.enable", "false"),
        ];
        let short = short.iter().chain(properties).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        all.extend(short);
        Self { broker, properties: all, members: Vec::new() }
    }

    /// Starts members of these kinds, all at once, and waits until they answer.
    pub(crate) fn start(&mut self, kinds: &[Kind]) {
        let properties: Vec<(&str, &str)> = self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let start = |kind: Kind| {
            let (program, own): (fn(&Path) -> Command, &[_]) = match kind {
                Kind::Java => (java_program, &[("plugin.discovery", "service_load")]),
                Kind::Landfall => (landfall, &[]),
            };
            let mut worker = Worker::of(program, &self.broker.bootstrap(), &[&properties[..], own].concat());
            worker.start_again();
            wait_until(&format!("{kind:?} to be healthy; log: {}", worker.log().display()), PATIENCE, || {
                (worker.get("/health").0 == 200).then_some(())
            });
            Member { kind, worker }
        };
        let started: Vec<Member> = thread::scope(|scope| {
            let starting: Vec<_> = kinds.iter().map(|kind| scope.spawn(|| start(*kind))).collect();
            starting.into_iter().map(|member| member.join().expect("a member that starts")).collect()
        });
        self.members.extend(started);
    }

    /// Stops the first member of a kind as an operator would.
    pub(crate) fn stop(&mut self, kind: Kind) {
        let place = self.members.iter().position(|member| member.kind == kind).expect("a member of that kind");
        self.stop_at(place);
    }

    /// Stops the member at a place.
    pub(crate) fn stop_at(&mut self, place: usize) {
        let mut member = self.members.remove(place);
        let status = member.worker.terminate();
        // A Java virtual machine that a signal ends says so.
        let ends = if member.kind == Kind::Java { Some(143) } else { Some(0) };
        assert_eq!(status.code(), ends, "{}", member.worker.log_text());
    }

    /// The place of the member that leads.
    pub(crate) fn leader(&self) -> usize {
        wait_until("a leader", PATIENCE, || {
            // A follower would have to forward it.
            let leads = |member: &Member| member.worker.delete("/connectors/no-such-connector?forward=false").0 == 404;
            self.members.iter().position(leads)
        })
    }

    /// Makes a member of a kind lead, by stopping those of the other that do, and starting them again: the broker chooses the next one.
    pub(crate) fn led_by(&mut self, kind: Kind) {
        for _ in 0..20 {
            let leader = self.leader();
            let leading = self.members[leader].kind;
            if leading == kind {
                return;
            }
            self.stop_at(leader);
            self.start(&[leading]);
        }
        panic!("no member of {kind:?} leads");
    }

    /// Waits until every member says that the connector and so many tasks of it run, each on a member that is there, and none on a member
    /// that has more than its share.
    pub(crate) fn settle(&self, connector: &str, tasks: usize) {
        let ids: Vec<String> = self.members.iter().map(Member::id).collect();
        let path = format!("/connectors/{connector}/status");
        for member in &self.members {
            let mut last = Value::Null;
            let started = Instant::now();
            while !is_spread(&last, &ids, tasks) {
                assert!(started.elapsed() < PATIENCE, "{} of {ids:?} says {last:#}; {}", member.id(), self.logs());
                last = member.worker.get(&path).1;
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// On which members tasks of a connector run, by kind.
    pub(crate) fn kinds(&self, connector: &str) -> Vec<Kind> {
        let status = self.members[0].worker.get(&format!("/connectors/{connector}/status")).1;
        let kind = |on: &&str| self.members.iter().find(|member| member.id() == **on).map(|member| member.kind);
        running(&status).iter().skip(1).filter_map(kind).collect()
    }

    /// What all members print.
    pub(crate) fn logs(&self) -> String {
        let log = |member: &Member| format!("\n\n{} ({:?}):\n{}", member.id(), member.kind, member.worker.log_text());
        self.members.iter().map(log).collect()
    }
}

impl Drop for Cluster<'_> {
    /// What members say of connectors and tasks goes through a topic that others read.
    fn drop(&mut self) {
        let topic = self.properties.iter().find(|(key, _)| key == "status.storage.topic").map(|(_, topic)| topic);
        if let Some(topic) = topic.filter(|_| !thread::panicking()) {
            secrets::check(topic, &self.broker.text_of(topic, secs(5)));
        }
    }
}

/// Whether a connector and so many tasks run, all on these members, and no member has more tasks than its share.
fn is_spread(status: &Value, members: &[String], tasks: usize) -> bool {
    let on = running(status);
    let share = |member: &String| on.iter().skip(1).filter(|on| *on == member).count();
    on.len() == tasks + 1
        && on.iter().all(|on| members.iter().any(|member| member == on))
        && members.iter().all(|member| share(member) <= tasks.div_ceil(members.len()))
}

/// On which members the connector and its tasks run.
fn running(status: &Value) -> Vec<&str> {
    let parts = std::iter::once(&status["connector"]).chain(status["tasks"].as_array().into_iter().flatten());
    parts.filter(|part| part["state"] == "RUNNING").filter_map(|part| part["worker_id"].as_str()).collect()
}

fn java_program(properties: &Path) -> Command {
    let mut java = java("java-worker", "256m", "org.apache.kafka.connect.cli.ConnectDistributed");
    java.arg(properties);
    java
}

fn landfall(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("distributed").arg(properties);
    command
}
