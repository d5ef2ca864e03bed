//! `landfall verify`: whether what is visible is what was committed.
//!
//! Files are listed before pointers are read: a worker that goes on meanwhile commits before it publishes, so what is visible in the
//! list is in the pointers.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use landfall_lake::commit::pointer::{Identity, Pointer};
use serde_json::{Value, json};

use super::brokers::Said;
use super::files::{self, File, Holds};
use super::root::{Kept, Partition, Root};
use super::table::table;
use super::{Brokers, Connector, Outcome, count};

/// What to compare.
#[derive(Debug, Args)]
pub struct Options {
    /// The connector whose folder is looked at.
    #[command(flatten)]
    connector: Connector,
    /// What Kafka is asked by.
    #[command(flatten)]
    brokers: Brokers,
}

/// What was found of one partition.
#[derive(Debug, Default)]
struct Looked {
    files: usize,
    rows: u64,
    first: Option<i64>,
    last: Option<i64>,
    low: Option<i64>,
    /// Offsets that are done with and in no file.
    missing: i64,
}

/// Something to say of a file or a partition.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    kind: Kind,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Records are in two files.
    Overlap,
    /// A file holds records that the pointer does not say have landed.
    Uncommitted,
    /// A pointer cannot be read.
    Unreadable,
    /// Kafka and the pointer cannot both be right.
    Kafka,
    /// Committed files that are not visible, or that were.
    Gone,
    /// Files of something else.
    Foreign,
    /// A partition that another connector lands.
    Other,
}

impl Kind {
    /// Whether it must not be.
    fn wrong(self) -> bool {
        self <= Self::Kafka
    }

    fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Uncommitted => "uncommitted",
            Self::Unreadable => "unreadable",
            Self::Kafka => "kafka",
            Self::Gone => "gone",
            Self::Foreign => "foreign",
            Self::Other => "other",
        }
    }
}

/// Compares.
pub(super) async fn run(options: Options) -> Result<Outcome, String> {
    let root = Root::open(&options.connector)?;
    let files = files::read(&root).await?;
    let kept = root.kept().await?;
    let said = options.brokers.ask(&root, kept.iter().map(|kept| kept.partition.clone()).collect()).await?;
    let (looked, findings) = compare(&root.identity, &files, &kept, said.as_ref());
    let wrong = findings.iter().filter(|finding| finding.kind.wrong()).count();
    let url = root.files.url();
    let text = text(&looked, &findings, wrong, &url);
    let value = value(&looked, &findings);
    Ok(Outcome { wrong: wrong > 0, ..Outcome::of(options.connector.json, text, &value) })
}

/// What is found of partitions that `me` is to land.
fn compare(me: &Identity, files: &[File], kept: &[Kept], said: Option<&Said>) -> (BTreeMap<Partition, Looked>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut find = |kind, what| findings.push(Finding { kind, what });
    let mut held: BTreeMap<Partition, Vec<(&str, &Holds)>> = BTreeMap::new();
    for file in files {
        match &file.holds {
            Some(holds) => held.entry(holds.partition.clone()).or_default().push((&file.path, holds)),
            None => find(Kind::Foreign, format!("{} was not written by Landfall", file.path)),
        }
    }
    let mut looked: BTreeMap<Partition, Looked> = BTreeMap::new();
    for (partition, held) in &mut held {
        held.sort_by_key(|(_, holds)| (holds.incarnation, holds.first));
        let entry = looked.entry(partition.clone()).or_default();
        entry.files = held.len();
        entry.rows = held.iter().map(|(_, holds)| holds.rows).sum();
        entry.first = held.iter().map(|(_, holds)| holds.first).min();
        entry.last = held.iter().map(|(_, holds)| holds.last).max();
        overlaps(held, |what| find(Kind::Overlap, what));
        if !kept.iter().any(|kept| kept.partition == *partition) {
            find(Kind::Uncommitted, format!("{partition}: {} and no pointer", count(held.len(), "file")));
        }
    }
    for Kept { partition, pointer, .. } in kept {
        let entry = looked.entry(partition.clone()).or_default();
        let pointer = match pointer {
            Ok(pointer) => pointer,
            Err(why) => {
                find(Kind::Unreadable, format!("{partition}: {why}"));
                continue;
            }
        };
        let held = held.get(partition).map_or(&[][..], Vec::as_slice);
        entry.low = Some(pointer.landed.low());
        if !pointer.identity.is(me) {
            find(Kind::Other, format!("{partition} is landed by {}", pointer.identity));
        }
        for (path, holds) in held.iter().filter(|(_, holds)| is_of(holds, pointer)) {
            if !(pointer.landed.contains(holds.first) && pointer.landed.contains(holds.last)) {
                let Holds { first, last, .. } = holds;
                find(
                    Kind::Uncommitted,
                    format!("{path} holds offsets {first} to {last}, and the pointer does not say that they have landed"),
                );
            }
        }
        for pending in &pointer.pending {
            if !held.iter().any(|(path, _)| *path == pending.file.path) {
                let is = if pointer.published { "was moved away or deleted" } else { "is committed and not visible yet" };
                find(
                    Kind::Gone,
                    format!("{} ({} rows, offsets {} to {}) {is}", pending.file.path, pending.rows, pending.first, pending.last),
                );
            }
        }
        let log = said.and_then(|said| said.logs.get(partition));
        entry.missing = missing(held, pointer, log.map_or(0, |log| log.start));
        if let Some(said) = said {
            kafka(partition, pointer, said, |what| find(Kind::Kafka, what));
        }
    }
    findings.sort_by_key(|finding| finding.kind);
    (looked, findings)
}

/// Whether a file is of the pointer's incarnation.
fn is_of(holds: &Holds, pointer: &Pointer) -> bool {
    holds.incarnation == pointer.incarnation && same_topic(holds, pointer)
}

/// Whether a file is of the topic that there is now, not of one that was deleted.
fn same_topic(holds: &Holds, pointer: &Pointer) -> bool {
    holds.topic.zip(pointer.topic_id).is_none_or(|(then, now)| then == now)
}

/// Finds records that are in two files; `held` is in the order of incarnations and first offsets.
///
/// In one folder the files of a partition hold one range of offsets after the other. Ranges of different folders may overlap, for each
/// takes the records that are for it: but together files have no more rows than there are offsets.
fn overlaps(held: &[(&str, &Holds)], mut find: impl FnMut(String)) {
    let same = |a: &Holds, b: &Holds| a.incarnation == b.incarnation && a.topic == b.topic;
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let mut last: BTreeMap<Option<String>, (&str, &Holds)> = BTreeMap::new();
    for (path, holds) in held {
        if let Some((other, before)) =
            last.get(&folder(path)).filter(|(_, before)| same(before, holds) && before.last >= holds.first)
        {
            let (from, to) = (holds.first, holds.last.min(before.last));
            find(format!("{other} and {path} both hold offsets {from} to {to} of {}", holds.partition));
        }
        let further = last.get(&folder(path)).is_none_or(|(_, before)| !same(before, holds) || before.last < holds.last);
        if further {
            last.insert(folder(path), (path, holds));
        }
    }
    // Files whose ranges hang together, from `begin` to `end`.
    let mut at = 0;
    while let Some((_, begin)) = held.get(at) {
        let (mut end, mut rows, from) = (begin.last, 0, at);
        while let Some((_, next)) = held.get(at).filter(|(_, next)| same(begin, next) && next.first <= end) {
            (end, rows) = (end.max(next.last), rows + next.rows);
            at += 1;
        }
        let (offsets, files) = (end.abs_diff(begin.first) + 1, &held[from..at]);
        let folders: BTreeSet<_> = files.iter().map(|(path, _)| folder(path)).collect();
        if rows > offsets && folders.len() > 1 {
            let (first, count) = (begin.first, count(files.len(), "file"));
            find(format!(
                "{count} of {} from {} on have {rows} rows of {offsets} offsets, {first} to {end}",
                begin.partition, files[0].0
            ));
        }
    }
}

/// How many offsets from `from` on are done with and in no file, of whatever incarnation: records that were left out or compacted, and
/// those of files that were moved away.
fn missing(held: &[(&str, &Holds)], pointer: &Pointer, from: i64) -> i64 {
    let mut spans: Vec<_> =
        held.iter().filter(|(_, holds)| same_topic(holds, pointer)).map(|(_, holds)| (holds.first, holds.last + 1)).collect();
    spans.sort_unstable();
    let (mut missing, mut at) = (0, from);
    let done = std::iter::once(0..pointer.landed.low()).chain(pointer.landed.runs().iter().cloned());
    for run in done {
        at = at.max(run.start);
        for (start, end) in &spans {
            if *end > at && *start < run.end {
                missing += (start - at).max(0);
                at = at.max(*end);
            }
        }
        missing += (run.end - at).max(0);
        at = at.max(run.end);
    }
    missing
}

/// Finds what cannot be of Kafka's offsets.
fn kafka(partition: &Partition, pointer: &Pointer, said: &Said, mut find: impl FnMut(String)) {
    let low = pointer.landed.low();
    if let (cluster, Some(now)) = (&pointer.identity.kafka_cluster_id, &said.cluster)
        && !cluster.is_empty()
        && cluster != now
    {
        find(format!("{partition} is of the cluster {cluster}, and these brokers are of {now}"));
        return;
    }
    if let Some((then, now)) = pointer.topic_id.zip(said.topics.get(&partition.topic).copied()).filter(|(then, now)| then != now)
    {
        find(format!("{partition}: the topic was deleted and created again (its id was {then} and is {now})"));
        return;
    }
    let Some(log) = said.logs.get(partition) else {
        find(format!("{partition} is not there"));
        return;
    };
    if low > log.end {
        find(format!("{partition} ends at offset {}, and has landed up to {low}: its log was cut off", log.end));
    }
    if low < log.start {
        find(format!("the records of {partition} from offset {low} to {} were deleted before they landed", log.start - 1));
    }
    if let Some(committed) = said.committed.get(partition).filter(|committed| committed.offset > low) {
        find(format!("the group's offset of {partition} is {}, and it has landed up to {low}", committed.offset));
    }
}

fn text(looked: &BTreeMap<Partition, Looked>, findings: &[Finding], wrong: usize, url: &str) -> String {
    let shown = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
    let row = |(partition, looked): (&Partition, &Looked)| {
        let Looked { files, rows, first, last, low, missing } = looked;
        [
            partition.topic.clone(),
            partition.number.to_string(),
            files.to_string(),
            rows.to_string(),
            shown(*first),
            shown(*last),
            shown(*low),
            missing.to_string(),
        ]
    };
    let rows: Vec<_> = looked.iter().map(row).collect();
    let mut text = String::new();
    if !rows.is_empty() {
        text += &table(["topic", "partition", "files", "rows", "first", "last", "landed up to", "in no file"], &rows);
        text.push('\n');
    }
    if !findings.is_empty() {
        let rows: Vec<_> = findings.iter().map(|finding| [finding.kind.name().to_owned(), finding.what.clone()]).collect();
        text += &table(["found", ""], &rows);
        text.push('\n');
    }
    let files = looked.values().map(|looked| looked.files).sum();
    text += &format!(
        "{} at {url}, {} wrong\n",
        count(files, "file"),
        if wrong == 0 { "nothing".to_owned() } else { count(wrong, "thing") }
    );
    text
}

fn value(looked: &BTreeMap<Partition, Looked>, findings: &[Finding]) -> Value {
    let partition = |(partition, looked): (&Partition, &Looked)| {
        let Looked { files, rows, first, last, low, missing } = looked;
        json!({
            "topic": partition.topic, "partition": partition.number, "files": files, "rows": rows,
            "first": first, "last": last, "low": low, "missing": missing
        })
    };
    let finding = |finding: &Finding| json!({"kind": finding.kind.name(), "wrong": finding.kind.wrong(), "what": finding.what});
    json!({
        "partitions": looked.iter().map(partition).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
