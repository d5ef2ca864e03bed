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
    let mut lag = Lag::new(worker, generated.lag.clone()).map_err(failed)?;
    let mut producer = Producer::new(settings::producer(bootstrap)).map_err(failed)?;
    let (mut bank, mut event, mut is_ready) = (Bank::new(plan.seed), Event::new(), false);
    let mut count = 0;
    let mut looked = Instant::now();
    // What is due is counted from the last time that it had to wait: it does not make up for that.
    let mut since = (Instant::now(), 0);
    while !generated.stop.load(Ordering::Relaxed) && plan.records.is_none_or(|records| count < records) {
        if looked.elapsed() >= LOOK {
            look(&mut lag);
            looked = Instant::now();
        }
        let due = match plan.rate {
            0 => BATCH,
            rate => ((since.0.elapsed().as_secs_f64() * rate as f64) as u64).saturating_sub(count - since.1),
        };
        let left = plan.records.map_or(BATCH, |records| records - count);
        let now = clock::now();
        let (mut has_room, mut is_full) = (true, false);
        for _ in 0..due.min(left).min(BATCH) {
            if !is_ready {
                event.write(&bank.next(now), now);
                is_ready = true;
            }
            let bytes = event.key.len() + event.value.len();
            has_room = lag.bytes(event.topic, event.partition) + bytes + OVERHEAD <= MOST_LAG;
            if !has_room {
                break;
            }
            let record = Record {
                topic: TOPICS[event.topic].name,
                partition: Some(event.partition),
                key: Some(event.key.as_bytes()),
                value: Some(event.value.as_bytes()),
                headers: &[],
                timestamp: Some(now),
            };
            is_full = producer.send([(0, record)]) == 0;
            if is_full {
                break;
            }
            is_ready = false;
            lag.sent(event.topic, event.partition, bytes + OVERHEAD);
            count += 1;
            generated.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        generated.records.store(count, Ordering::Relaxed);
        generated.waiting.store(!has_room, Ordering::Relaxed);
        check(&mut producer)?;
        if !has_room {
            since = (Instant::now(), count);
        }
        if !has_room || is_full || due < BATCH {
            sleep(NAP);
        }
    }
    generated.waiting.store(false, Ordering::Relaxed);
    Handle::current().block_on(producer.flush(FLUSH)).map_err(failed)?;
    check(&mut producer)?;
    Ok(lag)
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
