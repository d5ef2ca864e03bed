//! Where the log goes: to the standard error, as text or as JSON, and to a collector if the environment names one.

pub(crate) mod fields;
mod json;

use std::io::Write;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, FilterFn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::log_levels;
use crate::otlp::Otlp;

/// The environment variable that says how the log is written unless `landfall.log.format` does.
pub const FORMAT_VARIABLE: &str = "LANDFALL_LOG_FORMAT";

/// The key that says it.
pub const FORMAT_KEY: &str = "landfall.log.format";

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// A line of JSON for each event, with the fields of the spans around it: connector, task, partition.
    Json,
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;
type Reload = reload::Handle<EnvFilter, Registry>;

impl Format {
    /// What a worker's properties say of the key, or else the variable. What is wrong with `given` is said by whoever reads all of them.
    ///
    /// # Errors
    /// The environment asks for another one than there is.
    pub fn of(given: Option<&str>) -> Result<Self, String> {
        match given.map(str::trim) {
            Some("json") => return Ok(Self::Json),
            Some("text") => return Ok(Self::Text),
            _ => {}
        }
        match std::env::var(FORMAT_VARIABLE).unwrap_or_default().trim() {
            "" | "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("not a format of the log in {FORMAT_VARIABLE}: {other}: it must be text or json")),
        }
    }
}

/// Logs what `level` asks for from now on, to what `writer` makes and to the collector of `otlp`.
///
/// # Errors
/// What is no level.
pub fn install<W: Write>(
    level: &str,
    format: Format,
    writer: impl Fn() -> W + Send + Sync + 'static,
    otlp: Option<&Otlp>,
) -> Result<(), String> {
    let mut reloads: Vec<Reload> = Vec::new();
    let mut filter = || {
        let filter = EnvFilter::try_new(level).map_err(|e| e.to_string())?;
        let (filter, reload) = reload::Layer::new(filter);
        reloads.push(reload);
        Ok::<_, String>(filter)
    };
    let mut layers: Vec<Boxed> = Vec::new();
    let (spans, logs) = otlp.map(|otlp| (otlp.spans(), otlp.logs())).unwrap_or_default();
    if format == Format::Json || logs.is_some() {
        // Before those that read them.
        layers.push(fields::Keep.with_filter(of_spans(|_| true)).boxed());
    }
    layers.push(match format {
        // Its messages say what they are about; spans are for machines.
        Format::Text => fmt::layer().with_writer(writer).with_filter(filter()?.and(events())).boxed(),
        Format::Json => json::Json::new(writer).with_filter(filter()?).boxed(),
    });
    if let Some(logs) = logs {
        layers.push(logs.with_filter(filter()?).boxed());
    }
    if let Some(spans) = spans {
        layers.push(spans.with_filter(of_spans(|target| target == landfall_api::TRACE)).boxed());
    }
    log_levels::install(level, move |directives| {
        for reload in &reloads {
            let filter = EnvFilter::try_new(directives).map_err(|e| e.to_string())?;
            reload.reload(filter).map_err(|e| e.to_string())?;
        }
        Ok(())
    });
    Registry::default().with(layers).try_init().map_err(|e| e.to_string())
}

fn events() -> FilterFn<impl Fn(&tracing::Metadata<'_>) -> bool> {
    FilterFn::new(|metadata: &tracing::Metadata<'_>| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE)
}

/// Spans that say what events are about: they are errors by their level, so that no level of the log hides them.
fn of_spans(wanted: fn(&str) -> bool) -> FilterFn<impl Fn(&tracing::Metadata<'_>) -> bool> {
    let is_wanted = move |metadata: &tracing::Metadata<'_>| {
        metadata.is_span() && *metadata.level() == Level::ERROR && wanted(metadata.target())
    };
    FilterFn::new(is_wanted).with_max_level_hint(LevelFilter::ERROR)
}
