//! Sends the rows of a batch to a topic each.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::BooleanArray;
use landfall_api::{Batch, Output, RecordError};

/// The topics of a batch's rows, in their order.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    topics: Vec<Arc<str>>,
    known: HashMap<Arc<str>, usize>,
    rows: Vec<usize>,
}

impl Routes {
    /// The next row goes to `topic`.
    pub(crate) fn push(&mut self, topic: &str) {
        if let Some(&last) = self.rows.last()
            && *self.topics[last] == *topic
        {
            return self.rows.push(last);
        }
        let at = self.known.get(topic).copied().unwrap_or_else(|| {
            let topic: Arc<str> = topic.into();
            self.topics.push(topic.clone());
            self.known.insert(topic, self.topics.len() - 1);
            self.topics.len() - 1
        });
        self.rows.push(at);
    }

    /// Emits the rows of `batch`, of which each has its topic.
    pub(crate) fn emit(self, batch: Batch, out: &mut Output) {
        if let [topic] = &*self.topics {
            return out.emit(Batch { topic: topic.clone(), ..batch });
        }
        for (at, topic) in self.topics.iter().enumerate() {
            let here: BooleanArray = self.rows.iter().map(|row| Some(*row == at)).collect();
            match batch.filter(&here) {
                Ok(rows) => out.emit(Batch { topic: topic.clone(), ..rows }),
                Err(error) => return out.reject_all(&batch, &RecordError::data(error.to_string())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    #[test]
    fn rows_of_one_batch_part() {
        let batch = schemaless(&[Some("1"), Some("2"), Some("3"), None]);
        let mut routes = Routes::default();
        ["a", "b", "b", "a"].into_iter().for_each(|topic| routes.push(topic));
        let mut out = Output::default();
        routes.emit(batch, &mut out);
        let shape: Vec<_> = out.batches.iter().map(|b| (&*b.topic, b.offset.values().to_vec())).collect();
        assert_eq!(shape, [("a", vec![0, 3]), ("b", vec![1, 2])]);
    }
}
