//! Whatever members, the store and the group do: each record lands once, and no offset of the group is ahead of what is visible.

use std::sync::atomic::{AtomicBool, AtomicU64};

use proptest::prelude::*;

use super::store::away;
use super::*;

/// The log's end.
const END: i64 = 120;

/// Compaction and transactions leave gaps.
fn exists(offset: i64) -> bool {
    offset % 7 != 3 && offset % 50 < 45
}

/// What happens next. `Who` is 0 for the member that has the partition, or one of those that had it and do not know.
#[derive(Clone, Debug)]
enum Happening {
    /// A member takes the records of so many offsets, or opens the partition.
    Fetch(Who, i64),
    /// One of its files ends, as by its size.
    End(Who, usize),
    /// All of them do.
    EndAll(Who),
    /// It has a turn, and the group takes what it gives, or loses it.
    Turn(Who, bool),
    /// It waits for what is under way.
    Rest(Who),
    /// It is gone without a word, and there is another.
    Kill,
    /// The partition goes to another, and it does not know.
    Replace,
    /// It lets the partition go, and another has it.
    Close,
    /// The group is back at an earlier commit, or has none.
    Forget(usize),
}

type Who = usize;

fn happening() -> impl Strategy<Value = Happening> {
    let who = || prop_oneof![3 => Just(0), 1 => Just(1)];
    prop_oneof![
        8 => (who(), 1i64..25).prop_map(|(who, n)| Happening::Fetch(who, n)),
        4 => (who(), 0usize..3).prop_map(|(who, file)| Happening::End(who, file)),
        2 => who().prop_map(Happening::EndAll),
        4 => (who(), any::<bool>()).prop_map(|(who, takes)| Happening::Turn(who, takes)),
        3 => who().prop_map(Happening::Rest),
        1 => Just(Happening::Kill),
        1 => Just(Happening::Replace),
        1 => Just(Happening::Close),
        1 => (0usize..4).prop_map(Happening::Forget),
    ]
}

/// How the files of a case are cut.
#[derive(Clone, Debug)]
struct Cuts {
    apart: bool,
    flush_size: Option<u64>,
    max_open_files: Option<usize>,
    flush_on_stop: bool,
}

fn cuts() -> impl Strategy<Value = Cuts> {
    let (flush, open) = (proptest::option::of(2u64..12), proptest::option::of(1usize..3));
    (any::<bool>(), flush, open, any::<bool>()).prop_map(|(apart, flush_size, max_open_files, flush_on_stop)| Cuts {
        apart,
        flush_size,
        max_open_files,
        flush_on_stop,
    })
}

/// A worker that has the partition, or believes so.
struct Member {
    task: LakeTask,
    at: i64,
    open: bool,
    landed: Vec<Range<i64>>,
    /// The group's offset as it knows it.
    group: Option<Offset>,
}

struct World {
    bench: Bench,
    storage: Arc<Asking>,
    cuts: Cuts,
    /// The first one has the partition.
    members: Vec<Member>,
    /// What the group has accepted.
    commits: Vec<Offset>,
    group: Option<Offset>,
    turns: u64,
}

impl World {
    fn new(seed: u64, faulty: Arc<AtomicBool>, cuts: Cuts) -> Self {
        let bench = Bench::new();
        let calls = AtomicU64::new(seed);
        let storage = Asking::new(&bench, move |_| {
            let fails = mixed(calls.fetch_add(1, Ordering::Relaxed)).is_multiple_of(7);
            if fails && faulty.load(Ordering::Relaxed) { away() } else { Ok(()) }
        });
        let mut world = Self { bench, storage, cuts, members: Vec::new(), commits: Vec::new(), group: None, turns: seed };
        world.assign();
        world
    }

    /// Gives the partition to a new member.
    fn assign(&mut self) {
        let Cuts { apart, flush_size, max_open_files, flush_on_stop } = self.cuts;
        let task = self.bench.task_on(self.storage.clone(), |layout| {
            by_shop(layout);
            layout.rotation = Rotation { apart, flush_size, max_open_files, ..Rotation::default() };
            (layout.flush_on_stop, layout.retry_backoff) = (flush_on_stop, Duration::from_millis(1));
        });
        let at = self.group.as_ref().map_or(0, |group| group.offset);
        self.members.insert(0, Member { task, at, open: false, landed: Vec::new(), group: self.group.clone() });
        self.members.truncate(2);
    }

    fn happens(&mut self, happening: &Happening) {
        self.turns += 1;
        let turn = mixed(self.turns);
        match happening {
            Happening::Fetch(who, n) => self.with(*who, |member| member.fetch(*n, turn)),
            Happening::End(who, file) => self.with(*who, |member| member.end(*file)),
            Happening::EndAll(who) => self.with(*who, |member| member.task.end_all(&tp(), Reason::Size)),
            Happening::Turn(who, takes) => self.turn(*who, *takes),
            Happening::Rest(who) => self.with(*who, |member| rest(&mut member.task)),
            Happening::Kill => {
                self.members.remove(0);
                self.assign();
            }
            Happening::Replace => self.assign(),
            Happening::Close => {
                let given = self.members[0].task.close(&[tp()], false, WAIT).expect("close").remove(&tp());
                if let Some(given) = given {
                    self.accept(given);
                }
                self.members.remove(0);
                self.assign();
            }
            Happening::Forget(back) => self.group = self.commits.iter().rev().nth(*back).cloned(),
        }
    }

    /// Does something of a member, if there is one, and has it read again what it shall.
    fn with(&mut self, who: Who, does: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(who) {
            does(member);
            member.rewind();
        }
    }

    fn turn(&mut self, who: Who, takes: bool) {
        let Some(member) = self.members.get_mut(who) else { return };
        member.task.ready(Duration::ZERO).expect("no failure");
        let given = member.task.pre_commit().expect("no failure");
        // the group refuses commits of those that it has left out
        if who == 0
            && takes
            && let Some(offset) = given.get(&tp())
        {
            (member.group, member.at) = (Some(offset.clone()), member.at);
            member.task.accepted(&given);
            self.accept(offset.clone());
        }
        self.with(who, |_| ());
    }

    fn accept(&mut self, offset: Offset) {
        let landed: BTreeSet<i64> = self.bench.ids().into_iter().collect();
        let missing = (0..offset.offset).find(|o| exists(*o) && !landed.contains(o));
        assert_eq!(missing, None, "{offset:?} is in the group");
        self.group = Some(offset.clone());
        self.commits.push(offset);
    }

    /// Lands all that is left, and looks at all that has landed.
    fn end(mut self) {
        let until = Instant::now() + WAIT;
        while self.members[0].at < END || !self.members[0].open {
            self.happens(&Happening::Fetch(0, END));
            self.happens(&Happening::EndAll(0));
            self.happens(&Happening::Rest(0));
            self.happens(&Happening::Turn(0, true));
            assert!(Instant::now() < until, "it does not come to an end");
        }
        self.happens(&Happening::Close);
        let expected: Vec<i64> = (0..END).filter(|offset| exists(*offset)).collect();
        assert_eq!(self.bench.ids(), expected);
        let pointer = self.bench.pointer();
        assert_eq!((pointer.landed.low(), pointer.incarnation, pointer.published), (END, 0, true));
        assert_eq!(self.group.map(|group| group.offset), Some(END));
    }
}

impl Member {
    /// Opens the partition, or puts what there is of the next `n` offsets, to folders that nobody foresees.
    fn fetch(&mut self, n: i64, turn: u64) {
        if !self.open && !self.opens() {
            return;
        }
        let (at, end) = (self.at, (self.at + n).min(END));
        let landed = |offset: &i64| self.landed.iter().any(|run| run.contains(offset));
        let offsets: Vec<i64> = (at..end).filter(|offset| exists(*offset) && !landed(offset)).collect();
        if at >= end {
            return;
        }
        let batches = match &offsets[..] {
            [] => vec![filtered(at..end)],
            all => {
                let (one, two) = all.split_at(turn as usize % all.len());
                let parts = [one, two].into_iter().filter(|part| !part.is_empty());
                parts.map(|part| shops(part, |offset| (mixed(turn ^ offset as u64) % 3) as i64)).collect()
            }
        };
        let mut batches: Vec<Batch> = batches;
        if let Some(last) = batches.last_mut() {
            last.covers.end = end;
        }
        put(&mut self.task, batches);
        self.at = end;
    }

    fn opens(&mut self) -> bool {
        let first = (self.at..END).find(|offset| exists(*offset)).unwrap_or(END - 1);
        match self.task.open(&tp(), &Opening { committed: self.group.clone(), first, ..Opening::default() }) {
            Ok(Some(opened)) => {
                (self.at, self.landed, self.open) = (opened.resume, opened.landed, true);
                true
            }
            Ok(None) | Err(TaskError::Retriable(_)) => false,
            Err(error) => panic!("it cannot be opened: {error}"),
        }
    }

    fn end(&mut self, file: usize) {
        let open = self.task.partitions.get(&tp()).and_then(|partition| partition.open.keys().nth(file).copied());
        if let Some(file) = open {
            self.task.end_file(&tp(), file, Reason::Size);
        }
    }

    fn rewind(&mut self) {
        if let Some(offset) = self.task.rewinds().remove(&tp()) {
            (self.at, self.open) = (offset, false);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_record_lands_once(
        seed in any::<u64>(),
        faults in any::<bool>(),
        cuts in cuts(),
        happenings in proptest::collection::vec(happening(), 20..60),
    ) {
        let faulty = Arc::new(AtomicBool::new(faults));
        let mut world = World::new(seed, faulty.clone(), cuts);
        for happening in &happenings {
            world.happens(happening);
        }
        faulty.store(false, Ordering::Relaxed);
        world.end();
    }
}
