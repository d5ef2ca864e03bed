//! This worker as one of a cluster: who leads, what is assigned to whom, and what is left to others (`DistributedHerder` of Kafka 4.3.1).
//!
//! [`member`] follows the group and the config topic; [`peers`] speaks with the other workers, with requests that [`signature`] signs.

mod classes;
mod member;
pub mod peers;
mod rebalances;
pub mod signature;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use landfall_api::Properties;
use tokio::sync::{mpsc, oneshot, watch};

pub use member::{Joining, Places};
use peers::Peers;
pub use rebalances::Rebalances;

use super::protocol::{Assignment, Protocol};
use super::{Error, STALE};
use crate::kafka::group::GroupMetrics;
use crate::state::SessionKey;

/// The wait before task configurations are sent to the leader again, at first and at most.
const AGAIN: Duration = Duration::from_millis(250);
const MOST_AGAIN: Duration = Duration::from_secs(60);

/// The cluster as this worker sees it.
pub(super) struct Cluster {
    /// Where this worker takes requests, with a slash at its end.
    pub(super) url: String,
    pub(super) peers: Peers,
    membership: RwLock<Arc<Membership>>,
    /// Whether a change of what there is to run waits for a rebalance.
    stale: AtomicBool,
    end: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
    sent: mpsc::UnboundedSender<(String, Vec<Properties>)>,
    asks: mpsc::UnboundedSender<oneshot::Sender<()>>,
    /// How rebalances go.
    pub(super) rebalances: Rebalances,
    /// What the member of the group counts.
    pub(super) group: Arc<GroupMetrics>,
}

/// The last rebalance.
#[derive(Debug, Default)]
pub(super) struct Membership {
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) protocol: Option<Protocol>,
    /// What this worker has; none without a rebalance.
    pub(super) assignment: Option<Assignment>,
    connectors: BTreeSet<String>,
    tasks: BTreeMap<String, BTreeSet<usize>>,
    /// Who has what, known to the leader only.
    pub(super) owners: Owners,
}

/// Where what is run.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    connectors: BTreeMap<String, String>,
    tasks: BTreeMap<(String, usize), String>,
}

impl Membership {
    pub(super) fn new(
        generation: i32,
        member_id: String,
        protocol: Protocol,
        assignment: Option<Assignment>,
        owners: Owners,
    ) -> Self {
        let mut tasks: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let work = assignment.as_ref().map(|assignment| assignment.assigned.clone()).unwrap_or_default();
        for task in work.tasks {
            tasks.entry(task.connector).or_default().insert(task.task);
        }
        let connectors = work.connectors.into_iter().collect();
        Self { generation, member_id, protocol: Some(protocol), assignment, connectors, tasks, owners }
    }

    /// Whether the connector itself is here.
    pub(super) fn has_connector(&self, name: &str) -> bool {
        self.connectors.contains(name)
    }

    /// Whether a task is here.
    pub(super) fn has_task(&self, name: &str, task: usize) -> bool {
        self.tasks.get(name).is_some_and(|tasks| tasks.contains(&task))
    }

    /// The connectors of which something is here.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.connectors.iter().chain(self.tasks.keys())
    }

    fn leads(&self) -> bool {
        self.assignment.as_ref().is_some_and(|assignment| assignment.leader == self.member_id)
    }

    fn leader_url(&self) -> Option<String> {
        self.assignment.as_ref().map(|assignment| assignment.leader_url.clone()).filter(|url| !url.is_empty())
    }

    /// Whom to ask for what is not here: the leader knows who has it, the others know the leader.
    fn elsewhere<'a>(&'a self, owner: impl FnOnce(&'a Owners) -> Option<&'a String>) -> Option<String> {
        if self.leads() { owner(&self.owners).cloned() } else { self.leader_url() }
    }
}

/// What a worker of a cluster counts of it.
#[derive(Debug)]
pub struct ClusterCounts<'a> {
    /// How rebalances go.
    pub rebalances: &'a Rebalances,
    /// What the member of the group counts.
    pub group: &'a GroupMetrics,
    /// The protocol that the group has agreed on; None while this worker is no member.
    pub protocol: Option<&'static str>,
    /// The URL of the leader, if one is known.
    pub leader: Option<String>,
    /// The generation of the last rebalance.
    pub generation: i32,
    /// The connectors and the tasks that are assigned to this worker.
    pub assigned: (usize, usize),
}

impl Cluster {
    /// What it counts.
    pub(super) fn counts(&self) -> ClusterCounts<'_> {
        let membership = self.membership();
        ClusterCounts {
            rebalances: &self.rebalances,
            group: &self.group,
            protocol: membership.protocol.map(Protocol::name),
            leader: membership.leader_url(),
            generation: membership.generation,
            assigned: (membership.connectors.len(), membership.tasks.values().map(BTreeSet::len).sum()),
        }
    }

    /// The last rebalance; one without an assignment before the first, and while the membership is lost.
    pub(super) fn membership(&self) -> Arc<Membership> {
        self.membership.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_membership(&self, membership: Membership) {
        *self.membership.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(membership);
    }

    /// Whether this worker leads.
    ///
    /// # Errors
    /// Who leads instead.
    pub(super) fn lead(&self) -> Result<(), Error> {
        let membership = self.membership();
        if membership.leads() { Ok(()) } else { Err(Error::Forward(membership.leader_url())) }
    }

    /// Whether what is known of who runs what holds.
    pub(super) fn up_to_date(&self) -> Result<(), Error> {
        if self.stale.load(Ordering::Acquire) { Err(Error::Rebalance(STALE.into())) } else { Ok(()) }
    }

    /// Whether this worker runs the connector itself.
    ///
    /// # Errors
    /// Who does, or who knows.
    pub(super) fn owns_connector(&self, name: &str) -> Result<(), Error> {
        let membership = self.membership();
        if membership.has_connector(name) {
            return Ok(());
        }
        Err(Error::Forward(membership.elsewhere(|owners| owners.connectors.get(name))))
    }

    /// Whether this worker runs a task.
    ///
    /// # Errors
    /// Who does, or who knows.
    pub(super) fn owns_task(&self, name: &str, task: usize) -> Result<(), Error> {
        let membership = self.membership();
        if membership.has_task(name, task) {
            return Ok(());
        }
        Err(Error::Forward(membership.elsewhere(|owners| owners.tasks.get(&(name.to_owned(), task)))))
    }

    /// Whether requests between workers have to be signed: not before the group has agreed on `sessioned`.
    pub(super) fn signs(&self) -> bool {
        self.membership().protocol == Some(Protocol::Sessioned)
    }

    /// Sends the configurations of a connector's tasks to whoever leads, again and again until it takes them.
    pub(super) fn send_tasks(&self, name: &str, tasks: Vec<Properties>) {
        let _ = self.sent.send((name.to_owned(), tasks));
    }

    /// Sends what was given to [`Self::send_tasks`] last, connector by connector.
    async fn send(&self, name: &str, tasks: &[Properties], key: impl Fn() -> Option<SessionKey>, algorithm: &str) {
        let body = serde_json::to_vec(tasks).unwrap_or_default();
        let mut wait = AGAIN;
        loop {
            let refused = match self.membership().leader_url() {
                // A leader takes its own.
                Some(url) if url != self.url => {
                    let url = format!("{url}connectors/{}/tasks", peers::encoded(name));
                    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                    if let (true, Some(key)) = (self.signs(), key()) {
                        headers.extend(signature::headers(&key, algorithm, &body));
                    }
                    match self.peers.send("POST", &url, headers, body.clone()).await {
                        Ok(answer) if answer.status < 300 => return,
                        // The connector is gone, or stopped.
                        Ok(answer) if [400, 404].contains(&answer.status) => {
                            tracing::info!(connector = name, "the leader does not take its tasks: {}", answer.message());
                            return;
                        }
                        Ok(answer) => answer.message(),
                        Err(why) => why,
                    }
                }
                Some(_) => return,
                None => "no leader is known".to_owned(),
            };
            tracing::info!(connector = name, "its tasks are not with the leader yet: {refused}");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(MOST_AGAIN);
        }
    }

    /// Resolves when the loop that follows the group has time.
    pub(super) async fn answers(&self) {
        let (ask, answered) = oneshot::channel();
        if self.asks.send(ask).is_ok() {
            let _ = answered.await;
        }
    }

    /// Leaves the group after what runs here has ended.
    pub(super) async fn stop(&self) {
        let _ = self.end.send(true);
        let mut ended = self.ended.clone();
        let _ = ended.wait_for(|ended| *ended).await;
    }
}
