//! Asks a registry over HTTP: the URLs one after the other, each again and again while it is away. It blocks: a task waits for the
//! schema of its records anyway.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::config::Password;
use landfall_api::{Faults, Value as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::TlsConfig;

/// The bytes that an answer may have.
const ANSWER: u64 = 64 << 20;

/// What a client is made of.
pub(super) struct Settings {
    /// Headers of every request, secrets among them.
    pub(super) headers: Vec<(String, String)>,
    /// Milliseconds; none for zero.
    pub(super) connect_timeout: i32,
    /// Milliseconds; none for zero.
    pub(super) read_timeout: i32,
    /// The host and port of a proxy.
    pub(super) proxy: Option<(String, u16)>,
    pub(super) retries: Retries,
    /// Whether to begin with any of the URLs.
    pub(super) randomize: bool,
}

/// How often and how soon a request is sent again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retries {
    pub(super) most: u32,
    /// At most so long before the first, and twice as long before each after it,
    pub(super) wait: Duration,
    /// up to this.
    pub(super) longest: Duration,
}

/// The client.
pub(super) struct Http {
    agent: Agent,
    bases: Vec<Base>,
    /// The base that answered last.
    current: usize,
    headers: Vec<(String, Password)>,
    retries: Retries,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("bases", &self.bases).finish_non_exhaustive()
    }
}

/// One of the URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    /// Without credentials and without a slash at its end.
    url: String,
    /// `Basic …`.
    authorization: Option<Password>,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// Trying again, here or elsewhere, may help.
    Away(String),
    /// The status, and the registry's message.
    Refused(u16, String),
}

impl Http {
    /// A client of the URLs that the key `key` has. `tls` is only asked for where one of them has https. All that is wrong is added to
    /// `faults`.
    pub(super) fn new(
        key: &str,
        urls: &[String],
        settings: Settings,
        tls: impl FnOnce(&mut Faults) -> TlsConfig,
        faults: &mut Faults,
    ) -> Option<Self> {
        let before = faults.0.len();
        let bases: Vec<_> = urls.iter().filter_map(|url| Base::parse(key, url, faults)).collect();
        if urls.is_empty() {
            faults.push(key, format!("{key} has no URL"));
        }
        let proxy = settings.proxy.map(|(host, port)| {
            let proxy = ureq::Proxy::builder(ureq::ProxyProtocol::Http).host(&host).port(port).build();
            proxy.map_err(|error| faults.push("proxy.host", format!("proxy.host: {host} is no host: {error}"))).ok()
        });
        let wait = |ms: i32| (ms > 0).then(|| Duration::from_millis(u64::from(ms.unsigned_abs())));
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            // Another host than the one that was allowed.
            .max_redirects(0)
            .proxy(proxy.flatten())
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(wait(settings.connect_timeout))
            .timeout_connect(wait(settings.connect_timeout))
            .timeout_recv_response(wait(settings.read_timeout))
            .timeout_recv_body(wait(settings.read_timeout));
        if bases.iter().any(|base| base.url.starts_with("https:")) {
            agent = agent.tls_config(tls(faults));
        }
        (faults.0.len() == before).then(|| Self {
            agent: agent.build().into(),
            current: if settings.randomize { random(bases.len() as u64) as usize } else { 0 },
            bases,
            headers: settings.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            retries: settings.retries,
        })
    }

    /// The body at `path`: asks each base, beginning with that which answered last, until one answers.
    pub(super) fn get(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let mut away = String::new();
        for _ in 0..self.bases.len() {
            let base = &self.bases[self.current];
            away = match self.get_patiently(base, path) {
                Err(Failure::Away(why)) => format!("the schema registry at {} does not answer: {why}", base.url),
                // It is not the records that are wrong.
                Err(Failure::Refused(401 | 403, why)) => {
                    let sent = match (self.authorization(), &base.authorization) {
                        (true, _) => "those of the configuration",
                        (false, Some(_)) => "those of its URL",
                        (false, None) => "none are sent, is basic.auth.credentials.source=USER_INFO or a token missing?",
                    };
                    format!("the schema registry at {} refuses the credentials ({sent}): {why}", base.url)
                }
                answered => return answered,
            };
            tracing::warn!("{away}");
            self.current = (self.current + 1) % self.bases.len();
        }
        Err(Failure::Away(away))
    }

    /// Whether the headers have credentials; then those of a URL do not count.
    fn authorization(&self) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }

    /// Whether one of the bases has `part` in its URL.
    pub(super) fn mentions(&self, part: &str) -> bool {
        self.bases.iter().any(|base| base.url.contains(part))
    }

    /// Asks a base, again and again while it is away.
    fn get_patiently(&self, base: &Base, path: &str) -> Result<Vec<u8>, Failure> {
        let Retries { most, wait, longest } = self.retries;
        for sent in 0..most {
            match self.get_once(base, path) {
                Err(Failure::Away(_)) => {}
                answered => return answered,
            }
            let limit = wait.saturating_mul(1 << sent.min(20)).min(longest).as_millis() as u64;
            sleep(Duration::from_millis(if limit == 0 { 0 } else { 1 + random(limit) }));
        }
        self.get_once(base, path)
    }

    fn get_once(&self, base: &Base, path: &str) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.get(format!("{}{path}", base.url));
        for (name, value) in &self.headers {
            request = request.header(name, value.reveal());
        }
        if let Some(authorization) = &base.authorization
            && !self.authorization()
        {
            request = request.header("Authorization", authorization.reveal());
        }
        let away = |error: ureq::Error| Failure::Away(error.to_string());
        let mut answer = request.call().map_err(away)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER).read_to_vec().map_err(away)?;
        match status {
            200 => Ok(body),
            408 | 429 | 500 | 502..=504 => Err(Failure::Away(format!("{status}: {}", message(&body)))),
            _ => Err(Failure::Refused(status, message(&body))),
        }
    }
}

impl Base {
    fn parse(key: &str, url: &str, faults: &mut Faults) -> Option<Self> {
        let (scheme, rest) = url.find("://").map_or(("", url), |at| url.split_at(at + 3));
        // All before the last of them may be a password.
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let url = format!("{scheme}{}", host.trim_end_matches('/'));
        let mut fault = |why: &str| {
            faults.push(key, format!("Invalid value {url} for configuration {key}: {why}"));
            None
        };
        let named = |uri: Uri| uri.host().is_some_and(|host| !host.is_empty());
        if !matches!(scheme, "http://" | "https://") || !url.parse().is_ok_and(named) {
            return fault("it is no URL with http or https");
        }
        if user.is_some_and(|user| user.contains(['/', '?', '#'])) {
            return fault("write / as %2F, ? as %3F and # as %23 in the user and password before the @");
        }
        let authorization = user.and_then(|user| Password::parse(&basic(&percent_decoded(user))).ok());
        Some(Self { url, authorization })
    }
}

/// The `Authorization` of `name:password`.
pub(super) fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

/// What a refusal says: the registry's message and code, or the begin of what it is instead.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error_code: i64,
        message: Option<String>,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => format!("{}; error code: {}", refusal.message.unwrap_or_default(), refusal.error_code),
        Err(_) => {
            let begin: String = String::from_utf8_lossy(body).chars().take(200).collect();
            format!("Unable to parse error message from schema registry: '({begin})'")
        }
    }
}

/// `text` with the bytes that `%2F` and its like stand for.
pub(in crate::convert) fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `text` as one part of a path.
pub(super) fn encoded(text: &str) -> String {
    const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, &UNRESERVED).to_string()
}

/// A number below `n`, by the clock: enough to keep tasks from asking all at once.
fn random(n: u64) -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()));
    nanos.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32) % n.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_shows_a_password_of_a_url() {
        for url in
            ["http://u:secret@", "ftp://u:secret@host", "http://u:sec/ret@host:8081", "u:secret@host", "http://u:sec#ret@host"]
        {
            let mut faults = Faults::default();
            assert_eq!(Base::parse("schema.registry.url", url, &mut faults), None, "{url}");
            let text = faults.to_string();
            assert!(text.contains("schema.registry.url") && !text.contains("sec"), "{text}");
        }
    }
}
