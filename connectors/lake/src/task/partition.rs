//! What a task knows of a partition between calls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::FieldRef;
use landfall_api::{Memory, Offset, Reserved, TaskMetrics};

use super::{SAVE, now_ms};
use crate::columns::Shape;
use crate::commit::crash_point;
use crate::commit::owner::Owner;
use crate::commit::tracker::{RUN, Tracker};
use crate::evolve::Evolution;
use crate::file::{OpenFile, Running, SealedFile};
use crate::roll::{Filled, Reason, Recency, Together};
use crate::storage::Area;

/// How long it may not be written down that the files of a commit are published: without it, they are asked for at the next start.
pub const PUBLISHED: Duration = Duration::from_secs(60);

/// A partition that is open.
#[derive(Debug)]
pub(super) struct Partition {
    /// Tells it from the same partition before and after.
    pub(super) instance: u64,
    pub(super) area: Area,
    pub(super) incarnation: u32,
    /// None while it is asked for something.
    pub(super) owner: Option<Owner>,
    pub(super) driven: Option<Driven>,
    /// The files that it is asked to commit.
    committing: Vec<u64>,
    /// Since when.
    asked_at: Instant,
    pub(super) tracker: Tracker,
    /// What the tracker takes of the memory.
    pub(super) tracked: Reserved,
    /// The runs that there were when files had to end for them last.
    crowded: usize,
    /// No letter is owed of records before this offset.
    pub(super) told: i64,
    /// The work of the files that are not sealed yet.
    pub(super) running: BTreeMap<u64, Running>,
    /// The files that can be committed, or are being.
    pub(super) sealed: BTreeMap<u64, SealedFile>,
    /// The files that take rows.
    pub(super) open: BTreeMap<u64, Open>,
    pub(super) folders: HashMap<Folder, u64>,
    pub(super) roll: Roll,
    /// What the worker's memory knows its files by, where they end together.
    pub(super) group: Option<u64>,
    /// What is known of the schemas of each topic's rows.
    pub(super) evolutions: HashMap<Arc<str>, Evolution>,
    /// The schema of the values put last, for those that have none.
    pub(super) value: Option<FieldRef>,
    given: Option<Offset>,
    /// Whether there may be an offset that has not been given.
    moved: bool,
    committed_at: Instant,
    /// When to look whether the pointer should say more.
    pub(super) save_at: Instant,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Folder {
    /// The topic that its rows go to.
    pub(super) topic: Arc<str>,
    /// What the partitioner calls it.
    pub(super) name: Arc<str>,
}

/// A file that takes rows.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) folder: Folder,
    pub(super) shape: Shape,
    /// The schema that its values are projected to.
    pub(super) field: FieldRef,
    pub(super) file: OpenFile,
    pub(super) filled: Filled,
}

/// How the files of a partition end.
#[derive(Debug)]
pub(super) enum Roll {
    /// All at once.
    Together(Together),
    /// Each by itself.
    Apart { alarm: crate::roll::Alarm, recency: Recency<u64> },
}

impl Roll {
    /// Why all files end now, by the clock.
    pub(super) fn tick(&mut self, now_ms: i64) -> Option<Reason> {
        match self {
            Self::Together(together) => together.tick(now_ms),
            Self::Apart { alarm, .. } => alarm.due(now_ms).then_some(Reason::Schedule),
        }
    }

    /// All files have ended; false if each does by itself.
    pub(super) fn files_ended(&mut self) -> bool {
        match self {
            Self::Together(together) => {
                together.ended();
                true
            }
            Self::Apart { .. } => false,
        }
    }
}

/// What an owner does in the background. Dropped, it is not done any further.
#[derive(Debug)]
pub(super) struct Driven(pub(super) tokio::task::AbortHandle);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Partition {
    /// A partition that `owner` has opened.
    pub(super) fn new(
        instance: u64,
        area: Area,
        owner: Owner,
        roll: Roll,
        value: Option<FieldRef>,
        memory: &Arc<Memory>,
    ) -> Self {
        let now = Instant::now();
        let pointer = owner.pointer();
        let (incarnation, landed) = pointer.map(|p| (p.incarnation, p.landed.clone())).unwrap_or_default();
        Self {
            instance,
            area,
            incarnation,
            given: None,
            moved: true,
            owner: Some(owner),
            driven: None,
            committing: Vec::new(),
            asked_at: now,
            tracker: Tracker::new(landed),
            tracked: memory.reserve(0),
            crowded: 0,
            told: i64::MAX,
            running: BTreeMap::new(),
            sealed: BTreeMap::new(),
            open: BTreeMap::new(),
            folders: HashMap::new(),
            group: matches!(roll, Roll::Together(_)).then(|| memory.number()),
            roll,
            evolutions: HashMap::new(),
            value,
            committed_at: now,
            save_at: now + SAVE,
        }
    }

    /// The files that have to end for what lies behind them to be few offsets, and few runs if the memory needs that.
    pub(super) fn overdue(&mut self, memory: &Memory) -> BTreeSet<u64> {
        self.tracked.set(self.tracker.bytes());
        let (runs, most) = (self.tracker.runs(), memory.reservation() / RUN / 2);
        if !memory.is_crowded() || runs <= most {
            self.crowded = 0;
        } else if runs / 5 * 4 >= self.crowded {
            self.crowded = runs;
            return self.tracker.overdue(most);
        }
        self.tracker.overdue(usize::MAX)
    }

    /// The file that takes the rows of `folder`.
    pub(super) fn open_in(&self, folder: &Folder) -> Option<u64> {
        self.folders.get(folder).copied()
    }

    /// `open` takes the rows of its folder from now on.
    pub(super) fn begin(&mut self, file: u64, open: Open, running: Running) {
        self.folders.insert(open.folder.clone(), file);
        self.open.insert(file, open);
        self.running.insert(file, running);
    }

    /// Ends a file that takes rows.
    pub(super) fn end_file(&mut self, file: u64, reason: Reason, metrics: &TaskMetrics) {
        let Some(open) = self.open.remove(&file) else { return };
        self.folders.remove(&open.folder);
        if let Roll::Apart { recency, .. } = &mut self.roll {
            recency.forget(&file);
        }
        tracing::debug!("{}: a file ends with {} rows: {reason:?}", self.area.partition, open.file.rows());
        reason.counter(&metrics.files_ended).add(1);
        open.file.end();
    }

    /// Ends all files that take rows.
    pub(super) fn end_all(&mut self, reason: Reason, metrics: &TaskMetrics) {
        while let Some((file, _)) = self.open.first_key_value() {
            self.end_file(*file, reason, metrics);
        }
    }

    /// Drops the files that take rows.
    pub(super) fn drop_open(&mut self) {
        for file in std::mem::take(&mut self.open).into_keys() {
            self.running.remove(&file);
        }
        self.folders.clear();
    }

    /// Whether nothing is under way but files that take rows.
    pub(super) fn is_at_rest(&self) -> bool {
        self.owner.is_some() && self.sealed.is_empty() && self.running.len() == self.open.len()
    }

    /// Has the owner commit the files that are sealed; false if there is nothing to commit now.
    pub(super) fn commit(&mut self) -> bool {
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.is_idle() && !owner.awaits_group()) else { return false };
        let told = self.told;
        let ready: Vec<u64> =
            self.sealed.iter().filter(|(_, sealed)| sealed.pending.last < told).map(|(file, _)| *file).collect();
        if ready.is_empty() {
            return false;
        }
        let pending = ready.iter().filter_map(|file| Some(self.sealed.get(file)?.pending.clone())).collect();
        owner.commit(pending, self.tracker.covers(&ready, told));
        (self.committing, self.asked_at) = (ready, Instant::now());
        true
    }

    /// How many files the owner is asked to commit, and how many rows are in them.
    pub(super) fn committing(&self) -> (usize, u64) {
        let rows = self.committing.iter().filter_map(|file| Some(self.sealed.get(file)?.pending.rows)).sum();
        (self.committing.len(), rows)
    }

    /// Has the owner write down what it has not: that files are published, and how far records are done with that are in no file.
    /// False if there is nothing to write.
    pub(super) fn save(&mut self, now: Instant, last: bool) -> bool {
        self.save_at = now + SAVE;
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.is_idle() && !owner.awaits_group()) else { return false };
        let landed = self.tracker.covers(&[], self.told);
        let old = last || now.duration_since(self.committed_at) >= PUBLISHED;
        let moved = owner.pointer().is_some_and(|pointer| pointer.landed != landed && landed.includes(&pointer.landed));
        if !moved && !old {
            return false;
        }
        let landed = if moved { landed } else { owner.pointer().map(|p| p.landed.clone()).unwrap_or_default() };
        owner.save(landed)
    }

    /// `owner` has done what it was asked for.
    pub(super) fn committed(&mut self, owner: Owner, metrics: &TaskMetrics, now: Instant) {
        let files = std::mem::take(&mut self.committing);
        if !files.is_empty() {
            metrics.pointer_commits.add(1);
            metrics.commit_seconds.observe(self.asked_at.elapsed());
            metrics.last_landed.set(u64::try_from(now_ms()).unwrap_or(0));
            self.tracker.landed(&files);
            self.committed_at = now;
        }
        for sealed in files.iter().filter_map(|file| self.sealed.remove(file)) {
            let (file, rows) = (&sealed.pending.file, sealed.pending.rows);
            metrics.landed.add(&file.path, rows, file.size, now_ms());
            metrics.files_landed.add(1);
            metrics.rows_landed.add(rows);
            metrics.bytes_landed.add(file.size);
        }
        self.save_at = now + SAVE;
        (self.owner, self.driven, self.moved) = (Some(owner), None, true);
    }

    /// What may be committed to the group, if it has not been given before.
    pub(super) fn take_offset(&mut self) -> Option<Offset> {
        let owner = self.owner.as_ref().filter(|_| self.moved)?;
        let (offset, again) = (owner.offset()?, owner.awaits_group());
        // what the group has to accept is given until it has
        self.moved = again;
        if !again && self.given.as_ref().is_some_and(|given| given.offset == offset.offset) {
            return None;
        }
        crash_point("commit::before-group");
        self.given = Some(offset.clone());
        Some(offset)
    }

    /// The group has accepted what was given.
    pub(super) fn accepted(&mut self, offset: &Offset) {
        if let Some(owner) = &mut self.owner {
            owner.accepted(offset);
        }
    }
}
