//! Traces: a span for each commit, with the calls of the store in it.

use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context as Trace, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::logging::fields::{Fields, Value};

/// Makes spans of a trace of the spans that it sees. `otel.name` and `otel.kind` say what they are called and are, `error` that they failed.
pub(crate) struct Spans {
    tracer: SdkTracer,
}

/// What a span is in its trace.
struct Traced(Trace);

impl Spans {
    pub(super) const fn new(tracer: SdkTracer) -> Self {
        Self { tracer }
    }
}

/// A field as an attribute.
pub(super) fn attribute((name, value): (&'static str, Value)) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(name, text),
        Value::Integer(number) => KeyValue::new(name, number),
        Value::Float(number) => KeyValue::new(name, number),
        Value::Bool(is) => KeyValue::new(name, is),
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let name = fields.take("otel.name").unwrap_or_else(|| span.name().to_owned());
        let kind = if fields.take("otel.kind").as_deref() == Some("client") { SpanKind::Client } else { SpanKind::Internal };
        let parent = span.parent().and_then(|parent| parent.extensions().get().map(|Traced(trace)| trace.clone()));
        let parent = parent.unwrap_or_default();
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(fields.0.into_iter().map(attribute));
        let begun = self.tracer.build_with_context(builder, &parent);
        span.extensions_mut().insert(Traced(parent.with_span(begun)));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let extensions = span.extensions();
        let Some(Traced(trace)) = extensions.get() else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(error) = fields.take("error") {
            trace.span().set_status(Status::error(error));
        }
        trace.span().set_attributes(fields.0.into_iter().map(attribute));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id)
            && let Some(Traced(trace)) = span.extensions().get()
        {
            trace.span().end();
        }
    }
}
