//! No secret is in what a worker says. Every test of workers looks for some ([`secrets`]); here are those that others have no use for.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::cluster::{Cluster, Kind};
use crate::support::process::Process;
use crate::support::secrets::{self, secret};
use crate::support::worker::Worker;
use crate::support::{secs, sources, wait_until};

/// A test that cannot fail proves nothing.
#[test]
fn a_secret_that_is_shown_is_found() {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    let shown = secret("shown");
    secrets::plant("another-word");
    for text in [
        format!("first\nlast {shown}!"),
        json!({"a": [{"trace": format!("Caused by: {shown}")}]}).to_string(),
        format!("authorization: Basic {}", BASE64_STANDARD.encode(format!("u:{shown}"))),
        format!("authorization: Basic {}", BASE64_STANDARD.encode(format!("me:{shown}"))),
        format!("authorization: Basic {}", BASE64_STANDARD.encode(format!("you:{shown}"))),
        BASE64_STANDARD.encode("another-word"),
        "x another-word".to_owned(),
    ] {
        assert!(secrets::found(&text).is_some(), "not found in {text}");
        assert!(catch_unwind(|| secrets::check("a text", &text)).is_err());
    }
    assert_eq!(secrets::found("[hidden] planted ${planted:/x:store} another word"), None);

    // The log of whatever of ours a test starts is looked through.
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("log");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("echo {shown}"), env!("CARGO_BIN_EXE_landfall")]);
    let mut process = Process::spawn(&mut command, &log, folder.path()).expect("sh");
    wait_until("its end", secs(10), || process.ended());
    assert!(catch_unwind(std::panic::AssertUnwindSafe(|| drop(process))).is_err(), "nobody looked");
}

/// Starts a worker that logs all there is to log.
fn talkative(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.env("LANDFALL_LOG", "trace").env("RUST_BACKTRACE", "full").arg("standalone").arg(properties);
    command
}

#[test]
fn nothing_that_a_worker_says_shows_a_secret() {
    let (broker, topic) = (Broker::shared(), "secrets");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [Record::value("one"), Record::value("{")]);
    let folder = TempDir::new().expect("a folder");
    let (values, users) = (folder.path().join("values"), folder.path().join("users"));
    let (url, provided) = (secret("url"), secret("file"));
    fs::write(&values, format!("password={provided}\nurl=http://u:{url}@127.0.0.1:1\nnumber={}\n", secret("number")))
        .expect("written");
    fs::write(&users, format!("someone={}\n", secret("user"))).expect("written");
    let of = |key: &str| format!("${{f:{}:{key}}}", values.display());
    let jaas = |name: &str| {
        format!("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"{}\";", secret(name))
    };
    let mut worker = Worker::of(
        talkative,
        &broker.bootstrap(),
        &[
            ("config.providers", "f"),
            ("config.providers.f.class", "FileConfigProvider"),
            ("consumer.sasl.jaas.config", &jaas("consumer")),
            ("producer.sasl.jaas.config", &jaas("producer")),
            ("admin.sasl.jaas.config", &jaas("admin")),
            ("sasl.jaas.config", &jaas("worker")),
            ("listeners.https.ssl.keystore.password", &of("password")),
            ("landfall.basic.auth.file", &users.display().to_string()),
            ("some.unknown.password", &secret("unknown")),
            ("some.unknwon.key", &of("password")),
        ],
    );
    worker.start_again();
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let key = secret("account");
    let good = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": "lines", "value.converter": string, "key.converter": string,
        "consumer.override.sasl.jaas.config": jaas("override"), "a.password": secret("a"), "b.password": of("password"),
        "ssl.keystore.key": format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", secret("pem")),
    });
    worker.create("good", &good);
    let registry = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": "more", "value.converter": "AvroConverter",
        "value.converter.schema.registry.url": format!("http://u:{}@127.0.0.1:1", secret("registry")),
        "value.converter.basic.auth.credentials.source": "USER_INFO",
        "value.converter.basic.auth.user.info": format!("u:{}", secret("info")), "value.converter.max.retries": "0",
    });
    assert_eq!(worker.post("/connectors", &json!({"name": "away", "config": registry})).0, 201);
    let failing = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": "json", "value.converter": "JsonConverter",
        "value.converter.schemas.enable": "true", "errors.log.enable": "true", "errors.log.include.messages": "true",
        "c.secret": secret("c"), "value.converter.d.token": secret("d"),
    });
    assert_eq!(worker.post("/connectors", &json!({"name": "failing", "config": failing})).0, 201);
    worker.await_failure("failing");
    // A request that is none is told of by the log alone, if it says all that it can.
    let mut stream = TcpStream::connect(worker.url("").trim_start_matches("http://")).expect("connected");
    write!(stream, "GET /{0} HTTP/1.1\r\nauthorization: Bearer {0}\r\n{0}\r\n\r\n", secret("head")).expect("sent");
    wait_until("all that it could say", secs(30), || worker.log_text().contains("DEBUG landfall::rest").then_some(()));
    // What is refused is refused without its secrets.
    let lake = |more: &Value| {
        let mut config =
            json!({"name": "lake", "connector.class": "AzureDataLakeSink", "topics": topic, "landfall.azure.container": "lake"});
        crate::support::store::with(&mut config, more);
        config
    };
    for more in [
        json!({"landfall.azure.connection.string": format!("AccountName=a;AccountKey={key}")}),
        json!({"landfall.azure.connection.string": key}),
        json!({"landfall.azure.connection.string": format!("BlobEndpoint=https://evil.example/{key};SharedAccessSignature=sig={key}")}),
        json!({"store.url": format!("https://u:{key}@acct.blob.core.windows.net/lake")}),
        json!({"store.url": format!("https://acct.blob.core.windows.net/lake?sig={key}")}),
        json!({"landfall.azure.account.name": "acct", "landfall.azure.account.key": format!("{key}!")}),
        json!({"landfall.azure.account.name": "acct", "landfall.azure.sas.token": key}),
        json!({"landfall.azure.account.name": "acct", "landfall.azure.credential": "client-secret", "landfall.azure.client.secret": key}),
        json!({"tasks.max": of("number"), "store.url": of("url")}),
        json!({"consumer.override.security.protocol": "SASL_SSL", "consumer.override.sasl.mechanism": "PLAIN", "consumer.override.sasl.jaas.config": format!("PlainLoginModule required username=\"u\" password=\"{key}")}),
        json!({"value.converter": "AvroConverter", "value.converter.schema.registry.url": format!("ftp://u:{key}@h")}),
        json!({"transforms": "t", "transforms.t.type": "x", "transforms.t.password": key}),
    ] {
        let config = lake(&more);
        let (status, answer) = worker.put("/connector-plugins/AzureDataLakeSink/config/validate", &config);
        assert!(status == 200 && answer["error_count"] != 0, "{more}: {answer}");
        assert_eq!(worker.post("/connectors", &json!({"name": "lake", "config": config})).0, 400, "{more}");
        assert_eq!(worker.put("/connectors/lake/config", &config).0, 400, "{more}");
    }
    for path in [
        "/connectors?expand=info&expand=status",
        "/connectors/good",
        "/connectors/good/config",
        "/connectors/good/tasks",
        "/connectors/good/tasks-config",
        "/connectors/good/status",
        "/connectors/away/config",
        "/connectors/failing/status",
        "/connectors/failing/config",
        "/connectors/good/offsets",
        "/metrics",
        "/admin/loggers",
        "/connectors/none",
    ] {
        // Each answer is looked through.
        let (status, answer) = worker.get(path);
        assert!(status == 200 || status == 404, "{path}: {answer}");
    }
    assert_eq!(worker.patch("/connectors/good/config", &json!({"tasks.max": "1", "a.password": secret("patched")})).0, 200);
    worker.await_state("good", "RUNNING");
    let shown = worker.get("/connectors/good/config").1;
    assert_eq!((&shown["a.password"], &shown["b.password"]), (&json!("[hidden]"), &json!(of("password"))));
    assert!(worker.terminate().success());
}

#[test]
fn what_the_members_of_a_cluster_tell_each_other_shows_no_secret() {
    let (broker, topic) = (Broker::shared(), "secrets-cluster");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [Record::value("{")]);
    let mut cluster = Cluster::new(broker, "secrets-cluster", &[]);
    cluster.start(&[Kind::Landfall]);
    let config = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": "lines", "value.converter": "JsonConverter",
        "value.converter.schemas.enable": "true", "a.password": secret("cluster"),
        "consumer.override.ssl.key.password": secret("override"),
    });
    let (status, answer) =
        cluster.members[0].ask("create", |worker| worker.post("/connectors", &json!({"name": topic, "config": config})));
    assert_eq!(status, 201, "{answer}");
    cluster.members[0].worker.await_failure(topic);
    let told = broker.text_of("secrets-cluster-status", secs(10));
    assert!(told.contains("FAILED"), "nobody told: {told}");
    // The topic is looked through, and each log, when the cluster goes.
}

/// The lines of the sources that could print properties, which hold secrets under any key.
#[test]
fn nothing_prints_properties() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        faults.extend(printing(&text).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // It can fail.
    assert_eq!(printing("#[derive(Clone, Debug)]\npub struct A {\n    given: Properties,\n}\n").len(), 1);
    assert_eq!(printing("tracing::debug!(\"{properties:?}\");\ntracing::info!(?config, \"x\");\n").len(), 2);
}

/// What of a source derives `Debug` over properties, or formats some with it.
fn printing(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("#[derive(").skip(1) {
        let Some((traits, item)) = part.split_once(")]") else { continue };
        let is_type = |head: &str| !head.contains(';') && (head.contains("struct ") || head.contains("enum "));
        let Some((_, fields)) = item.split_once('{').filter(|(head, _)| is_type(head)) else { continue };
        let mut depth = 1;
        let end = fields.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        let fields = &fields[..end.unwrap_or(fields.len())];
        let holds = |line: &str| {
            let line = line.trim();
            let is_field = !line.starts_with("//") && !line.contains("fn(");
            is_field
                && ["Properties", "Submitted"]
                    .iter()
                    .any(|holder| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == *holder))
        };
        if traits.split(',').any(|one| one.trim() == "Debug") && fields.lines().any(holds) {
            found.push(format!(
                "Debug is derived for{}",
                item.split('{').next().unwrap_or_default().lines().last().unwrap_or_default()
            ));
        }
    }
    for line in text.lines() {
        let names = ["properties", "given", "config", "configs", "submitted", "settings", "resolved", "librdkafka"];
        let formats = |name: &&str| line.contains(&format!("{{{name}:?}}")) || line.contains(&format!("{{{name}:#?}}"));
        let traces = |name: &&str| line.contains("tracing::") && line.contains(&format!("?{name}"));
        if names.iter().any(|name| formats(name) || traces(name)) {
            found.push(line.trim().to_owned());
        }
    }
    found
}
