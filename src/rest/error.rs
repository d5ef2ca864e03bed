//! Errors of requests, in Java's shape: a status and `{"error_code","message"}` (`ConnectExceptionMapper` of Kafka 4.3.1).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::herder;

/// The body of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorMessage {
    /// The status again.
    pub error_code: u16,
    /// What is wrong.
    pub message: String,
}

/// On an answer: the worker that has to be asked instead.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere(pub(super) String);

/// Why a request is not answered as it hoped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestError {
    /// The answer's status.
    pub status: StatusCode,
    /// What is wrong.
    pub message: String,
    /// Where the worker is that has to do it, as a URL with a slash at its end.
    pub forward: Option<String>,
}

impl RestError {
    /// The status `status` because of `message`.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), forward: None }
    }

    /// What Java's REST layer says by itself.
    #[must_use]
    pub fn plain(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        Self::new(status, format!("HTTP {} {reason}", status.as_u16()))
    }

    /// The same, and what Java does not say: why, or what to do.
    #[must_use]
    pub fn because(self, why: &str) -> Self {
        Self { message: format!("{}: {why}", self.message), ..self }
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let body = ErrorMessage { error_code: self.status.as_u16(), message: self.message };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(url) = self.forward {
            response.extensions_mut().insert(Elsewhere(url));
        }
        response
    }
}

impl From<herder::Error> for RestError {
    fn from(error: herder::Error) -> Self {
        let status = match &error {
            herder::Error::BadRequest(_) | herder::Error::Invalid(_) => StatusCode::BAD_REQUEST,
            herder::Error::NotFound(_) => StatusCode::NOT_FOUND,
            herder::Error::Exists(_) | herder::Error::Rebalance(_) => StatusCode::CONFLICT,
            herder::Error::Forward(to) => {
                return Self { forward: to.clone(), ..Self::new(StatusCode::CONFLICT, error.to_string()) };
            }
            herder::Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            herder::Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
