//! `landfall estimate`: what a load takes, before it runs: files, storage calls, workers and, with prices, money.
//!
//! - [`measured`] has the figures that it rests on,
//! - [`model`] computes,
//! - [`text`] says it to people.

mod measured;
mod model;
mod text;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

use super::Outcome;
use model::{Plan, Prices, cost};

/// The load, the store, the workers and the prices.
#[derive(Debug, Args)]
pub struct Options {
    /// Print JSON.
    #[arg(long)]
    json: bool,

    /// Records a second, of all partitions together.
    #[arg(long, value_name = "RECORDS", value_parser = positive, help_heading = "Load")]
    rate: f64,
    /// What the values are, which says what a record costs.
    #[arg(long, value_enum, default_value_t = Format::Json, help_heading = "Load")]
    format: Format,
    /// Bytes of a record's value, uncompressed. Default: those of the format's measurement.
    #[arg(long, value_name = "BYTES", value_parser = positive, help_heading = "Load")]
    record_bytes: Option<f64>,
    /// Partitions, of all topics together.
    #[arg(long, value_name = "N", value_parser = whole, help_heading = "Load")]
    partitions: f64,

    /// Files that each partition has open at once: the folders that its records go to meanwhile.
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole, help_heading = "Files")]
    folders: f64,
    /// Seconds that a file is open (`landfall.rotate.open.ms`), at most 259200.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds_open, help_heading = "Files")]
    rotate: f64,
    /// Rows of a file (`flush.size`).
    #[arg(long, value_name = "ROWS", value_parser = whole, help_heading = "Files")]
    flush_size: Option<f64>,
    /// Bytes of a file (`landfall.rotate.size.bytes`).
    #[arg(long, value_name = "BYTES", default_value = "134217728", value_parser = whole, help_heading = "Files")]
    size: f64,
    /// Bytes of a file for each byte of the values in it. Default: measured with the benchmark's records and zstd; yours are others.
    #[arg(long, value_name = "RATIO", value_parser = positive, help_heading = "Files")]
    landed_ratio: Option<f64>,
    /// Days that files are kept.
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = positive, help_heading = "Files")]
    retention_days: f64,

    /// How many times the load there is to be room for: after an outage, or when a pod is gone.
    #[arg(long, value_name = "TIMES", default_value = "2", value_parser = positive, help_heading = "Workers")]
    headroom: f64,
    /// The most vCPUs of a pod.
    #[arg(long, value_name = "N", default_value = "4", value_parser = positive, help_heading = "Workers")]
    pod_vcpus: f64,
    /// The most GiB of a pod.
    #[arg(long, value_name = "GIB", default_value = "8", value_parser = positive, help_heading = "Workers")]
    pod_memory: f64,
    /// Pods. Default: as many as the vCPUs and the memory take, and two at least.
    #[arg(long, value_name = "N", value_parser = whole, help_heading = "Workers")]
    pods: Option<f64>,
    /// Tasks (`tasks.max`). Default: one for each vCPU that is needed, and for each pod.
    #[arg(long, value_name = "N", value_parser = whole, help_heading = "Workers")]
    tasks: Option<f64>,

    /// Requests a second that the storage account takes. Azure's default for general-purpose v2 is 20,000, in many regions 40,000.
    #[arg(long, value_name = "N", default_value = "20000", value_parser = positive, help_heading = "Store")]
    account_requests: f64,
    /// Gigabits a second that the storage account takes in. Azure's default for general-purpose v2 is 25, in many regions 60.
    #[arg(long, value_name = "N", default_value = "25", value_parser = positive, help_heading = "Store")]
    account_gbps: f64,
    /// Milliseconds that a storage call with a block of 4 MiB takes. The default is an assumption: measure yours.
    #[arg(long, value_name = "MS", default_value = "100", value_parser = positive, help_heading = "Store")]
    call_ms: f64,

    /// Price of 10,000 calls that write. Prices have no defaults: take them from your region's price list, in any currency.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = "Prices")]
    price_write: Option<f64>,
    /// Price of 10,000 calls that read.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = "Prices")]
    price_read: Option<f64>,
    /// Price of a GB that is kept for a month.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = "Prices")]
    price_gb_month: Option<f64>,
    /// Price of a vCPU for an hour.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = "Prices")]
    price_vcpu_hour: Option<f64>,
    /// Price of a GiB of memory for an hour.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = "Prices")]
    price_gib_hour: Option<f64>,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON without schema.
    Json,
    /// JSON with Connect's schema envelope.
    Env,
    /// Avro of a registry.
    Avro,
    /// Protobuf of a registry.
    Protobuf,
}

/// Estimates.
pub(super) fn run(options: &Options) -> Outcome {
    let plan = options.plan();
    let estimate = plan.estimate();
    Outcome::of(options.json, text::of(&plan, &estimate), &json!({ "plan": plan, "estimate": estimate }))
}

impl Options {
    fn plan(&self) -> Plan {
        let measured = cost(self.format);
        Plan {
            format: self.format,
            rate: self.rate,
            record_bytes: self.record_bytes.unwrap_or(measured.record_bytes),
            partitions: self.partitions,
            folders: self.folders,
            rotate: self.rotate,
            flush_size: self.flush_size,
            size: self.size,
            landed_ratio: self.landed_ratio.unwrap_or(measured.parquet_ratio),
            headroom: self.headroom,
            most_vcpus: self.pod_vcpus,
            most_gib: self.pod_memory,
            pods: self.pods,
            tasks: self.tasks,
            account_requests: self.account_requests,
            account_gbps: self.account_gbps,
            call_seconds: self.call_ms / 1000.0,
            retention_days: self.retention_days,
            prices: Prices {
                write: self.price_write,
                read: self.price_read,
                gb_month: self.price_gb_month,
                vcpu_hour: self.price_vcpu_hour,
                gib_hour: self.price_gib_hour,
            },
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err("not a number".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("it has to be more than 0".into()) })
}

fn price(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number >= 0.0 { Ok(number) } else { Err("it cannot be less than 0".into()) })
}

fn whole(text: &str) -> Result<f64, String> {
    positive(text).and_then(|number| if number.fract() == 0.0 { Ok(number) } else { Err("not a whole number".into()) })
}

fn seconds_open(text: &str) -> Result<f64, String> {
    let longest = landfall_lake::roll::LONGEST_OPEN.as_secs_f64();
    positive(text)
        .and_then(|open| if open <= longest { Ok(open) } else { Err(format!("no file stays open for more than {longest}")) })
}

#[cfg(test)]
mod tests;
