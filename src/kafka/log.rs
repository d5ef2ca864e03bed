//! Follows a compacted topic from its beginning to its end and on, and appends to it, as `KafkaBasedLog` and `TopicAdmin` of Kafka 4.3.1.
//!
//! A thread of its own reads: it makes the topic if it is not there, gives every record to whoever keeps the state that they make, and
//! tells when the end that the topic had at some moment was reached. Whoever appends waits on its own, while the client sends.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use landfall_api::TopicPartition;
use tokio::sync::oneshot;

use super::client::ConsumerSettings;
use super::error::{Class, KafkaError};
use super::event_hubs::EventHubs;
use super::produce::{Producer, Record};
use super::raw::{Admin, Follower, Message, Waker};
use super::topics::UNKNOWN_TOPIC;

/// How long brokers may take to answer a question, and the wait before the next one if they do not.
const ANSWER: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// How long brokers may refuse to make the topic for a reason that passes (`default.api.timeout.ms`), and how long it may take until it
/// is seen after that.
const MAKING: Duration = Duration::from_secs(60);
const SEEING: Duration = Duration::from_secs(30);
/// The wait for records, after which lines of the client's log are taken.
const IDLE: Duration = Duration::from_secs(5);
/// How often it is looked whether records were delivered.
const LOOK: Duration = Duration::from_millis(2);
/// How often it is said that brokers do not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// librdkafka's code for the end of a partition.
const END_OF_PARTITION: i32 = -191;
/// Kafka's code for what a later try may mend: INVALID_REPLICATION_FACTOR, while brokers start.
const TOO_FEW_BROKERS: i32 = 38;
/// Kafka's codes for what this client may not do, or these brokers cannot: TOPIC_ and CLUSTER_AUTHORIZATION_FAILED,
/// UNSUPPORTED_VERSION; and librdkafka's _UNSUPPORTED_FEATURE.
const NOT_FOR_US: [i32; 4] = [29, 31, 35, -165];

/// What a topic is to be, and how to reach it.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The topic's name.
    pub topic: String,
    /// The worker's key that names it, for messages.
    pub key: &'static str,
    /// What it keeps, for messages.
    pub purpose: &'static str,
    /// The partitions that it is made with; -1 for the brokers' own number.
    pub partitions: i32,
    /// The copies of each; -1 for the brokers' own number.
    pub replication: i16,
    /// Other settings that it is made with, by the names that topics have for them.
    pub topic_settings: BTreeMap<String, String>,
    /// Whether it must have one partition, so that all records have one order.
    pub single: bool,
    /// The client that reads.
    pub consumer: ConsumerSettings,
    /// The client that makes the topic and appends.
    pub producer: ConsumerSettings,
}

/// Why there is no log, or why it does not do what it is asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A client's settings are wrong, or Kafka says no.
    #[error("topic {topic}: {error}")]
    Kafka {
        /// The topic.
        topic: String,
        /// What Kafka says.
        error: KafkaError,
    },
    /// The topic has more partitions than one.
    #[error(
        "Topic '{topic}' supplied via the '{key}' property is required to have a single partition in order to guarantee consistency of \
         {purpose}, but found {found} partitions."
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// The worker's key that names it.
        key: &'static str,
        /// What it keeps.
        purpose: &'static str,
        /// How many it has.
        found: usize,
    },
    /// The topic is not there, and nobody makes it.
    #[error(
        "topic {0} is not there, and brokers do not make it: make it with cleanup.policy=compact, or let this worker make it"
    )]
    Missing(String),
    /// The same where the brokers are Event Hubs.
    #[error(
        "event hub {topic}, in which the workers keep {purpose}, is not there, and is not made for a Kafka client: make it with: {command}; or \
         run one worker alone, with landfall.state in a storage container, which needs no event hub"
    )]
    MissingEventHub {
        /// The event hub.
        topic: String,
        /// What it keeps.
        purpose: &'static str,
        /// The command that makes it.
        command: String,
    },
    /// It takes longer than the caller waits.
    #[error("topic {topic}: {what} within {} ms", .limit.as_millis())]
    TimedOut {
        /// The topic.
        topic: String,
        /// What has not happened.
        what: &'static str,
        /// How long the caller waited.
        limit: Duration,
    },
    /// The log was stopped.
    #[error("the log of topic {0} is stopped")]
    Stopped(String),
}

/// A topic that is followed and can be appended to. Dropped, it ends too, without anybody waiting for it.
#[derive(Debug)]
pub struct Log {
    topic: String,
    appending: Mutex<Appending>,
    orders: Sender<Order>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is asked.
#[derive(Debug)]
enum Order {
    /// To tell when the end that the topic has now is reached.
    ReadToEnd(oneshot::Sender<()>),
    Stop,
}

/// The producer, and the records that somebody waits for.
#[derive(Debug)]
struct Appending {
    producer: Producer,
    /// The name of the next record.
    next: usize,
    /// What became of each, once it is known.
    fates: HashMap<usize, Option<Result<(), KafkaError>>>,
}

impl Log {
    /// Makes the topic, compacted, if it is not there, and else looks whether it is compacted, which it should be: if not, that is said
    /// in the log, once. Then gives `apply` every record in it, as partition, offset, key and value, on the log's thread; comes back when
    /// `apply` has had all that was there; and goes on for what others append. Once the topic is there it waits for brokers as long as
    /// they do not answer, and says so: to give up, drop the future.
    ///
    /// # Errors
    /// A setting that a client does not take; a topic that brokers do not make within a minute; partitions where there should be one.
    pub async fn start(
        settings: LogSettings,
        apply: impl FnMut(i32, i64, Option<&[u8]>, Option<&[u8]>) + Send + 'static,
    ) -> Result<Self, LogError> {
        let topic = settings.topic.clone();
        let producer = producer(&settings)?;
        let admin = producer.admin();
        let (orders, inbox) = channel();
        let (started, starting) = oneshot::channel();
        // It says what it has to say to whom its caller does.
        let logging = tracing::dispatcher::get_default(Clone::clone);
        let body = move || tracing::dispatcher::with_default(&logging, || run(&settings, &admin, apply, &inbox, started));
        let thread = thread::Builder::new().name(format!("log-{topic}")).spawn(body);
        let thread = thread.map_err(|e| failed(&topic, KafkaError::configuration(format!("no thread: {e}"))))?;
        let waker = starting.await.unwrap_or_else(|_| Err(LogError::Stopped(topic.clone())))?;
        let appending = Mutex::new(Appending { producer, next: 0, fates: HashMap::new() });
        Ok(Self { topic, appending, orders, waker, thread: Some(thread) })
    }

    /// Makes the topic, or looks whether it is compacted, as [`start`](Self::start) does, and does not follow it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn ensure(settings: LogSettings) -> Result<(), LogError> {
        let (topic, admin) = (settings.topic.clone(), producer(&settings)?.admin());
        let made = tokio::task::spawn_blocking(move || make(&settings, &admin, &mut || false)).await;
        made.unwrap_or(Err(LogError::Stopped(topic))).map(|_| ())
    }

    /// Appends records, in order; comes back when all brokers that have a copy have them, which does not mean that they were applied. The
    /// last is sent only when those before it are there: it may be what makes them valid.
    ///
    /// # Errors
    /// Some are not there, or not within `limit`, and then may be later.
    pub async fn append(
        &self,
        records: impl IntoIterator<Item = (String, Option<Vec<u8>>)>,
        limit: Duration,
    ) -> Result<(), LogError> {
        let deadline = Instant::now() + limit;
        let records: Vec<_> = records.into_iter().collect();
        let Some((last, before)) = records.split_last() else { return Ok(()) };
        self.send(before, deadline, limit).await?;
        self.send(std::slice::from_ref(last), deadline, limit).await
    }

    async fn send(&self, records: &[(String, Option<Vec<u8>>)], deadline: Instant, limit: Duration) -> Result<(), LogError> {
        let mut waiting = Waiting { log: self, ids: Vec::with_capacity(records.len()) };
        let mut left = records;
        loop {
            let fate = {
                let mut appending = self.appending();
                left = appending.take(&self.topic, left, &mut waiting.ids);
                appending.settle(&mut waiting.ids)
            };
            match fate.err() {
                Some(error) => return Err(failed(&self.topic, error)),
                None if left.is_empty() && waiting.ids.is_empty() => return Ok(()),
                None if Instant::now() >= deadline => return Err(self.timed_out("records were not written", limit)),
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Comes back when everything that is in the topic at the time of the call was applied.
    ///
    /// # Errors
    /// It was not within `limit`.
    pub async fn read_to_end(&self, limit: Duration) -> Result<(), LogError> {
        let (reached, reaching) = oneshot::channel();
        self.orders.send(Order::ReadToEnd(reached)).map_err(|_| LogError::Stopped(self.topic.clone()))?;
        self.waker.wake();
        match tokio::time::timeout(limit, reaching).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(LogError::Stopped(self.topic.clone())),
            Err(_) => Err(self.timed_out("its end was not reached", limit)),
        }
    }

    /// Ends following; comes back when nothing is applied any more.
    pub async fn stop(mut self) {
        if let Some(thread) = self.thread.take() {
            self.order_stop();
            // It is in the middle of a question to brokers at most.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn order_stop(&self) {
        // The thread may have ended.
        let _ = self.orders.send(Order::Stop);
        self.waker.wake();
    }

    fn appending(&self) -> MutexGuard<'_, Appending> {
        self.appending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timed_out(&self, what: &'static str, limit: Duration) -> LogError {
        LogError::TimedOut { topic: self.topic.clone(), what, limit }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.order_stop();
    }
}

/// The names of records whose fate somebody waits for. Dropped, nobody does any more.
struct Waiting<'a> {
    log: &'a Log,
    ids: Vec<usize>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.ids.is_empty() {
            let mut appending = self.log.appending();
            for id in &self.ids {
                appending.fates.remove(id);
            }
        }
    }
}

impl Appending {
    /// Gives the producer as many of `records` as it takes, and adds their names to `ids`; gives those that are left.
    fn take<'a>(
        &mut self,
        topic: &str,
        records: &'a [(String, Option<Vec<u8>>)],
        ids: &mut Vec<usize>,
    ) -> &'a [(String, Option<Vec<u8>>)] {
        let record = |(key, value): &'a (String, Option<Vec<u8>>)| (Some(key.as_bytes()), value.as_deref());
        let named = records.iter().map(record).zip(self.next..);
        let named = named.map(|((key, value), id)| (id, Record { topic, key, value, ..Record::default() }));
        let taken = self.producer.send(named);
        let new = self.next..self.next + taken;
        self.fates.extend(new.clone().map(|id| (id, None)));
        self.next = new.end;
        ids.extend(new);
        &records[taken..]
    }

    /// Takes those that were delivered out of `ids`.
    fn settle(&mut self, ids: &mut Vec<usize>) -> Result<(), KafkaError> {
        for delivery in self.producer.deliveries() {
            if let Some(fate) = self.fates.get_mut(&delivery.id) {
                *fate = Some(delivery.result.map(|_| ()));
            }
        }
        if let Some(error) = ids.iter().find_map(|id| self.fates.get(id)?.as_ref()?.as_ref().err()) {
            return Err(error.clone());
        }
        ids.retain(|id| {
            let delivered = self.fates.get(id).is_some_and(Option::is_some);
            if delivered {
                self.fates.remove(id);
            }
            !delivered
        });
        Ok(())
    }
}

fn failed(topic: &str, error: KafkaError) -> LogError {
    LogError::Kafka { topic: topic.to_owned(), error }
}

/// The client that makes the topic and appends; says what its settings and the consumer's have to say.
fn producer(settings: &LogSettings) -> Result<Producer, LogError> {
    for client in [&settings.consumer, &settings.producer] {
        if !client.faults.is_empty() {
            return Err(failed(&settings.topic, KafkaError::configuration(client.faults.to_string())));
        }
        client.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
    Producer::new(&settings.producer).map_err(|error| failed(&settings.topic, error))
}

/// The thread: makes the topic, reads it to its end, tells `started`, goes on reading.
fn run(
    settings: &LogSettings,
    admin: &Admin,
    apply: impl FnMut(i32, i64, Option<&[u8]>, Option<&[u8]>),
    inbox: &Receiver<Order>,
    started: oneshot::Sender<Result<Waker, LogError>>,
) {
    let begun = Instant::now();
    let follower = make(settings, admin, &mut || started.is_closed()).and_then(|partitions| {
        let follower = Follower::new(&settings.consumer, &settings.topic, &partitions);
        Ok((follower.map_err(|error| failed(&settings.topic, error))?, partitions))
    });
    let (follower, partitions) = match follower {
        Ok(follower) => follower,
        // Whoever has asked may be gone.
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let waker = follower.waker();
    let partitions = partitions.into_iter().map(|number| TopicPartition::new(&*settings.topic, number)).collect();
    let mut reader =
        Reader { topic: &settings.topic, admin, follower, partitions, positions: HashMap::new(), apply, complained: Vec::new() };
    if reader.read_to_end(|| started.is_closed()) {
        tracing::debug!("read topic {} to its end within {} ms", settings.topic, begun.elapsed().as_millis());
        if started.send(Ok(waker)).is_ok() {
            reader.follow(inbox);
        }
    }
}

/// What reads.
struct Reader<'a, F> {
    topic: &'a str,
    admin: &'a Admin,
    follower: Follower,
    partitions: Vec<TopicPartition>,
    /// The next offset of each partition that something was read of.
    positions: HashMap<i32, i64>,
    apply: F,
    /// What went wrong since something went well.
    complained: Vec<i32>,
}

/// Where a topic ended when somebody asked.
type Ends = Vec<(TopicPartition, i64)>;

impl<F: FnMut(i32, i64, Option<&[u8]>, Option<&[u8]>)> Reader<'_, F> {
    /// Reads to the end that the topic has now, or until `given_up`; whether it came there.
    fn read_to_end(&mut self, given_up: impl Fn() -> bool) -> bool {
        let (mut ends, mut said) = (None::<Ends>, Instant::now());
        while !given_up() {
            match &ends {
                Some(ends) if self.is_at(ends) => return true,
                Some(_) => {}
                None => match self.admin.ends(&self.partitions, ANSWER) {
                    Ok(found) => {
                        ends = Some(found);
                        continue;
                    }
                    Err(error) => self.complain(&error),
                },
            }
            if said.elapsed() >= PATIENCE {
                tracing::warn!("topic {} is not read to its end yet", self.topic);
                said = Instant::now();
            }
            self.poll(ASK_AGAIN);
        }
        false
    }

    fn follow(&mut self, inbox: &Receiver<Order>) {
        // Those who asked before anybody knows where the end is, and those who wait until it is reached.
        let mut asking: Vec<oneshot::Sender<()>> = Vec::new();
        let mut waiting: Vec<(Ends, Vec<oneshot::Sender<()>>)> = Vec::new();
        loop {
            for order in inbox.try_iter() {
                match order {
                    Order::ReadToEnd(reached) => asking.push(reached),
                    Order::Stop => return,
                }
            }
            asking.retain(|reached| !reached.is_closed());
            if !asking.is_empty() {
                match self.admin.ends(&self.partitions, ANSWER) {
                    Ok(ends) => waiting.push((ends, std::mem::take(&mut asking))),
                    Err(error) => self.complain(&error),
                }
            }
            waiting.retain_mut(|(ends, reached)| {
                let there = self.is_at(ends);
                if there {
                    // Whoever has asked may be gone.
                    reached.drain(..).for_each(|reached| _ = reached.send(()));
                }
                reached.retain(|reached| !reached.is_closed());
                !reached.is_empty()
            });
            self.poll(if asking.is_empty() { IDLE } else { ASK_AGAIN });
        }
    }

    fn is_at(&self, ends: &Ends) -> bool {
        let position = |partition: &TopicPartition| self.positions.get(&partition.partition).copied().unwrap_or(0);
        ends.iter().all(|(partition, end)| position(partition) >= *end)
    }

    /// Waits for something to read, and reads it.
    fn poll(&mut self, wait: Duration) {
        let Self { follower, positions, apply, complained, topic, .. } = self;
        follower.poll(wait, |message: Message<'_>| {
            let (partition, offset) = (message.partition(), message.offset());
            match message.error() {
                None => {
                    apply(partition, offset, message.key(), message.value());
                    positions.insert(partition, offset.saturating_add(1));
                    complained.clear();
                }
                // past control records too
                Some(end) if end.code == END_OF_PARTITION => _ = positions.insert(partition, offset),
                Some(error) => complain(topic, complained, &error),
            }
        });
    }

    fn complain(&mut self, error: &KafkaError) {
        complain(self.topic, &mut self.complained, error);
    }
}

/// Says what went wrong, once until something goes well. The client tries again by itself.
fn complain(topic: &str, complained: &mut Vec<i32>, error: &KafkaError) {
    if !complained.contains(&error.code) {
        complained.push(error.code);
        tracing::warn!("cannot read topic {topic}: {error}; trying on");
    }
}

/// Makes the topic unless it is there; gives its partitions. Waits for brokers, in their words and ours, until `given_up`.
fn make(settings: &LogSettings, admin: &Admin, given_up: &mut dyn FnMut() -> bool) -> Result<Vec<i32>, LogError> {
    let LogSettings { topic, key, purpose, .. } = settings;
    let compacted = ("cleanup.policy", "compact");
    let others = settings.topic_settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let topic_settings: Vec<_> = others.filter(|(key, _)| *key != compacted.0).chain([compacted]).collect();
    let begun = Instant::now();
    loop {
        let (partitions, copies) = (settings.partitions, settings.replication);
        // Looked at first, in a way that makes no broker make it: it may be there and making it not be allowed.
        let made = admin.has_topic(topic, ANSWER).and_then(|there| match there {
            true => Ok(false),
            false => admin.create_topic(topic, partitions, copies, topic_settings.iter().copied(), ANSWER),
        });
        let missing = |hubs: &EventHubs| {
            let command = hubs.create_command(topic, partitions, true);
            LogError::MissingEventHub { topic: topic.clone(), purpose, command }
        };
        match made {
            Ok(true) => {
                tracing::info!("made topic {topic} for {purpose}");
                break;
            }
            Ok(false) => {
                check_policy(settings, admin);
                break;
            }
            // Brokers may make it by themselves when they are asked for it.
            Err(error) if NOT_FOR_US.contains(&error.code) => {
                tracing::info!("cannot make topic {topic}: {error}");
                if let Some(hubs) = &settings.producer.event_hubs {
                    return Err(missing(hubs));
                }
                break;
            }
            Err(error) => {
                let passes = error.class == Class::Retriable || error.code == TOO_FEW_BROKERS;
                if !passes || given_up() || begun.elapsed() >= MAKING {
                    return Err(failed(topic, error));
                }
                tracing::warn!("cannot look whether topic {topic} is there, or make it: {error}; trying again");
                thread::sleep(ASK_AGAIN * 4);
            }
        }
    }
    let made = Instant::now();
    loop {
        match admin.partitions(topic, ANSWER) {
            Ok(partitions) if settings.single && partitions.len() > 1 => {
                return Err(LogError::Partitions { topic: topic.clone(), key, purpose, found: partitions.len() });
            }
            Ok(partitions) if !partitions.is_empty() => return Ok(partitions),
            Err(error) if error.class != Class::Retriable => return Err(failed(topic, error)),
            _ if given_up() || made.elapsed() >= SEEING => return Err(LogError::Missing(topic.clone())),
            _ => thread::sleep(ASK_AGAIN),
        }
    }
}

/// Says loudly that a topic that was there loses what it should keep. Java's worker does not start then; but everything works until the
/// first record is lost, and the remedy, which is a setting of the topic, needs no other worker.
fn check_policy(settings: &LogSettings, admin: &Admin) {
    let LogSettings { topic, key, purpose, .. } = settings;
    let (ask, begun) = (|| admin.topic_setting(topic, "cleanup.policy", ANSWER), Instant::now());
    let mut told = ask();
    // The broker that is asked may not have heard of the topic yet.
    while told.as_ref().is_err_and(|error| error.code == UNKNOWN_TOPIC) && begun.elapsed() < ANSWER {
        thread::sleep(ASK_AGAIN);
        told = ask();
    }
    match told {
        Ok(Some(policy)) => {
            if !policy.split(',').map(str::trim).filter(|policy| !policy.is_empty()).all(|policy| policy == "compact") {
                tracing::error!(
                    "Topic '{topic}' supplied via the '{key}' property is required to have 'cleanup.policy=compact' to guarantee \
                     consistency and durability of {purpose}, but found the topic currently has 'cleanup.policy={policy}'. Continuing \
                     would likely result in eventually losing {purpose} and problems restarting this Connect cluster in the future. \
                     Change the topic's cleanup.policy to compact"
                );
            }
        }
        told => {
            let why = told.err().map(|error| format!(": {error}")).unwrap_or_default();
            if settings.producer.event_hubs.is_some() {
                return tracing::warn!(
                    "Event Hubs do not say whether event hub {topic} is compacted{why}; if it is not, it loses {purpose} when its retention \
                     is over: look at retentionDescription.cleanupPolicy in az eventhubs eventhub show, it must be Compact"
                );
            }
            tracing::info!("cannot look whether topic {topic} has cleanup.policy=compact, which it should{why}");
        }
    }
}

#[cfg(test)]
mod tests;
