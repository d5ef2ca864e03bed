//! Tests that take too long for every change: `make test-long`.

mod memory;
#[expect(dead_code, reason = "shared with the tests of every change, which use the rest")]
mod support;

#[test]
fn a_file_of_2_gb_is_written_within_300_mb_of_memory() {
    memory::one_file_of(2000);
}
