//! A worker as its REST API shows it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::Connectors;

/// How long one answer may take; Java gives up after 90 seconds.
const ANSWER: Duration = Duration::from_secs(100);
/// How long a cluster may be busy with itself.
const REBALANCE: Duration = Duration::from_secs(120);

/// How long a worker may take to learn which Kafka cluster it works with.
const BROKERS: Duration = Duration::from_secs(15);

/// A worker. Prints as its URL.
pub(super) struct Worker {
    /// Without credentials and without a slash at its end.
    url: String,
    authorization: Option<String>,
    agent: Agent,
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
}

impl Worker {
    /// The worker that `argument` names by `url`; `user` is `name:password`.
    pub(super) fn new(argument: &str, url: &str, user: Option<&str>) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{argument}: no URL with http or https"))?;
        let (own, host) = rest.rsplit_once('@').map_or((None, rest), |(own, host)| (Some(own), host));
        let url = format!("{scheme}://{}", host.trim_end_matches('/'));
        let parsed = url.parse::<ureq::http::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        if !matches!(scheme, "http" | "https") || parsed.is_none() {
            return Err(format!("{argument}: no URL with http or https: {url}"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).unversioned_rustls_crypto_provider(provider);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(ANSWER))
            .tls_config(tls.build())
            .build();
        let authorization = own.or(user).map(|user| format!("Basic {}", BASE64_STANDARD.encode(user)));
        Ok(Self { url, authorization, agent: agent.into(), landfall: OnceLock::new() })
    }

    /// The answer's body; null if it has none.
    fn ask_once(&self, ask: Ask<'_>, path: &str) -> Result<Value, Failure> {
        let method = match ask {
            Ask::Get => "GET",
            Ask::Delete => "DELETE",
            Ask::Put(_) => "PUT",
            Ask::Post(_) => "POST",
        };
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("Accept", "application/json").header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let away = |why: String| Failure::Away(format!("{self} does not answer {method} {path}: {why}"));
        let answer = match ask {
            Ask::Put(body) | Ask::Post(body) => {
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
        let begun = Instant::now();
        loop {
            match self.ask_once(ask, path) {
                Err(Failure::Refused(409, why)) if !why.contains("already exists") && begun.elapsed() < REBALANCE => {
                    sleep(Duration::from_millis(500));
                }
                answered => return answered,
            }
        }
    }

    /// The same, with the worker in the error.
    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Ask::Get, path).map_err(|failure| match failure {
            Failure::Refused(401 | 403, why) => format!("{self} refuses the credentials (--user): {why}"),
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
        match self.get("/connectors?expand=info&expand=status")? {
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

    /// Whether all of it, and at least one task, is in `state`.
    pub(super) fn all(&self, state: &str) -> bool {
        self.connector == state && !self.tasks.is_empty() && self.tasks.iter().all(|task| task == state)
    }
}
