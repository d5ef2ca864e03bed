//! Converts values without a schema under the columns that were learned from the topic so far.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_schema::FieldRef;
use landfall_api::RecordError;

use super::super::node::Node;
use super::scan::{Scanner, Stop};
use super::{Utf8, invalid, not_utf8};

/// What was learned, by topic.
#[derive(Debug, Default)]
pub(super) struct Schemaless {
    topics: HashMap<String, Learned>,
}

#[derive(Debug)]
struct Learned {
    node: Node,
    /// The node's field; the same until the node widens.
    field: Option<FieldRef>,
}

/// All rows under one schema. The refused ones are null in `array`.
pub(super) struct Converted {
    pub(super) field: FieldRef,
    pub(super) array: ArrayRef,
    pub(super) refused: Vec<(usize, RecordError)>,
}

impl Schemaless {
    fn topic(&mut self, topic: &str) -> &mut Learned {
        self.topics.entry(topic.to_owned()).or_insert_with(|| Learned { node: Node::unknown(), field: None })
    }

    /// Takes up the field that was shown before the worker started again.
    pub(super) fn recall(&mut self, topic: &str, field: &FieldRef) {
        let learned = self.topic(topic);
        learned.node.recall(field);
        learned.field = None;
    }

    /// Converts `records` of `topic` to a column called `name`. If a record does not fit what was learned, all from it on are learned
    /// from and all are converted again, so that the batch has one schema.
    pub(super) fn convert(&mut self, topic: &str, name: &str, records: &[Option<&[u8]>], utf8: Utf8) -> Converted {
        let Learned { node, field } = self.topic(topic);
        let mut refused = Vec::new();
        node.reserve(records.len());
        let (mut row, mut passes) = (0, 0);
        while let Some(record) = records.get(row) {
            let read = match record {
                None => {
                    node.null();
                    Ok(())
                }
                Some(bytes) if !utf8.valid(bytes) => Err(not_utf8()),
                Some(bytes) => read(node, bytes),
            };
            match read {
                Ok(()) => {}
                Err(Stop::Misfit) if passes < PASSES => {
                    node.truncate(0);
                    let from = if passes == 0 { row } else { 0 };
                    for bytes in records[from..].iter().flatten().filter(|bytes| utf8.valid(bytes)) {
                        learn(node, bytes);
                    }
                    // Showing the node puts its fields in order.
                    *field = Some(node.show_root(name));
                    node.reserve(records.len());
                    refused.clear();
                    (row, passes) = (0, passes + 1);
                    continue;
                }
                Err(stop) => {
                    node.truncate(row);
                    node.null();
                    refused.push((row, invalid(stop)));
                }
            }
            row += 1;
        }
        let field = field.get_or_insert_with(|| node.show_root(name)).clone();
        let array = node.finish(field.data_type());
        Converted { field, array, refused }
    }
}

/// The first pass learns from what comes behind the misfit; the second from all, because a long that became a double may no longer
/// take what came before. No third is needed: the limit is there so that a mistake in this reasoning does not end in a loop.
const PASSES: usize = 8;

fn read(node: &mut Node, bytes: &[u8]) -> Result<(), Stop> {
    let mut s = Scanner::new(bytes, start(bytes));
    if s.peek() == 0 && s.at == bytes.len() {
        node.null(); // Java: a missing node
        return Ok(());
    }
    match node.read(&mut s) {
        Ok(()) => s.end(),
        // The record may be no JSON at all further on.
        Err(Stop::Misfit) => Err(check(bytes).err().unwrap_or(Stop::Misfit)),
        Err(stop) => Err(stop),
    }
}

/// Widens the node for a record; one that is not JSON teaches nothing.
fn learn(node: &mut Node, bytes: &[u8]) {
    if check(bytes).is_ok() {
        // All errors that it could give, the check has given.
        let _ = node.learn(&mut Scanner::new(bytes, start(bytes)), 0);
    }
}

/// Whether the record is JSON throughout.
pub(super) fn check(bytes: &[u8]) -> Result<(), Stop> {
    let mut s = Scanner::new(bytes, start(bytes));
    s.skip()?;
    s.end()
}

/// Where the text begins: after a byte order mark.
pub(in crate::convert) fn start(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}
