//! One Put Block List makes a file visible; what its refusal means is found out by looking at the blob.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::{Etag, Url};
use azure_storage_blob::models::{Block, BlockBlobClientCommitBlockListOptions, BlockListType, BlockLookupList};
use landfall_lake::storage::{Metadata, Published, Sealed, StorageError};

use super::call::{ANSWER, code, condition_failed, date, date_of_error, not_found, without_query};
use super::staged::Token;
use super::{AzureStorage, Look, NONCE};

/// How often a publish begins again when the blob that was in its way is gone.
const TRIES: usize = 3;

/// What there is at a path.
#[derive(Debug)]
struct There {
    /// When the service said so.
    now: Option<i64>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Our file.
    Ours,
    /// Another file, and all that we have staged.
    Staged,
    /// Another file.
    Another,
    /// Nothing.
    Nothing,
}

impl AzureStorage {
    pub(super) async fn commit(&self, file: &Sealed, metadata: &Metadata) -> Result<Published, StorageError> {
        let Some(token) = Token::parse(&file.token) else {
            return Err(StorageError::Fatal(format!("{} cannot be published: {:?} is no token of Azure", file.path, file.token)));
        };
        let (url, ids) = (self.blob_url(&file.path)?, token.block_ids());
        for _ in 0..TRIES {
            let call = self.call("Put Block List", &url);
            let nonce = token.nonce.simple().to_string();
            let Err(error) = call.within(ANSWER, self.put_block_list(&url, &ids, &nonce, metadata)).await? else {
                return Ok(Published::Landed);
            };
            let (there, is_in_the_way) = match code(&error) {
                _ if condition_failed(&error) => (self.in_the_way(&token, &ids, &url).await?, true),
                // Our blocks are used up or lost.
                Some("InvalidBlockList") => (self.instead(&token, &url).await?, false),
                _ => return Err(call.failed(&error)),
            };
            let now = there.now.or(date_of_error(&error)).unwrap_or(file.staged_at);
            let age = Duration::from_millis(u64::try_from(now - file.staged_at).unwrap_or_default());
            return Ok(match there.what {
                What::Ours => Published::Landed,
                What::Staged => Published::Conflict,
                // It went away between the two calls: what the next Put Block List says counts.
                What::Nothing if is_in_the_way => continue,
                // Whoever wrote it may have done so before ours was published, and thereby discarded what was staged.
                What::Another => Published::Gone { age, conclusive: false },
                What::Nothing => Published::Gone { age, conclusive: self.keeps_staged_blocks().await? },
            });
        }
        Err(StorageError::Retriable(format!("Put Block List {}: a blob of that name comes and goes", without_query(&url))))
    }

    /// Makes the blocks `ids` a file with `metadata` and the nonce, if there is none of its name.
    pub(super) async fn put_block_list(
        &self,
        url: &Url,
        ids: &[Vec<u8>],
        nonce: &str,
        metadata: &Metadata,
    ) -> azure_core::Result<()> {
        let mut metadata: HashMap<_, _> = metadata.clone().into_iter().collect();
        metadata.insert(NONCE.to_owned(), nonce.to_owned());
        let options = BlockBlobClientCommitBlockListOptions {
            if_none_match: Some(Etag::from("*")),
            metadata: Some(metadata),
            ..Default::default()
        };
        // Never `Latest` or `Committed`: ids that are used up must not be found again.
        let list = BlockLookupList { uncommitted: Some(ids.to_vec()), ..Default::default() };
        let client =
            self.block_blob(url.clone()).map_err(|e| azure_core::Error::with_message(ErrorKind::Other, e.to_string()))?;
        client.commit_block_list(list.try_into()?, Some(options)).await.map(drop)
    }

    /// What it is that has the name, and whether ours is still staged beside it.
    async fn in_the_way(&self, token: &Token, ids: &[Vec<u8>], url: &Url) -> Result<There, StorageError> {
        let call = self.call("Get Block List", url);
        let client = self.block_blob(url.clone())?;
        let answer = match call.within(ANSWER, client.get_block_list(BlockListType::All, None)).await? {
            Ok(answer) => answer,
            Err(e) if not_found(&e) => return Ok(There { now: date_of_error(&e), what: What::Nothing }),
            // It is no block blob: another's, under which nothing of ours can be staged.
            Err(e) if code(&e) == Some("InvalidBlobType") => return Ok(There { now: date_of_error(&e), what: What::Another }),
            Err(e) => return Err(call.failed(&e)),
        };
        let now = date(answer.headers());
        let list = answer.into_model().map_err(|e| call.failed(&e))?;
        let names =
            |blocks: Option<Vec<Block>>| blocks.into_iter().flatten().filter_map(|block| block.name).collect::<HashSet<_>>();
        let (committed, staged) = (names(list.committed_blocks), names(list.uncommitted_blocks));
        let what = match ids.first() {
            // An empty file has no blocks to tell it by.
            None => match self.instead(token, url).await?.what {
                What::Another => What::Staged,
                what => what,
            },
            Some(first) if committed.contains(first) => What::Ours,
            Some(_) if ids.iter().all(|id| staged.contains(id)) => What::Staged,
            Some(_) => What::Another,
        };
        Ok(There { now, what })
    }

    /// What is visible where our blocks are not staged any more.
    async fn instead(&self, token: &Token, url: &Url) -> Result<There, StorageError> {
        let Look { now, found } = self.look(url).await?;
        let what = match found {
            Some((_, metadata)) if metadata.get(NONCE) == Some(&token.nonce.simple().to_string()) => What::Ours,
            Some(_) => What::Another,
            None => What::Nothing,
        };
        Ok(There { now, what })
    }
}
