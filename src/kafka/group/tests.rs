//! A member and a coordinator that does what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, FindCoordinatorResponse, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, MetadataResponse, ResponseHeader, SaslAuthenticateResponse, SaslHandshakeResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes, decode_request_header_from_buffer};
use landfall_api::Properties;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::{Group, GroupEvent, GroupSettings};

const PATIENCE: Duration = Duration::from_secs(20);

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// The answer has this error; 0 is none.
    Answer(i16),
    /// There is never an answer.
    Hang,
    /// The connection ends.
    End,
}
use Does::{Answer, End, Hang};

/// A request: the number of its connection, what it is, and what a test wants to know of it.
type Seen = (usize, ApiKey, String);

/// A coordinator.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    port: u16,
    /// What is done about the next requests of a kind; without, they are answered.
    script: BTreeMap<i16, VecDeque<Does>>,
    seen: Vec<Seen>,
    generation: i32,
    /// Milliseconds that a login lasts.
    lifetime: i64,
}

impl Fake {
    async fn start(script: &[(ApiKey, &[Does])]) -> Self {
        let fake = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        fake.state(|state| {
            state.port = listener.local_addr().expect("an address").port();
            state.script = script.iter().map(|(key, does)| (*key as i16, does.iter().copied().collect())).collect();
        });
        let accepting = fake.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(accepting.clone().serve(number, stream));
            }
        });
        fake
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn seen(&self, key: ApiKey) -> Vec<(usize, String)> {
        self.state(|state| state.seen.iter().filter(|seen| seen.1 == key).map(|seen| (seen.0, seen.2.clone())).collect())
    }

    /// Waits until there were so many requests of the kind.
    async fn until(&self, key: ApiKey, count: usize) {
        let waited = timeout(PATIENCE, async {
            while self.seen(key).len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{count} of {key:?}, seen {:?}", self.state(|state| state.seen.clone())));
    }

    async fn serve(self, number: usize, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let length = match stream.read_i32().await {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                length => length?,
            };
            let mut frame = vec![0; usize::try_from(length).expect("a length")];
            stream.read_exact(&mut frame).await?;
            let mut frame = Bytes::from(frame);
            let header = decode_request_header_from_buffer(&mut frame).expect("a header");
            let key = ApiKey::try_from(header.request_api_key).expect("a known request");
            let version = header.request_api_version;
            let does = self.state(|state| {
                state.seen.push((number, key, about(key, version, frame)));
                state.script.get_mut(&(key as i16)).and_then(VecDeque::pop_front).unwrap_or(Answer(0))
            });
            let error = match does {
                Answer(error) => error,
                Hang => continue,
                End => return Ok(()),
            };
            let mut answer = BytesMut::new();
            answer.put_i32(0);
            let head = ResponseHeader::default().with_correlation_id(header.correlation_id);
            head.encode(&mut answer, key.response_header_version(version)).expect("a header");
            self.state(|state| state.answer(key, version, error, &mut answer));
            let length = i32::try_from(answer.len() - 4).expect("a length");
            answer[..4].copy_from_slice(&length.to_be_bytes());
            stream.write_all(&answer).await?;
        }
    }
}

/// What a test wants to know of a request.
fn about(key: ApiKey, version: i16, mut body: Bytes) -> String {
    match key {
        ApiKey::JoinGroup => {
            let request = JoinGroupRequest::decode(&mut body, version).expect("JoinGroup");
            format!("{}: {}", request.member_id, request.reason.unwrap_or_default())
        }
        ApiKey::SyncGroup => {
            let request = SyncGroupRequest::decode(&mut body, version).expect("SyncGroup");
            format!("{} of {} members", request.generation_id, request.assignments.len())
        }
        ApiKey::LeaveGroup => {
            let request = LeaveGroupRequest::decode(&mut body, version).expect("LeaveGroup");
            request.members.iter().map(|member| member.member_id.to_string()).collect()
        }
        _ => String::new(),
    }
}

impl State {
    fn answer(&mut self, key: ApiKey, version: i16, error: i16, to: &mut BytesMut) {
        let text = StrBytes::from_static_str;
        match key {
            ApiKey::ApiVersions => {
                let all = [
                    (ApiKey::ApiVersions, 3),
                    (ApiKey::Metadata, 12),
                    (ApiKey::FindCoordinator, 4),
                    (ApiKey::JoinGroup, 9),
                    (ApiKey::SyncGroup, 5),
                    (ApiKey::Heartbeat, 4),
                    (ApiKey::LeaveGroup, 5),
                    (ApiKey::SaslHandshake, 1),
                    (ApiKey::SaslAuthenticate, 2),
                ];
                let keys = all.map(|(key, most)| ApiVersion::default().with_api_key(key as i16).with_max_version(most));
                put(&ApiVersionsResponse::default().with_error_code(error).with_api_keys(keys.into()), version, to);
            }
            ApiKey::Metadata => put(&MetadataResponse::default(), version, to),
            ApiKey::FindCoordinator => {
                let one = Coordinator::default()
                    .with_host(text("127.0.0.1"))
                    .with_port(i32::from(self.port))
                    .with_error_code(error)
                    .with_error_message(None);
                put(&FindCoordinatorResponse::default().with_coordinators(vec![one]), version, to);
            }
            ApiKey::JoinGroup => {
                self.generation += i32::from(error == 0);
                let id = text("the-member");
                let member = JoinGroupResponseMember::default().with_member_id(id.clone()).with_metadata(Bytes::from("said"));
                let answer = JoinGroupResponse::default()
                    .with_error_code(error)
                    .with_generation_id(self.generation)
                    .with_protocol_type(Some(text("connect")))
                    .with_protocol_name(Some(text("sessioned")))
                    .with_leader(id.clone())
                    .with_member_id(id)
                    .with_members(vec![member]);
                put(&answer, version, to);
            }
            ApiKey::SyncGroup => {
                let answer = SyncGroupResponse::default()
                    .with_error_code(error)
                    .with_protocol_type(Some(text("connect")))
                    .with_protocol_name(Some(text("sessioned")))
                    .with_assignment(Bytes::from("work"));
                put(&answer, version, to);
            }
            ApiKey::Heartbeat => put(&HeartbeatResponse::default().with_error_code(error), version, to),
            ApiKey::LeaveGroup => put(&LeaveGroupResponse::default().with_error_code(error), version, to),
            ApiKey::SaslHandshake => put(&SaslHandshakeResponse::default().with_error_code(error), version, to),
            ApiKey::SaslAuthenticate => {
                let why = (error != 0).then(|| text("Invalid username or password"));
                let answer = SaslAuthenticateResponse::default()
                    .with_error_code(error)
                    .with_error_message(why)
                    .with_session_lifetime_ms(self.lifetime);
                put(&answer, version, to);
            }
            other => panic!("{other:?} is not asked for"),
        }
    }
}

fn put(answer: &impl Encodable, version: i16, to: &mut BytesMut) {
    answer.encode(to, version).expect("an answer");
}

/// A member, with what it is told.
struct Owner {
    group: Option<Group>,
    events: Receiver<GroupEvent>,
}

impl Owner {
    fn of(fake: &Fake, properties: &[(&str, &str)]) -> Self {
        let server = format!("127.0.0.1:{}", fake.state(|state| state.port));
        let base = [
            ("bootstrap.servers", server.as_str()),
            ("group.id", "workers"),
            ("session.timeout.ms", "5000"),
            ("heartbeat.interval.ms", "20"),
            ("rebalance.timeout.ms", "5000"),
            ("retry.backoff.ms", "5"),
        ];
        let given: Properties = base.iter().chain(properties).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (group, events) = Group::start(GroupSettings::read(&given, "localhost:8083").expect("settings"), Arc::default());
        Self { group: Some(group), events }
    }

    /// What comes next, in words; questions are answered.
    async fn next(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("an event") {
                GroupEvent::Join { reply } => reply.send(vec![("sessioned".into(), Bytes::from("said"))]).expect("asked for"),
                GroupEvent::Assign { members, reply, .. } => {
                    reply.send(members.into_iter().map(|(id, _)| (id, Bytes::from("work"))).collect()).expect("asked for");
                }
                GroupEvent::Joined { generation, member_id, assignment, protocol } => {
                    assert_eq!((protocol.as_str(), assignment.chunk()), ("sessioned", b"work".as_slice()));
                    return format!("{member_id} joined {generation}");
                }
                GroupEvent::Lost { why } => return format!("lost: {why}"),
                GroupEvent::Failing { why } => return format!("failing: {why}"),
            }
        }
    }

    async fn leave(&mut self) {
        timeout(PATIENCE, self.group.take().expect("a group").leave("the end")).await.expect("leaves in time");
    }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let fake = Fake::start(&[
        (ApiKey::FindCoordinator, &[Answer(15), End, Answer(0)]),
        // loading, its own id, not the coordinator, another id is unknown
        (ApiKey::JoinGroup, &[Answer(14), Answer(79), Answer(16), Answer(25), End, Answer(79)]),
        (ApiKey::SyncGroup, &[Answer(27), Answer(22), Answer(16)]),
    ])
    .await;
    let mut owner = Owner::of(&fake, &[]);
    assert_eq!(owner.next().await, "the-member joined 4");
    let ids: Vec<_> =
        fake.seen(ApiKey::JoinGroup).into_iter().map(|(_, what)| what.split(':').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(ids[..5], ["", "", "the-member", "the-member", ""]);
    assert_eq!(fake.seen(ApiKey::SyncGroup).last().map(|seen| seen.1.as_str()), Some("4 of 1 members"));
    owner.leave().await;
    assert_eq!(fake.seen(ApiKey::LeaveGroup).iter().map(|seen| seen.1.as_str()).collect::<Vec<_>>(), ["the-member"]);
}

#[tokio::test]
async fn heartbeats_tell_what_has_become_of_the_group() {
    let fake =
        Fake::start(&[(ApiKey::Heartbeat, &[Answer(0), Answer(27), Answer(22), Answer(25), Answer(16), Answer(0), End])]).await;
    let mut owner = Owner::of(&fake, &[]);
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(owner.next().await);
    }
    assert_eq!(
        told,
        [
            "the-member joined 1",
            // REBALANCE_IN_PROGRESS: nothing is lost
            "the-member joined 2",
            "lost: Heartbeat: ILLEGAL_GENERATION",
            "the-member joined 3",
            "lost: Heartbeat: UNKNOWN_MEMBER_ID",
            "the-member joined 4",
        ]
    );
    let joins: Vec<_> = fake.seen(ApiKey::JoinGroup).into_iter().map(|seen| seen.1).collect();
    let expected = [
        ": ",
        "the-member: group is already rebalancing",
        "the-member: Heartbeat: ILLEGAL_GENERATION",
        ": Heartbeat: UNKNOWN_MEMBER_ID",
    ];
    assert_eq!(joins, expected);
    // Neither another coordinator nor a lost connection ends the membership.
    let before = fake.seen(ApiKey::Heartbeat).len();
    fake.until(ApiKey::Heartbeat, before.max(7) + 3).await;
    assert_eq!(fake.seen(ApiKey::JoinGroup).len(), 4);
    assert!(owner.events.try_recv().is_err());
}

#[tokio::test]
async fn a_coordinator_that_does_not_answer_ends_the_session() {
    let fake = Fake::start(&[(ApiKey::Heartbeat, &[Answer(0), Hang])]).await;
    let mut owner = Owner::of(&fake, &[("session.timeout.ms", "300")]);
    assert_eq!(owner.next().await, "the-member joined 1");
    assert_eq!(owner.next().await, "lost: the group coordinator did not answer within session.timeout.ms");
    // The coordinator may still know it.
    assert_eq!(owner.next().await, "the-member joined 2");
    assert!(fake.seen(ApiKey::JoinGroup)[1].1.starts_with("the-member: the group coordinator did not answer"));
}

#[tokio::test]
async fn what_an_operator_has_to_mend_is_said_once() {
    let fake =
        Fake::start(&[(ApiKey::FindCoordinator, &[Answer(30), Answer(30), Answer(30)]), (ApiKey::JoinGroup, &[Answer(24)])])
            .await;
    let mut owner = Owner::of(&fake, &[]);
    assert_eq!(owner.next().await, "failing: FindCoordinator: GROUP_AUTHORIZATION_FAILED");
    assert_eq!(owner.next().await, "failing: JoinGroup: INVALID_GROUP_ID");
    assert_eq!(owner.next().await, "the-member joined 1");
}

#[tokio::test]
async fn a_member_leaves_whatever_is_under_way() {
    let fake = Fake::start(&[(ApiKey::JoinGroup, &[Answer(0), Hang])]).await;
    let mut owner = Owner::of(&fake, &[]);
    assert_eq!(owner.next().await, "the-member joined 1");
    let group = owner.group.as_ref().expect("a group");
    group.rejoin("to hang");
    let Some(GroupEvent::Join { reply }) = owner.events.recv().await else { panic!("not asked") };
    reply.send(vec![("sessioned".into(), Bytes::new())]).expect("asked for");
    fake.until(ApiKey::JoinGroup, 2).await;
    assert_eq!(fake.seen(ApiKey::JoinGroup)[1].1, "the-member: to hang");
    owner.leave().await;
    assert_eq!(fake.seen(ApiKey::LeaveGroup)[0].1, "the-member");
}

#[tokio::test]
async fn a_dropped_member_says_nothing_and_one_without_owner_leaves() {
    let fake = Fake::start(&[]).await;
    let mut owner = Owner::of(&fake, &[]);
    owner.next().await;
    drop(owner.group.take());
    assert!(timeout(PATIENCE, owner.events.recv()).await.expect("ends").is_none());
    assert!(fake.seen(ApiKey::LeaveGroup).is_empty());
    let mut owner = Owner::of(&fake, &[]);
    owner.next().await;
    drop(owner.events);
    fake.until(ApiKey::LeaveGroup, 1).await;
}

#[tokio::test]
async fn an_owner_that_stalls_is_out_of_the_group() {
    let fake = Fake::start(&[]).await;
    let mut owner = Owner::of(&fake, &[("rebalance.timeout.ms", "200")]);
    owner.next().await;
    owner.group.as_ref().expect("a group").rejoin("to stall");
    let stalled = owner.events.recv().await;
    let lost = timeout(PATIENCE, owner.events.recv()).await.expect("in time");
    assert!(matches!(&lost, Some(GroupEvent::Lost { why }) if why.contains("rebalance.timeout.ms")), "{lost:?}");
    assert_eq!(fake.seen(ApiKey::LeaveGroup).len(), 1);
    assert!(fake.seen(ApiKey::Heartbeat).len() > 2, "heartbeats go on while the owner is asked");
    drop(stalled);
    assert_eq!(owner.next().await, "the-member joined 2");
    // To look at nothing is to stall too.
    fake.until(ApiKey::LeaveGroup, 1).await;
    owner.group.as_ref().expect("a group").rejoin("once more");
    let Some(GroupEvent::Join { reply }) = owner.events.recv().await else { panic!("not asked") };
    reply.send(vec![("sessioned".into(), Bytes::new())]).expect("asked for");
    fake.until(ApiKey::LeaveGroup, 2).await;
}

const PLAIN: [(&str, &str); 3] = [
    ("security.protocol", "SASL_PLAINTEXT"),
    ("sasl.mechanism", "PLAIN"),
    (
        "sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"alice-secret\";",
    ),
];

#[tokio::test]
async fn a_login_is_renewed_on_its_connection() {
    let fake = Fake::start(&[]).await;
    fake.state(|state| state.lifetime = 300);
    let mut owner = Owner::of(&fake, &PLAIN);
    owner.next().await;
    fake.until(ApiKey::SaslAuthenticate, 4).await;
    let logins = fake.seen(ApiKey::SaslAuthenticate);
    assert!(logins.iter().all(|login| login.0 == logins[0].0), "one connection: {logins:?}");
    assert!(owner.events.try_recv().is_err());
}

#[tokio::test]
async fn a_refused_login_is_said_without_the_secret() {
    let fake = Fake::start(&[(ApiKey::SaslAuthenticate, &[Answer(58)])]).await;
    let mut owner = Owner::of(&fake, &PLAIN);
    let why = owner.next().await;
    assert!(
        why.starts_with("failing: 127.0.0.1:") && why.ends_with("the login by PLAIN failed: Invalid username or password"),
        "{why}"
    );
    assert_eq!(owner.next().await, "the-member joined 1");
}

#[tokio::test]
async fn a_port_of_something_else_is_no_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let fake = Fake::default();
    fake.state(|state| state.port = listener.local_addr().expect("an address").port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _closed = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let why = Owner::of(&fake, &[]).next().await;
    assert!(why.contains("is that a broker's port, and security.protocol the one that it expects?"), "{why}");
}

#[test]
fn settings_name_what_is_wrong_and_show_no_secret() {
    let given = |more: &[(&str, &str)]| -> Properties {
        let base = [("bootstrap.servers", "localhost:9092"), ("group.id", "workers")];
        base.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let settings = GroupSettings::read(&given(&PLAIN), "h:1").expect("settings");
    assert!(!format!("{settings:?}").contains("alice-secret"));
    let faults = GroupSettings::read(&Properties::new(), "h:1").expect_err("no group");
    assert!(faults.to_string().contains("Missing required configuration \"group.id\""), "{faults}");
    let cases: &[&[(&str, &str)]] = &[
        &[("heartbeat.interval.ms", "10000")],
        &[("session.timeout.ms", "0")],
        &[("rebalance.timeout.ms", "soon")],
        &[("sasl.mechanism", "GSSAPI"), ("security.protocol", "SASL_SSL")],
        &[("sasl.jaas.config", "x.PlainLoginModule required username=a;"), PLAIN[0], PLAIN[1]],
        &[("sasl.login.class", "com.example.Login"), PLAIN[0], PLAIN[1], PLAIN[2]],
        &[("ssl.truststore.location", "/etc/truststore.jks"), ("security.protocol", "SSL")],
        &[("ssl.keystore.password", ""), ("ssl.keystore.location", "/etc/k.p12"), ("security.protocol", "SSL")],
        &[("ssl.keystore.location", "/etc/k.p12"), ("ssl.keystore.password", "x"), ("security.protocol", "SSL")],
        &[("ssl.truststore.certificates", "none"), ("ssl.truststore.type", "PEM"), ("security.protocol", "SSL")],
        &[("ssl.endpoint.identification.algorithm", "ldaps"), ("security.protocol", "SSL")],
        &[("ssl.enabled.protocols", "TLSv1.1"), ("security.protocol", "SSL")],
        &[("ssl.engine.factory.class", "com.example.Engine"), ("security.protocol", "SSL")],
    ];
    for case in cases {
        let faults = GroupSettings::read(&given(case), "h:1").expect_err(case[0].0);
        assert!(faults.0.iter().any(|fault| fault.key == case[0].0 && fault.message.contains(case[0].0)), "{case:?}: {faults:?}");
    }
    // What is of no protocol that is chosen does not matter, as in Java.
    assert!(GroupSettings::read(&given(&[("ssl.truststore.location", "/etc/truststore.jks")]), "h:1").is_ok());
}
