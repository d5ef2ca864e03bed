//! A consumer that belongs to no group and reads a topic from its beginning on.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka_sys as rd;

use super::events::Events;
use super::{Message, Queue, Settings, Waker, error, lock, milliseconds};
use crate::kafka::error::KafkaError;

/// How many messages one batch call takes.
const CHUNK: usize = 128;

/// A consumer of all partitions of a topic. One thread at a time: batch calls need `&mut`.
pub(in crate::kafka) struct Follower {
    client: Events,
    topic: NonNull<rd::rd_kafka_topic_t>,
    /// Those that were started.
    partitions: Vec<i32>,
    queue: NonNull<rd::rd_kafka_queue_t>,
    waker: Waker,
}

// SAFETY: the pointers are to objects that librdkafka locks inside.
unsafe impl Send for Follower {}

impl Follower {
    /// A consumer with `settings`, which are named in errors without their values, of `partitions` of `topic`. Connects in the
    /// background.
    pub(in crate::kafka) fn new<'a>(
        settings: impl Into<Settings<'a>>,
        topic: &str,
        partitions: &[i32],
    ) -> Result<Self, KafkaError> {
        let name = CString::new(topic).map_err(|_| KafkaError::configuration(format!("{topic:?} cannot be a topic")))?;
        let client = Events::consumer(settings)?;
        let rk = client.rk.as_ptr();
        // SAFETY: the name is copied; topic and queue are ours, and are destroyed before the client.
        unsafe {
            let Some(topic) = NonNull::new(rd::rd_kafka_topic_new(rk, name.as_ptr(), ptr::null_mut())) else {
                return Err(error(rd::rd_kafka_last_error() as i32));
            };
            // librdkafka aborts rather than give null
            let queue = NonNull::new_unchecked(rd::rd_kafka_queue_new(rk));
            let waker = Waker(Arc::new(Mutex::new(Some(Queue(queue)))));
            let mut follower = Self { client, topic, partitions: Vec::new(), queue, waker };
            for partition in partitions {
                let beginning = i64::from(rd::RD_KAFKA_OFFSET_BEGINNING);
                if rd::rd_kafka_consume_start_queue(topic.as_ptr(), *partition, beginning, queue.as_ptr()) != 0 {
                    return Err(error(rd::rd_kafka_last_error() as i32));
                }
                follower.partitions.push(*partition);
            }
            Ok(follower)
        }
    }

    /// Ends a waiting [`poll`](Self::poll) from another thread.
    pub(in crate::kafka) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Waits up to `wait` for a first message, then gives `each` what is queued already, errors and ends of partitions among it.
    pub(in crate::kafka) fn poll(&mut self, wait: Duration, mut each: impl FnMut(Message<'_>)) {
        for fault in self.client.take(|_| {}) {
            tracing::debug!(target: "librdkafka", "{fault}");
        }
        let mut buffer = [ptr::null_mut(); CHUNK];
        // The batch call waits until its array is full: so the call that waits asks for one.
        let (mut size, mut wait) = (1, milliseconds(wait));
        loop {
            // SAFETY: the queue lives as long as self, and the buffer has CHUNK slots.
            let taken = unsafe { rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, buffer.as_mut_ptr(), size) };
            let taken = usize::try_from(taken).unwrap_or(0);
            for slot in &buffer[..taken] {
                if let Some(message) = NonNull::new(*slot) {
                    // SAFETY: the call gave the message to us; no borrow of it outlives `each`.
                    unsafe {
                        each(Message::new(message));
                        rd::rd_kafka_message_destroy(message.as_ptr());
                    }
                }
            }
            if taken < size {
                return;
            }
            (size, wait) = (CHUNK, 0);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // SAFETY: librdkafka wants partitions stopped, then topics and queues destroyed, then the client, which `Events` does. No
        // waker has the queue any more.
        unsafe {
            for partition in &self.partitions {
                rd::rd_kafka_consume_stop(self.topic.as_ptr(), *partition);
            }
            rd::rd_kafka_topic_destroy(self.topic.as_ptr());
            if let Some(queue) = lock(&self.waker.0).take() {
                rd::rd_kafka_queue_destroy(queue.0.as_ptr());
            }
        }
    }
}
