//! Signs each request with an account key (Azure Storage's "Shared Key", Blob service versions from 2015-02-21 on).

use std::fmt::{self, Write};
use std::sync::Arc;

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// An account and its key. The key never prints.
#[derive(Clone)]
pub struct SharedKey {
    account: String,
    key: Secret,
}

impl SharedKey {
    /// The key `key` of `account`, in base64 as Azure shows it.
    ///
    /// # Errors
    /// The key is not base64; the message does not show it.
    pub fn new(account: impl Into<String>, key: &str) -> Result<Self, String> {
        let key = key.trim();
        match BASE64_STANDARD.decode(key) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self { account: account.into(), key: Secret::new(key.to_owned()) }),
            _ => Err("the account key is not base64".into()),
        }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The value of `Authorization` for `request`, which has all other headers.
    fn authorization(&self, request: &Request) -> azure_core::Result<String> {
        let signature = hmac_sha256(&self.string_to_sign(request), &self.key)?;
        Ok(format!("SharedKey {}:{signature}", self.account))
    }

    fn string_to_sign(&self, request: &Request) -> String {
        let header =
            |name: &'static str| request.headers().iter().find(|(n, _)| n.as_str() == name).map_or("", |(_, v)| v.as_str());
        let length = match request.body().len() {
            None | Some(0) => String::new(),
            Some(length) => length.to_string(),
        };
        let mut text = String::with_capacity(512);
        text.push_str(request.method().as_str());
        for value in [
            header("content-encoding"),
            header("content-language"),
            &length,
            header("content-md5"),
            header("content-type"),
            "", // the date is in x-ms-date
            header("if-modified-since"),
            header("if-match"),
            header("if-none-match"),
            header("if-unmodified-since"),
            header("range"),
        ] {
            text.push('\n');
            text.push_str(value);
        }
        text.push('\n');
        let mut own: Vec<_> =
            request.headers().iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(n, _)| n.starts_with("x-ms-")).collect();
        own.sort_unstable();
        for (name, value) in own {
            let _ = writeln!(text, "{name}:{}", value.trim());
        }
        let _ = write!(text, "/{}{}", self.account, request.url().path());
        let mut query: Vec<_> = request.url().query_pairs().map(|(n, v)| (n.to_lowercase(), v)).collect();
        query.sort_unstable();
        let mut last = None;
        for (name, value) in &query {
            // Values of one name share a line.
            let _ = if last == Some(name) { write!(text, ",{value}") } else { write!(text, "\n{name}:{value}") };
            last = Some(name);
        }
        text
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKey").field("account", &self.account).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        let authorization = self.authorization(request)?;
        request.insert_header("authorization", authorization);
        next[0].send(context, request, &next[1..]).await
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::{Method, Url};

    use super::*;

    /// Base64 of the bytes 0 to 63.
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

    fn signed(method: Method, url: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> (String, String) {
        let key = SharedKey::new("acct", KEY).expect("base64");
        let mut request = Request::new(Url::parse(url).expect("a URL"), method);
        for (name, value) in headers {
            request.insert_header(*name, *value);
        }
        request.set_body(body);
        (key.string_to_sign(&request), key.authorization(&request).expect("signed"))
    }

    // The signatures are Python's:
    // base64.b64encode(hmac.new(bytes(range(64)), text.encode(), hashlib.sha256).digest())

    #[test]
    fn a_block_list_is_signed() {
        let (text, authorization) = signed(
            Method::Put,
            "https://acct.blob.core.windows.net/lake/t/a%20b+0.parquet?comp=blocklist",
            &[
                ("content-type", "application/xml"),
                ("if-none-match", "*"),
                ("x-ms-version", "2026-04-06"),
                ("x-ms-meta-landfall_nonce", "00ff"),
                ("x-ms-date", "Fri, 01 Mar 2024 10:00:00 GMT"),
                ("user-agent", "landfall"),
            ],
            "<BlockList />",
        );
        assert_eq!(
            text,
            "PUT\n\n\n13\n\napplication/xml\n\n\n\n*\n\n\nx-ms-date:Fri, 01 Mar 2024 10:00:00 GMT\n\
             x-ms-meta-landfall_nonce:00ff\nx-ms-version:2026-04-06\n/acct/lake/t/a%20b+0.parquet\ncomp:blocklist"
        );
        assert_eq!(authorization, "SharedKey acct:3QGeDJiQOAr23fAzrrCXmR9fgE0Ixt9l9KMStmA9KAY=");
    }

    #[test]
    fn a_listing_is_signed() {
        let (text, authorization) = signed(
            Method::Get,
            "http://127.0.0.1:10000/acct/lake?restype=container&comp=list&prefix=a%2Fb%20c&include=snapshots&include=metadata",
            &[("x-ms-version", "2026-04-06"), ("x-ms-date", "Fri, 01 Mar 2024 10:00:00 GMT"), ("range", "bytes=0-9")],
            "",
        );
        assert_eq!(
            text,
            "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-9\nx-ms-date:Fri, 01 Mar 2024 10:00:00 GMT\nx-ms-version:2026-04-06\n\
             /acct/acct/lake\ncomp:list\ninclude:metadata,snapshots\nprefix:a/b c\nrestype:container"
        );
        assert_eq!(authorization, "SharedKey acct:ldIFMpxwSF6FZjEfeV4P4F7zxdj2LpmFcU3BcmqApeo=");
    }

    #[test]
    fn a_key_never_prints() {
        let key = SharedKey::new("acct", KEY).expect("base64");
        assert_eq!(format!("{key:?}"), "SharedKey { account: \"acct\", .. }");
        let error = SharedKey::new("acct", "pssst!").expect_err("not base64");
        assert!(!error.contains("pssst"), "{error}");
    }
}
