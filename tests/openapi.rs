//! `openapi/connect.yaml` beside a worker: schemathesis makes requests of it, good ones and bad ones, and compares the answers.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::broker::Broker;
use crate::support::cache;
use crate::support::worker::Worker;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn a_worker_answers_as_the_document_says() {
    let broker = Broker::shared();
    if !broker.has_topic("orders") {
        broker.create_topic("orders", 1);
    }
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let folder = TempDir::with_prefix("landfall-openapi-").expect("a folder");
    let document = fs::read_to_string(Path::new(ROOT).join("openapi/connect.yaml")).expect("the document");
    let document = document.replace("/tmp/orders.txt", &folder.path().join("orders.txt").display().to_string());
    fs::write(folder.path().join("connect.yaml"), document).expect("a file");
    let support = Path::new(ROOT).join("tests/support/openapi");
    let mut command = Command::new(cache("schemathesis/bin/schemathesis"));
    command.arg("--config-file").arg(support.join("schemathesis.toml")).args(["run", "connect.yaml", "--url", &worker.url("")]);
    let ended = command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", &support).current_dir(folder.path()).output();
    let ended = ended.expect("schemathesis");
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{out}\n{}\n{}", String::from_utf8_lossy(&ended.stderr), worker.log_text());
    // One that makes no request finds nothing.
    let cases =
        out.lines().find_map(|line| line.split_once(" generated,")?.0.trim().rsplit(' ').next()?.replace(',', "").parse().ok());
    assert!(cases.is_some_and(|cases: u32| cases > 300), "{out}");
}

#[test]
fn the_examples_are_what_the_schemas_say() {
    let root = Path::new(ROOT);
    let mut command = Command::new(cache("schemathesis/bin/python"));
    let ended = command.arg(root.join("tests/support/openapi/examples.py")).arg(root.join("openapi/connect.yaml")).output();
    let ended = ended.expect("python");
    assert!(ended.status.success(), "{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
}
