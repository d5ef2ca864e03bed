//! Gives all connectors and then all tasks out in turn, as `EagerAssignor` 4.3.1.

use std::collections::BTreeMap;

use super::{Able, Item, Load, Round, Share};

/// What each member gets, all of it new.
pub(super) fn assign(round: &Round<'_>) -> BTreeMap<String, Share> {
    let members: Vec<&str> = round.members.keys().map(String::as_str).collect();
    let able = Able::new(round, &members);
    let configured = round.configured();
    let mut loads: Vec<Load<'_>> = members.into_iter().map(|member| Load::new(member, Vec::new())).collect();
    if able.all(&configured) {
        let members = loads.len().max(1);
        for (turn, item) in configured.into_iter().enumerate() {
            if let Some(load) = loads.get_mut(turn % members) {
                load.give(item);
            }
        }
    } else {
        able.give(&mut loads, &Vec::from_iter(configured));
    }
    let share = |all: Vec<Item>| Share { new: all.clone(), all, revoked: Vec::new() };
    loads.into_iter().map(|load| (load.member.to_owned(), share(load.into_items()))).collect()
}
