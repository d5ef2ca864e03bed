//! Asks an authorization server for tokens, as `HttpJwtRetriever` with the request formatters of Java (4.3.1) does: with a client's
//! secret, with an assertion in its place (`ClientCredentialsJwtRetriever`), or with an assertion for the user (`JwtBearerJwtRetriever`).

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::config::{Password, Valid};
use landfall_api::{Faults, Key, Kind, Properties};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;

use super::super::text;
use super::assertion::{self, Assertion};
use super::{Got, NoToken, SCOPE, URL, seconds};
use crate::kafka::wire::Backoff;
use crate::tls::Stores;

/// The bytes that an answer may have.
const ANSWER: u64 = 1 << 20;
/// Answers after which asking again is of no use, as `HttpJwtRetriever` has them.
const UNRETRYABLE: &[u16] = &[400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 413, 414, 415, 501, 505];
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) struct Endpoint {
    agent: Agent,
    url: String,
    request: Request,
    backoff: Duration,
    backoff_most: Duration,
}

/// What is asked.
enum Request {
    /// With name and secret in a header.
    Secret { authorization: Password, body: String },
    /// With an assertion between the two texts.
    Assertion { assertion: Assertion, before: String, after: String },
}

impl Endpoint {
    /// Reads the keys of a client and the options of its login module, whose `ssl.*` are for the authorization server.
    pub(super) fn read(
        given: &Properties,
        options: &BTreeMap<String, String>,
        for_user: bool,
        faults: &mut Faults,
    ) -> Option<Self> {
        const JAAS: &str = "sasl.jaas.config";
        let url = text(given, URL).unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            faults.push(URL, format!("Invalid value {url} for configuration {URL}: it must be a URL with https, http or file"));
            return None;
        }
        let mut wrong = Faults::default();
        let stores = Stores::read(options, "", &mut wrong);
        for fault in wrong.0 {
            faults.push(JAAS, format!("{JAAS}: {}", fault.message));
        }
        for option in options.keys().filter(|option| option.starts_with("ssl.") && !crate::tls::KEYS.contains(&option.as_str())) {
            if option != "ssl.protocol" {
                faults.push(JAAS, format!("{JAAS}: {option} is not supported"));
            }
        }
        let mut read = |name, kind, default, least| {
            let valid = if least < 0 { Valid::Any } else { Valid::AtLeast(least) };
            Key { name, kind, default, valid, ..Key::EMPTY }.read::<Option<i64>>(given, faults)
        };
        let connect = read("sasl.login.connect.timeout.ms", Kind::Int, None, -1);
        let answer = read("sasl.login.read.timeout.ms", Kind::Int, None, -1);
        let backoff = read("sasl.login.retry.backoff.ms", Kind::Long, Some("100"), 0);
        let backoff_most = read("sasl.login.retry.backoff.max.ms", Kind::Long, Some("10000"), 0);
        let request = Request::read(given, options, for_user, faults);
        let wait = |ms: Option<i64>| ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0).map(Duration::from_millis);
        let (connect, answer) = (wait(connect?), wait(answer?));
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Another host than the one that was allowed.
            .max_redirects(0)
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .tls_config(stores?.http())
            .timeout_connect(connect)
            .timeout_recv_response(answer)
            .timeout_recv_body(answer)
            .build();
        Some(Self {
            agent: agent.into(),
            url: url.to_owned(),
            request: request?,
            backoff: wait(backoff?).unwrap_or_default(),
            backoff_most: wait(backoff_most?).unwrap_or_default(),
        })
    }

    /// Asks until there is a token or `sasl.login.retry.backoff.max.ms` is over.
    pub(super) fn get(&self) -> Result<Got, NoToken> {
        let began = Instant::now();
        let mut backoff = Backoff::new(self.backoff, self.backoff_most);
        loop {
            match self.ask() {
                Err(NoToken { why, again: true }) if began.elapsed() < self.backoff_most => {
                    tracing::debug!("{why}");
                    thread::sleep(backoff.next());
                }
                other => return other,
            }
        }
    }

    fn ask(&self) -> Result<Got, NoToken> {
        let url = &self.url;
        let request = self.agent.post(url).header("Accept", "application/json").header("Cache-Control", "no-cache");
        let request = request.content_type("application/x-www-form-urlencoded");
        let sent = match &self.request {
            Request::Secret { authorization, body } => request.header("Authorization", authorization.reveal()).send(body),
            Request::Assertion { assertion, before, after } => {
                let assertion = assertion.get().map_err(NoToken::for_good)?;
                request.send(format!("{before}{}{after}", url_encode(&assertion)))
            }
        };
        let again = |error: ureq::Error| NoToken { why: format!("{url}: {error}"), again: true };
        let mut answer = sent.map_err(again)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER).read_to_string().map_err(again)?;
        let parsed: Option<Value> = serde_json::from_str(&body).ok();
        let field = |name| parsed.as_ref().and_then(|json| json.get(name));
        if !(200..300).contains(&status) {
            // The fields of RFC 6749, 5.2; another body may repeat what was sent.
            let texts = [field("error"), field("error_description")].into_iter().flatten().filter_map(Value::as_str);
            let why = format!("{url}: HTTP status {status} {}", texts.collect::<Vec<_>>().join(": "));
            return Err(NoToken { why: why.trim_end().to_owned(), again: !UNRETRYABLE.contains(&status) });
        }
        let token = ["access_token", "id_token"].into_iter().find_map(|name| {
            let token = field(name)?.as_str()?.trim();
            (!token.is_empty()).then(|| token.to_owned())
        });
        let lasts = field("expires_in").and_then(Value::as_f64);
        let expires = lasts.map(|lasts| seconds(std::time::SystemTime::now()) + lasts);
        let got = token.map(|text| Got { text, expires });
        got.ok_or_else(|| NoToken::for_good(format!("{url}: the answer has no access_token")))
    }
}

impl Request {
    fn read(given: &Properties, options: &BTreeMap<String, String>, for_user: bool, faults: &mut Faults) -> Option<Self> {
        // The key wins over the older option, as in Java's ConfigOrJaas.
        let either = |key: &str, option: &str| {
            text(given, key).or_else(|| options.get(option).map(|value| value.trim())).filter(|value| !value.is_empty())
        };
        const ID: &str = "sasl.oauthbearer.client.credentials.client.id";
        const SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";
        let (id, secret) = (either(ID, "clientId"), either(SECRET, "clientSecret"));
        if for_user || assertion::is_given(given) {
            let assertion = Assertion::read(given, faults)?;
            let scope = if for_user { text(given, SCOPE) } else { either(SCOPE, "scope") };
            let mut after = String::new();
            let before = if for_user {
                format!("grant_type={}&assertion=", url_encode(JWT_BEARER))
            } else {
                after.push_str("&grant_type=client_credentials");
                after.extend(id.map(|id| format!("&client_id={}", url_encode(id))));
                format!("client_assertion_type={}&client_assertion=", url_encode(ASSERTION_TYPE))
            };
            after.extend(scope.map(|scope| format!("&scope={}", url_encode(scope))));
            return Some(Self::Assertion { assertion, before, after });
        }
        let scope = either(SCOPE, "scope");
        for (key, value) in [(ID, id), (SECRET, secret)] {
            if value.is_none() {
                faults.push(key, format!("{key} is missing, {URL} needs it"));
            }
        }
        let key = Key { name: "sasl.oauthbearer.header.urlencode", kind: Kind::Boolean, default: Some("false"), ..Key::EMPTY };
        let encode = if key.read::<bool>(given, faults)? { url_encode } else { str::to_owned };
        let (id, secret, scope) = (encode(id?), encode(secret?), scope.map(encode));
        let authorization = Password::from(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
        let mut body = "grant_type=client_credentials".to_owned();
        body.extend(scope.map(|scope| format!("&scope={scope}")));
        Some(Self::Secret { authorization, body })
    }
}

/// What `java.net.URLEncoder` makes of a text.
fn url_encode(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_');
    utf8_percent_encode(text, &KEPT).to_string().replace("%20", "+")
}
