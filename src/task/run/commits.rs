//! How a task commits offsets, and how it lets partitions go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landfall_api::{Offset, TaskError, TopicPartition};

use super::{ACKNOWLEDGING, COMMITTING, Control, PUBLISHING, Runner, ms, part};
use crate::kafka::Class;
use crate::kafka::topics::UNKNOWN_TOPIC;

/// The wait between two commits at least; more often would only cost the broker.
const COMMIT_SPACING: Duration = Duration::from_secs(1);

impl Runner {
    pub(super) fn offer(&mut self, offsets: BTreeMap<TopicPartition, Offset>) {
        for (tp, offset) in offsets {
            self.offered.entry(tp).or_default().push(offset);
        }
    }

    /// Takes what was offered for commits, up to the first record of each partition whose letter was not acknowledged.
    pub(super) fn release(&mut self) {
        for (tp, offers) in &mut self.offered {
            let letters = self.tolerance.letters.as_ref();
            let told = self.partitions.get(tp).filter(|p| letters.is_some() && p.next.is_some()).map_or(i64::MAX, |p| p.told);
            let most = letters.and_then(|letters| letters.first(tp)).map_or(told, |first| first.min(told));
            let free = offers.iter().rposition(|offer| offer.offset <= most).map_or(0, |last| last + 1);
            if let Some(offset) = offers.drain(..free).next_back() {
                self.uncommitted.insert(tp.clone(), offset);
            }
        }
        self.offered.retain(|_, offers| !offers.is_empty());
    }

    /// Tells the sink which letters are stored.
    pub(super) fn tell(&mut self) {
        let Some(letters) = &self.tolerance.letters else { return };
        for (tp, partition) in self.partitions.iter().filter(|(_, p)| p.next.is_some()) {
            self.sink.told(tp, letters.first(tp).map_or(partition.told, |first| first.min(partition.told)));
        }
    }

    pub(super) fn commit(&mut self, control: &Control) -> Result<(), TaskError> {
        self.tell();
        let offsets = self.sink.pre_commit()?;
        self.offer(offsets);
        if let Some(letters) = &mut self.tolerance.letters {
            letters.turn()?;
        }
        self.release();
        if self.uncommitted.is_empty() || self.last_commit.elapsed() < COMMIT_SPACING {
            return Ok(());
        }
        // A task that is to end commits again, with the time that it has for it.
        self.commit_now(self.commit_timeout, &|| control.stopped());
        Ok(())
    }

    /// Commits what waits for it, within `timeout` and until `given_up`. A commit that fails is no harm: the records that it names
    /// are found landed after a restart.
    fn commit_now(&mut self, timeout: Duration, given_up: &dyn Fn() -> bool) {
        self.last_commit = Instant::now();
        let partitions = &self.partitions;
        self.uncommitted.retain(|tp, _| partitions.contains_key(tp));
        if self.uncommitted.is_empty() {
            return;
        }
        let begun = Instant::now();
        let committed = self.consumer.commit_unless(&self.stamped(), timeout, given_up);
        self.metrics.commit_time.record(ms(begun.elapsed()));
        self.metrics.commit_success.record(if committed.is_ok() { 1.0 } else { 0.0 });
        match committed {
            Ok(()) => {
                self.metrics.commits.add(1);
                let accepted = std::mem::take(&mut self.uncommitted);
                self.sink.accepted(&accepted);
                self.tolerance.committed(&accepted);
                for (tp, offset) in accepted {
                    if let Some(partition) = self.partitions.get_mut(&tp) {
                        partition.committed = Some(offset);
                    }
                }
            }
            Err(error) => {
                self.metrics.commit_failures.add(1);
                tracing::warn!("task {} could not commit its offsets: {error}", self.spec.id);
                // one that is fenced may go on owning its partitions after a rebalance: those that it lost are let go, and forgotten
                if error.class == Class::Fatal {
                    self.uncommitted.clear();
                }
                // its topic is gone
                if let (UNKNOWN_TOPIC, Some(tp)) = (error.code, &error.partition) {
                    self.uncommitted.retain(|other, _| other.topic != tp.topic);
                }
            }
        }
    }

    /// Forgets what was to be committed of `partitions`.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        for tp in partitions {
            self.uncommitted.remove(tp);
            self.offered.remove(tp);
        }
        self.tolerance.forget(partitions);
    }

    pub(super) fn let_go_of_all(&mut self, failed: bool, timeout: Duration) {
        let all: Vec<_> = self.partitions.keys().cloned().collect();
        self.let_go(&all, failed, timeout);
    }

    /// Lets partitions go within `timeout`: what is visible is committed, unless another member may have them.
    pub(super) fn let_go(&mut self, partitions: &[TopicPartition], drop_open: bool, timeout: Duration) {
        let (begun, lost) = (Instant::now(), self.consumer.lost());
        let mut drop_open = drop_open;
        if let (Some(letters), false) = (&mut self.tolerance.letters, lost) {
            match letters.flush(part(timeout, ACKNOWLEDGING)) {
                Ok(true) => {}
                Ok(false) => tracing::warn!(
                    "task {}: not all dead letters were acknowledged; their records will be read again",
                    self.spec.id
                ),
                // a letter that cannot be stored holds back what is behind it for good
                Err(error) => {
                    tracing::warn!("task {}: {error}", self.spec.id);
                    drop_open = true;
                }
            }
        }
        if !drop_open && !lost {
            self.tell();
            // The sink may wait for the group to accept what it has given before.
            match self.sink.pre_commit() {
                Ok(offsets) => self.offer(offsets),
                Err(error) => tracing::warn!("task {}: {error}", self.spec.id),
            }
            self.release();
            self.commit_now(part(timeout, ACKNOWLEDGING), &|| false);
        }
        match self.sink.close(partitions, drop_open || lost, part(timeout, PUBLISHING).saturating_sub(begun.elapsed())) {
            Ok(offsets) => self.offer(offsets),
            Err(error) => tracing::warn!("task {}: {error}", self.spec.id),
        }
        self.release();
        if !self.consumer.lost() {
            self.commit_now(part(timeout, COMMITTING).saturating_sub(begun.elapsed()), &|| false);
        }
        for tp in partitions {
            self.partitions.remove(tp);
        }
        self.forget(partitions);
        let mut lags = self.metrics.lags();
        lags.retain(|lag| !partitions.contains(&lag.origin));
        self.metrics.set_lags(lags);
        self.metrics.partitions.set(self.partitions.len() as u64);
    }
}
