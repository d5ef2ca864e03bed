//! The topics that connectors have had records of (`TopicStatus` and `MemoryStatusBackingStore` of Kafka 4.3.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use super::Herder;
use crate::task::{TaskId, Used};

/// Topics by connector, as tasks meet them.
#[derive(Debug, Default)]
pub struct ActiveTopics(RwLock<BTreeMap<String, BTreeSet<String>>>);

impl ActiveTopics {
    /// Takes note that `task` has had a record of `topic`. Called with each batch, so one that is known costs a look.
    pub fn used(&self, task: &TaskId, topic: &str) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.get(&task.connector).is_some_and(|topics| topics.contains(topic)) {
            return;
        }
        drop(known);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(task.connector.clone()).or_default().insert(topic.to_owned());
    }

    /// The topics of `connector`, in order.
    #[must_use]
    pub fn of(&self, connector: &str) -> Vec<String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(connector).into_iter().flatten().cloned().collect()
    }

    /// Forgets the topics of `connector`.
    pub fn reset(&self, connector: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(connector);
    }

    /// What tasks tell the topics that they use.
    #[must_use]
    pub fn listener(self: &Arc<Self>) -> Used {
        let topics = self.clone();
        Arc::new(move |task, topic| topics.used(task, topic))
    }
}

impl Herder {
    /// The topics that the tasks of a connector have had records of since they were last forgotten, in order. None for a connector that
    /// is not there.
    #[must_use]
    pub fn active_topics(&self, name: &str) -> Vec<String> {
        self.shared.topics.of(name)
    }

    /// Takes note that `task` has had a record of `topic`.
    pub fn topic_used(&self, task: &TaskId, topic: &str) {
        self.shared.topics.used(task, topic);
    }

    /// Forgets which topics a connector has used.
    pub fn reset_topics(&self, name: &str) {
        self.shared.topics.reset(name);
        tracing::info!(connector = name, "active topics reset");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_kept_until_they_are_reset() {
        let topics = Arc::new(ActiveTopics::default());
        let used = topics.listener();
        let task = |connector: &str, task| TaskId { connector: connector.into(), task };
        for (connector, number, topic) in [("c", 0, "b"), ("c", 1, "a"), ("c", 0, "b"), ("d", 0, "z")] {
            used(&task(connector, number), topic);
        }
        assert_eq!((topics.of("c"), topics.of("d")), (vec!["a".to_owned(), "b".to_owned()], vec!["z".to_owned()]));
        topics.reset("c");
        assert_eq!((topics.of("c"), topics.of("d").len()), (Vec::<String>::new(), 1));
        used(&task("c", 0), "b");
        assert_eq!(topics.of("c"), ["b"]);
    }
}
