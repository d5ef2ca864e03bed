//! A worker's properties as a whole (`WorkerConfig` and `RestServerConfig` of Kafka 4.3.1, and our own): what is read, resolved, refused
//! and warned about.

mod keys;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use landfall_api::metrics::Window;
use landfall_api::{Effect, Faults, Key, Properties};

use super::properties::PropertiesFile;
use super::provider::{Provided, Providers, Resolved};
use super::reach::Reach;
use super::{AccessKeys, DistributedKeys, Environment, Listener, Scheme, hint_missing, millis, topic_warnings, unknown_key};
use crate::herder::state_store::StateStore;
use crate::kafka::client::is_internal;
use crate::kafka::event_hubs;

pub use keys::{StandaloneKeys, WorkerKeys};

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

#[cfg(test)]
mod tests;
