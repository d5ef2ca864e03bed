//! Passes requests on to the worker that has to answer them (`HerderRequestHandler` of Kafka 4.3.1): to the leader, and from it to whoever
//! runs the connector or the task. `forward` in the query says how often that was done: none, `true` once, `false` no more.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::RestError;
use super::audit::{self, REQUEST_ID, WRITTEN, WRITTEN_BY};
use super::body::Collected;
use super::connectors::base_of;
use super::error::Elsewhere;
use super::guard::Asker;
use super::listen::Connection;
use crate::herder::Herder;

/// What is told to the other worker of the request.
const PASSED_ON: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    REQUEST_ID,
    HeaderName::from_static(crate::herder::signature::SIGNATURE),
    HeaderName::from_static(crate::herder::signature::ALGORITHM),
];

/// Answers a request here, or has it answered by the worker that the handler names.
pub(super) async fn forward(State(herder): State<Herder>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/connectors") {
        if let Some(why) = herder.unavailable() {
            return RestError::new(StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        }
        herder.started().await;
    }
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) || herder.peers().is_none() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let collected = parts.extensions.get::<Collected>().map(|body| body.0.clone()).unwrap_or_default();
    let answer = next.run(Request::from_parts(parts.clone(), body)).await;
    let Some(Elsewhere(url)) = answer.extensions().get().cloned() else { return answer };
    let Some(peers) = herder.peers() else { return answer };
    let again = match given(parts.uri.query()) {
        None => "true",
        Some(true) => "false",
        Some(false) => {
            let message = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
            return RestError::new(StatusCode::CONFLICT, message).into_response();
        }
    };
    let others = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_forward(pair));
    let query = others.chain([format!("forward={again}").as_str()]).collect::<Vec<_>>().join("&");
    let to = format!("{}{}?{query}", url.trim_end_matches('/'), parts.uri.path());
    let text = |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    let mut headers: Vec<_> = PASSED_ON.iter().filter_map(text).collect();
    // Where this worker writes it down, the other one must not do so again.
    let signed = audit::signed(&parts.headers, &parts.method, parts.uri.path(), &collected);
    if let Some((code, algorithm)) = herder.sign(&signed).filter(|_| audit::is_on(&herder)) {
        headers.extend([(WRITTEN.to_string(), code), (WRITTEN_BY.to_string(), algorithm)]);
    }
    tracing::debug!("passing {} {} on to {url}", parts.method, parts.uri.path());
    let mut response = match peers.send(parts.method.as_str(), &to, headers, collected).await {
        Ok(answered) => {
            let mut response = Response::new(Body::from(answered.body));
            *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
            for (name, value) in answered.headers {
                if name == header::CONTENT_TYPE.as_str()
                    && let Ok(value) = HeaderValue::from_bytes(&value)
                {
                    response.headers_mut().insert(header::CONTENT_TYPE, value);
                } else if name == header::LOCATION.as_str() {
                    // Users know this worker, and may not reach the other.
                    let path = String::from_utf8_lossy(&value).into_owned();
                    let path = path.find("/connectors/").map_or("", |at| &path[at..]);
                    if let Ok(value) =
                        HeaderValue::from_str(&format!("{}{path}", base_of(parts.extensions.get::<Connection>(), &parts.headers)))
                    {
                        response.headers_mut().insert(header::LOCATION, value);
                    }
                }
            }
            response
        }
        Err(why) => {
            let message = format!("IO Error trying to forward REST request: {why}");
            RestError::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
    };
    if let Some(asker) = answer.extensions().get::<Asker>() {
        response.extensions_mut().insert(asker.clone());
    }
    response
}

fn is_forward(pair: &str) -> bool {
    pair.split('=').next() == Some("forward")
}

/// What the query says of `forward`, as Java reads a Boolean.
fn given(query: Option<&str>) -> Option<bool> {
    let pair = query?.split('&').find(|pair| is_forward(pair))?;
    Some(pair.split_once('=').is_some_and(|(_, value)| value.eq_ignore_ascii_case("true")))
}

#[cfg(test)]
mod tests {
    use super::given;

    #[test]
    fn the_hops_are_read_as_java_reads_them() {
        for (query, expected) in [
            (None, None),
            (Some(""), None),
            (Some("forwards=true"), None),
            (Some("a=b&forward=true"), Some(true)),
            (Some("forward=TRUE&forward=false"), Some(true)),
            (Some("forward=false"), Some(false)),
            (Some("forward=maybe"), Some(false)),
            (Some("forward"), Some(false)),
        ] {
            assert_eq!(given(query), expected, "{query:?}");
        }
    }
}
