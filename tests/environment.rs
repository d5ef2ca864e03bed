//! A worker whose properties are in variables, as the common images take them.

use std::process::Command;

use tempfile::TempDir;

use crate::support::broker::Broker;
use crate::support::process::Process;
use crate::support::secrets::secret;
use crate::support::{free_port, secs, wait_until};

#[test]
fn a_worker_starts_by_variables_alone() {
    let (broker, folder, port) = (Broker::shared(), TempDir::new().expect("a folder"), free_port());
    let (log, hidden) = (folder.path().join("worker.log"), secret("variable"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("distributed").current_dir(folder.path());
    command.envs([
        ("CONNECT_BOOTSTRAP_SERVERS", broker.bootstrap().as_str()),
        ("CONNECT_CONFIG_STORAGE_REPLICATION_FACTOR", "1"),
        ("CONNECT_CONFIG_STORAGE_TOPIC", "variables-configs"),
        ("CONNECT_CONSUMER_SSL_KEY_PASSWORD", &hidden),
        ("CONNECT_CUB_KAFKA_TIMEOUT", "30"),
        ("CONNECT_GROUP_ID", "variables"),
        ("CONNECT_KEY_CONVERTER", "org.apache.kafka.connect.storage.StringConverter"),
        ("CONNECT_LISTENERS", &format!("http://127.0.0.1:{port}")),
        ("CONNECT_OFFSET_STORAGE_REPLICATION_FACTOR", "1"),
        ("CONNECT_OFFSET_STORAGE_TOPIC", "variables-offsets"),
        ("CONNECT_REST_ADVERTISED_HOST_NAME", "127.0.0.1"),
        ("CONNECT_STATUS_STORAGE_REPLICATION_FACTOR", "1"),
        ("CONNECT_STATUS_STORAGE_TOPIC", "variables-status"),
        ("CONNECT_VALUE_CONVERTER", "org.apache.kafka.connect.json.JsonConverter"),
        ("KAFKA_HEAP_OPTS", &format!("-Xmx1g -D{hidden}")),
    ]);
    let mut process = Process::spawn(&mut command, &log, folder.path()).expect("a worker");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    wait_until("the worker to be healthy", secs(60), || {
        assert!(process.ended().is_none(), "{}", said());
        ureq::get(format!("http://127.0.0.1:{port}/health")).call().ok()
    });
    let health = process.terminate(secs(30));
    assert!(health.success(), "{}", said());
    for noted in ["The variable 'KAFKA_HEAP_OPTS' has no effect", "The variable 'CONNECT_CUB_KAFKA_TIMEOUT' has no effect"] {
        assert!(said().contains(noted), "{noted} is not in {}", said());
    }
}

#[test]
fn a_worker_without_properties_says_how_to_give_them() {
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        let done = command.args(arguments).envs(variables.iter().copied()).output().expect("landfall");
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, text) = run(&[], &["distributed"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("CONNECT_BOOTSTRAP_SERVERS"), "{text}");

    let (code, text) = run(&[("CONNECT_GROUP_ID", "g")], &["distributed"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("CONNECT_BOOTSTRAP_SERVERS: bootstrap.servers: Missing required configuration"), "{text}");

    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("worker.properties");
    std::fs::write(&file, "bootstrap.servers=a:1\noffset.flush.interval.ms=1\n").expect("written");
    let (code, text) = run(&[("CONNECT_OFFSET_FLUSH_INTERVAL_MS", "soon")], &["standalone", file.to_str().expect("text")]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("CONNECT_OFFSET_FLUSH_INTERVAL_MS: offset.flush.interval.ms: Invalid value soon"), "{text}");
    assert!(text.contains("worker.properties: key.converter: Missing required configuration"), "{text}");
}
