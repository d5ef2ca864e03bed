//! librdkafka's batch queue and nothing else: the cheapest way there is to get at the records of a topic.
#![expect(unsafe_code, reason = "the batch queue is only to be had through librdkafka's C interface")]

use std::ffi::{CStr, CString, c_char};
use std::{ptr, slice};

use rdkafka_sys as rd;

/// Records of one call at most.
const BATCH: usize = 1000;
/// The call waits this long for a full array.
const WAIT_MS: i32 = 200;

/// Reads all partitions of a topic from their beginning, outside of any group.
#[derive(Debug)]
pub(crate) struct Fetch {
    client: *mut rd::rd_kafka_t,
    queue: *mut rd::rd_kafka_queue_t,
    held: Vec<*mut rd::rd_kafka_message_t>,
}

impl Fetch {
    pub(crate) fn new(bootstrap: &str, topic: &str, partitions: i32) -> Self {
        let settings = [
            ("bootstrap.servers", bootstrap),
            ("group.id", "limit"),
            ("enable.auto.commit", "false"),
            ("fetch.wait.max.ms", "100"),
            // With the default of a second a queue that was full once stands still for that long.
            ("fetch.queue.backoff.ms", "10"),
            ("queued.min.messages", "20000"),
            ("queued.max.messages.kbytes", "65536"),
        ];
        let mut error = [0 as c_char; 512];
        let topic = CString::new(topic).expect("a topic name");
        // SAFETY: every pointer given is valid for its call; the client takes the configuration over, `assign` copies the list.
        unsafe {
            let conf = rd::rd_kafka_conf_new();
            for (key, value) in settings {
                let (key, value) = (CString::new(key).expect("a key"), CString::new(value).expect("a value"));
                let done = rd::rd_kafka_conf_set(conf, key.as_ptr(), value.as_ptr(), error.as_mut_ptr(), error.len());
                assert!(done as i32 == 0, "{key:?}: {:?}", CStr::from_ptr(error.as_ptr()));
            }
            let client = rd::rd_kafka_new(rd::rd_kafka_type_t::RD_KAFKA_CONSUMER, conf, error.as_mut_ptr(), error.len());
            assert!(!client.is_null(), "{:?}", CStr::from_ptr(error.as_ptr()));
            rd::rd_kafka_poll_set_consumer(client);
            let list = rd::rd_kafka_topic_partition_list_new(partitions);
            for partition in 0..partitions {
                let entry = rd::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition);
                (*entry).offset = i64::from(rd::RD_KAFKA_OFFSET_BEGINNING);
            }
            rd::rd_kafka_assign(client, list);
            rd::rd_kafka_topic_partition_list_destroy(list);
            Self { client, queue: rd::rd_kafka_queue_get_consumer(client), held: vec![ptr::null_mut(); BATCH] }
        }
    }

    /// Calls `each` with the value of every record that is there, in order, and says how many there were.
    pub(crate) fn next(&mut self, mut each: impl FnMut(&[u8])) -> usize {
        let mut records = 0;
        // SAFETY: the call fills the first `n` places with messages that are ours until destroyed, once each; a value is not kept.
        unsafe {
            let n = rd::rd_kafka_consume_batch_queue(self.queue, WAIT_MS, self.held.as_mut_ptr(), self.held.len());
            for &message in &self.held[..usize::try_from(n).unwrap_or(0)] {
                if (*message).err as i32 == 0 {
                    each(slice::from_raw_parts((*message).payload.cast::<u8>(), (*message).len));
                    records += 1;
                }
                rd::rd_kafka_message_destroy(message);
            }
        }
        records
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        // SAFETY: both are live, and not used again.
        unsafe {
            rd::rd_kafka_queue_destroy(self.queue);
            rd::rd_kafka_destroy_flags(self.client, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }
}
