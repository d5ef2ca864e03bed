//! Two minutes of everything at once; `make soak` goes on for longer.

use crate::support::secs;
use crate::support::soak::{seed, soak};

#[test]
fn two_minutes() {
    let report = soak(secs(100), seed());
    assert!(report.is_once(), "{report}");
}
