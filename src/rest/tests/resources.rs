//! Offsets as far as no broker is asked, topics, loggers, the admin API, users and headers.

use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, WWW_AUTHENTICATE};

use super::*;

#[tokio::test]
async fn offsets_are_altered_of_stopped_connectors_only() {
    let herder = herder(&[]);
    create(&herder, "c", json!({})).await;
    let body = r#"{"offsets": [{"partition": {"kafka_topic": "t1"}, "offset": {"kafka_offset": 1}}]}"#;
    let stop = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified \
                connector by issuing a 'PUT' request to the '/connectors/c/stop' endpoint";
    let keys = "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'";
    let none = "Partitions / offsets need to be provided for an alter offsets request";
    for (method, path, body, status, message) in [
        ("GET", "/connectors/nope/offsets", None, 404, "Connector nope not found"),
        ("PATCH", "/connectors/nope/offsets", Some("{}"), 400, none),
        ("PATCH", "/connectors/nope/offsets", Some(body), 404, "Connector nope not found"),
        ("DELETE", "/connectors/nope/offsets", None, 404, "Connector nope not found"),
        ("PATCH", "/connectors/c/offsets", Some(body), 400, stop),
        ("DELETE", "/connectors/c/offsets", None, 400, stop),
    ] {
        let reply = call(&herder, method, path, body).await;
        assert_eq!((reply.status, reply.message().as_str()), (status, message), "{method} {path}");
    }
    assert_eq!(call(&herder, "PUT", "/connectors/c/stop", None).await.status, 204);
    let reply = call(&herder, "PATCH", "/connectors/c/offsets/", Some(body)).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, keys));
    assert_eq!(call(&herder, "HEAD", "/connectors/nope/offsets", None).await.status, 404);
    let options = call(&herder, "OPTIONS", "/connectors/c/offsets", None).await;
    assert_eq!(options.header(&ALLOW), "HEAD,DELETE,GET,OPTIONS,PATCH");
}

#[tokio::test]
async fn topics_are_shown_until_they_are_reset() {
    let tracking = herder(&[]);
    create(&tracking, "c", json!({"test.used": "t2,t1,t1"})).await;
    assert_eq!(get(&tracking, "/connectors/c/topics").await.json(), json!({"c": {"topics": ["t1", "t2"]}}));
    assert_eq!(get(&tracking, "/connectors/nope/topics").await.json(), json!({"nope": {"topics": []}}));
    let reset = call(&tracking, "PUT", "/connectors/c/topics/reset", None).await;
    assert_eq!((reset.status, &*reset.text), (202, ""));
    assert_eq!(get(&tracking, "/connectors/c/topics").await.json(), json!({"c": {"topics": []}}));
    assert_eq!(call(&tracking, "POST", "/connectors/c/tasks/0/restart", None).await.status, 204);
    assert_eq!(get(&tracking, "/connectors/c/topics").await.json(), json!({"c": {"topics": ["t1", "t2"]}}));
    call(&tracking, "DELETE", "/connectors/c", None).await;
    assert_eq!(get(&tracking, "/connectors/c/topics").await.json(), json!({"c": {"topics": []}}));
    assert_eq!(call(&tracking, "PUT", "/connectors/nope/topics/reset", None).await.status, 202);

    for (key, get_is, message) in [
        ("topic.tracking.enable", 403, "Topic tracking is disabled."),
        ("topic.tracking.allow.reset", 200, "Topic tracking reset is disabled."),
    ] {
        let herder = herder(&[(key, "false")]);
        assert_eq!(get(&herder, "/connectors/c/topics").await.status, get_is);
        let reset = call(&herder, "PUT", "/connectors/c/topics/reset", None).await;
        assert_eq!((reset.status, reset.message().as_str()), (403, message));
    }
}

#[tokio::test]
async fn levels_of_loggers_are_set_as_in_java() {
    let herder = herder(&[]);
    let new = "/admin/loggers/com.example.New";
    assert_eq!(get(&herder, "/admin/loggers/root").await.text, r#"{"level":"INFO","last_modified":null}"#);
    assert_eq!(get(&herder, "/admin/loggers").await.json()["root"]["level"], "INFO");
    assert_eq!(get(&herder, new).await.message(), "Logger com.example.New not found.");
    for (path, body, status, expected) in [
        (new, r#"{"level": "ERROR"}"#, 200, r#"["com.example.New"]"#),
        (new, r#"{"level": "error", "x": "y"}"#, 200, "[]"),
        (new, r#"{"level": "FOO"}"#, 404, "invalid log level 'FOO'."),
        (new, r#"{"level": 5}"#, 404, "invalid log level '5'."),
        (new, r#"{"level": ""}"#, 500, "Illegal null or empty Level name."),
        (new, r#"{"level": null}"#, 400, "Desired 'level' parameter was not specified in request."),
        (new, "{}", 400, "Desired 'level' parameter was not specified in request."),
        (new, "null", 500, "Cannot invoke \"java.util.Map.get(Object)\" because \"levelMap\" is null"),
        ("/admin/loggers/com.example.New?scope=galaxy", r#"{"level": "WARN"}"#, 200, r#"["com.example.New"]"#),
        ("/admin/loggers/com.example.Cl?scope=Cluster", r#"{"level": "DEBUG"}"#, 204, ""),
        ("/admin/loggers/com.example", r#"{"level": "TRACE"}"#, 200, r#"["com.example","com.example.Cl","com.example.New"]"#),
    ] {
        let reply = call(&herder, "PUT", path, Some(body)).await;
        let answer = if status < 300 { reply.text.clone() } else { reply.message() };
        assert!(reply.status == status && answer.starts_with(expected), "{path} {body}: {} {answer}", reply.status);
    }
    let level = get(&herder, new).await.json();
    assert!(level["level"] == "TRACE" && level["last_modified"].is_u64(), "{level}");
    assert_eq!(call(&herder, "PUT", new, None).await.status, 500);
}

#[tokio::test]
async fn the_admin_api_is_where_it_is_wanted() {
    let ask = async |router: Router, path: &str| {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        router.oneshot(request).await.expect("infallible").status().as_u16()
    };
    for (listeners, on_main) in [(None, 200), (Some(""), 404), (Some("http://:0"), 404)] {
        let extra: Vec<_> = listeners.map(|uris| ("admin.listeners", uris)).into_iter().collect();
        let herder = herder(&extra);
        assert_eq!(ask(router(&herder, &Access::open()), "/admin/loggers").await, on_main, "{listeners:?}");
        assert_eq!(ask(admin_router(&herder, &Access::open()), "/admin/loggers/root").await, 200);
        assert_eq!(ask(admin_router(&herder, &Access::open()), "/connectors").await, 404);
    }
}

#[tokio::test]
async fn users_need_a_password_for_what_there_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let users = dir.path().join("users");
    std::fs::write(&users, "user=password\n").expect("written");
    let herder = herder(&[("rest.extension.classes", BASIC_AUTH), ("landfall.basic.auth.file", users.to_str().expect("UTF-8"))]);
    let access = Access::of(herder.config()).expect("the users");
    let ask = async |method: &str, path: &str, login: Option<&str>| {
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        let request = login.into_iter().fold(request, |request, login| request.header("authorization", login));
        let request = request.body(Body::empty()).expect("a request");
        let response = router(&herder, &access).oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        assert_eq!(status == 401, response.headers().contains_key(WWW_AUTHENTICATE), "{method} {path}");
        status
    };
    let (good, bad) = (Some("Basic dXNlcjpwYXNzd29yZA=="), Some("Basic dXNlcjp3cm9uZw=="));
    for (method, path, anyone, user) in [
        ("GET", "/", 401, 200),
        ("GET", "/health", 401, 503),
        ("HEAD", "/connectors", 401, 200),
        ("OPTIONS", "/connectors", 401, 200),
        ("PUT", "/connectors/c/pause", 401, 404),
        ("GET", "/admin/loggers", 401, 200),
        ("GET", "/metrics", 401, 200),
        ("GET", "/nope", 404, 404),
        ("PATCH", "/", 405, 405),
    ] {
        assert_eq!(ask(method, path, None).await, anyone, "{method} {path}");
        assert_eq!(ask(method, path, bad).await, anyone, "{method} {path}");
        assert_eq!(ask(method, path, good).await, user, "{method} {path}");
    }
    let preflight = Request::builder().method("OPTIONS").uri("/connectors").header("access-control-request-method", "PUT");
    let preflight = preflight.body(Body::empty()).expect("a request");
    let response = router(&herder, &access).oneshot(preflight).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn headers_are_added_to_all_answers() {
    let herder = herder(&[("access.control.allow.origin", "*"), ("response.http.headers.config", "set X-A: 1")]);
    for path in ["/", "/nope"] {
        let request = Request::builder().uri(path).header("origin", "http://o").body(Body::empty()).expect("a request");
        let reply = send(&herder, request).await;
        assert_eq!(
            (reply.header(&ACCESS_CONTROL_ALLOW_ORIGIN), reply.headers["x-a"].as_bytes()),
            ("http://o", &b"1"[..]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_worker_says_how_it_is() {
    let herder = herder(&[]);
    let starting = get(&herder, "/health").await;
    assert_eq!((starting.status, starting.json()["status"].clone()), (503, json!("starting")));
    herder.set_ready();
    let healthy = get(&herder, "/health?timeout=1").await;
    let message = "Worker has completed startup and is ready to handle requests.";
    assert_eq!((healthy.status, healthy.json()), (200, json!({"status": "healthy", "message": message})));
}

#[tokio::test]
async fn a_worker_that_is_read_only_shows_and_validates() {
    let herder = herder(&[("landfall.rest.read.only", "true")]);
    let access = Access::of(herder.config()).expect("nothing to read");
    let ask = async |router: Router, method: &str, path: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        let response = router.oneshot(request.body(Body::from(body.to_owned())).expect("a request")).await.expect("infallible");
        let status = response.status().as_u16();
        (status, String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await.expect("a body")).into_owned())
    };
    let config = config(&json!({})).to_string();
    for (method, path, body) in [
        ("POST", "/connectors", json!({"name": "c", "config": {}}).to_string()),
        ("PUT", "/connectors/c/config", config.clone()),
        ("PATCH", "/connectors/c/offsets", "{}".into()),
        ("DELETE", "/connectors/c", String::new()),
        ("PUT", "/connectors/c/pause", String::new()),
        ("POST", "/connectors/c/tasks", "[]".into()),
        ("PUT", "/admin/loggers/root", r#"{"level": "TRACE"}"#.into()),
    ] {
        let (status, text) = ask(router(&herder, &access), method, path, &body).await;
        assert!(
            status == 403 && text.contains("read-only") && text.contains("\"error_code\":403"),
            "{method} {path}: {status} {text}"
        );
    }
    let (status, _) = ask(admin_router(&herder, &access), "PUT", "/admin/loggers/root", r#"{"level": "TRACE"}"#).await;
    assert_eq!(status, 403);
    for (method, path, body) in [
        ("GET", "/connectors", ""),
        ("PUT", "/connector-plugins/FakeSink/config/validate", config.as_str()),
        ("OPTIONS", "/connectors", ""),
    ] {
        assert_eq!(ask(router(&herder, &access), method, path, body).await.0, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn roles_hold_for_users_with_a_password_and_open_paths_for_everybody() {
    let dir = tempfile::tempdir().expect("a directory");
    let users = dir.path().join("users");
    std::fs::write(&users, "alice=a\nbob=b\ncarol=c\n").expect("written");
    let file = users.to_str().expect("UTF-8");
    let herder = herder(&[
        ("landfall.rest.auth", "basic"),
        ("landfall.basic.auth.file", file),
        ("landfall.rest.role.admin", "alice"),
        ("landfall.rest.role.reader", "bob,alice"),
        ("landfall.rest.open.paths", "/health,/metrics"),
    ]);
    let access = Access::of(herder.config()).expect("the users");
    let ask = async |router: Router, method: &str, path: &str, login: Option<&str>| {
        let request = Request::builder().method(method).uri(path);
        let request = login.into_iter().fold(request, |request, login| request.header("authorization", login));
        let response = router.oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible");
        response.status().as_u16()
    };
    let (alice, bob, carol) = (Some("Basic YWxpY2U6YQ=="), Some("Basic Ym9iOmI="), Some("Basic Y2Fyb2w6Yw=="));
    for (method, path, statuses) in [
        ("GET", "/connectors", [401, 200, 200, 403]),
        ("PUT", "/connectors/c/pause", [401, 404, 403, 403]),
        ("DELETE", "/connectors/c", [401, 404, 403, 403]),
        ("POST", "/connectors/c/tasks", [401, 500, 403, 403]),
        ("GET", "/health", [503; 4]),
        ("HEAD", "/metrics/", [200; 4]),
        ("GET", "/health;x/../connectors", [404; 4]),
    ] {
        for (login, expected) in [None, alice, bob, carol].into_iter().zip(statuses) {
            let status = ask(router(&herder, &access), method, path, login).await;
            assert_eq!(status, expected, "{method} {path} by {login:?}");
        }
    }
    // What Landfall's own key guards, it guards everywhere.
    assert_eq!(ask(admin_router(&herder, &access), "GET", "/admin/loggers", None).await, 401);
    assert_eq!(ask(admin_router(&herder, &access), "GET", "/admin/loggers", bob).await, 200);
}
