//! Which member can run what, and how work is balanced if not every member can run all of it.
//!
//! What the same members can run is a class. Classes are levelled one after the other, those that the fewest members can run
//! first, each on top of those before it and without regard to those behind it: so that a round that moves work is followed by one that
//! does not want to move it back. With one class, that of everybody, this is what Java's leader does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Item, Kind, Load, Round};

/// Which of the members that take work can run what.
#[derive(Debug)]
pub(super) struct Able<'a> {
    /// The members that can run a connector which not all of them can, by the connector's name. Never empty.
    limited: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Able<'a> {
    pub(super) fn new(round: &'a Round<'_>, members: &[&'a str]) -> Self {
        let mut limited = BTreeMap::new();
        let there: BTreeSet<&str> = members.iter().copied().collect();
        let named: BTreeSet<&str> =
            members.iter().filter_map(|member| round.cannot.get(*member)).flatten().map(String::as_str).collect();
        for connector in named {
            let cannot = |member: &&str| round.cannot.get(*member).is_some_and(|cannot| cannot.contains(connector));
            let can: BTreeSet<&str> = there.iter().copied().filter(|member| !cannot(member)).collect();
            if !can.is_empty() {
                limited.insert(connector, can);
            }
        }
        Self { limited }
    }

    /// Whether some member cannot run an item while another can.
    pub(super) fn limits(&self, item: &Item) -> bool {
        self.limited.contains_key(item.connector())
    }

    /// Whether the member can run the item; anyone may be given what nobody can run.
    pub(super) fn can(&self, member: &str, item: &Item) -> bool {
        self.limited.get(item.connector()).is_none_or(|can| can.contains(member))
    }

    /// Whether every member can run every one of the items.
    pub(super) fn all(&self, items: &BTreeSet<Item>) -> bool {
        self.limited.is_empty() || !items.iter().any(|item| self.limits(item))
    }

    /// Gives the items to the least loaded members that can run them: among members with the same load, to the one that had less
    /// before, or else whose id comes first. Without limits this is Java's `assignConnectors` and `assignTasks`.
    pub(super) fn give(&self, loads: &mut [Load<'_>], items: &[Item]) {
        for kind in Kind::ALL {
            for (class, items) in self.classes(items.iter().filter(|item| item.kind() == kind)) {
                let before = |load: &Load<'_>| load.of(kind).iter().filter(|item| self.class(item) <= class).count();
                let mut sizes: Vec<(usize, usize, &str)> =
                    loads.iter().map(|load| (before(load), before(load), load.member)).collect();
                for item in items {
                    let able = (0..loads.len()).filter(|i| self.can(loads[*i].member, item));
                    let Some(least) = able.min_by_key(|i| sizes[*i]) else { continue };
                    sizes[least].0 += 1;
                    loads[least].give(item.clone());
                }
            }
        }
    }

    /// What the members have too much of, in their order.
    pub(super) fn surplus(&self, loads: &[Load<'_>], configured: &BTreeSet<Item>) -> Vec<Vec<Item>> {
        let mut surplus = vec![Vec::new(); loads.len()];
        let held: BTreeSet<&Item> = loads.iter().flat_map(Load::items).collect();
        for kind in Kind::ALL {
            // How much of a class and of those before it a member has once everything is given out and levelled.
            let mut sizes = vec![0; loads.len()];
            for items in self.classes(configured.iter().filter(|item| item.kind() == kind)).into_values() {
                let of_class: BTreeSet<&Item> = items.iter().copied().collect();
                let able: Vec<usize> = (0..loads.len()).filter(|i| self.can(loads[*i].member, items[0])).collect();
                let mut kept: Vec<VecDeque<&Item>> =
                    loads.iter().map(|load| load.of(kind).iter().filter(|item| of_class.contains(item)).collect()).collect();
                for (size, kept) in sizes.iter_mut().zip(&kept) {
                    *size += kept.len();
                }
                for _ in items.iter().filter(|item| !held.contains(*item)) {
                    if let Some(least) = able.iter().copied().min_by_key(|i| sizes[*i]) {
                        sizes[least] += 1;
                    }
                }
                while let Some(least) = able.iter().copied().min_by_key(|i| sizes[*i])
                    && let Some(most) = able.iter().copied().filter(|i| !kept[*i].is_empty()).max_by_key(|i| sizes[*i])
                    && sizes[most] > sizes[least] + 1
                    && let Some(item) = kept[most].pop_front()
                {
                    surplus[most].push(item.clone());
                    sizes[most] -= 1;
                    sizes[least] += 1;
                }
            }
        }
        surplus
    }

    fn class(&self, item: &Item) -> Class<'_> {
        let can = self.limited.get(item.connector());
        (can.map_or(usize::MAX, BTreeSet::len), can)
    }

    fn classes<'i>(&self, items: impl Iterator<Item = &'i Item>) -> BTreeMap<Class<'_>, Vec<&'i Item>> {
        let mut classes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for item in items {
            classes.entry(self.class(item)).or_default().push(item);
        }
        classes
    }
}

/// How many members can run it, and which, unless all can.
type Class<'a> = (usize, Option<&'a BTreeSet<&'a str>>);
