//! The command blocks of the documents, run from top to bottom as a reader runs them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::azurite::Azurite;
use crate::support::broker::{Broker, Record};
use crate::support::records::Orders;
use crate::support::{cache, free_port, read};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The blocks of `document` that are fenced as `sh`.
fn commands(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(document)).expect(document);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(fence) = lines.next() {
        if let Some(language) = fence.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if language == "sh" {
                blocks.push(block.join("\n"));
            }
        }
    }
    blocks
}

/// A folder to run commands in; the worker that they leave behind ends with it.
struct Session {
    folder: TempDir,
    port: u16,
    azurite: Azurite,
}

impl Session {
    fn start() -> Self {
        let folder = TempDir::with_prefix("landfall-documents-").expect("a folder");
        Self { folder, port: free_port(), azurite: Azurite::start() }
    }

    /// Runs `script` with the documents' ports replaced; any command that fails ends it.
    fn run(&self, script: &str, broker: &Broker) -> Output {
        let here = self.folder.path();
        let script = script
            .replace("localhost:9092", &broker.bootstrap())
            .replace("8083", &self.port.to_string())
            .replace("/tmp/", &format!("{}/", here.display()));
        let path = format!("{ROOT}/tests/data/bin:{}", std::env::var("PATH").expect("PATH"));
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(here)
            .env("PATH", path)
            .env("PORT", self.port.to_string())
            .env("REPOSITORY", ROOT)
            .env("LANDFALL", env!("CARGO_BIN_EXE_landfall"))
            .env("PYTHON", cache("venv/bin/python"))
            .env("AZURITE", self.azurite.connection_string())
            .output()
            .expect("bash")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let end = "[ ! -s worker.pid ] || kill -KILL $(cat worker.pid)";
        let _ = Command::new("bash").args(["-c", end]).current_dir(self.folder.path()).status();
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    let broker = Broker::shared();
    broker.create_topic("shop.orders", 1);
    broker.produce("shop.orders", 0, Orders::schemaless(7).take(2_500).map(Record::value));
    let session = Session::start();
    let done = session.run(&commands("README.md").join("\n"), broker);
    let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{errors}");
    // what the blocks are there to show, in their order
    for shown in [
        r#""bank-ledger""#,
        r#""state":"RUNNING""#,
        r#""name":"bank-azure""#,
        ".parquet",
        "Invalid value big for configuration landfall.rotate.size.bytes: Not a number of type LONG",
    ] {
        assert!(out.contains(shown), "{shown} is not in:\n{out}\n{errors}");
    }
    let landed = session.folder.path().join("lake/landing/topics/shop.orders/partition=0");
    crate::support::wait_until("two files of 1000 orders", crate::support::secs(30), || {
        (read::files(&landed).len() == 2).then_some(())
    });
}

#[test]
fn the_commands_of_the_quick_start_work() {
    let broker = Broker::shared();
    broker.create_topic("shop.orders.quick", 1);
    broker.produce("shop.orders.quick", 0, Orders::schemaless(8).take(2_500).map(Record::value));
    let session = Session::start();
    // The topic of the page is the readme's, whose test has it for itself.
    let script = commands("docs/quick-start.md").join("\n").replace("shop.orders", "shop.orders.quick");
    let done = session.run(&script, broker);
    let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{errors}");
    for shown in [
        "2500 │   2499",
        "connectors of this worker may not write to it. It may be allowed in the worker's properties: landfall.allowed.paths=worker,",
        "JsonConverter with schemas.enable requires",
        r#""kafka_offset":2500"#,
    ] {
        assert!(out.contains(shown), "{shown} is not in:\n{out}\n{errors}");
    }
}

/// Links between the documents lead to what is there, and every page of the book is in its summary.
#[test]
fn links_lead_somewhere_and_every_page_is_in_the_book() {
    let mut pages =
        vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned(), "SECURITY.md".to_owned(), "CHANGELOG.md".to_owned()];
    for folder in ["docs", "docs/reference", "examples"] {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect(folder);
        let names = entries.map(|entry| format!("{folder}/{}", entry.expect("an entry").file_name().display()));
        pages.extend(names.filter(|name| name.ends_with(".md")));
    }
    let read = |page: &str| fs::read_to_string(Path::new(ROOT).join(page)).expect(page);
    let mut wrong = Vec::new();
    for page in &pages {
        let folder = Path::new(page).parent().expect("a folder");
        for link in links(&read(page)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.into() } else { folder.join(file) };
            if !Path::new(ROOT).join(&target).exists() {
                wrong.push(format!("{page}: {link}"));
            } else if !anchor.is_empty() && !headings(&read(&target.display().to_string())).contains(&anchor.to_owned()) {
                wrong.push(format!("{page}: {link} has no such heading"));
            }
        }
    }
    let summary = links(&read("docs/SUMMARY.md"));
    let in_book = |page: &str| page == "SUMMARY.md" || summary.iter().any(|link| link == page);
    wrong.extend(
        pages
            .iter()
            .filter_map(|page| page.strip_prefix("docs/"))
            .filter(|page| !in_book(page))
            .map(|page| format!("{page} is not in the book")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where the links of a page lead that stay in the repository.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://") && !target.contains(' ')).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn headings(page: &str) -> Vec<String> {
    let anchor = |heading: &str| {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    page.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn the_commands_of_the_contributing_guide_are_there() {
    let commands = commands("CONTRIBUTING.md");
    assert!(!commands.is_empty());
    let done = Session::start().run(&commands.join("\n"), Broker::shared());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
