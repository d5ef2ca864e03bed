#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall::convert::fuzz::protobuf(data));
