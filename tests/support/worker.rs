//! The real binary as a standalone worker, or another program in its place, and a client of its REST interface.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::broker::Broker;
use super::process::Process;
use super::secrets::{self, secret};
use super::{free_port, secs, wait_until};

const PATIENCE: Duration = secs(60);

/// The class of the converter that the file sinks of tests have.
pub(crate) const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A connector, of Java's or ours, that writes a topic's records to a file, a line each.
pub(crate) fn file_sink(topic: &str, file: &Path) -> Value {
    json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "topics": topic,
        "file": file,
        "key.converter": STRING,
        "value.converter": STRING,
    })
}

/// A worker with its own folder and REST port, both kept over a kill and a new start; killed when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    // Before its folder: the process ends first.
    process: Option<Process>,
    program: fn(&Path) -> Command,
    folder: TempDir,
    port: u16,
    agent: ureq::Agent,
    /// Whether it is ours: then nothing that it says shows a secret.
    is_ours: bool,
}

impl Worker {
    /// Starts a worker for the broker at `bootstrap` and waits until it answers. `properties` come on top of these: JSON values without
    /// schemas, string keys, offsets committed every second, connectors that may use this machine and the folder of temporary files; and
    /// secrets that mean nothing.
    pub(crate) fn start(bootstrap: &str, properties: &[(&str, &str)]) -> Self {
        let mut worker = Self::stopped(bootstrap, properties);
        worker.start_again();
        worker
    }

    /// The same, but not started yet.
    pub(crate) fn stopped(bootstrap: &str, properties: &[(&str, &str)]) -> Self {
        Self::of(landfall, bootstrap, properties)
    }

    /// The same for a `program`, which is the command for the path of the worker's properties.
    pub(crate) fn of(program: fn(&Path) -> Command, bootstrap: &str, properties: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("landfall-worker-").expect("a folder for the worker");
        let port = free_port();
        let mut text = format!(
            "bootstrap.servers={bootstrap}
listeners=http://127.0.0.1:{port}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.flush.interval.ms=1000
"
        );
        // A member of a cluster would take it for a setting of its topic.
        if properties.iter().all(|(key, _)| *key != "group.id") {
            let offsets = folder.path().join("connect.offsets");
            writeln!(text, "offset.storage.file.filename={}", offsets.display()).expect("a string takes it");
        }
        let path = folder.path().join("worker.properties");
        let is_ours = secrets::is_ours(&program(&path));
        let mut more = Vec::new();
        // Where they mean something they are the test's own.
        if properties.iter().all(|(key, _)| !key.ends_with("security.protocol")) {
            more.push(("ssl.key.password".to_owned(), secret("key")));
            more.push(("consumer.ssl.key.password".to_owned(), secret("store")));
        }
        if is_ours {
            more.extend(allowed());
        }
        if properties.iter().all(|(key, _)| !key.starts_with("config.providers")) {
            let file = folder.path().join("planted.properties");
            fs::write(&file, format!("store={}\n", secret("provided"))).expect("planted.properties");
            let class = "org.apache.kafka.common.config.provider.FileConfigProvider";
            more.extend(
                [("config.providers", "planted"), ("config.providers.planted.class", class)].map(|(k, v)| (k.into(), v.into())),
            );
            more.push(("config.providers.planted.param.allowed.paths".into(), folder.path().display().to_string()));
            more.push(("planted.password".into(), format!("${{planted:{}:store}}", file.display())));
        }
        for (key, value) in more.iter().filter(|(key, _)| properties.iter().all(|(given, _)| given != key)) {
            writeln!(text, "{key}={value}").expect("a string takes it");
        }
        for (key, value) in properties {
            writeln!(text, "{key}={value}").expect("a string takes it");
        }
        fs::write(path, text).expect("worker.properties");
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(secs(120))).build();
        Self { process: None, program, folder, port, agent: config.into(), is_ours }
    }

    /// Starts a worker that is not running and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "the worker is running");
        let log = self.log();
        let mut command = (self.program)(&self.folder.path().join("worker.properties"));
        let command = command.current_dir(self.folder.path());
        let mut process = Process::spawn(command, &log, self.folder.path()).expect("the worker's program");
        wait_until("the worker to answer", PATIENCE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "the worker ended with {ended:?}: {}", fs::read_to_string(&log).unwrap_or_default());
            self.agent.get(self.url("/")).call().is_ok_and(|r| r.status() == 200).then_some(())
        });
        self.process = Some(process);
    }

    /// The file that takes what the worker prints.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("worker.log")
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The running process, for its signals, memory and CPU time.
    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().expect("a running worker")
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(crate) fn kill9(&mut self) {
        self.process.take().expect("a running worker").kill();
    }

    /// SIGTERM, then waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.process.take().expect("a running worker").terminate(PATIENCE)
    }

    /// Waits until the worker ends by itself.
    pub(crate) fn await_end(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running worker");
        wait_until(&format!("the worker to end; log: {}", self.log().display()), PATIENCE, || process.ended())
    }

    pub(crate) fn sigstop(&self) {
        self.process().signal("STOP");
    }

    pub(crate) fn sigcont(&self) {
        self.process().signal("CONT");
    }

    /// The address of a path of the REST interface.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.heard(path, answer(self.agent.get(self.url(path)).call()))
    }

    pub(crate) fn delete(&self, path: &str) -> (u16, Value) {
        self.heard(path, answer(self.agent.delete(self.url(path)).call()))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.heard(path, send(self.agent.post(self.url(path)), body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.heard(path, send(self.agent.put(self.url(path)), body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        self.heard(path, send(self.agent.patch(self.url(path)), body))
    }

    /// An answer, once it is known to show no secret.
    fn heard(&self, path: &str, answer: (u16, Value)) -> (u16, Value) {
        if self.is_ours {
            secrets::check(&format!("the answer to {path}"), &answer.1.to_string());
        }
        answer
    }

    /// Creates a connector, with a secret beside what `config` says that means nothing, and waits until it and its tasks run.
    pub(crate) fn create(&self, name: &str, config: &Value) {
        let mut config = config.clone();
        if self.is_ours {
            config["planted.password"] = secret("connector").into();
        }
        let (status, body) = self.post("/connectors", &json!({"name": name, "config": config}));
        assert_eq!(status, 201, "create {name}: {body}");
        self.await_state(name, "RUNNING");
    }

    /// Waits until a connector and all its tasks, at least one, are in `state`. Panics with the trace when one of them has failed instead.
    pub(crate) fn await_state(&self, connector: &str, state: &str) {
        let path = format!("/connectors/{connector}/status");
        let mut last = Value::Null;
        let states = |status: &Value| -> Vec<String> {
            let tasks = status["tasks"].as_array().into_iter().flatten();
            std::iter::once(&status["connector"])
                .chain(tasks)
                .map(|part| part["state"].as_str().unwrap_or_default().into())
                .collect()
        };
        wait_until(&format!("connector {connector} to be {state}; log: {}", self.log().display()), PATIENCE, || {
            last = self.get(&path).1;
            let states = states(&last);
            assert!(!states.iter().any(|s| s == "FAILED"), "{last:#}\n{}", self.log_text());
            (states.len() > 1 && states.iter().all(|s| s == state)).then_some(())
        });
    }

    /// Waits until a task of a connector has failed; its trace.
    pub(crate) fn await_failure(&self, connector: &str) -> String {
        let path = format!("/connectors/{connector}/status");
        wait_until(&format!("a task of {connector} to fail; log: {}", self.log().display()), PATIENCE, || {
            let status = self.get(&path).1;
            let failed = status["tasks"].as_array()?.iter().find(|task| task["state"] == "FAILED")?;
            Some(failed["trace"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Waits until a connector has committed every record of `topic`: then all of them are in files that readers see. The number of
    /// records in each partition has to be a multiple of `flush.size`.
    pub(crate) fn await_landed(&self, broker: &Broker, connector: &str, topic: &str) {
        let (group, ends) = (format!("connect-{connector}"), broker.end_offsets(topic));
        let path = format!("/connectors/{connector}/status");
        wait_until(&format!("{connector} to land {topic}; log: {}", self.log().display()), secs(180), || {
            let status = self.get(&path).1;
            assert!(!status.to_string().contains("\"FAILED\""), "{status:#}\n{}", self.log_text());
            sleep(Duration::from_millis(200));
            (broker.committed(&group, topic) == ends).then_some(())
        });
    }

    /// A figure of `/metrics`, summed over its labels; nought when it is not there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metrics(name).iter().sum()
    }

    /// A figure of `/metrics` with each of its labels.
    pub(crate) fn metrics(&self, name: &str) -> Vec<f64> {
        let (_, text) = self.get("/metrics");
        let lines = text.as_str().unwrap_or_default().lines();
        let values = lines.filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
        });
        values.collect()
    }
}

/// Properties by which connectors may talk to this machine and have files in the folder of temporary ones.
pub(crate) fn allowed() -> [(String, String); 2] {
    let paths = format!("worker,{}", std::env::temp_dir().display());
    [("landfall.allowed.paths", paths), ("landfall.allowed.hosts", "azure,worker,127.0.0.1,localhost".to_owned())]
        .map(|(key, value)| (key.to_owned(), value))
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that is stopped or busy has shown enough.
        if self.is_ours && self.process.is_some() && !std::thread::panicking() {
            let quick = self.agent.get(self.url("/metrics")).config().timeout_global(Some(Duration::from_millis(500))).build();
            if let Ok(text) = quick.call().and_then(|mut metrics| metrics.body_mut().read_to_string()) {
                secrets::check("the metrics", &text);
            }
        }
    }
}

pub(crate) fn landfall(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("standalone").arg(properties);
    command
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn send(request: ureq::RequestBuilder<ureq::typestate::WithBody>, body: &Value) -> (u16, Value) {
    answer(if body.is_null() { request.send_empty() } else { request.send_json(body) })
}

/// Status and body: JSON if it is that, null if there is none, else its text.
fn answer(answer: Answer) -> (u16, Value) {
    let mut answer = answer.expect("an answer from the worker");
    let text = answer.body_mut().read_to_string().expect("a body of text");
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    (answer.status().as_u16(), body)
}
