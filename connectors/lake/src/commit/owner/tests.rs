//! What an owner makes of each answer, also of those that come late.

use std::sync::Arc;

use landfall_api::TopicId;

use super::*;
use crate::commit::start::{ExternalReset, OffsetGap};
use crate::storage::Sealed;

fn identity() -> Identity {
    Identity { connector: "c".into(), group: "g".into(), kafka_cluster_id: "k".into() }
}

fn version(n: u32) -> Version {
    Version(Arc::from(n.to_string()))
}

fn claim(committed: Option<(i64, &str)>) -> Claim {
    let committed = committed.map(|(offset, metadata)| Offset { offset, metadata: metadata.into() });
    Claim {
        name: "t-0".into(),
        identity: identity(),
        writer: Writer { worker: "w".into(), instance: 7, ..Writer::default() },
        start: Start { committed, first: 3, topic: TopicId::new(1), ..Start::default() },
        rules: Rules::default(),
    }
}

fn file(token: &str, first: i64, last: i64) -> Pending {
    let file = Sealed { path: format!("t/{first}"), token: token.into(), size: 1, staged_at: 0 };
    Pending { file, first, last, rows: u64::try_from(last - first + 1).expect("some rows") }
}

/// A pointer that another owner has left.
fn left(pending: Vec<Pending>, published: bool) -> Pointer {
    Pointer {
        identity: identity(),
        topic_id: TopicId::new(1),
        incarnation: 0,
        epoch: 4,
        seq: 9,
        owner: Writer::default(),
        landed: Offsets::before(10),
        pending,
        published,
        obeyed: None,
    }
}

fn written(owner: &Owner) -> Pointer {
    let Some(Call::Write(pointer, _)) = owner.call() else { panic!("{:?} is no write", owner.call()) };
    pointer.clone()
}

/// An owner that found `pointer` and has fenced it.
fn fenced(committed: Option<(i64, &str)>, pointer: &Pointer) -> Owner {
    let mut owner = Owner::new(claim(committed));
    owner.read(Some((pointer.clone(), version(1))));
    assert_eq!(owner.call(), Some(Call::Write(&written(&owner), Some(&version(1)))));
    owner.wrote(Some(Written::Done(version(2))));
    owner
}

fn idle() -> Owner {
    let owner = fenced(Some((10, "lf1:0:4:9")), &left(Vec::new(), true));
    assert!(owner.is_idle() && !owner.awaits_group());
    owner
}

fn committing() -> (Owner, Pointer) {
    let mut owner = idle();
    owner.commit(vec![file("a", 10, 11)], Offsets::before(12));
    let next = written(&owner);
    (owner, next)
}

fn refused(owner: &Owner) -> &str {
    let Some(End::Refused(why)) = owner.end() else { panic!("{:?} is not refused", owner.end()) };
    why
}

#[test]
fn a_pointer_is_made_where_the_records_begin() {
    let mut owner = Owner::new(claim(None));
    assert_eq!((owner.call(), owner.offset(), owner.is_idle()), (Some(Call::Read), None, false));
    owner.read(None);
    let made = Pointer { epoch: 1, seq: 0, owner: claim(None).writer, landed: Offsets::before(3), ..left(Vec::new(), true) };
    assert_eq!(owner.call(), Some(Call::Write(&made, None)));
    owner.wrote(Some(Written::Done(version(1))));
    assert_eq!((owner.pointer(), owner.call(), owner.end()), (Some(&made), None, None));
    assert_eq!(owner.offset(), Some(Offset { offset: 3, metadata: "lf1:0:1:0".into() }));
    assert!(!owner.awaits_group(), "the group has no offset of another");
}

#[test]
fn a_pointer_that_is_found_is_fenced() {
    let owner = idle();
    let mine = Pointer { epoch: 5, owner: claim(None).writer, ..left(Vec::new(), true) };
    assert_eq!(owner.pointer(), Some(&mine));
    assert_eq!(owner.offset(), Some(Offset { offset: 10, metadata: "lf1:0:5:9".into() }));
    assert_eq!(owner.commit_id(), "0.5.9");
}

#[test]
fn what_a_pointer_does_not_know_yet_is_learned() {
    let mut old = Pointer { topic_id: None, ..left(Vec::new(), true) };
    old.identity.kafka_cluster_id.clear();
    let owner = fenced(None, &old);
    assert_eq!(owner.pointer().map(|p| (p.topic_id, p.identity.clone())), Some((TopicId::new(1), identity())));
    let mut unsure = claim(None);
    (unsure.start.topic, unsure.identity.kafka_cluster_id) = (None, String::new());
    let mut owner = Owner::new(unsure);
    owner.read(Some((left(Vec::new(), true), version(1))));
    let next = written(&owner);
    assert_eq!((next.topic_id, next.identity), (TopicId::new(1), identity()), "what it knows is not forgotten");
}

#[test]
fn what_is_pending_is_published_first() {
    let files = vec![file("a", 5, 6), file("b", 7, 9)];
    let mut owner = fenced(None, &left(files.clone(), false));
    assert_eq!(owner.call(), Some(Call::Publish(&files)));
    assert_eq!(owner.offset(), None, "the files are not visible yet");
    owner.published("x", Published::Landed);
    owner.published("b", Published::Landed);
    owner.published("b", Published::Conflict);
    assert_eq!(owner.call(), Some(Call::Publish(&files[..1])));
    let gone = Published::Gone { age: MOST_STAGED - Duration::from_millis(1), conclusive: true };
    owner.published("a", gone);
    assert!(owner.is_idle());
    assert_eq!((owner.take_assumed(), owner.take_assumed()), (1, 0));
    assert!(fenced(None, &left(files, true)).is_idle(), "they are known to be published");
}

#[test]
fn what_cannot_be_published_is_refused() {
    let cases = [
        (Published::Conflict, "another file has its name"),
        (Published::Gone { age: MOST_STAGED, conclusive: true }, "staged too long ago"),
        (Published::Gone { age: Duration::ZERO, conclusive: false }, "on this kind of account"),
    ];
    for (published, why) in cases {
        let mut owner = fenced(None, &left(vec![file("a", 5, 6)], false));
        owner.published("a", published);
        assert!(refused(&owner).starts_with("the file t/5 of t-0 (2 rows, offsets 5 to 6) was committed"), "{owner:?}");
        assert!(refused(&owner).contains(why), "{}", refused(&owner));
        assert_eq!((owner.call(), owner.offset()), (None, None));
        assert_eq!(owner.take_assumed(), 0);
    }
}

#[test]
fn a_commit_names_its_files_and_is_published() {
    let (mut owner, next) = committing();
    let files = vec![file("a", 10, 11)];
    let before = idle().pointer().expect("a pointer").clone();
    assert_eq!(next, Pointer { seq: 10, landed: Offsets::before(12), pending: files.clone(), published: false, ..before });
    assert_eq!(owner.call(), Some(Call::Write(&next, Some(&version(2)))));
    assert_eq!(owner.offset(), None);
    owner.wrote(Some(Written::Done(version(3))));
    assert_eq!((owner.call(), owner.offset()), (Some(Call::Publish(&files)), None));
    owner.published("a", Published::Landed);
    assert_eq!(owner.offset(), Some(Offset { offset: 12, metadata: "lf1:0:5:10".into() }));
    owner.commit(vec![file("b", 12, 12)], Offsets::before(13));
    assert_eq!(owner.call(), Some(Call::Write(&written(&owner), Some(&version(3)))));
}

#[test]
fn a_commit_without_an_answer_is_looked_for() {
    for answer in [None, Some(Written::Refused)] {
        let (mut owner, next) = committing();
        owner.wrote(answer.clone());
        assert_eq!(owner.call(), Some(Call::Read));
        owner.read(Some((next.clone(), version(3))));
        assert_eq!(owner.call(), Some(Call::Publish(&next.pending)), "it was applied");

        let (mut owner, next) = committing();
        owner.wrote(answer.clone());
        owner.read(Some((Pointer { epoch: 6, ..next }, version(4))));
        assert_eq!(owner.end(), Some(&End::Lost), "another owner has published it, or will");

        let (mut owner, _) = committing();
        owner.wrote(answer);
        owner.read(None);
        assert!(refused(&owner).contains("was removed"), "{}", refused(&owner));
    }
}

#[test]
fn a_commit_that_may_come_late_is_fenced_off_and_sent_again() {
    let held = idle().pointer().expect("a pointer").clone();
    let fence = Pointer { epoch: 6, ..held.clone() };
    let refence = || {
        let (mut owner, next) = committing();
        owner.wrote(None);
        owner.read(Some((held.clone(), version(2))));
        assert_eq!(owner.call(), Some(Call::Write(&fence, Some(&version(2)))));
        (owner, Pointer { epoch: 6, ..next.clone() }, next)
    };
    let (mut owner, again, _) = refence();
    owner.wrote(Some(Written::Done(version(3))));
    assert_eq!(owner.call(), Some(Call::Write(&again, Some(&version(3)))));

    for answer in [None, Some(Written::Refused)] {
        let (mut owner, again, _) = refence();
        owner.wrote(answer.clone());
        assert_eq!(owner.call(), Some(Call::Read));
        owner.read(Some((fence.clone(), version(3))));
        assert_eq!(owner.call(), Some(Call::Write(&again, Some(&version(3)))), "the fence was applied");

        let (mut owner, _, next) = refence();
        owner.wrote(answer.clone());
        owner.read(Some((next.clone(), version(3))));
        assert_eq!(owner.call(), Some(Call::Publish(&next.pending)), "the commit came before the fence");

        let (mut owner, ..) = refence();
        owner.wrote(answer.clone());
        owner.read(Some((held.clone(), version(2))));
        assert_eq!(owner.call(), Some(Call::Write(&fence, Some(&version(2)))), "neither was applied");

        let (mut owner, ..) = refence();
        owner.wrote(answer);
        owner.read(Some((Pointer { epoch: 7, ..held.clone() }, version(4))));
        assert_eq!(owner.end(), Some(&End::Lost));
    }
}

#[test]
fn opening_without_an_answer_begins_anew() {
    let mut owner = Owner::new(claim(None));
    owner.read(None);
    owner.wrote(None);
    assert_eq!(owner.call(), Some(Call::Read));
    let made = Pointer { epoch: 1, ..left(Vec::new(), true) };
    owner.read(Some((made, version(1))));
    assert_eq!(written(&owner).epoch, 2);
    owner.wrote(Some(Written::Refused));
    assert_eq!(owner.end(), Some(&End::Lost));

    let mut owner = Owner::new(claim(None));
    owner.read(None);
    owner.wrote(Some(Written::Refused));
    assert_eq!(owner.end(), Some(&End::Lost), "another owner has made one");

    let mut owner = Owner::new(claim(None));
    owner.read(Some((left(Vec::new(), true), version(1))));
    owner.wrote(None);
    owner.read(None);
    assert!(refused(&owner).contains("was removed"), "{}", refused(&owner));
}

#[test]
fn an_offset_that_an_operator_has_set_is_obeyed_once() {
    let pointer = Pointer { landed: Offsets::of_lengths(10, &[2, 3]).expect("lengths"), ..left(vec![file("a", 9, 9)], false) };
    let mut owner = fenced(Some((5, "")), &pointer);
    owner.published("a", Published::Landed);
    let theirs = Offset { offset: 5, metadata: String::new() };
    assert!(owner.awaits_group() && !owner.is_idle() && owner.call().is_none());
    assert_eq!(owner.offset(), Some(theirs.clone()), "whether the group still takes commits from here");
    owner.accepted(&Offset { offset: 5, metadata: "lf1:0:5:9".into() });
    assert!(owner.call().is_none(), "that is not what it has given");
    owner.accepted(&theirs);
    let rewound = written(&owner);
    let mine = Pointer { epoch: 5, owner: claim(None).writer, ..left(Vec::new(), true) };
    assert_eq!(rewound, Pointer { incarnation: 1, landed: Offsets::before(5), obeyed: Some(5), ..mine });

    let mut lost = owner.clone();
    lost.wrote(None);
    assert_eq!(lost.call(), Some(Call::Read));
    lost.read(Some((rewound, version(3))));
    lost.wrote(Some(Written::Done(version(4))));
    assert!(lost.is_idle(), "it was applied");
    let mut lost = owner.clone();
    lost.wrote(Some(Written::Refused));
    assert_eq!(lost.end(), Some(&End::Lost));

    owner.wrote(Some(Written::Done(version(3))));
    assert!(owner.is_idle() && owner.awaits_group());
    owner.accepted(&theirs);
    assert!(owner.awaits_group(), "late news");
    let ours = owner.offset().expect("an offset");
    assert_eq!(ours, Offset { offset: 5, metadata: "lf1:1:5:9".into() });
    owner.accepted(&ours);
    assert!(owner.is_idle() && !owner.awaits_group());
    let mut commits = owner.clone();
    commits.commit(vec![file("b", 5, 5)], Offsets::before(6));
    assert_eq!(written(&commits).obeyed, None);
    assert!(owner.save(Offsets::before(5)));
    assert_eq!((written(&owner).obeyed, written(&owner).seq), (None, 10), "it would be obeyed again if it were set again");
}

#[test]
fn an_offset_is_obeyed_until_the_group_has_ours() {
    // the group's offset was set after this owner had read it: only an answer of the group shows what it is now
    let mut owner = fenced(None, &Pointer { obeyed: Some(5), ..left(Vec::new(), true) });
    assert!(owner.is_idle() && !owner.awaits_group());
    assert!(!owner.clone().save(Offsets::before(10)));
    let obeyed = |owner: &Owner| {
        let (mut commits, mut saves) = (owner.clone(), owner.clone());
        commits.commit(vec![file("b", 10, 10)], Offsets::before(11));
        assert!(saves.save(Offsets::before(11)));
        (written(&commits).obeyed, written(&saves).obeyed)
    };
    assert_eq!(obeyed(&owner), (Some(5), Some(5)));
    owner.accepted(&owner.offset().expect("an offset"));
    assert_eq!(obeyed(&owner), (None, None));
    assert!(owner.save(Offsets::before(10)));
}

#[test]
fn what_another_worker_has_landed_is_left_out() {
    let pointer = Pointer { landed: Offsets::of_lengths(10, &[5, 5]).expect("lengths"), ..left(Vec::new(), true) };
    let mut owner = fenced(Some((15, "")), &pointer);
    assert!(owner.awaits_group() && owner.call().is_none());
    owner.accepted(&Offset { offset: 15, metadata: String::new() });
    let raised = written(&owner);
    assert_eq!((raised.incarnation, &raised.landed, raised.obeyed), (0, &Offsets::before(20), Some(15)));
    assert!(fenced(Some((15, "")), &raised).is_idle(), "behind what has landed it would look set back");
}

#[test]
fn another_topic_lands_from_its_beginning() {
    let mut recreated = claim(None);
    recreated.start.topic = TopicId::new(2);
    let mut owner = Owner::new(recreated);
    owner.read(Some((left(Vec::new(), true), version(1))));
    assert_eq!(written(&owner).topic_id, TopicId::new(1), "until the offsets are the new one's");
    owner.wrote(Some(Written::Done(version(2))));
    let asked = owner.offset().expect("an offset");
    assert_eq!(asked, Offset { offset: 3, metadata: "lf1:0:5:9".into() });
    owner.accepted(&asked);
    let next = written(&owner);
    assert_eq!((next.incarnation, next.topic_id, next.landed, next.obeyed), (1, TopicId::new(2), Offsets::before(3), None));
    owner.wrote(Some(Written::Done(version(3))));
    assert!(owner.is_idle() && !owner.awaits_group());

    let mut unsure = claim(Some((5, "")));
    unsure.start.topic = None;
    let mut owner = Owner::new(unsure);
    owner.read(Some((left(Vec::new(), true), version(1))));
    owner.wrote(Some(Written::Done(version(2))));
    owner.accepted(&owner.offset().expect("an offset"));
    assert_eq!(written(&owner).topic_id, TopicId::new(1));
}

#[test]
fn records_that_are_gone_are_left_out() {
    let mut gap = claim(None);
    (gap.start.log_start, gap.rules.gap) = (Some(12), OffsetGap::Skip);
    let mut owner = Owner::new(gap);
    owner.read(Some((Pointer { obeyed: Some(5), ..left(Vec::new(), true) }, version(1))));
    assert_eq!(owner.skipped(), 2);
    owner.wrote(Some(Written::Done(version(2))));
    let next = written(&owner);
    assert_eq!((next.incarnation, next.landed, next.obeyed), (0, Offsets::before(12), Some(5)), "no need to ask the group");
}

#[test]
fn what_cannot_be_opened_is_refused() {
    let mut fail = claim(Some((5, "")));
    fail.rules.reset = ExternalReset::Fail;
    let mut owner = Owner::new(fail);
    owner.read(Some((left(Vec::new(), true), version(1))));
    assert!(refused(&owner).contains("landfall.external.reset=fail"), "{}", refused(&owner));
    assert_eq!((owner.call(), owner.pointer()), (None, None));
}

#[test]
fn a_pointer_after_another_is_of_its_incarnation() {
    for (committed, incarnation) in [(Some((3, "")), 0), (Some((3, "lf1:2:1:1")), 2), (Some((9, "lf1:2:1:1")), 3)] {
        let mut owner = Owner::new(claim(committed));
        owner.read(None);
        let made = written(&owner);
        assert_eq!((made.incarnation, made.landed.low()), (incarnation, 3), "{committed:?}");
        let mut next = Owner::new(claim(committed));
        next.read(Some((made, version(1))));
        next.wrote(Some(Written::Done(version(2))));
        assert!(next.is_idle(), "{committed:?}: {next:?}");
    }
    let mut owner = Owner::new(claim(Some((9, ""))));
    owner.read(None);
    let made = written(&owner);
    assert_eq!((made.landed.low(), made.obeyed), (3, Some(9)));
    owner.wrote(Some(Written::Done(version(1))));
    assert!(owner.is_idle() && owner.awaits_group());
    assert!(fenced(Some((9, "")), &made).is_idle(), "records from 3 on are not another worker's");
}

#[test]
fn a_pointer_is_saved_if_that_says_more() {
    let mut owner = idle();
    assert!(!owner.save(Offsets::before(10)));
    assert!(owner.is_idle());
    assert!(owner.save(Offsets::before(11)));
    assert_eq!((written(&owner).seq, written(&owner).landed.low(), written(&owner).published), (10, 11, true));
    owner.wrote(Some(Written::Done(version(3))));
    assert!(owner.is_idle());

    let (mut owner, next) = committing();
    owner.wrote(Some(Written::Done(version(3))));
    owner.published("a", Published::Landed);
    assert!(owner.save(Offsets::before(12)), "that the file is published");
    assert_eq!(written(&owner), Pointer { seq: 11, published: true, ..next });
}

/// One owner in each phase.
fn phases() -> Vec<Owner> {
    let mut all = vec![Owner::new(claim(None)), idle(), committing().0];
    let mut fence = Owner::new(claim(None));
    fence.read(Some((left(Vec::new(), true), version(1))));
    let publish = fenced(None, &left(vec![file("p", 5, 6)], false));
    let confirm = fenced(Some((5, "")), &left(Vec::new(), true));
    let mut adjust = confirm.clone();
    adjust.accepted(&adjust.offset().expect("an offset"));
    let mut foreign = adjust.clone();
    foreign.wrote(Some(Written::Done(version(3))));
    let mut resolve = committing().0;
    resolve.wrote(None);
    let mut refence = resolve.clone();
    refence.read(Some((idle().pointer().expect("a pointer").clone(), version(2))));
    let mut lost = fence.clone();
    lost.wrote(Some(Written::Refused));
    all.extend([fence, publish, confirm, adjust, foreign, resolve, refence, lost]);
    all
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    for owner in phases() {
        let (reads, writes, publishes) = match owner.call() {
            Some(Call::Read) => (true, false, false),
            Some(Call::Write(..)) => (false, true, false),
            Some(Call::Publish(_)) => (false, false, true),
            None => (false, false, false),
        };
        let mut answered = owner.clone();
        if !reads {
            answered.read(None);
            answered.read(Some((left(Vec::new(), true), version(8))));
        }
        if !writes {
            [None, Some(Written::Refused), Some(Written::Done(version(9)))]
                .into_iter()
                .for_each(|written| answered.wrote(written));
        }
        answered.published("nobody's", Published::Conflict);
        if !publishes {
            answered.published("p", Published::Conflict);
        }
        answered.accepted(&Offset { offset: 1, metadata: "lf1:0:0:0".into() });
        assert_eq!(answered, owner);
    }
}

#[test]
fn only_an_idle_owner_whose_group_has_its_offset_takes_commits() {
    for owner in phases() {
        let may = owner.is_idle() && !owner.awaits_group();
        let (mut commit, mut save) = (owner.clone(), owner.clone());
        let commit = std::panic::catch_unwind(move || commit.commit(Vec::new(), Offsets::before(99)));
        let save = std::panic::catch_unwind(move || save.save(Offsets::before(99)));
        assert_eq!((commit.is_ok(), save.is_ok()), (may, may), "{owner:?}");
    }
}

#[test]
fn a_commit_is_held_to_what_has_landed() {
    let bad = |files: Vec<Pending>, landed: Offsets| {
        let mut owner = committing().0;
        owner.wrote(Some(Written::Done(version(3))));
        owner.published("a", Published::Landed);
        let why = std::panic::catch_unwind(move || owner.commit(files, landed)).expect_err("it is refused");
        *why.downcast::<String>().unwrap_or_else(|why| Box::new((*why.downcast::<&str>().expect("a message")).to_owned()))
    };
    assert!(bad(Vec::new(), Offsets::before(11)).contains("forgets"));
    assert!(bad(vec![file("a", 12, 12)], Offsets::before(13)).contains("committed twice"));
    assert!(bad(vec![file("b", 11, 12)], Offsets::before(13)).contains("holds offsets that have landed"), "its first has");
    assert!(
        bad(vec![file("b", 12, 13)], Offsets::before(13)).contains("holds offsets that have landed"),
        "its last is not covered"
    );
    let gap = Offsets::of_lengths(12, &[1, 1]).expect("lengths");
    assert!(bad(vec![file("b", 12, 13)], gap).contains("holds offsets that have landed"), "its first is not covered");
    let mut owner = idle();
    assert!(std::panic::catch_unwind(move || owner.save(Offsets::before(9))).is_err());
    let mut owner =
        fenced(None, &Pointer { landed: Offsets::of_lengths(10, &[5, 5]).expect("lengths"), ..left(Vec::new(), true) });
    let last = std::panic::catch_unwind(move || owner.commit(vec![file("b", 12, 16)], Offsets::before(20)));
    assert!(last.is_err(), "its last has");
}
