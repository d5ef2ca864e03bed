//! Plans, without a worker.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::masks::Masks;
use super::plan::{Action, Change, Difference, Rules, describe, of_file, without_file};
use crate::herder::TargetState;
use crate::herder::connector_config::{APPLIED_BY, HIDDEN};
use crate::herder::connector_file::ConnectorFile;

const RULES: Rules<'static> = Rules { owner: "us", prune: false, confirmed: &[], send_hidden: false, restores_hidden: true };

fn file(config: &Value) -> ConnectorFile {
    let config = config.as_object().expect("an object").iter();
    ConnectorFile {
        name: "c".to_owned(),
        config: config.map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned))).collect(),
        initial_state: TargetState::Started,
        warnings: Vec::new(),
        path: PathBuf::from("c.json"),
        lines: std::collections::BTreeMap::new(),
    }
}

fn there(config: &Value, state: &str) -> Value {
    json!({"info": {"config": config, "type": "sink"}, "status": {"connector": {"state": state}, "tasks": []}})
}

fn plan(wanted: &Value, there: Option<&Value>, rules: &Rules<'_>) -> Change {
    of_file(file(wanted), there, &Masks::default(), Vec::new(), rules)
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let config = json!({"name": "c", "tasks.max": "1", "a.password": "p", "b": "${env:B}", "none": null});
    // As a worker of ours shows it, whoever made it.
    let shown = json!({"name": "c", "tasks.max": "1", "a.password": HIDDEN, "b": "${env:B}"});
    let kept = plan(&config, Some(&there(&shown, "RUNNING")), &RULES);
    assert_eq!((kept.action, kept.keys.len()), (Action::Keep, 1));
    assert_eq!(kept.keys["a.password"], Difference::Unknown);
    assert!(kept.notes[0].contains("--send-hidden"), "{:?}", kept.notes);
    let sent = plan(&config, Some(&there(&shown, "RUNNING")), &Rules { send_hidden: true, ..RULES });
    assert_eq!(sent.action, Action::Update);
    // Java shows it.
    let mut open = shown.clone();
    open["a.password"] = "p".into();
    open[APPLIED_BY] = "us".into();
    let same = plan(&config, Some(&there(&open, "RUNNING")), &Rules { restores_hidden: false, ..RULES });
    assert_eq!((same.action, same.keys.len(), same.notes.len()), (Action::Keep, 0, 0));
}

#[test]
fn differences_are_shown_key_by_key_and_secrets_are_not() {
    let shown = json!({"name": "c", "tasks.max": "1", "old": "x", "a.password": "p", "b.secret": HIDDEN, APPLIED_BY: "them"});
    let wanted = json!({"name": "c", "tasks.max": "2", "new": "y", "a.password": "q", "b.secret": "${file:f:k}"});
    let change = plan(&wanted, Some(&there(&shown, "PAUSED")), &RULES);
    let text = describe(&[change], 3);
    let expected = "\
~ update     c  (c.json)
    ~ a.password           [hidden], another one
    ~ b.secret             [hidden] -> ${file:f:k}
    ~ landfall.applied.by  them -> us
    + new                  y
    - old                  x
    ~ tasks.max            1 -> 2
    note: it is PAUSED, and stays so: `landfall connectors resume c` makes it what its file says

0 to create, 1 to update, 0 to delete, 0 unchanged; 3 connectors of others not looked at
";
    assert_eq!(text, expected);
}

#[test]
fn a_shown_secret_is_no_secret() {
    let config = json!({"name": "c", "a.password": HIDDEN});
    let there = there(&config, "RUNNING");
    assert!(plan(&config, Some(&there), &RULES).problems.is_empty());
    let java = Rules { restores_hidden: false, ..RULES };
    for change in [plan(&config, None, &RULES), plan(&config, Some(&there), &java)] {
        assert!(change.problems[0].starts_with("c.json: a.password: its value is [hidden]"), "{:?}", change.problems);
    }
}

#[test]
fn nobody_elses_connectors_are_deleted() {
    let ours = there(&json!({APPLIED_BY: "us"}), "RUNNING");
    let theirs = there(&json!({APPLIED_BY: "them"}), "RUNNING");
    let action = |found: &Value, rules: &Rules<'_>| without_file("c", found, rules).map(|change| change.action);
    assert_eq!((action(&ours, &RULES), action(&theirs, &RULES)), (Some(Action::Leave), None));
    let prune = Rules { prune: true, ..RULES };
    assert_eq!((action(&ours, &prune), action(&theirs, &prune)), (Some(Action::Delete), Some(Action::Leave)));
    let names = ["c".to_owned()];
    assert_eq!(action(&theirs, &Rules { confirmed: &names, ..prune }), Some(Action::Delete));
}
