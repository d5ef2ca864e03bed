//! Finds a broker to ask, and the coordinator of a group (`FindCoordinator`).

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
        let known: Vec<Address> = self.learnt.iter().chain(&self.settings.bootstrap).cloned().collect();
        let mut failed: Option<WireError> = None;
        for _ in 0..known.len() {
            // If this is dropped because the broker is silent, another one comes first the next time.
            let turn = self.turn;
            self.turn = (turn + 1) % known.len();
            match self.ask(&known[turn % known.len()], group).await {
                Ok((any, address)) => {
                    self.turn = self.learnt.iter().position(|known| known == any.address()).unwrap_or(0);
                    return if *any.address() == address { Ok(any) } else { self.open(&address).await };
                }
                // The others would say the same.
                Err(error @ WireError::Answer { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!("{error}");
                    // What an operator has to mend says more than that another broker is away.
                    failed = Some(failed.filter(|failed| failed.is_fatal() || !error.is_fatal()).unwrap_or(error));
                }
            }
        }
        Err(failed.unwrap_or_else(|| coordinator_error(ResponseError::CoordinatorNotAvailable)))
    }

    /// Asks a broker for the coordinator.
    async fn ask(&mut self, broker: &Address, group: &str) -> Result<(Connection, Address), WireError> {
        let mut connection = self.open(broker).await?;
        self.learn(&mut connection).await?;
        let address = self.find(&mut connection, group).await?;
        Ok((connection, address))
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
        if !learnt.is_empty() {
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
            return Err(coordinator_error(error));
        }
        match u16::try_from(port) {
            Ok(port) if !host.is_empty() => Ok(Address { host: host.to_string(), port }),
            _ => Err(coordinator_error(ResponseError::CoordinatorNotAvailable)),
        }
    }
}

fn coordinator_error(error: ResponseError) -> WireError {
    WireError::Answer { request: short_name::<FindCoordinatorRequest>(), error }
}

/// Error, host and port, from wherever the version has them.
fn found(answer: &FindCoordinatorResponse) -> (i16, &StrBytes, i32) {
    match answer.coordinators.first() {
        Some(one) => (one.error_code, &one.host, one.port),
        None => (answer.error_code, &answer.host, answer.port),
    }
}
