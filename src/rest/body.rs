//! Bodies of requests: whole, within a size, and without long pauses.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;

use super::RestError;
use super::guard::is_internal;
use crate::config::AccessKeys;

/// The longest body of a request that a worker makes of another, in bytes: the configurations of a connector's tasks.
const OF_WORKERS: usize = 16 << 20;

/// The body of a request, for those that look at it before its handler does.
#[derive(Clone)]
pub(super) struct Collected(pub(super) Bytes);

/// How long a body may be, and how long it may pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    bytes: usize,
    pause: Duration,
}

impl Limits {
    pub(super) fn of(keys: &AccessKeys) -> Self {
        Self {
            bytes: usize::try_from(keys.max_body_bytes).unwrap_or(usize::MAX),
            pause: Duration::from_millis(u64::try_from(keys.slow_client_ms).unwrap_or(u64::MAX)),
        }
    }
}

/// Reads the body of a request before anything looks at it.
pub(super) async fn collect(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let most = if is_internal(&parts.method, parts.uri.path()) { limits.bytes.max(OF_WORKERS) } else { limits.bytes };
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let read = match announced {
        Some(length) if length > most as u64 => Err(StatusCode::PAYLOAD_TOO_LARGE),
        _ => whole(body, most, limits.pause).await,
    };
    match read {
        Ok(bytes) => {
            parts.extensions.insert(Collected(bytes.clone()));
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        Err(status) => {
            let mut response = RestError::plain(status).into_response();
            // What is left of the body is not waited for.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

async fn whole(body: Body, most: usize, pause: Duration) -> Result<Bytes, StatusCode> {
    let mut parts = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        match tokio::time::timeout(pause, parts.next()).await {
            Ok(None) => return Ok(whole.into()),
            Ok(Some(Ok(part))) if whole.len() + part.len() > most => return Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Some(Ok(part))) => whole.extend_from_slice(&part),
            Ok(Some(Err(_))) => return Err(StatusCode::BAD_REQUEST),
            Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_within_its_limits() {
        let part = |part: &'static str| Ok::<_, std::io::Error>(Bytes::from_static(part.as_bytes()));
        let long = Duration::from_secs(60);
        let body = || Body::from_stream(stream::iter([part("ab"), part("c")]));
        assert_eq!(whole(body(), 3, long).await, Ok(Bytes::from_static(b"abc")));
        assert_eq!(whole(body(), 2, long).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        let silent = Body::from_stream(stream::iter([part("ab")]).chain(stream::pending()));
        assert_eq!(whole(silent, 3, Duration::from_millis(20)).await, Err(StatusCode::REQUEST_TIMEOUT));
    }
}
