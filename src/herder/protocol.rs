//! Reads and writes what the members of a Connect cluster tell each other when their group rebalances.
//!
//! Bytes are those of `ConnectProtocol` and `IncrementalCooperativeConnectProtocol` 4.3.1: big endian, a STRING has an INT16 length, an
//! ARRAY and BYTES have an INT32 one. A reader takes null for an empty array, needs no field after the configuration offset of an
//! assignment or of a member's metadata, and does not look at what follows the last field.
//!
//! A Landfall worker that leaves and wants its work given away first writes one more STRING behind its metadata, [`LEAVING`]:
//! see [`assign`](super::assign). Java's workers do not look there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::task::TaskId;

/// Stands for the connector itself in a list of its tasks (`CONNECTOR_TASK`).
const CONNECTOR: i32 = -1;

/// What a leaving member writes behind its metadata.
const LEAVING: &str = "landfall.leaving";

/// A protocol that members may use (`ConnectProtocolCompatibility`), from the oldest. Prints as `connect.protocol` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Everything stops in each rebalance and is given out anew.
    Eager,
    /// Work goes on in a rebalance unless it is revoked.
    Compatible,
    /// As compatible, and internal requests are signed.
    Sessioned,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Eager, Self::Compatible, Self::Sessioned];

    /// The protocol that a value of `connect.protocol` names, in whatever case.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.to_string().eq_ignore_ascii_case(value))
    }

    /// The protocol that the group chose by its name there.
    #[must_use]
    pub fn chosen(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Its name in the group.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eager => "default",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// Its version in the head of metadata and assignments.
    #[must_use]
    pub fn version(self) -> i16 {
        match self {
            Self::Eager => 0,
            Self::Compatible => 1,
            Self::Sessioned => 2,
        }
    }

    /// What a worker with this `connect.protocol` offers the group, in order of preference.
    pub fn offered(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().rev().filter(move |protocol| *protocol <= self)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eager => "eager",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        })
    }
}

/// Why bytes of a member are not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error("the bytes end before {0} does")]
    Short(&'static str),
    /// A length is negative.
    #[error("{0} has the length {1}")]
    Length(&'static str, i64),
    /// No protocol has such a version.
    #[error("no version of the connect protocol is {0}")]
    Version(i16),
    /// No task has such a number.
    #[error("connector {0} has no task {1}")]
    Task(String, i32),
}

/// Connectors and tasks, in the order in which they are on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// The connectors themselves.
    pub connectors: Vec<String>,
    /// The tasks, of whatever connector.
    pub tasks: Vec<TaskId>,
}

impl Work {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// Whether the connector itself is among it.
    #[must_use]
    pub fn has_connector(&self, name: &str) -> bool {
        self.connectors.iter().any(|connector| connector == name)
    }

    /// Whether the task is among it.
    #[must_use]
    pub fn has_task(&self, id: &TaskId) -> bool {
        self.tasks.contains(id)
    }

    /// Adds what of the other is not there yet.
    pub fn add(&mut self, other: &Self) {
        self.connectors.extend(missing(&self.connectors, &other.connectors));
        self.tasks.extend(missing(&self.tasks, &other.tasks));
    }

    /// Takes out what the other has.
    pub fn remove(&mut self, other: &Self) {
        let connectors: BTreeSet<_> = other.connectors.iter().collect();
        let tasks: BTreeSet<_> = other.tasks.iter().collect();
        self.connectors.retain(|connector| !connectors.contains(connector));
        self.tasks.retain(|task| !tasks.contains(task));
    }

    /// An entry for each connector, with a number for each task and −1, in front of them, for the connector itself.
    fn encode(&self, to: &mut BytesMut) {
        let mut entries: Vec<(&str, Vec<i32>)> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let connectors = self.connectors.iter().map(|connector| (connector.as_str(), CONNECTOR));
        let tasks = self.tasks.iter().map(|task| (task.connector.as_str(), task.task as i32));
        for (connector, task) in connectors.chain(tasks) {
            let place = *places.entry(connector).or_insert_with(|| {
                entries.push((connector, Vec::new()));
                entries.len() - 1
            });
            if task != CONNECTOR || entries[place].1.is_empty() {
                entries[place].1.push(task);
            }
        }
        to.put_i32(entries.len() as i32);
        for (connector, tasks) in entries {
            put_string(to, connector);
            to.put_i32(tasks.len() as i32);
            tasks.into_iter().for_each(|task| to.put_i32(task));
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut work = Self::default();
        for _ in 0..from.length("a list of work")?.unwrap_or_default() {
            let connector = from.string("a connector's name")?;
            let tasks = from.length("a list of tasks")?.ok_or(Malformed::Length("a list of tasks", -1))?;
            for _ in 0..tasks {
                match from.i32("a task's number")? {
                    CONNECTOR => work.connectors.push(connector.clone()),
                    task => match usize::try_from(task) {
                        Ok(task) => work.tasks.push(TaskId { connector: connector.clone(), task }),
                        Err(_) => return Err(Malformed::Task(connector, task)),
                    },
                }
            }
        }
        Ok(work)
    }
}

/// What of `more` is not in `there`, each once.
fn missing<T: Ord + Clone>(there: &[T], more: &[T]) -> Vec<T> {
    let mut known: BTreeSet<&T> = there.iter().collect();
    more.iter().filter(|item| known.insert(item)).cloned().collect()
}

/// What the leader tells a member (`ExtendedAssignment`), and, in the member's metadata, what that member runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The protocol's version.
    pub version: i16,
    /// [`NO_ERROR`](Self::NO_ERROR) or [`CONFIG_MISMATCH`](Self::CONFIG_MISMATCH).
    pub error: i16,
    /// The leader's member id.
    pub leader: String,
    /// Where the leader takes requests.
    pub leader_url: String,
    /// The offset behind the last record of the configuration topic that the leader knew of.
    pub offset: i64,
    /// What is new for the member; for an eager one, all that it has.
    pub assigned: Work,
    /// What the member stops.
    pub revoked: Work,
    /// After how long the member joins again, in milliseconds; 0 if it need not.
    pub delay: i32,
}

impl Assignment {
    /// All is well.
    pub const NO_ERROR: i16 = 0;
    /// The leader has not read the configuration topic as far as another member: all read it to its end and join again.
    pub const CONFIG_MISMATCH: i16 = 1;

    /// Whether the leader could not assign.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error != Self::NO_ERROR
    }

    /// What the member has once it obeyed: its metadata says so in the next rebalance. `before` is what it had.
    ///
    /// As in Java's `WorkerCoordinator.onJoinComplete`: the new work, then what it had before and did not have to stop.
    /// Nothing is revoked any more.
    #[must_use]
    pub fn taken(mut self, before: Option<&Self>) -> Self {
        if self.version > 0
            && let Some(before) = before
        {
            let mut kept = before.assigned.clone();
            kept.remove(&self.revoked);
            self.assigned.add(&kept);
        }
        self.revoked = Work::default();
        self
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.encode_as(self.version)
    }

    fn encode_as(&self, version: i16) -> Bytes {
        let mut to = BytesMut::new();
        to.put_i16(version);
        to.put_i16(self.error);
        put_string(&mut to, &self.leader);
        put_string(&mut to, &self.leader_url);
        to.put_i64(self.offset);
        self.assigned.encode(&mut to);
        if version > 0 {
            self.revoked.encode(&mut to);
            to.put_i32(self.delay);
        }
        to.freeze()
    }

    /// The assignment that bytes stand for, of whatever version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let from = &mut Reader(bytes);
        Ok(Self {
            version: from.version()?,
            error: from.i16("an assignment's error")?,
            leader: from.string("the leader's id")?,
            leader_url: from.string("the leader's URL")?,
            offset: from.i64("the configuration's offset")?,
            assigned: if from.0.is_empty() { Work::default() } else { Work::decode(from)? },
            revoked: if from.0.is_empty() { Work::default() } else { Work::decode(from)? },
            delay: if from.0.is_empty() { 0 } else { from.i32("the delay")? },
        })
    }
}

/// What a member says of itself when it joins (`ExtendedWorkerState`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The protocol's version.
    pub version: i16,
    /// Where the member takes requests, with a slash at its end.
    pub url: String,
    /// The offset behind the last record of the configuration topic that the member read; −1 if it read none.
    pub offset: i64,
    /// What it runs; none if it has not been assigned anything. Not in version 0.
    pub allocation: Option<Assignment>,
    /// It is about to leave, and asks to have its work revoked first. Only Landfall workers say so. Not in version 0.
    pub leaving: bool,
}

impl Metadata {
    /// What the member runs.
    #[must_use]
    pub fn work(&self) -> &Work {
        const NONE: &Work = &Work { connectors: Vec::new(), tasks: Vec::new() };
        self.allocation.as_ref().map_or(NONE, |allocation| &allocation.assigned)
    }

    /// What a member with this `connect.protocol` joins with: the name of each protocol and these metadata in its form, in order of preference.
    #[must_use]
    pub fn offered(&self, protocol: Protocol) -> Vec<(String, Bytes)> {
        protocol.offered().map(|protocol| (protocol.name().to_owned(), self.encode_as(protocol.version()))).collect()
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.encode_as(self.version)
    }

    fn encode_as(&self, version: i16) -> Bytes {
        let mut to = BytesMut::new();
        to.put_i16(version);
        put_string(&mut to, &self.url);
        to.put_i64(self.offset);
        if version > 0 {
            match &self.allocation {
                None => to.put_i32(-1),
                Some(allocation) => {
                    let allocation = allocation.encode_as(version);
                    to.put_i32(allocation.len() as i32);
                    to.put(allocation);
                }
            }
            if self.leaving {
                put_string(&mut to, LEAVING);
            }
        }
        to.freeze()
    }

    /// The metadata that bytes stand for, of whatever version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let from = &mut Reader(bytes);
        let (version, url, offset) = (from.version()?, from.string("a member's URL")?, from.i64("the configuration's offset")?);
        let allocation = match from.0.is_empty() {
            true => None,
            false => match from.length("an allocation")? {
                None => None,
                Some(length) => Some(Assignment::decode(from.take(length, "an allocation")?)?),
            },
        };
        let leaving = from.string("").is_ok_and(|behind| behind == LEAVING);
        Ok(Self { version, url, offset, allocation, leaving })
    }
}

/// What no length says is cut off; no URL, id or connector that a request could create is longer.
fn put_string(to: &mut BytesMut, value: &str) {
    let value = &value[..value.floor_char_boundary(i16::MAX as usize)];
    to.put_i16(value.len() as i16);
    to.put_slice(value.as_bytes());
}

/// The bytes that have not been read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (read, rest) = self.0.split_first_chunk().ok_or(Malformed::Short(what))?;
        self.0 = rest;
        Ok(*read)
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (read, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short(what))?;
        self.0 = rest;
        Ok(read)
    }

    fn i16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        self.array(what).map(i16::from_be_bytes)
    }

    fn i32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        self.array(what).map(i32::from_be_bytes)
    }

    fn i64(&mut self, what: &'static str) -> Result<i64, Malformed> {
        self.array(what).map(i64::from_be_bytes)
    }

    fn version(&mut self) -> Result<i16, Malformed> {
        match self.i16("the version")? {
            version @ 0.. => Ok(version),
            version => Err(Malformed::Version(version)),
        }
    }

    /// The length of an array or of bytes; none of a null.
    fn length(&mut self, what: &'static str) -> Result<Option<usize>, Malformed> {
        let length = self.i32(what)?;
        Ok(usize::try_from(length).ok())
    }

    fn string(&mut self, what: &'static str) -> Result<String, Malformed> {
        let length = self.i16(what)?;
        let length = usize::try_from(length).map_err(|_| Malformed::Length(what, length.into()))?;
        Ok(String::from_utf8_lossy(self.take(length, what)?).into_owned())
    }
}

#[cfg(test)]
mod tests;
