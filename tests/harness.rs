//! The harness itself: without it nothing else here means anything.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::java_worker;
use crate::support::read;
use crate::support::records::{FIELDS, Orders};
use crate::support::store::Store;
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

#[test]
fn the_broker_takes_records() {
    let broker = Broker::shared();
    broker.create_topic("harness", 2);
    let record = |n: i64| Record {
        headers: vec![("n".into(), n.to_string().into())],
        timestamp: Some(n),
        ..Record::value(n.to_string()).key("k")
    };
    broker.produce("harness", 1, (0..10).map(record));
    assert_eq!(broker.end_offsets("harness"), [(0, 0), (1, 10)].into());
    assert_eq!(broker.committed("nobody", "harness"), [].into());
    broker.grow_topic("harness", 3);
}

#[test]
fn a_private_broker_keeps_its_records_over_a_stop() {
    let mut broker = Broker::private();
    broker.create_topic("kept", 1);
    broker.produce("kept", 0, [Record::value("once")]);
    broker.stop();
    broker.start();
    assert_eq!(broker.end_offsets("kept"), [(0, 1)].into());
}

#[test]
fn the_worker_names_the_brokers_cluster() {
    let worker = Worker::start(&Broker::shared().bootstrap(), &[]);
    let id = wait_until("the cluster's id", secs(30), || worker.get("/").1["kafka_cluster_id"].as_str().map(str::to_owned));
    assert_eq!(id, "bGFuZGZhbGwtdGVzdC1pdA");
}

#[test]
fn the_java_worker_answers() {
    let (status, root) = java_worker::shared().get("/");
    assert_eq!((status, root["kafka_cluster_id"].as_str()), (200, Some("bGFuZGZhbGwtdGVzdC1pdA")));
}

#[test]
fn python_reads_what_was_written() {
    let folder = TempDir::new().unwrap();
    let ids = Int64Array::from(vec![1, 2, 2]);
    let names = StringArray::from(vec![Some("a"), None, Some("c")]);
    let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("name", Arc::new(names) as _)]).unwrap();
    let path = folder.path().join("topics/t/partition=0/t+0+0000000000.snappy.parquet");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    for (reader, integer, text) in [("duckdb", "BIGINT", "VARCHAR"), ("pyarrow", "int64", "string")] {
        let seen = read::seen_by(reader, folder.path(), "id");
        assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (3, 2, 1, 2), "{reader}");
        assert_eq!(seen.types, [("id".into(), integer.into()), ("name".into(), text.into())], "{reader}");
    }
    assert_eq!(read::integers(&path, "id"), [1, 2, 2]);
    assert_eq!(read::strings(&path, "name"), ["a", "c"]);
    assert_eq!(read::tiled(folder.path(), "topics", "t"), [(0, 3)].into());
}

#[test]
fn orders_are_the_same_for_the_same_seed() {
    let plain: Vec<String> = Orders::schemaless(1).take(100).collect();
    assert_eq!(plain, Orders::schemaless(1).take(100).collect::<Vec<_>>());
    for (n, (event, with_schema)) in plain.iter().zip(Orders::with_schema(1)).enumerate() {
        let (event, with_schema): (Value, Value) =
            (serde_json::from_str(event).unwrap(), serde_json::from_str(&with_schema).unwrap());
        assert_eq!(event["id"], n);
        assert_eq!(event, with_schema["payload"]);
        assert!(event.as_object().unwrap().keys().eq(FIELDS.map(|(name, ..)| name)));
        assert_eq!(with_schema["schema"]["fields"].as_array().unwrap().len(), FIELDS.len());
    }
}

#[test]
fn blobs_of_azurite_are_read_back() {
    let store = Store::azurite();
    assert_eq!(store.files("t"), [""; 0].map(std::path::PathBuf::from));
}
