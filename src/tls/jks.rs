//! The format JKS, as `sun.security.provider.JavaKeyStore` and `KeyProtector` of JDK 21 write it.
//!
//! It is read here and not by a crate: the one that there is reads beyond what it has when a store is damaged.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{self, Decode as _, Reader as _, SliceReader};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identities, Identity, Wrong};

/// What is hashed before a store, after its password.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// The bytes of a SHA-1.
const DIGEST: usize = 20;
/// Sun's own way to encrypt a key.
const KEY_PROTECTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");

/// An entry of a store.
enum Entry<'a> {
    Key { encrypted: &'a [u8], chain: Vec<CertificateDer<'static>> },
    Trusted(CertificateDer<'static>),
}

/// The certificates that a store makes trusted: those of its own entries, and the first one of each key, as in Java. Without a
/// password it is not checked whether the store is whole.
pub(super) fn certificates(store: &[u8], password: Option<&str>) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let first = |entry| match entry {
        Entry::Trusted(certificate) => Some(certificate),
        Entry::Key { chain, .. } => chain.into_iter().next(),
    };
    Ok(entries(store, password)?.into_iter().filter_map(|(_, entry)| first(entry)).collect())
}

/// The keys of a store, which `key_password` opens, or else the store's.
pub(super) fn identities(store: &[u8], password: Option<&str>, key_password: Option<&str>) -> Result<Identities, Wrong> {
    let mut identities = Identities::new();
    for (alias, entry) in entries(store, password)? {
        if let Entry::Key { encrypted, chain } = entry
            && !chain.is_empty()
        {
            let opened = decrypted(encrypted, key_password.or(password).unwrap_or_default());
            let key = opened.ok_or_else(|| Wrong::KeyPassword(alias.clone()))?;
            identities.insert(alias, Identity { chain, key: PrivateKeyDer::Pkcs8(key.into()) });
        }
    }
    Ok(identities)
}

fn entries<'a>(store: &'a [u8], password: Option<&str>) -> Result<Vec<(String, Entry<'a>)>, Wrong> {
    let damaged = || Wrong::Malformed("the store is damaged".into());
    let (body, digest) = store.split_at_checked(store.len().saturating_sub(DIGEST)).ok_or_else(damaged)?;
    if password.is_some_and(|password| sha1(&[&utf16(password), WHITENER, body]) != digest) {
        return Err(Wrong::Password);
    }
    Bytes(body).store().ok_or_else(damaged)
}

/// What is left to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Bytes after their number.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// Text as `DataOutputStream.writeUTF` writes it, which is UTF-8 for all that names of entries are made of.
    fn text(&mut self) -> Option<String> {
        let length = self.take(2)?.try_into().ok().map(u16::from_be_bytes)?;
        Some(String::from_utf8_lossy(self.take(usize::from(length))?).into_owned())
    }

    fn certificate(&mut self, version: u32) -> Option<CertificateDer<'static>> {
        if version == 2 {
            self.text().filter(|kind| kind == "X.509")?;
        }
        self.sized().map(|der| CertificateDer::from(der.to_vec()))
    }

    fn store(mut self) -> Option<Vec<(String, Entry<'a>)>> {
        let (_magic, version, count) = (self.u32()?, self.u32()?, self.u32()?);
        if !(1..=2).contains(&version) {
            return None;
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            let (tag, alias, _created) = (self.u32()?, self.text()?, self.take(8)?);
            let entry = match tag {
                1 => {
                    let (encrypted, count) = (self.sized()?, self.u32()?);
                    // as many as there are bytes for
                    let chain = (0..count).map(|_| self.certificate(version)).collect::<Option<Vec<_>>>()?;
                    Entry::Key { encrypted, chain }
                }
                2 => Entry::Trusted(self.certificate(version)?),
                _ => return None,
            };
            entries.push((alias, entry));
        }
        self.0.is_empty().then_some(entries)
    }
}

/// The key in PKCS#8; None if the password is another one.
fn decrypted(encrypted: &[u8], password: &str) -> Option<Vec<u8>> {
    let parsed = SliceReader::new(encrypted).and_then(|mut reader| {
        reader.sequence(|reader| {
            let algorithm = AlgorithmIdentifierRef::decode(reader)?;
            Ok::<_, der::Error>((algorithm.oid, <&OctetStringRef>::decode(reader)?.as_bytes()))
        })
    });
    let (oid, protected) = parsed.ok()?;
    if oid != KEY_PROTECTOR || protected.len() < 2 * DIGEST {
        return None;
    }
    let (salt, rest) = protected.split_at(DIGEST);
    let (body, check) = rest.split_at(rest.len() - DIGEST);
    let password = utf16(password);
    let (mut key, mut stream) = (body.to_vec(), salt.to_vec());
    for block in key.chunks_mut(DIGEST) {
        stream = sha1(&[&password, &stream]);
        block.iter_mut().zip(&stream).for_each(|(byte, mask)| *byte ^= mask);
    }
    let is_it = sha1(&[&password, &key]) == check && PrivateKeyInfoRef::from_der(&key).is_ok();
    is_it.then_some(key)
}

/// A password as its characters' two bytes each.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}
