//! A herder for tests: its tasks report what they are asked for and do nothing.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use landfall_api::Properties;

use super::{Herder, Running, Starter};
use crate::config::WorkerConfig;
use crate::plugins::tests::FAKE;
use crate::task::{TaskEvent, TaskSpec};

/// A task that runs at once. With `test.fail` in its properties it fails with that trace, with `test.slow` it ends after as
/// many milliseconds, with `test.used` it has had records of these topics.
struct FakeTask(TaskSpec);

impl FakeTask {
    fn report(&self, event: TaskEvent) {
        (self.0.report)(&self.0.id, event);
    }
}

impl Running for FakeTask {
    fn pause(&self) {
        self.report(TaskEvent::Paused);
    }
    fn resume(&self) {
        self.report(TaskEvent::Running);
    }
    fn stop(&self) {}
    fn join(&mut self, timeout: Duration) -> bool {
        let slow = self.0.properties.get("test.slow").and_then(|ms| ms.parse().ok()).unwrap_or(0);
        let slow = Duration::from_millis(slow);
        sleep(slow.min(timeout));
        self.report(TaskEvent::Stopped);
        slow <= timeout
    }
}

fn starter() -> Starter {
    Arc::new(|spec: TaskSpec| {
        let task = FakeTask(spec);
        if let (Some(used), Some(topics)) = (&task.0.used, task.0.properties.get("test.used")) {
            topics.split(',').for_each(|topic| used(&task.0.id, topic));
        }
        match task.0.properties.get("test.fail") {
            Some(trace) => task.report(TaskEvent::Failed(trace.clone())),
            None if task.0.paused => task.report(TaskEvent::Paused),
            None => task.report(TaskEvent::Running),
        }
        Box::new(task)
    })
}

/// The herder of a worker with these extra properties.
pub(crate) fn herder(extra: &[(&str, &str)]) -> Herder {
    let converter = "org.apache.kafka.connect.storage.StringConverter";
    let base = [
        ("bootstrap.servers", "localhost:1"),
        ("key.converter", converter),
        ("value.converter", converter),
        ("offset.storage.file.filename", "unused"),
        ("task.shutdown.graceful.timeout.ms", "300"),
    ];
    let given: Properties = base.iter().chain(extra).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let worker = WorkerConfig::parse(&given).expect("valid");
    Herder::standalone(FAKE, worker, "worker:8083".into(), starter()).expect("started")
}

/// The herder of a worker that remembers in `file`.
pub(crate) async fn remembering(file: &Path) -> Herder {
    let herder = herder(&[("landfall.state.file", file.to_str().expect("a path in UTF-8"))]);
    herder.restore().await;
    herder
}
