//! `io.confluent.csid.config.provider.azure.KeyVaultConfigProvider` (1.0.24 of `kafka-config-provider-azure`): the path is the name of a
//! secret of the one vault that `vault.url` names, perhaps with `?version=…`, the key one of the fields of the JSON object that the secret
//! is. `${keyvault:db:password}`, `${keyvault:db?version=0123:password}`.
//!
//! It differs from Java where
//! - `secret.prefix` and `?ttl=…` (milliseconds) do what the documentation says of them; Java reads neither;
//! - with `use.json=false` the path may be left out: `${keyvault:db}`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_adls::entra;
use landfall_adls::rest::{Patience, Rest};
use landfall_api::config::Password;
use landfall_api::{Faults, Key, Properties, Width, config};
use serde_json::{Map, Value};
use ureq::http::Uri;
use ureq::http::uri::Authority;

use super::super::{Provider, ProviderClass};
use super::place::{Places, Vault};
use super::{Named, Vaults, with_default};
use crate::config::{application, joined, millis, without_credential};

const NO_POLLING: &str = "a worker of Connect does not subscribe to changes: give ttl.ms, or ?ttl=… in a variable";

config! {
    /// Its parameters.
    pub struct ConfluentKeys {
        /// The vault: `https://<vault>.vault.azure.net/`.
        vault_url: String = "vault.url" { required: true, importance: High, group: "Config Providers", width: Width::Long, display: "Vault URL", valid: By(|url| host(url).map(drop)), reaches: Hosts };
        /// How the worker signs in: `DefaultAzure`, by `landfall.azure.credential` or the default chain of credentials if that is not
        /// given, `ClientSecret`, `ClientCertificate`. UsernamePassword is not supported.
        credential_type: String = "credential.type" { default: Some("DefaultAzure"), importance: High, group: "Config Providers", width: Width::Medium, display: "Credential", valid: By(|value| match value {
            "DefaultAzure" | "ClientSecret" | "ClientCertificate" => Ok(()),
            "UsernamePassword" => Err("UsernamePassword is not supported, use ClientSecret or landfall.azure.credential".into()),
            _ => Err("String must be one of: DefaultAzure, ClientSecret, ClientCertificate".into()),
        }) };
        /// The application (client) id.
        client_id: Option<String> = "client.id" { importance: High, group: "Config Providers", width: Width::Medium, display: "Client ID" };
        /// The tenant (directory) id.
        tenant_id: Option<String> = "tenant.id" { importance: High, group: "Config Providers", width: Width::Medium, display: "Tenant ID" };
        /// The value of a secret of the application, for ClientSecret.
        client_secret: Option<Password> = "client.secret" { importance: High, group: "Config Providers", width: Width::Medium, display: "Client Secret" };
        /// The file of a certificate of the application with its key, for ClientCertificate: PEM or PFX.
        certificate: Option<String> = "client.certificate.path" { importance: High, group: "Config Providers", width: Width::Long, display: "Client Certificate", reaches: Files };
        /// The format of the certificate: PEM or PFX.
        certificate_type: String = "client.certificate.type" { default: Some("PEM"), importance: High, group: "Config Providers", width: Width::Short, display: "Certificate Format", valid: OneOf(&["PEM", "PFX"]), effect: Nothing("the file tells") };
        /// The password of a certificate in PFX.
        certificate_password: Option<Password> = "client.certificate.pfx.password" { importance: High, group: "Config Providers", width: Width::Medium, display: "Certificate Password" };
        /// Whether the chain of the certificate is sent with the request for a token. Only false.
        send_chain: bool = "client.certificate.send.certificate.chain.enabled" { default: Some("false"), importance: High, group: "Config Providers", width: Width::Short, display: "Send Certificate Chain", valid: By(|value| match value.trim() {
            value if value.eq_ignore_ascii_case("false") => Ok(()),
            _ => Err("only false is supported".into()),
        }) };
        /// A user. Not supported.
        username: Option<String> = "username" { importance: High, group: "Config Providers", width: Width::Medium, display: "User", valid: By(only_empty) };
        /// The user's password. Not supported.
        password: Option<Password> = "password" { importance: High, group: "Config Providers", width: Width::Medium, display: "Password", valid: By(only_empty) };
        /// What the names of secrets begin with, before what variables say: `staging-`.
        prefix: String = "secret.prefix" { default: Some(""), importance: Low, group: "Config Providers", width: Width::Medium, display: "Prefix" };
        /// Whether secrets are JSON objects, whose fields are the keys. If not, the key is the name of the secret, and its value all of it.
        use_json: bool = "use.json" { default: Some("true"), group: "Config Providers", width: Width::Short, display: "JSON" };
        /// How often a secret is asked for while the vault does not answer.
        retry_count: i32 = "retry.count" { default: Some("3"), importance: Low, group: "Config Providers", width: Width::Short, display: "Tries", valid: Between(1, 100) };
        /// The seconds before a secret is asked for again, the first time; then twice as long each time. Java's default is 10; whoever
        /// starts a task waits meanwhile, so it is less here.
        retry_interval: i64 = "retry.interval.seconds" { default: Some("1"), importance: Low, group: "Config Providers", width: Width::Short, display: "Pause (s)", valid: Between(0, 600) };
        /// The seconds that an answer may take. Java's default is 30.
        timeout: i64 = "timeout.seconds" { default: Some("10"), importance: Low, group: "Config Providers", width: Width::Short, display: "Timeout (s)", valid: Between(1, 600) };
        /// The threads that ask.
        threads: i32 = "thread.count" { default: Some("3"), importance: Low, group: "Config Providers", width: Width::Short, display: "Threads", effect: Nothing("several secrets are asked for at once anyway") };
        /// Whether subscribers are told of changes.
        polling: bool = "polling.enabled" { default: Some("true"), group: "Config Providers", width: Width::Short, display: "Polling", effect: Nothing(NO_POLLING) };
        /// How often secrets are looked at for subscribers.
        polling_interval: i64 = "polling.interval.seconds" { default: Some("300"), group: "Config Providers", width: Width::Short, display: "Polling Interval (s)", effect: Nothing(NO_POLLING) };
        /// Milliseconds after which secrets are read again, while a task runs that they gave values to. If they are other ones, the task is
        /// started again with them, unless its connector has `config.action.reload` none. `?ttl=…` of a variable counts before it. A secret
        /// that expires is read again then in any case. Default: never. Not in Java.
        ttl_ms: Option<i64> = "ttl.ms" { importance: Low, group: "Config Providers", width: Width::Medium, display: "Time to Live (ms)", valid: AtLeast(1) };
    }
}

fn only_empty(value: &str) -> Result<(), String> {
    if value.is_empty() { Ok(()) } else { Err("it is not supported".into()) }
}

/// The host of a vault's URL, with its port.
fn host(url: &str) -> Result<String, String> {
    let wrong = || "it is no URL of a vault: https://<vault>.vault.azure.net/".to_owned();
    let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
    let authority = uri.authority().map(Authority::as_str).filter(|authority| !authority.contains('@'));
    match (uri.scheme_str(), authority, uri.path()) {
        (Some("https"), Some(authority), "" | "/") if !authority.is_empty() => Ok(authority.to_ascii_lowercase()),
        _ => Err(wrong()),
    }
}

static KEYS: [Key; ConfluentKeys::KEYS.len() + entra::KEYS.len()] = joined(ConfluentKeys::KEYS, entra::KEYS);

/// The class.
pub(in super::super) const CLASS: ProviderClass = ProviderClass {
    class: "io.confluent.csid.config.provider.azure.KeyVaultConfigProvider",
    keys: &KEYS,
    build: |given, faults| Some(Box::new(Confluent::new(given, faults)?)),
};

/// `given` with the credential that the keys of the class name.
fn signed_in(given: &Properties, keys: &ConfluentKeys, faults: &mut Faults) -> Option<Properties> {
    let kind = &*keys.credential_type;
    let mut need = |key: &str, value: Option<&str>| {
        let found = value.filter(|value| !value.is_empty()).map(str::to_owned);
        if found.is_none() {
            faults.push(key, format!("{key} is missing, credential.type={kind} needs it"));
        }
        found
    };
    if kind == "DefaultAzure" {
        return Some(with_default(given));
    }
    let (tenant, client) = (need("tenant.id", keys.tenant_id.as_deref()), need("client.id", keys.client_id.as_deref()));
    if kind == "ClientSecret" {
        let secret = need("client.secret", keys.client_secret.as_ref().map(Password::reveal));
        return Some(application(given, &tenant?, &client?, &secret?));
    }
    let certificate = need("client.certificate.path", keys.certificate.as_deref());
    let mut all = without_credential(given);
    let password = keys.certificate_password.as_ref().map(|password| password.reveal().to_owned());
    all.extend(
        [
            ("credential", Some("client-certificate".to_owned())),
            ("tenant.id", Some(tenant?)),
            ("client.id", Some(client?)),
            ("client.certificate", Some(certificate?)),
            ("client.certificate.password", password.filter(|password| !password.is_empty())),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((format!("landfall.azure.{key}"), value?))),
    );
    Some(all)
}

#[derive(Debug)]
struct Confluent {
    vaults: Vaults,
    vault: Vault,
    prefix: String,
    use_json: bool,
}

/// What a path says: the name of a secret, and what stands behind the question mark.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    name: &'a str,
    version: Option<&'a str>,
    ttl: Option<Duration>,
}

impl<'a> Request<'a> {
    fn parse(path: &'a str) -> Result<Self, String> {
        let (name, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = Self { name: name.trim_start_matches('/'), version: None, ttl: None };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("version", version)) => request.version = Some(version),
                Some(("ttl", ttl)) => {
                    let parsed = ttl.parse().ok().filter(|ms| *ms > 0);
                    request.ttl =
                        Some(millis(parsed.ok_or_else(|| format!("ttl={ttl} of {name} is no number of milliseconds"))?));
                }
                _ => return Err(format!("{part:?} says nothing of a secret: there are version=… and ttl=…")),
            }
        }
        Ok(request)
    }
}

impl Confluent {
    fn new(given: &Properties, faults: &mut Faults) -> Option<Self> {
        let keys = ConfluentKeys::parse(given, faults)?;
        let signed_in = signed_in(given, &keys, faults)?;
        let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        let again = u32::try_from(keys.retry_count - 1).unwrap_or(0);
        let patience = Patience { answer: seconds(keys.timeout), again, pause: seconds(keys.retry_interval) };
        let rest = Rest::read(&signed_in, patience, faults)?;
        let host = host(&keys.vault_url).map_err(|why| faults.push("vault.url", why)).ok()?;
        let vault = Places::new(given.get("landfall.azure.cloud"), &[]).at(host);
        let vaults = Vaults::new(rest, keys.ttl_ms.map(millis));
        Some(Self { vaults, vault, prefix: keys.prefix, use_json: keys.use_json })
    }

    /// The values of `keys` in a secret.
    fn values(&self, name: &str, secret: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String> {
        if !self.use_json {
            return Ok(keys.iter().map(|key| ((*key).to_owned(), secret.to_owned())).collect());
        }
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(secret) else {
            return Err(format!(
                "the secret {name} of the vault {} is no JSON object, give use.json=false if it is none",
                self.vault.host
            ));
        };
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let found: BTreeMap<_, _> =
            keys.iter().filter_map(|key| Some(((*key).to_owned(), fields.get(*key).and_then(text)?))).collect();
        match keys.iter().find(|key| !found.contains_key(**key)) {
            Some(missing) => Err(format!("the secret {name} of the vault {} has no field {missing}", self.vault.host)),
            None => Ok(found),
        }
    }
}

impl Provider for Confluent {
    fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String> {
        self.get_for_a_time(path, keys).map(|(values, _)| values)
    }

    fn get_for_a_time(&self, path: &str, keys: &BTreeSet<&str>) -> Result<(BTreeMap<String, String>, Option<Duration>), String> {
        let (mut values, mut ttl) = (BTreeMap::new(), None);
        // Without a path each key is the name of a secret.
        let requests: Vec<(&str, BTreeSet<&str>)> = match path {
            "" if self.use_json => return Err("no secret is named, as in ${keyvault:my-secret:my-field}".into()),
            "" => keys.iter().map(|key| (*key, BTreeSet::from([*key]))).collect(),
            path => vec![(path, keys.clone())],
        };
        for (path, keys) in requests {
            let Request { name, version, ttl: own } = Request::parse(path)?;
            let name = format!("{}{name}", self.prefix);
            let secrets = self.vaults.secrets(&self.vault, &[Named { name: &name, version }.checked()?])?;
            for secret in &secrets {
                values.extend(self.values(&name, secret.value.reveal(), &keys)?);
            }
            ttl = ttl.into_iter().chain(self.vaults.ttl_for(own, &secrets)).min();
        }
        Ok((values, ttl))
    }

    fn ttl(&self) -> Option<Duration> {
        self.vaults.shortest_ttl()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(more: &[(&str, &str)]) -> Result<Confluent, String> {
        let base = [("vault.url", "https://Example.vault.azure.net/")];
        let given = base.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut faults = Faults::default();
        Confluent::new(&given, &mut faults).filter(|_| faults.is_empty()).ok_or_else(|| faults.to_string())
    }

    #[test]
    fn the_keys_of_the_class_say_who_signs_in_and_where() {
        let who = |more: &[(&str, &str)]| provider(more).map(|provider| provider.vaults.rest.describe());
        assert_eq!(provider(&[]).map(|provider| provider.vault.url), Ok("https://example.vault.azure.net".into()));
        let secret = [("credential.type", "ClientSecret"), ("tenant.id", "t1"), ("client.id", "c1"), ("client.secret", "pssst")];
        let shown = who(&[&secret[..], &[("landfall.azure.credential", "managed-identity")]].concat()).expect("valid");
        assert!(shown.contains("client secret") && shown.contains("c1") && !shown.contains("pssst"), "{shown}");
        assert_eq!(who(&secret[..3]).expect_err("missing"), "client.secret is missing, credential.type=ClientSecret needs it");
        let certificate = [("credential.type", "ClientCertificate"), ("tenant.id", "t1"), ("client.id", "c1")];
        let error = who(&certificate).expect_err("missing");
        assert_eq!(error, "client.certificate.path is missing, credential.type=ClientCertificate needs it");
        let with =
            [&certificate[..], &[("client.certificate.path", "/no/such.pfx"), ("client.certificate.pfx.password", "pssst")]]
                .concat();
        assert!(who(&with).expect("read when a token is asked for").contains("certificate"));
        assert!(who(&[("landfall.azure.credential", "managed-identity")]).expect("valid").contains("managed identity"));
        for (key, value, why) in [
            ("credential.type", "UsernamePassword", "UsernamePassword is not supported"),
            ("credential.type", "x", "must be one of: DefaultAzure"),
            ("username", "ann", "it is not supported"),
            ("password", "pssst", "it is not supported"),
            ("client.certificate.send.certificate.chain.enabled", "true", "only false is supported"),
            ("vault.url", "http://example.vault.azure.net", "it is no URL of a vault"),
            ("vault.url", "https://user@example.vault.azure.net", "it is no URL of a vault"),
            ("vault.url", "example.vault.azure.net", "it is no URL of a vault"),
            ("retry.count", "0", "Value must be at least 1"),
            ("retry.interval.seconds", "-1", "Value must be at least 0"),
            ("timeout.seconds", "0", "Value must be at least 1"),
            ("ttl.ms", "0", "Value must be at least 1"),
        ] {
            let error = who(&[(key, value)]).expect_err(key);
            assert!(error.contains(why) && !error.contains("pssst"), "{key}: {error}");
        }
    }

    #[test]
    fn a_path_names_a_secret_a_version_and_a_time() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(Request::parse("db"), Ok(Request { name: "db", version: None, ttl: None }));
        assert_eq!(Request::parse("db?ttl=1000&version=7"), Ok(Request { name: "db", version: Some("7"), ttl: second }));
        for wrong in ["db?ttl=x", "db?ttl=0", "db?tll=1", "db?version"] {
            assert!(Request::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_of_a_secret_are_values() {
        let json = provider(&[]).expect("valid");
        let secret = r#"{"user":"ann","port":5432,"none":null}"#;
        let values = |provider: &Confluent, secret, keys: &[&str]| {
            let values = provider.values("db", secret, &keys.iter().copied().collect());
            values.map(|values| values.into_values().collect::<Vec<_>>())
        };
        assert_eq!(values(&json, secret, &["user", "port"]), Ok(vec!["5432".to_owned(), "ann".to_owned()]));
        let missing = "the secret db of the vault example.vault.azure.net has no field none".to_owned();
        assert_eq!(values(&json, secret, &["user", "none"]), Err(missing));
        let error = values(&json, "pssst", &["user"]).expect_err("no JSON");
        assert!(error.contains("is no JSON object") && !error.contains("pssst"), "{error}");
        let plain = provider(&[("use.json", "false")]).expect("valid");
        assert_eq!(values(&plain, "pssst", &["db"]), Ok(vec!["pssst".to_owned()]));
    }
}
