//! What `landfall storage check` finds out about a container: each assumption of the commit protocol is tried in a scratch folder.

use std::time::SystemTime;

use azure_core::Uuid;
use azure_core::http::headers::HeaderName;
use azure_core::http::{Method, Url};
use azure_storage_blob::models::ListBlobsIncludeItem;
use landfall_lake::storage::examine::{Answer, Examination, conditional_writes, scratch};
use landfall_lake::storage::{Metadata, Published, Sealed, Staged, StorageError};

use super::account::{Account, CHECKED, Checked};
use super::call::{ANSWER, code, date, without_query};
use super::staged::{AzureStaged, Token};
use super::{AzureStorage, is_folder};

/// Clocks that differ by more than this are worth a word, in milliseconds.
const SKEW: i64 = 60_000;

const VERSION_ID: HeaderName = HeaderName::from_static("x-ms-version-id");
const IS_PERMANENT: HeaderName = HeaderName::from_static("x-ms-delete-type-permanent");

impl AzureStorage {
    pub(super) async fn ask_all(&self) -> Result<Examination, StorageError> {
        let mut found = Examination::default();
        let account = self.account().await?;
        account_found(&account, &mut found);
        let scratch = scratch(&Uuid::new_v4().simple().to_string());
        let asked = self.ask(&scratch, &account, &mut found).await;
        let cleared = self.clear(&scratch, &mut found).await;
        let survive = asked?;
        cleared?;
        let checked = Checked {
            v: 1,
            checked_at: now(),
            hierarchical: account.hierarchical,
            staged_blocks_survive_directories: survive == Some(true),
        };
        match self.record(&checked).await {
            Ok(()) => found.done.push(format!("wrote what was found to {CHECKED}, which tasks read")),
            Err(e) => found.done.push(format!("could not write what was found to {CHECKED}: {e}")),
        }
        Ok(found)
    }

    /// Asks everything; whether staged blocks survive what is done to directories, if it could be tried.
    async fn ask(&self, scratch: &str, account: &Account, found: &mut Examination) -> Result<Option<bool>, StorageError> {
        conditional_writes(self, scratch, found).await?;
        self.staging(scratch, found).await?;
        self.publishing(scratch, found).await?;
        self.deleting(scratch, found).await?;
        self.clock(scratch, found).await?;
        self.directories(scratch, account, found).await
    }

    /// What a staged blob is to others.
    async fn staging(&self, scratch: &str, found: &mut Examination) -> Result<(), StorageError> {
        let path = format!("{scratch}/staged/a.parquet");
        let file = self.sealed(&path, &["landfall ", "staged"]).await?;
        let listed = |blobs: Vec<(String, u64, Metadata)>| blobs.iter().any(|(name, ..)| *name == path);
        let has_head = self.look(&self.blob_url(&path)?).await?.found.is_some();
        let seen = match (has_head, listed(self.blobs(scratch, vec![ListBlobsIncludeItem::Metadata]).await?)) {
            (false, false) => Ok("neither a list nor a request for its properties shows it".to_owned()),
            (head, list) => Err(format!("properties show it: {head}, a list shows it: {list}")),
        };
        found.needs("A2", "a staged blob is invisible", seen, "readers see files that are not finished: do not use this store");

        let uncommitted = listed(self.blobs(scratch, vec![ListBlobsIncludeItem::UncommittedBlobs]).await?);
        let seen = if uncommitted { "it is, to those who ask with include=uncommittedblobs" } else { "it is not, in any list" };
        found.add("A2", "a staged blob is listed by the Blob service", Answer::Fact, seen, "");

        let question = "a staged blob is listed by the Data Lake endpoint";
        match self.data_lake_lists(scratch, &path).await {
            Ok(false) => found.add("A2", question, Answer::Fact, "it is not", ""),
            Ok(true) => {
                let follows =
                    "readers that list through it see empty files until they are published: let them skip files of 0 bytes";
                found.add("A2", question, Answer::Warning, "it is, as a path", follows);
            }
            Err(why) => found.add("A2", question, Answer::NotAsked, why.to_string(), ""),
        }

        let bogus: Vec<_> = token(&file)?.block_ids().into_iter().chain([vec![0xff; 24]]).collect();
        let url = self.blob_url(&path)?;
        let call = self.call("Put Block List", &url);
        let refused = call.within(ANSWER, self.put_block_list(&url, &bogus, "none", &Metadata::new())).await?;
        let is_visible = self.look(&url).await?.found.is_some();
        let landed = self.commit(&file, &Metadata::new()).await?;
        let seen = match (refused.as_ref().map_err(code), is_visible, landed) {
            (Err(Some("InvalidBlockList")), false, Published::Landed) => {
                Ok("nothing was visible, and all was still staged".to_owned())
            }
            (refused, ..) => {
                Err(format!("it was answered by {refused:?}; visible then: {is_visible}, published after: {landed:?}"))
            }
        };
        found.needs(
            "A2",
            "a list with a block that is not there changes nothing",
            seen,
            "files may be lost or incomplete: do not use this store",
        );
        Ok(())
    }

    /// What a list does that is taken.
    async fn publishing(&self, scratch: &str, found: &mut Examination) -> Result<(), StorageError> {
        let path = format!("{scratch}/published/a.parquet");
        let (url, nothing) = (self.blob_url(&path)?, Metadata::new());
        let (first, second) = (self.sealed(&path, &["first ", "file"]).await?, self.sealed(&path, &["second"]).await?);
        let landed = self.commit(&first, &nothing).await?;
        let seen = match (landed, self.commit(&first, &nothing).await?, self.look(&url).await?.found) {
            (Published::Landed, Published::Landed, Some((10, _))) => {
                Ok("it was whole, and a second try recognised it".to_owned())
            }
            (once, again, there) => Err(format!("{once:?}, then {again:?}, with {:?} bytes", there.map(|(size, _)| size))),
        };
        found.needs("A2", "a list makes a whole file visible", seen, "files cannot be published: do not use this store");

        let seen = match (self.commit(&second, &nothing).await?, self.look(&url).await?.found) {
            (Published::Gone { .. }, Some((10, _))) => {
                Ok("the other file's blocks were gone, and its list was refused".to_owned())
            }
            (Published::Conflict, Some((10, _))) => Err("they were kept, though its list was refused".to_owned()),
            (ended, there) => Err(format!("{ended:?}, with {:?} bytes", there.map(|(size, _)| size))),
        };
        found.needs(
            "A2",
            "a list discards all other staged blocks",
            seen,
            "a file that was staged twice may be published later: do not use this store",
        );
        Ok(())
    }

    /// What is left of a file that was deleted, and of what is staged under its name.
    async fn deleting(&self, scratch: &str, found: &mut Examination) -> Result<(), StorageError> {
        let path = format!("{scratch}/deleted/a.parquet");
        let (url, nothing) = (self.blob_url(&path)?, Metadata::new());
        let file = self.sealed(&path, &["once"]).await?;
        self.commit(&file, &nothing).await?;
        let late = self.sealed(&path, &["late"]).await?;
        let seen = match self.look(&url).await?.found {
            Some((4, _)) => Ok("the file stayed as it was".to_owned()),
            there => Err(format!("the file has {:?} bytes after it", there.map(|(size, _)| size))),
        };
        found.needs(
            "A4",
            "a block that comes late changes no file",
            seen,
            "files may change after they are visible: do not use this store",
        );

        let answer = self.send("Delete Blob", Method::Delete, url.clone(), &[]).await?;
        if !answer.status().is_success() {
            let why = format!("the file could not be deleted: HTTP {}", u16::from(answer.status()));
            found.add(
                "A2",
                "a file that was removed does not come back",
                Answer::NotAsked,
                why,
                "credentials that may delete can ask it",
            );
            return Ok(());
        }
        let soft = match answer.headers().get_optional_str(&IS_PERMANENT) {
            Some("false") => (
                "it is on",
                "deleted pointers and files are kept and billed: landfall.state.container can name another container",
            ),
            Some(_) => ("it is off", ""),
            None => ("the answer does not say", ""),
        };
        found.add("", "soft delete", Answer::Fact, soft.0, soft.1);

        let again = self.commit(&file, &nothing).await?;
        let seen = match (again, self.look(&url).await?.found) {
            (Published::Gone { .. }, None) => Ok("its list was refused after it was deleted".to_owned()),
            (ended, there) => Err(format!("{ended:?}, and it is there: {}", there.is_some())),
        };
        found.needs(
            "A2",
            "a file that was removed does not come back",
            seen,
            "files that readers have removed can appear again: do not use this store",
        );

        let follows = "when a task fails because a foreign file has the name of its own, only a new name helps: what is staged goes with the foreign file";
        let (seen, follows) = match self.commit(&late, &nothing).await? {
            Published::Landed => ("it does", ""),
            _ => ("it does not", follows),
        };
        found.add("A3", "what is staged survives that a file of its name is deleted", Answer::Fact, seen, follows);
        Ok(())
    }

    /// How the service's clock stands to this machine's, and whether it keeps versions.
    async fn clock(&self, scratch: &str, found: &mut Examination) -> Result<(), StorageError> {
        let url = self.blob_url(&format!("{scratch}/clock"))?;
        let before = now();
        let answer = self.send("Put Blob", Method::Put, url.clone(), &[("x-ms-blob-type", "BlockBlob")]).await?;
        let after = now();
        let versions = answer.headers().get_optional_str(&VERSION_ID).is_some();
        let seen = if versions { "they are kept" } else { "none are kept" };
        let follows = if versions {
            "each version of a pointer is kept and billed: landfall.state.container can name another container"
        } else {
            ""
        };
        found.add("", "versions of blobs", Answer::Fact, seen, follows);
        match date(answer.headers()) {
            Some(theirs) => {
                // It has whole seconds.
                let ahead = if theirs + 1000 < before { theirs + 1000 - before } else { (theirs - after).max(0) };
                let seen = if ahead == 0 {
                    "it agrees with this machine's".to_owned()
                } else {
                    format!("it is {:+.1} s from this machine's", ahead as f64 / 1e3)
                };
                let (answer, follows) = if ahead.abs() > SKEW {
                    (Answer::Warning, "set this machine's clock: at 15 minutes requests are refused")
                } else {
                    (Answer::Fact, "")
                };
                found.add("", "the service's clock", answer, seen, follows);
            }
            None => found.add("", "the service's clock", Answer::NotAsked, "the answer has no date", ""),
        }
        self.send("Delete Blob", Method::Delete, url, &[]).await.map(drop)
    }

    /// What becomes of staged blocks when a directory above them is renamed or deleted.
    async fn directories(&self, scratch: &str, account: &Account, found: &mut Examination) -> Result<Option<bool>, StorageError> {
        let questions =
            ["staged blocks survive a rename of their directory", "staged blocks survive a delete of their directory"];
        if account.hierarchical == Some(false) {
            for question in questions {
                found.add("A3", question, Answer::Holds, "the namespace is flat: there are no directories", "");
            }
            return Ok(None);
        }
        let mut all = Some(true);
        for (question, renames) in [(questions[0], true), (questions[1], false)] {
            let folder = format!("{scratch}/{}", if renames { "renamed" } else { "removed" });
            match self.survives(&folder, renames).await {
                Ok(true) => found.add("A3", question, Answer::Holds, "they could be published after it", ""),
                Ok(false) => {
                    let follows = "what is staged below is lost with it, so a publish that finds nothing is never taken for landed and fails the task: \
                                   let nobody rename or delete folders that files land in";
                    found.add("A3", question, Answer::Warning, "they could not be published after it", follows);
                    all = all.map(|_| false);
                }
                Err(why) => {
                    let follows = "a publish that finds nothing is never taken for landed and fails the task";
                    found.add("A3", question, Answer::NotAsked, why.to_string(), follows);
                    all = None;
                }
            }
        }
        Ok(all)
    }

    /// Whether a file can be published after its directory was renamed, or deleted.
    async fn survives(&self, folder: &str, renames: bool) -> Result<bool, StorageError> {
        let lake = self.lake()?;
        self.make_directory(lake, folder).await?;
        let file = self.sealed(&format!("{folder}/a.parquet"), &["staged"]).await?;
        if renames {
            self.rename_directory(lake, folder, &format!("{folder}-away")).await?;
        } else {
            self.delete_directory(lake, folder).await?;
        }
        Ok(self.commit(&file, &Metadata::new()).await? == Published::Landed)
    }

    async fn data_lake_lists(&self, folder: &str, path: &str) -> Result<bool, StorageError> {
        self.lists_path(self.lake()?, folder, path).await
    }

    fn lake(&self) -> Result<&Url, StorageError> {
        self.data_lake
            .as_ref()
            .ok_or_else(|| StorageError::Fatal("the account has no Data Lake endpoint that its URL tells".into()))
    }

    /// A file that is staged at a path that only an examination uses.
    async fn sealed(&self, path: &str, blocks: &[&'static str]) -> Result<Sealed, StorageError> {
        let mut staged = AzureStaged::new(self.clone(), path, self.blob_url(path)?, now());
        for block in blocks {
            staged.block((*block).into()).await?;
        }
        staged.seal().await
    }

    /// Removes what is below `scratch`.
    async fn clear(&self, scratch: &str, found: &mut Examination) -> Result<(), StorageError> {
        let mut left = 0;
        let mut removed = 0;
        let all = self.blobs(&format!("{scratch}/"), vec![ListBlobsIncludeItem::Metadata]).await?;
        // What is in a directory goes before it.
        for (path, _, metadata) in all.iter().rev() {
            let answer = self.send("Delete Blob", Method::Delete, self.blob_url(path)?, &[]).await?;
            match answer.status().is_success() {
                true => removed += usize::from(!is_folder(metadata)),
                false => left += 1,
            }
        }
        let left = if left > 0 { format!(", {left} could not be removed") } else { String::new() };
        let url = without_query(&self.container);
        found.done.push(format!(
            "wrote files below {url}/{scratch} and removed {removed} of them{left}; staged blocks that are left go in a week"
        ));
        Ok(())
    }
}

fn account_found(account: &Account, found: &mut Examination) {
    let kind = account.kind.clone().map(|kind| format!("{kind}, ")).unwrap_or_default();
    match (account.hierarchical, &account.unknown) {
        (Some(hierarchical), _) => {
            let namespace = if hierarchical { "hierarchical namespace" } else { "flat namespace" };
            found.add("", "the kind of account", Answer::Fact, format!("{kind}{namespace}"), "");
        }
        (None, why) => {
            let why = why.clone().unwrap_or_else(|| "the answer does not say".into());
            let follows = "it is taken for one with a hierarchical namespace: an account key can ask it";
            found.add("", "the kind of account", Answer::NotAsked, format!("{kind}{why}"), follows);
        }
    }
}

fn token(file: &Sealed) -> Result<Token, StorageError> {
    Token::parse(&file.token).ok_or_else(|| StorageError::Fatal(format!("{:?} is no token of Azure", file.token)))
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
