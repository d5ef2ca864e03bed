//! A message of librdkafka, looked at without a copy.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

use landfall_api::TopicPartition;
use rdkafka_sys as rd;

use super::{error, owned, text};
use crate::kafka::error::KafkaError;

/// A message while it is being copied.
#[derive(Clone, Copy)]
pub(in crate::kafka) struct Message<'a> {
    message: NonNull<rd::rd_kafka_message_t>,
    lives: PhantomData<&'a rd::rd_kafka_message_t>,
}

impl<'a> Message<'a> {
    /// # Safety
    /// `message` lives for `'a`, and so does what it points to.
    pub(in crate::kafka) const unsafe fn new(message: NonNull<rd::rd_kafka_message_t>) -> Self {
        Self { message, lives: PhantomData }
    }

    /// What librdkafka has to say in place of a record.
    pub(in crate::kafka) fn error(self) -> Option<KafkaError> {
        // SAFETY: the message lives; the code is read as a number, see `read`.
        let code = unsafe { (&raw const (*self.message.as_ptr()).err).cast::<i32>().read() };
        if code == 0 {
            return None;
        }
        // SAFETY: the message lives.
        let message = unsafe { owned(text(rd::rd_kafka_message_errstr(self.message.as_ptr()))) };
        let topic = self.topic();
        let partition = (!topic.is_empty()).then(|| TopicPartition::new(owned(topic), self.partition()));
        Some(KafkaError { message, partition, ..error(code) })
    }

    /// Identifies the topic within one poll.
    pub(in crate::kafka) fn topic_id(self) -> usize {
        // SAFETY: the message lives.
        unsafe { (*self.message.as_ptr()).rkt as usize }
    }

    /// The topic's name; empty if the message is about none.
    pub(in crate::kafka) fn topic(self) -> &'a [u8] {
        // SAFETY: the message holds its topic, and the topic its name.
        unsafe {
            let topic = (*self.message.as_ptr()).rkt;
            if topic.is_null() { &[] } else { text(rd::rd_kafka_topic_name(topic)) }
        }
    }

    pub(in crate::kafka) fn partition(self) -> i32 {
        // SAFETY: the message lives.
        unsafe { (*self.message.as_ptr()).partition }
    }

    pub(in crate::kafka) fn offset(self) -> i64 {
        // SAFETY: the message lives.
        unsafe { (*self.message.as_ptr()).offset }
    }

    /// The epoch of the leader that took the record, if brokers tell.
    pub(in crate::kafka) fn leader_epoch(self) -> Option<i32> {
        // SAFETY: the message lives.
        let epoch = unsafe { rd::rd_kafka_message_leader_epoch(self.message.as_ptr()) };
        (epoch >= 0).then_some(epoch)
    }

    pub(in crate::kafka) fn key(self) -> Option<&'a [u8]> {
        // SAFETY: the message lives, and key has key_len bytes.
        unsafe {
            let m = self.message.as_ptr();
            (!(*m).key.is_null()).then(|| slice::from_raw_parts((*m).key.cast(), (*m).key_len))
        }
    }

    pub(in crate::kafka) fn value(self) -> Option<&'a [u8]> {
        // SAFETY: the message lives, and payload has len bytes.
        unsafe {
            let m = self.message.as_ptr();
            (!(*m).payload.is_null()).then(|| slice::from_raw_parts((*m).payload.cast(), (*m).len))
        }
    }

    /// The bytes of key, value and headers.
    pub(in crate::kafka) fn bytes(self) -> usize {
        let mut bytes = self.key().unwrap_or_default().len() + self.value().unwrap_or_default().len();
        self.headers(|key, value| bytes += key.len() + value.unwrap_or_default().len());
        bytes
    }

    /// Milliseconds since the epoch.
    pub(in crate::kafka) fn timestamp(self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives.
        let ms = unsafe { rd::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        (kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms >= 0).then_some(ms)
    }

    /// Whether it is plain that there is no header. librdkafka allocates and parses to find that out, for each record.
    fn is_bare(self) -> bool {
        let m = self.message.as_ptr();
        // SAFETY: the message lives, and payload has len bytes. Of the record formats only 2 has a leader's epoch, and it has the number
        // of a record's headers right after the value, in the same response of a broker or what was unpacked of it.
        unsafe {
            let value = (*m).payload.cast::<u8>();
            // librdkafka has an empty value elsewhere
            !value.is_null() && (*m).len > 0 && self.leader_epoch().is_some() && *value.add((*m).len) == 0
        }
    }

    /// Calls `each` with key and value of every header; whether there are any.
    pub(in crate::kafka) fn headers(self, mut each: impl FnMut(&'a [u8], Option<&'a [u8]>)) -> bool {
        if self.is_bare() {
            return false;
        }
        let mut headers = ptr::null_mut();
        // SAFETY: the message lives and keeps the headers; each value has size bytes.
        unsafe {
            if rd::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) as i32 != 0 {
                return false;
            }
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            for at in 0.. {
                if rd::rd_kafka_header_get_all(headers, at, &raw mut name, &raw mut value, &raw mut size) as i32 != 0 {
                    return at > 0;
                }
                each(text(name), (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), size)));
            }
        }
        true
    }
}
