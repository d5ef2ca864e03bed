//! Gives all connectors and then all tasks out in turn, as `EagerAssignor` 4.3.1.

use std::collections::BTreeMap;

use super::able::Able;
use super::{Item, Round, Share};

/// What each member gets, all of it new.
pub(super) fn assign(round: &Round<'_>) -> BTreeMap<String, Share> {
    let members: Vec<&str> = round.members.keys().map(String::as_str).collect();
    let able = Able::new(round, &members);
    let mut shares: Vec<Vec<Item>> = vec![Vec::new(); members.len()];
    let mut turn = (0..members.len()).cycle();
    for item in round.configured() {
        let chosen = match able.limits(&item) {
            false => turn.next(),
            true => (0..members.len()).filter(|i| able.can(members[*i], &item)).min_by_key(|i| shares[*i].len()),
        };
        if let Some(chosen) = chosen {
            shares[chosen].push(item);
        }
    }
    let share = |all: Vec<Item>| Share { new: all.clone(), all, revoked: Vec::new() };
    members.into_iter().map(str::to_owned).zip(shares.into_iter().map(share)).collect()
}
