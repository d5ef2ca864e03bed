//! What `/metrics` shows, sent to a collector now and then.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use opentelemetry_http::{HttpClient, Request};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use percent_encoding::percent_decode_str;
use prost::Message as _;

use super::client::Client;
use crate::herder::Herder;
use crate::metrics::{Family, Kind, Value, collect};

/// The time between two sends unless `OTEL_METRIC_EXPORT_INTERVAL` says it.
const INTERVAL: Duration = Duration::from_secs(60);

/// Where metrics go.
#[derive(Clone)]
pub(super) struct Target {
    url: String,
    headers: Vec<(String, String)>,
    interval: Duration,
}

impl Target {
    /// What the variables say.
    pub(super) fn of(variable: &impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let own = variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
        let all = || variable("OTEL_EXPORTER_OTLP_ENDPOINT").map(|all| format!("{}/v1/metrics", all.trim_end_matches('/')));
        let url = own.or_else(all).ok_or("no endpoint for metrics")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("the endpoint of metrics is no URL with http or https".into());
        }
        let headers = variable("OTEL_EXPORTER_OTLP_METRICS_HEADERS").or_else(|| variable("OTEL_EXPORTER_OTLP_HEADERS"));
        let header = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
            Some((name.trim().to_owned(), value))
        };
        let headers = headers.unwrap_or_default().split(',').filter_map(header).collect();
        let interval = variable("OTEL_METRIC_EXPORT_INTERVAL").and_then(|ms| ms.parse().ok()).filter(|ms| *ms > 0);
        Ok(Self { url, headers, interval: interval.map_or(INTERVAL, Duration::from_millis) })
    }
}

/// Metrics that are being sent.
#[derive(Debug)]
pub struct Sending {
    /// Dropped, it is the end.
    end: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Sending {
    pub(super) fn start(herder: Herder, target: Target, resource: &opentelemetry_sdk::Resource, client: Client) -> Self {
        let (end, ended) = mpsc::channel();
        let (resource, begun) = (ResourceAttributesWithSchema::from(resource).attributes.0, SystemTime::now());
        let send = move || {
            loop {
                let last = ended.recv_timeout(target.interval) != Err(mpsc::RecvTimeoutError::Timeout);
                let body = request(&collect(&herder), &resource, begun, SystemTime::now()).encode_to_vec();
                let mut post = Request::post(&target.url).header("content-type", "application/x-protobuf");
                for (name, value) in &target.headers {
                    post = post.header(name, value);
                }
                match post.body(body.into()) {
                    // The client says what is wrong.
                    Ok(post) => drop(futures::executor::block_on(client.send_bytes(post))),
                    Err(_) => tracing::warn!("the headers or the endpoint of metrics cannot be sent: they are off"),
                }
                if last {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("otlp-metrics".into()).spawn(send);
        let thread = thread.inspect_err(|error| tracing::warn!("no thread to send metrics: {error}")).ok();
        Self { end, thread }
    }

    /// Sends them once more. Blocks.
    pub fn end(self) {
        drop(self.end);
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

fn request(families: &[Family], resource: &[KeyValue], begun: SystemTime, now: SystemTime) -> ExportMetricsServiceRequest {
    let [begun, now] = [begun, now].map(|at| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(0)
    });
    let resource = Resource { attributes: resource.to_vec(), ..Resource::default() };
    let scope = InstrumentationScope {
        name: super::SCOPE.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let metrics = families.iter().map(|family| metric(family, begun, now)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn metric(Family { name, metric: of, series }: &Family, begun: u64, now: u64) -> Metric {
    let attributes = |labels: &[String]| {
        let pairs = of.labels.iter().zip(labels);
        let attribute = |(name, value): (&&str, &String)| KeyValue {
            key: (*name).to_owned(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.clone())) }),
            ..KeyValue::default()
        };
        pairs.map(attribute).collect::<Vec<_>>()
    };
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = if of.kind == Kind::Histogram {
        let point = |labels: &[String], counts: &[u64], sum: f64| HistogramDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: begun,
            time_unix_nano: now,
            count: counts.iter().sum(),
            sum: Some(sum),
            bucket_counts: counts.to_vec(),
            explicit_bounds: landfall_api::metrics::Histogram::BOUNDS.to_vec(),
            ..HistogramDataPoint::default()
        };
        let points = series.iter().filter_map(|series| match &series.value {
            Value::Histogram(counts, sum) => Some(point(&series.labels, counts, *sum)),
            Value::Number(_) => None,
        });
        metric::Data::Histogram(Histogram { data_points: points.collect(), aggregation_temporality: cumulative })
    } else {
        let is_sum = of.kind == Kind::Counter;
        let point = |labels: &[String], value: f64| NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: if is_sum { begun } else { 0 },
            time_unix_nano: now,
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let points = series.iter().filter_map(|series| match series.value {
            Value::Number(value) => Some(point(&series.labels, value)),
            Value::Histogram(..) => None,
        });
        let data_points = points.collect();
        if is_sum {
            metric::Data::Sum(Sum { data_points, aggregation_temporality: cumulative, is_monotonic: true })
        } else {
            metric::Data::Gauge(Gauge { data_points })
        }
    };
    Metric { name: name.clone(), description: of.help.into(), unit: of.unit.into(), data: Some(data), ..Metric::default() }
}
