//! The web page under `/ui` (`landfall.ui`), an addition to Java's API: its files, which are in the binary, and the headers that keep
//! browsers from doing anything else with them. [`api`] is what it asks for besides the API of Connect.

pub(super) mod api;

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Extension;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};

use super::guard::Guard;
use super::paths::SlashAtEnd;
use super::{RestError, guarded};
use crate::herder::Herder;

/// A file of the page: its name, its type, what is in it.
type File = (&'static str, &'static str, &'static str);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The page itself, at `/ui/`.
const INDEX: &str = "index.html";

const FILES: [File; 13] = [
    (INDEX, HTML, include_str!("ui/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("ui/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("ui/icon.svg")),
    ("app.js", JAVASCRIPT, include_str!("ui/app.js")),
    ("api.js", JAVASCRIPT, include_str!("ui/api.js")),
    ("dom.js", JAVASCRIPT, include_str!("ui/dom.js")),
    ("text.js", JAVASCRIPT, include_str!("ui/text.js")),
    ("cluster.js", JAVASCRIPT, include_str!("ui/cluster.js")),
    ("metrics.js", JAVASCRIPT, include_str!("ui/metrics.js")),
    ("overview.js", JAVASCRIPT, include_str!("ui/overview.js")),
    ("connector.js", JAVASCRIPT, include_str!("ui/connector.js")),
    ("files.js", JAVASCRIPT, include_str!("ui/files.js")),
    ("form.js", JAVASCRIPT, include_str!("ui/form.js")),
];

/// The tags by which browsers know whether a file is the one that they have, in the order of [`FILES`].
static TAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| FILES.iter().map(|(.., content)| tag(content)).collect());

fn tag(content: &str) -> HeaderValue {
    let hash = digest(&SHA256, content.as_bytes());
    let hex: String = hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What the page may do: nothing that is not its own, and no script or style that is in the page; what is put into it is text.
static POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// The page's files, for whoever gets the API by a password. Those who come with a token bring it on the page, so that they get it
/// without.
pub(super) fn routes(herder: &Herder, guard: &Guard) -> Vec<(&'static str, MethodRouter<Herder>)> {
    if !herder.keys().ui {
        return Vec::new();
    }
    let guard = guard.of_page();
    let safe = |methods: MethodRouter<Herder>| guarded(methods, &guard, herder).layer(axum::middleware::from_fn(add_policy));
    vec![("/ui", safe(get(index))), ("/ui/{file}", safe(get(file)))]
}

async fn index(slash: Option<Extension<SlashAtEnd>>, headers: HeaderMap) -> Response {
    // The page names its files as its neighbours.
    match slash {
        Some(_) => answer(INDEX, &headers),
        None => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "ui/")]).into_response(),
    }
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&name, &headers)
}

fn answer(name: &str, headers: &HeaderMap) -> Response {
    let found = FILES.iter().zip(TAGS.iter()).find(|((known, ..), _)| *known == name);
    let Some(((_, kind, content), tag)) = found else { return RestError::plain(StatusCode::NOT_FOUND).into_response() };
    let has = |given: &HeaderValue| given.to_str().is_ok_and(|tags| tags.split(',').any(|given| given.trim() == tag));
    let same = headers.get_all(header::IF_NONE_MATCH).iter().any(has);
    let mut response =
        if same { StatusCode::NOT_MODIFIED.into_response() } else { ([(header::CONTENT_TYPE, *kind)], *content).into_response() };
    response.headers_mut().insert(header::ETAG, tag.clone());
    // Kept, and asked for again each time: after an update the files fit together.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Adds what keeps browsers from using the page for something else.
async fn add_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests;
