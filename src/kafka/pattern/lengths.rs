//! How long a part of a pattern can be, as far as Java sees it: look-behind needs a bound.

use super::parse::{ENDLESS, Greed, Node};

/// What Java's `TreeInfo` gathers: how long a part can be, in 32 bits that overflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) min: i32,
    pub(super) max: i32,
    /// Whether Java sees an end.
    pub(super) bounded: bool,
    /// Whether there is but one way through it.
    plain: bool,
}

impl Lengths {
    const NONE: Self = Self { min: 0, max: 0, bounded: true, plain: true };

    pub(super) fn of(node: &Node) -> Self {
        let mut lengths = Self::NONE;
        lengths.add(node);
        lengths
    }

    /// Goes on with `node`. The quirks are Java's: an endless repetition of one character is bounded, by the length of the name.
    fn add(&mut self, node: &Node) {
        match node {
            Node::Set(_) => (self.min, self.max) = (self.min.wrapping_add(1), self.max.wrapping_add(1)),
            Node::Begin | Node::End | Node::Bound(_) | Node::Ahead(..) | Node::Behind { .. } => {}
            Node::Again { .. } => self.bounded = false,
            Node::Group(_, node) | Node::Atomic(node) => self.add(node),
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.add(node)),
            Node::Either(nodes) => {
                let all: Vec<_> = nodes.iter().map(Self::of).collect();
                self.min = self.min.wrapping_add(all.iter().map(|l| l.min).min().unwrap_or(0));
                self.max = self.max.wrapping_add(all.iter().map(|l| l.max).max().unwrap_or(0));
                self.bounded &= all.iter().all(|l| l.bounded);
                self.plain = false;
            }
            Node::Repeat { node, max: 1, min: 0, .. } => {
                let min = self.min;
                self.add(node);
                (self.min, self.plain) = (min, false);
            }
            Node::Repeat { node, min, max: ENDLESS, greed: Greed::Greedy } if matches!(**node, Node::Set(_)) => {
                (self.min, self.max) = (self.min.wrapping_add(*min as i32), self.max.wrapping_add(i32::MAX));
                self.plain = false;
            }
            Node::Repeat { node, min, max, greed } => {
                let one = Self::of(node);
                if !one.plain && *greed != Greed::Possessive && !matches!(**node, Node::Atomic(_)) {
                    (self.bounded, self.plain) = (false, false);
                    return;
                }
                let least = one.min.wrapping_mul(*min as i32).wrapping_add(self.min);
                let most = one.max.wrapping_mul(*max as i32).wrapping_add(self.max);
                self.bounded &= one.bounded && most >= self.max;
                self.min = if least < self.min { 0x0FFF_FFFF } else { least };
                self.max = most;
                self.plain &= one.plain && min == max;
            }
        }
    }
}
