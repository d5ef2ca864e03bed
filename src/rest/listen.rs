//! The listeners of the API: sockets, TLS, and how requests come over them (`RestServer` of Kafka 4.3.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::audit::Audit;
use super::connection::{Connections, Entered, Patient, Place};
use super::guard::Guard;
use super::{admin_router, metrics_router, router};
use crate::config::{Listener, Scheme, WorkerConfig};
use crate::herder::Herder;
use crate::https::{self, Server};

/// How long a connection may be idle, as in Java.
const IDLE: Duration = Duration::from_secs(90);
/// The longest head of a request, in bytes: tokens of users with many groups have some ten thousand.
const LONGEST_HEAD: usize = 32 << 10;
/// The most headers of a request.
const MOST_HEADERS: usize = 100;

/// What a connection is; an extension of each of its requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) remote: SocketAddr,
    pub(super) scheme: Scheme,
}

/// The sockets on which the API listens.
#[derive(Debug)]
pub struct Sockets {
    main: Vec<Socket>,
    /// Those of the admin API alone.
    admin: Vec<Socket>,
    /// Those of the metrics alone.
    metrics: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    listener: TcpListener,
    scheme: Scheme,
}

/// Who gets in by the sockets, and what is written down of it.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it has keys and what proves who users are")]
pub struct Access {
    pub(super) guard: Guard,
    pub(super) audit: Audit,
    https: Option<Server>,
    admin_https: Option<Server>,
    most: usize,
    slow: Duration,
}

impl Access {
    /// What the worker's properties ask for.
    ///
    /// # Errors
    /// A key store, the users' file or the audit log cannot be used; the text names the key.
    pub fn of(config: &WorkerConfig) -> Result<Self, String> {
        let has_https = |listeners: &[String]| {
            listeners.iter().any(|uri| Listener::parse(uri).is_ok_and(|listener| listener.scheme == Scheme::Https))
        };
        let read = |listeners: &[String], prefix| match has_https(listeners) {
            true => Server::read(&config.given, prefix).map(Some).map_err(|faults| faults.to_string()),
            false => Ok(None),
        };
        let (keys, access) = (&config.keys, &config.access);
        let https = read(&[&keys.listeners[..], &keys.metrics_listeners].concat(), https::LISTENERS)?;
        let admin_https = read(keys.admin_listeners.as_deref().unwrap_or_default(), https::ADMIN_LISTENERS)?;
        if https.is_some() || admin_https.is_some() {
            https::warnings(&config.given).iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        Ok(Self {
            guard: Guard::of(config)?,
            audit: Audit::of(access)?,
            https,
            admin_https,
            most: usize::try_from(access.max_connections).unwrap_or(usize::MAX),
            slow: Duration::from_millis(u64::try_from(access.slow_client_ms).unwrap_or(u64::MAX)),
        })
    }

    /// One that lets everybody in, over listeners without TLS.
    #[must_use]
    pub fn open() -> Self {
        let (guard, audit) = (Guard::open(), Audit::off());
        Self { guard, audit, https: None, admin_https: None, most: 1000, slow: Duration::from_secs(30) }
    }

    /// The audit log.
    #[must_use]
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }
}

impl Sockets {
    /// Binds `listeners`, and `admin` for the admin API if it has listeners of its own.
    ///
    /// # Errors
    /// An address cannot be bound; the text names it.
    pub async fn bind(listeners: &[String], admin: Option<&[String]>) -> Result<Self, String> {
        let main = bind(listeners, "REST server listening").await?;
        Ok(Self { main, admin: bind(admin.unwrap_or_default(), "REST admin endpoints").await?, metrics: Vec::new() })
    }

    /// Binds `listeners` as well, for metrics alone.
    ///
    /// # Errors
    /// An address cannot be bound; the text names it.
    pub async fn with_metrics(self, listeners: &[String]) -> Result<Self, String> {
        Ok(Self { metrics: bind(listeners, "metrics").await?, ..self })
    }

    /// The ports of the main listeners, in the order in which they were given.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.main.iter().map(|socket| socket.listener.local_addr().map_or(0, |address| address.port())).collect()
    }

    /// The port of the first.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports().first().copied().unwrap_or(0)
    }

    /// Serves `herder` to those whom `access` lets in until `end` resolves, and requests under way to their end.
    ///
    /// # Errors
    /// A listener is to speak TLS and `access` does not know how.
    pub async fn serve(
        self,
        herder: Herder,
        access: Access,
        end: impl Future<Output = ()> + Clone + Send + 'static,
    ) -> std::io::Result<()> {
        // Each has its own, so that whoever fills the one does not keep operators from the other.
        let all = [
            (self.main, router(&herder, &access), access.https.clone(), Connections::new(access.most)),
            (self.admin, admin_router(&herder, &access), access.admin_https.clone(), Connections::new(access.most)),
            (self.metrics, metrics_router(&herder, &access), access.https.clone(), Connections::new(access.most)),
        ];
        let mut accepting = Vec::new();
        for (sockets, router, https, connections) in all {
            for socket in sockets {
                let https = match (socket.scheme, &https) {
                    (Scheme::Http, _) => None,
                    (Scheme::Https, Some(https)) => Some(https.clone()),
                    (Scheme::Https, None) => return Err(std::io::Error::other("a https listener has no key store")),
                };
                let serving = Serving { router: router.clone(), https, connections: connections.clone(), slow: access.slow };
                accepting.push(serving.accept(socket.listener, end.clone()));
            }
        }
        futures::future::join_all(accepting).await;
        Ok(())
    }
}

/// What the connections of a socket share.
#[derive(Clone)]
struct Serving {
    router: Router,
    https: Option<Server>,
    connections: Connections,
    slow: Duration,
}

impl Serving {
    async fn accept(self, listener: TcpListener, end: impl Future<Output = ()> + Clone + Send + 'static) {
        let mut over = std::pin::pin!(end.clone());
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut over => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => match self.connections.enter() {
                    Some(entered) => {
                        tokio::spawn(self.clone().serve(stream, remote, entered, end.clone()));
                    }
                    None => tracing::warn!(
                        "{remote} is not served: all connections that landfall.rest.max.connections allows are busy"
                    ),
                },
                Err(error) => {
                    // Of a connection that is gone already, or for want of file descriptors, which may be there again soon.
                    tracing::debug!("a connection was not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        self.connections.none().await;
    }

    async fn serve(
        self,
        stream: TcpStream,
        remote: SocketAddr,
        entered: Entered,
        end: impl Future<Output = ()> + Send + 'static,
    ) {
        let place = entered.place.clone();
        let _ = stream.set_nodelay(true);
        let served = async {
            let Some(https) = &self.https else {
                let io = Patient::new(stream, place.clone(), self.slow);
                return self.speak(io, Connection { remote, scheme: Scheme::Http }, &place, end).await;
            };
            if !begins_tls(&stream, self.slow).await {
                return refuse_plain(stream, self.slow).await;
            }
            let acceptor = TlsAcceptor::from(https.current().await);
            let io = Patient::new(stream, place.clone(), self.slow);
            match timeout(self.slow, acceptor.accept(io)).await {
                Ok(Ok(io)) => {
                    place.idle();
                    self.speak(io, Connection { remote, scheme: Scheme::Https }, &place, end).await;
                }
                Ok(Err(error)) => tracing::debug!("no TLS with {remote}: {error}"),
                Err(_) => tracing::debug!("no TLS with {remote}: the handshake takes too long"),
            }
        };
        tokio::select! {
            () = served => {}
            () = place.left() => tracing::debug!("{remote} makes room for another connection"),
        }
        drop(entered);
    }

    /// Answers the requests of a connection.
    async fn speak<S>(&self, io: S, connection: Connection, place: &Arc<Place>, end: impl Future<Output = ()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            place.busy();
            let (router, place) = (self.router.clone(), place.clone());
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(connection);
                let answered = router.oneshot(request).await;
                place.idle();
                answered
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_header_size(LONGEST_HEAD).max_headers(MOST_HEADERS);
        let mut spoken = std::pin::pin!(http.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            ended = spoken.as_mut() => ended,
            () = end => {
                spoken.as_mut().graceful_shutdown();
                spoken.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("the connection of {} ended: {error}", connection.remote);
        }
    }
}

/// Whether the first byte of a connection is one of a TLS handshake.
async fn begins_tls(stream: &TcpStream, slow: Duration) -> bool {
    let mut first = [0];
    let peeked = timeout(slow, stream.peek(&mut first)).await;
    // What says nothing is left to the handshake, which fails by itself.
    !matches!(peeked, Ok(Ok(1)) if first[0].is_ascii_alphabetic())
}

/// Says to whoever speaks HTTP that TLS is spoken here.
async fn refuse_plain(mut stream: TcpStream, slow: Duration) {
    const BODY: &str = r#"{"error_code":400,"message":"this listener speaks https, and the request came without TLS"}"#;
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        BODY.len()
    );
    let refuse = async {
        stream.write_all(format!("{head}{BODY}").as_bytes()).await?;
        stream.shutdown().await?;
        // What was sent is read a little longer: the answer would be lost with a reset.
        let mut rest = [0; 4096];
        for _ in 0..16 {
            if stream.read(&mut rest).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let _ = timeout(slow.min(Duration::from_secs(1)), refuse).await;
}

async fn bind(listeners: &[String], what: &str) -> Result<Vec<Socket>, String> {
    let mut sockets = Vec::new();
    for uri in listeners {
        let listener = Listener::parse(uri)?;
        let mut bound = TcpListener::bind(listener.address()).await;
        if bound.is_err() && listener.host.is_empty() {
            // A machine without IPv6.
            bound = TcpListener::bind(("0.0.0.0", listener.port)).await;
        }
        let socket = bound.map_err(|e| format!("cannot listen on {uri}: {e}"))?;
        let address = socket.local_addr().map_err(|e| format!("cannot listen on {uri}: {e}"))?;
        tracing::info!("{what} at {}", url(&listener, address));
        sockets.push(Socket { listener: socket, scheme: listener.scheme });
    }
    Ok(sockets)
}

fn url(listener: &Listener, address: SocketAddr) -> String {
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    format!("{}://{host}:{}/", listener.scheme.name(), address.port())
}
