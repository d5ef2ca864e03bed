//! How large files get, and how many there are, does not show in the worker's memory beyond its budget.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::process::memory_mb;
use crate::support::read::{files, integers, row_count, seen_by};
use crate::support::records::{Orders, Random};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

/// Characters of the text in each record.
const TEXT: usize = 10_000;
/// What a worker may have while it lands, its program included.
pub(crate) const LIMIT_MB: f64 = 300.0;

/// Lands one file of about `megabytes` of text that does not compress, and looks at the memory of the worker.
pub(crate) fn one_file_of(megabytes: usize) {
    let (broker, topic, connector) = (Broker::shared(), "one-file", "one-file");
    broker.create_topic(topic, 1);
    let mut random = Random::new(5);
    let letters: Vec<u8> = (0..1_000_000).map(|_| b'a' + u8::try_from(random.below(26)).unwrap()).collect();
    let letters = String::from_utf8(letters).unwrap();
    let records = megabytes * 1_000_000 / TEXT;
    let mut record = |id| {
        let from = usize::try_from(random.below((letters.len() - TEXT) as u64)).unwrap();
        Record::value(format!(r#"{{"id":{id},"text":"{}"}}"#, &letters[from..from + TEXT]))
    };
    broker.produce(topic, 0, (0..records).map(&mut record));

    let store = Store::directory();
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, records);
    with(&mut config, &json!({"parquet.codec": "none"}));
    worker.create(connector, &config);
    worker.await_landed(broker, connector, topic);

    let peak = worker.process().peak_rss_mb();
    let landed = files(&store.folder(topic));
    assert_eq!(landed.len(), 1, "{landed:?}");
    let file = store.folder(topic).join(&landed[0]);
    assert_eq!(row_count(&file), i64::try_from(records).unwrap());
    let size = file.metadata().unwrap().len();
    assert!(size > (megabytes * 1_000_000) as u64, "a file of {size} bytes");
    assert!(peak < LIMIT_MB, "{peak:.0} MB of memory for a file of {megabytes} MB");
}

/// Lands `records` records at random in files of ten times so many `folders`, all open at once, with a budget of so many MiB that does not
/// hold all of them; looks at the memory of the worker, and says it.
pub(crate) fn many_files(folders: u64, records: i64, budget: usize, limit_mb: f64) -> String {
    const PARTITIONS: u64 = 10;
    let (broker, topic) = (Broker::shared(), "many-files");
    broker.create_topic(topic, PARTITIONS as i32);
    let mut random = Random::new(11);
    let orders = Orders::schemaless(7).take(records as usize);
    let spread = orders.map(|order| {
        let value = format!(r#"{{"folder":{},{}"#, random.below(folders), &order[1..]);
        (random.below(PARTITIONS) as i32, Record::value(value))
    });
    broker.produce_all(topic, spread);

    let store = Store::directory();
    let bytes = (budget << 20).to_string();
    let properties = [("landfall.memory.bytes", &*bytes), ("task.shutdown.graceful.timeout.ms", "300000")];
    let worker = Worker::start(&broker.bootstrap(), &properties);
    let (idle_rss, idle_cpu, begun) = (worker.process().peak_rss_mb(), worker.process().cpu_seconds(), Instant::now());
    let config = json!({
        "connector.class": "io.landfall.azure.AzureDataLakeSink",
        "tasks.max": "1",
        "topics": topic,
        "store.url": format!("file://{}", store.landed().display()),
        "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
        "partition.field.name": "folder",
        "landfall.partition.schemaless": "true",
        "landfall.flush.on.stop": "true",
    });
    worker.create(topic, &config);
    let pid = worker.process().pid().to_string();
    let (mut open, mut rss, mut used) = (0.0_f64, 0.0_f64, 0.0_f64);
    wait_until(&format!("the records to be put; log: {}", worker.log().display()), secs(600), || {
        open = open.max(worker.metric("landfall_task_open_files"));
        rss = memory_mb(&pid, "VmRSS");
        used = used.max(worker.metric("landfall_worker_memory_bytes") / f64::from(1 << 20));
        (worker.metric("kafka_connect_sink_task_metrics_sink_record_send_total") as i64 == records).then_some(())
    });
    let cpu = worker.process().cpu_seconds() - idle_cpu;
    let put = format!(
        "{open} files, {:.1} s: {rss:.0} MB for {used:.0} MB, {:.1} KB a file, {cpu:.1} CPU seconds, {:.1} a million records",
        begun.elapsed().as_secs_f64(),
        (rss - idle_rss) * 1024.0 / open,
        cpu / records as f64 * 1e6
    );
    let ended = worker.metric(&format!("landfall_task_ended_files_total{{connector=\"{topic}\",task=\"0\",reason=\"memory\"}}"));
    assert_eq!(worker.put(&format!("/connectors/{topic}/stop"), &Value::Null).0, 204);
    worker.await_landed(broker, topic, topic);
    let (peak, landed) = (worker.process().peak_rss_mb(), files(&store.folder(topic)).len());
    let (cpu, seconds) = (worker.process().cpu_seconds(), begun.elapsed().as_secs_f64());
    let report = format!("{put}; {peak:.0} MB at most, {landed} files, {ended} for the memory, {cpu:.1} CPU s, {seconds:.1} s");
    let seen = seen_by("duckdb", &store.folder(topic), "id");
    assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (records, records, 0, records - 1));
    assert!(open >= (folders * PARTITIONS) as f64 * 0.9, "{open} files were open at once");
    assert!(ended > 0.0 && used < budget as f64 * 1.25, "{used:.0} MB were held, and {ended} files ended for it");
    assert!(peak < limit_mb, "{peak:.0} MB of memory");
    report
}

/// The records that a worker of 16 MiB cannot take are sent to the dead letter queue, and the others land.
pub(crate) fn too_large() {
    let (broker, topic, letters) = (Broker::shared(), "too-large", "too-large-letters");
    broker.create_topic(topic, 1);
    let record = |id: usize, text: usize| Record::value(format!(r#"{{"id":{id},"text":"{}"}}"#, "x".repeat(text)));
    broker.produce(topic, 0, [record(0, 10), record(1, 5 << 20), record(2, 3 << 20), record(3, 10)]);
    let store = Store::directory();
    let worker = Worker::start(&broker.bootstrap(), &[("landfall.memory.bytes", "16777216")]);
    worker.create("strict", &Store::directory().connector(topic, 3));
    let trace = worker.await_failure("strict");
    assert!(trace.contains("bytes, and at most a quarter of landfall.memory.bytes=16777216 is taken"), "{trace}");
    worker.delete("/connectors/strict");
    let mut config = store.connector(topic, 3);
    with(
        &mut config,
        &json!({
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "producer.override.max.request.size": "16000000",
        }),
    );
    worker.create(topic, &config);
    worker.await_landed(broker, topic, topic);
    let landed = files(&store.folder(topic));
    assert_eq!(landed.iter().map(|file| integers(&store.folder(topic).join(file), "id")).collect::<Vec<_>>(), [[0, 2, 3]]);
    assert_eq!(broker.end_offsets(letters), [(0, 1)].into());
}
