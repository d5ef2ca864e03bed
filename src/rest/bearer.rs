//! Users who come with a token of an OpenID provider, such as Entra (JWT, RFC 7519 and RFC 6750): an addition to Java's.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::issuer::{ALGORITHMS, Keys};
use crate::config::AccessKeys;

/// The claims that say who somebody is, best first: a user's, then an application's.
const NAMES: [&str; 7] = ["preferred_username", "upn", "unique_name", "email", "azp", "appid", "sub"];

/// Looks at tokens.
pub(super) struct Bearer {
    audiences: Vec<String>,
    issuers: Vec<String>,
    claims: Vec<String>,
    /// Seconds by which clocks may differ.
    skew: u64,
    keys: Keys,
}

/// What a token says of whoever sends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) name: String,
    /// What the claims for roles have.
    pub(super) roles: Vec<String>,
}

/// Why a token is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It is no good: 401.
    Invalid(String),
    /// It cannot be looked at just now: 503.
    Unavailable(String),
}

impl Bearer {
    /// What the worker's properties say; the keys of the issuer are read in the background.
    pub(super) fn of(keys: &AccessKeys) -> Result<Self, String> {
        let issuers = match (&keys.issuer, &keys.tenant_id) {
            (Some(issuers), _) => issuers.clone(),
            (None, Some(tenant)) => vec![
                format!("https://login.microsoftonline.com/{tenant}/v2.0"),
                // the same keys sign tokens of the first version
                format!("https://sts.windows.net/{tenant}/"),
            ],
            (None, None) => return Err("landfall.rest.bearer.issuer: nobody's tokens are taken".into()),
        };
        let published = Keys::of(issuers.first().map_or("", String::as_str), keys.ca_file.as_deref())?;
        published.prefetch();
        Ok(Self {
            audiences: keys.audience.clone(),
            issuers,
            claims: keys.claims.clone(),
            skew: u64::try_from(keys.clock_skew_ms).unwrap_or(0).div_ceil(1000),
            keys: published,
        })
    }

    /// Looks at a token: its signature, by a key of the issuer's, and for whom, by whom and for how long it was issued.
    ///
    /// # Errors
    /// Why it is not taken, without a word of it.
    pub(super) async fn verify(&self, token: &str) -> Result<Said, NotTaken> {
        let invalid = |why: &str| NotTaken::Invalid(why.to_owned());
        let header = decode_header(token).map_err(|_| invalid("it is no JWT that is signed by RS256, PS256 or ES256"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(invalid("it is signed by none of RS256, PS256 and ES256"));
        }
        let id = header.kid.ok_or_else(|| invalid("it names no key"))?;
        let key = self.keys.get(&id).await.map_err(NotTaken::Unavailable)?;
        let key = key.filter(|key| key.is_for(header.alg)).ok_or_else(|| invalid("the issuer has no such key"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&self.audiences);
        validation.set_issuer(&self.issuers);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = self.skew;
        let claims = decode::<Map<String, Value>>(token, &key.key, &validation).map_err(|error| {
            invalid(match error.kind() {
                ErrorKind::InvalidSignature => "its signature is wrong",
                ErrorKind::ExpiredSignature => "it has expired",
                ErrorKind::ImmatureSignature => "it is not valid yet",
                ErrorKind::InvalidIssuer => "it is of another issuer",
                ErrorKind::InvalidAudience => "it is for another audience",
                ErrorKind::MissingRequiredClaim(_) => "it lacks one of the claims exp, iss and aud",
                _ => "it is malformed",
            })
        })?;
        Ok(self.said(&claims.claims))
    }

    fn said(&self, claims: &Map<String, Value>) -> Said {
        let text = |claim: &&str| claims.get(*claim).and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = NAMES.iter().find_map(text).unwrap_or("somebody with a token").to_owned();
        let roles = self.claims.iter().filter_map(|claim| claims.get(claim)).flat_map(|value| match value {
            Value::String(texts) => texts.split_whitespace().map(str::to_owned).collect(),
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        });
        Said { name, roles: roles.collect() }
    }
}
