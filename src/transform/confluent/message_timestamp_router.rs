//! `io.confluent.connect.transforms.MessageTimestampRouter` (1.6, by its documentation): a topic by a timestamp in the value.

use arrow_array::Array as _;
use arrow_schema::DataType;
use landfall_api::schema::is_schemaless;
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config};

use crate::transform::Part;
use crate::transform::field_path::FieldPath;
use crate::transform::header_text::header_values;
use crate::transform::require::{not_empty, structs};
use crate::transform::route::Routes;
use crate::transform::simple_date_format::SimpleDateFormat;

const PURPOSE: &str = "extract timestamp field from message";

config! {
    /// What the documentation lists.
    struct MessageTimestampRouterConfig {
        /// The name of the topic, with `${topic}` for the name that it had and `${timestamp}` for the timestamp.
        topic_format: String = "topic.format" { default: Some("${topic}-${timestamp}"), importance: High };
        /// The names of fields that may have the timestamp; the first that is there counts. The value is to be a map, without a schema.
        message_timestamp_keys: Vec<String> = "message.timestamp.keys" { required: true, importance: High };
        /// How the timestamp is written in the field: a pattern of Java's `SimpleDateFormat`. Its zone is UTC if it does not say one.
        message_timestamp_format: String = "message.timestamp.format" { default: Some("yyyy-MM-dd"), importance: High, valid: By(|pattern| SimpleDateFormat::new(pattern)?.readable()) };
        /// How it is written in the name of the topic.
        topic_timestamp_format: String = "topic.timestamp.format" { default: Some("yyyyMMdd"), importance: High, valid: By(|pattern| SimpleDateFormat::new(pattern).map(drop)) };
    }
}

/// The class.
#[derive(Debug)]
pub(in crate::transform) struct MessageTimestampRouterClass;

impl TransformClass for MessageTimestampRouterClass {
    fn class(&self) -> &'static str {
        "io.confluent.connect.transforms.MessageTimestampRouter"
    }

    fn keys(&self) -> &'static [Key] {
        MessageTimestampRouterConfig::KEYS
    }

    fn version(&self) -> &'static str {
        super::VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = MessageTimestampRouterConfig::parse(properties, &mut faults);
        not_empty("message.timestamp.keys", properties, &mut faults);
        let config = faults.or(config)?;
        let mut faults = Faults::default();
        let mut format = |key: &str, pattern: &str| SimpleDateFormat::new(pattern).map_err(|why| faults.push(key, why)).ok();
        let read = format("message.timestamp.format", &config.message_timestamp_format);
        let write = format("topic.timestamp.format", &config.topic_timestamp_format);
        let router = read.zip(write).map(|(read, write)| MessageTimestampRouter { config, read, write });
        faults.or(router).map(|router| Box::new(router) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct MessageTimestampRouter {
    config: MessageTimestampRouterConfig,
    read: SimpleDateFormat,
    write: SimpleDateFormat,
}

impl Transform for MessageTimestampRouter {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, Part::Value, PURPOSE, false, out);
        let DataType::Struct(_) = batch.value.field.data_type() else { return };
        if !is_schemaless(&batch.value.field) {
            let message = format!(
                "Only Map objects supported in absence of schema for [{PURPOSE}], found: org.apache.kafka.connect.data.Struct"
            );
            return out.reject_all(&batch, &RecordError::data(message));
        }
        let keys = self.config.message_timestamp_keys.iter();
        let found = keys.filter_map(|key| FieldPath::one(key).find(&batch.value, false).ok()?.column);
        let candidates: Vec<_> = found.map(|(field, array)| header_values(&Column { field, array })).collect();
        let format = self.config.topic_format.replace("${topic}", &batch.topic);
        let (mut routes, mut errors) = (Routes::default(), Vec::new());
        let mut last: Option<(i64, String)> = None;
        for row in 0..batch.len() {
            let text = candidates.iter().find(|texts| texts.is_valid(row)).map(|texts| String::from_utf8_lossy(texts.value(row)));
            let millis = match text.as_deref() {
                Some(text) => self.read.parse(text).ok_or_else(|| {
                    format!(
                        "Could not parse timestamp: value ({text}) does not match pattern ({})",
                        self.config.message_timestamp_format
                    )
                }),
                None => Err(format!("none of the fields {} has a timestamp", self.config.message_timestamp_keys.join(", "))),
            };
            match millis {
                Ok(millis) => {
                    let topic = match last.take() {
                        Some((before, topic)) if before == millis => topic,
                        _ => format.replace("${timestamp}", &self.write.format(millis)),
                    };
                    routes.push(&topic);
                    last = Some((millis, topic));
                }
                Err(message) => errors.push((row, RecordError::data(message))),
            }
        }
        let batch = out.reject_rows(batch, errors);
        routes.emit(batch, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{records, schemaless};

    fn apply(properties: &[(&str, &str)], batch: Batch) -> Output {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut out = Output::default();
        MessageTimestampRouterClass.build(&properties).expect("valid").apply(batch, &mut out);
        out
    }

    // The example of the documentation.
    const EXAMPLE: &[(&str, &str)] = &[
        ("topic.format", "foo-${topic}-${timestamp}"),
        ("message.timestamp.format", "yyyy-MM-dd"),
        ("topic.timestamp.format", "yyyy.MM.dd"),
        ("message.timestamp.keys", "timestamp,time,ts"),
    ];

    #[test]
    fn the_first_field_that_is_there_says_the_topic() {
        let values = [
            Some(r#"{"time":"2019-08-06"}"#),
            Some(r#"{"ts":"2019-08-07","time":"2019-08-06"}"#),
            Some(r#"{"timestamp":null,"ts":"2019-08-07"}"#),
            Some(r#"{"ts":"soon"}"#),
            Some("{}"),
            None,
        ];
        let out = apply(EXAMPLE, schemaless(&values));
        let shape: Vec<_> = out.batches.iter().map(|b| (&*b.topic, b.offset.values().to_vec())).collect();
        assert_eq!(shape, [("foo-t-2019.08.06", vec![0, 1]), ("foo-t-2019.08.07", vec![2])]);
        assert_eq!(out.rejected.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [5, 3, 4]);
    }

    #[test]
    fn a_struct_is_refused() {
        let record = r#"{"schema":{"type":"struct","fields":[{"field":"ts","type":"string"}]},"payload":{"ts":"2019-08-06"}}"#;
        let out = apply(EXAMPLE, records(&[(None, Some(record))], true).swap_remove(0));
        assert!(out.rejected[0].1.message.ends_with("found: org.apache.kafka.connect.data.Struct"));
        let properties = Properties::from([("message.timestamp.keys".into(), String::new())]);
        assert!(MessageTimestampRouterClass.build(&properties).is_err());
    }
}
