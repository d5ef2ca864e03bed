//! A small client of Kafka's own protocol, for what librdkafka has no functions for: groups of other types than `consumer`.
//!
//! - [`connection`] asks one broker, request by request,
//! - [`brokers`] finds a broker to ask, and the coordinator of a group,
//! - [`settings`] reads Java's keys of clients,
//! - [`tls`] and [`sasl`] make connections safe, as [`security`](super::security) has read it.

mod brokers;
mod connection;
mod sasl;
mod settings;
mod tls;

use std::fmt;
use std::io;
use std::time::Duration;

use kafka_protocol::error::ResponseError;

pub(super) use brokers::Brokers;
pub(super) use connection::{Connection, short_name};
pub(super) use settings::{ClientSettings, becomes, int, text};

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a broker was not asked, or did not do what it was asked. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// There is no connection, or no more.
    #[error("{0}: {1}")]
    Io(Address, io::Error),
    /// The broker does not answer.
    #[error("{0}: no answer within {n} ms", n = .1.as_millis())]
    Timeout(Address, Duration),
    /// What comes is not Kafka's protocol.
    #[error("{0}: {1}; is that a broker's port, and security.protocol the one that it expects?")]
    Malformed(Address, String),
    /// TLS cannot be agreed upon, or the broker's certificate is not trusted.
    #[error("{0}: {1}")]
    Tls(Address, String),
    /// The broker does not let this client in, or there are no credentials to show.
    #[error("{0}: {1}")]
    Login(Address, String),
    /// The broker is too old or too new.
    #[error("{0}: the broker has no version of {1} that this client speaks")]
    Unsupported(Address, &'static str),
    /// The answer is an error of Kafka's.
    #[error("{request}: {}", name(.error))]
    Answer {
        /// What was asked.
        request: &'static str,
        /// The broker's answer.
        error: ResponseError,
    },
}

impl WireError {
    /// Whether trying again is of no use until something is changed by an operator (Java: not a `RetriableException`).
    pub(super) fn is_fatal(&self) -> bool {
        match self {
            Self::Io(..) | Self::Timeout(..) => false,
            Self::Malformed(..) | Self::Tls(..) | Self::Login(..) | Self::Unsupported(..) => true,
            Self::Answer { error, .. } => !error.is_retriable(),
        }
    }
}

/// Kafka's name of an error, as in `NOT_COORDINATOR`.
fn name(error: &ResponseError) -> String {
    if let ResponseError::Unknown(code) = error {
        return format!("error {code}");
    }
    let mut name = String::new();
    for letter in error.to_string().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Waits that double from try to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most: most.max(first), tries: 0 }
    }

    /// The next wait, spread by a fifth so that not all members come back at the same moment (Java's `ExponentialBackoff`).
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.first.saturating_mul(1 << self.tries.min(20)).min(self.most);
        self.tries += 1;
        wait.mul_f64(spread(0.8, 1.2))
    }

    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// A number between the two that is another one each time. It is for spreading load, not for secrets.
pub(super) fn spread(low: f64, high: f64) -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(0) >> 11;
    low + (high - low) * (random as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_kafkas_names() {
        let all = [ResponseError::NotCoordinator, ResponseError::UnknownMemberId, ResponseError::Unknown(999)];
        assert_eq!(all.map(|e| name(&e)), ["NOT_COORDINATOR", "UNKNOWN_MEMBER_ID", "error 999"]);
    }

    #[test]
    fn waits_double_up_to_the_most() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1000));
        let waits: Vec<_> = (0..40).map(|_| backoff.next().as_millis()).collect();
        assert!(
            (80..=120).contains(&waits[0]) && (160..=240).contains(&waits[1]) && (320..=480).contains(&waits[2]),
            "{waits:?}"
        );
        assert!(waits[4..].iter().all(|wait| (800..=1200).contains(wait)), "{waits:?}");
        backoff.reset();
        assert!(backoff.next().as_millis() <= 120);
    }
}
