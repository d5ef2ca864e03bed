//! Turns Java's TLS and SASL configuration into librdkafka's, as far as the two mean the same.
//!
//! Keys of a protocol that is not chosen are ignored, as in Java. What is configured and cannot be done is a fault that names
//! the key, so that nobody connects less safely than he asked for. No message holds a value of `sasl.jaas.config` or a password.

use std::collections::BTreeMap;

use super::client::{ConsumerSettings, Given};

/// Whether `key` is one of `SecurityConfig`, `SslConfigs`, `SaslConfigs` or `security.protocol` (4.3.1).
pub(super) fn is_known(key: &str) -> bool {
    key == "security.protocol" || key == "security.providers" || key.starts_with("ssl.") || key.starts_with("sasl.")
}

/// Sets what `given` says of security.
pub(super) fn apply(given: &Given, to: &mut ConsumerSettings) {
    let protocol = given.get("security.protocol").map_or("plaintext".into(), |(_, p)| p.to_ascii_lowercase());
    match (protocol.as_str(), given.get("security.protocol")) {
        ("plaintext" | "ssl" | "sasl_plaintext" | "sasl_ssl", _) => to.set("security.protocol", &protocol),
        (_, Some((written, value))) => {
            return to.refuse(
                written,
                value,
                "String must be one of (case insensitive): PLAINTEXT, SASL_PLAINTEXT, SASL_SSL, SSL",
            );
        }
        _ => {}
    }
    if protocol.ends_with("ssl") {
        truststore(given, to);
        keystore(given, to);
        match given.get("ssl.endpoint.identification.algorithm") {
            Some((_, "")) => to.set("ssl.endpoint.identification.algorithm", "none"),
            Some((written, value)) if !value.eq_ignore_ascii_case("https") => to.refuse(written, value, "it is https or empty"),
            _ => to.set("ssl.endpoint.identification.algorithm", "https"),
        }
        refuse_others(given, "ssl.", TLS, to);
    }
    if protocol.starts_with("sasl") {
        sasl(given, to);
        refuse_others(given, "sasl.", &["sasl.mechanism", "sasl.jaas.config"], to);
    }
}

/// The keys that mean something here.
const TLS: &[&str] = &[
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.certificates",
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    // the version is negotiated, the highest that both sides have
    "ssl.protocol",
    "ssl.enabled.protocols",
];

/// What becomes of a key of Java's, in words.
pub(super) fn becomes(java: &str) -> String {
    let text = match java {
        "security.protocol" => "`security.protocol`",
        "ssl.truststore.location" => "`ssl.ca.location`, if the type is PEM",
        "ssl.truststore.certificates" => "`ssl.ca.pem`",
        "ssl.truststore.type" => "PEM",
        "ssl.keystore.location" => {
            "`ssl.key.location` and `ssl.certificate.location` if the type is PEM, `ssl.keystore.location` if it is PKCS12"
        }
        "ssl.keystore.password" => "`ssl.keystore.password`, if the type is PKCS12",
        "ssl.keystore.type" => "PEM or PKCS12",
        "ssl.keystore.key" => "`ssl.key.pem`",
        "ssl.keystore.certificate.chain" => "`ssl.certificate.pem`",
        "ssl.key.password" => "`ssl.key.password`",
        "ssl.endpoint.identification.algorithm" => "`ssl.endpoint.identification.algorithm`: https, or empty for none",
        "ssl.protocol" | "ssl.enabled.protocols" => "no effect: the highest version that both sides have is negotiated",
        "sasl.mechanism" => "`sasl.mechanism`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        "sasl.jaas.config" => "`sasl.username` and `sasl.password`",
        "security.providers" => "no effect: Java classes cannot run here",
        _ if java.starts_with("ssl.") => "refused, if the protocol has TLS",
        _ => "refused, if the protocol has SASL",
    };
    text.to_owned()
}

fn refuse_others(given: &Given, prefix: &str, known: &[&str], to: &mut ConsumerSettings) {
    for (_, written) in given.keys().filter(|(java, _)| java.starts_with(prefix) && !known.contains(java)) {
        to.faults.push(written, format!("{written} is not supported"));
    }
}

/// The type of a store that is given, in upper case; JKS if none is, as in Java.
fn kind(given: &Given, key: &str) -> String {
    given.get(key).map_or("JKS".into(), |(_, kind)| kind.to_ascii_uppercase())
}

fn truststore(given: &Given, to: &mut ConsumerSettings) {
    if let Some((_, pem)) = given.get("ssl.truststore.certificates") {
        to.set("ssl.ca.pem", pem);
    }
    let Some((written, location)) = given.get("ssl.truststore.location") else { return };
    match kind(given, "ssl.truststore.type").as_str() {
        "PEM" => to.set("ssl.ca.location", location),
        kind => to
            .faults
            .push(written, format!("{written}: a truststore of type {kind} is not supported, use ssl.truststore.type=PEM")),
    }
}

fn keystore(given: &Given, to: &mut ConsumerSettings) {
    let same = [
        ("ssl.keystore.key", "ssl.key.pem"),
        ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
        ("ssl.key.password", "ssl.key.password"),
    ];
    for (java, name) in same {
        if let Some((_, value)) = given.get(java) {
            to.set(name, value);
        }
    }
    let Some((written, location)) = given.get("ssl.keystore.location") else { return };
    match kind(given, "ssl.keystore.type").as_str() {
        // one file with the key and the chain
        "PEM" => {
            to.set("ssl.key.location", location);
            to.set("ssl.certificate.location", location);
        }
        "PKCS12" => {
            to.set("ssl.keystore.location", location);
            if let Some((_, password)) = given.get("ssl.keystore.password") {
                to.set("ssl.keystore.password", password);
            }
        }
        kind => to.faults.push(written, format!("{written}: a keystore of type {kind} is not supported, use PEM or PKCS12")),
    }
}

fn sasl(given: &Given, to: &mut ConsumerSettings) {
    let (written, mechanism) = given.get("sasl.mechanism").unwrap_or(("sasl.mechanism", "GSSAPI"));
    let module = match mechanism {
        "PLAIN" => "PlainLoginModule",
        "SCRAM-SHA-256" | "SCRAM-SHA-512" => "ScramLoginModule",
        _ => return to.refuse(written, mechanism, "the mechanisms here are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512"),
    };
    to.set("sasl.mechanism", mechanism);
    let Some((written, config)) = given.get("sasl.jaas.config") else {
        return to.faults.push("sasl.jaas.config", format!("sasl.jaas.config is missing, sasl.mechanism={mechanism} needs it"));
    };
    match jaas(config) {
        Some(Login { class, options })
            if class.ends_with(module) && options.contains_key("username") && options.contains_key("password") =>
        {
            to.set("sasl.username", &options["username"]);
            to.set("sasl.password", &options["password"]);
        }
        _ => to.faults.push(written, format!("{written}: expected {module} required username=\"...\" password=\"...\";")),
    }
}

/// A login module with its options, secrets among them.
pub(super) struct Login {
    pub(super) class: String,
    pub(super) options: BTreeMap<String, String>,
}

/// Reads `class flag option=value option="value" …;`, the form of `sasl.jaas.config`.
pub(super) fn jaas(config: &str) -> Option<Login> {
    let body = config.trim().strip_suffix(';')?;
    let (class, rest) = body.split_once(char::is_whitespace)?;
    let (_flag, mut rest) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mut login = Login { class: class.to_owned(), options: BTreeMap::new() };
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(login);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start())?;
        login.options.insert(name.trim_end().to_owned(), value);
        rest = after;
    }
}

/// A value, quoted or not, and what is after it. A backslash takes the character after it as it is.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}
