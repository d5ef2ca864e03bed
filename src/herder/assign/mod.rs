//! Decides which member of a Connect cluster runs what; the leader's part of a rebalance.
//!
//! [`eager`] gives everything out anew, [`incremental`] moves as little as it can, both as Java's leader does, so that either kind of
//! worker can lead after the other. Two things are Landfall's own; neither happens in a cluster that does not ask for it.
//!
//! **Work that a member cannot run.** [`Round::cannot`] has the connectors whose class, or whose transforms or converters, a member is
//! known not to have. Their work goes to the least loaded member that can run it, and is revoked from a member that cannot if
//! another can; it goes to anyone, as Java's leader gives it, if nobody can. Unknown counts as can. See [`able`].
//!
//! **A member that leaves cleanly.** Java's leader cannot tell it from one that died: what it ran waits for
//! `scheduled.rebalance.max.delay.ms`. With `landfall.leave.hands.over=true` a Landfall worker that shuts down first
//! joins again with all that it still runs and [`Metadata::leaving`]. A Landfall leader revokes all of it, as it would to balance the
//! load, gives that member nothing new and does not count it as one to balance with. The member stops its work and, where another
//! would join again, leaves the group. In the rebalance that follows that work is nobody's and new: it is given out at once, with no
//! delay, because it was revoked and not lost. The mark is behind the last field of the metadata, where Java's workers do not look: a
//! Java leader revokes nothing, by which the worker sees that it has to leave as ever; and Java members see but a revocation
//! and new work. What is revoked is no longer in the member's allocation, so that a leader that takes over in
//! between, of either kind, takes it as new as well. The eager protocol needs none of this: it has no delay.

mod able;
mod eager;
mod incremental;

use std::collections::{BTreeMap, BTreeSet};

use able::Able;
use incremental::Incremental;

use super::protocol::{Assignment, Metadata, Protocol, Work};
use crate::task::TaskId;

/// What the leader knows when the members have joined.
#[derive(Clone, Debug)]
pub struct Round<'a> {
    /// The protocol that the group chose.
    pub protocol: Protocol,
    /// The generation that the members have joined.
    pub generation: i32,
    /// The last generation in which this member got an assignment; −1 if there was none.
    pub last_completed_generation: i32,
    /// The leader's own member id.
    pub leader: &'a str,
    /// Where the leader takes requests.
    pub leader_url: &'a str,
    /// What the members say of themselves, by member id.
    pub members: BTreeMap<String, Metadata>,
    /// The connectors and tasks of the leader's snapshot of the configuration topic.
    pub configured: Work,
    /// The offset of that snapshot. One that is behind [`behind`](Self::behind) is read anew before the round is assigned.
    pub offset: i64,
    /// The connectors that a member is known not to be able to run, by member id.
    pub cannot: BTreeMap<String, BTreeSet<String>>,
    /// The time, in milliseconds.
    pub now: i64,
}

impl Round<'_> {
    /// The offset up to which a member has read the configuration topic while the leader's snapshot is not there yet.
    #[must_use]
    pub fn behind(&self) -> Option<i64> {
        self.members.values().map(|member| member.offset).max().filter(|max| self.offset < *max)
    }

    /// The connector instances and tasks that there are.
    fn configured(&self) -> BTreeSet<Item> {
        items(&self.configured).collect()
    }
}

/// What one leader remembers from round to round. A worker keeps one for as long as it lives, as Java's does.
#[derive(Debug)]
pub struct Assignor {
    incremental: Incremental,
    complete: BTreeMap<String, Work>,
}

impl Assignor {
    /// One that leaves lost work unassigned for so many milliseconds (`scheduled.rebalance.max.delay.ms`).
    #[must_use]
    pub fn new(max_delay: i32) -> Self {
        Self { incremental: Incremental::new(max_delay), complete: BTreeMap::new() }
    }

    /// What each member is told, by member id.
    ///
    /// If the snapshot is [`behind`](Round::behind) every member gets [`Assignment::CONFIG_MISMATCH`].
    pub fn assign(&mut self, round: &Round<'_>) -> BTreeMap<String, Assignment> {
        let behind = round.behind();
        let assignment = Assignment {
            version: round.protocol.version(),
            error: if behind.is_some() { Assignment::CONFIG_MISMATCH } else { Assignment::NO_ERROR },
            leader: round.leader.to_owned(),
            leader_url: round.leader_url.to_owned(),
            offset: behind.unwrap_or(round.offset),
            ..Assignment::default()
        };
        if behind.is_some() {
            return round.members.keys().map(|member| (member.clone(), assignment.clone())).collect();
        }
        let (shares, delay) = match round.protocol {
            Protocol::Eager => (eager::assign(round), 0),
            Protocol::Compatible | Protocol::Sessioned => self.incremental.assign(round),
        };
        self.complete.clear();
        let mut assignments = BTreeMap::new();
        for (member, share) in shares {
            self.complete.insert(member.clone(), work(share.all));
            let (assigned, revoked) = (work(share.new), work(share.revoked));
            assignments.insert(member, Assignment { assigned, revoked, delay, ..assignment.clone() });
        }
        assignments
    }

    /// All that each member has after the last round that could be assigned, by member id: a leader knows from it who owns what (`LeaderState`).
    #[must_use]
    pub fn complete(&self) -> &BTreeMap<String, Work> {
        &self.complete
    }
}

/// What is given to members.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Connector(String),
    Task(TaskId),
}

impl Item {
    /// The connector that it is, or is a task of.
    fn connector(&self) -> &str {
        match self {
            Self::Connector(name) => name,
            Self::Task(task) => &task.connector,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Connector(_) => Kind::Connector,
            Self::Task(_) => Kind::Task,
        }
    }
}

/// Connectors are balanced among members, and tasks are, each without regard to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connector,
    Task,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Connector, Self::Task];
}

/// The connectors first.
fn items(work: &Work) -> impl Iterator<Item = Item> {
    let connectors = work.connectors.iter().cloned().map(Item::Connector);
    connectors.chain(work.tasks.iter().cloned().map(Item::Task))
}

fn work(items: Vec<Item>) -> Work {
    let mut work = Work::default();
    for item in items {
        match item {
            Item::Connector(name) => work.connectors.push(name),
            Item::Task(task) => work.tasks.push(task),
        }
    }
    work
}

/// What a round does to a member.
#[derive(Debug, Default)]
struct Share {
    /// All that it has then.
    all: Vec<Item>,
    /// What of it the member did not have before.
    new: Vec<Item>,
    /// What the member had and shall stop.
    revoked: Vec<Item>,
}

/// What a member has while a round is being worked out.
#[derive(Debug)]
struct Load<'a> {
    member: &'a str,
    connectors: Vec<Item>,
    tasks: Vec<Item>,
}

impl<'a> Load<'a> {
    fn new(member: &'a str, items: Vec<Item>) -> Self {
        let (connectors, tasks) = items.into_iter().partition(|item| item.kind() == Kind::Connector);
        Self { member, connectors, tasks }
    }

    fn of(&self, kind: Kind) -> &[Item] {
        match kind {
            Kind::Connector => &self.connectors,
            Kind::Task => &self.tasks,
        }
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.connectors.iter().chain(&self.tasks)
    }

    fn into_items(self) -> Vec<Item> {
        self.connectors.into_iter().chain(self.tasks).collect()
    }

    fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    fn give(&mut self, item: Item) {
        match item.kind() {
            Kind::Connector => self.connectors.push(item),
            Kind::Task => self.tasks.push(item),
        }
    }

    fn take(&mut self, items: &[Item]) {
        self.connectors.retain(|item| !items.contains(item));
        self.tasks.retain(|item| !items.contains(item));
    }
}

#[cfg(test)]
mod tests;
