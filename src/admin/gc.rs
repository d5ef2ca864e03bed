//! `landfall gc`: removes the pointers of connectors that are no more.
//!
//! A pointer is small and costs nothing, and without it the same connector would begin anew: only those of connectors that the
//! operator names are removed. One that has files on their way stays, for they would be lost with it.

use clap::Args;
use landfall_lake::commit::pointer::Pointer;
use serde_json::json;

use super::pointers::on_their_way;
use super::root::Root;
use super::{Connector, Outcome, count};

/// What to remove.
#[derive(Debug, Args)]
pub struct Options {
    /// A connector that lands in the same folder.
    #[command(flatten)]
    connector: Connector,
    /// A connector that is no more; may be given several times.
    #[arg(long = "connector", value_name = "NAME", required = true)]
    gone: Vec<String>,
    /// Only of these topics; may be given several times.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Remove them; else it is only said what would be removed.
    #[arg(long)]
    yes: bool,
}

/// Removes, or says what would be removed.
pub(super) async fn run(options: Options) -> Result<Outcome, String> {
    let root = Root::open(&options.connector)?;
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for found in root.kept().await? {
        let Ok(pointer) = &found.pointer else { continue };
        let meant = options.gone.contains(&pointer.identity.connector)
            && (options.topics.is_empty() || options.topics.contains(&found.partition.topic));
        if !meant {
            continue;
        }
        let line = format!("{}, landed up to {} by {}", found.partition, pointer.landed.low(), pointer.identity);
        let on_their_way = on_their_way(pointer);
        if on_their_way > 0 {
            let why = "committed and not known to be visible: start the connector again, or adopt the partition";
            kept.push(format!("{line}: {} {why}", count(on_their_way, "file")));
            continue;
        }
        if options.yes {
            let path = Pointer::path(&root.folder(&found.partition));
            if !root.pointers.remove(&path, &found.version).await.map_err(|e| e.to_string())? {
                kept.push(format!("{line}: it was changed meanwhile, so that the connector is alive"));
                continue;
            }
        }
        removed.push(line);
    }
    let verb = if options.yes { "removed" } else { "would be removed" };
    let mut text: String = removed.iter().map(|line| format!("{verb}: {line}\n")).collect();
    text.extend(kept.iter().map(|line| format!("stays: {line}\n")));
    text += &format!("{} {verb}, {} stay\n", count(removed.len(), "pointer"), kept.len());
    if !options.yes && !removed.is_empty() {
        text += "nothing was changed; --yes removes them\n";
    }
    let value = json!({"changed": options.yes, "removed": removed, "kept": kept});
    Ok(Outcome { wrong: !kept.is_empty(), ..Outcome::of(options.connector.json, text, &value) })
}
