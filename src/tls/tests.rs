use std::fs;

use landfall_api::{Faults, Properties};
use proptest::prelude::*;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::{Stores, jks, pkcs12};

/// Stores that keytool of JDK 17 has made (`identity.jks`, `identity.p12` with two keys, `legacy.p12` with
/// `keystore.pkcs12.legacy`, `open.p12` without password, `trust.*`) and OpenSSL 3 (`identity.pem`, `openssl.p12`): an authority, and
/// keys whose certificates it has signed. `store-secret` opens stores, `key-secret` keys in JKS and PEM.
fn store(file: &str) -> String {
    format!("{}/src/tls/stores/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn bytes(file: &str) -> Vec<u8> {
    fs::read(store(file)).expect("a store")
}

fn read(given: &[(&str, &str)]) -> Result<Stores, Faults> {
    let given: Properties = given.iter().map(|(k, v)| (format!("some.{k}"), (*v).to_owned())).collect();
    let mut faults = Faults::default();
    let stores = Stores::read(&given, "some.", &mut faults);
    faults.or(stores)
}

/// The key store of that file and type.
fn identity(file: &str, kind: &str, passwords: &[(&str, &str)]) -> Result<Stores, Faults> {
    let file = store(file);
    read(&[&[("ssl.keystore.type", kind), ("ssl.keystore.location", file.as_str())], passwords].concat())
}

fn trust(file: &str, kind: &str, password: Option<&str>) -> Result<Stores, Faults> {
    let file = store(file);
    let mut given = vec![("ssl.truststore.type", kind), ("ssl.truststore.location", file.as_str())];
    given.extend(password.map(|password| ("ssl.truststore.password", password)));
    read(&given)
}

const STORE: (&str, &str) = ("ssl.keystore.password", "store-secret");
const KEY: (&str, &str) = ("ssl.key.password", "key-secret");

#[test]
fn every_format_gives_the_same_authority() {
    let trusted = |file, kind, password| trust(file, kind, password).expect(file).trusted.expect("certificates");
    let wanted = trusted("trust.pem", "PEM", None);
    let wanted: [CertificateDer<'static>; 1] = wanted.try_into().expect("one certificate");
    for (file, kind, password) in [
        ("trust.jks", "JKS", Some("store-secret")),
        ("trust.jks", "jks", None),
        ("trust.jks", "PKCS12", Some("store-secret")),
        ("trust.p12", "PKCS12", Some("store-secret")),
        ("trust.p12", "JKS", Some("store-secret")),
        ("open.p12", "PKCS12", None),
    ] {
        assert_eq!(trusted(file, kind, password), wanted, "{file} as {kind}");
    }
    // Whoever shows a key's own certificate is trusted too, as in Java.
    let own = identity("legacy.p12", "PKCS12", &[STORE]).expect("a key").identity.expect("a key").chain;
    assert_eq!(trusted("legacy.p12", "PKCS12", Some("store-secret")), own[..1]);
    assert_eq!(trusted("identity.jks", "JKS", Some("store-secret")).len(), 1);
}

#[test]
fn every_format_gives_a_key_with_its_chain() {
    let authority = trust("trust.pem", "PEM", None).expect("an authority").trusted.expect("a certificate");
    for (file, kind, passwords) in [
        ("identity.jks", "JKS", &[STORE, KEY][..]),
        ("identity.p12", "PKCS12", &[STORE]),
        ("identity.p12", "JKS", &[STORE, ("ssl.key.password", "store-secret")]),
        ("legacy.p12", "PKCS12", &[STORE]),
        ("openssl.p12", "PKCS12", &[STORE]),
        ("identity.pem", "PEM", &[KEY]),
    ] {
        let stores = identity(file, kind, passwords).expect(file);
        let found = stores.identity.expect(file);
        assert_eq!((found.chain.len(), &found.chain[1..]), (2, &authority[..]), "{file}");
        // What is written as PEM is read as the same, with a key that is not encrypted.
        let (chain, key) = (found.chain_pem(), found.key_pem());
        let inline = [("ssl.keystore.certificate.chain", chain.as_str()), ("ssl.keystore.key", key.reveal())];
        let again = read(&[&[("ssl.keystore.type", "PEM")], inline.as_slice()].concat()).expect("PEM").identity.expect("a key");
        assert_eq!((&again.chain, &again.key), (&found.chain, &found.key), "{file}");
        // The key is that of the certificate.
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authority.iter().cloned());
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        config.with_root_certificates(roots).with_client_auth_cert(found.chain, found.key).expect(file);
        assert!(!format!("{stores:?}", stores = identity(file, kind, passwords)).contains("PRIVATE"));
    }
}

#[test]
fn of_several_keys_the_first_by_name_is_taken_and_that_is_said() {
    let stores = identity("identity.p12", "PKCS12", &[STORE]).expect("keys");
    assert!(
        matches!(&stores.warnings[..], [w] if w.starts_with("some.ssl.keystore.location") && w.ends_with("another is taken, the first by name, and not client")),
        "{:?}",
        stores.warnings
    );
    assert!(identity("legacy.p12", "PKCS12", &[STORE]).expect("a key").warnings.is_empty());
}

#[test]
fn what_cannot_be_opened_is_said_by_key_and_without_passwords() {
    let wrong = ("ssl.keystore.password", "not-the-secret");
    let pem = fs::read_to_string(store("trust.pem")).expect("PEM");
    let trusted_pem = ("ssl.truststore.certificates", pem.as_str());
    let no_location = ("ssl.keystore.location", "/nowhere/at.all");
    for (given, key, why) in [
        (identity("identity.jks", "JKS", &[wrong]), "ssl.keystore.password", "it does not open "),
        (identity("identity.p12", "PKCS12", &[wrong]), "ssl.keystore.password", "it does not open "),
        (identity("legacy.p12", "PKCS12", &[wrong]), "ssl.keystore.password", "it does not open "),
        (identity("identity.jks", "JKS", &[STORE]), "ssl.key.password", "it does not open the key client of "),
        (
            identity("identity.pem", "PEM", &[("ssl.key.password", "not-the-secret")]),
            "ssl.key.password",
            "it does not open the private key",
        ),
        (identity("identity.pem", "PEM", &[]), "ssl.key.password", "it is missing, the private key is encrypted"),
        (
            identity("identity.pem", "PEM", &[STORE]),
            "ssl.keystore.password",
            "SSL key store password cannot be specified with PEM",
        ),
        (identity("identity.pem", "JKS", &[STORE]), "ssl.keystore.location", "it looks like PEM, which the type has to say"),
        (identity("trust.p12", "PKCS12", &[STORE]), "ssl.keystore.location", "has no private key with a certificate chain"),
        (identity("identity.p12", "PKCS12", &[]), "ssl.keystore.password", "key store password is not specified."),
        (
            identity("identity.p12", "BCFKS", &[STORE]),
            "ssl.keystore.type",
            "a store of type BCFKS is not supported, use PEM, PKCS12 or JKS",
        ),
        (trust("trust.p12", "PKCS12", None), "ssl.truststore.password", "it is missing, "),
        (trust("trust.p12", "PKCS12", Some("not-the-secret")), "ssl.truststore.password", "it does not open "),
        (trust("trust.jks", "JKS", Some("not-the-secret")), "ssl.truststore.password", "it does not open "),
        (trust("openssl.p12", "PEM", None), "ssl.truststore.location", "what is given is no PEM"),
        (trust("identity.pem", "PEM", Some("x")), "ssl.truststore.password", "cannot be specified for PEM format."),
        (read(&[no_location, STORE]), "ssl.keystore.location", "/nowhere/at.all cannot be read: "),
        (read(&[trusted_pem]), "ssl.truststore.certificates", "only for PEM, but trust store type is JKS."),
        (
            read(&[trusted_pem, ("ssl.truststore.type", "PEM"), ("ssl.truststore.location", "/x")]),
            "ssl.truststore.certificates",
            "Both SSL trust",
        ),
        (
            read(&[("ssl.keystore.type", "PEM"), ("ssl.keystore.key", pem.as_str())]),
            "ssl.keystore.key",
            "certificate chain is not specified.",
        ),
        (
            read(&[("ssl.keystore.type", "PEM"), ("ssl.keystore.certificate.chain", pem.as_str())]),
            "ssl.keystore.certificate.chain",
            "private key is not specified",
        ),
        (read(&[STORE]), "ssl.keystore.password", "SSL key store is not specified"),
        (read(&[("ssl.truststore.password", "x")]), "ssl.truststore.password", "SSL trust store is not specified"),
    ] {
        let faults = given.expect_err(why);
        assert_eq!((faults.0.len(), faults.0[0].key.as_str()), (1, format!("some.{key}").as_str()), "{faults}");
        let said = &faults.0[0].message;
        assert!(said.starts_with(&format!("some.{key}: ")) && said.contains(why), "{said}");
        assert!(!said.contains("-secret"), "{said}");
    }
}

#[test]
fn without_stores_there_are_none() {
    let stores = read(&[("ssl.truststore.type", "JKS"), ("ssl.keystore.location", "")]).expect("nothing");
    assert!(stores.trusted.is_none() && stores.identity.is_none() && stores.warnings.is_empty());
}

proptest! {
    /// No byte that is another one, or missing, makes more than an error of it.
    #[test]
    fn a_damaged_store_is_an_error(at in 0_usize..2700, byte: u8, length in 0_usize..2700) {
        for file in ["identity.jks", "trust.jks", "openssl.p12", "open.p12"] {
            let mut store = bytes(file);
            let at = at % store.len();
            store[at] = byte;
            store.truncate(length.max(at));
            let _ = jks::identities(&store, None, Some("key-secret"));
            let _ = jks::certificates(&store, None);
            if file == "open.p12" {
                let _ = pkcs12::identities(&store, None);
                let _ = pkcs12::certificates(&store, None);
            }
        }
    }
}
