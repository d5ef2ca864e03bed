//! `org.apache.kafka.common.config.provider.DirectoryConfigProvider` of Kafka 4.3.1: the path is a directory, the key a file in it, as
//! Kubernetes mounts secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::time::Duration;

use landfall_api::{Width, config};

use super::paths::AllowedPaths;
use super::{Provider, ProviderClass};
use crate::config::millis;

config! {
    /// Its parameters.
    pub struct DirectoryKeys {
        /// Paths, separated by commas, below which files may be read. Default: everywhere. A variable with another path stays as it is.
        allowed_paths: Option<String> = "allowed.paths" { group: "Config Providers", width: Width::Long, display: "Allowed Paths", valid: By(AllowedPaths::check) };
        /// Milliseconds after which the files are read again, while a task runs that they gave values to. If they are other ones, the task
        /// is started again with them, unless its connector has `config.action.reload` none. Default: never. Not in Java.
        ttl_ms: Option<i64> = "ttl.ms" { importance: Low, group: "Config Providers", width: Width::Medium, display: "Time to Live (ms)", valid: AtLeast(1) };
    }
}

/// The class.
pub(super) const CLASS: ProviderClass = ProviderClass {
    class: "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    keys: DirectoryKeys::KEYS,
    build: |given, faults| {
        let keys = DirectoryKeys::parse(given, faults)?;
        Some(Box::new(Directory { paths: AllowedPaths::new(keys.allowed_paths.as_deref()), ttl: keys.ttl_ms.map(millis) }))
    },
};

#[derive(Debug)]
struct Directory {
    paths: AllowedPaths,
    ttl: Option<Duration>,
}

impl Provider for Directory {
    fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String> {
        let Some(directory) = Some(path).filter(|path| !path.is_empty()).and_then(|path| self.paths.allowed(path)) else {
            return Ok(BTreeMap::new());
        };
        let files = keys.iter().filter(|key| is_name(key)).map(|key| (*key, directory.join(key)));
        let files = files.filter(|(_, file)| file.is_file()).filter_map(|(key, file)| Some((key, self.paths.allowed(file)?)));
        let read = files.map(|(key, file)| match std::fs::read_to_string(&file) {
            Ok(text) => Ok((key.to_owned(), text)),
            Err(why) => Err(format!("Could not read file {} for property {key}: {why}", file.display())),
        });
        read.collect()
    }

    fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    fn reads_everything(&self) -> bool {
        self.paths.all()
    }
}

/// Whether `key` names a file of the directory, and no other directory's.
fn is_name(key: &str) -> bool {
    matches!(Path::new(key).components().collect::<Vec<_>>()[..], [Component::Normal(name)] if name == key)
}
