//! Gets the tokens of OAUTHBEARER and keeps them until it is time for others, for all clients with the same configuration.
//!
//! Where they come from follows from the keys as in Java (4.3.1): without `sasl.login.callback.handler.class` it is
//! `OAuthBearerUnsecuredLoginCallbackHandler`, with `OAuthBearerLoginCallbackHandler` what `sasl.oauthbearer.jwt.retriever.class` says.
//! With `EntraLoginCallbackHandler`, which is this worker's own, or with `landfall.azure.*` among the keys, it is Entra ID.
//!
//! - [`endpoint`] asks an authorization server, with an [`assertion`] if that is wanted,
//! - [`unsecured`] makes tokens that nobody has signed, for tests.

mod assertion;
mod endpoint;
mod unsecured;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_adls::entra::Entra;
use landfall_api::config::{Password, Valid};
use landfall_api::{Faults, Key, Kind, Properties};
use serde_json::{Map, Value};

use self::endpoint::Endpoint;
use super::text;
use crate::kafka::wire::spread;

/// The class that gives tokens.
pub(super) const HANDLER: &str = "sasl.login.callback.handler.class";
const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const SCOPE: &str = "sasl.oauthbearer.scope";
/// Handlers that get tokens of Entra ID: this worker's own, the one of Microsoft's examples for Event Hubs, and Spring Cloud Azure's.
const OF_ENTRA: &[&str] =
    &["EntraLoginCallbackHandler", "CustomAuthenticateCallbackHandler", "KafkaOAuth2AuthenticateCallbackHandler"];
/// How long an opaque token is taken to last of which nobody says how long it lasts.
const OPAQUE: f64 = 3600.0;
/// The wait after a token was not given.
const AGAIN: Duration = Duration::from_secs(10);
/// The least wait before the next token.
const SOON: Duration = Duration::from_millis(500);

/// A token and what is sent with it.
#[derive(Clone, Debug)]
pub(in crate::kafka) struct Token {
    pub(in crate::kafka) text: Password,
    /// SASL extensions (KIP-342).
    pub(in crate::kafka) extensions: Vec<(String, String)>,
    pub(in crate::kafka) expires: SystemTime,
    /// Whom it is for, for messages.
    pub(in crate::kafka) principal: String,
}

/// Why there is no token, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kafka) struct NoToken {
    pub(in crate::kafka) why: String,
    /// Whether asking again may help.
    pub(in crate::kafka) again: bool,
}

impl NoToken {
    fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: false }
    }
}

/// A client that is given each token, until it has ended.
pub(in crate::kafka) trait Fed: Send {
    /// Gives it a token.
    fn give(&self, token: &Token) -> Result<(), String>;
    /// Says why there is none.
    fn refuse(&self, why: &str);
    /// Whether it has ended.
    fn has_ended(&self) -> bool;
}

/// Where tokens come from; the last one is kept until it is time for another.
pub(in crate::kafka) struct Tokens {
    source: Source,
    extensions: Vec<(String, String)>,
    refresh: Refresh,
    /// The name of the claim that says whom a token is for.
    subject: String,
    /// Locked while one is asked for, so that one asks for all.
    last: Mutex<Option<Kept>>,
    feeding: Mutex<Feeding>,
    changed: Condvar,
}

#[derive(Clone)]
struct Kept {
    token: Token,
    /// When to ask for another.
    until: SystemTime,
}

#[derive(Default)]
struct Feeding {
    clients: Vec<Client>,
    is_running: bool,
    /// How often a client came or went.
    changes: u64,
}

struct Client {
    fed: Box<dyn Fed>,
    /// When the token that it has ends.
    has: Option<SystemTime>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

enum Source {
    /// `OAuthBearerUnsecuredLoginCallbackHandler`.
    Unsecured {
        claims: Map<String, Value>,
        lifetime: i64,
    },
    /// `FileJwtRetriever`.
    File(String),
    /// `ClientCredentialsJwtRetriever` and `JwtBearerJwtRetriever`.
    Endpoint(Box<Endpoint>),
    Entra {
        entra: Entra,
        scope: String,
    },
}

/// What was got.
struct Got {
    text: String,
    /// When it ends, in seconds since the epoch, if it does not say so itself.
    expires: Option<f64>,
}

/// When a token is replaced (`sasl.login.refresh.*`).
#[derive(Clone, Copy, Debug)]
struct Refresh {
    factor: f64,
    jitter: f64,
    min_period: f64,
    buffer: f64,
}

/// What is alive, by the hash of its configuration, to be found by what has the same.
static LIVING: Mutex<Vec<([u8; 32], Weak<Tokens>)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a class without its package.
fn simple<'a>(given: &'a Properties, key: &str) -> Option<&'a str> {
    text(given, key).map(|class| class.rsplit(['.', '$']).next().unwrap_or(class))
}

/// Whether tokens come from Entra ID: the handler says so, or a credential for it is all that there is.
pub(super) fn is_entra(given: &Properties, options: &BTreeMap<String, String>) -> bool {
    match simple(given, HANDLER) {
        Some(class) => OF_ENTRA.contains(&class),
        None => Entra::is_given(given) && !options.keys().any(|option| option.starts_with("unsecuredLogin")),
    }
}

impl Tokens {
    /// Reads the keys of a client and the `options` of its login module. `bootstrap` are the brokers that tokens of Entra ID are for.
    pub(super) fn read(
        given: &Properties,
        options: &BTreeMap<String, String>,
        bootstrap: &str,
        faults: &mut Faults,
    ) -> Option<Arc<Self>> {
        let before = faults.0.len();
        let (source, prefix) = match simple(given, HANDLER) {
            _ if is_entra(given, options) => (entra(given, bootstrap, faults), "extension_"),
            None | Some("OAuthBearerUnsecuredLoginCallbackHandler") => {
                (unsecured::read(options, faults), "unsecuredLoginExtension_")
            }
            Some("OAuthBearerLoginCallbackHandler") => (retriever(given, options, faults), "extension_"),
            Some(_) => {
                refuse(given, HANDLER, faults);
                (None, "extension_")
            }
        };
        let extensions: Vec<_> =
            options.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone()))).collect();
        for (name, value) in &extensions {
            // RFC 7628, 3.1
            let is_value = value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
            if name == "auth" || name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) || !is_value {
                const JAAS: &str = "sasl.jaas.config";
                faults.push(
                    JAAS,
                    format!("{JAAS}: {prefix}{name} is no extension of SASL: its name has letters alone, and is not auth"),
                );
            }
        }
        let refresh = refresh(given, faults);
        let (source, refresh) = (source?, refresh?);
        if faults.0.len() > before {
            return None;
        }
        let subject = text(given, "sasl.oauthbearer.sub.claim.name").unwrap_or("sub").to_owned();
        let hash = hash(given, options, bootstrap);
        let mut living = lock(&LIVING);
        living.retain(|(_, tokens)| tokens.strong_count() > 0);
        if let Some(same) = living.iter().find(|(other, _)| *other == hash).and_then(|(_, tokens)| tokens.upgrade()) {
            return Some(same);
        }
        let new = Arc::new(Self {
            source,
            extensions,
            refresh,
            subject,
            last: Mutex::default(),
            feeding: Mutex::default(),
            changed: Condvar::new(),
        });
        living.push((hash, Arc::downgrade(&new)));
        Some(new)
    }

    /// A token that lasts for some time yet. For threads that may wait.
    pub(in crate::kafka) fn get(&self) -> Result<Token, NoToken> {
        self.current().map(|kept| kept.token)
    }

    fn current(&self) -> Result<Kept, NoToken> {
        let mut last = lock(&self.last);
        if let Some(kept) = last.as_ref().filter(|kept| SystemTime::now() < kept.until) {
            return Ok(kept.clone());
        }
        let got = match self.source.get() {
            Ok(got) => got,
            // Better than none, for as long as it lasts.
            Err(refused) => match last.as_ref().filter(|kept| SystemTime::now() < kept.token.expires) {
                Some(kept) => {
                    tracing::warn!("there is no new token, the last one is used: {}", refused.why);
                    return Ok(kept.clone());
                }
                None => return Err(refused),
            },
        };
        let kept = self.keep(&got)?;
        *last = Some(kept.clone());
        Ok(kept)
    }

    /// The same where nobody may wait.
    pub(in crate::kafka) async fn token(self: &Arc<Self>) -> Result<Token, NoToken> {
        let this = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || this.get()).await;
        asked.unwrap_or_else(|error| Err(NoToken { why: error.to_string(), again: true }))
    }

    /// What is known of a token.
    fn keep(&self, got: &Got) -> Result<Kept, NoToken> {
        let claims = claims(&got.text).unwrap_or_default();
        let number = |name| claims.get(name).and_then(Value::as_f64);
        let now = seconds(SystemTime::now());
        let since = number("iat").filter(|iat| *iat < now).unwrap_or(now);
        let expires = number("exp").or(got.expires).unwrap_or(now + OPAQUE);
        if expires <= now {
            let (ago, at) = ((now - expires).ceil(), expires.floor());
            return Err(NoToken::for_good(format!(
                "the token has expired {ago} s ago (exp {at}); is it old, or the clock wrong?"
            )));
        }
        let text = Password::from(got.text.as_str());
        let principal = claims.get(&self.subject).and_then(Value::as_str).unwrap_or_default().to_owned();
        let token = Token { text, extensions: self.extensions.clone(), expires: time(expires), principal };
        Ok(Kept { token, until: time(self.refresh.at(since, expires, now)) })
    }

    /// Gives a client tokens for as long as it lasts, from a thread that all clients with the same configuration share.
    pub(in crate::kafka) fn feed(self: &Arc<Self>, fed: Box<dyn Fed>) {
        let mut feeding = lock(&self.feeding);
        feeding.clients.push(Client { fed, has: None });
        feeding.changes += 1;
        self.changed.notify_all();
        if !feeding.is_running {
            let this = Arc::clone(self);
            // It says what it has to say to whom its caller does.
            let logging = tracing::dispatcher::get_default(Clone::clone);
            let body = move || tracing::dispatcher::with_default(&logging, || this.run());
            match thread::Builder::new().name("sasl-login".into()).spawn(body) {
                Ok(_) => feeding.is_running = true,
                Err(error) => {
                    if let Some(client) = feeding.clients.pop() {
                        client.fed.refuse(&format!("no thread for tokens: {error}"));
                    }
                }
            }
        }
    }

    /// A client has ended.
    pub(in crate::kafka) fn left(&self) {
        lock(&self.feeding).changes += 1;
        self.changed.notify_all();
    }

    fn run(&self) {
        loop {
            let asked = self.current();
            let mut feeding = lock(&self.feeding);
            feeding.clients.retain(|client| !client.fed.has_ended());
            if feeding.clients.is_empty() {
                feeding.is_running = false;
                return;
            }
            if let Err(refused) = &asked {
                tracing::warn!("there is no token for OAUTHBEARER: {}", refused.why);
            }
            for client in &mut feeding.clients {
                match &asked {
                    Ok(kept) if client.has == Some(kept.token.expires) => {}
                    Ok(kept) => match client.fed.give(&kept.token) {
                        Ok(()) => client.has = Some(kept.token.expires),
                        Err(why) => client.fed.refuse(&why),
                    },
                    // What may pass is waited for, as brokers are.
                    Err(refused) if !refused.again => client.fed.refuse(&refused.why),
                    Err(_) => {}
                }
            }
            // Past that time the old one is used because there was no new one.
            let left = asked.ok().and_then(|kept| kept.until.duration_since(SystemTime::now()).ok());
            let wait = left.map_or(AGAIN, |left| left.max(SOON));
            let seen = feeding.changes;
            drop(self.changed.wait_timeout_while(feeding, wait, |feeding| feeding.changes == seen));
        }
    }
}

impl Refresh {
    /// When to ask for another token (`ExpiringCredentialRefreshingLogin`), in seconds since the epoch.
    fn at(&self, since: f64, expires: f64, now: f64) -> f64 {
        let wanted = since + (expires - since) * (self.factor + spread(0.0, self.jitter));
        // Where the token does not last for both, they give way.
        let at = if now + self.min_period + self.buffer > expires {
            wanted
        } else {
            wanted.clamp(now + self.min_period, expires - self.buffer)
        };
        at.min(expires)
    }
}

impl Source {
    fn get(&self) -> Result<Got, NoToken> {
        match self {
            Self::Unsecured { claims, lifetime } => Ok(Got { text: unsecured::make(claims, *lifetime), expires: None }),
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(Got { text: text.trim().to_owned(), expires: None }),
                Err(error) => Err(NoToken::for_good(format!("the token of {path} cannot be read: {error}"))),
            },
            Self::Endpoint(endpoint) => endpoint.get(),
            Self::Entra { entra, scope } => match entra.token_blocking(scope) {
                Ok(token) => Ok(Got { text: token.secret.reveal().to_owned(), expires: Some(seconds(token.expires)) }),
                Err(error) => Err(NoToken { again: error.is_retriable(), why: error.to_string() }),
            },
        }
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn time(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// The claims of a token, if it is a JWT.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// Of all that tokens depend on.
fn hash(given: &Properties, options: &BTreeMap<String, String>, bootstrap: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let keys = given.iter().filter(|(key, _)| key.starts_with("sasl.") || key.starts_with("landfall.azure."));
    for (key, value) in keys.chain(options) {
        for part in [key, value] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    context.update(bootstrap.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn refuse(given: &Properties, key: &str, faults: &mut Faults) {
    let class = text(given, key).unwrap_or_default();
    faults.push(key, format!("Invalid value {class} for configuration {key}: Java classes cannot run here"));
}

fn refresh(given: &Properties, faults: &mut Faults) -> Option<Refresh> {
    let mut number = |name, kind, default, least, most| {
        let key = Key { name, kind, default: Some(default), valid: Valid::Between(least, most), ..Key::EMPTY };
        if kind == Kind::Short { key.read::<i16>(given, faults).map(f64::from) } else { key.read::<f64>(given, faults) }
    };
    Some(Refresh {
        factor: number("sasl.login.refresh.window.factor", Kind::Double, "0.8", 0, 1)?,
        jitter: number("sasl.login.refresh.window.jitter", Kind::Double, "0.05", 0, 1)?,
        min_period: number("sasl.login.refresh.min.period.seconds", Kind::Short, "60", 0, 900)?,
        buffer: number("sasl.login.refresh.buffer.seconds", Kind::Short, "300", 0, 3600)?,
    })
}

/// Tokens of Entra ID for the namespace of the first broker, unless a scope is given.
fn entra(given: &Properties, bootstrap: &str, faults: &mut Faults) -> Option<Source> {
    let scope = match text(given, SCOPE) {
        Some(scope) => scope.to_owned(),
        None => {
            let first = bootstrap.split(',').next().unwrap_or_default().trim();
            let first = first.split_once("://").map_or(first, |(_, address)| address);
            let host = first.rsplit_once(':').map_or(first, |(host, _)| host);
            format!("https://{host}/.default")
        }
    };
    let entra = Entra::read(given, faults)?;
    Some(Source::Entra { entra, scope })
}

/// What gets tokens by `OAuthBearerLoginCallbackHandler`.
fn retriever(given: &Properties, options: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Source> {
    let url = text(given, URL).unwrap_or_default();
    let file = url.strip_prefix("file:").map(|path| format!("/{}", path.trim_start_matches('/')));
    match (simple(given, RETRIEVER), file) {
        (None | Some("DefaultJwtRetriever" | "FileJwtRetriever"), Some(path)) => Some(Source::File(path)),
        (Some("FileJwtRetriever"), None) => {
            faults.push(URL, format!("Invalid value {url} for configuration {URL}: FileJwtRetriever needs a URL with file"));
            None
        }
        (None | Some("DefaultJwtRetriever" | "ClientCredentialsJwtRetriever"), _) => {
            Endpoint::read(given, options, false, faults).map(|endpoint| Source::Endpoint(Box::new(endpoint)))
        }
        (Some("JwtBearerJwtRetriever"), _) => {
            Endpoint::read(given, options, true, faults).map(|endpoint| Source::Endpoint(Box::new(endpoint)))
        }
        (Some(_), _) => {
            refuse(given, RETRIEVER, faults);
            None
        }
    }
}

#[cfg(test)]
mod tests;
