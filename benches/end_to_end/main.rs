//! How much work Landfall takes to turn a topic into Parquet, beside the raw limit and Java on the same machine in the same run.
//!
//! What counts is the ratio of CPU seconds per million records: a machine that does other work besides makes both numbers worse.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod backlog;
mod cases;
mod compare;
mod cost;
mod decode;
mod fetch;
mod java;
mod limit;
mod shape;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests, which use the rest")]
mod support;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use backlog::Backlog;
use compare::Comparison;
use support::process;

// The worker's own allocator, for the limit as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// What cargo adds.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Measures the limit and the worker in turn and prints tables.
    Compare(Comparison),
    /// Measures how a backlog of many partitions is caught up with.
    Backlog(Backlog),
    /// The limit alone, as the process that is measured: prints what it took.
    Limit(Limit),
}

#[derive(Debug, Args)]
struct Limit {
    bootstrap: String,
    topic: String,
    records: usize,
    shape: shape::Shape,
    wire: decode::Wire,
    folder: PathBuf,
}

fn main() {
    match Arguments::parse().action {
        Action::Compare(comparison) => comparison.run(),
        Action::Backlog(backlog) => backlog.run(),
        Action::Limit(Limit { bootstrap, topic, records, shape, wire, folder }) => {
            let partitions = i32::try_from(cases::PARTITIONS).expect("a few");
            limit::land(&bootstrap, &topic, partitions, records, (shape, wire), &folder);
            println!("{}", json!({"cpu": process::cpu_seconds("self"), "peak": process::memory_mb("self", "VmHWM")}));
        }
    }
}
