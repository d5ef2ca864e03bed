//! A proxy in front of Azurite that counts the calls of the Blob service and makes some of them go wrong, by rules and by a seed.
//!
//! It knows where requests and answers of HTTP/1.1 begin and end, so that a fault hits exactly one call: before the service has seen it,
//! after it has done it, or much later. Signatures stay valid: what is signed names the account and the path, not the host.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::records::Random;

/// What a request asks of the service, by the service's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    PutBlock,
    PutBlockList,
    /// Of the sinks' calls, this is the compare-and-set of a pointer.
    PutBlob,
    GetBlob,
    GetBlockList,
    GetBlobProperties,
    ListBlobs,
    DeleteBlob,
    Other,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The answer is 503 ServerBusy with a Retry-After, and nothing was done.
    Busy,
    /// The connection is reset, and nothing was done.
    Lost,
    /// It was done, and the connection is reset in place of the answer.
    Unanswered,
    /// The answer breaks off in its middle; where it has no body, this is [`Self::Unanswered`].
    Torn,
    /// The service sees the request this much later, also when the client has given up by then.
    HeldRequest(Duration),
    /// The service sees the request once it is [released](Proxy::release).
    Kept,
    /// The client sees the answer this much later.
    HeldAnswer(Duration),
    /// The connection is reset at once, and the service sees the request this much later.
    Late(Duration),
}

/// Which calls go wrong, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// All if there are none.
    pub(crate) calls: &'static [Call],
    pub(crate) fault: Fault,
    /// Of a thousand such calls.
    pub(crate) per_mille: u64,
}

impl Rule {
    pub(crate) const fn new(calls: &'static [Call], fault: Fault, per_mille: u64) -> Self {
        Self { calls, fault, per_mille }
    }
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    account: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    rules: Mutex<(Vec<Rule>, Random)>,
    counts: Mutex<Counts>,
    /// Requests that the service has yet to see or to answer.
    under_way: AtomicUsize,
    /// Has no permits until what is kept is released.
    kept: Semaphore,
}

/// What a proxy has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: BTreeMap<Call, u64>,
    /// By the call and the fault without its time.
    pub(crate) faults: BTreeMap<(Call, &'static str), u64>,
}

impl Counts {
    pub(crate) fn all(&self) -> u64 {
        self.calls.values().sum()
    }
}

impl fmt::Display for Counts {
    /// The calls in the order of how many there were.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls: Vec<_> = self.calls.iter().collect();
        calls.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let calls: Vec<_> = calls.into_iter().map(|(call, count)| format!("{call:?} {count}")).collect();
        write!(f, "{}", calls.join(", "))
    }
}

impl Proxy {
    /// A proxy before the Blob service at `endpoint` (`http://<host>:<port>/<account>`), which lets all through until it has rules.
    pub(crate) fn before(endpoint: &str, seed: u64) -> Self {
        let address = endpoint.strip_prefix("http://").expect("an endpoint without TLS");
        let (upstream, account) = address.split_once('/').expect("an endpoint with an account");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            rules: Mutex::new((Vec::new(), Random::new(seed))),
            counts: Mutex::default(),
            under_way: AtomicUsize::new(0),
            kept: Semaphore::new(0),
        });
        let for_all = shared.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Whoever is cut off has its own reasons: nobody else is concerned.
                tokio::spawn(serve(client, for_all.clone()));
            }
        });
        Self { port, account: account.to_owned(), shared, _runtime: runtime }
    }

    /// What stands in place of the service's own endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, self.account)
    }

    /// From now on these rules hold, and no others. The first one that hits a call counts.
    pub(crate) fn set(&self, rules: impl Into<Vec<Rule>>) {
        self.shared.rules.lock().expect("rules").0 = rules.into();
    }

    /// Lets all requests through that are kept, and those that will be.
    pub(crate) fn release(&self) {
        self.shared.kept.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Whether no request is on its way any more, late ones neither.
    pub(crate) fn is_quiet(&self) -> bool {
        self.shared.under_way.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.counts.lock().expect("counts").clone()
    }
}

impl Shared {
    /// Counts a call and says how it goes wrong, if it does.
    fn fault(&self, call: Call) -> Option<Fault> {
        let hit = {
            let (rules, random) = &mut *self.rules.lock().expect("rules");
            let hits =
                |rule: &&Rule| (rule.calls.is_empty() || rule.calls.contains(&call)) && random.below(1000) < rule.per_mille;
            rules.iter().find(hits).map(|rule| rule.fault)
        };
        let mut counts = self.counts.lock().expect("counts");
        *counts.calls.entry(call).or_default() += 1;
        if let Some(fault) = hit {
            *counts.faults.entry((call, fault.name())).or_default() += 1;
        }
        hit
    }
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Lost => "lost",
            Self::Unanswered => "unanswered",
            Self::Torn => "torn",
            Self::HeldRequest(_) => "held request",
            Self::Kept => "kept",
            Self::HeldAnswer(_) => "held answer",
            Self::Late(_) => "late",
        }
    }
}

impl Call {
    /// The call of a request with this head.
    fn of(head: &Head) -> Self {
        let (method, target) = head.request();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let asks = |what: &str| query.split('&').any(|part| part == what);
        match method {
            "PUT" if asks("comp=block") => Self::PutBlock,
            "PUT" if asks("comp=blocklist") => Self::PutBlockList,
            "PUT" if query.is_empty() && head.header("x-ms-blob-type").is_some() => Self::PutBlob,
            "GET" if asks("comp=blocklist") => Self::GetBlockList,
            "GET" if asks("comp=list") => Self::ListBlobs,
            "GET" if query.is_empty() => Self::GetBlob,
            "HEAD" if query.is_empty() => Self::GetBlobProperties,
            "DELETE" if query.is_empty() => Self::DeleteBlob,
            _ => Self::Other,
        }
    }
}

/// The first line of a message and its headers, as they came.
#[derive(Debug)]
struct Head(String);

impl Head {
    /// The head of the next message; None at the end of the stream.
    async fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<Self>> {
        let mut head = Vec::new();
        loop {
            let before = head.len();
            if stream.read_until(b'\n', &mut head).await? == 0 {
                return if head.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            if head[before..] == *b"\r\n" {
                return String::from_utf8(head).map(|head| Some(Self(head))).map_err(Error::other);
            }
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        self.0.lines().skip(1).find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    }

    /// Method and target of a request.
    fn request(&self) -> (&str, &str) {
        let mut words = self.0.split(' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// Whether an answer has no body whatever its headers say: one to a HEAD, and by its status.
    fn is_all(&self, method: &str) -> bool {
        let status = self.0.split(' ').nth(1).unwrap_or_default();
        method == "HEAD" || status.starts_with('1') || status == "204" || status == "304"
    }

    /// The bytes of the body behind this head, with what marks its chunks; `to_the_end` if there is no telling how many they are.
    async fn body(&self, stream: &mut BufReader<TcpStream>, to_the_end: bool) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if let Some(length) = self.header("content-length") {
            body.resize(length.parse().map_err(Error::other)?, 0);
            stream.read_exact(&mut body).await?;
        } else if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let before = body.len();
                stream.read_until(b'\n', &mut body).await?;
                let line = std::str::from_utf8(&body[before..]).map_err(Error::other)?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16).map_err(Error::other)?;
                let begin = body.len();
                body.resize(begin + size + 2, 0);
                stream.read_exact(&mut body[begin..]).await?;
                if size == 0 {
                    break;
                }
            }
        } else if to_the_end {
            stream.read_to_end(&mut body).await?;
        }
        Ok(body)
    }
}

/// A request or an answer.
#[derive(Debug)]
struct Message {
    head: Head,
    body: Vec<u8>,
}

impl Message {
    async fn write(&self, stream: &mut BufReader<TcpStream>) -> Result<()> {
        stream.write_all(self.head.0.as_bytes()).await?;
        stream.write_all(&self.body).await?;
        stream.flush().await
    }
}

/// Answers a client until it goes or is cut off.
async fn serve(client: TcpStream, shared: Arc<Shared>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    while let Some(head) = Head::read(&mut client).await? {
        let body = head.body(&mut client, false).await?;
        let request = Message { head, body };
        let under_way = UnderWay::new(&shared);
        match shared.fault(Call::of(&request.head)) {
            None => forward(&shared, &request).await?.write(&mut client).await?,
            Some(Fault::Busy) => busy(&request).write(&mut client).await?,
            Some(Fault::Lost) => return reset(&client),
            Some(Fault::Unanswered) => {
                forward(&shared, &request).await?;
                return reset(&client);
            }
            Some(Fault::Torn) => {
                let mut answer = forward(&shared, &request).await?;
                if !answer.body.is_empty() {
                    answer.body.truncate(answer.body.len() / 2);
                    answer.write(&mut client).await?;
                }
                return reset(&client);
            }
            Some(Fault::HeldRequest(time)) => {
                sleep(time).await;
                forward(&shared, &request).await?.write(&mut client).await?;
            }
            Some(Fault::Kept) => {
                // It ends only with the proxy.
                let _free = shared.kept.acquire().await;
                forward(&shared, &request).await?.write(&mut client).await?;
            }
            Some(Fault::HeldAnswer(time)) => {
                let answer = forward(&shared, &request).await?;
                sleep(time).await;
                answer.write(&mut client).await?;
            }
            Some(Fault::Late(time)) => {
                reset(&client)?;
                tokio::spawn(async move {
                    let _under_way = under_way;
                    sleep(time).await;
                    forward(&shared, &request).await
                });
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One request, from its arrival to its end.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes the connection end with a reset when it is dropped.
fn reset(client: &BufReader<TcpStream>) -> Result<()> {
    client.get_ref().set_zero_linger()
}

/// The service's answer. Each request has its own connection: none is ever sent a second time.
async fn forward(shared: &Shared, request: &Message) -> Result<Message> {
    let mut server = BufReader::new(TcpStream::connect(&shared.upstream).await?);
    server.get_ref().set_nodelay(true)?;
    request.write(&mut server).await?;
    let head = Head::read(&mut server).await?.ok_or(ErrorKind::UnexpectedEof)?;
    let body = if head.is_all(request.head.request().0) { Vec::new() } else { head.body(&mut server, true).await? };
    Ok(Message { head, body })
}

/// What the service answers when it has too much to do.
fn busy(request: &Message) -> Message {
    let text =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ServerBusy</Code><Message>The server is busy.</Message></Error>";
    let head = format!(
        "HTTP/1.1 503 Server Busy\r\nx-ms-error-code: ServerBusy\r\nRetry-After: 1\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    let body = if request.head.request().0 == "HEAD" { Vec::new() } else { text.into() };
    Message { head: Head(head), body }
}
