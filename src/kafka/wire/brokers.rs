//! Finds a broker to ask, and the coordinator of a group (`FindCoordinator`).

use std::time::Duration;

use kafka_protocol::error::{ParseResponseErrorCode as _, ResponseError};
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest};
use kafka_protocol::protocol::StrBytes;

use super::connection::short_name;
use super::{Address, Backoff, ClientSettings, Connection, WireError};

/// The brokers that are known: those of `bootstrap.servers`, and those that they tell of.
#[derive(Debug)]
pub(in crate::kafka) struct Brokers {
    pub(in crate::kafka) settings: ClientSettings,
    /// Told by a broker; the bootstrap servers are asked when none of them answers (KIP-899).
    learnt: Vec<Address>,
    /// Which one to ask next.
    turn: usize,
    /// Time for a connection, which grows while none comes about (KIP-601).
    setup: Backoff,
}

impl Brokers {
    pub(in crate::kafka) fn new(settings: ClientSettings) -> Self {
        let setup = Backoff::new(settings.setup_timeout, settings.setup_timeout_most);
        Self { settings, learnt: Vec::new(), turn: 0, setup }
    }

    /// A connection to the coordinator of `group`. One try: every known broker is asked until one answers.
    pub(in crate::kafka) async fn coordinator(&mut self, group: &str) -> Result<Connection, WireError> {
        let mut any = self.any().await?;
        let address = self.find(&mut any, group).await?;
        if *any.address() == address { Ok(any) } else { self.open(&address).await }
    }

    /// A connection to this broker.
    pub(in crate::kafka) async fn open(&mut self, address: &Address) -> Result<Connection, WireError> {
        let setup = self.setup.next();
        let opened = Connection::open(&self.settings, address, setup).await;
        if opened.is_ok() {
            self.setup.reset();
        }
        opened
    }

    /// A connection to some broker.
    async fn any(&mut self) -> Result<Connection, WireError> {
        let mut first = None;
        let known: Vec<Address> = self.learnt.iter().chain(&self.settings.bootstrap).cloned().collect();
        for n in 0..known.len() {
            let address = &known[(self.turn + n) % known.len()];
            match self.open(address).await {
                Ok(mut connection) => {
                    self.turn = (self.turn + n) % known.len();
                    self.learn(&mut connection).await?;
                    return Ok(connection);
                }
                Err(error) => {
                    tracing::debug!("{error}");
                    // What an operator has to mend says more than that another broker is away.
                    first = match first {
                        Some(first) if WireError::is_fatal(&first) || !error.is_fatal() => Some(first),
                        _ => Some(error),
                    };
                }
            }
        }
        self.turn += 1;
        Err(first.unwrap_or_else(|| WireError::Timeout(Address { host: "bootstrap.servers".into(), port: 0 }, Duration::ZERO)))
    }

    /// Asks which brokers there are, so that the group is found when the bootstrap servers are gone.
    async fn learn(&mut self, connection: &mut Connection) -> Result<(), WireError> {
        // No topics: version 0 has no word for that, and means all of them by it.
        if connection.version::<MetadataRequest>()? == 0 {
            return Ok(());
        }
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let answer = connection.call(&self.settings, &request, self.settings.request_timeout).await?;
        let address = |host: &StrBytes, port| Some(Address { host: host.to_string(), port: u16::try_from(port).ok()? });
        let learnt: Vec<_> = answer.brokers.iter().filter_map(|broker| address(&broker.host, broker.port)).collect();
        if !learnt.is_empty() && learnt != self.learnt {
            // The one that has just answered stays the first to be asked.
            self.turn = learnt.iter().position(|known| known == connection.address()).unwrap_or(0);
            self.learnt = learnt;
        }
        Ok(())
    }

    async fn find(&mut self, any: &mut Connection, group: &str) -> Result<Address, WireError> {
        const GROUP: i8 = 0;
        let key = StrBytes::from_string(group.to_owned());
        let request = FindCoordinatorRequest::default().with_key_type(GROUP);
        // KIP-699: several groups in one request
        let request = match any.version::<FindCoordinatorRequest>()? {
            0..=3 => request.with_key(key),
            _ => request.with_coordinator_keys(vec![key]),
        };
        let answer = any.call(&self.settings, &request, self.settings.request_timeout).await?;
        let (error, host, port) = found(&answer);
        if let Some(error) = error.err() {
            return Err(WireError::Answer { request: short_name::<FindCoordinatorRequest>(), error });
        }
        match u16::try_from(port) {
            Ok(port) if !host.is_empty() => Ok(Address { host: host.to_string(), port }),
            _ => {
                let error = ResponseError::CoordinatorNotAvailable;
                Err(WireError::Answer { request: short_name::<FindCoordinatorRequest>(), error })
            }
        }
    }
}

/// Error, host and port, from wherever the version has them.
fn found(answer: &FindCoordinatorResponse) -> (i16, &StrBytes, i32) {
    match answer.coordinators.first() {
        Some(one) => (one.error_code, &one.host, one.port),
        None => (answer.error_code, &answer.host, answer.port),
    }
}
