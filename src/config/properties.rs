//! Java's `.properties` format (`java.util.Properties.load`), read with line numbers. Files are UTF-8.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use landfall_api::{Faults, Properties};

/// A properties file: what it says, and where.
#[derive(Clone, Default)]
pub struct PropertiesFile {
    /// The file, for messages.
    pub path: PathBuf,
    /// Key to value.
    pub properties: Properties,
    /// Key to the line on which its value stands, from 1.
    pub lines: BTreeMap<String, usize>,
    /// What is suspicious and no error, such as a key given twice. Each names its line and key.
    pub warnings: Vec<String>,
}
landfall_api::opaque!(PropertiesFile);

impl PropertiesFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it cannot.
    pub fn read(path: &Path) -> Result<Self, PropertiesError> {
        let error = |line, message| PropertiesError { path: path.into(), line, key: None, message };
        let bytes = std::fs::read(path).map_err(|e| error(None, format!("cannot be read: {e}")))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let valid = e.utf8_error().valid_up_to();
            let line = e.as_bytes()[..valid].iter().filter(|&&b| b == b'\n').count() + 1;
            error(Some(line), "is not UTF-8".into())
        })?;
        Self::parse(path, &text)
    }

    /// Reads `text`, naming `path` in errors.
    ///
    /// # Errors
    /// A line has a malformed `\u` escape.
    pub fn parse(path: &Path, text: &str) -> Result<Self, PropertiesError> {
        let mut file = Self { path: path.into(), ..Self::default() };
        for logical in logical_lines(text) {
            let (raw_key, raw_value) = split(&logical.text);
            let error = |key: Option<&str>, message| PropertiesError {
                path: path.into(),
                line: Some(logical.line),
                key: key.map(str::to_owned),
                message,
            };
            let key = unescape(raw_key).map_err(|e| error(None, e))?;
            let value = unescape(raw_value).map_err(|e| error(Some(&key), e))?;
            if let Some(first) = file.lines.insert(key.clone(), logical.line) {
                file.warnings.push(format!(
                    "{}:{}: {key} is given twice, the value on line {first} is not used",
                    path.display(),
                    logical.line
                ));
            }
            file.properties.insert(key, value);
        }
        Ok(file)
    }

    /// `faults` with the place that each stands on, one a line.
    #[must_use]
    pub fn locate(&self, faults: &Faults) -> String {
        let path = self.path.display();
        let located = faults.0.iter().map(|fault| match self.lines.get(&fault.key) {
            Some(line) => format!("{path}:{line}: {}: {}", fault.key, fault.message),
            None => format!("{path}: {}: {}", fault.key, fault.message),
        });
        located.collect::<Vec<_>>().join("\n")
    }
}

/// A properties file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertiesError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key, if it is the value that is wrong.
    pub key: Option<String>,
    /// What is wrong; never the value.
    pub message: String,
}

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PropertiesError {}

/// A line with its continuations, not yet unescaped.
struct LogicalLine {
    line: usize,
    text: String,
}

const BLANK: [char; 3] = [' ', '\t', '\x0c'];

fn logical_lines(text: &str) -> Vec<LogicalLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut all = Vec::new();
    let mut natural = text.split('\n').enumerate();
    while let Some((number, first)) = natural.next() {
        let first = first.trim_start_matches(BLANK);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while logical.chars().rev().take_while(|&c| c == '\\').count() % 2 == 1 {
            logical.pop();
            let Some((_, next)) = natural.next() else { break };
            logical.push_str(next.trim_start_matches(BLANK));
        }
        if !logical.is_empty() {
            all.push(LogicalLine { line: number + 1, text: logical });
        }
    }
    all
}

/// The key and the value of a logical line: the key ends at the first `=`, `:` or blank without a backslash before it.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.char_indices().find(|&(_, c)| {
        let ends = !escaped && (matches!(c, '=' | ':') || BLANK.contains(&c));
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some((end, _)) = end else { return (logical, "") };
    let rest = logical[end..].trim_start_matches(BLANK);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&logical[..end], rest.trim_start_matches(BLANK))
}

fn unescape(raw: &str) -> Result<String, String> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\x0c'),
            Some('u') => {
                let first = hex4(chars.as_str())?;
                chars.nth(3);
                let mut units = vec![first];
                // Java writes characters outside the basic plane as two escapes.
                if (0xd800..0xdc00).contains(&first) && chars.as_str().starts_with("\\u") {
                    units.push(hex4(&chars.as_str()[2..])?);
                    chars.nth(5);
                }
                match String::from_utf16(&units) {
                    Ok(text) => out.push_str(&text),
                    Err(_) => return Err(format!("Malformed \\uxxxx encoding: \\u{first:04x} is half a character")),
                }
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

fn hex4(text: &str) -> Result<u16, String> {
    let digits = text.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    digits.and_then(|d| u16::from_str_radix(d, 16).ok()).ok_or_else(|| "Malformed \\uxxxx encoding".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<PropertiesFile, PropertiesError> {
        PropertiesFile::parse(Path::new("w.properties"), text)
    }

    #[test]
    fn lines_are_read_as_java_reads_them() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("  a = b ", "a", "b "),
            ("a:b", "a", "b"),
            ("a b", "a", "b"),
            ("a\t:\tb c", "a", "b c"),
            ("a", "a", ""),
            ("a==b", "a", "=b"),
            ("a = : b", "a", ": b"),
            ("a\\=b=c", "a=b", "c"),
            ("a\\ b c", "a b", "c"),
            ("a=x\\\n   y", "a", "xy"),
            ("a=x\\\r\n\ty", "a", "xy"),
            ("a=x\\\n#y", "a", "x#y"),
            ("a=x\\\n\nb", "a", "x"),
            ("a=x\\\\", "a", "x\\"),
            ("a=x\\", "a", "x"),
            ("a=C:\\\\dir\\q", "a", "C:\\dirq"),
            ("a=\\t\\n\\r\\f", "a", "\t\n\r\x0c"),
            ("a=\\u00e9é", "a", "éé"),
            ("a=\\uD83E\\uDD80", "a", "🦀"),
            ("\u{feff}a=b", "a", "b"),
            ("=b", "", "b"),
        ] {
            let file = parse(text).expect(text);
            assert_eq!(file.properties.get(key).map(String::as_str), Some(value), "{text:?} gives {:?}", file.properties);
        }
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        let file = parse("# a=b\\\n! c=d\n\n  \t\n  # e=f\nreal=1\r").expect("valid");
        assert_eq!(file.properties, Properties::from([("real".into(), "1".into())]));
        assert_eq!(file.lines["real"], 6);
    }

    #[test]
    fn a_malformed_escape_names_line_and_key_and_not_the_value() {
        for text in ["ok=1\nsecret.key=abc\\u12G4", "ok=1\nsecret.key=abc\\u12", "ok=1\nsecret.key=abc\\uD83Ex"] {
            let error = parse(text).expect_err("malformed").to_string();
            assert!(error.starts_with("w.properties:2: secret.key: Malformed \\uxxxx encoding"), "{error}");
            assert!(!error.contains("abc"));
        }
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_counts_and_a_warning_names_both_lines() {
        let file = parse("a=1\nb=2\na=3").expect("valid");
        assert_eq!(file.properties["a"], "3");
        assert_eq!(file.warnings, ["w.properties:3: a is given twice, the value on line 1 is not used"]);
    }

    #[test]
    fn faults_are_located() {
        let file = parse("a=1\n\nb=x").expect("valid");
        let mut faults = Faults::default();
        faults.push("b", "Invalid value x for configuration b: Not a number of type INT");
        faults.push("c", "Missing required configuration \"c\" which has no default value.");
        assert_eq!(
            file.locate(&faults),
            "w.properties:3: b: Invalid value x for configuration b: Not a number of type INT\n\
             w.properties: c: Missing required configuration \"c\" which has no default value."
        );
    }

    #[test]
    fn a_file_that_is_not_utf8_names_the_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("latin1.properties");
        std::fs::write(&path, b"a=1\nb=\xe9\n").expect("written");
        let error = PropertiesFile::read(&path).expect_err("not UTF-8").to_string();
        assert!(error.ends_with("latin1.properties:2: is not UTF-8"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_text_of_special_characters_panics(text in "[\\\\u0dD8=: #!\n\r\ta-c]{0,40}") {
            let _ = parse(&text);
        }
    }
}
