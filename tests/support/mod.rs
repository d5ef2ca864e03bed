//! What the tests stand on: a real broker, the real binary, the Java worker, and readers of what it lands.

pub(crate) mod apicurio;
pub(crate) mod azure_registry;
pub(crate) mod azure_service;
pub(crate) mod azurite;
pub(crate) mod broker;
pub(crate) mod certificates;
pub(crate) mod cluster;
pub(crate) mod entra;
pub(crate) mod event_hubs;
pub(crate) mod java_worker;
pub(crate) mod key_vault;
pub(crate) mod kubernetes;
pub(crate) mod once;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod read;
pub(crate) mod records;
#[expect(dead_code, reason = "unit tests use it too, and more of it")]
pub(crate) mod registry;
pub(crate) mod rest_cases;
pub(crate) mod secrets;
pub(crate) mod soak;
pub(crate) mod store;
pub(crate) mod worker;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use landfall_api::{Opened, Opening, SinkTask, TopicPartition};

/// Calls `f` until it gives something, and panics with `what` when it does not within `timeout`.
pub(crate) fn wait_until<T>(what: &str, timeout: Duration, mut f: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = f() {
            return found;
        }
        assert!(start.elapsed() < timeout, "waited {timeout:?} in vain for {what}");
        sleep(Duration::from_millis(50));
    }
}

/// Tells the other threads of a test to end when it is dropped, also by a panic: a scope waits for its threads.
pub(crate) struct Stop<'a>(pub(crate) &'a [&'a AtomicBool]);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|stop| stop.store(true, Ordering::Relaxed));
    }
}

/// Seconds, for timeouts.
pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A file or folder that `make setup` has brought in.
pub(crate) fn cache(part: &str) -> PathBuf {
    let root = std::env::var_os("LANDFALL_TEST_CACHE").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/landfall"));
    let path = root.join(part);
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}

/// The sources of what is shipped, without their tests: names below the repository, and texts.
pub(crate) fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("connectors")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.strip_prefix(root).expect("below").display().to_string();
            if entry.is_dir() {
                folders.push(entry);
            } else if name.ends_with(".rs") && !name.contains("/tests") {
                let text = fs::read_to_string(&entry).expect("a source");
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                sources.push((name, text));
            }
        }
    }
    assert!(sources.len() > 200, "{} sources", sources.len());
    sources
}

/// A port of the loopback address that was free a moment ago, never the same one twice.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return port;
        }
    }
}

/// Opens a partition that the group has no offset of.
pub(crate) fn opened(task: &mut dyn SinkTask, partition: &TopicPartition) -> Opened {
    let ask = || task.open(partition, &Opening::default()).expect("asked");
    wait_until("the partition to open", secs(20), ask)
}
