//! What the worker measures: one [`table`] of names, units and meanings, read at the moment that somebody asks.
//!
//! [`table`] has the metrics of Java's worker and ours, [`view`] what they are read from, [`text`] is the format of Prometheus. Java's have
//! the names that dashboards know them by ([`Names`]); ours begin with `landfall_`. What a task counts ends with it.

pub mod names;
pub mod table;
pub mod text;
mod view;

use landfall_api::TaskMetrics;
use landfall_api::metrics::Histogram;

pub use names::{Group, Names};
use view::World;

use crate::herder::Herder;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only rises while its series is there.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// Always 1: its labels say it.
    Info,
    /// Durations, in seconds.
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Info => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric, as [`table::all`] has it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Where Java has it; [`Group::Own`] for ours.
    pub group: Group,
    /// Java's name of it, or ours without what it begins with.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it is counted in; empty for what has no unit.
    pub unit: &'static str,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    read: Read,
}

/// Takes a series: the values of the labels, and the number.
type Emit<'a> = dyn FnMut(&[&str], f64) + 'a;

/// How the numbers are read. Those that are not known yet are left out.
#[derive(Clone, Copy)]
enum Read {
    /// One of the worker.
    Worker(fn(&World<'_>) -> Option<f64>),
    /// One of each task.
    Task(fn(&TaskMetrics) -> Option<f64>),
    /// Any.
    Each(fn(&World<'_>, &mut Emit<'_>)),
    /// One histogram of each task.
    Histogram(fn(&TaskMetrics) -> &Histogram),
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Read")
    }
}

/// A metric with its name and its series.
#[derive(Clone, Debug)]
pub struct Family {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub metric: &'static Metric,
    /// Its series; at least one.
    pub series: Vec<Series>,
}

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The values of the metric's labels, in their order.
    pub labels: Vec<String>,
    /// What it says.
    pub value: Value,
}

/// What a series says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// How many durations have each of [`Histogram::BOUNDS`] as their shortest, how many exceed all, and the sum of all in seconds.
    Histogram([u64; Histogram::BOUNDS.len() + 1], f64),
}

/// All metrics of a worker, now.
#[must_use]
pub fn collect(herder: &Herder) -> Vec<Family> {
    let (world, names) = (World::of(herder), Names::of(herder.keys()));
    table::all().filter_map(|metric| family(metric, names, &world)).collect()
}

/// The same, as Prometheus reads it.
#[must_use]
pub fn render(herder: &Herder) -> String {
    text::render(&collect(herder))
}

fn family(metric: &'static Metric, names: Names, world: &World<'_>) -> Option<Family> {
    let name = metric.name_in(names)?;
    let mut series = Vec::new();
    let mut add = |labels: &[&str], value: Value| {
        debug_assert_eq!(labels.len(), metric.labels.len(), "{name}");
        series.push(Series { labels: labels.iter().map(|&label| label.to_owned()).collect(), value });
    };
    match metric.read {
        Read::Worker(read) => {
            if let Some(value) = read(world) {
                add(&[], Value::Number(value));
            }
        }
        Read::Task(read) => {
            for task in &world.tasks {
                if let Some(value) = read(&task.counts.metrics) {
                    add(&task.labels(), Value::Number(value));
                }
            }
        }
        Read::Each(read) => read(world, &mut |labels, value| add(labels, Value::Number(value))),
        Read::Histogram(read) => {
            for task in &world.tasks {
                let histogram = read(&task.counts.metrics);
                add(&task.labels(), Value::Histogram(histogram.counts(), histogram.sum()));
            }
        }
    }
    (!series.is_empty()).then_some(Family { name, metric, series })
}
