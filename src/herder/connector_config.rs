//! What every sink connector's configuration has (`ConnectorConfig` and `SinkConnectorConfig` of Kafka 4.3.1), and its validation.

use std::collections::{BTreeMap, BTreeSet};

use landfall_api::config::{Class, with_prefix};
use landfall_api::{Faults, Key, Kind, Properties, Role, SinkConnector, config};

use super::Error;
use crate::config::{OverridePolicy, WorkerConfig, shows_secret, sounds_secret};
use crate::convert;
use crate::kafka::pattern::Pattern;
use crate::plugins::Plugins;

/// A configuration as a request brings it: JSON knows null values.
pub type Submitted = BTreeMap<String, Option<String>>;

/// A JSON value as the text that Java makes of it; a nested value is given back.
///
/// # Errors
/// The value is an object or an array.
pub fn text_of(value: serde_json::Value) -> Result<Option<String>, serde_json::Value> {
    use serde_json::Value;
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(on) => Ok(Some(on.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        nested => Err(nested),
    }
}

/// What a secret is shown as; submitted again, it means the value that is stored.
pub const HIDDEN: &str = "[hidden]";

config! {
    /// The keys that every sink connector has.
    pub struct ConnectorKeys {
        /// The connector's name, unique in the cluster.
        name: String = "name" { required: true, importance: High, group: "Common", display: "Connector name", valid: By(printable) };
        /// The connector's class, by its Java name or an alias: the name without its package, with or without `Connector`.
        class: String = "connector.class" { required: true, importance: High, group: "Common", width: landfall_api::Width::Long, display: "Connector class" };
        /// The connector's version.
        version: Option<String> = "connector.plugin.version" { group: "Common", display: "Connector version" };
        /// The most tasks that the connector runs.
        tasks_max: i32 = "tasks.max" {
            default: Some("1"), importance: High, group: "Common", width: landfall_api::Width::Short, display: "Tasks max", valid: By(task_count)
        };
        /// Whether tasks.max is enforced. Deprecated in Kafka; no connector here makes more tasks.
        tasks_max_enforce: bool = "tasks.max.enforce" {
            default: Some("true"), importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Enforce tasks max"
        };
        /// Class that converts keys; the worker's if it is not given.
        key_converter: Option<Class> = "key.converter" {
            importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Key converter class"
        };
        /// Version of the key converter.
        key_converter_version: Option<String> = "key.converter.plugin.version" {
            importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Key converter version"
        };
        /// Class that converts values; the worker's if it is not given.
        value_converter: Option<Class> = "value.converter" {
            importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Value converter class"
        };
        /// Version of the value converter.
        value_converter_version: Option<String> = "value.converter.plugin.version" {
            importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Value converter version"
        };
        /// Class that converts headers; the worker's if it is not given.
        header_converter: Option<Class> = "header.converter" {
            importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Header converter class"
        };
        /// Version of the header converter.
        header_converter_version: Option<String> = "header.converter.plugin.version" {
            importance: Low, group: "Common", width: landfall_api::Width::Short, display: "Header converter version"
        };
        /// Aliases of the transforms that records go through. Not supported yet.
        transforms: Vec<String> = "transforms" {
            default: Some(""), importance: Low, group: "Transforms", width: landfall_api::Width::Long, display: "Transforms"
        };
        /// Aliases of the predicates that transforms use. Not supported yet.
        predicates: Vec<String> = "predicates" {
            default: Some(""), importance: Low, group: "Predicates", width: landfall_api::Width::Long, display: "Predicates"
        };
        /// What happens when a value of a config provider changes.
        config_action_reload: String = "config.action.reload" {
            default: Some("restart"), importance: Low, group: "Common", display: "Reload Action", valid: OneOf(&["none", "restart"])
        };
        /// Milliseconds for which a failed operation is tried again; -1 for ever. Not supported yet.
        errors_retry_timeout: i64 = "errors.retry.timeout" { default: Some("0"), group: "Error Handling", display: "Retry Timeout for Errors" };
        /// The most milliseconds between tries. Not supported yet.
        errors_retry_delay_max_ms: i64 = "errors.retry.delay.max.ms" {
            default: Some("60000"), group: "Error Handling", display: "Maximum Delay Between Retries for Errors"
        };
        /// What happens to a record with an error: none fails the task, all skips the record. Only none is supported yet.
        errors_tolerance: String = "errors.tolerance" {
            default: Some("none"), group: "Error Handling", width: landfall_api::Width::Short, display: "Error Tolerance", valid: OneOf(&["none", "all"])
        };
        /// Whether errors that are tolerated are logged. Not supported yet.
        errors_log_enable: bool = "errors.log.enable" {
            default: Some("false"), group: "Error Handling", width: landfall_api::Width::Short, display: "Log Errors"
        };
        /// Whether what is logged of an error has the record in it. Not supported yet.
        errors_log_include_messages: bool = "errors.log.include.messages" {
            default: Some("false"), group: "Error Handling", width: landfall_api::Width::Short, display: "Log Error Details"
        };
        /// The topics to consume, separated by commas.
        topics: Vec<String> = "topics" { default: Some(""), importance: High, group: "Common", width: landfall_api::Width::Long, display: "Topics" };
        /// A regular expression in Java's syntax: every topic whose whole name matches it is consumed, also one that appears later.
        topics_regex: String = "topics.regex" {
            default: Some(""), importance: High, group: "Common", width: landfall_api::Width::Long, display: "Topics regex",
            valid: By(regex)
        };
        /// The topic that refused records go to. Not supported yet.
        dead_letter_topic: String = "errors.deadletterqueue.topic.name" {
            default: Some(""), group: "Error Handling", display: "Dead Letter Queue Topic Name"
        };
        /// Replication factor with which that topic is created. Not supported yet.
        dead_letter_replication: i16 = "errors.deadletterqueue.topic.replication.factor" {
            default: Some("3"), group: "Error Handling", display: "Dead Letter Queue Topic Replication Factor"
        };
        /// Whether refused records get headers that say why. Not supported yet.
        dead_letter_headers: bool = "errors.deadletterqueue.context.headers.enable" {
            default: Some("false"), group: "Error Handling", display: "Enable Error Context Headers"
        };
    }
}

/// The most tasks of a connector. Java has no bound, but each is a consumer with threads and memory of its own.
const MOST_TASKS: i32 = 1000;

fn task_count(raw: &str) -> Result<(), String> {
    match raw.trim().parse() {
        Ok(1..=MOST_TASKS) => Ok(()),
        Ok(n) if n > MOST_TASKS => Err(format!("Value must be at most {MOST_TASKS}")),
        _ => Err("Value must be at least 1".into()),
    }
}

fn printable(raw: &str) -> Result<(), String> {
    if raw.is_empty() {
        return Err("String may not be empty".into());
    }
    let control: Vec<_> = raw.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
    if control.is_empty() {
        return Ok(());
    }
    Err(format!("String may not contain control sequences but had the following ASCII chars: {}", control.join(", ")))
}

/// Java's `RegexValidator`.
fn regex(raw: &str) -> Result<(), String> {
    Pattern::compile(raw).map(drop).map_err(|why| format!("Invalid regex: {why}"))
}

/// A configuration that was looked at.
pub struct Checked {
    /// Its class.
    pub sink: &'static dyn SinkConnector,
    /// What it says.
    pub properties: Properties,
    /// All that is wrong with it, in the order of the keys.
    pub faults: Faults,
    /// What the user should know and is no error.
    pub warnings: Vec<String>,
}

/// Looks at a configuration as Java does before it creates or changes a connector.
///
/// # Errors
/// It names no class or one that is not there. Everything else is in [`Checked::faults`].
pub fn check(plugins: &Plugins, worker: &WorkerConfig, submitted: &Submitted) -> Result<Checked, Error> {
    let class = match submitted.get("connector.class") {
        Some(Some(class)) => class,
        _ => return Err(Error::BadRequest(format!("Connector config {} contains no connector type", printed(submitted)))),
    };
    let sink = plugins.sink(class.trim()).ok_or_else(|| Error::BadRequest(unknown_class(plugins, class)))?;
    let properties: Properties = submitted.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect();

    let mut faults = Faults::default();
    let mut trimmed = properties.clone();
    if let Some(name) = trimmed.get_mut("name") {
        *name = name.trim().to_owned();
    }
    ConnectorKeys::parse(&trimmed, &mut faults);
    // Java's range validator complains of the null that a number which is none became.
    if let Some(at) = faults.0.iter().position(|f| f.key == "tasks.max" && f.message.contains("Not a number")) {
        let message = "Invalid value null for configuration tasks.max: Value must be non-null".into();
        faults.0.insert(at + 1, landfall_api::Fault { key: "tasks.max".into(), message });
    }
    topics(&properties, &mut faults);
    dead_letter_topic(&properties, &mut faults);
    not_yet(&properties, &mut faults);
    version(sink, &properties, &mut faults);
    overrides(worker, &properties, &mut faults);
    faults.0.extend(sink.validate(&properties).0);
    faults.0.extend(converter_faults(plugins, &worker.given, &properties).0);
    for (key, value) in submitted {
        if value.is_none() {
            faults.0.retain(|fault| fault.key != *key || !fault.message.starts_with("Missing required"));
            faults.push(key, "Null value can not be supplied as the configuration value.");
        }
        if value.as_deref() == Some(HIDDEN) && Secrets::of(plugins, &properties).has(key) {
            faults.push(key, format!("Invalid value {HIDDEN} for configuration {key}: there is no stored value to keep"));
        }
    }
    let keys: Vec<_> = ConnectorKeys::KEYS.iter().copied().chain(sink.keys()).map(|key| key.name).collect();
    faults.0.sort_by_key(|fault| keys.iter().position(|key| *key == fault.key).unwrap_or(usize::MAX));

    for secret in properties.values().map(|value| value.trim()).filter(|value| shows_secret(value)) {
        faults.0.iter_mut().for_each(|fault| fault.message = fault.message.replace(secret, HIDDEN));
    }

    let mut warnings = sink.warnings(&properties);
    warnings.extend(unknown(plugins, sink, &properties));
    let without_effect = properties.keys().filter(|k| k.starts_with("producer.override.") || k.starts_with("admin.override."));
    warnings.extend(without_effect.map(|key| format!("The configuration '{key}' has no effect: no dead letter queue yet")));
    Ok(Checked { sink, properties, faults, warnings })
}

/// Warnings about keys that nobody reads.
fn unknown(plugins: &Plugins, sink: &dyn SinkConnector, properties: &Properties) -> Vec<String> {
    let mut known: BTreeSet<String> =
        ConnectorKeys::KEYS.iter().copied().chain(sink.keys()).map(|key| key.name.to_owned()).collect();
    let mut idle = Vec::new();
    for role in [Role::Key, Role::Value, Role::Header] {
        let class = convert::key(role);
        match properties.get(class) {
            Some(name) => {
                let keys = plugins.converter(name.trim()).map(landfall_api::ConverterClass::keys).unwrap_or_default();
                known.extend(keys.iter().map(|key| format!("{class}.{}", key.name)));
            }
            None => {
                let own = properties.keys().filter(|key| key.starts_with(&format!("{class}.")) && !known.contains(*key));
                idle.extend(own.map(|key| (key, class)));
            }
        }
    }
    let without = |&(key, class): &(&String, &str)| {
        format!("The configuration '{key}' has no effect: the worker's {class} counts unless {class} is given too")
    };
    let mut warnings: Vec<_> = idle.iter().map(without).collect();
    // What begins so is looked at elsewhere.
    let elsewhere = ["consumer.override.", "producer.override.", "admin.override.", "confluent."];
    let unknown =
        properties.keys().filter(|key| !known.contains(*key) && !elsewhere.iter().any(|prefix| key.starts_with(prefix)));
    let unknown = unknown.filter(|key| !idle.iter().any(|(idle, _)| idle == key));
    warnings.extend(unknown.map(|key| format!("The configuration '{key}' was supplied but isn't a known config.")));
    warnings
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked").field("sink", &self.sink.class()).field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// As Java prints a map, but only values that cannot be secrets.
fn printed(submitted: &Submitted) -> String {
    let harmless = |key: &str| ConnectorKeys::KEYS.iter().any(|k| k.name == key);
    let entries = submitted.iter().map(|(key, value)| match value {
        None => format!("{key}=null"),
        Some(value) if harmless(key) => format!("{key}={value}"),
        Some(_) => format!("{key}={HIDDEN}"),
    });
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

fn unknown_class(plugins: &Plugins, class: &str) -> String {
    let described = plugins.sinks.iter().map(|sink| {
        let (class, version) = (sink.class(), sink.version());
        format!(
            "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, type=sink, \
             typeName='sink', location='landfall'}}"
        )
    });
    let available = described.collect::<Vec<_>>().join(", ");
    format!(
        "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {available}"
    )
}

/// The topics that `topics` lists.
#[must_use]
pub fn topics_of(properties: &Properties) -> Vec<String> {
    let raw = properties.get("topics").map_or("", |raw| raw.trim());
    raw.split(',').map(str::trim).filter(|topic| !topic.is_empty()).map(str::to_owned).collect()
}

fn topics(properties: &Properties, faults: &mut Faults) {
    let given = |key: &str| properties.get(key).is_some_and(|value| !value.trim().is_empty());
    let both = |faults: &mut Faults, message: &str| {
        faults.push("topics", message);
        faults.push("topics.regex", message);
    };
    match (given("topics"), given("topics.regex")) {
        (true, true) => both(faults, "topics and topics.regex are mutually exclusive options, but both are set."),
        (false, false) => both(faults, "Must configure one of topics or topics.regex"),
        (false, true) => {}
        (true, false) => {
            let items: Vec<_> = properties["topics"].trim().split(',').map(str::trim).collect();
            if items.iter().collect::<BTreeSet<_>>().len() < items.len() {
                faults.push("topics", "Configuration 'topics' values must not be duplicated.");
            } else if items.contains(&"") {
                faults.push("topics", "Configuration 'topics' values must not be empty.");
            }
            for topic in items.iter().filter(|topic| !topic.is_empty()) {
                if let Err(reason) = legal_topic(topic) {
                    faults.push("topics", format!("Invalid value {topic} for configuration topics: {reason}"));
                }
            }
        }
    }
}

/// The dead letters of a connector are not to come back to it.
fn dead_letter_topic(properties: &Properties, faults: &mut Faults) {
    let given = |key: &str| properties.get(key).filter(|value| !value.trim().is_empty());
    let Some(topic) = given("errors.deadletterqueue.topic.name").map(|topic| topic.trim()) else { return };
    if given("topics").is_some() && topics_of(properties).iter().any(|consumed| consumed == topic) {
        let topics = &properties["topics"];
        let message = format!(
            "The DLQ topic '{topic}' may not be included in the list of topics ('topics={topics}') consumed by the connector"
        );
        faults.push("topics", message);
    }
    // Java answers a regex that it cannot read with an internal error here; it has a fault of its own already
    let regex = given("topics.regex").and_then(|regex| Pattern::compile(regex).ok());
    if let Some(regex) = regex.filter(|regex| regex.matches(topic) == Ok(true)) {
        let message = format!(
            "The DLQ topic '{topic}' may not be matched by the regex for the topics ('topics.regex={}') consumed by the connector",
            regex.as_str()
        );
        faults.push("topics.regex", message);
    }
}

/// Kafka's rule for names of topics. What it allows is a harmless name of a folder too.
fn legal_topic(topic: &str) -> Result<(), &'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match topic {
        "." | ".." => Err("a topic cannot be '.' or '..'"),
        long if long.len() > 249 => Err("a topic's name has at most 249 characters"),
        other if !other.chars().all(legal) => Err("a topic's name has only ASCII letters, digits, '.', '_' and '-'"),
        _ => Ok(()),
    }
}

/// Refuses what changes the fate of records and is not here yet, so that nobody takes it for done.
fn not_yet(properties: &Properties, faults: &mut Faults) {
    for key in
        ConnectorKeys::KEYS.iter().filter(|k| k.name.starts_with("errors.") || ["transforms", "predicates"].contains(&k.name))
    {
        let Some(given) = properties.get(key.name).map(|v| v.trim()) else { continue };
        let default = key.default.unwrap_or_default();
        let faulty = faults.0.iter().any(|f| f.key == key.name);
        if !given.eq_ignore_ascii_case(default) && !faulty {
            let only = if default.is_empty() { "leave it out".to_owned() } else { format!("only {default} is") };
            faults.push(key.name, format!("Invalid value {given} for configuration {}: not supported yet, {only}", key.name));
        }
    }
}

/// Versions of plugins (KIP-891): there is one of each.
fn version(sink: &dyn SinkConnector, properties: &Properties, faults: &mut Faults) {
    let ours = env!("CARGO_PKG_VERSION");
    let versions = [
        ("connector.plugin.version", sink.version()),
        ("key.converter.plugin.version", ours),
        ("value.converter.plugin.version", ours),
        ("header.converter.plugin.version", ours),
    ];
    for (key, version) in versions {
        let Some(wanted) = properties.get(key).map(|v| v.trim()).filter(|v| !["", "latest", version].contains(v)) else {
            continue;
        };
        faults.push(key, format!("Plugin not found that matches the version range {wanted}, available versions: [{version}]"));
    }
}

fn overrides(worker: &WorkerConfig, properties: &Properties, faults: &mut Faults) {
    let keys = &worker.keys;
    let Ok(policy) = OverridePolicy::parse(&keys.connector_client_policy, &keys.connector_client_allowlist) else { return };
    for key in with_prefix(properties, "consumer.override.").keys().filter(|key| !policy.allows(key)) {
        let message =
            format!("The '{}' policy does not allow '{key}' to be overridden in the connector configuration.", policy.name());
        faults.push(format!("consumer.override.{key}"), message);
    }
}

/// All that is wrong with the converters that a connector would get.
#[must_use]
pub fn converter_faults(plugins: &Plugins, worker: &Properties, connector: &Properties) -> Faults {
    let mut faults = Faults::default();
    for role in [Role::Key, Role::Value, Role::Header] {
        let (class, properties) = convert::configured(role, worker, connector);
        let key = convert::key(role);
        match plugins.converter_for(role, &class) {
            Err(why) => faults.push(key, why),
            Ok(found) => {
                let own = found.build(&properties, role).err().unwrap_or_default();
                faults.0.extend(own.0.into_iter().map(|f| landfall_api::Fault { key: format!("{key}.{}", f.key), ..f }));
            }
        }
    }
    faults
}

/// Which keys of a configuration hold secrets.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<String, Kind>);

impl Secrets {
    /// By what the classes that `properties` names declare.
    #[must_use]
    pub fn of(plugins: &Plugins, properties: &Properties) -> Self {
        let base = ConnectorKeys::KEYS.iter().map(|key| (key.name.to_owned(), key.kind));
        let mut declared: BTreeMap<_, _> = base.collect();
        let sink = properties.get("connector.class").and_then(|class| plugins.sink(class.trim()));
        declared.extend(sink.iter().flat_map(|s| s.keys()).map(|key: Key| (key.name.to_owned(), key.kind)));
        for role in [Role::Key, Role::Value, Role::Header] {
            let prefix = convert::key(role);
            let class = properties.get(prefix).and_then(|class| plugins.converter(class.trim()));
            declared.extend(class.iter().flat_map(|c| c.keys()).map(|key| (format!("{prefix}.{}", key.name), key.kind)));
        }
        Self(declared)
    }

    /// Whether `key` holds one: it is declared as a password, or nobody declares it and it sounds like one.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).map_or_else(|| sounds_secret(key), |kind| *kind == Kind::Password)
    }

    /// `properties` as they may be shown.
    #[must_use]
    pub fn hide(&self, properties: &Properties) -> Properties {
        let shown =
            |key: &str, value: &str| if self.has(key) || shows_secret(value) { HIDDEN.to_owned() } else { value.to_owned() };
        properties.iter().map(|(key, value)| (key.clone(), shown(key, value))).collect()
    }

    /// Puts the stored values in the place of those that a client read as hidden and sends back.
    pub fn restore(&self, stored: &Properties, submitted: &mut Submitted) {
        for (key, value) in submitted.iter_mut().filter(|(_, value)| value.as_deref() == Some(HIDDEN)) {
            if let Some(secret) = stored.get(key).filter(|secret| self.has(key) || shows_secret(secret)) {
                *value = Some(secret.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
