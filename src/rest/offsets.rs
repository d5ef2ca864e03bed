//! `/connectors/{name}/offsets` (`ConnectorsResource` of Kafka 4.3.1).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::model::{cannot, internal, json, null};
use super::{Answer, RestError};
use crate::herder::Herder;
use crate::herder::offsets::Asked;

/// `ConnectorOffsets`.
#[derive(Debug, Serialize)]
pub(super) struct ConnectorOffsets {
    offsets: Vec<ConnectorOffset>,
}

/// `ConnectorOffset` of a sink.
#[derive(Debug, Serialize)]
struct ConnectorOffset {
    partition: KafkaPartition,
    offset: KafkaOffset,
}

#[derive(Debug, Serialize)]
struct KafkaPartition {
    kafka_partition: i32,
    kafka_topic: String,
}

#[derive(Debug, Serialize)]
struct KafkaOffset {
    kafka_offset: i64,
}

/// `Message`.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    message: String,
}

pub(super) async fn get(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<ConnectorOffsets> {
    let offsets = herder.offsets(&name).await?;
    let offset = |(tp, kafka_offset): (landfall_api::TopicPartition, _)| ConnectorOffset {
        partition: KafkaPartition { kafka_partition: tp.partition, kafka_topic: tp.topic.to_string() },
        offset: KafkaOffset { kafka_offset },
    };
    Ok(Json(ConnectorOffsets { offsets: offsets.into_iter().map(offset).collect() }))
}

pub(super) async fn alter(State(herder): State<Herder>, Path(name): Path<String>, body: Bytes) -> Answer<Message> {
    let asked = parse(&body)?;
    if asked.is_empty() {
        let text = "Partitions / offsets need to be provided for an alter offsets request";
        return Err(RestError::new(StatusCode::BAD_REQUEST, text));
    }
    Ok(Json(Message { message: herder.alter_offsets(&name, asked).await? }))
}

pub(super) async fn reset(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<Message> {
    Ok(Json(Message { message: herder.reset_offsets(&name).await? }))
}

const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";

/// Reads the body of a request; refuses what Java refuses, in its words as far as they are about the request.
fn parse(body: &[u8]) -> Result<Vec<Asked>, RestError> {
    let mut fields = match json(body)? {
        Value::Object(fields) => fields,
        Value::Null => return Err(null(&format!("{OFFSETS}.offsets()"), "offsets")),
        other => return Err(cannot(OFFSETS, &other)),
    };
    let offsets = fields.remove("offsets").unwrap_or_default();
    if let Some(unknown) = fields.keys().next() {
        return Err(unrecognized(unknown, OFFSETS, "one known property: \"offsets\""));
    }
    let offsets = match offsets {
        Value::Null => Vec::new(),
        Value::Array(offsets) => offsets,
        other => return Err(cannot(&format!("java.util.ArrayList<{OFFSET}>"), &other)),
    };
    offsets.into_iter().map(offset).collect()
}

fn offset(value: Value) -> Result<Asked, RestError> {
    let mut fields = match value {
        Value::Object(fields) => fields,
        other => return Err(cannot(OFFSET, &other)),
    };
    let (partition, offset) = (map(fields.remove("partition"))?, map(fields.remove("offset"))?);
    match fields.keys().next() {
        Some(unknown) => Err(unrecognized(unknown, OFFSET, "2 known properties: \"partition\", \"offset\"")),
        None => Ok(Asked { partition, offset }),
    }
}

fn map(value: Option<Value>) -> Result<Option<Map<String, Value>>, RestError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(other) => Err(cannot("java.util.LinkedHashMap<java.lang.String,java.lang.Object>", &other)),
    }
}

fn unrecognized(field: &str, class: &str, known: &str) -> RestError {
    internal(format!("Unrecognized field \"{field}\" (class {class}), not marked as ignorable ({known})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_partitions_and_offsets_or_is_refused() {
        let one = parse(br#"{"offsets": [{"partition": {"a": 1}, "offset": null}]}"#).expect("an offset");
        assert_eq!((one.len(), one[0].partition.as_ref().map(Map::len), &one[0].offset), (1, Some(1), &None));
        for none in ["{}", r#"{"offsets": null}"#, r#"{"offsets": []}"#] {
            assert_eq!(parse(none.as_bytes()), Ok(Vec::new()), "{none}");
        }
        for (body, expected) in [
            (
                "",
                "Cannot invoke \"org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets.offsets()\" because \"offsets\" is null",
            ),
            ("null", "Cannot invoke"),
            (
                "[]",
                "Cannot deserialize value of type `org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets` from Array value",
            ),
            (r#"{"offsets": "x"}"#, "Cannot deserialize value of type `java.util.ArrayList<org.apache.kafka.connect."),
            (
                r#"{"offsets": [], "x": 1}"#,
                "Unrecognized field \"x\" (class org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets)",
            ),
            (
                r#"{"offsets": [{"x": 1}]}"#,
                "Unrecognized field \"x\" (class org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset)",
            ),
            (
                r#"{"offsets": [{"partition": []}]}"#,
                "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.Object>`",
            ),
        ] {
            let error = parse(body.as_bytes()).expect_err(body);
            assert!(error.status == StatusCode::INTERNAL_SERVER_ERROR && error.message.starts_with(expected), "{error:?}");
        }
    }
}
