//! What converting costs: CPU seconds per million records and allocations per record, by converter.
//!
//! The rows are a flattened change event of 14 fields, the same in each run. `cargo bench --bench convert`, on Linux.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::BinaryArray;
use landfall::convert::build;
use landfall_api::{Properties, Records, Role};

const ROWS: usize = 200_000;
const BATCH: usize = 5_000;
const RUNS: usize = 7;

/// Counts what is allocated and grown.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator has no other interface; each call goes on as it came")]
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

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() {
    let schema = schema();
    let json = rows(|row| row);
    let env = rows(|row| format!("{schema}{row}}}"));
    let spaced = rows(|row| row.replace(",\"", ", \"").replace("\":", "\": "));
    let plain: &[(&str, &str)] = &[("schemas.enable", "false")];
    let cases: [(&str, &str, &[_], &[BinaryArray]); 5] = [
        ("json, schemaless", "JsonConverter", plain, &json),
        ("json with blanks", "JsonConverter", plain, &spaced),
        ("json with schema", "JsonConverter", &[], &env),
        ("string", "StringConverter", &[], &json),
        ("bytes", "ByteArrayConverter", &[], &json),
    ];
    println!("{:<20}{:>14}{:>12}{:>16}", "", "bytes/record", "CPU-s/M", "allocs/record");
    for (name, class, properties, batches) in cases {
        let bytes: usize = batches.iter().map(|b| b.value_data().len()).sum();
        let (cpu, allocations) = measure(class, properties, batches);
        println!("{name:<20}{:>14.0}{cpu:>12.3}{allocations:>16.4}", bytes as f64 / ROWS as f64);
    }
}

/// The median of the runs' CPU seconds per million records, and the allocations per record of the last.
fn measure(class: &str, properties: &[(&str, &str)], batches: &[BinaryArray]) -> (f64, f64) {
    let properties: Properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut converter = build(class, &properties, Role::Value).expect("a converter");
    let (mut seconds, mut allocations) = (Vec::new(), 0);
    for _ in 0..RUNS {
        let before = (cpu(), ALLOCATIONS.load(Ordering::Relaxed));
        for bytes in batches {
            let runs = converter.convert(&Records { topic: "orders", bytes, headers: None }).expect("available");
            assert!(runs.len() == 1 && runs[0].column.is_ok(), "{:?}", runs[0].column.as_ref().err());
        }
        allocations = ALLOCATIONS.load(Ordering::Relaxed) - before.1;
        seconds.push(cpu() - before.0);
    }
    seconds.sort_by(f64::total_cmp);
    (seconds[RUNS / 2] * 1e6 / ROWS as f64, allocations as f64 / ROWS as f64)
}

/// Seconds that this thread has run.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number");
    nanoseconds / 1e9
}

fn rows(encode: impl Fn(String) -> String) -> Vec<BinaryArray> {
    let mut random = Random(42);
    let all: Vec<String> = (0..ROWS).map(|i| encode(row(&mut random, i as u64))).collect();
    all.chunks(BATCH).map(|rows| rows.iter().map(|r| Some(r.as_bytes())).collect()).collect()
}

/// A generator of numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

fn row(r: &mut Random, i: u64) -> String {
    const STATUS: [&str; 6] = ["NEW", "PAID", "PICKED", "SHIPPED", "DELIVERED", "CANCELLED"];
    const WORDS: [&str; 8] = ["leave", "at the door", "call", "gift", "wrap", "fragile", "ring twice", "são"];
    let millis = 1_760_000_000_000 + i * 7;
    let quoted = |text: String| format!("\"{text}\"");
    let email = if r.below(5) == 0 { "null".into() } else { quoted(format!("user{}@example.com", r.below(200_000))) };
    let note = if r.below(2) == 0 {
        "null".into()
    } else {
        quoted((0..4 + r.below(4)).map(|_| WORDS[r.below(8) as usize]).collect::<Vec<_>>().join(" "))
    };
    let mut row = String::new();
    let _ = write!(
        row,
        "{{\"id\":{i},\"customer_id\":{},\"order_no\":\"ORD-{:010}\",\"status\":\"{}\",\"amount\":\"{}.{:02}\",\"currency\":\"EUR\",\
         \"qty\":{},\"email\":{email},\"note\":{note},\"created_at\":{},\"updated_at\":\"2025-10-{:02}T12:{:02}:{:02}.{:03}Z\",\
         \"__op\":\"u\",\"__deleted\":{},\"__source_ts_ms\":{millis}}}",
        r.below(200_000),
        r.below(10_000_000_000),
        STATUS[r.below(6) as usize],
        r.below(50_000),
        r.below(100),
        1 + r.below(20),
        millis * 1000 + r.below(1000),
        1 + r.below(28),
        r.below(60),
        r.below(60),
        r.below(1000),
        r.below(100) == 0,
    );
    row
}

/// What stands before the payload.
fn schema() -> String {
    let fields = [
        ("id", "int64", false),
        ("customer_id", "int32", false),
        ("order_no", "string", false),
        ("status", "string", false),
        ("amount", "string", true),
        ("currency", "string", true),
        ("qty", "int32", false),
        ("email", "string", true),
        ("note", "string", true),
        ("created_at", "int64", true),
        ("updated_at", "string", true),
        ("__op", "string", true),
        ("__deleted", "boolean", true),
        ("__source_ts_ms", "int64", true),
    ];
    let fields =
        fields.map(|(name, kind, optional)| format!("{{\"type\":\"{kind}\",\"optional\":{optional},\"field\":\"{name}\"}}"));
    format!(
        "{{\"schema\":{{\"type\":\"struct\",\"fields\":[{}],\"optional\":false,\"name\":\"db.orders.Value\"}},\"payload\":",
        fields.join(",")
    )
}
