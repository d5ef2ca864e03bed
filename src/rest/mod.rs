//! The REST API of Kafka Connect: what is asked for, answered as the Java worker answers it.
//!
//! A password is shown as `[hidden]`, other than in Java; sent back in a configuration, `[hidden]` keeps what is stored.

mod audit;
mod basic;
mod bearer;
mod body;
mod connection;
mod connectors;
mod error;
mod forward;
mod guard;
pub(crate) mod headers;
mod internal;
mod issuer;
mod limits;
mod listen;
mod loggers;
pub mod model;
mod offsets;
#[cfg(test)]
mod openapi;
mod paths;
mod plugins;
mod root;
mod tasks;
mod topics;
mod ui;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use axum::{Json, Router};

pub use audit::Audit;
pub use basic::BASIC_AUTH;
pub use error::{ErrorMessage, RestError};
pub use guard::{Guard, Principal, Role};
pub use listen::{Access, Sockets};
pub use root::KAFKA_VERSION;

use self::headers::Headers;
use crate::herder::Herder;

type Answer<T> = Result<Json<T>, RestError>;
type QueryPairs = Vec<(String, String)>;

/// Whether the parameter `name` is true, as Java reads a Boolean: its first value counts, and only `true` is true.
fn flag(query: &QueryPairs, name: &str) -> bool {
    query.iter().find(|(key, _)| key == name).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}

/// The resources of Connect's API, but for those of `/admin`. `openapi/connect.yaml` describes each of them: see `openapi.rs`.
fn resources() -> [(String, MethodRouter<Herder>); 20] {
    let connector = "/connectors/{name}";
    let under = |path: &str| format!("{connector}/{path}");
    [
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
    ]
}

/// All resources, for those whom `access` lets in; those of `/admin` unless they have listeners of their own (`admin.listeners`).
pub fn router(herder: &Herder, access: &Access) -> Router {
    let admin = herder.keys().admin_listeners.is_none().then(admin_resources).into_iter().flatten();
    let guard = &access.guard;
    let mut routes = Router::new();
    for (path, methods) in resources().into_iter().chain(admin).chain(ui::api::resources(herder)) {
        routes = routes.route(&path, guarded(methods, guard, herder));
    }
    let routes = routes.route_layer(from_fn_with_state(herder.clone(), forward::forward)).route_layer(from_fn(negotiate));
    let mut routes = match herder.keys().metrics_listeners.is_empty() {
        true => routes.route("/metrics", guarded(get(root::metrics), guard, herder)),
        false => routes,
    };
    for (path, methods) in ui::routes(herder, guard) {
        routes = routes.route(path, methods);
    }
    let headers = Headers::of(herder.keys(), guard.takes_tokens());
    let router = outer(routes, herder, guard, &access.audit);
    let router = router.layer(from_fn_with_state(headers.clone(), headers::refuse_other_pages));
    let router = match headers {
        Some(headers) => router.layer(from_fn_with_state(headers, headers::add)),
        None => router,
    };
    router.layer(from_fn(headers::add_safe))
}

/// The resources of the admin listeners. As in Java they are open to everybody who reaches them, unless `landfall.rest.auth` is given.
pub fn admin_router(herder: &Herder, access: &Access) -> Router {
    let guard = access.guard.of_admin_listeners();
    let add = |router: Router<Herder>, (path, methods): (String, _)| router.route(&path, guarded(methods, &guard, herder));
    let resources = admin_resources().into_iter().fold(Router::new(), add).route_layer(from_fn(negotiate));
    let router = outer(resources, herder, &guard, &access.audit);
    router.layer(from_fn_with_state(None, headers::refuse_other_pages)).layer(from_fn(headers::add_safe))
}

/// The one resource of the metrics listeners, as open as the admin listeners are.
pub fn metrics_router(herder: &Herder, access: &Access) -> Router {
    let guard = access.guard.of_admin_listeners();
    let routes = Router::new().route("/metrics", guarded(get(root::metrics), &guard, herder));
    outer(routes, herder, &guard, &access.audit).layer(from_fn(headers::add_safe))
}

/// Methods for those whom `guard` lets in: inside of negotiation and of the search for a method, as in Java, so that who asks for nothing
/// that there is need not be a user.
fn guarded(methods: MethodRouter<Herder>, guard: &Guard, herder: &Herder) -> MethodRouter<Herder> {
    methods.route_layer(from_fn_with_state((guard.clone(), herder.clone()), guard::check))
}

fn admin_resources() -> [(String, MethodRouter<Herder>); 2] {
    [
        ("/admin/loggers".to_owned(), get(loggers::list)),
        ("/admin/loggers/{logger}".to_owned(), get(loggers::get).put(loggers::set)),
    ]
}

/// An outer router, because a path is taken before it is matched, and an answer after all of axum had its say.
fn outer(resources: Router<Herder>, herder: &Herder, guard: &Guard, audit: &Audit) -> Router {
    let recorded = resources.route_layer(from_fn_with_state((audit.clone(), herder.clone()), audit::record));
    // How long bodies may be is looked at when they are read, before anything else.
    let resources = recorded.with_state(herder.clone()).layer(DefaultBodyLimit::disable());
    let limits = body::Limits::of(&herder.config().access);
    let router = Router::new().fallback_service(resources).layer(from_fn_with_state(limits, body::collect));
    let router = router.layer(from_fn(|request, next| limits::within(limits::REQUEST, request, next)));
    router.layer(from_fn_with_state(guard.clone(), as_java)).layer(from_fn(named)).layer(from_fn(paths::look))
}

/// Gives a request a name.
async fn named(mut request: Request, next: Next) -> Response {
    audit::name(request.headers_mut());
    next.run(request).await
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
async fn as_java(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let options = request.method() == Method::OPTIONS;
    // Browsers ask without a password whether a page may ask with one. Java refuses that, so no page can use a guarded API.
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let refused = if options && !is_preflight { guard.admit(request.headers()).await.err() } else { None };
    let mut response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    let status = response.status();
    if options && status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
        let allows = |method: &&str| *method == "OPTIONS" || allowed.split(',').any(|allowed| allowed == *method);
        let allowed = METHODS.into_iter().filter(allows).collect::<Vec<_>>();
        let text = HeaderValue::from_static("text/plain");
        let told = ([(header::ALLOW, allowed.join(","))], [(header::CONTENT_TYPE, text)], allowed.join(", "));
        response = refused.unwrap_or_else(|| told.into_response());
    } else if (status.is_client_error() || status.is_server_error()) && !is_json {
        response = RestError::plain(status).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    response.headers_mut().insert("landfall-version", version);
    response
}

#[cfg(test)]
mod tests;
