//! The keys of a worker (`WorkerConfig` and `RestServerConfig` of Kafka 4.3.1), of one in standalone mode, and our own.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use landfall_api::config::Class;
use landfall_api::metrics::Window;
use landfall_api::{Effect, Faults, Key, Properties, Width, config};

use super::properties::PropertiesFile;
use super::provider::{Provided, Providers, Resolved};
use super::reach::{self, Reach};
use super::{AccessKeys, DistributedKeys, Environment, Listener, Scheme, hint_missing, millis, topic_warnings, unknown_key};
use crate::herder::state_store::StateStore;
use crate::kafka::client::is_internal;
use crate::kafka::event_hubs;
use crate::rest::{BASIC_AUTH, headers};

config! {
    /// What the worker reads from its properties file.
    pub struct WorkerKeys {
        /// Brokers, as `host:port` separated by commas, from which the clients learn of all others.
        bootstrap_servers: Vec<String> = "bootstrap.servers" { required: true, importance: High, group: "Cluster", width: Width::Long, display: "Bootstrap Servers", valid: By(servers), reaches: Hosts };
        /// Whether the brokers are Azure Event Hubs: auto looks at the names in `bootstrap.servers`, those below `servicebus.windows.net` and
        /// its siblings in sovereign clouds; true is for gateways and private names, false for what only looks like it. Clients then have the
        /// settings that Event Hubs recommends unless others are given, and what it refuses is refused before it is asked.
        event_hubs: String = "landfall.event.hubs" { default: Some("auto"), group: "Cluster", width: Width::Short, display: "Event Hubs", valid: OneOfIgnoreCase(&["auto", "true", "false"]) };
        /// How clients use the addresses that a name resolves to: use_all_dns_ips tries each, resolve_canonical_bootstrap_servers_only first
        /// resolves the bootstrap servers to their canonical names.
        client_dns_lookup: String = "client.dns.lookup" {
            default: Some("use_all_dns_ips"), group: "Cluster", width: Width::Medium, display: "DNS Lookup", valid: OneOf(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])
        };
        /// The class that converts keys, for connectors that name none: a Java class name or an alias, which is the name without its
        /// package, with or without `Converter`. Keys that begin with `key.converter.` are the converter's own.
        key_converter: Class = "key.converter" { required: true, importance: High, group: "Converters", width: Width::Long, display: "Key Converter" };
        /// The version of the key converter.
        key_converter_version: Option<String> = "key.converter.plugin.version" { importance: Low, group: "Converters", width: Width::Short, display: "Key Converter Version", effect: Nothing("there is one version of each converter") };
        /// The class that converts values, for connectors that name none, as for `key.converter`.
        value_converter: Class = "value.converter" { required: true, importance: High, group: "Converters", width: Width::Long, display: "Value Converter" };
        /// The version of the value converter.
        value_converter_version: Option<String> = "value.converter.plugin.version" { importance: Low, group: "Converters", width: Width::Short, display: "Value Converter Version", effect: Nothing("there is one version of each converter") };
        /// Milliseconds that all tasks together have to end when they are asked to. Then they are left to themselves.
        task_shutdown_graceful_timeout_ms: i64 = "task.shutdown.graceful.timeout.ms" { default: Some("5000"), importance: Low, group: "Tasks", width: Width::Medium, display: "Graceful Shutdown Timeout (ms)" };
        /// Milliseconds between two commits of a task's offsets.
        offset_flush_interval_ms: i64 = "offset.flush.interval.ms" { default: Some("60000"), importance: Low, group: "Tasks", width: Width::Medium, display: "Offset Commit Interval (ms)" };
        /// Milliseconds that a commit of offsets may take before it is given up and tried again later.
        offset_flush_timeout_ms: i64 = "offset.flush.timeout.ms" { default: Some("5000"), importance: Low, group: "Tasks", width: Width::Medium, display: "Offset Commit Timeout (ms)" };
        /// Directories of Java plugins, separated by commas.
        plugin_path: Option<Vec<String>> = "plugin.path" { importance: Low, group: "Plugins", width: Width::Long, display: "Plugin Path", effect: Nothing("plugins are built in") };
        /// How Java plugins are found: only_scan, hybrid_warn, hybrid_fail or service_load.
        plugin_discovery: String = "plugin.discovery" {
            default: Some("hybrid_warn"), importance: Low,
            valid: OneOfIgnoreCase(&["only_scan", "hybrid_warn", "hybrid_fail", "service_load"]), group: "Plugins", width: Width::Medium, display: "Plugin Discovery",
            effect: Nothing("plugins are built in")
        };
        /// Milliseconds of one sample: averages, maxima and rates of metrics are of the last `metrics.num.samples` of them.
        metrics_sample_window_ms: i64 = "metrics.sample.window.ms" { default: Some("30000"), importance: Low, group: "Metrics", width: Width::Medium, display: "Metrics Sample Window (ms)", valid: AtLeast(0) };
        /// How many samples averages, maxima and rates of metrics are made of.
        metrics_num_samples: i32 = "metrics.num.samples" { default: Some("2"), importance: Low, group: "Metrics", width: Width::Short, display: "Metrics Samples", valid: AtLeast(1) };
        /// URIs on which `/metrics` is served and nothing else, such as `http://0.0.0.0:9404`, separated by commas; https has the certificate
        /// of the REST API's listeners. They are open to everybody who reaches them, unless `landfall.rest.auth` is given. Empty: `/metrics`
        /// is on the listeners of the REST API, and otherwise not.
        metrics_listeners: Vec<String> = "landfall.metrics.listeners" { default: Some(""), importance: Medium, group: "Metrics", width: Width::Long, display: "Metrics Listeners", valid: By(legal_admin_listeners) };
        /// What Java's metrics are called: connect is what most JMX exporters and Strimzi's Metrics Reporter make of them
        /// (`kafka_connect_sink_task_metrics_sink_record_send_total`), strimzi what Strimzi's rules for the JMX exporter do
        /// (`kafka_connect_sink_task_sink_record_send_total`).
        metrics_names: String = "landfall.metrics.names" { default: Some("connect"), importance: Low, group: "Metrics", width: Width::Short, display: "Metrics Names", valid: OneOf(&["connect", "strimzi"]) };
        /// How the log is written to the standard error: text, or json with a line for each event that has connector, task and partition as
        /// fields. Without it the environment variable `LANDFALL_LOG_FORMAT` says so.
        log_format: Option<String> = "landfall.log.format" { importance: Low, group: "Metrics", width: Width::Short, display: "Log Format", valid: OneOf(&["text", "json"]) };
        /// The level from which Java records metrics: INFO or DEBUG.
        metrics_recording_level: String = "metrics.recording.level" {
            default: Some("INFO"), importance: Low, group: "Metrics", width: Width::Short, display: "Metrics Recording Level", valid: OneOf(&["INFO", "DEBUG"]),
            effect: Nothing("metrics are at /metrics, as they are at that moment")
        };
        /// Java classes that report metrics.
        metric_reporters: Vec<String> = "metric.reporters" {
            default: Some("org.apache.kafka.common.metrics.JmxReporter"), importance: Low, group: "Metrics", width: Width::Long, display: "Metrics Reporters", valid: By(distinct),
            effect: Nothing("Java classes cannot be loaded, metrics are at /metrics")
        };
        /// The class that converts the values of headers, for connectors that name none, as for `key.converter`.
        header_converter: Class = "header.converter" {
            default: Some("org.apache.kafka.connect.storage.SimpleHeaderConverter"), importance: Low, group: "Converters", width: Width::Long, display: "Header Converter"
        };
        /// The version of the header converter.
        header_converter_version: Option<String> = "header.converter.plugin.version" { importance: Low, group: "Converters", width: Width::Short, display: "Header Converter Version", effect: Nothing("there is one version of each converter") };
        /// Names, separated by commas, of the providers that replace `${provider:path:key}` and `${provider:key}` in the values of this
        /// file and of connectors. `config.providers.<name>.class` is the class of each, `config.providers.<name>.param.` begins its
        /// parameters.
        config_providers: Vec<String> = "config.providers" { default: Some(""), importance: Low, group: "Plugins", width: Width::Medium, display: "Config Providers", valid: By(distinct) };
        /// Which client properties a connector may override by `consumer.override.`: All, None, Principal (`security.protocol`,
        /// `sasl.mechanism`, `sasl.jaas.config`) or Allowlist; or the Java class of that name.
        connector_client_policy: String = "connector.client.config.override.policy" { default: Some("All"), group: "Connectors", width: Width::Medium, display: "Client Override Policy", valid: By(known_policy) };
        /// The client properties, separated by commas, that a connector may override if the policy is Allowlist.
        connector_client_allowlist: Vec<String> = "connector.client.config.override.allowlist" { default: Some(""), importance: Low, group: "Connectors", width: Width::Long, display: "Client Override Allowlist" };
        /// Whether topics of source connectors are created.
        topic_creation_enable: bool = "topic.creation.enable" { default: Some("true"), importance: Low, group: "Connectors", width: Width::Short, display: "Topic Creation", effect: Nothing("there are no source connectors") };
        /// Whether the topics that the tasks of a connector have had records of are kept, for `GET /connectors/<name>/topics`.
        topic_tracking_enable: bool = "topic.tracking.enable" { default: Some("true"), importance: Low, group: "Connectors", width: Width::Short, display: "Topic Tracking" };
        /// Whether users may reset them, by `PUT /connectors/<name>/topics/reset`.
        topic_tracking_allow_reset: bool = "topic.tracking.allow.reset" { default: Some("true"), importance: Low, group: "Connectors", width: Width::Short, display: "Topic Tracking Reset" };
        /// URIs on which the REST API listens, separated by commas: `http://host:port` or `https://host:port`. An empty host or 0.0.0.0 means
        /// all interfaces, port 0 one that is free. Keys that begin with `listeners.https.ssl.` are the certificates and the TLS of the
        /// latter, and of requests to the other workers; if there is none, those that begin with `ssl.`.
        listeners: Vec<String> = "listeners" { default: Some("http://:8083"), importance: Low, group: "REST", width: Width::Long, display: "Listeners", valid: By(legal_listeners) };
        /// The host by which statuses name this worker, and others reach it. Default: that of the listener that is advertised, else the name
        /// of the machine.
        rest_advertised_host_name: Option<String> = "rest.advertised.host.name" { importance: Low, group: "REST", width: Width::Long, display: "Advertised Host" };
        /// The port by which statuses name this worker, and others reach it. Default: the one that it listens on.
        rest_advertised_port: Option<i32> = "rest.advertised.port" { importance: Low, group: "REST", width: Width::Short, display: "Advertised Port", valid: Between(0, 65535) };
        /// The protocol of the listener that other workers are told, http or https. Default: http if there is such a listener, else https.
        rest_advertised_listener: Option<String> = "rest.advertised.listener" { importance: Low, group: "REST", width: Width::Short, display: "Advertised Listener", valid: OneOfIgnoreCase(&["http", "https"]) };
        /// Origins of web pages that browsers may let use the API, separated by commas: `*` for all, or regular expressions in Java's
        /// syntax, such as `https://console\.example\.com`. Empty: those of the API itself.
        access_control_allow_origin: String = "access.control.allow.origin" { default: Some(""), importance: Low, group: "REST", width: Width::Long, display: "Allowed Origin", valid: By(headers::check_origins) };
        /// Methods that such pages may use, separated by commas. Empty: GET, POST and HEAD.
        access_control_allow_methods: String = "access.control.allow.methods" { default: Some(""), importance: Low, group: "REST", width: Width::Long, display: "Allowed Methods", valid: By(headers::check_methods) };
        /// Rules for headers of answers, separated by commas: `[action] [header name]:[header value]`, in double quotes if it has a comma.
        /// Actions are set (unless the answer has the header), add, setDate and addDate (the date so many milliseconds from now).
        response_http_headers: String = "response.http.headers.config" { default: Some(""), importance: Low, group: "REST", width: Width::Long, display: "Response Headers", valid: By(headers::check_rules) };
        /// Whether clients of a https listener show a certificate that the trust store knows: required, requested or none. With other keys
        /// that begin with `listeners.https.` it is `listeners.https.ssl.client.auth`.
        ssl_client_auth: String = "ssl.client.auth" { default: Some("none"), importance: Low, group: "REST", width: Width::Short, display: "Client Authentication", valid: OneOf(&["required", "requested", "none"]) };
        /// Java classes that extend the REST API. There is one, by which users of the API need a password:
        /// `org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension`.
        rest_extension_classes: Vec<String> = "rest.extension.classes" { default: Some(""), importance: Low, group: "REST", width: Width::Long, display: "REST Extensions", valid: By(known_extensions) };
        /// URIs on which the admin API listens, separated by commas. Empty: there is none. Default: it is on the listeners of the REST API.
        /// On listeners of its own it is open to everybody who reaches them, as in Java.
        admin_listeners: Option<Vec<String>> = "admin.listeners" { importance: Low, group: "REST", width: Width::Long, display: "Admin Listeners", valid: By(legal_admin_listeners) };
        /// Whether the web page is there, under `/ui` on the listeners of the REST API.
        ui: bool = "landfall.ui" { default: Some("true"), group: "REST", width: Width::Short, display: "Web Page" };
        /// The file of the users whom `BasicAuthSecurityRestExtension` lets in, a line each: `name=password`. It is read once. Default: the
        /// file that the JAAS configuration names, which `-Djava.security.auth.login.config=` in the environment variable `KAFKA_OPTS` names.
        basic_auth_file: Option<String> = "landfall.basic.auth.file" { importance: Medium, group: "REST", width: Width::Long, display: "Users", valid: NonEmpty, reaches: Files };
        /// Folders, separated by commas, in which connectors may have the worker read and write files: `worker` for its working directory
        /// and the folders of files that its own properties name, `*` for all. Links do not lead out of them, and what is in `/proc`,
        /// `/sys` and `/dev` is only there if it is named. Of the folders that `worker` stands for, those of files that are only read
        /// are not written to, and no file that the properties name is.
        allowed_paths: Vec<String> = "landfall.allowed.paths" { default: Some("worker"), importance: Medium, group: "Connectors", width: Width::Long, display: "Allowed Paths", valid: By(reach::check_paths) };
        /// Hosts, separated by commas, that connectors may have the worker talk to: names or addresses, with or without a port,
        /// `*.example.com` for all below one, `azure` for Azure's services, `worker` for the hosts and ports that its own properties name,
        /// `*` for all. Addresses at which a machine learns who it is, such as 169.254.169.254, have to be named themselves.
        allowed_hosts: Vec<String> = "landfall.allowed.hosts" { default: Some("azure,worker"), importance: Medium, group: "Connectors", width: Width::Long, display: "Allowed Hosts", valid: By(reach::check_hosts) };
        /// Bytes that the open files and fetch queues of all tasks may hold, at least 16777216. Default: half of the memory limit of the
        /// control group, else 512 MiB. When they are spent, the largest files go to the store in parts, and where many small ones have
        /// spent them, those end that had no record for longest. A record of more than a quarter of them is refused.
        memory_bytes: Option<i64> = "landfall.memory.bytes" { importance: Medium, group: "Memory and state", width: Width::Medium, display: "Memory (bytes)", valid: AtLeast(16 << 20) };
    }
}

config! {
    /// What a worker in standalone mode reads from its properties file, besides what every worker does (`StandaloneConfig`).
    pub struct StandaloneKeys {
        /// The file to which Java writes the offsets of source connectors. Required as in Java.
        offset_storage_file: String = "offset.storage.file.filename" { required: true, importance: High, group: "Tasks", width: Width::Long, display: "Offset File", effect: Nothing("sinks keep their offsets in Kafka"), reaches: Written };
        /// The file in which connectors that were made or changed by REST survive a restart of the worker. Without it they do not, as in
        /// Java.
        state_file: Option<String> = "landfall.state.file" { importance: Medium, group: "Memory and state", width: Width::Long, display: "State File", valid: NonEmpty, reaches: Written };
        /// Where connectors that were made or changed by REST survive the worker, in the place of a local file: a folder of a storage container,
        /// `blob://<account>/<container>[/<folder>]` or with a host, `blob://<account>.blob.core.windows.net/<container>[/<folder>]`, also with
        /// `https://`; or a directory that workers share, `file:///<directory>`. Keys that begin with `landfall.azure.` say how the account
        /// lets one in, as for `io.landfall.azure.AzureDataLakeSink`. One worker has a folder at a time.
        state: Option<String> = "landfall.state" { importance: Medium, group: "Memory and state", width: Width::Long, display: "State", valid: NonEmpty, reaches: Store };
    }
}

/// Keys of Java's that other parts read: those of clients and of converters.
const PASSED_ON: &[&str] = &[
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "consumer.",
    "producer.",
    "admin.",
    "ssl.",
    "sasl.",
    "listeners.https.",
    "admin.listeners.https.",
    "config.providers.",
    "connector.client.config.override.",
    "metrics.context.",
    "socket.",
    "landfall.azure.",
    "landfall.container.create",
    "reconnect.backoff.",
    "retry.backoff.",
    "enable.metrics.push",
    "metadata.",
    "client.id",
    "client.rack",
    "connections.max.idle.ms",
    "default.api.timeout.ms",
    "receive.buffer.bytes",
    "request.timeout.ms",
    "retries",
    "security.",
    "send.buffer.bytes",
];

/// How a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By itself.
    Standalone,
    /// As a member of a cluster.
    Distributed,
}

/// What only one mode has.
#[derive(Clone, Debug)]
pub enum ModeKeys {
    /// The keys of a worker by itself.
    Standalone(StandaloneKeys),
    /// The keys of a member of a cluster.
    Distributed(Box<DistributedKeys>),
}

impl Mode {
    fn keys(self) -> &'static [Key] {
        match self {
            Self::Standalone => StandaloneKeys::KEYS,
            Self::Distributed => DistributedKeys::KEYS,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Standalone => Self::Distributed,
            Self::Distributed => Self::Standalone,
        }
    }

    /// All keys that a worker in this mode has.
    fn declared(self) -> impl Iterator<Item = &'static Key> {
        WorkerKeys::KEYS.iter().chain(AccessKeys::KEYS).chain(self.keys())
    }

    /// Whether other parts read `key`: clients, converters, topics.
    fn passes_on(self, key: &str) -> bool {
        let passes = |part: &&str| if part.ends_with('.') { key.starts_with(*part) } else { key == *part };
        let of_topic = || STORAGES.iter().any(|storage| key.starts_with(storage)) && key != OFFSET_FILE;
        PASSED_ON.iter().any(passes) || self == Self::Distributed && (of_topic() || is_internal(key))
    }

    fn read(self, given: &Properties, faults: &mut Faults) -> Option<ModeKeys> {
        Some(match self {
            Self::Standalone => {
                let keys = StandaloneKeys::parse(given, faults)?;
                if let Err(more) = StateStore::of(given, "", "", 0) {
                    faults.0.extend(more.0);
                }
                ModeKeys::Standalone(keys)
            }
            Self::Distributed => ModeKeys::Distributed(Box::new(DistributedKeys::read(&event_hubs::recommended(given), faults)?)),
        })
    }
}

/// A key of workers in standalone mode that looks like a setting of a topic.
pub(super) const OFFSET_FILE: &str = "offset.storage.file.filename";
/// What begins the keys of the internal topics, of which those that the worker does not have itself are settings of the topics.
const STORAGES: [&str; 3] = ["config.storage.", "offset.storage.", "status.storage."];

/// The worker's properties: what the user wrote and what it means.
#[derive(Clone)]
pub struct WorkerConfig {
    /// The parsed keys.
    pub keys: WorkerKeys,
    /// Who may use the REST API.
    pub access: AccessKeys,
    /// Those that only its mode has.
    pub mode: ModeKeys,
    /// As the user wrote them, with what config providers gave in its place: it may hold secrets under any key.
    pub given: Arc<Properties>,
    /// Resolves what properties name.
    pub providers: Arc<Providers>,
    /// What of them is in [`given`](Self::given).
    pub provided: Provided,
    /// What connectors may have it reach for.
    pub reach: Reach,
    /// What the user should know and is no error.
    pub warnings: Vec<String>,
}

impl WorkerConfig {
    /// Reads a worker's properties file; `plugins` gives the faults that plugins find in them.
    ///
    /// # Errors
    /// A text for the user: each fault on a line of its own, with file, line and key.
    pub fn read(path: &Path, mode: Mode, plugins: impl Fn(&Properties) -> Faults) -> Result<Self, String> {
        Self::read_with(Some(path), &Environment::default(), mode, plugins)
    }

    /// Reads a worker's properties file, if there is one, and what `environment` says over it.
    ///
    /// # Errors
    /// As [`read`](Self::read), with the variable that is wrong or missing.
    pub fn read_with(
        path: Option<&Path>,
        environment: &Environment,
        mode: Mode,
        plugins: impl Fn(&Properties) -> Faults,
    ) -> Result<Self, String> {
        let file = path.map(PropertiesFile::read).transpose().map_err(|e| e.to_string())?;
        let given = match &file {
            Some(file) => Given::new(&environment.over(&file.properties)),
            None => Given::new(&environment.properties),
        };
        let parsed = given.parse(mode);
        let mut faults = parsed.as_ref().err().cloned().unwrap_or_default();
        // A key that is missing or malformed is no further said to be unknown to the plugins.
        let mut more = plugins(&given.resolved.properties);
        given.resolved.provided.hide_in(&mut more);
        more.0.retain(|fault| faults.0.iter().all(|other| other.key != fault.key));
        faults.0.extend(more.0);
        let mut config = faults.or(parsed.ok()).map_err(|faults| environment.locate(&faults, file.as_ref()))?;
        let counts_before = file.as_ref().map(|file| environment.counts_before(file)).unwrap_or_default();
        let of_file = file.map(|file| file.warnings).unwrap_or_default();
        config.warnings.splice(0..0, [of_file, counts_before, environment.warnings.clone()].concat());
        if let Some(path) = path {
            config.reach = config.reach.keeping(path);
        }
        Ok(config)
    }

    /// Takes the properties of a worker in standalone mode, and resolves what they name.
    ///
    /// # Errors
    /// All faults in them.
    pub fn parse(given: &Properties) -> Result<Self, Faults> {
        Self::parse_as(Mode::Standalone, given)
    }

    /// Takes the properties of a worker, and resolves what they name.
    ///
    /// # Errors
    /// All faults in them.
    pub fn parse_as(mode: Mode, given: &Properties) -> Result<Self, Faults> {
        Given::new(given).parse(mode)
    }

    /// The keys of a member of a cluster, if it is one.
    #[must_use]
    pub const fn distributed(&self) -> Option<&DistributedKeys> {
        match &self.mode {
            ModeKeys::Distributed(keys) => Some(keys),
            ModeKeys::Standalone(_) => None,
        }
    }

    /// How long tasks may take to end (`task.shutdown.graceful.timeout.ms`).
    #[must_use]
    pub fn grace(&self) -> Duration {
        millis(self.keys.task_shutdown_graceful_timeout_ms)
    }

    /// What averages and rates of metrics are made of.
    #[must_use]
    pub fn sampling(&self) -> Window {
        let samples = usize::try_from(self.keys.metrics_num_samples).unwrap_or(1);
        Window { length: millis(self.keys.metrics_sample_window_ms), samples }
    }

    /// Bytes that all tasks together may hold.
    #[must_use]
    pub fn memory(&self) -> usize {
        let given = self.keys.memory_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        given.unwrap_or_else(|| cgroup_limit().map_or(512 << 20, |limit| limit / 2))
    }

    /// The file that connectors of a worker in standalone mode survive a restart in.
    #[must_use]
    pub fn state_file(&self) -> Option<PathBuf> {
        match &self.mode {
            ModeKeys::Standalone(keys) => keys.state_file.as_ref().map(PathBuf::from),
            ModeKeys::Distributed(_) => None,
        }
    }

    /// What others reach the worker by, and `host:port` by which statuses name it; `ports` are those that it listens on, in the order of
    /// `listeners`.
    #[must_use]
    pub fn advertised(&self, ports: &[u16]) -> (Scheme, String) {
        let listeners = self.keys.listeners.iter().filter_map(|uri| Listener::parse(uri).ok());
        let listeners: Vec<_> = listeners.zip(ports.iter().copied().chain(std::iter::repeat(0))).collect();
        let of = |scheme: Scheme| listeners.iter().find(|(listener, _)| listener.scheme == scheme);
        let scheme = self.keys.rest_advertised_listener.as_deref().and_then(Scheme::named);
        let scheme = scheme.unwrap_or(if of(Scheme::Http).is_none() && of(Scheme::Https).is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        });
        // A proxy may speak what no listener does.
        let (listener, port) = of(scheme).or(listeners.first()).map_or((None, 0), |(listener, port)| (Some(listener), *port));
        let host = listener.map(|l| l.host.clone()).filter(|host| !host.is_empty() && host != "0.0.0.0" && host != "[::]");
        let host = self.keys.rest_advertised_host_name.clone().or(host).unwrap_or_else(hostname);
        let port = self.keys.rest_advertised_port.map_or(i32::from(port), |p| p);
        (scheme, format!("{host}:{port}"))
    }
}

impl fmt::Debug for WorkerConfig {
    /// Without the properties, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig").field("keys", &self.keys).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// A worker's properties that are resolved and not looked at yet.
struct Given {
    providers: Arc<Providers>,
    resolved: Resolved,
    faults: Faults,
    warnings: Vec<String>,
}

impl Given {
    fn new(given: &Properties) -> Self {
        let (mut faults, mut warnings) = (Faults::default(), Vec::new());
        let providers = Providers::configure(given, &mut faults, &mut warnings);
        let (resolved, unresolved) = providers.look_up(given);
        faults.0.extend(unresolved.0);
        warnings.extend(resolved.warnings.iter().cloned());
        Self { providers: Arc::new(providers), resolved, faults, warnings }
    }

    fn parse(&self, mode: Mode) -> Result<WorkerConfig, Faults> {
        let given = &self.resolved.properties;
        let mut faults = Faults::default();
        let keys = WorkerKeys::parse(given, &mut faults);
        let has_extension = keys.as_ref().is_some_and(|keys| keys.rest_extension_classes.iter().any(|class| !class.is_empty()));
        let keys = keys.zip(AccessKeys::read(given, has_extension, &mut faults)).zip(mode.read(given, &mut faults));
        hint_missing(&mut faults, &unknown(given, mode));
        event_hubs::worker_faults(given).0.into_iter().for_each(|fault| {
            if faults.0.iter().all(|other| other.key != fault.key) {
                faults.0.push(fault);
            }
        });
        self.resolved.provided.hide_in(&mut faults);
        // What could not be resolved is no further said to be malformed.
        faults.0.retain(|fault| self.faults.0.iter().all(|other| other.key != fault.key));
        faults.0.extend(self.faults.0.iter().cloned());
        let ((keys, access), of_mode) = faults.or(keys)?;
        let warnings = [warnings(given, mode), self.warnings.clone()].concat();
        let (providers, provided) = (self.providers.clone(), self.resolved.provided.clone());
        let reach = Reach::new(&keys.allowed_paths, &keys.allowed_hosts, given);
        Ok(WorkerConfig { keys, access, mode: of_mode, given: Arc::new(given.clone()), providers, provided, reach, warnings })
    }
}

/// The keys that nobody reads.
fn unknown(given: &Properties, mode: Mode) -> Vec<&str> {
    let known = |key: &str| mode.passes_on(key) || mode.declared().any(|known| known.name == key);
    given.keys().map(String::as_str).filter(|key| !known(key)).collect()
}

fn warnings(given: &Properties, mode: Mode) -> Vec<String> {
    let known = || mode.declared().map(|key| key.name);
    let warning = |key: &str| match (mode, mode.other().keys().iter().any(|other| other.name == key)) {
        (_, false) => unknown_key(key, known()),
        (Mode::Standalone, true) => format!("The configuration '{key}' has no effect: it is for workers in distributed mode"),
        (Mode::Distributed, true) => format!("The configuration '{key}' has no effect: it is for workers in standalone mode"),
    };
    let mut warnings: Vec<_> = unknown(given, mode).into_iter().map(warning).collect();
    if mode == Mode::Distributed {
        warnings.extend(topic_warnings(given));
    }
    for key in mode.declared() {
        let value = given.get(key.name).map(|value| value.trim()).filter(|value| !value.is_empty());
        // What Java requires, or what says no more than the default, is no reason to warn.
        if let (Effect::Nothing(why), Some(value)) = (key.effect, value)
            && !key.required
            && !key.default.is_some_and(|default| default.eq_ignore_ascii_case(value))
        {
            warnings.push(format!("The configuration '{}' has no effect: {why}", key.name));
        }
    }
    warnings
}

fn items(raw: &str) -> Vec<&str> {
    raw.trim().split(',').map(str::trim).collect()
}

fn distinct(raw: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match items(raw).into_iter().find(|item| !seen.insert(*item)) {
        Some(twice) => Err(format!("{twice:?} is given twice")),
        None => Ok(()),
    }
}

fn distinct_and_not_empty(raw: &str) -> Result<(), String> {
    if items(raw).iter().any(|item| item.is_empty()) {
        return Err("values must not be empty".into());
    }
    distinct(raw)
}

fn servers(raw: &str) -> Result<(), String> {
    distinct_and_not_empty(raw)?;
    items(raw).into_iter().try_for_each(super::check_bootstrap_server)
}

fn known_policy(raw: &str) -> Result<(), String> {
    super::OverridePolicy::parse(raw.trim(), &[]).map(|_| ())
}

fn legal_admin_listeners(raw: &str) -> Result<(), String> {
    if raw.trim().is_empty() { Ok(()) } else { distinct_and_not_empty(raw).and_then(|()| legal_listeners(raw)) }
}

fn known_extensions(raw: &str) -> Result<(), String> {
    distinct(raw)?;
    let known = |class: &str| class.is_empty() || class == BASIC_AUTH || Some(class) == BASIC_AUTH.rsplit('.').next();
    match items(raw).into_iter().find(|class| !known(class)) {
        Some(class) => Err(format!("{class} cannot be loaded: the one extension here is {BASIC_AUTH}")),
        None => Ok(()),
    }
}

fn legal_listeners(raw: &str) -> Result<(), String> {
    items(raw).into_iter().try_for_each(|uri| Listener::parse(uri).map(|_| ()))
}

/// The bytes that the control group allows this process, if it limits them.
fn cgroup_limit() -> Option<usize> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = files.iter().find_map(|file| std::fs::read_to_string(file).ok())?.trim().parse::<usize>().ok()?;
    // Version 1 says "no limit" with a number near 2^63.
    (limit < 1 << 60).then_some(limit)
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".into() } else { name.trim().to_owned() }
}

/// Whether a key that nobody declares holds a secret, judged by its name: keys of clients and unknown ones.
#[must_use]
pub fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    const PARTS: [&str; 12] = [
        "password",
        "secret",
        "jaas.config",
        "ssl.key.",
        "keystore.key",
        "certificate.chain",
        "user.info",
        "account.key",
        "token",
        "credential",
        "authorization",
        "request.header.",
    ];
    const NOT: [&str; 4] = ["credentials.source", "token.endpoint", "credentials.provider", "credentials.class"];
    PARTS.iter().any(|part| key.contains(part)) && !NOT.iter().any(|not| key.contains(not))
        || key.ends_with("connection.string")
        || key.ends_with("sas")
}

/// Whether a value holds a secret whatever its key is called: a URL with a signature or a password, or a connection string.
#[must_use]
pub fn shows_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // A password may have a slash that should have been written otherwise.
    let in_url = lower.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    ["sig=", "accountkey=", "password="].iter().any(|name| lower.contains(name))
        || in_url.is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "bootstrap.servers=k:9092\nkey.converter=K\nvalue.converter=V\noffset.storage.file.filename=/tmp/o\n";

    fn read(text: &str) -> Result<WorkerConfig, String> {
        read_with(text, |_| Faults::default())
    }

    fn read_with(text: &str, plugins: impl Fn(&Properties) -> Faults) -> Result<WorkerConfig, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("worker.properties");
        std::fs::write(&path, text).expect("written");
        WorkerConfig::read(&path, Mode::Standalone, plugins).map_err(|e| e.replace(&format!("{}/", dir.path().display()), ""))
    }

    #[test]
    fn a_minimal_file_has_javas_defaults() {
        let config = read(MINIMAL).expect("valid");
        assert_eq!(config.keys.listeners, ["http://:8083"]);
        assert_eq!(config.keys.offset_flush_interval_ms, 60_000);
        assert_eq!(config.keys.task_shutdown_graceful_timeout_ms, 5_000);
        assert_eq!(config.keys.header_converter.0, "org.apache.kafka.connect.storage.SimpleHeaderConverter");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn metrics_are_sampled_as_in_java_and_shown_on_the_api() {
        let config = read(MINIMAL).expect("valid");
        assert_eq!((config.sampling(), config.keys.metrics_listeners.len()), (Window::default(), 0));
        let more =
            "metrics.sample.window.ms=1000\nmetrics.num.samples=5\nlandfall.metrics.listeners=http://:9404, https://h:9405\n";
        let config = read(&format!("{MINIMAL}{more}")).expect("valid");
        assert_eq!(config.sampling(), Window { length: Duration::from_secs(1), samples: 5 });
        assert_eq!(config.keys.metrics_listeners, ["http://:9404", "https://h:9405"]);
        for wrong in ["landfall.metrics.listeners=:9404", "landfall.metrics.names=jmx", "landfall.log.format=xml"] {
            let key = wrong.split('=').next().expect("a key");
            assert!(read(&format!("{MINIMAL}{wrong}\n")).is_err_and(|e| e.contains(key)), "{wrong}");
        }
    }

    #[test]
    fn every_fault_names_file_line_and_key() {
        let text = format!("{MINIMAL}offset.flush.interval.ms=soon\nlisteners=ftp://:8443\nconfig.providers=file\n");
        let text = text.replace("key.converter=K\n", "");
        assert_eq!(
            read(&text).expect_err("three faults and a missing key").lines().collect::<Vec<_>>(),
            [
                "worker.properties: key.converter: Missing required configuration \"key.converter\" which has no default value.",
                "worker.properties:4: offset.flush.interval.ms: Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
                "worker.properties:5: listeners: Invalid value ftp://:8443 for configuration listeners: neither http nor https: ftp://:8443",
                "worker.properties: config.providers.file.class: Missing required configuration \"config.providers.file.class\" which has no default value.",
            ]
        );
    }

    #[test]
    fn what_plugins_refuse_is_located_too() {
        let refuse = |_: &Properties| {
            let mut faults = Faults::default();
            faults.push("key.converter", "no such class");
            faults.push("value.converter", "no such class");
            faults
        };
        let error = read_with(&MINIMAL.replace("key.converter=K\n", ""), refuse).expect_err("two faults");
        assert_eq!(
            error,
            "worker.properties: key.converter: Missing required configuration \"key.converter\" which has no default value.\n\
             worker.properties:2: value.converter: no such class"
        );
    }

    #[test]
    fn unknown_keys_and_keys_without_effect_are_warned_about_without_their_values() {
        let text = format!("{MINIMAL}foo=hunter2\nplugin.path=/p\nconsumer.max.poll.records=1\nclient.id=c\n");
        let config = read(&text).expect("valid");
        assert_eq!(
            config.warnings,
            [
                "The configuration 'foo' was supplied but isn't a known config.",
                "The configuration 'plugin.path' has no effect: plugins are built in",
            ]
        );
    }

    #[test]
    fn what_is_named_is_resolved_and_never_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = folder.path().join("secrets");
        std::fs::write(&secrets, "ms=5\nsoon=soonish\npw=pssst\n").expect("written");
        let secrets = secrets.display();
        let providers = "config.providers=f\nconfig.providers.f.class=FileConfigProvider\n";
        let text = format!(
            "{MINIMAL}{providers}offset.flush.interval.ms=${{f:{secrets}:ms}}000\nconsumer.ssl.key.password=${{f:{secrets}:pw}}\n"
        );
        let config = read(&text).expect("valid");
        assert_eq!(config.keys.offset_flush_interval_ms, 5_000);
        assert_eq!(config.given["consumer.ssl.key.password"], "pssst");
        let warned = "The configuration 'config.providers.f.param.allowed.paths' is not given: connectors read whatever file the worker \
                      can read, by ${f:…}";
        assert_eq!(config.warnings, [warned]);
        assert!(config.provided.has("consumer.ssl.key.password"));

        let text = format!(
            "{MINIMAL}{providers}offset.flush.interval.ms=${{f:{secrets}:soon}}\noffset.flush.timeout.ms=${{f:/no/such:x}}\n"
        );
        let error = read_with(&text, |given| {
            let mut faults = Faults::default();
            faults.push("value.converter", format!("not {}", given["offset.flush.interval.ms"]));
            faults
        });
        let error = error.expect_err("three faults");
        for part in [
            "worker.properties:7: offset.flush.interval.ms: Invalid value [hidden] for configuration offset.flush.interval.ms: Not a number",
            "worker.properties:8: offset.flush.timeout.ms: Could not resolve ${f:/no/such:x} for configuration offset.flush.timeout.ms: ",
            "worker.properties:3: value.converter: not [hidden]",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert_eq!(error.lines().count(), 3, "{error}");
    }

    #[test]
    fn each_mode_has_its_keys() {
        let given = |text: &str| -> Properties {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let distributed = "bootstrap.servers=k:9092\nkey.converter=K\nvalue.converter=V\ngroup.id=g\nconfig.storage.topic=c\n\
            offset.storage.topic=o\nstatus.storage.topic=s\nlinger.ms=1\nstatus.storage.segment.bytes=1048576\n";
        let config = WorkerConfig::parse_as(Mode::Distributed, &given(distributed)).expect("valid");
        assert!(config.warnings.is_empty() && config.state_file().is_none(), "{:?}", config.warnings);
        assert_eq!(config.distributed().map(|keys| keys.group_id.as_str()), Some("g"));
        let more = format!("{distributed}{OFFSET_FILE}=/f\nlandfall.state.file=/s\nconfig.storage.cleanup.policy=delete\n");
        let config = WorkerConfig::parse_as(Mode::Distributed, &given(&more)).expect("valid");
        assert_eq!(
            config.warnings,
            [
                "The configuration 'landfall.state.file' has no effect: it is for workers in standalone mode",
                "The configuration 'offset.storage.file.filename' has no effect: it is for workers in standalone mode",
                "Ignoring 'config.storage.cleanup.policy=delete' setting, since compaction is always used",
            ]
        );
        assert!(WorkerConfig::parse_as(Mode::Distributed, &given(MINIMAL)).is_err());
        let config = read(&format!("{MINIMAL}group.id=g\nlandfall.state.file=/s\n")).expect("valid");
        assert_eq!(config.warnings, ["The configuration 'group.id' has no effect: it is for workers in distributed mode"]);
        assert!(config.distributed().is_none() && config.state_file().is_some());
    }

    #[test]
    fn the_advertised_address_is_the_configured_one() {
        let both = "listeners=https://10.0.0.1:0,http://10.0.0.2:0";
        for (keys, scheme, advertised) in [
            ("listeners=http://10.0.0.1:0", Scheme::Http, "10.0.0.1:4711"),
            ("listeners=http://10.0.0.1:0\nrest.advertised.host.name=pod-1\nrest.advertised.port=80", Scheme::Http, "pod-1:80"),
            ("listeners=http://[::1]:0", Scheme::Http, "[::1]:4711"),
            ("listeners=https://[::1]:0", Scheme::Https, "[::1]:4711"),
            (both, Scheme::Http, "10.0.0.2:4712"),
            (&format!("{both}\nrest.advertised.listener=HTTPS"), Scheme::Https, "10.0.0.1:4711"),
            (
                "listeners=http://10.0.0.1:0\nrest.advertised.listener=https\nrest.advertised.port=443",
                Scheme::Https,
                "10.0.0.1:443",
            ),
        ] {
            let config = read(&format!("{MINIMAL}{keys}\n")).expect("valid");
            assert_eq!(config.advertised(&[4711, 4712]), (scheme, advertised.to_owned()), "{keys}");
        }
    }

    #[test]
    fn secrets_are_known_by_name() {
        for key in [
            "consumer.override.sasl.jaas.config",
            "ssl.keystore.password",
            "ssl.key.password",
            "basic.auth.user.info",
            "value.converter.request.header.X-Api-Key",
        ] {
            assert!(sounds_secret(key), "{key}");
        }
        for key in ["topics", "key.converter", "basic.auth.credentials.source", "ssl.keystore.location", "flush.size"] {
            assert!(!sounds_secret(key), "{key}");
        }
        for value in ["http://a:1,http://u:p@b", "http://u:p/q@a:1"] {
            assert!(shows_secret(value), "{value}");
        }
        for value in ["https://a/c?sv=1&sig=x", "AccountName=a;AccountKey=x", "https://u:p@a/c", "x required password=\"p\";"] {
            assert!(shows_secret(value), "{value}");
        }
        for value in ["https://a.blob.core.windows.net/c", "file:///a@b:c", "orders,lines", "SASL_SSL"] {
            assert!(!shows_secret(value), "{value}");
        }
    }
}
