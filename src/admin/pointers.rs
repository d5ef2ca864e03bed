//! `landfall pointers`: what is kept of partitions.

use clap::Subcommand;
use landfall_lake::commit::pointer::Pointer;
use serde_json::{Value, json};

use super::root::{Kept, Partition, Root, ago};
use super::table::table;
use super::{Connector, Outcome, count};

/// What can be shown.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a line for each partition that lands where the connector does, whoever lands it.
    List {
        /// Whose folder.
        #[command(flatten)]
        connector: Connector,
    },
    /// Show all that is known of one partition.
    Show {
        /// Whose folder.
        #[command(flatten)]
        connector: Connector,
        /// The topic, as Kafka has it.
        topic: String,
        /// The partition's number.
        partition: i32,
    },
}

/// Shows what is asked for.
pub(super) async fn run(command: Command) -> Result<Outcome, String> {
    match command {
        Command::List { connector } => {
            let root = Root::open(&connector)?;
            let kept = root.kept().await?;
            let value = Value::Array(kept.iter().map(json).collect());
            Ok(Outcome::of(connector.json, list(&root, &kept), &value))
        }
        Command::Show { connector, topic, partition } => {
            let root = Root::open(&connector)?;
            let partition = Partition { topic, number: partition };
            let Some(kept) = root.pointer(&partition).await? else {
                return Err(format!("nothing of {partition} has landed at {}", root.files.url()));
            };
            Ok(Outcome::of(connector.json, show(&kept)?, &json(&kept)))
        }
    }
}

fn list(root: &Root, kept: &[Kept]) -> String {
    let row = |kept: &Kept| {
        let Partition { topic, number } = &kept.partition;
        match &kept.pointer {
            Ok(pointer) => [
                topic.clone(),
                number.to_string(),
                pointer.landed.low().to_string(),
                beyond(pointer).to_string(),
                on_their_way(pointer).to_string(),
                pointer.incarnation.to_string(),
                pointer.epoch.to_string(),
                pointer.identity.to_string(),
            ],
            Err(why) => {
                let [unknown, epoch] = ["?", "?"].map(str::to_owned);
                [
                    topic.clone(),
                    number.to_string(),
                    unknown.clone(),
                    unknown.clone(),
                    unknown.clone(),
                    unknown,
                    epoch,
                    why.clone(),
                ]
            }
        }
    };
    let rows: Vec<_> = kept.iter().map(row).collect();
    let headings = ["topic", "partition", "landed up to", "beyond", "on their way", "incarnation", "epoch", "of"];
    let others = kept.iter().filter(|kept| kept.pointer.as_ref().is_ok_and(|p| !p.identity.is(&root.identity))).count();
    let mut text = if rows.is_empty() { String::new() } else { table(headings, &rows) + "\n" };
    text += &format!("{} at {}", count(kept.len(), "partition"), root.files.url());
    if others > 0 {
        text += &format!(", {others} of them of another than {}", root.identity);
    }
    text + "\n"
}

/// Offsets that have landed although some before them have not.
fn beyond(pointer: &Pointer) -> i64 {
    pointer.landed.runs().iter().map(|run| run.end - run.start).sum()
}

/// Committed files that may not be visible yet.
pub(super) fn on_their_way(pointer: &Pointer) -> usize {
    if pointer.published { 0 } else { pointer.pending.len() }
}

fn show(kept: &Kept) -> Result<String, String> {
    let pointer = kept.pointer.as_ref().map_err(|why| format!("what is kept of {} cannot be read: {why}", kept.partition))?;
    let mut facts = vec![
        ("partition", kept.partition.to_string()),
        ("connector", pointer.identity.connector.clone()),
        ("group", pointer.identity.group.clone()),
        ("cluster", pointer.identity.kafka_cluster_id.clone()),
        ("topic id", pointer.topic_id.map(|id| id.to_string()).unwrap_or_default()),
        ("landed up to", pointer.landed.low().to_string()),
    ];
    facts.extend(pointer.landed.runs().iter().map(|run| ("landed too", format!("{} to {}", run.start, run.end - 1))));
    facts.extend([
        ("incarnation", pointer.incarnation.to_string()),
        ("epoch", pointer.epoch.to_string()),
        ("commits", pointer.seq.to_string()),
        ("opened by", format!("{}, task {}, {}", pointer.owner.worker, pointer.owner.task, ago(pointer.owner.opened_at))),
    ]);
    let state = if pointer.published { "last commit" } else { "on its way" };
    for pending in &pointer.pending {
        let file = format!("{} ({} rows, {} to {})", pending.file.path, pending.rows, pending.first, pending.last);
        facts.push((state, file));
    }
    let unknown = |value: &str| if value.is_empty() { "unknown".to_owned() } else { value.to_owned() };
    Ok(facts.iter().map(|(name, value)| format!("{name:14}{}\n", unknown(value))).collect())
}

/// A pointer for machines: what is stored, with the partition.
fn json(kept: &Kept) -> Value {
    let Partition { topic, number } = &kept.partition;
    let mut value = json!({"topic": topic, "partition": number});
    match &kept.pointer {
        Ok(pointer) => {
            let runs: Vec<_> = pointer.landed.runs().iter().map(|run| json!([run.start, run.end])).collect();
            let file = |p: &landfall_lake::commit::pointer::Pending| json!({"path": p.file.path, "bytes": p.file.size, "rows": p.rows, "first": p.first, "last": p.last});
            let more = json!({
                "connector": pointer.identity.connector,
                "group": pointer.identity.group,
                "kafka_cluster_id": pointer.identity.kafka_cluster_id,
                "topic_id": pointer.topic_id.map(|id| id.to_string()),
                "low": pointer.landed.low(),
                "landed": runs,
                "incarnation": pointer.incarnation,
                "epoch": pointer.epoch,
                "seq": pointer.seq,
                "owner": pointer.owner,
                "published": pointer.published,
                "pending": pointer.pending.iter().map(file).collect::<Vec<_>>(),
            });
            if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
                value.extend(more);
            }
        }
        Err(why) => value["error"] = json!(why),
    }
    value
}
