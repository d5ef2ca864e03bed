//! How connectors differ from what files say of them, and what would make them alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::masks::Masks;
use crate::admin::count;
use crate::admin::worker::{Connectors, Status};
use crate::config::provider::is_variable;
use crate::herder::TargetState;
use crate::herder::connector_config::{APPLIED_BY, HIDDEN};
use crate::herder::connector_file::ConnectorFile;

/// What is to be done with a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Update,
    /// Nothing: it is what its file says.
    Keep,
    Delete,
    /// Nothing: no file is about it.
    Leave,
}

impl Action {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Keep => "unchanged",
            Self::Delete => "delete",
            Self::Leave => "leave",
        }
    }

    const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Keep => '=',
            Self::Delete => '-',
            Self::Leave => '?',
        }
    }

    pub(super) const fn changes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

/// How a key differs. Values are as they may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    Added(String),
    Changed(String, String),
    Removed(String),
    /// The worker hides what it has.
    Unknown,
}

/// A connector, and what is to be done with it.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) keys: BTreeMap<String, Difference>,
    /// Why it cannot be done.
    pub(super) problems: Vec<String>,
    /// What the user should know and is no difference.
    pub(super) notes: Vec<String>,
    /// The file that says what it should be, and what to send.
    pub(super) wanted: Option<(ConnectorFile, Map<String, Value>)>,
    /// What it should be doing.
    pub(super) target: TargetState,
    /// What has become of it, or why nothing has.
    pub(super) result: Option<Result<String, String>>,
}

/// Who applies, and what it may do.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) owner: &'a str,
    pub(super) prune: bool,
    /// Connectors that may be deleted although no apply of the owner made them.
    pub(super) confirmed: &'a [String],
    /// Whether keys that cannot be compared are taken for changed ones.
    pub(super) send_hidden: bool,
    /// Whether the worker takes what it hides for what it has.
    pub(super) restores_hidden: bool,
}

/// What is to be done with the connector of `file`, of which a worker knows `found`.
pub(super) fn of_file(
    file: ConnectorFile,
    found: Option<&Value>,
    masks: &Masks,
    problems: Vec<String>,
    rules: &Rules<'_>,
) -> Change {
    let mut config = super::files::config(&file);
    if !config.contains_key(APPLIED_BY) {
        config.insert(APPLIED_BY.to_owned(), rules.owner.into());
    }
    let mut change = Change {
        name: file.name.clone(),
        action: Action::Create,
        keys: BTreeMap::new(),
        problems,
        notes: file.warnings.clone(),
        target: file.initial_state,
        wanted: None,
        result: None,
    };
    match found {
        None => change.keys = added(&config, masks),
        Some(found) => {
            let there = found["info"]["config"].as_object().cloned().unwrap_or_default();
            change.keys = differences(&there, &config, masks, rules);
            // Who applied it is no reason to touch what is as it should be.
            let decides = |(key, difference): (&String, &Difference)| match difference {
                Difference::Unknown => rules.send_hidden,
                Difference::Added(_) => key != APPLIED_BY,
                Difference::Changed(..) | Difference::Removed(_) => true,
            };
            change.action = if change.keys.iter().any(decides) { Action::Update } else { Action::Keep };
            if change.action == Action::Keep {
                change.keys.retain(|_, difference| *difference == Difference::Unknown);
            }
            let hidden: Vec<_> =
                change.keys.iter().filter(|(_, how)| **how == Difference::Unknown).map(|(key, _)| &**key).collect();
            if !hidden.is_empty() && change.action == Action::Keep {
                change
                    .notes
                    .push(format!("{} cannot be compared, the worker hides it: --send-hidden sends it again", hidden.join(", ")));
            }
            change.state(&Status::of(&found["status"]));
        }
    }
    let hides = |(key, value): (&String, &Value)| (value == HIDDEN).then(|| key.clone());
    let kept = found.is_some() && rules.restores_hidden;
    for key in config.iter().filter_map(hides).filter(|_| !kept) {
        change.problems.push(format!(
            "{}: {key}: its value is {HIDDEN}, which is how a worker shows a secret: give the secret, or name it by a config provider",
            file.path.display()
        ));
    }
    change.wanted = Some((file, config));
    change
}

/// What is to be done with the connector `name`, of which no file says anything; None if it is none of ours.
pub(super) fn without_file(name: &str, found: &Value, rules: &Rules<'_>) -> Option<Change> {
    let own = found["info"]["config"][APPLIED_BY] == rules.owner;
    let confirmed = rules.confirmed.iter().any(|confirmed| confirmed == name);
    let (action, note) = match (rules.prune, own, confirmed) {
        (true, true, _) => (Action::Delete, None),
        (true, false, true) => (Action::Delete, None),
        (true, false, false) => {
            (Action::Leave, Some(format!("no apply of {} made it: --confirm {name} deletes it too", rules.owner)))
        }
        (false, true, _) => {
            (Action::Leave, Some("an earlier apply made it, and no file is about it any more: --prune deletes it".to_owned()))
        }
        (false, false, _) => return None,
    };
    Some(Change {
        name: name.to_owned(),
        action,
        keys: BTreeMap::new(),
        problems: Vec::new(),
        notes: note.into_iter().collect(),
        wanted: None,
        target: TargetState::Stopped,
        result: None,
    })
}

fn added(config: &Map<String, Value>, masks: &Masks) -> BTreeMap<String, Difference> {
    let given = config.iter().filter_map(|(key, value)| Some((key, value.as_str()?)));
    given.map(|(key, value)| (key.clone(), Difference::Added(masks.shown(key, value)))).collect()
}

/// How what is `there` differs from what is `wanted`.
fn differences(
    there: &Map<String, Value>,
    wanted: &Map<String, Value>,
    masks: &Masks,
    rules: &Rules<'_>,
) -> BTreeMap<String, Difference> {
    let keys: BTreeSet<&String> = there.keys().chain(wanted.keys()).collect();
    let difference = |key: &str| {
        let (old, new) = (there.get(key).and_then(Value::as_str), wanted.get(key).and_then(Value::as_str));
        Some(match (old, new) {
            (None, None) => return None,
            (Some(old), Some(new)) if old == new => return None,
            // What names a secret is not hidden, so it is another.
            (Some(HIDDEN), Some(new)) if rules.restores_hidden && !is_variable(new) => Difference::Unknown,
            (Some(old), Some(new)) => Difference::Changed(masks.shown(key, old), masks.shown(key, new)),
            (None, Some(new)) => Difference::Added(masks.shown(key, new)),
            (Some(old), None) => Difference::Removed(masks.shown(key, old)),
        })
    };
    keys.into_iter().filter_map(|key| Some((key.clone(), difference(key)?))).collect()
}

impl Change {
    /// Files say what a connector does first. What users told it since then stays, and is said.
    fn state(&mut self, status: &Status) {
        let is = match status.connector.as_str() {
            "PAUSED" => TargetState::Paused,
            "STOPPED" => TargetState::Stopped,
            _ => TargetState::Started,
        };
        if is != self.target {
            let name = &self.name;
            let told = match self.target {
                TargetState::Started => "resume",
                TargetState::Paused => "pause",
                TargetState::Stopped => "stop",
            };
            self.notes.push(format!(
                "it is {}, and stays so: `landfall connectors {told} {name}` makes it what its file says",
                status.connector
            ));
        }
        if let Some(trace) = &status.trace {
            self.notes.push(format!("it has failed: {trace}"));
        }
        self.target = is;
    }

    fn describe(&self, text: &mut String) {
        let file = self.wanted.as_ref().map(|(file, _)| format!("  ({})", file.path.display())).unwrap_or_default();
        let _ = writeln!(text, "{} {:<9}  {}{file}", self.action.sign(), self.action.name(), self.name);
        let width = self.keys.keys().map(|key| key.chars().count()).max().unwrap_or(0);
        for (key, difference) in &self.keys {
            let _ = match difference {
                Difference::Added(new) => writeln!(text, "    + {key:width$}  {new}"),
                Difference::Changed(old, new) if old == new => writeln!(text, "    ~ {key:width$}  {HIDDEN}, another one"),
                Difference::Changed(old, new) => writeln!(text, "    ~ {key:width$}  {old} -> {new}"),
                Difference::Removed(old) => writeln!(text, "    - {key:width$}  {old}"),
                Difference::Unknown => writeln!(text, "    ? {key:width$}  {HIDDEN} by the worker"),
            };
        }
        self.problems.iter().for_each(|problem| text.push_str(&format!("    problem: {problem}\n")));
        self.notes.iter().for_each(|note| text.push_str(&format!("    note: {note}\n")));
        match &self.result {
            Some(Ok(done)) => text.push_str(&format!("    done: {done}\n")),
            Some(Err(why)) => text.push_str(&format!("    failed: {why}\n")),
            None => {}
        }
    }

    fn json(&self) -> Value {
        let key = |(key, difference): (&String, &Difference)| match difference {
            Difference::Added(new) => json!({"key": key, "change": "add", "new": new}),
            Difference::Changed(old, new) => json!({"key": key, "change": "change", "old": old, "new": new}),
            Difference::Removed(old) => json!({"key": key, "change": "remove", "old": old}),
            Difference::Unknown => json!({"key": key, "change": "unknown"}),
        };
        let mut value = json!({
            "name": self.name,
            "action": self.action.name(),
            "keys": self.keys.iter().map(key).collect::<Vec<_>>(),
            "problems": self.problems,
            "notes": self.notes,
        });
        if let Some((file, _)) = &self.wanted {
            value["file"] = json!(file.path);
        }
        match &self.result {
            Some(Ok(done)) => value["done"] = done.as_str().into(),
            Some(Err(why)) => value["failed"] = why.as_str().into(),
            None => {}
        }
        value
    }
}

/// The changes for people, then how many there are of which.
pub(super) fn describe(changes: &[Change], others: usize) -> String {
    let mut text = String::new();
    changes.iter().for_each(|change| change.describe(&mut text));
    let of = |action: Action| changes.iter().filter(|change| change.action == action).count();
    let _ = write!(
        text,
        "{}{} to create, {} to update, {} to delete, {} unchanged",
        if changes.is_empty() { "" } else { "\n" },
        of(Action::Create),
        of(Action::Update),
        of(Action::Delete),
        of(Action::Keep)
    );
    if others > 0 {
        let _ = write!(text, "; {} of others not looked at", count(others, "connector"));
    }
    text.push('\n');
    text
}

/// The same for programs.
pub(super) fn json(changes: &[Change], all: &Connectors) -> Value {
    let of = |action: Action| changes.iter().filter(|change| change.action == action).count();
    json!({
        "changes": changes.iter().map(Change::json).collect::<Vec<_>>(),
        "create": of(Action::Create),
        "update": of(Action::Update),
        "delete": of(Action::Delete),
        "unchanged": of(Action::Keep),
        "connectors": all.len(),
    })
}
