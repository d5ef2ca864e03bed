//! Java's worker with Apache Iceberg's sink, the one sink with Parquet files that Maven's central repository has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cases::Case;
use crate::compare::{PATIENCE, size};
use crate::cost::{Cost, STAGES};
use crate::decode::Wire;
use crate::shape::{Shape, avro};
use crate::support::broker::{Broker, java};
use crate::support::worker::Worker;
use crate::support::{cache, secs, wait_until};

/// How long the sink collects what it commits.
const COMMIT: Duration = secs(5);

/// The worker, with the heap and the collector that Kafka's scripts give it.
#[derive(Debug)]
pub(crate) struct Java(Worker);

impl Java {
    /// Whether it lands the case.
    pub(crate) fn takes(case: &Case) -> bool {
        matches!(case.name, "json" | "env" | "avro")
    }

    pub(crate) fn start(broker: &Broker) -> Self {
        let jars = cache("iceberg");
        let plugins = jars.to_str().expect("a path of text");
        let mut worker =
            Worker::of(program, &broker.bootstrap(), &[("plugin.discovery", "service_load"), ("plugin.path", plugins)]);
        worker.start_again();
        wait_until("Java's worker to be healthy", secs(60), || (worker.get("/health").0 == 200).then_some(()));
        Self(worker)
    }

    /// Lands a topic in a table in `folder`; what it took from the connector's creation to the commit that shows the last records.
    pub(crate) fn land(&self, broker: &Broker, case: &Case, records: usize, folder: &Path, connector: &str) -> Cost {
        let warehouse = format!("file://{}", folder.display());
        make_table(&warehouse);
        let worker = &self.0;
        let (cpu, start) = (worker.process().cpu_seconds(), Instant::now());
        worker.create(connector, &config(broker, case, &warehouse, connector));
        wait_until("all rows of Java's worker", PATIENCE, || {
            let (_, status) = worker.get(&format!("/connectors/{connector}/status"));
            assert!(!status.to_string().contains("FAILED"), "{status:#}");
            (visible(folder) >= records).then_some(())
        });
        let cost = Cost {
            cpu_seconds: worker.process().cpu_seconds() - cpu,
            peak_rss_mb: worker.process().peak_rss_mb(),
            wall_seconds: start.elapsed().as_secs_f64(),
            bytes: size(folder),
            stages: [0.0; STAGES.len()],
        };
        worker.delete(&format!("/connectors/{connector}"));
        cost
    }
}

fn program(properties: &Path) -> Command {
    let of_tests = java("java-worker", "2g", "org.apache.kafka.connect.cli.ConnectStandalone");
    let mut java = Command::new(of_tests.get_program());
    // Without what makes the JVMs of tests small.
    java.args(["-Xms256m", "-XX:+UseG1GC"]);
    let small = ["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    java.args(of_tests.get_args().filter(|argument| !small.iter().any(|small| argument == small))).arg(properties);
    java
}

fn make_table(warehouse: &str) {
    let fields = Shape::Orders.fields().into_iter().map(|field| format!("{}:{}", field.name, field.kind.name()));
    let jars = cache("iceberg").join("iceberg/*");
    let made = Command::new("java").arg("-cp").arg(jars).args(["bench.Table", warehouse]).args(fields).output().expect("java");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn config(broker: &Broker, case: &Case, warehouse: &str, connector: &str) -> Value {
    let mut config = json!({
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        "tasks.max": "1",
        "topics": case.topic.name,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "iceberg.tables": "bench.orders",
        "iceberg.catalog.type": "hadoop",
        "iceberg.catalog.warehouse": warehouse,
        "iceberg.control.topic": format!("control-{connector}"),
        "iceberg.control.commit.interval-ms": COMMIT.as_millis().to_string(),
        "iceberg.kafka.bootstrap.servers": broker.bootstrap(),
    });
    let mut set = |key: &str, value: String| config[key] = value.into();
    if case.topic.wire == Wire::Avro {
        set("value.converter", "bench.OneSchemaConverter".to_owned());
        set("value.converter.schema", avro::schema().to_string());
    } else {
        set("value.converter", "org.apache.kafka.connect.json.JsonConverter".to_owned());
        set("value.converter.schemas.enable", (case.topic.wire == Wire::Envelope).to_string());
    }
    config
}

/// The records of the table's newest snapshot.
fn visible(folder: &Path) -> usize {
    let metadata = fs::read_dir(folder.join("bench/orders/metadata")).into_iter().flatten().flatten().map(|entry| entry.path());
    let version =
        |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix('v')?.strip_suffix(".metadata.json")?.parse::<u64>().ok();
    let newest = metadata.filter_map(|path| Some((version(&path)?, path))).max();
    let records = newest.and_then(|(_, path)| {
        let table: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        table["snapshots"].as_array()?.last()?["summary"]["total-records"].as_str()?.parse().ok()
    });
    records.unwrap_or_default()
}
