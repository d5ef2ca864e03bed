//! A stand-in for a REST interface of Azure's over HTTPS: it takes the tokens of [`FakeEntra`] that are for it, and answers what a test
//! has put there, or the trouble that the test makes. Its port is a proxy too, which leads to it whatever host one asks for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::entra::{FakeEntra, Trouble};

/// The first byte of what speaks TLS.
const HANDSHAKE: u8 = 0x16;

/// The service, until it is dropped.
pub(crate) struct AzureService {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    _end: oneshot::Sender<()>,
}

/// An answer: headers and body.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

#[derive(Default)]
struct State {
    /// What its tokens are for.
    audience: String,
    /// By path, without the query.
    answers: HashMap<String, Put>,
    /// What it says of other paths.
    missing: Value,
    troubles: VecDeque<Trouble>,
    always: Option<Trouble>,
    /// The paths of all requests.
    requests: Vec<String>,
    /// The hosts that it was asked for as a proxy.
    tunnels: Vec<String>,
}

impl AzureService {
    /// A service with a certificate of the authority of `entra` for `names` (`DNS:*.vault.azure.net`), for tokens for `audience`.
    pub(crate) fn start(entra: &FakeEntra, name: &str, names: &str, audience: &str, missing: Value) -> Self {
        let acceptor = entra.authority().tls(name, &format!("{names},DNS:localhost,IP:127.0.0.1"));
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        let address = socket.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { audience: audience.to_owned(), missing, ..State::default() }));
        let (shared, (end, ended)) = (state.clone(), oneshot::channel::<()>());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(socket).expect("a socket");
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let (acceptor, shared) = (acceptor.clone(), shared.clone());
                        tokio::spawn(async move { serve(stream, acceptor, shared).await });
                    }
                };
                tokio::select! { () = accept => {}, _ = ended => {} }
            });
        });
        Self { state, address, _end: end }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its own URL.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The URL of the proxy that leads to it.
    pub(crate) fn proxy(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives `path` an answer.
    pub(crate) fn put(&self, path: &str, put: Put) {
        self.state().answers.insert(path.to_owned(), put);
    }

    /// The next requests meet these, one each.
    pub(crate) fn next(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().troubles.extend(troubles);
    }

    /// All requests meet this, until it is None.
    pub(crate) fn always(&self, trouble: Option<Trouble>) {
        self.state().always = trouble;
    }

    /// The paths of all requests, with their queries.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The hosts that were asked for through the proxy, with their ports.
    pub(crate) fn tunnels(&self) -> Vec<String> {
        self.state().tunnels.clone()
    }
}

/// Serves a connection: of TLS, or of a proxy's client that asks for one.
async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) -> Option<()> {
    let mut first = [0];
    stream.peek(&mut first).await.ok()?;
    if first[0] != HANDSHAKE {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let host = head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
        state.lock().unwrap_or_else(PoisonError::into_inner).tunnels.push(host);
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    }
    let mut stream = BufReader::new(acceptor.accept(stream).await.ok()?);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let trouble = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.requests.push(head.first()?.split(' ').nth(1)?.to_owned());
            state.troubles.pop_front().or_else(|| state.always.clone())
        };
        let Put { status, headers, body } = match trouble {
            Some(Trouble::Busy(status, seconds)) => Put {
                status,
                headers: vec![("retry-after", seconds.to_string())],
                body: json!({"error": {"code": "Throttled", "message": "too many requests"}}).to_string(),
            },
            Some(Trouble::Refused(status, body)) => Put { status, headers: Vec::new(), body: body.to_string() },
            other => {
                if let Some(Trouble::Slow(time)) = other {
                    tokio::time::sleep(time).await;
                }
                answer(&head, &state.lock().unwrap_or_else(PoisonError::into_inner))
            }
        };
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let answer = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
}

/// What a request with these lines is answered.
fn answer(head: &[String], state: &State) -> Put {
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let json =
        |status, body: Value| Put { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() };
    let token = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.strip_prefix("Bearer "))?
    });
    let claims = token.and_then(|token| BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok());
    let claims: Value = claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
    if claims["aud"] != state.audience.as_str() {
        let message = format!("[BearerReadAccessTokenFailed] the token is for {}, not for {}", claims["aud"], state.audience);
        return json(401, json!({"error": {"code": "Unauthorized", "message": message}}));
    }
    let found = state.answers.get(path.split('?').next().unwrap_or_default()).cloned();
    found.unwrap_or_else(|| json(404, state.missing.clone()))
}
