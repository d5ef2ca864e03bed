//! A client that belongs to no group and only asks the brokers who they are.

use std::ffi::{c_char, c_int};
use std::ptr::{self, NonNull};

use rdkafka_sys as rd;

use super::{Conf, owned, text};
use crate::kafka::error::KafkaError;

/// A client that connects in the background, again and again, until a broker has answered.
pub(in crate::kafka) struct Inquiry {
    rk: NonNull<rd::rd_kafka_t>,
    queue: NonNull<rd::rd_kafka_queue_t>,
}

// SAFETY: the pointers are to objects that librdkafka locks inside.
unsafe impl Send for Inquiry {}

impl Inquiry {
    /// A client with `settings`, which are named in errors without their values.
    pub(in crate::kafka) fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KafkaError> {
        let conf = Conf::new(settings)?;
        let mut reason = [0 as c_char; 512];
        // SAFETY: rd_kafka_new takes conf over only when it succeeds. A producer always has a main queue.
        unsafe {
            rd::rd_kafka_conf_set_events(conf.0.as_ptr(), rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_LOG);
            // of the two kinds of client the one that looks for no group
            let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            let rk = rd::rd_kafka_new(kind, conf.0.as_ptr(), reason.as_mut_ptr(), reason.len());
            let Some(rk) = NonNull::new(rk) else {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            };
            std::mem::forget(conf);
            rd::rd_kafka_set_log_queue(rk.as_ptr(), ptr::null_mut());
            Ok(Self { rk, queue: NonNull::new_unchecked(rd::rd_kafka_queue_get_main(rk.as_ptr())) })
        }
    }

    /// The id of the brokers' cluster, once one of them has told it. Does not wait.
    pub(in crate::kafka) fn cluster_id(&self) -> Option<String> {
        // SAFETY: the text is ours, or null.
        unsafe {
            let id = rd::rd_kafka_clusterid(self.rk.as_ptr(), 0);
            let found = (!id.is_null()).then(|| owned(text(id)));
            rd::rd_kafka_mem_free(self.rk.as_ptr(), id.cast());
            found
        }
    }

    /// What went wrong since the last call, the latest last. Does not wait.
    pub(in crate::kafka) fn faults(&self) -> Vec<(i32, String)> {
        let mut faults = Vec::new();
        // SAFETY: events are ours and destroyed after they were read; their texts are C strings that live as long.
        unsafe {
            while let Some(event) = NonNull::new(rd::rd_kafka_queue_poll(self.queue.as_ptr(), 0)) {
                let event = event.as_ptr();
                if rd::rd_kafka_event_type(event) == rd::RD_KAFKA_EVENT_ERROR {
                    faults.push(((rd::rd_kafka_event_error(event)) as i32, owned(text(rd::rd_kafka_event_error_string(event)))));
                } else {
                    log(event);
                }
                rd::rd_kafka_event_destroy(event);
            }
        }
        faults
    }
}

/// Passes a line of librdkafka's log on; does nothing with another event.
///
/// # Safety
/// `event` is a valid event.
pub(super) unsafe fn log(event: *mut rd::rd_kafka_event_t) {
    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0 as c_int);
    // SAFETY: as the caller promises; the texts live as long as the event.
    unsafe {
        if rd::rd_kafka_event_log(event, &raw mut facility, &raw mut line, &raw mut level) == 0 {
            tracing::debug!(target: "librdkafka", "{}: {}", owned(text(facility)), owned(text(line)));
        }
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        // SAFETY: librdkafka wants queues destroyed first.
        unsafe {
            rd::rd_kafka_queue_destroy(self.queue.as_ptr());
            rd::rd_kafka_destroy(self.rk.as_ptr());
        }
    }
}
