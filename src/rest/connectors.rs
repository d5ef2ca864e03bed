//! `/connectors` (`ConnectorsResource` of Kafka 4.3.1), but for tasks.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use landfall_api::Properties;
use serde_json::{Map, Value};

use super::listen::Connection;
use super::model::{self, ConnectorInfo, ConnectorStateInfo, CreateConnectorRequest};
use super::{Answer, QueryPairs, RestError, flag};
use crate::config::Scheme;
use crate::herder::connector_config::Submitted;
use crate::herder::peers::encoded;
use crate::herder::{Herder, Info, Restart, TargetState};

pub(super) async fn list(State(herder): State<Herder>, Query(query): Query<QueryPairs>) -> Result<Response, RestError> {
    let expands: Vec<&str> = query.iter().filter(|(key, _)| key == "expand").map(|(_, value)| value.as_str()).collect();
    if expands.is_empty() {
        return Ok(Json(herder.names()).into_response());
    }
    let mut all = Map::new();
    for name in herder.names() {
        let mut expanded = Map::new();
        for expand in &expands {
            // A connector that is deleted meanwhile is left out.
            let value = match *expand {
                "status" => herder.status(&name).map(|s| to_value(ConnectorStateInfo::from(s))),
                "info" => herder.info(&name).map(|info| to_value(ConnectorInfo::from(info))),
                _ => continue,
            };
            if let Ok(value) = value {
                expanded.insert((*expand).to_owned(), value?);
            }
        }
        all.insert(name, Value::Object(expanded));
    }
    Ok(Json(all).into_response())
}

fn to_value(body: impl serde::Serialize) -> Result<Value, RestError> {
    serde_json::to_value(body).map_err(|e| RestError::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))
}

pub(super) async fn create(
    State(herder): State<Herder>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, RestError> {
    let CreateConnectorRequest { name, mut config, initial_state } = CreateConnectorRequest::parse(&body)?;
    put_name(&name, &mut config)?;
    let info = herder.create(&name, config, initial_state, true).await?;
    Ok(created(connection, &headers, info))
}

/// A configuration says its name; if it says it already, it must be this.
fn put_name(name: &str, config: &mut Submitted) -> Result<(), RestError> {
    match config.entry("name".into()).or_insert_with(|| Some(name.to_owned())) {
        Some(other) if other != name => {
            let message = format!("Connector name configuration ({other}) doesn't match connector name in the URL ({name})");
            Err(RestError::new(StatusCode::BAD_REQUEST, message))
        }
        _ => Ok(()),
    }
}

/// This worker's URL as the client of a request knows it, without a slash at its end.
pub(super) fn base_of(connection: Option<&Connection>, headers: &HeaderMap) -> String {
    let scheme = connection.map_or(Scheme::Http, |connection| connection.scheme).name();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.map(|host| format!("{scheme}://{host}")).unwrap_or_default()
}

fn created(connection: Option<Extension<Connection>>, headers: &HeaderMap, info: Info) -> Response {
    let base = base_of(connection.as_deref(), headers);
    let location = format!("{base}/connectors/{}", encoded(&info.name));
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(ConnectorInfo::from(info))).into_response()
}

pub(super) async fn get(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<ConnectorInfo> {
    Ok(Json(herder.info(&name)?.into()))
}

pub(super) async fn delete(State(herder): State<Herder>, Path(name): Path<String>) -> Result<StatusCode, RestError> {
    herder.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn get_config(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<Properties> {
    Ok(Json(herder.info(&name)?.config))
}

pub(super) async fn put_config(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, RestError> {
    let mut config = model::config(&body)?.ok_or_else(|| model::null("java.util.Map.get(Object)", "connectorConfig"))?;
    let name = if name.trim().is_empty() { "" } else { &name };
    put_name(name, &mut config)?;
    match herder.put(name, config).await? {
        (true, info) => Ok(created(connection, &headers, info)),
        (false, info) => Ok(Json(ConnectorInfo::from(info)).into_response()),
    }
}

pub(super) async fn patch_config(State(herder): State<Herder>, Path(name): Path<String>, body: Bytes) -> Answer<ConnectorInfo> {
    let patch = model::config(&body)?;
    herder.info(&name)?;
    let mut patch = patch.ok_or_else(|| model::null("java.util.Map.forEach(java.util.function.BiConsumer)", "patch"))?;
    if patch.get("name").is_some_and(Option::is_some) {
        put_name(&name, &mut patch)?;
    }
    Ok(Json(herder.patch(&name, patch).await?.into()))
}

pub(super) async fn status(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<ConnectorStateInfo> {
    Ok(Json(herder.status(&name)?.into()))
}

pub(super) async fn pause(State(herder): State<Herder>, Path(name): Path<String>) -> Result<StatusCode, RestError> {
    herder.set_target(&name, TargetState::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn resume(State(herder): State<Herder>, Path(name): Path<String>) -> Result<StatusCode, RestError> {
    herder.set_target(&name, TargetState::Started).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn stop(State(herder): State<Herder>, Path(name): Path<String>) -> Result<StatusCode, RestError> {
    herder.set_target(&name, TargetState::Stopped).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn restart(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    Query(query): Query<QueryPairs>,
) -> Result<Response, RestError> {
    let restart = Restart { include_tasks: flag(&query, "includeTasks"), only_failed: flag(&query, "onlyFailed") };
    let plan = herder.restart(&name, restart).await?;
    if restart == Restart::default() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(ConnectorStateInfo::from(plan))).into_response())
}
