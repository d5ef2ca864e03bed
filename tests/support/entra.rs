//! A stand-in for Entra ID over HTTPS and for the instance metadata service over HTTP: real requests, real signatures, and answers that a test makes slow, few or wrong.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io, thread};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as PathPart, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Tokens say this of their key.
const KEY_ID: &str = "landfall-test";

/// An authority of certificates and what it has signed, made by OpenSSL in a folder of their own.
#[derive(Debug)]
pub(crate) struct Authority(TempDir);

impl Authority {
    pub(crate) fn make() -> Self {
        let made = Self(TempDir::with_prefix("landfall-authority-").expect("a folder"));
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
        made.request("authority", &[curve.as_slice(), &["-subj", "/CN=authority"]].concat());
        made
    }

    /// The authority's own certificate, in PEM.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// A certificate for the server at `names` (as `IP:127.0.0.1,DNS:localhost`) and its key, both in PEM.
    pub(crate) fn server(&self, name: &str, names: &str) -> (PathBuf, PathBuf) {
        let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={names}"));
        let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "basicConstraints=critical,CA:FALSE"];
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
        let own = ["-subj", subject.as_str(), "-addext", names.as_str()];
        self.request(name, &[curve.as_slice(), &own, &signed].concat());
        (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))
    }

    /// The certificate of an application with an RSA key, signed by itself: certificate and key in one PEM file, and the same in a
    /// PKCS#12 file with `password`.
    pub(crate) fn application(&self, name: &str, password: &str) -> (PathBuf, PathBuf) {
        let (subject, key, pem) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.pem"));
        self.request(name, &["-newkey", "rsa:2048", "-subj", &subject]);
        let pfx = format!("{name}.pfx");
        let export = ["-export", "-inkey", &key, "-in", &pem, "-out", &pfx, "-passout", &format!("pass:{password}")];
        self.openssl(&[&["pkcs12"], export.as_slice()].concat());
        let both = fs::read_to_string(self.path(&key)).expect("a key") + &fs::read_to_string(self.path(&pem)).expect("PEM");
        let together = self.path(&format!("{name}.both.pem"));
        fs::write(&together, both).expect("written");
        (together, self.path(&pfx))
    }

    /// What a server speaks TLS with that has the certificate of [`Self::server`].
    pub(crate) fn tls(&self, name: &str, names: &str) -> TlsAcceptor {
        let (pem, key) = self.server(name, names);
        let chain = CertificateDer::pem_file_iter(pem).expect("PEM").collect::<Result<_, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config.with_no_client_auth().with_single_cert(chain, key).expect("a pair");
        TlsAcceptor::from(Arc::new(config))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn request(&self, name: &str, arguments: &[&str]) {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let own = ["req", "-x509", "-nodes", "-days", "2", "-keyout", &key, "-out", &pem];
        self.openssl(&[own.as_slice(), arguments].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let made = Command::new("openssl").args(arguments).current_dir(self.0.path()).output().expect("openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A request for a token.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `/<tenant>/oauth2/v2.0/token`, or that of the instance metadata service.
    pub(crate) path: String,
    /// The fields of the form, or of the query.
    pub(crate) fields: BTreeMap<String, String>,
}

/// What a request for a token meets instead of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The answer takes this long.
    Slow(Duration),
    /// Overload, and seconds to wait.
    Busy(u16, u64),
    /// This status with this body.
    Refused(u16, Value),
}

#[derive(Debug, Default)]
struct Mind {
    asked: Vec<Asked>,
    troubles: VecDeque<Trouble>,
    /// What all requests meet.
    always: Option<Trouble>,
    /// Public keys (SubjectPublicKeyInfo) of certificates that the application has.
    certificates: Vec<Vec<u8>>,
    /// Seconds that a token is good for.
    life: u64,
}

/// Entra ID with one tenant that has one application, and a machine with one user-assigned identity and one of its own.
pub(crate) struct FakeEntra {
    shared: Arc<Shared>,
    authority: Arc<Authority>,
    https: SocketAddr,
    http: SocketAddr,
    _end: oneshot::Sender<()>,
}

struct Shared {
    mind: Mutex<Mind>,
    key: KeyPair,
    base: String,
}

impl FakeEntra {
    pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    /// The application.
    pub(crate) const CLIENT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    pub(crate) const SECRET: &str = "wonder-land~8Q.secret";
    /// The token of a pod's service account that the application trusts.
    pub(crate) const FEDERATED: &str = "eyJhbGciOiJub25lIn0.service-account.token";
    /// The client id of the machine's user-assigned identity, and its resource id.
    pub(crate) const IDENTITY: &str = "99999999-8888-7777-6666-555555555555";
    pub(crate) const RESOURCE: &str =
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/landfall";

    /// Both services, on ports of their own, for as long as this lives.
    pub(crate) fn start() -> Self {
        Self::with(Arc::new(Authority::make()))
    }

    /// With a certificate of `authority`.
    pub(crate) fn with(authority: Arc<Authority>) -> Self {
        let bind = || {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            socket.set_nonblocking(true).expect("a socket");
            (socket.local_addr().expect("an address"), socket)
        };
        let ((https, tls_socket), (http, socket)) = (bind(), bind());
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let mind = Mutex::new(Mind { life: 3600, ..Mind::default() });
        let shared = Arc::new(Shared { mind, key, base: format!("https://127.0.0.1:{}", https.port()) });
        let entra = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/{tenant}/oauth2/token", post(token))
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
            .route("/{tenant}/.well-known/openid-configuration", get(configuration))
            .route("/{tenant}/discovery/v2.0/keys", get(keys))
            .with_state(shared.clone());
        let imds = Router::new().route("/metadata/identity/oauth2/token", get(managed)).with_state(shared.clone());
        let (end, ended) = oneshot::channel::<()>();
        let acceptor = authority.tls("entra", "IP:127.0.0.1,DNS:localhost");
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let tls = Tls::serve(TcpListener::from_std(tls_socket).expect("a socket"), acceptor);
                let plain = TcpListener::from_std(socket).expect("a socket");
                let serve = async { tokio::join!(axum::serve(tls, entra), axum::serve(plain, imds)) };
                tokio::select! { _ = serve => {}, _ = ended => {} }
            });
        });
        Self { shared, authority, https, http, _end: end }
    }

    /// Where Entra ID is: `https://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.https.port())
    }

    /// Where the instance metadata service is: `http://127.0.0.1:<port>`.
    pub(crate) fn imds(&self) -> String {
        format!("http://127.0.0.1:{}", self.http.port())
    }

    /// The certificate that its own one was signed with.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }

    /// The keys by which its application signs in with a secret.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        let ca = self.ca_file().display().to_string();
        [
            ("credential", "client-secret"),
            ("tenant.id", Self::TENANT),
            ("client.id", Self::CLIENT),
            ("client.secret", Self::SECRET),
            ("authority", &self.url()),
            ("ca.file", &ca),
        ]
        .into_iter()
        .map(|(key, value)| (format!("landfall.azure.{key}"), value.to_owned()))
        .collect()
    }

    /// Who signs certificates.
    pub(crate) fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// A token with these claims, signed as all of them are. Nothing is added.
    pub(crate) fn issue(&self, claims: &Value) -> String {
        self.shared.issue(claims)
    }

    /// The keys that its tokens are signed with, as a JSON Web Key Set.
    pub(crate) fn keys(&self) -> Value {
        self.shared.keys()
    }

    /// Who has asked for tokens so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.mind().asked.clone()
    }

    /// Tokens from now on are good for so many seconds.
    pub(crate) fn lives(&self, seconds: u64) {
        self.shared.mind().life = seconds;
    }

    /// The next requests for tokens meet these, one each.
    pub(crate) fn next(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.shared.mind().troubles.extend(troubles);
    }

    /// All requests for tokens meet this, until it is None.
    pub(crate) fn always(&self, trouble: Option<Trouble>) {
        self.shared.mind().always = trouble;
    }

    /// Gives the application the certificate in this file (PEM).
    pub(crate) fn trust(&self, certificate: &Path) {
        let mut openssl = Command::new("openssl");
        let made = openssl.args(["x509", "-pubkey", "-noout", "-in"]).arg(certificate).output().expect("openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pem = String::from_utf8(made.stdout).expect("PEM");
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        self.shared.mind().certificates.push(BASE64_STANDARD.decode(base64).expect("base64"));
    }
}

impl Shared {
    fn mind(&self) -> std::sync::MutexGuard<'_, Mind> {
        self.mind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issue(&self, claims: &Value) -> String {
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID, "x5t": KEY_ID});
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("signed");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The keys that its tokens are signed with, as a JSON Web Key Set.
    fn keys(&self) -> Value {
        let (modulus, exponent) = numbers(self.key.public_key().as_ref());
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": number(&modulus), "e": number(&exponent),
        }]})
    }

    /// A token as Entra ID gives it to the application `client` for `audience`.
    fn access_token(&self, client: &str, audience: &str, life: u64) -> String {
        let now = now();
        let tenant = FakeEntra::TENANT;
        self.issue(&json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now, "exp": now + life,
            "appid": client, "oid": client, "sub": client, "tid": tenant, "ver": "1.0",
            // Two tokens of one second are two.
            "uti": self.mind().asked.len().to_string(),
        }))
    }

    /// Remembers a request, and what it meets.
    async fn met(&self, path: String, fields: &BTreeMap<String, String>) -> Option<Response> {
        let trouble = {
            let mut mind = self.mind();
            mind.asked.push(Asked { path, fields: fields.clone() });
            mind.troubles.pop_front().or_else(|| mind.always.clone())
        };
        match trouble? {
            Trouble::Slow(time) => {
                tokio::time::sleep(time).await;
                None
            }
            Trouble::Busy(status, seconds) => {
                let status = StatusCode::from_u16(status).expect("a status");
                let body = json!({"error": "temporarily_unavailable", "error_description": "AADSTS90055: too many requests"});
                Some((status, [(header::RETRY_AFTER, seconds.to_string())], axum::Json(body)).into_response())
            }
            Trouble::Refused(status, body) => {
                Some((StatusCode::from_u16(status).expect("a status"), axum::Json(body)).into_response())
            }
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A refusal as Entra ID words it.
pub(crate) fn refusal(code: u64, text: &str) -> Value {
    json!({
        "error": "invalid_client", "error_description": format!("AADSTS{code}: {text} Trace ID: 0 Correlation ID: 0"),
        "error_codes": [code], "timestamp": "2026-11-22 00:00:00Z", "trace_id": "0", "correlation_id": "0",
    })
}

async fn token(State(shared): State<Arc<Shared>>, PathPart(tenant): PathPart<String>, body: Bytes) -> Response {
    let fields: BTreeMap<String, String> = form(&String::from_utf8_lossy(&body));
    if let Some(met) = shared.met(format!("/{tenant}/oauth2/v2.0/token"), &fields).await {
        return met;
    }
    let refused = |status: u16, code: u64, text: &str| {
        (StatusCode::from_u16(status).expect("a status"), axum::Json(refusal(code, text))).into_response()
    };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if tenant != FakeEntra::TENANT {
        return refused(400, 90002, &format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."));
    }
    if field("client_id") != FakeEntra::CLIENT {
        return refused(400, 700_016, "Application with identifier was not found in the directory.");
    }
    if field("grant_type") != "client_credentials" {
        return refused(400, 70003, "The app requested an unsupported grant type.");
    }
    let assertion = field("client_assertion");
    if !assertion.is_empty() {
        let endpoint = format!("{}/{tenant}/oauth2/v2.0/token", shared.base);
        let is_typed = field("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let certificates = shared.mind().certificates.clone();
        let signed = certificates.iter().any(|key| is_asserted(assertion, key, &endpoint));
        if !is_typed || !signed && assertion != FakeEntra::FEDERATED {
            let is_certificate = assertion.split('.').next().is_some_and(|header| header.len() > 200);
            return match is_certificate {
                true => refused(
                    401,
                    700_027,
                    "The certificate with identifier used to sign the client assertion is not registered on application.",
                ),
                false => refused(401, 700_213, "No matching federated identity record found for presented assertion subject."),
            };
        }
    } else if field("client_secret") != FakeEntra::SECRET {
        return refused(
            401,
            7_000_215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
        );
    }
    let audience = field("scope").trim_end_matches("/.default").to_owned();
    let life = shared.mind().life;
    let token = shared.access_token(FakeEntra::CLIENT, &audience, life);
    axum::Json(json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token})).into_response()
}

async fn managed(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(fields): Query<BTreeMap<String, String>>,
) -> Response {
    if let Some(met) = shared.met("/metadata/identity/oauth2/token".into(), &fields).await {
        return met;
    }
    let refused = |error: &str, text: &str| {
        (StatusCode::BAD_REQUEST, axum::Json(json!({"error": error, "error_description": text}))).into_response()
    };
    if headers.get("metadata").is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"true")) {
        return refused("bad_request_102", "Required metadata header not specified");
    }
    let ids = [("client_id", FakeEntra::IDENTITY), ("msi_res_id", FakeEntra::RESOURCE)];
    if ids.iter().any(|(name, id)| fields.get(*name).is_some_and(|given| given != id)) {
        return refused("invalid_request", "Identity not found");
    }
    let resource = fields.get("resource").cloned().unwrap_or_default();
    let life = shared.mind().life;
    let token = shared.access_token(FakeEntra::IDENTITY, &resource, life);
    let expires = (now() + life).to_string();
    axum::Json(json!({
        "access_token": token, "client_id": FakeEntra::IDENTITY, "expires_in": life.to_string(), "expires_on": expires,
        "ext_expires_in": life.to_string(), "not_before": now().to_string(), "resource": resource, "token_type": "Bearer",
    }))
    .into_response()
}

async fn configuration(State(shared): State<Arc<Shared>>, PathPart(tenant): PathPart<String>) -> Response {
    let base = format!("{}/{tenant}", shared.base);
    axum::Json(json!({
        "issuer": format!("{base}/v2.0"), "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"), "id_token_signing_alg_values_supported": ["RS256"],
    }))
    .into_response()
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    axum::Json(shared.keys()).into_response()
}

/// The two numbers of an RSAPublicKey in DER.
fn numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let element = |der: &[u8]| -> (usize, usize) {
        match der[1] {
            short @ 0..=0x7f => (2, usize::from(short)),
            long => {
                let bytes = usize::from(long & 0x7f);
                (2 + bytes, der[2..2 + bytes].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
            }
        }
    };
    let inner = &der[element(der).0..];
    let (start, length) = element(inner);
    let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let rest = &inner[start + length..];
    let (second, size) = element(rest);
    (number(&inner[start..start + length]), number(&rest[second..second + size]))
}

/// Whether `jwt` is an assertion for `audience` that the certificate with this public key has signed, and is of now.
fn is_asserted(jwt: &str, key: &[u8], audience: &str) -> bool {
    let Some((signed, signature)) = jwt.rsplit_once('.') else { return false };
    let Some((header, claims)) = signed.split_once('.') else { return false };
    let json = |part: &str| {
        serde_json::from_slice::<Value>(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).unwrap_or_default()
    };
    let (header, claims) = (json(header), json(claims));
    let client = json!(FakeEntra::CLIENT);
    let is_now = claims["nbf"].as_u64().is_some_and(|at| at <= now() + 60) && claims["exp"].as_u64().is_some_and(|at| at > now());
    let is_ours = claims["iss"] == client && claims["sub"] == client && claims["aud"] == audience && claims["jti"].is_string();
    let has_header = header["alg"] == "PS256" && header["x5t#S256"].is_string() && header["x5c"].is_array();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let verified = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key).verify(signed.as_bytes(), &signature).is_ok();
    is_now && is_ours && has_header && verified
}

fn form(body: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).unwrap_or_default() as u8;
            bytes.push(if byte == b'%' { digit() * 16 + digit() } else { byte });
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// Accepts connections of TLS. A handshake that takes long or fails holds nobody up.
pub(crate) struct Tls {
    address: SocketAddr,
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Tls {
    /// Must be called on a tokio runtime.
    pub(crate) fn serve(socket: TcpListener, acceptor: TlsAcceptor) -> Self {
        let address = socket.local_addr().expect("an address");
        let (accept, accepted) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = socket.accept().await {
                let (acceptor, accept) = (acceptor.clone(), accept.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = accept.send((stream, peer)).await;
                    }
                });
            }
        });
        Self { address, accepted }
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
