//! The keys that an issuer of tokens publishes: found by its OpenID configuration, kept, and read again when a token names another one.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::sync::Mutex;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How old keys may get before they are read again.
const FRESH: Duration = Duration::from_secs(6 * 3600);
/// The least time between two readings, whatever tokens name: whoever sends tokens must not make the worker ask all the time.
const BETWEEN: Duration = Duration::from_secs(60);
/// The same while there is no key at all.
const BETWEEN_FIRST: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest document that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The algorithms of signatures that are believed: with public keys, of the strength that Entra uses.
pub(super) const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256];

/// A key, and the algorithm that it is for, if that is said.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) key: DecodingKey,
    algorithm: Option<Algorithm>,
}

impl PublicKey {
    /// Whether signatures by `algorithm` may be looked at with it.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.key.family() == algorithm.family() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// None for a key that signs no tokens, or of a kind that is not believed.
    fn of(jwk: &Jwk) -> Option<(String, Self)> {
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|what| *what != PublicKeyUse::Signature) {
            return None;
        }
        let algorithm = match common.key_algorithm {
            None => None,
            Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
            Some(KeyAlgorithm::PS256) => Some(Algorithm::PS256),
            Some(KeyAlgorithm::ES256) => Some(Algorithm::ES256),
            Some(_) => return None,
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let key = Self { key, algorithm };
        ALGORITHMS.into_iter().any(|algorithm| key.is_for(algorithm)).then_some(())?;
        Some((common.key_id.clone()?, key))
    }
}

/// An issuer's keys.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    issuer: String,
    agent: ureq::Agent,
    known: RwLock<Known>,
    /// When they were read last, or were to be; held while they are.
    turn: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<String, PublicKey>,
    read: Option<Instant>,
}

impl Keys {
    /// Those of `issuer`, whose certificate is trusted by the file `ca`, else by the system. They are not read yet.
    pub(super) fn of(issuer: &str, ca: Option<&str>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(RootCerts::PlatformVerifier);
        if let Some(file) = ca {
            tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates(file)?)));
        }
        let config = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .https_only(true)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")));
        let (issuer, agent) = (issuer.to_owned(), config.build().new_agent());
        Ok(Self(Arc::new(Inner { issuer, agent, known: RwLock::default(), turn: Mutex::default() })))
    }

    /// The key that a token names.
    ///
    /// # Errors
    /// Why no key of the issuer's could be read yet.
    pub(super) async fn get(&self, id: &str) -> Result<Option<PublicKey>, String> {
        let (found, none, stale) = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            let stale = known.read.is_none_or(|read| read.elapsed() > FRESH);
            (known.keys.get(id).cloned(), known.keys.is_empty(), stale)
        };
        if found.is_some() {
            if stale {
                // What is known is good until something else is.
                let keys = self.clone();
                tokio::spawn(async move { keys.read_again(None).await });
            }
            return Ok(found);
        }
        let why = self.read_again(Some(id)).await.err();
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        match (known.keys.get(id), why) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, Some(why)) if none => Err(why),
            (None, _) => Ok(None),
        }
    }

    /// Reads the keys before they are needed.
    pub(super) fn prefetch(&self) {
        let keys = self.clone();
        tokio::spawn(async move { keys.read_again(None).await });
    }

    /// Reads the keys, unless `wanted` has come meanwhile or they were read a moment ago.
    async fn read_again(&self, wanted: Option<&str>) -> Result<(), String> {
        let mut last = self.0.turn.lock().await;
        let (has, none) = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            (wanted.is_some_and(|id| known.keys.contains_key(id)), known.keys.is_empty())
        };
        let pause = if none { BETWEEN_FIRST } else { BETWEEN };
        if has {
            return Ok(());
        }
        if last.is_some_and(|last| last.elapsed() < pause) {
            return Err(format!("the keys of {} could not be read a moment ago", self.0.issuer));
        }
        let keys = self.clone();
        let read = tokio::task::spawn_blocking(move || keys.read()).await;
        *last = Some(Instant::now());
        match read.unwrap_or_else(|_| Err("the reading ended unexpectedly".into())) {
            Ok(keys) => {
                tracing::info!("{} signs tokens with {} keys", self.0.issuer, keys.len());
                *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, read: Some(Instant::now()) };
                Ok(())
            }
            Err(why) => {
                tracing::warn!("the keys of {} cannot be read, those that are known go on: {why}", self.0.issuer);
                Err(format!("the keys of {} cannot be read: {why}", self.0.issuer))
            }
        }
    }

    fn read(&self) -> Result<BTreeMap<String, PublicKey>, String> {
        let Inner { issuer, .. } = &*self.0;
        let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let configuration = self.document(&at)?;
        let text = |name: &str| configuration.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("issuer") != issuer {
            return Err(format!("{at} is the configuration of another issuer, {:?}", text("issuer")));
        }
        let at = text("jwks_uri");
        let found = self.document(at)?;
        let found = found.get("keys").and_then(Value::as_array).ok_or_else(|| format!("{at} has no keys"))?;
        let jwks = found.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
        let keys: BTreeMap<_, _> = jwks.filter_map(|jwk| PublicKey::of(&jwk)).collect();
        if keys.is_empty() { Err(format!("{at} has no key for RS256, PS256 or ES256")) } else { Ok(keys) }
    }

    fn document(&self, url: &str) -> Result<Value, String> {
        let failed = |error: ureq::Error| format!("{url}: {error}");
        let mut answer = self.0.agent.get(url).header("accept", "application/json").call().map_err(failed)?;
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(failed)?;
        serde_json::from_slice(&body).map_err(|error| format!("{url}: not JSON: {error}"))
    }
}

fn certificates(file: &str) -> Result<Vec<Certificate<'static>>, String> {
    let failed = |why: String| format!("landfall.rest.bearer.ca.file: {file}: {why}");
    let pem = fs::read(file).map_err(|e| failed(format!("cannot be read: {e}")))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).map(|der| Ok(Certificate::from_der(&der?).to_owned()));
    let certificates: Vec<_> =
        certificates.collect::<Result<_, rustls::pki_types::pem::Error>>().map_err(|e| failed(e.to_string()))?;
    if certificates.is_empty() { Err(failed("there is no certificate in it".into())) } else { Ok(certificates) }
}
