//! Lists connectors, and shows one.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Session;
use super::masks::Masks;
use crate::admin::table::table;
use crate::admin::worker::Status;
use crate::admin::{Outcome, count};
use crate::plugins::simple_name;

/// All connectors, with what they are doing.
pub(super) fn list(session: &Session) -> Result<Outcome, String> {
    let all = session.connectors()?;
    let (mut rows, mut values, mut failed) = (Vec::new(), Vec::new(), 0);
    for (name, found) in &all {
        let status = Status::of(&found["status"]);
        let class = found["info"]["config"]["connector.class"].as_str().unwrap_or_default();
        let kind = found["info"]["type"].as_str().unwrap_or_default();
        failed += usize::from(status.trace.is_some());
        rows.push([name.clone(), simple_name(class).to_owned(), kind.to_owned(), status.connector.clone(), status.of_tasks()]);
        values.push(json!({
            "name": name,
            "class": class,
            "type": kind,
            "state": status.connector,
            "worker_id": found["status"]["connector"]["worker_id"],
            "tasks": found["status"]["tasks"],
        }));
    }
    let mut text = table(["NAME", "CLASS", "TYPE", "STATE", "TASKS"], &rows);
    if rows.is_empty() {
        text = format!("there are no connectors at {}; `landfall connectors apply -f FILE` makes some\n", session.worker);
    } else if failed > 0 {
        let _ = writeln!(text, "\n{} failed: `landfall connectors show NAME` says why", count(failed, "connector"));
    }
    Ok(session.outcome(text, &Value::Array(values)))
}

/// One connector, with all that its worker knows of it.
pub(super) fn show(session: &Session, name: &str) -> Result<Outcome, String> {
    let info = session.get(name, "")?;
    let status = session.get(name, "/status")?;
    // Topics may not be tracked.
    let topics = session.get(name, "/topics").unwrap_or_default();
    let topics: Vec<&str> = topics[name]["topics"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let config = info["config"].as_object().cloned().unwrap_or_default();
    let masks = Masks::of_class(session, config.get("connector.class").and_then(Value::as_str).unwrap_or_default());
    let shown = |(key, value): (String, Value)| {
        let value = value.as_str().map_or(Value::Null, |value| masks.shown(&key, value).into());
        (key, value)
    };
    let config: Map<String, Value> = config.into_iter().map(shown).collect();
    let mut value = status.clone();
    value["config"] = Value::Object(config.clone());
    value["topics"] = json!(topics);

    let text_of = |part: &Value, field: &str| part[field].as_str().unwrap_or_default().to_owned();
    let connector = &status["connector"];
    let mut text = String::new();
    for (heading, said) in [
        ("name", name.to_owned()),
        ("type", text_of(&info, "type")),
        ("state", text_of(connector, "state")),
        ("worker", text_of(connector, "worker_id")),
        ("topics", topics.join(", ")),
    ] {
        if !said.is_empty() {
            let _ = writeln!(text, "{heading:<8}{said}");
        }
    }
    let tasks: Vec<&Value> = status["tasks"].as_array().into_iter().flatten().collect();
    let rows: Vec<_> =
        tasks.iter().map(|task| [task["id"].to_string(), text_of(task, "state"), text_of(task, "worker_id")]).collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n{}", table(["TASK", "STATE", "WORKER"], &rows));
    }
    let mut failed = false;
    for part in std::iter::once(connector).chain(tasks.iter().copied()) {
        let trace = text_of(part, "trace");
        if part["state"] == "FAILED" {
            failed = true;
            let what = part["id"].as_u64().map_or_else(|| "the connector".to_owned(), |task| format!("task {task}"));
            let _ = writeln!(text, "\n{what} failed: {}", trace.trim_end());
        }
    }
    let keys: Vec<_> = config.iter().map(|(key, value)| [key.clone(), value.as_str().unwrap_or("null").to_owned()]).collect();
    let _ = write!(text, "\n{}", table(["KEY", "VALUE"], &keys));
    if failed {
        let _ = writeln!(text, "\nWhen the cause is gone: `landfall connectors restart {name} --failed --wait`");
    }
    Ok(session.outcome(text, &value))
}
