//! The commit protocol: a partition's records become visible once, whatever crashes, comes late or is not answered.
//!
//! A [`pointer`] says how far a partition has landed. Its [`owner`] replaces it by compare-and-set, which commits files that are
//! staged whole, and publishes them afterwards; [`start`] says where it goes on when it is opened; the [`tracker`] knows which
//! [`offsets`] are in files that have not landed. All of that is pure; [`drive`] carries out what an owner asks for.

pub mod drive;
pub mod keys;
pub mod offsets;
pub mod owner;
pub mod pointer;
pub mod start;
pub mod tracker;

/// The places where a test may end the process, in the order in which a file meets them.
pub const CRASH_POINTS: [&str; 10] = [
    "commit::before-read",
    "commit::before-fence",
    "commit::after-fence",
    "commit::before-block",
    "commit::after-block",
    "commit::after-seal",
    "commit::before-write",
    "commit::after-write",
    "commit::between-publishes",
    "commit::before-group",
];

/// Ends the process here if a test asks for it.
pub(crate) fn crash_point(name: &'static str) {
    debug_assert!(CRASH_POINTS.contains(&name), "{name} is not among the crash points");
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name, |_| std::process::abort());
}
