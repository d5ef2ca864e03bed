//! What is logged, sent to a collector.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry_sdk::logs::SdkLogger;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::logging::fields::{Value, gathered};

/// Sends events, with the fields of the spans around them. What the way to the collector itself logs stays here.
pub(crate) struct Logs {
    logger: SdkLogger,
}

impl Logs {
    pub(super) const fn new(logger: SdkLogger) -> Self {
        Self { logger }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Logs {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if ["landfall::otlp", "opentelemetry"].iter().any(|own| metadata.target().starts_with(own)) {
            return;
        }
        let (message, fields) = gathered(event, &context);
        let mut record = self.logger.create_log_record();
        let now = SystemTime::now();
        record.set_timestamp(now);
        record.set_observed_timestamp(now);
        record.set_severity_number(severity(*metadata.level()));
        record.set_severity_text(metadata.level().as_str());
        record.set_target(metadata.target());
        record.set_body(AnyValue::from(message));
        for (name, value) in fields.0 {
            record.add_attribute(
                name,
                match value {
                    Value::Text(text) => AnyValue::from(text),
                    Value::Integer(number) => AnyValue::from(number),
                    Value::Float(number) => AnyValue::from(number),
                    Value::Bool(is) => AnyValue::from(is),
                },
            );
        }
        self.logger.emit(record);
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        Level::TRACE => Severity::Trace,
    }
}
