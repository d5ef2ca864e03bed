//! A real schema registry: Apicurio's, which speaks the protocol of Confluent's too.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Process;
use super::{cache, free_port, secs, wait_until};

/// The registry, which keeps all in memory; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Apicurio {
    // Before its folder: the process ends first.
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Apicurio {
    /// Starts a registry and waits until it answers.
    pub(crate) fn start() -> Self {
        let (folder, port) = (TempDir::with_prefix("landfall-apicurio-").expect("a folder for the registry"), free_port());
        let jar = cache("apicurio").join("apicurio-registry-app-2.6.13.Final-runner.jar");
        let mut java = Command::new("java");
        java.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1"])
            .arg(format!("-Dquarkus.http.port={port}"))
            .arg("-jar")
            .arg(jar)
            .current_dir(folder.path());
        let log = folder.path().join("apicurio.log");
        let mut process = Process::spawn(&mut java, &log, folder.path()).expect("java");
        let url = format!("http://127.0.0.1:{port}/apis/ccompat/v7/subjects");
        wait_until("the registry to start", secs(90), || {
            let ended = process.ended();
            assert!(ended.is_none(), "the registry ended with {ended:?}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            ureq::get(&url).call().is_ok().then_some(())
        });
        Self { _process: process, _folder: folder, port }
    }

    /// The URL of what is compatible with Confluent's.
    pub(crate) fn ccompat(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// The URL of its own API.
    pub(crate) fn own(&self) -> String {
        format!("http://127.0.0.1:{}/apis/registry/v2", self.port)
    }

    /// Registers an Avro schema; its id.
    pub(crate) fn register(&self, subject: &str, schema: &str, references: &Value) -> i32 {
        let body = json!({"schema": schema, "references": references});
        let url = format!("{}/subjects/{subject}/versions", self.ccompat());
        let answer: Value = ureq::post(&url).send_json(&body).expect("registered").body_mut().read_json().expect("JSON");
        answer["id"].as_i64().and_then(|id| i32::try_from(id).ok()).unwrap_or_else(|| panic!("no id: {answer}"))
    }
}
