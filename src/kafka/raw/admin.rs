//! A client that makes topics and tells of them.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::time::{Duration, Instant};

use landfall_api::TopicPartition;
use rdkafka_sys as rd;

use super::directory::{broker, partitions, topics};
use super::events::Events;
use super::list::List;
use super::{Settings, error, first_fault, milliseconds, owned, text, timed_out};
use crate::kafka::error::{Class, KafkaError};

/// TOPIC_ALREADY_EXISTS.
const EXISTS: i32 = 36;
/// REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_CONTROLLER, THROTTLING_QUOTA_EXCEEDED: of a topic's errors those that pass.
const PASSING: [i32; 4] = [7, 13, 41, 89];

/// A client for changes. Its calls wait for the answer: they are for threads that may.
pub(in crate::kafka) struct Admin(pub(super) Events);

impl Admin {
    /// A client with `settings`, which are named in errors without their values. Connects in the background.
    pub(in crate::kafka) fn new<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        Events::new(settings, 0).map(Self)
    }

    /// Whether there is a topic `name` that the client may see.
    pub(in crate::kafka) fn has_topic(&self, name: &str, timeout: Duration) -> Result<bool, KafkaError> {
        Ok(topics(self.0.rk, timeout)?.iter().any(|(topic, _)| topic == name))
    }

    /// The numbers of the partitions of the topic `name`, in order; none if there is no such topic, which brokers may make then.
    pub(in crate::kafka) fn partitions(&self, name: &str, timeout: Duration) -> Result<Vec<i32>, KafkaError> {
        partitions(self.0.rk, name, timeout)
    }

    /// Makes the topic `name` with `settings`; false if it is there already. A number of -1 is the brokers' own.
    pub(in crate::kafka) fn create_topic<'a>(
        &self,
        name: &str,
        partitions: i32,
        replication: i16,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
        timeout: Duration,
    ) -> Result<bool, KafkaError> {
        let name = CString::new(name).map_err(|_| KafkaError::configuration(format!("{name:?} cannot be a topic")))?;
        let text_of = |(key, value)| Ok((CString::new(key)?, CString::new(value)?));
        let settings = settings.into_iter().map(text_of).collect::<Result<Vec<_>, std::ffi::NulError>>();
        let settings = settings.map_err(|_| KafkaError::configuration("a setting of a topic has a NUL character"))?;
        let mut reason = [0 as c_char; 512];
        // SAFETY: the texts are copied; the topic is ours. What is read belongs to the event, which is a result of CreateTopics.
        unsafe {
            let replication = c_int::from(replication);
            let topic = rd::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replication, reason.as_mut_ptr(), reason.len());
            if topic.is_null() {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            }
            for (key, value) in &settings {
                rd::rd_kafka_NewTopic_set_config(topic, key.as_ptr(), value.as_ptr());
            }
            let what = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
            let answer = self.ask(what, timeout, "the topic was not made", |options, queue| {
                rd::rd_kafka_CreateTopics(self.0.rk.as_ptr(), [topic].as_mut_ptr(), 1, options, queue);
            });
            let made = answer.and_then(|event| created(event.0));
            rd::rd_kafka_NewTopic_destroy(topic);
            made
        }
    }

    /// A setting of the topic `name`; None if brokers do not tell it.
    pub(in crate::kafka) fn topic_setting(&self, name: &str, key: &str, timeout: Duration) -> Result<Option<String>, KafkaError> {
        let name = CString::new(name).map_err(|_| KafkaError::configuration(format!("{name:?} cannot be a topic")))?;
        let begun = Instant::now();
        // Any broker can tell. Left to itself, the client waits for the controller, which the embedded broker does not name.
        let broker = broker(self.0.rk, timeout)?;
        let timeout = timeout.saturating_sub(begun.elapsed());
        // SAFETY: the name is copied; the resource is ours. What is read belongs to the event: the result has resources, and each has
        // entries, whose texts live as long.
        unsafe {
            let resource = rd::rd_kafka_ConfigResource_new(rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, name.as_ptr());
            let what = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
            let answer = self.ask(what, timeout, "the topic's settings were not told", |options, queue| {
                rd::rd_kafka_AdminOptions_set_broker(options, broker, ptr::null_mut(), 0);
                rd::rd_kafka_DescribeConfigs(self.0.rk.as_ptr(), [resource].as_mut_ptr(), 1, options, queue);
            });
            rd::rd_kafka_ConfigResource_destroy(resource);
            let event = answer?;
            let mut count = 0;
            let result = rd::rd_kafka_event_DescribeConfigs_result(event.0);
            let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            for at in 0..count {
                let resource = *resources.add(at);
                let code = rd::rd_kafka_ConfigResource_error(resource) as i32;
                if code != 0 {
                    let message = owned(text(rd::rd_kafka_ConfigResource_error_string(resource)));
                    return Err(KafkaError { message, ..error(code) });
                }
                let mut count = 0;
                let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut count);
                for entry in (0..count).map(|at| *entries.add(at)) {
                    let value = rd::rd_kafka_ConfigEntry_value(entry);
                    if text(rd::rd_kafka_ConfigEntry_name(entry)) == key.as_bytes() && !value.is_null() {
                        return Ok(Some(owned(text(value))));
                    }
                }
            }
            Ok(None)
        }
    }

    /// The offset after the last record of each of `partitions`, of transactions that are open or were aborted too.
    pub(in crate::kafka) fn ends(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, i64)>, KafkaError> {
        const LATEST: i64 = -1;
        let list = List::new(partitions.iter().map(|partition| (partition, LATEST)));
        // SAFETY: the list is copied. What is read belongs to the event: the result has infos, and each has a partition.
        unsafe {
            let what = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
            let event = self.ask(what, timeout, "the end of the topic was not told", |options, queue| {
                rd::rd_kafka_ListOffsets(self.0.rk.as_ptr(), list.as_ptr(), options, queue);
            })?;
            let mut count = 0;
            let infos = rd::rd_kafka_ListOffsets_result_infos(rd::rd_kafka_event_ListOffsets_result(event.0), &raw mut count);
            let entry = |at| super::list::entry(rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at)));
            let entries: Vec<_> = (0..count).map(entry).collect();
            first_fault(&entries)?;
            Ok(entries.into_iter().map(|entry| (entry.partition, entry.offset)).collect())
        }
    }

    /// Asks what `send` sends, and waits for the answer.
    ///
    /// # Safety
    /// `send` starts an operation `what` with the options, and has its result put into the queue.
    unsafe fn ask(
        &self,
        what: rd::rd_kafka_admin_op_t,
        timeout: Duration,
        missing: &str,
        send: impl FnOnce(*mut rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Answer, KafkaError> {
        let rk = self.0.rk.as_ptr();
        // SAFETY: options, queue and event are ours. Options that an operation does not have are refused without harm.
        unsafe {
            let options = rd::rd_kafka_AdminOptions_new(rk, what);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
            rd::rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
            let queue = rd::rd_kafka_queue_new(rk);
            send(options, queue);
            let event = rd::rd_kafka_queue_poll(queue, milliseconds(timeout));
            rd::rd_kafka_queue_destroy(queue);
            rd::rd_kafka_AdminOptions_destroy(options);
            if event.is_null() {
                return Err(timed_out(format!("{missing} within {} ms", timeout.as_millis())));
            }
            let answer = Answer(event);
            match rd::rd_kafka_event_error(event) as i32 {
                0 => Ok(answer),
                code => Err(KafkaError { message: owned(text(rd::rd_kafka_event_error_string(event))), ..error(code) }),
            }
        }
    }
}

/// The event with the result of an operation.
struct Answer(*mut rd::rd_kafka_event_t);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and nothing that belongs to it is used any more.
        unsafe { rd::rd_kafka_event_destroy(self.0) }
    }
}

/// What the answer to CreateTopics says of its one topic: whether it was made.
///
/// # Safety
/// `event` is one without an error of its own.
unsafe fn created(event: *mut rd::rd_kafka_event_t) -> Result<bool, KafkaError> {
    // SAFETY: as the caller promises; the result has count topics, which live as long as the event. Codes are read as numbers.
    unsafe {
        let mut count = 0;
        let topics = rd::rd_kafka_CreateTopics_result_topics(rd::rd_kafka_event_CreateTopics_result(event), &raw mut count);
        for at in 0..count {
            let topic = *topics.add(at);
            let code = rd::rd_kafka_topic_result_error(topic) as i32;
            if code == EXISTS {
                return Ok(false);
            }
            if code != 0 {
                let class = if PASSING.contains(&code) { Class::Retriable } else { Class::Fatal };
                let said = owned(text(rd::rd_kafka_topic_result_error_string(topic)));
                let message = if said.is_empty() { error(code).message } else { said };
                return Err(KafkaError { class, message, ..error(code) });
            }
        }
        Ok(true)
    }
}
