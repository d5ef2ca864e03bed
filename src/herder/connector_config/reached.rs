//! The files and hosts that a connector's configuration names, by what its keys declare.

use landfall_api::{Properties, Reached, Role, SinkConnector};

use crate::config::reach::key_of;
use crate::convert;
use crate::kafka::java;
use crate::plugins::Plugins;
use crate::transform;

/// What the values of `properties`, which are resolved, make the worker reach for, each with its key.
#[must_use]
pub fn reached(plugins: &Plugins, properties: &Properties) -> Vec<(String, Reached)> {
    let sink = plugins.sink_of(properties).map(SinkConnector::keys).unwrap_or_default();
    let of = |role| (convert::key(role), properties.get(convert::key(role)).and_then(|class| plugins.converter(class.trim())));
    let converters = [Role::Key, Role::Value, Role::Header].map(of);
    let mut links = Vec::new();
    for alias in transform::aliases("transforms", properties) {
        let class = properties.get(&format!("transforms.{alias}.type")).and_then(|class| plugins.transform(class.trim()).ok());
        links.extend(class.map(|class| (format!("transforms.{alias}."), class.keys())));
    }
    for alias in transform::aliases("predicates", properties) {
        let class = properties.get(&format!("predicates.{alias}.type")).and_then(|class| plugins.predicate(class.trim()).ok());
        links.extend(class.map(|class| (format!("predicates.{alias}."), class.keys())));
    }
    let mut all = Vec::new();
    for (name, value) in properties {
        let mut found = Vec::new();
        found.extend(sink.iter().filter(|key| key.name == name).flat_map(|key| key.reaches.of(value, properties)));
        for (role, class) in &converters {
            let own = name.strip_prefix(role).and_then(|rest| rest.strip_prefix('.'));
            let key = own.zip(*class).and_then(|(own, class)| key_of(class.keys(), own));
            found.extend(key.iter().flat_map(|key| key.reaches.of(value, properties)));
        }
        for (prefix, keys) in &links {
            let key = name.strip_prefix(prefix).and_then(|own| keys.iter().find(|key| key.name == own));
            found.extend(key.iter().flat_map(|key| key.reaches.of(value, properties)));
        }
        for client in ["consumer.override.", "producer.override.", "admin.override."] {
            found.extend(name.strip_prefix(client).into_iter().flat_map(|own| java::reaches(own).of(value, properties)));
        }
        all.extend(found.into_iter().map(|reached| (name.clone(), reached)));
    }
    all
}
