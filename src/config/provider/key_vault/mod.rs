//! Secrets of Azure Key Vault, read over its REST API (version 7.4) with tokens of Entra ID. [`lenses`] and [`confluent`] are the classes:
//! their keys, and how a variable names a secret. [`place`] says which hosts are vaults.

pub(super) mod confluent;
pub(super) mod lenses;
mod place;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use landfall_adls::rest::{Answer, Failure, Rest};
use landfall_api::Properties;
use landfall_api::config::Password;
use serde::Deserialize;

use place::Vault;

const VERSION: &str = "7.4";
/// How long a secret is not asked for again: a connector and its tasks start with the same ones.
const FRESH: Duration = Duration::from_secs(5);
/// When a secret that has expired is looked at again: it may have got a new version.
const EXPIRED: Duration = Duration::from_secs(300);
/// Longer times are taken for this one, which is for ever.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The vaults, asked with one credential.
struct Vaults {
    rest: Rest,
    /// How long secrets that do not expire are taken to stay what they are; None for ever.
    ttl: Option<Duration>,
    /// What was asked for in the last seconds, by its URL.
    seen: Mutex<HashMap<String, (Instant, Secret)>>,
}

impl fmt::Debug for Vaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vaults").field("credential", &self.rest.describe()).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// A version of a secret.
#[derive(Clone)]
struct Secret {
    value: Password,
    expires: Option<SystemTime>,
    /// The tag `file-encoding`.
    encoding: Option<String>,
}

/// What the service answers.
#[derive(Deserialize)]
struct Bundle {
    value: Option<String>,
    #[serde(default)]
    attributes: Attributes,
    tags: Option<HashMap<String, String>>,
}

#[derive(Deserialize, Default)]
struct Attributes {
    /// Seconds since the epoch.
    exp: Option<u64>,
}

/// How a secret is named: `name` or `name/version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named<'a> {
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let (name, version) = text.split_once('/').map_or((text, None), |(name, version)| (name, Some(version)));
        Self { name, version }.checked()
    }

    /// It is made of what goes into a URL as it is.
    fn checked(self) -> Result<Self, String> {
        let Self { name, version } = self;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain(name) || name.len() > 127 {
            return Err(format!("{name:?} is no name of a secret in a vault, which has letters, digits and hyphens"));
        }
        match version {
            Some(version) if !plain(version) => Err(format!("{version:?} is no version of the secret {name}")),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.version.map_or(Ok(()), |version| write!(f, " in the version {version}"))
    }
}

impl Vaults {
    fn new(rest: Rest, ttl: Option<Duration>) -> Self {
        Self { rest, ttl, seen: Mutex::default() }
    }

    /// The secrets of a vault, all at once.
    fn secrets(&self, vault: &Vault, named: &[Named<'_>]) -> Result<Vec<Secret>, String> {
        let url = |named: &Named<'_>| {
            let version = named.version.map(|version| format!("/{version}")).unwrap_or_default();
            format!("{}/secrets/{}{version}?api-version={VERSION}", vault.url, named.name)
        };
        let mut found: HashMap<String, Secret> = HashMap::new();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = self.ttl.map_or(FRESH, |ttl| FRESH.min(ttl / 2));
            let now = SystemTime::now();
            seen.retain(|_, (since, secret)| since.elapsed() < fresh && secret.expires.is_none_or(|expires| expires > now));
            let known = named.iter().map(url).filter_map(|url| seen.get(&url).map(|(_, secret)| (url.clone(), secret.clone())));
            found.extend(known.collect::<Vec<_>>());
        }
        let missing: Vec<_> = named.iter().map(|named| (named, url(named))).filter(|(_, url)| !found.contains_key(url)).collect();
        let urls = missing.iter().map(|(named, url)| url.parse().map_err(|e| format!("{named} of {}: {e}", vault.host)));
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        let answers = if urls.is_empty() { Vec::new() } else { self.rest.get(&vault.scope, "application/json", urls) };
        for ((named, url), answer) in missing.into_iter().zip(answers) {
            let answer = answer.map_err(|failure| self.said(&failure, vault, *named))?;
            let secret = secret(&answer).map_err(|why| format!("the vault {} says of the secret {named} {why}", vault.host))?;
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(url.clone(), (Instant::now(), secret.clone()));
            found.insert(url, secret);
        }
        Ok(named.iter().filter_map(|named| found.get(&url(named)).cloned()).collect())
    }

    /// Why there is no such secret.
    fn said(&self, failure: &Failure, vault: &Vault, named: Named<'_>) -> String {
        let (host, who) = (&vault.host, self.rest.describe());
        match failure {
            Failure::Away(why) => format!("the secret {named} of the vault {host} cannot be had now: {why}"),
            Failure::Refused { status: 404, .. } => format!("there is no secret {named} in the vault {host}"),
            Failure::Refused { code, .. } if code == "SecretDisabled" => {
                format!("the secret {named} of the vault {host} is disabled")
            }
            Failure::Refused { status: 401, .. } => format!("the vault {host} does not know {who}: {failure}"),
            Failure::Refused { status: 403, code, .. } if code.starts_with("ForbiddenByFirewall") => {
                format!("the firewall of the vault {host} lets this machine not read the secret {named}: {failure}")
            }
            Failure::Refused { status: 403, .. } => {
                format!(
                    "the vault {host} does not let {who} read the secret {named}, the role Key Vault Secrets User would: {failure}"
                )
            }
            Failure::Refused { .. } => format!("the vault {host} refuses the secret {named}: {failure}"),
        }
    }

    /// How long these stay what they are: the time of the provider, or until the first of them expires; None for ever.
    fn ttl<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) -> Option<Duration> {
        self.ttl_for(None, secrets)
    }

    /// The same, with a time that counts before the provider's.
    fn ttl_for<'a>(&self, own: Option<Duration>, secrets: impl IntoIterator<Item = &'a Secret>) -> Option<Duration> {
        let rest = secrets.into_iter().filter_map(|secret| secret.expires).map(|expires| {
            let rest = expires.duration_since(SystemTime::now()).ok().filter(|rest| !rest.is_zero());
            rest.unwrap_or(EXPIRED).min(LONGEST)
        });
        rest.chain(own.or(self.ttl)).min()
    }

    /// The shortest time after which any of them may be another.
    fn shortest_ttl(&self) -> Option<Duration> {
        // A secret may expire, and only it knows when.
        Some(self.ttl.unwrap_or(EXPIRED))
    }
}

/// What is in an answer; why there is none never has a value.
fn secret(answer: &Answer) -> Result<Secret, String> {
    let bundle: Bundle = serde_json::from_slice(&answer.body).map_err(|_| "what is no secret".to_owned())?;
    let value = bundle.value.ok_or_else(|| "nothing of its value".to_owned())?;
    let expires = bundle.attributes.exp.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let encoding = bundle.tags.and_then(|mut tags| tags.remove("file-encoding"));
    Ok(Secret { value: Password::from(value), expires, encoding })
}

/// `given` with the credential that it names, or the default chain.
fn with_default(given: &Properties) -> Properties {
    let mut given = given.clone();
    given.entry("landfall.azure.credential".to_owned()).or_insert_with(|| "default".to_owned());
    given
}

#[cfg(test)]
mod tests {
    use landfall_adls::rest::Patience;
    use landfall_api::Faults;

    use super::*;

    #[test]
    fn a_secret_is_named_by_letters_digits_and_hyphens() {
        let named = |name, version| Ok(Named { name, version });
        assert_eq!(Named::parse("db-password"), named("db-password", None));
        assert_eq!(Named::parse("a/0123abcd"), named("a", Some("0123abcd")));
        for wrong in ["", "a_b", "../keys", "a/", "a/b/c", "a?x", "a#b", "ä", "a b", &"a".repeat(128)] {
            assert!(Named::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_stays_until_it_expires_or_for_the_time_of_the_provider() {
        let given = Properties::from([("landfall.azure.credential".into(), "azure-cli".into())]);
        let rest = Rest::read(&given, Patience::default(), &mut Faults::default()).expect("valid");
        let vaults = |ttl: Option<u64>| Vaults::new(rest.clone(), ttl.map(Duration::from_secs));
        let until = |seconds: Option<i64>| {
            let shift = |s: i64| match u64::try_from(s) {
                Ok(s) => SystemTime::now() + Duration::from_secs(s),
                Err(_) => SystemTime::now() - Duration::from_secs(s.unsigned_abs()),
            };
            Secret { value: "pssst".into(), expires: seconds.map(shift), encoding: None }
        };
        let ttl = |provider, secrets: &[Option<i64>]| {
            let secrets: Vec<_> = secrets.iter().map(|seconds| until(*seconds)).collect();
            vaults(provider).ttl(&secrets).map(|ttl| (ttl.as_secs_f64() / 10.0).ceil() as u64 * 10)
        };
        assert_eq!(ttl(None, &[None, None]), None);
        assert_eq!(ttl(Some(60), &[None]), Some(60));
        assert_eq!(ttl(None, &[None, Some(100), Some(500)]), Some(100));
        assert_eq!(ttl(Some(60), &[Some(100)]), Some(60));
        assert_eq!(ttl(Some(60), &[Some(20)]), Some(20));
        // One that has expired does not make tasks start again and again.
        assert_eq!((ttl(None, &[Some(-1)]), ttl(Some(1000), &[Some(-100)])), (Some(300), Some(300)));
        assert!(!format!("{:?}", vaults(None)).contains("pssst"));
    }

    #[test]
    fn what_is_wrong_names_vault_and_secret() {
        let given = Properties::from([("landfall.azure.credential".into(), "azure-cli".into())]);
        let rest = Rest::read(&given, Patience::default(), &mut Faults::default()).expect("valid");
        let vaults = Vaults::new(rest, None);
        let vault = Vault { host: "v.vault.azure.net".into(), url: String::new(), scope: String::new() };
        let named = Named { name: "pw", version: Some("7") };
        let refused = |status, code: &str| Failure::Refused { status, code: code.into(), message: "said".into() };
        for (failure, expected) in [
            (refused(404, "SecretNotFound"), "there is no secret pw in the version 7 in the vault v.vault.azure.net"),
            (refused(403, "SecretDisabled"), "the secret pw in the version 7 of the vault v.vault.azure.net is disabled"),
            (refused(403, "ForbiddenByRbac"), "the role Key Vault Secrets User would: HTTP 403 ForbiddenByRbac said"),
            (refused(403, "ForbiddenByFirewall"), "the firewall of the vault v.vault.azure.net"),
            (refused(401, "Unauthorized"), "the vault v.vault.azure.net does not know"),
            (refused(400, "BadParameter"), "refuses the secret pw in the version 7: HTTP 400 BadParameter said"),
            (Failure::Away("HTTP 429".into()), "pw in the version 7 of the vault v.vault.azure.net cannot be had now: HTTP 429"),
        ] {
            let said = vaults.said(&failure, &vault, named);
            assert!(said.contains(expected) && said.contains("pw") || expected.contains("does not know"), "{said}");
        }
    }
}
