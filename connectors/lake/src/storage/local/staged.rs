//! Files that are not visible yet: `_landfall/stage/<partition>/<epoch>-<nonce>`, until they are renamed to their paths.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;

use super::{blocking, failed, gone, keep, kept, make_folders, nonce, rename_new, sync_folder, unrenamed};
use crate::storage::local::attributes::TOKEN;
use crate::storage::{Area, Metadata, Published, Sealed, Staged, StorageError};

/// How often a publish begins again when the target's folders are removed under it.
const TRIES: usize = 5;

/// A file that is being staged; empty only while a call is under way or after one was cancelled.
#[derive(Debug)]
pub(super) struct LocalStaged(Option<StagedFile>);

#[derive(Debug)]
struct StagedFile {
    file: File,
    place: PathBuf,
    path: String,
    token: String,
    size: u64,
    sealed: Option<Sealed>,
    broken: Option<String>,
}

impl LocalStaged {
    /// A new file of `area` below the folder `stage`, for `path`.
    pub(super) fn new(root: &Path, stage: &Path, path: String, area: &Area) -> Result<Self, StorageError> {
        let folder = stage.join(&area.partition);
        make_folders(root, &folder).map_err(|e| failed("cannot make", &folder, &e))?;
        let token = format!("{}/{}-{}", area.partition, area.epoch, nonce());
        let place = stage.join(&token);
        let file = File::create_new(&place).map_err(|e| failed("cannot stage a file in", &folder, &e))?;
        Ok(Self(Some(StagedFile { file, place, path, token, size: 0, sealed: None, broken: None })))
    }

    async fn with<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut StagedFile) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let Some(mut file) = self.0.take() else {
            return Err(StorageError::Fatal("a call for this staged file was cancelled, it has to be staged anew".into()));
        };
        let (file, result) = blocking(move || {
            let result = call(&mut file);
            Ok((file, result))
        })
        .await?;
        self.0 = Some(file);
        result
    }
}

#[async_trait]
impl Staged for LocalStaged {
    async fn block(&mut self, block: Bytes) -> Result<(), StorageError> {
        self.with(move |staged| {
            if staged.sealed.is_some() {
                return Err(StorageError::Fatal(format!("{} is sealed and takes no more", staged.path)));
            }
            // Written at its place, so that a block given again overwrites what a failed try left.
            staged.file.write_all_at(&block, staged.size).map_err(|e| failed("cannot write to", &staged.place, &e))?;
            staged.size += block.len() as u64;
            Ok(())
        })
        .await
    }

    async fn seal(&mut self) -> Result<Sealed, StorageError> {
        self.with(StagedFile::seal).await
    }

    async fn discard(&mut self) {
        if let Some(mut file) = self.0.take() {
            file.sealed = None;
            let _ = tokio::task::spawn_blocking(move || drop(file)).await;
        }
    }
}

impl StagedFile {
    fn seal(&mut self) -> Result<Sealed, StorageError> {
        if let Some(why) = &self.broken {
            return Err(StorageError::Fatal(why.clone()));
        }
        if let Some(sealed) = &self.sealed {
            return Ok(sealed.clone());
        }
        let folder = self.place.parent().unwrap_or(&self.place);
        if let Err(error) = self.file.set_len(self.size).and_then(|()| self.file.sync_all()).and_then(|()| sync_folder(folder)) {
            // After a failed sync the kernel may have dropped the bytes: a later sync that succeeds would prove nothing.
            let why = failed("cannot sync", &self.place, &error).to_string();
            self.broken = Some(why.clone());
            return Err(StorageError::Fatal(why));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (path, token) = (self.path.clone(), self.token.clone());
        let sealed = Sealed { path, token, size: self.size, staged_at: now.as_millis() as i64 };
        self.sealed = Some(sealed.clone());
        Ok(sealed)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // A sealed file may be pending, and is then published by whoever comes next.
        if self.sealed.is_none() {
            let _ = std::fs::remove_file(&self.place);
        }
    }
}

/// Renames what was staged below the folder `stage` to its path, with `metadata`, among which is its token.
pub(super) fn publish(
    root: &Path,
    stage: &Path,
    sealed: &Sealed,
    metadata: &Metadata,
    metadata_needed: bool,
) -> Result<Published, StorageError> {
    let (place, target) = (stage.join(&sealed.token), root.join(&sealed.path));
    let folder = target.parent().unwrap_or(root);
    let unseen = |e: &io::Error| failed("cannot look at", &target, e);
    for _ in 0..TRIES {
        let file = match File::options().read(true).write(true).open(&place) {
            Err(e) if gone(&e) => return published_before(&place, &target, &sealed.token),
            other => other.map_err(|e| failed("cannot open", &place, &e))?,
        };
        let size = file.metadata().map_err(|e| failed("cannot look at", &place, &e))?.len();
        if size != sealed.size {
            return Err(StorageError::Fatal(format!(
                "{} has {size} bytes and not {}: it was changed",
                place.display(),
                sealed.size
            )));
        }
        keep(&file, metadata, metadata_needed, root)?;
        file.sync_all().map_err(|e| failed("cannot sync", &place, &e))?;
        make_folders(root, folder).map_err(|e| failed("cannot make", folder, &e))?;
        match rename_new(&place, &target) {
            Ok(()) => return synced(&place, &target),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => match is_both(&file, &target) {
                // Two names of one file are what is left of a rename that a power loss took half of.
                Ok(true) => {
                    std::fs::remove_file(&place).map_err(|e| failed("cannot publish", &target, &e))?;
                    return synced(&place, &target);
                }
                Ok(false) if place.try_exists().map_err(|e| unseen(&e))? => return Ok(Published::Conflict),
                Ok(false) => {}
                Err(e) if gone(&e) => {}
                Err(e) => return Err(unseen(&e)),
            },
            // Another has published it just now, or somebody removes empty folders.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(unrenamed(folder, &e)),
        }
    }
    Err(StorageError::Retriable(format!("cannot publish {}: it or its folder comes and goes", target.display())))
}

/// What became of a file that is staged no more. It was renamed, as nothing else takes a file away that may be pending.
fn published_before(place: &Path, target: &Path, token: &str) -> Result<Published, StorageError> {
    match kept(target) {
        Ok(found) if found.get(TOKEN).is_some_and(|found| found == token) => synced(place, target),
        Ok(_) => Ok(Published::Gone { age: Duration::ZERO, conclusive: true }),
        Err(e) if gone(&e) => Ok(Published::Gone { age: Duration::ZERO, conclusive: true }),
        Err(e) => Err(failed("cannot look at", target, &e)),
    }
}

/// Makes a rename last.
fn synced(place: &Path, target: &Path) -> Result<Published, StorageError> {
    for folder in [target, place].into_iter().filter_map(Path::parent) {
        match sync_folder(folder) {
            // A folder that is not there any more has nothing to lose.
            Err(e) if !gone(&e) => return Err(failed("cannot sync", folder, &e)),
            _ => {}
        }
    }
    Ok(Published::Landed)
}

/// Whether `file` has the name `target` too.
fn is_both(file: &File, target: &Path) -> io::Result<bool> {
    let (mine, there) = (file.metadata()?, std::fs::symlink_metadata(target)?);
    Ok(mine.dev() == there.dev() && mine.ino() == there.ino())
}

/// Removes from a partition's folder what was staged before `epoch`.
pub(super) fn sweep(folder: &Path, epoch: u64) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if gone(&e) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let staged_in = name.to_str().and_then(|name| name.split_once('-')).and_then(|(epoch, _)| epoch.parse::<u64>().ok());
        if staged_in.is_some_and(|staged_in| staged_in < epoch) && entry.file_type()?.is_file() {
            match std::fs::remove_file(entry.path()) {
                Err(e) if !gone(&e) => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}
