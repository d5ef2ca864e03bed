//! The files that a task has landed last, and what is in them, for people who want to see it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The files that are remembered of a task.
const REMEMBERED: usize = 20;

/// A file that readers see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandedFile {
    /// How many files the task had landed before it.
    pub number: u64,
    /// Its path below the store's root, with `/` between names.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was known to have landed, in milliseconds since the epoch.
    pub at_ms: i64,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewColumn {
    /// Its name.
    pub name: String,
    /// Its type, as Arrow prints it.
    pub kind: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// The beginning of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Its columns; none for a format that is shown as text.
    pub columns: Vec<PreviewColumn>,
    /// Its first rows: the values of the columns as text, None for null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Its first lines, of a format that is text.
    pub text: Option<String>,
    /// What is not shown, and why.
    pub note: Option<String>,
}

/// Reads the beginnings of files.
pub trait Previews: Send + Sync + fmt::Debug {
    /// The beginning of the file at `path`, no more of it than a page bears. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// Why it cannot be shown.
    fn preview(&self, path: &str) -> Result<Preview, String>;
}

/// The files that a task has landed last, the oldest first, and who reads them.
#[derive(Debug, Default)]
pub struct Landed {
    files: Mutex<Files>,
    previews: OnceLock<Arc<dyn Previews>>,
}

#[derive(Debug, Default)]
struct Files {
    last: VecDeque<LandedFile>,
    count: u64,
}

impl Landed {
    /// A file has landed.
    pub fn add(&self, path: &str, rows: u64, bytes: u64, at_ms: i64) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.last.len() == REMEMBERED {
            files.last.pop_front();
        }
        let number = files.count;
        files.last.push_back(LandedFile { number, path: path.to_owned(), rows, bytes, at_ms });
        files.count += 1;
    }

    /// The last files, the oldest first.
    pub fn files(&self) -> Vec<LandedFile> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).last.iter().cloned().collect()
    }

    /// The last file.
    pub fn last(&self) -> Option<LandedFile> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).last.back().cloned()
    }

    /// Says who reads the files.
    pub fn set_previews(&self, previews: Arc<dyn Previews>) {
        let _ = self.previews.set(previews);
    }

    /// Who reads them, if anybody can.
    pub fn previews(&self) -> Option<Arc<dyn Previews>> {
        self.previews.get().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_files_are_remembered_under_their_numbers() {
        let landed = Landed::default();
        assert_eq!((landed.files(), landed.last()), (Vec::new(), None));
        (0..25).for_each(|n| landed.add(&format!("f{n}"), n, 10 * n, 7));
        let files = landed.files();
        assert_eq!(files.len(), REMEMBERED);
        assert_eq!((files[0].number, files[0].path.as_str()), (5, "f5"));
        assert_eq!(landed.last().as_ref(), files.last());
        assert_eq!(files[19], LandedFile { number: 24, path: "f24".into(), rows: 24, bytes: 240, at_ms: 7 });
    }
}
