//! The owner of a partition: a state machine that says which call to the store comes next, and takes its answer.
//!
//! It does no I/O and knows no clock, so that the model in `tests/model` of this crate can put it in every state that lost answers,
//! late requests, crashes and other owners can bring about. What it keeps to:
//!
//! 1. a file is published only when a pointer that was current names it;
//! 2. a pointer names new files only after those of the one before are published;
//! 3. what was staged is named by one commit, and published once;
//! 4. every write of a pointer is a compare-and-set, and who loses one changes nothing any more;
//! 5. commits of one incarnation have no offset in common;
//! 6. nothing that is visible is deleted or overwritten;
//! 7. the group's offset is that of a pointer whose files are all published;
//! 8. nothing is committed while the group's offset is another's: behind a new pointer it would look as if it had just been set;
//! 9. what the group says moves a pointer only if the group has taken a commit of this owner since the pointer was read. What it said
//!    before may have been followed by another owner, and be behind what has landed since.

use std::sync::Arc;
use std::time::Duration;

use landfall_api::Offset;

use super::offsets::Offsets;
use super::pointer::{Identity, Pending, Pointer, Writer};
use super::start::{self, Plan, Rules, Start};
use crate::storage::{Published, Version, Written};

/// What was staged so long ago may be dropped by the store soon: nobody then takes it for published because it is not there.
pub const MOST_STAGED: Duration = Duration::from_hours(6 * 24);
/// No file is committed whose last block was staged longer ago, so that there is time left to publish it.
pub const MOST_WAITING: Duration = Duration::from_hours(5 * 24);

/// Whose partition it is, and under which rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The partition, as users know it.
    pub name: String,
    /// Who lands its records.
    pub identity: Identity,
    /// Who opens it.
    pub writer: Writer,
    /// What Kafka says of it.
    pub start: Start,
    /// What counts if that is not what was left.
    pub rules: Rules,
}

/// One call to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// Read the pointer, for [`Owner::read`].
    Read,
    /// Write the pointer if it has the version, or if there is none, for [`Owner::wrote`].
    Write(&'a Pointer, Option<&'a Version>),
    /// Publish these, for [`Owner::published`] each.
    Publish(&'a [Pending]),
}

/// Why a partition cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Somebody else has written the pointer. What is not committed is to be dropped; if the partition is still assigned to this
    /// worker, it may be opened anew.
    Lost,
    /// What can be done only by people.
    Refused(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Reads the pointer, to open.
    Read,
    /// Writes the same with another epoch, so that those who had the partition before cannot write any more.
    Fence(Pointer, Plan),
    /// Publishes what is pending and not known to be published; then the plan, if it is not yet carried out.
    Publish(Vec<Pending>, Plan),
    /// Waits for the group to take its own offset once more, and carries out the plan then.
    Confirm(Plan),
    /// Carries out the plan.
    Adjust(Pointer),
    Idle,
    /// Writes a pointer of its own.
    Commit(Pointer),
    /// Reads whether a write of `next` of which no answer came was applied; `fenced` is one that would have kept it from that.
    Resolve {
        next: Pointer,
        fenced: Option<Pointer>,
    },
    /// Keeps a write of which no answer came from being applied later, by changing what it is conditional on.
    Refence {
        fenced: Pointer,
        next: Pointer,
    },
    Ended(End),
}

/// The owner of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    claim: Arc<Claim>,
    /// The pointer as it was last read or written, and its version.
    held: Option<(Pointer, Version)>,
    phase: Phase,
    /// Whether the group has accepted an offset of the pointer from this owner.
    ours: bool,
    /// Files that were taken for published because what was staged of them is gone.
    assumed: u64,
    /// Offsets that were left out because their records are gone.
    skipped: u64,
}

impl Owner {
    /// Who is to become the owner. First [`call`](Self::call) tells what to do.
    #[must_use]
    pub fn new(claim: Claim) -> Self {
        Self { claim: Arc::new(claim), held: None, phase: Phase::Read, ours: false, assumed: 0, skipped: 0 }
    }

    /// The call that comes next; None when it is [idle](Self::is_idle), [awaits the group](Self::awaits_group), or is at its
    /// [end](Self::end).
    #[must_use]
    pub fn call(&self) -> Option<Call<'_>> {
        let version = self.held.as_ref().map(|(_, version)| version);
        match &self.phase {
            Phase::Read | Phase::Resolve { .. } => Some(Call::Read),
            Phase::Fence(next, _) | Phase::Adjust(next) | Phase::Commit(next) => Some(Call::Write(next, version)),
            Phase::Refence { fenced, .. } => Some(Call::Write(fenced, version)),
            Phase::Publish(left, _) => Some(Call::Publish(left)),
            Phase::Confirm(_) | Phase::Idle | Phase::Ended(_) => None,
        }
    }

    /// Whether files may be committed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Why it cannot go on, if that is so.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        if let Phase::Ended(end) = &self.phase { Some(end) } else { None }
    }

    /// The pointer as it was last read or written.
    #[must_use]
    pub fn pointer(&self) -> Option<&Pointer> {
        self.held.as_ref().map(|(pointer, _)| pointer)
    }

    /// What is to be committed to the group now, also if the group has it already: what it has, to see whether this worker may still
    /// commit; else the pointer's, once its files are all published.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        let pointer = self.pointer()?;
        let ours = |offset| Offset { offset, metadata: start::token(pointer) };
        match &self.phase {
            Phase::Confirm(plan) => {
                Some(self.claim.start.committed.clone().unwrap_or_else(|| ours(plan.from().unwrap_or_default())))
            }
            Phase::Idle => Some(ours(pointer.landed.low())),
            _ => None,
        }
    }

    /// What the commit is called whose files are being published: `<incarnation>.<epoch>.<seq>`.
    #[must_use]
    pub fn commit_id(&self) -> String {
        self.pointer().map_or_else(String::new, |held| format!("{}.{}.{}", held.incarnation, held.epoch, held.seq))
    }

    /// The offsets whose records were deleted before they landed, as far as opening has shown.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The group has accepted `offset`, which this owner has [given](Self::offset), from a member of the generation that has the
    /// partition.
    pub fn accepted(&mut self, offset: &Offset) {
        if self.offset().as_ref() == Some(offset) {
            match self.phase {
                Phase::Confirm(plan) => self.phase = self.adjust(plan),
                _ => self.ours = true,
            }
        }
    }

    /// Whether the group has to accept the [`offset`](Self::offset) before it goes on.
    #[must_use]
    pub fn awaits_group(&self) -> bool {
        matches!(self.phase, Phase::Confirm(_)) || self.is_idle() && !self.ours && self.foreign().is_some()
    }

    /// The group's offset, as it was when the partition was assigned, if something else has set it.
    fn foreign(&self) -> Option<i64> {
        let foreign = |committed: &&Offset| start::incarnation(&committed.metadata).is_none();
        self.claim.start.committed.as_ref().filter(foreign).map(|committed| committed.offset)
    }

    /// The files that were taken for published since the last call, because what was staged of them is gone.
    pub fn take_assumed(&mut self) -> u64 {
        std::mem::take(&mut self.assumed)
    }

    /// The answer to [`Call::Read`].
    pub fn read(&mut self, found: Option<(Pointer, Version)>) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Read => self.fence(found),
            Phase::Resolve { next, fenced } => self.resolve(found, next, fenced),
            other => other,
        };
    }

    fn fence(&mut self, found: Option<(Pointer, Version)>) -> Phase {
        if found.is_none() && self.held.is_some() {
            return self.removed();
        }
        let Claim { name, identity, writer, start, rules } = &*self.claim;
        let pointer = found.as_ref().map(|(pointer, _)| pointer);
        let plan = match start::plan(name, pointer, identity, start, *rules) {
            Ok((plan, gap)) => {
                self.skipped = gap;
                plan
            }
            Err(why) => return Phase::Ended(End::Refused(why)),
        };
        let fence = match pointer {
            Some(pointer) => {
                let known = !pointer.identity.kafka_cluster_id.is_empty();
                let identity = if known { pointer.identity.clone() } else { identity.clone() };
                let topic_id = pointer.topic_id.or(start.topic);
                Pointer { identity, topic_id, epoch: pointer.epoch + 1, owner: writer.clone(), ..pointer.clone() }
            }
            None => Pointer {
                identity: identity.clone(),
                topic_id: start.topic,
                incarnation: start.born(),
                epoch: 1,
                seq: 0,
                owner: writer.clone(),
                landed: Offsets::before(plan.from().unwrap_or(start.first)),
                pending: Vec::new(),
                published: true,
                obeyed: self.foreign(),
            },
        };
        self.held = found;
        Phase::Fence(fence, plan)
    }

    fn resolve(&mut self, found: Option<(Pointer, Version)>, next: Pointer, fenced: Option<Pointer>) -> Phase {
        let Some((pointer, version)) = found else { return self.removed() };
        if pointer == next {
            return self.written(next, version, Plan::Keep);
        }
        if let Some(fenced) = fenced.filter(|fenced| *fenced == pointer) {
            return self.fenced(fenced, version, next);
        }
        match &self.held {
            Some((held, own)) if *own == version => {
                Phase::Refence { fenced: Pointer { epoch: held.epoch + 1, ..held.clone() }, next }
            }
            _ => Phase::Ended(End::Lost),
        }
    }

    fn removed(&self) -> Phase {
        let name = &self.claim.name;
        Phase::Ended(End::Refused(format!(
            "the pointer of {name} was removed while its records were landing: it has to be put back, or landfall adopt sets another"
        )))
    }

    fn fenced(&mut self, fenced: Pointer, version: Version, next: Pointer) -> Phase {
        let next = Pointer { epoch: fenced.epoch, ..next };
        self.held = Some((fenced, version));
        Phase::Commit(next)
    }

    /// The pointer is now `pointer`, which this owner has written.
    fn written(&mut self, pointer: Pointer, version: Version, plan: Plan) -> Phase {
        let left = if pointer.published { Vec::new() } else { pointer.pending.clone() };
        self.held = Some((pointer, version));
        self.publish(left, plan)
    }

    fn publish(&self, left: Vec<Pending>, plan: Plan) -> Phase {
        if !left.is_empty() {
            return Phase::Publish(left, plan);
        }
        match plan {
            Plan::Create(_) | Plan::Keep => Phase::Idle,
            Plan::Raise(_) if self.foreign().is_none() => self.adjust(plan),
            Plan::Raise(_) | Plan::Rewind(_) => Phase::Confirm(plan),
        }
    }

    fn adjust(&self, plan: Plan) -> Phase {
        let Some(pointer) = self.pointer() else { return Phase::Ended(End::Lost) };
        let adjusted = Pointer { published: true, obeyed: self.foreign().or(pointer.obeyed), ..pointer.clone() };
        Phase::Adjust(match plan {
            Plan::Create(_) | Plan::Keep => return Phase::Idle,
            Plan::Raise(low) => Pointer { landed: pointer.landed.raised_to(low), ..adjusted },
            Plan::Rewind(low) => {
                let (incarnation, topic_id) = (pointer.incarnation + 1, self.claim.start.topic.or(pointer.topic_id));
                Pointer { incarnation, topic_id, landed: Offsets::before(low), pending: Vec::new(), ..adjusted }
            }
        })
    }

    /// The answer to [`Call::Write`]; None if it is not known whether it was applied or will be.
    pub fn wrote(&mut self, written: Option<Written>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        self.phase = match (phase, written) {
            (Phase::Fence(next, plan), Some(Written::Done(version))) => self.written(next, version, plan),
            (Phase::Adjust(next) | Phase::Commit(next), Some(Written::Done(version))) => self.written(next, version, Plan::Keep),
            (Phase::Refence { fenced, next }, Some(Written::Done(version))) => self.fenced(fenced, version, next),
            // the write that this was to keep away may have come before it
            (Phase::Refence { fenced, next }, _) => Phase::Resolve { next, fenced: Some(fenced) },
            // whatever became of it, what is read next counts
            (Phase::Fence(..) | Phase::Adjust(_), None) => Phase::Read,
            (Phase::Fence(..) | Phase::Adjust(_), Some(Written::Refused)) => Phase::Ended(End::Lost),
            // refused, because another owner has written, because it was sent twice by something in between, or there is no pointer
            (Phase::Commit(next), _) => Phase::Resolve { next, fenced: None },
            (other, _) => other,
        };
    }

    /// The answer of the store for one file of [`Call::Publish`], by its token.
    pub fn published(&mut self, token: &str, published: Published) {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Publish(mut left, plan) = phase else {
            self.phase = phase;
            return;
        };
        let Some(at) = left.iter().position(|pending| pending.file.token == token) else {
            self.phase = Phase::Publish(left, plan);
            return;
        };
        let pending = left.remove(at);
        let refused = match published {
            Published::Landed => None,
            Published::Gone { age, conclusive: true } if age < MOST_STAGED => {
                self.assumed += 1;
                None
            }
            Published::Conflict => Some("another file has its name: move that one away, and restart the task; nothing is lost"),
            Published::Gone { conclusive: true, .. } => Some("it was staged too long ago to tell whether it was visible before"),
            Published::Gone { .. } => {
                Some("on this kind of account that does not tell whether it was visible before (see landfall storage check)")
            }
        };
        self.phase = match refused {
            None => self.publish(left, plan),
            Some(why) => {
                let (Pending { file, first, last, rows }, name) = (pending, &self.claim.name);
                let path = file.path;
                Phase::Ended(End::Refused(format!(
                    "the file {path} of {name} ({rows} rows, offsets {first} to {last}) was committed and cannot be published: {why}"
                )))
            }
        };
    }

    /// Commits `files` all at once, after which all offsets of `landed` are done with.
    ///
    /// # Panics
    /// If it is not [idle](Self::is_idle), the group's offset is another's, offsets would land twice or be forgotten, or a file was
    /// committed before.
    pub fn commit(&mut self, files: Vec<Pending>, landed: Offsets) {
        assert!(self.is_idle(), "a commit while the one before is under way");
        assert!(!self.awaits_group(), "a commit before the group's offset is ours");
        let Some((held, _)) = &self.held else { return };
        assert!(landed.includes(&held.landed), "a commit forgets offsets that have landed");
        for file in &files {
            let known = |pending: &Pending| pending.file.token == file.file.token;
            assert!(!held.pending.iter().any(known), "{} is committed twice", file.file.path);
            let new = |offset| landed.contains(offset) && !held.landed.contains(offset);
            assert!(new(file.first) && new(file.last), "{} holds offsets that have landed", file.file.path);
        }
        let obeyed = held.obeyed.filter(|_| !self.ours);
        self.phase =
            Phase::Commit(Pointer { seq: held.seq + 1, landed, pending: files, published: false, obeyed, ..held.clone() });
    }

    /// Writes down that the files of the last commit are published and that all offsets of `landed` are done with, no file being
    /// committed. False if there is nothing to write.
    ///
    /// # Panics
    /// If it is not [idle](Self::is_idle), the group's offset is another's, or offsets would be forgotten.
    pub fn save(&mut self, landed: Offsets) -> bool {
        assert!(self.is_idle(), "a pointer is saved while a commit is under way");
        assert!(!self.awaits_group(), "a pointer is saved before the group's offset is ours");
        let Some((held, _)) = &self.held else { return false };
        assert!(landed.includes(&held.landed), "a pointer that is saved forgets offsets that have landed");
        let obeyed = held.obeyed.filter(|_| !self.ours);
        if held.published && landed == held.landed && obeyed == held.obeyed {
            return false;
        }
        self.phase = Phase::Commit(Pointer { seq: held.seq + 1, landed, published: true, obeyed, ..held.clone() });
        true
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
