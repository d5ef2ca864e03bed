//! How workers sign requests to one another (`InternalRequestSignature` of Kafka 4.3.1): a code over the body, made with a key that the
//! config topic has.

use aws_lc_rs::hmac;
use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use zeroize::Zeroizing;

use crate::state::SessionKey;

/// The header with the code, in base 64.
pub const SIGNATURE: &str = "x-connect-authorization";
/// The header with the name of the algorithm.
pub const ALGORITHM: &str = "x-connect-request-signature-algorithm";

fn algorithm(name: &str) -> Option<hmac::Algorithm> {
    Some(match name.to_ascii_lowercase().as_str() {
        "hmacsha256" => hmac::HMAC_SHA256,
        "hmacsha384" => hmac::HMAC_SHA384,
        "hmacsha512" => hmac::HMAC_SHA512,
        "hmacsha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        _ => return None,
    })
}

/// A new key of `size` bytes, made at `now` in milliseconds; None where the system has no randomness.
#[must_use]
pub fn new_key(algorithm: &str, size: usize, now: i64) -> Option<SessionKey> {
    let mut key = Zeroizing::new(vec![0; size]);
    getrandom::fill(&mut key).ok()?;
    Some(SessionKey { key, algorithm: algorithm.to_owned(), creation_timestamp: now })
}

/// The headers that sign `body`; none where the algorithm is unknown.
#[must_use]
pub fn headers(key: &SessionKey, name: &str, body: &[u8]) -> Vec<(String, String)> {
    let Some(algorithm) = algorithm(name) else { return Vec::new() };
    let code = hmac::sign(&hmac::Key::new(algorithm, &key.key), body);
    vec![(SIGNATURE.to_owned(), STANDARD.encode(code)), (ALGORITHM.to_owned(), name.to_owned())]
}

/// Why a request is not taken for one of another worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It cannot be looked at: 400.
    Malformed(String),
    /// This worker has not read a key yet: 503.
    NoKey,
    /// It is signed with something else: 403.
    Invalid,
}

/// Looks at the signature of `body`. `accepted` are the algorithms that may be used.
///
/// # Errors
/// Why it is none.
pub fn verify(
    signature: Option<&str>,
    name: Option<&str>,
    accepted: &[String],
    key: Option<&SessionKey>,
    body: &[u8],
) -> Result<(), Refused> {
    let malformed = |message: &str| Err(Refused::Malformed(message.to_owned()));
    let (Some(signature), Some(name)) = (signature, name) else {
        return malformed("Internal request missing required signature");
    };
    let Some(algorithm) = algorithm(name) else {
        return malformed(&format!("Algorithm {name} not available"));
    };
    let code = match STANDARD.decode(signature) {
        Ok(code) => code,
        Err(DecodeError::InvalidByte(_, byte)) => return malformed(&format!("Illegal base64 character {byte:x}")),
        Err(_) => return malformed("Input byte array has wrong 4-byte ending unit"),
    };
    if !accepted.iter().any(|accepted| accepted == name) {
        return malformed(&format!(
            "This worker does not support the '{name}' key signing algorithm used by other workers. This worker is currently configured to use: [{}]. Check that all workers' configuration files permit the same set of signature algorithms, and correct any misconfigured worker and restart it.",
            accepted.join(", ")
        ));
    }
    let Some(key) = key else { return Err(Refused::NoKey) };
    hmac::verify(&hmac::Key::new(algorithm, &key.key), body, &code).map_err(|_| Refused::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SessionKey {
        SessionKey {
            key: b"0123456789abcdef0123456789abcdef".to_vec().into(),
            algorithm: "HmacSHA256".into(),
            creation_timestamp: 0,
        }
    }

    #[test]
    fn what_one_signs_another_takes() {
        let accepted = ["HmacSHA256".to_owned()];
        let signed = headers(&key(), "HmacSHA256", b"[]");
        let [(_, code), (_, name)] = &signed[..] else { panic!("{signed:?}") };
        let look = |code: Option<&str>, name: Option<&str>, key: Option<&SessionKey>, body: &[u8]| {
            verify(code, name, &accepted, key, body)
        };
        assert_eq!(look(Some(code), Some(name), Some(&key()), b"[]"), Ok(()));
        assert_eq!(look(Some(code), Some(name), Some(&key()), b"[{}]"), Err(Refused::Invalid));
        assert_eq!(look(Some("AAAA"), Some(name), Some(&key()), b"[]"), Err(Refused::Invalid));
        assert_eq!(look(Some(code), Some(name), None, b"[]"), Err(Refused::NoKey));
        for (code, name) in
            [(None, Some(&**name)), (Some(&**code), None), (Some("!!"), Some(name)), (Some(code), Some("HmacNope"))]
        {
            assert!(matches!(look(code, name, Some(&key()), b"[]"), Err(Refused::Malformed(_))), "{code:?} {name:?}");
        }
        let other = headers(&key(), "HmacSHA512", b"");
        assert!(matches!(look(Some(&other[0].1), Some("HmacSHA512"), Some(&key()), b""), Err(Refused::Malformed(_))));
    }

    /// Computed with OpenSSL.
    #[test]
    fn the_code_is_the_standard_one() {
        let code = &headers(&key(), "HmacSHA256", b"")[0].1;
        assert_eq!(STANDARD.decode(code).expect("base 64").len(), 32);
        let key = SessionKey { key: b"key".to_vec().into(), ..key() };
        let code = &headers(&key, "HmacSHA256", b"The quick brown fox jumps over the lazy dog")[0].1;
        assert_eq!(code, "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=");
    }
}
