//! Who a client is and how it shows that, by Java's `SaslConfigs` (4.3.1) and the login modules of `sasl.jaas.config`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use landfall_adls::entra::Entra;
use landfall_api::config::Password;
use landfall_api::{Faults, Properties};

use super::jaas::Login;
use super::oauth::{self, Tokens};
use super::{Client, text};

const JAAS: &str = "sasl.jaas.config";
/// The mechanism of OAuth.
pub(in crate::kafka) const BEARER: &str = "OAUTHBEARER";
const GSSAPI: &str = "GSSAPI";
/// The mechanisms, each with the login module that goes with it.
const MODULES: &[(&str, &str)] = &[
    ("PLAIN", "PlainLoginModule"),
    ("SCRAM-SHA-256", "ScramLoginModule"),
    ("SCRAM-SHA-512", "ScramLoginModule"),
    (BEARER, "OAuthBearerLoginModule"),
    (GSSAPI, "Krb5LoginModule"),
];

/// Who the client is, and how it shows that.
#[derive(Clone)]
pub(in crate::kafka) struct Sasl {
    pub(in crate::kafka) mechanism: &'static str,
    pub(in crate::kafka) credentials: Credentials,
}

/// What the client shows.
#[derive(Clone)]
pub(in crate::kafka) enum Credentials {
    Password { username: String, password: Password },
    Tokens(Arc<Tokens>),
    Kerberos(Kerberos),
}

/// What librdkafka is told of Kerberos.
#[derive(Clone, Debug)]
pub(in crate::kafka) struct Kerberos {
    pub(in crate::kafka) keytab: String,
    pub(in crate::kafka) principal: String,
    pub(in crate::kafka) service: String,
    /// Milliseconds.
    pub(in crate::kafka) relogin: Option<i32>,
}

impl fmt::Debug for Sasl {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl Sasl {
    /// Reads the keys that begin with `sasl.`, and for OAUTHBEARER `landfall.azure.`. No fault holds a value of `sasl.jaas.config`.
    pub(super) fn read(given: &Properties, bootstrap: &str, client: Client, faults: &mut Faults) -> Option<Self> {
        let named = text(given, "sasl.mechanism").unwrap_or(GSSAPI);
        let found = MODULES.iter().find(|(name, _)| *name == named && !(client == Client::Member && *name == GSSAPI));
        let Some((mechanism, module)) = found else {
            let known = MODULES.iter().map(|(name, _)| *name).filter(|name| *name != GSSAPI).collect::<Vec<_>>().join(", ");
            let of = if named == GSSAPI { "a member of a group cannot log in by GSSAPI; " } else { "" };
            let why = format!("Invalid value {named} for configuration sasl.mechanism: {of}the mechanisms here are {known}");
            faults.push("sasl.mechanism", why);
            return None;
        };
        if *mechanism == GSSAPI && !cfg!(feature = "gssapi") {
            let why = "this build has no GSSAPI (Kerberos): build it with the feature gssapi, or use another mechanism";
            faults.push("sasl.mechanism", format!("Invalid value {named} for configuration sasl.mechanism: {why}"));
            return None;
        }
        let handler = text(given, oauth::HANDLER);
        if *mechanism == BEARER && oauth::is_entra(given, &BTreeMap::new()) && text(given, JAAS).is_none() {
            // Java's own handlers have a use for the login module, this one has not.
            let tokens = Tokens::read(given, &BTreeMap::new(), bootstrap, faults)?;
            return Some(Self { mechanism, credentials: Credentials::Tokens(tokens) });
        }
        if let (Some(class), true) = (handler, *mechanism != BEARER) {
            let key = oauth::HANDLER;
            faults.push(key, format!("Invalid value {class} for configuration {key}: {mechanism} takes none here"));
            return None;
        }
        let login = login(given, mechanism, module, faults)?;
        let credentials = match *mechanism {
            BEARER => Credentials::Tokens(Tokens::read(given, &login.options, bootstrap, faults)?),
            GSSAPI => Credentials::Kerberos(kerberos(given, &login.options, faults)?),
            _ => password(module, login, faults)?,
        };
        Some(Self { mechanism, credentials })
    }
}

/// The login module, if it is the mechanism's.
fn login(given: &Properties, mechanism: &str, module: &str, faults: &mut Faults) -> Option<Login> {
    let Some(config) = text(given, JAAS) else {
        let hint = if mechanism == BEARER && Entra::is_given(given) { ", or landfall.azure.* alone" } else { "" };
        faults.push(JAAS, format!("{JAAS} is missing, sasl.mechanism={mechanism} needs it{hint}"));
        return None;
    };
    match Login::parse(config) {
        Ok(login) if login.simple() == module => Some(login),
        Ok(login) => {
            let class = &login.class;
            faults.push(JAAS, format!("{JAAS}: sasl.mechanism={mechanism} goes with {module}, not with {class}"));
            None
        }
        Err(why) => {
            faults.push(JAAS, format!("{JAAS}: {why}; expected {module} required option=\"...\" ...;"));
            None
        }
    }
}

fn password(module: &str, mut login: Login, faults: &mut Faults) -> Option<Credentials> {
    if login.options.get("tokenauth").is_some_and(|on| on.eq_ignore_ascii_case("true")) {
        faults.push(JAAS, format!("{JAAS}: delegation tokens (tokenauth) are not supported"));
        return None;
    }
    let (username, password) = (login.options.remove("username"), login.options.remove("password"));
    match (username, password) {
        (Some(username), Some(password)) if !username.is_empty() && !password.is_empty() => {
            Some(Credentials::Password { username, password: password.into() })
        }
        _ => {
            faults.push(JAAS, format!("{JAAS}: expected {module} required username=\"...\" password=\"...\";"));
            None
        }
    }
}

/// What Krb5LoginModule says, as far as librdkafka can do it: with a keytab.
fn kerberos(given: &Properties, options: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Kerberos> {
    const SERVICE: &str = "sasl.kerberos.service.name";
    const RELOGIN: &str = "sasl.kerberos.min.time.before.relogin";
    let option = |name: &str| options.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let is_on = |name| option(name).is_some_and(|on| on.eq_ignore_ascii_case("true"));
    let (keytab, principal) = (option("keyTab"), option("principal"));
    // librdkafka gives both to a shell, in its command that gets tickets.
    let harmless = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "._-/@:+=,".contains(c)) && !text.starts_with('-');
    for (name, value) in [("keyTab", keytab), ("principal", principal)] {
        if value.is_some_and(|value| !harmless(value)) {
            faults.push(JAAS, format!("{JAAS}: {name} may have letters, digits and any of . _ - / @ : + = , only"));
            return None;
        }
    }
    if !is_on("useKeyTab") || keytab.is_none() || principal.is_none() {
        let example = "Krb5LoginModule required useKeyTab=true keyTab=\"...\" principal=\"...\";";
        faults.push(JAAS, format!("{JAAS}: librdkafka logs in with a keytab: expected {example}"));
    }
    // The option wins over the key in Java, which does not allow both to differ.
    let service = match (option("serviceName"), text(given, SERVICE)) {
        (Some(option), Some(key)) if option != key => {
            let why = format!("{SERVICE}: conflicting serviceName values found in JAAS and Kafka configs, {option} and {key}");
            faults.push(SERVICE, why);
            None
        }
        (None, None) => {
            faults.push(SERVICE, "No serviceName defined in either JAAS or Kafka config");
            None
        }
        (option, key) => option.or(key),
    };
    let relogin = text(given, RELOGIN).map(str::parse::<i32>);
    if let Some(Err(_)) = relogin {
        faults.push(
            RELOGIN,
            format!("Invalid value {} for configuration {RELOGIN}: Not a number of type INT", text(given, RELOGIN)?),
        );
        return None;
    }
    Some(Kerberos {
        keytab: keytab?.to_owned(),
        principal: principal?.to_owned(),
        service: service?.to_owned(),
        relogin: relogin.and_then(Result::ok),
    })
}
