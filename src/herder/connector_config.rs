//! What every sink connector's configuration has (`ConnectorConfig` and `SinkConnectorConfig` of Kafka 4.3.1), and its validation.

mod keys;
mod nulls;
mod reached;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use landfall_api::config::with_prefix;
use landfall_api::{Effect, Fault, Faults, Kind, Properties, Role, SinkConnector};

use super::Error;
use crate::config::provider::Resolved;
use crate::config::{OverridePolicy, WorkerConfig, hint_missing, nearest, shows_secret, unknown_key};
use crate::convert;
use crate::kafka;
use crate::kafka::pattern::Pattern;
use crate::plugins::{Plugins, is_no_plugin, simple_name};
use crate::transform::{self, Chain, TransformKeys};

pub use keys::ConnectorKeys;
pub use reached::reached;
pub use secrets::Secrets;

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

/// `text` without what Java's `String.trim` takes off its ends: blanks and control characters.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// The key by which a connector says its consumer group.
pub const CONSUMER_GROUP: &str = "consumer.override.group.id";

/// The key by which a connector says who applies it from files.
pub const APPLIED_BY: &str = "landfall.applied.by";

/// What a secret is shown as; submitted again, it means the value that is stored.
pub const HIDDEN: &str = "[hidden]";

/// A configuration that was looked at.
pub struct Checked {
    /// Its class.
    pub sink: &'static dyn SinkConnector,
    /// What it says.
    pub properties: Properties,
    /// The same with what config providers give. Never shown.
    pub resolved: Resolved,
    /// The keys that it gives null.
    pub nulls: BTreeSet<String>,
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
        _ => {
            let other = |key: &&String| *key != "connector.class" && nearest(key, ["connector.class"]).is_some();
            let meant = submitted.keys().find(other);
            let hint = meant.map(|given| format!(". Is '{given}' meant for connector.class?")).unwrap_or_default();
            let config = printed(submitted);
            return Err(Error::BadRequest(format!("Connector config {config} contains no connector type{hint}")));
        }
    };
    let given: Properties = submitted.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect();
    let (resolved, unresolved) = worker.providers.look_up(&given);
    let properties = resolved.properties.clone();
    let sink = plugins.sink_of(&properties).ok_or_else(|| {
        let unresolved = unresolved.0.iter().find(|fault| fault.key == "connector.class");
        Error::BadRequest(unresolved.map_or_else(|| no_connector(plugins, class), |fault| fault.message.clone()))
    })?;
    if !unresolved.is_empty() {
        // More could only be said of values that it will not have.
        let nulls = null_keys(submitted);
        return Ok(Checked { sink, properties: given, resolved, nulls, faults: unresolved, warnings: Vec::new() });
    }

    let mut faults = Faults::default();
    let mut parsed = properties.clone();
    if let Some(name) = parsed.get_mut("name") {
        *name = trimmed(name).to_owned();
    }
    ConnectorKeys::parse(&parsed, &mut faults);
    topics(&properties, &mut faults);
    faults.0.extend(Chain::new(plugins, &properties).err().unwrap_or_default().0);
    dead_letter_topic(&properties, &mut faults);
    version(plugins, sink, &properties, &mut faults);
    overrides(worker, &properties, &mut faults);
    group(worker, &properties, &mut faults);
    faults.0.extend(sink.validate(&properties).0);
    faults.0.extend(converter_faults(plugins, &worker.given, &properties).0);
    worker.reach.check(&reached(plugins, &properties), &mut faults);
    nulls::given(sink, submitted, &mut faults);
    for (key, value) in submitted {
        if value.as_deref() == Some(HIDDEN) && Secrets::of(plugins, &properties).has(key) {
            faults.push(key, format!("Invalid value {HIDDEN} for configuration {key}: there is no stored value to keep"));
        }
    }
    let declared: Vec<_> = ConnectorKeys::KEYS.iter().copied().chain(sink.keys()).collect();
    nulls::missing(plugins, &properties, &mut faults);
    nulls::numbers(&declared, &mut faults);
    let keys: Vec<_> = declared.iter().map(|key| key.name).collect();
    let known = known(plugins, sink, &properties);
    hint_missing(&mut faults, &properties.keys().filter(|key| !known.contains(*key)).map(String::as_str).collect::<Vec<_>>());
    faults.0.sort_by_key(|fault| keys.iter().position(|key| *key == fault.key).unwrap_or(usize::MAX));

    for secret in properties.values().map(|value| value.trim()).filter(|value| shows_secret(value)) {
        faults.0.iter_mut().for_each(|fault| fault.message = fault.message.replace(secret, HIDDEN));
    }

    let provided = resolved.provided.and(&worker.provided);
    provided.hide_in(&mut faults);

    let mut warnings = sink.warnings(&properties);
    warnings.extend(unknown(plugins, sink, &properties));
    for key in ConnectorKeys::KEYS {
        let given = properties.get(key.name).map(|value| value.trim());
        if let (Effect::Nothing(why), Some(_)) = (key.effect, given.filter(|given| Some(*given) != key.default)) {
            warnings.push(format!("The configuration '{}' has no effect: {why}", key.name));
        }
    }
    let letters = has_dead_letters(&properties);
    let of_letters = |key: &&String| key.starts_with("producer.override.") || key.starts_with("admin.override.");
    let without_effect = properties.keys().filter(|key| !letters && of_letters(key));
    warnings.extend(without_effect.map(|key| format!("The configuration '{key}' has no effect: there is no dead letter queue")));
    warnings.iter_mut().for_each(|warning| *warning = provided.hide(warning));
    warnings.extend(resolved.warnings.iter().cloned());
    Ok(Checked { sink, properties: given, resolved, nulls: null_keys(submitted), faults, warnings })
}

/// The keys that are given null.
fn null_keys(submitted: &Submitted) -> BTreeSet<String> {
    submitted.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.clone()).collect()
}

/// Warnings about keys in a worker's properties that begin with a converter's prefix and are none of the converter's.
#[must_use]
pub fn converter_warnings(plugins: &Plugins, worker: &Properties) -> Vec<String> {
    let mut warnings = Vec::new();
    for role in [Role::Key, Role::Value, Role::Header] {
        let prefix = convert::key(role);
        let (class, own) = convert::configured(role, worker, &Properties::new());
        let Some(class) = plugins.converter(&class) else { continue };
        let names: Vec<_> = convert::keys(class).iter().map(|key| format!("{prefix}.{}", key.name)).collect();
        let given = own.keys().map(|key| format!("{prefix}.{key}")).filter(|key| !names.contains(key));
        let unknown = given.filter(|key| !key.ends_with(".plugin.version"));
        warnings.extend(unknown.map(|key| unknown_key(&key, names.iter().map(String::as_str))));
    }
    warnings
}

/// The keys of the transforms and predicates that a configuration lists, by their full names.
fn link_keys(plugins: &Plugins, properties: &Properties) -> Vec<(String, Kind)> {
    let mut all = Vec::new();
    for kind in ["transforms", "predicates"] {
        for alias in transform::aliases(kind, properties) {
            let prefix = format!("{kind}.{alias}");
            let class = properties.get(&format!("{prefix}.type")).map_or("", |class| class.trim());
            let own = match kind {
                "transforms" => plugins.transform(class).map(|class| [class.keys(), TransformKeys::KEYS].concat()),
                _ => plugins.predicate(class).map(|class| class.keys().to_vec()),
            };
            all.extend(own.unwrap_or_default().iter().map(|key| (format!("{prefix}.{}", key.name), key.kind)));
            all.extend(["type", "plugin.version"].map(|name| (format!("{prefix}.{name}"), Kind::String)));
        }
    }
    all
}

/// The keys of the connector, its transforms and predicates, and the converters that it names.
fn known(plugins: &Plugins, sink: &dyn SinkConnector, properties: &Properties) -> BTreeSet<String> {
    let mut known: BTreeSet<String> =
        ConnectorKeys::KEYS.iter().copied().chain(sink.keys()).map(|key| key.name.to_owned()).collect();
    known.extend(link_keys(plugins, properties).into_iter().map(|(name, _)| name));
    for class in [Role::Key, Role::Value, Role::Header].map(convert::key) {
        if let Some(name) = properties.get(class) {
            let keys = plugins.converter(name.trim()).map(convert::keys).unwrap_or_default();
            known.extend(keys.iter().map(|key| format!("{class}.{}", key.name)));
        }
    }
    known
}

/// Warnings about keys that nobody reads.
fn unknown(plugins: &Plugins, sink: &dyn SinkConnector, properties: &Properties) -> Vec<String> {
    let known = known(plugins, sink, properties);
    let mut idle = Vec::new();
    for role in [Role::Key, Role::Value, Role::Header] {
        let class = convert::key(role);
        if !properties.contains_key(class) {
            let own = properties.keys().filter(|key| key.starts_with(&format!("{class}.")) && !known.contains(*key));
            idle.extend(own.map(|key| (key, class)));
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
    warnings.extend(unknown.map(|key| unknown_key(key, known.iter().map(String::as_str))));
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

fn no_connector(plugins: &Plugins, class: &str) -> String {
    // Java makes an instance of what is a connector by its type, and looks for a plugin of any other name.
    if class.ends_with(".SinkConnector") && is_no_plugin(class) {
        "Instantiation error".into()
    } else {
        unknown_class(plugins, class)
    }
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
    let aliases = |class: &'static str| [class, simple_name(class), simple_name(class).trim_end_matches("Connector")];
    let names: Vec<_> = plugins.sinks.iter().flat_map(|sink| aliases(sink.class())).collect();
    let near = |class| nearest(class, names.iter().copied());
    let hint = match near(class).or_else(|| near(simple_name(class))) {
        Some(meant) => format!(". Did you mean {meant}?"),
        None if class.trim_end_matches("Connector").ends_with("Source") => ". Source connectors do not run here".to_owned(),
        None => String::new(),
    };
    format!(
        "Failed to find any class that implements Connector and which name matches {class}, available connectors are: \
         {available}{hint}"
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
        let topics = topics_of(properties).join(", ");
        let message = format!(
            "The DLQ topic '{topic}' may not be included in the list of topics ('topics=[{topics}]') consumed by the connector"
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

/// Versions of plugins (KIP-891): there is one of each.
fn version(plugins: &Plugins, sink: &dyn SinkConnector, properties: &Properties, faults: &mut Faults) {
    let converter = |role| {
        let class = properties.get(convert::key(role)).and_then(|class| plugins.converter(class.trim()));
        (convert::key(role), class.map(|class| (class.class(), convert::version(class))))
    };
    let connector = ("connector.class", Some((sink.class(), sink.version())));
    let converters = [Role::Key, Role::Value, Role::Header].map(converter);
    let all = std::iter::once(connector).chain(converters).map(|(key, there)| (key.to_owned(), there));
    let links = ["transforms", "predicates"].into_iter().flat_map(|kind| {
        transform::aliases(kind, properties).into_iter().map(move |alias| {
            let key = format!("{kind}.{alias}.type");
            let class = properties.get(&key).map_or("", |class| class.trim());
            let there = match kind {
                "transforms" => plugins.transform(class).map(|class| (class.class(), class.version())),
                _ => plugins.predicate(class).map(|class| (class.class(), class.version())),
            };
            (key, there.ok())
        })
    });
    for (key, there) in all.chain(links) {
        let of_version = format!("{}.plugin.version", key.trim_end_matches(".class").trim_end_matches(".type"));
        let Some(wanted) = properties.get(&of_version).map(|v| v.trim()) else { continue };
        let Some((class, version)) = there.filter(|(_, version)| !["", "latest", *version].contains(&wanted)) else { continue };
        let range = format!("the version range [{wanted},{wanted}], available versions: [{version}]");
        let message = format!("Plugin {class} not found that matches {range}");
        faults.push(&key, message.clone());
        faults.push(of_version, message);
    }
}

fn overrides(worker: &WorkerConfig, properties: &Properties, faults: &mut Faults) {
    let keys = &worker.keys;
    let Ok(policy) = OverridePolicy::parse(&keys.connector_client_policy, &keys.connector_client_allowlist) else { return };
    // What a client refuses is better said now than by a task that fails.
    let name = properties.get("name").map_or("", |name| trimmed(name));
    let mut clients = vec![("consumer.override.", kafka::consumer_properties(&worker.given, properties, name, 0, 0))];
    if has_dead_letters(properties) {
        clients.push(("producer.override.", kafka::producer_properties(&worker.given, properties, "", 0)));
        clients.push(("admin.override.", kafka::dead_letter_admin_properties(&worker.given, properties, "", 0)));
    }
    for (prefix, settings) in clients {
        for key in with_prefix(properties, prefix).keys().filter(|key| !policy.allows(key)) {
            let message =
                format!("The '{}' policy does not allow '{key}' to be overridden in the connector configuration.", policy.name());
            faults.push(format!("{prefix}{key}"), message);
        }
        let is_own = |key: &str| properties.contains_key(key) || settings.event_hubs.is_some() && key.starts_with(prefix);
        let own = settings.faults.0.into_iter().filter(|fault| is_own(&fault.key));
        let own: Vec<_> = own.filter(|fault| faults.0.iter().all(|other| other.key != fault.key)).collect();
        faults.0.extend(own);
    }
}

/// In a cluster, the consumer group of a connector is not to be that of the workers.
fn group(worker: &WorkerConfig, properties: &Properties, faults: &mut Faults) {
    let Some(of_workers) = worker.distributed().map(|keys| &keys.group_id) else { return };
    if let Some(given) = properties.get(CONSUMER_GROUP) {
        if given == of_workers {
            faults.push(CONSUMER_GROUP, format!("Consumer group {given} conflicts with Connect worker group {of_workers}"));
        }
    } else if let Some(name) = properties.get("name").map(|name| trimmed(name))
        && *of_workers == format!("connect-{name}")
    {
        let message = format!("Consumer group for sink connector named {name} conflicts with Connect worker group {of_workers}");
        faults.push("name", message);
    }
}

/// Whether dead letters of the connector are kept.
fn has_dead_letters(properties: &Properties) -> bool {
    properties.get("errors.deadletterqueue.topic.name").is_some_and(|topic| !topic.trim().is_empty())
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
                faults
                    .0
                    .extend(own.0.into_iter().map(|Fault { key: own, message }| Fault { key: format!("{key}.{own}"), message }));
                // The worker sets it, whatever is given.
                let of_type = format!("{key}.{}", convert::TYPE.name);
                if convert::keys(found).iter().any(|key| key.name == convert::TYPE.name)
                    && let Some(Err(why)) = connector.get(&of_type).map(|given| convert::TYPE.check(given))
                {
                    let given = connector[&of_type].trim();
                    faults.push(of_type, format!("Invalid value {given} for configuration {}: {why}", convert::TYPE.name));
                }
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests;
