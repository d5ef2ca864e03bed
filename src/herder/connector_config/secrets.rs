//! Which keys of a configuration hold secrets, and how they are hidden.

use std::collections::BTreeMap;

use landfall_api::{Key, Kind, Properties, Role};

use super::{ConnectorKeys, HIDDEN, Submitted, link_keys};
use crate::config::provider::is_variable;
use crate::config::{shows_secret, sounds_secret};
use crate::convert;
use crate::plugins::Plugins;

/// Which keys of a configuration hold secrets.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<String, Kind>);

impl Secrets {
    /// By what the classes that `properties` names declare.
    #[must_use]
    pub fn of(plugins: &Plugins, properties: &Properties) -> Self {
        let base = ConnectorKeys::KEYS.iter().map(|key| (key.name.to_owned(), key.kind));
        let mut declared: BTreeMap<_, _> = base.collect();
        let sink = plugins.sink_of(properties);
        declared.extend(sink.iter().flat_map(|s| s.keys()).map(|key: Key| (key.name.to_owned(), key.kind)));
        for role in [Role::Key, Role::Value, Role::Header] {
            let prefix = convert::key(role);
            let class = properties.get(prefix).and_then(|class| plugins.converter(class.trim()));
            declared.extend(class.iter().flat_map(|c| c.keys()).map(|key| (format!("{prefix}.{}", key.name), key.kind)));
        }
        declared.extend(link_keys(plugins, properties));
        Self(declared)
    }

    /// Whether `key` holds one: it is declared as a password, or nobody declares it and it sounds like one.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).map_or_else(|| sounds_secret(key), |kind| *kind == Kind::Password)
    }

    /// `properties` as they may be shown.
    #[must_use]
    pub fn hide(&self, properties: &Properties) -> Properties {
        let secret = |key: &str, value: &str| (self.has(key) && !is_variable(value)) || shows_secret(value);
        let shown = |key: &str, value: &str| if secret(key, value) { HIDDEN.to_owned() } else { value.to_owned() };
        properties.iter().map(|(key, value)| (key.clone(), shown(key, value))).collect()
    }

    /// Puts the stored values in the place of those that a client read as hidden and sends back.
    pub fn restore(&self, stored: &Properties, submitted: &mut Submitted) {
        for (key, value) in submitted.iter_mut().filter(|(_, value)| value.as_deref() == Some(HIDDEN)) {
            if let Some(secret) = stored.get(key).filter(|secret| self.has(key) || shows_secret(secret)) {
                *value = Some(secret.clone());
            }
        }
    }
}
