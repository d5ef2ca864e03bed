//! What a worker answers, in a form that is the same for every worker and every run.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};

use super::http::Reply;
use super::scenario::{Step, files};
use super::{Asked, folder};

/// An answer: its status, the headers that matter, its body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer(pub(crate) Value);

/// The headers that matter.
const HEADERS: [&str; 4] = ["content-type", "location", "allow", "www-authenticate"];
/// What the list of all classes comes after.
const AVAILABLE: &str = "available connectors are: ";
/// The answer that others are written beside.
const BASE: &str = "validate.ok";

impl Answer {
    /// The answer `reply` of a worker to `step`.
    pub(crate) fn of(step: &Step, reply: &Reply, worker: &Asked) -> Self {
        let text = |text: &str| {
            let text = text.replace(&worker.base, "<base>").replace(&worker.file.display().to_string(), "<file>");
            text.replace(worker.base.trim_start_matches("http://"), "<worker>")
        };
        let mut headers = Map::new();
        for name in HEADERS {
            if let Some(value) = reply.header(name) {
                let mut value = text(value);
                if name == "allow" {
                    let mut methods: Vec<_> = value.split(',').map(str::trim).collect();
                    methods.sort_unstable();
                    value = methods.join(",");
                }
                headers.insert(name.into(), value.into());
            }
        }
        let mut all = Map::from_iter([("status".to_owned(), json!(reply.status)), ("headers".to_owned(), headers.into())]);
        let body = text(&reply.text());
        let kind = reply.header("content-type").unwrap_or_default();
        let said = if kind.contains("json") || kind.is_empty() { serde_json::from_str(&body).ok() } else { None };
        if let Some(mut body) = said {
            in_order(&step.path, &mut body);
            all.insert("body".into(), steady(body, ""));
        } else if kind.starts_with("text/html") {
            // Only a page's title says anything.
            let title = body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
            all.insert("title".into(), title.map_or("", |(title, _)| title).into());
        } else if !body.is_empty() {
            all.insert("text".into(), body.into());
        }
        Self(all.into())
    }

    /// The paths at which `self` and `other` differ, with both values.
    pub(crate) fn differences(&self, other: &Self) -> Vec<(String, Value, Value)> {
        let mut all = Vec::new();
        differences("", &self.0, &other.0, &mut all);
        all
    }
}

/// Puts what comes in the order of a hash map into one order.
fn in_order(path: &str, body: &mut Value) {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    if path == "/connectors" {
        sort(Some(body));
    } else if path.ends_with("/offsets") {
        sort(body.get_mut("offsets"));
    } else if path.contains("/restart") {
        sort(body.get_mut("tasks"));
    } else if path.ends_with("/topics") {
        body.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(|of| sort(of.get_mut("topics")));
    } else if path.ends_with("/validate")
        && let Some(configs) = body.get_mut("configs").and_then(Value::as_array_mut)
    {
        // The connector's own come first, in their order.
        let part = |entry: &Value| part(entry["value"]["name"].as_str().unwrap_or_default());
        configs.sort_by_key(part);
        // Their groups are in the order of the keys.
        let of_parts: Vec<_> = configs.iter().filter(|e| part(e).is_some()).map(|e| e["definition"]["group"].clone()).collect();
        if let Some(groups) = body.get_mut("groups").and_then(Value::as_array_mut) {
            let first = groups.iter().position(|group| of_parts.contains(group)).unwrap_or(groups.len());
            groups[first..].sort_by_key(ToString::to_string);
        }
    }
}

/// The name of a key that belongs to a converter or a client.
fn part(name: &str) -> Option<String> {
    let parts = [
        "key.converter.",
        "value.converter.",
        "header.converter.",
        "consumer.override.",
        "producer.override.",
        "admin.override.",
    ];
    let of_part = parts.iter().any(|part| name.starts_with(part)) && !name.ends_with("converter.plugin.version");
    of_part.then(|| name.to_owned())
}

fn sort(list: Option<&mut Value>) {
    if let Some(list) = list.and_then(Value::as_array_mut) {
        list.sort_by_key(|value| (value["id"].as_u64(), steady(value.clone(), "").to_string()));
    }
}

/// A body with its members by name, and without what differs from run to run and from worker to worker by itself.
fn steady(body: Value, name: &str) -> Value {
    match body {
        Value::Object(members) => {
            let by_name: BTreeMap<_, _> = members.into_iter().collect();
            // Their words are their own.
            let members = by_name.into_iter().filter(|(name, _)| name != "documentation");
            members
                .map(|(name, value)| {
                    let value = steady(value, &name);
                    (name, value)
                })
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(all) => all.into_iter().map(|value| steady(value, name)).collect(),
        Value::String(text) => match name {
            "kafka_cluster_id" => "<cluster>".into(),
            // The first line is the exception, the others say where in whose code.
            "trace" => text.lines().next().unwrap_or_default().into(),
            // Which classes there are, and where, is asked elsewhere.
            _ => text.split_once(AVAILABLE).map_or(text.clone(), |(error, _)| format!("{error}{AVAILABLE}<classes>")).into(),
        },
        Value::Number(_) if name == "last_modified" => "<milliseconds>".into(),
        other => other,
    }
}

fn differences(path: &str, ours: &Value, java: &Value, all: &mut Vec<(String, Value, Value)>) {
    match (ours, java) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names {
                let of = |side: &Map<String, Value>| side.get(name).cloned().unwrap_or_else(|| "<absent>".into());
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differences(&path, &of(a), &of(b), all);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{n}]"), a, b, all);
            }
        }
        _ if ours == java => {}
        _ => all.push((path.to_owned(), ours.clone(), java.clone())),
    }
}

/// What Java's worker answered, by the ids of the requests.
pub(crate) fn read() -> BTreeMap<String, Answer> {
    let mut all = BTreeMap::new();
    for file in files() {
        let text =
            fs::read_to_string(folder().join(format!("answers/{file}.jsonl"))).expect("a file of answers: make rest-golden");
        for line in text.lines() {
            let mut answer: Map<String, Value> = serde_json::from_str(line).expect("a line of JSON");
            let id = answer.remove("id").and_then(|id| id.as_str().map(str::to_owned)).expect("an id");
            all.insert(id, Answer(answer.into()));
        }
    }
    let base = all.get(BASE).cloned().expect("the answer that others are like");
    all.values_mut().filter(|answer| **answer != base).for_each(|answer| unfold(&mut answer.0, &base.0));
    all
}

/// Writes the answers that [`read`] reads.
pub(crate) fn write(answers: &[(&Step, Answer)]) {
    let base = answers.iter().find(|(step, _)| step.id == BASE).map(|(_, answer)| answer.0.clone()).expect("the base");
    for file in files() {
        let mut text = String::new();
        for (step, Answer(answer)) in answers.iter().filter(|(step, _)| step.file == file) {
            let mut answer = answer.clone();
            if step.id != BASE {
                fold(&mut answer, &base);
            }
            let mut line = Map::from_iter([("id".to_owned(), Value::from(step.id.as_str()))]);
            line.extend(answer.as_object().cloned().unwrap_or_default());
            text += &format!("{}\n", Value::Object(line));
        }
        fs::write(folder().join(format!("answers/{file}.jsonl")), text).expect("a file of answers");
    }
}

fn entries(answer: &Value) -> Vec<Value> {
    answer["body"]["configs"].as_array().cloned().unwrap_or_default()
}

fn entry<'a>(base: &'a [Value], name: &Value) -> Option<&'a Value> {
    base.iter().find(|entry| entry["value"]["name"] == *name)
}

/// Of a validated key that is as in the base answer only the name is written, and only the value if that alone differs.
fn fold(answer: &mut Value, base: &Value) {
    let base = entries(base);
    for own in answer.pointer_mut("/body/configs").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = own["value"]["name"].clone();
        match entry(&base, &name) {
            Some(same) if same == own => *own = name,
            Some(same) if same["definition"] == own["definition"] => own["definition"] = "as above".into(),
            _ => {}
        }
    }
}

fn unfold(answer: &mut Value, base: &Value) {
    let base = entries(base);
    for own in answer.pointer_mut("/body/configs").and_then(Value::as_array_mut).into_iter().flatten() {
        if own.is_string() {
            *own = entry(&base, own).cloned().expect("a key of the base answer");
        } else if own["definition"] == "as above" {
            own["definition"] = entry(&base, &own["value"]["name"]).expect("a key of the base answer")["definition"].clone();
        }
    }
}
