//! Counts requests by the name that the service has for them, on the wire: every try.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Method, Request, StatusCode};
use landfall_api::TRACE;
use landfall_lake::storage::{Answers, Calls};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

const OPERATIONS: [&str; 11] = [
    "Put Block",
    "Put Block List",
    "Put Blob",
    "Get Blob",
    "Get Blob Properties",
    "Get Block List",
    "Delete Blob",
    "List Blobs",
    "Get Account Information",
    "Data Lake",
    "Other",
];
/// The statuses that are told apart; the last is that of all others, the one before that of no answer.
const STATUSES: [u16; 19] = [200, 201, 202, 206, 304, 400, 401, 403, 404, 408, 409, 412, 416, 429, 500, 502, 503, 0, 1];
const OTHER: usize = OPERATIONS.len() - 1;

#[derive(Debug, Default)]
struct Count {
    sent: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    statuses: [AtomicU64; STATUSES.len()],
}

/// A pipeline's policy that counts; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Arc<[Count; OPERATIONS.len()]>);

impl Counts {
    /// The operations that were asked for.
    pub(super) fn read(&self) -> Vec<Calls> {
        let read = |(operation, count): (&&'static str, &Count)| {
            let [sent, refused, failed] = [&count.sent, &count.refused, &count.failed].map(|n| n.load(Ordering::Relaxed));
            Calls { operation, sent, refused, failed }
        };
        OPERATIONS.iter().zip(&*self.0).map(read).filter(|calls| calls.sent > 0).collect()
    }

    /// The statuses that were answered.
    pub(super) fn answers(&self) -> Vec<Answers> {
        let of_operation = |(operation, count): (&&'static str, &Count)| {
            let answers = STATUSES.iter().zip(&count.statuses).map(|(status, n)| (*status, n.load(Ordering::Relaxed)));
            let operation = *operation;
            answers.map(|(status, answers)| Answers { operation, status, answers }).collect::<Vec<_>>()
        };
        OPERATIONS.iter().zip(&*self.0).flat_map(of_operation).filter(|answers| answers.answers > 0).collect()
    }
}

/// The span of a call within a commit; none outside of one: blocks are put all the time.
fn span(operation: &str, request: &Request) -> Span {
    match Span::current().metadata() {
        Some(around) if around.target() == TRACE => tracing::error_span!(
            target: TRACE, "storage call", otel.name = operation, otel.kind = "client",
            http.request.method = request.method().as_ref(), server.address = request.url().host_str().unwrap_or_default(),
            url.path = request.url().path(), http.response.status_code = Empty, error = Empty
        ),
        _ => Span::none(),
    }
}

#[async_trait]
impl Policy for Counts {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let operation = operation(request);
        let (count, span) = (&self.0[operation], span(OPERATIONS[operation], request));
        count.sent.fetch_add(1, Ordering::Relaxed);
        let answer = next[0].send(context, request, &next[1..]).instrument(span.clone()).await;
        let status = answer.as_ref().map_or(0, |answer| u16::from(answer.status()));
        let place = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        count.statuses[place].fetch_add(1, Ordering::Relaxed);
        if status == 0 {
            span.record("error", "no answer");
        } else {
            span.record("http.response.status_code", status);
        }
        let counted = match answer.as_ref().map(azure_core::http::AsyncRawResponse::status) {
            Err(_) => Some(&count.failed),
            Ok(StatusCode::RequestTimeout | StatusCode::TooManyRequests) => Some(&count.failed),
            Ok(status) if status.is_server_error() => Some(&count.failed),
            Ok(status) if status.is_client_error() => Some(&count.refused),
            Ok(_) => None,
        };
        if let Some(counted) = counted {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

/// The place of the request's operation in [`OPERATIONS`].
fn operation(request: &Request) -> usize {
    let mut comp = None;
    for (name, value) in request.url().query_pairs() {
        match (&*name, &*value) {
            ("comp", value) => comp = Some(value.to_owned()),
            ("restype", "account") => return 8,
            ("resource" | "action" | "recursive", _) => return 9,
            _ => {}
        }
    }
    match (request.method(), comp.as_deref()) {
        (Method::Put, Some("block")) => 0,
        (Method::Put, Some("blocklist")) => 1,
        (Method::Put, None) => 2,
        (Method::Get, None) => 3,
        (Method::Head, None) => 4,
        (Method::Get, Some("blocklist")) => 5,
        (Method::Delete, None) => 6,
        (Method::Get, Some("list")) => 7,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::Url;

    use super::*;

    #[test]
    fn requests_are_counted_by_their_names() {
        for (method, query, expected) in [
            (Method::Put, "?comp=block&blockid=x", "Put Block"),
            (Method::Put, "?comp=blocklist&sv=1", "Put Block List"),
            (Method::Put, "?sv=1", "Put Blob"),
            (Method::Get, "", "Get Blob"),
            (Method::Head, "", "Get Blob Properties"),
            (Method::Get, "?comp=blocklist&blocklisttype=all", "Get Block List"),
            (Method::Delete, "", "Delete Blob"),
            (Method::Get, "?restype=container&comp=list", "List Blobs"),
            (Method::Get, "?restype=account&comp=properties", "Get Account Information"),
            (Method::Put, "?resource=directory", "Data Lake"),
            (Method::Put, "?comp=metadata", "Other"),
        ] {
            let url = Url::parse(&format!("https://acct.blob.core.windows.net/lake/a{query}")).expect("a URL");
            assert_eq!(OPERATIONS[operation(&Request::new(url, method))], expected);
        }
    }
}
