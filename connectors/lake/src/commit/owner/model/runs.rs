//! The bounds within which the model is looked at: small ones always, large ones too by `make model`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use super::{Budget, Kind, Met, World};

const NONE: Budget = Budget::NONE;

fn world(records: u8, budget: Budget) -> World {
    World { records, kind: Kind::Blocks, budget, saves: false, letters: false, met: AtomicU32::new(0), finish: Mutex::default() }
}

fn bounds(world: &World) -> String {
    let Budget { owners, faults, deletes, reopens, resets, handovers, recreations, gaps } = world.budget;
    let counts = [
        (world.records, "records"),
        (owners, "owners"),
        (faults, "faults"),
        (deletes, "deletes"),
        (reopens, "reopens"),
        (resets, "resets"),
        (handovers, "handovers"),
        (recreations, "new topics"),
        (gaps, "gaps"),
        (u8::from(world.saves), "saves"),
        (u8::from(world.letters), "dead letters"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| match *name {
        "saves" | "dead letters" => (*name).to_owned(),
        name if *count == 1 => format!("1 {}", name.trim_end_matches('s')),
        name => format!("{count} {name}"),
    });
    counts.chain([format!("{:?}", world.kind).to_lowercase()]).collect::<Vec<_>>().join(", ")
}

/// Looks at every state of `world`, and asserts that it is good and that `met` was met.
fn holds(world: World, met: &[Met]) {
    let (begun, bounds) = (Instant::now(), bounds(&world));
    let threads = if large() { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let checker = world.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut failures: Vec<_> = checker.discoveries().into_iter().map(|(name, path)| (name, path.into_actions())).collect();
    failures.sort_by_key(|(_, actions)| actions.len());
    if let Some((property, actions)) = failures.first() {
        let trace: String = actions.iter().map(|action| format!("\n  {action:?}")).collect();
        panic!("{bounds}: it is not so that {property}, after:{trace}");
    }
    eprint(&format!("| {bounds} | {} | {:.0} s |", checker.unique_state_count(), begun.elapsed().as_secs_f32()));
    let all = checker.model().met.load(Ordering::Relaxed);
    for met in met {
        assert!(all & 1 << *met as u32 != 0, "{bounds}: {met:?} is never met");
    }
}

#[expect(clippy::print_stderr, reason = "the table that make model shows")]
fn eprint(row: &str) {
    eprintln!("{row}");
}

fn large() -> bool {
    std::env::var_os("LANDFALL_MODEL").is_some_and(|bounds| bounds == "large")
}

#[test]
fn answers_are_lost_and_late() {
    let met = [Met::Landed, Met::PublishedBefore, Met::Gone, Met::Refused, Met::Resolved, Met::Refenced];
    holds(world(2, Budget { faults: 1, deletes: 1, ..NONE }), &met);
    if large() {
        holds(world(2, Budget { faults: 2, deletes: 2, ..NONE }), &met);
        holds(World { kind: Kind::Rename, saves: true, ..world(2, Budget { faults: 1, deletes: 1, reopens: 1, ..NONE }) }, &met);
        holds(world(2, Budget { owners: 3, faults: 1, deletes: 1, ..NONE }), &met);
        holds(world(3, Budget { faults: 1, deletes: 1, ..NONE }), &met);
    }
}

#[test]
fn zombies_open_the_partition_anew() {
    let met = [Met::Landed, Met::Gone, Met::Refused];
    holds(World { kind: Kind::Rename, ..world(2, Budget { reopens: 1, ..NONE }) }, &met[..1]);
    if large() {
        holds(World { saves: true, kind: Kind::Rename, ..world(2, Budget { deletes: 1, reopens: 1, ..NONE }) }, &met);
        holds(World { saves: true, ..world(2, Budget { faults: 1, deletes: 1, reopens: 1, ..NONE }) }, &met);
        holds(world(2, Budget { owners: 3, reopens: 2, deletes: 1, ..NONE }), &met);
    }
}

#[test]
fn an_operator_sets_the_group_back() {
    let met = [Met::Rewound, Met::Raised, Met::Confirmed];
    holds(world(1, Budget { faults: 1, resets: 1, ..NONE }), &[Met::Rewound, Met::Confirmed]);
    holds(world(1, Budget { owners: 3, resets: 2, ..NONE }), &met);
    if large() {
        holds(World { saves: true, ..world(1, Budget { owners: 3, resets: 2, ..NONE }) }, &met);
        holds(world(2, Budget { owners: 3, faults: 1, resets: 1, ..NONE }), &met);
        holds(
            World {
                kind: Kind::Rename,
                saves: true,
                ..world(2, Budget { faults: 1, deletes: 1, reopens: 1, resets: 1, ..NONE })
            },
            &met,
        );
    }
}

#[test]
fn another_worker_has_the_partition() {
    let met = [Met::Raised, Met::Confirmed];
    holds(world(2, Budget { faults: 1, handovers: 1, ..NONE }), &met);
    if large() {
        holds(world(2, Budget { owners: 3, handovers: 2, ..NONE }), &met);
        holds(World { saves: true, ..world(2, Budget { owners: 3, faults: 1, reopens: 1, handovers: 1, ..NONE }) }, &met);
        holds(world(3, Budget { faults: 1, handovers: 1, ..NONE }), &met);
    }
}

#[test]
fn the_topic_is_made_anew() {
    let met = [Met::Rewound, Met::Confirmed];
    holds(world(1, Budget { faults: 1, recreations: 1, ..NONE }), &met);
    if large() {
        holds(world(2, Budget { owners: 3, faults: 1, recreations: 1, ..NONE }), &met);
        holds(world(1, Budget { owners: 3, faults: 1, resets: 1, recreations: 1, reopens: 1, ..NONE }), &met);
    }
}

#[test]
fn records_are_deleted_before_they_land() {
    holds(world(2, Budget { gaps: 1, ..NONE }), &[Met::Raised]);
    if large() {
        holds(World { saves: true, ..world(2, Budget { owners: 3, faults: 1, gaps: 1, ..NONE }) }, &[Met::Raised]);
        holds(world(3, Budget { handovers: 1, gaps: 1, ..NONE }), &[Met::Raised]);
        holds(world(2, Budget { owners: 3, resets: 1, gaps: 1, ..NONE }), &[Met::Raised, Met::Rewound]);
    }
}

#[test]
fn records_become_dead_letters() {
    holds(World { letters: true, saves: true, ..world(2, NONE) }, &[Met::Landed]);
    if large() {
        holds(World { letters: true, saves: true, ..world(2, Budget { faults: 1, deletes: 1, ..NONE }) }, &[Met::Landed]);
        holds(World { letters: true, ..world(3, NONE) }, &[Met::Landed]);
    }
}
