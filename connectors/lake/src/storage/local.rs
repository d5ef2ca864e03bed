//! A directory as a store.
//!
//! A file is written below `_landfall/stage` (readers skip names that begin with `_`), synced, and renamed to its path without
//! ever replacing anything. A worker holds a lock on each file that it stages, so that what a killed worker left behind can be
//! told from what a living one is writing. Metadata are extended attributes of the file, `user.<key>`, given before the rename.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, XattrFlags, fsetxattr, getxattr, listxattr, renameat_with};
use rustix::io::Errno;
use tokio::sync::OnceCell;

use super::{Metadata, Object, Published, Staged, Storage, StorageError, checked_path};

/// Where what readers must not see lives, below the root.
const HIDDEN: &str = "_landfall";

/// What the names of extended attributes begin with that users may set.
const ATTRIBUTE: &str = "user.";

/// A directory as a [`Storage`].
#[derive(Clone, Debug)]
pub struct LocalStorage {
    root: Arc<Path>,
    opened: Arc<OnceCell<()>>,
    metadata_needed: bool,
}

impl LocalStorage {
    /// The store in the directory `root`, which is made when it is first needed. Does no I/O.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into(), opened: Arc::default(), metadata_needed: false }
    }

    /// The same for files that nothing but their metadata describes: a file system that keeps none is refused. Without, metadata are
    /// left out there.
    #[must_use]
    pub fn needing_metadata(self) -> Self {
        Self { metadata_needed: true, ..self }
    }

    fn stage_folder(&self) -> PathBuf {
        self.root.join(HIDDEN).join("stage")
    }

    /// Makes the folders and removes what killed workers left, once.
    async fn open(&self) -> Result<(), StorageError> {
        let folder = self.stage_folder();
        let open = || {
            blocking(move || {
                DirBuilder::new().recursive(true).mode(0o777).create(&folder).map_err(|e| failed("cannot make", &folder, &e))?;
                remove_leftovers(&folder).map_err(|e| failed("cannot clean", &folder, &e))
            })
        };
        self.opened.get_or_try_init(open).await.copied()
    }
}

#[async_trait]
impl Storage for LocalStorage {
    fn url(&self) -> String {
        format!("file://{}", self.root.display())
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.open().await?;
        let (folder, root, needed) = (self.stage_folder(), Arc::clone(&self.root), self.metadata_needed);
        blocking(move || {
            let (path, file) = create_locked(&folder).map_err(|e| failed("cannot write to", &folder, &e))?;
            let written = file.write_all_at(b"landfall", 0);
            let kept = keep(&file, &Metadata::from([("landfall_check".into(), "1".into())]), needed, &root);
            let removed = std::fs::remove_file(&path);
            written.and(removed).map_err(|e| failed("cannot write to", &folder, &e)).and(kept)
        })
        .await
    }

    async fn stage(&self, path: &str) -> Result<Box<dyn Staged>, StorageError> {
        let target = self.root.join(visible(path)?);
        self.open().await?;
        let (folder, root, metadata_needed) = (self.stage_folder(), Arc::clone(&self.root), self.metadata_needed);
        blocking(move || {
            let (staged, file) = create_locked(&folder).map_err(|e| failed("cannot stage a file in", &folder, &e))?;
            let file = StagedFile { file, staged, target, root, size: 0, metadata_needed, renamed: false, broken: None };
            Ok(Box::new(LocalStaged(Some(file))) as Box<dyn Staged>)
        })
        .await
    }

    async fn head(&self, path: &str) -> Result<Option<Object>, StorageError> {
        let (path, file) = (path.to_owned(), self.root.join(visible(path)?));
        blocking(move || match std::fs::metadata(&file) {
            Ok(found) if found.is_file() => {
                let metadata = kept(&file).map_err(|e| failed("cannot look at", &file, &e))?;
                Ok(Some(Object { path, size: found.len(), metadata }))
            }
            Ok(_) => Ok(None),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(failed("cannot look at", &file, &e)),
        })
        .await
    }

    async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let file = self.root.join(visible(path)?);
        blocking(move || {
            let read = || {
                let open = File::open(&file)?;
                let end = range.end.min(open.metadata()?.len());
                let mut bytes = vec![0; end.saturating_sub(range.start) as usize];
                open.read_exact_at(&mut bytes, range.start)?;
                Ok(Bytes::from(bytes))
            };
            read().map_err(|e| failed("cannot read", &file, &e))
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.to_owned());
        blocking(move || {
            let mut objects = Vec::new();
            // What has the prefix lies below its last whole folder, if that is a folder of ours at all.
            let folder = prefix.rfind('/').map_or("", |end| &prefix[..end]);
            if !folder.is_empty() {
                checked_path(folder)?;
            }
            walk(&root.join(folder), folder, &prefix, &mut objects)?;
            objects.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(objects)
        })
        .await
    }
}

/// A file of [`LocalStorage`] that is being staged; empty only while a call is under way or after one was cancelled.
#[derive(Debug)]
struct LocalStaged(Option<StagedFile>);

#[derive(Debug)]
struct StagedFile {
    file: File,
    staged: PathBuf,
    target: PathBuf,
    root: Arc<Path>,
    size: u64,
    metadata_needed: bool,
    renamed: bool,
    broken: Option<String>,
}

impl LocalStaged {
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
            // Written at its place, so that a block given again overwrites what a failed try left.
            staged.file.write_all_at(&block, staged.size).map_err(|e| failed("cannot write to", &staged.staged, &e))?;
            staged.size += block.len() as u64;
            Ok(())
        })
        .await
    }

    async fn publish(&mut self, metadata: &Metadata) -> Result<Published, StorageError> {
        let metadata = metadata.clone();
        self.with(move |staged| staged.publish(&metadata)).await
    }

    async fn discard(&mut self) {
        if let Some(file) = self.0.take() {
            let _ = tokio::task::spawn_blocking(move || drop(file)).await;
        }
    }
}

impl StagedFile {
    fn publish(&mut self, metadata: &Metadata) -> Result<Published, StorageError> {
        if let Some(why) = &self.broken {
            return Err(StorageError::Fatal(why.clone()));
        }
        if !self.renamed {
            keep(&self.file, metadata, self.metadata_needed, &self.root)?;
            if let Err(error) = self.file.set_len(self.size).and_then(|()| self.file.sync_all()) {
                // After a failed sync the kernel may have dropped the bytes: a later sync that succeeds would prove nothing.
                let why = failed("cannot sync", &self.staged, &error).to_string();
                self.broken = Some(why.clone());
                return Err(StorageError::Fatal(why));
            }
            let folder = self.target.parent().unwrap_or(&self.root);
            make_folders(&self.root, folder).map_err(|e| failed("cannot make", folder, &e))?;
            match rename_new(&self.staged, &self.target) {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => match self.is_at_target() {
                    Ok(true) => {}
                    Ok(false) if e.kind() == ErrorKind::AlreadyExists => return Ok(Published::Exists),
                    Ok(false) => return Err(failed("cannot publish", &self.target, &e)),
                    Err(e) => return Err(failed("cannot look at", &self.target, &e)),
                },
                Err(e) => return Err(failed("cannot publish", &self.target, &e)),
            }
            self.renamed = true;
        }
        let folder = self.target.parent().unwrap_or(&self.root);
        sync_folder(folder).map_err(|e| failed("cannot sync", folder, &e))?;
        Ok(Published::Created)
    }

    /// Whether the visible file is this one: an earlier try may have renamed it and then failed.
    fn is_at_target(&self) -> io::Result<bool> {
        let (mine, there) = (self.file.metadata()?, std::fs::symlink_metadata(&self.target)?);
        Ok(mine.dev() == there.dev() && mine.ino() == there.ino())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // The name is this file's alone, also after it was renamed away from it.
        let _ = std::fs::remove_file(&self.staged);
    }
}

/// A new file in `folder`, with a name that nothing else has, locked before anybody may take it for a leftover.
fn create_locked(folder: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let path = folder.join(format!("{:016x}", RandomState::new().hash_one(std::process::id())));
        let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        match file.try_lock() {
            // Somebody who cleans may have come between the two calls.
            Ok(()) if file.metadata()?.nlink() > 0 => return Ok((path, file)),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => {
                let _ = std::fs::remove_file(&path);
                return Err(e);
            }
        }
    }
}

/// Removes the staged files that nobody has locked.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        // One that is gone by now, or belongs to another user, is not ours to clean.
        if let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Gives `file`, which is not visible yet, `metadata`. What a file system does not keep is an error only if it is needed.
fn keep(file: &File, metadata: &Metadata, needed: bool, root: &Path) -> Result<(), StorageError> {
    for (key, value) in metadata {
        let set = fsetxattr(file, format!("{ATTRIBUTE}{key}"), value.as_bytes(), XattrFlags::empty());
        take(set.map_err(io::Error::from), needed, root)?;
    }
    Ok(())
}

fn take(set: io::Result<()>, needed: bool, root: &Path) -> Result<(), StorageError> {
    match set {
        Err(e) if e.kind() == ErrorKind::Unsupported && needed => Err(StorageError::Fatal(format!(
            "{} is on a file system without extended attributes (user_xattr), which files of this format need: use another directory, or Parquet",
            root.display()
        ))),
        Err(e) if e.kind() == ErrorKind::Unsupported => Ok(()),
        set => set.map_err(|e| failed("cannot keep metadata in", root, &e)),
    }
}

/// The metadata of a visible file; none where its file system keeps none.
fn kept(file: &Path) -> io::Result<Metadata> {
    let mut names = [0; 4096];
    let names = match listxattr(file, &mut names) {
        // Names that are longer in all are not those of a file that was published here.
        Err(Errno::OPNOTSUPP | Errno::RANGE | Errno::TOOBIG) => return Ok(Metadata::new()),
        found => &names[..found?],
    };
    let mut metadata = Metadata::new();
    for name in names.split(|b| *b == 0) {
        let Some(key) = std::str::from_utf8(name).ok().and_then(|name| name.strip_prefix(ATTRIBUTE)) else { continue };
        if !key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
            continue;
        }
        let mut value = [0; 8192];
        let value = match getxattr(file, name, &mut value) {
            Err(Errno::NODATA | Errno::RANGE) => continue,
            found => &value[..found?],
        };
        if let Ok(value) = std::str::from_utf8(value) {
            metadata.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(metadata)
}

/// Renames without replacing, also where the file system knows no such call.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

/// Makes `folder` below `root`, and syncs every folder that got a new one.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| parent.starts_with(root)) {
        make_folders(root, parent)?;
        match std::fs::create_dir(folder) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            other => other?,
        }
        return sync_folder(parent);
    }
    std::fs::create_dir_all(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Adds the files of `folder`, whose path below the root is `path`, that begin with `prefix`.
fn walk(folder: &Path, path: &str, prefix: &str, objects: &mut Vec<Object>) -> Result<(), StorageError> {
    let gone = |e: &io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if gone(&e) => return Ok(()),
        Err(e) => return Err(failed("cannot list", folder, &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| failed("cannot list", folder, &e))?;
        let name = entry.file_name();
        // A name that is not UTF-8 is none that this worker wrote.
        let Some(name) = name.to_str() else { continue };
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        if below == HIDDEN || !(below.starts_with(prefix) || prefix.starts_with(&format!("{below}/"))) {
            continue;
        }
        match entry.metadata() {
            Ok(found) if found.is_dir() => walk(&entry.path(), &below, prefix, objects)?,
            Ok(found) if found.is_file() && below.starts_with(prefix) => {
                objects.push(Object { path: below, size: found.len(), metadata: Metadata::new() });
            }
            Ok(_) => {}
            Err(e) if gone(&e) => {}
            Err(e) => return Err(failed("cannot look at", &entry.path(), &e)),
        }
    }
    Ok(())
}

/// `path` if it is one that readers may see.
fn visible(path: &str) -> Result<&str, StorageError> {
    if path.split('/').next() == Some(HIDDEN) {
        return Err(StorageError::Fatal(format!("the path {path:?} cannot be used: {HIDDEN} is where unfinished files are")));
    }
    checked_path(path)
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, StorageError> + Send + 'static) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(e) => Err(StorageError::Fatal(format!("a file operation did not end: {e}"))),
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StorageError {
    let message = format!("{what} {}: {error}", path.display());
    let out_of_files = [Errno::MFILE, Errno::NFILE].iter().any(|e| error.raw_os_error() == Some(e.raw_os_error()));
    match error.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::Interrupted
        | ErrorKind::WouldBlock
        | ErrorKind::TimedOut
        | ErrorKind::ResourceBusy
        | ErrorKind::OutOfMemory
        | ErrorKind::StaleNetworkFileHandle => StorageError::Retriable(message),
        _ if out_of_files => StorageError::Retriable(message),
        _ => StorageError::Fatal(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    fn staged_files(root: &Path) -> usize {
        std::fs::read_dir(root.join("_landfall/stage")).map_or(0, Iterator::count)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_directory_conforms() {
        let root = tempfile::tempdir().expect("a directory");
        conformance::suite(&LocalStorage::new(root.path())).await;
        assert_eq!(staged_files(root.path()), 0);
    }

    #[tokio::test]
    async fn what_a_killed_worker_left_is_removed_and_what_a_living_one_stages_is_not() {
        let root = tempfile::tempdir().expect("a directory");
        let first = LocalStorage::new(root.path());
        let mut staged = first.stage("a/b").await.expect("staged");
        std::fs::write(root.path().join("_landfall/stage/leftover"), b"half").expect("written");
        assert_eq!(staged_files(root.path()), 2);
        LocalStorage::new(root.path()).check().await.expect("usable");
        assert_eq!(staged_files(root.path()), 1);
        staged.block(Bytes::from_static(b"whole")).await.expect("written");
        assert_eq!(staged.publish(&Metadata::new()).await.expect("published"), Published::Created);
        assert_eq!(std::fs::read(root.path().join("a/b")).expect("read"), b"whole");
    }

    #[tokio::test]
    async fn an_earlier_try_that_renamed_is_recognised() {
        let root = tempfile::tempdir().expect("a directory");
        let storage = LocalStorage::new(root.path());
        let mut staged = storage.stage("a").await.expect("staged");
        let name = std::fs::read_dir(root.path().join("_landfall/stage")).expect("listed").next().expect("one").expect("one");
        std::fs::rename(name.path(), root.path().join("a")).expect("renamed behind its back");
        assert_eq!(staged.publish(&Metadata::new()).await.expect("published"), Published::Created);
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_used_is_named() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("file"), b"").expect("written");
        let error = LocalStorage::new(root.path().join("file/below")).check().await.expect_err("refused").to_string();
        assert!(error.contains("file/below/_landfall/stage: Not a directory"), "{error}");
        let error = LocalStorage::new(root.path()).stage("_landfall/stage/x").await.expect_err("refused").to_string();
        assert!(error.contains("_landfall/stage/x"), "{error}");
    }

    #[test]
    fn a_file_system_without_attributes_is_named_where_they_are_needed() {
        let unsupported = || Err(Errno::OPNOTSUPP.into());
        take(unsupported(), false, Path::new("/data")).expect("not needed");
        let error = take(unsupported(), true, Path::new("/data")).expect_err("refused").to_string();
        assert!(error.starts_with("/data is on a file system without extended attributes"), "{error}");
        assert!(matches!(take(Err(Errno::NOSPC.into()), false, Path::new("/data")), Err(StorageError::Retriable(_))));
    }

    #[tokio::test]
    async fn attributes_of_others_are_left_out() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("a");
        std::fs::write(&file, b"a").expect("written");
        for (name, value) in [("user.landfall_first", "7"), ("user.xdg.origin.url", "x"), ("user.Upper", "x")] {
            rustix::fs::setxattr(&file, name, value.as_bytes(), XattrFlags::empty()).expect("set");
        }
        let found = LocalStorage::new(root.path()).needing_metadata().head("a").await.expect("asked").expect("visible");
        assert_eq!(found.metadata, Metadata::from([("landfall_first".into(), "7".into())]));
    }

    #[test]
    fn a_rename_replaces_nothing() {
        let root = tempfile::tempdir().expect("a directory");
        let [a, b, c] = ["a", "b", "c"].map(|n| root.path().join(n));
        std::fs::write(&a, b"a").and_then(|()| std::fs::write(&b, b"b")).expect("written");
        assert_eq!(rename_new(&a, &b).expect_err("taken").kind(), ErrorKind::AlreadyExists);
        rename_new(&a, &c).expect("free");
        assert_eq!((std::fs::read(&b).expect("read"), std::fs::read(&c).expect("read")), (b"b".to_vec(), b"a".to_vec()));
    }
}
