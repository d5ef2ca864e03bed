//! Client assertions: what an application with a certificate signs to be given a token (RFC 7523, as Entra ID wants it).

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use azure_core::Uuid;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use landfall_api::Password;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

/// Seconds that an assertion is good for.
const LIFE: u64 = 600;

/// A certificate with those that signed it, the leaf first, and its key.
struct Certificate {
    chain: Vec<Vec<u8>>,
    key: KeyPair,
}

/// An assertion for `audience` by the application `client`, with the certificate in `file`.
///
/// # Errors
/// What is wrong with the file; never a secret.
pub(super) fn assertion(file: &Path, password: Option<&Password>, client: &str, audience: &str) -> Result<Password, String> {
    let named = |why: String| format!("the certificate file {} {why}", file.display());
    let content = fs::read(file).map_err(|e| named(format!("cannot be read: {e}")))?;
    let certificate = read(&content, password).map_err(named)?;
    sign(&certificate, client, audience).map_err(named)
}

fn read(content: &[u8], password: Option<&Password>) -> Result<Certificate, String> {
    let (chain, key) =
        if content.windows(11).any(|window| window == b"-----BEGIN ") { pem(content)? } else { pfx(content, password)? };
    if chain.is_empty() {
        return Err("has no certificate".into());
    }
    Ok(Certificate { chain, key })
}

type Parts = (Vec<Vec<u8>>, KeyPair);

fn pem(content: &[u8]) -> Result<Parts, String> {
    let chain = CertificateDer::pem_slice_iter(content).map(|found| found.map(|der| der.to_vec()));
    let chain = chain.collect::<Result<_, _>>().map_err(|e| format!("is no PEM: {e}"))?;
    let key = match PrivateKeyDer::from_pem_slice(content) {
        Ok(PrivateKeyDer::Pkcs1(key)) => KeyPair::from_der(key.secret_pkcs1_der()),
        Ok(key) => KeyPair::from_pkcs8(key.secret_der()),
        Err(_) => return Err("has no private key, or one with a password: only PKCS#12 files can have one".into()),
    };
    Ok((chain, key.map_err(|_| "has a private key that is not RSA")?))
}

fn pfx(content: &[u8], password: Option<&Password>) -> Result<Parts, String> {
    let password = password.map_or("", Password::reveal);
    let store = KeyStore::from_pkcs12(content, password, Pkcs12ImportPolicy::Relaxed);
    let store = store.map_err(|_| "is neither PEM nor PKCS#12 with the password that is given")?;
    let (_, found) = store.private_key_chain().ok_or("has no private key with a certificate")?;
    let chain = found.certs().iter().map(|certificate| certificate.as_der().to_vec()).collect();
    let key = KeyPair::from_pkcs8(found.key().as_der()).map_err(|_| "has a private key that is not RSA")?;
    Ok((chain, key))
}

fn sign(certificate: &Certificate, client: &str, audience: &str) -> Result<Password, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate.chain[0]));
    let chain: Vec<_> = certificate.chain.iter().map(|der| BASE64_STANDARD.encode(der)).collect();
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint, "x5c": chain});
    let claims = json!({
        "aud": audience, "iss": client, "sub": client, "jti": Uuid::new_v4().to_string(), "nbf": now, "iat": now, "exp": now + LIFE,
    });
    let part = |json: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; certificate.key.public_modulus_len()];
    let made = certificate.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
    made.map_err(|_| "has a key that cannot sign")?;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)).into())
}
