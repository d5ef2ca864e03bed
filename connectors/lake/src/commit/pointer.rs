//! What a partition's pointer says: how far its records have landed, which files are on their way, and whose they are.
//!
//! A pointer is one small object of the store that is only ever replaced by compare-and-set. Whoever replaces it commits all files
//! that it names at once; they become visible afterwards, one after the other, published by whoever comes first.

use std::fmt;

use landfall_api::TopicId;
use serde::{Deserialize, Serialize};

use super::offsets::Offsets;
use crate::storage::{HIDDEN, Sealed};

/// The format of pointers that this worker reads and writes.
const FORMAT: u32 = 1;

/// A pointer may be so large, in bytes: what it says of landed offsets grows where many folders take turns.
pub const MOST_BYTES: usize = 256 << 10;

/// Who lands a partition's records: if it is not the same, the files would be another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The connector's name.
    pub connector: String,
    /// Its consumer group.
    pub group: String,
    /// The id of the Kafka cluster; empty where it is not known.
    #[serde(default)]
    pub kafka_cluster_id: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connector {} of group {}", self.connector, self.group)?;
        if self.kafka_cluster_id.is_empty() { Ok(()) } else { write!(f, " at Kafka cluster {}", self.kafka_cluster_id) }
    }
}

impl Identity {
    /// Whether it is the same as `other`, as far as both say.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let known = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        self.connector == other.connector && self.group == other.group && known(&self.kafka_cluster_id, &other.kafka_cluster_id)
    }
}

/// Who wrote the pointer, for people who look at it, and to tell one's own writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Writer {
    /// The worker's id.
    pub worker: String,
    /// The task's number.
    pub task: usize,
    /// Another one each time that a partition is opened.
    pub instance: u64,
    /// When it was opened, in milliseconds since the epoch by the worker's clock.
    pub opened_at: i64,
}

/// A committed file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pending {
    /// What was staged.
    #[serde(flatten)]
    pub file: Sealed,
    /// The offset of its first row.
    pub first: i64,
    /// The offset of its last row.
    pub last: i64,
    /// Its rows.
    pub rows: u64,
}

/// A partition's pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Pointer {
    /// Whose it is.
    pub identity: Identity,
    /// The id of the topic, if it was known.
    pub topic_id: Option<TopicId>,
    /// Rises when the records of the partition are to land again: after a rewind, or when the topic is another one.
    pub incarnation: u32,
    /// Rises with each owner.
    pub epoch: u64,
    /// Rises with each commit.
    pub seq: u64,
    /// Who wrote it.
    pub owner: Writer,
    /// The offsets whose records have landed or were left out, the pending files' included.
    pub landed: Offsets,
    /// The files of the last commit.
    pub pending: Vec<Pending>,
    /// Whether all of them are known to be visible, or to have been.
    pub published: bool,
    /// The offset of the group that something else has set and that this pointer already follows. Kept until the group has one of
    /// ours: as long as it has not, it would look as if it were set again.
    pub obeyed: Option<i64>,
}

impl Pointer {
    /// Where the pointer of a partition is kept: beside the data, where readers do not look.
    #[must_use]
    pub fn path(partition: &str) -> String {
        format!("{HIDDEN}/v{FORMAT}/{partition}.json")
    }

    /// The pointer in `content`.
    ///
    /// # Errors
    /// It is none, or one of another format.
    pub fn decode(content: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            v: u32,
        }
        match serde_json::from_slice(content) {
            Ok(Format { v: FORMAT }) => serde_json::from_slice(content).map_err(|error| error.to_string()),
            Ok(Format { v }) => Err(format!("it has format {v}, and this worker knows {FORMAT}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The JSON of a pointer.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    #[serde(flatten)]
    identity: Identity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic_id: Option<String>,
    incarnation: u32,
    epoch: u64,
    seq: u64,
    owner: Writer,
    low: i64,
    /// After `low`: offsets that have not landed, offsets that have, and so on.
    landed: Vec<i64>,
    pending: Vec<Pending>,
    published: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    obeyed: Option<i64>,
}

impl From<Pointer> for Stored {
    fn from(pointer: Pointer) -> Self {
        let (low, landed) = (pointer.landed.low(), pointer.landed.lengths());
        let Pointer { identity, topic_id, incarnation, epoch, seq, owner, pending, published, obeyed, .. } = pointer;
        let topic_id = topic_id.map(|id| id.to_string());
        Self { v: FORMAT, identity, topic_id, incarnation, epoch, seq, owner, low, landed, pending, published, obeyed }
    }
}

impl TryFrom<Stored> for Pointer {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let Stored { identity, topic_id, incarnation, epoch, seq, owner, low, landed, pending, published, obeyed, .. } = stored;
        let topic_id = topic_id.map(|id| id.parse()).transpose()?;
        let landed = Offsets::of_lengths(low, &landed).ok_or("its landed offsets are none")?;
        Ok(Self { identity, topic_id, incarnation, epoch, seq, owner, landed, pending, published, obeyed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer() -> Pointer {
        let file = Sealed {
            path: "topics/t/p=1/t+0+0000000012.parquet".into(),
            token: "tok".into(),
            size: 99,
            staged_at: 1_700_000_000_000,
        };
        Pointer {
            identity: Identity { connector: "c".into(), group: "connect-c".into(), kafka_cluster_id: "k".into() },
            topic_id: TopicId::new(1),
            incarnation: 2,
            epoch: 3,
            seq: 4,
            owner: Writer { worker: "w:8083".into(), task: 1, instance: 7, opened_at: 1_700_000_000_001 },
            landed: Offsets::of_lengths(12, &[3, 5]).expect("lengths"),
            pending: vec![Pending { file, first: 15, last: 19, rows: 5 }],
            published: false,
            obeyed: None,
        }
    }

    const STORED: &str = r#"{"v":1,"connector":"c","group":"connect-c","kafka_cluster_id":"k","topic_id":"AAAAAAAAAAAAAAAAAAAAAQ","incarnation":2,"epoch":3,"seq":4,"owner":{"worker":"w:8083","task":1,"instance":7,"opened_at":1700000000001},"low":12,"landed":[3,5],"pending":[{"path":"topics/t/p=1/t+0+0000000012.parquet","token":"tok","size":99,"staged_at":1700000000000,"first":15,"last":19,"rows":5}],"published":false}"#;

    #[test]
    fn a_pointer_is_stored_as_other_workers_know_it() {
        assert_eq!(String::from_utf8(pointer().encode()).expect("text"), STORED);
        assert_eq!(Pointer::decode(STORED.as_bytes()), Ok(pointer()));
        let bare = Pointer { topic_id: None, obeyed: Some(8), ..pointer() };
        let stored = String::from_utf8(bare.encode()).expect("text");
        assert!(!stored.contains("topic_id") && stored.ends_with(r#""published":false,"obeyed":8}"#), "{stored}");
        assert_eq!(Pointer::decode(stored.as_bytes()), Ok(bare));
        assert_eq!(Pointer::path("topics/t/0"), "_landfall/v1/topics/t/0.json");
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        let known = |content: &str| Pointer::decode(content.as_bytes()).expect_err("it is none");
        assert_eq!(known(&STORED.replace("\"v\":1", "\"v\":2")), "it has format 2, and this worker knows 1");
        assert_eq!(known(r#"{"v":7,"all":"else"}"#), "it has format 7, and this worker knows 1");
        assert!(known(&STORED.replace("[3,5]", "[3]")).contains("its landed offsets are none"));
        assert!(known(&STORED.replace("AAAAAQ", "AAAAAA")).contains("is no topic id"));
        for none in ["", "{}", "[]", &STORED[..STORED.len() - 1], &STORED.replace("\"seq\":4,", "")] {
            assert!(!known(none).is_empty());
        }
    }

    #[test]
    fn a_pointer_stays_small() {
        // as many as a tracker allows, over as many offsets as it allows
        let runs = 30_000;
        let lengths = vec![(1 << 21) / (2 * runs) as i64; 2 * runs];
        let pointer = Pointer { landed: Offsets::of_lengths(1 << 50, &lengths).expect("lengths"), ..pointer() };
        assert!(pointer.encode().len() < MOST_BYTES, "{} bytes", pointer.encode().len());
        assert_eq!(Pointer::decode(&pointer.encode()), Ok(pointer));
    }
}
