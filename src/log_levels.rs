//! Levels of the log, by the names of Java's loggers, changed while the worker runs (`Loggers` of Kafka 4.3.1 over log4j 2).
//!
//! A logger has the level that it was given, or that of the nearest logger above it. [`LOGGERS`] says which parts of this program go by
//! which of Java's names. Others may be set too: one that is the name of a part, such as `landfall::task`, sets that part, and any other
//! is kept and shown and has no effect.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::config::WORKER_LOG;

/// Java's name of the logger above all others.
const ROOT: &str = "root";

/// Java's loggers, and what goes by them here: the targets of [`tracing`], each with all below it.
pub const LOGGERS: &[(&str, &[&str])] = &[
    ("com.azure", &["azure_core", "azure_identity", "azure_storage_blob", "typespec_client_core"]),
    ("io.confluent.connect", &["landfall_adls", "landfall_lake"]),
    ("io.confluent.kafka.schemaregistry", &["landfall::convert::registry"]),
    ("org.apache.kafka.clients", &["landfall::kafka", "librdkafka"]),
    ("org.apache.kafka.connect", &["landfall"]),
    ("org.apache.kafka.connect.converters", &["landfall::convert"]),
    ("org.apache.kafka.connect.file", &["landfall_file"]),
    ("org.apache.kafka.connect.runtime", &["landfall::herder", "landfall::worker"]),
    ("org.apache.kafka.connect.runtime.WorkerSinkTask", &["landfall::task"]),
    ("org.apache.kafka.connect.runtime.distributed", &["landfall::herder::distributed", "landfall::kafka::group"]),
    ("org.apache.kafka.connect.runtime.errors", &["landfall::task::dead_letter", "landfall::task::tolerance"]),
    ("org.apache.kafka.connect.runtime.rest", &["landfall::rest"]),
    ("org.apache.kafka.connect.storage", &["landfall::state"]),
    ("org.apache.kafka.connect.transforms", &["landfall::transform"]),
];

/// A level of log4j.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Off,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    All,
}

impl Level {
    const ALL: [Self; 8] = [Self::Off, Self::Fatal, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace, Self::All];

    /// The level that `name` means, in any case and with blanks around it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The name, in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
            Self::All => "ALL",
        }
    }

    /// The level that it is here. Nothing is fatal: who wants to see that alone gets errors.
    const fn here(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fatal | Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace | Self::All => "trace",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// A logger as users see it (`LoggerLevel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Logger {
    /// Its level, or that of the nearest logger above it.
    pub level: Level,
    /// When it was changed last, in milliseconds since the epoch; null if it was not since the worker began.
    pub last_modified: Option<u64>,
}

/// Makes directives of [`tracing_subscriber::EnvFilter`] the ones that count.
type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What the program logs first, and how that is changed.
static PROCESS: OnceLock<(String, Apply)> = OnceLock::new();

/// Says what the program logs, as directives, and how that is changed. To be called once, before any [`Loggers`] are made; without it,
/// levels are kept and have no effect.
pub fn install(directives: &str, apply: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) {
    let _ = PROCESS.set((directives.to_owned(), Box::new(apply)));
}

/// The loggers of a worker.
#[derive(Debug)]
pub struct Loggers(Mutex<Levels>);

/// What was set.
#[derive(Debug)]
struct Levels {
    /// Every name that was ever heard of, but for the root, and when its level changed.
    known: BTreeMap<String, Option<u64>>,
    root: Logger,
    /// The levels that were given, by name.
    given: BTreeMap<String, Level>,
    /// Targets with their levels, of which later ones count more; no target is all.
    directives: Vec<(String, String)>,
}

impl Default for Loggers {
    /// With what the program logs.
    fn default() -> Self {
        Self::of(PROCESS.get().map_or(WORKER_LOG, |(directives, _)| directives))
    }
}

impl Loggers {
    fn of(directives: &str) -> Self {
        let directive = |text: &str| match text.rsplit_once('=') {
            Some((target, level)) => (target.to_owned(), level.to_owned()),
            None => (String::new(), text.to_owned()),
        };
        let directives: Vec<_> = directives.split(',').map(str::trim).filter(|d| !d.is_empty()).map(directive).collect();
        let level_of = |target: &str| {
            let found = directives.iter().rfind(|(of, _)| of == target)?;
            Level::named(&found.1)
        };
        // Without a level for all, tracing takes errors.
        let root = Logger { level: level_of("").unwrap_or(Level::Error), last_modified: None };
        let given = LOGGERS.iter().filter_map(|(name, targets)| {
            let level = targets.iter().find_map(|target| level_of(target))?;
            Some(((*name).to_owned(), level))
        });
        let given = given.collect();
        let known = LOGGERS.iter().map(|(name, _)| ((*name).to_owned(), None)).collect();
        Self(Mutex::new(Levels { known, root, given, directives }))
    }

    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All loggers that log, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Logger> {
        let levels = self.levels();
        let named = levels.known.keys().map(|name| (name.clone(), levels.logger(name)));
        named.chain([(ROOT.to_owned(), levels.root)]).filter(|(_, logger)| logger.level != Level::Off).collect()
    }

    /// The logger `name`, if it was heard of.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Logger> {
        let levels = self.levels();
        if is_root(name) {
            return Some(levels.root);
        }
        levels.known.contains_key(name).then(|| levels.logger(name))
    }

    /// Gives the logger `name` and all below it a level; the names of those whose level that changed, in order.
    ///
    /// # Errors
    /// It cannot be made to count.
    pub fn set(&self, name: &str, level: Level) -> Result<Vec<String>, String> {
        tracing::info!("setting the level of logger {} and those below it to {level}", if name.is_empty() { ROOT } else { name });
        let mut levels = self.levels();
        let changed = levels.set(name, level);
        match PROCESS.get() {
            Some((_, apply)) => apply(&levels.text()).map(|()| changed),
            None => Ok(changed),
        }
    }
}

impl Levels {
    fn logger(&self, name: &str) -> Logger {
        Logger { level: self.level(name), last_modified: self.known.get(name).copied().flatten() }
    }

    /// The level of the nearest logger that was given one.
    fn level(&self, name: &str) -> Level {
        let mut name = name;
        loop {
            if let Some(level) = self.given.get(name) {
                return *level;
            }
            match name.rsplit_once('.') {
                Some((above, _)) => name = above,
                None => return self.root.level,
            }
        }
    }

    fn set(&mut self, name: &str, level: Level) -> Vec<String> {
        let (now, root) = (now(), is_root(name));
        if !root {
            self.known.entry(name.to_owned()).or_default();
        }
        let of_it: Vec<String> = self.known.keys().filter(|other| root || is_under(other, name, '.')).cloned().collect();
        let before: Vec<Level> = of_it.iter().map(|name| self.level(name)).collect();
        self.given.retain(|other, _| !(root || is_under(other, name, '.')));
        let mut changed = Vec::new();
        // As in Java, one that was off has no level to compare with.
        let is_change = |before: Level| before != level || before == Level::Off;
        if root {
            if is_change(self.root.level) {
                self.root.last_modified = Some(now);
                changed.push(ROOT.to_owned());
            }
            self.root.level = level;
        } else {
            self.given.insert(name.to_owned(), level);
        }
        for (name, before) in of_it.into_iter().zip(before) {
            if is_change(before) {
                self.known.insert(name.clone(), Some(now));
                changed.push(name);
            }
        }
        changed.sort_unstable();
        self.direct(name, level);
        changed
    }

    /// Makes the directives those that the level of `name` asks for.
    fn direct(&mut self, name: &str, level: Level) {
        if is_root(name) {
            self.directives = vec![(String::new(), level.here().to_owned())];
            return;
        }
        let below = LOGGERS.iter().filter(|(logger, _)| is_under(logger, name, '.')).flat_map(|(_, targets)| *targets).copied();
        let part = is_target(name).then_some(name);
        let targets: Vec<&str> = below.chain(part).collect();
        let covers = |target: &str| targets.iter().any(|of| is_under(target, of, ':'));
        self.directives.retain(|(target, _)| !covers(target));
        self.directives.extend(targets.iter().map(|target| ((*target).to_owned(), level.here().to_owned())));
        // What lies in these targets and goes by another logger keeps its level.
        for (logger, inside) in LOGGERS.iter().filter(|(logger, _)| !is_under(logger, name, '.') && part.is_none()) {
            let level = self.level(logger).here();
            let kept = inside.iter().filter(|target| covers(target));
            let kept: Vec<_> = kept.map(|target| ((*target).to_owned(), level.to_owned())).collect();
            self.directives.extend(kept);
        }
    }

    fn text(&self) -> String {
        let directive = |(target, level): &(String, String)| match target.as_str() {
            "" => level.clone(),
            target => format!("{target}={level}"),
        };
        self.directives.iter().map(directive).collect::<Vec<_>>().join(",")
    }
}

fn is_root(name: &str) -> bool {
    name.is_empty() || name.eq_ignore_ascii_case(ROOT)
}

/// Whether `name` is `above` or below it, where names have their parts before `separator`.
fn is_under(name: &str, above: &str, separator: char) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

/// Whether a name is that of a part of this program.
fn is_target(name: &str) -> bool {
    let first = name.split("::").next().unwrap_or_default();
    let ours = LOGGERS.iter().flat_map(|(_, targets)| *targets).any(|target| target.split("::").next() == Some(first));
    ours && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;

    use super::*;

    fn text(loggers: &Loggers) -> String {
        let text = loggers.levels().text();
        assert!(EnvFilter::try_new(&text).is_ok(), "{text}");
        text
    }

    fn set(loggers: &Loggers, name: &str, level: &str) -> Vec<String> {
        loggers.set(name, Level::named(level).expect("a level")).expect("set")
    }

    fn level(loggers: &Loggers, name: &str) -> Level {
        loggers.get(name).expect("known").level
    }

    #[test]
    fn levels_go_down_the_names_as_in_java() {
        let loggers = Loggers::of("info");
        assert_eq!(loggers.get("com.example.New"), None);
        assert_eq!(set(&loggers, "com.example.New", "ERROR"), ["com.example.New"]);
        assert_eq!(set(&loggers, "com.example.New", "error"), Vec::<String>::new());
        assert!(loggers.get("com.example.New").is_some_and(|l| l.level == Level::Error && l.last_modified.is_some()));
        assert_eq!(set(&loggers, "com.example.Same", " info "), Vec::<String>::new());
        assert_eq!(loggers.get("com.example.Same"), Some(Logger { level: Level::Info, last_modified: None }));
        assert_eq!(set(&loggers, "com.example", "TRACE"), ["com.example", "com.example.New", "com.example.Same"]);
        assert_eq!(level(&loggers, "com.example.New"), Level::Trace);
        assert_eq!(set(&loggers, "com.exam", "DEBUG"), ["com.exam"]);
        assert_eq!(set(&loggers, "com.example", "OFF").len(), 3);
        assert_eq!(set(&loggers, "com.example", "OFF").len(), 3);
        assert!(!loggers.all().contains_key("com.example.New") && loggers.all().contains_key("com.azure"));
        assert!(set(&loggers, "ROOT", "WARN").contains(&"root".to_owned()));
        assert_eq!(
            (level(&loggers, "root"), level(&loggers, ""), level(&loggers, "com.example.New")),
            (Level::Warn, Level::Warn, Level::Warn)
        );
        assert_eq!(text(&loggers), "warn");
    }

    #[test]
    fn java_names_set_the_parts_that_go_by_them() {
        let loggers = Loggers::of("info,azure_core=warn,landfall::convert::avro=trace");
        assert_eq!((level(&loggers, "com.azure"), level(&loggers, "org.apache.kafka.connect")), (Level::Warn, Level::Info));
        set(&loggers, "org.apache.kafka.connect.runtime.WorkerSinkTask", "DEBUG");
        assert_eq!(
            text(&loggers),
            "info,azure_core=warn,landfall::convert::avro=trace,landfall::task=debug,landfall::task::dead_letter=info,landfall::task::tolerance=info"
        );
        set(&loggers, "org.apache.kafka.connect.runtime.rest.RestServer", "DEBUG");
        assert!(!text(&loggers).contains("landfall::rest"), "{}", text(&loggers));
        set(&loggers, "org.apache.kafka", "ERROR");
        let errors = text(&loggers);
        assert!(errors.starts_with("info,azure_core=warn,landfall::kafka=error,librdkafka=error,landfall=error,"), "{errors}");
        assert!(
            !errors.contains("trace") && !errors.contains("debug") && errors.contains(",landfall::convert::registry=info"),
            "{errors}"
        );
        set(&loggers, "landfall::rest", "FATAL");
        assert!(text(&loggers).ends_with(",landfall::rest=error"), "{}", text(&loggers));
    }

    #[test]
    fn levels_are_those_of_log4j() {
        let named = ["off", "FATAL", "Error", "warn", "info", "debug", "trace", "all", "", "5", "inherit"].map(Level::named);
        assert_eq!(named.iter().flatten().count(), 8);
        let logger = Logger { level: Level::All, last_modified: None };
        assert_eq!(serde_json::to_string(&logger).expect("JSON"), r#"{"level":"ALL","last_modified":null}"#);
    }

    #[test]
    fn loggers_are_listed_in_order_and_once() {
        assert!(LOGGERS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
