//! A worker with nothing to do costs next to nothing.

use std::thread::sleep;

use crate::support::broker::Broker;
use crate::support::process::memory_mb;
use crate::support::secs;
use crate::support::worker::Worker;

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
