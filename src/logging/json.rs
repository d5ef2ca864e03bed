//! The log as JSON, a line for each event.

use std::io::Write;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::{self, gathered};

/// Writes lines to what the function makes.
pub(super) struct Json<F>(F);

impl<F> Json<F> {
    pub(super) const fn new(writer: F) -> Self {
        Self(writer)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, W: Write, F: Fn() -> W + Send + Sync + 'static> Layer<S> for Json<F> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = line(event, &context, SystemTime::now());
        line.push('\n');
        // One write for a line, so that those of threads do not mix. Who cannot be told does not hear of it.
        let _ = (self.0)().write_all(line.as_bytes());
    }
}

fn line<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>, now: SystemTime) -> String {
    let (message, fields) = gathered(event, context);
    let metadata = event.metadata();
    let mut line = Map::new();
    line.insert("timestamp".into(), timestamp(now).into());
    line.insert("level".into(), metadata.level().as_str().into());
    line.insert("logger".into(), metadata.target().into());
    line.insert("thread".into(), std::thread::current().name().unwrap_or_default().into());
    line.insert("message".into(), message.into());
    for (name, value) in fields.0 {
        let value = match value {
            fields::Value::Text(text) => text.into(),
            fields::Value::Integer(number) => number.into(),
            fields::Value::Float(number) => json!(number),
            fields::Value::Bool(is) => is.into(),
        };
        // What every line has is not hidden by a field of the same name.
        let name = if line.contains_key(name) { format!("field.{name}") } else { name.to_owned() };
        line.insert(name, value);
    }
    Value::Object(line).to_string()
}

/// As RFC 3339 has it, in UTC, with milliseconds.
fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Howard Hinnant's civil_from_days, for days after 1970.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::super::fields::Keep;
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_has_the_fields_of_the_spans_around_it() {
        let lines = Lines::default();
        let of_layer = lines.clone();
        let subscriber = Registry::default().with(Keep).with(Json::new(move || of_layer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let _task = tracing::error_span!("task", connector = "a\"b", task = 3usize).entered();
            let span = tracing::error_span!("commit", partition = 1, error = tracing::field::Empty);
            span.record("error", "gone");
            let _commit = span.entered();
            tracing::warn!(task = 4, level = 2.5, done = true, "line\n{}", 7);
        });
        let text = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        for (field, expected) in [
            ("level", json!("WARN")),
            ("message", json!("line\n7")),
            ("connector", json!("a\"b")),
            ("task", json!(4)),
            ("partition", json!(1)),
            ("error", json!("gone")),
            ("field.level", json!(2.5)),
            ("done", json!(true)),
            ("logger", json!("landfall::logging::json::tests")),
        ] {
            assert_eq!(line[field], expected, "{field}: {text}");
        }
    }

    #[test]
    fn times_are_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_827_696, "2000-02-29T12:34:56.007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.007Z"),
        ] {
            assert_eq!(timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7)), text);
        }
    }
}
