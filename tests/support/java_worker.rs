//! A real Java worker (`ConnectStandalone` of Apache Kafka): what Landfall is compared with.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::broker::{Broker, java};
use super::worker::Worker;
use super::{secs, wait_until};

/// The one Java worker that all tests of a binary share, on the shared broker, with the properties of [`Worker::start`]; it has the
/// classes of connect-file, connect-json and connect-runtime. Its clock is in UTC. Use connector names of your own. It ends with the
/// process.
pub(crate) fn shared() -> &'static Worker {
    static SHARED: OnceLock<Worker> = OnceLock::new();
    SHARED.get_or_init(|| start(&[]))
}

/// A Java worker of one's own, with `properties` on top. It ends when it is dropped.
pub(crate) fn start(properties: &[(&str, &str)]) -> Worker {
    let properties = [&[("plugin.discovery", "service_load")][..], properties].concat();
    let mut worker = Worker::of(program, &Broker::shared().bootstrap(), &properties);
    worker.start_again();
    // Its root resource answers before the others do.
    wait_until("the Java worker to be healthy", secs(60), || (worker.get("/health").0 == 200).then_some(()));
    worker
}

fn program(properties: &Path) -> Command {
    let mut java = java("java-worker", "256m", "org.apache.kafka.connect.cli.ConnectStandalone");
    java.arg(properties);
    java
}
