//! Errors, named by what the caller does with them. Messages are lower case where they are ours, Java's where a user greps for
//! them, and never hold a secret.

use std::fmt;

use crate::TopicPartition;

/// Where on its way a record was refused, as Connect names it in dead-letter headers (`org.apache.kafka.connect.runtime.errors.Stage`, 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The key converter.
    KeyConverter,
    /// The value converter.
    ValueConverter,
    /// The header converter.
    HeaderConverter,
    /// A single message transform.
    Transformation,
    /// The sink itself.
    TaskPut,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::Transformation => "TRANSFORMATION",
            Self::TaskPut => "TASK_PUT",
        })
    }
}

/// A single record cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct RecordError {
    /// The Java exception class of the same failure.
    pub class: &'static str,
    /// What is wrong, with the value that was wrong.
    pub message: String,
}

impl RecordError {
    /// Connect's `DataException`: the bytes or the value are not what the schema or the format asks for.
    pub fn data(message: impl Into<String>) -> Self {
        Self { class: "org.apache.kafka.connect.errors.DataException", message: message.into() }
    }
}

/// A record that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its offset.
    pub offset: i64,
    /// Where on its way.
    pub stage: Stage,
    /// The Java name of the class that refused it: of the converter, the transform or the sink.
    pub class: String,
    /// Why.
    pub error: RecordError,
}

impl Refused {
    /// The error of a task that does not tolerate it; the record comes from `origin`.
    #[must_use]
    pub fn not_tolerated(self, origin: &TopicPartition) -> TaskError {
        TaskError::Record { origin: origin.clone(), offset: self.offset, stage: self.stage, class: self.class, error: self.error }
    }
}

/// A call of a task failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Trying again may help (Connect's `RetriableException`).
    #[error("org.apache.kafka.connect.errors.RetriableException: {0}")]
    Retriable(String),
    /// The task fails (Connect's `ConnectException`).
    #[error("org.apache.kafka.connect.errors.ConnectException: {0}")]
    Fatal(String),
    /// A record was refused and nothing tolerates it.
    #[error("org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\nCaused by: {error}\n\tat {stage} of topic {}, partition {}, offset {offset}, class {class}", origin.topic, origin.partition)]
    Record {
        /// Where the record comes from.
        origin: TopicPartition,
        /// Its offset.
        offset: i64,
        /// What it was doing.
        stage: Stage,
        /// The class that did it.
        class: String,
        /// Why it was refused.
        error: RecordError,
    },
}
