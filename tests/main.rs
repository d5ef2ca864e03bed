//! Black-box tests, in one binary.

mod storage;
mod support;
