//! Creates, pauses, resumes, stops, restarts and deletes connectors.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Session;
use super::files::config;
use super::wait::{self, Wanted};
use crate::admin::Outcome;
use crate::admin::worker::{Ask, initial_state, path_of};
use crate::herder::TargetState;
use crate::herder::connector_file::ConnectorFile;

/// Files of connectors that are not there yet.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Files with one connector each: JSON or properties, as `standalone` takes them.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Wait until they run, or have failed.
    #[arg(long)]
    wait: bool,
}

/// Connectors to be told something.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The connectors.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Wait until they have done it.
    #[arg(long)]
    wait: bool,
}

/// Connectors to be started anew.
#[derive(Debug, Args)]
pub(super) struct Restart {
    #[command(flatten)]
    named: Named,
    /// Restart no more than what has failed.
    #[arg(long, conflicts_with_all = ["task", "connector_only"])]
    failed: bool,
    /// Restart this task alone.
    #[arg(long, value_name = "NUMBER", conflicts_with = "connector_only")]
    task: Option<u32>,
    /// Restart the connector without its tasks.
    #[arg(long)]
    connector_only: bool,
}

pub(super) fn create(session: &Session, create: &Create) -> Result<Outcome, String> {
    let files = create.files.iter().map(|path| ConnectorFile::read(path)).collect::<Result<Vec<_>, _>>()?;
    let all = files.iter().map(|file| {
        let name = file.name.as_str();
        let (mut body, wanted) = (json!({"name": name, "config": config(file)}), Wanted::of(file.initial_state));
        // Workers before Kafka 3.7 do not know the member.
        if file.initial_state != TargetState::Started {
            body["initial_state"] = initial_state(file.initial_state).into();
        }
        let done = session.worker.ask(Ask::Post(&body), "/connectors").map_err(|e| session.explain(e, Some(name)));
        (name, done.and_then(|_| awaited(session, name, create.wait.then_some(wanted), "created")))
    });
    Ok(said(session, all.collect()))
}

pub(super) fn pause(session: &Session, named: &Named) -> Result<Outcome, String> {
    Ok(tell_all(session, named, Ask::Put(&Value::Null), "/pause", Wanted::Paused, "told to pause"))
}

pub(super) fn resume(session: &Session, named: &Named) -> Result<Outcome, String> {
    Ok(tell_all(session, named, Ask::Put(&Value::Null), "/resume", Wanted::Running, "told to resume"))
}

pub(super) fn stop(session: &Session, named: &Named) -> Result<Outcome, String> {
    Ok(tell_all(session, named, Ask::Put(&Value::Null), "/stop", Wanted::Stopped, "told to stop"))
}

pub(super) fn delete(session: &Session, named: &Named) -> Result<Outcome, String> {
    Ok(tell_all(session, named, Ask::Delete, "", Wanted::Gone, "deleted"))
}

pub(super) fn restart(session: &Session, restart: &Restart) -> Result<Outcome, String> {
    let Restart { named, failed, task, connector_only } = restart;
    let path = match (task, connector_only) {
        (Some(task), _) => format!("/tasks/{task}/restart"),
        (None, true) => "/restart".to_owned(),
        (None, false) => format!("/restart?includeTasks=true&onlyFailed={failed}"),
    };
    Ok(tell_all(session, named, Ask::Post(&Value::Null), &path, Wanted::Running, "told to restart"))
}

/// Makes the same request of each connector.
fn tell_all(session: &Session, named: &Named, ask: Ask<'_>, path: &str, wanted: Wanted, done: &str) -> Outcome {
    let all = named.names.iter().map(|name| {
        let asked = session.worker.ask(ask, &format!("{}{path}", path_of(name)));
        let asked = asked.map_err(|failure| session.explain(failure, Some(name)));
        (name.as_str(), asked.and_then(|_| awaited(session, name, named.wait.then_some(wanted), done)))
    });
    said(session, all.collect())
}

fn awaited(session: &Session, name: &str, wanted: Option<Wanted>, done: &str) -> Result<String, String> {
    match wanted {
        Some(wanted) => wait::until(session, name, wanted).map(|state| format!("{done}, {state}")),
        None => Ok(done.to_owned()),
    }
}

/// What has become of each. What went wrong is told apart, unless it is for programs.
fn said(session: &Session, all: Vec<(&str, Result<String, String>)>) -> Outcome {
    let (mut text, mut values, mut failed) = (String::new(), Vec::new(), false);
    for (name, result) in all {
        match result {
            Ok(done) => {
                text += &format!("{name}: {done}\n");
                values.push(json!({"name": name, "done": done}));
            }
            Err(why) => {
                failed = true;
                if !session.json {
                    (session.tell)(&format!("{name}: failed: {why}"));
                }
                values.push(json!({"name": name, "failed": why}));
            }
        }
    }
    Outcome { failed, ..session.outcome(text, &Value::Array(values)) }
}
