//! Reads what stands for one of several characters: `[…]` with its ranges, unions and intersections, and `\p{…}`.

use super::class::{self, Set, one, range, unicode_folded};
use super::parse::{C, Escape, Node, Parser};

impl Parser<'_> {
    /// A class, from its `[` on; or, not `whole`, the right side of an intersection, up to the `]` that it leaves.
    pub(super) fn class(&mut self, whole: bool) -> Result<Set, String> {
        // the characters of single bits are united last, when they have been met
        let (mut set, mut last): (Option<Set>, Option<Set>) = (None, None);
        let (mut bits, mut negated) = (None::<Set>, false);
        let mut c = self.next();
        loop {
            match char::from_u32(c).unwrap_or('\u{FFFD}') {
                '^' if self.at(self.cursor - 1) == C('[') && set.is_none() && bits.is_none() && !negated => {
                    negated = true;
                    c = self.next();
                    continue;
                }
                '[' => {
                    let inner = self.deeper(|p| p.class(true))?;
                    last = Some(inner);
                    set = Some(set.unwrap_or(0) | inner);
                    c = self.peek();
                    continue;
                }
                '&' if self.at(self.cursor + 1) == C('&') || self.flags.comments && self.next_is('&') => {
                    self.next();
                    let mut here = self.next();
                    let mut right: Option<Set> = None;
                    while here != C(']') && here != C('&') {
                        let whole = here == C('[');
                        if !whole {
                            self.cursor -= 1;
                        }
                        let one = self.deeper(|p| p.class(whole))?;
                        right = Some(right.unwrap_or(0) | one);
                        here = self.peek();
                    }
                    if let Some(bits) = bits.take() {
                        set = Some(set.unwrap_or(0) | bits);
                    }
                    if right.is_some() {
                        last = right;
                    }
                    set = Some(match (set, right) {
                        (None, None) => return Err(self.error("Bad class syntax")),
                        (None, Some(right)) => right,
                        (Some(left), _) => left & last.unwrap_or(left),
                    });
                    c = self.peek();
                    continue;
                }
                '\0' if self.cursor >= self.length => return Err(self.error("Unclosed character class")),
                ']' if set.is_some() || bits.is_some() => {
                    if whole {
                        self.next();
                    }
                    let all = set.unwrap_or(0) | bits.unwrap_or(0);
                    return Ok(if negated { !all } else { all });
                }
                _ => {}
            }
            match self.range()? {
                (single, true) => bits = Some(bits.unwrap_or(0) | single),
                (several, false) => {
                    last = Some(several);
                    set = Some(set.unwrap_or(0) | several);
                }
            }
            c = self.peek();
        }
    }

    fn next_is(&mut self, wanted: char) -> bool {
        let cursor = self.cursor;
        let is = self.next() == C(wanted);
        self.cursor = cursor;
        is
    }

    /// What stands at the cursor in a class: a character, a range or an escape; and whether it is a single character.
    fn range(&mut self) -> Result<(Set, bool), String> {
        let c = self.peek();
        let first = if c == C('\\') {
            match self.at(self.cursor + 1) {
                p if p == C('p') || p == C('P') => {
                    self.cursor += 1;
                    return Ok((self.family(p == C('P'))?, false));
                }
                _ => {
                    let ranged = self.at(self.cursor + 2) == C('-');
                    match self.escape(true, ranged)? {
                        Escape::Char(c) => c,
                        Escape::Node(Node::Set(set)) => return Ok((set, false)),
                        Escape::Node(_) => return Err(self.error("Illegal/unsupported escape sequence")),
                    }
                }
            }
        } else {
            self.next();
            c
        };
        let end = self.at(self.cursor + 1);
        if self.peek() != C('-') || end == C('[') || end == C(']') {
            return Ok((self.single(first), first < 256));
        }
        let last = match self.next() {
            c if c == C('\\') => match self.escape(true, true)? {
                Escape::Char(c) => c,
                Escape::Node(_) => return Err(self.error("Illegal character range")),
            },
            c => {
                self.next();
                c
            }
        };
        if last < first {
            return Err(self.error("Illegal character range"));
        }
        let mut set = range(first, last);
        if self.flags.fold {
            set = class::folded(set);
            if self.flags.unicode_case {
                let beyond = [0x130, 0x131, 0x17F, 0x212A].into_iter().filter(|c| (first..=last).contains(c));
                set |= beyond.fold(0, |all, c| all | class::folded(one(unicode_folded(c))));
            }
        }
        Ok((set, false))
    }

    /// `\p…` or `\P…`, from its letter on.
    pub(super) fn family(&mut self, complement: bool) -> Result<Set, String> {
        let name: String = if self.next() == C('{') {
            self.cursor += 1;
            let first = self.cursor;
            let Some(end) = self.temp[first..self.length].iter().position(|c| *c == C('}')) else {
                self.cursor = self.length + 1;
                return Err(self.error("Unclosed character family"));
            };
            self.cursor = first + end + 1;
            if end == 0 {
                return Err(self.error("Empty character family"));
            }
            self.temp[first..first + end].iter().filter_map(|c| char::from_u32(*c)).collect()
        } else {
            let c = self.read();
            char::from_u32(c).into_iter().collect()
        };
        let (fold, unicode) = (self.flags.fold, self.flags.unicode);
        let found = if let Some((key, value)) = name.split_once('=') {
            match key.to_lowercase().as_str() {
                "sc" | "script" => Some(class::script(value).ok_or_else(|| self.unsupported(&format!("\\p{{{name}}}")))?),
                "blk" | "block" => Some(class::block(value).ok_or_else(|| self.unsupported(&format!("\\p{{{name}}}")))?),
                "gc" | "general_category" => class::named(value, fold, false),
                _ => None,
            }
            .ok_or_else(|| {
                let key = key.to_lowercase();
                self.error(&format!("Unknown Unicode property {{name=<{key}>, value=<{value}>}}"))
            })?
        } else if let Some(block) = name.strip_prefix("In") {
            class::block(block).ok_or_else(|| self.unsupported(&format!("\\p{{{name}}}")))?
        } else if let Some(is) = name.strip_prefix("Is") {
            let found = class::property(is, fold).or_else(|| class::named(is, fold, false)).or_else(|| class::script(is));
            found.ok_or_else(|| self.unsupported(&format!("\\p{{{name}}}")))?
        } else {
            class::named(&name, fold, unicode)
                .ok_or_else(|| self.error(&format!("Unknown character property name {{{name}}}")))?
        };
        Ok(if complement { !found } else { found })
    }
}
