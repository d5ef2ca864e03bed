//! The worker's properties, by their Java names. Only this module reads files of properties and the environment.

mod access;
mod distributed;
mod environment;
mod nearest;
mod properties;
pub mod provider;
pub mod reach;
mod secrets;
mod worker;

use std::time::Duration;

pub use access::{AccessKeys, Network};
pub use distributed::{ALGORITHMS, DistributedKeys, topic_settings, topic_warnings};
pub use environment::Environment;
pub use nearest::{hint_missing, nearest, unknown_key};
pub use properties::{PropertiesError, PropertiesFile};
pub use secrets::{shows_secret, sounds_secret};
pub use worker::{Mode, ModeKeys, StandaloneKeys, WorkerConfig, WorkerKeys};

use landfall_api::{Key, Properties};

/// The environment variable that sets what is logged, such as `info` or `landfall=debug`.
pub const LOG_VARIABLE: &str = "LANDFALL_LOG";

/// What a worker logs unless the user says it. Azure's client tells of each failed request, and the worker tells of it as well.
pub const WORKER_LOG: &str = "info,typespec_client_core=warn,azure_core=warn";

/// What the demo logs unless the user says it: what it shows is its progress.
pub const DEMO_LOG: &str = "warn";

/// A time that a key gives in milliseconds; none if it is negative.
pub(crate) fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The value of `-D<name>=…` in the environment variable `KAFKA_OPTS`, by which Java's worker gets system properties.
#[must_use]
pub fn java_property(name: &str) -> Option<String> {
    java_property_in(&std::env::var("KAFKA_OPTS").ok()?, name)
}

fn java_property_in(options: &str, name: &str) -> Option<String> {
    let value = |option: &str| Some(option.strip_prefix("-D")?.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    options.split_whitespace().filter_map(value).next_back()
}

/// Gives `own` those of the worker's `landfall.azure.*` that `keys` declare, if it has none of its own. All or none: no part of the
/// worker's credential goes where somebody else's keys say.
pub(crate) fn inherit_azure(own: &mut Properties, worker: &Properties, keys: &[Key]) {
    const AZURE: &str = "landfall.azure.";
    if !own.keys().any(|key| key.starts_with(AZURE)) {
        let declared = keys.iter().map(|key| key.name).filter(|name| name.starts_with(AZURE));
        own.extend(declared.filter_map(|name| Some((name.to_owned(), worker.get(name)?.clone()))));
    }
}

/// `given` without what `landfall.azure.*` say of a credential: what is left says where Entra ID is, and the way there.
pub(crate) fn without_credential(given: &Properties) -> Properties {
    const WAY: [&str; 4] = ["cloud", "authority", "no.proxy", "ca.file"];
    let way = |key: &str| WAY.contains(&key) || key.starts_with("proxy");
    let mut given = given.clone();
    given.retain(|key, _| key.strip_prefix("landfall.azure.").is_none_or(way));
    given
}

/// `given` with an application of Entra ID and its secret in the place of any other credential.
pub(crate) fn application(given: &Properties, tenant: &str, client: &str, secret: &str) -> Properties {
    let mut given = without_credential(given);
    let own = [("credential", "client-secret"), ("tenant.id", tenant), ("client.id", client), ("client.secret", secret)];
    given.extend(own.map(|(key, value)| (format!("landfall.azure.{key}"), value.to_owned())));
    given
}

/// The keys of `first`, then those of `second`: `joined::<{ A.len() + B.len() }>(A, B)`. One without a name to display has its own.
pub(crate) const fn joined<const N: usize>(first: &[Key], second: &[Key]) -> [Key; N] {
    let mut all = [Key::EMPTY; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        if all[at].display.is_empty() {
            all[at].display = all[at].name;
        }
        at += 1;
    }
    all
}

/// What to log: the argument if there is one, else the environment, else `default`.
#[must_use]
pub fn log_level(argument: Option<String>, default: &str) -> String {
    argument.or_else(|| std::env::var(LOG_VARIABLE).ok()).filter(|l| !l.is_empty()).unwrap_or_else(|| default.into())
}

/// Checks what is to be logged: a level, or levels of parts of the program, separated by commas.
///
/// # Errors
/// What is no level. To `tracing` it would be a part of the program, and nothing else would be logged.
pub fn check_log_level(text: &str) -> Result<(), String> {
    let known = |level: &str| ["off", "error", "warn", "info", "debug", "trace"].iter().any(|l| level.eq_ignore_ascii_case(l));
    let bare = text.split(',').map(str::trim).filter(|part| !part.contains(['=', '[', ']', '}', ':']));
    match bare.into_iter().find(|level| !known(level) && !matches!(level.as_bytes(), [b'0'..=b'5'])) {
        Some(bad) => Err(format!("{bad:?} is none of off, error, warn, info, debug, trace, or of a form like landfall=debug")),
        None => Ok(()),
    }
}

/// Checks one of the `bootstrap.servers`: `host:port`, with the security protocol before it if need be.
///
/// # Errors
/// Java's words, and what it must be.
pub fn check_bootstrap_server(server: &str) -> Result<(), String> {
    let address = match server.split_once("://") {
        Some((protocol, address)) => {
            let known = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].iter().any(|p| protocol.eq_ignore_ascii_case(p));
            known.then_some(address)
        }
        None => Some(server),
    };
    let host_and_port = address.and_then(|address| address.rsplit_once(':'));
    let good = host_and_port.is_some_and(|(host, port)| {
        let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let letters = plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._%:".contains(&b));
        letters && !plain.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if good { Ok(()) } else { Err(format!("Invalid url in bootstrap.servers: {server}. It must be host:port")) }
}

/// What a listener of the REST API speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As a URL has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The one of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }
}

/// An address on which the REST API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken.
    pub scheme: Scheme,
    /// A name or an address, IPv6 in brackets; empty for all interfaces.
    pub host: String,
    /// The port; 0 for any that is free.
    pub port: u16,
}

impl Listener {
    /// Reads `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(uri: &str) -> Result<Self, String> {
        let (scheme, rest) = uri.split_once("://").ok_or_else(|| format!("not a URI like http://host:port: {uri}"))?;
        let scheme = Scheme::named(scheme).ok_or_else(|| format!("neither http nor https: {uri}"))?;
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(|| format!("no port: {uri}"))?;
        let port = port.parse().map_err(|_| format!("not a port: {uri}"))?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.contains(['/', '@', '?']) || (host.contains(':') && !bracketed) {
            return Err(format!("not a host: {uri}"));
        }
        Ok(Self { scheme, host: host.into(), port })
    }

    /// What to bind: `host:port` with the brackets and the empty host that a socket understands.
    #[must_use]
    pub fn address(&self) -> String {
        let host = if self.host.is_empty() { "[::]" } else { &self.host };
        format!("{host}:{}", self.port)
    }
}

/// What client properties connectors may override (`ConnectorClientConfigOverridePolicy`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverridePolicy {
    /// Everything.
    All,
    /// Nothing.
    None,
    /// Who the client is.
    Principal,
    /// These.
    Allowlist(Vec<String>),
}

impl OverridePolicy {
    /// The policy that `name`, an alias or a Java class, means.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn parse(name: &str, allowlist: &[String]) -> Result<Self, String> {
        let simple = name.rsplit('.').next().unwrap_or(name);
        match simple.strip_suffix("ConnectorClientConfigOverridePolicy").unwrap_or(simple) {
            "All" => Ok(Self::All),
            "None" => Ok(Self::None),
            "Principal" => Ok(Self::Principal),
            "Allowlist" => Ok(Self::Allowlist(allowlist.to_vec())),
            _ => Err("no such policy, there are All, None, Principal and Allowlist".into()),
        }
    }

    /// Whether a connector may override the client property `key`.
    #[must_use]
    pub fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Principal => ["sasl.jaas.config", "sasl.mechanism", "security.protocol"].contains(&key),
            Self::Allowlist(keys) => keys.iter().any(|k| k == key),
        }
    }

    /// Its alias.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::None => "None",
            Self::Principal => "Principal",
            Self::Allowlist(_) => "Allowlist",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_java_property_counts() {
        let options = "-Xmx1g -Da.b=1 -Da=2  -Da.b=x=y";
        assert_eq!(java_property_in(options, "a.b"), Some("x=y".into()));
        assert_eq!((java_property_in(options, "a"), java_property_in(options, "b")), (Some("2".into()), None));
    }

    #[test]
    fn listeners_are_uris_with_a_port() {
        for (uri, address) in [
            ("http://:8083", "[::]:8083"),
            ("HTTP://0.0.0.0:0", "0.0.0.0:0"),
            ("http://localhost:80/", "localhost:80"),
            ("http://[::1]:80", "[::1]:80"),
            ("HTTPS://h:8443", "h:8443"),
        ] {
            assert_eq!(Listener::parse(uri).map(|l| l.address()), Ok(address.into()));
        }
        for uri in ["", "localhost:80", "ftp://h:1", "http://h", "http://h:99999", "http://::1:80", "http://u@h:1"] {
            assert!(Listener::parse(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn levels_are_told_from_what_is_mistyped() {
        for good in ["info", "WARN", "landfall=debug", "warn,landfall::task=trace", "3", "off"] {
            assert!(check_log_level(good).is_ok(), "{good}");
        }
        for bad in ["inof", "landfall", "warn,loud", "7", "info,"] {
            assert!(check_log_level(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn brokers_have_a_host_and_a_port() {
        for good in ["k:9092", "SASL_SSL://a.b-c_d:1", "[::1]:9092", "10.0.0.1:65535"] {
            assert!(check_bootstrap_server(good).is_ok(), "{good}");
        }
        for bad in ["k", "k:", ":9092", "k:x", "k:0", "k:99999", "http://k:9092", "k:9092/", "a b:1", "k;j:1"] {
            assert!(check_bootstrap_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn policies_are_known_by_alias_and_by_class() {
        let class = "org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy";
        let principal = OverridePolicy::parse(class, &[]).expect("known");
        assert_eq!(
            (principal.name(), principal.allows("sasl.mechanism"), principal.allows("group.id")),
            ("Principal", true, false)
        );
        assert!(OverridePolicy::parse("Some", &[]).is_err());
    }
}
