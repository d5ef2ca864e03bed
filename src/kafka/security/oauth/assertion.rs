//! Assertions that a client shows to an authorization server, made here or taken from a file, by the keys
//! `sasl.oauthbearer.assertion.*` of Java (4.3.1).

use std::fs;
use std::time::SystemTime;

use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_api::config::{Password, Valid};
use landfall_api::{Faults, Key, Kind, Properties};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Map, Value, json};

use super::super::text;
use super::seconds;

const FILE: &str = "sasl.oauthbearer.assertion.file";
const ISSUER: &str = "sasl.oauthbearer.assertion.claim.iss";
const ALGORITHM: &str = "sasl.oauthbearer.assertion.algorithm";
const KEY_FILE: &str = "sasl.oauthbearer.assertion.private.key.file";
const TEMPLATE: &str = "sasl.oauthbearer.assertion.template.file";

/// Where an assertion comes from. Files are read each time, so that they may be replaced.
pub(super) enum Assertion {
    /// A file with the assertion itself.
    File(String),
    Made(Box<Made>),
}

/// What an assertion is made of.
pub(super) struct Made {
    is_rsa: bool,
    key_file: String,
    passphrase: Option<Password>,
    /// `aud`, `iss` and `sub`, before which nothing in the template counts.
    claims: Vec<(&'static str, String)>,
    template: Option<String>,
    expires_after: i64,
    valid_before: i64,
    with_id: bool,
}

/// Whether keys ask for an assertion in place of a secret.
pub(super) fn is_given(given: &Properties) -> bool {
    text(given, FILE).is_some() || text(given, ISSUER).is_some()
}

impl Assertion {
    pub(super) fn read(given: &Properties, faults: &mut Faults) -> Option<Self> {
        if let Some(path) = text(given, FILE) {
            return Some(Self::File(path.to_owned()));
        }
        let algorithm = text(given, ALGORITHM).unwrap_or("RS256");
        let is_rsa = algorithm.eq_ignore_ascii_case("RS256");
        if !is_rsa && !algorithm.eq_ignore_ascii_case("ES256") {
            let why = format!("Invalid value {algorithm} for configuration {ALGORITHM}: String must be one of: ES256, RS256");
            faults.push(ALGORITHM, why);
        }
        let key_file = text(given, KEY_FILE);
        if key_file.is_none() {
            faults.push(KEY_FILE, format!("{KEY_FILE} is missing, an assertion is signed with it; or give {FILE}"));
        }
        let passphrase = text(given, "sasl.oauthbearer.assertion.private.key.passphrase");
        let mut number = |name, default| {
            let key = Key { name, kind: Kind::Int, default: Some(default), valid: Valid::Between(0, 86_400), ..Key::EMPTY };
            key.read::<i64>(given, faults)
        };
        let expires_after = number("sasl.oauthbearer.assertion.claim.exp.seconds", "300");
        let valid_before = number("sasl.oauthbearer.assertion.claim.nbf.seconds", "60");
        let key = Key {
            name: "sasl.oauthbearer.assertion.claim.jti.include",
            kind: Kind::Boolean,
            default: Some("false"),
            ..Key::EMPTY
        };
        let with_id = key.read::<bool>(given, faults);
        let claim = |name: &'static str| {
            text(given, &format!("sasl.oauthbearer.assertion.claim.{name}")).map(|value| (name, value.to_owned()))
        };
        Some(Self::Made(Box::new(Made {
            is_rsa,
            key_file: key_file?.to_owned(),
            passphrase: passphrase.map(Password::from),
            claims: ["aud", "iss", "sub"].into_iter().filter_map(claim).collect(),
            template: text(given, TEMPLATE).map(str::to_owned),
            expires_after: expires_after?,
            valid_before: valid_before?,
            with_id: with_id?,
        })))
    }

    /// An assertion for now, or why there is none.
    pub(super) fn get(&self) -> Result<String, String> {
        match self {
            Self::File(path) => {
                let text = fs::read_to_string(path).map_err(|error| format!("{FILE}: {path} cannot be read: {error}"))?;
                Ok(text.trim().to_owned())
            }
            Self::Made(made) => made.get(),
        }
    }
}

impl Made {
    fn get(&self) -> Result<String, String> {
        let (mut header, mut payload) = (Map::new(), Map::new());
        payload.extend(self.claims.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        if let Some(path) = &self.template {
            let text = fs::read_to_string(path).map_err(|error| format!("{TEMPLATE}: {path} cannot be read: {error}"))?;
            let template: Map<String, Value> =
                serde_json::from_str(&text).map_err(|error| format!("{TEMPLATE}: {path} is no JSON object: {error}"))?;
            for (part, name) in [(&mut header, "header"), (&mut payload, "payload")] {
                if let Some(Value::Object(more)) = template.get(name) {
                    part.extend(more.clone());
                }
            }
        }
        let algorithm = if self.is_rsa { "RS256" } else { "ES256" };
        header.insert("alg".into(), json!(algorithm));
        header.insert("typ".into(), json!("JWT"));
        let now = seconds(SystemTime::now()) as i64;
        payload.insert("iat".into(), json!(now));
        payload.insert("exp".into(), json!(now + self.expires_after));
        payload.insert("nbf".into(), json!(now - self.valid_before));
        if self.with_id {
            payload.insert("jti".into(), json!(random_id()?));
        }
        let part = |json: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(json).to_string());
        let content = format!("{}.{}", part(header), part(payload));
        let signature = self.sign(content.as_bytes())?;
        Ok(format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, content: &[u8]) -> Result<Vec<u8>, String> {
        let path = &self.key_file;
        let pem = fs::read_to_string(path).map_err(|error| format!("{KEY_FILE}: {path} cannot be read: {error}"))?;
        let key = crate::tls::private_key(&pem, self.passphrase.as_ref().map(Password::reveal));
        let key = key.map_err(|why| format!("{KEY_FILE}: {path}: {why}"))?;
        let PrivateKeyDer::Pkcs8(key) = &key else { return Err(format!("{KEY_FILE}: {path}: the key is not PKCS#8")) };
        let der = key.secret_pkcs8_der();
        let random = SystemRandom::new();
        let not_this = |kind: &str| format!("{KEY_FILE}: {path} has no {kind} key, which {ALGORITHM} asks for");
        if self.is_rsa {
            let key = RsaKeyPair::from_pkcs8(der).map_err(|_| not_this("RSA"))?;
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &random, content, &mut signature).map_err(|_| "the assertion cannot be signed")?;
            return Ok(signature);
        }
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| not_this("P-256"))?;
        let signature = key.sign(&random, content).map_err(|_| "the assertion cannot be signed")?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A random UUID, as Java's.
fn random_id() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    fill(&mut bytes).map_err(|_| "there are no random numbers")?;
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
