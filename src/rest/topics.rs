//! `/connectors/{name}/topics` (`ConnectorsResource` of Kafka 4.3.1).

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use super::{Answer, RestError};
use crate::herder::Herder;

/// `ActiveTopicsInfo`.
#[derive(Debug, Serialize)]
pub(super) struct ActiveTopicsInfo {
    topics: Vec<String>,
}

pub(super) async fn get(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<BTreeMap<String, ActiveTopicsInfo>> {
    enabled(herder.keys().topic_tracking_enable, "Topic tracking is disabled.")?;
    let topics = herder.active_topics(&name);
    Ok(Json(BTreeMap::from([(name, ActiveTopicsInfo { topics })])))
}

pub(super) async fn reset(State(herder): State<Herder>, Path(name): Path<String>) -> Result<StatusCode, RestError> {
    enabled(herder.keys().topic_tracking_enable, "Topic tracking is disabled.")?;
    enabled(herder.keys().topic_tracking_allow_reset, "Topic tracking reset is disabled.")?;
    herder.reset_topics(&name);
    Ok(StatusCode::ACCEPTED)
}

fn enabled(enabled: bool, otherwise: &str) -> Result<(), RestError> {
    if enabled { Ok(()) } else { Err(RestError::new(StatusCode::FORBIDDEN, otherwise)) }
}
