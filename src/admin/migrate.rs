//! `landfall migrate`: moves connectors from one Connect cluster to another, by the REST API of both. They go on from the offsets of
//! their consumer group.
//!
//! A connector is looked at first (`plan`); with `--execute` it is then stopped where it runs and created where it is to run (`moving`).
//! What goes wrong on the way is undone.

mod moving;
mod plan;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use tokio::task::JoinHandle;

use self::moving::Move;
use self::plan::{Plan, same_cluster};
use super::worker::{Access, Root, Worker};
use super::{Outcome, count};

/// What to move, and from where to where.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A worker of the cluster that the connectors run in.
    #[arg(long, value_name = "URL")]
    from: String,
    /// A worker of the cluster that they are to run in.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The connectors to move. Default: all.
    #[arg(value_name = "CONNECTOR")]
    connectors: Vec<String>,
    /// Move them. Without it, only tell what would be done.
    #[arg(long)]
    execute: bool,
    /// Delete what was moved from where it ran, instead of leaving it STOPPED there.
    #[arg(long, requires = "execute")]
    delete: bool,
    /// Seconds to wait for a connector to stop or to run.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    #[command(flatten)]
    access: Access,
}

/// Tells what would be moved, or moves it. Something is wrong if a connector cannot be moved.
///
/// # Errors
/// One of the workers does not answer, or they are of one cluster, or of different Kafka clusters.
pub async fn run(options: Options) -> Result<Outcome, String> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let told = interrupted.clone();
    let migration = tokio::task::spawn_blocking(move || migrate(&options, &told));
    let mut undone = UndoneWhenDropped { interrupted, migration: Some(migration) };
    let Some(migration) = undone.migration.as_mut() else { return Err("there is no migration".into()) };
    let ended = migration.await;
    undone.migration = None;
    ended.map_err(|e| format!("the migration ended by a fault: {e}"))?
}

/// Who is interrupted in the middle of a move undoes it before the program ends.
struct UndoneWhenDropped {
    interrupted: Arc<AtomicBool>,
    migration: Option<JoinHandle<Result<Outcome, String>>>,
}

impl Drop for UndoneWhenDropped {
    fn drop(&mut self) {
        let Some(migration) = &self.migration else { return };
        self.interrupted.store(true, Ordering::Release);
        while !migration.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn migrate(options: &Options, interrupted: &AtomicBool) -> Result<Outcome, String> {
    let from = Worker::new("--from", &options.from, &options.access)?;
    let to = Worker::new("--to", &options.to, &options.access)?;
    let (old, new) = (from.root()?, to.root()?);
    one_kafka(&from, &old, &to, &new)?;
    let mut there = from.connectors()?;
    let here = to.connectors()?;
    if same_cluster(&there, &here) {
        return Err(format!(
            "{from} and {to} are workers of one Connect cluster: there is nothing to move. Start workers of the one kind, and end \
             those of the other; the connectors go over by themselves"
        ));
    }
    let names = if options.connectors.is_empty() { there.keys().cloned().collect() } else { options.connectors.clone() };

    let mut text = format!(
        "from {from} ({}) to {to} ({}), both of the Kafka cluster {}\n",
        old.shown,
        new.shown,
        new.kafka_cluster_id.as_deref().unwrap_or_default()
    );
    let (mut wrong, mut plans) = (false, Vec::new());
    for name in &names {
        let Some(found) = there.remove(name) else {
            text += &format!("\n{name}\n  problem     there is no such connector at {from}, or it is named twice\n");
            wrong = true;
            continue;
        };
        let plan = Plan::new(name, &found, here.contains_key(name), (&from, &old), &to)?;
        text += &plan.describe(&from, options.delete);
        wrong |= !plan.problems.is_empty();
        plans.extend(Some(plan).filter(|plan| plan.problems.is_empty()));
    }
    if !options.execute {
        let moved = count(plans.len(), "connector");
        text += &format!("\n{moved} can be moved. Nothing was changed: give --execute to move {}\n", them(plans.len()));
        return Ok(Outcome { wrong, ..Outcome::said(text) });
    }
    text.push('\n');
    let patience = Duration::from_secs(options.timeout);
    for (n, plan) in plans.iter().enumerate() {
        let mut moving = Move::new(&from, &to, plan, options.delete, patience, interrupted);
        match moving.run() {
            Ok(how) => text += &format!("{}: moved. {how}\n", plan.name),
            Err(why) => {
                let not_tried: Vec<_> = plans[n + 1..].iter().map(|plan| plan.name.as_str()).collect();
                let rest = if not_tried.is_empty() { String::new() } else { format!("not tried: {}\n", not_tried.join(", ")) };
                // Who was interrupted reads no other text.
                tracing::warn!("{}: not moved: {why}", plan.name);
                text += &format!("{}: not moved: {why}\n{rest}", plan.name);
                wrong = true;
                break;
            }
        }
    }
    Ok(Outcome { wrong, ..Outcome::said(text) })
}

const fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

/// A consumer group, and its offsets, are of one Kafka cluster.
fn one_kafka(from: &Worker, old: &Root, to: &Worker, new: &Root) -> Result<(), String> {
    match (&old.kafka_cluster_id, &new.kafka_cluster_id) {
        (Some(old), Some(new)) if old == new => Ok(()),
        (Some(old), Some(new)) => Err(format!(
            "{from} works with the Kafka cluster {old}, and {to} with {new}: the offsets of the one mean nothing in the other"
        )),
        (old, _) => {
            let silent = if old.is_none() { from } else { to };
            Err(format!("{silent} does not say which Kafka cluster it works with: can it reach its brokers?"))
        }
    }
}

#[cfg(test)]
mod tests;
