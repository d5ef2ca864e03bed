//! Where a partition goes on when it is opened: what its pointer says, what its group's offset says, and who is to be believed.

use landfall_api::{Committed, TopicId};

use super::pointer::{Identity, Pointer};

/// What stands before the incarnation in the metadata of our commits.
const TOKEN: &str = "lf1:";

/// What Kafka says of a partition when it is opened. That may be old news when the pointer is read: another worker may have owned the
/// partition in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Start {
    /// The group's offset, as it was read after the partition was assigned, or as the group has accepted it since.
    pub committed: Option<Committed>,
    /// The first record that the consumer gave, which began at `committed` or where `auto.offset.reset` says.
    pub first: i64,
    /// The first offset of the log, if it was asked for.
    pub log_start: Option<i64>,
    /// The offset after the last one of the log, if it was asked for.
    pub log_end: Option<i64>,
    /// The topic's id, if brokers tell.
    pub topic: Option<TopicId>,
}

impl Start {
    /// The incarnation of a pointer that is made: that of the group's offset if there was a pointer before, so that files keep their
    /// names in another `topics.dir`; one more if the offset does not count any more.
    pub(super) fn born(&self) -> u32 {
        let before = self.committed.as_ref().and_then(|committed| Some((incarnation(&committed.metadata)?, committed.offset)));
        before.map_or(0, |(of, offset)| of + u32::from(self.first < offset))
    }
}

/// What becomes of a group's offset that was set by something else while the partition had a pointer (`landfall.external.reset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExternalReset {
    /// The partition goes on there.
    #[default]
    Obey,
    /// The pointer counts.
    Ignore,
    /// The task fails.
    Fail,
}

impl ExternalReset {
    /// The rule that `landfall.external.reset=<name>` means, any case.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "obey" => Ok(Self::Obey),
            "ignore" => Ok(Self::Ignore),
            "fail" => Ok(Self::Fail),
            _ => Err("String must be one of: obey, ignore, fail".into()),
        }
    }
}

/// What becomes of records that were deleted before they landed (`landfall.offset.gap`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OffsetGap {
    /// The task fails.
    #[default]
    Fail,
    /// They are left out.
    Skip,
}

impl OffsetGap {
    /// The rule that `landfall.offset.gap=<name>` means, any case.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            _ => Err("String must be one of: fail, skip".into()),
        }
    }
}

/// The rules for what is not as it was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// For offsets of the group.
    pub reset: ExternalReset,
    /// For records that are gone.
    pub gap: OffsetGap,
}

/// What an owner does with a partition before it takes records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// There is no pointer: one is made, and records are taken from this offset on.
    Create(i64),
    /// The pointer counts.
    Keep,
    /// Records before this offset are done with: another worker has landed them, or they are gone.
    Raise(i64),
    /// All records from this offset on land again, in files of another incarnation.
    Rewind(i64),
}

impl Plan {
    /// The offset that it names.
    pub(super) fn from(self) -> Option<i64> {
        match self {
            Self::Keep => None,
            Self::Create(from) | Self::Raise(from) | Self::Rewind(from) => Some(from),
        }
    }
}

/// The incarnation that the metadata of a group's offset names, if it is one of ours.
#[must_use]
pub fn incarnation(metadata: &str) -> Option<u32> {
    metadata.strip_prefix(TOKEN)?.split(':').next()?.parse().ok()
}

/// The metadata of the group's offset that goes with `pointer`.
#[must_use]
pub fn token(pointer: &Pointer) -> String {
    format!("{TOKEN}{}:{}:{}", pointer.incarnation, pointer.epoch, pointer.seq)
}

/// What to do with the partition `name` whose pointer is `found`; and how many offsets are left out because their records are gone.
///
/// # Errors
/// Why it cannot be opened, and what can be done about it.
pub fn plan(name: &str, found: Option<&Pointer>, me: &Identity, start: &Start, rules: Rules) -> Result<(Plan, u64), String> {
    let committed = start.committed.as_ref();
    let begin = committed.map_or(start.first, |committed| committed.offset.min(start.first));
    let plan = match found {
        None => Plan::Create(begin),
        Some(pointer) => {
            if !pointer.identity.is(me) {
                return Err(format!(
                    "the files of {name} are those of {}, and this is {me}: give this connector another topics.dir; or, if it takes \
                     over from that one, which must be stopped, run landfall adopt",
                    pointer.identity
                ));
            }
            let again = pointer.topic_id.zip(start.topic).is_some_and(|(then, now)| then != now);
            let low = pointer.landed.low();
            match committed {
                // an offset of ours is one of the topic that is gone
                Some(Committed { metadata, .. }) if again && incarnation(metadata).is_some() => Plan::Rewind(start.log_start.unwrap_or(0)),
                _ if again => Plan::Rewind(begin),
                None => Plan::Keep,
                Some(Committed { offset, metadata }) => match incarnation(metadata) {
                    Some(of) if of < pointer.incarnation => Plan::Keep,
                    Some(of) if of > pointer.incarnation || *offset > low => {
                        return Err(format!(
                            "the pointer of {name} ends at offset {low} of incarnation {}, and the group's offset is {offset} of \
                             incarnation {of}: the pointer is older than it was, as after a restore; landfall adopt sets it",
                            pointer.incarnation
                        ));
                    }
                    Some(_) => Plan::Keep,
                    None if *offset == low || pointer.obeyed == Some(*offset) => Plan::Keep,
                    None if rules.reset == ExternalReset::Ignore => Plan::Keep,
                    None if rules.reset == ExternalReset::Fail => {
                        return Err(format!(
                            "the group's offset of {name} was set to {offset} by something else, and its records have landed up to \
                             offset {low} (landfall.external.reset=fail)"
                        ));
                    }
                    None if *offset > low => Plan::Raise(*offset),
                    None => Plan::Rewind(*offset),
                },
            }
        }
    };
    let from = plan.from().or(found.map(|pointer| pointer.landed.low())).unwrap_or(begin);
    if let Some(end) = start.log_end.filter(|end| from > *end) {
        return Err(format!(
            "{name} ends at offset {end}, and is to be read from offset {from} on: its log was cut off, or it is another cluster's"
        ));
    }
    let Some(log_start) = start.log_start.filter(|log_start| from < *log_start) else { return Ok((plan, 0)) };
    if rules.gap == OffsetGap::Fail {
        return Err(format!(
            "the records of {name} from offset {from} to {} were deleted before they landed; landfall.offset.gap=skip goes on without them",
            log_start - 1
        ));
    }
    let plan = match plan {
        Plan::Create(_) => Plan::Create(log_start),
        Plan::Rewind(_) => Plan::Rewind(log_start),
        Plan::Keep | Plan::Raise(_) => Plan::Raise(log_start),
    };
    Ok((plan, log_start.abs_diff(from)))
}
