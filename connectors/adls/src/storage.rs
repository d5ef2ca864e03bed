//! A container of block blobs as a store: blocks are staged at the final path, one Put Block List makes them a file.

mod account;
mod call;
mod counts;
mod data_lake;
mod examine;
mod object;
mod publish;
mod staged;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{ClientOptions, RetryOptions, StatusCode, Url};
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders, BlobContainerClientListBlobsOptions, HttpRange,
    ListBlobsIncludeItem,
};
use azure_storage_blob::{
    BlobClient, BlobClientOptions, BlobContainerClient, BlobContainerClientOptions, BlockBlobClient, BlockBlobClientOptions,
};
use bytes::Bytes;
use futures::TryStreamExt;
use landfall_lake::storage::examine::Examination;
use landfall_lake::storage::{
    Answers, Area, Calls, HIDDEN, Metadata, Object, Published, Sealed, Staged, Storage, StorageError, Version, Written,
    checked_path, hidden_path, visible_path,
};
use tokio::sync::OnceCell;

use crate::credential::Credential;
use crate::http::{Net, transport};
use call::{ANSWER, Call, code, date, date_of_error, not_found, transfer, without_query};
use counts::Counts;
use staged::AzureStaged;

/// The metadata that tells whose file has a name; it is not shown to callers.
const NONCE: &str = "landfall_nonce";
/// The metadata by which the Blob service marks directories of hierarchical namespaces.
const IS_FOLDER: &str = "hdi_isfolder";
/// Where [`Storage::check`] stages a block that is never published.
const CHECK: &str = "_landfall/check/block";

/// A container as a [`Storage`]. It sends each request once: callers that are told [`StorageError::Retriable`] try again.
#[derive(Clone, Debug)]
pub struct AzureStorage {
    container: Url,
    container_name: Arc<str>,
    credential: Credential,
    options: ClientOptions,
    counts: Counts,
    keeps_staged_blocks: Arc<OnceCell<bool>>,
    /// The container at the account's Data Lake endpoint, if it has one that is known.
    data_lake: Option<Url>,
    /// What `_landfall` is below, if not the container itself.
    item: Option<Arc<str>>,
    /// Whether the container is there, if it is made when it is missing.
    made: Option<Arc<OnceCell<()>>>,
}

/// What there is at a path.
struct Look {
    /// When the service said so, by its clock in milliseconds since the epoch.
    now: Option<i64>,
    /// The visible blob's size and metadata, with ours and Azure's own.
    found: Option<(u64, Metadata)>,
}

impl AzureStorage {
    /// The container at `container` (`https://<account>.blob.core.windows.net/<container>`). Does no I/O.
    ///
    /// # Errors
    /// This machine has no root certificates to check the service's by.
    pub fn new(container: Url, credential: Credential) -> Result<Self, StorageError> {
        Self::through(container, credential, &Net::default())
    }

    /// The same by the way that `net` says.
    ///
    /// # Errors
    /// No client can be made: this machine has no root certificates, or the CA file cannot be read.
    pub fn through(mut container: Url, credential: Credential, net: &Net) -> Result<Self, StorageError> {
        let counts = Counts::default();
        let mut options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(transport(net).map_err(StorageError::Fatal)?),
            ..ClientOptions::default()
        };
        options.per_try_policies.push(Arc::new(counts.clone()));
        match &credential {
            Credential::Key(key) => options.per_try_policies.push(Arc::new(key.clone())),
            Credential::Sas(sas) => container.set_query(Some(sas.secret())),
            Credential::Token(_) => {}
        }
        let container_name = container.path().rsplit('/').next().unwrap_or_default().into();
        let data_lake = data_lake::beside(&container);
        let (keeps_staged_blocks, item, made) = (Arc::default(), None, None);
        Ok(Self { container, container_name, credential, options, counts, keeps_staged_blocks, data_lake, item, made })
    }

    /// The same, with the container made if it is missing when it is first needed.
    #[must_use]
    pub fn creating(self) -> Self {
        Self { made: Some(Arc::default()), ..self }
    }

    /// The same with all that is hidden (`_landfall/…`) below the folder `item`. OneLake takes files only below an item of a workspace.
    #[must_use]
    pub fn hiding_below(self, item: &str) -> Self {
        Self { item: Some(item.into()), data_lake: None, ..self }
    }

    /// The same with the container `url` at a Data Lake endpoint that its own URL does not tell. Only [`Storage::examine`] asks it.
    #[must_use]
    pub fn with_data_lake(self, mut url: Url) -> Self {
        url.set_query(self.container.query());
        Self { data_lake: Some(url), ..self }
    }

    fn token(&self) -> Option<Arc<dyn azure_core::credentials::TokenCredential>> {
        match &self.credential {
            Credential::Token(entra) => Some(entra.credential()),
            _ => None,
        }
    }

    fn blob_url(&self, path: &str) -> Result<Url, StorageError> {
        below(&self.container, &self.located(path))
    }

    /// Where in the container `path` is, which may be the beginning of one.
    fn located<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match &self.item {
            Some(item) if path.split('/').next() == Some(HIDDEN) => Cow::Owned(format!("{item}/{path}")),
            _ => Cow::Borrowed(path),
        }
    }

    /// What is called `located` in the container.
    fn path_of(&self, located: String) -> String {
        let hidden =
            |item: &str| located.strip_prefix(item)?.strip_prefix('/').filter(|rest| rest.split('/').next() == Some(HIDDEN));
        self.item.as_deref().and_then(hidden).map(str::to_owned).unwrap_or(located)
    }

    /// Makes the container if it is missing and is to be made. Asked once.
    async fn ready(&self) -> Result<(), StorageError> {
        match &self.made {
            Some(made) => made.get_or_try_init(|| self.make_container()).await.copied(),
            None => Ok(()),
        }
    }

    async fn make_container(&self) -> Result<(), StorageError> {
        let url = self.container.clone();
        let call = self.call("Create Container", &url);
        let options = BlobContainerClientOptions { client_options: self.options.clone(), ..Default::default() };
        let client = BlobContainerClient::new(url.clone(), self.token(), Some(options)).map_err(|e| self.unusable(&e))?;
        let refused = match call.within(ANSWER, client.create(None)).await? {
            Ok(_) => return Ok(()),
            Err(e) if code(&e) == Some("ContainerAlreadyExists") => return Ok(()),
            Err(e) => e,
        };
        // Who may not make containers may use those that there are.
        let may_not = refused.http_status() == Some(StatusCode::Forbidden);
        if may_not && call.within(ANSWER, client.get_properties(None)).await?.is_ok() {
            return Ok(());
        }
        Err(call.failed(&refused))
    }

    fn block_blob(&self, url: Url) -> Result<BlockBlobClient, StorageError> {
        let options = BlockBlobClientOptions { client_options: self.options.clone(), ..Default::default() };
        BlockBlobClient::new(url, self.token(), Some(options)).map_err(|e| self.unusable(&e))
    }

    fn blob(&self, url: Url) -> Result<BlobClient, StorageError> {
        let options = BlobClientOptions { client_options: self.options.clone(), ..Default::default() };
        BlobClient::new(url, self.token(), Some(options)).map_err(|e| self.unusable(&e))
    }

    fn unusable(&self, error: &azure_core::Error) -> StorageError {
        StorageError::Fatal(format!("{} cannot be used: {:?}", self.url(), error.kind()))
    }

    fn call<'a>(&'a self, what: &'static str, url: &'a Url) -> Call<'a> {
        Call { what, url, container: &self.container_name, credential: &self.credential }
    }

    /// Asks for size and metadata of a visible blob.
    async fn look(&self, url: &Url) -> Result<Look, StorageError> {
        let call = self.call("Get Blob Properties", url);
        let client = self.blob(url.clone())?;
        match call.within(ANSWER, client.get_properties(None)).await? {
            Ok(answer) => {
                let read = || Ok((answer.content_length()?.unwrap_or_default(), answer.metadata()?.into_iter().collect()));
                let found = read().map_err(|e| call.failed(&e))?;
                Ok(Look { now: date(answer.headers()), found: Some(found) })
            }
            Err(e) if not_found(&e) => Ok(Look { now: date_of_error(&e), found: None }),
            Err(e) => Err(call.failed(&e)),
        }
    }

    /// All blobs whose names begin with `prefix`, and of those that are not committed when `include` says so.
    async fn blobs(
        &self,
        prefix: &str,
        include: Vec<ListBlobsIncludeItem>,
    ) -> Result<Vec<(String, u64, Metadata)>, StorageError> {
        let url = self.container.clone();
        let call = self.call("List Blobs", &url);
        let options = BlobContainerClientOptions { client_options: self.options.clone(), ..Default::default() };
        let client = BlobContainerClient::new(url.clone(), self.token(), Some(options)).map_err(|e| self.unusable(&e))?;
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(self.located(prefix).into_owned()).filter(|prefix| !prefix.is_empty()),
            include: Some(include),
            ..Default::default()
        };
        let mut pages = client.list_blobs(Some(options)).map_err(|e| call.failed(&e))?.into_pages();
        let mut blobs = Vec::new();
        while let Some(page) = call.within(ANSWER, pages.try_next()).await?.map_err(|e| call.failed(&e))? {
            for item in page.into_model().map_err(|e| call.failed(&e))?.blob_items {
                let size = item.properties.and_then(|properties| properties.content_length).unwrap_or_default();
                let metadata: Metadata =
                    item.metadata.and_then(|metadata| metadata.values).unwrap_or_default().into_iter().collect();
                blobs.push((self.path_of(item.name.unwrap_or_default()), size, metadata));
            }
        }
        blobs.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(blobs)
    }
}

#[async_trait]
impl Storage for AzureStorage {
    fn url(&self) -> String {
        without_query(&self.container)
    }

    fn calls(&self) -> Vec<Calls> {
        self.counts.read()
    }

    fn answers(&self) -> Vec<Answers> {
        self.counts.answers()
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.ready().await?;
        // One block that is never published: it shows that files may be written, and the service drops it in a week.
        let url = self.blob_url(CHECK)?;
        let call = self.call("Put Block", &url);
        let block = Bytes::from_static(b"landfall");
        let client = self.block_blob(url.clone())?;
        call.within(ANSWER, client.stage_block(&[0; 24], block.len() as u64, block.into(), None))
            .await?
            .map_err(|e| call.failed(&e))?;
        self.look(&url).await.map(drop)
    }

    async fn stage(&self, path: &str, area: &Area) -> Result<Box<dyn Staged>, StorageError> {
        let url = self.blob_url(visible_path(path)?)?;
        checked_path(&area.partition)?;
        self.ready().await?;
        let Look { now, found } = self.look(&url).await?;
        if found.is_some() {
            return Err(StorageError::Taken(format!("{} is there", without_query(&url))));
        }
        Ok(Box::new(AzureStaged::new(self.clone(), path, url, now.unwrap_or_default())))
    }

    async fn publish(&self, file: &Sealed, metadata: &Metadata) -> Result<Published, StorageError> {
        visible_path(&file.path)?;
        self.commit(file, metadata).await
    }

    /// Does nothing: the service drops blocks a week after the last one, and nothing but a delete of the blob does so before, which
    /// could hit another worker's.
    async fn sweep(&self, area: &Area) -> Result<(), StorageError> {
        checked_path(&area.partition).map(drop)
    }

    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError> {
        let found = self.look(&self.blob_url(visible_path(path)?)?).await?.found;
        Ok(found.and_then(|(size, metadata)| object(path.to_owned(), size, metadata)))
    }

    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let url = self.blob_url(visible_path(path)?)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let call = self.call("Get Blob", &url);
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
        let found = self.blobs(prefix, vec![ListBlobsIncludeItem::Metadata]).await?;
        let files = found.into_iter().filter(|(path, ..)| path.split('/').next() != Some(HIDDEN));
        Ok(files.filter_map(|(path, size, metadata)| object(path, size, metadata)).collect())
    }

    async fn get(&self, path: &str) -> Result<Option<(Bytes, Version)>, StorageError> {
        self.get_object(path).await
    }

    async fn put(&self, path: &str, content: Bytes, expected: Option<&Version>) -> Result<Written, StorageError> {
        self.put_object(path, content, expected).await
    }

    async fn remove(&self, path: &str, expected: &Version) -> Result<bool, StorageError> {
        self.remove_object(path, expected).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        if !prefix.starts_with(&format!("{HIDDEN}/")) {
            hidden_path(prefix)?;
        }
        let found = self.blobs(prefix, vec![ListBlobsIncludeItem::Metadata]).await?;
        Ok(found.into_iter().filter(|(.., metadata)| !is_folder(metadata)).map(|(path, ..)| path).collect())
    }

    async fn examine(&self) -> Result<Examination, StorageError> {
        self.ask_all().await
    }
}

/// The URL of `path` in a container. Slashes stay slashes: a path of three names is three folders, in signatures and logs too.
fn below(container: &Url, path: &str) -> Result<Url, StorageError> {
    let mut url = container.clone();
    url.path_segments_mut()
        .map_err(|()| StorageError::Fatal(format!("{} is no base of a path", without_query(container))))?
        .extend(checked_path(path)?.split('/'));
    Ok(url)
}

/// A file, or None for a directory.
fn object(path: String, size: u64, mut metadata: Metadata) -> Option<Object> {
    metadata.remove(NONCE);
    (!is_folder(&metadata)).then_some(Object { path, size, metadata })
}

fn is_folder(metadata: &Metadata) -> bool {
    metadata.get(IS_FOLDER).map(String::as_str) == Some("true")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_hidden_may_be_below_an_item() {
        let container = Url::parse("https://onelake.blob.fabric.microsoft.com/space").expect("a URL");
        let storage = AzureStorage::new(container, Credential::sas("sv=1&sig=pssst").expect("a signature")).expect("a client");
        let storage = storage.hiding_below("Sales.Lakehouse/Files");
        for (path, expected) in [
            ("_landfall/v1/check.json", "/space/Sales.Lakehouse/Files/_landfall/v1/check.json"),
            ("Sales.Lakehouse/Files/raw/a.parquet", "/space/Sales.Lakehouse/Files/raw/a.parquet"),
        ] {
            assert_eq!(storage.blob_url(path).expect("good").path(), expected);
            assert_eq!(storage.path_of(expected.trim_start_matches("/space/").to_owned()), path);
        }
    }

    #[test]
    fn paths_are_encoded_and_queries_are_not_shown() {
        let container = Url::parse("https://acct.blob.core.windows.net/lake").expect("a URL");
        let storage = AzureStorage::new(container, Credential::sas("sv=1&sig=pssst").expect("a signature")).expect("a client");
        let url = storage.blob_url("t/day=1/a b+%c/ü.parquet").expect("good");
        assert_eq!(url.path(), "/lake/t/day=1/a%20b+%25c/%C3%BC.parquet");
        assert_eq!(url.query(), Some("sv=1&sig=pssst"));
        assert_eq!(without_query(&url), "https://acct.blob.core.windows.net/lake/t/day=1/a%20b+%25c/%C3%BC.parquet");
        assert_eq!(storage.url(), "https://acct.blob.core.windows.net/lake");
    }

    proptest! {
        /// What a path names is below the container, by a name for each of its own.
        #[test]
        fn no_path_leaves_the_container(path in r"[a./\\%2e?#;&\x00-]{0,16}|\PC{0,8}") {
            let container = Url::parse("https://acct.blob.core.windows.net/lake?sig=x").expect("a URL");
            if let Ok(url) = below(&container, &path) {
                let names: Vec<_> = url.path().split('/').skip(1).collect();
                prop_assert_eq!((url.host_str(), url.query(), names[0]), (container.host_str(), Some("sig=x"), "lake"), "{}", path);
                prop_assert_eq!(names.len(), path.split('/').count() + 1, "{}: {}", path, url);
                let leaves = |name: &str| matches!(name.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
                prop_assert!(!names.iter().any(|name| leaves(name)), "{}: {}", path, url);
            }
        }
    }
}
