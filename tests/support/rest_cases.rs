//! Cases of the REST API: requests as data, what a worker answers to them in turn, and what to wait for in between.

pub(crate) mod answer;
pub(crate) mod http;
pub(crate) mod scenario;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::answer::Answer;
use self::http::{Connection, Reply};
use self::scenario::{Step, Wait};
use super::secs;

/// The folder of the cases: `scenarios` has the requests, `answers` what Java's worker answered.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rest")
}

/// A worker that is asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its address, `http://host:port`.
    pub(crate) base: String,
    /// The file that the sinks of the cases write; it stands as `<file>` in requests and answers.
    pub(crate) file: PathBuf,
    /// How long to wait for what a request brings about.
    pub(crate) patience: Duration,
}

/// What a request may be told while a cluster settles; it is made again then.
const SETTLING: [&str; 4] = ["stale configuration", "rebalance", "no known leader", "conflicting operation"];
/// By when it has settled: Java answers some requests so for ever.
const SETTLED: Duration = secs(10);
/// How long a condition has to hold before it counts: what happened before may still be on its way.
const HOLD: Duration = Duration::from_millis(100);

impl Asked {
    /// Makes the request of `step`, and waits for what it brings about unless it was refused.
    pub(crate) fn ask(&self, step: &Step) -> Answer {
        let start = Instant::now();
        let mut reply = self.send(step);
        while start.elapsed() < SETTLED && reply.status == 409 && SETTLING.iter().any(|words| reply.text().contains(words)) {
            sleep(Duration::from_millis(100));
            reply = self.send(step);
        }
        let mut answer = Answer::of(step, &reply, self);
        if !(400..500).contains(&reply.status)
            && let Some(wait) = step.then.iter().find(|wait| !self.wait(wait))
        {
            answer.0["then"] = format!("waited in vain for {wait:?}").into();
        }
        answer
    }

    fn send(&self, step: &Step) -> Reply {
        Connection::to(&self.base).send(
            &step.method,
            &step.path,
            &step.headers,
            step.body.as_ref().map(|b| self.body(b)).as_deref(),
        )
    }

    fn body(&self, body: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(body) {
            Ok(text) => text.replace("<file>", &self.file.display().to_string()).into_bytes(),
            Err(_) => body.to_vec(),
        }
    }

    fn wait(&self, wait: &Wait) -> bool {
        let hold = wait.hold().max(HOLD);
        let start = Instant::now();
        let mut since = None;
        while start.elapsed() < self.patience + hold {
            if wait.holds(|path| self.get(path)) {
                if since.get_or_insert_with(Instant::now).elapsed() >= hold {
                    return true;
                }
            } else {
                since = None;
            }
            sleep(Duration::from_millis(20));
        }
        false
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let reply = Connection::to(&self.base).send("GET", path, &[], None);
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
    }
}
