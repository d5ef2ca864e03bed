//! Makes states the same that behave the same, so that there are few.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use landfall_api::Committed;

use super::{Late, STALE, State};
use crate::commit::owner::{End, Owner, Phase};
use crate::commit::pointer::Pointer;
use crate::commit::start;

/// A group's offset without the parts of its metadata that only people look at.
pub(super) fn short(offset: &Committed) -> Committed {
    let metadata = start::incarnation(&offset.metadata).map_or_else(String::new, |of| format!("lf1:{of}"));
    Committed { offset: offset.offset, metadata }
}

fn pointers(phase: &mut Phase) -> Vec<&mut Pointer> {
    match phase {
        Phase::Fence(next, _) | Phase::Adjust(next) | Phase::Commit(next) => vec![next],
        Phase::Resolve { next, fenced } => [Some(next), fenced.as_mut()].into_iter().flatten().collect(),
        Phase::Refence { fenced, next } => vec![fenced, next],
        Phase::Read | Phase::Publish(..) | Phase::Confirm(_) | Phase::Idle | Phase::Ended(_) => Vec::new(),
    }
}

fn all_pointers(state: &mut State) -> Vec<&mut Pointer> {
    let late = state.late.iter_mut().filter_map(|late| if let Late::Write(next, _) = late { Some(next) } else { None });
    let owners = state.instances.iter_mut().flatten().flat_map(|instance| {
        let Owner { held, phase, .. } = &mut instance.owner;
        held.iter_mut().map(|(pointer, _)| pointer).chain(pointers(phase))
    });
    state.store.pointer.iter_mut().chain(late).chain(owners).collect()
}

/// Whether `owner`, which is a zombie whose version is old, can only lose.
fn loses(owner: &mut Owner, current: Option<&Pointer>, faulty: bool) -> bool {
    match &mut owner.phase {
        Phase::Idle | Phase::Confirm(_) | Phase::Commit(_) => true,
        Phase::Fence(..) | Phase::Adjust(_) => !faulty,
        Phase::Resolve { next, fenced } => {
            Some(&*next) != current && fenced.as_ref().is_none_or(|fenced| Some(fenced) != current)
        }
        Phase::Refence { next, fenced } => Some(&*next) != current && (!faulty || Some(&*fenced) != current),
        Phase::Read | Phase::Publish(..) | Phase::Ended(_) => false,
    }
}

pub(super) fn reduce(state: &mut State) {
    let (reopens, faulty) = (state.budget.reopens > 0, state.budget.faults > 0);
    for pointer in all_pointers(state) {
        pointer.seq = 0;
        if pointer.published {
            pointer.pending.clear();
        }
    }
    state.late.retain(|late| !matches!(late, Late::Write(_, version) if version.as_ref() == Some(&*STALE)));
    let (store, member) = (&state.store, state.member);
    for (at, slot) in state.instances.iter_mut().enumerate() {
        let Some(instance) = slot else { continue };
        let owner = &mut instance.owner;
        owner.assumed = 0;
        owner.skipped = 0;
        owner.ours &= owner.foreign().is_some() || owner.pointer().is_none_or(|pointer| pointer.obeyed.is_some());
        if member == Some(at) {
            continue;
        }
        let old = owner.held.as_ref().map_or(store.pointer.is_some(), |(_, version)| *version == *STALE);
        if old && let Phase::Publish(left, plan) = &mut owner.phase {
            // what it publishes may still arrive; after that it has lost
            left.retain(|pending| store.staged.iter().any(|file| file.token == pending.file.token));
            left.sort_by(|a, b| a.file.token.cmp(&b.file.token));
            *plan = start::Plan::Keep;
            if left.is_empty() {
                owner.phase = Phase::Idle;
            }
        }
        if old && loses(owner, store.pointer.as_ref(), faulty) {
            owner.phase = Phase::Ended(End::Lost);
        }
        if matches!(owner.phase, Phase::Read | Phase::Ended(End::Lost)) || old && matches!(owner.phase, Phase::Publish(..)) {
            // what it held does not matter any more
            (owner.held, owner.ours, instance.tracker, instance.open, instance.letters) = (None, false, None, [0; 2], 0);
            instance.committing.clear();
        }
        if owner.end() == Some(&End::Lost) && !reopens {
            *slot = None;
        }
    }
    let epochs: BTreeSet<u64> = all_pointers(state).iter().map(|pointer| pointer.epoch).collect();
    let epochs: Vec<u64> = epochs.into_iter().collect();
    for pointer in all_pointers(state) {
        pointer.epoch = epochs.partition_point(|epoch| *epoch <= pointer.epoch) as u64;
    }
    let mut named: BTreeSet<String> = all_pointers(state).iter().flat_map(|p| &p.pending).map(|p| p.file.token.clone()).collect();
    for instance in state.instances.iter().flatten() {
        if let Phase::Publish(left, _) = &instance.owner.phase {
            named.extend(left.iter().map(|pending| pending.file.token.clone()));
        }
    }
    named.extend(
        state.late.iter().filter_map(|late| if let Late::Publish(file) = late { Some(file.token.clone()) } else { None }),
    );
    // what nobody will ever name, and who names what is not there
    state.store.staged.retain(|file| named.contains(&file.token));
    let staged = &state.store.staged;
    state.late.retain(|late| !matches!(late, Late::Publish(sealed) if !staged.iter().any(|file| file.token == sealed.token)));
    state.late.sort_by_cached_key(|late| {
        let mut hasher = DefaultHasher::new();
        late.hash(&mut hasher);
        hasher.finish()
    });
}
