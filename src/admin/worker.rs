//! A worker as its REST API shows it, Java's or ours, and how it lets one in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use landfall_api::{Faults, Properties};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;

use crate::herder::TargetState;
use crate::tls::Stores;

/// How long one answer may take; Java gives up after 90 seconds.
const ANSWER: Duration = Duration::from_secs(100);
/// How long a cluster may be busy with itself, unless it is said.
const REBALANCE: Duration = Duration::from_secs(120);
/// How long a worker may take to learn which Kafka cluster it works with.
const BROKERS: Duration = Duration::from_secs(15);

/// How the REST API lets one in.
#[derive(Clone, Default, Args)]
pub(super) struct Access {
    /// User and password of the REST API, or a file that has them. Those of a URL count before it.
    #[arg(
        long,
        global = true,
        value_name = "USER:PASSWORD|@FILE",
        help_heading = "Access",
        env = "LANDFALL_USER",
        hide_env_values = true
    )]
    user: Option<String>,
    /// A bearer token for the REST API, or a file that has one. It counts before a user.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN|@FILE",
        help_heading = "Access",
        env = "LANDFALL_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Certificates (PEM) of the authorities to trust for https. Default: those of the system.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Access", env = "LANDFALL_CA")]
    ca: Option<PathBuf>,
    /// A certificate (PEM) to show for https, with its key in the same file.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Access", env = "LANDFALL_CERT")]
    cert: Option<PathBuf>,
}

impl fmt::Debug for Access {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("ca", &self.ca).finish_non_exhaustive()
    }
}

impl Access {
    /// The header `Authorization`.
    fn authorization(&self) -> Result<Option<String>, String> {
        if let Some(token) = &self.token {
            let token = given("--token", token)?;
            return if token.is_empty() { Err("--token: there is no token".into()) } else { Ok(Some(format!("Bearer {token}"))) };
        }
        let Some(user) = &self.user else { return Ok(None) };
        let user = given("--user", user)?;
        if user.contains(':') { Ok(Some(basic(&user))) } else { Err("--user: there is no ':' between user and password".into()) }
    }

    fn stores(&self) -> Result<Stores, String> {
        let mut keys = Properties::new();
        for (store, file) in [("truststore", &self.ca), ("keystore", &self.cert)] {
            let Some(file) = file else { continue };
            keys.insert(format!("ssl.{store}.type"), "PEM".to_owned());
            keys.insert(format!("ssl.{store}.location"), file.display().to_string());
        }
        let mut faults = Faults::default();
        let stores = Stores::read(&keys, "", &mut faults);
        let argument = |key: &str| if key.starts_with("ssl.truststore") { "--ca" } else { "--cert" };
        let faults: Vec<_> = faults.0.iter().map(|fault| format!("{}: {}", argument(&fault.key), fault.message)).collect();
        if faults.is_empty() { Ok(stores.unwrap_or_default()) } else { Err(faults.join("\n")) }
    }
}

fn basic(user: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(user))
}

/// What an argument says, or the first line of the file that it names.
fn given(name: &str, argument: &str) -> Result<String, String> {
    let text = match argument.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|e| format!("{name}: {path} cannot be read: {e}"))?,
        None => argument.to_owned(),
    };
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Where a cluster lists its connectors with what they are and what they are doing.
pub(super) const EXPANDED: &str = "/connectors?expand=info&expand=status";

/// The connectors of a cluster as it lists them: name, and what `expand=info` and `expand=status` say.
pub(super) type Connectors = BTreeMap<String, Value>;

/// A worker. Prints as its URL.
pub(super) struct Worker {
    /// Without credentials and without a slash at its end.
    url: String,
    authorization: Option<String>,
    agent: Agent,
    /// How long a cluster may be busy with itself.
    patience: Duration,
    /// Its version, if it is one of ours: its answers say so.
    landfall: OnceLock<String>,
}

/// What a worker says of itself.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) version: String,
    /// The same for people.
    pub(super) shown: String,
    pub(super) kafka_cluster_id: Option<String>,
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no answer.
    Away(String),
    /// Status and message.
    Refused(u16, String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => f.write_str(why),
            Self::Refused(status, message) => write!(f, "{status}: {message}"),
        }
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'a> {
    Get,
    Delete,
    Put(&'a Value),
    Post(&'a Value),
    Patch(&'a Value),
}

impl Worker {
    /// The worker that `argument` names by `url`.
    pub(super) fn new(argument: &str, url: &str, access: &Access) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{argument}: no URL with http or https"))?;
        let (own, host) = rest.rsplit_once('@').map_or((None, rest), |(own, host)| (Some(own), host));
        let url = format!("{scheme}://{}", host.trim_end_matches('/'));
        let parsed = url.parse::<ureq::http::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        if !matches!(scheme, "http" | "https") || parsed.is_none() {
            return Err(format!("{argument}: no URL with http or https: {url}"));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(ANSWER))
            .tls_config(access.stores()?.http())
            .build();
        let authorization = own.map_or_else(|| access.authorization(), |own| Ok(Some(basic(own))))?;
        Ok(Self { url, authorization, agent: agent.into(), patience: REBALANCE, landfall: OnceLock::new() })
    }

    /// The same, which is asked again for so long while its cluster is busy with itself.
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The answer's body; null if it has none.
    fn ask_once(&self, ask: Ask<'_>, path: &str) -> Result<Value, Failure> {
        let method = match ask {
            Ask::Get => "GET",
            Ask::Delete => "DELETE",
            Ask::Put(_) => "PUT",
            Ask::Post(_) => "POST",
            Ask::Patch(_) => "PATCH",
        };
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("Accept", "application/json").header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let away = |why: String| Failure::Away(format!("{self} does not answer {method} {path}: {why}"));
        let answer = match ask {
            Ask::Put(body) | Ask::Post(body) | Ask::Patch(body) => {
                let body = if body.is_null() { String::new() } else { body.to_string() };
                self.agent.run(request.body(body).map_err(|e| away(e.to_string()))?)
            }
            Ask::Get | Ask::Delete => self.agent.run(request.body(()).map_err(|e| away(e.to_string()))?),
        };
        let mut answer = answer.map_err(|e| away(e.to_string()))?;
        let status = answer.status().as_u16();
        if let Some(version) = answer.headers().get("landfall-version").and_then(|version| version.to_str().ok()) {
            let _ = self.landfall.set(version.to_owned());
        }
        let text = answer.body_mut().with_config().limit(256 << 20).read_to_string().map_err(|e| away(e.to_string()))?;
        let body = serde_json::from_str::<Value>(&text).ok();
        if (200..300).contains(&status) {
            return match body {
                None if !text.is_empty() => Err(away("its answer is no JSON, is it a Connect worker?".into())),
                body => Ok(body.unwrap_or_default()),
            };
        }
        let message =
            body.as_ref().and_then(|body| body["message"].as_str()).map_or_else(|| text.trim().to_owned(), str::to_owned);
        Err(Failure::Refused(status, message))
    }

    /// The answer's body. A cluster that rebalances is asked again.
    pub(super) fn ask(&self, ask: Ask<'_>, path: &str) -> Result<Value, Failure> {
        let (begun, mut told) = (Instant::now(), false);
        loop {
            match self.ask_once(ask, path) {
                Err(Failure::Refused(409, why)) if !why.contains("already exists") && begun.elapsed() < self.patience => {
                    if !told && begun.elapsed() > Duration::from_secs(5) {
                        tracing::warn!("{self} asks to wait, and is asked again for {} s: {why}", self.patience.as_secs());
                        told = true;
                    }
                    sleep(Duration::from_millis(500));
                }
                answered => return answered,
            }
        }
    }

    /// The same, with the worker in the error.
    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Ask::Get, path).map_err(|failure| match failure {
            Failure::Refused(401 | 403, why) => format!("{self} refuses the credentials (--user, --token): {why}"),
            Failure::Refused(status, why) => format!("{self} answers GET {path} with {status}: {why}"),
            Failure::Away(why) => why,
        })
    }

    /// Whether it is one of ours.
    pub(super) fn is_landfall(&self) -> bool {
        self.landfall.get().is_some()
    }

    /// What it says of itself. A worker that has just started is given time to learn of its brokers.
    pub(super) fn root(&self) -> Result<Root, String> {
        let begun = Instant::now();
        loop {
            let root = self.get("/")?;
            let text = |field: &str| root[field].as_str().map(str::to_owned);
            let version = text("version").ok_or_else(|| format!("{self} is no Connect worker"))?;
            let shown = self.landfall.get().map_or_else(|| version.clone(), |own| format!("{version}, landfall {own}"));
            let kafka_cluster_id = text("kafka_cluster_id");
            if kafka_cluster_id.is_some() || begun.elapsed() > BROKERS {
                return Ok(Root { version, shown, kafka_cluster_id });
            }
            sleep(Duration::from_millis(200));
        }
    }

    pub(super) fn connectors(&self) -> Result<Connectors, String> {
        self.listed(self.get(EXPANDED)?)
    }

    /// The answer to [`EXPANDED`].
    pub(super) fn listed(&self, answer: Value) -> Result<Connectors, String> {
        match answer {
            Value::Object(all) => Ok(all.into_iter().collect()),
            _ => Err(format!("{self} is older than Kafka 2.3 and does not say what its connectors are doing")),
        }
    }

    /// The state of a connector and of its tasks; None if there is none.
    pub(super) fn status(&self, name: &str) -> Result<Option<Status>, Failure> {
        match self.ask(Ask::Get, &format!("{}/status", path_of(name))) {
            Ok(status) => Ok(Some(Status::of(&status))),
            Err(Failure::Refused(404, _)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// A state as `initial_state` names it.
pub(super) const fn initial_state(target: TargetState) -> &'static str {
    match target {
        TargetState::Started => "RUNNING",
        TargetState::Paused => "PAUSED",
        TargetState::Stopped => "STOPPED",
    }
}

/// The path of a connector.
pub(super) fn path_of(name: &str) -> String {
    format!("/connectors/{}", encoded(name))
}

/// `text` as one part of a path.
pub(super) fn encoded(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'$');
    utf8_percent_encode(text, &KEPT).to_string()
}

/// What a connector and its tasks are doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) connector: String,
    pub(super) tasks: Vec<String>,
    /// Why something of it has failed.
    pub(super) trace: Option<String>,
}

impl Status {
    pub(super) fn of(status: &Value) -> Self {
        let text = |part: &Value, field: &str| part[field].as_str().map(str::to_owned);
        let tasks: Vec<&Value> = status["tasks"].as_array().into_iter().flatten().collect();
        let trace = std::iter::once(&status["connector"]).chain(tasks.iter().copied()).find_map(|part| {
            let failed = part["state"] == "FAILED";
            let trace = text(part, "trace").unwrap_or_default();
            failed.then(|| trace.lines().next().unwrap_or_default().to_owned())
        });
        Self {
            connector: text(&status["connector"], "state").unwrap_or_default(),
            tasks: tasks.into_iter().filter_map(|task| text(task, "state")).collect(),
            trace,
        }
    }

    /// `3 tasks: 2 RUNNING, 1 FAILED`.
    pub(super) fn of_tasks(&self) -> String {
        let mut states: Vec<_> = self.tasks.iter().map(String::as_str).collect();
        states.sort_unstable();
        states.dedup();
        let counted = states.iter().map(|state| {
            let number = self.tasks.iter().filter(|task| task == state).count();
            format!("{number} {state}")
        });
        let counted = counted.collect::<Vec<_>>().join(", ");
        let tasks = super::count(self.tasks.len(), "task");
        if counted.is_empty() { tasks } else { format!("{tasks}: {counted}") }
    }

    /// Whether it is stopped, and has no task that has not ended.
    pub(super) fn is_stopped(&self) -> bool {
        self.connector == "STOPPED" && self.tasks.iter().all(|task| task == "UNASSIGNED")
    }

    /// Whether all of it, and at least one task, is in `state`.
    pub(super) fn all(&self, state: &str) -> bool {
        self.connector == state && !self.tasks.is_empty() && self.tasks.iter().all(|task| task == state)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(url: &str, access: &Access) -> Result<Worker, String> {
        Worker::new("--from", url, access)
    }

    #[test]
    fn credentials_are_sent_and_never_printed() {
        let worker = of("http://ann:pssst@localhost:8083/", &Access::default()).expect("a URL");
        assert_eq!(worker.to_string(), "http://localhost:8083");
        for bad in ["localhost:8083", "ftp://a", "http://"] {
            let error = of(bad, &Access::default()).err().expect("no URL");
            assert!(error.starts_with("--from: no URL with http or https"), "{error}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("user");
        std::fs::write(&file, "ann:p:w\nmore\n").expect("written");
        let in_file = Some(format!("@{}", file.display()));
        let user = Access { user: in_file.clone(), ..Access::default() };
        assert_eq!(user.authorization(), Ok(Some(basic("ann:p:w"))));
        let both = Access { token: in_file, ..user };
        assert_eq!(both.authorization(), Ok(Some("Bearer ann:p:w".to_owned())));
        assert!(!format!("{both:?}").contains("ann"));
        let none = Access { user: Some("ann".to_owned()), ..Access::default() };
        assert!(none.authorization().is_err_and(|error| !error.contains("ann")));
        let none = Access { ca: Some("/none.pem".into()), ..Access::default() };
        assert!(none.stores().is_err_and(|error| error.starts_with("--ca: ") && error.contains("/none.pem")));
    }

    #[test]
    fn names_and_states_are_read() {
        assert_eq!(path_of("a b/ä?"), "/connectors/a%20b%2F%C3%A4%3F");
        assert_eq!(encoded("a.B$C-d_e"), "a.B$C-d_e");
        let status = Status::of(&json!({
            "connector": {"state": "RUNNING"},
            "tasks": [{"state": "RUNNING"}, {"state": "FAILED", "trace": "because\n\tat x"}, {"state": "RUNNING"}],
        }));
        assert_eq!((status.of_tasks().as_str(), status.trace.as_deref()), ("3 tasks: 1 FAILED, 2 RUNNING", Some("because")));
        assert!(!status.all("RUNNING"));
    }
}
