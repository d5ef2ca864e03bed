//! The REST API of Kafka Connect: what is asked for, answered as the Java worker answers it.
//!
//! A password is shown as `[hidden]`, other than in Java; sent back in a configuration, `[hidden]` keeps what is stored.

mod connectors;
mod error;
pub mod model;
mod plugins;
mod root;
mod tasks;

use std::net::SocketAddr;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use tokio::net::TcpListener;

pub use error::{ErrorMessage, RestError};
pub use root::KAFKA_VERSION;

use crate::config::Listener;
use crate::herder::Herder;

/// The longest body of a request, in bytes.
const BODY_LIMIT: usize = 1 << 20;

type Answer<T> = Result<Json<T>, RestError>;
type QueryPairs = Vec<(String, String)>;

/// Whether the parameter `name` is true, as Java reads a Boolean: its first value counts, and only `true` is true.
fn flag(query: &QueryPairs, name: &str) -> bool {
    query.iter().find(|(key, _)| key == name).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}

/// All resources.
pub fn router(herder: Herder) -> Router {
    let connector = "/connectors/{name}";
    let under = |path: &str| format!("{connector}/{path}");
    let resources = Router::new()
        .route("/", get(root::server_info))
        .route("/health", get(root::health))
        .route("/connectors", get(connectors::list).post(connectors::create))
        .route(connector, get(connectors::get).delete(connectors::delete))
        .route(&under("config"), get(connectors::get_config).put(connectors::put_config).patch(connectors::patch_config))
        .route(&under("status"), get(connectors::status))
        .route(&under("pause"), put(connectors::pause))
        .route(&under("resume"), put(connectors::resume))
        .route(&under("stop"), put(connectors::stop))
        .route(&under("restart"), post(connectors::restart))
        .route(&under("tasks"), get(tasks::list))
        .route(&under("tasks/{task}/status"), get(tasks::status))
        .route(&under("tasks/{task}/restart"), post(tasks::restart))
        .route("/connector-plugins", get(plugins::list))
        .route("/connector-plugins/{class}/config", get(plugins::keys))
        .route("/connector-plugins/{class}/config/validate", put(plugins::validate))
        .route_layer(from_fn(negotiate))
        .route("/metrics", get(root::metrics))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(herder);
    // An outer router, because a path is taken before it is matched, and an answer after all of axum had its say.
    Router::new().fallback_service(resources).layer(from_fn(as_java)).layer(map_request(normalize))
}

/// Refuses media types other than JSON, as `@Produces` and `@Consumes` do in Java.
async fn negotiate(request: Request, next: Next) -> Response {
    if !brings_json(request.headers()) {
        return if request.headers().contains_key(header::CONTENT_TYPE) {
            StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response()
        } else {
            // Java finds a resource for it, which then cannot read it.
            RestError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response()
        };
    }
    if !accepts_json(request.headers()) {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    next.run(request).await
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let json = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        ["application/json", "application/*", "*/*"].contains(&range.as_str())
    };
    accepted.is_empty() || accepted.iter().flat_map(|value| value.split(',')).any(json)
}

fn brings_json(headers: &HeaderMap) -> bool {
    match headers.get(header::CONTENT_TYPE) {
        Some(given) => {
            let given = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            given.trim().eq_ignore_ascii_case("application/json")
        }
        None => {
            let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
            length.is_none_or(|length| length == "0") && !headers.contains_key(header::TRANSFER_ENCODING)
        }
    }
}

/// The order in which Java says what a path allows.
const METHODS: [&str; 7] = ["HEAD", "POST", "DELETE", "GET", "OPTIONS", "PUT", "PATCH"];

/// Gives answers that no handler made Java's shape: OPTIONS says what a path allows, errors get a body, and as in Java no headers.
async fn as_java(request: Request, next: Next) -> Response {
    let options = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    let status = response.status();
    if options && status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
        let allows = |method: &&str| *method == "OPTIONS" || allowed.split(',').any(|allowed| allowed == *method);
        let allowed = METHODS.into_iter().filter(allows).collect::<Vec<_>>();
        let text = HeaderValue::from_static("text/plain");
        response = ([(header::ALLOW, allowed.join(","))], [(header::CONTENT_TYPE, text)], allowed.join(", ")).into_response();
    } else if (status.is_client_error() || status.is_server_error()) && !is_json && status != StatusCode::SERVICE_UNAVAILABLE {
        response = RestError::plain(status).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    response.headers_mut().insert("landfall-version", version);
    response
}

/// Takes paths as Java does: a slash at the end and matrix parameters make no difference.
async fn normalize(mut request: Request) -> Request {
    let uri = request.uri();
    let segments = uri.path().split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    let mut path = segments.collect::<Vec<_>>().join("/");
    if path.len() > 1 && path.ends_with('/') {
        path.pop();
    }
    if path != uri.path() {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = uri.clone().into_parts();
        if let Ok(path_and_query) = format!("{path}{query}").parse() {
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

/// The sockets on which the API listens.
#[derive(Debug)]
pub struct Sockets(Vec<TcpListener>);

impl Sockets {
    /// Binds `listeners`.
    ///
    /// # Errors
    /// An address cannot be bound; the text names it.
    pub async fn bind(listeners: &[String]) -> Result<Self, String> {
        let mut sockets = Vec::new();
        for uri in listeners {
            let listener = Listener::parse(uri)?;
            let mut bound = TcpListener::bind(listener.address()).await;
            if bound.is_err() && listener.host.is_empty() {
                // A machine without IPv6.
                bound = TcpListener::bind(("0.0.0.0", listener.port)).await;
            }
            let socket = bound.map_err(|e| format!("cannot listen on {uri}: {e}"))?;
            let address = socket.local_addr().map_err(|e| format!("cannot listen on {uri}: {e}"))?;
            tracing::info!("REST server listening at {}", url(&listener, address));
            sockets.push(socket);
        }
        Ok(Self(sockets))
    }

    /// The port of the first, the one that is advertised.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.first().and_then(|socket| socket.local_addr().ok()).map_or(0, |address| address.port())
    }

    /// Serves `herder` until `end` resolves, and requests under way to their end.
    ///
    /// # Errors
    /// A socket fails.
    pub async fn serve(self, herder: Herder, end: impl Future<Output = ()> + Clone + Send + 'static) -> std::io::Result<()> {
        let router = router(herder);
        let servers = self.0.into_iter().map(|socket| {
            let (router, end) = (router.clone(), end.clone());
            async move { axum::serve(socket, router).with_graceful_shutdown(end).await }
        });
        futures::future::try_join_all(servers).await.map(|_| ())
    }
}

fn url(listener: &Listener, address: SocketAddr) -> String {
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    format!("http://{host}:{}/", address.port())
}

#[cfg(test)]
mod tests;
