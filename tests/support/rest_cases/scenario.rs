//! The requests, as the files of `tests/rest/scenarios` have them: one request in a line.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::folder;

/// One request.
#[derive(Debug)]
pub(crate) struct Step {
    /// The file it stands in, without its ending.
    pub(crate) file: String,
    pub(crate) id: String,
    pub(crate) tags: Vec<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    /// What it brings about.
    pub(crate) then: Vec<Wait>,
}

/// A line of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    /// The method and the path.
    request: String,
    /// `Content-Type` is application/json when there is a body and nothing else is said here; null is none.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// A body of JSON. An object with the member `like` is that of this name in bodies.json, with the other members on top and without
    /// those that `without` names.
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    /// A body as it stands here.
    text: Option<String>,
    /// A body that is no text: a character for a byte.
    bytes: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    then: Vec<Wait>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What is to hold before the next request is made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Wait {
    /// The state of a connector and of its tasks.
    Status(Status),
    /// There is no such connector, and no status of it.
    Gone(String),
    /// There is such a connector.
    Listed(String),
    /// The topics that a connector has consumed.
    Topics { of: String, are: Vec<String> },
    /// The offsets that a connector has committed.
    Offsets { of: String, are: BTreeMap<String, i64> },
    /// A value of a connector's configuration.
    Config { of: String, key: String, is: Option<String> },
    /// The level of a logger.
    Logger { of: String, is: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    of: String,
    is: String,
    /// The state of each task, where it is another.
    each: Option<String>,
    /// How many tasks there are.
    tasks: Option<usize>,
    /// For so many seconds: where the state is the same before and after, and what happens in between does not show.
    #[serde(rename = "for", default)]
    hold: f64,
}

impl Wait {
    /// How long it has to hold.
    pub(crate) fn hold(&self) -> std::time::Duration {
        let seconds = if let Self::Status(status) = self { status.hold } else { 0.0 };
        std::time::Duration::from_secs_f64(seconds)
    }

    /// Whether it holds now; `get` asks the worker.
    pub(crate) fn holds(&self, get: impl Fn(&str) -> (u16, Value)) -> bool {
        let of = |name: &str, what: &str| get(&format!("/connectors/{}{what}", encoded(name)));
        let listed = |name: &str| get("/connectors").1.as_array().is_some_and(|all| all.contains(&Value::from(name)));
        match self {
            Self::Status(Status { of: name, is, each, tasks, .. }) => {
                let (status, body) = of(name, "/status");
                let each = each.as_ref().unwrap_or(is);
                let all = body["tasks"].as_array().cloned().unwrap_or_default();
                status == 200
                    && body["connector"]["state"] == is.as_str()
                    && tasks.is_none_or(|count| count == all.len())
                    && all.iter().all(|task| task["state"] == each.as_str())
            }
            Self::Gone(name) => !listed(name) && of(name, "/status").0 == 404,
            Self::Listed(name) => listed(name),
            Self::Topics { of: name, are } => {
                let mut there: Vec<_> = texts(&of(name, "/topics").1[name]["topics"]);
                there.sort();
                there == *are
            }
            Self::Offsets { of: name, are } => {
                let all = of(name, "/offsets").1["offsets"].as_array().cloned().unwrap_or_default();
                let one = |o: &Value| {
                    let topic = o["partition"]["kafka_topic"].as_str()?;
                    Some((format!("{topic}-{}", o["partition"]["kafka_partition"]), o["offset"]["kafka_offset"].as_i64()?))
                };
                all.iter().filter_map(one).collect::<BTreeMap<_, _>>() == *are
            }
            Self::Config { of: name, key, is } => of(name, "/config").1.get(key).and_then(Value::as_str) == is.as_deref(),
            Self::Logger { of: name, is } => get(&format!("/admin/loggers/{name}")).1["level"] == is.as_str(),
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// A name as a segment of a path.
fn encoded(name: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    name.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The names of the files with requests, in the order in which they are made.
pub(crate) fn files() -> Vec<String> {
    let all = fs::read_dir(folder().join("scenarios")).expect("tests/rest/scenarios");
    let names = all.map(|file| file.expect("a file").file_name().into_string().expect("a name of text"));
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned)).collect();
    names.sort();
    names
}

/// All requests.
pub(crate) fn steps() -> Vec<Step> {
    let read = |name: &str| fs::read_to_string(folder().join("scenarios").join(name)).expect("a file of scenarios");
    let bodies: Map<String, Value> = serde_json::from_str(&read("bodies.json")).expect("bodies.json");
    let mut steps: Vec<Step> = Vec::new();
    for file in files() {
        for (n, line) in read(&format!("{file}.jsonl")).lines().enumerate() {
            let line = serde_json::from_str(line).unwrap_or_else(|e| panic!("{file}.jsonl, line {}: {e}", n + 1));
            let step = step(&file, line, &bodies);
            assert!(steps.iter().all(|other| other.id != step.id), "{} is there twice", step.id);
            steps.push(step);
        }
    }
    steps
}

fn step(file: &str, line: Line, bodies: &Map<String, Value>) -> Step {
    let Line { id, request, mut headers, body, text, bytes, tags, then } = line;
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let body = body.map(|body| whole(body, bodies).to_string().into_bytes());
    let body =
        body.or(text.map(String::into_bytes)).or(bytes.map(|b| b.chars().map(|c| u8::try_from(c).expect("a byte")).collect()));
    if body.is_some() {
        headers.entry("Content-Type".into()).or_insert_with(|| Some("application/json".into()));
    }
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Step { file: file.to_owned(), id, tags, method: method.into(), path: path.into(), headers, body, then }
}

/// `value` with what it is like put in.
fn whole(value: Value, bodies: &Map<String, Value>) -> Value {
    match value {
        Value::Array(all) => all.into_iter().map(|value| whole(value, bodies)).collect(),
        Value::Object(mut own) => {
            let like = own.remove("like");
            let without = own.remove("without").unwrap_or_default();
            let own: Map<_, _> = own.into_iter().map(|(key, value)| (key, whole(value, bodies))).collect();
            let Some(like) = like else { return Value::Object(own) };
            let mut all = bodies[like.as_str().expect("a name")].as_object().expect("an object").clone();
            all.extend(own);
            all.retain(|key, _| !texts(&without).contains(key));
            Value::Object(all)
        }
        other => other,
    }
}
