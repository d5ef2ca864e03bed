//! Moves as little work as balance needs, as `IncrementalCooperativeAssignor` 4.3.1 (KIP-415).
//!
//! Work that has to move is revoked in one round and given out in the next. Work that nobody says to run any more, because a
//! member died or restarts, stays unassigned until a delay is over; a member that comes back with nothing gets it then.

use std::collections::{BTreeMap, BTreeSet};

use super::{Able, Item, Kind, Load, Round, Share, items};

/// What the leader remembers from round to round.
#[derive(Debug)]
pub(super) struct Incremental {
    /// `scheduled.rebalance.max.delay.ms`.
    max_delay: i32,
    /// What the members had after the last round, and what was lost then.
    previous: BTreeSet<Item>,
    /// What was revoked in the last round.
    revoked: BTreeSet<Item>,
    /// Whether work was revoked in the last round to balance the load.
    balanced: bool,
    /// How many rounds in a row wanted to.
    successive: i32,
    /// The members that had nothing while lost work was waited for, in the order in which they were seen.
    candidates: Vec<String>,
    /// When the delay is over; 0 if there is none.
    scheduled: i64,
    delay: i32,
    generation: i32,
    members: BTreeSet<String>,
}

impl Incremental {
    pub(super) fn new(max_delay: i32) -> Self {
        Self {
            max_delay,
            previous: BTreeSet::new(),
            revoked: BTreeSet::new(),
            balanced: false,
            successive: 0,
            candidates: Vec::new(),
            scheduled: 0,
            delay: 0,
            generation: -1,
            members: BTreeSet::new(),
        }
    }

    /// What each member gets and loses, and after how long all join again.
    pub(super) fn assign(&mut self, round: &Round<'_>) -> (BTreeMap<String, Share>, i32) {
        let allocations: BTreeMap<&str, Vec<Item>> =
            round.members.iter().map(|(member, metadata)| (member.as_str(), once(items(metadata.work())))).collect();
        let configured = round.configured();
        let active: BTreeSet<Item> = allocations.values().flatten().cloned().collect();
        // The last round did not reach the members: what they have says more than what they should have.
        if self.generation != round.last_completed_generation {
            self.previous.clear();
        }
        // Nor did its revocations.
        if !self.revoked.is_disjoint(&active) {
            self.previous.clone_from(&active);
        }
        self.revoked.clear();

        let deleted = &self.previous - &configured;
        let lost = &(&self.previous - &active) - &deleted;
        let created = &(&configured - &self.previous) - &active;
        let duplicated = duplicated(&allocations);

        let staying: Vec<&str> =
            round.members.iter().filter(|(_, metadata)| !metadata.leaving).map(|(member, _)| member.as_str()).collect();
        let able = Able::new(round, &staying);
        let mut revoked: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
        let mut loads = Vec::new();
        for (member, items) in &allocations {
            let leaving = round.members[*member].leaving;
            let stops = |item: &Item| leaving || deleted.contains(item) || duplicated.contains(item) || !able.can(member, item);
            let (stopped, kept) = items.iter().cloned().partition(stops);
            revoked.insert(member, stopped);
            if !leaving {
                loads.push(Load::new(member, kept));
            }
        }

        let mut new = Vec::from_iter(created);
        new.extend(self.give_lost(round, &able, &mut loads, &lost));
        if self.delay == 0 {
            let surplus = match able.all(&configured) {
                true => surplus(&loads, &configured),
                false => able.surplus(&loads, &configured),
            };
            if self.may_balance(surplus.iter().all(Vec::is_empty), round.now) {
                for (load, surplus) in loads.iter_mut().zip(surplus) {
                    load.take(&surplus);
                    revoked.entry(load.member).or_default().extend(surplus);
                }
            }
        } else {
            self.balanced = false;
        }
        able.give(&mut loads, &new);

        self.revoked = revoked.values().flatten().cloned().collect();
        self.previous =
            loads.iter().flat_map(Load::items).filter(|item| !self.revoked.contains(item)).chain(&lost).cloned().collect();
        self.generation = round.generation;
        self.members = staying.into_iter().map(str::to_owned).collect();

        let mut all: BTreeMap<&str, Vec<Item>> = loads.into_iter().map(|load| (load.member, load.into_items())).collect();
        let mut shares = BTreeMap::new();
        for (member, revoked) in revoked {
            let all = all.remove(member).unwrap_or_default();
            let had: BTreeSet<&Item> = allocations[member].iter().collect();
            let new = all.iter().filter(|item| !had.contains(item)).cloned().collect();
            shares.insert(member.to_owned(), Share { all, new, revoked });
        }
        (shares, self.delay)
    }

    /// Gives what was lost to the members that came back with nothing, once the delay is over, or says what of it is to be given out as if it
    /// were new (`handleLostAssignments`).
    fn give_lost(&mut self, round: &Round<'_>, able: &Able<'_>, loads: &mut [Load<'_>], lost: &BTreeSet<Item>) -> Vec<Item> {
        if lost.is_empty() && !self.balanced {
            self.reset_delay();
            return Vec::new();
        }
        let all_are_there = self.members.iter().all(|member| round.members.contains_key(member));
        if (self.scheduled <= 0 && all_are_there) || self.max_delay == 0 {
            return lost.iter().cloned().collect();
        }
        if self.scheduled > 0 && round.now >= self.scheduled {
            let mut new = Vec::new();
            let candidates: Vec<usize> =
                self.candidates.iter().filter_map(|candidate| loads.iter().position(|load| load.member == candidate)).collect();
            for kind in Kind::ALL {
                let mut turn = candidates.iter().copied().cycle();
                for item in lost.iter().filter(|item| item.kind() == kind) {
                    match turn.next() {
                        Some(next) if able.can(loads[next].member, item) => loads[next].give(item.clone()),
                        _ => new.push(item.clone()),
                    }
                }
            }
            self.reset_delay();
            self.balanced = false;
            return new;
        }
        for load in loads.iter().filter(|load| load.is_empty()) {
            if !self.candidates.iter().any(|candidate| candidate == load.member) {
                self.candidates.push(load.member.to_owned());
            }
        }
        self.delay = match self.scheduled - round.now {
            left @ 1.. => i32::try_from(left).unwrap_or(i32::MAX).min(self.max_delay),
            _ => self.max_delay,
        };
        self.scheduled = round.now + i64::from(self.delay);
        Vec::new()
    }

    fn reset_delay(&mut self) {
        self.candidates.clear();
        self.scheduled = 0;
        self.delay = 0;
    }

    /// Whether surplus work may be revoked in this round. If the last one did so already, a growing delay comes first.
    fn may_balance(&mut self, balanced: bool, now: i64) -> bool {
        if balanced {
            if self.balanced {
                self.balanced = false;
                self.successive = 0;
            }
            return false;
        }
        if self.balanced {
            self.successive = self.successive.saturating_add(1);
            self.delay = backoff(self.successive, self.max_delay);
            if self.delay != 0 {
                self.scheduled = now + i64::from(self.delay);
                return false;
            }
        }
        self.balanced = true;
        true
    }
}

/// 40 ms, 1.6 s, 64 s … until `max`, as `ExponentialBackoff` has it without jitter.
fn backoff(attempts: i32, max: i32) -> i32 {
    if max <= 1 {
        return max;
    }
    let most = f64::from(max).ln() / 40_f64.ln();
    (40_f64.powf(f64::from(attempts).min(most)) as i32).min(max)
}

/// Each item once, where it is first.
fn once(items: impl Iterator<Item = Item>) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(item.clone())).collect()
}

/// What more than one member has.
fn duplicated(allocations: &BTreeMap<&str, Vec<Item>>) -> BTreeSet<Item> {
    let mut seen = BTreeSet::new();
    allocations.values().flatten().filter(|item| !seen.insert(*item)).cloned().collect()
}

/// What the members have too much of, in their order: the first of what they have beyond their share
/// (`performLoadBalancingRevocations`).
fn surplus(loads: &[Load<'_>], configured: &BTreeSet<Item>) -> Vec<Vec<Item>> {
    let mut surplus = vec![Vec::new(); loads.len()];
    if loads.iter().all(Load::is_empty) || configured.is_empty() {
        return surplus;
    }
    for kind in Kind::ALL {
        let total = configured.iter().filter(|item| item.kind() == kind).count();
        let (least, extra) = (total / loads.len(), total % loads.len());
        let with = |size| loads.iter().filter(|load| load.of(kind).len() == size).count();
        if with(least + 1) == extra && with(least) + extra == loads.len() {
            continue;
        }
        // The first members that have more than the least keep one more.
        let mut extra = extra;
        for (load, surplus) in loads.iter().zip(&mut surplus) {
            let items = load.of(kind);
            if items.len() > least {
                let keeps = least + extra.min(1);
                extra = extra.saturating_sub(1);
                surplus.extend_from_slice(&items[..items.len() - keeps]);
            }
        }
    }
    surplus
}
