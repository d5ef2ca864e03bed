//! The TLS of the registry's client: Java's `schema.registry.ssl.*` as far as it is PEM, else the certificates that the system trusts.

use std::fs;
use std::sync::Arc;

use landfall_api::Faults;
use landfall_api::config::Password;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::RegistryConfig;

/// The configuration of TLS; a fault is added for each key that cannot be honoured.
pub(super) fn config(of: &RegistryConfig, faults: &mut Faults) -> TlsConfig {
    let roots = roots(of, faults).map_or(RootCerts::PlatformVerifier, |certificates| RootCerts::new_with_certs(&certificates));
    let client = client(of, faults);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    TlsConfig::builder().root_certs(roots).client_cert(client).unversioned_rustls_crypto_provider(provider).build()
}

/// What a store holds: inline, or in a file of type PEM.
fn store(
    key: &str,
    inline: Option<&Password>,
    location: Option<&String>,
    kind: &str,
    faults: &mut Faults,
) -> Option<(Vec<Certificate<'static>>, Option<PrivateKey<'static>>)> {
    let pem = match (inline, location.filter(|location| !location.is_empty())) {
        (Some(pem), _) => pem.reveal().as_bytes().to_vec(),
        (None, None) => return None,
        (None, Some(_)) if !kind.eq_ignore_ascii_case("PEM") => {
            faults.push(
                format!("{key}.location"),
                format!("{key}.location: a store of type {kind} is not supported, use {key}.type=PEM"),
            );
            return None;
        }
        (None, Some(location)) => match fs::read(location) {
            Ok(pem) => pem,
            Err(error) => {
                faults.push(format!("{key}.location"), format!("{key}.location: {location} cannot be read: {error}"));
                return None;
            }
        },
    };
    let (mut certificates, mut private) = (Vec::new(), None);
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(PemItem::PrivateKey(key)) => private = Some(key),
            Ok(_) => {}
            Err(_) => faults.push(key, format!("{key}: what is given is no PEM")),
        }
    }
    Some((certificates, private))
}

fn roots(of: &RegistryConfig, faults: &mut Faults) -> Option<Vec<Certificate<'static>>> {
    const KEY: &str = "schema.registry.ssl.truststore";
    let (certificates, _) =
        store(KEY, of.truststore_certificates.as_ref(), of.truststore_location.as_ref(), &of.truststore_type, faults)?;
    if certificates.is_empty() {
        faults.push(KEY, format!("{KEY}: there is no certificate in it"));
    }
    Some(certificates)
}

fn client(of: &RegistryConfig, faults: &mut Faults) -> Option<ClientCert> {
    const KEY: &str = "schema.registry.ssl.keystore";
    let (certificates, private) = match (&of.keystore_chain, &of.keystore_key) {
        (None, None) => store(KEY, None, of.keystore_location.as_ref(), &of.keystore_type, faults)?,
        (chain, key) => {
            let certificates = store(KEY, chain.as_ref(), None, "PEM", faults).map(|(certificates, _)| certificates);
            (certificates.unwrap_or_default(), store(KEY, key.as_ref(), None, "PEM", faults).and_then(|(_, key)| key))
        }
    };
    match private {
        Some(key) if !certificates.is_empty() => Some(ClientCert::new_with_certs(&certificates, key)),
        _ => {
            faults.push(KEY, format!("{KEY}: it needs a certificate chain and a key that is not encrypted"));
            None
        }
    }
}
