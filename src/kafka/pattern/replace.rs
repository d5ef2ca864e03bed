//! What takes the place of a match: text with references to groups, `$1` and `${name}`, in the syntax of `Matcher.replaceFirst`.

use super::Pattern;
use super::run::Span;

/// A replacement that fits a pattern.
#[derive(Clone, Debug)]
pub struct Replacement {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// A replacement that Java refuses when it is to take the place of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Illegal {
    /// The class of Java's exception.
    pub class: &'static str,
    /// What it says.
    pub message: String,
}

impl Illegal {
    fn argument(message: impl Into<String>) -> Self {
        Self { class: "java.lang.IllegalArgumentException", message: message.into() }
    }
}

impl Replacement {
    /// Reads `text` as a replacement for what `pattern` matches.
    ///
    /// # Errors
    /// What Java refuses in it: a `\\` or `$` that refers to nothing.
    pub fn compile(text: &str, pattern: &Pattern) -> Result<Self, Illegal> {
        let groups = pattern.program.groups();
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let group = match c {
                '\\' => {
                    plain.push(rest.next().ok_or_else(|| Illegal::argument("character to be escaped is missing"))?);
                    continue;
                }
                '$' => match rest.next() {
                    None => return Err(Illegal::argument("Illegal group reference: group index is missing")),
                    Some('{') => {
                        let mut name = String::new();
                        while let Some(c) = rest.next_if(char::is_ascii_alphanumeric) {
                            name.push(c);
                        }
                        if name.is_empty() {
                            return Err(Illegal::argument("named capturing group has 0 length name"));
                        }
                        if rest.next() != Some('}') {
                            return Err(Illegal::argument("named capturing group is missing trailing '}'"));
                        }
                        if name.starts_with(|c: char| c.is_ascii_digit()) {
                            let message = format!("capturing group name {{{name}}} starts with digit character");
                            return Err(Illegal::argument(message));
                        }
                        *pattern.names.get(&name).ok_or_else(|| Illegal::argument(format!("No group with name {{{name}}}")))?
                    }
                    Some(digit) => {
                        let digit = digit.to_digit(10).ok_or_else(|| Illegal::argument("Illegal group reference"))?;
                        let mut group = digit as usize;
                        // As many digits as make a group that is there.
                        while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                            let longer = group * 10 + digit as usize;
                            if longer > groups {
                                break;
                            }
                            group = longer;
                            rest.next();
                        }
                        if group > groups {
                            let message = format!("No group {group}");
                            return Err(Illegal { class: "java.lang.IndexOutOfBoundsException", message });
                        }
                        group
                    }
                },
                c => {
                    plain.push(c);
                    continue;
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Group(group));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// `name` with this in place of its first span; the others are those of groups.
    pub(super) fn apply(&self, name: &str, spans: &[Span]) -> String {
        let (begin, end) = spans.first().copied().flatten().unwrap_or_default();
        let mut out = name[..begin].to_owned();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    // A group that took no part is nothing.
                    let span = spans.get(*group).copied().flatten();
                    out.push_str(span.map_or("", |(begin, end)| &name[begin..end]));
                }
            }
        }
        out.push_str(&name[end..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(pattern: &str, replacement: &str, name: &str) -> Result<Option<String>, Illegal> {
        let pattern = Pattern::compile(pattern).expect("a pattern");
        Replacement::compile(replacement, &pattern).map(|replacement| pattern.replace(name, &replacement).expect("in time"))
    }

    #[test]
    fn groups_take_the_place_of_their_references() {
        for (pattern, replacement, name, expected) in [
            ("(.*)", "new-$1", "a.b", Some("new-a.b")),
            (r"(\w+)\.(\w+)\.(\w+)", "$3-$1", "server.schema.table", Some("table-server")),
            (r"(?<db>[^.]+)\.(.*)", "${db}_$2", "x.y.z", Some("x_y.z")),
            ("(a)|(b)", "[$1$2]", "b", Some("[b]")),
            ("(a)(b)?", "$2$11", "a", Some("a1")),
            ("a(.*)", r"\$1\\$1", "abc", Some(r"$1\bc")),
            ("a|ab", "x", "ab", Some("xb")),
            ("(?:(a)|b)*", "<$1>", "ab", Some("<a>")),
            ("a", "$0$0", "a", Some("aa")),
            ("b", "x", "a", None),
            ("(.*?)", "<$1>", "ab", Some("<>ab")),
        ] {
            let replaced = replace(pattern, replacement, name).expect("legal");
            assert_eq!(replaced.as_deref(), expected, "{pattern} {replacement} {name}");
        }
    }

    #[test]
    fn what_java_refuses_is_refused_in_its_words() {
        for (replacement, message) in [
            ("x\\", "character to be escaped is missing"),
            ("$", "Illegal group reference: group index is missing"),
            ("$x", "Illegal group reference"),
            ("${}", "named capturing group has 0 length name"),
            ("${a", "named capturing group is missing trailing '}'"),
            ("${1a}", "capturing group name {1a} starts with digit character"),
            ("${nope}", "No group with name {nope}"),
            ("$2", "No group 2"),
        ] {
            assert_eq!(replace("(a)", replacement, "a").expect_err(replacement).message, message);
        }
    }
}
