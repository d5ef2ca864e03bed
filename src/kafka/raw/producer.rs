//! A producer whose delivery reports are events of its queue, taken when its owner wants them.

use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use rdkafka_sys as rd;

use super::admin::Admin;
use super::events::Events;
use super::{Settings, check_object, error};
use crate::kafka::error::KafkaError;
use crate::kafka::produce::{Delivery, Record};

/// The partition that stands for the one that the key's hash gives, as Java's producer would.
const ANY_PARTITION: i32 = -1;

/// A producer of librdkafka.
pub(in crate::kafka) struct Sender {
    client: Arc<Admin>,
    /// Names of topics as librdkafka takes them.
    topics: HashMap<String, CString>,
    /// Records whose delivery was not reported yet.
    outstanding: usize,
}

impl Sender {
    /// A producer with `settings`, which are named in errors without their values. Connects in the background.
    pub(in crate::kafka) fn new<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        let client = Arc::new(Admin(Events::new(settings, rd::RD_KAFKA_EVENT_DR)?));
        Ok(Self { client, topics: HashMap::new(), outstanding: 0 })
    }

    /// For questions about topics, through the same connections.
    pub(in crate::kafka) fn admin(&self) -> Arc<Admin> {
        self.client.clone()
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
        let sent = unsafe { check_object(rd::rd_kafka_produceva(self.client.0.rk.as_ptr(), entries.as_ptr(), entries.len())) };
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
        let Self { client, outstanding, .. } = self;
        let errors = client.0.take(|event| {
            // SAFETY: the event is valid, and its messages live as long.
            while let Some(message) = unsafe { rd::rd_kafka_event_message_next(event).as_ref() } {
                *outstanding = outstanding.saturating_sub(1);
                // SAFETY: read as a number: a newer broker's codes are not in the enum
                let code = unsafe { (&raw const message.err).cast::<i32>().read() };
                let result = if code == 0 { Ok(message.offset) } else { Err(error(code)) };
                deliveries.push(Delivery { id: message._private as usize, result });
            }
        });
        errors.into_iter().next_back()
    }
}
