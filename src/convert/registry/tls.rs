//! TLS to a registry: what it is read from are Java's stores.

use landfall_api::config::Password;
use landfall_api::{Faults, Properties};
use ureq::tls::TlsConfig;

/// A store: what it holds, or a file, its type, and its password.
type Store<'a> = (Option<&'a Password>, Option<&'a str>, &'a str, Option<&'a Password>);

/// What is trusted, and what the client shows.
#[derive(Debug)]
pub(in crate::convert) struct Stores<'a> {
    /// What the keys begin with.
    pub(in crate::convert) prefix: &'a str,
    pub(in crate::convert) truststore: Store<'a>,
    pub(in crate::convert) keystore: Store<'a>,
    /// The certificates of the client's key, where they are given apart.
    pub(in crate::convert) keystore_chain: Option<&'a Password>,
    /// The password of the client's key, where it has its own.
    pub(in crate::convert) key_password: Option<&'a Password>,
}

/// The configuration of TLS; a fault is added for each key that cannot be honoured.
pub(super) fn config(stores: &Stores<'_>, faults: &mut Faults) -> TlsConfig {
    let mut wrong = Faults::default();
    let read = crate::tls::Stores::read(&stores.given(), "", &mut wrong);
    if stores.key_password.is_some() && read.as_ref().is_some_and(|read| read.identity.is_none()) {
        wrong.push("ssl.key.password", "ssl.key.password: there is no key that it could open");
    }
    for mut fault in wrong.0 {
        let key = fault.key.replacen("ssl", stores.prefix, 1);
        fault.message = fault.message.replacen(&fault.key, &key, 1);
        faults.push(key, fault.message);
    }
    let read = read.unwrap_or_default();
    read.warnings.iter().for_each(|warning| tracing::info!("{warning}"));
    read.http()
}

impl Stores<'_> {
    /// Java's keys, without prefix.
    fn given(&self) -> Properties {
        let mut given = Properties::new();
        for (name, inline, (value, location, kind, password)) in
            [("truststore", "certificates", self.truststore), ("keystore", "key", self.keystore)]
        {
            // What stands in a value is PEM, whatever the type of the file that there is none of.
            let kind = if value.is_some() && location.is_none() { "PEM" } else { kind };
            given.insert(format!("ssl.{name}.type"), kind.to_owned());
            given.extend(value.map(|pem| (format!("ssl.{name}.{inline}"), pem.reveal().to_owned())));
            given.extend(location.map(|location| (format!("ssl.{name}.location"), location.to_owned())));
            given.extend(password.map(|password| (format!("ssl.{name}.password"), password.reveal().to_owned())));
        }
        let more = [("ssl.keystore.certificate.chain", self.keystore_chain), ("ssl.key.password", self.key_password)];
        given.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.reveal().to_owned()))));
        given
    }
}
