//! The sink task of all file sinks: files per partition, in offset order, and the offsets that may be committed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{DataType, FieldRef, SchemaRef};
use landfall_api::{
    Batch, Committed, Offset, Opened, RecordError, Refuse, SinkTask, TaskContext, TaskError, TopicId, TopicPartition,
};

use crate::columns::{self, Columns, Refusals, Shape};
use crate::commit::{self, Ledger, Named};
use crate::file::{Backlog, Done, Identity, OpenFile, Outcome, Running, Shared};
use crate::landed;
use crate::name::Names;
use crate::nulls::{self, NullValues};
use crate::roll::{self, Reason, Rotation, Step, Timers};
use crate::storage::{Storage, StorageError, checked_path};

/// How files are laid out and when they end.
#[derive(Clone, Debug)]
pub struct Layout {
    /// What they are called.
    pub names: Names,
    /// What is in them.
    pub columns: Columns,
    /// When they end.
    pub rotation: Rotation,
    /// What becomes of records without a value (`behavior.on.null.values`).
    pub nulls: NullValues,
    /// The wait between two tries of a storage call (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// Whether open files are published when a partition is let go, not dropped (`landfall.flush.on.stop`).
    pub flush_on_stop: bool,
}

/// The rows that may wait for an encoder, in bytes, before the task is held back: enough to keep every core busy.
const MOST_BACKLOG: usize = 16 << 20;
/// What may wait for the store, in bytes, before the task is held back: without it an outage would fill the memory with small files.
const MOST_UNPUBLISHED: usize = 32 << 20;

/// The task of a file sink.
pub struct LakeTask {
    layout: Layout,
    context: TaskContext,
    shared: Arc<Shared>,
    checked: bool,
    /// The ids of topics, as far as they are known.
    topics: BTreeMap<Arc<str>, TopicId>,
    partitions: BTreeMap<TopicPartition, Partition>,
    rewinds: BTreeMap<TopicPartition, i64>,
    /// What may be committed for partitions that are to be opened again, after the file of another owner.
    taken: BTreeMap<TopicPartition, Offset>,
    /// Whose open file may have to end by its age, and when.
    timers: Timers<TopicPartition>,
    files: u64,
    done: (mpsc::Sender<Done>, mpsc::Receiver<Done>),
    /// What came up while partitions were let go; the next call fails with it.
    failed: Option<TaskError>,
}

struct Partition {
    ledger: Ledger,
    /// The schema of the values put last, for those that have none.
    value: Option<FieldRef>,
    open: Option<Open>,
    /// The work of all files that are not visible yet, in offset order.
    running: BTreeMap<u64, Running>,
}

/// The file that takes rows.
struct Open {
    id: u64,
    /// The topic in whose folder it is.
    topic: Arc<str>,
    shape: Shape,
    file: OpenFile,
}

/// Rows as a file takes them.
struct Rows {
    shape: Shape,
    rows: RecordBatch,
}

impl fmt::Debug for LakeTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTask")
            .field("layout", &self.layout)
            .field("partitions", &self.partitions.len())
            .finish_non_exhaustive()
    }
}

impl LakeTask {
    /// A task that lands files in `storage`. Asks it nothing yet.
    #[must_use]
    pub fn new(layout: Layout, storage: Arc<dyn Storage>, context: TaskContext) -> Self {
        let shared = Arc::new(Shared {
            storage,
            format: layout.columns.format.clone(),
            full: layout.rotation.size,
            retry_backoff: layout.retry_backoff,
            memory: context.memory,
            metrics: context.metrics.clone(),
            backlog: Backlog::default(),
            unpublished: Backlog::default(),
            open: AtomicUsize::new(0),
        });
        Self {
            layout,
            context,
            shared,
            checked: false,
            topics: BTreeMap::new(),
            partitions: BTreeMap::new(),
            rewinds: BTreeMap::new(),
            taken: BTreeMap::new(),
            timers: Timers::default(),
            files: 0,
            done: mpsc::channel(),
            failed: None,
        }
    }

    fn path(&self, topic: &str, origin: &TopicPartition, first: i64) -> String {
        let folder = Names::encoded_partition(origin);
        self.layout.names.path(topic, &folder, origin, first, &self.layout.columns.format.extension())
    }

    /// Takes in what files have reported, and ends those whose time has come.
    fn settle(&mut self, now: Instant) -> Result<(), TaskError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while let Ok(done) = self.done.1.try_recv() {
            self.settled(done)?;
        }
        self.end_aged(now);
        Ok(())
    }

    /// Ends the files that are old enough by `now`, at most as many as the store has room for: files that were begun together end
    /// together, and there may be thousands.
    fn end_aged(&mut self, now: Instant) {
        while self.shared.unpublished.bytes() <= self.most_unpublished()
            && let Some(origin) = self.timers.due(now)
        {
            let Some(open) = self.partitions.get(&origin).and_then(|p| p.open.as_ref()) else { continue };
            match self.layout.rotation.deadline(open.file.times()) {
                Some((at, reason)) if at <= now => self.end_file(&origin, reason),
                Some((at, _)) => self.timers.set(&origin, at),
                None => {}
            }
        }
    }

    fn most_unpublished(&self) -> usize {
        MOST_UNPUBLISHED.min(self.context.memory / 2)
    }

    fn settled(&mut self, Done { origin, file, outcome }: Done) -> Result<(), TaskError> {
        let Some(partition) = self.partitions.get_mut(&origin).filter(|p| p.running.contains_key(&file)) else { return Ok(()) };
        match outcome {
            Outcome::Full if partition.open.as_ref().is_some_and(|open| open.id == file) => {
                self.end_file(&origin, Reason::Size);
            }
            Outcome::Full => {} // it has ended meanwhile
            Outcome::Landed => {
                partition.running.remove(&file);
                partition.ledger.landed(file);
            }
            Outcome::Taken { last } => {
                tracing::info!("records of {origin} up to offset {last} have landed before; going on after them");
                let name = partition.ledger.name(file).cloned();
                self.partitions.remove(&origin);
                self.taken.insert(origin.clone(), Ledger::new(last + 1, name).offset());
                self.rewinds.insert(origin, last + 1);
            }
            Outcome::Failed(error) => return Err(error),
        }
        Ok(())
    }

    fn put_batch(&mut self, batch: &Batch, now: Instant, refuse: &mut Refuse<'_>) -> Result<(), TaskError> {
        let (batch, nulls) = self.without_nulls(batch, refuse)?;
        let (batch, rows, refused) = match self.rows(&batch) {
            Ok(rows) => (batch, rows, Ok(())),
            Err(errors) => {
                let (rest, refused) = without(&batch, errors, refuse)?;
                let rows = self.rows(&rest).map_err(|errors| {
                    TaskError::Fatal(errors.into_iter().next().map_or_else(String::new, |(_, error)| error.to_string()))
                })?;
                (Cow::Owned(rest), rows, refused)
            }
        };
        if let Some(rows) = rows {
            self.add(&batch, &rows, now);
        }
        self.covered(&batch);
        refused.and(nulls)
    }

    /// What is left of `batch` where `behavior.on.null.values` has done its work; if that is not all before the end, why not.
    fn without_nulls<'b>(
        &self,
        batch: &'b Batch,
        refuse: &mut Refuse<'_>,
    ) -> Result<(Cow<'b, Batch>, Result<(), TaskError>), TaskError> {
        let Some(partition) = self.partitions.get(&batch.origin) else {
            return Err(TaskError::Fatal(format!("{} was put and is not open", batch.origin)));
        };
        let left = |left: Option<Batch>| left.map_or(Cow::Borrowed(batch), Cow::Owned);
        Ok(match self.layout.nulls {
            NullValues::Ignore => (left(nulls::left_out(batch)?), Ok(())),
            NullValues::Write => (Cow::Owned(nulls::written(batch, partition.value.as_ref())), Ok(())),
            NullValues::Fail | NullValues::Report => {
                let rows = nulls::rows(&batch.value);
                match rows.first() {
                    None => (Cow::Borrowed(batch), Ok(())),
                    Some(first) if self.layout.nulls == NullValues::Fail => {
                        let offset = batch.offset.value(*first);
                        (Cow::Owned(batch.before(offset)), Err(nulls::not_writeable(&batch.origin, offset)))
                    }
                    Some(_) => {
                        let (rest, refused) = without(batch, rows.into_iter().map(|row| (row, nulls::reported())), refuse)?;
                        (Cow::Owned(rest), refused)
                    }
                }
            }
        })
    }

    /// The rows of a file, None if there are none; or those that no file can take.
    fn rows(&self, batch: &Batch) -> Result<Option<Rows>, Refusals> {
        if batch.is_empty() {
            return Ok(None);
        }
        let all = |error: RecordError| (0..batch.len()).map(|row| (row, error.clone())).collect::<Vec<_>>();
        if batch.topic != batch.origin.topic
            && let Err(why) = checked_path(&self.path(&batch.topic, &batch.origin, batch.offset.value(0)))
        {
            return Err(all(RecordError::data(format!("no file can be in a folder of topic {:?}: {why}", batch.topic))));
        }
        let columns = &self.layout.columns;
        let shape = columns.shape(batch);
        let schema = match self.partitions.get(&batch.origin).and_then(|p| p.open.as_ref()) {
            Some(open) if open.shape == shape => Ok(open.file.schema().clone()),
            _ => columns.schema(&shape),
        };
        let schema = schema.map_err(all)?;
        columns.rows(batch, &schema).map(|rows| Some(Rows { shape, rows }))
    }

    /// Adds the rows of `batch` to files.
    fn add(&mut self, batch: &Batch, Rows { shape, rows }: &Rows, now: Instant) {
        let open = |task: &Self| {
            let open = task.partitions.get(&batch.origin)?.open.as_ref()?;
            Some((open.file.rows(), task.layout.columns.takes(&open.shape, shape), open.topic == batch.topic))
        };
        let mut before = open(self);
        if before.is_some_and(|(.., same_topic)| !same_topic) {
            self.end_file(&batch.origin, Reason::Topic);
            before = None;
        }
        let (in_file, fits) = (before.map(|(rows, ..)| rows), before.is_some_and(|(_, fits, _)| fits));
        for step in roll::steps(in_file, fits, batch.len(), self.layout.rotation.flush_size) {
            match step {
                Step::Close(reason) => self.end_file(&batch.origin, reason),
                Step::Rows(range) => {
                    self.open_file(batch, shape, rows.schema_ref(), batch.offset.value(range.start), now);
                    let rows_here = rows.slice(range.start, range.len());
                    let bytes = columns::bytes(&rows_here);
                    let Some(partition) = self.partitions.get_mut(&batch.origin) else { continue };
                    let last = batch.offset.value(range.end - 1);
                    if let Some(open) = &mut partition.open {
                        open.file.add(rows_here, bytes, last, now);
                    }
                    partition.ledger.advance(last + 1);
                }
            }
        }
    }

    /// All of a batch is in files, or there was nothing in it.
    fn covered(&mut self, batch: &Batch) {
        if let Some(partition) = self.partitions.get_mut(&batch.origin) {
            partition.ledger.advance(batch.covers.end);
            // Where transforms have dropped every row, the schema is that of before them.
            if !batch.is_empty() && *batch.value.field.data_type() != DataType::Null {
                partition.value = Some(batch.value.field.clone());
            }
        }
    }

    /// Opens a file of `schema` for the topic of `batch` that begins with offset `first`, if the partition has none open.
    fn open_file(&mut self, batch: &Batch, shape: &Shape, schema: &SchemaRef, first: i64, now: Instant) {
        let origin = &batch.origin;
        if let Some(Partition { open: Some(open), .. }) = self.partitions.get_mut(origin) {
            if open.shape != *shape {
                (open.shape, *open.file.schema_mut()) = (shape.clone(), schema.clone());
            }
            return;
        }
        let id = self.files;
        self.files += 1;
        let topic = self.topics.get(&origin.topic).copied();
        let path = self.path(&batch.topic, origin, first);
        let identity = Identity { origin: origin.clone(), topic, file: id, path, schema: schema.clone(), first };
        if let Some(partition) = self.partitions.get_mut(origin) {
            let turn = partition.running.last_entry().and_then(|mut before| before.get_mut().next.take());
            let (file, running) =
                OpenFile::begin(identity, self.shared.clone(), &self.context.runtime, turn, self.done.0.clone(), now);
            if let Some((at, _)) = self.layout.rotation.deadline(file.times()) {
                self.timers.set(origin, at);
            }
            let routed = (batch.topic != origin.topic).then(|| batch.topic.clone());
            partition.ledger.begin(id, Named { first, routed });
            partition.open = Some(Open { id, topic: batch.topic.clone(), shape: shape.clone(), file });
            partition.running.insert(id, running);
        }
    }

    fn end_file(&mut self, origin: &TopicPartition, reason: Reason) {
        if let Some(Open { file, .. }) = self.partitions.get_mut(origin).and_then(|p| p.open.take()) {
            tracing::debug!("{origin}: a file ends with {} rows: {reason:?}", file.rows());
            reason.counter(&self.shared.metrics.files_ended).add(1);
            file.end();
        }
    }

    async fn opened(
        &self,
        origin: &TopicPartition,
        committed: Option<&Committed>,
        first: i64,
    ) -> Result<(Opened, Option<Named>), TaskError> {
        let storage = &*self.shared.storage;
        if !self.checked {
            storage.check().await.map_err(retriable)?;
        }
        // What has landed since the commit: the files that begin where the one before ended. The commit names the first of them, also
        // where its first record is gone since. One that begins after a gap, or in the folder of a topic that no file before it was
        // routed to, is met when it is to be published again.
        let (mut resume, mut landed) = (committed.map_or(first, |c| c.offset.min(first)), None);
        let topic = self.topics.get(&origin.topic).copied();
        let before = self.taken.get(origin).or(committed).and_then(|c| commit::last_file(&c.metadata));
        let mut folders = vec![None];
        folders.extend(before.iter().filter(|last| last.routed.is_some()).map(|last| last.routed.clone()));
        loop {
            let mut found = None;
            for routed in folders.iter().rev() {
                let path = self.path(routed.as_ref().unwrap_or(&origin.topic), origin, resume);
                if let Some(span) = landed::span(storage, &path).await.map_err(retriable)? {
                    span.is_of(topic, &path).map_err(retriable)?;
                    found = Some((span, routed.clone()));
                    break;
                }
            }
            match found {
                Some((span, routed)) => {
                    landed = Some(Named { first: span.first, routed });
                    resume = span.last + 1;
                }
                None if resume < first => resume = first,
                None => break,
            }
        }
        if resume > first {
            tracing::info!("records of {origin} from offset {first} to {} have landed before", resume - 1);
        }
        let last_file = landed.or(before);
        let learned = match last_file.as_ref().filter(|_| self.layout.columns.format.has_schema()) {
            Some(Named { first, routed }) => {
                let path = self.path(routed.as_ref().unwrap_or(&origin.topic), origin, *first);
                landed::learned(storage, &path).await.map_err(retriable)?
            }
            None => None,
        };
        Ok((Opened { resume, learned }, last_file))
    }
}

/// Refuses the rows of `batch` that `errors` names, which are ascending, and gives the others; of them those before the first one
/// that is not tolerated, and its error.
fn without(
    batch: &Batch,
    errors: impl IntoIterator<Item = (usize, RecordError)>,
    refuse: &mut Refuse<'_>,
) -> Result<(Batch, Result<(), TaskError>), TaskError> {
    let mut keep = vec![true; batch.len()];
    let (mut end, mut refused) = (batch.covers.end, Ok(()));
    for (row, error) in errors {
        keep[row] = false;
        refused = refuse(batch.offset.value(row), error);
        if refused.is_err() {
            keep[row..].fill(false);
            end = batch.offset.value(row);
            break;
        }
    }
    let rest = batch.filter(&BooleanArray::from(keep)).map_err(|error| TaskError::Fatal(error.to_string()))?;
    Ok((Batch { covers: batch.covers.start..end, ..rest }, refused))
}

fn retriable(error: StorageError) -> TaskError {
    match error {
        StorageError::Retriable(e) => TaskError::Retriable(e),
        StorageError::Fatal(e) => TaskError::Fatal(e),
    }
}

impl SinkTask for LakeTask {
    fn identify(&mut self, topic: &Arc<str>, id: TopicId) {
        self.topics.insert(topic.clone(), id);
    }

    fn open(&mut self, partition: &TopicPartition, committed: Option<&Committed>, first: i64) -> Result<Opened, TaskError> {
        let runtime = self.context.runtime.clone();
        let (opened, last_file) = runtime.block_on(self.opened(partition, committed, first))?;
        self.checked = true;
        self.taken.remove(partition);
        let mut ledger = Ledger::new(opened.resume, last_file);
        if committed.is_some_and(|c| c.offset == opened.resume) {
            ledger.given();
        }
        self.partitions
            .insert(partition.clone(), Partition { ledger, value: opened.learned.clone(), open: None, running: BTreeMap::new() });
        Ok(opened)
    }

    fn put(&mut self, batches: Vec<Batch>, refuse: &mut Refuse<'_>) -> Result<(), TaskError> {
        let now = Instant::now();
        self.settle(now)?;
        for batch in &batches {
            if self.rewinds.contains_key(&batch.origin) {
                continue; // consumed again after the rewind
            }
            self.put_batch(batch, now, refuse)?;
        }
        self.context.metrics.buffered_bytes.set(self.shared.backlog.bytes() as u64);
        Ok(())
    }

    fn refused(&mut self, batches: &[Batch], refuse: &mut dyn FnMut(i64, RecordError)) -> Result<(), TaskError> {
        for batch in batches {
            // One that fails the task is not in a file, or was not to fail it then.
            let (batch, _) = self.without_nulls(batch, &mut |offset, error| {
                refuse(offset, error);
                Ok(())
            })?;
            for (row, error) in self.rows(&batch).err().unwrap_or_default() {
                refuse(batch.offset.value(row), error);
            }
        }
        Ok(())
    }

    fn ready(&mut self, timeout: Duration) -> Result<bool, TaskError> {
        let Shared { backlog, unpublished, .. } = &*self.shared;
        let ready = backlog.wait(MOST_BACKLOG.min(self.context.memory / 4), timeout)
            && unpublished.wait(self.most_unpublished(), timeout);
        self.context.metrics.buffered_bytes.set(backlog.bytes() as u64);
        self.settle(Instant::now())?;
        Ok(ready)
    }

    fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        self.settle(Instant::now())?;
        Ok(self.partitions.iter_mut().filter_map(|(tp, p)| Some((tp.clone(), p.ledger.take_offset()?))).collect())
    }

    fn rewinds(&mut self) -> BTreeMap<TopicPartition, i64> {
        std::mem::take(&mut self.rewinds)
    }

    fn close(
        &mut self,
        partitions: &[TopicPartition],
        lost: bool,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        let deadline = Instant::now() + timeout;
        for tp in partitions {
            if self.layout.flush_on_stop && !lost {
                self.end_file(tp, Reason::Stop);
            } else if let Some(partition) = self.partitions.get_mut(tp)
                && let Some(Open { id, .. }) = partition.open.take()
            {
                partition.running.remove(&id);
                partition.ledger.forget_newest();
            }
        }
        let busy = |task: &Self| partitions.iter().any(|tp| task.partitions.get(tp).is_some_and(|p| !p.running.is_empty()));
        let mut failure = self.settle(Instant::now());
        while failure.is_ok() && !lost && busy(self) {
            let Ok(done) = self.done.1.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                tracing::warn!(
                    "files were not published within {} ms and are dropped; their records will be read again",
                    timeout.as_millis()
                );
                break;
            };
            failure = self.settled(done);
        }
        if let Err(error) = failure {
            tracing::warn!("while partitions were let go: {error}");
            self.failed = Some(error);
        }
        self.rewinds.retain(|tp, _| !partitions.contains(tp));
        let mut offset = |tp: &TopicPartition| match (self.partitions.remove(tp), self.taken.remove(tp)) {
            (Some(mut partition), _) => partition.ledger.take_offset(),
            (None, taken) => taken,
        };
        Ok(partitions.iter().map(|tp| (tp, offset(tp))).filter_map(|(tp, offset)| Some((tp.clone(), offset?))).collect())
    }
}

#[cfg(test)]
mod tests;
