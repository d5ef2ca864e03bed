//! `org.apache.kafka.connect.transforms.TimestampRouter` (4.3.1): a topic by the record's timestamp.

use arrow_array::Array as _;
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::route::Routes;
use super::simple_date_format::SimpleDateFormat;

config! {
    /// What `TimestampRouter.CONFIG_DEF` declares.
    struct TimestampRouterConfig {
        /// The name of the topic, with `${topic}` for the name that it had and `${timestamp}` for the record's timestamp.
        topic_format: String = "topic.format" { default: Some("${topic}-${timestamp}"), importance: High, width: Width::None, display: "topic.format" };
        /// How the timestamp is written, in UTC: a pattern of Java's `SimpleDateFormat`.
        timestamp_format: String = "timestamp.format" { default: Some("yyyyMMdd"), importance: High, width: Width::None, display: "timestamp.format", valid: By(|pattern| SimpleDateFormat::new(pattern).map(drop)) };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct TimestampRouterClass;

impl TransformClass for TimestampRouterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.TimestampRouter"
    }

    fn keys(&self) -> &'static [Key] {
        TimestampRouterConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = TimestampRouterConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        let mut faults = Faults::default();
        let format = SimpleDateFormat::new(&config.timestamp_format).map_err(|why| faults.push("timestamp.format", why)).ok();
        let router = format.map(|format| TimestampRouter { topic: config.topic_format, format });
        faults.or(router).map(|router| Box::new(router) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct TimestampRouter {
    topic: String,
    format: SimpleDateFormat,
}

impl Transform for TimestampRouter {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let missing = |row| {
            let message = format!("Timestamp missing on record: {}, offset {}", batch.origin, batch.offset.value(row));
            (row, RecordError::data(message))
        };
        let errors = (0..batch.len()).filter(|&row| batch.timestamp.is_null(row)).map(missing).collect();
        let batch = out.reject_rows(batch, errors);
        let (format, period) = (self.topic.replace("${topic}", &batch.topic), self.format.period());
        let (mut routes, mut last) = (Routes::default(), None);
        for &millis in batch.timestamp.values() {
            let begin = millis.div_euclid(period);
            let topic = match last.take() {
                Some((before, topic)) if before == begin => topic,
                _ => format.replace("${timestamp}", &self.format.format(millis)),
            };
            routes.push(&topic);
            last = Some((begin, topic));
        }
        routes.emit(batch, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;
    use arrow_array::TimestampMillisecondArray;

    fn apply(properties: &[(&str, &str)], timestamps: &[Option<i64>]) -> Output {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let batch = schemaless(&vec![Some("1"); timestamps.len()]);
        let batch = Batch { timestamp: TimestampMillisecondArray::from(timestamps.to_vec()), ..batch };
        let mut out = Output::default();
        TimestampRouterClass.build(&properties).expect("valid").apply(batch, &mut out);
        out
    }

    #[test]
    fn rows_go_where_their_timestamps_say() {
        let day = 86_400_000;
        let out = apply(&[], &[Some(0), Some(day), Some(day + 5), None, Some(day - 1)]);
        let shape: Vec<_> = out.batches.iter().map(|b| (&*b.topic, b.offset.values().to_vec())).collect();
        assert_eq!(shape, [("t-19700101", vec![0, 4]), ("t-19700102", vec![1, 2])]);
        assert_eq!(out.rejected, [(3, RecordError::data("Timestamp missing on record: t-0, offset 3"))]);
        let out = apply(&[("topic.format", "x-${timestamp}"), ("timestamp.format", "HH:mm")], &[Some(60_000), Some(119_999)]);
        assert_eq!((out.batches.len(), &*out.batches[0].topic), (1, "x-00:01"));
    }

    #[test]
    fn a_pattern_that_java_does_not_know_is_refused() {
        let properties = Properties::from([("timestamp.format".into(), "yyyy-jj".into())]);
        let faults = TimestampRouterClass.build(&properties).expect_err("refused");
        assert_eq!(faults.to_string(), "Invalid value yyyy-jj for configuration timestamp.format: Illegal pattern character 'j'");
    }
}
