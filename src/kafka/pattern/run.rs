//! Tries a pattern on a name, by backtracking in the order in which Java does.

use std::collections::HashSet;

use super::class::{Set, WORD};
use super::parse::{ENDLESS, Greed, Node};

/// The steps that are quicker than to remember them.
const QUICK: usize = 2_000;

/// One instruction.
#[derive(Clone, Debug)]
enum Op {
    /// A character of the set.
    Set(Set),
    /// Goes on here, and at the other place if that fails.
    Split(usize),
    Jump(usize),
    /// The name's first character comes next.
    Begin,
    /// The name ends here.
    End,
    /// The pattern ends here: and so does the name, if all of it is to match.
    Done,
    /// A word begins or ends here, or not.
    Bound(bool),
    /// Group `group` begins, or ends.
    Open(usize),
    Close(usize),
    /// The text of a group again.
    Again {
        group: usize,
        fold: bool,
    },
    /// Loop `slot` begins.
    Enter(usize),
    /// Decides on another round of the body, which is next, or goes on at `exit`.
    Loop {
        slot: usize,
        min: u32,
        max: u32,
        lazy: bool,
        exit: usize,
    },
    /// What follows, up to its [`Op::Accept`], is tried by itself; then it goes on at `exit`.
    Atomic {
        exit: usize,
    },
    Ahead {
        wanted: bool,
        exit: usize,
    },
    Behind {
        wanted: bool,
        min: usize,
        max: usize,
        exit: usize,
    },
    Accept,
}

/// Where a group begins and ends, if it took part.
pub(super) type Span = Option<(usize, usize)>;

/// A pattern as instructions.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    ops: Vec<Op>,
    groups: usize,
    loops: usize,
    /// Whether a group's text is asked for again, so that the way to a place matters and not only the place.
    again: bool,
}

/// A round of a loop.
#[derive(Clone, Copy, Default)]
struct Round {
    count: u32,
    start: usize,
}

#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    span: Option<(usize, usize)>,
}

/// What to go back to.
enum Back {
    To { op: usize, at: usize },
    Group(usize, Group),
    Loop(usize, Round),
}

struct Run<'p> {
    ops: &'p [Op],
    name: &'p [u8],
    /// Whether all of the name is to match.
    whole: bool,
    groups: Vec<Group>,
    loops: Vec<Round>,
    back: Vec<Back>,
    budget: usize,
    /// What is left of the budget when it begins to remember where it has been.
    remembers: usize,
}

impl Program {
    pub(super) fn new(node: &Node, groups: usize) -> Self {
        let mut program = Self { ops: Vec::new(), groups: groups + 1, loops: 0, again: false };
        program.add(node);
        program.ops.push(Op::Done);
        program.ops.push(Op::Accept);
        program
    }

    /// The number of capturing groups.
    pub(super) fn groups(&self) -> usize {
        self.groups - 1
    }

    /// Whether all of `name` matches; None if it takes more than `budget` steps to say.
    pub(super) fn matches(&self, name: &[u8], budget: usize) -> Option<bool> {
        self.start(name, true, budget).run(0, 0, None).map(|end| end.is_some())
    }

    /// What the beginning of `name` matches: the span of the whole, and of each group that took part. The inner None says that nothing
    /// does, the outer one that it takes more than `budget` steps to say.
    pub(super) fn captures(&self, name: &[u8], budget: usize) -> Option<Option<Vec<Span>>> {
        let mut run = self.start(name, false, budget);
        let Some(end) = run.run(0, 0, None)? else { return Some(None) };
        let groups = run.groups.iter().skip(1).map(|group| group.span);
        Some(Some([Some((0, end))].into_iter().chain(groups).collect()))
    }

    fn start<'p>(&'p self, name: &'p [u8], whole: bool, budget: usize) -> Run<'p> {
        Run {
            ops: &self.ops,
            name,
            whole,
            groups: vec![Group::default(); self.groups],
            loops: vec![Round::default(); self.loops],
            back: Vec::new(),
            budget,
            remembers: if self.again { 0 } else { budget.saturating_sub(QUICK) },
        }
    }

    fn hole(&mut self) -> usize {
        self.ops.push(Op::Accept);
        self.ops.len() - 1
    }

    /// `node` by itself, begun by an instruction that knows where it ends.
    fn alone(&mut self, node: &Node, op: impl FnOnce(usize) -> Op) {
        let hole = self.hole();
        self.add(node);
        self.ops.push(Op::Accept);
        self.ops[hole] = op(self.ops.len());
    }

    fn add(&mut self, node: &Node) {
        match node {
            Node::Set(set) => self.ops.push(Op::Set(*set)),
            Node::Begin => self.ops.push(Op::Begin),
            Node::End => self.ops.push(Op::End),
            Node::Bound(wanted) => self.ops.push(Op::Bound(*wanted)),
            Node::Again { group, fold } => {
                self.again = true;
                self.ops.push(Op::Again { group: *group, fold: *fold });
            }
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.add(node)),
            Node::Either(nodes) => {
                let mut ends = Vec::new();
                let Some((last, before)) = nodes.split_last() else { return };
                for node in before {
                    let split = self.hole();
                    self.add(node);
                    ends.push(self.hole());
                    self.ops[split] = Op::Split(self.ops.len());
                }
                self.add(last);
                let end = self.ops.len();
                ends.into_iter().for_each(|jump| self.ops[jump] = Op::Jump(end));
            }
            Node::Group(group, node) => {
                self.ops.push(Op::Open(*group));
                self.add(node);
                self.ops.push(Op::Close(*group));
            }
            Node::Atomic(node) => self.alone(node, |exit| Op::Atomic { exit }),
            Node::Ahead(wanted, node) => self.alone(node, |exit| Op::Ahead { wanted: *wanted, exit }),
            Node::Behind { wanted, min, max, node } => {
                self.alone(node, |exit| Op::Behind { wanted: *wanted, min: *min, max: *max, exit });
            }
            // each round is tried by itself, and so is the whole: none is taken back
            Node::Repeat { node, min, max, greed: Greed::Possessive } => {
                let round = Box::new(Node::Atomic(node.clone()));
                let rounds = Node::Repeat { node: round, min: *min, max: *max, greed: Greed::Greedy };
                self.alone(&rounds, |exit| Op::Atomic { exit });
            }
            Node::Repeat { node, min, max, greed } => {
                let slot = self.loops;
                self.loops += 1;
                self.ops.push(Op::Enter(slot));
                let decide = self.hole();
                self.add(node);
                self.ops.push(Op::Jump(decide));
                let exit = self.ops.len();
                self.ops[decide] = Op::Loop { slot, min: *min, max: *max, lazy: *greed == Greed::Lazy, exit };
            }
        }
    }
}

impl Run<'_> {
    /// Runs from instruction `op` at `at` of the name to an [`Op::Accept`], at `end` if that is given; where it ended, if it did.
    /// The outer None says that the budget is spent.
    fn run(&mut self, mut op: usize, mut at: usize, end: Option<usize>) -> Option<Option<usize>> {
        let base = self.back.len();
        // where loops have decided before: what failed from there will fail again (Java remembers it too)
        let mut been = HashSet::new();
        loop {
            self.budget = self.budget.checked_sub(1)?;
            let next = match self.ops[op] {
                Op::Set(set) => self.name.get(at).filter(|c| c.is_ascii() && set >> **c & 1 == 1).map(|_| (op + 1, at + 1)),
                Op::Split(other) => {
                    self.back.push(Back::To { op: other, at });
                    Some((op + 1, at))
                }
                Op::Jump(to) => Some((to, at)),
                Op::Begin => (at == 0).then_some((op + 1, at)),
                Op::Done => (!self.whole || at == self.name.len()).then_some((op + 1, at)),
                Op::End => (at == self.name.len()).then_some((op + 1, at)),
                Op::Bound(wanted) => (self.bound(at) == wanted).then_some((op + 1, at)),
                Op::Open(group) => {
                    self.set_group(group, Group { start: at, ..self.groups[group] });
                    Some((op + 1, at))
                }
                Op::Close(group) => {
                    let start = self.groups[group].start;
                    self.set_group(group, Group { start, span: Some((start, at)) });
                    Some((op + 1, at))
                }
                Op::Again { group, fold } => self.again(group, fold, at).map(|end| (op + 1, end)),
                Op::Enter(slot) => {
                    self.set_loop(slot, Round::default());
                    Some((op + 1, at))
                }
                Op::Loop { .. } if self.budget < self.remembers && !been.insert((op, at, self.counts(op, at))) => None,
                Op::Loop { slot, min, max, lazy, exit } => Some((self.round(op, at, slot, (min, max), lazy, exit), at)),
                Op::Atomic { exit } => self.run(op + 1, at, None)?.map(|end| (exit, end)),
                Op::Ahead { wanted, exit } => {
                    let found = self.run(op + 1, at, None)?.is_some();
                    (found == wanted).then_some((exit, at))
                }
                Op::Behind { wanted, min, max, exit } => {
                    let mut found = false;
                    for start in (at.saturating_sub(max)..=at).rev().skip(min) {
                        if self.run(op + 1, start, Some(at))?.is_some() {
                            found = true;
                            break;
                        }
                    }
                    (found == wanted).then_some((exit, at))
                }
                Op::Accept if end.is_none_or(|end| end == at) => {
                    // nothing of it is taken back any more, its groups included
                    self.back.truncate(base);
                    return Some(Some(at));
                }
                Op::Accept => None,
            };
            match next.or_else(|| self.back_to(base)) {
                Some(next) => (op, at) = next,
                None => return Some(None),
            }
        }
    }

    /// How far the loops are that are under way at the loop `op`, as far as it matters for what follows.
    fn counts(&self, op: usize, at: usize) -> Vec<(u32, bool)> {
        let of = |o: &Op| match *o {
            Op::Loop { slot, min, max, exit, .. } if exit > op => {
                let Round { count, start } = self.loops[slot];
                let endless = max == ENDLESS;
                Some((if endless { count.min(min) } else { count }, count > 0 && start == at))
            }
            _ => None,
        };
        self.ops[..=op].iter().filter_map(of).collect()
    }

    fn back_to(&mut self, base: usize) -> Option<(usize, usize)> {
        while self.back.len() > base {
            match self.back.pop()? {
                Back::To { op, at } => return Some((op, at)),
                Back::Group(group, before) => self.groups[group] = before,
                Back::Loop(slot, before) => self.loops[slot] = before,
            }
        }
        None
    }

    fn set_group(&mut self, group: usize, now: Group) {
        let before = std::mem::replace(&mut self.groups[group], now);
        self.back.push(Back::Group(group, before));
    }

    fn set_loop(&mut self, slot: usize, now: Round) {
        let before = std::mem::replace(&mut self.loops[slot], now);
        self.back.push(Back::Loop(slot, before));
    }

    /// Where a loop goes on: into another round, or out. A round that took nothing is the last.
    fn round(&mut self, op: usize, at: usize, slot: usize, (min, max): (u32, u32), lazy: bool, exit: usize) -> usize {
        let Round { count, start } = self.loops[slot];
        if count > 0 && start == at || count >= max {
            return exit;
        }
        let next = Round { count: count + 1, start: at };
        if count < min {
            self.set_loop(slot, next);
            op + 1
        } else if lazy {
            // the round begins when what follows has failed; going back takes the last first, and so counts it then
            self.back.push(Back::To { op: op + 1, at });
            self.back.push(Back::Loop(slot, next));
            exit
        } else {
            self.back.push(Back::To { op: exit, at });
            self.set_loop(slot, next);
            op + 1
        }
    }

    fn again(&self, group: usize, fold: bool, at: usize) -> Option<usize> {
        let (start, end) = self.groups.get(group)?.span?;
        let (text, here) = (&self.name[start..end], self.name.get(at..at + (end - start))?);
        let same = if fold { text.eq_ignore_ascii_case(here) } else { text == here };
        same.then_some(at + (end - start))
    }

    fn bound(&self, at: usize) -> bool {
        let word = |at: Option<usize>| at.and_then(|at| self.name.get(at)).is_some_and(|c| c.is_ascii() && WORD >> *c & 1 == 1);
        word(at.checked_sub(1)) != word(Some(at))
    }
}
