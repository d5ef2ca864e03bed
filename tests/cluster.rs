//! Clusters of Java and Landfall workers, replaced member by member while records flow.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::cluster::Cluster;
use crate::support::cluster::Kind::{Java, Landfall};
use crate::support::once::{Numbered, assert_once, ours};
use crate::support::store::{Store, with};
use crate::support::{secs, wait_until};

const TASKS: usize = 6;

/// Two Java workers and one of Landfall become three of Landfall, one at a time, and two and one again.
pub(crate) fn roll(id: &str, properties: &[(&str, &str)]) {
    // Nobody dies here, and whoever has no time to commit on a busy machine, Java's workers too, lets others write records again.
    const PATIENT: [(&str, &str); 2] = [("consumer.session.timeout.ms", "30000"), ("task.shutdown.graceful.timeout.ms", "30000")];
    let broker = Broker::shared();
    let mut cluster = Cluster::new(broker, id, &[&PATIENT, properties].concat());
    cluster.start(&[Java, Java, Landfall]);
    let flow = Flow::start(broker, &cluster, id);
    check(&cluster, id, 0);
    let steps = [(Java, Landfall), (Java, Landfall), (Landfall, Java), (Landfall, Java)];
    for (step, (out, back)) in steps.into_iter().enumerate() {
        cluster.stop(out);
        cluster.settle(id, TASKS);
        cluster.start(&[back]);
        cluster.settle(id, TASKS);
        check(&cluster, id, step + 1);
    }
    flow.check(0);
}

/// A member that leads is killed, one of each kind, and one of each is silent for longer than its session.
pub(crate) fn failures(id: &str, properties: &[(&str, &str)]) {
    let broker = Broker::shared();
    let mut cluster = Cluster::new(broker, id, properties);
    cluster.start(&[Java, Java, Landfall, Landfall]);
    let flow = Flow::start(broker, &cluster, id);
    for kind in [Java, Landfall] {
        cluster.led_by(kind);
        cluster.settle(id, TASKS);
        let leader = cluster.leader();
        cluster.members.remove(leader).worker.kill9();
        cluster.settle(id, TASKS);
        cluster.start(&[kind]);
        cluster.settle(id, TASKS);
        check(&cluster, id, 0);
    }
    for kind in [Java, Landfall] {
        let silent = cluster.members.iter().position(|member| member.kind == kind).expect("a member");
        let silent = cluster.members.remove(silent);
        silent.worker.sigstop();
        cluster.settle(id, TASKS);
        silent.worker.sigcont();
        cluster.members.push(silent);
        cluster.settle(id, TASKS);
        check(&cluster, id, 0);
    }
    flow.check(usize::MAX);
}

/// The broker is silent for longer than a session: nobody can say who runs what, and afterwards all goes on.
pub(crate) fn silence(id: &str) {
    // The producer's thread has it as long as it likes.
    let broker: &'static Broker = Box::leak(Box::new(Broker::private()));
    let mut cluster = Cluster::new(broker, id, &[]);
    cluster.start(&[Java, Landfall, Landfall]);
    let flow = Flow::start(broker, &cluster, id);
    for _ in 0..2 {
        broker.sigstop();
        thread::sleep(secs(15));
        broker.sigcont();
        cluster.settle(id, TASKS);
        check(&cluster, id, 0);
    }
    flow.check(usize::MAX);
}

/// A lake connector lands each record once while every worker is replaced, and nobody waits for the one that left.
pub(crate) fn lake(id: &str) {
    let (broker, store) = (Broker::shared(), Store::directory());
    let mut numbered = Numbered::create(broker, id, TASKS, 7);
    let mut cluster =
        Cluster::new(broker, id, &[("scheduled.rebalance.max.delay.ms", "300000"), ("landfall.leave.hands.over", "true")]);
    cluster.start(&[Landfall; 3]);
    let mut config = ours(&store, id, 100);
    with(&mut config, &json!({"tasks.max": TASKS.to_string()}));
    let (status, body) =
        cluster.members[0].ask("create", |worker| worker.post("/connectors", &json!({"name": id, "config": config})));
    assert_eq!(status, 201, "{body}");
    cluster.settle(id, TASKS);
    for follower in [1, 0, 1, 1] {
        numbered.produce(5000);
        let place = (cluster.leader() + follower) % cluster.members.len();
        cluster.stop_at(place);
        cluster.settle(id, TASKS);
        numbered.produce(5000);
        cluster.start(&[Landfall]);
        cluster.settle(id, TASKS);
    }
    wait_until(&format!("everything to land; {}", cluster.logs()), secs(60), || {
        (broker.committed(&format!("connect-{id}"), id) == numbered.ends()).then_some(())
    });
    assert_once(&store, id, numbered.produced());
}

/// A leader of Landfall's gives nothing to a Java worker that the worker has no class for.
pub(crate) fn unequal(id: &str) {
    let (broker, store) = (Broker::shared(), Store::directory());
    broker.create_topic(id, TASKS as i32);
    let mut cluster = Cluster::new(broker, id, &[]);
    cluster.start(&[Landfall]);
    cluster.start(&[Java]);
    let mut config = ours(&store, id, 100);
    with(&mut config, &json!({"tasks.max": TASKS.to_string()}));
    let (status, body) =
        cluster.members[0].ask("create", |worker| worker.post("/connectors", &json!({"name": id, "config": config})));
    assert_eq!(status, 201, "{body}");
    wait_until(&format!("the tasks to run on Landfall; {}", cluster.logs()), secs(30), || {
        (cluster.kinds(id) == [Landfall; TASKS]).then_some(())
    });
    assert_eq!(cluster.leader(), 0);
}

/// Every member answers for the cluster, whoever leads and whoever runs what is asked about.
fn check(cluster: &Cluster<'_>, id: &str, step: usize) {
    let probe = format!("{id}-probe");
    for (place, member) in cluster.members.iter().enumerate() {
        let get = |path: &str| member.ask(path, |worker| worker.get(path));
        let ok = |(status, body): (u16, Value)| {
            assert!((200..300).contains(&status), "{} ({:?}): {status} {body}", member.id(), member.kind);
            body
        };
        assert_eq!(ok(get("/connectors")), json!([id]));
        assert_eq!(ok(get(&format!("/connectors/{id}")))["tasks"].as_array().map(Vec::len), Some(TASKS));
        assert_eq!(ok(get("/connectors?expand=info&expand=status"))[id]["status"]["tasks"].as_array().map(Vec::len), Some(TASKS));
        assert!(ok(get(&format!("/connectors/{id}/offsets")))["offsets"].is_array());
        // The owner restarts it, the leader writes it.
        let restart = format!("/connectors/{id}/tasks/{}/restart", (step + place) % TASKS);
        ok(member.ask("restart a task", |worker| worker.post(&restart, &Value::Null)));
        let restart = format!("/connectors/{id}/restart?includeTasks=true&onlyFailed=true");
        ok(member.ask("restart what failed", |worker| worker.post(&restart, &Value::Null)));
    }
    // A connector is made by one member, seen by all, and deleted by the next.
    let member = |n: usize| &cluster.members[(step + n) % cluster.members.len()];
    let config = json!({"connector.class": "FileStreamSink", "topics": id});
    let (status, body) = member(0).ask("create", |worker| {
        worker.post("/connectors", &json!({"name": probe, "config": config, "initial_state": "STOPPED"}))
    });
    assert_eq!(status, 201, "{body}");
    for member in &cluster.members {
        wait_until(&format!("{} to know of {probe}", member.id()), secs(20), || {
            (member.worker.get(&format!("/connectors/{probe}/status")).1["connector"]["state"] == "STOPPED").then_some(())
        });
    }
    let (status, body) = member(1).ask("delete", |worker| worker.delete(&format!("/connectors/{probe}")));
    assert_eq!(status, 204, "{body}");
    for member in &cluster.members {
        wait_until(&format!("{} to forget {probe}", member.id()), secs(20), || {
            (member.worker.get("/connectors").1 == json!([id])).then_some(())
        });
    }
    cluster.settle(id, TASKS);
}

/// Records that are produced all the time, and a connector that writes them into a file.
struct Flow {
    broker: &'static Broker,
    id: String,
    folder: TempDir,
    stop: Arc<AtomicBool>,
    producer: JoinHandle<usize>,
}

impl Flow {
    /// Creates a connector of the name `id` for a topic of the same name.
    fn start(broker: &'static Broker, cluster: &Cluster<'_>, id: &str) -> Self {
        broker.create_topic(id, TASKS as i32);
        let folder = TempDir::with_prefix("landfall-cluster-").expect("a folder");
        let config = json!({
            "connector.class": "FileStreamSink",
            "tasks.max": TASKS.to_string(),
            "topics": id,
            "file": folder.path().join("lines"),
        });
        let (status, body) =
            cluster.members[0].ask("create", |worker| worker.post("/connectors", &json!({"name": id, "config": config})));
        assert_eq!(status, 201, "{body}");
        let stop = Arc::new(AtomicBool::new(false));
        let producer = thread::spawn({
            let (stop, id) = (stop.clone(), id.to_owned());
            move || {
                let mut count = 0;
                let next = || {
                    thread::sleep(Duration::from_millis(2));
                    (!stop.load(Ordering::Relaxed)).then(|| {
                        count += 1;
                        ((count % TASKS) as i32, Record::value(format!("<{count}>")))
                    })
                };
                broker.produce_all(&id, std::iter::from_fn(next));
                count
            }
        });
        cluster.settle(id, TASKS);
        Self { broker, id: id.to_owned(), folder, stop, producer }
    }

    /// Everything that was produced is in the file, and not more than so many records twice.
    fn check(self, twice: usize) {
        self.stop.store(true, Ordering::Relaxed);
        let count = self.producer.join().expect("a producer that ends");
        let (broker, group) = (self.broker, format!("connect-{}", self.id));
        let ends = broker.end_offsets(&self.id);
        wait_until("everything to be committed", secs(60), || (broker.committed(&group, &self.id) == ends).then_some(()));
        let found = written(&self.folder.path().join("lines"));
        let missing: Vec<_> = (1..=count).filter(|n| !found.contains_key(n)).collect();
        assert!(missing.is_empty(), "{} of {count} records are lost: {missing:?}", missing.len());
        let again = found.values().map(|times| times - 1).sum::<usize>();
        assert!(again <= twice, "{again} of {count} records were written again");
    }
}

/// How often each record is in the file. The lines of several workers may run into each other, a record's text does not.
fn written(file: &Path) -> BTreeMap<usize, usize> {
    let mut times = BTreeMap::new();
    for part in fs::read_to_string(file).expect("the file").split('<').skip(1) {
        let (number, _) = part.split_once('>').expect("a whole record");
        *times.entry(number.parse().expect("a number")).or_default() += 1;
    }
    times
}
