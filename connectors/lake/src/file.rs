//! One file on its way: rows come through a channel, are encoded and staged, and when it ends it is sealed, to be committed.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use landfall_api::{Holder, Memory, Share, Taken, TaskError, TaskMetrics, TopicId, TopicPartition, Wake};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::commit::crash_point;
use crate::commit::pointer::Pending;
use crate::encode::parquet::{BATCH_COLUMN, of_their_own};
use crate::encode::{EncodeError, Encoder, Facts, Format, Holds};
use crate::encoders::Place;
use crate::roll::Times;
use crate::storage::{Area, Sealed, Staged, Storage, StorageError};
use crate::task::Event;

/// What a file takes before it has a row, and for what it is known by, in bytes.
const FILE: usize = 12 << 10;
/// What a file that has ended counts for until it is visible, besides its bytes: the least that it holds, rounded up.
const ENDED: usize = 64 << 10;
/// Rows of a file wait until there are so many, or so many bytes of them: a turn of an encoder costs as much as some hundred rows.
const GATHERED_ROWS: usize = 1024;
const GATHERED_BYTES: usize = 128 << 10;
/// Or so many batches: each has buffers of its own for every column, and an encoder makes them one.
const GATHERED_BATCHES: usize = 16;
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
    pub(crate) memory: Arc<Memory>,
    pub(crate) metrics: Arc<TaskMetrics>,
    /// The rows that wait for an encoder.
    pub(crate) backlog: Backlog,
    /// What waits for the store: blocks that are being staged, and [`ENDED`] for each file that has ended and is not visible.
    pub(crate) unpublished: Backlog,
    /// The files of this task.
    pub(crate) open: AtomicUsize,
}

impl Shared {
    /// The encoded bytes that one file may hold, so that all open ones of the worker stay inside half of its memory if they hold alike.
    fn row_group(&self) -> usize {
        (self.memory.for_files() / 2 / self.memory.open().max(1)).max(SMALLEST_ROW_GROUP).min(self.format.row_group())
    }

    /// Waits until a call that failed may be tried again; `doing` says to the log what was tried with the file at `path`.
    async fn again(&self, doing: &str, path: &str, error: StorageError) -> Result<(), TaskError> {
        match error {
            StorageError::Fatal(error) | StorageError::Taken(error) => Err(TaskError::Fatal(error)),
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
pub(crate) struct Held {
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

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        (self.of)(&self.shared).sub(self.bytes);
    }
}

/// Rows that are not encoded yet.
struct Waiting {
    rows: RecordBatch,
    /// Their bytes.
    bytes: usize,
    /// They count in the backlog as long as an encoder is to take them at once.
    held: Option<Held>,
    _taken: Taken,
}

impl Waiting {
    /// The rows wait for more of their file.
    fn gather(&mut self) -> Result<(), EncodeError> {
        if self.held.take().is_some() {
            self.rows = of_their_own(&self.rows, self.bytes)?;
        }
        Ok(())
    }
}

enum Work {
    Rows(Waiting),
    HandOver,
    End { last: i64, rows: u64, held: Held },
}

/// What a file tells the task: how it ended, or that it should.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has as many bytes as it may have. Said once, and it goes on.
    Full,
    /// The memory is spent, by many files: it should end.
    Crowded,
    /// It is staged whole and can be committed.
    Sealed(SealedFile),
    /// It cannot be made.
    Failed(TaskError),
}

/// A file that is staged whole.
#[derive(Debug)]
pub(crate) struct SealedFile {
    pub(crate) pending: Pending,
    /// When its last block was staged at the latest.
    pub(crate) at: Instant,
    _held: Held,
}

/// What file `file` of `origin` tells the task.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) origin: TopicPartition,
    pub(crate) file: u64,
    pub(crate) outcome: Outcome,
}

/// Takes what happens in the background, and has the task look at it.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    pub(crate) sender: std::sync::mpsc::Sender<Event>,
    pub(crate) wake: Wake,
}

impl Reports {
    pub(crate) fn send(&self, event: Event) {
        let _ = self.sender.send(event);
        (self.wake.0)();
    }
}

/// Asks a file to let go of memory.
struct LetGo {
    work: mpsc::WeakUnboundedSender<Work>,
    report: Report,
}

impl Holder for LetGo {
    fn hand_over(&self) {
        if let Some(work) = self.work.upgrade() {
            let _ = work.send(Work::HandOver);
        }
    }

    fn end(&self) {
        self.report.send(Outcome::Crowded);
    }
}

/// Tells the task of a file, also when its work panics.
#[derive(Clone)]
struct Report {
    origin: TopicPartition,
    file: u64,
    reports: Reports,
}

impl Report {
    fn send(&self, outcome: Outcome) {
        self.reports.send(Event::File(Done { origin: self.origin.clone(), file: self.file, outcome }));
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
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) origin: TopicPartition,
    pub(crate) topic: Option<TopicId>,
    /// The file's number in the task.
    pub(crate) file: u64,
    /// Whose it is.
    pub(crate) area: Area,
    /// The incarnation of its partition.
    pub(crate) incarnation: u32,
    /// Its path, for what is to stand before the extension.
    pub(crate) path: Arc<dyn Fn(&str) -> String + Send + Sync>,
    pub(crate) schema: SchemaRef,
    pub(crate) first: i64,
    /// Those that end together with it, if they do.
    pub(crate) group: Option<u64>,
}

impl Identity {
    /// What stands before the extension: nothing, but for files of records that were landed once before; and something that nobody
    /// has if the name without it is `taken`.
    fn suffix(&self, taken: bool) -> String {
        let again = if self.incarnation > 0 { format!(".r{}", self.incarnation) } else { String::new() };
        let other = RandomState::new().hash_one(self.file) & 0xffff;
        if taken { format!("{again}.x{other:04x}") } else { again }
    }
}

/// The end that gives work to a file. Dropped before [`end`](Self::end), the file is dropped too.
#[derive(Debug)]
pub(crate) struct OpenFile {
    work: mpsc::UnboundedSender<Work>,
    shared: Arc<Shared>,
    share: Share,
    schema: SchemaRef,
    rows: u64,
    last: i64,
    times: Times,
}

impl OpenFile {
    /// Begins a file.
    pub(crate) fn begin(
        id: Identity,
        shared: Arc<Shared>,
        runtime: &tokio::runtime::Handle,
        reports: Reports,
        now: Instant,
    ) -> (Self, Running) {
        let (work, queue) = mpsc::unbounded_channel();
        let counted = Counted::new(shared.clone());
        let times = Times { first: now, last: now };
        let report = Report { origin: id.origin.clone(), file: id.file, reports };
        let let_go = LetGo { work: work.downgrade(), report: report.clone() };
        let share = shared.memory.register(id.group, Box::new(let_go));
        share.keep(FILE);
        let (schema, last) = (id.schema.clone(), id.first);
        let file = Self { work, shared: shared.clone(), share: share.clone(), schema, rows: 0, last, times };
        let landing = async move {
            let outcome = land(&id, &shared, &report, queue, share).await;
            drop(counted);
            if let Some(outcome) = outcome {
                report.send(outcome);
            }
        };
        (file, Running(runtime.spawn(landing.in_current_span()).abort_handle()))
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
        let taken = self.share.take(bytes + rows.num_columns() * BATCH_COLUMN);
        self.share.touch(now);
        let _ = self.work.send(Work::Rows(Waiting { rows, bytes, held: Some(held), _taken: taken }));
    }

    /// No more rows: it is sealed.
    pub(crate) fn end(self) {
        self.share.ends();
        let held = Held::new(&self.shared, |s| &s.unpublished, ENDED);
        let _ = self.work.send(Work::End { last: self.last, rows: self.rows, held });
    }
}

/// A file's work in the background. Dropped, it ends where it stands: what is not sealed by then never will be.
#[derive(Debug)]
pub(crate) struct Running(tokio::task::AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Encodes, stages and seals one file; None if it was dropped.
async fn land(
    id: &Identity,
    shared: &Arc<Shared>,
    report: &Report,
    mut queue: mpsc::UnboundedReceiver<Work>,
    share: Share,
) -> Option<Outcome> {
    let name = format!("{}.{}.{}", id.incarnation, id.area.epoch, id.file);
    let facts = Facts { topic: id.topic, id: name, ..Facts::new(id.origin.clone(), id.first) };
    let mut encoder = shared.format.encoder(&id.schema, &facts);
    let place = Place::take();
    let mut staging = Staging { id, shared, share: &share, staged: None };
    let mut encoded = share.take(0);
    let mut full = shared.full;
    let (mut waiting, mut batches) = (Vec::new(), VecDeque::new());
    let (last, rows, held) = loop {
        if queue.recv_many(&mut waiting, GATHERED_BATCHES).await == 0 {
            if let Some(mut staged) = staging.staged {
                staged.discard().await;
            }
            return None;
        }
        let (mut end, mut hand_over) = (None, false);
        for work in waiting.drain(..) {
            match work {
                Work::Rows(rows) => batches.push_back(rows),
                Work::HandOver => hand_over = true,
                Work::End { last, rows, held } => end = Some((last, rows, held)),
            }
        }
        if end.is_none() && !hand_over && full.is_none() && !are_enough(&batches) {
            if let Err(error) = batches.iter_mut().try_for_each(Waiting::gather) {
                return Some(not_encoded(id, Some(error)));
            }
            continue;
        }
        while !batches.is_empty() || hand_over {
            let blocks;
            let row_group = shared.row_group();
            let all = hand_over;
            (encoder, batches, blocks) = match place.run(move || encode(encoder, batches, row_group, full, all)).await {
                Some(Ok(encoded)) => encoded,
                ended => return Some(not_encoded(id, ended.and_then(Result::err))),
            };
            let Holds { gives, keeps } = encoder.holds();
            encoded.set(gives);
            share.keep(FILE + keeps);
            if is_full(&*encoder, full) {
                full = None;
                report.send(Outcome::Full);
            }
            if let Err(error) = staging.stage(blocks).await {
                return Some(Outcome::Failed(error));
            }
            if hand_over && batches.is_empty() {
                hand_over = false;
                share.handed_over();
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
    drop((place, encoded));
    share.keep(FILE);
    if let Err(error) = staging.stage(rest).await {
        return Some(Outcome::Failed(error));
    }
    let at = Instant::now();
    Some(match staging.seal().await? {
        Ok(file) => {
            crash_point("commit::after-seal");
            Outcome::Sealed(SealedFile { pending: Pending { file, first: id.first, last, rows }, at, _held: held })
        }
        Err(error) => Outcome::Failed(error),
    })
}

fn not_encoded(id: &Identity, error: Option<EncodeError>) -> Outcome {
    let why = error.map_or_else(|| "its encoder ended by a fault of the worker".to_owned(), |e| e.to_string());
    Outcome::Failed(TaskError::Fatal(format!("{}: {why}", (id.path)(""))))
}

/// Whether the rows are worth a turn of an encoder.
fn are_enough(batches: &VecDeque<Waiting>) -> bool {
    let sum = |of: fn(&Waiting) -> usize| batches.iter().map(of).sum::<usize>();
    batches.len() >= GATHERED_BATCHES
        || sum(|waiting| waiting.rows.num_rows()) >= GATHERED_ROWS
        || sum(|waiting| waiting.bytes) >= GATHERED_BYTES
}

/// How many of the first of these batches, with their bytes, make one: as many as are enough, of one schema.
fn first_few<'a>(batches: impl IntoIterator<Item = (&'a RecordBatch, usize)>) -> usize {
    let (mut count, mut rows, mut bytes) = (0, 0, 0);
    let mut schema = None;
    for (batch, of_batch) in batches {
        let fits = *schema.get_or_insert_with(|| batch.schema_ref()) == batch.schema_ref();
        if !fits || rows >= GATHERED_ROWS || bytes >= GATHERED_BYTES {
            break;
        }
        (count, rows, bytes) = (count + 1, rows + batch.num_rows(), bytes + of_batch);
    }
    count
}

fn is_full(encoder: &dyn Encoder, full: Option<u64>) -> bool {
    full.is_some_and(|full| encoder.size() >= full)
}

/// The encoder, the rows that it has not taken yet, and the blocks that are ready.
type Encoded = (Box<dyn Encoder>, VecDeque<Waiting>, Vec<Bytes>);

/// Encodes until blocks are ready to be staged or the file is full; what is left of `batches`, and the blocks: with `all` of them, they
/// are all that the file can let go of.
fn encode(
    mut encoder: Box<dyn Encoder>,
    mut batches: VecDeque<Waiting>,
    row_group: usize,
    full: Option<u64>,
    all: bool,
) -> Result<Encoded, EncodeError> {
    while !batches.is_empty() {
        let few = first_few(batches.iter().map(|waiting| (&waiting.rows, waiting.bytes)));
        let few: Vec<_> = batches.drain(..few).collect();
        let bytes = few.iter().map(|waiting| waiting.bytes).sum();
        match &few[..] {
            [only] => encoder.write(&only.rows, bytes, row_group)?,
            few => encoder.write(
                &concat_batches(&few[0].rows.schema(), few.iter().map(|waiting| &waiting.rows))?,
                bytes,
                row_group,
            )?,
        }
        if encoder.has_block() || is_full(&*encoder, full) {
            break;
        }
    }
    if all && batches.is_empty() {
        encoder.hand_over()?;
    }
    let blocks = encoder.take();
    Ok((encoder, batches, blocks))
}

/// What of a file is in the store.
struct Staging<'a> {
    id: &'a Identity,
    shared: &'a Arc<Shared>,
    share: &'a Share,
    staged: Option<Box<dyn Staged>>,
}

impl Staging<'_> {
    /// Stages blocks, as often as it takes. The file begins with its first block, so that an idle one costs nothing, and has another
    /// name if its own is taken.
    async fn stage(&mut self, blocks: Vec<Bytes>) -> Result<(), TaskError> {
        let Self { id, shared, share, staged } = self;
        let bytes = blocks.iter().map(Bytes::len).sum();
        let _held = Held::new(shared, |s| &s.unpublished, bytes);
        let _taken = share.take(bytes);
        let (mut taken, begun) = (false, staged.is_some());
        for block in blocks {
            loop {
                let tried = match staged {
                    Some(staged) => {
                        crash_point("commit::before-block");
                        staged.block(block.clone()).await
                    }
                    None => match shared.storage.stage(&(id.path)(&id.suffix(taken)), &id.area).await {
                        Ok(new) => {
                            *staged = Some(new);
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                };
                match tried {
                    Ok(()) => break crash_point("commit::after-block"),
                    Err(StorageError::Taken(why)) if !begun => {
                        tracing::warn!("{why}; the file gets another name");
                        (*staged, taken) = (None, true);
                    }
                    Err(error) => shared.again("staging", &(id.path)(""), error).await?,
                }
            }
        }
        Ok(())
    }

    /// Seals the file; None if nothing of it is staged.
    async fn seal(&mut self) -> Option<Result<Sealed, TaskError>> {
        let staged = self.staged.as_mut()?;
        loop {
            match staged.seal().await {
                Ok(sealed) => return Some(Ok(sealed)),
                Err(error) => {
                    if let Err(error) = self.shared.again("sealing", &(self.id.path)(""), error).await {
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int32Array};

    use super::*;

    fn rows(column: &str, count: usize) -> RecordBatch {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![1; count]));
        RecordBatch::try_from_iter([(column, values)]).expect("rows")
    }

    #[test]
    fn as_many_batches_become_one_as_are_enough() {
        let small: Vec<_> = (0..5).map(|_| rows("a", GATHERED_ROWS / 2)).collect();
        let with = |bytes: usize| small.iter().map(move |batch| (batch, bytes));
        assert_eq!(first_few(with(1)), 2, "by their rows");
        assert_eq!(first_few(with(GATHERED_BYTES)), 1, "by their bytes");
        assert_eq!(first_few(with(1).take(1)), 1);
        assert_eq!(first_few([]), 0);
    }

    #[test]
    fn rows_of_another_schema_stay_apart() {
        let (one, other) = (rows("a", 1), rows("b", 1));
        assert_eq!(first_few([(&one, 1), (&one, 1), (&other, 1), (&one, 1)]), 2);
    }
}
