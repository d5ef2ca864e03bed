//! What Java's clients say of security, read once for both clients: librdkafka's and the one of a member of a group.
//!
//! - [`keys`] says what becomes of each key,
//! - [`tls`] is how connections are encrypted, with the stores of [`crate::tls`],
//! - [`sasl`] is who the client is, from the login module that [`jaas`] parses,
//! - [`oauth`] gets tokens,
//! - [`librdkafka`] says it in librdkafka's words.
//!
//! Keys of a protocol that is not chosen are ignored, as in Java. What is configured and cannot be done is a fault that names
//! the key, so that nobody connects less safely than he asked for. No message holds a value of `sasl.jaas.config` or a password.

mod jaas;
mod keys;
mod librdkafka;
pub(super) mod oauth;
pub(super) mod sasl;
pub(super) mod tls;

use landfall_api::{Faults, Properties};

use self::keys::Becomes;
use self::sasl::Sasl;
use self::tls::Tls;
use super::java::CONSUMER;
use crate::config::nearest;

pub(super) use self::librdkafka::apply;

/// Which client it is for: they are not able to do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// librdkafka: consumers, producers and admin clients.
    Librdkafka,
    /// The member of a group of workers.
    Member,
}

/// What a client's properties say of security.
#[derive(Clone, Debug)]
pub(super) struct Security {
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
    /// What has no effect, or another one than in Java; each names its key.
    pub(super) warnings: Vec<String>,
}

/// Whether `key` is one of `SecurityConfig`, `SslConfigs`, `SaslConfigs` or `security.protocol` (4.3.1), or of those that an Entra ID
/// credential is read from.
pub(super) fn is_known(key: &str) -> bool {
    key == "security.protocol"
        || key == "security.providers"
        || ["ssl.", "sasl.", "landfall.azure."].iter().any(|prefix| key.starts_with(prefix))
}

/// What becomes of a key of Java's in a client, in words.
pub(super) fn becomes(java: &str, client: Client) -> String {
    keys::describe(java, client)
}

/// What the user wrote for a key, if that is not empty.
fn text<'a>(given: &'a Properties, key: &str) -> Option<&'a str> {
    given.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
}

impl Security {
    /// Reads the keys of a client, which have no prefix here, for brokers at `bootstrap`. Stores are opened, nobody is asked for
    /// anything. None if there is a fault, which names its key.
    pub(super) fn read(given: &Properties, bootstrap: &str, client: Client, faults: &mut Faults) -> Option<Self> {
        const KEY: &str = "security.protocol";
        let before = faults.0.len();
        let protocol = text(given, KEY).unwrap_or("PLAINTEXT").to_ascii_uppercase();
        if !["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"].contains(&protocol.as_str()) {
            let known = "String must be one of (case insensitive): PLAINTEXT, SASL_PLAINTEXT, SASL_SSL, SSL";
            let value = text(given, KEY).unwrap_or_default();
            faults.push(KEY, format!("Invalid value {value} for configuration {KEY}: {known}"));
            return None;
        }
        let (is_tls, is_sasl) = (protocol.ends_with("SSL"), protocol.starts_with("SASL"));
        let mut warnings = Vec::new();
        let tls = is_tls.then(|| Tls::read(given, &mut warnings, faults));
        let sasl = is_sasl.then(|| Sasl::read(given, bootstrap, client, faults));
        let mechanism = sasl.as_ref().and_then(|sasl| sasl.as_ref()).map(|sasl| sasl.mechanism);
        for key in given.keys() {
            let counts = if key.starts_with("ssl.") {
                is_tls
            } else if key.starts_with("sasl.kerberos.") {
                mechanism == Some("GSSAPI")
            } else if key.starts_with("sasl.") {
                is_sasl
            } else {
                key == "security.providers"
            };
            if counts {
                look_at(key, given, &mut warnings, faults);
            }
        }
        if faults.0.len() > before {
            return None;
        }
        Some(Self { tls: tls.flatten(), sasl: sasl.flatten(), warnings })
    }

    /// Java's name of the protocol, in lower case.
    fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }
}

/// Says of a key that nothing reads what becomes of it.
fn look_at(key: &str, given: &Properties, warnings: &mut Vec<String>, faults: &mut Faults) {
    let default = CONSUMER.iter().find(|known| known.name == key).and_then(|known| known.default);
    let value = text(given, key);
    let is_default = value.is_none() || value == default;
    match keys::find(key) {
        Some(Becomes::Read(..) | Becomes::OfLibrdkafka(..) | Becomes::Idle(_)) => {}
        Some(_) if is_default => {}
        Some(Becomes::Unused(why)) => warnings.push(format!("{key} is not used: {why}")),
        Some(Becomes::Refused(why)) => faults.push(key, format!("{key} is not supported: {why}")),
        None => {
            let meant = nearest(key, keys::KEYS.iter().map(|(known, _)| *known));
            let hint = meant.map(|meant| format!(". Did you mean {meant}?")).unwrap_or_default();
            faults.push(key, format!("{key} is no configuration of Kafka's clients{hint}"));
        }
    }
}

#[cfg(test)]
mod tests;
