//! Traces, metrics and logs to a collector by OTLP (HTTP, protobuf), where the standard variables of OpenTelemetry name one.
//!
//! [`spans`] makes traces of the spans with the target [`landfall_api::TRACE`], [`logs`] sends what is logged, [`metrics`] what `/metrics`
//! shows. The SDK batches spans and logs and reads its variables; all goes out by the client that is in the binary anyway.

mod client;
mod logs;
mod metrics;
mod spans;

use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{LogExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use client::Client;
use logs::Logs;
pub use metrics::Sending;
use spans::Spans;

use crate::herder::Herder;

/// What our spans and logs are called the work of.
const SCOPE: &str = "landfall";

/// What is sent to a collector. Call [`end`](Self::end) at the end.
pub struct Otlp {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    /// Where metrics go.
    metrics: Option<metrics::Target>,
    resource: Resource,
    client: Client,
}
landfall_api::opaque!(Otlp);

/// A kind of what is sent: `TRACES`, `METRICS` or `LOGS`.
fn is_on(signal: &str, variable: &impl Fn(&str) -> Option<String>) -> bool {
    let named = ["OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")];
    named.iter().any(|name| variable(name).is_some()) && variable(&format!("OTEL_{signal}_EXPORTER")).as_deref() != Some("none")
}

/// A variable of the environment, unless it is empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

impl Otlp {
    /// What the environment asks for; None if it names no collector.
    ///
    /// # Errors
    /// It asks for what is not spoken here.
    pub fn of_environment() -> Result<Option<Self>, String> {
        let [traces, metrics, logs] = ["TRACES", "METRICS", "LOGS"].map(|signal| {
            let protocol = variable(&format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"));
            let protocol = protocol.or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
            is_on(signal, &variable).then(|| match protocol.as_deref() {
                None | Some("http/protobuf") => Ok(()),
                Some(other) => Err(format!("OTEL_EXPORTER_OTLP_PROTOCOL is {other}, and http/protobuf is spoken")),
            })
        });
        if variable("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true"))
            || [&traces, &metrics, &logs].iter().all(|signal| signal.is_none())
        {
            return Ok(None);
        }
        let resource = resource();
        let client = Client::new();
        let traces = traces.transpose()?.map(|()| {
            let exporter = SpanExporter::builder().with_http().with_http_client(client.clone()).build();
            let exporter = exporter.map_err(|e| format!("traces cannot be sent: {e}"))?;
            Ok::<_, String>(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.clone()).build())
        });
        let logs = logs.transpose()?.map(|()| {
            let exporter = LogExporter::builder().with_http().with_http_client(client.clone()).build();
            let exporter = exporter.map_err(|e| format!("logs cannot be sent: {e}"))?;
            Ok::<_, String>(SdkLoggerProvider::builder().with_batch_exporter(exporter).with_resource(resource.clone()).build())
        });
        let metrics = metrics.transpose()?.map(|()| metrics::Target::of(&variable)).transpose()?;
        Ok(Some(Self { traces: traces.transpose()?, logs: logs.transpose()?, metrics, resource, client }))
    }

    /// What makes traces of spans, if they are sent.
    pub(crate) fn spans(&self) -> Option<Spans> {
        Some(Spans::new(self.traces.as_ref()?.tracer(SCOPE)))
    }

    /// What takes what is logged, if it is sent.
    pub(crate) fn logs(&self) -> Option<Logs> {
        Some(Logs::new(self.logs.as_ref()?.logger(SCOPE)))
    }

    /// Sends the metrics of `herder` from now on, until what this gives is ended.
    #[must_use]
    pub fn follow(&self, herder: &Herder) -> Option<Sending> {
        let target = self.metrics.clone()?;
        Some(Sending::start(herder.clone(), target, &self.resource, self.client.clone()))
    }

    /// Sends what waits. Blocks for a moment; for longer, up to the SDK's 5 seconds, if the collector does not answer.
    pub fn end(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            tracing::warn!("not all traces were sent: {error}");
        }
        if let Some(Err(error)) = self.logs.map(|logs| logs.shutdown()) {
            tracing::warn!("not all logs were sent: {error}");
        }
    }
}

/// Who sends: what the environment says (`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`), and what we know where it does not.
fn resource() -> Resource {
    let given = Resource::builder().build();
    let has = |key: &'static str| {
        given.get(&Key::from_static_str(key)).is_some_and(|value| !value.as_str().starts_with("unknown_service"))
    };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let own = [
        ("service.name", "landfall".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", format!("{host}-{}", std::process::id())),
        ("host.name", host),
    ];
    let own = own.into_iter().filter(|(key, _)| !has(key)).map(|(key, value)| KeyValue::new(key, value));
    Resource::builder().with_attributes(own.collect::<Vec<_>>()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_on_by_its_own_endpoint_or_by_the_one_of_all() {
        let on = |variables: &[(&str, &str)]| {
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            ["TRACES", "METRICS", "LOGS"].map(|signal| is_on(signal, &variable))
        };
        assert_eq!(on(&[]), [false; 3]);
        assert_eq!(on(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), ("OTEL_LOGS_EXPORTER", "none")]), [true, true, false]);
        assert_eq!(on(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4318/v1/metrics")]), [false, true, false]);
    }
}
