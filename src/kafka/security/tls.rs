//! How connections are encrypted, by Java's `SslConfigs` (4.3.1), for either client.

use landfall_api::{Faults, Properties};

use super::text;
use crate::tls::Stores;

/// A cipher suite by its name in Java, which is IANA's, and in OpenSSL.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kafka) struct Suite {
    pub(in crate::kafka) name: &'static str,
    /// None for one of TLS 1.3.
    openssl: Option<&'static str>,
}

/// The suites that both clients have.
const SUITES: &[Suite] = &[
    Suite { name: "TLS_AES_128_GCM_SHA256", openssl: None },
    Suite { name: "TLS_AES_256_GCM_SHA384", openssl: None },
    Suite { name: "TLS_CHACHA20_POLY1305_SHA256", openssl: None },
    Suite { name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", openssl: Some("ECDHE-ECDSA-AES128-GCM-SHA256") },
    Suite { name: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", openssl: Some("ECDHE-ECDSA-AES256-GCM-SHA384") },
    Suite { name: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", openssl: Some("ECDHE-ECDSA-CHACHA20-POLY1305") },
    Suite { name: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", openssl: Some("ECDHE-RSA-AES128-GCM-SHA256") },
    Suite { name: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", openssl: Some("ECDHE-RSA-AES256-GCM-SHA384") },
    Suite { name: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", openssl: Some("ECDHE-RSA-CHACHA20-POLY1305") },
];
/// A suite of TLS 1.2 that nobody can agree on with a client that has no key shared before. librdkafka has no setting for versions: with
/// this suite alone, only TLS 1.3 is left.
const NO_TLS_1_2: &str = "PSK-AES256-GCM-SHA384";

/// How connections are encrypted.
#[derive(Clone, Debug)]
pub(in crate::kafka) struct Tls {
    pub(in crate::kafka) stores: Stores,
    /// Whether the broker's certificate has to have its name.
    pub(in crate::kafka) check_name: bool,
    pub(in crate::kafka) tls_1_2: bool,
    pub(in crate::kafka) tls_1_3: bool,
    /// None for all.
    pub(in crate::kafka) suites: Option<Vec<&'static Suite>>,
}

impl Tls {
    pub(super) fn read(given: &Properties, warnings: &mut Vec<String>, faults: &mut Faults) -> Option<Self> {
        let before = faults.0.len();
        let stores = Stores::read(given, "", faults);
        let check_name = check_name(given, faults);
        let (tls_1_2, tls_1_3) = versions(given, faults);
        let suites = suites(given, warnings, faults);
        if let (Some(suites), true) = (&suites, faults.0.len() == before)
            && !suites.iter().any(|suite| if suite.openssl.is_some() { tls_1_2 } else { tls_1_3 })
        {
            let key = "ssl.cipher.suites";
            faults.push(key, format!("{key}: no suite in it is one of a version in ssl.enabled.protocols"));
        }
        warnings.extend(stores.iter().flat_map(|stores| stores.warnings.clone()));
        (faults.0.len() == before).then_some(Self { stores: stores?, check_name, tls_1_2, tls_1_3, suites })
    }

    /// What librdkafka takes for `ssl.cipher.suites`, if anything; and what the user should know.
    pub(super) fn openssl_suites(&self) -> (Option<String>, Vec<String>) {
        let mut warnings = Vec::new();
        let only_1_2 = !self.tls_1_3;
        if only_1_2 {
            warnings.push("ssl.enabled.protocols: librdkafka agrees on TLSv1.3 where the broker has it".to_owned());
        }
        if !self.tls_1_2 {
            return (Some(NO_TLS_1_2.to_owned()), warnings);
        }
        let Some(suites) = &self.suites else { return (None, warnings) };
        let names: Vec<_> = suites.iter().filter_map(|suite| suite.openssl).collect();
        if names.len() == suites.len() && !only_1_2 {
            warnings.push("ssl.cipher.suites: librdkafka agrees on a suite of TLSv1.3 where the broker has it".to_owned());
        }
        (Some(if names.is_empty() { NO_TLS_1_2.to_owned() } else { names.join(":") }), warnings)
    }
}

fn check_name(given: &Properties, faults: &mut Faults) -> bool {
    const KEY: &str = "ssl.endpoint.identification.algorithm";
    match given.get(KEY).map_or("https", |value| value.trim()) {
        "" => false,
        https if https.eq_ignore_ascii_case("https") => true,
        other => {
            faults.push(KEY, format!("Invalid value {other} for configuration {KEY}: it is https or empty"));
            true
        }
    }
}

/// Whether TLS 1.2 and 1.3 may be agreed upon.
fn versions(given: &Properties, faults: &mut Faults) -> (bool, bool) {
    const ENABLED: &str = "ssl.enabled.protocols";
    const MOST: &str = "ssl.protocol";
    let most = text(given, MOST).unwrap_or("TLSv1.3");
    if !["TLS", "TLSv1.2", "TLSv1.3"].contains(&most) {
        faults.push(MOST, format!("Invalid value {most} for configuration {MOST}: it is TLSv1.3, TLSv1.2 or TLS"));
        return (true, true);
    }
    let raw = text(given, ENABLED).unwrap_or("TLSv1.2,TLSv1.3");
    let has = |name| raw.split(',').any(|enabled| enabled.trim() == name);
    let (tls_1_2, tls_1_3) = (has("TLSv1.2"), has("TLSv1.3") && most != "TLSv1.2");
    if !tls_1_2 && !tls_1_3 {
        let why = match most {
            "TLSv1.2" => "TLSv1.2 is not in it, and ssl.protocol allows no other",
            _ => "neither TLSv1.2 nor TLSv1.3 is in it",
        };
        faults.push(ENABLED, format!("Invalid value {raw} for configuration {ENABLED}: {why}"));
    }
    (tls_1_2, tls_1_3)
}

fn suites(given: &Properties, warnings: &mut Vec<String>, faults: &mut Faults) -> Option<Vec<&'static Suite>> {
    const KEY: &str = "ssl.cipher.suites";
    let raw = text(given, KEY)?;
    let mut suites = Vec::new();
    for name in raw.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match SUITES.iter().find(|suite| suite.name == name) {
            Some(suite) => suites.push(suite),
            // A signal, no suite.
            None if name == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV" => {}
            None => warnings.push(format!("{KEY}: there is no {name} here")),
        }
    }
    if suites.is_empty() {
        let known = SUITES.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ");
        faults.push(KEY, format!("Invalid value {raw} for configuration {KEY}: there are {known}"));
    }
    Some(suites)
}
