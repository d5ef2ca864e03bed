//! Members of a group of type `connect` with a real broker: they join, lead, leave, are fenced, and find their coordinator again.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use landfall::kafka::{Group, GroupEvent, GroupSettings};
use landfall_api::Properties;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::support::broker::Broker;
use crate::support::secs;

const PATIENCE: Duration = secs(30);

/// A member with an owner that answers at once, unless it is told not to.
struct Member {
    name: &'static str,
    protocols: &'static [&'static str],
    group: Option<Group>,
    events: Receiver<GroupEvent>,
}

/// What a member was told.
#[derive(Debug, PartialEq)]
enum Told {
    Joined {
        protocol: String,
        generation: i32,
        member_id: String,
        assignment: String,
    },
    Lost(String),
    Failing(String),
    /// It led: what the members said.
    Led(Vec<String>),
}

impl Member {
    /// Within a runtime.
    fn start(name: &'static str, bootstrap: &str, group: &str, properties: &[(&str, &str)]) -> Self {
        let mut given: Properties = [
            ("bootstrap.servers", bootstrap),
            ("group.id", group),
            ("session.timeout.ms", "20000"),
            ("heartbeat.interval.ms", "300"),
            ("rebalance.timeout.ms", "20000"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        given.extend(properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let settings = GroupSettings::read(&given, &format!("{name}:8083")).unwrap_or_else(|faults| panic!("{faults}"));
        let (group, events) = Group::start(settings);
        Self { name, protocols: &["sessioned", "compatible"], group: Some(group), events }
    }

    /// What comes next, questions answered.
    async fn next(&mut self) -> Told {
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await.unwrap_or_else(|_| panic!("{}: no event", self.name));
            match event.unwrap_or_else(|| panic!("{}: the member has ended", self.name)) {
                GroupEvent::Join { reply } => {
                    let says = |protocol: &&str| ((*protocol).to_owned(), Bytes::from(format!("{} {protocol}", self.name)));
                    let _gone = reply.send(self.protocols.iter().map(says).collect());
                }
                GroupEvent::Assign { members, reply, .. } => {
                    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                    let mut said: Vec<_> = members.iter().map(|(_, metadata)| text(metadata)).collect();
                    said.sort();
                    let work = |(id, metadata): (String, Bytes)| (id, Bytes::from(format!("work for {}", text(&metadata))));
                    let _gone = reply.send(members.into_iter().map(work).collect());
                    return Told::Led(said);
                }
                GroupEvent::Joined { protocol, generation, member_id, assignment } => {
                    let assignment = String::from_utf8_lossy(&assignment).into_owned();
                    return Told::Joined { protocol, generation, member_id, assignment };
                }
                GroupEvent::Lost { why } => return Told::Lost(why),
                GroupEvent::Failing { why } => return Told::Failing(why),
            }
        }
    }

    /// The generation and the member id of the next rebalance; nothing may be lost before it.
    async fn joined(&mut self) -> (i32, String) {
        loop {
            match self.next().await {
                Told::Joined { generation, member_id, assignment, protocol } => {
                    assert_eq!(assignment, format!("work for {} {protocol}", self.name));
                    return (generation, member_id);
                }
                Told::Led(_) => {}
                other => panic!("{}: {other:?}", self.name),
            }
        }
    }

    /// Why the membership is lost.
    async fn lost(&mut self) -> String {
        match self.next().await {
            Told::Lost(why) => why,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// Why it cannot go on.
    async fn failing(&mut self) -> String {
        match self.next().await {
            Told::Failing(why) => why,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    fn rejoin(&self, why: &str) {
        self.group.as_ref().expect("a member").rejoin(why);
    }

    async fn leave(mut self, why: &str) {
        timeout(PATIENCE, self.group.take().expect("a member").leave(why)).await.expect("leaves in time");
    }
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// Both go on until each has joined in the same generation.
async fn together(one: &mut Member, other: &mut Member) -> i32 {
    let (mut here, mut there) = tokio::join!(one.joined(), other.joined());
    while here.0 != there.0 {
        if here.0 < there.0 {
            here = one.joined().await;
        } else {
            there = other.joined().await;
        }
    }
    here.0
}

#[test]
fn members_join_lead_and_leave() {
    let broker = Broker::shared();
    runtime().block_on(async {
        let mut first = Member::start("first", &broker.bootstrap(), "members-join", &[]);
        assert_eq!(first.next().await, Told::Led(vec!["first sessioned".into()]));
        let (generation, id) = first.joined().await;
        assert!(id.starts_with("connect-first:8083-"), "{id}");

        // A member that offers less makes all take less.
        let mut second = Member::start("second", &broker.bootstrap(), "members-join", &[("client.id", "two")]);
        second.protocols = &["compatible"];
        let (of_first, of_second) = tokio::join!(async { (first.next().await, first.next().await) }, second.next());
        assert_eq!(of_first.0, Told::Led(vec!["first compatible".into(), "second compatible".into()]));
        let Told::Joined { protocol, generation: now, member_id, assignment } = of_second else { panic!("{of_second:?}") };
        assert!(member_id.starts_with("two-"), "{member_id}");
        assert_eq!((protocol.as_str(), assignment.as_str()), ("compatible", "work for second compatible"));
        assert!(now > generation);
        assert_eq!(
            of_first.1,
            Told::Joined { protocol, generation: now, member_id: id.clone(), assignment: "work for first compatible".into() }
        );

        second.rejoin("the configuration has changed");
        assert!(together(&mut first, &mut second).await > now);

        // The session would last for 20 s.
        let began = Instant::now();
        second.leave("it goes").await;
        assert_eq!(first.next().await, Told::Led(vec!["first sessioned".into()]));
        assert_eq!(first.joined().await.1, id);
        assert!(began.elapsed() < secs(10), "the second one was waited for");
        first.leave("the end").await;
    });
}

#[test]
fn a_member_that_was_away_is_told_so_and_joins_again() {
    let broker = Broker::shared();
    let properties = [("session.timeout.ms", "1500"), ("rebalance.timeout.ms", "3000")];
    // Nothing of the paused one runs while its runtime does not.
    let stopped = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut paused = stopped.block_on(async { Member::start("paused", &broker.bootstrap(), "members-paused", &properties) });
    let (_, before) = stopped.block_on(paused.joined());
    runtime().block_on(async {
        let mut other = Member::start("other", &broker.bootstrap(), "members-paused", &properties);
        assert_eq!(other.next().await, Told::Led(vec!["other sessioned".into()]));
        other.joined().await;
        let (generation, after) = tokio::task::block_in_place(|| {
            stopped.block_on(async {
                let why = paused.lost().await;
                assert!(why.contains("session.timeout.ms") || why.contains("UNKNOWN_MEMBER_ID"), "{why}");
                let joined = timeout(PATIENCE, async { tokio::join!(paused.joined(), other.joined()).0 });
                joined.await.expect("both join")
            })
        });
        assert_ne!(before, after);
        assert!(generation > 1);
        other.leave("the end").await;
    });
}

#[test]
fn an_owner_that_does_not_answer_does_not_hold_up_the_group() {
    let broker = Broker::shared();
    runtime().block_on(async {
        let slow = [("rebalance.timeout.ms", "1500")];
        let mut stalled = Member::start("stalled", &broker.bootstrap(), "members-stalled", &slow);
        let (_, before) = stalled.joined().await;
        stalled.rejoin("to be asked");
        let unanswered = timeout(PATIENCE, stalled.events.recv()).await.expect("an event");
        let Some(GroupEvent::Join { reply }) = unanswered else { panic!("{unanswered:?}") };
        let mut other = Member::start("other", &broker.bootstrap(), "members-stalled", &slow);
        other.joined().await;
        let why = stalled.lost().await;
        assert!(why.contains("rebalance.timeout.ms"), "{why}");
        drop(reply);
        let (joined, _) = tokio::join!(stalled.joined(), other.joined());
        assert_ne!(joined.1, before);
    });
}

#[test]
fn a_coordinator_that_is_away_costs_the_membership_only_after_the_session() {
    let mut broker = Broker::private();
    runtime().block_on(async {
        let mut patient = Member::start("patient", &broker.bootstrap(), "patient", &[("session.timeout.ms", "60000")]);
        let mut hasty = Member::start("hasty", &broker.bootstrap(), "hasty", &[("session.timeout.ms", "1000")]);
        let (first, mut last) = (patient.joined().await, hasty.joined().await);
        tokio::task::block_in_place(|| broker.stop());
        let why = hasty.lost().await;
        assert!(why.contains("session.timeout.ms"), "{why}");
        tokio::task::block_in_place(|| broker.start());
        last.0 = hasty.joined().await.0;
        // It has lost nothing meanwhile, and is known by its id.
        patient.rejoin("to see where it is");
        let (generation, id) = patient.joined().await;
        assert!((generation, &id) > (first.0, &first.1) && id == first.1, "{generation} {id}, before {first:?}");
        patient.leave("the end").await;
    });
}
