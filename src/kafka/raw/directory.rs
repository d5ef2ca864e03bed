//! Questions about topics, asked beside a consumer through its own connections.

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_api::TopicId;
use rdkafka_sys as rd;

use super::{Alive, check, error, milliseconds, owned, text, timed_out};
use crate::kafka::error::KafkaError;
use crate::kafka::topics::UNKNOWN_TOPIC;

/// A consumer's brokers, asked about their topics. Its calls wait for the answer: they are for threads that may.
#[derive(Clone)]
pub(in crate::kafka) struct Directory(Arc<Alive>);

impl Directory {
    pub(super) const fn new(client: Arc<Alive>) -> Self {
        Self(client)
    }

    /// Every topic that the consumer may see, each with its error code: 0 if there is nothing wrong with it.
    pub(in crate::kafka) fn topics(&self, timeout: Duration) -> Result<Vec<(String, i32)>, KafkaError> {
        topics(self.0.rk, timeout)
    }

    /// The ids of those of `topics` that exist and whose broker gives ids.
    pub(in crate::kafka) fn ids(&self, topics: &[&str], timeout: Duration) -> Result<Vec<(String, TopicId)>, KafkaError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let begun = Instant::now();
        let broker = broker(self.0.rk, timeout)?;
        let timeout = timeout.saturating_sub(begun.elapsed());
        let names: Vec<CString> = topics.iter().filter_map(|topic| CString::new(*topic).ok()).collect();
        let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let rk = self.0.rk.as_ptr();
        // SAFETY: the names live until they are copied into the collection; collection, options, queue and event are ours. What
        // is read belongs to the event.
        unsafe {
            let collection = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            let options = rd::rd_kafka_AdminOptions_new(rk, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
            // Any broker can tell. Left to itself, the client waits for the controller, which the embedded broker does not name.
            rd::rd_kafka_AdminOptions_set_broker(options, broker, ptr::null_mut(), 0);
            let queue = rd::rd_kafka_queue_new(rk);
            rd::rd_kafka_DescribeTopics(rk, collection, options, queue);
            let event = rd::rd_kafka_queue_poll(queue, milliseconds(timeout));
            let answer = if event.is_null() {
                Err(timed_out(format!("topics were not described within {} ms", timeout.as_millis())))
            } else {
                described(event)
            };
            rd::rd_kafka_event_destroy(event);
            rd::rd_kafka_queue_destroy(queue);
            rd::rd_kafka_AdminOptions_destroy(options);
            rd::rd_kafka_TopicCollection_destroy(collection);
            answer
        }
    }
}

/// The number of a broker that answers.
pub(super) fn broker(rk: NonNull<rd::rd_kafka_t>, timeout: Duration) -> Result<i32, KafkaError> {
    let mut metadata = ptr::null();
    // SAFETY: the metadata is ours when there is no error.
    unsafe {
        check(rd::rd_kafka_metadata(rk.as_ptr(), 0, ptr::null_mut(), &raw mut metadata, milliseconds(timeout)))?;
        let broker = (*metadata).orig_broker_id;
        rd::rd_kafka_metadata_destroy(metadata);
        Ok(broker)
    }
}

/// Every topic that the client `rk` may see, each with its error code.
pub(super) fn topics(rk: NonNull<rd::rd_kafka_t>, timeout: Duration) -> Result<Vec<(String, i32)>, KafkaError> {
    let mut metadata = ptr::null();
    // SAFETY: the metadata is ours when there is no error; it has topic_cnt topics. Codes are read as numbers, see `read`.
    unsafe {
        check(rd::rd_kafka_metadata(rk.as_ptr(), 1, ptr::null_mut(), &raw mut metadata, milliseconds(timeout)))?;
        let topics = slice::from_raw_parts((*metadata).topics, (*metadata).topic_cnt as usize);
        let topics = topics.iter().map(|t| (owned(text(t.topic)), (&raw const t.err).cast::<i32>().read())).collect();
        rd::rd_kafka_metadata_destroy(metadata);
        Ok(topics)
    }
}

/// The numbers of the partitions of `topic`, in order, as the client `rk` may see them; none if there is no such topic. Brokers that
/// make topics by themselves may make it then.
pub(super) fn partitions(rk: NonNull<rd::rd_kafka_t>, topic: &str, timeout: Duration) -> Result<Vec<i32>, KafkaError> {
    let name = CString::new(topic).map_err(|_| KafkaError::configuration(format!("{topic:?} cannot be a topic")))?;
    let mut metadata = ptr::null();
    // SAFETY: the name is copied, and the topic is ours; so is the metadata when there is no error. It has topic_cnt topics, each with
    // partition_cnt partitions. Codes are read as numbers, see `read`.
    unsafe {
        let rkt = rd::rd_kafka_topic_new(rk.as_ptr(), name.as_ptr(), ptr::null_mut());
        if rkt.is_null() {
            return Err(error(rd::rd_kafka_last_error() as i32));
        }
        let answer = check(rd::rd_kafka_metadata(rk.as_ptr(), 0, rkt, &raw mut metadata, milliseconds(timeout)));
        rd::rd_kafka_topic_destroy(rkt);
        answer?;
        let topics = slice::from_raw_parts((*metadata).topics, (*metadata).topic_cnt as usize);
        let code = topics.iter().map(|topic| (&raw const topic.err).cast::<i32>().read()).find(|code| *code != 0);
        let partitions = topics.iter().flat_map(|topic| slice::from_raw_parts(topic.partitions, topic.partition_cnt as usize));
        let mut partitions: Vec<_> = partitions.map(|partition| partition.id).collect();
        rd::rd_kafka_metadata_destroy(metadata);
        partitions.sort_unstable();
        match code {
            None => Ok(partitions),
            Some(UNKNOWN_TOPIC) => Ok(Vec::new()),
            Some(code) => Err(error(code)),
        }
    }
}

/// The ids that the answer to DescribeTopics has.
///
/// # Safety
/// `event` is one.
unsafe fn described(event: *mut rd::rd_kafka_event_t) -> Result<Vec<(String, TopicId)>, KafkaError> {
    // SAFETY: as the caller promises; the result has count topics, which live as long as the event.
    unsafe {
        let code = rd::rd_kafka_event_error(event) as i32;
        if code != 0 {
            return Err(KafkaError { message: owned(text(rd::rd_kafka_event_error_string(event))), ..error(code) });
        }
        let mut count = 0;
        let topics = rd::rd_kafka_DescribeTopics_result_topics(rd::rd_kafka_event_DescribeTopics_result(event), &raw mut count);
        let id = |topic: *const rd::rd_kafka_TopicDescription_t| {
            let id = rd::rd_kafka_TopicDescription_topic_id(topic);
            if rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(topic)) as i32 != 0 || id.is_null() {
                return None;
            }
            let high = rd::rd_kafka_Uuid_most_significant_bits(id) as u64;
            let low = rd::rd_kafka_Uuid_least_significant_bits(id) as u64;
            let id = TopicId::new(u128::from(high) << 64 | u128::from(low))?;
            Some((owned(text(rd::rd_kafka_TopicDescription_name(topic))), id))
        };
        Ok((0..count).filter_map(|i| id(*topics.add(i))).collect())
    }
}
