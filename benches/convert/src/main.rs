//! What converting and transforming cost: CPU seconds per million records and allocations per record, by converter and by chain of
//! transforms, beside what libraries need for the same rows.
//!
//! `make bench-convert`, on Linux. Each case runs in turn with the others, and the median counts.

mod peers;
mod registry;
mod rows;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array as _, BinaryArray, Int64Array, TimestampMillisecondArray};
use landfall::convert::{Configured, Converters, build};
use landfall::plugins::Plugins;
use landfall::transform::Chain;
use landfall_api::{Properties, RawBatch, Records, Role, TopicPartition};

use rows::{Row, framed};

const ROWS: usize = 200_000;
const BATCH: usize = 5_000;
const RUNS: usize = 7;

/// Counts what is allocated and grown.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One thing to measure: takes a batch.
struct Case {
    name: &'static str,
    /// What it is compared with, by name.
    peer: Option<&'static str>,
    batches: Vec<BinaryArray>,
    run: Box<dyn FnMut(&BinaryArray)>,
}

fn main() {
    let registry = registry::start();
    let rows = rows::rows(ROWS);
    let of = |encode: &dyn Fn(&Row) -> Vec<u8>| -> Vec<BinaryArray> {
        rows.chunks(BATCH).map(|rows| rows.iter().map(|row| Some(encode(row))).collect()).collect()
    };
    let json = of(&Row::json);
    let avro = of(&|row| framed(1, &row.avro()));
    let protobuf = of(&|row| framed(2, &[&[0][..], &row.protobuf()].concat()));
    let registered = of(&|row| framed(3, &row.json()));
    let plain = [("schemas.enable", "false")];
    let url = [("schema.registry.url", registry.as_str())];
    let mut decoder = peers::arrow_avro(BATCH);
    let case = |name, peer, batches: &[BinaryArray], run| Case { name, peer, batches: batches.to_vec(), run };
    let mut cases = vec![
        case("sonic-rs into builders", None, &json, Box::new(peers::sonic_builders)),
        case("json, schemaless", Some("sonic-rs into builders"), &json, converter("JsonConverter", &plain)),
        case("json with schema", Some("sonic-rs into builders"), &of(&Row::envelope), converter("JsonConverter", &[])),
        case("json, registered", Some("sonic-rs into builders"), &registered, converter("JsonSchemaConverter", &url)),
        case("arrow-avro", None, &avro, Box::new(move |rows| peers::decode_avro(&mut decoder, rows))),
        case("avro", Some("arrow-avro"), &avro, converter("io.confluent.connect.avro.AvroConverter", &url)),
        case("protobuf", Some("arrow-avro"), &protobuf, converter("ProtobufConverter", &url)),
        case("string", None, &json, converter("StringConverter", &[])),
        case("json, no transform", None, &json, chain(0)),
        case("json, 1 transform", Some("json, no transform"), &json, chain(1)),
        case("json, 5 transforms", Some("json, no transform"), &json, chain(5)),
    ];
    let mut seconds = vec![Vec::new(); cases.len()];
    let mut allocations = vec![0; cases.len()];
    for _ in 0..RUNS {
        for (n, case) in cases.iter_mut().enumerate() {
            let before = (cpu(), ALLOCATIONS.load(Ordering::Relaxed));
            case.batches.iter().for_each(|batch| (case.run)(batch));
            seconds[n].push(cpu() - before.0);
            allocations[n] = ALLOCATIONS.load(Ordering::Relaxed) - before.1;
        }
    }
    let medians: Vec<f64> = seconds.iter_mut().map(|seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[RUNS / 2] * 1e6 / ROWS as f64
    }).collect();
    println!("| {:<24} | bytes/record | CPU-s/M | allocations/record | × of |\n|---|---|---|---|---|", "");
    for (n, case) in cases.iter().enumerate() {
        let bytes: usize = case.batches.iter().map(|batch| batch.value_data().len()).sum();
        let peer = case.peer.and_then(|peer| cases.iter().position(|other| other.name == peer));
        let ratio = peer.map(|peer| format!("{:.2} × {}", medians[n] / medians[peer], cases[peer].name)).unwrap_or_default();
        let allocations = allocations[n] as f64 / ROWS as f64;
        println!("| {:<24} | {:.0} | {:.3} | {allocations:.4} | {ratio} |", case.name, bytes as f64 / ROWS as f64, medians[n]);
    }
}

fn properties(given: &[(&str, &str)]) -> Properties {
    given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn converter(class: &str, given: &[(&str, &str)]) -> Box<dyn FnMut(&BinaryArray)> {
    let mut converter = build(class, &properties(given), Role::Value).expect("a converter");
    Box::new(move |bytes| {
        let runs = converter.convert(&Records { topic: "orders", bytes, headers: None }).expect("a registry that answers");
        assert!(runs.len() == 1 && runs[0].column.is_ok(), "{:?}", runs[0].column.as_ref().err());
    })
}

/// Converting with the first `n` of five transforms after it.
fn chain(n: usize) -> Box<dyn FnMut(&BinaryArray)> {
    const T: [&[(&str, &str)]; 5] = [
        &[("a.type", "RegexRouter"), ("a.regex", "db\\.(.*)"), ("a.replacement", "lake_$1")],
        &[("b.type", "InsertField$Value"), ("b.topic.field", "topic"), ("b.offset.field", "offset")],
        &[("c.type", "ReplaceField$Value"), ("c.exclude", "note"), ("c.renames", "__op:op,__deleted:deleted")],
        &[("d.type", "Cast$Value"), ("d.spec", "amount:float64,qty:int16")],
        &[("e.type", "MaskField$Value"), ("e.fields", "email")],
    ];
    let aliases = ["a", "b", "c", "d", "e"][..n].join(",");
    let mut given = properties(&[("transforms", &aliases)]);
    for (key, value) in T[..n].iter().copied().flatten() {
        given.insert(format!("transforms.{key}"), (*value).to_owned());
    }
    let mut chain = Chain::new(&Plugins::BUILT_IN, &given).expect("valid");
    let json = properties(&[("schemas.enable", "false")]);
    let make = |role| Configured { class: "", converter: build("JsonConverter", &json, role).expect("a converter") };
    let mut converters = Converters { key: make(Role::Key), value: make(Role::Value), header: make(Role::Header) };
    let mut first = 0;
    Box::new(move |bytes| {
        let rows = bytes.len() as i64;
        let raw = RawBatch {
            origin: TopicPartition::new("db.orders", 0),
            key: BinaryArray::new_null(bytes.len()),
            value: bytes.clone(),
            offset: Int64Array::from_iter_values(first..first + rows),
            timestamp: TimestampMillisecondArray::from_iter_values(first..first + rows),
            headers: None,
        };
        let converted = converters.convert(&Arc::new(raw), first..first + rows).expect("available");
        let mut refused = converted.refused;
        let landed: usize = converted.batches.into_iter().flat_map(|batch| chain.apply(batch, &mut refused)).map(|b| b.len()).sum();
        assert_eq!((landed as i64, refused.len()), (rows, 0), "{:?}", refused.first());
        first += rows;
    })
}

/// Seconds that this thread has run.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number");
    nanoseconds / 1e9
}
