//! TLS by rustls, from Java's keys: stores in PEM, else the certificates that the system trusts.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::{Faults, Properties};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::settings::{refuse_others, text};
use super::{Address, WireError};

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl fmt::Debug for Tls {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

const KNOWN: &[&str] = &[
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.certificates",
    "ssl.truststore.password",
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "ssl.protocol",
    "ssl.enabled.protocols",
];

impl Tls {
    /// Reads the keys that begin with `ssl.`.
    pub(super) fn read(given: &Properties, faults: &mut Faults) -> Option<Self> {
        let before = faults.0.len();
        refuse_others(given, "ssl.", KNOWN, faults);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = verifier(given, &provider, faults)?;
        let identity = identity(given, faults);
        let versions = versions(given, faults);
        if faults.0.len() > before {
            return None;
        }
        let built = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).and_then(|builder| {
            let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
            match identity {
                Some((chain, key)) => builder.with_client_auth_cert(chain, key),
                None => Ok(builder.with_no_client_auth()),
            }
        });
        match built {
            Ok(config) => Some(Self(TlsConnector::from(Arc::new(config)))),
            Err(error) => {
                faults.push(
                    "ssl.keystore.key",
                    format!("ssl.keystore.key: the client's key and certificate cannot be used: {error}"),
                );
                None
            }
        }
    }

    /// Agrees on TLS over a connection.
    pub(super) async fn wrap(&self, address: &Address, stream: TcpStream) -> Result<TlsStream<TcpStream>, WireError> {
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|_| WireError::Tls(address.clone(), "the host is no name that a certificate can have".into()))?;
        self.0.connect(name, stream).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => WireError::Tls(address.clone(), format!("TLS: {error}")),
            _ => WireError::Io(address.clone(), error),
        })
    }
}

fn versions(given: &Properties, faults: &mut Faults) -> Vec<&'static SupportedProtocolVersion> {
    const KEY: &str = "ssl.enabled.protocols";
    let raw = text(given, KEY).unwrap_or("TLSv1.2,TLSv1.3");
    let enabled: Vec<_> = raw.split(',').map(str::trim).collect();
    // Java's default of it allows both
    let only_12 = text(given, "ssl.protocol") == Some("TLSv1.2");
    let all = [("TLSv1.3", &rustls::version::TLS13), ("TLSv1.2", &rustls::version::TLS12)];
    let versions = all.iter().filter(|(name, _)| enabled.contains(name) && !(only_12 && *name == "TLSv1.3"));
    let versions: Vec<_> = versions.map(|(_, version)| *version).collect();
    if versions.is_empty() {
        faults.push(KEY, format!("Invalid value {raw} for configuration {KEY}: neither TLSv1.2 nor TLSv1.3 is in it"));
    }
    versions
}

/// What is wrong with a store, if it is one that cannot be read: PEM is what this client reads.
fn not_pem(given: &Properties, store: &str, faults: &mut Faults) -> bool {
    let (kind, location) = (format!("{store}.type"), format!("{store}.location"));
    let is = text(given, &kind).unwrap_or("JKS");
    if is.eq_ignore_ascii_case("PEM") {
        let password = format!("{store}.password");
        if given.contains_key(&password) {
            faults.push(&password, format!("{password} cannot be specified for PEM format"));
        }
        return false;
    }
    let key = if given.contains_key(&location) { location } else { kind.clone() };
    faults.push(&key, format!("{key}: a store of type {is} is not supported by a member of a group, use {kind}=PEM"));
    true
}

/// A section of a PEM file: its label and what it holds.
type Section = (String, Vec<u8>);

/// The sections of a PEM text. Line ends do not matter, so that it may stand in a file of properties, as in Java.
fn sections(pem: &str) -> Option<Vec<Section>> {
    let mut sections = Vec::new();
    let mut rest = pem;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----")?;
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        // An encrypted key of the old form has headers; it is refused by its label and not decoded.
        let bytes = if body.starts_with("Proc-Type:") { Vec::new() } else { STANDARD.decode(body).ok()? };
        sections.push((label.to_owned(), bytes));
        rest = after;
    }
    Some(sections)
}

/// What a key holds, or the file that it names.
fn read(given: &Properties, key: &str, is_file: bool, faults: &mut Faults) -> Option<Vec<Section>> {
    let value = text(given, key)?;
    let pem = if is_file {
        fs::read_to_string(value).map_err(|error| faults.push(key, format!("{key}: {value} cannot be read: {error}"))).ok()?
    } else {
        value.to_owned()
    };
    let found = sections(&pem).filter(|found| !found.is_empty());
    if found.is_none() {
        faults.push(key, format!("{key}: what is given is no PEM"));
    }
    found
}

fn certificates(sections: &[Section]) -> Vec<CertificateDer<'static>> {
    let certificates = sections.iter().filter(|(label, _)| matches!(label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE"));
    certificates.map(|(_, der)| CertificateDer::from(der.clone())).collect()
}

fn verifier(given: &Properties, provider: &Arc<CryptoProvider>, faults: &mut Faults) -> Option<Arc<dyn ServerCertVerifier>> {
    const STORE: &str = "ssl.truststore";
    let (inline, location) = ("ssl.truststore.certificates", "ssl.truststore.location");
    let trusted = match (given.contains_key(inline), given.contains_key(location)) {
        (true, true) => {
            faults.push(inline, "Both SSL trust store location and separate trust certificates are specified.");
            None
        }
        (false, false) => None,
        (is_inline, _) if !not_pem(given, STORE, faults) => {
            let key = if is_inline { inline } else { location };
            let trusted = read(given, key, !is_inline, faults).map(|sections| certificates(&sections));
            if trusted.as_ref().is_some_and(Vec::is_empty) {
                faults.push(key, format!("{key}: there is no certificate in it"));
            }
            trusted
        }
        _ => None,
    };
    let built = match trusted {
        Some(trusted) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted);
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
            built.map(|verifier| verifier as Arc<dyn ServerCertVerifier>).map_err(|error| error.to_string())
        }
        None => match Verifier::new(Arc::clone(provider)) {
            Ok(verifier) => Ok(Arc::new(verifier) as Arc<dyn ServerCertVerifier>),
            Err(error) => Err(error.to_string()),
        },
    };
    let inner =
        built.map_err(|error| faults.push(location, format!("{location}: no certificate can be trusted: {error}"))).ok()?;
    const CHECK: &str = "ssl.endpoint.identification.algorithm";
    match text(given, CHECK).unwrap_or("https") {
        "" => Some(Arc::new(AnyName(inner))),
        https if https.eq_ignore_ascii_case("https") => Some(inner),
        other => {
            faults.push(CHECK, format!("Invalid value {other} for configuration {CHECK}: it is https or empty"));
            None
        }
    }
}

/// The certificates and the key that the client shows.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(given: &Properties, faults: &mut Faults) -> Option<Identity> {
    const STORE: &str = "ssl.keystore";
    let (key, chain, location) = ("ssl.keystore.key", "ssl.keystore.certificate.chain", "ssl.keystore.location");
    let (at, sections) = match (given.contains_key(key) || given.contains_key(chain), given.contains_key(location)) {
        (false, false) => return None,
        (true, true) => {
            faults.push(key, "Both SSL key store location and separate private key are specified.");
            return None;
        }
        _ if not_pem(given, STORE, faults) => return None,
        (true, _) => {
            let mut all = read(given, key, false, faults).unwrap_or_default();
            all.extend(read(given, chain, false, faults).unwrap_or_default());
            (key, all)
        }
        (false, _) => (location, read(given, location, true, faults)?),
    };
    let chain = certificates(&sections);
    let private = sections.iter().find_map(|(label, der)| match label.as_str() {
        "PRIVATE KEY" => Some(PrivateKeyDer::Pkcs8(der.clone().into())),
        "RSA PRIVATE KEY" if !der.is_empty() => Some(PrivateKeyDer::Pkcs1(der.clone().into())),
        "EC PRIVATE KEY" if !der.is_empty() => Some(PrivateKeyDer::Sec1(der.clone().into())),
        "ENCRYPTED PRIVATE KEY" => decrypted(given, der, faults),
        _ => None,
    });
    match private {
        Some(private) if !chain.is_empty() => Some((chain, private)),
        _ => {
            faults.push(at, format!("{at}: it needs a certificate chain and a private key, as PKCS#8 if that is encrypted"));
            None
        }
    }
}

/// A key that `ssl.key.password` opens.
fn decrypted(given: &Properties, der: &[u8], faults: &mut Faults) -> Option<PrivateKeyDer<'static>> {
    const KEY: &str = "ssl.key.password";
    let Some(password) = given.get(KEY) else {
        faults.push(KEY, format!("{KEY} is missing, the private key is encrypted"));
        return None;
    };
    let opened = EncryptedPrivateKeyInfoRef::try_from(der).and_then(|key| key.decrypt(password));
    let opened = opened.map_err(|error| faults.push(KEY, format!("{KEY} does not open the private key: {error}"))).ok()?;
    Some(PrivateKeyDer::Pkcs8(opened.as_bytes().to_vec().into()))
}

/// Trusts whom the inner one trusts, whatever name they go by (`ssl.endpoint.identification.algorithm` is empty).
#[derive(Debug)]
struct AnyName(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is what is looked at last: all else is in order then.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_may_stand_in_one_line() {
        let pem = "x\n-----BEGIN CERTIFICATE-----\nAQ\n ID\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY----- BA== -----END PRIVATE KEY-----";
        let expected = vec![("CERTIFICATE".to_owned(), vec![1, 2, 3]), ("PRIVATE KEY".to_owned(), vec![4])];
        assert_eq!(sections(pem), Some(expected));
        assert_eq!(sections("none"), Some(Vec::new()));
        assert_eq!(sections(&pem.replace("BA==", "B!")), None);
        assert_eq!(sections(&pem.replace("END PRIVATE", "END PUBLIC")), None);
    }
}
