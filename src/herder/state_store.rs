//! The object in which connectors survive a worker that is alone (`landfall.state`), in a storage container or a shared directory, and who
//! holds it.
//!
//! All of it is one object that is only ever replaced by compare-and-set. The worker that holds it writes its name and a number that rises
//! into it every [`RENEWED`]; one that comes while another holds it watches that number. Where it goes on rising the newcomer is refused;
//! where it has not for [`LEASE`], by the newcomer's own clock, it takes the object over, and whoever held it finds out with its next
//! write, and ends. Nothing is lost by that: tasks of two workers share their consumer group, and partitions have one owner.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::DirBuilder;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_adls::endpoint::StoreUrl;
use landfall_api::{Faults, Properties};
use landfall_lake::storage::local::LocalStorage;
use landfall_lake::storage::{HIDDEN, Storage, StorageError, Version, Written};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use super::state_file::Stored;

/// The worker's key that names the place.
pub const KEY: &str = "landfall.state";
/// How often the worker that holds the object says that it still does.
pub(super) const RENEWED: Duration = Duration::from_secs(10);
/// How long it may say nothing until another may take the object.
const LEASE: Duration = Duration::from_secs(30);
/// How often a newcomer looks whether it does.
const LOOK: Duration = Duration::from_millis(500);
/// How long a change may take, and the wait before it is tried again.
const CHANGE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(250);
/// How often it is said that the store is away at start, at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// The class whose keys say how a container lets one in.
const CLASS: &str = "io.landfall.azure.AzureDataLakeSink";

/// A place for the object.
#[derive(Clone)]
pub struct StateStore {
    storage: Arc<dyn Storage>,
    /// The directory that it is, if it is one.
    root: Option<PathBuf>,
    /// The object's path in it.
    path: String,
    /// How the user wrote the place.
    shown: String,
    /// This worker.
    holder: Holder,
    /// How long another may say nothing until it is taken for gone ([`LEASE`]).
    lease: Duration,
    /// How long a change may take ([`CHANGE`]).
    change: Duration,
}

impl fmt::Debug for StateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateStore").field("path", &self.path).field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// A worker that holds the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// `host:port` by which it is known.
    worker: String,
    /// Where it listens: two workers of one place cannot be there at once, so one that comes later is the one before, started again.
    place: String,
    /// Another one each time that a worker starts.
    instance: String,
}

/// What the object holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// Of this format.
    version: u32,
    /// Rises with each write.
    written: u64,
    /// Rises with each worker that holds it.
    epoch: u64,
    /// Whoever holds it; nobody after a worker that ended in order.
    holder: Option<Holder>,
    connectors: BTreeMap<String, Stored>,
}

/// Why the object is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritten {
    /// The store does not take it now.
    #[error("{0}")]
    Away(String),
    /// Another worker holds it.
    #[error("{0}")]
    Lost(String),
}

/// The object while this worker holds it.
pub(super) struct Held {
    store: StateStore,
    content: Content,
    version: Version,
}

impl StateStore {
    /// The place that `landfall.state` in a worker's properties names, if it does. Asks nothing of the store. The worker is known as
    /// `worker_id` and listens at `listener`, where `port` is the port that it has.
    ///
    /// # Errors
    /// What is wrong with it, or with the keys that say how the store lets one in.
    pub fn of(given: &Properties, worker_id: &str, listener: &str, port: u16) -> Result<Option<Self>, Faults> {
        let Some(url) = given.get(KEY).map(|url| url.trim()).filter(|url| !url.is_empty()) else { return Ok(None) };
        let (storage, root, folder) = open(url, given)?;
        let path = [HIDDEN, "standalone", &folder, "connectors.json"];
        let path = path.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let instance = format!("{:016x}", RandomState::new().hash_one((std::process::id(), worker_id)));
        let place = place(listener, port).unwrap_or_else(|| instance.clone());
        let holder = Holder { worker: worker_id.to_owned(), place, instance };
        Ok(Some(Self { storage, root, path, shown: url.to_owned(), holder, lease: LEASE, change: CHANGE }))
    }

    /// The place as the user wrote it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Takes the object, and makes it if there is none; waits for a store that is away, and says so.
    ///
    /// # Errors
    /// Another worker holds it and lives; the store refuses this one; or what it holds cannot be read.
    pub(super) async fn take(&self) -> Result<Held, String> {
        if let Some(root) = &self.root {
            // It holds secrets: only its owner is to read it.
            let made = DirBuilder::new().recursive(true).mode(0o700).create(root.join(HIDDEN).join("standalone"));
            made.map_err(|e| format!("{KEY}={} cannot be made: {e}", self.shown))?;
        }
        let (mut said, mut seen) = (None::<Instant>, None::<(Version, Instant)>);
        loop {
            match self.storage.get(&self.path).await {
                Err(StorageError::Retriable(why)) => {
                    if said.is_none_or(|said| said.elapsed() >= PATIENCE) {
                        tracing::warn!("{KEY}={} is away: {why}; trying on, and nothing runs until it is there", self.shown);
                        said = Some(Instant::now());
                    }
                    sleep(AGAIN * 4).await;
                }
                Err(why) => return Err(format!("{KEY}={} cannot be used: {why}", self.shown)),
                Ok(None) => {
                    let new = Content { version: 1, written: 0, epoch: 0, holder: None, connectors: BTreeMap::new() };
                    if let Some(held) = self.try_take(new, None).await? {
                        return Ok(held);
                    }
                }
                Ok(Some((bytes, version))) => {
                    let content = self.decode(&bytes)?;
                    let other = content.holder.as_ref().filter(|holder| holder.place != self.holder.place);
                    if let Some(other) = other {
                        let (first, since) = seen.get_or_insert_with(|| {
                            tracing::info!(
                                "{KEY}={} is held by the worker {}; waiting up to {} s to see whether it lives",
                                self.shown,
                                other.worker,
                                self.lease.as_secs()
                            );
                            (version.clone(), Instant::now())
                        });
                        if *first != version {
                            return Err(self.held_by(other));
                        }
                        if since.elapsed() < self.lease {
                            sleep(LOOK.min(self.lease / 8)).await;
                            continue;
                        }
                        tracing::warn!(
                            "{KEY}={}: the worker {} has said nothing for {} s, and is taken for gone",
                            self.shown,
                            other.worker,
                            self.lease.as_secs()
                        );
                    }
                    if let Some(held) = self.try_take(content, Some(version)).await? {
                        return Ok(held);
                    }
                }
            }
        }
    }

    /// Writes this worker's name into the object, if it still has the version `expected`.
    async fn try_take(&self, before: Content, expected: Option<Version>) -> Result<Option<Held>, String> {
        let content =
            Content { written: before.written + 1, epoch: before.epoch + 1, holder: Some(self.holder.clone()), ..before };
        match self.storage.put(&self.path, encode(&content), expected.as_ref()).await {
            Ok(Written::Done(version)) => Ok(Some(Held { store: self.clone(), content, version })),
            Ok(Written::Refused) => Ok(None),
            // It may be written all the same: then it is of this place.
            Err(StorageError::Retriable(why)) => {
                tracing::warn!("{KEY}={} cannot be written: {why}; trying again", self.shown);
                sleep(AGAIN * 4).await;
                Ok(None)
            }
            Err(why) => Err(format!("{KEY}={} cannot be written: {why}", self.shown)),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Content, String> {
        // serde's message may quote a value, its place says enough.
        let broken = |e: serde_json::Error| {
            format!("{KEY}={}: {}:{}:{}: not a state of this worker", self.shown, self.path, e.line(), e.column())
        };
        let content: Content = serde_json::from_slice(bytes).map_err(broken)?;
        match content.version {
            1 => Ok(content),
            other => Err(format!("{KEY}={}: version {other} is not known to this worker", self.shown)),
        }
    }

    fn held_by(&self, other: &Holder) -> String {
        format!(
            "{KEY}={} is held by the worker {}, which lives: stop it, or give this worker another folder; several workers are a cluster, \
             see landfall distributed",
            self.shown, other.worker
        )
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("store", &self.store).field("version", &self.version).finish_non_exhaustive()
    }
}

impl Held {
    /// What it holds.
    pub(super) const fn connectors(&self) -> &BTreeMap<String, Stored> {
        &self.content.connectors
    }

    /// Replaces what it holds. After an error the store may have it all the same, or get it later, until the next write.
    pub(super) async fn write(&mut self, connectors: BTreeMap<String, Stored>) -> Result<(), Unwritten> {
        self.replace(connectors, true).await
    }

    /// Says that this worker still holds it.
    pub(super) async fn renew(&mut self) -> Result<(), Unwritten> {
        self.replace(self.content.connectors.clone(), true).await
    }

    /// Says that nobody does.
    pub(super) async fn release(&mut self) -> Result<(), Unwritten> {
        self.replace(self.content.connectors.clone(), false).await
    }

    async fn replace(&mut self, connectors: BTreeMap<String, Stored>, held: bool) -> Result<(), Unwritten> {
        let StateStore { shown, change, .. } = self.store.clone();
        let mut last = "it does not answer".to_owned();
        match timeout(change, self.replace_within(connectors, held, &mut last)).await {
            Ok(written) => written,
            Err(_) => Err(Unwritten::Away(format!("{KEY}={shown} is not written within {} ms: {last}", change.as_millis()))),
        }
    }

    async fn replace_within(
        &mut self,
        connectors: BTreeMap<String, Stored>,
        held: bool,
        last: &mut String,
    ) -> Result<(), Unwritten> {
        let StateStore { storage, path, shown, holder, .. } = self.store.clone();
        let away = |why: &dyn fmt::Display| Unwritten::Away(format!("{KEY}={shown} cannot be written: {why}"));
        // A number that was sent is never sent with something else: a late write is told from this one.
        self.content.written += 1;
        let content = Content { holder: held.then(|| holder.clone()), connectors, ..self.content.clone() };
        let bytes = encode(&content);
        loop {
            match storage.put(&path, bytes.clone(), Some(&self.version)).await {
                Ok(Written::Done(version)) => {
                    (self.content, self.version) = (content, version);
                    return Ok(());
                }
                // An earlier write of this worker has come through late, or this one before; or another worker has taken it.
                Ok(Written::Refused) => match storage.get(&path).await {
                    Ok(Some((there, version))) => {
                        let found = self.store.decode(&there).map_err(Unwritten::Lost)?;
                        let ours = found.epoch == content.epoch
                            && found.holder.as_ref().is_none_or(|found| found.instance == holder.instance);
                        if !ours {
                            let by = found.holder.map_or_else(|| "another worker".to_owned(), |other| other.worker);
                            let text =
                                format!("{KEY}={shown} was taken over by {by} while this worker did not get through to it");
                            return Err(Unwritten::Lost(text));
                        }
                        self.version = version;
                        if there == bytes {
                            self.content = content;
                            return Ok(());
                        }
                    }
                    Ok(None) => return Err(Unwritten::Lost(format!("{KEY}={shown}: somebody has removed {path}"))),
                    Err(StorageError::Retriable(why)) => *last = why,
                    Err(why) => return Err(away(&why)),
                },
                Err(StorageError::Retriable(why)) => *last = why,
                Err(why) => return Err(away(&why)),
            }
            sleep(AGAIN).await;
        }
    }
}

fn encode(content: &Content) -> Bytes {
    serde_json::to_vec(content).unwrap_or_default().into()
}

/// A store, the directory that it is, if it is one, and a folder in it.
type Place = (Arc<dyn Storage>, Option<PathBuf>, String);

/// What `url` names.
fn open(url: &str, given: &Properties) -> Result<Place, Faults> {
    let mut faults = Faults::default();
    let mut invalid = |why: &str| {
        faults.push(KEY, format!("Invalid value for configuration {KEY}: {why}"));
        faults.clone()
    };
    if given.contains_key("landfall.state.file") {
        return Err(invalid("landfall.state.file is given too, and connectors are in one place"));
    }
    let url = match url.strip_prefix("blob://") {
        Some(rest) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let suffix = if host.contains(['.', ':', '@']) { "" } else { ".blob.core.windows.net" };
            format!("https://{host}{suffix}/{path}")
        }
        None => url.to_owned(),
    };
    match StoreUrl::parse(&url).map_err(|why| invalid(&why))? {
        StoreUrl::Directory(root) => Ok((Arc::new(LocalStorage::new(root.clone())), Some(root), String::new())),
        StoreUrl::Account(account) => {
            let Some((_, folder)) = account.path.split_first() else {
                return Err(invalid("it has no container: it must be blob://<account>/<container>[/<folder>]"));
            };
            let azure = given.iter().filter(|(key, _)| key.starts_with("landfall.azure.") || *key == "landfall.container.create");
            let mut properties: Properties = azure.map(|(key, value)| (key.clone(), value.clone())).collect();
            properties.insert("store.url".into(), url);
            let opened = landfall_adls::open::open(CLASS, &properties).map_err(|mut faults| {
                faults.0.iter_mut().filter(|fault| fault.key == "store.url").for_each(|fault| {
                    fault.key = KEY.into();
                    fault.message = fault.message.replace("store.url", KEY);
                });
                faults
            })?;
            Ok((opened.files, None, folder.join("/")))
        }
    }
}

/// What only one worker at a time can be: whoever listens there, in this network, since this machine was started. None where the system
/// does not tell.
fn place(listener: &str, port: u16) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{}/{}/{listener}/{port}", boot.trim(), network.display()))
}

#[cfg(test)]
mod tests;
