//! What keeps strangers out of the REST API: TLS, certificates of clients, tokens and roles, limits; and the audit log.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::support::broker::{Broker, java};
use crate::support::entra::{Authority, FakeEntra};
use crate::support::process::Process;
use crate::support::{free_port, secs, wait_until};

const NAMES: &str = "IP:127.0.0.1,DNS:localhost";
const PASSWORD: &str = "store-password";

/// A worker with these properties, in a folder of its own, which `{folder}` in them is.
struct Alone {
    process: Process,
    folder: TempDir,
}

impl Alone {
    fn start(mode: &str, properties: &str) -> Self {
        let folder = TempDir::with_prefix("landfall-secure-").expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let text = format!(
            "key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
{}
",
            properties.replace("{folder}", &folder.path().display().to_string())
        );
        let text = if mode == "standalone" {
            format!("{text}bootstrap.servers=127.0.0.1:1\noffset.storage.file.filename=unused\n")
        } else {
            text
        };
        fs::write(at("worker.properties"), text).expect("properties");
        let mut command = match mode {
            "java" => java("java-worker", "256m", "org.apache.kafka.connect.cli.ConnectDistributed"),
            mode => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
                command.arg(mode);
                command
            }
        };
        command.arg(at("worker.properties"));
        let process =
            Process::spawn(command.current_dir(folder.path()), &at("worker.log"), folder.path()).expect("the worker's program");
        Self { process, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("worker.log")).unwrap_or_default()
    }

    /// The lines of its audit log.
    fn audited(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

/// A client that trusts `ca`, and shows this certificate.
fn client(ca: Option<&Path>, identity: Option<&(PathBuf, PathBuf)>) -> ureq::Agent {
    let read = |path: &Path| fs::read(path).expect("a file");
    let mut tls =
        TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    if let Some(ca) = ca {
        tls = tls.root_certs(RootCerts::new_with_certs(&[Certificate::from_pem(&read(ca)).expect("PEM")]));
    }
    let own = identity.map(|(certificate, key)| {
        let certificate = Certificate::from_pem(&read(certificate)).expect("PEM");
        ClientCert::new_with_certs(&[certificate], PrivateKey::from_pem(&read(key)).expect("PEM"))
    });
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(secs(30)));
    config.tls_config(tls.client_cert(own).build()).build().into()
}

/// Asks with these headers; the status, the body and the headers of the answer.
fn ask(
    client: &ureq::Agent,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Result<(u16, Value, ureq::http::HeaderMap), ureq::Error> {
    let request = headers
        .iter()
        .fold(ureq::http::Request::builder().method(method).uri(url), |request, (name, value)| request.header(*name, *value));
    let mut answer = match body {
        Some(body) => {
            client.run(request.header("content-type", "application/json").body(body.to_string()).expect("a request"))?
        }
        // With a body of no bytes, or the request would be said to have one of unknown length.
        None if method == "PUT" => client.run(request.header("content-type", "application/json").body("").expect("a request"))?,
        None => client.run(request.body(()).expect("a request"))?,
    };
    let text = answer.body_mut().read_to_string()?;
    Ok((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)), answer.headers().clone()))
}

fn started(worker: &Alone, client: &ureq::Agent, url: &str) {
    wait_until(&format!("{url} to answer: {}", worker.log()), secs(60), || ask(client, "GET", url, &[], None).ok());
}

/// A store in PEM, as Java has it: a key and its certificate.
fn pem_store(folder: &Path, name: &str, (certificate, key): &(PathBuf, PathBuf)) -> PathBuf {
    let store = folder.join(format!("{name}.store.pem"));
    let text = [key, certificate].map(|path| fs::read_to_string(path).expect("PEM")).concat();
    // As whoever rotates certificates does: the new one is there at once, or not yet.
    let new = folder.join(format!("{name}.new"));
    fs::write(&new, text).expect("written");
    fs::rename(&new, &store).expect("renamed");
    store
}

fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().expect(program);
    assert!(
        done.status.success(),
        "{program}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A key store and a trust store as keytool makes them.
fn java_stores(folder: &Path, kind: &str, (certificate, key): &(PathBuf, PathBuf), ca: &Path) -> (PathBuf, PathBuf) {
    let (p12, store, trust) = (folder.join("own.p12"), folder.join(format!("own.{kind}")), folder.join(format!("trust.{kind}")));
    let text = |path: &Path| path.display().to_string();
    let pass = format!("pass:{PASSWORD}");
    run(
        "openssl",
        &[
            "pkcs12",
            "-export",
            "-name",
            "own",
            "-inkey",
            &text(key),
            "-in",
            &text(certificate),
            "-out",
            &text(&p12),
            "-passout",
            &pass,
        ],
    );
    let from =
        ["-importkeystore", "-noprompt", "-srckeystore", &text(&p12), "-srcstoretype", "PKCS12", "-srcstorepass", PASSWORD];
    let to = ["-destkeystore", &text(&store), "-deststoretype", kind, "-deststorepass", PASSWORD];
    run("keytool", &[from.as_slice(), &to].concat());
    let import = ["-importcert", "-noprompt", "-alias", "ca", "-file", &text(ca), "-keystore", &text(&trust)];
    run("keytool", &[import.as_slice(), &["-storetype", kind, "-storepass", PASSWORD]].concat());
    (store, trust)
}

#[test]
fn https_listeners_answer_clients_with_a_certificate_and_take_up_new_ones() {
    let stores = TempDir::new().expect("a folder");
    let (ours, theirs) = (Authority::make(), Authority::make());
    let (own, alice, eve) = (ours.server("own", NAMES), ours.server("alice", "DNS:alice"), theirs.server("eve", "DNS:eve"));
    let store = pem_store(stores.path(), "own", &own);
    let (jks, trust) = java_stores(stores.path(), "JKS", &own, &ours.ca_file());
    let (https, admin, metrics) = (free_port(), free_port(), free_port());
    let properties = format!(
        "listeners=https://127.0.0.1:{https}
landfall.metrics.listeners=https://127.0.0.1:{metrics}
listeners.https.ssl.keystore.type=PEM
listeners.https.ssl.keystore.location={}
listeners.https.ssl.truststore.type=PEM
listeners.https.ssl.truststore.location={}
listeners.https.ssl.client.auth=required
admin.listeners=https://127.0.0.1:{admin}
ssl.keystore.location={}
ssl.keystore.password={PASSWORD}
ssl.key.password={PASSWORD}
ssl.truststore.location={}
ssl.truststore.password={PASSWORD}
ssl.client.auth=requested
ssl.enabled.protocols=TLSv1.2
access.control.allow.origin=https://console\\\\.example
access.control.allow.methods=GET,PUT",
        store.display(),
        ours.ca_file().display(),
        jks.display(),
        trust.display()
    );
    let worker = Alone::start("standalone", &properties);
    let (main, of_admin) = (format!("https://127.0.0.1:{https}"), format!("https://127.0.0.1:{admin}"));
    let ca = ours.ca_file();
    let known = client(Some(&ca), Some(&alice));
    started(&worker, &known, &main);
    let config = json!({"name": "c", "config": {"connector.class": "FileStreamSink", "topics": "t", "file": "f"}, "initial_state": "STOPPED"});
    let (status, body, headers) = ask(&known, "POST", &format!("{main}/connectors"), &[], Some(&config)).expect("an answer");
    assert_eq!(status, 201, "{body}");
    assert_eq!(headers["location"], format!("{main}/connectors/c"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let page = [("origin", "https://console.example"), ("access-control-request-method", "PUT")];
    let (_, _, headers) = ask(&known, "OPTIONS", &format!("{main}/connectors"), &page, None).expect("an answer");
    assert_eq!(headers["access-control-allow-origin"], page[0].1);
    assert_eq!(headers["access-control-allow-methods"], "GET,PUT");
    for (who, stranger) in [("nobody", client(Some(&ca), None)), ("one of another authority", client(Some(&ca), Some(&eve)))] {
        assert!(ask(&stranger, "GET", &main, &[], None).is_err(), "{who} is let in");
    }
    assert!(
        ask(&client(Some(&theirs.ca_file()), Some(&alice)), "GET", &main, &[], None).is_err(),
        "the worker shows another certificate"
    );
    // Metrics have the certificate of the API, and its ways.
    let metrics = format!("https://127.0.0.1:{metrics}/metrics");
    let text = known.get(&metrics).call().expect("metrics").body_mut().read_to_string().expect("text");
    assert!(text.contains("landfall_build_info{"), "{text}");
    assert!(client(Some(&ca), None).get(&metrics).call().is_err(), "nobody is let in");
    // The admin listener has a store of Java's, speaks TLS 1.2 and does not insist.
    for identity in [None, Some(&alice)] {
        let (status, loggers, _) =
            ask(&client(Some(&ca), identity), "GET", &format!("{of_admin}/admin/loggers"), &[], None).expect("an answer");
        assert_eq!((status, &loggers["root"]["level"]), (200, &json!("INFO")));
    }
    assert!(ask(&client(Some(&ca), Some(&eve)), "GET", &of_admin, &[], None).is_err(), "a certificate of a stranger is let in");
    // Who has forgotten the s is told.
    let (status, body, _) = ask(&client(None, None), "GET", &main.replace("https", "http"), &[], None).expect("an answer");
    assert!(status == 400 && body["message"].as_str().is_some_and(|text| text.contains("https")), "{body}");
    // What replaces the store counts without a restart; what is no store changes nothing.
    fs::write(&store, "no PEM").expect("written");
    wait_until("the broken store to be looked at", secs(20), || {
        assert_eq!(ask(&client(Some(&ca), Some(&alice)), "GET", &main, &[], None).expect("the store of before").0, 200);
        worker.log().contains("cannot be read, those of before count").then_some(())
    });
    pem_store(stores.path(), "own", &theirs.server("own", NAMES));
    let by_others = client(Some(&theirs.ca_file()), Some(&alice));
    wait_until("the new certificate", secs(20), || {
        ask(&client(Some(&theirs.ca_file()), Some(&alice)), "GET", &main, &[], None).ok()
    });
    assert_eq!(ask(&by_others, "GET", &main, &[], None).expect("an answer").0, 200);
    assert!(!worker.log().contains(PASSWORD));
}

#[test]
fn a_https_listener_without_a_certificate_does_not_start() {
    for (more, expected) in [
        ("", "listeners.https.ssl.keystore.location: a https listener needs a certificate"),
        ("listeners.https.ssl.keystore.type=PEM\nlisteners.https.ssl.keystore.location=/no/such/store", "/no/such/store"),
        ("listeners.https.ssl.client.auth=wanted", "String must be one of: required, requested, none"),
    ] {
        let properties = format!("listeners=https://127.0.0.1:0\nlisteners.https.ssl.protocol=TLSv1.3\n{more}");
        let mut worker = Alone::start("standalone", &properties);
        let status = wait_until("the worker to end", secs(60), || worker.process.ended());
        assert!(!status.success() && worker.log().contains(expected), "{expected}: {}", worker.log());
    }
}

/// Sends something and reads what comes until the end, or until nothing comes for a while.
fn raw(port: u16, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(secs(20))).expect("a timeout");
    stream.write_all(sent).expect("sent");
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read);
    String::from_utf8_lossy(&read).into_owned()
}

#[test]
fn slow_and_greedy_clients_keep_nobody_else_out() {
    let port = free_port();
    let properties = format!(
        "listeners=http://127.0.0.1:{port}\nlandfall.rest.slow.client.ms=700\nlandfall.rest.max.connections=16\nlandfall.rest.max.body.bytes=2000"
    );
    let worker = Alone::start("standalone", &properties);
    let url = format!("http://127.0.0.1:{port}");
    started(&worker, &client(None, None), &url);
    // Three times as many as may be, each of which never ends its head.
    let slow: Vec<TcpStream> = (0..48)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            stream.write_all(b"GET / HTTP/1.1\r\nx: ").expect("sent");
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(ask(&client(None, None), "GET", &url, &[], None).expect("an answer").0, 200);
    }
    let began = Instant::now();
    for mut stream in slow {
        stream.set_read_timeout(Some(secs(20))).expect("a timeout");
        // The head goes on, and is still dropped: the whole of it has to come in time.
        let _ = stream.write_all(b"y");
        let ended = stream.read(&mut [0; 64]);
        assert!(
            matches!(ended, Ok(0)) || ended.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset),
            "{ended:?}"
        );
    }
    assert!(began.elapsed() < secs(15), "slow clients stay");
    let stalled =
        raw(port, b"POST /connectors HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{");
    assert!(stalled.starts_with("HTTP/1.1 408") && stalled.contains(r#""error_code":408"#), "{stalled}");
    let long =
        raw(port, b"POST /connectors HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 2001\r\n\r\n");
    assert!(long.starts_with("HTTP/1.1 413") && long.contains(r#""error_code":413"#), "{long}");
    let head = format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "x".repeat(40_000));
    assert!(raw(port, head.as_bytes()).starts_with("HTTP/1.1 431"));
    let path = format!("GET /{} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n", "x".repeat(9000));
    assert!(raw(port, path.as_bytes()).starts_with("HTTP/1.1 414"));
    for (path, why) in [("/connectors//x", "Ambiguous URI empty segment"), ("/connectors/%2e%2e/x", "Ambiguous URI path segment")]
    {
        let answer = raw(port, format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(why), "{answer}");
    }
    assert_eq!(ask(&client(None, None), "GET", &url, &[], None).expect("an answer").0, 200);
}

/// Claims of a token that is good, with others in the place of some.
fn claims(entra: &FakeEntra, more: &Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = json!({
        "iss": format!("{}/{}/v2.0", entra.url(), FakeEntra::TENANT), "aud": "api://landfall", "iat": now, "nbf": now, "exp": now + 600,
        "preferred_username": "alice@example.com", "sub": "0",
    });
    for (key, value) in more.as_object().expect("an object") {
        // In seconds from now.
        claims[key] = if ["exp", "nbf"].contains(&key.as_str()) {
            json!(now.saturating_add_signed(value.as_i64().expect("seconds")))
        } else {
            value.clone()
        };
    }
    claims
}

#[test]
fn tokens_have_roles_and_what_they_change_is_written_down() {
    let entra = FakeEntra::start();
    let port = free_port();
    let properties = format!(
        "listeners=http://127.0.0.1:{port}
landfall.rest.auth=bearer,basic
landfall.rest.bearer.issuer={}/{}/v2.0
landfall.rest.bearer.audience=api://landfall
landfall.rest.bearer.ca.file={}
landfall.rest.bearer.clock.skew.ms=5000
landfall.rest.role.reader=Connect.Reader
landfall.rest.role.operator=Connect.Operator,bob
landfall.rest.role.admin=Connect.Admin
landfall.rest.open.paths=/health
landfall.basic.auth.file={{folder}}/users
landfall.audit.log={{folder}}/audit.log
landfall.rest.trusted.proxies=127.0.0.0/8
access.control.allow.origin=*",
        entra.url(),
        FakeEntra::TENANT,
        entra.ca_file().display()
    );
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("users"), "bob=builder\ncarol=singer\n").expect("users");
    let properties = properties.replace("{folder}/users", &folder.path().join("users").display().to_string());
    let worker = Alone::start("standalone", &properties);
    let (agent, url) = (client(None, None), format!("http://127.0.0.1:{port}"));
    wait_until("the worker to answer", secs(60), || {
        ask(&agent, "GET", &format!("{url}/health"), &[], None).ok().filter(|(status, ..)| *status == 200)
    });
    let bearer = |more: &Value| format!("Bearer {}", entra.issue(&claims(&entra, more)));
    let basic = |login: &str| format!("Basic {}", BASE64_STANDARD.encode(login));
    let send = |method: &str, path: &str, login: &str, body: Option<&Value>| {
        let headers = [("authorization", login), ("x-forwarded-for", "203.0.113.9"), ("x-request-id", "from-the-test")];
        let (status, body, headers) =
            ask(&agent, method, &format!("{url}{path}"), &headers[..if login.is_empty() { 0 } else { 3 }], body)
                .expect("an answer");
        (status, body["message"].as_str().unwrap_or_default().to_owned(), headers)
    };
    // Who is nobody.
    let good = entra.issue(&claims(&entra, &json!({"roles": ["Connect.Admin"]})));
    let parts: Vec<&str> = good.split('.').collect();
    let encoded = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let unsigned = format!("Bearer {}.{}.", encoded(json!({"alg": "none", "kid": "landfall-test"})), parts[1]);
    let hmac = format!("Bearer {}.{}.{}", encoded(json!({"alg": "HS256", "kid": "landfall-test"})), parts[1], parts[2]);
    let unknown = format!("Bearer {}.{}.{}", encoded(json!({"alg": "RS256", "kid": "another"})), parts[1], parts[2]);
    let other_algorithm =
        format!("Bearer {}.{}.{}", encoded(json!({"alg": "PS256", "kid": "landfall-test"})), parts[1], parts[2]);
    let changed =
        format!("Bearer {}.{}.{}", parts[0], encoded(claims(&entra, &json!({"roles": ["Connect.Admin"], "sub": "1"}))), parts[2]);
    let roles = json!(["Connect.Admin"]);
    for (login, why) in [
        (String::new(), "User cannot access the resource."),
        ("Bearer x".into(), "it is no JWT"),
        (bearer(&json!({"exp": -20, "roles": roles})), "it has expired"),
        (bearer(&json!({"nbf": 60, "roles": roles})), "it is not valid yet"),
        (bearer(&json!({"aud": "api://other", "roles": roles})), "it is for another audience"),
        (bearer(&json!({"aud": null, "roles": roles})), "it lacks one of the claims"),
        (bearer(&json!({"iss": "https://sts.windows.net/other/", "roles": roles})), "it is of another issuer"),
        (unsigned, "it is no JWT"),
        (hmac, "it is signed by none of"),
        (unknown, "the issuer has no such key"),
        (other_algorithm, "the issuer has no such key"),
        (changed, "its signature is wrong"),
        (basic("bob:wrong"), "User cannot access the resource."),
        (basic("nobody:"), "User cannot access the resource."),
    ] {
        let (status, message, headers) = send("GET", "/connectors", &login, None);
        assert!(status == 401 && message.contains(why), "{why}: {status} {message}");
        let challenges: Vec<_> = headers.get_all("www-authenticate").iter().map(|value| value.to_str().expect("text")).collect();
        assert!(challenges.len() == 2 && challenges[1].starts_with("Bearer realm="), "{challenges:?}");
        assert_eq!(headers["vary"], "Origin");
    }
    // Who is somebody, but not enough.
    let (reader, operator) = (bearer(&json!({"roles": ["x", "Connect.Reader"]})), bearer(&json!({"scp": "a Connect.Operator"})));
    let (bob, carol, admin) = (basic("bob:builder"), basic("carol:singer"), bearer(&json!({"groups": ["Connect.Admin"]})));
    let config = json!({"connector.class": "FileStreamSink", "topics": "t", "file": "f", "my.secret": "pssst-1", "my.password": "pssst-2"});
    let create = json!({"name": "c", "config": config, "initial_state": "STOPPED"});
    for (method, path, body, login, needed) in [
        ("GET", "/connectors", None, &carol, "reader"),
        ("POST", "/connectors", Some(&create), &reader, "admin"),
        ("PUT", "/connectors/c/pause", None, &reader, "operator"),
        ("PUT", "/connector-plugins/FileStreamSink/config/validate", Some(&config), &reader, "operator"),
        ("POST", "/connectors", Some(&create), &bob, "admin"),
        ("DELETE", "/connectors/c", None, &operator, "admin"),
        ("PUT", "/admin/loggers/root", Some(&json!({"level": "DEBUG"})), &operator, "admin"),
        ("POST", "/connectors/c/tasks", Some(&json!([])), &operator, "admin"),
    ] {
        let (status, message, _) = send(method, path, login, body);
        assert!(status == 403 && message.contains(&format!("needs the role {needed}")), "{method} {path}: {status} {message}");
    }
    assert_eq!(send("GET", "/connectors", &reader, None).0, 200);
    let before = worker.audited().len();
    // Who may.
    assert_eq!(send("POST", "/connectors", &admin, Some(&create)).0, 201);
    let mut changed = config.clone();
    changed["topics"] = json!("t,u");
    changed["my.password"] = json!("[hidden]");
    assert_eq!(send("PUT", "/connectors/c/config", &admin, Some(&changed)).0, 200);
    assert_eq!(send("PUT", "/connectors/c/resume", &bob, None).0, 202);
    assert_eq!(send("PUT", "/connectors/c/pause", &operator, None).0, 202);
    assert_eq!(send("PATCH", "/connectors/nope/config", &admin, Some(&json!({"a": "b"}))).0, 404);
    assert_eq!(send("PUT", "/connector-plugins/FileStreamSink/config/validate", &operator, Some(&config)).0, 200);
    assert_eq!(send("GET", "/connectors/c", &reader, None).0, 200);
    let lines = worker.audited();
    let told: Vec<_> = lines[before..]
        .iter()
        .map(|line| (line["action"].as_str(), line["principal"].as_str(), line["role"].as_str(), line["status"].as_u64()))
        .collect();
    let alice = Some("alice@example.com");
    assert_eq!(
        told,
        [
            (Some("create"), alice, Some("admin"), Some(201)),
            (Some("config"), alice, Some("admin"), Some(200)),
            (Some("resume"), Some("bob"), Some("operator"), Some(202)),
            (Some("pause"), alice, Some("operator"), Some(202)),
            (Some("patch"), alice, Some("admin"), Some(404)),
        ]
    );
    let line = &lines[before + 1];
    assert_eq!(
        line["changes"],
        json!({"topics": {"old": "t", "new": "t,u"}, "my.secret": {"old": "[hidden]", "new": "[hidden]"}})
    );
    assert_eq!(
        (&line["connector"], &line["forwarded_for"], &line["request"]),
        (&json!("c"), &json!("203.0.113.9"), &json!("from-the-test"))
    );
    assert!(line["remote"].as_str().is_some_and(|remote| remote.starts_with("127.0.0.1:")), "{line}");
    let refused = |status: u16| lines.iter().filter(|line| line["status"] == status).count();
    assert_eq!((refused(401), refused(403)), (14, 8), "{lines:#?}");
    // What was moved away is let go of.
    let (log, moved) = (worker.folder.path().join("audit.log"), worker.folder.path().join("audit.log.1"));
    fs::rename(&log, &moved).expect("moved");
    assert_eq!(send("DELETE", "/connectors/c", &admin, None).0, 204);
    assert_eq!(worker.audited().iter().map(|line| line["action"].clone()).collect::<Vec<_>>(), ["delete"]);
    // What cannot be written down is not done.
    fs::remove_file(&log).expect("removed");
    fs::create_dir(&log).expect("a folder in its place");
    let (status, message, _) = send("POST", "/connectors", &admin, Some(&create));
    assert!(status == 500 && message.contains("audit log"), "{status} {message}");
    assert_eq!(send("GET", "/connectors/c", &reader, None).0, 404);
    fs::remove_dir(&log).expect("removed");
    // The issuer's keys outlive it.
    drop(entra);
    assert_eq!(send("GET", "/connectors", &admin, None).0, 200);
    let all = format!("{}{}", worker.log(), fs::read_to_string(moved).expect("a log"));
    for secret in ["pssst", "builder", parts[1], parts[2]] {
        assert!(!all.contains(secret), "{secret} is told");
    }
}

#[test]
fn workers_of_a_cluster_pass_requests_on_over_https() {
    let broker = Broker::shared();
    let stores = TempDir::new().expect("a folder");
    let authority = Authority::make();
    let (own, ca) = (authority.server("own", NAMES), authority.ca_file());
    let store = pem_store(stores.path(), "own", &own);
    let (jks, trust) = java_stores(stores.path(), "PKCS12", &own, &ca);
    let id = "https-cluster";
    let topics: String = ["config", "offset", "status"]
        .map(|store| format!("{store}.storage.topic={id}-{store}\n{store}.storage.replication.factor=1\n"))
        .concat();
    let start = |mode: &str, port: u16| {
        let (key_store, trust_store) = match mode {
            "java" => (
                format!("location={}\nlisteners.https.ssl.keystore.type=PKCS12", jks.display()),
                format!("location={}\nlisteners.https.ssl.truststore.type=PKCS12", trust.display()),
            ),
            _ => (
                format!("location={}\nlisteners.https.ssl.keystore.type=PEM", store.display()),
                format!("location={}\nlisteners.https.ssl.truststore.type=PEM", ca.display()),
            ),
        };
        let own = match mode {
            "java" => format!(
                "plugin.discovery=service_load
listeners.https.ssl.keystore.password={PASSWORD}
listeners.https.ssl.key.password={PASSWORD}
listeners.https.ssl.truststore.password={PASSWORD}"
            ),
            _ => "landfall.audit.log={folder}/audit.log".to_owned(),
        };
        let properties = format!(
            "bootstrap.servers={}
group.id={id}
{topics}offset.storage.partitions=1
status.storage.partitions=1
scheduled.rebalance.max.delay.ms=0
listeners=https://127.0.0.1:{port}
rest.advertised.host.name=127.0.0.1
listeners.https.ssl.keystore.{key_store}
listeners.https.ssl.truststore.{trust_store}
listeners.https.ssl.client.auth=required
{own}",
            broker.bootstrap()
        );
        Alone::start(mode, &properties)
    };
    let kinds = ["java", "distributed", "distributed"];
    let members = kinds.map(|mode| {
        let port = free_port();
        (port, start(mode, port))
    });
    let known = client(Some(&ca), Some(&own));
    let url = |port: u16| format!("https://127.0.0.1:{port}");
    for (port, worker) in &members {
        wait_until(&format!("{port} to be healthy: {}", worker.log()), secs(90), || {
            ask(&known, "GET", &format!("{}/health", url(*port)), &[], None).ok().filter(|(status, ..)| *status == 200)
        });
    }
    for (place, (port, _)) in members.iter().enumerate() {
        let name = format!("c{place}");
        let config = json!({"name": name, "config": {"connector.class": "FileStreamSink", "topics": "t", "file": "f"}, "initial_state": "STOPPED"});
        let (request, at) = (format!("create-{place}"), url(*port));
        let (status, body, headers) = wait_until("no rebalance", secs(60), || {
            let asked = ask(&known, "POST", &format!("{at}/connectors"), &[("x-request-id", &request)], Some(&config));
            asked.ok().filter(|(status, ..)| *status != 409)
        });
        assert_eq!(status, 201, "{body}");
        assert_eq!(headers["location"], format!("{at}/connectors/{name}"));
        for (other, _) in &members {
            wait_until("all to know of it", secs(30), || {
                ask(&known, "GET", &format!("{}/connectors/{name}", url(*other)), &[], None)
                    .ok()
                    .filter(|(status, ..)| *status == 200)
            });
        }
        wait_until("somebody to have it", secs(30), || {
            let (_, status, _) = ask(&known, "GET", &format!("{at}/connectors/{name}/status"), &[], None).ok()?;
            status["connector"]["worker_id"].as_str()?.starts_with("127.0.0.1:").then_some(())
        });
    }
    // Each where the user asked, once. Java has no audit log: what it passes on is written down by whoever leads, if that is one of ours.
    let created = |worker: &Alone| -> Vec<String> {
        let lines = worker.audited().into_iter().filter(|line| line["action"] == "create" && line["status"] == 201);
        lines.map(|line| line["connector"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let (first, second) = (created(&members[1].1), created(&members[2].1));
    let own = |lines: &[String]| lines.iter().filter(|line| *line != "c0").cloned().collect::<Vec<_>>();
    assert_eq!((own(&first).as_slice(), own(&second).as_slice()), (["c1".to_owned()].as_slice(), ["c2".to_owned()].as_slice()));
    assert!(first.iter().chain(&second).filter(|line| *line == "c0").count() <= 1, "{first:?} {second:?}");
    let stranger = client(Some(&ca), None);
    assert!(
        members.iter().all(|(port, _)| ask(&stranger, "GET", &url(*port), &[], None).is_err()),
        "somebody without a certificate is let in"
    );
}
