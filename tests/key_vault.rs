//! Secrets of Key Vault: what connectors get of them, when tasks start again, and where they are never seen; over real HTTPS through a
//! proxy, with tokens that Entra ID's stand-in has signed.

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use landfall::config::provider::Providers;
use landfall_api::{Faults, Properties};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::azure_service::AzureService;
use crate::support::broker::{Broker, Record};
use crate::support::entra::{FakeEntra, Trouble};
use crate::support::key_vault::{disable, set, start};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const LENSES: &str = "io.lenses.connect.secrets.providers.AzureSecretProvider";
const CONFLUENT: &str = "io.confluent.csid.config.provider.azure.KeyVaultConfigProvider";

fn text(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// Values and how long they stay what they are; or why there are none.
type Given = Result<(Vec<String>, Option<Duration>), String>;

/// What a provider of Confluent's class gives for `values`, with `more` parameters, and how long it took.
fn resolved(entra: &FakeEntra, vault: &AzureService, more: &[(&str, &str)], values: &[&str]) -> (Given, Duration) {
    let url = vault.url();
    let base = [
        ("config.providers", "kv"),
        ("config.providers.kv.class", CONFLUENT),
        ("config.providers.kv.param.vault.url", &url),
        ("config.providers.kv.param.use.json", "false"),
        ("config.providers.kv.param.retry.interval.seconds", "0"),
    ];
    let mut given = entra.properties();
    given.extend(base.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    given.extend(more.iter().map(|(key, value)| (format!("config.providers.kv.param.{key}"), (*value).to_owned())));
    let (mut faults, mut warnings) = (Faults::default(), Vec::new());
    let providers = Providers::configure(&given, &mut faults, &mut warnings);
    assert!(faults.is_empty() && warnings.is_empty(), "{faults:?} {warnings:?}");
    let asked: Properties = values.iter().enumerate().map(|(n, value)| (format!("k{n}"), (*value).to_owned())).collect();
    let start = Instant::now();
    let resolved = providers.resolve(&asked).map(|resolved| (resolved.properties.into_values().collect(), resolved.ttl));
    (resolved, start.elapsed())
}

#[test]
fn a_vault_is_asked_as_often_and_as_long_as_told() {
    let entra = FakeEntra::start();
    let vault = start(&entra);
    set(&vault, "pw", "hush", &Value::Null);
    let good = |ttl: Option<u64>| Ok((vec!["hush".to_owned()], ttl.map(Duration::from_millis)));
    let get = |more: &[(&str, &str)], value: &str| {
        let before = vault.requests().len();
        let (given, took) = resolved(&entra, &vault, more, &[value]);
        (given, vault.requests().len() - before, took)
    };
    let away = "the secret pw of the vault 127.0.0.1";

    vault.next([Trouble::Busy(503, 0), Trouble::Busy(429, 0)]);
    let (given, asked, _) = get(&[], "${kv:pw}");
    assert_eq!((given, asked), (good(None), 3));
    vault.next([Trouble::Busy(503, 0), Trouble::Busy(503, 0)]);
    let (given, asked, _) = get(&[("retry.count", "2")], "${kv:pw}");
    let error = given.expect_err("busy");
    assert!(error.contains(away) && error.contains("HTTP 503 Throttled") && asked == 2, "{asked} {error}");
    vault.next([Trouble::Busy(429, 1)]);
    assert!(get(&[], "${kv:pw}").2 >= secs(1), "Retry-After");
    vault.next([Trouble::Busy(500, 0)]);
    assert!(get(&[("retry.interval.seconds", "1")], "${kv:pw}").2 >= secs(1));
    vault.next([Trouble::Slow(secs(5))]);
    let (given, _, took) = get(&[("retry.count", "1"), ("timeout.seconds", "1")], "${kv:pw}");
    assert!(given.as_ref().is_err_and(|error| error.contains(away)) && took < secs(4), "{took:?} {given:?}");

    // How long a value stays what it is.
    assert_eq!(get(&[("ttl.ms", "7000")], "${kv:pw}").0, good(Some(7000)));
    assert_eq!(get(&[("ttl.ms", "7000")], "${kv:pw?ttl=3000:pw}").0, good(Some(3000)));
    set(&vault, "pw", "hush", &json!({"attributes": {"exp": in_seconds(2)}}));
    let ttl = get(&[("ttl.ms", "7000")], "${kv:pw}").0.expect("there").1.expect("it expires");
    assert!(ttl <= secs(2), "{ttl:?}");
    set(&vault, "pw", "hush", &json!({"attributes": {"exp": 1}}));
    assert_eq!(get(&[], "${kv:pw}").0, good(Some(300_000)));

    let expected = "the vault 127.0.0.1";
    vault.always(Some(Trouble::Refused(401, json!({"error": {"code": "Unauthorized", "message": "AKV10032: Invalid issuer."}}))));
    let error = get(&[], "${kv:pw}").0.expect_err("refused");
    assert!(error.contains(expected) && error.contains("does not know") && error.contains("AKV10032"), "{error}");
    for text in [error, format!("{:?}", get(&[], "${kv:pw}").0)] {
        assert!(!text.contains("hush") && !text.contains(FakeEntra::SECRET), "{text}");
    }
}

fn in_seconds(seconds: u64) -> u64 {
    (SystemTime::now() + Duration::from_secs(seconds)).duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn tasks_start_with_secrets_and_again_when_they_are_others() {
    let (broker, folder, entra) = (Broker::shared(), TempDir::new().expect("a folder"), FakeEntra::start());
    let vault = start(&entra);
    let root = folder.path().to_str().expect("UTF-8");
    let file = |name: &str| format!("{root}/{name}-hush");
    let topic = "key-vault";
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [Record::value("one")]);
    set(&vault, "landing-file", &file("first"), &Value::Null);
    set(
        &vault,
        "staging-places",
        &json!({"topic": topic, "file": file("third")}).to_string(),
        &json!({"attributes": {"exp": in_seconds(3600)}}),
    );
    let (application, proxy, url) = (entra.properties(), vault.proxy(), vault.url());
    let state = format!("{root}/state.json");
    let properties = [
        ("landfall.azure.proxy", proxy.as_str()),
        ("landfall.azure.no.proxy", "127.0.0.1"),
        ("config.providers", "azurekv,keyvault"),
        ("config.providers.azurekv.class", LENSES),
        ("config.providers.azurekv.param.secret.default.ttl", "400"),
        ("config.providers.keyvault.class", CONFLUENT),
        ("config.providers.keyvault.param.vault.url", &url),
        ("config.providers.keyvault.param.secret.prefix", "staging-"),
        ("landfall.state.file", &state),
    ];
    let properties: Vec<_> = application.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(properties).collect();
    let worker = Worker::start(&broker.bootstrap(), &properties);
    let variable = "${azurekv:my-vault:landing-file}";
    let mut config = json!({
        "connector.class": "FileStreamSink", "topics": "${keyvault:places:topic}", "file": variable,
        "key.converter": STRING, "value.converter": STRING,
    });
    worker.create(topic, &config);
    wait_until("the first record", secs(60), || (text(&file("first")) == "one\n").then_some(()));
    // The vault was asked by its own name, through the proxy; Entra ID was not.
    assert_eq!(vault.tunnels().first().map(String::as_str), Some("my-vault.vault.azure.net:443"));
    assert!(vault.tunnels().iter().all(|host| host == "my-vault.vault.azure.net:443"), "{:?}", vault.tunnels());
    assert_eq!(vault.requests()[0].split('?').nth(1), Some("api-version=7.4"));
    assert!(entra.asked().iter().all(|asked| asked.fields["scope"] == "https://vault.azure.net/.default"));

    // Trouble of the vault leaves what runs alone; what is rotated meanwhile counts after it.
    let restarts = || worker.log_text().matches("gives other values now").count();
    vault.next([Trouble::Busy(429, 0)]);
    vault.always(Some(Trouble::Refused(403, json!({"error": {"code": "ForbiddenByRbac", "message": "no role"}}))));
    wait_until("a warning of the vault's refusal", secs(30), || {
        let text = worker.log_text();
        let named = text.lines().any(|line| line.contains("landing-file") && line.contains("Key Vault Secrets User"));
        named.then_some(())
    });
    worker.await_state(topic, "RUNNING");
    assert_eq!(restarts(), 0);
    vault.always(None);
    set(&vault, "landing-file", &file("second"), &Value::Null);
    wait_until("the other file", secs(60), || fs::exists(file("second")).is_ok_and(|there| there).then_some(()));
    worker.await_state(topic, "RUNNING");
    assert_eq!(restarts(), 1);
    broker.produce(topic, 0, [Record::value("two")]);
    wait_until("the second record", secs(60), || (text(&file("second")) == "two\n").then_some(()));

    // What cannot be had is said by vault and secret, and nothing of other hosts is asked.
    disable(&vault, "off");
    let asked = vault.tunnels().len();
    for (named, expected) in [
        ("${azurekv:my-vault:none}", "there is no secret none in the vault my-vault.vault.azure.net"),
        ("${azurekv:my-vault:off}", "the secret off of the vault my-vault.vault.azure.net is disabled"),
        ("${azurekv:evil.example.com:x}", "evil.example.com is no vault of Azure's, and no token is sent there"),
        ("${azurekv:my-vault:a_b}", "\\\"a_b\\\" is no name of a secret"),
        ("${keyvault:places:none}", "the secret staging-places of the vault 127.0.0.1"),
    ] {
        config["file"] = json!(named);
        let (status, answer) = worker.post("/connectors", &json!({"name": "other", "config": config}));
        assert!(status == 400 && answer.to_string().contains(expected), "{status} {answer}");
    }
    assert!(vault.tunnels()[asked..].iter().all(|host| host == "my-vault.vault.azure.net:443"), "{:?}", vault.tunnels());

    // Fields of one secret; it expires in an hour, which starts nothing again.
    config["file"] = json!("${keyvault:places:file}");
    let (status, answer) = worker.put(&format!("/connectors/{topic}/config"), &config);
    assert_eq!(status, 200, "{answer}");
    broker.produce(topic, 0, [Record::value("three")]);
    wait_until("the third record", secs(60), || (text(&file("third")) == "three\n").then_some(()));
    assert_eq!(restarts(), 1);

    let status = worker.get(&format!("/connectors/{topic}/status")).1.to_string();
    let shown = worker.get(&format!("/connectors/{topic}")).1.to_string();
    let metrics = worker.get("/metrics").1.to_string();
    for (what, shown) in [("log", worker.log_text()), ("state", text(&state)), ("REST", shown + &status), ("metrics", metrics)] {
        assert!(!shown.contains("-hush") && !shown.contains(FakeEntra::SECRET), "{what}: {shown}");
    }
}
