//! `org.apache.kafka.common.config.provider.FileConfigProvider` of Kafka 4.3.1: the path is a file of Java properties, the key one in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_api::{Width, config};

use super::paths::AllowedPaths;
use super::{Provider, ProviderClass};
use crate::config::{PropertiesFile, millis};

config! {
    /// Its parameters.
    pub struct FileKeys {
        /// Paths, separated by commas, below which files may be read. Default: everywhere. A variable with another path stays as it is.
        allowed_paths: Option<String> = "allowed.paths" { group: "Config Providers", width: Width::Long, display: "Allowed Paths", valid: By(AllowedPaths::check) };
        /// Milliseconds after which the file is read again, while a task runs that it gave values to. If they are other ones, the task is
        /// started again with them, unless its connector has `config.action.reload` none. Default: never. Not in Java.
        ttl_ms: Option<i64> = "ttl.ms" { importance: Low, group: "Config Providers", width: Width::Medium, display: "Time to Live (ms)", valid: AtLeast(1) };
    }
}

/// The class.
pub(super) const CLASS: ProviderClass = ProviderClass {
    class: "org.apache.kafka.common.config.provider.FileConfigProvider",
    keys: FileKeys::KEYS,
    build: |given, faults| {
        let keys = FileKeys::parse(given, faults)?;
        Some(Box::new(File { paths: AllowedPaths::new(keys.allowed_paths.as_deref()), ttl: keys.ttl_ms.map(millis) }))
    },
};

#[derive(Debug)]
struct File {
    paths: AllowedPaths,
    ttl: Option<Duration>,
}

impl Provider for File {
    fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String> {
        let Some(allowed) = Some(path).filter(|path| !path.is_empty()).and_then(|path| self.paths.allowed(path)) else {
            return Ok(BTreeMap::new());
        };
        let file = PropertiesFile::read(&allowed);
        let mut data = file.map_err(|why| format!("Could not read properties from file {path}: {why}"))?.properties;
        data.retain(|key, _| keys.contains(key.as_str()));
        Ok(data)
    }

    fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    fn reads_everything(&self) -> bool {
        self.paths.all()
    }
}
