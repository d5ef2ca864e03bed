//! What may be committed to Kafka for one partition: pure bookkeeping of its files, in offset order.
//!
//! Files of a partition are published one after the other and each begins with the first row after the one before, so the
//! visible rows are always a prefix, and the name of a file (its first offset) tells whether it has landed before: a worker that
//! starts at the committed offset meets the same names again and goes on after them. [`Ledger::offset`] is therefore the first
//! offset that is not visible yet, and nothing beyond it.

use std::collections::VecDeque;

use landfall_api::Offset;

/// The files of one partition that are not visible yet, and the last one that is.
#[derive(Clone, Debug)]
pub struct Ledger {
    position: i64,
    unpublished: VecDeque<Entry>,
    last: Option<i64>,
    given: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    file: u64,
    first: i64,
}

impl Ledger {
    /// A partition whose next record to put is at `position`; `last` is the first offset of its last visible file, if known.
    #[must_use]
    pub fn new(position: i64, last: Option<i64>) -> Self {
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

    /// File `file`, beginning with offset `first`, takes rows.
    ///
    /// # Panics
    /// If it does not begin after the files before it.
    pub fn begin(&mut self, file: u64, first: i64) {
        assert!(first >= self.position, "a file begins at {first}, before the position {}", self.position);
        self.unpublished.push_back(Entry { file, first });
    }

    /// File `file` is visible; false if it is not one of this ledger's.
    ///
    /// # Panics
    /// If a file before it is not: files are published in order.
    pub fn landed(&mut self, file: u64) -> bool {
        let Some(at) = self.unpublished.iter().position(|e| e.file == file) else { return false };
        assert_eq!(at, 0, "file {file} was published before the one before it");
        self.last = self.unpublished.pop_front().map(|e| e.first);
        true
    }

    /// Forgets the newest file: it was dropped, not published.
    pub fn forget_newest(&mut self) {
        if let Some(entry) = self.unpublished.pop_back() {
            self.position = entry.first;
        }
    }

    /// Everything before this is visible or dropped; with the metadata that finds the last file again.
    #[must_use]
    pub fn offset(&self) -> Offset {
        let offset = self.unpublished.front().map_or(self.position, |e| e.first);
        Offset { offset, metadata: self.last.map(metadata).unwrap_or_default() }
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

/// The metadata of a commit whose last file begins at `first`.
fn metadata(first: i64) -> String {
    format!("lf0:{first}")
}

/// The first offset of the last file, from the metadata of a commit; None if it was not ours.
#[must_use]
pub fn last_file(metadata: &str) -> Option<i64> {
    metadata.strip_prefix("lf0:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_visible_prefix_is_given() {
        let mut ledger = Ledger::new(10, None);
        ledger.given();
        assert_eq!(ledger.take_offset(), None);
        ledger.begin(1, 12);
        ledger.advance(20);
        assert_eq!(ledger.take_offset().map(|o| o.offset), Some(12), "what is before the first row need not be read again");
        ledger.begin(2, 20);
        ledger.advance(30);
        assert_eq!(ledger.take_offset(), None);
        assert!(ledger.landed(1));
        let offset = ledger.take_offset().expect("moved");
        assert_eq!((offset.offset, last_file(&offset.metadata)), (20, Some(12)));
        assert!(!ledger.landed(7), "a file of another time");
        assert!(ledger.landed(2));
        assert_eq!(ledger.take_offset().map(|o| o.offset), Some(30));
        assert_eq!(ledger.take_offset(), None);
    }

    #[test]
    fn a_dropped_file_is_read_again() {
        let mut ledger = Ledger::new(0, None);
        ledger.begin(1, 0);
        ledger.advance(5);
        ledger.forget_newest();
        assert_eq!((ledger.offset().offset, ledger.position()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "published before")]
    fn files_are_published_in_order() {
        let mut ledger = Ledger::new(0, None);
        ledger.begin(1, 0);
        ledger.advance(5);
        ledger.begin(2, 5);
        ledger.landed(2);
    }

    #[test]
    fn foreign_metadata_is_not_ours() {
        assert_eq!(last_file(""), None);
        assert_eq!(last_file("lf0:x"), None);
        assert_eq!(last_file("lf0:77"), Some(77));
    }
}
