//! Requests that the client of the Blob service has no calls for: those of the Data Lake endpoint, and answers whose headers count.

use std::sync::Arc;

use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, Url};
use landfall_lake::storage::StorageError;

use super::call::ANSWER;
use super::{AzureStorage, below};
use crate::credential::Credential;

/// The version of the REST API that these requests are written for.
const VERSION: &str = "2023-11-03";

/// The container at the Data Lake endpoint of the account of `container`, if that has one that its URL tells.
pub(super) fn beside(container: &Url) -> Option<Url> {
    let (account, rest) = container.host_str()?.split_once(".blob.")?;
    let (host, mut url) = (format!("{account}.dfs.{rest}"), container.clone());
    url.set_host(Some(&host)).ok()?;
    Some(url)
}

impl AzureStorage {
    /// What the service answers to a request without a body, whatever it is.
    pub(super) async fn send(
        &self,
        what: &'static str,
        method: Method,
        url: Url,
        headers: &[(&'static str, &str)],
    ) -> Result<RawResponse, StorageError> {
        let mut policies: Vec<Arc<dyn Policy>> = Vec::new();
        if let Some(token) = self.token() {
            policies.push(Arc::new(BearerTokenAuthorizationPolicy::new(token, vec!["https://storage.azure.com/.default"])));
        }
        let name = Some(env!("CARGO_PKG_NAME"));
        let pipeline = Pipeline::new(name, Some(env!("CARGO_PKG_VERSION")), self.options.clone(), Vec::new(), policies, None);
        let mut request = Request::new(url.clone(), method);
        request.insert_header("x-ms-version", VERSION);
        request.insert_header("content-length", "0");
        for (name, value) in headers {
            request.insert_header(*name, (*value).to_owned());
        }
        let call = self.call(what, &url);
        let options = PipelineSendOptions { skip_checks: true, ..Default::default() };
        let answer = call.within(ANSWER, pipeline.send(&Context::new(), &mut request, Some(options))).await?;
        answer.map_err(|e| call.failed(&e))
    }

    /// Makes the directory `path`.
    pub(super) async fn make_directory(&self, lake: &Url, path: &str) -> Result<(), StorageError> {
        let url = with_query(below(lake, path)?, &[("resource", "directory")]);
        expect("Create Directory", &self.send("Create Directory", Method::Put, url, &[]).await?)
    }

    /// Renames the directory `from`.
    pub(super) async fn rename_directory(&self, lake: &Url, from: &str, to: &str) -> Result<(), StorageError> {
        let (source, url) = (below(lake, from)?, below(lake, to)?);
        // The source has the signature too, where that is what lets us in.
        let signature = matches!(self.credential, Credential::Sas(_)).then(|| source.query()).flatten();
        let path = match self.account_in_path() {
            true => source.path().trim_start_matches('/').split_once('/').map_or("", |(_, rest)| rest),
            false => source.path().trim_start_matches('/'),
        };
        let source = format!("/{path}{}", signature.map(|sas| format!("?{sas}")).unwrap_or_default());
        expect("Rename Directory", &self.send("Rename Directory", Method::Put, url, &[("x-ms-rename-source", &source)]).await?)
    }

    /// Deletes the directory `path` with all that is in it.
    pub(super) async fn delete_directory(&self, lake: &Url, path: &str) -> Result<(), StorageError> {
        let url = with_query(below(lake, path)?, &[("recursive", "true")]);
        expect("Delete Directory", &self.send("Delete Directory", Method::Delete, url, &[]).await?)
    }

    /// Whether a listing of the directory `folder` names `path`.
    pub(super) async fn lists_path(&self, lake: &Url, folder: &str, path: &str) -> Result<bool, StorageError> {
        let url = with_query(lake.clone(), &[("resource", "filesystem"), ("recursive", "true"), ("directory", folder)]);
        let answer = self.send("List Paths", Method::Get, url, &[]).await?;
        // A directory that is not there has nothing in it.
        if u16::from(answer.status()) == 404 {
            return Ok(false);
        }
        expect("List Paths", &answer)?;
        Ok(String::from_utf8_lossy(answer.body()).contains(&format!("\"{path}\"")))
    }

    /// Whether the account's name is the first of the path, as emulators have it.
    fn account_in_path(&self) -> bool {
        self.container.path_segments().is_some_and(|names| names.filter(|name| !name.is_empty()).count() > 1)
    }
}

fn with_query(mut url: Url, pairs: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

fn expect(what: &str, answer: &RawResponse) -> Result<(), StorageError> {
    if answer.status().is_success() {
        return Ok(());
    }
    let code = answer.headers().get_optional_string(&"x-ms-error-code".into()).unwrap_or_else(|| "no error code".into());
    Err(StorageError::Fatal(format!("{what}: HTTP {} {code}", u16::from(answer.status()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_lake_endpoint_is_beside_the_blob_endpoint() {
        for (blob, lake) in [
            ("https://acct.blob.core.windows.net/lake?sv=1", Some("https://acct.dfs.core.windows.net/lake?sv=1")),
            ("http://127.0.0.1:10000/devstoreaccount1/lake", None),
            ("https://gate.acme.com/lake", None),
        ] {
            assert_eq!(beside(&Url::parse(blob).expect("a URL")).as_ref().map(Url::as_str), lake, "{blob}");
        }
    }
}
