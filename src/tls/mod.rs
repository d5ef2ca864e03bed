//! Java's stores of certificates and keys, by the keys and rules of
//! `org.apache.kafka.common.security.ssl.DefaultSslEngineFactory` (4.3.1).
//!
//! - [`pem`] reads and writes PEM,
//! - [`jks`] reads Java's own format,
//! - [`pkcs12`] reads what keytool makes unless told otherwise,
//! - [`http`] is what the HTTP client takes of them,
//! - [`trust`] is what rustls takes of them to tell whom to trust.
//!
//! As Java's `KeyStore` does, a store of type JKS or PKCS12 is opened as what its first bytes say that it is. Nothing is written
//! to a file, and no message holds a password or a key.

mod http;
mod jks;
mod pem;
mod pkcs12;
pub mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use landfall_api::config::Password;
use landfall_api::{Faults, Properties};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use self::pem::Section;

/// Every key of a store, without prefix.
pub const KEYS: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// The certificates that one shows, the own one first, and the key to it.
pub struct Identity {
    /// The own certificate, then those of the authorities above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the first certificate.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Identity {
    /// The chain as PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        certificates_pem(&self.chain)
    }

    /// The key as PEM, not encrypted.
    #[must_use]
    pub fn key_pem(&self) -> Password {
        let (label, der) = match &self.key {
            PrivateKeyDer::Pkcs1(key) => ("RSA PRIVATE KEY", key.secret_pkcs1_der()),
            PrivateKeyDer::Sec1(key) => ("EC PRIVATE KEY", key.secret_sec1_der()),
            key => ("PRIVATE KEY", key.secret_der()),
        };
        pem::encode(label, der).into()
    }
}

/// Certificates as PEM.
#[must_use]
pub fn certificates_pem(certificates: &[CertificateDer<'_>]) -> String {
    certificates.iter().map(|certificate| pem::encode("CERTIFICATE", certificate)).collect()
}

/// What is trusted, and what is shown.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// The certificates of the authorities that are trusted; None if no truststore is given: those that the system trusts.
    pub trusted: Option<Vec<CertificateDer<'static>>>,
    /// What is shown to the other side; None if no key store is given.
    pub identity: Option<Identity>,
    /// What the user should know, each naming its key: as which of several keys is taken.
    pub warnings: Vec<String>,
}

impl Stores {
    /// Reads Java's `ssl.{truststore,keystore,key}.*` under `prefix` (as `listeners.https.`): PEM in the value or in a file, JKS,
    /// PKCS12. Files are read now. None if there is a fault, which names its key.
    pub fn read(given: &Properties, prefix: &str, faults: &mut Faults) -> Option<Self> {
        let before = faults.0.len();
        let mut reader = Reader { given, prefix, faults, warnings: Vec::new() };
        let (trusted, identity) = (reader.trusted(), reader.identity());
        let warnings = reader.warnings;
        (faults.0.len() == before).then_some(Self { trusted, identity, warnings })
    }

    /// The files that `given` names under `prefix`, for those who look whether they have changed.
    #[must_use]
    pub fn files<'a>(given: &'a Properties, prefix: &str) -> Vec<&'a str> {
        let file = |key: &str| given.get(&format!("{prefix}{key}")).map(|path| path.trim());
        ["ssl.truststore.location", "ssl.keystore.location"]
            .into_iter()
            .filter_map(file)
            .filter(|path| !path.is_empty())
            .collect()
    }
}

/// Why a store cannot be opened.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// The password of the store is another one.
    Password,
    /// The password of this key is another one.
    KeyPassword(String),
    /// It is no store, or one that is not known here.
    Malformed(String),
}

/// The keys of a store by their names.
type Identities = BTreeMap<String, Identity>;

/// What a file is, whatever its type is said to be.
enum Format {
    Jks,
    Pkcs12,
    Pem,
    Other,
}

impl Format {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xFE, 0xED, 0xFE, 0xED, ..] => Self::Jks,
            [0x30, ..] => Self::Pkcs12,
            _ if bytes.windows(11).any(|part| part == b"-----BEGIN ") => Self::Pem,
            _ => Self::Other,
        }
    }
}

struct Reader<'a> {
    given: &'a Properties,
    prefix: &'a str,
    faults: &'a mut Faults,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// What is given for a key; an empty value is none.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.given.get(&self.key(name)).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A password, without the space around it, as in Java. An empty one is none, so that a connector can do without its worker's.
    fn password(&self, name: &str) -> Option<&'a str> {
        self.text(name)
    }

    fn refuse(&mut self, name: &str, why: impl fmt::Display) {
        let key = self.key(name);
        self.faults.push(&key, format!("{key}: {why}"));
    }

    /// In upper case; JKS if none is given, as in Java. None for one that is not known here.
    fn kind(&mut self, name: &str) -> Option<String> {
        let kind = self.text(name).unwrap_or("JKS").to_ascii_uppercase();
        if matches!(kind.as_str(), "PEM" | "JKS" | "PKCS12") {
            return Some(kind);
        }
        self.refuse(name, format_args!("a store of type {kind} is not supported, use PEM, PKCS12 or JKS"));
        None
    }

    fn file(&mut self, name: &str, location: &str) -> Option<Vec<u8>> {
        fs::read(location).map_err(|error| self.refuse(name, format_args!("{location} cannot be read: {error}"))).ok()
    }

    fn sections(&mut self, name: &str, pem: &[u8]) -> Option<Vec<Section>> {
        let sections = std::str::from_utf8(pem).ok().and_then(pem::sections).filter(|found| !found.is_empty());
        if sections.is_none() {
            self.refuse(name, "what is given is no PEM");
        }
        sections
    }

    fn trusted(&mut self) -> Option<Vec<CertificateDer<'static>>> {
        const INLINE: &str = "ssl.truststore.certificates";
        const LOCATION: &str = "ssl.truststore.location";
        const PASSWORD: &str = "ssl.truststore.password";
        let (inline, location, password) = (self.text(INLINE), self.text(LOCATION), self.password(PASSWORD));
        if inline.is_none() && location.is_none() {
            if password.is_some() {
                self.refuse(PASSWORD, "SSL trust store is not specified, but trust store password is specified.");
            }
            return None;
        }
        let kind = self.kind("ssl.truststore.type")?;
        let (at, trusted) = match (inline, location) {
            (Some(_), _) if kind != "PEM" => {
                let why = format!("SSL trust store certs can be specified only for PEM, but trust store type is {kind}.");
                self.refuse(INLINE, why);
                return None;
            }
            (Some(_), Some(_)) => {
                self.refuse(INLINE, "Both SSL trust store location and separate trust certificates are specified.");
                return None;
            }
            _ if kind == "PEM" && password.is_some() => {
                self.refuse(PASSWORD, "SSL trust store password cannot be specified for PEM format.");
                return None;
            }
            (Some(pem), _) => (INLINE, pem::certificates(&self.sections(INLINE, pem.as_bytes())?)),
            (None, location) => {
                let location = location?;
                let bytes = self.file(LOCATION, location)?;
                let trusted = match Format::of(&bytes) {
                    _ if kind == "PEM" => Ok(pem::certificates(&self.sections(LOCATION, &bytes)?)),
                    Format::Jks => jks::certificates(&bytes, password),
                    Format::Pkcs12 => pkcs12::certificates(&bytes, password),
                    other => Err(not_a_store(&other)),
                };
                (LOCATION, self.opened(trusted, LOCATION, location, PASSWORD)?)
            }
        };
        if trusted.is_empty() {
            self.refuse(at, "there is no trusted certificate in it");
        }
        Some(trusted)
    }

    fn identity(&mut self) -> Option<Identity> {
        const KEY: &str = "ssl.keystore.key";
        const CHAIN: &str = "ssl.keystore.certificate.chain";
        const LOCATION: &str = "ssl.keystore.location";
        const PASSWORD: &str = "ssl.keystore.password";
        const KEY_PASSWORD: &str = "ssl.key.password";
        let (key, chain, location) = (self.text(KEY), self.text(CHAIN), self.text(LOCATION));
        let (password, key_password) = (self.password(PASSWORD), self.password(KEY_PASSWORD));
        if key.is_none() && chain.is_none() && location.is_none() {
            if password.is_some() {
                self.refuse(PASSWORD, "SSL key store is not specified, but key store password is specified.");
            }
            return None;
        }
        let kind = self.kind("ssl.keystore.type")?;
        let wrong = match (key, chain, location) {
            (Some(_), ..) if kind != "PEM" => {
                let why = format!("SSL private key can be specified only for PEM, but key store type is {kind}.");
                Some((KEY, why))
            }
            (Some(_), None, _) => Some((KEY, "SSL private key is specified, but certificate chain is not specified.".into())),
            (Some(_), Some(_), Some(_)) => {
                Some((KEY, "Both SSL key store location and separate private key are specified.".into()))
            }
            (None, Some(_), _) => Some((CHAIN, "SSL certificate chain is specified, but private key is not specified".into())),
            _ if kind == "PEM" && password.is_some() => {
                let why = "SSL key store password cannot be specified with PEM format, only key password may be specified.";
                Some((PASSWORD, why.into()))
            }
            (None, None, Some(_)) if kind != "PEM" && password.is_none() => {
                Some((PASSWORD, "SSL key store is specified, but key store password is not specified.".into()))
            }
            _ => None,
        };
        if let Some((at, why)) = wrong {
            self.refuse(at, why);
            return None;
        }
        let Some(location) = location else {
            let mut sections = self.sections(KEY, key?.as_bytes())?;
            sections.extend(self.sections(CHAIN, chain?.as_bytes())?);
            return self.of_pem(KEY, &sections, key_password);
        };
        let bytes = self.file(LOCATION, location)?;
        let identities = match Format::of(&bytes) {
            _ if kind == "PEM" => {
                let sections = self.sections(LOCATION, &bytes)?;
                return self.of_pem(LOCATION, &sections, key_password);
            }
            Format::Jks => jks::identities(&bytes, password, key_password),
            Format::Pkcs12 => pkcs12::identities(&bytes, password),
            other => Err(not_a_store(&other)),
        };
        let mut identities = self.opened(identities, LOCATION, location, PASSWORD)?;
        let taken = identities.pop_first();
        match &taken {
            None => self.refuse(LOCATION, format_args!("{location} has no private key with a certificate chain")),
            Some((name, _)) if !identities.is_empty() => {
                let others = identities.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let key = self.key(LOCATION);
                self.warnings
                    .push(format!("{key}: of the keys in {location}, {name} is taken, the first by name, and not {others}"));
            }
            Some(_) => {}
        }
        taken.map(|(_, identity)| identity)
    }

    /// What a store holds, or a fault.
    fn opened<T>(&mut self, opened: Result<T, Wrong>, at: &str, location: &str, password: &str) -> Option<T> {
        let is_given = self.password(password).is_some();
        match opened {
            Ok(opened) => return Some(opened),
            Err(Wrong::Malformed(why)) => self.refuse(at, format_args!("{location}: {why}")),
            Err(Wrong::Password) if is_given => {
                self.refuse(password, format_args!("it does not open {location}: another password, or the file is damaged"));
            }
            Err(Wrong::Password) => self.refuse(password, format_args!("it is missing, {location} is encrypted")),
            Err(Wrong::KeyPassword(alias)) => {
                self.refuse("ssl.key.password", format_args!("it does not open the key {alias} of {location}"));
            }
        }
        None
    }

    /// The key and the chain among sections of PEM.
    fn of_pem(&mut self, at: &str, sections: &[Section], key_password: Option<&str>) -> Option<Identity> {
        let chain = pem::certificates(sections);
        match key_of(sections, key_password) {
            Ok(Some(key)) if !chain.is_empty() => return Some(Identity { chain, key }),
            Ok(_) => self.refuse(at, "it needs a certificate chain and a private key, as PKCS#8 if that is encrypted"),
            Err(why) => self.refuse("ssl.key.password", why),
        }
        None
    }
}

/// The private key of a PEM text, which `password` opens if it is encrypted.
///
/// # Errors
/// There is none, or the password is missing or another one.
pub(crate) fn private_key(pem: &str, password: Option<&str>) -> Result<PrivateKeyDer<'static>, String> {
    let sections = pem::sections(pem).ok_or("it is no PEM")?;
    key_of(&sections, password)?.ok_or_else(|| "there is no private key in it, as PKCS#8 if that is encrypted".to_owned())
}

/// The first private key among sections.
fn key_of(sections: &[Section], password: Option<&str>) -> Result<Option<PrivateKeyDer<'static>>, String> {
    for Section { label, der } in sections {
        match label.as_str() {
            "PRIVATE KEY" => return Ok(Some(PrivateKeyDer::Pkcs8(der.clone().into()))),
            "RSA PRIVATE KEY" if !der.is_empty() => return Ok(Some(PrivateKeyDer::Pkcs1(der.clone().into()))),
            "EC PRIVATE KEY" if !der.is_empty() => return Ok(Some(PrivateKeyDer::Sec1(der.clone().into()))),
            "ENCRYPTED PRIVATE KEY" => {
                let password = password.ok_or("it is missing, the private key is encrypted")?;
                let opened = EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).and_then(|key| key.decrypt(password));
                let opened = opened.map_err(|error| format!("it does not open the private key: {error}"))?;
                return Ok(Some(PrivateKeyDer::Pkcs8(opened.as_bytes().to_vec().into())));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn not_a_store(format: &Format) -> Wrong {
    let pem = if matches!(format, Format::Pem) { "; it looks like PEM, which the type has to say" } else { "" };
    Wrong::Malformed(format!("it is neither a JKS nor a PKCS12 store{pem}"))
}

#[cfg(test)]
mod tests;
