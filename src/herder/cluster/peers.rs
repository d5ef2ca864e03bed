//! Requests to the other workers of the cluster (`RestClient` of Kafka 4.3.1).

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// How long another worker may take: it may itself ask another.
const ANSWER: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(10);
/// The longest answer that is taken, in bytes.
const LONGEST: u64 = 64 << 20;

/// Asks other workers.
#[derive(Clone)]
pub struct Peers(ureq::Agent);

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
    pub(super) fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .user_agent("kafka-connect")
            .max_redirects(0)
            .allow_non_standard_methods(true);
        Self(config.build().new_agent())
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
        body: Vec<u8>,
    ) -> Result<PeerAnswer, String> {
        let (agent, method, url) = (self.0.clone(), method.to_owned(), url.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let mut request =
                ureq::http::Request::builder().method(method.as_str()).uri(&url).header("accept", "application/json");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.body(body).map_err(|e| format!("{url}: {e}"))?;
            let mut answer = agent.run(request).map_err(|e| format!("{url}: {e}"))?;
            let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(|e| format!("{url}: {e}"))?;
            Ok(PeerAnswer { status, headers, body })
        });
        asked.await.unwrap_or_else(|_| Err("the request ended unexpectedly".into()))
    }
}

/// A name as it stands in a path, encoded where Java encodes it.
#[must_use]
pub fn encoded(name: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
