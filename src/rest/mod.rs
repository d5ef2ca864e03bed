//! The REST API of Kafka Connect: what is asked for, answered as the Java worker answers it.
//!
//! A password is shown as `[hidden]`, other than in Java; sent back in a configuration, `[hidden]` keeps what is stored.

mod auth;
mod connectors;
mod error;
mod forward;
pub(crate) mod headers;
mod internal;
mod limits;
mod loggers;
pub mod model;
mod offsets;
mod plugins;
mod root;
mod tasks;
mod topics;

use std::net::SocketAddr;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use axum::{Json, Router};
use tokio::net::TcpListener;

pub use auth::{BASIC_AUTH, Guard};
pub use error::{ErrorMessage, RestError};
pub use root::KAFKA_VERSION;

use self::headers::Headers;
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

/// All resources, for those whom `guard` lets in; those of `/admin` unless they have listeners of their own (`admin.listeners`).
pub fn router(herder: Herder, guard: Option<Guard>) -> Router {
    let connector = "/connectors/{name}";
    let under = |path: &str| format!("{connector}/{path}");
    let resources = [
        ("/".to_owned(), get(root::server_info)),
        ("/health".to_owned(), get(root::health)),
        ("/connectors".to_owned(), get(connectors::list).post(connectors::create)),
        (connector.to_owned(), get(connectors::get).delete(connectors::delete)),
        (under("config"), get(connectors::get_config).put(connectors::put_config).patch(connectors::patch_config)),
        (under("status"), get(connectors::status)),
        (under("pause"), put(connectors::pause)),
        (under("resume"), put(connectors::resume)),
        (under("stop"), put(connectors::stop)),
        (under("restart"), post(connectors::restart)),
        (under("offsets"), get(offsets::get).patch(offsets::alter).delete(offsets::reset)),
        (under("topics"), get(topics::get)),
        (under("topics/reset"), put(topics::reset)),
        (under("tasks"), get(tasks::list).post(internal::put_tasks)),
        (under("fence"), put(internal::fence)),
        (under("tasks/{task}/status"), get(tasks::status)),
        (under("tasks/{task}/restart"), post(tasks::restart)),
        ("/connector-plugins".to_owned(), get(plugins::list)),
        ("/connector-plugins/{class}/config".to_owned(), get(plugins::keys)),
        ("/connector-plugins/{class}/config/validate".to_owned(), put(plugins::validate)),
    ];
    let admin = herder.keys().admin_listeners.is_none().then(admin_resources).into_iter().flatten();
    // Inside of negotiation and of the search for a method, as in Java: who asks for nothing that there is need not be a user.
    let guarded = |methods: MethodRouter<Herder>| match &guard {
        Some(guard) => methods.route_layer(from_fn_with_state(guard.clone(), auth::check)),
        None => methods,
    };
    let mut routes = Router::new();
    for (path, methods) in resources.into_iter().chain(admin) {
        routes = routes.route(&path, guarded(methods));
    }
    let routes = routes.route_layer(from_fn_with_state(herder.clone(), forward::forward));
    let routes = routes.route_layer(from_fn(negotiate)).route("/metrics", guarded(get(root::metrics)));
    let headers = Headers::of(herder.keys());
    let router = outer(routes.with_state(herder), guard);
    match headers {
        Some(headers) => router.layer(from_fn_with_state(headers, headers::add)),
        None => router,
    }
}

/// The resources of the admin listeners. As in Java they are open to everybody who reaches them.
pub fn admin_router(herder: Herder) -> Router {
    let resources = admin_resources().into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods));
    outer(resources.route_layer(from_fn(negotiate)).with_state(herder), None)
}

fn admin_resources() -> [(String, MethodRouter<Herder>); 2] {
    [
        ("/admin/loggers".to_owned(), get(loggers::list)),
        ("/admin/loggers/{logger}".to_owned(), get(loggers::get).put(loggers::set)),
    ]
}

/// An outer router, because a path is taken before it is matched, and an answer after all of axum had its say.
fn outer(resources: Router, guard: Option<Guard>) -> Router {
    let resources = resources.layer(DefaultBodyLimit::max(BODY_LIMIT));
    let router = Router::new().fallback_service(resources);
    let router = router.layer(from_fn(|request, next| limits::within(limits::REQUEST, request, next)));
    router.layer(from_fn_with_state(guard, as_java)).layer(map_request(normalize))
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
    let wanted = wanted_json(request.headers());
    let mut response = next.run(request).await;
    if let Some(wanted) = wanted.filter(|_| response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == "application/json"))
    {
        response.headers_mut().insert(header::CONTENT_TYPE, wanted);
    }
    response
}

/// The parameters of the JSON that a client accepts are those of the JSON that it gets, as in Java.
fn wanted_json(headers: &HeaderMap) -> Option<HeaderValue> {
    let accepted = headers.get(header::ACCEPT)?.to_str().ok()?;
    let json = accepted.split(',').map(str::trim).find(|range| range.starts_with("application/json"))?;
    let parts: Vec<_> = json.split(';').map(str::trim).filter(|part| !part.starts_with("q=")).collect();
    (parts.len() > 1).then(|| HeaderValue::from_str(&parts.join(";")).ok()).flatten()
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
async fn as_java(State(guard): State<Option<Guard>>, request: Request, next: Next) -> Response {
    let options = request.method() == Method::OPTIONS;
    // Browsers ask without a password whether a page may ask with one. Java refuses that, so no page can use a guarded API.
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let admitted = match &guard {
        Some(guard) if options && !is_preflight => guard.admit(request.headers()),
        _ => Ok(()),
    };
    let mut response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    let status = response.status();
    if options && status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
        let allows = |method: &&str| *method == "OPTIONS" || allowed.split(',').any(|allowed| allowed == *method);
        let allowed = METHODS.into_iter().filter(allows).collect::<Vec<_>>();
        let text = HeaderValue::from_static("text/plain");
        let told = ([(header::ALLOW, allowed.join(","))], [(header::CONTENT_TYPE, text)], allowed.join(", "));
        response = admitted.err().unwrap_or_else(|| told.into_response());
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
pub struct Sockets {
    main: Vec<TcpListener>,
    /// Those of the admin API alone.
    admin: Vec<TcpListener>,
}

impl Sockets {
    /// Binds `listeners`, and `admin` for the admin API if it has listeners of its own.
    ///
    /// # Errors
    /// An address cannot be bound; the text names it.
    pub async fn bind(listeners: &[String], admin: Option<&[String]>) -> Result<Self, String> {
        let main = bind(listeners, "REST server listening").await?;
        Ok(Self { main, admin: bind(admin.unwrap_or_default(), "REST admin endpoints").await? })
    }

    /// The port of the first, the one that is advertised.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.main.first().and_then(|socket| socket.local_addr().ok()).map_or(0, |address| address.port())
    }

    /// Serves `herder` to those whom `guard` lets in until `end` resolves, and requests under way to their end.
    ///
    /// # Errors
    /// A socket fails.
    pub async fn serve(
        self,
        herder: Herder,
        guard: Option<Guard>,
        end: impl Future<Output = ()> + Clone + Send + 'static,
    ) -> std::io::Result<()> {
        let (main, admin) = (router(herder.clone(), guard), admin_router(herder));
        let sockets = self.main.into_iter().map(|socket| (socket, main.clone()));
        let sockets = sockets.chain(self.admin.into_iter().map(|socket| (socket, admin.clone())));
        let servers = sockets.map(|(socket, router)| {
            let end = end.clone();
            async move { axum::serve(socket, router).with_graceful_shutdown(end).await }
        });
        futures::future::try_join_all(servers).await.map(|_| ())
    }
}

async fn bind(listeners: &[String], what: &str) -> Result<Vec<TcpListener>, String> {
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
        tracing::info!("{what} at {}", url(&listener, address));
        sockets.push(socket);
    }
    Ok(sockets)
}

fn url(listener: &Listener, address: SocketAddr) -> String {
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    format!("http://{host}:{}/", address.port())
}

#[cfg(test)]
mod tests;
