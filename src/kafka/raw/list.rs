//! Partitions on their way to librdkafka and back.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::slice;

use landfall_api::TopicPartition;
use rdkafka_sys as rd;

use super::{owned, text};

/// A partition with what librdkafka keeps next to it in a list.
#[derive(Clone, Debug)]
pub(in crate::kafka) struct Entry {
    pub(in crate::kafka) partition: TopicPartition,
    pub(in crate::kafka) offset: i64,
    pub(in crate::kafka) metadata: Vec<u8>,
    pub(in crate::kafka) code: i32,
}

/// What is in `list`.
///
/// # Safety
/// `list` is null or a valid list.
pub(in crate::kafka) unsafe fn read(list: *const rd::rd_kafka_topic_partition_list_t) -> Vec<Entry> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: elems has cnt elements.
    unsafe { (0..(*list).cnt as usize).map(|i| entry((*list).elems.add(i))).collect() }
}

/// What is in an element of a list.
///
/// # Safety
/// `e` is a valid element.
pub(super) unsafe fn entry(e: *const rd::rd_kafka_topic_partition_t) -> Entry {
    // SAFETY: as the caller promises. Codes are read as numbers: a newer broker's are not in the enum.
    unsafe {
        let metadata = (*e).metadata.cast::<u8>();
        Entry {
            partition: TopicPartition::new(owned(text((*e).topic)), (*e).partition),
            offset: (*e).offset,
            metadata: if metadata.is_null() { Vec::new() } else { slice::from_raw_parts(metadata, (*e).metadata_size).to_vec() },
            code: (&raw const (*e).err).cast::<i32>().read(),
        }
    }
}

/// An owned list of partitions.
pub(in crate::kafka) struct List(NonNull<rd::rd_kafka_topic_partition_list_t>);

impl List {
    pub(in crate::kafka) fn new<'a>(entries: impl IntoIterator<Item = (&'a TopicPartition, i64)>) -> Self {
        let mut list = Self::empty();
        for (partition, offset) in entries {
            list.add(&partition.topic, partition.partition, offset, "");
        }
        list
    }

    pub(in crate::kafka) fn empty() -> Self {
        // SAFETY: librdkafka aborts rather than give null.
        Self(unsafe { NonNull::new_unchecked(rd::rd_kafka_topic_partition_list_new(8)) })
    }

    pub(in crate::kafka) fn add(&mut self, topic: &str, partition: i32, offset: i64, metadata: &str) {
        // A topic's name has no NUL; a name from elsewhere that has one ends there, and Kafka does not know it.
        let name = CString::new(topic.split('\0').next().unwrap_or_default()).unwrap_or_default();
        // SAFETY: add copies the name and gives a valid element; the list frees the metadata with its own allocator's free.
        unsafe {
            let element = rd::rd_kafka_topic_partition_list_add(self.0.as_ptr(), name.as_ptr(), partition);
            (*element).offset = offset;
            if !metadata.is_empty() {
                let copy = rd::rd_kafka_mem_malloc(ptr::null_mut(), metadata.len()).cast::<u8>();
                if !copy.is_null() {
                    ptr::copy_nonoverlapping(metadata.as_ptr(), copy, metadata.len());
                    (*element).metadata = copy.cast();
                    (*element).metadata_size = metadata.len();
                }
            }
        }
    }

    pub(in crate::kafka) fn entries(&self) -> Vec<Entry> {
        // SAFETY: the list is valid.
        unsafe { read(self.0.as_ptr()) }
    }
}

impl List {
    /// For a call of librdkafka, which copies the list or fills it in.
    pub(in crate::kafka) const fn as_ptr(&self) -> *mut rd::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}
