//! Says in librdkafka's words what Java's keys say of security.
//!
//! Stores are given as PEM in the settings, whatever their format is, so that no key is written to a file.

use landfall_api::Faults;

use super::sasl::{Credentials, Sasl};
use super::tls::Tls;
use super::{Client, Security};
use crate::kafka::client::{ConsumerSettings, Given};

/// Sets what `given` says of security.
pub(in crate::kafka) fn apply(given: &Given, to: &mut ConsumerSettings) {
    let bootstrap = to.librdkafka.get("bootstrap.servers").cloned().unwrap_or_default();
    let mut faults = Faults::default();
    let security = Security::read(&given.java(), &bootstrap, Client::Librdkafka, &mut faults);
    for mut fault in faults.0 {
        // as the user wrote it
        if let Some((written, _)) = given.get(&fault.key) {
            fault.message = fault.message.replacen(&fault.key, written, 1);
            fault.key = written.to_owned();
        }
        to.faults.0.push(fault);
    }
    let Some(security) = security else { return };
    to.set("security.protocol", security.protocol());
    let mut warnings = security.warnings;
    if let Some(tls) = &security.tls {
        warnings.extend(self::tls(tls, to));
    }
    if let Some(sasl) = &security.sasl {
        self::sasl(sasl, to);
    }
    for warning in warnings {
        let key = warning.split([':', ' ']).next().unwrap_or_default();
        let written = given.get(key).map_or(key, |(written, _)| written);
        to.warnings.push(warning.replacen(key, written, 1));
    }
}

fn tls(tls: &Tls, to: &mut ConsumerSettings) -> Vec<String> {
    to.set("ssl.endpoint.identification.algorithm", if tls.check_name { "https" } else { "none" });
    if let Some(trusted) = &tls.stores.trusted {
        to.set("ssl.ca.pem", &crate::tls::certificates_pem(trusted));
    }
    if let Some(identity) = &tls.stores.identity {
        to.set("ssl.certificate.pem", &identity.chain_pem());
        to.set("ssl.key.pem", identity.key_pem().reveal());
    }
    let (suites, warnings) = tls.openssl_suites();
    if let Some(suites) = suites {
        to.set("ssl.cipher.suites", &suites);
    }
    warnings
}

fn sasl(sasl: &Sasl, to: &mut ConsumerSettings) {
    to.set("sasl.mechanism", sasl.mechanism);
    match &sasl.credentials {
        Credentials::Password { username, password } => {
            to.set("sasl.username", username);
            to.set("sasl.password", password.reveal());
        }
        Credentials::Tokens(tokens) => to.tokens = Some(tokens.clone()),
        Credentials::Kerberos(kerberos) => {
            to.set("sasl.kerberos.keytab", &kerberos.keytab);
            to.set("sasl.kerberos.principal", &kerberos.principal);
            to.set("sasl.kerberos.service.name", &kerberos.service);
            if let Some(relogin) = kerberos.relogin {
                to.set("sasl.kerberos.min.time.before.relogin", &relogin.to_string());
            }
        }
    }
}
