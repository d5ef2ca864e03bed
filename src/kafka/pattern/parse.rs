//! Reads a pattern as Java does: its order of precedence, its oddities, and its words for what is wrong and where.

use std::collections::BTreeMap;

use super::class::{self, Set, one, unicode_folded};
use super::lengths::Lengths;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// One character of a set.
    Set(Set),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    /// A capturing group.
    Group(usize, Box<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: u32,
        greed: Greed,
    },
    Atomic(Box<Node>),
    /// What follows does, or does not, begin so.
    Ahead(bool, Box<Node>),
    /// What stands before does, or does not, end so, with between `min` and `max` characters.
    Behind {
        wanted: bool,
        min: usize,
        max: usize,
        node: Box<Node>,
    },
    /// The text of a group again.
    Again {
        group: usize,
        fold: bool,
    },
    Begin,
    End,
    /// A word begins or ends here, or not.
    Bound(bool),
}

/// How a repetition tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

/// No end to repetitions (Java's `MAX_REPS`).
pub(super) const ENDLESS: u32 = i32::MAX as u32;
/// Groups and classes within each other, at most: each takes a piece of the stack.
const DEPTH: usize = 100;
/// The characters of a pattern, at most.
const LENGTH: usize = 20_000;

/// What inline flags switch, as far as it matters for ASCII without line terminators: `d`, `m`, `s` and `c` change nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `i`
    pub(super) fold: bool,
    /// `u`, for letters beyond ASCII that fold to ASCII
    pub(super) unicode_case: bool,
    /// `x`
    pub(super) comments: bool,
    /// `U`
    pub(super) unicode: bool,
}

/// Reads `text`; the pattern, the number of its capturing groups, and the numbers of those that have names.
pub(super) fn parse(text: &str) -> Result<(Node, usize, BTreeMap<String, usize>), String> {
    if text.chars().count() > LENGTH {
        return Err(format!("Pattern has more than {LENGTH} characters, which is not supported"));
    }
    let mut temp = unquoted(text);
    let length = temp.len();
    temp.extend([0, 0]);
    let mut parser =
        Parser { text, temp, length, cursor: 0, flags: Flags::default(), groups: 0, names: BTreeMap::new(), depth: 0 };
    let node = parser.either()?;
    if parser.cursor != parser.length {
        let why = if parser.peek() == C(')') { "Unmatched closing ')'" } else { "Unexpected internal error" };
        return Err(parser.error(why));
    }
    Ok((node, parser.groups, parser.names))
}

/// The code point of a character.
#[expect(non_snake_case, reason = "stands for a literal")]
pub(super) const fn C(c: char) -> u32 {
    c as u32
}

const fn is_digit(c: u32) -> bool {
    matches!(c, 0x30..=0x39)
}

fn ascii(c: u32) -> Option<char> {
    char::from_u32(c).filter(char::is_ascii)
}

fn is_alpha(c: u32) -> bool {
    ascii(c).is_some_and(|c| c.is_ascii_alphabetic())
}

fn hex(c: u32) -> Option<u32> {
    char::from_u32(c)?.to_digit(16)
}

/// `text` with `\Q…\E` replaced by escapes.
fn unquoted(text: &str) -> Vec<u32> {
    let all: Vec<u32> = text.chars().map(u32::from).collect();
    let at = |i: usize| all.get(i).copied().unwrap_or(0);
    let (mut out, mut i) = (Vec::with_capacity(all.len()), 0);
    let (mut quoted, mut begins) = (false, false);
    while i < all.len() {
        let c = all[i];
        i += 1;
        if !quoted {
            if c != C('\\') || i == all.len() {
                out.push(c);
            } else if at(i) == C('Q') {
                (quoted, begins) = (true, true);
                i += 1;
            } else {
                out.extend([c, at(i)]);
                i += 1;
            }
            continue;
        }
        if c == C('\\') && at(i) == C('E') {
            i += 1;
            quoted = false;
        } else {
            match ascii(c) {
                // so that no digit lengthens what stands before the quote
                Some('0'..='9') if begins => out.extend([C('\\'), C('x'), C('3'), c]),
                None => out.push(c),
                Some(letter) if letter.is_ascii_alphanumeric() => out.push(c),
                Some(_) => out.extend([C('\\'), c]),
            }
        }
        begins = false;
    }
    out
}

/// A pattern that is being read.
pub(super) struct Parser<'t> {
    text: &'t str,
    /// The pattern without quotes, and two zeros.
    pub(super) temp: Vec<u32>,
    pub(super) length: usize,
    pub(super) cursor: usize,
    pub(super) flags: Flags,
    groups: usize,
    names: BTreeMap<String, usize>,
    depth: usize,
}

/// What an escape is.
pub(super) enum Escape {
    Char(u32),
    Node(Node),
}

impl Parser<'_> {
    pub(super) fn at(&self, cursor: usize) -> u32 {
        self.temp.get(cursor).copied().unwrap_or(0)
    }

    /// `why` with the place where the cursor stands, as `PatternSyntaxException.getMessage` has it.
    pub(super) fn error(&self, why: &str) -> String {
        let Some(index) = self.cursor.checked_sub(1) else { return format!("{why}\n{}", self.text) };
        let mut message = format!("{why} near index {index}\n{}", self.text);
        // Java counts UTF-16 units; a pattern beyond the Basic Multilingual Plane can only match no topic
        if index < self.text.chars().count() {
            message.push('\n');
            message.extend(self.text.chars().take(index).map(|c| if c == '\t' { '\t' } else { ' ' }));
            message.push('^');
        }
        message
    }

    pub(super) fn unsupported(&self, what: &str) -> String {
        self.error(&format!("{what} is not supported here, where names have ASCII characters only,"))
    }

    /// In comments mode, past white space and comments from the cursor on.
    fn past_space(&mut self) {
        let space = |c: u32| ascii(c).is_some_and(|c| class::SPACE >> u32::from(c) & 1 == 1);
        while self.flags.comments && (space(self.at(self.cursor)) || self.at(self.cursor) == C('#')) {
            if self.at(self.cursor) == C('#') {
                let ends = |c: u32| [C('\n'), C('\r'), 0x85, 0x2028, 0x2029].contains(&c);
                while self.cursor < self.length && !ends(self.at(self.cursor)) {
                    self.cursor += 1;
                }
            } else {
                self.cursor += 1;
            }
        }
    }

    pub(super) fn peek(&mut self) -> u32 {
        self.past_space();
        self.at(self.cursor)
    }

    /// The next character, and past it.
    pub(super) fn read(&mut self) -> u32 {
        let c = self.peek();
        self.cursor += 1;
        c
    }

    /// Past the character at the cursor; the one after it.
    pub(super) fn next(&mut self) -> u32 {
        self.cursor += 1;
        self.peek()
    }

    fn skip(&mut self) -> u32 {
        self.cursor += 2;
        self.at(self.cursor - 1)
    }

    fn accept(&mut self, c: char, why: &str) -> Result<(), String> {
        if self.read() == C(c) { Ok(()) } else { Err(self.error(why)) }
    }

    pub(super) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error("Nesting of more than 100 levels is not supported"));
        }
        let read = inner(self);
        self.depth -= 1;
        read
    }

    fn either(&mut self) -> Result<Node, String> {
        let mut branches = vec![self.sequence()?];
        while self.peek() == C('|') {
            self.next();
            branches.push(self.sequence()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Either(branches) })
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let mut nodes = Vec::new();
        loop {
            let c = self.peek();
            let node = match char::from_u32(c).unwrap_or('\u{FFFD}') {
                '(' => {
                    let Some(node) = self.deeper(Self::group)? else { continue };
                    node
                }
                '[' => Node::Set(self.deeper(|p| p.class(true))?),
                '\\' => match self.at(self.cursor + 1) {
                    p if p == C('p') || p == C('P') => {
                        self.cursor += 1;
                        Node::Set(self.family(p == C('P'))?)
                    }
                    _ => self.escape_node()?,
                },
                '^' => {
                    self.next();
                    Node::Begin
                }
                '$' => {
                    self.next();
                    Node::End
                }
                '.' => {
                    self.next();
                    Node::Set(Set::MAX)
                }
                '|' | ')' => break,
                c @ ('?' | '*' | '+') => {
                    self.next();
                    return Err(self.error(&format!("Dangling meta character '{c}'")));
                }
                '{' => Node::Sequence(Vec::new()), // a count of nothing, or a count of what has one already
                '\0' if self.cursor >= self.length => break,
                _ => {
                    self.next();
                    Node::Set(self.single(c))
                }
            };
            let node = self.repeat(node)?;
            nodes.push(node);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Sequence(nodes) })
    }

    /// One character, in both cases if the flags say so.
    pub(super) fn single(&self, c: u32) -> Set {
        if !self.flags.fold {
            return one(c);
        }
        class::folded(one(if self.flags.unicode_case { unicode_folded(c) } else { c }))
    }

    /// A group, from its `(` on; None for one that only sets flags.
    fn group(&mut self) -> Result<Option<Node>, String> {
        let before = self.flags;
        if self.next() != C('?') {
            self.groups += 1;
            return self.rest_of_group(self.groups, before).map(Some);
        }
        let kind = self.skip();
        let node = match char::from_u32(kind).unwrap_or('\u{FFFD}') {
            ':' => self.either()?,
            c @ ('=' | '!') => Node::Ahead(c == '=', Box::new(self.either()?)),
            '>' => Node::Atomic(Box::new(self.either()?)),
            '<' => match self.read() {
                c if c == C('=') || c == C('!') => {
                    let node = Box::new(self.either()?);
                    let Lengths { min, max, bounded, .. } = Lengths::of(&node);
                    if !bounded {
                        return Err(self.error("Look-behind group does not have an obvious maximum length"));
                    }
                    // a length that overflowed counts from the name's beginning
                    let length = |n: i32| usize::try_from(n).unwrap_or(usize::MAX);
                    Node::Behind { wanted: c == C('='), min: length(min), max: length(max), node }
                }
                c => {
                    let name = self.group_name(c)?;
                    if self.names.contains_key(&name) {
                        return Err(self.error(&format!("Named capturing group <{name}> is already defined")));
                    }
                    self.groups += 1;
                    self.names.insert(name, self.groups);
                    return self.rest_of_group(self.groups, before).map(Some);
                }
            },
            '$' | '@' => return Err(self.error("Unknown group type")),
            _ => {
                self.cursor -= 1;
                self.set_flags();
                match self.read() {
                    c if c == C(')') => return Ok(None),
                    c if c != C(':') => return Err(self.error("Unknown inline modifier")),
                    _ => self.either()?,
                }
            }
        };
        self.accept(')', "Unclosed group")?;
        self.flags = before;
        Ok(Some(node))
    }

    fn rest_of_group(&mut self, group: usize, before: Flags) -> Result<Node, String> {
        let node = self.either()?;
        self.accept(')', "Unclosed group")?;
        self.flags = before;
        Ok(Node::Group(group, Box::new(node)))
    }

    fn set_flags(&mut self) {
        let mut on = true;
        loop {
            let flags = &mut self.flags;
            match char::from_u32(self.temp[self.cursor]) {
                Some('i') => flags.fold = on,
                Some('u') => flags.unicode_case = on,
                Some('x') => flags.comments = on,
                Some('U') if on => (flags.unicode, flags.unicode_case) = (true, true),
                Some('U') => (flags.unicode, flags.unicode_case) = (false, false),
                Some('m' | 's' | 'd' | 'c') => {}
                Some('-') if on => on = false,
                _ => return,
            }
            self.next();
        }
    }

    fn group_name(&mut self, first: u32) -> Result<String, String> {
        if !is_alpha(first) {
            return Err(self.error("capturing group name does not start with a Latin letter"));
        }
        let (mut name, mut c) = (String::new(), first);
        while let Some(letter) = ascii(c).filter(char::is_ascii_alphanumeric) {
            name.push(letter);
            c = self.read();
        }
        if c == C('>') { Ok(name) } else { Err(self.error("named capturing group is missing trailing '>'")) }
    }

    /// `node` with the quantifier that follows, if one does.
    fn repeat(&mut self, node: Node) -> Result<Node, String> {
        let (min, max) = match ascii(self.peek()) {
            Some('?') => (0, 1),
            Some('*') => (0, ENDLESS),
            Some('+') => (1, ENDLESS),
            Some('{') => {
                if !is_digit(self.at(self.cursor + 1)) {
                    self.cursor += 2;
                    return Err(self.error("Illegal repetition"));
                }
                self.cursor += 1;
                let min = self.count()?;
                let max = match self.at(self.cursor) {
                    c if c == C(',') => {
                        self.cursor += 1;
                        if self.at(self.cursor) == C('}') { ENDLESS } else { self.count()? }
                    }
                    _ => min,
                };
                if self.at(self.cursor) != C('}') {
                    self.cursor += 1;
                    return Err(self.error("Unclosed counted closure"));
                }
                if max < min {
                    self.cursor += 1;
                    return Err(self.error("Illegal repetition range"));
                }
                (min, max)
            }
            _ => return Ok(node),
        };
        let greed = match ascii(self.next()) {
            Some('?') => Greed::Lazy,
            Some('+') => Greed::Possessive,
            _ => Greed::Greedy,
        };
        if greed != Greed::Greedy {
            self.next();
        }
        Ok(Node::Repeat { node: Box::new(node), min, max, greed })
    }

    /// The number at the cursor; nought if there is none.
    fn count(&mut self) -> Result<u32, String> {
        let mut count = 0_u32;
        while is_digit(self.at(self.cursor)) {
            let digit = self.at(self.cursor) - C('0');
            count = count.checked_mul(10).and_then(|n| n.checked_add(digit)).unwrap_or(u32::MAX);
            self.cursor += 1;
            if count > ENDLESS {
                return Err(self.error("Illegal repetition range"));
            }
        }
        Ok(count)
    }

    /// What the escape at the cursor stands for outside of a class.
    fn escape_node(&mut self) -> Result<Node, String> {
        Ok(match self.escape(false, false)? {
            Escape::Char(c) => Node::Set(self.single(c)),
            Escape::Node(node) => node,
        })
    }

    /// The escape at the cursor, and past it. `ranged`: a `-` follows, or it ends a range.
    pub(super) fn escape(&mut self, in_class: bool, ranged: bool) -> Result<Escape, String> {
        let c = self.skip();
        let set = |set| Ok(Escape::Node(Node::Set(set)));
        let node = |node| Ok(Escape::Node(node));
        let char = |c: char| Ok(Escape::Char(C(c)));
        let Some(letter) = ascii(c) else { return Ok(Escape::Char(c)) };
        match letter {
            '0' => self.octal().map(Escape::Char),
            '1'..='9' if !in_class => node(self.again(c - C('0'))),
            'A' | 'G' if !in_class => node(Node::Begin),
            'Z' | 'z' if !in_class => node(Node::End),
            'b' if !in_class && self.peek() == C('{') && self.at(self.cursor + 1) == C('g') => Err(self.unsupported("\\b{g}")),
            'b' | 'B' if !in_class => node(Node::Bound(letter == 'b')),
            'R' if !in_class => node(Node::Set(class::VERTICAL)),
            'X' if !in_class => Err(self.unsupported("\\X")),
            'N' => Err(self.unsupported("\\N{…}")),
            'k' if !in_class => {
                if self.read() != C('<') {
                    return Err(self.error("\\k is not followed by '<' for named capturing group"));
                }
                let first = self.read();
                let name = self.group_name(first)?;
                match self.names.get(&name) {
                    Some(group) => node(Node::Again { group: *group, fold: self.flags.fold }),
                    None => Err(self.error(&format!("named capturing group <{name}> does not exist"))),
                }
            }
            'd' => set(class::DIGIT),
            'D' => set(!class::DIGIT),
            'h' => set(class::HORIZONTAL),
            'H' => set(!class::HORIZONTAL),
            's' => set(class::SPACE),
            'S' => set(!class::SPACE),
            // alone it is a class, in a range Java takes it for the vertical tab that it once was
            'v' if ranged => char('\x0B'),
            'v' => set(class::VERTICAL),
            'V' => set(!class::VERTICAL),
            'w' => set(class::WORD),
            'W' => set(!class::WORD),
            'a' => char('\x07'),
            'c' if self.cursor < self.length => Ok(Escape::Char(self.read() ^ 64)),
            'c' => Err(self.error("Illegal control escape sequence")),
            'e' => char('\x1B'),
            'f' => char('\x0C'),
            'n' => char('\n'),
            'r' => char('\r'),
            't' => char('\t'),
            'u' => self.unicode().map(Escape::Char),
            'x' => self.hexadecimal().map(Escape::Char),
            letter if letter.is_ascii_alphanumeric() => Err(self.error("Illegal/unsupported escape sequence")),
            other => char(other),
        }
    }

    /// A reference to a group: as many digits as make a group that is there.
    fn again(&mut self, first: u32) -> Node {
        let mut group = first as usize;
        while is_digit(self.peek()) {
            let longer = group * 10 + (self.peek() - C('0')) as usize;
            if longer > self.groups {
                break;
            }
            group = longer;
            self.read();
        }
        Node::Again { group, fold: self.flags.fold }
    }

    fn octal(&mut self) -> Result<u32, String> {
        let digit = |c: u32| (C('0')..=C('7')).contains(&c).then(|| c - C('0'));
        let Some(n) = digit(self.read()) else { return Err(self.error("Illegal octal escape sequence")) };
        let Some(m) = digit(self.read()) else {
            self.cursor -= 1;
            return Ok(n);
        };
        match digit(self.read()) {
            Some(o) if n <= 3 => Ok(n * 64 + m * 8 + o),
            _ => {
                self.cursor -= 1;
                Ok(n * 8 + m)
            }
        }
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let first = self.read();
        if let Some(n) = hex(first) {
            if let Some(m) = hex(self.read()) {
                return Ok(n * 16 + m);
            }
        } else if first == C('{') && hex(self.peek()).is_some() {
            let mut code = 0;
            let mut c = self.read();
            while let Some(digit) = hex(c) {
                code = code * 16 + digit;
                if code > u32::from(char::MAX) {
                    return Err(self.error("Hexadecimal codepoint is too big"));
                }
                c = self.read();
            }
            return if c == C('}') { Ok(code) } else { Err(self.error("Unclosed hexadecimal escape sequence")) };
        }
        Err(self.error("Illegal hexadecimal escape sequence"))
    }

    fn unicode(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = hex(self.read()) else { return Err(self.error("Illegal Unicode escape sequence")) };
            code = code * 16 + digit;
        }
        Ok(code)
    }
}
