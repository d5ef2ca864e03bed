//! Whose files to look at, and when, without a look at every open file.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Instant;

/// Says whose files to look at, and when: at most one time a key, so that rows cost nothing. It may be too early, as a row puts a
/// file's deadline off and the next file of a key has a later one, and then another one is set; it is never too late.
#[derive(Debug)]
pub struct Timers<K> {
    queue: BinaryHeap<Reverse<(Instant, K)>>,
    waiting: BTreeSet<K>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { queue: BinaryHeap::new(), waiting: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets a time for `key` unless it has one. Times of one key come in ascending order.
    pub fn set(&mut self, key: &K, at: Instant) {
        if !self.waiting.contains(key) {
            self.waiting.insert(key.clone());
            self.queue.push(Reverse((at, key.clone())));
        }
    }

    /// A key whose time has come by `now`; its time is taken away.
    pub fn due(&mut self, now: Instant) -> Option<K> {
        self.queue.peek().filter(|Reverse((at, _))| *at <= now)?;
        let Reverse((_, key)) = self.queue.pop()?;
        self.waiting.remove(&key);
        Some(key)
    }

    /// The first time that is set.
    #[must_use]
    pub fn first(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    /// How many keys have a time.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no key has a time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
