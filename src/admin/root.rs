//! Where a connector lands: its store, and what is kept of partitions there.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use landfall_adls::open::Opened;
use landfall_api::Properties;
use landfall_lake::commit::pointer::{Identity, Pointer};
use landfall_lake::name::Names;
use landfall_lake::storage::{Storage, Version};

use crate::herder::connector_file::ConnectorFile;
use crate::plugins::Plugins;

/// Pointers and files that are asked for side by side.
pub(super) const SIDE_BY_SIDE: usize = 16;

/// What a connector's configuration says of where it lands.
pub(super) struct Root {
    /// The configuration.
    pub(super) properties: Properties,
    /// The connector, as the pointers of its partitions name it. The cluster is not known.
    pub(super) identity: Identity,
    /// Where files are.
    pub(super) files: Arc<dyn Storage>,
    /// How they are called.
    pub(super) names: Names,
    /// Where pointers are.
    pub(super) pointers: Arc<dyn Storage>,
    /// The folder of the pointers.
    folder: String,
}
landfall_api::opaque!(Root);

/// A partition, as its pointer is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.number)
    }
}

/// A partition's pointer as it was read.
pub(super) struct Kept {
    pub(super) partition: Partition,
    pub(super) version: Version,
    /// What it says, or why it says nothing.
    pub(super) pointer: Result<Pointer, String>,
}

impl Root {
    /// Where the connector of the file `connector.config` lands. Asks nothing yet.
    pub(super) fn open(connector: &super::Connector) -> Result<Self, String> {
        let file = ConnectorFile::read(&connector.config)?;
        let shown = connector.config.display();
        let config = file.config.iter();
        let properties: Properties = config.filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
        let class =
            properties.get("connector.class").ok_or_else(|| format!("{shown}: the mandatory key connector.class is missing"))?;
        let sink =
            Plugins::BUILT_IN.sink_of(&properties).ok_or_else(|| format!("{shown}: there is no connector class {class}"))?;
        let opened = landfall_adls::open::open(sink.class(), &properties);
        let Opened { files, names, pointers, folder } =
            opened.map_err(|faults| file.locate(&crate::herder::Error::Invalid(faults)))?;
        let group = properties.get("consumer.override.group.id").cloned();
        let group = group.unwrap_or_else(|| format!("connect-{}", file.name));
        let identity = Identity { connector: file.name, group, kafka_cluster_id: String::new() };
        Ok(Self { properties, identity, files, names, pointers, folder })
    }

    /// What the folder of a partition is called, and so its pointer.
    pub(super) fn folder(&self, partition: &Partition) -> String {
        format!("{}{}/{}", self.folders(), partition.topic, partition.number)
    }

    /// The folder of all topics, with a slash behind it.
    fn folders(&self) -> String {
        if self.folder.is_empty() { String::new() } else { format!("{}/", self.folder) }
    }

    /// The pointer of a partition.
    pub(super) async fn pointer(&self, partition: &Partition) -> Result<Option<Kept>, String> {
        let found = self.pointers.get(&Pointer::path(&self.folder(partition))).await.map_err(|e| e.to_string())?;
        Ok(found.map(|(content, version)| Kept { partition: partition.clone(), version, pointer: Pointer::decode(&content) }))
    }

    /// The pointers of all partitions that land here, whoever lands them, in the order of topics and partitions.
    pub(super) async fn kept(&self) -> Result<Vec<Kept>, String> {
        let all = Pointer::path(&format!("{}*", self.folders()));
        let (before, after) = all.split_once('*').unwrap_or((&all, ""));
        let names = self.pointers.names(before).await.map_err(|e| e.to_string())?;
        let partition = |name: &String| {
            let (topic, number) = name.strip_prefix(before)?.strip_suffix(after)?.split_once('/')?;
            Some(Partition { topic: topic.to_owned(), number: number.parse().ok()? })
        };
        let mut partitions: Vec<_> = names.iter().filter_map(partition).collect();
        partitions.sort();
        let reads = partitions.iter().map(async |partition| self.pointer(partition).await);
        let kept: Vec<_> = stream::iter(reads).buffered(SIDE_BY_SIDE).try_collect().await?;
        Ok(kept.into_iter().flatten().collect())
    }
}

/// Now, in milliseconds since the epoch.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// How long ago a moment was, for people.
pub(super) fn ago(ms: i64) -> String {
    let seconds = (now() - ms).max(0) / 1000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, now};

    #[test]
    fn moments_are_said_roughly() {
        for (seconds, said) in
            [(-5, "0 s ago"), (90, "90 s ago"), (600, "10 min ago"), (10_000, "2 h ago"), (900_000, "10 days ago")]
        {
            assert_eq!(ago(now() - seconds * 1000), said);
        }
    }
}
