//! Follows the group and the config topic, and makes this worker run what they say (`DistributedHerder.tick` of Kafka 4.3.1).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::future::join_all;
use landfall_api::{Faults, Properties};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::classes::Classes;
use super::peers::Peers;
use super::{Cluster, Membership, Owners, Rebalances, signature};
use crate::config::{DistributedKeys, WorkerConfig, millis};
use crate::herder::assign::{Assignor, Round};
use crate::herder::handle::{Herder, Shared};
use crate::herder::protocol::{Assignment, Metadata, Protocol, Work};
use crate::herder::store::{Configs, StatusBoard, StatusWriter};
use crate::herder::{Error, Starter};
use crate::kafka::group::{Group, GroupEvent, GroupMetrics, GroupSettings};
use crate::kafka::log::{Log, LogError, LogSettings};
use crate::plugins::Plugins;
use crate::state::config::records;
use crate::state::{Change, RestartRequest, topics};
use crate::task::TaskId;

/// How often the session key is looked at.
const LOOK_AT_KEY: Duration = Duration::from_secs(1);
/// How often a worker that could not read the config topic in time tries again before it gives up what it runs.
const READS: u32 = 5;
/// How long leaving the group may take at least.
const LEAVE: Duration = Duration::from_secs(5);
/// How long a rebalance that takes the work of a leaving worker may take.
const HAND_OVER: Duration = Duration::from_secs(10);

/// What the loop owns.
struct Member {
    herder: Herder,
    keys: DistributedKeys,
    group: Group,
    events: mpsc::Receiver<GroupEvent>,
    changes: mpsc::UnboundedReceiver<Change>,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    sent: mpsc::UnboundedReceiver<(String, Vec<Properties>)>,
    sending: HashMap<String, AbortHandle>,
    assignor: Assignor,
    offered: Protocol,
    /// The connectors that were there when it was looked last.
    known: BTreeSet<String>,
    /// Who has what after the round that this worker led last.
    owners: Owners,
    completed: i32,
    /// When to join again although nothing changes.
    rejoin_at: Option<Instant>,
    /// How often the config topic could not be read in time, in a row.
    unread: u32,
    leaving: bool,
    classes: Classes,
}

impl Herder {
    /// The herder of a worker of a cluster, known as `worker_id`, that takes requests at `url`. It joins when [`join`](Joining::join) is called.
    #[must_use]
    pub fn distributed(
        plugins: Plugins,
        worker: WorkerConfig,
        worker_id: String,
        url: String,
        starter: Starter,
    ) -> (Self, Joining) {
        let (statuses, writer) = StatusBoard::in_topic();
        let ((end, ending), (has_ended, ended)) = (watch::channel(false), watch::channel(false));
        let ((sent, to_send), (asks, asked)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let cluster = Cluster {
            url,
            peers: Peers::new(&worker.given),
            membership: std::sync::RwLock::default(),
            stale: false.into(),
            end,
            ended,
            sent,
            asks,
            rebalances: Rebalances::new(worker.sampling()),
            group: Arc::new(GroupMetrics::new(worker.sampling())),
        };
        let stores = (Configs::in_topic(), statuses);
        let shared = Shared::new(plugins, worker, worker_id, starter, stores, Some(cluster));
        let herder = Self { shared };
        (herder.clone(), Joining { herder, writer, sent: to_send, asked, ending, has_ended })
    }
}

/// A worker that has not joined its cluster yet.
pub struct Joining {
    herder: Herder,
    writer: StatusWriter,
    sent: mpsc::UnboundedReceiver<(String, Vec<Properties>)>,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    ending: watch::Receiver<bool>,
    has_ended: watch::Sender<bool>,
}
landfall_api::opaque!(Joining);

/// How to reach the group and the topics.
#[derive(Debug)]
pub struct Places {
    group: GroupSettings,
    configs: LogSettings,
    statuses: LogSettings,
    offsets: LogSettings,
}

impl Places {
    /// What a worker's properties say; it is known as `worker_id`.
    ///
    /// # Errors
    /// What is wrong with the settings of a client.
    pub fn of(keys: &DistributedKeys, given: &Properties, worker_id: &str) -> Result<Self, Faults> {
        let [configs, statuses, offsets] = [topics::configs, topics::statuses, topics::offsets].map(|of| of(keys, given));
        Ok(Self { group: GroupSettings::read(given, worker_id)?, configs, statuses, offsets })
    }
}

impl Joining {
    /// Reads the topics and joins the group; resolves when the worker has left it, or cannot go on.
    ///
    /// # Errors
    /// A topic cannot be made or read; asking again is of no use.
    pub async fn join(self, keys: DistributedKeys, places: Places) -> Result<(), LogError> {
        let Self { herder, writer, sent, asked, mut ending, has_ended } = self;
        let joined = async {
            let shared = &herder.shared;
            let (changed, mut changes) = mpsc::unbounded_channel();
            let statuses = Log::start(places.statuses, shared.statuses.follower()).await?;
            let configs = Log::start(places.configs, shared.configs.follower(changed)).await?;
            Log::ensure(places.offsets).await?;
            tokio::spawn(writer.follow(statuses));
            shared.configs.follow(configs);
            // What was asked for before this worker came up is done with.
            while changes.try_recv().is_ok() {}
            herder.set_started();
            let counts = shared.cluster.as_ref().map(|cluster| cluster.group.clone()).unwrap_or_default();
            let (group, events) = Group::start(places.group, counts);
            Ok((group, events, changes))
        };
        let result = tokio::select! {
            joined = joined => joined,
            () = told(&mut ending) => {
                let _ = has_ended.send(true);
                return Ok(());
            }
        };
        let (group, events, changes) = result.inspect_err(|_| {
            let _ = has_ended.send(true);
        })?;
        let offered = Protocol::parse(&keys.connect_protocol).unwrap_or(Protocol::Sessioned);
        let max_delay = keys.scheduled_rebalance_max_delay_ms;
        let member = Member {
            known: herder.names().into_iter().collect(),
            herder,
            keys,
            group,
            events,
            changes,
            asked,
            sent,
            sending: HashMap::new(),
            assignor: Assignor::new(max_delay),
            offered,
            owners: Owners::default(),
            completed: -1,
            rejoin_at: None,
            unread: 0,
            leaving: false,
            classes: Classes::default(),
        };
        member.run(ending).await;
        let _ = has_ended.send(true);
        Ok(())
    }
}

impl Member {
    fn cluster(&self) -> &Cluster {
        self.herder.shared.cluster.as_ref().expect("a member is of a cluster")
    }

    async fn run(mut self, mut ending: watch::Receiver<bool>) {
        let mut look_at_key = tokio::time::interval(LOOK_AT_KEY);
        look_at_key.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let rejoin_at = self.rejoin_at;
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take(event).await,
                    None => return,
                },
                Some(change) = self.changes.recv() => self.changed(change),
                Some((name, tasks)) = self.sent.recv() => self.send(name, tasks),
                Some(asked) = self.asked.recv() => drop(asked),
                () = async { sleep_until(rejoin_at.unwrap_or_else(Instant::now)).await }, if rejoin_at.is_some() => {
                    self.rejoin("the delay of the scheduled rebalance is over");
                }
                _ = look_at_key.tick() => self.rotate_key().await,
                () = told(&mut ending) => break,
            }
        }
        self.leave().await;
    }

    async fn take(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Join { reply } => {
                self.cluster().rebalances.begin();
                if self.cluster().membership().protocol == Some(Protocol::Eager) {
                    self.give_up_all().await;
                }
                let _ = reply.send(self.metadata().offered(self.offered));
            }
            GroupEvent::Assign { protocol, generation, member_id, members, reply } => {
                let assignments = self.assign(&protocol, generation, &member_id, members).await;
                let _ = reply.send(assignments);
            }
            GroupEvent::Joined { protocol, generation, member_id, assignment } => {
                self.joined(&protocol, generation, member_id, &assignment).await;
            }
            GroupEvent::Lost { why } => {
                tracing::warn!("no longer a member of the group: {why}; what runs here ends");
                self.give_up_all().await;
            }
            GroupEvent::Failing { why } => tracing::error!("cannot join the group: {why}; trying again"),
        }
    }

    /// What this worker says of itself.
    fn metadata(&self) -> Metadata {
        let allocation = self.cluster().membership().assignment.clone().filter(|assignment| !assignment.assigned.is_empty());
        let offset = self.herder.shared.configs.look(crate::state::ConfigState::offset);
        Metadata { version: self.offered.version(), url: self.cluster().url.clone(), offset, allocation, leaving: self.leaving }
    }

    fn rejoin(&mut self, why: &str) {
        self.rejoin_at = None;
        self.group.rejoin(why);
    }

    /// Ends all that runs here, as of now it may be given to others.
    async fn give_up_all(&self) {
        let before = self.cluster().membership();
        self.cluster().set_membership(Membership {
            generation: before.generation,
            member_id: before.member_id.clone(),
            ..Membership::default()
        });
        self.herder.end_all().await;
    }

    /// Takes up what a record of the config topic changed.
    fn changed(&mut self, change: Change) {
        match change {
            Change::Connector(name) => {
                if self.known.insert(name.clone()) {
                    self.expect_rebalance(&format!("the connector {name} is new"));
                }
                self.settle(name);
            }
            Change::Removed(name) => {
                self.known.remove(&name);
                self.expect_rebalance(&format!("the connector {name} is gone"));
                self.settle(name);
            }
            Change::Tasks(name) => {
                self.expect_rebalance(&format!("the connector {name} has other tasks"));
                self.settle(name);
            }
            Change::Target(name) => self.settle(name),
            Change::Restart(request) => self.restart(request),
            Change::Logger { namespace, level } => self.herder.set_logger(&namespace, &level),
            Change::SessionKey => {}
        }
    }

    fn expect_rebalance(&mut self, why: &str) {
        self.cluster().stale.store(true, Ordering::Release);
        self.rejoin(why);
    }

    /// Makes what runs here of a connector what is to run, when it is its turn.
    fn settle(&self, name: String) {
        let herder = self.herder.clone();
        tokio::spawn(async move { settle(&herder, &name).await });
    }

    fn restart(&self, request: RestartRequest) {
        let herder = self.herder.clone();
        tokio::spawn(async move {
            let _turn = herder.turn(&request.connector).await;
            herder.restart_here(&request).await;
        });
    }

    /// Sends task configurations in place of those of the same connector that are on their way.
    fn send(&mut self, name: String, tasks: Vec<Properties>) {
        let (herder, algorithm) = (self.herder.clone(), self.keys.inter_worker_signature_algorithm.clone());
        let of = name.clone();
        let sending = tokio::spawn(async move {
            let Some(cluster) = &herder.shared.cluster else { return };
            let key = || herder.shared.configs.look(|configs| configs.session_key().cloned());
            cluster.send(&of, &tasks, key, &algorithm).await;
        });
        if let Some(before) = self.sending.insert(name, sending.abort_handle()) {
            before.abort();
        }
        self.sending.retain(|_, sending| !sending.is_finished());
    }

    /// Says what each member gets; this worker leads.
    async fn assign(
        &mut self,
        protocol: &str,
        generation: i32,
        member_id: &str,
        members: Vec<(String, Bytes)>,
    ) -> Vec<(String, Bytes)> {
        let Some(protocol) = Protocol::chosen(protocol) else {
            tracing::error!("the group has chosen the protocol {protocol}, which is none of Connect's");
            return Vec::new();
        };
        let decoded = members.into_iter().map(|(member, bytes)| {
            let metadata = Metadata::decode(&bytes).unwrap_or_else(|e| {
                tracing::error!("the metadata of the member {member} cannot be read: {e}");
                Metadata { offset: -1, ..Metadata::default() }
            });
            (member, metadata)
        });
        let members: BTreeMap<_, _> = decoded.collect();
        let most = members.values().map(|member| member.offset).max().unwrap_or(-1);
        let configs = &self.herder.shared.configs;
        if configs.look(crate::state::ConfigState::offset) < most {
            self.herder.shared.read_configs().await;
        }
        let configs = self.herder.shared.configs.now();
        let tasks =
            |name: &str| configs.tasks(name).map(|(task, _)| TaskId { connector: name.to_owned(), task }).collect::<Vec<_>>();
        let configured = Work {
            connectors: configs.connectors().map(str::to_owned).collect(),
            tasks: configs.connectors().flat_map(tasks).collect(),
        };
        let cannot = self.cannot(&members, member_id).await;
        let url = self.cluster().url.clone();
        let round = Round {
            protocol,
            generation,
            last_completed_generation: self.completed,
            leader: member_id,
            leader_url: &url,
            members,
            configured,
            offset: configs.offset(),
            cannot,
            now: now(),
        };
        let assignments = self.assignor.assign(&round);
        self.owners = Owners::default();
        for (member, work) in self.assignor.complete() {
            let Some(url) = round.members.get(member).map(|member| &member.url) else { continue };
            self.owners.connectors.extend(work.connectors.iter().map(|name| (name.clone(), url.clone())));
            self.owners.tasks.extend(work.tasks.iter().map(|task| ((task.connector.clone(), task.task), url.clone())));
        }
        assignments.into_iter().map(|(member, assignment)| (member, assignment.encode())).collect()
    }

    /// The connectors whose class a member is known not to have, by member.
    async fn cannot(&mut self, members: &BTreeMap<String, Metadata>, own: &str) -> BTreeMap<String, BTreeSet<String>> {
        let (peers, sinks) = (self.cluster().peers.clone(), self.herder.plugins().sinks);
        self.classes.learn(members, own, sinks.iter().map(|sink| sink.class()), &peers).await;
        let wanted: Vec<(String, String)> = self.herder.shared.configs.look(|configs| {
            let class = |name: &str| Some((name.to_owned(), configs.config(name)?.get("connector.class")?.clone()?));
            configs.connectors().filter_map(class).collect()
        });
        self.classes.lacking(&wanted)
    }

    /// Takes up what a rebalance gave this worker.
    async fn joined(&mut self, protocol: &str, generation: i32, member_id: String, bytes: &[u8]) {
        let (Some(protocol), Ok(assignment)) = (Protocol::chosen(protocol), Assignment::decode(bytes)) else {
            tracing::error!("the assignment of generation {generation} cannot be read");
            self.rejoin_at = Some(Instant::now() + Duration::from_secs(1));
            return;
        };
        let before = self.cluster().membership();
        let taken = assignment.clone().taken(before.assignment.as_ref());
        tracing::info!(
            "joined generation {generation} by {} with {} connectors and {} tasks; {} leads",
            protocol.name(),
            taken.assigned.connectors.len(),
            taken.assigned.tasks.len(),
            assignment.leader_url
        );
        if before.protocol == Some(Protocol::Sessioned) && protocol != Protocol::Sessioned {
            tracing::warn!("a member does not know the protocol sessioned: requests between workers are not signed any more");
        }
        let member = Membership::new(generation, member_id, protocol, Some(taken), self.owners.clone());
        self.cluster().stale.store(false, Ordering::Release);
        self.cluster().set_membership(member);
        (self.completed, self.rejoin_at) = (generation, None);

        let Work { connectors, tasks } = &assignment.revoked;
        let revoked: BTreeSet<_> = connectors.iter().chain(tasks.iter().map(|task| &task.connector)).collect();
        join_all(revoked.iter().map(|name| settle(&self.herder, name))).await;
        if !revoked.is_empty() {
            self.flush().await;
        }
        if !self.has_read(&assignment).await {
            return;
        }
        self.herder.set_ready();
        self.cluster().rebalances.end();
        let membership = self.cluster().membership();
        let names: BTreeSet<String> = membership.names().cloned().chain(self.here()).collect();
        names.into_iter().for_each(|name| self.settle(name));
        if membership.leads() {
            self.herder.forget_statuses();
            self.rotate_key().await;
        }
        if !revoked.is_empty() && !self.leaving {
            self.rejoin("what was revoked here can be given out");
        } else if assignment.delay > 0 {
            self.rejoin_at = Some(Instant::now() + Duration::from_millis(assignment.delay.unsigned_abs().into()));
        }
    }

    /// The connectors of which something runs here.
    fn here(&self) -> impl Iterator<Item = String> {
        let locals = self.herder.shared.locals().into_iter();
        locals.filter(|local| local.connector().is_some() || local.task_count() > 0).map(|local| local.name.clone())
    }

    /// Whether this worker has read the config topic just as far as the leader had. If not, the group has to meet again.
    async fn has_read(&mut self, assignment: &Assignment) -> bool {
        let configs = &self.herder.shared.configs;
        let offset = || configs.look(crate::state::ConfigState::offset);
        if (assignment.failed() || offset() < assignment.offset) && !self.herder.shared.read_configs().await {
            self.back_off().await;
            self.rejoin("the config topic could not be read to its end in time");
            return false;
        }
        self.unread = 0;
        if assignment.failed() || offset() != assignment.offset {
            self.rejoin("the leader has not read as far in the config topic, or farther");
            return false;
        }
        true
    }

    /// Waits before the next try to read the config topic; the last one gives up what runs here.
    async fn back_off(&mut self) {
        self.unread += 1;
        if self.cluster().membership().protocol == Some(Protocol::Eager) {
            tokio::time::sleep(millis(self.keys.worker_unsync_backoff_ms.into())).await;
        } else if self.unread > READS {
            self.give_up_all().await;
            self.unread = 0;
        } else {
            let wait =
                u64::try_from(self.keys.scheduled_rebalance_max_delay_ms).unwrap_or(0) / 10 / u64::from(READS + 1 - self.unread);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    /// Gives the cluster a new key to sign with where there is none, or the one that is there is too old or of another kind.
    async fn rotate_key(&mut self) {
        let cluster = self.cluster();
        if !cluster.membership().leads() || !cluster.signs() {
            return;
        }
        let keys = &self.keys;
        let algorithm = &keys.inter_worker_key_generation_algorithm;
        let size = keys.key_bytes();
        let is_good = self.herder.shared.configs.look(|configs| {
            configs.session_key().is_some_and(|key| {
                let age = now().saturating_sub(key.creation_timestamp);
                age < i64::from(keys.inter_worker_key_ttl_ms) && key.algorithm == *algorithm && key.key.len() == size
            })
        });
        if is_good {
            return;
        }
        let Some(key) = signature::new_key(algorithm, size, now()) else { return };
        match self.herder.shared.configs.append(records::session_key(&key), None).await {
            Ok(()) => tracing::info!("gave the cluster a new session key"),
            Err(why) => tracing::warn!("the cluster's new session key cannot be written: {why}"),
        }
    }

    /// Ends what runs here and leaves.
    async fn leave(mut self) {
        if self.keys.leave_hands_over && !self.cluster().membership().leads() {
            self.hand_over().await;
        }
        self.give_up_all().await;
        self.flush().await;
        // Brokers that do not answer must not keep a worker that is to end.
        let _ = tokio::time::timeout(self.herder.shared.worker.grace().max(LEAVE), self.group.leave("the worker ends")).await;
    }

    /// Waits until statuses are written, for as long as tasks may take to end.
    async fn flush(&self) {
        let shared = &self.herder.shared;
        if tokio::time::timeout(shared.worker.grace(), shared.statuses.flush()).await.is_err() {
            tracing::warn!("statuses are not written yet");
        }
    }

    /// Has its work revoked before it leaves, so that nobody waits for its return.
    async fn hand_over(&mut self) {
        self.leaving = true;
        self.group.rejoin("it is about to leave");
        let handed = async {
            while let Some(event) = self.events.recv().await {
                let joined = matches!(event, GroupEvent::Joined { .. });
                self.take(event).await;
                if joined {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(HAND_OVER, handed).await;
    }
}

/// Waits until the worker is to end.
async fn told(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}

async fn settle(herder: &Herder, name: &str) {
    let _turn = herder.turn(name).await;
    match herder.settle(name).await {
        Ok(()) | Err(Error::Forward(_)) => {}
        Err(why) => tracing::error!(connector = name, "not as it should be here: {why}"),
    }
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
