//! Black-box tests: the real binary, a real broker, and what other programs read afterwards.

mod harness;
mod support;
