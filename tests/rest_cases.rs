//! The REST API beside that of Java's worker, request by request: `tests/rest/README.md` says how.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::rest_cases::answer::{self, Answer};
use crate::support::rest_cases::scenario::{self, Step};
use crate::support::rest_cases::{Asked, folder};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

/// Cases about what only Java's worker is made of: its web server, its JSON library, its JVM, its own test connectors and sources.
const OF_JAVA: [&str; 5] = ["jetty", "jackson", "jvm", "mock", "source"];

const PROPERTIES: [(&str, &str); 14] = [
    ("group.id", "connect-cluster"),
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter.schemas.enable", "true"),
    ("config.storage.topic", "connect-configs"),
    ("offset.storage.topic", "connect-offsets"),
    ("status.storage.topic", "connect-status"),
    ("config.storage.replication.factor", "1"),
    ("offset.storage.replication.factor", "1"),
    ("status.storage.replication.factor", "1"),
    ("offset.storage.partitions", "5"),
    ("status.storage.partitions", "2"),
    ("rest.advertised.host.name", "127.0.0.1"),
    ("offset.flush.interval.ms", "500"),
    ("plugin.discovery", "service_load"),
];

/// Java's own worker; `REST_JARS` is the folder of its classes.
fn java(properties: &Path) -> Command {
    let jars = std::env::var("REST_JARS").expect("the folder of jars: make rest-golden");
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/rest_cases/log4j2.properties");
    let mut java = Command::new("java");
    java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC"])
        .arg(format!("-Dlog4j2.configurationFile={}", log.display()))
        .args(["-cp", &format!("{jars}/*"), "org.apache.kafka.connect.cli.ConnectDistributed"])
        .arg(properties);
    java
}

fn landfall(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("distributed").arg(properties);
    command
}

/// Makes all requests in turn.
fn answers(program: fn(&Path) -> Command, steps: &[Step]) -> Vec<(&Step, Answer)> {
    let broker = Broker::private();
    for (topic, partitions) in [("t1", 2), ("t2", 1), ("tbad", 1), ("tempty", 1)] {
        broker.create_topic(topic, partitions);
    }
    broker.produce("t1", 0, (0..10).map(|n| Record::value(json!({ "n": n }).to_string()).key(format!("k{n}"))));
    broker.produce("t1", 1, (0..5).map(|n| Record::value(json!({"n": 100 + n}).to_string()).key(format!("q{n}"))));
    broker.produce("t2", 0, (0..3).map(|n| Record::value(format!("\"v{n}\""))));
    broker.produce("tbad", 0, (0..2).map(|n| Record::value(format!("{{not json {n}")).key("k")));
    let mut worker = Worker::of(program, &broker.bootstrap(), &PROPERTIES);
    worker.start_again();
    wait_until("the worker to be healthy", secs(60), || (worker.get("/health").0 == 200).then_some(()));
    let folder = TempDir::with_prefix("landfall-rest-").expect("a folder");
    let asked = Asked { base: worker.url(""), file: folder.path().join("sink.txt"), patience: secs(20) };
    steps.iter().map(|step| (step, asked.ask(step))).collect()
}

/// Connectors whose names Java's worker takes and then finds no more, so that nobody can delete them.
const LEFT_BEHIND: [&str; 3] = ["a%b", "a/b", "a\\b"];

/// Takes out of an answer what only one of the two workers can have: classes that are not Kafka's own, source connectors and Kafka's
/// connectors for tests, keys that begin with `landfall.`, and after the case that shows them the connectors that Java cannot delete.
/// Nothing else is taken out of any answer.
fn in_common(step: &Step, mut answer: Answer) -> Answer {
    if let Some(body) = answer.0.get_mut("body") {
        take_out(body);
        let left_behind = |name: &str| step.id != "name.left" && LEFT_BEHIND.contains(&name);
        match body {
            Value::Array(names) => names.retain(|name| !name.as_str().is_some_and(left_behind)),
            Value::Object(members) => members.retain(|name, _| !left_behind(name)),
            _ => {}
        }
    }
    answer
}

fn take_out(answer: &mut Value) {
    let common = |class: &str| class.starts_with("org.apache.kafka.") && !class.starts_with("org.apache.kafka.connect.tools.");
    let is_class = |text: &str| text.contains('.') && text.starts_with(|c: char| c.is_ascii_lowercase());
    match answer {
        Value::Array(all) => {
            all.retain(|entry| {
                let other = entry["class"].as_str().is_some_and(|class| !common(class)) || entry["type"] == "source";
                let named = |of: &Value| of["name"].as_str().is_some_and(|name| name.starts_with("landfall."));
                !other && !named(entry) && !named(&entry["value"])
            });
            all.iter_mut().for_each(take_out);
        }
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_array_mut() {
                    Some(values) if name == "recommended_values" => {
                        values.retain(|value| value.as_str().is_none_or(|text| !is_class(text) || common(text)));
                    }
                    _ => take_out(value),
                }
            }
        }
        _ => {}
    }
}

/// What differences.md lists: for each case the paths at which the answers differ.
fn listed(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for line in document.lines().filter_map(|line| line.strip_prefix("- `")) {
        let mut parts = line.split('`').step_by(2).map(str::to_owned);
        let id = parts.next().expect("an id");
        let before = all.insert(id.clone(), parts.collect());
        assert!(before.is_none(), "{id} is listed twice");
    }
    all
}

/// Whether `path` is `place` or a part of it.
fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[test]
fn requests_are_answered_as_java_answers_them() {
    let steps = scenario::steps();
    if std::env::var_os("UPDATE").is_some() {
        answer::write(&answers(java, &steps));
        return;
    }
    let by_java = answer::read();
    let document = fs::read_to_string(folder().join("differences.md")).expect("differences.md");
    let mut listed = listed(&document);
    let (mut wrong, mut cases, mut equal, mut all_equal) = (String::new(), 0, 0, 0);
    for (step, ours) in answers(landfall, &steps) {
        let differences = in_common(step, ours).differences(&in_common(step, by_java[&step.id].clone()));
        let of_java = step.tags.iter().any(|tag| OF_JAVA.contains(&tag.as_str()));
        cases += usize::from(!of_java);
        equal += usize::from(!of_java && differences.is_empty());
        all_equal += usize::from(differences.is_empty());
        let paths: BTreeSet<_> = differences.iter().map(|(path, ..)| path.clone()).collect();
        let known = listed.remove(&step.id).unwrap_or_default();
        let as_listed = paths.iter().all(|path| known.iter().any(|known| is_in(path, known)))
            && known.iter().all(|known| paths.iter().any(|path| is_in(path, known)));
        if !as_listed {
            let paths = paths.iter().map(|path| format!(" `{path}`")).collect::<String>();
            writeln!(wrong, "- `{}`{paths}", step.id).expect("a string");
            for (path, ours, java) in &differences {
                writeln!(wrong, "      {path}\n        here {ours}\n        Java {java}").expect("a string");
            }
        }
    }
    let counts = format!("{equal} of {cases} cases are answered alike, with those of Java alone {all_equal} of {}", steps.len());
    assert!(wrong.is_empty(), "{counts}; these are not as differences.md has them:\n{wrong}");
    assert!(listed.is_empty(), "differences.md lists cases that are not there: {listed:?}");
    assert!(document.contains(&counts), "differences.md has to say: {counts}");
    assert!(equal * 100 >= cases * 97, "{counts}");
}
