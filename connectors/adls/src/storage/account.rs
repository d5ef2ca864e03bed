//! What kind of account it is, and what `landfall storage check` has found out about it.
//!
//! In a flat namespace a folder is a part of a name, so nothing but a call that names the blob can take staged blocks away. Of a
//! hierarchical one it is not documented what becomes of them when a directory above them is renamed or deleted.

use azure_core::http::Url;
use azure_core::http::headers::HeaderName;
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use landfall_lake::storage::{StorageError, Written};
use serde::{Deserialize, Serialize};

use super::AzureStorage;
use super::call::ANSWER;

/// Where `landfall storage check` writes down what it has found.
pub(super) const CHECKED: &str = "_landfall/v1/check.json";

static IS_HIERARCHICAL: HeaderName = HeaderName::from_static("x-ms-is-hns-enabled");
static KIND: HeaderName = HeaderName::from_static("x-ms-account-kind");
static SKU: HeaderName = HeaderName::from_static("x-ms-sku-name");

/// What `landfall storage check` has found out, as it writes it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checked {
    /// The form of this.
    pub(super) v: u32,
    /// When, in milliseconds since the epoch.
    pub(super) checked_at: i64,
    /// Whether the account has a hierarchical namespace, if that is known.
    pub(super) hierarchical: Option<bool>,
    /// Whether staged blocks can be published after the directory above them was renamed, and after it was deleted. False if it was
    /// not tried.
    pub(super) staged_blocks_survive_directories: bool,
}

/// What the service says of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Whether its namespace is hierarchical, if it says so.
    pub(super) hierarchical: Option<bool>,
    /// Its kind, such as `StorageV2`, and its redundancy, such as `Standard_LRS`.
    pub(super) kind: Option<String>,
    /// Why it was not said.
    pub(super) unknown: Option<String>,
}

impl AzureStorage {
    /// Whether blocks that are staged stay staged, until they are published or a week has passed, whatever others do to directories.
    /// Asked once.
    pub(super) async fn keeps_staged_blocks(&self) -> Result<bool, StorageError> {
        let ask = async {
            if self.account().await?.hierarchical == Some(false) {
                return Ok(true);
            }
            let checked = self.get_object(CHECKED).await?.and_then(|(text, _)| serde_json::from_slice::<Checked>(&text).ok());
            Ok(checked.is_some_and(|checked| checked.hierarchical == Some(false) || checked.staged_blocks_survive_directories))
        };
        self.keeps_staged_blocks.get_or_try_init(|| ask).await.copied()
    }

    /// Writes down what was found out.
    pub(super) async fn record(&self, checked: &Checked) -> Result<(), StorageError> {
        let text = serde_json::to_vec(checked).map_err(|e| StorageError::Fatal(format!("{CHECKED} cannot be written: {e}")))?;
        let before = self.get_object(CHECKED).await?.map(|(_, version)| version);
        match self.put_object(CHECKED, text.into(), before.as_ref()).await? {
            Written::Done(_) => Ok(()),
            Written::Refused => Err(StorageError::Retriable(format!("{CHECKED} was written by another at the same time"))),
        }
    }

    /// Asks what kind of account it is. Credentials that may not ask leave it unknown.
    pub(super) async fn account(&self) -> Result<Account, StorageError> {
        let url = self.account_url();
        let call = self.call("Get Account Information", &url);
        let options = BlobServiceClientOptions { client_options: self.options.clone(), ..Default::default() };
        let client = BlobServiceClient::new(url.clone(), self.token(), Some(options)).map_err(|e| self.unusable(&e))?;
        let answer = match call.within(ANSWER, client.get_account_info(None)).await? {
            Ok(answer) => answer,
            Err(e) => match call.failed(&e) {
                StorageError::Retriable(why) => return Err(StorageError::Retriable(why)),
                why => return Ok(Account { unknown: Some(why.to_string()), ..Account::default() }),
            },
        };
        let said = |name: &HeaderName| answer.headers().get_optional_str(name);
        let kind = match (said(&KIND), said(&SKU)) {
            (Some(kind), Some(sku)) => Some(format!("{kind}, {sku}")),
            (kind, sku) => kind.or(sku).map(str::to_owned),
        };
        let hierarchical = said(&IS_HIERARCHICAL).and_then(|said| said.to_ascii_lowercase().parse().ok());
        let unknown = hierarchical.is_none().then(|| "the answer does not say".to_owned());
        Ok(Account { hierarchical, kind, unknown })
    }

    /// The URL of the account, without the container.
    fn account_url(&self) -> Url {
        let mut url = self.container.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().pop();
        }
        url
    }
}
