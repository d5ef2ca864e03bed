//! What moving a connector comes to, before anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use landfall_api::Properties;
use serde_json::{Map, Value, json};

use crate::admin::worker::{Ask, Connectors, Failure, Root, Status, Worker, encoded, initial_state, path_of};
use crate::config::WorkerConfig;
use crate::config::provider::variables_of;
use crate::herder::TargetState;
use crate::herder::connector_config::{HIDDEN, Submitted, check};
use crate::plugins::{Plugins, simple_name};

/// A connector that is to be moved.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    /// As it is there, with variables.
    pub(super) config: Map<String, Value>,
    /// What it should be doing.
    pub(super) target: TargetState,
    /// Whether the worker there can stop it: since Kafka 3.5.
    pub(super) stops: bool,
    /// Why it cannot be moved.
    pub(super) problems: Vec<String>,
    /// What is said of it, each with its heading.
    lines: Vec<(&'static str, String)>,
}

/// Whether both lists are those of one cluster: one of their connectors is run by the same workers.
pub(super) fn same_cluster(there: &Connectors, here: &Connectors) -> bool {
    let workers = |connector: &Value| -> BTreeSet<String> {
        let status = &connector["status"];
        let parts = std::iter::once(&status["connector"]).chain(status["tasks"].as_array().into_iter().flatten());
        parts.filter_map(|part| part["worker_id"].as_str()).map(str::to_owned).collect()
    };
    let same = |(name, there): (&String, &Value)| {
        let here = here.get(name).map(workers).unwrap_or_default();
        !here.is_empty() && here == workers(there)
    };
    there.keys().eq(here.keys()) && there.iter().any(same)
}

impl Plan {
    /// Looks at the connector `name`, of which `found` is known `there`, and which is there already if `taken`.
    pub(super) fn new(
        name: &str,
        found: &Value,
        taken: bool,
        (from, old): (&Worker, &Root),
        to: &Worker,
    ) -> Result<Self, String> {
        let config = found["info"]["config"].as_object().cloned().unwrap_or_default();
        let status = Status::of(&found["status"]);
        let mut plan = Self {
            name: name.to_owned(),
            config,
            target: TargetState::Started,
            stops: knows_stop(&old.version),
            problems: Vec::new(),
            lines: Vec::new(),
        };
        plan.state(&status);
        if found["info"]["type"] == "source" {
            plan.problems.push("it is a source connector, and only sinks can be moved".into());
            return Ok(plan);
        }
        if taken {
            plan.problems.push(format!("there is a connector of this name at {to} already"));
        }
        let hidden: Vec<_> = plan.config.iter().filter(|(_, value)| *value == HIDDEN).map(|(key, _)| key.clone()).collect();
        for key in hidden {
            plan.problems.push(format!("{from} hides the value of {key}; name it there by a config provider first"));
        }
        if plan.understood(to)? {
            plan.converters(from, to);
            plan.variables(to);
        }
        plan.offsets(from);
        Ok(plan)
    }

    /// What it is doing, and so should be doing.
    fn state(&mut self, status: &Status) {
        self.target = match status.connector.as_str() {
            "RUNNING" | "FAILED" => TargetState::Started,
            "PAUSED" => TargetState::Paused,
            "STOPPED" => TargetState::Stopped,
            other => {
                self.problems.push(format!("it is {other} and about to be something else: try again"));
                TargetState::Started
            }
        };
        self.lines.push(("state", format!("{}, {}", status.connector, status.of_tasks())));
        if let Some(trace) = &status.trace {
            self.lines.push(("failed", trace.clone()));
        }
    }

    fn class(&self) -> String {
        self.config.get("connector.class").and_then(Value::as_str).unwrap_or_default().trim().to_owned()
    }

    /// What the worker at `to` says of its configuration; whether it knows the class.
    fn understood(&mut self, to: &Worker) -> Result<bool, String> {
        let class = self.class();
        let all = to.get("/connector-plugins")?;
        let short = |class: &str| simple_name(class).trim_end_matches("Connector").to_owned();
        let meant =
            |plugin: &&Value| plugin["class"].as_str().is_some_and(|known| known == class || short(known) == short(&class));
        let exact = |plugin: &&Value| plugin["class"] == class.as_str();
        let all: Vec<&Value> = all.as_array().into_iter().flatten().collect();
        let Some(plugin) = all.iter().copied().find(exact).or_else(|| all.iter().copied().find(meant)) else {
            self.problems.push(format!("{to} has no class {class}"));
            return Ok(false);
        };
        let text = |field: &str| plugin[field].as_str().unwrap_or_default();
        self.lines.push(("class", format!("{class}, there as {} {}", text("class"), text("version"))));

        let answer = match validate(to, &class, &Value::Object(self.config.clone())) {
            Ok(answer) => answer,
            Err(failure) => {
                self.problems.push(format!("{to} cannot look at the configuration: {failure}"));
                return Ok(true);
            }
        };
        let configs: Vec<&Value> = answer["configs"].as_array().into_iter().flatten().collect();
        let defined = configs.iter().filter(|config| !config["definition"].is_null());
        let defined: BTreeSet<_> = defined.filter_map(|config| config["value"]["name"].as_str()).collect();
        let (mut unknown, mut idle) = (BTreeMap::new(), BTreeMap::new());
        let local = if to.is_landfall() { warnings(&self.config) } else { BTreeMap::new() };
        for key in self.config.keys() {
            match local.get(key) {
                Some(warning) if warning.contains("isn't a known config") => drop(unknown.insert(key, warning.as_str())),
                Some(warning) => drop(idle.insert(key, warning.as_str())),
                None if defined.contains(key.as_str()) || of_client(key) => {}
                None => drop(unknown.insert(key, "")),
            }
        }
        let keys = self.config.len() - unknown.len() - idle.len();
        self.lines.push(("keys", format!("{keys} understood, {} without effect, {} not understood", idle.len(), unknown.len())));
        for (heading, keys) in [("no effect", idle), ("unknown", unknown)] {
            for (key, warning) in keys {
                let why =
                    warning.split_once(": ").map(|(_, why)| why).or_else(|| warning.split_once("config. ").map(|(_, why)| why));
                self.lines.push((heading, why.map_or_else(|| key.clone(), |why| format!("{key}: {why}"))));
            }
        }
        for value in configs.iter().map(|config| &config["value"]) {
            let key = value["name"].as_str().unwrap_or_default();
            let errors = value["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
            self.problems.extend(errors.map(|error| {
                let error = error.trim();
                if error.contains(key) { error.to_owned() } else { format!("{key}: {error}") }
            }));
        }
        Ok(true)
    }

    /// Converters that the connector leaves to its worker have to be the same.
    fn converters(&mut self, from: &Worker, to: &Worker) {
        let left: Vec<_> =
            ["key.converter", "value.converter"].into_iter().filter(|key| !self.config.contains_key(*key)).collect();
        if left.is_empty() {
            return;
        }
        let class = self.class();
        let ask = |worker: &Worker| validate(worker, &class, &Value::Object(self.config.clone())).unwrap_or_default();
        let (there, here) = (ask(from), ask(to));
        let of = |answer: &Value, key: &str| {
            let configs = answer["configs"].as_array().into_iter().flatten();
            let mut definitions = configs.map(|config| &config["definition"]);
            let found = definitions.find(|definition| definition["name"] == key)?;
            found["default_value"].as_str().map(str::to_owned)
        };
        for key in left {
            match (of(&there, key), of(&here, key)) {
                (Some(old), Some(new)) if old != new => self.problems.push(format!(
                    "{key} is left to the worker, which has {old} at {from} and {new} at {to}: give it in the connector's configuration"
                )),
                (_, new) => {
                    let class = new.map(|class| format!(" ({class})")).unwrap_or_default();
                    let text = format!("{key} is left to the worker{class}; whether its settings are the same cannot be seen");
                    self.lines.push(("note", text));
                }
            }
        }
    }

    /// What the configuration names has to be there too. The worker says so by refusing it as a number, or not.
    fn variables(&mut self, to: &Worker) {
        let values = self.config.values().filter_map(Value::as_str);
        let all: BTreeSet<String> = values.flat_map(variables_of).map(str::to_owned).collect();
        for variable in all {
            let class = self.class();
            let probe = json!({"name": self.name, "connector.class": class, "topics": "t", "tasks.max": variable});
            match validate(to, &class, &probe) {
                Ok(answer) => {
                    let mut values = answer["configs"].as_array().into_iter().flatten().map(|config| &config["value"]);
                    let errors = values.find(|value| value["name"] == "tasks.max").map(|value| value["errors"].to_string());
                    if errors.is_some_and(|errors| errors.contains(&variable)) {
                        self.problems.push(format!("{to} has nothing for {variable}: set up its config provider"));
                    }
                }
                Err(failure) => self.problems.push(format!("{to} cannot resolve {variable}: {failure}")),
            }
        }
    }

    /// The group, which stays the same, and its offsets.
    fn offsets(&mut self, from: &Worker) {
        let group = self.config.get("consumer.override.group.id").and_then(Value::as_str);
        let group = group.map_or_else(|| format!("connect-{}", self.name), str::to_owned);
        let committed = match from.ask(Ask::Get, &format!("{}/offsets", path_of(&self.name))) {
            Err(_) => "its offsets cannot be seen there".to_owned(),
            Ok(offsets) => {
                let mut all: Vec<_> = offsets["offsets"].as_array().into_iter().flatten().filter_map(offset).collect();
                all.sort();
                let shown: Vec<_> =
                    all.iter().map(|(topic, partition, offset)| format!("{topic}-{partition} {offset}")).collect();
                if shown.is_empty() { "nothing committed yet".into() } else { format!("committed {}", shown.join(", ")) }
            }
        };
        self.lines.push(("group", format!("{group}, {committed}")));
    }

    /// For people.
    pub(super) fn describe(&self, from: &Worker, delete: bool) -> String {
        let mut text = format!("\n{}\n", self.name);
        let plan = match (self.problems.is_empty(), self.stops) {
            (false, _) => "it stays where it is".to_owned(),
            (true, true) => {
                let end = if delete { "delete it there" } else { "leave it STOPPED there" };
                format!("stop it at {from}, create it {}, {end}", initial_state(self.target))
            }
            (true, false) => format!(
                "pause it at {from}, which is too old to stop it, create it STOPPED, delete it there, then let it be {}",
                initial_state(self.target)
            ),
        };
        let problems = self.problems.iter().map(|problem| ("problem", problem.clone()));
        for (heading, line) in self.lines.iter().cloned().chain(problems).chain([("plan", plan)]) {
            let mut parts = line.lines();
            let _ = writeln!(text, "  {heading:<10}  {}", parts.next().unwrap_or_default());
            for part in parts {
                let _ = writeln!(text, "  {:<10}  {part}", "");
            }
        }
        text
    }
}

fn offset(offset: &Value) -> Option<(String, i64, i64)> {
    let (partition, offset) = (&offset["partition"], &offset["offset"]);
    let topic = partition["kafka_topic"].as_str()?.to_owned();
    Some((topic, partition["kafka_partition"].as_i64()?, offset["kafka_offset"].as_i64()?))
}

fn validate(worker: &Worker, class: &str, config: &Value) -> Result<Value, Failure> {
    worker.ask(Ask::Put(config), &format!("/connector-plugins/{}/config/validate", encoded(class)))
}

fn of_client(key: &str) -> bool {
    ["consumer.override.", "producer.override.", "admin.override."].iter().any(|prefix| key.starts_with(prefix))
}

/// What this program has to say of a configuration that is no error, by its keys.
fn warnings(config: &Map<String, Value>) -> BTreeMap<String, String> {
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let worker = [("bootstrap.servers", "localhost:1"), ("key.converter", bytes), ("value.converter", bytes)];
    let worker = worker.into_iter().chain([("offset.storage.file.filename", "unused")]);
    let worker: Properties = worker.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let submitted: Submitted = config.iter().map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned))).collect();
    let checked = WorkerConfig::parse(&worker).ok().and_then(|worker| check(&Plugins::BUILT_IN, &worker, &submitted).ok());
    let warnings = checked.map(|checked| checked.warnings).unwrap_or_default();
    // There are no config providers here.
    let warnings = warnings.into_iter().filter(|warning| !warning.contains("' keeps ${"));
    let named = warnings.filter_map(|warning| {
        let key = warning.split('\'').nth(1)?.to_owned();
        Some((key, warning))
    });
    named.collect()
}

/// Whether a worker of this version knows `PUT /connectors/<name>/stop`: Kafka 3.5, which Confluent Platform 7.5 is.
pub(super) fn knows_stop(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return true };
    let confluent = version.contains("-ccs") || version.contains("-ce");
    (major, minor) >= if confluent { (7, 5) } else { (3, 5) }
}
