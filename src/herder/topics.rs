//! The topics that connectors have had records of (`TopicStatus` of Kafka 4.3.1), which are among the statuses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Herder;
use super::handle::Shared;
use crate::state::TopicStatus;
use crate::state::status::records;
use crate::task::Used;

/// How long a topic that was written may take to be read back before it is written again. Java writes it with each record.
const READ_BACK: Duration = Duration::from_secs(5);

/// The topics of which it was written that they are used.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<BTreeMap<(String, String), Instant>>);

/// What a task tells the topics that it uses.
pub(super) fn listener(shared: &Arc<Shared>) -> Used {
    let shared = Arc::downgrade(shared);
    // Called with each batch, so a topic that is known costs a look.
    Arc::new(move |task, topic| {
        let Some(shared) = shared.upgrade() else { return };
        if shared.statuses.look(|statuses| statuses.topic(&task.connector, topic).is_some()) {
            return;
        }
        let key = (task.connector.clone(), topic.to_owned());
        let now = Instant::now();
        let last = shared.topics.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now);
        if last.is_some_and(|last| now.duration_since(last) < READ_BACK) && shared.cluster.is_some() {
            return;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
        let status = TopicStatus { task: i32::try_from(task.task).unwrap_or(i32::MAX), discover_timestamp: time };
        shared.statuses.put(records::topic(&task.connector, topic, Some(&status)));
    })
}

impl Herder {
    /// The topics that the tasks of a connector have had records of since they were last forgotten, in order. None for a connector that
    /// is not there.
    #[must_use]
    pub fn active_topics(&self, name: &str) -> Vec<String> {
        self.shared.statuses.look(|statuses| statuses.topics(name).map(|(topic, _)| topic.to_owned()).collect())
    }

    /// Forgets which topics a connector has used.
    pub fn reset_topics(&self, name: &str) {
        let forgotten = self.active_topics(name);
        self.shared.statuses.put(forgotten.iter().flat_map(|topic| records::topic(name, topic, None)).collect());
        self.shared.topics.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(connector, _), _| connector != name);
        tracing::info!(connector = name, "active topics reset");
    }
}
