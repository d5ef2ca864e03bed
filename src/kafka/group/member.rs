//! The life of a member: finds the coordinator, joins, leads or follows, and sends heartbeats until it has to join again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::{ParseResponseErrorCode as _, ResponseError};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::{GroupEvent, GroupMetrics, GroupSettings};
use crate::kafka::wire::{Address, Backoff, Brokers, Connection, WireError, short_name};

const PROTOCOL_TYPE: &str = "connect";
/// What the coordinator may need beyond the rebalance timeout to answer (`JOIN_GROUP_TIMEOUT_LAPSE`).
const LAPSE: Duration = Duration::from_secs(5);
/// The longest wait before something is tried again that an operator has to mend.
const MOST_PATIENCE: Duration = Duration::from_secs(10);
/// The longest reason that a broker is told (`JoinGroupRequest.maybeTruncateReason`).
const REASON: usize = 255;
/// Why a membership is lost that nobody has ended.
const NO_ANSWER: &str = "the group coordinator did not answer within session.timeout.ms";
/// No generation.
const NONE: i32 = -1;

/// The end of the owner: it takes no events any more.
struct Gone;

/// What the owner has made of a question.
enum Reply<T> {
    Given(T),
    /// There is none in time, and the member has left the group; or the membership was lost meanwhile.
    Again,
    Gone,
}

/// What a heartbeat has shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beat {
    Alive,
    /// The others are joining again.
    Rebalance,
    /// The membership is lost.
    Lost,
}

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member {
    settings: GroupSettings,
    brokers: Brokers,
    counts: Arc<GroupMetrics>,
    events: mpsc::Sender<GroupEvent>,
    /// Why the owner wants to join again; changed when it wants to once more.
    wanted: watch::Receiver<String>,
    /// The way to the coordinator; None while it is not known.
    coordinator: Option<Connection>,
    /// Where the coordinator was last, to take leave of it.
    last: Option<Address>,
    /// Given by the coordinator; empty before.
    member_id: String,
    generation: i32,
    /// Whether the owner was told that it is in the group, and not that it no longer is.
    joined: bool,
    /// Why the next join.
    reason: String,
    heartbeat_at: Instant,
    /// When the coordinator may take this member for dead.
    session_end: Instant,
    /// Since when the owner has not taken an event.
    unread: Option<Instant>,
    /// What was said to fail since the coordinator has last done what it was asked.
    failing: BTreeSet<String>,
    retry: Backoff,
    reconnect: Backoff,
    patience: Backoff,
}

impl Member {
    pub(super) fn new(
        settings: GroupSettings,
        counts: Arc<GroupMetrics>,
        events: mpsc::Sender<GroupEvent>,
        wanted: watch::Receiver<String>,
    ) -> Self {
        let client = &settings.client;
        let (retry, reconnect) =
            (Backoff::new(client.retry.0, client.retry.1), Backoff::new(client.reconnect.0, client.reconnect.1));
        Self {
            brokers: Brokers::new(client.clone()),
            patience: Backoff::new(client.retry.0, MOST_PATIENCE),
            retry,
            reconnect,
            settings,
            counts,
            events,
            wanted,
            coordinator: None,
            last: None,
            member_id: String::new(),
            generation: NONE,
            joined: false,
            reason: String::new(),
            heartbeat_at: Instant::now(),
            session_end: Instant::now(),
            unread: None,
            failing: BTreeSet::new(),
        }
    }

    /// Stays in the group until the owner takes no more events.
    pub(super) async fn run(&mut self) {
        let mut begun = None;
        loop {
            let since = *begun.get_or_insert_with(Instant::now);
            let turn = match self.join().await {
                Ok(true) => {
                    begun = None;
                    self.counts.rebalances.record(since.elapsed());
                    self.counts.rebalance_time.add(u64::try_from(since.elapsed().as_millis()).unwrap_or(0));
                    self.stay().await
                }
                Ok(false) => {
                    self.counts.failed.record(since.elapsed());
                    Ok(())
                }
                Err(gone) => Err(gone),
            };
            if turn.is_err() {
                return;
            }
        }
    }

    /// Tells the coordinator that the member goes. Can be called whatever was under way.
    pub(super) async fn leave(&mut self, why: &str) {
        let member_id = std::mem::take(&mut self.member_id);
        self.generation = NONE;
        if member_id.is_empty() {
            return;
        }
        tracing::info!("member {member_id} leaves group {}: {why}", self.settings.group_id);
        let usable = self.coordinator.take().filter(Connection::is_usable);
        let connection = match (usable, &self.last) {
            (Some(connection), _) => Ok(connection),
            (None, Some(address)) => self.brokers.open(&address.clone()).await,
            (None, None) => return,
        };
        let told = async {
            let mut connection = connection?;
            let request = LeaveGroupRequest::default().with_group_id(self.group_id());
            let member_id = StrBytes::from_string(member_id);
            let request = match connection.version::<LeaveGroupRequest>()? {
                0..=2 => request.with_member_id(member_id),
                _ => {
                    let member = MemberIdentity::default().with_member_id(member_id).with_reason(Some(reason(why)));
                    request.with_members(vec![member])
                }
            };
            let client = &self.settings.client;
            let answer = connection.call(client, &request, client.request_timeout).await?;
            self.coordinator = Some(connection);
            let of_member = answer.members.first().map_or(0, |member| member.error_code);
            answered::<LeaveGroupRequest>(answer.error_code).and(answered::<LeaveGroupRequest>(of_member))
        };
        if let Err(error) = told.await {
            tracing::info!("the group could not be told that this member leaves: {error}");
        }
    }

    /// One try to get through a rebalance: whether it did.
    async fn join(&mut self) -> Result<bool, Gone> {
        self.find_coordinator().await?;
        // What is asked for from now on may not be in the protocols that the owner gives.
        self.wanted.mark_unchanged();
        let (reply, answer) = oneshot::channel();
        let protocols = match self.ask(GroupEvent::Join { reply }, answer).await {
            Reply::Given(protocols) => protocols,
            Reply::Again => return Ok(false),
            Reply::Gone => return Err(Gone),
        };
        let Some(answer) = self.send_join(&protocols).await? else { return Ok(false) };
        self.session_begins(Instant::now());
        self.member_id = answer.member_id.to_string();
        self.generation = answer.generation_id;
        let protocol = answer.protocol_name.clone().unwrap_or_default().to_string();
        let leads = answer.leader == answer.member_id;
        tracing::info!(
            "joined group {} in generation {} as {} {}, protocol {protocol}",
            self.settings.group_id,
            self.generation,
            if leads { "leader" } else { "follower" },
            self.member_id
        );
        let assignments = if leads {
            match self.assign(&protocol, answer).await {
                Reply::Given(assignments) => assignments,
                Reply::Again => return Ok(false),
                Reply::Gone => return Err(Gone),
            }
        } else {
            Vec::new()
        };
        let Some(answer) = self.send_sync(&protocol, assignments).await? else { return Ok(false) };
        self.session_begins(Instant::now());
        self.reason.clear();
        self.patience.reset();
        self.answered();
        self.joined = true;
        let event = GroupEvent::Joined {
            protocol,
            generation: self.generation,
            member_id: self.member_id.clone(),
            assignment: answer.assignment,
        };
        self.tell(event).await?;
        Ok(true)
    }

    async fn assign(&mut self, protocol: &str, answer: JoinGroupResponse) -> Reply<Vec<(String, Bytes)>> {
        let (reply, assignments) = oneshot::channel();
        let event = GroupEvent::Assign {
            protocol: protocol.to_owned(),
            generation: self.generation,
            member_id: self.member_id.clone(),
            members: answer.members.into_iter().map(|member| (member.member_id.to_string(), member.metadata)).collect(),
            reply,
        };
        self.ask(event, assignments).await
    }

    /// Sends heartbeats until it is time to join again.
    async fn stay(&mut self) -> Result<(), Gone> {
        loop {
            let events = self.events.clone();
            tokio::select! {
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        // The handle is gone, and with it this task.
                        return Err(Gone);
                    }
                    self.reason = self.wanted.borrow().clone();
                    return Ok(());
                }
                () = events.closed() => return Err(Gone),
                () = sleep_until(self.heartbeat_at) => {
                    if self.is_stalled() {
                        self.give_up("what happens to the group was not looked at within rebalance.timeout.ms").await?;
                        return Ok(());
                    }
                    match self.heartbeat().await? {
                        Beat::Alive => {}
                        Beat::Rebalance => {
                            "group is already rebalancing".clone_into(&mut self.reason);
                            return Ok(());
                        }
                        Beat::Lost => return Ok(()),
                    }
                }
            }
        }
    }

    /// Asks the owner. Heartbeats go on meanwhile, if there is a generation to send them for.
    async fn ask<T>(&mut self, event: GroupEvent, answer: oneshot::Receiver<T>) -> Reply<T> {
        let deadline = Instant::now() + self.settings.rebalance_timeout;
        let events = self.events.clone();
        let replied = async move {
            events.send(event).await.map_err(|_| Gone)?;
            Ok(answer.await.ok())
        };
        tokio::pin!(replied);
        loop {
            let is_member = self.generation != NONE;
            tokio::select! {
                reply = &mut replied => return match reply {
                    Ok(Some(reply)) => Reply::Given(reply),
                    Ok(None) => {
                        if self.give_up("the worker does not take part in the rebalance").await.is_err() {
                            return Reply::Gone;
                        }
                        sleep(self.patience.next()).await;
                        Reply::Again
                    }
                    Err(Gone) => Reply::Gone,
                },
                () = sleep_until(deadline), if is_member => {
                    return match self.give_up("the worker took longer than rebalance.timeout.ms to take part in the rebalance").await {
                        Ok(()) => Reply::Again,
                        Err(Gone) => Reply::Gone,
                    };
                }
                () = sleep_until(self.session_end), if self.joined && !is_member => {
                    return match self.lost(NO_ANSWER).await {
                        Ok(()) => Reply::Again,
                        Err(Gone) => Reply::Gone,
                    };
                }
                () = sleep_until(self.heartbeat_at), if is_member => match self.heartbeat().await {
                    // What to do about it is being asked.
                    Ok(Beat::Alive | Beat::Rebalance) => {}
                    Ok(Beat::Lost) => return Reply::Again,
                    Err(Gone) => return Reply::Gone,
                },
            }
        }
    }

    /// Leaves the group because of the owner, to join it again.
    async fn give_up(&mut self, why: &str) -> Result<(), Gone> {
        tracing::warn!("{why}");
        let limit = self.settings.client.request_timeout;
        if timeout(limit, self.leave(why)).await.is_err() {
            tracing::info!("the group was not told within {} ms", limit.as_millis());
        }
        self.lost(why).await
    }

    /// Whether the owner has left an event unread for longer than it may.
    fn is_stalled(&mut self) -> bool {
        if self.events.capacity() == self.events.max_capacity() {
            self.unread = None;
            return false;
        }
        self.unread.get_or_insert_with(Instant::now).elapsed() >= self.settings.rebalance_timeout
    }

    async fn tell(&mut self, event: GroupEvent) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }

    /// Says that the membership is over, once.
    async fn lost(&mut self, why: &str) -> Result<(), Gone> {
        self.generation = NONE;
        why.clone_into(&mut self.reason);
        if std::mem::take(&mut self.joined) {
            tracing::info!("the membership of group {} is lost: {why}", self.settings.group_id);
            return self.tell(GroupEvent::Lost { why: why.to_owned() }).await;
        }
        Ok(())
    }

    fn session_begins(&mut self, at: Instant) {
        self.heartbeat_at = at + self.settings.heartbeat_interval;
        if let Some(login) = self.coordinator.as_ref().and_then(Connection::login_at) {
            self.heartbeat_at = self.heartbeat_at.min(login);
        }
        self.session_end = at + self.settings.session_timeout;
    }

    /// Sends a heartbeat, and goes on trying to until the session is over.
    async fn heartbeat(&mut self) -> Result<Beat, Gone> {
        loop {
            let sent = Instant::now();
            if sent >= self.session_end {
                self.coordinator = None;
                self.lost(NO_ANSWER).await?;
                return Ok(Beat::Lost);
            }
            let request = HeartbeatRequest::default()
                .with_group_id(self.group_id())
                .with_generation_id(self.generation)
                .with_member_id(StrBytes::from_string(self.member_id.clone()));
            let (limit, end) = (self.settings.client.request_timeout, self.session_end);
            let asked = async {
                self.reach_coordinator().await?;
                let answer = self.call(&request, limit).await?;
                answered::<HeartbeatRequest>(answer.error_code)
            };
            let error = match timeout_at(end, asked).await {
                Ok(answer) => answer.err(),
                // The session is over, which is looked at above.
                Err(_) => continue,
            };
            let beat = match error.as_ref().map(code) {
                None => Beat::Alive,
                // The coordinator counts the member as alive.
                Some(Some(ResponseError::RebalanceInProgress)) => Beat::Rebalance,
                Some(Some(
                    fenced
                    @ (ResponseError::IllegalGeneration | ResponseError::UnknownMemberId | ResponseError::FencedInstanceId),
                )) => {
                    self.fenced::<HeartbeatRequest>(fenced).await?;
                    return Ok(Beat::Lost);
                }
                Some(_) => {
                    if let Some(error) = error {
                        self.failed(&error).await?;
                    }
                    continue;
                }
            };
            self.counts.heartbeats.record(sent.elapsed());
            self.answered();
            self.session_begins(sent);
            return Ok(beat);
        }
    }

    /// Looks for the coordinator until it is found. The session may end meanwhile.
    async fn find_coordinator(&mut self) -> Result<(), Gone> {
        while let Err(error) = self.reach_coordinator().await {
            self.failed(&error).await?;
            if self.joined && Instant::now() >= self.session_end {
                self.lost(NO_ANSWER).await?;
            }
        }
        Ok(())
    }

    /// Has a connection to the coordinator, or one try at it.
    async fn reach_coordinator(&mut self) -> Result<(), WireError> {
        if self.coordinator.as_ref().is_some_and(Connection::is_usable) {
            return Ok(());
        }
        let connection = self.brokers.coordinator(&self.settings.group_id).await?;
        if self.last.as_ref() != Some(connection.address()) {
            tracing::info!("discovered group coordinator {} of group {}", connection.address(), self.settings.group_id);
        }
        self.last = Some(connection.address().clone());
        self.coordinator = Some(connection);
        Ok(())
    }

    /// Asks the coordinator.
    async fn call<R: Request>(&mut self, request: &R, limit: Duration) -> Result<R::Response, WireError> {
        match &mut self.coordinator {
            Some(coordinator) => coordinator.call(&self.settings.client, request, limit).await,
            None => Err(answer::<R>(ResponseError::CoordinatorNotAvailable)),
        }
    }

    fn group_id(&self) -> GroupId {
        GroupId(StrBytes::from_string(self.settings.group_id.clone()))
    }

    /// The coordinator does what it is asked.
    fn answered(&mut self) {
        self.failing.clear();
        self.retry.reset();
        self.reconnect.reset();
    }

    /// How long the coordinator may wait for the other members.
    fn rebalance_limit(&self) -> Duration {
        self.settings.client.request_timeout.max(self.settings.rebalance_timeout + LAPSE)
    }

    /// JoinGroup; None if it is to be begun anew.
    async fn send_join(&mut self, protocols: &[(String, Bytes)]) -> Result<Option<JoinGroupResponse>, Gone> {
        let protocol = |(name, metadata): &(String, Bytes)| {
            JoinGroupRequestProtocol::default().with_name(StrBytes::from_string(name.clone())).with_metadata(metadata.clone())
        };
        let request = JoinGroupRequest::default()
            .with_group_id(self.group_id())
            .with_session_timeout_ms(millis(self.settings.session_timeout))
            .with_rebalance_timeout_ms(millis(self.settings.rebalance_timeout))
            .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
            .with_protocols(protocols.iter().map(protocol).collect())
            .with_reason(Some(reason(&self.reason)));
        // From here on the coordinator waits for this member without heartbeats.
        self.generation = NONE;
        loop {
            let request = request.clone().with_member_id(StrBytes::from_string(self.member_id.clone()));
            let asked = Instant::now();
            let error = match self.call(&request, self.rebalance_limit()).await {
                Ok(answer) => match answered::<JoinGroupRequest>(answer.error_code) {
                    Ok(()) if is_of_type(answer.protocol_type.as_ref()) => {
                        self.counts.joins.record(asked.elapsed());
                        return Ok(Some(answer));
                    }
                    Ok(()) => self::answer::<JoinGroupRequest>(ResponseError::InconsistentGroupProtocol),
                    // KIP-394
                    Err(error) if code(&error) == Some(ResponseError::MemberIdRequired) => {
                        self.member_id = answer.member_id.to_string();
                        continue;
                    }
                    Err(error) => error,
                },
                Err(error) => {
                    // Until then the coordinator was waiting for others.
                    self.session_end = self.session_end.max(Instant::now() + self.settings.session_timeout);
                    error
                }
            };
            match code(&error) {
                Some(unknown @ ResponseError::UnknownMemberId) => self.fenced::<JoinGroupRequest>(unknown).await?,
                _ => self.failed(&error).await?,
            }
            return Ok(None);
        }
    }

    /// SyncGroup; None if the rebalance is to be begun anew.
    async fn send_sync(&mut self, protocol: &str, assignments: Vec<(String, Bytes)>) -> Result<Option<SyncGroupResponse>, Gone> {
        let assignment = |(member_id, assignment)| {
            SyncGroupRequestAssignment::default().with_member_id(StrBytes::from_string(member_id)).with_assignment(assignment)
        };
        let protocol = StrBytes::from_string(protocol.to_owned());
        let request = SyncGroupRequest::default()
            .with_group_id(self.group_id())
            .with_generation_id(self.generation)
            .with_member_id(StrBytes::from_string(self.member_id.clone()))
            .with_protocol_type(Some(StrBytes::from_static_str(PROTOCOL_TYPE)))
            .with_protocol_name(Some(protocol.clone()))
            .with_assignments(assignments.into_iter().map(assignment).collect());
        let asked = Instant::now();
        let error = match self.call(&request, self.rebalance_limit()).await {
            Ok(answer) => {
                let fits =
                    is_of_type(answer.protocol_type.as_ref()) && answer.protocol_name.as_ref().is_none_or(|p| *p == protocol);
                match answered::<SyncGroupRequest>(answer.error_code) {
                    Ok(()) if fits => {
                        self.counts.syncs.record(asked.elapsed());
                        return Ok(Some(answer));
                    }
                    Ok(()) => self::answer::<SyncGroupRequest>(ResponseError::InconsistentGroupProtocol),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        self.generation = NONE;
        match code(&error) {
            Some(unknown @ ResponseError::UnknownMemberId) => self.fenced::<SyncGroupRequest>(unknown).await?,
            // Another rebalance has begun; the member id is still good.
            Some(ResponseError::IllegalGeneration | ResponseError::RebalanceInProgress) => {
                tracing::info!("{error}: joining group {} again", self.settings.group_id);
                self.reason = error.to_string();
            }
            _ => self.failed(&error).await?,
        }
        Ok(None)
    }

    /// The coordinator no longer knows this member, or not in this generation.
    async fn fenced<R>(&mut self, error: ResponseError) -> Result<(), Gone> {
        // The member id may still be good after ILLEGAL_GENERATION.
        if error != ResponseError::IllegalGeneration {
            self.member_id.clear();
        }
        self.lost(&answer::<R>(error).to_string()).await
    }

    /// Takes note of an error after which the same is tried again, and waits for the time of that.
    async fn failed(&mut self, error: &WireError) -> Result<(), Gone> {
        let moved = matches!(code(error), Some(ResponseError::NotCoordinator | ResponseError::CoordinatorNotAvailable));
        if moved || code(error).is_none() {
            self.coordinator = None;
        }
        let why = error.to_string();
        self.reason.clone_from(&why);
        let wait = match error {
            _ if error.is_fatal() => self.patience.next(),
            WireError::Answer { .. } => self.retry.next(),
            _ => self.reconnect.next(),
        };
        if self.failing.insert(why.clone()) {
            tracing::warn!("group {}: {why}; trying again", self.settings.group_id);
            if error.is_fatal() {
                self.tell(GroupEvent::Failing { why }).await?;
            }
        }
        let until = Instant::now() + wait;
        sleep_until(if self.joined { until.min(self.session_end) } else { until }).await;
        Ok(())
    }
}

/// A reason as the broker takes it.
fn reason(text: &str) -> StrBytes {
    StrBytes::from_string(text.chars().take(REASON).collect())
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn is_of_type(protocol_type: Option<&StrBytes>) -> bool {
    protocol_type.is_none_or(|name| name.as_str() == PROTOCOL_TYPE)
}

/// The error that an answer to `R` is.
fn answer<R>(error: ResponseError) -> WireError {
    WireError::Answer { request: short_name::<R>(), error }
}

fn answered<R>(error: i16) -> Result<(), WireError> {
    error.err().map_or(Ok(()), |error| Err(answer::<R>(error)))
}

/// Kafka's error, if it is one.
fn code(error: &WireError) -> Option<ResponseError> {
    if let WireError::Answer { error, .. } = error { Some(*error) } else { None }
}
