//! What becomes of each key of `SecurityConfig`, `SslConfigs` and `SaslConfigs` (4.3.1): the one list that decides what is read, warned
//! about or refused, and that the reference is made of.

use super::Client;

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Becomes {
    /// It is honoured: what librdkafka is given for it, and what the member of a group does with it.
    Read(&'static str, &'static str),
    /// As [`Becomes::Read`] by librdkafka. Of the member of a group, the reason why it is refused.
    OfLibrdkafka(&'static str, &'static str),
    /// It is known and changes nothing, as in a client of Java's. Not warned about.
    Idle(&'static str),
    /// Warned about: it changes something in Java, and nothing here.
    Unused(&'static str),
    /// Refused.
    Refused(&'static str),
}

use Becomes::{Idle, OfLibrdkafka, Read, Refused, Unused};

const CLASS: &str = "Java classes cannot run here";
const STORE: &str = "rustls";
const OAUTH: &str = "when and from where tokens are taken; both clients have the same";
const BROKER: &str = "the broker checks tokens, a client need not";
const NO_PASS: &str = "read with the store";

#[rustfmt::skip]
pub(super) const KEYS: &[(&str, Becomes)] = &[
    ("sasl.client.callback.handler.class", Refused(CLASS)),
    ("sasl.jaas.config", Read("`sasl.username` and `sasl.password`; the options of OAUTHBEARER; `sasl.kerberos.keytab` and `sasl.kerberos.principal`", "the same but for Krb5LoginModule")),
    ("sasl.kerberos.kinit.cmd", Unused("tickets are renewed by librdkafka's own command, which uses the keytab")),
    ("sasl.kerberos.min.time.before.relogin", OfLibrdkafka("`sasl.kerberos.min.time.before.relogin`", GSSAPI)),
    ("sasl.kerberos.service.name", OfLibrdkafka("`sasl.kerberos.service.name`", GSSAPI)),
    ("sasl.kerberos.ticket.renew.jitter", Unused("tickets are renewed at `sasl.kerberos.min.time.before.relogin`")),
    ("sasl.kerberos.ticket.renew.window.factor", Unused("tickets are renewed at `sasl.kerberos.min.time.before.relogin`")),
    ("sasl.login.callback.handler.class", Read("where tokens come from: OAuthBearerLoginCallbackHandler, OAuthBearerUnsecuredLoginCallbackHandler or EntraLoginCallbackHandler", "the same")),
    ("sasl.login.class", Refused(CLASS)),
    ("sasl.login.connect.timeout.ms", Read(OAUTH, OAUTH)),
    ("sasl.login.read.timeout.ms", Read(OAUTH, OAUTH)),
    ("sasl.login.refresh.buffer.seconds", Read(OAUTH, OAUTH)),
    ("sasl.login.refresh.min.period.seconds", Read(OAUTH, OAUTH)),
    ("sasl.login.refresh.window.factor", Read(OAUTH, OAUTH)),
    ("sasl.login.refresh.window.jitter", Read(OAUTH, OAUTH)),
    ("sasl.login.retry.backoff.max.ms", Read(OAUTH, OAUTH)),
    ("sasl.login.retry.backoff.ms", Read(OAUTH, OAUTH)),
    ("sasl.mechanism", Read("`sasl.mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; GSSAPI in a build with the feature `gssapi`", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER")),
    ("sasl.oauthbearer.assertion.algorithm", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.claim.aud", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.claim.iss", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.claim.jti.include", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.claim.sub", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.file", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.private.key.file", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.private.key.passphrase", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.assertion.template.file", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.client.credentials.client.id", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.client.credentials.client.secret", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.clock.skew.seconds", Idle(BROKER)),
    ("sasl.oauthbearer.expected.audience", Idle(BROKER)),
    ("sasl.oauthbearer.expected.issuer", Idle(BROKER)),
    ("sasl.oauthbearer.header.urlencode", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", Idle(BROKER)),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Idle(BROKER)),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Idle(BROKER)),
    ("sasl.oauthbearer.jwks.endpoint.url", Idle(BROKER)),
    ("sasl.oauthbearer.jwt.retriever.class", Read("DefaultJwtRetriever, ClientCredentialsJwtRetriever, FileJwtRetriever or JwtBearerJwtRetriever", "the same")),
    ("sasl.oauthbearer.jwt.validator.class", Idle(BROKER)),
    ("sasl.oauthbearer.scope", Read(OAUTH, OAUTH)),
    ("sasl.oauthbearer.scope.claim.name", Idle(BROKER)),
    ("sasl.oauthbearer.sub.claim.name", Read("the claim that names the client in librdkafka's messages", "not needed")),
    ("sasl.oauthbearer.token.endpoint.url", Read(OAUTH, OAUTH)),
    ("security.protocol", Read("`security.protocol`", "honoured")),
    ("security.providers", Unused(CLASS)),
    ("ssl.cipher.suites", Read("`ssl.cipher.suites`, of the suites that both clients have; those of TLS 1.3 are not restricted", "the suites that rustls has")),
    ("ssl.enabled.protocols", Read("TLSv1.2 and TLSv1.3; TLSv1.3 cannot be left out", "TLSv1.2 and TLSv1.3")),
    ("ssl.endpoint.identification.algorithm", Read("`ssl.endpoint.identification.algorithm`: https, or empty for none", "https, or empty for none")),
    ("ssl.engine.factory.class", Refused(CLASS)),
    ("ssl.key.password", Read(NO_PASS, NO_PASS)),
    ("ssl.keymanager.algorithm", Idle("the key that is shown is the store's, the first by name")),
    ("ssl.keystore.certificate.chain", Read("`ssl.certificate.pem`", STORE)),
    ("ssl.keystore.key", Read("`ssl.key.pem`", STORE)),
    ("ssl.keystore.location", Read("`ssl.key.pem` and `ssl.certificate.pem`, read from the store", STORE)),
    ("ssl.keystore.password", Read(NO_PASS, NO_PASS)),
    ("ssl.keystore.type", Read("PEM, JKS or PKCS12", "the same")),
    ("ssl.protocol", Read("TLSv1.3, TLSv1.2 or TLS; TLSv1.3 cannot be left out", "TLSv1.2 leaves TLSv1.3 out")),
    ("ssl.provider", Refused("Java's security providers cannot run here")),
    ("ssl.secure.random.implementation", Unused("random numbers are the system's")),
    ("ssl.trustmanager.algorithm", Idle("certificates are checked up to one of the truststore, as PKIX does")),
    ("ssl.truststore.certificates", Read("`ssl.ca.pem`", STORE)),
    ("ssl.truststore.location", Read("`ssl.ca.pem`, read from the store", STORE)),
    ("ssl.truststore.password", Read(NO_PASS, NO_PASS)),
    ("ssl.truststore.type", Read("PEM, JKS or PKCS12", "the same")),
];

const GSSAPI: &str = "a member of a group cannot log in by GSSAPI";

/// What becomes of a key; None for one that clients of Java's do not have.
pub(super) fn find(key: &str) -> Option<Becomes> {
    KEYS.binary_search_by_key(&key, |(name, _)| name).ok().map(|at| KEYS[at].1)
}

/// What becomes of a key, in words for the reference.
pub(super) fn describe(key: &str, client: Client) -> String {
    match (find(key), client) {
        (Some(Read(words, _) | OfLibrdkafka(words, _)), Client::Librdkafka) | (Some(Read(_, words)), Client::Member) => {
            words.to_owned()
        }
        (Some(OfLibrdkafka(_, why)), Client::Member) => format!("refused: {why}"),
        (Some(Idle(why)), _) => format!("no effect: {why}"),
        (Some(Unused(why)), _) => format!("no effect, and warned about: {why}"),
        (Some(Refused(why)), _) => format!("refused: {why}"),
        (None, _) => "no key of security".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::java::CONSUMER;

    #[test]
    fn every_key_of_javas_has_its_place() {
        let java = CONSUMER.iter().map(|key| key.name).filter(|key| super::super::is_known(key));
        assert_eq!(java.collect::<Vec<_>>(), KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>());
        assert!(KEYS.is_sorted_by_key(|(key, _)| key));
    }
}
