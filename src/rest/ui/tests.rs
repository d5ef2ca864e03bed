//! The page's files and what it asks for, in-process.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::herder::TargetState;
use crate::herder::connector_config::{HIDDEN, Submitted};
use crate::herder::fake::herder;
use crate::rest::{Access, router};

async fn send(herder: &Herder, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let access = Access::of(herder.config()).expect("what the properties ask for");
    let request =
        headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| request.header(*name, *value));
    let response = router(herder, &access).oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("a body");
    (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).expect("UTF-8"))
}

async fn get(herder: &Herder, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    send(herder, Method::GET, path, headers).await
}

fn config(name: &str, more: &[(&str, &str)]) -> Submitted {
    let base = [("name", name), ("connector.class", "FakeSink"), ("tasks.max", "1"), ("topics", "t1"), ("path", "/p")];
    base.iter().chain(more).map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn every_file_comes_with_what_keeps_browsers_from_anything_else_and_once() {
    let herder = herder(&[]);
    for path in FILES.iter().map(|(name, ..)| format!("/ui/{name}")).chain(["/ui/".to_owned()]) {
        let (status, headers, text) = get(&herder, &path, &[("accept", "text/html")]).await;
        assert_eq!(status, 200, "{path}");
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part) && !policy.contains("unsafe"), "{path}: {policy}");
        }
        assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff", "no-cache"), "{path}");
        let etag = header("etag").to_owned();
        let (again, headers, nothing) = get(&herder, &path, &[("if-none-match", &format!("\"other\", {etag}"))]).await;
        assert_eq!((again, nothing.as_str()), (304, ""), "{path}");
        assert!(headers.contains_key("content-security-policy"), "{path}");
        assert_eq!(get(&herder, &path, &[("if-none-match", "\"other\"")]).await.2, text, "{path}");
    }
    let (status, headers, _) = get(&herder, "/ui", &[]).await;
    assert_eq!((status, headers.get("location").map(HeaderValue::as_bytes)), (308, Some(&b"ui/"[..])));
    for path in ["/ui/other.js", "/ui/api", "/ui/../Cargo.toml", "/ui/app.js/x"] {
        assert_eq!(get(&herder, path, &[]).await.0, 404, "{path}");
    }
    assert_eq!(send(&herder, Method::POST, "/ui/app.js", &[]).await.0, 405);
}

#[test]
fn the_files_are_all_there_small_and_name_nothing_outside() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest/ui");
    let there = std::fs::read_dir(folder).expect("the folder of the page").map(|file| file.expect("a file").file_name());
    let there = there.map(|name| name.into_string().expect("UTF-8")).filter(|name| !name.ends_with(".rs"));
    let mut there: Vec<_> = there.collect();
    let mut listed: Vec<_> = FILES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    there.sort();
    listed.sort();
    assert_eq!(there, listed);
    let size: usize = FILES.iter().map(|(.., content)| content.len()).sum();
    assert!(size < 90_000, "{size} bytes");
    for (name, _, content) in FILES {
        let outside = content.replace("http://www.w3.org/2000/svg", "");
        for never in
            ["://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "sessionStorage"]
        {
            assert!(!outside.contains(never), "{name} has {never}");
        }
    }
}

#[tokio::test]
async fn one_key_turns_all_of_it_off() {
    let herder = herder(&[("landfall.ui", "false")]);
    for path in ["/ui", "/ui/", "/ui/app.js", "/ui/api/me", "/ui/api/files", "/ui/api/metrics"] {
        assert_eq!(get(&herder, path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn files_are_told_of_and_shown_by_their_numbers_alone() {
    let herder = herder(&[]);
    herder.create("c", config("c", &[]), TargetState::Started, true).await.expect("created");
    let counts = herder.counts();
    let landed = &counts[0].metrics.landed;
    landed.add("topics/t1/a.parquet", 3, 100, 7);
    landed.add("topics/t1/b.parquet", 4, 200, 8);
    let (_, _, text) = get(&herder, "/ui/api/files", &[]).await;
    let newest = json!({"task": 0, "number": 1, "path": "topics/t1/b.parquet", "rows": 4, "bytes": 200, "at": 8});
    assert_eq!(json_of(&text), json!({"c": newest}));
    let (_, _, text) = get(&herder, "/ui/api/connectors/c/files", &[]).await;
    assert_eq!((&json_of(&text)[0], json_of(&text)[1]["path"].as_str()), (&newest, Some("topics/t1/a.parquet")));
    assert_eq!(get(&herder, "/ui/api/connectors/d/files", &[]).await.0, 404);

    /// Says which path it is asked for.
    #[derive(Debug)]
    struct Told;
    impl landfall_api::Previews for Told {
        fn preview(&self, path: &str) -> Result<landfall_api::Preview, String> {
            let text = Some(path.to_owned());
            if path.ends_with("a.parquet") {
                Ok(landfall_api::Preview { text, ..Default::default() })
            } else {
                Err("it is away".into())
            }
        }
    }
    assert_eq!(get(&herder, "/ui/api/connectors/c/files/0/0", &[]).await.0, 404, "nobody reads");
    landed.set_previews(std::sync::Arc::new(Told));
    let (status, _, text) = get(&herder, "/ui/api/connectors/c/files/0/0", &[]).await;
    assert_eq!((status, json_of(&text)["text"].as_str()), (200, Some("topics/t1/a.parquet")));
    let (status, _, text) = get(&herder, "/ui/api/connectors/c/files/0/1", &[]).await;
    assert_eq!((status, json_of(&text)["message"].as_str()), (422, Some("it is away")));
    for path in ["0/2", "1/0", "0/x", "0/..%2Fa", "0/-1"] {
        let status = get(&herder, &format!("/ui/api/connectors/c/files/{path}"), &[]).await.0;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn the_page_is_guarded_as_the_api_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let users = dir.path().join("users");
    std::fs::write(&users, "alice=a\nbob=b\n").expect("written");
    let basic = herder(&[
        ("landfall.rest.auth", "basic"),
        ("landfall.basic.auth.file", users.to_str().expect("UTF-8")),
        ("landfall.rest.role.operator", "alice"),
        ("landfall.rest.role.reader", "bob"),
        ("landfall.rest.read.only", "true"),
    ]);
    let (alice, bob) = (&[("authorization", "Basic YWxpY2U6YQ==")][..], &[("authorization", "Basic Ym9iOmI=")][..]);
    for path in ["/ui/", "/ui/app.js", "/ui/api/me", "/ui/api/metrics"] {
        let (status, headers, _) = get(&basic, path, &[]).await;
        assert!(status == 401 && headers.contains_key("www-authenticate"), "{path}: {status}");
        assert_eq!(get(&basic, path, bob).await.0, 200, "{path}");
    }
    let (_, _, text) = get(&basic, "/ui/api/me", alice).await;
    let me = json!({
        "name": "alice", "role": "operator", "read_only": true, "worker_id": "worker:8083", "version": env!("CARGO_PKG_VERSION"),
        "distributed": false
    });
    assert_eq!(json_of(&text), me);
    // Rows are data: they need more than a look at connectors, and no right to change any.
    assert_eq!(get(&basic, "/ui/api/connectors/c/files/0/0", bob).await.0, 403);
    assert_eq!(get(&basic, "/ui/api/connectors/c/files/0/0", alice).await.0, 404);

    let bearer = herder(&[
        ("landfall.rest.auth", "basic,bearer"),
        ("landfall.basic.auth.file", users.to_str().expect("UTF-8")),
        ("landfall.rest.bearer.tenant.id", "11111111-2222-3333-4444-555555555555"),
        ("landfall.rest.bearer.audience", "api://landfall"),
        ("landfall.rest.role.reader", "bob"),
    ]);
    assert_eq!(get(&bearer, "/ui/", &[]).await.0, 200, "there has to be a page to paste a token on");
    assert_eq!(get(&bearer, "/ui/api/me", &[]).await.0, 401);
}

#[tokio::test]
async fn no_other_page_changes_anything() {
    let own = herder(&[("access.control.allow.origin", "https://console")]);
    for (site, origin, method, path, expected) in [
        ("cross-site", "https://evil", Method::POST, "/connectors/c/restart", 403),
        ("same-site", "https://evil", Method::PUT, "/connectors/c/pause", 403),
        ("cross-site", "null", Method::DELETE, "/connectors/c", 403),
        ("cross-site", "https://console", Method::POST, "/connectors/c/restart", 404),
        ("same-origin", "http://worker", Method::POST, "/connectors/c/restart", 404),
        ("none", "", Method::POST, "/connectors/c/restart", 404),
        ("cross-site", "https://evil", Method::GET, "/connectors", 200),
    ] {
        let (status, ..) = send(&own, method.clone(), path, &[("sec-fetch-site", site), ("origin", origin)]).await;
        assert_eq!(status, expected, "{site} {origin} {method} {path}");
    }
    let closed = herder(&[]);
    let (status, _, text) = send(&closed, Method::POST, "/connectors/c/restart", &[("sec-fetch-site", "cross-site")]).await;
    assert!(status == 403 && text.contains("access.control.allow.origin"), "{status} {text}");
}

#[tokio::test]
async fn a_form_keeps_secrets_that_it_does_not_know() {
    let herder = herder(&[]);
    herder.create("c", config("c", &[("a.password", "pssst")]), TargetState::Started, true).await.expect("created");
    let hidden = ("a.password", HIDDEN);
    for (name, errors) in [("c", 0), ("d", 1)] {
        let checked = herder.check_shown(config(name, &[hidden])).expect("a class that there is");
        assert_eq!(checked.faults.0.len(), errors, "{}", checked.faults);
    }
    // What it makes of it does not show it.
    herder.create("e", config("e", &[("note", "https://a/?sig=pssst")]), TargetState::Started, true).await.expect("created");
    let checked = herder.check_shown(config("e", &[("note", HIDDEN)])).expect("a class that there is");
    assert_eq!((checked.properties["note"].as_str(), checked.resolved.properties["note"].as_str()), (HIDDEN, HIDDEN));
}
