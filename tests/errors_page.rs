//! docs/errors.md: each error that an operator may meet, with its cause and its cure, from tests/errors_page.tsv and the sources.

use std::fs;
use std::path::Path;

use crate::support::sources;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const HEAD: &str = "<!-- Generated from tests/errors_page.tsv: UPDATE=1 cargo test --test it errors_page:: -->\n\n# Errors\n\n\
    What a trace, an answer or the log may say, why, and what to do. A part of the text is given; `{}` and names in braces stand for what\n\
    differs. The texts are those of the sources, and a test fails if one of them is not there any more, or if an error that fails a task\n\
    or is logged as an error is not here. What validation says of a key names the key and what it takes, and is not repeated here.\n";

/// What makes an error of a text: the first text in the call is it.
const MARKERS: [&str; 3] = ["Fatal(", "Retriable(", "tracing::error!("];

/// An entry: a part of the text, the cause and the cure.
struct Entry {
    text: String,
    cause: String,
    cure: String,
}

/// The sections of the table.
fn table() -> Vec<(String, Vec<Entry>)> {
    let text = fs::read_to_string(Path::new(ROOT).join("tests/errors_page.tsv")).expect("tests/errors_page.tsv");
    let mut sections = Vec::<(String, Vec<Entry>)>::new();
    for line in text.lines() {
        if let Some(section) = line.strip_prefix("# ") {
            sections.push((section.to_owned(), Vec::new()));
            continue;
        }
        let [text, cause, cure] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("not three columns: {line}") };
        let entry = Entry { text: text.to_owned(), cause: cause.to_owned(), cure: cure.to_owned() };
        sections.last_mut().expect("a section").1.push(entry);
    }
    sections
}

/// The text that begins behind a quotation mark, as the compiler reads it.
fn literal(source: &str) -> String {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => return text,
            '\\' => match chars.next() {
                // The next line's blanks are not part of it.
                Some((at, '\n')) => {
                    let blanks = source[at + 1..].len() - source[at + 1..].trim_start().len();
                    if let Some(last) = blanks.checked_sub(1) {
                        chars.nth(last);
                    }
                }
                Some((_, 'n' | 't')) => text.push(' '),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            c => text.push(c),
        }
    }
    text
}

/// The first text of the call whose arguments `source` begins with.
fn first_text(source: &str) -> Option<String> {
    let mut depth = 1;
    for (at, c) in source.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => return Some(literal(&source[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}

/// A source with each text on one line.
fn joined(source: &str) -> String {
    let mut parts = source.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start())
}

#[test]
fn every_error_of_a_task_has_its_cause_and_cure() {
    let table = table();
    let entries = || table.iter().flat_map(|(_, entries)| entries);
    let sources = sources();
    let texts: Vec<String> = sources.iter().map(|(_, source)| joined(source)).collect();
    let mut missing = Vec::new();
    for entry in entries() {
        if !texts.iter().any(|text| text.contains(&entry.text)) {
            missing.push(format!("no source says {}", entry.text));
        }
    }
    for (name, source) in &sources {
        for marker in MARKERS {
            for (at, _) in source.match_indices(marker) {
                let Some(text) = first_text(&source[at + marker.len()..]) else { continue };
                // What is only put around another text says nothing by itself.
                let says = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 2).count() > 2;
                if says && !entries().any(|entry| text.contains(&entry.text)) {
                    missing.push(format!("no entry for what {name} says: {text}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "tests/errors_page.tsv:\n{}", missing.join("\n"));
}

#[test]
fn the_page_of_errors_is_up_to_date() {
    let mut page = HEAD.to_owned();
    for (section, entries) in table() {
        page += &format!("\n## {section}\n\n| Text | Cause | What to do |\n|---|---|---|\n");
        for Entry { text, cause, cure } in entries {
            page += &format!("| `{}` | {cause} | {cure} |\n", text.replace('|', "\\|"));
        }
    }
    let path = Path::new(ROOT).join("docs/errors.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page).expect("the page");
    } else {
        assert!(
            fs::read_to_string(&path).is_ok_and(|found| found == page),
            "docs/errors.md is stale: UPDATE=1 cargo test --test it errors_page::"
        );
    }
}
