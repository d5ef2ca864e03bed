//! Where what is to run and what is running is kept: in a cluster's topics, on this worker alone, or in a store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Error;
use super::handle::submitted;
use super::state_file::{StateFile, Stored};
use super::state_store::{Held, Unwritten};
use crate::kafka::log::Log;
use crate::state::config::records;
use crate::state::{Change, ConfigState, Record, Statuses};

/// How long a change may take until it is in the topic and read back (`KafkaConfigBackingStore.READ_WRITE_TOTAL_TIMEOUT_MS`).
const WRITE: Duration = Duration::from_secs(30);

/// What is to run.
pub(super) struct Configs {
    state: Arc<RwLock<ConfigState>>,
    keeper: Keeper,
}

enum Keeper {
    Alone { file: Option<StateFile>, kept: Mutex<BTreeSet<String>> },
    Store { shown: String, held: Box<OnceLock<tokio::sync::Mutex<Held>>>, kept: Mutex<BTreeSet<String>> },
    Topic(Box<OnceLock<Log>>),
}

impl Configs {
    /// Kept by this worker, in `file` if there is one, which holds `stored`.
    pub(super) fn alone(file: Option<StateFile>, stored: BTreeMap<String, Stored>) -> Self {
        let state = Arc::new(RwLock::new(state_of(&stored)));
        let kept = Mutex::new(stored.into_keys().collect());
        Self { state, keeper: Keeper::Alone { file, kept } }
    }

    /// Kept by this worker in the store that users know as `shown`; see [`Self::hold`].
    pub(super) fn in_store(shown: &str) -> Self {
        let keeper = Keeper::Store { shown: shown.to_owned(), held: Box::default(), kept: Mutex::default() };
        Self { state: Arc::default(), keeper }
    }

    /// Takes up what the store holds. From now on changes go there.
    pub(super) fn hold(&self, object: Held) {
        if let Keeper::Store { held, kept, .. } = &self.keeper {
            *self.state.write().unwrap_or_else(PoisonError::into_inner) = state_of(object.connectors());
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = object.connectors().keys().cloned().collect();
            let _ = held.set(tokio::sync::Mutex::new(object));
        }
    }

    /// Says in the store that this worker is there; nothing without one.
    pub(super) async fn renew(&self) -> Result<(), Unwritten> {
        match &self.keeper {
            Keeper::Store { held, .. } => match held.get() {
                Some(held) => held.lock().await.renew().await,
                None => Ok(()),
            },
            Keeper::Alone { .. } | Keeper::Topic(_) => Ok(()),
        }
    }

    /// Leaves the store to whoever comes next; nothing without one.
    pub(super) async fn release(&self) {
        if let Keeper::Store { held, .. } = &self.keeper
            && let Some(held) = held.get()
            && let Err(why) = held.lock().await.release().await
        {
            tracing::warn!("{why}; a worker that listens elsewhere waits for half a minute before it takes it");
        }
    }

    /// Why nothing is known of what is to run, if it is so: the store was not to be had yet.
    pub(super) fn unknown(&self) -> Option<String> {
        match &self.keeper {
            Keeper::Store { shown, held, .. } if held.get().is_none() => {
                Some(format!("landfall.state={shown} could not be read yet: the worker waits for it"))
            }
            _ => None,
        }
    }

    /// Kept by a topic; see [`Self::follow`].
    pub(super) fn in_topic() -> Self {
        Self { state: Arc::default(), keeper: Keeper::Topic(Box::default()) }
    }

    /// Takes up the records of the topic; what they change is given to `changed`.
    pub(super) fn follower(
        &self,
        changed: mpsc::UnboundedSender<Change>,
    ) -> impl FnMut(i32, i64, Option<&[u8]>, Option<&[u8]>) + Send + 'static {
        let state = self.state.clone();
        move |_, offset, key, value| {
            let Some(key) = key.and_then(|key| std::str::from_utf8(key).ok()) else { return };
            let change = state.write().unwrap_or_else(PoisonError::into_inner).apply(offset, key, value);
            if let Some(change) = change {
                let _ = changed.send(change);
            }
        }
    }

    /// From now on changes go to `log`.
    pub(super) fn follow(&self, log: Log) {
        if let Keeper::Topic(topic) = &self.keeper {
            let _ = topic.set(log);
        }
    }

    /// What is to run, as far as it is known now.
    pub(super) fn now(&self) -> ConfigState {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at what is to run.
    pub(super) fn look<T>(&self, look: impl FnOnce(&ConfigState) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes `records`; when this is through they count here. Without a topic, connectors of which `keep` is said survive the worker.
    pub(super) async fn append(&self, records: Vec<Record>, keep: Option<&str>) -> Result<(), Error> {
        match &self.keeper {
            Keeper::Alone { file, kept } => {
                apply(&mut self.state.write().unwrap_or_else(PoisonError::into_inner), records.into_iter());
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(keep.map(str::to_owned));
                let Some(file) = file else { return Ok(()) };
                let state = self.now();
                kept.retain(|name| state.contains(name));
                let written = file.write(|| stored(&state, &kept));
                written.map_err(|e| Error::Internal(format!("the change is made and not remembered: {e}")))
            }
            Keeper::Store { held, kept, .. } => {
                let Some(held) = held.get() else { return Err(Error::Unavailable(self.unknown().unwrap_or_default())) };
                // Who holds it is alone in changing what is to run.
                let mut held = held.lock().await;
                let mut state = self.now();
                apply(&mut state, records.into_iter());
                let mut names = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
                names.extend(keep.map(str::to_owned));
                names.retain(|name| state.contains(name));
                let connectors = stored(&state, &names);
                // Written first: what is not there after a crash was never answered for.
                if connectors != *held.connectors() {
                    held.write(connectors).await.map_err(|why| Error::Unavailable(format!("nothing is changed: {why}")))?;
                }
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = names;
                *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
                Ok(())
            }
            Keeper::Topic(log) => {
                let log = log.get().ok_or(Error::Rebalance(super::STARTING.into()))?;
                let written = log.append(records, WRITE).await;
                written.map_err(|e| Error::Internal(format!("Error writing to the config topic: {e}")))?;
                log.read_to_end(WRITE).await.map_err(|e| Error::Internal(format!("Error reading the config topic back: {e}")))
            }
        }
    }

    /// Waits until all that is in the topic counts here; whether it does in time.
    pub(super) async fn read_to_end(&self, timeout: Duration) -> bool {
        match &self.keeper {
            Keeper::Topic(log) => match log.get() {
                Some(log) => {
                    let read = log.read_to_end(timeout).await;
                    read.inspect_err(|e| tracing::warn!("the config topic cannot be read to its end: {e}")).is_ok()
                }
                None => false,
            },
            Keeper::Alone { .. } | Keeper::Store { .. } => true,
        }
    }
}

/// What is to run by what is kept.
fn state_of(kept: &BTreeMap<String, Stored>) -> ConfigState {
    let mut state = ConfigState::default();
    for (name, Stored { config, target_state }) in kept {
        let written = records::target(name, *target_state).into_iter();
        apply(&mut state, written.chain(records::connector(name, &submitted(config.clone()))));
    }
    state
}

/// What is to be kept of the connectors `names`.
fn stored(state: &ConfigState, names: &BTreeSet<String>) -> BTreeMap<String, Stored> {
    let stored = |name: &String| {
        let config = state.config(name)?.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        Some((name.clone(), Stored { config: config.collect(), target_state: state.target(name)? }))
    };
    names.iter().filter_map(stored).collect()
}

fn apply(state: &mut ConfigState, records: impl Iterator<Item = Record>) {
    for (key, value) in records {
        state.apply(state.offset().max(0), &key, value.as_deref());
    }
}

/// What is running.
pub(super) struct StatusBoard {
    state: Arc<RwLock<Statuses>>,
    topic: Option<mpsc::UnboundedSender<Write>>,
}

#[derive(Debug)]
enum Write {
    Records(Vec<Record>),
    Flush(oneshot::Sender<()>),
}

impl StatusBoard {
    /// Kept by this worker alone.
    pub(super) fn alone() -> Self {
        Self { state: Arc::default(), topic: None }
    }

    /// Kept by a topic. What [`Self::put`] writes goes to the log that [`StatusWriter::follow`] is given.
    pub(super) fn in_topic() -> (Self, StatusWriter) {
        let (topic, writes) = mpsc::unbounded_channel();
        (Self { state: Arc::default(), topic: Some(topic) }, StatusWriter(writes))
    }

    /// Takes up the records of the topic.
    pub(super) fn follower(&self) -> impl FnMut(i32, i64, Option<&[u8]>, Option<&[u8]>) + Send + 'static {
        let state = self.state.clone();
        move |_, _, key, value| {
            if let Some(key) = key.and_then(|key| std::str::from_utf8(key).ok()) {
                state.write().unwrap_or_else(PoisonError::into_inner).apply(key, value);
            }
        }
    }

    /// Looks at what is running.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Statuses) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes `records` without waiting: with a topic they count when they are read back.
    pub(super) fn put(&self, records: Vec<Record>) {
        match &self.topic {
            None => {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                records.iter().for_each(|(key, value)| state.apply(key, value.as_deref()));
            }
            Some(topic) => {
                let _ = topic.send(Write::Records(records));
            }
        }
    }

    /// Waits until what was put before is written.
    pub(super) async fn flush(&self) {
        let Some(topic) = &self.topic else { return };
        let (done, wait) = oneshot::channel();
        if topic.send(Write::Flush(done)).is_ok() {
            let _ = wait.await;
        }
    }
}

/// Writes what is put on a [`StatusBoard`] to its topic.
#[derive(Debug)]
pub(super) struct StatusWriter(mpsc::UnboundedReceiver<Write>);

impl StatusWriter {
    /// Writes to `log` for as long as the board is there. A status that cannot be written is tried again: a newer one is no use without it.
    pub(super) async fn follow(mut self, log: Log) {
        let mut batch = Vec::new();
        while self.0.recv_many(&mut batch, 1000).await > 0 {
            let (mut records, mut flushes) = (Vec::new(), Vec::new());
            for write in batch.drain(..) {
                match write {
                    Write::Records(more) => records.extend(more),
                    Write::Flush(done) => flushes.push(done),
                }
            }
            while !records.is_empty() {
                match log.append(records.clone(), WRITE).await {
                    Ok(()) => break,
                    Err(e) => {
                        tracing::warn!("statuses cannot be written: {e}; trying again");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
            for done in flushes {
                let _ = done.send(());
            }
        }
        log.stop().await;
    }
}
