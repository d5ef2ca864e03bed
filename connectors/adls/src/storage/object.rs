//! Small objects: one Put Blob with a condition replaces one, and its ETag is its version.

use std::num::NonZero;

use azure_core::http::Etag;
use azure_storage_blob::models::{BlobClientDeleteOptions, BlockBlobClientUploadOptions};
use bytes::Bytes;
use landfall_lake::storage::{StorageError, Version, Written, hidden_path};

use super::AzureStorage;
use super::call::{ANSWER, condition_failed, not_found, transfer};

impl AzureStorage {
    pub(super) async fn get_object(&self, path: &str) -> Result<Option<(Bytes, Version)>, StorageError> {
        let url = self.blob_url(hidden_path(path)?)?;
        self.ready().await?;
        let call = self.call("Get Blob", &url);
        let client = self.blob(url.clone())?;
        let read = async {
            let answer = client.download(None).await?;
            Ok((answer.properties.etag, answer.body.collect().await?))
        };
        match call.within(ANSWER, read).await? {
            Ok((Some(etag), content)) => Ok(Some((content, version(&etag)))),
            Ok((None, _)) => Err(StorageError::Fatal(format!("Get Blob {path}: the answer has no ETag"))),
            Err(e) if not_found(&e) => Ok(None),
            Err(e) => Err(call.failed(&e)),
        }
    }

    pub(super) async fn put_object(
        &self,
        path: &str,
        content: Bytes,
        expected: Option<&Version>,
    ) -> Result<Written, StorageError> {
        let url = self.blob_url(hidden_path(path)?)?;
        self.ready().await?;
        let call = self.call("Put Blob", &url);
        let (client, size) = (self.block_blob(url.clone())?, content.len() as u64);
        let options = BlockBlobClientUploadOptions {
            blob_content_type: Some("application/json".into()),
            if_match: expected.map(etag),
            if_none_match: expected.is_none().then(|| Etag::from("*")),
            // One request, whatever the size: several would be blocks and a list.
            partition_size: Some(NonZero::<u64>::MAX),
            ..Default::default()
        };
        match call.within(transfer(size), client.upload(content.into(), Some(options))).await? {
            Ok(answer) => match answer.etag {
                Some(etag) => Ok(Written::Done(version(&etag))),
                // It is written, and nobody knows as what.
                None => Err(StorageError::Retriable(format!("Put Blob {path}: the answer has no ETag"))),
            },
            Err(e) if condition_failed(&e) => Ok(Written::Refused),
            Err(e) => Err(call.failed(&e)),
        }
    }

    pub(super) async fn remove_object(&self, path: &str, expected: &Version) -> Result<bool, StorageError> {
        let url = self.blob_url(hidden_path(path)?)?;
        let call = self.call("Delete Blob", &url);
        let client = self.blob(url.clone())?;
        let options = BlobClientDeleteOptions { if_match: Some(etag(expected)), ..Default::default() };
        match call.within(ANSWER, client.delete(Some(options))).await? {
            Ok(_) => Ok(true),
            Err(e) if condition_failed(&e) || not_found(&e) => Ok(false),
            Err(e) => Err(call.failed(&e)),
        }
    }
}

fn version(etag: &Etag) -> Version {
    Version(etag.to_string().into())
}

fn etag(version: &Version) -> Etag {
    Etag::from(version.0.to_string())
}
