//! Many connectors in one worker of a cluster: what they cost when they have nothing to do.

use std::time::Instant;

use serde_json::json;

use crate::support::broker::Broker;
use crate::support::cluster::{Cluster, Kind};
use crate::support::process::memory_mb;
use crate::support::{secs, wait_until};

/// Creates so many connectors with so many tasks each, which have nothing to do, and tells what they cost: nothing that a test could hold
/// a noisy machine to.
pub(crate) fn connectors(count: usize, tasks: usize) -> String {
    let broker = Broker::shared();
    broker.create_topic("many", 1);
    let mut cluster = Cluster::new(broker, "many", &[("offset.flush.interval.ms", "60000")]);
    cluster.start(&[Kind::Landfall]);
    let member = &cluster.members[0];
    let process = member.worker.process();
    let figure = |name| memory_mb(&process.pid().to_string(), name);
    let (threads, rss) = (threads(process.pid()), figure("VmRSS"));
    let folder = tempfile::tempdir().expect("a folder");
    let converter = "org.apache.kafka.connect.storage.StringConverter";
    let began = Instant::now();
    for n in 0..count {
        let config = json!({
            "connector.class": "FileStreamSink", "topics": "many", "tasks.max": tasks.to_string(),
            "file": folder.path().join(n.to_string()), "key.converter": converter, "value.converter": converter,
        });
        let created = json!({"name": format!("many-{n}"), "config": config});
        let (status, answer) = member.ask("create", |worker| worker.post("/connectors", &created));
        assert_eq!(status, 201, "{answer}");
    }
    let list = || member.worker.get("/connectors?expand=status&expand=info").1;
    wait_until("all tasks to run", secs(600), || {
        let all = list();
        let running = |connector: &serde_json::Value| {
            let states = connector["status"]["tasks"].as_array().expect("tasks");
            states.len() == tasks && states.iter().all(|task| task["state"] == "RUNNING")
        };
        let all = all.as_object().expect("an object");
        (all.len() == count && all.values().all(running)).then_some(())
    });
    let started = began.elapsed();
    let mut times: Vec<_> = (0..20)
        .map(|_| {
            let began = Instant::now();
            list();
            began.elapsed()
        })
        .collect();
    times.sort();
    let (cpu, idle) = (process.cpu_seconds(), Instant::now());
    std::thread::sleep(secs(20));
    let cpu = (process.cpu_seconds() - cpu) / idle.elapsed().as_secs_f64();
    let all = (count * tasks) as f64;
    format!(
        "{count} connectors with {tasks} tasks each: running after {:.1} s; list with status and info {} ms (median of 20), {} ms at worst; \
         {:.2} threads and {:.2} MiB a task; {:.1}% of a core when idle",
        started.as_secs_f64(),
        times[10].as_millis(),
        times[19].as_millis(),
        (self::threads(process.pid()) - threads) / all,
        (figure("VmRSS") - rss) / all,
        cpu * 100.0
    )
}

fn threads(pid: u32) -> f64 {
    std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process").count() as f64
}
