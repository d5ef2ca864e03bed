//! The connector classes that this worker has, in the order in which `/connector-plugins` lists them.

use landfall_adls::{
    AivenAzureBlobSink, AzureBlobStorageSink, AzureDataLakeGen2Sink, AzureDataLakeSink, LensesDatalakeSink, cloud,
};
use landfall_api::{ConverterClass, PredicateClass, Properties, Role, SinkConnector, TransformClass};
use landfall_file::FileStreamSink;

use crate::config::nearest;
use crate::convert::{self, CONVERTERS};
use crate::transform::TRANSFORMS;
use crate::transform::predicate::PREDICATES;

/// Every connector class; adding one is one file in its family and one line here.
pub const SINKS: &[&dyn SinkConnector] = &[
    &AzureDataLakeGen2Sink,
    &AzureBlobStorageSink,
    &AivenAzureBlobSink,
    &LensesDatalakeSink,
    &AzureDataLakeSink,
    &FileStreamSink,
];

/// The plugins that a worker works with.
#[derive(Clone, Copy)]
pub struct Plugins {
    /// Connector classes.
    pub sinks: &'static [&'static dyn SinkConnector],
    /// Converter classes.
    pub converters: &'static [&'static dyn ConverterClass],
    /// Transform classes.
    pub transforms: &'static [&'static dyn TransformClass],
    /// Predicate classes.
    pub predicates: &'static [&'static dyn PredicateClass],
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sinks.iter().map(|s| s.class())).entries(self.converters.iter().map(|c| c.class())).finish()
    }
}

impl Plugins {
    /// All that is built in.
    pub const BUILT_IN: Self = Self { sinks: SINKS, converters: CONVERTERS, transforms: TRANSFORMS, predicates: PREDICATES };

    /// The connector class that `name` means: the full Java name, or the simple name with or without `Connector`.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&'static dyn SinkConnector> {
        self.sinks.iter().copied().find(|sink| means(name, sink.class(), "Connector"))
    }

    /// The connector class that a configuration means: by its `connector.class`, and where two classes have that name by its keys.
    #[must_use]
    pub fn sink_of(&self, properties: &Properties) -> Option<&'static dyn SinkConnector> {
        let named = || properties.get("connector.class").map(|name| name.trim());
        self.sink(cloud::class_of(properties).or_else(named)?)
    }

    /// The converter class that `name` means: the full Java name, or the simple name with or without `Converter`.
    #[must_use]
    pub fn converter(&self, name: &str) -> Option<&'static dyn ConverterClass> {
        self.converters.iter().copied().find(|converter| means(name, converter.class(), "Converter"))
    }

    /// The transform class that `name` means: the full Java name, or the simple name.
    ///
    /// # Errors
    /// There is none, it is half of a name, or it is a class of another kind.
    pub fn transform(&self, name: &str) -> Result<&'static dyn TransformClass, NoClass> {
        let classes: Vec<_> = self.transforms.iter().map(|class| class.class()).collect();
        let others = self.predicates.iter().map(|class| class.class()).chain(self.converters.iter().map(|class| class.class()));
        class_of(name, "Transformation", &classes, others).map(|at| self.transforms[at])
    }

    /// The predicate class that `name` means: the full Java name, or the simple name.
    ///
    /// # Errors
    /// There is none, or it is a class of another kind.
    pub fn predicate(&self, name: &str) -> Result<&'static dyn PredicateClass, NoClass> {
        let classes: Vec<_> = self.predicates.iter().map(|class| class.class()).collect();
        let others = self.transforms.iter().map(|class| class.class()).chain(self.converters.iter().map(|class| class.class()));
        class_of(name, "Predicate", &classes, others).map(|at| self.predicates[at])
    }

    /// The same, for a role.
    ///
    /// # Errors
    /// Java's words when there is no such class, or when it does not take the role.
    pub fn converter_for(&self, role: Role, name: &str) -> Result<&'static dyn ConverterClass, String> {
        let key = convert::key(role);
        let Some(found) = self.converter(name) else {
            let interface = if role == Role::Header { "HeaderConverter" } else { "Converter" };
            if let Some(why) = no_plugin(name, interface) {
                return Err(why);
            }
            let able = self.converters.iter().filter(|converter| converter.roles().contains(&role));
            let meant = nearest(simple_name(name), able.map(|converter| simple_name(converter.class())));
            let hint = meant.map(|meant| format!(" Did you mean {meant}?")).unwrap_or_default();
            return Err(format!("Invalid value {name} for configuration {key}: Class {name} could not be found.{hint}"));
        };
        if !found.roles().contains(&role) {
            let interface = if role == Role::Header { "HeaderConverter" } else { "Converter" };
            return Err(format!("Class class {} does not implement the {interface} interface", found.class()));
        }
        Ok(found)
    }
}

/// Why a name is not that of a class of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoClass {
    /// There is no such class; what to say of it.
    Unknown {
        /// As it was given.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// Java's words for a class of another kind.
    Other(String),
}

impl NoClass {
    /// The fault of the configuration key that named the class.
    #[must_use]
    pub fn for_key(self, key: &str) -> String {
        match self {
            Self::Unknown { name, hint } => {
                format!("Invalid value {name} for configuration {key}: Class {name} could not be found.{hint}")
            }
            Self::Other(message) => message,
        }
    }
}

/// The one of `classes` that `name` means; `interface` is what Java calls their kind.
fn class_of(
    name: &str,
    interface: &str,
    classes: &[&'static str],
    others: impl Iterator<Item = &'static str>,
) -> Result<usize, NoClass> {
    if let Some(at) = classes.iter().position(|class| means(name, class, "")) {
        return Ok(at);
    }
    let halves: Vec<_> =
        classes.iter().copied().filter(|class| class.split_once('$').is_some_and(|(base, _)| means(name, base, ""))).collect();
    if !halves.is_empty() {
        let halves = halves.join(", ");
        return Err(NoClass::Other(format!("This class is abstract and cannot be created. Did you mean {halves}?")));
    }
    if let Some(other) = others.into_iter().find(|other| name == *other) {
        return Err(NoClass::Other(format!("Class class {other} does not implement the {interface} interface")));
    }
    if let Some(why) = no_plugin(name, interface) {
        return Err(NoClass::Other(why));
    }
    let meant = nearest(simple_name(name), classes.iter().map(|class| simple_name(class)));
    let hint = meant.map(|meant| format!(" Did you mean {meant}?")).unwrap_or_default();
    Err(NoClass::Unknown { name: name.to_owned(), hint })
}

/// The interfaces of plugins, which every Java worker has too.
const INTERFACES: [&str; 6] = [
    "org.apache.kafka.connect.sink.SinkConnector",
    "org.apache.kafka.connect.source.SourceConnector",
    "org.apache.kafka.connect.storage.Converter",
    "org.apache.kafka.connect.storage.HeaderConverter",
    "org.apache.kafka.connect.transforms.Transformation",
    "org.apache.kafka.connect.transforms.predicates.Predicate",
];

/// Whether `name` is that of a class which is there in Java and is no plugin.
#[must_use]
pub fn is_no_plugin(name: &str) -> bool {
    INTERFACES.contains(&name) || name.starts_with("java.lang.")
}

/// Java's words for such a class where one that implements `interface` is wanted.
fn no_plugin(name: &str, interface: &str) -> Option<String> {
    let why = if INTERFACES.contains(&name) {
        "This class is abstract and cannot be created.".to_owned()
    } else {
        format!("Class class {name} does not implement the {interface} interface")
    };
    is_no_plugin(name).then_some(why)
}

/// A class's name without its package.
#[must_use]
pub fn simple_name(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// Whether `name` is `class` or one of its aliases, as Java's plugin aliases go.
fn means(name: &str, class: &str, suffix: &str) -> bool {
    let simple = simple_name(class);
    name == class || name == simple || Some(name) == simple.strip_suffix(suffix)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use landfall_api::{
        Batch, Faults, Key, Offset, Opened, Opening, Password, Properties, Refuse, SinkTask, TaskContext, TaskError,
        TopicPartition, config,
    };

    use super::*;
    use crate::config::{AccessKeys, DistributedKeys, StandaloneKeys, WorkerKeys};
    use crate::herder::connector_config::ConnectorKeys;
    use crate::transform::TransformKeys;

    config! {
        /// What the sink of the tests reads.
        struct FakeKeys {
            /// Where the records go.
            path: String = "path" { required: true, importance: High, valid: NonEmpty };
            /// What opens the way.
            secret: Option<Password> = "secret" { importance: High };
            /// Records in a file.
            flush_size: i32 = "flush.size" { default: Some("1000"), valid: AtLeast(1) };
        }
    }

    /// A sink that takes everything and keeps nothing.
    #[derive(Debug)]
    pub(crate) struct FakeSink;

    impl SinkConnector for FakeSink {
        fn class(&self) -> &'static str {
            "org.example.FakeSinkConnector"
        }
        fn version(&self) -> &'static str {
            "1.2.3"
        }
        fn keys(&self) -> Vec<Key> {
            FakeKeys::KEYS.to_vec()
        }
        fn validate(&self, properties: &Properties) -> Faults {
            let mut faults = Faults::default();
            FakeKeys::parse(properties, &mut faults);
            faults
        }
        fn task(&self, _: &Properties, _: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
            Ok(Box::new(Self))
        }
    }

    impl SinkTask for FakeSink {
        fn open(&mut self, _: &TopicPartition, _: &Opening) -> Result<Option<Opened>, TaskError> {
            Ok(Some(Opened::default()))
        }
        fn put(&mut self, _: Vec<Batch>, _: &mut Refuse<'_>) -> Result<(), TaskError> {
            Ok(())
        }
        fn ready(&mut self, _: Duration) -> Result<bool, TaskError> {
            Ok(true)
        }
        fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
            Ok(BTreeMap::new())
        }
        fn close(&mut self, _: &[TopicPartition], _: bool, _: Duration) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
            Ok(BTreeMap::new())
        }
    }

    pub(crate) const FAKE: Plugins = Plugins { sinks: &[&FakeSink], ..Plugins::BUILT_IN };

    /// Every key that a user can give, by whose it is.
    fn declared() -> Vec<(&'static str, Vec<Key>)> {
        let sinks = SINKS.iter().map(|sink| (sink.class(), [ConnectorKeys::KEYS, &sink.keys()].concat()));
        let converters = CONVERTERS.iter().map(|converter| (converter.class(), convert::keys(*converter)));
        let transforms = TRANSFORMS.iter().map(|class| (class.class(), [class.keys(), TransformKeys::KEYS].concat()));
        let predicates = PREDICATES.iter().map(|class| (class.class(), class.keys().to_vec()));
        let worker = [WorkerKeys::KEYS, AccessKeys::KEYS, StandaloneKeys::KEYS, DistributedKeys::KEYS].concat();
        sinks.chain(converters).chain(transforms).chain(predicates).chain([("the worker", worker)]).collect()
    }

    #[test]
    fn every_key_says_what_a_form_and_the_reference_show() {
        let mut bad = Vec::new();
        for (whose, keys) in declared() {
            for key in &keys {
                let mut must = |holds: bool, what: &str| {
                    if !holds {
                        bad.push(format!("{whose}: {}: {what}", key.name));
                    }
                };
                let doc = key.documentation();
                must(!doc.is_empty() && doc.ends_with('.'), "a documentation that ends with a full stop");
                // Java declares these by their names alone and without a group, and they are shown as they are
                let free = whose.ends_with(".FileStreamSinkConnector")
                    || whose.contains(".transforms.")
                    || ["io.", "com.microsoft."].iter().any(|vendor| whose.starts_with(vendor));
                must(!key.display.is_empty() || free, "a name to display");
                let alone = ["converter.type", "converter.encoding"].contains(&key.name);
                must(!key.group.is_empty() || alone || free, "a group");
                must(!doc.to_lowercase().contains("not supported yet"), "its effect says what is not supported yet");
                for value in key.default.iter().chain(key.recommended) {
                    must(key.check(value).is_ok(), &format!("{value:?} is a default or recommended, and not valid"));
                }
                must(!key.required || key.default.is_none(), "either required or with a default");
                must(keys.iter().filter(|other| other.name == key.name).count() == 1, "one declaration");
                must(key.dependents.iter().all(|name| keys.iter().any(|other| other.name == *name)), "dependents that are there");
            }
        }
        assert!(bad.is_empty(), "these must have:\n{}", bad.join("\n"));
    }

    #[test]
    fn classes_are_known_by_name_and_alias() {
        for name in ["org.example.FakeSinkConnector", "FakeSinkConnector", "FakeSink"] {
            assert!(FAKE.sink(name).is_some(), "{name}");
        }
        for name in ["fakesink", "org.example.FakeSink", "", "Connector"] {
            assert!(FAKE.sink(name).is_none(), "{name}");
        }
        let class = |keys: &[&str]| {
            let given = [("connector.class", "AzureBlobSink")].into_iter().chain(keys.iter().map(|key| (*key, "JSON")));
            let given: Properties = given.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            Plugins::BUILT_IN.sink_of(&given).map(|sink| simple_name(sink.class()))
        };
        assert_eq!(class(&[]), Some("AzureBlobSinkConnector"), "Aiven's");
        assert_eq!(class(&["output.data.format"]), Some("AzureBlobStorageSinkConnector"), "Confluent Cloud's");
        assert!(FAKE.converter("Json").is_some() && FAKE.converter("org.apache.kafka.connect.json.JsonConverter").is_some());
    }
}
