//! Carries out what an [`Owner`] asks of the store, until it has nothing to ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use landfall_api::{Answers, Calls, TaskError, TaskMetrics};
use serde::Serialize;

use super::crash_point;
use super::owner::{Call, Owner};
use super::pointer::{Pending, Pointer};
use crate::landed::facts;
use crate::storage::{HIDDEN, Metadata, Published, Storage, StorageError, Version};

/// The files of a commit that are published side by side.
const PUBLISHES: usize = 16;

/// Where an owner's calls go.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where the files are.
    pub storage: Arc<dyn Storage>,
    /// Where the pointers are.
    pub state: Arc<dyn Storage>,
    /// The wait between two tries of a call.
    pub backoff: Duration,
    /// Whether each commit is written down for readers (`landfall.commit.log`).
    pub log: bool,
    /// Counts tries.
    pub metrics: Arc<TaskMetrics>,
}

/// What the commit log says of a commit.
#[derive(Serialize)]
struct Logged<'a> {
    topic: &'a str,
    partition: &'a str,
    incarnation: u32,
    seq: u64,
    /// The offset before which everything has landed or was left out.
    low: i64,
    files: Vec<LoggedFile<'a>>,
}

#[derive(Serialize)]
struct LoggedFile<'a> {
    path: &'a str,
    size: u64,
    rows: u64,
    first: i64,
    last: i64,
}

impl<'a> LoggedFile<'a> {
    fn of(pending: &'a Pending) -> Self {
        let Pending { file, first, last, rows } = pending;
        Self { path: &file.path, size: file.size, rows: *rows, first: *first, last: *last }
    }
}

/// The folder of the commit log, below that of all that readers skip.
const LOG: &str = "commits";

impl Place {
    /// What was asked of both stores.
    #[must_use]
    pub fn calls(&self) -> Vec<Calls> {
        let mut calls = self.storage.calls();
        if !Arc::ptr_eq(&self.storage, &self.state) {
            calls.extend(self.state.calls());
        }
        calls
    }

    /// How both stores have answered.
    #[must_use]
    pub fn answers(&self) -> Vec<Answers> {
        let mut answers = self.storage.answers();
        if !Arc::ptr_eq(&self.storage, &self.state) {
            answers.extend(self.state.answers());
        }
        answers
    }

    /// Makes the calls that `owner` asks for until it is idle or at its end; `partition` is the folder that its pointer is called by.
    ///
    /// # Errors
    /// What trying again does not help against. What the owner wanted may have been applied.
    pub async fn drive(&self, owner: &mut Owner, partition: &str) -> Result<(), TaskError> {
        let path = Pointer::path(partition);
        while let Some(call) = owner.call() {
            match call {
                Call::Read => {
                    crash_point("commit::before-read");
                    let found = self.read(&path).await?;
                    owner.read(found);
                }
                Call::Write(pointer, version) => {
                    let fence = pointer.published || version.is_none();
                    crash_point(if fence { "commit::before-fence" } else { "commit::before-write" });
                    let content = Bytes::from(pointer.encode());
                    let written = match self.state.put(&path, content, version).await {
                        Ok(written) => Some(written),
                        Err(StorageError::Fatal(error) | StorageError::Taken(error)) => return Err(TaskError::Fatal(error)),
                        Err(StorageError::Retriable(error)) => {
                            self.wait("writing", &path, &error).await;
                            None
                        }
                    };
                    crash_point(if fence { "commit::after-fence" } else { "commit::after-write" });
                    owner.wrote(written);
                }
                Call::Publish(files) => {
                    let (files, commit) = (files.to_vec(), owner.commit_id());
                    // Once all are published the pointer may forget them, so that the log has to be there before.
                    let logged = owner.pointer().filter(|_| self.log).map(|pointer| log(partition, pointer));
                    let publishing = files.into_iter().map(|file| self.clone().publish(file, commit.clone()));
                    let mut publishing = stream::iter(publishing).buffer_unordered(PUBLISHES);
                    let mut ended = Vec::new();
                    while let Some(published) = publishing.next().await {
                        crash_point("commit::between-publishes");
                        ended.push(published?);
                    }
                    if let Some((path, content)) = logged
                        && ended.iter().all(|(_, published)| !matches!(published, Published::Conflict))
                    {
                        self.write_log(&path, content).await?;
                    }
                    for (token, published) in ended {
                        owner.published(&token, published);
                    }
                    let assumed = owner.take_assumed();
                    if assumed > 0 {
                        tracing::warn!("{assumed} files of {partition} are taken for published before and moved away since");
                        self.metrics.publish_assumed.add(assumed);
                    }
                }
            }
        }
        Ok(())
    }

    /// The pointer at `path`; asks until it knows.
    async fn read(&self, path: &str) -> Result<Option<(Pointer, Version)>, TaskError> {
        loop {
            match self.state.get(path).await {
                Ok(None) => return Ok(None),
                Ok(Some((content, version))) => {
                    let pointer = Pointer::decode(&content);
                    let foreign =
                        |why| TaskError::Fatal(format!("{}/{path} is no pointer of this worker: {why}", self.state.url()));
                    return pointer.map(|pointer| Some((pointer, version))).map_err(foreign);
                }
                Err(StorageError::Retriable(error)) => self.wait("reading", path, &error).await,
                Err(StorageError::Fatal(error) | StorageError::Taken(error)) => return Err(TaskError::Fatal(error)),
            }
        }
    }

    /// Publishes `pending`; tries until it is known how that ended, and gives that with its token.
    async fn publish(self, pending: Pending, commit: String) -> Result<(String, Published), TaskError> {
        let metadata = Metadata::from([
            (facts::COMMIT.into(), commit),
            (facts::FIRST.into(), pending.first.to_string()),
            (facts::LAST.into(), pending.last.to_string()),
            (facts::ROWS.into(), pending.rows.to_string()),
        ]);
        loop {
            match self.storage.publish(&pending.file, &metadata).await {
                Ok(published) => return Ok((pending.file.token, published)),
                Err(StorageError::Retriable(error)) => self.wait("publishing", &pending.file.path, &error).await,
                Err(StorageError::Fatal(error) | StorageError::Taken(error)) => return Err(TaskError::Fatal(error)),
            }
        }
    }

    /// Writes an entry of the commit log, unless it is there; tries until it is.
    async fn write_log(&self, path: &str, content: Bytes) -> Result<(), TaskError> {
        loop {
            match self.storage.put(path, content.clone(), None).await {
                Ok(_) => return Ok(()),
                Err(StorageError::Retriable(error)) => self.wait("writing", path, &error).await,
                Err(StorageError::Fatal(error) | StorageError::Taken(error)) => return Err(TaskError::Fatal(error)),
            }
        }
    }

    async fn wait(&self, doing: &str, path: &str, error: &str) {
        self.metrics.retries.add(1);
        tracing::warn!("{doing} {path}: {error}; trying again in {} ms", self.backoff.as_millis());
        tokio::time::sleep(self.backoff).await;
    }
}

/// Where the entry of the commit log for the files of `pointer` is, and what it says.
fn log(partition: &str, pointer: &Pointer) -> (String, Bytes) {
    let (folder, number) = partition.rsplit_once('/').unwrap_or(("", partition));
    let logged = Logged {
        topic: folder.rsplit('/').next().unwrap_or_default(),
        partition: number,
        incarnation: pointer.incarnation,
        seq: pointer.seq,
        low: pointer.landed.low(),
        files: pointer.pending.iter().map(LoggedFile::of).collect(),
    };
    let path = format!("{HIDDEN}/{LOG}/{partition}/{}-{:010}.json", pointer.incarnation, pointer.seq);
    (path, serde_json::to_vec(&logged).unwrap_or_default().into())
}
