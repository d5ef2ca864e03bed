//! The keys of every worker, those of one in standalone mode, and what is legal in them.

use std::collections::BTreeSet;

use landfall_api::config::Class;
use landfall_api::{Width, config};

use crate::config::{Listener, OverridePolicy, check_bootstrap_server, reach};
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
    items(raw).into_iter().try_for_each(check_bootstrap_server)
}

fn known_policy(raw: &str) -> Result<(), String> {
    OverridePolicy::parse(raw.trim(), &[]).map(|_| ())
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
