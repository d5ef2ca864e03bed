//! A client that reads and changes the offsets of consumer groups it is no member of.

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use landfall_api::TopicPartition;
use rd::rd_kafka_admin_op_t as Op;
use rdkafka_sys as rd;

use super::events::Events;
use super::list::{Entry, List, read};
use super::{Settings, error, first_fault, milliseconds, owned, text, timed_out};
use crate::kafka::error::KafkaError;

/// A client for groups. Its calls wait for the answer: they are for threads that may.
pub(in crate::kafka) struct Groups(Events);

impl Groups {
    /// A client with `settings`, which are named in errors without their values. Connects in the background.
    pub(in crate::kafka) fn new<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        Events::new(settings, 0).map(Self)
    }

    /// Every offset that `group` has stored; none for a group that is not there.
    pub(in crate::kafka) fn offsets(&self, group: &str, timeout: Duration) -> Result<Vec<Entry>, KafkaError> {
        let group = name(group)?;
        self.ask(Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout, |rk, options, queue| {
            // SAFETY: the request is ours and is copied; null asks for every partition.
            unsafe {
                let mut request = rd::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), ptr::null());
                rd::rd_kafka_ListConsumerGroupOffsets(rk, &raw mut request, 1, options, queue);
                rd::rd_kafka_ListConsumerGroupOffsets_destroy(request);
            }
        })
    }

    /// Stores `offsets` for `group`, which has no members.
    pub(in crate::kafka) fn alter<'a>(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = (&'a TopicPartition, i64)>,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let (group, offsets) = (name(group)?, List::new(offsets));
        let stored = self.ask(Op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, timeout, |rk, options, queue| {
            // SAFETY: request and list are ours and are copied.
            unsafe {
                let mut request = rd::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), offsets.as_ptr());
                rd::rd_kafka_AlterConsumerGroupOffsets(rk, &raw mut request, 1, options, queue);
                rd::rd_kafka_AlterConsumerGroupOffsets_destroy(request);
            }
        })?;
        first_fault(&stored)
    }

    /// Forgets the offsets of `partitions` of `group`, of which no member is subscribed to their topics.
    pub(in crate::kafka) fn forget<'a>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let (group, partitions) = (name(group)?, List::new(partitions.into_iter().map(|tp| (tp, 0))));
        let gone = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, timeout, |rk, options, queue| {
            // SAFETY: request and list are ours and are copied.
            unsafe {
                let mut request = rd::rd_kafka_DeleteConsumerGroupOffsets_new(group.as_ptr(), partitions.as_ptr());
                rd::rd_kafka_DeleteConsumerGroupOffsets(rk, &raw mut request, 1, options, queue);
                rd::rd_kafka_DeleteConsumerGroupOffsets_destroy(request);
            }
        })?;
        first_fault(&gone)
    }

    /// Deletes `group`, which has no members.
    pub(in crate::kafka) fn delete(&self, group: &str, timeout: Duration) -> Result<(), KafkaError> {
        let group = name(group)?;
        let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETEGROUPS, timeout, |rk, options, queue| {
            // SAFETY: the request is ours and is copied.
            unsafe {
                let mut request = rd::rd_kafka_DeleteGroup_new(group.as_ptr());
                rd::rd_kafka_DeleteGroups(rk, &raw mut request, 1, options, queue);
                rd::rd_kafka_DeleteGroup_destroy(request);
            }
        });
        answer.map(|_| ())
    }

    /// Sends a request and waits for its answer: the partitions that it names.
    fn ask(
        &self,
        op: Op,
        timeout: Duration,
        send: impl FnOnce(*mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Vec<Entry>, KafkaError> {
        let rk = self.0.rk.as_ptr();
        // SAFETY: options, queue and event are ours. What is read belongs to the event.
        unsafe {
            let options = rd::rd_kafka_AdminOptions_new(rk, op);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
            let queue = rd::rd_kafka_queue_new(rk);
            send(rk, options, queue);
            let event = rd::rd_kafka_queue_poll(queue, milliseconds(timeout));
            let answer = if event.is_null() {
                Err(timed_out(format!("the group's coordinator did not answer within {} ms", timeout.as_millis())))
            } else {
                answered(event)
            };
            rd::rd_kafka_event_destroy(event);
            rd::rd_kafka_queue_destroy(queue);
            rd::rd_kafka_AdminOptions_destroy(options);
            answer
        }
    }
}

fn name(group: &str) -> Result<CString, KafkaError> {
    CString::new(group).map_err(|_| KafkaError::configuration(format!("{group:?} cannot be a group")))
}

/// The partitions that an answer has for its one group.
///
/// # Safety
/// `event` is the answer to a request of [`Groups`].
unsafe fn answered(event: *mut rd::rd_kafka_event_t) -> Result<Vec<Entry>, KafkaError> {
    // SAFETY: as the caller promises; a result has count groups, which live as long as the event. Codes are read as numbers.
    unsafe {
        let code = rd::rd_kafka_event_error(event) as i32;
        if code != 0 {
            return Err(KafkaError { message: owned(text(rd::rd_kafka_event_error_string(event))), ..error(code) });
        }
        let mut count = 0;
        let groups = match rd::rd_kafka_event_type(event) {
            rd::RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT => rd::rd_kafka_ListConsumerGroupOffsets_result_groups(
                rd::rd_kafka_event_ListConsumerGroupOffsets_result(event),
                &raw mut count,
            ),
            rd::RD_KAFKA_EVENT_ALTERCONSUMERGROUPOFFSETS_RESULT => rd::rd_kafka_AlterConsumerGroupOffsets_result_groups(
                rd::rd_kafka_event_AlterConsumerGroupOffsets_result(event),
                &raw mut count,
            ),
            rd::RD_KAFKA_EVENT_DELETECONSUMERGROUPOFFSETS_RESULT => rd::rd_kafka_DeleteConsumerGroupOffsets_result_groups(
                rd::rd_kafka_event_DeleteConsumerGroupOffsets_result(event),
                &raw mut count,
            ),
            _ => rd::rd_kafka_DeleteGroups_result_groups(rd::rd_kafka_event_DeleteGroups_result(event), &raw mut count),
        };
        let mut entries = Vec::new();
        for at in 0..count {
            let group = *groups.add(at);
            let failed = rd::rd_kafka_group_result_error(group);
            let code = if failed.is_null() { 0 } else { rd::rd_kafka_error_code(failed) as i32 };
            if code != 0 {
                return Err(KafkaError { message: owned(text(rd::rd_kafka_error_string(failed))), ..error(code) });
            }
            entries.extend(read(rd::rd_kafka_group_result_partitions(group)));
        }
        Ok(entries)
    }
}
