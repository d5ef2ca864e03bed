//! The records that make what [`Statuses`](super::Statuses) reads, byte for byte as Java's worker writes them. Nothing is a tombstone.

use serde::Serialize;

use super::{CONNECTOR, OF_CONNECTOR, StatusRecord, TASK, TOPIC, TopicStatus};
use crate::herder::State;
use crate::state::{Record, json};

/// What a connector is doing. None is written when it is gone.
#[must_use]
pub fn connector(name: &str, status: Option<&StatusRecord>) -> Vec<Record> {
    vec![(format!("{CONNECTOR}{name}"), status.map(bytes))]
}

/// What a task is doing. None is written when it is gone.
#[must_use]
pub fn task(name: &str, number: usize, status: Option<&StatusRecord>) -> Vec<Record> {
    vec![(format!("{TASK}{name}-{number}"), status.map(bytes))]
}

/// That a connector has read a topic. None is written when its topics are reset.
#[must_use]
pub fn topic(name: &str, topic: &str, status: Option<&TopicStatus>) -> Vec<Record> {
    #[derive(Serialize)]
    struct Outer<'a> {
        topic: Inner<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner<'a> {
        name: &'a str,
        connector: &'a str,
        task: i32,
        discover_timestamp: i64,
    }
    let value = status.map(|TopicStatus { task, discover_timestamp }| {
        let (task, discover_timestamp) = (*task, *discover_timestamp);
        json::bytes(&Outer { topic: Inner { name: topic, connector: name, task, discover_timestamp } })
    });
    vec![(format!("{TOPIC}{topic}{OF_CONNECTOR}{name}"), value)]
}

fn bytes(status: &StatusRecord) -> Vec<u8> {
    #[derive(Serialize)]
    struct Value<'a> {
        state: State,
        trace: Option<&'a str>,
        worker_id: &'a str,
        generation: i32,
        version: Option<&'a str>,
    }
    let StatusRecord { state, trace, worker_id, generation, version } = status;
    json::bytes(&Value {
        state: *state,
        trace: trace.as_deref(),
        worker_id,
        generation: *generation,
        version: version.as_deref(),
    })
}
