//! Turns Java's consumer configuration into librdkafka's, key by key, with Java's defaults.
//!
//! [`KEYS`] has every key of `org.apache.kafka.clients.consumer.ConsumerConfig` (4.3.1) but those of TLS and SASL, which
//! [`security`](super::security) has. Precedence is that of `org.apache.kafka.connect.runtime.Worker.baseConsumerConfigs`:
//! Connect's own settings, the worker's `consumer.*`, the connector's `consumer.override.*`. Of the worker's other keys only
//! `bootstrap.servers` reaches a connector's consumer.

mod internal;
mod producer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landfall_api::{Faults, Properties};

use super::event_hubs::{self, EventHubs};
use super::java::CONSUMER;
use super::security::oauth::Tokens;
use super::security::{self, Client};
use super::wire;
use crate::config::{check_bootstrap_server, nearest};

pub use self::internal::{internal_consumer_properties, internal_producer_properties, is_internal};
pub use self::producer::{dead_letter_admin_properties, offsets_admin_properties, producer_properties};

/// The records of one poll unless `max.poll.records` is given. Java's 500 is for loops that look at records one by one.
const POLL_RECORDS: usize = 20_000;

/// What a consumer is made of.
#[derive(Clone, Default)]
pub struct ConsumerSettings {
    /// librdkafka's configuration.
    pub librdkafka: BTreeMap<String, String>,
    /// Where tokens come from, if the client logs in with such.
    pub(super) tokens: Option<Arc<Tokens>>,
    /// The most records that one poll gives (`max.poll.records`).
    pub max_poll_records: usize,
    /// How long a commit waits for the group's answer (`default.api.timeout.ms`).
    pub api_timeout: Duration,
    /// Whether Kafka's own topics are left out where topics are matched (`exclude.internal.topics`).
    pub exclude_internal_topics: bool,
    /// How often topics are looked at (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
    /// The namespace, if the client speaks to Event Hubs.
    pub event_hubs: Option<EventHubs>,
    /// What the user wrote that has no effect here, or another one than in Java; each names its key.
    pub warnings: Vec<String>,
    /// What is wrong; a consumer is only made if this is empty.
    pub faults: Faults,
}

impl fmt::Debug for ConsumerSettings {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(k, v): (&'_ String, &'_ String)| {
            let secret = ["password", "pem", "secret"].iter().any(|part| k.contains(part));
            (k.clone(), if secret { "[hidden]".to_owned() } else { v.clone() })
        };
        f.debug_struct("ConsumerSettings")
            .field("librdkafka", &self.librdkafka.iter().map(shown).collect::<BTreeMap<_, _>>())
            .field("max_poll_records", &self.max_poll_records)
            .field("api_timeout", &self.api_timeout)
            .field("exclude_internal_topics", &self.exclude_internal_topics)
            .field("metadata_max_age", &self.metadata_max_age)
            .field("warnings", &self.warnings)
            .field("faults", &self.faults)
            .finish()
    }
}

/// The settings of the consumer of task `task` of connector `connector_name`, from the properties of its worker and its own.
/// `queue_bytes` is what librdkafka may fetch ahead.
#[must_use]
pub fn consumer_properties(
    worker: &Properties,
    connector: &Properties,
    connector_name: &str,
    task: usize,
    queue_bytes: usize,
) -> ConsumerSettings {
    let given = Given::new(worker, connector);
    let mut to = ConsumerSettings { max_poll_records: POLL_RECORDS, ..ConsumerSettings::default() };
    let base = [
        ("bootstrap.servers", worker.get("bootstrap.servers").map_or("localhost:9092", |s| s.trim()).to_owned()),
        ("group.id", format!("connect-{connector_name}")),
        ("client.id", format!("connector-consumer-{connector_name}-{task}")),
        ("enable.auto.commit", "false".into()),
        ("enable.auto.offset.store", "false".into()),
        ("queued.min.messages", "20000".into()),
        ("queued.max.messages.kbytes", (queue_bytes / 1024).clamp(1024, 2_097_151).to_string()),
        ("fetch.queue.backoff.ms", "10".into()),
        // What a response has is in memory besides the queue, several times as large without its compression; and what is small is
        // still near the core when it is read.
        ("fetch.max.bytes", (queue_bytes / 16).clamp(1 << 20, 52_428_800).to_string()),
    ];
    to.librdkafka.extend(base.map(|(k, v)| (k.to_owned(), v)));
    for key in KEYS {
        key.apply_given(&given, &mut to);
    }
    security::apply(&given, &mut to);
    for (java, written) in given.keys() {
        if !security::is_known(java) && !KEYS.iter().any(|key| key.java == java) {
            let meant = nearest(java, CONSUMER.iter().map(|key| key.name));
            let hint = meant.map(|meant| format!(". Did you mean {meant}?")).unwrap_or_default();
            to.warnings.push(format!("{written} is not a configuration of a consumer and is not used{hint}"));
        }
    }
    event_hubs::apply(worker, &given, "consumer.override.", &mut to);
    reconcile_group(&given, &mut to);
    reconcile(&mut to);
    to
}

/// What is wrong with the keys that begin with `consumer.` in a worker's properties, whatever a connector adds.
#[must_use]
pub fn consumer_faults(worker: &Properties) -> Faults {
    let faults = consumer_properties(worker, &Properties::new(), "", 0, 0).faults.0.into_iter();
    // What is missing may be in the connectors' configurations.
    Faults(faults.filter(|fault| worker.contains_key(&fault.key)).collect())
}

/// The settings of the worker's own admin client: its keys at the top of the worker's properties, which is where Java's worker has
/// them too, and under `admin.`, which wins.
#[must_use]
pub fn admin_properties(worker: &Properties) -> ConsumerSettings {
    let given = admin_given(worker);
    let mut to = ConsumerSettings::default();
    to.set("client.id", "adminclient-1");
    for key in admin_keys() {
        key.apply_given(&given, &mut to);
    }
    security::apply(&given, &mut to);
    event_hubs::apply(worker, &given, "", &mut to);
    reconcile(&mut to);
    to
}

/// What a worker's properties say of admin clients.
fn admin_given(worker: &Properties) -> Given {
    // The REST listeners' word for the certificates of their clients.
    const NOT_OF_CLIENTS: &str = "ssl.client.auth";
    let own = |key: &str| ADMIN.contains(&key) || security::is_known(key) && key != NOT_OF_CLIENTS;
    let top = worker.iter().filter(|(key, _)| own(key)).map(|(k, v)| (k.clone(), (k.clone(), v.clone())));
    Given(top.chain(part(worker, "admin.")).collect())
}

fn admin_keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| ADMIN.contains(&key.java))
}

/// Those of [`KEYS`] that an admin client has too and that mean something to it here (`AdminClientConfig` of 4.3.1).
const ADMIN: &[&str] = &[
    "bootstrap.servers",
    "client.dns.lookup",
    "client.id",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.ms",
];

/// What the user wrote for the client: Java's key to the key as written and the value.
pub(super) struct Given(BTreeMap<String, (String, String)>);

/// The worker's own credential for Entra ID, which its clients have too unless they are given another one.
fn azure(worker: &Properties) -> impl Iterator<Item = (String, (String, String))> {
    let own = worker.iter().filter(|(key, _)| key.starts_with("landfall.azure."));
    own.map(|(key, value)| (key.clone(), (key.clone(), value.clone())))
}

/// The keys under `prefix`.
fn part(properties: &Properties, prefix: &str) -> Vec<(String, (String, String))> {
    let of = |(k, v): (&String, &String)| Some((k.strip_prefix(prefix)?.to_owned(), (k.clone(), v.clone())));
    properties.iter().filter_map(of).collect()
}

impl Given {
    fn new(worker: &Properties, connector: &Properties) -> Self {
        let given = azure(worker).chain(part(worker, "consumer.")).chain(part(connector, "consumer.override."));
        Self(given.collect())
    }

    /// Java's keys with the values that the user wrote.
    pub(super) fn java(&self) -> Properties {
        self.0.iter().map(|(java, (_, value))| (java.clone(), value.clone())).collect()
    }

    /// Java's keys, each with the key as written.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(java, (written, _))| (java.as_str(), written.as_str()))
    }

    /// The key as written and the value.
    pub(super) fn get(&self, java: &str) -> Option<(&str, &str)> {
        self.0.get(java).map(|(written, value)| (written.as_str(), value.trim()))
    }
}

/// How a key of Java's becomes librdkafka's.
enum To {
    /// Text, under this name.
    Text(&'static str),
    /// A number that Java takes from `min` and librdkafka between `low` and `high`; what Java takes beyond is brought within.
    Number { name: &'static str, java: Number, min: i64, low: i64, high: i64 },
    /// true or false.
    Switch(&'static str),
    /// One of these in any case, written so for librdkafka.
    Choice(&'static str, &'static [&'static str]),
    /// Something of its own, and what that is in words.
    By(fn(written: &str, value: &str, &mut ConsumerSettings), &'static str),
    /// No effect here, for this reason.
    Unused(&'static str),
}

/// Java's types of numbers.
#[derive(Clone, Copy)]
enum Number {
    Int,
    Long,
}

/// A key of Java's.
struct Key {
    java: &'static str,
    /// Applied when the user gives none; where it is missing, librdkafka's own or the settings above are in force.
    default: Option<&'static str>,
    to: To,
}

const fn key(java: &'static str, default: Option<&'static str>, to: To) -> Key {
    Key { java, default, to }
}

const fn int(name: &'static str, min: i64, low: i64, high: i64) -> To {
    To::Number { name, java: Number::Int, min, low, high }
}

const fn long(name: &'static str, min: i64, low: i64, high: i64) -> To {
    To::Number { name, java: Number::Long, min, low, high }
}

const NO_METRICS: &str = "metrics are the worker's own";
const BYTES: &str = "the consumer gives bytes; converters make values of them";
const SHARE: &str = "share groups are not consumer groups";
const MAX: i64 = i32::MAX as i64;
const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("allow.auto.create.topics", Some("true"), To::Switch("allow.auto.create.topics")),
    key("auto.commit.interval.ms", None, To::Unused("the worker commits, at offset.flush.interval.ms")),
    key("auto.offset.reset", Some("earliest"), To::By(auto_offset_reset, "`auto.offset.reset`: earliest or latest")),
    key("bootstrap.servers", None, To::By(bootstrap_servers, "`bootstrap.servers`")),
    key("check.crcs", Some("true"), To::Switch("check.crcs")),
    key("client.dns.lookup", None, To::Choice("client.dns.lookup", &["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
    key("client.id", None, To::Text("client.id")),
    key("client.rack", None, To::Text("client.rack")),
    key("config.providers", None, To::Unused("the worker's own config.providers resolve values")),
    key("connections.max.idle.ms", Some("540000"), long("connections.max.idle.ms", i64::MIN, 0, MAX)),
    key("default.api.timeout.ms", Some("60000"), To::By(default_api_timeout_ms, "milliseconds that a commit of offsets waits for its answer")),
    key("enable.auto.commit", None, To::By(enable_auto_commit, "no effect: offsets are committed when their records are visible")),
    key("enable.metrics.push", Some("true"), To::Switch("enable.metrics.push")),
    key("exclude.internal.topics", Some("true"), To::By(exclude_internal_topics, "whether `topics.regex` leaves out the topics that Kafka keeps for itself")),
    key("fetch.max.bytes", None, int("fetch.max.bytes", 0, 1_000_000, 2_147_483_135)),
    key("fetch.max.wait.ms", Some("500"), int("fetch.wait.max.ms", 0, 0, 300_000)),
    key("fetch.min.bytes", Some("1"), int("fetch.min.bytes", 0, 1, 100_000_000)),
    key("group.id", None, To::Text("group.id")),
    key("group.instance.id", None, To::Text("group.instance.id")),
    key("group.protocol", Some("classic"), To::Choice("group.protocol", &["classic", "consumer"])),
    key("group.remote.assignor", None, To::Text("group.remote.assignor")),
    key("heartbeat.interval.ms", Some("3000"), int("heartbeat.interval.ms", i64::MIN, 1, HOUR)),
    key("interceptor.classes", None, To::Unused("Java classes cannot run here")),
    key("isolation.level", Some("read_uncommitted"), To::Choice("isolation.level", &["read_uncommitted", "read_committed"])),
    key("key.deserializer", None, To::Unused(BYTES)),
    key("max.partition.fetch.bytes", Some("1048576"), int("max.partition.fetch.bytes", 0, 1, 1_000_000_000)),
    key("max.poll.interval.ms", Some("300000"), int("max.poll.interval.ms", 1, 1, DAY)),
    key("max.poll.records", None, To::By(max_poll_records, "the most records that are taken at once")),
    key("metadata.max.age.ms", Some("300000"), long("topic.metadata.refresh.interval.ms", 0, 1, HOUR)),
    key("metadata.recovery.rebootstrap.trigger.ms", Some("300000"), long("metadata.recovery.rebootstrap.trigger.ms", 0, 0, MAX)),
    key("metadata.recovery.strategy", Some("rebootstrap"), To::Choice("metadata.recovery.strategy", &["none", "rebootstrap"])),
    key("metric.reporters", None, To::Unused(NO_METRICS)),
    key("metrics.num.samples", None, To::Unused(NO_METRICS)),
    key("metrics.recording.level", None, To::Unused(NO_METRICS)),
    key("metrics.sample.window.ms", None, To::Unused(NO_METRICS)),
    // range is what rolling groups of Java's default (range, cooperative-sticky) and librdkafka have in common
    key("partition.assignment.strategy", Some("range"), To::By(partition_assignment_strategy, "`partition.assignment.strategy`: the names of RangeAssignor, RoundRobinAssignor and CooperativeStickyAssignor")),
    key("receive.buffer.bytes", None, int("socket.receive.buffer.bytes", -1, 0, 100_000_000)),
    key("reconnect.backoff.max.ms", Some("1000"), long("reconnect.backoff.max.ms", 0, 0, HOUR)),
    key("reconnect.backoff.ms", Some("50"), long("reconnect.backoff.ms", 0, 0, HOUR)),
    key("request.timeout.ms", Some("30000"), int("socket.timeout.ms", 0, 10, 300_000)),
    key("retry.backoff.max.ms", Some("1000"), long("retry.backoff.max.ms", 0, 1, 300_000)),
    key("retry.backoff.ms", Some("100"), long("retry.backoff.ms", 0, 1, 300_000)),
    key("send.buffer.bytes", None, int("socket.send.buffer.bytes", -1, 0, 100_000_000)),
    key("session.timeout.ms", Some("45000"), int("session.timeout.ms", i64::MIN, 1, HOUR)),
    key("share.acknowledgement.mode", None, To::Unused(SHARE)),
    key("share.acquire.mode", None, To::Unused(SHARE)),
    key("socket.connection.setup.timeout.max.ms", None, To::Unused("socket.connection.setup.timeout.ms does not grow")),
    key("socket.connection.setup.timeout.ms", Some("10000"), long("socket.connection.setup.timeout.ms", i64::MIN, 1000, MAX)),
    key("value.deserializer", None, To::Unused(BYTES)),
];

impl Key {
    /// Sets what the user gave for the key, or its default.
    fn apply_given(&self, given: &Given, to: &mut ConsumerSettings) {
        if let Some((written, value)) = given.get(self.java).or_else(|| Some((self.java, self.default?))) {
            self.apply(written, value, to);
        }
    }

    /// Sets what `value`, which the user wrote under the key `written`, means to librdkafka.
    fn apply(&self, written: &str, value: &str, to: &mut ConsumerSettings) {
        match self.to {
            To::Text(name) => to.set(name, value),
            To::Number { name, java, min, low, high } => {
                let Some(number) = number(written, value, java, min, to) else { return };
                let taken = number.clamp(low, high);
                // -1 is Java's word for "as the system has it", which is librdkafka's 0
                if taken != number && number != -1 {
                    to.warnings.push(format!("{written}={number} is taken as {taken}, the nearest value that the client has"));
                }
                to.set(name, &taken.to_string());
            }
            To::Switch(name) => match value.to_ascii_lowercase().as_str() {
                on @ ("true" | "false") => to.set(name, on),
                _ => to.refuse(written, value, "Expected value to be either true or false"),
            },
            To::Choice(name, choices) => match choices.iter().find(|c| c.eq_ignore_ascii_case(value)) {
                Some(choice) => to.set(name, choice),
                None => to.refuse(written, value, &format!("String must be one of: {}", choices.join(", "))),
            },
            To::By(apply, _) => apply(written, value, to),
            To::Unused(reason) => to.warnings.push(format!("{written} is not used: {reason}")),
        }
    }
}

/// What becomes of a key of Java's consumer in the member of a group of workers, in words.
#[must_use]
pub fn becomes_of_member(java: &str) -> String {
    if security::is_known(java) { security::becomes(java, Client::Member) } else { wire::becomes(java) }
}

/// What becomes of a key of Java's consumer, in words: what librdkafka calls it and takes, or why it has no effect. With it, the
/// default of a connector's consumer where it is not Java's.
#[must_use]
pub fn becomes(java: &str) -> (String, Option<&'static str>) {
    let Some(key) = KEYS.iter().find(|key| key.java == java) else { return (security::becomes(java, Client::Librdkafka), None) };
    let text = match key.to {
        To::Text(name) | To::Switch(name) => format!("`{name}`"),
        To::Number { name, low, high, .. } => format!("`{name}`, from {low} to {high}"),
        To::Choice(name, choices) => format!("`{name}`: {}", choices.join(" or ")),
        To::By(_, says) => says.to_owned(),
        To::Unused(reason) => format!("no effect: {reason}"),
    };
    (text, key.default)
}

impl ConsumerSettings {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.librdkafka.insert(name.to_owned(), value.to_owned());
    }

    /// Adds a fault in the words of Java's `ConfigException`.
    pub(super) fn refuse(&mut self, written: &str, value: &str, reason: &str) {
        self.faults.push(written, format!("Invalid value {value} for configuration {written}: {reason}"));
    }

    /// A number that is set; 0 if none is.
    fn number(&self, name: &str) -> i64 {
        self.librdkafka.get(name).and_then(|v| v.parse().ok()).unwrap_or(0)
    }
}

/// The number that `value` is, or a fault in Java's words.
fn number(written: &str, value: &str, java: Number, min: i64, to: &mut ConsumerSettings) -> Option<i64> {
    let (parsed, name) = match java {
        Number::Int => (value.parse::<i32>().ok().map(i64::from), "INT"),
        Number::Long => (value.parse::<i64>().ok(), "LONG"),
    };
    match parsed {
        None => to.refuse(written, value, &format!("Not a number of type {name}")),
        Some(number) if number < min => to.refuse(written, value, &format!("Value must be at least {min}")),
        Some(number) => return Some(number),
    }
    None
}

fn bootstrap_servers(written: &str, value: &str, to: &mut ConsumerSettings) {
    if value.is_empty() {
        to.refuse(written, value, "Configuration 'bootstrap.servers' must not be empty.");
    } else if let Err(why) = value.split(',').map(str::trim).try_for_each(check_bootstrap_server) {
        to.refuse(written, value, &why);
    }
    to.set("bootstrap.servers", value);
}

fn auto_offset_reset(written: &str, value: &str, to: &mut ConsumerSettings) {
    match value.to_ascii_lowercase().as_str() {
        reset @ ("earliest" | "latest") => to.set("auto.offset.reset", reset),
        _ => to.refuse(written, value, "a sink starts at earliest or latest; none and by_duration are not supported"),
    }
}

fn enable_auto_commit(written: &str, value: &str, to: &mut ConsumerSettings) {
    if !value.eq_ignore_ascii_case("false") {
        to.warnings.push(format!("{written} is not used: offsets are committed when their records are visible"));
    }
}

fn exclude_internal_topics(written: &str, value: &str, to: &mut ConsumerSettings) {
    match value.to_ascii_lowercase().parse() {
        Ok(on) => to.exclude_internal_topics = on,
        Err(_) => to.refuse(written, value, "Expected value to be either true or false"),
    }
}

fn max_poll_records(written: &str, value: &str, to: &mut ConsumerSettings) {
    if let Some(number) = number(written, value, Number::Int, 1, to) {
        to.max_poll_records = number as usize;
    }
}

fn default_api_timeout_ms(written: &str, value: &str, to: &mut ConsumerSettings) {
    if let Some(number) = number(written, value, Number::Int, 0, to) {
        to.api_timeout = Duration::from_millis(number as u64);
    }
}

/// Class names, as Java has them, or librdkafka's names. Eager and cooperative assignors do not mix, so the eager ones win.
fn partition_assignment_strategy(written: &str, value: &str, to: &mut ConsumerSettings) {
    let mut names = Vec::new();
    for class in value.split(',').map(str::trim).filter(|c| !c.is_empty()) {
        match class.strip_prefix("org.apache.kafka.clients.consumer.").unwrap_or(class) {
            "RangeAssignor" | "range" => names.push("range"),
            "RoundRobinAssignor" | "roundrobin" => names.push("roundrobin"),
            "CooperativeStickyAssignor" | "cooperative-sticky" => names.push("cooperative-sticky"),
            _ => to.warnings.push(format!("{written}: there is no {class} here")),
        }
    }
    const COOPERATIVE: &str = "cooperative-sticky";
    if names.contains(&COOPERATIVE) && names.iter().any(|name| *name != COOPERATIVE) {
        names.retain(|name| *name != COOPERATIVE);
        to.warnings
            .push(format!("{written}: CooperativeStickyAssignor is left out, it cannot be offered beside the others here"));
    }
    match names.is_empty() {
        true => to.refuse(written, value, "none of RangeAssignor, RoundRobinAssignor and CooperativeStickyAssignor is in it"),
        false => to.set("partition.assignment.strategy", &names.join(",")),
    }
}

/// Brings together what librdkafka wants to fit in a group and Java does not.
fn reconcile_group(given: &Given, to: &mut ConsumerSettings) {
    if to.librdkafka.get("group.protocol").is_some_and(|p| p == "consumer") {
        // the broker decides these, and either client refuses them
        for key in ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"] {
            to.librdkafka.remove(key);
            if let Some((written, _)) = given.get(key) {
                to.faults.push(written, format!("{written} cannot be set when group.protocol=CONSUMER"));
            }
        }
    } else {
        if let Some((written, _)) = given.get("group.remote.assignor") {
            to.faults.push(written, format!("{written} cannot be set when group.protocol=CLASSIC"));
        }
        let (interval, mut session) = (to.number("max.poll.interval.ms"), to.number("session.timeout.ms"));
        if session > interval {
            session = interval;
            to.set("session.timeout.ms", &session.to_string());
            if let Some((written, _)) = given.get("session.timeout.ms") {
                to.warnings.push(format!("{written} is taken as {session}: here it cannot be above max.poll.interval.ms"));
            }
        }
        if to.number("heartbeat.interval.ms") >= session {
            match given.get("heartbeat.interval.ms") {
                Some((written, value)) => {
                    let text = format!(
                        "Invalid value {value} for configuration {written}: it must be below the session timeout, {session}"
                    );
                    to.faults.push(written, text);
                }
                None => to.set("heartbeat.interval.ms", &(session / 3).max(1).to_string()),
            }
        }
    }
}

/// Brings together what librdkafka wants to fit and Java does not, with or without a group.
fn reconcile(to: &mut ConsumerSettings) {
    // a fetch that waits at the broker is no request that timed out
    let least = to.number("fetch.wait.max.ms") + 2000;
    if to.number("socket.timeout.ms") < least {
        to.set("socket.timeout.ms", &least.min(300_000).to_string());
    }
    let backoffs = [("reconnect.backoff.max.ms", "reconnect.backoff.ms"), ("retry.backoff.max.ms", "retry.backoff.ms")];
    for (most, first) in backoffs {
        let least = to.number(most).max(to.number(first));
        to.set(most, &least.to_string());
    }
    let refresh = to.number("topic.metadata.refresh.interval.ms");
    to.metadata_max_age = Duration::from_millis(refresh.unsigned_abs());
    // what is known of a topic lives as long as three refreshes, librdkafka's own proportion
    let age = (refresh * 3).clamp(1, DAY);
    to.set("metadata.max.age.ms", &age.to_string());
}

#[cfg(test)]
mod tests;
