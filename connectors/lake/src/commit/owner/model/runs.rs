//! The bounds within which the model is looked at: small ones always, large ones by `make model`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use super::{Budget, Kind, Met, World};

const NONE: Budget = Budget::NONE;

fn world(records: u8, budget: Budget) -> World {
    World { records, kind: Kind::Blocks, budget, saves: false, letters: false, met: AtomicU32::new(0), finish: Mutex::default() }
}

/// Looks at every state of `world`, and asserts that it is good and that `met` was met.
fn holds(name: &str, world: World, met: &[Met]) {
    let (begun, Budget { owners, faults, deletes, reopens, resets, handovers, recreations, gaps }) = (Instant::now(), world.budget);
    let bounds = format!(
        "{} records, {owners} owners, {faults} faults, {deletes} deletes, {reopens} reopens, {resets} resets, {handovers} handovers, \
         {recreations} topics, {gaps} gaps, {:?}{}{}",
        world.records,
        world.kind,
        if world.saves { ", saves" } else { "" },
        if world.letters { ", letters" } else { "" },
    );
    let threads = if large() { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let checker = world.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut failures: Vec<_> = checker.discoveries().into_iter().map(|(name, path)| (name, path.into_actions())).collect();
    failures.sort_by_key(|(_, actions)| actions.len());
    let (states, seconds) = (checker.unique_state_count(), begun.elapsed().as_secs_f32());
    // what `make model` prints
    println!("| {name} | {bounds} | {states} | {} | {seconds:.0} s |", if failures.is_empty() { "holds" } else { "FAILS" });
    if let Some((property, actions)) = failures.first() {
        let trace: String = actions.iter().map(|action| format!("\n  {action:?}")).collect();
        panic!("{name}: it is not so that {property}, after:{trace}");
    }
    let all = checker.model().met.load(Ordering::Relaxed);
    for met in met {
        assert!(all & 1 << *met as u32 != 0, "{name}: {met:?} is never met");
    }
}

fn large() -> bool {
    std::env::var_os("LANDFALL_MODEL").is_some_and(|bounds| bounds == "large")
}

#[test]
fn answers_are_lost_and_late() {
    holds("faults", world(2, Budget { faults: 1, deletes: 1, ..NONE }), &[Met::Landed, Met::PublishedBefore, Met::Refused, Met::Resolved, Met::Refenced]);
}

#[test]
fn an_operator_sets_the_group_back() {
    holds("resets", world(1, Budget { faults: 1, resets: 1, ..NONE }), &[Met::Rewound, Met::Confirmed]);
}

#[test]
fn another_worker_has_the_partition() {
    holds("handover", world(2, Budget { handovers: 1, ..NONE }), &[Met::Raised, Met::Confirmed]);
}

#[test]
fn topic() {
    holds("topic", world(1, Budget { faults: 1, recreations: 1, ..NONE }), &[Met::Rewound, Met::Confirmed]);
}

#[test]
fn gap() {
    holds("gap", world(2, Budget { gaps: 1, ..NONE }), &[Met::Raised]);
}

#[test]
fn letters() {
    holds("letters", World { letters: true, saves: true, ..world(2, NONE) }, &[]);
}

#[test]
fn saves() {
    holds("saves", World { saves: true, kind: Kind::Rename, ..world(2, Budget { deletes: 1, ..NONE }) }, &[]);
}
