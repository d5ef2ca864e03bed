//! `/`, `/health` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::limits;
use super::model::{ServerInfo, WorkerStatus};
use crate::herder::Herder;
use crate::metrics;

/// The Kafka version that the API is compatible with. Clients decide by it what they may ask.
pub const KAFKA_VERSION: &str = "4.3.1";

/// The commit of that version, as Java shows it.
const KAFKA_COMMIT: &str = "26b251a451ce941d";

pub(super) async fn server_info(State(herder): State<Herder>) -> Json<ServerInfo> {
    let kafka_cluster_id = herder.cluster_id().map(str::to_owned);
    Json(ServerInfo { version: KAFKA_VERSION, commit: KAFKA_COMMIT, kafka_cluster_id })
}

pub(super) async fn health(State(herder): State<Herder>) -> (StatusCode, Json<WorkerStatus>) {
    let answer = |code, status, message| (code, Json(WorkerStatus { status, message }));
    if !herder.is_ready() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "starting", "Worker is still starting up.");
    }
    match tokio::time::timeout(limits::HEALTH, herder.health_check()).await {
        Ok(()) => answer(StatusCode::OK, "healthy", "Worker has completed startup and is ready to handle requests."),
        Err(_) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "unhealthy",
            "Worker was unable to handle this request and may be unable to handle other requests.",
        ),
    }
}

pub(super) async fn metrics(State(herder): State<Herder>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&herder))
}
