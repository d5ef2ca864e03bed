//! What grows with topics, open files and connectors, and how soon a record's row is visible.
//!
//! Memory, threads and CPU time are the worker's alone. Times include the broker and this program, which share the machine with it.
#![expect(clippy::print_stdout, reason = "a benchmark prints its tables")]

mod latency;
mod many;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests, which use the rest")]
mod support;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use support::store::Store;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Action>,
    /// What cargo adds.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Topics, open files and idle connectors at four sizes, and a worker with nothing to do.
    Many {
        /// Topics and connectors of the largest size, of which the others are an eighth, a quarter and a half; ten times as many files.
        #[arg(long, default_value_t = 1000)]
        largest: usize,
        /// Seconds for which an idle worker is looked at.
        #[arg(long, default_value_t = 20)]
        idle: u64,
        /// One of the tables alone.
        #[arg(long)]
        only: Option<many::Table>,
    },
    /// The time from a record to its visible row at two rates.
    Latency {
        /// Seconds for which records are produced; the first two are not counted.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..))]
        seconds: u64,
    },
}

fn main() {
    let default = Action::Many { largest: 1000, idle: 20, only: None };
    match Arguments::parse().command.unwrap_or(default) {
        Action::Many { largest, idle, only } => many::tables(largest, support::secs(idle), only),
        Action::Latency { seconds } => latency::table(support::secs(seconds)),
    }
}

/// A connector of our own class with one task that lands topics in a directory, and ends no file before an hour has passed.
fn sink(store: &Store, topics: &str) -> Value {
    json!({
        "connector.class": "io.landfall.azure.AzureDataLakeSink",
        "tasks.max": "1",
        "topics": topics,
        "topics.dir": "topics",
        "store.url": format!("file://{}", store.landed().display()),
        "landfall.rotate.open.ms": "3600000",
    })
}

/// The value below which `percent` of a sorted list are.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
