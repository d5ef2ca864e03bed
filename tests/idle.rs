//! What a worker without connectors takes: time until it answers, and memory.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::broker::Broker;
use crate::support::process::memory_mb;
use crate::support::worker::Worker;
use crate::support::{free_port, secs};

/// What an idle worker may have, its program included.
const LIMIT_MB: f64 = 40.0;
/// From the start of the program to an answer of REST.
const LIMIT: Duration = Duration::from_millis(500);
/// Starts, of which the fastest counts: others may use the machine.
const STARTS: usize = 5;

#[test]
fn an_idle_worker_is_small_and_quiet() {
    let worker = Worker::start(&Broker::shared().bootstrap(), &[]);
    let before = worker.process().cpu_seconds();
    sleep(secs(3));
    let used = worker.process().cpu_seconds() - before;
    // Without the pages of the program itself, of which a build for tests has twice as many.
    let memory = memory_mb(&worker.process().pid().to_string(), "RssAnon");
    assert!(memory < 20.0, "{memory:.0} MB");
    assert!(used < 0.1, "{used} seconds of CPU time in three");
}

/// Starts workers with a broker and without one, and looks at them a while later; says what they took.
pub(crate) fn workers() -> String {
    let nobody = format!("127.0.0.1:{}", free_port());
    let looked = [("a broker", Broker::shared().bootstrap()), ("no broker", nobody)].map(|(with, bootstrap)| {
        let start = || {
            let mut worker = Worker::stopped(&bootstrap, &[]);
            let begun = Instant::now();
            worker.start_again();
            (begun.elapsed(), worker)
        };
        let (fastest, worker) = (0..STARTS).map(|_| start()).min_by_key(|(took, _)| *took).expect("starts");
        sleep(secs(10));
        let rss = memory_mb(&worker.process().pid().to_string(), "VmRSS");
        assert!(fastest < LIMIT, "with {with} REST answered after {fastest:?}");
        assert!(rss < LIMIT_MB, "with {with} an idle worker has {rss:.1} MB");
        format!("with {with}: REST after {} ms, {rss:.1} MB idle", fastest.as_millis())
    });
    looked.join("; ")
}
