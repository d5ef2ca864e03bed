//! The format PKCS12, as keytool of JDK 17 and 21 and OpenSSL write it.

use p12_keystore::error::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identities, Identity, Wrong};

/// The certificates that a store makes trusted: those that keytool has marked so, and the first one of each key, as in Java.
pub(super) fn certificates(store: &[u8], password: Option<&str>) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let archive = open(store, password)?;
    let own = archive.keys.iter().filter_map(|key| own(key, &archive.certs));
    let trusted = archive.certs.iter().filter(|bag| bag.trusted).chain(own);
    Ok(trusted.map(der).collect())
}

/// The keys of a store that have certificates. One password opens the store and its keys.
pub(super) fn identities(store: &[u8], password: Option<&str>) -> Result<Identities, Wrong> {
    let archive = open(store, password)?;
    let mut identities = Identities::new();
    for (n, key) in archive.keys.iter().enumerate() {
        if let Some(own) = own(key, &archive.certs) {
            let alias = key.friendly_name.clone().unwrap_or_else(|| format!("{}", n + 1));
            let chain = chain(own, &archive.certs).into_iter().map(der).collect();
            identities.insert(alias, Identity { chain, key: PrivateKeyDer::Pkcs8(key.key.as_der().to_vec().into()) });
        }
    }
    Ok(identities)
}

fn open(store: &[u8], password: Option<&str>) -> Result<Pkcs12Archive, Wrong> {
    Pkcs12Archive::from_pkcs12(store, password.unwrap_or_default()).map_err(|error| match error {
        // What is decrypted with another password is no PKCS#12 either, but the authentication code says so first.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Wrong::Password,
        error => Wrong::Malformed(error.to_string()),
    })
}

fn der(bag: &CertificateBag) -> CertificateDer<'static> {
    CertificateDer::from(bag.cert.as_der().to_vec())
}

/// The certificate of a key: the one with the same id.
fn own<'a>(key: &PrivateKeyBag, all: &'a [CertificateBag]) -> Option<&'a CertificateBag> {
    let id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
    all.iter().find(|bag| !bag.trusted && bag.local_key_id.as_deref() == id)
}

/// The certificate and those above it.
fn chain<'a>(own: &'a CertificateBag, all: &'a [CertificateBag]) -> Vec<&'a CertificateBag> {
    let mut chain = vec![own];
    let mut last = own;
    while last.cert.issuer() != last.cert.subject()
        && let Some(above) = all.iter().find(|bag| bag.cert.subject() == last.cert.issuer())
        && !chain.contains(&above)
    {
        chain.push(above);
        last = above;
    }
    chain
}
