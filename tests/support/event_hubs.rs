//! A stand-in for Event Hubs' Kafka endpoint: a proxy before a real broker that knows the protocol, says less of what it can do, asks for a
//! connection string, and refuses what the service refuses. What a client does that the service would not take is a violation.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, FindCoordinatorResponse, JoinGroupRequest,
    MetadataRequest, MetadataResponse, OffsetCommitRequest, ProduceRequest, RequestHeader, ResponseHeader,
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::broker::Broker;

/// What is served, in which version at most: what has no flexible fields yet. There is no DescribeConfigs, and nobody changes settings.
const SERVED: [(ApiKey, i16); 19] = [
    (ApiKey::Produce, 7),
    (ApiKey::Fetch, 11),
    (ApiKey::ListOffsets, 5),
    (ApiKey::Metadata, 7),
    (ApiKey::OffsetCommit, 7),
    (ApiKey::OffsetFetch, 5),
    (ApiKey::FindCoordinator, 2),
    (ApiKey::JoinGroup, 5),
    (ApiKey::Heartbeat, 3),
    (ApiKey::LeaveGroup, 3),
    (ApiKey::SyncGroup, 3),
    (ApiKey::DescribeGroups, 4),
    (ApiKey::ListGroups, 2),
    (ApiKey::SaslHandshake, 1),
    (ApiKey::ApiVersions, 3),
    (ApiKey::CreateTopics, 4),
    (ApiKey::InitProducerId, 1),
    (ApiKey::SaslAuthenticate, 1),
    (ApiKey::OffsetForLeaderEpoch, 3),
];
/// The versions from which on an answer begins with `throttle_time_ms`.
const THROTTLES: [(ApiKey, i16); 11] = [
    (ApiKey::Fetch, 1),
    (ApiKey::ListOffsets, 2),
    (ApiKey::Metadata, 3),
    (ApiKey::OffsetCommit, 3),
    (ApiKey::OffsetFetch, 3),
    (ApiKey::FindCoordinator, 1),
    (ApiKey::JoinGroup, 2),
    (ApiKey::Heartbeat, 1),
    (ApiKey::LeaveGroup, 1),
    (ApiKey::SyncGroup, 1),
    (ApiKey::InitProducerId, 0),
];
/// What an answer says of throttling, in milliseconds, and every which answer does.
const THROTTLE: (i32, u64) = (40, 5);
/// The bytes of a request that closes the connection.
const REQUEST: usize = 1_046_528;
/// The commits that a partition takes within a second.
const COMMITS: usize = 4;
const METADATA: usize = 1024;
const GROUP: usize = 256;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// What the stand-in has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// What the service would not have taken.
    pub(crate) violations: Vec<String>,
    /// Requests, by their names.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Offsets of partitions that were committed.
    pub(crate) commits: u64,
    /// Topics that somebody wanted to be made.
    pub(crate) not_made: Vec<String>,
    /// Connections that were cut because nothing came.
    pub(crate) cut: u64,
    /// Answers that told of throttling.
    pub(crate) throttled: u64,
}

/// A running stand-in; it ends when dropped.
#[derive(Debug)]
pub(crate) struct EventHubs {
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Debug)]
struct Shared {
    port: u16,
    upstream: String,
    idle: Duration,
    seen: Mutex<Seen>,
    answers: Mutex<u64>,
    /// When the offset of a partition was committed, by group, topic and partition.
    commits: Mutex<BTreeMap<(String, String, i32), VecDeque<Instant>>>,
}

impl EventHubs {
    /// A namespace whose event hubs are the topics of `broker`. It cuts connections by which nothing has come for `idle`.
    pub(crate) fn before(broker: &Broker, idle: Duration) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let shared = Arc::new(Shared {
            port: listener.local_addr().expect("an address").port(),
            upstream: broker.bootstrap(),
            idle,
            seen: Mutex::default(),
            answers: Mutex::default(),
            commits: Mutex::default(),
        });
        let for_all = shared.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = for_all.clone();
                // Whoever is cut off, or goes, has its own reasons.
                tokio::spawn(async move { drop(serve(client, &shared).await) });
            }
        });
        Self { shared, _runtime: runtime }
    }

    /// `host:port` for `bootstrap.servers`.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.shared.port)
    }

    /// What a worker's properties have to say, beside `bootstrap.servers`.
    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"$ConnectionString\" \
                     password=\"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=landfall;SharedAccessKey=c2VjcmV0\";";
        let security = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", login)];
        let of = |prefix: &'static str| security.map(|(key, value)| (format!("{prefix}{key}"), value.to_owned()));
        let said = [("landfall.event.hubs".to_owned(), "true".to_owned())];
        ["", "consumer.", "producer."].into_iter().flat_map(of).chain(said).collect()
    }

    /// What it has seen until now.
    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }
}

/// Serves a client until it goes, is silent for too long, or does what is not taken.
async fn serve(mut client: TcpStream, shared: &Shared) -> Result<()> {
    let mut upstream = TcpStream::connect(&shared.upstream).await?;
    let mut is_known = false;
    loop {
        let Ok(frame) = timeout(shared.idle, frame(&mut client)).await else {
            shared.seen.lock().unwrap().cut += 1;
            return Ok(());
        };
        let answer = answer(frame?, &mut upstream, &mut is_known, shared).await?;
        client.write_u32(u32::try_from(answer.len()).expect("a short answer")).await?;
        client.write_all(&answer).await?;
    }
}

async fn frame(from: &mut TcpStream) -> Result<Bytes> {
    let length = from.read_u32().await? as usize;
    let mut frame = BytesMut::zeroed(length);
    from.read_exact(&mut frame).await?;
    Ok(frame.freeze())
}

/// The answer to a request, without its length.
async fn answer(request: Bytes, upstream: &mut TcpStream, is_known: &mut bool, shared: &Shared) -> Result<Bytes> {
    let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
    let version = number(2);
    let Ok(api) = ApiKey::try_from(number(0)) else { return shared.violated(format!("request {} is not known", number(0))) };
    let name = format!("{api:?}");
    *shared.seen.lock().unwrap().requests.entry(name.clone()).or_default() += 1;
    let mut body = request.clone();
    let header = RequestHeader::decode(&mut body, api.request_header_version(version)).map_err(|e| invalid(&e))?;
    let served = SERVED.iter().find(|(served, _)| *served == api);
    match served {
        // A client asks in its newest version until it knows better.
        Some((_, most)) if version <= *most || api == ApiKey::ApiVersions => {}
        _ => return shared.violated(format!("{name} in version {version} is not served")),
    }
    if request.len() >= REQUEST {
        return shared.violated(format!("{name} of {} bytes", request.len()));
    }
    let greets = [ApiKey::ApiVersions, ApiKey::SaslHandshake, ApiKey::SaslAuthenticate].contains(&api);
    if !*is_known && !greets {
        return shared.violated(format!("{name} before a login"));
    }
    match api {
        ApiKey::SaslHandshake => {
            let plain = SaslHandshakeResponse::default().with_mechanisms(vec![StrBytes::from_static_str("PLAIN")]);
            return reply(api, version, &header, &plain);
        }
        ApiKey::SaslAuthenticate => {
            let login = SaslAuthenticateRequest::decode(&mut body, version).map_err(|e| invalid(&e))?;
            *is_known = login.auth_bytes.starts_with(b"\0$ConnectionString\0Endpoint=sb://");
            let code = if *is_known { 0 } else { SASL_AUTHENTICATION_FAILED };
            return reply(api, version, &header, &SaslAuthenticateResponse::default().with_error_code(code));
        }
        ApiKey::CreateTopics => {
            let wanted = CreateTopicsRequest::decode(&mut body, version).map_err(|e| invalid(&e))?;
            let refused = |topic: kafka_protocol::messages::create_topics_request::CreatableTopic| {
                shared.seen.lock().unwrap().not_made.push(topic.name.to_string());
                CreatableTopicResult::default().with_name(topic.name).with_error_code(TOPIC_AUTHORIZATION_FAILED)
            };
            let topics = wanted.topics.into_iter().map(refused).collect();
            return reply(api, version, &header, &CreateTopicsResponse::default().with_topics(topics));
        }
        ApiKey::Produce => shared.look_at_records(&ProduceRequest::decode(&mut body, version).map_err(|e| invalid(&e))?),
        ApiKey::OffsetCommit => shared.look_at_commit(&OffsetCommitRequest::decode(&mut body, version).map_err(|e| invalid(&e))?),
        ApiKey::JoinGroup => {
            let join = JoinGroupRequest::decode(&mut body, version).map_err(|e| invalid(&e))?;
            if !(6_000..=300_000).contains(&join.session_timeout_ms) || join.group_id.chars().count() > GROUP {
                shared.note(format!("group {} with a session of {} ms", &*join.group_id, join.session_timeout_ms));
            }
        }
        _ => {}
    }
    let request = match api {
        // Event hubs do not come by being asked for.
        ApiKey::Metadata if version >= 4 => {
            let asked = MetadataRequest::decode(&mut body, version).map_err(|e| invalid(&e))?;
            let mut bytes = BytesMut::new();
            header.encode(&mut bytes, api.request_header_version(version)).map_err(|e| invalid(&e))?;
            asked.with_allow_auto_topic_creation(false).encode(&mut bytes, version).map_err(|e| invalid(&e))?;
            bytes.freeze()
        }
        _ => request,
    };
    upstream.write_u32(u32::try_from(request.len()).expect("a short request")).await?;
    upstream.write_all(&request).await?;
    let answer = frame(upstream).await?;
    let answer = match api {
        ApiKey::ApiVersions => rewritten(api, version, &answer, |told: &mut ApiVersionsResponse| {
            told.api_keys.retain_mut(|key| {
                let served = SERVED.iter().find(|(api, _)| *api as i16 == key.api_key);
                key.max_version = key.max_version.min(served.map_or(-1, |(_, most)| *most));
                key.max_version >= key.min_version
            });
            for (api, most) in [(ApiKey::SaslHandshake, 1), (ApiKey::SaslAuthenticate, 1)] {
                if !told.api_keys.iter().any(|key| key.api_key == api as i16) {
                    told.api_keys.push(ApiVersion::default().with_api_key(api as i16).with_max_version(most));
                }
            }
        }),
        ApiKey::Metadata => rewritten(api, version, &answer, |told: &mut MetadataResponse| {
            for broker in &mut told.brokers {
                (broker.host, broker.port) = (StrBytes::from_static_str("127.0.0.1"), shared.port.into());
            }
        }),
        ApiKey::FindCoordinator => rewritten(api, version, &answer, |told: &mut FindCoordinatorResponse| {
            if told.error_code == 0 {
                (told.host, told.port) = (StrBytes::from_static_str("127.0.0.1"), shared.port.into());
            }
        }),
        _ => answer,
    };
    Ok(shared.throttled(api, version, answer))
}

impl Shared {
    fn note(&self, violation: String) {
        self.seen.lock().unwrap().violations.push(violation);
    }

    /// Closes the connection over it.
    fn violated<T>(&self, violation: String) -> Result<T> {
        self.note(violation.clone());
        Err(Error::new(ErrorKind::ConnectionReset, violation))
    }

    /// No batch may be compressed.
    fn look_at_records(&self, request: &ProduceRequest) {
        for topic in &request.topic_data {
            for records in topic.partition_data.iter().filter_map(|partition| partition.records.as_ref()) {
                let mut batch = &records[..];
                while batch.len() >= 23 {
                    let codec = batch[22] & 7;
                    if codec != 0 {
                        self.note(format!("a batch for {} is compressed by codec {codec}", &*topic.name));
                    }
                    let length = u32::from_be_bytes([batch[8], batch[9], batch[10], batch[11]]) as usize;
                    batch = batch.get(12 + length..).unwrap_or_default();
                }
            }
        }
    }

    fn look_at_commit(&self, request: &OffsetCommitRequest) {
        let mut commits = self.commits.lock().unwrap();
        for topic in &request.topics {
            for partition in &topic.partitions {
                self.seen.lock().unwrap().commits += 1;
                if partition.committed_metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA) {
                    self.note(format!("the metadata of {}-{} are too long", &*topic.name, partition.partition_index));
                }
                let key = (request.group_id.to_string(), topic.name.to_string(), partition.partition_index);
                let recent = commits.entry(key).or_default();
                while recent.front().is_some_and(|first| first.elapsed() >= Duration::from_secs(1)) {
                    recent.pop_front();
                }
                recent.push_back(Instant::now());
                if recent.len() > COMMITS {
                    let name = format!("{}-{}", &*topic.name, partition.partition_index);
                    self.note(format!("{} commits of {name} within a second", recent.len()));
                }
            }
        }
    }

    /// Now and then an answer tells that it would have come later.
    fn throttled(&self, api: ApiKey, version: i16, answer: Bytes) -> Bytes {
        let mut answers = self.answers.lock().unwrap();
        *answers += 1;
        let (ms, every) = THROTTLE;
        let is_first = THROTTLES.iter().any(|(throttles, first)| *throttles == api && version >= *first);
        let at = match api {
            // behind the correlation id
            _ if is_first => 4,
            ApiKey::Produce => answer.len().saturating_sub(4),
            _ => return answer,
        };
        if *answers % every != 0 || answer.len() < at + 4 {
            return answer;
        }
        self.seen.lock().unwrap().throttled += 1;
        let mut answer = BytesMut::from(&answer[..]);
        answer[at..at + 4].copy_from_slice(&ms.to_be_bytes());
        answer.freeze()
    }
}

/// An answer of ours.
fn reply(api: ApiKey, version: i16, to: &RequestHeader, body: &impl Encodable) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(to.correlation_id);
    header.encode(&mut bytes, api.response_header_version(version)).map_err(|e| invalid(&e))?;
    body.encode(&mut bytes, version).map_err(|e| invalid(&e))?;
    Ok(bytes.freeze())
}

/// An answer of the broker after `change`; one that is of another version, by which brokers say that they do not know a version, stays.
fn rewritten<T: Decodable + Encodable>(api: ApiKey, version: i16, answer: &Bytes, change: impl FnOnce(&mut T)) -> Bytes {
    let rewrite = || {
        let mut rest = answer.clone();
        let header = ResponseHeader::decode(&mut rest, api.response_header_version(version)).ok()?;
        let mut body = T::decode(&mut rest, version).ok()?;
        change(&mut body);
        let mut bytes = BytesMut::new();
        header.encode(&mut bytes, api.response_header_version(version)).ok()?;
        body.encode(&mut bytes, version).ok()?;
        Some(bytes.freeze())
    };
    rewrite().unwrap_or_else(|| answer.clone())
}

fn invalid(error: &impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, error.to_string())
}
