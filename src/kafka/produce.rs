//! Sends records, and tells of each whether it was delivered.
//!
//! Nothing here waits on the calling thread: [`Producer::send`] takes what has room, [`Producer::deliveries`] gives what is known,
//! and [`Producer::flush`] is a future.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::client::ConsumerSettings;
use super::error::{Class, KafkaError, class_of};
use super::raw::{Admin, Sender, Settings, described};

/// How often a flush looks whether the rest was delivered.
const LOOK: Duration = Duration::from_millis(5);
/// How long brokers may take to answer each question about a topic, and the wait before the next one if they do not.
const ANSWER: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// librdkafka's code for what takes too long.
const TIMED_OUT: i32 = -185;

/// A record to send; it is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// Where it goes.
    pub topic: &'a str,
    /// The partition; none for the one that the `partitioner` setting gives.
    pub partition: Option<i32>,
    /// The key, which may be null.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values, in order; a value may be null.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Milliseconds since the epoch; none for the time at which it is sent.
    pub timestamp: Option<i64>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The name that the caller gave to the record.
    pub id: usize,
    /// Its offset, once the brokers have it, or why they never will.
    pub result: Result<i64, KafkaError>,
}

/// A producer.
pub struct Producer {
    sender: Sender,
    deliveries: Vec<Delivery>,
    fault: Option<KafkaError>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("outstanding", &self.outstanding()).field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer with librdkafka's `settings`. Connects in the background.
    ///
    /// # Errors
    /// A setting that librdkafka does not take, named without its value.
    pub(crate) fn new<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        Ok(Self { sender: Sender::new(settings)?, deliveries: Vec::new(), fault: None })
    }

    /// Takes records into the queue, each under a name of the caller's choice, and gives how many it took: fewer than all when the
    /// queue (`queue.buffering.max.messages`, `queue.buffering.max.kbytes`) is full. One that can never be sent is taken too, and
    /// its delivery says why.
    pub fn send<'a>(&mut self, records: impl IntoIterator<Item = (usize, Record<'a>)>) -> usize {
        let mut taken = 0;
        for (id, record) in records {
            match self.sender.send(id, &record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.deliveries.push(Delivery { id, result: Err(error) }),
            }
            taken += 1;
        }
        taken
    }

    /// Records that were taken and whose fate is not known yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.sender.outstanding()
    }

    /// What became of records since the last call.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        self.take_reports();
        std::mem::take(&mut self.deliveries)
    }

    /// Waits until the fate of all records is known; [`deliveries`](Self::deliveries) then tells it.
    ///
    /// # Errors
    /// That it is not, within `limit`, with what last went wrong. The producer goes on trying.
    pub async fn flush(&mut self, limit: Duration) -> Result<(), KafkaError> {
        let begun = Instant::now();
        loop {
            self.take_reports();
            if self.outstanding() == 0 {
                return Ok(());
            }
            if begun.elapsed() >= limit {
                let why = self.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
                let message = format!("{} records were not delivered within {} ms{why}", self.outstanding(), limit.as_millis());
                return Err(KafkaError {
                    class: class_of(TIMED_OUT),
                    code: TIMED_OUT,
                    name: described(TIMED_OUT).0,
                    message,
                    partition: None,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// For questions about topics, through the same connections.
    pub(super) fn admin(&self) -> Arc<Admin> {
        self.sender.admin()
    }

    fn take_reports(&mut self) {
        if let Some(fault) = self.sender.reports(&mut self.deliveries) {
            self.fault = Some(fault);
        }
    }
}

/// Makes `topic`, with one partition, unless it is there; whether it did. Waits, and says so in the log, as long as brokers do not
/// answer, until `given_up`: call it where waiting is allowed.
///
/// # Errors
/// The settings' faults, or why brokers do not make it.
pub fn create_topic(
    settings: &ConsumerSettings,
    topic: &str,
    replication: i16,
    given_up: &dyn Fn() -> bool,
) -> Result<bool, KafkaError> {
    if !settings.faults.is_empty() {
        return Err(KafkaError::configuration(settings.faults.to_string()));
    }
    let admin = Admin::new(settings)?;
    loop {
        let made = admin.has_topic(topic, ANSWER).and_then(|there| match there {
            true => Ok(false),
            false => {
                let made = admin.create_topic(topic, 1, replication, [], ANSWER);
                made.map_err(|error| match &settings.event_hubs {
                    Some(hubs) => hubs.not_made(error, topic, 1, false),
                    None => error,
                })
            }
        });
        match made {
            Err(error) if error.class == Class::Retriable && !given_up() => {
                tracing::warn!("cannot look whether topic {topic} is there, or make it: {error}; trying again");
                thread::sleep(ASK_AGAIN);
            }
            made => return made,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow_array::Array as _;
    use landfall_api::{Properties, TopicPartition};

    use super::*;
    use crate::kafka::{Consumer, MockCluster, Start, consumer_properties, dead_letter_admin_properties};

    fn producer(bootstrap: &str, more: &[(&str, &str)]) -> Producer {
        let settings = [("bootstrap.servers", bootstrap), ("enable.idempotence", "true"), ("linger.ms", "1")];
        Producer::new(settings.into_iter().chain(more.iter().copied()).collect::<Settings<'_>>()).expect("settings")
    }

    #[tokio::test]
    async fn records_arrive_whole_and_in_order() {
        let cluster = MockCluster::start().expect("a mock cluster");
        cluster.create_topic("t", 2).expect("a topic");
        let mut producer = producer(&cluster.bootstrap_servers(), &[]);
        let headers = [("h", Some(&b"1"[..])), ("none", None)];
        let whole = Record {
            topic: "t",
            partition: Some(1),
            key: Some(b"k"),
            value: Some(b"v"),
            headers: &headers,
            timestamp: Some(1_234),
        };
        let tombstone = Record { value: None, headers: &[], ..whole };
        let empty = Record { key: None, value: Some(b""), headers: &[], ..whole };
        let nowhere = Record { partition: Some(9), ..whole };
        assert_eq!(producer.send([(7, whole), (8, tombstone), (9, empty), (10, nowhere)]), 4);
        producer.flush(Duration::from_secs(20)).await.expect("delivered");
        let (refused, delivered): (Vec<_>, Vec<_>) = producer.deliveries().into_iter().partition(|d| d.id == 10);
        let offsets: BTreeMap<_, _> = delivered.into_iter().map(|d| (d.id, d.result.expect("an offset"))).collect();
        assert_eq!(offsets, [(7, 0), (8, 1), (9, 2)].into());
        assert_eq!(refused[0].result.as_ref().expect_err("no such partition").name, "_UNKNOWN_PARTITION");

        let worker: Properties = [("bootstrap.servers".to_owned(), cluster.bootstrap_servers())].into();
        let mut consumer = Consumer::new(&consumer_properties(&worker, &Properties::new(), "c", 0, 1 << 20)).expect("a consumer");
        let origin = TopicPartition::new("t", 1);
        consumer.assign(&[(origin.clone(), Start::At(0))]).expect("assigned");
        let begun = Instant::now();
        let mut batches = Vec::new();
        while batches.iter().map(|b: &landfall_api::RawBatch| b.len()).sum::<usize>() < 3 {
            assert!(begun.elapsed() < Duration::from_secs(20), "records to fetch");
            batches.extend(consumer.poll(Duration::from_millis(100)).batches.into_iter().map(|f| f.batch));
        }
        let raw = &batches[0];
        assert_eq!((raw.len(), &raw.origin, raw.timestamp.value(0)), (3, &origin, 1_234));
        assert_eq!((raw.key.value(0), raw.value.value(0)), (&b"k"[..], &b"v"[..]));
        assert!(raw.value.is_null(1) && !raw.value.is_null(2) && raw.key.is_null(2));
        assert!(raw.headers.as_ref().is_some_and(|h| h.len() == 3));
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more() {
        let mut producer = producer("127.0.0.1:1", &[("queue.buffering.max.messages", "2")]);
        let record = Record { topic: "t", value: Some(b"v"), ..Record::default() };
        assert_eq!(producer.send((0..5).map(|id| (id, record))), 2);
        let error = producer.flush(Duration::from_millis(200)).await.expect_err("no broker");
        assert!(error.message.starts_with("2 records were not delivered within 200 ms"), "{error}");
        assert!(!error.is_fatal());
        assert_eq!((producer.outstanding(), producer.deliveries()), (2, vec![]));
    }

    #[test]
    fn a_topic_that_is_there_is_not_made() {
        let cluster = MockCluster::start().expect("a mock cluster");
        cluster.create_topic("dlq", 3).expect("a topic");
        let worker: Properties = [("bootstrap.servers".to_owned(), cluster.bootstrap_servers())].into();
        let settings = dead_letter_admin_properties(&worker, &Properties::new(), "c", 0);
        assert_eq!(create_topic(&settings, "dlq", 3, &|| false), Ok(false));
    }

    #[test]
    fn a_bad_setting_is_named_without_its_value() {
        let error = Producer::new([("linger.ms", "pssst")]).expect_err("not a number");
        assert!(error.message.contains("linger.ms") && !error.message.contains("pssst"), "{error}");
    }
}
