//! A client that belongs to no group, and the events of its queue.

use std::ffi::{c_char, c_int};
use std::ptr::{self, NonNull};
use std::thread;

use rdkafka_sys as rd;

use super::login::Login;
use super::{Conf, Settings, error, owned, text};
use crate::kafka::error::KafkaError;

/// A client that connects in the background, again and again, and leaves what happens in its queue.
pub(super) struct Events {
    pub(super) rk: NonNull<rd::rd_kafka_t>,
    login: Option<Login>,
    queue: NonNull<rd::rd_kafka_queue_t>,
}

// SAFETY: the pointers are to objects that librdkafka locks inside.
unsafe impl Send for Events {}
// SAFETY: as above.
unsafe impl Sync for Events {}

impl Events {
    /// A client with `settings`, which are named in errors without their values. Of the events besides errors and lines of the log it
    /// leaves those of `kinds`.
    pub(super) fn new<'a>(settings: impl Into<Settings<'a>>, kinds: c_int) -> Result<Self, KafkaError> {
        // of the two kinds of client the one that looks for no group
        Self::of_kind(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, settings, kinds)
    }

    /// A consumer with `settings`, which name no group: it is told what to read.
    pub(super) fn consumer<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        Self::of_kind(rd::rd_kafka_type_t::RD_KAFKA_CONSUMER, settings, 0)
    }

    fn of_kind<'a>(kind: rd::rd_kafka_type_t, settings: impl Into<Settings<'a>>, kinds: c_int) -> Result<Self, KafkaError> {
        let settings = settings.into();
        let conf = Conf::new(settings.pairs)?;
        let mut reason = [0 as c_char; 512];
        // SAFETY: rd_kafka_new takes conf over only when it succeeds. A client always has a main queue.
        unsafe {
            rd::rd_kafka_conf_set_events(conf.0.as_ptr(), rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_LOG | kinds);
            let rk = rd::rd_kafka_new(kind, conf.0.as_ptr(), reason.as_mut_ptr(), reason.len());
            let Some(rk) = NonNull::new(rk) else {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            };
            std::mem::forget(conf);
            rd::rd_kafka_set_log_queue(rk.as_ptr(), ptr::null_mut());
            let login = settings.tokens.map(|tokens| Login::begin(rk, tokens));
            Ok(Self { rk, login, queue: NonNull::new_unchecked(rd::rd_kafka_queue_get_main(rk.as_ptr())) })
        }
    }

    /// Calls `each` with every event of the kinds that were asked for, and gives the errors. Lines of the log go to the log. Does not
    /// wait.
    pub(super) fn take(&self, mut each: impl FnMut(*mut rd::rd_kafka_event_t)) -> Vec<KafkaError> {
        let mut errors = Vec::new();
        // SAFETY: events are ours and destroyed after they were read; their texts live as long.
        unsafe {
            while let Some(event) = NonNull::new(rd::rd_kafka_queue_poll(self.queue.as_ptr(), 0)) {
                let event = event.as_ptr();
                match rd::rd_kafka_event_type(event) {
                    rd::RD_KAFKA_EVENT_ERROR => {
                        let message = owned(text(rd::rd_kafka_event_error_string(event)));
                        errors.push(KafkaError { message, ..error(rd::rd_kafka_event_error(event) as i32) });
                    }
                    rd::RD_KAFKA_EVENT_LOG => log(event),
                    _ => each(event),
                }
                rd::rd_kafka_event_destroy(event);
            }
        }
        errors
    }
}

/// Passes a line of librdkafka's log on.
///
/// # Safety
/// `event` is a valid event.
unsafe fn log(event: *mut rd::rd_kafka_event_t) {
    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0 as c_int);
    // SAFETY: as the caller promises; the texts live as long as the event.
    unsafe {
        if rd::rd_kafka_event_log(event, &raw mut facility, &raw mut line, &raw mut level) == 0 {
            tracing::debug!(target: "librdkafka", "{}: {}", owned(text(facility)), owned(text(line)));
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(login) = &self.login {
            login.end();
        }
        // SAFETY: librdkafka wants queues destroyed first.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
        let ended = Ended(self.rk);
        // A request without an answer holds the end up. Nobody has to wait for that.
        let _ = thread::Builder::new().name("left-client".into()).spawn(move || drop(ended));
    }
}

/// A client that nobody uses any more. Dropped, it is destroyed, which waits for librdkafka's threads.
struct Ended(NonNull<rd::rd_kafka_t>);

// SAFETY: any thread may destroy a client that no other uses.
unsafe impl Send for Ended {}

impl Drop for Ended {
    fn drop(&mut self) {
        // SAFETY: the client is used by nobody else, and its queue is destroyed.
        unsafe { rd::rd_kafka_destroy(self.0.as_ptr()) }
    }
}
