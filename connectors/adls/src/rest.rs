//! Azure's REST interfaces beside storage: asks for what is at a URL with a token of Entra ID, again and again while that may help.

use std::fmt;
use std::time::Duration;

use azure_core::http::Url;
use futures::{StreamExt as _, stream};
use landfall_api::{Faults, Properties};
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use tokio::time::sleep;

use crate::entra::{CREDENTIAL, Entra, keys, runtime};
use crate::http::{client, innermost};

/// The bytes that an answer may have.
const BODY: usize = 16 << 20;
/// How many requests are under way at once.
const AT_ONCE: usize = 8;
/// The longest pause that the service is granted by `Retry-After`.
const GRANTED: Duration = Duration::from_secs(20);

/// A service that takes tokens for one scope.
#[derive(Clone)]
pub struct Rest {
    client: Client,
    entra: Entra,
    patience: Patience,
}

/// How long and how often it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long an answer may take.
    pub answer: Duration,
    /// How often a request is sent again while the service is away.
    pub again: u32,
    /// How long before the first of these; twice as long before each after it. `Retry-After` counts where it is longer.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(10), again: 3, pause: Duration::from_millis(500) }
    }
}

/// What is at a URL.
#[derive(Debug)]
pub struct Answer {
    headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in small letters; none if it is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is none. No text has a token or what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The service or its token cannot be had now.
    Away(String),
    /// The service refuses.
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The service's own code of the reason, the innermost of those that it gives; empty if it gives none.
        code: String,
        /// The service's words.
        message: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => f.write_str(why),
            Self::Refused { status, code, message } => {
                write!(f, "HTTP {status}")?;
                [code, message].into_iter().filter(|part| !part.is_empty()).try_for_each(|part| write!(f, " {part}"))
            }
        }
    }
}

/// What Azure's services say when they refuse.
#[derive(Deserialize)]
struct Refusal {
    error: Detail,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Detail {
    code: String,
    message: String,
    innererror: Option<Box<Detail>>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("entra", &self.entra).field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Rest {
    /// A client with the credential and the way that the keys `landfall.azure.*` of `given` say; without `landfall.azure.credential`, by
    /// the default chain. None after a fault.
    pub fn read(given: &Properties, patience: Patience, faults: &mut Faults) -> Option<Self> {
        let mut given = given.clone();
        given.entry(CREDENTIAL.to_owned()).or_insert_with(|| "default".to_owned());
        let entra = Entra::read(&given, faults)?;
        let client = client(&keys::net(&given, faults)?);
        let client = client.map_err(|why| faults.push("landfall.azure.ca.file", why)).ok()?;
        Some(Self { client, entra, patience })
    }

    /// Whose tokens are sent, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        self.entra.describe()
    }

    /// What is at `urls`, asked with a token for `scope`, several at once. Blocks; it must not be called on a thread of tokio's that
    /// others wait for.
    #[must_use]
    pub fn get(&self, scope: &str, accept: &'static str, urls: Vec<Url>) -> Vec<Result<Answer, Failure>> {
        let count = urls.len();
        let none = move |why: String| (0..count).map(|_| Err(Failure::Away(why.clone()))).collect();
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(why) => return none(why),
        };
        let (rest, scope) = (self.clone(), scope.to_owned());
        let all = async move {
            let get = |url| rest.get_patiently(&scope, accept, url);
            stream::iter(urls).map(get).buffered(AT_ONCE).collect().await
        };
        futures::executor::block_on(runtime.spawn(all)).unwrap_or_else(|e| none(format!("the request has ended early: {e}")))
    }

    async fn get_patiently(&self, scope: &str, accept: &str, url: Url) -> Result<Answer, Failure> {
        let Patience { again, pause, .. } = self.patience;
        for sent in 0..again {
            let after = match self.get_once(scope, accept, &url).await {
                Err((Failure::Away(_), after)) => after,
                answered => return answered.map_err(|(failure, _)| failure),
            };
            let pause = pause.saturating_mul(1 << sent.min(6));
            sleep(after.map_or(pause, |after| after.min(GRANTED).max(pause))).await;
        }
        self.get_once(scope, accept, &url).await.map_err(|(failure, _)| failure)
    }

    /// The answer; or why there is none, and how long the service wants to be left alone.
    async fn get_once(&self, scope: &str, accept: &str, url: &Url) -> Result<Answer, (Failure, Option<Duration>)> {
        let away = |why: String| (Failure::Away(why), None);
        if url.scheme() != "https" {
            return Err(away(format!("{} is not asked: a token goes over https only", origin(url))));
        }
        let token = self.entra.token(scope).await.map_err(|error| away(error.to_string()))?;
        let lost = |e: reqwest::Error| away(format!("{} does not answer: {}", origin(url), innermost(&e)));
        let request = self.client.get(url.clone()).timeout(self.patience.answer).header("accept", accept);
        let answer = request.bearer_auth(token.secret.reveal()).send().await.map_err(lost)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = body(answer).await.map_err(|why| away(format!("{} {why}", origin(url))))?;
        if status == StatusCode::OK {
            return Ok(Answer { headers, body });
        }
        let failure = refusal(status, &body);
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        match passes {
            true => Err((Failure::Away(format!("{} answers {failure}", origin(url))), retry_after(&headers))),
            false => Err((failure, None)),
        }
    }
}

/// The body of an answer, as long as it is not too long.
async fn body(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| format!("does not answer to the end: {}", innermost(&e)))? {
        if body.len() + chunk.len() > BODY {
            return Err(format!("answers with more than {BODY} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `https://<host>`, with the port if it is not the usual one.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let Detail { code, message, innererror } = serde_json::from_slice::<Refusal>(body).map_or_else(
        |_| {
            let begin: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(200).collect();
            Detail { message: begin, ..Detail::default() }
        },
        |refusal| refusal.error,
    );
    let code = innererror.map(|inner| inner.code).filter(|code| !code.is_empty()).unwrap_or(code);
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    Failure::Refused { status: status.as_u16(), code, message: message.chars().take(400).collect() }
}

/// What `Retry-After` says: Azure's services say it in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.trim().parse().map(Duration::from_secs).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_innermost_code_and_one_line() {
        let body = br#"{"error":{"code":"Forbidden","message":"Operation get is not allowed\r\n on a disabled secret.","innererror":{"code":"SecretDisabled"}}}"#;
        let refused = refusal(StatusCode::FORBIDDEN, body);
        assert_eq!(refused.to_string(), "HTTP 403 SecretDisabled Operation get is not allowed on a disabled secret.");
        assert_eq!(refusal(StatusCode::NOT_FOUND, b"<html>\n").to_string(), "HTTP 404 <html>");
        assert_eq!(refusal(StatusCode::GONE, b"").to_string(), "HTTP 410");
    }

    #[test]
    fn a_pause_is_given_in_seconds() {
        let of = |text: &str| retry_after(&HeaderMap::from_iter([(reqwest::header::RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!((of("7"), of("soon")), (Some(Duration::from_secs(7)), None));
    }
}
