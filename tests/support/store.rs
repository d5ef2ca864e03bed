//! The places that tests land files in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::azurite::Azurite;
use super::read;

/// Folder of the topics within each store; where the store is an account of Azure, its first part is the container.
const TOPICS: &str = "topics";

/// Somewhere to land files, empty at first and a test's own.
#[derive(Debug)]
pub(crate) enum Store {
    /// A directory, by `store.url=file:///…`.
    Directory(TempDir),
    /// A container of Azurite, and the directory that its blobs are copied to for reading.
    Azurite(Azurite, TempDir),
}

impl Store {
    pub(crate) fn directory() -> Self {
        Self::Directory(TempDir::with_prefix("landfall-store-").expect("a folder"))
    }

    pub(crate) fn azurite() -> Self {
        Self::Azurite(Azurite::start(), TempDir::with_prefix("landfall-store-").expect("a folder"))
    }

    /// The emulator of a store in Azurite.
    pub(crate) fn emulator(&mut self) -> &mut Azurite {
        match self {
            Self::Azurite(azurite, _) => azurite,
            Self::Directory(_) => panic!("a directory has no emulator"),
        }
    }

    /// A connector of Confluent's Data Lake class that lands `topic` here as Parquet, `flush_size` records a file.
    pub(crate) fn connector(&self, topic: &str, flush_size: usize) -> Value {
        let mut config = json!({
            "connector.class": "io.confluent.connect.azure.datalake.gen2.AzureDataLakeGen2SinkConnector",
            "tasks.max": "1",
            "topics": topic,
            "format.class": "io.confluent.connect.azure.storage.format.parquet.ParquetFormat",
            "flush.size": flush_size.to_string(),
            // A member that was killed leaves the group after this time.
            "consumer.override.session.timeout.ms": "3000",
            "consumer.override.heartbeat.interval.ms": "500",
        });
        let store = match self {
            Self::Directory(folder) => json!({
                "store.url": format!("file://{}", folder.path().display()),
                "azure.datalake.gen2.account.name": "any",
                "topics.dir": TOPICS,
            }),
            Self::Azurite(azurite, _) => json!({
                "store.url": azurite.blob_endpoint(),
                "azure.datalake.gen2.account.name": azurite.account_name(),
                "azure.datalake.gen2.access.key": azurite.account_key(),
                "topics.dir": format!("{}/{TOPICS}", azurite.container()),
            }),
        };
        with(&mut config, &store);
        config
    }

    /// The directory that holds what has landed, right now.
    pub(crate) fn landed(&self) -> &Path {
        match self {
            Self::Directory(folder) => folder.path(),
            Self::Azurite(azurite, copy) => {
                let target = copy.path().to_str().expect("a path of text");
                read::python("blobs.py", &["copy", &azurite.connection_string(), azurite.container(), target]);
                copy.path()
            }
        }
    }

    /// The names of the files of one topic, sorted.
    pub(crate) fn files(&self, topic: &str) -> Vec<PathBuf> {
        read::files(&self.landed().join(TOPICS).join(topic))
    }

    /// The folder of a topic below [`Self::landed`].
    pub(crate) fn folder(&self, topic: &str) -> PathBuf {
        self.landed().join(TOPICS).join(topic)
    }

    /// The folder of a topic that a connector lands [apart](lands_apart) in `name`; all of them without a topic.
    pub(crate) fn folder_apart(&self, name: &str, topic: &str) -> PathBuf {
        self.landed().join(TOPICS).join(name).join(topic)
    }

    /// See [`read::tiled`].
    pub(crate) fn tiled(&self, topic: &str) -> BTreeMap<i32, i64> {
        read::tiled(self.landed(), TOPICS, topic)
    }
}

/// Has a connector land in a folder of its own: two do not share the files of a topic.
pub(crate) fn lands_apart(config: &mut Value, name: &str) {
    let dir = config["topics.dir"].as_str().expect("a folder");
    config["topics.dir"] = format!("{dir}/{name}").into();
}

/// Adds the entries of an object to another one, or replaces them there.
pub(crate) fn with(config: &mut Value, entries: &Value) {
    for (key, value) in entries.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
}
