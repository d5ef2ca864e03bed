//! A blob whose blocks are being staged, at its final path.
//!
//! A block id is sent at most once: every try has its own, and nothing below this module sends a request again. So a file's
//! list can succeed at most once, ever, and a late request of a stopped worker cannot bring back what was removed since.

use async_trait::async_trait;
use azure_core::Uuid;
use azure_core::http::Url;
use bytes::Bytes;
use landfall_lake::storage::{Sealed, Staged, StorageError};

use super::AzureStorage;
use super::call::{code, date, transfer};

/// Where what was staged is found again: the nonce of the file and, for each of its blocks, the try that reached the service.
///
/// As text it is the nonce and the tries by runs: `<nonce>.3,1x2,40` is three blocks of the first try, one of the third (the first is
/// try 0), and forty of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) nonce: Uuid,
    tries: Vec<Run>,
}

/// Adjacent blocks that reached the service with the same try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    blocks: u32,
    attempt: u32,
}

impl Token {
    fn new() -> Self {
        Self { nonce: Uuid::new_v4(), tries: Vec::new() }
    }

    fn push(&mut self, attempt: u32) {
        match self.tries.last_mut() {
            Some(run) if run.attempt == attempt => run.blocks += 1,
            _ => self.tries.push(Run { blocks: 1, attempt }),
        }
    }

    /// The ids of its blocks, in their order.
    pub(super) fn block_ids(&self) -> Vec<Vec<u8>> {
        let attempts = self.tries.iter().flat_map(|run| std::iter::repeat_n(run.attempt, run.blocks as usize));
        attempts.enumerate().map(|(block, attempt)| block_id(self.nonce, block as u32, attempt)).collect()
    }

    /// Reads what [`Display`](std::fmt::Display) wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (nonce, runs) = text.split_once('.')?;
        let run = |run: &str| {
            let (blocks, attempt) = run.split_once('x').unwrap_or((run, "0"));
            Some(Run { blocks: blocks.parse().ok()?, attempt: attempt.parse().ok()? })
        };
        let tries = runs.split(',').filter(|run| !run.is_empty()).map(run).collect::<Option<_>>()?;
        Some(Self { nonce: Uuid::try_parse(nonce).ok()?, tries })
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.", self.nonce.simple())?;
        for (i, run) in self.tries.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match run.attempt {
                0 => write!(f, "{comma}{}", run.blocks)?,
                attempt => write!(f, "{comma}{}x{attempt}", run.blocks)?,
            }
        }
        Ok(())
    }
}

/// The id of a block: all have one length, as the service asks for.
fn block_id(nonce: Uuid, block: u32, attempt: u32) -> Vec<u8> {
    [nonce.as_bytes().as_slice(), &block.to_be_bytes(), &attempt.to_be_bytes()].concat()
}

#[derive(Debug)]
pub(super) struct AzureStaged {
    storage: AzureStorage,
    path: String,
    url: Url,
    token: Token,
    /// Blocks that the service has, and tries of the next one that were sent.
    blocks: u32,
    attempts: u32,
    size: u64,
    /// When the service last answered, by its clock.
    staged_at: i64,
    sealed: bool,
}

impl AzureStaged {
    /// A new blob at `path`, of which the service said at `now` that there is none.
    pub(super) fn new(storage: AzureStorage, path: &str, url: Url, now: i64) -> Self {
        let (path, token) = (path.to_owned(), Token::new());
        Self { storage, path, url, token, blocks: 0, attempts: 0, size: 0, staged_at: now, sealed: false }
    }
}

#[async_trait]
impl Staged for AzureStaged {
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError> {
        if self.sealed {
            return Err(StorageError::Fatal(format!("{} is sealed and takes no more", self.path)));
        }
        if block.is_empty() {
            return Ok(());
        }
        let (attempt, is_first) = (self.attempts, self.blocks == 0);
        let id = block_id(self.token.nonce, self.blocks, attempt);
        // Counted before it is sent: also a try that nobody waits for any more has used its id.
        self.attempts += 1;
        let call = self.storage.call("Put Block", &self.url);
        let (client, size) = (self.storage.block_blob(self.url.clone())?, block.len() as u64);
        let answer = match call.within(transfer(size), client.stage_block(&id, size, block.into(), None)).await? {
            Ok(answer) => answer,
            // Blocks with ids of another length are staged there, or it is no block blob.
            Err(e) if is_first && matches!(code(&e), Some("InvalidBlobOrBlock" | "InvalidBlobType")) => {
                return Err(StorageError::Taken(call.failed(&e).to_string()));
            }
            Err(e) => return Err(call.failed(&e)),
        };
        self.token.push(attempt);
        self.blocks += 1;
        self.attempts = 0;
        self.size += size;
        self.staged_at = date(answer.headers()).unwrap_or(self.staged_at);
        Ok(())
    }

    async fn seal(&mut self) -> Result<Sealed, StorageError> {
        self.sealed = true;
        let (path, token) = (self.path.clone(), self.token.to_string());
        Ok(Sealed { path, token, size: self.size, staged_at: self.staged_at })
    }

    /// Uncommitted blocks need no telling: the service drops them. Deleting the blob could hit another worker's.
    async fn discard(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_token_tells_the_ids_of_all_blocks() {
        let nonce = Uuid::try_parse("000102030405060708090a0b0c0d0e0f").expect("a nonce");
        for (attempts, runs) in [
            (vec![], ""),
            (vec![0], "1"),
            (vec![0, 0, 0, 2, 0, 0], "3,1x2,2"),
            (vec![1, 1, 7, 0], "2x1,1x7,1"),
            (vec![0; 50_000], "50000"),
        ] {
            let mut token = Token { nonce, tries: Vec::new() };
            attempts.iter().for_each(|attempt| token.push(*attempt));
            let text = token.to_string();
            assert_eq!(text, format!("000102030405060708090a0b0c0d0e0f.{runs}"));
            assert_eq!(Token::parse(&text).as_ref(), Some(&token));
            let ids: Vec<_> = (0..).zip(&attempts).map(|(block, attempt)| block_id(nonce, block, *attempt)).collect();
            assert_eq!(token.block_ids(), ids);
        }
        for bad in [
            "",
            "x.1",
            "000102030405060708090a0b0c0d0e0f",
            "000102030405060708090a0b0c0d0e0f.1x",
            "000102030405060708090a0b0c0d0e0f.-1",
        ] {
            assert_eq!(Token::parse(bad), None, "{bad}");
        }
    }
}
