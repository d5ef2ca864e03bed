//! How long requests may take (`RestServer` and `HerderRequestHandler` of Kafka 4.3.1).

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::RestError;

/// How long a request may take.
pub(super) const REQUEST: Duration = Duration::from_secs(90);
/// How long the worker may take to answer whether it is well.
pub(super) const HEALTH: Duration = Duration::from_secs(10);

/// Answers a request that takes longer than `limit`. What it has begun goes on.
pub(super) async fn within(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let why = format!("it is not done after {} seconds and goes on", limit.as_secs());
            RestError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("Request timed out: {why}")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_answered() {
        let router = Router::new()
            .route("/never", get(std::future::pending::<()>))
            .route("/now", get(async || "now"))
            .layer(from_fn(|request, next| within(Duration::from_millis(20), request, next)));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            router.clone().oneshot(request).await.expect("infallible").status()
        };
        assert_eq!((ask("/never").await, ask("/now").await), (StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK));
    }
}
