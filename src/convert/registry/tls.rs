//! The TLS of a registry's client: Java's stores as far as they are PEM, else the certificates that the system trusts.

use std::fs;
use std::sync::Arc;

use landfall_api::Faults;
use landfall_api::config::Password;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// A store: what it holds, or a file, and its type.
type Store<'a> = (Option<&'a Password>, Option<&'a str>, &'a str);

/// What is trusted, and what the client shows.
#[derive(Debug)]
pub(in crate::convert) struct Stores<'a> {
    /// What the keys begin with, for messages.
    pub(in crate::convert) prefix: &'a str,
    pub(in crate::convert) truststore: Store<'a>,
    pub(in crate::convert) keystore: Store<'a>,
    /// The certificates of the client's key, where they are given apart.
    pub(in crate::convert) keystore_chain: Option<&'a Password>,
}

/// The configuration of TLS; a fault is added for each key that cannot be honoured.
pub(super) fn config(stores: &Stores<'_>, faults: &mut Faults) -> TlsConfig {
    let roots =
        roots(stores, faults).map_or(RootCerts::PlatformVerifier, |certificates| RootCerts::new_with_certs(&certificates));
    let client = client(stores, faults);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    TlsConfig::builder().root_certs(roots).client_cert(client).unversioned_rustls_crypto_provider(provider).build()
}

/// What a store holds.
fn read(
    key: &str,
    (inline, location, kind): Store<'_>,
    faults: &mut Faults,
) -> Option<(Vec<Certificate<'static>>, Option<PrivateKey<'static>>)> {
    let at = format!("{key}.location");
    let pem = match (inline, location.filter(|location| !location.is_empty())) {
        (Some(pem), _) => pem.reveal().as_bytes().to_vec(),
        (None, None) => return None,
        (None, Some(_)) if !kind.eq_ignore_ascii_case("PEM") => {
            faults.push(&at, format!("{at}: a store of type {kind} is not supported, use {key}.type=PEM"));
            return None;
        }
        (None, Some(location)) => match fs::read(location) {
            Ok(pem) => pem,
            Err(error) => {
                faults.push(&at, format!("{at}: {location} cannot be read: {error}"));
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

fn roots(stores: &Stores<'_>, faults: &mut Faults) -> Option<Vec<Certificate<'static>>> {
    let key = format!("{}.truststore", stores.prefix);
    let (certificates, _) = read(&key, stores.truststore, faults)?;
    if certificates.is_empty() {
        faults.push(&key, format!("{key}: there is no certificate in it"));
    }
    Some(certificates)
}

fn client(stores: &Stores<'_>, faults: &mut Faults) -> Option<ClientCert> {
    let key = format!("{}.keystore", stores.prefix);
    let chain = read(&key, (stores.keystore_chain, None, "PEM"), faults).map(|(certificates, _)| certificates);
    let store = read(&key, stores.keystore, faults);
    if chain.is_none() && store.is_none() {
        return None;
    }
    let (certificates, private) = store.unwrap_or_default();
    let certificates = chain.unwrap_or(certificates);
    match private {
        Some(key) if !certificates.is_empty() => Some(ClientCert::new_with_certs(&certificates, key)),
        _ => {
            faults.push(&key, format!("{key}: it needs a certificate chain and a key that is not encrypted"));
            None
        }
    }
}
