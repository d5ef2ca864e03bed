//! What Event Hubs' Kafka endpoint asks of clients: the settings that they get unless others are given, and what it refuses.
//!
//! A client is one of Event Hubs if a bootstrap server is below one of [`SUFFIXES`], or if `landfall.event.hubs` says so. Nothing of
//! security is guessed: what is missing is said, with the keys that it takes. Values are those that Microsoft recommends for Java's
//! client (November 2026).

use std::borrow::Cow;

use landfall_api::{Faults, Properties};

use super::client::{ConsumerSettings, Given, admin_properties};
use super::error::KafkaError;

/// The worker's key that says whether its brokers are Event Hubs: auto, true or false.
pub const KEY: &str = "landfall.event.hubs";

/// What the names of namespaces end with: in Azure's public cloud, that of the government of the United States, those in China and Germany.
pub const SUFFIXES: [&str; 4] =
    [".servicebus.windows.net", ".servicebus.usgovcloudapi.net", ".servicebus.chinacloudapi.cn", ".servicebus.cloudapi.de"];

/// Java's keys with librdkafka's name and the value that each gets, for clients that have it.
const RECOMMENDED: [(&str, &str, &str); 5] = [
    // Azure drops connections that are silent for four minutes, and does not say so.
    ("metadata.max.age.ms", "topic.metadata.refresh.interval.ms", "180000"),
    ("connections.max.idle.ms", "connections.max.idle.ms", "180000"),
    ("request.timeout.ms", "socket.timeout.ms", "60000"),
    ("session.timeout.ms", "session.timeout.ms", "30000"),
    ("max.request.size", "message.max.bytes", "1000000"),
];

/// Milliseconds of silence after which Azure drops a connection.
const IDLE: i64 = 240_000;
/// The bytes of a request that closes the connection.
const REQUEST: i64 = 1_046_528;
/// Milliseconds that Event Hubs takes for a request by itself.
const REQUEST_TIMEOUT: i64 = 20_000;
/// Milliseconds that a member of a group may be silent.
const SESSION: std::ops::RangeInclusive<i64> = 6_000..=300_000;
/// The characters that the name of a group may have.
const GROUP: usize = 256;
/// The user of PLAIN.
const USER: &str = "$ConnectionString";

/// A namespace of Event Hubs as a Kafka client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHubs {
    /// The bootstrap server that told.
    server: String,
    /// Whether it is known by its name, and not a gateway that only the user knows of.
    known: bool,
}

impl EventHubs {
    /// Whether the brokers at `servers`, as in `bootstrap.servers`, are Event Hubs, by their names and by `landfall.event.hubs` in the
    /// properties of `worker`.
    #[must_use]
    pub fn at(servers: &str, worker: &Properties) -> Option<Self> {
        let servers = || servers.split(',').map(str::trim).filter(|server| !server.is_empty());
        let said = worker.get(KEY).map_or("auto", |said| said.trim());
        if said.eq_ignore_ascii_case("false") {
            return None;
        }
        if let Some(server) = servers().find(|server| is_event_hubs(host(server))) {
            return Some(Self { server: server.to_owned(), known: true });
        }
        said.eq_ignore_ascii_case("true").then(|| Self { server: servers().next().unwrap_or_default().to_owned(), known: false })
    }

    /// Whether a worker's own brokers are.
    #[must_use]
    pub fn of(worker: &Properties) -> Option<Self> {
        Self::at(worker.get("bootstrap.servers").map_or("", String::as_str), worker)
    }

    /// The namespace's name, or what stands for it where it is not known.
    fn namespace(&self) -> &str {
        if self.known { host(&self.server).split('.').next().unwrap_or_default() } else { "<namespace>" }
    }

    /// The command that makes the event hub `name`; without a number of partitions it has as many as Azure gives it.
    #[must_use]
    pub fn create_command(&self, name: &str, partitions: i32, compacted: bool) -> String {
        let partitions = if partitions > 0 { format!(" --partition-count {partitions}") } else { String::new() };
        let policy = if compacted { " --cleanup-policy Compact" } else { "" };
        format!(
            "az eventhubs eventhub create --resource-group <resource group> --namespace-name {} --name {name}{partitions}{policy}",
            self.namespace()
        )
    }

    /// Why the event hub `name` was not made, and how to make it.
    #[must_use]
    pub fn not_made(&self, error: KafkaError, name: &str, partitions: i32, compacted: bool) -> KafkaError {
        let command = self.create_command(name, partitions, compacted);
        let message =
            format!("{}; Event Hubs need not make an event hub for a Kafka client, make it with: {command}", error.message);
        KafkaError { message, ..error }
    }

    /// What the worker says once of what it does for Event Hubs.
    #[must_use]
    pub fn told(&self) -> String {
        let set = RECOMMENDED.map(|(java, _, value)| format!("{java}={value}")).join(", ");
        format!("{} is Event Hubs: unless they are given, clients have {set}, and producers do not compress", self.server)
    }
}

/// Whether a member of a group may be silent for `ms`.
fn check_session(ms: i64) -> Result<(), String> {
    if SESSION.contains(&ms) {
        return Ok(());
    }
    Err(format!("Event Hubs takes {} to {} milliseconds", SESSION.start(), SESSION.end()))
}

/// The host of `[protocol://]host:port`.
fn host(server: &str) -> &str {
    let address = server.split_once("://").map_or(server, |(_, address)| address);
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn is_event_hubs(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    SUFFIXES.iter().any(|suffix| host.len() > suffix.len() && host.ends_with(suffix))
}

/// Brings the settings `to` of a client in line with Event Hubs, if that is what it speaks to. `given` is what its user wrote, where keys
/// that are missing would begin with `prefix`.
pub(super) fn apply(worker: &Properties, given: &Given, prefix: &str, to: &mut ConsumerSettings) {
    let servers = to.librdkafka.get("bootstrap.servers").cloned().unwrap_or_default();
    let Some(hubs) = EventHubs::at(&servers, worker) else { return };
    for (java, name, value) in RECOMMENDED {
        if given.get(java).is_none() && to.librdkafka.contains_key(name) {
            to.set(name, value);
        }
    }
    to.set("socket.keepalive.enable", "true");
    if hubs.known {
        check_security(&hubs, given, prefix, to);
    }
    check_limits(given, to);
    to.event_hubs = Some(hubs);
}

/// Says what is missing of security: nothing of it is guessed.
fn check_security(hubs: &EventHubs, given: &Given, prefix: &str, to: &mut ConsumerSettings) {
    let server = &hubs.server;
    let key = |java: &str| given.get(java).map_or_else(|| format!("{prefix}{java}"), |(written, _)| written.to_owned());
    let mut refuse = |java: &str, why: String| {
        let key = key(java);
        // What else there is to say of a login depends on this.
        to.faults.0.retain(|fault| fault.key != key && !fault.key.contains("sasl."));
        to.faults.push(key, why);
    };
    if !server.ends_with(":9093") {
        refuse("bootstrap.servers", format!("{server}: the port of Event Hubs' Kafka endpoint is 9093"));
    }
    let value = |java: &str| given.get(java).map_or("", |(_, value)| value);
    let protocol = value("security.protocol");
    if !protocol.eq_ignore_ascii_case("SASL_SSL") {
        let found = if protocol.is_empty() { "it is not given" } else { protocol };
        let of_connectors = match prefix.split_once('.') {
            Some((client, _)) if !prefix.is_empty() => format!(
                "; a connector's clients do not take it from the worker's own keys: give {client}.security.protocol in the worker's \
                 properties or {prefix}security.protocol in the connector's, and sasl.mechanism and sasl.jaas.config likewise"
            ),
            _ => String::new(),
        };
        let why = format!("{server} is Event Hubs, which needs {}=SASL_SSL: {found}{of_connectors}", key("security.protocol"));
        return refuse("security.protocol", why);
    }
    match value("sasl.mechanism") {
        "PLAIN" => {}
        "OAUTHBEARER" => return,
        other => {
            let found = if other.is_empty() { "it is not given" } else { other };
            let why = format!(
                "{server} is Event Hubs, which needs {}=PLAIN with a connection string, or OAUTHBEARER with an identity of Entra: {found}",
                key("sasl.mechanism")
            );
            return refuse("sasl.mechanism", why);
        }
    }
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"$ConnectionString\" \
                 password=\"Endpoint=sb://…\";";
    if value("sasl.jaas.config").is_empty() {
        refuse("sasl.jaas.config", format!("{server} is Event Hubs, which needs {}={login}", key("sasl.jaas.config")));
    } else if to.librdkafka.get("sasl.username").is_some_and(|user| user != USER) {
        let why = format!("the user of Event Hubs is {USER}, and the password the namespace's connection string: {login}");
        to.faults.push(key("sasl.jaas.config"), format!("{}: {why}", key("sasl.jaas.config")));
    } else if to.librdkafka.get("sasl.password").is_some_and(|password| !password.trim().starts_with("Endpoint=sb://")) {
        let why = "the password for Event Hubs is the namespace's whole connection string, Endpoint=sb://…";
        to.faults.push(key("sasl.jaas.config"), format!("{}: {why}", key("sasl.jaas.config")));
    }
}

/// Refuses what Event Hubs refuses, and warns of what it does not do well.
fn check_limits(given: &Given, to: &mut ConsumerSettings) {
    let number = |java: &str| given.get(java).and_then(|(written, value)| Some((written, value.parse::<i64>().ok()?)));
    for java in ["metadata.max.age.ms", "connections.max.idle.ms"] {
        if let Some((written, ms)) = number(java).filter(|(_, ms)| !(1..IDLE).contains(ms)) {
            to.warnings.push(format!("{written}={ms}: Event Hubs drops connections that are silent for {IDLE} ms, give less"));
        }
    }
    if let Some((written, ms)) = number("request.timeout.ms").filter(|(_, ms)| *ms <= REQUEST_TIMEOUT) {
        to.warnings.push(format!("{written}={ms}: Event Hubs takes up to {REQUEST_TIMEOUT} ms for a request, give more"));
    }
    if let Some((written, bytes)) = number("max.request.size").filter(|(_, bytes)| *bytes >= REQUEST) {
        let most = "closes the connection on a request of that many bytes, but on its Dedicated tier";
        to.warnings.push(format!("{written}={bytes}: Event Hubs {most}; give less than {REQUEST}"));
    }
    if let Some((written, ms)) = number("session.timeout.ms").filter(|_| to.librdkafka.contains_key("session.timeout.ms"))
        && let Err(why) = check_session(ms)
    {
        to.refuse(written, &ms.to_string(), &why);
    }
    if let Some((written, value)) = given.get("group.protocol").filter(|(_, value)| value.eq_ignore_ascii_case("consumer")) {
        to.refuse(written, value, "Event Hubs knows the classic protocol only");
    }
    if let Some((written, codec)) = given.get("compression.type").filter(|_| to.librdkafka.contains_key("compression.type")) {
        match codec {
            "none" => {}
            "gzip" => to.warnings.push(format!("{written}=gzip: Event Hubs takes it on its Premium and Dedicated tiers only")),
            _ => to.refuse(written, codec, "Event Hubs takes none, and gzip on its Premium and Dedicated tiers"),
        }
    }
    if let Some(group) = to.librdkafka.get("group.id").filter(|group| group.chars().count() > GROUP).cloned() {
        let written = given.get("group.id").map_or("name", |(written, _)| written);
        let why = format!("the consumer group {group} has {} characters, Event Hubs takes {GROUP}", group.chars().count());
        to.faults.push(written, why);
    }
}

/// A worker's properties with the recommended values of the keys that its own clients read at their top.
pub(crate) fn recommended(worker: &Properties) -> Cow<'_, Properties> {
    if EventHubs::of(worker).is_none() {
        return Cow::Borrowed(worker);
    }
    let mut with = worker.clone();
    for (java, _, value) in RECOMMENDED {
        with.entry(java.to_owned()).or_insert_with(|| value.to_owned());
    }
    Cow::Owned(with)
}

/// What is wrong with a worker's own keys if its brokers are Event Hubs: what its clients could only find out by waiting.
pub(crate) fn worker_faults(worker: &Properties) -> Faults {
    if EventHubs::of(worker).is_none() {
        return Faults::default();
    }
    let mut faults = admin_properties(worker).faults;
    let of_group = worker.get("group.id").map(|group| group.trim().chars().count()).filter(|length| *length > GROUP);
    if let Some(length) = of_group {
        faults.push("group.id", format!("group.id has {length} characters, Event Hubs takes {GROUP}"));
    }
    if let Some(Err(why)) = worker.get("session.timeout.ms").and_then(|ms| ms.trim().parse().ok()).map(check_session) {
        let ms = worker["session.timeout.ms"].trim();
        faults.push("session.timeout.ms", format!("Invalid value {ms} for configuration session.timeout.ms: {why}"));
    }
    faults
}

#[cfg(test)]
mod tests;
