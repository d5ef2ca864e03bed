//! Produces the bank's changes at a given rate, and waits when the connectors cannot follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use landfall_api::Properties;
use tokio::runtime::Handle;

use super::bank::Bank;
use super::clock;
use super::event::{Event, TOPICS};
use super::lag::Lag;
use super::settings;
use crate::broker::RETENTION;
use crate::kafka::{KafkaError, Producer, Record};

/// The bytes of a partition that may not have landed: the broker keeps more, so no record is ever gone before it has. Records that
/// were read and are in an open file count, so that a task that fails can read them again.
const MOST_LAG: usize = 3 << 20;
const _: () = assert!(MOST_LAG + (1 << 20) < RETENTION);
/// What a record takes in the broker beyond its key and value, at most, when it is alone in its batch.
const OVERHEAD: usize = 80;
/// How often the connectors' groups are asked what has landed.
const LOOK: Duration = Duration::from_millis(100);
/// How long it sleeps when there is nothing to do.
const NAP: Duration = Duration::from_millis(10);
/// How long the broker may take for the last records.
const FLUSH: Duration = Duration::from_secs(30);
/// The changes made in one go.
const BATCH: u64 = 500;

/// What the generator is asked to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Records per second; 0 for as many as possible.
    pub(super) rate: u64,
    /// After how many records it ends.
    pub(super) records: Option<u64>,
}

/// What others see of the generator, and tell it.
#[derive(Debug, Default)]
pub(super) struct Generated {
    pub(super) records: AtomicU64,
    /// Bytes of keys and values.
    pub(super) bytes: AtomicU64,
    /// Records that have not landed.
    pub(super) lag: Arc<AtomicU64>,
    /// Whether it waits for the connectors.
    pub(super) waiting: AtomicBool,
    /// Asks it to end.
    pub(super) stop: AtomicBool,
}

/// Generates until all is done or it is asked to stop; what has not landed then. Blocks, and needs the runtime for its timers.
pub(super) fn run(plan: Plan, bootstrap: &str, worker: &Properties, generated: &Generated) -> Result<Lag, String> {
    let failed = |e: KafkaError| format!("the generator cannot go on: {e}");
    let lag = Lag::new(worker, generated.lag.clone()).map_err(failed)?;
    let producer = Producer::new(settings::producer(bootstrap)).map_err(failed)?;
    let mut generator = Generator { bank: Bank::new(plan.seed), event: Event::new(), is_ready: false, producer, lag, generated };
    let mut looked = Instant::now();
    // What is due is counted from the last time that it had to wait: it does not make up for that.
    let mut since = (Instant::now(), 0);
    while !generated.stop.load(Ordering::Relaxed) {
        let count = generated.records.load(Ordering::Relaxed);
        let left = plan.records.map_or(BATCH, |records| records - count);
        if left == 0 {
            break;
        }
        let due = match plan.rate {
            0 => BATCH,
            rate => ((since.0.elapsed().as_secs_f64() * rate as f64) as u64).saturating_sub(count - since.1),
        };
        let held = generator.produce(due.min(left).min(BATCH));
        check(&mut generator.producer)?;
        generated.waiting.store(held == Some(Held::Lag), Ordering::Relaxed);
        if held == Some(Held::Lag) {
            since = (Instant::now(), generated.records.load(Ordering::Relaxed));
        }
        if held.is_some() || due < BATCH {
            sleep(NAP);
        }
        if looked.elapsed() >= LOOK {
            look(&mut generator.lag);
            looked = Instant::now();
        }
    }
    generated.waiting.store(false, Ordering::Relaxed);
    let Generator { mut producer, lag, .. } = generator;
    Handle::current().block_on(producer.flush(FLUSH)).map_err(failed)?;
    check(&mut producer)?;
    Ok(lag)
}

/// Why a change is not produced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Too much of its partition has not landed.
    Lag,
    /// The producer's queue is full.
    Queue,
}

struct Generator<'g> {
    bank: Bank,
    event: Event,
    /// Whether the event is still to be produced.
    is_ready: bool,
    producer: Producer,
    lag: Lag,
    generated: &'g Generated,
}

impl Generator<'_> {
    /// Produces `count` changes; why they were fewer.
    fn produce(&mut self, count: u64) -> Option<Held> {
        let now = clock::now();
        for _ in 0..count {
            if !self.is_ready {
                self.event.write(&self.bank.next(now), now);
                self.is_ready = true;
            }
            let Event { topic, partition, key, value, .. } = &self.event;
            let bytes = key.len() + value.len();
            if self.lag.bytes(*topic, *partition) + bytes + OVERHEAD > MOST_LAG {
                return Some(Held::Lag);
            }
            let record = Record {
                topic: TOPICS[*topic].name,
                partition: Some(*partition),
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &[],
                timestamp: Some(now),
            };
            if self.producer.send([(0, record)]) == 0 {
                return Some(Held::Queue);
            }
            self.is_ready = false;
            self.lag.sent(*topic, *partition, bytes + OVERHEAD);
            self.generated.records.fetch_add(1, Ordering::Relaxed);
            self.generated.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        None
    }
}

/// Asks what has landed; if the broker does not say, the next look will.
fn look(lag: &mut Lag) {
    if let Err(error) = lag.look() {
        tracing::debug!("the groups' offsets are not known: {error}");
    }
}

/// Whether all records that the broker has answered for were taken.
fn check(producer: &mut Producer) -> Result<(), String> {
    match producer.deliveries().into_iter().find_map(|delivery| delivery.result.err()) {
        Some(error) => Err(format!("the broker did not take a record: {error}")),
        None => Ok(()),
    }
}
