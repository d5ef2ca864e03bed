//! The contract of sinks: a connector class makes tasks, a task takes batches and says what may be committed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::FieldRef;
use tokio::runtime::Handle;

use crate::{Batch, Faults, Folders, Key, Memory, Properties, RecordError, TaskError, TaskMetrics, TopicId, TopicPartition};

/// The wait between two looks at what does not [wake](Wake) a task.
pub const TURN: Duration = Duration::from_millis(250);

/// What the worker lends to a task.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// The connector's name.
    pub connector: String,
    /// The task's number.
    pub task: usize,
    /// The task's consumer group.
    pub group: String,
    /// The worker's id.
    pub worker: String,
    /// For all that waits; blocking work of a task goes to its `spawn_blocking`.
    pub runtime: Handle,
    /// The memory that it shares with all tasks of the worker.
    pub memory: Arc<Memory>,
    /// The task's counters.
    pub metrics: Arc<TaskMetrics>,
    /// Ends the wait for records, so that the sink is called soon: for what happened in the background.
    pub wake: Wake,
    /// The folders in which it may have files.
    pub folders: Arc<Folders>,
}

impl TaskContext {
    /// Task `task` of `connector` in the group that it has unless told otherwise, with counters and `memory` bytes of its own, woken by
    /// nobody, with files wherever it wants.
    #[must_use]
    pub fn new(connector: &str, task: usize, runtime: Handle, memory: usize) -> Self {
        let (connector, group) = (connector.to_owned(), format!("connect-{connector}"));
        let memory = Memory::new(memory);
        let (metrics, wake, folders) = (Arc::default(), Wake::default(), Arc::new(Folders::all()));
        Self { connector, task, group, worker: String::new(), runtime, memory, metrics, wake, folders }
    }
}

/// Wakes a task that waits for records.
#[derive(Clone)]
pub struct Wake(pub Arc<dyn Fn() + Send + Sync>);

impl Default for Wake {
    /// Wakes nobody.
    fn default() -> Self {
        Self(Arc::new(|| ()))
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

/// The position from which a partition is consumed, and the metadata of the commit that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Committed {
    /// The next offset to consume.
    pub offset: i64,
    /// What [`SinkTask::pre_commit`] gave with that offset; empty for a commit that was not ours.
    pub metadata: String,
}

/// What may be committed for a partition: every record before `offset` is visible, dropped or reported.
pub type Offset = Committed;

/// What Kafka says of a partition when its first record comes.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The group's offset, if it has one.
    pub committed: Option<Committed>,
    /// The offset of that first record.
    pub first: i64,
    /// The first offset of the log, if the broker told.
    pub log_start: Option<i64>,
    /// The offset after the last one of the log, if the broker told.
    pub log_end: Option<i64>,
    /// The id of the cluster, if it is known.
    pub cluster: Option<String>,
}

/// What a sink knows of a partition when its first record comes.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Records before this offset are done with and are not to be put. If it is before the first record, those from it on are to be
    /// consumed again.
    pub resume: i64,
    /// Offsets after it whose records are done with too, ascending.
    pub landed: Vec<Range<i64>>,
    /// The schema of the last file, for a converter to take up.
    pub learned: Option<FieldRef>,
}

/// Takes a record that the sink cannot take, by its offset (Connect's `ErrantRecordReporter`). It is then done with, and the sink
/// goes on with the next one; or it is not tolerated, and the sink gives the error back after it has put what is before the record.
pub type Refuse<'a> = dyn FnMut(i64, RecordError) -> Result<(), TaskError> + 'a;

/// Receives batches. All calls come from the task's own thread.
pub trait SinkTask: Send + fmt::Debug {
    /// Says which topic has the name `topic` from now on: called before its partitions are opened, where the broker gives ids. A
    /// topic that was deleted and created again has another id, and its offsets are other records.
    fn identify(&mut self, topic: &Arc<str>, id: TopicId) {
        let _ = (topic, id);
    }

    /// Where partitions are to be read from that the group has no offset of; those that are left out begin where
    /// `auto.offset.reset` says.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    fn starts(&mut self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, TaskError> {
        let _ = partitions;
        Ok(BTreeMap::new())
    }

    /// Takes a partition; called when its first record has come, again and again until it gives what it knows of the partition. None
    /// while it is being asked for.
    ///
    /// # Errors
    /// [`TaskError::Retriable`] if the storage cannot be asked now, [`TaskError::Fatal`] if the partition cannot be taken.
    fn open(&mut self, partition: &TopicPartition, opening: &Opening) -> Result<Option<Opened>, TaskError>;

    /// Every dead letter of records of `partition` before offset `before` is known to be stored. Where letters are sent, nothing of a
    /// partition is to be made final beyond that.
    fn told(&mut self, partition: &TopicPartition, before: i64) {
        let _ = (partition, before);
    }

    /// The group has accepted these offsets, which [`pre_commit`](Self::pre_commit) or [`close`](Self::close) gave.
    fn accepted(&mut self, offsets: &BTreeMap<TopicPartition, Offset>) {
        let _ = offsets;
    }

    /// Takes all batches of one fetch of one partition, in offset order. Does not wait for storage. A record that cannot be taken
    /// goes to `refuse`, in offset order too.
    ///
    /// # Errors
    /// The task fails; or a record was refused and is not tolerated.
    fn put(&mut self, batches: Vec<Batch>, refuse: &mut Refuse<'_>) -> Result<(), TaskError>;

    /// Waits up to `timeout` until more may be put; false if it is still too much. Called at every turn of the loop, also while no
    /// record comes or the connector is paused (see [`next_turn`](Self::next_turn)): what is to happen by the clock happens here.
    ///
    /// # Errors
    /// What happened in the background since the last call.
    fn ready(&mut self, timeout: Duration) -> Result<bool, TaskError>;

    /// When the loop is to have a turn, if no record comes and nobody [wakes](Wake) it: a file ends by the clock, something is waited for
    /// that does not wake. None if nothing is; the loop then has a turn a second.
    fn next_turn(&self) -> Option<Instant> {
        Some(Instant::now() + TURN)
    }

    /// What may be committed and has not been given before. Does not wait.
    ///
    /// # Errors
    /// What happened in the background since the last call.
    fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError>;

    /// Partitions whose records must be consumed again from the given offset. What was put from there on is forgotten.
    fn rewinds(&mut self) -> BTreeMap<TopicPartition, i64> {
        BTreeMap::new()
    }

    /// Lets partitions go. Files being published are waited for up to `timeout`; open files are published too when the
    /// connector is configured so and `lost` is false, else dropped. Gives what may then be committed.
    ///
    /// # Errors
    /// What happened in the background.
    fn close(
        &mut self,
        partitions: &[TopicPartition],
        lost: bool,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, Offset>, TaskError>;
}

/// Offsets that partitions are to have in a group, none for those that are to have none.
pub type NewOffsets = BTreeMap<TopicPartition, Option<i64>>;

/// What a connector does about offsets that a user gives its group while it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlteredOffsets {
    /// It goes on by them (`true` of Java's method).
    Obeyed,
    /// They are those of its group alone, and it may keep others (`false` of Java's method); what the user can do about those, if
    /// that is known.
    OfGroup(&'static str),
}

/// A sink connector class, listed in the worker's `plugins`.
pub trait SinkConnector: Sync {
    /// The Java class name.
    fn class(&self) -> &'static str;

    /// The version, as `/connector-plugins` shows it.
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The configuration keys of its own (those of every sink connector are the worker's).
    fn keys(&self) -> Vec<Key>;

    /// All faults in the connector's own properties. Does no I/O.
    fn validate(&self, properties: &Properties) -> Faults;

    /// Warnings about keys that are known and have no effect here; each names its key.
    fn warnings(&self, properties: &Properties) -> Vec<String> {
        let _ = properties;
        Vec::new()
    }

    /// Takes note that the group of a stopped connector is to have these offsets, and none for partitions without one
    /// (`SinkConnector.alterOffsets` of Kafka 4.3.1). Does no I/O.
    ///
    /// # Errors
    /// Why the connector does not go on if that is done, and what to do instead.
    fn alter_offsets(&self, properties: &Properties, offsets: &NewOffsets) -> Result<AlteredOffsets, String> {
        let _ = (properties, offsets);
        Ok(AlteredOffsets::OfGroup(""))
    }

    /// A task. Called on the task's own thread; waits for nothing: a storage is first asked when a partition opens.
    ///
    /// # Errors
    /// [`TaskError::Fatal`] for what [`validate`](Self::validate) would have refused.
    fn task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError>;
}
