//! `org.apache.kafka.common.config.provider.EnvVarConfigProvider` of Kafka 4.3.1: there is no path, the key is a variable of the
//! environment, as it was when the worker started.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_api::{Faults, Properties, Width, config};

use super::{Provider, ProviderClass};
use crate::kafka::pattern::Pattern;

config! {
    /// Its parameters.
    pub struct EnvKeys {
        /// A regular expression in Java's syntax: only variables whose whole name matches it are there. Default: all.
        allowlist_pattern: Option<String> = "allowlist.pattern" { group: "Config Providers", width: Width::Long, display: "Allowed Variables", valid: By(pattern) };
    }
}

/// The class.
pub(super) const CLASS: ProviderClass = ProviderClass {
    class: "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    keys: EnvKeys::KEYS,
    build: |given, faults| {
        Some(Box::new(Env::new(
            given,
            faults,
            std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())),
        )?))
    },
};

fn pattern(raw: &str) -> Result<(), String> {
    Pattern::compile(raw).map(drop)
}

struct Env(BTreeMap<String, String>);

impl Env {
    fn new(given: &Properties, faults: &mut Faults, all: impl Iterator<Item = (String, String)>) -> Option<Self> {
        let pattern = EnvKeys::parse(given, faults)?.allowlist_pattern.and_then(|text| Pattern::compile(&text).ok());
        let allowed = |name: &str| pattern.as_ref().is_none_or(|pattern| pattern.matches(name) == Ok(true));
        Some(Self(all.filter(|(name, _)| allowed(name)).collect()))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Provider for Env {
    fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String> {
        if !path.is_empty() {
            return Err(format!("Path is not supported for EnvVarConfigProvider, invalid value '{path}'"));
        }
        Ok(keys.iter().filter_map(|key| Some(((*key).to_owned(), self.0.get(*key)?.clone()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_that_match_are_there() {
        let given = Properties::from([("allowlist.pattern".into(), "APP_.*".into())]);
        let all = ["APP_USER", "PATH", "MY_APP_X"].map(|name| (name.to_owned(), format!("of {name}")));
        let mut faults = Faults::default();
        let env = Env::new(&given, &mut faults, all.into_iter()).expect("valid");
        let got = env.get("", &BTreeSet::from(["APP_USER", "PATH", "MY_APP_X"])).expect("no path");
        assert_eq!(got, BTreeMap::from([("APP_USER".to_owned(), "of APP_USER".to_owned())]));
        let error = env.get("/x", &BTreeSet::from(["APP_USER"])).expect_err("a path");
        assert_eq!(error, "Path is not supported for EnvVarConfigProvider, invalid value '/x'");
        assert!(!format!("{env:?}").contains("of APP_USER"));
    }
}
