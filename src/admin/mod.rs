//! Subcommands for operators: how far the partitions of a connector have landed, whether its files agree, and who goes on with them.
//!
//! Most read the connector's configuration, which names the store, and asks that; the worker need not run, and may. Where brokers are
//! named, Kafka is asked as well.
//!
//! - [`pointers`] shows what is kept of each partition,
//! - [`adopt`] gives partitions to another connector, group or cluster, or sets where they go on,
//! - [`gc`] removes what is kept of connectors that are no more,
//! - [`connectors`] does what the REST API of a cluster does, and keeps connectors as files say,
//! - [`migrate`] moves connectors from one Connect cluster to another,
//! - [`estimate`] says what a load will take, and asks nobody,
//! - [`verify`] reads landed files again and compares,
//! - [`storage_check`] asks whether a store does what exactly-once rests on.

pub mod adopt;
mod brokers;
pub mod connectors;
pub mod estimate;
mod files;
pub mod gc;
pub mod migrate;
pub mod pointers;
mod root;
pub mod storage_check;
mod table;
pub mod verify;
mod worker;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at connectors and change them, by the REST API of a Connect worker, Java's or this one.
    Connectors(connectors::Options),
    /// Show how far the partitions of a connector have landed.
    #[command(subcommand)]
    Pointers(pointers::Command),
    /// Take over partitions that another connector, group or cluster has landed, or set where they go on.
    Adopt(adopt::Options),
    /// Remove what is kept of partitions for connectors that are no more. Files stay.
    Gc(gc::Options),
    /// Move connectors from one Connect cluster to another, by the REST API of both. They go on where their consumer group is.
    Migrate(migrate::Options),
    /// Estimate what a load takes: files, storage calls, pods and, with prices, what it costs.
    Estimate(Box<estimate::Options>),
    /// Read landed files again, and compare them with what is kept of their partitions and with Kafka.
    Verify(verify::Options),
    /// Ask what a store does.
    #[command(subcommand)]
    Storage(storage_check::Command),
}

/// The connector that a subcommand is about.
#[derive(Debug, Args)]
pub struct Connector {
    /// The connector's configuration: JSON or properties, as `standalone` takes it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How Kafka is reached.
#[derive(Debug, Args)]
pub struct Brokers {
    /// Ask Kafka too, by the properties of the worker.
    #[arg(long, value_name = "WORKER.PROPERTIES", conflicts_with = "bootstrap")]
    worker: Option<PathBuf>,
    /// Ask Kafka too, at these brokers, if they need no more than an address.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
}

/// What a subcommand has to say.
#[derive(Debug)]
pub struct Outcome {
    /// To print, with its line end.
    pub text: String,
    /// Whether something is wrong that it was to look for.
    pub wrong: bool,
    /// Whether something of it could not be done.
    pub failed: bool,
}

impl Outcome {
    /// `text`, or `json` if that is wanted; nothing is wrong.
    fn of(json: bool, text: String, value: &Value) -> Self {
        let text = if json { format!("{value:#}\n") } else { text };
        Self::said(text)
    }

    /// `text`; nothing is wrong.
    const fn said(text: String) -> Self {
        Self { text, wrong: false, failed: false }
    }
}

/// Takes a line of text about what goes on meanwhile.
pub type Tell = fn(&str);

/// Does what `command` says, and tells how it goes where that takes a while.
///
/// # Errors
/// Why it could not be done.
pub async fn run(command: Command, tell: Tell) -> Result<Outcome, String> {
    match command {
        Command::Connectors(options) => connectors::run(options, tell).await,
        Command::Pointers(command) => pointers::run(command).await,
        Command::Adopt(options) => adopt::run(options).await,
        Command::Gc(options) => gc::run(options).await,
        Command::Migrate(options) => migrate::run(options).await,
        Command::Estimate(options) => Ok(estimate::run(&options)),
        Command::Verify(options) => verify::run(options).await,
        Command::Storage(command) => storage_check::run(command).await,
    }
}

/// `1 file`, `2 files`.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
