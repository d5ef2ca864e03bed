//! What holds a secret though nobody declares it, by its name or its value.

/// Whether a key that nobody declares holds a secret, judged by its name: keys of clients and unknown ones.
#[must_use]
pub fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    const PARTS: [&str; 12] = [
        "password",
        "secret",
        "jaas.config",
        "ssl.key.",
        "keystore.key",
        "certificate.chain",
        "user.info",
        "account.key",
        "token",
        "credential",
        "authorization",
        "request.header.",
    ];
    const NOT: [&str; 4] = ["credentials.source", "token.endpoint", "credentials.provider", "credentials.class"];
    PARTS.iter().any(|part| key.contains(part)) && !NOT.iter().any(|not| key.contains(not))
        || key.ends_with("connection.string")
        || key.ends_with("sas")
}

/// Whether a value holds a secret whatever its key is called: a URL with a signature or a password, or a connection string.
#[must_use]
pub fn shows_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // A password may have a slash that should have been written otherwise.
    let in_url = lower.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    ["sig=", "accountkey=", "password="].iter().any(|name| lower.contains(name))
        || in_url.is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name() {
        for key in [
            "consumer.override.sasl.jaas.config",
            "ssl.keystore.password",
            "ssl.key.password",
            "basic.auth.user.info",
            "value.converter.request.header.X-Api-Key",
        ] {
            assert!(sounds_secret(key), "{key}");
        }
        for key in ["topics", "key.converter", "basic.auth.credentials.source", "ssl.keystore.location", "flush.size"] {
            assert!(!sounds_secret(key), "{key}");
        }
        for value in ["http://a:1,http://u:p@b", "http://u:p/q@a:1"] {
            assert!(shows_secret(value), "{value}");
        }
        for value in ["https://a/c?sv=1&sig=x", "AccountName=a;AccountKey=x", "https://u:p@a/c", "x required password=\"p\";"] {
            assert!(shows_secret(value), "{value}");
        }
        for value in ["https://a.blob.core.windows.net/c", "file:///a@b:c", "orders,lines", "SASL_SSL"] {
            assert!(!shows_secret(value), "{value}");
        }
    }
}
