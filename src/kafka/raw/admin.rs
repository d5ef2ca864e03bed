//! A client that makes topics.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::time::Duration;

use rdkafka_sys as rd;

use super::directory::topics;
use super::events::Events;
use super::{error, milliseconds, owned, text, timed_out};
use crate::kafka::error::{Class, KafkaError};

/// TOPIC_ALREADY_EXISTS.
const EXISTS: i32 = 36;
/// REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_CONTROLLER, THROTTLING_QUOTA_EXCEEDED: of a topic's errors those that pass.
const PASSING: [i32; 4] = [7, 13, 41, 89];

/// A client for changes. Its calls wait for the answer: they are for threads that may.
pub(in crate::kafka) struct Admin(Events);

impl Admin {
    /// A client with `settings`, which are named in errors without their values. Connects in the background.
    pub(in crate::kafka) fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KafkaError> {
        Events::new(settings, 0).map(Self)
    }

    /// Whether there is a topic `name` that the client may see.
    pub(in crate::kafka) fn has_topic(&self, name: &str, timeout: Duration) -> Result<bool, KafkaError> {
        Ok(topics(self.0.rk, timeout)?.iter().any(|(topic, _)| topic == name))
    }

    /// Makes the topic `name`; no harm if it is there.
    pub(in crate::kafka) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replication: i16,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let name = CString::new(name).map_err(|_| KafkaError::configuration(format!("{name:?} cannot be a topic")))?;
        let rk = self.0.rk.as_ptr();
        let mut reason = [0 as c_char; 512];
        // SAFETY: the name is copied; topic, options, queue and event are ours. What is read belongs to the event.
        unsafe {
            let replication = c_int::from(replication);
            let topic = rd::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replication, reason.as_mut_ptr(), reason.len());
            if topic.is_null() {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            }
            let options = rd::rd_kafka_AdminOptions_new(rk, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
            rd::rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
            let queue = rd::rd_kafka_queue_new(rk);
            let mut topics = [topic];
            rd::rd_kafka_CreateTopics(rk, topics.as_mut_ptr(), topics.len(), options, queue);
            let event = rd::rd_kafka_queue_poll(queue, milliseconds(timeout));
            let answer = if event.is_null() {
                Err(timed_out(format!("the topic was not made within {} ms", timeout.as_millis())))
            } else {
                created(event)
            };
            rd::rd_kafka_event_destroy(event);
            rd::rd_kafka_queue_destroy(queue);
            rd::rd_kafka_AdminOptions_destroy(options);
            rd::rd_kafka_NewTopic_destroy(topic);
            answer
        }
    }
}

/// What the answer to CreateTopics says of its one topic.
///
/// # Safety
/// `event` is one.
unsafe fn created(event: *mut rd::rd_kafka_event_t) -> Result<(), KafkaError> {
    // SAFETY: as the caller promises; the result has count topics, which live as long as the event. Codes are read as numbers.
    unsafe {
        let code = rd::rd_kafka_event_error(event) as i32;
        if code != 0 {
            return Err(KafkaError { message: owned(text(rd::rd_kafka_event_error_string(event))), ..error(code) });
        }
        let mut count = 0;
        let topics = rd::rd_kafka_CreateTopics_result_topics(rd::rd_kafka_event_CreateTopics_result(event), &raw mut count);
        for at in 0..count {
            let topic = *topics.add(at);
            let code = rd::rd_kafka_topic_result_error(topic) as i32;
            if code != 0 && code != EXISTS {
                let class = if PASSING.contains(&code) { Class::Retriable } else { Class::Fatal };
                let said = owned(text(rd::rd_kafka_topic_result_error_string(topic)));
                let message = if said.is_empty() { error(code).message } else { said };
                return Err(KafkaError { class, message, ..error(code) });
            }
        }
        Ok(())
    }
}
