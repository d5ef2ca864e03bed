//! Black-box tests: the real binary, a real broker, and what other programs read afterwards.

mod avro;
mod bad_input;
mod converters;
mod crash;
mod debezium;
mod demo;
mod documents;
mod errors;
mod fetch_group;
mod file_stream;
mod formats;
mod fuzz_corpus;
mod group;
mod harness;
mod idle;
mod json_schema;
mod landing;
mod memory;
mod operators;
mod options;
mod outage;
mod readers;
mod reference;
mod rotation;
mod storage;
mod support;
mod topics;
mod types;
mod validation;

#[test]
fn a_file_of_400_mb_is_written_within_300_mb_of_memory() {
    memory::one_file_of(400);
}

#[test]
fn converters_make_what_kafkas_make() {
    converters::checked_in();
}
