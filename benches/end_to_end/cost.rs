//! What a landing took.

/// What the worker's CPU time goes to: librdkafka's threads, taking records from them into columns, converters, handing rows to
/// files, the encoders' threads, staging and publishing, and all else (its start, REST, commits).
pub(crate) const STAGES: [&str; 7] = ["fetch", "poll", "decode", "put", "encode", "stage", "other"];

/// What one landing took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Of the process from its start on, or from the connector's creation on.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_mb: f64,
    pub(crate) wall_seconds: f64,
    /// Of the files.
    pub(crate) bytes: u64,
    /// CPU seconds of each of [`STAGES`]; nothing is known of others than the worker.
    pub(crate) stages: [f64; STAGES.len()],
}

/// The landings of one case by one program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Costs(Vec<Cost>);

impl Costs {
    pub(crate) fn push(&mut self, cost: Cost) {
        self.0.push(cost);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Smallest, median and largest of a figure.
    pub(crate) fn spread(&self, figure: impl Fn(&Cost) -> f64) -> [f64; 3] {
        let mut all: Vec<f64> = self.0.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        [all[0], all[all.len() / 2], all[all.len() - 1]]
    }

    /// The median of a figure.
    pub(crate) fn median(&self, figure: impl Fn(&Cost) -> f64) -> f64 {
        self.spread(figure)[1]
    }
}
