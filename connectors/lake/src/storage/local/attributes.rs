//! Metadata of files as extended attributes, `user.<key>`.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, getxattr, listxattr};
use rustix::io::Errno;

use super::failed;
use crate::storage::{Metadata, StorageError};

/// What the names of extended attributes begin with that users may set.
const ATTRIBUTE: &str = "user.";

/// The metadata that tells under which token a file was staged; it is not shown to callers.
pub(super) const TOKEN: &str = "landfall_token";

/// Gives `file`, which is not visible yet, `metadata`. What a file system does not keep is an error only if it is needed.
pub(super) fn keep(file: &File, metadata: &Metadata, needed: bool, root: &Path) -> Result<(), StorageError> {
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

/// The metadata of `file`, with ours and the callers'; none where its file system keeps none.
pub(super) fn kept(file: &Path) -> io::Result<Metadata> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_attributes_is_named_where_they_are_needed() {
        let unsupported = || Err(Errno::OPNOTSUPP.into());
        take(unsupported(), false, Path::new("/data")).expect("not needed");
        let error = take(unsupported(), true, Path::new("/data")).expect_err("refused").to_string();
        assert!(error.starts_with("/data is on a file system without extended attributes"), "{error}");
        assert!(matches!(take(Err(Errno::NOSPC.into()), false, Path::new("/data")), Err(StorageError::Retriable(_))));
    }
}
