//! `landfall connectors apply`: makes connectors what files say. Done twice, the second time changes nothing.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Session;
use super::files::{Files, verdict};
use super::plan::{self, Action, Change, Rules};
use super::wait::{self, Wanted};
use crate::admin::Outcome;
use crate::admin::worker::{Ask, initial_state, path_of};
use crate::herder::TargetState;

/// What to apply, and how.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    what: What,
    /// Change nothing: only tell what would be done, and end with 3 if there is something.
    #[arg(long)]
    plan: bool,
    /// Wait until the connectors run, or have failed: those that are unchanged too, unless they are paused or stopped.
    #[arg(long)]
    wait: bool,
}

/// What to compare.
#[derive(Debug, Args)]
pub(super) struct Diff {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
struct What {
    #[command(flatten)]
    files: Files,
    /// Delete connectors that an earlier apply of the same owner made and that no file is about any more.
    #[arg(long)]
    prune: bool,
    /// Let --prune delete this connector too, although no apply made it.
    #[arg(long, value_name = "CONNECTOR", requires = "prune", value_delimiter = ',')]
    confirm: Vec<String>,
    /// Let --prune go on when there is no file at all, which deletes all that was applied.
    #[arg(long, requires = "prune")]
    allow_empty: bool,
    /// Whose connectors these are: it is kept with each as `landfall.applied.by`, and --prune looks at no others.
    #[arg(long, value_name = "NAME", default_value = "landfall")]
    owner: String,
    /// Send connectors again of which nothing differs but, maybe, secrets that the worker hides.
    #[arg(long)]
    send_hidden: bool,
}

impl From<Diff> for Options {
    fn from(Diff { what }: Diff) -> Self {
        Self { what, plan: true, wait: false }
    }
}

/// Does it, or tells what would be done.
pub(super) fn run(session: &Session, options: &Options) -> Result<Outcome, String> {
    let What { files, prune, confirm, allow_empty, owner, send_hidden } = &options.what;
    let files = files.read()?;
    if files.is_empty() && *prune && !allow_empty {
        return Err(
            "there is no file of a connector (*.json, *.properties), and --prune would delete all that was applied before: give \
                    --allow-empty if that is meant"
                .into(),
        );
    }
    let all = session.connectors()?;
    if files.is_empty() && all.is_empty() {
        return Ok(session.outcome("there is no file of a connector: nothing to do\n".into(), &plan::json(&[], &all)));
    }
    // Only ours takes what it hides for what it has; it has answered by now, and so is known.
    let restores_hidden = session.worker.is_landfall();
    let rules = Rules { owner, prune: *prune, confirmed: confirm, send_hidden: *send_hidden, restores_hidden };

    let mut changes = Vec::new();
    for (name, found) in &all {
        if !files.contains_key(name) {
            changes.extend(plan::without_file(name, found, &rules));
        }
    }
    let others = all.keys().filter(|name| !files.contains_key(*name)).count() - changes.len();
    for (name, file) in files {
        let verdict = verdict(session, &file)?;
        changes.push(plan::of_file(file, all.get(&name), &verdict.masks, verdict.problems, &rules));
    }
    // What is created may be what is deleted by another name: it is not missed for a moment.
    changes.sort_by_key(|change| (change.action == Action::Delete, change.action == Action::Leave, change.name.clone()));

    let told = |changes: &[Change], last: &str| {
        let text = format!("{}{last}\n", plan::describe(changes, others));
        session.outcome(text, &plan::json(changes, &all))
    };
    if changes.iter().any(|change| !change.problems.is_empty()) {
        return Ok(Outcome { failed: true, ..told(&changes, "Nothing was changed: mend the problems first") });
    }
    let some = changes.iter().any(|change| change.action.changes());
    if options.plan {
        let last = if some { "Nothing was changed: `landfall connectors apply` does it" } else { "Nothing to do" };
        return Ok(Outcome { wrong: some, ..told(&changes, last) });
    }
    for change in changes.iter_mut().filter(|change| change.action.changes()) {
        (session.tell)(&format!("{}: {}", change.name, change.action.name()));
        change.result = Some(apply(session, change));
    }
    if options.wait {
        await_all(session, &mut changes);
    }
    let failed = changes.iter().filter(|change| matches!(change.result, Some(Err(_)))).count();
    let last = match (failed, some) {
        (0, true) => "Applied".to_owned(),
        (0, false) => "Nothing to do".to_owned(),
        (failed, _) => format!("{failed} failed: what is done stays done, and the same command goes on from there"),
    };
    Ok(Outcome { failed: failed > 0, ..told(&changes, &last) })
}

fn apply(session: &Session, change: &Change) -> Result<String, String> {
    let path = path_of(&change.name);
    let ask = |ask: Ask<'_>, path: &str| session.worker.ask(ask, path).map_err(|e| session.explain(e, Some(&change.name)));
    match (change.action, &change.wanted) {
        (Action::Create, Some((_, config))) if change.target != TargetState::Started => {
            let first = initial_state(change.target);
            ask(Ask::Post(&json!({"name": change.name, "config": config, "initial_state": first})), "/connectors")?;
            Ok(format!("created, {first}"))
        }
        (Action::Create | Action::Update, Some((_, config))) => {
            ask(Ask::Put(&Value::Object(config.clone())), &format!("{path}/config"))?;
            Ok(if change.action == Action::Create { "created" } else { "updated" }.to_owned())
        }
        (Action::Delete, _) => {
            ask(Ask::Delete, &path)?;
            Ok("deleted; the offsets of its group stay".to_owned())
        }
        _ => Ok("nothing to do".to_owned()),
    }
}

/// Waits for each connector in turn; how long is counted for each.
fn await_all(session: &Session, changes: &mut [Change]) {
    // What was there before a change may still be shown for a moment.
    if changes.iter().any(|change| change.action == Action::Update) {
        sleep(Duration::from_millis(500));
    }
    for change in changes.iter_mut().filter(|change| !matches!(change.result, Some(Err(_)))) {
        let wanted = match (change.action, change.target) {
            (Action::Leave, _) => continue,
            (Action::Delete, _) => Wanted::Gone,
            // It is as somebody left it.
            (Action::Keep, TargetState::Paused | TargetState::Stopped) => continue,
            (_, target) => Wanted::of(target),
        };
        let before = match &change.result {
            Some(Ok(done)) => format!("{done}, "),
            _ => String::new(),
        };
        change.result = Some(wait::until(session, &change.name, wanted).map(|state| format!("{before}{state}")));
    }
}
