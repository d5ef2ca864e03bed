//! What Kafka answers when it does not do what was asked, named by what the caller does about it.

use std::fmt;

use landfall_api::TopicPartition;

use super::topics::UNKNOWN_TOPIC;

/// What the caller does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The client goes on by itself, or the same call may succeed later (Java's `RetriableException`).
    Retriable,
    /// The member no longer owns what it speaks for: its generation is over or its partitions were given away (Java's
    /// `CommitFailedException` and `RebalanceInProgressException`). Drop the work; the next poll says what is owned now.
    Fenced,
    /// The task fails.
    Fatal,
}

/// An error of the client or the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaError {
    /// What to do about it.
    pub class: Class,
    /// The number: Kafka's own if it is positive, librdkafka's if it is negative.
    pub code: i32,
    /// The number's name, as in `UNKNOWN_MEMBER_ID` or `_TRANSPORT`.
    pub name: String,
    /// What happened, with what was tried.
    pub message: String,
    /// The partition that it is about, if it is about one. A partition of -1 stands for the whole topic.
    pub partition: Option<TopicPartition>,
}

impl KafkaError {
    /// An error that needs another configuration.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self { class: Class::Fatal, code: INVALID_ARG, name: "_INVALID_ARG".into(), message: message.into(), partition: None }
    }

    /// What the user may do about it, where Kafka's words do not say.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.code {
            UNKNOWN_TOPIC => "; is its name right? it is read as soon as it is there",
            BAD_MSG if self.message.contains("Invalid response size") => {
                "; is that a broker's port, and security.protocol the one that it expects?"
            }
            // librdkafka speaks of its own settings
            SSL if self.message.contains("certificate verify failed") => {
                "; is the authority that has signed it in ssl.truststore.*, and the broker's name in its certificate?"
            }
            _ => "",
        }
    }

    /// Whether the task fails.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.class == Class::Fatal
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.partition {
            Some(tp) if tp.partition < 0 => write!(f, "{}: topic {}: {}", self.name, tp.topic, self.message),
            Some(tp) => write!(f, "{}: partition {tp}: {}", self.name, self.message),
            None => write!(f, "{}: {}", self.name, self.message),
        }
    }
}

impl std::error::Error for KafkaError {}

/// librdkafka's code for an answer that cannot be read.
const BAD_MSG: i32 = -199;
/// librdkafka's code for a handshake of TLS that failed.
const SSL: i32 = -181;
/// librdkafka's code for an argument or a configuration that it cannot take.
const INVALID_ARG: i32 = -186;

/// The class of an error code of Kafka (positive) or librdkafka (negative).
#[must_use]
pub fn class_of(code: i32) -> Class {
    match code {
        // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH, STALE_MEMBER_EPOCH
        22 | 25 | 27 | 82 | 110 | 113 => Class::Fenced,
        // _ASSIGNMENT_LOST, _FENCED, _MAX_POLL_EXCEEDED
        -142 | -144 | -147 => Class::Fenced,
        // the group's configuration: OFFSET_METADATA_TOO_LARGE, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID,
        // INVALID_SESSION_TIMEOUT, GROUP_MAX_SIZE_REACHED, UNRELEASED_INSTANCE_ID, UNSUPPORTED_ASSIGNOR, GROUP_ID_NOT_FOUND
        12 | 23 | 24 | 26 | 81 | 111 | 112 | 69 => Class::Fatal,
        // permissions: TOPIC_, GROUP_, CLUSTER_AUTHORIZATION_FAILED, UNSUPPORTED_SASL_MECHANISM, SASL_AUTHENTICATION_FAILED
        29 | 30 | 31 | 33 | 58 => Class::Fatal,
        // requests that no retry mends: INVALID_TOPIC_EXCEPTION, UNSUPPORTED_VERSION, INVALID_REQUEST
        17 | 35 | 42 => Class::Fatal,
        // _SSL: the handshake failed, which Java's clients take for a failed login
        SSL => Class::Fatal,
        // data that cannot be read on: _BAD_MSG, _BAD_COMPRESSION, _AUTO_OFFSET_RESET
        BAD_MSG | -198 | -140 => Class::Fatal,
        // _AUTHENTICATION, _FATAL, _UNSUPPORTED_FEATURE, _NOT_IMPLEMENTED, _INVALID_ARG, _STATE, _DESTROY
        -169 | -150 | -165 | -170 | INVALID_ARG | -172 | -197 => Class::Fatal,
        _ => Class::Retriable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_librdkafka_leaves_open_is_said() {
        let advice = |code, message: &str| KafkaError { code, message: message.into(), ..KafkaError::configuration("") }.advice();
        assert!(advice(UNKNOWN_TOPIC, "Subscribed topic not available: t").contains("is its name right?"));
        assert!(
            advice(BAD_MSG, "k:80/bootstrap: Receive failed: Invalid response size 1213486160").contains("security.protocol")
        );
        assert_eq!((advice(BAD_MSG, "CRC"), advice(INVALID_ARG, "")), ("", ""));
    }
}
