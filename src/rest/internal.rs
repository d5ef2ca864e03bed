//! Requests of other workers (`InternalClusterResource` of Kafka 4.3.1), signed unless the group cannot.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use landfall_api::Properties;

use super::RestError;
use crate::herder::Herder;
use crate::herder::signature::{ALGORITHM, Refused, SIGNATURE};

pub(super) async fn put_tasks(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, RestError> {
    verify(&herder, &headers, &body)?;
    let tasks: Vec<Properties> = serde_json::from_slice(&body).map_err(|e| {
        RestError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the body must be an array of task configurations: {e}"))
    })?;
    herder.put_tasks(&name, tasks).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// There are no source connectors to fence.
pub(super) async fn fence(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, RestError> {
    verify(&herder, &headers, &body)?;
    herder.info(&name)?;
    Err(RestError::new(StatusCode::BAD_REQUEST, format!("Connector {name} is not a source connector")))
}

fn verify(herder: &Herder, headers: &HeaderMap, body: &[u8]) -> Result<(), RestError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    herder.verify(text(SIGNATURE), text(ALGORITHM), body).map_err(|refused| match refused {
        Refused::Malformed(message) => RestError::new(StatusCode::BAD_REQUEST, message),
        Refused::NoKey => {
            let message =
                "This worker is still starting up and has not been able to read a session key from the config topic yet";
            RestError::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
        Refused::Invalid => RestError::new(StatusCode::FORBIDDEN, "Internal request contained invalid signature."),
    })
}
