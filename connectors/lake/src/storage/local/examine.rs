//! What `landfall storage check` finds out about a directory.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{StatVfs, statfs, statvfs};

use super::{LocalStorage, attributes, blocking, failed, make_folders, nonce, rename_new, sync_folder};
use crate::storage::examine::{Answer, Examination, conditional_writes, scratch};
use crate::storage::{Metadata, StorageError};

/// File systems by their magic numbers, and whether they are one over a network.
const FILE_SYSTEMS: &[(u64, &str, bool)] = &[
    (0xef53, "ext4", false),
    (0x5846_5342, "xfs", false),
    (0x9123_683e, "btrfs", false),
    (0x2fc1_2fc1, "zfs", false),
    (0x0102_1994, "tmpfs", false),
    (0x794c_7630, "overlayfs", false),
    (0xf2f5_2010, "f2fs", false),
    (0x6969, "NFS", true),
    (0xff53_4d42, "CIFS", true),
    (0xfe53_4d42, "SMB2", true),
    (0x517b, "SMB", true),
    (0x0102_1997, "9p", true),
    (0x6573_5546, "FUSE", true),
    (0x00c3_6400, "Ceph", true),
];

/// Less free space than this is worth a word, in bytes.
const LITTLE: u64 = 1 << 30;

pub(super) async fn examine(storage: &LocalStorage) -> Result<Examination, StorageError> {
    let mut found = Examination::default();
    let scratch = scratch(&nonce());
    conditional_writes(storage, &scratch, &mut found).await?;
    let (storage, folder) = (storage.clone(), storage.root.join(&scratch));
    blocking(move || {
        let tried = (|| {
            make_folders(&storage.root, &folder).map_err(|e| failed("cannot make", &folder, &e))?;
            files(&storage, &folder, &mut found).map_err(|e| failed("cannot write to", &folder, &e))?;
            place(&storage.root, &mut found).map_err(|e| failed("cannot look at", &storage.root, &e))
        })();
        let removed = std::fs::remove_dir_all(&folder).map_err(|e| failed("cannot remove", &folder, &e));
        found.done.push(format!("made and removed {}", folder.display()));
        tried.and(removed).map(|()| found)
    })
    .await
}

/// Asks what publishing needs, in `folder`.
fn files(storage: &LocalStorage, folder: &Path, found: &mut Examination) -> io::Result<()> {
    let [staged, target, other] = ["staged", "target", "other"].map(|name| folder.join(name));
    std::fs::write(&staged, b"landfall")?;
    std::fs::write(&other, b"other")?;
    let file = File::options().read(true).write(true).open(&staged)?;

    let synced = file.sync_all().and_then(|()| sync_folder(folder));
    let seen = synced.map(|()| "a file and its folder".to_owned()).map_err(|e| e.to_string());
    found.needs(
        "A2",
        "what is written can be made to last",
        seen,
        "a power loss can take files that were committed: use another one",
    );

    let over = rename_new(&staged, &other);
    let seen = match (over, rename_new(&staged, &target)) {
        (Err(e), Ok(())) if e.kind() == ErrorKind::AlreadyExists && !staged.exists() && target.exists() => {
            Ok("one file was renamed, and none over another".to_owned())
        }
        (Ok(()), _) => Err("a file was replaced".to_owned()),
        (Err(e), _) => Err(e.to_string()),
    };
    found.needs(
        "A2",
        "a file is renamed in one step, and over none",
        seen,
        "files cannot be published once only: use a local file system",
    );

    let given = Metadata::from([("landfall_check".to_owned(), "1".to_owned())]);
    match attributes::keep(&file, &given, true, folder) {
        Ok(()) => found.add("A2", "files keep attributes", Answer::Holds, "user.* attributes", ""),
        Err(_) if storage.metadata_needed => {
            let follows = "files of this format need them: use another file system, or Parquet";
            found.add("A2", "files keep attributes", Answer::Fails, "there are none", follows);
        }
        Err(_) => {
            let follows = "after a crash, files are known by their footers only";
            found.add("A2", "files keep attributes", Answer::Warning, "there are none", follows);
        }
    }
    Ok(())
}

/// Asks on what it lies.
fn place(root: &Path, found: &mut Examination) -> io::Result<()> {
    let magic = statfs(root)?.f_type as u64 & 0xffff_ffff;
    let (answer, seen, follows) = match FILE_SYSTEMS.iter().find(|(known, ..)| *known == magic) {
        Some((_, name, false)) => (Answer::Fact, (*name).to_owned(), ""),
        Some((_, name, true)) => {
            let follows =
                "what holds on this machine may not hold between machines: let one worker land there, or use a local one";
            (Answer::Warning, (*name).to_owned(), follows)
        }
        None => (Answer::Fact, format!("{magic:#x}"), ""),
    };
    found.add("", "the file system", answer, seen, follows);

    let StatVfs { f_bavail, f_frsize, f_favail, f_files, .. } = statvfs(root)?;
    let free = f_bavail.saturating_mul(f_frsize);
    let is_little = free < LITTLE || f_files > 0 && f_favail < 10_000;
    let (answer, follows) =
        if is_little { (Answer::Warning, "make room: files wait until there is some") } else { (Answer::Fact, "") };
    let files = if f_files > 0 { format!(", {f_favail} files") } else { String::new() };
    found.add("", "free space", answer, format!("{} MiB{files}", free >> 20), follows);
    Ok(())
}
