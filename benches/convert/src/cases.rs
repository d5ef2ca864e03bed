//! What is measured of the usual rows: each format alone and with a chain of transforms behind it, folders, and Parquet.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BinaryArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use landfall::convert::{Configured, Converters, build};
use landfall::plugins::Plugins;
use landfall::transform::Chain;
use landfall_adls::AzureDataLakeSink;
use landfall_api::{Batch, Opening, Properties, RawBatch, Records, Role, SinkConnector as _, TaskContext, TopicPartition};
use landfall_lake::columns;
use landfall_lake::encode::parquet::{Codec, Options};
use landfall_lake::encode::{Facts, Format};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::peers;
use crate::registry;
use crate::rows::{self, Row, framed};

/// One thing to measure.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What it is compared with, by name.
    pub(crate) peer: Option<String>,
    /// The rows of a batch.
    pub(crate) rows: usize,
    pub(crate) batches: Vec<BinaryArray>,
    /// Takes a batch.
    pub(crate) run: Box<dyn FnMut(&BinaryArray)>,
}

/// The steps of the path, whose instructions `make bench-check` counts.
pub(crate) const KERNELS: [&str; 12] = [
    "json",
    "json+5",
    "env",
    "env+5",
    "avro",
    "avro+5",
    "protobuf",
    "protobuf+5",
    "json-schema",
    "json-schema+5",
    "24-folders",
    "encode",
];

/// All cases, of `batches` batches of `rows` rows.
pub(crate) fn cases(rows: usize, batches: usize) -> Vec<Case> {
    let schemas = [("AVRO", rows::avro_schema()), ("PROTOBUF", rows::protobuf_schema()), ("JSON", rows::json_schema())];
    let url = registry::start(schemas.to_vec());
    let all = rows::rows(rows * batches);
    let of = |encode: &dyn Fn(&Row) -> Vec<u8>| -> Vec<BinaryArray> {
        all.chunks(rows).map(|rows| rows.iter().map(|row| Some(encode(row))).collect()).collect()
    };
    let case = |name: &str, peer: Option<&str>, batches: &[BinaryArray], run| Case {
        name: name.to_owned(),
        peer: peer.map(str::to_owned),
        rows,
        batches: batches.to_vec(),
        run,
    };
    let json = of(&Row::json);
    let avro = of(&|row| framed(1, &row.avro()));
    let protobuf = of(&|row| framed(2, &[&[0][..], &row.protobuf()].concat()));
    let mut decoder = peers::arrow_avro(rows, &[rows::avro_schema()]);
    let (sonic, arrow) = ("sonic-rs into builders", "arrow-avro");
    let mut cases = vec![
        case(sonic, None, &json, Box::new(peers::sonic_builders)),
        case(arrow, None, &avro, Box::new(move |rows: &BinaryArray| peers::decode_avro(&mut decoder, rows))),
        case("string", None, &json, converter("StringConverter", &[])),
    ];
    let registered = [("schema.registry.url", url.as_str())];
    for (name, peer, batches, class, given) in [
        ("json", sonic, &json, "JsonConverter", &[("schemas.enable", "false")]),
        ("env", sonic, &of(&Row::envelope), "JsonConverter", &[("schemas.enable", "true")]),
        ("json-schema", sonic, &of(&|row| framed(3, &row.json())), "JsonSchemaConverter", &registered),
        ("avro", arrow, &avro, "io.confluent.connect.avro.AvroConverter", &registered),
        ("protobuf", arrow, &protobuf, "ProtobufConverter", &registered),
    ] {
        cases.push(case(name, Some(peer), batches, transformed(class, given, 0)));
        if name == "json" {
            cases.push(case("json+1", Some(name), batches, transformed(class, given, 1)));
        }
        cases.push(case(&format!("{name}+5"), Some(name), batches, transformed(class, given, 5)));
    }
    cases.push(case("1-folder", None, &json, folders(1)));
    cases.push(case("24-folders", Some("1-folder"), &json, folders(24)));
    cases.push(case("encode", None, &json, encode(20 * rows)));
    cases
}

fn properties(given: &[(&str, &str)]) -> Properties {
    given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A value converter alone.
pub(crate) fn converter(class: &str, given: &[(&str, &str)]) -> Box<dyn FnMut(&BinaryArray)> {
    let mut converter = build(class, &properties(given), Role::Value).expect("a converter");
    Box::new(move |bytes| {
        let runs = converter.convert(&Records { topic: "orders", bytes, headers: None }).expect("a registry that answers");
        let taken: usize = runs.iter().map(|run| run.column.as_ref().expect("no record is refused").array.len()).sum();
        assert_eq!(taken, bytes.len());
    })
}

/// A partition's records from `first` on.
fn fetched(value: &BinaryArray, first: i64) -> (Arc<RawBatch>, Range<i64>) {
    let offsets = first..first + value.len() as i64;
    let raw = RawBatch {
        origin: TopicPartition::new("db.orders", 0),
        key: BinaryArray::new_null(value.len()),
        value: value.clone(),
        offset: Int64Array::from_iter_values(offsets.clone()),
        timestamp: TimestampMillisecondArray::from_iter_values(offsets.clone()),
        headers: None,
    };
    (Arc::new(raw), offsets)
}

/// The converters of a task whose values are of `class`.
fn converters(class: &str, given: &[(&str, &str)]) -> Converters {
    let make = |role, class, given: &[(&str, &str)]| Configured {
        class: "",
        converter: build(class, &properties(given), role).expect("a converter"),
    };
    Converters {
        key: make(Role::Key, "StringConverter", &[]),
        value: make(Role::Value, class, given),
        header: make(Role::Header, "SimpleHeaderConverter", &[]),
    }
}

/// Converting as a task does, with the first `n` of five transforms after it.
fn transformed(class: &str, given: &[(&str, &str)], n: usize) -> Box<dyn FnMut(&BinaryArray)> {
    const T: [&[(&str, &str)]; 5] = [
        &[("a.type", "RegexRouter"), ("a.regex", "db\\.(.*)"), ("a.replacement", "lake_$1")],
        &[("b.type", "InsertField$Value"), ("b.topic.field", "topic"), ("b.offset.field", "offset")],
        &[("c.type", "ReplaceField$Value"), ("c.exclude", "note"), ("c.renames", "__op:op,__deleted:deleted")],
        &[("d.type", "Cast$Value"), ("d.spec", "amount:float64,qty:int16")],
        &[("e.type", "MaskField$Value"), ("e.fields", "email")],
    ];
    let mut chained = properties(&[("transforms", &["a", "b", "c", "d", "e"][..n].join(","))]);
    for (key, value) in T[..n].iter().copied().flatten() {
        chained.insert(format!("transforms.{key}"), (*value).to_owned());
    }
    let mut chain = Chain::new(&Plugins::BUILT_IN, &chained).expect("valid");
    let mut converters = converters(class, given);
    let mut first = 0;
    Box::new(move |bytes| {
        let (raw, covers) = fetched(bytes, first);
        first = covers.end;
        let converted = converters.convert(&raw, covers).expect("available");
        let mut refused = converted.refused;
        let landed: usize =
            converted.batches.into_iter().flat_map(|batch| chain.apply(batch, &mut refused)).map(|b| b.len()).sum();
        assert_eq!((landed, refused.len()), (bytes.len(), 0), "{:?}", refused.first());
    })
}

/// Each batch converted once, for a step behind that.
fn typed() -> impl FnMut(&BinaryArray) -> Batch {
    let mut converters = converters("JsonConverter", &[("schemas.enable", "false")]);
    let mut known: Vec<(BinaryArray, Batch)> = Vec::new();
    let mut first = 0;
    move |bytes| {
        let at = known.iter().position(|(of, _)| of.value_data().as_ptr() == bytes.value_data().as_ptr());
        let at = at.unwrap_or_else(|| {
            let (raw, covers) = fetched(bytes, 0);
            let converted = converters.convert(&raw, covers).expect("available");
            known.push((bytes.clone(), converted.batches.into_iter().next().expect("a batch")));
            known.len() - 1
        });
        let (raw, covers) = fetched(bytes, first);
        first = covers.end;
        Batch { offset: raw.offset.clone(), timestamp: raw.timestamp.clone(), raw, covers, ..known[at].1.clone() }
    }
}

/// Putting rows whose times are spread over so many hours, in no order, into files; what threads of encoders do is not counted.
fn folders(n: i64) -> Box<dyn FnMut(&BinaryArray)> {
    let runtime = Runtime::new().expect("a runtime");
    let folder = TempDir::new().expect("a folder");
    let url = format!("file://{}", folder.path().display());
    let given = properties(&[
        ("store.url", &url),
        ("format.class", "io.confluent.connect.azure.storage.format.parquet.ParquetFormat"),
        ("partitioner.class", "io.confluent.connect.storage.partitioner.HourlyPartitioner"),
        ("locale", "en"),
        ("timezone", "UTC"),
        ("timestamp.extractor", "Record"),
        ("landfall.rotate.open.ms", "3600000"),
    ]);
    let faults = AzureDataLakeSink.validate(&given);
    assert!(faults.is_empty(), "{faults}");
    let mut task =
        AzureDataLakeSink.task(&given, TaskContext::new("bench", 0, runtime.handle().clone(), 1 << 30)).expect("a task");
    let origin = TopicPartition::new("db.orders", 0);
    while task.open(&origin, &Opening::default()).expect("asked").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut typed = typed();
    let kept = (runtime, folder);
    Box::new(move |bytes| {
        let hour = |offset: i64| (offset.wrapping_mul(0x9e37_79b9) >> 7).rem_euclid(n);
        let batch = typed(bytes);
        let timestamp = batch.offset.values().iter().map(|offset| 1_760_000_400_000 + hour(*offset) * 3_600_000 + offset % 1000);
        let timestamp = TimestampMillisecondArray::from_iter_values(timestamp);
        task.put(vec![Batch { timestamp, ..batch }], &mut |_, error| panic!("{error}")).expect("taken");
        while !task.ready(Duration::from_secs(1)).expect("ready") {}
        let _ = &kept;
    })
}

/// Rows into files of Parquet with snappy, so many into each.
fn encode(most: usize) -> Box<dyn FnMut(&BinaryArray)> {
    let format = Format::Parquet(Options::from(Codec::named("snappy").expect("a codec")));
    let mut typed = typed();
    let (mut file, mut written) = (None, 0);
    Box::new(move |bytes| {
        let batch = typed(bytes);
        let rows = RecordBatch::from(batch.value.array.as_struct());
        let encoder = file.get_or_insert_with(|| format.encoder(&rows.schema(), &Facts::new(batch.origin.clone(), 0)));
        encoder.write(&rows, columns::bytes(&rows), 32 << 20).expect("written");
        encoder.take();
        written += rows.num_rows();
        if written >= most {
            let blocks = file.take().map(|file| file.finish(batch.covers.end - 1).expect("a file"));
            assert!(blocks.is_some_and(|blocks| !blocks.is_empty()));
            written = 0;
        }
    })
}
