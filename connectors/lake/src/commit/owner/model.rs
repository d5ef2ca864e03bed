//! The model: shipped owners and trackers in every order of steps that lost answers, late requests, crashes, zombies, other workers,
//! operators and downstream jobs can bring about, within bounds.
//!
//! A partition of a few records is landed in two folders. Any record may go to either, and to another one when it is read again; any
//! open files may end and be committed together. The newest instance is the member of the group; those before it are zombies, which
//! may take any step at any later time. An instance that takes no further step has crashed: so that everything lands is asked of
//! every state. `make model` looks further than `cargo test` does.

mod checked;
mod reduce;
mod runs;
mod store;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use landfall_api::{Committed, TopicId};

use super::super::tracker::Tracker;
use super::*;
use store::{CURRENT, File, Kind, STALE, Store};

const FOLDERS: u8 = 2;
/// The route of a record that no file takes.
const LETTER: u8 = FOLDERS;

/// How much of what can happen does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Budget {
    /// Owners that are still to come.
    owners: u8,
    /// Requests that are not answered as they should, the group's included.
    faults: u8,
    /// Files that downstream takes away.
    deletes: u8,
    /// Zombies that open the partition anew.
    reopens: u8,
    /// Times that an operator sets the group's offset.
    resets: u8,
    /// Times that another worker has the partition.
    handovers: u8,
    /// Times that the topic is made anew.
    recreations: u8,
    /// Times that the first records of the log are deleted.
    gaps: u8,
}

impl Budget {
    const NONE: Self = Self { owners: 2, faults: 0, deletes: 0, reopens: 0, resets: 0, handovers: 0, recreations: 0, gaps: 0 };
}

/// What is looked at.
#[derive(Debug)]
struct World {
    records: u8,
    kind: Kind,
    budget: Budget,
    /// Whether pointers are saved without files.
    saves: bool,
    /// Whether records may become dead letters.
    letters: bool,
    /// What has been met.
    met: AtomicU32,
    /// States from which all is known to land.
    finish: Mutex<HashSet<u64>>,
}

/// What a run of the model has to meet to be worth something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Landed,
    PublishedBefore,
    Gone,
    Refused,
    Resolved,
    Refenced,
    Rewound,
    Raised,
    Confirmed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    budget: Budget,
    store: Store,
    /// Requests that may still arrive.
    late: Vec<Late>,
    instances: Vec<Option<Instance>>,
    /// Which instance the group takes commits from.
    member: Option<usize>,
    group: Option<Committed>,
    topic: u128,
    log_start: i64,
    truth: Truth,
}

/// What really happened in this incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Truth {
    /// How often each offset became visible, up to 2.
    landed: [u8; 4],
    /// Offsets that are done with otherwise: another worker's, dead letters, deleted ones, those before the start; a bit each.
    excused: u8,
    /// What may have made an incarnation.
    causes: u32,
    /// Whether a pointer was written that follows what something else has set the group's offset to.
    followed: bool,
    /// A file of another incarnation than the pointer's became visible.
    misplaced: bool,
    /// A pointer said that an offset is done with that is not.
    forgotten: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Late {
    Write(Pointer, Option<Version>),
    Publish(crate::storage::Sealed),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Instance {
    owner: Owner,
    /// Once it is open.
    tracker: Option<Tracker>,
    /// The offsets in the open file of each folder, a bit each.
    open: [u8; FOLDERS as usize],
    /// The folders whose files are being committed.
    committing: Vec<u64>,
    /// Records that no file takes, and that are not known to be stored as dead letters.
    letters: u8,
    files: u8,
    topic: u128,
    /// The group's offset as it was read or accepted last.
    known: Option<Committed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Given,
    /// The request is applied, its answer is lost.
    Lost,
    /// The request arrives later, or never.
    Late,
    /// The request arrives twice, and the second answer is given.
    Twice,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    Start,
    Reset(i64),
    Handover(i64),
    /// The topic is another one; whether the group's offset is forgotten.
    Recreate(bool),
    /// The log begins there.
    Gap(i64),
    Read(usize),
    Write(usize, Answer),
    Publish(usize, String, Answer),
    /// Takes records up to an offset, each by a route, and commits the files of these folders.
    Take {
        instance: usize,
        to: i64,
        routes: Vec<u8>,
        commit: u8,
    },
    Save(usize),
    Told(usize),
    Group(usize, Answer),
    Reopen(usize),
    Arrive(Late),
    Delete(File),
}

fn bit(offset: i64) -> u8 {
    1 << offset
}

fn bits(offsets: std::ops::Range<i64>) -> u8 {
    offsets.fold(0, |bits, offset| bits | bit(offset))
}

impl World {
    fn end(&self) -> i64 {
        i64::from(self.records)
    }

    fn meet(&self, met: Met) {
        self.met.fetch_or(1 << met as u32, Ordering::Relaxed);
    }

    fn claim(state: &State, instance: usize, topic: u128, known: Option<Committed>) -> Claim {
        let identity = Identity { connector: "c".into(), group: "g".into(), kafka_cluster_id: String::new() };
        let first = known.as_ref().map_or(state.log_start, |known| known.offset.max(state.log_start));
        let start =
            Start { committed: known, first, log_start: Some(state.log_start), log_end: None, topic: TopicId::new(topic) };
        let writer = Writer { instance: instance as u64, ..Writer::default() };
        let rules = Rules { gap: start::OffsetGap::Skip, ..Rules::default() };
        Claim { name: "t-0".into(), identity, writer, start, rules }
    }

    fn instance(state: &State, at: usize, topic: u128, known: Option<Committed>, files: u8) -> Instance {
        let owner = Owner::new(Self::claim(state, at, topic, known.clone()));
        Instance { owner, tracker: None, open: [0; FOLDERS as usize], committing: Vec::new(), letters: 0, files, topic, known }
    }

    /// Replaces the pointer if it has the version; whether it did.
    fn write(&self, state: &mut State, next: &Pointer, expected: Option<&Version>) -> bool {
        if !state.store.expects(expected) {
            self.meet(Met::Refused);
            return false;
        }
        for instance in state.instances.iter_mut().flatten() {
            if let Some((_, version)) = &mut instance.owner.held {
                *version = STALE.clone();
            }
        }
        for late in &mut state.late {
            if let Late::Write(_, version) = late {
                *version = Some(STALE.clone());
            }
        }
        let before = state.store.pointer.replace(next.clone());
        let truth = &mut state.truth;
        let foreign =
            state.group.as_ref().filter(|group| start::incarnation(&group.metadata).is_none()).map(|group| group.offset);
        let low = before.as_ref().map_or(0, |before| before.landed.low());
        if let Some(foreign) = foreign.filter(|foreign| low <= *foreign && *foreign < next.landed.low())
            && !truth.followed
            && next.obeyed != Some(foreign)
            && state.member != usize::try_from(next.owner.instance).ok()
        {
            truth.causes += 1; // a zombie's commit: nobody can tell that the group was not set back after it
        }
        truth.followed |= foreign.is_some() && next.obeyed == foreign;
        if before.as_ref().is_none_or(|before| before.incarnation != next.incarnation) {
            if before.is_some() {
                (truth.landed, truth.excused) = ([0; 4], bits(0..state.log_start));
                self.meet(Met::Rewound);
            }
            // what an operator wants to be left out meanwhile
            truth.excused |= bits(0..next.landed.low().max(foreign.unwrap_or(0)).min(self.end()));
        } else if before.is_some_and(|before| before.landed != next.landed && before.published && next.published) {
            self.meet(Met::Raised);
        }
        let pending = |offset| {
            let staged = |pending: &Pending| {
                let files = state.store.staged.iter().chain(&state.store.visible);
                files.filter(|file| file.token == pending.file.token).any(|file| file.offsets & bit(offset) != 0)
            };
            !next.published && next.pending.iter().any(staged)
        };
        let done =
            |offset: i64| state.truth.landed[offset as usize] > 0 || state.truth.excused & bit(offset) != 0 || pending(offset);
        let forgotten = (0..self.end()).any(|offset| next.landed.contains(offset) && !done(offset));
        state.truth.forgotten |= forgotten;
        true
    }

    fn publish(&self, state: &mut State, sealed: &crate::storage::Sealed) -> Published {
        let (published, file) = state.store.publish(self.kind, sealed);
        match (published, file) {
            (Published::Landed, Some(file)) => {
                let incarnation = state.store.pointer.as_ref().map(|pointer| pointer.incarnation);
                state.truth.misplaced |= incarnation != Some(file.incarnation);
                for offset in (0..self.end()).filter(|offset| file.offsets & bit(*offset) != 0) {
                    let landed = &mut state.truth.landed[offset as usize];
                    *landed = (*landed + 1).min(2);
                }
            }
            (Published::Landed, None) => self.meet(Met::PublishedBefore),
            (Published::Gone { .. }, _) => self.meet(Met::Gone),
            (Published::Conflict, _) => {}
        }
        published
    }

    /// What an instance does at once when its owner has got an answer.
    fn settle(&self, state: &mut State, at: usize) {
        let Some(instance) = &mut state.instances[at] else { return };
        if matches!(instance.owner.phase, Phase::Refence { .. }) {
            self.meet(Met::Refenced);
        }
        if instance.owner.is_idle() {
            match (&mut instance.tracker, instance.owner.pointer()) {
                (None, Some(pointer)) => instance.tracker = Some(Tracker::new(pointer.landed.clone())),
                (Some(tracker), _) => tracker.landed(&std::mem::take(&mut instance.committing)),
                _ => {}
            }
        }
        if instance.owner.end() == Some(&End::Lost) && state.member == Some(at) {
            self.reopen(state, at);
        }
    }

    fn reopen(&self, state: &mut State, at: usize) {
        let Some(Instance { topic, known, files, .. }) = state.instances[at].take() else { return };
        state.instances[at] = Some(Self::instance(state, at, topic, known, files));
    }

    /// The ways in which records from `from` up to `to` can go.
    fn routes(&self, instance: &Instance, from: i64, to: i64) -> Vec<Vec<u8>> {
        let landed = instance.owner.pointer().map(|pointer| &pointer.landed);
        let mut routes = vec![Vec::new()];
        for offset in from..to {
            let ways = match landed {
                Some(landed) if landed.contains(offset) => 1,
                _ => FOLDERS + u8::from(self.letters),
            };
            routes = routes.iter().flat_map(|route| (0..ways).map(|way| [&route[..], &[way]].concat())).collect();
        }
        routes
    }

    /// Takes records; None if these files cannot be committed then.
    fn take(&self, state: &mut State, at: usize, to: i64, routes: &[u8], commit: u8) -> Option<()> {
        let instance = state.instances[at].as_mut()?;
        let (tracker, pointer) = (instance.tracker.as_mut()?, instance.owner.pointer()?.clone());
        for (offset, route) in (tracker.position()..to).zip(routes) {
            if pointer.landed.contains(offset) {
                continue;
            }
            if *route == LETTER {
                instance.letters |= bit(offset);
                continue;
            }
            tracker.put(offset, u64::from(*route));
            instance.open[usize::from(*route)] |= bit(offset);
        }
        tracker.advance(to);
        if commit == 0 {
            return (!routes.is_empty() && routes.contains(&LETTER)).then_some(());
        }
        let told = told(instance.letters);
        let (mut files, mut staged) = (Vec::new(), Vec::new());
        for folder in (0..FOLDERS).filter(|folder| commit & 1 << folder != 0) {
            let offsets = std::mem::take(&mut instance.open[usize::from(folder)]);
            if offsets == 0 {
                return None;
            }
            let (first, last) = (i64::from(offsets.trailing_zeros()), 7 - i64::from(offsets.leading_zeros()));
            if last >= told {
                return None;
            }
            let (path, token) = (format!("{folder}/{first}.r{}", pointer.incarnation), format!("{at}.{}", instance.files));
            instance.files += 1;
            instance.committing.push(u64::from(folder));
            staged.push(File { path: path.clone(), token: token.clone(), incarnation: pointer.incarnation, offsets });
            let file = crate::storage::Sealed { path, token, size: 0, staged_at: 0 };
            files.push(Pending { file, first, last, rows: u64::from(offsets.count_ones()) });
        }
        let covered = tracker.covers(&instance.committing, told);
        instance.owner.commit(files, covered);
        staged.into_iter().for_each(|file| state.store.stage(file));
        Some(())
    }

    fn save(instance: &mut Instance) -> bool {
        let (Some(tracker), true) = (&instance.tracker, instance.owner.is_idle() && !instance.owner.awaits_group()) else {
            return false;
        };
        let covered = tracker.covers(&[], told(instance.letters));
        instance.owner.save(covered)
    }

    /// The group's offset that an instance would commit now, if it may and that would change something.
    fn group(state: &State, at: usize) -> Option<Committed> {
        let owner = &state.instances[at].as_ref()?.owner;
        let offset = owner.offset().filter(|_| state.member == Some(at))?;
        (owner.awaits_group() || state.group.as_ref() != Some(&reduce::short(&offset))).then_some(offset)
    }

    fn step(&self, state: &mut State, action: &Action) -> Option<()> {
        let budget = &mut state.budget;
        match action {
            Action::Start => {
                budget.owners -= 1;
                let at = state.instances.len();
                state.member = Some(at);
                let instance = Self::instance(state, at, state.topic, state.group.clone(), 0);
                state.instances.push(Some(instance));
            }
            Action::Reset(to) => {
                budget.resets -= 1;
                state.group = Some(Committed { offset: *to, metadata: String::new() });
                state.truth.excused |= bits(0..*to);
                (state.member, state.truth.causes) = (None, state.truth.causes + behind(state, *to));
                state.truth.followed = false;
            }
            Action::Handover(to) => {
                budget.handovers -= 1;
                let from = state.group.as_ref().map_or(state.log_start, |group| group.offset.max(state.log_start));
                state.truth.excused |= bits(from..*to);
                state.group = Some(Committed { offset: *to, metadata: String::new() });
                (state.member, state.truth.causes) = (None, state.truth.causes + behind(state, *to));
                state.truth.followed = false;
            }
            Action::Recreate(forget) => {
                budget.recreations -= 1;
                (state.topic, state.log_start) = (state.topic + 1, 0);
                if *forget {
                    state.group = None;
                }
                (state.member, state.truth.causes) = (None, state.truth.causes + 1);
            }
            Action::Gap(to) => {
                budget.gaps -= 1;
                state.log_start = *to;
                state.truth.excused |= bits(0..*to);
            }
            Action::Read(at) => {
                let found = state.store.pointer.clone().map(|pointer| (pointer, CURRENT.clone()));
                let owner = &mut state.instances[*at].as_mut()?.owner;
                let resolving = matches!(owner.phase, Phase::Resolve { .. });
                owner.read(found);
                if resolving && matches!(owner.phase, Phase::Publish(..) | Phase::Idle) {
                    self.meet(Met::Resolved);
                }
                self.settle(state, *at);
            }
            Action::Write(at, answer) => {
                let Some(Call::Write(next, version)) = state.instances[*at].as_ref()?.owner.call() else { return None };
                let (next, version) = (next.clone(), version.cloned());
                budget.faults -= u8::from(*answer != Answer::Given);
                let written = match answer {
                    Answer::Late => {
                        state.late.push(Late::Write(next, version));
                        None
                    }
                    _ => match (self.write(state, &next, version.as_ref()), answer) {
                        (true, Answer::Given) => Some(Written::Done(CURRENT.clone())),
                        (false, Answer::Given) | (_, Answer::Twice) => Some(Written::Refused),
                        _ => None,
                    },
                };
                state.instances[*at].as_mut()?.owner.wrote(written);
                self.settle(state, *at);
            }
            Action::Publish(at, token, answer) => {
                let Some(Call::Publish(left)) = state.instances[*at].as_ref()?.owner.call() else { return None };
                let sealed = left.iter().find(|pending| pending.file.token == *token)?.file.clone();
                budget.faults -= u8::from(*answer != Answer::Given);
                if *answer == Answer::Late {
                    state.late.push(Late::Publish(sealed));
                    return Some(());
                }
                let published = self.publish(state, &sealed);
                if *answer == Answer::Given {
                    state.instances[*at].as_mut()?.owner.published(token, published);
                    self.settle(state, *at);
                }
            }
            Action::Take { instance, to, routes, commit } => self.take(state, *instance, *to, routes, *commit)?,
            Action::Save(at) => {
                Self::save(state.instances[*at].as_mut()?);
            }
            Action::Told(at) => {
                let letters = &mut state.instances[*at].as_mut()?.letters;
                state.truth.excused |= *letters & letters.wrapping_neg();
                *letters &= *letters - 1;
            }
            Action::Group(at, answer) => {
                let offset = Self::group(state, *at)?;
                state.budget.faults -= u8::from(*answer != Answer::Given);
                state.group = Some(reduce::short(&offset));
                if *answer == Answer::Given {
                    let instance = state.instances[*at].as_mut()?;
                    if !instance.owner.is_idle() {
                        self.meet(Met::Confirmed);
                    }
                    instance.known = Some(reduce::short(&offset));
                    instance.owner.accepted(&offset);
                    self.settle(state, *at);
                }
            }
            Action::Reopen(at) => {
                budget.reopens -= 1;
                self.reopen(state, *at);
            }
            Action::Arrive(late) => {
                let at = state.late.iter().position(|other| other == late)?;
                match state.late.remove(at) {
                    Late::Write(next, version) => {
                        self.write(state, &next, version.as_ref());
                    }
                    Late::Publish(sealed) => {
                        self.publish(state, &sealed);
                    }
                }
            }
            Action::Delete(file) => {
                budget.deletes -= 1;
                state.store.visible.retain(|other| other != file);
            }
        }
        Some(())
    }

    fn whole(&self, state: &State) -> bool {
        let truth = &state.truth;
        (0..self.end()).all(|offset| match truth.landed[offset as usize] {
            0 => truth.excused & bit(offset) != 0,
            landed => landed == 1,
        })
    }

    /// Whether an owner that comes now, and is alone and undisturbed, lands what has not landed, once.
    fn finishes(&self, state: &State) -> bool {
        let mut hasher = DefaultHasher::new();
        (&state.store, &state.group, state.topic, state.log_start, &state.truth).hash(&mut hasher);
        let key = hasher.finish();
        if self.finish.lock().expect("no panic").contains(&key) {
            return true;
        }
        let mut state =
            State { late: Vec::new(), instances: Vec::new(), budget: Budget { owners: 1, ..Budget::NONE }, ..state.clone() };
        if self.step(&mut state, &Action::Start).is_none() {
            return false;
        }
        if let Some(instance) = &mut state.instances[0] {
            instance.files = 100; // its files are none of those before
        }
        let mut steps = 0;
        while let Some(instance) = &state.instances[0] {
            steps += 1;
            if steps > 64 {
                return false; // it goes in circles
            }
            let owner = &instance.owner;
            let end = instance.tracker.as_ref().map_or(-1, Tracker::position);
            let next = match owner.call() {
                Some(Call::Read) => Action::Read(0),
                Some(Call::Write(..)) => Action::Write(0, Answer::Given),
                Some(Call::Publish(left)) => Action::Publish(0, left[0].file.token.clone(), Answer::Given),
                None if owner.end().is_some() => return false,
                None if owner.awaits_group() => Action::Group(0, Answer::Given),
                None if end < self.end() => {
                    let landed = owner.pointer().expect("it is idle").landed.clone();
                    let commit = u8::from((end..self.end()).any(|offset| !landed.contains(offset)));
                    if commit == 0 {
                        break;
                    }
                    Action::Take { instance: 0, to: self.end(), routes: vec![0; (self.end() - end) as usize], commit }
                }
                None => break,
            };
            if self.step(&mut state, &next).is_none() {
                return false;
            }
        }
        let incarnation = state.store.pointer.as_ref().map_or(0, |pointer| pointer.incarnation);
        let Truth { misplaced, forgotten, causes, .. } = state.truth;
        let good = self.whole(&state) && !misplaced && !forgotten && incarnation <= causes;
        if good {
            self.finish.lock().expect("no panic").insert(key);
        }
        good
    }
}

/// How many incarnations a group's offset can make.
fn behind(state: &State, offset: i64) -> u32 {
    u32::from(state.store.pointer.as_ref().is_some_and(|pointer| offset < pointer.landed.low()))
}

/// The offset before which all dead letters are stored.
fn told(letters: u8) -> i64 {
    if letters == 0 { i64::MAX } else { i64::from(letters.trailing_zeros()) }
}
