//! Reads the connection strings that Azure shows for a storage account.

use azure_core::http::Url;
use landfall_api::{Properties, Reached};

use crate::credential::Credential;
use crate::shared_key::SharedKey;

/// Account and key of the emulator (Azurite), which are public.
pub const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// What a connection string says.
#[derive(Debug)]
pub struct ConnectionString {
    /// The URL of the account's Blob service, as it is written.
    pub endpoint: Url,
    /// How to be let in.
    pub credential: Credential,
}

impl ConnectionString {
    /// Reads `AccountName`, `AccountKey` or `SharedAccessSignature`, and `BlobEndpoint` or `DefaultEndpointsProtocol` and
    /// `EndpointSuffix`; or `UseDevelopmentStorage=true`. Names are taken in any case; other names are passed over.
    ///
    /// # Errors
    /// Which part is missing or wrong. No part of the text is shown but the names in it that are Azure's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (endpoint, credential) = Self::parts(text)?;
        let missing = "the connection string has neither AccountKey nor SharedAccessSignature";
        Ok(Self { endpoint, credential: credential.ok_or(missing)? })
    }

    /// The endpoint, and how to be let in if the text says that too.
    pub(crate) fn parts(text: &str) -> Result<(Url, Option<Credential>), String> {
        let (mut account, mut key, mut sas, mut endpoint, mut protocol, mut suffix, mut emulator) =
            (None, None, None, None, None, None, None);
        for (n, part) in text.split(';').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
            let Some((name, value)) = part.split_once('=') else {
                return Err(format!("part {} of the connection string is not name=value", n + 1));
            };
            let slot = match name.trim().to_ascii_lowercase().as_str() {
                "accountname" => &mut account,
                "accountkey" => &mut key,
                "sharedaccesssignature" => &mut sas,
                "blobendpoint" => &mut endpoint,
                "defaultendpointsprotocol" => &mut protocol,
                "endpointsuffix" => &mut suffix,
                "usedevelopmentstorage" => &mut emulator,
                _ => continue,
            };
            *slot = Some(value.trim()).filter(|value| !value.is_empty());
        }
        if emulator.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            let endpoint = Url::parse(EMULATOR_ENDPOINT).map_err(|e| e.to_string())?;
            return Ok((endpoint, Some(Credential::Key(SharedKey::new(EMULATOR_ACCOUNT, EMULATOR_KEY)?))));
        }
        let endpoint = match (endpoint, account) {
            (Some(endpoint), _) => endpoint.to_owned(),
            (None, Some(account)) => {
                let (protocol, suffix) = (protocol.unwrap_or("https"), suffix.unwrap_or("core.windows.net"));
                format!("{protocol}://{account}.blob.{suffix}")
            }
            (None, None) => return Err("the connection string has neither AccountName nor BlobEndpoint".into()),
        };
        let endpoint =
            Url::parse(&endpoint).map_err(|e| format!("the Blob endpoint in the connection string is not a URL: {e}"))?;
        let credential = match (account, key, sas) {
            (Some(account), Some(key), _) => {
                Some(Credential::Key(SharedKey::new(account, key).map_err(|e| format!("in the connection string {e}"))?))
            }
            (None, Some(_), _) => return Err("the connection string has AccountKey but not AccountName".into()),
            (_, None, Some(sas)) => Some(Credential::sas(sas)?),
            (_, None, None) => None,
        };
        Ok((endpoint, credential))
    }
}

/// What a connection string makes the worker reach for: every URL in it, and the account by its name and suffix.
pub(crate) fn reached(text: &str, _: &Properties) -> Vec<Reached> {
    let parts: Vec<_> =
        text.split(';').filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim())).collect();
    let part = |name: &str| parts.iter().rfind(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let mut reached: Vec<_> =
        parts.iter().filter(|(_, value)| value.contains("://")).map(|(_, url)| Reached::Host((*url).to_owned())).collect();
    if part("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        reached.push(Reached::Host(EMULATOR_ENDPOINT.to_owned()));
    } else if let (None, Some(account)) = (part("BlobEndpoint"), part("AccountName")) {
        reached.push(Reached::Host(format!("https://{account}.blob.{}", part("EndpointSuffix").unwrap_or("core.windows.net"))));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> String {
        ConnectionString::parse(text).expect("good").endpoint.to_string()
    }

    #[test]
    fn the_forms_that_azure_shows_are_read() {
        let key = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=cHNzc3Q=;EndpointSuffix=core.chinacloudapi.cn";
        assert_eq!(endpoint(key), "https://acct.blob.core.chinacloudapi.cn/");
        assert!(matches!(ConnectionString::parse(key).expect("good").credential, Credential::Key(_)));
        assert_eq!(endpoint("accountname=acct; accountkey=cHNzc3Q=;"), "https://acct.blob.core.windows.net/");
        let sas = "BlobEndpoint=https://acct.blob.core.windows.net/;QueueEndpoint=https://q/;SharedAccessSignature=sv=1&sig=a%3D";
        assert_eq!(endpoint(sas), "https://acct.blob.core.windows.net/");
        assert!(matches!(ConnectionString::parse(sas).expect("good").credential, Credential::Sas(_)));
        assert_eq!(endpoint("UseDevelopmentStorage=true"), "http://127.0.0.1:10000/devstoreaccount1");
        let own = "AccountName=a;AccountKey=cHNzc3Q=;BlobEndpoint=http://127.0.0.1:7777/a";
        assert_eq!(endpoint(own), "http://127.0.0.1:7777/a");
    }

    #[test]
    fn every_host_in_it_is_named() {
        let hosts = |text: &str| {
            reached(text, &Properties::new()).into_iter().map(|reached| format!("{reached:?}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(hosts("AccountName=a;AccountKey=cHNzc3Q="), "Host(\"https://a.blob.core.windows.net\")");
        assert_eq!(hosts("accountname=a; EndpointSuffix=evil.com/"), "Host(\"https://a.blob.evil.com/\")");
        let both = "Host(\"https://a.evil\") Host(\"https://q\")";
        assert_eq!(hosts("BlobEndpoint=https://a.evil;QueueEndpoint=https://q;AccountName=a"), both);
        assert_eq!(hosts("UseDevelopmentStorage=true"), "Host(\"http://127.0.0.1:10000/devstoreaccount1\")");
        assert_eq!(hosts("pssst"), "");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, why) in [
            ("pssst", "part 1 of the connection string is not name=value"),
            ("AccountName=a;pssst", "part 2 of the connection string is not name=value"),
            ("AccountName=a", "the connection string has neither AccountKey nor SharedAccessSignature"),
            ("AccountKey=cHNzc3Q=", "the connection string has neither AccountName nor BlobEndpoint"),
            ("BlobEndpoint=https://a/;AccountKey=cHNzc3Q=", "the connection string has AccountKey but not AccountName"),
            ("AccountName=a;AccountKey=pssst!", "in the connection string the account key is not base64"),
            (
                "AccountName=a b;AccountKey=cHNzc3Q=",
                "the Blob endpoint in the connection string is not a URL: invalid international domain name",
            ),
        ] {
            assert_eq!(ConnectionString::parse(text).expect_err("bad"), why);
        }
    }
}
