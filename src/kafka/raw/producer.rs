//! A producer whose delivery reports are events of its queue, taken when its owner wants them.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::thread;

use rdkafka_sys as rd;

use super::cluster::log;
use super::{Conf, check_object, error, owned, text};
use crate::kafka::error::KafkaError;
use crate::kafka::produce::{Delivery, Record};

/// The partition that stands for the one that the key's hash gives, as Java's producer would.
const ANY_PARTITION: i32 = -1;

/// A producer of librdkafka.
pub(in crate::kafka) struct Sender {
    rk: NonNull<rd::rd_kafka_t>,
    queue: NonNull<rd::rd_kafka_queue_t>,
    /// Names of topics as librdkafka takes them.
    topics: HashMap<String, CString>,
    /// Records whose delivery was not reported yet.
    outstanding: usize,
}

// SAFETY: the pointers are to objects that librdkafka locks inside.
unsafe impl Send for Sender {}

impl Sender {
    /// A producer with `settings`, which are named in errors without their values. Connects in the background.
    pub(in crate::kafka) fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KafkaError> {
        let conf = Conf::new(settings)?;
        let mut reason = [0 as c_char; 512];
        // SAFETY: rd_kafka_new takes conf over only when it succeeds. A producer always has a main queue.
        unsafe {
            let events = rd::RD_KAFKA_EVENT_DR | rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_LOG;
            rd::rd_kafka_conf_set_events(conf.0.as_ptr(), events);
            let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            let rk = rd::rd_kafka_new(kind, conf.0.as_ptr(), reason.as_mut_ptr(), reason.len());
            let Some(rk) = NonNull::new(rk) else {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            };
            std::mem::forget(conf);
            rd::rd_kafka_set_log_queue(rk.as_ptr(), ptr::null_mut());
            let queue = NonNull::new_unchecked(rd::rd_kafka_queue_get_main(rk.as_ptr()));
            Ok(Self { rk, queue, topics: HashMap::new(), outstanding: 0 })
        }
    }

    /// Copies `record` into the queue, to be reported under `id`; false if there is no room. Does not wait.
    pub(in crate::kafka) fn send(&mut self, id: usize, record: &Record<'_>) -> Result<bool, KafkaError> {
        use rd::rd_kafka_vtype_t::*;
        if !self.topics.contains_key(record.topic) {
            let name = CString::new(record.topic);
            let name = name.map_err(|_| KafkaError::configuration(format!("{:?} cannot be a topic", record.topic)))?;
            self.topics.insert(record.topic.to_owned(), name);
        }
        let names = record.headers.iter().map(|(name, _)| CString::new(*name)).collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|_| KafkaError::configuration("the name of a header has a NUL character"))?;
        let entry = |vtype, fill: &dyn Fn(&mut rd::rd_kafka_vu_s__bindgen_ty_1)| {
            let mut u = rd::rd_kafka_vu_s__bindgen_ty_1 { _pad: [0; 64] };
            fill(&mut u);
            rd::rd_kafka_vu_t { vtype, u }
        };
        let bytes = |bytes: Option<&[u8]>| rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
            ptr: bytes.map_or(ptr::null_mut(), |b| b.as_ptr().cast_mut().cast()),
            size: bytes.map_or(0, <[u8]>::len),
        };
        let mut entries = vec![
            entry(RD_KAFKA_VTYPE_TOPIC, &|u| u.cstr = self.topics[record.topic].as_ptr()),
            entry(RD_KAFKA_VTYPE_PARTITION, &|u| u.i32_ = record.partition.unwrap_or(ANY_PARTITION)),
            entry(RD_KAFKA_VTYPE_MSGFLAGS, &|u| u.i = rd::RD_KAFKA_MSG_F_COPY as c_int),
            entry(RD_KAFKA_VTYPE_KEY, &|u| u.mem = bytes(record.key)),
            entry(RD_KAFKA_VTYPE_VALUE, &|u| u.mem = bytes(record.value)),
            entry(RD_KAFKA_VTYPE_OPAQUE, &|u| u.ptr = id as *mut c_void),
            // 0 is "now"
            entry(RD_KAFKA_VTYPE_TIMESTAMP, &|u| u.i64_ = record.timestamp.unwrap_or(0)),
        ];
        entries.extend(names.iter().zip(record.headers).map(|(name, (_, value))| {
            let value = bytes(*value);
            entry(RD_KAFKA_VTYPE_HEADER, &|u| {
                u.header = rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                    name: name.as_ptr(),
                    val: value.ptr,
                    size: value.size as isize,
                };
            })
        }));
        // SAFETY: each entry has the member of the union that its type wants; all that they point to lives beyond the call, which
        // copies it. The error object is ours.
        let sent = unsafe { check_object(rd::rd_kafka_produceva(self.rk.as_ptr(), entries.as_ptr(), entries.len())) };
        match sent {
            Ok(()) => {
                self.outstanding += 1;
                Ok(true)
            }
            Err(error) if error.code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL as i32 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Records whose delivery was not reported yet.
    pub(in crate::kafka) const fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Adds what was reported since the last call to `deliveries`; gives the last thing that went wrong with the client. Does not wait.
    pub(in crate::kafka) fn reports(&mut self, deliveries: &mut Vec<Delivery>) -> Option<KafkaError> {
        let mut fault = None;
        // SAFETY: events are ours and destroyed after they were read; their messages and texts live as long.
        unsafe {
            while let Some(event) = NonNull::new(rd::rd_kafka_queue_poll(self.queue.as_ptr(), 0)) {
                let event = event.as_ptr();
                match rd::rd_kafka_event_type(event) {
                    rd::RD_KAFKA_EVENT_DR => {
                        while let Some(message) = rd::rd_kafka_event_message_next(event).as_ref() {
                            self.outstanding = self.outstanding.saturating_sub(1);
                            // read as a number: a newer broker's codes are not in the enum
                            let code = (&raw const message.err).cast::<i32>().read();
                            let result = if code == 0 { Ok(message.offset) } else { Err(error(code)) };
                            deliveries.push(Delivery { id: message._private as usize, result });
                        }
                    }
                    rd::RD_KAFKA_EVENT_ERROR => {
                        let message = owned(text(rd::rd_kafka_event_error_string(event)));
                        fault = Some(KafkaError { message, ..error(rd::rd_kafka_event_error(event) as i32) });
                    }
                    _ => log(event),
                }
                rd::rd_kafka_event_destroy(event);
            }
        }
        fault
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: librdkafka wants queues destroyed first.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
        let ended = Ended(self.rk);
        // A request without an answer holds the end up. Nobody has to wait for that.
        let _ = thread::Builder::new().name("left-producer".into()).spawn(move || drop(ended));
    }
}

/// A producer that nobody uses any more. Dropped, it is destroyed, which waits for librdkafka's threads.
struct Ended(NonNull<rd::rd_kafka_t>);

// SAFETY: any thread may destroy a client that no other uses.
unsafe impl Send for Ended {}

impl Drop for Ended {
    fn drop(&mut self) {
        // SAFETY: the client is used by nobody else, and its queue is destroyed.
        unsafe { rd::rd_kafka_destroy(self.0.as_ptr()) }
    }
}
