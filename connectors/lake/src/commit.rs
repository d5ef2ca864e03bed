//! What may be committed to Kafka for one partition: pure bookkeeping of its files, in offset order.
//!
//! Files of a partition are published one after the other and each begins with the first row after the one before, so the
//! visible rows are always a prefix, and the name of a file (its first offset) tells whether it has landed before: a worker that
//! starts at the committed offset meets the same names again and goes on after them. [`Ledger::offset`] is therefore the first
//! offset that is not visible yet, and nothing beyond it.

use std::collections::VecDeque;
use std::sync::Arc;

use landfall_api::Offset;

/// The files of one partition that are not visible yet, and the last one that is.
#[derive(Clone, Debug)]
pub struct Ledger {
    position: i64,
    unpublished: VecDeque<Entry>,
    last: Option<Named>,
    given: Option<i64>,
}

/// What a file of a partition is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The offset of its first row.
    pub first: i64,
    /// The topic in whose folder it is, if that is not the one that its rows come from.
    pub routed: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Entry {
    file: u64,
    name: Named,
}

impl Ledger {
    /// A partition whose next record to put is at `position`; `last` is its last visible file, if known.
    #[must_use]
    pub fn new(position: i64, last: Option<Named>) -> Self {
        Self { position, unpublished: VecDeque::new(), last, given: None }
    }

    /// Every record before `end` is in a file or dropped.
    ///
    /// # Panics
    /// If the position would go back: a rewind makes a new ledger.
    pub fn advance(&mut self, end: i64) {
        assert!(end >= self.position, "a partition's position goes back from {} to {end}", self.position);
        self.position = end;
    }

    /// The next record to put.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// File `file`, called by `name`, takes rows.
    ///
    /// # Panics
    /// If it does not begin after the files before it.
    pub fn begin(&mut self, file: u64, name: Named) {
        assert!(name.first >= self.position, "a file begins at {}, before the position {}", name.first, self.position);
        self.unpublished.push_back(Entry { file, name });
    }

    /// What file `file` is called by, if it is one of this ledger's and not visible yet.
    #[must_use]
    pub fn name(&self, file: u64) -> Option<&Named> {
        self.unpublished.iter().find(|e| e.file == file).map(|e| &e.name)
    }

    /// File `file` is visible; false if it is not one of this ledger's.
    ///
    /// # Panics
    /// If a file before it is not: files are published in order.
    pub fn landed(&mut self, file: u64) -> bool {
        let Some(at) = self.unpublished.iter().position(|e| e.file == file) else { return false };
        assert_eq!(at, 0, "file {file} was published before the one before it");
        self.last = self.unpublished.pop_front().map(|e| e.name);
        true
    }

    /// Forgets the newest file: it was dropped, not published.
    pub fn forget_newest(&mut self) {
        if let Some(entry) = self.unpublished.pop_back() {
            self.position = entry.name.first;
        }
    }

    /// Everything before this is visible or dropped; with the metadata that finds the last file again.
    #[must_use]
    pub fn offset(&self) -> Offset {
        let offset = self.unpublished.front().map_or(self.position, |e| e.name.first);
        Offset { offset, metadata: self.last.as_ref().map(metadata).unwrap_or_default() }
    }

    /// [`offset`](Self::offset), if it has moved since the last call.
    pub fn take_offset(&mut self) -> Option<Offset> {
        let offset = self.offset();
        let moved = self.given != Some(offset.offset);
        self.given = Some(offset.offset);
        moved.then_some(offset)
    }

    /// Counts what stands now as given: it is where the partition was begun.
    pub fn given(&mut self) {
        self.given = Some(self.offset().offset);
    }
}

/// What stands before the topic of a file that is not in its source's folder.
const ROUTED: &str = " in=";
/// The bytes of a topic's name that may stand there: brokers take 4096 bytes of metadata, and others add to it.
const MOST_ROUTED: usize = 2048;

/// The metadata of a commit whose last file is called by `last`.
fn metadata(last: &Named) -> String {
    match &last.routed {
        Some(topic) if topic.len() <= MOST_ROUTED => format!("lf0:{}{ROUTED}{topic}", last.first),
        _ => format!("lf0:{}", last.first),
    }
}

/// What the last file is called by, from the metadata of a commit; None if it was not ours.
#[must_use]
pub fn last_file(metadata: &str) -> Option<Named> {
    let name = metadata.strip_prefix("lf0:")?;
    let (first, routed) = name.split_once(ROUTED).map_or((name, None), |(first, topic)| (first, Some(topic.into())));
    Some(Named { first: first.parse().ok()?, routed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(first: i64) -> Named {
        Named { first, routed: None }
    }

    #[test]
    fn only_the_visible_prefix_is_given() {
        let mut ledger = Ledger::new(10, None);
        ledger.given();
        assert_eq!(ledger.take_offset(), None);
        ledger.begin(1, at(12));
        ledger.advance(20);
        assert_eq!(ledger.take_offset().map(|o| o.offset), Some(12), "what is before the first row need not be read again");
        ledger.begin(2, at(20));
        ledger.advance(30);
        assert_eq!(ledger.take_offset(), None);
        assert!(ledger.landed(1));
        let offset = ledger.take_offset().expect("moved");
        assert_eq!((offset.offset, last_file(&offset.metadata)), (20, Some(at(12))));
        assert!(!ledger.landed(7), "a file of another time");
        assert!(ledger.landed(2));
        assert_eq!(ledger.take_offset().map(|o| o.offset), Some(30));
        assert_eq!(ledger.take_offset(), None);
    }

    #[test]
    fn a_dropped_file_is_read_again() {
        let mut ledger = Ledger::new(0, None);
        ledger.begin(1, at(0));
        ledger.advance(5);
        ledger.forget_newest();
        assert_eq!((ledger.offset().offset, ledger.position()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "published before")]
    fn files_are_published_in_order() {
        let mut ledger = Ledger::new(0, None);
        ledger.begin(1, at(0));
        ledger.advance(5);
        ledger.begin(2, at(5));
        ledger.landed(2);
    }

    #[test]
    fn foreign_metadata_is_not_ours() {
        assert_eq!(last_file(""), None);
        assert_eq!(last_file("lf0:x"), None);
        assert_eq!(last_file("lf0:77"), Some(at(77)));
    }

    #[test]
    fn a_commit_says_in_whose_folder_the_last_file_is() {
        for topic in ["other", "a/b", "with in= blanks"] {
            let last = Named { first: 77, routed: Some(topic.into()) };
            assert_eq!(last_file(&Ledger::new(80, Some(last.clone())).offset().metadata), Some(last));
        }
        let long = Named { first: 7, routed: Some("x".repeat(3000).into()) };
        assert_eq!(last_file(&Ledger::new(8, Some(long)).offset().metadata), Some(at(7)));
    }
}
