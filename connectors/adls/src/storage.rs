//! A container of block blobs as a store: blocks are staged at the final path, one Put Block List makes them a file.
//!
//! A block id is sent at most once: every try has its own, and nothing below this module sends a request again. So a file's
//! list can succeed at most once, ever, and a late request of a stopped worker cannot bring back what was removed since.

use std::collections::HashMap;
use std::error::Error as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::Uuid;
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, Etag, RetryOptions, StatusCode, Url};
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders, BlobContainerClientListBlobsOptions,
    BlockBlobClientCommitBlockListOptions, BlockLookupList, HttpRange, ListBlobsIncludeItem,
};
use azure_storage_blob::{
    BlobClient, BlobClientOptions, BlobContainerClient, BlobContainerClientOptions, BlockBlobClient, BlockBlobClientOptions,
};
use bytes::Bytes;
use futures::TryStreamExt;
use landfall_lake::storage::{Metadata, Object, Published, Staged, Storage, StorageError, checked_path};

use crate::credential::Credential;
use crate::http::{innermost, transport};

/// The metadata that tells whose file has a name; it is not shown to callers.
const NONCE: &str = "landfall_nonce";
/// The metadata by which the Blob service marks directories of hierarchical namespaces.
const IS_FOLDER: &str = "hdi_isfolder";
/// Where [`Storage::check`] stages a block that is never published.
const CHECK: &str = "_landfall/check";
/// Where what readers must not see lives.
const HIDDEN: &str = "_landfall/";
/// How long the service may take to answer, beyond moving the bytes.
const ANSWER: Duration = Duration::from_secs(60);
/// The slowest transfer that is waited for, in bytes a second.
const SLOWEST: u64 = 256 << 10;

/// A container as a [`Storage`]. It sends each request once: callers that are told [`StorageError::Retriable`] try again.
#[derive(Clone, Debug)]
pub struct AzureStorage {
    container: Url,
    credential: Credential,
    options: ClientOptions,
}

impl AzureStorage {
    /// The container at `container` (`https://<account>.blob.core.windows.net/<container>`). Does no I/O.
    ///
    /// # Errors
    /// This machine has no root certificates to check the service's by.
    pub fn new(mut container: Url, credential: Credential) -> Result<Self, StorageError> {
        let mut options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(transport().map_err(StorageError::Fatal)?),
            ..ClientOptions::default()
        };
        match &credential {
            Credential::Key(key) => options.per_try_policies.push(Arc::new(key.clone())),
            Credential::Sas(sas) => container.set_query(Some(sas.secret())),
            Credential::Token(_) => {}
        }
        Ok(Self { container, credential, options })
    }

    fn token(&self) -> Option<Arc<dyn azure_core::credentials::TokenCredential>> {
        match &self.credential {
            Credential::Token(token) => Some(Arc::clone(token)),
            _ => None,
        }
    }

    fn container_name(&self) -> &str {
        self.container.path().rsplit('/').next().unwrap_or_default()
    }

    /// The URL of a blob. Slashes stay slashes: a path of three names is three folders, in signatures and logs too.
    fn blob_url(&self, path: &str) -> Result<Url, StorageError> {
        let mut url = self.container.clone();
        url.path_segments_mut()
            .map_err(|()| StorageError::Fatal(format!("{} is no base of a path", self.url())))?
            .extend(checked_path(path)?.split('/'));
        Ok(url)
    }

    fn block_blob(&self, url: Url) -> Result<BlockBlobClient, StorageError> {
        let options = BlockBlobClientOptions { client_options: self.options.clone(), ..Default::default() };
        BlockBlobClient::new(url, self.token(), Some(options)).map_err(|e| StorageError::Fatal(self.unusable(&e)))
    }

    fn blob(&self, url: Url) -> Result<BlobClient, StorageError> {
        let options = BlobClientOptions { client_options: self.options.clone(), ..Default::default() };
        BlobClient::new(url, self.token(), Some(options)).map_err(|e| StorageError::Fatal(self.unusable(&e)))
    }

    fn unusable(&self, error: &azure_core::Error) -> String {
        format!("{} cannot be used: {:?}", self.url(), error.kind())
    }

    /// Size and metadata, with ours and Azure's own.
    async fn properties(&self, path: &str) -> Result<Option<(u64, Metadata)>, StorageError> {
        let url = self.blob_url(path)?;
        let call = Call { storage: self, what: "Get Blob Properties", url: &url };
        let client = self.blob(url.clone())?;
        match call.within(ANSWER, client.get_properties(None)).await? {
            Ok(answer) => {
                let read = || Ok((answer.content_length()?.unwrap_or_default(), answer.metadata()?.into_iter().collect()));
                read().map(Some).map_err(|e| call.failed(&e))
            }
            Err(e) if code(&e) != Some("ContainerNotFound") && e.http_status() == Some(StatusCode::NotFound) => Ok(None),
            Err(e) => Err(call.failed(&e)),
        }
    }
}

#[async_trait]
impl Storage for AzureStorage {
    fn url(&self) -> String {
        without_query(&self.container)
    }

    async fn check(&self) -> Result<(), StorageError> {
        // One block that is never published: it shows that files may be written, and the service drops it in a week.
        let url = self.blob_url(CHECK)?;
        let call = Call { storage: self, what: "Put Block", url: &url };
        let block = Bytes::from_static(b"landfall");
        let client = self.block_blob(url.clone())?;
        call.within(ANSWER, client.stage_block(&[0; 24], block.len() as u64, block.into(), None))
            .await?
            .map_err(|e| call.failed(&e))?;
        self.properties(CHECK).await.map(drop)
    }

    async fn stage(&self, path: &str) -> Result<Box<dyn Staged>, StorageError> {
        let url = self.blob_url(path)?;
        Ok(Box::new(AzureStaged {
            storage: self.clone(),
            path: path.to_owned(),
            url,
            nonce: Uuid::new_v4(),
            tries: 0,
            blocks: Vec::new(),
            published: false,
        }))
    }

    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError> {
        let Some((size, metadata)) = self.properties(path).await? else { return Ok(None) };
        Ok(object(path.to_owned(), size, metadata))
    }

    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let url = self.blob_url(path)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let call = Call { storage: self, what: "Get Blob", url: &url };
        let client = self.blob(url.clone())?;
        // The service knows no offset beyond 2^63.
        let (wanted, size) = match i64::try_from(range.end) {
            Ok(_) => (HttpRange::from(range.clone()), range.end - range.start),
            Err(_) => (HttpRange::from(range.start..), u64::MAX),
        };
        let options = BlobClientDownloadOptions { range: Some(wanted), ..Default::default() };
        let read = async { client.download(Some(options)).await?.body.collect().await };
        match call.within(transfer(size), read).await? {
            Ok(bytes) => Ok(bytes),
            Err(e) if e.http_status() == Some(StatusCode::RequestedRangeNotSatisfiable) => Ok(Bytes::new()),
            Err(e) => Err(call.failed(&e)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError> {
        let url = self.container.clone();
        let call = Call { storage: self, what: "List Blobs", url: &url };
        let options = BlobContainerClientOptions { client_options: self.options.clone(), ..Default::default() };
        let client = BlobContainerClient::new(url.clone(), self.token(), Some(options))
            .map_err(|e| StorageError::Fatal(self.unusable(&e)))?;
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            include: Some(vec![ListBlobsIncludeItem::Metadata]),
            ..Default::default()
        };
        let mut pages = client.list_blobs(Some(options)).map_err(|e| call.failed(&e))?.into_pages();
        let mut objects = Vec::new();
        while let Some(page) = call.within(ANSWER, pages.try_next()).await?.map_err(|e| call.failed(&e))? {
            for item in page.into_model().map_err(|e| call.failed(&e))?.blob_items {
                let size = item.properties.and_then(|properties| properties.content_length).unwrap_or_default();
                let metadata = item.metadata.and_then(|metadata| metadata.values).unwrap_or_default();
                let path = item.name.unwrap_or_default();
                if !path.starts_with(HIDDEN) {
                    objects.extend(object(path, size, metadata.into_iter().collect()));
                }
            }
        }
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }
}

/// A file, or None for a directory.
fn object(path: String, size: u64, mut metadata: Metadata) -> Option<Object> {
    metadata.remove(NONCE);
    (metadata.get(IS_FOLDER).map(String::as_str) != Some("true")).then_some(Object { path, size, metadata })
}

/// A blob whose blocks are being staged.
#[derive(Debug)]
struct AzureStaged {
    storage: AzureStorage,
    path: String,
    url: Url,
    nonce: Uuid,
    tries: u32,
    blocks: Vec<Vec<u8>>,
    published: bool,
}

#[async_trait]
impl Staged for AzureStaged {
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError> {
        if block.is_empty() {
            return Ok(());
        }
        let id = block_id(self.nonce, self.blocks.len() as u32, self.tries);
        // Counted before it is sent: also a try that nobody waits for any more has used its id.
        self.tries += 1;
        let call = Call { storage: &self.storage, what: "Put Block", url: &self.url };
        let (client, size) = (self.storage.block_blob(self.url.clone())?, block.len() as u64);
        call.within(transfer(size), client.stage_block(&id, size, block.into(), None)).await?.map_err(|e| call.failed(&e))?;
        self.blocks.push(id);
        Ok(())
    }

    async fn publish(&mut self, metadata: &Metadata) -> Result<Published, StorageError> {
        if self.published {
            return Ok(Published::Created);
        }
        let call = Call { storage: &self.storage, what: "Put Block List", url: &self.url };
        let nonce = self.nonce.simple().to_string();
        let mut metadata: HashMap<_, _> = metadata.clone().into_iter().collect();
        metadata.insert(NONCE.to_owned(), nonce.clone());
        let options = BlockBlobClientCommitBlockListOptions {
            if_none_match: Some(Etag::from("*")),
            metadata: Some(metadata),
            ..Default::default()
        };
        let list = BlockLookupList { uncommitted: Some(self.blocks.clone()), ..Default::default() };
        let list = list.try_into().map_err(|e| call.failed(&e))?;
        let client = self.storage.block_blob(self.url.clone())?;
        let Err(error) = call.within(ANSWER, client.commit_block_list(list, Some(options))).await? else {
            self.published = true;
            return Ok(Published::Created);
        };
        // The name is taken, or our blocks are used up: perhaps by a try of ours of which no answer came.
        let taken = matches!(error.http_status(), Some(StatusCode::Conflict | StatusCode::PreconditionFailed));
        if !taken && code(&error) != Some("InvalidBlockList") {
            return Err(call.failed(&error));
        }
        match self.storage.properties(&self.path).await? {
            Some((_, found)) if found.get(NONCE) == Some(&nonce) => {
                self.published = true;
                Ok(Published::Created)
            }
            Some(_) => Ok(Published::Exists),
            None if taken && code(&error) == Some("BlobAlreadyExists") => {
                Err(StorageError::Retriable(format!("{}, but now there is no such file", call.failed(&error))))
            }
            None => Err(call.failed(&error)),
        }
    }

    /// Uncommitted blocks need no telling: the service drops them. Deleting the blob could hit another worker's.
    async fn discard(&mut self) {}
}

/// The id of a block: all have one length, as the service asks for.
fn block_id(nonce: Uuid, block: u32, attempt: u32) -> Vec<u8> {
    [nonce.as_bytes().as_slice(), &block.to_be_bytes(), &attempt.to_be_bytes()].concat()
}

fn transfer(bytes: u64) -> Duration {
    ANSWER.saturating_add(Duration::from_secs(bytes / SLOWEST))
}

/// One call, to say what was tried where.
struct Call<'a> {
    storage: &'a AzureStorage,
    what: &'static str,
    url: &'a Url,
}

impl Call<'_> {
    async fn within<T>(&self, limit: Duration, call: impl Future<Output = T>) -> Result<T, StorageError> {
        tokio::time::timeout(limit, call).await.map_err(|_| {
            let (what, url) = (self.what, without_query(self.url));
            StorageError::Retriable(format!("{what} {url}: no answer within {} seconds", limit.as_secs()))
        })
    }

    /// What went wrong, without the service's own text: that quotes what was signed.
    fn failed(&self, error: &azure_core::Error) -> StorageError {
        let (what, url) = (self.what, without_query(self.url));
        let ErrorKind::HttpResponse { status, .. } = error.kind() else {
            let message = format!("{what} {url}: {}", innermost(error));
            return match error.kind() {
                ErrorKind::Connection | ErrorKind::Io => StorageError::Retriable(message),
                ErrorKind::Credential if !refused_by_entra(error) => StorageError::Retriable(message),
                _ => StorageError::Fatal(message),
            };
        };
        let code = code(error).unwrap_or("no error code");
        let message = format!("{what} {url}: HTTP {} {code}{}", u16::from(*status), self.hint(code));
        match u16::from(*status) {
            408 | 429 | 500..=599 => StorageError::Retriable(message),
            _ if code == "ContainerBeingDeleted" => StorageError::Retriable(message),
            _ => StorageError::Fatal(message),
        }
    }

    /// What a user can do about it.
    fn hint(&self, code: &str) -> String {
        match code {
            "AuthenticationFailed" => ", the credentials are wrong or expired, or the clock of this machine is".into(),
            "AuthorizationPermissionMismatch" | "InsufficientAccountPermissions" => {
                ", the credentials do not allow it: Storage Blob Data Contributor is enough".into()
            }
            "AuthorizationFailure" => ", the credentials or the network rules of the account do not allow it".into(),
            "AuthorizationResourceTypeMismatch" | "AuthorizationServiceMismatch" => {
                ", the shared access signature is not for it".into()
            }
            "KeyBasedAuthenticationNotPermitted" => ", the account does not take account keys".into(),
            "ContainerNotFound" => format!(", the container {:?} does not exist", self.storage.container_name()),
            "InvalidBlobOrBlock" => ", blocks of another writer are left under this name and go in a week".into(),
            "InvalidBlockList" => {
                ", its blocks are gone: it was published and removed since, or staged more than a week ago".into()
            }
            _ => String::new(),
        }
    }
}

/// Azure's error code.
fn code(error: &azure_core::Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::HttpResponse { error_code, .. } => error_code.as_deref(),
        _ => None,
    }
}

fn refused_by_entra(error: &azure_core::Error) -> bool {
    let mut cause = error.source();
    while let Some(next) = cause {
        let status = next.downcast_ref::<azure_core::Error>().and_then(azure_core::Error::http_status);
        if status.is_some_and(|status| status.is_client_error() && status != StatusCode::TooManyRequests) {
            return true;
        }
        cause = next.source();
    }
    false
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage() -> AzureStorage {
        let container = Url::parse("https://acct.blob.core.windows.net/lake").expect("a URL");
        AzureStorage::new(container, Credential::sas("sv=1&sig=pssst").expect("a signature")).expect("a client")
    }

    #[test]
    fn block_ids_have_one_length_and_never_repeat() {
        let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
        let ids: std::collections::BTreeSet<_> = [(a, 0, 0), (a, 0, 1), (a, 1, 1), (a, 1, 256), (a, 65536, 2), (b, 0, 0)]
            .map(|(nonce, block, attempt)| block_id(nonce, block, attempt))
            .into();
        assert_eq!(ids.len(), 6);
        assert!(ids.iter().all(|id| id.len() == 24));
    }

    #[test]
    fn paths_are_encoded_and_queries_are_not_shown() {
        let url = storage().blob_url("t/day=1/a b+%c/ü.parquet").expect("good");
        assert_eq!(url.path(), "/lake/t/day=1/a%20b+%25c/%C3%BC.parquet");
        assert_eq!(url.query(), Some("sv=1&sig=pssst"));
        assert_eq!(without_query(&url), "https://acct.blob.core.windows.net/lake/t/day=1/a%20b+%25c/%C3%BC.parquet");
        assert_eq!(storage().url(), "https://acct.blob.core.windows.net/lake");
    }

    #[test]
    fn failures_are_named_by_what_the_caller_does() {
        let storage = storage();
        let url = storage.blob_url("a").expect("good");
        let call = Call { storage: &storage, what: "Put Block", url: &url };
        let answered = |status: u16, code: &str| {
            let kind = ErrorKind::HttpResponse {
                status: StatusCode::from(status),
                error_code: Some(code.to_owned()),
                raw_response: None,
            };
            call.failed(&azure_core::Error::with_message(kind, "sig=pssst"))
        };
        for (status, code) in [(503, "ServerBusy"), (500, "OperationTimedOut"), (429, "x"), (409, "ContainerBeingDeleted")] {
            assert!(matches!(answered(status, code), StorageError::Retriable(_)), "{status}");
        }
        for (status, code) in [(403, "AuthenticationFailed"), (401, "NoAuthenticationInformation"), (400, "InvalidHeaderValue")] {
            assert!(matches!(answered(status, code), StorageError::Fatal(_)), "{status}");
        }
        assert_eq!(
            answered(404, "ContainerNotFound").to_string(),
            "Put Block https://acct.blob.core.windows.net/lake/a: HTTP 404 ContainerNotFound, the container \"lake\" does not exist"
        );
        let broken = azure_core::Error::with_message(ErrorKind::Io, "error for https://acct/?sig=pssst");
        assert!(matches!(call.failed(&broken), StorageError::Retriable(m) if !m.contains("pssst")));
    }
}
