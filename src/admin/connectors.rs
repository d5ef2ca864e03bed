//! `landfall connectors`: what the REST API of a Connect worker does, Java's or this one's, from a shell.
//!
//! - `look` lists connectors and shows one,
//! - `files` reads what connectors should be, and asks the worker whether it would take that,
//! - `plan` compares that with what they are, and `apply` makes it so,
//! - `change` creates, pauses, resumes, stops, restarts and deletes,
//! - `offsets` reads and changes where they go on,
//! - `wait` waits until they do what they were told to,
//! - `masks` knows which values are not to be shown.
//!
//! What a command has found goes to standard output, as a table or as JSON; how it goes, and what went wrong, to standard error.

mod apply;
mod change;
mod files;
mod look;
mod masks;
mod offsets;
mod plan;
mod wait;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::worker::{Access, Ask, Connectors, EXPANDED, Failure, Worker, path_of};
use super::{Outcome, Tell};
use crate::config::nearest;

/// What to do, and which worker to ask.
#[derive(Debug, Args)]
pub struct Options {
    /// The URL of a worker of the cluster.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Access",
        env = "LANDFALL_URL",
        default_value = "http://localhost:8083"
    )]
    url: String,
    #[command(flatten)]
    access: Access,
    /// Seconds to wait for a state, and for a cluster that is busy with a rebalance.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// What to print.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables and sentences for people.
    Text,
    /// JSON for programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all connectors with what they are doing.
    List,
    /// Show a connector: state, tasks, configuration with secrets masked.
    Show {
        /// The connector.
        name: String,
    },
    /// Create connectors from files. One that is there already is left alone, and an error.
    Create(change::Create),
    /// Make connectors what files say they should be: create, update and, if told so, delete.
    Apply(apply::Options),
    /// Show what `apply` would change: how connectors differ from their files.
    Diff(apply::Diff),
    /// Ask the worker whether it would take the connectors of files. Nothing is changed.
    Validate(files::Validate),
    /// Let connectors keep their partitions and consume nothing.
    Pause(change::Named),
    /// Let connectors that are paused or stopped consume again.
    Resume(change::Named),
    /// End the tasks of connectors, which stay configured.
    Stop(change::Named),
    /// Start connectors and their tasks anew.
    Restart(change::Restart),
    /// Delete connectors. The offsets of their consumer groups stay.
    Delete(change::Named),
    /// Look at the offsets of a connector, or change them.
    #[command(subcommand)]
    Offsets(offsets::Command),
}

/// Does what `options` say.
///
/// # Errors
/// What went wrong, and what to do next.
pub async fn run(options: Options, tell: Tell) -> Result<Outcome, String> {
    let done = tokio::task::spawn_blocking(move || {
        let patience = Duration::from_secs(options.timeout);
        let worker = Worker::new("--url", &options.url, &options.access)?.with_patience(patience);
        let session = Session { worker, json: options.output == Output::Json, patience, tell };
        match options.command {
            Command::List => look::list(&session),
            Command::Show { name } => look::show(&session, &name),
            Command::Create(create) => change::create(&session, &create),
            Command::Apply(options) => apply::run(&session, &options),
            Command::Diff(diff) => apply::run(&session, &diff.into()),
            Command::Validate(validate) => files::validate(&session, &validate),
            Command::Pause(named) => change::pause(&session, &named),
            Command::Resume(named) => change::resume(&session, &named),
            Command::Stop(named) => change::stop(&session, &named),
            Command::Restart(restart) => change::restart(&session, &restart),
            Command::Delete(named) => change::delete(&session, &named),
            Command::Offsets(command) => offsets::run(&session, command),
        }
    });
    done.await.map_err(|e| format!("it ended by a fault: {e}"))?
}

/// A worker, and how what it says is shown.
struct Session {
    worker: Worker,
    json: bool,
    patience: Duration,
    tell: Tell,
}

impl Session {
    /// What `text` or `json` says, whichever is wanted.
    fn outcome(&self, text: String, json: &Value) -> Outcome {
        Outcome::of(self.json, text, json)
    }

    /// Why a request about the connector `name`, or about all, came to nothing, and what to do next.
    fn explain(&self, failure: Failure, name: Option<&str>) -> String {
        let worker = &self.worker;
        match failure {
            Failure::Away(why) => format!("{why}; is a worker running there? --url or LANDFALL_URL names another"),
            Failure::Refused(401, why) => format!("{worker} does not know who asks: {why}; give --user or --token"),
            Failure::Refused(403, why) => format!("{worker} refuses it: {why}; come with other credentials (--user, --token)"),
            // What no handler has said.
            Failure::Refused(status @ (404 | 405), why) if why.is_empty() || why.starts_with("HTTP 40") => {
                format!("{worker} has no such resource ({status}); is it a Connect worker, and of a version that can do this?")
            }
            Failure::Refused(404, why) => match name {
                Some(name) => self.missing(name, &why),
                None => format!("{worker} answers 404: {why}"),
            },
            Failure::Refused(409, why) if why.contains("already exists") => {
                format!("{why}; `landfall connectors apply -f FILE` changes it to what a file says")
            }
            Failure::Refused(409, why) => {
                format!(
                    "{worker} still asks to wait after {} s: {why}; try again later, or with a longer --timeout",
                    self.patience.as_secs()
                )
            }
            Failure::Refused(400, why) if why.contains("STOPPED state") => {
                let name = name.unwrap_or("NAME");
                format!(
                    "{why}; next: `landfall connectors stop {name} --wait`, this again, and `landfall connectors resume {name}`"
                )
            }
            Failure::Refused(400, why) if why.contains("error(s)") => {
                format!("{}\n`landfall connectors validate -f FILE` says where each stands", without_hint(&why))
            }
            Failure::Refused(status @ 500.., why) => {
                format!("{worker} answers {status}: {why}; its log says more")
            }
            Failure::Refused(status, why) => format!("{worker} answers {status}: {why}"),
        }
    }

    /// There is no connector `name`.
    fn missing(&self, name: &str, why: &str) -> String {
        let all = self.worker.get("/connectors").unwrap_or_default();
        let all: Vec<&str> = all.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if all.contains(&name) {
            return format!("{} answers 404: {why}", self.worker);
        }
        match nearest(name, all) {
            Some(near) => format!("there is no connector {name} at {}; is {near} meant?", self.worker),
            None => {
                format!("there is no connector {name} at {}; `landfall connectors list` names those that there are", self.worker)
            }
        }
    }

    /// All connectors, with what they are and what they are doing.
    fn connectors(&self) -> Result<Connectors, String> {
        let answer = self.worker.ask(Ask::Get, EXPANDED).map_err(|failure| self.explain(failure, None))?;
        self.worker.listed(answer)
    }

    /// What is at a path of the connector `name`.
    fn get(&self, name: &str, path: &str) -> Result<Value, String> {
        let asked = self.worker.ask(Ask::Get, &format!("{}{path}", path_of(name)));
        asked.map_err(|failure| self.explain(failure, Some(name)))
    }
}

/// The text of Java without its last line, which names a resource.
fn without_hint(why: &str) -> &str {
    why.split("\nYou can also find").next().unwrap_or(why)
}

#[cfg(test)]
mod tests;
