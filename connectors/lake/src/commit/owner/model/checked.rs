//! What the model checker asks: what may happen next, what comes of it, and what has to hold.

use stateright::{Model, Property};

use super::{Action, Answer, FOLDERS, Met, State, Store, Truth, World, bit, reduce};
use crate::commit::owner::{Call, End, Pending, Phase};
use crate::commit::start;

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let truth = Truth::default();
        let (store, late, instances) = (Store::default(), Vec::new(), Vec::new());
        vec![State { budget: self.budget, store, late, instances, member: None, group: None, topic: 1, log_start: 0, truth }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let budget = &state.budget;
        if budget.owners > 0 {
            actions.push(Action::Start);
            let begun = !state.instances.is_empty();
            if budget.resets > 0 && begun {
                actions.extend((0..=self.end()).map(Action::Reset));
            }
            if budget.handovers > 0 {
                let from = state.group.as_ref().map_or(0, |group| group.offset).max(state.log_start);
                actions.extend((from + 1..=self.end()).map(Action::Handover));
            }
            if budget.recreations > 0 && begun {
                actions.extend([Action::Recreate(true), Action::Recreate(false)]);
            }
            if budget.gaps > 0 && begun {
                actions.extend((state.log_start + 1..self.end()).map(Action::Gap));
            }
        }
        let faulty = budget.faults > 0;
        for (at, instance) in state.instances.iter().enumerate() {
            let Some(instance) = instance else { continue };
            match instance.owner.call() {
                Some(Call::Read) => actions.push(Action::Read(at)),
                Some(Call::Write(_, version)) => {
                    actions.push(Action::Write(at, Answer::Given));
                    if faulty {
                        actions.push(Action::Write(at, Answer::Lost));
                        if state.store.expects(version) {
                            actions.extend([Action::Write(at, Answer::Late), Action::Write(at, Answer::Twice)]);
                        }
                    }
                }
                Some(Call::Publish(left)) => {
                    for Pending { file, .. } in left {
                        actions.push(Action::Publish(at, file.token.clone(), Answer::Given));
                        if faulty && state.store.staged.iter().any(|staged| staged.token == file.token) {
                            actions.push(Action::Publish(at, file.token.clone(), Answer::Lost));
                            actions.push(Action::Publish(at, file.token.clone(), Answer::Late));
                        }
                    }
                }
                None => {}
            }
            if instance.owner.end() == Some(&End::Lost) && budget.reopens > 0 {
                actions.push(Action::Reopen(at));
            }
            if let Some(tracker) =
                instance.tracker.as_ref().filter(|_| instance.owner.is_idle() && !instance.owner.awaits_group())
            {
                for to in tracker.position()..=self.end() {
                    for routes in self.routes(instance, tracker.position(), to) {
                        for commit in u8::from(!self.letters)..4 {
                            let action = Action::Take { instance: at, to, routes: routes.clone(), commit };
                            let has = |folder: u8| {
                                let kept = instance.open[usize::from(folder)] != 0;
                                let landed = |offset: &i64| instance.owner.pointer().is_some_and(|p| p.landed.contains(*offset));
                                kept || (tracker.position()..to).zip(&routes).any(|(o, route)| *route == folder && !landed(&o))
                            };
                            if (0..FOLDERS).all(|folder| commit & 1 << folder == 0 || has(folder)) {
                                actions.push(action);
                            }
                        }
                    }
                }
                if self.saves && Self::save(&mut instance.clone()) {
                    actions.push(Action::Save(at));
                }
            }
            if instance.letters != 0 {
                actions.push(Action::Told(at));
            }
            if Self::group(state, at).is_some() {
                actions.push(Action::Group(at, Answer::Given));
                if faulty {
                    actions.push(Action::Group(at, Answer::Lost));
                }
            }
        }
        actions.extend(state.late.iter().cloned().map(Action::Arrive));
        if budget.deletes > 0 {
            actions.extend(state.store.visible.iter().cloned().map(Action::Delete));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.step(&mut next, &action)?;
        reduce::reduce(&mut next);
        if self.whole(&next) {
            self.meet(Met::Landed);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no offset lands twice", |_: &Self, state: &State| {
                state.truth.landed.iter().all(|landed| *landed < 2)
            }),
            Property::always("no two visible files of an incarnation share an offset", |_: &Self, state: &State| {
                let files = &state.store.visible;
                files.iter().enumerate().all(|(at, file)| {
                    files[..at].iter().all(|other| other.incarnation != file.incarnation || other.offsets & file.offsets == 0)
                })
            }),
            Property::always("what the group has from us has landed", |world: &Self, state: &State| {
                let Some(group) = &state.group else { return true };
                let incarnation = state.store.pointer.as_ref().map(|pointer| pointer.incarnation);
                let done = |offset| state.truth.landed[offset as usize] > 0 || state.truth.excused & bit(offset) != 0;
                start::incarnation(&group.metadata).is_none()
                    || start::incarnation(&group.metadata) != incarnation
                    || (0..group.offset.min(world.end())).all(done)
            }),
            Property::always("an owner that comes now finishes", |world: &Self, state: &State| world.finishes(state)),
            Property::always("no owner is refused", |_: &Self, state: &State| {
                state.instances.iter().flatten().all(|instance| !matches!(instance.owner.phase, Phase::Ended(End::Refused(_))))
            }),
            Property::always("files become visible in their own incarnation", |_: &Self, state: &State| !state.truth.misplaced),
            Property::always("a pointer forgets no record", |_: &Self, state: &State| !state.truth.forgotten),
            Property::always("each incarnation has its cause", |_: &Self, state: &State| {
                state.store.pointer.as_ref().is_none_or(|pointer| pointer.incarnation <= state.truth.causes)
            }),
            Property::always("at the end all has landed", |world: &Self, state: &State| {
                let mut actions = Vec::new();
                world.actions(state, &mut actions);
                !actions.is_empty() || state.member.is_none() || world.whole(state)
            }),
        ]
    }
}
