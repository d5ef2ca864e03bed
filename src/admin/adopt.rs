//! `landfall adopt`: partitions get another connector, group or cluster, or go on at another offset.
//!
//! A pointer is first taken from whoever owns it, as a worker takes it: files that are committed become visible, and the owner can
//! commit nothing any more. Then it gets its new identity and offset. A worker that was still running finds that the partition is
//! another's, and its task fails and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use landfall_api::TopicId;
use landfall_lake::commit::drive::Place;
use landfall_lake::commit::offsets::Offsets;
use landfall_lake::commit::owner::{Claim, End, Owner};
use landfall_lake::commit::pointer::{Identity, Pointer, Writer};
use landfall_lake::commit::start::{self, Rules, Start};
use landfall_lake::storage::{Version, Written};
use serde_json::json;

use super::brokers::Said;
use super::pointers::on_their_way;
use super::root::{Kept, Partition, Root, now};
use super::{Brokers, Connector, Outcome, count};

/// How long one partition may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to take over.
#[derive(Debug, Args)]
pub struct Options {
    /// The connector that gets the partitions.
    #[command(flatten)]
    connector: Connector,
    /// What Kafka is asked by: its cluster is the one that partitions are of from then on. Needed where that is another one.
    #[command(flatten)]
    brokers: Brokers,
    /// Only partitions of these topics; may be given several times.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Where a partition goes on, as `orders-0=1200`; may be given several times. Records before are left out, those from there on land,
    /// also if they have landed before.
    #[arg(long = "low", value_name = "TOPIC-PARTITION=OFFSET", value_parser = low)]
    lows: Vec<(Partition, i64)>,
    /// The other cluster has the same records at the same offsets.
    #[arg(long)]
    same_offsets: bool,
    /// Do it; else it is only said what would be done.
    #[arg(long)]
    yes: bool,
}

/// What `--low` says.
fn low(text: &str) -> Result<(Partition, i64), String> {
    let parse = || {
        let (partition, offset) = text.rsplit_once('=')?;
        let (topic, number) = partition.rsplit_once('-')?;
        let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
        Some((Partition { topic: topic.to_owned(), number: number.parse().ok()? }, offset))
    };
    parse().ok_or_else(|| "it is not like orders-0=1200".to_owned())
}

/// What becomes of one partition.
#[derive(Debug)]
struct Change {
    partition: Partition,
    /// Its pointer, if it has one.
    before: Option<Pointer>,
    identity: Identity,
    topic: Option<TopicId>,
    /// Where it goes on, if it is not where it is.
    low: Option<i64>,
    /// The least incarnation that it has then.
    incarnation: u32,
    /// What the group has stored, if it is not from a commit of ours: it does not count any more.
    stored: Option<i64>,
}

/// Takes over, or says what would change.
pub(super) async fn run(options: Options) -> Result<Outcome, String> {
    let root = Root::open(&options.connector)?;
    let kept = root.kept().await?;
    let lows: BTreeMap<_, _> = options.lows.iter().cloned().collect();
    let all: BTreeSet<_> = kept.iter().map(|kept| &kept.partition).chain(lows.keys()).cloned().collect();
    let said = options.brokers.ask(&root, all.into_iter().collect()).await?;
    let changes = changes(&root, kept, &lows, said.as_ref(), &options)?;

    let mut text = String::new();
    let mut values = Vec::new();
    for change in &changes {
        let will = change.describe();
        if options.yes {
            let doing = change.carry_out(&root);
            let done = tokio::time::timeout(PATIENCE, doing).await.unwrap_or_else(|_| Err("the store does not answer".into()));
            done.map_err(|why| format!("{text}{}: {why}", change.partition))?;
        }
        text += &format!("{}: {}\n", change.partition, will.join("; "));
        values.push(json!({"topic": change.partition.topic, "partition": change.partition.number, "changes": will}));
    }
    let verb = if options.yes { "changed" } else { "would be changed" };
    text += &format!("{} {verb}\n", count(changes.len(), "partition"));
    if !options.yes && !changes.is_empty() {
        text += "nothing was changed; stop the connector that lands them now, and give --yes\n";
    }
    let value = json!({"changed": options.yes, "partitions": values});
    Ok(Outcome::of(options.connector.json, text, &value))
}

fn changes(
    root: &Root,
    kept: Vec<Kept>,
    lows: &BTreeMap<Partition, i64>,
    said: Option<&Said>,
    options: &Options,
) -> Result<Vec<Change>, String> {
    let cluster = said.and_then(|said| said.cluster.clone());
    let mut changes = Vec::new();
    for Kept { partition, pointer, .. } in kept {
        if !options.topics.is_empty() && !options.topics.contains(&partition.topic) {
            continue;
        }
        let pointer = pointer.map_err(|why| format!("what is kept of {partition} cannot be read: {why}"))?;
        let known = pointer.identity.kafka_cluster_id.clone();
        let moves = cluster.as_ref().is_some_and(|now| !known.is_empty() && *now != known);
        let identity = Identity { kafka_cluster_id: cluster.clone().unwrap_or(known), ..root.identity.clone() };
        let low = lows.get(&partition).copied();
        if identity.is(&pointer.identity) && !moves && low.is_none() {
            continue;
        }
        if moves && low.is_none() && !options.same_offsets {
            return Err(format!(
                "{partition} was landed from the cluster {}, and these brokers are of {}, where its offsets may be others: say where \
                 it goes on (--low {partition}=…), or that they are the same (--same-offsets)",
                pointer.identity.kafka_cluster_id, identity.kafka_cluster_id
            ));
        }
        let told = said.and_then(|said| said.topics.get(&partition.topic).copied());
        // The id of the other cluster's topic would say that the topic was created anew.
        let topic = told.or(pointer.topic_id.filter(|_| !moves));
        let (stored, incarnation) = stored(said, &partition);
        changes.push(Change { partition, before: Some(pointer), identity, topic, low, incarnation, stored });
    }
    for (partition, low) in
        lows.iter().filter(|(partition, _)| options.topics.is_empty() || options.topics.contains(&partition.topic))
    {
        if !changes.iter().any(|change: &Change| change.partition == *partition) {
            let identity = Identity { kafka_cluster_id: cluster.clone().unwrap_or_default(), ..root.identity.clone() };
            let topic = said.and_then(|said| said.topics.get(&partition.topic).copied());
            let (partition, low) = (partition.clone(), Some(*low));
            let (stored, incarnation) = stored(said, &partition);
            changes.push(Change { partition, before: None, identity, topic, low, incarnation, stored });
        }
    }
    Ok(changes)
}

/// What the group has stored of a partition, if that is not ours; and the incarnation that it is of, if it is.
fn stored(said: Option<&Said>, partition: &Partition) -> (Option<i64>, u32) {
    let committed = said.and_then(|said| said.committed.get(partition));
    match committed.map(|committed| (committed.offset, start::incarnation(&committed.metadata))) {
        Some((_, Some(incarnation))) => (None, incarnation),
        Some((offset, None)) => (Some(offset), 0),
        None => (None, 0),
    }
}

impl Change {
    /// What it does, for people.
    fn describe(&self) -> Vec<String> {
        let Some(before) = &self.before else {
            return vec![format!("begins at offset {} as that of {}", self.low.unwrap_or_default(), self.identity)];
        };
        let mut says = Vec::new();
        if on_their_way(before) > 0 {
            says.push(format!("{} that were committed become visible", count(before.pending.len(), "file")));
        }
        if before.identity != self.identity {
            says.push(format!("from {} to {}", before.identity, self.identity));
        }
        let (low, next) = (before.landed.low(), self.next(before));
        match self.low {
            Some(to) if to > low => says.push(format!("goes on at offset {to}, not {low}: the records between are left out")),
            Some(to) if to < low => {
                let incarnation = next.incarnation;
                says.push(format!(
                    "goes on at offset {to}, not {low}: records land again, in files of incarnation {incarnation}"
                ));
            }
            _ => says.push(format!("goes on at offset {low}")),
        }
        says
    }

    /// What `pointer` becomes.
    fn next(&self, pointer: &Pointer) -> Pointer {
        let low = pointer.landed.low();
        let to = self.low.unwrap_or(low);
        let again = u32::from(to < low);
        let landed = if to < low { Offsets::before(to) } else { pointer.landed.raised_to(to) };
        let pending = if to < low { Vec::new() } else { pointer.pending.clone() };
        Pointer {
            identity: self.identity.clone(),
            topic_id: self.topic,
            incarnation: (pointer.incarnation + again).max(self.incarnation),
            epoch: pointer.epoch + 1,
            landed,
            pending,
            obeyed: self.stored,
            ..pointer.clone()
        }
    }

    async fn carry_out(&self, root: &Root) -> Result<(), String> {
        let opened_at = now();
        let writer = Writer { worker: "landfall adopt".into(), task: 0, instance: opened_at.unsigned_abs(), opened_at };
        let Some(before) = &self.before else {
            let landed = Offsets::before(self.low.unwrap_or_default());
            let (identity, topic_id) = (self.identity.clone(), self.topic);
            let made = Pointer {
                identity,
                topic_id,
                incarnation: self.incarnation,
                epoch: 1,
                seq: 0,
                owner: writer,
                landed,
                pending: Vec::new(),
                published: true,
                obeyed: self.stored,
            };
            return self.write(root, &made, None).await;
        };
        let start = Start { first: before.landed.low(), ..Start::default() };
        let (name, identity) = (self.partition.to_string(), before.identity.clone());
        let mut owner = Owner::new(Claim { name, identity, writer: writer.clone(), start, rules: Rules::default() });
        let backoff = Duration::from_secs(1);
        let place =
            Place { storage: root.files.clone(), state: root.pointers.clone(), backoff, log: false, metrics: Arc::default() };
        place.drive(&mut owner, &root.folder(&self.partition)).await.map_err(|e| e.to_string())?;
        match owner.end() {
            None => {}
            Some(End::Lost) => return Err("it was opened by another at the same time".into()),
            Some(End::Refused(why)) => return Err(why.clone()),
        }
        let taken = root.pointer(&self.partition).await?.ok_or("its pointer is gone")?;
        let pointer = taken.pointer?;
        if pointer.owner != writer {
            return Err("it was opened by another at the same time".into());
        }
        self.write(root, &Pointer { published: true, ..self.next(&pointer) }, Some(&taken.version)).await
    }

    async fn write(&self, root: &Root, pointer: &Pointer, version: Option<&Version>) -> Result<(), String> {
        let path = Pointer::path(&root.folder(&self.partition));
        match root.pointers.put(&path, Bytes::from(pointer.encode()), version).await.map_err(|e| e.to_string())? {
            Written::Done(_) => Ok(()),
            Written::Refused => Err("it was opened by another at the same time".into()),
        }
    }
}
