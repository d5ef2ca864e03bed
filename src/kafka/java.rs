//! What `ConsumerConfig` (4.3.1) declares: names, types, defaults and importance of Java's consumer keys.
//!
//! [`client`](super::client) says what becomes of each here, and which defaults are others for a connector's consumer.

use landfall_adls::entra;
use landfall_api::Importance::{High, Low, Medium};
use landfall_api::Kind::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
use landfall_api::{Importance, Key, Kind, Properties, Reached, Reaches, Width};

const fn key(name: &'static str, kind: Kind, default: Option<&'static str>, importance: Importance) -> Key {
    Key { name, kind, default, importance, width: Width::None, ..Key::EMPTY }
}

/// Every key of Java's consumer, in order of their names.
#[rustfmt::skip]
pub const CONSUMER: &[Key] = &[
    key("allow.auto.create.topics", Boolean, Some("true"), Medium),
    key("auto.commit.interval.ms", Int, Some("5000"), Low),
    key("auto.offset.reset", String, Some("latest"), Medium),
    key("bootstrap.servers", List, None, High),
    key("check.crcs", Boolean, Some("true"), Low),
    key("client.dns.lookup", String, Some("use_all_dns_ips"), Medium),
    key("client.id", String, Some(""), Low),
    key("client.rack", String, Some(""), Low),
    key("config.providers", List, Some(""), Low),
    key("connections.max.idle.ms", Long, Some("540000"), Medium),
    key("default.api.timeout.ms", Int, Some("60000"), Medium),
    key("enable.auto.commit", Boolean, Some("true"), Medium),
    key("enable.metrics.push", Boolean, Some("true"), Low),
    key("exclude.internal.topics", Boolean, Some("true"), Medium),
    key("fetch.max.bytes", Int, Some("52428800"), Medium),
    key("fetch.max.wait.ms", Int, Some("500"), Low),
    key("fetch.min.bytes", Int, Some("1"), High),
    key("group.id", String, None, High),
    key("group.instance.id", String, None, Medium),
    key("group.protocol", String, Some("classic"), High),
    key("group.remote.assignor", String, None, Medium),
    key("heartbeat.interval.ms", Int, Some("3000"), High),
    key("interceptor.classes", List, Some(""), Low),
    key("isolation.level", String, Some("read_uncommitted"), Medium),
    key("key.deserializer", Class, None, High),
    key("max.partition.fetch.bytes", Int, Some("1048576"), High),
    key("max.poll.interval.ms", Int, Some("300000"), Medium),
    key("max.poll.records", Int, Some("500"), Medium),
    key("metadata.max.age.ms", Long, Some("300000"), Low),
    key("metadata.recovery.rebootstrap.trigger.ms", Long, Some("300000"), Low),
    key("metadata.recovery.strategy", String, Some("rebootstrap"), Low),
    key("metric.reporters", List, Some("org.apache.kafka.common.metrics.JmxReporter"), Low),
    key("metrics.num.samples", Int, Some("2"), Low),
    key("metrics.recording.level", String, Some("INFO"), Low),
    key("metrics.sample.window.ms", Long, Some("30000"), Low),
    key("partition.assignment.strategy", List, Some("org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor"), Medium),
    key("receive.buffer.bytes", Int, Some("65536"), Medium),
    key("reconnect.backoff.max.ms", Long, Some("1000"), Low),
    key("reconnect.backoff.ms", Long, Some("50"), Low),
    key("request.timeout.ms", Int, Some("30000"), Medium),
    key("retry.backoff.max.ms", Long, Some("1000"), Low),
    key("retry.backoff.ms", Long, Some("100"), Low),
    key("sasl.client.callback.handler.class", Class, None, Medium),
    key("sasl.jaas.config", Password, None, Medium),
    key("sasl.kerberos.kinit.cmd", String, Some("/usr/bin/kinit"), Low),
    key("sasl.kerberos.min.time.before.relogin", Long, Some("60000"), Low),
    key("sasl.kerberos.service.name", String, None, Medium),
    key("sasl.kerberos.ticket.renew.jitter", Double, Some("0.05"), Low),
    key("sasl.kerberos.ticket.renew.window.factor", Double, Some("0.8"), Low),
    key("sasl.login.callback.handler.class", Class, None, Medium),
    key("sasl.login.class", Class, None, Medium),
    key("sasl.login.connect.timeout.ms", Int, None, Low),
    key("sasl.login.read.timeout.ms", Int, None, Low),
    key("sasl.login.refresh.buffer.seconds", Short, Some("300"), Low),
    key("sasl.login.refresh.min.period.seconds", Short, Some("60"), Low),
    key("sasl.login.refresh.window.factor", Double, Some("0.8"), Low),
    key("sasl.login.refresh.window.jitter", Double, Some("0.05"), Low),
    key("sasl.login.retry.backoff.max.ms", Long, Some("10000"), Low),
    key("sasl.login.retry.backoff.ms", Long, Some("100"), Low),
    key("sasl.mechanism", String, Some("GSSAPI"), Medium),
    key("sasl.oauthbearer.assertion.algorithm", String, Some("RS256"), Medium),
    key("sasl.oauthbearer.assertion.claim.aud", String, None, Medium),
    key("sasl.oauthbearer.assertion.claim.exp.seconds", Int, Some("300"), Low),
    key("sasl.oauthbearer.assertion.claim.iss", String, None, Medium),
    key("sasl.oauthbearer.assertion.claim.jti.include", Boolean, Some("false"), Medium),
    key("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Some("60"), Low),
    key("sasl.oauthbearer.assertion.claim.sub", String, None, Medium),
    key("sasl.oauthbearer.assertion.file", String, None, Medium),
    key("sasl.oauthbearer.assertion.private.key.file", String, None, Medium),
    key("sasl.oauthbearer.assertion.private.key.passphrase", Password, None, Medium),
    key("sasl.oauthbearer.assertion.template.file", String, None, Medium),
    key("sasl.oauthbearer.client.credentials.client.id", String, None, Medium),
    key("sasl.oauthbearer.client.credentials.client.secret", Password, None, Medium),
    key("sasl.oauthbearer.clock.skew.seconds", Int, Some("30"), Low),
    key("sasl.oauthbearer.expected.audience", List, Some(""), High),
    key("sasl.oauthbearer.expected.issuer", String, None, High),
    key("sasl.oauthbearer.header.urlencode", Boolean, Some("false"), Low),
    key("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Some("3600000"), Low),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Some("10000"), Low),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Some("100"), Low),
    key("sasl.oauthbearer.jwks.endpoint.url", String, None, Medium),
    key("sasl.oauthbearer.jwt.retriever.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Medium),
    key("sasl.oauthbearer.jwt.validator.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Medium),
    key("sasl.oauthbearer.scope", String, None, Medium),
    key("sasl.oauthbearer.scope.claim.name", String, Some("scope"), Low),
    key("sasl.oauthbearer.sub.claim.name", String, Some("sub"), Low),
    key("sasl.oauthbearer.token.endpoint.url", String, None, Medium),
    key("security.protocol", String, Some("PLAINTEXT"), Medium),
    key("security.providers", String, None, Low),
    key("send.buffer.bytes", Int, Some("131072"), Medium),
    key("session.timeout.ms", Int, Some("45000"), High),
    key("share.acknowledgement.mode", String, Some("implicit"), Medium),
    key("share.acquire.mode", String, Some("BATCH_OPTIMIZED"), Medium),
    key("socket.connection.setup.timeout.max.ms", Long, Some("30000"), Medium),
    key("socket.connection.setup.timeout.ms", Long, Some("10000"), Medium),
    key("ssl.cipher.suites", List, Some(""), Low),
    key("ssl.enabled.protocols", List, Some("TLSv1.2,TLSv1.3"), Medium),
    key("ssl.endpoint.identification.algorithm", String, Some("https"), Low),
    key("ssl.engine.factory.class", Class, None, Low),
    key("ssl.key.password", Password, None, High),
    key("ssl.keymanager.algorithm", String, Some("SunX509"), Low),
    key("ssl.keystore.certificate.chain", Password, None, High),
    key("ssl.keystore.key", Password, None, High),
    key("ssl.keystore.location", String, None, High),
    key("ssl.keystore.password", Password, None, High),
    key("ssl.keystore.type", String, Some("JKS"), Medium),
    key("ssl.protocol", String, Some("TLSv1.3"), Medium),
    key("ssl.provider", String, None, Medium),
    key("ssl.secure.random.implementation", String, None, Low),
    key("ssl.trustmanager.algorithm", String, Some("PKIX"), Low),
    key("ssl.truststore.certificates", Password, None, High),
    key("ssl.truststore.location", String, None, High),
    key("ssl.truststore.password", Password, None, High),
    key("ssl.truststore.type", String, Some("JKS"), Medium),
    key("value.deserializer", Class, None, High),
];

/// What the value of a client's key makes the worker reach for.
#[must_use]
pub fn reaches(key: &str) -> Reaches {
    match key {
        "bootstrap.servers" | "sasl.oauthbearer.jwks.endpoint.url" | "sasl.oauthbearer.token.endpoint.url" => Reaches::Hosts,
        "sasl.jaas.config" => Reaches::By(files_of_logins),
        "sasl.oauthbearer.assertion.file"
        | "sasl.oauthbearer.assertion.private.key.file"
        | "sasl.oauthbearer.assertion.template.file"
        | "ssl.keystore.location"
        | "ssl.truststore.location" => Reaches::Files,
        // A login by Entra ID has its own.
        _ => entra::KEYS.iter().find(|own| own.name == key).map_or(Reaches::Nothing, |own| own.reaches),
    }
}

/// The files that a value of `sasl.jaas.config` names.
fn files_of_logins(config: &str, _: &Properties) -> Vec<Reached> {
    let named = |option: &str| {
        let values = config.match_indices(option).filter_map(|(at, _)| {
            let value = config[at + option.len()..].trim_start().strip_prefix('=')?.trim_start();
            let (value, end) = value.strip_prefix('"').map_or((value, ' '), |quoted| (quoted, '"'));
            let end = |c: char| c == end || end == ' ' && (c == ';' || c.is_whitespace());
            Some(Reached::Read(value.split(end).next().unwrap_or_default().to_owned()))
        });
        values.collect::<Vec<_>>()
    };
    ["keyTab", "ticketCache", "ssl.keystore.location", "ssl.truststore.location"].into_iter().flat_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_names_its_key_tab() {
        let config = r#"com.sun.security.auth.module.Krb5LoginModule required keyTab="/etc/a b.keytab" ticketCache = /tmp/c;"#;
        assert_eq!(
            files_of_logins(config, &Properties::new()),
            [Reached::Read("/etc/a b.keytab".into()), Reached::Read("/tmp/c".into())]
        );
        assert_eq!(files_of_logins(r#"PlainLoginModule required username="keyTab" password="/etc/x";"#, &Properties::new()), []);
    }
}
