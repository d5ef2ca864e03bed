//! Typed columns from bytes: one file a converter, one line in the table here.

mod avro;
mod batch;
mod bytes;
pub mod fuzz;
mod json;
mod json_schema;
mod node;
mod number;
mod protobuf;
mod registry;
mod simple_header;
mod string;

use std::ops::Range;

pub use batch::{Configured, Converted, Converters};

use landfall_api::config::with_prefix;
use landfall_api::{
    Column, Converter, ConverterClass, Fault, Faults, Importance, Key, Properties, RecordError, Role, Run, Valid, Width,
};

use crate::config::{WorkerKeys, inherit_azure};
use crate::plugins::Plugins;

/// Every converter class; adding one is one file and one line here.
pub const CONVERTERS: &[&dyn ConverterClass] = &[
    &json::JsonConverterClass,
    &string::StringConverterClass,
    &bytes::ByteArrayConverterClass,
    &number::BOOLEAN,
    &number::SHORT,
    &number::INTEGER,
    &number::LONG,
    &number::FLOAT,
    &number::DOUBLE,
    &json_schema::JsonSchemaConverterClass,
    &simple_header::SimpleHeaderConverterClass,
    &protobuf::ProtobufConverterClass,
    &avro::AvroConverterClass,
    &avro::ApicurioAvroConverterClass,
    &avro::EventHubsAvroConverterClass,
    &json_schema::EventHubsJsonConverterClass,
];

/// A converter of the class that `class` names, from `properties` with the prefix (`value.converter.`) taken off.
///
/// # Errors
/// All faults in the properties; or one for the key of the role (`value.converter`) if there is no such class or it does not take
/// the role.
pub fn build(class: &str, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
    match Plugins::BUILT_IN.converter_for(role, class) {
        Ok(found) => found.build(properties, role),
        Err(why) => Err(Faults(vec![Fault { key: key(role).into(), message: why }])),
    }
}

/// The converters of a task: those that the connector names, else the worker's.
///
/// # Errors
/// All faults in one of them.
pub fn converters(worker: &Properties, connector: &Properties) -> Result<Converters, String> {
    let of = |role| {
        let (class, properties) = configured(role, worker, connector);
        let converter = build(&class, &properties, role).map_err(|faults| format!("{}: {faults}", key(role)))?;
        let class = Plugins::BUILT_IN.converter(&class).map(ConverterClass::class).unwrap_or_default();
        Ok::<_, String>(Configured { class, converter })
    };
    Ok(Converters { key: of(Role::Key)?, value: of(Role::Value)?, header: of(Role::Header)? })
}

/// The class and the own keys of the converter for `role`: the connector's if it names one, else the worker's (Java's
/// `Worker.startTask`). One that asks Azure does so as the worker's `landfall.azure.*` say, unless it has such keys of its own.
#[must_use]
pub fn configured(role: Role, worker: &Properties, connector: &Properties) -> (String, Properties) {
    let key = key(role);
    let from = if connector.contains_key(key) { connector } else { worker };
    let default = WorkerKeys::KEYS.iter().find(|k| k.name == key).and_then(|k| k.default);
    let class = from.get(key).map(|class| class.trim()).or(default).unwrap_or_default();
    let mut own = with_prefix(from, &format!("{key}."));
    let keys = Plugins::BUILT_IN.converter(class).map(ConverterClass::keys).unwrap_or_default();
    inherit_azure(&mut own, worker, keys);
    (class.to_owned(), own)
}

/// The property that names the converter of a role.
#[must_use]
pub const fn key(role: Role) -> &'static str {
    match role {
        Role::Key => "key.converter",
        Role::Value => "value.converter",
        Role::Header => "header.converter",
    }
}

/// The key that tells a converter its role: the worker gives it, as Java's does.
pub const TYPE: Key = Key {
    name: "converter.type",
    required: true,
    importance: Importance::Low,
    width: Width::None,
    display: "converter.type",
    doc: "The role of the converter: key, value or header. The worker sets it.",
    valid: Valid::OneOf(&["key", "value", "header"]),
    ..Key::EMPTY
};

/// The keys of a converter class, with [`TYPE`] if Java declares it.
#[must_use]
pub fn keys(class: &dyn ConverterClass) -> Vec<Key> {
    let untyped = class.roles() == [Role::Header];
    (!untyped).then_some(TYPE).into_iter().chain(class.keys().iter().copied()).collect()
}

/// The version of a converter class: Kafka's for those that are a part of Kafka, as configurations mean it.
#[must_use]
pub fn version(class: &dyn ConverterClass) -> &'static str {
    if class.class().starts_with("org.apache.kafka.") { "4.3.1" } else { env!("CARGO_PKG_VERSION") }
}

/// The name of a role, as [`TYPE`] has it.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Value => "value",
        Role::Header => "header",
    }
}

/// What the column is called that a converter makes in a role.
const fn column_name(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Value | Role::Header => "value",
    }
}

/// All rows as one run; none if there is no row.
fn one_run(column: Column) -> Vec<Run> {
    let rows = 0..column.array.len();
    if rows.is_empty() { Vec::new() } else { vec![Run { rows, column: Ok(column) }] }
}

/// `column` as runs from row `begin` on: the rows between those that were `refused`, which are ascending.
fn runs(begin: usize, column: &Column, refused: Vec<(usize, RecordError)>) -> Vec<Run> {
    runs_of(begin, column, 0..column.array.len(), refused)
}

/// The same of a `part` of the column; its rows count from 0.
fn runs_of(begin: usize, column: &Column, part: Range<usize>, refused: Vec<(usize, RecordError)>) -> Vec<Run> {
    let mut runs = Vec::with_capacity(2 * refused.len() + 1);
    let accepted = |from: usize, to: usize| {
        let column = || column.slice(&(part.start + from..part.start + to));
        (from < to).then(|| Run { rows: begin + from..begin + to, column: Ok(column()) })
    };
    let mut at = 0;
    for (row, error) in refused {
        runs.extend(accepted(at, row));
        runs.push(Run { rows: begin + row..begin + row + 1, column: Err(error) });
        at = row + 1;
    }
    runs.extend(accepted(at, part.len()));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_full_and_simple_name() {
        let converter = |name: &str| Plugins::BUILT_IN.converter(name);
        for class in CONVERTERS {
            assert_eq!(converter(class.class()).unwrap().class(), class.class());
            // The first counts of two with one simple name.
            let simple = class.class().rsplit('.').next().unwrap();
            let first = CONVERTERS.iter().find(|class| class.class().ends_with(&format!(".{simple}"))).unwrap();
            assert_eq!(converter(simple).unwrap().class(), first.class());
        }
        assert!(converter("XmlConverter").is_none());
    }

    #[test]
    fn an_unknown_class_and_a_wrong_role_are_named() {
        let faults = build("com.example.MyConverter", &Properties::new(), Role::Value).expect_err("refused");
        let message = "Invalid value com.example.MyConverter for configuration value.converter: Class com.example.MyConverter could not be found.";
        assert_eq!(faults.0[0].message, message);
        let faults = build("org.example.JsonConvertor", &Properties::new(), Role::Value).expect_err("refused");
        assert!(faults.to_string().ends_with("could not be found. Did you mean JsonConverter?"), "{faults}");
        let faults = build("SimpleHeaderConverter", &Properties::new(), Role::Key).expect_err("refused");
        assert_eq!(faults.0[0].key, "key.converter");
        let bad = Properties::from([("schemas.enable".into(), "maybe".into()), ("decimal.format".into(), "x".into())]);
        assert_eq!(build("JsonConverter", &bad, Role::Value).expect_err("refused").0.len(), 2);
    }

    #[test]
    fn a_converter_signs_in_to_azure_by_itself_or_as_the_worker() {
        let given = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let worker: Properties = given(&[
            ("landfall.azure.credential", "managed-identity"),
            ("landfall.azure.ca.file", "/ca"),
            ("landfall.azure.account.key", "pssst"),
        ]);
        let class = "com.microsoft.azure.schemaregistry.kafka.connect.avro.AvroConverter";
        let keys = |connector: &[(&str, &str)]| {
            let all: Properties = given(&[&[("value.converter", class)][..], connector].concat());
            let (_, own) = configured(Role::Value, &worker, &all);
            own.into_keys().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys(&[]), "landfall.azure.ca.file landfall.azure.credential");
        // None of the worker's secrets goes where a connector says.
        assert_eq!(keys(&[("value.converter.landfall.azure.authority", "https://evil")]), "landfall.azure.authority");
        let plain = given(&[("value.converter", "JsonConverter")]);
        assert_eq!(configured(Role::Value, &worker, &plain).1, Properties::new());
    }

    #[test]
    fn a_connectors_converter_comes_with_its_own_keys_only() {
        let worker = Properties::from([
            ("value.converter".to_owned(), "W".to_owned()),
            ("value.converter.schemas.enable".to_owned(), "false".to_owned()),
        ]);
        let none = Properties::from([("value.converter.x".to_owned(), "1".to_owned())]);
        let (class, keys) = configured(Role::Value, &worker, &none);
        assert_eq!((&*class, keys.len(), keys.contains_key("schemas.enable")), ("W", 1, true));
        let own =
            Properties::from([("value.converter".to_owned(), "C".to_owned()), ("value.converter.x".to_owned(), "1".to_owned())]);
        let (class, keys) = configured(Role::Value, &worker, &own);
        assert_eq!((&*class, keys.contains_key("x"), keys.contains_key("schemas.enable")), ("C", true, false));
        assert_eq!(configured(Role::Header, &worker, &own).0, "org.apache.kafka.connect.storage.SimpleHeaderConverter");
    }
}
