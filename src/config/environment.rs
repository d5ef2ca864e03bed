//! The worker's properties in variables of the environment, as the Connect images of Confluent (8.1) and Debezium (3.3) take them.
//!
//! `CONNECT_GROUP_ID` is `group.id`: in lower case, `_` is a dot, `__` an underscore and `___` a dash. Without a properties file Debezium's
//! own names count too, such as `GROUP_ID`, and what its image sets besides. What the images read for Java is noted and has no effect.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use landfall_api::{Faults, Properties};

use super::properties::PropertiesFile;
use super::{LOG_VARIABLE, Mode};

/// What begins the variables that are properties.
const PREFIX: &str = "CONNECT_";

/// Names of Debezium's image, and what they mean.
const DEBEZIUM: [(&str, &str); 12] = [
    ("ADVERTISED_HOST_NAME", "rest.advertised.host.name"),
    ("ADVERTISED_PORT", "rest.advertised.port"),
    ("BOOTSTRAP_SERVERS", "bootstrap.servers"),
    ("CONFIG_STORAGE_TOPIC", "config.storage.topic"),
    ("GROUP_ID", "group.id"),
    ("KEY_CONVERTER", "key.converter"),
    ("OFFSET_FLUSH_INTERVAL_MS", "offset.flush.interval.ms"),
    ("OFFSET_FLUSH_TIMEOUT_MS", "offset.flush.timeout.ms"),
    ("OFFSET_STORAGE_TOPIC", "offset.storage.topic"),
    ("SHUTDOWN_TIMEOUT", "task.shutdown.graceful.timeout.ms"),
    ("STATUS_STORAGE_TOPIC", "status.storage.topic"),
    ("VALUE_CONVERTER", "value.converter"),
];

/// What a cluster of that image has unless it is said: it does so itself, or by the properties file that Kafka comes with.
const DEBEZIUM_SETS: [(&str, &str); 8] = [
    ("config.storage.replication.factor", "1"),
    ("group.id", "1"),
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("offset.storage.replication.factor", "1"),
    ("status.storage.replication.factor", "1"),
    ("status.storage.topic", "connect-status"),
    ("task.shutdown.graceful.timeout.ms", "10000"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
];

/// What variables say of the worker's properties.
#[derive(Clone, Default)]
pub struct Environment {
    /// Key to value.
    pub properties: Properties,
    /// Key to the variable that says it.
    variables: BTreeMap<String, String>,
    /// Variables that have no effect, and those that are read otherwise than they may be meant. No value is in them.
    pub warnings: Vec<String>,
}
landfall_api::opaque!(Environment);

impl Environment {
    /// Reads the variables of this process for a worker in `mode`; `has_file` says whether a properties file goes with them.
    #[must_use]
    pub fn read(mode: Mode, has_file: bool) -> Self {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::of(&std::env::vars_os().filter_map(text).collect(), mode, has_file)
    }

    fn of(all: &BTreeMap<String, String>, mode: Mode, has_file: bool) -> Self {
        let mut environment = Self::default();
        for (name, value) in all {
            if let Some(why) = no_effect(name, value) {
                environment.warnings.push(format!("The variable '{name}' has no effect: {why}"));
            } else if let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| !rest.is_empty() && !is_link(rest, value)) {
                environment.take(&key_of(rest), name, value);
            }
        }
        if !has_file {
            for (name, key) in DEBEZIUM {
                if let Some(value) = all.get(name).filter(|value| !value.is_empty()) {
                    environment.take_unless_given(key, name, value);
                }
            }
            if mode == Mode::Distributed && all.contains_key("BOOTSTRAP_SERVERS") {
                for (key, value) in DEBEZIUM_SETS {
                    environment.properties.entry(key.to_owned()).or_insert_with(|| value.to_owned());
                }
            }
        }
        environment.listen(all, has_file);
        environment
    }

    /// Whether no variable says anything of the worker.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// Both as the images have them: what `file` says, and over it what variables say.
    #[must_use]
    pub fn over(&self, file: &Properties) -> Properties {
        let mut all = file.clone();
        all.extend(self.properties.clone());
        all
    }

    /// The variables that count where `file` says the same key otherwise.
    #[must_use]
    pub fn counts_before(&self, file: &PropertiesFile) -> Vec<String> {
        let both = self.variables.iter().filter_map(|(key, name)| Some((key, name, file.lines.get(key)?)));
        both.filter(|(key, ..)| self.properties.get(*key) != file.properties.get(*key))
            .map(|(key, name, line)| {
                format!("{}:{line}: {key} is not used, the variable '{name}' counts before it", file.path.display())
            })
            .collect()
    }

    /// `faults` with the variable or the place in `file` that each is about, one a line.
    #[must_use]
    pub fn locate(&self, faults: &Faults, file: Option<&PropertiesFile>) -> String {
        let mut text = String::new();
        for fault in &faults.0 {
            let line = match (self.variables.get(&fault.key), file) {
                (Some(name), _) => format!("{name}: {}: {}", fault.key, fault.message),
                (None, Some(file)) => file.locate(&Faults(vec![fault.clone()])),
                (None, None) => format!("{}: {}: {}", variable_of(&fault.key), fault.key, fault.message),
            };
            let _ = writeln!(text, "{line}");
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The images write variables into a properties file, by whose rules backslashes are read.
    fn take(&mut self, key: &str, name: &str, value: &str) {
        let value = value.trim_end_matches(['\n', '\r']);
        let mut text = value.to_owned();
        if value.contains('\\')
            && let Ok(file) = PropertiesFile::parse(Path::new(name), &format!("value={value}"))
            && let (Some(read), 1) = (file.properties.get("value"), file.properties.len())
        {
            self.warnings
                .push(format!("The variable '{name}' has a backslash, which is read as in a properties file: \\\\ is one"));
            text.clone_from(read);
        }
        self.properties.insert(key.to_owned(), text);
        self.variables.insert(key.to_owned(), name.to_owned());
    }

    fn take_unless_given(&mut self, key: &str, name: &str, value: &str) {
        if let Some(given) = self.variables.get(key) {
            if self.properties.get(key).is_some_and(|other| other != value) {
                self.warnings.push(format!("The variable '{name}' is not used, '{given}' counts before it"));
            }
        } else {
            self.take(key, name, value);
        }
    }

    /// `rest.port` and `rest.host.name`, which Kafka had before it had `listeners`.
    fn listen(&mut self, all: &BTreeMap<String, String>, has_file: bool) {
        let mut of = |key: &str, plain: &str| {
            let taken = self.properties.remove(key);
            let name = self.variables.remove(key).or_else(|| (!has_file).then(|| plain.to_owned()))?;
            taken.or_else(|| all.get(&name).cloned()).filter(|value| !value.is_empty()).map(|value| (name, value))
        };
        let (host, port) = (of("rest.host.name", "REST_HOST_NAME"), of("rest.port", "REST_PORT"));
        let Some((name, port)) = port.or_else(|| host.as_ref().map(|(name, _)| (name.clone(), "8083".to_owned()))) else {
            return;
        };
        if let Some(listeners) = self.variables.get("listeners") {
            self.warnings.push(format!("The variable '{name}' is not used, '{listeners}' counts before it"));
            return;
        }
        self.properties.insert("listeners".to_owned(), format!("http://{}:{port}", host.map_or(String::new(), |(_, host)| host)));
        self.variables.insert("listeners".to_owned(), name);
    }
}

/// The key that a variable's name means, without what it begins with.
fn key_of(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    let mut run = 0;
    for (at, c) in name.char_indices() {
        if c == '_' {
            run += 1;
            continue;
        }
        separate(&mut key, run, at == run);
        run = 0;
        key.extend(c.to_lowercase());
    }
    separate(&mut key, run, true);
    key
}

/// What so many underscores mean; one at an end of the name stays one.
fn separate(key: &mut String, run: usize, at_end: bool) {
    key.extend(std::iter::repeat_n('-', run / 3));
    match run % 3 {
        1 if run == 1 && !at_end => key.push('.'),
        0 => {}
        _ => key.push('_'),
    }
}

/// The variable that says `key`.
fn variable_of(key: &str) -> String {
    let name = key.replace('-', "___").replace('_', "__").replace("______", "___").replace('.', "_");
    format!("{PREFIX}{}", name.to_uppercase())
}

/// Whether it is one of those that Kubernetes and Docker set for a service called `connect`.
fn is_link(rest: &str, value: &str) -> bool {
    let of_port = rest.strip_prefix("PORT_").is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
    rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT") || of_port || rest == "PORT" && value.contains("://")
}

/// Why a variable that the images know has nothing to act on.
fn no_effect(name: &str, value: &str) -> Option<String> {
    const MEMORY: &str = "there is no Java virtual machine; landfall.memory.bytes is the memory of open files";
    const JVM: &str = "there is no Java virtual machine";
    const METRICS: &str = "there is no JMX; metrics are at /metrics";
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    let why = match name {
        _ if value.is_empty() => return None,
        "KAFKA_HEAP_OPTS" | "HEAP_OPTS" => MEMORY.to_owned(),
        "KAFKA_JVM_PERFORMANCE_OPTS" | "KAFKA_GC_LOG_OPTS" => JVM.to_owned(),
        "KAFKA_JMX_PORT" | "KAFKA_JMX_OPTS" | "KAFKA_JMX_HOSTNAME" | "JMXPORT" | "JMXHOST" => METRICS.to_owned(),
        "KAFKA_LOG4J_OPTS" => format!("{LOG_VARIABLE} says what is logged"),
        // What names a JAAS file in it is read elsewhere.
        "KAFKA_OPTS" => {
            let names_jaas = |option: &str| option.starts_with("-Djava.security.auth.login.config=");
            if value.split_whitespace().all(names_jaas) {
                return None;
            }
            format!("{JVM}; only -Djava.security.auth.login.config in it is read")
        }
        _ if rest.starts_with("LOG4J") || rest.starts_with("TOOLS_LOG4J") => format!("{LOG_VARIABLE} says what is logged"),
        _ if rest.starts_with("CUB_") => "the worker waits for the brokers by itself".to_owned(),
        _ if rest.starts_with("INTERNAL_KEY_CONVERTER") || rest.starts_with("INTERNAL_VALUE_CONVERTER") => {
            "Kafka has no such property any more".to_owned()
        }
        _ if name.strip_prefix("KAFKA_CONNECT_").is_some_and(|rest| !is_link(rest, value)) => {
            "it is of the scripts of Strimzi's image".to_owned()
        }
        _ => return None,
    };
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(all: &[(&str, &str)], has_file: bool) -> Environment {
        let all = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment::of(&all, Mode::Distributed, has_file)
    }

    #[test]
    fn names_are_those_of_confluents_image() {
        for (name, key) in [
            ("BOOTSTRAP_SERVERS", "bootstrap.servers"),
            ("VALUE_CONVERTER_SCHEMA_REGISTRY_URL", "value.converter.schema.registry.url"),
            ("WITH__UNDERSCORE", "with_underscore"),
            ("WITH___DASH", "with-dash"),
            ("A____B", "a-_b"),
            ("_A_", "_a_"),
        ] {
            assert_eq!(key_of(name), key, "{name}");
        }
        for key in ["group.id", "with_underscore", "with-dash", "a.b_c-d"] {
            assert_eq!(key_of(variable_of(key).strip_prefix(PREFIX).expect("prefixed")), key);
        }
    }

    #[test]
    fn variables_count_before_the_file_and_say_so() {
        let file =
            PropertiesFile::parse(Path::new("w.properties"), "group.id=a\nkey.converter=K\nvalue.converter=V\n").expect("valid");
        let variables = [("CONNECT_GROUP_ID", "b"), ("CONNECT_VALUE_CONVERTER", "V"), ("GROUP_ID", "stray")];
        let environment = environment(&variables, true);
        let merged = environment.over(&file.properties);
        assert_eq!((merged["group.id"].as_str(), merged["key.converter"].as_str()), ("b", "K"));
        let said = ["w.properties:1: group.id is not used, the variable 'CONNECT_GROUP_ID' counts before it"];
        assert_eq!(environment.counts_before(&file), said);
        assert!(environment.warnings.is_empty(), "{:?}", environment.warnings);
    }

    #[test]
    fn debeziums_names_count_where_there_is_no_file() {
        let variables = [
            ("BOOTSTRAP_SERVERS", "kafka:9092"),
            ("CONFIG_STORAGE_TOPIC", "configs"),
            ("OFFSET_STORAGE_TOPIC", "offsets"),
            ("SHUTDOWN_TIMEOUT", "20000"),
            ("REST_PORT", "8084"),
            ("GROUP_ID", "other"),
            ("CONNECT_GROUP_ID", "mine"),
        ];
        let alone = environment(&variables, false);
        for (key, value) in [
            ("bootstrap.servers", "kafka:9092"),
            ("group.id", "mine"),
            ("listeners", "http://:8084"),
            ("status.storage.topic", "connect-status"),
            ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("offset.storage.replication.factor", "1"),
            ("task.shutdown.graceful.timeout.ms", "20000"),
        ] {
            assert_eq!(alone.properties.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert_eq!(alone.warnings, ["The variable 'GROUP_ID' is not used, 'CONNECT_GROUP_ID' counts before it"]);
        let with_file = environment(&variables, true);
        assert_eq!(with_file.properties.into_iter().collect::<Vec<_>>(), [("group.id".to_owned(), "mine".to_owned())]);
        let standalone = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert!(!Environment::of(&standalone, Mode::Standalone, false).properties.contains_key("status.storage.topic"));
    }

    #[test]
    fn the_old_port_and_host_are_a_listener_unless_there_is_one() {
        let listeners = |all: &[(&str, &str)]| environment(all, false).properties.get("listeners").cloned();
        assert_eq!(listeners(&[("CONNECT_REST_PORT", "28083")]).as_deref(), Some("http://:28083"));
        assert_eq!(listeners(&[("REST_HOST_NAME", "0.0.0.0")]).as_deref(), Some("http://0.0.0.0:8083"));
        let both = [("CONNECT_LISTENERS", "http://:1"), ("CONNECT_REST_PORT", "2")];
        assert_eq!(listeners(&both).as_deref(), Some("http://:1"));
        let said = ["The variable 'CONNECT_REST_PORT' is not used, 'CONNECT_LISTENERS' counts before it"];
        assert_eq!(environment(&both, false).warnings, said);
    }

    #[test]
    fn what_is_for_java_is_noted_without_its_value() {
        let variables = [
            ("CONNECT_CUB_KAFKA_TIMEOUT", "hunter2"),
            ("CONNECT_LOG4J_LOGGERS", "hunter2"),
            ("KAFKA_CONNECT_BOOTSTRAP_SERVERS", "hunter2"),
            ("KAFKA_HEAP_OPTS", "-Xmx2g -Dhunter2"),
            ("KAFKA_OPTS", "-Djava.security.auth.login.config=/a -Dhunter2"),
        ];
        let noted = environment(&variables, false);
        assert!(noted.is_empty(), "{:?}", noted.properties.keys());
        assert_eq!(noted.warnings.len(), variables.len());
        for ((name, _), warning) in variables.iter().zip(&noted.warnings) {
            assert!(
                warning.starts_with(&format!("The variable '{name}' has no effect")) && !warning.contains("hunter2"),
                "{warning}"
            );
        }
        let jaas = [("KAFKA_OPTS", "-Djava.security.auth.login.config=/a")];
        assert!(environment(&jaas, false).warnings.is_empty());
    }

    #[test]
    fn links_to_a_service_called_connect_are_no_properties() {
        let links = [
            ("CONNECT_SERVICE_HOST", "10.0.0.1"),
            ("CONNECT_SERVICE_PORT", "8083"),
            ("CONNECT_SERVICE_PORT_REST", "8083"),
            ("CONNECT_PORT", "tcp://10.0.0.1:8083"),
            ("CONNECT_PORT_8083_TCP_ADDR", "10.0.0.1"),
        ];
        assert!(environment(&links, false).is_empty());
    }

    #[test]
    fn backslashes_are_read_as_in_the_file_that_the_images_write() {
        let variables =
            [("CONNECT_A", r"a\\b"), ("CONNECT_B", "two\\\n lines\n"), ("CONNECT_C", "two\nlines\\\\"), ("CONNECT_D", "x\n")];
        let read = environment(&variables, false);
        let values: Vec<_> = read.properties.values().map(String::as_str).collect();
        assert_eq!(values, ["a\\b", "twolines", "two\nlines\\\\", "x"]);
        assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
    }

    #[test]
    fn faults_name_the_variable_to_mend() {
        let mut faults = Faults::default();
        faults.push("group.id", "no good");
        faults.push("key.converter", "Missing");
        let environment = environment(&[("CONNECT_GROUP_ID", "hunter2")], false);
        let located = "CONNECT_GROUP_ID: group.id: no good\nCONNECT_KEY_CONVERTER: key.converter: Missing";
        assert_eq!(environment.locate(&faults, None), located);
        let file = PropertiesFile::parse(Path::new("w"), "key.converter=\n").expect("valid");
        let located = "CONNECT_GROUP_ID: group.id: no good\nw:1: key.converter: Missing";
        assert_eq!(environment.locate(&faults, Some(&file)), located);
    }
}
