//! Configurations of Aiven's and Lenses' sinks land in Azure what they ask for, under the names they ask for.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::azurite::Azurite;
use crate::support::broker::{Broker, Record};
use crate::support::read::{self, python};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

const PARTITIONS: i64 = 2;
/// In each partition.
const RECORDS: i64 = 100;
const TIMESTAMP: i64 = 1_795_293_000_000;
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A topic whose records have their offset in the key and the value; half of them are of a kind each.
fn fill(topic: &str) -> &'static Broker {
    let broker = Broker::shared();
    broker.create_topic(topic, i32::try_from(PARTITIONS).unwrap());
    let record = |n: i64| {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        let value = format!(r#"{{"id":{n},"kind":"{kind}"}}"#).into_bytes();
        Record { timestamp: Some(TIMESTAMP + n), ..Record::value(value).key(format!("k{n}")) }
    };
    for partition in 0..PARTITIONS {
        broker.produce(topic, i32::try_from(partition).unwrap(), (0..RECORDS).map(record));
    }
    broker
}

fn azurite(store: &Store) -> &Azurite {
    match store {
        Store::Azurite(azurite, _) => azurite,
        Store::Directory(_) => panic!("a directory is no emulator"),
    }
}

/// The names below a folder of what has landed.
fn names(store: &Store, folder: &str) -> Vec<String> {
    let text = |path: PathBuf| path.to_str().expect("a name of text").to_owned();
    read::files(&store.landed().join(folder)).into_iter().map(text).collect()
}

/// The rows of a query over what has landed, whose folder it calls `LANDED`.
fn query(store: &Store, query: &str) -> Value {
    python("sql.py", &[&query.replace("LANDED", store.landed().to_str().expect("a path of text"))])
}

#[test]
fn a_configuration_of_aivens_sink_lands_in_azure() {
    let (broker, store, topic) = (fill("aiven"), Store::azurite(), "aiven");
    let config = |more: &Value| {
        let mut config = json!({
            "connector.class": "io.aiven.kafka.connect.azure.sink.AzureBlobSinkConnector",
            "tasks.max": "1",
            "topics": topic,
            "key.converter": STRING,
            "azure.storage.connection.string": azurite(&store).connection_string(),
            "azure.storage.container.name": azurite(&store).container(),
            // what the records leave over ends by its age
            "landfall.rotate.open.ms": "2000",
        });
        with(&mut config, more);
        config
    };
    let csv = config(&json!({
        "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "file.name.prefix": "csv/",
        "file.name.template": "{{topic}}/{{partition:padding=true}}/{{start_offset:padding=true}}-{{timestamp:unit=yyyy}}.csv.gz",
        "file.name.timestamp.source": "event",
        "file.compression.type": "gzip",
        "file.max.records": "40",
        "format.output.fields": "key,value,offset",
    }));
    let parquet = config(&json!({
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "file.name.prefix": "parquet/p-",
        "file.compression.type": "zstd",
        "file.max.records": "50",
        "format.output.type": "parquet",
        "format.output.envelope": "false",
    }));
    let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "500")]);
    worker.create("aiven-csv", &csv);
    worker.create("aiven-parquet", &parquet);
    worker.await_landed(broker, "aiven-csv", topic);
    worker.await_landed(broker, "aiven-parquet", topic);

    let starts = |partition: i64| [0, 40, 80].map(|n| format!("{topic}/{partition:010}/{n:020}-2026.csv.gz"));
    assert_eq!(names(&store, "csv"), [starts(0), starts(1)].concat());
    let rows = query(
        &store,
        "SELECT decode(from_base64(k)), decode(from_base64(v)), o, count(*) \
         FROM read_csv('LANDED/csv/**/*.csv.gz', header = false, columns = {'k': 'VARCHAR', 'v': 'VARCHAR', 'o': 'BIGINT'}) \
         GROUP BY ALL ORDER BY o",
    );
    let row = |n: i64| {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        json!([format!("k{n}"), format!(r#"{{"id":{n},"kind":"{kind}"}}"#), n, PARTITIONS])
    };
    assert_eq!(rows, Value::Array((0..RECORDS).map(row).collect()));

    let starts = |partition: i64| [0, 50].map(|n| format!("p-{topic}-{partition}-{n}.zst"));
    assert_eq!(names(&store, "parquet"), [starts(0), starts(1)].concat());
    let rows = query(
        &store,
        "SELECT kind, count(*), sum(id)::BIGINT FROM read_parquet('LANDED/parquet/*.zst') GROUP BY kind ORDER BY kind",
    );
    assert_eq!(rows, json!([["even", 100, 4900], ["odd", 100, 5000]]));
    assert!(!worker.log_text().contains(azurite(&store).account_key()), "a secret in the log");
}

#[test]
fn a_configuration_of_lenses_sink_lands_in_azure() {
    let (broker, store, topic) = (fill("lenses"), Store::azurite(), "lenses");
    let pointers = azurite(&store);
    python("blobs.py", &["create", &pointers.connection_string(), "pointers"]);
    let config = |kcql: &str, more: &Value| {
        let mut config = json!({
            "connector.class": "io.lenses.streamreactor.connect.datalake.sink.DatalakeSinkConnector",
            "tasks.max": "1",
            "topics": topic,
            "key.converter": STRING,
            "value.converter": JSON,
            "value.converter.schemas.enable": "false",
            "connect.datalake.azure.auth.mode": "connectionstring",
            "connect.datalake.azure.connection.string": azurite(&store).connection_string(),
            "connect.datalake.kcql": kcql,
            "landfall.state.container": "pointers",
        });
        with(&mut config, more);
        config
    };
    let by_kind =
        "INSERT INTO lake:raw SELECT * FROM lenses PARTITIONBY _value.kind STOREAS PARQUET PROPERTIES('flush.count'=25)";
    let envelopes = "INSERT INTO lake:env SELECT * FROM `*` STOREAS JSON PROPERTIES('flush.count'=50, 'store.envelope'=true)";
    let worker = Worker::start(&broker.bootstrap(), &[("offset.flush.interval.ms", "500")]);
    worker.create("lenses-kinds", &config(by_kind, &json!({"connect.datalake.compression.codec": "SNAPPY"})));
    worker.create("lenses-envelopes", &config(envelopes, &json!({"connect.datalake.compression.codec": "GZIP"})));
    worker.await_landed(broker, "lenses-kinds", topic);
    worker.await_landed(broker, "lenses-envelopes", topic);

    let file = |kind: &str, partition: i64, n: i64| format!("kind={kind}/{topic}({partition}_{n:012}).parquet");
    let kind = |kind, first: i64| [0, 1].map(|partition| [first, first + 50].map(|n| file(kind, partition, n))).concat();
    assert_eq!(names(&store, "raw"), [kind("even", 0), kind("odd", 1)].concat());
    let rows = query(
        &store,
        "SELECT kind, count(*), sum(id)::BIGINT FROM read_parquet('LANDED/raw/**/*.parquet', hive_partitioning = false) GROUP BY kind ORDER BY kind",
    );
    assert_eq!(rows, json!([["even", 100, 4900], ["odd", 100, 5000]]));

    let starts = |partition: i64| [0, 50].map(|n| format!("{topic}/{partition}/{n:012}.gz"));
    assert_eq!(names(&store, "env"), [starts(0), starts(1)].concat());
    let rows = query(
        &store,
        "SELECT key, value.id, value.kind, metadata.topic, metadata.partition, metadata.offset, metadata.timestamp \
         FROM read_json('LANDED/env/**/*.gz', compression = 'gzip') ORDER BY metadata.partition, metadata.offset",
    );
    let row = |partition: i64| {
        move |n: i64| {
            let kind = if n % 2 == 0 { "even" } else { "odd" };
            json!([format!("k{n}"), n, kind, "lenses", partition, n, TIMESTAMP + n])
        }
    };
    assert_eq!(rows, Value::Array((0..PARTITIONS).flat_map(|partition| (0..RECORDS).map(row(partition))).collect()));

    // the pointers are in their own container
    let blobs = |container: &str| python("blobs.py", &["list", &pointers.connection_string(), container]);
    let hidden = |blobs: &Value| blobs.as_object().expect("names").keys().filter(|name| name.contains("_landfall")).count();
    assert_eq!(hidden(&blobs("lake")), 0);
    assert!(hidden(&blobs("pointers")) > 0);
}
