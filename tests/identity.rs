//! Credentials of Entra ID: every kind gets its tokens from a stand-in over real HTTP, keeps them fresh, and says what is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use landfall_adls::credential::Credential;
use landfall_adls::entra::{Entra, EntraError};
use landfall_adls::http::Net;
use landfall_adls::open::open;
use landfall_adls::storage::AzureStorage;
use landfall_api::{Faults, Properties};
use landfall_lake::storage::{Storage as _, StorageError};
use serde_json::{Value, json};

use crate::support::azurite::Azurite;
use crate::support::broker::{Broker, Record};
use crate::support::entra::{Authority, FakeEntra, Tls, Trouble, refusal};
use crate::support::store::with;
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const STORAGE: &str = "https://storage.azure.com/.default";

/// The client secret of the stand-in's application, with `changes`.
fn properties(fake: &FakeEntra, changes: &[(&str, &str)]) -> Properties {
    let mut given = fake.properties();
    for (key, value) in changes {
        match *value {
            "-" => drop(given.remove(*key)),
            value => drop(given.insert((*key).to_owned(), value.to_owned())),
        }
    }
    given
}

fn entra(fake: &FakeEntra, changes: &[(&str, &str)]) -> Entra {
    let mut faults = Faults::default();
    let read = Entra::read(&properties(fake, changes), &mut faults);
    assert!(faults.is_empty(), "{faults}");
    read.expect("no faults")
}

fn refused(fake: &FakeEntra, changes: &[(&str, &str)]) -> EntraError {
    entra(fake, changes).token_blocking(STORAGE).expect_err("refused")
}

#[test]
fn one_request_serves_all_who_wait_and_tokens_are_renewed_without_a_stall() {
    let fake = FakeEntra::start();
    fake.lives(6);
    fake.next([Trouble::Slow(Duration::from_millis(300))]);
    // Connectors that say the same have one credential.
    let (one, same) = (entra(&fake, &[]), entra(&fake, &[]));
    let tokens: Vec<_> = thread::scope(|scope| {
        let ask = |entra: &Entra| entra.token_blocking(STORAGE).expect("a token").secret.reveal().to_owned();
        let asking: Vec<_> = [&one, &same, &one, &same].into_iter().map(|entra| scope.spawn(move || ask(entra))).collect();
        asking.into_iter().map(|asking| asking.join().expect("no panic")).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(fake.asked().len(), 1);
    // The renewal is slow: nobody waits for it.
    fake.next([Trouble::Slow(secs(2))]);
    let renewed = wait_until("a new token", secs(15), || {
        let before = Instant::now();
        let token = one.token_blocking(STORAGE).expect("a token");
        assert!(before.elapsed() < secs(1), "a stall of {:?}", before.elapsed());
        (token.secret.reveal() != tokens[0]).then_some(token)
    });
    assert!(renewed.expires > SystemTime::now());
    assert_eq!(fake.asked()[1].fields["scope"], STORAGE);
    // Another scope has a token of its own.
    one.token_blocking("https://vault.azure.net/.default").expect("a token");
    assert!(fake.asked().iter().any(|asked| asked.fields["scope"] == "https://vault.azure.net/.default"));
    assert_eq!(fake.issue(&json!({})).split('.').count(), 3);
}

#[test]
fn an_overloaded_or_silent_entra_is_asked_again_while_the_old_token_is_good() {
    let fake = FakeEntra::start();
    // The first caller waits as long as it is told to.
    fake.next([Trouble::Busy(429, 1)]);
    let entra = entra(&fake, &[]);
    fake.lives(12);
    let (before, first) = (Instant::now(), entra.token_blocking(STORAGE).expect("a token"));
    assert!(before.elapsed() >= secs(1), "Retry-After is a second: {:?}", before.elapsed());
    // Renewals that fail do no harm; the next one that does not gives a new token.
    let before = fake.asked().len();
    fake.always(Some(Trouble::Refused(400, refusal(90_033, "A transient error has occurred. Please try again."))));
    wait_until("two failed renewals", secs(15), || (fake.asked().len() >= before + 2).then_some(()));
    assert_eq!(entra.token_blocking(STORAGE).expect("the old token").secret, first.secret);
    fake.always(None);
    wait_until("a new token", secs(15), || {
        let token = entra.token_blocking(STORAGE).expect("a token");
        (token.secret != first.secret).then_some(())
    });
}

#[test]
fn who_is_refused_is_told_why_and_never_shown_a_secret() {
    let fake = FakeEntra::start();
    let of = |error: EntraError| {
        assert!(!error.is_retriable(), "{error}");
        error.to_string()
    };
    let (client, tenant) = (FakeEntra::CLIENT, FakeEntra::TENANT);
    let url = fake.url();
    let wrong = refused(&fake, &[("landfall.azure.client.secret", "planted-wrong-secret")]);
    assert_eq!(wrong.code(), Some("AADSTS7000215"));
    assert_eq!(
        of(wrong),
        format!(
            "no token by the client secret of the application {client:?} in the tenant {tenant:?}: {url} answered HTTP 401 \
             AADSTS7000215, the client secret is wrong: it is the secret's value that counts, not its id"
        )
    );
    assert_eq!(
        of(refused(&fake, &[("landfall.azure.tenant.id", "contoso.com")])),
        format!(
            "no token by the client secret of the application {client:?} in the tenant \"contoso.com\": {url} answered HTTP 400 \
             AADSTS90002, there is no such tenant: compare the tenant id and the cloud"
        )
    );
    assert_eq!(
        of(refused(&fake, &[("landfall.azure.client.id", "other")])),
        format!(
            "no token by the client secret of the application \"other\" in the tenant {tenant:?}: {url} answered HTTP 400 \
             AADSTS700016, the tenant has no such application: compare the client id and the tenant id"
        )
    );
    fake.next([Trouble::Refused(400, refusal(50_999, "Something that nobody knows."))]);
    let unknown = of(refused(&fake, &[]));
    assert!(unknown.ends_with("HTTP 400 AADSTS50999, Something that nobody knows. Trace ID: 0 Correlation ID: 0"), "{unknown}");
    // After a refusal the next one asks anew.
    entra(&fake, &[]).token_blocking(STORAGE).expect("a token");
    let nowhere = refused(&fake, &[("landfall.azure.ca.file", "/nowhere.pem")]);
    assert!(of(nowhere).ends_with("landfall.azure.ca.file=/nowhere.pem cannot be read: No such file or directory (os error 2)"));
}

#[test]
fn a_certificate_signs_for_its_application() {
    let fake = FakeEntra::start();
    let (pem, pfx) = fake.authority().application("app", "pfx-password");
    let (other, _) = fake.authority().application("other", "x");
    let certificate = |file: &Path, more: &[(&str, &str)]| {
        let file = file.display().to_string();
        let own = [
            ("landfall.azure.credential", "client-certificate"),
            ("landfall.azure.client.secret", "-"),
            ("landfall.azure.client.certificate", file.as_str()),
        ];
        entra(&fake, &[own.as_slice(), more].concat()).token_blocking(STORAGE)
    };
    let error = certificate(&pem, &[]).expect_err("not registered");
    assert_eq!(error.code(), Some("AADSTS700027"));
    fake.trust(&pem);
    certificate(&pem, &[]).expect("a token");
    certificate(&pfx, &[("landfall.azure.client.certificate.password", "pfx-password")]).expect("a token");
    let wrong =
        certificate(&pfx, &[("landfall.azure.client.certificate.password", "planted-wrong")]).expect_err("refused").to_string();
    assert!(wrong.ends_with("app.pfx is neither PEM nor PKCS#12 with the password that is given"), "{wrong}");
    assert_eq!(certificate(&other, &[]).expect_err("another").code(), Some("AADSTS700027"));
    let missing = certificate(Path::new("/nowhere.pem"), &[]).expect_err("missing").to_string();
    assert!(
        missing.ends_with("the certificate file /nowhere.pem cannot be read: No such file or directory (os error 2)"),
        "{missing}"
    );
    let bare = certificate(&fake.ca_file(), &[]).expect_err("no key").to_string();
    assert!(bare.contains("has no private key, or one with a password"), "{bare}");
}

/// What the worker of [`every_credential_lands_and_is_kept_fresh`] finds in its environment.
static ENVIRONMENT: OnceLock<Vec<(&str, String)>> = OnceLock::new();

fn landfall_in_azure(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("standalone").arg(properties).envs(ENVIRONMENT.get().expect("an environment").iter().cloned());
    command
}

/// A folder with an `az` that gives `token`, but no token of the tenant `nowhere`.
fn azure_cli(token: &str) -> tempfile::TempDir {
    let folder = tempfile::TempDir::with_prefix("landfall-az-").expect("a folder");
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    let answer = json!({"accessToken": token, "expires_on": expires, "expiresOn": "", "subscription": "s", "tenant": "t", "tokenType": "Bearer"});
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *nowhere*) echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1;; esac\ncat <<'END'\n{answer}\nEND\n"
    );
    let az = folder.path().join("az");
    fs::write(&az, script).expect("a script");
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).expect("permissions");
    folder
}

const BATCH: usize = 20;

#[test]
fn every_credential_lands_and_is_kept_fresh() {
    let authority = Arc::new(Authority::make());
    let (fake, azurite) = (FakeEntra::with(authority.clone()), Azurite::secured(&authority));
    let (ca, url) = (fake.ca_file().display().to_string(), fake.url());
    let (pem, pfx) = authority.application("app", "pfx-password");
    fake.trust(&pem);
    let folder = tempfile::TempDir::with_prefix("landfall-pod-").expect("a folder");
    let token_file = folder.path().join("token");
    fs::write(&token_file, FakeEntra::FEDERATED).expect("a token");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let user = json!({
        "aud": "https://storage.azure.com", "iss": "https://sts.windows.net/t/", "iat": now, "nbf": now - 60, "exp": now + 3600,
    });
    let az = azure_cli(&fake.issue(&user));
    let environment = vec![
        ("AZURE_TENANT_ID", FakeEntra::TENANT.to_owned()),
        ("AZURE_CLIENT_ID", FakeEntra::CLIENT.to_owned()),
        ("AZURE_CLIENT_SECRET", FakeEntra::SECRET.to_owned()),
        ("AZURE_AUTHORITY_HOST", url.clone()),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.imds()),
        ("PATH", format!("{}:{}", az.path().display(), std::env::var("PATH").unwrap_or_default())),
    ];
    ENVIRONMENT.set(environment).expect("set once");
    let (broker, topic) = (Broker::shared(), "identity");
    broker.create_topic(topic, 1);
    let produce = || broker.produce(topic, 0, (0..BATCH).map(|n| Record::value(format!("{{\"id\":{n}}}")).key("k")));
    produce();

    let (pem, pfx) = (pem.display().to_string(), pfx.display().to_string());
    let endpoint = azurite.blob_endpoint();
    let base = json!({
        "tasks.max": "1", "topics": topic, "landfall.azure.ca.file": ca, "landfall.container.create": "true",
        "consumer.override.session.timeout.ms": "6000",
    });
    let own = |name: &str, more: Value| {
        let mut config = base.clone();
        with(
            &mut config,
            &json!({
                "connector.class": "AzureDataLakeSink", "flush.size": "10", "topics.dir": name,
                "store.url": format!("{endpoint}/lake"),
            }),
        );
        with(&mut config, &more);
        (format!("identity-{name}"), config)
    };
    let of = |name: &str, class: &str, more: Value| {
        let mut config = base.clone();
        with(&mut config, &json!({"connector.class": class}));
        with(&mut config, &more);
        (format!("identity-{name}"), config)
    };
    let connectors = [
        own(
            "secret",
            json!({
                "landfall.azure.credential": "client-secret", "landfall.azure.tenant.id": FakeEntra::TENANT,
                "landfall.azure.client.id": FakeEntra::CLIENT, "landfall.azure.client.secret": FakeEntra::SECRET,
            }),
        ),
        own(
            "pfx",
            json!({
                "landfall.azure.credential": "client-certificate", "landfall.azure.tenant.id": FakeEntra::TENANT,
                "landfall.azure.client.id": FakeEntra::CLIENT, "landfall.azure.client.certificate": pfx,
                "landfall.azure.client.certificate.password": "pfx-password",
            }),
        ),
        own("environment", json!({"landfall.azure.credential": "environment"})),
        own("machine", json!({"landfall.azure.credential": "managed-identity"})),
        own(
            "resource",
            json!({"landfall.azure.credential": "managed-identity", "landfall.azure.resource.id": FakeEntra::RESOURCE}),
        ),
        own("cli", json!({"landfall.azure.credential": "azure-cli"})),
        of(
            "gen2",
            "io.confluent.connect.azure.datalake.gen2.AzureDataLakeGen2SinkConnector",
            json!({
                "format.class": "io.confluent.connect.azure.storage.format.parquet.ParquetFormat", "flush.size": "10",
                "azure.datalake.gen2.account.name": "devstoreaccount1", "azure.datalake.gen2.client.id": FakeEntra::CLIENT,
                "azure.datalake.gen2.client.key": FakeEntra::SECRET,
                "azure.datalake.gen2.token.endpoint": format!("{url}/{}/oauth2/token", FakeEntra::TENANT),
                "store.url": endpoint, "topics.dir": "lake/gen2",
            }),
        ),
        of(
            "blob",
            "io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector",
            json!({
                "format.class": "io.confluent.connect.azure.blob.format.json.JsonFormat", "flush.size": "10",
                "azblob.account.name": "devstoreaccount1", "azblob.container.name": "created", "store.url": endpoint,
                "topics.dir": "blob", "landfall.state.container": "pointers",
                "landfall.azure.credential": "client-certificate", "landfall.azure.tenant.id": FakeEntra::TENANT,
                "landfall.azure.client.id": FakeEntra::CLIENT, "landfall.azure.client.certificate": pem,
            }),
        ),
        of(
            "aiven",
            "io.aiven.kafka.connect.azure.sink.AzureBlobSinkConnector",
            json!({
                "azure.storage.connection.string": format!("BlobEndpoint={endpoint}"), "azure.storage.container.name": "lake",
                "file.name.prefix": "aiven/", "file.max.records": "10", "format.output.type": "jsonl",
                "landfall.azure.credential": "workload-identity",
                "landfall.azure.federated.token.file": token_file.display().to_string(),
            }),
        ),
        of(
            "lenses",
            "io.lenses.streamreactor.connect.datalake.sink.DatalakeSinkConnector",
            json!({
                "connect.datalake.kcql": "INSERT INTO lake:lenses SELECT * FROM identity STOREAS PARQUET PROPERTIES('flush.count'=10)",
                "connect.datalake.azure.account.name": "devstoreaccount1", "connect.datalake.endpoint": endpoint,
                "landfall.azure.credential": "managed-identity", "landfall.azure.client.id": FakeEntra::IDENTITY,
            }),
        ),
    ];
    // Each token ends a few seconds after it was given.
    fake.lives(6);
    fake.next([Trouble::Busy(429, 1), Trouble::Slow(Duration::from_millis(500))]);
    let reach = [("landfall.allowed.hosts", "*"), ("landfall.allowed.paths", "*")];
    let mut worker = Worker::of(landfall_in_azure, &broker.bootstrap(), &reach);
    worker.start_again();
    for (name, config) in &connectors {
        let (status, body) = worker.post("/connectors", &json!({"name": name, "config": config}));
        assert_eq!(status, 201, "create {name}: {body}");
    }
    connectors.iter().for_each(|(name, _)| worker.await_landed(broker, name, topic));
    let (first, asked) = (Instant::now(), fake.asked().len());
    // Refused ones do not disturb the others.
    let wrong = refused_connectors(&worker, &own, &azurite);
    // By now every token has ended that the first records were landed with.
    wait_until("tokens to end and to be renewed", secs(30), || (first.elapsed() > secs(7)).then_some(()));
    assert!(fake.asked().len() >= asked + 6, "{} requests, then {}", asked, fake.asked().len());
    produce();
    connectors.iter().for_each(|(name, _)| worker.await_landed(broker, name, topic));

    // One identity is asked for once, however many connectors it has.
    let fields: Vec<_> = fake.asked().into_iter().map(|asked| (asked.path, asked.fields)).collect();
    let count = |is: &dyn Fn(&BTreeMap<String, String>) -> bool| fields.iter().filter(|(_, fields)| is(fields)).count();
    let ours = format!("/{}/oauth2/v2.0/token", FakeEntra::TENANT);
    assert!(fields.iter().any(|(path, _)| *path == ours));
    let federated =
        |fields: &BTreeMap<String, String>| fields.get("client_assertion").is_some_and(|token| token == FakeEntra::FEDERATED);
    let signed = |fields: &BTreeMap<String, String>| fields.contains_key("client_assertion") && !federated(fields);
    for (what, found) in [
        ("client secret", count(&|fields| fields.contains_key("client_secret"))),
        ("certificate", count(&signed)),
        ("workload identity", count(&federated)),
        ("identity by client id", count(&|fields| fields.get("client_id").is_some_and(|id| id == FakeEntra::IDENTITY))),
        ("identity by resource id", count(&|fields| fields.contains_key("msi_res_id"))),
        (
            "the machine's identity",
            count(&|fields| {
                fields.contains_key("resource") && !fields.contains_key("client_id") && !fields.contains_key("msi_res_id")
            }),
        ),
    ] {
        assert!(found >= 2, "{what}: {found} of {}", fields.len());
    }
    let log = worker.log_text();
    for secret in [FakeEntra::SECRET, FakeEntra::FEDERATED, "pfx-password", "planted-wrong-secret", "eyJ"] {
        assert!(!log.contains(secret) && !wrong.contains(secret), "{secret}");
    }

    // Containers were made, and each class has landed where it was told to.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let net = Net::read(&[("landfall.azure.ca.file".to_owned(), ca.clone())].into(), &mut Faults::default()).expect("good");
        let key = || Credential::key(azurite.account_name(), azurite.account_key()).expect("base64");
        let open =
            |container: &str| AzureStorage::through(format!("{endpoint}/{container}").parse().expect("a URL"), key(), &net);
        for (container, folder) in [
            ("lake", "secret"),
            ("lake", "pfx"),
            ("lake", "environment"),
            ("lake", "machine"),
            ("lake", "resource"),
            ("lake", "cli"),
            ("lake", "gen2"),
            ("created", "blob"),
            ("lake", "aiven"),
            ("lake", "lenses"),
        ] {
            let files = open(container).expect("a client").list(&format!("{folder}/")).await.expect("listed");
            assert_eq!(files.len(), 2 * BATCH / 10, "{container}/{folder}: {files:?}");
        }
        assert_ne!(open("pointers").expect("a client").names("_landfall/").await.expect("listed").len(), 0);
    });
}

/// Connectors that are not let in, each with what its task says; all of it.
fn refused_connectors(worker: &Worker, own: &dyn Fn(&str, Value) -> (String, Value), azurite: &Azurite) -> String {
    let mut all = String::new();
    let application = json!({
        "landfall.azure.credential": "client-secret", "landfall.azure.tenant.id": FakeEntra::TENANT,
        "landfall.azure.client.id": FakeEntra::CLIENT, "landfall.azure.client.secret": FakeEntra::SECRET,
    });
    for (name, more, expected) in [
        (
            "wrong-secret",
            json!({"landfall.azure.client.secret": "planted-wrong-secret"}),
            "HTTP 401 AADSTS7000215, the client secret is wrong: it is the secret's value that counts, not its id",
        ),
        ("wrong-tenant", json!({"landfall.azure.tenant.id": "contoso.com"}), "in the tenant \"contoso.com\": "),
        (
            "no-container",
            json!({"store.url": format!("{}/nowhere", azurite.blob_endpoint()), "landfall.container.create": "false"}),
            "HTTP 404 ContainerNotFound, the container \"nowhere\" does not exist: make it, or give landfall.container.create=true",
        ),
        (
            "wrong-key",
            json!({
                "landfall.azure.credential": null, "landfall.azure.tenant.id": null, "landfall.azure.client.id": null,
                "landfall.azure.client.secret": null, "landfall.azure.account.key": "cHNzc3QtcHNzc3Q=",
            }),
            "(asked by the key of the account \"devstoreaccount1\")",
        ),
        (
            "wrong-identity",
            json!({
                "landfall.azure.credential": "managed-identity", "landfall.azure.tenant.id": null, "landfall.azure.client.id": "other",
                "landfall.azure.client.secret": null,
            }),
            "no token by the managed identity with the client id \"other\": ",
        ),
        (
            "no-login",
            json!({
                "landfall.azure.credential": "azure-cli", "landfall.azure.tenant.id": "nowhere", "landfall.azure.client.id": null,
                "landfall.azure.client.secret": null,
            }),
            "no token by the user of the Azure CLI in the tenant \"nowhere\": az account get-access-token failed: ERROR: Please run 'az login' to setup account.",
        ),
    ] {
        let (name, mut config) = own(name, application.clone());
        with(&mut config, &more);
        config.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let (status, body) = worker.post("/connectors", &json!({"name": name, "config": config}));
        assert_eq!(status, 201, "create {name}: {body}");
        let trace = worker.await_failure(&name);
        assert!(trace.contains(expected), "{name}: {trace}");
        all.push_str(&trace);
        worker.delete(&format!("/connectors/{name}"));
    }
    all
}

/// A storage service that refuses everything with this status and code; where it is.
fn refusing(authority: &Authority, status: u16, code: &'static str) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.set_nonblocking(true).expect("a socket");
    let (port, acceptor) = (socket.local_addr().expect("an address").port(), authority.tls("storage", "IP:127.0.0.1"));
    let status = StatusCode::from_u16(status).expect("a status");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let refuse = move || async move { (status, [("x-ms-error-code", code)], "") };
            let tls = Tls::serve(tokio::net::TcpListener::from_std(socket).expect("a socket"), acceptor);
            let _ = axum::serve(tls, axum::Router::new().fallback(refuse)).await;
        });
    });
    format!("https://127.0.0.1:{port}/account/lake")
}

#[test]
fn who_may_not_write_is_told_which_role_is_missing() {
    let fake = FakeEntra::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (client, tenant) = (FakeEntra::CLIENT, FakeEntra::TENANT);
    for (status, code, expected) in [
        (
            403,
            "AuthorizationPermissionMismatch",
            "the credentials do not allow it: Storage Blob Data Contributor on the container \"lake\" is enough, and counts some minutes after it was given",
        ),
        (401, "InvalidAuthenticationInfo", "the token has expired, or is of another tenant or cloud than the account's"),
        (403, "AuthorizationFailure", "the credentials or the network rules of the account do not allow it"),
    ] {
        let url = refusing(fake.authority(), status, code);
        let mut given = properties(&fake, &[("store.url", &url), ("topics.dir", "raw")]);
        given.insert("landfall.container.create".to_owned(), "true".to_owned());
        let opened = open("io.landfall.azure.AzureDataLakeSink", &given).expect("good");
        let error = runtime.block_on(opened.files.check()).expect_err("refused");
        let StorageError::Fatal(message) = error else { panic!("{error:?}") };
        assert_eq!(
            message,
            format!(
                "Create Container {url}: HTTP {status} {code}, {expected} (asked by the client secret of the application {client:?} in the \
                 tenant {tenant:?})"
            )
        );
    }
}

/// A proxy of HTTP that wants to know its user; the hosts that it has connected to, each as `host:port`.
fn proxy(user: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, connected) = (socket.local_addr().expect("an address").port(), Arc::new(Mutex::new(Vec::new())));
    let seen = connected.clone();
    thread::spawn(move || {
        for client in socket.incoming().flatten() {
            let seen = seen.clone();
            thread::spawn(move || {
                let mut lines = BufReader::new(client.try_clone().expect("a socket")).lines().map_while(Result::ok);
                let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                let target = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
                let known = head
                    .iter()
                    .any(|line| line.to_ascii_lowercase().starts_with("proxy-authorization: basic ") && line.ends_with(user));
                let mut client = client;
                if !known {
                    let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
                    return;
                }
                let mut server = TcpStream::connect(&target).expect("a server");
                seen.lock().expect("no panic").push(target);
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
                let (mut up, mut down) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                thread::spawn(move || std::io::copy(&mut up, &mut server));
                let _ = std::io::copy(&mut down, &mut client);
            });
        }
    });
    (format!("http://127.0.0.1:{port}"), connected)
}

#[test]
fn requests_go_through_the_proxy_but_for_hosts_that_need_none() {
    let authority = Arc::new(Authority::make());
    let (fake, azurite) = (FakeEntra::with(authority.clone()), Azurite::secured(&authority));
    // me:pssst
    let (proxy, connected) = proxy("bWU6cHNzc3Q=");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let url = format!("{}/lake", azurite.blob_endpoint());
    let through = |more: &[(&str, &str)]| {
        let own = [("store.url", url.as_str()), ("landfall.container.create", "true"), ("landfall.azure.proxy", &proxy)];
        let given = properties(&fake, &[own.as_slice(), more].concat());
        runtime.block_on(open("io.landfall.azure.AzureDataLakeSink", &given).expect("good").files.check())
    };
    let login = [("landfall.azure.proxy.user", "me"), ("landfall.azure.proxy.password", "pssst")];
    through(&[login.as_slice(), &[("landfall.azure.no.proxy", "127.0.0.0/8,other.example")]].concat()).expect("reached");
    assert_eq!(*connected.lock().expect("no panic"), [""; 0]);
    through(&login).expect("reached");
    let hosts = connected.lock().expect("no panic").clone();
    let host = |url: &str| url.split('/').nth(2).unwrap_or_default().to_owned();
    assert!(hosts.contains(&host(&fake.url())) && hosts.contains(&host(&url)), "{hosts:?}");
}
