use landfall_api::{Faults, Properties};

use super::sasl::Credentials;
use super::{Client, Security};

const PLAIN: &str = r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="al" password="hun\"ter22;";"#;
const KERBEROS: &str =
    "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=\"/k\" principal=\"me@REALM\";";

fn read(client: Client, given: &[(&str, &str)]) -> Result<Security, Faults> {
    let given: Properties = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut faults = Faults::default();
    let security = Security::read(&given, "ns.servicebus.windows.net:9093", client, &mut faults);
    faults.or(security)
}

fn store(file: &str) -> String {
    format!("{}/src/tls/stores/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn keys_of_protocols_that_are_not_chosen_are_ignored() {
    let nonsense = [
        ("sasl.mechanism", "NONE"),
        ("ssl.truststore.location", "/nowhere"),
        ("ssl.provider", "Mine"),
        ("ssl.frobnicate", "1"),
        ("sasl.kerberos.kinit.cmd", "/mine"),
    ];
    let security = read(Client::Member, &nonsense).expect("nothing of it counts");
    assert!(security.tls.is_none() && security.sasl.is_none() && security.warnings.is_empty());
    let plain = [("security.protocol", "Sasl_PlainText"), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", PLAIN)];
    let security = read(Client::Librdkafka, &[&nonsense[1..], &plain].concat()).expect("TLS does not count");
    let Some(Credentials::Password { username, password }) = security.sasl.map(|sasl| sasl.credentials) else {
        panic!("a login")
    };
    assert_eq!((username.as_str(), password.reveal()), ("al", "hun\"ter22;"));
}

#[test]
fn a_key_without_counterpart_is_warned_about_or_refused_by_name() {
    let tls = ("security.protocol", "SSL");
    let defaults = [
        tls,
        ("ssl.engine.factory.class", ""),
        ("ssl.keymanager.algorithm", "SunX509"),
        ("ssl.trustmanager.algorithm", "PKIX"),
        ("ssl.provider", ""),
        ("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
        ("ssl.protocol", "TLSv1.3"),
        ("ssl.cipher.suites", ""),
        ("ssl.truststore.type", "JKS"),
    ];
    for client in [Client::Librdkafka, Client::Member] {
        assert!(read(client, &defaults).expect("Java's defaults").warnings.is_empty());
        for (key, value) in [
            ("ssl.provider", "BC"),
            ("ssl.engine.factory.class", "a.B"),
            ("ssl.frobnicate", "1"),
            ("ssl.ca.location", "/ca.pem"),
            ("ssl.enabled.protocols", "TLSv1.1"),
            ("ssl.protocol", "SSLv3"),
            ("ssl.cipher.suites", "TLS_RSA_WITH_RC4_128_MD5"),
            ("ssl.endpoint.identification.algorithm", "LDAPS"),
        ] {
            let faults = read(client, &[tls, (key, value)]).expect_err(key);
            assert!(faults.0.iter().all(|fault| fault.key == key && fault.message.contains(key)), "{faults}");
        }
        for (key, value) in [("ssl.secure.random.implementation", "SHA1PRNG"), ("security.providers", "a.B")] {
            let warnings = read(client, &[tls, (key, value)]).expect(key).warnings;
            assert!(matches!(&warnings[..], [w] if w.starts_with(&format!("{key} is not used: "))), "{warnings:?}");
        }
    }
    let faults = read(Client::Member, &[tls, ("ssl.trustore.location", "/x")]).expect_err("a slip");
    assert!(faults.to_string().ends_with("Did you mean ssl.truststore.location?"), "{faults}");
    let sasl = [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", PLAIN)];
    for key in ["sasl.client.callback.handler.class", "sasl.login.class", "sasl.login.callback.handler.class", "sasl.username"] {
        let faults = read(Client::Librdkafka, &[&sasl[..], &[(key, "com.example.Mine")]].concat()).expect_err(key);
        assert_eq!((faults.0.len(), faults.0[0].key.as_str()), (1, key), "{faults}");
    }
}

#[test]
fn versions_and_suites_of_tls_are_those_that_are_wanted() {
    let of = |more: &[(&str, &str)]| {
        let tls = read(Client::Librdkafka, &[&[("security.protocol", "SSL")], more].concat()).expect("TLS").tls.expect("TLS");
        let (suites, warnings) = tls.openssl_suites();
        (tls.tls_1_2, tls.tls_1_3, suites, warnings.len())
    };
    let psk = || Some("PSK-AES256-GCM-SHA384".to_owned());
    assert_eq!(of(&[]), (true, true, None, 0));
    assert_eq!(of(&[("ssl.enabled.protocols", "TLSv1.3")]), (false, true, psk(), 0));
    assert_eq!(of(&[("ssl.enabled.protocols", " TLSv1.2 , TLSv1.1")]), (true, false, None, 1));
    assert_eq!(of(&[("ssl.protocol", "TLSv1.2")]), (true, false, None, 1));
    let both = "TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    assert_eq!(of(&[("ssl.cipher.suites", both)]), (true, true, Some("ECDHE-RSA-AES256-GCM-SHA384".to_owned()), 0));
    assert_eq!(of(&[("ssl.cipher.suites", "TLS_AES_256_GCM_SHA384")]), (true, true, psk(), 0));
    let old = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    assert_eq!(of(&[("ssl.cipher.suites", old)]).3, 1);
    let none = [("security.protocol", "SSL"), ("ssl.cipher.suites", old), ("ssl.enabled.protocols", "TLSv1.3")];
    assert!(read(Client::Member, &none).expect_err("no suite").to_string().contains("no suite in it is one of a version"));
}

#[test]
fn a_login_that_cannot_be_is_said_by_its_key_and_without_secrets() {
    let scram = PLAIN.replace("plain.Plain", "scram.Scram");
    let bearer = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
    for (mechanism, jaas, key, why) in [
        ("PLAIN", "", "sasl.jaas.config", "is missing, sasl.mechanism=PLAIN needs it"),
        (
            "PLAIN",
            scram.as_str(),
            "sasl.jaas.config",
            "goes with PlainLoginModule, not with org.apache.kafka.common.security.scram.ScramLoginModule",
        ),
        (
            "PLAIN",
            "PlainLoginModule required username=hunter;",
            "sasl.jaas.config",
            "expected PlainLoginModule required username=",
        ),
        ("PLAIN", &PLAIN[..PLAIN.len() - 1], "sasl.jaas.config", "JAAS config entry not terminated by semi-colon"),
        (
            "SCRAM-SHA-256",
            "ScramLoginModule required username=a password=hunter tokenauth=true;",
            "sasl.jaas.config",
            "delegation tokens",
        ),
        ("OAUTHBEARER", bearer, "sasl.jaas.config", "unsecuredLoginStringClaim_sub"),
        ("DIGEST-MD5", PLAIN, "sasl.mechanism", "the mechanisms here are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"),
    ] {
        for client in [Client::Librdkafka, Client::Member] {
            let given = [("security.protocol", "SASL_SSL"), ("sasl.mechanism", mechanism), ("sasl.jaas.config", jaas)];
            let faults = read(client, &given).expect_err(why);
            assert_eq!((faults.0.len(), faults.0[0].key.as_str()), (1, key), "{faults}");
            assert!(faults.to_string().contains(why) && !faults.to_string().contains("hun"), "{faults}");
        }
    }
}

#[test]
fn kerberos_is_for_librdkafka_in_a_build_with_it() {
    let given = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.jaas.config", KERBEROS),
        ("sasl.kerberos.service.name", "kafka"),
        ("sasl.kerberos.min.time.before.relogin", "5000"),
    ];
    let member = read(Client::Member, &given).expect_err("not a member");
    assert!(member.to_string().contains("a member of a group cannot log in by GSSAPI"), "{member}");
    let librdkafka = read(Client::Librdkafka, &given);
    if cfg!(feature = "gssapi") {
        let Some(Credentials::Kerberos(kerberos)) = librdkafka.expect("Kerberos").sasl.map(|sasl| sasl.credentials) else {
            panic!("Kerberos")
        };
        assert_eq!((kerberos.keytab.as_str(), kerberos.principal.as_str()), ("/k", "me@REALM"));
        assert_eq!((kerberos.service.as_str(), kerberos.relogin), ("kafka", Some(5000)));
    } else {
        let faults = librdkafka.expect_err("not in this build");
        assert_eq!(faults.0.len(), 1);
        assert!(faults.to_string().contains("this build has no GSSAPI (Kerberos): build it with the feature gssapi"), "{faults}");
    }
}

#[test]
fn tokens_of_entra_need_no_login_module() {
    let entra = [
        ("landfall.azure.credential", "client-secret"),
        ("landfall.azure.tenant.id", "11111111-2222-3333-4444-555555555555"),
        ("landfall.azure.client.id", "app"),
        ("landfall.azure.client.secret", "hunter22"),
    ];
    let bearer = [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER")];
    let jaas = ("sasl.jaas.config", "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;");
    let handler = |class| ("sasl.login.callback.handler.class", class);
    for more in [
        &[][..],
        &[jaas],
        &[handler("io.landfall.azure.EntraLoginCallbackHandler")],
        &[jaas, handler("CustomAuthenticateCallbackHandler")],
    ] {
        for client in [Client::Librdkafka, Client::Member] {
            let security = read(client, &[&bearer[..], &entra, more].concat()).expect("tokens");
            assert!(security.sasl.as_ref().is_some_and(|sasl| matches!(sasl.credentials, Credentials::Tokens(_))));
            assert!(!format!("{security:?}").contains("hunter"));
        }
    }
    let options = "OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=me;";
    let faults = read(Client::Member, &[&bearer[..], &[handler("a.B"), ("sasl.jaas.config", options)]].concat());
    assert_eq!(faults.expect_err("a Java class").0[0].key, "sasl.login.callback.handler.class");
    assert!(read(Client::Member, &[&bearer[..], &[("sasl.jaas.config", options)], &entra].concat()).is_ok());
}

#[test]
fn stores_are_given_to_librdkafka_as_pem() {
    let (identity, trust) = (store("identity.jks"), store("trust.p12"));
    let worker = Properties::from([("consumer.security.protocol".to_owned(), "SSL".to_owned())]);
    let mut connector: Properties = [
        ("ssl.keystore.location", identity.as_str()),
        ("ssl.keystore.password", "store-secret"),
        ("ssl.key.password", "key-secret"),
        ("ssl.truststore.location", trust.as_str()),
        ("ssl.truststore.password", "store-secret"),
    ]
    .iter()
    .map(|(key, value)| (format!("consumer.override.{key}"), (*value).to_owned()))
    .collect();
    let settings = crate::kafka::consumer_properties(&worker, &connector, "lake", 0, 0);
    assert!(settings.faults.is_empty() && settings.warnings.is_empty(), "{settings:?}");
    let of = |name: &str| settings.librdkafka[name].as_str();
    assert_eq!(of("ssl.certificate.pem").matches("-----BEGIN CERTIFICATE-----").count(), 2);
    assert_eq!(of("ssl.ca.pem").matches("-----BEGIN CERTIFICATE-----").count(), 1);
    assert!(of("ssl.key.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(!format!("{settings:?}").contains("BEGIN"));
    // As the user wrote it, and without the password.
    connector.insert("consumer.override.ssl.keystore.password".into(), "not-the-secret".into());
    let faults = crate::kafka::consumer_properties(&worker, &connector, "lake", 0, 0).faults;
    assert_eq!((faults.0.len(), faults.0[0].key.as_str()), (1, "consumer.override.ssl.keystore.password"));
    let said = &faults.0[0].message;
    assert!(
        said.starts_with("consumer.override.ssl.keystore.password: it does not open ") && !said.contains("not-the"),
        "{said}"
    );
}
