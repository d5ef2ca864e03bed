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
                Some(Committed { metadata, .. }) if again && incarnation(metadata).is_some() => {
                    Plan::Rewind(start.log_start.unwrap_or(0))
                }
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

#[cfg(test)]
mod tests {
    use super::super::offsets::Offsets;
    use super::super::pointer::Writer;
    use super::*;

    fn me() -> Identity {
        Identity { connector: "c".into(), group: "g".into(), kafka_cluster_id: "k".into() }
    }

    /// A pointer of incarnation 2 that ends at 10 and has landed 15 to 19 besides.
    fn pointer() -> Pointer {
        Pointer {
            identity: me(),
            topic_id: TopicId::new(1),
            incarnation: 2,
            epoch: 1,
            seq: 1,
            owner: Writer::default(),
            landed: Offsets::of_lengths(10, &[5, 5]).expect("lengths"),
            pending: Vec::new(),
            published: true,
            obeyed: None,
        }
    }

    fn start(committed: Option<(i64, &str)>) -> Start {
        let committed = committed.map(|(offset, metadata)| Committed { offset, metadata: metadata.into() });
        let first = committed.as_ref().map_or(4, |committed| committed.offset);
        Start { committed, first, topic: TopicId::new(1), ..Start::default() }
    }

    fn planned(found: Option<&Pointer>, start: &Start, reset: ExternalReset, gap: OffsetGap) -> Result<(Plan, u64), String> {
        plan("t-0", found, &me(), start, Rules { reset, gap })
    }

    #[test]
    fn the_group_and_the_pointer_say_where_to_begin() {
        use ExternalReset::{Fail, Ignore, Obey};
        let cases = [
            (None, Obey, Ok(Plan::Keep)),
            (Some((10, "lf1:2:7:7")), Obey, Ok(Plan::Keep)),
            (Some((9, "lf1:2:7:7")), Obey, Ok(Plan::Keep)),
            (Some((11, "lf1:2:7:7")), Obey, Err("the pointer is older than it was")),
            (Some((99, "lf1:1:7:7")), Obey, Ok(Plan::Keep)),
            (Some((1, "lf1:3:7:7")), Obey, Err("the pointer is older than it was")),
            (Some((10, "")), Obey, Ok(Plan::Keep)),
            (Some((10, "")), Fail, Ok(Plan::Keep)),
            (Some((12, "")), Obey, Ok(Plan::Raise(12))),
            (Some((17, "lf2:0")), Obey, Ok(Plan::Raise(17))),
            (Some((17, "lf1:x")), Obey, Ok(Plan::Raise(17))),
            (Some((8, "")), Obey, Ok(Plan::Rewind(8))),
            (Some((12, "")), Ignore, Ok(Plan::Keep)),
            (Some((8, "")), Ignore, Ok(Plan::Keep)),
            (Some((12, "")), Fail, Err("was set to 12 by something else")),
            (Some((8, "")), Fail, Err("was set to 8 by something else")),
        ];
        for (committed, reset, expected) in cases {
            let found = planned(Some(&pointer()), &start(committed), reset, OffsetGap::Fail);
            match (&found, expected) {
                (Ok((plan, 0)), Ok(expected)) => assert_eq!(*plan, expected, "{committed:?}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                _ => panic!("{committed:?}, {reset:?}: {found:?} is not {expected:?}"),
            }
        }
        let obeyed = Pointer { obeyed: Some(17), ..pointer() };
        for (offset, expected) in [(17, Plan::Keep), (16, Plan::Raise(16)), (8, Plan::Rewind(8))] {
            assert_eq!(planned(Some(&obeyed), &start(Some((offset, ""))), Obey, OffsetGap::Fail), Ok((expected, 0)));
        }
        assert_eq!(planned(Some(&obeyed), &start(Some((17, ""))), Fail, OffsetGap::Fail), Ok((Plan::Keep, 0)));
    }

    #[test]
    fn without_a_pointer_the_group_counts() {
        for (committed, first, expected) in
            [(None, 4, 4), (Some((7, "")), 7, 7), (Some((7, "")), 9, 7), (Some((7, "lf1:2:1:1")), 4, 4)]
        {
            let start = Start { first, ..start(committed) };
            let found = planned(None, &start, ExternalReset::Fail, OffsetGap::Fail);
            assert_eq!(found, Ok((Plan::Create(expected), 0)), "{committed:?} {first}");
        }
    }

    #[test]
    fn another_topic_of_the_name_begins_anew() {
        let other = |committed, log_start| Start { topic: TopicId::new(2), log_start, ..start(committed) };
        let cases = [
            (None, None, Plan::Rewind(4)),
            (Some((6, "")), None, Plan::Rewind(6)),
            (Some((10, "lf1:2:1:1")), None, Plan::Rewind(0)),
            (Some((10, "lf1:2:1:1")), Some(2), Plan::Rewind(2)),
            (Some((99, "lf1:1:1:1")), Some(2), Plan::Rewind(2)),
        ];
        for (committed, log_start, expected) in cases {
            let found = planned(Some(&pointer()), &other(committed, log_start), ExternalReset::Fail, OffsetGap::Fail);
            assert_eq!(found, Ok((expected, 0)), "{committed:?}");
        }
        let unknown = Start { topic: None, ..start(None) };
        assert_eq!(planned(Some(&pointer()), &unknown, ExternalReset::Obey, OffsetGap::Fail), Ok((Plan::Keep, 0)));
        let unknown = Pointer { topic_id: None, ..pointer() };
        assert_eq!(planned(Some(&unknown), &other(None, None), ExternalReset::Obey, OffsetGap::Fail), Ok((Plan::Keep, 0)));
    }

    #[test]
    fn records_that_are_gone_are_left_out_if_that_is_wanted() {
        let cases = [
            (None, Some(pointer()), 10, Plan::Keep, 0),
            (None, Some(pointer()), 12, Plan::Raise(12), 2),
            (Some((11, "")), Some(pointer()), 12, Plan::Raise(12), 1),
            (Some((8, "")), Some(pointer()), 9, Plan::Rewind(9), 1),
            (Some((8, "")), None, 9, Plan::Create(9), 1),
        ];
        for (committed, found, log_start, expected, gone) in cases {
            let start = Start { log_start: Some(log_start), ..start(committed) };
            let skip = planned(found.as_ref(), &start, ExternalReset::Obey, OffsetGap::Skip);
            assert_eq!(skip, Ok((expected, gone)));
            let fail = planned(found.as_ref(), &start, ExternalReset::Obey, OffsetGap::Fail);
            assert_eq!(fail.is_err(), gone > 0);
            let why = fail.err().unwrap_or_default();
            assert!(gone == 0 || why.contains(&format!("to {} were deleted before they landed", log_start - 1)), "{why}");
        }
    }

    #[test]
    fn a_log_that_was_cut_off_is_refused() {
        for (committed, found, end) in [
            (None, Some(pointer()), 10),
            (Some((12, "")), Some(pointer()), 12),
            (Some((7, "")), None, 7),
            (Some((8, "")), Some(pointer()), 8),
        ] {
            let at = |log_end| Start { log_end: Some(log_end), ..start(committed) };
            assert!(planned(found.as_ref(), &at(end), ExternalReset::Obey, OffsetGap::Skip).is_ok());
            let why = planned(found.as_ref(), &at(end - 1), ExternalReset::Obey, OffsetGap::Skip).expect_err("it is cut off");
            assert!(why.starts_with(&format!("t-0 ends at offset {}, and is to be read from offset {end} on", end - 1)), "{why}");
        }
    }

    #[test]
    fn a_pointer_of_another_is_refused() {
        let cases = [
            (Identity { connector: "d".into(), ..me() }, true),
            (Identity { group: "h".into(), ..me() }, true),
            (Identity { kafka_cluster_id: "l".into(), ..me() }, true),
            (Identity { kafka_cluster_id: String::new(), ..me() }, false),
        ];
        for (identity, refused) in cases {
            for (one, other) in [(identity.clone(), me()), (me(), identity)] {
                let found = Pointer { identity: one.clone(), ..pointer() };
                let plan = plan("t-0", Some(&found), &other, &start(None), Rules::default());
                assert_eq!(plan.is_err(), refused, "{one} {other}");
                let both = |why: &String| why.contains(&one.to_string()) && why.contains(&other.to_string());
                assert!(plan.err().as_ref().is_none_or(both), "both are named");
            }
        }
    }

    #[test]
    fn tokens_name_the_incarnation() {
        assert_eq!(token(&pointer()), "lf1:2:1:1");
        for (metadata, expected) in [
            ("lf1:2:1:1", Some(2)),
            ("lf1:3", Some(3)),
            ("", None),
            ("lf1:", None),
            ("lf1:-1:0:0", None),
            ("2:1:1", None),
            ("xlf1:2", None),
        ] {
            assert_eq!(incarnation(metadata), expected, "{metadata:?}");
        }
    }

    #[test]
    fn rules_are_known_by_name() {
        let resets = ["obey", "IGNORE", "Fail"].map(ExternalReset::named);
        assert_eq!(resets, [Ok(ExternalReset::Obey), Ok(ExternalReset::Ignore), Ok(ExternalReset::Fail)]);
        assert_eq!(["fail", "Skip"].map(OffsetGap::named), [Ok(OffsetGap::Fail), Ok(OffsetGap::Skip)]);
        assert!(ExternalReset::named("no").is_err() && OffsetGap::named("no").is_err());
    }
}
