//! Membership of a group of type `connect`, run by a task of its own, so that heartbeats go on while its owner is busy.
//!
//! It behaves as `org.apache.kafka.clients.consumer.internals.AbstractCoordinator` (4.3.1) does under Connect's `WorkerCoordinator`, but
//! for one thing: while the coordinator cannot be reached, work is given up after the session timeout and not after one heartbeat
//! interval. Nobody else is given it before that, so a coordinator that moves or restarts does not stop all tasks of a cluster.

mod member;
mod metrics;
mod settings;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use metrics::{GroupMetrics, Timed};
pub use settings::GroupSettings;

use member::Member;

/// What happens to a member. Events come in the order in which they happen; the owner answers those that have a `reply`.
#[derive(Debug)]
pub enum GroupEvent {
    /// A rebalance begins: what does the member say of itself now? By protocol name, in order of preference. This comes again when a
    /// rebalance has to be begun anew. The owner may take `rebalance.timeout.ms`; then the member leaves the group.
    Join {
        /// For the answer. To drop it is to leave the group for now.
        reply: oneshot::Sender<Vec<(String, Bytes)>>,
    },
    /// This member leads: what is each member to do? The owner may take `rebalance.timeout.ms`.
    Assign {
        /// The protocol that all members have.
        protocol: String,
        /// The generation that begins.
        generation: i32,
        /// This member.
        member_id: String,
        /// What each member has said of itself for the protocol, by member id.
        members: Vec<(String, Bytes)>,
        /// For the assignment of each member id.
        reply: oneshot::Sender<Vec<(String, Bytes)>>,
    },
    /// The rebalance is through.
    Joined {
        /// The protocol that all members have.
        protocol: String,
        /// The generation that this member is in.
        generation: i32,
        /// This member.
        member_id: String,
        /// What the leader has for it.
        assignment: Bytes,
    },
    /// The membership is over until the next [`Self::Joined`]: what the owner runs may be given to others.
    Lost {
        /// What has happened.
        why: String,
    },
    /// It cannot go on until somebody mends something: a refused login, a missing permission. It is tried again and again, and said once
    /// for each reason.
    Failing {
        /// What is wrong, without secrets.
        why: String,
    },
}

/// How many events wait for the owner. It is asked and told a few things for each rebalance.
const EVENTS: usize = 16;

/// The handle of a member. When it is dropped the member is gone without a word, and the group finds out at the session timeout.
#[derive(Debug)]
pub struct Group {
    rejoin: watch::Sender<String>,
    leave: oneshot::Sender<String>,
    task: JoinHandle<()>,
}

impl Group {
    /// Joins the group, on the current tokio runtime, and counts what it asks of the coordinator. What comes of it comes as events.
    #[must_use]
    pub fn start(settings: GroupSettings, counts: Arc<GroupMetrics>) -> (Self, mpsc::Receiver<GroupEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let (rejoin, wanted) = watch::channel(String::new());
        let (leave, left) = oneshot::channel();
        let limit = settings.client.request_timeout;
        let task = tokio::spawn(async move {
            let mut member = Member::new(settings, counts, events, wanted);
            let reason = tokio::select! {
                biased;
                reason = left => reason.ok(),
                () = member.run() => Some("the worker has ended".to_owned()),
            };
            if let Some(reason) = reason
                && tokio::time::timeout(limit, member.leave(&reason)).await.is_err()
            {
                tracing::warn!("the group was not told that this member leaves within {} ms", limit.as_millis());
            }
        });
        (Self { rejoin, leave, task }, receiver)
    }

    /// Asks for a rebalance, for this reason: after the one that is under way, if there is one. The coordinator answers a follower that
    /// says what it has said before with the generation that there is.
    pub fn rejoin(&self, reason: &str) {
        tracing::info!("request joining group due to: {reason}");
        self.rejoin.send_replace(reason.to_owned());
    }

    /// Leaves the group, for this reason, and ends. Takes `request.timeout.ms` at most.
    pub async fn leave(self, reason: &str) {
        // Without a receiver the member has ended by itself.
        let _ended = self.leave.send(reason.to_owned());
        if let Err(error) = self.task.await {
            tracing::error!("the group membership has failed: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
