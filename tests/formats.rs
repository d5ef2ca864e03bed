//! What files are made of: every format, codec and compression as other programs read them, and the columns of `landfall.columns`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use landfall_api::TopicPartition;
use landfall_lake::encode::parquet::{Codec, Options};
use landfall_lake::encode::{Compression, Facts, Format, avro, bytes, csv, json};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::read::{self, python, seen_by};
use crate::support::records::{Orders, Random};
use crate::support::store::{Store, lands_apart, with};
use crate::support::worker::Worker;

const JSON: &str = "io.confluent.connect.azure.storage.format.json.JsonFormat";
const PARTITIONS: usize = 2;

/// The values of the JSON files of a topic that end in `extension`, by partition and in the order of the files' names. Checks that the
/// files of a partition follow each other.
fn lines(folder: &Path, topic: &str, extension: &str) -> BTreeMap<i32, Vec<Value>> {
    let mut found: BTreeMap<i32, Vec<Value>> = BTreeMap::new();
    for path in read::files(folder) {
        let name = path.to_str().expect("a name of text");
        let Some(stem) = name.strip_suffix(extension) else { continue };
        let (partition, start) = stem.rsplit_once('+').expect("a start offset");
        let partition: i32 =
            partition.strip_prefix("partition=").and_then(|p| p.split('/').next()?.parse().ok()).expect("a partition");
        assert!(stem.ends_with(&format!("/{topic}+{partition}+{start}")), "{name}");
        let values = found.entry(partition).or_default();
        assert_eq!(start.parse(), Ok(values.len()), "{name} does not start where the file before it ends");
        let text = if extension.ends_with(".gz") {
            let out = Command::new("gzip").arg("-dc").arg(folder.join(&path)).output().expect("gzip");
            assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
            out.stdout
        } else {
            fs::read(folder.join(&path)).expect("a landed file")
        };
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.ends_with('\n'), "{name}");
        values.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
    }
    found
}

/// What is left of an event where what is null is left out.
fn without_nulls(event: &str) -> Value {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    event.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    event
}

fn json_lands(store: &Store, topic: &str) {
    const RECORDS: usize = 4000;
    let broker = Broker::shared();
    broker.create_topic(topic, i32::try_from(PARTITIONS).unwrap());
    let events: Vec<String> = Orders::schemaless(3).take(RECORDS).collect();
    let record = |(n, event): (usize, &String)| (i32::try_from(n % PARTITIONS).unwrap(), Record::value(event.clone()));
    broker.produce_all(topic, events.iter().enumerate().map(record));

    let worker = Worker::start(&broker.bootstrap(), &[]);
    for (compression, extension) in [("none", ".json"), ("gzip", ".json.gz")] {
        let mut config = store.connector(topic, 500);
        with(&mut config, &json!({"format.class": JSON, "az.compression.type": compression}));
        lands_apart(&mut config, compression);
        let connector = format!("{topic}-{compression}");
        worker.create(&connector, &config);
        worker.await_landed(broker, &connector, topic);
        let found = lines(&store.folder_apart(compression, topic), topic, extension);
        for (partition, values) in &found {
            let expected = events.iter().skip(usize::try_from(*partition).unwrap()).step_by(PARTITIONS);
            assert!(values.iter().eq(&expected.map(|event| without_nulls(event)).collect::<Vec<_>>()), "{partition}{extension}");
        }
        assert_eq!((found.len(), found.values().map(Vec::len).sum::<usize>()), (PARTITIONS, RECORDS));
    }
    // Both readers, over the files of both kinds.
    let (all, last) = (i64::try_from(2 * RECORDS).unwrap(), i64::try_from(RECORDS).unwrap() - 1);
    for reader in ["duckdb", "pyarrow"] {
        let seen = seen_by(reader, &store.folder_apart("", ""), "id");
        assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (all, last + 1, 0, last), "{reader}");
    }
}

#[test]
fn json_lines_land_in_a_directory() {
    json_lands(&Store::directory(), "json-lines-directory");
}

#[test]
fn json_lines_land_in_azure() {
    json_lands(&Store::azurite(), "json-lines-azure");
}

#[test]
fn a_killed_worker_lands_every_line_once() {
    const KILLS: usize = 3;
    const SLICE: usize = 8000;
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "json-crash");
    broker.create_topic(topic, 1);
    let mut config = store.connector(topic, 400);
    with(
        &mut config,
        &json!({"format.class": JSON, "consumer.override.session.timeout.ms": "1000", "consumer.override.heartbeat.interval.ms": "300"}),
    );
    let mut worker = Worker::stopped(&broker.bootstrap(), &[("offset.flush.interval.ms", "300")]);
    let mut random = Random::new(5);
    for round in 0..=KILLS {
        let ids = round * SLICE..(round + 1) * SLICE;
        broker.produce(topic, 0, ids.map(|id| Record::value(format!(r#"{{"id":{id}}}"#))));
        worker.start_again();
        worker.put(&format!("/connectors/{topic}/config"), &config);
        if round < KILLS {
            sleep(Duration::from_millis(500 + random.below(1500)));
            worker.kill9();
        }
    }
    worker.await_landed(broker, topic, topic);
    let found = lines(&store.folder(topic), topic, ".json");
    assert!(found[&0].iter().eq(&(0..(KILLS + 1) * SLICE).map(|id| json!({"id": id})).collect::<Vec<_>>()));
    assert!(worker.terminate().success(), "{}", worker.log_text());
}

#[test]
fn system_columns_say_where_a_row_comes_from() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "system-columns");
    broker.create_topic(topic, 1);
    let record = |id: i64| Record {
        key: (id % 3 > 0).then(|| format!("key {id}").into_bytes()),
        value: Some(format!(r#"{{"id":{id}}}"#).into_bytes()),
        headers: (0..id % 4).map(|n| (format!("h{n}"), format!("{id}").into_bytes())).collect(),
        timestamp: Some(1_700_000_000_000 + id),
    };
    broker.produce(topic, 0, (0..20).map(record));
    let names = "__timestamp,__headers,__key,__offset,__partition,__topic";
    let expected = |bytes: fn(String) -> String| -> Vec<Value> {
        let row = |id: i64| {
            let headers: Vec<Value> =
                (0..id % 4).map(|n| json!({"key": format!("h{n}"), "value": bytes(id.to_string())})).collect();
            let key = (id % 3 > 0).then(|| format!("key {id}"));
            json!({
                "id": id, "__timestamp": 1_700_000_000_000 + id, "__headers": headers, "__key": key, "__offset": id, "__partition": 0,
                "__topic": topic,
            })
        };
        (0..20).map(row).collect()
    };

    let worker = Worker::start(&broker.bootstrap(), &[]);
    for (connector, format) in [("system-json", Some(JSON)), ("system-parquet", None)] {
        let mut config = store.connector(topic, 10);
        with(&mut config, &json!({"landfall.columns": names}));
        if let Some(format) = format {
            with(&mut config, &json!({"format.class": format}));
        }
        lands_apart(&mut config, connector);
        worker.create(connector, &config);
        worker.await_landed(broker, connector, topic);
    }
    let found = lines(&store.folder_apart("system-json", topic), topic, ".json");
    let base64 = |text: String| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    assert_eq!(found[&0], expected(base64));
    for (row, found) in [(0, &found[&0][0]), (19, &found[&0][19])] {
        let order: Vec<_> = found.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(order.join(","), format!("id,{names}"), "row {row}");
    }
    for reader in ["duckdb", "pyarrow"] {
        let rows = python("rows.py", &[reader, store.folder_apart("system-parquet", topic).to_str().expect("a path of text")]);
        assert_eq!(rows, Value::Array(expected(|text| text)), "{reader}");
    }

    // A value that has a field of such a name cannot be told from it.
    let clash = "system-clash";
    broker.create_topic(clash, 1);
    broker.produce(clash, 0, [Record::value(r#"{"__offset":5}"#)]);
    let mut config = store.connector(clash, 1);
    with(&mut config, &json!({"landfall.columns": "__offset"}));
    worker.post("/connectors", &json!({"name": clash, "config": config}));
    let trace = worker.await_failure(clash);
    assert!(trace.contains("the value has a field __offset, and landfall.columns asks for a column __offset"), "{trace}");
}

#[test]
fn every_codec_is_read_by_others_with_integers_as_differences_too() {
    let folder = TempDir::new().unwrap();
    let ids: Arc<Int64Array> = Arc::new(Int64Array::from_iter_values(0..3000));
    let names: Arc<StringArray> = Arc::new((0..3000).map(|n| (n % 7 > 0).then(|| format!("name {}", n % 50))).collect());
    let rows = RecordBatch::try_from_iter([("id", ids as _), ("name", names as _)]).unwrap();
    let codecs = ["none", "snappy", "gzip", "zstd", "lz4", "lz4_raw", "brotli"];
    for (codec, delta_integers) in codecs.into_iter().flat_map(|codec| [(codec, false), (codec, true)]) {
        let format = Format::Parquet(Options { delta_integers, ..Codec::named(codec).unwrap().into() });
        let mut encoder = format.encoder(rows.schema_ref(), &Facts::new(TopicPartition::new("t", 0), 0));
        encoder.write(&rows, 60_000, 1 << 20).unwrap();
        let mut file = encoder.take();
        file.extend(encoder.finish(2999).unwrap());
        fs::write(folder.path().join(format!("{delta_integers}{}", format.extension())), file.concat()).unwrap();
    }
    let all = i64::try_from(3000 * 2 * codecs.len()).unwrap();
    for reader in ["duckdb", "pyarrow"] {
        let seen = seen_by(reader, folder.path(), "id");
        assert_eq!((seen.count, seen.distinct, seen.min, seen.max), (all, 3000, 0, 2999), "{reader}");
    }
}

fn name(n: i64) -> Option<String> {
    (n % 7 > 0).then(|| format!("name \"{}\", ä", n % 50))
}

/// The bytes of a file of `rows`.
fn encoded(format: &Format, rows: &RecordBatch) -> Vec<u8> {
    let mut encoder = format.encoder(rows.schema_ref(), &Facts::new(TopicPartition::new("t", 0), 0));
    encoder.write(rows, 0, 1 << 20).unwrap();
    let mut file = encoder.take();
    file.extend(encoder.finish(0).unwrap());
    file.concat()
}

#[test]
fn every_other_format_is_read_by_others() {
    const ROWS: i64 = 2000;
    let folder = TempDir::new().unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let names: ArrayRef = Arc::new((0..ROWS).map(name).collect::<StringArray>());
    let rows = RecordBatch::try_from_iter_with_nullable([("id", ids.clone(), false), ("name", names.clone(), true)]).unwrap();
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..ROWS).map(|n| format!("value,{n}"))));
    let parts = RecordBatch::try_from_iter([("value", values.clone()), ("offset", ids)]).unwrap();
    let only = RecordBatch::try_from_iter([("value", values)]).unwrap();

    let compressions = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Zstd];
    let codecs = ["null", "deflate", "snappy", "bzip2", "zstandard"].map(|name| avro::Codec::named(name).unwrap());
    let put = |name: String, format: &Format, rows: &RecordBatch| {
        fs::write(folder.path().join(format!("{name}{}", format.extension())), encoded(format, rows)).unwrap();
    };
    for (n, codec) in codecs.into_iter().enumerate() {
        put(format!("codec{n}"), &Format::Avro(avro::Options { codec, ..avro::Options::default() }), &rows);
    }
    for compression in compressions {
        put("whole".into(), &Format::Avro(avro::Options { compression, ..avro::Options::default() }), &rows);
        for (file, framing) in
            [("lines", json::Framing::Lines), ("between", json::Framing::Between), ("array", json::Framing::Array)]
        {
            let options = json::Options { framing, ..json::Options::from(compression) };
            put(file.into(), &Format::Json(options), &rows);
        }
        put("parts".into(), &Format::Csv(csv::Options { lines: csv::Lines::Parts { base64: true }, compression }), &parts);
        put("fields".into(), &Format::Csv(csv::Options { lines: csv::Lines::Fields { names: false }, compression }), &rows);
        put("raw".into(), &Format::Bytes(bytes::Options { compression, ..bytes::Options::default() }), &only);
    }

    let found = python("formats.py", &[folder.path().to_str().expect("a path of text")]);
    let records: Vec<Value> = (0..ROWS).map(|n| json!({"id": n, "name": name(n)})).collect();
    let base64 = |n: i64| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("value,{n}"));
    for (reader, files) in [("python", 5 + 7 * 4), ("duckdb", 5 * 3), ("pyarrow", 2 * 4 + 2 * 4)] {
        let found = found[reader].as_object().expect("files");
        assert_eq!(found.len(), files, "{reader}: {:?}", found.keys());
        for (file, rows) in found {
            let rows = rows.as_array().expect("rows");
            let same = match file.split('.').next().unwrap_or_default() {
                "parts" => rows.iter().eq(&(0..ROWS).map(|n| json!([base64(n), n.to_string()])).collect::<Vec<_>>()),
                "fields" => {
                    // none of these readers tells nothing from an empty text in the same way
                    let text = |n| rows[n as usize][1].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                    rows.len() == ROWS as usize
                        && (0..ROWS).all(|n| rows[n as usize][0].as_str() == Some(n.to_string().as_str()) && text(n) == name(n))
                }
                "raw" => {
                    let lines = (0..ROWS).map(|n| json!(format!("value,{n}"))).chain([json!("")]);
                    rows.iter().eq(&lines.collect::<Vec<_>>())
                }
                _ => rows.iter().eq(&records),
            };
            assert!(same, "{reader}: {file}: {:?}", &rows[..2]);
        }
    }
}

#[test]
fn avro_and_raw_bytes_land_as_confluents_classes_write_them() {
    const RECORDS: i64 = 1000;
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "formats-avro");
    broker.create_topic(topic, 1);
    let record = |n: i64| if n < 10 { format!(r#"{{"id":{n}}}"#) } else { format!(r#"{{"id":{n},"name":"n{n}"}}"#) };
    broker.produce(topic, 0, (0..RECORDS).map(|n| Record::value(record(n))));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let package = "io.confluent.connect.azure.storage.format";
    let mut avro = store.connector(topic, 250);
    with(&mut avro, &json!({"format.class": format!("{package}.avro.AvroFormat"), "avro.codec": "snappy"}));
    let mut raw = store.connector(topic, 500);
    with(
        &mut raw,
        &json!({
            "format.class": format!("{package}.bytearray.ByteArrayFormat"),
            "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
            "az.compression.type": "gzip",
            "format.bytearray.extension": ".raw",
            "format.bytearray.separator": "\\n",
        }),
    );
    for (connector, config) in [("formats-avro", &mut avro), ("formats-raw", &mut raw)] {
        lands_apart(config, connector);
        worker.create(connector, config);
        worker.await_landed(broker, connector, topic);
    }
    let folder = store.folder_apart("", "");
    let found = python("formats.py", &[folder.to_str().expect("a path of text")]);
    let files = found["python"].as_object().expect("files");
    let of = |extension: &str| -> Vec<&Value> {
        files.iter().filter(|(name, _)| name.ends_with(extension)).flat_map(|(_, rows)| rows.as_array().expect("rows")).collect()
    };
    let (records, lines) = (of(".avro"), of(".raw.gz"));
    let expected = |n: i64| if n < 10 { Value::Null } else { json!(format!("n{n}")) };
    assert_eq!(records.len() as i64, RECORDS);
    for (n, found) in (0..RECORDS).zip(&records) {
        assert_eq!((&found["id"], found.get("name").cloned().unwrap_or_default()), (&json!(n), expected(n)));
    }
    let lines: Vec<&str> = lines.iter().filter_map(|line| line.as_str()).filter(|line| !line.is_empty()).collect();
    assert!(
        lines.iter().copied().eq((0..RECORDS).map(record).collect::<Vec<_>>().iter().map(String::as_str)),
        "{:?}",
        &lines[..2]
    );
}
