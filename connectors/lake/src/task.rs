//! The sink task of all file sinks: partitions that open and commit, files for each folder, and the offsets that may be committed.
//!
//! [`opening`] asks for a partition's pointer, [`put`] brings rows to files, [`partition`] is what is known of a partition between
//! calls: its owner, its files, and which records are in them. What waits for the store is done in the background and reported to
//! the task's thread as an [`Event`].

mod opening;
mod partition;
mod put;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use landfall_api::{Batch, Offset, Opened, Opening, Refuse, SinkTask, TURN, TaskContext, TaskError, TopicId, TopicPartition};
use tokio::sync::{OnceCell, Semaphore};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::columns::Columns;
use crate::commit::drive::Place;
use crate::commit::owner::{End, MOST_WAITING, Owner};
use crate::commit::start::Rules;
use crate::evolve::Rule;
use crate::file::{Backlog, Done, Outcome, Reports, Shared};
use crate::name::Names;
use crate::nulls::NullValues;
use crate::partition::Partitioner;
use crate::preview::Files;
use crate::roll::{Reason, Rotation, Timers};
use crate::storage::Storage;
use opening::Asked;
pub use partition::PUBLISHED;
use partition::Partition;

/// How files are laid out, when they end, and how they are committed.
#[derive(Clone, Debug)]
pub struct Layout {
    /// What they are called.
    pub names: Names,
    /// Which folder rows go to.
    pub partitioner: Arc<dyn Partitioner>,
    /// What is in them.
    pub columns: Columns,
    /// When they end.
    pub rotation: Rotation,
    /// What rows of another schema do to them.
    pub rule: Rule,
    /// What becomes of records without a value (`behavior.on.null.values`).
    pub nulls: NullValues,
    /// The wait between two tries of a storage call (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// Whether open files are published when a partition is let go, not dropped (`landfall.flush.on.stop`).
    pub flush_on_stop: bool,
    /// What counts where a partition is not as it was left.
    pub rules: Rules,
    /// Whether each commit is written down for readers (`landfall.commit.log`).
    pub commit_log: bool,
    /// The folder of the partitions' pointers, to which topic and partition are added.
    pub pointers: String,
}

/// The rows that may wait for an encoder, in bytes, before the task is held back: enough to keep every core busy.
const MOST_BACKLOG: usize = 16 << 20;
/// What may wait for the store, in bytes, before the task is held back: without it an outage would fill the memory with small files.
const MOST_UNPUBLISHED: usize = 32 << 20;
/// The partitions that are opened side by side.
const OPENINGS: usize = 16;
/// How often it is looked whether a pointer should say more than it did with the last commit.
const SAVE: Duration = Duration::from_secs(10);

/// The task of a file sink.
pub struct LakeTask {
    layout: Layout,
    context: TaskContext,
    shared: Arc<Shared>,
    place: Place,
    /// Set once the store has shown that files can be put there.
    checked: Arc<OnceCell<()>>,
    openings: Arc<Semaphore>,
    /// The ids of topics, as far as they are known.
    topics: BTreeMap<Arc<str>, TopicId>,
    /// What is being opened.
    asked: BTreeMap<TopicPartition, Asked>,
    partitions: BTreeMap<TopicPartition, Partition>,
    rewinds: BTreeMap<TopicPartition, i64>,
    /// The partitions that may have something to commit.
    due: BTreeSet<TopicPartition>,
    /// Whose open file may have to end by its age, and when.
    timers: Timers<(TopicPartition, u64)>,
    next_save: Instant,
    /// A number for what is next: a file, or a partition that is opened.
    next: u64,
    events: mpsc::Receiver<Event>,
    reports: Reports,
    /// What came up while partitions were let go; the next call fails with it.
    failed: Option<TaskError>,
}

/// What has happened in the background.
#[derive(Debug)]
pub(crate) enum Event {
    /// To a file.
    File(Done),
    /// A partition was asked for.
    Opened { origin: TopicPartition, instance: u64, opened: Result<Box<opening::Found>, TaskError> },
    /// An owner has done what it was asked for.
    Owner { origin: TopicPartition, instance: u64, owner: Box<Owner>, done: Result<(), TaskError> },
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
    /// A task that lands files in `storage` and keeps their pointers in `state`. Asks neither for anything yet.
    #[must_use]
    pub fn new(layout: Layout, storage: Arc<dyn Storage>, state: Arc<dyn Storage>, context: TaskContext) -> Self {
        let (sender, events) = mpsc::channel();
        let shared = Arc::new(Shared {
            storage: storage.clone(),
            format: layout.columns.format.clone(),
            full: layout.rotation.size,
            retry_backoff: layout.retry_backoff,
            memory: context.memory.clone(),
            metrics: context.metrics.clone(),
            backlog: Backlog::default(),
            unpublished: Backlog::default(),
            open: AtomicUsize::new(0),
        });
        let (backoff, log) = (layout.retry_backoff, layout.commit_log);
        let files = Files { storage: Arc::downgrade(&storage), runtime: context.runtime.clone() };
        context.metrics.landed.set_previews(Arc::new(files));
        let place = Place { storage, state, backoff, log, metrics: context.metrics.clone() };
        Self {
            reports: Reports { sender, wake: context.wake.clone() },
            layout,
            context,
            shared,
            place,
            checked: Arc::default(),
            openings: Arc::new(Semaphore::new(OPENINGS)),
            topics: BTreeMap::new(),
            asked: BTreeMap::new(),
            partitions: BTreeMap::new(),
            rewinds: BTreeMap::new(),
            due: BTreeSet::new(),
            timers: Timers::default(),
            next_save: Instant::now(),
            next: 0,
            events,
            failed: None,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The folder that a partition's pointer and staged files are called by.
    fn folder(&self, origin: &TopicPartition) -> String {
        let prefix = &self.layout.pointers;
        let below = format!("{}/{}", origin.topic, origin.partition);
        if prefix.is_empty() { below } else { format!("{prefix}/{below}") }
    }

    /// Takes in what was reported, ends the files whose time has come, and commits.
    fn settle(&mut self, now: Instant) -> Result<(), TaskError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while let Ok(event) = self.events.try_recv() {
            self.happened(event, now)?;
        }
        self.end_aged(now);
        self.commit_due(now);
        Ok(())
    }

    fn happened(&mut self, event: Event, now: Instant) -> Result<(), TaskError> {
        match event {
            Event::File(done) => self.file_done(done),
            Event::Opened { origin, instance, opened } => {
                if let Some(asked) = self.asked.get_mut(&origin).filter(|asked| asked.instance == instance) {
                    asked.found = Some(opened);
                }
                Ok(())
            }
            Event::Owner { origin, instance, owner, done } => {
                let Some(partition) = self.partitions.get_mut(&origin).filter(|p| p.instance == instance) else { return Ok(()) };
                done?;
                match owner.end() {
                    None => {
                        partition.committed(*owner, &self.context.metrics, now);
                        self.due.insert(origin);
                        Ok(())
                    }
                    Some(End::Lost) => {
                        tracing::warn!(
                            "{origin} has another owner; what of it has not landed is dropped, and it is asked for again"
                        );
                        self.context.metrics.fenced.add(1);
                        self.lose(&origin);
                        Ok(())
                    }
                    Some(End::Refused(why)) => Err(TaskError::Fatal(why.clone())),
                }
            }
        }
    }

    fn file_done(&mut self, Done { origin, file, outcome }: Done) -> Result<(), TaskError> {
        let Some(partition) = self.partitions.get_mut(&origin).filter(|p| p.running.contains_key(&file)) else { return Ok(()) };
        match outcome {
            Outcome::Full => self.end_file(&origin, file, Reason::Size),
            Outcome::Crowded => self.end_file(&origin, file, Reason::Memory),
            Outcome::Sealed(sealed) => {
                partition.running.remove(&file);
                partition.sealed.insert(file, sealed);
                self.due.insert(origin);
            }
            Outcome::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Drops all of a partition that has not landed, for it to be opened anew.
    fn lose(&mut self, origin: &TopicPartition) {
        if let Some(partition) = self.partitions.remove(origin) {
            self.rewinds.insert(origin.clone(), partition.tracker.covers(&[], i64::MAX).low());
        }
        self.due.remove(origin);
    }

    /// Ends the files that are old enough by `now`, at most as many as the store has room for: files that were begun together end
    /// together, and there may be thousands.
    fn end_aged(&mut self, now: Instant) {
        while self.shared.unpublished.bytes() <= self.most_unpublished()
            && let Some((origin, file)) = self.timers.due(now)
        {
            let Some(open) = self.partitions.get(&origin).and_then(|p| p.open.get(&file)) else { continue };
            match self.layout.rotation.deadline(open.file.times()) {
                Some((at, reason)) if at <= now => self.end_file(&origin, file, reason),
                Some((at, _)) => self.timers.set(&(origin, file), at),
                None => {}
            }
        }
        if self.layout.rotation.schedule.is_none() {
            return;
        }
        let now_ms = now_ms();
        let rung: Vec<_> = self.partitions.iter_mut().filter_map(|(tp, p)| Some((tp.clone(), p.roll.tick(now_ms)?))).collect();
        for (origin, reason) in rung {
            self.end_all(&origin, reason);
        }
    }

    fn most_unpublished(&self) -> usize {
        MOST_UNPUBLISHED.min(self.context.memory.limit() / 2)
    }

    /// Ends a file that takes rows; where files end together, all of its partition.
    fn end_file(&mut self, origin: &TopicPartition, file: u64, reason: Reason) {
        let Some(partition) = self.partitions.get_mut(origin).filter(|p| p.open.contains_key(&file)) else { return };
        partition.end_file(file, reason, &self.context.metrics);
        if !self.layout.rotation.apart && partition.roll.files_ended() {
            partition.end_all(Reason::Commit, &self.context.metrics);
        }
    }

    fn end_all(&mut self, origin: &TopicPartition, reason: Reason) {
        if let Some(partition) = self.partitions.get_mut(origin) {
            partition.end_all(reason, &self.context.metrics);
        }
    }

    /// Has the owners of partitions commit what is sealed, and now and then write down what else has become of them.
    fn commit_due(&mut self, now: Instant) {
        for origin in std::mem::take(&mut self.due) {
            let Some(partition) = self.partitions.get_mut(&origin) else { continue };
            if partition.sealed.values().any(|sealed| now.duration_since(sealed.at) > MOST_WAITING) {
                tracing::warn!(
                    "files of {origin} wait for {} days to be committed; they are made again",
                    MOST_WAITING.as_secs() / 86_400
                );
                self.lose(&origin);
                continue;
            }
            if partition.commit() {
                self.drive(&origin);
            } else if !partition.sealed.is_empty() {
                self.due.insert(origin); // letters or the group are waited for
            }
        }
        if now >= self.next_save {
            self.next_save = now + SAVE / 4;
            let origins: Vec<_> = self.partitions.iter().filter(|(_, p)| p.save_at <= now).map(|(tp, _)| tp.clone()).collect();
            for origin in origins {
                if self.partitions.get_mut(&origin).is_some_and(|partition| partition.save(now, false)) {
                    self.drive(&origin);
                }
            }
        }
    }

    /// Has the owner of a partition do what it was asked for, in the background.
    fn drive(&mut self, origin: &TopicPartition) {
        let Some(partition) = self.partitions.get_mut(origin) else { return };
        let Some(mut owner) = partition.owner.take() else { return };
        let (place, folder, reports) = (self.place.clone(), partition.area.partition.clone(), self.reports.clone());
        let (origin, instance) = (origin.clone(), partition.instance);
        let span = match partition.committing() {
            (0, _) => Span::current(),
            // The traces' own: whatever is logged has its fields as well.
            (files, rows) => tracing::error_span!(
                target: landfall_api::TRACE, "commit",
                connector = self.context.connector, task = self.context.task,
                topic = &*origin.topic, partition = origin.partition, files, rows, error = Empty
            ),
        };
        let within = span.clone();
        let driving = async move {
            let done = place.drive(&mut owner, &folder).await;
            if let Err(error) = &done {
                within.record("error", tracing::field::display(error));
            }
            reports.send(Event::Owner { origin, instance, owner: Box::new(owner), done });
        };
        let driven = self.context.runtime.spawn(driving.instrument(span));
        partition.driven = Some(partition::Driven(driven.abort_handle()));
    }

    /// Waits for what happens until `done` or the deadline; whether it is done.
    fn wait(&mut self, deadline: Instant, done: impl Fn(&Self) -> bool) -> Result<bool, TaskError> {
        loop {
            self.settle(Instant::now())?;
            if done(self) {
                return Ok(true);
            }
            // letters, and files whose time comes, are looked after too
            let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(20));
            match self.events.recv_timeout(left) {
                Ok(event) => self.happened(event, Instant::now())?,
                Err(_) if Instant::now() >= deadline => return Ok(false),
                Err(_) => {}
            }
        }
    }

    /// Publishes or drops what is open of `partitions`, and waits for what is under way.
    fn finish(&mut self, partitions: &[TopicPartition], timeout: Duration) -> Result<(), TaskError> {
        let deadline = Instant::now() + timeout;
        for tp in partitions {
            let Some(partition) = self.partitions.get_mut(tp) else { continue };
            if self.layout.flush_on_stop {
                partition.end_all(Reason::Stop, &self.context.metrics);
            } else {
                partition.drop_open();
            }
        }
        let ended = |task: &Self| partitions.iter().all(|tp| task.partitions.get(tp).is_none_or(Partition::is_at_rest));
        if !self.wait(deadline, ended)? {
            tracing::warn!(
                "files were not published within {} ms and are dropped; their records will be read again",
                timeout.as_millis()
            );
            return Ok(());
        }
        for tp in partitions {
            if self.partitions.get_mut(tp).is_some_and(|partition| partition.save(Instant::now(), true)) {
                self.drive(tp);
            }
        }
        self.wait(deadline, ended).map(drop)
    }
}

/// The clock, in milliseconds since the epoch.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl SinkTask for LakeTask {
    fn identify(&mut self, topic: &Arc<str>, id: TopicId) {
        self.topics.insert(topic.clone(), id);
    }

    fn starts(&mut self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, TaskError> {
        self.pointed(partitions)
    }

    fn open(&mut self, partition: &TopicPartition, opening: &Opening) -> Result<Option<Opened>, TaskError> {
        self.settle(Instant::now())?;
        self.opened(partition, opening)
    }

    fn told(&mut self, partition: &TopicPartition, before: i64) {
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.told = before;
        }
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

    fn ready(&mut self, timeout: Duration) -> Result<bool, TaskError> {
        let (shared, deadline) = (self.shared.clone(), Instant::now() + timeout);
        let mut ready = shared.backlog.wait(MOST_BACKLOG.min(self.context.memory.limit() / 4), timeout);
        // What is unpublished becomes less only if owners are asked to commit it, and memory is free only once files have let go.
        let has_room = |task: &Self| task.context.memory.relieve() && shared.unpublished.bytes() <= task.most_unpublished();
        ready &= self.wait(deadline, has_room)?;
        self.context.metrics.buffered_bytes.set(shared.backlog.bytes() as u64);
        self.context.metrics.set_calls(self.place.calls());
        self.context.metrics.set_answers(self.place.answers());
        Ok(ready)
    }

    fn next_turn(&self) -> Option<Instant> {
        // Letters or the group are waited for, or the times of a schedule, which no timer has.
        let scheduled = || self.layout.rotation.schedule.is_some() && self.partitions.values().any(|p| !p.open.is_empty());
        let waits = self.failed.is_some() || !self.due.is_empty() || scheduled();
        let turn = waits.then(|| Instant::now() + TURN);
        [turn, self.timers.first()].into_iter().flatten().min()
    }

    fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        self.settle(Instant::now())?;
        let mut offsets = self.confirmations();
        offsets.extend(self.partitions.iter_mut().filter_map(|(tp, p)| Some((tp.clone(), p.take_offset()?))));
        Ok(offsets)
    }

    fn accepted(&mut self, offsets: &BTreeMap<TopicPartition, Offset>) {
        for (tp, offset) in offsets {
            self.confirmed(tp, offset);
            if let Some(partition) = self.partitions.get_mut(tp) {
                partition.accepted(offset);
                self.due.insert(tp.clone());
            }
        }
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
        if !lost && let Err(error) = self.finish(partitions, timeout) {
            tracing::warn!("while partitions were let go: {error}");
            self.failed = Some(error);
        }
        for tp in partitions {
            self.rewinds.remove(tp);
            self.asked.remove(tp);
            self.due.remove(tp);
        }
        let mut offset = |tp: &TopicPartition| self.partitions.remove(tp)?.take_offset();
        Ok(partitions.iter().filter_map(|tp| Some((tp.clone(), offset(tp)?))).collect())
    }
}

#[cfg(test)]
mod tests;
