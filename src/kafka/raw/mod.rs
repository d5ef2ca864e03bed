//! The only module with unsafe code, its parts included: librdkafka's consumer, drained by `rd_kafka_consume_batch_queue`, its
//! producer, its clients without a group and its mock cluster.
//!
//! What everything here relies on:
//! - librdkafka's functions may be called from any thread; only batch calls on one client must not run at the same time.
//! - Callbacks of the consumer queue run inside a batch call (or inside [`Client::close`]) on the calling thread. They copy what
//!   they are given into the [`Mailbox`] and return; nothing of ours runs under C frames, and nothing there is borrowed.
//! - A message is copied and destroyed before the batch call's wrapper returns, so no borrow leaves this module.
#![expect(unsafe_code, reason = "rdkafka's safe API has no batch call, and its consumer cannot share a queue with one")]

mod admin;
mod cluster;
mod conf;
mod directory;
mod events;
mod follower;
mod groups;
mod list;
mod login;
mod message;
mod mock;
mod producer;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use landfall_api::TopicPartition;
use rdkafka_sys as rd;

use self::conf::Conf;
use self::list::{List, read};
use self::login::Login;
use crate::kafka::error::{KafkaError, class_of};

pub(super) use self::admin::Admin;
pub(super) use self::cluster::Inquiry;
pub(crate) use self::conf::Settings;
pub(super) use self::directory::Directory;
pub(super) use self::follower::Follower;
pub(super) use self::groups::Groups;
pub(super) use self::list::Entry;
pub(super) use self::message::Message;
pub(crate) use self::mock::MockCluster;
pub(super) use self::producer::Sender;

/// How many messages one batch call takes: few enough that they are still in the cache when they are copied.
const CHUNK: usize = 512;
/// How often a commit that waits looks whether it is still wanted.
const COMMIT_LOOK: Duration = Duration::from_millis(100);

/// What a callback saw.
#[derive(Debug)]
pub(super) enum Mail {
    Assigned(Vec<TopicPartition>),
    Revoked { partitions: Vec<TopicPartition>, lost: bool },
    Error { code: i32, message: String },
    Log { level: i32, facility: String, message: String },
}

/// Where callbacks leave what they saw.
#[derive(Debug, Default)]
struct Mailbox {
    mail: Mutex<Vec<Mail>>,
    /// The consumer queue, for the rebalance callback to end the batch call.
    queue: AtomicPtr<rd::rd_kafka_queue_t>,
    /// Once set, the rebalance callback answers itself.
    closing: AtomicBool,
}

/// A lock that a panicking thread has held is still good: what it protects is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text at `text`; empty for null.
///
/// # Safety
/// `text` is null or ends with a NUL and lives as long as the result is used.
unsafe fn text<'a>(text: *const c_char) -> &'a [u8] {
    // SAFETY: as the caller promises.
    if text.is_null() { &[] } else { unsafe { CStr::from_ptr(text) }.to_bytes() }
}

fn owned(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// # Safety
/// Called by librdkafka with the opaque of [`Client::new`], which lives until after `rd_kafka_destroy`.
unsafe extern "C" fn on_rebalance(
    rk: *mut rd::rd_kafka_t,
    err: rd::rd_kafka_resp_err_t,
    list: *mut rd::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: opaque is the mailbox, only ever shared; list is valid during the callback.
    let (mailbox, entries) = unsafe { (&*opaque.cast::<Mailbox>(), read(list)) };
    if mailbox.closing.load(Ordering::Acquire) {
        // SAFETY: rk is the client that calls.
        unsafe { rd::rd_kafka_assign(rk, ptr::null()) };
        return;
    }
    let partitions = entries.into_iter().map(|e| e.partition).collect();
    let mail = if err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
        Mail::Assigned(partitions)
    } else {
        // SAFETY: rk is the client that calls.
        Mail::Revoked { partitions, lost: unsafe { rd::rd_kafka_assignment_lost(rk) } != 0 }
    };
    lock(&mailbox.mail).push(mail);
    // Ends the batch call once its queue is empty. rd_kafka_yield would make it drop a record that it has taken.
    // SAFETY: callbacks run inside batch calls, between the making of the queue and its end.
    unsafe { rd::rd_kafka_queue_yield(mailbox.queue.load(Ordering::Acquire)) };
}

/// # Safety
/// As [`on_rebalance`].
unsafe extern "C" fn on_error(_: *mut rd::rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    // SAFETY: opaque is the mailbox, only ever shared; reason is a C string during the callback.
    let (mailbox, message) = unsafe { (&*opaque.cast::<Mailbox>(), owned(text(reason))) };
    lock(&mailbox.mail).push(Mail::Error { code, message });
}

/// # Safety
/// As [`on_rebalance`]; `log.queue=true` makes it a callback of the consumer queue.
unsafe extern "C" fn on_log(rk: *const rd::rd_kafka_t, level: c_int, facility: *const c_char, line: *const c_char) {
    // SAFETY: the client's opaque is the mailbox, only ever shared; both texts are C strings during the callback.
    let (mailbox, facility, message) =
        unsafe { (rd::rd_kafka_opaque(rk).cast::<Mailbox>().as_ref(), owned(text(facility)), owned(text(line))) };
    if let Some(mailbox) = mailbox {
        lock(&mailbox.mail).push(Mail::Log { level, facility, message });
    }
}

/// The name and the description that librdkafka has for a code.
pub(super) fn described(code: i32) -> (String, String) {
    let (mut all, mut len) = (ptr::null::<rd::rd_kafka_err_desc>(), 0);
    // SAFETY: the table is static and has len elements; a hole in it has no name.
    unsafe {
        rd::rd_kafka_get_err_descs(&raw mut all, &raw mut len);
        (0..len)
            .map(|i| all.add(i))
            .find(|d| (&raw const (**d).code).cast::<i32>().read() == code && !(**d).name.is_null())
            .map_or_else(|| (code.to_string(), "unknown error".into()), |d| (owned(text((*d).name)), owned(text((*d).desc))))
    }
}

/// The error of `code`, with librdkafka's own description.
fn error(code: i32) -> KafkaError {
    let (name, message) = described(code);
    KafkaError { class: class_of(code), code, name, message, partition: None }
}

/// What took too long.
fn timed_out(message: String) -> KafkaError {
    KafkaError { message, ..error(rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as i32) }
}

fn check(err: rd::rd_kafka_resp_err_t) -> Result<(), KafkaError> {
    match err as i32 {
        0 => Ok(()),
        code => Err(error(code)),
    }
}

/// Takes over an error object; null is success.
///
/// # Safety
/// `err` is null or an error object that nobody else frees.
unsafe fn check_object(err: *mut rd::rd_kafka_error_t) -> Result<(), KafkaError> {
    if err.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller promises.
    unsafe {
        let code = rd::rd_kafka_error_code(err) as i32;
        let message = owned(text(rd::rd_kafka_error_string(err)));
        rd::rd_kafka_error_destroy(err);
        Err(KafkaError { message, ..error(code) })
    }
}

fn topic_name(partition: &TopicPartition) -> Result<CString, KafkaError> {
    CString::new(&*partition.topic).map_err(|_| KafkaError::configuration(format!("{:?} cannot be a topic", partition.topic)))
}

/// Ends a waiting poll from another thread. Harmless once the consumer is gone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Mutex<Option<Queue>>>);

/// A queue that is destroyed only with the lock of its [`Waker`]s.
#[derive(Debug)]
struct Queue(NonNull<rd::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are locked inside.
unsafe impl Send for Queue {}

impl Waker {
    /// Ends the poll that is waiting, or else the next one as soon as there is nothing to take.
    pub fn wake(&self) {
        if let Some(queue) = &*lock(&self.0) {
            // SAFETY: the queue is destroyed only after it was taken out under this lock.
            unsafe { rd::rd_kafka_queue_yield(queue.0.as_ptr()) }
        }
    }
}

/// A consumer of librdkafka. One thread at a time: batch calls need `&mut`.
pub(super) struct Client {
    rk: NonNull<rd::rd_kafka_t>,
    /// Destroys it, when the last [`Directory`] is done too. Taken by drop.
    alive: Option<Arc<Alive>>,
    queue: NonNull<rd::rd_kafka_queue_t>,
    waker: Waker,
    mailbox: Arc<Mailbox>,
    buffer: Box<[*mut rd::rd_kafka_message_t; CHUNK]>,
    closed: bool,
}

// SAFETY: the pointers are to objects that librdkafka locks inside; the buffer is empty between batch calls.
unsafe impl Send for Client {}

impl Client {
    /// A client with `settings`, which are named in errors without their values.
    pub(super) fn new<'a>(settings: impl Into<Settings<'a>>) -> Result<Self, KafkaError> {
        let settings = settings.into();
        let conf = Conf::new(settings.pairs)?;
        let mailbox = Arc::new(Mailbox::default());
        let mut reason = [0 as c_char; 512];
        // SAFETY: rd_kafka_new takes conf over only when it succeeds. The mailbox is dropped after rd_kafka_destroy.
        unsafe {
            let c = conf.0.as_ptr();
            rd::rd_kafka_conf_set_opaque(c, Arc::as_ptr(&mailbox).cast_mut().cast());
            rd::rd_kafka_conf_set_rebalance_cb(c, Some(on_rebalance));
            rd::rd_kafka_conf_set_error_cb(c, Some(on_error));
            rd::rd_kafka_conf_set_log_cb(c, Some(on_log));
            let rk = rd::rd_kafka_new(rd::rd_kafka_type_t::RD_KAFKA_CONSUMER, c, reason.as_mut_ptr(), reason.len());
            let Some(rk) = NonNull::new(rk) else {
                return Err(KafkaError::configuration(owned(text(reason.as_ptr()))));
            };
            std::mem::forget(conf);
            rd::rd_kafka_poll_set_consumer(rk.as_ptr());
            rd::rd_kafka_set_log_queue(rk.as_ptr(), ptr::null_mut());
            let Some(queue) = NonNull::new(rd::rd_kafka_queue_get_consumer(rk.as_ptr())) else {
                rd::rd_kafka_destroy(rk.as_ptr());
                return Err(KafkaError::configuration("a consumer needs a group.id"));
            };
            mailbox.queue.store(queue.as_ptr(), Ordering::Release);
            let waker = Waker(Arc::new(Mutex::new(Some(Queue(queue)))));
            let login = settings.tokens.map(|tokens| Login::begin(rk, tokens));
            let owned = Some(Owned { rk, login, _mailbox: mailbox.clone() });
            let alive = Some(Arc::new(Alive { rk, left: AtomicBool::new(false), owned }));
            Ok(Self { rk, alive, queue, waker, mailbox, buffer: Box::new([ptr::null_mut(); CHUNK]), closed: false })
        }
    }

    /// For questions about topics, from other threads.
    pub(super) fn directory(&self) -> Option<Directory> {
        self.alive.clone().map(Directory::new)
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// What callbacks left since the last call.
    pub(super) fn mail(&self) -> Vec<Mail> {
        std::mem::take(&mut lock(&self.mailbox.mail))
    }

    /// Waits up to `wait` for a first message, then gives `each` what is queued already, at most `limit` messages, until it says
    /// false. Does not wait when there is mail. Serves callbacks. Resets the clock of `max.poll.interval.ms`.
    pub(super) fn drain(&mut self, wait: Duration, limit: usize, mut each: impl FnMut(Message<'_>) -> bool) {
        let wait = if lock(&self.mailbox.mail).is_empty() { wait } else { Duration::ZERO };
        // The batch call waits until its array is full: so the call that waits asks for one.
        let (mut size, mut wait, mut left) = (1, milliseconds(wait), limit);
        loop {
            // SAFETY: the queue lives as long as self, and the buffer has CHUNK slots.
            let taken = unsafe { rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, self.buffer.as_mut_ptr(), size) };
            let taken = usize::try_from(taken).unwrap_or(0);
            let mut more = true;
            for slot in &self.buffer[..taken] {
                if let Some(message) = NonNull::new(*slot) {
                    // SAFETY: the call gave the message to us; no borrow of it outlives `each`.
                    unsafe {
                        more &= each(Message::new(message));
                        rd::rd_kafka_message_destroy(message.as_ptr());
                    }
                }
            }
            left -= taken;
            if !more || left == 0 || taken < size {
                return;
            }
            (size, wait) = (CHUNK.min(left), 0);
        }
    }

    /// Joins the group for `topics`, or leaves it if there are none.
    pub(super) fn subscribe(&self, topics: &[String]) -> Result<(), KafkaError> {
        if topics.is_empty() {
            // SAFETY: rk lives.
            return check(unsafe { rd::rd_kafka_unsubscribe(self.rk.as_ptr()) });
        }
        let mut list = List::empty();
        for topic in topics {
            list.add(topic, -1, 0, "");
        }
        // SAFETY: the list is copied.
        check(unsafe { rd::rd_kafka_subscribe(self.rk.as_ptr(), list.as_ptr()) })
    }

    /// Whether the group moves partitions one by one, so that assignments are changes and not whole lists.
    pub(super) fn is_cooperative(&self) -> bool {
        // SAFETY: gives a static text.
        unsafe { text(rd::rd_kafka_rebalance_protocol(self.rk.as_ptr())) == b"COOPERATIVE" }
    }

    /// Replaces the assignment; an empty one takes the place of none.
    pub(super) fn assign<'a>(&self, list: impl IntoIterator<Item = (&'a TopicPartition, i64)>) -> Result<(), KafkaError> {
        let list = List::new(list);
        // SAFETY: the list is copied.
        check(unsafe { rd::rd_kafka_assign(self.rk.as_ptr(), list.as_ptr()) })
    }

    /// Ends the assignment.
    pub(super) fn unassign(&self) -> Result<(), KafkaError> {
        // SAFETY: null is "none".
        check(unsafe { rd::rd_kafka_assign(self.rk.as_ptr(), ptr::null()) })
    }

    pub(super) fn incremental_assign<'a>(
        &self,
        list: impl IntoIterator<Item = (&'a TopicPartition, i64)>,
    ) -> Result<(), KafkaError> {
        let list = List::new(list);
        // SAFETY: the list is copied; the error object is ours.
        unsafe { check_object(rd::rd_kafka_incremental_assign(self.rk.as_ptr(), list.as_ptr())) }
    }

    pub(super) fn incremental_unassign<'a>(&self, list: impl IntoIterator<Item = &'a TopicPartition>) -> Result<(), KafkaError> {
        let list = List::new(list.into_iter().map(|tp| (tp, 0)));
        // SAFETY: the list is copied; the error object is ours.
        unsafe { check_object(rd::rd_kafka_incremental_unassign(self.rk.as_ptr(), list.as_ptr())) }
    }

    pub(super) fn seek<'a>(
        &self,
        list: impl IntoIterator<Item = (&'a TopicPartition, i64)>,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let list = List::new(list);
        // SAFETY: the list is ours; the error object is ours.
        unsafe { check_object(rd::rd_kafka_seek_partitions(self.rk.as_ptr(), list.as_ptr(), milliseconds(timeout))) }?;
        first_fault(&list.entries())
    }

    pub(super) fn pause<'a>(&self, list: impl IntoIterator<Item = &'a TopicPartition>, on: bool) -> Result<(), KafkaError> {
        let list = List::new(list.into_iter().map(|tp| (tp, 0)));
        // SAFETY: the list is ours.
        check(unsafe {
            if on {
                rd::rd_kafka_pause_partitions(self.rk.as_ptr(), list.as_ptr())
            } else {
                rd::rd_kafka_resume_partitions(self.rk.as_ptr(), list.as_ptr())
            }
        })?;
        first_fault(&list.entries())
    }

    /// The next offset of each partition, past control records; negative where it is not known.
    pub(super) fn positions<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) -> Vec<i64> {
        let list = List::new(partitions.into_iter().map(|tp| (tp, 0)));
        // SAFETY: the list is ours.
        unsafe { rd::rd_kafka_position(self.rk.as_ptr(), list.as_ptr()) };
        list.entries().iter().map(|e| e.offset).collect()
    }

    /// Waits up to `timeout`, or until `given_up`, until the group has stored offsets and metadata. `rd_kafka_commit` would wait
    /// for a silent broker as long as it is silent.
    pub(super) fn commit<'a>(
        &self,
        offsets: impl IntoIterator<Item = (&'a TopicPartition, i64, &'a str)>,
        timeout: Duration,
        given_up: &dyn Fn() -> bool,
    ) -> Result<(), KafkaError> {
        let (mut list, begun) = (List::empty(), Instant::now());
        for (tp, offset, metadata) in offsets {
            list.add(&tp.topic, tp.partition, offset, metadata);
        }
        // SAFETY: the list is copied; queue and event are ours, and the list that is read belongs to the event.
        unsafe {
            let queue = rd::rd_kafka_queue_new(self.rk.as_ptr());
            let sent = check(rd::rd_kafka_commit_queue(self.rk.as_ptr(), list.as_ptr(), queue, None, ptr::null_mut()));
            let answer = sent.and_then(|()| {
                let event = loop {
                    let left = timeout.saturating_sub(begun.elapsed());
                    let event = rd::rd_kafka_queue_poll(queue, milliseconds(left.min(COMMIT_LOOK)));
                    if !event.is_null() {
                        break event;
                    }
                    if left.is_zero() || given_up() {
                        let waited = begun.elapsed().as_millis();
                        return Err(timed_out(format!("offsets were not committed within {waited} ms")));
                    }
                };
                let code = rd::rd_kafka_event_error(event) as i32;
                let entries = read(rd::rd_kafka_event_topic_partition_list(event));
                rd::rd_kafka_event_destroy(event);
                if code == 0 { first_fault(&entries) } else { Err(error(code)) }
            });
            rd::rd_kafka_queue_destroy(queue);
            answer
        }
    }

    pub(super) fn committed<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
        timeout: Duration,
    ) -> Result<Vec<Entry>, KafkaError> {
        let list = List::new(partitions.into_iter().map(|tp| (tp, 0)));
        // SAFETY: the list is ours.
        check(unsafe { rd::rd_kafka_committed(self.rk.as_ptr(), list.as_ptr(), milliseconds(timeout)) })?;
        let entries = list.entries();
        first_fault(&entries)?;
        Ok(entries)
    }

    pub(super) fn lost(&self) -> bool {
        // SAFETY: rk lives.
        unsafe { rd::rd_kafka_assignment_lost(self.rk.as_ptr()) != 0 }
    }

    /// The generation of the group that the client is in; -1 for none.
    pub(super) fn generation(&self) -> i32 {
        // SAFETY: the metadata object is ours, or null without a group.
        unsafe {
            let metadata = rd::rd_kafka_consumer_group_metadata(self.rk.as_ptr());
            if metadata.is_null() {
                return -1;
            }
            let generation = rd::rd_kafka_consumer_group_metadata_generation_id(metadata);
            rd::rd_kafka_consumer_group_metadata_destroy(metadata);
            generation
        }
    }

    /// A partition's log, from its first offset to the one after its last; asks its leader.
    pub(super) fn log(&self, partition: &TopicPartition, timeout: Duration) -> Result<Range<i64>, KafkaError> {
        let (mut low, mut high) = (0, 0);
        let topic = topic_name(partition)?;
        let timeout = milliseconds(timeout);
        // SAFETY: rk lives, and the call is done with the text and the numbers when it returns.
        check(unsafe {
            rd::rd_kafka_query_watermark_offsets(
                self.rk.as_ptr(),
                topic.as_ptr(),
                partition.partition,
                &raw mut low,
                &raw mut high,
                timeout,
            )
        })?;
        Ok(low..high)
    }

    /// The offset after the last one of a partition's log, as the last fetch saw it; None before one did.
    pub(super) fn log_end(&self, partition: &TopicPartition) -> Option<i64> {
        let (mut low, mut high) = (0, 0);
        let topic = topic_name(partition).ok()?;
        let (rk, number) = (self.rk.as_ptr(), partition.partition);
        // SAFETY: as in `log`.
        check(unsafe { rd::rd_kafka_get_watermark_offsets(rk, topic.as_ptr(), number, &raw mut low, &raw mut high) }).ok()?;
        (high >= 0).then_some(high)
    }

    /// The id of the brokers' cluster, once one of them has told it. Does not wait.
    pub(super) fn cluster_id(&self) -> Option<String> {
        cluster::cluster_id(self.rk.as_ptr())
    }

    /// The id that the group gave the client; empty before it has joined.
    pub(super) fn member_id(&self) -> String {
        // SAFETY: the text is ours, or null.
        unsafe {
            let id = rd::rd_kafka_memberid(self.rk.as_ptr());
            let name = owned(text(id));
            rd::rd_kafka_mem_free(self.rk.as_ptr(), id.cast());
            name
        }
    }

    /// Leaves the group, answering for whatever event is open; waits up to `timeout` for it.
    pub(super) fn close(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        self.mailbox.closing.store(true, Ordering::Release);
        let deadline = Instant::now() + timeout;
        // SAFETY: the extra queue is ours and outlives the loop; no batch call runs at the same time (&mut).
        unsafe {
            if !self.is_cooperative() {
                rd::rd_kafka_assign(self.rk.as_ptr(), ptr::null());
            }
            let queue = rd::rd_kafka_queue_new(self.rk.as_ptr());
            let begun = check_object(rd::rd_kafka_consumer_close_queue(self.rk.as_ptr(), queue));
            if begun.is_ok() && self.is_cooperative() {
                // a client that is closing takes this for whatever its protocol wants
                rd::rd_kafka_assign(self.rk.as_ptr(), ptr::null());
            }
            while begun.is_ok() && rd::rd_kafka_consumer_closed(self.rk.as_ptr()) == 0 && Instant::now() < deadline {
                let taken = rd::rd_kafka_consume_batch_queue(queue, 20, self.buffer.as_mut_ptr(), 1);
                for message in &self.buffer[..usize::try_from(taken).unwrap_or(0)] {
                    rd::rd_kafka_message_destroy(*message);
                }
            }
            rd::rd_kafka_queue_destroy(queue);
            begun?;
            if rd::rd_kafka_consumer_closed(self.rk.as_ptr()) == 0 {
                return Err(timed_out(format!("did not leave the group within {} ms", timeout.as_millis())));
            }
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // What is wrong now is of no use to anyone; whoever wants to know calls close first.
        let _ = self.close(Duration::from_secs(1));
        // SAFETY: rk lives. No waker has the queue any more; librdkafka wants queues destroyed first.
        let left = unsafe {
            if let Some(queue) = lock(&self.waker.0).take() {
                rd::rd_kafka_queue_destroy(queue.0.as_ptr());
            }
            rd::rd_kafka_consumer_closed(self.rk.as_ptr()) != 0
        };
        if let Some(alive) = self.alive.take() {
            alive.left.store(left, Ordering::Release);
        }
    }
}

/// A client that lives as long as anybody uses it.
struct Alive {
    rk: NonNull<rd::rd_kafka_t>,
    /// Whether it is known to be out of its group.
    left: AtomicBool,
    /// Taken by drop.
    owned: Option<Owned>,
}

// SAFETY: librdkafka's client is locked inside, and any thread may destroy one that no other uses.
unsafe impl Send for Alive {}
// SAFETY: as above.
unsafe impl Sync for Alive {}

impl Drop for Alive {
    fn drop(&mut self) {
        let owned = self.owned.take();
        if !self.left.load(Ordering::Acquire) {
            // Its requests without an answer hold the end up, for as long as request.timeout.ms. Nobody has to wait for that,
            // whoever was the last to use it.
            let _ = thread::Builder::new().name("left-client".into()).spawn(move || drop(owned));
        }
    }
}

/// A client's own. Dropped, it is destroyed, which waits for librdkafka's threads.
struct Owned {
    rk: NonNull<rd::rd_kafka_t>,
    login: Option<Login>,
    /// Callbacks may come until the client is destroyed.
    _mailbox: Arc<Mailbox>,
}

// SAFETY: as for `Alive`.
unsafe impl Send for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(login) = &self.login {
            login.end();
        }
        // SAFETY: rk is used by nobody else, and its queue is destroyed; the mailbox is dropped after it.
        unsafe {
            rd::rd_kafka_destroy_flags(self.rk.as_ptr(), rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE as c_int);
        }
    }
}

/// The first error that is about a single partition.
fn first_fault(entries: &[Entry]) -> Result<(), KafkaError> {
    match entries.iter().find(|e| e.code != 0) {
        Some(e) => Err(KafkaError { partition: Some(e.partition.clone()), ..error(e.code) }),
        None => Ok(()),
    }
}

/// Milliseconds that librdkafka waits. It takes a multiple of 256 for "does not wait" when it looks at max.poll.interval.ms.
fn milliseconds(wait: Duration) -> c_int {
    let ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
    if ms > 0 && ms % 256 == 0 { ms - 1 } else { ms }
}
