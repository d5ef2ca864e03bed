//! One file on its way: rows come through a channel, are encoded and staged, and when it ends it is published in its turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use landfall_api::{TaskError, TaskMetrics, TopicId, TopicPartition};
use tokio::sync::{mpsc, oneshot};

use crate::columns;
use crate::encode::{EncodeError, Encoder, Facts, Format};
use crate::encoders::Place;
use crate::landed::{self, facts};
use crate::roll::Times;
use crate::storage::{Metadata, Published, Staged, Storage, StorageError};

/// What a file that has ended counts for until it is visible, besides its bytes: the least that it holds, rounded up.
const ENDED: usize = 64 << 10;
/// Below this a row group would cost more than it saves.
const SMALLEST_ROW_GROUP: usize = 256 << 10;

/// What the files of a task share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) format: Format,
    /// The encoded bytes after which a file says that it is [`Full`](Outcome::Full).
    pub(crate) full: Option<u64>,
    pub(crate) retry_backoff: Duration,
    pub(crate) memory: usize,
    pub(crate) metrics: Arc<TaskMetrics>,
    /// The rows that wait for an encoder.
    pub(crate) backlog: Backlog,
    /// What waits for the store: blocks that are being staged, and [`ENDED`] for each file that has ended and is not visible.
    pub(crate) unpublished: Backlog,
    pub(crate) open: AtomicUsize,
}

impl Shared {
    /// The encoded bytes that one file may hold, so that all open ones stay inside half of the task's memory.
    fn row_group(&self) -> usize {
        let open = self.open.load(Ordering::Relaxed).max(1);
        (self.memory / 2 / open).max(SMALLEST_ROW_GROUP).min(self.format.row_group())
    }

    /// Waits until a call that failed may be tried again; `doing` says to the log what was tried with the file at `path`.
    async fn again(&self, doing: &str, path: &str, error: StorageError) -> Result<(), TaskError> {
        match error {
            StorageError::Fatal(error) => Err(TaskError::Fatal(error)),
            StorageError::Retriable(error) => {
                self.metrics.retries.add(1);
                tracing::warn!("{doing} {path}: {error}; trying again in {} ms", self.retry_backoff.as_millis());
                tokio::time::sleep(self.retry_backoff).await;
                Ok(())
            }
        }
    }
}

/// Counts a file as open until it has ended, however that comes.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        shared.metrics.open_files.set(shared.open.fetch_add(1, Ordering::Relaxed) as u64 + 1);
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.open_files.set(self.0.open.fetch_sub(1, Ordering::Relaxed) as u64 - 1);
    }
}

/// Bytes that wait.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Mutex<usize>,
    less: Condvar,
}

impl Backlog {
    pub(crate) fn add(&self, n: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) += n;
    }

    fn sub(&self, n: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= n;
        self.less.notify_all();
    }

    pub(crate) fn bytes(&self) -> usize {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until at most `limit` bytes wait, or the time is over; whether that is so.
    pub(crate) fn wait(&self, limit: usize, timeout: Duration) -> bool {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, _) = self.less.wait_timeout_while(bytes, timeout, |b| *b > limit).unwrap_or_else(PoisonError::into_inner);
        *bytes <= limit
    }
}

/// Bytes that count in a backlog until this is dropped.
struct Held {
    shared: Arc<Shared>,
    of: fn(&Shared) -> &Backlog,
    bytes: usize,
}

impl Held {
    fn new(shared: &Arc<Shared>, of: fn(&Shared) -> &Backlog, bytes: usize) -> Self {
        of(shared).add(bytes);
        Self { shared: shared.clone(), of, bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        (self.of)(&self.shared).sub(self.bytes);
    }
}

/// Rows that count in the backlog until they are encoded or dropped.
struct Waiting {
    rows: RecordBatch,
    held: Held,
}

enum Work {
    Rows(Waiting),
    End { last: i64, rows: u64, held: Held },
}

/// What a file tells the task: how it ended, or that it should.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has as many bytes as it may have. Said once, and it goes on.
    Full,
    /// It is visible, or one with the same rows is.
    Landed,
    /// Another file of ours has its name and holds the records from its first one up to offset `last`.
    Taken { last: i64 },
    /// It cannot be made.
    Failed(TaskError),
}

/// What file `file` of `origin` tells the task.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) origin: TopicPartition,
    pub(crate) file: u64,
    pub(crate) outcome: Outcome,
}

/// Tells the task of a file, also when its work panics.
struct Report {
    origin: TopicPartition,
    file: u64,
    done: std::sync::mpsc::Sender<Done>,
}

impl Report {
    fn send(&self, outcome: Outcome) {
        let _ = self.done.send(Done { origin: self.origin.clone(), file: self.file, outcome });
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.send(Outcome::Failed(TaskError::Fatal(format!("a file of {} ended by a fault of the worker", self.origin))));
        }
    }
}

/// Which file.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) origin: TopicPartition,
    pub(crate) topic: Option<TopicId>,
    pub(crate) file: u64,
    pub(crate) path: String,
    pub(crate) schema: SchemaRef,
    pub(crate) first: i64,
}

/// The end that gives work to a file. Dropped before [`end`](Self::end), the file is dropped too.
#[derive(Debug)]
pub(crate) struct OpenFile {
    work: mpsc::UnboundedSender<Work>,
    shared: Arc<Shared>,
    schema: SchemaRef,
    rows: u64,
    last: i64,
    times: Times,
}

impl OpenFile {
    /// Begins a file. It is published only after `turn` says that the one before it was; then it says so to the one after it.
    pub(crate) fn begin(
        id: Identity,
        shared: Arc<Shared>,
        runtime: &tokio::runtime::Handle,
        turn: Option<oneshot::Receiver<()>>,
        done: std::sync::mpsc::Sender<Done>,
        now: Instant,
    ) -> (Self, Running) {
        let (work, queue) = mpsc::unbounded_channel();
        let (landed, next) = oneshot::channel();
        let counted = Counted::new(shared.clone());
        let times = Times { first: now, last: now };
        let file = Self { work, shared: shared.clone(), schema: id.schema.clone(), rows: 0, last: id.first, times };
        let report = Report { origin: id.origin.clone(), file: id.file, done };
        let running = runtime.spawn(async move {
            let outcome = land(&id, &shared, &report, queue, turn).await;
            drop(counted);
            if let Some(outcome) = outcome {
                let visible = matches!(outcome, Outcome::Landed);
                // before the next one has its turn: reports come in the order of the files
                report.send(outcome);
                if visible {
                    let _ = landed.send(());
                }
            }
        });
        (file, Running { next: Some(next), task: running.abort_handle() })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The schema of its last rows: where files do not have one schema, that may change.
    pub(crate) fn schema_mut(&mut self) -> &mut SchemaRef {
        &mut self.schema
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn times(&self) -> Times {
        self.times
    }

    /// Adds rows, the last of them with offset `last`.
    pub(crate) fn add(&mut self, rows: RecordBatch, bytes: usize, last: i64, now: Instant) {
        (self.rows, self.last, self.times.last) = (self.rows + rows.num_rows() as u64, last, now);
        let held = Held::new(&self.shared, |s| &s.backlog, bytes);
        let _ = self.work.send(Work::Rows(Waiting { rows, held }));
    }

    /// No more rows: it is published in its turn.
    pub(crate) fn end(self) {
        let held = Held::new(&self.shared, |s| &s.unpublished, ENDED);
        let _ = self.work.send(Work::End { last: self.last, rows: self.rows, held });
    }
}

/// A file's work in the background. Dropped, it ends where it stands: what is not published by then is not.
#[derive(Debug)]
pub(crate) struct Running {
    /// Taken by the file that is to be published after this one.
    pub(crate) next: Option<oneshot::Receiver<()>>,
    task: tokio::task::AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Encodes, stages and publishes one file; None if it was dropped.
async fn land(
    id: &Identity,
    shared: &Arc<Shared>,
    report: &Report,
    mut queue: mpsc::UnboundedReceiver<Work>,
    turn: Option<oneshot::Receiver<()>>,
) -> Option<Outcome> {
    let facts = Facts { topic: id.topic, ..Facts::new(id.origin.clone(), id.first) };
    let mut encoder = shared.format.encoder(&id.schema, &facts);
    let place = Place::take();
    let mut staged: Option<Box<dyn Staged>> = None;
    let mut size = 0;
    let mut full = shared.full;
    let mut waiting = Vec::new();
    let (last, rows, _held) = loop {
        if queue.recv_many(&mut waiting, 16).await == 0 {
            if let Some(mut staged) = staged {
                staged.discard().await;
            }
            return None;
        }
        let mut end = None;
        let mut batches = VecDeque::with_capacity(waiting.len());
        for work in waiting.drain(..) {
            match work {
                Work::Rows(rows) => batches.push_back(rows),
                Work::End { last, rows, held } => end = Some((last, rows, held)),
            }
        }
        while !batches.is_empty() {
            let blocks;
            let row_group = shared.row_group();
            (encoder, batches, blocks) = match place.run(move || encode(encoder, batches, row_group, full)).await {
                Some(Ok(encoded)) => encoded,
                ended => return Some(not_encoded(id, ended.and_then(Result::err))),
            };
            if is_full(&*encoder, full) {
                full = None;
                report.send(Outcome::Full);
            }
            size += blocks.iter().map(Bytes::len).sum::<usize>();
            if let Err(error) = stage(id, shared, &mut staged, blocks).await {
                return Some(Outcome::Failed(error));
            }
        }
        if let Some(end) = end {
            break end;
        }
    };
    let rest = match place.run(move || encoder.finish(last)).await {
        Some(Ok(rest)) => rest,
        ended => return Some(not_encoded(id, ended.and_then(Result::err))),
    };
    drop(place);
    size += rest.iter().map(Bytes::len).sum::<usize>();
    if let Err(error) = stage(id, shared, &mut staged, rest).await {
        return Some(Outcome::Failed(error));
    }
    let mut staged = staged?;
    if let Some(turn) = turn
        && turn.await.is_err()
    {
        staged.discard().await;
        return None;
    }
    Some(match publish(id, shared, &mut *staged, last, rows).await {
        Ok(Published::Created) => {
            shared.metrics.files_landed.add(1);
            shared.metrics.rows_landed.add(rows);
            shared.metrics.bytes_landed.add(size as u64);
            Outcome::Landed
        }
        Ok(Published::Exists) => {
            staged.discard().await;
            match existing(shared, id).await {
                // the same rows, of an earlier run
                Ok(Some(there)) if there == last && is_alike(shared, id).await => Outcome::Landed,
                Ok(Some(last)) => Outcome::Taken { last },
                Ok(None) => Outcome::Failed(TaskError::Retriable(format!("{} was there and is gone", id.path))),
                Err(error) => Outcome::Failed(error),
            }
        }
        Err(error) => Outcome::Failed(error),
    })
}

fn not_encoded(id: &Identity, error: Option<EncodeError>) -> Outcome {
    let why = error.map_or_else(|| "its encoder ended by a fault of the worker".to_owned(), |e| e.to_string());
    Outcome::Failed(TaskError::Fatal(format!("{}: {why}", id.path)))
}

fn is_full(encoder: &dyn Encoder, full: Option<u64>) -> bool {
    full.is_some_and(|full| encoder.size() >= full)
}

/// The encoder, the rows that it has not taken yet, and the blocks that are ready.
type Encoded = (Box<dyn Encoder>, VecDeque<Waiting>, Vec<Bytes>);

/// Encodes until blocks are ready to be staged or the file is full; what is left of `batches`, and the blocks.
fn encode(
    mut encoder: Box<dyn Encoder>,
    mut batches: VecDeque<Waiting>,
    row_group: usize,
    full: Option<u64>,
) -> Result<Encoded, EncodeError> {
    while let Some(waiting) = batches.pop_front() {
        encoder.write(&waiting.rows, waiting.held.bytes, row_group)?;
        if encoder.has_block() || is_full(&*encoder, full) {
            break;
        }
    }
    let blocks = encoder.take();
    Ok((encoder, batches, blocks))
}

/// Stages blocks, as often as it takes. The file begins with its first block, so that an idle one costs nothing.
async fn stage(
    id: &Identity,
    shared: &Arc<Shared>,
    staged: &mut Option<Box<dyn Staged>>,
    blocks: Vec<Bytes>,
) -> Result<(), TaskError> {
    let _held = Held::new(shared, |s| &s.unpublished, blocks.iter().map(Bytes::len).sum());
    for block in blocks {
        loop {
            let tried = match staged {
                Some(staged) => staged.block(block.clone()).await,
                None => match shared.storage.stage(&id.path).await {
                    Ok(new) => {
                        *staged = Some(new);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match tried {
                Ok(()) => break,
                Err(error) => shared.again("staging", &id.path, error).await?,
            }
        }
    }
    Ok(())
}

async fn publish(id: &Identity, shared: &Shared, staged: &mut dyn Staged, last: i64, rows: u64) -> Result<Published, TaskError> {
    let mut metadata = Metadata::from([
        (facts::FIRST.into(), id.first.to_string()),
        (facts::LAST.into(), last.to_string()),
        (facts::ROWS.into(), rows.to_string()),
    ]);
    metadata.extend(id.topic.map(|topic| (facts::TOPIC_ID.into(), topic.to_string())));
    let begun = Instant::now();
    loop {
        match staged.publish(&metadata).await {
            Ok(published) => {
                tracing::debug!("{} published in {} ms: {published:?}", id.path, begun.elapsed().as_millis());
                return Ok(published);
            }
            Err(error) => shared.again("publishing", &id.path, error).await?,
        }
    }
}

/// The last offset of the visible file that has the name of `id`; None if there is none. Asks until it knows.
async fn existing(shared: &Shared, id: &Identity) -> Result<Option<i64>, TaskError> {
    let path = &id.path;
    loop {
        let span = landed::span(&*shared.storage, path).await;
        match span.and_then(|span| span.map_or(Ok(()), |span| span.is_of(id.topic, path)).map(|()| span)) {
            Ok(Some(span)) if span.first != id.first => {
                let begins = span.first;
                return Err(TaskError::Fatal(format!("{path} begins with offset {begins}, which its name does not say")));
            }
            Ok(span) => return Ok(span.map(|span| span.last)),
            Err(error) => shared.again("reading", path, error).await?,
        }
    }
}

/// Whether the visible file that has the name of `id` shows values as this one does, so that there is nothing to learn from it.
async fn is_alike(shared: &Shared, id: &Identity) -> bool {
    if !shared.format.has_schema() {
        return true;
    }
    let Ok(Some(there)) = landed::learned(&*shared.storage, &id.path).await else { return false };
    let ours = columns::value_field(&id.schema);
    // a footer says more of its file
    let said = ours.metadata().iter().all(|(key, value)| there.metadata().get(key).is_some_and(|there| there == value));
    said && ours.data_type() == there.data_type()
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow_array::Int64Array;

    use crate::encode::parquet;
    use crate::storage::local::LocalStorage;

    #[test]
    fn a_file_is_reported_before_the_next_one_has_its_turn() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let root = tempfile::tempdir().expect("a directory");
        let shared = Arc::new(Shared {
            storage: Arc::new(LocalStorage::new(root.path())),
            format: Format::Parquet(parquet::Options::default()),
            full: None,
            retry_backoff: Duration::from_millis(5),
            memory: 1 << 20,
            metrics: Arc::default(),
            backlog: Backlog::default(),
            unpublished: Backlog::default(),
            open: AtomicUsize::new(0),
        });
        let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as _)]).expect("columns");
        for file in 0..300 {
            let (done, reports) = std::sync::mpsc::channel();
            let id = Identity {
                origin: TopicPartition::new("t", 0),
                topic: None,
                file,
                path: file.to_string(),
                schema: rows.schema(),
                first: 0,
            };
            let (mut open, mut running) = OpenFile::begin(id, shared.clone(), runtime.handle(), None, done, Instant::now());
            open.add(rows.clone(), 8, 0, Instant::now());
            open.end();
            let turn = running.next.take().expect("not taken before");
            turn.blocking_recv().expect("published");
            assert!(matches!(reports.try_recv(), Ok(Done { outcome: Outcome::Landed, .. })), "file {file}");
        }
    }
}
