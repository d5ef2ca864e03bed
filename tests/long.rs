//! Tests that take too long for every change: `make test-long`.

#[expect(dead_code, reason = "shared with the tests of every change, which replay a file")]
mod converters;
mod memory;
#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod support;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use converters::{UNKNOWN, by_java, by_landfall, difference, generate, shown};

#[test]
fn a_file_of_2_gb_is_written_within_300_mb_of_memory() {
    memory::one_file_of(2000);
}

#[test]
fn converters_make_what_kafkas_make_of_10000_new_records() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let groups = generate::groups(seed, 10_000);
    let mut unknown = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (group, results) in groups.iter().zip(by_java(&groups)) {
        for ((record, result), ours) in group.records.iter().zip(&results).zip(by_landfall(group)) {
            let reason = difference(group, record.as_deref(), result, &ours);
            if reason == Some(UNKNOWN) {
                unknown.push(shown(group, record.as_deref(), result, &ours));
            }
            *counts.entry(reason.unwrap_or("none")).or_default() += 1;
        }
    }
    assert!(unknown.is_empty(), "with seed {seed}: {}", unknown.join("\n"));
    assert!(counts["none"] > 8_000, "differences for known reasons, with seed {seed}: {counts:?}");
}
