//! Requests that are made by chance: each has an answer, in Java's shape and in bounded time.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Parts of paths: those that there are, and what proxies and resources may read in two ways.
const SEGMENTS: [&str; 34] = [
    "",
    "connectors",
    "c",
    "d",
    "config",
    "status",
    "pause",
    "resume",
    "stop",
    "restart",
    "offsets",
    "topics",
    "reset",
    "tasks",
    "0",
    "-1",
    "99999999999",
    "fence",
    "connector-plugins",
    "FakeSink",
    "validate",
    "admin",
    "loggers",
    "root",
    "metrics",
    "health",
    ".",
    "..",
    "%2e%2e",
    "%2F",
    "%00",
    "%",
    "a;b=c",
    "ä%20%C3%A4",
];

/// Paths that there are. Nobody asks for the offsets of a connector that there may be: a broker would have to answer.
const PATHS: [&str; 24] = [
    "/",
    "/health",
    "/metrics",
    "/connectors",
    "/connectors/",
    "/connectors/c",
    "/connectors/d",
    "/connectors/c/config",
    "/connectors/c/status",
    "/connectors/c/pause",
    "/connectors/c/resume",
    "/connectors/c/stop",
    "/connectors/c/restart",
    "/connectors/nope/offsets",
    "/connectors/c/topics",
    "/connectors/c/topics/reset",
    "/connectors/c/tasks",
    "/connectors/c/fence",
    "/connectors/c/tasks/0/status",
    "/connectors/c/tasks/0/restart",
    "/connector-plugins",
    "/connector-plugins/FakeSink/config/validate",
    "/admin/loggers",
    "/admin/loggers/root",
];

const BODIES: [&str; 20] = [
    "",
    "null",
    "[]",
    "{}",
    "{",
    "0",
    "\"x\"",
    "[{}]",
    "{\"name\":\"c\"}",
    "{\"name\":\"c\",\"config\":{}}",
    "{\"level\":\"INFO\"}",
    "{\"level\":[]}",
    "{\"name\":\"d\",\"config\":{\"connector.class\":\"FakeSink\",\"topics\":\"t\",\"path\":\"/p\",\"tasks.max\":\"1\"}}",
    "{\"connector.class\":\"FakeSink\",\"topics\":\"t\",\"path\":\"/p\"}",
    "{\"connector.class\":\"FakeSink\",\"topics.regex\":\"(((((\"}",
    "{\"offsets\":[{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":0},\"offset\":{\"kafka_offset\":-9e99}}]}",
    "{\"offsets\":[{\"partition\":{\"kafka_topic\":1},\"offset\":null}]}",
    "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
    "\u{feff}{}",
    "{\"\\ud800\":\"\"}",
];

/// Method, path with query, headers and body.
type Asked = (String, String, Vec<(String, Vec<u8>)>, Vec<u8>);

fn any_request() -> impl Strategy<Value = Asked> {
    let method = prop_oneof![
        9 => prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]).prop_map(str::to_owned),
        1 => "[A-Z]{1,12}",
    ];
    let segment = prop_oneof![8 => prop::sample::select(&SEGMENTS[..]).prop_map(str::to_owned), 1 => "[!-~&&[^/?#]]{0,12}"];
    let made = prop::collection::vec(segment, 0..7).prop_map(|segments| format!("/{}", segments.join("/")));
    let path = prop_oneof![2 => prop::sample::select(&PATHS[..]).prop_map(str::to_owned), 1 => made];
    let query = prop_oneof![
        3 => Just(String::new()),
        2 => prop::sample::select(vec!["?forward=true", "?includeTasks=true&onlyFailed=%", "?expand=info&expand=status", "?scope=cluster", "?=&&=%zz"]).prop_map(str::to_owned),
        1 => "\\?[!-~&&[^#]]{0,30}",
    ];
    let name = prop::sample::select(vec![
        "accept",
        "content-type",
        "content-length",
        "authorization",
        "origin",
        "access-control-request-method",
        "x-request-id",
        "x-forwarded-for",
        "host",
        "x-connect-authorization",
        "landfall-audited",
    ]);
    let value = prop_oneof![
        4 => prop::sample::select(vec!["application/json", "*/*", "text/html", "0", "1", "99999999999999999999", "Basic Og==", "Basic !", "Bearer a.b.c", "Bearer ", "null", ",;q=", "PUT"]).prop_map(|value| value.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>().prop_filter("a header", |byte| *byte >= 32 && *byte != 127), 0..40),
    ];
    let headers = prop::collection::vec((name.prop_map(str::to_owned), value), 0..5);
    let body = prop_oneof![
        6 => prop::sample::select(&BODIES[..]).prop_map(|body| body.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (1usize..400).prop_map(|depth| ["[".repeat(depth), "]".repeat(depth)].concat().into_bytes()),
        1 => Just(vec![b' '; 3000]),
    ];
    (method, (path, query).prop_map(|(path, query)| path + &query), headers, body)
}

#[test]
fn every_request_has_an_answer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(file("users"), "a=b\n").expect("written");
    let (users, audit) = (file("users"), file("audit"));
    let guarded = [("landfall.rest.auth", "basic"), ("landfall.basic.auth.file", &users), ("landfall.audit.log", &audit)];
    let worlds: Vec<_> = runtime.block_on(async {
        [
            &[("landfall.rest.max.body.bytes", "2000"), ("access.control.allow.origin", "*"), ("landfall.audit.log", &audit)][..],
            &guarded,
        ]
        .map(|extra| {
            let herder = herder(extra);
            let access = Access::of(herder.config()).expect("the users");
            (router(&herder, &access), admin_router(&herder, &access))
        })
        .into()
    });
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((method, path, headers, body) in any_request(), world in 0..2usize, on_admin in prop::bool::weighted(0.1))| {
        let mut request = Request::builder().method(method.as_str()).uri(&path).header("host", "worker:8083");
        if headers.iter().all(|(name, _)| name != "content-type") {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request = headers.iter().fold(request, |request, (name, value)| request.header(name, value.as_slice()));
        // What is no URI does not come this far.
        let Ok(request) = request.body(Body::from(body)) else { return Ok(()) };
        let is_head = method == "HEAD";
        let (main, admin) = &worlds[world];
        let router = if on_admin { admin } else { main }.clone();
        let answered = runtime.block_on(async {
            let response = tokio::time::timeout(Duration::from_secs(10), router.oneshot(request)).await.ok()?.ok()?;
            let (parts, body) = response.into_parts();
            Some((parts, to_bytes(body, usize::MAX).await.ok()?))
        });
        let Some((parts, body)) = answered else { return Err(TestCaseError::fail(format!("{method} {path} has no answer"))) };
        let status = parts.status.as_u16();
        if parts.status.is_client_error() || parts.status.is_server_error() {
            let said: Value = serde_json::from_slice(&body).unwrap_or_default();
            let is_health = said["status"].is_string();
            prop_assert!(is_head || is_health || said["error_code"] == json!(status) && said["message"].is_string(), "{method} {path}: {status} {said}");
        } else {
            prop_assert!(parts.status.is_success(), "{method} {path}: {status}");
        }
        // A page of another origin may ask what a path allows.
        prop_assert!(world == 0 || !parts.status.is_success() || method == "OPTIONS", "{method} {path} is answered to a stranger");
    });
}
