//! What operators do beside workers: look at pointers, give partitions to another connector, compare files with what was committed.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

/// A store in which the connector `name` has landed 100 records of each of the two partitions of `topic`, in files of 20.
fn landed(store: &Store, worker: &Worker, name: &str, topic: &str) {
    let broker = Broker::shared();
    broker.create_topic(topic, 2);
    broker.produce_all(topic, (0..200).map(|n| (n % 2, Record::value(json!({"n": n}).to_string()))));
    worker.create(name, &store.connector(topic, 20));
    worker.await_landed(broker, name, topic);
}

/// Commands about one connector's configuration, which is a file.
struct Operator {
    folder: TempDir,
}

impl Operator {
    fn of(name: &str, config: &Value) -> Self {
        let folder = TempDir::with_prefix("landfall-operator-").expect("a folder");
        fs::write(folder.path().join("connector.json"), json!({"name": name, "config": config}).to_string()).expect("a file");
        Self { folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("connector.json")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(arguments).arg("--config").arg(self.config()).output().expect("the program")
    }

    /// What it prints when it ends with `code`.
    fn said(&self, code: i32, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.run(arguments);
        let (out, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(code), "{arguments:?}: {out}\n{errors}");
        format!("{out}{errors}")
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let all: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.said(code, &all)).expect("JSON")
    }
}

#[test]
fn files_and_pointers_are_compared() {
    const TOPIC: &str = "operators-verify";
    let (broker, store) = (Broker::shared(), Store::azurite());
    let worker = Worker::start(&broker.bootstrap(), &[]);
    landed(&store, &worker, "verified", TOPIC);
    let operator = Operator::of("verified", &store.connector(TOPIC, 20));

    let listed = operator.json(0, &["pointers", "list"]);
    let lows: Vec<_> = listed.as_array().expect("a list").iter().map(|p| (p["partition"].as_i64(), p["low"].as_i64())).collect();
    assert_eq!(lows, [(Some(0), Some(100)), (Some(1), Some(100))], "{listed:#}");
    let text = operator.said(0, &["pointers", "list"]);
    assert!(text.contains("connector verified of group connect-verified") && text.contains("2 partitions at http"), "{text}");
    let shown = operator.said(0, &["pointers", "show", TOPIC, "1"]);
    assert!(shown.contains("landed up to  100"), "{shown}");
    assert!(operator.said(1, &["pointers", "show", TOPIC, "2"]).contains("nothing of operators-verify-2 has landed"));

    let brokers = broker.bootstrap();
    let verified = operator.json(0, &["verify", "--bootstrap", &brokers]);
    let expected =
        json!({"topic": TOPIC, "partition": 1, "files": 5, "rows": 100, "first": 0, "last": 99, "low": 100, "missing": 0});
    assert_eq!((&verified["partitions"][1], &verified["findings"]), (&expected, &json!([])), "{verified:#}");
    // The same records once more under another name, and a file of somebody else.
    let twin = store.folder(TOPIC).join("partition=0");
    let copied = format!("{TOPIC}+0+0000000020.snappy.parquet");
    let blobs = |action: &str, name: &str, from: PathBuf| {
        let name = format!("topics/{TOPIC}/partition=0/{name}");
        let Store::Azurite(azurite, _) = &store else { panic!("no emulator") };
        let from = from.to_str().expect("a path of text");
        crate::support::read::python("blobs.py", &[action, &azurite.connection_string(), azurite.container(), &name, from]);
    };
    blobs("put", &format!("{TOPIC}+0+0000000025.snappy.parquet"), twin.join(&copied));
    blobs("put", "note.json", operator.config());
    let text = operator.said(3, &["verify"]);
    assert!(text.contains("both hold offsets 20 to 39 of operators-verify-0") && text.contains("1 thing wrong"), "{text}");
    assert!(text.contains("note.json was not written by Landfall"), "{text}");
}

#[test]
fn a_connector_with_another_name_takes_partitions_over() {
    const TOPIC: &str = "operators-adopt";
    let (broker, store) = (Broker::shared(), Store::directory());
    let worker = Worker::start(&broker.bootstrap(), &[]);
    landed(&store, &worker, "before", TOPIC);
    worker.delete("/connectors/before");

    let mut config = store.connector(TOPIC, 20);
    with(&mut config, &json!({"landfall.flush.on.stop": "false"}));
    let operator = Operator::of("after", &config);
    broker.produce_all(TOPIC, (200..240).map(|n| (n % 2, Record::value(json!({"n": n}).to_string()))));
    assert_eq!(worker.post("/connectors", &json!({"name": "after", "config": config})).0, 201);
    let trace = worker.await_failure("after");
    assert!(trace.contains("connector before of group connect-before") && trace.contains("landfall adopt"), "{trace}");
    worker.delete("/connectors/after");

    let asked = operator.said(0, &["adopt"]);
    assert!(asked.contains("from connector before of group connect-before") && asked.contains("give --yes"), "{asked}");
    assert_eq!(operator.json(0, &["pointers", "list"])[0]["connector"], "before");
    // Partition 1 lands its last file again.
    let low = format!("{TOPIC}-1=80");
    let adopted = operator.said(0, &["adopt", "--yes", "--low", &low, "--bootstrap", &broker.bootstrap()]);
    assert!(adopted.contains("2 partitions changed") && adopted.contains("goes on at offset 80, not 100"), "{adopted}");
    worker.create("after", &config);
    worker.await_landed(broker, "after", TOPIC);
    let verified = operator.json(0, &["verify", "--bootstrap", &broker.bootstrap()]);
    let of = |n: usize| ["files", "rows", "low", "missing"].map(|key| verified["partitions"][n][key].as_i64());
    assert_eq!((of(0), of(1)), ([6, 120, 120, 0].map(Some), [7, 140, 120, 0].map(Some)), "{verified:#}");

    let gone = operator.said(0, &["gc", "--connector", "before"]);
    assert!(gone.contains("0 pointers would be removed"), "{gone}");
    worker.delete("/connectors/after");
    assert!(operator.said(0, &["gc", "--connector", "after"]).contains("2 pointers would be removed"));
    operator.said(0, &["gc", "--connector", "after", "--topic", TOPIC, "--yes"]);
    assert_eq!(operator.json(0, &["pointers", "list"]), json!([]));
    assert_eq!(operator.json(3, &["verify"])["findings"][0]["kind"], "uncommitted");
}

#[test]
fn what_cannot_be_is_said() {
    let operator = Operator::of("c", &json!({"connector.class": "FileStreamSink", "topics": "t", "file": "/x"}));
    assert!(operator.said(1, &["verify"]).contains("lands no files in a store"));
    assert!(operator.said(2, &["adopt", "--low", "t=5"]).contains("it is not like orders-0=1200"));
    assert!(operator.said(2, &["gc"]).contains("--connector"));
    let operator = Operator::of("c", &json!({"connector.class": "AzureDataLakeSink", "topics": "t", "store.url": "nonsense"}));
    assert!(operator.said(1, &["pointers", "list"]).contains("store.url"));
}
