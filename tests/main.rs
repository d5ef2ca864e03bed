//! Black-box tests: the real binary, a real broker, and what other programs read afterwards.

mod avro;
mod bad_input;
mod classes;
mod cli;
#[expect(dead_code, reason = "shared with the tests that take long, which use the rest")]
mod cluster;
mod config_providers;
mod converters;
mod crash;
#[cfg(feature = "failpoints")]
mod crash_points;
mod debezium;
mod demo;
mod documents;
mod environment;
mod errors;
mod errors_page;
mod estimate;
mod event_hubs;
mod event_hubs_registry;
mod faults;
mod fetch_group;
mod file_stream;
mod formats;
mod fuzz_corpus;
mod group;
mod harness;
mod helm;
mod identity;
#[expect(dead_code, reason = "shared with the tests that take long, which use the rest")]
mod idle;
mod internal_topics;
mod json_schema;
mod kafka_security;
mod key_vault;
mod landing;
mod loggers;
mod membership;
mod memory;
mod metrics;
mod migrate;
mod offsets_api;
mod offsets_reset;
mod openapi;
mod operators;
mod options;
mod outage;
mod reach;
mod readers;
mod reference;
mod rest_auth;
mod rest_cases;
mod rest_security;
mod rotation;
mod secrets;
mod soak;
mod storage;
mod supply_chain;
mod support;
mod topics;
mod types;
mod ui;
mod validation;
mod zombies;

#[test]
fn a_file_of_400_mb_is_written_within_300_mb_of_memory() {
    memory::one_file_of(400);
}

#[test]
fn a_thousand_open_files_stay_inside_the_memory_for_them() {
    memory::many_files(100, 200_000, 64, memory::LIMIT_MB);
}

#[test]
fn a_record_that_memory_does_not_do_for_is_refused() {
    memory::too_large();
}

#[test]
fn converters_make_what_kafkas_make() {
    converters::checked_in();
}

#[test]
fn a_cluster_is_replaced_worker_by_worker() {
    cluster::roll("roll", &[]);
}

#[test]
fn a_lake_is_filled_by_a_cluster_whose_workers_leave() {
    cluster::lake("lake-roll");
}
