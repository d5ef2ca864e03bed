//! `storage check`: whether the store of a connector does what exactly-once rests on.

use std::collections::BTreeMap;

use clap::Subcommand;
use landfall_lake::storage::examine::{Answer, Examination, conditional_writes, scratch};
use serde_json::json;

use super::root::{Root, now};
use super::table::table;
use super::{Connector, Outcome};

/// What is asked of a store.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try each assumption of the commit protocol in a scratch folder of the connector's store, and say what follows.
    Check(Connector),
}

pub(super) async fn run(Command::Check(options): Command) -> Result<Outcome, String> {
    let root = Root::open(&options)?;
    let mut found = BTreeMap::from([(root.files.url(), root.files.examine().await.map_err(|e| e.to_string())?)]);
    if root.pointers.url() != root.files.url() {
        let (mut examination, folder) = (Examination::default(), scratch(&format!("{:x}-{:x}", now(), std::process::id())));
        conditional_writes(&*root.pointers, &folder, &mut examination).await.map_err(|e| e.to_string())?;
        found.insert(root.pointers.url(), examination);
    }
    let holds = found.values().all(Examination::holds);
    if options.json {
        return Ok(Outcome { wrong: !holds, ..Outcome::said(format!("{:#}\n", json!({ "holds": holds, "stores": found }))) });
    }
    let mut text = String::new();
    for (url, examination) in &found {
        text += &format!("{url}\n\n{}\n", told(examination));
    }
    text += if holds {
        "All that exactly-once needs holds, as far as it could be asked.\n"
    } else {
        "Something that exactly-once needs does not hold.\n"
    };
    Ok(Outcome { wrong: !holds, ..Outcome::said(text) })
}

/// What was found out, for people.
fn told(examination: &Examination) -> String {
    let rows: Vec<_> = examination
        .findings
        .iter()
        .map(|finding| {
            let answer = match finding.answer {
                Answer::Holds => "holds",
                Answer::Fails => "FAILS",
                Answer::Warning => "warning",
                Answer::Fact => "",
                Answer::NotAsked => "not asked",
            };
            [finding.assumption, finding.question, answer, &finding.seen].map(str::to_owned)
        })
        .collect();
    let mut text = table(["", "question", "answer", "seen"], &rows);
    let follows: Vec<_> = examination.findings.iter().filter(|finding| !finding.follows.is_empty()).collect();
    if !follows.is_empty() {
        text += "\nWhat follows\n";
        follows.iter().for_each(|finding| text += &format!("- {}: {}\n", finding.question, finding.follows));
    }
    text += "\nWhat was done\n";
    examination.done.iter().for_each(|done| text += &format!("- {done}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_told_in_columns() {
        let mut examination = Examination::default();
        examination.needs("A1", "one of many wins", Ok("one of 8".into()), "never");
        examination.needs("A2", "files last", Err("they do not".into()), "use another store");
        examination.add("", "free space", Answer::Fact, "7 MiB", "");
        examination.done.push("wrote nothing".into());
        let expected = "    question          answer  seen\n\
                        A1  one of many wins  holds   one of 8\n\
                        A2  files last        FAILS   they do not\n    \
                        free space                7 MiB\n\
                        \n\
                        What follows\n- files last: use another store\n\
                        \n\
                        What was done\n- wrote nothing\n";
        assert_eq!(told(&examination), expected);
    }
}
