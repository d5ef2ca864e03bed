//! What Java says of values that are null: because they were given so, are missing, or could not be parsed.

use landfall_api::{Fault, Faults, Key, PredicateClass, Properties, SinkConnector, TransformClass, Valid};

use super::Submitted;
use crate::plugins::{Plugins, simple_name};
use crate::transform;

/// Java's range validator complains of the null that a number which is none became.
pub(super) fn numbers(declared: &[Key], faults: &mut Faults) {
    let ranged = |key: &Key| matches!(key.valid, Valid::AtLeast(_) | Valid::Between(..)) || key.name == "tasks.max";
    for key in declared.iter().filter(|key| ranged(key)) {
        if let Some(at) = faults.0.iter().position(|f| f.key == key.name && f.message.contains("Not a number of type")) {
            faults.0.insert(at + 1, Fault { key: key.name.into(), message: null_number(key.name) });
        }
    }
}

/// What Java's validators say of the null that a missing value is, by class and key; others say nothing.
const OF_NULL: [(&str, &str, &str); 4] = [
    ("DropHeaders", "headers", "Configuration 'headers' values must not be null."),
    ("InsertHeader", "value.literal", "Invalid value null for configuration value.literal: entry must be non null"),
    ("RegexRouter", "regex", NULL_REGEX),
    ("TopicNameMatches", "pattern", NULL_PATTERN),
];
const NULL_REGEX: &str = "Invalid value null for configuration regex: Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null";
const NULL_PATTERN: &str = "Invalid value null for configuration pattern: Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null";

/// Java looks at required values of transforms and predicates also when they are missing.
pub(super) fn missing(plugins: &Plugins, properties: &Properties, faults: &mut Faults) {
    for kind in ["transforms", "predicates"] {
        for alias in transform::aliases(kind, properties) {
            let name = properties.get(&format!("{kind}.{alias}.type")).map_or("", |name| name.trim());
            let class = match kind {
                "transforms" => plugins.transform(name).map(TransformClass::class),
                _ => plugins.predicate(name).map(PredicateClass::class),
            };
            let Ok(class) = class.map(simple_name) else { continue };
            for (_, own, message) in OF_NULL.iter().filter(|(of, ..)| *of == class) {
                let key = format!("{kind}.{alias}.{own}");
                let at = faults.0.iter().position(|f| f.key == key && f.message.starts_with("Missing required"));
                if let Some(at) = at {
                    faults.0.insert(at + 1, Fault { key, message: (*message).into() });
                }
            }
        }
    }
}

fn null_number(key: &str) -> String {
    format!("Invalid value null for configuration {key}: Value must be non-null")
}

/// What is wrong with values that are null. Java's connectors look for themselves at null values of their own keys.
pub(super) fn given(sink: &dyn SinkConnector, submitted: &Submitted, faults: &mut Faults) {
    let own = sink.keys();
    for (key, _) in submitted.iter().filter(|(_, value)| value.is_none()) {
        let before = faults.0.len();
        faults.0.retain(|fault| fault.key != *key || !fault.message.starts_with("Missing required"));
        if before == faults.0.len() && own.iter().any(|own| own.name == *key) {
            continue;
        }
        match key.as_str() {
            "tasks.max" => faults.push(key, null_number(key)),
            "topics" => {
                let fault = Fault { key: key.clone(), message: "Configuration 'topics' values must not be null.".into() };
                faults.0.insert(0, fault);
            }
            _ => {}
        }
        faults.push(key, "Null value can not be supplied as the configuration value.");
    }
}
