//! The client by which telemetry goes out: blocking, as it is called from threads of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// How long a collector may take to answer, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says it; also when the worker ends.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is looked at: what it says is not needed.
const MOST: u64 = 64 << 10;

/// Asks collectors, and tells the log when they begin and cease to answer. Clones are the same client.
#[derive(Clone, Debug)]
pub(super) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    agent: Agent,
    /// Whether the last request failed.
    failing: AtomicBool,
}

impl Client {
    pub(super) fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).unversioned_rustls_crypto_provider(provider);
        let timeout = super::variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(timeout.unwrap_or(TIMEOUT)))
            .max_redirects(0)
            .tls_config(tls.build())
            .build();
        Self(Arc::new(Inner { agent: agent.into(), failing: AtomicBool::new(false) }))
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let mut answer = self.0.agent.run(request.map(|body| body.to_vec()))?;
        let body = answer.body_mut().with_config().limit(MOST).read_to_vec()?;
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Neither its query nor its headers, which may hold a key.
        let (host, path) = (request.uri().host().unwrap_or_default().to_owned(), request.uri().path().to_owned());
        let sent = self.send(request);
        let why = match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("HTTP {}", answer.status().as_u16())),
            Err(error) => Some(error.to_string()),
        };
        match (why, self.0.failing.load(Ordering::Relaxed)) {
            (Some(why), false) => tracing::warn!("telemetry is not taken by {host}{path}: {why}; it goes on being sent"),
            (None, true) => tracing::info!("telemetry is taken by {host}{path} again"),
            _ => {}
        }
        self.0.failing.store(!sent.as_ref().is_ok_and(|answer| answer.status().is_success()), Ordering::Relaxed);
        Ok(sent?)
    }
}
