//! Regular expressions in the syntax of `java.util.regex.Pattern` (JDK 17), matched against names of topics.
//!
//! A topic's name has ASCII letters, digits, `.`, `_` and `-` only, and at most 249 of them. So every class of characters is a set
//! of 128 bits ([`class`]), line terminators need no care, and what is Java's own (possessive quantifiers, atomic groups,
//! look-behind, intersections, quoting, its words for faults) is taken as Java takes it by [`parse`], and tried in Java's order by
//! [`run`]. What takes the place of a match is read by [`replace`]. Java tries for as long as it takes; here a name
//! has a budget, and a pattern that exceeds it is an error.
//! What names of topics can never need is refused: scripts and blocks other than Latin, and `\N{…}`.

mod bracket;
mod class;
mod lengths;
mod parse;
mod replace;
mod run;

pub use self::replace::{Illegal, Replacement};

use std::collections::BTreeMap;

use self::run::Program;

/// The tries that one name may take. A pattern that is no trap takes some hundreds.
const BUDGET: usize = 500_000;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    program: Program,
    names: BTreeMap<String, usize>,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// What is wrong with it, in the words of Java's `PatternSyntaxException`.
    pub fn compile(text: &str) -> Result<Self, String> {
        let (node, groups, names) = parse::parse(text)?;
        Ok(Self { text: text.to_owned(), program: Program::new(&node, groups), names })
    }

    /// Whether all of `name` matches, as Java's `matcher(name).matches()` says.
    ///
    /// # Errors
    /// That it would take too long to say, with the pattern and the name.
    pub fn matches(&self, name: &str) -> Result<bool, String> {
        self.program.matches(name.as_bytes(), BUDGET).ok_or_else(|| self.endless(name))
    }

    /// `name` with what the pattern finds at its beginning replaced, if all of it matches: Java's `matches()` and then
    /// `replaceFirst(…)`, which may find less than all. None if it does not match.
    ///
    /// # Errors
    /// As [`matches`](Self::matches).
    pub fn replace(&self, name: &str, replacement: &Replacement) -> Result<Option<String>, String> {
        if !self.matches(name)? {
            return Ok(None);
        }
        let found = self.program.captures(name.as_bytes(), BUDGET).ok_or_else(|| self.endless(name))?;
        Ok(found.map(|spans| replacement.apply(name, &spans)))
    }

    fn endless(&self, name: &str) -> String {
        format!("the regular expression {} takes more than {BUDGET} steps on the topic {name}; simplify it", self.text)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests;
