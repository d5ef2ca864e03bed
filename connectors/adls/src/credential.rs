//! How the service lets us in: an account key, a shared access signature, or a token of Entra ID.

use std::fmt;

use azure_core::credentials::Secret;
use azure_core::http::Url;

use crate::entra::Entra;
use crate::http::Net;
use crate::shared_key::SharedKey;

/// A way to be let in. None of them prints its secret.
#[derive(Clone)]
pub enum Credential {
    /// An account's key signs every request.
    Key(SharedKey),
    /// A shared access signature is the query of every URL.
    Sas(Secret),
    /// A token of Entra ID.
    Token(Entra),
}

impl Credential {
    /// The key `key` of `account`.
    ///
    /// # Errors
    /// It is not base64; the message does not show it.
    pub fn key(account: &str, key: &str) -> Result<Self, String> {
        SharedKey::new(account, key).map(Self::Key)
    }

    /// The shared access signature `token`, with or without a `?` before it.
    ///
    /// # Errors
    /// It has no `sig`; the message does not show it.
    pub fn sas(token: &str) -> Result<Self, String> {
        let token = token.trim().trim_start_matches('?');
        if !token.split('&').any(|pair| pair.starts_with("sig=")) {
            return Err("the shared access signature has no sig=".into());
        }
        Ok(Self::Sas(Secret::new(token.to_owned())))
    }

    /// The application `client_id` with its secret, in the tenant that `token_endpoint` names:
    /// `https://login.microsoftonline.com/<tenant>/oauth2/token`, with or without `v2.0`.
    ///
    /// # Errors
    /// What is wrong with which of them; never the secret.
    pub fn client_secret(client_id: &str, secret: &str, token_endpoint: &str, net: Net) -> Result<Self, String> {
        let (authority, tenant) = authority_and_tenant(token_endpoint)?;
        if client_id.trim().is_empty() || secret.is_empty() {
            return Err("the application's id and its secret cannot be empty".into());
        }
        Ok(Self::Token(Entra::client_secret(authority, tenant, client_id.to_owned(), secret.into(), net)))
    }

    /// What it is, of which account, application or tenant.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Key(key) => format!("the key of the account {:?}", key.account()),
            Self::Sas(_) => "the shared access signature".to_owned(),
            Self::Token(entra) => entra.describe(),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Sas(_) => f.write_str("Sas"),
            Self::Token(token) => token.fmt(f),
        }
    }
}

fn authority_and_tenant(token_endpoint: &str) -> Result<(String, String), String> {
    let bad = |why: &str| {
        format!("the token endpoint {token_endpoint:?} is not https://login.microsoftonline.com/<tenant>/oauth2/token: {why}")
    };
    let url = Url::parse(token_endpoint).map_err(|e| bad(&e.to_string()))?;
    if url.scheme() != "https" {
        return Err(bad("it is not https"));
    }
    let mut path = url.path().trim_matches('/').split('/');
    match (path.next(), path.next()) {
        (Some(tenant), Some("oauth2")) if !tenant.is_empty() => Ok((url.origin().ascii_serialization(), tenant.to_owned())),
        _ => Err(bad("its path has no tenant before oauth2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_in_the_token_endpoint() {
        for (endpoint, authority, tenant) in [
            ("https://login.microsoftonline.com/1234-5678/oauth2/token", "https://login.microsoftonline.com", "1234-5678"),
            (
                "https://login.microsoftonline.us/contoso.com/oauth2/v2.0/token/",
                "https://login.microsoftonline.us",
                "contoso.com",
            ),
        ] {
            assert_eq!(authority_and_tenant(endpoint), Ok((authority.to_owned(), tenant.to_owned())));
        }
        for endpoint in ["1234", "https://login.microsoftonline.com/", "http://login.microsoftonline.com/t/oauth2/token"] {
            let error = authority_and_tenant(endpoint).expect_err("bad");
            assert!(error.contains(endpoint), "{error}");
        }
    }

    #[test]
    fn secrets_never_print() {
        let sas = Credential::sas("?sv=1&sig=pssst").expect("good");
        let entra = Credential::client_secret("app", "pssst", "https://login.microsoftonline.com/t/oauth2/token", Net::default());
        let entra = entra.expect("good");
        let all = format!("{sas:?} {entra:?} {:?}", Credential::sas("pssst"));
        assert!(!all.contains("pssst"), "{all}");
    }
}
