//! Requests to the other workers of the cluster (`RestClient` of Kafka 4.3.1).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Request, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use landfall_api::Properties;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::https::Client;

/// How long another worker may take: it may itself ask another.
const ANSWER: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(10);
/// The longest answer that is taken, in bytes.
const LONGEST: usize = 64 << 20;

/// Asks other workers, each time over a connection of its own, as in Java.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    given: Properties,
    /// What TLS needs. As in Java it is not looked at before a worker is asked over https.
    tls: Mutex<Option<Client>>,
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peers")
    }
}

/// What another worker answered.
#[derive(Debug)]
pub struct PeerAnswer {
    /// The status.
    pub status: u16,
    /// Names in small letters, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl PeerAnswer {
    /// What its error says.
    pub(super) fn message(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.get("message").and_then(Value::as_str).map_or_else(|| format!("HTTP {}", self.status), str::to_owned)
    }
}

impl Peers {
    pub(super) fn new(given: &Properties) -> Self {
        let of_tls = given.iter().filter(|(key, _)| key.starts_with("ssl.") || key.starts_with(crate::https::LISTENERS));
        let given = of_tls.map(|(key, value)| (key.clone(), value.clone())).collect();
        Self(Arc::new(Inner { given, tls: Mutex::default() }))
    }

    /// Sends a request and gives the answer, whatever its status is.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: Vec<(String, String)>,
        body: impl Into<Bytes>,
    ) -> Result<PeerAnswer, String> {
        let asked = timeout(ANSWER, self.ask(method, url, headers, body.into())).await;
        let asked = asked.unwrap_or_else(|_| Err(format!("no answer after {} seconds", ANSWER.as_secs())));
        asked.map_err(|why| format!("{url}: {why}"))
    }

    async fn ask(&self, method: &str, url: &str, headers: Vec<(String, String)>, body: Bytes) -> Result<PeerAnswer, String> {
        let text = |error: &dyn fmt::Display| error.to_string();
        let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
        let authority = uri.authority().ok_or("not a URL")?.clone();
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(body)).map_err(|e| text(&e))?;
        let own =
            [(header::ACCEPT, "application/json"), (header::USER_AGENT, "kafka-connect"), (header::HOST, authority.as_str())];
        for (name, value) in own {
            request.headers_mut().insert(name, HeaderValue::from_str(value).map_err(|e| text(&e))?);
        }
        let connected = timeout(CONNECT, async {
            let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|e| text(&e))?;
            let _ = stream.set_nodelay(true);
            Ok::<_, String>(stream)
        });
        let slow = || "no connection in time".to_owned();
        let stream = connected.await.map_err(|_| slow())??;
        if !is_https {
            return exchange(stream, request).await;
        }
        let connector = TlsConnector::from(self.tls().await?.current().await);
        let name = ServerName::try_from(host).map_err(|_| "the host is no name that a certificate can have".to_owned())?;
        let stream = timeout(CONNECT, connector.connect(name, stream)).await.map_err(|_| slow())?;
        exchange(stream.map_err(|e| format!("TLS: {e}"))?, request).await
    }

    /// What TLS needs, read when it is needed first.
    async fn tls(&self) -> Result<Client, String> {
        if let Some(tls) = &*self.0.tls.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(tls.clone());
        }
        let inner = self.0.clone();
        let read = tokio::task::spawn_blocking(move || Client::read_client(&inner.given)).await;
        let tls = read.map_err(|_| "reading the stores ended unexpectedly".to_owned())?.map_err(|faults| faults.to_string())?;
        *self.0.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(tls.clone());
        Ok(tls)
    }
}

/// Sends a request over a connection that is for it alone.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<PeerAnswer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let exchanged = async {
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let (parts, body) = answer.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        let body = to_bytes(Body::new(body), LONGEST).await.map_err(|e| e.to_string())?;
        Ok(PeerAnswer { status: parts.status.as_u16(), headers, body: body.to_vec() })
    };
    let mut exchanged = std::pin::pin!(exchanged);
    tokio::select! {
        biased;
        answer = exchanged.as_mut() => answer,
        // What ends the connection is told to the one who waits, and a connection may end with its answer.
        _ = connection => exchanged.await,
    }
}

/// A name as it stands in a path, encoded where Java encodes it.
#[must_use]
pub fn encoded(name: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*')
        .remove(b'+')
        .remove(b',')
        .remove(b';')
        .remove(b'=')
        .remove(b':')
        .remove(b'@')
        .remove(b'/');
    utf8_percent_encode(name, &KEPT).to_string()
}
