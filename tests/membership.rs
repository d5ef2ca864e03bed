//! Members of a group of type `connect` with a real broker: they join, lead, leave, are fenced, and find their coordinator again.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use landfall::kafka::{Group, GroupEvent, GroupSettings};
use landfall_api::Properties;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::support::broker::{Broker, Listener};
use crate::support::certificates::Certificates;
use crate::support::secs;

const PATIENCE: Duration = secs(30);

/// A member with an owner that answers at once, unless it is told not to.
struct Member {
    name: &'static str,
    /// What it says of itself, and the protocol is put behind.
    says: &'static str,
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
        let (group, events) = Group::start(settings, Arc::default());
        Self { name, says: name, protocols: &["sessioned", "compatible"], group: Some(group), events }
    }

    /// What comes next, questions answered.
    async fn next(&mut self) -> Told {
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await.unwrap_or_else(|_| panic!("{}: no event", self.name));
            match event.unwrap_or_else(|| panic!("{}: the member has ended", self.name)) {
                GroupEvent::Join { reply } => {
                    let says = |protocol: &&str| ((*protocol).to_owned(), Bytes::from(format!("{} {protocol}", self.says)));
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
                    assert_eq!(assignment, format!("work for {} {protocol}", self.says));
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

        // To a follower that says what it has said the coordinator gives the generation that there is.
        second.says = "another second";
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

/// Stops the broker and starts it again.
fn a_coordinator_that_is_away_costs_the_membership_only_after_the_session(broker: &mut Broker) {
    runtime().block_on(async {
        let mut patient = Member::start("patient", &broker.bootstrap(), "patient", &[("session.timeout.ms", "60000")]);
        let mut hasty = Member::start("hasty", &broker.bootstrap(), "hasty", &[("session.timeout.ms", "1000")]);
        let (before, _) = (patient.joined().await, hasty.joined().await);
        tokio::task::block_in_place(|| broker.stop());
        let why = hasty.lost().await;
        assert!(why.contains("session.timeout.ms"), "{why}");
        tokio::task::block_in_place(|| broker.start());
        hasty.joined().await;
        // It has lost nothing meanwhile, and is known by its id.
        patient.rejoin("to see where it is");
        let (generation, id) = patient.joined().await;
        assert!(generation > before.0 && id == before.1, "{generation} {id}, before {before:?}");
        patient.leave("the end").await;
    });
}

/// Properties of a member.
type Given<'a> = Vec<(&'a str, &'a str)>;

const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const BEARER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

#[test]
fn members_log_in_and_encrypt_and_outlast_a_restart() {
    let certificates = Certificates::make();
    let listener =
        |name, protocol, properties: &[(&'static str, String)]| Listener { name, protocol, properties: properties.to_vec() };
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let scram = [
        ("sasl.enabled.mechanisms", "SCRAM-SHA-256,SCRAM-SHA-512".to_owned()),
        ("scram-sha-256.sasl.jaas.config", format!("{SCRAM} required;")),
        ("scram-sha-512.sasl.jaas.config", format!("{SCRAM} required;")),
    ];
    let listeners = [
        listener(
            "PLAIN",
            "SASL_PLAINTEXT",
            &[
                ("sasl.enabled.mechanisms", "PLAIN".into()),
                ("plain.sasl.jaas.config", format!("{plain} user_alice=\"alice-secret\";")),
                ("connections.max.reauth.ms", "5000".into()),
            ],
        ),
        listener(
            "BEARER",
            "SASL_PLAINTEXT",
            &[
                ("sasl.enabled.mechanisms", "OAUTHBEARER".into()),
                ("oauthbearer.sasl.jaas.config", format!("{BEARER} required unsecuredLoginStringClaim_sub=\"broker\";")),
            ],
        ),
        listener("TLS", "SSL", &certificates.of_broker("broker", "required")),
        listener("SAFE", "SASL_SSL", &[scram.as_slice(), &certificates.of_broker("other", "none")].concat()),
    ];
    let users = ["SCRAM-SHA-256=[name=bob,password=bob-secret]", "SCRAM-SHA-512=[name=carol,password=carol-secret]"];
    let mut broker = Broker::secured(&listeners, &users);

    let (trusted, authority) = (certificates.read("authority.pem"), certificates.path("authority.pem"));
    let (client_key, client_chain) = (certificates.encrypted("client", "key-secret"), certificates.read("client.pem"));
    let alice = format!("{plain} username=\"alice\" password=\"alice-secret\";");
    let mallory = format!("{plain} username=\"alice\" password=\"not-her-secret\";");
    let bob = format!("{SCRAM} required username=\"bob\" password=\"bob-secret\";");
    let carol = format!("{SCRAM} required username=\"carol\" password=\"carol-secret\";");
    let robert = format!("{SCRAM} required username=\"bob\" password=\"not-his-secret\";");
    let bearer = format!("{BEARER} required unsecuredLoginStringClaim_sub=\"dave\";");
    let expired = format!("{BEARER} required unsecuredLoginStringClaim_sub=\"dave\" unsecuredLoginLifetimeSeconds=\"-60\";");
    let unnamed = ("ssl.endpoint.identification.algorithm", "");
    let trust = [("ssl.truststore.type", "PEM"), ("ssl.truststore.location", authority.as_str())];
    let inline = [("ssl.truststore.type", "PEM"), ("ssl.truststore.certificates", trusted.as_str())];
    let shown = [
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", client_key.as_str()),
        ("ssl.key.password", "key-secret"),
        ("ssl.keystore.certificate.chain", client_chain.as_str()),
    ];
    let sasl = |mechanism, jaas| [("sasl.mechanism", mechanism), ("sasl.jaas.config", jaas)];

    let joins: [(&str, &str, Given<'_>); 4] = [
        ("BEARER", "SASL_PLAINTEXT", sasl("OAUTHBEARER", bearer.as_str()).to_vec()),
        ("TLS", "SSL", [inline.as_slice(), &shown].concat()),
        ("SAFE", "SASL_SSL", [trust.as_slice(), &[unnamed], &sasl("SCRAM-SHA-256", bob.as_str())].concat()),
        ("SAFE", "SASL_SSL", [inline.as_slice(), &[unnamed], &sasl("SCRAM-SHA-512", carol.as_str())].concat()),
    ];
    let refused: [(&str, &str, Given<'_>, &str); 6] = [
        ("PLAIN", "SASL_PLAINTEXT", sasl("PLAIN", mallory.as_str()).to_vec(), "the login by PLAIN failed"),
        ("PLAIN", "SASL_PLAINTEXT", sasl("SCRAM-SHA-256", bob.as_str()).to_vec(), "the broker has only PLAIN"),
        ("BEARER", "SASL_PLAINTEXT", sasl("OAUTHBEARER", expired.as_str()).to_vec(), "the login by OAUTHBEARER failed"),
        (
            "SAFE",
            "SASL_SSL",
            [inline.as_slice(), &[unnamed], &sasl("SCRAM-SHA-256", robert.as_str())].concat(),
            "the login by SCRAM-SHA-256 failed",
        ),
        // The certificate is for another name, and of an authority that nobody else knows.
        ("SAFE", "SASL_SSL", [inline.as_slice(), &sasl("SCRAM-SHA-256", bob.as_str())].concat(), "certificate"),
        ("TLS", "SSL", shown.to_vec(), "certificate"),
    ];
    runtime().block_on(async {
        // The broker ends a connection that does not log in again within 5 s.
        let given = [&[("security.protocol", "SASL_PLAINTEXT")], sasl("PLAIN", alice.as_str()).as_slice()].concat();
        let mut lasting = Member::start("lasting", &broker.bootstrap_of("PLAIN"), "members-lasting", &given);
        lasting.joined().await;
        let (connections, since) = (connections(&broker.bootstrap_of("PLAIN")), Instant::now());
        assert_eq!(connections.len(), 1);
        for (n, (listener, protocol, more)) in joins.iter().enumerate() {
            let given = [&[("security.protocol", *protocol)], more.as_slice()].concat();
            let mut member = Member::start("safe", &broker.bootstrap_of(listener), &format!("members-safe-{n}"), &given);
            member.joined().await;
            member.leave("the end").await;
        }
        for (listener, protocol, more, expected) in &refused {
            let given = [&[("security.protocol", *protocol)], more.as_slice()].concat();
            let mut member = Member::start("refused", &broker.bootstrap_of(listener), "members-refused", &given);
            let why = member.failing().await;
            assert!(why.contains(expected) && !why.contains("secret"), "{listener}: {why}");
        }
        tokio::time::sleep(secs(6).saturating_sub(since.elapsed())).await;
        assert!(self::connections(&broker.bootstrap_of("PLAIN")).is_superset(&connections), "the connection has ended");
        assert!(lasting.events.try_recv().is_err());
    });
    a_coordinator_that_is_away_costs_the_membership_only_after_the_session(&mut broker);
}

/// The local ports of this host's connections to a broker.
fn connections(to: &str) -> BTreeSet<String> {
    const ESTABLISHED: &str = "01";
    let port = to.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let (to, all) = (format!("0100007F:{port:04X}"), fs::read_to_string("/proc/net/tcp").expect("connections"));
    let fields = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|f| f[2] == to && f[3] == ESTABLISHED).map(|f| f[1].to_owned()).collect()
}

#[test]
fn another_broker_becomes_the_coordinator() {
    let mut brokers = Broker::cluster(3);
    let bootstrap = brokers.iter().map(Broker::bootstrap).collect::<Vec<_>>().join(",");
    runtime().block_on(async {
        // Groups are spread over the brokers: some of them have the one that is killed for their coordinator.
        let mut members = Vec::new();
        for n in 0..6 {
            let mut member = Member::start("moved", &bootstrap, &format!("members-moved-{n}"), &[("request.timeout.ms", "3000")]);
            let (_, id) = member.joined().await;
            members.push((member, id));
        }
        tokio::task::block_in_place(|| brokers[2].kill());
        for (mut member, id) in members {
            member.says = "moved and changed";
            member.rejoin("to see where it is");
            assert_eq!(member.joined().await.1, id, "the same member");
            member.leave("the end").await;
        }
    });
}
