//! Java's client security: whole workers whose every client, of the group, of the internal topics, of the connector and of its dead
//! letters, goes through one secured listener of a real broker.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Listener, Record};
use crate::support::certificates::Certificates;
use crate::support::entra::FakeEntra;
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const BEARER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
const VALIDATOR: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler";
const STORE: &str = "store-secret";
/// How long a token lasts.
const LIFETIME: i64 = 6;

/// Keys of a client.
type Keys<'a> = Vec<(&'a str, String)>;

fn keys<'a>(pairs: &[(&'a str, &str)]) -> Keys<'a> {
    pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
}

fn login(mechanism: &str, module: &str, options: &str) -> Keys<'static> {
    let jaas = format!("{module} required {options};");
    keys(&[("security.protocol", "SASL_SSL"), ("sasl.mechanism", mechanism), ("sasl.jaas.config", &jaas)])
}

fn trust(kind: &str, location: &str) -> Keys<'static> {
    let password = if kind == "PEM" { vec![] } else { keys(&[("ssl.truststore.password", STORE)]) };
    [keys(&[("ssl.truststore.type", kind), ("ssl.truststore.location", location)]), password].concat()
}

/// A token that nobody has signed, as the broker takes it.
fn token(lifetime: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() as i64;
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({"sub": "dave", "iat": now + lifetime.min(0) * 2, "exp": now + lifetime});
    format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims))
}

/// An authorization server for one client, and how often it has given a token.
fn authorization_server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/token", listener.local_addr().expect("an address"));
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).is_ok_and(|bytes| bytes > 2) {
                let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let credentials = base64::engine::general_purpose::STANDARD.encode("the-client:client-secret");
            let (status, answer) = if head.contains(&credentials) && body == b"grant_type=client_credentials" {
                count.fetch_add(1, Ordering::Relaxed);
                (200, json!({"access_token": token(LIFETIME), "expires_in": LIFETIME}))
            } else {
                (401, json!({"error": "invalid_client"}))
            };
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
            let _ = reader.get_mut().write_all((head + &answer).as_bytes());
        }
    });
    (url, given)
}

fn distributed(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("distributed").arg(properties);
    command
}

/// A worker of a cluster of its own, all of whose clients have these keys.
fn worker(broker: &Broker, listener: &str, name: &str, security: &Keys<'_>) -> Worker {
    let mut properties = vec![("group.id".to_owned(), name.to_owned())];
    for store in ["config", "offset", "status"] {
        properties.push((format!("{store}.storage.topic"), format!("{name}-{store}")));
        properties.push((format!("{store}.storage.replication.factor"), "1".to_owned()));
        if store != "config" {
            properties.push((format!("{store}.storage.partitions"), "1".to_owned()));
        }
    }
    for prefix in ["", "consumer.", "producer."] {
        properties.extend(security.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
    }
    // What the tests' connectors are given is all over the place.
    properties.extend(["paths", "hosts"].map(|what| (format!("landfall.allowed.{what}"), "*".to_owned())));
    let properties: Vec<_> = properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut worker = Worker::of(distributed, &broker.bootstrap_of(listener), &properties);
    worker.start_again();
    worker
}

/// Asks until no rebalance is in the way.
fn create(worker: &Worker, name: &str, config: &Value) {
    wait_until(&format!("{name} to be created; log: {}", worker.log().display()), secs(60), || {
        let (status, body) = worker.put(&format!("/connectors/{name}/config"), config);
        assert!(matches!(status, 200 | 201 | 409), "create {name}: {body}\n{}", worker.log_text());
        (status != 409).then_some(())
    });
}

fn sink(topic: &str, file: &Path) -> Value {
    json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": file,
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": format!("{topic}-letters"),
        "errors.deadletterqueue.topic.replication.factor": "1",
    })
}

/// A record lands, and one that cannot be read is in the dead letters.
fn lands(broker: &Broker, worker: &Worker, topic: &str, folder: &Path) {
    let file = folder.join(topic);
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [Record::value("\"fine\""), Record::value("{broken")]);
    create(worker, topic, &sink(topic, &file));
    worker.await_state(topic, "RUNNING");
    let letters = format!("{topic}-letters");
    wait_until(&format!("{topic} to land; log: {}", worker.log().display()), secs(60), || {
        let landed = fs::read_to_string(&file).is_ok_and(|text| text == "fine\n");
        (landed && broker.has_topic(&letters) && broker.end_offsets(&letters).get(&0) == Some(&1)).then_some(())
    });
    assert_eq!(broker.records(&letters)[0].value.as_deref(), Some(&b"{broken"[..]));
}

#[test]
fn every_client_of_a_worker_logs_in_and_encrypts() {
    let certificates = Certificates::make();
    let stores = thread::scope(|threads| {
        let made = [
            threads.spawn(|| certificates.trusting("authority", "JKS", STORE)),
            threads.spawn(|| certificates.trusting("authority", "PKCS12", STORE)),
            threads.spawn(|| certificates.showing("client", "JKS", STORE)),
            threads.spawn(|| certificates.showing("client", "PKCS12", STORE)),
        ];
        made.map(|thread| thread.join().expect("a store"))
    });
    let [trust_jks, trust_p12, client_jks, client_p12] = &stores;
    let listener =
        |name, protocol, properties: &[&[(&'static str, String)]]| Listener { name, protocol, properties: properties.concat() };
    let mechanisms = |all: &str| keys(&[("sasl.enabled.mechanisms", all)]);
    let broker = certificates.of_broker("broker", "none");
    let folder = TempDir::new().expect("a folder");
    let entra = FakeEntra::start();
    let signed_by = folder.path().join("keys.json");
    fs::write(&signed_by, entra.keys().to_string()).expect("written");
    let listeners = [
        listener(
            "PLAIN",
            "SASL_SSL",
            &[
                &mechanisms("PLAIN"),
                &[("plain.sasl.jaas.config", format!("{PLAIN} required user_alice=\"alice-secret\";"))],
                &broker,
            ],
        ),
        listener(
            "SCRAM",
            "SASL_SSL",
            &[
                &mechanisms("SCRAM-SHA-256,SCRAM-SHA-512"),
                &[("scram-sha-256.sasl.jaas.config", format!("{SCRAM} required;"))],
                &[("scram-sha-512.sasl.jaas.config", format!("{SCRAM} required;"))],
                &broker,
            ],
        ),
        listener(
            "BEARER",
            "SASL_SSL",
            &[
                &mechanisms("OAUTHBEARER"),
                &[("oauthbearer.sasl.jaas.config", format!("{BEARER} required unsecuredLoginStringClaim_sub=\"broker\";"))],
                // Whoever does not log in again by then is cut off.
                &[("connections.max.reauth.ms", "3600000".to_owned())],
                &broker,
            ],
        ),
        listener(
            "ENTRA",
            "SASL_SSL",
            &[
                &mechanisms("OAUTHBEARER"),
                &keys(&[
                    ("oauthbearer.sasl.jaas.config", &format!("{BEARER} required unsecuredLoginStringClaim_sub=\"broker\";")),
                    ("oauthbearer.sasl.server.callback.handler.class", VALIDATOR),
                    ("sasl.oauthbearer.jwks.endpoint.url", &format!("file://{}", signed_by.display())),
                    ("sasl.oauthbearer.expected.audience", "api://kafka"),
                    ("sasl.oauthbearer.expected.issuer", &format!("https://sts.windows.net/{}/", FakeEntra::TENANT)),
                ]),
                &broker,
            ],
        ),
        listener("MUTUAL", "SSL", &[&certificates.of_broker("broker", "required")]),
        listener("OTHER", "SSL", &[&certificates.of_broker("other", "none")]),
    ];
    let users = ["SCRAM-SHA-256=[name=bob,password=bob-secret]", "SCRAM-SHA-512=[name=carol,password=carol-secret]"];
    let broker = Broker::secured(&listeners, &users);
    let (url, tokens) = authorization_server();

    let oauth = keys(&[
        ("sasl.login.callback.handler.class", OAUTH),
        ("sasl.oauthbearer.token.endpoint.url", &url),
        ("sasl.oauthbearer.client.credentials.client.id", "the-client"),
        ("sasl.oauthbearer.client.credentials.client.secret", "client-secret"),
    ]);
    let shown = |kind: &str, location: &str| {
        let own = [("security.protocol", "SSL"), ("ssl.keystore.type", kind), ("ssl.keystore.location", location)];
        [keys(&own), keys(&[("ssl.keystore.password", STORE)])].concat()
    };
    let alice = login("PLAIN", PLAIN, "username=\"alice\" password=\"alice-secret\"");
    let bob = login("SCRAM-SHA-256", SCRAM, "username=\"bob\" password=\"bob-secret\"");
    let carol = login("SCRAM-SHA-512", SCRAM, "username=\"carol\" password=\"carol-secret\"");
    let application = entra.properties();
    let application = application.iter().map(|(key, value)| (key.as_str(), value.clone()));
    let application = application.chain([("sasl.oauthbearer.scope", "api://kafka/.default".to_owned())]).collect();
    let cases: [(&str, &str, Keys<'_>); 7] = [
        ("PLAIN", "plain", [alice, trust("JKS", trust_jks)].concat()),
        ("BEARER", "bearer", [login("OAUTHBEARER", BEARER, ""), oauth, trust("PKCS12", trust_p12)].concat()),
        ("ENTRA", "entra", [login("OAUTHBEARER", BEARER, ""), application, trust("PKCS12", trust_p12)].concat()),
        ("SCRAM", "scram-256", [bob, trust("PKCS12", trust_p12)].concat()),
        ("SCRAM", "scram-512", [carol, trust("PEM", &certificates.path("authority.pem"))].concat()),
        ("MUTUAL", "mutual-jks", [shown("JKS", client_jks), trust("JKS", trust_jks)].concat()),
        ("MUTUAL", "mutual-p12", [shown("PKCS12", client_p12), trust("PKCS12", trust_p12)].concat()),
    ];
    // A few at a time.
    for batch in cases.chunks(3) {
        thread::scope(|threads| {
            for (listener, name, security) in batch {
                let (broker, folder, certificates, tokens) = (&broker, folder.path(), &certificates, &tokens);
                threads.spawn(move || {
                    let worker = worker(broker, listener, name, security);
                    lands(broker, &worker, name, folder);
                    match *name {
                        "plain" => refusals(broker, &worker, certificates, folder),
                        "bearer" => outlasts_its_token(broker, &worker, tokens, folder),
                        _ => {}
                    }
                    let log = worker.log_text();
                    assert!(!log.contains("-secret"), "a secret in the log of {name}: {log}");
                });
            }
        });
    }
    let asked = entra.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.fields["scope"] == "api://kafka/.default"), "{asked:?}");
}

/// Tokens are replaced before they end, once for all clients, and connections go on.
fn outlasts_its_token(broker: &Broker, worker: &Worker, tokens: &AtomicUsize, folder: &Path) {
    wait_until("more tokens", secs(60), || (tokens.load(Ordering::Relaxed) >= 3).then_some(()));
    broker.produce("bearer", 0, [Record::value("\"later\"")]);
    wait_until(&format!("bearer to go on; log: {}", worker.log().display()), secs(60), || {
        fs::read_to_string(folder.join("bearer")).is_ok_and(|text| text == "fine\nlater\n").then_some(())
    });
    worker.await_state("bearer", "RUNNING");
}

/// What the tasks say whose clients cannot log in, or do not trust the broker.
fn refusals(broker: &Broker, worker: &Worker, certificates: &Certificates, folder: &Path) {
    broker.create_topic("refused", 1);
    let old = folder.join("old-token");
    fs::write(&old, token(-100)).expect("written");
    let bearer = [("sasl.mechanism", "OAUTHBEARER"), ("sasl.login.callback.handler.class", OAUTH)];
    let file_url = format!("file://{}", old.display());
    let cases: [(&str, &str, Keys<'_>, &[&str]); 4] = [
        (
            "wrong-password",
            "PLAIN",
            keys(&[("sasl.jaas.config", &format!("{PLAIN} required username=\"alice\" password=\"not-her-secret\";"))]),
            &["_AUTHENTICATION", "Authentication failed: Invalid username or password"],
        ),
        (
            "unknown-authority",
            "PLAIN",
            [trust("PEM", &certificates.path("stranger.pem")), keys(&[("ssl.truststore.password", "")])].concat(),
            &["_SSL", "certificate verify failed", "; is the authority that has signed it in ssl.truststore.*"],
        ),
        (
            "another-name",
            "OTHER",
            keys(&[("security.protocol", "SSL")]),
            &["_SSL", "certificate verify failed", "and the broker's name in its certificate?"],
        ),
        (
            "old-token",
            "BEARER",
            [
                keys(&bearer),
                keys(&[("sasl.jaas.config", &format!("{BEARER} required;")), ("sasl.oauthbearer.token.endpoint.url", &file_url)]),
            ]
            .concat(),
            &[
                "_AUTHENTICATION",
                "Failed to acquire SASL OAUTHBEARER token: the token has expired 1",
                "is it old, or the clock wrong?",
            ],
        ),
    ];
    for (name, listener, security, _) in &cases {
        let mut config = sink("refused", &folder.join(name));
        config["consumer.override.bootstrap.servers"] = json!(broker.bootstrap_of(listener));
        for (key, value) in security {
            config[format!("consumer.override.{key}")] = json!(value);
        }
        create(worker, name, &config);
    }
    for (name, _, _, expected) in &cases {
        let trace = worker.await_failure(name);
        for part in *expected {
            assert!(trace.contains(part), "{name}: {trace}");
        }
        assert!(!trace.contains("-secret"), "{name}: {trace}");
    }
}
