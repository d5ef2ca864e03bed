//! Gets the tokens of OAUTHBEARER: from an authorization server, from a file, or made here without a signature, for tests.
//!
//! Which one follows from the keys as in Java (4.3.1): without `sasl.login.callback.handler.class` it is
//! `OAuthBearerUnsecuredLoginCallbackHandler`; with `OAuthBearerLoginCallbackHandler` it is what `DefaultJwtRetriever` takes for the URL.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use landfall_api::config::{Password, Valid};
use landfall_api::{Faults, Key, Kind, Properties, Value as _};
use serde_json::{Map, Value, json};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::settings::text;
use super::{Backoff, spread};

/// What the keys begin with that are honoured, or that only concern checks which the broker makes too.
pub(super) const KNOWN_TO_OAUTH: &[&str] = &[
    "sasl.login.callback.handler.class",
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.login.refresh.",
    "sasl.login.retry.",
    "sasl.oauthbearer.client.credentials.",
    "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.",
    "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.jwks.",
    "sasl.oauthbearer.jwt.retriever.class",
    "sasl.oauthbearer.jwt.validator.class",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url",
];

/// The bytes that an answer may have.
const ANSWER: u64 = 1 << 20;
/// Answers after which asking again is of no use, as `HttpJwtRetriever` has them.
const UNRETRYABLE: &[u16] = &[400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 413, 414, 415, 501, 505];

/// A token and what is sent with it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: Password,
    /// SASL extensions (KIP-342).
    pub(super) extensions: Vec<(String, String)>,
}

/// Where tokens come from; the last one is kept until it is time for another.
pub(super) struct Tokens {
    source: Source,
    extensions: Vec<(String, String)>,
    refresh: Refresh,
    last: Mutex<Option<(Password, SystemTime)>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

enum Source {
    /// `OAuthBearerUnsecuredLoginCallbackHandler`.
    Unsecured { claims: Map<String, Value>, lifetime: i64 },
    /// `FileJwtRetriever`.
    File(String),
    /// `ClientCredentialsJwtRetriever`.
    Endpoint(Arc<Endpoint>),
}

/// When a token is replaced (`sasl.login.refresh.*`).
#[derive(Clone, Copy, Debug)]
struct Refresh {
    factor: f64,
    jitter: f64,
    min_period: f64,
    buffer: f64,
}

struct Endpoint {
    agent: Agent,
    url: String,
    authorization: Password,
    body: String,
    backoff: Duration,
    backoff_most: Duration,
}

impl Tokens {
    pub(super) fn read(given: &Properties, options: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Self> {
        const HANDLER: &str = "sasl.login.callback.handler.class";
        const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
        const VALIDATOR: &str = "sasl.oauthbearer.jwt.validator.class";
        let before = faults.0.len();
        let simple =
            |key| text(given, key).filter(|class| !class.is_empty()).map(|class| class.rsplit('.').next().unwrap_or(class));
        let refuse = |key: &str, faults: &mut Faults| {
            let class = text(given, key).unwrap_or_default();
            faults.push(key, format!("Invalid value {class} for configuration {key}: Java classes cannot run here"));
        };
        if simple(VALIDATOR).is_some_and(|class| !["DefaultJwtValidator", "ClientJwtValidator"].contains(&class)) {
            refuse(VALIDATOR, faults);
        }
        let (source, prefix) = match simple(HANDLER) {
            None | Some("OAuthBearerUnsecuredLoginCallbackHandler") => (unsecured(options, faults), "unsecuredLoginExtension_"),
            Some("OAuthBearerLoginCallbackHandler") => {
                let source = match simple(RETRIEVER) {
                    None | Some("DefaultJwtRetriever" | "ClientCredentialsJwtRetriever" | "FileJwtRetriever") => {
                        retriever(given, options, faults)
                    }
                    Some(_) => {
                        refuse(RETRIEVER, faults);
                        None
                    }
                };
                (source, "extension_")
            }
            Some(_) => {
                refuse(HANDLER, faults);
                (None, "extension_")
            }
        };
        let extensions = options.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone())));
        let mut number = |name, kind, default, least, most| {
            let key = Key { name, kind, default: Some(default), valid: Valid::Between(least, most), ..Key::EMPTY };
            if kind == Kind::Short { key.read::<i16>(given, faults).map(f64::from) } else { key.read::<f64>(given, faults) }
        };
        let refresh = Refresh {
            factor: number("sasl.login.refresh.window.factor", Kind::Double, "0.8", 0, 1)?,
            jitter: number("sasl.login.refresh.window.jitter", Kind::Double, "0.05", 0, 1)?,
            min_period: number("sasl.login.refresh.min.period.seconds", Kind::Short, "60", 0, 900)?,
            buffer: number("sasl.login.refresh.buffer.seconds", Kind::Short, "300", 0, 3600)?,
        };
        let source = source?;
        (faults.0.len() == before).then(|| Self { source, extensions: extensions.collect(), refresh, last: Mutex::new(None) })
    }

    /// A token that lasts for some time yet. An error says why there is none, without secrets.
    pub(super) async fn token(&self) -> Result<Token, String> {
        let kept = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = match kept {
            Some((text, until)) if SystemTime::now() < until => text,
            _ => {
                let text = self.source.get().await?;
                let until = self.refresh.at(&text);
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = until.map(|until| (text.clone(), until));
                text
            }
        };
        Ok(Token { text, extensions: self.extensions.clone() })
    }
}

impl Refresh {
    /// When to ask for another token (`ExpiringCredentialRefreshingLogin`); None if this one does not say how long it lasts.
    fn at(&self, token: &Password) -> Option<SystemTime> {
        let claims = URL_SAFE_NO_PAD.decode(token.reveal().split('.').nth(1)?.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        let expires = claims.get("exp")?.as_f64()?;
        let since = claims.get("iat").and_then(Value::as_f64).unwrap_or(now);
        let wanted = since + (expires - since) * (self.factor + spread(0.0, self.jitter));
        // Where the token does not last for both, they give way.
        let at = if now + self.min_period + self.buffer > expires {
            wanted
        } else {
            wanted.clamp(now + self.min_period, expires - self.buffer)
        };
        let at = Duration::try_from_secs_f64(at.min(expires)).ok()?;
        UNIX_EPOCH.checked_add(at)
    }
}

impl Source {
    async fn get(&self) -> Result<Password, String> {
        let text = match self {
            Self::Unsecured { claims, lifetime } => made_here(claims, *lifetime),
            Self::File(path) => {
                let text = fs::read_to_string(path).map_err(|error| format!("the token of {path} cannot be read: {error}"))?;
                text.trim().to_owned()
            }
            Self::Endpoint(endpoint) => endpoint.get().await?,
        };
        Password::parse(&text)
    }
}

fn retriever(given: &Properties, options: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Source> {
    const URL: &str = "sasl.oauthbearer.token.endpoint.url";
    let url = text(given, URL).unwrap_or_default();
    if let Some(path) = url.strip_prefix("file:") {
        return Some(Source::File(format!("/{}", path.trim_start_matches('/'))));
    }
    if !url.starts_with("https://") && !url.starts_with("http://") {
        faults.push(URL, format!("Invalid value {url} for configuration {URL}: it must be a URL with https, http or file"));
        return None;
    }
    if options.keys().any(|option| option.starts_with("ssl")) {
        faults.push(
            "sasl.jaas.config",
            "sasl.jaas.config: the authorization server is trusted as the system does, ssl options are not supported",
        );
        return None;
    }
    // The key wins over the older option, as in Java's ConfigOrJaas.
    let mut either = |key: &str, option: &str, required: bool| {
        let value = text(given, key).or_else(|| options.get(option).map(|value| value.trim())).filter(|value| !value.is_empty());
        if value.is_none() && required {
            faults.push(key, format!("{key} is missing, {URL} needs it"));
        }
        value.map(str::to_owned)
    };
    let id = either("sasl.oauthbearer.client.credentials.client.id", "clientId", true);
    let secret = either("sasl.oauthbearer.client.credentials.client.secret", "clientSecret", true);
    let scope = either("sasl.oauthbearer.scope", "scope", false);
    let mut read = |name, kind, default, least| {
        let valid = if least < 0 { Valid::Any } else { Valid::AtLeast(least) };
        Key { name, kind, default, valid, ..Key::EMPTY }.read::<Option<i64>>(given, faults)
    };
    let connect = read("sasl.login.connect.timeout.ms", Kind::Int, None, -1)?;
    let answer = read("sasl.login.read.timeout.ms", Kind::Int, None, -1)?;
    let backoff = read("sasl.login.retry.backoff.ms", Kind::Long, Some("100"), 0)?;
    let backoff_most = read("sasl.login.retry.backoff.max.ms", Kind::Long, Some("10000"), 0)?;
    let key = Key { name: "sasl.oauthbearer.header.urlencode", kind: Kind::Boolean, default: Some("false"), ..Key::EMPTY };
    let encode = if key.read::<bool>(given, faults)? { url_encode } else { str::to_owned };
    let (id, secret, scope) = (encode(&id?), encode(&secret?), scope.map(|scope| encode(&scope)));
    let wait = |ms: Option<i64>| ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0).map(Duration::from_millis);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).unversioned_rustls_crypto_provider(provider).build();
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .timeout_connect(wait(connect))
        .timeout_recv_response(wait(answer))
        .timeout_recv_body(wait(answer))
        .build();
    Some(Source::Endpoint(Arc::new(Endpoint {
        agent: agent.into(),
        url: url.to_owned(),
        authorization: Password::parse(&format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))).ok()?,
        body: scope.map_or_else(
            || "grant_type=client_credentials".into(),
            |scope| format!("grant_type=client_credentials&scope={scope}"),
        ),
        backoff: wait(backoff).unwrap_or_default(),
        backoff_most: wait(backoff_most).unwrap_or_default(),
    })))
}

/// What `java.net.URLEncoder` makes of a text.
fn url_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

impl Endpoint {
    /// Asks until there is a token or `sasl.login.retry.backoff.max.ms` is over.
    async fn get(self: &Arc<Self>) -> Result<String, String> {
        let began = tokio::time::Instant::now();
        let mut backoff = Backoff::new(self.backoff, self.backoff_most);
        loop {
            let endpoint = Arc::clone(self);
            let asked = tokio::task::spawn_blocking(move || endpoint.ask()).await.map_err(|error| error.to_string())?;
            match asked {
                Err((why, true)) if began.elapsed() < self.backoff_most => {
                    tracing::debug!("{why}");
                    tokio::time::sleep(backoff.next()).await;
                }
                other => return other.map_err(|(why, _)| why),
            }
        }
    }

    /// A token, or why there is none and whether asking again may help.
    fn ask(&self) -> Result<String, (String, bool)> {
        let url = &self.url;
        let sent = self
            .agent
            .post(url)
            .header("Accept", "application/json")
            .header("Authorization", self.authorization.reveal())
            .header("Cache-Control", "no-cache")
            .content_type("application/x-www-form-urlencoded")
            .send(&self.body);
        let mut answer = sent.map_err(|error| (format!("{url}: {error}"), true))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER).read_to_string();
        let body = body.map_err(|error| (format!("{url}: {error}"), true))?;
        let parsed: Option<Value> = serde_json::from_str(&body).ok();
        if !(200..300).contains(&status) {
            // The fields of RFC 6749, 5.2; another body may repeat what was sent.
            let field = |name| parsed.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
            let why = [field("error"), field("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
            let again = !UNRETRYABLE.contains(&status);
            return Err((format!("{url}: HTTP status {status} {why}").trim_end().to_owned(), again));
        }
        let token = ["access_token", "id_token"].into_iter().find_map(|name| {
            let token = parsed.as_ref()?.get(name)?.as_str()?.trim();
            (!token.is_empty()).then(|| token.to_owned())
        });
        token.ok_or_else(|| (format!("{url}: the answer has no access_token"), false))
    }
}

fn unsecured(options: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Source> {
    const JAAS: &str = "sasl.jaas.config";
    let mut claims = Map::new();
    for (option, value) in options {
        let claim = if let Some(name) = option.strip_prefix("unsecuredLoginStringClaim_") {
            Some((name, Value::from(value.as_str())))
        } else if let Some(name) = option.strip_prefix("unsecuredLoginNumberClaim_") {
            value.parse::<f64>().ok().map(|number| (name, Value::from(number)))
        } else if let Some(name) = option.strip_prefix("unsecuredLoginListClaim_") {
            // The first character is what separates the items.
            let items = value.chars().next().map(|by| value[by.len_utf8()..].split(by).map(Value::from).collect());
            Some((name, Value::Array(items.unwrap_or_default())))
        } else {
            continue;
        };
        match claim {
            Some((name @ ("iat" | "exp"), _)) => faults.push(JAAS, format!("{JAAS}: Cannot explicitly set the '{name}' claim")),
            Some((name, value)) => drop(claims.insert(name.to_owned(), value)),
            None => faults.push(JAAS, format!("{JAAS}: {option} is no number")),
        }
    }
    let principal = options.get("unsecuredLoginPrincipalClaimName").map_or("sub", String::as_str);
    if !claims.contains_key(principal) {
        faults.push(JAAS, format!("{JAAS}: OAuthBearerLoginModule needs the option unsecuredLoginStringClaim_{principal}"));
    }
    let lifetime = options.get("unsecuredLoginLifetimeSeconds").map_or(Ok(3600), |seconds| seconds.trim().parse::<i64>());
    match lifetime {
        Ok(lifetime) => Some(Source::Unsecured { claims, lifetime }),
        Err(_) => {
            faults.push(JAAS, format!("{JAAS}: unsecuredLoginLifetimeSeconds is no number"));
            None
        }
    }
}

/// A token without a signature (RFC 7519, 6).
fn made_here(claims: &Map<String, Value>, lifetime: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut claims = claims.clone();
    claims.insert("iat".into(), json!(now));
    claims.insert("exp".into(), json!((now + lifetime as f64).floor()));
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none" })), part(&Value::Object(claims)))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const HANDLER: (&str, &str) =
        ("sasl.login.callback.handler.class", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler");

    fn read(given: &[(&str, &str)], options: &[(&str, &str)]) -> Result<Tokens, Faults> {
        let map = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut faults = Faults::default();
        let tokens = Tokens::read(&map(given), &map(options), &mut faults);
        faults.or(tokens)
    }

    /// A server that gives these answers, each a status and a body, and what it is asked.
    fn server(answers: Vec<(u16, String)>) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/token", listener.local_addr().expect("an address"));
        let (sender, asked) = mpsc::channel();
        thread::spawn(move || {
            for (status, body) in answers {
                let (stream, _) = listener.accept().expect("a connection");
                let mut reader = BufReader::new(stream);
                let (mut head, mut length) = (String::new(), 0);
                while reader.read_line(&mut head).expect("a line") > 2 {
                    let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                }
                let mut content = vec![0; length];
                reader.read_exact(&mut content).expect("a body");
                sender.send(head + &String::from_utf8_lossy(&content)).expect("wanted");
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                reader.get_mut().write_all(answer.as_bytes()).expect("written");
            }
        });
        (url, asked)
    }

    fn jwt(lifetime: i64) -> String {
        made_here(&Map::from_iter([("sub".to_owned(), json!("me"))]), lifetime)
    }

    #[tokio::test]
    async fn an_authorization_server_is_asked_until_it_answers_and_again_when_it_is_time() {
        let (long, short) = (jwt(3600), jwt(1));
        let answer = |token: &str| (200, json!({ "access_token": token, "expires_in": 1 }).to_string());
        let (url, asked) = server(vec![(503, String::new()), answer(&short), answer(&long)]);
        let given = [
            HANDLER,
            ("sasl.oauthbearer.token.endpoint.url", url.as_str()),
            ("sasl.oauthbearer.client.credentials.client.id", "me & you"),
            ("sasl.oauthbearer.header.urlencode", "true"),
            ("sasl.login.retry.backoff.ms", "1"),
            ("sasl.login.refresh.window.factor", "0.5"),
        ];
        let options = [("clientId", "older"), ("clientSecret", "the secret"), ("scope", "kafka"), ("extension_pool", "p1")];
        let tokens = read(&given, &options).expect("tokens");
        let first = tokens.token().await.expect("a token");
        assert_eq!(first.text.reveal(), short);
        assert_eq!(first.extensions, [("pool".to_owned(), "p1".to_owned())]);
        while SystemTime::now() < tokens.last.lock().expect("not poisoned").as_ref().expect("kept").1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..3 {
            assert_eq!(tokens.token().await.expect("a token").text.reveal(), long);
        }
        let asked: Vec<_> = asked.try_iter().collect();
        assert_eq!(asked.len(), 3);
        let credentials = STANDARD.encode("me+%26+you:the+secret");
        assert!(asked[2].starts_with("POST /token ") && asked[2].contains(&credentials), "{}", asked[2]);
        assert!(asked[2].ends_with("grant_type=client_credentials&scope=kafka"), "{}", asked[2]);
    }

    #[tokio::test]
    async fn a_refusal_is_said_without_what_was_sent() {
        let refusal = json!({ "error": "invalid_client", "echo": "the-secret" }).to_string();
        let (url, asked) = server(vec![(401, refusal), (200, json!({ "token": "the-secret" }).to_string())]);
        let given = [HANDLER, ("sasl.oauthbearer.token.endpoint.url", url.as_str())];
        let options = [("clientId", "me"), ("clientSecret", "the-secret")];
        let tokens = read(&given, &options).expect("tokens");
        assert_eq!(tokens.token().await.expect_err("refused"), format!("{url}: HTTP status 401 invalid_client"));
        assert_eq!(tokens.token().await.expect_err("nothing"), format!("{url}: the answer has no access_token"));
        assert_eq!(asked.try_iter().count(), 2);
        assert!(!format!("{tokens:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_file_is_read_again_when_its_token_has_had_its_time() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let url = format!("file://{}", file.path().display());
        let given = [HANDLER, ("sasl.oauthbearer.token.endpoint.url", url.as_str())];
        let tokens = read(&given, &[]).expect("tokens");
        for token in ["opaque", "another"] {
            fs::write(file.path(), format!("{token}\n")).expect("written");
            assert_eq!(tokens.token().await.expect("a token").text.reveal(), token);
        }
    }

    #[tokio::test]
    async fn a_token_without_signature_has_the_claims_of_the_options() {
        let options = [
            ("unsecuredLoginStringClaim_sub", "me"),
            ("unsecuredLoginNumberClaim_level", "3"),
            ("unsecuredLoginListClaim_scope", "|read|write"),
            ("unsecuredLoginExtension_trace", "7"),
        ];
        let token = read(&[], &options).expect("tokens").token().await.expect("a token");
        assert_eq!(token.extensions, [("trace".to_owned(), "7".to_owned())]);
        let claims = token.text.reveal().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("claims");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!((&claims["sub"], &claims["level"], &claims["scope"]), (&json!("me"), &json!(3.0), &json!(["read", "write"])));
        assert!(claims["exp"].as_f64() > claims["iat"].as_f64());
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_key() {
        let sub = ("unsecuredLoginStringClaim_sub", "me");
        let cases = [
            (vec![("sasl.login.callback.handler.class", "com.example.Handler")], vec![sub], "sasl.login.callback.handler.class"),
            (vec![], vec![], "sasl.jaas.config"),
            (vec![], vec![sub, ("unsecuredLoginStringClaim_exp", "1")], "sasl.jaas.config"),
            (vec![HANDLER], vec![], "sasl.oauthbearer.token.endpoint.url"),
            (
                vec![HANDLER, ("sasl.oauthbearer.jwt.retriever.class", "x.JwtBearerJwtRetriever")],
                vec![],
                "sasl.oauthbearer.jwt.retriever.class",
            ),
            (
                vec![HANDLER, ("sasl.oauthbearer.token.endpoint.url", "https://a/b")],
                vec![("clientId", "me")],
                "sasl.oauthbearer.client.credentials.client.secret",
            ),
            (vec![("sasl.login.refresh.window.factor", "2")], vec![sub], "sasl.login.refresh.window.factor"),
        ];
        for (given, options, key) in cases {
            let faults = read(&given, &options).expect_err(key);
            assert!(faults.0.iter().any(|fault| fault.key == key), "{key}: {faults:?}");
        }
    }

    #[test]
    fn a_token_is_replaced_before_it_ends() {
        let refresh = |jitter| Refresh { factor: 0.8, jitter, min_period: 60.0, buffer: 300.0 };
        let left = |refresh: Refresh, lifetime| {
            let token = Password::parse(&jwt(lifetime)).expect("a token");
            refresh.at(&token).and_then(|at| at.duration_since(SystemTime::now()).ok()).unwrap_or_default().as_secs()
        };
        assert!((2875..=2880).contains(&left(refresh(0.0), 3600)));
        // the buffer
        assert!((695..=700).contains(&left(refresh(0.0), 1000)));
        // too short for buffer and least period
        assert!((75..=80).contains(&left(refresh(0.0), 100)));
        assert!(refresh(0.0).at(&Password::parse("opaque").expect("a token")).is_none());
    }
}
