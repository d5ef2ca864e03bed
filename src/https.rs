//! TLS of the REST API and of requests between workers, from Java's keys (`SSLUtils` of Kafka 4.3.1).
//!
//! They begin with `listeners.https.`, or `admin.listeners.https.`; if no key does, those without a prefix count, as in Java. Other than in
//! Java, stores may be PEM, and stores that are replaced count from the next connection on.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_api::{Faults, Properties};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::tls::{Stores, trust};

/// What begins the keys of the listeners of the REST API, and of requests to other workers.
pub(crate) const LISTENERS: &str = "listeners.https.";
/// What begins the keys of the listeners of the admin API.
pub(crate) const ADMIN_LISTENERS: &str = "admin.listeners.https.";

/// How often files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The keys of stores that name files.
const FILES: [&str; 2] = ["ssl.keystore.location", "ssl.truststore.location"];

/// Keys that mean something to Java's machinery alone, and nothing here.
const OF_JAVA: [&str; 4] =
    ["ssl.provider", "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation"];

/// The keys that mean something here, besides those of stores.
const KNOWN: [&str; 5] =
    ["ssl.cipher.suites", "ssl.client.auth", "ssl.enabled.protocols", "ssl.endpoint.identification.algorithm", "ssl.protocol"];

/// The side of a listener.
pub(crate) type Server = Kept<ServerConfig>;
/// The side of whoever asks another worker.
pub(crate) type Client = Kept<ClientConfig>;

/// A configuration that is made again when the files change that it is made of.
pub(crate) struct Kept<C> {
    keys: Arc<Keys>,
    make: fn(&Keys) -> Result<C, Faults>,
    state: Arc<Mutex<State<C>>>,
}

struct State<C> {
    current: Arc<C>,
    files: Vec<Option<Stamp>>,
    looked: Instant,
}

/// What tells a file from another one at the same path, or from itself at another time.
type Stamp = (u64, u64, i64, i64, u64);

impl<C> Clone for Kept<C> {
    fn clone(&self) -> Self {
        Self { keys: self.keys.clone(), make: self.make, state: self.state.clone() }
    }
}

impl<C> fmt::Debug for Kept<C> {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("prefix", &self.keys.prefix).finish_non_exhaustive()
    }
}

impl<C: Send + Sync + 'static> Kept<C> {
    fn new(given: &Properties, prefix: &'static str, make: fn(&Keys) -> Result<C, Faults>) -> Result<Self, Faults> {
        let keys = Arc::new(Keys::of(given, prefix));
        let files = keys.stamps();
        let state = State { current: Arc::new(make(&keys)?), files, looked: Instant::now() };
        Ok(Self { keys, make, state: Arc::new(Mutex::new(state)) })
    }

    /// The configuration for the next connection.
    pub(crate) async fn current(&self) -> Arc<C> {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.looked.elapsed() < LOOK {
                return state.current.clone();
            }
            state.looked = Instant::now();
            let files = self.keys.stamps();
            if files == state.files {
                return state.current.clone();
            }
            state.files = files;
        }
        let kept = self.clone();
        let made = tokio::task::spawn_blocking(move || (kept.make)(&kept.keys)).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok(Ok(config)) => {
                tracing::info!("the stores of {}ssl have changed and are read again", self.keys.prefix);
                state.current = Arc::new(config);
            }
            Ok(Err(faults)) => tracing::error!("the stores have changed and cannot be read, those of before count: {faults}"),
            Err(_) => tracing::error!("the stores have changed and reading them ended unexpectedly, those of before count"),
        }
        state.current.clone()
    }
}

impl Server {
    /// The side of listeners, by the keys that begin with `prefix`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(given: &Properties, prefix: &'static str) -> Result<Self, Faults> {
        Self::new(given, prefix, Keys::server)
    }
}

impl Client {
    /// The side of whoever asks another worker.
    ///
    /// # Errors
    /// What is wrong with the keys.
    pub(crate) fn read_client(given: &Properties) -> Result<Self, Faults> {
        Self::new(given, LISTENERS, Keys::client)
    }
}

/// What the user should know of keys that do nothing here.
pub(crate) fn warnings(given: &Properties) -> Vec<String> {
    let mut warnings = [LISTENERS, ADMIN_LISTENERS].map(|prefix| Keys::of(given, prefix).warnings(given)).concat();
    // Both may have none of their own, and look at the same keys.
    warnings.sort();
    warnings.dedup();
    warnings
}

/// The keys of one side.
struct Keys {
    given: Properties,
    /// What the keys that count begin with.
    prefix: &'static str,
}

impl Keys {
    /// All with the prefix if there is one with it, else those without.
    fn of(given: &Properties, prefix: &'static str) -> Self {
        let prefix = if given.keys().any(|key| key.starts_with(prefix)) { prefix } else { "" };
        let of_tls = given.iter().filter(|(key, _)| key.strip_prefix(prefix).is_some_and(|key| key.starts_with("ssl.")));
        Self { given: of_tls.map(|(key, value)| (key.clone(), value.clone())).collect(), prefix }
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.given.get(&self.name(key)).map(|value| value.trim())
    }

    fn items(&self, key: &str) -> impl Iterator<Item = &str> {
        self.text(key).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
    }

    fn warnings(&self, given: &Properties) -> Vec<String> {
        let of_java = OF_JAVA.iter().filter(|key| self.text(key).is_some());
        let of_java = of_java.map(|key| format!("The configuration '{}' has no effect: TLS is not Java's here", self.name(key)));
        let suites = self.items("ssl.cipher.suites").filter(|suite| !has_suite(&provider(), suite));
        let suites =
            suites.map(|suite| format!("{}: {suite} is not spoken here and is left out", self.name("ssl.cipher.suites")));
        let known = |key: &str| KNOWN.contains(&key) || OF_JAVA.contains(&key) || crate::tls::KEYS.contains(&key);
        let own = given.keys().filter(|key| !self.prefix.is_empty() && key.starts_with(self.prefix));
        let unknown = own.filter(|key| !known(&key[self.prefix.len()..]));
        let unknown = unknown.map(|key| format!("The configuration '{key}' was supplied but isn't a known config."));
        let auth = "ssl.client.auth";
        let asked = given.get(auth).is_some_and(|asked| asked.trim() != "none");
        let ignored = (asked && !self.prefix.is_empty() && self.text(auth).is_none()).then(|| {
            format!(
                "The configuration '{auth}' has no effect where there are keys that begin with {}: use {}",
                self.prefix,
                self.name(auth)
            )
        });
        of_java.chain(suites).chain(unknown).chain(ignored).collect()
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let stamp = |key: &&str| {
            let meta = fs::metadata(PathBuf::from(self.text(key)?)).ok()?;
            Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
        };
        FILES.iter().map(stamp).collect()
    }

    /// The versions that are spoken. Java's default of `ssl.protocol` allows all.
    fn versions(&self, faults: &mut Faults) -> Vec<&'static SupportedProtocolVersion> {
        const KEY: &str = "ssl.enabled.protocols";
        let raw = self.text(KEY).unwrap_or("TLSv1.2,TLSv1.3");
        let only_12 = self.text("ssl.protocol") == Some("TLSv1.2");
        let all = [("TLSv1.3", &rustls::version::TLS13), ("TLSv1.2", &rustls::version::TLS12)];
        let is_on = |name: &str| raw.is_empty() || raw.split(',').any(|enabled| enabled.trim() == name);
        let versions = all.iter().filter(|(name, _)| is_on(name) && !(only_12 && *name == "TLSv1.3"));
        let versions: Vec<_> = versions.map(|(_, version)| *version).collect();
        if versions.is_empty() {
            let key = self.name(KEY);
            faults.push(&key, format!("Invalid value {raw} for configuration {key}: neither TLSv1.2 nor TLSv1.3 is in it"));
        }
        versions
    }

    /// What TLS is made of: with the cipher suites of `ssl.cipher.suites` that there are, if it names any.
    fn provider(&self, faults: &mut Faults) -> Arc<CryptoProvider> {
        let mut provider = provider();
        if self.items("ssl.cipher.suites").next().is_some() {
            provider.cipher_suites.retain(|suite| self.items("ssl.cipher.suites").any(|name| is_suite(suite, name)));
            if provider.cipher_suites.is_empty() {
                let key = self.name("ssl.cipher.suites");
                let raw = self.text("ssl.cipher.suites").unwrap_or_default();
                faults.push(&key, format!("Invalid value {raw} for configuration {key}: none of them is spoken here"));
            }
        }
        Arc::new(provider)
    }

    fn server(&self) -> Result<ServerConfig, Faults> {
        let mut faults = Faults::default();
        let stores = Stores::read(&self.given, self.prefix, &mut faults);
        let (versions, provider) = (self.versions(&mut faults), self.provider(&mut faults));
        let auth = self.text("ssl.client.auth").unwrap_or("none");
        if !["none", "requested", "required"].contains(&auth) {
            let key = self.name("ssl.client.auth");
            let why = "String must be one of: required, requested, none";
            faults.push(&key, format!("Invalid value {auth} for configuration {key}: {why}"));
        }
        let identity = stores.as_ref().and_then(|stores| stores.identity.as_ref());
        let store = self.name("ssl.keystore.location");
        if let (Some(_), None) = (&stores, identity) {
            faults.push(&store, format!("{store}: a https listener needs a certificate and its key"));
        }
        let stores = faults.clone().or(stores)?;
        stores.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let Some(identity) = stores.identity else { return Err(faults) };
        let fault = |error: &dyn fmt::Display| {
            let mut faults = Faults::default();
            faults.push(&store, format!("{store}: it cannot be used: {error}"));
            faults
        };
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions);
        let builder = builder.map_err(|e| fault(&e))?;
        let builder = if auth == "none" {
            builder.with_no_client_auth()
        } else {
            // As in Java the key store says whom to trust where there is no other.
            let trusted = stores.trusted.unwrap_or_else(|| identity.chain.first().cloned().into_iter().collect());
            let clients = trust::clients(trusted, auth == "required", &provider).map_err(|e| fault(&e))?;
            builder.with_client_cert_verifier(clients)
        };
        let mut config = builder.with_single_cert(identity.chain, identity.key).map_err(|e| fault(&e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn client(&self) -> Result<ClientConfig, Faults> {
        let mut faults = Faults::default();
        let stores = Stores::read(&self.given, self.prefix, &mut faults);
        let (versions, provider) = (self.versions(&mut faults), self.provider(&mut faults));
        let (key, raw) = ("ssl.endpoint.identification.algorithm", self.text("ssl.endpoint.identification.algorithm"));
        let any_name = raw.is_some_and(str::is_empty);
        if raw.is_some_and(|raw| !raw.is_empty() && !raw.eq_ignore_ascii_case("https")) {
            let (key, raw) = (self.name(key), raw.unwrap_or_default());
            faults.push(&key, format!("Invalid value {raw} for configuration {key}: it must be https, or empty"));
        }
        let stores = faults.or(stores)?;
        let store = self.name("ssl.truststore.location");
        let fault = |error: &dyn fmt::Display| {
            let mut faults = Faults::default();
            faults.push(&store, format!("{store}: it cannot be used: {error}"));
            faults
        };
        let own = || stores.identity.as_ref().and_then(|identity| identity.chain.first().cloned()).map(|first| vec![first]);
        let servers = trust::servers(stores.trusted.clone().or_else(own), !any_name, &provider).map_err(|e| fault(&e))?;
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).map_err(|e| fault(&e))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(servers);
        match stores.identity {
            Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).map_err(|e| fault(&e)),
            None => Ok(builder.with_no_client_auth()),
        }
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn has_suite(provider: &CryptoProvider, name: &str) -> bool {
    provider.cipher_suites.iter().any(|suite| is_suite(suite, name))
}

/// Whether `name` is Java's name of a cipher suite: rustls has 13 in those of TLS 1.3.
fn is_suite(suite: &rustls::SupportedCipherSuite, name: &str) -> bool {
    suite.suite().as_str().is_some_and(|known| known.replacen("TLS13_", "TLS_", 1) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(given: &[(&str, &str)]) -> Keys {
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Keys::of(&given, LISTENERS)
    }

    #[test]
    fn the_prefix_counts_as_a_whole_or_not_at_all() {
        let with = keys(&[("ssl.keystore.location", "/a"), ("listeners.https.ssl.protocol", "TLSv1.2")]);
        assert_eq!(
            (with.prefix, with.text("ssl.keystore.location"), with.text("ssl.protocol")),
            (LISTENERS, None, Some("TLSv1.2"))
        );
        let without = keys(&[("ssl.keystore.location", "/a"), ("admin.listeners.https.ssl.protocol", "TLSv1.2")]);
        assert_eq!((without.prefix, without.text("ssl.keystore.location"), without.text("ssl.protocol")), ("", Some("/a"), None));
    }

    #[test]
    fn versions_and_suites_are_javas_by_name() {
        let mut faults = Faults::default();
        let versions = |given: &[(&str, &str)], faults: &mut Faults| keys(given).versions(faults).len();
        assert_eq!(versions(&[], &mut faults), 2);
        assert_eq!(versions(&[("ssl.protocol", "TLSv1.2")], &mut faults), 1);
        assert_eq!(versions(&[("ssl.enabled.protocols", "TLSv1.1, TLSv1.3")], &mut faults), 1);
        assert!(faults.is_empty());
        assert_eq!(versions(&[("ssl.enabled.protocols", "TLSv1.1")], &mut faults), 0);
        let suites =
            |names: &str, faults: &mut Faults| keys(&[("ssl.cipher.suites", names)]).provider(faults).cipher_suites.len();
        assert_eq!(
            suites("TLS_AES_256_GCM_SHA384,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", &mut faults),
            2
        );
        assert_eq!(suites("TLS_RSA_WITH_AES_128_CBC_SHA", &mut faults), 0);
        assert_eq!(faults.0.len(), 2, "{faults}");
    }

    #[test]
    fn keys_that_do_nothing_are_warned_about() {
        let warned = |given: &[(&str, &str)]| warnings(&keys(given).given.clone());
        assert_eq!(warned(&[("ssl.cipher.suites", "TLS_RSA_WITH_AES_128_CBC_SHA"), ("ssl.provider", "P")]).len(), 2);
        let given =
            [("ssl.client.auth", "required"), ("listeners.https.ssl.protocol", "TLSv1.3"), ("listeners.https.ssl.keystor", "x")];
        let given: Properties = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let warned = warnings(&given);
        assert!(warned.len() == 2 && warned[1].contains("use listeners.https.ssl.client.auth"), "{warned:?}");
    }

    #[test]
    fn a_listener_needs_a_certificate() {
        let faults = keys(&[("ssl.client.auth", "wanted")]).server().map(|_| ()).expect_err("no certificate");
        let faults: Vec<_> = faults.0.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(faults, ["ssl.client.auth", "ssl.keystore.location"]);
    }
}
