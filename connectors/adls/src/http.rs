//! The HTTP client under storage and tokens: it sends a request once and takes the answer as it is.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use azure_core::http::Transport;

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(20);

/// A new client. The SDK's own would panic on a machine without root certificates, and may send a request again.
pub(crate) fn transport() -> Result<Transport, String> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_deflate()
        .build();
    match client {
        Ok(client) => Ok(Transport::new(Arc::new(client))),
        Err(e) => Err(format!("no HTTPS client can be made, perhaps for want of ca-certificates: {}", innermost(&e))),
    }
}

/// The cause at the bottom. Those above it quote URLs, and with them signatures.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    let line = text.lines().next().unwrap_or_default();
    if line.contains("sig=") { "the connection failed".into() } else { line.to_owned() }
}
