//! The loop of a sink task: fetch, convert, put, commit, and answer the group.

mod commits;
mod opening;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_api::{
    Committed, Faults, Lag, Offset, Properties, RawBatch, RecordError, Refused, Reserved, SinkTask, Stage, TURN, TaskContext,
    TaskError, TaskMetrics, TopicId, TopicPartition, Unavailable, Wake,
};

use rustix::time::{ClockId, clock_gettime};

use super::tolerance::{Attempts, Tolerance};
use super::{Control, TaskEvent, TaskSpec};
use crate::config::provider::Provided;
use crate::config::{WorkerKeys, millis};
use crate::convert::{self, Converted, Converters};
use crate::kafka::{Class, Consumer, Event, Fetched, KafkaError, Topics, Wanted, consumer_properties};
use crate::plugins::Plugins;
use crate::transform::Chain;

/// How long a poll waits for records while nothing is under way: a task without records costs little more than its turns.
const IDLE: Duration = Duration::from_secs(1);
/// How long it waits at least where the sink has a time for its next turn: what ends by the clock ends together.
const SOON: Duration = Duration::from_millis(20);
/// How long the sink may hold the loop back before the partitions are paused, which costs librdkafka what it has fetched ahead.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the client's threads may take to end, which wake up once a second, where there is no broker.
const ENDING: Duration = Duration::from_secs(1);
/// How often it is looked how far behind the task is.
const LOOK: Duration = Duration::from_secs(1);
/// The time between two such looks, in times of what one takes: librdkafka goes through its topics for each partition.
const LOOK_SHARE: u32 = 100;
/// How long the group may take to say what it has stored.
const COMMITTED: Duration = Duration::from_secs(10);
/// The percentage of the time to let go after which letters are not waited for any more, that after which publishing ends, and that
/// after which the commit ends.
const ACKNOWLEDGING: u32 = 20;
const PUBLISHING: u32 = 70;
const COMMITTING: u32 = 80;
/// The percentage of what is then left in which the group is told; the client needs a moment to end.
const LEAVING: u32 = 70;
/// What Java calls the class that refused a record in a sink, whatever sink it is.
const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";

/// Runs the task until it is stopped or fails; what it reports at the end. What config providers gave of its properties is `provided`.
pub(super) fn run(spec: TaskSpec, provided: Provided, control: &Control) -> TaskEvent {
    let id = spec.id.clone();
    let mut runner = match Runner::new(spec, provided, control) {
        Ok(runner) => runner,
        Err(error) => return TaskEvent::Failed(error.to_string()),
    };
    let ended = runner.run(control);
    // Who asked the task to stop waits as long for its end, from then on. The client's own threads need a part of that.
    let graceful = runner.graceful - (runner.graceful / 8).min(ENDING);
    let deadline = control.stopped.get().copied().unwrap_or_else(Instant::now) + graceful;
    let left = || deadline.saturating_duration_since(Instant::now());
    runner.let_go_of_all(ended.is_err(), left());
    if let Err(error) = runner.consumer.close(part(left(), LEAVING)) {
        tracing::warn!("task {id} could not leave its group: {error}");
    }
    match ended {
        Ok(()) => TaskEvent::Stopped,
        Err(error) => TaskEvent::Failed(error.to_string()),
    }
}

struct Runner {
    spec: TaskSpec,
    metrics: Arc<TaskMetrics>,
    consumer: Consumer,
    topics: Topics,
    /// What the consumer is subscribed to; None before topics were matched for the first time.
    subscribed: Option<BTreeSet<String>>,
    /// Topics that were subscribed to and are not there.
    missing: BTreeSet<String>,
    sink: Box<dyn SinkTask>,
    converters: Converters,
    chain: Chain,
    tolerance: Tolerance,
    partitions: BTreeMap<TopicPartition, Partition>,
    /// What the group gave and was not answered yet, because its offsets could not be read.
    unanswered: Option<Vec<TopicPartition>>,
    /// How often brokers have not told the ids of what is unanswered in time.
    unidentified: u32,
    /// What the sink gave of each partition, in this order, that is not known to be free of letters that wait.
    offered: BTreeMap<TopicPartition, Vec<Offset>>,
    /// What may be committed and the group has not accepted yet.
    uncommitted: BTreeMap<TopicPartition, Offset>,
    last_commit: Instant,
    /// When it is looked again how far behind the task is.
    next_look: Instant,
    last_error: Option<String>,
    /// Whether all partitions are paused, for whichever reason.
    held: bool,
    /// No partition is opened before then: the storage did not answer, and asking it for each would keep the loop from the group.
    unanswering: Option<Instant>,
    /// Whether a converter had to wait in this turn: others would, and keep the loop from the group.
    waits: bool,
    /// The time to let go of everything (`task.shutdown.graceful.timeout.ms`).
    graceful: Duration,
    /// The time that a commit may take while the task goes on (`offset.flush.timeout.ms`).
    commit_timeout: Duration,
    /// What the fetch queue takes of the worker's memory.
    _queue: Reserved,
}

#[derive(Default)]
struct Partition {
    /// The topic's, if the broker gives ids.
    id: Option<TopicId>,
    /// The offset up to which it was fetched, since it was assigned or rewound.
    end: Option<i64>,
    /// The highest leader's epoch of the records that were fetched, if brokers tell.
    epoch: Option<i32>,
    /// The group's offset, as it was read or accepted last.
    committed: Option<Committed>,
    /// The offset that it was asked to be read from since, if that is another one.
    from: Option<i64>,
    /// Whether the group has to be asked for the membership before it is opened: another owner of the partition was met.
    unsure: bool,
    /// The next offset to put; known once it is open.
    next: Option<i64>,
    /// Offsets after it that have landed before, ascending.
    landed: Vec<Range<i64>>,
    /// What was fetched and waits for the partition to open, or for what a converter needs.
    parked: Vec<Fetched>,
    /// When it may be tried again.
    retry: Option<Instant>,
    /// The tries to convert the first of what is parked.
    attempts: Option<Attempts>,
    /// The offset before which all that was refused has its letter, once it is open.
    told: i64,
    /// The time of the record that was put last, in milliseconds since the epoch.
    time: Option<i64>,
}

/// Whether records of a partition may be put.
enum Door {
    Open,
    /// Not now.
    Closed,
    /// Not these: it is read from elsewhere now.
    Elsewhere,
}

impl Runner {
    fn new(spec: TaskSpec, provided: Provided, control: &Control) -> Result<Self, TaskError> {
        let fatal = |e: String| TaskError::Fatal(e);
        let properties = &spec.properties;
        let wanted = Wanted::of(properties).map_err(fatal)?;
        let mut settings = consumer_properties(&spec.worker, properties, &spec.id.connector, spec.id.task, spec.queue);
        wanted.adapt(&mut settings);
        for warning in &settings.warnings {
            tracing::warn!("task {}: {warning}", spec.id);
        }
        let converters = convert::converters(&spec.worker, properties).map_err(fatal)?;
        let chain = Chain::new(&Plugins::BUILT_IN, properties).map_err(|faults| fatal(faults.to_string()))?;
        let tolerance = Tolerance::new(&spec, provided)?;
        let consumer = Consumer::new(&settings).map_err(|e| fatal(e.to_string()))?;
        let waker = consumer.waker();
        let _ = control.waker.set(waker.clone());
        let context = TaskContext {
            connector: spec.id.connector.clone(),
            task: spec.id.task,
            group: topics::group(&spec),
            worker: spec.worker_id.clone(),
            runtime: spec.runtime.clone(),
            memory: spec.memory.clone(),
            metrics: spec.metrics.clone(),
            wake: Wake(Arc::new(move || waker.wake())),
            folders: spec.provision.folders(),
        };
        let sink = spec.sink.task(properties, context)?;
        let mut subscribed = None;
        if let Wanted::Named(topics) = &wanted {
            consumer.subscribe(topics).map_err(|e| fatal(e.to_string()))?;
            subscribed = Some(topics.iter().cloned().collect());
        }
        let topics = Topics::new(wanted, &consumer, &settings, spec.runtime.clone());
        let graceful = milliseconds(&spec.worker, "task.shutdown.graceful.timeout.ms");
        Ok(Self {
            metrics: spec.metrics.clone(),
            consumer,
            topics,
            subscribed,
            missing: BTreeSet::new(),
            sink,
            converters,
            chain,
            tolerance,
            partitions: BTreeMap::new(),
            unanswered: None,
            unidentified: 0,
            offered: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            last_commit: Instant::now(),
            next_look: Instant::now(),
            last_error: None,
            held: false,
            unanswering: None,
            waits: false,
            graceful,
            commit_timeout: milliseconds(&spec.worker, "offset.flush.timeout.ms"),
            _queue: spec.memory.reserve(spec.queue),
            spec,
        })
    }

    fn run(&mut self, control: &Control) -> Result<(), TaskError> {
        let mut reported = None;
        let mut ready = true;
        while !control.stopped() {
            let paused = control.paused();
            if reported != Some(paused) {
                (self.spec.report)(&self.spec.id, if paused { TaskEvent::Paused } else { TaskEvent::Running });
                reported = Some(paused);
            }
            self.hold(paused || !ready)?;
            self.waits = false;
            let polled = self.consumer.poll(if ready { self.rest() } else { TURN });
            for fetched in polled.batches {
                self.fetched(fetched)?;
            }
            for event in polled.events {
                self.event(event)?;
            }
            self.answer()?;
            self.look()?;
            self.reopen()?;
            self.rewind()?;
            self.commit(control)?;
            self.measure();
            ready = self.sink.ready(PATIENCE)?;
            if let Some(letters) = &mut self.tolerance.letters {
                ready &= letters.ready(PATIENCE)?;
            }
        }
        Ok(())
    }

    /// How long the loop may rest if no record comes and nobody wakes it.
    fn rest(&self) -> Duration {
        let letters = self.tolerance.letters.as_ref().is_some_and(|letters| !letters.is_at_rest());
        let owes = letters || !self.offered.is_empty() || !self.uncommitted.is_empty();
        let asks = self.unanswered.is_some() || !self.missing.is_empty();
        if owes || asks || self.partitions.values().any(|partition| partition.retry.is_some()) {
            return TURN;
        }
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.sink.next_turn().map_or(IDLE, |at| left(at).clamp(SOON, IDLE))
    }

    /// Pauses or resumes all partitions but those that are parked.
    fn hold(&mut self, held: bool) -> Result<(), TaskError> {
        if held != self.held {
            self.held = held;
            let open: Vec<_> = self.partitions.iter().filter(|(_, p)| p.retry.is_none()).map(|(tp, _)| tp.clone()).collect();
            self.pause(&open, held)?;
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<(), TaskError> {
        if partitions.is_empty() {
            return Ok(());
        }
        if paused { self.consumer.pause(partitions) } else { self.consumer.resume(partitions) }.map_err(kafka)
    }

    fn fetched(&mut self, fetched: Fetched) -> Result<(), TaskError> {
        let raw = &fetched.batch;
        self.metrics.records_read.add(raw.len() as u64);
        self.metrics.read.record(raw.len() as f64);
        self.metrics.bytes_read.add(raw.bytes() as u64);
        let origin = raw.origin.clone();
        let Some(partition) = self.partitions.get_mut(&origin) else { return Ok(()) };
        if let Some(reached) = partition.reached().filter(|reached| *reached > raw.offset.value(0))
            && !self.went_back(&origin, reached, &fetched)?
        {
            return Ok(());
        }
        let Some(partition) = self.partitions.get_mut(&origin) else { return Ok(()) };
        (partition.end, partition.epoch) = (partition.end.max(Some(fetched.end)), partition.epoch.max(fetched.epoch));
        if partition.retry.is_some() {
            partition.parked.push(fetched);
            return Ok(());
        }
        if self.waits {
            return self.park(&origin, fetched);
        }
        match self.open(&origin, raw.offset.value(0))? {
            Door::Open => {}
            Door::Closed => return self.park(&origin, fetched),
            Door::Elsewhere => return Ok(()),
        }
        self.put(fetched)?.map_or(Ok(()), |fetched| self.park(&origin, fetched))
    }

    /// Converts, transforms and puts records; gives them back if a converter has to wait for something.
    fn put(&mut self, fetched: Fetched) -> Result<Option<Fetched>, TaskError> {
        let Fetched { batch: raw, end, .. } = &fetched;
        let Some(next) = self.partitions.get(&raw.origin).and_then(|p| p.next) else { return Ok(None) };
        if next >= *end {
            return Ok(None);
        }
        let Some(raw) = self.not_landed(raw, next) else { return Ok(None) };
        let begun = cpu_time();
        let Some(Converted { mut batches, mut refused }) = self.converted(&raw, next..*end)? else { return Ok(Some(fetched)) };
        if let Some(partition) = self.partitions.get_mut(&raw.origin) {
            (partition.next, partition.told) = (Some(*end), *end);
            partition.time = raw.timestamp.iter().next_back().flatten().or(partition.time);
        }
        let all = self.tolerance.all;
        if let (false, Some(first)) = (all, refused.first().map(|first| first.offset)) {
            // what is before it lands
            refused.truncate(1);
            batches = batches.iter().filter(|batch| batch.covers.start < first).map(|batch| batch.before(first)).collect();
        }
        let converted = cpu_time();
        self.tolerance.report(&raw, &refused)?;
        let sent: u64 = batches.iter().map(|b| b.len() as u64).sum();
        self.metrics.records_sent.add(sent);
        self.metrics.sent.record(sent as f64);
        let mut of_sink = Vec::new();
        let putting = Instant::now();
        let put = self.sink.put(batches, &mut |offset, error| {
            let refused = of_sink_task(offset, error);
            of_sink.push(refused.clone());
            if all { Ok(()) } else { Err(refused.not_tolerated(&raw.origin)) }
        });
        self.metrics.put_time.record(ms(putting.elapsed()));
        self.metrics.convert_cpu.add(converted.saturating_sub(begun));
        self.metrics.put_cpu.add(cpu_time().saturating_sub(converted));
        of_sink.sort_by_key(|refused| refused.offset);
        if !all {
            of_sink.truncate(1); // the next comes again
        }
        self.tolerance.report(&raw, &of_sink)?;
        put?;
        match refused.into_iter().next().filter(|_| !all) {
            Some(refused) => Err(refused.not_tolerated(&raw.origin)),
            None => Ok(None),
        }
    }

    /// Converts and transforms records that cover the offsets `covers`: what is left of them, and what was refused, in offset order.
    /// None if a converter has to wait for something.
    fn converted(&mut self, raw: &Arc<RawBatch>, covers: Range<i64>) -> Result<Option<Converted>, TaskError> {
        let Some(partition) = self.partitions.get_mut(&raw.origin) else { return Ok(None) };
        let first = covers.start;
        let Converted { batches, mut refused } = match self.converters.convert(raw, covers) {
            Ok(converted) => converted,
            Err(Unavailable(why)) => {
                let delay = self.tolerance.put_off(&mut partition.attempts, &why)?;
                let why = self.tolerance.provided.hide(&why);
                tracing::warn!("{} from offset {first} on: {why}; trying again in {} ms", raw.origin, delay.as_millis());
                (partition.retry, self.waits) = (Some(Instant::now() + delay), true);
                return Ok(None);
            }
        };
        partition.attempts = None;
        if let (Some(used), false) = (&self.spec.used, batches.is_empty()) {
            used(&self.spec.id, &raw.origin.topic);
        }
        let batches = batches.into_iter().flat_map(|batch| self.chain.apply(batch, &mut refused)).collect();
        refused.sort_by_key(|refused| refused.offset);
        Ok(Some(Converted { batches, refused }))
    }

    /// The records from offset `next` on that have not landed before.
    fn not_landed(&mut self, raw: &RawBatch, next: i64) -> Option<Arc<RawBatch>> {
        let partition = self.partitions.get_mut(&raw.origin)?;
        let before = raw.row_of(next);
        let rest = raw.slice(&(before..raw.len()));
        let first = rest.offset.values().first().copied().unwrap_or(next);
        partition.landed.retain(|run| run.end > first);
        Some(Arc::new(if partition.landed.is_empty() { rest } else { rest.without(&partition.landed) }))
    }

    fn event(&mut self, event: Event) -> Result<(), TaskError> {
        match event {
            Event::Assigned(partitions) => (self.unanswered, self.unidentified) = (Some(partitions), 0),
            Event::Revoked { partitions, lost } => {
                tracing::info!(
                    "task {} gives up {} partitions{}",
                    self.spec.id,
                    partitions.len(),
                    if lost { ", lost" } else { "" }
                );
                self.unanswered = None;
                self.metrics.rebalances.add(1);
                self.let_go(&partitions, lost, self.graceful);
                self.consumer.unassign(&partitions).map_err(kafka)?;
            }
            Event::Error(error) if error.is_fatal() => return Err(kafka(error)),
            Event::Error(error) => {
                self.hurry_for(&error);
                // librdkafka says the same at each try
                let text = format!("{error}{}", error.advice());
                if self.last_error.as_ref() != Some(&text) {
                    tracing::warn!("task {}: {text}", self.spec.id);
                    self.last_error = Some(text);
                }
            }
        }
        Ok(())
    }

    /// Answers an assignment with the offsets that the group has stored.
    fn answer(&mut self) -> Result<(), TaskError> {
        let Some(partitions) = self.unanswered.take() else { return Ok(()) };
        let committed = match self.consumer.committed(&partitions, COMMITTED) {
            Ok(committed) => committed,
            Err(error) if error.class == Class::Retriable => {
                tracing::warn!("task {} cannot read its group's offsets: {error}; trying again", self.spec.id);
                self.unanswered = Some(partitions);
                return Ok(());
            }
            Err(error) if error.class == Class::Fenced => Vec::new(),
            Err(error) => return Err(kafka(error)),
        };
        let Some(mut assigned) = self.identified(committed) else {
            self.unanswered = Some(partitions);
            return Ok(());
        };
        match self.started(&mut assigned) {
            Err(TaskError::Retriable(error)) => {
                tracing::warn!("task {} does not know where to begin: {error}; trying again", self.spec.id);
                self.unanswered = Some(partitions);
                return Ok(());
            }
            started => started?,
        }
        let starts: Vec<_> = assigned.iter().map(|(tp, start, _)| (tp.clone(), *start)).collect();
        self.consumer.assign(&starts).map_err(kafka)?;
        self.last_error = None;
        let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
        tracing::info!("task {} takes {} partitions: {}", self.spec.id, names.len(), names.join(", "));
        self.partitions.extend(assigned.into_iter().map(|(tp, _, partition)| (tp, partition)));
        self.metrics.partitions.set(self.partitions.len() as u64);
        if self.held { self.pause(&partitions, true) } else { Ok(()) }
    }

    /// Reads again what the sink asks for.
    fn rewind(&mut self) -> Result<(), TaskError> {
        let mut rewinds = self.sink.rewinds();
        rewinds.retain(|tp, _| self.partitions.contains_key(tp));
        if rewinds.is_empty() {
            return Ok(());
        }
        for (tp, offset) in &rewinds {
            if let Some(Partition { id, committed, .. }) = self.partitions.remove(tp) {
                let anew = Partition { id, committed, from: Some(*offset), unsure: true, ..Partition::default() };
                self.partitions.insert(tp.clone(), anew);
            }
        }
        self.consumer.rewind(&rewinds).map_err(kafka)?;
        // one may have been parked
        let rewound: Vec<_> = rewinds.into_keys().collect();
        if self.held { Ok(()) } else { self.pause(&rewound, false) }
    }

    /// Takes note of how far behind the task is, now and then.
    fn measure(&mut self) {
        let now = Instant::now();
        if now < self.next_look {
            return;
        }
        let lag = |(origin, partition): (&TopicPartition, &Partition)| {
            let (end, at) = (self.consumer.log_end(origin)?, partition.next.or_else(|| partition.began())?);
            let behind = |offset: i64| u64::try_from(end.saturating_sub(offset)).unwrap_or(0);
            let committed = partition.committed.as_ref().map(|committed| committed.offset);
            let active = committed.map_or(0, |committed| u64::try_from(at.saturating_sub(committed)).unwrap_or(0));
            let (records, uncommitted) = (behind(at), committed.map(behind));
            Some(Lag { origin: origin.clone(), records, uncommitted, active, last: partition.time })
        };
        let lags: Vec<_> = self.partitions.iter().filter_map(lag).collect();
        self.metrics.active.record(lags.iter().map(|lag| lag.active).sum::<u64>() as f64);
        self.metrics.set_lags(lags);
        self.next_look = now + LOOK.max(LOOK_SHARE * now.elapsed());
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn kafka(error: KafkaError) -> TaskError {
    TaskError::Fatal(format!("{error}{}", error.advice()))
}

/// Milliseconds, as Java's metrics have them.
fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn part(of: Duration, percent: u32) -> Duration {
    of * percent / 100
}

/// A record that the sink refuses.
fn of_sink_task(offset: i64, error: RecordError) -> Refused {
    Refused { offset, stage: Stage::TaskPut, class: SINK_TASK.to_owned(), error }
}

/// The CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or(0)
}

/// What the worker's key `key` says, or its default.
fn milliseconds(worker: &Properties, key: &str) -> Duration {
    let declared = WorkerKeys::KEYS.iter().find(|declared| declared.name == key);
    let given = declared.and_then(|key| key.read::<i64>(worker, &mut Faults::default()));
    millis(given.unwrap_or(0))
}

#[cfg(test)]
mod tests;
