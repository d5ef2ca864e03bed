//! `landfall connectors offsets`: where a connector goes on. To change that it has to be stopped.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Session;
use crate::admin::Outcome;
use crate::admin::table::table;
use crate::admin::worker::{Ask, path_of};

/// What to do with offsets.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the offsets of a connector.
    Get {
        /// The connector.
        name: String,
    },
    /// Let a stopped connector go on from other offsets.
    Set {
        /// The connector.
        name: String,
        /// Of a sink: a partition and the offset to go on from, or `none` to forget it, as `orders:0=1200`.
        #[arg(value_name = "TOPIC:PARTITION=OFFSET", required_unless_present = "file")]
        offsets: Vec<String>,
        /// Of any connector: JSON as `get --output json` prints it.
        #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "offsets")]
        file: Option<PathBuf>,
    },
    /// Let a stopped connector forget all of its offsets. A sink then goes on as `auto.offset.reset` says.
    Reset {
        /// The connector.
        name: String,
    },
}

pub(super) fn run(session: &Session, command: Command) -> Result<Outcome, String> {
    match command {
        Command::Get { name } => get(session, &name),
        Command::Set { name, offsets, file } => {
            let body = match file {
                Some(file) => {
                    let shown = file.display();
                    let text = std::fs::read(&file).map_err(|e| format!("{shown}: cannot be read: {e}"))?;
                    serde_json::from_slice(&text).map_err(|e| format!("{shown}: not JSON: {e}"))?
                }
                None => json!({"offsets": offsets.iter().map(|offset| parse(offset)).collect::<Result<Vec<_>, _>>()?}),
            };
            change(session, &name, Ask::Patch(&body))
        }
        Command::Reset { name } => change(session, &name, Ask::Delete),
    }
}

fn get(session: &Session, name: &str) -> Result<Outcome, String> {
    let answer = session.get(name, "/offsets")?;
    let all: Vec<&Value> = answer["offsets"].as_array().into_iter().flatten().collect();
    let of_sink = |offset: &&Value| {
        let (partition, offset) = (&offset["partition"], &offset["offset"]);
        let topic = partition["kafka_topic"].as_str()?.to_owned();
        Some((topic, partition["kafka_partition"].as_i64()?, offset["kafka_offset"].as_i64()?))
    };
    let text = match all.iter().map(of_sink).collect::<Option<Vec<_>>>() {
        _ if all.is_empty() => format!("{name} has committed nothing yet\n"),
        Some(mut rows) => {
            rows.sort();
            let rows: Vec<_> = rows.into_iter().map(|(topic, p, offset)| [topic, p.to_string(), offset.to_string()]).collect();
            table(["TOPIC", "PARTITION", "OFFSET"], &rows)
        }
        None => {
            let rows: Vec<_> = all.iter().map(|offset| [offset["partition"].to_string(), offset["offset"].to_string()]).collect();
            table(["PARTITION", "OFFSET"], &rows)
        }
    };
    Ok(session.outcome(text, &answer))
}

fn change(session: &Session, name: &str, ask: Ask<'_>) -> Result<Outcome, String> {
    let answer = session.worker.ask(ask, &format!("{}/offsets", path_of(name)));
    let answer = answer.map_err(|failure| session.explain(failure, Some(name)))?;
    let message = answer["message"].as_str().unwrap_or_default();
    let text = format!("{message}\nNext: `landfall connectors resume {name} --wait`\n");
    Ok(session.outcome(text, &answer))
}

/// A partition of a sink, and its offset, as a request has them.
fn parse(text: &str) -> Result<Value, String> {
    let parsed = text.rsplit_once('=').and_then(|(partition, offset)| {
        let (topic, number) = partition.rsplit_once(':')?;
        let offset = match offset {
            "none" => Value::Null,
            offset => json!({"kafka_offset": offset.parse::<u64>().ok()?}),
        };
        let number = number.parse::<u32>().ok()?;
        let partition = json!({"kafka_topic": topic, "kafka_partition": number});
        (!topic.is_empty()).then(|| json!({"partition": partition, "offset": offset}))
    });
    parsed.ok_or_else(|| format!("not TOPIC:PARTITION=OFFSET with numbers, or with none as the offset: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_offsets_are_read() {
        let offset = |offset: Value| json!({"partition": {"kafka_topic": "a.b-c", "kafka_partition": 2}, "offset": offset});
        assert_eq!(parse("a.b-c:2=17"), Ok(offset(json!({"kafka_offset": 17}))));
        assert_eq!(parse("a.b-c:2=none"), Ok(offset(Value::Null)));
        for wrong in ["a:2", "a=2", ":1=2", "a:b=2", "a:1=-1", "a:1="] {
            assert!(parse(wrong).is_err_and(|error| error.ends_with(wrong)), "{wrong}");
        }
    }
}
