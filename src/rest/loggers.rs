//! `/admin/loggers` (`LoggingResource` of Kafka 4.3.1).

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{Answer, QueryPairs, RestError, model};
use crate::herder::Herder;
use crate::log_levels::{Level, Logger};

pub(super) async fn list(State(herder): State<Herder>) -> Json<BTreeMap<String, Logger>> {
    Json(herder.loggers().all())
}

pub(super) async fn get(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<Logger> {
    let logger = herder.loggers().get(&name);
    logger.map(Json).ok_or_else(|| RestError::new(StatusCode::NOT_FOUND, format!("Logger {name} not found.")))
}

pub(super) async fn set(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    Query(query): Query<QueryPairs>,
    body: Bytes,
) -> Result<Response, RestError> {
    let mut asked = model::config(&body)?.ok_or_else(|| model::null("java.util.Map.get(Object)", "levelMap"))?;
    let Some(text) = asked.remove("level").flatten() else {
        return Err(RestError::new(StatusCode::BAD_REQUEST, "Desired 'level' parameter was not specified in request."));
    };
    if text.is_empty() {
        return Err(model::internal("Illegal null or empty Level name."));
    }
    let level = Level::named(&text);
    let level = level.ok_or_else(|| RestError::new(StatusCode::NOT_FOUND, format!("invalid log level '{text}'.")))?;
    let scope = query.iter().find(|(key, _)| key == "scope").map_or("worker", |(_, scope)| scope.as_str());
    if scope.eq_ignore_ascii_case("cluster") {
        herder.set_cluster_logger(&name, level).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if !scope.eq_ignore_ascii_case("worker") {
        tracing::warn!(
            "a level is to be set in the scope {scope:?}, which is neither worker nor cluster, and is taken for worker"
        );
    }
    Ok(Json(herder.loggers().set(&name, level).map_err(model::internal)?).into_response())
}
