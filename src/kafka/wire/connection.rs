//! A connection to one broker: one request at a time, in the highest version that both sides speak.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::error::ParseResponseErrorCode as _;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion as _, Request, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::settings::ClientSettings;
use super::{Address, WireError};

/// More than any answer of a coordinator, and less than what the first bytes of another protocol say as a length.
const MOST_BYTES: usize = 100 << 20;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that is logged in.
pub(in crate::kafka) struct Connection {
    address: Address,
    stream: Box<dyn Stream>,
    client_id: StrBytes,
    /// What the broker speaks: the key of a request to the first and the last version.
    versions: BTreeMap<i16, (i16, i16)>,
    correlation: i32,
    /// A request is under way; when its future was dropped nobody knows what comes next.
    broken: bool,
    used: Instant,
    max_idle: Option<Duration>,
    /// When to log in again.
    login_at: Option<Instant>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and logs in. `setup` is the time for the connection itself, for each address that the name resolves to.
    pub(in crate::kafka) async fn open(settings: &ClientSettings, address: &Address, setup: Duration) -> Result<Self, WireError> {
        let stream = connect(settings, address, setup).await?;
        let all = async {
            let stream: Box<dyn Stream> = match &settings.tls {
                Some(tls) => Box::new(tls.wrap(address, stream).await?),
                None => Box::new(stream),
            };
            let mut connection = Self {
                address: address.clone(),
                stream,
                client_id: StrBytes::from_string(settings.client_id.clone()),
                versions: BTreeMap::new(),
                correlation: 0,
                broken: false,
                used: Instant::now(),
                max_idle: settings.max_idle,
                login_at: None,
            };
            connection.negotiate().await?;
            connection.login(settings).await?;
            Ok(connection)
        };
        let limit = settings.request_timeout;
        timeout(limit, all).await.unwrap_or_else(|_| Err(WireError::Timeout(address.clone(), limit)))
    }

    pub(in crate::kafka) fn address(&self) -> &Address {
        &self.address
    }

    /// When it should be used at the latest, so that the login is renewed before it ends.
    pub(in crate::kafka) fn login_at(&self) -> Option<Instant> {
        self.login_at
    }

    /// Whether it can be asked. One that has been idle for `connections.max.idle.ms` is not used any more.
    pub(in crate::kafka) fn is_usable(&self) -> bool {
        !self.broken && self.max_idle.is_none_or(|most| self.used.elapsed() < most)
    }

    /// The version of `R` that is spoken with this broker.
    pub(in crate::kafka) fn version<R: Request>(&self) -> Result<i16, WireError> {
        let (min, max) = self.versions.get(&R::KEY).copied().unwrap_or((0, -1));
        let version = max.min(R::VERSIONS.max);
        let spoken = version >= min.max(R::VERSIONS.min);
        spoken.then_some(version).ok_or_else(|| WireError::Unsupported(self.address.clone(), short_name::<R>()))
    }

    /// Asks the broker, and waits for the answer for `limit`. When it fails, or when the future is dropped, the connection can no longer
    /// be used.
    pub(in crate::kafka) async fn call<R: Request>(
        &mut self,
        settings: &ClientSettings,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, WireError> {
        let both = async {
            if self.login_at.is_some_and(|at| at <= Instant::now()) {
                self.login(settings).await?;
            }
            let version = self.version::<R>()?;
            self.exchange(request, version).await
        };
        match timeout(limit, both).await {
            Ok(answer) => answer,
            Err(_) => Err(WireError::Timeout(self.address.clone(), limit)),
        }
    }

    /// Asks in a version that is known to be spoken.
    pub(super) async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, WireError> {
        let mut answer = self.round(request, version).await?;
        self.decode::<R::Response>(&mut answer, version)
    }

    async fn round<R: Request>(&mut self, request: &R, version: i16) -> Result<Bytes, WireError> {
        let malformed = |what: String| WireError::Malformed(self.address.clone(), what);
        let encoding = |e| malformed(format!("{}: {e}", short_name::<R>()));
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).map_err(encoding)?;
        request.encode(&mut frame, version).map_err(encoding)?;
        let length = i32::try_from(frame.len() - 4).map_err(|_| malformed(format!("a request of {} bytes", frame.len())))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());

        let expected = self.correlation;
        let header_version = R::Response::header_version(version);
        let address = self.address.clone();
        let broken_off = |e: io::Error| WireError::Io(address.clone(), ended(e));
        self.broken = true;
        self.stream.write_all(&frame).await.map_err(broken_off)?;
        self.stream.flush().await.map_err(broken_off)?;
        let length = self.stream.read_i32().await.map_err(broken_off)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_BYTES);
        let length =
            length.ok_or_else(|| WireError::Malformed(address.clone(), "what it sends is not Kafka's protocol".into()))?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(broken_off)?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, header_version)
            .map_err(|e| WireError::Malformed(address.clone(), format!("an answer that cannot be read: {e}")))?;
        if header.correlation_id != expected {
            let text = format!("the answer to request {} instead of {expected}", header.correlation_id);
            return Err(WireError::Malformed(address, text));
        }
        self.broken = false;
        self.used = Instant::now();
        Ok(answer)
    }

    fn decode<T: Decodable>(&mut self, answer: &mut Bytes, version: i16) -> Result<T, WireError> {
        T::decode(answer, version).map_err(|e| {
            self.broken = true;
            WireError::Malformed(self.address.clone(), format!("an answer that cannot be read: {e}"))
        })
    }

    /// Asks what the broker speaks (KIP-35, KIP-511).
    async fn negotiate(&mut self) -> Result<(), WireError> {
        /// UNSUPPORTED_VERSION: the answer is then in version 0, whatever was asked.
        const UNSUPPORTED_VERSION: i16 = 35;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("landfall"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        // 3 is what any broker since 2.4 answers
        let mut answer = self.round(&request, 3).await?;
        let answer: ApiVersionsResponse = if answer.len() >= 2 && (&answer[..2]).get_i16() == UNSUPPORTED_VERSION {
            self.exchange(&ApiVersionsRequest::default(), 0).await?
        } else {
            self.decode(&mut answer, 3)?
        };
        if let Some(error) = answer.error_code.err() {
            return Err(WireError::Answer { request: short_name::<ApiVersionsRequest>(), error });
        }
        self.versions = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(())
    }

    /// Logs in, the first time or again (KIP-368), if the settings have credentials.
    async fn login(&mut self, settings: &ClientSettings) -> Result<(), WireError> {
        let Some(sasl) = &settings.sasl else { return Ok(()) };
        let lifetime = sasl.login(self).await?;
        // Before the broker ends the connection, as in Java's SaslClientAuthenticator.
        self.login_at = lifetime.map(|lifetime| Instant::now() + lifetime.mul_f64(super::spread(0.85, 0.95)));
        Ok(())
    }
}

/// The name of a request, without `Request`.
pub(in crate::kafka) fn short_name<R>() -> &'static str {
    let name = std::any::type_name::<R>();
    let name = name.rsplit("::").next().unwrap_or(name);
    name.strip_suffix("Request").unwrap_or(name)
}

/// What an end in the middle of an answer means.
fn ended(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::ConnectionReset, "the broker has ended the connection"),
        _ => error,
    }
}

/// Tries all addresses that the name resolves to, in turn.
async fn connect(settings: &ClientSettings, address: &Address, setup: Duration) -> Result<TcpStream, WireError> {
    let io = |e| WireError::Io(address.clone(), e);
    let late = || io(io::Error::new(io::ErrorKind::TimedOut, "no connection within socket.connection.setup.timeout.ms"));
    let found = timeout(setup, lookup_host((address.host.as_str(), address.port))).await;
    let found = found.map_err(|_| late())?.map_err(io)?;
    let mut last = io(io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address"));
    for target in found {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(io)?;
        // The system may take less than is asked for; that is no reason to stay away.
        settings.send_buffer.map(|bytes| socket.set_send_buffer_size(bytes));
        settings.receive_buffer.map(|bytes| socket.set_recv_buffer_size(bytes));
        match timeout(setup, socket.connect(target)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(io)?;
                return Ok(stream);
            }
            Ok(Err(e)) => last = io(e),
            Err(_) => last = late(),
        }
    }
    Err(last)
}
