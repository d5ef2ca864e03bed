//! The API in-process, over a herder with tasks that do nothing. Texts of errors are those of a real 4.3.1 worker.

use axum::body::{Body, to_bytes};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::herder::fake::{herder, remembering};

mod fuzz;
mod resources;

struct Reply {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    fn header(&self, name: &header::HeaderName) -> &str {
        self.headers[name].to_str().expect("text")
    }

    fn message(&self) -> String {
        let body = self.json();
        assert_eq!(body["error_code"], json!(self.status), "{}", self.text);
        body["message"].as_str().expect("a message").to_owned()
    }
}

async fn send(herder: &Herder, request: Request) -> Reply {
    let response = router(herder, &Access::open()).oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("a body");
    Reply { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8(bytes.to_vec()).expect("UTF-8") }
}

async fn call(herder: &Herder, method: &str, path: &str, body: Option<&str>) -> Reply {
    let request = Request::builder().method(method).uri(path).header("host", "worker:8083");
    let request = match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_owned())),
        None => request.body(Body::empty()),
    };
    send(herder, request.expect("a request")).await
}

async fn get(herder: &Herder, path: &str) -> Reply {
    call(herder, "GET", path, None).await
}

fn config(extra: &Value) -> Value {
    let mut config = json!({"connector.class": "FakeSink", "tasks.max": "2", "topics": "t1", "path": "/p"});
    for (key, value) in extra.as_object().expect("an object") {
        config[key] = value.clone();
    }
    config
}

async fn create(herder: &Herder, name: &str, extra: Value) -> Reply {
    let body = json!({"name": name, "config": config(&extra)}).to_string();
    call(herder, "POST", "/connectors", Some(&body)).await
}

fn states(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    let tasks = body["tasks"].as_array().cloned().unwrap_or_default();
    let states = std::iter::once(&body["connector"]).chain(&tasks).map(|s| s["state"].as_str().unwrap_or("").to_owned());
    states.collect()
}

#[tokio::test]
async fn a_connector_lives_as_in_java() {
    let herder = herder(&[]);
    let created = create(&herder, "c", json!({})).await;
    assert_eq!((created.status, created.header(&LOCATION)), (201, "http://worker:8083/connectors/c"));
    let expected = json!({
        "name": "c", "config": config(&json!({"name": "c"})),
        "tasks": [{"connector": "c", "task": 0}, {"connector": "c", "task": 1}], "type": "sink"
    });
    assert_eq!(created.json(), expected);
    assert_eq!(get(&herder, "/connectors/c").await.json(), expected);
    assert_eq!(get(&herder, "/connectors/").await.json(), json!(["c"]));
    let task = json!({"id": 0, "state": "RUNNING", "worker_id": "worker:8083", "version": "1.2.3"});
    assert_eq!(
        get(&herder, "/connectors/c/status").await.json(),
        json!({
            "name": "c", "connector": {"state": "RUNNING", "worker_id": "worker:8083", "version": "1.2.3"},
            "tasks": [task, {"id": 1, "state": "RUNNING", "worker_id": "worker:8083", "version": "1.2.3"}], "type": "sink"
        })
    );
    assert_eq!(get(&herder, "/connectors/c/tasks/0/status").await.json(), task);
    let tasks = get(&herder, "/connectors/c/tasks").await.json();
    let of_task = config(&json!({"name": "c", "task.class": "org.example.FakeSinkTask"}));
    assert_eq!(tasks[1], json!({"id": {"connector": "c", "task": 1}, "config": of_task}));

    for (verb, status, then) in [
        ("pause", 202, vec!["PAUSED", "PAUSED", "PAUSED"]),
        ("resume", 202, vec!["RUNNING", "RUNNING", "RUNNING"]),
        ("stop", 204, vec!["STOPPED"]),
        ("pause", 202, vec!["PAUSED"]),
        ("resume/", 202, vec!["RUNNING", "RUNNING", "RUNNING"]),
    ] {
        let reply = call(&herder, "PUT", &format!("/connectors/c/{verb}"), None).await;
        assert_eq!((reply.status, &*reply.text), (status, ""), "{verb}");
        assert_eq!(states(&get(&herder, "/connectors/c/status").await), then, "{verb}");
    }

    let fewer = call(&herder, "PUT", "/connectors/c/config", Some(&config(&json!({"tasks.max": 1})).to_string())).await;
    assert_eq!((fewer.status, &fewer.json()["config"]["tasks.max"]), (200, &json!("1")));
    assert_eq!(states(&get(&herder, "/connectors/c/status").await), ["RUNNING", "RUNNING"]);
    let patched = call(&herder, "PATCH", "/connectors/c/config", Some(r#"{"tasks.max": "3", "topics": "t1,t2"}"#)).await;
    assert_eq!((patched.status, patched.json()["tasks"].as_array().map(Vec::len)), (200, Some(3)));
    let added = call(&herder, "PATCH", "/connectors/c/config", Some(r#"{"flush.size": "7"}"#)).await;
    assert_eq!(added.json()["config"]["flush.size"], "7");
    let renamed = call(&herder, "PATCH", "/connectors/c/config", Some(r#"{"name": "other"}"#)).await;
    assert_eq!(
        (renamed.status, renamed.message().as_str()),
        (400, "Connector name configuration (other) doesn't match connector name in the URL (c)")
    );
    let removed = call(&herder, "PATCH", "/connectors/c/config", Some(r#"{"flush.size": null}"#)).await;
    assert_eq!(removed.json()["config"].get("flush.size"), None);

    assert_eq!(call(&herder, "DELETE", "/connectors/c", None).await.status, 204);
    assert_eq!(call(&herder, "DELETE", "/connectors/c", None).await.message(), "Connector c not found");
    assert_eq!(get(&herder, "/connectors").await.json(), json!([]));
}

#[tokio::test]
async fn put_creates_and_an_initial_state_is_kept_to() {
    let herder = herder(&[]);
    let created = call(&herder, "PUT", "/connectors/my%20conn/config", Some(&config(&json!({})).to_string())).await;
    assert_eq!((created.status, created.header(&LOCATION)), (201, "http://worker:8083/connectors/my%20conn"));
    for (state, then) in [("STOPPED", "STOPPED"), ("Paused", "PAUSED")] {
        let body = json!({"name": format!(" {state} "), "config": config(&json!({})), "initial_state": state});
        let reply = call(&herder, "POST", "/connectors", Some(&body.to_string())).await;
        assert_eq!((reply.status, &reply.json()["tasks"]), (201, &json!([])));
        assert_eq!(states(&get(&herder, &format!("/connectors/{state}/status")).await), [then]);
    }
    let expanded = get(&herder, "/connectors?expand=status&expand=info&expand=foo").await.json();
    assert_eq!(expanded["STOPPED"]["status"]["connector"]["state"], "STOPPED");
    assert_eq!(expanded["my conn"]["info"]["config"]["topics"], "t1");
    assert_eq!(get(&herder, "/connectors?expand=foo").await.json()["Paused"], json!({}));
}

#[tokio::test]
async fn restarts_take_in_what_they_are_asked_to() {
    let herder = herder(&[]);
    create(&herder, "good", json!({})).await;
    create(&herder, "bad", json!({"test.fail": "org.apache.kafka.connect.errors.ConnectException: no", "tasks.max": "1"})).await;
    let failed = get(&herder, "/connectors/bad/tasks/0/status").await.json();
    assert_eq!(
        (&failed["state"], &failed["trace"]),
        (&json!("FAILED"), &json!("org.apache.kafka.connect.errors.ConnectException: no"))
    );
    for (path, status, then) in [
        ("good/restart", 204, vec![]),
        ("good/restart?includeTasks=TRUE", 202, vec!["RESTARTING", "RESTARTING", "RESTARTING"]),
        ("good/restart?onlyFailed=true", 202, vec!["RUNNING", "RUNNING", "RUNNING"]),
        ("good/restart?includeTasks=maybe", 204, vec![]),
        ("good/restart?includeTasks=false&includeTasks=true", 204, vec![]),
        ("bad/restart?includeTasks=true&onlyFailed=true", 202, vec!["RUNNING", "RESTARTING"]),
        ("good/tasks/1/restart", 204, vec![]),
        ("good/tasks/+1/restart/", 204, vec![]),
    ] {
        let reply = call(&herder, "POST", &format!("/connectors/{path}"), None).await;
        assert_eq!(reply.status, status, "{path}");
        if status == 202 {
            assert_eq!(states(&reply), then, "{path}");
        }
    }
    assert_eq!(states(&get(&herder, "/connectors/good/status").await), ["RUNNING", "RUNNING", "RUNNING"]);
    call(&herder, "PUT", "/connectors/bad/pause", None).await;
    assert_eq!(states(&get(&herder, "/connectors/bad/status").await), ["PAUSED", "FAILED"]);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_javas_words() {
    let herder = herder(&[]);
    create(&herder, "c", json!({})).await;
    for (method, path, status, message) in [
        ("GET", "/connectors/nope", 404, "Connector nope not found"),
        ("GET", "/connectors/%20fs1%20", 404, "Connector  fs1  not found"),
        ("GET", "/connectors/a%3Bb", 404, "Connector a;b not found"),
        ("GET", "/connectors/a;b=c", 404, "Connector a not found"),
        ("GET", "/connectors/nope/config", 404, "Connector nope not found"),
        ("GET", "/connectors/nope/tasks", 404, "Connector nope not found"),
        ("GET", "/connectors/nope/status", 404, "No status found for connector nope"),
        ("GET", "/connectors/c/tasks/2/status", 404, "No status found for task c-2"),
        ("GET", "/connectors/c/tasks/-1/status", 404, "No status found for task c--1"),
        ("GET", "/connectors/c/tasks/abc/status", 404, "HTTP 404 Not Found"),
        ("GET", "/connectors/c/tasks/99999999999/status", 404, "HTTP 404 Not Found"),
        ("PUT", "/connectors/nope/pause", 404, "Unknown connector nope"),
        ("PUT", "/connectors/nope/resume", 404, "Unknown connector nope"),
        ("PUT", "/connectors/nope/stop", 404, "Unknown connector nope"),
        ("POST", "/connectors/nope/restart", 404, "Unknown connector: nope"),
        ("POST", "/connectors/nope/tasks/0/restart", 404, "Unknown connector: nope"),
        ("POST", "/connectors/c/tasks/-1/restart", 404, "Unknown task: c--1"),
        ("GET", "/connector-plugins/Nope/config", 404, "Unknown plugin Nope."),
        ("GET", "/unknown", 404, "HTTP 404 Not Found"),
        ("GET", "/CONNECTORS", 404, "HTTP 404 Not Found"),
        ("POST", "/", 405, "HTTP 405 Method Not Allowed"),
        ("DELETE", "/connectors", 405, "HTTP 405 Method Not Allowed"),
        ("GET", "/connectors/c/pause", 405, "HTTP 405 Method Not Allowed"),
        ("GET", "/admin", 404, "HTTP 404 Not Found"),
    ] {
        let reply = call(&herder, method, path, None).await;
        assert_eq!((reply.status, &*reply.message()), (status, message), "{method} {path}");
    }
}

const HINT: &str =
    "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`";

#[tokio::test]
async fn a_bad_create_is_refused_in_javas_words() {
    let herder = herder(&[]);
    create(&herder, "c", json!({})).await;
    let invalid = |errors: &[&str]| {
        let head = format!("Connector configuration is invalid and contains the following {} error(s):\n", errors.len());
        format!("{head}{}{HINT}", errors.join("\n"))
    };
    let neither = "Must configure one of topics or topics.regex";
    let both = "topics and topics.regex are mutually exclusive options, but both are set.";
    let null = "Invalid value null for configuration tasks.max: Value must be non-null";
    let request = |name: Value, extra: Value| json!({"name": name, "config": config(&extra)}).to_string();
    let x = |extra: Value| request(json!("x"), extra);
    for (body, status, message) in [
        ("null".into(), 500, "Cannot invoke \"org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.name()\" because \"createRequest\" is null".to_owned()),
        (r#"{"name":"x"}"#.into(), 500, "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null".into()),
        (
            r#"{"name":"x","config":{"topics":["t"]}}"#.into(),
            500,
            "Cannot deserialize value of type `java.lang.String` from Array value (token `JsonToken.START_ARRAY`) (through reference chain: org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest[\"config\"]->java.util.LinkedHashMap[\"topics\"])".into(),
        ),
        (r#"{"config":{}}"#.into(), 400, "Connector config {name=} contains no connector type".into()),
        (r#"{"name":12,"config":{}}"#.into(), 400, "Connector config {name=12} contains no connector type".into()),
        (r#"{"name":"x","config":{"topics":"t1"}}"#.into(), 400, "Connector config {name=x, topics=t1} contains no connector type".into()),
        (
            r#"{"name":"x","config":{"connector.clas":"FakeSink"}}"#.into(),
            400,
            "Connector config {connector.clas=[hidden], name=x} contains no connector type. Is 'connector.clas' meant for connector.class?".into(),
        ),
        (r#"{"name":"x","config":{"own":"pssst"}}"#.into(), 400, "Connector config {name=x, own=[hidden]} contains no connector type".into()),
        (request(json!("c"), json!({})), 409, "Connector c already exists".into()),
        (request(json!("  c "), json!({})), 409, "Connector c already exists".into()),
        (r#"{"name":"c","config":{}}"#.into(), 400, "Connector config {name=c} contains no connector type".into()),
        (x(json!({"name": "y"})), 400, "Connector name configuration (y) doesn't match connector name in the URL (x)".into()),
        (request(json!(""), json!({})), 400, invalid(&["Invalid value  for configuration name: String may not be empty"])),
        (request(json!(null), json!({})), 400, invalid(&["Invalid value  for configuration name: String may not be empty"])),
        (
            request(json!("a\nb"), json!({})),
            400,
            invalid(&["Invalid value a\nb for configuration name: String may not contain control sequences but had the following ASCII chars: 10"]),
        ),
        (x(json!({"topics": ""})), 400, invalid(&[neither, neither])),
        (x(json!({"topics.regex": "t.*"})), 400, invalid(&[both, both])),
        (x(json!({"tasks.max": 0})), 400, invalid(&["Invalid value 0 for configuration tasks.max: Value must be at least 1"])),
        (x(json!({"tasks.max": 1.5})), 400, invalid(&["Invalid value 1.5 for configuration tasks.max: Not a number of type INT", null])),
        (x(json!({"errors.tolerance": true})), 400, invalid(&["Invalid value true for configuration errors.tolerance: String must be one of: none, all"])),
        (x(json!({"a": null})), 400, invalid(&["Null value can not be supplied as the configuration value."])),
        (x(json!({"key.converter": "JsonConvertor"})), 400, invalid(&["Invalid value JsonConvertor for configuration key.converter: Class JsonConvertor could not be found. Did you mean JsonConverter?"])),
        (
            request(json!(""), json!({"tasks.max": "abc", "topics": ""})),
            400,
            invalid(&[
                "Invalid value  for configuration name: String may not be empty",
                "Invalid value abc for configuration tasks.max: Not a number of type INT",
                null,
                neither,
                neither,
            ]),
        ),
        (x(json!({"path": null})), 400, invalid(&["Null value can not be supplied as the configuration value. (path)"])),
    ] {
        let reply = call(&herder, "POST", "/connectors", Some(&body)).await;
        assert_eq!((reply.status, reply.message()), (status, message), "{body}");
    }
    let unknown = create(&herder, "x", json!({"connector.class": "Nope"})).await.message();
    assert!(unknown.starts_with(
        "Failed to find any class that implements Connector and which name matches Nope, available connectors are: \
         PluginDesc{klass=class org.example.FakeSinkConnector, name='org.example.FakeSinkConnector', version='1.2.3'"
    ));
    for body in [
        "{",
        "nonsense",
        "[]",
        r#"{"name":"x","config":{},"foo":1}"#,
        r#"{"name":"x","config":{"a":{}}}"#,
        r#"{"initial_state":"FOO"}"#,
    ] {
        assert_eq!(call(&herder, "POST", "/connectors", Some(body)).await.status, 500, "{body}");
    }
    let wrapped = call(&herder, "PUT", "/connectors/x/config", Some(r#"{"name":"x","config":{"topics":"t"}}"#)).await.message();
    assert!(
        wrapped.ends_with("LinkedHashMap[\"config\"]): the body is what is in config, without name and config around it"),
        "{wrapped}"
    );
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(call(&herder, "POST", "/connectors", Some(&long)).await.message(), "HTTP 413 Payload Too Large");
    assert_eq!(get(&herder, "/connectors").await.json(), json!(["c"]));
}

#[tokio::test]
async fn media_types_other_than_json_are_refused() {
    let herder = herder(&[]);
    let body = r#"{"name":"x","config":{}}"#;
    for (header, value, status) in [
        (CONTENT_TYPE, "text/plain", 415),
        (CONTENT_TYPE, "text/json", 415),
        (CONTENT_TYPE, "APPLICATION/JSON; charset=utf-8", 400),
        (ACCEPT, "text/html;q=0.9, application/json;q=0.1", 415),
    ] {
        let request =
            Request::builder().method("POST").uri("/connectors").header(&header, value).header("content-length", body.len());
        let reply = send(&herder, request.body(Body::from(body)).expect("a request")).await;
        assert_eq!(reply.status, status, "{header}: {value}");
        // One without a Content-Type is refused by the resource, as in Java, and others before they reach it.
        let reached = status == 400 || (status, &header) == (415, &ACCEPT);
        assert_eq!(reply.headers.contains_key(CONTENT_TYPE), reached, "{header}: {value}");
    }
    let xml = Request::builder().uri("/connectors").header(ACCEPT, "application/xml");
    assert_eq!(send(&herder, xml.body(Body::empty()).expect("a request")).await.status, 406);
    let options = call(&herder, "OPTIONS", "/connectors/nope/config", None).await;
    assert_eq!((options.status, options.header(&ALLOW)), (200, "HEAD,GET,OPTIONS,PUT,PATCH"));
    assert_eq!(call(&herder, "HEAD", "/connectors", None).await.status, 200);
    assert_eq!(options.headers["landfall-version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_secret_is_hidden_and_survives_being_read_and_put_back() {
    let herder = herder(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("state.json");
    let kept = remembering(&file).await;
    for herder in [&herder, &kept] {
        let secrets =
            json!({"secret": "pssst", "consumer.override.sasl.jaas.config": "pssst", "tasks.max": "1", "my.password": "pssst"});
        let created = create(herder, "c", secrets).await;
        assert_eq!(created.status, 201, "{}", created.text);
        for path in ["c", "c/config", "c/tasks", "c/status", "?expand=info"] {
            let text = get(herder, &format!("/connectors/{path}").replace("/?", "?")).await.text;
            assert!(!text.contains("pssst"), "{path}: {text}");
        }
        let mut read = get(herder, "/connectors/c/config").await.json();
        assert_eq!(read["secret"], "[hidden]");
        read["flush.size"] = json!("5");
        let put = call(herder, "PUT", "/connectors/c/config", Some(&read.to_string())).await;
        assert_eq!((put.status, &put.json()["config"]["secret"]), (200, &json!("[hidden]")));
        assert_eq!(get(herder, "/metrics").await.text.matches("pssst").count(), 0);
    }
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).expect("written")).expect("JSON");
    let stored = &stored["connectors"]["c"]["config"];
    assert_eq!(
        (&stored["secret"], &stored["my.password"], &stored["flush.size"]),
        (&json!("pssst"), &json!("pssst"), &json!("5"))
    );

    let nothing_to_keep = create(&herder, "d", json!({"secret": "[hidden]"})).await.message();
    assert!(nothing_to_keep.contains("Invalid value [hidden] for configuration secret: there is no stored value to keep"));
}

#[tokio::test]
async fn connectors_survive_a_restart_of_the_worker_if_there_is_a_state_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("state.json");
    {
        let herder = remembering(&file).await;
        create(&herder, "paused", json!({})).await;
        create(&herder, "stopped", json!({})).await;
        create(&herder, "running", json!({"tasks.max": "1"})).await;
        create(&herder, "gone", json!({})).await;
        call(&herder, "PUT", "/connectors/paused/pause", None).await;
        call(&herder, "PUT", "/connectors/stopped/stop", None).await;
        call(&herder, "PATCH", "/connectors/running/config", Some(r#"{"tasks.max":"2"}"#)).await;
        call(&herder, "DELETE", "/connectors/gone", None).await;
        herder.stop().await;
    }
    let herder = remembering(&file).await;
    assert_eq!(get(&herder, "/connectors").await.json(), json!(["paused", "running", "stopped"]));
    assert_eq!(states(&get(&herder, "/connectors/running/status").await), ["RUNNING", "RUNNING", "RUNNING"]);
    assert_eq!(states(&get(&herder, "/connectors/paused/status").await), ["PAUSED"]);
    assert_eq!(states(&get(&herder, "/connectors/stopped/status").await), ["STOPPED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_stops_slowly_keeps_no_other_waiting() {
    let herder = herder(&[]);
    create(&herder, "slow", json!({"test.slow": "60000", "tasks.max": "1"})).await;
    create(&herder, "quick", json!({})).await;
    let began = std::time::Instant::now();
    let (slow, quick) = tokio::join!(call(&herder, "PUT", "/connectors/slow/stop", None), async {
        let reply = call(&herder, "PUT", "/connectors/quick/pause", None).await;
        (reply.status, began.elapsed())
    });
    assert_eq!((slow.status, quick.0), (204, 202));
    assert!(quick.1.as_millis() < 200, "{quick:?}");
    assert!((300..5_000).contains(&began.elapsed().as_millis()), "the graceful timeout is kept to");
}

#[tokio::test]
async fn plugins_are_listed_and_configurations_validated() {
    let herder = herder(&[]);
    let sink = json!({"class": "org.example.FakeSinkConnector", "type": "sink", "version": "1.2.3"});
    assert_eq!(get(&herder, "/connector-plugins").await.json(), json!([sink]));
    let all = get(&herder, "/connector-plugins?connectorsOnly=false").await.json();
    assert!(all.as_array().is_some_and(|all| all.len() > 1 && all[1..].iter().any(|p| p["type"] == "header_converter")));
    let keys = get(&herder, "/connector-plugins/FakeSink/config").await.json();
    assert_eq!(
        (&keys[0]["name"], &keys[0]["required"], &keys[2]["default_value"]),
        (&json!("path"), &json!(true), &json!("1000"))
    );

    let path = "/connector-plugins/FakeSink/config/validate";
    let mut body = config(&json!({"name": "v", "flush.size": "0", "secret": "pssst", "my.null": null}));
    let reply = call(&herder, "PUT", path, Some(&body.to_string())).await;
    let infos = reply.json();
    assert_eq!((reply.status, &infos["error_count"], &infos["name"]), (200, &json!(2), &json!("FakeSink")));
    assert!(!reply.text.contains("pssst"));
    let configs = infos["configs"].as_array().expect("configs");
    let of = |name: &str| configs.iter().find(|c| c["value"]["name"] == name).cloned().unwrap_or_default();
    assert_eq!(
        of("flush.size")["value"]["errors"],
        json!(["Invalid value 0 for configuration flush.size: Value must be at least 1"])
    );
    assert_eq!(of("my.null")["definition"], Value::Null);
    assert_eq!(of("tasks.max")["definition"]["order_in_group"], 4);
    body["connector.class"] = json!("Other");
    assert_eq!(
        call(&herder, "PUT", path, Some(&body.to_string())).await.message(),
        "Included connector type Other does not match request type FakeSink"
    );
}

#[tokio::test]
async fn the_worker_says_who_it_is() {
    let herder = herder(&[]);
    assert_eq!(get(&herder, "/health").await.status, 503);
    herder.set_ready();
    let healthy = json!({"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."});
    assert_eq!(get(&herder, "/health/").await.json(), healthy);
    assert_eq!(get(&herder, "/").await.json()["kafka_cluster_id"], Value::Null);
    herder.set_cluster_id("id-of-the-cluster".into());
    let info = get(&herder, "/?x=y").await.json();
    assert_eq!((&info["version"], &info["kafka_cluster_id"]), (&json!("4.3.1"), &json!("id-of-the-cluster")));
    create(&herder, "c\"1", json!({})).await;
    let metrics = get(&herder, "/metrics").await;
    assert!(metrics.headers[CONTENT_TYPE].to_str().is_ok_and(|t| t.starts_with("text/plain; version=0.0.4")));
    for line in [
        "kafka_connect_connect_worker_metrics_connector_count 1",
        "kafka_connect_connect_worker_metrics_task_count 2",
        "kafka_connect_connect_worker_metrics_connector_running_task_count{connector=\"c\\\"1\"} 2",
        "kafka_connect_sink_task_metrics_sink_record_read_total{connector=\"c\\\"1\",task=\"1\"} 0",
        "kafka_connect_connector_metrics_status_info{connector=\"c\\\"1\",status=\"running\"} 1",
    ] {
        assert!(metrics.text.lines().any(|l| l == line), "{line}\n{}", metrics.text);
    }
}
