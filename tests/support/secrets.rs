//! Secrets that tests make up, and that nothing a worker says may show: its log, its answers, its metrics, the topics in which statuses are.
//!
//! Every worker of [`Worker`](super::worker::Worker) has some in its properties and in the connectors that it is given. What it prints is
//! looked through when its process ends, whoever started it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What every secret of [`secret`] begins with: also those of processes that are looked through by another test's.
const MARK: &str = "pl4nted-";

static PLANTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A secret that there is once, called `name` where it is found. It has nothing that a URL, JSON or a properties file would write otherwise.
pub(crate) fn secret(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let secret = format!("{MARK}{name}-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    plant(&secret);
    secret
}

/// Has `secret` looked for from now on, as it is and in base64.
pub(crate) fn plant(secret: &str) {
    assert!(secret.len() >= 8, "{secret:?} is too short to be told from what is no secret");
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    planted.extend([secret.to_owned(), BASE64_STANDARD.encode(secret)]);
}

/// The line of `text` with a secret, if there is one.
pub(crate) fn found(text: &str) -> Option<&str> {
    let planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    // In base64 it depends on what is before it how the mark begins.
    let marks = [0, 1, 2].map(|before| {
        let encoded = BASE64_STANDARD.encode(format!("{}{MARK}", &"::"[..before]));
        encoded[4 * usize::from(before > 0)..12].to_owned()
    });
    let shows = |line: &&str| {
        line.contains(MARK)
            || marks.iter().any(|mark| line.contains(mark.as_str()))
            || planted.iter().any(|secret| line.contains(secret.as_str()))
    };
    text.lines().find(shows)
}

/// Panics if `text`, which is `what`, shows a secret.
pub(crate) fn check(what: &str, text: &str) {
    if let Some(line) = found(text)
        && !std::thread::panicking()
    {
        panic!("a secret is in {what}: {line}");
    }
}

/// Whether what `command` prints is looked through: it is a worker of ours.
pub(crate) fn is_ours(command: &Command) -> bool {
    let ours = env!("CARGO_BIN_EXE_landfall");
    command.get_program() == ours || command.get_args().any(|argument| argument == ours)
}

/// Looks through what a process of ours printed.
pub(crate) fn check_log(log: &Path) {
    let text = std::fs::read(log).unwrap_or_default();
    check(&format!("the log {}", log.display()), &String::from_utf8_lossy(&text));
}
