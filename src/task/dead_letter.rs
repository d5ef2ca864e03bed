//! Sends refused records to the dead letter queue, as they came (`org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter`,
//! 4.3.1).
//!
//! The rule: the offset of a record is committed only after the brokers have acknowledged its letter. A letter may be there twice,
//! if a worker ends between the two; none is lost. What the producer's queue has no room for waits here as a reference to the
//! fetch that it came in, and holds the task back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BinaryArray};
use landfall_api::{RawBatch, Refused, TaskError, TaskMetrics, TopicPartition};
use tokio::sync::oneshot;

use super::{TaskId, TaskSpec};
use crate::kafka::{KafkaError, Producer, Record, create_topic, dead_letter_admin_properties, producer_properties};

/// How often what waits for the brokers is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A dead letter queue.
pub(super) struct DeadLetters {
    id: TaskId,
    topic: String,
    context_headers: bool,
    metrics: Arc<TaskMetrics>,
    producer: Producer,
    /// Tells when the topic is there; None once it has.
    made: Option<oneshot::Receiver<Result<(), KafkaError>>>,
    /// What was not sent yet, oldest first.
    waiting: VecDeque<Letter>,
    /// The number of the next letter.
    next: usize,
    /// What was sent, by number.
    sent: HashMap<usize, (TopicPartition, i64)>,
    /// The offsets that may not be committed yet, with the number of the letter.
    unacknowledged: BTreeMap<TopicPartition, BTreeSet<(i64, usize)>>,
}

struct Letter {
    number: usize,
    raw: Arc<RawBatch>,
    refused: Refused,
}

impl DeadLetters {
    /// The queue in `topic`, which is made in the background with the replication factor `replication` unless it is there.
    pub(super) fn new(spec: &TaskSpec, topic: &str, replication: i16, context_headers: bool) -> Result<Self, TaskError> {
        let TaskId { connector, task } = &spec.id;
        let settings = producer_properties(&spec.worker, &spec.properties, connector, *task);
        let admin = dead_letter_admin_properties(&spec.worker, &spec.properties, connector, *task);
        settings.warnings.iter().chain(&admin.warnings).for_each(|warning| tracing::warn!("task {}: {warning}", spec.id));
        for settings in [&settings, &admin] {
            if !settings.faults.is_empty() {
                return Err(TaskError::Fatal(settings.faults.to_string()));
            }
        }
        let producer = Producer::new(&settings);
        let (tell, made) = oneshot::channel();
        let name = topic.to_owned();
        spec.runtime.spawn_blocking(move || {
            let made = create_topic(&admin, &name, replication, &|| tell.is_closed());
            if made == Ok(true) {
                tracing::info!("topic {name} was not there and was made, for dead letters");
            }
            let _ = tell.send(made.map(drop));
        });
        Ok(Self {
            id: spec.id.clone(),
            topic: topic.to_owned(),
            context_headers,
            metrics: spec.metrics.clone(),
            producer: producer.map_err(|error| not_initialized(topic, &error))?,
            made: Some(made),
            waiting: VecDeque::new(),
            next: 0,
            sent: HashMap::new(),
            unacknowledged: BTreeMap::new(),
        })
    }

    /// Takes a record of `raw`.
    pub(super) fn add(&mut self, raw: &Arc<RawBatch>, refused: Refused) {
        let number = self.next;
        self.next += 1;
        self.unacknowledged.entry(raw.origin.clone()).or_default().insert((refused.offset, number));
        self.waiting.push_back(Letter { number, raw: raw.clone(), refused });
        self.metrics.dead_letters.add(1);
    }

    /// Whether nothing waits for the brokers.
    pub(super) fn is_at_rest(&self) -> bool {
        self.made.is_none() && self.unacknowledged.is_empty()
    }

    /// The first offset of `origin` whose letter was not acknowledged yet: nothing beyond it may be committed.
    pub(super) fn first(&self, origin: &TopicPartition) -> Option<i64> {
        self.unacknowledged.get(origin)?.first().map(|(offset, _)| *offset)
    }

    /// Sends what has room and takes in what was acknowledged. Does not wait.
    ///
    /// # Errors
    /// The topic cannot be made, or a letter can never be delivered.
    pub(super) fn turn(&mut self) -> Result<(), TaskError> {
        if let Some(made) = &mut self.made {
            match made.try_recv() {
                Ok(Ok(())) => self.made = None,
                Ok(Err(error)) => return Err(not_initialized(&self.topic, &error)),
                Err(oneshot::error::TryRecvError::Empty) => return Ok(()),
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(TaskError::Fatal(format!("the worker is stopping, and topic {} was not made yet", self.topic)));
                }
            }
        }
        while let Some(letter) = self.waiting.pop_front() {
            let context = if self.context_headers { context(&self.id, &letter) } else { Vec::new() };
            if self.producer.send([(letter.number, letter.record(&self.topic, &headers(&letter, &context)))]) == 0 {
                self.waiting.push_front(letter);
                break;
            }
            self.sent.insert(letter.number, (letter.raw.origin.clone(), letter.refused.offset));
        }
        let mut lost = None;
        for delivery in self.producer.deliveries() {
            let Some((origin, offset)) = self.sent.remove(&delivery.id) else { continue };
            let Some(letters) = self.unacknowledged.get_mut(&origin) else { continue }; // the partition is let go
            match delivery.result {
                Ok(_) => {
                    letters.remove(&(offset, delivery.id));
                    if letters.is_empty() {
                        self.unacknowledged.remove(&origin);
                    }
                }
                Err(error) => {
                    self.metrics.dead_letter_failures.add(1);
                    let TopicPartition { topic, partition } = &origin;
                    lost.get_or_insert_with(|| {
                        TaskError::Fatal(format!(
                            "Could not produce message to dead letter queue. topic={}\nCaused by: {error}\n\
                             \tat the record of topic {topic}, partition {partition}, offset {offset}",
                            self.topic
                        ))
                    });
                }
            }
        }
        lost.map_or(Ok(()), Err)
    }

    /// Waits up to `timeout` until there is room for more; false if there is none.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub(super) fn ready(&mut self, timeout: Duration) -> Result<bool, TaskError> {
        self.wait(timeout, |letters| letters.waiting.is_empty())
    }

    /// Waits up to `timeout` until every letter was acknowledged; false if one was not.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub(super) fn flush(&mut self, timeout: Duration) -> Result<bool, TaskError> {
        self.wait(timeout, |letters| letters.unacknowledged.is_empty())
    }

    fn wait(&mut self, timeout: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, TaskError> {
        let begun = Instant::now();
        loop {
            self.turn()?;
            if done(self) {
                return Ok(true);
            }
            if begun.elapsed() >= timeout {
                return Ok(false);
            }
            thread::sleep(LOOK);
        }
    }

    /// Forgets the letters of `partitions`: whoever reads them next sends them again, unless they were acknowledged.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        for origin in partitions {
            self.unacknowledged.remove(origin);
        }
        self.waiting.retain(|letter| !partitions.contains(&letter.raw.origin));
    }
}

impl Letter {
    fn row(&self) -> usize {
        self.raw.row_of(self.refused.offset)
    }

    /// The record as it came, for `topic` and with these headers. A time of 0 is sent as the time of sending: the client has no way
    /// to say it.
    fn record<'a>(&'a self, topic: &'a str, headers: &'a [Header<'a>]) -> Record<'a> {
        let (raw, row) = (&self.raw, self.row());
        let bytes = |of: &'a BinaryArray| of.is_valid(row).then(|| of.value(row));
        let timestamp = raw.timestamp.is_valid(row).then(|| raw.timestamp.value(row));
        Record { topic, partition: None, key: bytes(&raw.key), value: bytes(&raw.value), headers, timestamp }
    }
}

type Header<'a> = (&'a str, Option<&'a [u8]>);

/// The headers that the record came with, and those of `context`.
fn headers<'a>(letter: &'a Letter, context: &'a [(&'static str, String)]) -> Vec<Header<'a>> {
    let mut all = Vec::new();
    if let Some(headers) = &letter.raw.headers {
        let (row, entries) = (letter.row(), headers.values().as_struct());
        let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
        let range = headers.value_offsets()[row] as usize..headers.value_offsets()[row + 1] as usize;
        all.extend(range.map(|at| (keys.value(at), values.is_valid(at).then(|| values.value(at)))));
    }
    all.extend(context.iter().map(|(name, value)| (*name, Some(value.as_bytes()))));
    all
}

/// Why the record is here, as Java's headers say it; but the trace is ours.
fn context(id: &TaskId, Letter { raw, refused, .. }: &Letter) -> Vec<(&'static str, String)> {
    let Refused { offset, stage, class, error } = refused;
    let TopicPartition { topic, partition } = &raw.origin;
    vec![
        ("__connect.errors.topic", topic.to_string()),
        ("__connect.errors.partition", partition.to_string()),
        ("__connect.errors.offset", offset.to_string()),
        ("__connect.errors.connector.name", id.connector.clone()),
        ("__connect.errors.task.id", id.task.to_string()),
        ("__connect.errors.stage", stage.to_string()),
        ("__connect.errors.class.name", class.clone()),
        ("__connect.errors.exception.class.name", error.class.to_owned()),
        ("__connect.errors.exception.message", error.message.clone()),
        (
            "__connect.errors.exception.stacktrace",
            format!("{error}\n\tat {stage} of topic {topic}, partition {partition}, offset {offset}\n"),
        ),
    ]
}

fn not_initialized(topic: &str, error: &KafkaError) -> TaskError {
    TaskError::Fatal(format!("Could not initialize dead letter queue with topic={topic}\nCaused by: {error}"))
}
